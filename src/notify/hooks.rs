//! The chats and programs that are written to: `hooks` in `config/notify.yaml`.

use super::channels::webhook::{KINDS, Signer};
use super::rules::Fact;
use crate::base::secret::Secret;
use crate::base::yaml;

/// How a hook is written to; one line a channel.
#[derive(Debug, Clone)]
pub enum Way {
    /// Slack, and who takes the same: Mattermost, Rocket.Chat.
    Slack,
    /// A workflow of Microsoft Teams.
    Teams,
    Discord,
    /// A bot of Telegram, in one chat.
    Telegram {
        token: Secret,
        chat: String,
    },
    /// Another program, by Standard Webhooks.
    Webhook(Settings),
}

/// What else a webhook needs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// All of them sign.
    pub secrets: Vec<Signer>,
    /// Whether it is told a contact's name and address, beside her id.
    pub tells_people: bool,
    /// The facts it is told.
    pub on: Vec<&'static str>,
}

impl Way {
    /// The word in the file and in the console.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::Discord => "discord",
            Self::Telegram { .. } => "telegram",
            Self::Webhook(_) => "webhook",
        }
    }
}

const WAYS: &[&str] = &["slack", "mattermost", "teams", "discord", "telegram", "webhook"];
const TELEGRAM: &str = "https://api.telegram.org";

/// Somebody who is written to.
#[derive(Debug, Clone)]
pub struct Hook {
    pub name: String,
    pub way: Way,
    /// The address is the secret of many.
    pub url: Secret,
    /// What a chat is told.
    pub on: Vec<Fact>,
}

impl Hook {
    /// Whether it is a program that is told facts.
    pub fn is_webhook(&self) -> bool {
        matches!(self.way, Way::Webhook(_))
    }

    /// Whether it is a program that is told facts of this kind.
    pub fn is_told(&self, kind: &str) -> bool {
        matches!(&self.way, Way::Webhook(settings) if settings.on.contains(&kind))
    }
}

/// Reads one of the list.
pub(super) fn hook(view: yaml::View<'_>) -> Option<Hook> {
    let mut map = view.map()?;
    let name = map
        .required("name")
        .and_then(|name| name.parsed("a name", |text| yaml::is_name(text).then(|| text.to_owned())));
    let kind = map.optional("kind").map_or(Some("slack"), |kind| kind.one_of(WAYS));
    let is_telegram = kind == Some("telegram");
    let address = if is_telegram { map.optional("url") } else { map.required("url") };
    let url = match address {
        Some(view) => secret(view, "an http or https address", is_address),
        None => is_telegram.then(|| TELEGRAM.to_owned()),
    };
    let on = map.optional("on").and_then(yaml::View::list).unwrap_or_default();
    let (mut facts, mut way) = (Vec::new(), None);
    match kind {
        Some("webhook") => {
            let secrets = map.required("secrets").and_then(yaml::View::list);
            let secrets = secrets.unwrap_or_default().into_iter().filter_map(|view| {
                let wanted = "a key: whsec_ and 24 to 64 bytes in base64, or whsk_ and an ed25519 key";
                let text = secret(view, wanted, |text| Signer::parse(text).is_some())?;
                Signer::parse(&text)
            });
            let secrets: Vec<Signer> = secrets.collect();
            if secrets.is_empty() {
                view.error("N106", "a webhook needs a key that signs")
                    .hint("openssl rand -base64 32, after whsec_");
            }
            let tells_people = map.optional("people").is_some_and(|view| view.bool().unwrap_or(false));
            let on = on.into_iter().filter_map(|view| view.one_of(KINDS)).collect();
            way = Some(Way::Webhook(Settings { secrets, tells_people, on }));
        }
        Some(kind) => {
            facts = on.into_iter().filter_map(fact).collect();
            way = match kind {
                "teams" => Some(Way::Teams),
                "discord" => Some(Way::Discord),
                "telegram" => {
                    let token =
                        map.required("token").and_then(|view| secret(view, "a bot's token", is_token));
                    let chat = map.required("chat").and_then(yaml::View::str);
                    token.zip(chat).map(|(token, chat)| Way::Telegram { token: Secret::new(token), chat })
                }
                _ => Some(Way::Slack),
            };
        }
        None => {}
    }
    map.finish();
    Some(Hook { name: name?, way: way?, url: Secret::new(url?), on: facts })
}

fn fact(view: yaml::View<'_>) -> Option<Fact> {
    Some(match view.one_of(&["bookings", "handoffs", "handovers", "late"])? {
        "bookings" => Fact::Bookings,
        "handovers" => Fact::Handovers,
        "late" => Fact::Late,
        _ => Fact::Handoffs,
    })
}

/// A secret as it stands, or `env:NAME` for the variable that holds it.
pub fn secret(view: yaml::View<'_>, wanted: &str, is_right: impl Fn(&str) -> bool) -> Option<String> {
    let text = view.str()?;
    let value = match text.strip_prefix("env:") {
        None => text,
        Some(name) => match std::env::var(name) {
            Ok(value) => value,
            Err(_) => {
                view.error("N107", format!("the variable {name} is not set"))
                    .hint("set it where the server starts");
                return None;
            }
        },
    };
    // What it says is not repeated in a message: it is a secret.
    if !is_right(&value) {
        view.error("Y004", format!("this should be {wanted}")).done();
        return None;
    }
    Some(value)
}

fn is_address(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// Digits, a colon, and letters that may stand in an address.
fn is_token(text: &str) -> bool {
    text.split_once(':').is_some_and(|(number, rest)| {
        let is_rest =
            rest.len() >= 20 && rest.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()) && is_rest
    })
}
