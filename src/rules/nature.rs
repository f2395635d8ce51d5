//! What a grown history shows of a table's size: who searches a table by more than its keys gives it an index.

use crate::history::Context;
use crate::schema::{ConstraintRow, Existence, Relation, RelationId, Schema, Table, TableKind};

/// From here on a history has had time to give its large tables their indexes.
const GROWN_MIGRATIONS: usize = 15;
const GROWN_TABLES: usize = 6;
/// A table that brings so many others together holds what happens between them, and grows with it.
const BRINGS_TOGETHER: usize = 3;

/// A table of a grown history that nobody gave an index but for its keys: its rows are few enough to be read as a whole,
/// or are only ever looked up one by one.
pub fn has_keys_alone(context: &Context, schema: &Schema, table: RelationId) -> bool {
    let Some(relation) = schema.get_relation(table) else { return false };
    let Some(found) = relation.as_table() else { return false };
    let is_known = matches!(relation.existence, Existence::Created { .. }) && found.columns_known;
    let is_plain = found.kind == TableKind::Plain && found.partition_of.is_none();
    let is_large = |name| schema.find(name).is_some_and(|large| large.id == table);
    is_known
        && is_plain
        && is_grown(context, schema)
        && !is_searched(schema, found)
        && refers_to(schema, table) < BRINGS_TOGETHER
        && !context.settings.large_tables.iter().any(is_large)
}

/// A quarter of the tables of a grown history have an index but for their keys; where fewer have one, none is
/// forgotten.
pub fn makes_indexes(context: &Context, schema: &Schema) -> bool {
    if !is_grown(context, schema) {
        return true;
    }
    let (mut searched, mut all) = (0, 0);
    for (_, table) in schema.tables() {
        all += 1;
        searched += usize::from(is_searched(schema, table));
    }
    searched * 4 >= all
}

fn is_grown(context: &Context, schema: &Schema) -> bool {
    context.at.migration >= GROWN_MIGRATIONS && schema.tables().nth(GROWN_TABLES - 1).is_some()
}

/// Some index is there for those who look, and not for what it forbids.
fn is_searched(schema: &Schema, table: &Table) -> bool {
    let mut indexes = table.indexes.iter().filter_map(|id| schema.get_relation(*id)).filter_map(Relation::as_index);
    indexes.any(|index| !index.unique && !index.exclusion)
}

/// How many other tables its keys refer to.
fn refers_to(schema: &Schema, table: RelationId) -> usize {
    let mut targets: Vec<RelationId> = schema
        .constraints_of(table)
        .filter_map(|constraint| match &constraint.kind {
            ConstraintRow::Foreign(key) if !key.referenced_side && key.references != table => Some(key.references),
            _ => None,
        })
        .collect();
    targets.sort_unstable();
    targets.dedup();
    targets.len()
}
