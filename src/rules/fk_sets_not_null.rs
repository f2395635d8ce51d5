//! A foreign key whose action empties a column that must have a value: what it should do, it can never do.

use super::{Findings, say};
use crate::history::{Passed, Whole};
use crate::operation::{Action, Ident, Operation};
use crate::schema::{Constraint, ForeignRow, Schema};

pub fn check(whole: &Whole, findings: &mut Findings) {
    let (before, after) = (&whole.before.schema, &whole.after.schema);
    for step in whole.steps {
        for (key, foreign, columns) in contradictions(step, after) {
            // It stood there before: no migration of today's makes it worse.
            let known = before
                .get_constraint(key.id)
                .is_some_and(|old| old.as_foreign().is_some_and(|old_row| !emptied(before, old, old_row).is_empty()));
            if !known {
                report(after, step, key, foreign, &columns, findings);
            }
        }
    }
}

/// The keys of the table that a step makes or changes which would empty a column that is not null.
fn contradictions<'a>(step: &Passed, schema: &'a Schema) -> Vec<(&'a Constraint, &'a ForeignRow, Vec<Ident>)> {
    let name = match &step.operation {
        Operation::AlterTable(alter) => &alter.table,
        Operation::CreateTable(create) => &create.name,
        _ => return Vec::new(),
    };
    let Some(table) = schema.find_table(name) else { return Vec::new() };
    let keys = schema.constraints_of(table.id).filter(|key| key.parent.is_none() && key.enforced);
    let keys = keys.filter_map(|key| Some((key, key.as_foreign().filter(|foreign| !foreign.referenced_side)?)));
    let found = keys.map(|(key, foreign)| (key, foreign, emptied(schema, key, foreign)));
    found.filter(|(_, _, columns)| !columns.is_empty()).collect()
}

/// Columns that SET NULL would empty although they are not null; all of the key, or those that it lists (15 and later).
fn emptied(schema: &Schema, key: &Constraint, foreign: &ForeignRow) -> Vec<Ident> {
    let on_delete = foreign.on_delete == Action::SetNull;
    let on_update = foreign.on_update == Action::SetNull;
    let listed = match (on_delete, on_update) {
        (_, true) => &key.columns,
        (true, false) if foreign.on_delete_columns.is_empty() => &key.columns,
        (true, false) => &foreign.on_delete_columns,
        (false, false) => return Vec::new(),
    };
    let Some(table) = schema.get_relation(key.table).and_then(|table| table.as_table()) else { return Vec::new() };
    let columns = listed.iter().filter_map(|column| table.column_by_id(*column));
    columns.filter(|column| column.not_null).map(|column| column.name.clone()).collect()
}

fn report(
    schema: &Schema,
    step: &Passed,
    key: &Constraint,
    foreign: &ForeignRow,
    columns: &[Ident],
    findings: &mut Findings,
) {
    let (child, parent) = (say::name(schema, key.table), say::name(schema, foreign.references));
    let names: Vec<String> = columns.iter().map(ToString::to_string).collect();
    let deed = if foreign.on_delete == Action::SetNull { "DELETE" } else { "UPDATE of the key" };
    let message = format!(
        "{deed} on `{parent}` fails for rows that `{child}` refers to: foreign key `{}` then sets {} to null, which must not be null",
        key.name,
        say::list(&names)
    );
    let certain = step.certain && key.existence.is_certain();
    let finding = findings.report(&step.origin, step.operation.word(), certain, message);
    finding.one_per(format!("{child} {}", key.name));
    finding.object(&schema.relation(key.table).name);
    finding.object(format!("{}.{}", schema.relation(key.table).name, key.name));
    if key.existence.origin().span != step.origin.span {
        finding.because(key.existence.origin().span, format!("`{}` is made here", key.name));
    }
    let table = &schema.relation(key.table).name;
    let nullable: Vec<String> = names.iter().map(|name| format!("ALTER COLUMN {name} DROP NOT NULL")).collect();
    finding.instead(format!(
        "-- either these rows may be without one\nALTER TABLE {table} {};\n\
         -- or the key does another thing: ON DELETE CASCADE where they go with it, RESTRICT where it must stay",
        nullable.join(", ")
    ));
}
