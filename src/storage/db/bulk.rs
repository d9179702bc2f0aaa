//! Many rows at once: a prepared statement in one call on SQLite, binary `COPY` on PostgreSQL.

use super::Value;

/// A table that takes many rows at once, and skips those whose key it knows.
#[derive(Debug, Clone, Copy)]
pub struct Bulk {
    /// Its name.
    pub table: &'static str,
    /// Its columns in the order of the binds.
    pub columns: &'static [Column],
    /// The columns of the unique key that makes a repeated row harmless; each has to be one of `columns`.
    pub key: &'static str,
}

/// A column and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column(pub &'static str, pub Kind);

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An integer.
    Int,
    /// A text.
    Text,
    /// Bytes.
    Bytes,
}

impl Bulk {
    fn names(&self) -> String {
        self.columns.iter().map(|column| column.0).collect::<Vec<_>>().join(", ")
    }

    /// The statement that SQLite runs for each row.
    pub(super) fn sqlite(&self) -> String {
        let binds: Vec<String> = (1..=self.columns.len()).map(|n| format!("?{n}")).collect();
        format!(
            "insert into {} ({}) values ({}) on conflict ({}) do nothing",
            self.table,
            self.names(),
            binds.join(", "),
            self.key
        )
    }

    /// The statements for PostgreSQL: make the waiting room, copy into it, carry over and answer the rows' numbers.
    pub(super) fn postgres(&self) -> [String; 3] {
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|Column(name, kind)| {
                let kind = match kind {
                    Kind::Int => "bigint",
                    Kind::Text => "text",
                    Kind::Bytes => "bytea",
                };
                format!("{name} {kind}")
            })
            .collect();
        let (table, names) = (self.table, self.names());
        [
            format!(
                "create temp table if not exists incoming_{table} ({}, n bigint) on commit delete rows",
                columns.join(", ")
            ),
            format!("copy incoming_{table} ({names}, n) from stdin binary"),
            // The rows take their numbers in the order in which they came.
            format!(
                "insert into {table} ({names}) select {names} from incoming_{table} order by n on conflict ({}) do nothing",
                self.key
            ),
        ]
    }
}

/// A batch for a [`Bulk`] table.
pub type Rows = Vec<Vec<Value>>;
