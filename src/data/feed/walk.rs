//! Walks a trigger function's body: under which events and conditions each of its writes runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::used::{Use, Used, asks_catalog, own_names};
use super::value::{input_names, strip_qualifiers, substitute};
use super::{Events, FeedWrite};
use crate::operation::{Constant, Expr, Ident, Loop, LoopOver, Node, Operation, Query, Statement};
use crate::read::dynamic::{Variables, compare, evaluate, parse};
use crate::schema::{Relation, RelationId, Schema, Trigger};
use crate::source::Span;

/// Functions called by functions are followed this far.
const CALL_LIMIT: usize = 4;

/// What is known at one place of a body.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub(super) events: Events,
    pub(super) guards: Vec<Expr>,
    pub(super) caught: Vec<Arc<str>>,
    /// Variables and parameters whose value is an expression over the source row.
    pub(super) values: BTreeMap<Ident, Expr>,
    /// Likewise the fields of row variables: the variable, and the field.
    pub(super) fields: BTreeMap<(Ident, Ident), Expr>,
    pub(super) texts: Variables,
    /// `$1` of EXECUTE … USING.
    pub(super) using: Vec<Expr>,
    /// Under a condition that asks which table it is, or what there is, and could not be decided.
    pub(super) unsure: bool,
    /// Something but TG_OP was asked on the way here.
    pub(super) bounded: bool,
}

impl Default for Scope {
    fn default() -> Scope {
        Scope {
            events: Events::ALL,
            guards: Vec::new(),
            caught: Vec::new(),
            values: BTreeMap::new(),
            fields: BTreeMap::new(),
            texts: Variables::default(),
            using: Vec::new(),
            unsure: false,
            bounded: false,
        }
    }
}

impl Scope {
    /// A variable, or a row with its fields, gets a value that is not known.
    fn forget(&mut self, variable: &Ident) {
        self.values.remove(variable);
        self.fields.retain(|(row, _), _| row != variable);
    }
}

pub(super) struct Walk<'a> {
    pub(super) schema: &'a Schema,
    pub(super) trigger: &'a Trigger,
    pub(super) source: &'a Relation,
    pub(super) path: Vec<Ident>,
    pub(super) found: Vec<(RelationId, FeedWrite)>,
    /// Queries whose result the body takes.
    pub(super) taken: Vec<(Query, Scope, Span)>,
    pub(super) names: Vec<Ident>,
    pub(super) calls: usize,
    pub(super) uses: Vec<Use>,
    pub(super) unread: Vec<(Span, &'static str)>,
    pub(super) variables: BTreeSet<Ident>,
    pub(super) made: BTreeSet<Ident>,
}

impl Walk<'_> {
    /// True where the nodes never run to their end.
    pub(super) fn nodes(&mut self, nodes: &[Node], scope: &mut Scope) -> bool {
        for node in nodes {
            if scope.events.none() {
                return true;
            }
            match node {
                Node::Statement(statement) => self.statement(statement, scope),
                Node::Guard { branches, otherwise } => {
                    let mut rest = scope.clone();
                    let mut after: Vec<Scope> = Vec::new();
                    for branch in branches {
                        let (events, guards, exact) = self.condition(&branch.condition.tree, &rest);
                        self.use_value(&branch.condition.tree, branch.condition.span, &rest);
                        rest.bounded |= !exact;
                        let mut inner = rest.clone();
                        inner.unsure |=
                            asks_catalog(&branch.condition.tree) || asks_table(&branch.condition.tree) && !exact;
                        inner.events = rest.events.and(events);
                        inner.guards.extend(guards.clone());
                        if !self.nodes(&branch.body, &mut inner) {
                            after.push(inner);
                        }
                        if exact {
                            rest.events = rest.events.without(events);
                        } else if events == Events::ALL {
                            rest.guards.push(Expr::Not(Box::new(all_of(guards))));
                        }
                    }
                    if !self.nodes(otherwise, &mut rest) {
                        after.push(rest);
                    }
                    match after.as_slice() {
                        [] => return true,
                        // One way goes on: what it knows holds from here.
                        [only] => *scope = only.clone(),
                        several => {
                            scope.events = several.iter().fold(several[0].events, |all, one| Events {
                                insert: all.insert || one.events.insert,
                                update: all.update || one.events.update,
                                delete: all.delete || one.events.delete,
                            });
                            scope
                                .values
                                .retain(|name, value| several.iter().all(|one| one.values.get(name) == Some(value)));
                            scope.fields = several[0].fields.clone();
                            scope
                                .fields
                                .retain(|field, value| several.iter().all(|one| one.fields.get(field) == Some(value)));
                        }
                    }
                }
                Node::Loop(Loop { body, variables, over, span }) => {
                    match over {
                        LoopOver::Query(query) => self.use_query(query, *span, scope),
                        LoopOver::Array(value) | LoopOver::While(value) => self.use_value(value, *span, scope),
                        LoopOver::Range { .. } | LoopOver::Endless | LoopOver::Unknown => {}
                    }
                    let mut inner = scope.clone();
                    for variable in variables {
                        inner.forget(variable);
                        inner.texts.set(variable.clone(), None);
                    }
                    self.nodes(body, &mut inner);
                }
                Node::Block { body, handlers } => {
                    let mut inner = scope.clone();
                    // A handler that raises again catches nothing.
                    let catching = handlers.iter().filter(|handler| !raises(&handler.body));
                    inner.caught.extend(catching.flat_map(|handler| handler.conditions.iter().cloned()));
                    let leaves = self.nodes(body, &mut inner);
                    for handler in handlers {
                        self.nodes(&handler.body, &mut scope.clone());
                    }
                    inner.caught = scope.caught.clone();
                    if leaves && handlers.is_empty() {
                        return true;
                    }
                    *scope = inner;
                }
                Node::Dynamic { sql, using, span, .. } => self.dynamic(sql, using, *span, scope),
                Node::Assign { qualifier: None, target, value, span } => {
                    self.use_value(value, *span, scope);
                    let text = evaluate(value, &scope.texts);
                    scope.texts.set(target.clone(), text);
                    self.take_value(value, *span, scope);
                    let value = substitute(value, scope);
                    scope.forget(target);
                    scope.values.insert(target.clone(), value);
                }
                Node::Assign { qualifier: Some(row), target, value, span } if *row != "new" && *row != "old" => {
                    self.use_value(value, *span, scope);
                    self.take_value(value, *span, scope);
                    let value = substitute(value, scope);
                    scope.fields.insert((row.clone(), target.clone()), value);
                }
                Node::Assign { qualifier, target, value, span } => {
                    self.use_value(value, *span, scope);
                    self.take_value(value, *span, scope);
                    let field = Expr::Column { qualifier: qualifier.clone(), name: target.clone() };
                    self.use_value(&field, *span, scope);
                }
                Node::Raise { fails: false, .. } | Node::Leave { .. } | Node::Ruby(_) => {}
                Node::Return { value, span } => {
                    value.iter().for_each(|value| self.use_value(value, *span, scope));
                    return true;
                }
                Node::Raise { .. } => return true,
            }
        }
        false
    }

    /// The events a condition lets through, its conjuncts over the source row, and whether TG_OP is all it asks.
    fn condition(&self, condition: &Expr, scope: &Scope) -> (Events, Vec<Expr>, bool) {
        let conjuncts: Vec<&Expr> = match condition {
            Expr::And(list) => list.iter().collect(),
            one => vec![one],
        };
        let mut events = Events::ALL;
        let mut guards = Vec::new();
        let mut exact = true;
        for conjunct in conjuncts {
            match operation_test(conjunct).or_else(|| table_test(conjunct, &scope.texts)) {
                Some(tested) => events = events.and(tested),
                None => {
                    exact = false;
                    guards.extend(plain(conjunct));
                }
            }
        }
        (events, guards, exact)
    }

    fn statement(&mut self, statement: &Statement, scope: &mut Scope) {
        match &statement.operation {
            Operation::Write(write) => {
                self.use_write(write, statement.span, scope);
                for one in write.all() {
                    self.write(one, statement.span, scope);
                }
            }
            Operation::Query(query) => {
                self.use_query(query, statement.span, scope);
                for one in query.writes().into_iter().flat_map(|write| write.all()) {
                    self.write(one, statement.span, scope);
                }
                if let Some(target) = &query.into {
                    self.taken.push(((**query).clone(), scope.clone(), statement.span));
                    scope.forget(&target.name);
                    scope.texts.set(target.name.clone(), None);
                }
                self.called(query, scope);
            }
            Operation::Call { function, .. } => self.note_use(Used::Function(function.clone()), statement.span, scope),
            Operation::Truncate(truncate) => {
                for table in &truncate.tables {
                    self.note_use(Used::Relation(table.name.clone()), statement.span, scope);
                }
            }
            _ => {}
        }
    }

    fn take_value(&mut self, value: &Expr, span: Span, scope: &Scope) {
        value.walk(&mut |expr| {
            if let Expr::Subquery(query) = expr {
                self.taken.push(((**query).clone(), scope.clone(), span));
            }
        });
    }

    /// A function of the project's own, called with values of the source row.
    fn called(&mut self, query: &Query, scope: &Scope) {
        for expr in query.expressions() {
            let Expr::Call { function, arguments } = expr else { continue };
            if !self.names.contains(&function.name) {
                self.names.push(function.name.clone());
            }
            let [found] = self.schema.find_functions(function)[..] else { continue };
            if self.calls >= CALL_LIMIT {
                continue;
            }
            self.calls += 1;
            own_names(found, &mut self.variables, &mut self.made);
            let mut inner = Scope { events: scope.events, guards: scope.guards.clone(), ..Scope::default() };
            inner.caught = scope.caught.clone();
            inner.unsure = scope.unsure;
            inner.bounded = scope.bounded;
            inner.texts = Variables::of(&found.body);
            for (parameter, argument) in input_names(found).zip(arguments) {
                inner.texts.set(parameter.clone(), evaluate(argument, &scope.texts));
                inner.values.insert(parameter, substitute(argument, scope));
            }
            let nodes = found.body.nodes.clone();
            self.nodes(&nodes, &mut inner);
            self.calls -= 1;
        }
    }

    fn dynamic(&mut self, sql: &Expr, using: &[Expr], span: Span, scope: &mut Scope) {
        let Some(text) = evaluate(sql, &scope.texts) else {
            if !writes_nothing(sql) {
                self.unread.push((span, "runs a text that is made at run time"));
            }
            return;
        };
        let mut text = text.to_string();
        for (number, value) in using.iter().enumerate() {
            // `($1).*` and `$1.id` of USING NEW are the source row itself.
            if let Expr::Column { qualifier: None, name } = value
                && (name == "new" || name == "old")
            {
                let name = name.as_str();
                text = text
                    .replace(&format!("(${})", number + 1), name)
                    .replace(&format!("${}.", number + 1), &format!("{name}."));
            }
        }
        let mut inner = scope.clone();
        inner.using = using.iter().map(|value| substitute(value, scope)).collect();
        let nodes = parse(&text, span);
        self.nodes(&nodes, &mut inner);
    }
}

/// `TG_OP = 'INSERT'`, `TG_OP IN (…)`, `TG_OP <> 'DELETE'`, and OR of those.
pub(super) fn operation_test(condition: &Expr) -> Option<Events> {
    let is_operation = |expr: &Expr| matches!(expr.as_column(), Some((None, name)) if name == "tg_op");
    let word = |expr: &Expr| match expr {
        Expr::Constant(Constant::String(text)) => Some(Events::named(text)),
        _ => None,
    };
    match condition {
        Expr::Binary { operator, left, right } if is_operation(left) => match &**operator {
            "=" => word(right),
            "<>" | "!=" => Some(Events::ALL.without(word(right)?)),
            _ => None,
        },
        Expr::Binary { operator, left, right } if is_operation(right) && &**operator == "=" => word(left),
        Expr::In { value, list } if is_operation(value) => {
            list.iter().try_fold(Events { insert: false, update: false, delete: false }, |all, item| {
                let one = word(item)?;
                Some(Events {
                    insert: all.insert || one.insert,
                    update: all.update || one.update,
                    delete: all.delete || one.delete,
                })
            })
        }
        Expr::Or(list) => list.iter().map(operation_test).try_fold(
            Events { insert: false, update: false, delete: false },
            |all, one| {
                let one = one?;
                Some(Events {
                    insert: all.insert || one.insert,
                    update: all.update || one.update,
                    delete: all.delete || one.delete,
                })
            },
        ),
        Expr::Not(inner) => Some(Events::ALL.without(operation_test(inner)?)),
        _ => None,
    }
}

/// A text whose first word is of a statement that writes no rows, whatever comes after.
fn writes_nothing(sql: &Expr) -> bool {
    const WORDS: [&str; 6] = ["select", "notify", "create", "drop", "alter", "analyze"];
    match sql {
        Expr::Constant(Constant::String(text)) => {
            let first = text.split_whitespace().next();
            first.is_some_and(|first| WORDS.iter().any(|word| word.eq_ignore_ascii_case(first)))
        }
        Expr::Binary { left, .. } => writes_nothing(left),
        Expr::Call { arguments, .. } => arguments.first().is_some_and(writes_nothing),
        Expr::Cast { value, .. } => writes_nothing(value),
        _ => false,
    }
}

pub(super) fn raises(body: &[Node]) -> bool {
    body.iter().any(|node| matches!(node, Node::Raise { fails: true, .. }))
}

/// What a trigger shared by several tables is told: which one it is, and its arguments.
fn asks_table(condition: &Expr) -> bool {
    let told = ["tg_table_name", "tg_relname", "tg_table_schema", "tg_argv", "tg_name", "tg_nargs", "tg_relid"];
    condition.columns().into_iter().any(|name| told.contains(&name.as_str()))
}

/// `TG_TABLE_NAME = 'orders'`, `TG_TABLE_NAME IN (…)`, which this trigger decides: all events, or none.
fn table_test(condition: &Expr, texts: &Variables) -> Option<Events> {
    if !asks_table(condition) {
        return None;
    }
    let nothing = Events::ALL.without(Events::ALL);
    let holds = match condition {
        Expr::Binary { operator, left, right } => compare(operator, left, right, texts)?,
        Expr::In { value, list } => {
            let value = evaluate(value, texts)?;
            let items: Option<Vec<_>> = list.iter().map(|item| evaluate(item, texts)).collect();
            items?.contains(&value)
        }
        Expr::Not(inner) => return Some(Events::ALL.without(table_test(inner, texts)?)),
        _ => return None,
    };
    Some(if holds { Events::ALL } else { nothing })
}

/// The conjuncts of a condition over the new row, with plain column names. Guards against recursion say nothing
/// about rows.
pub(super) fn plain(condition: &Expr) -> Vec<Expr> {
    let conjuncts: Vec<&Expr> = match condition {
        Expr::And(list) => list.iter().collect(),
        one => vec![one],
    };
    let about_rows = conjuncts.into_iter().filter(|conjunct| {
        !conjunct.calls().iter().any(|name| name.name == "pg_trigger_depth" || name.name == "current_setting")
    });
    about_rows.map(strip_qualifiers).collect()
}

fn all_of(mut conjuncts: Vec<Expr>) -> Expr {
    if conjuncts.len() == 1 { conjuncts.remove(0) } else { Expr::And(conjuncts) }
}
