//! The graph around what a migration touches: keys, partitions, triggers and what they write, the failing way in red.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use crate::finding::{Finding, Link, LinkKind, Severity};
use crate::graph::{Edge, Graph, Node, Part};
use crate::output::graph::drawing;
use crate::report::Detail;
use crate::schema::{RelationId, Schema};

/// Nodes of a drawing; with more, only what is touched and what failing writes pass is drawn.
const NODES: usize = 60;

pub(super) fn write(detail: &Detail, findings: &[&Finding], id: &str, into: &mut dyn Write) -> io::Result<()> {
    let graph = Graph::new(&detail.after.schema, &detail.after.data);
    let mut tables: BTreeSet<RelationId> = detail.touched.clone();
    let ways: Vec<&[Link]> = findings
        .iter()
        .filter(|finding| finding.severity >= Severity::Warning)
        .map(|one| one.chain.as_slice())
        .collect();
    let names = Names::new(graph.schema());
    tables.extend(ways.iter().flat_map(|way| way.iter()).filter_map(|link| names.relation(link)));
    tables.retain(|id| graph.schema().get_relation(*id).is_some());
    let mut part = graph.around(&tables, 1);
    if part.nodes.len() > NODES {
        part = graph.around(&tables, 0);
    }
    if part.nodes.len() > NODES {
        let marked = marked(&names, &ways, &part);
        let on_way: BTreeSet<Node> = marked.iter().flat_map(|(from, to)| [*from, *to]).collect();
        part.keep(&on_way);
    }
    if part.edges.is_empty() {
        return Ok(());
    }
    let marked = marked(&names, &ways, &part);
    writeln!(into, "<details open><summary>What is connected with it</summary>")?;
    if !marked.is_empty() {
        writeln!(into, "<p class=\"quiet\">The way of the writes that fail is red.</p>")?;
    }
    let drawing = drawing(
        &graph,
        &part,
        &marked,
        &format!("{id}g"),
        "What the migration touches, and what is connected with it",
        None,
    );
    writeln!(
        into,
        "<div class=\"scroll graph\" tabindex=\"0\" role=\"group\" aria-label=\"Graph\">{drawing}</div></details>"
    )
}

/// Things by the names that findings have for them.
struct Names {
    relations: BTreeMap<String, RelationId>,
    nodes: BTreeMap<(LinkKind, String), Node>,
}

impl Names {
    fn new(schema: &Schema) -> Names {
        let mut names = Names { relations: BTreeMap::new(), nodes: BTreeMap::new() };
        for relation in schema.relations() {
            names.relations.insert(relation.name.to_string(), relation.id);
            names.relations.entry(relation.name.short()).or_insert(relation.id);
        }
        for trigger in schema.triggers().filter(|trigger| trigger.parent.is_none()) {
            names.nodes.insert((LinkKind::Trigger, trigger.name.to_string()), Node::Trigger(trigger.id));
        }
        for function in schema.functions() {
            names.nodes.insert((LinkKind::Function, function.name.to_string()), Node::Function(function.id));
            names.nodes.insert((LinkKind::Function, function.name.short()), Node::Function(function.id));
        }
        names
    }

    fn relation(&self, link: &Link) -> Option<RelationId> {
        let name = match link.kind {
            LinkKind::Table | LinkKind::Partition => link.object.as_str(),
            // `INSERT orders`.
            LinkKind::Write => link.object.split_once(' ')?.1,
            LinkKind::Trigger | LinkKind::Function | LinkKind::Constraint => return None,
        };
        self.relations.get(name).copied()
    }

    fn node(&self, link: &Link) -> Option<Node> {
        if let Some(id) = self.relation(link) {
            return Some(Node::Relation(id));
        }
        let name = link.object.trim_end_matches("()");
        self.nodes.get(&(link.kind, name.to_owned())).copied()
    }
}

/// The edges that failing writes travel: between two things that follow each other on a way, in either direction.
fn marked(names: &Names, ways: &[&[Link]], part: &Part) -> BTreeSet<(Node, Node)> {
    let mut marked = BTreeSet::new();
    for way in ways {
        let nodes: Vec<Node> = way.iter().filter_map(|link| names.node(link)).collect();
        for pair in nodes.windows(2) {
            for (from, to, edge) in &part.edges {
                let along = (*from, *to) == (pair[0], pair[1]);
                let against = (*to, *from) == (pair[0], pair[1]) && *edge == Edge::PartitionOf;
                if along && *edge != Edge::Copies && *edge != Edge::Backfills || against {
                    marked.insert((*from, *to));
                }
            }
        }
    }
    marked
}
