//! CREATE INDEX and the indexes of keys: names, matching across partitions, attaching, validity.

use super::names::{addition, figure, index_columns};
use super::resolve::{Taken, quoted};
use super::{Change, Outcome, because, duplicate, missing, refused};
use crate::operation::{
    AlterIndex, Cluster, CreateIndex, Expression, Ident, IndexAction, IndexPart, KeyPart, Name, ObjectKind,
    QualifiedName, Reindex, ReindexTarget,
};
use crate::schema::{
    ColumnId, Constraint, ConstraintId, ConstraintRow, Failure, Index, IndexColumn, IndexKey, Relation, RelationId,
    RelationKind, TableKind,
};

/// An index about to be made.
#[derive(Clone)]
pub(super) struct NewIndex {
    pub name: Option<Ident>,
    pub index: Index,
    /// It belongs to a constraint.
    pub key: Option<KeyRole>,
    pub only: bool,
    pub if_not_exists: bool,
    /// The partitioned parent's index and constraint that it becomes part of.
    pub parent: Option<RelationId>,
    pub parent_constraint: Option<ConstraintId>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyRole {
    pub deferrable: bool,
    pub initially_deferred: bool,
}

impl Change<'_> {
    pub(super) fn create_index(&mut self, create: &CreateIndex) -> Outcome {
        let table = self.relation(&create.table, Taken::Table)?;
        // Expressions are analysed before the table is looked at more closely, plain columns after.
        let expressions = create.parts.iter().filter_map(|part| match &part.key {
            KeyPart::Expression(expression) => Some(expression),
            KeyPart::Column(_) => None,
        });
        for expression in expressions.chain(&create.filter) {
            self.expression_columns(table, expression)?;
        }
        self.indexable(table, create.concurrently)?;
        let mut index = empty_index(table);
        index.unique = create.unique;
        index.nulls_not_distinct = create.nulls_not_distinct;
        index.method = create.method.clone();
        for part in &create.parts {
            let column = self.index_part(table, part)?;
            index.parts.push(column);
        }
        for name in &create.include {
            index.include.push(self.index_column(table, name)?);
        }
        index.filter = create.filter.clone();
        self.method_allows(&index, create)?;
        let new = NewIndex {
            name: create.name.clone(),
            index,
            key: None,
            only: create.only,
            if_not_exists: create.if_not_exists,
            parent: None,
            parent_constraint: None,
        };
        self.define_index(new)?;
        Ok(())
    }

    fn indexable(&mut self, id: RelationId, concurrently: bool) -> Outcome {
        let name = self.label(id);
        let full = self.full(id);
        match &self.schema.relation(id).kind {
            RelationKind::Table(table) if table.kind == TableKind::Partitioned && concurrently => Err(refused(
                "0A000",
                full,
                format!("cannot create index on partitioned table {} concurrently", quoted(&name)),
            )),
            RelationKind::Table(table) if table.kind == TableKind::Foreign => {
                Err(refused("42809", full, format!("cannot create index on relation {}", quoted(&name))))
            }
            RelationKind::Table(_) => Ok(()),
            RelationKind::View(view) if view.materialized => Ok(()),
            RelationKind::Other => self.must_be_table(id),
            RelationKind::View(_) | RelationKind::Index(_) | RelationKind::Sequence(_) => {
                Err(refused("42809", full, format!("cannot create index on relation {}", quoted(&name))))
            }
        }
    }

    fn method_allows(&self, index: &Index, create: &CreateIndex) -> Outcome {
        let method = index.method.as_str();
        let fails = |what: &str| {
            Err(refused("0A000", method.to_owned(), format!("access method \"{method}\" does not support {what}")))
        };
        let known = matches!(method, "btree" | "hash" | "gin" | "gist" | "spgist" | "brin");
        if !known && self.schema.extensions.is_empty() && self.schema.complete {
            return Err(missing("42704", method.to_owned(), format!("access method \"{method}\" does not exist")));
        }
        if index.unique && known && method != "btree" {
            return fails("unique indexes");
        }
        if !index.include.is_empty()
            && (matches!(method, "hash" | "gin" | "brin") || method == "spgist" && !self.since(14))
        {
            return fails("included columns");
        }
        if index.parts.len() > 1 && matches!(method, "hash" | "spgist") {
            return fails("multicolumn indexes");
        }
        let ordered = create.parts.iter().any(|part| part.descending || part.nulls_first.is_some());
        if ordered && known && method != "btree" {
            return fails("ASC/DESC options");
        }
        self.operator_classes_exist(index)
    }

    fn index_part(&mut self, table: RelationId, part: &IndexPart) -> Outcome<IndexColumn> {
        let key = match &part.key {
            KeyPart::Column(name) => IndexKey::Column(self.index_column(table, name)?),
            KeyPart::Expression(expression) => IndexKey::Expression(expression.clone()),
        };
        Ok(IndexColumn {
            key,
            operator: None,
            collation: part.collation.clone(),
            operator_class: part.operator_class.clone(),
            descending: part.descending,
            nulls_first: part.nulls_first.unwrap_or(part.descending),
        })
    }

    fn index_column(&mut self, table: RelationId, name: &Ident) -> Outcome<ColumnId> {
        if let Some(view) = self.schema.relation(table).as_view() {
            let at = view.columns.iter().position(|column| column == name);
            return match at {
                Some(at) => Ok(ColumnId(at as u16 + 1)),
                None if !view.columns_known => Ok(ColumnId(0)),
                None => Err(self.no_column(table, name, format!("column {} does not exist", quoted(name)))),
            };
        }
        self.find_column(table, name)
            .ok_or_else(|| self.no_column(table, name, format!("column {} does not exist", quoted(name))))
    }

    /// The columns an expression over one table names, each once.
    pub(super) fn expression_columns(&mut self, table: RelationId, expression: &Expression) -> Outcome<Vec<ColumnId>> {
        let mut found = Vec::new();
        let names: Vec<Ident> = expression.tree.columns().into_iter().cloned().collect();
        let is_view = self.schema.relation(table).as_view().is_some();
        for name in names {
            // System columns, and `value` of a domain, are no columns of the table.
            if matches!(name.as_str(), "tableoid" | "ctid" | "xmin" | "xmax" | "cmin" | "cmax") {
                continue;
            }
            if is_view {
                self.index_column(table, &name)?;
                continue;
            }
            let column = self
                .find_column(table, &name)
                .ok_or_else(|| self.no_column(table, &name, format!("column {} does not exist", quoted(&name))))?;
            if !found.contains(&column) {
                found.push(column);
            }
        }
        Ok(found)
    }

    /// A table's indexes in the order of their making, as `RelationGetIndexList` gives them.
    pub(super) fn indexes_in_order(&self, table: RelationId) -> Vec<RelationId> {
        let mut found = match self.schema.get_relation(table).map(|relation| &relation.kind) {
            Some(RelationKind::Table(table)) => table.indexes.clone(),
            Some(RelationKind::View(view)) => view.indexes.clone(),
            _ => Vec::new(),
        };
        found.sort();
        found
    }

    pub(super) fn as_index(&self, id: RelationId) -> Option<&Index> {
        self.schema.get_relation(id).and_then(Relation::as_index)
    }

    /// `DefineIndex`, with all partitions.
    pub(super) fn define_index(&mut self, new: NewIndex) -> Outcome<Option<RelationId>> {
        let table = new.index.table;
        let partitioned = self.schema.relation(table).is_partitioned();
        if new.index.primary {
            self.one_primary_key(table)?;
        }
        if partitioned {
            self.partitioned_index_allowed(&new)?;
        }
        let mut new = new;
        if new.index.names.is_empty() {
            new.index.names = self.index_column_names(&new.index).into_iter().map(Ident::new).collect();
        }
        let schema = self.namespace(table);
        let name = match &new.name {
            Some(name) => name.clone(),
            None => self.choose_index_name(&new, &schema),
        };
        let full = QualifiedName::new(schema, name.clone());
        if new.if_not_exists && self.schema.relation_names.contains_key(&full) {
            let text = format!("relation {} already exists, skipping", quoted(&name));
            self.notice(full.to_string(), text);
            return Ok(None);
        }
        self.name_is_free(&full)?;
        if new.key.is_some() && self.constraint_name_used(table, &name) {
            return Err(self.constraint_exists(table, &name));
        }
        let mut index = new.index.clone();
        index.valid = !(new.only && partitioned && !self.schema.table(table).children.is_empty());
        index.parent = None;
        let id = self.add_relation(full, RelationKind::Index(index), self.created());
        self.schema.edit_relation(table, |relation| match &mut relation.kind {
            RelationKind::Table(table) => table.indexes.push(id),
            RelationKind::View(view) => view.indexes.push(id),
            RelationKind::Index(_) | RelationKind::Sequence(_) | RelationKind::Other => {}
        });
        if new.parent.is_some() {
            self.set_index_parent(id, new.parent);
        }
        let constraint = new.key.map(|key| self.key_constraint(id, &name, key, new.parent_constraint));
        if partitioned && !new.only {
            self.index_partitions(id, constraint, &new)?;
        }
        Ok(Some(id))
    }

    fn key_constraint(
        &mut self,
        id: RelationId,
        name: &Ident,
        key: KeyRole,
        parent: Option<ConstraintId>,
    ) -> ConstraintId {
        let Some(index) = self.as_index(id).cloned() else { return ConstraintId(0) };
        let kind = if index.primary {
            ConstraintRow::Primary { index: id }
        } else if index.exclusion {
            ConstraintRow::Exclude { index: id }
        } else {
            ConstraintRow::Unique { index: id }
        };
        let mut row = self.constraint_row(index.table, name.clone(), kind);
        row.columns = key_columns(&index);
        row.deferrable = key.deferrable;
        row.initially_deferred = key.initially_deferred;
        row.parent = parent;
        row.no_inherit = parent.is_none();
        row.local = parent.is_none();
        row.inherited = u16::from(parent.is_some());
        let constraint = self.add_constraint(row);
        self.schema.edit_index(id, |index| index.constraint = Some(constraint));
        constraint
    }

    fn one_primary_key(&self, table: RelationId) -> Outcome {
        let has = self.schema.constraints_of(table).any(|one| matches!(one.kind, ConstraintRow::Primary { .. }));
        if !has {
            return Ok(());
        }
        let message = format!("multiple primary keys for table {} are not allowed", quoted(&self.label(table)));
        Err(refused("42P16", self.full(table), message))
    }

    pub(super) fn constraint_exists(&self, table: RelationId, name: &Ident) -> Box<Failure> {
        let message = format!("constraint {} for relation {} already exists", quoted(name), quoted(&self.label(table)));
        let by = self.schema.find_constraint(table, name).map(|one| one.existence.origin().clone());
        because(duplicate("42710", format!("{}.{name}", self.full(table)), message), by.as_ref())
    }

    fn choose_index_name(&self, new: &NewIndex, schema: &Ident) -> Ident {
        let table = self.label(new.index.table);
        if new.index.primary {
            return self.choose_relation(schema, table.as_str(), None, "pkey", true);
        }
        let joined = addition(new.index.names.iter().map(Ident::as_str));
        let label = if new.index.exclusion {
            "excl"
        } else if new.key.is_some() {
            "key"
        } else {
            "idx"
        };
        self.choose_relation(schema, table.as_str(), Some(&joined), label, new.key.is_some())
    }

    fn index_column_names(&self, index: &Index) -> Vec<String> {
        let name = |column: &ColumnId| self.relation_column_name(index.table, *column);
        let keys = index.parts.iter().map(|part| match &part.key {
            IndexKey::Column(column) => name(column),
            IndexKey::Expression(expression) => figure(&expression.tree).unwrap_or_else(|| "expr".to_owned()),
        });
        index_columns(keys.chain(index.include.iter().map(name)))
    }

    fn relation_column_name(&self, relation: RelationId, column: ColumnId) -> String {
        if let Some(view) = self.schema.get_relation(relation).and_then(Relation::as_view) {
            let at = usize::from(column.0).wrapping_sub(1);
            return view.columns.get(at).map_or_else(|| "expr".to_owned(), |name| name.as_str().to_owned());
        }
        self.schema.column_name(relation, column).as_str().to_owned()
    }

    /// An index by name, with PostgreSQL's words for one that is missing or is none.
    pub(super) fn index(&mut self, name: &Name, if_exists: bool) -> Outcome<Option<RelationId>> {
        let Some(id) = self.find(name) else {
            if if_exists {
                let text = format!("relation {} does not exist, skipping", super::resolve::quoted_name(name));
                self.notice(name.to_string(), text);
                return Ok(None);
            }
            if self.schema.complete || self.schema.gone(name).is_some() {
                return Err(self.no_relation(name));
            }
            return Ok(Some(self.assume(name, Taken::Other)));
        };
        match &self.schema.relation(id).kind {
            RelationKind::Index(_) | RelationKind::Other => Ok(Some(id)),
            RelationKind::Table(_) | RelationKind::Sequence(_) | RelationKind::View(_) => {
                Err(self.wrong_kind(id, "an index"))
            }
        }
    }

    pub(super) fn alter_index(&mut self, alter: &AlterIndex) -> Outcome {
        let Some(id) = self.index(&alter.index, alter.if_exists)? else { return Ok(()) };
        if let IndexAction::AttachPartition(child) = &alter.action {
            let plain = self.as_index(id).is_some_and(|index| !self.schema.relation(index.table).is_partitioned());
            if plain {
                let message = format!(
                    "ALTER action ATTACH PARTITION cannot be performed on relation {}",
                    quoted(&self.label(id))
                );
                return Err(refused(if self.since(13) { "42809" } else { "42P17" }, self.full(id), message));
            }
            let Some(child) = self.index(child, false)? else { return Ok(()) };
            return self.attach_index(id, child);
        }
        Ok(())
    }

    pub(super) fn reindex(&mut self, reindex: &Reindex) -> Outcome {
        match &reindex.target {
            ReindexTarget::Index(name) => {
                let id = self.index(name, false)?;
                if let Some(id) = id {
                    let partitioned =
                        self.as_index(id).is_some_and(|index| self.schema.relation(index.table).is_partitioned());
                    if !partitioned {
                        self.schema.edit_index(id, |index| (index.valid, index.ready) = (true, true));
                    }
                }
                Ok(())
            }
            ReindexTarget::Table(name) => {
                let id = self.relation(name, Taken::Table)?;
                if !self.schema.relation(id).is_partitioned() {
                    for index in self.indexes_in_order(id) {
                        self.schema.edit_index(index, |index| (index.valid, index.ready) = (true, true));
                    }
                }
                Ok(())
            }
            ReindexTarget::Schema(name) => self.require_schema(name),
            ReindexTarget::Database | ReindexTarget::System => Ok(()),
        }
    }

    pub(super) fn cluster(&mut self, cluster: &Cluster) -> Outcome {
        let Some(name) = &cluster.table else { return Ok(()) };
        let table = self.relation(name, Taken::Table)?;
        match &cluster.index {
            Some(index) => self.cluster_on(table, index),
            None => Ok(()),
        }
    }

    pub(super) fn cluster_on(&mut self, table: RelationId, index: &Ident) -> Outcome {
        let Some(found) = self.index_of(table, index)? else { return Ok(()) };
        for own in self.indexes_in_order(table) {
            self.schema.edit_index(own, |index| index.clustered = own == found);
        }
        Ok(())
    }

    /// An index of that table by its bare name: 42704 where there is none.
    pub(super) fn index_of(&mut self, table: RelationId, name: &Ident) -> Outcome<Option<RelationId>> {
        let full = QualifiedName::new(self.namespace(table), name.clone());
        let found = self.schema.relation_names.get(&full).copied();
        match found {
            Some(id) if self.as_index(id).is_some_and(|index| index.table == table) => Ok(Some(id)),
            Some(id) => {
                let message =
                    format!("{} is not an index for table {}", quoted(&self.label(id)), quoted(&self.label(table)));
                Err(refused("42809", full.to_string(), message))
            }
            None if self.is_open(table) && !self.schema.gone.contains_key(&full) => Ok(None),
            None => {
                let message = format!("index {} for table {} does not exist", quoted(name), quoted(&self.label(table)));
                let gone = self.schema.gone.get(&full).map(|gone| gone.by.clone());
                Err(because(missing("42704", full.to_string(), message), gone.as_ref()))
            }
        }
    }
}

pub(super) fn key_role(row: &Constraint) -> KeyRole {
    KeyRole { deferrable: row.deferrable, initially_deferred: row.initially_deferred }
}

pub(super) fn empty_index(table: RelationId) -> Index {
    Index {
        table,
        parts: Vec::new(),
        include: Vec::new(),
        unique: false,
        primary: false,
        exclusion: false,
        nulls_not_distinct: false,
        method: Ident::new("btree"),
        filter: None,
        valid: true,
        ready: true,
        parent: None,
        children: Vec::new(),
        constraint: None,
        clustered: false,
        replica_identity: false,
        names: Vec::new(),
    }
}

/// The key columns of an index, expressions left out.
pub(super) fn key_columns(index: &Index) -> Vec<ColumnId> {
    index
        .parts
        .iter()
        .filter_map(|part| match &part.key {
            IndexKey::Column(column) => Some(*column),
            IndexKey::Expression(_) => None,
        })
        .collect()
}

/// What a kind of object is called in messages.
pub(super) fn kind_word(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Table => "table",
        ObjectKind::ForeignTable => "foreign table",
        ObjectKind::View => "view",
        ObjectKind::MaterializedView => "materialized view",
        ObjectKind::Index => "index",
        ObjectKind::Sequence => "sequence",
        ObjectKind::Type => "type",
        ObjectKind::Domain => "domain",
        ObjectKind::Function => "function",
        ObjectKind::Procedure => "procedure",
        ObjectKind::Aggregate => "aggregate",
        ObjectKind::Routine => "routine",
        ObjectKind::Trigger => "trigger",
        ObjectKind::Rule => "rule",
        ObjectKind::Policy => "policy",
        ObjectKind::Schema => "schema",
        ObjectKind::Extension => "extension",
        ObjectKind::Statistics => "statistics object",
        ObjectKind::Publication => "publication",
        ObjectKind::Column => "column",
        ObjectKind::Constraint => "constraint",
        ObjectKind::Other => "object",
    }
}
