//! `embudo retention`: lets go of what the sites and the settings keep no longer.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::bail;

use crate::app::{App, Definitions, Sources, secret_of};
use crate::base::diagnostic::Report;
use crate::base::signing::Keys;
use crate::config::Config;
use crate::hits::Words;
use crate::ingest::{self, Outdated};
use crate::privacy::retention;
use crate::sites::Sites;
use crate::storage::Stores;

#[derive(clap::Args)]
pub struct Arguments {
    /// Say what would be deleted, and delete nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Runs `embudo retention`. It may run beside the server, which does the same four times a day.
pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    super::has_data(config)?;
    let report = Report::new();
    let read = Definitions::read(&Sources::of(config, &report), &report);
    let Some(lifecycle) = read.lifecycle else { bail!("{}", report.text()) };
    let keys = Keys::new(&secret_of(config)?);
    let is_dry = arguments.dry_run;
    let (outdated, kinds) = super::block_on(async {
        let stores = Stores::open(&config.storage).await?;
        let (words, sites) = (Words::default(), Sites::new(&config.sites));
        let now = super::clock(config).now();
        let outdated = ingest::retain(&stores, &words, &sites, now, is_dry).await?;
        let (later, settings) = (App::later_tables(), &config.retention);
        let kinds = retention::retain(&stores, &keys, &lifecycle, &later, settings, now, is_dry).await?;
        Ok((outdated, kinds))
    })?;
    super::tell(&told(&outdated, is_dry));
    super::tell(&kinds_told(&kinds, is_dry));
    Ok(ExitCode::SUCCESS)
}

fn kinds_told(kinds: &[retention::Outdated], is_dry: bool) -> String {
    let mut text = String::new();
    for kind in kinds {
        let verb = if is_dry { "would be forgotten" } else { "forgotten" };
        let day = kind.before.to_string();
        let _ = writeln!(
            text,
            "{}  {} from before {} {verb} ({} days are kept)",
            kind.kind,
            kind.count,
            day.get(..10).unwrap_or(&day),
            kind.days,
        );
    }
    if kinds.is_empty() {
        text.push_str("people and what they did are kept: [retention] gives no days\n");
    }
    text
}

fn told(outdated: &[Outdated], is_dry: bool) -> String {
    if outdated.is_empty() {
        return "every site keeps everything: none has `keep_days`\n".to_owned();
    }
    let mut text = String::new();
    for site in outdated {
        let verb = if is_dry { "would be deleted" } else { "deleted" };
        let day = site.before.to_string();
        let _ = writeln!(
            text,
            "{}  {} hits and {} visits from before {} {verb} ({} days are kept)",
            site.site,
            site.surplus.hits,
            site.surplus.visits,
            day.get(..10).unwrap_or(&day),
            site.keep_days,
        );
    }
    text
}
