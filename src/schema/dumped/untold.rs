//! What a dump in Ruby has no words for stays as the history made it, as far as its tables are still there.

use crate::schema::kept::Kept;

use crate::operation::QualifiedName;
use crate::schema::{ColumnId, ConstraintRow, Relation, RelationId, RelationKind, Schema, Table};

impl Schema {
    /// Takes over from a history what a dump in Ruby has no words for, as far as its tables are still there.
    pub(super) fn keep_untold(&mut self, history: &Schema) {
        self.extensions = self.extensions.clone().union(history.extensions.clone());
        self.schemas = self.schemas.clone().union(history.schemas.clone());
        for (name, id) in &history.type_names {
            if let (false, Some(one)) = (self.type_names.contains_key(name), history.types.get(id)) {
                self.type_names.insert(name.clone(), *id);
                self.types.insert(*id, one.clone());
            }
        }
        let shows_functions = !self.functions.is_empty() || !self.triggers.is_empty();
        let shows_views = self.relations().any(|relation| relation.as_view().is_some());
        let shows_checks = self.constraint_rows().any(|row| matches!(row.kind, ConstraintRow::Check { .. }));
        if !shows_functions {
            self.keep_functions(history);
        }
        self.keep_sequences(history);
        for relation in history.relations() {
            let Some(table) = relation.as_table() else { continue };
            self.keep_parts(relation.id, table);
            if !shows_checks {
                self.keep_checks(history, relation.id, table);
            }
        }
        if !shows_views {
            self.keep_views(history);
        }
    }

    fn keep_functions(&mut self, history: &Schema) {
        self.functions = history.functions.clone();
        self.function_names = history.function_names.clone();
        let mut dropped = Vec::new();
        for trigger in history.triggers() {
            let is_there = self.get_relation(trigger.table).is_some_and(|relation| relation.as_table().is_some());
            if !is_there {
                dropped.push(trigger.id);
                continue;
            }
            self.triggers.insert(trigger.id, Kept::new(trigger.clone()));
            self.edit_table(trigger.table, |table| table.triggers.push(trigger.id));
        }
        for id in dropped {
            let Some(trigger) = history.get_trigger(id) else { continue };
            if let Some(function) = trigger.function.and_then(|function| self.functions.get_mut(&function)) {
                function.edit().triggers.retain(|one| *one != id);
            }
        }
    }

    /// Sequences that no column owns.
    fn keep_sequences(&mut self, history: &Schema) {
        for relation in history.relations() {
            let RelationKind::Sequence(sequence) = &relation.kind else { continue };
            if sequence.owned_by.is_none() && !self.relation_names.contains_key(&relation.name) {
                self.take_relation(relation.clone());
            }
        }
    }

    fn take_relation(&mut self, relation: Relation) {
        self.name_relation(relation.name.clone(), relation.id);
        self.relations.insert(relation.id, Kept::new(relation));
    }

    /// Partitioning, policies and rules of a table that is still there.
    fn keep_parts(&mut self, id: RelationId, older: &Table) {
        let is_table =
            |schema: &Schema, id: &RelationId| schema.get_relation(*id).is_some_and(|one| one.as_table().is_some());
        if !is_table(self, &id) {
            return;
        }
        let partition_of = older.partition_of.clone().filter(|place| is_table(self, &place.parent));
        let of_these = |list: &[RelationId]| list.iter().copied().filter(|id| is_table(self, id)).collect::<Vec<_>>();
        let (children, inherits) = (of_these(&older.children), of_these(&older.inherits));
        self.edit_table(id, |table| {
            table.kind = older.kind;
            table.persistence = older.persistence;
            table.partition_by = older.partition_by.clone();
            table.partition_of = partition_of;
            (table.children, table.inherits) = (children, inherits);
            (table.row_security, table.row_security_forced) = (older.row_security, older.row_security_forced);
            table.replica_identity_full = older.replica_identity_full;
            (table.policies, table.rules) = (older.policies.clone(), older.rules.clone());
        });
    }

    /// CHECK constraints, which older versions of Active Record do not dump.
    fn keep_checks(&mut self, history: &Schema, id: RelationId, older: &Table) {
        let Some(relation) = self.get_relation(id).filter(|one| one.as_table().is_some()) else { return };
        let name = relation.name.schema.clone();
        for row in older.constraints.iter().filter_map(|row| history.get_constraint(*row)) {
            let there = |column: &ColumnId| self.table(id).column_by_id(*column).is_some();
            let is_check = matches!(row.kind, ConstraintRow::Check { .. }) && row.parent.is_none();
            if !is_check || self.constraints.contains_key(&row.id) || !row.columns.iter().all(there) {
                continue;
            }
            let mut row = row.clone();
            row.children.retain(|child| self.constraints.contains_key(child));
            *self.constraint_names.entry(QualifiedName::new(name.clone(), row.name.clone())).or_insert(0) += 1;
            let number = row.id;
            self.constraints.insert(number, Kept::new(row));
            self.edit_table(id, |table| table.constraints.push(number));
        }
    }

    /// Views whose relations are all there.
    fn keep_views(&mut self, history: &Schema) {
        let views: Vec<&Relation> = history.relations().filter(|relation| relation.as_view().is_some()).collect();
        for relation in views {
            let Some(view) = relation.as_view() else { continue };
            let reads_well = view.reads.iter().all(|(read, columns)| match self.get_relation(*read) {
                Some(read) => {
                    read.as_table().is_none_or(|table| columns.iter().all(|id| table.column_by_id(*id).is_some()))
                }
                None => false,
            });
            if !reads_well || self.relation_names.contains_key(&relation.name) {
                continue;
            }
            for (read, _) in &view.reads {
                self.edit_relation(*read, |read| match &mut read.kind {
                    RelationKind::Table(table) => table.views.push(relation.id),
                    RelationKind::View(_)
                    | RelationKind::Index(_)
                    | RelationKind::Sequence(_)
                    | RelationKind::Other => {}
                });
            }
            let mut kept = relation.clone();
            let RelationKind::View(view) = &mut kept.kind else { continue };
            let indexes: Vec<RelationId> = view.indexes.clone();
            view.triggers.retain(|one| self.triggers.contains_key(one));
            view.views.clear();
            self.take_relation(kept);
            for index in indexes.iter().filter_map(|id| history.get_relation(*id)) {
                self.take_relation(index.clone());
            }
        }
        self.link_views();
    }

    /// Views that other views read.
    fn link_views(&mut self) {
        let reads: Vec<(RelationId, RelationId)> = self
            .relations()
            .filter_map(|relation| Some((relation.id, relation.as_view()?)))
            .flat_map(|(id, view)| view.reads.iter().map(move |(read, _)| (*read, id)))
            .collect();
        for (read, reader) in reads {
            self.edit_relation(read, |read| {
                if let RelationKind::View(view) = &mut read.kind
                    && !view.views.contains(&reader)
                {
                    view.views.push(reader);
                }
            });
        }
    }
}
