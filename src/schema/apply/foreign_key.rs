//! Foreign keys: what they may reference, and their rows on every partition of either side.

use std::collections::BTreeSet;

use super::resolve::{Taken, quoted};
use super::{Change, Outcome, failure, refused};
use crate::operation::{Action, ConstraintDefinition, ForeignKey, Ident, Persistence, TypeName};
use crate::schema::{
    ColumnId, Constraint, ConstraintId, ConstraintRow, Failure, FailureKind, ForeignRow, RelationId, TableKind,
    TypeKind,
};

impl Change<'_> {
    /// `ATAddForeignKeyConstraint`.
    pub(super) fn add_foreign_key(
        &mut self,
        table: RelationId,
        definition: &ConstraintDefinition,
        key: &ForeignKey,
        inline: Option<&Ident>,
        only: bool,
        creating: bool,
    ) -> Outcome {
        if let Some(name) = definition.name.as_ref().filter(|name| self.constraint_name_used(table, name)) {
            return Err(self.constraint_exists(table, name));
        }
        let references = self.relation(&key.references, Taken::Table)?;
        self.may_reference(table, references, definition, only, creating)?;
        let names = match inline {
            Some(column) if key.columns.is_empty() => std::slice::from_ref(column),
            _ => &key.columns,
        };
        let mut columns = Vec::new();
        for name in names {
            columns.push(self.foreign_column(table, name)?);
        }
        let (referenced, index) = self.referenced_columns(references, key)?;
        if !referenced.is_empty() && referenced.len() != columns.len() {
            let message = "number of referencing and referenced columns for foreign key disagree".to_owned();
            return Err(refused("42830", self.full(table), message));
        }
        let mut set_columns = Vec::new();
        for name in &key.on_delete_columns {
            let column = self.foreign_column(table, name)?;
            if !columns.contains(&column) {
                let message =
                    format!("column {} referenced in ON DELETE SET action must be part of foreign key", quoted(name));
                return Err(refused("42P10", self.full(table), message));
            }
            set_columns.push(column);
        }
        self.types_fit(table, &columns, references, &referenced, definition)?;
        self.generated_fits(table, &columns, key)?;
        let name = definition.name.clone().unwrap_or_else(|| self.foreign_name(table, &columns));
        let row = ForeignRow {
            references,
            referenced_columns: referenced,
            on_delete: key.on_delete,
            on_update: key.on_update,
            on_delete_columns: set_columns,
            match_full: key.match_full,
            referenced_side: false,
            index,
        };
        let mut constraint = self.constraint_row(table, name, ConstraintRow::Foreign(Box::new(row)));
        constraint.no_inherit = true;
        constraint.columns = columns;
        constraint.deferrable = definition.deferrable || definition.initially_deferred;
        constraint.initially_deferred = definition.initially_deferred;
        constraint.enforced = !definition.not_enforced;
        constraint.validated = constraint.enforced && (creating || !definition.not_valid);
        let id = self.add_constraint(constraint);
        self.spread_foreign_key(id)
    }

    /// The rows of a declared key on the partitions of either side.
    pub(super) fn spread_foreign_key(&mut self, id: ConstraintId) -> Outcome {
        let Some(table) = self.schema.get_constraint(id).map(|row| row.table) else { return Ok(()) };
        self.referenced_rows(id, &self.constraint_name(id), false)?;
        self.referencing_rows(id, table)
    }

    fn may_reference(
        &mut self,
        table: RelationId,
        references: RelationId,
        definition: &ConstraintDefinition,
        only: bool,
        creating: bool,
    ) -> Outcome {
        let (label, other) = (quoted(&self.label(table)), quoted(&self.label(references)));
        if self.schema.relation(table).is_partitioned() {
            if only {
                let message = format!(
                    "cannot use ONLY for foreign key on partitioned table {label} referencing relation {other}"
                );
                return Err(refused("42809", self.full(table), message));
            }
            if definition.not_valid && !creating && !self.since(18) {
                let message = format!(
                    "cannot add NOT VALID foreign key on partitioned table {label} referencing relation {other}"
                );
                return Err(refused("42809", self.full(table), message));
            }
        }
        let fails = |message: String| Err(refused("42809", self.full(references), message));
        match self.schema.relation(references).as_table() {
            Some(table) if table.kind != TableKind::Foreign => {}
            None if matches!(self.schema.relation(references).kind, crate::schema::RelationKind::Other) => {
                return self.must_be_table(references);
            }
            _ => return fails(format!("referenced relation {other} is not a table")),
        }
        let (one, two) = (self.schema.table(table).persistence, self.schema.table(references).persistence);
        let allowed = match one {
            Persistence::Permanent => two == Persistence::Permanent,
            Persistence::Unlogged => two != Persistence::Temporary,
            Persistence::Temporary => two == Persistence::Temporary,
        };
        if allowed {
            return Ok(());
        }
        let (own, others) = match one {
            Persistence::Permanent => ("permanent", "permanent"),
            Persistence::Unlogged => ("unlogged", "permanent or unlogged"),
            Persistence::Temporary => ("temporary", "temporary"),
        };
        Err(refused(
            "42P16",
            self.full(table),
            format!("constraints on {own} tables may reference only {others} tables"),
        ))
    }

    fn foreign_column(&mut self, table: RelationId, name: &Ident) -> Outcome<ColumnId> {
        self.find_column(table, name).ok_or_else(|| {
            let message = format!("column {} referenced in foreign key constraint does not exist", quoted(name));
            self.no_column(table, name, message)
        })
    }

    /// The referenced columns and the unique index that makes them a key.
    fn referenced_columns(
        &mut self,
        references: RelationId,
        key: &ForeignKey,
    ) -> Outcome<(Vec<ColumnId>, Option<RelationId>)> {
        let label = quoted(&self.label(references));
        let deferrable = |change: &Self, what: &str| {
            let message = format!("cannot use a deferrable {what} for referenced table {label}");
            Err(refused("55000", change.full(references), message))
        };
        if key.referenced_columns.is_empty() {
            let primary = self.schema.constraints_of(references).find_map(|one| match one.kind {
                ConstraintRow::Primary { index } => Some((one.columns.clone(), index, one.deferrable)),
                _ => None,
            });
            return match primary {
                Some((_, _, true)) => deferrable(self, "primary key"),
                Some((columns, index, false)) if self.as_index(index).is_none_or(|index| index.valid) => {
                    Ok((columns, Some(index)))
                }
                _ if self.is_open(references) => Ok((Vec::new(), None)),
                _ => {
                    let message = format!("there is no primary key for referenced table {label}");
                    Err(self.not_unique("42704", references, message))
                }
            };
        }
        let mut columns = Vec::new();
        for name in &key.referenced_columns {
            columns.push(self.foreign_column(references, name)?);
        }
        let wanted: BTreeSet<ColumnId> = columns.iter().copied().collect();
        if wanted.len() != columns.len() {
            let message = "foreign key referenced-columns list must not contain duplicates".to_owned();
            return Err(refused("42830", self.full(references), message));
        }
        let mut found_deferrable = false;
        for id in self.indexes_in_order(references) {
            let Some(index) = self.as_index(id) else { continue };
            if !index.unique || !index.valid || index.filter.is_some() || index.parts.len() != wanted.len() {
                continue;
            }
            let keys: BTreeSet<ColumnId> = super::index::key_columns(index).into_iter().collect();
            let fits = keys == wanted;
            if !fits {
                continue;
            }
            let constraint = index.constraint.and_then(|id| self.schema.get_constraint(id));
            if constraint.is_some_and(|one| one.deferrable) {
                found_deferrable = true;
                continue;
            }
            return Ok((columns, Some(id)));
        }
        if found_deferrable {
            return deferrable(self, "unique constraint");
        }
        if self.is_open(references) {
            return Ok((columns, None));
        }
        let message = format!("there is no unique constraint matching given keys for referenced table {label}");
        Err(self.not_unique("42830", references, message))
    }

    /// A statement that was not read may have made the key.
    fn not_unique(&self, state: &'static str, references: RelationId, message: String) -> Box<Failure> {
        let mut failure = failure(FailureKind::NotUnique, state, self.full(references), message);
        failure.certain = !self.schema.unread;
        failure
    }

    fn types_fit(
        &self,
        table: RelationId,
        columns: &[ColumnId],
        references: RelationId,
        referenced: &[ColumnId],
        definition: &ConstraintDefinition,
    ) -> Outcome {
        let data_type = |table: RelationId, column: ColumnId| {
            self.schema.table(table).column_by_id(column).and_then(|column| column.data_type.clone())
        };
        for (own, other) in columns.iter().zip(referenced) {
            let (Some(one), Some(two)) = (data_type(table, *own), data_type(references, *other)) else { continue };
            if !comparable(&self.base_type(one), &self.base_type(two)) {
                let name = definition.name.clone().unwrap_or_else(|| self.foreign_name(table, columns));
                let message = format!("foreign key constraint {} cannot be implemented", quoted(&name));
                return Err(refused("42804", self.full(table), message));
            }
        }
        Ok(())
    }

    /// The type below a domain, whose operators a key compares with.
    fn base_type(&self, of: TypeName) -> TypeName {
        let mut base = of;
        // A name may have come to mean the domain itself, by renames: domains over domains are never so deep.
        for _ in 0..32 {
            let found = if base.built_in || base.array { None } else { self.schema.find_type(&base.name) };
            let Some(TypeKind::Domain(domain)) = found.map(|found| &found.kind) else { break };
            base = domain.data_type.clone();
        }
        base
    }

    fn generated_fits(&self, table: RelationId, columns: &[ColumnId], key: &ForeignKey) -> Outcome {
        let generated = |column: &ColumnId| {
            self.schema.table(table).column_by_id(*column).is_some_and(|column| column.generated.is_some())
        };
        if !columns.iter().any(generated) {
            return Ok(());
        }
        let fails = |what: &str| {
            let message = format!("invalid {what} action for foreign key constraint containing generated column");
            Err(refused("42601", self.full(table), message))
        };
        if matches!(key.on_update, Action::SetNull | Action::SetDefault | Action::Cascade) {
            return fails("ON UPDATE");
        }
        if matches!(key.on_delete, Action::SetNull | Action::SetDefault) {
            return fails("ON DELETE");
        }
        Ok(())
    }

    /// A row on the same table for each partition of the referenced one (`addFkRecurseReferenced`).
    fn referenced_rows(&mut self, parent: ConstraintId, declared: &Ident, later: bool) -> Outcome {
        let Some(references) = self.foreign(parent).map(|key| key.references) else { return Ok(()) };
        if !self.schema.relation(references).is_partitioned() {
            return Ok(());
        }
        for partition in self.partitions_in_order(references) {
            self.referenced_row(parent, partition, declared, later)?;
        }
        Ok(())
    }

    /// One such row, and those below it. PostgreSQL 18 numbers on from the name that was declared; for a
    /// partition that comes later, from that of the row above.
    ///
    /// A partition that comes later gets a valid row, whatever the key is, until 18.
    fn referenced_row(
        &mut self,
        parent: ConstraintId,
        partition: RelationId,
        declared: &Ident,
        later: bool,
    ) -> Outcome {
        let Some(outer) = self.schema.get_constraint(parent).cloned() else { return Ok(()) };
        let ConstraintRow::Foreign(key) = &outer.kind else { return Ok(()) };
        let name = self.free_foreign_name(outer.table, declared, &outer.columns);
        let mut row = (**key).clone();
        row.referenced_columns = self.map_columns(key.references, &key.referenced_columns, partition);
        row.references = partition;
        row.referenced_side = true;
        row.index = key.index.and_then(|index| self.index_of_partition(index, partition));
        let mut constraint = outer.clone();
        constraint.name = name;
        constraint.kind = ConstraintRow::Foreign(Box::new(row));
        constraint.existence = self.created();
        constraint.validated |= later && !self.since(18);
        constraint.no_inherit = false;
        constraint.parent = Some(parent);
        constraint.children = Vec::new();
        (constraint.local, constraint.inherited) = (false, 1);
        let id = self.add_constraint(constraint);
        self.referenced_rows(id, declared, later)
    }

    pub(super) fn constraint_name(&self, id: ConstraintId) -> Ident {
        self.schema.get_constraint(id).map_or_else(|| Ident::new("?"), |row| row.name.clone())
    }

    fn index_of_partition(&self, index: RelationId, partition: RelationId) -> Option<RelationId> {
        let children = &self.as_index(index)?.children;
        children.iter().copied().find(|child| self.as_index(*child).is_some_and(|child| child.table == partition))
    }

    pub(super) fn foreign(&self, id: ConstraintId) -> Option<&ForeignRow> {
        self.schema.get_constraint(id).and_then(Constraint::as_foreign)
    }

    /// The declared name where it is free on that table, else one made from it (18) or from the columns.
    fn free_foreign_name(&self, table: RelationId, declared: &Ident, columns: &[ColumnId]) -> Ident {
        if !self.constraint_name_used(table, declared) {
            return declared.clone();
        }
        if self.since(18) {
            return self.choose_constraint(&self.namespace(table), declared.as_str(), None, "", &[]);
        }
        self.foreign_name(table, columns)
    }

    /// The key on every partition of the referencing table: an equal one is taken over, else made
    /// (`addFkRecurseReferencing`).
    pub(super) fn referencing_rows(&mut self, parent: ConstraintId, table: RelationId) -> Outcome {
        if !self.schema.relation(table).is_partitioned() {
            return Ok(());
        }
        let references = self.foreign(parent).map(|key| key.references);
        for partition in self.partitions_in_order(table) {
            // The referenced table is held open while the partitions are visited (`CheckTableNotInUse`).
            if references == Some(partition) {
                let label = quoted(&self.label(partition));
                let message =
                    format!("cannot ALTER TABLE {label} because it is being used by active queries in this session");
                return Err(refused("55006", self.full(partition), message));
            }
            self.referencing_row(parent, partition)?;
        }
        Ok(())
    }

    fn referencing_row(&mut self, parent: ConstraintId, partition: RelationId) -> Outcome {
        if self.adopt_foreign_key(parent, partition)? {
            return Ok(());
        }
        let Some(outer) = self.schema.get_constraint(parent).cloned() else { return Ok(()) };
        let mut constraint = outer.clone();
        constraint.table = partition;
        constraint.columns = self.map_columns(outer.table, &outer.columns, partition);
        if let ConstraintRow::Foreign(key) = &mut constraint.kind {
            key.on_delete_columns = self.map_columns(outer.table, &key.on_delete_columns, partition);
        }
        constraint.name = self.free_foreign_name(partition, &outer.name, &constraint.columns);
        constraint.no_inherit = false;
        constraint.existence = self.created();
        constraint.parent = Some(parent);
        constraint.children = Vec::new();
        (constraint.local, constraint.inherited) = (false, 1);
        let id = self.add_constraint(constraint);
        self.referencing_rows(id, partition)
    }

    /// `tryAttachPartitionForeignKey` over the partition's keys, by name.
    fn adopt_foreign_key(&mut self, parent: ConstraintId, partition: RelationId) -> Outcome<bool> {
        if self.rebuilding {
            return Ok(false);
        }
        let Some(outer) = self.schema.get_constraint(parent).cloned() else { return Ok(false) };
        let columns = self.map_columns(outer.table, &outer.columns, partition);
        for id in self.constraints_by_name(partition) {
            let Some(own) = self.schema.get_constraint(id) else { continue };
            let (Some(mine), Some(theirs)) = (own.as_foreign(), outer.as_foreign()) else { continue };
            let pairs = |columns: &[ColumnId], referenced: &[ColumnId]| -> Vec<(ColumnId, ColumnId)> {
                columns.iter().copied().zip(referenced.iter().copied()).collect()
            };
            let same = own.parent.is_none()
                && mine.references == theirs.references
                && pairs(&own.columns, &mine.referenced_columns) == pairs(&columns, &theirs.referenced_columns)
                && own.columns.len() == columns.len()
                && mine.on_delete == theirs.on_delete
                && mine.on_update == theirs.on_update
                && mine.match_full == theirs.match_full
                && own.deferrable == outer.deferrable
                && own.initially_deferred == outer.initially_deferred;
            // Until 17 a key that was not validated stays beside the parent's; 18 takes it and validates it.
            if !same || !own.validated && own.enforced && !self.since(18) {
                continue;
            }
            if own.enforced != outer.enforced {
                let message = format!(
                    "constraint {} enforceability conflicts with constraint {} on relation {}",
                    quoted(&outer.name),
                    quoted(&own.name),
                    quoted(&self.label(partition))
                );
                return Err(refused("42P17", self.full(partition), message));
            }
            self.take_over(id, parent, &outer);
            return Ok(true);
        }
        Ok(false)
    }

    fn take_over(&mut self, own: ConstraintId, parent: ConstraintId, outer: &Constraint) {
        self.set_constraint_parent(own, Some(parent));
        // The parent's rows for the referenced partitions serve this key too; 12 left the own ones behind.
        if self.since(13) {
            let derived: Vec<ConstraintId> = self.derived_rows(own);
            for id in derived {
                self.drop_constraint_tree(id);
            }
        }
        if outer.validated {
            self.validate_foreign(own);
        }
    }

    /// Until 14 (measured on 14.23) DETACH takes the rows that a partition's own key has for the partitions of
    /// its target for inherited ones, and makes them keys of their own.
    fn free_derived_rows(&mut self, id: ConstraintId) -> Outcome {
        for row in self.derived_rows(id) {
            let Some((table, below)) = self.schema.get_constraint(row).map(|one| (one.table, one.children.len()))
            else {
                continue;
            };
            if below > 0 {
                let message = format!(
                    "cannot drop constraint {} on table {} because constraint {} requires it",
                    self.constraint_name(row),
                    self.label(table),
                    self.constraint_name(id)
                );
                return Err(refused("2BP01", self.full(table), message));
            }
            let Some(references) = self.foreign(row).map(|key| key.references) else { continue };
            self.set_constraint_parent(row, None);
            self.schema.edit_constraint(row, |row| {
                if let ConstraintRow::Foreign(key) = &mut row.kind {
                    key.referenced_side = false;
                }
            });
            self.schema.edit_table(table, |table| {
                table.derived.retain(|one| *one != row);
                table.constraints.push(row);
            });
            self.schema.edit_table(references, |table| {
                table.derived_by.retain(|one| *one != row);
                table.referenced_by.push(row);
            });
        }
        Ok(())
    }

    fn derived_rows(&self, id: ConstraintId) -> Vec<ConstraintId> {
        let children = self.schema.get_constraint(id).map(|row| row.children.clone()).unwrap_or_default();
        children.into_iter().filter(|child| self.foreign(*child).is_some_and(|key| key.referenced_side)).collect()
    }

    /// Removes a row and all rows below it.
    pub(super) fn drop_constraint_tree(&mut self, id: ConstraintId) {
        let children = self.schema.get_constraint(id).map(|row| row.children.clone()).unwrap_or_default();
        for child in children {
            self.drop_constraint_tree(child);
        }
        self.schema.remove_constraint(id);
    }

    /// VALIDATE of a key: 18 goes down to the partitions' rows, before only this row changes.
    pub(super) fn validate_foreign(&mut self, id: ConstraintId) {
        self.mark_validated(id);
        let children = self.schema.get_constraint(id).map(|row| row.children.clone()).unwrap_or_default();
        if children.is_empty() || !self.since(18) {
            return;
        }
        for child in children {
            self.validate_foreign(child);
        }
    }

    /// A new partition gets its part of every key of its parent, on either side
    /// (`CloneForeignKeyConstraints`).
    pub(super) fn clone_foreign_keys(&mut self, parent: RelationId, partition: RelationId) -> Outcome {
        for id in self.constraints_by_name(parent) {
            if self.foreign(id).is_some() {
                let references = self.foreign(id).map(|key| key.references);
                if references == Some(partition) {
                    let message = format!(
                        "cannot attach table {} as a partition because it is referenced by foreign key {}",
                        quoted(&self.label(partition)),
                        quoted(&self.constraint_name(id))
                    );
                    return Err(refused("0A000", self.full(partition), message));
                }
                self.referencing_row(id, partition)?;
            }
        }
        let parent_table = self.schema.table(parent);
        let mut referencing = parent_table.referenced_by.clone();
        referencing.extend(&parent_table.derived_by);
        referencing.sort();
        for id in &referencing {
            let Some(row) = self.schema.get_constraint(*id) else { continue };
            if row.parent.is_some_and(|above| referencing.contains(&above)) {
                continue;
            }
            // 12 leaves out keys of the tree's own tables (measured on 12.22): the partition's rows are not protected.
            if !self.since(13) && (row.table == parent || row.table == partition) {
                continue;
            }
            let declared = self.constraint_name(*id);
            self.referenced_row(*id, partition, &declared, true)?;
        }
        Ok(())
    }

    /// The keys of a partition that is detached stand on their own; rows for it on other tables go.
    pub(super) fn detach_foreign_keys(&mut self, partition: RelationId) -> Outcome {
        for id in self.constraints_by_name(partition) {
            let Some(row) = self.schema.get_constraint(id) else { continue };
            let Some(references) = row.as_foreign().map(|key| key.references) else { continue };
            if row.parent.is_none() {
                if !self.since(15) {
                    self.free_derived_rows(id)?;
                }
                continue;
            }
            let to_partitioned = self.schema.relation(references).is_partitioned();
            // Measured on 13.23 and 14.23: such a key is lost (postgres-truth, surprise 10).
            if to_partitioned && self.since(13) && !self.since(15) {
                self.drop_constraint_tree(id);
                continue;
            }
            self.set_constraint_parent(id, None);
            if to_partitioned && self.since(15) {
                self.referenced_rows(id, &self.constraint_name(id), true)?;
            }
        }
        // Every row that has one above it and references the partition counts as the parent's part of a key
        // (`GetParentedForeignKeyRefs`), a referencing partition's own row too: measured on 12 to 18, it is lost.
        let found = self.schema.table(partition);
        let above = |id: &ConstraintId| self.schema.get_constraint(*id).is_some_and(|row| row.parent.is_some());
        let inherited: Vec<ConstraintId> = found.referenced_by.iter().copied().filter(above).collect();
        for id in found.derived_by.clone().into_iter().chain(inherited) {
            self.drop_constraint_tree(id);
        }
        Ok(())
    }
}

/// Whether a key of one type may reference a column of the other: an equality operator of the referenced
/// column's family takes both, or the referencing type is cast to it implicitly.
pub(super) fn comparable(own: &TypeName, other: &TypeName) -> bool {
    if !own.built_in || !other.built_in || own.array || other.array {
        return own.name == other.name && own.array == other.array || own.built_in != other.built_in;
    }
    let (own, other) = (own.name.name.as_str(), other.name.name.as_str());
    let rank = |name: &str| match name {
        "smallint" | "integer" | "bigint" => Some(0u8),
        "numeric" => Some(1),
        "real" | "double precision" => Some(2),
        _ => None,
    };
    if let (Some(own), Some(other)) = (rank(own), rank(other)) {
        return own <= other;
    }
    let family = |name: &str| match name {
        "text" | "character varying" | "character" | "name" => 1u8,
        "date" | "timestamp without time zone" | "timestamp with time zone" => 2,
        "inet" | "cidr" => 3,
        "bit" | "bit varying" => 4,
        "oid" | "regclass" | "regproc" | "regtype" => 5,
        "time without time zone" | "interval" => 6,
        _ => 0,
    };
    own == other || family(own) != 0 && family(own) == family(other)
}
