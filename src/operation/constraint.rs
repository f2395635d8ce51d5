//! Constraints as they are written.

use std::sync::Arc;

use super::{Expression, Ident, KeyPart, Name, Parameter};
use crate::source::Span;

#[derive(Debug, Clone, PartialEq)]
pub struct ConstraintDefinition {
    pub name: Option<Ident>,
    pub kind: ConstraintKind,
    /// NOT VALID.
    pub not_valid: bool,
    /// NOT ENFORCED (PostgreSQL 18).
    pub not_enforced: bool,
    pub deferrable: bool,
    pub initially_deferred: bool,
    pub no_inherit: bool,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ConstraintKind {
    Check(Expression),
    /// As a table constraint (PostgreSQL 18).
    NotNull(Ident),
    Unique(Key),
    Primary(Key),
    Exclude {
        method: Option<Ident>,
        elements: Vec<ExcludeElement>,
        filter: Option<Expression>,
        options: Vec<Parameter>,
    },
    Foreign(ForeignKey),
}

/// The columns of PRIMARY KEY or UNIQUE, or the index it takes over.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Key {
    pub columns: Vec<Ident>,
    pub include: Vec<Ident>,
    pub using_index: Option<Ident>,
    pub nulls_not_distinct: bool,
    /// The last column is WITHOUT OVERLAPS.
    pub without_overlaps: bool,
    pub options: Vec<Parameter>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ExcludeElement {
    pub part: KeyPart,
    pub operator: Arc<str>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ForeignKey {
    /// Empty for an inline REFERENCES: the column it stands at.
    pub columns: Vec<Ident>,
    pub references: Name,
    /// Empty: the primary key.
    pub referenced_columns: Vec<Ident>,
    pub on_delete: Action,
    /// `ON DELETE SET NULL (columns)`.
    pub on_delete_columns: Vec<Ident>,
    pub on_update: Action,
    pub match_full: bool,
    /// The last column is a PERIOD.
    pub period: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    NoAction,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}
