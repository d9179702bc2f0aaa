//! Where a visit came from: campaign marks first, then the click's network, then the referrer.

use serde::{Deserialize, Serialize};

use super::Address;

/// The kind of way that somebody came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    Paid,
    Email,
    Social,
    Search,
    Assistant,
    Referral,
    Campaign,
    #[default]
    Direct,
    Internal,
}

impl Channel {
    const ALL: [Self; 9] = [
        Self::Paid,
        Self::Email,
        Self::Social,
        Self::Search,
        Self::Assistant,
        Self::Referral,
        Self::Campaign,
        Self::Direct,
        Self::Internal,
    ];

    /// The word for it, as it is stored.
    pub fn word(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Email => "email",
            Self::Social => "social",
            Self::Search => "search",
            Self::Assistant => "assistant",
            Self::Referral => "referral",
            Self::Campaign => "campaign",
            Self::Direct => "direct",
            Self::Internal => "internal",
        }
    }

    /// The channel of a stored word.
    pub fn of_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|channel| channel.word() == word).unwrap_or_default()
    }
}

/// Where a visit came from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Source<T = String> {
    pub channel: Channel,
    pub source: Option<T>,
    pub medium: Option<T>,
    pub campaign: Option<T>,
    pub term: Option<T>,
    pub content: Option<T>,
}

const SEARCH: &[&str] =
    &["google.", "bing.", "duckduckgo.", "yahoo.", "ecosia.", "qwant.", "startpage.", "yandex.", "baidu."];
const SOCIAL: &[&str] = &[
    "facebook.",
    "instagram.",
    "linkedin.",
    "lnkd.in",
    "twitter.",
    "t.co",
    "x.com",
    "reddit.",
    "youtube.",
    "tiktok.",
    "pinterest.",
    "mastodon.",
    "bsky.",
];
const ASSISTANTS: &[&str] =
    &["chatgpt.", "chat.openai.", "perplexity.", "claude.ai", "gemini.google.", "copilot.microsoft."];
const MAIL: &[&str] = &["mail.google.", "outlook.live.", "outlook.office.", "mail.yahoo."];
/// Click ids that only an advertiser's network adds.
const PAID_CLICKS: &[(&str, &str)] = &[
    ("gclid", "google"),
    ("msclkid", "bing"),
    ("ttclid", "tiktok"),
    ("li_fat_id", "linkedin"),
    ("twclid", "twitter"),
];

/// The source that a page's address and referrer tell.
pub fn source_of(page: &Address, referrer: Option<&Address>) -> Source {
    let (mut source, mut medium, mut campaign, mut click) = (None, None, None, None);
    let (mut term, mut content) = (None, None);
    for (name, value) in page.query_pairs().filter(|(_, value)| !value.is_empty()) {
        match &*name {
            "utm_source" => source = source.or_else(|| Some(told(&value).to_lowercase())),
            "utm_medium" => medium = medium.or_else(|| Some(told(&value).to_lowercase())),
            "utm_campaign" => campaign = campaign.or_else(|| Some(told(&value))),
            "utm_term" => term = term.or_else(|| Some(told(&value))),
            "utm_content" => content = content.or_else(|| Some(told(&value))),
            name => click = click.or_else(|| PAID_CLICKS.iter().find(|known| known.0 == name)),
        }
    }
    let click = click.map(|(_, network)| *network);
    let host = referrer
        .map(Address::host)
        .filter(|host| *host != page.host())
        .map(|host| host.trim_start_matches("www."));
    let source = source.or(click.map(str::to_owned));
    let channel = match (medium.as_deref(), source.as_deref(), host) {
        (Some("cpc" | "ppc" | "paid" | "paidsearch" | "paid_social" | "display" | "cpm"), _, _) => {
            Channel::Paid
        }
        (Some("email" | "e-mail" | "mail" | "newsletter"), _, _) => Channel::Email,
        (Some("social" | "social-media"), _, _) => Channel::Social,
        _ if click.is_some() => Channel::Paid,
        (_, Some(_), _) => Channel::Campaign,
        (_, None, Some(host)) => channel_of_host(host),
        (_, None, None) if referrer.is_some() => Channel::Internal,
        (_, None, None) => Channel::Direct,
    };
    Source { channel, source: source.or(host.map(str::to_owned)), medium, campaign, term, content }
}

/// A parameter's value without control characters, cut to a sane length.
fn told(value: &str) -> String {
    value.chars().filter(|letter| !letter.is_control()).take(120).collect()
}

/// The channel of a referrer's host (which [`Address`] has made lower case).
fn channel_of_host(host: &str) -> Channel {
    let is_one_of = |list: &[&str]| {
        let mut ends = std::iter::successors(Some(host), |rest| rest.split_once('.').map(|(_, rest)| rest));
        ends.any(|end| list.iter().any(|name| end.starts_with(name)))
    };
    match host {
        _ if is_one_of(ASSISTANTS) => Channel::Assistant,
        _ if is_one_of(MAIL) => Channel::Email,
        _ if is_one_of(SEARCH) => Channel::Search,
        _ if is_one_of(SOCIAL) => Channel::Social,
        _ => Channel::Referral,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(page: &str, referrer: &str) -> (&'static str, Option<String>) {
        let referrer = Address::parse(referrer);
        let found = source_of(&Address::parse(page).expect("an address"), referrer.as_ref());
        (found.channel.word(), found.source)
    }

    #[test]
    fn the_channel_follows_marks_then_clicks_then_the_referrer() {
        let home = "https://faro.example/";
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(channel(home, ""), ("direct", None));
        assert_eq!(channel(home, "https://faro.example/en/").0, "internal");
        assert_eq!(channel(home, "https://www.google.es/"), ("search", named("google.es")));
        assert_eq!(channel(home, "https://chatgpt.com/"), ("assistant", named("chatgpt.com")));
        assert_eq!(channel(home, "https://t.co/x"), ("social", named("t.co")));
        assert_eq!(channel(home, "https://blog.example/"), ("referral", named("blog.example")));
        assert_eq!(
            channel("https://faro.example/?gclid=1", "https://www.google.com/"),
            ("paid", named("google"))
        );
        assert_eq!(
            channel("https://faro.example/?utm_source=News&utm_medium=email", ""),
            ("email", named("news"))
        );
    }
}
