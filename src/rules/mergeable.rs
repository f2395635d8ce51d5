//! Statements on one table that could be one: each waits for the lock anew, or writes the rows anew.

use super::{Findings, say};
use crate::history::Whole;
use crate::operation::{AlterTable, Operation, TableActionKind};

pub fn alters(whole: &Whole, findings: &mut Findings) {
    let mut run: Vec<usize> = Vec::new();
    for place in 0..=whole.steps.len() {
        let mergeable = whole.steps.get(place).and_then(|step| alter(&step.operation)).filter(|alter| {
            let step = &whole.steps[place];
            let known = whole.before.schema.find_table(&alter.table);
            // A new table keeps nobody waiting.
            step.applied.failure().is_none() && known.is_some() && step.origin.frames.is_empty()
        });
        let same = mergeable.is_some_and(|alter| {
            let last = run.last().and_then(|last| self::alter(&whole.steps[*last].operation));
            last.is_none_or(|last| last.table == alter.table && last.only == alter.only)
        });
        if !same {
            report(whole, &std::mem::take(&mut run), findings);
        }
        if mergeable.is_some() {
            run.push(place);
        }
    }
}

/// An ALTER TABLE of which every action can stand beside others.
fn alter(operation: &Operation) -> Option<&AlterTable> {
    let Operation::AlterTable(alter) = operation else { return None };
    let alone = |kind: &TableActionKind| {
        matches!(
            kind,
            // VALIDATE takes a weaker lock by itself; the others are refused beside anything.
            TableActionKind::ValidateConstraint { .. }
                | TableActionKind::AttachPartition { .. }
                | TableActionKind::DetachPartition { .. }
                | TableActionKind::Unread { .. }
        )
    };
    (!alter.actions.iter().any(|action| alone(&action.kind))).then_some(alter)
}

fn report(whole: &Whole, run: &[usize], findings: &mut Findings) {
    let [_, second, ..] = run else { return };
    let step = &whole.steps[*second];
    let Some(alter) = alter(&step.operation) else { return };
    let schema = &whole.before.schema;
    let Some(relation) = schema.find_table(&alter.table) else { return };
    let message = format!(
        "{} statements in a row alter `{}`: one with all their actions waits for its lock once, and reads or writes the \
         rows once",
        run.len(),
        say::name(schema, relation.id)
    );
    let finding = findings.report(&step.origin, "alter-table", step.certain, message);
    finding.object(&relation.name);
    finding.because(whole.steps[run[0]].origin.span, "the first of them");
    finding.instead(format!("ALTER TABLE {} …, …;", relation.name));
}
