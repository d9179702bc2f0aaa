//! Everything on a Redis Cluster, and what happens when parts of a deployment die while hits come in.
//!
//! Only where the run has PostgreSQL and Redis.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use embudo::base::ids::{HitId, VisitorId};
use embudo::base::time::MINUTE_MS;
use embudo::storage::bus::Bus;
use embudo::storage::limits::Quota;
use tokio::task::JoinHandle;

use crate::support::app::{TestApp, set};
use crate::support::nodes::{Deployment, Node, until};
use crate::support::redis::OwnCluster;
use crate::support::stores::postgres_does;

#[tokio::test]
async fn visits_limits_presence_and_wake_ups_are_shared_on_a_cluster() {
    let Some(mut deployment) = Deployment::fresh().await else { return };
    let cluster = OwnCluster::start(false);
    deployment.redis = cluster.url();
    let share = |settings: &mut toml::Table| {
        set(settings, "storage", "postgres", deployment.postgres.clone());
        set(settings, "storage", "redis", deployment.redis.clone());
        set(settings, "storage", "redis_prefix", deployment.prefix.clone());
    };
    let (one, two) = (TestApp::start_with(share).await, TestApp::start_with(share).await);

    // Thirty visitors, so that every partition and every node of the cluster has some.
    let mut visitors: Vec<_> = (0..30).map(|_| one.visitor()).collect();
    for visitor in &mut visitors {
        visitor.visit("/one").await;
        visitor.app = &two;
        visitor.visit("/two").await;
    }
    assert_eq!(one.count("hits").await, 60);
    let rows = crate::support::hits::all(&one.app).await;
    for visitor in &visitors {
        let mut sessions =
            rows.iter().filter(|hit| hit.visitor.to_string() == visitor.id).map(|hit| hit.session);
        assert_eq!(sessions.next().expect("the first"), sessions.next().expect("the second"));
    }
    for node in &cluster.nodes {
        assert_ne!(node.ask(&["dbsize"]), "0", "each node has its part");
    }

    let (quota, now) = (Quota { per_minute: 1, burst: 1 }, one.now());
    for key in 0..20 {
        let key = format!("somebody {key}");
        assert!(one.app.stores.limits.check("hits", &key, quota, now).await.is_ok());
        assert!(two.app.stores.limits.check("hits", &key, quota, now).await.is_err(), "they count together");
        one.app.stores.hot.put(&key, "here", now, MINUTE_MS).await.expect("put");
        assert_eq!(two.app.stores.hot.get(&key, now).await.expect("read").as_deref(), Some("here"));
        one.app.stores.hot.mark("inbox", &key, now.plus_ms(MINUTE_MS)).await.expect("marked");
    }
    assert_eq!(two.app.stores.hot.marked("inbox", now).await.expect("read").len(), 20);

    let bus: &dyn Bus = two.app.stores.bus.as_ref();
    let mut hears = bus.subscribe();
    one.app.stores.bus.publish("inbox", "new").await;
    let wake =
        tokio::time::timeout(Duration::from_secs(5), hears.recv()).await.expect("in time").expect("heard");
    assert_eq!((wake.topic.as_str(), wake.text.as_str()), ("inbox", "new"));
}

/// Hits that come in without a pause; each that was acknowledged is noted.
struct Load {
    is_over: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<Vec<HitId>>>,
    senders: Vec<JoinHandle<()>>,
}

impl Load {
    /// Eight senders, each with twenty visitors.
    fn start(nodes: &[Node]) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(Mutex::new(Vec::new()));
        let mut senders = Vec::new();
        for number in 0..8 {
            let (is_over, acknowledged) = (is_over.clone(), acknowledged.clone());
            let node = nodes[number % nodes.len()].clone();
            senders.push(tokio::spawn(async move {
                let visitors: Vec<VisitorId> = (0..20).map(|_| VisitorId::new()).collect();
                for visitor in visitors.iter().cycle() {
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    let id = HitId::new();
                    if node.hit(id, *visitor).await.is_ok() {
                        acknowledged.lock().expect("nobody panics in here").push(id);
                    }
                }
            }));
        }
        Self { is_over, acknowledged, senders }
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().expect("nobody panics in here").len()
    }

    /// Waits until so many more have been acknowledged.
    async fn goes_on(&self, when: &str, count: usize) {
        let goal = self.count() + count;
        until(&format!("hits go on {when}"), async || self.count() >= goal).await;
    }

    async fn end(self) -> Vec<HitId> {
        self.is_over.store(true, Ordering::Relaxed);
        for sender in self.senders {
            sender.await.expect("it ends");
        }
        Arc::into_inner(self.acknowledged)
            .expect("all have ended")
            .into_inner()
            .expect("nobody panics in here")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_a_master_and_postgres_die_under_load_and_nothing_acknowledged_is_lost() {
    let Some(mut deployment) = Deployment::fresh().await else { return };
    let mut cluster = OwnCluster::start(true);
    deployment.redis = cluster.url();
    deployment.storage = "redis_replicas = 1\nstream_claim_ms = 200";
    let (lives, dies) = (deployment.node().await, deployment.node().await);
    let (carrier, other) = (lives.carry(), dies.carry());
    let load = Load::start(&[lives.clone(), dies.clone()]);
    load.goes_on("from the start", 200).await;

    // A node stops in the middle of carrying; what it had taken is taken over.
    other.kill();
    load.goes_on("without the other carrier", 200).await;

    // A master of the cluster: its replica steps in, and until then its part goes to the journals.
    let master = cluster.master_of(&format!("{}:{{p0}}:stream", deployment.prefix));
    cluster.nodes[master].kill();
    load.goes_on("without the master", 500).await;
    let partition = async || {
        let streams = lives.app.stores.streams.as_ref().expect("Redis");
        streams.waiting().await.is_ok()
    };
    until("the replica steps in", partition).await;
    load.goes_on("on the replica", 200).await;

    // PostgreSQL cuts every connection, again and again.
    for _ in 0..5 {
        postgres_does(
            &deployment.postgres,
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()",
        )
        .await;
        load.goes_on("without PostgreSQL", 100).await;
    }

    let acknowledged = load.end().await;
    carrier.end().await;
    until("all is carried", async || {
        // Right after its connections were cut a pool may give out one that is dead.
        let _ = embudo::ingest::drain(&lives.app.stores, &lives.app.words).await;
        let _ = embudo::ingest::drain(&dies.app.stores, &dies.app.words).await;
        matches!(lives.app.stores.streams.as_ref().expect("Redis").waiting().await, Ok(0))
            && lives.spilled().await + dies.spilled().await == 0
    })
    .await;
    let rows = lives.rows().await;
    Node::assert_all(&rows, &acknowledged);
}
