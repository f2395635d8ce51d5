//! Deletes that a foreign key used to pass on, and that nothing passes on any more.

use std::collections::{BTreeMap, BTreeSet};

use super::{Findings, say};
use crate::data::FeedKind;
use crate::history::{Passed, State, Whole};
use crate::operation::{Action, Operation, TableActionKind};
use crate::schema::{Constraint, ForeignRow, FunctionId, RelationId, Schema, Trigger};

/// `delete-tracking-lost`: the project follows deletes by triggers, and not on the table whose key goes.
pub fn lost(whole: &Whole, findings: &mut Findings) {
    let mut functions = None;
    for step in whole.steps {
        let Operation::AlterTable(alter) = &step.operation else { continue };
        let Some((before, _)) = step.change() else { continue };
        let Some(table) = before.schema.find_table(&alter.table) else { continue };
        for action in &alter.actions {
            let TableActionKind::DropConstraint { name, .. } = &action.kind else { continue };
            let Some(key) = before.schema.find_constraint(table.id, name) else { continue };
            let Some(foreign) = key.as_foreign().filter(|foreign| passes_on(foreign)) else { continue };
            let functions = functions.get_or_insert_with(|| tracking_functions(whole.after));
            if is_missed(whole, functions, key, foreign) {
                report(whole, step, before, functions, key, foreign, findings);
            }
        }
    }
}

fn passes_on(foreign: &ForeignRow) -> bool {
    matches!(foreign.on_delete, Action::Cascade | Action::SetNull | Action::SetDefault) && !foreign.referenced_side
}

/// Functions that write down what a table's rows were when they are deleted, whichever table that is: they ask for its
/// name, or serve several. One that knows its table does something of that table's own.
fn tracking_functions(state: &State) -> BTreeSet<FunctionId> {
    let mut tables: BTreeMap<FunctionId, BTreeSet<RelationId>> = BTreeMap::new();
    for trigger in state.schema.triggers().filter(|trigger| is_tracking(state, trigger)) {
        if let Some(function) = trigger.function {
            tables.entry(function).or_default().insert(trigger.table);
        }
    }
    tables.retain(|function, tables| tables.len() > 1 || asks_for_its_table(&state.schema, *function));
    tables.into_keys().collect()
}

/// Its body reads `TG_TABLE_NAME`, `TG_RELID` or what its trigger hands it.
fn asks_for_its_table(schema: &Schema, function: FunctionId) -> bool {
    let body = schema.function(function).body.text.to_ascii_lowercase();
    ["tg_table_name", "tg_relid", "tg_relname", "tg_argv"].iter().any(|name| body.contains(name))
}

fn is_tracking(state: &State, trigger: &Trigger) -> bool {
    let writes = state.data.feeds_of(trigger.id).iter().filter(|feed| feed.fires).flat_map(|feed| &feed.writes);
    let mut writes = writes.filter(|write| write.events.delete);
    let only_delete = trigger.events.delete && !trigger.events.insert && !trigger.events.update;
    only_delete && writes.any(|write| matches!(write.kind, FeedKind::Insert { .. }))
}

/// Nothing takes the key's place: no other key, no trigger on the referenced table; and both tables stay.
fn is_missed(whole: &Whole, functions: &BTreeSet<FunctionId>, key: &Constraint, foreign: &ForeignRow) -> bool {
    let schema = &whole.after.schema;
    let (Some(child), Some(_)) = (schema.get_relation(key.table), schema.get_relation(foreign.references)) else {
        return false;
    };
    let root = schema.partition_root(foreign.references);
    let columns_stay = child
        .as_table()
        .is_some_and(|table| key.columns.iter().all(|column| table.columns.iter().any(|known| known.id == *column)));
    let replaced = schema.constraints_of(key.table).any(|other| {
        let leads = other.as_foreign().is_some_and(|row| schema.partition_root(row.references) == root);
        leads && other.columns == key.columns
    });
    columns_stay && !replaced && !functions.is_empty() && !is_tracked(schema, functions, root)
}

fn is_tracked(schema: &Schema, functions: &BTreeSet<FunctionId>, table: RelationId) -> bool {
    schema.triggers_of(table).iter().any(|trigger| trigger.function.is_some_and(|id| functions.contains(&id)))
}

fn report(
    whole: &Whole,
    step: &Passed,
    before: &State,
    functions: &BTreeSet<FunctionId>,
    key: &Constraint,
    foreign: &ForeignRow,
    findings: &mut Findings,
) {
    let schema = &before.schema;
    let (child, parent) = (say::name(schema, key.table), say::name(schema, foreign.references));
    let message = format!(
        "rows of `{child}` stay behind when their row of `{parent}` is deleted: key `{}` goes, and no trigger follows \
         deletes of `{parent}`",
        key.name
    );
    let finding = findings.report(&step.origin, "drop-constraint", step.certain, message);
    finding.one_per(format!("{child} {parent}"));
    finding.object(&schema.relation(key.table).name);
    finding.object(&schema.relation(foreign.references).name);
    finding.because(key.existence.origin().span, format!("`{}` passed each DELETE on", key.name));
    let mut triggers = whole.after.schema.triggers();
    if let Some(other) = triggers.find(|one| one.function.is_some_and(|id| functions.contains(&id))) {
        let table = say::name(&whole.after.schema, other.table);
        finding.because(
            other.existence.origin().span,
            format!("elsewhere a trigger does it: `{}` on `{table}`", other.name),
        );
    }
    finding.instead(format!(
        "-- first the trigger that follows deletes of {parent}, in an earlier migration; then drop the key"
    ));
    let columns: Vec<String> =
        key.columns.iter().map(|column| schema.column_name(key.table, *column).to_string()).collect();
    let referenced: Vec<String> = foreign
        .referenced_columns
        .iter()
        .map(|column| schema.column_name(foreign.references, *column).to_string())
        .collect();
    let equal: Vec<String> =
        columns.iter().zip(&referenced).map(|(own, other)| format!("p.{other} = c.{own}")).collect();
    let present: Vec<String> = columns.iter().map(|column| format!("c.{column} IS NOT NULL")).collect();
    finding.verify(format!(
        "SELECT count(*) FROM {} AS c WHERE {} AND NOT EXISTS (SELECT FROM {} AS p WHERE {})",
        schema.relation(key.table).name,
        present.join(" AND "),
        schema.relation(foreign.references).name,
        equal.join(" AND ")
    ));
}
