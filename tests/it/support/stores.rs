//! Stores of its own for every test, on the servers that `scripts/test` starts.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::Path;

use embudo::base::ids::new_key;
use embudo::storage::db::{Db, HITS, JOURNEY, copy};
use embudo::storage::redis::Redis;
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

/// Which back ends the run stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// SQLite files and in-process stores.
    Embedded,
    /// PostgreSQL and Redis.
    Spread,
}

/// The mix of this run, from the variable `STORES`.
pub fn mix() -> Mix {
    match std::env::var("STORES").as_deref() {
        Err(_) | Ok("" | "embedded") => Mix::Embedded,
        Ok("postgres+redis") => Mix::Spread,
        Ok(other) => panic!("STORES={other}: expected embedded or postgres+redis"),
    }
}

fn url(name: &str) -> Option<String> {
    let url = std::env::var(name).ok().filter(|url| !url.is_empty());
    assert!(
        url.is_some() || mix() == Mix::Embedded,
        "STORES=postgres+redis needs {name}; `scripts/test` gives it"
    );
    url
}

/// Puts fresh files of SQLite with all tables where an app looks for them: copying takes a tenth of making them.
pub async fn fresh_sqlite(data: &Path) {
    static FILES: OnceCell<[(&str, Vec<u8>); 2]> = OnceCell::const_new();
    let files = FILES.get_or_init(|| async {
        let folder = TempDir::new().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let hits = Db::open_sqlite(&at("hits.db"), HITS).await.expect("the hit log");
        let journey = Db::open_sqlite_beside(&at("embudo.db"), &at("hits.db"), JOURNEY).await;
        let journey = journey.expect("the journey's tables");
        let files = ["hits.db", "embudo.db"].map(|name| {
            // The files themselves may still be written in their logs.
            copy(&at(name), &at("copy.db")).expect("copied");
            let bytes = std::fs::read(at("copy.db")).expect("read");
            std::fs::remove_file(at("copy.db")).expect("removed");
            (name, bytes)
        });
        drop((hits, journey));
        files
    });
    std::fs::create_dir_all(data).expect("a folder");
    for (name, bytes) in files.await {
        std::fs::write(data.join(name), bytes).expect("written");
    }
}

/// The address of a fresh database with all tables, or nothing where this run has no PostgreSQL.
pub async fn fresh_postgres() -> Option<String> {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    let admin_url = url("EMBUDO_TEST_POSTGRES_URL")?;
    let template = TEMPLATE.get_or_init(|| template(&admin_url)).await;
    let name = format!("embudo_test_{}", new_key().replace('-', ""));
    run(&admin_url, &format!("create database {name} template {template}")).await;
    Some(with_database(&admin_url, &name))
}

/// A connection to Redis under a prefix that nobody else uses, or nothing where this run has none.
pub async fn fresh_redis() -> Option<Redis> {
    let (url, prefix) = fresh_redis_address()?;
    Some(Redis::connect(&url, &prefix).await.expect("the Redis of EMBUDO_TEST_REDIS_URL answers"))
}

/// The address of Redis and a prefix that nobody else uses.
pub fn fresh_redis_address() -> Option<(String, String)> {
    Some((url("EMBUDO_TEST_REDIS_URL")?, format!("test-{}", new_key())))
}

/// A migrated database to copy from, made once for every set of migrations: copying takes a tenth of migrating.
async fn template(admin_url: &str) -> String {
    let mut hasher = DefaultHasher::new();
    for step in JOURNEY.iter().chain(HITS) {
        (step.number, step.postgres).hash(&mut hasher);
    }
    let name = format!("embudo_template_{:016x}", hasher.finish());
    let admin = connect(admin_url).await;
    // test processes that begin together wait here for the one that makes it
    admin.batch_execute("select pg_advisory_lock(20261121)").await.expect("the lock");
    let known =
        admin.query("select 1 from pg_database where datname = $1", &[&name]).await.expect("the list");
    if known.is_empty() {
        let draft = format!("{name}_draft");
        admin.batch_execute(&format!("drop database if exists {draft}")).await.expect("no old draft");
        admin.batch_execute(&format!("create database {draft}")).await.expect("a draft");
        let url = with_database(admin_url, &draft);
        drop(Db::open_postgres(&url, 1, JOURNEY).await.expect("the journey's tables"));
        drop(Db::open_postgres(&url, 1, HITS).await.expect("the hit log's table"));
        admin
            .execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", &[&draft])
            .await
            .expect("nobody uses the draft");
        while !admin
            .query("select 1 from pg_stat_activity where datname = $1", &[&draft])
            .await
            .expect("the list")
            .is_empty()
        {
            tokio::task::yield_now().await;
        }
        admin.batch_execute(&format!("alter database {draft} rename to {name}")).await.expect("a template");
    }
    name
}

async fn run(admin_url: &str, statement: &str) {
    connect(admin_url)
        .await
        .batch_execute(statement)
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"));
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .expect("the PostgreSQL of EMBUDO_TEST_POSTGRES_URL answers");
    tokio::spawn(connection);
    client
}

fn with_database(url: &str, name: &str) -> String {
    let (server, _) = url.rsplit_once('/').expect("the address ends with a database");
    format!("{server}/{name}")
}

/// Runs a statement on a database, for what no server would do.
pub async fn postgres_does(url: &str, statement: &str) {
    run(url, statement).await;
}
