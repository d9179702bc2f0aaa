//! A connection and the thread that works on it.

use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::storage::{Error, Result};

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A connection on its own thread. The thread ends when the handle is dropped.
pub struct Thread {
    jobs: mpsc::UnboundedSender<Job>,
    connection: Arc<Mutex<Connection>>,
}

impl Thread {
    pub(super) fn start(name: &str, connection: Connection) -> Result<Self> {
        let (sender, mut jobs) = mpsc::unbounded_channel::<Job>();
        let connection = Arc::new(Mutex::new(connection));
        let own = connection.clone();
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                while let Some(job) = jobs.blocking_recv() {
                    let Ok(mut connection) = own.lock() else { return };
                    job(&mut connection);
                }
            })
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Self { jobs: sender, connection })
    }

    pub(super) fn post(&self, job: Job) {
        // Fails only when the thread is gone, and with it the connection and its transaction.
        drop(self.jobs.send(job));
    }

    /// Has the thread do `job`, after what it was given before.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, answer) = oneshot::channel();
        self.post(Box::new(move |connection| drop(sender.send(job(connection)))));
        answer.await.map_err(|_| ended())?
    }

    /// Does a short `job` without the thread, unless that is at work: with what somebody wanted who did not stay for the
    /// answer.
    pub(super) async fn run_here<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if let Some(mut connection) = self.idle()? {
            return job(&mut connection);
        }
        self.run(job).await
    }

    fn idle(&self) -> Result<Option<MutexGuard<'_, Connection>>> {
        match self.connection.try_lock() {
            Ok(connection) => Ok(Some(connection)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Poisoned(_)) => Err(ended()),
        }
    }
}

fn ended() -> Error {
    Error::Unavailable("the connection's thread has ended".to_owned())
}
