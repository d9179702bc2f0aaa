//! Settings: the documented default file, an optional file over it, and variables over both.

mod layers;
mod load;
mod sites;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use load::{DEFAULT, Mistakes, ROLES};

use crate::base::language::Language;
use crate::base::secret::Secret;

/// Everything that can be set. `config/default.toml` documents each key.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    pub server: Server,
    pub company: Company,
    pub storage: Storage,
    pub definitions: Definitions,
    pub collector: Collector,
    pub forms: Forms,
    pub bookings: Bookings,
    pub calendars: Calendars,
    pub chat: Chat,
    pub mail: Mail,
    pub accounts: Accounts,
    pub sign_on: SignOn,
    pub api: Api,
    pub retention: Retention,
    pub outbound: Outbound,
    pub log: Log,
    pub telemetry: Telemetry,
    #[serde(skip)]
    pub sites: Vec<SiteSettings>,
    /// The folder that relative paths of definitions start from.
    #[serde(skip)]
    pub folder: PathBuf,
    /// Whether the demo's doors are open: the sample company's site and the time machine.
    #[serde(skip)]
    pub is_demo: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Server {
    pub listen: String,
    pub public_url: String,
    pub secret: Secret,
    pub trusted_proxies: Vec<String>,
    pub client_address_header: Vec<String>,
    pub workers: usize,
    pub head_timeout_ms: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Company {
    pub name: String,
    pub bot_name: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Storage {
    pub data: PathBuf,
    pub gather_ms: u64,
    pub postgres: Secret,
    pub postgres_pool: usize,
    pub redis: Secret,
    pub redis_prefix: String,
    pub redis_replicas: usize,
    pub stream_partitions: usize,
    pub stream_backlog: u64,
    pub stream_claim_ms: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Definitions {
    pub lifecycle: PathBuf,
    pub segments: PathBuf,
    pub offers: PathBuf,
    pub forms: PathBuf,
    pub content: PathBuf,
    pub webinars: PathBuf,
    pub team: PathBuf,
    pub notify: PathBuf,
    pub topics: PathBuf,
    pub replies: PathBuf,
    pub crm: PathBuf,
    pub privacy: PathBuf,
    pub mails: PathBuf,
    pub nurture: PathBuf,
    pub flows: PathBuf,
    pub watch_ms: u64,
    pub assets: PathBuf,
    pub uploads_mb: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Collector {
    pub hits_per_minute: u32,
    pub hits_burst: u32,
    pub body_bytes: usize,
    pub batch: usize,
    pub body_timeout_ms: u64,
    pub paths: Vec<String>,
    pub tracker_paths: Vec<String>,
    pub geo_database: String,
    pub asn_database: String,
    pub referrer_spam: Vec<String>,
    pub own_addresses: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Forms {
    pub per_minute: u32,
    pub burst: u32,
    pub form_per_minute: u32,
    pub form_burst: u32,
    pub check_mail_servers: bool,
    pub name_servers: Vec<String>,
    pub disposable_domains: PathBuf,
    pub link_days: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Bookings {
    pub per_minute: u32,
    pub burst: u32,
    pub slots_per_minute: u32,
    pub slots_burst: u32,
    pub holds_per_minute: u32,
    pub holds_burst: u32,
    pub earlier_minutes: u32,
    pub earlier_per_day: u32,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Calendars {
    pub every_minutes: u32,
    pub stale_hours: u32,
    pub tentative: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Chat {
    pub messages_per_minute: u32,
    pub messages_burst: u32,
    pub messages_apart_ms: u32,
    pub opened_per_minute: u32,
    pub opened_burst: u32,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Mail {
    pub smtp: Secret,
    pub from: String,
    pub bounces: String,
    pub hooks: Secret,
    pub ses_topics: Vec<String>,
    pub sendgrid_key: String,
    pub mailgun_key: Secret,
    pub patience_s: u64,
    pub dkim: Dkim,
}

/// The keys that mails are signed with: as they stand, `env:NAME`, or a path.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Dkim {
    pub domain: String,
    pub rsa_selector: String,
    pub rsa_key: Secret,
    pub ed25519_selector: String,
    pub ed25519_key: Secret,
}

/// Who enters the console, and how.
#[derive(Debug, Clone, Deserialize)]
pub struct Accounts {
    pub second_factor_for: Vec<String>,
}

impl Accounts {
    /// Whether people of this role need a second factor.
    pub fn demands_factor(&self, role: &str) -> bool {
        self.second_factor_for.iter().any(|known| known == role)
    }
}

/// The provider of the single sign-on (OpenID Connect).
#[derive(Debug, Clone, Default, Deserialize)]
pub struct SignOn {
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Secret,
    pub name: String,
    pub domains: Vec<String>,
    pub only: bool,
    pub recovery: String,
}

impl SignOn {
    /// Whether there is a provider.
    pub fn is_set(&self) -> bool {
        !self.issuer.is_empty()
    }

    /// Whether a password is not taken from this address: everybody signs on, but for the one who can mend what is broken.
    pub fn refuses_password(&self, email: &str) -> bool {
        self.is_set() && self.only && !email.trim().eq_ignore_ascii_case(self.recovery.trim())
    }

    /// How people call the provider: its name, or its host.
    pub fn called(&self) -> String {
        let host = || url::Url::parse(&self.issuer).ok().and_then(|url| url.host_str().map(str::to_owned));
        if self.name.is_empty() { host().unwrap_or_default() } else { self.name.clone() }
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Api {
    pub keys: Vec<Secret>,
    pub people_keys: Vec<Secret>,
}

/// Days after which kinds of rows are forgotten; 0 keeps them.
#[derive(Debug, Clone, Deserialize)]
pub struct Retention {
    pub unconverted_lead_days: i64,
    pub transcript_days: i64,
    pub activity_days: i64,
    pub mail_days: i64,
    pub audit_days: i64,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Outbound {
    pub allow: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Log {
    pub format: String,
    pub level: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Telemetry {
    pub metrics: bool,
    pub metrics_from: Vec<String>,
}

/// One website, as the file says it.
#[derive(Debug, Clone)]
pub struct SiteSettings {
    pub key: String,
    pub name: String,
    pub origins: Vec<String>,
    pub language: Language,
    pub privacy_url: String,
    pub logo_url: String,
    pub stylesheet_url: String,
    pub time_zone: String,
    /// Days that hits and visits are kept; 0 is for ever.
    pub keep_days: i64,
    /// What the host signs identity tokens with; empty if it signs none.
    pub identity_secret: Secret,
}

impl Config {
    /// A definition's path: as it is if absolute, else from the configuration's folder.
    pub fn path_of(&self, definition: &Path) -> PathBuf {
        self.folder.join(definition)
    }
}
