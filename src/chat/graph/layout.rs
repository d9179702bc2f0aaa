//! Where the nodes of a graph stand: layers from the top to the bottom, after Sugiyama, Tagawa and Toda (1981).
//!
//! Ways back are turned round for the time of the work, nodes stand one layer below the lowest that leads to them,
//! long ways get a place in each layer they pass, the order in the layers is the one with the fewest crossings that a
//! few sweeps find, and in the end everything is moved towards what it is joined with.

use std::collections::BTreeSet;

use super::{Graph, Kind};

/// Sweeps over the layers, down and up, in search of an order with few crossings.
const SWEEPS: usize = 24;

/// A drawing: sizes in pixels, the middle of each node, and the points that each edge passes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    pub width: f64,
    pub height: f64,
    pub nodes: Vec<Placed>,
    /// In the order of the graph's edges: from its beginning to its end.
    pub edges: Vec<Vec<(f64, f64)>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Placed {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// Space between nodes beside one another, between layers, and around everything.
const BESIDE: f64 = 28.0;
const BETWEEN: f64 = 76.0;
const MARGIN: f64 = 24.0;
/// The room that a passing way takes.
const PASSING: f64 = 18.0;

/// A place in a layer: a node of the graph, or where a long way passes.
struct Spot {
    node: Option<usize>,
    layer: usize,
    width: f64,
    up: Vec<usize>,
    down: Vec<usize>,
    x: f64,
}

/// Places a graph whose nodes have these sizes.
pub fn layout(graph: &Graph, sizes: &[(f64, f64)]) -> Layout {
    let turned = ways_back(graph);
    let layers = layers_of(graph, &turned);
    let mut spots: Vec<Spot> = layers
        .iter()
        .enumerate()
        .map(|(node, layer)| Spot {
            node: Some(node),
            layer: *layer,
            width: sizes.get(node).map_or(0.0, |size| size.0),
            up: Vec::new(),
            down: Vec::new(),
            x: 0.0,
        })
        .collect();
    let passes: Vec<Vec<usize>> = graph
        .edges
        .iter()
        .enumerate()
        .map(|(at, edge)| pass(&mut spots, edge, turned.contains(&at)))
        .collect();
    let order = ordered(&spots);
    spread(&mut spots, &order);
    pack(&mut spots, order.len());
    drawn(graph, sizes, &spots, &order, &passes, &turned)
}

/// The edges that lead back to where a walk from the beginning has come from.
fn ways_back(graph: &Graph) -> BTreeSet<usize> {
    let mut back = BTreeSet::new();
    let mut done = BTreeSet::new();
    for start in 0..graph.nodes.len() {
        // Nodes on the way to where the walk is, each with the edges that are still to be tried.
        let mut trail: Vec<(usize, Vec<usize>)> = Vec::new();
        let out = |node: usize| -> Vec<usize> {
            let edges = graph.edges.iter().enumerate().filter(|(_, edge)| edge.from == node);
            edges.map(|(at, _)| at).rev().collect()
        };
        if done.insert(start) {
            trail.push((start, out(start)));
        }
        while let Some((_, open)) = trail.last_mut() {
            let Some(edge) = open.pop() else {
                trail.pop();
                continue;
            };
            let Some(to) = graph.edges.get(edge).map(|edge| edge.to) else { continue };
            if trail.iter().any(|(on, _)| *on == to) {
                back.insert(edge);
            } else if done.insert(to) {
                trail.push((to, out(to)));
            }
        }
    }
    back
}

/// The layer of each node: one below the lowest that leads to it.
fn layers_of(graph: &Graph, turned: &BTreeSet<usize>) -> Vec<usize> {
    let ways: Vec<(usize, usize)> = graph
        .edges
        .iter()
        .enumerate()
        .map(|(at, edge)| if turned.contains(&at) { (edge.to, edge.from) } else { (edge.from, edge.to) })
        .filter(|(from, to)| from != to)
        .collect();
    let mut layers = vec![0_usize; graph.nodes.len()];
    for _ in 0..graph.nodes.len() {
        let mut moved = false;
        for (from, to) in &ways {
            let wanted = layers.get(*from).map_or(0, |layer| layer.saturating_add(1));
            if let Some(layer) = layers.get_mut(*to).filter(|layer| **layer < wanted) {
                *layer = wanted;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    // What nothing leads to stands right above what it leads to.
    for (node, _) in graph.nodes.iter().enumerate().filter(|(_, node)| node.kind == Kind::Event) {
        let below = ways.iter().filter(|(from, _)| *from == node).filter_map(|(_, to)| layers.get(*to)).min();
        let layer = below.map_or(0, |below| below.saturating_sub(1));
        if let Some(own) = layers.get_mut(node) {
            *own = layer;
        }
    }
    layers
}

/// Joins two nodes through all layers between them; the spots on the way, from the upper to the lower one.
fn pass(spots: &mut Vec<Spot>, edge: &super::Edge, is_turned: bool) -> Vec<usize> {
    let (upper, lower) = if is_turned { (edge.to, edge.from) } else { (edge.from, edge.to) };
    let layer = |spots: &[Spot], at: usize| spots.get(at).map_or(0, |spot| spot.layer);
    let (top, bottom) = (layer(spots, upper), layer(spots, lower));
    let mut way = vec![upper];
    for between in top.saturating_add(1)..bottom {
        let spot =
            Spot { node: None, layer: between, width: PASSING, up: Vec::new(), down: Vec::new(), x: 0.0 };
        spots.push(spot);
        way.push(spots.len().saturating_sub(1));
    }
    way.push(lower);
    for pair in way.windows(2) {
        if let [above, below] = *pair
            && top < bottom
        {
            spots[above].down.push(below);
            spots[below].up.push(above);
        }
    }
    way
}

/// The order of the spots in each layer, with as few crossings as a few sweeps bring.
fn ordered(spots: &[Spot]) -> Vec<Vec<usize>> {
    let count = spots.iter().map(|spot| spot.layer).max().map_or(0, |layer| layer.saturating_add(1));
    let mut order: Vec<Vec<usize>> = vec![Vec::new(); count];
    // To begin with, as a walk from the top meets them.
    let mut met = BTreeSet::new();
    let mut open: Vec<usize> = (0..spots.len()).rev().filter(|at| spots[*at].up.is_empty()).collect();
    while let Some(at) = open.pop() {
        let Some(spot) = spots.get(at).filter(|_| met.insert(at)) else { continue };
        order[spot.layer].push(at);
        open.extend(spot.down.iter().rev());
    }
    let mut best = order.clone();
    let mut fewest = crossings(spots, &best);
    for sweep in 0..SWEEPS {
        let is_down = sweep % 2 == 0;
        let layers: Vec<usize> =
            if is_down { (1..count).collect() } else { (0..count.saturating_sub(1)).rev().collect() };
        for layer in layers {
            let beside = if is_down { layer - 1 } else { layer + 1 };
            let place = places(&order[beside]);
            let mut keyed: Vec<(f64, usize)> = order[layer]
                .iter()
                .enumerate()
                .map(|(index, at)| {
                    let near = if is_down { &spots[*at].up } else { &spots[*at].down };
                    let at_places: Vec<f64> = near.iter().filter_map(|n| place.get(n).copied()).collect();
                    (mean(&at_places).unwrap_or_else(|| number(index)), *at)
                })
                .collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            order[layer] = keyed.into_iter().map(|(_, at)| at).collect();
        }
        let now = crossings(spots, &order);
        if now < fewest {
            (fewest, best) = (now, order.clone());
        }
    }
    best
}

fn places(layer: &[usize]) -> std::collections::BTreeMap<usize, f64> {
    layer.iter().enumerate().map(|(index, at)| (*at, number(index))).collect()
}

fn crossings(spots: &[Spot], order: &[Vec<usize>]) -> usize {
    let mut count = 0;
    for pair in order.windows(2) {
        let [upper, lower] = pair else { continue };
        let place = places(lower);
        let ways: Vec<(usize, f64)> = upper
            .iter()
            .enumerate()
            .flat_map(|(index, at)| {
                spots[*at].down.iter().filter_map(|to| place.get(to)).map(move |to| (index, *to))
            })
            .collect();
        for (index, (from, to)) in ways.iter().enumerate() {
            count +=
                ways.iter().skip(index + 1).filter(|(f, t)| f > from && t < to || f < from && t > to).count();
        }
    }
    count
}

/// Gives every spot its x: as near as the order allows to the middle of what it is joined with.
fn spread(spots: &mut [Spot], order: &[Vec<usize>]) {
    for layer in order {
        let mut x = 0.0;
        for at in layer {
            x += spots[*at].width / 2.0;
            spots[*at].x = x;
            x += spots[*at].width / 2.0 + BESIDE;
        }
    }
    for sweep in 0..SWEEPS {
        let is_down = sweep % 2 == 0;
        let layers: Vec<&Vec<usize>> =
            if is_down { order.iter().collect() } else { order.iter().rev().collect() };
        for layer in layers {
            let wanted: Vec<f64> = layer
                .iter()
                .map(|at| {
                    let spot = &spots[*at];
                    let near = if is_down { &spot.up } else { &spot.down };
                    let xs: Vec<f64> = near.iter().map(|n| spots[*n].x).collect();
                    mean(&xs).unwrap_or(spot.x)
                })
                .collect();
            settle(spots, layer, &wanted);
        }
    }
}

/// Moves the parts that nothing joins beside one another, as near as their layers allow.
fn pack(spots: &mut [Spot], layers: usize) {
    let mut seen = BTreeSet::new();
    let mut right = vec![f64::NEG_INFINITY; layers];
    for start in 0..spots.len() {
        let mut part = Vec::new();
        let mut open = vec![start];
        while let Some(at) = open.pop() {
            if seen.insert(at) {
                part.push(at);
                open.extend(spots[at].up.iter().chain(&spots[at].down));
            }
        }
        let side = |spot: &Spot, side: f64| spot.x + side * spot.width / 2.0;
        let leftmost = part.iter().map(|at| side(&spots[*at], -1.0)).fold(f64::INFINITY, f64::min);
        // The first part begins at nought, every other one right of whatever stands in its layers.
        let needed = part.iter().map(|at| right[spots[*at].layer] + BESIDE - side(&spots[*at], -1.0));
        let by = needed.fold(-leftmost, f64::max);
        for at in part {
            spots[at].x += by;
            let edge = side(&spots[at], 1.0);
            right[spots[at].layer] = right[spots[at].layer].max(edge);
        }
    }
}

/// Moves the spots of a layer to where they want to be, pushing neighbours on, from both sides, and takes the middle.
fn settle(spots: &mut [Spot], layer: &[usize], wanted: &[f64]) {
    let gap = |a: usize, b: usize, spots: &[Spot]| (spots[a].width + spots[b].width) / 2.0 + BESIDE;
    let mut right: Vec<f64> = wanted.to_vec();
    for index in 1..layer.len() {
        right[index] = right[index].max(right[index - 1] + gap(layer[index - 1], layer[index], spots));
    }
    let mut left: Vec<f64> = wanted.to_vec();
    for index in (0..layer.len().saturating_sub(1)).rev() {
        left[index] = left[index].min(left[index + 1] - gap(layer[index], layer[index + 1], spots));
    }
    // The middle of two orders that keep their distances keeps them too.
    for (index, at) in layer.iter().enumerate() {
        spots[*at].x = f64::midpoint(left[index], right[index]);
    }
}

fn drawn(
    graph: &Graph,
    sizes: &[(f64, f64)],
    spots: &[Spot],
    order: &[Vec<usize>],
    passes: &[Vec<usize>],
    turned: &BTreeSet<usize>,
) -> Layout {
    let height = |at: usize| spots[at].node.and_then(|node| sizes.get(node)).map_or(0.0, |size| size.1);
    let edge_of = |spot: &Spot, side: f64| spot.x + side * spot.width / 2.0;
    let left = spots.iter().map(|spot| edge_of(spot, -1.0)).fold(f64::INFINITY, f64::min);
    let right = spots.iter().map(|spot| edge_of(spot, 1.0)).fold(f64::NEG_INFINITY, f64::max);
    let mut middles = Vec::new();
    let mut y = MARGIN;
    for layer in order {
        let tallest = layer.iter().map(|at| height(*at)).fold(0.0, f64::max);
        middles.push(y + tallest / 2.0);
        y += tallest + BETWEEN;
    }
    let x_of = |at: usize| spots[at].x - left + MARGIN;
    let y_of = |at: usize| middles.get(spots[at].layer).copied().unwrap_or_default();
    let nodes: Vec<Placed> = (0..graph.nodes.len())
        .map(|node| Placed { x: x_of(node), y: y_of(node), width: spots[node].width, height: height(node) })
        .collect();
    let mut edges: Vec<Vec<(f64, f64)>> = Vec::new();
    for (at, way) in passes.iter().enumerate() {
        let mut points: Vec<(f64, f64)> = way.iter().map(|spot| (x_of(*spot), y_of(*spot))).collect();
        if let (Some(first), Some(last)) = (points.first_mut(), way.first()) {
            first.1 += height(*last) / 2.0;
        }
        if let (Some(end), Some(last)) = (points.last_mut(), way.last()) {
            end.1 -= height(*last) / 2.0;
        }
        if turned.contains(&at) {
            points.reverse();
        }
        edges.push(points);
    }
    fan_out(graph, &nodes, &mut edges);
    Layout { width: right - left + 2.0 * MARGIN, height: y - BETWEEN + MARGIN, nodes, edges }
}

/// Lets the ways of a node leave and arrive side by side, in the order in which they go on.
fn fan_out(graph: &Graph, nodes: &[Placed], edges: &mut [Vec<(f64, f64)>]) {
    for (node, placed) in nodes.iter().enumerate() {
        for is_bottom in [true, false] {
            let y = if is_bottom { placed.y + placed.height / 2.0 } else { placed.y - placed.height / 2.0 };
            let mut ends: Vec<(f64, usize, bool)> = Vec::new();
            for (at, edge) in graph.edges.iter().enumerate() {
                let Some(points) = edges.get(at).filter(|points| points.len() > 1) else { continue };
                let (first, last) = (points[0], points[points.len() - 1]);
                if edge.from == node && (first.1 - y).abs() < 0.5 {
                    ends.push((points[1].0, at, true));
                }
                if edge.to == node && (last.1 - y).abs() < 0.5 {
                    ends.push((points[points.len() - 2].0, at, false));
                }
            }
            ends.sort_by(|a, b| a.0.total_cmp(&b.0));
            let step = (placed.width * 0.7) / number(ends.len().max(1));
            for (index, (_, at, is_first)) in ends.iter().enumerate() {
                let x = placed.x + (number(index) - number(ends.len() - 1) / 2.0) * step;
                let points = &mut edges[*at];
                let end = if *is_first { 0 } else { points.len() - 1 };
                points[end].0 = x;
            }
        }
    }
}

fn mean(of: &[f64]) -> Option<f64> {
    (!of.is_empty()).then(|| of.iter().sum::<f64>() / number(of.len()))
}

/// A count as a length; drawings have far fewer things than a float can count.
fn number(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed() -> (Graph, Layout) {
        let graph = super::super::tests::welcome();
        let sizes: Vec<(f64, f64)> = graph.nodes.iter().map(|_| (200.0, 60.0)).collect();
        let layout = layout(&graph, &sizes);
        (graph, layout)
    }

    #[test]
    fn no_node_covers_another() {
        let (_, layout) = placed();
        for (index, a) in layout.nodes.iter().enumerate() {
            for b in layout.nodes.iter().skip(index + 1) {
                let apart = (a.x - b.x).abs() >= (a.width + b.width) / 2.0
                    || (a.y - b.y).abs() >= (a.height + b.height) / 2.0;
                assert!(apart, "{a:?} {b:?}");
            }
            let (half, tall) = (a.width / 2.0, a.height / 2.0);
            assert!(a.x - half >= 0.0 && a.x + half <= layout.width, "{a:?}");
            assert!(a.y - tall >= 0.0 && a.y + tall <= layout.height, "{a:?}");
        }
    }

    #[test]
    fn every_way_begins_and_ends_at_its_nodes() {
        let (graph, layout) = placed();
        for (edge, points) in graph.edges.iter().zip(&layout.edges) {
            for (node, point) in [(edge.from, points.first()), (edge.to, points.last())] {
                let (placed, (x, y)) = (layout.nodes[node], *point.unwrap());
                assert!((x - placed.x).abs() <= placed.width / 2.0, "{edge:?}");
                assert!(((y - placed.y).abs() - placed.height / 2.0).abs() < 0.5, "{edge:?}");
            }
        }
    }

    #[test]
    fn ways_lead_down_unless_they_lead_back() {
        let (graph, layout) = placed();
        let turned = ways_back(&graph);
        for (at, edge) in graph.edges.iter().enumerate() {
            let is_down = layout.nodes[edge.from].y < layout.nodes[edge.to].y;
            assert_eq!(is_down, !turned.contains(&at), "{edge:?}");
        }
    }

    #[test]
    fn what_nothing_joins_stands_close_beside_the_rest() {
        let (graph, layout) = placed();
        let at = |id: &str| layout.nodes[graph.nodes.iter().position(|node| node.id == id).expect("a node")];
        let (timeout, hello) = (at("timeout"), at("hello"));
        assert!(timeout.x > hello.x && layout.width < 1_800.0, "{layout:?}");
    }

    #[test]
    fn the_same_flow_is_drawn_the_same() {
        assert_eq!(placed().1, placed().1);
    }
}
