//! Migrations taken out of their runner's transaction that nothing needs outside of it.

use super::Findings;
use super::stopped::doing;
use crate::history::{TransactionUnit, Whole};
use crate::operation::{FrameKind, Node, Operation, TableActionKind};
use crate::server::refused_in_transaction;

/// Several statements that shape the schema, each on its own, though the project's others share a transaction.
pub fn non_transactional(whole: &Whole, findings: &mut Findings) {
    let context = &whole.context;
    let migration = context.migration;
    if migration.transaction != TransactionUnit::Statement || migration.unit_is_guess {
        return;
    }
    let wraps = |unit| matches!(unit, TransactionUnit::File | TransactionUnit::AllPending);
    if !context.plan.history.migrations.iter().any(|other| wraps(other.transaction)) {
        return;
    }
    // What is written step by step, row by row or with tries is meant to be in parts.
    let in_parts = whole.steps.iter().any(|step| {
        let in_loop = step.origin.frames.iter().any(|frame| matches!(frame.kind, FrameKind::Loop(_)));
        in_loop || step.applied.failure().is_some() || needs_parts(whole, &step.operation)
    });
    let is_read =
        migration.up.nodes.iter().all(
            |node| !matches!(node, Node::Statement(statement) if matches!(statement.operation, Operation::Unread(_))),
        );
    let shaping: Vec<_> = whole.steps.iter().filter(|step| shapes(&step.operation)).collect();
    let ([first, .., last], false, true) = (shaping.as_slice(), in_parts, is_read) else { return };
    let (done, undone) = (doing(first), doing(last));
    let message = format!("{done} stays done where {undone} fails, though one transaction may hold both");
    let finding = findings.report(&first.origin, first.operation.word(), true, message);
    finding.because(last.origin.span, "the last statement: its failure undoes none before it");
    finding.instead("-- without what takes it out of the transaction: then all of it happens, or nothing");
}

fn shapes(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::CreateTable(_) | Operation::AlterTable(_) | Operation::CreateIndex(_) | Operation::Drop(_)
    )
}

/// Refused in a transaction, or better off alone: locks and rows that others wait for, labels that must be committed.
fn needs_parts(whole: &Whole, operation: &Operation) -> bool {
    let refused = || {
        let mut majors = whole.context.majors.iter();
        majors.any(|major| refused_in_transaction(operation, &whole.before.schema, *major))
    };
    match operation {
        Operation::AlterTable(alter) => {
            let validates = |kind: &TableActionKind| matches!(kind, TableActionKind::ValidateConstraint { .. });
            alter.actions.iter().any(|action| validates(&action.kind)) || refused()
        }
        Operation::CreateTable(_) | Operation::Set(_) | Operation::Comment(_) => false,
        Operation::CreateIndex(create) => create.concurrently || refused(),
        Operation::Drop(drop) => drop.concurrently || refused(),
        _ => true,
    }
}
