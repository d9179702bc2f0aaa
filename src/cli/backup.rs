//! `embudo backup FOLDER`: what the data folder holds, while the server goes on.
//!
//! The order keeps what one file notes about another true: the journey notes up to which hit it has read, and the hits note
//! up to which group of the journal they hold. So the journey goes first, then the journal, the hits last.

use std::fs::{self, File};
use std::io::IsTerminal;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::config::Config;
use crate::storage::db;

/// What one file has after another, if it is there: databases are copied by SQLite, the others as they are.
const DATABASES: [&str; 2] = ["embudo.db", "hits.db"];
const JOURNAL: &str = "journal";
const FILES: [&str; 2] = ["secret", "clock"];
const MEBIBYTE: u64 = 1024 * 1024;

#[derive(clap::Args)]
pub struct Arguments {
    /// A folder that is not there yet, or is empty.
    folder: PathBuf,
}

/// Runs `embudo backup`.
pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    super::has_data(config)?;
    let (data, to) = (&config.storage.data, std::path::absolute(&arguments.folder)?);
    let is_free = fs::read_dir(&to).map_or(true, |mut inside| inside.next().is_none()) && !to.is_file();
    anyhow::ensure!(is_free, "{} is not empty: name another folder", to.display());
    let started = Instant::now();
    // Under its own name stands only what is whole.
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = to.with_file_name(name);
    if partial.exists() {
        fs::remove_dir_all(&partial).with_context(|| partial.display().to_string())?;
    }
    // It holds people and the secret.
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&partial)
        .with_context(|| partial.display().to_string())?;

    let is_alone = config.storage.postgres.is_empty();
    let [journey, hits] = DATABASES;
    if is_alone {
        database(data, &partial, journey)?;
    }
    folder(data, &partial, JOURNAL)?;
    if is_alone {
        database(data, &partial, hits)?;
    }
    for name in FILES {
        file(&data.join(name), &partial.join(name))?;
    }
    File::open(&partial)?.sync_all()?;
    if to.exists() {
        fs::remove_dir(&to)?;
    }
    fs::rename(&partial, &to).with_context(|| to.display().to_string())?;
    super::tell(&format!("{} is whole, after {:.1} s\n", to.display(), started.elapsed().as_secs_f64()));
    if !is_alone {
        super::tell("People and rows are in PostgreSQL: run pg_dump now, after this.\n");
    }
    Ok(ExitCode::SUCCESS)
}

/// A database, with a word about how far it has got for whoever watches.
fn database(data: &Path, to: &Path, name: &str) -> anyhow::Result<()> {
    let (from, to) = (data.join(name), to.join(name));
    let all = fs::metadata(&from).with_context(|| from.display().to_string())?.len();
    let is_watched = std::io::stderr().is_terminal();
    std::thread::scope(|scope| {
        let work = scope.spawn(|| db::copy(&from, &to));
        while is_watched && !work.is_finished() {
            let there = fs::metadata(&to).map_or(0, |found| found.len());
            eprint!("\r{name}: {} of {} MiB ", there / MEBIBYTE, all / MEBIBYTE);
            std::thread::sleep(Duration::from_millis(100));
        }
        work.join().map_err(|_| anyhow::anyhow!("{name} could not be copied"))?.map_err(anyhow::Error::from)
    })?;
    if is_watched {
        eprintln!("\r{name}: done                    ");
    }
    synced(&to)
}

/// A folder of files, which may come and go meanwhile.
fn folder(data: &Path, to: &Path, name: &str) -> anyhow::Result<()> {
    let (from, to) = (data.join(name), to.join(name));
    let Ok(inside) = fs::read_dir(&from) else { return Ok(()) };
    fs::create_dir(&to)?;
    for entry in inside {
        let name = entry?.file_name();
        file(&from.join(&name), &to.join(&name))?;
    }
    File::open(&to)?.sync_all().map_err(Into::into)
}

fn file(from: &Path, to: &Path) -> anyhow::Result<()> {
    match fs::copy(from, to) {
        Ok(_) => synced(to),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| from.display().to_string()),
    }
}

fn synced(path: &Path) -> anyhow::Result<()> {
    File::open(path)?.sync_all().with_context(|| path.display().to_string())
}
