//! What PostgreSQL leaves of a statement that commits more than once, where it fails or is cancelled half way. Every other
//! statement leaves nothing (`tests/stops` measures it).

use super::Change;
use crate::operation::{
    Drop, Ident, Name, ObjectKind, Operation, Origin, QualifiedName, ReindexTarget, TableActionKind,
};
use crate::schema::{Index, Relation, RelationId, RelationKind, Schema};

/// How far such a statement came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// While it built: the index is not ready, so writes leave it out.
    Early,
    /// While it waited for other transactions at the end: writes keep the index up, and pay for it.
    Late,
}

impl Schema {
    /// The schema after this statement stopped half way; `None` where it leaves nothing.
    pub fn left_by(&self, operation: &Operation, at: &Origin, phase: Phase) -> Option<Schema> {
        match operation {
            Operation::CreateIndex(create) if create.concurrently => self.left_by_build(operation, at, phase),
            Operation::Drop(drop) if drop.concurrently && drop.kind == ObjectKind::Index => self.left_by_drop(drop),
            Operation::Reindex(reindex) if reindex.concurrently => match &reindex.target {
                ReindexTarget::Index(name) => self.left_by_reindex(name, at, phase),
                _ => None,
            },
            Operation::AlterTable(alter) => {
                let action = alter.actions.first()?;
                match &action.kind {
                    TableActionKind::DetachPartition { partition, concurrently: true, .. } => {
                        self.left_by_detach(&alter.table, partition, at)
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn left_by_build(&self, operation: &Operation, at: &Origin, phase: Phase) -> Option<Schema> {
        let mut left = self.clone();
        if left.apply(operation, at).failure().is_some() {
            return None;
        }
        let made: Vec<RelationId> = left.relations_since(self);
        let index = made.into_iter().find(|id| left.relation(*id).as_index().is_some())?;
        // Duplicates are found while it builds, in either pass.
        left.edit_index(index, |index| (index.valid, index.ready) = (false, phase == Phase::Late));
        Some(left)
    }

    fn left_by_drop(&self, drop: &Drop) -> Option<Schema> {
        let index = self.find(&drop.targets.first()?.name)?;
        index.as_index().filter(|index| index.valid)?;
        let (mut left, id) = (self.clone(), index.id);
        left.edit_index(id, |index| index.valid = false);
        Some(left)
    }

    /// `x_ccnew` is not finished yet; `x_ccold` has been replaced and not been dropped.
    fn left_by_reindex(&self, name: &Name, at: &Origin, phase: Phase) -> Option<Schema> {
        let relation = self.find(name)?;
        let index = relation.as_index()?;
        let ending = if phase == Phase::Early { "_ccnew" } else { "_ccold" };
        let mut left = self.clone();
        let copy = Ident::new(format!("{}{ending}", relation.name.name.as_str()));
        let full = QualifiedName::new(relation.name.schema.clone(), copy);
        if left.relation_names.contains_key(&full) {
            return None;
        }
        let table = index.table;
        let (valid, ready) = (false, phase == Phase::Late);
        let copy = Index { valid, ready, constraint: None, parent: None, children: Vec::new(), ..index.clone() };
        let mut change = Change::new(&mut left, at);
        let existence = change.created();
        let id = change.add_relation(full, RelationKind::Index(copy), existence);
        left.edit_relation(table, |relation: &mut Relation| match &mut relation.kind {
            RelationKind::Table(table) => table.indexes.push(id),
            RelationKind::View(view) => view.indexes.push(id),
            RelationKind::Index(_) | RelationKind::Sequence(_) | RelationKind::Other => {}
        });
        Some(left)
    }

    /// The partition is out of sight of new queries, has the CHECK of its bound, and waits for FINALIZE.
    fn left_by_detach(&self, parent: &Name, partition: &Name, at: &Origin) -> Option<Schema> {
        let (parent, child) = (self.find_table(parent)?.id, self.find_table(partition)?.id);
        self.relation(child).as_table()?.partition_of.as_ref().filter(|place| place.parent == parent)?;
        let mut left = self.clone();
        let mut change = Change::new(&mut left, at);
        change.bound_check(parent, child).ok()?;
        left.edit_table(child, |table| {
            if let Some(place) = &mut table.partition_of {
                place.detach_pending = true;
            }
        });
        Some(left)
    }
}
