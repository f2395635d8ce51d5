//! Indexes and validations that were only queued, and statements that take them as done.

use super::Findings;
use crate::data::Queued;
use crate::history::{Passed, Whole};
use crate::operation::{CreateIndex, Ident, KeyPart, ObjectKind, Operation, Statement, TableActionKind};
use crate::schema::{ConstraintRow, Index, IndexKey, RelationId, Schema};

/// `async-step-relied-on`
pub fn check(whole: &Whole, findings: &mut Findings) {
    if whole.after.data.queue().next().is_none() {
        return;
    }
    for step in whole.steps {
        for queued in whole.after.data.queue().filter(|queued| queued.is_open()) {
            for statement in queued.does.iter().flat_map(|does| does.iter()) {
                if let Some(text) = relies(whole, step, statement) {
                    report(step, queued, text, findings);
                }
            }
        }
    }
}

/// What a step takes as done that queued work has not done yet, in words.
fn relies(whole: &Whole, step: &Passed, statement: &Statement) -> Option<String> {
    let schema = &whole.after.schema;
    match &statement.operation {
        Operation::CreateIndex(create) => {
            let name = create.name.as_ref()?;
            let is_there = index_of(schema, create, name).is_some_and(|index| index.valid);
            if is_there {
                return None;
            }
            names_index(&step.operation, name)
                .then(|| format!("index `{name}` is only queued, and this takes it as built"))
                .or_else(|| replaces(whole, step, create, name))
        }
        Operation::AlterTable(alter) => alter.actions.iter().find_map(|action| {
            let TableActionKind::ValidateConstraint { name } = &action.kind else { return None };
            let table = schema.find(&alter.table)?;
            let constraint = schema.find_constraint(table.id, name).filter(|one| !one.validated)?;
            asks_validated(schema, step, table.id, &constraint.kind)
                .then(|| format!("`{name}` is only queued to be validated, and this takes it as proven"))
        }),
        _ => None,
    }
}

fn index_of<'a>(schema: &'a Schema, create: &CreateIndex, name: &Ident) -> Option<&'a Index> {
    let table = schema.find(&create.table)?.as_table()?;
    let mut indexes = table.indexes.iter().filter_map(|id| schema.get_relation(*id));
    indexes.find(|index| index.name.name == *name)?.as_index()
}

/// The statement needs the index by its name.
fn names_index(operation: &Operation, name: &Ident) -> bool {
    match operation {
        Operation::AlterTable(alter) => alter.actions.iter().any(|action| match &action.kind {
            TableActionKind::AddConstraint(constraint) => match &constraint.kind {
                crate::operation::ConstraintKind::Unique(key) | crate::operation::ConstraintKind::Primary(key) => {
                    key.using_index.as_ref() == Some(name)
                }
                _ => false,
            },
            TableActionKind::ClusterOn { index } => index == name,
            TableActionKind::ReplicaIdentity(crate::operation::ReplicaIdentity::Index(index)) => index == name,
            _ => false,
        }),
        Operation::Rename(rename) => rename.kind == ObjectKind::Index && rename.object.name == *name,
        Operation::AlterIndex(alter) => alter.index.name == *name,
        _ => false,
    }
}

/// The old index goes whose work the queued one is to do.
fn replaces(whole: &Whole, step: &Passed, create: &CreateIndex, name: &Ident) -> Option<String> {
    let Operation::Drop(drop) = &step.operation else { return None };
    let (before, after) = step.change()?;
    if drop.kind != ObjectKind::Index {
        return None;
    }
    let queued: Vec<&Ident> = create
        .parts
        .iter()
        .map_while(|part| match &part.key {
            KeyPart::Column(column) => Some(column),
            KeyPart::Expression(_) => None,
        })
        .collect();
    let table = whole.after.schema.find(&create.table)?.id;
    let gone = drop.targets.iter().filter_map(|target| before.schema.find(&target.name)).find(|relation| {
        let Some(index) = relation.as_index().filter(|index| index.table == table) else { return false };
        let first = index.parts.first().map(|part| &part.key);
        if relation.name.name == *name {
            return false;
        }
        let leads = matches!((first, queued.first()), (Some(IndexKey::Column(column)), Some(queued))
            if before.schema.column_name(table, *column) == **queued);
        leads && create.filter.is_none() && !is_served(&after.schema, table, queued[0])
    })?;
    Some(format!("index `{}` goes, and `{name}`, which is to do its work, is only queued", gone.name.name))
}

fn is_served(schema: &Schema, table: RelationId, column: &Ident) -> bool {
    let known = schema.get_relation(table).and_then(|relation| relation.as_table());
    let indexes = known.into_iter().flat_map(|table| &table.indexes).filter_map(|id| schema.get_relation(*id));
    let mut serving =
        indexes.filter_map(|index| index.as_index()).filter(|index| index.valid && index.filter.is_none());
    serving.any(|index| {
        matches!(index.parts.first().map(|part| &part.key), Some(IndexKey::Column(first))
            if schema.column_name(table, *first) == *column)
    })
}

/// SET NOT NULL and ATTACH read every row unless a validated CHECK proves it.
fn asks_validated(schema: &Schema, step: &Passed, table: RelationId, row: &ConstraintRow) -> bool {
    let Operation::AlterTable(alter) = &step.operation else { return false };
    alter.actions.iter().any(|action| match (&action.kind, row) {
        (TableActionKind::SetNotNull { column }, ConstraintRow::Check { expression }) => {
            schema.find(&alter.table).is_some_and(|one| one.id == table) && expression.tree.columns().contains(&column)
        }
        (TableActionKind::AttachPartition { partition, .. }, ConstraintRow::Check { .. }) => {
            schema.find(partition).is_some_and(|one| one.id == table)
        }
        _ => false,
    })
}

fn report(step: &Passed, queued: &Queued, message: String, findings: &mut Findings) {
    let finding = findings.report(&step.origin, step.operation.word(), step.certain, message);
    finding.one_per(queued.job.describe());
    if let Some(table) = &queued.job.table {
        finding.object(table);
    }
    finding.because(queued.origin.span, "queued here: it runs some time later, and on some databases never");
    finding.instead("do it in the foreground first, in a migration before this one: where the queue has done it already, it is skipped");
}
