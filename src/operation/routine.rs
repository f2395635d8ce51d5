//! Functions, triggers, rules and policies.

use std::sync::Arc;

use super::{Expr, Expression, Ident, Name, Node, Statement, TypeName};
use crate::source::Span;

#[derive(Debug, Clone, PartialEq)]
pub struct CreateFunction {
    pub name: Name,
    pub kind: RoutineKind,
    pub or_replace: bool,
    pub arguments: Vec<Argument>,
    /// As written and canonical: `trigger`, `TABLE(x integer)`, `SETOF t`; empty for procedures.
    pub returns: Arc<str>,
    /// Lower case.
    pub language: Ident,
    pub body: Body,
    pub security_definer: bool,
    /// `SET search_path = …` on the function; `FROM CURRENT` is the path of that moment.
    pub search_path: Option<Vec<Ident>>,
    pub volatility: Volatility,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoutineKind {
    Function,
    Procedure,
    Aggregate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Volatility {
    Immutable,
    Stable,
    Volatile,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Argument {
    pub mode: ArgumentMode,
    pub name: Option<Ident>,
    pub data_type: TypeName,
    pub has_default: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgumentMode {
    In,
    Out,
    InOut,
    Variadic,
    /// A column of RETURNS TABLE.
    Table,
}

/// A routine's body, parsed but unresolved: names mean what the schema says when it runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    pub text: Arc<str>,
    pub span: Span,
    pub nodes: Arc<[Node]>,
    /// Variables declared, with their types and starting values.
    pub variables: Arc<[Variable]>,
    /// Why the body, or a part of it, is not understood (another language, broken text).
    pub unread: Arc<[(Span, Arc<str>)]>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    pub name: Ident,
    pub data_type: Arc<str>,
    pub value: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateTrigger {
    pub name: Ident,
    pub or_replace: bool,
    /// CREATE CONSTRAINT TRIGGER.
    pub constraint: bool,
    pub table: Name,
    /// `FROM table` of a constraint trigger.
    pub from: Option<Name>,
    pub timing: TriggerTiming,
    pub events: TriggerEvents,
    pub for_each_row: bool,
    pub when: Option<Expression>,
    pub function: Name,
    /// String arguments, decoded; numbers and words as written.
    pub arguments: Vec<Arc<str>>,
    /// REFERENCING OLD TABLE / NEW TABLE AS.
    pub old_table: Option<Ident>,
    pub new_table: Option<Ident>,
    pub deferrable: bool,
    pub initially_deferred: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TriggerTiming {
    Before,
    After,
    InsteadOf,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TriggerEvents {
    pub insert: bool,
    pub update: bool,
    pub delete: bool,
    pub truncate: bool,
    /// `UPDATE OF columns`; empty: any column.
    pub update_columns: Vec<Ident>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateRule {
    pub name: Ident,
    pub or_replace: bool,
    pub table: Name,
    /// SELECT rules are views.
    pub event: RuleEvent,
    pub instead: bool,
    pub condition: Option<Expression>,
    pub commands: Vec<Statement>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleEvent {
    Select,
    Insert,
    Update,
    Delete,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    pub name: Ident,
    pub table: Name,
    pub using: Option<Expression>,
    pub check: Option<Expression>,
}
