//! Feeds: which rows a trigger function writes to other tables, read from its body.
//!
//! Bodies are resolved against the schema at the step that asks, as PostgreSQL does when they run: names,
//! `NEW.*`, TG_ARGV, `format()`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::operation::{
    Constant, Expr, FromItem, FromSource, Ident, Loop, Node, Operation, Output, Query, Rows, Statement, TriggerState,
    TriggerTiming, Write, WriteKind,
};
use crate::read::dynamic::{Variables, evaluate, parse};
use crate::schema::{Function, FunctionId, Relation, RelationId, Schema, Trigger, TriggerId};
use crate::source::Span;

/// One trigger's writes to one table.
#[derive(Debug, Clone, PartialEq)]
pub struct Feed {
    pub trigger: TriggerId,
    pub function: FunctionId,
    pub source: RelationId,
    /// As the body names it: a partitioned table or one partition.
    pub target: RelationId,
    pub writes: Vec<FeedWrite>,
    /// False while the trigger is disabled: nothing is written, and nobody else writes the target either.
    pub fires: bool,
    pub certain: bool,
}

/// One statement of a trigger function's body.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedWrite {
    pub events: Events,
    pub kind: FeedKind,
    /// Target column and where its value comes from.
    pub values: Vec<(Ident, Value)>,
    /// UPDATE, DELETE: target columns compared with source columns in WHERE.
    pub key: Vec<(Ident, Ident)>,
    /// Conditions over the source's columns (plain names) under which it runs.
    pub guards: Vec<Expr>,
    /// Error conditions that the body catches around it.
    pub caught: Vec<Arc<str>>,
    pub span: Span,
}

impl Feed {
    /// An INSERT into the source adds a row to the target.
    pub fn adds_rows_on_insert(&self) -> bool {
        self.writes.iter().any(|write| write.events.insert)
    }
}

impl FeedWrite {
    /// An UPDATE of the source may add the row to the target.
    pub fn adds_rows_on_update(&self) -> bool {
        self.events.update && matches!(self.kind, FeedKind::Insert { .. })
    }

    /// Where a target column's value comes from, if the write sets it.
    pub fn value_of(&self, column: &Ident) -> Option<&Value> {
        self.values.iter().find(|(name, _)| name == column).map(|(_, value)| value)
    }

    /// The error never reaches the source's statement.
    pub fn catches(&self, condition: &str) -> bool {
        self.caught.iter().any(|caught| &**caught == "others" || &**caught == condition)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedKind {
    Insert { conflict: Conflict },
    Update,
    Delete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    Fails,
    Ignored,
    Updates,
}

/// Where a written value comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `NEW.column`, or the same column of a transition table.
    Source(Ident),
    /// `OLD.column`.
    Old(Ident),
    /// Computed from the source row alone: source columns stand as plain names.
    Computed(Expr),
    Unknown,
}

/// The events of the source that lead to a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Events {
    pub insert: bool,
    pub update: bool,
    pub delete: bool,
}

impl Events {
    fn none(self) -> bool {
        !(self.insert || self.update || self.delete)
    }

    fn and(self, other: Events) -> Events {
        Events {
            insert: self.insert && other.insert,
            update: self.update && other.update,
            delete: self.delete && other.delete,
        }
    }

    fn without(self, other: Events) -> Events {
        Events {
            insert: self.insert && !other.insert,
            update: self.update && !other.update,
            delete: self.delete && !other.delete,
        }
    }

    const ALL: Events = Events { insert: true, update: true, delete: true };

    fn named(operation: &str) -> Events {
        Events {
            insert: operation.eq_ignore_ascii_case("insert"),
            update: operation.eq_ignore_ascii_case("update"),
            delete: operation.eq_ignore_ascii_case("delete"),
        }
    }
}

/// Functions called by functions are followed this far.
const CALL_LIMIT: usize = 4;

/// What one trigger's function writes.
#[derive(Debug, Default)]
pub struct Written {
    /// To tables that exist, whether the trigger is disabled or not.
    pub feeds: Vec<Feed>,
    /// The bare names of all targets: a table of that name may be made later.
    pub names: Vec<Ident>,
}

/// Reads a trigger's function against the schema.
pub fn written_by(schema: &Schema, trigger: &Trigger) -> Written {
    let fires = fires(trigger);
    let Some(function) = trigger.function.and_then(|id| schema.get_function(id)) else { return Written::default() };
    if trigger.timing == TriggerTiming::InsteadOf {
        return Written::default();
    }
    let Some(source) = schema.get_relation(trigger.table) else { return Written::default() };
    let events = Events { insert: trigger.events.insert, update: trigger.events.update, delete: trigger.events.delete };
    let mut walk = Walk {
        schema,
        trigger,
        source,
        path: function.search_path.clone().unwrap_or_else(|| schema.search_path.clone()),
        found: Vec::new(),
        names: Vec::new(),
        calls: 0,
    };
    let mut scope = Scope { events, ..Scope::default() };
    scope.texts = Variables::of(&function.body);
    scope.texts.set("tg_table_name".into(), Some(source.name.name.as_str().into()));
    scope.texts.set("tg_relname".into(), Some(source.name.name.as_str().into()));
    scope.texts.set("tg_table_schema".into(), Some(source.name.schema.as_str().into()));
    scope.texts.set_list("tg_argv".into(), trigger.arguments.clone());
    if let Some(when) = &trigger.when {
        scope.guards.extend(plain(&when.tree));
    }
    walk.nodes(&function.body.nodes, &mut scope);
    let mut feeds: Vec<Feed> = Vec::new();
    for (target, write) in walk.found {
        if target == source.id {
            continue;
        }
        match feeds.iter_mut().find(|feed| feed.target == target) {
            Some(feed) => feed.writes.push(write),
            None => feeds.push(Feed {
                trigger: trigger.id,
                function: function.id,
                source: source.id,
                target,
                writes: vec![write],
                fires,
                certain: trigger.existence.is_certain() && function.existence.is_certain(),
            }),
        }
    }
    Written { feeds, names: walk.names }
}

/// Whether a trigger fires in an ordinary session.
pub fn fires(trigger: &Trigger) -> bool {
    matches!(trigger.enabled, TriggerState::Origin | TriggerState::Always)
}

/// The columns that BEFORE triggers of a table assign: `NEW.column := …`.
pub fn assigned_before(schema: &Schema, table: RelationId) -> Vec<Ident> {
    let mut found = Vec::new();
    for trigger in schema.triggers_of(table) {
        let function = trigger.function.and_then(|id| schema.get_function(id));
        if trigger.timing == TriggerTiming::Before && trigger.enabled != TriggerState::Disabled {
            function.into_iter().for_each(|function| collect_assigned(&function.body.nodes, &mut found));
        }
    }
    found
}

fn collect_assigned(nodes: &[Node], found: &mut Vec<Ident>) {
    for node in nodes {
        match node {
            Node::Assign { qualifier: Some(row), target, .. } if *row == "new" => found.push(target.clone()),
            Node::Guard { branches, otherwise } => {
                branches.iter().for_each(|branch| collect_assigned(&branch.body, found));
                collect_assigned(otherwise, found);
            }
            Node::Loop(repeat) => collect_assigned(&repeat.body, found),
            Node::Block { body, handlers } => {
                collect_assigned(body, found);
                handlers.iter().for_each(|handler| collect_assigned(&handler.body, found));
            }
            Node::Statement(Statement { operation: Operation::Query(query), .. }) => {
                // SELECT … INTO NEW.column
                found.extend(
                    query
                        .into
                        .iter()
                        .filter(|into| into.schema.as_ref().is_some_and(|row| *row == "new"))
                        .map(|into| into.name.clone()),
                );
            }
            _ => {}
        }
    }
}

/// What is known at one place of a body.
#[derive(Debug, Clone)]
struct Scope {
    events: Events,
    guards: Vec<Expr>,
    caught: Vec<Arc<str>>,
    /// Variables and parameters whose value is an expression over the source row.
    values: BTreeMap<Ident, Expr>,
    texts: Variables,
    /// `$1` of EXECUTE … USING.
    using: Vec<Expr>,
}

impl Default for Scope {
    fn default() -> Scope {
        Scope {
            events: Events::ALL,
            guards: Vec::new(),
            caught: Vec::new(),
            values: BTreeMap::new(),
            texts: Variables::default(),
            using: Vec::new(),
        }
    }
}

struct Walk<'a> {
    schema: &'a Schema,
    trigger: &'a Trigger,
    source: &'a Relation,
    path: Vec<Ident>,
    found: Vec<(RelationId, FeedWrite)>,
    names: Vec<Ident>,
    calls: usize,
}

impl Walk<'_> {
    /// True where the nodes never run to their end.
    fn nodes(&mut self, nodes: &[Node], scope: &mut Scope) -> bool {
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
                        let (events, guards, exact) = self.condition(&branch.condition.tree);
                        let mut inner = rest.clone();
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
                        }
                    }
                }
                Node::Loop(Loop { body, variables, .. }) => {
                    let mut inner = scope.clone();
                    for variable in variables {
                        inner.values.remove(variable);
                        inner.texts.set(variable.clone(), None);
                    }
                    self.nodes(body, &mut inner);
                }
                Node::Block { body, handlers } => {
                    let mut inner = scope.clone();
                    inner.caught.extend(handlers.iter().flat_map(|handler| handler.conditions.iter().cloned()));
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
                Node::Assign { qualifier: None, target, value, .. } => {
                    let text = evaluate(value, &scope.texts);
                    scope.texts.set(target.clone(), text);
                    let value = substitute(value, scope);
                    scope.values.insert(target.clone(), value);
                }
                Node::Assign { .. } | Node::Raise { fails: false, .. } | Node::Leave { .. } => {}
                Node::Return { .. } | Node::Raise { .. } => return true,
            }
        }
        false
    }

    /// The events a condition lets through, its conjuncts over the source row, and whether TG_OP is all it asks.
    fn condition(&self, condition: &Expr) -> (Events, Vec<Expr>, bool) {
        let conjuncts: Vec<&Expr> = match condition {
            Expr::And(list) => list.iter().collect(),
            one => vec![one],
        };
        let mut events = Events::ALL;
        let mut guards = Vec::new();
        let mut exact = true;
        for conjunct in conjuncts {
            match operation_test(conjunct) {
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
                for one in write.all() {
                    self.write(one, statement.span, scope);
                }
            }
            Operation::Query(query) => {
                for one in query.writes().into_iter().flat_map(|write| write.all()) {
                    self.write(one, statement.span, scope);
                }
                if let Some(target) = &query.into {
                    scope.values.remove(&target.name);
                    scope.texts.set(target.name.clone(), None);
                }
                self.called(query, scope);
            }
            _ => {}
        }
    }

    /// A function of the project's own, called with values of the source row.
    fn called(&mut self, query: &Query, scope: &Scope) {
        for expr in query.expressions() {
            let Expr::Call { function, arguments } = expr else { continue };
            let [found] = self.schema.find_functions(function)[..] else { continue };
            if self.calls >= CALL_LIMIT {
                continue;
            }
            self.calls += 1;
            let mut inner = Scope { events: scope.events, guards: scope.guards.clone(), ..Scope::default() };
            inner.caught = scope.caught.clone();
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
        let Some(text) = evaluate(sql, &scope.texts) else { return };
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

    fn write(&mut self, write: &Write, span: Span, scope: &Scope) {
        if !self.names.contains(&write.target.name) {
            self.names.push(write.target.name.clone());
        }
        let Some(target) = self.schema.find_in(&write.target, &self.path) else { return };
        let mut guards = scope.guards.clone();
        let mut key = Vec::new();
        let (kind, values) = match write.kind {
            WriteKind::Insert => {
                let conflict = match &write.on_conflict {
                    None => Conflict::Fails,
                    Some(conflict) if conflict.update.is_none() => Conflict::Ignored,
                    Some(_) => Conflict::Updates,
                };
                (FeedKind::Insert { conflict }, self.inserted(write, target, scope, &mut guards))
            }
            WriteKind::Update => {
                key = self.compared(write, target, scope);
                let values = write.assignments.iter();
                let values = values.map(|(column, value)| (column.clone(), self.value(value, &[], false, scope)));
                (FeedKind::Update, values.collect())
            }
            WriteKind::Delete => {
                key = self.compared(write, target, scope);
                (FeedKind::Delete, Vec::new())
            }
            WriteKind::Merge | WriteKind::Copy => return,
        };
        let caught = scope.caught.clone();
        let write = FeedWrite { events: scope.events, kind, values, key, guards, caught, span };
        self.found.push((target.id, write));
    }

    /// Column and value of each column that an INSERT sets.
    fn inserted(&self, write: &Write, target: &Relation, scope: &Scope, guards: &mut Vec<Expr>) -> Vec<(Ident, Value)> {
        let mut values = Vec::new();
        match &write.rows {
            Rows::Values { first, .. } => {
                for value in first {
                    self.expand(value, &[], false, scope, &mut values);
                }
            }
            Rows::Query(query) => {
                let rows = self.row_labels(&query.from);
                // Beside another table a bare name may be either's.
                let alone = rows.len() == 1 && query.from.len() == 1;
                if let Some(filter) = &query.filter {
                    guards.extend(plain(&substitute(filter, scope)));
                }
                for output in &query.outputs {
                    match output {
                        Output::Value { value, .. } => self.expand(value, &rows, alone, scope, &mut values),
                        Output::All { qualifier } => {
                            let ours = match qualifier {
                                Some(name) => rows.contains(name) || name == "new",
                                None => alone,
                            };
                            if !ours {
                                // How many columns it stands for is not known, nor what comes after it.
                                return unknown(&write.columns, target);
                            }
                            values.extend(self.source_columns().map(Value::Source));
                        }
                    }
                }
            }
            Rows::None | Rows::Defaults => {}
        }
        let columns: Vec<Ident> = match (write.columns.as_slice(), target.as_table()) {
            ([], Some(table)) => table.columns.iter().map(|column| column.name.clone()).collect(),
            (named, _) => named.to_vec(),
        };
        columns.into_iter().zip(values).collect()
    }

    /// The aliases under which transition tables stand in FROM.
    fn row_labels(&self, from: &[FromItem]) -> Vec<Ident> {
        let tables = [&self.trigger.new_table, &self.trigger.old_table];
        let ours = from.iter().filter(|item| match &item.source {
            FromSource::Relation { name, .. } => tables.iter().any(|table| table.as_ref() == Some(&name.name)),
            FromSource::Query(_) | FromSource::Function { .. } | FromSource::Other => false,
        });
        ours.filter_map(|item| item.label().cloned()).collect()
    }

    fn source_columns(&self) -> impl Iterator<Item = Ident> {
        let table = self.source.as_table();
        let columns = table.map(|table| table.columns.as_slice()).unwrap_or_default();
        columns.iter().map(|column| column.name.clone())
    }

    fn expand(&self, value: &Expr, rows: &[Ident], alone: bool, scope: &Scope, values: &mut Vec<Value>) {
        match value {
            Expr::Row { qualifier } if qualifier == "new" || rows.contains(qualifier) => {
                values.extend(self.source_columns().map(Value::Source));
            }
            Expr::List(items) => items.iter().for_each(|item| self.expand(item, rows, alone, scope, values)),
            other => values.push(self.value(other, rows, alone, scope)),
        }
    }

    fn value(&self, value: &Expr, rows: &[Ident], alone: bool, scope: &Scope) -> Value {
        let value = substitute(value, scope);
        match value.as_column() {
            Some((Some(qualifier), name)) if qualifier == "new" || rows.contains(qualifier) => {
                return Value::Source(name.clone());
            }
            Some((Some(qualifier), name)) if qualifier == "old" => return Value::Old(name.clone()),
            Some((None, name)) if alone => return Value::Source(name.clone()),
            _ => {}
        }
        let mut own = true;
        value.walk(&mut |expr| {
            own &= match expr {
                Expr::Column { qualifier: Some(qualifier), .. } => qualifier == "new" || rows.contains(qualifier),
                Expr::Column { qualifier: None, .. }
                | Expr::Parameter(_)
                | Expr::Row { .. }
                | Expr::Subquery(_)
                | Expr::Exists(_)
                | Expr::InQuery { .. }
                | Expr::Other { .. } => false,
                _ => true,
            }
        });
        if !own {
            return Value::Unknown;
        }
        Value::Computed(strip_qualifiers(&value))
    }

    /// `target.column = NEW.column` of a WHERE.
    fn compared(&self, write: &Write, target: &Relation, scope: &Scope) -> Vec<(Ident, Ident)> {
        let Some(filter) = &write.filter else { return Vec::new() };
        let conjuncts: Vec<&Expr> = match filter {
            Expr::And(list) => list.iter().collect(),
            one => vec![one],
        };
        let own = |qualifier: Option<&Ident>| match qualifier {
            None => true,
            Some(name) => *name == target.name.name || write.alias.as_ref() == Some(name) || *name == write.target.name,
        };
        let rows = self.row_labels(&write.from);
        let row = |qualifier: Option<&Ident>| {
            qualifier.is_some_and(|name| name == "new" || name == "old" || rows.contains(name))
        };
        let pairs = conjuncts.into_iter().filter_map(|conjunct| {
            let Expr::Binary { operator, left, right } = conjunct else { return None };
            if &**operator != "=" {
                return None;
            }
            let (left, right) = (substitute(left, scope), substitute(right, scope));
            let (one, other) = (left.as_column()?, right.as_column()?);
            if row(other.0) && own(one.0) {
                Some((one.1.clone(), other.1.clone()))
            } else if row(one.0) && own(other.0) {
                Some((other.1.clone(), one.1.clone()))
            } else {
                None
            }
        });
        pairs.collect()
    }
}

fn input_names(function: &Function) -> impl Iterator<Item = Ident> {
    use crate::operation::ArgumentMode;
    let inputs = function.arguments.iter().filter(|argument| match argument.mode {
        ArgumentMode::In | ArgumentMode::InOut | ArgumentMode::Variadic => true,
        ArgumentMode::Out | ArgumentMode::Table => false,
    });
    inputs.map(|argument| argument.name.clone().unwrap_or_else(|| Ident::new("")))
}

/// Every column that an INSERT sets, with nothing known of the values.
fn unknown(columns: &[Ident], target: &Relation) -> Vec<(Ident, Value)> {
    let all = target.as_table().map(|table| table.columns.as_slice()).unwrap_or_default();
    let names: Vec<Ident> =
        if columns.is_empty() { all.iter().map(|column| column.name.clone()).collect() } else { columns.to_vec() };
    names.into_iter().map(|name| (name, Value::Unknown)).collect()
}

/// `TG_OP = 'INSERT'`, `TG_OP IN (…)`, `TG_OP <> 'DELETE'`, and OR of those.
fn operation_test(condition: &Expr) -> Option<Events> {
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

/// The conjuncts of a condition over the new row, with plain column names. Guards against recursion say nothing
/// about rows.
fn plain(condition: &Expr) -> Vec<Expr> {
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

/// Puts known expressions in the place of variables and `$n`.
fn substitute(expr: &Expr, scope: &Scope) -> Expr {
    if scope.values.is_empty() && scope.using.is_empty() {
        return expr.clone();
    }
    expr.map(&mut |node| match node {
        Expr::Column { qualifier: None, name } => scope.values.get(name).cloned(),
        Expr::Parameter(number) => {
            let number: usize = number.trim_start_matches('$').parse().ok()?;
            scope.using.get(number.checked_sub(1)?).cloned()
        }
        _ => None,
    })
}

/// `NEW.a` as `a`; OLD keeps its name, for it is another row.
pub fn strip_qualifiers(expr: &Expr) -> Expr {
    expr.map(&mut |node| match node {
        Expr::Column { qualifier: Some(qualifier), name } if qualifier != "old" => {
            Some(Expr::Column { qualifier: None, name: name.clone() })
        }
        _ => None,
    })
}
