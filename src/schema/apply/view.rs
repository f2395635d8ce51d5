//! Views and materialized views: what they read, resolved once, and the columns they show.

use std::collections::BTreeSet;

use super::names::figure;
use super::resolve::{Taken, quoted, quoted_name};
use super::{Change, Outcome, duplicate, missing, refused};
use crate::operation::{
    CommonTableBody, Constant, CreateView, Expr, FromItem, FromSource, Ident, Name, Output, Query, RefreshView,
    TypeName,
};
use crate::schema::{ColumnId, RelationId, RelationKind, Schema, View};

/// The columns of a query's result; `known` is false where some could not be told.
pub(super) struct ResultColumns {
    pub columns: Vec<(Ident, Option<TypeName>)>,
    pub known: bool,
}

/// Names that stand for something in a query: label, its relation, its columns.
struct Visible {
    label: Option<Ident>,
    columns: Vec<(Ident, Option<TypeName>)>,
    known: bool,
}

impl Change<'_> {
    pub(super) fn create_view(&mut self, create: &CreateView) -> Outcome {
        let name = self.place(&create.name, create.temporary)?;
        let existing = self.schema.relation_names.get(&name).copied();
        if create.if_not_exists && existing.is_some() {
            let text = format!("relation {} already exists, skipping", quoted(&name.name));
            self.notice(name.to_string(), text);
            return Ok(());
        }
        let reads = self.view_reads(&create.query)?;
        let result = self.result_columns(&create.query)?;
        let mut columns: Vec<Ident> = result.columns.iter().map(|(name, _)| name.clone()).collect();
        if result.known && create.columns.len() > columns.len() {
            let message = "CREATE VIEW specifies more column names than columns".to_owned();
            return Err(refused("42601", name.to_string(), message));
        }
        for (at, own) in create.columns.iter().enumerate() {
            match columns.get_mut(at) {
                Some(column) => *column = own.clone(),
                None => columns.push(own.clone()),
            }
        }
        for (at, column) in columns.iter().enumerate() {
            if result.known && columns[..at].contains(column) {
                let message = format!("column {} specified more than once", quoted(column));
                return Err(duplicate("42701", name.to_string(), message));
            }
        }
        let view = View {
            materialized: create.materialized,
            columns,
            columns_known: result.known,
            column_types: result.columns.into_iter().map(|(_, data_type)| data_type).collect(),
            text: create.text.clone(),
            reads,
            populated: create.with_data,
            is_older_than_names: false,
            query: create.query.clone(),
            indexes: Vec::new(),
            views: Vec::new(),
            triggers: Vec::new(),
        };
        match existing {
            Some(id) if create.or_replace => self.replace_view(id, view),
            _ => {
                self.row_type_is_free(&name)?;
                let reads = view.reads.clone();
                let id = self.add_relation(name, RelationKind::View(view), self.created());
                self.link_reads(id, &reads);
                Ok(())
            }
        }
    }

    fn replace_view(&mut self, id: RelationId, mut new: View) -> Outcome {
        let RelationKind::View(old) = &self.schema.relation(id).kind else {
            return Err(self.wrong_kind(id, "a view"));
        };
        if old.materialized {
            return Err(self.wrong_kind(id, "a view"));
        }
        if old.columns_known && new.columns_known {
            if new.columns.len() < old.columns.len() {
                return Err(refused("42P16", self.full(id), "cannot drop columns from view".to_owned()));
            }
            let changed = old.columns.iter().zip(&new.columns).find(|(old, new)| old != new);
            if let Some((old, new)) = changed {
                let message = format!("cannot change name of view column {} to {}", quoted(old), quoted(new));
                return Err(refused("42P16", self.full(id), message));
            }
            let types = old.column_types.iter().zip(&new.column_types);
            let changed = types.zip(&old.columns).find_map(|((old, new), name)| match (old, new) {
                (Some(old), Some(new)) if old != new => Some((name, old, new)),
                _ => None,
            });
            if let Some((name, old, new)) = changed {
                let name = quoted(name);
                let message = format!("cannot change data type of view column {name} from {old} to {new}");
                return Err(refused("42P16", self.full(id), message));
            }
        }
        let before = old.reads.clone();
        (new.views, new.triggers, new.indexes) = (old.views.clone(), old.triggers.clone(), old.indexes.clone());
        for (read, _) in before {
            self.schema.edit_relation(read, |relation| match &mut relation.kind {
                RelationKind::Table(table) => table.views.retain(|one| *one != id),
                RelationKind::View(view) => view.views.retain(|one| *one != id),
                RelationKind::Index(_) | RelationKind::Sequence(_) | RelationKind::Other => {}
            });
        }
        let reads = new.reads.clone();
        let by = self.created();
        self.schema.edit_relation(id, |relation| {
            relation.kind = RelationKind::View(new);
            relation.existence = by;
        });
        self.link_reads(id, &reads);
        Ok(())
    }

    fn link_reads(&mut self, view: RelationId, reads: &[(RelationId, Vec<ColumnId>)]) {
        for (read, _) in reads {
            self.schema.edit_relation(*read, |relation| match &mut relation.kind {
                RelationKind::Table(table) => table.views.push(view),
                RelationKind::View(one) => one.views.push(view),
                RelationKind::Index(_) | RelationKind::Sequence(_) | RelationKind::Other => {}
            });
        }
    }

    /// The relations a query reads, each once, with the columns of theirs that it names at any level.
    fn view_reads(&mut self, query: &Query) -> Outcome<Vec<(RelationId, Vec<ColumnId>)>> {
        let mut reads: Vec<(RelationId, Vec<ColumnId>)> = Vec::new();
        for name in query.reads() {
            if let Some(id) = self.read_target(name)?
                && !reads.iter().any(|(one, _)| *one == id)
            {
                reads.push((id, Vec::new()));
            }
        }
        let ids = reads.iter().map(|(id, _)| *id).collect();
        let mut used = Used { schema: self.schema, ids, scopes: Vec::new(), columns: BTreeSet::new() };
        used.query(query);
        for (id, columns) in &mut reads {
            let first = (*id, ColumnId(0));
            columns.extend(used.columns.range(first..).take_while(|(one, _)| one == id).map(|(_, column)| *column));
        }
        Ok(reads)
    }

    /// A relation that is read; the system's own are not modelled.
    pub(super) fn read_target(&mut self, name: &Name) -> Outcome<Option<RelationId>> {
        let system = match &name.schema {
            Some(schema) => matches!(schema.as_str(), "pg_catalog" | "information_schema"),
            None => name.name.as_str().starts_with("pg_"),
        };
        if system && self.find(name).is_none() {
            return Ok(None);
        }
        // An extension's tables and views are not named by any statement.
        let may_be = !self.schema.extensions.is_empty() && self.schema.gone(name).is_none();
        if may_be && self.find(name).is_none() {
            return Ok(None);
        }
        self.relation(name, Taken::Other).map(Some)
    }

    pub(super) fn result_columns(&mut self, query: &Query) -> Outcome<ResultColumns> {
        let mut result = ResultColumns { columns: Vec::new(), known: true };
        if !query.values.is_empty() {
            let width = query.values.first().map_or(0, Vec::len);
            result.columns = (1..=width).map(|at| (Ident::new(format!("column{at}")), None)).collect();
            return Ok(result);
        }
        let mut visible = Vec::new();
        for item in &query.from {
            visible.push(self.visible(query, item)?);
        }
        self.columns_exist(query, &visible)?;
        for output in &query.outputs {
            match output {
                Output::All { qualifier } => {
                    for item in &visible {
                        if qualifier.is_some() && item.label != *qualifier {
                            continue;
                        }
                        result.known &= item.known;
                        for column in &item.columns {
                            // JOIN … USING shows its columns once.
                            let twice = qualifier.is_none() && result.columns.iter().any(|(name, _)| *name == column.0);
                            if !twice {
                                result.columns.push(column.clone());
                            }
                        }
                    }
                }
                Output::Value { value, alias } => {
                    // `(value).field` and the like name their column in ways a tree does not show.
                    result.known &= alias.is_some() || !matches!(value, Expr::Other { .. } | Expr::List(_));
                    let name = alias
                        .clone()
                        .unwrap_or_else(|| figure(value).map_or_else(|| Ident::new("?column?"), Ident::new));
                    result.columns.push((name, type_of(value, &visible)));
                }
            }
        }
        self.keep_types_of_all_arms(query, &mut result);
        Ok(result)
    }

    /// UNION and the like make one type of those of their arms: it is known where all have the same.
    fn keep_types_of_all_arms(&mut self, query: &Query, result: &mut ResultColumns) {
        for arm in &query.arms {
            let other = self.result_columns(arm).map(|other| other.columns).unwrap_or_default();
            for (place, (_, data_type)) in result.columns.iter_mut().enumerate() {
                let same = other.get(place).is_some_and(|(_, other)| other == data_type);
                *data_type = data_type.take().filter(|_| same);
            }
        }
    }

    /// The columns that outputs and filter name; silent where a source's columns are not all known.
    fn columns_exist(&self, query: &Query, visible: &[Visible]) -> Outcome {
        if visible.iter().any(|item| !item.known) {
            return Ok(());
        }
        let mut wrong = None;
        for expr in query.expressions() {
            expr.walk(&mut |one| {
                let Expr::Column { qualifier, name } = one else { return };
                let mut items =
                    visible.iter().filter(|item| qualifier.is_none() || item.label == *qualifier).peekable();
                let whole_row = visible.iter().any(|item| item.label.as_ref() == Some(name));
                let system = matches!(name.as_str(), "tableoid" | "ctid" | "xmin" | "xmax" | "cmin" | "cmax");
                let keyword = name.as_str().starts_with("current_")
                    || matches!(
                        name.as_str(),
                        "user" | "session_user" | "system_user" | "localtime" | "localtimestamp"
                    );
                if items.peek().is_none() || whole_row || system || keyword {
                    return;
                }
                if !items.any(|item| item.columns.iter().any(|(column, _)| column == name)) {
                    wrong = wrong.take().or(Some(name.clone()));
                }
            });
        }
        match wrong {
            Some(name) => {
                let message = format!("column {} does not exist", quoted(&name));
                Err(missing("42703", name.to_string(), message))
            }
            None => Ok(()),
        }
    }

    fn visible(&mut self, query: &Query, item: &FromItem) -> Outcome<Visible> {
        let label = item.label().cloned();
        let unknown = Visible { label: label.clone(), columns: Vec::new(), known: false };
        match &item.source {
            FromSource::Relation { name, .. } => {
                let common = query.with.iter().find(|table| name.schema.is_none() && table.name == name.name);
                if let Some(common) = common {
                    let CommonTableBody::Query(inner) = &common.body else { return Ok(unknown) };
                    let result = self.result_columns(inner)?;
                    return Ok(Visible { label, columns: result.columns, known: result.known });
                }
                let Some(id) = self.read_target(name)? else { return Ok(unknown) };
                Ok(match &self.schema.relation(id).kind {
                    RelationKind::Table(table) => {
                        let columns = table.columns.iter();
                        let columns = columns.map(|one| (one.name.clone(), one.data_type.clone())).collect();
                        Visible { label, columns, known: table.columns_known }
                    }
                    RelationKind::View(view) => {
                        let columns = view.columns.iter().map(|one| (one.clone(), None)).collect();
                        Visible { label, columns, known: view.columns_known }
                    }
                    RelationKind::Index(_) | RelationKind::Sequence(_) | RelationKind::Other => unknown,
                })
            }
            FromSource::Query(inner) => {
                let result = self.result_columns(inner)?;
                Ok(Visible { label, columns: result.columns, known: result.known })
            }
            FromSource::Function { .. } | FromSource::Other => Ok(unknown),
        }
    }

    pub(super) fn refresh_view(&mut self, refresh: &RefreshView) -> Outcome {
        let id = self.relation(&refresh.view, Taken::Other)?;
        let fits = match &self.schema.relation(id).kind {
            RelationKind::View(view) => view.materialized,
            RelationKind::Other => true,
            RelationKind::Table(_) | RelationKind::Index(_) | RelationKind::Sequence(_) => false,
        };
        if !fits {
            let message = format!("{} is not a materialized view", quoted_name(&refresh.view));
            let state = if self.since(15) { "42809" } else { "0A000" };
            return Err(refused(state, self.full(id), message));
        }
        if refresh.concurrently {
            self.refresh_concurrently(id)?;
        }
        let filled = refresh.with_data;
        self.schema.edit_view(id, |view| view.populated = filled);
        Ok(())
    }

    fn refresh_concurrently(&self, id: RelationId) -> Outcome {
        let Some(view) = self.schema.relation(id).as_view() else { return Ok(()) };
        let unique = self.indexes_in_order(id).into_iter().filter_map(|index| self.as_index(index)).any(|index| {
            index.unique
                && index.valid
                && index.filter.is_none()
                && super::index::key_columns(index).len() == index.parts.len()
        });
        let message = if !view.populated {
            "CONCURRENTLY cannot be used when the materialized view is not populated".to_owned()
        } else if !unique {
            format!("cannot refresh materialized view {} concurrently", quoted(&self.label(id)))
        } else {
            return Ok(());
        };
        let state = if view.populated { "55000" } else { "0A000" };
        Err(refused(state, self.full(id), message))
    }
}

fn type_of(value: &Expr, visible: &[Visible]) -> Option<TypeName> {
    match value {
        Expr::Cast { to, .. } => Some(to.clone()),
        Expr::Column { qualifier, name } => {
            let mut found = visible
                .iter()
                .filter(|item| qualifier.is_none() || item.label == *qualifier)
                .flat_map(|item| &item.columns)
                .filter(|(column, _)| column == name);
            found.next().and_then(|(_, data_type)| data_type.clone())
        }
        Expr::Constant(Constant::String(_)) => Some(TypeName::built_in("text")),
        Expr::Constant(Constant::Bool(_))
        | Expr::And(_)
        | Expr::Or(_)
        | Expr::Not(_)
        | Expr::IsNull(_)
        | Expr::Exists(_) => Some(TypeName::built_in("boolean")),
        Expr::Call { function, .. } => match function.name.as_str() {
            "count" | "row_number" => Some(TypeName::built_in("bigint")),
            "now" | "current_timestamp" => Some(TypeName::built_in("timestamp with time zone")),
            _ => None,
        },
        _ => None,
    }
}

/// The columns that a query depends on, each found from where it is named outwards.
struct Used<'a> {
    schema: &'a Schema,
    /// The relations it reads: a name of WITH is none of them.
    ids: BTreeSet<RelationId>,
    /// What FROM names, a list for each query around the place; subqueries and functions have no relation.
    scopes: Vec<Vec<(Ident, Option<RelationId>)>>,
    columns: BTreeSet<(RelationId, ColumnId)>,
}

impl Used<'_> {
    fn query(&mut self, query: &Query) {
        let items = query.from.iter().filter_map(|item| {
            let found = match &item.source {
                FromSource::Relation { name, .. } => self.schema.find(name).map(|found| found.id),
                FromSource::Query(_) | FromSource::Function { .. } | FromSource::Other => None,
            };
            Some((item.label()?.clone(), found.filter(|id| self.ids.contains(id))))
        });
        let items = items.collect();
        self.scopes.push(items);
        for output in &query.outputs {
            match output {
                Output::All { qualifier: None } => self.all_of_scope(),
                Output::All { qualifier: Some(label) } => self.all_of(label),
                Output::Value { value, .. } => self.expr(value),
            }
        }
        for item in &query.from {
            match &item.source {
                FromSource::Query(inner) => self.query(inner),
                FromSource::Function { arguments, .. } => arguments.iter().for_each(|one| self.expr(one)),
                FromSource::Relation { .. } | FromSource::Other => {}
            }
            item.on.iter().for_each(|on| self.expr(on));
        }
        query.filter.iter().chain(query.values.iter().flatten()).for_each(|one| self.expr(one));
        for table in &query.with {
            if let CommonTableBody::Query(inner) = &table.body {
                self.query(inner);
            }
        }
        self.scopes.pop();
        query.arms.iter().for_each(|arm| self.query(arm));
    }

    fn expr(&mut self, expr: &Expr) {
        expr.walk(&mut |one| match one {
            Expr::Column { qualifier: Some(label), name } => {
                let id = self.labelled(label);
                self.use_columns(id, |column| column == name);
            }
            Expr::Column { qualifier: None, name } => self.bare_column(name),
            Expr::Row { qualifier } => self.all_of(qualifier),
            _ => {}
        });
        for query in expr.queries() {
            self.query(query);
        }
    }

    /// A column without qualifier belongs to the innermost query that has one of that name; else the name may be a
    /// relation's whole row.
    fn bare_column(&mut self, name: &Ident) {
        for depth in (0..self.scopes.len()).rev() {
            let ids: Vec<RelationId> = self.scopes[depth].iter().filter_map(|(_, id)| *id).collect();
            let mut found = false;
            for id in ids {
                found |= self.use_columns(Some(id), |column| column == name);
            }
            if found {
                return;
            }
        }
        self.all_of(name);
    }

    fn labelled(&self, label: &Ident) -> Option<RelationId> {
        self.scopes.iter().rev().flatten().find(|(one, _)| one == label).and_then(|(_, id)| *id)
    }

    fn all_of(&mut self, label: &Ident) {
        self.use_columns(self.labelled(label), |_| true);
    }

    fn all_of_scope(&mut self) {
        for (_, id) in self.scopes.last().cloned().unwrap_or_default() {
            self.use_columns(id, |_| true);
        }
    }

    /// Notes the columns of a relation that are meant; whether there are any.
    fn use_columns(&mut self, id: Option<RelationId>, meant: impl Fn(&Ident) -> bool) -> bool {
        let Some(relation) = id.and_then(|id| self.schema.get_relation(id)) else { return false };
        let mut any = false;
        match &relation.kind {
            RelationKind::Table(table) => {
                for column in table.columns.iter().filter(|column| meant(&column.name)) {
                    any = true;
                    self.columns.insert((relation.id, column.id));
                }
            }
            RelationKind::View(view) => {
                for (at, _) in view.columns.iter().enumerate().filter(|(_, name)| meant(name)) {
                    any = true;
                    self.columns.insert((relation.id, ColumnId(at as u16 + 1)));
                }
            }
            RelationKind::Index(_) | RelationKind::Sequence(_) | RelationKind::Other => {}
        }
        any
    }
}
