//! Calls that lie ahead and whose local time is another than was told: governments change their clocks, and a newer edition
//! of the zones knows it. The call itself is an instant and has not moved; what the visitor read in her mail has.

use jiff::civil::DateTime;
use serde::Serialize;

use super::store;
use crate::base::ids::{BookingId, ContactId};
use crate::base::time::{Timestamp, offset_s};
use crate::storage::Result;
use crate::storage::db::Queries;

/// A call that lies ahead, and how its time was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub booking: BookingId,
    pub meeting: String,
    pub rep: String,
    pub contact: Option<ContactId>,
    pub starts_at: Timestamp,
    /// The visitor's zone.
    pub time_zone: String,
    /// By which edition of the zones, and how far her clock was from UTC by it, in seconds; none of a call that was booked
    /// before this was kept.
    pub by: Option<(String, i64)>,
    /// The rep's zone when she was told, and how far her clock was from UTC then; none of a call of before this was kept.
    pub rep_told: Option<(String, i64)>,
}

/// Whose clock it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Whose {
    /// That of whoever booked.
    Visitor,
    /// That of the rep.
    Rep,
}

/// A call whose local time moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved {
    pub booking: BookingId,
    pub meeting: String,
    pub rep: String,
    pub contact: Option<ContactId>,
    pub starts_at: Timestamp,
    /// Who was told another local time than it will be. A call may stand here twice.
    pub whose: Whose,
    /// Her zone.
    pub time_zone: String,
    /// The edition by which it was told.
    pub edition: String,
    /// What was told, by her clock.
    pub told: DateTime,
    /// What her clock will say.
    pub is: DateTime,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The calls that lie ahead.
    pub ahead: usize,
    /// Of these, those of which it is not known how they were told.
    pub unknown: usize,
    /// Those whose local time moved, the earliest first.
    pub moved: Vec<Moved>,
}

/// Compares what was told of the calls that lie ahead with the zones that are built in; writes nothing.
///
/// # Errors
/// As the store says.
pub async fn recheck(q: &mut impl Queries, now: Timestamp) -> Result<Found> {
    let mut found = Found::default();
    for told in store::told_ahead(q, now).await? {
        found.ahead += 1;
        match &told.by {
            None => found.unknown += 1,
            Some((edition, then_s)) => {
                found.moved.extend(moved(&told, Whose::Visitor, (&told.time_zone, *then_s), edition));
                if let Some((zone, then_s)) = &told.rep_told {
                    found.moved.extend(moved(&told, Whose::Rep, (zone, *then_s), edition));
                }
            }
        }
    }
    Ok(found)
}

fn moved(told: &Told, whose: Whose, (zone, then_s): (&str, i64), edition: &str) -> Option<Moved> {
    let now_s = offset_s(zone, told.starts_at)?;
    if now_s == then_s {
        return None;
    }
    let by = |offset_s: i64| {
        let offset = jiff::tz::Offset::from_seconds(i32::try_from(offset_s).ok()?).ok()?;
        Some(offset.to_datetime(told.starts_at.to_jiff()))
    };
    Some(Moved {
        booking: told.booking,
        meeting: told.meeting.clone(),
        rep: told.rep.clone(),
        contact: told.contact,
        starts_at: told.starts_at,
        whose,
        time_zone: zone.to_owned(),
        edition: edition.to_owned(),
        told: by(then_s)?,
        is: by(now_s)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_moved_if_her_clock_is_another_distance_from_utc_than_was_told() {
        let starts_at = Timestamp::from_jiff("2026-12-01T16:00:00Z".parse().expect("an instant"));
        let told = Told {
            booking: BookingId::new(),
            meeting: "discovery".to_owned(),
            rep: "mike".to_owned(),
            contact: None,
            starts_at,
            time_zone: "America/Vancouver".to_owned(),
            by: None,
            rep_told: None,
        };
        let vancouver = |then_s: i64| (told.time_zone.as_str(), then_s);
        // Since 2026 British Columbia stays seven hours behind UTC; older editions still put the clock back in November.
        assert_eq!(moved(&told, Whose::Visitor, vancouver(-7 * 3_600), "2026e"), None);
        let moved = moved(&told, Whose::Visitor, vancouver(-8 * 3_600), "2025b").expect("an hour apart");
        assert_eq!(
            (moved.told.to_string(), moved.is.to_string()),
            ("2026-12-01T08:00:00".to_owned(), "2026-12-01T09:00:00".to_owned())
        );
    }
}
