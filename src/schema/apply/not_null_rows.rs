//! The rows of `pg_constraint` that 18 has for each NOT NULL: their names, and what tables hand down to their children.

use super::resolve::quoted;
use super::{Change, Outcome, duplicate, refused};
use crate::operation::Ident;
use crate::schema::{ColumnId, Constraint, ConstraintRow, RelationId};

#[derive(Clone)]
pub(super) struct NotNullWanted {
    pub name: Option<Ident>,
    pub no_inherit: bool,
    pub validated: bool,
}

impl Change<'_> {
    /// The NOT NULL row of a column (18), seen by all majors or not.
    pub(super) fn not_null_row(&self, table: RelationId, column: ColumnId) -> Option<&Constraint> {
        self.schema.not_null_of(table).find(|row| row.columns.first() == Some(&column))
    }

    pub(super) fn not_null_name(&self, table: RelationId, column: ColumnId, others: &[Ident]) -> Ident {
        self.choose_not_null(table, &self.schema.column_name(table, column), others)
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn store_not_null(
        &mut self,
        table: RelationId,
        column: ColumnId,
        name: Ident,
        inherited: u16,
        local: bool,
        no_inherit: bool,
        validated: bool,
    ) {
        self.schema.edit_column(table, column, |column| column.not_null = true);
        let mut row = self.constraint_row(table, name, ConstraintRow::NotNull);
        row.columns = vec![column];
        (row.inherited, row.local, row.no_inherit, row.validated) = (inherited, local, no_inherit, validated);
        self.add_constraint(row);
    }

    pub(super) fn create_not_null_rows(
        &mut self,
        id: RelationId,
        written: &[(ColumnId, Option<Ident>, bool)],
        parents: &[RelationId],
    ) -> Outcome {
        let mut above: Vec<(ColumnId, Ident)> = Vec::new();
        for parent in parents {
            for row in self.constraints_by_name(*parent) {
                let Some(row) = self.schema.get_constraint(row) else { continue };
                if !matches!(row.kind, ConstraintRow::NotNull) || row.no_inherit {
                    continue;
                }
                let column = row.columns.first().and_then(|column| self.map_column(*parent, *column, id));
                above.extend(column.map(|column| (column, row.name.clone())));
            }
        }
        let mut names: Vec<Ident> = written.iter().filter_map(|(_, name, _)| name.clone()).collect();
        for (column, name, no_inherit) in written {
            let inherited = above.iter().filter(|(one, _)| one == column).count() as u16;
            let name = match name {
                Some(name) if self.not_null_name_used(id, name) => return Err(self.constraint_exists(id, name)),
                Some(name) => name.clone(),
                None => self.not_null_name(id, *column, &names),
            };
            names.push(name.clone());
            self.store_not_null(id, *column, name, inherited, true, *no_inherit, true);
        }
        let done: Vec<ColumnId> = written.iter().map(|(column, _, _)| *column).collect();
        let columns: Vec<ColumnId> = self.schema.table(id).columns.iter().map(|column| column.id).collect();
        for column in columns.into_iter().filter(|column| !done.contains(column)) {
            let from: Vec<Ident> =
                above.iter().filter(|(one, _)| *one == column).map(|(_, name)| name.clone()).collect();
            let Some(first) = from.first() else { continue };
            let free = !names.contains(first) && !self.not_null_name_used(id, first);
            let name = if free { first.clone() } else { self.not_null_name(id, column, &names) };
            names.push(name.clone());
            self.store_not_null(id, column, name, from.len() as u16, false, false, true);
        }
        Ok(())
    }

    /// `ATExecSetNotNull` of 18.
    pub(super) fn set_not_null_row(
        &mut self,
        table: RelationId,
        column: ColumnId,
        name: Option<Ident>,
        only: bool,
        recursing: bool,
    ) -> Outcome {
        if let Some(row) = self.not_null_row(table, column) {
            let (id, no_inherit) = (row.id, row.no_inherit);
            if no_inherit && !only {
                return Err(self.not_null_status(table, id, "0A000"));
            }
            if recursing {
                self.schema.edit_constraint(id, |row| row.inherited += 1);
            } else if !row.local {
                self.schema.edit_constraint(id, |row| row.local = true);
            } else if !row.validated {
                let name = row.name.clone();
                return self.validate_constraint(table, &name, only, false);
            }
            return Ok(());
        }
        let children = self.children_in_order(table);
        let alone = only && !children.is_empty();
        if alone && self.schema.relation(table).is_partitioned() {
            return Err(self.needs_children(table));
        }
        let name = match name {
            Some(name) if self.not_null_name_used(table, &name) => return Err(self.constraint_exists(table, &name)),
            Some(name) => name,
            None => self.not_null_name(table, column, &[]),
        };
        self.store_not_null(table, column, name.clone(), u16::from(recursing), !recursing, alone, true);
        if !only {
            for child in children {
                if let Some(inner) = self.map_column(table, column, child) {
                    self.set_not_null_row(child, inner, Some(name.clone()), false, true)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn not_null_status(
        &self,
        table: RelationId,
        id: crate::schema::ConstraintId,
        state: &'static str,
    ) -> Box<crate::schema::Failure> {
        let name = self.schema.get_constraint(id).map_or_else(|| Ident::new("?"), |row| row.name.clone());
        let message = format!(
            "cannot change NO INHERIT status of NOT NULL constraint {} on relation {}",
            quoted(&name),
            quoted(&self.label(table))
        );
        refused(state, format!("{}.{name}", self.full(table)), message)
    }

    pub(super) fn add_not_null_row(
        &mut self,
        table: RelationId,
        column: ColumnId,
        wanted: NotNullWanted,
        only: bool,
        recursing: bool,
    ) -> Outcome {
        if let Some(row) = self.not_null_row(table, column) {
            let (id, validated) = (row.id, row.validated);
            if row.no_inherit != wanted.no_inherit {
                return Err(self.not_null_status(table, id, "55000"));
            }
            if !validated && wanted.validated {
                let message = format!(
                    "incompatible NOT VALID constraint {} on relation {}",
                    quoted(&row.name),
                    quoted(&self.label(table))
                );
                return Err(refused("55000", self.full(table), message));
            }
            // A second name for what is there already is refused; without a name it is a repetition.
            if let Some(name) = wanted.name.filter(|name| !recursing && *name != row.name) {
                let message = format!(
                    "cannot create not-null constraint {} on column {} of table {}",
                    quoted(&name),
                    quoted(&self.schema.column_name(table, column)),
                    quoted(&self.label(table))
                );
                return Err(duplicate("55000", self.full(table), message));
            }
            self.schema.edit_constraint(id, |row| {
                if recursing {
                    row.inherited += 1;
                } else {
                    row.local = true;
                }
            });
            return Ok(());
        }
        let name = match wanted.name.clone() {
            Some(name) if self.not_null_name_used(table, &name) => return Err(self.constraint_exists(table, &name)),
            Some(name) => name,
            None => self.not_null_name(table, column, &[]),
        };
        let local = !recursing;
        self.store_not_null(
            table,
            column,
            name.clone(),
            u16::from(recursing),
            local,
            wanted.no_inherit,
            wanted.validated,
        );
        if wanted.no_inherit {
            return Ok(());
        }
        let children = self.children_in_order(table);
        if only && !children.is_empty() {
            return Err(self.needs_children(table));
        }
        for child in children {
            if let Some(inner) = self.map_column(table, column, child) {
                let wanted = NotNullWanted { name: Some(name.clone()), ..wanted };
                self.add_not_null_row(child, inner, wanted, false, true)?;
            }
        }
        Ok(())
    }
}
