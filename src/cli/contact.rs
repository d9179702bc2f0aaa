//! `embudo contact`: merge, undo, export and erase people.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use serde_json::{Value as Json, json};

use crate::app::{App, Definitions, Sources, in_use, secret_of};
use crate::base::diagnostic::Report;
use crate::base::email::Email;
use crate::base::ids::ContactId;
use crate::base::signing::Keys;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::contacts::merge::{self, Outcome, Preview};
use crate::contacts::{self};
use crate::privacy::audit::{self, Act, By};
use crate::privacy::notice::InUse;
use crate::privacy::{self, Erased, Notice};
use crate::stages::{self, Actor, Definition, told};
use crate::storage::Stores;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Let one contact speak for another, because they are one person.
    Merge {
        /// The address of the contact that stays.
        survivor: String,
        /// The address of the contact that is merged into it.
        merged: String,
        /// Say what would become of each fact, and change nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Undo a merge: both are as they were.
    Unmerge {
        /// The address of the contact that was merged into another.
        email: String,
    },
    /// Write everything that is known about a person into a folder: JSON, CSV, chats, consents, the score explained.
    Export {
        /// The person's address.
        email: String,
        /// The folder; made if it is not there.
        #[arg(long, value_name = "DIR", default_value = ".")]
        to: PathBuf,
    },
    /// Take a list of what contacts did elsewhere: purchases, complaints, new interests, follows on a network.
    Events {
        /// CSV with a headline: `email,kind` and perhaps `at,subject,id`. The same list again changes nothing.
        file: PathBuf,
    },
    /// Forget a person, and tell what was forgotten and what cannot be.
    Erase {
        /// The person's address.
        email: String,
        /// Say what would be forgotten, and change nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

/// What the commands work with.
struct Desk {
    stores: Stores,
    lifecycle: Definition,
    notice: Notice,
    in_use: Vec<InUse>,
    now: Timestamp,
}

impl Desk {
    async fn open(config: &Config) -> anyhow::Result<Self> {
        let report = Report::new();
        let read = Definitions::read(&Sources::of(config, &report), &report);
        let (Some(lifecycle), Some(notice), Some(crm), Some(rules)) =
            (read.lifecycle, read.notice, read.crm, read.rules)
        else {
            bail!("{}", report.text())
        };
        let in_use = in_use(config, &crm, &rules);
        super::has_data(config)?;
        let stores = Stores::open(&config.storage).await?;
        Ok(Self { stores, lifecycle, notice, in_use, now: super::clock(config).now() })
    }

    async fn find(&self, email: &str) -> anyhow::Result<ContactId> {
        let address = Email::parse(email).with_context(|| format!("`{email}`"))?;
        let found = contacts::find_by_email(&mut self.stores.db.read(), &address).await?;
        Ok(found.with_context(|| format!("there is no contact with the address {address}"))?.id)
    }
}

/// Runs `embudo contact …`.
pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let text = super::block_on(async {
        let desk = Desk::open(config).await?;
        match &arguments.command {
            Command::Merge { survivor, merged, dry_run } => merge(&desk, survivor, merged, *dry_run).await,
            Command::Unmerge { email } => unmerge(&desk, email).await,
            Command::Events { file } => events(&desk, file).await,
            Command::Export { email, to } => export(&desk, config, email, to).await,
            Command::Erase { email, dry_run } => erase(&desk, config, email, *dry_run).await,
        }
    })?;
    super::tell(&text);
    Ok(ExitCode::SUCCESS)
}

async fn events(desk: &Desk, file: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let (lines, unusable) = told::read_list(&bytes)?;
    let done = told::import(&desk.stores.db, &desk.lifecycle, &lines, unusable, desk.now).await?;
    let mut text =
        format!("{} taken, {} known already, {} unusable\n", done.added, done.known, done.unusable.len());
    for one in &done.unusable {
        writeln!(text, "  line {}: {}", one.line, one.reason)?;
    }
    Ok(text)
}

async fn merge(desk: &Desk, survivor: &str, merged: &str, is_dry: bool) -> anyhow::Result<String> {
    let (survivor, merged) = (desk.find(survivor).await?, desk.find(merged).await?);
    let preview = if is_dry {
        merge::preview(&mut desk.stores.db.read(), survivor, merged).await?
    } else {
        let mut tx = desk.stores.db.begin().await?;
        let done =
            stages::merge::merge(&mut tx, &desk.lifecycle, survivor, merged, Actor::Api, desk.now).await?;
        let details = json!({ "merged": merged });
        audit::note(&mut tx, By::Cli, Act::Merged, survivor, details, desk.now).await?;
        tx.commit().await?;
        done
    };
    Ok(merge_told(&preview, is_dry))
}

fn merge_told(preview: &Preview, is_dry: bool) -> String {
    let verb = if is_dry { "would be merged" } else { "is merged" };
    let mut text = format!("{} {verb} into {}\n", preview.merged.email, preview.survivor.email);
    for side in &preview.fields {
        let Some(theirs) = &side.merged else { continue };
        let what = match side.outcome {
            Outcome::Keep => continue,
            Outcome::Take => "taken over",
            Outcome::Suggest => "waits as a suggestion",
        };
        let ours = side.survivor.as_ref().map_or("nothing", |field| field.value.as_str());
        let _ = writeln!(text, "  {}: {} ({what}; there was {ours})", side.name, theirs.value);
    }
    for (what, count) in &preview.weight {
        let _ = writeln!(text, "  {count} {what}");
    }
    text
}

async fn unmerge(desk: &Desk, email: &str) -> anyhow::Result<String> {
    let address = Email::parse(email).with_context(|| format!("`{email}`"))?;
    let merged = merge::merged_with_address(&mut desk.stores.db.read(), &address).await?;
    let merged = merged.with_context(|| format!("no contact with the address {address} was merged"))?;
    let mut tx = desk.stores.db.begin().await?;
    let undone = stages::merge::unmerge(&mut tx, &desk.lifecycle, merged, Actor::Api, desk.now).await?;
    let details = json!({ "merged": merged });
    audit::note(&mut tx, By::Cli, Act::Unmerged, undone.survivor, details, desk.now).await?;
    tx.commit().await?;
    Ok(format!("{address} stands on its own again\n"))
}

async fn export(desk: &Desk, config: &Config, email: &str, to: &Path) -> anyhow::Result<String> {
    let contact = desk.find(email).await?;
    let mut tx = desk.stores.db.begin().await?;
    let (bot, later) = (&config.company.bot_name, App::later_tables());
    let notice = |language| desk.notice.told(&desk.in_use, language);
    let export = privacy::export(&mut tx, &desk.lifecycle, bot, &later, &notice, contact, desk.now).await?;
    let folder = to.join(contact.to_string());
    for (name, text) in &export.files {
        let file = folder.join(name);
        let parent = file.parent().unwrap_or(&folder);
        std::fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        write_private(&file, text).with_context(|| file.display().to_string())?;
    }
    audit::note(&mut tx, By::Cli, Act::Exported, contact, Json::Null, desk.now).await?;
    tx.commit().await?;
    Ok(format!("{} files in {}\n", export.files.len(), folder.display()))
}

/// Writes a file that nobody but its owner reads, also where there was one that others could.
fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let mut options = std::fs::OpenOptions::new();
    let mut opened = options.write(true).create(true).truncate(true).mode(0o600).open(file)?;
    opened.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    opened.write_all(text.as_bytes())
}

async fn erase(desk: &Desk, config: &Config, email: &str, is_dry: bool) -> anyhow::Result<String> {
    let contact = desk.find(email).await?;
    let (keys, later) = (Keys::new(&secret_of(config)?), App::later_tables());
    let erased = privacy::erase(&desk.stores, &keys, &later, contact, By::Cli, is_dry, desk.now).await?;
    Ok(erased_told(&erased))
}

fn erased_told(erased: &Erased) -> String {
    let verb = if erased.is_dry { "would be erased" } else { "erased" };
    let mut text = format!("{} {verb}\n", erased.contact);
    for (table, rows) in &erased.rows {
        let _ = writeln!(text, "  {table}: {rows}");
    }
    let _ = writeln!(text, "  calls ahead, called off: {}", erased.calls_cancelled);
    let _ = writeln!(text, "  hits and visits that lead to nobody: {} and {}", erased.hits, erased.visits);
    if !erased.refusals_kept.is_empty() {
        let _ = writeln!(text, "kept as a keyed digest of the address: {}", erased.refusals_kept.join(", "));
    }
    for one in &erased.crm {
        let _ =
            writeln!(text, "still in the CRM `{}`, to be deleted there: {} {}", one.crm, one.kind, one.id);
    }
    text.push_str(
        "not erased from here: backups that were made before; visits and hits that are under way at this moment;\n\
         mails and messages that were sent already, and what other programs were told\n",
    );
    text
}
