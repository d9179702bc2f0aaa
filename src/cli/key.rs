//! `embudo key create|list|revoke`: keys for programs.

use std::process::ExitCode;

use anyhow::Context;

use crate::accounts::{Scope, Scopes, api_keys};
use crate::base::ids::ApiKeyId;
use crate::base::time::DAY_MS;
use crate::config::Config;
use crate::storage::Stores;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Make a key and print it: it cannot be had again.
    Create {
        /// What it is for.
        name: String,
        /// What it may do, such as sales:read; several with commas between.
        #[arg(long, required = true, value_delimiter = ',', value_parser = scope)]
        scope: Vec<Scope>,
        /// It ends after so many days. For ever if nothing is said.
        #[arg(long, value_parser = clap::value_parser!(i64).range(1..=3650))]
        days: Option<i64>,
    },
    /// Show the keys, and when each was used.
    List,
    /// End a key.
    Revoke {
        /// Its id, as `list` tells it.
        id: String,
    },
}

/// Runs the command.
pub fn run(arguments: Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    super::has_data(config)?;
    super::block_on(async move {
        let stores = Stores::open(&config.storage).await?;
        let now = super::clock(config).now();
        match arguments.what {
            What::Create { name, scope, days } => {
                let expires = days.map(|days| now.plus_ms(days * DAY_MS));
                let mut tx = stores.db.begin().await?;
                let (_, text) = api_keys::make(&mut tx, &name, Scopes::of(scope), expires, None, now).await?;
                tx.commit().await?;
                println!("{text}");
            }
            What::List => {
                for key in api_keys::list(&mut stores.db.read()).await? {
                    let state = if key.works(now) { "works" } else { "over" };
                    let used = key.last_used_at.map_or_else(|| "never used".to_owned(), |at| at.to_string());
                    let (id, name, scopes) = (key.id, key.name, key.scopes.words());
                    println!("{id}\t{name}\t{}…\t{scopes}\t{state}\t{used}", key.starts_with);
                }
            }
            What::Revoke { id } => {
                let id = ApiKeyId::parse(&id).context("a key is named by its id")?;
                let mut tx = stores.db.begin().await?;
                let name = api_keys::revoke(&mut tx, id, now).await?;
                tx.commit().await?;
                println!("{name} opens nothing any more");
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn scope(word: &str) -> Result<Scope, String> {
    Scope::of_word(word).ok_or_else(|| {
        let known: Vec<String> = Scope::all().map(Scope::word).collect();
        format!("no such scope; choose among {}", known.join(", "))
    })
}
