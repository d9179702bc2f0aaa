//! Who came to the calls that were booked: the no-show rate is no-shows of all calls whose outcome is known.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Span, share};
use crate::base::time::{DAY_MS, Timestamp};
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

/// One call that was to take place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub meeting: String,
    pub rep: String,
    pub booked_at: Timestamp,
    pub starts_at: Timestamp,
    /// She came; nothing if nobody said.
    pub is_held: Option<bool>,
}

/// Calls that have something in common.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Shows {
    pub held: usize,
    pub no_show: usize,
    /// Calls whose outcome nobody has told yet.
    pub untold: usize,
    /// No-shows of those whose outcome is known.
    pub no_show_rate: Option<f64>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub total: Shows,
    pub by_meeting: BTreeMap<String, Shows>,
    pub by_rep: BTreeMap<String, Shows>,
    /// By how long ahead the call was booked.
    pub by_lead_time: BTreeMap<&'static str, Shows>,
}

/// The confirmed calls of a span.
///
/// # Errors
/// As the store says.
pub async fn calls(q: &mut impl Queries, span: Span) -> Result<Vec<Call>> {
    let rows = q
        .query(
            sql!(
                "select meeting, rep, created_at, starts_at, outcome from bookings
                 where state = 'confirmed' and companion_of is null and starts_at >= $1 and starts_at < $2 order by starts_at, id"
            ),
            params![span.from, span.to],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Call {
                meeting: row.get("meeting")?,
                rep: row.get("rep")?,
                booked_at: row.get("created_at")?,
                starts_at: row.get("starts_at")?,
                is_held: row.get::<Option<String>>("outcome")?.map(|outcome| outcome == "held"),
            })
        })
        .collect()
}

/// Counts them.
pub fn shows(calls: &[Call]) -> Report {
    let mut report = Report {
        total: Shows::default(),
        by_meeting: BTreeMap::new(),
        by_rep: BTreeMap::new(),
        by_lead_time: BTreeMap::new(),
    };
    for call in calls {
        let of_meeting = report.by_meeting.entry(call.meeting.clone()).or_default();
        let of_rep = report.by_rep.entry(call.rep.clone()).or_default();
        let of_lead_time = report.by_lead_time.entry(ahead(call.booked_at, call.starts_at)).or_default();
        for shows in [&mut report.total, of_meeting, of_rep, of_lead_time] {
            match call.is_held {
                Some(true) => shows.held += 1,
                Some(false) => shows.no_show += 1,
                None => shows.untold += 1,
            }
            shows.no_show_rate = share(shows.no_show, shows.held + shows.no_show);
        }
    }
    report
}

/// How long ahead a call was booked, in words.
pub(super) fn ahead(booked_at: Timestamp, starts_at: Timestamp) -> &'static str {
    match starts_at.since_ms(booked_at) / DAY_MS {
        ..1 => "under_1_day",
        1..3 => "1_to_3_days",
        3..7 => "3_to_7_days",
        7.. => "over_7_days",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(rep: &str, days_ahead: i64, is_held: Option<bool>) -> Call {
        Call {
            meeting: "discovery".to_owned(),
            rep: rep.to_owned(),
            booked_at: Timestamp(0),
            starts_at: Timestamp(days_ahead * DAY_MS),
            is_held,
        }
    }

    #[test]
    fn one_of_four_who_did_not_come_is_a_quarter_and_the_untold_count_for_nothing() {
        let report = shows(&[
            call("mike", 0, Some(true)),
            call("mike", 2, Some(true)),
            call("lucia", 2, Some(true)),
            call("lucia", 9, Some(false)),
            call("lucia", 9, None),
        ]);
        assert_eq!(report.total.no_show_rate, Some(0.25));
        assert_eq!((report.total.held, report.total.no_show, report.total.untold), (3, 1, 1));
        assert_eq!(report.by_rep.get("mike").and_then(|shows| shows.no_show_rate), Some(0.0));
        assert_eq!(report.by_rep.get("lucia").and_then(|shows| shows.no_show_rate), Some(0.5));
        assert_eq!(report.by_lead_time.get("over_7_days").and_then(|shows| shows.no_show_rate), Some(1.0));
        assert_eq!(shows(&[]).total.no_show_rate, None);
    }
}
