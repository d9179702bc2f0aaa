//! Submissions, and links that were taken back.

use serde_json::json;

use super::Submission;
use crate::base::ids::{ContactId, SubmissionId, VisitorId};
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::{Queries, Row, Tx};
use crate::storage::personal::Personal;
use crate::{params, sql};

/// What these tables hold about people.
pub const PERSONAL: &[Personal] = &[Personal {
    table: "form_submissions",
    export: Some(sql!(
        "select site, form, fields, page, language, at from form_submissions
             where contact_id in (select own_id from contact_ids where contact_id = $1)
             order by at"
    )),
    erase: Some(sql!(
        "delete from form_submissions where contact_id in (select own_id from contact_ids where contact_id = $1)"
    )),
    because: "",
}];

/// A submission as it was kept.
#[derive(Debug, Clone, PartialEq)]
pub struct SubmissionRecord {
    /// Its id.
    pub id: SubmissionId,
    /// The site that showed the form.
    pub site: String,
    /// The form.
    pub form: String,
    /// Who sent it.
    pub contact: ContactId,
    /// On which device.
    pub visitor: Option<VisitorId>,
    /// The language it was shown in.
    pub language: Language,
    /// When.
    pub at: Timestamp,
}

/// The submission of this id.
///
/// # Errors
/// As the store says.
pub async fn submission(q: &mut impl Queries, id: SubmissionId) -> Result<Option<SubmissionRecord>> {
    q.query_opt(
        sql!(
            "select id, site, form, contact_id, visitor_id, language, at
             from form_submissions where id = $1"
        ),
        params![id],
    )
    .await?
    .map(|row| record(&row))
    .transpose()
}

/// The latest submission of a contact.
///
/// # Errors
/// As the store says.
pub async fn latest_submission(
    q: &mut impl Queries,
    contact: ContactId,
    form: &str,
) -> Result<Option<SubmissionRecord>> {
    q.query_opt(
        sql!(
            "select id, site, form, contact_id, visitor_id, language, at
             from form_submissions
             where contact_id in (select own_id from contact_ids where contact_id = $1) and form = $2
             order by at desc, id desc limit 1"
        ),
        params![contact, form],
    )
    .await?
    .map(|row| record(&row))
    .transpose()
}

pub(super) async fn by_nonce(q: &mut impl Queries, nonce: &str) -> Result<Option<SubmissionRecord>> {
    q.query_opt(
        sql!(
            "select id, site, form, contact_id, visitor_id, language, at
             from form_submissions where nonce = $1"
        ),
        params![nonce],
    )
    .await?
    .map(|row| record(&row))
    .transpose()
}

pub(super) async fn insert(
    tx: &mut Tx,
    what: &Submission<'_>,
    contact: ContactId,
    visitor: VisitorId,
    now: Timestamp,
) -> Result<SubmissionId> {
    let id = SubmissionId::new();
    tx.execute(
        sql!(
            "insert into form_submissions (id, site, form, contact_id, visitor_id, fields, page, language, nonce, at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        ),
        params![
            id,
            what.site,
            &what.form.id,
            contact,
            visitor,
            json!(what.answers.fields),
            what.page,
            what.language,
            what.nonce,
            now
        ],
    )
    .await?;
    Ok(id)
}

pub(super) async fn is_revoked(q: &mut impl Queries, nonce: &str) -> Result<bool> {
    let row = q.query_opt(sql!("select nonce from revoked_links where nonce = $1"), params![nonce]).await?;
    Ok(row.is_some())
}

pub(super) async fn revoke(tx: &mut Tx, nonce: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!("insert into revoked_links (nonce, revoked_at) values ($1, $2) on conflict (nonce) do nothing"),
        params![nonce, now],
    )
    .await?;
    Ok(())
}

/// Whether a contact did something to a subject since a moment.
pub(super) async fn did_since(
    q: &mut impl Queries,
    contact: ContactId,
    kind: &str,
    subject: &str,
    since: Timestamp,
) -> Result<bool> {
    let row = q
        .query_opt(
            sql!(
                "select id from activities
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                     and kind = $2 and subject = $3 and at > $4 limit 1"
            ),
            params![contact, kind, subject, since],
        )
        .await?;
    Ok(row.is_some())
}

fn record(row: &Row) -> Result<SubmissionRecord> {
    Ok(SubmissionRecord {
        id: row.get("id")?,
        site: row.get("site")?,
        form: row.get("form")?,
        contact: row.get("contact_id")?,
        visitor: row.get("visitor_id")?,
        language: row.get("language")?,
        at: row.get("at")?,
    })
}
