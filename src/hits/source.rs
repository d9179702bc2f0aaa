//! Where a visit came from: campaign marks first, then the click's network, then the referrer.

use std::collections::HashMap;

use url::Url;

/// Where a visit came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source {
    /// `paid`, `email`, `social`, `search`, `assistant`, `referral`, `campaign`, `direct` or `internal`.
    pub channel: &'static str,
    pub source: Option<String>,
    pub medium: Option<String>,
    pub campaign: Option<String>,
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
pub fn source_of(page: &Url, referrer: Option<&Url>) -> Source {
    let marks: HashMap<String, String> = page
        .query_pairs()
        .filter(|(name, value)| {
            !value.is_empty() && (name.starts_with("utm_") || PAID_CLICKS.iter().any(|p| p.0 == name))
        })
        .map(|(name, value)| {
            (name.to_lowercase(), value.chars().filter(|c| !c.is_control()).take(120).collect())
        })
        .collect();
    let medium = marks.get("utm_medium").map(|medium| medium.to_lowercase());
    let campaign = marks.get("utm_campaign").cloned();
    let host = referrer
        .filter(|referrer| referrer.host_str() != page.host_str())
        .and_then(Url::host_str)
        .map(|host| host.trim_start_matches("www.").to_lowercase());
    let click = PAID_CLICKS.iter().find(|(name, _)| marks.contains_key(*name)).map(|(_, network)| *network);
    let source = marks.get("utm_source").map(|source| source.to_lowercase()).or(click.map(str::to_owned));
    let channel = match (medium.as_deref(), source.as_deref(), host.as_deref()) {
        (Some("cpc" | "ppc" | "paid" | "paidsearch" | "paid_social" | "display" | "cpm"), _, _) => "paid",
        (Some("email" | "e-mail" | "mail" | "newsletter"), _, _) => "email",
        (Some("social" | "social-media"), _, _) => "social",
        _ if click.is_some() => "paid",
        (_, Some(_), _) => "campaign",
        (_, None, Some(host)) => channel_of_host(host),
        (_, None, None) if referrer.is_some() => "internal",
        (_, None, None) => "direct",
    };
    Source { channel, source: source.or(host), medium, campaign }
}

fn channel_of_host(host: &str) -> &'static str {
    let is_one_of =
        |list: &[&str]| list.iter().any(|name| host.starts_with(name) || host.contains(&format!(".{name}")));
    match host {
        _ if is_one_of(ASSISTANTS) => "assistant",
        _ if is_one_of(MAIL) => "email",
        _ if is_one_of(SEARCH) => "search",
        _ if is_one_of(SOCIAL) => "social",
        _ => "referral",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(page: &str, referrer: &str) -> (&'static str, Option<String>) {
        let referrer = Url::parse(referrer).ok();
        let found = source_of(&Url::parse(page).expect("an address"), referrer.as_ref());
        (found.channel, found.source)
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
