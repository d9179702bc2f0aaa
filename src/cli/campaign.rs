//! `embudo campaign`: what campaigns cost.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use crate::campaigns;
use crate::config::Config;
use crate::storage::Stores;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Take what campaigns cost (CSV with the columns day, source, campaign, amount, currency). The same file twice changes
    /// nothing.
    Costs {
        /// The file, as the platform exported it.
        file: PathBuf,
    },
}

/// Runs `embudo campaign …`.
pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let Command::Costs { file } = &arguments.command;
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    let (lines, unusable) = campaigns::read(&bytes).with_context(|| file.display().to_string())?;
    let imported = super::block_on(async {
        super::has_data(config)?;
        let stores = Stores::open(&config.storage).await?;
        let mut tx = stores.db.begin().await?;
        let imported = campaigns::import(&mut tx, &lines, unusable).await?;
        tx.commit().await?;
        Ok(imported)
    })?;
    println!("{} new, {} replaced, {} known already", imported.added, imported.replaced, imported.unchanged);
    for one in &imported.unusable {
        println!("{}:{}: {}", file.display(), one.line, one.reason);
    }
    Ok(if imported.unusable.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
