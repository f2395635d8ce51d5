//! The ways that writes take: from a table to its triggers, what they write, partitions and keys.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use petgraph::Direction;
use petgraph::graph::{EdgeIndex, NodeIndex};
use petgraph::visit::EdgeRef;

use super::{Edge, Graph, Node, Part};
use crate::operation::Action;
use crate::schema::RelationId;

impl Graph<'_> {
    /// The shortest way that a write to `from` takes to reach `to`: triggers, functions, their writes, partitions, keys.
    pub fn path(&self, from: RelationId, to: RelationId) -> Option<Vec<(Node, Edge, Node)>> {
        let (start, goal) = (*self.nodes.get(&Node::Relation(from))?, *self.nodes.get(&Node::Relation(to))?);
        let mut came: BTreeMap<NodeIndex, (NodeIndex, EdgeIndex)> = BTreeMap::new();
        let mut open = VecDeque::from([start]);
        while let Some(at) = open.pop_front() {
            if at == goal {
                break;
            }
            for (next, edge) in self.carried_from(at) {
                if next != start && !came.contains_key(&next) {
                    came.insert(next, (at, edge));
                    open.push_back(next);
                }
            }
        }
        let mut path = Vec::new();
        let mut at = goal;
        while at != start {
            let (before, edge) = *came.get(&at)?;
            path.push((self.graph[before], self.graph[edge], self.graph[at]));
            at = before;
        }
        path.reverse();
        Some(path)
    }

    /// All that a write to a table can reach, over at most `depth` further tables.
    pub fn reached(&self, from: RelationId, depth: usize) -> Part {
        let mut nodes = BTreeSet::from([Node::Relation(from)]);
        let mut edges = BTreeSet::new();
        let mut followed = nodes.clone();
        // Rows that a key takes along are not checked again by the other keys of their table.
        let mut open = VecDeque::from([(Node::Relation(from), 0, true)]);
        while let Some((node, distance, checked)) = open.pop_front() {
            let Some(index) = self.nodes.get(&node) else { continue };
            let carried = self.carried_from(*index).into_iter().map(|way| (way, false));
            for ((next, edge), along) in carried.chain(self.acted_on(*index).into_iter().map(|way| (way, true))) {
                let (next, edge) = (self.graph[next], self.graph[edge]);
                // A key is where a write is checked, not where it goes on; what it does to rows that refer goes against it.
                let is_check = matches!(edge, Edge::References(_)) && !along;
                let further = distance + usize::from(matches!(next, Node::Relation(_)) && edge != Edge::PartitionOf);
                if is_check && !checked || !is_check && further > depth {
                    continue;
                }
                edges.insert(if edge == Edge::PartitionOf || along { (next, node, edge) } else { (node, next, edge) });
                nodes.insert(next);
                if !is_check && followed.insert(next) {
                    open.push_back((next, further, !along));
                }
            }
        }
        Part { nodes, edges, left_out: 0 }
    }

    /// The tables whose rows a foreign key deletes or changes when a row of this one goes or gets another key.
    fn acted_on(&self, at: NodeIndex) -> Vec<(NodeIndex, EdgeIndex)> {
        let acts = |edge: &Edge| match edge {
            Edge::References(key) => {
                let key = self.schema.get_constraint(*key).and_then(|key| key.as_foreign());
                let passes = |action| !matches!(action, Action::NoAction | Action::Restrict);
                key.is_some_and(|key| passes(key.on_delete) || passes(key.on_update))
            }
            _ => false,
        };
        let edges = self.graph.edges_directed(at, Direction::Incoming).filter(|edge| acts(edge.weight()));
        let mut found: Vec<(NodeIndex, EdgeIndex)> = edges.map(|edge| (edge.source(), edge.id())).collect();
        found.sort_by_key(|(next, edge)| (self.graph[*next], self.graph[*edge]));
        found
    }

    /// Where a write at a node goes on to: rows written to a parent land in its partitions, and nothing travels by reading.
    fn carried_from(&self, at: NodeIndex) -> Vec<(NodeIndex, EdgeIndex)> {
        let along = self.graph.edges_directed(at, Direction::Outgoing).filter(|edge| match edge.weight() {
            Edge::References(_) | Edge::Fires | Edge::Calls | Edge::Writes(_) => true,
            // What a copy receives goes through its trigger; a backfill is over.
            Edge::PartitionOf | Edge::Reads | Edge::Copies | Edge::Backfills => false,
        });
        let down = self.graph.edges_directed(at, Direction::Incoming);
        let down = down.filter(|edge| *edge.weight() == Edge::PartitionOf);
        let mut found: Vec<(NodeIndex, EdgeIndex)> = along.map(|edge| (edge.target(), edge.id())).collect();
        found.extend(down.map(|edge| (edge.source(), edge.id())));
        found.sort_by_key(|(next, edge)| (self.graph[*next], self.graph[*edge]));
        found
    }
}
