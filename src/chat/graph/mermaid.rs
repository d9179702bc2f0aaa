//! The graph as a Mermaid flowchart, which code hosts draw in place.

use std::fmt::Write as _;

use super::{Graph, Kind};

/// Characters of what is said in a step.
const LENGTH: usize = 48;

/// The beginning of a text, of whole words, and an ellipsis where there was more.
fn by_words(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let begin: String = text.chars().take(most).collect();
    let ends_a_word = text.chars().nth(most).is_some_and(char::is_whitespace);
    let whole = match begin.rfind(char::is_whitespace) {
        Some(at) if !ends_a_word => begin.get(..at).unwrap_or(&begin).trim_end(),
        // A single word that is longer than that is cut.
        _ => &begin,
    };
    format!("{}…", whole.trim_end_matches([',', ';', ':']))
}

/// The graph in Mermaid's words.
pub fn mermaid(graph: &Graph) -> String {
    let mut out = String::from("flowchart TD\n");
    let quoted = |text: &str| text.replace('"', "'");
    for (number, node) in graph.nodes.iter().enumerate() {
        let id = quoted(&node.id);
        let short = by_words(&quoted(&node.words), LENGTH);
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
    fn a_long_text_ends_with_a_whole_word() {
        assert_eq!(by_words("Short enough.", 48), "Short enough.");
        assert_eq!(
            by_words("You signed up for the webinar, but could not make it", 30),
            "You signed up for the webinar…"
        );
        assert_eq!(by_words("abcdefghij", 4), "abcd…");
        assert_eq!(by_words("¿Te enseñamos cómo?", 12), "¿Te…");
    }

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
