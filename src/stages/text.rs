//! The text of a definition: the lifecycle's own, and behind a line `--- # titles.yaml` that of the file of job titles which
//! it names. Both are one text with one hash, so that whoever approves, tries or goes back to a version has its titles, too.

use crate::base::diagnostic::Report;
use crate::base::yaml::{self, View, is_file_name};

/// What the line begins with that parts the two.
const MARK: &str = "--- # ";

/// A text in its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// The lifecycle's own.
    pub own: &'a str,
    /// The name of the file of titles, and what stands in it.
    pub titles: Option<(&'a str, &'a str)>,
}

/// Takes a text apart.
pub fn parts(text: &str) -> Parts<'_> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let name = line.strip_prefix(MARK).map(str::trim_end).filter(|name| is_file_name(name));
        if let Some(name) = name {
            let (own, rest) = text.split_at(at);
            let titles = rest.split_once('\n').map_or("", |(_, titles)| titles);
            return Parts { own, titles: Some((name, titles)) };
        }
        at += line.len();
    }
    Parts { own: text, titles: None }
}

/// Puts a text together.
pub fn joined(own: &str, name: &str, titles: &str) -> String {
    let end = if own.ends_with('\n') { "" } else { "\n" };
    format!("{own}{end}{MARK}{name}\n{titles}")
}

/// The file of titles that a lifecycle names, whatever else is right or wrong there.
pub fn names_titles(own: &str) -> Option<String> {
    let quiet = Report::new();
    let doc = yaml::parse("lifecycle.yaml", own, &quiet)?;
    let facts = doc.view(&quiet).map()?.optional("facts").and_then(View::map)?;
    let named = |(_, view): (_, View<'_>)| view.map()?.optional("map")?.str();
    facts.entries().into_iter().find_map(named).filter(|name| is_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_together_comes_apart_as_it_was() {
        for own in ["version: 1\n", "version: 1"] {
            let whole = joined(own, "titles.yaml", "department:\n  sales: [ventas]\n");
            let told = parts(&whole);
            assert_eq!(told.own.trim_end(), own.trim_end());
            assert_eq!(told.titles, Some(("titles.yaml", "department:\n  sales: [ventas]\n")));
            assert_eq!(joined(told.own, "titles.yaml", "department:\n  sales: [ventas]\n"), whole);
        }
        for alone in ["version: 1\n", "--- # nothing here\nversion: 1\n", ""] {
            assert_eq!(parts(alone), Parts { own: alone, titles: None });
        }
    }

    #[test]
    fn a_file_of_titles_lies_beside_and_nowhere_else() {
        for name in ["titles.yaml", "our-titles_2.yml"] {
            assert!(is_file_name(name), "{name}");
        }
        for name in ["../titles.yaml", "/etc/titles.yaml", "titles", ".yaml", "..yaml", "a b.yaml"] {
            assert!(!is_file_name(name), "{name}");
        }
        let named = |facts: &str| names_titles(&format!("version: oops\nfacts: {facts}\n"));
        let facts = "{job_title: {stale_after: 1d}, seniority: {from: job_title, map: titles.yaml}}";
        assert_eq!(named(facts).as_deref(), Some("titles.yaml"));
        assert_eq!(named("{seniority: {from: job_title, map: ../titles.yaml}}"), None);
        assert_eq!(named("{job_title: {stale_after: 1d}}"), None);
    }
}
