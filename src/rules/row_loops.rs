//! Loops that change rows round by round and never commit.

use super::row_changes::{Reach, is_round, runs, tell, whole_table};
use super::weight::{held, size};
use super::{Findings, in_use::is_costly};
use crate::history::Step;
use crate::operation::{Constant, Expr, LoopOver, Node, Operation, Origin, Query, Transaction, WriteKind};

/// A loop that changes rows batch by batch and never commits.
pub fn loop_without_batching(step: &Step, findings: &mut Findings) {
    in_ruby(step, findings);
    let Operation::Do(block) = step.operation else { return };
    for node in block.body.nodes.iter() {
        visit(node, &mut |node| {
            let Node::Loop(repeat) = node else { return };
            // A loop over a handful of names is no loop over rows, and chosen rows may be few.
            match &repeat.over {
                LoopOver::Array(_) => return,
                LoopOver::Query(query) if chooses(query) => return,
                _ => {}
            }
            let (mut target, mut commits) = (None, false);
            for inner in &repeat.body {
                inner.statements(&mut |statement| match &statement.operation {
                    Operation::Write(write) if matches!(write.kind, WriteKind::Update | WriteKind::Delete) => {
                        target = target.or(step.before.schema.find_table(&write.target));
                    }
                    Operation::Transaction(Transaction::Commit) => commits = true,
                    _ => {}
                });
            }
            let Some(relation) = target.filter(|relation| is_costly(step, relation.id) && !commits) else { return };
            let table = relation.name.short();
            let at = Origin { span: repeat.span, frames: step.origin.frames.clone() };
            let finding = findings.report(&at, "do", step.certain, message(&table));
            finding.object(&relation.name);
            finding.instead(
                "-- COMMIT at the end of each round, with the DO block outside of any transaction;\n\
                 -- or let a job outside of the migration do the rounds",
            );
        });
    }
}

fn message(table: &str) -> String {
    format!("the loop changes `{table}` round by round in one transaction: every row stays locked until the last round")
}

/// A loop of the migration over a whole table. Under a lock of its transaction it is worse: backfill-in-schema-transaction.
fn in_ruby(step: &Step, findings: &mut Findings) {
    if !is_round(step) {
        return;
    }
    let Some((_, relation, reach)) = whole_table(step) else { return };
    if step.context.is_small(&step.before.schema, relation.id) || held(step, relation.id).is_some() {
        return;
    }
    let table = relation.name.short();
    let finding = findings.report(step.origin, "write", runs(step) && reach == Reach::All, message(&table));
    finding.one_per(&table);
    tell(finding, relation);
    size(step, finding, relation.id);
    finding.instead(
        "# in a migration of its own, each round in a transaction of its own\n\
         disable_ddl_transaction!",
    );
}

/// A query that compares columns with constants, rather than asking for what is still to do.
fn chooses(query: &Query) -> bool {
    let mut chosen = false;
    if let Some(filter) = &query.filter {
        filter.walk(&mut |expr| {
            let is_compared = |one: &Expr| matches!(one, Expr::Constant(constant) if *constant != Constant::Null);
            chosen |= matches!(expr, Expr::Binary { left, right, .. } if is_compared(left) || is_compared(right));
        });
    }
    chosen && !query.limited
}

fn visit<'a>(node: &'a Node, tell: &mut dyn FnMut(&'a Node)) {
    tell(node);
    match node {
        Node::Guard { branches, otherwise } => {
            let bodies = branches.iter().flat_map(|branch| &branch.body);
            bodies.chain(otherwise).for_each(|node| visit(node, tell));
        }
        Node::Block { body, .. } => body.iter().for_each(|node| visit(node, tell)),
        _ => {}
    }
}
