//! Feeds: which rows a trigger function writes to other tables, read from its body.
//!
//! Bodies are resolved against the schema at the step that asks, as PostgreSQL does when they run: names,
//! `NEW.*`, TG_ARGV, `format()`.

mod lookup;
mod used;
mod value;
mod walk;

pub use lookup::{Lookup, lookups_of};
pub use used::{Missing, MissingObject, Place, Use, Used, Uses};
pub use value::strip_qualifiers;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::operation::{Expr, Ident, Node, Operation, Statement, TriggerState, TriggerTiming};
use crate::read::dynamic::Variables;
use crate::schema::{FunctionId, RelationId, Schema, Trigger, TriggerId};
use crate::source::Span;
use walk::{Scope, Walk, plain};

/// One trigger's writes to one table.
#[derive(Debug, Clone, PartialEq)]
pub struct Feed {
    pub trigger: TriggerId,
    pub function: FunctionId,
    pub source: RelationId,
    /// As the body names it: a partitioned table or one partition.
    pub target: RelationId,
    pub writes: Vec<FeedWrite>,
    /// Where the body takes values from the target's own rows.
    pub reads: Vec<FeedRead>,
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
    /// Something but TG_OP is asked before it, or its WHERE asks for more than the key.
    pub bounded: bool,
    /// Values that an INSERT without a column list gives beyond the target's columns.
    pub surplus: usize,
    /// Error conditions that the body catches around it.
    pub caught: Vec<Arc<str>>,
    pub span: Span,
}

/// A query over the target whose result the trigger function goes on with.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedRead {
    /// Target columns that must equal the source columns beside them.
    pub key: Vec<(Ident, Ident)>,
    pub span: Span,
}

impl Feed {
    /// An INSERT into the source adds a row to the target.
    pub fn adds_rows_on_insert(&self) -> bool {
        self.writes.iter().any(|write| write.events.insert && matches!(write.kind, FeedKind::Insert { .. }))
    }
}

impl FeedWrite {
    /// An UPDATE of the source may add the row to the target.
    pub fn adds_rows_on_update(&self) -> bool {
        self.events.update && matches!(self.kind, FeedKind::Insert { .. })
    }

    /// The events on the target that follow from it.
    pub fn causes(&self) -> Events {
        let (insert, update, delete) = match self.kind {
            FeedKind::Insert { conflict } => (true, conflict == Conflict::Updates, false),
            FeedKind::Update => (false, true, false),
            FeedKind::Delete => (false, false, true),
        };
        Events { insert, update, delete }
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

    /// As statements: `INSERT`, `INSERT or UPDATE`.
    pub fn words(self) -> String {
        let named = [(self.insert, "INSERT"), (self.update, "UPDATE"), (self.delete, "DELETE")];
        let named: Vec<&str> = named.into_iter().filter(|(holds, _)| *holds).map(|(_, name)| name).collect();
        match named.as_slice() {
            [one, other, third] => format!("{one}, {other} or {third}"),
            some => some.join(" or "),
        }
    }

    /// Some event is in both.
    pub fn meets(self, other: Events) -> bool {
        !self.and(other).none()
    }

    /// The other one has all of them.
    pub fn lie_in(self, other: Events) -> bool {
        self.and(other) == self
    }

    fn or(self, other: Events) -> Events {
        Events {
            insert: self.insert || other.insert,
            update: self.update || other.update,
            delete: self.delete || other.delete,
        }
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

/// What one trigger's function writes.
#[derive(Debug, Default)]
pub struct Written {
    /// To tables that exist, whether the trigger is disabled or not.
    pub feeds: Vec<Feed>,
    /// The bare names of all targets, which may be made later, and of functions called.
    pub names: Vec<Ident>,
    /// All that the body names.
    pub uses: Option<Uses>,
}

/// Reads a trigger's function against the schema.
pub fn written_by(schema: &Schema, trigger: &Trigger) -> Written {
    let fires = fires(trigger);
    let Some(function) = trigger.function.and_then(|id| schema.get_function(id)) else { return Written::default() };
    let Some(source) = schema.get_relation(trigger.table) else { return Written::default() };
    let events = Events { insert: trigger.events.insert, update: trigger.events.update, delete: trigger.events.delete };
    let mut walk = Walk {
        schema,
        trigger,
        source,
        path: function.search_path.clone().unwrap_or_else(|| schema.search_path.clone()),
        found: Vec::new(),
        taken: Vec::new(),
        names: Vec::new(),
        calls: 0,
        uses: Vec::new(),
        unread: Vec::new(),
        variables: BTreeSet::new(),
        made: BTreeSet::new(),
    };
    used::own_names(function, &mut walk.variables, &mut walk.made);
    let mut scope = Scope { events, ..Scope::default() };
    scope.texts = Variables::of(&function.body);
    scope.texts.set("tg_table_name".into(), Some(source.name.name.as_str().into()));
    scope.texts.set("tg_relname".into(), Some(source.name.name.as_str().into()));
    scope.texts.set("tg_table_schema".into(), Some(source.name.schema.as_str().into()));
    // As regclass prints it, the schema left out where the search path names it.
    if walk.path.contains(&source.name.schema) {
        scope.texts.set("tg_relid".into(), Some(source.name.name.as_str().into()));
    }
    scope.texts.set_list("tg_argv".into(), trigger.arguments.clone());
    if let Some(when) = &trigger.when {
        scope.guards.extend(plain(&when.tree));
        scope.bounded = true;
    }
    walk.use_types(&function.body.variables, function.body.span, &scope);
    walk.nodes(&function.body.nodes, &mut scope);
    let (list, unread) = (std::mem::take(&mut walk.uses), std::mem::take(&mut walk.unread));
    let uses = Some(Uses { source: source.id, path: walk.path.clone(), list, unread });
    if trigger.timing == TriggerTiming::InsteadOf {
        return Written { uses, ..Written::default() };
    }
    let mut feeds: Vec<Feed> = Vec::new();
    for (target, write) in std::mem::take(&mut walk.found) {
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
                reads: walk.reads_of(target),
                fires,
                certain: trigger.existence.is_certain() && function.existence.is_certain(),
            }),
        }
    }
    Written { feeds, names: walk.names, uses }
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
                        .chain(&query.into_rest)
                        .filter(|into| into.schema.as_ref().is_some_and(|row| *row == "new"))
                        .map(|into| into.name.clone()),
                );
            }
            _ => {}
        }
    }
}

/// What BEFORE triggers of a table refuse on all of these events: `IF NEW.column IS NULL THEN RAISE EXCEPTION`.
pub fn refused_before(schema: &Schema, table: RelationId, events: Events) -> Vec<Expr> {
    let mut found = Vec::new();
    for trigger in schema.triggers_of(table) {
        let on = &trigger.events;
        let always = (on.insert || !events.insert)
            && (on.update && trigger.update_columns.is_empty() || !events.update)
            && (on.delete || !events.delete);
        let function = trigger.function.and_then(|id| schema.get_function(id));
        if always && trigger.timing == TriggerTiming::Before && trigger.when.is_none() && fires(trigger) {
            function.into_iter().for_each(|function| {
                collect_refused(&function.body.nodes, &mut found);
            });
        }
    }
    found
}

/// Follows a body while every way through it comes by; false where one may have left.
fn collect_refused(nodes: &[Node], found: &mut Vec<Expr>) -> bool {
    for node in nodes {
        match node {
            Node::Guard { branches, otherwise } => {
                let refusing = branches
                    .iter()
                    .take_while(|branch| walk::raises(&branch.body) && is_of_new(&branch.condition.tree));
                found.extend(refusing.map(|branch| strip_qualifiers(&branch.condition.tree)));
                let mut ways = branches.iter().map(|branch| &branch.body).chain([otherwise]);
                if ways.any(|body| !walk::raises(body) && may_leave(body)) {
                    return false;
                }
            }
            Node::Block { body, handlers } if handlers.is_empty() => {
                if !collect_refused(body, found) {
                    return false;
                }
            }
            Node::Statement(_) | Node::Assign { .. } | Node::Raise { fails: false, .. } => {}
            Node::Block { .. }
            | Node::Loop(_)
            | Node::Dynamic { .. }
            | Node::Leave { .. }
            | Node::Return { .. }
            | Node::Raise { .. }
            | Node::Ruby(_) => return false,
        }
    }
    true
}

fn may_leave(body: &[Node]) -> bool {
    body.iter().any(|node| !matches!(node, Node::Statement(_) | Node::Assign { .. } | Node::Raise { .. }))
}

fn is_of_new(condition: &Expr) -> bool {
    let mut own = true;
    condition.walk(&mut |expr| {
        own &= match expr {
            Expr::Column { qualifier, .. } => qualifier.as_ref().is_some_and(|row| *row == "new"),
            Expr::Subquery(_) | Expr::Exists(_) | Expr::InQuery { .. } | Expr::Other { .. } => false,
            _ => true,
        }
    });
    own
}
