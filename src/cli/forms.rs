//! `embudo forms`: submissions that look odd and wait for a person.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::app::{Definitions, Sources};
use crate::base::diagnostic::Report;
use crate::base::ids::SubmissionId;
use crate::config::Config;
use crate::gates::quarantine::{self, SetApart};
use crate::privacy::audit;
use crate::storage::Stores;
use crate::webinars;

/// How many are listed.
const LISTED: i64 = 200;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Submissions that were set apart: they made no contact and sent no mail.
    #[command(subcommand)]
    Quarantine(Quarantine),
}

#[derive(clap::Subcommand)]
enum Quarantine {
    /// Show what waits, the latest first.
    List {
        /// `text` or `json`.
        #[arg(long, default_value = "text")]
        format: Format,
    },
    /// Take one after all, as if it had never been odd.
    Release {
        /// Its id, from the list.
        id: String,
    },
    /// Throw one away.
    Delete {
        /// Its id, from the list.
        id: String,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Runs `embudo forms …`.
pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    super::has_data(config)?;
    let Command::Quarantine(command) = &arguments.command;
    let text = match command {
        Quarantine::List { format } => {
            let (list, total) = super::block_on(async {
                let stores = Stores::open(&config.storage).await?;
                let (list, total) = quarantine::list(&mut stores.db.read(), LISTED, 0).await?;
                if !list.is_empty() {
                    let now = super::clock(config).now();
                    audit::saw_list(&stores.db, audit::By::Cli, "quarantine", now).await?;
                }
                Ok((list, total))
            })?;
            match format {
                Format::Json => format!("{}\n", serde_json::to_string_pretty(&list)?),
                Format::Text => told(&list, total),
            }
        }
        Quarantine::Release { id } => {
            super::block_on(release(config, submission_id(id)?))?;
            "released\n".to_owned()
        }
        Quarantine::Delete { id } => {
            let id = submission_id(id)?;
            super::block_on(async {
                let stores = Stores::open(&config.storage).await?;
                let mut tx = stores.db.begin().await?;
                quarantine::delete(&mut tx, id).await?;
                Ok(tx.commit().await?)
            })?;
            "deleted\n".to_owned()
        }
    };
    super::tell(&text);
    Ok(ExitCode::SUCCESS)
}

fn submission_id(text: &str) -> anyhow::Result<SubmissionId> {
    SubmissionId::parse(text).with_context(|| format!("`{text}` is no id of a submission"))
}

async fn release(config: &Config, id: SubmissionId) -> anyhow::Result<()> {
    let report = Report::new();
    let Definitions { lifecycle: Some(lifecycle), catalog: Some(catalog), webinars: Some(webinars), .. } =
        Definitions::read(&Sources::of(config, &report), &report)
    else {
        bail!("{}", report.text());
    };
    let stores = Stores::open(&config.storage).await?;
    let now = super::clock(config).now();
    let mut tx = stores.db.begin().await?;
    webinars::release(&mut tx, &lifecycle, &catalog, &webinars, id, now).await?;
    Ok(tx.commit().await?)
}

fn told(list: &[SetApart], total: i64) -> String {
    if list.is_empty() {
        return "nothing is set apart\n".to_owned();
    }
    let mut text = String::new();
    for one in list {
        let fields: Vec<String> =
            one.fields.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        let _ = writeln!(
            text,
            "{}  {}  {}  {}  {}  {}",
            one.id,
            one.at,
            one.form,
            one.reason,
            one.email,
            fields.join(" ")
        );
    }
    let _ = writeln!(text, "{total} in all");
    text
}
