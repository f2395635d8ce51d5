//! Puts objects into the schema and takes them out, with every reverse index. Decides nothing.

use crate::schema::kept::Kept;

use super::Change;
use crate::operation::{Ident, QualifiedName};
use crate::schema::{
    Column, ColumnId, Constraint, ConstraintId, ConstraintRow, Existence, Gone, Index, Part, Relation, RelationId,
    RelationKind, Schema, Sequence, Table, TableKind, Trigger, TriggerId, View,
};

impl Schema {
    pub(in crate::schema) fn fresh(&mut self) -> u32 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    pub(in crate::schema) fn name_relation(&mut self, name: QualifiedName, id: RelationId) {
        self.any_temporary |= name.schema == "pg_temp";
        self.relation_names.insert(name, id);
    }

    /// The table with that id; an empty one where it is none, so that a question never panics.
    pub(in crate::schema) fn table(&self, id: RelationId) -> &Table {
        static NONE: Table = Table::empty();
        self.get_relation(id).and_then(Relation::as_table).unwrap_or(&NONE)
    }

    pub(in crate::schema) fn edit_relation(&mut self, id: RelationId, edit: impl FnOnce(&mut Relation)) {
        if let Some(relation) = self.relations.get_mut(&id) {
            edit(relation.edit());
        }
    }

    pub(in crate::schema) fn edit_table(&mut self, id: RelationId, edit: impl FnOnce(&mut Table)) {
        self.edit_relation(id, |relation| {
            if let RelationKind::Table(table) = &mut relation.kind {
                edit(table);
            }
        });
    }

    pub(in crate::schema) fn edit_column(&mut self, id: RelationId, column: ColumnId, edit: impl FnOnce(&mut Column)) {
        self.edit_table(id, |table| {
            if let Some(column) = table.columns.iter_mut().find(|one| one.id == column) {
                edit(column);
            }
        });
    }

    pub(in crate::schema) fn edit_index(&mut self, id: RelationId, edit: impl FnOnce(&mut Index)) {
        self.edit_relation(id, |relation| {
            if let RelationKind::Index(index) = &mut relation.kind {
                edit(index);
            }
        });
    }

    pub(super) fn edit_view(&mut self, id: RelationId, edit: impl FnOnce(&mut View)) {
        self.edit_relation(id, |relation| {
            if let RelationKind::View(view) = &mut relation.kind {
                edit(view);
            }
        });
    }

    pub(super) fn edit_sequence(&mut self, id: RelationId, edit: impl FnOnce(&mut Sequence)) {
        self.edit_relation(id, |relation| {
            if let RelationKind::Sequence(sequence) = &mut relation.kind {
                edit(sequence);
            }
        });
    }

    pub(in crate::schema) fn edit_constraint(&mut self, id: ConstraintId, edit: impl FnOnce(&mut Constraint)) {
        if let Some(constraint) = self.constraints.get_mut(&id) {
            edit(constraint.edit());
        }
    }

    pub(in crate::schema) fn edit_trigger(&mut self, id: TriggerId, edit: impl FnOnce(&mut Trigger)) {
        if let Some(trigger) = self.triggers.get_mut(&id) {
            edit(trigger.edit());
        }
    }

    pub(in crate::schema) fn constraint_scope(&self, table: RelationId, name: &Ident) -> Option<QualifiedName> {
        let relation = self.get_relation(table)?;
        Some(QualifiedName::new(relation.name.schema.clone(), name.clone()))
    }

    pub(in crate::schema) fn count_constraint_name(&mut self, name: QualifiedName) {
        *self.constraint_names.entry(name).or_insert(0) += 1;
    }

    pub(super) fn forget_constraint_name(&mut self, name: &QualifiedName) {
        match self.constraint_names.get_mut(name) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                self.constraint_names.remove(name);
            }
        }
    }

    /// What was gone is there.
    fn comes_back(&mut self, row: &Constraint) {
        for part in [Part::NotNull, Part::of(row)] {
            self.gone_parts.remove(&(row.table, part, row.name.clone()));
        }
    }

    /// Takes a constraint out of its table and of every list that leads to it.
    pub(in crate::schema) fn remove_constraint(&mut self, id: ConstraintId) {
        let Some(constraint) = self.constraints.remove(&id) else { return };
        if let Some(name) = self.constraint_scope(constraint.table, &constraint.name) {
            self.forget_constraint_name(&name);
        }
        self.edit_table(constraint.table, |table| {
            for list in [&mut table.constraints, &mut table.not_null, &mut table.derived] {
                list.retain(|one| *one != id);
            }
        });
        if let Some(key) = constraint.as_foreign() {
            self.edit_table(key.references, |table| {
                table.referenced_by.retain(|one| *one != id);
                table.derived_by.retain(|one| *one != id);
            });
        }
        if let Some(parent) = constraint.parent {
            self.edit_constraint(parent, |parent| parent.children.retain(|one| *one != id));
        }
    }

    pub(super) fn remove_trigger(&mut self, id: TriggerId) {
        let Some(trigger) = self.triggers.remove(&id) else { return };
        self.edit_relation(trigger.table, |relation| match &mut relation.kind {
            RelationKind::Table(table) => table.triggers.retain(|one| *one != id),
            RelationKind::View(view) => view.triggers.retain(|one| *one != id),
            RelationKind::Index(_) | RelationKind::Sequence(_) | RelationKind::Other => {}
        });
        if let Some(parent) = trigger.parent {
            self.edit_trigger(parent, |parent| parent.children.retain(|one| *one != id));
        }
        if let Some(function) = trigger.function.and_then(|function| self.functions.get_mut(&function)) {
            function.edit().triggers.retain(|one| *one != id);
        }
    }

    /// Takes a relation and its name away; what hangs on it has gone before.
    pub(super) fn remove_relation(&mut self, id: RelationId) {
        let Some(relation) = self.relations.remove(&id) else { return };
        if self.relation_names.get(&relation.name) == Some(&id) {
            self.relation_names.remove(&relation.name);
        }
        match &relation.kind {
            RelationKind::Table(table) => {
                let parents = table.partition_of.iter().map(|partition| partition.parent).chain(table.inherits.clone());
                for parent in parents {
                    self.edit_table(parent, |parent| parent.children.retain(|child| *child != id));
                }
            }
            RelationKind::Index(index) => {
                self.edit_relation(index.table, |relation| match &mut relation.kind {
                    RelationKind::Table(table) => table.indexes.retain(|one| *one != id),
                    RelationKind::View(view) => view.indexes.retain(|one| *one != id),
                    RelationKind::Index(_) | RelationKind::Sequence(_) | RelationKind::Other => {}
                });
                if let Some(parent) = index.parent {
                    self.edit_index(parent, |parent| parent.children.retain(|child| *child != id));
                }
            }
            RelationKind::Sequence(sequence) => {
                if let Some((table, column)) = sequence.owned_by {
                    self.edit_column(table, column, |column| column.disown(id));
                }
            }
            RelationKind::View(view) => {
                for (read, _) in &view.reads {
                    self.edit_relation(*read, |relation| match &mut relation.kind {
                        RelationKind::Table(table) => table.views.retain(|one| *one != id),
                        RelationKind::View(view) => view.views.retain(|one| *one != id),
                        RelationKind::Index(_) | RelationKind::Sequence(_) | RelationKind::Other => {}
                    });
                }
            }
            RelationKind::Other => {}
        }
    }
}

impl Table {
    pub(super) const fn empty() -> Table {
        Table {
            kind: TableKind::Plain,
            persistence: crate::operation::Persistence::Permanent,
            columns: Vec::new(),
            next_column: 1,
            columns_known: true,
            partition_of: None,
            partition_by: None,
            inherits: Vec::new(),
            drops_on_commit: false,
            row_security: false,
            row_security_forced: false,
            replica_identity_full: false,
            constraints: Vec::new(),
            not_null: Vec::new(),
            indexes: Vec::new(),
            triggers: Vec::new(),
            children: Vec::new(),
            referenced_by: Vec::new(),
            views: Vec::new(),
            policies: Vec::new(),
            rules: Vec::new(),
            derived: Vec::new(),
            derived_by: Vec::new(),
        }
    }

    /// Gives a column the next number.
    pub(in crate::schema) fn push(&mut self, mut column: Column) -> ColumnId {
        column.id = ColumnId(self.next_column);
        self.next_column = self.next_column.saturating_add(1);
        let id = column.id;
        self.columns.push(column);
        id
    }
}

impl Change<'_> {
    pub(super) fn created(&self) -> Existence {
        Existence::Created { by: self.at.clone() }
    }

    pub(super) fn gone(&self, now: Option<QualifiedName>) -> Gone {
        Gone { by: self.at.clone(), now }
    }

    pub(super) fn add_relation(&mut self, name: QualifiedName, kind: RelationKind, existence: Existence) -> RelationId {
        let id = RelationId(self.schema.fresh());
        self.schema.gone.remove(&name);
        self.schema.name_relation(name.clone(), id);
        self.schema.relations.insert(id, Kept::new(Relation { id, name, existence, kind }));
        id
    }

    /// A new row of `pg_constraint`, its id filled in here.
    pub(super) fn add_constraint(&mut self, mut constraint: Constraint) -> ConstraintId {
        let id = ConstraintId(self.schema.fresh());
        constraint.id = id;
        let table = constraint.table;
        if let Some(name) = self.schema.constraint_scope(table, &constraint.name) {
            self.schema.count_constraint_name(name);
        }
        self.schema.comes_back(&constraint);
        let key = constraint.as_foreign().map(|key| (key.references, key.referenced_side));
        let is_not_null = matches!(constraint.kind, ConstraintRow::NotNull);
        self.schema.edit_table(table, |table| match key {
            Some((_, true)) => table.derived.push(id),
            _ if is_not_null => table.not_null.push(id),
            _ => table.constraints.push(id),
        });
        match key {
            Some((references, true)) => self.schema.edit_table(references, |table| table.derived_by.push(id)),
            Some((references, false)) => self.schema.edit_table(references, |table| table.referenced_by.push(id)),
            None => {}
        }
        if let Some(parent) = constraint.parent {
            self.schema.edit_constraint(parent, |parent| parent.children.push(id));
        }
        self.schema.constraints.insert(id, Kept::new(constraint));
        id
    }

    /// A constraint row with what most kinds share.
    pub(super) fn constraint_row(&self, table: RelationId, name: Ident, kind: ConstraintRow) -> Constraint {
        Constraint {
            id: ConstraintId(0),
            name,
            table,
            existence: self.created(),
            validated_by: None,
            kind,
            columns: Vec::new(),
            validated: true,
            enforced: true,
            deferrable: false,
            initially_deferred: false,
            no_inherit: false,
            local: true,
            inherited: 0,
            parent: None,
            children: Vec::new(),
        }
    }

    pub(super) fn set_constraint_parent(&mut self, id: ConstraintId, parent: Option<ConstraintId>) {
        let Some(old) = self.schema.get_constraint(id).map(|constraint| constraint.parent) else { return };
        if let Some(old) = old {
            self.schema.edit_constraint(old, |old| old.children.retain(|child| *child != id));
        }
        if let Some(parent) = parent {
            self.schema.edit_constraint(parent, |parent| parent.children.push(id));
        }
        self.schema.edit_constraint(id, |constraint| {
            constraint.parent = parent;
            // ConstraintSetParentConstraint: a child is never local, an orphan always is.
            constraint.local = parent.is_none();
            constraint.inherited = u16::from(parent.is_some());
        });
    }

    pub(super) fn set_index_parent(&mut self, id: RelationId, parent: Option<RelationId>) {
        let Some(old) = self.schema.get_relation(id).and_then(Relation::as_index).map(|index| index.parent) else {
            return;
        };
        if let Some(old) = old {
            self.schema.edit_index(old, |old| old.children.retain(|child| *child != id));
        }
        if let Some(parent) = parent {
            self.schema.edit_index(parent, |parent| parent.children.push(id));
        }
        self.schema.edit_index(id, |index| index.parent = parent);
    }

    /// Gives a constraint another name; the caller has looked for clashes.
    pub(super) fn rename_constraint_row(&mut self, id: ConstraintId, to: &Ident) {
        let Some(constraint) = self.schema.get_constraint(id) else { return };
        let (table, from, part) = (constraint.table, constraint.name.clone(), Part::of(constraint));
        let old = self.schema.constraint_scope(table, &from);
        let new = self.schema.constraint_scope(table, to);
        if let (Some(old), Some(new)) = (old, new) {
            self.schema.forget_constraint_name(&old);
            self.schema.count_constraint_name(new);
        }
        let gone = self.gone(Some(QualifiedName::new("", to.clone())));
        self.schema.gone_parts.insert((table, part, from), gone);
        self.schema.edit_constraint(id, |constraint| constraint.name = to.clone());
        if let Some(row) = self.schema.get_constraint(id).cloned() {
            self.schema.comes_back(&row);
        }
    }

    /// Gives a relation another name or schema; the caller has looked for clashes.
    pub(super) fn rename_relation_row(&mut self, id: RelationId, to: QualifiedName) {
        let Some(from) = self.schema.get_relation(id).map(|relation| relation.name.clone()) else { return };
        if from == to {
            return;
        }
        self.schema.relation_names.remove(&from);
        let gone = self.gone(Some(to.clone()));
        self.schema.gone.insert(from, gone);
        self.schema.gone.remove(&to);
        self.schema.name_relation(to.clone(), id);
        self.schema.edit_relation(id, |relation| relation.name = to);
    }
}
