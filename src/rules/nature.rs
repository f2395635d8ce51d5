//! What a grown history shows of a table's size: who searches a table by more than its keys gives it an index.

use crate::history::{Context, State};
use crate::operation::{Constant, Expr};
use crate::schema::{Column, ConstraintRow, Existence, Relation, RelationId, Schema, Table, TableKind};

/// From here on a history has had time to give its large tables their indexes.
const GROWN_MIGRATIONS: usize = 15;
const GROWN_TABLES: usize = 6;
const A_DAY: u64 = 24 * 60 * 60;
/// A table that brings so many others together holds what happens between them, and grows with it.
const BRINGS_TOGETHER: usize = 3;

/// A table of a grown history that nobody gave an index but for its keys: its rows are few enough to be read as a whole,
/// or are only ever looked up one by one.
pub fn has_keys_alone(context: &Context, schema: &Schema, table: RelationId) -> bool {
    let Some(relation) = schema.get_relation(table) else { return false };
    let Some(found) = relation.as_table() else { return false };
    let is_known = matches!(relation.existence, Existence::Created { .. }) && found.columns_known;
    let is_plain = found.kind == TableKind::Plain && found.partition_of.is_none();
    is_known
        && is_plain
        && is_grown(context, schema)
        && !is_searched(schema, found)
        && refers_to(schema, table) < BRINGS_TOGETHER
        && !is_said_to_be_large(context, schema, table)
}

/// Named in `large-tables`.
fn is_said_to_be_large(context: &Context, schema: &Schema, table: RelationId) -> bool {
    context.settings.large_tables.iter().any(|name| schema.find(name).is_some_and(|large| large.id == table))
}

/// A migration wrote its first rows out, and few keys refer to it: what it holds are settings, or kinds of something.
pub fn holds_written_rows(context: &Context, state: &State, table: RelationId) -> bool {
    /// What more keys than these refer to is what a project is about, though its first row was there from the beginning.
    const OF_A_KIND: usize = 4;
    let found = state.schema.get_relation(table).and_then(Relation::as_table);
    state.data.is_seeded(&state.schema, table)
        && found.is_some_and(|table| table.referenced_by.len() <= OF_A_KIND)
        && !is_said_to_be_large(context, &state.schema, table)
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

/// A time that says when a row is over, and by its default that is a day after it was made at most.
pub fn keeps_rows_briefly(schema: &Schema, table: RelationId) -> Option<&Column> {
    let mut columns = schema.get_relation(table).and_then(Relation::as_table)?.columns.iter();
    columns.find(|column| {
        let ends = ["expire", "expiry", "valid_until", "validuntil"];
        let name = column.name.as_str().to_lowercase();
        ends.iter().any(|word| name.contains(word))
            && column
                .default
                .as_ref()
                .and_then(|default| seconds_from_now(&default.tree))
                .is_some_and(|all| all <= A_DAY)
    })
}

/// `now() + interval '1 hour'`.
fn seconds_from_now(default: &Expr) -> Option<u64> {
    let Expr::Binary { operator, left, right } = default else { return None };
    let is_now = matches!(&**left, Expr::Call { function, .. } if matches!(
        function.name.as_str(),
        "now" | "current_timestamp" | "localtimestamp" | "clock_timestamp" | "statement_timestamp" | "transaction_timestamp"
    ));
    let Expr::Cast { value, to } = &**right else { return None };
    let Expr::Constant(Constant::String(text)) = &**value else { return None };
    let is_span = is_now && &**operator == "+" && to.name.name.as_str() == "interval";
    is_span.then(|| seconds(text)).flatten()
}

/// `01:30:00`, `24 hours`; `None` for what is longer than it takes to say.
fn seconds(text: &str) -> Option<u64> {
    let number = |part: &str| part.parse::<u64>().ok();
    if let [hours, minutes, seconds] = text.split(':').collect::<Vec<_>>().as_slice() {
        let whole = number(hours)?.checked_mul(3600)?.checked_add(number(minutes)?.checked_mul(60)?)?;
        return whole.checked_add(number(seconds)?);
    }
    let (count, unit) = text.trim().split_once(' ')?;
    let unit = match unit.trim().trim_end_matches('s') {
        "second" | "sec" => 1,
        "minute" | "min" => 60,
        "hour" => 3600,
        "day" => A_DAY,
        _ => return None,
    };
    number(count)?.checked_mul(unit)
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

#[cfg(test)]
mod tests {
    use super::{A_DAY, seconds};

    #[test]
    fn spans_of_time_are_read_as_intervals() {
        for (text, all) in
            [("01:00:00", 3600), ("24:00:00", A_DAY), ("24 hours", A_DAY), ("15 minutes", 900), ("1 day", A_DAY)]
        {
            assert_eq!(seconds(text), Some(all), "{text}");
        }
        for text in ["1 mon", "2 years", "1 day 2 hours", "soon", "-01:00:00"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
