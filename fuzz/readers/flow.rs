// What must hold for any text that calls itself a flow: an answer, places within the text, the same answer again.

use embudo::base::diagnostic::Report;
use embudo::base::language::Language;
use embudo::chat::Flows;
use embudo::chat::check::Known;
use embudo::chat::graph::{self, Graph};

/// Reads a flow and panics if a finding stands where there is nothing. Tells how many flows came of it.
pub fn read(bytes: &[u8]) -> usize {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let (found, flows) = read_once(&text);
    assert_eq!(found, read_once(&text).0, "the same text was judged in another way");
    let Some(flows) = flows else {
        assert!(!found.is_empty(), "refused without a word");
        return 0;
    };
    for flow in flows.all() {
        assert!(flow.own_steps().count() > 0, "a flow without steps passed");
        let drawn = graph::svg(&Graph::of(flow, Language::En));
        assert!(drawn.starts_with("<svg") && !drawn.contains("<script"));
    }
    flows.all().len()
}

fn read_once(text: &str) -> (String, Option<Flows>) {
    let report = Report::new();
    let flows = Flows::read(&[("any.yaml".to_owned(), text.to_owned())], &Known::default(), &report);
    let lines = u32::try_from(text.split('\n').count()).unwrap_or(u32::MAX);
    for finding in report.diagnostics() {
        assert!(finding.line <= lines + 1, "{}:{} in {lines} lines", finding.line, finding.col);
        assert!(!finding.message.is_empty());
    }
    (report.text(), flows)
}
