//! Names that PostgreSQL cuts.

use super::Findings;
use crate::finding::Severity;
use crate::history::Step;
use crate::operation::{Ident, ObjectKind, Operation, TableActionKind};

pub fn check(step: &Step, findings: &mut Findings) {
    if step.applied.failure().is_some() {
        return;
    }
    let of_data = of_data(step.operation);
    for name in made(step.operation) {
        let Some(written) = name.written() else { continue };
        let message = format!(
            "the name `{written}` is cut to `{name}`: code that compares the long one, as text, with an error or a result \
             never meets it"
        );
        let finding = findings.report(step.origin, step.operation.word(), step.certain, message);
        finding.object(name);
        // SQL cuts the long name too, `conname = '…'` included: few programs name a constraint or index elsewhere.
        if !of_data.contains(&name) {
            finding.severity = finding.severity.min(Severity::Note);
        }
        finding.instead(
            "-- a name of 63 bytes at most; where others know this one already, write it as PostgreSQL cut it",
        );
    }
}

/// The names of tables and columns among them: what programs read results by.
fn of_data(operation: &Operation) -> Vec<&Ident> {
    match operation {
        Operation::CreateTable(create) => {
            std::iter::once(&create.name.name).chain(create.columns.iter().map(|column| &column.name)).collect()
        }
        Operation::AlterTable(alter) => {
            let added = alter.actions.iter().filter_map(|action| match &action.kind {
                TableActionKind::AddColumn { column, .. } => Some(&column.name),
                _ => None,
            });
            added.collect()
        }
        Operation::Rename(rename) if matches!(rename.kind, ObjectKind::Table | ObjectKind::View) => vec![&rename.to],
        _ => Vec::new(),
    }
}

/// The names that a statement gives.
fn made(operation: &Operation) -> Vec<&Ident> {
    match operation {
        Operation::CreateTable(create) => {
            let columns = create.columns.iter();
            let own = columns.clone().flat_map(|column| &column.constraints).chain(&create.constraints);
            let own = own.filter_map(|constraint| constraint.name.as_ref());
            std::iter::once(&create.name.name).chain(columns.map(|column| &column.name)).chain(own).collect()
        }
        Operation::AlterTable(alter) => {
            let mut names = Vec::new();
            for action in &alter.actions {
                match &action.kind {
                    TableActionKind::AddConstraint(constraint) => names.extend(&constraint.name),
                    TableActionKind::AddColumn { column, .. } => {
                        names.push(&column.name);
                        names.extend(column.constraints.iter().filter_map(|constraint| constraint.name.as_ref()));
                    }
                    _ => {}
                }
            }
            names
        }
        Operation::CreateIndex(create) => create.name.iter().collect(),
        Operation::CreateTrigger(create) => vec![&create.name],
        // A label of an enum is refused, not cut.
        Operation::Rename(rename) if rename.kind != ObjectKind::Type || rename.part.is_none() => vec![&rename.to],
        _ => Vec::new(),
    }
}
