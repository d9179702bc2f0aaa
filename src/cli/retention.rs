//! `embudo retention`: lets go of what the sites keep no longer.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::config::Config;
use crate::hits::Words;
use crate::ingest::{self, Outdated};
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
    let outdated = super::block_on(async {
        let stores = Stores::open(&config.storage).await?;
        let (words, sites) = (Words::default(), Sites::new(&config.sites));
        let now = super::clock(config).now();
        Ok(ingest::retain(&stores, &words, &sites, now, arguments.dry_run).await?)
    })?;
    super::tell(&told(&outdated, arguments.dry_run));
    Ok(ExitCode::SUCCESS)
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
