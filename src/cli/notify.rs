//! `embudo notify`: the chats and programs that are written to.

use std::process::ExitCode;

use anyhow::{Context, bail, ensure};

use crate::app::{Definitions, Sources};
use crate::base::diagnostic::{Report, nearest};
use crate::config::Config;
use crate::notify::{self, Outbound};
use crate::storage::Stores;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Send a hook of notify.yaml something harmless, and say what it answers.
    Test {
        /// The hook's name.
        name: String,
    },
    /// Try a webhook again that was disabled because it took nothing for days.
    Enable {
        /// The hook's name.
        name: String,
    },
}

/// Runs `embudo notify …`.
pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::Test { name } => test(config, name),
        Command::Enable { name } => {
            super::has_data(config)?;
            let was_disabled = super::block_on(async {
                let stores = Stores::open(&config.storage).await?;
                let mut tx = stores.db.begin().await?;
                let was_disabled = notify::enable_endpoint(&mut tx, name).await?;
                tx.commit().await?;
                Ok(was_disabled)
            })?;
            ensure!(was_disabled, "`{name}` is not disabled");
            super::tell("enabled; what was given up meanwhile: embudo outbox replay --all\n");
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn test(config: &Config, name: &str) -> anyhow::Result<ExitCode> {
    let report = Report::new();
    let read = Definitions::read(&Sources::of(config, &report), &report);
    let Some(rules) = read.rules else { bail!("{}", report.text()) };
    let outbound = Outbound::new(&config.outbound.allow).map_err(anyhow::Error::msg)?;
    let link = format!("{}/console", config.server.public_url);
    let now = super::clock(config).now();
    let sent = super::block_on(async { Ok(notify::trial::send(&outbound, &rules, name, &link, now).await) })?;
    let sent = sent.with_context(|| {
        let near = nearest(name, rules.hooks.iter().map(|hook| hook.name.as_str()));
        let meant = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        format!("notify.yaml has no hook `{name}`{meant}")
    })?;
    sent.with_context(|| format!("`{name}` did not take it"))?;
    super::tell("taken\n");
    Ok(ExitCode::SUCCESS)
}
