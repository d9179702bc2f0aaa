//! SQL on SQLite or PostgreSQL: one concrete [`Db`], one text per statement.
//!
//! A statement is written once with [`sql!`](crate::sql), binds `$1…`, and holds no engine's own words but those of
//! [`dialect`]. Reads go through [`Db::read`]; everything that changes rows goes through a [`Tx`].

pub mod bulk;

mod background;
mod carry;
mod copy;
mod dialect;
mod migrate;
mod postgres;
mod row;
mod sqlite;
mod value;

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

pub use background::in_the_background;
pub use carry::{Carried, carry};
pub use copy::copy;
pub use migrate::{HITS, JOURNEY, Migration};
pub use row::{FromValue, Row};
use tokio::sync::Notify;
pub use value::{Packed, Value};

use super::Result;

/// A statement's text. Made by [`sql!`](crate::sql), so that a test can find and prepare every one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sql(pub &'static str);

/// Writes a statement. The text must be a literal: `tests/it/contracts/db.rs` prepares each on both engines.
#[macro_export]
macro_rules! sql {
    ($text:literal) => {
        $crate::storage::db::Sql($text)
    };
}

/// The values of a statement's binds, in order.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$($crate::storage::db::Value::from($value)),*]
    };
}

/// The database of one deployment.
#[derive(Clone)]
pub enum Db {
    /// One file on this machine.
    Sqlite(sqlite::Sqlite),
    /// A server that many nodes share.
    Postgres(postgres::Postgres),
}

/// What can run statements: a [`Tx`], or [`Reads`] outside of one.
pub trait Queries: Send {
    /// Runs a statement and returns its rows.
    fn query(&mut self, sql: Sql, params: &[Value]) -> impl Future<Output = Result<Vec<Row>>> + Send;

    /// Runs a statement and returns its first row, if there is one.
    fn query_opt(&mut self, sql: Sql, params: &[Value]) -> impl Future<Output = Result<Option<Row>>> + Send {
        async move { Ok(self.query(sql, params).await?.into_iter().next()) }
    }
}

impl Db {
    /// Opens (and makes, if need be) the file at `path` and brings its tables up to date.
    ///
    /// # Errors
    /// [`Unavailable`](super::Error::Unavailable) if the file cannot be opened, [`Engine`](super::Error::Engine) if a
    /// migration fails.
    pub async fn open_sqlite(path: &Path, migrations: &'static [Migration]) -> Result<Self> {
        let sqlite = sqlite::Sqlite::open(path, migrations, None).await?;
        Ok(Self::Sqlite(sqlite))
    }

    /// As [`open_sqlite`](Db::open_sqlite); statements also read the tables of the file `beside`, which has to be there,
    /// as they would stand in the same database on PostgreSQL.
    ///
    /// # Errors
    /// As [`open_sqlite`](Db::open_sqlite).
    pub async fn open_sqlite_beside(
        path: &Path,
        beside: &Path,
        migrations: &'static [Migration],
    ) -> Result<Self> {
        let sqlite = sqlite::Sqlite::open(path, migrations, Some(beside)).await?;
        Ok(Self::Sqlite(sqlite))
    }

    /// Connects to the PostgreSQL server at `url` and brings its tables up to date.
    ///
    /// # Errors
    /// [`Unavailable`](super::Error::Unavailable) if the server cannot be reached.
    pub async fn open_postgres(
        url: &str,
        pool_size: usize,
        migrations: &'static [Migration],
    ) -> Result<Self> {
        let postgres = postgres::Postgres::open(url, pool_size, migrations).await?;
        Ok(Self::Postgres(postgres))
    }

    /// A handle for reads outside of a transaction.
    pub fn read(&self) -> Reads<'_> {
        Reads(self)
    }

    /// The rows of these keys, as far as there are any, in no order. The columns are those of `bulk`.
    ///
    /// # Errors
    /// As the engine says.
    pub async fn pick(&self, bulk: &bulk::Bulk, keys: bulk::Rows) -> Result<Vec<Row>> {
        match self {
            _ if keys.is_empty() => Ok(Vec::new()),
            Self::Sqlite(db) => db.pick(bulk, keys).await,
            Self::Postgres(db) => db.pick(bulk, &keys).await,
        }
    }

    /// Begins a transaction. On SQLite it is the only writer until it ends (`begin immediate`).
    ///
    /// # Errors
    /// [`Unavailable`](super::Error::Unavailable) if no connection can be had.
    pub async fn begin(&self) -> Result<Tx> {
        Ok(match self {
            Self::Sqlite(db) => Tx(Inner::Sqlite(db.begin().await?), Bell::new(&db.bell)),
            Self::Postgres(db) => Tx(Inner::Postgres(Box::new(db.begin().await?)), Bell::new(&db.bell)),
        })
    }

    /// Runs one changing statement in a transaction of its own; returns the number of rows it touched.
    ///
    /// # Errors
    /// As the engine says.
    pub async fn execute(&self, sql: Sql, params: &[Value]) -> Result<u64> {
        let mut tx = self.begin().await?;
        let touched = tx.execute(sql, params).await?;
        tx.commit().await?;
        Ok(touched)
    }

    /// Whether [`Tx::append`] tells which rows are new.
    pub fn tells_new_rows(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    /// Takes out of the files what deleted rows held, as far as it is in our power; returns whether nothing is left. SQLite
    /// overwrites what is deleted, and its log is emptied here. PostgreSQL writes over dead rows when it wants to.
    ///
    /// # Errors
    /// As the engine says.
    pub async fn leave_nothing_behind(&self) -> Result<bool> {
        match self {
            Self::Sqlite(db) => db.leave_nothing_behind().await,
            Self::Postgres(_) => Ok(false),
        }
    }

    /// Prepares a statement without running it. For the test that holds every statement against both engines.
    ///
    /// # Errors
    /// What the engine dislikes about the text.
    pub async fn prepare(&self, text: &str) -> Result<()> {
        match self {
            Self::Sqlite(db) => db.prepare(text).await,
            Self::Postgres(db) => db.prepare(text).await,
        }
    }

    /// Whether the engine answers.
    ///
    /// # Errors
    /// [`Unavailable`](super::Error::Unavailable) if it does not.
    pub async fn ping(&self) -> Result<()> {
        self.read().query(crate::sql!("select 1 as one"), &[]).await.map(drop)
    }

    /// Waits until a transaction of this process that [rings](Tx::ring) is committed, or was since the last time. One
    /// waits; rings that come together count once.
    pub async fn rung(&self) {
        match self {
            Self::Sqlite(db) => db.bell.notified().await,
            Self::Postgres(db) => db.bell.notified().await,
        }
    }

    /// The engine's name, for people.
    pub fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }
}

/// Reads outside of a transaction.
#[derive(Clone, Copy)]
pub struct Reads<'a>(&'a Db);

impl Queries for Reads<'_> {
    async fn query(&mut self, sql: Sql, params: &[Value]) -> Result<Vec<Row>> {
        match self.0 {
            Db::Sqlite(db) => db.query(sql, params).await,
            Db::Postgres(db) => db.query(sql, params).await,
        }
    }
}

/// A transaction. Dropping it without [`commit`](Tx::commit) undoes everything.
pub struct Tx(Inner, Bell);

/// Whether somebody waits for what a transaction writes.
struct Bell {
    bell: Arc<Notify>,
    is_to_ring: bool,
}

impl Bell {
    fn new(bell: &Arc<Notify>) -> Self {
        Self { bell: bell.clone(), is_to_ring: false }
    }
}

enum Inner {
    Sqlite(sqlite::SqliteTx),
    Postgres(Box<postgres::PostgresTx>),
}

impl Queries for Tx {
    async fn query(&mut self, sql: Sql, params: &[Value]) -> Result<Vec<Row>> {
        match &mut self.0 {
            Inner::Sqlite(tx) => tx.query(sql, params).await,
            Inner::Postgres(tx) => tx.query(sql, params).await,
        }
    }
}

impl Tx {
    /// Runs a changing statement and returns the number of rows it touched.
    ///
    /// # Errors
    /// [`Conflict`](super::Error::Conflict) if a constraint refuses. On PostgreSQL the transaction is then void unless
    /// the statement stood after a [`savepoint`](Self::savepoint).
    pub async fn execute(&mut self, sql: Sql, params: &[Value]) -> Result<u64> {
        match &mut self.0 {
            Inner::Sqlite(tx) => tx.execute(sql, params).await,
            Inner::Postgres(tx) => tx.execute(sql, params).await,
        }
    }

    /// Appends many rows; those whose key is known are passed over. The numbers that the table gives rise in the order
    /// of the rows. `binds` adds a row's values to a list. SQLite tells which rows are new, each with its number.
    ///
    /// # Errors
    /// As the engine says.
    pub async fn append<R: Send + 'static>(
        &mut self,
        bulk: &bulk::Bulk,
        rows: Vec<R>,
        binds: fn(&R, &mut Vec<Value>),
    ) -> Result<Option<Vec<(i64, R)>>> {
        match &mut self.0 {
            Inner::Sqlite(tx) => tx.append(bulk, rows, binds).await.map(Some),
            Inner::Postgres(tx) => {
                let rows = rows.iter().map(|row| {
                    let mut values = Vec::with_capacity(bulk.columns.len() + 1);
                    binds(row, &mut values);
                    values
                });
                let rows = rows.collect();
                tx.take(bulk, bulk::Known::Stays, rows).await.map(|()| None)
            }
        }
    }

    /// Puts many rows, each with a key of its own, in the place of those with the same keys.
    ///
    /// # Errors
    /// As the engine says.
    pub async fn put(&mut self, bulk: &bulk::Bulk, rows: bulk::Rows) -> Result<()> {
        match &mut self.0 {
            Inner::Sqlite(tx) => tx.put(bulk, rows).await,
            Inner::Postgres(tx) => tx.take(bulk, bulk::Known::IsReplaced, rows).await,
        }
    }

    /// Makes sure that a table that is partitioned by a number has the partition of this one. SQLite has none.
    ///
    /// # Errors
    /// As the engine says.
    pub async fn partition(&mut self, table: &'static str, key: i64) -> Result<()> {
        match &mut self.0 {
            Inner::Sqlite(_) => Ok(()),
            Inner::Postgres(tx) => tx.partition(table, key).await,
        }
    }

    /// Drops the partition of a number, with its rows, where there is one. SQLite has none.
    ///
    /// # Errors
    /// As the engine says.
    pub async fn drop_partition(&mut self, table: &'static str, key: i64) -> Result<()> {
        match &mut self.0 {
            Inner::Sqlite(_) => Ok(()),
            Inner::Postgres(tx) => tx.batch(&format!("drop table if exists {table}_{key}")).await,
        }
    }

    /// Waits until no other transaction holds the lock of this name; held until the end. SQLite has one writer anyway.
    ///
    /// # Errors
    /// As the engine says.
    pub async fn lock(&mut self, name: &str) -> Result<()> {
        match &mut self.0 {
            Inner::Sqlite(_) => Ok(()),
            Inner::Postgres(tx) => tx.lock(name).await,
        }
    }

    /// Marks a point that [`rollback_to_savepoint`](Self::rollback_to_savepoint) returns to.
    ///
    /// # Errors
    /// As the engine says.
    pub async fn savepoint(&mut self) -> Result<()> {
        self.batch("savepoint s").await
    }

    /// Undoes what was done since the last [`savepoint`](Self::savepoint).
    ///
    /// # Errors
    /// As the engine says.
    pub async fn rollback_to_savepoint(&mut self) -> Result<()> {
        self.batch("rollback to savepoint s").await
    }

    async fn batch(&mut self, text: &'static str) -> Result<()> {
        match &mut self.0 {
            Inner::Sqlite(tx) => tx.batch(text).await,
            Inner::Postgres(tx) => tx.batch(text).await,
        }
    }

    /// Makes it all true, durably.
    ///
    /// # Errors
    /// As the engine says; then nothing of it is true.
    pub async fn commit(self) -> Result<()> {
        match self.0 {
            Inner::Sqlite(tx) => tx.commit().await,
            Inner::Postgres(tx) => tx.commit().await,
        }?;
        if self.1.is_to_ring {
            self.1.bell.notify_one();
        }
        Ok(())
    }

    /// Rings when this is committed: [`Db::rung`] returns. Only a wake-up; the truth stands in the rows.
    pub fn ring(&mut self) {
        self.1.is_to_ring = true;
    }
}
