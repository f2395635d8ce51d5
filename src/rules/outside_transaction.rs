//! Statements that must stand alone, inside a transaction all the same: SQLSTATE 25001, the migration fails.

use super::{Findings, index_not_concurrent, say};
use crate::finding::{Finding, Severity};
use crate::history::{Step, TransactionUnit};
use crate::operation::{FrameKind, ObjectKind, Operation, Reindex, ReindexTarget, TableActionKind};

pub fn concurrently(step: &Step, findings: &mut Findings) {
    let what = match step.operation {
        Operation::CreateIndex(create) if create.concurrently => "CREATE INDEX CONCURRENTLY",
        Operation::Drop(drop) if drop.concurrently => "DROP INDEX CONCURRENTLY",
        _ => return,
    };
    report(step, what, findings);
}

pub fn other(step: &Step, findings: &mut Findings) {
    let what = match step.operation {
        Operation::CreateIndex(_) | Operation::Drop(_) => return,
        Operation::Reindex(reindex) => words(reindex),
        Operation::Vacuum(_) => "VACUUM".to_owned(),
        Operation::Cluster(_) => "CLUSTER".to_owned(),
        Operation::AlterTable(_) => "DETACH PARTITION … CONCURRENTLY".to_owned(),
        Operation::Opaque(opaque) => opaque.what.to_string(),
        _ => return,
    };
    report(step, &what, findings);
}

fn words(reindex: &Reindex) -> String {
    let what = match &reindex.target {
        ReindexTarget::Index(_) => "INDEX",
        ReindexTarget::Table(_) => "TABLE",
        ReindexTarget::Schema(_) => "SCHEMA",
        ReindexTarget::Database => "DATABASE",
        ReindexTarget::System => "SYSTEM",
    };
    format!("REINDEX {what}{}", if reindex.concurrently { " CONCURRENTLY" } else { "" })
}

fn report(step: &Step, what: &str, findings: &mut Findings) {
    if step.applied.failure().is_some() {
        return;
    }
    let Some(place) = Place::of(step) else { return };
    let refuses = |major: &&crate::version::Major| step.effects(**major).outside_transaction;
    if !step.context.majors.iter().any(|major| refuses(&major)) {
        return;
    }
    let is_marked = place == Place::Implied && says_autocommit(&step.context.migration.name);
    let unless = if is_marked { ", unless the project runs files of such a name outside of one" } else { "" };
    let message = format!("PostgreSQL refuses {what} {}: the migration fails{unless}", place.words(step));
    let finding = findings.report(step.origin, step.operation.word(), step.certain, message);
    if is_marked {
        finding.severity = finding.severity.min(Severity::Note);
    }
    if place == Place::Written
        && let Some(open) = &step.session.transaction
    {
        finding.because(open.since.span, "the transaction begins here");
    }
    objects(step, finding);
    let outside = match place {
        Place::Block => "-- as a statement of its own, outside of DO blocks and functions",
        Place::Implied | Place::Written => say::outside_transaction(&step.context),
    };
    let statement = alone(step).map(|statement| format!("\n{statement};")).unwrap_or_default();
    finding.instead(format!("{outside}{statement}"));
}

/// A project with a runner of its own marks its files by their names: `…_autocommit`, `…-no-transaction`.
fn says_autocommit(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['-', ' ', '.'], "_");
    ["autocommit", "no_transaction", "notransaction", "non_transactional", "nontransactional", "no_tx"]
        .iter()
        .any(|word| name.contains(word))
}

/// What makes the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The runner.
    Implied,
    /// BEGIN in the script.
    Written,
    /// A DO block or a function: refused there, whatever is around it.
    Block,
}

impl Place {
    fn of(step: &Step) -> Option<Place> {
        let in_block = |kind: &FrameKind| matches!(kind, FrameKind::DoBlock | FrameKind::Function(_));
        if step.origin.frames.iter().any(|frame| in_block(&frame.kind)) {
            return Some(Place::Block);
        }
        let open = step.session.transaction.as_ref()?;
        Some(if open.implied { Place::Implied } else { Place::Written })
    }

    fn words(self, step: &Step) -> String {
        let context = &step.context;
        let runner = context.plan.history.framework.name();
        match (self, context.migration.transaction) {
            (Place::Block, _) => "in a DO block or function".to_owned(),
            (Place::Written, _) => "inside of BEGIN … COMMIT".to_owned(),
            (Place::Implied, TransactionUnit::AllPending) => {
                format!("in a transaction, and {runner} runs all pending migrations in one")
            }
            (Place::Implied, TransactionUnit::SimpleQuery) => {
                format!("beside other statements of one query, and {runner} sends the file as one")
            }
            (Place::Implied, TransactionUnit::File | TransactionUnit::Statement) => {
                format!("in a transaction, and {runner} runs this file in one")
            }
        }
    }
}

fn objects(step: &Step, finding: &mut Finding) {
    match step.operation {
        Operation::CreateIndex(create) => {
            finding.object(&create.table);
            create.name.iter().for_each(|name| {
                finding.object(name);
            });
        }
        Operation::Drop(drop) => drop.targets.iter().for_each(|target| {
            finding.object(&target.name);
        }),
        Operation::AlterTable(alter) => {
            finding.object(&alter.table);
        }
        Operation::Vacuum(vacuum) => vacuum.tables.iter().for_each(|table| {
            finding.object(table);
        }),
        _ => {}
    }
}

/// The statement again, where it can be told.
fn alone(step: &Step) -> Option<String> {
    match step.operation {
        Operation::CreateIndex(create) => {
            Some(index_not_concurrent::definition(create, create.name.clone(), &create.table, "CONCURRENTLY "))
        }
        Operation::Drop(drop) if drop.kind == ObjectKind::Index => {
            let names: Vec<String> = drop.targets.iter().map(|target| target.name.to_string()).collect();
            let guard = if drop.if_exists { "IF EXISTS " } else { "" };
            Some(format!("DROP INDEX CONCURRENTLY {guard}{}", names.join(", ")))
        }
        Operation::Reindex(reindex) => {
            let name = match &reindex.target {
                ReindexTarget::Index(name) | ReindexTarget::Table(name) => format!(" {name}"),
                ReindexTarget::Schema(name) => format!(" {name}"),
                ReindexTarget::Database | ReindexTarget::System => String::new(),
            };
            Some(format!("{}{name}", words(reindex)))
        }
        Operation::Vacuum(vacuum) => {
            let tables: Vec<String> = vacuum.tables.iter().map(ToString::to_string).collect();
            let full = if vacuum.full { " FULL" } else { "" };
            Some(format!("VACUUM{full} {}", tables.join(", ")).trim_end().to_owned())
        }
        Operation::AlterTable(alter) => alter.actions.iter().find_map(|action| match &action.kind {
            TableActionKind::DetachPartition { partition, concurrently: true, .. } => {
                Some(format!("ALTER TABLE {} DETACH PARTITION {partition} CONCURRENTLY", alter.table))
            }
            _ => None,
        }),
        _ => None,
    }
}
