//! Views, sequences, schemas, extensions, statistics and publications.

use std::sync::Arc;

use super::{Ident, Name, Persistence, Query, Statement, TypeName};

#[derive(Debug, Clone, PartialEq)]
pub struct CreateView {
    pub name: Name,
    pub materialized: bool,
    pub or_replace: bool,
    pub if_not_exists: bool,
    pub temporary: bool,
    pub columns: Vec<Ident>,
    pub query: Arc<Query>,
    /// The query's text.
    pub text: Arc<str>,
    /// Materialized: filled at once.
    pub with_data: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RefreshView {
    pub view: Name,
    pub concurrently: bool,
    pub with_data: bool,
}

/// Options of a sequence; what is `None` was not written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SequenceOptions {
    pub data_type: Option<TypeName>,
    pub name: Option<Name>,
    /// RESTART [WITH n], of any form.
    pub restart: bool,
    /// `None`: not written; `Some(None)`: OWNED BY NONE; else table and column.
    pub owned_by: Option<Option<(Name, Ident)>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateSequence {
    pub name: Name,
    pub if_not_exists: bool,
    pub persistence: Persistence,
    pub options: SequenceOptions,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AlterSequence {
    pub name: Name,
    pub if_exists: bool,
    pub options: SequenceOptions,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateSchema {
    pub name: Ident,
    pub if_not_exists: bool,
    /// Statements written inside CREATE SCHEMA.
    pub elements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateExtension {
    pub name: Ident,
    pub if_not_exists: bool,
    pub schema: Option<Ident>,
    pub cascade: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateStatistics {
    pub name: Option<Name>,
    pub if_not_exists: bool,
    pub table: Name,
}

/// CREATE or ALTER PUBLICATION: the tables named.
#[derive(Debug, Clone, PartialEq)]
pub struct Publication {
    pub name: Ident,
    pub create: bool,
    pub tables: Vec<Name>,
}
