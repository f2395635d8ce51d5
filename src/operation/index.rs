//! Indexes.

use super::{Expression, Ident, KeyPart, Name, Parameter};

#[derive(Debug, Clone, PartialEq)]
pub struct CreateIndex {
    /// `None`: PostgreSQL chooses the name.
    pub name: Option<Ident>,
    pub table: Name,
    pub only: bool,
    pub unique: bool,
    pub concurrently: bool,
    pub if_not_exists: bool,
    /// Lower case; `btree` where none was written.
    pub method: Ident,
    pub parts: Vec<IndexPart>,
    pub include: Vec<Ident>,
    pub nulls_not_distinct: bool,
    pub filter: Option<Expression>,
    pub options: Vec<Parameter>,
    pub tablespace: Option<Ident>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct IndexPart {
    pub key: KeyPart,
    pub collation: Option<Name>,
    pub operator_class: Option<Name>,
    /// What it is given: `siglen = 256`.
    pub class_options: Option<Box<str>>,
    pub descending: bool,
    pub nulls_first: Option<bool>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AlterIndex {
    pub index: Name,
    pub if_exists: bool,
    pub action: IndexAction,
}

#[derive(Debug, Clone, PartialEq)]
pub enum IndexAction {
    AttachPartition(Name),
    SetTablespace(Ident),
    SetOptions(Vec<Parameter>),
    ResetOptions(Vec<Parameter>),
    SetStatistics,
    /// DEPENDS ON EXTENSION.
    Other,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Reindex {
    pub target: ReindexTarget,
    pub concurrently: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ReindexTarget {
    Index(Name),
    Table(Name),
    Schema(Ident),
    Database,
    System,
}
