//! `embudo offer`: what is offered, and codes that are used.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::bail;

use crate::app::{Definitions, Sources};
use crate::base::diagnostic::Report;
use crate::base::language::Language;
use crate::config::Config;
use crate::offers;
use crate::storage::Stores;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the offers, with how many have been taken.
    List {
        /// The language of the titles: en or es.
        #[arg(long, default_value = "en")]
        language: String,
    },
    /// Use a code up.
    Redeem {
        /// The code, as the person was given it.
        code: String,
    },
}

/// Runs `embudo offer …`.
pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let text = super::block_on(async {
        let report = Report::new();
        let read = Definitions::read(&Sources::of(config, &report), &report);
        let Some(offers) = read.offers else { bail!("{}", report.text()) };
        super::has_data(config)?;
        let stores = Stores::open(&config.storage).await?;
        match &arguments.command {
            Command::List { language } => list(&stores, &offers, Language::parse(language)).await,
            Command::Redeem { code } => {
                let mut tx = stores.db.begin().await?;
                let claim = offers::redeem(&mut tx, code, super::clock(config).now()).await?;
                tx.commit().await?;
                Ok(format!("{} of {} is used, given {}\n", claim.code, claim.offer, claim.claimed_at))
            }
        }
    })?;
    super::tell(&text);
    Ok(ExitCode::SUCCESS)
}

async fn list(stores: &Stores, offers: &offers::Definition, language: Language) -> anyhow::Result<String> {
    let width = offers.offers.iter().map(|offer| offer.id.len()).max().unwrap_or(0);
    let mut out = String::new();
    for offer in &offers.offers {
        let taken = offers::taken(&mut stores.db.read(), &offer.id).await?;
        let of = offer.quota.map(|quota| format!(" of {quota}")).unwrap_or_default();
        let until = offer.until.map(|until| format!(", until {until}")).unwrap_or_default();
        writeln!(out, "{:width$}  {taken}{of} taken{until}  {}", offer.id, offer.title.get(language))?;
    }
    Ok(out)
}
