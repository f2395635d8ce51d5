//! One script run by itself from a state: where its transactions end, and where it fails.

use super::super::{Passed, Plan, State};
use super::{Bounds, Replay, Start};
use crate::data::Moment;
use crate::operation::Script;
use crate::schema::Failure;
use crate::version::Major;

/// What a script did.
#[derive(Debug, Clone)]
pub struct Course {
    pub units: Vec<Passage>,
    /// The statement that failed for certain: it and all after it did not run.
    pub failed: Option<(Passed, Failure)>,
    pub end: State,
    /// Some statement was not understood.
    pub unread: bool,
}

/// Steps that became visible together.
#[derive(Debug, Clone)]
pub struct Passage {
    pub steps: Vec<Passed>,
    /// The state before each of them.
    pub befores: Vec<State>,
    pub before: State,
    pub after: State,
    /// A wait for a lock ends by itself.
    pub lock_timeout: bool,
}

/// What a course is kept in while it runs.
#[derive(Debug, Default)]
pub(super) struct Record {
    befores: Vec<State>,
    units: Vec<Passage>,
    failed: Option<(Passed, Failure)>,
    pub unread: bool,
    /// It is the history that runs: it goes on after a failure, to say what else there is to say.
    beside: bool,
}

impl Record {
    /// For a migration at its place in the history.
    pub(super) fn beside() -> Record {
        Record { beside: true, ..Record::default() }
    }

    /// Where nothing failed, the migration run by itself takes the same course.
    pub(super) fn into_course(self, end: &State) -> Option<Course> {
        let Record { units, failed, unread, .. } = self;
        failed.is_none().then(|| Course { units, failed, end: end.clone(), unread })
    }
}

/// Moments of a course are later than all that was before it.
const LATER: u32 = u32::MAX / 2;

/// What of a state a course takes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    Schema,
    SchemaAndData,
}

/// Runs a migration's up or down from a state that it may never have met, as its runner would.
pub fn course(
    plan: &Plan,
    number: usize,
    script: &Script,
    start: &State,
    majors: &[Major],
    follows: Follows,
) -> Course {
    let moment = Moment { step: LATER, unit: LATER, release: plan.release_number(number) };
    let mut replay = Replay::of(plan, Start::aside(number, start, majors, moment));
    (replay.tells, replay.follows, replay.record) = (false, follows, Some(Box::default()));
    let migration = &plan.history.migrations[number];
    replay.script(migration, &script.nodes, Bounds { begins: true, commits: true });
    replay.end_unit();
    let record = replay.record.take().map(|record| *record).unwrap_or_default();
    Course { units: record.units, failed: record.failed, end: replay.state, unread: record.unread }
}

impl Replay<'_> {
    /// A statement has failed for certain: nothing runs after it.
    pub(super) fn is_over(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.failed.is_some() && !record.beside)
    }

    pub(super) fn note_failure(&mut self, passed: &Passed, failure: &Failure) {
        if let Some(record) = &mut self.record
            && failure.certain
            && passed.certain
            && record.failed.is_none()
        {
            record.failed = Some((passed.clone(), failure.clone()));
            // Its transaction is rolled back, be it the statement's own.
            if !record.beside {
                self.state = self.unit_start.clone();
            }
        }
    }

    /// The state before a step; what a handler or ROLLBACK TO has undone is forgotten.
    pub(super) fn note_before(&mut self, before: &State) {
        if let Some(record) = &mut self.record {
            record.befores.truncate(self.unit_steps.len());
            record.befores.push(before.clone());
        }
    }

    pub(super) fn note_unit(&mut self, steps: &[Passed], before: &State) {
        let Some(record) = &mut self.record else { return };
        let mut befores = std::mem::take(&mut record.befores);
        befores.truncate(steps.len());
        if record.failed.is_none() && !steps.is_empty() {
            let (steps, before, after) = (steps.to_vec(), before.clone(), self.state.clone());
            let lock_timeout = self.session.has_lock_timeout();
            record.units.push(Passage { steps, befores, before, after, lock_timeout });
        }
    }
}
