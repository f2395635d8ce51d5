//! A DO block that tries again where it does not get its lock: as it stands, the tries help nobody.

use super::in_use::{found, is_in_use};
use super::{Findings, say};
use crate::history::{HeldLock, Step};
use crate::operation::{FrameKind, Handler, Node, Operation};
use crate::schema::RelationId;
use crate::server::Effects;
use crate::source::Span;

/// Without a lock_timeout no try ever ends; under a lock of an earlier statement each try holds that one on.
pub fn misused(step: &Step, findings: &mut Findings) {
    let Some(block) = step.origin.frames.iter().find(|frame| frame.kind == FrameKind::DoBlock) else { return };
    if step.applied.failure().is_some() || !is_tried_again(step, block.span) {
        return;
    }
    let Some((majors, table)) = found(step, |effects| strongly_locked(step, effects)) else { return };
    let name = say::name(&step.before.schema, table);
    let limited = step.session.has_lock_timeout();
    let held = held_before(step, table, block.span);
    if limited && held.is_none() {
        return;
    }
    let message = match held {
        _ if !limited => format!(
            "waits for `{name}` as long as it takes, and everybody behind it: no lock_timeout is set, so that no try ends \
             and none comes after"
        ),
        Some(held) => {
            let other = say::name(&step.before.schema, held.relation);
            let waits = if held.mode.blocks_reads() { "reads and writes of" } else { "writes to" };
            format!(
                "{waits} `{other}` wait through all tries for `{name}`: only what a try itself has locked is given back"
            )
        }
        None => return,
    };
    let finding = findings.report(step.origin, step.operation.word(), step.certain, message);
    finding.postgres = majors;
    finding.one_per(format!("block at {}", block.span.start));
    finding.object(&step.before.schema.relation(table).name);
    if !limited {
        finding.instead("SET LOCAL lock_timeout = '3s'; -- in the block, before the loop");
        return;
    }
    if let Some(held) = held {
        finding.object(&step.before.schema.relation(held.relation).name);
        finding.because(held.by.span, format!("takes {}, held until the transaction ends", held.mode));
        finding.instead("-- the tries in a transaction of their own, before what locks anything else");
    }
}

/// The statement stands in a loop of a DO block that goes on where a lock was not to be had.
fn is_tried_again(step: &Step, block: Span) -> bool {
    let frames = &step.origin.frames;
    let loops: Vec<_> =
        frames.iter().filter(|frame| matches!(frame.kind, FrameKind::Loop(_))).map(|frame| frame.span).collect();
    let mut found = false;
    for node in &step.context.migration.up.nodes {
        if let Node::Statement(statement) = node
            && statement.span == block
            && let Operation::Do(block) = &statement.operation
        {
            block
                .body
                .nodes
                .iter()
                .for_each(|node| looks_for(node, &mut |repeat| found |= loops.contains(&repeat.span)));
        }
    }
    found
}

/// The loops with a handler for a lock that was not to be had.
fn looks_for(node: &Node, visit: &mut dyn FnMut(&crate::operation::Loop)) {
    match node {
        Node::Loop(repeat) => {
            let catches =
                |node: &Node| matches!(node, Node::Block { handlers, .. } if handlers.iter().any(is_for_locks));
            if repeat.body.iter().any(catches) {
                visit(repeat);
            }
            repeat.body.iter().for_each(|node| looks_for(node, visit));
        }
        Node::Block { body, .. } => body.iter().for_each(|node| looks_for(node, visit)),
        Node::Guard { branches, otherwise } => {
            let bodies = branches.iter().flat_map(|branch| &branch.body);
            bodies.chain(otherwise).for_each(|node| looks_for(node, visit));
        }
        _ => {}
    }
}

fn is_for_locks(handler: &Handler) -> bool {
    handler.conditions.iter().any(|condition| matches!(&**condition, "lock_not_available" | "55p03" | "55P03"))
}

/// A table in use that the statement keeps from its writers; NOWAIT does not wait.
fn strongly_locked(step: &Step, effects: &Effects) -> Option<RelationId> {
    if matches!(step.operation, Operation::Lock(lock) if lock.nowait) {
        return None;
    }
    let strong = effects.locks.iter().filter(|(_, mode)| mode.blocks_writes()).map(|(relation, _)| *relation);
    strong.into_iter().find(|relation| is_in_use(step, *relation))
}

/// What an earlier statement of the transaction locked, on another table in use.
fn held_before<'a>(step: &'a Step, table: RelationId, block: Span) -> Option<&'a HeldLock> {
    let locks = step.session.transaction.iter().flat_map(|open| &open.locks);
    let felt = locks.filter(|held| !block.contains(held.by.span) && held.mode.blocks_writes());
    felt.into_iter()
        .filter(|held| held.relation != table && is_in_use(step, held.relation))
        .max_by_key(|held| held.mode)
}
