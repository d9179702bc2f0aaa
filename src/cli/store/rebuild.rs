//! `embudo store rebuild`: visits and counts made again from the rows of hits.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use crate::cli;
use crate::config::Config;
use crate::hits::Words;
use crate::ingest;
use crate::sites::Sites;
use crate::storage::Stores;

pub fn run(config: &Config) -> anyhow::Result<ExitCode> {
    cli::has_data(config)?;
    // With files the server keeps visits that go on in its memory; on a shared database they can be made beside it.
    let is_alone = config.storage.postgres.is_empty();
    let _claim = is_alone
        .then(|| {
            cli::serve::claim(&config.storage.data, "the server on it has to be stopped first: --config FILE")
        })
        .transpose()?;
    cli::block_on(rebuild(config))
}

async fn rebuild(config: &Config) -> anyhow::Result<ExitCode> {
    let (stores, words, sites) =
        (Stores::open(&config.storage).await?, Words::default(), Sites::new(&config.sites));
    while ingest::drain(&stores, &words).await? > 0 {}
    let started = std::time::Instant::now();
    ingest::start_over(&stores.hits, &words, &sites).await?;
    let is_watched = std::io::stderr().is_terminal();
    let mut rows = 0;
    loop {
        let counted = ingest::count(&stores.hits, &words, &sites).await?;
        if counted == 0 {
            break;
        }
        rows += counted;
        if is_watched {
            let (at, last) = ingest::progress(&stores).await?;
            let percent = at.saturating_mul(100) / last.max(1);
            eprint!("\r{percent:3} %  {rows} rows");
            std::io::stderr().flush()?;
        }
    }
    if is_watched {
        eprintln!("\r      ");
    }
    cli::tell(&format!("counted again from the rows, in {:.1} s\n", started.elapsed().as_secs_f64()));
    Ok(ExitCode::SUCCESS)
}
