//! The mails that were sent, or kept where no mail server is configured; and what waits to be sent, by every channel.

use serde::Serialize;
use serde_json::Value as Json;

use crate::base::email::Email;
use crate::base::ids::{AccountId, BookingId, ContactId};
use crate::base::time::{DAY_MS, Timestamp};
use crate::storage::Result;
use crate::storage::db::{Queries, Row};
use crate::{accounts, contacts, params, sql};

/// Rows on one page.
pub const PAGE: i64 = 50;

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    pub id: String,
    pub subject: String,
    pub recipient: String,
    /// `smtp` or `outbox`.
    pub transport: String,
    /// Whether an invitation is in it.
    pub calendar: bool,
    pub sent_at: Timestamp,
}

/// A whole mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Letter {
    pub id: String,
    pub subject: String,
    pub recipient: String,
    pub contact_id: Option<ContactId>,
    pub transport: String,
    pub text_body: String,
    pub html_body: String,
    pub calendar: Option<String>,
    pub sent_at: Timestamp,
}

/// One page of the mails, the latest first, and how many there are in all.
///
/// # Errors
/// As the store says.
pub async fn list(q: &mut impl Queries, page: i64) -> Result<(Vec<Line>, i64)> {
    let total =
        q.query_opt(sql!("select count(*) as n from mails"), &[]).await?.map_or(Ok(0), |row| row.get("n"))?;
    let rows = q
        .query(
            sql!(
                "select id, subject, recipient, transport, sent_at,
                     case when calendar is null then 0 else 1 end as has_calendar
                 from mails order by sent_at desc, id desc limit $1 offset $2"
            ),
            params![PAGE, (page.max(1) - 1).saturating_mul(PAGE)],
        )
        .await?;
    let lines = rows.iter().map(|row| {
        Ok(Line {
            id: row.get("id")?,
            subject: row.get("subject")?,
            recipient: row.get("recipient")?,
            transport: row.get("transport")?,
            calendar: row.get::<bool>("has_calendar")?,
            sent_at: row.get("sent_at")?,
        })
    });
    Ok((lines.collect::<Result<_>>()?, total))
}

/// One mail.
///
/// # Errors
/// As the store says.
pub async fn letter(q: &mut impl Queries, id: &str) -> Result<Option<Letter>> {
    let row = q
        .query_opt(
            sql!(
                "select id, subject, recipient, contact_id, transport, text_body, html_body, calendar, sent_at
                 from mails where id = $1"
            ),
            params![id],
        )
        .await?;
    row.map(|row| {
        Ok(Letter {
            id: row.get("id")?,
            subject: row.get("subject")?,
            recipient: row.get("recipient")?,
            contact_id: row.get("contact_id")?,
            transport: row.get("transport")?,
            text_body: row.get("text_body")?,
            html_body: row.get("html_body")?,
            calendar: row.get("calendar")?,
            sent_at: row.get("sent_at")?,
        })
    })
    .transpose()
}

/// A mail that waits, or that was not sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    pub id: String,
    /// The mail's name.
    pub template: String,
    /// The contact's address; empty if the mail is not to a contact.
    pub recipient: String,
    pub contact_id: Option<ContactId>,
    pub why: String,
    /// When it is tried again, or when it was given up.
    pub at: Timestamp,
    /// Whether it still goes out.
    pub is_waiting: bool,
}

/// How long what was not sent is told.
const TOLD_MS: i64 = 14 * DAY_MS;
/// Lines of the list.
const WAITING_MOST: i64 = 200;

/// The mails that wait and those that were not sent in the last two weeks, each with the reason; the next first.
///
/// # Errors
/// As the store says.
pub async fn waiting(q: &mut impl Queries, now: Timestamp) -> Result<Vec<Waiting>> {
    let rows = q
        .query(
            sql!(
                "select id, payload, state, next_at, last_error, done_at from jobs
                 where kind = 'notify' and last_error is not null
                     and (state = 'ready' or (state in ('dropped', 'dead') and done_at > $1))
                 order by next_at desc, id desc limit $2"
            ),
            params![now.plus_ms(-TOLD_MS), WAITING_MOST],
        )
        .await?;
    let mut waiting = Vec::new();
    for row in &rows {
        let payload: Json = row.json("payload")?;
        let Some(mail) = payload.get("mail") else { continue };
        let text = |name: &str| mail.get(name).and_then(Json::as_str);
        let template = text("template").or_else(|| text("mail")).unwrap_or_default().to_owned();
        let contact = text("contact").and_then(|id| ContactId::parse(id).ok());
        let recipient = match contact {
            Some(contact) => contacts::find(q, contact).await?.map(|contact| contact.email.to_string()),
            None => None,
        };
        waiting.push(Waiting {
            id: row.get("id")?,
            template,
            recipient: recipient.unwrap_or_default(),
            contact_id: contact,
            why: row.get("last_error")?,
            at: row.get::<Option<Timestamp>>("done_at")?.unwrap_or(row.get("next_at")?),
            is_waiting: row.get::<String>("state")? == "ready",
        });
    }
    Ok(waiting)
}

/// A piece of work that waits, fails, was given up or was let be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Queued {
    pub id: String,
    /// What it is: the mail's name, the line's or the fact's kind.
    pub what: String,
    /// `mail`, `console`, `hook:NAME`, `webhook:NAME`, `crm:NAME`; empty for a fact whose messages could not be planned.
    pub target: String,
    /// To whom, masked.
    pub to: String,
    pub contact_id: Option<ContactId>,
    /// Where a mail goes; none of anything else, and never told.
    #[serde(skip)]
    pub recipient: Option<Email>,
    /// The rep, by her id, to whom a mail about a call goes: her address stands in the team's file.
    #[serde(skip)]
    pub rep: Option<String>,
    /// `waiting`, `failing`, `running`, `dead` or `dropped`.
    pub state: &'static str,
    pub attempts: i64,
    /// Why it is not done, in a word that stays; none of what was not tried yet, or before there were such words.
    pub code: Option<String>,
    /// The same in a sentence: what the other side said, or what it waits for.
    pub why: Option<String>,
    /// The next try, or the end.
    pub at: Timestamp,
}

/// What lies before one target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Target {
    /// `mail`, `console`, `hook:NAME`, `webhook:NAME`; `push` and `calendar` for all browsers and calendars.
    pub target: String,
    /// What goes out when its time comes.
    pub waiting: i64,
    /// What was tried in vain and is tried again.
    pub failing: i64,
    /// What was given up.
    pub dead: i64,
    /// Since when the oldest of it fails.
    pub failing_since: Option<Timestamp>,
    /// When it is tried next.
    pub next_at: Option<Timestamp>,
}

/// What lies before each target for which there is anything.
///
/// # Errors
/// As the store says.
pub async fn targets(q: &mut impl Queries) -> Result<Vec<Target>> {
    let rows = q
        .query(
            sql!(
                "select target,
                     count(case when state <> 'dead' and trouble_since is null then 1 end) as waiting,
                     count(case when state <> 'dead' and trouble_since is not null then 1 end) as failing,
                     count(case when state = 'dead' then 1 end) as dead,
                     min(case when state <> 'dead' then trouble_since end) as failing_since,
                     min(case when state = 'ready' then next_at end) as next_at
                 from jobs
                 where state in ('ready', 'running', 'dead')
                 group by target
                 order by target"
            ),
            &[],
        )
        .await?;
    let mut targets: Vec<Target> = Vec::new();
    for row in &rows {
        let name: String = row.get("target")?;
        // Every browser and every calendar is a target; people look at them together.
        let name = match name.split_once(':') {
            Some((channel @ ("push" | "calendar"), _)) => channel.to_owned(),
            _ => name,
        };
        let one = Target {
            target: name,
            waiting: row.get("waiting")?,
            failing: row.get("failing")?,
            dead: row.get("dead")?,
            failing_since: row.get("failing_since")?,
            next_at: row.get("next_at")?,
        };
        let earlier = |a: Option<Timestamp>, b: Option<Timestamp>| a.into_iter().chain(b).min();
        match targets.iter_mut().find(|known| known.target == one.target) {
            Some(known) => {
                known.waiting += one.waiting;
                known.failing += one.failing;
                known.dead += one.dead;
                known.failing_since = earlier(known.failing_since, one.failing_since);
                known.next_at = earlier(known.next_at, one.next_at);
            }
            None => targets.push(one),
        }
    }
    Ok(targets)
}

/// Everything that is not sent: what was given up first, then what fails, then what waits, the next first. Calendars that are
/// read again and again have a page of their own.
///
/// # Errors
/// As the store says.
pub async fn queue(q: &mut impl Queries, now: Timestamp) -> Result<Vec<Queued>> {
    let rows = q
        .query(
            sql!(
                "select id, target, payload, state, attempts, next_at, last_error, last_code, done_at, trouble_since
                 from jobs
                 where (state in ('ready', 'running', 'dead') or (state = 'dropped' and done_at > $1))
                     and target not like 'calendar:%'
                 order by case when state = 'dead' then 0 when state = 'dropped' then 3
                     when trouble_since is not null then 1 else 2 end, next_at, id limit $2"
            ),
            params![now.plus_ms(-TOLD_MS), WAITING_MOST],
        )
        .await?;
    let mut queued = Vec::new();
    for row in &rows {
        queued.push(queued_of(q, row).await?);
    }
    Ok(queued)
}

/// Everything that was given up, or of that what has this id, or this target.
///
/// # Errors
/// As the store says.
pub async fn dead(q: &mut impl Queries, id: Option<&str>, target: Option<&str>) -> Result<Vec<Queued>> {
    let rows = q
        .query(
            sql!(
                "select id, target, payload, state, attempts, next_at, last_error, last_code, done_at, trouble_since
                 from jobs
                 where state = 'dead' and (cast($1 as text) is null or id = $1)
                     and (cast($2 as text) is null or target = $2)
                 order by id"
            ),
            params![id, target],
        )
        .await?;
    let mut dead = Vec::new();
    for row in &rows {
        dead.push(queued_of(q, row).await?);
    }
    Ok(dead)
}

/// To whom a mail about a call goes: to whoever booked it, or to a rep by her id.
async fn of_call(
    q: &mut impl Queries,
    call: BookingId,
    mail: &str,
    payload: &Json,
) -> Result<(Option<ContactId>, Option<String>)> {
    let text = sql!("select contact_id, rep, companion from bookings where id = $1");
    let Some(row) = q.query_opt(text, params![call]).await? else { return Ok((None, None)) };
    if !mail.starts_with("rep_") {
        return Ok((row.get("contact_id")?, None));
    }
    let named = ["/mail/former", "/mail/rep"].into_iter().find_map(|path| payload.pointer(path)?.as_str());
    let rep: String = row.get("rep")?;
    let companion: Option<String> = row.get("companion")?;
    let is_companion = payload.pointer("/mail/is_companion").and_then(Json::as_bool) == Some(true);
    Ok((None, named.map(str::to_owned).or(companion.filter(|_| is_companion)).or(Some(rep))))
}

async fn queued_of(q: &mut impl Queries, row: &Row) -> Result<Queued> {
    let payload: Json = row.json("payload")?;
    let text = |path: &str| payload.pointer(path).and_then(Json::as_str);
    let what = ["/mail/template", "/mail/mail", "/notice/kind", "/told/event/kind", "/event", "/what", "/by"];
    let what = what.into_iter().find_map(text).unwrap_or_default().to_owned();
    let contact =
        ["/mail/contact", "/contact"].into_iter().find_map(text).and_then(|id| ContactId::parse(id).ok());
    let account = ["/mail/account", "/notice/account"].into_iter().find_map(text);
    let call = text("/mail/booking").and_then(|id| BookingId::parse(id).ok());
    let (contact, rep) = match call.filter(|_| contact.is_none() && account.is_none()) {
        Some(call) => of_call(q, call, &what, &payload).await?,
        None => (contact, None),
    };
    let target: String = row.get("target")?;
    // To a chat or a program; the contact is whom it is about.
    let is_told = target.starts_with("hook:") || target.starts_with("webhook:");
    let mut recipient = None;
    let to = match (
        contact.filter(|_| !is_told),
        account.filter(|_| !is_told).and_then(|id| AccountId::parse(id).ok()),
    ) {
        (Some(contact), _) => {
            recipient = contacts::find(q, contact).await?.map(|contact| contact.email);
            recipient.as_ref().map(|email| masked(email.as_str()))
        }
        (None, Some(account)) => {
            let account = accounts::find(q, account).await.ok().flatten();
            recipient = account.map(|account| account.email);
            recipient.as_ref().map(|email| masked(email.as_str()))
        }
        (None, None) => target.split_once(':').map(|(_, name)| name.to_owned()),
    };
    let state: String = row.get("state")?;
    let is_failing = row.get::<Option<Timestamp>>("trouble_since")?.is_some();
    Ok(Queued {
        id: row.get("id")?,
        what,
        to: to.unwrap_or_default(),
        contact_id: contact,
        recipient: recipient.filter(|_| target == "mail"),
        rep,
        state: match state.as_str() {
            "dead" => "dead",
            "dropped" => "dropped",
            "running" => "running",
            _ if is_failing => "failing",
            _ => "waiting",
        },
        attempts: row.get("attempts")?,
        code: row.get("last_code")?,
        why: row.get("last_error")?,
        at: row.get::<Option<Timestamp>>("done_at")?.unwrap_or(row.get("next_at")?),
        target,
    })
}

/// An address of which only the first letter and the domain are shown.
pub fn masked(address: &str) -> String {
    let (name, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let first: String = name.chars().take(1).collect();
    format!("{first}…@{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_only_the_first_letter_and_the_domain_are_shown() {
        assert_eq!(masked("nikki@acme.example"), "n…@acme.example");
        assert_eq!(masked("ñ@acme.example"), "ñ…@acme.example");
    }
}
