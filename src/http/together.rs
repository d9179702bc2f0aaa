//! What many ask at once and is the same for all of them, worked out once.
//!
//! Nobody gets an answer that was begun before she asked: whoever comes while one is worked out waits for the next, together
//! with all who come meanwhile. So nothing is kept that could be out of date, on however many nodes, whatever the clock says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// After an answer nobody begins the next for so many times as long as it took: what many ask all the time costs a
/// twentieth of a core at most, and where it is worked out in a moment nobody notices.
const REST: u32 = 20;
/// But no longer than this.
const REST_MOST: Duration = Duration::from_millis(500);

/// A question that is asked together.
pub struct Together<T> {
    /// How often it was asked.
    asked: AtomicU64,
    last: Mutex<Option<Last<T>>>,
}

struct Last<T> {
    /// Who came before this number is answered by it.
    before: u64,
    rests_until: Instant,
    answer: Arc<T>,
}

impl<T> Default for Together<T> {
    fn default() -> Self {
        Self { asked: AtomicU64::new(0), last: Mutex::default() }
    }
}

impl<T> Together<T> {
    /// An answer that is worked out after now, by this caller's `work` or by that of another.
    ///
    /// # Errors
    /// As `work`; whoever else waits then tries by herself.
    pub async fn ask<E>(&self, work: impl AsyncFnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        let mine = self.asked.fetch_add(1, Ordering::SeqCst);
        let mut last = self.last.lock().await;
        if let Some(last) = last.as_ref() {
            if mine < last.before {
                return Ok(last.answer.clone());
            }
            sleep_until(last.rests_until).await;
        }
        let (before, began) = (self.asked.load(Ordering::SeqCst), Instant::now());
        let answer = Arc::new(work().await?);
        let rest = began.elapsed().saturating_mul(REST).min(REST_MOST);
        *last = Some(Last { before, rests_until: Instant::now() + rest, answer: answer.clone() });
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;

    use futures_util::future::{join, join_all};
    use tokio::sync::Notify;

    use super::*;

    /// Works out how often it was worked out.
    async fn counts(worked: &Cell<u32>) -> Result<u32, Infallible> {
        worked.set(worked.get() + 1);
        Ok(worked.get())
    }

    #[tokio::test]
    async fn whoever_comes_while_it_is_worked_out_shares_the_next_answer_and_not_this_one() {
        let (together, worked, goes_on) = (Together::default(), Cell::new(0), Notify::new());
        let first = together.ask(async || {
            goes_on.notified().await;
            counts(&worked).await
        });
        let others = join_all((0..50).map(|_| together.ask(async || counts(&worked).await)));
        // Polled in this order: the first is at work when the others ask.
        let ((first, others), ()) = join(join(first, others), async { goes_on.notify_one() }).await;
        assert_eq!(*first.unwrap(), 1);
        let others: Vec<u32> = others.into_iter().map(|answer| *answer.unwrap()).collect();
        assert_eq!(others, [2; 50]);
    }

    #[tokio::test]
    async fn what_was_answered_before_is_no_answer_to_who_comes_later() {
        let (together, worked) = (Together::default(), Cell::new(0));
        for n in 1..=3 {
            assert_eq!(*together.ask(async || counts(&worked).await).await.unwrap(), n);
        }
    }

    #[tokio::test]
    async fn of_a_failure_only_who_worked_hears() {
        let (together, worked, goes_on) = (Together::default(), Cell::new(0), Notify::new());
        let fails = together.ask(async || {
            goes_on.notified().await;
            Err("not now")
        });
        let other = together.ask(async || counts(&worked).await.map_err(|_| "never"));
        let ((fails, other), ()) = join(join(fails, other), async { goes_on.notify_one() }).await;
        assert_eq!(fails.unwrap_err(), "not now");
        assert_eq!(*other.unwrap(), 1);
    }
}
