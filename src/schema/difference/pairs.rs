//! Which relations of two schemas are the same one.

use std::collections::BTreeMap;

use super::{Shared, Sides};
use crate::schema::{ColumnId, Relation, RelationId, RelationKind, Schema};

/// Relations of both sides, each with its other half.
#[derive(Debug)]
pub struct Pairs<'a> {
    schemas: (&'a Schema, &'a Schema),
    /// Ids mean the same on both sides.
    is_one_history: bool,
    /// But for what both share.
    to: BTreeMap<RelationId, RelationId>,
    from: BTreeMap<RelationId, RelationId>,
}

impl<'a> Pairs<'a> {
    pub fn new(from: &'a Schema, to: &'a Schema, shared: Shared<'_>, relations: &Sides<'a, Relation>) -> Pairs<'a> {
        let is_one_history = !matches!(shared, Shared::Nothing);
        let mut pairs = Pairs { schemas: (from, to), is_one_history, to: BTreeMap::new(), from: BTreeMap::new() };
        for relation in relations.from.iter().filter(|relation| is_shared(shared, relation.id.0)) {
            if to.get_relation(relation.id).is_some() {
                pairs.add(relation.id, relation.id);
            }
        }
        for relation in &relations.from {
            if pairs.to.contains_key(&relation.id) {
                continue;
            }
            let Some(other) = to.relation_names.get(&relation.name) else { continue };
            if pairs.from(*other).is_none() && same_kind(relation, to.relation(*other)) {
                pairs.add(relation.id, *other);
            }
        }
        pairs
    }

    fn add(&mut self, from: RelationId, to: RelationId) {
        self.to.insert(from, to);
        self.from.insert(to, from);
    }

    /// What a relation of the first side is on the second.
    pub fn to(&self, from: RelationId) -> Option<RelationId> {
        self.to.get(&from).copied().or_else(|| self.both_share(from))
    }

    /// What a relation of the second side is on the first.
    pub fn from(&self, to: RelationId) -> Option<RelationId> {
        self.from.get(&to).copied().or_else(|| self.both_share(to))
    }

    fn both_share(&self, id: RelationId) -> Option<RelationId> {
        let (from, to) = self.schemas;
        let shared = self.is_one_history && from.relations.get(&id)? == to.relations.get(&id)?;
        shared.then_some(id)
    }
}

/// An id that both sides have from what they grew out of.
pub fn is_shared(shared: Shared<'_>, id: u32) -> bool {
    match shared {
        Shared::Nothing | Shared::Names => false,
        Shared::Since(base) => id < base.next_id,
    }
}

/// The column of the other side: by number where both have it from one table, else by name.
pub fn column_is_shared(shared: Shared<'_>, table: RelationId, column: ColumnId) -> bool {
    match shared {
        Shared::Nothing | Shared::Names => false,
        Shared::Since(base) => {
            base.get_relation(table).and_then(Relation::as_table).is_some_and(|table| column.0 < table.next_column)
        }
    }
}

fn same_kind(one: &Relation, other: &Relation) -> bool {
    matches!(
        (&one.kind, &other.kind),
        (RelationKind::Table(_), RelationKind::Table(_))
            | (RelationKind::Index(_), RelationKind::Index(_))
            | (RelationKind::Sequence(_), RelationKind::Sequence(_))
            | (RelationKind::View(_), RelationKind::View(_))
    )
}
