//! What PostgreSQL does: locks, scans, rewrites, transactions. Facts only, no opinions; `tests/locks.rs`
//! compares them with what real servers were seen to do.

mod alter_table;
mod drop;
pub mod facts;
mod foreign_key;
mod index;
mod locks;
mod partition;
mod proof;
mod session;
mod statement;
mod table;
mod tally;
mod transaction;
mod types;
mod volatility;
mod write;

use std::ops::RangeInclusive;
use std::sync::Arc;

pub use session::{SessionFacts, TimeZone};
pub use transaction::{new_label_usable_in_new_type, refused_in_transaction};
pub use types::{TypeChange, is_constrained_domain, may_not_fit, type_change};
pub use volatility::{KnownVolatility, volatility, volatility_of};

use crate::operation::{Ident, LockMode, Operation};
use crate::schema::{RelationId, Schema, TypeId};
use crate::version::Major;
use tally::Tally;

/// What one statement does to a server beside changing the catalog.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Effects {
    /// The strongest lock on each relation that exists before the statement, tables and indexes alike,
    /// in the order they are taken.
    pub locks: Vec<(RelationId, LockMode)>,
    /// Tables read from end to end while their lock is held; those rewritten are not said again.
    pub scans: Vec<Scan>,
    /// Tables whose rows are written anew.
    pub rewrites: Vec<Rewrite>,
    /// Indexes built anew or for the first time.
    pub index_builds: Vec<IndexBuild>,
    /// What the statement asks of the rows that are there: it fails where they do not satisfy it.
    pub validates: Vec<DataCheck>,
    /// Refused inside a transaction block.
    pub outside_transaction: bool,
    /// Waits until transactions that began before it have ended, even such as touch other tables.
    pub waits_for_all_transactions: bool,
    /// A new enum label, which no statement may use until this transaction has committed.
    pub unusable_label: Option<(TypeId, Arc<str>)>,
}

/// A full read of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan {
    pub relation: RelationId,
    /// The lock that is held on the table meanwhile.
    pub held: LockMode,
    /// Which action of an ALTER TABLE, from 0.
    pub action: Option<usize>,
}

/// A table whose storage is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewrite {
    pub relation: RelationId,
    pub kind: RewriteKind,
    /// False where it hangs on something unseen: a function's volatility, the session's time zone.
    pub certain: bool,
    pub action: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RewriteKind {
    /// Each row is written anew, then every index is built.
    Rows,
    /// The files are copied as they are, indexes included.
    Files,
    /// TRUNCATE: empty files take their place, at once.
    Emptied,
}

/// One index built; `index` is `None` for an index that the statement makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexBuild {
    pub table: RelationId,
    pub index: Option<RelationId>,
    pub action: Option<usize>,
}

/// A condition that every row of `relation` must meet for the statement to succeed.
#[derive(Debug, Clone, PartialEq)]
pub struct DataCheck {
    pub relation: RelationId,
    pub kind: DataCheckKind,
    /// The constraint as the statement names it, where it has a name yet.
    pub constraint: Option<Ident>,
    /// What PostgreSQL answers where a row fails.
    pub state: &'static str,
    pub action: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataCheckKind {
    Check,
    NotNull,
    Unique,
    Exclude,
    Foreign,
    /// Rows must lie inside the bound of the partition that the table becomes.
    PartitionBound,
    /// Rows of the default partition must not belong to the new one.
    DefaultPartition,
    /// Values must fit the new type.
    Cast,
    /// Rows that refer to the partition that is taken away.
    Referencing,
}

impl Effects {
    pub fn lock_on(&self, relation: RelationId) -> Option<LockMode> {
        self.locks.iter().find(|(locked, _)| *locked == relation).map(|(_, mode)| *mode)
    }

    pub fn scans_table(&self, relation: RelationId) -> bool {
        self.scans.iter().any(|scan| scan.relation == relation)
    }

    pub fn rewrite_of(&self, relation: RelationId) -> Option<&Rewrite> {
        self.rewrites.iter().find(|rewrite| rewrite.relation == relation)
    }

    /// Can succeed on one database and fail on another with the same schema.
    pub fn depends_on_data(&self) -> bool {
        !self.validates.is_empty()
    }
}

/// What a statement does to a server of that major, where the schema is `before`.
///
/// Names that `before` does not hold have no effects: the caller lets it assume them first.
pub fn effects(operation: &Operation, before: &Schema, major: Major, session: &SessionFacts) -> Effects {
    effects_alike(operation, before, major, session).0
}

/// The same, with the majors around this one on which they are the same.
pub fn effects_alike(
    operation: &Operation,
    before: &Schema,
    major: Major,
    session: &SessionFacts,
) -> (Effects, RangeInclusive<Major>) {
    let mut tally = Tally::new(before, major, session);
    statement::collect(&mut tally, operation);
    let alike = tally.alike();
    (tally.finish(), alike)
}
