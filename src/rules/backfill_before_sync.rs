//! A copy that was filled before its trigger came, or whose trigger goes before the copy takes over.

use std::collections::BTreeSet;

use super::{Findings, say};
use crate::data::{Copy, Coverage, Fill};
use crate::history::{Passed, Unit};
use crate::operation::Operation;
use crate::schema::{RelationId, TriggerId};
use crate::source::Span;

pub fn check(unit: &Unit, findings: &mut Findings) {
    if unit.after.data.is_like(&unit.before.data) {
        return;
    }
    let changed = unit.after.data.changed_since(&unit.before.data);
    for copy in unit.after.data.copies_of(&unit.after.schema, &changed, &BTreeSet::new()) {
        late_trigger(unit, copy, findings);
    }
    for copy in unit.before.data.copies_of(&unit.before.schema, &changed, &BTreeSet::new()) {
        early_end(unit, copy, &changed, findings);
    }
}

/// The trigger comes after the backfill: what was written between is in neither.
fn late_trigger(unit: &Unit, copy: &Copy, findings: &mut Findings) {
    let (schema, data) = (&unit.after.schema, &unit.after.data);
    let (fill, short) = match data.coverage(schema, copy, copy.table) {
        Coverage::Gap(fill) => (fill, false),
        Coverage::ShortGap(fill) => (fill, true),
        _ => return,
    };
    let Some(step) = completing_step(unit, copy) else { return };
    if was_known(unit, copy) || is_filled_later(unit, copy) {
        return;
    }
    let (source, table) = (say::name(schema, copy.source), say::name(schema, copy.table));
    let trigger = schema.trigger(copy.trigger);
    let message = format!(
        "rows written to `{source}` after the backfill and before trigger `{}` are missing or old in `{table}`",
        trigger.name
    );
    let certain = step.certain && copy.certain && !short;
    let finding = findings.report(&step.origin, step.operation.word(), certain, message);
    finding.one_per(format!("{table} {source}"));
    finding.object(&schema.relation(copy.table).name);
    finding.object(&schema.relation(copy.source).name);
    finding.because(fill.origin.span, format!("this backfill of `{table}` took the rows of that moment"));
    if short {
        finding.because(fill.origin.span, "nothing before it in the transaction stops writes to the source");
    }
    finding.instead(recipe(unit, copy, fill));
    finding.verify(say::uncopied_query(schema, copy));
}

fn recipe(unit: &Unit, copy: &Copy, fill: &Fill) -> String {
    let schema = &unit.after.schema;
    let source = &schema.relation(copy.source).name;
    let together = fill.moment.unit == copy.since.map_or(0, |since| since.unit);
    let lock = if together {
        format!(
            "-- or, on a small table, before the backfill in the same transaction: LOCK TABLE {source} IN SHARE ROW EXCLUSIVE MODE;\n"
        )
    } else {
        String::new()
    };
    format!(
        "{lock}-- the trigger first; then, when it is committed, every row, batch by batch, under a row lock:\n{}",
        say::backfill_again(schema, &unit.after.data, copy)
    )
}

/// The same gap, or the trigger's feed, was there before this unit.
fn was_known(unit: &Unit, copy: &Copy) -> bool {
    let fed = unit.before.data.feeds_of(copy.trigger).iter().any(|feed| {
        let root = unit.before.schema.get_relation(feed.target).map(|one| unit.before.schema.partition_root(one.id));
        feed.fires && feed.adds_rows_on_insert() && root == Some(copy.table)
    });
    if fed {
        return true;
    }
    let before = unit.before.data.copies_of(&unit.before.schema, &BTreeSet::from([copy.trigger]), &BTreeSet::new());
    before.iter().any(|known| {
        known.table == copy.table
            && matches!(
                unit.before.data.coverage(&unit.before.schema, known, known.table),
                Coverage::Gap(_) | Coverage::ShortGap(_)
            )
    })
}

/// A later statement takes all rows of the source again.
pub(super) fn is_filled_later(unit: &Unit, copy: &Copy) -> bool {
    let schema = &unit.after.schema;
    let names = (&schema.relation(copy.table).name.name, &schema.relation(copy.source).name.name);
    let Some(last) = unit.steps.last() else { return false };
    let found = unit.context.plan.find_fill(unit.context.at.migration, last.origin.span, names.0, Some(names.1));
    found.is_some()
}

/// The trigger goes, and the copy takes over only later: what is written between is in the old table alone.
fn early_end(unit: &Unit, copy: &Copy, changed: &BTreeSet<TriggerId>, findings: &mut Findings) {
    let (before, after) = (&unit.before, &unit.after);
    let feeds = |state: &crate::history::State, source: RelationId, table: RelationId| {
        state.schema.get_relation(table).is_some()
            && state.data.feeds_into(&state.schema, table).any(|feed| feed.fires && feed.source == source)
    };
    let name = |state: &crate::history::State| state.schema.get_relation(copy.table).map(|table| table.name.clone());
    let still =
        after.schema.get_relation(copy.source).is_some() && name(after).is_some() && name(after) == name(before);
    let ends = feeds(before, copy.source, copy.table) && !feeds(after, copy.source, copy.table);
    if !still
        || !ends
        || !changed.contains(&copy.trigger)
        || !before.data.coverage(&before.schema, copy, copy.table).is_complete()
    {
        return;
    }
    let Some(step) = ending_step(unit, copy) else { return };
    let Some((number, swap)) = swapped_later(unit, copy, step.origin.span) else { return };
    let schema = &before.schema;
    let (source, table) = (say::name(schema, copy.source), say::name(schema, copy.table));
    let trigger = schema.trigger(copy.trigger);
    let message = format!(
        "rows written to `{source}` from here until `{table}` takes over are lost: trigger `{}` no longer copies them",
        trigger.name
    );
    // Inside one migration the gap is short.
    let certain = step.certain && copy.certain && number != unit.context.at.migration;
    let finding = findings.report(&step.origin, step.operation.word(), certain, message);
    finding.one_per(format!("{table} {source}"));
    finding.object(&schema.relation(copy.table).name);
    finding.object(&schema.relation(copy.source).name);
    finding.because(trigger.existence.origin().span, format!("it keeps `{table}` like `{source}` since here"));
    finding.because(swap, format!("`{table}` takes another name here"));
    finding.instead(format!(
        "-- as the first statement of the transaction that renames the tables:\nDROP TRIGGER {} ON {};",
        trigger.name,
        schema.relation(copy.source).name
    ));
    finding.verify(say::uncopied_query(schema, copy));
}

fn swapped_later(unit: &Unit, copy: &Copy, after: Span) -> Option<(usize, Span)> {
    let name = &unit.before.schema.relation(copy.table).name.name;
    unit.context.plan.find_later(unit.context.at.migration, after, &|statement| match &statement.operation {
        Operation::Rename(rename) => rename.part.is_none() && rename.object.name == *name,
        _ => false,
    })
}

/// The last step of the unit that made the trigger, gave it its function or let it fire.
fn completing_step<'a>(unit: &Unit<'a>, copy: &Copy) -> Option<&'a Passed> {
    let schema = &unit.after.schema;
    let trigger = schema.trigger(copy.trigger);
    let mut parts = vec![trigger.existence.origin().span];
    parts.extend(trigger.function.map(|function| schema.function(function).existence.origin().span));
    let alters = |step: &&Passed| match &step.operation {
        Operation::AlterTable(alter) => schema.find(&alter.table).is_some_and(|table| table.id == copy.source),
        _ => false,
    };
    let made = unit.steps.iter().rfind(|step| parts.contains(&step.origin.span));
    made.or_else(|| unit.steps.iter().rfind(alters))
}

/// The step that drops the trigger, its function's writes, or switches it off.
fn ending_step<'a>(unit: &Unit<'a>, copy: &Copy) -> Option<&'a Passed> {
    let schema = &unit.before.schema;
    let trigger = schema.trigger(copy.trigger);
    let function = trigger.function_name.name.clone();
    unit.steps.iter().rfind(|step| match &step.operation {
        Operation::Drop(drop) => {
            drop.targets.iter().any(|target| target.name.name == trigger.name || target.name.name == function)
        }
        Operation::AlterTable(alter) => schema.find(&alter.table).is_some_and(|table| table.id == copy.source),
        Operation::CreateFunction(create) => create.name.name == function,
        _ => false,
    })
}
