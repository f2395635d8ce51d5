//! DROP of anything: what goes is locked, and so is what loses a part with it.

use super::facts::{Form, Role};
use super::tally::Tally;
use super::{foreign_key, index, partition};
use crate::operation::{self, DropTarget, Ident, LockMode, Name, ObjectKind};
use crate::schema::{RelationId, RelationKind, TypeId, TypeKind};

pub(super) fn drop(tally: &mut Tally<'_>, drop: &operation::Drop) {
    if drop.concurrently {
        tally.take(Form::DropIndexConcurrently, &[]);
    }
    for target in &drop.targets {
        one(tally, drop, target);
    }
}

fn one(tally: &mut Tally<'_>, drop: &operation::Drop, target: &DropTarget) {
    match drop.kind {
        ObjectKind::Table | ObjectKind::ForeignTable => {
            if let Some(table) = tally.find(&target.name) {
                self::table(tally, table, drop.cascade);
            }
        }
        ObjectKind::View | ObjectKind::MaterializedView => {
            if let Some(view) = tally.find(&target.name) {
                self::view(tally, view);
            }
        }
        ObjectKind::Index => {
            if let Some(index) = tally.find(&target.name) {
                index::drop(tally, index, drop.concurrently);
            }
        }
        ObjectKind::Sequence => {
            let sequence = tally.find(&target.name);
            tally.take(Form::DropSequence, &[(Role::Sequence, sequence.as_slice())]);
        }
        ObjectKind::Schema => schema(tally, &target.name.name),
        // Looked for under ACCESS SHARE, which is given back where it is missing.
        ObjectKind::Trigger | ObjectKind::Policy if drop.if_exists && is_missing(tally, drop.kind, target) => {}
        ObjectKind::Trigger => trigger(tally, target),
        ObjectKind::Rule => on_table(tally, Form::Rule, target.on.as_ref()),
        ObjectKind::Policy => on_table(tally, Form::Policy, target.on.as_ref()),
        ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine if drop.cascade => {
            function(tally, &target.name);
        }
        ObjectKind::Type | ObjectKind::Domain if drop.cascade => data_type(tally, &target.name),
        ObjectKind::Function
        | ObjectKind::Procedure
        | ObjectKind::Routine
        | ObjectKind::Type
        | ObjectKind::Domain
        | ObjectKind::Aggregate
        | ObjectKind::Extension
        | ObjectKind::Statistics
        | ObjectKind::Publication
        | ObjectKind::Column
        | ObjectKind::Constraint
        | ObjectKind::Other => {}
    }
}

pub(super) fn table(tally: &mut Tally<'_>, table: RelationId, cascade: bool) {
    let below = tally.below(table);
    let all: Vec<RelationId> = std::iter::once(table).chain(below.clone()).collect();
    let indexes = tally.indexes_of_all(&all);
    let sequences: Vec<RelationId> = all.iter().flat_map(|table| tally.sequences_of(*table)).collect();
    let views = if cascade { tally.views_over(table) } else { Vec::new() };
    let indexes: Vec<RelationId> = indexes.into_iter().chain(tally.indexes_of_all(&views)).collect();
    let cast = [
        (Role::Target, &[table][..]),
        (Role::Partitions, &below),
        (Role::Index, &indexes),
        (Role::Sequence, &sequences),
        (Role::View, &views),
    ];
    tally.take(Form::DropTable, &cast);
    for key in foreign_key::own_keys(tally, table) {
        let referenced = key.as_foreign().map(|key| tally.tree(key.references)).unwrap_or_default();
        tally.take(Form::DropTableForeign, &[(Role::Referenced, &referenced)]);
    }
    if cascade {
        for key in foreign_key::keys_to_tree(tally, table) {
            tally.take(Form::DropTable, &[(Role::Referencing, &tally.tree(key.table))]);
        }
    }
    if let Some(place) = tally.table(table).and_then(|table| table.partition_of.as_ref()) {
        let default = partition::default_of(tally, place.parent).filter(|default| *default != table);
        let cast = [(Role::Parent, &[place.parent][..]), (Role::Default, default.as_slice())];
        tally.take(Form::DropPartition, &cast);
    }
}

fn view(tally: &mut Tally<'_>, view: RelationId) {
    let views = tally.views_over(view);
    let indexes: Vec<RelationId> = tally.indexes_of(view).into_iter().chain(tally.indexes_of_all(&views)).collect();
    let cast = [(Role::Target, &[view][..]), (Role::Index, &indexes), (Role::View, &views)];
    tally.take(Form::DropView, &cast);
}

fn schema(tally: &mut Tally<'_>, name: &Ident) {
    let inside: Vec<(RelationId, bool)> = tally
        .schema
        .relations()
        .filter(|relation| relation.name.schema == *name)
        .map(|relation| (relation.id, matches!(relation.kind, RelationKind::Table(_))))
        .collect();
    for (relation, is_table) in inside {
        if is_table {
            table(tally, relation, true);
        } else {
            tally.lock(relation, LockMode::AccessExclusive);
        }
    }
}

fn on_table(tally: &mut Tally<'_>, form: Form, table: Option<&Name>) {
    let table = table.and_then(|table| tally.find(table));
    tally.take(form, &[(Role::Target, table.as_slice())]);
}

/// A table that is known whole has no such trigger or policy.
fn is_missing(tally: &Tally<'_>, kind: ObjectKind, target: &DropTarget) -> bool {
    let Some(id) = target.on.as_ref().and_then(|table| tally.find(table)) else { return false };
    let Some(table) = tally.table(id).filter(|table| table.columns_known) else { return false };
    let name = &target.name.name;
    match kind {
        ObjectKind::Trigger => tally.schema.triggers_of(id).iter().all(|trigger| trigger.name != *name),
        _ => table.policies.iter().all(|policy| policy.name != *name),
    }
}

fn trigger(tally: &mut Tally<'_>, target: &DropTarget) {
    let Some(table) = target.on.as_ref().and_then(|table| tally.find(table)) else { return };
    let found = tally.schema.triggers_of(table).into_iter().find(|trigger| trigger.name == target.name.name);
    let cloned = found.is_none_or(|trigger| trigger.for_each_row);
    let below = if cloned { tally.partitions(table) } else { Vec::new() };
    tally.take(Form::DropTrigger, &[(Role::Target, &[table]), (Role::Partitions, &below)]);
}

/// CASCADE takes the triggers that call it.
fn function(tally: &mut Tally<'_>, name: &Name) {
    let triggers = tally.schema.find_functions(name).into_iter().flat_map(|function| &function.triggers);
    let tables: Vec<RelationId> =
        triggers.filter_map(|id| tally.schema.get_trigger(*id)).map(|trigger| trigger.table).collect();
    tally.take(Form::FunctionDropped, &[(Role::Target, &tables)]);
}

/// CASCADE takes the columns of that type.
fn data_type(tally: &mut Tally<'_>, name: &Name) {
    let Some(id) = tally.schema.find_type(name).map(|one| one.id) else { return };
    for (table, column) in columns_of(tally, id) {
        let indexes = super::alter_table::indexes_on(tally, table, &column);
        tally.take(Form::TypeDropped, &[(Role::Target, &[table])]);
        indexes.into_iter().for_each(|index| tally.lock(index, LockMode::AccessExclusive));
    }
}

/// The columns whose type is `id`, or a domain over it.
pub(super) fn columns_of(tally: &Tally<'_>, id: TypeId) -> Vec<(RelationId, Ident)> {
    let mut types = vec![id];
    let mut at = 0;
    while at < types.len() {
        for one in tally.schema.types() {
            let TypeKind::Domain(domain) = &one.kind else { continue };
            let under = (!domain.data_type.built_in).then(|| tally.schema.find_type(&domain.data_type.name)).flatten();
            if under.is_some_and(|under| under.id == types[at]) && !types.contains(&one.id) {
                types.push(one.id);
            }
        }
        at += 1;
    }
    let mut found = Vec::new();
    for (relation, table) in tally.schema.tables() {
        for column in &table.columns {
            let Some(data_type) = column.data_type.as_ref().filter(|one| !one.built_in) else { continue };
            if tally.schema.find_type(&data_type.name).is_some_and(|one| types.contains(&one.id)) {
                found.push((relation.id, column.name.clone()));
            }
        }
    }
    found
}
