//! A value that is asked for before any code that runs gives one.

use std::collections::BTreeMap;

use super::constraint_before_backfill::required;
use super::nature::holds_written_rows;
use super::{Findings, say};
use crate::finding::Severity;
use crate::history::{Passed, Whole};
use crate::operation::{Ident, TriggerTiming};
use crate::schema::{Column, Relation, RelationId, Schema};

/// `constraint-before-writer`: the column comes in the release that asks for its value, and the release before it runs on.
pub fn check(whole: &Whole, findings: &mut Findings) {
    let schema = &whole.after.schema;
    for step in whole.steps.iter().filter(|step| step.applied.failure().is_none()) {
        // One INSERT fails for all of them at once.
        let mut asked: BTreeMap<RelationId, Vec<&Column>> = BTreeMap::new();
        let too_early = |table: &Relation, column: &Column| is_asked_too_early(whole, table, column);
        for (table, name) in required(&step.operation, schema, &too_early) {
            let known = schema.get_relation(table).and_then(|relation| relation.as_table());
            if let Some(column) = known.and_then(|table| table.column(&name)) {
                asked.entry(table).or_default().push(column);
            }
        }
        for (table, columns) in asked {
            report(whole, step, table, &columns, findings);
        }
    }
}

fn is_asked_too_early(whole: &Whole, relation: &Relation, column: &Column) -> bool {
    let (schema, context, table) = (&whole.after.schema, &whole.context, relation.id);
    let has_own_value = column.default.is_some()
        || column.identity.is_some()
        || column.generated.is_some()
        || column.sequence.is_some();
    context.is_of_this_release(&column.existence)
        && !context.is_of_this_release(&relation.existence)
        && !has_own_value
        && !is_filled_by_trigger(whole, schema, table, &column.name)
        // What a trigger writes is the trigger's to fill: copy-stricter-than-source.
        && whole.after.data.feeds_into(schema, table).next().is_none()
        && whole.after.data.emptied(table).is_none()
}

/// A BEFORE trigger of the table names the column.
fn is_filled_by_trigger(whole: &Whole, schema: &Schema, table: RelationId, column: &Ident) -> bool {
    let naming: Vec<_> = whole.after.data.triggers_naming(column).collect();
    schema.triggers_of(table).into_iter().any(|trigger| {
        let fills = naming.contains(&trigger.id) || whole.after.data.uses_of(trigger.id).is_none();
        trigger.timing == TriggerTiming::Before && trigger.events.insert && fills
    })
}

fn report(whole: &Whole, step: &Passed, table: RelationId, columns: &[&Column], findings: &mut Findings) {
    let schema = &whole.after.schema;
    let name = say::name(schema, table);
    let names: Vec<String> = columns.iter().map(|column| column.name.to_string()).collect();
    let comes = if columns.len() == 1 { "a value, and it comes" } else { "values, and they come" };
    let message = format!(
        "every INSERT into `{name}` by the code that still runs fails: {} must have {comes} in this release",
        say::list(&names)
    );
    let finding = findings.report(&step.origin, step.operation.word(), step.certain, message);
    // Operators and migrations write such a table, and no code that runs.
    if holds_written_rows(&whole.context, whole.after, table) {
        finding.severity = finding.severity.min(Severity::Note);
        finding
            .message
            .push_str(&format!("; migrations write out what `{name}` holds, as they do of kinds and settings"));
    }
    finding.one_per(format!("{name} {}", names.join(" ")));
    let relation = &schema.relation(table).name;
    finding.object(relation);
    for column in columns {
        finding.object(format!("{relation}.{}", column.name));
        finding.because(column.existence.origin().span, format!("`{}` is added here, without a default", column.name));
    }
    finding.instead(format!(
        "-- in this release only the column; the code that gives it a value goes out with it\n\
         -- in a later release, when no older code runs any more and every old row has a value: the constraint on {relation}"
    ));
}
