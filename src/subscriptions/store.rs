//! The tables of subscriptions, of addresses that are not written to, and of what was told about our mails.

use super::suppression::{Reason, Suppression};
use super::{Frequency, State, Subscription};
use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::storage::db::{Db, Queries, Row, Tx};
use crate::storage::personal::Personal;
use crate::storage::{Error, Result};
use crate::{params, sql};

/// What these tables hold about people.
pub const PERSONAL: &[Personal] = &[
    Personal {
        table: "subscriptions",
        export: Some(sql!(
            "select topic, state, source, asked_at, confirmed_at, state_at from subscriptions
             where contact_id in (select own_id from contact_ids where contact_id = $1) order by asked_at"
        )),
        erase: Some(sql!(
            "delete from subscriptions where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "",
    },
    Personal {
        table: "confirmation_mails",
        export: None,
        erase: Some(sql!(
            "delete from confirmation_mails where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "that she was asked stands among the mails",
    },
    Personal {
        table: "mail_pauses",
        export: Some(sql!(
            "select until_at from mail_pauses where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        erase: Some(sql!(
            "delete from mail_pauses where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "",
    },
    Personal {
        table: "mail_frequencies",
        export: Some(sql!(
            "select frequency, at from mail_frequencies
             where contact_id in (select own_id from contact_ids where contact_id = $1) order by at"
        )),
        erase: Some(sql!(
            "delete from mail_frequencies where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "",
    },
    Personal {
        table: "letter_slots",
        export: None,
        erase: Some(sql!(
            "delete from letter_slots where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "only how many letters she got, which stand among the mails",
    },
    Personal {
        table: "mail_clicks",
        export: Some(sql!(
            "select link, at, verdict, reasons from mail_clicks
             where contact_id in (select own_id from contact_ids where contact_id = $1) order by at"
        )),
        erase: Some(sql!(
            "delete from mail_clicks where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "",
    },
    Personal {
        table: "suppressions",
        export: None,
        erase: None,
        because: "a keyed digest of an address that is not written to: nobody writing again is what she wants",
    },
    Personal {
        table: "mail_feedback",
        export: None,
        erase: None,
        because: "keyed digests of addresses, as long as bounces are counted",
    },
];

fn subscription_of(row: &Row) -> Result<Subscription> {
    let state: String = row.get("state")?;
    Ok(Subscription {
        topic: row.get("topic")?,
        state: State::of_word(&state).ok_or_else(|| Error::Shape {
            column: "state".to_owned(),
            wanted: "a state of a subscription",
        })?,
        source: row.get("source")?,
        asked_at: row.get("asked_at")?,
        confirmed_at: row.get("confirmed_at")?,
        state_at: row.get("state_at")?,
    })
}

/// What a contact has ever asked for or left, by topic. Of several contacts that are one, the last word counts.
///
/// # Errors
/// As the store says.
pub async fn of_contact(q: &mut impl Queries, contact: ContactId) -> Result<Vec<Subscription>> {
    let rows = q
        .query(
            sql!(
                "select topic, state, source, asked_at, confirmed_at, state_at
                 from subscriptions
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                 order by topic, state_at desc, contact_id desc"
            ),
            params![contact],
        )
        .await?;
    let mut latest = rows.iter().map(subscription_of).collect::<Result<Vec<Subscription>>>()?;
    latest.dedup_by(|later, earlier| later.topic == earlier.topic);
    Ok(latest)
}

/// One of them.
///
/// # Errors
/// As the store says.
pub async fn find(q: &mut impl Queries, contact: ContactId, topic: &str) -> Result<Option<Subscription>> {
    let row = q
        .query_opt(
            sql!(
                "select topic, state, source, asked_at, confirmed_at, state_at
                 from subscriptions
                 where contact_id in (select own_id from contact_ids where contact_id = $1) and topic = $2
                 order by state_at desc, contact_id desc limit 1"
            ),
            params![contact, topic],
        )
        .await?;
    row.as_ref().map(subscription_of).transpose()
}

pub(super) async fn put(
    tx: &mut Tx,
    contact: ContactId,
    topic: &str,
    state: State,
    source: &str,
    now: Timestamp,
) -> Result<()> {
    let confirmed_at = (state == State::Confirmed).then_some(now);
    tx.execute(
        sql!(
            "insert into subscriptions (contact_id, topic, state, source, asked_at, confirmed_at, state_at)
             values ($1, $2, $3, $4, $5, $6, $5)
             on conflict (contact_id, topic) do update set
                 state = excluded.state,
                 source = excluded.source,
                 asked_at = case when excluded.state = 'unconfirmed' then excluded.asked_at
                     else subscriptions.asked_at end,
                 confirmed_at = coalesce(excluded.confirmed_at, subscriptions.confirmed_at),
                 state_at = excluded.state_at"
        ),
        params![contact, topic, state.word(), source, now, confirmed_at],
    )
    .await?;
    Ok(())
}

/// When mails that ask for a confirmation went or will go to a contact, since a moment; the latest first.
pub(super) async fn asked_since(
    q: &mut impl Queries,
    contact: ContactId,
    since: Timestamp,
) -> Result<Vec<Timestamp>> {
    let rows = q
        .query(
            sql!(
                "select at from confirmation_mails
                 where contact_id in (select own_id from contact_ids where contact_id = $1) and at > $2
                 order by at desc"
            ),
            params![contact, since],
        )
        .await?;
    rows.iter().map(|row| row.get("at")).collect()
}

pub(super) async fn note_asked(tx: &mut Tx, contact: ContactId, at: Timestamp) -> Result<()> {
    tx.execute(sql!("insert into confirmation_mails (contact_id, at) values ($1, $2)"), params![contact, at])
        .await?;
    Ok(())
}

/// Until when a contact wants no letters, if that lies ahead.
///
/// # Errors
/// As the store says.
pub async fn paused_until(
    q: &mut impl Queries,
    contact: ContactId,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let row = q
        .query_opt(
            sql!(
                "select until_at from mail_pauses
                 where contact_id in (select own_id from contact_ids where contact_id = $1) and until_at > $2
                 order by until_at desc limit 1"
            ),
            params![contact, now],
        )
        .await?;
    row.map(|row| row.get("until_at")).transpose()
}

pub(super) async fn pause(tx: &mut Tx, contact: ContactId, until: Option<Timestamp>) -> Result<()> {
    tx.execute(
        sql!("delete from mail_pauses where contact_id in (select own_id from contact_ids where contact_id = $1)"),
        params![contact],
    )
    .await?;
    if let Some(until) = until {
        tx.execute(
            sql!("insert into mail_pauses (contact_id, until_at) values ($1, $2)"),
            params![contact, until],
        )
        .await?;
    }
    Ok(())
}

/// How often a contact wants letters. Of several contacts that are one, the last word counts.
///
/// # Errors
/// As the store says.
pub async fn frequency(q: &mut impl Queries, contact: ContactId) -> Result<Frequency> {
    let row = q
        .query_opt(
            sql!(
                "select frequency from mail_frequencies
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                 order by at desc, contact_id desc limit 1"
            ),
            params![contact],
        )
        .await?;
    let Some(row) = row else { return Ok(Frequency::default()) };
    let word: String = row.get("frequency")?;
    Frequency::of_word(&word)
        .ok_or_else(|| Error::Shape { column: "frequency".to_owned(), wanted: "all, weekly or monthly" })
}

pub(super) async fn set_frequency(
    tx: &mut Tx,
    contact: ContactId,
    frequency: Frequency,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into mail_frequencies (contact_id, frequency, at) values ($1, $2, $3)
             on conflict (contact_id) do update set frequency = excluded.frequency, at = excluded.at"
        ),
        params![contact, frequency.word(), now],
    )
    .await?;
    Ok(())
}

// --- addresses that are not written to -----------------------------------------------------------

pub(super) async fn suppress(
    tx: &mut Tx,
    address: &str,
    scope: &str,
    reason: Reason,
    detail: Option<&str>,
    until: Option<Timestamp>,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into suppressions (address, scope, reason, detail, since, until_at)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (address, scope, reason) do update set
                 detail = excluded.detail, until_at = excluded.until_at"
        ),
        params![address, scope, reason.word(), detail, now, until],
    )
    .await?;
    Ok(())
}

pub(super) async fn release(tx: &mut Tx, address: &str, scope: &str, reason: Reason) -> Result<u64> {
    tx.execute(
        sql!("delete from suppressions where address = $1 and scope = $2 and reason = $3"),
        params![address, scope, reason.word()],
    )
    .await
}

pub(super) async fn suppressions(
    q: &mut impl Queries,
    address: &str,
    now: Timestamp,
) -> Result<Vec<Suppression>> {
    let rows = q
        .query(
            sql!(
                "select scope, reason, detail, since, until_at from suppressions
                 where address = $1 and (until_at is null or until_at > $2) order by since"
            ),
            params![address, now],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let reason: String = row.get("reason")?;
            Ok(Suppression {
                scope: row.get("scope")?,
                reason: Reason::of_word(&reason)
                    .ok_or_else(|| Error::Shape { column: "reason".to_owned(), wanted: "a reason" })?,
                detail: row.get("detail")?,
                since: row.get("since")?,
                until: row.get("until_at")?,
            })
        })
        .collect()
}

/// Notes what was told about a mail. Returns whether it is news.
pub(super) async fn note_feedback(
    tx: &mut Tx,
    (source, told_id): (&str, &str),
    kind: &str,
    address: &str,
    mail: Option<&str>,
    now: Timestamp,
) -> Result<bool> {
    let touched = tx
        .execute(
            sql!(
                "insert into mail_feedback (source, told_id, kind, address, mail_id, at)
                 values ($1, $2, $3, $4, $5, $6) on conflict (source, told_id) do nothing"
            ),
            params![source, told_id, kind, address, mail, now],
        )
        .await?;
    Ok(touched == 1)
}

/// How many mails came back softly since a moment.
pub(super) async fn soft_bounces(q: &mut impl Queries, address: &str, since: Timestamp) -> Result<i64> {
    let row = q
        .query_opt(
            sql!(
                "select count(*) as n from mail_feedback
                 where address = $1 and kind = 'soft_bounce' and at > $2"
            ),
            params![address, since],
        )
        .await?;
    row.map_or(Ok(0), |row| row.get("n"))
}

// --- places within the most ----------------------------------------------------------------------

/// When letters went out to a contact since a moment, but for one mail's own.
pub(super) async fn slots(
    q: &mut impl Queries,
    contact: ContactId,
    but: &str,
    since: Timestamp,
) -> Result<Vec<Timestamp>> {
    let rows = q
        .query(
            sql!(
                "select at from letter_slots
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                     and mail_id <> $2 and at > $3
                 order by at"
            ),
            params![contact, but, since],
        )
        .await?;
    rows.iter().map(|row| row.get("at")).collect()
}

pub(super) async fn take_slot(tx: &mut Tx, mail: &str, contact: ContactId, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "insert into letter_slots (mail_id, contact_id, at) values ($1, $2, $3)
             on conflict (mail_id) do update set at = excluded.at"
        ),
        params![mail, contact, now],
    )
    .await?;
    Ok(())
}

/// Gives the place of a mail back that will never go out.
///
/// # Errors
/// As the store says.
pub async fn give_slot_back(db: &Db, mail: &str) -> Result<()> {
    db.execute(sql!("delete from letter_slots where mail_id = $1"), params![mail]).await?;
    Ok(())
}

/// Forgets places and questions from before a moment: nobody counts them any more.
///
/// # Errors
/// As the store says.
pub async fn forget_old(db: &Db, before: Timestamp) -> Result<u64> {
    let slots = db.execute(sql!("delete from letter_slots where at < $1"), params![before]).await?;
    let asked = db.execute(sql!("delete from confirmation_mails where at < $1"), params![before]).await?;
    Ok(slots + asked)
}

// --- export and erasure --------------------------------------------------------------------------

// --- clicks --------------------------------------------------------------------------------------

pub(super) mod clicks {
    //! The table of clicks.

    use serde_json::Value as Json;

    use crate::base::ids::{ClickId, ContactId};
    use crate::base::time::Timestamp;
    use crate::storage::Result;
    use crate::storage::db::{Queries, Row, Tx};
    use crate::subscriptions::clicks::{Click, Verdict};
    use crate::{params, sql};

    fn click_of(row: &Row) -> Result<Click> {
        let reasons: Json = row.json("reasons")?;
        let texts = |list: &Json| {
            list.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect()
        };
        Ok(Click {
            id: row.get("id")?,
            mail: row.get("mail_id")?,
            contact: row.get("contact_id")?,
            link: row.get("link")?,
            address: row.get("address")?,
            at: row.get("at")?,
            signs: texts(&row.json("signs")?),
            seen_at: row.get("seen_at")?,
            verdict: Verdict::of_word(&row.get::<String>("verdict")?),
            reasons: texts(&reasons),
        })
    }

    pub async fn of_mail(q: &mut impl Queries, mail: &str) -> Result<Vec<Click>> {
        let rows = q
            .query(
                sql!(
                    "select id, mail_id, contact_id, link, address, at, signs, seen_at, verdict, reasons
                     from mail_clicks where mail_id = $1 order by at, id"
                ),
                params![mail],
            )
            .await?;
        rows.iter().map(click_of).collect()
    }

    pub async fn of_contact(q: &mut impl Queries, contact: ContactId) -> Result<Vec<Click>> {
        let rows = q
            .query(
                sql!(
                    "select id, mail_id, contact_id, link, address, at, signs, seen_at, verdict, reasons
                     from mail_clicks where contact_id = $1 order by at, id"
                ),
                params![contact],
            )
            .await?;
        rows.iter().map(click_of).collect()
    }

    pub async fn find(q: &mut impl Queries, id: ClickId) -> Result<Option<Click>> {
        let row = q
            .query_opt(
                sql!(
                    "select id, mail_id, contact_id, link, address, at, signs, seen_at, verdict, reasons
                     from mail_clicks where id = $1"
                ),
                params![id],
            )
            .await?;
        row.as_ref().map(click_of).transpose()
    }

    pub async fn put(tx: &mut Tx, click: &Click) -> Result<()> {
        tx.execute(
            sql!(
                "insert into mail_clicks (id, mail_id, contact_id, link, address, at, signs, seen_at, verdict, reasons)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                 on conflict (id) do update set
                     seen_at = excluded.seen_at, verdict = excluded.verdict, reasons = excluded.reasons"
            ),
            params![
                click.id,
                click.mail.as_str(),
                click.contact,
                click.link,
                click.address.as_str(),
                click.at,
                serde_json::json!(click.signs),
                click.seen_at,
                click.verdict.word(),
                serde_json::json!(click.reasons),
            ],
        )
        .await?;
        Ok(())
    }

    /// When a mail went out.
    pub async fn sent_at(q: &mut impl Queries, mail: &str) -> Result<Option<Timestamp>> {
        let row = q.query_opt(sql!("select sent_at from mails where id = $1"), params![mail]).await?;
        row.map(|row| row.get("sent_at")).transpose()
    }
}
