//! Where things are kept. This module knows no business noun: it opens the back ends that the configuration names.

pub mod bus;
pub mod db;
pub mod hot;
pub mod idempotency;
pub mod journal;
pub mod kept;
pub mod limits;
pub mod personal;
pub mod redis;
pub mod streams;

mod error;

pub use error::Error;

/// The answer of everything that touches a store.
pub type Result<T> = std::result::Result<T, Error>;

use std::sync::Arc;
use std::time::Duration;

use self::bus::Bus;
use self::db::Db;
use self::hot::HotStore;
use self::journal::Journal;
use self::limits::Limits;
use self::streams::Streams;
use crate::config;

/// Every store of one node.
#[derive(Clone)]
pub struct Stores {
    /// The journey's tables.
    pub db: Db,
    /// The rows of the hit log: a file of their own on SQLite, the same server on PostgreSQL.
    pub hits: Db,
    /// What is durable on this machine and not yet in the rows.
    pub journal: Journal,
    /// What is durable on Redis and not yet in the rows, if there is Redis.
    pub streams: Option<Streams>,
    /// Sessions, presence, small caches.
    pub hot: Arc<dyn HotStore>,
    /// How often somebody may do something.
    pub limits: Arc<dyn Limits>,
    /// Wake-ups.
    pub bus: Arc<dyn Bus>,
}

impl Stores {
    /// Opens what the settings name. The only place that picks back ends.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if one of them cannot be reached.
    pub async fn open(settings: &config::Storage) -> Result<Self> {
        std::fs::create_dir_all(&settings.data)
            .map_err(|error| Error::Unavailable(format!("{}: {error}", settings.data.display())))?;
        let journal =
            Journal::open(&settings.data.join("journal"), Duration::from_millis(settings.gather_ms))?;
        journal::former::take_over(&journal, &settings.data.join("journal.db")).await?;
        let (db, hits) = if settings.postgres.is_empty() {
            let beside = settings.data.join("hits.db");
            let hits = Db::open_sqlite(&beside, db::HITS).await?;
            (Db::open_sqlite_beside(&settings.data.join("embudo.db"), &beside, db::JOURNEY).await?, hits)
        } else {
            let url = settings.postgres.expose();
            let db = Db::open_postgres(url, settings.postgres_pool, db::JOURNEY).await?;
            // A pool of its own, so that a burst of hits does not keep the journey waiting.
            (db, Db::open_postgres(url, settings.postgres_pool.div_ceil(2), db::HITS).await?)
        };
        if settings.redis.is_empty() {
            let (hot, limits, bus) =
                (hot::Memory::default(), limits::Local::default(), bus::Local::default());
            return Ok(Self {
                db,
                hits,
                journal,
                streams: None,
                hot: Arc::new(hot),
                limits: Arc::new(limits),
                bus: Arc::new(bus),
            });
        }
        let redis = redis::Redis::connect(settings.redis.expose(), &settings.redis_prefix).await?;
        let streams = Streams::open(
            redis.clone(),
            &streams::Settings {
                partitions: settings.stream_partitions,
                backlog: settings.stream_backlog,
                claim_after: Duration::from_millis(settings.stream_claim_ms),
                replicas: settings.redis_replicas,
                // Kept in the data folder: after a restart it goes on with what it had taken.
                reader: journal.name().to_owned(),
            },
        );
        Ok(Self {
            db,
            hits,
            journal,
            streams: Some(streams),
            hot: Arc::new(hot::RedisHot::new(redis.clone())),
            limits: Arc::new(limits::RedisLimits::new(redis.clone())),
            bus: Arc::new(bus::RedisBus::connect(redis).await?),
        })
    }
}
