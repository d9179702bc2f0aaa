//! The tables of mails that were sent and of lines in the console.

use super::channels::console::Notice;
use super::mails::Ready;
use super::undelivered::Undelivered;
use crate::base::email::Email;
use crate::base::ids::{AccountId, BookingId, ContactId, NotificationId, new_key};
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::storage::db::{Db, Queries, Row, Tx};
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
        table: "undelivered",
        export: Some(sql!(
            "select recipient, template, how, said, at from undelivered
             where contact_id in (select own_id from contact_ids where contact_id = $1)
             order by at"
        )),
        erase: Some(sql!(
            "delete from undelivered where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "",
    },
    Personal {
        table: "links_mailed",
        export: None,
        erase: Some(sql!(
            "delete from links_mailed where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "for a day, when which file was mailed to her; the mails themselves are exported",
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
    Personal {
        table: "digest_lines",
        export: None,
        erase: Some(sql!(
            "delete from digest_lines
             where exists (select 1 from contacts c where c.id in (select own_id from contact_ids where contact_id = $1)
                     and digest_lines.notice like '%' || c.id || '%')
                 or exists (select 1 from conversations v where v.contact_id in (select own_id from contact_ids where contact_id = $1)
                     and digest_lines.notice like '%' || v.id || '%')"
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
    (ready, call): (&Ready, Option<BookingId>),
    transport: &str,
    now: Timestamp,
) -> Result<()> {
    db.execute(
        sql!(
            "insert into mails (id, message_id, template, recipient, contact_id, subject, text_body, html_body,
                 calendar, transport, sent_at, topic, booking_id)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
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
            call,
        ],
    )
    .await?;
    Ok(())
}

/// The files that were mailed to a contact after a moment, and when.
pub(super) async fn links_mailed(
    q: &mut impl Queries,
    contact: ContactId,
    after: Timestamp,
) -> Result<Vec<(String, Timestamp)>> {
    let rows = q
        .query(
            sql!("select asset, at from links_mailed where contact_id = $1 and at > $2 order by at desc"),
            params![contact, after],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get("asset")?, row.get("at")?))).collect()
}

/// Notes that a file is mailed to a contact, and forgets what is from up to `until`.
pub(super) async fn note_link_mailed(
    tx: &mut Tx,
    contact: ContactId,
    asset: &str,
    at: Timestamp,
    until: Timestamp,
) -> Result<()> {
    // Whoever's they are: some are of nobody, who never comes again.
    tx.execute(
        sql!(
            "delete from links_mailed where id in
                 (select id from links_mailed where at <= $1 order by id limit 100 {skip_locked})"
        ),
        params![until],
    )
    .await?;
    tx.execute(
        sql!("insert into links_mailed (id, contact_id, asset, at) values ($1, $2, $3, $4)"),
        params![new_key(), contact, asset, at],
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
    /// The mail's name.
    pub template: String,
    /// The call that it told its visitor of.
    pub booking: Option<BookingId>,
}

fn posted_of(row: &Row) -> Result<Posted> {
    let recipient: String = row.get("recipient")?;
    Ok(Posted {
        id: row.get("id")?,
        recipient: Email::parse(&recipient)
            .map_err(|_| Error::Shape { column: "recipient".to_owned(), wanted: "an e-mail address" })?,
        contact: row.get("contact_id")?,
        topic: row.get("topic")?,
        template: row.get("template")?,
        booking: row.get("booking_id")?,
    })
}

pub(super) async fn posted(q: &mut impl Queries, id: &str) -> Result<Option<Posted>> {
    let row = q
        .query_opt(
            sql!("select id, recipient, contact_id, topic, template, booking_id from mails where id = $1"),
            params![id],
        )
        .await?;
    row.as_ref().map(posted_of).transpose()
}

pub(super) async fn posted_as(q: &mut impl Queries, message_id: &str) -> Result<Option<Posted>> {
    let row = q
        .query_opt(
            sql!(
                "select id, recipient, contact_id, topic, template, booking_id from mails where message_id = $1"
            ),
            params![message_id],
        )
        .await?;
    row.as_ref().map(posted_of).transpose()
}

/// The last mail to an address about each call that lies ahead of it, as `(call, mail's name)`; the latest mail first.
pub(super) async fn calls_told_to(
    q: &mut impl Queries,
    recipient: &Email,
    now: Timestamp,
) -> Result<Vec<(BookingId, String)>> {
    let rows = q
        .query(
            sql!(
                "select m.booking_id as booking_id, m.template as template
                 from mails m
                 join bookings b on b.id = m.booking_id
                 where m.recipient = $1 and m.booking_id is not null and b.starts_at > $2
                     and m.sent_at = (select max(o.sent_at) from mails o
                         where o.recipient = $1 and o.booking_id = m.booking_id)
                 order by m.sent_at desc, m.id desc"
            ),
            params![recipient.as_str(), now],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get("booking_id")?, row.get("template")?))).collect()
}

/// The latest mail to an address.
pub(super) async fn last_posted_to(q: &mut impl Queries, recipient: &Email) -> Result<Option<Posted>> {
    let row = q
        .query_opt(
            sql!(
                "select id, recipient, contact_id, topic, template, booking_id from mails
                 where recipient = $1 order by sent_at desc, id desc limit 1"
            ),
            params![recipient.as_str()],
        )
        .await?;
    row.as_ref().map(posted_of).transpose()
}

/// Keeps that a mail about a call did not arrive; `false` if that was known of this call and address.
pub(super) async fn keep_undelivered(
    tx: &mut Tx,
    booking: BookingId,
    contact: Option<ContactId>,
    kept: &Undelivered,
) -> Result<bool> {
    let touched = tx
        .execute(
            sql!(
                "insert into undelivered (booking_id, recipient, contact_id, template, how, said, at, rep)
                 values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (booking_id, recipient) do nothing"
            ),
            params![
                booking,
                kept.recipient.as_str(),
                contact,
                kept.template.as_str(),
                kept.how.word(),
                kept.said.as_ref(),
                kept.at,
                kept.rep.as_ref(),
            ],
        )
        .await?;
    Ok(touched == 1)
}

pub(super) async fn undelivered(q: &mut impl Queries, booking: BookingId) -> Result<Vec<Undelivered>> {
    let rows = q
        .query(
            sql!(
                "select recipient, template, how, said, at, rep from undelivered
                 where booking_id = $1 order by at, recipient"
            ),
            params![booking],
        )
        .await?;
    rows.iter().map(Undelivered::read).collect()
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

/// Keeps a line for the next summary.
pub(super) async fn gather(
    tx: &mut Tx,
    account: AccountId,
    due_at: Timestamp,
    notice: &Notice,
    at: Timestamp,
) -> Result<()> {
    let notice = serde_json::to_value(notice).map_err(|error| Error::Engine(error.to_string()))?;
    tx.execute(
        sql!("insert into digest_lines (id, account_id, due_at, notice, at) values ($1, $2, $3, $4, $5)"),
        params![new_key(), account, due_at, notice, at],
    )
    .await?;
    Ok(())
}

/// The lines that a summary tells, the earliest first. They are its own from now on, so that what is gathered while it is
/// sent waits for another.
pub(super) async fn gathered(
    db: &Db,
    mail: &str,
    account: AccountId,
    due_at: Timestamp,
) -> Result<Vec<(Timestamp, Notice)>> {
    let mut tx = db.begin().await?;
    tx.execute(
        sql!(
            "update digest_lines set mail_id = $1
             where account_id = $2 and due_at <= $3 and mail_id is null"
        ),
        params![mail, account, due_at],
    )
    .await?;
    let rows = tx
        .query(
            sql!(
                "select notice, at from digest_lines where account_id = $1 and mail_id = $2 order by at, id"
            ),
            params![account, mail],
        )
        .await?;
    tx.commit().await?;
    rows.iter().map(|row| Ok((row.get("at")?, row.json("notice")?))).collect()
}

/// Forgets the lines of a summary that is out.
pub(super) async fn forget_digest(db: &Db, account: AccountId, mail: &str) -> Result<()> {
    db.execute(
        sql!("delete from digest_lines where account_id = $1 and mail_id = $2"),
        params![account, mail],
    )
    .await?;
    Ok(())
}

/// How a webhook does.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Endpoint {
    /// Since when nothing was taken.
    pub failing_since: Option<Timestamp>,
    /// Since when it is not tried any more.
    pub disabled_at: Option<Timestamp>,
    pub why: Option<String>,
}

/// How a webhook does; none of one that never failed.
///
/// # Errors
/// As the store says.
pub async fn endpoint(q: &mut impl Queries, name: &str) -> Result<Option<Endpoint>> {
    let row = q
        .query_opt(
            sql!("select failing_since, disabled_at, why from endpoints where name = $1"),
            params![name],
        )
        .await?;
    row.map(|row| {
        Ok(Endpoint {
            failing_since: row.get("failing_since")?,
            disabled_at: row.get("disabled_at")?,
            why: row.get("why")?,
        })
    })
    .transpose()
}

/// Notes that a webhook took something: whatever was before is over.
pub(super) async fn endpoint_took(db: &Db, name: &str) -> Result<()> {
    // Most of the time there is nothing to note, and nothing is written.
    if endpoint(&mut db.read(), name).await?.is_some_and(|known| known.failing_since.is_some()) {
        db.execute(
            sql!("update endpoints set failing_since = null where name = $1 and disabled_at is null"),
            params![name],
        )
        .await?;
    }
    Ok(())
}

/// Notes that a webhook failed; returns since when it does.
pub(super) async fn endpoint_failed(tx: &mut Tx, name: &str, now: Timestamp) -> Result<Timestamp> {
    let row = tx
        .query_opt(
            sql!(
                "insert into endpoints (name, failing_since) values ($1, $2)
                 on conflict (name) do update set failing_since = coalesce(endpoints.failing_since, excluded.failing_since)
                 returning failing_since"
            ),
            params![name, now],
        )
        .await?;
    row.map_or(Ok(now), |row| row.get("failing_since"))
}

/// Tries a webhook no more; returns whether it was tried until now.
pub(super) async fn disable_endpoint(tx: &mut Tx, name: &str, why: &str, now: Timestamp) -> Result<bool> {
    let touched = tx
        .execute(
            sql!("update endpoints set disabled_at = $2, why = $3 where name = $1 and disabled_at is null"),
            params![name, now, why],
        )
        .await?;
    Ok(touched == 1)
}

/// Tries a webhook again; returns whether it was disabled.
///
/// # Errors
/// As the store says.
pub async fn enable_endpoint(tx: &mut Tx, name: &str) -> Result<bool> {
    let touched = tx
        .execute(
            sql!(
                "update endpoints set disabled_at = null, failing_since = null, why = null
                 where name = $1 and disabled_at is not null"
            ),
            params![name],
        )
        .await?;
    Ok(touched == 1)
}
