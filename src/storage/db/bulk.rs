//! Many rows at once: a prepared statement in one call on SQLite, binary `COPY` on PostgreSQL.

use super::Value;

/// A table that takes and gives many rows at once.
#[derive(Debug, Clone, Copy)]
pub struct Bulk {
    /// Its name.
    pub table: &'static str,
    /// Its columns in the order of the binds.
    pub columns: &'static [Column],
    /// The columns of the unique key, with commas; each has to be one of `columns`.
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

/// What becomes of a row whose key is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It stays as it is.
    Stays,
    /// The new row takes its place.
    IsReplaced,
}

impl Kind {
    fn postgres(self) -> &'static str {
        match self {
            Self::Int => "bigint",
            Self::Text => "text",
            Self::Bytes => "bytea",
        }
    }
}

impl Bulk {
    fn names(&self) -> String {
        self.columns.iter().map(|column| column.0).collect::<Vec<_>>().join(", ")
    }

    /// The columns of the key, in order.
    pub(super) fn key_columns(&self) -> Vec<Column> {
        let of_name = |name: &str| self.columns.iter().copied().find(|column| column.0 == name);
        self.key.split(", ").filter_map(of_name).collect()
    }

    fn on_conflict(&self, known: Known) -> String {
        let keys = self.key_columns();
        let replaced: Vec<String> = self
            .columns
            .iter()
            .filter(|column| !keys.contains(column))
            .map(|Column(name, _)| format!("{name} = excluded.{name}"))
            .collect();
        match known {
            Known::Stays => format!("on conflict ({}) do nothing", self.key),
            Known::IsReplaced => format!("on conflict ({}) do update set {}", self.key, replaced.join(", ")),
        }
    }

    /// The statement by which SQLite takes each row.
    pub(super) fn sqlite(&self, known: Known) -> String {
        let binds: Vec<String> = (1..=self.columns.len()).map(|n| format!("?{n}")).collect();
        format!(
            "insert into {} ({}) values ({}) {}",
            self.table,
            self.names(),
            binds.join(", "),
            self.on_conflict(known)
        )
    }

    /// The statement by which SQLite finds the row of a key.
    pub(super) fn sqlite_pick(&self) -> String {
        let keys = self.key_columns();
        let wanted: Vec<String> =
            (1..).zip(&keys).map(|(n, column)| format!("{} = ?{n}", column.0)).collect();
        format!("select {} from {} where {}", self.names(), self.table, wanted.join(" and "))
    }

    /// The statement by which PostgreSQL finds the rows of many keys: one array for each column of the key.
    pub(super) fn postgres_pick(&self) -> String {
        let keys = self.key_columns();
        let arrays: Vec<String> =
            (1..).zip(&keys).map(|(n, column)| format!("${n}::{}[]", column.1.postgres())).collect();
        let names: Vec<&str> = keys.iter().map(|column| column.0).collect();
        let same: Vec<String> = names.iter().map(|name| format!("t.{name} = k.{name}")).collect();
        let columns: Vec<String> = self.columns.iter().map(|column| format!("t.{}", column.0)).collect();
        format!(
            "select {} from {} t join unnest({}) as k({}) on {}",
            columns.join(", "),
            self.table,
            arrays.join(", "),
            names.join(", "),
            same.join(" and ")
        )
    }

    /// The statements for PostgreSQL: make the waiting room, copy into it, carry over.
    pub(super) fn postgres(&self, known: Known) -> [String; 3] {
        let columns: Vec<String> =
            self.columns.iter().map(|Column(name, kind)| format!("{name} {}", kind.postgres())).collect();
        let (table, names) = (self.table, self.names());
        [
            format!(
                "create temp table if not exists incoming_{table} ({}, n bigint) on commit delete rows;
                 truncate incoming_{table}",
                columns.join(", ")
            ),
            format!("copy incoming_{table} ({names}, n) from stdin binary"),
            // The rows take their numbers in the order in which they came.
            format!(
                "insert into {table} ({names}) select {names} from incoming_{table} order by n {}",
                self.on_conflict(known)
            ),
        ]
    }
}

/// So many wide rows at a time are made ready, so that a large batch does not stand in memory twice.
pub const AT_ONCE: usize = 4_000;

/// A batch for a [`Bulk`] table.
pub type Rows = Vec<Vec<Value>>;
