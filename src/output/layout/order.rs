//! The order inside of layers, and how far from the left each node stands.

use super::{BARE, GAP, NARROW, Stop};

/// Rounds of looking down and up; more change little.
const ROUNDS: usize = 12;

/// Stops by layer, in an order that crosses few links.
pub(super) fn ordered(stops: &[Stop], links: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let (above, below) = neighbours(stops.len(), links);
    let count = stops.iter().map(|stop| stop.layer + 1).max().unwrap_or(0);
    let mut layers: Vec<Vec<usize>> = vec![Vec::new(); count];
    for stop in depth_first(stops.len(), &above, &below) {
        layers[stops[stop].layer].push(stop);
    }
    let mut place = vec![0; stops.len()];
    number(&layers, &mut place);
    let (mut best, mut fewest) = (layers.clone(), crossings(&layers, &below, &place));
    for round in 0..ROUNDS {
        if fewest == 0 {
            break;
        }
        let looks_up = round % 2 == 0;
        let rows: Vec<usize> = if looks_up { (0..count).collect() } else { (0..count).rev().collect() };
        for row in rows {
            let near = if looks_up { &above } else { &below };
            sort_by_middle(&mut layers[row], near, &place);
            for (at, stop) in layers[row].iter().enumerate() {
                place[*stop] = at;
            }
        }
        let crossed = crossings(&layers, &below, &place);
        if crossed < fewest {
            (best, fewest) = (layers.clone(), crossed);
        }
    }
    best
}

fn neighbours(count: usize, links: &[(usize, usize)]) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
    let (mut above, mut below) = (vec![Vec::new(); count], vec![Vec::new(); count]);
    for (from, to) in links {
        below[*from].push(*to);
        above[*to].push(*from);
    }
    (above, below)
}

/// What hangs together comes together.
fn depth_first(count: usize, above: &[Vec<usize>], below: &[Vec<usize>]) -> Vec<usize> {
    let (mut seen, mut found) = (vec![false; count], Vec::new());
    for start in (0..count).filter(|stop| above[*stop].is_empty()).chain(0..count) {
        let mut open = vec![start];
        while let Some(stop) = open.pop() {
            if !std::mem::replace(&mut seen[stop], true) {
                found.push(stop);
                open.extend(below[stop].iter().rev());
            }
        }
    }
    found
}

fn number(layers: &[Vec<usize>], place: &mut [usize]) {
    for layer in layers {
        for (at, stop) in layer.iter().enumerate() {
            place[*stop] = at;
        }
    }
}

/// By the mean place of the neighbours; those without any keep theirs.
fn sort_by_middle(layer: &mut [usize], near: &[Vec<usize>], place: &[usize]) {
    let middle = |stop: &usize| {
        let near = &near[*stop];
        let sum: usize = near.iter().map(|other| place[*other]).sum();
        if near.is_empty() { place[*stop] as f64 } else { sum as f64 / near.len() as f64 }
    };
    layer.sort_by(|one, other| middle(one).total_cmp(&middle(other)));
}

/// Pairs of links between two layers that cross: inversions, counted with a tree of sums.
fn crossings(layers: &[Vec<usize>], below: &[Vec<usize>], place: &[usize]) -> usize {
    let mut total = 0;
    for pair in layers.windows(2) {
        let mut ends = Vec::new();
        for stop in &pair[0] {
            let mut own: Vec<usize> = below[*stop].iter().map(|to| place[*to]).collect();
            own.sort_unstable();
            ends.extend(own);
        }
        let mut sums = vec![0; pair[1].len() + 1];
        for (before, end) in ends.iter().enumerate() {
            let (mut at, mut not_right) = (end + 1, 0);
            while at > 0 {
                not_right += sums[at];
                at -= at & at.wrapping_neg();
            }
            total += before - not_right;
            at = end + 1;
            while at < sums.len() {
                sums[at] += 1;
                at += at & at.wrapping_neg();
            }
        }
    }
    total
}

/// The middle of each stop: near its neighbours, without touching the one beside it.
pub(super) fn across(stops: &[Stop], links: &[(usize, usize)], layers: &[Vec<usize>]) -> Vec<f64> {
    let (above, below) = neighbours(stops.len(), links);
    let mut across = vec![0.0; stops.len()];
    for layer in layers {
        let wanted = vec![0.0; layer.len()];
        settle(layer, &wanted, stops, &mut across);
    }
    for round in 0..ROUNDS {
        let looks_up = round % 2 == 0;
        let rows: Vec<&Vec<usize>> = if looks_up { layers.iter().collect() } else { layers.iter().rev().collect() };
        for layer in rows {
            let near = if looks_up { &above } else { &below };
            let wanted: Vec<f64> = layer
                .iter()
                .map(|stop| {
                    let near = &near[*stop];
                    let sum: f64 = near.iter().map(|other| across[*other]).sum();
                    if near.is_empty() { across[*stop] } else { sum / near.len() as f64 }
                })
                .collect();
            settle(layer, &wanted, stops, &mut across);
        }
    }
    let left = across.iter().zip(stops).map(|(x, stop)| x - stop.size.0 / 2.0).fold(f64::INFINITY, f64::min);
    across.iter_mut().for_each(|x| *x -= left);
    across
}

/// Moves the stops of a layer as near to where they want to stand as their widths allow: stops that would touch become
/// a block, which stands at the mean of its members' wishes.
fn settle(layer: &[usize], wanted: &[f64], stops: &[Stop], across: &mut [f64]) {
    // Where a stop stands from the start of its block on, and what the block wants.
    let mut blocks: Vec<(usize, f64, f64)> = Vec::new();
    let mut from_left = 0.0;
    let mut offsets = Vec::with_capacity(layer.len());
    for (at, stop) in layer.iter().enumerate() {
        let half = stops[*stop].size.0 / 2.0;
        if at > 0 {
            let before = stops[layer[at - 1]].size;
            let gap = if before == BARE && stops[*stop].size == BARE { NARROW } else { GAP };
            from_left += before.0 / 2.0 + gap + half;
        }
        offsets.push(from_left);
        blocks.push((1, wanted[at] - from_left, 1.0));
        while let [.., (first, one, weight), (second, other, more)] = blocks.as_slice()
            && one > other
        {
            let joined = (first + second, (one * weight + other * more) / (weight + more), weight + more);
            blocks.truncate(blocks.len() - 2);
            blocks.push(joined);
        }
    }
    let mut at = 0;
    for (members, start, _) in blocks {
        for _ in 0..members {
            across[layer[at]] = start + offsets[at];
            at += 1;
        }
    }
}
