//! `embudo nurture`: who would get what and when.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::bail;

use crate::app::{Definitions, Sources};
use crate::base::diagnostic::Report;
use crate::base::time::DAY_MS;
use crate::config::Config;
use crate::nurture::forecast::{Forecast, Outlook, forecast};
use crate::reports::outbox::{self, Waiting};
use crate::storage::Stores;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Print who would get which letter and when, and write nothing.
    DryRun {
        /// How far to look ahead.
        #[arg(long, default_value_t = 14)]
        days: i64,
        /// Also whoever is where a sequence begins and has not entered it, as if she entered now.
        #[arg(long)]
        newcomers: bool,
    },
}

/// Runs `embudo nurture …`.
pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let Command::DryRun { days, newcomers } = &arguments.command;
    super::has_data(config)?;
    let report = Report::new();
    let read = Definitions::read(&Sources::of(config, &report), &report);
    let (Some(sequences), Some(topics)) = (read.sequences, read.topics) else { bail!("{}", report.text()) };
    let now = super::clock(config).now();
    let outlook =
        Outlook { now, until: now.plus_ms(days.clamp(&0, &3_650) * DAY_MS), with_newcomers: *newcomers };
    let (expected, waiting) = super::block_on(async {
        let stores = Stores::open(&config.storage).await?;
        let mut q = stores.db.read();
        let expected = forecast(&mut q, &sequences, &topics.sending, outlook).await?;
        Ok((expected, outbox::waiting(&mut q, now).await?))
    })?;
    super::tell(&told(&expected, &waiting, *days));
    Ok(ExitCode::SUCCESS)
}

fn told(expected: &Forecast, waiting: &[Waiting], days: i64) -> String {
    let mut text = String::new();
    for letter in waiting.iter().filter(|letter| letter.is_waiting) {
        let (at, to, name, why) = (letter.at, &letter.recipient, &letter.template, &letter.why);
        let _ = writeln!(text, "{at}  {to}  {name}  waits: {why}");
    }
    for letter in &expected.coming {
        let note = letter.note.as_ref().map(|note| format!("  ({note})")).unwrap_or_default();
        let sign = if letter.goes_out { "" } else { "not sent: " };
        let _ = writeln!(
            text,
            "{}  {}  {sign}{} in {}, step {} of {}{note}",
            letter.at,
            letter.email,
            letter.mail,
            letter.language.code(),
            letter.step,
            letter.sequence,
        );
    }
    for one in &expected.outside {
        let _ = writeln!(text, "{} does not enter {} ({})", one.email, one.sequence, one.why);
    }
    if text.is_empty() {
        text = format!("no letter is due within {days} days\n");
    }
    text
}
