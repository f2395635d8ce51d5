//! A constraint that comes back after a time without it: rows of that time may break it, and nothing has looked.

use super::{Findings, stopped};
use crate::history::{Passed, Whole};
use crate::operation::{Ident, Operation, TableActionKind, WriteKind};
use crate::schema::{Constraint, ConstraintRow, Gone, Part, Relation};

pub fn check(whole: &Whole, findings: &mut Findings) {
    for step in whole.steps.iter().filter(|step| step.applied.failure().is_none()) {
        let Operation::AlterTable(alter) = &step.operation else { continue };
        let Some(relation) = whole.after.schema.find_table(&alter.table) else { continue };
        for action in &alter.actions {
            let name = match &action.kind {
                TableActionKind::AddConstraint(definition) if !definition.not_enforced => definition.name.as_ref(),
                TableActionKind::ValidateConstraint { name } => Some(name),
                _ => None,
            };
            if let Some(name) = name {
                restored(whole, step, relation, name, findings);
            }
        }
    }
}

fn restored(whole: &Whole, step: &Passed, relation: &Relation, name: &Ident, findings: &mut Findings) {
    let end = &whole.after.schema;
    let Some(row) = end.find_constraint(relation.id, name).filter(|row| row.validated && row.is_standalone()) else {
        return;
    };
    if !matches!(row.kind, ConstraintRow::Check { .. } | ConstraintRow::Foreign(_)) {
        return;
    }
    let Some((maker, gone)) = gap(whole, relation, row) else { return };
    let Some(dropper) = whole.context.plan.migration_of(gone.by.span) else { return };
    if whole.context.plan.same_release(dropper, maker) || is_cleaned(whole, relation, dropper) {
        return;
    }
    let table = relation.name.short();
    let message = format!(
        "fails where `{table}` holds rows from the time without `{name}`: it was dropped, comes back, and nothing has \
         mended them"
    );
    let finding = findings.report(&step.origin, step.operation.word(), step.certain, message);
    finding.one_per(format!("{table} {name}"));
    finding.object(&relation.name).object(format!("{}.{name}", relation.name));
    finding.because(gone.by.span, format!("`{name}` is dropped here"));
    if let Some(query) = stopped::violations(end, row) {
        finding.verify(query);
    }
    finding.instead("-- before it, in batches: UPDATE or DELETE of the rows that the query finds");
}

/// Who made the constraint anew, and who had dropped it before.
fn gap(whole: &Whole, relation: &Relation, row: &Constraint) -> Option<(usize, Gone)> {
    let maker = whole.context.plan.migration_of(row.existence.origin().span)?;
    // One may have added it NOT VALID that is validated here.
    let earlier = (maker != whole.context.at.migration).then(|| whole.past.before(maker));
    let before = match &earlier {
        Some(before) => before.as_ref()?,
        None => whole.before,
    };
    let gone = before.schema.gone_part(relation.id, Part::Constraint, &row.name)?;
    // Under another name it held on.
    gone.now.is_none().then(|| (maker, gone.clone()))
}

/// A statement since then changes or deletes rows of the table.
fn is_cleaned(whole: &Whole, relation: &Relation, dropper: usize) -> bool {
    let migrations = &whole.context.plan.history.migrations;
    let schema = &whole.after.schema;
    let mut cleans = false;
    for migration in &migrations[dropper..=whole.context.at.migration] {
        for node in &migration.up.nodes {
            node.statements(&mut |statement| {
                cleans |= match &statement.operation {
                    Operation::Write(write) => {
                        matches!(write.kind, WriteKind::Update | WriteKind::Delete)
                            && schema.find_table(&write.target).is_some_and(|one| one.id == relation.id)
                    }
                    // What cannot be followed may do it.
                    Operation::Do(_) | Operation::Call { .. } | Operation::Unread(_) | Operation::Background(_) => true,
                    _ => false,
                };
            });
        }
    }
    cleans || schema.has_unread()
}
