//! The tables of mails that were sent and of lines in the console.

use super::channels::console::Notice;
use super::mails::Ready;
use crate::base::email::Email;
use crate::base::ids::{AccountId, ContactId, NotificationId};
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::storage::db::{Db, Queries, Row};
use crate::storage::personal::Personal;
use crate::storage::{Error, Result};
use crate::{params, sql};

/// What these tables hold about people.
pub const PERSONAL: &[Personal] = &[
    Personal {
        table: "mails",
        export: Some(sql!(
            "select template, recipient, subject, text_body, sent_at from mails
             where contact_id in (select own_id from contact_ids where contact_id = $1)
             order by sent_at"
        )),
        erase: Some(sql!(
            "delete from mails
             where contact_id in (select own_id from contact_ids where contact_id = $1)
                 or recipient in (select email from contacts where id in (select own_id from contact_ids where contact_id = $1)
                     union select email from contact_emails where contact_id in (select own_id from contact_ids where contact_id = $1))
                 or exists (select 1 from contacts c where c.id in (select own_id from contact_ids where contact_id = $1)
                     and (mails.text_body like '%' || c.email || '%' or mails.text_body like '%' || c.id || '%'))"
        )),
        because: "mails to colleagues about her are erased, and exported only as far as they were sent to her",
    },
    Personal {
        table: "notifications",
        export: None,
        erase: Some(sql!(
            "delete from notifications
             where exists (select 1 from contacts c where c.id in (select own_id from contact_ids where contact_id = $1)
                     and notifications.link like '%' || c.id || '%')
                 or exists (select 1 from conversations v where v.contact_id in (select own_id from contact_ids where contact_id = $1)
                     and notifications.link like '%' || v.id || '%')"
        )),
        because: "lines for colleagues: they repeat what is exported elsewhere",
    },
];

/// A mail that was sent.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Letter {
    pub id: String,
    pub template: String,
    pub recipient: String,
    pub subject: String,
    pub text: String,
    pub html: String,
    pub calendar: Option<String>,
    pub transport: String,
    pub sent_at: Timestamp,
}

/// A line in somebody's console.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Notification {
    pub id: NotificationId,
    pub kind: String,
    pub title: String,
    pub body: String,
    pub link: String,
    pub at: Timestamp,
    pub read_at: Option<Timestamp>,
}

pub(super) async fn keep_letter(
    db: &Db,
    id: &str,
    message_id: &str,
    ready: &Ready,
    transport: &str,
    now: Timestamp,
) -> Result<()> {
    db.execute(
        sql!(
            "insert into mails (id, message_id, template, recipient, contact_id, subject, text_body, html_body,
                 calendar, transport, sent_at, topic)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
             on conflict (id) do nothing"
        ),
        params![
            id,
            message_id,
            ready.template.as_str(),
            ready.to.as_str(),
            ready.contact,
            ready.written.subject.as_str(),
            ready.written.text.as_str(),
            ready.written.html.as_str(),
            ready.calendar.as_ref().map(|(_, ics)| ics.as_str()),
            transport,
            now,
            ready.topic(),
        ],
    )
    .await?;
    Ok(())
}

fn letter_of(row: &Row) -> Result<Letter> {
    Ok(Letter {
        id: row.get("id")?,
        template: row.get("template")?,
        recipient: row.get("recipient")?,
        subject: row.get("subject")?,
        text: row.get("text_body")?,
        html: row.get("html_body")?,
        calendar: row.get("calendar")?,
        transport: row.get("transport")?,
        sent_at: row.get("sent_at")?,
    })
}

/// The mails that were sent, the latest first; those to one contact, or to anybody.
///
/// # Errors
/// As the store says.
pub async fn letters(q: &mut impl Queries, contact: Option<ContactId>, most: i64) -> Result<Vec<Letter>> {
    let rows = q
        .query(
            sql!(
                "select id, template, recipient, subject, text_body, html_body, calendar, transport, sent_at
                 from mails where cast($1 as text) is null
                     or contact_id in (select own_id from contact_ids where contact_id = $1)
                 order by sent_at desc, id desc limit $2"
            ),
            params![contact, most],
        )
        .await?;
    rows.iter().map(letter_of).collect()
}

/// One mail.
///
/// # Errors
/// As the store says.
pub async fn letter(q: &mut impl Queries, id: &str) -> Result<Option<Letter>> {
    let row = q
        .query_opt(
            sql!(
                "select id, template, recipient, subject, text_body, html_body, calendar, transport, sent_at
                 from mails where id = $1"
            ),
            params![id],
        )
        .await?;
    row.as_ref().map(letter_of).transpose()
}

/// To whom a mail went, and about which letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Posted {
    pub id: String,
    pub recipient: Email,
    pub contact: Option<ContactId>,
    pub topic: Option<String>,
}

fn posted_of(row: &Row) -> Result<Posted> {
    let recipient: String = row.get("recipient")?;
    Ok(Posted {
        id: row.get("id")?,
        recipient: Email::parse(&recipient)
            .map_err(|_| Error::Shape { column: "recipient".to_owned(), wanted: "an e-mail address" })?,
        contact: row.get("contact_id")?,
        topic: row.get("topic")?,
    })
}

pub(super) async fn posted(q: &mut impl Queries, id: &str) -> Result<Option<Posted>> {
    let row = q
        .query_opt(sql!("select id, recipient, contact_id, topic from mails where id = $1"), params![id])
        .await?;
    row.as_ref().map(posted_of).transpose()
}

pub(super) async fn posted_as(q: &mut impl Queries, message_id: &str) -> Result<Option<Posted>> {
    let row = q
        .query_opt(
            sql!("select id, recipient, contact_id, topic from mails where message_id = $1"),
            params![message_id],
        )
        .await?;
    row.as_ref().map(posted_of).transpose()
}

pub(super) async fn notify(db: &Db, notice: &Notice, title: &str, body: &str, now: Timestamp) -> Result<()> {
    db.execute(
        sql!(
            "insert into notifications (id, account_id, kind, title, body, link, at)
             values ($1, $2, $3, $4, $5, $6, $7)"
        ),
        params![
            NotificationId::new(),
            notice.account,
            notice.kind.as_str(),
            title,
            body,
            notice.link.as_str(),
            now
        ],
    )
    .await?;
    Ok(())
}

/// The lines for somebody (and for everybody), the latest first.
///
/// # Errors
/// As the store says.
pub async fn notifications(q: &mut impl Queries, account: AccountId, most: i64) -> Result<Vec<Notification>> {
    let rows = q
        .query(
            sql!(
                "select id, kind, title, body, link, at, read_at from notifications
                 where account_id = $1 or account_id is null
                 order by at desc, id desc limit $2"
            ),
            params![account, most],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Notification {
                id: row.get("id")?,
                kind: row.get("kind")?,
                title: row.get("title")?,
                body: row.get("body")?,
                link: row.get("link")?,
                at: row.get("at")?,
                read_at: row.get("read_at")?,
            })
        })
        .collect()
}

/// How many lines somebody has not read.
///
/// # Errors
/// As the store says.
pub async fn unread(q: &mut impl Queries, account: AccountId) -> Result<i64> {
    let row = q
        .query_opt(
            sql!(
                "select count(*) as unread from notifications
                 where (account_id = $1 or account_id is null) and read_at is null"
            ),
            params![account],
        )
        .await?;
    row.map_or(Ok(0), |row| row.get("unread"))
}

/// Marks every line of somebody as read.
///
/// # Errors
/// As the store says.
pub async fn mark_read(db: &Db, account: AccountId, now: Timestamp) -> Result<()> {
    db.execute(
        sql!(
            "update notifications set read_at = $2
             where (account_id = $1 or account_id is null) and read_at is null"
        ),
        params![account, now],
    )
    .await?;
    Ok(())
}

/// Marks one line of somebody as read.
///
/// # Errors
/// As the store says.
pub async fn mark_line_read(db: &Db, account: AccountId, line: NotificationId, now: Timestamp) -> Result<()> {
    db.execute(
        sql!(
            "update notifications set read_at = $3
             where id = $1 and (account_id = $2 or account_id is null) and read_at is null"
        ),
        params![line, account, now],
    )
    .await?;
    Ok(())
}

pub(super) async fn account_of(q: &mut impl Queries, email: &Email) -> Result<Option<AccountId>> {
    let row = q
        .query_opt(
            sql!("select id from accounts where email = $1 and disabled_at is null"),
            params![email.as_str()],
        )
        .await?;
    row.map(|row| row.get("id")).transpose()
}

pub(super) async fn accounts_of_role(q: &mut impl Queries, role: &str) -> Result<Vec<AccountId>> {
    let rows = q
        .query(
            sql!("select id from accounts where role = $1 and disabled_at is null order by id"),
            params![role],
        )
        .await?;
    rows.iter().map(|row| row.get("id")).collect()
}

pub(super) async fn language_of(q: &mut impl Queries, account: AccountId) -> Result<Language> {
    let row = q.query_opt(sql!("select language from accounts where id = $1"), params![account]).await?;
    row.map_or(Ok(Language::default()), |row| row.get("language"))
}
