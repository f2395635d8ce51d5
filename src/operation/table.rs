//! Tables: how they are made and altered, their columns, constraints and partitions.

use std::sync::Arc;

use super::{ConstraintDefinition, Expression, Ident, Name, Query, SequenceOptions, TypeName};
use crate::source::Span;

#[derive(Debug, Clone, PartialEq)]
pub struct CreateTable {
    pub name: Name,
    pub if_not_exists: bool,
    pub persistence: Persistence,
    pub kind: TableForm,
    pub columns: Vec<ColumnDefinition>,
    /// Table constraints as written, inline ones stay with their column.
    pub constraints: Vec<ConstraintDefinition>,
    pub likes: Vec<Like>,
    pub inherits: Vec<Name>,
    pub partition_of: Option<PartitionOf>,
    pub partition_by: Option<PartitionKey>,
    pub options: Vec<Parameter>,
    pub tablespace: Option<Ident>,
    pub access_method: Option<Ident>,
    pub on_commit: Option<OnCommit>,
    /// `OF type`.
    pub of_type: Option<Name>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableForm {
    Table,
    Foreign,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    Permanent,
    Unlogged,
    Temporary,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnCommit {
    PreserveRows,
    DeleteRows,
    Drop,
}

/// `name = value` of WITH (…), SET (…); the value as written, without quotes.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    pub name: Arc<str>,
    pub value: Option<Arc<str>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PartitionOf {
    pub parent: Name,
    pub bound: Bound,
}

/// The bound of a partition; values as expressions, MINVALUE and MAXVALUE as [`BoundValue`]s.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    List(Vec<Expression>),
    Range { from: Vec<BoundValue>, to: Vec<BoundValue> },
    Hash { modulus: u32, remainder: u32 },
    Default,
}

#[derive(Debug, Clone, PartialEq)]
pub enum BoundValue {
    Minimum,
    Maximum,
    Value(Expression),
}

#[derive(Debug, Clone, PartialEq)]
pub struct PartitionKey {
    pub strategy: PartitionStrategy,
    pub parts: Vec<KeyPart>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionStrategy {
    List,
    Range,
    Hash,
}

/// A column or an expression in a key.
#[derive(Debug, Clone, PartialEq)]
pub enum KeyPart {
    Column(Ident),
    Expression(Expression),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Like {
    pub table: Name,
    pub including: Vec<LikePart>,
}

/// What LIKE copies besides names, types and NOT NULL. ALL is all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LikePart {
    Comments,
    Compression,
    Constraints,
    Defaults,
    Generated,
    Identity,
    Indexes,
    Statistics,
    Storage,
}

impl LikePart {
    pub const ALL: [LikePart; 9] = [
        LikePart::Comments,
        LikePart::Compression,
        LikePart::Constraints,
        LikePart::Defaults,
        LikePart::Generated,
        LikePart::Identity,
        LikePart::Indexes,
        LikePart::Statistics,
        LikePart::Storage,
    ];
}

#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDefinition {
    pub name: Ident,
    /// `None` in `PARTITION OF` and `OF type`, where the column exists already.
    pub data_type: Option<TypeName>,
    /// smallserial, serial, bigserial: the type is then the integer.
    pub serial: bool,
    pub collation: Option<Name>,
    /// NOT NULL, NULL, DEFAULT and the like are told apart here; keyed constraints below.
    pub not_null: Option<NotNull>,
    pub default: Option<Expression>,
    pub identity: Option<Identity>,
    pub generated: Option<Generated>,
    /// Inline CHECK, UNIQUE, PRIMARY KEY, REFERENCES; their column is this one.
    pub constraints: Vec<ConstraintDefinition>,
    pub storage: Option<Ident>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NotNull {
    pub name: Option<Ident>,
    pub no_inherit: bool,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// GENERATED ALWAYS rather than BY DEFAULT.
    pub always: bool,
    pub options: SequenceOptions,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    pub expression: Expression,
    pub stored: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateTableAs {
    pub name: Name,
    pub if_not_exists: bool,
    pub persistence: Persistence,
    pub columns: Vec<Ident>,
    pub query: Query,
    pub with_data: bool,
    pub on_commit: Option<OnCommit>,
}
