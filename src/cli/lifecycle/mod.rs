//! `embudo lifecycle`: why somebody is where she is, what another definition would do, and which one runs.

mod explain;
mod trials;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use serde::Serialize;

use crate::accounts;
use crate::app::{Definitions, Sources};
use crate::base::diagnostic::Report;
use crate::base::email::Email;
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::bookings::capacity::Loaded;
use crate::bookings::team::Team;
use crate::config::Config;
use crate::contacts::{self, Contact};
use crate::privacy::audit;
use crate::stages::trial::{self, Backtester, Differ, Lifter, Question};
use crate::stages::versions::{self, Reevaluate};
use crate::stages::{self, Actor, Definition, text, track};
use crate::storage::Stores;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Tell in which stage somebody is, by which rule and events, with every row of the scores and the nearest miss.
    Explain {
        /// The person's e-mail address.
        email: String,
        /// As of when: `2026-11-01`, `2026-11-01T09:00:00Z` or `-30d`. Without it, now.
        #[arg(long, value_name = "T", allow_hyphen_values = true)]
        at: Option<String>,
        #[command(flatten)]
        style: Style,
    },
    /// Tell how somebody stood, or will stand if nothing happens any more.
    Simulate {
        /// The person's e-mail address.
        email: String,
        /// When: `2027-03-01`, `2027-03-01T09:00:00Z` or `+30d`.
        #[arg(long, value_name = "T", allow_hyphen_values = true)]
        at: String,
        #[command(flatten)]
        style: Style,
    },
    /// Ask a definition about the past: whom it would have qualified, and what became of them.
    Backtest {
        /// The definition to try.
        #[arg(long, value_name = "FILE")]
        model: PathBuf,
        /// How far back.
        #[arg(long, default_value = "180d")]
        since: String,
        /// The stage that is foretold with.
        #[arg(long, default_value = "mql")]
        stage: String,
        /// The stage that is foretold: it, or a later one, was reached.
        #[arg(long, default_value = "sal")]
        outcome: String,
        #[command(flatten)]
        style: Style,
    },
    /// For each rule, which share of the won has it, and which of the others.
    Lift {
        /// How far back.
        #[arg(long, default_value = "365d")]
        since: String,
        /// The stage that is a win.
        #[arg(long, default_value = "customer")]
        outcome: String,
        #[command(flatten)]
        style: Style,
    },
    /// Who would stand in another stage under another definition, and by which rule.
    Diff {
        /// One definition.
        old: PathBuf,
        /// The other.
        new: PathBuf,
        #[command(flatten)]
        style: Style,
    },
    /// Which definition runs, which waits, and who has approved it.
    Versions {
        #[command(flatten)]
        style: Style,
    },
    /// Approve the definition in lifecycle.yaml, by its very text.
    Approve {
        /// The account that approves.
        #[arg(long = "as", value_name = "EMAIL")]
        account: String,
    },
    /// Let the approved definition run from the next start on.
    Activate {
        /// About whom it is asked: `all` at once, or only who does something from now on.
        #[arg(long = "re-evaluate", value_name = "all|new-events-only")]
        reevaluate: Option<String>,
    },
    /// Put a customer into a state after the sale.
    State {
        /// The customer's e-mail address.
        email: String,
        /// The state, such as `churned`.
        #[arg(long)]
        to: String,
        /// Why; some states ask for one of their reasons.
        #[arg(long)]
        reason: Option<String>,
        /// The account that decides.
        #[arg(long = "as", value_name = "EMAIL")]
        account: String,
    },
}

/// How an answer is written.
#[derive(clap::Args)]
struct Style {
    /// How to write it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The language of the labels: en or es.
    #[arg(long, default_value = "en")]
    language: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl Style {
    fn tell<T: Serialize>(
        &self,
        answer: &T,
        text: impl FnOnce(Language, Paint) -> String,
    ) -> anyhow::Result<()> {
        match self.format {
            Format::Json => super::tell(&format!("{}\n", serde_json::to_string_pretty(answer)?)),
            Format::Text => {
                let is_on = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
                super::tell(&text(Language::parse(&self.language), Paint { is_on }));
            }
        }
        Ok(())
    }
}

/// Runs `embudo lifecycle …`.
pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    super::block_on(answer(&arguments.command, config))?;
    Ok(ExitCode::SUCCESS)
}

async fn answer(command: &Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::Explain { email, at, style } => {
            let desk = Desk::open(config).await?;
            let at = at.as_deref().map(|at| moment(at, desk.now)).transpose()?;
            let contact = desk.contact(email).await?;
            audit::saw(&desk.stores.db, audit::By::Cli, contact.id, desk.now).await?;
            let definition = desk.running().await?;
            let reads = &mut desk.stores.db.read();
            let told = match at {
                Some(at) => stages::explain_at(reads, &definition, contact.id, at).await?,
                None => stages::explain(reads, &definition, contact.id, desk.now).await?,
            };
            style.tell(&told, |language, paint| explain::text(&told, language, paint))
        }
        Command::Simulate { email, at, style } => {
            let desk = Desk::open(config).await?;
            let at = moment(at, desk.now)?;
            let contact = desk.contact(email).await?;
            if at < contact.created_at {
                bail!("{} is known since {} and not before", contact.email, contact.created_at);
            }
            audit::saw(&desk.stores.db, audit::By::Cli, contact.id, desk.now).await?;
            let definition = desk.running().await?;
            let told = trial::simulate(&desk.stores.db, &definition, contact.id, at, desk.now).await?;
            style.tell(&told, |language, paint| trials::simulation(&told, &definition, language, paint))
        }
        Command::Backtest { model, since, stage, outcome, style } => {
            let desk = Desk::open(config).await?;
            let (model, running) = (desk.read(model)?, desk.running().await?);
            let since = past(since, desk.now)?;
            let tester = Backtester::new(&model, &running, stage, outcome, (since, desk.now));
            let tester = tester
                .with_context(|| format!("the model has no stage `{stage}` or no stage `{outcome}`"))?;
            let told = Loaded::new(desk.ask(tester, since).await?.finish(), &desk.team()?);
            style.tell(&told, |language, paint| trials::backtest(&told, language, paint))
        }
        Command::Lift { since, outcome, style } => {
            let desk = Desk::open(config).await?;
            let since = past(since, desk.now)?;
            let lifter = Lifter::new(desk.running().await?, outcome, (since, desk.now));
            let lifter = lifter.with_context(|| format!("there is no stage `{outcome}`"))?;
            let told = desk.ask(lifter, since).await?.finish();
            style.tell(&told, |language, paint| trials::lift(&told, language, paint))
        }
        Command::Diff { old, new, style } => {
            let desk = Desk::open(config).await?;
            let differ = Differ::new(desk.read(old)?, desk.read(new)?, desk.now);
            let told = desk.ask(differ, desk.now).await?;
            style.tell(&told.changes, |_, paint| trials::diff(&told.changes, told.contacts, paint))
        }
        Command::Versions { style } => {
            let desk = Desk::open(config).await?;
            let told = trials::Versions::of(&mut desk.stores.db.read(), desk.file()?).await?;
            style.tell(&told, |_, paint| told.text(paint))
        }
        Command::Approve { account } => {
            let desk = Desk::open(config).await?;
            let (account, file) = (desk.account(account).await?, desk.file()?);
            let mut tx = desk.stores.db.begin().await?;
            let standing = versions::approve(&mut tx, &file, &account, desk.now).await?;
            tx.commit().await?;
            let hash = standing.hash.get(..8).unwrap_or_default();
            super::tell(&match standing.missing.as_slice() {
                [] => format!(
                    "version {} ({hash}) is approved. `embudo lifecycle activate --re-evaluate all|new-events-only` \
                     lets it run\n",
                    standing.version
                ),
                missing => {
                    format!("version {} ({hash}) still needs {}\n", standing.version, missing.join(" and "))
                }
            });
            Ok(())
        }
        Command::Activate { reevaluate } => {
            let Some(reevaluate) = reevaluate.as_deref().and_then(Reevaluate::of_word) else {
                bail!(
                    "say about whom the new version is asked: --re-evaluate all moves everybody it would move now \
                     (`embudo lifecycle diff OLD NEW` tells who), --re-evaluate new-events-only leaves everybody \
                     where they are until they do something"
                );
            };
            let desk = Desk::open(config).await?;
            let file = desk.file()?;
            let mut tx = desk.stores.db.begin().await?;
            let standing = versions::activate(&mut tx, &file, reevaluate, "cli", desk.now).await?;
            tx.commit().await?;
            super::tell(&format!("version {} runs within seconds on every server\n", standing.version));
            Ok(())
        }
        Command::State { email, to, reason, account } => {
            let desk = Desk::open(config).await?;
            let (contact, account) = (desk.contact(email).await?, desk.account(account).await?);
            let definition = desk.running().await?;
            let mut tx = desk.stores.db.begin().await?;
            let actor = Actor::Account(account.id);
            track::set(&mut tx, &definition, contact.id, to, reason.as_deref(), actor, desk.now).await?;
            tx.commit().await?;
            super::tell(&format!("{} is {to}\n", contact.email));
            Ok(())
        }
    }
}

/// What the commands work with.
struct Desk<'a> {
    config: &'a Config,
    stores: Stores,
    now: Timestamp,
}

impl<'a> Desk<'a> {
    async fn open(config: &'a Config) -> anyhow::Result<Self> {
        super::has_data(config)?;
        let stores = Stores::open(&config.storage).await?;
        Ok(Self { config, stores, now: super::clock(config).now() })
    }

    /// The definition in the file.
    fn file(&self) -> anyhow::Result<Definition> {
        let report = Report::new();
        let read = Definitions::read(&Sources::of(self.config, &report), &report);
        read.lifecycle.with_context(|| report.text())
    }

    /// The team in the file.
    fn team(&self) -> anyhow::Result<Team> {
        let report = Report::new();
        let read = Definitions::read(&Sources::of(self.config, &report), &report);
        read.team.with_context(|| report.text())
    }

    /// The definition that runs.
    async fn running(&self) -> anyhow::Result<Definition> {
        Ok(versions::choose(&mut self.stores.db.read(), self.file()?).await?.running)
    }

    /// A definition in any file.
    fn read(&self, path: &Path) -> anyhow::Result<Definition> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        // The titles lie beside the file; those of the settings stand in for them.
        let titles = text::names_titles(&text).and_then(|name| {
            let beside = std::fs::read_to_string(path.with_file_name(&name)).ok()?;
            Some(text::joined(&text, &name, &beside))
        });
        let text = match titles {
            Some(whole) => whole,
            None => self.file()?.complete(&text),
        };
        let report = Report::new();
        let tags = self.file()?.scoring.tags;
        Definition::parse(&path.display().to_string(), &text, &report)
            .map(|definition| definition.with_tags(tags))
            .with_context(|| format!("{} is wrong:\n{}", path.display(), report.text()))
    }

    async fn contact(&self, email: &str) -> anyhow::Result<Contact> {
        let address = Email::parse(email).with_context(|| format!("`{email}`"))?;
        let contact = contacts::find_by_email(&mut self.stores.db.read(), &address).await?;
        contact.with_context(|| format!("there is no contact with the address {address}"))
    }

    async fn account(&self, email: &str) -> anyhow::Result<accounts::Account> {
        let address = Email::parse(email).with_context(|| format!("`{email}`"))?;
        let account = accounts::find_by_email(&mut self.stores.db.read(), &address).await?;
        account.with_context(|| format!("there is no account with the address {address}"))
    }

    /// Asks everybody, and tells how far it is where somebody looks.
    async fn ask<Q: Question>(&self, question: Q, since: Timestamp) -> anyhow::Result<Q> {
        let is_watched = std::io::stderr().is_terminal();
        let progress = move |asked: i64, total: i64| {
            if is_watched {
                let end = if asked >= total { "\r\u{1b}[K" } else { "" };
                drop(write!(std::io::stderr(), "\r{asked} of {total} contacts{end}"));
            }
        };
        // What happened before the period has led to where everybody stood when it began.
        let from = since.plus_ms(-stages::MEMORY_MS);
        Ok(trial::ask(&self.stores.db, question, from, progress).await?)
    }
}

/// Reads `2026-11-01`, `2026-11-01T09:00:00Z`, `+30d` or `-30d`.
fn moment(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    trial::moment(text, now).with_context(|| {
        format!("`{text}` is no moment: write 2026-11-01, 2026-11-01T09:00:00Z, +30d or -30d")
    })
}

/// Reads how far back: `180d`, or a moment.
fn past(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    let back = crate::base::yaml::duration_ms(text).map(|ms| now.plus_ms(-ms));
    back.map_or_else(|| moment(text, now), Ok)
}

/// Colours, where somebody looks.
#[derive(Clone, Copy)]
struct Paint {
    is_on: bool,
}

impl Paint {
    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.is_on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
