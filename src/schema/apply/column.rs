//! ADD, DROP and ALTER COLUMN, with children.

use super::resolve::quoted;
use super::{Change, Outcome, because, duplicate, failure, inherited, refused};
use crate::operation::{ColumnDefinition, Constant, Expr, Expression, Ident, KeyPart, Name, NotNull, Rename, TypeName};
use crate::schema::{
    ColumnId, ConstraintRow, Existence, FailureKind, IndexKey, Part, Relation, RelationId, RelationKind, TypeKind,
};

/// What ALTER COLUMN … TYPE asks for.
#[derive(Clone, Copy)]
pub(super) struct TypeChange<'a> {
    pub data_type: &'a TypeName,
    pub collation: Option<&'a Name>,
    pub using: Option<&'a Expression>,
}

impl Change<'_> {
    /// Whether the column was added; IF NOT EXISTS leaves the one that is there.
    pub(super) fn add_column(
        &mut self,
        table: RelationId,
        definition: &ColumnDefinition,
        if_not_exists: bool,
        only: bool,
        recursing: bool,
    ) -> Outcome<bool> {
        if self.is_partition(table) && !recursing {
            return Err(refused("42809", self.full(table), "cannot add column to a partition".to_owned()));
        }
        let identity_recurses = definition.identity.is_some() && !recursing && !only;
        // 12 asks this before it looks whether the column exists (measured on 12.22).
        if identity_recurses && !self.since(13) && !self.children_in_order(table).is_empty() {
            return Err(self.identity_cannot_recurse(table));
        }
        if let Some(own) = self.schema.table(table).column(&definition.name).cloned() {
            if recursing {
                return self.merge_added(table, definition, &own);
            }
            let text = format!(
                "column {} of relation {} already exists",
                quoted(&definition.name),
                quoted(&self.label(table))
            );
            self.certain &= own.existence.is_certain();
            if if_not_exists {
                self.notice(format!("{}.{}", self.full(table), definition.name), format!("{text}, skipping"));
                return Ok(false);
            }
            let object = format!("{}.{}", self.full(table), definition.name);
            return Err(because(duplicate("42701", object, text), Some(own.existence.origin())));
        }
        self.not_a_system_column(&definition.name)?;
        self.one_source_of_values(definition)?;
        if let Some(default) = &definition.default {
            self.sequence_exists(default)?;
        }
        if let Some(data_type) = &definition.data_type {
            self.require_type(data_type)?;
        }
        let children = self.children_in_order(table);
        if only && !children.is_empty() {
            let message = "column must be added to child tables too".to_owned();
            return Err(inherited("42P16", self.full(table), message));
        }
        let mut column = self.column_from(definition);
        if recursing {
            (column.local, column.inherited) = (false, 1);
            let partition = self.is_partition(table);
            column.identity = column.identity.filter(|_| partition && self.since(17));
            // NOT NULL of a key or of 18 comes with its own step.
        } else if definition.identity.is_some()
            && !children.is_empty()
            && !(self.schema.relation(table).is_partitioned() && self.since(17))
        {
            return Err(self.identity_cannot_recurse(table));
        }
        let not_null = column.not_null;
        column.not_null = not_null && !self.has_not_null_rows();
        let name = definition.name.clone();
        self.schema.gone_parts.remove(&(table, Part::Column, name));
        let mut id = ColumnId(0);
        self.schema.edit_table(table, |table| id = table.push(column));
        if !recursing {
            self.serial(table, definition)?;
        }
        let default = self.schema.table(table).column_by_id(id).and_then(|column| column.default.clone());
        // A serial's children share its sequence through the default; each is NOT NULL as it is.
        let written = NotNull { name: None, no_inherit: false, span: definition.span };
        let marked = not_null.then_some(written).or(definition.not_null.clone());
        let inherited = ColumnDefinition { default, serial: false, not_null: marked, ..definition.clone() };
        for child in children {
            self.add_column(child, &inherited, false, false, true)?;
        }
        // That of a key comes with the key.
        let marked = definition.not_null.is_some() || definition.serial || definition.identity.is_some();
        if !recursing && marked {
            self.new_column_not_null(table, id, definition.not_null.as_ref())?;
        }
        Ok(true)
    }

    /// A child that has the column already shares it from now on.
    fn merge_added(
        &mut self,
        table: RelationId,
        definition: &ColumnDefinition,
        own: &crate::schema::Column,
    ) -> Outcome<bool> {
        let written = definition.data_type.as_ref().map(|written| self.kept_type(written));
        if own.data_type.is_some() && own.data_type != written {
            let message = format!(
                "child table {} has different type for column {}",
                quoted(&self.label(table)),
                quoted(&definition.name)
            );
            return Err(refused("42804", self.full(table), message));
        }
        self.schema.edit_column(table, own.id, |column| column.inherited += 1);
        let text = format!(
            "merging definition of column {} for child {}",
            quoted(&definition.name),
            quoted(&self.label(table))
        );
        self.notice(self.full(table), text);
        Ok(false)
    }

    pub(super) fn drop_column(
        &mut self,
        table: RelationId,
        name: &Ident,
        if_exists: bool,
        cascade: bool,
        only: bool,
    ) -> Outcome {
        let open = !self.schema.table(table).columns_known;
        let key = (table, Part::Column, name.clone());
        if self.schema.table(table).column(name).is_none() && if_exists {
            let text =
                format!("column {} of relation {} does not exist, skipping", quoted(name), quoted(&self.label(table)));
            self.notice(format!("{}.{name}", self.full(table)), text);
            if open {
                let gone = self.gone(None);
                self.schema.gone_parts.insert(key, gone);
            }
            return Ok(());
        }
        let column = self.column(table, name)?;
        let mut doomed = Vec::new();
        self.collect_column(table, column, only, false, &mut doomed)?;
        self.delete_columns(&doomed, cascade)
    }

    /// The column on this table and on the children that have it from here alone.
    fn collect_column(
        &mut self,
        table: RelationId,
        column: ColumnId,
        only: bool,
        recursing: bool,
        doomed: &mut Vec<(RelationId, ColumnId)>,
    ) -> Outcome {
        let Some(own) = self.schema.table(table).column_by_id(column).cloned() else { return Ok(()) };
        if own.inherited > 0 && !recursing {
            let message = format!("cannot drop inherited column {}", quoted(&own.name));
            return Err(inherited("42P16", format!("{}.{}", self.full(table), own.name), message));
        }
        self.not_in_partition_key(table, &own.name, "drop")?;
        let children = self.children_in_order(table);
        if only && !children.is_empty() && self.schema.relation(table).is_partitioned() {
            let message = "cannot drop column from only the partitioned table when partitions exist".to_owned();
            return Err(inherited("42P16", self.full(table), message));
        }
        for child in children {
            let Some(inner) = self.schema.table(child).column(&own.name) else { continue };
            let (id, alone) = (inner.id, inner.inherited == 1 && !inner.local);
            if !only && alone {
                self.collect_column(child, id, false, true, doomed)?;
            } else {
                self.schema.edit_column(child, id, |column| {
                    column.inherited = column.inherited.saturating_sub(1);
                    column.local |= only;
                });
            }
        }
        doomed.push((table, column));
        Ok(())
    }

    fn not_in_partition_key(&self, table: RelationId, name: &Ident, verb: &str) -> Outcome {
        let Some(key) = &self.schema.table(table).partition_by else { return Ok(()) };
        let held = key.parts.iter().any(|part| match part {
            KeyPart::Column(column) => column == name,
            KeyPart::Expression(expression) => expression.tree.columns().contains(&name),
        });
        if !held {
            return Ok(());
        }
        let message = format!(
            "cannot {verb} column {} because it is part of the partition key of relation {}",
            quoted(name),
            quoted(&self.label(table))
        );
        Err(refused("42P16", format!("{}.{name}", self.full(table)), message))
    }

    pub(super) fn alter_column_type(
        &mut self,
        table: RelationId,
        name: &Ident,
        to: TypeChange<'_>,
        only: bool,
        recursing: bool,
    ) -> Outcome {
        let TypeChange { data_type, collation, using } = to;
        let column = self.column(table, name)?;
        let Some(own) = self.schema.table(table).column_by_id(column).cloned() else { return Ok(()) };
        let object = format!("{}.{name}", self.full(table));
        if own.inherited > 0 && !recursing {
            let message = format!("cannot alter inherited column {}", quoted(name));
            return Err(inherited("42P16", object, message));
        }
        self.not_in_partition_key(table, name, "alter")?;
        self.require_type(data_type)?;
        let data_type = &self.kept_type(data_type);
        self.type_is_free_to_change(table, column, &object)?;
        let before = own.data_type.as_ref();
        if using.is_none()
            && own.generated.is_none()
            && before.is_some_and(|before| self.needs_using(before, data_type))
        {
            let message = format!("column {} cannot be cast automatically to type {data_type}", quoted(name));
            return Err(failure(FailureKind::NoCast, "42804", object, message));
        }
        if let Some(default) = own.default.as_ref().filter(|_| own.sequence.is_none() && own.generated.is_none()) {
            let literal = matches!(&default.tree, Expr::Constant(_));
            if !literal && before.is_some_and(|before| self.needs_using(before, data_type)) {
                let message =
                    format!("default for column {} cannot be cast automatically to type {data_type}", quoted(name));
                return Err(refused("42804", object, message));
            }
        }
        if let Some(using) = using {
            self.expression_columns(table, using)?;
        }
        let children = self.children_in_order(table);
        if only && !children.is_empty() {
            let message = format!("type of inherited column {} must be changed in child tables too", quoted(name));
            return Err(inherited("42P16", object, message));
        }
        for child in children {
            let Some(inner) = self.schema.table(child).column(name) else { continue };
            if inner.inherited > 1 {
                let message = format!(
                    "cannot alter inherited column {} of relation {}",
                    quoted(name),
                    quoted(&self.label(child))
                );
                return Err(refused("42P16", object, message));
            }
            self.alter_column_type(child, name, to, false, true)?;
        }
        let collation = collation.cloned();
        self.schema.edit_column(table, column, |column| {
            column.data_type = Some(data_type.clone());
            column.collation = collation;
        });
        if recursing { Ok(()) } else { self.rebuild_for_type(table, name) }
    }

    /// What keeps a column's type: views, rules, triggers that name it, policies, generated columns.
    fn type_is_free_to_change(&self, table: RelationId, column: ColumnId, object: &str) -> Outcome {
        let found = self.schema.table(table);
        let fails = |state, what: &str| {
            Err(refused(state, object.to_owned(), format!("cannot alter type of a column used by {what}")))
        };
        let reads = |view: &RelationId| {
            let view = self.schema.get_relation(*view).and_then(|relation| relation.as_view());
            view.is_some_and(|view| view.reads.iter().any(|(read, used)| *read == table && used.contains(&column)))
        };
        if found.views.iter().any(reads) {
            return fails("0A000", "a view or rule");
        }
        let name = self.schema.column_name(table, column);
        let names = |expression: &Option<Expression>| {
            expression.as_ref().is_some_and(|one| one.tree.columns().contains(&&name))
        };
        if found.policies.iter().any(|policy| names(&policy.using) || names(&policy.check)) {
            return fails("0A000", "a policy definition");
        }
        let triggers = self.schema.triggers_of(table);
        if triggers.iter().any(|one| one.update_columns.contains(&column) || names(&one.when)) {
            return fails("0A000", "a trigger definition");
        }
        let generated = found.columns.iter().filter_map(|one| one.generated.as_ref());
        if generated.into_iter().any(|one| one.expression.tree.columns().contains(&&name)) {
            return fails("42601", "a generated column");
        }
        Ok(())
    }

    /// No cast that assignment would use: USING must be written.
    fn needs_using(&self, from: &TypeName, to: &TypeName) -> bool {
        if from.name == to.name && from.array == to.array {
            return false;
        }
        let text = |one: &TypeName| {
            one.built_in && matches!(one.name.name.as_str(), "text" | "character varying" | "character" | "name")
        };
        // Everything is assigned to text, and an array's values are to an array of it.
        if text(to) && (from.array || !to.array) {
            return false;
        }
        if !from.built_in || !to.built_in {
            let base = |one: &TypeName| self.schema.find_type(&one.name).map(|found| found.kind.clone());
            return match (base(from), base(to)) {
                (Some(TypeKind::Domain(domain)), _) => self.needs_using(&domain.data_type, to),
                (_, Some(TypeKind::Domain(domain))) => self.needs_using(from, &domain.data_type),
                (Some(TypeKind::Enum { .. }), _) | (_, Some(TypeKind::Enum { .. })) => true,
                // An extension's type may bring casts of its own.
                _ => false,
            };
        }
        if from.array != to.array {
            return true;
        }
        let group = |one: &TypeName| match one.name.name.as_str() {
            "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision" => 1u8,
            "date" | "timestamp without time zone" | "timestamp with time zone" => 2,
            "json" | "jsonb" => 3,
            "inet" | "cidr" => 4,
            "bit" | "bit varying" => 5,
            "text" | "character varying" | "character" | "name" => 6,
            _ => 0,
        };
        let (one, two) = (group(from), group(to));
        if one == 0 || one != two {
            let time = |one: &TypeName| one.name.name.as_str().to_owned();
            let pair = (time(from), time(to));
            let assigned = matches!(
                (pair.0.as_str(), pair.1.as_str()),
                ("time without time zone", "interval" | "time with time zone")
                    | ("time with time zone", "time without time zone")
                    | ("interval", "time without time zone")
                    | ("timestamp with time zone", "time without time zone" | "time with time zone")
                    | ("timestamp without time zone", "time without time zone")
                    | ("integer" | "bigint" | "numeric", "money")
                    | ("money", "numeric")
                    | ("integer" | "bigint" | "smallint", "oid")
                    | ("oid", "integer" | "bigint")
            );
            return !assigned;
        }
        false
    }

    /// The default that is kept: PostgreSQL drops one that is a NULL constant, since that is what no default means.
    /// Where NULL still passes a length, a cast or a domain it is an expression to it, and stays (measured on 15).
    pub(super) fn stored_default(&self, of: Option<&TypeName>, default: Option<&Expression>) -> Option<Expression> {
        let default = default?;
        let is_null = |tree: &Expr| matches!(tree, Expr::Constant(Constant::Null));
        let same_type = |to: &TypeName| of == Some(to);
        let bare = match &default.tree {
            Expr::Cast { value, to } => is_null(value) && same_type(to),
            tree => is_null(tree),
        };
        let plain = of.is_some_and(|of| {
            let found = if of.built_in || of.array { None } else { self.schema.find_type(&of.name) };
            of.modifiers.is_empty() && !found.is_some_and(|found| matches!(found.kind, TypeKind::Domain(_)))
        });
        (!(bare && plain)).then(|| default.clone())
    }

    pub(super) fn set_default(
        &mut self,
        table: RelationId,
        name: &Ident,
        default: Option<&Expression>,
        only: bool,
    ) -> Outcome {
        let column = self.column(table, name)?;
        if let Some(default) = default {
            self.sequence_exists(default)?;
        }
        let Some(own) = self.schema.table(table).column_by_id(column) else { return Ok(()) };
        let object = format!("{}.{name}", self.full(table));
        let label = quoted(&self.label(table));
        if own.identity.is_some() {
            let message = format!("column {} of relation {label} is an identity column", quoted(name));
            return Err(refused("42601", object, message));
        }
        if own.generated.is_some() {
            let message = format!("column {} of relation {label} is a generated column", quoted(name));
            return Err(refused("42601", object, message));
        }
        let default = self.stored_default(own.data_type.as_ref(), default);
        self.schema.edit_column(table, column, |column| column.default = default.clone());
        if only {
            return Ok(());
        }
        for child in self.children_in_order(table) {
            if self.schema.table(child).column(name).is_some() {
                self.set_default(child, name, default.as_ref(), false)?;
            }
        }
        Ok(())
    }

    pub(super) fn rename_column(&mut self, table: RelationId, rename: &Rename, from: &Ident) -> Outcome {
        self.rename_column_of(table, from, &rename.to, rename.only, 0)
    }

    fn rename_column_of(
        &mut self,
        table: RelationId,
        from: &Ident,
        to: &Ident,
        only: bool,
        expected_parents: u16,
    ) -> Outcome {
        let children = self.children_in_order(table);
        let object = format!("{}.{from}", self.full(table));
        if only && !children.is_empty() {
            let message = format!("inherited column {} must be renamed in child tables too", quoted(from));
            return Err(inherited("42P16", object, message));
        }
        if !only {
            for child in &children {
                if self.schema.table(*child).column(from).is_some() {
                    self.rename_column_of(*child, from, to, false, expected_parents + 1)?;
                }
            }
        }
        let column = self
            .find_column(table, from)
            .ok_or_else(|| self.no_column(table, from, format!("column {} does not exist", quoted(from))))?;
        let own = self.schema.table(table).column_by_id(column);
        let above = u16::from(expected_parents > 0);
        if own.is_some_and(|own| own.inherited > above) {
            let message = format!("cannot rename inherited column {}", quoted(from));
            return Err(inherited("42P16", object, message));
        }
        if let Some(taken) = self.schema.table(table).column(to) {
            // What is known of it may come from a statement that fails itself.
            self.certain &= matches!(taken.existence, Existence::Created { .. });
            let message = format!("column {} of relation {} already exists", quoted(to), quoted(&self.label(table)));
            return Err(duplicate("42701", format!("{}.{to}", self.full(table)), message));
        }
        self.not_a_system_column(to)?;
        let gone = self.gone(Some(crate::operation::QualifiedName::new("", to.clone())));
        self.schema.gone_parts.insert((table, Part::Column, from.clone()), gone);
        self.schema.gone_parts.remove(&(table, Part::Column, to.clone()));
        self.rename_in_expressions(table, from, to);
        self.outdate_views(table, |read| read.is_empty() || read.contains(&column));
        self.schema.edit_column(table, column, |column| column.name = to.clone());
        Ok(())
    }

    /// What reads a relation, some of its columns, goes on under their new names: only its text stays.
    pub(super) fn outdate_views(&mut self, relation: RelationId, is_concerned: impl Fn(&[ColumnId]) -> bool) {
        let views = match self.schema.get_relation(relation).map(|one| &one.kind) {
            Some(RelationKind::Table(table)) => table.views.clone(),
            Some(RelationKind::View(view)) => view.views.clone(),
            _ => return,
        };
        for view in views {
            let reads = self.schema.get_relation(view).and_then(Relation::as_view).map(|view| view.reads.as_slice());
            let mut own = reads.unwrap_or_default().iter().filter(|(read, _)| *read == relation);
            if own.any(|(_, columns)| is_concerned(columns)) {
                self.schema.edit_view(view, |view| view.is_older_than_names = true);
            }
        }
    }

    /// PostgreSQL keeps columns by number: every expression follows a rename.
    fn rename_in_expressions(&mut self, table: RelationId, from: &Ident, to: &Ident) {
        let follow = |expression: &mut Expression| super::rename::rename_in(expression, from, to);
        let found = self.schema.table(table);
        let (constraints, indexes, triggers) =
            (found.constraints.clone(), found.indexes.clone(), found.triggers.clone());
        for id in constraints {
            self.schema.edit_constraint(id, |row| {
                if let ConstraintRow::Check { expression } = &mut row.kind {
                    follow(expression);
                }
            });
        }
        for id in indexes {
            self.schema.edit_index(id, |index| {
                index.filter.iter_mut().for_each(follow);
                for part in &mut index.parts {
                    if let IndexKey::Expression(expression) = &mut part.key {
                        follow(expression);
                    }
                }
            });
        }
        for id in triggers {
            self.schema.edit_trigger(id, |trigger| trigger.when.iter_mut().for_each(follow));
        }
        self.schema.edit_table(table, |table| {
            for column in &mut table.columns {
                if let Some(generated) = &mut column.generated {
                    follow(&mut generated.expression);
                }
            }
            for policy in &mut table.policies {
                policy.using.iter_mut().chain(&mut policy.check).for_each(follow);
            }
            for part in table.partition_by.iter_mut().flat_map(|key| &mut key.parts) {
                match part {
                    KeyPart::Column(name) if name == from => *name = to.clone(),
                    KeyPart::Column(_) => {}
                    KeyPart::Expression(expression) => follow(expression),
                }
            }
        });
    }
}
