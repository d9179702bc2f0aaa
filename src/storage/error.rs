//! What can go wrong in a store, the same for every engine.

/// A failure of a store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A constraint said no. The text names it (`bookings_overlap`, `contacts.email`, …).
    #[error("a constraint refused the change: {0}")]
    Conflict(String),
    /// The engine cannot be reached or is too busy; trying again later is right.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// A row did not have the shape the code expects.
    #[error("column `{column}` cannot be read as {wanted}")]
    Shape {
        /// The column's name.
        column: String,
        /// The type that was asked for.
        wanted: &'static str,
    },
    /// Anything else the engine said.
    #[error("the store failed: {0}")]
    Engine(String),
}

impl super::super::base::coded::Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Conflict(_) => "store.conflict",
            Self::Unavailable(_) => "store.unavailable",
            Self::Shape { .. } | Self::Engine(_) => "store.failed",
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => Self::Conflict(error.to_string()),
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::CannotOpen,
            ) => Self::Unavailable(error.to_string()),
            _ => Self::Engine(error.to_string()),
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else { return Self::Unavailable(error.to_string()) };
        let text = format!("{} ({})", db.message(), db.constraint().unwrap_or(db.code().code()));
        match db.code().code() {
            // Class 23: integrity constraint violations, 23P01 being the exclusion constraint.
            code if code.starts_with("23") => Self::Conflict(text),
            // Serialisation failure, deadlock, lock not available, and all of class 53, 57, 08.
            "40001" | "40P01" | "55P03" => Self::Unavailable(text),
            code if code.starts_with("53") || code.starts_with("57") || code.starts_with("08") => {
                Self::Unavailable(text)
            }
            _ => Self::Engine(text),
        }
    }
}

impl From<deadpool_postgres::PoolError> for Error {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match error {
            deadpool_postgres::PoolError::Backend(error) => error.into(),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<::redis::RedisError> for Error {
    fn from(error: ::redis::RedisError) -> Self {
        Self::Unavailable(error.to_string())
    }
}
