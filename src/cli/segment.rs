//! `embudo segment`: who belongs to which, and why somebody does not.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::app::{Definitions, Sources};
use crate::base::diagnostic::Report;
use crate::base::email::Email;
use crate::base::language::Language;
use crate::config::Config;
use crate::privacy::audit;
use crate::storage::Stores;
use crate::{contacts, segments, stages};

/// People that a list shows.
const MEMBERS_MOST: i64 = 1_000;

/// People who are asked about to see what it costs.
const ASKED_MOST: i64 = 200;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the segments, with how many belong to each.
    List {
        /// The language of the labels: en or es.
        #[arg(long, default_value = "en")]
        language: String,
        /// Ask all of them about some people now, and tell what one question takes.
        #[arg(long)]
        costs: bool,
    },
    /// List who belongs to a segment, the latest to come first.
    Members {
        /// The segment.
        segment: String,
    },
    /// Ask all segments about one person now, and tell when the answers may change by themselves.
    Of {
        /// The person's e-mail address.
        email: String,
    },
}

/// Runs `embudo segment …`.
pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let text = super::block_on(async {
        let report = Report::new();
        let read = Definitions::read(&Sources::of(config, &report), &report);
        let (Some(lifecycle), Some(segments)) = (read.lifecycle, read.segments) else {
            bail!("{}", report.text())
        };
        super::has_data(config)?;
        let stores = Stores::open(&config.storage).await?;
        match &arguments.command {
            Command::List { language, costs } => {
                let costs = match costs {
                    true => {
                        let (q, now) = (&mut stores.db.read(), super::clock(config).now());
                        Some(segments::measure(q, &lifecycle, &segments, ASKED_MOST, now).await?)
                    }
                    false => None,
                };
                list(&stores, &segments, Language::parse(language), costs.as_ref()).await
            }
            Command::Members { segment } => members(&stores, &segments, segment, config).await,
            Command::Of { email } => of(&stores, &lifecycle, &segments, email, config).await,
        }
    })?;
    super::tell(&text);
    Ok(ExitCode::SUCCESS)
}

async fn list(
    stores: &Stores,
    segments: &segments::Definition,
    language: Language,
    costs: Option<&segments::Costs>,
) -> anyhow::Result<String> {
    let counts = segments::members_count(&mut stores.db.read()).await?;
    let width = segments.segments.iter().map(|segment| segment.id.len()).max().unwrap_or(0);
    let mut out = String::new();
    for segment in &segments.segments {
        let fill = segments::fill_of(&mut stores.db.read(), &segment.id).await?;
        let is_filled = fill.is_some_and(|fill| fill.is_done && fill.hash == segment.hash);
        let count = counts.get(&segment.id).copied().unwrap_or(0);
        let note = if is_filled { "" } else { "  (not everybody has been asked about yet)" };
        let cost = costs.map(|costs| match costs.mean_us(&segment.id) {
            Some(mean) => format!("{mean:>6} µs  "),
            None => "     – µs  ".to_owned(),
        });
        let (cost, label) = (cost.unwrap_or_default(), segment.label.get(language));
        writeln!(out, "{:width$}  {count:>7}  {cost}{label}{note}", segment.id)?;
    }
    Ok(out)
}

async fn members(
    stores: &Stores,
    segments: &segments::Definition,
    id: &str,
    config: &Config,
) -> anyhow::Result<String> {
    let names: Vec<&str> = segments.segments.iter().map(|segment| segment.id.as_str()).collect();
    let segment = segments
        .find(id)
        .with_context(|| format!("there is no segment `{id}`; there is {}", names.join(", ")))?;
    let found = segments::members(&mut stores.db.read(), &segment.id, 0, MEMBERS_MOST).await?;
    if !found.is_empty() {
        let (list, now) = (format!("segment:{}", segment.id), super::clock(config).now());
        audit::saw_list(&stores.db, audit::By::Cli, &list, now).await?;
    }
    let mut out = String::new();
    for member in &found {
        writeln!(out, "{}  {}", member.since, member.email)?;
    }
    Ok(out)
}

async fn of(
    stores: &Stores,
    lifecycle: &stages::Definition,
    segments: &segments::Definition,
    email: &str,
    config: &Config,
) -> anyhow::Result<String> {
    let address = Email::parse(email).with_context(|| format!("`{email}`"))?;
    let mut q = stores.db.read();
    let contact = contacts::find_by_email(&mut q, &address).await?;
    let contact = contact.with_context(|| format!("there is no contact with the address {address}"))?;
    let now = super::clock(config).now();
    audit::saw(&stores.db, audit::By::Cli, contact.id, now).await?;
    let answers = segments::ask_about(&mut q, lifecycle, segments, contact.id, now).await?;
    let width = segments.segments.iter().map(|segment| segment.id.len()).max().unwrap_or(0);
    let mut out = String::new();
    for answer in &answers {
        let word = if answer.is_member { "yes" } else { "no " };
        let until = answer.due_at.map(|due_at| format!("  until {due_at} at least")).unwrap_or_default();
        writeln!(out, "{:width$}  {word}  {}{until}", answer.segment, answer.condition)?;
    }
    Ok(out)
}
