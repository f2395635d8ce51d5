//! CHECK, keys and what ALTER TABLE does to constraints of any kind. Foreign keys are made in `foreign_key`.

use std::collections::BTreeSet;

use super::index::key_columns;
use super::names::addition;
use super::resolve::quoted;
use super::{Change, Outcome, because, duplicate, inherited, missing, refused};
use crate::operation::{ConstraintDefinition, ConstraintKind, Expression, Ident, Key};
use crate::schema::{ColumnId, Constraint, ConstraintId, ConstraintRow, Failure, Part, RelationId};

impl Change<'_> {
    /// A CHECK of CREATE TABLE.
    pub(super) fn create_check(
        &mut self,
        table: RelationId,
        definition: &ConstraintDefinition,
        expression: &Expression,
        others: &mut Vec<Ident>,
    ) -> Outcome {
        let columns = self.check_columns(table, expression)?;
        let name = match &definition.name {
            Some(name) if others.contains(name) => {
                let message = format!("check constraint {} already exists", quoted(name));
                return Err(duplicate("42710", name.to_string(), message));
            }
            Some(name) => name.clone(),
            None => self.check_name(table, &columns, others),
        };
        others.push(name.clone());
        if self.constraint_name_used(table, &name) {
            return self.merge_check(table, &name, definition, expression, false, true).map(|_| ());
        }
        self.store_check(table, name, definition, expression, columns, true, true)?;
        Ok(())
    }

    fn check_columns(&mut self, table: RelationId, expression: &Expression) -> Outcome<Vec<ColumnId>> {
        if !expression.tree.queries().is_empty() {
            let message = "cannot use subquery in check constraint".to_owned();
            return Err(refused("0A000", self.full(table), message));
        }
        self.expression_columns(table, expression)
    }

    fn check_name(&self, table: RelationId, columns: &[ColumnId], others: &[Ident]) -> Ident {
        let schema = self.namespace(table);
        let column = match columns {
            [one] => Some(self.schema.column_name(table, *one)),
            _ => None,
        };
        let label = self.label(table);
        self.choose_constraint(&schema, label.as_str(), column.as_ref().map(Ident::as_str), "check", others)
    }

    #[allow(clippy::too_many_arguments)]
    fn store_check(
        &mut self,
        table: RelationId,
        name: Ident,
        definition: &ConstraintDefinition,
        expression: &Expression,
        columns: Vec<ColumnId>,
        local: bool,
        creating: bool,
    ) -> Outcome {
        if definition.no_inherit && self.schema.relation(table).is_partitioned() {
            let message =
                format!("cannot add NO INHERIT constraint to partitioned table {}", quoted(&self.label(table)));
            return Err(refused("42P16", self.full(table), message));
        }
        let mut row = self.constraint_row(table, name, ConstraintRow::Check { expression: expression.clone() });
        row.columns = columns;
        row.enforced = !definition.not_enforced;
        // CREATE TABLE ignores NOT VALID: there are no rows to check.
        row.validated = row.enforced && (creating || !definition.not_valid);
        row.no_inherit = definition.no_inherit;
        row.local = local;
        row.inherited = u16::from(!local);
        self.add_constraint(row);
        Ok(())
    }

    /// `MergeWithExistingConstraint`: true where the name belongs to the same CHECK already.
    fn merge_check(
        &mut self,
        table: RelationId,
        name: &Ident,
        definition: &ConstraintDefinition,
        expression: &Expression,
        recursing: bool,
        creating: bool,
    ) -> Outcome<bool> {
        let Some(existing) = self.find_row(table, name) else { return Ok(false) };
        let same = matches!(&existing.kind, ConstraintRow::Check { expression: own } if own == expression);
        // What comes from a parent merges, and CREATE TABLE repeats what it inherits; later, only a table that is
        // no partition can take an inherited CHECK as its own too.
        let inherited_only = existing.inherited > 0 && !existing.local;
        let may_merge = recursing
            || creating && existing.inherited > 0
            || inherited_only && self.schema.table(table).partition_of.is_none();
        if !same || !may_merge {
            return Err(self.constraint_exists(table, name));
        }
        let label = quoted(&self.label(table));
        let fails = |what: &str| {
            let message = format!("constraint {} conflicts with {what} on relation {label}", quoted(name));
            Err(refused("42P17", format!("{label}.{name}"), message))
        };
        if existing.no_inherit {
            return fails("non-inherited constraint");
        }
        if existing.inherited > 0 && definition.no_inherit {
            return fails("inherited constraint");
        }
        if !definition.not_valid && !creating && !existing.validated && existing.enforced {
            return fails("NOT VALID constraint");
        }
        let id = existing.id;
        self.notice(name.to_string(), format!("merging constraint {} with inherited definition", quoted(name)));
        let partition = self.schema.table(table).partition_of.is_some();
        self.schema.edit_constraint(id, |row| {
            if partition {
                (row.inherited, row.local) = (1, false);
            } else if recursing {
                row.inherited += 1;
            } else {
                row.local = true;
            }
        });
        Ok(true)
    }

    /// A constraint of the table by name, PostgreSQL's own rows included.
    pub(super) fn find_row(&self, table: RelationId, name: &Ident) -> Option<&Constraint> {
        self.schema.named(self.rows_of(table), name)
    }

    /// All rows of a table.
    pub(super) fn rows_of(&self, table: RelationId) -> impl Iterator<Item = &Constraint> {
        let own = self.schema.table(table);
        let ids = own.constraints.iter().chain(&own.not_null).chain(&own.derived);
        ids.filter_map(|id| self.schema.get_constraint(*id))
    }

    /// ADD CONSTRAINT of any kind.
    pub(super) fn add_constraint_action(
        &mut self,
        table: RelationId,
        definition: &ConstraintDefinition,
        inline: Option<&Ident>,
        only: bool,
    ) -> Outcome {
        match &definition.kind {
            ConstraintKind::Check(expression) => {
                self.add_check(table, definition.name.clone(), definition, expression, only, false)
            }
            ConstraintKind::NotNull(column) => {
                if definition.no_inherit && self.schema.relation(table).is_partitioned() {
                    let message = "not-null constraints on partitioned tables cannot be NO INHERIT".to_owned();
                    return Err(refused("0A000", self.full(table), message));
                }
                let found = self.column(table, column)?;
                self.add_not_null(table, found, definition, only)
            }
            ConstraintKind::Foreign(key) => self.add_foreign_key(table, definition, key, inline, only, false),
            ConstraintKind::Unique(Key { using_index: Some(index), .. }) => {
                self.key_using_index(table, definition, index, false)
            }
            ConstraintKind::Primary(Key { using_index: Some(index), .. }) => {
                self.key_using_index(table, definition, index, true)
            }
            ConstraintKind::Unique(_) | ConstraintKind::Primary(_) | ConstraintKind::Exclude { .. } => {
                self.primary_of_partitions(table, definition, only)?;
                let mut new = self.key_index(table, inline, definition)?;
                new.only = only;
                // ADD COLUMN … PRIMARY KEY has marked the new column; children that had one keep theirs.
                let columns = key_columns(&new.index);
                let by_rows = || columns.iter().any(|column| self.goes_by_rows(table, *column, only));
                if new.index.primary && (inline.is_none() || by_rows() || self.keeps_not_null_rows()) {
                    self.primary_columns_not_null(table, &columns, only)?;
                }
                self.define_index(new)?;
                Ok(())
            }
        }
    }

    fn add_check(
        &mut self,
        table: RelationId,
        name: Option<Ident>,
        definition: &ConstraintDefinition,
        expression: &Expression,
        only: bool,
        recursing: bool,
    ) -> Outcome {
        let columns = self.check_columns(table, expression)?;
        let name = name.unwrap_or_else(|| self.check_name(table, &columns, &[]));
        if self.constraint_name_used(table, &name)
            && self.merge_check(table, &name, definition, expression, recursing, false)?
        {
            return Ok(());
        }
        self.store_check(table, name.clone(), definition, expression, columns, !recursing, false)?;
        if definition.no_inherit {
            return Ok(());
        }
        let children = self.children_in_order(table);
        if only && !children.is_empty() {
            return Err(self.needs_children(table));
        }
        for child in children {
            self.add_check(child, Some(name.clone()), definition, expression, false, true)?;
        }
        Ok(())
    }

    pub(super) fn needs_children(&self, table: RelationId) -> Box<Failure> {
        let message = "constraint must be added to child tables too".to_owned();
        inherited("42P16", self.full(table), message)
    }

    /// Partitions or inheritance children as `find_inheritance_children` gives them: by age.
    pub(super) fn children_in_order(&self, table: RelationId) -> Vec<RelationId> {
        let mut children = self.schema.table(table).children.clone();
        children.sort();
        children
    }

    pub(super) fn no_constraint(&self, table: RelationId, name: &Ident) -> Box<Failure> {
        let gone = self.schema.gone_part(table, Part::Constraint, name).map(|gone| &gone.by);
        let message = format!("constraint {} of relation {} does not exist", quoted(name), quoted(&self.label(table)));
        because(missing("42704", format!("{}.{name}", self.full(table)), message), gone)
    }

    /// A constraint may be there that this history never showed.
    pub(super) fn may_have_constraint(&self, table: RelationId, name: &Ident) -> bool {
        self.is_open(table) && !self.schema.was_part(table, Part::Constraint, name)
    }

    pub(super) fn drop_constraint(
        &mut self,
        table: RelationId,
        name: &Ident,
        if_exists: bool,
        cascade: bool,
        only: bool,
    ) -> Outcome {
        let Some(id) = self.find_row(table, name).map(|row| row.id) else {
            if if_exists {
                let text = format!(
                    "constraint {} of relation {} does not exist, skipping",
                    quoted(name),
                    quoted(&self.label(table))
                );
                self.notice(format!("{}.{name}", self.full(table)), text);
                return Ok(());
            }
            if self.may_have_constraint(table, name) {
                let gone = self.gone(None);
                self.schema.gone_parts.insert((table, Part::Constraint, name.clone()), gone);
                return Ok(());
            }
            return Err(self.no_constraint(table, name));
        };
        self.drop_constraint_row(table, id, cascade, only, false)
    }

    pub(super) fn drop_constraint_row(
        &mut self,
        table: RelationId,
        id: ConstraintId,
        cascade: bool,
        only: bool,
        recursing: bool,
    ) -> Outcome {
        let Some(row) = self.schema.get_constraint(id).cloned() else { return Ok(()) };
        if row.inherited > 0 && !recursing {
            let message = format!(
                "cannot drop inherited constraint {} of relation {}",
                quoted(&row.name),
                quoted(&self.label(table))
            );
            return Err(inherited("42P16", format!("{}.{}", self.full(table), row.name), message));
        }
        let index = match row.kind {
            ConstraintRow::Primary { index } | ConstraintRow::Unique { index } | ConstraintRow::Exclude { index } => {
                self.as_index(index).and_then(|found| found.parent).map(|parent| (index, parent))
            }
            _ => None,
        };
        if let Some((index, parent)) = index {
            let message =
                format!("cannot drop index {} because index {} requires it", self.label(index), self.label(parent));
            return Err(inherited("2BP01", self.full(index), message));
        }
        let not_null = matches!(row.kind, ConstraintRow::NotNull);
        if not_null {
            for column in &row.columns {
                self.may_become_nullable(table, *column, "55000")?;
            }
        }
        self.delete_constraint(id, cascade)?;
        if not_null {
            for column in &row.columns {
                self.schema.edit_column(table, *column, |column| column.not_null = false);
            }
        }
        // Keys of partitions go with the parent's; only CHECK and NOT NULL are handed down by name.
        let by_name = not_null || matches!(row.kind, ConstraintRow::Check { .. });
        if row.no_inherit || !by_name && self.schema.relation(table).is_partitioned() {
            return Ok(());
        }
        let children = self.children_in_order(table);
        // A key that was once a partition's part of its parent's is still marked as handed down, which it never was:
        // measured on 12 to 18, a table with inheritance children cannot drop it.
        if let Some(child) = children.first().filter(|_| !by_name) {
            let (name, label) = (quoted(&row.name), quoted(&self.label(*child)));
            let message = format!("constraint {name} of relation {label} does not exist");
            return Err(refused("42704", self.full(table), message));
        }
        if only && !children.is_empty() && self.schema.relation(table).is_partitioned() && !self.since(18) {
            let message = "cannot remove constraint from only the partitioned table when partitions exist".to_owned();
            return Err(inherited("42P16", self.full(table), message));
        }
        for child in children {
            let Some(inner) = self.inherited_row(table, &row, child) else { continue };
            let Some((count, local)) = self.schema.get_constraint(inner).map(|row| (row.inherited, row.local)) else {
                continue;
            };
            if !only && count == 1 && !local {
                self.drop_constraint_row(child, inner, cascade, false, true)?;
            } else {
                if not_null {
                    // Without rows it is nullable.
                    self.schema.majors.ask_not_null_rows();
                }
                self.schema.edit_constraint(inner, |row| {
                    row.inherited = row.inherited.saturating_sub(1);
                    row.local |= only;
                });
            }
        }
        Ok(())
    }

    /// The child's constraint that comes from this one: NOT NULL by column, CHECK by name.
    pub(super) fn inherited_row(&self, table: RelationId, row: &Constraint, child: RelationId) -> Option<ConstraintId> {
        if matches!(row.kind, ConstraintRow::NotNull) {
            let column = self.map_column(table, *row.columns.first()?, child)?;
            return self.not_null_row(child, column).map(|row| row.id);
        }
        let found = self.schema.find_constraint(child, &row.name)?;
        matches!(found.kind, ConstraintRow::Check { .. }).then_some(found.id)
    }

    pub(super) fn validate_constraint(
        &mut self,
        table: RelationId,
        name: &Ident,
        only: bool,
        recursing: bool,
    ) -> Outcome {
        let Some(row) = self.find_row(table, name).cloned() else {
            if self.may_have_constraint(table, name) {
                return Ok(());
            }
            return Err(self.no_constraint(table, name));
        };
        let full = format!("{}.{name}", self.full(table));
        let fits = match row.kind {
            ConstraintRow::Check { .. } | ConstraintRow::Foreign(_) => true,
            ConstraintRow::NotNull => self.since(18),
            ConstraintRow::Primary { .. } | ConstraintRow::Unique { .. } | ConstraintRow::Exclude { .. } => false,
        };
        if !fits {
            let message = format!(
                "constraint {} of relation {} is not a foreign key or check constraint",
                quoted(name),
                quoted(&self.label(table))
            );
            return Err(refused("42809", full, message));
        }
        if !row.enforced {
            return Err(refused("55000", full, "cannot validate NOT ENFORCED constraint".to_owned()));
        }
        if row.validated {
            return Ok(());
        }
        if row.as_foreign().is_some() {
            self.validate_foreign(row.id);
            return Ok(());
        }
        if !row.no_inherit {
            let children = if recursing { Vec::new() } else { self.children_in_order(table) };
            if only && !children.is_empty() {
                let message = "constraint must be validated on child tables too".to_owned();
                return Err(inherited("42P16", full, message));
            }
            for child in self.descendants(table).into_iter().filter(|_| !recursing) {
                let Some(inner) = self.inherited_row(table, &row, child) else { continue };
                let name = self.schema.get_constraint(inner).map(|row| row.name.clone());
                if let Some(name) = name {
                    self.validate_constraint(child, &name, false, true)?;
                }
            }
        }
        self.mark_validated(row.id);
        Ok(())
    }

    pub(super) fn mark_validated(&mut self, id: ConstraintId) {
        let by = self.at.clone();
        self.schema.edit_constraint(id, |row| {
            if !row.validated {
                row.validated = true;
                row.validated_by = Some(by);
            }
        });
    }

    /// All partitions or inheritance children, at every level.
    pub(super) fn descendants(&self, table: RelationId) -> Vec<RelationId> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        let mut open = self.children_in_order(table);
        while let Some(next) = open.pop() {
            if !seen.insert(next) {
                continue;
            }
            found.push(next);
            open.extend(self.children_in_order(next));
        }
        found
    }

    pub(super) fn foreign_name(&self, table: RelationId, columns: &[ColumnId]) -> Ident {
        let names: Vec<Ident> = columns.iter().map(|column| self.schema.column_name(table, *column)).collect();
        let joined = addition(names.iter().map(Ident::as_str));
        let label = self.label(table);
        self.choose_constraint(&self.namespace(table), label.as_str(), Some(&joined), "fkey", &[])
    }
}
