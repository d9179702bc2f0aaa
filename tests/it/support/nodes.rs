//! Nodes that share PostgreSQL and Redis: no doors, only what takes hits and carries them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use embudo::app::App;
use embudo::base::ids::{HitId, SessionId, VisitorId};
use embudo::base::time::{Clock, Timestamp};
use embudo::config::Config;
use embudo::hits::{self, Line};
use embudo::ingest::{self, Sender};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use embudo::storage::journal;

use super::stores::{Mix, fresh_postgres, fresh_redis_address, mix};

/// What the nodes of one deployment share.
pub struct Deployment {
    pub postgres: String,
    pub redis: String,
    pub prefix: String,
    /// Further lines of `[storage]`.
    pub storage: &'static str,
    pub clock: Clock,
}

impl Deployment {
    /// A deployment on the run's PostgreSQL and Redis. Nothing where the run is on SQLite and in process: there are no
    /// streams and no second node there.
    pub async fn fresh() -> Option<Self> {
        if mix() == Mix::Embedded {
            return None;
        }
        let (redis, prefix) = fresh_redis_address()?;
        let clock = Clock::manual(Timestamp::from_jiff(jiff::Timestamp::now()));
        Some(Self { postgres: fresh_postgres().await?, redis, prefix, storage: "", clock })
    }

    /// A node with a folder of its own.
    pub async fn node(&self) -> Node {
        self.node_in(Arc::new(TempDir::new().expect("a folder"))).await
    }

    /// A node that goes on with another's folder.
    pub async fn node_in(&self, folder: Arc<TempDir>) -> Node {
        let Self { postgres, redis, prefix, storage, .. } = self;
        let file = folder.path().join("embudo.toml");
        let data = folder.path().join("data").display().to_string();
        let text = format!(
            "[server]\nsecret = \"the secret of the tests, forty characters\"\n\
             [storage]\ndata = {data:?}\npostgres = {postgres:?}\npostgres_pool = 4\nredis = {redis:?}\n\
             redis_prefix = {prefix:?}\n{storage}\n\
             [[site]]\nkey = \"faro\"\nname = \"Faro\"\norigins = [\"https://faro.example\"]\n"
        );
        std::fs::write(&file, text).expect("written");
        let config = Config::load(Some(&file), std::iter::empty()).unwrap_or_else(|error| panic!("{error}"));
        let app = App::build(config, self.clock.clone()).await.unwrap_or_else(|error| panic!("{error:#}"));
        Node { app: Arc::new(app), folder }
    }
}

/// One server without its doors.
#[derive(Clone)]
pub struct Node {
    pub app: Arc<App>,
    pub folder: Arc<TempDir>,
}

impl Node {
    /// Takes a page view. The error is that of the 503.
    pub async fn hit(&self, id: HitId, visitor: VisitorId) -> Result<(), hits::Error> {
        let now = self.app.clock.now();
        let body = serde_json::json!({
            "id": id.to_string(), "site": "faro", "name": "page", "url": "https://faro.example/",
            "visitor": visitor.to_string(), "consent": "analytics",
        });
        let hits = hits::parse(body.to_string().as_bytes(), 20, now).expect("a hit");
        let sender = Sender {
            address: Ipv4Addr::LOCALHOST.into(),
            user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            manner: hits::Manner::default(),
        };
        self.app.collector.take(hits, sender, now).await.map(drop)
    }

    /// Takes so many page views of as many visitors, all acknowledged; their ids.
    pub async fn hits(&self, count: usize) -> Vec<HitId> {
        let mut ids = Vec::new();
        for _ in 0..count {
            let id = HitId::new();
            self.hit(id, VisitorId::new()).await.expect("acknowledged");
            ids.push(id);
        }
        ids
    }

    /// Carries all there is into the rows; waits for Redis, should it be away.
    pub async fn drain(&self) {
        let streams = self.app.stores.streams.as_ref().expect("Redis");
        until("all is carried", async || {
            let carried = ingest::drain(&self.app.stores, &self.app.words).await.expect("carried");
            carried == 0 && matches!(streams.waiting().await, Ok(0))
        })
        .await;
    }

    /// Every row in order.
    pub async fn rows(&self) -> Vec<Line> {
        hits::lines_after(&self.app.stores.hits, 0, 1_000_000).await.expect("read")
    }

    /// The visits of the rows by hit.
    pub async fn visits(&self) -> BTreeMap<HitId, SessionId> {
        self.rows().await.into_iter().map(|hit| (hit.id, hit.session)).collect()
    }

    /// Asserts that each of these hits stands in the rows, and none of the rows twice.
    #[track_caller]
    pub fn assert_all(rows: &[Line], acknowledged: &[HitId]) {
        let mut stand: Vec<HitId> = rows.iter().map(|hit| hit.id).collect();
        let count = stand.len();
        stand.sort_unstable();
        stand.dedup();
        assert_eq!(stand.len(), count, "a hit stands twice");
        let lost = acknowledged.iter().filter(|id| stand.binary_search(id).is_err()).count();
        assert_eq!(lost, 0, "of {} acknowledged hits {lost} are lost", acknowledged.len());
    }

    /// Hits in the journal of the node's own disk.
    pub async fn spilled(&self) -> usize {
        let stores = &self.app.stores;
        let carried = hits::cursor(&stores.hits, stores.journal.name()).await.expect("a cursor");
        stores.journal.after(carried, usize::MAX).await.expect("read").iter().map(journal::Group::len).sum()
    }

    /// Carries beside what else happens, as a server does, until it is told to stop.
    pub fn carry(&self) -> Carrier {
        let (stop, stopped) = watch::channel(false);
        let app = self.app.clone();
        let task = tokio::spawn(async move { ingest::carry(app.following(), stopped).await });
        Carrier { stop, task }
    }
}

/// Asks again until it is so.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < Duration::from_secs(20), "never: {what}");
        tokio::task::yield_now().await;
    }
}

/// Carries.
pub struct Carrier {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Carrier {
    /// Lets it carry what is left and end.
    pub async fn end(self) {
        self.stop.send_replace(true);
        self.task.await.expect("it ends");
    }

    /// As when the process dies.
    pub fn kill(self) {
        self.task.abort();
    }
}
