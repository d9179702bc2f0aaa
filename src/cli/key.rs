//! `embudo key create|list|revoke`: keys for programs.

use std::process::ExitCode;

use anyhow::Context;

use crate::accounts::{self, Scope, Scopes, api_keys};
use crate::base::email::Email;
use crate::base::ids::{AccountId, ApiKeyId};
use crate::base::time::DAY_MS;
use crate::config::Config;
use crate::privacy::audit::{self, By, What as Did};
use crate::storage::Stores;
use crate::storage::db::Queries;

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
        /// Whose it is, by the address of the account. What a person must do herself (approve a definition) counts by
        /// this key for that account.
        #[arg(long, value_name = "EMAIL")]
        of: Option<String>,
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
            What::Create { name, scope, days, of } => {
                let expires = days.map(|days| now.plus_ms(days * DAY_MS));
                let mut tx = stores.db.begin().await?;
                let of = match of {
                    Some(email) => Some(account(&mut tx, &email).await?),
                    None => None,
                };
                let (_, text) = api_keys::make(&mut tx, &name, Scopes::of(scope), expires, of, now).await?;
                audit::changed(&mut tx, By::Cli, Did::KeyMade.of(&name), now).await?;
                tx.commit().await?;
                println!("{text}");
            }
            What::List => {
                for key in api_keys::list(&mut stores.db.read()).await? {
                    let state = key.state(now).word();
                    let used = key.last_used_at.map_or_else(|| "never used".to_owned(), |at| at.to_string());
                    let (id, name, scopes) = (key.id, key.name, key.scopes.words());
                    let whose = key.created_by.unwrap_or_else(|| "nobody's".to_owned());
                    println!("{id}\t{name}\t{}…\t{scopes}\t{state}\t{used}\t{whose}", key.starts_with);
                }
            }
            What::Revoke { id } => {
                let id = ApiKeyId::parse(&id).context("a key is named by its id")?;
                let mut tx = stores.db.begin().await?;
                let name = api_keys::revoke(&mut tx, id, now).await?;
                audit::changed(&mut tx, By::Cli, Did::KeyRevoked.of(&name), now).await?;
                tx.commit().await?;
                println!("{name} opens nothing any more");
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn account(q: &mut impl Queries, email: &str) -> anyhow::Result<AccountId> {
    let address = Email::parse(email).with_context(|| format!("{email} is no e-mail address"))?;
    let found = accounts::find_by_email(q, &address).await?;
    let account = found.filter(|account| account.disabled_at.is_none());
    Ok(account.with_context(|| format!("there is no account {email}; `embudo user list` names them"))?.id)
}

fn scope(word: &str) -> Result<Scope, String> {
    Scope::of_word(word).ok_or_else(|| {
        let known: Vec<String> = Scope::all().map(Scope::word).collect();
        format!("no such scope; choose among {}", known.join(", "))
    })
}
