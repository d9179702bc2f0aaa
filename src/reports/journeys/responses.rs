//! How soon people of the company respond: to visitors who ask for a person in a chat, and to contacts who are handed over.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::Value as Json;

use super::velocity::Lengths;
use super::{Span, share};
use crate::base::ids::ContactId;
use crate::base::time::{DAY_MS, Timestamp};
use crate::stages::hours::WorkingHours;
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

/// How long after the span an answer to a chat is looked for.
const AFTER_MS: i64 = DAY_MS;

/// What somebody waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A person in a chat.
    Chat,
    /// That a contact who was handed over is taken.
    Handover,
}

impl Kind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Handover => "handover",
        }
    }
}

/// Somebody waited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    pub kind: Kind,
    pub contact: Option<ContactId>,
    pub asked_at: Timestamp,
    /// By when an answer was promised.
    pub due_at: Option<Timestamp>,
    pub answered_at: Option<Timestamp>,
    /// Who answered.
    pub by: Option<String>,
    /// A call was booked in the conversation after the wish.
    pub is_booked: bool,
}

/// One kind, or one colleague.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Numbers {
    pub asked: usize,
    pub answered: usize,
    /// Until the answer, in milliseconds, of those that were answered; nearest rank.
    pub after: Option<Lengths>,
    /// The same by the team's working hours: a night between the wish and the answer counts nothing.
    pub after_in_hours: Option<Lengths>,
    /// Answered by when it was promised.
    pub in_time: usize,
    /// Of those that were answered, or whose time is over; nothing where nothing was promised.
    pub in_time_rate: Option<f64>,
    /// Nobody answered, and the time in which somebody should have is over.
    pub missed: usize,
    /// Of these, those who booked a call in the same conversation instead.
    pub fell_back: usize,
    pub fell_back_rate: Option<f64>,
}

/// The answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    pub by_kind: BTreeMap<&'static str, Numbers>,
    /// By kind and colleague: who answered.
    pub by_person: BTreeMap<&'static str, BTreeMap<String, Numbers>>,
}

/// Every chat in which a person was wanted, and every hand-over, in a span. `promised_ms` is the time that there is for
/// the first word in a chat, by the clock on the wall.
///
/// # Errors
/// As the store says.
pub async fn waits(q: &mut impl Queries, span: Span, promised_ms: Option<i64>) -> Result<Vec<Wait>> {
    let words = q
        .query(
            sql!(
                "select m.conversation_id, a.name, m.at
                 from conversations t
                 join messages m on m.conversation_id = t.id
                 join accounts a on a.id = m.author_id
                 where t.updated_at >= $1 and m.author = 'agent' and m.at >= $1 and m.at < $2
                 order by m.at, m.seq"
            ),
            params![span.from, span.to.plus_ms(AFTER_MS)],
        )
        .await?;
    let mut said: HashMap<String, Vec<(Timestamp, String)>> = HashMap::new();
    for row in &words {
        said.entry(row.get("conversation_id")?).or_default().push((row.get("at")?, row.get("name")?));
    }
    let booked = q
        .query(
            sql!(
                "select b.conversation_id, max(b.created_at) as at from bookings b
                 where b.conversation_id is not null and b.companion_of is null
                     and b.state in ('confirmed', 'cancelled') and b.created_at >= $1 and b.created_at < $2
                 group by b.conversation_id"
            ),
            params![span.from, span.to.plus_ms(AFTER_MS)],
        )
        .await?;
    let mut booked_at: HashMap<String, Timestamp> = HashMap::new();
    for row in &booked {
        booked_at.insert(row.get("conversation_id")?, row.get("at")?);
    }
    let asked = q
        .query(
            sql!(
                "select a.props, a.at, coalesce(c.merged_into, c.id) as contact_id
                 from activities a
                 left join visitors v on v.id = a.visitor_id
                 left join contacts c on c.id = coalesce(a.contact_id, v.contact_id)
                 where a.kind = 'handoff.requested' and a.at >= $1 and a.at < $2
                 order by a.at, a.id"
            ),
            params![span.from, span.to],
        )
        .await?;
    let mut waits: Vec<Wait> = Vec::new();
    let mut is_told: HashMap<String, Option<Timestamp>> = HashMap::new();
    for row in &asked {
        let props: Json = row.json("props")?;
        let conversation = props.get("conversation").and_then(Json::as_str).unwrap_or_default().to_owned();
        let asked_at: Timestamp = row.get("at")?;
        // Asking again before somebody answered is the same wait.
        if is_told.get(&conversation).is_some_and(|answered| answered.is_none_or(|at| asked_at < at)) {
            continue;
        }
        let answer =
            said.get(&conversation).and_then(|said| said.iter().find(|(at, _)| *at >= asked_at)).cloned();
        let (answered_at, by) = answer.unzip();
        let is_booked = booked_at.get(&conversation).is_some_and(|at| *at >= asked_at);
        is_told.insert(conversation, answered_at);
        let due_at = promised_ms.map(|ms| asked_at.plus_ms(ms));
        waits.push(Wait {
            kind: Kind::Chat,
            contact: row.get("contact_id")?,
            asked_at,
            due_at,
            answered_at,
            by,
            is_booked,
        });
    }
    let given = q
        .query(
            sql!(
                "select h.given_at, h.due_at, h.taken_at, a.name, coalesce(c.merged_into, c.id) as contact_id
                 from handovers h
                 join contacts c on c.id = h.contact_id
                 left join accounts a on a.id = h.taken_by
                 where h.given_at >= $1 and h.given_at < $2 and (h.taken_at is not null or h.ended_at is null)
                 order by h.given_at, h.id"
            ),
            params![span.from, span.to],
        )
        .await?;
    for row in &given {
        waits.push(Wait {
            kind: Kind::Handover,
            contact: row.get("contact_id")?,
            asked_at: row.get("given_at")?,
            due_at: row.get("due_at")?,
            answered_at: row.get("taken_at")?,
            by: row.get("name")?,
            is_booked: false,
        });
    }
    Ok(waits)
}

/// Counts them; `hours` are those in which somebody of the team works.
pub fn responses(waits: &[Wait], hours: &WorkingHours, now: Timestamp) -> Report {
    let mut report = Report::default();
    for kind in [Kind::Chat, Kind::Handover] {
        let of_kind: Vec<&Wait> = waits.iter().filter(|wait| wait.kind == kind).collect();
        let mut of_person: BTreeMap<String, Vec<&Wait>> = BTreeMap::new();
        for wait in &of_kind {
            if let Some(by) = &wait.by {
                of_person.entry(by.clone()).or_default().push(wait);
            }
        }
        let people = of_person.into_iter().map(|(name, waits)| (name, numbers(&waits, hours, now)));
        report.by_person.insert(kind.word(), people.collect());
        report.by_kind.insert(kind.word(), numbers(&of_kind, hours, now));
    }
    report
}

fn numbers(waits: &[&Wait], hours: &WorkingHours, now: Timestamp) -> Numbers {
    let answered = || waits.iter().filter_map(|wait| wait.answered_at.map(|at| (wait.asked_at, at)));
    let lengths: Vec<i64> = answered().map(|(asked, at)| at.since_ms(asked)).collect();
    let in_hours: Vec<i64> = answered().map(|(asked, at)| hours.between(asked, at)).collect();
    let (mut in_time, mut decided) = (0, 0);
    // Where nothing was promised, a day without a word was no answer.
    let is_missed = |wait: &&&Wait| {
        let until = wait.due_at.unwrap_or_else(|| wait.asked_at.plus_ms(AFTER_MS));
        wait.answered_at.is_none() && until <= now
    };
    let missed: Vec<&&Wait> = waits.iter().filter(is_missed).collect();
    let fell_back = missed.iter().filter(|wait| wait.is_booked).count();
    for wait in waits {
        let Some(due_at) = wait.due_at else { continue };
        let is_in_time = wait.answered_at.is_some_and(|at| at <= due_at);
        in_time += usize::from(is_in_time);
        decided += usize::from(wait.answered_at.is_some() || due_at <= now);
    }
    Numbers {
        asked: waits.len(),
        answered: lengths.len(),
        after: Lengths::of(lengths),
        after_in_hours: Lengths::of(in_hours),
        in_time,
        in_time_rate: share(in_time, decided),
        missed: missed.len(),
        fell_back,
        fell_back_rate: share(fell_back, missed.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::hours::Working;

    fn wait(kind: Kind, answered_at: Option<i64>, by: &str) -> Wait {
        Wait {
            kind,
            contact: None,
            asked_at: Timestamp(1_000),
            due_at: Some(Timestamp(1_060)),
            answered_at: answered_at.map(Timestamp),
            by: answered_at.map(|_| by.to_owned()),
            is_booked: false,
        }
    }

    #[test]
    fn of_four_two_were_answered_in_time_one_late_and_one_not_at_all() {
        let waits = [
            wait(Kind::Chat, Some(1_010), "Mike"),
            wait(Kind::Chat, Some(1_060), "Mike"),
            wait(Kind::Chat, Some(1_500), "Lucía"),
            wait(Kind::Chat, None, ""),
        ];
        let told = responses(&waits, &WorkingHours::default(), Timestamp(2_000));
        let chat = &told.by_kind["chat"];
        assert_eq!((chat.asked, chat.answered, chat.in_time, chat.in_time_rate), (4, 3, 2, Some(0.5)));
        assert_eq!(chat.after.map(|after| (after.p50, after.p90)), Some((60, 500)));
        assert_eq!(told.by_person["chat"]["Mike"].in_time_rate, Some(1.0));
        assert_eq!(told.by_person["chat"]["Lucía"].in_time_rate, Some(0.0));
        assert_eq!(told.by_kind["handover"], Numbers::default());
        assert_eq!((chat.missed, chat.fell_back, chat.fell_back_rate), (1, 0, Some(0.0)));
        let booked = Wait { is_booked: true, ..wait(Kind::Chat, None, "") };
        let fell = responses(
            &[wait(Kind::Chat, None, ""), booked.clone()],
            &WorkingHours::default(),
            Timestamp(2_000),
        );
        assert_eq!(fell.by_kind["chat"].fell_back_rate, Some(0.5), "one of two who were missed booked");
        let early = responses(std::slice::from_ref(&booked), &WorkingHours::default(), Timestamp(1_050));
        assert_eq!(early.by_kind["chat"].missed, 0, "somebody may still answer");
        // Who may still answer in time is neither late nor in time.
        assert_eq!(
            responses(&waits, &WorkingHours::default(), Timestamp(1_050)).by_kind["chat"].in_time_rate,
            Some(0.6667)
        );
    }
    #[test]
    fn a_night_counts_nothing_by_the_hours_of_the_team() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().map(Timestamp::from_jiff).expect("a moment");
        // From nine to five, Monday to Friday, in Madrid.
        let week = std::array::from_fn(|day| if day < 5 { vec![(540, 1_020)] } else { Vec::new() });
        let zone = crate::base::time::zone("Europe/Madrid").expect("a zone");
        let person = Working { zone, week, overrides: BTreeMap::new() };
        let hours = WorkingHours { people: vec![person] };
        let one = |asked: &str, answered: &str| Wait {
            asked_at: at(asked),
            due_at: None,
            ..wait(Kind::Handover, Some(at(answered).as_ms()), "Mike")
        };
        let waits = [
            // Friday half past four to Monday ten past nine: half an hour and ten minutes.
            one("2026-11-20T15:30:00Z", "2026-11-23T08:10:00Z"),
            // Within one day.
            one("2026-11-23T09:00:00Z", "2026-11-23T11:00:00Z"),
            // On Saturday, before anybody works.
            one("2026-11-21T10:00:00Z", "2026-11-21T12:00:00Z"),
        ];
        let told = responses(&waits, &hours, at("2026-11-24T00:00:00Z"));
        let minutes = |lengths: Option<Lengths>| lengths.map(|l| (l.p50 / 60_000, l.p90 / 60_000));
        let handover = &told.by_kind["handover"];
        assert_eq!(minutes(handover.after_in_hours), Some((40, 120)));
        assert_eq!(minutes(handover.after), Some((120, 3_880)));
    }
}
