//! A graph as DOT, Mermaid or JSON. Nodes go by numbers of their own; names from inputs stand in escaped labels only.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use serde::Serialize;

use super::mermaid::entities;
use super::text::visible;
use super::{json, svg};
use crate::graph::{Edge, Graph, Node, Part};
use crate::schema::definition::{constraint, relation_name};
use crate::schema::{ConstraintId, Relation, TableKind};

const VERSION: u32 = 1;
/// A drawing of more lines has no room for what keys are called; the pointer shows it.
const MANY: usize = 40;

/// How a graph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GraphFormat {
    Dot,
    Mermaid,
    Svg,
    Json,
}

impl GraphFormat {
    pub const ALL: [GraphFormat; 4] = [GraphFormat::Dot, GraphFormat::Mermaid, GraphFormat::Svg, GraphFormat::Json];

    pub fn word(self) -> &'static str {
        match self {
            GraphFormat::Dot => "dot",
            GraphFormat::Mermaid => "mermaid",
            GraphFormat::Svg => "svg",
            GraphFormat::Json => "json",
        }
    }
}

/// Writes a part of a graph.
pub fn render(graph: &Graph<'_>, part: &Part, format: GraphFormat, into: &mut dyn Write) -> io::Result<()> {
    let document = document(graph, part);
    match format {
        GraphFormat::Dot => dot(&document, into),
        GraphFormat::Mermaid => mermaid(&document, into),
        GraphFormat::Svg => alone(graph, part, &BTreeSet::new(), "What is connected with what", into),
        GraphFormat::Json => json::write(&document, into),
    }
}

#[derive(Serialize)]
struct Document {
    version: u32,
    nodes: Vec<NodeRow>,
    edges: Vec<EdgeRow>,
    /// Connected tables and views that are not shown for their number.
    left_out: usize,
}

#[derive(Serialize)]
struct NodeRow {
    id: String,
    kind: &'static str,
    name: String,
    /// False for a function whose body may touch more than is shown.
    clear: bool,
}

#[derive(Serialize)]
struct EdgeRow {
    from: String,
    to: String,
    kind: &'static str,
    /// The constraint, or how a function writes.
    detail: Option<String>,
}

fn document(graph: &Graph<'_>, part: &Part) -> Document {
    let mut named: Vec<(&'static str, String, Node)> =
        part.nodes.iter().map(|node| (kind(graph, *node), name(graph, *node), *node)).collect();
    named.sort();
    let ids: BTreeMap<Node, String> =
        named.iter().enumerate().map(|(at, (_, _, node))| (*node, format!("n{at}"))).collect();
    let mut edges: Vec<(usize, usize, EdgeRow)> = Vec::new();
    let order: BTreeMap<Node, usize> = named.iter().enumerate().map(|(at, (_, _, node))| (*node, at)).collect();
    for (from, to, edge) in &part.edges {
        let row =
            EdgeRow { from: ids[from].clone(), to: ids[to].clone(), kind: edge.word(), detail: detail(graph, *edge) };
        edges.push((order[from], order[to], row));
    }
    edges.sort_by(|(from, to, row), (other_from, other_to, other)| {
        (from, to, row.kind, &row.detail).cmp(&(other_from, other_to, other.kind, &other.detail))
    });
    let nodes = named.into_iter().map(|(kind, name, node)| NodeRow {
        id: ids[&node].clone(),
        kind,
        name,
        clear: !matches!(node, Node::Function(id) if graph.is_unclear(id)),
    });
    Document {
        version: VERSION,
        nodes: nodes.collect(),
        edges: edges.into_iter().map(|(_, _, row)| row).collect(),
        left_out: part.left_out,
    }
}

/// A drawing as a file of its own.
pub(super) fn alone(
    graph: &Graph<'_>,
    part: &Part,
    marked: &BTreeSet<(Node, Node)>,
    label: &str,
    into: &mut dyn Write,
) -> io::Result<()> {
    let label = match part.left_out {
        0 => label.to_owned(),
        count => left_out(count),
    };
    writeln!(into, "{}", drawing(graph, part, marked, "g", &label, Some(svg::STYLE)))
}

/// A part as a drawing; `marked` edges and their ends stand out.
pub(super) fn drawing(
    graph: &Graph<'_>,
    part: &Part,
    marked: &BTreeSet<(Node, Node)>,
    id: &str,
    label: &str,
    style: Option<&str>,
) -> String {
    let nodes: Vec<Node> = part.nodes.iter().copied().collect();
    let place: BTreeMap<Node, usize> = nodes.iter().enumerate().map(|(at, node)| (*node, at)).collect();
    let on_way = |node: &Node| marked.iter().any(|(from, to)| from == node || to == node);
    let boxes: Vec<svg::Box> = nodes
        .iter()
        .map(|node| svg::Box { kind: kind(graph, *node), name: short_name(graph, *node), marked: on_way(node) })
        .collect();
    let arrow = |(from, to, edge): &(Node, Node, Edge)| {
        let (from, to, marked) = (place[from], place[to], marked.contains(&(*from, *to)));
        // Rows go from a table to its partitions: drawn that way, all that a write does goes down.
        let (from, to) = if *edge == Edge::PartitionOf { (to, from) } else { (from, to) };
        let word = match edge {
            Edge::References(_) if !marked && part.edges.len() > MANY => String::new(),
            Edge::References(key) if !marked => columns(graph, *key),
            _ => word(graph, *edge),
        };
        svg::Arrow { from, to, word, title: title(graph, *edge), marked }
    };
    let arrows: Vec<svg::Arrow> = part.edges.iter().map(arrow).collect();
    svg::draw(&boxes, &arrows, id, label, style)
}

/// Without the schema that nearly all are in, and a trigger without its table, to which it is connected.
fn short_name(graph: &Graph<'_>, node: Node) -> String {
    let schema = graph.schema();
    match node {
        Node::Relation(id) => schema.get_relation(id).map(|relation| relation.name.short()).unwrap_or_default(),
        Node::Trigger(id) => schema.trigger(id).name.to_string(),
        Node::Function(id) => format!("{}()", schema.function(id).name.short()),
    }
}

/// The columns that refer: shorter than the key's name, and they tell more.
fn columns(graph: &Graph<'_>, key: ConstraintId) -> String {
    let key = graph.schema().constraint(key);
    let names = key.columns.iter().map(|column| graph.schema().column_name(key.table, *column).to_string());
    names.collect::<Vec<_>>().join(", ")
}

fn title(graph: &Graph<'_>, edge: Edge) -> String {
    match edge {
        Edge::References(key) => {
            let key = graph.schema().constraint(key);
            format!("{}: {}", key.name, constraint(graph.schema(), key))
        }
        other => word(graph, other),
    }
}

fn word(graph: &Graph<'_>, edge: Edge) -> String {
    match edge {
        // Errors of the server name the key.
        Edge::References(key) => graph.schema().constraint(key).name.to_string(),
        Edge::Writes(kind) => kind.to_string(),
        Edge::PartitionOf => "partition".to_owned(),
        Edge::Fires | Edge::Calls | Edge::Reads | Edge::Copies | Edge::Backfills => edge.word().to_owned(),
    }
}

fn kind(graph: &Graph<'_>, node: Node) -> &'static str {
    match node {
        Node::Relation(id) => match graph.schema().get_relation(id).and_then(Relation::as_table) {
            Some(table) if table.partition_of.is_some() => "partition",
            Some(table) if table.kind == TableKind::Partitioned => "partitioned",
            Some(_) => "table",
            None => "view",
        },
        Node::Trigger(_) => "trigger",
        Node::Function(_) => "function",
    }
}

fn name(graph: &Graph<'_>, node: Node) -> String {
    let schema = graph.schema();
    match node {
        Node::Relation(id) => relation_name(schema, id),
        Node::Trigger(id) => {
            let trigger = schema.trigger(id);
            format!("{} on {}", trigger.name, relation_name(schema, trigger.table))
        }
        Node::Function(id) => format!("{}()", schema.function(id).name),
    }
}

fn detail(graph: &Graph<'_>, edge: Edge) -> Option<String> {
    match edge {
        Edge::References(key) => Some(graph.schema().constraint(key).name.to_string()),
        Edge::Writes(kind) => Some(kind.to_string()),
        Edge::PartitionOf | Edge::Fires | Edge::Calls | Edge::Reads | Edge::Copies | Edge::Backfills => None,
    }
}

fn label(row: &EdgeRow) -> String {
    match &row.detail {
        Some(detail) => format!("{} {}", row.kind, visible(detail)),
        None => row.kind.to_owned(),
    }
}

fn left_out(count: usize) -> String {
    format!("{count} further connected tables are left out: name one with --table")
}

fn dot(document: &Document, into: &mut dyn Write) -> io::Result<()> {
    let quoted = |text: &str| format!("\"{}\"", visible(text).replace('\\', "\\\\").replace('"', "\\\""));
    writeln!(into, "digraph schema {{")?;
    writeln!(into, "  rankdir=LR;")?;
    if document.left_out > 0 {
        writeln!(into, "  label={};", quoted(&left_out(document.left_out)))?;
    }
    for node in &document.nodes {
        let shape = match node.kind {
            "trigger" => "cds",
            "function" => "component",
            "view" => "note",
            _ => "box",
        };
        let style = if node.clear { "" } else { ", style=dashed" };
        writeln!(into, "  {} [label={}, shape={shape}{style}];", node.id, quoted(&node.name))?;
    }
    for edge in &document.edges {
        writeln!(into, "  {} -> {} [label={}];", edge.from, edge.to, quoted(&label(edge)))?;
    }
    writeln!(into, "}}")
}

fn mermaid(document: &Document, into: &mut dyn Write) -> io::Result<()> {
    writeln!(into, "flowchart LR")?;
    if document.left_out > 0 {
        writeln!(into, "  %% {}", left_out(document.left_out))?;
    }
    for node in &document.nodes {
        let text = entities(&node.name);
        let shape = match node.kind {
            "trigger" => format!("{{{{\"{text}\"}}}}"),
            "function" => format!("([\"{text}\"])"),
            "view" => format!("[/\"{text}\"/]"),
            _ => format!("[\"{text}\"]"),
        };
        writeln!(into, "  {}{shape}", node.id)?;
    }
    for edge in &document.edges {
        writeln!(into, "  {} -->|\"{}\"| {}", edge.from, entities(&label(edge)), edge.to)?;
    }
    Ok(())
}
