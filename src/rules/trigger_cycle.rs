//! Triggers that write each other's tables in a circle, without anything that ends it.

use std::collections::BTreeSet;

use super::{Findings, say};
use crate::data::{Conflict, Data, Events, Feed, FeedKind, FeedWrite};
use crate::finding::LinkKind;
use crate::history::Unit;
use crate::schema::{RelationId, Schema, TriggerId};

/// Triggers that a circle may have.
const LENGTH_LIMIT: usize = 6;

pub fn check(unit: &Unit, findings: &mut Findings) {
    if unit.after.data.is_like(&unit.before.data) {
        return;
    }
    let changed = unit.after.data.changed_since(&unit.before.data);
    let mut told: BTreeSet<BTreeSet<TriggerId>> = BTreeSet::new();
    for id in &changed {
        for feed in unit.after.data.feeds_of(*id).iter().filter(|feed| feed.fires) {
            let (schema, data) = (&unit.after.schema, &unit.after.data);
            let Some(way) = circle(schema, data, feed) else { continue };
            let triggers: BTreeSet<TriggerId> = way.iter().map(|feed| feed.trigger).collect();
            let known = unit.before.data.feeds_of(*id).iter().any(|known| {
                known.target == feed.target && circle(&unit.before.schema, &unit.before.data, known).is_some()
            });
            if !known && told.insert(triggers) {
                report(unit, &way, findings);
            }
        }
    }
}

/// The feeds that lead from a table back to its trigger.
fn circle<'a>(schema: &Schema, data: &'a Data, first: &'a Feed) -> Option<Vec<&'a Feed>> {
    for write in first.writes.iter().filter(|write| goes_on(write)) {
        let mut way = Way { schema, data, first, started: write.events, feeds: vec![first], seen: BTreeSet::new() };
        if way.leads_back(first, write) {
            return Some(way.feeds);
        }
    }
    None
}

/// Nothing asks whether it is to happen again. A row is deleted once, and a row that is there is not inserted again.
fn goes_on(write: &FeedWrite) -> bool {
    let ends = matches!(write.kind, FeedKind::Delete | FeedKind::Insert { conflict: Conflict::Ignored });
    !write.bounded && write.guards.is_empty() && !ends
}

/// One walk along triggers.
struct Way<'a, 's> {
    schema: &'s Schema,
    data: &'a Data,
    first: &'a Feed,
    /// The events under which the first trigger writes.
    started: Events,
    feeds: Vec<&'a Feed>,
    seen: BTreeSet<(TriggerId, RelationId)>,
}

impl Way<'_, '_> {
    fn leads_back(&mut self, feed: &Feed, write: &FeedWrite) -> bool {
        let (data, caused) = (self.data, write.causes());
        if feed.target == self.first.source && self.feeds.len() > 1 {
            return caused.meets(self.started) && self.hears(self.first.trigger, write);
        }
        if self.feeds.len() >= LENGTH_LIMIT {
            return false;
        }
        for next in data.feeds_from(feed.target).filter(|next| next.fires) {
            if !self.hears(next.trigger, write) || !self.seen.insert((next.trigger, next.target)) {
                continue;
            }
            self.feeds.push(next);
            for further in next.writes.iter().filter(|further| goes_on(further) && further.events.meets(caused)) {
                if self.leads_back(next, further) {
                    return true;
                }
            }
            self.feeds.pop();
        }
        false
    }

    /// `UPDATE OF columns` fires only where one of them is set.
    fn hears(&self, trigger: TriggerId, write: &FeedWrite) -> bool {
        let Some(trigger) = self.schema.get_trigger(trigger) else { return false };
        let named = |column| write.value_of(&self.schema.column_name(trigger.table, column)).is_some();
        let all = trigger.update_columns.is_empty() || write.kind != FeedKind::Update;
        all || trigger.update_columns.iter().any(|column| named(*column))
    }
}

fn report(unit: &Unit, circle: &[&Feed], findings: &mut Findings) {
    let schema = &unit.after.schema;
    let parts: Vec<_> = circle
        .iter()
        .flat_map(|feed| {
            [
                schema.trigger(feed.trigger).existence.origin().span,
                schema.function(feed.function).existence.origin().span,
            ]
        })
        .collect();
    let Some(step) = unit.steps.iter().rfind(|step| parts.contains(&step.origin.span)) else { return };
    let start = say::name(schema, circle[0].source);
    let way: Vec<String> = circle
        .iter()
        .map(|feed| {
            format!("trigger `{}` writes `{}`", schema.trigger(feed.trigger).name, say::name(schema, feed.target))
        })
        .collect();
    let message = format!("writes to `{start}` may never end: {}, and nothing stops the circle", way.join(", "));
    let certain = step.certain && circle.iter().all(|feed| feed.certain);
    let finding = findings.report(&step.origin, step.operation.word(), certain, message);
    for feed in circle {
        let trigger = schema.trigger(feed.trigger);
        finding.object(&schema.relation(feed.source).name);
        finding.link(LinkKind::Trigger, trigger.name.to_string(), Some(trigger.existence.origin().span));
        finding.link(LinkKind::Table, say::name(schema, feed.target), None);
        let span = trigger.existence.origin().span;
        if span != step.origin.span {
            finding.because(span, format!("trigger `{}` fires on `{}`", trigger.name, say::name(schema, feed.source)));
        }
    }
    let last = schema.trigger(circle[circle.len() - 1].trigger);
    finding.instead(format!(
        "-- let one of them fire for the application's own writes only: WHEN (pg_trigger_depth() = 0)\n\
         DROP TRIGGER {name} ON {table};\n\
         CREATE TRIGGER {name} … ON {table} FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION {function}();",
        name = last.name,
        table = schema.relation(last.table).name,
        function = last.function_name,
    ));
}
