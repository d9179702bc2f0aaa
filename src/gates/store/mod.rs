//! Submissions, and links that were taken back.

pub(super) mod quarantine;
pub(super) mod shown;

use serde_json::json;

use super::Submission;
use crate::base::ids::{ContactId, SubmissionId, VisitorId};
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::sessions::{self, Visit};
use crate::storage::Result;
use crate::storage::db::{Queries, Row, Tx};
use crate::storage::personal::Personal;
use crate::{params, sql};

/// What these tables hold about people.
pub const PERSONAL: &[Personal] = &[
    Personal {
        table: "form_submissions",
        export: Some(sql!(
            "select site, form, fields, page, language, attribution, at from form_submissions
             where contact_id in (select own_id from contact_ids where contact_id = $1)
             order by at"
        )),
        erase: Some(sql!(
            "delete from form_submissions where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "",
    },
    Personal {
        table: "form_quarantine",
        export: Some(sql!(
            "select site, form, reason, sent, at from form_quarantine
             where exists (select 1 from contacts c where c.id in (select own_id from contact_ids where contact_id = $1)
                     and lower(form_quarantine.sent) like '%' || c.email || '%')
             order by at"
        )),
        erase: Some(sql!(
            "delete from form_quarantine
             where exists (select 1 from contacts c where c.id in (select own_id from contact_ids where contact_id = $1)
                     and lower(form_quarantine.sent) like '%' || c.email || '%')"
        )),
        because: "",
    },
    Personal {
        table: "revoked_links_of",
        export: None,
        erase: Some(sql!(
            "delete from revoked_links_of where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "links of hers lead nowhere once she is gone",
    },
];

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
    visitor: Option<VisitorId>,
    now: Timestamp,
) -> Result<SubmissionId> {
    let id = SubmissionId::new();
    tx.execute(
        sql!(
            "insert into form_submissions (id, site, form, contact_id, visitor_id, fields, page, language, nonce, at,
                 attribution, cta)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
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
            now,
            json!(what.attribution),
            what.attribution.get("cta")
        ],
    )
    .await?;
    Ok(id)
}

/// The latest visit of a device that was still going on after a moment, if it may be told.
pub(super) async fn latest_visit(
    q: &mut impl Queries,
    visitor: VisitorId,
    after: Timestamp,
) -> Result<Option<Visit>> {
    let row = q
        .query_opt(
            sql!(
                "select id, site, visitor, consent, bot, started_at, last_at, hits, pages, events, engaged_ms,
                     scroll, host, entry, exit, channel, source, medium, campaign, term, content, referrer, country,
                     region, city, network, device, browser, os, language, trail
                 from visits where visitor = $1 and consent > 0 and last_at > $2
                 order by started_at desc limit 1"
            ),
            params![visitor, after],
        )
        .await?;
    row.as_ref().map(sessions::store::visit_of).transpose()
}

/// Whether a link was taken back: itself, or all of its contact, of its file, or of both that were made until then.
pub(super) async fn is_revoked(
    q: &mut impl Queries,
    nonce: &str,
    contact: Option<ContactId>,
    subject: &str,
    issued: Timestamp,
) -> Result<bool> {
    let contact = contact.map(|contact| contact.to_string()).unwrap_or_default();
    let row = q
        .query_opt(
            sql!(
                "select nonce as found from revoked_links where nonce = $1
                 union all
                 select contact_id as found from revoked_links_of
                 where contact_id in ('', $2) and subject in ('', $3) and until >= $4
                 limit 1"
            ),
            params![nonce, contact, subject, issued],
        )
        .await?;
    Ok(row.is_some())
}

/// Takes back every link of a contact, of a file, or of both that was made until now.
pub(super) async fn revoke_all(
    tx: &mut Tx,
    contact: Option<ContactId>,
    subject: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    let contact = contact.map(|contact| contact.to_string()).unwrap_or_default();
    tx.execute(
        sql!(
            "insert into revoked_links_of (contact_id, subject, until) values ($1, $2, $3)
             on conflict (contact_id, subject) do update set until = excluded.until"
        ),
        params![contact, subject.unwrap_or_default(), now],
    )
    .await?;
    Ok(())
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
