//! A dump of the schema takes the place of what a history was found to make: the objects are the dump's, and those of
//! the same name stay the same objects, so that what is known of them and their rows stays true.

mod disputed;
#[cfg(test)]
mod tests;
mod untold;

use std::collections::BTreeMap;

use imbl::OrdMap;

use super::{
    Column, ColumnId, Constraint, ConstraintId, ConstraintRow, Existence, Function, FunctionId, Index, IndexKey,
    Relation, RelationId, RelationKind, Schema, Sequence, Table, Trigger, TriggerId, Type, TypeId, View,
};
use crate::operation::{Argument, Ident};
use crate::schema::kept::Kept;
use crate::version::Major;

/// How much of a schema a dump shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// All of it, as `pg_dump` writes it.
    Everything,
    /// Tables with their columns, indexes and keys: what Active Record's schema.rb has words for.
    Tables,
}

impl Schema {
    /// An empty schema to apply a dump to: its ids are none of this one's.
    pub fn for_dump(&self) -> Schema {
        let mut empty = Schema::new(Major::NEWEST);
        empty.majors = self.majors;
        empty.next_id = self.next_id;
        empty
    }

    /// The same for a history that has not run yet: it does not come to as many ids.
    pub fn for_dump_beside() -> Schema {
        let mut empty = Schema::new(Major::NEWEST);
        empty.next_id = u32::MAX / 2;
        empty
    }

    /// The schema that a dump shows, applied to [`Schema::for_dump`], with the identities of this one.
    pub fn as_dumped(&self, dump: &Schema, told: Told) -> Schema {
        let same = Same::between(self, dump);
        let mut schema = dump.clone();
        schema.complete = self.complete;
        schema.unread = told == Told::Tables && self.unread;
        schema.unread_until = 0;
        same.rename_all(self, dump, &mut schema);
        if told == Told::Tables {
            schema.keep_untold(self);
        }
        schema.gone = without(&self.gone, &schema.relation_names);
        schema.gone_functions = without(&self.gone_functions, &schema.function_names);
        schema.gone_types = without(&self.gone_types, &schema.type_names);
        schema.gone_parts = self.gone_parts.clone();
        schema
    }
}

/// What is gone, but for what is there.
fn without<K: Ord + Clone, V: Clone, T: Clone>(gone: &OrdMap<K, V>, there: &OrdMap<K, T>) -> OrdMap<K, V> {
    let mut left = gone.clone();
    for name in gone.keys().filter(|name| there.contains_key(*name)) {
        left.remove(name);
    }
    left
}

/// Ids of the dump's objects, and those by which the history knows them.
#[derive(Debug, Default)]
struct Same {
    relations: BTreeMap<RelationId, RelationId>,
    /// Of the tables that both have.
    columns: BTreeMap<RelationId, BTreeMap<ColumnId, ColumnId>>,
    constraints: BTreeMap<ConstraintId, ConstraintId>,
    triggers: BTreeMap<TriggerId, TriggerId>,
    functions: BTreeMap<FunctionId, FunctionId>,
    types: BTreeMap<TypeId, TypeId>,
}

impl Same {
    fn between(history: &Schema, dump: &Schema) -> Same {
        let mut same = Same::default();
        for (name, id) in &dump.relation_names {
            let Some(known) = history.relation_names.get(name) else { continue };
            let (Some(own), Some(theirs)) = (history.get_relation(*known), dump.get_relation(*id)) else { continue };
            if !is_alike(own, theirs) {
                continue;
            }
            same.relations.insert(*id, *known);
            if let (Some(own), Some(theirs)) = (own.as_table(), theirs.as_table()) {
                same.columns.insert(*id, columns(own, theirs));
            }
        }
        same.parts(history, dump);
        for (name, id) in &dump.type_names {
            same.types.extend(history.type_names.get(name).map(|known| (*id, *known)));
        }
        for (name, ids) in &dump.function_names {
            for id in ids {
                let Some(function) = dump.get_function(*id) else { continue };
                let known = history.function_names.get(name).into_iter().flatten().find(|known| {
                    let own = history.get_function(**known);
                    own.is_some_and(|own| is_overload(&own.arguments, &function.arguments))
                });
                same.functions.extend(known.map(|known| (*id, *known)));
            }
        }
        same
    }

    /// Constraints and triggers of tables that both have, by their names there.
    fn parts(&mut self, history: &Schema, dump: &Schema) {
        let mut constraints: BTreeMap<(RelationId, &Ident), ConstraintId> = BTreeMap::new();
        for row in history.constraints.values() {
            constraints.insert((row.table, &row.name), row.id);
        }
        for row in dump.constraints.values() {
            let Some(table) = self.relations.get(&row.table) else { continue };
            self.constraints.extend(constraints.remove(&(*table, &row.name)).map(|known| (row.id, known)));
        }
        let mut triggers: BTreeMap<(RelationId, &Ident), TriggerId> = BTreeMap::new();
        for row in history.triggers.values() {
            triggers.insert((row.table, &row.name), row.id);
        }
        for row in dump.triggers.values() {
            let Some(table) = self.relations.get(&row.table) else { continue };
            self.triggers.extend(triggers.remove(&(*table, &row.name)).map(|known| (row.id, known)));
        }
    }

    fn relation(&self, id: RelationId) -> RelationId {
        self.relations.get(&id).copied().unwrap_or(id)
    }

    fn constraint(&self, id: ConstraintId) -> ConstraintId {
        self.constraints.get(&id).copied().unwrap_or(id)
    }

    fn trigger(&self, id: TriggerId) -> TriggerId {
        self.triggers.get(&id).copied().unwrap_or(id)
    }

    fn function(&self, id: FunctionId) -> FunctionId {
        self.functions.get(&id).copied().unwrap_or(id)
    }

    /// A column by the dump's id of its table.
    fn column(&self, table: RelationId, id: ColumnId) -> ColumnId {
        self.columns.get(&table).and_then(|columns| columns.get(&id)).copied().unwrap_or(id)
    }

    fn list<T: Copy>(&self, ids: &mut [T], name: impl Fn(&Same, T) -> T) {
        for id in ids {
            *id = name(self, *id);
        }
    }

    fn column_list(&self, table: RelationId, ids: &mut [ColumnId]) {
        for id in ids {
            *id = self.column(table, *id);
        }
    }

    /// Gives all objects of a dump the history's ids, and what is older than the dump its origin.
    fn rename_all(&self, history: &Schema, dump: &Schema, schema: &mut Schema) {
        let relations = dump.relations.values().map(|relation| self.renamed_relation(history, relation));
        schema.relations = relations.map(|relation| (relation.id, Kept::new(relation))).collect();
        schema.relation_names =
            dump.relation_names.iter().map(|(name, id)| (name.clone(), self.relation(*id))).collect();
        let constraints = dump.constraints.values().map(|row| self.renamed_constraint(history, row));
        schema.constraints = constraints.map(|row| (row.id, Kept::new(row))).collect();
        let triggers = dump.triggers.values().map(|row| self.renamed_trigger(history, row));
        schema.triggers = triggers.map(|row| (row.id, Kept::new(row))).collect();
        let functions = dump.functions.values().map(|row| self.renamed_function(history, row));
        schema.functions = functions.map(|row| (row.id, Kept::new(row))).collect();
        let names = dump
            .function_names
            .iter()
            .map(|(name, ids)| (name.clone(), ids.iter().map(|id| self.function(*id)).collect::<Vec<_>>()));
        schema.function_names = names.collect();
        let types = dump.types.values().map(|one| self.renamed_type(history, one));
        schema.types = types.map(|one| (one.id, Kept::new(one))).collect();
        schema.type_names = dump.type_names.iter().map(|(name, id)| (name.clone(), self.type_id(*id))).collect();
        schema.statistics = dump.statistics.iter().map(|(name, id)| (name.clone(), self.relation(*id))).collect();
        for (name, existence) in &history.schemas {
            if let Some(own) = schema.schemas.get_mut(name) {
                *own = known(Some(existence), own);
            }
        }
    }

    fn type_id(&self, id: TypeId) -> TypeId {
        self.types.get(&id).copied().unwrap_or(id)
    }

    fn renamed_relation(&self, history: &Schema, relation: &Relation) -> Relation {
        let id = self.relation(relation.id);
        let own = history.get_relation(id);
        let kind = match &relation.kind {
            RelationKind::Table(table) => {
                let older = own.and_then(Relation::as_table);
                RelationKind::Table(self.renamed_table(relation.id, table, older))
            }
            RelationKind::Index(index) => RelationKind::Index(self.renamed_index(index)),
            RelationKind::Sequence(sequence) => RelationKind::Sequence(self.renamed_sequence(sequence)),
            RelationKind::View(view) => RelationKind::View(self.renamed_view(view)),
            RelationKind::Other => RelationKind::Other,
        };
        let existence = known(own.map(|own| &own.existence), &relation.existence);
        Relation { id, name: relation.name.clone(), existence, kind }
    }

    fn renamed_table(&self, id: RelationId, table: &Table, older: Option<&Table>) -> Table {
        let mut table = table.clone();
        for column in &mut table.columns {
            column.id = self.column(id, column.id);
            column.sequence = column.sequence.map(|sequence| self.relation(sequence));
            self.list(&mut column.more_sequences, Same::relation);
            let own = older.and_then(|older| older.column_by_id(column.id));
            column.existence = known(own.map(|own| &own.existence), &column.existence);
        }
        let last = table.columns.iter().map(|column| column.id.0).max().unwrap_or(0);
        table.next_column =
            table.next_column.max(last.saturating_add(1)).max(older.map_or(0, |older| older.next_column));
        if let Some(partition) = &mut table.partition_of {
            partition.parent = self.relation(partition.parent);
        }
        for list in [&mut table.inherits, &mut table.indexes, &mut table.children, &mut table.views] {
            self.list(list, Same::relation);
        }
        let keys = [&mut table.constraints, &mut table.referenced_by, &mut table.derived, &mut table.derived_by];
        for list in keys {
            self.list(list, Same::constraint);
        }
        self.list(&mut table.not_null, Same::constraint);
        self.list(&mut table.triggers, Same::trigger);
        table
    }

    fn renamed_index(&self, index: &Index) -> Index {
        let mut renamed = index.clone();
        renamed.table = self.relation(index.table);
        for part in &mut renamed.parts {
            if let IndexKey::Column(column) = &mut part.key {
                *column = self.column(index.table, *column);
            }
        }
        self.column_list(index.table, &mut renamed.include);
        renamed.parent = index.parent.map(|parent| self.relation(parent));
        self.list(&mut renamed.children, Same::relation);
        renamed.constraint = index.constraint.map(|constraint| self.constraint(constraint));
        renamed
    }

    fn renamed_sequence(&self, sequence: &Sequence) -> Sequence {
        let owned_by = sequence.owned_by.map(|(table, column)| (self.relation(table), self.column(table, column)));
        Sequence { owned_by, ..sequence.clone() }
    }

    fn renamed_view(&self, view: &View) -> View {
        let mut renamed = view.clone();
        for (read, columns) in &mut renamed.reads {
            self.column_list(*read, columns);
            *read = self.relation(*read);
        }
        for list in [&mut renamed.indexes, &mut renamed.views] {
            self.list(list, Same::relation);
        }
        self.list(&mut renamed.triggers, Same::trigger);
        renamed
    }

    fn renamed_constraint(&self, history: &Schema, row: &Constraint) -> Constraint {
        let mut renamed = row.clone();
        renamed.id = self.constraint(row.id);
        let own = history.get_constraint(renamed.id);
        renamed.existence = known(own.map(|own| &own.existence), &row.existence);
        renamed.validated_by = own.filter(|_| row.validated).and_then(|own| own.validated_by.clone());
        renamed.table = self.relation(row.table);
        self.column_list(row.table, &mut renamed.columns);
        renamed.parent = row.parent.map(|parent| self.constraint(parent));
        self.list(&mut renamed.children, Same::constraint);
        match &mut renamed.kind {
            ConstraintRow::Check { .. } | ConstraintRow::NotNull => {}
            ConstraintRow::Primary { index } | ConstraintRow::Unique { index } | ConstraintRow::Exclude { index } => {
                *index = self.relation(*index);
            }
            ConstraintRow::Foreign(key) => {
                self.column_list(key.references, &mut key.referenced_columns);
                self.column_list(row.table, &mut key.on_delete_columns);
                key.references = self.relation(key.references);
                key.index = key.index.map(|index| self.relation(index));
            }
        }
        renamed
    }

    fn renamed_trigger(&self, history: &Schema, row: &Trigger) -> Trigger {
        let mut renamed = row.clone();
        renamed.id = self.trigger(row.id);
        let own = history.get_trigger(renamed.id);
        renamed.existence = known(own.map(|own| &own.existence), &row.existence);
        renamed.table = self.relation(row.table);
        self.column_list(row.table, &mut renamed.update_columns);
        renamed.function = row.function.map(|function| self.function(function));
        renamed.parent = row.parent.map(|parent| self.trigger(parent));
        self.list(&mut renamed.children, Same::trigger);
        renamed
    }

    fn renamed_function(&self, history: &Schema, row: &Function) -> Function {
        let mut renamed = row.clone();
        renamed.id = self.function(row.id);
        let own = history.get_function(renamed.id);
        renamed.existence = known(own.map(|own| &own.existence), &row.existence);
        self.list(&mut renamed.triggers, Same::trigger);
        renamed
    }

    fn renamed_type(&self, history: &Schema, one: &Type) -> Type {
        let id = self.type_id(one.id);
        let own = history.types.get(&id);
        Type { id, existence: known(own.map(|own| &own.existence), &one.existence), ..one.clone() }
    }
}

/// What the history is sure to have made, it made; all else is known from the dump alone.
fn known(history: Option<&Existence>, dump: &Existence) -> Existence {
    match history {
        Some(made @ Existence::Created { .. }) => made.clone(),
        _ => dump.clone(),
    }
}

fn is_alike(own: &Relation, theirs: &Relation) -> bool {
    matches!(
        (&own.kind, &theirs.kind),
        (RelationKind::Table(_), RelationKind::Table(_))
            | (RelationKind::Index(_), RelationKind::Index(_))
            | (RelationKind::Sequence(_), RelationKind::Sequence(_))
            | (RelationKind::View(_), RelationKind::View(_))
    )
}

/// Columns of one name are one column; others get numbers that no column of the table ever had.
fn columns(own: &Table, theirs: &Table) -> BTreeMap<ColumnId, ColumnId> {
    let mut next = own.next_column;
    let mut fresh = || {
        let id = ColumnId(next);
        next = next.saturating_add(1);
        id
    };
    let known = |column: &Column| own.column(&column.name).map(|column| column.id);
    theirs.columns.iter().map(|column| (column.id, known(column).unwrap_or_else(&mut fresh))).collect()
}

fn is_overload(own: &[Argument], theirs: &[Argument]) -> bool {
    own.len() == theirs.len()
        && own.iter().zip(theirs).all(|(own, theirs)| own.mode == theirs.mode && own.data_type == theirs.data_type)
}
