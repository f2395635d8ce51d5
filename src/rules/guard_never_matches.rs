//! IF EXISTS that can match nothing: another table, another name. The statement passes and does nothing.

use super::shipped::if_in_path;
use super::{Findings, say};
use crate::finding::Finding;
use crate::history::{Passed, Whole};
use crate::operation::{Drop, Ident, Name, ObjectKind, Operation, TableActionKind};
use crate::schema::{Existence, Part, Relation, RelationKind, Schema};

pub fn check(whole: &Whole, findings: &mut Findings) {
    // Repeatable scripts drop what may be there from the last time.
    if whole.context.migration.repeatable {
        return;
    }
    let mut befores = whole.course().units.iter().flat_map(|unit| unit.steps.iter().zip(&unit.befores));
    let guarded = |(step, _): &(&Passed, &crate::history::State)| step.certain && is_guarded(&step.operation);
    for (step, before) in befores.by_ref().filter(guarded) {
        match &step.operation {
            Operation::AlterTable(alter) => {
                let Some(table) = before.schema.find_table(&alter.table) else { continue };
                for action in &alter.actions {
                    match &action.kind {
                        TableActionKind::DropConstraint { name, if_exists: true, .. } => {
                            constraint(whole, step, &before.schema, table, name, findings);
                        }
                        TableActionKind::DropColumn { column, if_exists: true, .. } => {
                            self::column(whole, step, &before.schema, table, column, findings);
                        }
                        _ => {}
                    }
                }
            }
            Operation::Drop(drop) => dropped(whole, step, &before.schema, drop, findings),
            _ => {}
        }
    }
}

fn is_guarded(operation: &Operation) -> bool {
    match operation {
        Operation::AlterTable(_) => true,
        Operation::Drop(drop) => drop.if_exists,
        _ => false,
    }
}

fn report<'a>(
    whole: &Whole,
    step: &Passed,
    what: &str,
    nearest: &str,
    object: String,
    findings: &'a mut Findings,
) -> &'a mut Finding {
    let message = format!("does nothing, and says so to nobody: {what}; {nearest}");
    let finding = findings.report(&step.origin, "guard", step.certain, message);
    finding.object(object);
    let checked = if whole.context.plan.history.runner.checksums { "; shipped files stay as they are" } else { "" };
    finding.instead(format!(
        "-- name what is meant, without IF EXISTS: a wrong name then fails where it is run first{checked}"
    ));
    finding
}

fn constraint(whole: &Whole, step: &Passed, before: &Schema, table: &Relation, name: &Ident, findings: &mut Findings) {
    let there = before.find_constraint(table.id, name).is_some();
    let again = whole.after.schema.find_constraint(table.id, name).is_some();
    if there || again || before.was_part(table.id, Part::Constraint, name) {
        return;
    }
    let full = format!("{}.{name}", table.name);
    let what = format!("`{}` has no constraint `{name}`", table.name.short());
    let root = before.partition_root(table.id);
    let named = before.constraints().find(|row| {
        // The same name on another table of the tree, or anywhere where it is a name that nobody chooses twice.
        row.name == *name && (before.partition_root(row.table) == root || name.as_str().len() > 12)
    });
    if let Some(row) = named.filter(|row| row.table != table.id) {
        let nearest = format!("`{}` has one", say::name(before, row.table));
        report(whole, step, &what, &nearest, full.clone(), findings);
        return;
    }
    let rows = before.constraints_of(table.id).map(|row| &row.name);
    if let Some(near) = near(name, rows) {
        report(whole, step, &what, &format!("it has `{near}`"), full, findings);
    }
}

fn column(whole: &Whole, step: &Passed, before: &Schema, table: &Relation, name: &Ident, findings: &mut Findings) {
    let Some(found) = table.as_table().filter(|found| found.columns_known) else { return };
    let again = whole.after.schema.get_relation(table.id).and_then(Relation::as_table);
    let again = again.is_some_and(|table| table.column(name).is_some());
    if found.column(name).is_some() || again || before.was_part(table.id, Part::Column, name) {
        return;
    }
    if let Some(near) = near(name, found.columns.iter().map(|column| &column.name)) {
        let what = format!("`{}` has no column `{name}`", table.name.short());
        report(whole, step, &what, &format!("it has `{near}`"), format!("{}.{name}", table.name), findings);
    }
}

fn dropped(whole: &Whole, step: &Passed, before: &Schema, drop: &Drop, findings: &mut Findings) {
    for target in &drop.targets {
        let name = &target.name;
        match drop.kind {
            ObjectKind::Index | ObjectKind::Table | ObjectKind::Sequence => {
                relation(whole, step, before, drop.kind, name, findings);
            }
            ObjectKind::Trigger => {
                let Some(on) = target.on.as_ref().and_then(|on| before.find(on)) else { continue };
                trigger(whole, step, before, on, &name.name, findings);
            }
            _ => {}
        }
    }
}

fn relation(whole: &Whole, step: &Passed, before: &Schema, kind: ObjectKind, name: &Name, findings: &mut Findings) {
    let after = &whole.after.schema;
    if before.find(name).is_some() || after.find(name).is_some() || before.gone(name).is_some() {
        return;
    }
    // What REINDEX leaves over is in no script.
    if name.name.as_str().contains("_ccnew") || name.name.as_str().contains("_ccold") {
        return;
    }
    let same_kind = |relation: &&Relation| {
        matches!(
            (kind, &relation.kind),
            (ObjectKind::Index, RelationKind::Index(_))
                | (ObjectKind::Table, RelationKind::Table(_))
                | (ObjectKind::Sequence, RelationKind::Sequence(_))
        ) && !matches!(relation.existence, Existence::Assumed { .. })
    };
    let words = match kind {
        ObjectKind::Index => "index",
        ObjectKind::Table => "table",
        _ => "sequence",
    };
    let what = format!("there is no {words} `{name}`");
    let elsewhere = before.relations().filter(same_kind).find(|one| one.name.name == name.name);
    if let Some(found) = elsewhere {
        let nearest = format!("`{}` is there", found.name);
        let finding = report(whole, step, &what, &nearest, name.to_string(), findings);
        if whole.may_lie_in_path(before, name, &found.name.schema) {
            if_in_path(finding, &found.name.schema);
        }
        return;
    }
    let names = before.relations().filter(same_kind).map(|relation| &relation.name.name);
    if let Some(near) = near(&name.name, names) {
        report(whole, step, &what, &format!("`{near}` is there"), name.to_string(), findings);
    }
}

fn trigger(whole: &Whole, step: &Passed, before: &Schema, on: &Relation, name: &Ident, findings: &mut Findings) {
    let has = |schema: &Schema| schema.triggers_of(on.id).iter().any(|trigger| trigger.name == *name);
    if has(before) || has(&whole.after.schema) || before.was_part(on.id, Part::Trigger, name) {
        return;
    }
    let what = format!("`{}` has no trigger `{name}`", on.name.short());
    let elsewhere = before.triggers().find(|trigger| trigger.name == *name && name.as_str().len() > 12);
    let full = format!("{}.{name}", on.name);
    if let Some(found) = elsewhere {
        let nearest = format!("`{}` has one", say::name(before, found.table));
        report(whole, step, &what, &nearest, full, findings);
        return;
    }
    let triggers = before.triggers_of(on.id);
    if let Some(near) = near(name, triggers.iter().map(|trigger| &trigger.name)) {
        report(whole, step, &what, &format!("it has `{near}`"), full, findings);
    }
}

/// A name that differs by a slip of the hand; other digits are other things.
fn near<'a>(name: &Ident, others: impl Iterator<Item = &'a Ident>) -> Option<&'a Ident> {
    let letters = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    let wanted = name.as_str();
    if wanted.len() < 8 {
        return None;
    }
    let mut close = others.filter(|other| {
        let other = other.as_str();
        other.len().abs_diff(wanted.len()) <= 1
            && letters(other) != letters(wanted)
            && strsim::damerau_levenshtein(other, wanted) == 1
    });
    close.next()
}
