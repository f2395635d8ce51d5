//! Tables that a migration has emptied, or found empty: nothing is read there, and nothing can be wrong with their rows.

use imbl::OrdMap;

use super::Moment;
use crate::operation::{Operation, TableActionKind, Write, WriteKind};
use crate::schema::{RelationId, Schema, TypeKind};

/// How a table was emptied, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emptied {
    pub moment: Moment,
    /// By TRUNCATE, or a statement that rows would have stopped: DELETE leaves its dead rows to be read.
    pub truncated: bool,
}

/// The tables empty since when, until a migration puts rows into them.
#[derive(Debug, Clone, Default)]
pub(super) struct EmptyTables {
    since: OrdMap<RelationId, Emptied>,
}

impl EmptyTables {
    pub fn observe(&mut self, operation: &Operation, schema: &Schema, moment: Moment) {
        match operation {
            Operation::Truncate(truncate) => {
                let named = truncate.tables.iter().filter_map(|table| schema.find(&table.name));
                let mut open: Vec<RelationId> = named.map(|table| table.id).collect();
                let mut seen = Vec::new();
                while let Some(table) = open.pop() {
                    if seen.contains(&table) {
                        continue;
                    }
                    seen.push(table);
                    self.since.insert(table, Emptied { moment, truncated: true });
                    open.extend(schema.partitions(table));
                    if truncate.cascade {
                        open.extend(referencing(schema, table));
                    }
                }
            }
            // It failed, were there a row.
            Operation::AlterTable(alter) if alter.actions.iter().any(|action| wants_no_rows(&action.kind, schema)) => {
                let Some(target) = schema.find(&alter.table).map(|table| table.id) else { return };
                for table in std::iter::once(target).chain(schema.partitions(target)) {
                    self.since.entry(table).or_insert(Emptied { moment, truncated: true });
                }
            }
            Operation::Write(write) => write.all().into_iter().for_each(|one| self.write(one, schema, moment)),
            _ => {}
        }
    }

    fn write(&mut self, write: &Write, schema: &Schema, moment: Moment) {
        let Some(target) = schema.find(&write.target).map(|table| table.id) else { return };
        match write.kind {
            WriteKind::Delete if write.filter.is_none() && write.from.is_empty() && !write.only => {
                for table in std::iter::once(target).chain(schema.partitions(target)) {
                    let known = self.since.get(&table).is_some_and(|emptied| emptied.truncated);
                    self.since.insert(table, Emptied { moment, truncated: known });
                }
            }
            WriteKind::Delete | WriteKind::Update => {}
            WriteKind::Insert | WriteKind::Copy | WriteKind::Merge => {
                let root = schema.partition_root(target);
                for table in std::iter::once(root).chain(schema.partitions(root)) {
                    self.since.remove(&table);
                }
            }
        }
    }

    pub fn get(&self, table: RelationId) -> Option<Emptied> {
        self.since.get(&table).copied()
    }

    /// What is empty in both of two branches.
    pub fn join(&self, other: &EmptyTables) -> EmptyTables {
        if self.since.ptr_eq(&other.since) {
            return self.clone();
        }
        let both = self.since.iter().filter(|(table, _)| other.since.contains_key(*table));
        EmptyTables { since: both.map(|(table, emptied)| (*table, *emptied)).collect() }
    }
}

/// ADD COLUMN … NOT NULL without a value for the rows that are there.
fn wants_no_rows(action: &TableActionKind, schema: &Schema) -> bool {
    let TableActionKind::AddColumn { column, .. } = action else { return false };
    let has_value = column.serial
        || column.default.as_ref().is_some_and(|value| !value.tree.is_null_constant())
        || column.identity.is_some()
        || column.generated.is_some();
    // A domain may bring a default of its own.
    let kind = column.data_type.as_ref().and_then(|kind| schema.find_type(&kind.name)).map(|found| &found.kind);
    column.not_null.is_some() && !has_value && !matches!(kind, Some(TypeKind::Domain(_) | TypeKind::Unknown))
}

fn referencing(schema: &Schema, table: RelationId) -> Vec<RelationId> {
    let keys =
        schema.get_relation(table).and_then(|table| table.as_table()).map(|table| table.referenced_by.as_slice());
    keys.unwrap_or_default().iter().filter_map(|key| schema.get_constraint(*key)).map(|key| key.table).collect()
}
