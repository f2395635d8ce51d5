//! What a DELETE of a source's row meets on its way through the copies.

use std::collections::BTreeSet;

use super::{Data, Feed, FeedKind, Value};
use crate::operation::{Action, Ident};
use crate::schema::{Constraint, ConstraintId, RelationId, Schema, TriggerId, key_columns};

/// A foreign key between two copies that does something else on DELETE than the one between their sources.
#[derive(Debug, Clone)]
pub struct DeleteConflict {
    /// Deletes from the referenced copy, with the write that does it.
    pub parent: Feed,
    pub write: usize,
    /// Fills the referencing copy.
    pub child: Feed,
    pub key: ConstraintId,
    /// The key between the sources.
    pub original: ConstraintId,
    pub outcome: DeleteOutcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteOutcome {
    /// The key refuses: the rows of the referencing copy go only after those of the referenced one.
    Refused,
    /// SET NULL or SET DEFAULT of a column that must not be null, or that says which partition a row is in.
    CannotBeSet,
    /// Rows of the copy are deleted that the source keeps.
    LosesRows,
}

impl Data {
    /// The conflicts around some triggers.
    pub fn delete_conflicts(&self, schema: &Schema, triggers: &BTreeSet<TriggerId>) -> Vec<DeleteConflict> {
        let targets = triggers.iter().flat_map(|trigger| self.feeds_of(*trigger)).map(|feed| feed.target);
        let roots: BTreeSet<RelationId> = targets.map(|target| schema.partition_root(target)).collect();
        let mut keys: BTreeSet<ConstraintId> = BTreeSet::new();
        for root in roots {
            for table in std::iter::once(root).chain(schema.partitions(root)) {
                let Some(found) = schema.get_relation(table).and_then(|relation| relation.as_table()) else { continue };
                keys.extend(found.referenced_by.iter().chain(&found.constraints));
            }
        }
        keys.into_iter().filter_map(|key| self.delete_conflict(schema, schema.get_constraint(key)?)).collect()
    }

    fn delete_conflict(&self, schema: &Schema, key: &Constraint) -> Option<DeleteConflict> {
        let row = key.as_foreign()?;
        // A key checked at COMMIT meets the rows that the cascade's own sync has deleted by then.
        if row.referenced_side || !key.enforced || key.parent.is_some() || key.initially_deferred {
            return None;
        }
        let parent = self.feeds_into(schema, row.references).find(|feed| feed.fires && deletes(feed).is_some())?;
        let write = deletes(parent)?;
        if parent.writes[write].catches("foreign_key_violation") {
            return None;
        }
        let deletes_children = |feed: &Feed| feed.source == parent.source && feed.fires && deletes(feed).is_some();
        if self.feeds_into(schema, key.table).any(deletes_children) {
            return None;
        }
        for child in self.feeds_into(schema, key.table).filter(|feed| feed.fires && feed.source != parent.source) {
            let Some(original) = original_key(schema, key, child, parent.source) else { continue };
            let Some(outcome) = outcome(schema, key, original) else { continue };
            return Some(DeleteConflict {
                parent: parent.clone(),
                write,
                child: child.clone(),
                key: key.id,
                original: original.id,
                outcome,
            });
        }
        None
    }
}

/// The write of a feed that follows a DELETE of the source.
fn deletes(feed: &Feed) -> Option<usize> {
    feed.writes.iter().position(|write| write.events.delete && write.kind == FeedKind::Delete)
}

/// The key between the sources over the columns that the copies' key is made of.
fn original_key<'a>(schema: &'a Schema, key: &Constraint, child: &Feed, parent: RelationId) -> Option<&'a Constraint> {
    let insert = child.writes.iter().find(|write| matches!(write.kind, FeedKind::Insert { .. }))?;
    let from: Vec<Ident> = key
        .columns
        .iter()
        .filter_map(|column| match insert.value_of(&schema.column_name(key.table, *column)) {
            Some(Value::Source(source)) => Some(source.clone()),
            _ => None,
        })
        .collect();
    let root = schema.partition_root(parent);
    schema.constraints_of(child.source).find(|original| {
        let leads = original.as_foreign().is_some_and(|row| schema.partition_root(row.references) == root);
        let names = original.columns.iter().map(|column| schema.column_name(child.source, *column));
        leads && original.enforced && names.into_iter().all(|name| from.contains(&name))
    })
}

/// NO ACTION and RESTRICT between the sources let no row go that others refer to: the copies' rows go in that order too.
fn outcome(schema: &Schema, key: &Constraint, original: &Constraint) -> Option<DeleteOutcome> {
    let (row, source) = (key.as_foreign()?, original.as_foreign()?);
    match (source.on_delete, row.on_delete) {
        (Action::NoAction | Action::Restrict, _) => None,
        (_, Action::NoAction | Action::Restrict) => Some(DeleteOutcome::Refused),
        (Action::Cascade, Action::Cascade) => None,
        (Action::SetNull | Action::SetDefault, Action::Cascade) => Some(DeleteOutcome::LosesRows),
        (_, Action::SetNull | Action::SetDefault) => {
            let root = schema.relation(schema.partition_root(key.table)).as_table()?;
            let by: Vec<&Ident> = root.partition_by.iter().flat_map(|by| key_columns(&by.parts)).collect();
            let set = if row.on_delete_columns.is_empty() { &key.columns } else { &row.on_delete_columns };
            let table = schema.relation(key.table).as_table()?;
            let fixed = set
                .iter()
                .filter_map(|column| table.column_by_id(*column))
                .any(|column| by.contains(&&column.name) || column.not_null && row.on_delete == Action::SetNull);
            fixed.then_some(DeleteOutcome::CannotBeSet)
        }
    }
}
