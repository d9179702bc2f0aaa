//! Device, browser and system from the `User-Agent` header, behind a cache because a look-up takes microseconds.

use std::sync::Arc;

use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use woothee::parser::Parser;

use super::bots::{BotReason, Expected, bot_reason};

const CACHED: usize = 4_096;
const UNKNOWN: &str = "unknown";

/// What a browser says it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent<T = String> {
    /// `desktop`, `mobile`, `other` or `unknown`.
    pub device: T,
    pub browser: T,
    pub os: T,
}

/// What is known of a `User-Agent` header.
#[derive(Debug)]
pub struct Known {
    pub agent: Agent,
    /// Why it is taken for a machine's, if it is.
    pub bot_reason: Option<BotReason>,
    /// What it leads one to expect of the headers beside it.
    pub expected: Expected,
}

/// Reads user agents.
pub struct Agents {
    parser: Parser,
    known: Cache<String, Arc<Known>>,
}

impl Default for Agents {
    fn default() -> Self {
        Self { parser: Parser::new(), known: Cache::new(CACHED) }
    }
}

impl Agents {
    /// The classes of a `User-Agent` header.
    pub fn read(&self, header: &str) -> Arc<Known> {
        if let Some(known) = self.known.get(header) {
            return known;
        }
        let found = self.parser.parse(header);
        let is_crawler = found.as_ref().is_some_and(|found| found.category == "crawler");
        let agent = found.map_or_else(
            || Agent { device: UNKNOWN.to_owned(), browser: UNKNOWN.to_owned(), os: UNKNOWN.to_owned() },
            |found| Agent {
                device: match found.category {
                    "pc" => "desktop",
                    "smartphone" | "mobilephone" => "mobile",
                    _ => "other",
                }
                .to_owned(),
                browser: found.name.to_owned(),
                os: found.os.to_owned(),
            },
        );
        let known = Arc::new(Known {
            agent,
            bot_reason: bot_reason(header, is_crawler),
            expected: Expected::of(header),
        });
        self.known.insert(header.to_owned(), known.clone());
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_is_told_from_a_desktop() {
        let agents = Agents::default();
        let desktop = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                       Chrome/140.0.0.0 Safari/537.36";
        assert_eq!(agents.read(desktop).agent.device, "desktop");
        assert_eq!(agents.read(desktop).agent.browser, "Chrome");
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                     Version/18.0 Mobile/15E148 Safari/604.1";
        assert_eq!(agents.read(phone).agent.device, "mobile");
        assert_eq!(agents.read("").agent.browser, "UNKNOWN");
    }
}
