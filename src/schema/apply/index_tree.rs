//! Indexes of partitioned tables and of their partitions.

use super::index::{KeyRole, NewIndex, key_columns};
use super::resolve::quoted;
use super::{Change, Outcome, failure, refused};
use crate::operation::KeyPart;
use crate::schema::{ColumnId, ConstraintId, FailureKind, Index, IndexColumn, IndexKey, RelationId, TableKind};

impl Change<'_> {
    /// A unique key of a partitioned table must hold the partition key.
    pub(super) fn partitioned_index_allowed(&self, new: &NewIndex) -> Outcome {
        let index = &new.index;
        let table = self.schema.table(index.table);
        let full = self.full(index.table);
        if index.exclusion && !self.since(17) {
            let message = "exclusion constraints are not supported on partitioned tables".to_owned();
            return Err(refused("0A000", full, message));
        }
        let Some(key) = table.partition_by.as_ref().filter(|_| index.unique || index.exclusion) else {
            return Ok(());
        };
        for part in &key.parts {
            let KeyPart::Column(name) = part else {
                let message = "unsupported UNIQUE constraint with partition key definition".to_owned();
                return Err(failure(FailureKind::WithoutPartitionKey, "0A000", full, message));
            };
            let column = table.column(name).map(|column| column.id);
            let held =
                index.parts.iter().any(|part| matches!(&part.key, IndexKey::Column(one) if Some(*one) == column));
            if !held {
                let message = "unique constraint on partitioned table must include all partitioning columns".to_owned();
                return Err(failure(FailureKind::WithoutPartitionKey, "0A000", full, message));
            }
        }
        Ok(())
    }

    /// Gives every partition the index, taking one that is there already.
    pub(super) fn index_partitions(
        &mut self,
        parent: RelationId,
        constraint: Option<ConstraintId>,
        new: &NewIndex,
    ) -> Outcome {
        let table = new.index.table;
        let mut invalid = false;
        for child in self.partitions_in_order(table) {
            if self.schema.table(child).kind == TableKind::Foreign {
                if new.index.unique || new.index.primary {
                    let message =
                        format!("cannot create unique index on partitioned table {}", quoted(&self.label(table)));
                    return Err(refused("42809", self.full(table), message));
                }
                continue;
            }
            let found = self.matching_index(parent, constraint, child, false);
            let taken = match found {
                Some(own) => {
                    self.adopt_index(own, parent, constraint);
                    Some(own)
                }
                None => self.copy_index(parent, child, Some((parent, constraint)))?,
            };
            invalid |= taken.and_then(|taken| self.as_index(taken)).is_some_and(|index| !index.valid);
        }
        if invalid {
            self.schema.edit_index(parent, |index| index.valid = false);
        }
        Ok(())
    }

    /// An index of the partition that the parent's can take over.
    pub(super) fn matching_index(
        &self,
        parent: RelationId,
        constraint: Option<ConstraintId>,
        child: RelationId,
        attaching: bool,
    ) -> Option<RelationId> {
        if self.rebuilding {
            return None;
        }
        let kind = constraint.and_then(|id| self.schema.get_constraint(id)).map(|one| &one.kind);
        let of_kind = |own: &RelationId, alike: bool| {
            let Some(kind) = kind else { return true };
            let own = self.as_index(*own).and_then(|index| self.schema.get_constraint(index.constraint?));
            own.is_some_and(|own| !alike || std::mem::discriminant(&own.kind) == std::mem::discriminant(kind))
        };
        let is_free = |own: &RelationId| self.as_index(*own).is_some_and(|index| index.parent.is_none());
        let mut fitting = self.indexes_in_order(child);
        fitting.retain(|own| is_free(own) && self.same_definition(parent, *own) && of_kind(own, false));
        let first = fitting.first().copied();
        let first_alike = || fitting.into_iter().find(|own| of_kind(own, true));
        // ATTACH tells a primary key from UNIQUE since 17; a key added to the parent never does.
        match first {
            Some(own) if attaching && !of_kind(&own, true) && self.since(17) => first_alike(),
            _ => first,
        }
    }

    pub(super) fn adopt_index(&mut self, own: RelationId, parent: RelationId, constraint: Option<ConstraintId>) {
        self.set_index_parent(own, Some(parent));
        let inner = self.as_index(own).and_then(|index| index.constraint);
        if let (Some(inner), Some(outer)) = (inner, constraint) {
            self.set_constraint_parent(inner, Some(outer));
        }
    }

    /// `CompareIndexInfo`: order and NULLS FIRST of the columns do not count.
    pub(super) fn same_definition(&self, one: RelationId, other: RelationId) -> bool {
        let (Some(one), Some(other)) = (self.as_index(one), self.as_index(other)) else { return false };
        let name = |index: &Index, column: ColumnId| self.schema.column_name(index.table, column);
        let same_key = |(a, b): (&IndexColumn, &IndexColumn)| {
            let keys = match (&a.key, &b.key) {
                (IndexKey::Column(a), IndexKey::Column(b)) => name(one, *a) == name(other, *b),
                (IndexKey::Expression(a), IndexKey::Expression(b)) => a == b,
                _ => false,
            };
            keys && a.collation == b.collation && a.operator_class == b.operator_class
        };
        one.unique == other.unique
            && one.nulls_not_distinct == other.nulls_not_distinct
            && one.method == other.method
            && !one.exclusion
            && !other.exclusion
            && one.parts.len() == other.parts.len()
            && one.include.len() == other.include.len()
            && one.parts.iter().zip(&other.parts).all(same_key)
            && one.include.iter().zip(&other.include).all(|(a, b)| name(one, *a) == name(other, *b))
            && one.filter == other.filter
    }

    /// The same index on another table, with a name of its own (`generateClonedIndexStmt`).
    pub(super) fn copy_index(
        &mut self,
        source: RelationId,
        to: RelationId,
        parent: Option<(RelationId, Option<ConstraintId>)>,
    ) -> Outcome<Option<RelationId>> {
        let Some(from) = self.as_index(source).cloned() else { return Ok(None) };
        let key = from
            .constraint
            .and_then(|id| self.schema.get_constraint(id))
            .map(|one| KeyRole { deferrable: one.deferrable, initially_deferred: one.initially_deferred });
        let mut index = from.clone();
        index.table = to;
        index.children = Vec::new();
        index.parent = None;
        index.constraint = None;
        index.clustered = false;
        index.replica_identity = false;
        for part in &mut index.parts {
            if let IndexKey::Column(column) = &mut part.key {
                *column = self.map_column(from.table, *column, to).unwrap_or(*column);
            }
        }
        index.include = self.map_columns(from.table, &from.include, to);
        if index.primary {
            let columns = key_columns(&index);
            self.columns_not_null(to, &columns)?;
        }
        self.define_index(NewIndex {
            name: None,
            index,
            key,
            only: false,
            if_not_exists: false,
            parent: parent.map(|(index, _)| index),
            parent_constraint: parent.and_then(|(_, constraint)| constraint),
        })
    }

    pub(super) fn attach_index(&mut self, parent: RelationId, child: RelationId) -> Outcome {
        let (Some(outer), Some(inner)) = (self.as_index(parent).cloned(), self.as_index(child).cloned()) else {
            return Ok(());
        };
        let fails = |change: &Self, state: &'static str| {
            let (child, parent) = (quoted(&change.label(child)), quoted(&change.label(parent)));
            Err(refused(
                state,
                change.full(parent_of(&outer, &inner)),
                format!("cannot attach index {child} as a partition of index {parent}"),
            ))
        };
        if inner.parent == Some(parent) {
            self.validate_partitioned_index(parent);
            return Ok(());
        }
        let partition = self.schema.table(inner.table).partition_of.as_ref().map(|partition| partition.parent);
        if inner.parent.is_some() || partition != Some(outer.table) {
            return fails(self, "55000");
        }
        let table = |index: &RelationId| self.as_index(*index).map(|index| index.table);
        if outer.children.iter().filter_map(table).any(|table| table == inner.table) {
            return fails(self, "55000");
        }
        if !self.same_definition(parent, child) {
            return fails(self, "42P17");
        }
        if outer.constraint.is_some() && inner.constraint.is_none() {
            return fails(self, "42P17");
        }
        self.adopt_index(child, parent, outer.constraint);
        self.validate_partitioned_index(parent);
        Ok(())
    }

    /// A partitioned index becomes valid with the last valid one of its partitions.
    pub(super) fn validate_partitioned_index(&mut self, index: RelationId) {
        let mut at = Some(index);
        while let Some(id) = at {
            let Some(found) = self.as_index(id) else { return };
            let valid = found.children.iter().filter(|child| self.as_index(**child).is_some_and(|child| child.valid));
            if found.valid || valid.count() != self.schema.table(found.table).children.len() {
                return;
            }
            at = found.parent;
            self.schema.edit_index(id, |index| index.valid = true);
        }
    }
}

fn parent_of(outer: &Index, inner: &Index) -> RelationId {
    if outer.parent.is_some() { inner.table } else { outer.table }
}
