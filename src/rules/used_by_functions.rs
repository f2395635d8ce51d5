//! Functions of the database that name a column which goes or gets another name. PostgreSQL keeps no record of what a
//! body names and looks it up when the function is called (manual, "PL/pgSQL Under the Hood"). Views, policies and
//! bodies in BEGIN ATOMIC it does know: what it refuses, or takes along, is told by the rules for that. Functions of
//! triggers have a rule of their own, which follows what they are run for.

use crate::operation::{Expr, Ident, LoopOver, Name, Node, Operation, Query, Rows, Write};
use crate::schema::{Function, Relation, Schema};
use crate::source::Span;

/// A function that fails when it is next called, and where its body names the column.
pub(super) struct Caller<'a> {
    pub function: &'a Function,
    pub column: Ident,
    pub at: Span,
}

/// The functions there are at the end that name one of these columns of a table; asked only where columns went.
pub(super) fn callers<'a>(schema: &'a Schema, relation: &Relation, columns: &[&Ident]) -> Vec<Caller<'a>> {
    let calls = schema.functions().filter(|function| &*function.returns != "trigger");
    let found = calls.filter_map(|function| {
        let (column, at) =
            columns.iter().find_map(|column| Some(((*column).clone(), named(schema, relation, function, column)?)))?;
        Some(Caller { function, column, at })
    });
    found.collect()
}

/// Where a body names a column of a table.
fn named(schema: &Schema, relation: &Relation, function: &Function, column: &Ident) -> Option<Span> {
    // Most bodies do not hold the word at all.
    if !function.body.text.to_ascii_lowercase().contains(&column.as_str().to_ascii_lowercase()) {
        return None;
    }
    let arguments = function.arguments.iter().filter_map(|argument| argument.name.as_ref());
    let mut variables = arguments.chain(function.body.variables.iter().map(|variable| &variable.name));
    if variables.any(|name| name == column) {
        return None;
    }
    let path = function.search_path.as_deref().unwrap_or(&schema.search_path);
    let asked = Asked { schema, relation, path, column };
    let mut found = None;
    function.body.nodes.iter().for_each(|node| asked.node(node, &mut found));
    found
}

struct Asked<'a> {
    schema: &'a Schema,
    relation: &'a Relation,
    path: &'a [Ident],
    column: &'a Ident,
}

impl Asked<'_> {
    fn node(&self, node: &Node, found: &mut Option<Span>) {
        if let Node::Loop(repeat) = node
            && let LoopOver::Query(query) = &repeat.over
            && self.in_query(query)
        {
            found.get_or_insert(repeat.span);
        }
        let value = match node {
            Node::Assign { value, span, .. } | Node::Return { value: Some(value), span } => Some((value, *span)),
            _ => None,
        };
        if let Some((_, span)) = value.filter(|(value, _)| self.in_value(value)) {
            found.get_or_insert(span);
        }
        if let Node::Guard { branches, .. } = node {
            let asks = branches.iter().find(|branch| self.in_value(&branch.condition.tree));
            *found = found.or(asks.map(|branch| branch.condition.span));
        }
        match node {
            Node::Guard { branches, otherwise } => {
                let bodies = branches.iter().flat_map(|branch| &branch.body);
                bodies.chain(otherwise).for_each(|node| self.node(node, found));
            }
            Node::Loop(repeat) => repeat.body.iter().for_each(|node| self.node(node, found)),
            Node::Block { body, handlers } => {
                let handled = handlers.iter().flat_map(|handler| &handler.body);
                body.iter().chain(handled).for_each(|node| self.node(node, found));
            }
            Node::Statement(statement) => {
                let names = match &statement.operation {
                    Operation::Query(query) => self.in_query(query),
                    Operation::Write(write) => self.in_write(write),
                    _ => false,
                };
                if names {
                    found.get_or_insert(statement.span);
                }
            }
            Node::Dynamic { .. }
            | Node::Assign { .. }
            | Node::Return { .. }
            | Node::Raise { .. }
            | Node::Leave { .. }
            | Node::Ruby(_) => {}
        }
    }

    fn in_value(&self, value: &Expr) -> bool {
        value.queries().into_iter().any(|query| self.in_query(query))
    }

    fn in_query(&self, query: &Query) -> bool {
        let expressions = query.expressions();
        let own =
            self.is_only_owner(&query.reads()) && expressions.iter().any(|expr| expr.columns().contains(&self.column));
        own || expressions.iter().any(|expr| self.in_value(expr)) || query.arms.iter().any(|arm| self.in_query(arm))
    }

    fn in_write(&self, write: &Write) -> bool {
        let target = self.is_it(&write.target);
        let assigned = write.assignments.iter().map(|(column, _)| column).chain(&write.columns);
        if target && assigned.into_iter().any(|column| column == self.column) {
            return true;
        }
        let mut named = write.reads();
        named.push(&write.target);
        let expressions = write.expressions();
        let own = self.is_only_owner(&named) && expressions.iter().any(|expr| expr.columns().contains(&self.column));
        let rows = matches!(&write.rows, Rows::Query(query) if self.in_query(query));
        own || rows || expressions.iter().any(|expr| self.in_value(expr))
    }

    fn find(&self, name: &Name) -> Option<&Relation> {
        self.schema.find_in(name, self.path).or_else(|| self.schema.find(name))
    }

    fn is_it(&self, name: &Name) -> bool {
        self.find(name).is_some_and(|found| found.id == self.relation.id)
    }

    /// The table is among these, and no other of them has such a column.
    fn is_only_owner(&self, names: &[&Name]) -> bool {
        let others = names.iter().filter(|name| !self.is_it(name));
        let has = |name: &&&Name| {
            let table = self.find(name).and_then(|relation| relation.as_table());
            table.is_none_or(|table| table.column(self.column).is_some())
        };
        names.iter().any(|name| self.is_it(name)) && !others.into_iter().any(|name| has(&name))
    }
}
