//! The commands: one file each, one line here.

mod backup;
mod campaign;
mod check;
mod contact;
mod crm;
mod demo;
mod doctor;
mod flow;
mod forms;
mod key;
mod lifecycle;
mod mail;
mod notify;
mod nurture;
mod offer;
mod outbox;
mod recheck_zones;
mod retention;
mod segment;
mod serve;
mod store;
mod user;
mod webinar;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::base::time::Clock;
use crate::config::Config;

#[derive(Parser)]
#[command(name = "embudo", version, about = "Turns website visitors into booked sales calls.")]
struct Arguments {
    /// The settings; every key also as EMBUDO__SECTION__KEY.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the whole product with a sample company, in one folder and without any service.
    Demo(demo::Arguments),
    /// Serve all doors, and do the work that waits.
    Serve(serve::Arguments),
    /// Check every file that people write: lifecycle, forms, webinars, team, topics, letters, flows.
    Check(check::Arguments),
    /// Merge, export and erase people.
    Contact(contact::Arguments),
    /// Try a CRM, and see what it would be told.
    Crm(crm::Arguments),
    /// What stands in the way of mails, and what to do.
    Doctor(doctor::Arguments),
    /// Test a flow, talk to it, draw it.
    Flow(flow::Arguments),
    /// Look at submissions that seem odd.
    Forms(forms::Arguments),
    /// Keys for programs.
    Key(key::Arguments),
    /// Explain the lifecycle.
    Lifecycle(lifecycle::Arguments),
    /// Who belongs to which segment.
    Segment(segment::Arguments),
    /// What is offered, and codes that are used.
    Offer(offer::Arguments),
    /// Copy what the data folder holds, while the server goes on.
    Backup(backup::Arguments),
    /// What campaigns cost.
    Campaign(campaign::Arguments),
    /// Look at mails, and take what comes back of them.
    Mail(mail::Arguments),
    /// Try the chats and programs that are written to.
    Notify(notify::Arguments),
    /// What waits to be sent, and what was given up.
    Outbox(outbox::Arguments),
    /// Tell who would get which letter and when.
    Nurture(nurture::Arguments),
    /// Take attendance, call a webinar off.
    Webinar(webinar::Arguments),
    /// Tell which calls are at another local time than was told, since a newer edition of the zones.
    RecheckZones(recheck_zones::Arguments),
    /// Delete what is older than the settings keep it: hits and visits, chats, mails, people.
    Retention(retention::Arguments),
    /// Make what is worked out from hits again.
    Store(store::Arguments),
    /// Who may enter the console.
    User(user::Arguments),
}

/// Runs the command that the program's arguments name.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Command::Demo(own) => demo::run(&own, arguments.config),
        Command::Serve(own) => settings(arguments.config).and_then(|config| serve::run(&own, config)),
        Command::Check(own) => check::run(&own, arguments.config.as_deref()),
        Command::Contact(own) => settings(arguments.config).and_then(|config| contact::run(&own, &config)),
        Command::Crm(own) => settings(arguments.config).and_then(|config| crm::run(&own, &config)),
        Command::Doctor(own) => settings(arguments.config).and_then(|config| doctor::run(&own, &config)),
        Command::Flow(own) => settings(arguments.config).and_then(|config| flow::run(&own, &config)),
        Command::Forms(own) => settings(arguments.config).and_then(|config| forms::run(&own, &config)),
        Command::Key(own) => settings(arguments.config).and_then(|config| key::run(own, &config)),
        Command::Lifecycle(own) => {
            settings(arguments.config).and_then(|config| lifecycle::run(&own, &config))
        }
        Command::Segment(own) => settings(arguments.config).and_then(|config| segment::run(&own, &config)),
        Command::Offer(own) => settings(arguments.config).and_then(|config| offer::run(&own, &config)),
        Command::Backup(own) => settings(arguments.config).and_then(|config| backup::run(&own, &config)),
        Command::Campaign(own) => settings(arguments.config).and_then(|config| campaign::run(&own, &config)),
        Command::Mail(own) => settings(arguments.config).and_then(|config| mail::run(&own, &config)),
        Command::Notify(own) => settings(arguments.config).and_then(|config| notify::run(&own, &config)),
        Command::Outbox(own) => settings(arguments.config).and_then(|config| outbox::run(&own, &config)),
        Command::Nurture(own) => settings(arguments.config).and_then(|config| nurture::run(&own, &config)),
        Command::Webinar(own) => settings(arguments.config).and_then(|config| webinar::run(&own, &config)),
        Command::RecheckZones(own) => {
            settings(arguments.config).and_then(|config| recheck_zones::run(&own, &config))
        }
        Command::Retention(own) => {
            settings(arguments.config).and_then(|config| retention::run(&own, &config))
        }
        Command::Store(own) => settings(arguments.config).and_then(|config| store::run(&own, &config)),
        Command::User(own) => settings(arguments.config).and_then(|config| user::run(own, config)),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn settings(file: Option<PathBuf>) -> anyhow::Result<Config> {
    Ok(Config::load(file.as_deref(), std::env::vars())?)
}

/// The clock that the server on this data uses: the system's, moved by the demo's time machine.
fn clock(config: &Config) -> Clock {
    let clock = Clock::system();
    let kept = std::fs::read_to_string(config.storage.data.join("clock")).ok();
    clock.advance(kept.and_then(|text| text.trim().parse().ok()).unwrap_or(0));
    clock
}

/// Writes to standard output. Whoever has closed it (`| head`) has read enough.
fn tell(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

/// Refuses to make an empty store where somebody wants to read one.
fn has_data(config: &Config) -> anyhow::Result<()> {
    let data = &config.storage.data;
    let is_there = !config.storage.postgres.is_empty() || data.join("embudo.db").exists();
    anyhow::ensure!(
        is_there,
        "{} holds no data. Name the server's settings, for example --config embudo-demo/config/embudo.toml",
        data.display()
    );
    Ok(())
}

/// Runs a command that waits for things.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}
