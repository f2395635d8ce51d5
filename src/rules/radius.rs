//! Blast radius: which writes of which table a constraint behind a trigger makes fail, in which partitions, and which
//! rows it leaves alone. Words only; what they rest on is `data`'s.

use super::say;
use crate::data::{Copy, Coverage, Data, Feed, FeedKind};
use crate::finding::Hit;
use crate::operation::Ident;
use crate::schema::{ConstraintId, RelationId, Schema};

/// The writes of the source that reach `table` and set one of `columns` there.
pub fn hit(schema: &Schema, feed: &Feed, columns: &[Ident], parts: &[RelationId]) -> Hit {
    let (mut insert, mut update, mut changing) = (false, false, false);
    for write in feed.writes.iter().filter(|write| !write.values.is_empty()) {
        match write.kind {
            FeedKind::Insert { .. } => {
                insert |= write.events.insert;
                update |= write.events.update;
            }
            FeedKind::Update => changing |= write.events.update,
            FeedKind::Delete => {}
        }
    }
    let source = say::name(schema, feed.source);
    let names: Vec<String> = columns.iter().map(ToString::to_string).collect();
    let writes = match (insert, update, changing) {
        (true, true, _) => format!("INSERT and UPDATE of `{source}`"),
        (true, false, true) => {
            format!("INSERT of `{source}`, and UPDATE that changes {}", say::any_of(&names))
        }
        (true, false, false) => format!("INSERT of `{source}`"),
        (false, true, _) => format!("UPDATE of `{source}`"),
        (false, false, _) => format!("UPDATE of `{source}` that changes {}", say::any_of(&names)),
    };
    Hit { writes, partitions: partitions(schema, feed.target, parts) }
}

/// The writes of an application that fills the table itself.
pub fn hit_directly(schema: &Schema, table: RelationId, columns: &[Ident], parts: &[RelationId]) -> Hit {
    let names: Vec<String> = columns.iter().map(ToString::to_string).collect();
    let name = say::name(schema, table);
    let writes = format!("INSERT of `{name}`, and UPDATE that changes {}", say::any_of(&names));
    Hit { writes, partitions: partitions(schema, table, parts) }
}

/// Where only some partitions enforce it, their names.
fn partitions(schema: &Schema, table: RelationId, parts: &[RelationId]) -> Vec<String> {
    if parts.contains(&schema.partition_root(table)) {
        return Vec::new();
    }
    let mut names: Vec<String> = parts.iter().map(|part| say::name(schema, *part)).collect();
    names.sort();
    names
}

/// The rows that a foreign key onto an incomplete copy leaves alone.
pub fn spared(schema: &Schema, data: &Data, copy: &Copy, coverage: &Coverage, nullable: &[Ident]) -> String {
    let name = say::name(schema, copy.source);
    let (taken, trigger) = (say::taken_along(data, copy.trigger), &schema.trigger(copy.trigger).name);
    let safe = match coverage {
        Coverage::Filtered(_) | Coverage::Unclear(_) => {
            format!("rows that refer to what the backfill took, or to rows of `{name}` {taken} since `{trigger}`")
        }
        Coverage::Gap(_) | Coverage::ShortGap(_) => {
            format!("rows that refer to rows of `{name}` from before the backfill or since `{trigger}`")
        }
        Coverage::Queued(_) => {
            format!(
                "rows that refer to rows that the backfill has reached, or to rows of `{name}` {taken} since `{trigger}`"
            )
        }
        Coverage::Missing | Coverage::Cancelled(_) | Coverage::Complete | Coverage::Stated(_) | Coverage::Unseen => {
            format!("rows that refer to rows of `{name}` {taken} since `{trigger}`")
        }
    };
    let nulls: Vec<String> = nullable.iter().map(ToString::to_string).collect();
    let nulls = if nulls.is_empty() { String::new() } else { format!("; rows without {}", say::any_of(&nulls)) };
    format!("{safe}{nulls}")
}

/// Columns of a foreign key that may be null: without a value PostgreSQL does not look (MATCH SIMPLE).
pub fn nullable_columns(schema: &Schema, key: ConstraintId) -> Vec<Ident> {
    let Some(key) = schema.get_constraint(key) else { return Vec::new() };
    if key.as_foreign().is_none_or(|foreign| foreign.match_full && key.columns.len() > 1) {
        return Vec::new();
    }
    let Some(table) = schema.get_relation(key.table).and_then(|table| table.as_table()) else { return Vec::new() };
    let columns = key.columns.iter().filter_map(|column| table.column_by_id(*column));
    columns.filter(|column| !column.not_null).map(|column| column.name.clone()).collect()
}
