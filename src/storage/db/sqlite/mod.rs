//! SQLite: one writing connection, a few reading ones, each with a thread of its own.
//!
//! `rusqlite` blocks, so what may take long (a report, whatever waits for the disk or for another process) is done by the
//! connection's thread, and nothing blocks those who answer requests. The short statements between a transaction's begin
//! and its end are done by whoever wants them: they take less time than to tell another thread. The writer is behind a
//! queue: whoever holds it has the only transaction.

mod checkpoint;
mod thread;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql};
use tokio::sync::{Mutex, Notify, OwnedMutexGuard};

use self::checkpoint::Turns;
use self::thread::Thread;
use super::bulk::{Bulk, Known, Rows};
use super::{Migration, Row, Sql, Value, background, dialect, migrate};
use crate::storage::{Error, Result};

const READERS: usize = 4;
/// How long a connection waits for others that write.
pub(super) const BUSY: std::time::Duration = std::time::Duration::from_secs(5);
const STATEMENT_CACHE: usize = 256;
const WRITER_CACHE_KIB: i64 = 32_768;

/// A handle to one file.
#[derive(Clone)]
pub struct Sqlite {
    writer: Arc<Mutex<Thread>>,
    readers: Arc<[Thread]>,
    next_reader: Arc<AtomicUsize>,
    /// Whoever works in the background has this before asking for the writer.
    background: Arc<Mutex<()>>,
    copying: Arc<std::sync::Mutex<()>>,
    pub(super) bell: Arc<Notify>,
}

impl Sqlite {
    pub(super) async fn open(
        path: &Path,
        migrations: &'static [Migration],
        beside: Option<&Path>,
    ) -> Result<Self> {
        let beside = beside.map(address_of).transpose()?;
        let writer = Thread::start("sqlite-writer", open(path, false)?)?;
        let attached = beside.clone();
        writer
            .run(move |connection| {
                bring_up_to_date(connection, migrations)?;
                attach(connection, attached.as_deref())
            })
            .await?;
        let readers = (0..READERS)
            .map(|_| Thread::start("sqlite-reader", open(path, true)?))
            .collect::<Result<Vec<_>>>()?;
        for reader in &readers {
            let attached = beside.clone();
            reader.run(move |connection| attach(connection, attached.as_deref())).await?;
        }
        let (writer, background) = (Arc::new(Mutex::new(writer)), Arc::new(Mutex::new(())));
        let copying = Arc::default();
        let turns = Turns {
            background: background.clone(),
            writer: Arc::downgrade(&writer),
            copying: Arc::clone(&copying),
        };
        let due = checkpoint::start(path, turns)?;
        writer.lock().await.run(move |connection| checkpoint::watch(connection, due)).await?;
        Ok(Self {
            writer,
            readers: readers.into(),
            next_reader: Arc::new(AtomicUsize::new(0)),
            background,
            copying,
            bell: Arc::default(),
        })
    }

    pub(super) async fn query(&self, sql: Sql, params: &[Value]) -> Result<Vec<Row>> {
        let params = params.to_vec();
        self.reader().run(move |connection| query(connection, sql, &params)).await
    }

    pub(super) async fn pick(&self, bulk: &Bulk, keys: Rows) -> Result<Vec<Row>> {
        let text = bulk.sqlite_pick();
        self.reader()
            .run(move |connection| {
                let mut statement = connection.prepare_cached(&text)?;
                let names: Arc<[String]> = statement.column_names().map(str::to_owned).collect();
                let mut found = Vec::new();
                for key in &keys {
                    let mut rows = statement.query(rusqlite::params_from_iter(key))?;
                    if let Some(row) = rows.next()? {
                        found.push(row_of(row, &names)?);
                    }
                }
                Ok(found)
            })
            .await
    }

    fn reader(&self) -> &Thread {
        let turn = self.next_reader.fetch_add(1, Ordering::Relaxed) % self.readers.len();
        self.readers.get(turn).expect("the remainder is below the number of readers")
    }

    pub(super) async fn begin(&self) -> Result<SqliteTx> {
        // The writer is given out in the order in which it was asked for.
        let turn = match background::is_here() {
            true => Some(self.background.clone().lock_owned().await),
            false => None,
        };
        let thread = self.writer.clone().lock_owned().await;
        // Whoever asks may be gone before the answer is there (a browser that hangs up): then what is begun is undone.
        let tx = SqliteTx { thread, is_open: true, _turn: turn };
        tx.thread.run(|connection| Ok(connection.execute_batch("begin immediate")?)).await?;
        Ok(tx)
    }

    /// Carries everything over to the file, and empties the log of what it was before. Waits for readers, up to the busy
    /// time-out; returns whether it is done.
    pub(super) async fn leave_nothing_behind(&self) -> Result<bool> {
        let thread = self.writer.clone().lock_owned().await;
        let copying = self.copying.clone();
        thread
            .run(move |connection| {
                // Only one at a time can carry over, and nobody waits for the other by himself.
                let _copying = copying.lock().unwrap_or_else(PoisonError::into_inner);
                let is_busy: i64 =
                    connection.query_row("pragma main.wal_checkpoint(truncate)", [], |row| row.get(0))?;
                Ok(is_busy == 0)
            })
            .await
    }

    pub(super) async fn prepare(&self, text: &str) -> Result<()> {
        let text = dialect::sqlite(text);
        self.writer.lock().await.run(move |connection| Ok(connection.prepare(&text).map(drop)?)).await
    }
}

/// The writer, held for one transaction.
pub struct SqliteTx {
    thread: OwnedMutexGuard<Thread>,
    is_open: bool,
    _turn: Option<OwnedMutexGuard<()>>,
}

impl SqliteTx {
    pub(super) async fn query(&mut self, sql: Sql, params: &[Value]) -> Result<Vec<Row>> {
        let params = params.to_vec();
        self.thread.run_here(move |connection| query(connection, sql, &params)).await
    }

    pub(super) async fn execute(&mut self, sql: Sql, params: &[Value]) -> Result<u64> {
        let params = params.to_vec();
        self.thread
            .run_here(move |connection| {
                let touched = connection
                    .prepare_cached(&dialect::SQLITE.of(sql))?
                    .execute(rusqlite::params_from_iter(&params))?;
                Ok(u64::try_from(touched).unwrap_or(u64::MAX))
            })
            .await
    }

    pub(super) async fn append<R: Send + 'static>(
        &mut self,
        bulk: &Bulk,
        rows: Vec<R>,
        binds: fn(&R, &mut Vec<Value>),
    ) -> Result<Vec<(i64, R)>> {
        let text = bulk.sqlite(Known::Stays);
        self.thread
            .run(move |connection| {
                let mut statement = connection.prepare_cached(&text)?;
                let (mut new, mut values) = (Vec::with_capacity(rows.len()), Vec::new());
                for row in rows {
                    values.clear();
                    binds(&row, &mut values);
                    if statement.execute(rusqlite::params_from_iter(&values))? > 0 {
                        new.push((connection.last_insert_rowid(), row));
                    }
                }
                Ok(new)
            })
            .await
    }

    pub(super) async fn put(&mut self, bulk: &Bulk, rows: Rows) -> Result<()> {
        let text = bulk.sqlite(Known::IsReplaced);
        self.thread
            .run(move |connection| {
                let mut statement = connection.prepare_cached(&text)?;
                for row in &rows {
                    statement.execute(rusqlite::params_from_iter(row))?;
                }
                Ok(())
            })
            .await
    }

    pub(super) async fn batch(&mut self, text: &'static str) -> Result<()> {
        self.thread.run(move |connection| Ok(connection.execute_batch(text)?)).await
    }

    pub(super) async fn commit(mut self) -> Result<()> {
        self.thread.run(|connection| Ok(connection.execute_batch("commit")?)).await?;
        self.is_open = false;
        Ok(())
    }
}

impl Drop for SqliteTx {
    fn drop(&mut self) {
        if self.is_open {
            // The thread takes jobs in order: the next transaction begins after this one is undone.
            self.thread.post(Box::new(|connection| {
                // Not begun, or committed after all while nobody waited for it.
                if connection.is_autocommit() {
                    return;
                }
                if let Err(error) = connection.execute_batch("rollback") {
                    tracing::warn!(error = %error, "could not undo a transaction");
                }
            }));
        }
    }
}

fn open(path: &Path, is_reader: bool) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI
        | if is_reader {
            OpenFlags::SQLITE_OPEN_READ_ONLY
        } else {
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
        };
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    connection.busy_timeout(BUSY)?;
    if !is_reader {
        // The ends of several indexes and what is being changed have to stay in memory, or every row reads pages again.
        connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
        // FULL: a commit is on the disk before it is acknowledged, also if the power fails. What is deleted is overwritten:
        // whoever was forgotten must not be read from the file's free pages.
        connection.execute_batch(
            "pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on;
             pragma journal_size_limit = 67108864; pragma secure_delete = on;",
        )?;
    }
    Ok(connection)
}

/// The address under which a file is attached for reading only.
fn address_of(path: &Path) -> Result<String> {
    let path = std::path::absolute(path).map_err(|error| Error::Unavailable(error.to_string()))?;
    let mut address = url::Url::from_file_path(&path)
        .map_err(|()| Error::Unavailable(format!("{} is no path of a file", path.display())))?;
    address.set_query(Some("mode=ro"));
    Ok(address.into())
}

/// Lets statements read another file's tables as if they were this one's.
fn attach(connection: &Connection, address: Option<&str>) -> Result<()> {
    if let Some(address) = address {
        connection.execute("attach ?1 as beside", [address])?;
    }
    Ok(())
}

fn bring_up_to_date(connection: &mut Connection, migrations: &[Migration]) -> Result<()> {
    let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    tx.execute_batch(migrate::LEDGER)?;
    for step in migrations {
        let is_done: bool = tx.query_row(
            "select exists (select 1 from migrations where number = ?1)",
            [step.number],
            |row| row.get(0),
        )?;
        if !is_done {
            tx.execute_batch(step.sqlite)?;
            tx.execute("insert into migrations (number, name) values (?1, ?2)", (step.number, step.name))?;
        }
    }
    Ok(tx.commit()?)
}

fn query(connection: &Connection, sql: Sql, params: &[Value]) -> Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(&dialect::SQLITE.of(sql))?;
    let names: Arc<[String]> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query(rusqlite::params_from_iter(params))?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        out.push(row_of(row, &names)?);
    }
    Ok(out)
}

fn row_of(row: &rusqlite::Row<'_>, names: &Arc<[String]>) -> Result<Row> {
    // The number is known, and one allocation less for each of ten thousand rows is worth a line.
    let mut values = Vec::with_capacity(names.len());
    for at in 0..names.len() {
        values.push(read(row.get_ref(at)?));
    }
    Ok(Row::new(names.clone(), values))
}

fn read(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => Value::Text(match std::str::from_utf8(text) {
            Ok(text) => text.to_owned(),
            Err(_) => String::from_utf8_lossy(text).into_owned(),
        }),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
            Self::Id(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
