//! Copies: tables that a trigger keeps, row for row, like another one. By shape, never by name.

use std::collections::BTreeSet;

use super::{Data, Feed, FeedKind, FeedRead, FeedWrite, Moment, Value};
use crate::operation::Ident;
use crate::schema::{ColumnId, ConstraintRow, IndexKey, RelationId, Schema, TriggerId};

/// A table whose unique key is the source's key: one row of the copy for each row of the source.
#[derive(Debug, Clone)]
pub struct Copy {
    pub source: RelationId,
    /// The whole table, where the feed writes to a partition.
    pub table: RelationId,
    /// Copy column and source column of the key.
    pub key: Vec<(Ident, Ident)>,
    pub trigger: TriggerId,
    /// Since when rows inserted into the source reach the copy; `None`: since before the history.
    pub since: Option<Moment>,
    pub certain: bool,
}

impl Data {
    /// The copies that triggers keep now.
    pub fn copies(&self, schema: &Schema) -> impl Iterator<Item = &Copy> {
        self.entries.values().flat_map(move |entry| {
            let found = || entry.feeds.iter().filter_map(|feed| self.copy_of(schema, feed)).collect();
            entry.copies.get_or_init(found)
        })
    }

    /// Those of some triggers, and those that are one of some tables.
    pub fn copies_of(
        &self,
        schema: &Schema,
        triggers: &BTreeSet<TriggerId>,
        tables: &BTreeSet<RelationId>,
    ) -> Vec<&Copy> {
        let mut ids = triggers.clone();
        ids.extend(tables.iter().flat_map(|table| self.around(schema, *table)));
        let entries = ids.into_iter().filter_map(|id| self.entries.get(&id));
        let copies = entries.flat_map(|entry| {
            let found = || entry.feeds.iter().filter_map(|feed| self.copy_of(schema, feed)).collect();
            entry.copies.get_or_init(found).iter()
        });
        copies.filter(|copy| triggers.contains(&copy.trigger) || tables.contains(&copy.table)).collect()
    }

    fn copy_of(&self, schema: &Schema, feed: &Feed) -> Option<Copy> {
        let insert =
            feed.writes.iter().find(|write| write.events.insert && matches!(write.kind, FeedKind::Insert { .. }))?;
        let table = schema.partition_root(feed.target);
        let from_source = |column: &Ident| match insert.value_of(column) {
            Some(Value::Source(source)) => Some(source.clone()),
            _ => None,
        };
        let source_keys = unique_keys(schema, feed.source);
        let key = unique_keys(schema, table).into_iter().find_map(|columns| {
            let pairs: Option<Vec<(Ident, Ident)>> = columns
                .iter()
                .map(|column| {
                    let name = schema.column_name(table, *column);
                    from_source(&name).map(|source| (name, source))
                })
                .collect();
            let pairs = pairs?;
            if !self.is_whole_row(schema, table, insert, columns.as_slice(), &pairs, feed.source) {
                return None;
            }
            let maps_source_key = source_keys.iter().any(|key| {
                key.iter().all(|column| {
                    let name = schema.column_name(feed.source, *column);
                    pairs.iter().any(|(_, source)| *source == name)
                })
            });
            // The keys of a table that the history did not make are not known.
            let unknown = source_keys.is_empty()
                && schema
                    .get_relation(feed.source)
                    .and_then(|source| source.as_table())
                    .is_some_and(|table| !table.columns_known);
            (maps_source_key || unknown).then_some(pairs)
        })?;
        let since = self.fed_since.get(&(feed.source, table)).or_else(|| self.triggers_made.get(&feed.trigger));
        Some(Copy {
            source: feed.source,
            table,
            key,
            trigger: feed.trigger,
            since: since.copied(),
            certain: feed.certain,
        })
    }
}

impl Data {
    /// The target's key is the source's key, with at most the columns that the target is partitioned by; or, with
    /// other columns in it, most of the target's columns come from the source all the same. A membership that is
    /// made along with a group is neither.
    fn is_whole_row(
        &self,
        schema: &Schema,
        table: RelationId,
        insert: &FeedWrite,
        key: &[ColumnId],
        pairs: &[(Ident, Ident)],
        source: RelationId,
    ) -> bool {
        let Some(target) = schema.relation(table).as_table() else { return false };
        let source_keys = unique_keys(schema, source);
        let partition_key: Vec<&Ident> =
            target.partition_by.iter().flat_map(|by| crate::schema::key_columns(&by.parts)).collect();
        let extra = key.iter().zip(pairs).filter(|(column, (_, from))| {
            let name = schema.column_name(table, **column);
            let in_source_key =
                |columns: &Vec<ColumnId>| columns.iter().any(|id| schema.column_name(source, *id) == *from);
            !partition_key.contains(&&name) && !source_keys.iter().any(in_source_key)
        });
        if extra.count() == 0 {
            return true;
        }
        let from_source = insert.values.iter().filter(|(_, value)| matches!(value, Value::Source(_))).count();
        from_source * 3 >= target.columns.len() * 2
    }
}

/// The column sets that are unique in a table: keys and whole unique indexes.
pub fn unique_keys(schema: &Schema, table: RelationId) -> Vec<Vec<ColumnId>> {
    let constraints = schema.constraints_of(table).filter_map(|constraint| match constraint.kind {
        ConstraintRow::Primary { .. } | ConstraintRow::Unique { .. } => Some(constraint.columns.clone()),
        ConstraintRow::Check { .. }
        | ConstraintRow::NotNull
        | ConstraintRow::Exclude { .. }
        | ConstraintRow::Foreign(_) => None,
    });
    let mut keys: Vec<Vec<ColumnId>> = constraints.collect();
    let indexes = schema.get_relation(table).and_then(|table| table.as_table()).map(|table| table.indexes.as_slice());
    for id in indexes.unwrap_or_default() {
        let Some(index) = schema.get_relation(*id).and_then(|relation| relation.as_index()) else { continue };
        if !index.unique || index.filter.is_some() || index.constraint.is_some() {
            continue;
        }
        let columns: Option<Vec<ColumnId>> = index
            .parts
            .iter()
            .map(|part| match part.key {
                IndexKey::Column(column) => Some(column),
                IndexKey::Expression(_) => None,
            })
            .collect();
        keys.extend(columns);
    }
    keys
}

impl Feed {
    /// Where the function goes on with what it finds in other rows of the copy than the one that it writes.
    pub fn earlier_rows(&self, copy: &Copy) -> Option<&FeedRead> {
        self.reads.iter().find(|read| !copy.key.iter().all(|pair| read.key.contains(pair)))
    }
}

impl Copy {
    /// A row of the source that is not in the copy is not found there by these columns, nor another one in its stead.
    pub fn is_found_by(&self, schema: &Schema, columns: &[&Ident]) -> bool {
        let asked: Vec<&Ident> =
            self.key.iter().filter(|(column, _)| columns.contains(&column)).map(|(_, source)| source).collect();
        let source_keys = unique_keys(schema, self.source);
        asked.len() == self.key.len()
            || source_keys.iter().any(|key| {
                !key.is_empty() && key.iter().all(|column| asked.contains(&&schema.column_name(self.source, *column)))
            })
    }

    /// A foreign key refers to the copy from one of these columns: no row gets by without its row there.
    pub fn is_referred_from(&self, schema: &Schema, table: RelationId, columns: &[&Ident]) -> bool {
        super::coverage::refers_by(schema, table, self.table, columns, false)
    }
}
