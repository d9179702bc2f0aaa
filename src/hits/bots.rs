//! Which hits are taken for a machine's. They are labelled and kept, so that anybody can see what was set aside.

use std::sync::LazyLock;

use isbot::Bots;

static KNOWN: LazyLock<Bots> = LazyLock::new(Bots::default);

/// Why a hit is taken for a machine's, if it is: `no_user_agent`, `user_agent` (a known robot) or `headless`.
pub fn bot_reason(user_agent: &str) -> Option<&'static str> {
    if user_agent.trim().is_empty() {
        return Some("no_user_agent");
    }
    if user_agent.contains("HeadlessChrome") || user_agent.contains("PhantomJS") {
        return Some("headless");
    }
    KNOWN.is_bot(user_agent).then_some("user_agent")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn robots_are_labelled_and_people_are_not() {
        assert_eq!(
            bot_reason("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
            Some("user_agent")
        );
        assert_eq!(bot_reason(""), Some("no_user_agent"));
        assert_eq!(
            bot_reason("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
            None
        );
    }
}
