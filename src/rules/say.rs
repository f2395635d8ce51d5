//! Words that several rules share: names of objects, the path a write takes.

use crate::data::{Feed, FeedWrite};
use crate::finding::{Finding, LinkKind};
use crate::operation::Origin;
use crate::schema::{ConstraintId, RelationId, Schema};

/// A relation as messages name it, without backticks.
pub fn name(schema: &Schema, relation: RelationId) -> String {
    schema.get_relation(relation).map_or_else(|| "?".to_owned(), |relation| relation.name.short())
}

/// A list in words: `a`, `b` and `c`; long ones are cut.
pub fn list(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let quoted: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(SHOWN);
    match quoted.split_last() {
        None => String::new(),
        Some(_) if more > 0 => format!("{} and {more} more", quoted.join(", ")),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// Adds the path of a write: `INSERT source` → trigger → function → table → partition → constraint.
pub fn path(
    finding: &mut Finding,
    schema: &Schema,
    feed: &Feed,
    write: &FeedWrite,
    at: RelationId,
    constraint: Option<ConstraintId>,
) {
    let verb = match (write.events.insert, write.events.update, write.events.delete) {
        (true, _, _) => "INSERT",
        (false, true, _) => "UPDATE",
        (false, false, _) => "DELETE",
    };
    let source = name(schema, feed.source);
    let trigger = schema.trigger(feed.trigger);
    let function = schema.function(feed.function);
    let made = |relation: RelationId| schema.get_relation(relation).map(|found| found.existence.origin().span);
    finding.link(LinkKind::Write, format!("{verb} {source}"), made(feed.source));
    finding.link(LinkKind::Trigger, trigger.name.to_string(), Some(trigger.existence.origin().span));
    finding.link(LinkKind::Function, function.name.short(), Some(write.span));
    finding.link(LinkKind::Table, name(schema, feed.target), made(feed.target));
    if at != feed.target {
        finding.link(LinkKind::Partition, name(schema, at), made(at));
    }
    if let Some(constraint) = constraint.and_then(|id| schema.get_constraint(id)) {
        finding.link(LinkKind::Constraint, constraint.name.to_string(), Some(constraint.existence.origin().span));
    }
}

/// The step, among those of a unit, that came last of several: the one that completes what they make together.
pub fn completing<'a>(steps: &'a [crate::history::Passed], parts: &[&Origin]) -> Option<&'a crate::history::Passed> {
    let made = |step: &&crate::history::Passed| parts.iter().any(|part| part.span == step.origin.span);
    steps.iter().rfind(made).or(steps.last())
}
