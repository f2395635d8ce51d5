//! CHECK, NOT NULL and EXCLUDE put on a table in use: all rows are read while everybody waits.

use std::collections::BTreeSet;

use super::in_use::Altered;
use super::{Findings, recipe, say};
use crate::history::Step;
use crate::operation::{ConstraintKind, Ident, QualifiedName, TableActionKind};
use crate::schema::definition;
use crate::version::Major;

/// Checks of one statement are tested in one reading: one finding, with one way out for all of them.
pub fn check(step: &Step, findings: &mut Findings) {
    let Some(altered) = Altered::of(step) else { return };
    let mut first: Option<(usize, Vec<Major>)> = None;
    let (mut adds, mut validates, mut wrong, mut names) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut drops: BTreeSet<Ident> = BTreeSet::new();
    let table = altered.full_name();
    for (at, action) in altered.actions() {
        let TableActionKind::AddConstraint(definition) = action else { continue };
        let ConstraintKind::Check(expression) = &definition.kind else { continue };
        let majors = altered.scanning(at);
        if majors.is_empty() {
            continue;
        }
        first.get_or_insert((at, majors));
        let name = recipe::name_of(definition, &step.before.schema, altered.relation.id);
        drops.extend(recipe::replaced_constraints(&altered, definition).into_iter().cloned());
        let inherit = if definition.no_inherit { " NO INHERIT" } else { "" };
        adds.push(format!("ADD CONSTRAINT {name} CHECK ({}){inherit} NOT VALID", expression.text));
        validates.push(format!("\nALTER TABLE {table} VALIDATE CONSTRAINT {name};"));
        names.push(name);
        // A column that this statement or release makes holds nothing yet that could be wrong.
        let holds_rows = |column: &&Ident| {
            let found = altered.relation.as_table().and_then(|table| table.column(column));
            found.is_some_and(|column| !step.context.is_of_this_release(&column.existence))
        };
        if expression.tree.columns().iter().all(holds_rows) {
            wrong.push(format!("NOT ({})", expression.text));
        }
    }
    let Some((at, majors)) = first else { return };
    let what = if names.len() == 1 { "this check".to_owned() } else { format!("these {} checks", names.len()) };
    let message = format!("adding {what} reads all of `{}` while reads and writes wait", altered.name());
    let finding = altered.report(findings, at, &majors, true, message);
    for name in &names {
        finding.object(name);
    }
    // The old check goes in the same statement that brings the new one, which then reads nothing.
    finding.instead(format!(
        "ALTER TABLE {table} {}{};\n{}{}",
        drops.iter().map(|name| format!("DROP CONSTRAINT {name}, ")).collect::<String>(),
        adds.join(", "),
        recipe::meanwhile(step),
        validates.concat()
    ));
    if !wrong.is_empty() {
        finding.verify(format!("SELECT count(*) FROM {table} WHERE {}", wrong.join(" OR ")));
    }
}

/// SET NOT NULL, and NOT NULL as a constraint (18). All columns of one statement are read for at once.
pub fn not_null(step: &Step, findings: &mut Findings) {
    let Some(altered) = Altered::of(step) else { return };
    let mut columns: Vec<&Ident> = Vec::new();
    let mut first: Option<(usize, Vec<Major>)> = None;
    for (at, action) in altered.actions() {
        let column = match action {
            TableActionKind::SetNotNull { column } => column,
            TableActionKind::AddConstraint(definition) => match &definition.kind {
                ConstraintKind::NotNull(column) => column,
                _ => continue,
            },
            _ => continue,
        };
        let majors = altered.scanning(at);
        if !majors.is_empty() {
            columns.push(column);
            first.get_or_insert((at, majors));
        }
    }
    let Some((at, majors)) = first else { return };
    let shown: Vec<String> = columns.iter().map(|column| column.as_str().to_owned()).collect();
    let table = altered.name();
    let message = format!("reads all of `{table}` for NULLs in {} while reads and writes wait", say::list(&shown));
    let finding = altered.report(findings, at, &majors, true, message);
    for column in &columns {
        finding.object(format!("{}.{column}", altered.relation.name));
    }
    finding.instead(recipe::not_null(step, altered.relation.id, &columns));
    let missing: Vec<String> = columns.iter().map(|column| format!("{column} IS NULL")).collect();
    finding.verify(format!("SELECT count(*) FROM {} WHERE {}", altered.full_name(), missing.join(" OR ")));
}

/// The way out: a table beside it that has the constraint from its first row on.
fn beside(altered: &Altered, name: &Ident) -> String {
    let after = &altered.step.after.schema;
    let found = after.find_constraint(altered.relation.id, name);
    let words = found.map(|found| definition::constraint(after, found)).unwrap_or_default();
    let table = &altered.relation.name;
    let sibling = |ending: &str| Ident::new(format!("{}_{ending}", table.name.as_str()));
    let (new, old) = (QualifiedName::new(table.schema.clone(), sibling("new")), sibling("old"));
    format!(
        "-- PostgreSQL has no way to build it concurrently, nor NOT VALID. Where `{}` is large:\n\
         CREATE TABLE {new} (LIKE {table} INCLUDING ALL);\n\
         ALTER TABLE {new} ADD CONSTRAINT {name} {words};\n\
         -- a trigger keeps it up, batches fill it; then, in one transaction:\n\
         LOCK TABLE {table};\n\
         ALTER TABLE {table} RENAME TO {old};\n\
         ALTER TABLE {new} RENAME TO {};",
        altered.name(),
        table.name
    )
}

pub fn exclusion(step: &Step, findings: &mut Findings) {
    let Some(altered) = Altered::of(step) else { return };
    for (at, action) in altered.actions() {
        let TableActionKind::AddConstraint(definition) = action else { continue };
        let over_time = match &definition.kind {
            ConstraintKind::Exclude { .. } => false,
            ConstraintKind::Unique(key) | ConstraintKind::Primary(key) => key.without_overlaps,
            _ => continue,
        };
        let majors = altered.building(at);
        if majors.is_empty() || !(over_time || matches!(definition.kind, ConstraintKind::Exclude { .. })) {
            continue;
        }
        let table = altered.name();
        let message = format!("builds the index of this constraint while reads and writes of `{table}` wait");
        let finding = altered.report(findings, at, &majors, true, message);
        finding.object(recipe::name_of(definition, &step.before.schema, altered.relation.id));
        finding.instead(beside(&altered, &recipe::name_of(definition, &step.before.schema, altered.relation.id)));
    }
}
