//! A whole copy of a SQLite file that others may be writing.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::sqlite::BUSY;
use crate::storage::{Error, Result};

/// Copies the file `from` into the new file `to`, as it stood at one moment, and reads the copy through. Whoever writes
/// meanwhile is not kept waiting.
///
/// # Errors
/// [`Error::Unavailable`] if `from` cannot be read, `to` exists or cannot be written, or the copy is not whole.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let open = |path: &Path| -> Result<Connection> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(BUSY)?;
        Ok(connection)
    };
    let address = to.to_str().ok_or_else(|| Error::Unavailable(format!("{} is no text", to.display())))?;
    open(from)?.execute("vacuum into ?1", [address])?;
    let found: String = open(to)?.query_row("pragma quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    Err(Error::Unavailable(format!("{} is not whole: {found}", to.display())))
}
