//! What came since an earlier state of the same history: ids are given in order and never used again.

use std::sync::Arc;

use super::{Function, FunctionId, Relation, RelationId, Schema, TriggerId};
use crate::operation::{Ident, Name, QualifiedName};

impl Schema {
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
            (Some(now), Some(then)) => !Arc::ptr_eq(now, then),
            (now, then) => now.is_some() != then.is_some(),
        }
    }

    /// Nothing so far points to objects that this history did not make: an unseen name is most likely none.
    pub fn seems_complete(&self) -> bool {
        let assumed = |relation: &Relation| matches!(relation.existence, super::Existence::Assumed { .. });
        self.complete || !self.unread && !self.relations().any(assumed)
    }

    /// Objects may exist that no script shows: files are missing or could not be read.
    pub fn expect_unseen(&mut self) {
        self.complete = false;
        self.unread = true;
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
