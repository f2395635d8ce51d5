//! CREATE TABLE and its kin, TRUNCATE, LOCK, CLUSTER, VACUUM, ANALYZE.

use super::facts::{Form, Role};
use super::tally::Tally;
use super::{foreign_key, partition, write};
use crate::operation::{
    Cluster, ConstraintDefinition, ConstraintKind, CreateTable, CreateTableAs, LockTable, Name, Truncate, Vacuum,
};
use crate::schema::RelationId;

pub(super) fn create(tally: &mut Tally<'_>, create: &CreateTable) {
    if tally.find(&create.name).is_some() {
        return;
    }
    tally.take(Form::CreateTable, &[]);
    for like in &create.likes {
        if let Some(source) = tally.find(&like.table) {
            tally.take(Form::CreateTableLike, &[(Role::Source, &[source])]);
        }
    }
    for parent in create.inherits.iter().filter_map(|parent| tally.find(parent)).collect::<Vec<_>>() {
        tally.take(Form::CreateTableInherits, &[(Role::Parent, &[parent])]);
    }
    let inline = create.columns.iter().flat_map(|column| &column.constraints);
    for constraint in create.constraints.iter().chain(inline) {
        references(tally, &create.name, constraint);
    }
    if let Some(of) = &create.partition_of
        && let Some(parent) = tally.find(&of.parent)
    {
        partition::create(tally, parent, &of.bound);
    }
}

fn references(tally: &mut Tally<'_>, own: &Name, constraint: &ConstraintDefinition) {
    let ConstraintKind::Foreign(key) = &constraint.kind else { return };
    if key.references == *own {
        return;
    }
    let Some(referenced) = tally.find(&key.references) else { return };
    let parts = tally.partitions(referenced);
    let cast = [(Role::Referenced, &[referenced][..]), (Role::ReferencedPartitions, &parts)];
    tally.take(Form::CreateTableForeign, &cast);
}

pub(super) fn create_as(tally: &mut Tally<'_>, create: &CreateTableAs) {
    if tally.find(&create.name).is_none() {
        write::made_from(tally, &create.query, create.with_data);
    }
}

pub(super) fn truncate(tally: &mut Tally<'_>, truncate: &Truncate) {
    let mut tables: Vec<RelationId> = Vec::new();
    for table in &truncate.tables {
        let Some(id) = tally.find(&table.name) else { continue };
        let below = if table.only { Vec::new() } else { tally.below(id) };
        tables.extend(std::iter::once(id).chain(below));
    }
    if truncate.cascade {
        add_referencing(tally, &mut tables);
    }
    for table in tables {
        let sequences = if truncate.restart_identity { tally.sequences_of(table) } else { Vec::new() };
        // The partitioned parent's own indexes have no storage, and are left alone.
        let indexes = if tally.is_partitioned(table) { Vec::new() } else { tally.indexes_of(table) };
        let cast = [(Role::Target, &[table][..]), (Role::Index, &indexes), (Role::Sequence, &sequences)];
        tally.take(Form::Truncate, &cast);
        // Until 13 the bound is asked for, which the parents have; a session that knows it already does not look.
        if !tally.is_partitioned(table) {
            let above = tally.above(table);
            tally.take(Form::TruncatePartition, &[(Role::Parent, &above)]);
        }
    }
}

fn add_referencing(tally: &Tally<'_>, tables: &mut Vec<RelationId>) {
    let mut at = 0;
    while let Some(table) = tables.get(at).copied() {
        for key in foreign_key::keys_to(tally, table) {
            for part in tally.tree(key.table) {
                if !tables.contains(&part) {
                    tables.push(part);
                }
            }
        }
        at += 1;
    }
}

/// LOCK TABLE says its mode itself; views are locked with the tables they read.
pub(super) fn lock(tally: &mut Tally<'_>, lock: &LockTable) {
    for table in &lock.tables {
        let Some(id) = tally.find(&table.name) else { continue };
        let below = if table.only { Vec::new() } else { tally.below(id) };
        let read = tally.relation(id).and_then(|relation| relation.as_view()).map(|view| view.reads.as_slice());
        let read = read.unwrap_or_default().iter().map(|(relation, _)| *relation);
        for relation in std::iter::once(id).chain(below).chain(read) {
            tally.lock(relation, lock.mode);
        }
    }
}

pub(super) fn cluster(tally: &mut Tally<'_>, cluster: &Cluster) {
    let Some(name) = &cluster.table else {
        return tally.take(Form::ClusterMany, &[]);
    };
    let Some(table) = tally.find(name) else { return };
    if tally.is_partitioned(table) {
        if tally.since(15) {
            let parts = tally.partitions(table);
            tally.take(Form::ClusterMany, &[(Role::Target, &parts)]);
        }
        return;
    }
    tally.take(Form::Cluster, &[(Role::Target, &[table])]);
}

pub(super) fn vacuum(tally: &mut Tally<'_>, vacuum: &Vacuum) {
    let form = if vacuum.full { Form::VacuumFull } else { Form::Vacuum };
    tally.take(form, &[]);
    for table in named(tally, &vacuum.tables) {
        let indexes = tally.indexes_of(table);
        tally.take(form, &[(Role::Target, &[table]), (Role::Index, &indexes)]);
    }
}

pub(super) fn analyze(tally: &mut Tally<'_>, tables: &[Name]) {
    for table in named(tally, tables) {
        // Only what has rows is sampled with a plan.
        let indexes = if tally.is_partitioned(table) { Vec::new() } else { tally.indexes_of(table) };
        tally.take(Form::Analyze, &[(Role::Target, &[table]), (Role::Index, &indexes)]);
    }
}

fn named(tally: &Tally<'_>, tables: &[Name]) -> Vec<RelationId> {
    tables.iter().filter_map(|name| tally.find(name)).flat_map(|table| tally.tree(table)).collect()
}
