//! What is done to objects of any kind: DROP, RENAME, SET SCHEMA, comments and grants.

use super::{Argument, Ident, Name};
use crate::source::Span;

/// Kinds of objects that DROP, RENAME, SET SCHEMA, COMMENT and findings name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    Table,
    ForeignTable,
    View,
    MaterializedView,
    Index,
    Sequence,
    Type,
    Domain,
    Function,
    Procedure,
    Aggregate,
    /// DROP ROUTINE: a function, procedure or aggregate.
    Routine,
    Trigger,
    Rule,
    Policy,
    Schema,
    Extension,
    Statistics,
    Publication,
    Column,
    Constraint,
    /// Kinds that plimsoll does not model (collations, casts, operators, servers …).
    Other,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Rename {
    /// What is renamed. For columns, constraints, triggers, policies and rules `object` is the table.
    pub kind: ObjectKind,
    pub object: Name,
    pub if_exists: bool,
    pub only: bool,
    /// The column, constraint, trigger, policy, rule, or enum label or attribute that is renamed in `object`.
    pub part: Option<Ident>,
    pub to: Ident,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SetSchema {
    pub kind: ObjectKind,
    pub name: Name,
    pub arguments: Option<Vec<Argument>>,
    pub if_exists: bool,
    pub schema: Ident,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Drop {
    pub kind: ObjectKind,
    pub targets: Vec<DropTarget>,
    pub if_exists: bool,
    pub cascade: bool,
    pub concurrently: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DropTarget {
    pub name: Name,
    /// For triggers, policies and rules: the table.
    pub on: Option<Name>,
    /// For routines: the argument types, where they were given.
    pub arguments: Option<Vec<Argument>>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CommentOn {
    pub kind: ObjectKind,
    /// The object; for columns, constraints, triggers and the like the table.
    pub object: Name,
    pub part: Option<Ident>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    pub revoke: bool,
    /// Relations named; empty for other objects and ALL TABLES IN SCHEMA.
    pub tables: Vec<Name>,
    /// Roles; `public` is every role.
    pub to: Vec<Ident>,
}
