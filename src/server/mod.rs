//! What PostgreSQL does: locks, scans, rewrites, transactions. Facts only, no opinions; `tests/locks.rs`
//! compares them with what real servers were seen to do.

use crate::operation::LockMode;
use crate::schema::RelationId;

/// What one statement does to a server beside changing the catalog.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Effects {
    /// The strongest lock on each relation that exists before the statement, tables and indexes alike,
    /// in the order they are taken.
    pub locks: Vec<(RelationId, LockMode)>,
    /// Tables read from end to end while their lock is held.
    pub scans: Vec<RelationId>,
    /// Tables whose rows are written anew.
    pub rewrites: Vec<RelationId>,
    /// Indexes built anew or for the first time, on these tables.
    pub index_builds: Vec<RelationId>,
    /// Refused inside a transaction block.
    pub outside_transaction: bool,
}

impl Effects {
    pub fn lock_on(&self, relation: RelationId) -> Option<LockMode> {
        self.locks.iter().find(|(locked, _)| *locked == relation).map(|(_, mode)| *mode)
    }
}
