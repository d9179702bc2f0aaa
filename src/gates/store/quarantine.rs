//! Submissions that are set apart.

use serde_json::Value as Json;

use crate::base::ids::SubmissionId;
use crate::base::time::Timestamp;
use crate::gates::Submission;
use crate::storage::Result;
use crate::storage::db::{self, Queries, Tx};
use crate::{params, sql};

/// One row.
pub(in crate::gates) struct Row {
    pub id: SubmissionId,
    pub site: String,
    pub form: String,
    pub reason: String,
    pub sent: Json,
    pub at: Timestamp,
}

/// Returns whether nothing had come with this nonce.
pub(in crate::gates) async fn insert(
    tx: &mut Tx,
    what: &Submission<'_>,
    reason: &str,
    sent: &Json,
    now: Timestamp,
) -> Result<bool> {
    let rows = tx
        .execute(
            sql!(
                "insert into form_quarantine (id, site, form, reason, sent, nonce, at)
                 values ($1, $2, $3, $4, $5, $6, $7)
                 on conflict (nonce) do nothing"
            ),
            params![SubmissionId::new(), what.site, &what.form.id, reason, sent, what.nonce, now],
        )
        .await?;
    Ok(rows > 0)
}

/// The one that came with a nonce.
pub(in crate::gates) async fn by_nonce(q: &mut impl Queries, nonce: &str) -> Result<Option<Row>> {
    let row = q
        .query_opt(
            sql!("select id, site, form, reason, sent, at from form_quarantine where nonce = $1"),
            params![nonce],
        )
        .await?;
    row.as_ref().map(row_of).transpose()
}

pub(in crate::gates) async fn list(q: &mut impl Queries, most: i64, skip: i64) -> Result<Vec<Row>> {
    q.query(
        sql!(
            "select id, site, form, reason, sent, at from form_quarantine
             order by at desc, id desc limit $1 offset $2"
        ),
        params![most, skip],
    )
    .await?
    .iter()
    .map(row_of)
    .collect()
}

pub(in crate::gates) async fn count(q: &mut impl Queries) -> Result<i64> {
    let row = q.query_opt(sql!("select count(*) as n from form_quarantine"), params![]).await?;
    row.map_or(Ok(0), |row| row.get("n"))
}

pub(in crate::gates) async fn find(q: &mut impl Queries, id: SubmissionId) -> Result<Option<Row>> {
    q.query_opt(
        sql!("select id, site, form, reason, sent, at from form_quarantine where id = $1"),
        params![id],
    )
    .await?
    .map(|row| row_of(&row))
    .transpose()
}

pub(in crate::gates) async fn delete(tx: &mut Tx, id: SubmissionId) -> Result<u64> {
    tx.execute(sql!("delete from form_quarantine where id = $1"), params![id]).await
}

pub(in crate::gates) async fn delete_before(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    tx.execute(sql!("delete from form_quarantine where at < $1"), params![before]).await
}

fn row_of(row: &db::Row) -> Result<Row> {
    Ok(Row {
        id: row.get("id")?,
        site: row.get("site")?,
        form: row.get("form")?,
        reason: row.get("reason")?,
        sent: row.json("sent")?,
        at: row.get("at")?,
    })
}
