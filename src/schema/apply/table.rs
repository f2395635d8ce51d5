//! CREATE TABLE, in the order PostgreSQL works through it: columns, checks, keys, LIKE's parts, foreign keys.

use super::resolve::{Taken, quoted};
use super::{Change, Outcome, because, duplicate, refused};
use crate::operation::{
    ColumnDefinition, ConstraintDefinition, ConstraintKind, CreateTable, CreateTableAs, Ident, Like, LikePart, Name,
    OnCommit, Persistence, QualifiedName, TableForm, TypeName,
};
use crate::schema::{
    Column, ColumnId, ConstraintId, ConstraintRow, Existence, GeneratedColumn, IdentityKind, Partition, RelationId,
    RelationKind, Table, TableKind,
};

const SYSTEM_COLUMNS: &[&str] = &["tableoid", "cmax", "xmax", "cmin", "xmin", "ctid"];

/// A CHECK that a table gets from those above it: name, how many give it, whose it is.
struct Inherited {
    name: Ident,
    count: u16,
    from: ConstraintId,
}

impl Change<'_> {
    pub(super) fn create_table(&mut self, create: &CreateTable) -> Outcome {
        let name = self.place(&create.name, create.persistence == Persistence::Temporary)?;
        if create.if_not_exists && self.relation_exists(&name) {
            let text = format!("relation {} already exists, skipping", quoted(&name.name));
            self.notice(name.to_string(), text);
            return Ok(());
        }
        let mut table = Table::empty();
        table.persistence = create.persistence;
        table.drops_on_commit = create.on_commit == Some(OnCommit::Drop);
        table.kind = match (create.form_is_foreign(), &create.partition_by) {
            (true, _) => TableKind::Foreign,
            (false, Some(_)) => TableKind::Partitioned,
            (false, None) => TableKind::Plain,
        };
        for definition in &create.columns {
            self.one_source_of_values(definition)?;
        }
        self.one_written_primary_key(create)?;
        if create.persistence == Persistence::Unlogged && create.partition_by.is_some() && self.since(18) {
            return Err(refused("0A000", name.to_string(), "partitioned tables cannot be unlogged".to_owned()));
        }
        let parents = self.parents(create)?;
        let inherited = self.inherit_columns(&parents, &mut table, create.partition_of.is_some())?;
        for like in &create.likes {
            self.like_columns(like, &mut table)?;
        }
        self.own_columns(create, &mut table)?;
        self.written_keys_exist(create, &table)?;
        self.name_is_free(&name)?;
        if create.of_type.is_some() {
            table.columns_known = false;
        }
        match (&create.partition_of, parents.first()) {
            (Some(of), Some(parent)) => {
                table.partition_of =
                    Some(Partition { parent: *parent, bound: of.bound.clone(), detach_pending: false });
            }
            _ => table.inherits = parents.clone(),
        }
        let id = self.add_relation(name, RelationKind::Table(table), self.created());
        for parent in &parents {
            self.schema.edit_table(*parent, |parent| parent.children.push(id));
        }
        self.furnish(create, id, &parents, &inherited)
    }

    /// What follows once the table's row is there.
    fn furnish(
        &mut self,
        create: &CreateTable,
        id: RelationId,
        parents: &[RelationId],
        inherited: &[Inherited],
    ) -> Outcome {
        self.add_sequences(create, id)?;
        if let (Some(of), Some(parent)) = (&create.partition_of, parents.first()) {
            self.check_bound(*parent, id, &of.bound)?;
            self.partition_key(create, id)?;
            self.inherit_checks(id, inherited, true);
            self.create_not_null(create, id, parents)?;
            self.clone_to_partition(*parent, id)?;
        } else {
            self.partition_key(create, id)?;
            self.inherit_checks(id, inherited, false);
            self.create_not_null(create, id, parents)?;
        }
        self.own_checks(create, id)?;
        self.own_keys(create, id)?;
        for like in &create.likes {
            self.like_parts(like, id)?;
        }
        self.own_foreign_keys(create, id)
    }

    fn relation_exists(&mut self, name: &QualifiedName) -> bool {
        let Some(id) = self.schema.relation_names.get(name) else { return false };
        self.certain &= self.schema.relation(*id).existence.is_certain();
        true
    }

    /// No relation has the name (42P07), nor a type, for a table makes a row type of its name (42710).
    pub(super) fn name_is_free(&mut self, name: &QualifiedName) -> Outcome {
        if let Some(id) = self.schema.relation_names.get(name).copied() {
            self.certain &= self.schema.relation(id).existence.is_certain();
            let message = format!("relation {} already exists", quoted(&name.name));
            let by = self.schema.relation(id).existence.origin().clone();
            return Err(because(duplicate("42P07", name.to_string(), message), Some(&by)));
        }
        Ok(())
    }

    pub(super) fn row_type_is_free(&mut self, name: &QualifiedName) -> Outcome {
        self.name_is_free(name)?;
        if let Some(id) = self.schema.type_names.get(name) {
            let found = &self.schema.types[id];
            let by = found.existence.origin().clone();
            self.certain &= found.existence.is_certain();
            let message = format!("type {} already exists", quoted(&name.name));
            return Err(because(duplicate("42710", name.to_string(), message), Some(&by)));
        }
        Ok(())
    }

    fn parents(&mut self, create: &CreateTable) -> Outcome<Vec<RelationId>> {
        if let Some(of) = &create.partition_of {
            let parent = self.partitioned(&of.parent)?;
            return Ok(vec![parent]);
        }
        let mut parents = Vec::new();
        for name in &create.inherits {
            let parent = self.relation(name, Taken::Table)?;
            let label = quoted(&self.label(parent));
            let Some(table) = self.schema.relation(parent).as_table() else {
                let message = format!("inherited relation {label} is not a table or foreign table");
                return Err(refused("42809", name.to_string(), message));
            };
            if table.kind == TableKind::Partitioned {
                let message = format!("cannot inherit from partitioned table {label}");
                return Err(refused("42809", name.to_string(), message));
            }
            if table.partition_of.is_some() {
                return Err(refused("42809", name.to_string(), format!("cannot inherit from partition {label}")));
            }
            if parents.contains(&parent) {
                let message = format!("relation {label} would be inherited from more than once");
                return Err(refused("42P07", name.to_string(), message));
            }
            parents.push(parent);
        }
        Ok(parents)
    }

    /// A partitioned table by name; an assumed table turns out to be one.
    pub(super) fn partitioned(&mut self, name: &Name) -> Outcome<RelationId> {
        let id = self.relation(name, Taken::Partitioned)?;
        self.must_be_table(id)?;
        let relation = self.schema.relation(id);
        let assumed = matches!(relation.existence, Existence::Assumed { .. });
        if relation.is_partitioned() {
            return Ok(id);
        }
        if assumed {
            self.schema.edit_table(id, |table| table.kind = TableKind::Partitioned);
            return Ok(id);
        }
        Err(refused("42P17", self.full(id), format!("{} is not partitioned", quoted(&self.label(id)))))
    }

    /// The parents' columns, merged, and the CHECKs they hand down.
    fn inherit_columns(
        &mut self,
        parents: &[RelationId],
        table: &mut Table,
        partition: bool,
    ) -> Outcome<Vec<Inherited>> {
        let mut checks: Vec<Inherited> = Vec::new();
        for parent in parents {
            let columns = self.schema.table(*parent).columns.clone();
            table.columns_known &= self.schema.table(*parent).columns_known;
            for column in columns {
                let mut column = column;
                let own_row = self.not_null_row(*parent, column.id);
                column.not_null &= !own_row.is_some_and(|row| row.no_inherit);
                self.inherit_column(table, column, partition)?;
            }
            for id in self.schema.table(*parent).constraints.clone() {
                self.collect_check(&mut checks, id)?;
            }
        }
        Ok(checks)
    }

    fn inherit_column(&mut self, table: &mut Table, column: Column, partition: bool) -> Outcome {
        if let Some(own) = table.columns.iter_mut().find(|own| own.name == column.name) {
            if own.data_type != column.data_type {
                let message = format!("inherited column {} has a type conflict", quoted(&column.name));
                return Err(refused("42804", column.name.to_string(), message));
            }
            own.inherited += 1;
            own.not_null |= column.not_null;
            if own.default.is_none() {
                own.default = column.default;
            } else if column.default.is_some() && own.default != column.default {
                let message = format!("column {} inherits conflicting default values", quoted(&column.name));
                return Err(refused("42611", column.name.to_string(), message));
            }
            let text = format!("merging multiple inherited definitions of column {}", quoted(&column.name));
            self.notice(column.name.to_string(), text);
            return Ok(());
        }
        let keeps_identity = partition && column.identity.is_some() && self.since(17);
        table.push(Column {
            existence: self.created(),
            local: false,
            inherited: 1,
            sequence: None,
            more_sequences: Vec::new(),
            identity: column.identity.filter(|_| keeps_identity),
            ..column
        });
        Ok(())
    }

    fn collect_check(&mut self, checks: &mut Vec<Inherited>, id: ConstraintId) -> Outcome {
        let Some(constraint) = self.schema.get_constraint(id) else { return Ok(()) };
        let ConstraintRow::Check { expression } = &constraint.kind else { return Ok(()) };
        if constraint.no_inherit {
            return Ok(());
        }
        let known = checks.iter_mut().find(|known| known.name == constraint.name);
        let Some(known) = known else {
            checks.push(Inherited { name: constraint.name.clone(), count: 1, from: id });
            return Ok(());
        };
        let same = self.schema.get_constraint(known.from).is_some_and(|other| match &other.kind {
            ConstraintRow::Check { expression: other } => other == expression,
            _ => false,
        });
        if same {
            known.count += 1;
            return Ok(());
        }
        let name = constraint.name.clone();
        let message =
            format!("check constraint name {} appears multiple times but with different expressions", quoted(&name));
        Err(duplicate("42710", name.to_string(), message))
    }

    fn like_columns(&mut self, like: &Like, table: &mut Table) -> Outcome {
        let source = self.relation(&like.table, Taken::Table)?;
        let has = |part: LikePart| like.including.contains(&part);
        let relation = self.schema.relation(source);
        let Some(from) = relation.as_table() else {
            if let Some(view) = relation.as_view() {
                let (columns, known) = (view.columns.clone(), view.columns_known);
                table.columns_known &= known;
                for name in columns {
                    let column = self.new_column(&name, None, self.created());
                    table.push(column);
                }
            }
            return Ok(());
        };
        table.columns_known &= from.columns_known;
        for column in from.columns.clone() {
            self.column_is_new(table, &column.name)?;
            let generated = column.generated.clone().filter(|_| has(LikePart::Generated));
            table.push(Column {
                existence: self.created(),
                default: column.default.clone().filter(|_| has(LikePart::Defaults)),
                generated,
                identity: column.identity.filter(|_| has(LikePart::Identity)),
                sequence: None,
                more_sequences: Vec::new(),
                local: true,
                inherited: 0,
                ..column
            });
        }
        Ok(())
    }

    fn column_is_new(&self, table: &Table, name: &Ident) -> Outcome {
        if table.columns.iter().any(|column| column.name == *name && column.local) {
            let message = format!("column {} specified more than once", quoted(name));
            return Err(duplicate("42701", name.to_string(), message));
        }
        self.not_a_system_column(name)
    }

    pub(super) fn not_a_system_column(&self, name: &Ident) -> Outcome {
        if SYSTEM_COLUMNS.contains(&name.as_str()) {
            let message = format!("column name {} conflicts with a system column name", quoted(name));
            return Err(duplicate("42701", name.to_string(), message));
        }
        Ok(())
    }

    fn own_columns(&mut self, create: &CreateTable, table: &mut Table) -> Outcome {
        for definition in &create.columns {
            self.column_is_new(table, &definition.name)?;
            if let Some(default) = &definition.default {
                self.sequence_exists(default)?;
            }
            if let Some(data_type) = &definition.data_type {
                self.require_type(data_type)?;
            }
            let merged = table.columns.iter_mut().find(|column| column.name == definition.name);
            if let Some(column) = merged {
                let partition = create.partition_of.is_some();
                if !partition {
                    let written = definition.data_type.as_ref().map(|written| self.kept_type(written));
                    if column.data_type != written && written.is_some() {
                        let message = format!("column {} has a type conflict", quoted(&definition.name));
                        return Err(refused("42804", definition.name.to_string(), message));
                    }
                    column.local = true;
                }
                column.not_null |= definition.not_null.is_some() || definition.identity.is_some();
                if definition.default.is_some() {
                    column.default = self.stored_default(definition.data_type.as_ref(), definition.default.as_ref());
                }
                if !partition {
                    let text = format!("merging column {} with inherited definition", quoted(&definition.name));
                    self.notice(definition.name.to_string(), text);
                }
                continue;
            }
            if create.partition_of.is_some() {
                let message = format!("column {} does not exist", quoted(&definition.name));
                return Err(super::missing("42703", definition.name.to_string(), message));
            }
            let column = self.column_from(definition);
            table.push(column);
        }
        Ok(())
    }

    /// A default, an identity and a generation expression exclude each other.
    pub(super) fn one_source_of_values(&self, definition: &ColumnDefinition) -> Outcome {
        if definition.default.is_some() && definition.serial {
            let message = format!("multiple default values specified for column {}", quoted(&definition.name));
            return Err(refused("42601", definition.name.to_string(), message));
        }
        let default = definition.default.is_some() || definition.serial;
        let both = match (default, definition.identity.is_some(), definition.generated.is_some()) {
            (true, true, _) => "both default and identity",
            (true, _, true) => "both default and generation expression",
            (_, true, true) => "both identity and generation expression",
            (_, true, _) => return self.identity_type(&definition.name, definition.data_type.as_ref()),
            _ => return Ok(()),
        };
        let message = format!("{both} specified for column {}", quoted(&definition.name));
        Err(refused("42601", definition.name.to_string(), message))
    }

    pub(super) fn identity_type(&self, column: &Ident, data_type: Option<&TypeName>) -> Outcome {
        let wrong = data_type.is_some_and(|one| {
            one.built_in && (one.array || !matches!(one.name.name.as_str(), "smallint" | "integer" | "bigint"))
        });
        if !wrong {
            return Ok(());
        }
        let message = "identity column type must be smallint, integer, or bigint".to_owned();
        Err(refused("22023", column.to_string(), message))
    }

    /// The columns of written keys are looked up before the table is made.
    fn written_keys_exist(&self, create: &CreateTable, table: &Table) -> Outcome {
        if !table.columns_known {
            return Ok(());
        }
        for definition in &create.constraints {
            let (ConstraintKind::Primary(key) | ConstraintKind::Unique(key)) = &definition.kind else { continue };
            if let Some(name) = key.columns.iter().find(|name| table.column(name).is_none()) {
                let message = format!("column {} named in key does not exist", quoted(name));
                return Err(super::missing("42703", name.to_string(), message));
            }
        }
        Ok(())
    }

    pub(super) fn column_from(&self, definition: &ColumnDefinition) -> Column {
        let mut column = self.new_column(
            &definition.name,
            definition.data_type.as_ref().map(|written| self.kept_type(written)),
            self.created(),
        );
        column.collation = definition.collation.clone();
        let primary = definition.constraints.iter().any(|one| matches!(one.kind, ConstraintKind::Primary(_)));
        // Before 18 a key's columns are marked where the key is made; the flag is the same.
        column.not_null = definition.not_null.is_some()
            || definition.serial
            || definition.identity.is_some()
            || primary && !self.has_not_null_rows();
        column.default = self.stored_default(definition.data_type.as_ref(), definition.default.as_ref());
        column.identity = definition
            .identity
            .as_ref()
            .map(|identity| if identity.always { IdentityKind::Always } else { IdentityKind::ByDefault });
        column.generated = definition
            .generated
            .as_ref()
            .map(|generated| GeneratedColumn { expression: generated.expression.clone(), stored: generated.stored });
        column
    }

    fn add_sequences(&mut self, create: &CreateTable, id: RelationId) -> Outcome {
        for definition in &create.columns {
            self.serial(id, definition)?;
        }
        let likes: Vec<ColumnId> = self
            .schema
            .table(id)
            .columns
            .iter()
            .filter(|column| column.identity.is_some() && column.sequence.is_none() && column.local)
            .map(|column| column.id)
            .collect();
        for column in likes {
            self.own_sequence(id, column, None, true)?;
        }
        Ok(())
    }

    /// The sequence of a serial or identity column.
    pub(super) fn serial(&mut self, table: RelationId, definition: &ColumnDefinition) -> Outcome {
        let name = definition.identity.as_ref().and_then(|identity| identity.options.name.as_ref());
        if !definition.serial && definition.identity.is_none() {
            return Ok(());
        }
        let Some(column) = self.schema.table(table).column(&definition.name).map(|column| column.id) else {
            return Ok(());
        };
        self.own_sequence(table, column, name, definition.identity.is_some())
    }

    fn inherit_checks(&mut self, id: RelationId, inherited: &[Inherited], partition: bool) {
        for check in inherited {
            let Some(source) = self.schema.get_constraint(check.from).cloned() else { continue };
            let mut row = self.constraint_row(id, check.name.clone(), source.kind.clone());
            row.columns = self.map_columns(source.table, &source.columns, id);
            row.local = false;
            row.inherited = if partition { 1 } else { check.count };
            // A new table has no rows, so what it inherits is valid (18: also where the parent's is not enforced).
            row.validated = source.enforced;
            row.enforced = source.enforced;
            self.add_constraint(row);
        }
    }

    fn own_checks(&mut self, create: &CreateTable, id: RelationId) -> Outcome {
        let mut others = Vec::new();
        let inline = create.columns.iter().flat_map(|column| &column.constraints);
        for definition in inline.chain(&create.constraints) {
            if let ConstraintKind::Check(expression) = &definition.kind {
                self.create_check(id, definition, expression, &mut others)?;
            }
        }
        Ok(())
    }

    fn one_written_primary_key(&self, create: &CreateTable) -> Outcome {
        let inline = create.columns.iter().flat_map(|column| &column.constraints);
        let keys = inline.chain(&create.constraints).filter(|one| matches!(one.kind, ConstraintKind::Primary(_)));
        if keys.count() < 2 {
            return Ok(());
        }
        let message = format!("multiple primary keys for table {} are not allowed", quoted(&create.name.name));
        Err(refused("42P16", create.name.to_string(), message))
    }

    fn own_keys(&mut self, create: &CreateTable, id: RelationId) -> Outcome {
        let inline = create
            .columns
            .iter()
            .flat_map(|column| column.constraints.iter().map(move |one| (Some(&column.name), one)));
        let all: Vec<(Option<&Ident>, &ConstraintDefinition)> =
            inline.chain(create.constraints.iter().map(|one| (None, one))).collect();
        self.create_keys(id, &all)
    }

    fn own_foreign_keys(&mut self, create: &CreateTable, id: RelationId) -> Outcome {
        for column in &create.columns {
            for definition in &column.constraints {
                if let ConstraintKind::Foreign(key) = &definition.kind {
                    self.add_foreign_key(id, definition, key, Some(&column.name), false, true)?;
                }
            }
        }
        for definition in &create.constraints {
            if let ConstraintKind::Foreign(key) = &definition.kind {
                self.add_foreign_key(id, definition, key, None, false, true)?;
            }
        }
        Ok(())
    }

    /// The same columns of another table, by name.
    pub(super) fn map_columns(&self, from: RelationId, columns: &[ColumnId], to: RelationId) -> Vec<ColumnId> {
        columns.iter().filter_map(|column| self.map_column(from, *column, to)).collect()
    }

    pub(super) fn map_column(&self, from: RelationId, column: ColumnId, to: RelationId) -> Option<ColumnId> {
        let name = &self.schema.table(from).column_by_id(column)?.name;
        self.schema.table(to).column(name).map(|column| column.id)
    }

    /// LIKE's CHECKs and indexes, made once the table's own are there (`expandTableLikeClause`).
    fn like_parts(&mut self, like: &Like, id: RelationId) -> Outcome {
        let Some(source) = self.find(&like.table) else { return Ok(()) };
        if self.schema.relation(source).as_table().is_none() {
            return Ok(());
        }
        let has = |part: LikePart| like.including.contains(&part);
        if has(LikePart::Constraints) {
            for check in self.constraints_by_name(source) {
                let Some(row) = self.schema.get_constraint(check).cloned() else { continue };
                if !matches!(row.kind, ConstraintRow::Check { .. }) {
                    continue;
                }
                if self.constraint_name_used(id, &row.name) {
                    let message = format!(
                        "constraint {} for relation {} already exists",
                        quoted(&row.name),
                        quoted(&self.label(id))
                    );
                    return Err(duplicate("42710", row.name.to_string(), message));
                }
                let mut copy = self.constraint_row(id, row.name.clone(), row.kind.clone());
                copy.columns = self.map_columns(source, &row.columns, id);
                copy.no_inherit = row.no_inherit;
                copy.enforced = row.enforced;
                copy.validated = row.enforced;
                self.add_constraint(copy);
            }
        }
        if has(LikePart::Indexes) {
            for index in self.indexes_in_order(source) {
                self.copy_index(index, id, None)?;
            }
        }
        Ok(())
    }

    /// A table's constraints as `pg_constraint_conrelid_contypid_conname_index` gives them.
    pub(super) fn constraints_by_name(&self, table: RelationId) -> Vec<ConstraintId> {
        let own = self.schema.table(table);
        let mut found: Vec<_> = own.constraints.iter().chain(&own.not_null).copied().collect();
        found.sort_by_key(|id| self.schema.get_constraint(*id).map(|one| one.name.clone()));
        found
    }

    pub(super) fn create_table_as(&mut self, create: &CreateTableAs) -> Outcome {
        let name = self.place(&create.name, create.persistence == Persistence::Temporary)?;
        if create.if_not_exists && self.relation_exists(&name) {
            let text = format!("relation {} already exists, skipping", quoted(&name.name));
            self.notice(name.to_string(), text);
            return Ok(());
        }
        let result = self.result_columns(&create.query)?;
        self.row_type_is_free(&name)?;
        if result.known && create.columns.len() > result.columns.len() {
            return Err(refused("42601", name.to_string(), "too many column names were specified".to_owned()));
        }
        let mut table = Table::empty();
        table.persistence = create.persistence;
        table.drops_on_commit = create.on_commit == Some(OnCommit::Drop);
        table.columns_known = result.known;
        let mut seen: Vec<Ident> = Vec::new();
        for (at, (own, data_type)) in result.columns.iter().enumerate() {
            let name = create.columns.get(at).unwrap_or(own);
            if result.known && seen.contains(name) {
                let message = format!("column {} specified more than once", quoted(name));
                return Err(duplicate("42701", name.to_string(), message));
            }
            seen.push(name.clone());
            let column = self.new_column(name, data_type.clone(), self.created());
            table.push(column);
        }
        self.add_relation(name, RelationKind::Table(table), self.created());
        Ok(())
    }
}

impl CreateTable {
    fn form_is_foreign(&self) -> bool {
        self.kind == TableForm::Foreign
    }
}
