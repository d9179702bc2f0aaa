//! PostgreSQL through a pool of connections, each with its cache of prepared statements.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use futures_util::pin_mut;
use tokio::sync::Notify;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};
use tokio_postgres::{NoTls, Statement};

use super::bulk::{Bulk, Kind, Known, Rows};
use super::{Migration, Row, Sql, Value, dialect, migrate};
use crate::storage::{Error, Result};

/// How long somebody waits for a connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// A handle to one server.
#[derive(Clone)]
pub struct Postgres {
    pool: Pool,
    pub(super) bell: Arc<Notify>,
}

impl Postgres {
    pub(super) async fn open(url: &str, pool_size: usize, migrations: &'static [Migration]) -> Result<Self> {
        let config: tokio_postgres::Config = url
            .parse()
            .map_err(|_| Error::Unavailable("the PostgreSQL address cannot be read".to_owned()))?;
        let manager =
            Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager)
            .max_size(pool_size)
            .runtime(Runtime::Tokio1)
            // Longer than any queue that moves: whoever waits for so long waits for herself, and is told to come again.
            .wait_timeout(Some(PATIENCE))
            .build()
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        let postgres = Self { pool, bell: Arc::default() };
        postgres.bring_up_to_date(migrations).await?;
        Ok(postgres)
    }

    pub(super) async fn query(&self, sql: Sql, params: &[Value]) -> Result<Vec<Row>> {
        let connection = self.pool.get().await?;
        query(&connection, sql, params).await
    }

    pub(super) async fn pick(&self, bulk: &Bulk, keys: &Rows) -> Result<Vec<Row>> {
        let connection = self.pool.get().await?;
        let statement = connection.prepare_cached(&bulk.postgres_pick()).await?;
        let columns = bulk.key_columns().len();
        let arrays: Vec<Vec<&Value>> =
            (0..columns).map(|at| keys.iter().filter_map(|key| key.get(at)).collect()).collect();
        let binds: Vec<&(dyn ToSql + Sync)> = arrays.iter().map(|array| array as _).collect();
        let rows = connection.query(&statement, &binds).await?;
        rows_of(&statement, &rows)
    }

    pub(super) async fn begin(&self) -> Result<PostgresTx> {
        let tx = PostgresTx { connection: Some(self.pool.get().await?) };
        // Whoever asks may be gone before the answer is there (a browser that hangs up): then what is begun is undone.
        tx.connection()?.batch_execute("begin").await?;
        Ok(tx)
    }

    pub(super) async fn prepare(&self, text: &str) -> Result<()> {
        let connection = self.pool.get().await?;
        connection.prepare(&dialect::postgres(text)).await?;
        Ok(())
    }

    async fn bring_up_to_date(&self, migrations: &[Migration]) -> Result<()> {
        let mut tx = self.begin().await?;
        // Nodes that start together must not migrate together.
        tx.lock("migrations").await?;
        tx.batch(migrate::LEDGER).await?;
        for step in migrations {
            let connection = tx.connection()?;
            let done =
                connection.query("select 1 from migrations where number = $1", &[&step.number]).await?;
            if done.is_empty() {
                connection.batch_execute(step.postgres).await?;
                connection
                    .execute(
                        "insert into migrations (number, name) values ($1, $2)",
                        &[&step.number, &step.name],
                    )
                    .await?;
            }
        }
        tx.commit().await
    }
}

/// The statement that makes sure of the partition of a number.
pub(super) fn part(table: &str, key: i64) -> String {
    let next = key.saturating_add(1);
    format!(
        "create table if not exists {table}_{key} partition of {table} for values from ({key}) to ({next})"
    )
}

/// A connection, held for one transaction.
pub struct PostgresTx {
    /// Empty only after the end.
    connection: Option<Object>,
}

impl PostgresTx {
    fn connection(&self) -> Result<&Object> {
        self.connection.as_ref().ok_or_else(|| Error::Engine("the transaction has ended".to_owned()))
    }

    pub(super) async fn query(&mut self, sql: Sql, params: &[Value]) -> Result<Vec<Row>> {
        query(self.connection()?, sql, params).await
    }

    pub(super) async fn execute(&mut self, sql: Sql, params: &[Value]) -> Result<u64> {
        let connection = self.connection()?;
        let statement = connection.prepare_cached(&dialect::POSTGRES.of(sql)).await?;
        let binds: Vec<&(dyn ToSql + Sync)> = params.iter().map(|value| value as _).collect();
        Ok(connection.execute(&statement, &binds).await?)
    }

    pub(super) async fn take(&mut self, bulk: &Bulk, known: Known, rows: Rows) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let connection = self.connection()?;
        let [make, copy, carry] = bulk.postgres(known);
        connection.batch_execute(&make).await?;
        let kinds = bulk.columns.iter().map(|column| match column.1 {
            Kind::Int => Type::INT8,
            Kind::Text => Type::TEXT,
            Kind::Bytes => Type::BYTEA,
        });
        let types: Vec<Type> = kinds.chain(std::iter::once(Type::INT8)).collect();
        let sink = connection.copy_in(&copy).await?;
        let writer = BinaryCopyInWriter::new(sink, &types);
        pin_mut!(writer);
        for (number, mut row) in (0_i64..).zip(rows) {
            row.push(Value::Int(number));
            let binds: Vec<&(dyn ToSql + Sync)> = row.iter().map(|value| value as _).collect();
            writer.as_mut().write(&binds).await?;
        }
        writer.finish().await?;
        let statement = connection.prepare_cached(&carry).await?;
        connection.execute(&statement, &[]).await?;
        Ok(())
    }

    pub(super) async fn partition(&mut self, table: &str, key: i64) -> Result<()> {
        self.batch(&part(table, key)).await
    }

    pub(super) async fn batch(&mut self, text: &str) -> Result<()> {
        Ok(self.connection()?.batch_execute(text).await?)
    }

    pub(super) async fn lock(&mut self, name: &str) -> Result<()> {
        let connection = self.connection()?;
        let statement =
            connection.prepare_cached("select pg_advisory_xact_lock(hashtextextended($1, 0))").await?;
        connection.query(&statement, &[&name]).await?;
        Ok(())
    }

    pub(super) async fn commit(mut self) -> Result<()> {
        let connection =
            self.connection.take().ok_or_else(|| Error::Engine("the transaction has ended".to_owned()))?;
        match connection.batch_execute("commit").await {
            Ok(()) => Ok(()),
            Err(error) => {
                // Its state is not known: it must not go back to the pool.
                drop(Object::take(connection));
                Err(error.into())
            }
        }
    }
}

impl Drop for PostgresTx {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(async move {
                    if connection.batch_execute("rollback").await.is_err() {
                        drop(Object::take(connection));
                    }
                });
            }
            // Closing the connection undoes the transaction as well.
            Err(_) => drop(Object::take(connection)),
        }
    }
}

async fn query(connection: &Object, sql: Sql, params: &[Value]) -> Result<Vec<Row>> {
    let statement = connection.prepare_cached(&dialect::POSTGRES.of(sql)).await?;
    let binds: Vec<&(dyn ToSql + Sync)> = params.iter().map(|value| value as _).collect();
    let rows = connection.query(&statement, &binds).await?;
    rows_of(&statement, &rows)
}

fn rows_of(statement: &Statement, rows: &[tokio_postgres::Row]) -> Result<Vec<Row>> {
    let names: Arc<[String]> = statement.columns().iter().map(|column| column.name().to_owned()).collect();
    rows.iter()
        .map(|row| {
            let values = (0..names.len()).map(|at| Ok(row.try_get(at)?)).collect::<Result<Vec<Value>>>()?;
            Ok(Row::new(names.clone(), values))
        })
        .collect()
}

type Boxed = Box<dyn StdError + Sync + Send>;

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Boxed> {
        match (self, ty) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Int(number), &Type::INT8) => number.to_sql(ty, out),
            (Self::Int(number), &Type::INT4) => i32::try_from(*number)?.to_sql(ty, out),
            (Self::Int(number), &Type::BOOL) => (*number != 0).to_sql(ty, out),
            #[allow(clippy::cast_precision_loss, reason = "counts and seconds stay far below 2^53")]
            (Self::Int(number), &Type::FLOAT8) => (*number as f64).to_sql(ty, out),
            (Self::Real(number), &Type::FLOAT8) => number.to_sql(ty, out),
            (Self::Text(text), _) => text.to_sql(ty, out),
            (Self::Bytes(bytes), _) => bytes.to_sql(ty, out),
            (Self::Id(bytes), _) => bytes.as_slice().to_sql(ty, out),
            (value, ty) => Err(format!("a bind of type {ty} cannot take {value:?}").into()),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(
            *ty,
            Type::INT8
                | Type::INT4
                | Type::BOOL
                | Type::FLOAT8
                | Type::TEXT
                | Type::VARCHAR
                | Type::NAME
                | Type::BYTEA
                | Type::UNKNOWN
        )
    }

    tokio_postgres::types::to_sql_checked!();
}

impl FromSql<'_> for Value {
    fn from_sql(ty: &Type, raw: &[u8]) -> std::result::Result<Self, Boxed> {
        match *ty {
            Type::INT8 => i64::from_sql(ty, raw).map(Self::Int),
            Type::INT4 => i32::from_sql(ty, raw).map(|number| Self::Int(number.into())),
            Type::BOOL => bool::from_sql(ty, raw).map(|flag| Self::Int(flag.into())),
            Type::FLOAT8 => f64::from_sql(ty, raw).map(Self::Real),
            Type::BYTEA => <&[u8]>::from_sql(ty, raw).map(|bytes| Self::Bytes(bytes.to_vec())),
            _ => String::from_sql(ty, raw).map(Self::Text),
        }
    }

    fn from_sql_null(_: &Type) -> std::result::Result<Self, Boxed> {
        Ok(Self::Null)
    }

    fn accepts(ty: &Type) -> bool {
        <Self as ToSql>::accepts(ty)
    }
}
