//! CREATE, ALTER, DROP INDEX and REINDEX, on tables and on partitioned ones.

use super::DataCheckKind;
use super::facts::{Form, Role};
use super::tally::Tally;
use crate::operation::{
    AlterIndex, CreateIndex, Ident, IndexAction, IndexPart, KeyPart, LockMode, Name, Reindex, ReindexTarget,
};
use crate::schema::{Constraint, ConstraintRow, Index, IndexKey, RelationId, RelationKind, Table};

pub(super) fn create(tally: &mut Tally<'_>, create: &CreateIndex) {
    let Some(table) = tally.find(&create.table) else { return };
    let form = if create.concurrently { Form::CreateIndexConcurrently } else { Form::CreateIndex };
    let exists = create.name.as_ref().is_some_and(|name| names_something(tally, table, name));
    if create.if_not_exists && exists {
        // The table is locked before the name is looked up.
        let mode = if create.concurrently { LockMode::ShareUpdateExclusive } else { LockMode::Share };
        tally.lock(table, mode);
        tally.effects.outside_transaction |= create.concurrently;
        return;
    }
    if create.only || !tally.is_partitioned(table) {
        tally.take(form, &[(Role::Target, &[table])]);
        return build(tally, table, create);
    }
    let parts = tally.partitions(table);
    let mut matching = Vec::new();
    for part in &parts {
        match match_of(tally, create, *part) {
            Some(index) => matching.push(index),
            None => {
                tally.scan(*part);
                build(tally, *part, create);
            }
        }
    }
    tally.take(form, &[(Role::Target, &[table]), (Role::ChildIndex, &matching)]);
    for part in parts {
        tally.lock(part, LockMode::Share);
    }
}

fn names_something(tally: &Tally<'_>, table: RelationId, name: &Ident) -> bool {
    let schema = tally.relation(table).map(|table| table.name.schema.clone());
    tally.find(&Name { schema, name: name.clone() }).is_some()
}

fn build(tally: &mut Tally<'_>, table: RelationId, create: &CreateIndex) {
    tally.build(table, None);
    if create.unique {
        tally.check(table, DataCheckKind::Unique, create.name.as_ref(), "23505");
    }
}

/// An index of the partition that CREATE INDEX on the parent takes over instead of building one.
fn match_of(tally: &Tally<'_>, create: &CreateIndex, part: RelationId) -> Option<RelationId> {
    let table = tally.table(part)?;
    let same = |id: &RelationId| {
        let Some(index) = tally.relation(*id).and_then(|relation| relation.as_index()) else { return false };
        index.parent.is_none()
            && index.unique == create.unique
            && index.method == create.method
            && index.filter == create.filter
            && same_keys(table, index, &create.parts)
    };
    table.indexes.iter().copied().find(same)
}

fn same_keys(table: &Table, index: &Index, parts: &[IndexPart]) -> bool {
    index.parts.len() == parts.len()
        && index.parts.iter().zip(parts).all(|(have, want)| match (&have.key, &want.key) {
            (IndexKey::Column(id), KeyPart::Column(name)) => {
                table.column_by_id(*id).is_some_and(|column| column.name == *name)
            }
            (IndexKey::Expression(one), KeyPart::Expression(other)) => one == other,
            (IndexKey::Column(_), KeyPart::Expression(_)) | (IndexKey::Expression(_), KeyPart::Column(_)) => false,
        })
}

/// Whether a table that becomes a partition has an index that serves for the parent's.
pub(super) fn has_match(tally: &Tally<'_>, parent_index: RelationId, part: RelationId) -> bool {
    let Some(wanted) = tally.relation(parent_index).and_then(|relation| relation.as_index()) else { return true };
    let (Some(parent), Some(table)) = (tally.table(wanted.table), tally.table(part)) else { return true };
    table.indexes.iter().any(|id| {
        let Some(index) = tally.relation(*id).and_then(|relation| relation.as_index()) else { return false };
        index.parent.is_none()
            && (index.unique, &index.method, &index.filter) == (wanted.unique, &wanted.method, &wanted.filter)
            // A constraint's index is only taken over by one of a constraint.
            && (wanted.constraint.is_none() || index.constraint.is_some())
            && key_words(parent, wanted) == key_words(table, index)
    })
}

/// The keys by column name, as the parent's and the partition's numbers may differ.
fn key_words(table: &Table, index: &Index) -> Vec<String> {
    let word = |key: &IndexKey| match key {
        IndexKey::Column(id) => table.column_by_id(*id).map_or_else(String::new, |column| column.name.to_string()),
        IndexKey::Expression(expression) => format!("{:?}", expression.tree),
    };
    index.parts.iter().map(|part| word(&part.key)).collect()
}

/// The index of a partition's own key that its parent's new key takes over.
pub(super) fn for_key(tally: &Tally<'_>, table: RelationId, columns: &[Ident], primary: bool) -> Option<RelationId> {
    let of = tally.table(table)?;
    tally.indexes_of(table).into_iter().find(|index| {
        let Some(index) = tally.relation(*index).and_then(|relation| relation.as_index()) else { return false };
        let keys = index.parts.iter().map(|part| match &part.key {
            IndexKey::Column(id) => of.column_by_id(*id).map(|column| &column.name),
            IndexKey::Expression(_) => None,
        });
        index.constraint.is_some()
            && index.parent.is_none()
            && (index.unique, index.primary) == (true, primary)
            && keys.eq(columns.iter().map(Some))
    })
}

/// The index that a key constraint rests on.
pub(super) fn behind(constraint: &Constraint) -> Option<RelationId> {
    match constraint.kind {
        ConstraintRow::Primary { index } | ConstraintRow::Unique { index } | ConstraintRow::Exclude { index } => {
            Some(index)
        }
        ConstraintRow::Check { .. } | ConstraintRow::NotNull | ConstraintRow::Foreign(_) => None,
    }
}

pub(super) fn check_unique(tally: &mut Tally<'_>, index: RelationId, table: RelationId) {
    if tally.relation(index).and_then(|relation| relation.as_index()).is_some_and(|index| index.unique) {
        tally.check(table, DataCheckKind::Unique, None, "23505");
    }
}

pub(super) fn is_attached(tally: &Tally<'_>, index: RelationId) -> bool {
    tally.relation(index).and_then(|relation| relation.as_index()).is_some_and(|index| index.parent.is_some())
}

pub(super) fn alter(tally: &mut Tally<'_>, alter: &AlterIndex) {
    let Some(index) = tally.find(&alter.index) else { return };
    let own = tally.relation(index).and_then(|relation| relation.as_index());
    match &alter.action {
        IndexAction::AttachPartition(name) => {
            let Some(child) = tally.find(name) else { return };
            let part = tally.relation(child).and_then(|relation| relation.as_index()).map(|index| index.table);
            let cast = [
                (Role::Index, &[index][..]),
                (Role::ChildIndex, &[child]),
                (Role::Target, own.map(|own| &own.table).map(std::slice::from_ref).unwrap_or_default()),
                (Role::Partition, part.as_slice()),
            ];
            tally.take(Form::AttachIndex, &cast);
        }
        IndexAction::SetTablespace(_) => tally.take(Form::AlterIndexTablespace, &[(Role::Index, &[index])]),
        IndexAction::SetOptions(_) | IndexAction::ResetOptions(_) | IndexAction::SetStatistics | IndexAction::Other => {
            tally.take(Form::AlterIndex, &[(Role::Index, &[index])]);
        }
    }
}

/// DROP INDEX of one index; `below` are those attached to it.
pub(super) fn drop(tally: &mut Tally<'_>, index: RelationId, concurrently: bool) {
    let form = if concurrently { Form::DropIndexConcurrently } else { Form::DropIndex };
    let Some(own) = tally.relation(index).and_then(|relation| relation.as_index()) else { return };
    let below = attached(tally, index);
    let parts = tally.partitions(own.table);
    let cast = [
        (Role::Target, &[own.table][..]),
        (Role::Partitions, &parts),
        (Role::Index, &[index]),
        (Role::ChildIndex, &below),
    ];
    tally.take(form, &cast);
}

/// Indexes attached below, at every level.
pub(super) fn attached(tally: &Tally<'_>, index: RelationId) -> Vec<RelationId> {
    let mut found: Vec<RelationId> = Vec::new();
    let mut open = vec![index];
    while let Some(next) = open.pop() {
        let children =
            tally.relation(next).and_then(|relation| relation.as_index()).map(|index| index.children.clone());
        for child in children.unwrap_or_default() {
            if !found.contains(&child) {
                found.push(child);
                open.push(child);
            }
        }
    }
    found
}

pub(super) fn reindex(tally: &mut Tally<'_>, reindex: &Reindex) {
    let (table, indexes) = match &reindex.target {
        ReindexTarget::Index(name) => {
            let Some(index) = tally.find(name) else { return alone(tally, reindex) };
            let Some(own) = tally.relation(index).and_then(|relation| relation.as_index()) else { return };
            (own.table, vec![index])
        }
        ReindexTarget::Table(name) => {
            let Some(table) = tally.find(name) else { return alone(tally, reindex) };
            (table, tally.indexes_of(table))
        }
        ReindexTarget::Schema(schema) => return all(tally, reindex, Some(schema)),
        ReindexTarget::Database | ReindexTarget::System => return all(tally, reindex, None),
    };
    if tally.is_partitioned(table) {
        return partitioned(tally, table, &indexes, reindex.concurrently);
    }
    let form = match (&reindex.target, reindex.concurrently) {
        (_, true) => Form::ReindexConcurrently,
        (ReindexTarget::Index(_), false) => Form::ReindexIndex,
        _ => Form::ReindexTable,
    };
    tally.take(form, &[(Role::Target, &[table]), (Role::Index, &indexes)]);
    for index in indexes {
        tally.build(table, Some(index));
    }
}

/// Nothing is known of what it touches; that it must stand alone is.
fn alone(tally: &mut Tally<'_>, reindex: &Reindex) {
    if reindex.concurrently {
        tally.take(Form::ReindexConcurrently, &[]);
    }
}

fn partitioned(tally: &mut Tally<'_>, table: RelationId, indexes: &[RelationId], concurrently: bool) {
    let parts = tally.partitions(table);
    let below: Vec<RelationId> = if tally.indexes_of(table).len() == indexes.len() {
        tally.indexes_of_all(&parts)
    } else {
        indexes.iter().flat_map(|index| attached(tally, *index)).collect()
    };
    tally.effects.outside_transaction |= concurrently;
    if concurrently && tally.since(14) {
        let leaves: Vec<RelationId> = parts.iter().copied().filter(|part| !tally.is_partitioned(*part)).collect();
        tally.take(Form::ReindexConcurrently, &[(Role::Target, &leaves), (Role::Index, &below)]);
    } else {
        let cast = [(Role::Target, &[table][..]), (Role::Partitions, &parts), (Role::Index, &below)];
        let before = !tally.since(14);
        tally.take(Form::ReindexPartitioned, if before { &cast[..1] } else { &cast[..] });
    }
    if tally.since(14) {
        for index in below {
            if let Some(table) = tally.relation(index).and_then(|relation| relation.as_index()).map(|index| index.table)
            {
                tally.build(table, Some(index));
            }
        }
    }
}

/// Every table of a schema, or of the database: one transaction each.
fn all(tally: &mut Tally<'_>, reindex: &Reindex, schema: Option<&Ident>) {
    tally.take(Form::ReindexMany, &[]);
    let form = if reindex.concurrently { Form::ReindexConcurrently } else { Form::ReindexMany };
    let tables: Vec<RelationId> = tally
        .schema
        .relations()
        .filter(|relation| schema.is_none_or(|schema| relation.name.schema == *schema))
        .filter(|relation| matches!(relation.kind, RelationKind::Table(_) | RelationKind::View(_)))
        .map(|relation| relation.id)
        .collect();
    for table in tables {
        let indexes = tally.indexes_of(table);
        if indexes.is_empty() || tally.is_partitioned(table) {
            continue;
        }
        tally.take(form, &[(Role::Target, &[table]), (Role::Index, &indexes)]);
        for index in indexes {
            tally.build(table, Some(index));
        }
    }
}
