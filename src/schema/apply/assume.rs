//! Names that a statement writes to or locks, assumed before it runs: what it does to a table that the history never
//! made can only be told of a table that stands in the schema already.

use super::Change;
use super::resolve::Taken;
use crate::operation::{
    AlterTable, ConstraintDefinition, ConstraintKind, CreateTable, Ident, Name, ObjectKind, Operation, Origin,
    TableActionKind,
};
use crate::schema::{Existence, Schema};

impl Schema {
    /// A statement takes something for granted that is not known to be there.
    pub fn has_to_assume(&self, operation: &Operation) -> bool {
        let is_made =
            |name: &Name| self.find(name).is_some_and(|one| matches!(one.existence, Existence::Created { .. }));
        !self.complete && taken_for_granted(operation).iter().any(|(name, _)| !is_made(name))
    }

    /// Assumes the tables that a statement takes for granted; what is gone, or cannot be, stays missing.
    pub fn assume(&mut self, operation: &Operation, at: &Origin) {
        if self.complete {
            return;
        }
        let mut change = Change::new(self, at);
        for (name, taken) in taken_for_granted(operation) {
            // Where it cannot be assumed, applying the statement says why.
            let _ = change.relation(name, taken);
        }
    }
}

impl Schema {
    /// A schema that is there or that a script makes.
    pub fn expect_schema(&mut self, name: &Ident, at: &Origin) {
        self.schemas.insert(name.clone(), Existence::Maybe { by: at.clone() });
    }

    /// What a statement that cannot pass was to make: those after it are judged as though it had been mended.
    pub fn take_as_made(&mut self, operation: &Operation, at: &Origin) {
        if let Some(made) = relation_of(operation)
            && self.find(made).is_none()
        {
            let id = Change::new(self, at).assume(made, Taken::Other);
            self.edit_relation(id, |relation| relation.existence = Existence::Created { by: at.clone() });
        }
    }

    /// What a statement that failed here, and may pass on a server, would have made there.
    pub fn expect_made(&mut self, operation: &Operation, at: &Origin) {
        match operation {
            Operation::AlterTable(alter) => {
                let table = self.find(&alter.table).filter(|table| table.as_table().is_some());
                if let Some(id) = table.map(|table| table.id) {
                    self.edit_table(id, |table| table.columns_known = false);
                }
            }
            Operation::CreateFunction(create) => {
                let place = Change::new(self, at).place_unseen(&create.name);
                self.gone_functions.remove(&place);
            }
            _ => {}
        }
        if let Some(made) = relation_of(operation)
            && self.find(made).is_none()
        {
            let id = Change::new(self, at).assume(made, Taken::Other);
            self.edit_relation(id, |relation| relation.existence = Existence::Maybe { by: at.clone() });
        }
    }
}

/// The relation that a statement makes.
fn relation_of(operation: &Operation) -> Option<&Name> {
    match operation {
        Operation::CreateTable(create) => Some(&create.name),
        Operation::CreateTableAs(create) => Some(&create.name),
        Operation::CreateView(create) => Some(&create.name),
        Operation::CreateSequence(create) => Some(&create.name),
        _ => None,
    }
}

fn taken_for_granted(operation: &Operation) -> Vec<(&Name, Taken)> {
    let table = |name| vec![(name, Taken::Table)];
    match operation {
        Operation::AlterTable(alter) if alter.target == ObjectKind::Table && !alter.if_exists => altered(alter),
        Operation::CreateTable(create) => created(create),
        Operation::CreateIndex(create) => table(&create.table),
        Operation::CreateTrigger(create) => table(&create.table),
        Operation::CreatePolicy(policy) | Operation::AlterPolicy(policy) => table(&policy.table),
        Operation::Truncate(truncate) => truncate.tables.iter().map(|one| (&one.name, Taken::Table)).collect(),
        Operation::Lock(lock) => lock.tables.iter().map(|one| (&one.name, Taken::Other)).collect(),
        Operation::Write(write) => vec![(&write.target, Taken::Other)],
        Operation::Drop(drop) if drop.kind == ObjectKind::Table && !drop.if_exists => {
            drop.targets.iter().map(|target| (&target.name, Taken::Table)).collect()
        }
        Operation::Rename(rename)
            if matches!(rename.kind, ObjectKind::Table | ObjectKind::Column | ObjectKind::Constraint)
                && !rename.if_exists =>
        {
            vec![(&rename.object, Taken::Other)]
        }
        _ => Vec::new(),
    }
}

fn altered(alter: &AlterTable) -> Vec<(&Name, Taken)> {
    let mut found = Vec::new();
    let mut own = Taken::Table;
    for action in &alter.actions {
        match &action.kind {
            TableActionKind::AddConstraint(definition) => found.extend(referenced(definition)),
            TableActionKind::AddColumn { column, .. } => found.extend(column.constraints.iter().filter_map(referenced)),
            TableActionKind::AttachPartition { partition, .. } => {
                own = Taken::Partitioned;
                found.push((partition, Taken::Table));
            }
            _ => {}
        }
    }
    found.insert(0, (&alter.table, own));
    found
}

fn created(create: &CreateTable) -> Vec<(&Name, Taken)> {
    let inline = create.columns.iter().flat_map(|column| &column.constraints);
    let keys = create.constraints.iter().chain(inline).filter_map(referenced);
    // A table may refer to itself.
    let mut found: Vec<_> = keys.filter(|(name, _)| **name != create.name).collect();
    found.extend(create.partition_of.as_ref().map(|of| (&of.parent, Taken::Partitioned)));
    found
}

fn referenced(definition: &ConstraintDefinition) -> Option<(&Name, Taken)> {
    match &definition.kind {
        ConstraintKind::Foreign(key) => Some((&key.references, Taken::Table)),
        _ => None,
    }
}
