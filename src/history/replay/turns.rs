//! Several replays of one history side by side, which share the work of telling.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::super::Plan;

/// Which migrations have been taken by a replay: it tells of them, and the others run through.
#[derive(Debug)]
pub struct Turns {
    taken: Vec<AtomicBool>,
    /// Where the first of them saw its majors part: the others need not go on from there.
    parted: AtomicUsize,
}

impl Turns {
    pub fn of(plan: &Plan) -> Turns {
        let taken = plan.history.migrations.iter().map(|_| AtomicBool::new(false)).collect();
        Turns { taken, parted: AtomicUsize::new(usize::MAX) }
    }

    /// Whether the migration falls to the replay that asks. All of them ask for the same ones: those at which no
    /// transaction is open.
    pub(super) fn take(&self, migration: usize) -> bool {
        !self.taken[migration].swap(true, Ordering::Relaxed)
    }

    pub(super) fn part(&self, migration: usize) {
        self.parted.fetch_min(migration, Ordering::Relaxed);
    }

    pub(super) fn are_over(&self, migration: usize) -> bool {
        migration > self.parted.load(Ordering::Relaxed)
    }
}
