//! The definitions that follow the lifecycle: replaced together, on every node, while all of them run.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::definitions::{Definitions, Kind, Sources};
use super::lifecycle_file::{self, Written};
use crate::base::diagnostic::{Diagnostic, Report};
use crate::base::live::Live;
use crate::bookings::own_week;
use crate::bookings::team::Team;
use crate::config::Config;
use crate::sites::{Sites, added};
use crate::stages::versions;
use crate::storage::{self, Stores};
use crate::{offers, segments, stages};

/// How often a node looks whether another version was activated.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The lifecycle that runs here, and whatever is read together with it.
pub struct Running {
    pub(super) config: Config,
    pub(super) stores: Stores,
    pub(super) sites: Arc<Live<Sites>>,
    pub(super) lifecycle: Arc<Live<stages::Definition>>,
    pub(super) segments: Arc<Live<segments::Definition>>,
    pub(super) offers: Arc<Live<offers::Definition>>,
    pub(super) team: Arc<Team>,
}

/// What was read together.
struct Together {
    lifecycle: stages::Definition,
    segments: segments::Definition,
    offers: offers::Definition,
}

impl Running {
    /// Reads a text in the place of the lifecycle's file, together with all other files.
    ///
    /// # Errors
    /// What is wrong, each with its place: also what other files name and this text does not declare.
    pub fn check(&self, text: &str) -> Result<stages::Definition, Vec<Diagnostic>> {
        self.read(text).map(|together| together.lifecycle)
    }

    fn read(&self, text: &str) -> Result<Together, Vec<Diagnostic>> {
        let report = Report::new();
        let mut sources = Sources::of(&self.config, &report);
        sources.put(Kind::Lifecycle, "lifecycle.yaml".to_owned(), text.to_owned());
        sources.find_titles(&self.config);
        let read = Definitions::read(&sources, &report);
        match (read.lifecycle, read.segments, read.offers) {
            (Some(lifecycle), Some(segments), Some(offers)) if !report.has_errors() => {
                Ok(Together { lifecycle, segments, offers })
            }
            _ => Err(report.diagnostics()),
        }
    }

    /// The file of the lifecycle on this server.
    pub fn file(&self) -> PathBuf {
        self.config.path_of(&self.config.definitions.lifecycle)
    }

    /// Writes an activated version into the file of this server, so that the next start reads what runs; the text that
    /// stood there is kept beside it.
    pub async fn write(&self, definition: &stages::Definition) -> Written {
        let (path, definition) = (self.file(), definition.clone());
        let there = path.clone();
        let writing = tokio::task::spawn_blocking(move || lifecycle_file::write(&path, &definition));
        match writing.await {
            Ok(written) => written,
            Err(error) => Written::NotWritable { path: there, why: error.to_string() },
        }
    }

    /// Takes up the version that was activated last, if it is another than the one that runs here. Returns whether it was.
    ///
    /// # Errors
    /// If the store fails, or the version does not fit the other files of this node: then the old one goes on.
    pub async fn take_up(&self) -> anyhow::Result<bool> {
        let mut reads = self.stores.db.read();
        let Some(active) = versions::newest_but(&mut reads, &self.lifecycle.hash).await? else {
            return Ok(false);
        };
        let read = self.read(&active.body).map_err(|found| {
            let first = found.first().map(|first| first.message.clone()).unwrap_or_default();
            anyhow::anyhow!(
                "version {} of the lifecycle does not fit the other files: {first}",
                active.version
            )
        })?;
        tracing::info!(
            lifecycle.version = read.lifecycle.version,
            "another version of the lifecycle runs from now on"
        );
        self.segments.replace(read.segments);
        self.offers.replace(read.offers);
        self.lifecycle.replace(read.lifecycle);
        Ok(true)
    }

    /// Takes up the sites that were added in the console, or taken away there, on whichever node.
    ///
    /// # Errors
    /// As the store says.
    pub async fn take_up_sites(&self) -> storage::Result<()> {
        let added = added::list(&mut self.stores.db.read()).await?;
        if !self.sites.has_added(&added) {
            self.sites.replace(Sites::new(&self.config.sites).with_added(&added));
        }
        Ok(())
    }

    /// What was changed on other nodes, beside the lifecycle: sites, and the weeks that reps wrote.
    async fn take_up_the_rest(&self) -> anyhow::Result<()> {
        self.take_up_sites().await?;
        Ok(own_week::refresh(&mut self.stores.db.read(), &self.team).await?)
    }

    /// Looks for another version, for sites, and for the weeks that reps wrote, as long as somebody uses this one.
    pub(super) fn follow(running: &Arc<Self>) {
        let running: Weak<Self> = Arc::downgrade(running);
        tokio::spawn(async move {
            let mut told = String::new();
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let Some(running) = running.upgrade() else { return };
                let looked = match running.take_up().await {
                    Ok(_) => running.take_up_the_rest().await,
                    Err(error) => Err(error),
                };
                if let Err(error) = looked {
                    // Told once, not every five seconds.
                    let text = error.to_string();
                    if text != told {
                        tracing::error!(error = %error, "what was changed on another node cannot be taken up");
                        told = text;
                    }
                }
            }
        });
    }
}
