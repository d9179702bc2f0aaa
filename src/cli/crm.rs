//! `embudo crm`: try a CRM, and see what it would be told.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};

use crate::app::{Definitions, Sources};
use crate::base::diagnostic::{Report, nearest};
use crate::base::email::Email;
use crate::base::ids::new_key;
use crate::bookings;
use crate::config::Config;
use crate::contacts;
use crate::crm::{self, Connection, Connections, Request, What, Work, World};
use crate::jobs::queue;
use crate::notify::Outbound;
use crate::render::Templates;
use crate::storage::Stores;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Ask a CRM of crm.yaml who we are there; nothing is changed.
    Test {
        /// The connection's name.
        name: String,
    },
    /// Send a contact and her latest call again, or print what would be sent.
    Send {
        /// The contact's address.
        email: String,
        /// Print the requests and send nothing.
        #[arg(long)]
        dry_run: bool,
        /// Only to this connection.
        #[arg(long, value_name = "NAME")]
        to: Option<String>,
        /// `text` or `json`, of a dry run.
        #[arg(long, default_value = "text")]
        format: Format,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Runs `embudo crm …`.
pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let text = match &arguments.command {
        Command::Test { name } => test(config, name)?,
        Command::Send { email, dry_run, to, format } => {
            super::has_data(config)?;
            super::block_on(send(config, email, *dry_run, to.as_deref(), *format))?
        }
    };
    super::tell(&text);
    Ok(ExitCode::SUCCESS)
}

fn find<'a>(connections: &'a Connections, name: &str) -> anyhow::Result<&'a Connection> {
    connections.find(name).with_context(|| {
        let near = nearest(name, connections.all.iter().map(|connection| connection.name.as_str()));
        let meant = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        format!("crm.yaml has no connection `{name}`{meant}")
    })
}

fn test(config: &Config, name: &str) -> anyhow::Result<String> {
    let report = Report::new();
    let read = Definitions::read(&Sources::of(config, &report), &report);
    let connections = read.crm.with_context(|| report.text())?;
    let connection = find(&connections, name)?;
    let outbound = Outbound::new(&config.outbound.allow).map_err(anyhow::Error::msg)?;
    super::block_on(async { Ok(crm::test(&outbound, connection).await) })?
        .with_context(|| format!("`{name}` ({})", connection.host()))?;
    Ok(format!("{} at {} knows us\n", connection.kind(), connection.host()))
}

async fn send(
    config: &Config,
    email: &str,
    is_dry: bool,
    to: Option<&str>,
    format: Format,
) -> anyhow::Result<String> {
    let address = Email::parse(email).with_context(|| format!("`{email}`"))?;
    let report = Report::new();
    let read = Definitions::read(&Sources::of(config, &report), &report);
    let (Some(connections), Some(team), Some(lifecycle)) = (read.crm, read.team, read.lifecycle) else {
        bail!("{}", report.text());
    };
    let wanted: Vec<&Connection> = match to {
        Some(name) => vec![find(&connections, name)?],
        None => connections.all.iter().collect(),
    };
    ensure!(!wanted.is_empty(), "crm.yaml has no connections");
    let stores = Stores::open(&config.storage).await?;
    let mut q = stores.db.read();
    let contact = contacts::find_by_email(&mut q, &address).await?;
    let contact = contact.with_context(|| format!("there is no contact with the address {address}"))?;
    if is_dry {
        let templates = Templates::embedded()?;
        let public_url = &config.server.public_url;
        let world = World { templates: &templates, team: &team, lifecycle: &lifecycle, public_url };
        let mut all = Vec::new();
        for connection in wanted {
            all.push((connection, crm::preview(&mut q, &world, connection, contact.id).await?));
        }
        return told(&all, format);
    }
    let now = super::clock(config).now();
    let latest = bookings::of_contact(&mut q, contact.id).await?.into_iter().next();
    let what = match &latest {
        Some(booking) => What::Call { booking: booking.id, contact: contact.id },
        None => What::Person { contact: contact.id },
    };
    let mut tx = stores.db.begin().await?;
    for connection in &wanted {
        let work = serde_json::to_value(Work::new(&connection.name, what.clone()))?;
        let key = format!("cli:{}:crm:{}", new_key(), connection.name);
        queue::enqueue(&mut tx, crm::JOB, &key, &work, now, now).await?;
    }
    tx.commit().await?;
    let names = names(&wanted);
    Ok(format!("{names} will be told; the console under CRM and `embudo outbox list` tell how it goes\n"))
}

fn names(connections: &[&Connection]) -> String {
    connections.iter().map(|connection| connection.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn told(all: &[(&Connection, Vec<Request>)], format: Format) -> anyhow::Result<String> {
    if let Format::Json = format {
        let all: Vec<_> = all
            .iter()
            .map(|(connection, requests)| serde_json::json!({ "crm": connection.name, "requests": requests }))
            .collect();
        return Ok(format!("{}\n", serde_json::to_string_pretty(&all)?));
    }
    let mut text = String::new();
    for (connection, requests) in all {
        writeln!(text, "{} ({} at {})", connection.name, connection.kind(), connection.host())?;
        if requests.is_empty() {
            writeln!(text, "  nothing: she has not agreed to be sent")?;
        }
        for request in requests {
            match &request.there {
                Some(id) => writeln!(text, "  {} {id}, changed where something is new:", request.thing)?,
                None => writeln!(
                    text,
                    "  {}, looked for and then made: {} {}",
                    request.thing, request.method, request.path
                )?,
            }
            let body = serde_json::to_string_pretty(&request.body)?;
            for line in body.lines() {
                writeln!(text, "    {line}")?;
            }
        }
    }
    Ok(text)
}
