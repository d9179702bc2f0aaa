//! What each table holds about people, and what becomes of it when a person asks.
//!
//! Every domain's store lists its own tables; `privacy` puts the lists together. A test reads the schema and fails if a
//! table that could hold somebody stands in no list.

use super::db::Sql;

/// One table that holds something about people.
///
/// Both statements take a contact's id as `$1` and mean every id that the contact stands for (`contact_ids`). They run in
/// the order of the lists: what is found by way of another table comes before it.
#[derive(Debug, Clone, Copy)]
pub struct Personal {
    /// The table.
    pub table: &'static str,
    /// Reads her rows for the export.
    pub export: Option<Sql>,
    /// Deletes her rows, or what in them is hers.
    pub erase: Option<Sql>,
    /// Why rows stay, or stay out of the export, if they do.
    pub because: &'static str,
}
