//! ALTER TABLE: each action's fact, then the strongest lock of all for the table and what the actions reach below it.

mod column;
mod constraint;

pub(super) use column::indexes_on;

use super::facts::{Form, Role};
use super::tally::Tally;
use super::{foreign_key, partition};
use crate::operation::{
    AlterTable, Ident, LockMode, ObjectKind, Persistence, ReplicaIdentity, TableAction, TableActionKind, TriggerChoice,
};
use crate::schema::{RelationId, RelationKind};

/// One ALTER TABLE: what its actions share.
struct Statement<'a> {
    table: RelationId,
    only: bool,
    actions: &'a [TableAction],
    /// Constraints that it drops: those go before anything is proven from them.
    dropped: Vec<&'a Ident>,
}

pub(super) fn alter(tally: &mut Tally<'_>, alter: &AlterTable) {
    let Some(table) = tally.find(&alter.table) else { return };
    if matches!(tally.relation(table).map(|relation| &relation.kind), Some(RelationKind::Index(_))) {
        // ALTER TABLE reaches indexes, too, but not with ALTER INDEX's milder locks.
        return tally.take(Form::AlterIndexTablespace, &[(Role::Index, &[table])]);
    }
    if alter.target == ObjectKind::Sequence {
        return tally.lock(table, LockMode::AccessExclusive);
    }
    let dropped = alter.actions.iter().filter_map(|action| match &action.kind {
        TableActionKind::DropConstraint { name, .. } => Some(name),
        _ => None,
    });
    let statement = Statement { table, only: alter.only, actions: &alter.actions, dropped: dropped.collect() };
    for (at, action) in alter.actions.iter().enumerate() {
        tally.action = Some(at);
        one(tally, &statement, &action.kind);
    }
    tally.action = None;
    let moves = |action: &TableAction| {
        matches!(action.kind, TableActionKind::AttachPartition { .. } | TableActionKind::DetachPartition { .. })
    };
    if !alter.actions.iter().any(moves) {
        raise_partitions(tally, table);
    }
}

/// Children are opened with the lock that the whole statement takes. UNIQUE is no such case: it makes its index on
/// each partition as CREATE INDEX does.
fn raise_partitions(tally: &mut Tally<'_>, table: RelationId) {
    let Some(strongest) = tally.effects.lock_on(table) else { return };
    let below = tally.below(table);
    for (relation, mode) in &mut tally.effects.locks {
        if below.contains(relation) && *mode == LockMode::ShareUpdateExclusive {
            *mode = strongest;
        }
    }
}

fn one(tally: &mut Tally<'_>, statement: &Statement<'_>, action: &TableActionKind) {
    use TableActionKind::*;
    match action {
        AddColumn { column, if_not_exists } => column::add(tally, statement, column, *if_not_exists),
        DropColumn { column, cascade, .. } => column::drop(tally, statement, column, *cascade),
        AlterColumnType { column, data_type, collation, using } => {
            column::change_type(tally, statement, column, data_type, collation.as_ref(), using.as_ref());
        }
        SetDefault { .. } | DropDefault { .. } => reach(tally, statement, Form::SetDefault),
        SetNotNull { column } => column::set_not_null(tally, statement, column),
        DropNotNull { .. } => reach(tally, statement, Form::DropNotNull),
        SetExpression { column, .. } => column::set_expression(tally, statement, column),
        DropExpression { .. } => reach(tally, statement, Form::DropExpression),
        AddIdentity { .. } => simple(tally, statement, Form::Identity),
        DropIdentity { column, .. } => column::identity(tally, statement, Form::Identity, column),
        AlterIdentity { column, .. } => column::identity(tally, statement, Form::AlterIdentity, column),
        SetStatistics { .. } => reach(tally, statement, Form::ColumnStatistics),
        SetColumnOptions { .. } => simple(tally, statement, Form::ColumnStatistics),
        SetStorage { .. } => reach(tally, statement, Form::ColumnStorage),
        SetCompression { .. } => simple(tally, statement, Form::ColumnStorage),
        AddConstraint(definition) => constraint::add(tally, statement, definition),
        AlterConstraint { name, enforced, .. } => constraint::alter(tally, statement, name, *enforced),
        ValidateConstraint { name } => constraint::validate(tally, statement, name),
        DropConstraint { name, cascade, .. } => constraint::drop(tally, statement, name, *cascade),
        SetTrigger { which, .. } => set_trigger(tally, statement, which),
        ClusterOn { index } => with_index(tally, statement, Form::ClusterOn, index),
        SetWithoutCluster => simple(tally, statement, Form::ClusterOn),
        ReplicaIdentity(self::ReplicaIdentity::Index(index)) => {
            with_index(tally, statement, Form::ReplicaIdentity, index);
        }
        ReplicaIdentity(_) => simple(tally, statement, Form::ReplicaIdentity),
        SetRule { .. } => simple(tally, statement, Form::SetRule),
        SetRowSecurity { .. } => simple(tally, statement, Form::RowSecurity),
        // The database's own tablespace and table method are taken for the ones in use.
        SetTablespace { tablespace } if *tablespace == "pg_default" => {
            simple(tally, statement, Form::SetTablespaceSame);
        }
        SetTablespace { .. } => simple(tally, statement, Form::SetTablespace),
        SetAccessMethod { method } if method.as_ref().is_none_or(|method| *method == "heap") => {
            simple(tally, statement, Form::SetAccessMethodSame);
        }
        SetAccessMethod { .. } => simple(tally, statement, Form::SetAccessMethod),
        SetLogged { logged } => set_logged(tally, statement, *logged),
        SetOptions(options) | ResetOptions(options) => {
            let of_catalog = options.iter().any(|option| &*option.name == "user_catalog_table");
            let form = if of_catalog { Form::SetCatalogOption } else { Form::SetOptions };
            simple(tally, statement, form);
        }
        Inherit { parent } => with_parent(tally, statement, Form::Inherit, parent),
        NoInherit { parent } => with_parent(tally, statement, Form::NoInherit, parent),
        Owner { .. } => owner(tally, statement.table),
        AttachPartition { partition, bound } => {
            if let Some(part) = tally.find(partition) {
                partition::attach(tally, statement.table, part, bound);
            }
        }
        DetachPartition { partition, concurrently, finalize } => {
            if let Some(part) = tally.find(partition) {
                partition::detach(tally, statement.table, part, *concurrently, *finalize);
            } else {
                tally.effects.outside_transaction |= *concurrently;
            }
        }
        SetWithoutOids | OfType { .. } | NotOf | Other { .. } | Unread { .. } => {
            simple(tally, statement, Form::AlterOther);
        }
    }
}

/// An action that stays on the table.
fn simple(tally: &mut Tally<'_>, statement: &Statement<'_>, form: Form) {
    tally.take(form, &[(Role::Target, &[statement.table])]);
}

/// An action that goes on to partitions and children, unless ONLY was written.
fn reach(tally: &mut Tally<'_>, statement: &Statement<'_>, form: Form) {
    let below = statement.reached(tally);
    tally.take(form, &[(Role::Target, &[statement.table]), (Role::Partitions, &below)]);
}

fn with_index(tally: &mut Tally<'_>, statement: &Statement<'_>, form: Form, index: &Ident) {
    let index = index_named(tally, statement.table, index);
    tally.take(form, &[(Role::Target, &[statement.table]), (Role::Index, index.as_slice())]);
}

fn index_named(tally: &Tally<'_>, table: RelationId, name: &Ident) -> Option<RelationId> {
    let indexes = tally.indexes_of(table).into_iter();
    indexes.into_iter().find(|index| tally.relation(*index).is_some_and(|relation| relation.name.name == *name))
}

fn with_parent(tally: &mut Tally<'_>, statement: &Statement<'_>, form: Form, parent: &crate::operation::Name) {
    let parent = tally.find(parent);
    tally.take(form, &[(Role::Target, &[statement.table]), (Role::Parent, parent.as_slice())]);
}

fn owner(tally: &mut Tally<'_>, table: RelationId) {
    let (indexes, sequences) = (tally.indexes_of(table), tally.sequences_of(table));
    let cast = [(Role::Target, &[table][..]), (Role::Index, &indexes), (Role::Sequence, &sequences)];
    tally.take(Form::Owner, &cast);
}

/// Goes on to the partitions with the row triggers that it finds on the parent. Those of foreign keys stand there
/// since 15 only (measured: DISABLE TRIGGER ALL on 12 to 14 leaves the partitions' keys on).
fn set_trigger(tally: &mut Tally<'_>, statement: &Statement<'_>, which: &TriggerChoice) {
    let triggers = tally.schema.triggers_of(statement.table);
    let by_row = triggers.iter().any(|trigger| trigger.for_each_row);
    let keyed = !foreign_key::keys_of(tally, statement.table).is_empty()
        || !foreign_key::keys_to(tally, statement.table).is_empty();
    let cloned = match which {
        TriggerChoice::Named(name) => {
            triggers.iter().find(|trigger| trigger.name == *name).is_none_or(|trigger| trigger.for_each_row)
        }
        TriggerChoice::All => by_row || (keyed && tally.since(15)),
        TriggerChoice::User => by_row,
    };
    if cloned && tally.is_partitioned(statement.table) {
        reach(tally, statement, Form::SetTrigger);
    } else {
        simple(tally, statement, Form::SetTrigger);
    }
}

fn set_logged(tally: &mut Tally<'_>, statement: &Statement<'_>, logged: bool) {
    let is_logged = tally.table(statement.table).is_some_and(|table| table.persistence == Persistence::Permanent);
    let form = if is_logged == logged { Form::SetLoggedAlready } else { Form::SetLogged };
    simple(tally, statement, form);
}

impl Statement<'_> {
    /// Partitions and children that its actions go on to.
    fn reached(&self, tally: &Tally<'_>) -> Vec<RelationId> {
        if self.only { Vec::new() } else { tally.below(self.table) }
    }
}
