//! Primary keys, unique keys and exclusion constraints, with their indexes.

use super::index::{KeyRole, NewIndex, empty_index, key_columns};
use super::resolve::quoted;
use super::{Change, Outcome, because, duplicate, missing, refused};
use crate::operation::{ConstraintDefinition, ConstraintKind, Ident, KeyPart, QualifiedName};
use crate::schema::{ColumnId, ConstraintRow, IndexColumn, IndexKey, RelationId};

impl Change<'_> {
    /// The keys of CREATE TABLE: the primary key first, a UNIQUE that repeats another key not at all.
    pub(super) fn create_keys(
        &mut self,
        table: RelationId,
        all: &[(Option<&Ident>, &ConstraintDefinition)],
    ) -> Outcome {
        let mut keys: Vec<NewIndex> = Vec::new();
        for (inline, definition) in all {
            let is_key = matches!(
                definition.kind,
                ConstraintKind::Unique(_) | ConstraintKind::Primary(_) | ConstraintKind::Exclude { .. }
            );
            if !is_key {
                continue;
            }
            let new = self.key_index(table, *inline, definition)?;
            if new.index.primary {
                if keys.first().is_some_and(|first| first.index.primary) {
                    let message =
                        format!("multiple primary keys for table {} are not allowed", quoted(&self.label(table)));
                    return Err(refused("42P16", self.full(table), message));
                }
                keys.insert(0, new);
            } else {
                keys.push(new);
            }
        }
        let mut kept: Vec<NewIndex> = Vec::new();
        for new in keys {
            match kept.iter_mut().find(|prior| repeats(prior, &new)) {
                Some(prior) => prior.name = prior.name.take().or(new.name),
                None => kept.push(new),
            }
        }
        for new in kept {
            self.define_index(new)?;
        }
        Ok(())
    }

    pub(super) fn key_index(
        &mut self,
        table: RelationId,
        inline: Option<&Ident>,
        definition: &ConstraintDefinition,
    ) -> Outcome<NewIndex> {
        let mut index = empty_index(table);
        match &definition.kind {
            ConstraintKind::Unique(key) | ConstraintKind::Primary(key) => {
                index.unique = true;
                index.primary = matches!(definition.kind, ConstraintKind::Primary(_));
                index.nulls_not_distinct = key.nulls_not_distinct;
                let names: Vec<Ident> = match inline {
                    Some(column) if key.columns.is_empty() => vec![column.clone()],
                    _ => key.columns.clone(),
                };
                if let Some(name) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
                    let (kind, name) = (if index.primary { "primary key" } else { "unique" }, name.1);
                    let message = format!("column {} appears twice in {kind} constraint", quoted(name));
                    return Err(duplicate("42701", name.to_string(), message));
                }
                for name in &names {
                    let column = self.key_column(table, name)?;
                    index.parts.push(plain_part(IndexKey::Column(column)));
                }
                for name in &key.include {
                    index.include.push(self.key_column(table, name)?);
                }
                if key.without_overlaps {
                    index.method = Ident::new("gist");
                }
            }
            ConstraintKind::Exclude { method, elements, filter, .. } => {
                index.exclusion = true;
                index.method = method.clone().unwrap_or_else(|| Ident::new("btree"));
                index.filter = filter.clone();
                for element in elements {
                    let key = match &element.part {
                        KeyPart::Column(name) => IndexKey::Column(self.key_column(table, name)?),
                        KeyPart::Expression(expression) => {
                            self.expression_columns(table, expression)?;
                            IndexKey::Expression(expression.clone())
                        }
                    };
                    index.parts.push(IndexColumn { operator: Some(element.operator.clone()), ..plain_part(key) });
                }
            }
            ConstraintKind::Check(_) | ConstraintKind::NotNull(_) | ConstraintKind::Foreign(_) => {}
        }
        Ok(NewIndex {
            name: definition.name.clone(),
            index,
            key: Some(KeyRole { deferrable: definition.deferrable, initially_deferred: definition.initially_deferred }),
            only: false,
            if_not_exists: false,
            parent: None,
            parent_constraint: None,
        })
    }

    pub(super) fn key_column(&mut self, table: RelationId, name: &Ident) -> Outcome<ColumnId> {
        self.find_column(table, name)
            .ok_or_else(|| self.no_column(table, name, format!("column {} named in key does not exist", quoted(name))))
    }

    /// `ADD … USING INDEX`: the index takes the constraint's name.
    pub(super) fn key_using_index(
        &mut self,
        table: RelationId,
        definition: &ConstraintDefinition,
        index: &Ident,
        primary: bool,
    ) -> Outcome {
        let full = QualifiedName::new(self.namespace(table), index.clone());
        let Some(id) = self.schema.relation_names.get(&full).copied() else {
            if self.is_open(table) && !self.schema.gone.contains_key(&full) {
                return Ok(());
            }
            let gone = self.schema.gone.get(&full).map(|gone| gone.by.clone());
            let message = format!("index {} does not exist", quoted(index));
            return Err(because(missing("42704", full.to_string(), message), gone.as_ref()));
        };
        let Some(found) = self.as_index(id).cloned() else { return Err(self.wrong_kind(id, "an index")) };
        let name = quoted(index);
        let fails = |state, message: String| Err(refused(state, full.to_string(), message));
        if found.constraint.is_some() {
            return fails("55000", format!("index {name} is already associated with a constraint"));
        }
        if found.table != table {
            return fails("55000", format!("index {name} does not belong to table {}", quoted(&self.label(table))));
        }
        if !found.valid {
            return fails("55000", format!("index {name} is not valid"));
        }
        if !found.unique {
            return fails("42809", format!("{name} is not a unique index"));
        }
        if found.parts.iter().any(|part| matches!(part.key, IndexKey::Expression(_))) {
            return fails("42809", format!("index {name} contains expressions"));
        }
        if found.filter.is_some() {
            return fails("42809", format!("{name} is a partial index"));
        }
        if found.parts.iter().any(|part| part.descending || part.nulls_first) {
            return fails("42809", format!("index {name} column number 1 does not have default sorting behavior"));
        }
        let keys = key_columns(&found);
        if let Some(twice) = keys.iter().enumerate().find(|(at, key)| keys[..*at].contains(key)).map(|(_, key)| *key) {
            let column = quoted(&self.schema.column_name(table, twice));
            let kind = if primary { "primary key" } else { "unique" };
            let message = format!("column {column} appears twice in {kind} constraint");
            return Err(duplicate("42701", full.to_string(), message));
        }
        if self.schema.relation(table).is_partitioned() {
            let message = "ALTER TABLE / ADD CONSTRAINT USING INDEX is not supported on partitioned tables".to_owned();
            return Err(refused("0A000", self.full(table), message));
        }
        if primary {
            let has = self.schema.constraints_of(table).any(|one| matches!(one.kind, ConstraintRow::Primary { .. }));
            if has {
                let message = format!("multiple primary keys for table {} are not allowed", quoted(&self.label(table)));
                return Err(refused("42P16", self.full(table), message));
            }
            self.primary_columns_not_null(table, &key_columns(&found), false)?;
            // 18 adds NOT NULL here even where it is inherited, which makes it the table's own too.
            for column in key_columns(&found) {
                if let Some(row) = self.not_null_row(table, column).map(|row| row.id) {
                    self.schema.edit_constraint(row, |row| row.local = true);
                }
            }
        }
        let to = definition.name.clone().unwrap_or_else(|| index.clone());
        if to != *index {
            let target = QualifiedName::new(full.schema.clone(), to.clone());
            self.name_is_free(&target)?;
            let text = format!("ALTER TABLE / ADD CONSTRAINT USING INDEX will rename index {name} to {}", quoted(&to));
            self.notice(full.to_string(), text);
            self.rename_relation_row(id, target);
        }
        if self.constraint_name_used(table, &to) {
            let mut failure = self.constraint_exists(table, &to);
            // Nobody looks before the catalog's own unique index does (measured on 12 to 18).
            failure.state = "23505";
            return Err(failure);
        }
        let kind = if primary { ConstraintRow::Primary { index: id } } else { ConstraintRow::Unique { index: id } };
        let mut row = self.constraint_row(table, to, kind);
        row.no_inherit = true;
        row.columns = key_columns(&found);
        row.deferrable = definition.deferrable;
        row.initially_deferred = definition.initially_deferred;
        let constraint = self.add_constraint(row);
        self.schema.edit_index(id, |index| {
            index.primary = primary;
            index.constraint = Some(constraint);
        });
        Ok(())
    }
}

fn plain_part(key: IndexKey) -> IndexColumn {
    IndexColumn { key, operator: None, collation: None, operator_class: None, descending: false, nulls_first: false }
}

/// `transformIndexConstraints`: the same columns with the same properties are one index.
fn repeats(prior: &NewIndex, new: &NewIndex) -> bool {
    let columns = |new: &NewIndex| {
        let keys = new.index.parts.iter().map(|part| match &part.key {
            IndexKey::Column(column) => Some(*column),
            IndexKey::Expression(_) => None,
        });
        keys.collect::<Option<Vec<ColumnId>>>()
    };
    let same = columns(prior).is_some_and(|one| Some(one) == columns(new));
    same && prior.index.include == new.index.include
        && prior.index.method == new.index.method
        && !prior.index.exclusion
        && !new.index.exclusion
        && prior.index.nulls_not_distinct == new.index.nulls_not_distinct
        && prior.key == new.key
}
