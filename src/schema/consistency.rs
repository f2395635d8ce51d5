//! Tests only: every reverse index says what the forward ones say.

use std::collections::BTreeMap;

use super::{ConstraintRow, QualifiedName, RelationKind, Schema};

impl Schema {
    /// Panics where a list and what it is made from disagree.
    pub fn check_consistency(&self) {
        for (name, id) in &self.relation_names {
            let relation = self.get_relation(*id).unwrap_or_else(|| panic!("{name} leads to nothing"));
            assert_eq!(relation.name, *name);
        }
        assert_eq!(self.relation_names.len(), self.relations.len(), "a relation without a name");
        let mut names: BTreeMap<QualifiedName, u32> = BTreeMap::new();
        for row in self.constraints.values() {
            let table = self.relation(row.table);
            *names.entry(QualifiedName::new(table.name.schema.clone(), row.name.clone())).or_default() += 1;
            let table = self.table(row.table);
            let derived = row.as_foreign().is_some_and(|key| key.referenced_side);
            let list = match row.kind {
                _ if derived => &table.derived,
                ConstraintRow::NotNull => &table.not_null,
                _ => &table.constraints,
            };
            assert!(list.contains(&row.id), "{} is not in its table's list", row.name);
            if let Some(parent) = row.parent {
                assert!(self.constraint(parent).children.contains(&row.id), "{} is no child of its parent", row.name);
            }
            if let Some(key) = row.as_foreign() {
                let other = self.table(key.references);
                let list = if derived { &other.derived_by } else { &other.referenced_by };
                assert!(list.contains(&row.id), "{} is not known to what it references", row.name);
                assert_eq!(key.index.is_some(), key.index.is_some_and(|index| self.relations.contains_key(&index)));
            }
            for column in &row.columns {
                assert!(table.column_by_id(*column).is_some(), "{} names a column that is gone", row.name);
            }
        }
        for (name, count) in names {
            assert!(self.constraint_names.get(&name).is_some_and(|known| *known >= count), "{name} is not counted");
        }
        for trigger in self.triggers.values() {
            assert!(self.triggers_of(trigger.table).iter().any(|one| one.id == trigger.id), "{}", trigger.name);
            if let Some(parent) = trigger.parent {
                assert!(self.trigger(parent).children.contains(&trigger.id), "{}", trigger.name);
            }
        }
        for relation in self.relations.values() {
            match &relation.kind {
                RelationKind::Table(table) => {
                    for child in &table.children {
                        let child = self.table(*child);
                        let of = child.partition_of.as_ref().map(|one| one.parent);
                        assert!(of == Some(relation.id) || child.inherits.contains(&relation.id));
                    }
                    let rows = table.constraints.iter().chain(&table.not_null).chain(&table.derived);
                    assert!(rows.clone().all(|row| self.constraints.contains_key(row)), "{}", relation.name);
                    let others = table.referenced_by.iter().chain(&table.derived_by);
                    assert!(others.clone().all(|row| self.constraints.contains_key(row)), "{}", relation.name);
                    assert!(table.indexes.iter().all(|index| self.relations.contains_key(index)), "{}", relation.name);
                    assert!(table.views.iter().all(|view| self.relations.contains_key(view)), "{}", relation.name);
                    assert!(table.triggers.iter().all(|one| self.triggers.contains_key(one)), "{}", relation.name);
                }
                RelationKind::Index(index) => {
                    assert!(index.children.iter().all(|child| self.relations.contains_key(child)));
                    if let Some(constraint) = index.constraint {
                        assert!(self.constraints.contains_key(&constraint), "{}", relation.name);
                    }
                }
                RelationKind::View(view) => {
                    assert!(view.reads.iter().all(|(read, _)| self.relations.contains_key(read)), "{}", relation.name);
                }
                RelationKind::Sequence(_) | RelationKind::Other => {}
            }
        }
    }
}
