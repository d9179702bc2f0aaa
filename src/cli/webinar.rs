//! `embudo webinar`: who was there, and what does not take place.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::app::{Definitions, Sources};
use crate::base::diagnostic::Report;
use crate::config::Config;
use crate::stages;
use crate::storage::Stores;
use crate::webinars::{self, Imported, Webinar, attendance};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Take the list of who was there (lines of `email,minutes`, or JSON). The same list twice changes nothing.
    Attendance {
        /// The list, as the webinar tool exported it.
        file: PathBuf,
        /// The webinar; not needed when there is only one.
        #[arg(long)]
        webinar: Option<String>,
    },
    /// Call a webinar off: everybody who is registered is told by mail.
    Cancel {
        /// The webinar.
        webinar: String,
        /// Why, in a sentence that registrants read.
        #[arg(long)]
        reason: Option<String>,
    },
}

/// Runs `embudo webinar …`.
pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::Attendance { file, webinar } => {
            let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
            let imported = super::block_on(import(config, webinar.as_deref(), file, &bytes))?;
            let (attended, unchanged, short) = (imported.attended, imported.unchanged, imported.too_short);
            println!("{attended} attended, {unchanged} known already, {short} not long enough");
            for one in &imported.unknown {
                println!("{}:{}: {}: {}", file.display(), one.line, one.reason, one.text);
            }
            Ok(if imported.unknown.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
        }
        Command::Cancel { webinar, reason } => {
            let told = super::block_on(cancel(config, webinar, reason.as_deref()))?;
            println!("called off; {told} registered, each is told by mail");
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn definitions(config: &Config) -> anyhow::Result<(stages::Definition, webinars::Definition)> {
    let report = Report::new();
    match Definitions::read(&Sources::of(config, &report), &report) {
        Definitions { lifecycle: Some(lifecycle), webinars: Some(webinars), .. } => Ok((lifecycle, webinars)),
        _ => bail!("{}", report.text()),
    }
}

fn chosen<'a>(webinars: &'a webinars::Definition, asked: Option<&str>) -> anyhow::Result<&'a Webinar> {
    let names: Vec<&str> = webinars.webinars.iter().map(|webinar| webinar.id.as_str()).collect();
    match (asked, webinars.webinars.as_slice()) {
        (Some(id), _) => webinars
            .find(id)
            .with_context(|| format!("there is no webinar `{id}`; there is {}", names.join(", "))),
        (None, [only]) => Ok(only),
        (None, _) => bail!("say which webinar: --webinar {}", names.join(" or ")),
    }
}

async fn import(
    config: &Config,
    webinar: Option<&str>,
    file: &Path,
    bytes: &[u8],
) -> anyhow::Result<Imported> {
    let (lifecycle, webinars) = definitions(config)?;
    let webinar = chosen(&webinars, webinar)?;
    let (list, unusable) = attendance::read(bytes, webinar).with_context(|| file.display().to_string())?;
    super::has_data(config)?;
    let stores = Stores::open(&config.storage).await?;
    let now = super::clock(config).now();
    let mut imported = webinars::import(&stores.db, &lifecycle, webinar, &list, now).await?;
    imported.unknown.extend(unusable);
    imported.unknown.sort_by_key(|one| one.line);
    Ok(imported)
}

async fn cancel(config: &Config, webinar: &str, reason: Option<&str>) -> anyhow::Result<usize> {
    let (lifecycle, webinars) = definitions(config)?;
    let webinar = chosen(&webinars, Some(webinar))?;
    super::has_data(config)?;
    let stores = Stores::open(&config.storage).await?;
    let mut tx = stores.db.begin().await?;
    let told = webinars::call_off(&mut tx, &lifecycle, webinar, reason, super::clock(config).now()).await?;
    tx.commit().await?;
    Ok(told)
}
