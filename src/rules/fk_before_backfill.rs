//! A foreign key onto a copy that does not hold all rows of its source yet.

use std::collections::{BTreeMap, BTreeSet};

use super::{Findings, radius, say};
use crate::data::{Copy, Coverage, Feed, FeedKind, FeedWrite, Value};
use crate::finding::{Finding, LinkKind, Severity};
use crate::history::{Passed, State, Unit};
use crate::operation::Ident;
use crate::schema::{Constraint, ConstraintId, RelationId, Schema, TriggerId};

/// Foreign keys of one table, with its partitions, onto one incomplete copy.
struct Hazard<'a> {
    state: &'a State,
    child: RelationId,
    copy: Copy,
    keys: Vec<ConstraintId>,
    arrival: Arrival,
}

/// How rows that refer to old ones reach the referencing table.
enum Arrival {
    Trigger(Feed, usize),
    /// The application writes the table itself.
    Application,
}

pub fn check(unit: &Unit, findings: &mut Findings) {
    each(unit, &mut |hazard| report(unit, hazard, findings));
}

/// Those where a backfill of the referenced copy left rows out.
pub fn filtered(unit: &Unit, findings: &mut Findings) {
    each(unit, &mut |hazard| {
        let (schema, data) = (&unit.after.schema, &unit.after.data);
        let key = schema.constraint(hazard.keys[0]).as_foreign();
        let referenced = key.map_or(hazard.copy.table, |key| key.references);
        if matches!(data.coverage(schema, &hazard.copy, referenced), Coverage::Filtered(_)) {
            report(unit, hazard, findings);
        }
    });
}

fn each(unit: &Unit, tell: &mut dyn FnMut(&Hazard)) {
    if unit.after.data.is_like(&unit.before.data) {
        return;
    }
    let changed = unit.after.data.changed_since(&unit.before.data);
    let known: Vec<(RelationId, ConstraintId)> = hazards(unit.before, &changed)
        .iter()
        .flat_map(|hazard| hazard.keys.iter().map(|key| (hazard.copy.table, *key)).collect::<Vec<_>>())
        .collect();
    for mut hazard in hazards(unit.after, &changed) {
        hazard.keys.retain(|key| !known.contains(&(hazard.copy.table, *key)));
        if !hazard.keys.is_empty() {
            tell(&hazard);
        }
    }
}

/// The hazards around triggers that something has happened to: their copies, and what their targets refer to.
fn hazards<'a>(state: &'a State, changed: &BTreeSet<TriggerId>) -> Vec<Hazard<'a>> {
    let schema = &state.schema;
    let fed = changed.iter().flat_map(|trigger| state.data.feeds_of(*trigger)).map(|feed| feed.target);
    let referenced: BTreeSet<RelationId> = fed.flat_map(|target| referenced_by_tree(schema, target)).collect();
    let mut found: BTreeMap<(RelationId, RelationId), Hazard> = BTreeMap::new();
    for copy in state.data.copies_of(schema, changed, &referenced) {
        let mut tables = vec![copy.table];
        tables.extend(schema.partitions(copy.table));
        for table in tables {
            let Some(referenced) = schema.get_relation(table).and_then(|table| table.as_table()) else { continue };
            for id in &referenced.referenced_by {
                let key = schema.constraint(*id);
                if key.parent.is_some() || !key.enforced || is_settled(&state.data.coverage(schema, copy, table)) {
                    continue;
                }
                let child = schema.partition_root(key.table);
                // The original may refer to its copy only by mistake; rows reach it from the application alone.
                let Some(arrival) = arrival(state, copy, key, child) else { continue };
                let hazard = found.entry((child, copy.table)).or_insert_with(|| Hazard {
                    state,
                    child,
                    copy: copy.clone(),
                    keys: Vec::new(),
                    arrival,
                });
                if !hazard.keys.contains(id) {
                    hazard.keys.push(*id);
                }
            }
        }
    }
    found.into_values().collect()
}

/// Nothing is to be said: the rows are there. Of a copy that is older than the files it is only likely.
fn is_settled(coverage: &Coverage) -> bool {
    coverage.is_complete() && !matches!(coverage, Coverage::Unseen)
}

/// The roots of all tables that a table, or another of its partition tree, refers to.
fn referenced_by_tree(schema: &Schema, table: RelationId) -> Vec<RelationId> {
    let root = schema.partition_root(table);
    let tables = std::iter::once(root).chain(schema.partitions(root));
    let keys = tables.flat_map(|table| schema.constraints_of(table).collect::<Vec<_>>());
    keys.filter_map(|key| Some(schema.partition_root(key.as_foreign()?.references))).collect()
}

/// How rows reach the child; `None` where they bring their referenced row along, or the error is caught.
fn arrival(state: &State, copy: &Copy, key: &Constraint, child: RelationId) -> Option<Arrival> {
    let schema = &state.schema;
    let ours = state.data.feeds_into(schema, child);
    let mut fed = false;
    for feed in ours {
        let mut writes: Vec<_> = feed.writes.iter().enumerate().collect();
        // An update of the source meets the key only where it changes the key's columns, an insert always does.
        writes.sort_by_key(|(_, write)| !write.events.insert);
        for (place, write) in writes {
            // The key is looked at again only where one of its columns gets a value: a count kept there asks nothing.
            let sets = |column| write.value_of(&schema.column_name(key.table, column)).is_some();
            if write.kind == FeedKind::Update && !key.columns.iter().any(|column| sets(*column)) {
                continue;
            }
            fed = true;
            if !feed.fires || write.values.is_empty() || write.catches("foreign_key_violation") {
                continue;
            }
            if feed.source == copy.source && brings_its_row(state, copy, key, write) {
                continue;
            }
            return Some(Arrival::Trigger(feed.clone(), place));
        }
    }
    (!fed).then_some(Arrival::Application)
}

/// The write's key is the source row's own: the trigger that writes it writes the copy's row too.
fn brings_its_row(state: &State, copy: &Copy, key: &Constraint, write: &FeedWrite) -> bool {
    let schema = &state.schema;
    let sources: Vec<&Ident> = copy.key.iter().map(|(_, source)| source).collect();
    let own = key.columns.iter().all(|column| {
        let name = schema.column_name(key.table, *column);
        matches!(write.value_of(&name), Some(Value::Source(source)) if sources.contains(&source))
    });
    let copy_heals = state
        .data
        .feeds()
        .any(|feed| feed.trigger == copy.trigger && feed.writes.iter().any(FeedWrite::adds_rows_on_update));
    own && (!write.adds_rows_on_update() || copy_heals)
}

fn report(unit: &Unit, hazard: &Hazard, findings: &mut Findings) {
    let schema = &unit.after.schema;
    let data = &unit.after.data;
    let first = schema.constraint(hazard.keys[0]);
    let referenced = first.as_foreign().map_or(hazard.copy.table, |key| key.references);
    let coverage = data.coverage(schema, &hazard.copy, referenced);
    let Some(step) = completing_step(unit, hazard) else { return };
    let child = say::name(schema, hazard.child);
    let copy = say::name(schema, hazard.copy.table);
    let source = say::name(schema, hazard.copy.source);
    let lacks = match &coverage {
        Coverage::Filtered(_) => format!("rows that the backfill of `{copy}` left out"),
        Coverage::Gap(_) | Coverage::ShortGap(_) => {
            format!("rows written to `{source}` before its trigger fed `{copy}`")
        }
        Coverage::Unclear(_) => format!("rows that the backfill of `{copy}` may have left out"),
        Coverage::Queued(_) => {
            format!("rows of `{source}` that the backfill of `{copy}`, queued and not finished, has not reached")
        }
        Coverage::Cancelled(_) => {
            format!("rows of `{source}` that no backfill of `{copy}` will reach: it was taken out of the queue")
        }
        Coverage::Unseen => {
            format!("rows of `{source}` older than the trigger, if nothing has copied them into `{copy}`")
        }
        Coverage::Missing | Coverage::Complete | Coverage::Stated(_) => {
            format!("rows of `{source}` that were never copied into `{copy}`")
        }
    };
    let message = match &hazard.arrival {
        Arrival::Trigger(feed, _) => format!(
            "writes to `{}` fail where they refer to {lacks}: the trigger writes `{child}`, whose foreign key `{}` looks there",
            say::name(schema, feed.source),
            first.name
        ),
        Arrival::Application => {
            format!("writes to `{child}` fail where they refer to {lacks}: foreign key `{}` looks there", first.name)
        }
    };
    let certain =
        step.certain && hazard.copy.certain && !matches!(coverage, Coverage::Unclear(_) | Coverage::ShortGap(_));
    let finding = findings.report(&step.origin, step.operation.word(), certain, message);
    finding.one_per(format!("{child} {copy}"));
    let new_rows_only = unit.context.is_new(unit.after, hazard.child) || unit.context.is_new(unit.before, hazard.child);
    if matches!(hazard.arrival, Arrival::Application) && new_rows_only {
        finding.severity = finding.severity.min(Severity::Warning);
    }
    evidence(finding, schema, data, hazard, &coverage);
    if matches!(coverage, Coverage::Unseen) {
        finding.severity = finding.severity.min(Severity::Note);
        finding.one_per(copy);
        finding.instead(format!(
            "-- count first; where nothing is missing, say so:\n-- plimsoll:fact backfilled {}: <how it was done, and when>",
            schema.relation(hazard.copy.table).name
        ));
        finding.verify(say::uncopied_query(schema, &hazard.copy));
        return;
    }
    way_out(finding, schema, hazard);
}

/// The step that completes the hazard: of the keys the first one, of triggers and keys the last one.
fn completing_step<'a>(unit: &Unit<'a>, hazard: &Hazard) -> Option<&'a Passed> {
    let schema = &unit.after.schema;
    let place = |span| unit.steps.iter().position(|step| step.origin.span == span);
    let keys = hazard.keys.iter().filter_map(|key| place(schema.constraint(*key).existence.origin().span)).min();
    let mut parts = vec![schema.trigger(hazard.copy.trigger).existence.origin().span];
    if let Arrival::Trigger(feed, _) = &hazard.arrival {
        parts.push(schema.trigger(feed.trigger).existence.origin().span);
        parts.push(schema.function(feed.function).existence.origin().span);
    }
    let latest = parts.into_iter().filter_map(place).chain(keys).max();
    latest.map(|place| &unit.steps[place]).or(unit.steps.last())
}

fn evidence(finding: &mut Finding, schema: &Schema, data: &crate::data::Data, hazard: &Hazard, coverage: &Coverage) {
    let copy = say::name(schema, hazard.copy.table);
    let source = say::name(schema, hazard.copy.source);
    let first = schema.constraint(hazard.keys[0]);
    if let Arrival::Trigger(feed, place) = &hazard.arrival {
        say::path(finding, schema, feed, &feed.writes[*place], first.table, Some(first.id));
    }
    let referenced = first.as_foreign().map(|key| key.references).unwrap_or(hazard.copy.table);
    finding.link(LinkKind::Table, say::name(schema, referenced), None);
    let origin = schema.relation(hazard.copy.source).existence.origin().span;
    match data.made(hazard.copy.source) {
        Some(_) => finding.because(origin, format!("`{source}` exists since here, and is taken to hold rows")),
        None => finding.because(origin, format!("`{source}` is older than this history, and is taken to hold rows")),
    };
    let trigger = schema.trigger(hazard.copy.trigger);
    finding.because(
        trigger.existence.origin().span,
        format!("only rows {} since trigger `{}` reach `{copy}`", say::taken_along(data, trigger.id), trigger.name),
    );
    if let Arrival::Trigger(feed, _) = &hazard.arrival {
        let feeding = schema.trigger(feed.trigger);
        finding.because(
            feeding.existence.origin().span,
            format!(
                "trigger `{}` writes every new row of `{}` into `{}`",
                feeding.name,
                say::name(schema, feed.source),
                say::name(schema, feed.target)
            ),
        );
    }
    match coverage {
        Coverage::Filtered(fill) => {
            finding.because(fill.origin.span, format!("this backfill of `{copy}` takes only some rows"));
        }
        Coverage::Gap(fill) | Coverage::ShortGap(fill) => {
            finding.because(fill.origin.span, format!("this backfill of `{copy}` ran before the trigger"));
        }
        Coverage::Unclear(fill) => {
            finding.because(fill.origin.span, format!("which rows this takes into `{copy}` cannot be told"));
        }
        Coverage::Queued(fill) | Coverage::Cancelled(fill) => say::queue(finding, data, fill, &copy),
        Coverage::Unseen => {
            let made = schema.relation(hazard.copy.table).existence.origin().span;
            finding.because(made, format!("`{copy}` is older than the files at hand: what filled it cannot be seen"));
        }
        Coverage::Missing | Coverage::Complete | Coverage::Stated(_) => {}
    }
    tell_radius(finding, (schema, data), hazard, coverage);
    let not_valid: Vec<&Constraint> =
        hazard.keys.iter().map(|key| schema.constraint(*key)).filter(|key| !key.validated).collect();
    if let Some(key) = not_valid.first() {
        finding.because(
            key.existence.origin().span,
            "NOT VALID skips the rows that are there; every new one is checked at once",
        );
    }
    finding.object(&schema.relation(hazard.child).name);
    finding.object(&schema.relation(hazard.copy.table).name);
    for key in &hazard.keys {
        let key = schema.constraint(*key);
        finding.object(format!("{}.{}", schema.relation(key.table).name, key.name));
    }
}

/// Which writes fail, and which do not.
fn tell_radius(
    finding: &mut Finding,
    (schema, data): (&Schema, &crate::data::Data),
    hazard: &Hazard,
    coverage: &Coverage,
) {
    let first = schema.constraint(hazard.keys[0]);
    let parts: Vec<RelationId> = hazard.keys.iter().map(|key| schema.constraint(*key).table).collect();
    let own: Vec<Ident> = first.columns.iter().map(|column| schema.column_name(first.table, *column)).collect();
    let hit = match &hazard.arrival {
        Arrival::Trigger(feed, place) => {
            let write = &feed.writes[*place];
            let source = |column: &Ident| match write.value_of(column) {
                Some(Value::Source(source)) => source.clone(),
                _ => column.clone(),
            };
            let columns: Vec<Ident> = own.iter().map(source).collect();
            radius::hit(schema, feed, &columns, &parts)
        }
        Arrival::Application => radius::hit_directly(schema, hazard.child, &own, &parts),
    };
    let nullable = radius::nullable_columns(schema, first.id);
    let left_alone = radius::spared(schema, data, &hazard.copy, coverage, &nullable);
    finding.hit(hit).spare(left_alone);
}

fn way_out(finding: &mut Finding, schema: &Schema, hazard: &Hazard) {
    finding.instead(format!(
        "-- first, in an earlier release, copy every row, batch by batch, under a row lock that keeps the trigger's \
         order and does not block inserts that refer to these rows:\n\
         {}\n\
         -- then delete the rows of {} that refer to nothing, and only then add the foreign key.",
        say::backfill(schema, &hazard.state.data, &hazard.copy),
        schema.relation(hazard.child).name,
    ));
    finding.verify(say::uncopied_query(schema, &hazard.copy));
}
