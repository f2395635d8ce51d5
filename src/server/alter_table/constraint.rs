//! Actions on constraints: add, alter, validate, drop.

use super::super::facts::{Form, Role};
use super::super::tally::Tally;
use super::super::{DataCheckKind, foreign_key, index, proof};
use super::{Statement, index_named, reach};
use crate::operation::{ConstraintDefinition, ConstraintKind, Expression, Ident, Key, LockMode};
use crate::schema::{ConstraintRow, RelationId};

pub(super) fn add(tally: &mut Tally<'_>, statement: &Statement<'_>, definition: &ConstraintDefinition) {
    let skips = definition.not_valid || definition.not_enforced;
    match &definition.kind {
        ConstraintKind::Check(expression) => check(tally, statement, definition, expression, skips),
        ConstraintKind::NotNull(_) if skips => reach(tally, statement, Form::AddNotNullNotValid),
        ConstraintKind::NotNull(column) => {
            let below = statement.reached(tally);
            let cast = [(Role::Target, &[statement.table][..]), (Role::Partitions, &below)];
            tally.take_locks(Form::AddNotNull, &cast);
            super::column::set_not_null(tally, statement, column);
        }
        ConstraintKind::Unique(key) => unique(tally, statement, definition, key, false),
        ConstraintKind::Primary(key) => unique(tally, statement, definition, key, true),
        ConstraintKind::Exclude { .. } => {
            let below = partitions(tally, statement);
            unique_locks(tally, statement, &below);
            for table in leaves(tally, statement, &below) {
                tally.scan(table);
                tally.build(table, None);
                tally.check(table, DataCheckKind::Exclude, definition.name.as_ref(), "23P01");
            }
        }
        ConstraintKind::Foreign(key) => foreign_key::add(tally, statement.table, definition, key),
    }
}

/// Rows of a child that has the same CHECK under the same name are not read again.
fn check(
    tally: &mut Tally<'_>,
    statement: &Statement<'_>,
    definition: &ConstraintDefinition,
    expression: &Expression,
    skips: bool,
) {
    let form = if skips { Form::AddCheckNotValid } else { Form::AddCheck };
    let below = statement.reached(tally);
    tally.take_locks(form, &[(Role::Target, &[statement.table]), (Role::Partitions, &below)]);
    if skips {
        return;
    }
    for table in leaves(tally, statement, &statement.reached(tally)) {
        let same = definition.name.as_ref().and_then(|name| tally.schema.find_constraint(table, name));
        let merged = same.is_some_and(|same| {
            same.validated && matches!(&same.kind, ConstraintRow::Check { expression: own } if own == expression)
        });
        if !merged {
            tally.scan(table);
            tally.check(table, DataCheckKind::Check, definition.name.as_ref(), "23514");
        }
    }
}

fn partitions(tally: &Tally<'_>, statement: &Statement<'_>) -> Vec<RelationId> {
    // Keys do not go on to children by INHERITS.
    if statement.only { Vec::new() } else { tally.partitions(statement.table) }
}

fn leaves(tally: &Tally<'_>, statement: &Statement<'_>, below: &[RelationId]) -> Vec<RelationId> {
    let all = std::iter::once(statement.table).chain(below.iter().copied());
    all.filter(|table| !tally.is_partitioned(*table)).collect()
}

fn unique(
    tally: &mut Tally<'_>,
    statement: &Statement<'_>,
    definition: &ConstraintDefinition,
    key: &Key,
    primary: bool,
) {
    if let Some(index) = &key.using_index {
        return using_index(tally, statement, definition, index, primary);
    }
    let below = partitions(tally, statement);
    unique_locks(tally, statement, &below);
    for table in leaves(tally, statement, &below) {
        if let Some(index) = index::for_key(tally, table, &key.columns, primary).filter(|_| table != statement.table) {
            tally.lock(index, LockMode::Share);
            continue;
        }
        tally.scan(table);
        tally.build(table, None);
        tally.check(table, DataCheckKind::Unique, definition.name.as_ref(), "23505");
        if primary {
            check_columns(tally, statement, table, &key.columns);
        }
    }
}

/// From 18 on the children by INHERITS are locked, too, though they get no index.
fn unique_locks(tally: &mut Tally<'_>, statement: &Statement<'_>, partitions: &[RelationId]) {
    tally.take_locks(Form::AddUnique, &[(Role::Target, &[statement.table]), (Role::Partitions, partitions)]);
    if !tally.is_partitioned(statement.table) && tally.since(18) {
        let children = statement.reached(tally);
        tally.take_locks(Form::AddUnique, &[(Role::Partitions, &children)]);
    }
}

/// PRIMARY KEY sets NOT NULL first.
fn check_columns(tally: &mut Tally<'_>, statement: &Statement<'_>, table: RelationId, columns: &[Ident]) {
    for name in columns {
        let set = tally.table(table).and_then(|table| table.column(name)).is_some_and(|column| column.not_null);
        if !set && !proof::not_null(tally, table, name, &statement.dropped) {
            tally.scan(table);
            tally.check(table, DataCheckKind::NotNull, None, "23502");
        }
    }
}

fn using_index(
    tally: &mut Tally<'_>,
    statement: &Statement<'_>,
    definition: &ConstraintDefinition,
    name: &Ident,
    primary: bool,
) {
    tally.take(Form::AddKeyUsingIndex, &[(Role::Target, &[statement.table])]);
    let Some(index) = index_named(tally, statement.table, name) else { return };
    // The index takes the constraint's name, for which it is locked as ALTER INDEX … RENAME does.
    let renamed = definition.name.as_ref().is_some_and(|wanted| wanted != name);
    tally.lock(index, if renamed { LockMode::ShareUpdateExclusive } else { LockMode::AccessShare });
    let columns = tally.relation(index).and_then(|relation| relation.as_index()).map(|index| {
        let table = tally.table(index.table);
        let name = |part: &crate::schema::IndexColumn| match part.key {
            crate::schema::IndexKey::Column(id) => table?.column_by_id(id).map(|column| column.name.clone()),
            crate::schema::IndexKey::Expression(_) => None,
        };
        index.parts.iter().filter_map(name).collect::<Vec<_>>()
    });
    if primary {
        check_columns(tally, statement, statement.table, &columns.unwrap_or_default());
    }
}

pub(super) fn alter(tally: &mut Tally<'_>, statement: &Statement<'_>, name: &Ident, enforced: Option<bool>) {
    reach(tally, statement, Form::AlterConstraint);
    let Some(constraint) = tally.schema.find_constraint(statement.table, name) else { return };
    if let Some(enforced) = enforced.filter(|enforced| *enforced != constraint.enforced) {
        foreign_key::set_enforced(tally, statement.table, constraint, enforced);
    }
}

pub(super) fn validate(tally: &mut Tally<'_>, statement: &Statement<'_>, name: &Ident) {
    tally.take(Form::ValidateAgain, &[(Role::Target, &[statement.table])]);
    let added = statement.actions.iter().any(|action| match &action.kind {
        crate::operation::TableActionKind::AddConstraint(added) => added.name.as_ref() == Some(name),
        _ => false,
    });
    let Some(constraint) = tally.schema.find_constraint(statement.table, name) else {
        // Added by an earlier action of the same statement.
        if added {
            tally.scan(statement.table);
            tally.check(statement.table, DataCheckKind::Check, Some(name), "23514");
        }
        return;
    };
    if constraint.validated {
        return;
    }
    if constraint.as_foreign().is_some() {
        return foreign_key::validate_existing(tally, statement.table, constraint);
    }
    // ONLY is refused where children exist, so that they are always reached.
    let below = tally.below(statement.table);
    let (kind, state) = match constraint.kind {
        ConstraintRow::NotNull => (DataCheckKind::NotNull, "23502"),
        _ => (DataCheckKind::Check, "23514"),
    };
    tally.take(Form::ValidateCheck, &[(Role::Target, &[statement.table]), (Role::Partitions, &below)]);
    for table in leaves(tally, statement, &below) {
        tally.check(table, kind, Some(name), state);
    }
}

pub(super) fn drop(tally: &mut Tally<'_>, statement: &Statement<'_>, name: &Ident, cascade: bool) {
    let Some(constraint) = tally.schema.find_constraint(statement.table, name) else {
        return tally.take(Form::DropConstraint, &[(Role::Target, &[statement.table])]);
    };
    match &constraint.kind {
        ConstraintRow::Foreign(_) => {
            tally.take(Form::DropConstraint, &[(Role::Target, &[statement.table])]);
            foreign_key::dropped(tally, constraint);
        }
        ConstraintRow::Check { .. } | ConstraintRow::NotNull => {
            // ONLY leaves the children's, from 18 on (before, it is refused).
            reach(tally, statement, Form::DropConstraint);
        }
        ConstraintRow::Primary { index } | ConstraintRow::Unique { index } | ConstraintRow::Exclude { index } => {
            let below = tally.partitions(statement.table);
            let mut indexes = index::attached(tally, *index);
            indexes.push(*index);
            let cast = [(Role::Target, &[statement.table][..]), (Role::Partitions, &below), (Role::Index, &indexes)];
            tally.take(Form::DropConstraint, &cast);
            if cascade {
                referencing(tally, statement.table, *index);
            }
        }
    }
}

/// Foreign keys that rest on the key: CASCADE drops them.
fn referencing(tally: &mut Tally<'_>, table: RelationId, index: RelationId) {
    let Some(index) = tally.relation(index).and_then(|relation| relation.as_index()) else { return };
    let mut columns: Vec<_> = index
        .parts
        .iter()
        .filter_map(|part| match part.key {
            crate::schema::IndexKey::Column(id) => Some(id),
            crate::schema::IndexKey::Expression(_) => None,
        })
        .collect();
    columns.sort();
    for key in foreign_key::keys_to(tally, table) {
        let mut referenced = key.as_foreign().map(|key| key.referenced_columns.clone()).unwrap_or_default();
        referenced.sort();
        if referenced == columns || referenced.is_empty() {
            foreign_key::dropped(tally, key);
        }
    }
}
