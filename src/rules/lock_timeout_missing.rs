//! Strong locks without a lock_timeout: the migration waits, and everything behind it waits too. Once per run.

use super::Findings;
use super::in_use::{found, is_in_use};
use crate::finding::{ONCE, Severity};
use crate::history::Step;
use crate::operation::LockMode;
use crate::schema::RelationId;
use crate::server::Effects;

/// Neither the settings, the script nor its runner end a wait for a lock.
pub(super) fn waits_without_limit(step: &Step) -> bool {
    let context = &step.context;
    context.settings.lock_timeout_set != Some(true)
        && !step.session.has_lock_timeout()
        && !context.plan.retries_locks(context.at.migration)
}

pub fn check(step: &Step, findings: &mut Findings) {
    // A script that says so itself: lock-timeout-disabled.
    let says = step.session.setting("lock_timeout").is_some();
    if says || step.applied.failure().is_some() || !waits_without_limit(step) {
        return;
    }
    let Some((majors, (table, mode))) = found(step, |effects| strongest(step, effects)) else { return };
    let name = super::say::name(&step.before.schema, table);
    let stops = if mode == LockMode::AccessExclusive { "reads and writes" } else { "writes" };
    let message = format!(
        "waits without limit for its lock on `{name}`; behind it all {stops} of `{name}` wait for the longest open transaction that uses it"
    );
    let finding = findings.report(step.origin, step.operation.word(), step.certain, message);
    finding.postgres = majors;
    // Where the migrations before do not, a role or the runner may: nothing in the files can tell.
    if !step.context.plan.limits_lock_waits(step.context.at.migration) {
        finding.severity = finding.severity.min(Severity::Note);
    }
    finding.one_per(ONCE);
    finding.object(&step.before.schema.relation(table).name);
    finding.instead("SET lock_timeout = '5s'; -- and run the migration again where it gives up");
}

/// The strongest lock of the step that stops writes to a table in use.
pub(super) fn strongest(step: &Step, effects: &Effects) -> Option<(RelationId, LockMode)> {
    let schema = &step.before.schema;
    let locks = effects.locks.iter().copied().filter(|(relation, mode)| {
        *mode >= LockMode::Share
            && schema.get_relation(*relation).is_some_and(|relation| relation.as_table().is_some())
            && is_in_use(step, *relation)
            && !step.context.is_small(schema, *relation)
    });
    // Of equals the oldest, on each major: a partitioned table rather than one of its partitions.
    locks.rev().max_by_key(|(_, mode)| *mode)
}
