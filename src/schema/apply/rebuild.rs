//! ALTER COLUMN … TYPE makes the column's indexes and foreign keys anew (`ATPostAlterTypeCleanup`), even where the
//! type stays. The declared ones keep their names; their parts on partitions get the names PostgreSQL
//! makes, an index that was ON ONLY its table is valid afterwards, and nothing is taken over.

use super::index::{NewIndex, key_role};
use super::{Change, Outcome, because, refused};
use crate::operation::{Expression, Ident, QualifiedName};
use crate::schema::{ColumnId, ConstraintId, Failure, Index, IndexKey, RelationId};

impl Change<'_> {
    pub(super) fn rebuild_for_type(&mut self, table: RelationId, name: &Ident) -> Outcome {
        let mut tables = vec![table];
        tables.extend(self.descendants(table));
        let (mut indexes, mut keys) = (Vec::new(), Vec::new());
        for table in &tables {
            let Some(column) = self.schema.table(*table).column(name).map(|column| column.id) else { continue };
            let own = self.indexes_in_order(*table).into_iter().filter(|id| {
                self.as_index(*id).is_some_and(|index| index.parent.is_none() && holds(index, column, name))
            });
            keys.extend(self.declared_keys(*table, column));
            for index in own {
                self.parts_can_be_dropped(index, &keys)?;
                indexes.push(index);
            }
        }
        keys.sort();
        keys.dedup();
        let partitioned = |change: &Self, id: &RelationId| {
            change.as_index(*id).is_some_and(|index| change.schema.relation(index.table).is_partitioned())
        };
        for key in &keys {
            for child in self.schema.get_constraint(*key).map(|row| row.children.clone()).unwrap_or_default() {
                self.drop_constraint_tree(child);
            }
        }
        for index in indexes.iter().filter(|index| partitioned(self, index)).copied().collect::<Vec<_>>() {
            self.drop_index_parts(index);
        }
        self.rebuilding = true;
        for id in indexes {
            let parts = partitioned(self, &id);
            self.schema.edit_index(id, |index| (index.valid, index.ready) = (true, true));
            let Some(index) = self.as_index(id).cloned().filter(|_| parts) else { continue };
            let constraint = index.constraint;
            let key = constraint.and_then(|id| self.schema.get_constraint(id)).map(key_role);
            let new = NewIndex {
                name: None,
                index,
                key,
                only: false,
                if_not_exists: false,
                parent: None,
                parent_constraint: None,
            };
            self.index_partitions(id, constraint, &new)?;
        }
        self.rename_inherited_not_null(&tables, name);
        self.spread_again(&keys)?;
        self.rebuilding = false;
        Ok(())
    }

    /// A table's indexes are dropped before the tables below it are looked at: a foreign key that relies on a
    /// partition's part, and is not one that the table itself remembers (`remembered`), stands in the way
    /// (measured on 12 to 18).
    fn parts_can_be_dropped(&self, index: RelationId, remembered: &[ConstraintId]) -> Outcome {
        let mut parts = self.as_index(index).map(|index| index.children.clone()).unwrap_or_default();
        while let Some(part) = parts.pop() {
            let Some(found) = self.as_index(part) else { continue };
            parts.extend(&found.children);
            let relying = self
                .schema
                .table(found.table)
                .referenced_by
                .iter()
                .filter(|id| self.foreign(**id).is_some_and(|key| key.index == Some(part)));
            for id in relying {
                let mut declared = *id;
                while let Some(above) = self.schema.get_constraint(declared).and_then(|row| row.parent) {
                    declared = above;
                }
                if !remembered.contains(&declared) {
                    return Err(self.other_objects_depend(index, declared));
                }
            }
        }
        Ok(())
    }

    fn other_objects_depend(&self, index: RelationId, dependent: ConstraintId) -> Box<Failure> {
        let found = self.as_index(index);
        let constraint = found.and_then(|index| index.constraint).and_then(|id| self.schema.get_constraint(id));
        let what = match constraint {
            Some(row) => format!("constraint {} on table {}", row.name, self.label(row.table)),
            None => format!("index {}", self.label(index)),
        };
        let message = format!("cannot drop {what} because other objects depend on it");
        let by = self.schema.get_constraint(dependent).map(|row| row.existence.origin().clone());
        because(refused("2BP01", self.full(index), message), by.as_ref())
    }

    /// Foreign keys that stand on their own and have the column on either side.
    fn declared_keys(&self, table: RelationId, column: ColumnId) -> Vec<ConstraintId> {
        let found = self.schema.table(table);
        let own = found.constraints.iter().copied().filter(|id| {
            self.schema
                .get_constraint(*id)
                .is_some_and(|row| row.as_foreign().is_some() && row.columns.contains(&column))
        });
        let others = found.referenced_by.iter().copied();
        let others = others.filter(|id| self.foreign(*id).is_some_and(|key| key.referenced_columns.contains(&column)));
        let declared = |id: &ConstraintId| self.schema.get_constraint(*id).is_some_and(|row| row.parent.is_none());
        own.chain(others).filter(declared).collect()
    }

    /// While they are made anew, none of the keys is there: a row for a partition may take the name of the
    /// next one, which is then refused.
    fn spread_again(&mut self, keys: &[ConstraintId]) -> Outcome {
        let names: Vec<Ident> = keys.iter().map(|key| self.constraint_name(*key)).collect();
        for (at, key) in keys.iter().enumerate() {
            self.name_quietly(*key, &Ident::new(format!("\0{at}")));
        }
        for (key, name) in keys.iter().zip(names) {
            let Some(table) = self.schema.get_constraint(*key).map(|row| row.table) else { continue };
            if self.constraint_name_used(table, &name) {
                return Err(self.constraint_exists(table, &name));
            }
            self.name_quietly(*key, &name);
            self.spread_foreign_key(*key)?;
        }
        Ok(())
    }

    fn name_quietly(&mut self, id: ConstraintId, to: &Ident) {
        let Some(row) = self.schema.get_constraint(id) else { return };
        let (schema, from) = (self.namespace(row.table), row.name.clone());
        self.schema.forget_constraint_name(&QualifiedName::new(schema.clone(), from));
        self.schema.count_constraint_name(QualifiedName::new(schema, to.clone()));
        self.schema.edit_constraint(id, |row| row.name = to.clone());
    }

    /// 18 makes NOT NULL anew as well: what a partition has from above takes the name of the one above.
    fn rename_inherited_not_null(&mut self, tables: &[RelationId], name: &Ident) {
        let column = |change: &Self, table: RelationId| change.schema.table(table).column(name).map(|one| one.id);
        let Some((top, children)) = tables.split_first() else { return };
        let above = column(self, *top).and_then(|column| self.not_null_row(*top, column)).map(|row| row.name.clone());
        let Some(above) = above else { return };
        for child in children {
            let row = column(self, *child).and_then(|column| self.not_null_row(*child, column));
            let Some((id, own)) = row.filter(|row| !row.local).map(|row| (row.id, row.name.clone())) else { continue };
            if own != above && !self.not_null_name_used(*child, &above) {
                self.rename_constraint_row(id, &above);
            }
        }
    }

    fn drop_index_parts(&mut self, id: RelationId) {
        let children = self.as_index(id).map(|index| index.children.clone()).unwrap_or_default();
        for child in children {
            self.drop_index_parts(child);
            if let Some(constraint) = self.as_index(child).and_then(|index| index.constraint) {
                self.schema.remove_constraint(constraint);
            }
            self.schema.remove_relation(child);
        }
    }
}

fn holds(index: &Index, column: ColumnId, name: &Ident) -> bool {
    let names = |expression: &Expression| expression.tree.columns().contains(&name);
    index.include.contains(&column)
        || index.filter.as_ref().is_some_and(names)
        || index.parts.iter().any(|part| match &part.key {
            IndexKey::Column(one) => *one == column,
            IndexKey::Expression(expression) => names(expression),
        })
}
