//! Everything that one running server consists of, built in one place and shared by all that runs.

use std::path::Path;
use std::time::Duration;

use crate::base::secret::Secret;
use crate::base::signing::{Keys, random_text};
use crate::base::time::Clock;
use crate::config::Config;
use crate::hits::{Agents, Geo, HitLog};
use crate::ingest::Collector;
use crate::render::Templates;
use crate::sites::Sites;
use crate::storage::Stores;

/// One server.
pub struct App {
    pub config: Config,
    pub clock: Clock,
    pub stores: Stores,
    pub keys: Keys,
    pub sites: Sites,
    pub templates: Templates,
    pub collector: Collector,
}

impl App {
    /// Opens the stores, reads every definition, starts the writers.
    ///
    /// # Errors
    /// A sentence for the operator about whatever could not be opened or read.
    pub async fn build(config: Config, clock: Clock) -> anyhow::Result<Self> {
        let stores = Stores::open(&config.storage).await?;
        let keys = Keys::new(&secret_of(&config)?);
        let geo = Geo::open(&config.collector.geo_database).map_err(anyhow::Error::msg)?;
        let log = HitLog::start(stores.hits.clone(), Duration::from_millis(config.collector.gather_ms));
        let collector = Collector::new(log, stores.hot.clone(), keys.clone(), geo, Agents::default());
        Ok(Self {
            sites: Sites::new(&config.sites),
            templates: Templates::embedded()?,
            collector,
            keys,
            stores,
            clock,
            config,
        })
    }

    /// The origin that people and browsers reach this server by.
    pub fn own_origin(&self) -> &str {
        &self.config.server.public_url
    }

    /// An address of this server, for links in mails and pages.
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.config.server.public_url)
    }
}

/// The configured secret, else the one in the data folder, made at the first start.
fn secret_of(config: &Config) -> anyhow::Result<Secret> {
    if !config.server.secret.is_empty() {
        return Ok(config.server.secret.clone());
    }
    std::fs::create_dir_all(&config.storage.data)?;
    let file = config.storage.data.join("secret");
    match std::fs::read_to_string(&file) {
        Ok(text) if text.trim().len() >= 32 => Ok(Secret::new(text.trim())),
        _ => {
            let made = random_text(48);
            write_private(&file, &made)?;
            Ok(Secret::new(made))
        }
    }
}

fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(file)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
