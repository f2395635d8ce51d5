//! Synced copies whose trigger loses rows: errors that are caught, triggers switched off, operations left out.

use std::collections::BTreeSet;

use super::{Findings, say};
use crate::data::{Copy, Feed, FeedKind, FeedWrite, Value};
use crate::finding::Finding;
use crate::history::{Passed, State, Unit, Whole};
use crate::operation::{Action, Ident, Operation, Set, SetScope, Statement, TableActionKind, TriggerState, Truncate};
use crate::schema::{RelationId, Schema, TriggerId};
use crate::source::Span;

/// The copies that some triggers keep.
pub(super) fn copies<'a>(state: &'a State, triggers: &BTreeSet<TriggerId>) -> Vec<&'a Copy> {
    state.data.copies_of(&state.schema, triggers, &BTreeSet::new())
}

/// The feeds that keep a copy: of all triggers from its source into its tree.
pub(super) fn feeds<'a>(state: &'a State, copy: &'a Copy) -> Vec<&'a Feed> {
    if state.schema.get_relation(copy.table).is_none() {
        return Vec::new();
    }
    let into = state.data.feeds_into(&state.schema, copy.table);
    into.filter(|feed| feed.source == copy.source && feed.fires).collect()
}

/// Errors of a write that the function may meet and that mean that the row is not there.
fn swallowed(write: &FeedWrite) -> Option<&str> {
    let caught = write.caught.iter().map(|caught| &**caught);
    let mut lost =
        caught.filter(|caught| !matches!(*caught, "unique_violation" | "23505" | "raise_exception" | "p0001"));
    lost.next().filter(|_| !matches!(write.kind, FeedKind::Delete))
}

pub fn error_swallowed(unit: &Unit, findings: &mut Findings) {
    if unit.after.data.is_like(&unit.before.data) {
        return;
    }
    let changed = unit.after.data.changed_since(&unit.before.data);
    for feed in changed.iter().flat_map(|id| unit.after.data.feeds_of(*id)).filter(|feed| feed.fires) {
        let Some((write, error)) = feed.writes.iter().find_map(|write| Some((write, swallowed(write)?))) else {
            continue;
        };
        let known = unit.before.data.feeds_of(feed.trigger).iter().any(|before| {
            before.target == feed.target && before.fires && before.writes.iter().any(|write| swallowed(write).is_some())
        });
        if !known {
            report_swallowed(unit, feed, write, error, findings);
        }
    }
}

fn report_swallowed(unit: &Unit, feed: &Feed, write: &FeedWrite, error: &str, findings: &mut Findings) {
    let schema = &unit.after.schema;
    let Some(step) = made_in(unit, schema, feed.trigger) else { return };
    let (source, target) = (say::name(schema, feed.source), say::name(schema, feed.target));
    let function = schema.function(feed.function).name.short();
    let copy = copies(unit.after, &BTreeSet::from([feed.trigger]))
        .into_iter()
        .find(|copy| copy.table == schema.partition_root(feed.target));
    let message = format!(
        "`{target}` silently loses rows of `{source}`: `{function}` catches `{error}` around its write, so the write to `{source}` goes through without it"
    );
    // A log or a counter may well be worth less than the write that it goes with.
    let finding = findings.report(&step.origin, step.operation.word(), step.certain && copy.is_some(), message);
    finding.one_per(format!("{target} {function}"));
    finding.object(&schema.relation(feed.target).name);
    finding.object(&schema.relation(feed.source).name);
    say::path(finding, schema, feed, write, feed.target, None);
    finding.because(write.span, format!("this write to `{target}` stands in a block that catches `{error}`"));
    finding.instead(
        "let the error reach the writer: take the EXCEPTION clause out, and remove first what causes it: \
         a constraint of the copy, or rows that were never backfilled",
    );
    if let Some(copy) = copy {
        finding.verify(say::uncopied_query(schema, copy));
    }
}

/// The last step of a unit that made a trigger or its function.
fn made_in<'a>(unit: &Unit<'a>, schema: &Schema, trigger: TriggerId) -> Option<&'a Passed> {
    let trigger = schema.trigger(trigger);
    let mut parts = vec![trigger.existence.origin().span];
    parts.extend(trigger.function.map(|function| schema.function(function).existence.origin().span));
    unit.steps.iter().rfind(|step| parts.contains(&step.origin.span)).or(unit.steps.last())
}

pub fn disabled(unit: &Unit, findings: &mut Findings) {
    for step in unit.steps {
        bypassed(unit, step, findings);
    }
    if unit.after.data.is_like(&unit.before.data) {
        return;
    }
    let changed = unit.after.data.changed_since(&unit.before.data);
    for copy in copies(unit.before, &changed) {
        let fired = unit.before.data.feeds_of(copy.trigger).iter().any(|feed| feed.fires);
        let Some(trigger) = unit.after.schema.get_trigger(copy.trigger) else { continue };
        let goes_on = !feeds(unit.after, copy).is_empty() || unit.after.schema.get_relation(copy.table).is_none();
        if !fired || goes_on || !is_relied_on(unit.before, copy) {
            continue;
        }
        let Some(step) = unit.steps.iter().rfind(|step| switches_off(step, unit, copy)) else { continue };
        let (source, table) = (say::name(&unit.before.schema, copy.source), say::name(&unit.before.schema, copy.table));
        let message = format!(
            "writes to `{source}` no longer reach `{table}`: trigger `{}`, which keeps it in step, is disabled",
            trigger.name
        );
        let finding = findings.report(&step.origin, step.operation.word(), step.certain && copy.certain, message);
        about(finding, unit.before, copy);
        finding.instead(format!(
            "-- in the same transaction, so that no write comes between:\nALTER TABLE {source} ENABLE TRIGGER {};",
            trigger.name
        ));
    }
}

fn about(finding: &mut Finding, state: &State, copy: &Copy) {
    let schema = &state.schema;
    finding.one_per(format!("{} {}", say::name(schema, copy.table), say::name(schema, copy.source)));
    finding.object(&schema.relation(copy.table).name);
    finding.object(&schema.relation(copy.source).name);
    let trigger = schema.trigger(copy.trigger);
    finding.because(
        trigger.existence.origin().span,
        format!("trigger `{}` keeps `{}` in step since here", trigger.name, say::name(schema, copy.table)),
    );
    finding.verify(say::uncopied_query(schema, copy));
}

/// Foreign keys or views look at it, or somebody filled it.
fn is_relied_on(state: &State, copy: &Copy) -> bool {
    let table = state.schema.get_relation(copy.table).and_then(|table| table.as_table());
    table.is_some_and(|table| !table.referenced_by.is_empty() || !table.views.is_empty())
        || state.data.coverage(&state.schema, copy, copy.table).is_complete()
        || !state.data.fills_of(copy.table).is_empty()
}

fn switches_off(step: &Passed, unit: &Unit, copy: &Copy) -> bool {
    let Operation::AlterTable(alter) = &step.operation else { return false };
    let off = alter.actions.iter().any(|action| {
        matches!(
            &action.kind,
            TableActionKind::SetTrigger { enabled: TriggerState::Disabled | TriggerState::Replica, .. }
        )
    });
    off && unit.before.schema.find(&alter.table).is_some_and(|table| table.id == copy.source)
}

/// A write of the migration under `session_replication_role = replica`: ordinary triggers do not fire.
fn bypassed(unit: &Unit, step: &Passed, findings: &mut Findings) {
    let Operation::Write(write) = &step.operation else { return };
    let schema = &unit.before.schema;
    let Some(source) = schema.find(&write.target).map(|relation| relation.id) else { return };
    let Some(set) = replica_role(unit, step) else { return };
    let kept = unit.before.data.feeds_from(source).filter(|feed| feed.fires);
    let triggers: BTreeSet<TriggerId> = kept
        .map(|feed| feed.trigger)
        .filter(|id| schema.get_trigger(*id).is_some_and(|trigger| trigger.enabled == TriggerState::Origin))
        .collect();
    for copy in copies(unit.before, &triggers).into_iter().filter(|copy| is_relied_on(unit.before, copy)) {
        let (name, table) = (say::name(schema, source), say::name(schema, copy.table));
        let message = format!(
            "this write to `{name}` does not reach `{table}`: under session_replication_role = replica trigger `{}` does not fire",
            schema.trigger(copy.trigger).name
        );
        let finding = findings.report(&step.origin, step.operation.word(), step.certain && copy.certain, message);
        about(finding, unit.before, copy);
        finding.because(set, "set here");
        finding.instead(format!(
            "-- do without the setting, or let this trigger fire all the same:\nALTER TABLE {name} ENABLE ALWAYS TRIGGER {};",
            schema.trigger(copy.trigger).name
        ));
    }
}

/// Where the role in force at a step of this migration was set, if it is `replica`.
fn replica_role(unit: &Unit, step: &Passed) -> Option<Span> {
    let mut found = None;
    let in_unit = |span: Span| unit.steps.iter().any(|step| step.origin.span == span);
    let mut visit = |statement: &Statement| {
        let Operation::Set(Set { scope, name, values }) = &statement.operation else { return };
        if &**name != "session_replication_role" || statement.span.start > step.origin.span.start {
            return;
        }
        let holds = *scope == SetScope::Session || *scope == SetScope::Local && in_unit(statement.span);
        let replica = values.as_ref().is_some_and(|values| values.iter().any(|value| &**value == "replica"));
        found = (holds && replica).then_some(statement.span);
    };
    unit.context.migration.up.nodes.iter().for_each(|node| node.statements(&mut visit));
    found
}

pub fn misses_operation(whole: &Whole, findings: &mut Findings) {
    truncated(whole, findings);
    if whole.after.data.is_like(&whole.before.data) {
        return;
    }
    let changed = whole.after.data.changed_since(&whole.before.data);
    let mut told: BTreeSet<(RelationId, RelationId)> = BTreeSet::new();
    for copy in copies(whole.after, &changed) {
        let missed = missed(whole.after, copy);
        let before = copies(whole.before, &changed);
        let known = before.iter().find(|known| known.source == copy.source && known.table == copy.table);
        let known = known.map(|known| self::missed(whole.before, known)).unwrap_or_default();
        let fresh: Vec<&str> = missed.into_iter().filter(|one| !known.contains(one)).collect();
        if fresh.is_empty() || !told.insert((copy.source, copy.table)) || comes_later(whole, copy) {
            continue;
        }
        report_missed(whole, copy, &fresh, findings);
    }
}

/// The operations on the source that change nothing in the copy, and should.
fn missed(state: &State, copy: &Copy) -> Vec<&'static str> {
    let schema = &state.schema;
    let feeds = feeds(state, copy);
    let writes = || feeds.iter().flat_map(|feed| &feed.writes);
    let is_key = |column: &Ident| copy.key.iter().any(|(key, _)| key == column);
    // Where only the key is taken the row says no more than that there is one.
    let carries = writes()
        .any(|write| write.values.iter().any(|(column, value)| matches!(value, Value::Source(_)) && !is_key(column)));
    // What goes on from the row before is made of a log, to which rows are only added.
    let goes_on = feeds.iter().any(|feed| feed.earlier_rows(copy).is_some());
    if !carries || goes_on || !is_mirror(state, copy, &feeds) {
        return Vec::new();
    }
    let updates = writes().any(|write| {
        write.events.update
            && !matches!(write.kind, FeedKind::Insert { conflict } if conflict != crate::data::Conflict::Updates)
    });
    let deletes = writes().any(|write| write.events.delete && write.kind == FeedKind::Delete);
    let cascades = schema.constraints_of(copy.table).any(|constraint| {
        constraint.as_foreign().is_some_and(|key| key.references == copy.source && key.on_delete != Action::NoAction)
    });
    let mut missed = Vec::new();
    if !updates {
        missed.push("UPDATE");
    }
    if !deletes && !cascades {
        missed.push("DELETE");
    }
    missed
}

/// Most of the source's columns are in it, and no other table's: not a queue, a lookup table, the base of a subtype.
fn is_mirror(state: &State, copy: &Copy, feeds: &[&Feed]) -> bool {
    let schema = &state.schema;
    let taken: BTreeSet<&Ident> = feeds
        .iter()
        .flat_map(|feed| &feed.writes)
        .flat_map(|write| &write.values)
        .filter_map(|(_, value)| match value {
            Value::Source(column) => Some(column),
            _ => None,
        })
        .collect();
    let columns =
        schema.get_relation(copy.source).and_then(|source| source.as_table()).map(|table| table.columns.len());
    let base = schema.constraints_of(copy.source).any(|constraint| {
        constraint.as_foreign().is_some_and(|key| {
            schema.get_relation(key.references).is_some() && schema.partition_root(key.references) == copy.table
        })
    });
    let shared = state.data.feeds_into(schema, copy.table).any(|feed| feed.source != copy.source);
    !base && !shared && columns.is_some_and(|columns| taken.len() * 3 >= columns * 2)
}

/// A later migration makes another trigger on the source.
fn comes_later(whole: &Whole, copy: &Copy) -> bool {
    let name = &whole.after.schema.relation(copy.source).name.name;
    let Some(last) = whole.steps.last() else { return false };
    let makes = |statement: &Statement| matches!(&statement.operation, Operation::CreateTrigger(create) if create.table.name == *name);
    whole.context.plan.find_later(whole.context.at.migration, last.origin.span, &makes).is_some()
}

fn report_missed(whole: &Whole, copy: &Copy, missed: &[&str], findings: &mut Findings) {
    let schema = &whole.after.schema;
    let trigger = schema.trigger(copy.trigger);
    let mut parts = vec![trigger.existence.origin().span];
    parts.extend(trigger.function.map(|function| schema.function(function).existence.origin().span));
    let Some(step) = whole.steps.iter().rfind(|step| parts.contains(&step.origin.span)) else { return };
    let (source, table) = (say::name(schema, copy.source), say::name(schema, copy.table));
    let operations = missed.join(" and ");
    let effect = match missed {
        ["UPDATE"] => "its rows grow old",
        ["DELETE"] => "deleted rows stay there",
        _ => "its rows grow old, and deleted ones stay there",
    };
    let verb = if missed.len() == 1 { "does" } else { "do" };
    let message = format!("{operations} on `{source}` {verb} not reach its copy `{table}`: {effect}");
    let finding = findings.report(&step.origin, step.operation.word(), step.certain && copy.certain, message);
    about(finding, whole.after, copy);
    finding.verify = None;
    let key: Vec<String> = copy.key.iter().map(|(copy, source)| format!("{copy} = OLD.{source}")).collect();
    let function = trigger.function.map(|id| schema.function(id).name.to_string()).unwrap_or_default();
    let delete = if missed.contains(&"DELETE") {
        format!("DELETE FROM {table} WHERE {};  -- in {function}, where TG_OP = 'DELETE'\n", key.join(" AND "))
    } else {
        String::new()
    };
    let update = if missed.contains(&"UPDATE") {
        format!("-- in {function}: INSERT … ON CONFLICT … DO UPDATE for INSERT and UPDATE alike\n")
    } else {
        String::new()
    };
    finding.instead(format!(
        "{update}{delete}DROP TRIGGER {name} ON {source};\n\
         CREATE TRIGGER {name} AFTER INSERT OR UPDATE OR DELETE ON {source} FOR EACH ROW EXECUTE FUNCTION {function}();",
        name = trigger.name
    ));
}

/// TRUNCATE fires no row triggers.
fn truncated(whole: &Whole, findings: &mut Findings) {
    for step in whole.steps {
        let Operation::Truncate(Truncate { tables, .. }) = &step.operation else { continue };
        let schema = &whole.after.schema;
        let ids: Vec<RelationId> =
            tables.iter().filter_map(|table| schema.find(&table.name)).map(|table| table.id).collect();
        for source in &ids {
            let triggers = whole.after.data.feeds_from(*source).map(|feed| feed.trigger).collect();
            let heard = schema.triggers_of(*source).iter().any(|trigger| trigger.events.truncate);
            for copy in copies(whole.after, &triggers) {
                let both = ids.contains(&copy.table);
                if heard || both || copy.source != *source {
                    continue;
                }
                let (name, table) = (say::name(schema, *source), say::name(schema, copy.table));
                let message = format!(
                    "`{table}` keeps the rows that this takes from `{name}`: TRUNCATE does not fire trigger `{}`",
                    schema.trigger(copy.trigger).name
                );
                let certain = step.certain && copy.certain;
                let finding = findings.report(&step.origin, step.operation.word(), certain, message);
                about(finding, whole.after, copy);
                finding.verify = None;
                finding.instead(format!("TRUNCATE {name}, {table};"));
            }
        }
    }
}
