//! One statement's effects, by its kind. What needs more than a line stands in a file of its own.

use super::facts::{Form, Role};
use super::tally::Tally;
use super::{DataCheckKind, alter_table, drop, index, table, write};
use crate::operation::{
    AlterDomain, AlterSequence, AlterType, CommentOn, CreateSequence, CreateTrigger, CreateView, DomainAction, Name,
    ObjectKind, Operation, RefreshView, Rename, SetSchema, TypeAction,
};
use crate::schema::{ConstraintRow, RelationId, RelationKind};

pub(super) fn collect(tally: &mut Tally<'_>, operation: &Operation) {
    match operation {
        Operation::CreateTable(one) => table::create(tally, one),
        Operation::CreateTableAs(one) => table::create_as(tally, one),
        Operation::AlterTable(one) => alter_table::alter(tally, one),
        Operation::Rename(one) => rename(tally, one),
        Operation::SetSchema(one) => set_schema(tally, one),
        Operation::Drop(one) => drop::drop(tally, one),
        Operation::CreateIndex(one) => index::create(tally, one),
        Operation::AlterIndex(one) => index::alter(tally, one),
        Operation::Reindex(one) => index::reindex(tally, one),
        Operation::CreateView(one) => create_view(tally, one),
        Operation::RefreshView(one) => refresh(tally, one),
        Operation::CreateSequence(one) => create_sequence(tally, one),
        Operation::AlterSequence(one) => alter_sequence(tally, one),
        Operation::AlterType(one) => alter_type(tally, one),
        Operation::AlterDomain(one) => alter_domain(tally, one),
        Operation::CreateTrigger(one) => create_trigger(tally, one),
        Operation::CreateRule(one) => on(tally, Form::Rule, &one.table),
        Operation::CreatePolicy(one) | Operation::AlterPolicy(one) => on(tally, Form::Policy, &one.table),
        Operation::CreateStatistics(one) => on(tally, Form::Statistics, &one.table),
        Operation::Publication(one) => one.tables.iter().for_each(|table| on(tally, Form::Publication, table)),
        Operation::Comment(one) => comment(tally, one),
        Operation::Grant(one) => one.tables.iter().for_each(|table| on(tally, Form::Grant, table)),
        Operation::Truncate(one) => table::truncate(tally, one),
        Operation::Lock(one) => table::lock(tally, one),
        Operation::Cluster(one) => table::cluster(tally, one),
        Operation::Vacuum(one) => table::vacuum(tally, one),
        Operation::Analyze(one) => table::analyze(tally, &one.tables),
        Operation::Write(one) => write::write(tally, one),
        Operation::Query(one) => write::select(tally, one),
        Operation::CreateSchema(one) => one.elements.iter().for_each(|part| collect(tally, &part.operation)),
        Operation::Opaque(one) => tally.effects.outside_transaction |= one.outside_transaction,
        // No relation is locked; what a DO block or a call runs are steps of their own.
        Operation::CreateType(_)
        | Operation::CreateDomain(_)
        | Operation::CreateFunction(_)
        | Operation::CreateExtension(_)
        | Operation::Call { .. }
        | Operation::Set(_)
        | Operation::SetConstraints { .. }
        | Operation::Transaction(_)
        | Operation::Do(_)
        | Operation::Background(_)
        | Operation::Unread(_) => {}
    }
}

fn on(tally: &mut Tally<'_>, form: Form, table: &Name) {
    let table = tally.find(table);
    tally.take(form, &[(Role::Target, table.as_slice())]);
}

fn rename(tally: &mut Tally<'_>, rename: &Rename) {
    let Some(object) = tally.find(&rename.object) else { return };
    match rename.kind {
        ObjectKind::Index => tally.take(Form::RenameIndex, &[(Role::Index, &[object])]),
        ObjectKind::Trigger => {
            let below = tally.partitions(object);
            tally.take(Form::RenameTrigger, &[(Role::Target, &[object]), (Role::Partitions, &below)]);
        }
        ObjectKind::Constraint => rename_constraint(tally, rename, object),
        ObjectKind::Column => {
            let below = if rename.only { Vec::new() } else { tally.below(object) };
            tally.take(Form::RenamePart, &[(Role::Target, &[object]), (Role::Partitions, &below)]);
        }
        // Kinds that share no name with relations; a type of that name is another object.
        ObjectKind::Type
        | ObjectKind::Domain
        | ObjectKind::Function
        | ObjectKind::Procedure
        | ObjectKind::Aggregate
        | ObjectKind::Routine
        | ObjectKind::Schema
        | ObjectKind::Extension
        | ObjectKind::Statistics
        | ObjectKind::Publication
        | ObjectKind::Other => {}
        ObjectKind::Policy | ObjectKind::Rule => tally.take(Form::Policy, &[(Role::Target, &[object])]),
        ObjectKind::Table
        | ObjectKind::ForeignTable
        | ObjectKind::View
        | ObjectKind::MaterializedView
        | ObjectKind::Sequence => tally.take(Form::Rename, &[(Role::Target, &[object])]),
    }
}

fn rename_constraint(tally: &mut Tally<'_>, rename: &Rename, table: RelationId) {
    let found = rename.part.as_ref().and_then(|name| tally.schema.find_constraint(table, name));
    let Some(constraint) = found else {
        return tally.take(Form::RenamePart, &[(Role::Target, &[table])]);
    };
    match constraint.kind {
        ConstraintRow::Primary { index } | ConstraintRow::Unique { index } | ConstraintRow::Exclude { index } => {
            tally.take(Form::RenameKey, &[(Role::Target, &[table]), (Role::Index, &[index])]);
        }
        // Only inherited CHECKs and NOT NULLs are renamed on children, too.
        ConstraintRow::Check { .. } | ConstraintRow::NotNull => {
            let below = tally.below(table);
            tally.take(Form::RenamePart, &[(Role::Target, &[table]), (Role::Partitions, &below)]);
        }
        ConstraintRow::Foreign(_) => tally.take(Form::RenamePart, &[(Role::Target, &[table])]),
    }
}

fn set_schema(tally: &mut Tally<'_>, set: &SetSchema) {
    if !matches!(
        set.kind,
        ObjectKind::Table
            | ObjectKind::ForeignTable
            | ObjectKind::View
            | ObjectKind::MaterializedView
            | ObjectKind::Sequence
    ) {
        return;
    }
    let Some(relation) = tally.find(&set.name) else { return };
    let sequences = tally.sequences_of(relation);
    tally.take(Form::SetSchema, &[(Role::Target, &[relation]), (Role::Sequence, &sequences)]);
}

fn create_view(tally: &mut Tally<'_>, create: &CreateView) {
    let existing = tally.find(&create.name);
    if create.materialized {
        if existing.is_none() {
            write::made_from(tally, &create.query, create.with_data);
        }
        return;
    }
    let sources: Vec<RelationId> = create.query.reads().into_iter().filter_map(|name| tally.find(name)).collect();
    let form = if create.or_replace && existing.is_some() { Form::ReplaceView } else { Form::CreateView };
    tally.take(form, &[(Role::Source, &sources), (Role::Target, existing.as_slice())]);
}

fn refresh(tally: &mut Tally<'_>, refresh: &RefreshView) {
    let Some(view) = tally.find(&refresh.view) else { return };
    let form = if refresh.concurrently { Form::RefreshViewConcurrently } else { Form::RefreshView };
    let indexes = tally.indexes_of(view);
    tally.take(form, &[(Role::Target, &[view]), (Role::Index, &indexes)]);
    if refresh.with_data {
        write::refresh_reads(tally, view, form);
    }
}

fn create_sequence(tally: &mut Tally<'_>, create: &CreateSequence) {
    if let Some(Some((table, _))) = &create.options.owned_by {
        on(tally, Form::CreateSequence, table);
    }
}

fn alter_sequence(tally: &mut Tally<'_>, alter: &AlterSequence) {
    let Some(sequence) = tally.find(&alter.name) else { return };
    let owner = match &alter.options.owned_by {
        Some(Some((table, _))) => tally.find(table),
        Some(None) | None => None,
    };
    tally.take(Form::AlterSequence, &[(Role::Sequence, &[sequence]), (Role::Target, owner.as_slice())]);
}

/// An enum's labels and a composite type's attributes are locked as types are, which no query feels.
fn alter_type(tally: &mut Tally<'_>, alter: &AlterType) {
    let TypeAction::AddValue { label, .. } = &alter.action else { return };
    tally.effects.unusable_label = tally.schema.find_type(&alter.name).map(|one| (one.id, label.clone()));
}

fn alter_domain(tally: &mut Tally<'_>, alter: &AlterDomain) {
    let (kind, name, state) = match &alter.action {
        DomainAction::AddCheck { name, not_valid: false, .. } => (DataCheckKind::Check, name.as_ref(), "23514"),
        DomainAction::ValidateConstraint(name) => (DataCheckKind::Check, Some(name), "23514"),
        DomainAction::SetNotNull => (DataCheckKind::NotNull, None, "23502"),
        DomainAction::AddNotNull { name } => (DataCheckKind::NotNull, name.as_ref(), "23502"),
        DomainAction::AddCheck { not_valid: true, .. }
        | DomainAction::SetDefault(_)
        | DomainAction::DropDefault
        | DomainAction::DropNotNull
        | DomainAction::DropConstraint { .. }
        | DomainAction::RenameConstraint { .. }
        | DomainAction::Owner(_) => return,
    };
    let Some(id) = tally.schema.find_type(&alter.name).map(|one| one.id) else { return };
    for (table, _) in drop::columns_of(tally, id) {
        tally.take(Form::Domain, &[(Role::Target, &[table])]);
        tally.check(table, kind, name, state);
    }
}

fn create_trigger(tally: &mut Tally<'_>, create: &CreateTrigger) {
    let Some(table) = tally.find(&create.table) else { return };
    let below = if create.for_each_row { tally.partitions(table) } else { Vec::new() };
    let from = create.from.as_ref().and_then(|from| tally.find(from));
    let cast = [(Role::Target, &[table][..]), (Role::Partitions, &below), (Role::Referenced, from.as_slice())];
    tally.take(Form::CreateTrigger, &cast);
}

fn comment(tally: &mut Tally<'_>, comment: &CommentOn) {
    let Some(object) = tally.find(&comment.object) else { return };
    match comment.kind {
        ObjectKind::Table
        | ObjectKind::ForeignTable
        | ObjectKind::View
        | ObjectKind::MaterializedView
        | ObjectKind::Index
        | ObjectKind::Sequence
        | ObjectKind::Column => tally.take(Form::Comment, &[(Role::Target, &[object])]),
        ObjectKind::Constraint | ObjectKind::Trigger | ObjectKind::Policy | ObjectKind::Rule
            if !matches!(tally.relation(object).map(|one| &one.kind), Some(RelationKind::Other)) =>
        {
            tally.take(Form::CommentOnPart, &[(Role::Target, &[object])]);
        }
        _ => {}
    }
}
