//! `embudo outbox`: what waits to be sent, and what was given up.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Context, ensure};

use crate::base::ids::JobId;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::jobs::queue::{self, Which};
use crate::reports::outbox::{self, Queued};
use crate::storage::Stores;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show what was given up, what fails and what waits; addresses are masked.
    List {
        /// `text` or `json`.
        #[arg(long, default_value = "text")]
        format: Format,
    },
    /// Try what was given up again.
    Replay {
        /// The id of one, from the list.
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        /// Everything that was given up.
        #[arg(long, conflicts_with = "id")]
        all: bool,
        /// Of these, what goes to one target: mail, hook:NAME, webhook:NAME, crm:NAME.
        #[arg(long, requires = "all")]
        target: Option<String>,
        /// Of these, what was given up at or after a time such as 2026-11-22T18:00:00Z.
        #[arg(long, requires = "all")]
        since: Option<jiff::Timestamp>,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Runs `embudo outbox …`.
pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    super::has_data(config)?;
    let text = match &arguments.command {
        Command::List { format } => {
            let queued = super::block_on(async {
                let stores = Stores::open(&config.storage).await?;
                Ok(outbox::queue(&mut stores.db.read(), super::clock(config).now()).await?)
            })?;
            match format {
                Format::Json => format!("{}\n", serde_json::to_string_pretty(&queued)?),
                Format::Text => told(&queued),
            }
        }
        Command::Replay { id, all: _, target, since } => {
            let which = match id {
                Some(id) => {
                    Which::One(JobId::parse(id).with_context(|| format!("`{id}` is no id of a job"))?)
                }
                None => {
                    let from = since.map_or_else(Timestamp::default, Timestamp::from_jiff);
                    Which::Since { from, target: target.clone() }
                }
            };
            let replayed = super::block_on(async {
                let stores = Stores::open(&config.storage).await?;
                let mut tx = stores.db.begin().await?;
                let replayed = queue::replay(&mut tx, &which, super::clock(config).now()).await?;
                tx.commit().await?;
                Ok(replayed)
            })?;
            ensure!(replayed > 0 || id.is_none(), "nothing that was given up has this id");
            format!("{replayed} will be tried again\n")
        }
    };
    super::tell(&text);
    Ok(ExitCode::SUCCESS)
}

fn told(queued: &[Queued]) -> String {
    if queued.is_empty() {
        return "nothing waits\n".to_owned();
    }
    let mut text = String::new();
    for one in queued {
        let why = one.why.as_deref().unwrap_or("");
        let (id, state, target, what, to) = (&one.id, one.state, &one.target, &one.what, &one.to);
        let _ = writeln!(
            text,
            "{id}  {state}  {target}  {what}  {to}  tries: {}  {}  {why}",
            one.attempts, one.at
        );
    }
    text
}
