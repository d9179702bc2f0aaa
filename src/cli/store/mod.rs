//! `embudo store`: what is kept, and what is worked out from it.

mod copy;
mod rebuild;

use std::process::ExitCode;

use crate::config::Config;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Move what one machine keeps in its files to PostgreSQL: the first step towards several nodes.
    Copy(copy::Arguments),
    /// Make visits and counts again from the rows of hits, for instance after a site's time zone was changed.
    Rebuild,
}

/// Runs `embudo store …`.
pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::Copy(arguments) => copy::run(arguments, config),
        Command::Rebuild => rebuild::run(config),
    }
}
