//! Tables and columns under another name, while the release before still uses the old one.

use std::collections::BTreeMap;

use super::gone::{is_temporary, soften_unnamed};
use super::{Findings, say};
use crate::history::{Passed, State, Whole};
use crate::operation::{Ident, ObjectKind, Operation, Rename, SetSchema};
use crate::schema::{Column, Relation, RelationId};
use crate::source::Span;

pub fn table(whole: &Whole, findings: &mut Findings) {
    for step in whole.steps {
        let Some((before, after)) = step.change() else { continue };
        let name = match &step.operation {
            Operation::Rename(rename) if rename.kind == ObjectKind::Table && rename.part.is_none() => &rename.object,
            Operation::SetSchema(SetSchema { kind: ObjectKind::Table, name, .. }) => name,
            _ => continue,
        };
        let Some(relation) = before.schema.find_table(name) else { continue };
        renamed_table(whole, step, (before, after), relation, findings);
    }
}

fn renamed_table(whole: &Whole, step: &Passed, around: (&State, &State), relation: &Relation, findings: &mut Findings) {
    let (before, after) = around;
    let Some(table) = relation.as_table().filter(|table| !is_temporary(table)) else { return };
    // A partition is rarely named by code. A name that something else has in the end is a swap or a view in front.
    let taken = whole.after.schema.find(&relation.name.as_name()).is_some();
    let Some(now) = after.schema.get_relation(relation.id) else { return };
    // It comes in the place of a table that had the name.
    let replaces = whole.before.schema.find(&now.name.as_name()).is_some();
    if taken || replaces || table.partition_of.is_some() || whole.context.is_new(before, relation.id) {
        return;
    }
    // Named by the first of several renames.
    let first = whole.before.schema.get_relation(relation.id).is_none_or(|one| one.name == relation.name);
    if !first {
        return;
    }
    let (old, new) = (relation.name.short(), now.name.short());
    let moved = matches!(step.operation, Operation::SetSchema(_));
    let certain = step.certain && relation.existence.is_certain() && !moved;
    let message = if moved {
        format!("code of the previous release that names `{old}` fails, unless its search_path leads to `{new}`")
    } else {
        format!("code of the previous release that names `{old}` fails from here on: it is `{new}` now")
    };
    let finding = findings.report(&step.origin, "rename-table", certain, message);
    soften_unnamed(whole, finding, std::iter::once(&relation.name.name));
    finding.object(&relation.name);
    finding.object(&now.name);
    finding.because(relation.existence.origin().span, format!("`{old}` is older than this release"));
    finding.instead(format!(
        "-- in one transaction: the old name goes on as a view that can be written\n\
         ALTER TABLE {} {};\n\
         CREATE VIEW {} AS SELECT * FROM {};\n\
         -- one release later than the code that uses the new name\n\
         DROP VIEW {};",
        relation.name,
        if moved { format!("SET SCHEMA {}", now.name.schema) } else { format!("RENAME TO {}", now.name.name) },
        relation.name,
        now.name,
        relation.name,
    ));
}

/// A schema under another name: every qualified name in code and functions leads nowhere.
pub fn schema(whole: &Whole, findings: &mut Findings) {
    for step in whole.steps {
        let Some((before, _)) = step.change() else { continue };
        let Operation::Rename(rename) = &step.operation else { continue };
        if rename.kind != ObjectKind::Schema {
            continue;
        }
        let (old, new) = (&rename.object.name, &rename.to);
        let mut held = before.schema.tables().filter(|(relation, _)| relation.name.schema == *old);
        let in_use = held.find(|(relation, _)| !whole.context.is_new(before, relation.id));
        // Another one may have taken the name: a swap.
        let again = whole.after.schema.schemas().any(|one| one == old);
        let Some((relation, _)) = in_use.filter(|_| !again) else { continue };
        let message = format!(
            "code of the previous release that names tables of schema `{old}`, or has it in its search_path, fails from \
             here on: it is `{new}` now"
        );
        let finding = findings.report(&step.origin, "rename-schema", step.certain, message);
        finding.object(old).object(new);
        finding.because(relation.existence.origin().span, format!("`{}` is in use", relation.name.short()));
        finding.instead(format!(
            "-- the code learns the new name first: schema {new} with a view of each table, which can be written\n\
             CREATE SCHEMA {new};\nCREATE VIEW {new}.… AS SELECT * FROM {old}.…;\n\
             -- one release later than the code that names {new} alone: the views go and the tables move"
        ));
    }
}

/// Columns of one table that a migration renames, with the first of its statements: one fault.
pub(super) struct Renamed<'a> {
    pub step: &'a Passed,
    pub relation: &'a Relation,
    pub columns: Vec<(&'a Column, &'a Ident)>,
}

pub fn column(whole: &Whole, findings: &mut Findings) {
    renamed(whole).iter().for_each(|one| renamed_columns(whole, one, findings));
}

/// Columns in use that a migration renames, by table.
pub(super) fn renamed<'a>(whole: &'a Whole) -> Vec<Renamed<'a>> {
    let mut found: BTreeMap<RelationId, Renamed> = BTreeMap::new();
    for step in whole.steps {
        let Operation::Rename(rename) = &step.operation else { continue };
        let Rename { kind: ObjectKind::Column, object, part: Some(part), to, .. } = &**rename else { continue };
        let Some((before, _)) = step.change() else { continue };
        let Some(relation) = before.schema.find_table(object) else { continue };
        let Some(table) = relation.as_table().filter(|table| !is_temporary(table)) else { continue };
        let Some(column) = table.column(part) else { continue };
        // A name that only this migration has known is in no code.
        let was = whole.before.schema.get_relation(relation.id).and_then(Relation::as_table);
        if was.and_then(|table| table.column_by_id(column.id)).is_some_and(|was| was.name != *part) {
            continue;
        }
        let new = whole.context.is_new(before, relation.id) || whole.context.is_of_this_release(&column.existence);
        if new || has_other_front(whole, relation, part) {
            continue;
        }
        let one = found.entry(relation.id).or_insert_with(|| Renamed { step, relation, columns: Vec::new() });
        one.columns.push((column, to));
    }
    found.into_values().collect()
}

fn renamed_columns(whole: &Whole, one: &Renamed, findings: &mut Findings) {
    let Renamed { step, relation, columns } = one;
    let (table, name) = (&relation.name, relation.name.short());
    let old: Vec<String> = columns.iter().map(|(column, _)| column.name.to_string()).collect();
    let new: Vec<String> = columns.iter().map(|(_, to)| to.to_string()).collect();
    let it_is = if columns.len() == 1 { "it is" } else { "they are" };
    let message = format!(
        "code of the previous release that names {} of `{name}` fails from here on: {it_is} {} now",
        say::list(&old),
        say::list(&new)
    );
    let certain = step.certain && columns.iter().all(|(column, _)| column.existence.is_certain());
    let finding = findings.report(&step.origin, "rename-column", certain, message);
    soften_unnamed(whole, finding, columns.iter().map(|(column, _)| &column.name));
    finding.object(table);
    let (mut adds, mut drops) = (Vec::new(), Vec::new());
    let mut made: BTreeMap<Span, Vec<String>> = BTreeMap::new();
    for (column, _) in columns {
        made.entry(column.existence.origin().span).or_default().push(column.name.to_string());
    }
    for (span, names) in made {
        let are = if names.len() == 1 { "is" } else { "are" };
        finding.because(span, format!("{} {are} older than this release", say::list(&names)));
    }
    for (column, to) in columns {
        finding.object(format!("{table}.{}", column.name));
        let data_type = column.data_type.as_ref().map_or_else(|| "…".to_owned(), ToString::to_string);
        adds.push(format!("ADD COLUMN {to} {data_type}"));
        drops.push(format!("DROP COLUMN {}", column.name));
    }
    finding.instead(format!(
        "-- first release: both names, kept equal by a trigger or by the code, old rows filled in batches\n\
         ALTER TABLE {table} {};\n\
         -- one release later than the code that uses the new names alone\n\
         ALTER TABLE {table} {};",
        adds.join(", "),
        drops.join(", ")
    ));
}

/// The old name leads somewhere in the end: a new column has it, or the table itself has another name.
fn has_other_front(whole: &Whole, relation: &Relation, column: &Ident) -> bool {
    let end = &whole.after.schema;
    let Some(now) = end.get_relation(relation.id) else { return true };
    if now.as_table().is_some_and(|table| table.column(column).is_some()) {
        return true;
    }
    // Where the table's own name leads nowhere, rename-table says so.
    let original = whole.before.schema.get_relation(relation.id).unwrap_or(relation);
    end.find(&original.name.as_name()).is_none_or(|front| front.id != relation.id)
}
