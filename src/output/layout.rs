//! Places for the nodes of a drawing: layers from top to bottom, few crossings, room for the words on each edge.
//!
//! Sugiyama's way: break cycles, put each node below what leads to it, give long edges a stop in every layer, order the
//! layers by their neighbours, then move each node towards them. The word of an edge is a stop with a width of its own.

mod order;

use std::collections::VecDeque;

/// Width and height.
pub(super) type Size = (f64, f64);
/// From left and from top; of a node its middle.
pub(super) type Point = (f64, f64);

/// An edge, and the room that its word takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub from: usize,
    pub to: usize,
    pub word: f64,
}

#[derive(Debug, Default)]
pub(super) struct Layout {
    pub nodes: Vec<Point>,
    /// For each edge its stops, from end to end, and where its word stands.
    pub lines: Vec<(Vec<Point>, Point)>,
    pub width: f64,
    pub height: f64,
}

/// The stop of an edge without its word.
const BARE: Size = (2.0, 0.0);
/// Between nodes of one layer, between edges that pass it, and between layers.
const GAP: f64 = 24.0;
const NARROW: f64 = 9.0;
const LAYER: f64 = 30.0;
/// Parts that are not connected stand beside each other up to this width.
const ROW: f64 = 1400.0;

/// A node, or the stop of an edge in a layer that it passes.
#[derive(Debug, Clone, Copy)]
struct Stop {
    layer: usize,
    size: Size,
}

/// Places nodes of these sizes. An edge from a node to itself is drawn beside it and takes no room.
pub(super) fn layout(sizes: &[Size], lines: &[Line]) -> Layout {
    let mut placed = Layout { nodes: vec![(0.0, 0.0); sizes.len()], ..Layout::default() };
    placed.lines = vec![(Vec::new(), (0.0, 0.0)); lines.len()];
    let (mut left, mut top, mut row) = (0.0, 0.0, 0.0_f64);
    for part in parts(sizes.len(), lines) {
        let (width, height) = Part::new(sizes, lines, &part).place(&mut placed, lines);
        if left > 0.0 && left + width > ROW {
            (left, top, row) = (0.0, top + row + LAYER, 0.0);
        }
        placed.shift(&part, lines, (left, top));
        left += width + GAP;
        row = row.max(height);
        placed.width = placed.width.max(left - GAP);
        placed.height = placed.height.max(top + row);
    }
    placed
}

/// Nodes that are connected with each other, the largest parts first.
fn parts(count: usize, lines: &[Line]) -> Vec<Vec<usize>> {
    let mut near: Vec<Vec<usize>> = vec![Vec::new(); count];
    for line in lines {
        near[line.from].push(line.to);
        near[line.to].push(line.from);
    }
    let mut seen = vec![false; count];
    let mut parts: Vec<Vec<usize>> = Vec::new();
    for start in 0..count {
        if std::mem::replace(&mut seen[start], true) {
            continue;
        }
        let (mut part, mut open) = (Vec::new(), VecDeque::from([start]));
        while let Some(node) = open.pop_front() {
            part.push(node);
            for next in &near[node] {
                if !std::mem::replace(&mut seen[*next], true) {
                    open.push_back(*next);
                }
            }
        }
        part.sort_unstable();
        parts.push(part);
    }
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    parts
}

impl Layout {
    fn shift(&mut self, part: &[usize], lines: &[Line], (x, y): Point) {
        let move_by = |point: &mut Point| *point = (point.0 + x, point.1 + y);
        part.iter().for_each(|node| move_by(&mut self.nodes[*node]));
        for (line, (points, word)) in lines.iter().zip(&mut self.lines) {
            if part.binary_search(&line.from).is_ok() {
                points.iter_mut().for_each(move_by);
                move_by(word);
            }
        }
    }
}

/// A connected part of the drawing.
struct Part<'a> {
    nodes: &'a [usize],
    stops: Vec<Stop>,
    /// Between stops of neighbouring layers, downwards.
    links: Vec<(usize, usize)>,
    /// For each edge of the part: its number, its stops downwards, whether it was turned to break a cycle.
    routes: Vec<(usize, Vec<usize>, bool)>,
}

impl<'a> Part<'a> {
    fn new(sizes: &[Size], lines: &[Line], nodes: &'a [usize]) -> Part<'a> {
        let place = |node: usize| nodes.binary_search(&node).ok();
        let mut edges: Vec<(usize, usize, usize)> = Vec::new();
        for (number, line) in lines.iter().enumerate() {
            if let (Some(from), Some(to)) = (place(line.from), place(line.to))
                && from != to
            {
                edges.push((number, from, to));
            }
        }
        let turned = turned(nodes.len(), &edges);
        let down: Vec<(usize, usize)> = edges
            .iter()
            .zip(&turned)
            .map(|((_, from, to), turned)| if *turned { (*to, *from) } else { (*from, *to) })
            .collect();
        let own: Vec<f64> = nodes.iter().map(|node| sizes[*node].0).collect();
        let layers = spread(layers(nodes.len(), &down), &down, &own);
        let stops = nodes.iter().zip(&layers).map(|(node, layer)| Stop { layer: layer * 2, size: sizes[*node] });
        let mut part = Part { nodes, stops: stops.collect(), links: Vec::new(), routes: Vec::new() };
        for (((number, ..), turned), (from, to)) in edges.iter().zip(turned).zip(down) {
            part.route(*number, lines[*number].word, from, to, turned);
        }
        part
    }

    /// Gives an edge a stop in each layer between its ends; its word stands in the middle one.
    fn route(&mut self, number: usize, word: f64, from: usize, to: usize, turned: bool) {
        let (first, last) = (self.stops[from].layer, self.stops[to].layer);
        let middle = usize::midpoint(first, last) | 1;
        let mut route = vec![from];
        for layer in first + 1..last {
            let size = if layer == middle && word > 0.0 { (word, 14.0) } else { BARE };
            self.stops.push(Stop { layer, size });
            route.push(self.stops.len() - 1);
        }
        route.push(to);
        self.links.extend(route.windows(2).map(|pair| (pair[0], pair[1])));
        self.routes.push((number, route, turned));
    }

    /// Writes the places of its nodes and edges; gives its size.
    fn place(&self, into: &mut Layout, lines: &[Line]) -> Size {
        let layers = order::ordered(&self.stops, &self.links);
        let across = order::across(&self.stops, &self.links, &layers);
        let mut tops = Vec::new();
        let mut top = 0.0;
        for layer in &layers {
            let height = layer.iter().map(|stop| self.stops[*stop].size.1).fold(0.0, f64::max);
            tops.push(top + height / 2.0);
            top += height + LAYER / 2.0;
        }
        let point = |stop: usize| (across[stop], tops[self.stops[stop].layer]);
        for (place, node) in self.nodes.iter().enumerate() {
            into.nodes[*node] = point(place);
        }
        for (number, route, turned) in &self.routes {
            let word = route.iter().find(|stop| **stop >= self.nodes.len() && self.stops[**stop].size != BARE);
            let word = word.or(route.get(route.len() / 2)).map_or((0.0, 0.0), |stop| point(*stop));
            let mut points: Vec<Point> = route.iter().map(|stop| point(*stop)).collect();
            if *turned {
                points.reverse();
            }
            into.lines[*number] = (points, word);
        }
        let mut width = across.iter().zip(&self.stops).map(|(x, stop)| x + stop.size.0 / 2.0).fold(0.0, f64::max);
        for (number, line) in lines.iter().enumerate().filter(|(_, line)| line.from == line.to) {
            if let Ok(place) = self.nodes.binary_search(&line.from) {
                let (x, y) = point(place);
                let right = x + self.stops[place].size.0 / 2.0;
                into.lines[number] = (vec![(right, y - 8.0), (right, y + 8.0)], (right + 34.0 + line.word / 2.0, y));
                width = width.max(right + 34.0 + line.word);
            }
        }
        (width, top - LAYER / 2.0)
    }
}

/// Which edges must be turned so that there is no circle: those that lead back to a node still being looked at.
fn turned(count: usize, edges: &[(usize, usize, usize)]) -> Vec<bool> {
    let mut out: Vec<Vec<(usize, usize)>> = vec![Vec::new(); count];
    let mut comes = vec![0; count];
    for (place, (_, from, to)) in edges.iter().enumerate() {
        out[*from].push((*to, place));
        comes[*to] += 1;
    }
    let mut turned = vec![false; edges.len()];
    // 0: not seen, 1: being looked at, 2: done.
    let mut state = vec![0; count];
    let mut starts: Vec<usize> = (0..count).collect();
    starts.sort_by_key(|node| comes[*node]);
    for start in starts {
        if state[start] != 0 {
            continue;
        }
        let mut path = vec![(start, 0)];
        state[start] = 1;
        while let Some((node, next)) = path.pop() {
            let Some((to, place)) = out[node].get(next).copied() else {
                state[node] = 2;
                continue;
            };
            path.push((node, next + 1));
            match state[to] {
                0 => {
                    state[to] = 1;
                    path.push((to, 0));
                }
                1 => turned[place] = true,
                _ => {}
            }
        }
    }
    turned
}

/// Each node below all that lead to it; one that nothing leads to right above what it leads to.
fn layers(count: usize, down: &[(usize, usize)]) -> Vec<usize> {
    let mut out: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut comes = vec![0; count];
    for (from, to) in down {
        out[*from].push(*to);
        comes[*to] += 1;
    }
    let first: Vec<usize> = (0..count).filter(|node| comes[*node] == 0).collect();
    let mut left = comes.clone();
    let (mut layers, mut open) = (vec![0_usize; count], VecDeque::from(first.clone()));
    while let Some(node) = open.pop_front() {
        for next in &out[node] {
            layers[*next] = layers[*next].max(layers[node] + 1);
            left[*next] -= 1;
            if left[*next] == 0 {
                open.push_back(*next);
            }
        }
    }
    for node in first {
        if let Some(nearest) = out[node].iter().map(|next| layers[*next]).min() {
            layers[node] = nearest.saturating_sub(1);
        }
    }
    layers
}

/// Layers too wide to look at become several: nodes that nothing leads to may stand higher, those that lead nowhere lower.
fn spread(mut layers: Vec<usize>, down: &[(usize, usize)], widths: &[f64]) -> Vec<usize> {
    let (mut leads, mut comes) = (vec![false; layers.len()], vec![false; layers.len()]);
    for (from, to) in down {
        (leads[*from], comes[*to]) = (true, true);
    }
    let last = layers.iter().max().copied().unwrap_or(0);
    for layer in (0..=last).rev() {
        for (is_fixed, goes_up) in [(&leads, false), (&comes, true)] {
            let free: Vec<usize> =
                (0..layers.len()).filter(|node| layers[*node] == layer && !is_fixed[*node]).collect();
            let width: f64 = free.iter().map(|node| widths[*node] + GAP).sum();
            let rows = (width / ROW).ceil().max(1.0) as usize;
            if rows == 1 {
                continue;
            }
            let room = rows - 1;
            for at in layers.iter_mut().filter(|at| if goes_up { **at >= layer } else { **at > layer }) {
                *at += room;
            }
            for (place, node) in free.iter().enumerate() {
                let row = place * rows / free.len();
                layers[*node] = if goes_up { layer + room - row } else { layer + row };
            }
        }
    }
    layers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(from: usize, to: usize) -> Line {
        Line { from, to, word: 40.0 }
    }

    #[track_caller]
    fn check(sizes: &[Size], lines: &[Line]) -> Layout {
        let layout = layout(sizes, lines);
        let boxes: Vec<(Point, Size)> = layout.nodes.iter().copied().zip(sizes.iter().copied()).collect();
        for (place, (one, size)) in boxes.iter().enumerate() {
            assert!(one.0 - size.0 / 2.0 > -0.1 && one.0 + size.0 / 2.0 < layout.width + 0.1, "{one:?}");
            assert!(one.1 - size.1 / 2.0 > -0.1 && one.1 + size.1 / 2.0 < layout.height + 0.1, "{one:?}");
            for (other, other_size) in &boxes[place + 1..] {
                let apart = (one.0 - other.0).abs() >= (size.0 + other_size.0) / 2.0 - 0.1
                    || (one.1 - other.1).abs() >= (size.1 + other_size.1) / 2.0 - 0.1;
                assert!(apart, "{one:?} covers {other:?}");
            }
        }
        for (line, (points, _)) in lines.iter().zip(&layout.lines).filter(|(line, _)| line.from != line.to) {
            assert_eq!(points.first(), Some(&layout.nodes[line.from]));
            assert_eq!(points.last(), Some(&layout.nodes[line.to]));
        }
        layout
    }

    #[test]
    fn a_chain_goes_down_and_a_circle_ends() {
        let sizes = vec![(100.0, 30.0); 4];
        let chain = check(&sizes, &[line(0, 1), line(1, 2), line(0, 2)]);
        assert!(chain.nodes[0].1 < chain.nodes[1].1 && chain.nodes[1].1 < chain.nodes[2].1);
        check(&sizes, &[line(0, 1), line(1, 2), line(2, 0), line(3, 3), line(0, 1)]);
        check(&[], &[]);
    }

    #[test]
    fn siblings_stand_beside_each_other_without_crossings() {
        let layout = check(&[(80.0, 30.0); 5], &[line(0, 1), line(0, 2), line(1, 4), line(2, 3)]);
        let left_to_right = |one: usize, other: usize| layout.nodes[one].0 < layout.nodes[other].0;
        assert_eq!(left_to_right(1, 2), left_to_right(4, 3));
    }

    #[test]
    fn many_that_lead_to_one_stand_in_rows() {
        let count = 61;
        let star: Vec<Line> = (1..count).map(|node| Line { from: node, to: 0, word: 0.0 }).collect();
        let layout = check(&vec![(120.0, 34.0); count], &star);
        let in_one_row = (count - 1) as f64 * (120.0 + GAP);
        assert!(layout.width < in_one_row / 2.0, "{} {}", layout.width, layout.height);
        assert!(star.iter().all(|line| layout.nodes[line.from].1 < layout.nodes[0].1));
    }

    #[test]
    fn hundreds_of_nodes_take_no_time() {
        let count = 600;
        let lines: Vec<Line> =
            (1..count).flat_map(|node| [line(node / 3, node), line(node, node * 7 % count)]).collect();
        let begun = std::time::Instant::now();
        check(&vec![(120.0, 34.0); count], &lines);
        assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    }
}
