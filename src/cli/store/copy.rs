//! `embudo store copy --to FILE`: what one machine keeps in its files, put into the PostgreSQL of other settings.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, ensure};

use crate::app;
use crate::cli;
use crate::config::Config;
use crate::hits::Words;
use crate::ingest;
use crate::storage::db::{self, Db};
use crate::storage::{Stores, db::Carried};

#[derive(clap::Args)]
pub struct Arguments {
    /// The settings of the nodes to come. Their `storage.postgres` has to be empty, their `server.secret` that of this
    /// machine.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    ensure!(
        config.storage.postgres.is_empty(),
        "these settings keep nothing in files: storage.postgres is set"
    );
    cli::has_data(config)?;
    let to = Config::load(Some(&arguments.to), std::env::vars())?;
    let name = arguments.to.display();
    ensure!(!to.storage.postgres.is_empty(), "{name} names no storage.postgres to copy to");
    // Links in mails, logins and what is kept encrypted are bound to it.
    ensure!(
        app::secret_of(config)?.expose() == app::secret_of(&to)?.expose(),
        "server.secret of {name} is another one: links in people's mails would no longer open, and what is kept \
         encrypted could not be read. Set it to the text of {}",
        config.storage.data.join("secret").display()
    );
    let _claim =
        cli::serve::claim(&config.storage.data, "the server on it has to be stopped first: --config FILE")?;
    let (started, data) = (Instant::now(), config.storage.data.clone());
    let carried = cli::block_on(copy(config, to.storage.postgres.expose()))?;
    tell(&carried, &data, &name.to_string(), started);
    Ok(ExitCode::SUCCESS)
}

async fn copy(config: &Config, url: &str) -> anyhow::Result<Vec<Carried>> {
    // Hits that are durable in the journal alone become rows first; the journal itself stays with this machine.
    let stores = Stores::open(&config.storage).await?;
    while ingest::drain(&stores, &Words::default()).await? > 0 {}
    drop(stores);
    for tables in [db::JOURNEY, db::HITS] {
        Db::open_postgres(url, 1, tables).await.context("storage.postgres")?;
    }
    let files = ["embudo.db", "hits.db"].map(|name| config.storage.data.join(name));
    let is_watched = std::io::stderr().is_terminal();
    let carried = db::carry(&files, url, |table, rows| {
        if is_watched {
            eprint!("\r\x1b[K{table}: {rows} rows");
            // Only the display.
            let _ = std::io::stderr().flush();
        }
    })
    .await;
    if is_watched {
        eprint!("\r\x1b[K");
    }
    Ok(carried?)
}

fn tell(carried: &[Carried], data: &Path, settings: &str, started: Instant) {
    let rows: u64 = carried.iter().map(|table| table.rows).sum();
    let mut largest: Vec<&Carried> = carried.iter().filter(|table| table.rows > 0).collect();
    largest.sort_by_key(|table| std::cmp::Reverse(table.rows));
    for table in largest.iter().take(10) {
        cli::tell(&format!("{:>12}  {}\n", table.rows, table.table));
    }
    cli::tell(&format!(
        "{:>12}  rows of {} tables, each counted on both sides, in {:.1} s\n\
         Start the nodes with --config {settings}. Keep {} until they have run for a while.\n",
        rows,
        carried.len(),
        started.elapsed().as_secs_f64(),
        data.display()
    ));
}
