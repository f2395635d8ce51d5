//! Lookups: columns that BEFORE triggers take from a row of another table. Where that row is missing they become NULL.

use std::collections::BTreeMap;

use super::walk::operation_test;
use super::{Events, assigned_before, fires, may_leave};
use crate::operation::{Expr, FromSource, Ident, Name, Node, Operation, Output, Query, Statement, TriggerTiming};
use crate::schema::{FunctionId, RelationId, Schema, Trigger, TriggerId};
use crate::source::Span;

/// `NEW.column := (SELECT value FROM from WHERE key = NEW.column)` of a row trigger.
#[derive(Debug, Clone, PartialEq)]
pub struct Lookup {
    pub trigger: TriggerId,
    pub function: FunctionId,
    /// The table that the trigger is on, and its column that is set.
    pub table: RelationId,
    pub column: Ident,
    /// The whole table that is read, and the column that is taken.
    pub from: RelationId,
    pub value: Ident,
    /// Columns of the table that is read, and those of the new row that they must equal.
    pub key: Vec<(Ident, Ident)>,
    /// Columns without a value in the new row: only then it looks.
    pub lacking: Vec<Ident>,
    pub events: Events,
    pub span: Span,
}

/// Where a value is read from.
#[derive(Debug, Clone)]
struct Found {
    from: RelationId,
    value: Ident,
    key: Vec<(Ident, Ident)>,
}

struct Reading<'a> {
    schema: &'a Schema,
    trigger: &'a Trigger,
    function: FunctionId,
    path: &'a [Ident],
    found: Vec<Lookup>,
    /// Variables that hold what was read.
    variables: BTreeMap<Ident, Found>,
    /// A way through the body that cannot be followed.
    unclear: bool,
}

/// The columns that a trigger sets from another table and from nothing else; none where the body cannot be followed.
pub fn lookups_of(schema: &Schema, trigger: &Trigger) -> Vec<Lookup> {
    let before = trigger.timing == TriggerTiming::Before && trigger.for_each_row && trigger.parent.is_none();
    let Some(function) = trigger.function.and_then(|id| schema.get_function(id)).filter(|_| before && fires(trigger))
    else {
        return Vec::new();
    };
    let on = &trigger.events;
    let events = Events { insert: on.insert, update: on.update, delete: false };
    let mut lacking = Vec::new();
    if let Some(when) = &trigger.when {
        let Some((_, asked)) = asked(&when.tree) else { return Vec::new() };
        lacking = asked;
    }
    let path = function.search_path.as_deref().unwrap_or(&schema.search_path);
    let mut reading = Reading {
        schema,
        trigger,
        function: function.id,
        path,
        found: Vec::new(),
        variables: BTreeMap::new(),
        unclear: false,
    };
    reading.nodes(&function.body.nodes, events, &lacking);
    if reading.unclear {
        return Vec::new();
    }
    // What sets the column a second time may stand in for a row that is missing.
    let set = assigned_before(schema, trigger.table);
    let once = |lookup: &Lookup| set.iter().filter(|column| **column == lookup.column).count() == 1;
    reading.found.into_iter().filter(once).collect()
}

impl Reading<'_> {
    /// The events with which a body goes on after these nodes.
    fn nodes(&mut self, nodes: &[Node], mut events: Events, lacking: &[Ident]) -> Events {
        for node in nodes {
            if events.none() || self.unclear {
                return events;
            }
            match node {
                Node::Statement(Statement { operation: Operation::Query(query), span, .. }) => {
                    self.select_into(query, events, lacking, *span);
                }
                Node::Assign { qualifier, target, value, span } => {
                    let found = match value {
                        Expr::Subquery(query) if query.outputs.len() == 1 => self.read(query, &query.outputs[0]),
                        Expr::Column { qualifier: None, name } => self.variables.get(name).cloned(),
                        _ => None,
                    };
                    self.set(qualifier.as_ref(), target, found, events, lacking, *span);
                }
                Node::Guard { branches, otherwise } => {
                    let mut rest = events;
                    for branch in branches {
                        match asked(&branch.condition.tree) {
                            Some((tested, none)) if none.is_empty() && tested != Events::ALL => {
                                let inner = rest.and(tested);
                                let on = self.nodes(&branch.body, inner, lacking);
                                events = events.without(inner.without(on));
                                rest = rest.without(tested);
                            }
                            Some((tested, more)) if !may_leave(&branch.body) => {
                                let all: Vec<Ident> = lacking.iter().cloned().chain(more).collect();
                                self.nodes(&branch.body, rest.and(tested), &all);
                            }
                            _ => self.unclear |= may_leave(&branch.body),
                        }
                    }
                    let exact = branches.iter().all(|branch| operation_test(&branch.condition.tree).is_some());
                    if exact {
                        let on = self.nodes(otherwise, rest, lacking);
                        events = events.without(rest.without(on));
                    } else {
                        self.unclear |= may_leave(otherwise);
                    }
                }
                Node::Block { body, handlers } => {
                    self.unclear |= handlers.iter().any(|handler| may_leave(&handler.body));
                    events = self.nodes(body, events, lacking);
                }
                Node::Return { .. } | Node::Raise { fails: true, .. } => return events.without(events),
                Node::Loop(repeat) => self.unclear |= may_leave(&repeat.body),
                Node::Dynamic { into, .. } => self.unclear |= into,
                Node::Leave { .. } => self.unclear = true,
                Node::Statement(_) | Node::Raise { .. } | Node::Ruby(_) => {}
            }
        }
        events
    }

    fn select_into(&mut self, query: &Query, events: Events, lacking: &[Ident], span: Span) {
        let targets: Vec<&Name> = query.into.iter().chain(&query.into_rest).collect();
        for (place, target) in targets.into_iter().enumerate() {
            let found = query.outputs.get(place).and_then(|output| self.read(query, output));
            self.set(target.schema.as_ref(), &target.name, found, events, lacking, span);
        }
    }

    fn set(
        &mut self,
        row: Option<&Ident>,
        target: &Ident,
        found: Option<Found>,
        events: Events,
        lacking: &[Ident],
        span: Span,
    ) {
        match (row, found) {
            (Some(row), Some(found)) if *row == "new" => self.found.push(Lookup {
                trigger: self.trigger.id,
                function: self.function,
                table: self.trigger.table,
                column: target.clone(),
                from: found.from,
                value: found.value,
                key: found.key,
                lacking: lacking.to_vec(),
                events,
                span,
            }),
            (Some(_), _) => {}
            // The whole row anew.
            (None, _) if *target == "new" => self.unclear = true,
            (None, Some(found)) => drop(self.variables.insert(target.clone(), found)),
            (None, None) => drop(self.variables.remove(target)),
        }
    }

    /// One column of the one row of a table whose columns equal the new row's.
    fn read(&self, query: &Query, output: &Output) -> Option<Found> {
        let plain = query.with.is_empty() && query.arms.is_empty() && query.values.is_empty() && !query.merges_rows;
        let ([item], Output::Value { value, .. }, true) = (query.from.as_slice(), output, plain) else { return None };
        let FromSource::Relation { name, .. } = &item.source else { return None };
        let own = |qualifier: Option<&Ident>| qualifier.is_none() || qualifier == item.label();
        let (qualifier, value) = value.as_column()?;
        let table = self.schema.find_in(name, self.path).filter(|_| own(qualifier))?;
        table.as_table().filter(|table| table.column(value).is_some() || !table.columns_known)?;
        let conjuncts = match query.filter.as_ref()? {
            Expr::And(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        let pairs = conjuncts.iter().filter_map(|conjunct| {
            let Expr::Binary { operator, left, right } = conjunct else { return None };
            let (one, other) = (left.as_column()?, right.as_column()?);
            let is_new = |qualifier: Option<&Ident>| qualifier.is_some_and(|row| *row == "new");
            match &**operator == "=" {
                true if own(one.0) && is_new(other.0) => Some((one.1.clone(), other.1.clone())),
                true if own(other.0) && is_new(one.0) => Some((other.1.clone(), one.1.clone())),
                _ => None,
            }
        });
        let key: Vec<(Ident, Ident)> = pairs.collect();
        let from = self.schema.partition_root(table.id);
        (!key.is_empty()).then(|| Found { from, value: value.clone(), key })
    }
}

/// The events that a condition lets through and the columns that it wants without a value, where it asks nothing else.
fn asked(condition: &Expr) -> Option<(Events, Vec<Ident>)> {
    if let Some(events) = operation_test(condition) {
        return Some((events, Vec::new()));
    }
    let conjuncts = match condition {
        Expr::And(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    let is_new = |expr: &Expr| match expr.as_column() {
        Some((Some(row), name)) if *row == "new" => Some(name.clone()),
        _ => None,
    };
    let (mut events, mut lacking) = (Events::ALL, Vec::new());
    for conjunct in conjuncts {
        match (conjunct, operation_test(conjunct)) {
            (_, Some(tested)) => events = events.and(tested),
            (Expr::IsNull(value), _) => lacking.push(is_new(value)?),
            (Expr::Not(inner), _) => match &**inner {
                Expr::IsNull(value) => drop(is_new(value)?),
                _ => return None,
            },
            _ => return None,
        }
    }
    Some((events, lacking))
}
