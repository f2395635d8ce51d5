//! What a trigger function's body names: tables, columns, functions. PostgreSQL keeps no record of it and looks them up
//! when the statement runs (manual, "PL/pgSQL Under the Hood").

use std::collections::BTreeSet;

use super::Events;
use super::walk::{Scope, Walk};
use crate::operation::{
    CommonTable, CommonTableBody, Expr, FromItem, FromSource, Ident, Name, Node, Operation, Output, Query, Rows,
    Variable, Write,
};
use crate::schema::{Function, Gone, Relation, RelationId, Schema};
use crate::source::Span;

/// What one trigger's function names, with the search_path its names are looked up in.
#[derive(Debug, Clone, PartialEq)]
pub struct Uses {
    pub source: RelationId,
    pub path: Vec<Ident>,
    pub list: Vec<Use>,
    /// Where what it writes cannot be followed, and how it does it.
    pub unread: Vec<(Span, &'static str)>,
}

/// One name in a body, at the statement that holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    pub what: Used,
    pub events: Events,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Used {
    Relation(Name),
    /// A column of one of these tables.
    Column {
        tables: Vec<Place>,
        name: Ident,
    },
    Function(Name),
}

/// Where a column may be looked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// The table that the trigger is on: `NEW.c`, a transition table.
    Source,
    Named(Name),
}

/// Something that a body names and that this history took away.
#[derive(Debug, Clone, PartialEq)]
pub struct Missing {
    pub object: MissingObject,
    pub gone: Gone,
    pub events: Events,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum MissingObject {
    Relation(Name),
    Column(RelationId, Ident),
    Function(Name),
}

impl Uses {
    /// The bare names in it, by which a step finds it.
    pub fn names(&self) -> impl Iterator<Item = &Ident> {
        self.list.iter().map(|one| match &one.what {
            Used::Relation(name) | Used::Function(name) => &name.name,
            Used::Column { name, .. } => name,
        })
    }

    /// What is not there any more, each once.
    pub fn missing(&self, schema: &Schema) -> Vec<Missing> {
        let mut found: Vec<Missing> = Vec::new();
        for one in &self.list {
            let Some((object, gone)) = self.lost(schema, &one.what) else { continue };
            match found.iter_mut().find(|known| known.object == object) {
                Some(known) => known.events = known.events.or(one.events),
                None => {
                    found.push(Missing { object, gone: gone.clone(), events: one.events, span: one.span });
                }
            }
        }
        found
    }

    fn lost<'a>(&self, schema: &'a Schema, used: &Used) -> Option<(MissingObject, &'a Gone)> {
        match used {
            Used::Relation(name) => {
                if schema.find_in(name, &self.path).or_else(|| schema.find(name)).is_some() {
                    return None;
                }
                Some((MissingObject::Relation(name.clone()), schema.gone_in(name, &self.path)?))
            }
            Used::Function(name) => {
                let gone = schema.gone_function_in(name, &self.path)?;
                Some((MissingObject::Function(name.clone()), gone))
            }
            Used::Column { tables, name } => {
                let places: Option<Vec<&Relation>> = tables.iter().map(|place| self.place(schema, place)).collect();
                let places = places?;
                // A view's columns, and those of a table that was only named, are not known.
                let lacks = |relation: &&Relation| {
                    relation.as_table().is_some_and(|table| {
                        table.column(name).is_none()
                            && (table.columns_known || schema.gone_column(relation.id, name).is_some())
                    })
                };
                if !places.iter().all(lacks) {
                    return None;
                }
                places.iter().find_map(|relation| {
                    let gone = schema.gone_column(relation.id, name)?;
                    Some((MissingObject::Column(relation.id, name.clone()), gone))
                })
            }
        }
    }

    fn place<'a>(&self, schema: &'a Schema, place: &Place) -> Option<&'a Relation> {
        match place {
            Place::Source => schema.get_relation(self.source),
            Place::Named(name) => schema.find_in(name, &self.path).or_else(|| schema.find(name)),
        }
    }
}

/// The items that a bare column may belong to, the innermost query's first; `None` where an item's columns are not known.
type Items = Vec<(Option<Ident>, Option<Place>)>;

/// Errors after which the body goes on: what is missing then stops no write.
const CAUGHT: [&str; 6] = [
    "others",
    "undefined_table",
    "undefined_column",
    "undefined_function",
    "syntax_error_or_access_rule_violation",
    "42p01",
];

impl Walk<'_> {
    pub(super) fn note_use(&mut self, what: Used, span: Span, scope: &Scope) {
        if scope.unsure || scope.caught.iter().any(|caught| CAUGHT.contains(&&**caught)) {
            return;
        }
        let known = self.uses.iter_mut().find(|one| one.what == what);
        match known {
            Some(known) => known.events = known.events.or(scope.events),
            None => self.uses.push(Use { what, events: scope.events, span }),
        }
    }

    /// Tables named in the types of variables: `t%ROWTYPE`, `t.c%TYPE`.
    pub(super) fn use_types(&mut self, variables: &[Variable], span: Span, scope: &Scope) {
        for variable in variables {
            let Some((name, kind)) = variable.data_type.split_once('%') else { continue };
            if name.contains('"') || name.contains(' ') {
                continue;
            }
            let mut parts: Vec<Ident> = name.split('.').map(|part| Ident::new(part.to_ascii_lowercase())).collect();
            let column = if kind.eq_ignore_ascii_case("type") { parts.pop() } else { None };
            let Some(table) = parts.pop() else { continue };
            // `new.c%TYPE`, `row.c%TYPE` of another variable.
            if table == "new" || table == "old" || variables.iter().any(|other| other.name == table) {
                continue;
            }
            let name = Name { schema: parts.pop(), ..Name::bare(table) };
            self.note_use(Used::Relation(name.clone()), span, scope);
            if let Some(column) = column {
                self.note_use(Used::Column { tables: vec![Place::Named(name)], name: column }, span, scope);
            }
        }
    }

    pub(super) fn use_write(&mut self, write: &Write, span: Span, scope: &Scope) {
        self.use_write_in(write, &Vec::new(), &[], span, scope);
    }

    fn use_write_in(&mut self, write: &Write, outer: &Items, common: &[Ident], span: Span, scope: &Scope) {
        let common = self.use_with(&write.with, outer, common, span, scope);
        let target = Place::Named(write.target.clone());
        if self.is_own(&write.target) {
            return;
        }
        self.note_use(Used::Relation(write.target.clone()), span, scope);
        let assigned = write.assignments.iter().map(|(column, _)| column);
        let conflict = write.on_conflict.as_ref();
        let updated = conflict.and_then(|conflict| conflict.update.as_ref()).into_iter().flatten();
        let columns = write.columns.iter().chain(assigned).chain(updated.map(|(column, _)| column));
        for column in columns.chain(conflict.into_iter().flat_map(|conflict| &conflict.columns)) {
            self.note_use(Used::Column { tables: vec![target.clone()], name: column.clone() }, span, scope);
        }
        let label = write.alias.clone().unwrap_or_else(|| write.target.name.clone());
        let mut items = self.use_from(&write.from, outer, &common, span, scope);
        // The values of an INSERT know no table of their own.
        if let Rows::Values { first, .. } = &write.rows {
            first.iter().for_each(|value| self.use_expr(value, &items, &common, span, scope));
        }
        if let Rows::Query(query) = &write.rows {
            self.use_query_in(query, outer, &common, span, scope);
        }
        items.push((Some(label), Some(target.clone())));
        items.push((Some("excluded".into()), Some(target)));
        let rest = write.assignments.iter().map(|(_, value)| value).chain(&write.filter);
        let after = conflict.into_iter().flat_map(|conflict| {
            let values = conflict.update.iter().flatten().map(|(_, value)| value);
            values.chain(&conflict.filter)
        });
        rest.chain(after).for_each(|value| self.use_expr(value, &items, &common, span, scope));
    }

    pub(super) fn use_query(&mut self, query: &Query, span: Span, scope: &Scope) {
        self.use_query_in(query, &Vec::new(), &[], span, scope);
    }

    fn use_query_in(&mut self, query: &Query, outer: &Items, common: &[Ident], span: Span, scope: &Scope) {
        let common = self.use_with(&query.with, outer, common, span, scope);
        let items = self.use_from(&query.from, outer, &common, span, scope);
        for output in &query.outputs {
            if let Output::Value { value, .. } = output {
                self.use_expr(value, &items, &common, span, scope);
            }
        }
        query.filter.iter().for_each(|filter| self.use_expr(filter, &items, &common, span, scope));
        query.values.iter().flatten().for_each(|value| self.use_expr(value, &items, &common, span, scope));
        query.arms.iter().for_each(|arm| self.use_query_in(arm, outer, &common, span, scope));
    }

    /// The bodies of WITH; gives the names it adds.
    fn use_with(
        &mut self,
        with: &[CommonTable],
        outer: &Items,
        common: &[Ident],
        span: Span,
        scope: &Scope,
    ) -> Vec<Ident> {
        let mut names = common.to_vec();
        names.extend(with.iter().map(|table| table.name.clone()));
        for table in with {
            match &table.body {
                CommonTableBody::Query(query) => self.use_query_in(query, outer, &names, span, scope),
                CommonTableBody::Write(write) => self.use_write_in(write, outer, &names, span, scope),
            }
        }
        names
    }

    fn use_from(&mut self, from: &[FromItem], outer: &Items, common: &[Ident], span: Span, scope: &Scope) -> Items {
        let mut items = Items::new();
        for item in from {
            let place = match &item.source {
                FromSource::Relation { name, .. } => {
                    let transition = [&self.trigger.new_table, &self.trigger.old_table];
                    if name.schema.is_none() && transition.iter().any(|table| table.as_ref() == Some(&name.name)) {
                        Some(Place::Source)
                    } else if name.schema.is_none() && common.contains(&name.name) || self.is_own(name) {
                        None
                    } else {
                        self.note_use(Used::Relation(name.clone()), span, scope);
                        Some(Place::Named(name.clone()))
                    }
                }
                FromSource::Query(query) => {
                    self.use_query_in(query, outer, common, span, scope);
                    None
                }
                FromSource::Function { name, arguments } => {
                    self.note_use(Used::Function(name.clone()), span, scope);
                    let before: Items = items.iter().chain(outer).cloned().collect();
                    arguments.iter().for_each(|value| self.use_expr(value, &before, common, span, scope));
                    None
                }
                FromSource::Other => None,
            };
            items.push((item.label().cloned(), place));
        }
        items.extend(outer.iter().cloned());
        for on in from.iter().filter_map(|item| item.on.as_ref()) {
            self.use_expr(on, &items, common, span, scope);
        }
        items
    }

    pub(super) fn use_value(&mut self, value: &Expr, span: Span, scope: &Scope) {
        self.use_expr(value, &Vec::new(), &[], span, scope);
    }

    fn use_expr(&mut self, expr: &Expr, items: &Items, common: &[Ident], span: Span, scope: &Scope) {
        let mut found = Vec::new();
        let mut queries = Vec::new();
        expr.walk(&mut |part| match part {
            Expr::Column { qualifier, name } => found.extend(self.column_use(qualifier.as_ref(), name, items)),
            Expr::Call { function, .. } => found.push(Used::Function(function.clone())),
            Expr::InQuery { query, .. } | Expr::Exists(query) | Expr::Subquery(query) => queries.push(&**query),
            _ => {}
        });
        found.into_iter().for_each(|used| self.note_use(used, span, scope));
        queries.into_iter().for_each(|query| self.use_query_in(query, items, common, span, scope));
    }

    fn column_use(&self, qualifier: Option<&Ident>, name: &Ident, items: &Items) -> Option<Used> {
        let column = |tables| Some(Used::Column { tables, name: name.clone() });
        let Some(qualifier) = qualifier else {
            // A variable, or a column of one of the items; where one of these is not known it may be that one's.
            if self.variables.contains(name) || items.is_empty() {
                return None;
            }
            let tables: Option<Vec<Place>> = items.iter().map(|(_, place)| place.clone()).collect();
            return column(tables?);
        };
        match items.iter().find(|(label, _)| label.as_ref() == Some(qualifier)) {
            Some((_, Some(place))) => column(vec![place.clone()]),
            Some((_, None)) => None,
            // Only the trigger's own function knows NEW and OLD.
            None if (qualifier == "new" || qualifier == "old") && self.calls == 0 => column(vec![Place::Source]),
            None => None,
        }
    }

    /// Made by the body itself, as a temporary table is.
    fn is_own(&self, name: &Name) -> bool {
        self.made.contains(&name.name)
    }
}

/// The expressions under which a body looks before it leaps: `to_regclass('t') IS NOT NULL`, a look at the catalog.
pub(super) fn asks_catalog(condition: &Expr) -> bool {
    let asks = |name: &Name| matches!(name.name.as_str(), "to_regclass" | "to_regproc" | "to_regprocedure");
    let reads = |query: &&Query| {
        query.reads().iter().any(|name| {
            name.schema.as_ref().is_some_and(|schema| schema == "information_schema" || schema == "pg_catalog")
                || name.name.as_str().starts_with("pg_")
        })
    };
    condition.calls().into_iter().any(asks) || condition.queries().iter().any(reads)
}

/// The names that mean variables in a body, and the tables that it makes itself.
pub(super) fn own_names(function: &Function, variables: &mut BTreeSet<Ident>, made: &mut BTreeSet<Ident>) {
    variables.extend(function.body.variables.iter().map(|variable| variable.name.clone()));
    variables.extend(function.arguments.iter().filter_map(|argument| argument.name.clone()));
    collect_own(&function.body.nodes, variables, made);
}

fn collect_own(nodes: &[Node], variables: &mut BTreeSet<Ident>, made: &mut BTreeSet<Ident>) {
    for node in nodes {
        match node {
            Node::Statement(statement) => match &statement.operation {
                Operation::CreateTable(create) => drop(made.insert(create.name.name.clone())),
                Operation::CreateTableAs(create) => drop(made.insert(create.name.name.clone())),
                _ => {}
            },
            Node::Guard { branches, otherwise } => {
                branches.iter().for_each(|branch| collect_own(&branch.body, variables, made));
                collect_own(otherwise, variables, made);
            }
            Node::Loop(repeat) => {
                variables.extend(repeat.variables.iter().cloned());
                collect_own(&repeat.body, variables, made);
            }
            Node::Block { body, handlers } => {
                collect_own(body, variables, made);
                handlers.iter().for_each(|handler| collect_own(&handler.body, variables, made));
            }
            Node::Assign { qualifier: None, target, .. } => drop(variables.insert(target.clone())),
            Node::Assign { .. }
            | Node::Dynamic { .. }
            | Node::Return { .. }
            | Node::Raise { .. }
            | Node::Leave { .. }
            | Node::Ruby(_) => {}
        }
    }
}
