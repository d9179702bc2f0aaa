//! Hot state tells one story, in process and on Redis.

use std::sync::Arc;

use embudo::base::time::{MINUTE_MS, Timestamp};
use embudo::storage::hot::{HotStore, Memory, RedisHot};

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
