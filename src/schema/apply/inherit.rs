//! What a table takes from a parent it joins later (INHERIT, ATTACH), and what it keeps when it leaves.

use super::resolve::{Taken, quoted};
use super::{Change, Outcome, missing, refused};
use crate::operation::{Ident, Name};
use crate::schema::{Constraint, ConstraintRow, RelationId};

impl Change<'_> {
    /// `MergeAttributesIntoExisting`: every column of the parent must be there, alike.
    pub(super) fn merge_columns(&mut self, parent: RelationId, child: RelationId, partition: bool) -> Outcome {
        let (outer, inner) = (self.schema.table(parent).columns.clone(), self.schema.table(child));
        let full = self.full(child);
        let label = quoted(&self.label(child));
        let fails = |message: String| Err(refused("42804", full.clone(), message));
        for column in &outer {
            let name = quoted(&column.name);
            let Some(own) = inner.column(&column.name) else {
                if !inner.columns_known {
                    continue;
                }
                return fails(format!("child table is missing column {name}"));
            };
            let types = column.data_type.as_ref().zip(own.data_type.as_ref());
            if types.is_some_and(|(one, other)| one != other) {
                return fails(format!("child table {label} has different type for column {name}"));
            }
            let handed_down = !self.not_null_row(parent, column.id).is_some_and(|row| row.no_inherit);
            if column.not_null && handed_down && !own.not_null && own.data_type.is_some() {
                let of = if self.since(18) { format!(" {label}") } else { String::new() };
                return fails(format!("column {name} in child table{of} must be marked NOT NULL"));
            }
            match (&column.generated, &own.generated) {
                (Some(_), None) => return fails(format!("column {name} in child table must be a generated column")),
                (None, Some(_)) => {
                    return fails(format!("column {name} in child table must not be a generated column"));
                }
                _ => {}
            }
        }
        let own = self.schema.table(child).columns.iter();
        let has_identity = own.chain(&outer).any(|column| column.identity.is_some());
        let gives_identity = partition && has_identity && self.since(17);
        self.schema.edit_table(child, |table| {
            for column in &outer {
                let Some(own) = table.columns.iter_mut().find(|own| own.name == column.name) else { continue };
                own.inherited += 1;
                if partition {
                    own.local = false;
                }
                if gives_identity {
                    own.identity = column.identity;
                }
            }
        });
        Ok(())
    }

    /// `MergeConstraintsIntoExisting`: every CHECK (18: and NOT NULL) that the parent hands down must be there.
    pub(super) fn merge_constraints(&mut self, parent: RelationId, child: RelationId, partition: bool) -> Outcome {
        for id in self.constraints_by_name(parent) {
            let Some(outer) = self.schema.get_constraint(id).cloned() else { continue };
            let inherits = matches!(outer.kind, ConstraintRow::Check { .. } | ConstraintRow::NotNull);
            if !inherits || outer.no_inherit {
                continue;
            }
            let Some(own) = self.inherited_row(parent, &outer, child) else {
                if self.is_open(child) {
                    continue;
                }
                let lacks = Err(self.lacks(parent, &outer, child));
                self.shown_by(&outer, lacks)?;
                continue;
            };
            let Some(own) = self.schema.get_constraint(own).cloned() else { continue };
            self.shown_by(&outer, self.constraint_fits(&outer, &own, child))?;
            self.schema.edit_constraint(own.id, |row| {
                row.inherited += 1;
                // A partition has one parent, and what it has from there is never its own.
                row.local &= !partition;
            });
        }
        Ok(())
    }

    /// What is said of a constraint, where all majors have it.
    fn shown_by(&self, row: &Constraint, outcome: Outcome) -> Outcome {
        if outcome.is_err() && !self.schema.is_shown(row) { Ok(()) } else { outcome }
    }

    fn lacks(&self, parent: RelationId, outer: &Constraint, child: RelationId) -> Box<crate::schema::Failure> {
        let message = match (&outer.kind, outer.columns.first()) {
            (ConstraintRow::NotNull, Some(column)) => format!(
                "column {} in child table {} must be marked NOT NULL",
                quoted(&self.schema.column_name(parent, *column)),
                quoted(&self.label(child))
            ),
            _ => format!("child table is missing constraint {}", quoted(&outer.name)),
        };
        refused("42804", self.full(child), message)
    }

    fn constraint_fits(&self, outer: &Constraint, own: &Constraint, child: RelationId) -> Outcome {
        let (name, label) = (quoted(&own.name), quoted(&self.label(child)));
        let same = match (&outer.kind, &own.kind) {
            (ConstraintRow::Check { expression: one }, ConstraintRow::Check { expression: other }) => one == other,
            _ => true,
        };
        if !same {
            let message = format!("child table {label} has different definition for check constraint {name}");
            return Err(refused("42804", self.full(child), message));
        }
        let conflict = if own.no_inherit {
            "non-inherited constraint"
        } else if outer.validated && own.enforced && !own.validated {
            "NOT VALID constraint"
        } else if outer.enforced && !own.enforced {
            "NOT ENFORCED constraint"
        } else {
            return Ok(());
        };
        let message = format!("constraint {name} conflicts with {conflict} on child table {label}");
        Err(refused("42P17", self.full(child), message))
    }

    /// `RemoveInheritance`: what came from the parent alone becomes the table's own.
    pub(super) fn leave_parent(&mut self, parent: RelationId, child: RelationId) {
        let outer = self.schema.table(parent);
        let columns: Vec<Ident> = outer.columns.iter().map(|column| column.name.clone()).collect();
        self.schema.edit_table(child, |table| {
            for column in table.columns.iter_mut().filter(|column| columns.contains(&column.name)) {
                column.inherited = column.inherited.saturating_sub(1);
                column.local |= column.inherited == 0;
            }
        });
        for id in self.constraints_by_name(parent) {
            let Some(outer) = self.schema.get_constraint(id).cloned() else { continue };
            if !matches!(outer.kind, ConstraintRow::Check { .. } | ConstraintRow::NotNull) || outer.no_inherit {
                continue;
            }
            let Some(own) = self.inherited_row(parent, &outer, child) else { continue };
            self.schema.edit_constraint(own, |row| {
                row.inherited = row.inherited.saturating_sub(1);
                row.local |= row.inherited == 0;
            });
        }
    }

    /// ALTER TABLE … INHERIT.
    pub(super) fn inherit(&mut self, child: RelationId, name: &Name) -> Outcome {
        if self.is_partition(child) {
            return Err(refused("42809", self.full(child), "cannot change inheritance of a partition".to_owned()));
        }
        if self.schema.relation(child).is_partitioned() {
            return Err(refused(
                "42809",
                self.full(child),
                "cannot change inheritance of partitioned table".to_owned(),
            ));
        }
        let parent = self.relation(name, Taken::Table)?;
        self.must_be_table(parent)?;
        let (outer, label) = (self.schema.table(parent), quoted(&self.label(parent)));
        let full = self.full(parent);
        if outer.partition_by.is_some() {
            return Err(refused("42809", full, format!("cannot inherit from partitioned table {label}")));
        }
        if outer.partition_of.is_some() {
            return Err(refused("42809", full, format!("cannot inherit from partition {label}")));
        }
        if self.schema.table(child).inherits.contains(&parent) {
            let message = format!("relation {label} would be inherited from more than once");
            return Err(refused("42P07", full, message));
        }
        if parent == child || self.ancestors(parent).contains(&child) {
            return Err(refused("42P07", full, "circular inheritance not allowed".to_owned()));
        }
        self.merge_columns(parent, child, false)?;
        self.merge_constraints(parent, child, false)?;
        self.schema.edit_table(parent, |table| table.children.push(child));
        self.schema.edit_table(child, |table| table.inherits.push(parent));
        Ok(())
    }

    /// ALTER TABLE … NO INHERIT.
    pub(super) fn no_inherit(&mut self, child: RelationId, name: &Name) -> Outcome {
        if self.is_partition(child) {
            return Err(refused("42809", self.full(child), "cannot change inheritance of a partition".to_owned()));
        }
        let parent = self.relation(name, Taken::Table)?;
        if !self.schema.table(child).inherits.contains(&parent) {
            if self.is_open(child) {
                return Ok(());
            }
            let message = format!(
                "relation {} is not a parent of relation {}",
                quoted(&self.label(parent)),
                quoted(&self.label(child))
            );
            return Err(missing("42P01", self.full(child), message));
        }
        self.schema.edit_table(parent, |table| table.children.retain(|one| *one != child));
        self.schema.edit_table(child, |table| table.inherits.retain(|one| *one != parent));
        self.leave_parent(parent, child);
        Ok(())
    }
}
