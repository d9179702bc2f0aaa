//! Hits on Redis Streams: shared by nodes, carried once, and never lost after they were acknowledged.
//!
//! Only where the run has PostgreSQL and Redis: on SQLite and in process there is one node and its journal.

use std::time::{Duration, Instant};

use embudo::base::ids::{HitId, VisitorId};
use embudo::base::time::MINUTE_MS;
use embudo::hits::Error;
use embudo::ingest;
use futures_util::future::join_all;

use crate::support::app::{TestApp, set};
use crate::support::nodes::{Deployment, Node, until};
use crate::support::redis::OwnRedis;
use crate::support::stores::{Mix, mix};

#[tokio::test]
async fn a_visit_goes_on_at_another_node_and_ends_after_half_an_hour() {
    let Some(deployment) = Deployment::fresh().await else { return };
    let (one, two) = (deployment.node().await, deployment.node().await);
    let (visitor, mut ids) = (VisitorId::new(), Vec::new());
    for (node, minutes) in [(&one, 0), (&two, 29), (&one, 29), (&two, 31)] {
        deployment.clock.advance(minutes * MINUTE_MS);
        let id = HitId::new();
        node.hit(id, visitor).await.expect("acknowledged");
        ids.push(id);
    }
    two.drain().await;
    let visits = one.visits().await;
    assert_eq!(visits.len(), 4);
    assert!(visits[&ids[0]] == visits[&ids[1]] && visits[&ids[1]] == visits[&ids[2]]);
    assert_ne!(visits[&ids[2]], visits[&ids[3]], "31 minutes later it is another visit");
}

#[tokio::test]
async fn first_hits_that_come_together_are_one_visit() {
    let Some(deployment) = Deployment::fresh().await else { return };
    let node = deployment.node().await;
    // Together they go with one script, which has to see what it has itself just remembered.
    let (visitor, ids) = (VisitorId::new(), [(); 8].map(|()| HitId::new()));
    let taken = join_all(ids.iter().map(|id| node.hit(*id, visitor))).await;
    taken.into_iter().for_each(|taken| taken.expect("acknowledged"));
    node.drain().await;
    let visits = node.visits().await;
    assert!(ids.iter().all(|id| visits[id] == visits[&ids[0]]), "{visits:?}");
}

#[tokio::test]
async fn two_servers_take_hits_of_one_visitor_through_their_doors() {
    let Some(deployment) = Deployment::fresh().await else { return };
    let share = |settings: &mut toml::Table| {
        set(settings, "storage", "postgres", deployment.postgres.clone());
        set(settings, "storage", "redis_prefix", deployment.prefix.clone());
    };
    let (one, two) = (TestApp::start_with(share).await, TestApp::start_with(share).await);
    let mut visitor = one.visitor();
    visitor.visit("/one").await;
    visitor.app = &two;
    visitor.visit("/two").await;
    assert_eq!(one.count("hits").await, 2);
    let rows = crate::support::hits::all(&two.app).await;
    assert_eq!(rows[0].session, rows[1].session);
    assert_eq!([rows[0].path.as_str(), rows[1].path.as_str()], ["/one", "/two"]);
}

#[tokio::test]
async fn a_restart_loses_nothing_that_was_acknowledged_or_half_carried() {
    let Some(deployment) = Deployment::fresh().await else { return };
    let node = deployment.node().await;
    let mut acknowledged = node.hits(20).await;
    let taken = node.app.stores.streams.as_ref().expect("Redis").reader().await.take(1_000).await;
    assert!(!taken.is_empty());
    acknowledged.extend(node.hits(20).await);
    let folder = node.folder.clone();
    drop(node);
    // Nobody has to wait until it counts as dead: it knows by its folder what it had taken.
    let node = deployment.node_in(folder).await;
    node.drain().await;
    Node::assert_all(&node.rows().await, &acknowledged);
    assert_eq!(node.app.stores.streams.as_ref().expect("Redis").waiting().await.expect("read"), 0);
}

#[tokio::test]
async fn what_a_dead_node_had_taken_is_taken_over_by_another() {
    let Some(mut deployment) = Deployment::fresh().await else { return };
    deployment.storage = "stream_claim_ms = 1";
    let (dies, lives) = (deployment.node().await, deployment.node().await);
    let acknowledged = dies.hits(20).await;
    dies.app.stores.streams.as_ref().expect("Redis").reader().await.take(1_000).await;
    drop(dies);
    lives.drain().await;
    Node::assert_all(&lives.rows().await, &acknowledged);
}

#[tokio::test]
async fn a_hit_that_is_sent_to_two_nodes_stands_once() {
    let Some(deployment) = Deployment::fresh().await else { return };
    let (one, two) = (deployment.node().await, deployment.node().await);
    let (id, visitor) = (HitId::new(), VisitorId::new());
    for node in [&one, &two, &one] {
        node.hit(id, visitor).await.expect("acknowledged");
    }
    one.drain().await;
    two.hit(id, visitor).await.expect("acknowledged");
    two.drain().await;
    let rows = one.rows().await;
    Node::assert_all(&rows, &[id]);
    assert_eq!(rows.len(), 1);
}

#[tokio::test]
async fn redis_that_was_emptied_or_killed_goes_on() {
    let Some(mut deployment) = Deployment::fresh().await else { return };
    let mut redis = OwnRedis::start(&[]);
    deployment.redis = redis.url();
    let node = deployment.node().await;
    let mut acknowledged = node.hits(10).await;
    node.drain().await;

    // Streams, groups, visits and scripts are gone.
    assert_eq!(redis.ask(&["flushall"]), "OK");
    assert_eq!(redis.ask(&["script", "flush"]), "OK");
    acknowledged.extend(node.hits(10).await);
    node.drain().await;
    Node::assert_all(&node.rows().await, &acknowledged);

    // What it acknowledged is in its file.
    acknowledged.extend(node.hits(10).await);
    redis.kill();
    redis.restart();
    // The connection may have to find out first; until then the journal takes them.
    until("Redis takes hits again", async || {
        acknowledged.extend(node.hits(1).await);
        goes_to_redis(&node).await
    })
    .await;
    node.drain().await;
    Node::assert_all(&node.rows().await, &acknowledged);
}

#[tokio::test]
async fn while_redis_is_away_hits_go_to_the_journal_without_waiting() {
    let Some(mut deployment) = Deployment::fresh().await else { return };
    let mut redis = OwnRedis::start(&[]);
    deployment.redis = redis.url();
    let node = deployment.node().await;
    let mut acknowledged = node.hits(5).await;
    assert_eq!(node.spilled().await, 0);

    for is_frozen in [false, true] {
        if is_frozen {
            redis.freeze();
        } else {
            redis.kill();
        }
        let start = Instant::now();
        acknowledged.extend(node.hits(1).await);
        assert!(start.elapsed() < Duration::from_secs(3), "the first finds out: {:?}", start.elapsed());
        let (start, before) = (Instant::now(), node.spilled().await);
        acknowledged.extend(node.hits(50).await);
        assert!(start.elapsed() < Duration::from_secs(1), "the others know: {:?}", start.elapsed());
        assert_eq!(node.spilled().await, before + 50);

        if is_frozen {
            redis.thaw();
        } else {
            redis.restart();
        }
        until("Redis takes hits again", async || {
            acknowledged.extend(node.hits(1).await);
            goes_to_redis(&node).await
        })
        .await;
    }
    node.drain().await;
    Node::assert_all(&node.rows().await, &acknowledged);
    assert_eq!(node.spilled().await, 0);
}

/// Whether a hit that comes now goes to Redis.
async fn goes_to_redis(node: &Node) -> bool {
    let before = node.spilled().await;
    node.hits(1).await;
    node.spilled().await == before
}

#[tokio::test]
async fn hits_are_refused_when_redis_and_the_journal_fail() {
    let Some(mut deployment) = Deployment::fresh().await else { return };
    let mut redis = OwnRedis::start(&[]);
    deployment.redis = redis.url();
    let node = deployment.node().await;
    redis.kill();
    // Nobody can write to the journal as long as its lock is no file.
    let lock = node.folder.path().join("data/journal/lock");
    std::fs::create_dir(&lock).expect("broken");
    assert_eq!(node.hit(HitId::new(), VisitorId::new()).await, Err(Error::Unavailable));
    std::fs::remove_dir(&lock).expect("whole again");
    let acknowledged = node.hits(1).await;
    redis.restart();
    node.drain().await;
    let rows = node.rows().await;
    Node::assert_all(&rows, &acknowledged);
    assert_eq!(rows.len(), 1, "what was refused is not there");
}

#[tokio::test]
async fn when_too_many_wait_the_door_says_when_to_come_again() {
    if mix() == Mix::Embedded {
        return;
    }
    let app = TestApp::start_with(|settings| {
        set(settings, "storage", "stream_partitions", 1);
        set(settings, "storage", "stream_backlog", 3);
    })
    .await;
    let visitor = app.visitor();
    for path in ["/1", "/2", "/3"] {
        visitor.visit(path).await;
    }
    let refused = visitor.report(&visitor.hit("/4")).await.expect(503);
    assert_eq!(refused.header("retry-after"), "2");
    assert_eq!(app.count("hits").await, 3);
    visitor.visit("/5").await;
    assert_eq!(app.count("hits").await, 4, "nothing was trimmed, and there is room again");
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_put_aside_and_stops_nobody() {
    let Some(deployment) = Deployment::fresh().await else { return };
    let node = deployment.node().await;
    let acknowledged = node.hits(5).await;
    let client = redis::Client::open(deployment.redis.as_str()).expect("an address");
    let mut connection = client.get_multiplexed_async_connection().await.expect("Redis");
    let (stream, buried) =
        (format!("{}:{{p0}}:stream", deployment.prefix), format!("{}:buried", deployment.prefix));
    // A foreign entry, and one of ours with a record that is none.
    let records = [&[3, 0, 0, 0][..], b"\x63no"].concat();
    for fields in [vec![("x", &b"what"[..])], vec![("i", &[7; 16]), ("r", &records), ("w", b"1")]] {
        let mut add = redis::cmd("XADD");
        add.arg(&stream).arg("*");
        for (name, value) in fields {
            add.arg(name).arg(value);
        }
        add.query_async::<()>(&mut connection).await.expect("added");
    }
    node.drain().await;
    Node::assert_all(&node.rows().await, &acknowledged);
    assert_eq!(node.app.stores.streams.as_ref().expect("Redis").buried(), 2);
    let kept: usize = redis::cmd("XLEN").arg(&buried).query_async(&mut connection).await.expect("counted");
    assert_eq!(kept, 2);
    let left: usize = redis::cmd("XLEN").arg(&stream).query_async(&mut connection).await.expect("counted");
    assert_eq!(left, 0);
}

#[tokio::test]
async fn with_redis_the_rows_may_stand_in_sqlite() {
    let Some(mut deployment) = Deployment::fresh().await else { return };
    deployment.postgres.clear();
    let node = deployment.node().await;
    let acknowledged = node.hits(20).await;
    assert_eq!(node.spilled().await, 0, "they went to Redis");
    node.drain().await;
    Node::assert_all(&node.rows().await, &acknowledged);
}

#[tokio::test]
async fn a_stopped_server_leaves_nothing_behind() {
    let Some(deployment) = Deployment::fresh().await else { return };
    let node = deployment.node().await;
    let carrier = node.carry();
    let acknowledged = node.hits(50).await;
    carrier.end().await;
    Node::assert_all(&node.rows().await, &acknowledged);
    assert_eq!(ingest::drain(&node.app.stores, &node.app.words).await.expect("nothing to do"), 0);
}
