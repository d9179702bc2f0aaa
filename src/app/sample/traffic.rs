//! A month of visits to a website that does not exist: reported as a browser would report them, counted as all others are,
//! on a site of their own, so that no real number ever holds one of them.

use std::net::IpAddr;

use futures_util::future::try_join_all;
use serde_json::json;

use crate::app::App;
use crate::base::ids::{HitId, VisitorId};
use crate::base::language::Language;
use crate::base::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::hits::{self, Manner};
use crate::ingest::{self, Sender};
use crate::sites::Added;
pub use crate::sites::added::SAMPLE as SITE;

/// Where its pages would be: below `.example`, which is nobody's (RFC 2606).
const HOME: &str = "https://www.nordwind-reading.example";
/// Days that are made up.
pub const DAYS: i64 = 30;
/// Visits that are reported at once: they become durable together.
const AT_ONCE: usize = 64;

/// What visitors come by, from often to seldom.
const SOURCES: [&str; 8] = [
    "https://www.google.com/",
    "",
    "https://www.linkedin.com/",
    "https://www.google.es/",
    "",
    "https://duckduckgo.com/",
    "https://news.ycombinator.com/",
    "https://www.bing.com/",
];
/// Ways through the pages.
const WAYS: [&[(&str, &str)]; 6] = [
    &[("/", "Reading programmes for companies")],
    &[("/", "Reading programmes for companies"), ("/pricing", "Pricing")],
    &[("/blog/why-teams-read", "Why teams read")],
    &[("/blog/why-teams-read", "Why teams read"), ("/guide", "The guide"), ("/pricing", "Pricing")],
    &[("/", "Reading programmes for companies"), ("/customers", "Customers"), ("/contact", "Contact")],
    &[("/guide", "The guide"), ("/webinar", "Webinar")],
];
const BROWSERS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 \
     Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
];

/// The site.
pub fn site(language: Language, time_zone: &str) -> Added {
    Added {
        key: SITE.to_owned(),
        name: match language {
            Language::En => "Sample data".to_owned(),
            Language::Es => "Datos de muestra".to_owned(),
        },
        origins: vec![HOME.to_owned()],
        language,
        time_zone: time_zone.to_owned(),
    }
}

/// One visit.
pub struct Visit {
    pub visitor: VisitorId,
    /// When the first page was opened.
    pub at: Timestamp,
    way: usize,
    source: usize,
    browser: usize,
}

impl Visit {
    /// Somebody's visit, made up out of a number.
    pub fn of(visitor: VisitorId, at: Timestamp, n: i64) -> Self {
        let pick = |salt: i64, of: usize| {
            let mixed = (n * 7 + salt).wrapping_mul(2_654_435_761).rem_euclid(1_000_003);
            usize::try_from(mixed).unwrap_or(0) % of
        };
        Self { visitor, at, way: pick(1, 6), source: pick(2, 8), browser: pick(3, 4) }
    }

    fn pages(&self) -> &'static [(&'static str, &'static str)] {
        WAYS.get(self.way).copied().unwrap_or(WAYS[0])
    }

    /// How long after its first page the last one was left.
    fn length_ms(&self) -> i64 {
        i64::try_from(self.pages().len()).unwrap_or(1) * MINUTE_MS
    }

    /// What the browser reports when the last page is left; earlier hits say how long they have waited.
    fn hits(&self) -> serde_json::Value {
        let (mut hits, mut referrer) =
            (Vec::new(), SOURCES.get(self.source).copied().unwrap_or("").to_owned());
        for ((path, title), minute) in self.pages().iter().zip(0_i64..) {
            let url = format!("{HOME}{path}");
            let opened = self.at.plus_ms(minute * MINUTE_MS);
            for (name, after_ms) in [(hits::PAGE, 0), (hits::ENGAGEMENT, 50 * SECOND_MS)] {
                let at = opened.plus_ms(after_ms);
                let is_end = name == hits::ENGAGEMENT;
                hits.push(json!({
                    "id": drawn_at(at), "site": SITE, "name": name, "url": url, "title": title,
                    "referrer": referrer, "visitor": self.visitor, "consent": "analytics", "language": "en",
                    "age_ms": self.length_ms() - minute * MINUTE_MS - after_ms,
                    "engaged_ms": if is_end { 20_000 + (minute + 1) * 9_000 } else { 0 },
                    "scroll": if is_end { 70 } else { 0 },
                }));
            }
            referrer = url;
        }
        json!(hits)
    }
}

/// An id as a browser would have drawn it then: rows are found again by the day of their id.
fn drawn_at(at: Timestamp) -> HitId {
    let ms = u64::try_from(at.as_ms()).unwrap_or_default();
    let nanos = u32::try_from(ms % 1_000).unwrap_or_default() * 1_000_000;
    HitId::from_uuid(uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, ms / 1_000, nanos)))
}

/// The visits of people nobody knows, the earliest first: more on working days, more lately, two of them just now.
pub fn of_strangers(now: Timestamp) -> Vec<Visit> {
    let mut visits = Vec::new();
    for day in (0..DAYS).rev() {
        let weekday = (now.as_ms() / DAY_MS - day + 4).rem_euclid(7);
        let many = if matches!(weekday, 0 | 6) { 5 } else { 11 } + (DAYS - day) / 6;
        for n in 0..many {
            let before = day * DAY_MS + 2 * HOUR_MS + n * 11 * HOUR_MS / many;
            let number = day * 40 + n;
            visits.push(Visit::of(VisitorId::new(), now.plus_ms(-before), number));
        }
    }
    for n in 0..2 {
        visits.push(Visit::of(VisitorId::new(), now.plus_ms(-(n + 4) * MINUTE_MS), 9 + n * 4));
    }
    visits
}

impl App {
    /// Reports visits, and has them counted.
    pub(super) async fn report_sample(&self, mut visits: Vec<Visit>) -> anyhow::Result<()> {
        visits.sort_by_key(|visit| visit.at);
        for some in visits.chunks(AT_ONCE) {
            try_join_all(some.iter().map(|visit| self.report_visit(visit))).await?;
        }
        self.settle_hits().await
    }

    async fn report_visit(&self, visit: &Visit) -> anyhow::Result<()> {
        let user_agent = BROWSERS.get(visit.browser).copied().unwrap_or(BROWSERS[0]);
        let sender = Sender { address: IpAddr::from([127, 0, 0, 1]), user_agent, manner: Manner::default() };
        let left = visit.at.plus_ms(visit.length_ms());
        let parsed = hits::parse(visit.hits().to_string().as_bytes(), hits::BATCH_MOST, left)?;
        self.collector.take(parsed, sender, left).await?;
        Ok(())
    }

    /// Whatever was reported becomes rows, and is counted.
    ///
    /// # Errors
    /// As the stores say.
    pub async fn settle_hits(&self) -> anyhow::Result<()> {
        while ingest::drain(&self.stores, &self.words).await? > 0 {}
        while ingest::read_on(&self.stores, &self.words, &self.sites).await? > 0 {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_of_visits_is_sound_and_lies_behind_us() {
        let now = Timestamp(1_795_169_100_000);
        let visits = of_strangers(now);
        assert!((300..600).contains(&visits.len()), "{}", visits.len());
        for visit in &visits {
            let left = visit.at.plus_ms(visit.length_ms());
            assert!(left <= now && visit.at > now.plus_ms(-(DAYS + 1) * DAY_MS), "{:?}", visit.at);
            let read =
                hits::parse(visit.hits().to_string().as_bytes(), hits::BATCH_MOST, left).expect("sound");
            assert_eq!(read.len(), visit.pages().len() * 2);
            assert_eq!(read[0].at, visit.at);
            assert!(read.iter().all(|hit| hit.clamped.is_none()));
            assert_eq!(read[0].id.drawn_at_ms(), Some(visit.at.as_ms()));
        }
        let ways: std::collections::BTreeSet<usize> = visits.iter().map(|visit| visit.way).collect();
        assert_eq!(ways.len(), WAYS.len(), "every way is taken by somebody");
    }
}
