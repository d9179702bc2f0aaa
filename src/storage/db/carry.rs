//! Everything that one machine keeps in its files, put into an empty PostgreSQL.
//!
//! Tables and columns have the same names on both engines (`tests/it/contracts/db.rs` prepares every statement on both), so
//! nothing is listed here: what there is to carry is read from the target's catalogue, in the order of its references.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use futures_util::pin_mut;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::mpsc;
use tokio_postgres::Client;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use super::sqlite::BUSY;
use super::{Value, bulk};
use crate::storage::{Error, Result};

/// Which steps of the tables' history were taken: each side notes its own.
const LEDGER: &str = "migrations";
/// Tables that PostgreSQL keeps in parts, and the column that says in which.
const PARTED: [(&str, &str); 1] = [("hits", "day")];
/// What gives out numbers there: its name, and whose column of which table it has to go on from.
const SEQUENCES: [(&str, &str, &str); 2] = [("words_id_seq", "words", "id"), ("hits_number", "hits", "seq")];

/// Tables in which the history itself writes a row when it makes them: that of the files takes its place.
const SEEDED: [&str; 1] = ["ended_jobs_since"];

/// A table and how many of its rows were carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// Its name.
    pub table: String,
    /// All that it had.
    pub rows: u64,
}

/// A table of the target.
struct Table {
    name: String,
    columns: Vec<(String, Type)>,
    /// What its rows point at.
    needs: BTreeSet<String>,
}

/// Carries every row of the tables in `files`, which nobody may be writing, into the tables of the PostgreSQL at `url`,
/// which have to be there and empty. All or nothing: it is one transaction. `tell` hears of each table, and of every few
/// thousand rows of it.
///
/// # Errors
/// [`Error::Unavailable`] if a file or the server cannot be read or written, a table has rows already, or the two sides have
/// other tables or columns; [`Error::Conflict`] if PostgreSQL refuses a row.
pub async fn carry(files: &[PathBuf], url: &str, mut tell: impl FnMut(&str, u64)) -> Result<Vec<Carried>> {
    let wrong = |error: tokio_postgres::Error| Error::from(error);
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.map_err(wrong)?;
    let connection = tokio::spawn(connection);
    let carried = all(&client, files, &mut tell).await;
    drop(client);
    // What went wrong was told to whoever waited for an answer.
    let _ = connection.await;
    carried
}

async fn all(client: &Client, files: &[PathBuf], tell: &mut impl FnMut(&str, u64)) -> Result<Vec<Carried>> {
    client.batch_execute("begin").await?;
    let tables = in_order(tables(client).await?)?;
    let sources = sources(files)?;
    let known: BTreeSet<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    if let Some(strange) = sources.keys().find(|name| !known.contains(name.as_str())) {
        return Err(Error::Unavailable(format!("the target has no table `{strange}`")));
    }
    for table in SEEDED {
        client.batch_execute(&format!("delete from {table}")).await?;
    }
    for table in &tables {
        let text = format!("select exists (select 1 from {})", table.name);
        if client.query_one(&text, &[]).await?.get::<_, bool>(0) {
            return Err(Error::Unavailable(format!(
                "the database has rows in `{}` already: name an empty one",
                table.name
            )));
        }
    }
    let mut carried = Vec::with_capacity(tables.len());
    for table in &tables {
        let Some(file) = sources.get(&table.name) else {
            return Err(Error::Unavailable(format!("there is no table `{}` to copy", table.name)));
        };
        tell(&table.name, 0);
        let rows = one(client, file, table, tell).await?;
        let there: i64 = client.query_one(&format!("select count(*) from {}", table.name), &[]).await?.get(0);
        if u64::try_from(there) != Ok(rows) {
            return Err(Error::Unavailable(format!("{there} of {rows} rows of `{}` arrived", table.name)));
        }
        carried.push(Carried { table: table.name.clone(), rows });
    }
    for (sequence, table, column) in SEQUENCES {
        let text = format!(
            "select setval('{sequence}', coalesce(max({column}), 1), max({column}) is not null) from {table}"
        );
        client.query_one(&text, &[]).await?;
    }
    client.batch_execute("commit").await?;
    // Without it the first reports would be planned as for empty tables.
    client.batch_execute("analyze").await?;
    Ok(carried)
}

/// The target's tables: those that programs name, without the parts that PostgreSQL keeps them in.
async fn tables(client: &Client) -> Result<Vec<Table>> {
    let rows = client
        .query(
            "select c.relname, a.attname, a.atttypid
             from pg_class c join pg_attribute a on a.attrelid = c.oid
             where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
                 and a.attnum > 0 and not a.attisdropped and c.relname <> $1
             order by c.relname, a.attnum",
            &[&LEDGER],
        )
        .await?;
    let mut tables: Vec<Table> = Vec::new();
    for row in rows {
        let (name, column, oid): (String, String, u32) = (row.get(0), row.get(1), row.get(2));
        let kind = Type::from_oid(oid)
            .filter(|kind| matches!(*kind, Type::INT8 | Type::TEXT | Type::BYTEA | Type::FLOAT8))
            .ok_or_else(|| {
                Error::Engine(format!("`{name}.{column}` is of a type that SQLite does not have"))
            })?;
        match tables.last_mut().filter(|table| table.name == name) {
            Some(table) => table.columns.push((column, kind)),
            None => tables.push(Table { name, columns: vec![(column, kind)], needs: BTreeSet::new() }),
        }
    }
    let references = client
        .query(
            "select distinct c.relname, f.relname
             from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_class f on f.oid = k.confrelid
             where k.contype = 'f' and c.oid <> f.oid and c.relnamespace = current_schema()::regnamespace",
            &[],
        )
        .await?;
    for row in references {
        let (from, to): (String, String) = (row.get(0), row.get(1));
        if let Some(table) = tables.iter_mut().find(|table| table.name == from) {
            table.needs.insert(to);
        }
    }
    let sequences = client
        .query("select sequencename::text from pg_sequences where schemaname = current_schema()", &[])
        .await?;
    for row in sequences {
        let name: String = row.get(0);
        if !SEQUENCES.iter().any(|known| known.0 == name) {
            return Err(Error::Engine(format!("nobody says from where `{name}` has to go on")));
        }
    }
    Ok(tables)
}

/// Each after those that its rows point at.
fn in_order(mut waiting: Vec<Table>) -> Result<Vec<Table>> {
    let mut ordered: Vec<Table> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_ready = |table: &Table| {
            table.needs.iter().all(|needed| ordered.iter().any(|before| before.name == *needed))
        };
        let Some(next) = waiting.iter().position(is_ready) else {
            let names: Vec<&str> = waiting.iter().map(|table| table.name.as_str()).collect();
            return Err(Error::Engine(format!("these tables point at one another: {}", names.join(", "))));
        };
        ordered.push(waiting.remove(next));
    }
    Ok(ordered)
}

fn open(file: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

/// Which file has which table.
fn sources(files: &[PathBuf]) -> Result<BTreeMap<String, PathBuf>> {
    let mut sources = BTreeMap::new();
    for file in files {
        let connection = open(file)?;
        let mut statement = connection.prepare(
            "select name from sqlite_master where type = 'table' and name not like 'sqlite_%' and name <> ?1",
        )?;
        let names = statement.query_map([LEDGER], |row| row.get::<_, String>(0))?;
        for name in names {
            sources.insert(name?, file.clone());
        }
    }
    Ok(sources)
}

async fn one(client: &Client, file: &Path, table: &Table, tell: &mut impl FnMut(&str, u64)) -> Result<u64> {
    if let Some((_, column)) = PARTED.iter().find(|(name, _)| *name == table.name) {
        make_parts(client, file, &table.name, column).await?;
    }
    let names: Vec<String> = table.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let (names, types) =
        (names.join(", "), table.columns.iter().map(|(_, kind)| kind.clone()).collect::<Vec<_>>());
    let (send, mut read) = mpsc::channel::<Vec<Vec<Value>>>(2);
    let reading = {
        let (file, name, names, columns) =
            (file.to_owned(), table.name.clone(), names.clone(), table.columns.clone());
        tokio::task::spawn_blocking(move || read_all(&file, &name, &names, &columns, &send))
    };
    let sink = client.copy_in(&format!("copy {} ({names}) from stdin binary", table.name)).await?;
    let writer = BinaryCopyInWriter::new(sink, &types);
    pin_mut!(writer);
    let mut rows = 0;
    while let Some(batch) = read.recv().await {
        for row in &batch {
            let binds: Vec<&(dyn ToSql + Sync)> = row.iter().map(|value| value as _).collect();
            writer.as_mut().write(&binds).await?;
            rows += 1;
        }
        tell(&table.name, rows);
    }
    // Whoever could not read to the end left no whole table: then nothing of it may be kept.
    reading.await.map_err(|error| Error::Engine(error.to_string()))??;
    writer.finish().await?;
    Ok(rows)
}

/// The parts of a table have to be there before its rows, so that a day that is too old can be dropped as a whole. A key
/// below zero is none: such rows stand in the part for all others, as where they are written one by one.
async fn make_parts(client: &Client, file: &Path, table: &str, column: &str) -> Result<()> {
    let keys: Vec<i64> = {
        let connection = open(file)?;
        let mut statement =
            connection.prepare(&format!("select distinct {column} from {table} where {column} >= 0"))?;
        let keys = statement.query_map([], |row| row.get(0))?;
        keys.collect::<std::result::Result<_, _>>()?
    };
    for key in keys {
        client.batch_execute(&super::postgres::part(table, key)).await?;
    }
    Ok(())
}

/// Sends all rows of a table, some thousands at a time; ends early where nobody takes them any more.
fn read_all(
    file: &Path,
    table: &str,
    names: &str,
    columns: &[(String, Type)],
    send: &mpsc::Sender<Vec<Vec<Value>>>,
) -> Result<()> {
    let connection = open(file)?;
    let mut statement = connection.prepare(&format!("select {names} from {table}"))?;
    let mut rows = statement.query([])?;
    let mut batch = Vec::with_capacity(bulk::AT_ONCE);
    while let Some(row) = rows.next()? {
        let mut values = Vec::with_capacity(columns.len());
        for (at, (column, kind)) in columns.iter().enumerate() {
            let value = fit(row.get_ref(at)?, kind)
                .ok_or_else(|| Error::Shape { column: format!("{table}.{column}"), wanted: wanted(kind) })?;
            values.push(value);
        }
        batch.push(values);
        if batch.len() == bulk::AT_ONCE {
            let full = std::mem::replace(&mut batch, Vec::with_capacity(bulk::AT_ONCE));
            if send.blocking_send(full).is_err() {
                return Ok(());
            }
        }
    }
    // The last ones, or nobody who takes them.
    let _ = send.blocking_send(batch);
    Ok(())
}

fn wanted(kind: &Type) -> &'static str {
    match *kind {
        Type::INT8 => "an integer",
        Type::FLOAT8 => "a number",
        Type::BYTEA => "bytes",
        _ => "a text",
    }
}

/// What SQLite keeps, as a column of this type takes it: SQLite holds a column to its type only where it can.
fn fit(value: ValueRef<'_>, kind: &Type) -> Option<Value> {
    Some(match (value, kind) {
        (ValueRef::Null, _) => Value::Null,
        (ValueRef::Integer(number), &Type::INT8 | &Type::FLOAT8) => Value::Int(number),
        (ValueRef::Integer(number), &Type::TEXT) => Value::Text(number.to_string()),
        (ValueRef::Real(number), &Type::FLOAT8) => Value::Real(number),
        (ValueRef::Real(number), &Type::TEXT) => Value::Text(number.to_string()),
        (ValueRef::Text(bytes), &Type::TEXT) => Value::from(std::str::from_utf8(bytes).ok()?),
        (ValueRef::Text(bytes) | ValueRef::Blob(bytes), &Type::BYTEA) => Value::Bytes(bytes.to_vec()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, needs: &[&str]) -> Table {
        let needs = needs.iter().map(|name| (*name).to_owned()).collect();
        Table { name: name.to_owned(), columns: Vec::new(), needs }
    }

    #[test]
    fn a_table_comes_after_those_that_it_points_at() {
        let tables = vec![
            table("people", &["accounts", "deals"]),
            table("deals", &["accounts"]),
            table("accounts", &[]),
        ];
        let names: Vec<String> =
            in_order(tables).expect("an order").into_iter().map(|table| table.name).collect();
        assert_eq!(names, ["accounts", "deals", "people"]);
        assert!(in_order(vec![table("a", &["b"]), table("b", &["a"])]).is_err());
    }

    #[test]
    fn what_does_not_fit_is_not_carried_as_something_else() {
        assert_eq!(fit(ValueRef::Integer(7), &Type::TEXT), Some(Value::Text("7".to_owned())));
        assert_eq!(fit(ValueRef::Text(b"a\0b"), &Type::TEXT), Some(Value::Text("ab".to_owned())));
        assert_eq!(fit(ValueRef::Integer(7), &Type::FLOAT8), Some(Value::Int(7)));
        assert_eq!(fit(ValueRef::Null, &Type::INT8), Some(Value::Null));
        assert_eq!(fit(ValueRef::Text(b"seven"), &Type::INT8), None);
        assert_eq!(fit(ValueRef::Real(0.5), &Type::INT8), None);
        assert_eq!(fit(ValueRef::Text(b"\xff"), &Type::TEXT), None);
        assert_eq!(fit(ValueRef::Blob(b"x"), &Type::TEXT), None);
    }
}
