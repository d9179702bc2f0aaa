//! Work that nobody waits for gives way to what somebody waits for.
//!
//! SQLite has one writer. A dozen messages that were sent at once would all stand in its queue before a visitor who books
//! now; so of all work in the background only one transaction at a time asks for it, and a request waits for that one at
//! most. On PostgreSQL nothing is different: transactions run side by side there.

use std::future::Future;

tokio::task_local! {
    static HERE: ();
}

/// Does `work` in the background. Tasks that it spawns are not, unless they say so themselves.
pub async fn in_the_background<T>(work: impl Future<Output = T>) -> T {
    HERE.scope((), work).await
}

/// Whether the caller works in the background.
pub(super) fn is_here() -> bool {
    HERE.try_with(|()| ()).is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::storage::db::{Db, JOURNEY};

    #[tokio::test]
    async fn a_request_waits_for_one_transaction_of_the_background_and_not_for_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = Db::open_sqlite(&folder.path().join("a.db"), JOURNEY).await.expect("opens");
        let held = db.begin().await.expect("begins");
        let done = Arc::new(AtomicUsize::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..10 {
            let (db, done) = (db.clone(), done.clone());
            tasks.spawn(in_the_background(async move {
                let tx = db.begin().await.expect("begins");
                done.fetch_add(1, Ordering::SeqCst);
                tx.commit().await.expect("commits");
            }));
        }
        // All of them ask before the request does.
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        let request = tokio::spawn(async move {
            let tx = db.begin().await.expect("begins");
            let before = done.load(Ordering::SeqCst);
            tx.commit().await.expect("commits");
            before
        });
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        held.commit().await.expect("commits");
        assert_eq!(request.await.expect("no panic"), 1);
        assert_eq!(tasks.join_all().await.len(), 10, "and all of them have their turn");
    }
}
