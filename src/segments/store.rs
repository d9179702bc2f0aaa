//! Who belongs to which segment.

use crate::base::ids::ContactId;
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::storage::personal::Personal;
use crate::{params, sql};

/// What these tables hold about people.
pub const PERSONAL: &[Personal] = &[Personal {
    table: "segment_members",
    export: Some(sql!(
        "select segment, since from segment_members
             where contact_id in (select own_id from contact_ids where contact_id = $1)"
    )),
    erase: Some(sql!(
        "delete from segment_members where contact_id in (select own_id from contact_ids where contact_id = $1)"
    )),
    because: "",
}];

/// Whether a contact belongs to a segment.
///
/// # Errors
/// As the store says.
pub async fn is_member(q: &mut impl Queries, contact: ContactId, segment: &str) -> Result<bool> {
    let row = q
        .query_opt(
            sql!("select since from segment_members where segment = $1 and contact_id = $2"),
            params![segment, contact],
        )
        .await?;
    Ok(row.is_some())
}

/// The segments that a contact belongs to, by name.
///
/// # Errors
/// As the store says.
pub async fn of_contact(q: &mut impl Queries, contact: ContactId) -> Result<Vec<String>> {
    let rows = q
        .query(
            sql!("select segment from segment_members where contact_id = $1 order by segment"),
            params![contact],
        )
        .await?;
    rows.iter().map(|row| row.get("segment")).collect()
}
