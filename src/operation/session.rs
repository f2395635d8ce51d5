//! What a session does beside definitions: locks, settings, transactions, upkeep.

use std::sync::Arc;

use super::{Body, Ident, Name};

#[derive(Debug, Clone, PartialEq)]
pub struct Truncate {
    pub tables: Vec<TableRef>,
    pub cascade: bool,
    pub restart_identity: bool,
}

/// A table in a list, with ONLY.
#[derive(Debug, Clone, PartialEq)]
pub struct TableRef {
    pub name: Name,
    pub only: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct LockTable {
    pub tables: Vec<TableRef>,
    pub mode: LockMode,
    pub nowait: bool,
}

/// Table lock modes, weakest first (manual, "Explicit Locking").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockMode {
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

/// CLUSTER; without a table: all clustered ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    pub table: Option<Name>,
    pub index: Option<Ident>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Vacuum {
    pub full: bool,
    /// Empty: the whole database.
    pub tables: Vec<Name>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Analyze {
    pub tables: Vec<Name>,
}

/// SET, RESET, set_config().
#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    pub scope: SetScope,
    /// Lower case; `all` for RESET ALL.
    pub name: Arc<str>,
    /// Values without quotes; `None`: DEFAULT or RESET.
    pub values: Option<Vec<Arc<str>>>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum SetScope {
    Session,
    /// SET LOCAL: until the transaction ends.
    Local,
    /// ALTER DATABASE … SET, or the same of the role that runs it or of all: for the sessions that come.
    Next,
    /// ALTER ROLE … SET of another role: for that one's later sessions.
    Later,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Transaction {
    Begin,
    /// COMMIT, END.
    Commit,
    /// ROLLBACK, ABORT.
    Rollback,
    Savepoint(Ident),
    Release(Ident),
    RollbackTo(Ident),
    /// SET TRANSACTION, PREPARE TRANSACTION and the like.
    Other,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DoBlock {
    /// Lower case.
    pub language: Ident,
    pub body: Body,
}
