//! BEGIN, COMMIT and settings of the session where they do not do what they say.

use super::in_use::is_in_use;
use super::{Findings, say};
use crate::finding::Severity;
use crate::history::{Migration, Step, TransactionUnit, Whole};
use crate::operation::{Node, Operation, Origin, TableActionKind, Transaction, TriggerChoice, TriggerState};
use crate::server::Effects;
use crate::source::Span;

/// The BEGINs and ends of a script's own level, with their places.
fn controls<'a>(whole: &'a Whole) -> impl Iterator<Item = (Span, &'a Transaction)> {
    let nodes = whole.context.migration.up.nodes.iter();
    nodes.filter_map(|node| match node {
        Node::Statement(statement) => match &statement.operation {
            Operation::Transaction(control) => Some((statement.span, control)),
            _ => None,
        },
        _ => None,
    })
}

pub fn unclosed(whole: &Whole, findings: &mut Findings) {
    // A runner that begins a transaction ends it, too.
    if matches!(whole.context.migration.transaction, TransactionUnit::File | TransactionUnit::AllPending) {
        return;
    }
    let mut open = None;
    for (span, control) in controls(whole) {
        match control {
            Transaction::Begin => open = open.or(Some(span)),
            Transaction::Commit | Transaction::Rollback => open = None,
            Transaction::Other if open.is_some() => return,
            _ => {}
        }
    }
    let Some(span) = open else { return };
    let message = "the transaction that begins here is never committed: all after it is undone when the session ends";
    let finding = findings.report(&Origin::at(span), "transaction", true, message);
    finding.instead("COMMIT; -- at the end of the file");
}

pub fn nested(whole: &Whole, findings: &mut Findings) {
    let context = &whole.context;
    let runner = context.plan.history.framework.name();
    let wrapped = matches!(context.migration.transaction, TransactionUnit::File | TransactionUnit::AllPending);
    let mut open = wrapped;
    for (span, control) in controls(whole) {
        match control {
            Transaction::Begin if open => {
                // After the COMMIT nothing is left that could fail.
                let is_all = wrapped && ends_with_commit(context.migration);
                let message = if is_all {
                    format!("{runner} has begun a transaction already: this BEGIN and the COMMIT of {runner} only warn")
                } else if wrapped {
                    format!(
                        "{runner} has begun a transaction already: this BEGIN only warns, and the COMMIT that belongs to it \
                         ends the transaction of {runner}, so that what follows is not undone when it fails"
                    )
                } else {
                    "a transaction is open already: this BEGIN only warns, and the next COMMIT ends both".to_owned()
                };
                let finding = findings.report(&Origin::at(span), "transaction", true, message);
                if is_all {
                    finding.severity = finding.severity.min(Severity::Note);
                }
                let without = say::outside_transaction(context).replacen("each statement ", "", 1);
                finding.instead(if wrapped {
                    format!("-- without BEGIN and COMMIT; or with them, {}", without.trim_start_matches("-- "))
                } else {
                    "SAVEPOINT inner; -- and RELEASE or ROLLBACK TO it".to_owned()
                });
                return;
            }
            Transaction::Begin => open = true,
            Transaction::Commit | Transaction::Rollback => open = false,
            _ => {}
        }
    }
}

/// Its one COMMIT is its last statement.
fn ends_with_commit(migration: &Migration) -> bool {
    let is_commit = |node: &Node| matches!(node, Node::Statement(one) if one.operation == Operation::Transaction(Transaction::Commit));
    let nodes = &migration.up.nodes;
    nodes.last().is_some_and(is_commit) && nodes.iter().filter(|node| is_commit(node)).count() == 1
}

/// Longer than any lock is worth waiting for, in milliseconds: everything behind it waits as long.
const TOO_LONG: u64 = 60_000;

pub fn lock_timeout_disabled(step: &Step, findings: &mut Findings) {
    let Some((values, by)) = step.session.setting("lock_timeout") else { return };
    let Some(value) = values.first() else { return };
    let endless = match milliseconds(value) {
        Some(0) => true,
        Some(time) if time > TOO_LONG => false,
        _ => return,
    };
    let strong = |effects: &Effects| super::lock_timeout_missing::strongest(step, effects);
    let Some((majors, (table, mode))) = super::in_use::found(step, strong) else { return };
    if step.applied.failure().is_some() {
        return;
    }
    let name = say::name(&step.before.schema, table);
    let stops = if mode.blocks_reads() { "reads and writes" } else { "writes" };
    let limit = if endless { "without limit".to_owned() } else { format!("up to {value}") };
    let message = format!(
        "with this setting a later statement waits {limit} for its lock on `{name}`, and all {stops} of `{name}` behind it"
    );
    let finding = findings.report(by, "set", step.certain, message);
    finding.postgres = majors;
    finding.one_per(format!("{}", by.span.start));
    finding.object(&step.before.schema.relation(table).name);
    finding.because(step.origin.span, format!("takes {mode} on `{name}`"));
    finding.instead("SET lock_timeout = '5s'; -- and run the migration again where it gives up");
}

/// A setting of time: `5s`, `2min`, `0`; without a unit milliseconds.
fn milliseconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|one: char| !one.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim() {
        "" | "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(unit)
}

pub fn replication_role(step: &Step, findings: &mut Findings) {
    let Operation::Set(set) = step.operation else { return };
    let replica = set.values.iter().flatten().any(|value| value.eq_ignore_ascii_case("replica"));
    if &*set.name != "session_replication_role" || !replica {
        return;
    }
    let message = "from here on writes of this session fire no trigger and check no foreign key: copies that triggers feed \
                   miss them, and rows that refer to nothing are taken";
    let finding = findings.report(step.origin, "set", step.certain, message);
    finding.object("session_replication_role");
    finding.instead(
        "-- let triggers and keys see the writes; where one trigger is in the way, let its function pass over \
                     rows that carry a mark",
    );
}

pub fn triggers_disabled(whole: &Whole, findings: &mut Findings) {
    for (place, step) in whole.steps.iter().enumerate() {
        let Operation::AlterTable(alter) = &step.operation else { continue };
        let Some((before, _)) = step.change() else { continue };
        let Some(relation) = before.schema.find_table(&alter.table) else { continue };
        if whole.context.is_new(before, relation.id) {
            continue;
        }
        for action in &alter.actions {
            let TableActionKind::SetTrigger { which, enabled: TriggerState::Disabled } = &action.kind else { continue };
            // In one transaction nobody else writes meanwhile: the lock stays until its end.
            let again = whole.steps[place + 1..].iter().any(|later| enables(later, &alter.table));
            if again && whole.context.migration.transaction != TransactionUnit::Statement {
                continue;
            }
            let table = relation.name.short();
            let what = match which {
                TriggerChoice::Named(name) => format!("trigger `{name}`"),
                TriggerChoice::All => "no trigger, foreign keys included,".to_owned(),
                TriggerChoice::User => "no trigger".to_owned(),
            };
            let until = if again { "until it is enabled again" } else { "from here on" };
            let message = match which {
                TriggerChoice::Named(_) => format!("writes of every session to `{table}` pass {what} by {until}"),
                TriggerChoice::All | TriggerChoice::User => {
                    format!("writes of every session to `{table}` meet {what} {until}")
                }
            };
            let finding = findings.report(&step.origin, "alter-table set-trigger", step.certain, message);
            finding.object(&relation.name);
            finding.instead(
                "-- drop what is no longer wanted; what only one job must pass by asks for a mark in its function",
            );
        }
    }
}

fn enables(step: &crate::history::Passed, table: &crate::operation::Name) -> bool {
    let Operation::AlterTable(alter) = &step.operation else { return false };
    alter.table == *table
        && alter.actions.iter().any(|action| {
            matches!(&action.kind, TableActionKind::SetTrigger { enabled, .. } if *enabled != TriggerState::Disabled)
        })
}

pub fn explicit_lock(step: &Step, findings: &mut Findings) {
    let Operation::Lock(lock) = step.operation else { return };
    if step.applied.failure().is_some() || !lock.mode.blocks_writes() {
        return;
    }
    let schema = &step.before.schema;
    let used: Vec<_> =
        lock.tables.iter().filter_map(|table| schema.find(&table.name)).filter(|one| is_in_use(step, one.id)).collect();
    if used.is_empty() {
        return;
    }
    let names: Vec<String> = used.iter().map(|one| one.name.short()).collect();
    let waits = if lock.mode.blocks_reads() { "reads and writes" } else { "writes" };
    let message = format!("{waits} of {} wait from here until the transaction ends", say::list(&names));
    let finding = findings.report(step.origin, "lock-table", step.certain, message);
    used.iter().for_each(|one| {
        finding.object(&one.name);
    });
}
