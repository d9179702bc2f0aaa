//! Everything that happened with one person, in one line of time: visits, forms, files, webinars, recordings, mails,
//! chats, calls, consents and stages, each source cut to what one page can hold.

use serde::Serialize;
use serde_json::Value as Json;

use super::Names;
use crate::base::ids::{ContactId, ConversationId};
use crate::base::time::Timestamp;
use crate::contacts::{self, Step};
use crate::storage::Result;
use crate::storage::db::{Queries, Row};
use crate::{params, sql};

/// Rows that each source may give to one page.
const MOST: i64 = 60;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    pub at: Timestamp,
    #[serde(flatten)]
    pub what: What,
}

/// What happened; the templates choose by `kind`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// Pages were looked at.
    Visit {
        pages: i64,
        engaged_ms: i64,
        entry_path: String,
        exit_path: String,
        trail: Vec<Step>,
        channel: String,
        source: Option<String>,
        country: Option<String>,
        device: Option<String>,
    },
    /// A form was sent.
    Form { title: String, page: Option<String> },
    /// Registered, came, did not come, cancelled.
    Webinar { title: String, state: String, minutes: Option<i64> },
    /// A recording was watched.
    Watch { title: String, share: i64, watched_ms: i64 },
    /// A mail was sent.
    Mail { id: String, subject: String, transport: String },
    /// A chat.
    Chat {
        id: ConversationId,
        flow: Option<String>,
        mode: String,
        outcome: Option<String>,
        messages: i64,
        agent: Option<String>,
    },
    /// A call was booked, moved, cancelled, held or missed.
    Booking { change: String, starts_at: Option<Timestamp>, rep: String, reason: Option<String> },
    /// A stage was entered.
    Stage {
        stage: String,
        /// In words.
        rule: String,
        reason: Option<String>,
        /// The name of whoever did it, or nothing if it was a rule or a program.
        who: Option<String>,
        /// `rule`, `account` or `api`.
        actor: String,
    },
    /// A call by telephone, or what a call found out.
    Call { change: String, minutes: Option<i64>, summary: String },
    /// A consent was given, refused or taken back.
    Consent { purpose: String, action: String, text: Option<String> },
    /// Anything else that was recorded.
    Activity { icon: &'static str, name: String, subject: String },
}

/// A person's entries before `before`, the latest first, and the time to go on from if there may be more.
///
/// # Errors
/// As the store says.
pub async fn timeline(
    q: &mut impl Queries,
    names: &Names<'_>,
    contact: ContactId,
    before: Timestamp,
) -> Result<(Vec<Entry>, Option<Timestamp>)> {
    let sources = [
        visits(q, contact, before).await?,
        activities(q, names, contact, before).await?,
        watches(q, names, contact, before).await?,
        mails(q, contact, before).await?,
        chats(q, names, contact, before).await?,
        intervals(q, names, contact, before).await?,
        consents(q, contact, before).await?,
    ];
    Ok(merged(sources.into_iter().collect()))
}

/// The last few entries, for the side of a chat.
///
/// # Errors
/// As the store says.
pub async fn lately(
    q: &mut impl Queries,
    names: &Names<'_>,
    contact: ContactId,
    now: Timestamp,
    most: usize,
) -> Result<Vec<Entry>> {
    let (mut entries, _) = timeline(q, names, contact, now.plus_ms(1)).await?;
    entries
        .retain(|entry| !matches!(entry.what, What::Mail { .. } | What::Consent { .. } | What::Chat { .. }));
    entries.truncate(most);
    Ok(entries)
}

/// One line out of many. A source that was cut says nothing about what lies before its last row, so neither does the
/// line: it ends there.
fn merged(sources: Vec<Vec<Entry>>) -> (Vec<Entry>, Option<Timestamp>) {
    let is_full = |source: &Vec<Entry>| i64::try_from(source.len()).is_ok_and(|rows| rows >= MOST);
    let cut =
        sources.iter().filter(|source| is_full(source)).filter_map(|s| s.last()).map(|last| last.at).max();
    let mut entries: Vec<Entry> = sources.into_iter().flatten().collect();
    entries.retain(|entry| cut.is_none_or(|cut| entry.at >= cut));
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    (entries, cut)
}

async fn visits(q: &mut impl Queries, contact: ContactId, before: Timestamp) -> Result<Vec<Entry>> {
    let visits = contacts::visits(q, contact, before, MOST).await?;
    let entries = visits.into_iter().map(|visit| Entry {
        at: visit.started_at,
        what: What::Visit {
            pages: visit.pages,
            engaged_ms: visit.engaged_ms,
            entry_path: visit.entry_path,
            exit_path: visit.exit_path,
            trail: visit.trail,
            channel: visit.channel,
            source: visit.source,
            country: visit.country,
            device: visit.device,
        },
    });
    Ok(entries.collect())
}

/// Hits are told by their visits, watched seconds by the recording, decisions by the stage they led to, chats by
/// themselves.
async fn activities(
    q: &mut impl Queries,
    names: &Names<'_>,
    contact: ContactId,
    before: Timestamp,
) -> Result<Vec<Entry>> {
    let rows = q
        .query(
            sql!(
                "select kind, subject, props, at from activities
                 where (contact_id in (select own_id from contact_ids where contact_id = $1)
                         or (contact_id is null and visitor_id in (select id from visitors where contact_id in (select own_id from contact_ids where contact_id = $1))))
                     and kind not in ('page', 'engagement', 'visit', 'decision', 'recording.watched',
                         'conversation.opened', 'conversation.closed', 'handoff.requested', 'identify', 'alias')
                     and at < $2
                 order by at desc, id desc limit $3"
            ),
            params![contact, before, MOST],
        )
        .await?;
    rows.iter().map(|row| activity_of(row, names)).collect()
}

fn activity_of(row: &Row, names: &Names<'_>) -> Result<Entry> {
    let kind: String = row.get("kind")?;
    let subject = row.get::<Option<String>>("subject")?.unwrap_or_default();
    let props: Json = row.json("props")?;
    let text = |name: &str| props.get(name).and_then(Json::as_str).map(str::to_owned);
    let number = |name: &str| props.get(name).and_then(Json::as_i64);
    let what = match kind.split_once('.') {
        Some(("form", "submitted")) => What::Form { title: names.form(&subject), page: text("page") },
        Some(("webinar", state)) => What::Webinar {
            title: names.webinar(&subject),
            state: state.to_owned(),
            minutes: number("minutes"),
        },
        Some(("booking", change)) => What::Booking {
            change: change.to_owned(),
            starts_at: number("starts_at").map(Timestamp),
            rep: names.rep(&text("rep").unwrap_or_default()),
            reason: text("reason"),
        },
        Some(("call", change @ ("held" | "unanswered" | "findings"))) => What::Call {
            change: change.to_owned(),
            minutes: number("minutes"),
            summary: text("summary").unwrap_or_default(),
        },
        Some(("asset", done)) => {
            What::Activity { icon: "download", name: format!("asset_{done}"), subject: names.asset(&subject) }
        }
        Some(("subscription", _)) => {
            What::Activity { icon: "event", name: kind.replace('.', "_"), subject: names.topic(&subject) }
        }
        Some(("nurture", _)) => {
            What::Activity { icon: "event", name: kind.replace('.', "_"), subject: names.sequence(&subject) }
        }
        _ => What::Activity { icon: "event", name: kind.replace('.', "_"), subject },
    };
    Ok(Entry { at: row.get("at")?, what })
}

async fn watches(
    q: &mut impl Queries,
    names: &Names<'_>,
    contact: ContactId,
    before: Timestamp,
) -> Result<Vec<Entry>> {
    let rows = q
        .query(
            sql!(
                "select recording, seconds, percent, updated_at from watches
                 where (contact_id in (select own_id from contact_ids where contact_id = $1) or viewer in (select id from visitors where contact_id in (select own_id from contact_ids where contact_id = $1)))
                     and updated_at < $2
                 order by updated_at desc limit $3"
            ),
            params![contact, before, MOST],
        )
        .await?;
    let entries = rows.iter().map(|row| {
        let seconds: f64 = row.get("seconds")?;
        Ok(Entry {
            at: row.get("updated_at")?,
            what: What::Watch {
                title: names.recording(&row.get::<String>("recording")?),
                share: row.get("percent")?,
                watched_ms: whole_ms(seconds),
            },
        })
    });
    entries.collect()
}

#[allow(clippy::cast_possible_truncation, reason = "a recording lasts hours, not millennia")]
fn whole_ms(seconds: f64) -> i64 {
    (seconds * 1_000.0).round().clamp(0.0, 1e12) as i64
}

async fn mails(q: &mut impl Queries, contact: ContactId, before: Timestamp) -> Result<Vec<Entry>> {
    let rows = q
        .query(
            sql!(
                "select id, subject, transport, sent_at from mails
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                     and sent_at < $2 order by sent_at desc, id desc limit $3"
            ),
            params![contact, before, MOST],
        )
        .await?;
    let entries = rows.iter().map(|row| {
        Ok(Entry {
            at: row.get("sent_at")?,
            what: What::Mail {
                id: row.get("id")?,
                subject: row.get("subject")?,
                transport: row.get("transport")?,
            },
        })
    });
    entries.collect()
}

async fn chats(
    q: &mut impl Queries,
    names: &Names<'_>,
    contact: ContactId,
    before: Timestamp,
) -> Result<Vec<Entry>> {
    let rows = q
        .query(
            sql!(
                "select c.id, c.flow, c.mode, c.outcome, c.head, c.opened_at, a.name as agent
                 from conversations c left join accounts a on a.id = c.assigned_to
                 where (c.contact_id in (select own_id from contact_ids where contact_id = $1)
                         or (c.contact_id is null
                             and c.visitor_id in (select id from visitors where contact_id in (select own_id from contact_ids where contact_id = $1))))
                     and c.opened_at < $2
                 order by c.opened_at desc, c.id desc limit $3"
            ),
            params![contact, before, MOST],
        )
        .await?;
    let entries = rows.iter().map(|row| {
        Ok(Entry {
            at: row.get("opened_at")?,
            what: What::Chat {
                id: row.get("id")?,
                flow: row.get::<Option<String>>("flow")?.map(|flow| names.flow(&flow)),
                mode: row.get("mode")?,
                outcome: row.get("outcome")?,
                messages: row.get("head")?,
                agent: row.get("agent")?,
            },
        })
    });
    entries.collect()
}

async fn intervals(
    q: &mut impl Queries,
    names: &Names<'_>,
    contact: ContactId,
    before: Timestamp,
) -> Result<Vec<Entry>> {
    let rows = q
        .query(
            sql!(
                "select i.stage, i.rule, i.reason, i.actor, i.entered_at, a.name as who
                 from stage_intervals i left join accounts a on i.actor = 'account:' || a.id
                 where i.contact_id in (select own_id from contact_ids where contact_id = $1) and i.rule not in ('start', 'skipped') and i.entered_at < $2
                 order by i.entered_at desc, i.id desc limit $3"
            ),
            params![contact, before, MOST],
        )
        .await?;
    let entries = rows.iter().map(|row| {
        let actor: String = row.get("actor")?;
        Ok(Entry {
            at: row.get("entered_at")?,
            what: What::Stage {
                stage: row.get("stage")?,
                rule: names.rule(&row.get::<String>("rule")?),
                reason: row.get("reason")?,
                who: row.get("who")?,
                actor: actor.split(':').next().unwrap_or_default().to_owned(),
            },
        })
    });
    entries.collect()
}

async fn consents(q: &mut impl Queries, contact: ContactId, before: Timestamp) -> Result<Vec<Entry>> {
    let rows = q
        .query(
            sql!(
                "select c.purpose, c.action, t.body, c.at
                 from consents c left join consent_texts t on t.hash = c.text_hash
                 where (c.contact_id in (select own_id from contact_ids where contact_id = $1)
                        or (c.contact_id is null
                            and c.visitor_id in (select id from visitors where contact_id in (select own_id from contact_ids where contact_id = $1))))
                     and c.at < $2
                 order by c.at desc, c.id desc limit $3"
            ),
            params![contact, before, MOST],
        )
        .await?;
    let entries = rows.iter().map(|row| {
        Ok(Entry {
            at: row.get("at")?,
            what: What::Consent {
                purpose: row.get("purpose")?,
                action: row.get("action")?,
                text: row.get("body")?,
            },
        })
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(name: &str, times: impl Iterator<Item = i64>) -> Vec<Entry> {
        let what = || What::Activity { icon: "event", name: name.to_owned(), subject: String::new() };
        times.map(|at| Entry { at: Timestamp(at), what: what() }).collect()
    }

    #[test]
    fn the_line_ends_where_the_first_source_was_cut() {
        let many = rows("many", (0..MOST).map(|n| 1_000 - n));
        let few = rows("few", [999, 500].into_iter());
        let (line, cut) = merged(vec![many, few]);
        assert_eq!(cut, Some(Timestamp(1_000 - MOST + 1)));
        assert_eq!(line.len(), usize::try_from(MOST).unwrap() + 1, "what lies before the cut waits");
        assert!(line.windows(2).all(|pair| pair[0].at >= pair[1].at));
    }

    #[test]
    fn sources_that_were_not_cut_are_told_to_their_end() {
        let (line, cut) = merged(vec![rows("a", [5, 1].into_iter()), rows("b", [3].into_iter())]);
        assert_eq!((line.len(), cut), (3, None));
    }
}
