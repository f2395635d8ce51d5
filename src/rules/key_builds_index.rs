//! UNIQUE and PRIMARY KEY put on a table in use: their index is built while everybody waits.

use super::in_use::Altered;
use super::{Findings, column_added, recipe, say};
use crate::history::Step;
use crate::operation::{ConstraintDefinition, ConstraintKind, Ident, Key, TableActionKind};
use crate::schema::IndexKey;

pub fn unique(step: &Step, findings: &mut Findings) {
    column_added::unique(step, findings);
    each(step, &mut |altered, at, definition| {
        let ConstraintKind::Unique(key) = &definition.kind else { return };
        builds(altered, at, definition, key, findings);
    });
}

pub fn primary_key(step: &Step, findings: &mut Findings) {
    column_added::primary_key(step, findings);
    each(step, &mut |altered, at, definition| {
        let ConstraintKind::Primary(key) = &definition.kind else { return };
        builds(altered, at, definition, key, findings);
    });
}

/// PRIMARY KEY USING INDEX over a nullable column reads all rows for NULLs.
pub fn nullable(step: &Step, findings: &mut Findings) {
    each(step, &mut |altered, at, definition| {
        let ConstraintKind::Primary(Key { using_index: Some(index), .. }) = &definition.kind else { return };
        let majors = altered.scanning(at);
        if majors.is_empty() {
            return;
        }
        let columns = nullable_columns(altered, &index_columns(altered, index));
        let table = altered.name();
        let message =
            format!("reads all of `{table}` for NULLs while reads and writes wait: the key's columns may be NULL");
        let finding = altered.report(findings, at, &majors, true, message);
        finding.object(recipe::name_of(definition, &step.before.schema, altered.relation.id));
        let name = recipe::name_of(definition, &step.before.schema, altered.relation.id);
        finding.instead(format!(
            "{}\nALTER TABLE {} ADD CONSTRAINT {name} PRIMARY KEY USING INDEX {index};",
            not_null_first(altered, &columns),
            altered.full_name(),
        ));
        finding.verify(nulls_query(altered, &columns));
    });
}

fn each<'a>(step: &'a Step<'a>, tell: &mut dyn FnMut(&Altered<'a>, usize, &'a ConstraintDefinition)) {
    let Some(altered) = Altered::of(step) else { return };
    for (at, action) in altered.actions() {
        if let TableActionKind::AddConstraint(definition) = action {
            tell(&altered, at, definition);
        }
    }
}

fn builds(altered: &Altered, at: usize, definition: &ConstraintDefinition, key: &Key, findings: &mut Findings) {
    // No key over time can be made from an index: exclusion-constraint's matter.
    if key.using_index.is_some() || key.without_overlaps {
        return;
    }
    let majors = altered.building(at);
    if majors.is_empty() {
        return;
    }
    let (step, table) = (altered.step, altered.relation.id);
    let schema = &step.before.schema;
    let message = format!("builds the index of this key while reads and writes of `{}` wait", altered.name());
    let finding = altered.report(findings, at, &majors, true, message);
    finding.object(recipe::name_of(definition, schema, table));
    let dropped = recipe::replaced_constraints(altered, definition);
    let outside = say::outside_after(step, altered.relation, &key.columns.iter().collect::<Vec<_>>(), true);
    let built = recipe::key_from_index(schema, table, definition, key, &dropped, &outside);
    let primary = matches!(definition.kind, ConstraintKind::Primary(_));
    let open = if primary { nullable_columns(altered, &key.columns.iter().collect::<Vec<_>>()) } else { Vec::new() };
    finding.instead(match open.is_empty() {
        true => built,
        false => format!("{}\n{built}", not_null_first(altered, &open)),
    });
    finding.verify(recipe::duplicates_query(&altered.full_name(), &key.columns, key.nulls_not_distinct));
}

fn not_null_first(altered: &Altered, columns: &[&Ident]) -> String {
    recipe::not_null(altered.step, altered.relation.id, columns)
}

fn nulls_query(altered: &Altered, columns: &[&Ident]) -> String {
    let missing: Vec<String> = columns.iter().map(|column| format!("{column} IS NULL")).collect();
    format!("SELECT count(*) FROM {} WHERE {}", altered.full_name(), missing.join(" OR "))
}

/// Those of the columns that are not NOT NULL yet.
fn nullable_columns<'a>(altered: &Altered, columns: &[&'a Ident]) -> Vec<&'a Ident> {
    let Some(table) = altered.relation.as_table() else { return Vec::new() };
    let open = |column: &&&Ident| table.column(column).is_some_and(|column| !column.not_null);
    columns.iter().filter(open).copied().collect()
}

fn index_columns<'a>(altered: &Altered<'a>, name: &Ident) -> Vec<&'a Ident> {
    let schema = &altered.step.before.schema;
    let Some(table) = altered.relation.as_table() else { return Vec::new() };
    let relations = table.indexes.iter().filter_map(|index| schema.get_relation(*index));
    let Some(index) = relations.into_iter().find(|one| one.name.name == *name).and_then(|one| one.as_index()) else {
        return Vec::new();
    };
    let names = index.parts.iter().filter_map(|part| match &part.key {
        IndexKey::Column(id) => table.column_by_id(*id).map(|column| &column.name),
        IndexKey::Expression(_) => None,
    });
    names.collect()
}
