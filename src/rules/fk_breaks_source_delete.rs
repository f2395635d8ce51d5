//! A foreign key between two copies that gets in the way of a DELETE on their sources, or deletes more than it.

use std::collections::BTreeSet;

use super::{Findings, say};
use crate::data::{DeleteConflict, DeleteOutcome};
use crate::history::{Passed, Unit};
use crate::operation::{Action, ForeignKey, Name};
use crate::schema::{ConstraintId, Schema};

pub fn check(unit: &Unit, findings: &mut Findings) {
    if unit.after.data.is_like(&unit.before.data) {
        return;
    }
    let (before, after) = (unit.before, unit.after);
    let changed = after.data.changed_since(&before.data);
    let known: BTreeSet<(ConstraintId, ConstraintId)> = before
        .data
        .delete_conflicts(&before.schema, &changed)
        .iter()
        .map(|conflict| (conflict.key, conflict.original))
        .collect();
    for conflict in after.data.delete_conflicts(&after.schema, &changed) {
        let source = after.schema.relation(conflict.parent.source);
        // Nothing that worked before stops working where the source itself is made in this release.
        let is_young = unit.context.is_of_this_release(&source.existence);
        if !is_young && !known.contains(&(conflict.key, conflict.original)) {
            report(unit, &conflict, findings);
        }
    }
}

fn report(unit: &Unit, conflict: &DeleteConflict, findings: &mut Findings) {
    let schema = &unit.after.schema;
    let Some(step) = completing_step(unit, conflict) else { return };
    let key = schema.constraint(conflict.key);
    let original = schema.constraint(conflict.original);
    let Some(row) = key.as_foreign() else { return };
    let (parent, child) = (say::name(schema, conflict.parent.source), say::name(schema, conflict.child.source));
    let (target, copy) = (say::name(schema, row.references), say::name(schema, key.table));
    let message = match conflict.outcome {
        DeleteOutcome::Refused => format!(
            "DELETE on `{parent}` fails for rows that `{child}` refers to: its trigger deletes from `{target}` before \
             the rows of `{copy}` are gone, and foreign key `{}` refuses that",
            key.name
        ),
        DeleteOutcome::CannotBeSet => format!(
            "DELETE on `{parent}` fails for rows that `{child}` refers to: foreign key `{}` then empties columns of \
             `{copy}` that must keep their value",
            key.name
        ),
        DeleteOutcome::LosesRows => format!(
            "DELETE on `{parent}` deletes rows of `{copy}` that `{child}` keeps: foreign key `{}` cascades and the \
             original's does not",
            key.name
        ),
    };
    let certain = step.certain && conflict.parent.certain && conflict.child.certain && key.existence.is_certain();
    let finding = findings.report(&step.origin, step.operation.word(), certain, message);
    let root = |table| say::name(schema, schema.partition_root(table));
    finding.one_per(format!("{} {}", root(key.table), root(row.references)));
    let write = &conflict.parent.writes[conflict.write];
    say::path(finding, schema, &conflict.parent, write, conflict.parent.target, Some(conflict.key));
    let action = match original.as_foreign().map(|row| row.on_delete) {
        Some(Action::SetNull) => "sets the key to null",
        Some(Action::SetDefault) => "sets the key to its default",
        _ => "deletes the rows that refer to it",
    };
    finding.because(original.existence.origin().span, format!("between the originals `{}` {action}", original.name));
    let feeding = schema.trigger(conflict.child.trigger);
    finding.because(
        feeding.existence.origin().span,
        format!("what happens to `{child}` reaches its copy later, by `{}`", feeding.name),
    );
    finding.object(&schema.relation(key.table).name);
    finding.object(&schema.relation(row.references).name);
    finding.object(format!("{}.{}", schema.relation(key.table).name, key.name));
    way_out(finding, schema, conflict);
}

fn way_out(finding: &mut crate::finding::Finding, schema: &Schema, conflict: &DeleteConflict) {
    let key = schema.constraint(conflict.key);
    let Some(row) = key.as_foreign() else { return };
    let columns = |table, ids: &[crate::schema::ColumnId]| {
        ids.iter().map(|id| schema.column_name(table, *id)).collect::<Vec<_>>()
    };
    let (table, target) = (&schema.relation(key.table).name, &schema.relation(row.references).name);
    let mine = columns(key.table, &key.columns);
    let theirs = columns(row.references, &row.referenced_columns);
    let cascades = conflict.outcome != DeleteOutcome::LosesRows
        && schema.constraint(conflict.original).as_foreign().is_some_and(|row| row.on_delete == Action::Cascade);
    let definition = ForeignKey {
        columns: mine.clone(),
        references: Name { schema: Some(target.schema.clone()), name: target.name.clone() },
        referenced_columns: theirs.clone(),
        on_delete: if cascades { Action::Cascade } else { Action::NoAction },
        on_delete_columns: Vec::new(),
        on_update: row.on_update,
        match_full: row.match_full,
        period: false,
    };
    let deferred = if cascades { "" } else { " DEFERRABLE INITIALLY DEFERRED" };
    let why = if cascades { "cascade as between the originals" } else { "check when the transaction ends" };
    // Before 18 a partitioned table takes no key that is NOT VALID.
    let not_valid = if schema.relation(key.table).is_partitioned() { "" } else { " NOT VALID" };
    finding.instead(format!(
        "-- {why}\n\
         ALTER TABLE {table} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} {}{deferred}{not_valid};",
        say::foreign_key(&definition),
        name = key.name,
    ));
    let equal: Vec<String> =
        mine.iter().zip(&theirs).map(|(column, other)| format!("c.{column} = p.{other}")).collect();
    finding.verify(format!(
        "SELECT count(*) FROM {target} AS p WHERE EXISTS (SELECT FROM {table} AS c WHERE {})",
        equal.join(" AND ")
    ));
}

/// The step that brings keys, triggers and functions together: the last of them that is in this unit.
fn completing_step<'a>(unit: &Unit<'a>, conflict: &DeleteConflict) -> Option<&'a Passed> {
    let schema = &unit.after.schema;
    let feeds = [&conflict.parent, &conflict.child];
    let mut parts: Vec<_> = feeds
        .iter()
        .flat_map(|feed| {
            let trigger = schema.trigger(feed.trigger).existence.origin().span;
            [trigger, schema.function(feed.function).existence.origin().span]
        })
        .collect();
    for key in [conflict.key, conflict.original] {
        parts.push(schema.constraint(key).existence.origin().span);
    }
    unit.steps.iter().rfind(|step| parts.contains(&step.origin.span)).or(unit.steps.last())
}
