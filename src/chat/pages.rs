//! Patterns of page addresses: `/pricing*`, `!/pricing/old`, `https://shop.example/*`, `/?utm_source=newsletter`.

use url::Url;

use crate::base::yaml::View;

/// Patterns as a trigger lists them. A page fits if one of the patterns without `!` fits (or there is none) and none of
/// those with `!` does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pages {
    wanted: Vec<Pattern>,
    unwanted: Vec<Pattern>,
}

/// One pattern; `*` stands for any characters.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    /// The host, where the pattern names one.
    host: Option<String>,
    path: String,
    /// Parameters that the address must have; a value may hold `*`.
    query: Vec<(String, String)>,
}

impl Pages {
    /// Reads a list of patterns, or one.
    pub fn read(view: View<'_>) -> Self {
        let mut pages = Pages::default();
        for item in view.one_or_more() {
            let Some(text) = item.str() else { continue };
            let (text, is_wanted) = match text.strip_prefix('!') {
                Some(rest) => (rest, false),
                None => (text.as_str(), true),
            };
            match Pattern::parse(text) {
                Some(pattern) if is_wanted => pages.wanted.push(pattern),
                Some(pattern) => pages.unwanted.push(pattern),
                None => item
                    .error("Y004", format!("\"{text}\" is no pattern of page addresses"))
                    .hint("/pricing*, !/pricing/old, https://shop.example/* or /*?utm_source=newsletter"),
            }
        }
        pages
    }

    /// The patterns as they are written.
    pub fn words(&self) -> Vec<String> {
        let wanted = self.wanted.iter().map(Pattern::words);
        wanted.chain(self.unwanted.iter().map(|pattern| format!("!{}", pattern.words()))).collect()
    }

    /// Whether a page's address fits. An address that is none fits only where everything does.
    pub fn fits(&self, address: &str) -> bool {
        if self.wanted.is_empty() && self.unwanted.is_empty() {
            return true;
        }
        let Ok(url) = Url::parse(address) else { return self.wanted.is_empty() };
        (self.wanted.is_empty() || self.wanted.iter().any(|pattern| pattern.fits(&url)))
            && !self.unwanted.iter().any(|pattern| pattern.fits(&url))
    }
}

impl Pattern {
    fn words(&self) -> String {
        let host = self.host.as_ref().map(|host| format!("https://{host}")).unwrap_or_default();
        let query: Vec<String> = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{host}{}{mark}{}", self.path, query.join("&"))
    }

    fn parse(text: &str) -> Option<Self> {
        let (place, query) = text.split_once('?').unwrap_or((text, ""));
        let (host, path) = match place.strip_prefix("https://").or_else(|| place.strip_prefix("http://")) {
            Some(rest) => {
                let (host, path) = rest.split_once('/').unwrap_or((rest, "*"));
                let path = if path == "*" { "*".to_owned() } else { format!("/{path}") };
                (Some(host.to_owned()).filter(|host| !host.is_empty()), path)
            }
            None => (None, place.to_owned()),
        };
        if !path.starts_with(['/', '*']) {
            return None;
        }
        let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Some(Pattern { host, path, query })
    }

    fn fits(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        self.host.as_ref().is_none_or(|pattern| like(pattern, host))
            && like(&self.path, url.path())
            && self
                .query
                .iter()
                .all(|(name, value)| url.query_pairs().any(|(own, has)| own == *name && like(value, &has)))
    }
}

/// Whether a text fits a pattern; `*` stands for any characters.
fn like(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(head) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        match left.split_once(part) {
            Some((_, after)) => left = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Report;
    use crate::base::yaml;

    fn pages(list: &str) -> (Pages, Vec<&'static str>) {
        let report = Report::new();
        let doc = yaml::parse("f", list, &report).unwrap();
        let pages = Pages::read(doc.view(&report));
        (pages, report.diagnostics().into_iter().map(|d| d.code).collect())
    }

    #[test]
    fn paths_are_matched_with_stars() {
        for (pattern, path, fitting) in [
            ("/", "/", true),
            ("/", "/pricing", false),
            ("/pricing*", "/pricing/teams", true),
            ("/webinars/*", "/webinars/", true),
            ("/webinars/*", "/webinar", false),
            ("*/es/*.html", "/a/es/b/c.html", true),
            ("*/es/*.html", "/a/es/b/c.htm", false),
            ("*", "/anything", true),
        ] {
            let (pages, wrong) = pages(&format!("'{pattern}'"));
            assert!(wrong.is_empty());
            assert_eq!(pages.fits(&format!("https://faro.example{path}")), fitting, "{pattern} {path}");
        }
        assert!(Pages::default().fits("nowhere"));
    }

    #[test]
    fn hosts_parameters_and_exceptions_count() {
        let (some, _) = pages("['/pricing*', '!/pricing/old', '!*?embudo=off']");
        assert!(some.fits("https://faro.example/pricing/new?x=1"));
        assert!(!some.fits("https://faro.example/pricing/old"));
        assert!(!some.fits("https://faro.example/pricing?embudo=off"));
        let (host, _) = pages("'https://shop.*/*'");
        assert!(host.fits("https://shop.faro.example/a") && !host.fits("https://faro.example/a"));
        let (campaign, _) = pages("'/*?utm_source=news*'");
        assert!(campaign.fits("https://faro.example/a?b=1&utm_source=newsletter"));
        assert!(!campaign.fits("https://faro.example/a?utm_source=search"));
        let (all_but, _) = pages("'!/legal*'");
        assert!(all_but.fits("https://faro.example/a") && !all_but.fits("https://faro.example/legal/x"));
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        assert_eq!(pages("[pricing, /ok]").1, ["Y004"]);
    }
}
