//! `embudo webinar`: who was there.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::app::{Definitions, Sources};
use crate::base::diagnostic::Report;
use crate::config::Config;
use crate::storage::Stores;
use crate::webinars::{self, Imported, attendance};

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
}

/// Runs `embudo webinar …`.
pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let Command::Attendance { file, webinar } = &arguments.command;
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    let (list, unusable) = attendance::read(&bytes).with_context(|| file.display().to_string())?;
    let mut imported = super::block_on(import(config, webinar.as_deref(), &list))?;
    imported.unknown.extend(unusable);
    imported.unknown.sort_by_key(|one| one.line);
    println!("{} attended, {} known already", imported.attended, imported.unchanged);
    for one in &imported.unknown {
        println!("{}:{}: {}: {}", file.display(), one.line, one.reason, one.text);
    }
    Ok(if imported.unknown.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

async fn import(
    config: &Config,
    webinar: Option<&str>,
    list: &[attendance::Attended],
) -> anyhow::Result<Imported> {
    let report = Report::new();
    let Definitions { lifecycle: Some(lifecycle), webinars: Some(webinars), .. } =
        Definitions::read(&Sources::of(config, &report), &report)
    else {
        bail!("{}", report.text());
    };
    let names: Vec<&str> = webinars.webinars.iter().map(|webinar| webinar.id.as_str()).collect();
    let webinar = match (webinar, webinars.webinars.as_slice()) {
        (Some(id), _) => webinars
            .find(id)
            .with_context(|| format!("there is no webinar `{id}`; there is {}", names.join(", ")))?,
        (None, [only]) => only,
        (None, _) => bail!("say which webinar: --webinar {}", names.join(" or ")),
    };
    super::has_data(config)?;
    let stores = Stores::open(&config.storage).await?;
    let mut tx = stores.db.begin().await?;
    let imported = webinars::attend(&mut tx, &lifecycle, webinar, list, super::clock(config).now()).await?;
    tx.commit().await?;
    Ok(imported)
}
