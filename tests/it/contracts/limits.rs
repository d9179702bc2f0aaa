//! Limits tell one story, in process and on Redis.

use std::sync::Arc;

use embudo::base::time::{MINUTE_MS, SECOND_MS, Timestamp};
use embudo::storage::limits::{Limits, Local, Quota, RedisLimits};
use futures_util::future::join_all;

use crate::support::stores::fresh_redis;

const QUOTA: Quota = Quota { per_minute: 6, burst: 3 };

async fn back_ends() -> Vec<(&'static str, Arc<dyn Limits>)> {
    let mut back_ends: Vec<(&'static str, Arc<dyn Limits>)> =
        vec![("in process", Arc::new(Local::default()))];
    if let Some(redis) = fresh_redis().await {
        back_ends.push(("redis", Arc::new(RedisLimits::new(redis))));
    }
    back_ends
}

fn now() -> Timestamp {
    Timestamp::from_jiff(jiff::Timestamp::now())
}

#[tokio::test]
async fn a_burst_passes_and_the_next_one_is_told_how_long_to_wait() {
    for (name, limits) in back_ends().await {
        let start = now();
        for _ in 0..3 {
            limits.check("hit", "a", QUOTA, start).await.expect(name);
        }
        let refused = limits.check("hit", "a", QUOTA, start).await.expect_err(name);
        let tenth = 10 * SECOND_MS; // six a minute
        assert!((1..=tenth).contains(&refused.retry_after_ms), "{name}: {refused:?}");

        limits.check("hit", "a", QUOTA, start.plus_ms(refused.retry_after_ms)).await.expect("after the wait");
        limits
            .check("hit", "a", QUOTA, start.plus_ms(refused.retry_after_ms))
            .await
            .expect_err("but only one more");
    }
}

#[tokio::test]
async fn a_clock_that_is_put_back_shuts_nobody_out() {
    for (name, limits) in back_ends().await {
        let start = now();
        for _ in 0..3 {
            limits.check("hit", "a", QUOTA, start).await.expect(name);
        }
        limits.check("hit", "a", QUOTA, start).await.expect_err(name);
        for back_ms in [60 * MINUTE_MS, 24 * 60 * MINUTE_MS] {
            let then = start.plus_ms(-back_ms);
            let refused = limits.check("hit", "a", QUOTA, then).await.expect_err("still one too many");
            assert!(refused.retry_after_ms <= 10 * SECOND_MS, "{name}: {refused:?}");
            let after = then.plus_ms(refused.retry_after_ms);
            limits.check("hit", "a", QUOTA, after).await.expect("after the wait");
            limits.check("hit", "a", QUOTA, after).await.expect_err("but only one more");
        }
    }
}

#[tokio::test]
async fn keys_and_buckets_are_counted_apart() {
    for (name, limits) in back_ends().await {
        let start = now();
        for _ in 0..3 {
            limits.check("hit", "a", QUOTA, start).await.expect(name);
        }
        limits.check("hit", "a", QUOTA, start).await.expect_err(name);
        limits.check("hit", "b", QUOTA, start).await.expect("another key");
        limits.check("form", "a", QUOTA, start).await.expect("another bucket");
    }
}

#[tokio::test]
async fn after_a_rest_the_whole_burst_is_there_again_and_no_more() {
    for (name, limits) in back_ends().await {
        let start = now();
        while limits.check("hit", "a", QUOTA, start).await.is_ok() {}
        let rested = start.plus_ms(5 * MINUTE_MS);
        let mut passed = 0;
        while limits.check("hit", "a", QUOTA, rested).await.is_ok() {
            passed += 1;
        }
        assert_eq!(passed, 3, "{name}");
    }
}

#[tokio::test]
async fn a_crowd_at_once_gets_exactly_the_burst() {
    for (name, limits) in back_ends().await {
        let start = now();
        let answers = join_all((0..50).map(|_| {
            let limits = limits.clone();
            async move { limits.check("hit", "a", QUOTA, start).await.is_ok() }
        }))
        .await;
        assert_eq!(answers.into_iter().filter(|passed| *passed).count(), 3, "{name}");
    }
}

#[tokio::test]
async fn addresses_are_counted_one_by_one_and_apart_from_texts() {
    for (name, limits) in back_ends().await {
        let start = now();
        let (one, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        for _ in 0..3 {
            limits.check_address("hit", one, QUOTA, start).await.expect(name);
        }
        let refused = limits.check_address("hit", one, QUOTA, start).await.expect_err(name);
        assert!((1..=10 * SECOND_MS).contains(&refused.retry_after_ms), "{name}: {refused:?}");
        limits.check_address("hit", other, QUOTA, start).await.expect("another address");
        limits.check_address("form", one, QUOTA, start).await.expect("another bucket");
        limits.check("hit", "a", QUOTA, start).await.expect("a text");
    }
}
