//! Tables, columns, views and schemas that a migration takes away while the release before it still runs.

use std::collections::BTreeMap;

use super::{Findings, say, used_by_models};
use crate::finding::{Finding, Severity};
use crate::history::{Passed, Phase, State, Step, Whole};
use crate::operation::{
    Drop, Expr, Expression, Ident, Name, ObjectKind, Operation, Output, Persistence, Query, Rows, TableActionKind,
    Write, WriteKind,
};
use crate::schema::{Column, IndexKey, Relation, RelationId, Schema, Table};

/// The drops of a migration that ran, each with the states around it.
fn drops<'a>(whole: &'a Whole) -> impl Iterator<Item = (&'a Passed, &'a Drop, &'a State, &'a State)> {
    whole.steps.iter().filter_map(|step| {
        let Operation::Drop(drop) = &step.operation else { return None };
        let (before, after) = step.change()?;
        Some((step, drop, before, after))
    })
}

pub(super) fn is_temporary(table: &Table) -> bool {
    table.persistence == Persistence::Temporary
}

pub fn table(whole: &Whole, findings: &mut Findings) {
    let (partitions, tables): (Vec<_>, Vec<_>) =
        dropped_tables(whole).into_iter().partition(|(_, one)| is_partition(one));
    // One migration that clears away is one fault, however many tables it drops.
    if let Some((step, first)) = tables.first() {
        let names: Vec<String> = tables.iter().map(|(_, one)| one.name.short()).collect();
        let (go, their, fail) = if names.len() == 1 { ("goes", "its", "it") } else { ("go", "their", "them") };
        let message = format!(
            "{} {go} with all {their} rows; code of the previous release that names {fail} fails from here on",
            say::list(&names)
        );
        let certain = step.certain && first.existence.is_certain();
        let was_read = tables.iter().any(|(step, one)| is_read_before(whole, step, one, None));
        let finding = findings.report(&step.origin, "drop-table", certain && was_read, message);
        soften_after_deploy(whole, finding);
        soften_unnamed(whole, finding, tables.iter().map(|(_, one)| &one.name.name));
        let mut statements = Vec::new();
        for (_, one) in &tables {
            finding.object(&one.name);
            finding.because(one.existence.origin().span, format!("`{}` is older than this release", one.name.short()));
            statements.push(format!("DROP TABLE {};", one.name));
        }
        let statements = statements.join("\n");
        finding.instead(format!("-- one release later than the code that no longer names {fail}:\n{statements}"));
    }
    for (step, partition) in partitions {
        let message = format!("partition `{}` goes with all its rows", partition.name.short());
        let finding = findings.report(&step.origin, "drop-table", step.certain, message);
        finding.object(&partition.name);
        finding.severity = finding.severity.min(Severity::Note);
    }
}

/// Tables in use that a migration drops, each with the statement that does.
pub(super) fn dropped_tables<'a>(whole: &'a Whole) -> Vec<(&'a Passed, &'a Relation)> {
    let mut found: Vec<(&Passed, &Relation)> = Vec::new();
    for (step, drop, before, _) in drops(whole) {
        if !matches!(drop.kind, ObjectKind::Table | ObjectKind::ForeignTable) {
            continue;
        }
        for relation in drop.targets.iter().filter_map(|target| before.schema.find_table(&target.name)) {
            let temporary = relation.as_table().is_some_and(is_temporary);
            // Made again, or another table took the name: the swap's own rules speak.
            let again = whole.after.schema.find(&relation.name.as_name()).is_some();
            if !(temporary || again || whole.context.is_new(before, relation.id)) {
                found.push((step, relation));
            }
        }
    }
    found
}

fn is_partition(relation: &Relation) -> bool {
    relation.as_table().is_some_and(|table| table.partition_of.is_some())
}

/// Columns of one table that a migration drops, with the first of its statements: one fault.
pub(super) struct Dropped<'a> {
    pub step: &'a Passed,
    pub relation: &'a Relation,
    pub columns: Vec<&'a Column>,
}

pub fn column(whole: &Whole, findings: &mut Findings) {
    for Dropped { step, relation, mut columns } in dropped(whole) {
        // The running code looks away from it: that is how a column goes.
        columns.retain(|column| !used_by_models::is_ignored(whole, relation, &column.name));
        if !columns.is_empty() {
            dropped_columns(whole, step, relation, &columns, findings);
        }
    }
}

/// Columns in use that a migration drops, by table.
pub(super) fn dropped<'a>(whole: &'a Whole) -> Vec<Dropped<'a>> {
    let mut found: BTreeMap<RelationId, Dropped> = BTreeMap::new();
    for step in whole.steps {
        let Operation::AlterTable(alter) = &step.operation else { continue };
        let Some((before, _)) = step.change() else { continue };
        let Some(relation) = before.schema.find_table(&alter.table) else { continue };
        let Some(table) = relation.as_table().filter(|table| !is_temporary(table)) else { continue };
        // Where the whole table goes, drop-table speaks.
        if whole.context.is_new(before, relation.id) || whole.after.schema.get_relation(relation.id).is_none() {
            continue;
        }
        let names = alter.actions.iter().filter_map(|action| match &action.kind {
            TableActionKind::DropColumn { column, .. } => Some(column),
            _ => None,
        });
        let dropped =
            names.filter_map(|name| table.column(name)).filter(|one| !whole.context.is_of_this_release(&one.existence));
        for column in dropped {
            let one = found.entry(relation.id).or_insert_with(|| Dropped { step, relation, columns: Vec::new() });
            one.columns.push(column);
        }
    }
    found.into_values().collect()
}

/// No code of the base names any of it: whatever used it is gone already.
pub(super) fn soften_unnamed<'a>(whole: &Whole, finding: &mut Finding, names: impl Iterator<Item = &'a Ident>) {
    if let Some(revision) = whole.context.plan.history.application.names_none(names) {
        finding.severity = finding.severity.min(Severity::Note);
        finding.message.push_str(&format!("; no code of `{revision}` does"));
    }
}

/// The release before it is gone when such a migration runs.
fn soften_after_deploy(whole: &Whole, finding: &mut Finding) {
    if whole.context.migration.phase == Some(Phase::AfterDeploy) {
        finding.severity = finding.severity.min(Severity::Note);
    }
}

fn dropped_columns(whole: &Whole, step: &Passed, relation: &Relation, dropped: &[&Column], findings: &mut Findings) {
    let table = relation.name.short();
    let now = whole.after.schema.get_relation(relation.id).and_then(Relation::as_table);
    let again = |column: &Column| now.is_some_and(|now| now.column(&column.name).is_some());
    // Its values were copied to the column that now has the name.
    let computed = |column: &Column| {
        let new = now.and_then(|now| now.column(&column.name));
        column.generated.is_some() && new.is_some_and(|new| new.generated.is_some())
    };
    // Or the server works them out again.
    if dropped.iter().all(|column| computed(column) || again(column) && is_copied(whole, relation, &column.name)) {
        return;
    }
    let names: Vec<String> = dropped.iter().map(|column| column.name.to_string()).collect();
    let list = say::list(&names);
    let message = if dropped.iter().all(|column| again(column)) {
        format!("all values of {list} of `{table}` are lost: the column is dropped and made anew")
    } else {
        format!("code of the previous release that names {list} of `{table}` fails from here on")
    };
    let certain = step.certain && dropped.iter().all(|column| column.existence.is_certain());
    let is_used =
        dropped.iter().any(|column| again(column) || is_read_before(whole, step, relation, Some(&column.name)))
            || gains_column(whole, relation.id);
    let finding = findings.report(&step.origin, "drop-column", certain && is_used, message);
    soften_after_deploy(whole, finding);
    // Code goes on finding the name, and who writes both statements one below the other knows what goes.
    if dropped.iter().all(|column| again(column)) {
        finding.severity = finding.severity.min(Severity::Note);
    } else {
        soften_unnamed(whole, finding, dropped.iter().map(|column| &column.name));
    }
    finding.object(&relation.name);
    for column in dropped {
        finding.object(format!("{}.{}", relation.name, column.name));
    }
    if let Some(first) = dropped.first() {
        let text = format!("`{}` is older than this release", first.name);
        finding.because(first.existence.origin().span, text);
    }
    let drops: Vec<String> = names.iter().map(|name| format!("DROP COLUMN {name}")).collect();
    finding.instead(format!(
        "-- one release later than the code that no longer reads or writes {}:\nALTER TABLE {} {};",
        if names.len() == 1 { "it" } else { "them" },
        relation.name,
        drops.join(", ")
    ));
}

/// Another column got its values, and then its name.
fn is_copied(whole: &Whole, relation: &Relation, column: &Ident) -> bool {
    let is_it = |name: &Name| whole.before.schema.find(name).is_some_and(|found| found.id == relation.id);
    let got_name = |step: &Passed, other: &Ident| match &step.operation {
        Operation::Rename(rename) => {
            rename.kind == ObjectKind::Column
                && rename.to == *column
                && rename.part.as_ref() == Some(other)
                && is_it(&rename.object)
        }
        _ => false,
    };
    whole.steps.iter().enumerate().any(|(place, step)| {
        let Operation::Write(write) = &step.operation else { return false };
        if step.applied.failure().is_some() || write.kind != WriteKind::Update || !is_it(&write.target) {
            return false;
        }
        let copies = write.assignments.iter().filter(|(_, value)| value.columns().contains(&column));
        copies.into_iter().any(|(other, _)| whole.steps[place..].iter().any(|later| got_name(later, other)))
    })
}

/// The migration itself reads it before it goes: it was in use until now. Otherwise the code that named it may be gone
/// long since, which files of SQL do not tell.
fn is_read_before(whole: &Whole, drop: &Passed, relation: &Relation, column: Option<&Ident>) -> bool {
    let before = whole.steps.iter().take_while(|step| step.origin.span != drop.origin.span);
    let writes = before.filter(|step| step.applied.failure().is_none()).filter_map(|step| match &step.operation {
        Operation::Write(write) => Some(&**write),
        _ => None,
    });
    let means = |name: &Name| whole.before.schema.find(name).is_some_and(|found| found.id == relation.id);
    writes.into_iter().any(|write| {
        let reads = write.reads().into_iter().any(means) || (write.kind == WriteKind::Update && means(&write.target));
        reads && column.is_none_or(|column| mentions(write, column))
    })
}

fn mentions(write: &Write, column: &Ident) -> bool {
    let rows = match &write.rows {
        Rows::Query(query) => query_mentions(query, column),
        Rows::None | Rows::Defaults | Rows::Values { .. } => false,
    };
    rows || any_mentions(&write.expressions(), column)
}

fn query_mentions(query: &Query, column: &Ident) -> bool {
    let all = query.outputs.iter().any(|output| matches!(output, Output::All { .. }));
    all || any_mentions(&query.expressions(), column) || query.arms.iter().any(|arm| query_mentions(arm, column))
}

fn any_mentions(expressions: &[&Expr], column: &Ident) -> bool {
    let mut queries = expressions.iter().flat_map(|expr| expr.queries());
    expressions.iter().any(|expr| expr.columns().contains(&column))
        || queries.any(|query| query_mentions(query, column))
}

/// The table gets another column in the same migration: the release that brings that one ends the use of this one.
fn gains_column(whole: &Whole, relation: RelationId) -> bool {
    let columns = |state: &State| {
        let table = state.schema.get_relation(relation).and_then(Relation::as_table);
        table.map(|table| table.columns.iter().map(|column| column.id).max()).unwrap_or_default()
    };
    columns(whole.after) > columns(whole.before)
}

pub fn view_or_function(whole: &Whole, findings: &mut Findings) {
    for (step, drop, before, _) in drops(whole) {
        for target in &drop.targets {
            match drop.kind {
                ObjectKind::View | ObjectKind::MaterializedView => view(whole, step, before, &target.name, findings),
                ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine => {
                    function(whole, step, before, &target.name, findings);
                }
                _ => {}
            }
        }
    }
}

fn view(whole: &Whole, step: &Passed, before: &State, name: &Name, findings: &mut Findings) {
    let Some(relation) = before.schema.find(name).filter(|relation| relation.as_view().is_some()) else { return };
    let again = whole.after.schema.find(&relation.name.as_name()).is_some();
    if again || whole.context.is_of_this_release(&relation.existence) {
        return;
    }
    let name = relation.name.short();
    let message = format!("code of the previous release that reads view `{name}` fails from here on");
    let finding = findings.report(&step.origin, "drop-view", step.certain && brings_another(whole), message);
    soften_unnamed(whole, finding, std::iter::once(&relation.name.name));
    finding.object(&relation.name);
    finding.because(relation.existence.origin().span, format!("`{name}` is older than this release"));
}

fn function(whole: &Whole, step: &Passed, before: &State, name: &Name, findings: &mut Findings) {
    let found = before.schema.find_functions(name);
    let Some(first) = found.first() else { return };
    // The server calls trigger functions; with overloads or a new definition, callers find another.
    let again = !whole.after.schema.find_functions(&first.name.as_name()).is_empty();
    let internal = &*first.returns == "trigger" || serves_tables(&whole.before.schema, &first.name.name);
    if again || internal || whole.context.is_of_this_release(&first.existence) {
        return;
    }
    let name = first.name.short();
    let message = format!("code of the previous release that calls `{name}` fails from here on");
    let finding = findings.report(&step.origin, "drop-function", step.certain && brings_another(whole), message);
    soften_unnamed(whole, finding, std::iter::once(&first.name.name));
    finding.object(&first.name);
    finding.because(first.existence.origin().span, format!("`{name}` can be called since before this release"));
}

/// The migration makes a view or a function: it replaces what goes, which was in use until now.
fn brings_another(whole: &Whole) -> bool {
    whole.steps.iter().any(|step| match &step.operation {
        Operation::CreateView(_) => true,
        Operation::CreateFunction(create) => &*create.returns != "trigger",
        _ => false,
    })
}

/// Defaults, generated columns or indexes call it: it is the tables' own, and hardly the application's.
fn serves_tables(schema: &Schema, function: &Ident) -> bool {
    let calls = |one: &Expression| one.tree.calls().iter().any(|call| call.name == *function);
    let in_column = |column: &Column| {
        column.default.as_ref().is_some_and(calls)
            || column.generated.as_ref().is_some_and(|one| calls(&one.expression))
    };
    let in_index = |index: &Relation| {
        index.as_index().is_some_and(|index| {
            let mut keys = index.parts.iter().map(|part| &part.key);
            keys.any(|key| matches!(key, IndexKey::Expression(one) if calls(one)))
        })
    };
    schema.relations().any(|one| match one.as_table() {
        Some(table) => table.columns.iter().any(in_column),
        None => in_index(one),
    })
}

pub fn schema(whole: &Whole, findings: &mut Findings) {
    for (step, drop, before, after) in drops(whole) {
        if drop.kind != ObjectKind::Schema || !drop.cascade {
            continue;
        }
        let lost = after.schema.lost_since(&before.schema);
        for target in &drop.targets {
            let schema = &target.name.name;
            let is_there = before.schema.schemas().any(|one| one == schema);
            let held: Vec<&Relation> = lost
                .relations
                .iter()
                .copied()
                .filter(|one| one.name.schema == *schema && (one.as_table().is_some() || one.as_view().is_some()))
                .collect();
            let new = held.iter().all(|one| whole.context.is_new(before, one.id));
            // Unknown and IF EXISTS: the usual beginning of a script.
            if new && (is_there || drop.if_exists) {
                continue;
            }
            dropped_schema(step, schema, &held, findings);
        }
    }
}

fn dropped_schema(step: &Passed, schema: &Ident, held: &[&Relation], findings: &mut Findings) {
    let names: Vec<String> = held.iter().map(|one| one.name.short()).collect();
    let message = if names.is_empty() {
        format!("schema `{schema}` goes with every table in it and all their rows")
    } else {
        format!("schema `{schema}` goes with {} and all their rows", say::list(&names))
    };
    let finding = findings.report(&step.origin, "drop-schema", step.certain, message);
    finding.object(schema);
    held.iter().for_each(|one| {
        finding.object(&one.name);
    });
    if let Some(first) = held.first() {
        finding.because(first.existence.origin().span, format!("`{}` is in use", first.name.short()));
    }
    finding.instead(format!(
        "-- drop what is no longer used by name, then without CASCADE, which fails where anything is left:\n\
         DROP SCHEMA {schema};"
    ));
}

pub fn database(step: &Step, findings: &mut Findings) {
    let Operation::Opaque(opaque) = step.operation else { return };
    if &*opaque.what != "DROP DATABASE" {
        return;
    }
    let message = "a whole database goes with everything in it, and nothing brings it back but a backup";
    findings.report(step.origin, "drop-database", step.certain, message);
}
