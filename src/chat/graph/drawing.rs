//! The graph as places and lines, for a page that draws it in its own colours and writes numbers on it.

use serde::Serialize;

use super::layout::layout;
use super::svg::{LABEL_CHARS, LINE, curve, labels, shortened, size, wrapped};
use super::{Graph, Kind};

/// What a page adds to a node or an edge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    /// A line of its own; of an edge it stands behind its label.
    pub note: String,
    /// How it stands out: classes of the page's style sheet.
    pub class: String,
    /// All of it in words.
    pub title: String,
    /// Where a click on it leads.
    pub href: Option<String>,
}

/// Everything that has to be drawn, in pixels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drawing {
    pub width: f64,
    pub height: f64,
    pub nodes: Vec<Shape>,
    pub ways: Vec<Way>,
    pub labels: Vec<Written>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shape {
    pub id: String,
    pub verb: String,
    /// `step`, `branch`, `person`, `end` or `event`, and what the page adds.
    pub class: String,
    pub title: String,
    pub href: Option<String>,
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
    /// How round its corners are.
    pub radius: f64,
    /// The outline of a node where ways part; others are rectangles.
    pub outline: Option<String>,
    /// Where its writing begins and ends.
    pub left: f64,
    pub right: f64,
    /// The base line of its name.
    pub head: f64,
    pub is_end: bool,
    pub middle: f64,
    pub lines: Vec<Written>,
    pub note: Option<Written>,
}

/// A line of writing: where it begins, or its middle if it is a label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Written {
    pub x: f64,
    pub y: f64,
    pub text: String,
    pub class: String,
}

/// An edge.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Way {
    pub path: String,
    pub class: String,
    pub title: String,
}

/// Places a graph. `nodes` and `edges` are what the page adds, in the graph's order.
pub fn drawing(graph: &Graph, nodes: &[Mark], edges: &[Mark]) -> Drawing {
    let none = Mark::default();
    let of_node = |at: usize| nodes.get(at).unwrap_or(&none);
    let of_edge = |at: usize| edges.get(at).unwrap_or(&none);
    let sizes: Vec<(f64, f64)> = graph
        .nodes
        .iter()
        .enumerate()
        .map(|(at, node)| {
            let (width, height) = size(node);
            match (node.kind, of_node(at).note.chars().count()) {
                (_, 0) => (width, height),
                (Kind::End, chars) => {
                    (width + f64::from(u32::try_from(chars).unwrap_or(0)) * 7.0 + 12.0, height)
                }
                _ => (width, height + LINE + 2.0),
            }
        })
        .collect();
    let placed = layout(graph, &sizes);
    let shapes = graph.nodes.iter().zip(&placed.nodes).enumerate().map(|(number, (node, at))| {
        let mark = of_node(number);
        let (left, top) = (tenths(at.x - at.width / 2.0), tenths(at.y - at.height / 2.0));
        let inset = if node.kind == Kind::Branch { 20.0 } else { 12.0 };
        let head = tenths(top + 21.0);
        let mut y = head;
        let lines: Vec<Written> = wrapped(&node.words)
            .into_iter()
            .map(|text| {
                y = tenths(y + LINE);
                Written { x: left + inset, y, text, class: String::new() }
            })
            .collect();
        let is_end = node.kind == Kind::End;
        let note = (!is_end && !mark.note.is_empty()).then(|| Written {
            x: left + inset,
            y: tenths(y + LINE + 2.0),
            text: mark.note.clone(),
            class: String::new(),
        });
        let id = match (is_end, mark.note.is_empty()) {
            (true, false) => format!("{} · {}", node.id, mark.note),
            (true, true) => node.id.clone(),
            (false, _) => shortened(&node.id, 24),
        };
        Shape {
            id,
            verb: node.verb.clone(),
            class: joined(&[kind(node.kind), &mark.class]),
            title: mark.title.clone(),
            href: mark.href.clone(),
            x: left,
            y: top,
            width: tenths(at.width),
            height: tenths(at.height),
            radius: if matches!(node.kind, Kind::End | Kind::Event) { 16.0 } else { 8.0 },
            outline: (node.kind == Kind::Branch).then(|| outline(left, top, at.width, at.height)),
            left: left + inset,
            right: tenths(left + at.width - inset),
            head: if is_end { tenths(at.y + 4.5) } else { head },
            is_end,
            middle: tenths(at.x),
            lines: if is_end { Vec::new() } else { lines },
            note,
        }
    });
    let shapes: Vec<Shape> = shapes.collect();
    let ways = graph.edges.iter().zip(&placed.edges).enumerate().map(|(number, (edge, points))| {
        let is_back = points.first().zip(points.last()).is_some_and(|(first, last)| first.1 > last.1);
        let mark = of_edge(number);
        let (fallback, back) =
            (if edge.is_fallback { "fallback" } else { "" }, if is_back { "back" } else { "" });
        Way { path: curve(points), class: joined(&[fallback, back, &mark.class]), title: mark.title.clone() }
    });
    let ways = ways.collect();
    let text = |edge: usize| {
        let label = graph.edges.get(edge).map_or("", |edge| edge.label.as_str());
        match (label, of_edge(edge).note.as_str()) {
            (label, "") => shortened(label, LABEL_CHARS),
            ("", note) => note.to_owned(),
            (label, note) => format!("{} · {note}", shortened(label, LABEL_CHARS - 8)),
        }
    };
    let labels = labels(graph, &placed, |edge| !text(edge).is_empty()).into_iter().map(|label| Written {
        x: tenths(label.x),
        y: tenths(label.y),
        text: text(label.edge),
        class: of_edge(label.edge).class.clone(),
    });
    let labels = labels.collect();
    Drawing { width: placed.width.ceil(), height: placed.height.ceil(), nodes: shapes, ways, labels }
}

/// More is not to be seen, and would only make the page long.
fn tenths(n: f64) -> f64 {
    (n * 10.0).round() / 10.0
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Step => "step",
        Kind::Branch => "branch",
        Kind::Person => "person",
        Kind::End => "end",
        Kind::Event => "event",
    }
}

fn joined(classes: &[&str]) -> String {
    let classes: Vec<&str> = classes.iter().copied().filter(|class| !class.is_empty()).collect();
    classes.join(" ")
}

/// A box with a point at both sides.
fn outline(left: f64, top: f64, width: f64, height: f64) -> String {
    let (right, bottom, middle, cut) = (left + width, top + height, top + height / 2.0, 14.0);
    format!(
        "M{:.1} {top:.1}H{:.1}L{right:.1} {middle:.1}L{:.1} {bottom:.1}H{:.1}L{left:.1} {middle:.1}Z",
        left + cut,
        right - cut,
        right - cut,
        left + cut,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_make_room_for_themselves_and_nothing_lies_outside() {
        let graph = super::super::tests::welcome();
        let bare = drawing(&graph, &[], &[]);
        let note = |_| Mark { note: "12 came, 3 left".to_owned(), ..Mark::default() };
        let nodes: Vec<Mark> = (0..graph.nodes.len()).map(note).collect();
        let edge = |_| Mark { note: "7".to_owned(), class: "w3".to_owned(), ..Mark::default() };
        let edges: Vec<Mark> = (0..graph.edges.len()).map(edge).collect();
        let told = drawing(&graph, &nodes, &edges);
        assert_eq!((told.nodes.len(), told.ways.len()), (graph.nodes.len(), graph.edges.len()));
        assert!(told.height > bare.height, "a line for the numbers");
        assert_eq!(told.labels.len(), graph.edges.len(), "every way tells its number");
        assert!(told.ways.iter().all(|way| way.class.ends_with("w3")));
        for shape in &told.nodes {
            assert!(shape.x >= 0.0 && shape.x + shape.width <= told.width, "{}", shape.id);
            assert!(shape.y >= 0.0 && shape.y + shape.height <= told.height, "{}", shape.id);
            assert!(shape.is_end || shape.note.as_ref().is_some_and(|note| note.y < shape.y + shape.height));
        }
        let end = told.nodes.iter().find(|shape| shape.is_end).expect("it ends");
        assert!(end.id.ends_with("12 came, 3 left"));
    }
}
