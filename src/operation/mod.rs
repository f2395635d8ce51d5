//! What a migration does, in neutral terms. One SQL statement or one migration call is one
//! [`Operation`]; nothing here knows a parser, a version of PostgreSQL or an opinion.

mod alter_table;
mod background;
mod constraint;
mod definition;
mod expression;
mod index;
mod name;
mod object;
mod print;
mod question;
mod routine;
mod ruby;
mod ruby_walk;
mod script;
mod session;
mod table;
mod types;
mod user_type;
mod word;

pub use alter_table::*;
pub use background::*;
pub use constraint::*;
pub use definition::*;
pub use expression::*;
pub use index::*;
pub use name::*;
pub use object::*;
pub use print::quoted;
pub use question::*;
pub use routine::*;
pub use ruby::*;
pub use ruby_walk::walk;
pub use script::*;
pub use session::*;
pub use table::*;
pub use types::*;
pub use user_type::*;

use std::sync::Arc;

/// One statement. Names are as written: `schema` resolves them when it applies the operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    CreateTable(Box<CreateTable>),
    CreateTableAs(Box<CreateTableAs>),
    AlterTable(Box<AlterTable>),
    /// RENAME of whole objects and of columns, constraints, labels (ALTER … RENAME).
    Rename(Box<Rename>),
    SetSchema(SetSchema),
    Drop(Drop),
    CreateIndex(Box<CreateIndex>),
    AlterIndex(AlterIndex),
    Reindex(Reindex),
    CreateView(Box<CreateView>),
    RefreshView(RefreshView),
    CreateSequence(Box<CreateSequence>),
    AlterSequence(Box<AlterSequence>),
    CreateType(Box<CreateType>),
    AlterType(Box<AlterType>),
    CreateDomain(Box<CreateDomain>),
    AlterDomain(Box<AlterDomain>),
    CreateFunction(Box<CreateFunction>),
    CreateTrigger(Box<CreateTrigger>),
    CreateRule(Box<CreateRule>),
    CreatePolicy(Policy),
    AlterPolicy(Policy),
    CreateSchema(CreateSchema),
    CreateExtension(CreateExtension),
    CreateStatistics(CreateStatistics),
    Publication(Publication),
    Comment(CommentOn),
    Grant(Grant),
    Truncate(Truncate),
    Lock(LockTable),
    Cluster(Cluster),
    Vacuum(Vacuum),
    Analyze(Analyze),
    Write(Box<Write>),
    Query(Box<Query>),
    Call {
        function: Name,
        arguments: Vec<Expr>,
    },
    Set(Set),
    SetConstraints {
        names: Vec<Name>,
        deferred: bool,
    },
    Transaction(Transaction),
    Do(Box<DoBlock>),
    /// Work that is queued, finished or taken out of the queue: no statement of its own.
    Background(Box<Background>),
    /// Understood to the point that it touches no relation and takes no lock worth a word.
    Opaque(Opaque),
    Unread(Unread),
}

/// What cannot be read, with what it may touch.
#[derive(Debug, Clone, PartialEq)]
pub struct Unread {
    pub reason: Arc<str>,
    /// Relations that may be touched; where `everything` is set, any may be.
    pub touches: Vec<Name>,
    pub everything: bool,
    pub reach: Reach,
}

/// How far what cannot be read may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    Anything,
    /// It may write rows, and makes and takes away no object.
    Rows,
    /// One row each time it runs.
    OneRow,
    /// PostgreSQL's grammar refuses it: it fails.
    Nothing,
}

/// A statement without effect on relations, by its leading words (`CREATE ROLE`).
#[derive(Debug, Clone, PartialEq)]
pub struct Opaque {
    pub what: Arc<str>,
    /// Refused inside a transaction block (CREATE DATABASE, ALTER SYSTEM …).
    pub outside_transaction: bool,
}
