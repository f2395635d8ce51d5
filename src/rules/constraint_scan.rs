//! CHECK, NOT NULL and EXCLUDE put on a table in use: all rows are read while everybody waits.

use super::in_use::Altered;
use super::{Findings, recipe, say};
use crate::history::Step;
use crate::operation::{ConstraintKind, Ident, TableActionKind};
use crate::version::Major;

pub fn check(step: &Step, findings: &mut Findings) {
    let Some(altered) = Altered::of(step) else { return };
    for (at, action) in altered.actions() {
        let TableActionKind::AddConstraint(definition) = action else { continue };
        let ConstraintKind::Check(expression) = &definition.kind else { continue };
        let majors = altered.scanning(at);
        if majors.is_empty() {
            continue;
        }
        let message = format!("adding this check reads all of `{}` while reads and writes wait", altered.name());
        let finding = altered.report(findings, at, &majors, true, message);
        let name = recipe::name_of(definition, &step.before.schema, altered.relation.id);
        let inherit = if definition.no_inherit { " NO INHERIT" } else { "" };
        let condition = format!("CHECK ({}){inherit}", expression.text);
        finding.object(&name);
        // The old check goes in the same statement that brings the new one, which then reads nothing.
        let drops = dropped(&altered);
        let recipe = recipe::validated_later(&altered.full_name(), &name, &condition);
        finding.instead(match drops.is_empty() {
            true => recipe,
            false => recipe.replacen(" ADD CONSTRAINT", &format!(" {drops}ADD CONSTRAINT"), 1),
        });
        finding.verify(format!("SELECT count(*) FROM {} WHERE NOT ({})", altered.full_name(), expression.text));
    }
}

/// `DROP CONSTRAINT a, ` for each that the statement drops.
fn dropped(altered: &Altered) -> String {
    let names = altered.actions().filter_map(|(_, action)| match action {
        TableActionKind::DropConstraint { name, .. } => Some(format!("DROP CONSTRAINT {name}, ")),
        _ => None,
    });
    names.collect()
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
        finding.instead(format!(
            "-- PostgreSQL has no way to build it concurrently, nor NOT VALID. Where `{table}` is large: make a new\n\
             -- table with the constraint, keep it up by a trigger, fill it in batches and swap the two by name."
        ));
    }
}
