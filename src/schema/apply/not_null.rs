//! NOT NULL: a flag of the column before PostgreSQL 18, a constraint of its own from then on.

use super::not_null_rows::NotNullWanted;
use super::resolve::quoted;
use super::{Change, Outcome, inherited, refused};
use crate::operation::{ConstraintDefinition, ConstraintKind, CreateTable, Ident, NotNull};
use crate::schema::{Column, ColumnId, IndexKey, RelationId, TableKind};

impl Change<'_> {
    /// What came of the rows: where they refuse what flags allow, majors part.
    fn by_rows(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Err(_) if !self.has_not_null_rows() => _ = self.schema.majors.ask_not_null_rows(),
            other => return other,
        }
        Ok(())
    }

    /// Marks columns of one table alone, with rows of their own on 18.
    pub(super) fn columns_not_null(&mut self, table: RelationId, columns: &[ColumnId]) -> Outcome {
        for column in columns {
            self.schema.edit_column(table, *column, |column| column.not_null = true);
            if self.keeps_not_null_rows() && self.not_null_row(table, *column).is_none() {
                let name = self.not_null_name(table, *column, &[]);
                self.store_not_null(table, *column, name, 0, true, false, true);
            }
        }
        Ok(())
    }

    /// All NOT NULL of a new table: written, of its primary key, of LIKE, of its parents
    /// (`AddRelationNotNullConstraints`).
    pub(super) fn create_not_null(&mut self, create: &CreateTable, id: RelationId, parents: &[RelationId]) -> Outcome {
        let written = self.written_not_null(create, id)?;
        // What a partition says itself is its own, beside what its parent gives.
        let is_own = create.partition_of.is_some() && !written.is_empty();
        if is_own || written.iter().any(|(_, _, no_inherit)| *no_inherit) {
            self.schema.majors.ask_not_null_rows();
        }
        if !self.has_not_null_rows() {
            for (column, _, _) in &written {
                self.schema.edit_column(id, *column, |column| column.not_null = true);
            }
        }
        if !self.keeps_not_null_rows() {
            return Ok(());
        }
        let made = self.create_not_null_rows(id, &written, parents);
        self.by_rows(made)
    }

    /// What the statement itself asks for: column, name, NO INHERIT; each column once.
    fn written_not_null(
        &mut self,
        create: &CreateTable,
        id: RelationId,
    ) -> Outcome<Vec<(ColumnId, Option<Ident>, bool)>> {
        let mut found: Vec<(ColumnId, Option<Ident>, bool)> = Vec::new();
        for like in &create.likes {
            let Some(source) = self.find(&like.table) else { continue };
            let columns = self.schema.table(source).columns.clone();
            for column in columns.iter().filter(|column| column.not_null) {
                let Some(own) = self.map_column(source, column.id, id) else { continue };
                let row = self.not_null_row(source, column.id);
                let row = row.map(|row| (row.name.clone(), row.no_inherit));
                found.push((own, row.clone().map(|(name, _)| name), row.is_some_and(|(_, no)| no)));
            }
        }
        let mut add = |column: Option<ColumnId>, name: Option<Ident>, no_inherit: bool| {
            let Some(column) = column else { return };
            match found.iter_mut().find(|(one, _, _)| *one == column) {
                Some((_, known, _)) => *known = known.take().or(name),
                None => found.push((column, name, no_inherit)),
            }
        };
        let table = self.schema.table(id);
        let by_name = |name: &Ident| table.column(name).map(|column| column.id);
        for definition in &create.columns {
            if let Some(written) = &definition.not_null {
                add(by_name(&definition.name), written.name.clone(), written.no_inherit);
            } else if definition.serial || definition.identity.is_some() {
                add(by_name(&definition.name), None, false);
            }
        }
        for definition in &create.constraints {
            if let ConstraintKind::NotNull(column) = &definition.kind {
                add(by_name(column), definition.name.clone(), definition.no_inherit);
            }
        }
        for definition in &create.columns {
            if definition.constraints.iter().any(|one| matches!(one.kind, ConstraintKind::Primary(_))) {
                add(by_name(&definition.name), None, false);
            }
        }
        for definition in &create.constraints {
            if let ConstraintKind::Primary(key) = &definition.kind {
                key.columns.iter().for_each(|column| add(by_name(column), None, false));
            }
        }
        Ok(found)
    }

    /// NOT NULL is set and dropped by rows: they know what a child has from its parent, and what is its own. Where no
    /// child has both, it comes to the same without them; else majors part.
    pub(super) fn goes_by_rows(&self, table: RelationId, column: ColumnId, only: bool) -> bool {
        if self.has_not_null_rows() {
            return true;
        }
        let found = self.schema.table(table);
        let name = self.schema.column_name(table, column);
        let is_marked = |table: RelationId| self.schema.table(table).column(&name).map(|column| column.not_null);
        let own = is_marked(table);
        let from_above = found.partition_of.as_ref().is_some_and(|above| is_marked(above.parent) != Some(false));
        let alike = found.children.is_empty()
            || found.kind == TableKind::Partitioned
                && !only
                && self.schema.partitions(table).into_iter().all(|partition| is_marked(partition) == own);
        let is_same = found.inherits.is_empty() && !from_above && alike;
        !is_same && self.schema.majors.ask_not_null_rows()
    }

    /// ALTER COLUMN … SET NOT NULL.
    pub(super) fn set_not_null(&mut self, table: RelationId, name: &Ident, only: bool) -> Outcome {
        let column = self.column(table, name)?;
        if self.goes_by_rows(table, column, only) {
            return self.set_not_null_row(table, column, None, only, false);
        }
        self.set_not_null_flag(table, column, only)?;
        if !self.keeps_not_null_rows() {
            return Ok(());
        }
        let set = self.set_not_null_row(table, column, None, only, false);
        self.by_rows(set)
    }

    fn set_not_null_flag(&mut self, table: RelationId, column: ColumnId, only: bool) -> Outcome {
        let partitioned = self.schema.relation(table).is_partitioned();
        let already = self.schema.table(table).column_by_id(column).is_some_and(|column| column.not_null);
        if partitioned && already {
            return Ok(());
        }
        for child in self.children_in_order(table) {
            let Some(inner) = self.map_column(table, column, child) else { continue };
            if !only {
                self.set_not_null_flag(child, inner, false)?;
            } else if partitioned && !self.schema.table(child).column_by_id(inner).is_some_and(|one| one.not_null) {
                return Err(self.needs_children(table));
            }
        }
        self.schema.edit_column(table, column, |column| column.not_null = true);
        Ok(())
    }

    /// ADD CONSTRAINT … NOT NULL (18).
    pub(super) fn add_not_null(
        &mut self,
        table: RelationId,
        column: ColumnId,
        definition: &ConstraintDefinition,
        only: bool,
    ) -> Outcome {
        if !self.goes_by_rows(table, column, only) {
            let already = self.schema.table(table).column_by_id(column).is_some_and(|column| column.not_null);
            if definition.not_valid || definition.no_inherit || already {
                self.schema.majors.ask_not_null_rows();
            }
            self.set_not_null_flag(table, column, only)?;
            if !self.keeps_not_null_rows() {
                return Ok(());
            }
        }
        let wanted = NotNullWanted {
            name: definition.name.clone(),
            no_inherit: definition.no_inherit,
            validated: !definition.not_valid,
        };
        let added = self.add_not_null_row(table, column, wanted, only, false);
        self.by_rows(added)
    }

    /// The row of a column that ADD COLUMN has marked.
    pub(super) fn new_column_not_null(
        &mut self,
        table: RelationId,
        column: ColumnId,
        written: Option<&NotNull>,
    ) -> Outcome {
        let no_inherit = written.is_some_and(|one| one.no_inherit);
        if no_inherit {
            self.schema.majors.ask_not_null_rows();
        }
        if !self.keeps_not_null_rows() {
            return Ok(());
        }
        let name = written.and_then(|one| one.name.clone());
        let added =
            self.add_not_null_row(table, column, NotNullWanted { name, no_inherit, validated: true }, false, false);
        self.by_rows(added)
    }

    /// 18 looks at the partitions' NOT NULL before anything else of an ADD PRIMARY KEY.
    pub(super) fn primary_of_partitions(
        &self,
        table: RelationId,
        definition: &ConstraintDefinition,
        only: bool,
    ) -> Outcome {
        let ConstraintKind::Primary(key) = &definition.kind else { return Ok(()) };
        if !only {
            return Ok(());
        }
        for name in &key.columns {
            let own = self.schema.table(table).column(name);
            let has_row = |column: &Column| match self.has_not_null_rows() {
                true => self.not_null_row(table, column.id).is_some(),
                false => column.not_null,
            };
            if own.is_some_and(has_row) {
                continue;
            }
            if !self.since(18) {
                return Ok(());
            }
            for child in self.children_in_order(table) {
                let inner = self.schema.table(child).column(name).map(|column| column.id);
                if inner.is_some_and(|inner| self.not_null_row(child, inner).is_none()) {
                    let (name, label) = (quoted(name), quoted(&self.label(child)));
                    let message = format!("column {name} of table {label} is not marked NOT NULL");
                    return Err(refused("XX000", self.full(child), message));
                }
            }
        }
        Ok(())
    }

    /// ADD PRIMARY KEY marks its columns, partitions and children included.
    pub(super) fn primary_columns_not_null(&mut self, table: RelationId, columns: &[ColumnId], only: bool) -> Outcome {
        for column in columns {
            let own = self.schema.table(table);
            let already = own.column_by_id(*column).is_some_and(|column| column.not_null);
            // Partitions are so too; children of old may not be.
            let alike = own.children.is_empty() || own.kind == TableKind::Partitioned;
            let is_marked = already && alike && !self.has_not_null_rows();
            if !is_marked && !self.goes_by_rows(table, *column, only) {
                self.set_not_null_flag(table, *column, only)?;
            }
            if !self.keeps_not_null_rows() {
                continue;
            }
            if let Some(row) = self.not_null_row(table, *column) {
                if row.no_inherit || !row.validated {
                    let message = format!(
                        "cannot create primary key on column {}",
                        quoted(&self.schema.column_name(table, *column))
                    );
                    self.by_rows(Err(refused("55000", self.full(table), message)))?;
                }
                continue;
            }
            let wanted = NotNullWanted { name: None, no_inherit: false, validated: true };
            let added = self.add_not_null_row(table, *column, wanted, false, false);
            self.by_rows(added)?;
        }
        Ok(())
    }

    /// A column of a primary key or an identity column stays NOT NULL.
    pub(super) fn may_become_nullable(&self, table: RelationId, column: ColumnId, identity: &'static str) -> Outcome {
        let label = quoted(&self.label(table));
        let Some(found) = self.schema.table(table).column_by_id(column) else { return Ok(()) };
        let name = quoted(&found.name);
        let is_identity = || {
            let message = format!("column {name} of relation {label} is an identity column");
            Err(refused(identity, self.full(table), message))
        };
        // DROP NOT NULL looks at the identity first, DROP CONSTRAINT (18) last.
        if found.identity.is_some() && identity == "42601" {
            return is_identity();
        }
        for index in self.indexes_in_order(table) {
            let Some(index) = self.as_index(index) else { continue };
            let holds = index.parts.iter().any(|part| matches!(&part.key, IndexKey::Column(one) if *one == column));
            if holds && index.primary {
                return Err(refused("42P16", self.full(table), format!("column {name} is in a primary key")));
            }
            if holds && index.replica_identity {
                let message = format!("column {name} is in index used as replica identity");
                return Err(refused("42P16", self.full(table), message));
            }
        }
        if found.identity.is_some() { is_identity() } else { Ok(()) }
    }

    /// ALTER COLUMN … DROP NOT NULL.
    pub(super) fn drop_not_null(&mut self, table: RelationId, name: &Ident, only: bool) -> Outcome {
        let column = self.column(table, name)?;
        let children = self.children_in_order(table);
        if !self.goes_by_rows(table, column, only) {
            if only && self.schema.relation(table).is_partitioned() && !children.is_empty() {
                let message =
                    "cannot remove constraint from only the partitioned table when partitions exist".to_owned();
                return Err(refused("42P16", self.full(table), message));
            }
            self.drop_not_null_flag(table, column, only)?;
            let Some(row) = self.not_null_row(table, column).map(|row| row.id) else { return Ok(()) };
            let dropped = self.drop_constraint_row(table, row, false, only, false);
            return self.by_rows(dropped);
        }
        self.may_become_nullable(table, column, "42601")?;
        let Some(row) = self.not_null_row(table, column).map(|row| row.id) else {
            self.schema.edit_column(table, column, |column| column.not_null = false);
            return Ok(());
        };
        self.drop_constraint_row(table, row, false, only, false)
    }

    fn drop_not_null_flag(&mut self, table: RelationId, column: ColumnId, only: bool) -> Outcome {
        self.may_become_nullable(table, column, "42601")?;
        if let Some(partition) = &self.schema.table(table).partition_of {
            let name = self.schema.column_name(table, column);
            let above = self.schema.table(partition.parent).column(&name);
            if above.is_some_and(|above| above.not_null) {
                let message = format!("column {} is marked NOT NULL in parent table", quoted(&name));
                return Err(inherited("42P16", self.full(table), message));
            }
        }
        self.schema.edit_column(table, column, |column| column.not_null = false);
        if only {
            return Ok(());
        }
        for child in self.children_in_order(table) {
            if let Some(inner) = self.map_column(table, column, child) {
                self.drop_not_null_flag(child, inner, false)?;
            }
        }
        Ok(())
    }
}
