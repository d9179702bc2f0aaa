//! The graph as a drawing that browsers show: light and dark, with a title for everything that is cut short.

use std::fmt::Write as _;

use super::layout::{Layout, Placed, layout};
use super::{Edge, Graph, Kind, Node};

/// Width of a node, of its writing, and of a label, in pixels and characters.
pub(super) const WIDTH: f64 = 216.0;
const CHARS: usize = 29;
pub(super) const LABEL_CHARS: usize = 30;
pub(super) const LINE: f64 = 16.0;
/// Lines of what is said that fit into a node.
const LINES: usize = 3;

const STYLE: &str = "\
svg{background:#fbfaf8;font:12px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}\
.n rect,.n path{fill:#fff;stroke:#c9c5bc;stroke-width:1.25}\
.n.person rect{stroke:#0f6b5c;stroke-width:2}.n.branch path{stroke:#0b5f8a}\
.n.end rect{fill:#1f2328;stroke:#1f2328}.n.end text{fill:#fbfaf8}.n.event rect{stroke-dasharray:5 4}\
text{fill:#1f2328}.id{font-weight:600;font-size:13px}.verb,.words{fill:#5b6470}\
.e path{fill:none;stroke:#7b828c;stroke-width:1.25}.e.back path{stroke:#8a5a00}.e.fallback path{stroke-dasharray:4 4}\
.e text{font-size:11px;fill:#3c444d;stroke:#fbfaf8;stroke-width:4px;stroke-linejoin:round;paint-order:stroke}\
.tip{fill:#7b828c}\
@media (prefers-color-scheme:dark){\
svg{background:#14171a}.n rect,.n path{fill:#1c2024;stroke:#485059}.n.person rect{stroke:#4fc3ab}\
.n.branch path{stroke:#7cc4ea}.n.end rect{fill:#e8eaed;stroke:#e8eaed}.n.end text{fill:#14171a}\
text{fill:#e8eaed}.verb,.words{fill:#a1aab4}.e path{stroke:#8b949e}.e.back path{stroke:#e0b15a}\
.e text{fill:#c9d1d9;stroke:#14171a}.tip{fill:#8b949e}}";

/// The graph as an SVG document.
pub fn svg(graph: &Graph) -> String {
    let sizes: Vec<(f64, f64)> = graph.nodes.iter().map(size).collect();
    let placed = layout(graph, &sizes);
    let (width, height) = (placed.width.ceil(), placed.height.ceil());
    let steps = graph.nodes.iter().filter(|node| !matches!(node.kind, Kind::End | Kind::Event)).count();
    let ends: Vec<&str> =
        graph.nodes.iter().filter(|node| node.kind == Kind::End).map(|node| node.id.as_str()).collect();
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" aria-labelledby=\"flow-title flow-desc\">\n<title id=\"flow-title\">{}</title>\n\
         <desc id=\"flow-desc\">{steps} steps; it can end as {}.</desc>\n<style>{STYLE}</style>\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
         orient=\"auto\"><path class=\"tip\" d=\"M0 0L8 4L0 8z\"/></marker></defs>\n",
        escaped(&graph.title),
        escaped(&ends.join(", ")),
    );
    for (edge, points) in graph.edges.iter().zip(&placed.edges) {
        draw_way(graph, edge, points, &mut out);
    }
    for (node, at) in graph.nodes.iter().zip(&placed.nodes) {
        draw_node(node, at, &mut out);
    }
    // Labels stand above everything, so that no line runs through them.
    draw_labels(graph, &placed, &mut out);
    out.push_str("</svg>\n");
    out
}

pub(super) fn size(node: &Node) -> (f64, f64) {
    let chars = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    match node.kind {
        Kind::End => (chars(node.id.chars().count()) * 8.0 + 32.0, 32.0),
        Kind::Step | Kind::Person | Kind::Branch | Kind::Event => {
            (WIDTH, 34.0 + chars(wrapped(&node.words).len()) * LINE)
        }
    }
}

fn draw_node(node: &Node, at: &Placed, out: &mut String) {
    let (left, top) = (at.x - at.width / 2.0, at.y - at.height / 2.0);
    let class = match node.kind {
        Kind::Step => "step",
        Kind::Branch => "branch",
        Kind::Person => "person",
        Kind::End => "end",
        Kind::Event => "event",
    };
    let title = match node.words.as_str() {
        "" => format!("{} ({})", node.id, node.verb),
        words => format!("{} ({}): {words}", node.id, node.verb),
    };
    let _ = write!(out, "<g class=\"n {class}\"><title>{}</title>", escaped(&title));
    match node.kind {
        Kind::Branch => {
            let (right, bottom, cut) = (left + at.width, top + at.height, 14.0);
            let _ = write!(
                out,
                "<path d=\"M{:.1} {top:.1}H{:.1}L{right:.1} {:.1}L{:.1} {bottom:.1}H{:.1}L{left:.1} {:.1}Z\"/>",
                left + cut,
                right - cut,
                at.y,
                right - cut,
                left + cut,
                at.y,
            );
        }
        Kind::Step | Kind::Person | Kind::End | Kind::Event => {
            let radius = if matches!(node.kind, Kind::End | Kind::Event) { 16.0 } else { 8.0 };
            let (width, height) = (at.width, at.height);
            let _ = write!(
                out,
                "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{radius}\"/>"
            );
        }
    }
    if node.kind == Kind::End {
        let (x, y, id) = (at.x, at.y + 4.5, escaped(&node.id));
        let _ = writeln!(
            out,
            "<text class=\"id\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{id}</text></g>"
        );
        return;
    }
    let (x, y) = (left + if node.kind == Kind::Branch { 20.0 } else { 12.0 }, top + 21.0);
    let id = escaped(&shortened(&node.id, 24));
    let _ = write!(out, "<text class=\"id\" x=\"{x:.1}\" y=\"{y:.1}\">{id}</text>");
    let (end, verb) =
        (left + at.width - if node.kind == Kind::Branch { 20.0 } else { 12.0 }, escaped(&node.verb));
    let _ = write!(out, "<text class=\"verb\" x=\"{end:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{verb}</text>");
    let mut line_y = y;
    for line in wrapped(&node.words) {
        line_y += LINE;
        let _ = write!(out, "<text class=\"words\" x=\"{x:.1}\" y=\"{line_y:.1}\">{}</text>", escaped(&line));
    }
    out.push_str("</g>\n");
}

fn draw_way(graph: &Graph, edge: &Edge, points: &[(f64, f64)], out: &mut String) {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
    let mut class = String::from("e");
    if edge.is_fallback {
        class.push_str(" fallback");
    }
    if first.1 > last.1 {
        class.push_str(" back");
    }
    let name = |at: usize| graph.nodes.get(at).map_or("", |node| node.id.as_str());
    let by = if edge.label.is_empty() { String::new() } else { format!(" ({})", edge.label) };
    let title = format!("{} → {}{by}", name(edge.from), name(edge.to));
    let (path, title) = (curve(points), escaped(&title));
    let _ = writeln!(
        out,
        "<g class=\"{class}\"><title>{title}</title><path d=\"{path}\" marker-end=\"url(#tip)\"/></g>"
    );
}

/// A smooth line through the points, as the `d` of a path.
pub(super) fn curve(points: &[(f64, f64)]) -> String {
    let Some(first) = points.first() else { return String::new() };
    let mut path = format!("M{:.1} {:.1}", first.0, first.1);
    for pair in points.windows(2) {
        if let [(ax, ay), (bx, by)] = *pair {
            let middle = f64::midpoint(ay, by);
            let _ = write!(path, "C{ax:.1} {middle:.1} {bx:.1} {middle:.1} {bx:.1} {by:.1}");
        }
    }
    path
}

/// Writes each label near the beginning of its way; those of one node one below the other, so that none covers another.
fn draw_labels(graph: &Graph, placed: &Layout, out: &mut String) {
    for Label { edge, x, y } in labels(graph, placed, |edge| !graph.edges[edge].label.is_empty()) {
        let label = &graph.edges[edge].label;
        let (label, title) = (escaped(&shortened(label, LABEL_CHARS)), escaped(label));
        let _ = writeln!(
            out,
            "<g class=\"e\"><title>{title}</title><text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{label}</text></g>",
        );
    }
}

/// Where a label stands: the number of its edge, its middle and its base line.
pub(super) struct Label {
    pub edge: usize,
    pub x: f64,
    pub y: f64,
}

/// The places of the labels of those edges that have one.
pub(super) fn labels(graph: &Graph, placed: &Layout, has_label: impl Fn(usize) -> bool) -> Vec<Label> {
    let mut found = Vec::new();
    for node in 0..graph.nodes.len() {
        let numbered = graph.edges.iter().zip(&placed.edges).enumerate();
        let mut ways: Vec<(usize, &Vec<(f64, f64)>)> = numbered
            .filter(|(_, (edge, _))| edge.from == node)
            .map(|(number, (_, points))| (number, points))
            .collect();
        ways.sort_by(|a, b| {
            let x = |way: &Vec<(f64, f64)>| way.first().map_or(0.0, |point| point.0);
            x(a.1).total_cmp(&x(b.1))
        });
        let labelled = ways.into_iter().filter(|(edge, _)| has_label(*edge));
        for (row, (edge, points)) in labelled.enumerate() {
            let (Some(from), Some(to)) = (points.first(), points.get(1)) else { continue };
            let down = if to.1 > from.1 { 1.0 } else { -1.0 };
            let y = from.1 + down * (16.0 + 15.0 * f64::from(u8::try_from(row % 3).unwrap_or(0)));
            let share = ((y - from.1) / (to.1 - from.1)).clamp(0.0, 1.0);
            // Where the curve is at this height: it leaves and arrives upright.
            let x = from.0 + (to.0 - from.0) * share * share * (3.0 - 2.0 * share);
            found.push(Label { edge, x, y: y + 4.0 });
        }
    }
    found
}

pub(super) fn shortened(text: &str, chars: usize) -> String {
    match text.chars().count() > chars {
        true => text.chars().take(chars.saturating_sub(1)).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

/// What is said, in the few lines that a node has.
pub(super) fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < CHARS => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(shortened(word, CHARS)),
        }
    }
    if lines.len() > LINES {
        lines.truncate(LINES);
        if let Some(last) = lines.last_mut() {
            last.push('…');
        }
    }
    lines
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_a_title_and_nothing_of_it_is_markup() {
        let mut graph = super::super::tests::welcome();
        graph.nodes[0].words = "a < b & \"c\"".to_owned();
        let drawn = svg(&graph);
        assert!(drawn.contains("a &lt; b &amp; &quot;c&quot;") && !drawn.contains("a < b"), "{drawn}");
        let labelled = graph.edges.iter().filter(|edge| !edge.label.is_empty()).count();
        let titles = drawn.matches("<title").count();
        assert_eq!(titles, 1 + graph.nodes.len() + graph.edges.len() + labelled);
        assert!(drawn.contains("role=\"img\" aria-labelledby=\"flow-title flow-desc\""));
        assert!(drawn.contains("prefers-color-scheme:dark"));
    }

    #[test]
    fn long_words_are_cut_and_lines_are_few() {
        let lines = wrapped(&"word ".repeat(60));
        assert_eq!(lines.len(), LINES);
        assert!(lines.iter().all(|line| line.chars().count() <= CHARS + 1), "{lines:?}");
    }
}
