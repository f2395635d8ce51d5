//! What is connected with what: keys, partitions, triggers, functions and what their bodies write and read.
//!
//! Built from a schema when somebody asks and thrown away after; its methods are questions.

mod paths;
mod ways;

pub use paths::{Met, Risk, What, WritePath};

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use crate::data::{Data, FeedKind};
use crate::operation::{Expr, Ident, LoopOver, Name, Operation, Query, WriteKind};
use crate::operation::{Node as BodyNode, Statement};
use crate::schema::{ConstraintId, Function, FunctionId, RelationId, RelationKind, Schema, TriggerId};

/// A thing in the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// A table, a partition or a view.
    Relation(RelationId),
    Trigger(TriggerId),
    Function(FunctionId),
}

/// How one thing leads to another, in the direction in which a statement's effect travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Edge {
    /// A table's foreign key → the referenced table.
    References(ConstraintId),
    /// A partition → its parent.
    PartitionOf,
    /// A table → a trigger on it.
    Fires,
    /// A trigger or a function → the function that it calls.
    Calls,
    /// A function → a table that its body writes.
    Writes(WriteKind),
    /// A function or a view → what it reads.
    Reads,
    /// A table → its copy, kept by triggers.
    Copies,
    /// A table → one that a migration filled from it.
    Backfills,
}

impl Edge {
    pub fn word(self) -> &'static str {
        match self {
            Edge::References(_) => "references",
            Edge::PartitionOf => "partition of",
            Edge::Fires => "fires",
            Edge::Calls => "calls",
            Edge::Writes(_) => "writes",
            Edge::Reads => "reads",
            Edge::Copies => "copied to",
            Edge::Backfills => "backfilled to",
        }
    }
}

/// A part of a graph, sorted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Part {
    pub nodes: BTreeSet<Node>,
    pub edges: BTreeSet<(Node, Node, Edge)>,
    /// Relations that are connected with something and were left out for their number.
    pub left_out: usize,
}

impl Part {
    /// Leaves out all nodes but these, and what leads to them.
    pub fn keep(&mut self, nodes: &BTreeSet<Node>) {
        self.nodes.retain(|node| nodes.contains(node));
        self.edges.retain(|(from, to, _)| nodes.contains(from) && nodes.contains(to));
    }
}

/// The connections of one schema.
#[derive(Debug)]
pub struct Graph<'a> {
    schema: &'a Schema,
    graph: DiGraph<Node, Edge>,
    nodes: BTreeMap<Node, NodeIndex>,
    /// Functions with SQL made at run time, or with parts that could not be read.
    unclear: BTreeSet<FunctionId>,
}

impl<'a> Graph<'a> {
    pub fn new(schema: &'a Schema, data: &Data) -> Graph<'a> {
        let mut graph = Graph { schema, graph: DiGraph::new(), nodes: BTreeMap::new(), unclear: BTreeSet::new() };
        graph.add_relations();
        graph.add_triggers();
        for function in schema.functions() {
            graph.add_body(function);
        }
        graph.add_data(data);
        graph
    }

    pub fn schema(&self) -> &'a Schema {
        self.schema
    }

    /// Its body may write or read more than the graph shows.
    pub fn is_unclear(&self, function: FunctionId) -> bool {
        self.unclear.contains(&function)
    }

    /// Everything at most `depth` tables away, against and along the arrows. Triggers and functions on the way
    /// cost nothing; a function shared by many triggers does not make their tables neighbours.
    pub fn neighbourhood(&self, of: RelationId, depth: usize) -> Part {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open = VecDeque::from([(Node::Relation(of), None, 0)]);
        while let Some((node, direction, distance)) = open.pop_front() {
            if !seen.insert((node, direction)) {
                continue;
            }
            found.insert(node);
            if distance == depth && matches!(node, Node::Relation(_)) {
                continue;
            }
            let Some(index) = self.nodes.get(&node) else { continue };
            let directions = match direction {
                Some(direction) if !matches!(node, Node::Relation(_)) => vec![direction],
                _ => vec![Direction::Outgoing, Direction::Incoming],
            };
            for direction in directions {
                for next in self.graph.neighbors_directed(*index, direction) {
                    match self.graph[next] {
                        next @ Node::Relation(_) => open.push_back((next, None, distance + 1)),
                        next => open.push_front((next, Some(direction), distance)),
                    }
                }
            }
        }
        self.part(found, 0)
    }

    /// As [`Graph::neighbourhood`], of several tables at once.
    pub fn around(&self, tables: &BTreeSet<RelationId>, depth: usize) -> Part {
        let mut nodes = BTreeSet::new();
        for table in tables {
            nodes.extend(self.neighbourhood(*table, depth).nodes);
        }
        self.part(nodes, 0)
    }

    /// All that is connected with something, the most connected relations first where `most` cuts it off.
    pub fn connected(&self, most: usize) -> Part {
        let mut relations: Vec<(usize, RelationId)> = Vec::new();
        for (node, index) in &self.nodes {
            let degree = self.graph.neighbors_undirected(*index).count();
            if let Node::Relation(id) = node
                && degree > 0
            {
                relations.push((degree, *id));
            }
        }
        let name = |id: &RelationId| self.schema.get_relation(*id).map(|relation| &relation.name);
        relations.sort_by(|(one, first), (other, second)| other.cmp(one).then_with(|| name(first).cmp(&name(second))));
        let left_out = relations.len().saturating_sub(most);
        relations.truncate(most);
        let mut nodes: BTreeSet<Node> = relations.into_iter().map(|(_, id)| Node::Relation(id)).collect();
        // Triggers of the tables shown, and functions that are called by what is shown.
        let mut open: Vec<Node> = nodes.iter().copied().collect();
        while let Some(node) = open.pop() {
            for next in self.graph.neighbors_directed(self.nodes[&node], Direction::Outgoing) {
                let next = self.graph[next];
                if !matches!(next, Node::Relation(_)) && nodes.insert(next) {
                    open.push(next);
                }
            }
        }
        self.part(nodes, left_out)
    }

    fn part(&self, nodes: BTreeSet<Node>, left_out: usize) -> Part {
        let mut edges = BTreeSet::new();
        for node in &nodes {
            let Some(index) = self.nodes.get(node) else { continue };
            for edge in self.graph.edges_directed(*index, Direction::Outgoing) {
                let target = self.graph[edge.target()];
                if nodes.contains(&target) {
                    edges.insert((*node, target, *edge.weight()));
                }
            }
        }
        Part { nodes, edges, left_out }
    }

    fn node(&mut self, node: Node) -> NodeIndex {
        *self.nodes.entry(node).or_insert_with(|| self.graph.add_node(node))
    }

    fn connect(&mut self, from: Node, to: Node, edge: Edge) {
        let (from, to) = (self.node(from), self.node(to));
        let known = self.graph.edges_connecting(from, to).any(|known| *known.weight() == edge);
        if !known {
            self.graph.add_edge(from, to, edge);
        }
    }

    fn add_relations(&mut self) {
        let schema = self.schema;
        for relation in schema.relations() {
            let from = Node::Relation(relation.id);
            match &relation.kind {
                RelationKind::Table(table) => {
                    self.node(from);
                    if let Some(place) = &table.partition_of {
                        self.connect(from, Node::Relation(place.parent), Edge::PartitionOf);
                    }
                    // A partition's part of its parent's key says nothing new.
                    for key in schema.constraints_of(relation.id).filter(|key| key.parent.is_none()) {
                        if let Some(foreign) = key.as_foreign() {
                            self.connect(from, Node::Relation(foreign.references), Edge::References(key.id));
                        }
                    }
                }
                RelationKind::View(view) => {
                    self.node(from);
                    for (read, _) in &view.reads {
                        self.connect(from, Node::Relation(*read), Edge::Reads);
                    }
                }
                RelationKind::Index(_) | RelationKind::Sequence(_) | RelationKind::Other => {}
            }
        }
    }

    fn add_triggers(&mut self) {
        for trigger in self.schema.triggers() {
            // Clones fire as their parent's trigger does.
            if trigger.parent.is_some() {
                continue;
            }
            let node = Node::Trigger(trigger.id);
            self.connect(Node::Relation(trigger.table), node, Edge::Fires);
            if let Some(function) = trigger.function {
                self.connect(node, Node::Function(function), Edge::Calls);
            }
        }
    }

    /// Feeds know what generic functions write for the trigger at hand.
    fn add_data(&mut self, data: &Data) {
        for feed in data.feeds() {
            for write in &feed.writes {
                let kind = match write.kind {
                    FeedKind::Insert { .. } => WriteKind::Insert,
                    FeedKind::Update => WriteKind::Update,
                    FeedKind::Delete => WriteKind::Delete,
                };
                self.connect(Node::Function(feed.function), Node::Relation(feed.target), Edge::Writes(kind));
            }
        }
        for copy in data.copies(self.schema) {
            self.connect(Node::Relation(copy.source), Node::Relation(copy.table), Edge::Copies);
        }
        for (relation, _) in self.schema.tables() {
            for fill in data.fills_of(relation.id) {
                if self.schema.get_relation(fill.source).is_some() {
                    self.connect(Node::Relation(fill.source), Node::Relation(relation.id), Edge::Backfills);
                }
            }
        }
    }

    fn add_body(&mut self, function: &Function) {
        let mut body = Touched::default();
        body.nodes(&function.body.nodes);
        if body.dynamic || !function.body.unread.is_empty() {
            self.unclear.insert(function.id);
        }
        // Names in a body mean what the function's own search_path says, else the caller's.
        let mut scoped = self.schema.clone();
        if let Some(path) = &function.search_path {
            scoped.search_path.clone_from(path);
        }
        let from = Node::Function(function.id);
        let own = |name: &Name| name.schema.is_none() && body.own.contains(&name.name);
        for (name, edge) in &body.relations {
            if let Some(relation) = scoped.find(name).filter(|_| !own(name)) {
                self.connect(from, Node::Relation(relation.id), *edge);
            }
        }
        for name in &body.calls {
            for called in scoped.find_functions(name) {
                self.connect(from, Node::Function(called.id), Edge::Calls);
            }
        }
    }
}

/// What a body touches, as named in it.
#[derive(Default)]
struct Touched {
    relations: BTreeSet<(Name, Edge)>,
    calls: BTreeSet<Name>,
    /// Names of WITH queries: not relations of the schema.
    own: BTreeSet<Ident>,
    dynamic: bool,
}

impl Touched {
    fn nodes(&mut self, nodes: &[BodyNode]) {
        for node in nodes {
            self.node(node);
        }
    }

    fn node(&mut self, node: &BodyNode) {
        match node {
            BodyNode::Statement(statement) => self.statement(statement),
            BodyNode::Guard { branches, otherwise } => {
                for branch in branches {
                    self.expression(&branch.condition.tree);
                    self.nodes(&branch.body);
                }
                self.nodes(otherwise);
            }
            BodyNode::Loop(body) => {
                match &body.over {
                    LoopOver::Query(query) => self.query(query),
                    LoopOver::Range { from, to } => [from, to].into_iter().for_each(|expr| self.expression(expr)),
                    LoopOver::Array(expr) | LoopOver::While(expr) => self.expression(expr),
                    LoopOver::Endless => {}
                    LoopOver::Unknown => self.dynamic = true,
                }
                self.nodes(&body.body);
            }
            BodyNode::Block { body, handlers } => {
                self.nodes(body);
                handlers.iter().for_each(|handler| self.nodes(&handler.body));
            }
            BodyNode::Dynamic { .. } => self.dynamic = true,
            BodyNode::Assign { value, .. } => self.expression(value),
            BodyNode::Return { value, .. } => value.iter().for_each(|value| self.expression(value)),
            BodyNode::Raise { .. } | BodyNode::Leave { .. } | BodyNode::Ruby(_) => {}
        }
    }

    /// Only what runs in functions: a body that changes the schema is `unclear`, not drawn.
    fn statement(&mut self, statement: &Statement) {
        match &statement.operation {
            Operation::Write(write) => {
                for write in write.all() {
                    self.relations.insert((write.target.clone(), Edge::Writes(write.kind)));
                    self.reads(write.reads());
                    self.calls.extend(write.calls().into_iter().cloned());
                }
            }
            Operation::Query(query) => self.query(query),
            Operation::Call { function, .. } => drop(self.calls.insert(function.clone())),
            Operation::Truncate(truncate) => {
                let tables = truncate.tables.iter().map(|table| (table.name.clone(), Edge::Writes(WriteKind::Delete)));
                self.relations.extend(tables);
            }
            Operation::Unread(_) | Operation::Do(_) => self.dynamic = true,
            _ => {}
        }
    }

    fn query(&mut self, query: &Query) {
        for write in query.writes().into_iter().flat_map(|write| write.all()) {
            self.relations.insert((write.target.clone(), Edge::Writes(write.kind)));
            self.reads(write.reads());
        }
        self.own.extend(query.with.iter().map(|table| table.name.clone()));
        self.reads(query.reads());
        self.calls.extend(query.calls().into_iter().cloned());
    }

    fn expression(&mut self, expr: &Expr) {
        for query in expr.queries() {
            self.query(query);
        }
        self.calls.extend(expr.calls().into_iter().cloned());
    }

    fn reads(&mut self, names: Vec<&Name>) {
        self.relations.extend(names.into_iter().map(|name| (name.clone(), Edge::Reads)));
    }
}
