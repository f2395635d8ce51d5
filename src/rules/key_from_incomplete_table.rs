//! A column that a BEFORE trigger looks up in a copy without all rows of its source, and that must have a value.

use std::collections::BTreeSet;

use super::constraint_before_backfill::wants_value;
use super::{Findings, radius, say};
use crate::data::{Copy, Coverage, Feed, Lookup, lookups_of, unique_keys};
use crate::finding::{Finding, Hit, LinkKind};
use crate::history::{Passed, State, Unit};
use crate::operation::{Ident, Operation};
use crate::schema::{Column, Constraint, ConstraintRow, RelationId, TriggerId};
use crate::source::Span;

/// One column that stays NULL for some rows, with what then refuses them.
struct Hazard<'a> {
    state: &'a State,
    lookup: Lookup,
    copy: &'a Copy,
    coverage: Coverage<'a>,
    /// A CHECK; `None` where the column is NOT NULL.
    check: Option<&'a Constraint>,
    /// The trigger that writes the table for another one's writes.
    feed: Option<&'a Feed>,
}

pub fn check(unit: &Unit, findings: &mut Findings) {
    if unit.after.data.feeds().next().is_none() {
        return;
    }
    for trigger in touched(unit) {
        for hazard in hazards(unit.after, trigger) {
            let is_same =
                |known: &Hazard| known.lookup.column == hazard.lookup.column && known.copy.table == hazard.copy.table;
            if !hazards(unit.before, trigger).iter().any(is_same) {
                report(unit, &hazard, findings);
            }
        }
    }
}

/// The triggers that this unit may have made a hazard: they, their tables or what they name has changed.
fn touched(unit: &Unit) -> BTreeSet<TriggerId> {
    let (schema, data) = (&unit.after.schema, &unit.after.data);
    let mut found = data.shaken_since(&unit.before.data, schema, &unit.before.schema);
    for feed in data.changed_since(&unit.before.data).iter().flat_map(|trigger| data.feeds_of(*trigger)) {
        for table in [feed.target, schema.partition_root(feed.target)] {
            found.extend(schema.get_relation(table).into_iter().flat_map(|one| data.triggers_naming(&one.name.name)));
        }
    }
    for step in unit.steps {
        let name = match &step.operation {
            Operation::AlterTable(alter) => &alter.table,
            Operation::CreateTable(create) => &create.name,
            _ => continue,
        };
        if let Some(table) = schema.find(name) {
            found.extend(schema.triggers_of(table.id).into_iter().map(|trigger| trigger.id));
        }
    }
    found
}

fn hazards(state: &State, trigger: TriggerId) -> Vec<Hazard<'_>> {
    let (schema, data) = (&state.schema, &state.data);
    let lookups = schema.get_trigger(trigger).map(|trigger| lookups_of(schema, trigger)).unwrap_or_default();
    let mut found = Vec::new();
    for lookup in lookups {
        let Some(table) = schema.get_relation(lookup.table).and_then(|one| one.as_table()) else { continue };
        let Some(column) = table.column(&lookup.column) else { continue };
        let Some(check) = demand(state, lookup.table, column) else { continue };
        // It looks only where the statement gives no value, and the column then has its default.
        if lookup.lacking.contains(&lookup.column) && (column.default.is_some() || column.sequence.is_some()) {
            continue;
        }
        let Some(feed) = arrival(state, lookup.table, check) else { continue };
        let (asked, own): (Vec<&Ident>, Vec<&Ident>) = lookup.key.iter().map(|(asked, own)| (asked, own)).unzip();
        let copies = data.copies_of(schema, &BTreeSet::new(), &BTreeSet::from([lookup.from]));
        let copy = copies.into_iter().find(|copy| {
            copy.table == lookup.from
                && copy.source != lookup.table
                && copy.table != lookup.table
                && copy.is_found_by(schema, &asked)
                && !copy.is_referred_from(schema, lookup.table, &own)
        });
        let Some(copy) = copy else { continue };
        let coverage = data.coverage(schema, copy, copy.table);
        if !coverage.is_complete() {
            found.push(Hazard { state, lookup, copy, coverage, check, feed });
        }
    }
    found
}

/// What wants a value of a column: `Some(None)` is NOT NULL.
fn demand<'a>(state: &'a State, table: RelationId, column: &Column) -> Option<Option<&'a Constraint>> {
    if column.not_null {
        return Some(None);
    }
    let mut checks = state.schema.constraints_of(table).filter(|constraint| constraint.enforced);
    let found = checks.find(|constraint| match &constraint.kind {
        ConstraintRow::Check { expression } => wants_value(&expression.tree, &column.name),
        _ => false,
    });
    found.map(Some)
}

/// The trigger through which rows reach the table, `Some(None)` where the application writes it; `None` where every
/// trigger that does catches the error.
fn arrival<'a>(state: &'a State, table: RelationId, check: Option<&Constraint>) -> Option<Option<&'a Feed>> {
    let error = if check.is_some() { "check_violation" } else { "not_null_violation" };
    let mut feeds = state.data.feeds_into(&state.schema, table).filter(|feed| feed.adds_rows_on_insert()).peekable();
    if feeds.peek().is_none() {
        return Some(None);
    }
    feeds.find(|feed| feed.fires && feed.writes.iter().any(|write| !write.catches(error))).map(Some)
}

fn report(unit: &Unit, hazard: &Hazard, findings: &mut Findings) {
    let schema = &hazard.state.schema;
    let lookup = &hazard.lookup;
    let Some(step) = completing_step(unit, hazard) else { return };
    let (table, copy) = (say::name(schema, lookup.table), say::name(schema, hazard.copy.table));
    let source = say::name(schema, hazard.copy.source);
    let lacks = match &hazard.coverage {
        Coverage::Filtered(_) => format!("that the backfill of `{copy}` left out"),
        Coverage::Gap(_) | Coverage::ShortGap(_) => format!("written before its trigger fed `{copy}`"),
        Coverage::Unclear(_) => format!("that the backfill of `{copy}` may have left out"),
        Coverage::Queued(_) => format!("that the backfill of `{copy}`, queued and not finished, has not reached"),
        Coverage::Cancelled(_) => format!("that no backfill of `{copy}` will reach: it was taken out of the queue"),
        Coverage::Missing | Coverage::Complete | Coverage::Stated(_) | Coverage::Unseen => {
            format!("that was never copied into `{copy}`")
        }
    };
    let own: Vec<String> = lookup.key.iter().map(|(_, own)| own.to_string()).collect();
    let demand = match hazard.check {
        Some(check) => format!("CHECK `{}` wants a value", check.name),
        None => "the column is NOT NULL".to_owned(),
    };
    let column = &lookup.column;
    let names = if own.len() == 1 { "names" } else { "name" };
    let rows = format!("where {} {names} a row of `{source}` {lacks}", say::list(&own));
    let looks = format!("trigger `{}` finds no `{column}` there, and {demand}", schema.trigger(lookup.trigger).name);
    let message = match hazard.feed {
        Some(feed) => format!(
            "writes to `{}` fail {rows}: they also write `{table}`, whose {looks}",
            say::name(schema, feed.source)
        ),
        None => format!("writes to `{table}` fail {rows}: {looks}"),
    };
    let unclear = matches!(hazard.coverage, Coverage::Unclear(_) | Coverage::ShortGap(_));
    let certain = step.certain && hazard.copy.certain && !unclear;
    let finding = findings.report(&step.origin, step.operation.word(), certain, message);
    finding.one_per(format!("{table} {column} {copy}"));
    evidence(finding, hazard);
    way_out(finding, unit, hazard);
}

/// The last step of the unit that is a part of the hazard.
fn completing_step<'a>(unit: &Unit<'a>, hazard: &Hazard) -> Option<&'a Passed> {
    let parts = parts(hazard);
    let schema = &unit.after.schema;
    let of_table = |step: &Passed| match &step.operation {
        Operation::AlterTable(alter) => schema.find(&alter.table).is_some_and(|one| one.id == hazard.lookup.table),
        _ => false,
    };
    let ran = |step: &&Passed| step.applied.failure().is_none();
    let last = unit.steps.iter().filter(ran).rfind(|step| parts.contains(&step.origin.span) || of_table(step));
    last.or(unit.steps.last())
}

/// Where the hazard's parts were made.
fn parts(hazard: &Hazard) -> Vec<Span> {
    let (schema, lookup) = (&hazard.state.schema, &hazard.lookup);
    let mut parts = vec![
        schema.trigger(hazard.copy.trigger).existence.origin().span,
        schema.trigger(lookup.trigger).existence.origin().span,
        schema.function(lookup.function).existence.origin().span,
        schema.relation(lookup.table).existence.origin().span,
    ];
    parts.extend(hazard.check.map(|check| check.existence.origin().span));
    if let Some(feed) = hazard.feed {
        parts.push(schema.trigger(feed.trigger).existence.origin().span);
        parts.push(schema.function(feed.function).existence.origin().span);
    }
    parts
}

fn evidence(finding: &mut Finding, hazard: &Hazard) {
    let (schema, lookup) = (&hazard.state.schema, &hazard.lookup);
    let (table, copy) = (say::name(schema, lookup.table), say::name(schema, hazard.copy.table));
    let feeding = schema.trigger(hazard.copy.trigger);
    let since = feeding.existence.origin().span;
    let taken = say::taken_along(&hazard.state.data, hazard.copy.trigger);
    finding.because(since, format!("only rows {taken} since trigger `{}` reach `{copy}`", feeding.name));
    match hazard.coverage {
        Coverage::Filtered(fill) => {
            finding.because(fill.origin.span, format!("this backfill of `{copy}` takes only some rows"));
        }
        Coverage::Gap(fill) | Coverage::ShortGap(fill) => {
            finding.because(fill.origin.span, format!("this backfill of `{copy}` ran before the trigger"));
        }
        Coverage::Unclear(fill) => {
            finding.because(fill.origin.span, format!("which rows this takes into `{copy}` cannot be told"));
        }
        Coverage::Queued(fill) | Coverage::Cancelled(fill) => say::queue(finding, &hazard.state.data, fill, &copy),
        Coverage::Missing | Coverage::Complete | Coverage::Stated(_) | Coverage::Unseen => {}
    }
    let trigger = schema.trigger(lookup.trigger);
    finding.because(lookup.span, format!("`{}` takes `{}` from `{copy}` here", trigger.name, lookup.column));
    if let Some(check) = hazard.check.filter(|check| !check.validated) {
        let text = "NOT VALID skips the rows that are there; every new one is checked at once";
        finding.because(check.existence.origin().span, text);
    }
    let own: Vec<Ident> = lookup.key.iter().map(|(_, own)| own.clone()).collect();
    let events = match trigger.update_columns.is_empty() || !lookup.events.update {
        true => lookup.events.words(),
        false => format!("{} of its columns", lookup.events.words()),
    };
    let hit = match hazard.feed {
        Some(feed) => radius::hit(schema, feed, &own, &[lookup.table]),
        None => Hit { writes: format!("{events} of `{table}`"), partitions: Vec::new() },
    };
    let spared = radius::spared(schema, &hazard.state.data, hazard.copy, &hazard.coverage, &[]);
    finding.hit(hit).spare(spared);
    if lookup.lacking.contains(&lookup.column) {
        finding.spare(format!("rows that come with `{}`", lookup.column));
    }
    let verb = if lookup.events.insert { "INSERT" } else { "UPDATE" };
    match hazard.feed {
        Some(feed) => {
            let write = feed.writes.iter().find(|write| write.events.insert).or(feed.writes.first());
            write.into_iter().for_each(|write| say::path(finding, schema, feed, write, lookup.table, None));
        }
        None => drop(finding.link(LinkKind::Write, format!("{verb} {table}"), None)),
    }
    finding.link(LinkKind::Trigger, trigger.name.to_string(), Some(trigger.existence.origin().span));
    finding.link(LinkKind::Function, schema.function(lookup.function).name.short(), Some(lookup.span));
    finding.link(LinkKind::Table, copy, None);
    finding.object(&schema.relation(lookup.table).name);
    finding.object(&schema.relation(hazard.copy.table).name);
    finding.object(format!("{}.{}", schema.relation(lookup.table).name, lookup.column));
}

fn way_out(finding: &mut Finding, unit: &Unit, hazard: &Hazard) {
    let (schema, lookup) = (&hazard.state.schema, &hazard.lookup);
    let backfill = say::backfill(schema, &hazard.state.data, hazard.copy);
    let (table, copy) = (&schema.relation(lookup.table).name, &schema.relation(hazard.copy.table).name);
    let fill = if unit.context.is_new(unit.before, lookup.table) {
        String::new()
    } else {
        let equal: Vec<String> = lookup.key.iter().map(|(asked, own)| format!("c.{asked} = t.{own}")).collect();
        let batch = unique_keys(schema, lookup.table).into_iter().find(|key| key.len() == 1).map(|key| {
            let key = schema.column_name(lookup.table, key[0]);
            format!(" AND t.{key} > :last AND t.{key} <= :last + 1000")
        });
        format!(
            "-- then give the rows of {table} that lack it their value:\n\
             UPDATE {table} AS t SET {column} = c.{} FROM {copy} AS c\n\
             WHERE {} AND t.{column} IS NULL{};\n",
            lookup.value,
            equal.join(" AND "),
            batch.unwrap_or_default(),
            column = lookup.column,
        )
    };
    finding.instead(format!(
        "-- first, in an earlier release, copy every row, batch by batch:\n{backfill}\n{fill}\
         -- and only then require {}.",
        lookup.column
    ));
    finding.verify(say::uncopied_query(schema, hazard.copy));
}
