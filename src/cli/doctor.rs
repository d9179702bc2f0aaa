//! `embudo doctor`: what stands in the way, and what to do.

use std::process::ExitCode;

use anyhow::Context;

use crate::base::email::Email;
use crate::config::Config;
use crate::notify::doctor::{self, Finding, State};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Look at the mail server and at what the DNS says of the sender; exits 1 if something is wrong.
    Email {
        /// Send a mail to this address, too.
        #[arg(long, value_name = "ADDRESS")]
        to: Option<String>,
    },
}

/// Runs `embudo doctor …`.
pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let Command::Email { to } = &arguments.command;
    let to = to.as_deref().map(Email::parse).transpose().context("--to is not an e-mail address")?;
    let now = super::clock(config).now();
    let found = super::block_on(async {
        let mut found = doctor::examine(config).await.map_err(anyhow::Error::msg)?;
        if let Some(to) = &to {
            found.push(doctor::try_out(config, to, now).await);
        }
        Ok(found)
    })?;
    for finding in &found {
        super::tell(&told(finding));
    }
    let count = |state: State| found.iter().filter(|finding| finding.state == state).count();
    let (wrong, weak, unasked) = (count(State::Wrong), count(State::Weak), count(State::Unasked));
    super::tell(&format!("\n{wrong} wrong, {weak} weak, {unasked} unknown, {} looked at\n", found.len()));
    Ok(if wrong > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A finding in lines, with what to do below it.
fn told(finding: &Finding) -> String {
    let mut text = format!("{:<8} {:<8} {}\n", finding.state.word(), finding.what, finding.line);
    if let Some(advice) = &finding.advice {
        text.push_str(&format!("{:18}{advice}\n", ""));
    }
    if let Some(record) = &finding.record {
        text.push_str(&format!("{:18}{}\n", "", record.in_zone_file()));
    }
    text
}
