//! `embudo mail`: look at mails, and take what comes back of them.

use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::app::{self, Definitions, Sources};
use crate::base::diagnostic::Report;
use crate::base::email::Email;
use crate::base::language::Language;
use crate::config::Config;
use crate::notify::dkim::{Dkim, Kind, Record, newborn};
use crate::notify::feedback;
use crate::notify::preview::preview;
use crate::render::Templates;
use crate::storage::Stores;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show a mail filled with its example; without a name, list all.
    Preview {
        /// The mail's name.
        name: Option<String>,
        /// `en` or `es`.
        #[arg(long, default_value = "en")]
        lang: String,
        /// Write the HTML to a file and open it in the browser.
        #[arg(long)]
        open: bool,
        /// Write the HTML to this file.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Take a message that came to the return path, from standard input: a bounce, a complaint, an answer.
    Bounce,
    /// Print the DNS records by which receivers verify the signatures of mails; make a key.
    Dkim {
        /// Make a key, write it to this file, and print its record.
        #[arg(long, value_name = "FILE")]
        new: Option<PathBuf>,
        /// `rsa` or `ed25519`.
        #[arg(long, default_value = "rsa", requires = "new")]
        kind: String,
    },
}

/// Runs `embudo mail …`.
pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::Preview { name, lang, open, out } => {
            show(config, name.as_deref(), lang, *open, out.as_deref())
        }
        Command::Bounce => bounce(config),
        Command::Dkim { new, kind } => dkim(config, new.as_deref(), kind),
    }
}

/// The records of the keys that are set, or of a new one.
fn dkim(config: &Config, new: Option<&Path>, kind: &str) -> anyhow::Result<ExitCode> {
    let from = Email::parse(&config.mail.from).context("mail.from is not an e-mail address")?;
    let settings = &config.mail.dkim;
    let Some(file) = new else {
        let dkim = Dkim::open(settings, &from, &config.folder).map_err(anyhow::Error::msg)?;
        let dkim = dkim.context("no key is set in [mail.dkim]; `embudo mail dkim --new FILE` makes one")?;
        for record in dkim.records() {
            tell_record(&record);
        }
        return Ok(ExitCode::SUCCESS);
    };
    let kind = Kind::of_word(kind).context("--kind is rsa or ed25519")?;
    let selector = match kind {
        Kind::Rsa => &settings.rsa_selector,
        Kind::Ed25519 => &settings.ed25519_selector,
    };
    let domain = if settings.domain.is_empty() { from.domain() } else { &settings.domain };
    let key = newborn::make(kind).map_err(anyhow::Error::msg)?;
    let record = newborn::record_of(kind, &key, selector, domain).map_err(anyhow::Error::msg)?;
    // A key that mails are signed with already is not written over.
    let mut options = std::fs::OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(file);
    let mut made = made.with_context(|| format!("{} cannot be made", file.display()))?;
    made.write_all(key.expose().as_bytes())?;
    made.sync_all()?;
    let word = kind.word();
    super::tell(&format!(
        "{} holds the key. Publish this record first, then set:\n\n[mail.dkim]\n{word}_key = \"{}\"\n\n",
        file.display(),
        file.canonicalize().unwrap_or_else(|_| file.to_path_buf()).display()
    ));
    tell_record(&record);
    Ok(ExitCode::SUCCESS)
}

fn tell_record(record: &Record) {
    let Record { name, value } = record;
    super::tell(&format!(
        "name   {name}\ntype   TXT\nvalue  {value}\n\nin a zone file:\n{}\n\n",
        record.in_zone_file()
    ));
}

fn show(
    config: &Config,
    name: Option<&str>,
    language: &str,
    is_to_open: bool,
    out: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    let report = Report::new();
    let read = Definitions::read(&Sources::of(config, &report), &report);
    let (Some(wording), Some(topics)) = (read.wording, read.topics) else { bail!("{}", report.text()) };
    let Some(name) = name else {
        for (name, is_own) in wording.names() {
            super::tell(&format!("{name}{}\n", if is_own { "" } else { "  (yours)" }));
        }
        return Ok(ExitCode::SUCCESS);
    };
    let language = Language::of_tag(language).context("--lang is en or es")?;
    let templates = Templates::embedded()?;
    let postal = topics.sending.postal.get(language);
    let shown = preview(&templates, &wording, postal, name, language)?.with_context(|| {
        let near = crate::base::diagnostic::nearest(name, wording.names().map(|(name, _)| name));
        let meant = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        format!("there is no mail `{name}`{meant}")
    })?;
    let file = match (out, is_to_open) {
        (Some(out), _) => Some(out.to_path_buf()),
        (None, true) => Some(std::env::temp_dir().join(format!("embudo-{name}-{}.html", language.code()))),
        (None, false) => None,
    };
    let Some(file) = file else {
        super::tell(&format!("Subject: {}\n\n{}", shown.subject, shown.text));
        return Ok(ExitCode::SUCCESS);
    };
    std::fs::write(&file, &shown.html).with_context(|| format!("{} cannot be written", file.display()))?;
    super::tell(&format!("{}\n", file.display()));
    if is_to_open {
        let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        std::process::Command::new(opener)
            .arg(&file)
            .spawn()
            .with_context(|| format!("{opener} cannot be run"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A mail server takes a failure as a reason to send the sender an error; what is of no use is no failure.
fn bounce(config: &Config) -> anyhow::Result<ExitCode> {
    super::has_data(config)?;
    let mut message = Vec::new();
    std::io::stdin().lock().read_to_end(&mut message).context("standard input")?;
    let heard = super::block_on(async {
        let stores = Stores::open(&config.storage).await?;
        let keys = app::keys_of(config)?;
        Ok(feedback::take_message(&stores.db, &keys, &message, super::clock(config).now()).await?)
    })?;
    super::tell(&format!("{}\n", serde_json::to_value(heard)?.as_str().unwrap_or_default()));
    Ok(ExitCode::SUCCESS)
}
