//! ALTER TABLE: its actions in the order of PostgreSQL's passes, not of writing.

use super::column::TypeChange;
use super::resolve::{Taken, quoted, quoted_name};
use super::{Change, Outcome, refused};
use crate::operation::{
    AlterTable, ConstraintKind, Ident, Name, ObjectKind, Persistence, ReplicaIdentity, TableAction, TableActionKind,
};
use crate::schema::{Existence, GeneratedColumn, RelationId, RelationKind, TableKind};

/// `AlterTablePass`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pass {
    Drop,
    Type,
    AddColumn,
    SetExpression,
    ColumnAttributes,
    AddIndexConstraint,
    AddOther,
    Misc,
}

/// One thing to do: an action, or a constraint written with a column that ADD COLUMN brings.
enum Work<'a> {
    Action(&'a TableActionKind),
    Inline { column: &'a Ident, constraint: usize, action: usize },
}

impl Change<'_> {
    pub(super) fn alter_table(&mut self, alter: &AlterTable) -> Outcome {
        let Some(id) = self.altered(&alter.table, alter.if_exists, alter.target)? else { return Ok(()) };
        let first = alter.actions.first().map(|action| &action.kind);
        if let (Some(TableActionKind::AttachPartition { .. }), true) = (first, self.as_index(id).is_some()) {
            return Ok(());
        }
        let mut work: Vec<(Pass, Work)> = Vec::new();
        for (at, action) in alter.actions.iter().enumerate() {
            work.push((pass(&action.kind), Work::Action(&action.kind)));
            if let TableActionKind::AddColumn { column, .. } = &action.kind {
                let inline = column.constraints.iter().enumerate().map(|(constraint, definition)| {
                    let work = Work::Inline { column: &column.name, constraint, action: at };
                    (constraint_pass(&definition.kind), work)
                });
                work.extend(inline);
            }
        }
        work.sort_by_key(|(pass, _)| *pass);
        // A column that IF NOT EXISTS found brings no constraints; before 13 it did (12.22).
        let mut skipped: Vec<usize> = Vec::new();
        for (_, work) in work {
            match work {
                Work::Action(kind) => {
                    if !self.act(id, kind, alter.only)?
                        && let Some(at) = alter.actions.iter().position(|action| std::ptr::eq(&action.kind, kind))
                    {
                        skipped.push(at);
                    }
                }
                Work::Inline { column, constraint, action } => {
                    if skipped.contains(&action) && self.since(13) {
                        continue;
                    }
                    if let Some(TableAction { kind: TableActionKind::AddColumn { column: definition, .. }, .. }) =
                        alter.actions.get(action)
                        && let Some(definition) = definition.constraints.get(constraint)
                    {
                        self.add_constraint_action(id, definition, Some(column), alter.only)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The relation that ALTER names; `None` where IF EXISTS found nothing.
    pub(super) fn altered(&mut self, name: &Name, if_exists: bool, target: ObjectKind) -> Outcome<Option<RelationId>> {
        if self.find(name).is_none() && if_exists {
            let text = format!("relation {} does not exist, skipping", quoted_name(name));
            if self.schema.seems_complete() || self.schema.gone(name).is_some() {
                self.notice(name.to_string(), text);
                return Ok(None);
            }
            let id = self.assume(name, Taken::Table);
            let maybe = Existence::Maybe { by: self.at.clone() };
            self.schema.edit_relation(id, |relation| relation.existence = maybe);
            return Ok(Some(id));
        }
        let taken = match target {
            ObjectKind::Table | ObjectKind::ForeignTable => Taken::Table,
            _ => Taken::Other,
        };
        let id = self.relation(name, taken)?;
        let fits = match (&self.schema.relation(id).kind, target) {
            (RelationKind::View(view), ObjectKind::View) => !view.materialized,
            (RelationKind::View(view), ObjectKind::MaterializedView) => view.materialized,
            (RelationKind::Table(table), ObjectKind::ForeignTable) => table.kind == TableKind::Foreign,
            (RelationKind::Other, _) | (_, ObjectKind::Table) => true,
            (RelationKind::Index(_), ObjectKind::Index) | (RelationKind::Sequence(_), ObjectKind::Sequence) => true,
            _ => false,
        };
        if fits {
            return Ok(Some(id));
        }
        Err(self.wrong_kind(id, &article(target)))
    }

    /// Whether the action did what it says; IF NOT EXISTS may leave it undone.
    fn act(&mut self, id: RelationId, kind: &TableActionKind, only: bool) -> Outcome<bool> {
        if !matches!(self.schema.relation(id).kind, RelationKind::Table(_)) {
            self.act_on_other(id, kind)?;
            return Ok(true);
        }
        match kind {
            TableActionKind::AddColumn { column, if_not_exists } => {
                return self.add_column(id, column, *if_not_exists, only, false);
            }
            TableActionKind::DropColumn { column, if_exists, cascade } => {
                self.drop_column(id, column, *if_exists, *cascade, only)
            }
            TableActionKind::AlterColumnType { column, data_type, collation, using } => {
                let to = TypeChange { data_type, collation: collation.as_ref(), using: using.as_ref() };
                self.alter_column_type(id, column, to, only, false)
            }
            TableActionKind::SetDefault { column, default } => self.set_default(id, column, Some(default), only),
            TableActionKind::DropDefault { column } => self.set_default(id, column, None, only),
            TableActionKind::SetNotNull { column } => self.set_not_null(id, column, only),
            TableActionKind::DropNotNull { column } => self.drop_not_null(id, column, only),
            TableActionKind::AddConstraint(definition) => self.add_constraint_action(id, definition, None, only),
            TableActionKind::AlterConstraint { name, .. } => self.alter_constraint(id, name, kind),
            TableActionKind::ValidateConstraint { name } => self.validate_constraint(id, name, only, false),
            TableActionKind::DropConstraint { name, if_exists, cascade } => {
                self.drop_constraint(id, name, *if_exists, *cascade, only)
            }
            TableActionKind::SetTrigger { which, enabled } => self.set_triggers(id, which, *enabled, only),
            TableActionKind::Inherit { parent } => self.inherit(id, parent),
            TableActionKind::NoInherit { parent } => self.no_inherit(id, parent),
            TableActionKind::AttachPartition { partition, bound } => self.attach_partition(id, partition, bound),
            TableActionKind::DetachPartition { partition, concurrently, finalize } => {
                self.detach_partition(id, partition, *concurrently, *finalize)
            }
            TableActionKind::AddIdentity { column, identity } => self.add_identity(id, column, identity, only),
            TableActionKind::AlterIdentity { column, always } => self.alter_identity(id, column, *always),
            TableActionKind::DropIdentity { column, if_exists } => self.drop_identity(id, column, *if_exists, only),
            TableActionKind::DropExpression { column, if_exists } => self.drop_expression(id, column, *if_exists),
            TableActionKind::Unread { .. } => {
                let maybe = Existence::Maybe { by: self.at.clone() };
                self.schema.edit_relation(id, |relation| relation.existence = maybe);
                Ok(())
            }
            _ => self.set_attribute(id, kind),
        }?;
        Ok(true)
    }

    /// Actions that change one attribute, or nothing that is modelled.
    fn set_attribute(&mut self, id: RelationId, kind: &TableActionKind) -> Outcome {
        match kind {
            TableActionKind::SetExpression { column, expression } => {
                let found = self.column(id, column)?;
                self.expression_columns(id, expression)?;
                let expression = expression.clone();
                let own = self.schema.table(id).column_by_id(found);
                if own.is_some_and(|own| own.generated.is_none() && own.data_type.is_some()) {
                    let message = format!(
                        "column {} of relation {} is not a generated column",
                        quoted(column),
                        quoted(&self.label(id))
                    );
                    return Err(refused("55000", self.full(id), message));
                }
                self.schema.edit_column(id, found, |column| {
                    let stored = column.generated.as_ref().is_none_or(|one| one.stored);
                    column.generated = Some(GeneratedColumn { expression, stored });
                });
                Ok(())
            }
            TableActionKind::SetStatistics { column }
            | TableActionKind::SetStorage { column }
            | TableActionKind::SetCompression { column }
            | TableActionKind::SetColumnOptions { column } => self.column(id, column).map(|_| ()),
            TableActionKind::SetRowSecurity { enabled, forced } => {
                self.schema.edit_table(id, |table| {
                    table.row_security = enabled.unwrap_or(table.row_security);
                    table.row_security_forced = forced.unwrap_or(table.row_security_forced);
                });
                Ok(())
            }
            TableActionKind::ClusterOn { index } => self.cluster_on(id, index),
            TableActionKind::SetWithoutCluster => {
                for index in self.indexes_in_order(id) {
                    self.schema.edit_index(index, |index| index.clustered = false);
                }
                Ok(())
            }
            TableActionKind::SetLogged { logged } => self.set_logged(id, *logged),
            TableActionKind::ReplicaIdentity(identity) => self.replica_identity(id, identity),
            TableActionKind::SetRule { name } => self.require_rule(id, name),
            _ => Ok(()),
        }
    }

    fn act_on_other(&mut self, id: RelationId, kind: &TableActionKind) -> Outcome {
        let is_view = matches!(&self.schema.relation(id).kind, RelationKind::View(view) if !view.materialized);
        match kind {
            TableActionKind::SetDefault { .. } | TableActionKind::DropDefault { .. } if is_view => Ok(()),
            TableActionKind::ClusterOn { index } => self.cluster_on(id, index),
            TableActionKind::Owner { .. }
            | TableActionKind::SetOptions(_)
            | TableActionKind::ResetOptions(_)
            | TableActionKind::SetTablespace { .. }
            | TableActionKind::SetStatistics { .. }
            | TableActionKind::SetStorage { .. }
            | TableActionKind::SetLogged { .. }
            | TableActionKind::SetColumnOptions { .. }
            | TableActionKind::SetWithoutCluster
            | TableActionKind::SetAccessMethod { .. }
            | TableActionKind::Other { .. }
            | TableActionKind::Unread { .. } => Ok(()),
            TableActionKind::SetTrigger { which, enabled } => self.set_triggers(id, which, *enabled, false),
            _ if matches!(self.schema.relation(id).kind, RelationKind::Other) => {
                self.must_be_table(id)?;
                self.act(id, kind, false).map(|_| ())
            }
            _ => Err(self.wrong_kind(id, "a table")),
        }
    }

    fn set_logged(&mut self, id: RelationId, logged: bool) -> Outcome {
        let table = self.schema.table(id);
        if table.persistence == Persistence::Temporary {
            let message =
                format!("cannot change logged status of table {} because it is temporary", quoted(&self.label(id)));
            return Err(refused("42P16", self.full(id), message));
        }
        let to = if logged { Persistence::Permanent } else { Persistence::Unlogged };
        // A permanent table may not reference an unlogged one, from either side.
        let own = table.constraints.iter().filter_map(|one| self.foreign(*one)).map(|key| key.references);
        let others = table.referenced_by.iter().filter_map(|one| self.schema.get_constraint(*one)).map(|one| one.table);
        let other: Vec<RelationId> = if logged { own.collect() } else { others.collect() };
        let unlike = other.into_iter().find(|other| *other != id && self.schema.table(*other).persistence != to);
        if let Some(unlike) = unlike {
            let (word, other) = if logged { ("logged", "unlogged") } else { ("unlogged", "logged") };
            let message = format!(
                "could not change table {} to {word} because it references {other} table {}",
                quoted(&self.label(id)),
                quoted(&self.label(unlike))
            );
            return Err(refused("42P16", self.full(id), message));
        }
        self.schema.edit_table(id, |table| table.persistence = to);
        Ok(())
    }

    fn replica_identity(&mut self, id: RelationId, identity: &ReplicaIdentity) -> Outcome {
        let chosen = match identity {
            ReplicaIdentity::Index(name) => {
                let found = self.index_of(id, name)?;
                if let Some(index) = found.and_then(|found| self.as_index(found))
                    && !index.unique
                {
                    let message = format!("cannot use non-unique index {} as replica identity", quoted(name));
                    return Err(refused("42809", self.full(id), message));
                }
                found
            }
            ReplicaIdentity::Default | ReplicaIdentity::Full | ReplicaIdentity::Nothing => None,
        };
        self.schema.edit_table(id, |table| table.replica_identity_full = *identity == ReplicaIdentity::Full);
        for index in self.indexes_in_order(id) {
            self.schema.edit_index(index, |one| one.replica_identity = Some(index) == chosen);
        }
        Ok(())
    }

    fn alter_constraint(&mut self, id: RelationId, name: &Ident, kind: &TableActionKind) -> Outcome {
        let TableActionKind::AlterConstraint { deferrable, initially_deferred, enforced, inherit, .. } = kind else {
            return Ok(());
        };
        let Some(row) = self.find_row(id, name).cloned() else {
            return if self.may_have_constraint(id, name) { Ok(()) } else { Err(self.no_constraint(id, name)) };
        };
        let object = format!("{}.{name}", self.full(id));
        if let Some(inherit) = inherit {
            self.schema.edit_constraint(row.id, |row| row.no_inherit = !inherit);
            return Ok(());
        }
        if row.as_foreign().is_none() {
            let message = format!(
                "constraint {} of relation {} is not a foreign key constraint",
                quoted(name),
                quoted(&self.label(id))
            );
            return Err(refused("42809", object, message));
        }
        if row.parent.is_some() {
            let message = format!("cannot alter constraint {} on relation {}", quoted(name), quoted(&self.label(id)));
            let state = if self.since(18) { "55000" } else { "XX000" };
            return Err(refused(state, object, message));
        }
        let mut open = vec![row.id];
        while let Some(next) = open.pop() {
            if let Some(row) = self.schema.get_constraint(next) {
                open.extend(&row.children);
            }
            self.schema.edit_constraint(next, |row| {
                if deferrable.is_some() || initially_deferred.is_some() {
                    let deferred = initially_deferred.unwrap_or(false);
                    row.initially_deferred = deferred;
                    row.deferrable = deferrable.unwrap_or(deferred);
                }
                if let Some(enforced) = enforced {
                    row.enforced = *enforced;
                    row.validated = *enforced;
                }
            });
        }
        Ok(())
    }
}

fn pass(kind: &TableActionKind) -> Pass {
    match kind {
        TableActionKind::DropColumn { .. }
        | TableActionKind::DropDefault { .. }
        | TableActionKind::DropNotNull { .. }
        | TableActionKind::DropExpression { .. }
        | TableActionKind::DropIdentity { .. }
        | TableActionKind::DropConstraint { .. }
        | TableActionKind::SetWithoutOids => Pass::Drop,
        TableActionKind::AlterColumnType { .. } => Pass::Type,
        TableActionKind::AddColumn { .. } => Pass::AddColumn,
        TableActionKind::SetExpression { .. } => Pass::SetExpression,
        TableActionKind::SetNotNull { .. } | TableActionKind::AlterIdentity { .. } => Pass::ColumnAttributes,
        TableActionKind::SetDefault { .. } | TableActionKind::AddIdentity { .. } => Pass::AddOther,
        TableActionKind::AddConstraint(definition) => constraint_pass(&definition.kind),
        _ => Pass::Misc,
    }
}

fn constraint_pass(kind: &ConstraintKind) -> Pass {
    match kind {
        ConstraintKind::NotNull(_) => Pass::ColumnAttributes,
        ConstraintKind::Unique(_) | ConstraintKind::Primary(_) | ConstraintKind::Exclude { .. } => {
            Pass::AddIndexConstraint
        }
        ConstraintKind::Check(_) | ConstraintKind::Foreign(_) => Pass::AddOther,
    }
}

/// `a table`, `an index`: as PostgreSQL's refusals have it.
pub(super) fn article(kind: ObjectKind) -> String {
    let word = super::index::kind_word(kind);
    let article = if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {word}")
}
