//! Undecided branches come together: what only one side has, or both have differently, may be or not.

use imbl::OrdMap;

use super::kept::{Kept, apart};
use super::{
    ColumnId, Constraint, ConstraintId, ConstraintRow, Existence, IndexKey, Part, Relation, RelationId, RelationKind,
    Schema, Table,
};
use crate::operation::Origin;

impl Schema {
    /// One schema for two ways a branch may have gone. What both have alike stays certain; what only one
    /// has, or both have differently, is there as [`Existence::Maybe`], in this schema's form where it has one.
    ///
    /// Both come from the same schema before the branch: an id means the same object on both sides where it
    /// was made at the same place.
    #[must_use]
    pub fn join(&self, other: &Schema, by: &Origin) -> Schema {
        let mut joined = self.clone();
        joined.complete &= other.complete;
        joined.unread |= other.unread;
        joined.unread_until = joined.unread_until.max(other.unread_until);
        let maybe = Existence::Maybe { by: by.clone() };
        for (id, own, theirs) in beside(&self.relations, &other.relations) {
            if theirs.is_none_or(|theirs| !alike(own, theirs)) {
                joined.edit_relation(*id, |relation| relation.existence = maybe.clone());
            }
        }
        for (id, own, theirs) in beside(&self.constraints, &other.constraints) {
            if theirs.is_none_or(|theirs| own.name != theirs.name) {
                joined.edit_constraint(*id, |row| row.existence = maybe.clone());
            }
        }
        for (id, own, theirs) in beside(&self.triggers, &other.triggers) {
            if theirs.is_none_or(|theirs| own.name != theirs.name) {
                joined.edit_trigger(*id, |row| row.existence = maybe.clone());
            }
        }
        for (id, own, _) in beside(&self.functions, &other.functions) {
            let mut function = (**own).clone();
            function.existence = maybe.clone();
            joined.functions.insert(*id, Kept::new(function));
        }
        joined.take_only_theirs(self, other, &maybe);
        joined
    }

    /// Of two ways from one schema: whether this one made more objects.
    pub fn made_more_than(&self, other: &Schema) -> bool {
        self.next_id > other.next_id
    }

    /// Objects that only the other side has, under ids of their own: branches count on from the same number.
    fn take_only_theirs(&mut self, own: &Schema, other: &Schema, maybe: &Existence) {
        self.next_id = self.next_id.max(other.next_id);
        for (name, id, known) in beside(&other.relation_names, &own.relation_names) {
            let (None, Some(theirs)) = (known, other.relations.get(id)) else { continue };
            if own.is_same_object(theirs) || self.takes_index(theirs, maybe) {
                continue;
            }
            let new = RelationId(self.fresh());
            self.gone.remove(name);
            self.name_relation(name.clone(), new);
            let kind = bare(&theirs.kind);
            self.relations
                .insert(new, Kept::new(Relation { id: new, name: name.clone(), existence: maybe.clone(), kind }));
        }
        for (name, id, known) in beside(&other.type_names, &own.type_names) {
            let (None, Some(theirs)) = (known, other.types.get(id)) else { continue };
            let new = super::TypeId(self.fresh());
            let mut found = (**theirs).clone();
            (found.id, found.existence) = (new, maybe.clone());
            self.gone_types.remove(name);
            self.type_names.insert(name.clone(), new);
            self.types.insert(new, Kept::new(found));
        }
        for (name, ids, known) in beside(&other.function_names, &own.function_names) {
            if known.is_some() {
                continue;
            }
            for id in ids {
                let Some(theirs) = other.functions.get(id) else { continue };
                let new = super::FunctionId(self.fresh());
                let mut function = (**theirs).clone();
                (function.id, function.existence) = (new, maybe.clone());
                function.triggers = Vec::new();
                self.function_names.entry(name.clone()).or_default().push(new);
                self.functions.insert(new, Kept::new(function));
            }
            self.gone_functions.remove(name);
        }
        for (name, _) in &other.schemas {
            if !self.schemas.contains_key(name) {
                self.schemas.insert(name.clone(), maybe.clone());
                self.gone_schemas.remove(name);
            }
        }
        for (name, _) in &other.extensions {
            if !self.extensions.contains_key(name) {
                self.extensions.insert(name.clone(), maybe.clone());
            }
        }
        self.columns_may_be_more(own, other, maybe);
        for (id, theirs, known) in beside(&other.constraints, &own.constraints) {
            if known.is_none() {
                self.take_constraint(*id, theirs, maybe);
            }
        }
    }

    /// A check or a foreign key that only one way has, on tables that both have, is perhaps there.
    fn take_constraint(&mut self, id: ConstraintId, theirs: &Constraint, maybe: &Existence) {
        let references = match &theirs.kind {
            ConstraintRow::Check { .. } => None,
            ConstraintRow::Foreign(key) if !key.referenced_side => Some(key),
            _ => return,
        };
        let has = |table: RelationId, columns: &[ColumnId]| {
            let table = self.get_relation(table).and_then(Relation::as_table);
            table.is_some_and(|table| columns.iter().all(|column| table.column_by_id(*column).is_some()))
        };
        let stands = has(theirs.table, &theirs.columns)
            && references.is_none_or(|key| has(key.references, &key.referenced_columns));
        let named = self.constraints_of(theirs.table).any(|row| row.name == theirs.name);
        if !stands || named || theirs.parent.is_some() || !theirs.children.is_empty() {
            return;
        }
        let mut row = theirs.clone();
        row.existence = maybe.clone();
        if let Some(scope) = self.constraint_scope(row.table, &row.name) {
            self.count_constraint_name(scope);
        }
        self.gone_parts.remove(&(row.table, Part::Constraint, row.name.clone()));
        self.edit_table(row.table, |table| table.constraints.push(id));
        if let Some(key) = references {
            self.edit_table(key.references, |table| table.referenced_by.push(id));
        }
        self.constraints.insert(id, Kept::new(row));
    }

    /// An index that another schema has, of a table that both have, is perhaps there: as what it is, under its own id.
    pub(super) fn takes_index(&mut self, theirs: &Relation, maybe: &Existence) -> bool {
        let Some(index) = theirs.as_index().filter(|index| index.constraint.is_none()) else { return false };
        let is_known = |table: &Table| {
            let keys = index.parts.iter().filter_map(|part| match &part.key {
                IndexKey::Column(column) => Some(column),
                IndexKey::Expression(_) => None,
            });
            keys.chain(&index.include).all(|column| table.column_by_id(*column).is_some())
        };
        let stands = self.get_relation(index.table).and_then(Relation::as_table).is_some_and(is_known);
        if !stands || self.relations.contains_key(&theirs.id) {
            return false;
        }
        let mut index = index.clone();
        index.children.clear();
        index.parent = index.parent.filter(|id| self.get_relation(*id).is_some_and(|one| one.as_index().is_some()));
        if let Some(parent) = index.parent {
            self.edit_index(parent, |parent| parent.children.push(theirs.id));
        }
        let (table, name) = (index.table, theirs.name.clone());
        self.gone.remove(&name);
        self.name_relation(name.clone(), theirs.id);
        let kind = RelationKind::Index(index);
        let relation = Relation { id: theirs.id, name, existence: maybe.clone(), kind };
        self.relations.insert(theirs.id, Kept::new(relation));
        self.edit_table(table, |table| table.indexes.push(theirs.id));
        true
    }

    /// The other side's object is here under its id, renamed perhaps.
    fn is_same_object(&self, theirs: &Relation) -> bool {
        self.relations.get(&theirs.id).is_some_and(|own| own.existence.origin() == theirs.existence.origin())
    }

    /// Columns of one side only may be there; those of both stay.
    fn columns_may_be_more(&mut self, own: &Schema, other: &Schema, maybe: &Existence) {
        for (id, _, theirs) in beside(&own.relations, &other.relations) {
            let Some(theirs) = theirs.and_then(|theirs| theirs.as_table()).cloned() else { continue };
            self.edit_table(*id, |table| {
                for column in &mut table.columns {
                    if theirs.column_by_id(column.id).is_none_or(|one| one.name != column.name) {
                        column.existence = maybe.clone();
                    }
                }
                for column in &theirs.columns {
                    if table.column(&column.name).is_none() {
                        let mut column = column.clone();
                        (column.existence, column.sequence) = (maybe.clone(), None);
                        column.more_sequences.clear();
                        table.push(column);
                    }
                }
                table.columns_known &= theirs.columns_known;
            });
        }
    }
}

/// The entries of a map that another has not, or has otherwise; each with the other's.
fn beside<'m, K: Ord, V: PartialEq>(
    own: &'m OrdMap<K, V>,
    other: &'m OrdMap<K, V>,
) -> impl Iterator<Item = (&'m K, &'m V, Option<&'m V>)> {
    apart(own, other).filter_map(|(own, other)| own.map(|(key, own)| (key, own, other.map(|(_, value)| value))))
}

/// The same in what is asked of a relation itself; columns and constraints have existence of their own.
fn alike(own: &Relation, theirs: &Relation) -> bool {
    own.name == theirs.name && own.existence.origin() == theirs.existence.origin()
}

/// A relation without the ties to others that this side does not have.
fn bare(kind: &RelationKind) -> RelationKind {
    match kind {
        RelationKind::Table(table) => {
            let mut table = table.clone();
            table.partition_of = None;
            table.columns_known = false;
            let keys = [&mut table.constraints, &mut table.referenced_by, &mut table.derived, &mut table.derived_by];
            for list in keys {
                list.clear();
            }
            table.not_null.clear();
            for list in [&mut table.indexes, &mut table.children, &mut table.views, &mut table.inherits] {
                list.clear();
            }
            table.triggers.clear();
            table.columns.iter_mut().for_each(|column| {
                column.sequence = None;
                column.more_sequences.clear();
            });
            RelationKind::Table(table)
        }
        RelationKind::Sequence(sequence) => {
            let mut sequence = sequence.clone();
            sequence.owned_by = None;
            RelationKind::Sequence(sequence)
        }
        RelationKind::View(view) => {
            let mut view = view.clone();
            view.reads.clear();
            view.indexes.clear();
            view.views.clear();
            view.triggers.clear();
            RelationKind::View(view)
        }
        RelationKind::Index(_) | RelationKind::Other => RelationKind::Other,
    }
}
