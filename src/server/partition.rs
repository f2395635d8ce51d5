//! Partitions come and go: ATTACH, DETACH, PARTITION OF, with the default partition, the foreign keys on either
//! side and the indexes that a partition must have.

use super::DataCheckKind;
use super::facts::{Form, Role};
use super::tally::Tally;
use super::{foreign_key, index, proof};
use crate::operation::{Bound, LockMode};
use crate::schema::RelationId;

/// The default partition beside a new bound, with what is below it, must hold no row of that bound.
fn check_default(tally: &mut Tally<'_>, parent: RelationId, bound: &Bound) -> Vec<RelationId> {
    let Some(default) = default_of(tally, parent) else { return Vec::new() };
    let proven = proof::outside(tally, default, parent, bound);
    let tree = tally.tree(default);
    if !proven {
        for part in &tree {
            tally.scan(*part);
        }
        tally.check(default, DataCheckKind::DefaultPartition, None, "23514");
    }
    tree
}

pub(super) fn default_of(tally: &Tally<'_>, parent: RelationId) -> Option<RelationId> {
    let is_default = |part: &RelationId| {
        let place = tally.table(*part).and_then(|table| table.partition_of.as_ref());
        place.is_some_and(|place| place.bound == Bound::Default)
    };
    tally.table(parent)?.children.iter().copied().find(is_default)
}

/// CREATE TABLE … PARTITION OF.
pub(super) fn create(tally: &mut Tally<'_>, parent: RelationId, bound: &Bound) {
    let default = if *bound == Bound::Default { Vec::new() } else { check_default(tally, parent, bound) };
    let indexes = tally.indexes_of(parent);
    let cast = [(Role::Parent, &[parent][..]), (Role::ParentIndexes, &indexes), (Role::Default, &default)];
    tally.take(Form::CreatePartition, &cast);
    for key in foreign_key::keys_of(tally, parent) {
        let referenced = key.as_foreign().map(|key| tally.tree(key.references)).unwrap_or_default();
        tally.take(Form::CreatePartition, &[(Role::Referenced, &referenced)]);
    }
    for key in foreign_key::keys_to_tree(tally, parent) {
        tally.take(Form::CreatePartitionReferenced, &[(Role::Referencing, &[key.table])]);
    }
}

/// ALTER TABLE … ATTACH PARTITION.
pub(super) fn attach(tally: &mut Tally<'_>, parent: RelationId, part: RelationId, bound: &Bound) {
    let default = if *bound == Bound::Default { Vec::new() } else { check_default(tally, parent, bound) };
    let below = tally.partitions(part);
    let indexes = tally.indexes_of(parent);
    let cast = [
        (Role::Parent, &[parent][..]),
        (Role::Partition, &[part]),
        (Role::Partitions, &below),
        (Role::ParentIndexes, &indexes),
        (Role::Default, &default),
    ];
    tally.take(Form::AttachPartition, &cast);
    let alone = *bound == Bound::Default && tally.table(parent).is_some_and(|table| table.children.is_empty());
    if !alone && !proof::inside(tally, part, parent, bound) {
        for table in tally.tree(part) {
            tally.scan(table);
        }
        tally.check(part, DataCheckKind::PartitionBound, None, "23514");
    }
    for parent_index in indexes {
        if !index::has_match(tally, parent_index, part) {
            for table in tally.tree(part) {
                tally.scan(table);
                tally.build(table, None);
            }
            index::check_unique(tally, parent_index, part);
        }
    }
    attach_keys(tally, parent, part);
    // The bound is that of all levels together.
    tally.above(parent).into_iter().for_each(|above| tally.lock(above, LockMode::AccessShare));
}

fn attach_keys(tally: &mut Tally<'_>, parent: RelationId, part: RelationId) {
    for key in foreign_key::keys_of(tally, parent) {
        let Some(foreign) = key.as_foreign() else { continue };
        let referenced = tally.tree(foreign.references);
        let own = foreign_key::matching_key(tally, key, part);
        // Before 18 a key that is not valid is not taken over: the partition gets a second one.
        let merged = own.filter(|own| own.validated || tally.since(18));
        if merged.is_some() {
            tally.take(Form::AttachPartitionForeignMerged, &[(Role::Referenced, &referenced)]);
        }
        if merged.is_some_and(|own| own.validated) || !key.enforced {
            continue;
        }
        let below = tally.partitions(part);
        let cast = [(Role::Partition, &[part][..]), (Role::Partitions, &below), (Role::Referenced, &referenced)];
        tally.take(Form::AttachPartitionForeign, &cast);
        for table in tally.tree(part).into_iter().chain(referenced) {
            tally.plan(table, LockMode::AccessShare);
        }
        tally.check(part, DataCheckKind::Foreign, Some(&key.name), "23503");
    }
    for key in foreign_key::keys_to_tree(tally, parent) {
        tally.take(Form::AttachPartitionReferenced, &[(Role::Referencing, &[key.table])]);
    }
}

/// ALTER TABLE … DETACH PARTITION, in its three forms.
pub(super) fn detach(tally: &mut Tally<'_>, parent: RelationId, part: RelationId, concurrently: bool, finalize: bool) {
    let attached = tally.indexes_of(part).into_iter();
    let attached: Vec<RelationId> = attached.filter(|index| index::is_attached(tally, *index)).collect();
    let default: Vec<RelationId> = default_of(tally, parent).into_iter().filter(|default| *default != part).collect();
    let form = match (concurrently, finalize) {
        (true, _) => Form::DetachConcurrently,
        (_, true) => Form::DetachFinalize,
        (false, false) => Form::DetachPartition,
    };
    let cast = [
        (Role::Parent, &[parent][..]),
        (Role::Partition, &[part]),
        (Role::Partitions, &tally.partitions(part)),
        (Role::Index, &attached),
        (Role::Default, &default),
    ];
    tally.take(form, &cast);
    for key in foreign_key::keys_of(tally, parent) {
        let referenced = key.as_foreign().map(|key| tally.tree(key.references)).unwrap_or_default();
        tally.take(form, &[(Role::Referenced, &referenced)]);
    }
    for key in foreign_key::keys_to_tree(tally, parent) {
        let cast = [(Role::Partition, &[part][..]), (Role::Referencing, &[key.table])];
        tally.take(Form::DetachPartitionReferenced, &cast);
        tally.check(part, DataCheckKind::Referencing, Some(&key.name), "23503");
    }
}
