//! What stands between our mails and the inboxes of their readers: the mail server, and what the DNS says of the sender.
//!
//! Nothing is changed and nothing secret told. Who cannot be asked is no fault: such a finding says so.

mod names;
mod records;
mod server;
mod spf;

use std::net::{IpAddr, SocketAddr};

use self::names::{Asked, Names};
use super::dkim::{Dkim, Record};
use super::outbound::is_public;
use crate::base::email::Email;
use crate::base::ids::new_key;
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::notify::Mailer;

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Good,
    /// It works, and could be better.
    Weak,
    /// Mails do not leave, or are not believed.
    Wrong,
    /// Whoever knows could not be asked.
    Unasked,
}

impl State {
    /// The word at the beginning of its line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Weak => "weak",
            Self::Wrong => "wrong",
            Self::Unasked => "unknown",
        }
    }
}

/// A sentence in both languages; as text it is the English one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    pub en: String,
    pub es: String,
}

impl Sentence {
    /// The sentence in a language.
    pub fn get(&self, language: Language) -> &str {
        match language {
            Language::En => &self.en,
            Language::Es => &self.es,
        }
    }
}

impl std::fmt::Display for Sentence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.en)
    }
}

/// What a system or another server said, in its own words.
impl From<String> for Sentence {
    fn from(said: String) -> Self {
        Self { es: said.clone(), en: said }
    }
}

/// A [`Sentence`] of an English and a Spanish text with holes.
macro_rules! said {
    ($en:literal, $es:literal) => {
        $crate::notify::doctor::Sentence { en: format!($en), es: format!($es) }
    };
}
use said;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `server`, `login`, `SPF`, `DKIM`, `DMARC`, `MX`, `bounces`, `PTR`, `mail`.
    pub what: &'static str,
    pub state: State,
    /// How it stands, in words.
    pub line: Sentence,
    /// What to do.
    pub advice: Option<Sentence>,
    /// The TXT record that would mend it.
    pub record: Option<Record>,
}

impl Finding {
    fn new(what: &'static str, state: State, line: impl Into<Sentence>) -> Self {
        Self { what, state, line: line.into(), advice: None, record: None }
    }

    fn advised(mut self, advice: impl Into<Sentence>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    fn mended_by(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.record = Some(Record { name: name.into(), value: value.into() });
        self
    }

    fn unasked(what: &'static str, name: &str) -> Self {
        Self::new(
            what,
            State::Unasked,
            said!("could not ask the DNS for {name}", "no se pudo preguntar al DNS por {name}"),
        )
    }
}

/// The way to the mail server, as the settings say it; the login itself is told to nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    pub host: String,
    pub port: u16,
    /// `starttls`, `tls` or `plain`.
    pub line: &'static str,
    pub has_login: bool,
}

/// The way that mails take; none if they stay here.
pub fn way(config: &Config) -> Option<Way> {
    let url = url::Url::parse(config.mail.smtp.expose()).ok()?;
    let (line, port) = match url.scheme() {
        "smtps" => ("tls", 465),
        "smtp" => ("starttls", 587),
        _ => ("plain", 25),
    };
    let host = server::host_of(config)?;
    Some(Way { host, port: url.port().unwrap_or(port), line, has_login: !url.username().is_empty() })
}

/// Looks at everything, in the order in which a mail meets it.
///
/// # Errors
/// A sentence if the settings name no sender.
pub async fn examine(config: &Config) -> Result<Vec<Finding>, String> {
    let mail = &config.mail;
    let from = Email::parse(&mail.from).map_err(|_| "mail.from is not an e-mail address".to_owned())?;
    let bounces = match mail.bounces.as_str() {
        "" => None,
        address => {
            let address = Email::parse(address);
            Some(address.map_err(|_| "mail.bounces is not an e-mail address".to_owned())?)
        }
    };
    let servers: Vec<SocketAddr> =
        config.forms.name_servers.iter().filter_map(|server| server.parse().ok()).collect();
    let names = Names::new(&servers);
    let dkim = Dkim::open(&mail.dkim, &from, &config.folder);
    let mut found = server::look(config, &from).await;
    let relay = server::host_of(config);
    let addresses = match &relay {
        Some(host) => public_addresses(&names, host).await,
        None => Vec::new(),
    };
    let envelope = bounces.as_ref().unwrap_or(&from).domain();
    found.push(spf::look(&names, envelope, relay.as_deref(), &addresses).await);
    found.extend(records::dkim(&names, &dkim).await);
    let is_signed = matches!(dkim, Ok(Some(_)));
    found.push(records::dmarc(&names, from.domain(), envelope, is_signed).await);
    found.push(records::exchange(&names, "MX", from.domain(), State::Weak).await);
    if let Some(bounces) = &bounces {
        found.push(records::exchange(&names, "bounces", bounces.domain(), State::Wrong).await);
    }
    found.extend(records::pointers(&names, relay.as_deref(), &addresses).await);
    Ok(found)
}

/// Sends somebody a mail by the way that all mails go.
pub async fn try_out(config: &Config, to: &Email, now: Timestamp) -> Finding {
    let sent = async {
        let from = Email::parse(&config.mail.from).map_err(|_| "mail.from is not an e-mail address")?;
        let mailer = Mailer::new(&config.mail, &from, &config.folder)?;
        let text = "This is how mails of Embudo arrive. Look at its headers: SPF, DKIM and DMARC should say pass.\r\n";
        mailer.send_text(&from, to, "A mail to try the way", text, &format!("{}-{now}", new_key())).await
    };
    match sent.await {
        Ok(()) => Finding::new(
            "mail",
            State::Good,
            said!("the mail server took a mail to {to}", "el servidor de correo aceptó un correo para {to}"),
        )
        .advised(said!(
            "look whether it arrived, and not among the unwanted",
            "mira si llegó, y que no esté entre los no deseados"
        )),
        Err(why) => Finding::new(
            "mail",
            State::Wrong,
            said!("a mail to {to} was not taken: {why}", "un correo para {to} no se aceptó: {why}"),
        ),
    }
}

/// The addresses of a host that others see.
async fn public_addresses(names: &Names, host: &str) -> Vec<IpAddr> {
    let found = match host.parse::<IpAddr>() {
        Ok(address) => vec![address],
        Err(_) => match names.addresses(host).await {
            Asked::Found(addresses) => addresses,
            Asked::Nothing | Asked::Silent => Vec::new(),
        },
    };
    found.into_iter().filter(|address| is_public(*address)).collect()
}
