//! Foreign keys: both tables are locked, with their partitions, and both are read to validate.

use super::DataCheckKind;
use super::facts::{Form, Role};
use super::tally::Tally;
use crate::operation::{ConstraintDefinition, ForeignKey, Ident, LockMode};
use crate::schema::{ColumnId, Constraint, RelationId, Table};

/// ALTER TABLE … ADD FOREIGN KEY. `inline` is the column it stands at.
pub(super) fn add(tally: &mut Tally<'_>, table: RelationId, definition: &ConstraintDefinition, key: &ForeignKey) {
    let Some(referenced) = tally.find(&key.references) else { return };
    let own = tally.partitions(table);
    let other = tally.partitions(referenced);
    let skips = definition.not_valid || definition.not_enforced;
    let merged = |tally: &Tally<'_>, valid| {
        let same = own.iter().filter(|part| has_same_key(tally, table, **part, referenced, definition, key, valid));
        same.copied().collect::<Vec<_>>()
    };
    let taken_over = if definition.not_enforced { Vec::new() } else { merged(tally, true) };
    // From 18 on an unvalidated key is taken over as well, and validated.
    let taken_over_unvalidated = if tally.since(18) { merged(tally, false) } else { Vec::new() };
    let locks = [
        (Role::Target, &[table][..]),
        (Role::Partitions, &own),
        (Role::Referenced, &[referenced]),
        (Role::ReferencedPartitions, &other),
    ];
    tally.take(Form::AddForeignNotValid, &locks);
    if tally.since(18) {
        // Children by INHERITS get no key, but are locked since 18.
        tally.take(Form::AddForeignNotValid, &[(Role::Partitions, &tally.below(table))]);
    }
    if !taken_over.is_empty() || !taken_over_unvalidated.is_empty() {
        take_over(tally, table, &own, referenced, &other);
    }
    let read: Vec<RelationId> = std::iter::once(table).chain(own).filter(|part| !taken_over.contains(part)).collect();
    if !skips && read.iter().any(|part| !tally.is_partitioned(*part)) {
        tally.take(
            Form::AddForeign,
            &[(Role::Target, &read), (Role::Referenced, &[referenced]), (Role::ReferencedPartitions, &other)],
        );
        validate(tally, &read, referenced, &other, definition.name.as_ref());
    }
}

/// The triggers of the partition's own key are dropped. Where the referenced table is partitioned, those of its
/// partitions go as well: since 13, and on the table itself since 15 (measured: fk.p_to_q.add_children_have_valid).
fn take_over(
    tally: &mut Tally<'_>,
    table: RelationId,
    own: &[RelationId],
    referenced: RelationId,
    other: &[RelationId],
) {
    if other.is_empty() {
        let cast = [(Role::Target, &[table][..]), (Role::Partitions, own), (Role::Referenced, &[referenced])];
        return tally.take(Form::AddForeignMerged, &cast);
    }
    if tally.since(13) {
        own.iter().chain(other).for_each(|part| tally.lock(*part, LockMode::AccessExclusive));
    }
    if tally.since(15) {
        tally.lock(referenced, LockMode::AccessExclusive);
    }
}

/// What validating reads: one query joins both tables.
fn validate(
    tally: &mut Tally<'_>,
    read: &[RelationId],
    referenced: RelationId,
    other: &[RelationId],
    name: Option<&Ident>,
) {
    for part in read.iter().filter(|part| !tally.is_partitioned(**part)).copied().collect::<Vec<_>>() {
        tally.plan(part, LockMode::AccessShare);
        tally.check(part, DataCheckKind::Foreign, name, "23503");
    }
    for part in std::iter::once(&referenced).chain(other) {
        tally.plan(*part, LockMode::AccessShare);
        tally.scan(*part);
    }
}

/// VALIDATE CONSTRAINT of a key that is not valid yet.
pub(super) fn validate_existing(tally: &mut Tally<'_>, table: RelationId, constraint: &Constraint) {
    let Some(key) = constraint.as_foreign() else { return };
    let own = tally.partitions(table);
    let other = tally.partitions(key.references);
    let cast = [
        (Role::Target, &[table][..]),
        (Role::Partitions, &own),
        (Role::Referenced, &[key.references]),
        (Role::ReferencedPartitions, &other),
    ];
    tally.take(Form::ValidateForeign, &cast);
    let read: Vec<RelationId> = std::iter::once(table).chain(own).collect();
    validate(tally, &read, key.references, &other, Some(&constraint.name));
}

/// DROP CONSTRAINT, or whatever drops a key with it: the referenced table carries two of its triggers.
pub(super) fn dropped(tally: &mut Tally<'_>, constraint: &Constraint) {
    let Some(key) = constraint.as_foreign() else { return };
    let own = tally.partitions(constraint.table);
    let other = tally.partitions(key.references);
    let cast = [
        (Role::Target, &[constraint.table][..]),
        (Role::Partitions, &own),
        (Role::Referenced, &[key.references]),
        (Role::ReferencedPartitions, &other),
    ];
    tally.take(Form::DropForeign, &cast);
}

/// ALTER CONSTRAINT … ENFORCED or NOT ENFORCED (18).
pub(super) fn set_enforced(tally: &mut Tally<'_>, table: RelationId, constraint: &Constraint, enforced: bool) {
    let Some(key) = constraint.as_foreign() else { return };
    let own = tally.partitions(table);
    let other = tally.partitions(key.references);
    let form = if enforced { Form::EnforceForeign } else { Form::DontEnforceForeign };
    let cast = [
        (Role::Target, &[table][..]),
        (Role::Partitions, &own),
        (Role::Referenced, &[key.references]),
        (Role::ReferencedPartitions, &other),
    ];
    tally.take(form, &cast);
    if enforced {
        let read: Vec<RelationId> = std::iter::once(table).chain(own).collect();
        validate(tally, &read, key.references, &other, Some(&constraint.name));
    }
}

/// The keys of a table that are its own: not the partition's copy of its parent's.
pub(super) fn own_keys<'a>(tally: &Tally<'a>, table: RelationId) -> Vec<&'a Constraint> {
    let schema = tally.schema;
    schema.constraints_of(table).filter(|one| one.as_foreign().is_some() && one.parent.is_none()).collect()
}

/// All foreign keys of a table: its own, and on a partition its copies of the parent's.
pub(super) fn keys_of<'a>(tally: &Tally<'a>, table: RelationId) -> Vec<&'a Constraint> {
    tally.schema.constraints_of(table).filter(|one| one.as_foreign().is_some()).collect()
}

/// Keys of other tables, and of this one, that point here; copies on partitions of the referencing side are left out.
pub(super) fn keys_to<'a>(tally: &Tally<'a>, table: RelationId) -> Vec<&'a Constraint> {
    let ids = tally.table(table).map(|table| table.referenced_by.as_slice()).unwrap_or_default();
    ids.iter().filter_map(|id| tally.schema.get_constraint(*id)).collect()
}

/// Keys that point to a table or to what it is a partition of.
pub(super) fn keys_to_tree<'a>(tally: &Tally<'a>, table: RelationId) -> Vec<&'a Constraint> {
    let tables = std::iter::once(table).chain(tally.above(table));
    tables.flat_map(|table| keys_to(tally, table)).collect()
}

/// PostgreSQL takes a partition's key for the parent's where columns, target, actions and deferrability are equal;
/// the name does not matter.
fn has_same_key(
    tally: &Tally<'_>,
    parent: RelationId,
    part: RelationId,
    referenced: RelationId,
    definition: &ConstraintDefinition,
    wanted: &ForeignKey,
    valid: bool,
) -> bool {
    let (Some(parent), Some(table)) = (tally.table(parent), tally.table(part)) else { return false };
    let _ = parent;
    tally.schema.constraints_of(part).any(|one| {
        let Some(key) = one.as_foreign() else { return false };
        one.parent.is_none()
            && one.validated == valid
            && key.references == referenced
            && names(table, &one.columns) == wanted.columns
            && (wanted.referenced_columns.is_empty()
                || tally
                    .table(referenced)
                    .is_some_and(|table| names(table, &key.referenced_columns) == wanted.referenced_columns))
            && (key.on_delete, key.on_update, key.match_full) == (wanted.on_delete, wanted.on_update, wanted.match_full)
            && (one.deferrable, one.initially_deferred) == (definition.deferrable, definition.initially_deferred)
    })
}

/// Whether a partition's table already has a parent's existing key of its own, and whether that one is valid.
pub(super) fn matching_key<'a>(tally: &Tally<'a>, parent_key: &Constraint, part: RelationId) -> Option<&'a Constraint> {
    let (Some(parent), Some(table)) = (tally.table(parent_key.table), tally.table(part)) else { return None };
    let wanted = parent_key.as_foreign()?;
    let columns = names(parent, &parent_key.columns);
    tally.schema.constraints_of(part).find(|one| {
        let Some(key) = one.as_foreign() else { return false };
        one.parent.is_none()
            && key.references == wanted.references
            && key.referenced_columns == wanted.referenced_columns
            && names(table, &one.columns) == columns
            && (key.on_delete, key.on_update, key.match_full) == (wanted.on_delete, wanted.on_update, wanted.match_full)
            && (one.deferrable, one.initially_deferred) == (parent_key.deferrable, parent_key.initially_deferred)
    })
}

pub(super) fn names(table: &Table, columns: &[ColumnId]) -> Vec<Ident> {
    columns.iter().filter_map(|id| table.column_by_id(*id)).map(|column| column.name.clone()).collect()
}
