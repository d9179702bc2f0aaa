//! Which hits are taken for a machine's. They are labelled and kept, so that anybody can see what was set aside.
//!
//! A hard reason is enough by itself. What only makes one wonder is a signal, and real people give one now and then: a
//! label needs signals of two categories. How a request is sent is one (`headers`), from where is the other (`network`).

use std::sync::LazyLock;

use isbot::Bots;

static KNOWN: LazyLock<Bots> = LazyLock::new(Bots::default);

/// Parts of user agents of browsers that a program drives.
const HEADLESS: &[&str] =
    &["HeadlessChrome", "PhantomJS", "SlimerJS", "Puppeteer", "Playwright", "Cypress/", "Chrome-Lighthouse"];
/// Chromium tells its brand in headers of its own from here on (client hints).
const HINTS_SINCE: u32 = 90;

/// Why a hit is taken for a machine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BotReason {
    /// No `User-Agent` at all.
    NoUserAgent,
    /// A robot that says its name.
    UserAgent,
    /// A browser without a window.
    Headless,
    /// The browser says that a program drives it (`bot` of the wire).
    Automation,
    /// The referrer is advertised by made-up visits.
    ReferrerSpam,
    /// Odd headers, from a network of machines.
    Signals,
    /// Not a machine's at all: the company's own people (`collector.own_addresses`).
    OwnAddress,
}

impl BotReason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::NoUserAgent,
        Self::UserAgent,
        Self::Headless,
        Self::Automation,
        Self::ReferrerSpam,
        Self::Signals,
        Self::OwnAddress,
    ];

    /// The word for it, as it is stored and counted.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NoUserAgent => "no_user_agent",
            Self::UserAgent => "user_agent",
            Self::Headless => "headless",
            Self::Automation => "automation",
            Self::ReferrerSpam => "referrer_spam",
            Self::Signals => "signals:headers+network",
            Self::OwnAddress => "own_address",
        }
    }
}

/// What the user agent alone says; `is_crawler` if another list knows it for one.
pub fn bot_reason(user_agent: &str, is_crawler: bool) -> Option<BotReason> {
    if user_agent.trim().is_empty() {
        return Some(BotReason::NoUserAgent);
    }
    if HEADLESS.iter().any(|part| user_agent.contains(part)) {
        return Some(BotReason::Headless);
    }
    (is_crawler || KNOWN.is_bot(user_agent)).then_some(BotReason::UserAgent)
}

/// What a user agent leads one to expect of the headers beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    is_browser: bool,
    sends_hints: bool,
}

impl Expected {
    /// What a browser of this name would send. Of browsers inside of apps nothing is known.
    pub fn of(user_agent: &str) -> Self {
        let is_browser = user_agent.starts_with("Mozilla/5.0 (");
        let chromium: Option<u32> = user_agent.split_once("Chrome/").and_then(|(_, version)| {
            let digits = version.split(|letter: char| !letter.is_ascii_digit()).next()?;
            digits.parse().ok()
        });
        let is_inside_an_app = user_agent.contains("; wv)") || user_agent.contains("Version/");
        let sends_hints =
            is_browser && !is_inside_an_app && chromium.is_some_and(|version| version >= HINTS_SINCE);
        Self { is_browser, sends_hints }
    }
}

/// How a request was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// Whether the browser spoke to an https address: to others it says less.
    pub is_secure: bool,
    /// `Accept-Language`.
    pub has_language: bool,
    /// `Sec-Fetch-Mode`.
    pub has_fetch_mode: bool,
    /// `Sec-CH-UA`.
    pub has_hints: bool,
    /// `Sec-Fetch-Dest` is missing, or the one of scripts.
    pub is_by_script: bool,
}

impl Default for Manner {
    /// As browsers do.
    fn default() -> Self {
        Self {
            is_secure: false,
            has_language: true,
            has_fetch_mode: true,
            has_hints: true,
            is_by_script: true,
        }
    }
}

impl Manner {
    /// Whether no browser that is what it says would have sent this. A browser always tells its languages; a tracker's
    /// hit is never a document, a picture or a frame; Chromium leaves out neither fetch metadata nor hints over https.
    pub fn is_odd(self, expected: Expected) -> bool {
        let lacks_both = self.is_secure && !self.has_fetch_mode && !self.has_hints;
        expected.is_browser
            && (!self.has_language || !self.is_by_script || (expected.sends_hints && lacks_both))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                          Chrome/140.0.0.0 Safari/537.36";
    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    const SAFARI: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                          Version/18.5 Safari/605.1.15";
    const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                          CriOS/140.0.0.0 Mobile/15E148 Safari/604.1";
    const IN_AN_APP: &str = "Mozilla/5.0 (Linux; Android 15; Pixel 9 Build/X; wv) AppleWebKit/537.36 (KHTML, like Gecko) \
                             Version/4.0 Chrome/140.0.0.0 Mobile Safari/537.36";

    #[test]
    fn robots_are_labelled_and_people_are_not() {
        for robot in [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
            "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
            "curl/8.14.1",
            "python-requests/2.32.3",
            "Go-http-client/2.0",
            "Wget/1.25.0",
        ] {
            assert_eq!(bot_reason(robot, false), Some(BotReason::UserAgent), "{robot}");
        }
        for blank in ["", "  "] {
            assert_eq!(bot_reason(blank, false), Some(BotReason::NoUserAgent));
        }
        let headless = CHROME.replace("Chrome/", "HeadlessChrome/");
        assert_eq!(bot_reason(&headless, false), Some(BotReason::Headless));
        for person in [CHROME, FIREFOX, SAFARI, IPHONE, IN_AN_APP] {
            assert_eq!(bot_reason(person, false), None, "{person}");
        }
    }

    #[test]
    fn only_what_no_browser_would_send_is_odd() {
        let usual = Manner::default();
        let bare = Manner { has_fetch_mode: false, has_hints: false, ..usual };
        let bare_and_secure = Manner { is_secure: true, ..bare };
        for browser in [CHROME, FIREFOX, SAFARI, IPHONE, IN_AN_APP] {
            let expected = Expected::of(browser);
            assert!(!usual.is_odd(expected) && !bare.is_odd(expected), "{browser}");
            assert!(Manner { has_language: false, ..usual }.is_odd(expected), "{browser}");
            assert!(Manner { is_by_script: false, ..usual }.is_odd(expected), "{browser}");
            assert_eq!(bare_and_secure.is_odd(expected), browser == CHROME, "{browser}");
        }
        assert!(!Manner { has_hints: false, is_secure: true, ..usual }.is_odd(Expected::of(CHROME)));
        assert!(!Manner { has_language: false, ..bare_and_secure }.is_odd(Expected::of("curl/8.14.1")));
    }
}
