//! `embudo user add|list|link|disable`.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Context;

use crate::accounts::passwords::{self, RESET_MS};
use crate::accounts::{self, NewAccount, Role, SHORTEST_PASSWORD};
use crate::app::{Definitions, Sources, keys_of};
use crate::base::diagnostic::Report;
use crate::base::email::Email;
use crate::base::language::Language;
use crate::base::signing::random_text;
use crate::bookings::former;
use crate::config::Config;
use crate::privacy::audit::{self, By, What as Did};
use crate::storage::Stores;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Let somebody into the console.
    Add {
        /// The address to log in with.
        email: String,
        /// What people call them.
        #[arg(long, default_value = "")]
        name: String,
        /// admin, marketing, sdr, ae, cs or viewer.
        #[arg(long, default_value = "viewer", value_parser = role)]
        role: Role,
        /// The language of their console: en or es.
        #[arg(long, default_value = "en", value_parser = language)]
        language: Language,
        /// Read the password from the standard input instead of making one.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Show who may enter.
    List,
    /// Print a link with which somebody sets a new password: it works for half an hour, and once.
    Link {
        /// The address they log in with.
        email: String,
    },
    /// Let somebody in no longer, and log them out.
    Disable {
        /// The address they log in with.
        email: String,
    },
}

/// Runs the command.
pub fn run(arguments: Arguments, config: Config) -> anyhow::Result<ExitCode> {
    super::block_on(async move {
        let stores = Stores::open(&config.storage).await?;
        let now = super::clock(&config).now();
        match arguments.what {
            What::Add { email, name, role, language, password_stdin } => {
                let given = if password_stdin { Some(password_from_stdin()?) } else { None };
                let password = given.clone().unwrap_or_else(|| random_text(15));
                let new = NewAccount { email: &email, name: &name, role, language, password: &password };
                let mut tx = stores.db.begin().await?;
                let account = accounts::add(&mut tx, &new, now).await?;
                audit::changed(&mut tx, By::Cli, Did::Invited.of(account.email.as_str()), now).await?;
                tx.commit().await?;
                println!(
                    "{} may log in at {}/console as {}",
                    account.email,
                    config.server.public_url,
                    role.word()
                );
                if given.is_none() {
                    println!("password: {password}");
                }
            }
            What::List => {
                let accounts = accounts::list(&mut stores.db.read()).await?;
                if accounts.is_empty() {
                    println!("Nobody yet. Make the first account: embudo user add EMAIL --role admin");
                }
                for account in accounts {
                    let state = if account.disabled_at.is_some() { "disabled" } else { "active" };
                    println!("{}\t{}\t{}\t{state}", account.email, account.role.word(), account.name);
                }
            }
            What::Link { email } => {
                let known = Email::parse(&email).ok();
                let known = match known {
                    Some(email) => accounts::find_by_email(&mut stores.db.read(), &email).await?,
                    None => None,
                };
                let account = known.ok_or_else(|| accounts::Error::Unknown(email.clone()))?;
                let (keys, expires) = (keys_of(&config)?, now.plus_ms(RESET_MS));
                let reads = &mut stores.db.read();
                let token = passwords::link(reads, &keys, account.id, now, expires).await?;
                let token = token.with_context(|| format!("the account of {email} is disabled"))?;
                let mut tx = stores.db.begin().await?;
                audit::changed(&mut tx, By::Cli, Did::Link.of(account.email.as_str()), now).await?;
                tx.commit().await?;
                println!("{}/console/password?token={token}", config.server.public_url);
            }
            What::Disable { email } => {
                let mut tx = stores.db.begin().await?;
                let account = accounts::disable(&mut tx, &email, now).await?;
                audit::changed(&mut tx, By::Cli, Did::Disabled.of(account.email.as_str()), now).await?;
                tx.commit().await?;
                println!("{} may not log in any more and is logged out everywhere", account.email);
                let report = Report::new();
                let team = Definitions::read(&Sources::of(&config, &report), &report).team;
                let closed = match &team {
                    Some(team) => former::closed(&mut stores.db.read(), team, now).await?,
                    None => Vec::new(),
                };
                let rep = team.as_ref().and_then(|team| team.rep_of_account(&account.email));
                for closed in closed.iter().filter(|closed| rep.is_some_and(|rep| rep.id == closed.rep)) {
                    println!("{}: {}", closed.line(), closed.advice());
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn password_from_stdin() -> anyhow::Result<String> {
    let mut input = std::io::stdin().lock();
    if std::io::stdin().is_terminal() {
        // There is no way to hide what is typed without a further library, so say so.
        eprint!("password (at least {SHORTEST_PASSWORD} characters, visible): ");
        std::io::stderr().flush()?;
    }
    let mut line = String::new();
    input.read_line(&mut line).context("the standard input cannot be read")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn role(word: &str) -> Result<Role, String> {
    Role::of_word(word).ok_or_else(|| {
        let known: Vec<&str> = Role::ALL.iter().map(|role| role.word()).collect();
        format!("no such role; choose one of {}", known.join(", "))
    })
}

fn language(tag: &str) -> Result<Language, String> {
    Language::of_tag(tag).ok_or_else(|| "no such language; choose en or es".to_owned())
}
