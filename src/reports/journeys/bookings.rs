//! Calls: how many were booked and how, who came, and who did not.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::chats::Offered;
use super::people::{NONE, Origin};
use super::shows::ahead;
use super::{Span, share};
use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::{Queries, Row};
use crate::{params, sql};

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub meeting: String,
    pub rep: String,
    pub contact: Option<ContactId>,
    /// It was booked in a conversation.
    pub is_of_chat: bool,
    pub booked_at: Timestamp,
    pub starts_at: Timestamp,
    pub is_cancelled: bool,
    /// It was moved at least once after it was booked.
    pub is_moved: bool,
    /// She came; nothing if nobody said.
    pub is_held: Option<bool>,
}

/// Calls that have something in common.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Numbers {
    pub booked: usize,
    pub held: usize,
    pub no_show: usize,
    pub cancelled: usize,
    /// Moved at least once, whatever became of them.
    pub moved: usize,
    pub moved_rate: Option<f64>,
    /// Calls whose outcome nobody has told yet, those that lie ahead among them.
    pub untold: usize,
    /// No-shows of those whose outcome is known.
    pub no_show_rate: Option<f64>,
}

/// The answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    pub total: Numbers,
    pub by_meeting: BTreeMap<String, Numbers>,
    pub by_rep: BTreeMap<String, Numbers>,
    /// `chat` or `page`: where the time was picked.
    pub by_way: BTreeMap<&'static str, Numbers>,
    /// By the channel that the person came by first.
    pub by_channel: BTreeMap<String, Numbers>,
    /// By how long ahead the call was booked.
    pub by_lead_time: BTreeMap<&'static str, Numbers>,
    /// From offering a call in the chat to booking it.
    pub in_chat: Offered,
    /// From coming to the booking page to a call, by meeting type; nothing where only some people are meant, for the page
    /// does not know who comes.
    pub on_page: BTreeMap<String, Offered>,
}

/// The calls that begin in a span, those that were cancelled as well.
///
/// # Errors
/// As the store says.
pub async fn calls(q: &mut impl Queries, span: Span) -> Result<Vec<Call>> {
    let rows = q
        .query(
            sql!(
                "select b.meeting, b.rep, coalesce(c.merged_into, c.id) as contact_id, b.conversation_id, b.created_at,
                     b.starts_at, b.state, b.outcome,
                     (select count(*) from activities a where a.contact_id = b.contact_id
                         and a.kind = 'booking.rescheduled' and a.subject = b.id) as moves
                 from bookings b left join contacts c on c.id = b.contact_id
                 where b.state in ('confirmed', 'cancelled') and b.companion_of is null
                     and b.starts_at >= $1 and b.starts_at < $2
                 order by b.starts_at, b.id"
            ),
            params![span.from, span.to],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Call {
                meeting: row.get("meeting")?,
                rep: row.get("rep")?,
                contact: row.get("contact_id")?,
                is_of_chat: row.get::<Option<String>>("conversation_id")?.is_some(),
                booked_at: row.get("created_at")?,
                starts_at: row.get("starts_at")?,
                is_cancelled: row.get::<String>("state")? == "cancelled",
                is_moved: row.get::<i64>("moves")? > 0,
                is_held: row.get::<Option<String>>("outcome")?.map(|outcome| outcome == "held"),
            })
        })
        .collect()
}

/// How far people came on the booking page of each meeting, in the hours that begin in a span.
///
/// # Errors
/// As the store says.
pub async fn on_page(q: &mut impl Queries, span: Span) -> Result<BTreeMap<String, Offered>> {
    let rows = q
        .query(
            sql!(
                "select meeting, cast(sum(opened) as bigint) as opened, cast(sum(shown) as bigint) as shown,
                     cast(sum(booked) as bigint) as booked
                 from booking_page_counts where hour >= $1 and hour < $2 group by meeting"
            ),
            params![span.from, span.to],
        )
        .await?;
    let count = |row: &Row, name: &str| -> Result<usize> {
        Ok(usize::try_from(row.get::<i64>(name)?).unwrap_or_default())
    };
    rows.iter()
        .map(|row| {
            let steps = Offered::of(count(row, "opened")?, count(row, "shown")?, count(row, "booked")?);
            Ok((row.get("meeting")?, steps))
        })
        .collect()
}

/// Counts them.
pub fn bookings(calls: &[Call], origins: &HashMap<ContactId, Origin>) -> Report {
    let mut report = Report::default();
    for call in calls {
        let origin = call.contact.and_then(|contact| origins.get(&contact));
        let channel = origin.and_then(|origin| origin.channel.clone()).unwrap_or_else(|| NONE.to_owned());
        let groups = [
            &mut report.total,
            report.by_meeting.entry(call.meeting.clone()).or_default(),
            report.by_rep.entry(call.rep.clone()).or_default(),
            report.by_way.entry(if call.is_of_chat { "chat" } else { "page" }).or_default(),
            report.by_channel.entry(channel).or_default(),
            report.by_lead_time.entry(ahead(call.booked_at, call.starts_at)).or_default(),
        ];
        for numbers in groups {
            numbers.booked += 1;
            numbers.moved += usize::from(call.is_moved);
            numbers.moved_rate = share(numbers.moved, numbers.booked);
            match (call.is_cancelled, call.is_held) {
                (true, _) => numbers.cancelled += 1,
                (false, Some(true)) => numbers.held += 1,
                (false, Some(false)) => numbers.no_show += 1,
                (false, None) => numbers.untold += 1,
            }
            numbers.no_show_rate = share(numbers.no_show, numbers.held + numbers.no_show);
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::DAY_MS;

    #[test]
    fn one_no_show_of_three_that_are_known_is_a_third_whoever_cancelled() {
        let nikki = ContactId::new();
        let call = |days_ahead: i64, is_cancelled, is_held| Call {
            meeting: "discovery".to_owned(),
            rep: "mike".to_owned(),
            contact: Some(nikki),
            is_of_chat: days_ahead < 3,
            booked_at: Timestamp(0),
            starts_at: Timestamp(days_ahead * DAY_MS),
            is_cancelled,
            is_moved: days_ahead == 8,
            is_held,
        };
        let calls = [
            call(1, false, Some(true)),
            call(2, false, Some(true)),
            call(8, false, Some(false)),
            call(8, true, None),
            call(9, false, None),
        ];
        let origin = Origin { channel: Some("search".to_owned()), ..Origin::default() };
        let told = bookings(&calls, &HashMap::from([(nikki, origin)]));
        let total = &told.total;
        assert_eq!(
            (total.booked, total.held, total.no_show, total.cancelled, total.untold, total.no_show_rate),
            (5, 2, 1, 1, 1, Some(0.3333))
        );
        assert_eq!((total.moved, total.moved_rate), (2, Some(0.4)), "one that was cancelled later, too");
        assert_eq!((told.by_way["chat"].booked, told.by_way["chat"].no_show_rate), (2, Some(0.0)));
        assert_eq!(told.by_lead_time["over_7_days"].no_show_rate, Some(1.0));
        assert_eq!((&told.by_channel["search"], told.by_rep["mike"].booked), (total, 5));
        assert_eq!(bookings(&calls, &HashMap::new()).by_channel[NONE].booked, 5);
    }
}
