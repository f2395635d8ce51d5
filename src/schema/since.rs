//! What came since an earlier state of the same history: ids are given in order and never used again.

use std::collections::BTreeSet;

use imbl::OrdMap;

use super::kept::{Kept, apart};
use super::{Column, Constraint, Function, FunctionId, Gone, Part, Relation, RelationId, Schema, Trigger, TriggerId};
use crate::operation::{Ident, Name, QualifiedName};

/// What an earlier state had and a later one has not.
#[derive(Debug, Default)]
pub struct Lost<'a> {
    pub relations: Vec<&'a Relation>,
    /// Of tables that are still there.
    pub columns: Vec<(&'a Relation, &'a Column)>,
    pub constraints: Vec<&'a Constraint>,
    pub triggers: Vec<&'a Trigger>,
    pub functions: Vec<&'a Function>,
}

impl Schema {
    /// What went between `before`, an earlier state, and this one.
    pub fn lost_since<'a>(&self, before: &'a Schema) -> Lost<'a> {
        let mut lost = Lost::default();
        for (then, now) in apart(&before.relations, &self.relations) {
            match (then, now) {
                (Some((_, relation)), None) => lost.relations.push(relation),
                (Some((_, relation)), Some((_, now))) => {
                    let (Some(then), Some(now)) = (relation.as_table(), now.as_table()) else { continue };
                    let gone = then.columns.iter().filter(|column| now.column_by_id(column.id).is_none());
                    lost.columns.extend(gone.map(|column| (&**relation, column)));
                }
                (None, _) => {}
            }
        }
        lost.constraints.extend(gone(&before.constraints, &self.constraints).filter(|row| self.shows(row)));
        lost.triggers.extend(gone(&before.triggers, &self.triggers));
        lost.functions.extend(gone(&before.functions, &self.functions));
        lost
    }

    /// Relations made since `before`, an earlier state.
    pub fn relations_since(&self, before: &Schema) -> Vec<RelationId> {
        if self.next_id == before.next_id {
            return Vec::new();
        }
        self.relations.range(RelationId(before.next_id)..).map(|(id, _)| *id).collect()
    }

    /// Triggers made since `before`.
    pub fn triggers_since(&self, before: &Schema) -> Vec<TriggerId> {
        if self.next_id == before.next_id {
            return Vec::new();
        }
        self.triggers.range(TriggerId(before.next_id)..).map(|(id, _)| *id).collect()
    }

    /// Whether a function was made or replaced since `before`.
    pub fn is_changed_since(&self, before: &Schema, id: FunctionId) -> bool {
        match (self.functions.get(&id), before.functions.get(&id)) {
            (Some(now), Some(then)) => now != then,
            (now, then) => now.is_some() != then.is_some(),
        }
    }

    /// Nothing so far points to objects that this history did not make: an unseen name is most likely none.
    pub fn seems_complete(&self) -> bool {
        let assumed = |relation: &Relation| matches!(relation.existence, super::Existence::Assumed { .. });
        self.complete || !self.unread && !self.relations().any(assumed)
    }

    /// Something before this point was not understood.
    pub fn has_unread(&self) -> bool {
        self.unread
    }

    /// Objects may exist that no script shows: files are missing or could not be read.
    pub fn expect_unseen(&mut self) {
        self.complete = false;
        self.unread = true;
        self.unread_until = self.next_id;
    }

    /// Bare names of relations, columns and functions that were taken away since `before`.
    pub fn names_gone_since(&self, before: &Schema) -> BTreeSet<Ident> {
        let relations = fresh(&self.gone, &before.gone).map(|name| name.name.clone());
        let parts = fresh(&self.gone_parts, &before.gone_parts);
        let parts = parts.filter(|(_, part, _)| *part != Part::NotNull || self.majors.has_not_null_rows());
        let parts = parts.map(|(_, _, name)| name.clone());
        let functions = fresh(&self.gone_functions, &before.gone_functions).map(|name| name.name.clone());
        relations.chain(parts).chain(functions).collect()
    }

    /// What became of a relation's name, looked up with another search_path.
    pub fn gone_in(&self, name: &Name, path: &[Ident]) -> Option<&Gone> {
        looked_up(name, path).find_map(|name| self.gone.get(&name))
    }

    /// What became of a column.
    pub fn gone_column(&self, relation: RelationId, name: &Ident) -> Option<&Gone> {
        self.gone_parts.get(&(relation, Part::Column, name.clone()))
    }

    /// A table had a column, constraint or trigger of that name, or what it was called was called so once.
    pub fn was_part(&self, relation: RelationId, part: Part, name: &Ident) -> bool {
        self.gone_part(relation, part, name).is_some()
    }

    /// What became of a column, constraint or trigger.
    pub fn gone_part(&self, relation: RelationId, part: Part, name: &Ident) -> Option<&Gone> {
        let found = |part: Part| self.gone_parts.get(&(relation, part, name.clone()));
        let row = || found(Part::NotNull).filter(|_| part == Part::Constraint && self.majors.ask_not_null_rows());
        found(part).or_else(row)
    }

    /// What became of a function of which no overload is left.
    pub fn gone_function_in(&self, name: &Name, path: &[Ident]) -> Option<&Gone> {
        let found = |name: QualifiedName| self.function_names.get(&name).is_some_and(|ids| !ids.is_empty());
        if looked_up(name, path).any(found) {
            return None;
        }
        looked_up(name, path).find_map(|name| self.gone_functions.get(&name))
    }

    pub fn get_function(&self, id: FunctionId) -> Option<&Function> {
        self.functions.get(&id).map(|function| &**function)
    }

    /// The relation a name means with another search_path: inside a function that sets its own.
    pub fn find_in(&self, name: &Name, path: &[Ident]) -> Option<&Relation> {
        let id = match &name.schema {
            Some(_) => return self.find(name),
            None => path
                .iter()
                .find_map(|schema| self.relation_names.get(&QualifiedName::new(schema.clone(), name.name.clone()))),
        };
        id.map(|id| self.relation(*id))
    }
}

/// The full names that a name may mean.
fn looked_up<'a>(name: &'a Name, path: &'a [Ident]) -> impl Iterator<Item = QualifiedName> + 'a {
    let through = if name.schema.is_none() { path } else { &[] };
    let schemas = name.schema.iter().chain(through);
    schemas.map(|schema| QualifiedName::new(schema.clone(), name.name.clone()))
}

/// What a later state has no more.
fn gone<'a, K: Ord, T>(then: &'a OrdMap<K, Kept<T>>, now: &OrdMap<K, Kept<T>>) -> impl Iterator<Item = &'a T> {
    apart(then, now).filter_map(|(then, now)| then.filter(|_| now.is_none())).map(|(_, one)| &**one)
}

/// Keys that a later state has and an earlier one has not, or has with another value.
fn fresh<'a, K: Ord + Clone, V: PartialEq + Clone>(
    now: &'a OrdMap<K, V>,
    then: &'a OrdMap<K, V>,
) -> impl Iterator<Item = &'a K> {
    apart(then, now).filter_map(|(_, now)| now).map(|(key, _)| key)
}
