//! Actions on columns: new ones, other types, NOT NULL, generated values.

use super::super::facts::{Form, Role};
use super::super::tally::Tally;
use super::super::types::{self, TypeChange, type_change};
use super::super::volatility::{KnownVolatility, volatility};
use super::super::{DataCheckKind, RewriteKind, foreign_key, proof, write};
use super::{Statement, reach};
use crate::operation::{ColumnDefinition, ConstraintKind, Expression, Ident, LockMode, Name, TypeName};
use crate::schema::{Column, ConstraintRow, IndexKey, RelationId};

pub(super) fn add(tally: &mut Tally<'_>, statement: &Statement<'_>, column: &ColumnDefinition, if_not_exists: bool) {
    let exists = tally.table(statement.table).is_some_and(|table| table.column(&column.name).is_some());
    reach(tally, statement, Form::AddColumn);
    if if_not_exists && exists {
        return;
    }
    if let Some(default) = &column.default {
        write::use_sequences(tally, &default.tree);
    }
    if let Some(certain) = rewrites(tally, column) {
        rewrite_all(tally, statement, certain);
    }
    let filled = column.default.is_some() || column.identity.is_some() || column.generated.is_some() || column.serial;
    let required = column.not_null.is_some()
        || column.constraints.iter().any(|one| matches!(one.kind, ConstraintKind::Primary(_)));
    let null = column.default.as_ref().is_some_and(|default| default.tree.is_null_constant());
    if required && (!filled || null) {
        read_all(tally, statement, Form::AddColumnNotNull, DataCheckKind::NotNull, None, "23502");
    }
    for constraint in &column.constraints {
        let name = constraint.name.as_ref();
        match &constraint.kind {
            ConstraintKind::Check(_) if constraint.not_enforced => {}
            ConstraintKind::Check(_) => {
                read_all(tally, statement, Form::AddColumnChecked, DataCheckKind::Check, name, "23514");
            }
            ConstraintKind::Unique(_) | ConstraintKind::Primary(_) => {
                read_all(tally, statement, Form::AddColumnChecked, DataCheckKind::Unique, name, "23505");
                for table in storage(tally, statement) {
                    tally.build(table, None);
                }
            }
            ConstraintKind::Exclude { .. } | ConstraintKind::NotNull(_) => {}
            ConstraintKind::Foreign(key) => {
                references(tally, statement, constraint.name.as_ref(), &key.references, filled && !null)
            }
        }
    }
}

/// A new column that is NULL everywhere refers to nothing: the rows are only read where it has values.
fn references(tally: &mut Tally<'_>, statement: &Statement<'_>, name: Option<&Ident>, to: &Name, filled: bool) {
    let Some(referenced) = tally.find(to) else { return };
    let tree = tally.tree(referenced);
    let form = if filled { Form::AddColumnReferencesValues } else { Form::AddColumnReferences };
    let below = statement.reached(tally);
    let cast = [(Role::Target, &[statement.table][..]), (Role::Partitions, &below), (Role::Referenced, &tree)];
    tally.take(form, &cast);
    if filled {
        for table in storage(tally, statement) {
            tally.plan(table, LockMode::AccessShare);
            tally.scan(table);
        }
        for table in tree {
            tally.plan(table, LockMode::AccessShare);
        }
        tally.check(statement.table, DataCheckKind::Foreign, name, "23503");
    }
}

/// Whether a new column makes PostgreSQL write all rows; `Some(false)` where a function is not known.
fn rewrites(tally: &Tally<'_>, column: &ColumnDefinition) -> Option<bool> {
    let domain = column.data_type.as_ref().is_some_and(|kind| types::is_constrained_domain(kind, tally.schema));
    let stored = column.generated.as_ref().is_some_and(|generated| generated.stored);
    if column.serial || column.identity.is_some() || stored || domain {
        return Some(true);
    }
    match volatility(column.default.as_ref()?, tally.schema) {
        KnownVolatility::Volatile => Some(true),
        KnownVolatility::Unknown => Some(false),
        KnownVolatility::Immutable | KnownVolatility::Stable => None,
    }
}

/// The tables with rows that the statement reaches.
fn storage(tally: &Tally<'_>, statement: &Statement<'_>) -> Vec<RelationId> {
    let all = std::iter::once(statement.table).chain(statement.reached(tally));
    all.filter(|table| !tally.is_partitioned(*table)).collect()
}

fn rewrite_all(tally: &mut Tally<'_>, statement: &Statement<'_>, certain: bool) {
    for table in storage(tally, statement) {
        tally.rewrite(table, RewriteKind::Rows, certain);
    }
}

fn read_all(
    tally: &mut Tally<'_>,
    statement: &Statement<'_>,
    form: Form,
    kind: DataCheckKind,
    name: Option<&Ident>,
    state: &'static str,
) {
    reach(tally, statement, form);
    for table in storage(tally, statement) {
        tally.scan(table);
        tally.check(table, kind, name, state);
    }
}

pub(super) fn drop(tally: &mut Tally<'_>, statement: &Statement<'_>, name: &Ident, cascade: bool) {
    let below = statement.reached(tally);
    let all: Vec<RelationId> = std::iter::once(statement.table).chain(below.clone()).collect();
    let indexes: Vec<RelationId> = all.iter().flat_map(|table| indexes_on(tally, *table, name)).collect();
    let found = column(tally, statement.table, name);
    let sequence = found.and_then(|column| column.sequence);
    let views = if cascade { views_reading(tally, statement.table, found) } else { Vec::new() };
    let cast = [
        (Role::Target, &[statement.table][..]),
        (Role::Partitions, &below),
        (Role::Index, &indexes),
        (Role::Sequence, sequence.as_slice()),
        (Role::View, &views),
    ];
    tally.take(Form::DropColumn, &cast);
    let Some(found) = found else { return };
    for key in foreign_key::own_keys(tally, statement.table) {
        if key.columns.contains(&found.id) {
            foreign_key::dropped(tally, key);
        }
    }
    for key in foreign_key::keys_to(tally, statement.table) {
        let points_here = key.as_foreign().is_some_and(|key| key.referenced_columns.contains(&found.id));
        if cascade && points_here {
            foreign_key::dropped(tally, key);
        }
    }
}

fn views_reading(tally: &Tally<'_>, table: RelationId, column: Option<&Column>) -> Vec<RelationId> {
    let reads = |view: &RelationId| {
        let Some(view) = tally.relation(*view).and_then(|relation| relation.as_view()) else { return false };
        let of_table = view.reads.iter().find(|(read, _)| *read == table);
        of_table.is_none_or(|(_, used)| used.is_empty() || column.is_some_and(|column| used.contains(&column.id)))
    };
    tally.views_over(table).into_iter().filter(reads).collect()
}

fn column<'a>(tally: &Tally<'a>, table: RelationId, name: &Ident) -> Option<&'a Column> {
    tally.table(table).and_then(|table| table.column(name))
}

/// Indexes whose keys, included columns, expressions or condition name the column.
pub(in crate::server) fn indexes_on(tally: &Tally<'_>, table: RelationId, name: &Ident) -> Vec<RelationId> {
    let Some(id) = column(tally, table, name).map(|column| column.id) else { return Vec::new() };
    let on = |index: &RelationId| {
        let Some(index) = tally.relation(*index).and_then(|relation| relation.as_index()) else { return false };
        index.include.contains(&id)
            || index.filter.as_ref().is_some_and(|filter| names(filter, name))
            || index.parts.iter().any(|part| match &part.key {
                IndexKey::Column(column) => *column == id,
                IndexKey::Expression(expression) => names(expression, name),
            })
    };
    tally.indexes_of(table).into_iter().filter(on).collect()
}

fn names(expression: &Expression, column: &Ident) -> bool {
    expression.tree.columns().contains(&column)
}

pub(super) fn set_not_null(tally: &mut Tally<'_>, statement: &Statement<'_>, name: &Ident) {
    if is_set(tally, statement.table, name) {
        // What the parent has, the children have.
        return tally.take(Form::SetNotNullProven, &[(Role::Target, &[statement.table])]);
    }
    let below = statement.reached(tally);
    tally.take_locks(Form::SetNotNull, &[(Role::Target, &[statement.table]), (Role::Partitions, &below)]);
    // Children that must have it already (ONLY, 12 to 17) are opened all the same.
    let below = tally.below(statement.table);
    if statement.only && !tally.since(18) {
        tally.take(Form::SetNotNullProven, &[(Role::Partitions, &below)]);
    }
    let all = std::iter::once(statement.table).chain(below);
    for table in all.filter(|table| !tally.is_partitioned(*table)).collect::<Vec<_>>() {
        if !is_set(tally, table, name) && !proof::not_null(tally, table, name, &statement.dropped) {
            tally.scan(table);
            tally.check(table, DataCheckKind::NotNull, None, "23502");
        }
    }
}

/// Set and, where NOT NULL is a constraint of its own (18), valid.
fn is_set(tally: &Tally<'_>, table: RelationId, name: &Ident) -> bool {
    let Some(column) = column(tally, table, name) else { return false };
    let mut rows = tally.schema.constraints_of(table);
    let unproven = |one: &crate::schema::Constraint| {
        matches!(one.kind, ConstraintRow::NotNull) && one.columns == [column.id] && !one.validated
    };
    column.not_null && !rows.any(unproven)
}

pub(super) fn set_expression(tally: &mut Tally<'_>, statement: &Statement<'_>, name: &Ident) {
    let generated = column(tally, statement.table, name).and_then(|column| column.generated.as_ref());
    if generated.is_some_and(|generated| !generated.stored) {
        return reach(tally, statement, Form::SetExpressionVirtual);
    }
    reach(tally, statement, Form::SetExpression);
    if tally.since(17) {
        rewrite_all(tally, statement, true);
    }
}

pub(super) fn identity(tally: &mut Tally<'_>, statement: &Statement<'_>, form: Form, name: &Ident) {
    let sequence = column(tally, statement.table, name).and_then(|column| column.sequence);
    tally.take(form, &[(Role::Target, &[statement.table]), (Role::Sequence, sequence.as_slice())]);
}

/// ALTER COLUMN … TYPE, on the table and on what it reaches.
pub(super) fn change_type(
    tally: &mut Tally<'_>,
    statement: &Statement<'_>,
    name: &Ident,
    to: &TypeName,
    collation: Option<&Name>,
    using: Option<&Expression>,
) {
    reach(tally, statement, Form::AlterType);
    let from = column(tally, statement.table, name).and_then(|column| column.data_type.clone());
    let mut cost = match &from {
        Some(from) => type_change(from, to, using, tally.schema, tally.session),
        None => TypeChange::Unknown,
    };
    // Without COLLATE the type's own collation comes back.
    let collated = column(tally, statement.table, name).and_then(|column| column.collation.as_ref());
    if collated != collation {
        cost = cost.max(TypeChange::Indexes);
    }
    let checked = from.is_none_or(|from| types::may_not_fit(&from, to, using, tally.schema));
    for table in std::iter::once(statement.table).chain(statement.reached(tally)) {
        change_in(tally, table, name, cost, &statement.dropped);
        if checked && cost >= TypeChange::Unknown && !tally.is_partitioned(table) {
            tally.check(table, DataCheckKind::Cast, None, "22000");
        }
    }
}

/// `dropped`: constraints that the same statement drops, which it does first.
fn change_in(tally: &mut Tally<'_>, table: RelationId, name: &Ident, cost: TypeChange, dropped: &[&Ident]) {
    let indexes = indexes_on(tally, table, name);
    tally.take(Form::AlterType, &[(Role::Index, &indexes)]);
    match cost {
        TypeChange::Rewrite => tally.rewrite(table, RewriteKind::Rows, true),
        TypeChange::Unknown => tally.rewrite(table, RewriteKind::Rows, false),
        TypeChange::Nothing | TypeChange::Indexes => {}
    }
    for index in indexes {
        if cost == TypeChange::Indexes || is_computed(tally, index) {
            tally.scan(table);
            tally.build(table, Some(index));
        }
    }
    // A CHECK over the column is made again, and then all rows are read.
    let checks: Vec<_> = tally.schema.constraints_of(table).filter(|one| one.validated && one.enforced).collect();
    for check in checks {
        let over = matches!(&check.kind, ConstraintRow::Check { expression } if names(expression, name));
        if over && !dropped.contains(&&check.name) {
            tally.scan(table);
        }
    }
    keys_on(tally, table, name, cost >= TypeChange::Indexes);
}

/// An index over expressions, or with a condition, is never carried over; nor is one that is attached to the parent's,
/// as that one makes it anew.
fn is_computed(tally: &Tally<'_>, index: RelationId) -> bool {
    let Some(index) = tally.relation(index).and_then(|relation| relation.as_index()) else { return false };
    index.filter.is_some()
        || index.parent.is_some()
        || index.parts.iter().any(|part| matches!(part.key, IndexKey::Expression(_)))
}

/// Foreign keys on either end are made again; where the values' bytes or order changed, validated again.
fn keys_on(tally: &mut Tally<'_>, table: RelationId, name: &Ident, again: bool) {
    let Some(id) = column(tally, table, name).map(|column| column.id) else { return };
    let own: Vec<_> = tally.schema.constraints_of(table).collect();
    for key in own.into_iter().filter(|one| one.columns.contains(&id)) {
        let Some(foreign) = key.as_foreign() else { continue };
        tally.take(Form::AlterTypeReferencing, &[(Role::Referenced, &[foreign.references])]);
        if again && key.validated {
            validate(tally, table, foreign.references, &key.name);
        }
    }
    for key in foreign_key::keys_to(tally, table) {
        let Some(foreign) = key.as_foreign() else { continue };
        if !foreign.referenced_columns.contains(&id) {
            continue;
        }
        tally.take(Form::AlterTypeReferenced, &[(Role::Referencing, &[key.table])]);
        if again && key.validated {
            validate(tally, key.table, table, &key.name);
        }
    }
}

fn validate(tally: &mut Tally<'_>, table: RelationId, referenced: RelationId, name: &Ident) {
    for relation in [table, referenced] {
        tally.plan(relation, LockMode::AccessShare);
        tally.scan(relation);
    }
    tally.check(table, DataCheckKind::Foreign, Some(name), "23503");
}
