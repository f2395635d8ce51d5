//! A trigger that takes values from earlier rows of the copy it keeps, while those of before the trigger are not in it.

use std::collections::BTreeSet;

use super::{Findings, say, sync, weight};
use crate::data::{Copy, Coverage, Feed, FeedRead};
use crate::history::{Passed, State, Unit};
use crate::schema::TriggerId;
use crate::source::Span;

struct Hazard<'a> {
    copy: &'a Copy,
    feed: &'a Feed,
    read: &'a FeedRead,
    coverage: Coverage<'a>,
}

pub fn check(unit: &Unit, findings: &mut Findings) {
    if unit.after.data.is_like(&unit.before.data) {
        return;
    }
    let changed = unit.after.data.changed_since(&unit.before.data);
    let known: Vec<_> = hazards(unit.before, &changed).iter().map(|hazard| hazard.copy.table).collect();
    for hazard in hazards(unit.after, &changed) {
        if !known.contains(&hazard.copy.table) {
            report(unit, &hazard, findings);
        }
    }
}

fn hazards<'a>(state: &'a State, changed: &BTreeSet<TriggerId>) -> Vec<Hazard<'a>> {
    let (schema, data) = (&state.schema, &state.data);
    let of = |copy: &'a Copy| {
        let mut feeds = data.feeds_of(copy.trigger).iter();
        let feed = feeds.find(|feed| feed.fires && schema.partition_root(feed.target) == copy.table)?;
        let read = feed.earlier_rows(copy)?;
        let coverage = data.coverage(schema, copy, copy.table);
        coverage.is_unfilled().then_some(Hazard { copy, feed, read, coverage })
    };
    sync::copies(state, changed).into_iter().filter_map(of).collect()
}

fn report(unit: &Unit, hazard: &Hazard, findings: &mut Findings) {
    let schema = &unit.after.schema;
    let Some(step) = completing_step(unit, hazard) else { return };
    let (source, table) = (say::name(schema, hazard.copy.source), say::name(schema, hazard.copy.table));
    let trigger = schema.trigger(hazard.copy.trigger);
    let function = schema.function(hazard.feed.function).name.short();
    let message = format!(
        "`{function}` writes wrong rows to `{table}`: it goes on from earlier rows there, and for what `{source}` held \
         before the trigger there are none"
    );
    let certain = step.certain && hazard.copy.certain && hazard.feed.certain;
    let finding = findings.report(&step.origin, step.operation.word(), certain, message);
    finding.one_per(format!("{table} {source}"));
    finding.object(&schema.relation(hazard.copy.table).name);
    finding.object(&schema.relation(hazard.copy.source).name);
    let since = trigger.existence.origin().span;
    finding.because(since, format!("only rows written since trigger `{}` reach `{table}`", trigger.name));
    finding.because(
        hazard.read.span,
        format!("`{function}` takes values from `{table}` here, or NULL where there is no such row"),
    );
    if let Coverage::Queued(fill) | Coverage::Cancelled(fill) = hazard.coverage {
        say::queue(finding, &unit.after.data, fill, &table);
    }
    finding.spare(format!("rows of `{source}` that go on from none of before the trigger"));
    finding.instead(format!(
        "-- in one transaction, so that no write comes between the two:\n\
         LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE;\n\
         -- fill {} from all rows of {source}, the oldest first, in the way of {function};\n\
         -- then make the trigger",
        schema.relation(hazard.copy.source).name,
        schema.relation(hazard.copy.table).name,
    ));
    finding.verify(say::uncopied_query(schema, hazard.copy));
    weight::aged(&unit.context, unit.before, finding, hazard.copy.source);
}

/// The trigger or its function: the last of them in this unit.
fn completing_step<'a>(unit: &Unit<'a>, hazard: &Hazard) -> Option<&'a Passed> {
    let schema = &unit.after.schema;
    let made: [Span; 2] = [
        schema.trigger(hazard.copy.trigger).existence.origin().span,
        schema.function(hazard.feed.function).existence.origin().span,
    ];
    unit.steps.iter().rfind(|step| made.contains(&step.origin.span)).or(unit.steps.last())
}
