//! The graph as a Mermaid flowchart, which code hosts draw in place.

use std::fmt::Write as _;

use super::{Graph, Kind};

/// The graph in Mermaid's words.
pub fn mermaid(graph: &Graph) -> String {
    let mut out = String::from("flowchart TD\n");
    let quoted = |text: &str| text.replace('"', "'");
    for (number, node) in graph.nodes.iter().enumerate() {
        let id = quoted(&node.id);
        let short: String = quoted(&node.words).chars().take(48).collect();
        let _ = match node.kind {
            Kind::Step | Kind::Person => {
                writeln!(out, "    n{number}[\"{id} · {}<br/>{short}\"]", node.verb)
            }
            Kind::Branch => writeln!(out, "    n{number}{{\"{id}\"}}"),
            Kind::End => writeln!(out, "    n{number}((\"{id}\"))"),
            Kind::Event => writeln!(out, "    n{number}([\"{id}<br/>{short}\"])"),
        };
    }
    for edge in &graph.edges {
        let arrow = if edge.is_fallback { "-.->" } else { "-->" };
        let label = match edge.label.as_str() {
            "" => String::new(),
            label => format!("|\"{}\"|", quoted(label)),
        };
        let _ = writeln!(out, "    n{} {arrow}{label} n{}", edge.from, edge.to);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_every_node_and_every_way() {
        let graph = super::super::tests::welcome();
        let drawn = mermaid(&graph);
        for (number, node) in graph.nodes.iter().enumerate() {
            assert!(drawn.contains(&format!("    n{number}")) && drawn.contains(&node.id), "{drawn}");
        }
        assert!(drawn.contains("-.->|\"exhausted\"|"), "{drawn}");
    }
}
