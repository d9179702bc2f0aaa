// What must hold for any body of hits. The fuzz target and tests/it/fuzzed.rs run it.

use embudo::base::time::{DAY_MS, Timestamp};
use embudo::hits::{self, BATCH_MOST};

/// The largest body, as by default.
const BODY_MOST: usize = 65_536;
const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// Reads a body, plain and as gzip, and panics if something came out that may not exist.
pub fn read(body: &[u8]) -> usize {
    ["", "gzip"].into_iter().map(|encoding| read_as(body, encoding)).sum()
}

fn read_as(body: &[u8], encoding: &str) -> usize {
    let Ok(plain) = hits::unpacked(body, encoding, BODY_MOST) else { return 0 };
    assert!(plain.len() <= BODY_MOST, "more was unpacked than may be");
    let Ok(found) = hits::parse(&plain, BATCH_MOST, NOW) else { return 0 };
    assert!((1..=BATCH_MOST).contains(&found.len()));
    for hit in &found {
        assert!(!hit.name.is_empty() && hit.name.chars().count() <= 120);
        assert!(hit.path.starts_with('/') && !hit.host.is_empty());
        assert!(hit.url.as_str().starts_with("http") && hit.url.origin().len() < hit.url.as_str().len());
        assert!(hit.title.as_ref().is_none_or(|title| title.chars().count() <= 300));
        assert!(hit.language.as_ref().is_none_or(|language| language.chars().count() <= 35));
        assert!((0..=100).contains(&hit.scroll) && (0..=DAY_MS).contains(&hit.engaged_ms));
        assert!(hit.at <= NOW && hit.at >= NOW.plus_ms(-DAY_MS));
        assert!(hit.props.as_object().is_some_and(|props| props.len() <= 30));
        let source = hits::source_of(&hit.url, hit.referrer.as_ref());
        assert!(source.campaign.is_none_or(|campaign| campaign.chars().count() <= 120));
    }
    found.len()
}
