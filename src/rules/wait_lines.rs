//! Statements that are over at once, but wait for their lock: behind them everybody waits. On tables that the statement
//! does not even name, and on those whose triggers change.

use super::Findings;
use super::in_use::{found, is_costly};
use super::lock_timeout_missing::waits_without_limit;
use super::weight::{goes_below, held, soften};
use crate::finding::{Finding, Severity};
use crate::history::Step;
use crate::operation::{LockMode, ObjectKind, Operation, TableActionKind};
use crate::schema::{Relation, RelationId};
use crate::server::Effects;

pub fn drop_foreign_key(step: &Step, findings: &mut Findings) {
    let Operation::AlterTable(alter) = step.operation else { return };
    let drops = |kind: &TableActionKind| {
        matches!(kind, TableActionKind::DropConstraint { .. } | TableActionKind::DropColumn { .. })
    };
    if !alter.actions.iter().any(|action| drops(&action.kind)) {
        return;
    }
    let Some(own) = step.before.schema.find_table(&alter.table) else { return };
    beyond(step, &[own.id], "the table that the key refers to", findings);
}

pub fn drop_table(step: &Step, findings: &mut Findings) {
    let Operation::Drop(drop) = step.operation else { return };
    if drop.kind != ObjectKind::Table {
        return;
    }
    let named = drop.targets.iter().filter_map(|target| step.before.schema.find_table(&target.name));
    let named: Vec<RelationId> = named.map(|relation| relation.id).collect();
    beyond(step, &named, "to which it has a foreign key", findings);
}

/// Tables in use that a statement locks against everybody without naming them.
fn beyond(step: &Step, named: &[RelationId], what: &str, findings: &mut Findings) {
    if step.applied.failure().is_some() || !waits_without_limit(step) || !named.iter().any(|one| is_costly(step, *one))
    {
        return;
    }
    let schema = &step.before.schema;
    let roots: Vec<RelationId> = named.iter().map(|one| schema.partition_root(*one)).collect();
    let others = |effects: &Effects| {
        let strong = effects.locks.iter().filter(|(_, mode)| *mode == LockMode::AccessExclusive);
        let mut others: Vec<RelationId> = strong
            .map(|(relation, _)| schema.partition_root(*relation))
            .filter(|one| schema.get_relation(*one).is_some_and(|one| one.as_table().is_some()))
            .filter(|one| !roots.contains(one) && is_costly(step, *one))
            .filter(|one| held(step, *one).is_none_or(|held| held.mode < LockMode::AccessExclusive))
            // What goes as well is out of use.
            .filter(|one| !goes_below(step, *one))
            .collect();
        others.sort_unstable();
        others.dedup();
        (!others.is_empty()).then_some(others)
    };
    let Some((majors, others)) = found(step, others) else { return };
    let names: Vec<String> = others.iter().map(|one| schema.relation(*one).name.short()).collect();
    let names = super::say::list(&names);
    let message = format!(
        "needs ACCESS EXCLUSIVE on {names}, too, {what}: it waits for the longest transaction there, and all reads and \
         writes of {names} behind it"
    );
    let finding = findings.report(step.origin, step.operation.word(), step.certain, message);
    finding.postgres = majors;
    soften(step, finding, others[0]);
    leave_to_the_runner(step, finding);
    // One migration that takes keys away is one fault.
    finding.one_per("keys that go");
    for one in named.iter().chain(&others) {
        finding.object(&schema.relation(*one).name);
    }
    finding.instead("SET lock_timeout = '5s'; -- in a transaction of its own, tried again where it gives up");
}

/// CREATE TRIGGER keeps writers away, DROP and RENAME readers too.
pub fn trigger_change(step: &Step, findings: &mut Findings) {
    let schema = &step.before.schema;
    let table = match step.operation {
        Operation::CreateTrigger(create) => schema.find_table(&create.table),
        Operation::Drop(drop) if drop.kind == ObjectKind::Trigger => {
            drop.targets.first().and_then(|target| schema.find_table(target.on.as_ref()?))
        }
        Operation::Rename(rename) if rename.kind == ObjectKind::Trigger => schema.find_table(&rename.object),
        _ => return,
    };
    let Some(table) = table.filter(|table| is_costly(step, table.id)) else { return };
    if step.applied.failure().is_some() || !waits_without_limit(step) {
        return;
    }
    let strong = |effects: &Effects| effects.lock_on(table.id).filter(|mode| mode.blocks_writes());
    let Some((majors, mode)) = found(step, strong) else { return };
    if held(step, table.id).is_some_and(|held| held.mode >= mode) {
        return;
    }
    report_trigger(step, table, (majors, mode), findings);
}

/// Where no migration of the project limits its waits, a role or the runner may: nothing in the files can tell.
fn leave_to_the_runner(step: &Step, finding: &mut Finding) {
    if !step.context.plan.limits_lock_waits(step.context.at.migration) {
        finding.severity = finding.severity.min(Severity::Note);
    }
}

fn report_trigger(
    step: &Step,
    table: &Relation,
    (majors, mode): (Vec<crate::version::Major>, LockMode),
    findings: &mut Findings,
) {
    let name = table.name.short();
    let (who, whose) = if mode.blocks_reads() { ("reads and writes", "transaction") } else { ("writes", "writer") };
    let message = format!(
        "needs {mode} on `{name}`: it waits for the longest {whose} there, and all {who} of `{name}` behind it"
    );
    let finding = findings.report(step.origin, step.operation.word(), step.certain, message);
    finding.postgres = majors;
    soften(step, finding, table.id);
    leave_to_the_runner(step, finding);
    finding.one_per("triggers that change");
    finding.object(&table.name);
    finding.instead("SET lock_timeout = '5s'; -- tried again where it gives up");
}
