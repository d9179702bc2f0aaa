//! The live bus tells one story, in process and on Redis.

use std::sync::Arc;
use std::time::Duration;

use embudo::storage::bus::{Bus, Local, RedisBus, Wake};
use embudo::storage::redis::Redis;
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

use crate::support::stores::{fresh_redis, fresh_redis_address};

async fn back_ends() -> Vec<(&'static str, Arc<dyn Bus>)> {
    let mut back_ends: Vec<(&'static str, Arc<dyn Bus>)> = vec![("in process", Arc::new(Local::default()))];
    if let Some(redis) = fresh_redis().await {
        back_ends.push(("redis", Arc::new(RedisBus::connect(redis).await.expect("a subscription"))));
    }
    back_ends
}

async fn next(listener: &mut Receiver<Wake>) -> (String, String) {
    let wake =
        timeout(Duration::from_secs(5), listener.recv()).await.expect("woken in time").expect("not lagging");
    (wake.topic, wake.text)
}

fn pair(topic: &str, text: &str) -> (String, String) {
    (topic.to_owned(), text.to_owned())
}

#[tokio::test]
async fn all_listeners_hear_all_wake_ups_in_order() {
    for (name, bus) in back_ends().await {
        let (mut one, mut two) = (bus.subscribe(), bus.subscribe());
        bus.publish("conversation:1", "7").await;
        bus.publish("inbox", "two\nlines, ñ").await;
        for listener in [&mut one, &mut two] {
            assert_eq!(next(listener).await, pair("conversation:1", "7"), "{name}");
            assert_eq!(next(listener).await, pair("inbox", "two\nlines, ñ"), "{name}");
        }
    }
}

#[tokio::test]
async fn who_listens_late_hears_only_what_comes_after() {
    for (name, bus) in back_ends().await {
        let mut early = bus.subscribe();
        bus.publish("a", "before").await;
        assert_eq!(next(&mut early).await, pair("a", "before"), "{name}");
        let mut late = bus.subscribe();
        bus.publish("a", "after").await;
        assert_eq!(next(&mut late).await, pair("a", "after"), "{name}");
    }
}

#[tokio::test]
async fn a_publisher_without_listeners_is_not_held_up() {
    for (_, bus) in back_ends().await {
        bus.publish("nobody", "").await;
    }
}

#[tokio::test]
async fn two_nodes_on_one_redis_wake_each_other_and_no_one_else() {
    let Some((url, prefix)) = fresh_redis_address() else { return };
    let node = async |prefix: &str| {
        let redis = Redis::connect(&url, prefix).await.expect("Redis");
        RedisBus::connect(redis).await.expect("a subscription")
    };
    let (here, there, stranger) =
        (node(&prefix).await, node(&prefix).await, node("another-deployment").await);
    let (mut hears, mut strange) = (there.subscribe(), stranger.subscribe());
    here.publish("a", "1").await;
    assert_eq!(next(&mut hears).await, pair("a", "1"));
    stranger.publish("b", "own").await;
    assert_eq!(next(&mut strange).await, pair("b", "own"), "the first it hears is its own");
}
