//! Hot state tells one story, in process and on Redis.

use std::sync::Arc;

use embudo::base::time::{MINUTE_MS, Timestamp};
use embudo::storage::hot::{HotStore, Memory, RedisHot};
use futures_util::future::join_all;

use crate::support::stores::fresh_redis;

/// Redis forgets by its own clock, so the story plays around the present.
fn at(minutes: i64) -> Timestamp {
    Timestamp::from_jiff(jiff::Timestamp::now()).plus_ms(minutes * MINUTE_MS)
}

async fn stores() -> Vec<(&'static str, Arc<dyn HotStore>)> {
    let mut stores: Vec<(&'static str, Arc<dyn HotStore>)> =
        vec![("in process", Arc::new(Memory::default()))];
    if let Some(redis) = fresh_redis().await {
        stores.push(("redis", Arc::new(RedisHot::new(redis))));
    }
    stores
}

#[tokio::test]
async fn a_touched_record_keeps_its_first_value_and_counts() {
    for (name, store) in stores().await {
        let start = at(0);
        let first = store.touch("s", "one", start, 30 * MINUTE_MS).await.expect(name);
        assert_eq!(
            (first.value.as_str(), first.is_new, first.count, first.last_at),
            ("one", true, 1, None),
            "{name}"
        );

        let later = start.plus_ms(29 * MINUTE_MS);
        let second = store.touch("s", "two", later, 30 * MINUTE_MS).await.expect(name);
        assert_eq!(
            (second.value.as_str(), second.is_new, second.count, second.last_at),
            ("one", false, 2, Some(start)),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_touch_lengthens_the_life_and_after_it_a_new_record_begins() {
    for (name, store) in stores().await {
        let start = at(0);
        let touch = async |minutes: i64, proposal: &str| {
            store.touch("s", proposal, start.plus_ms(minutes * MINUTE_MS), 30 * MINUTE_MS).await.expect(name)
        };
        touch(0, "one").await;
        touch(20, "two").await;
        assert_eq!(touch(45, "three").await.value, "one", "{name}: 25 minutes after the last touch it lives");
        let fresh = touch(76, "four").await;
        assert_eq!(
            (fresh.value.as_str(), fresh.is_new, fresh.count),
            ("four", true, 1),
            "{name}: 31 minutes after"
        );
    }
}

#[tokio::test]
async fn of_a_hundred_that_touch_at_once_one_begins_the_record() {
    for (name, store) in stores().await {
        let now = at(0);
        let touches = join_all((0..100).map(|number| {
            let store = store.clone();
            async move { store.touch("s", &number.to_string(), now, MINUTE_MS).await }
        }))
        .await;
        let touches: Vec<_> = touches.into_iter().map(|touched| touched.expect(name)).collect();
        assert_eq!(touches.iter().filter(|touched| touched.is_new).count(), 1, "{name}");
        assert!(
            touches.iter().all(|touched| touched.value == touches[0].value),
            "{name}: all see the one value"
        );
        let mut counts: Vec<i64> = touches.iter().map(|touched| touched.count).collect();
        counts.sort_unstable();
        assert_eq!(counts, (1..=100).collect::<Vec<_>>(), "{name}: every touch is counted once");
    }
}

#[tokio::test]
async fn a_value_is_there_until_it_expires_or_is_removed() {
    for (name, store) in stores().await {
        let now = at(0);
        assert_eq!(store.get("k", now).await.expect(name), None, "{name}");
        store.put("k", "ñ\n\"v\"", now, MINUTE_MS).await.expect(name);
        assert_eq!(store.get("k", now).await.expect(name).as_deref(), Some("ñ\n\"v\""), "{name}");
        assert_eq!(store.get("other", now).await.expect(name), None, "{name}");
        assert_eq!(store.get("k", now.plus_ms(MINUTE_MS + 1)).await.expect(name), None, "{name}: expired");

        store.put("k", "again", now, MINUTE_MS).await.expect(name);
        store.put("k", "replaced", now, MINUTE_MS).await.expect(name);
        assert_eq!(store.get("k", now).await.expect(name).as_deref(), Some("replaced"), "{name}");
        store.remove("k").await.expect(name);
        assert_eq!(store.get("k", now).await.expect(name), None, "{name}: removed");
        store.remove("k").await.expect("removing what is not there is fine");
    }
}

#[tokio::test]
async fn members_are_present_until_their_moment_in_order_of_name() {
    for (name, store) in stores().await {
        let now = at(0);
        store.mark("online", "yuri", now.plus_ms(MINUTE_MS)).await.expect(name);
        store.mark("online", "mike", now.plus_ms(2 * MINUTE_MS)).await.expect(name);
        store.mark("elsewhere", "nikki", now.plus_ms(MINUTE_MS)).await.expect(name);
        assert_eq!(store.marked("online", now).await.expect(name), ["mike", "yuri"], "{name}");
        let later = now.plus_ms(MINUTE_MS + 1);
        assert_eq!(store.marked("online", later).await.expect(name), ["mike"], "{name}: yuri is gone");
        store.mark("online", "mike", now.plus_ms(9 * MINUTE_MS)).await.expect(name);
        assert_eq!(
            store.marked("online", now.plus_ms(8 * MINUTE_MS)).await.expect(name),
            ["mike"],
            "{name}: renewed"
        );
        store.unmark("online", "mike").await.expect(name);
        assert!(store.marked("online", now).await.expect(name).is_empty(), "{name}");
    }
}

#[tokio::test]
async fn an_id_that_is_looked_at_lives_no_longer_for_it() {
    for (name, store) in stores().await {
        let start = at(0);
        let peek = async |minutes: i64, member: u128| {
            store.peek_id(7, member, start.plus_ms(minutes * MINUTE_MS)).await.expect(name)
        };
        assert_eq!(peek(0, 1).await, None, "{name}: nothing is there, and looking makes nothing");
        let touched = store.touch_id(7, 1, start, 30 * MINUTE_MS).await.expect(name);
        assert!(touched.is_new, "{name}");
        assert_eq!((peek(29, 1).await, peek(29, 2).await), (Some(touched.id), None), "{name}");
        assert_eq!(peek(31, 1).await, None, "{name}");
    }
}
