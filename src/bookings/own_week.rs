//! The ordinary week that a rep wrote in the console. It takes the place of the one in `team.yaml` until it is taken back;
//! days that differ (`overrides`, `closed`) and absences go before both.
//!
//! The table is the truth. Each process keeps what it read beside the rep, so that looking for free times reads nothing more,
//! and reads it again every few seconds, for another node may have written it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::Result;
use super::store::own_weeks as store;
use super::team::{Hours, Team, Week};
use crate::base::ids::AccountId;
use crate::base::live::Live;
use crate::base::time::Timestamp;
use crate::storage::db::{Queries, Tx};

/// How many stretches a day can have.
pub const MOST_STRETCHES: usize = 3;

/// A rep's own week as this process knows it; none while that of the file holds. Clones are the same one.
#[derive(Clone, Default)]
pub struct OwnWeek(Arc<Live<Option<Week>>>);

impl OwnWeek {
    /// What holds now.
    pub fn now(&self) -> Option<&'static Week> {
        self.0.now().as_ref()
    }

    fn take(&self, week: Option<Week>) {
        // What was replaced is never given back: it is only replaced by something else.
        if self.now() != week.as_ref() {
            self.0.replace(week);
        }
    }
}

impl PartialEq for OwnWeek {
    fn eq(&self, other: &Self) -> bool {
        self.now() == other.now()
    }
}

impl Eq for OwnWeek {}

impl fmt::Debug for OwnWeek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnWeek").field(&self.now()).finish()
    }
}

/// What stands in the table for a rep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// None where the week of the file was taken up again.
    pub week: Option<Week>,
    /// Rises with each change; 0 where nobody ever wrote one.
    pub version: i64,
    /// When it was written last.
    pub at: Option<Timestamp>,
}

/// What is written for a rep.
///
/// # Errors
/// As the store says.
pub async fn written(q: &mut impl Queries, rep: &str) -> Result<Written> {
    let found = store::find(q, rep).await?;
    Ok(found.unwrap_or(Written { week: None, version: 0, at: None }))
}

/// Writes a week, or takes up that of the file again; `false` if somebody changed it since `version`.
///
/// # Errors
/// As the store says.
pub async fn write(
    tx: &mut Tx,
    (rep, version): (&str, i64),
    week: Option<&Week>,
    by: AccountId,
    now: Timestamp,
) -> Result<bool> {
    super::place::lock(tx, rep).await?;
    Ok(store::put(tx, (rep, version), week, by, now).await?)
}

/// Reads what holds now into a team.
///
/// # Errors
/// As the store says.
pub async fn refresh(q: &mut impl Queries, team: &Team) -> Result<()> {
    let mut weeks = store::all(q).await?;
    for rep in &team.reps {
        rep.own.take(weeks.remove(&rep.id));
    }
    Ok(())
}

/// Reads the fields of a form, `d0-0-from` and `d0-0-to` for the first stretch of Monday: a stretch ends after it begins,
/// midnight as its end is that of the day, and no two of a day overlap.
///
/// # Errors
/// The days that cannot be read, by their number from Monday (0).
pub fn read(given: &BTreeMap<String, String>) -> std::result::Result<Week, Vec<usize>> {
    let minute = |text: &str| -> Option<u16> {
        let (hour, minute) = text.split_once(':')?;
        let (hour, minute) = (hour.parse::<u16>().ok()?, minute.get(..2)?.parse::<u16>().ok()?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    };
    let stretch = |day: usize, n: usize| -> Option<Option<Hours>> {
        let text = |edge: &str| given.get(&format!("d{day}-{n}-{edge}")).map_or("", |text| text.trim());
        if text("from").is_empty() && text("to").is_empty() {
            return Some(None);
        }
        let (from, to) = (minute(text("from"))?, minute(text("to"))?);
        let to = if to == 0 { 24 * 60 } else { to };
        (from < to).then_some(Some(Hours { from, to }))
    };
    let mut days: [Vec<Hours>; 7] = Default::default();
    let mut wrong = Vec::new();
    for (day, hours) in days.iter_mut().enumerate() {
        let read: Option<Vec<Option<Hours>>> = (0..MOST_STRETCHES).map(|n| stretch(day, n)).collect();
        let mut read: Vec<Hours> = read
            .unwrap_or_else(|| {
                wrong.push(day);
                Vec::new()
            })
            .into_iter()
            .flatten()
            .collect();
        read.sort_unstable();
        if read.windows(2).any(|two| matches!(two, [first, second] if second.from < first.to)) {
            wrong.push(day);
        }
        *hours = read;
    }
    let [monday, tuesday, wednesday, thursday, friday, saturday, sunday] = days;
    let week = Week { monday, tuesday, wednesday, thursday, friday, saturday, sunday };
    if wrong.is_empty() { Ok(week) } else { Err(wrong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
        fields.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn a_week_is_read_in_order_and_the_end_of_a_day_is_midnight() {
        let given = form(&[
            ("d0-0-from", "16:00"),
            ("d0-0-to", "00:00"),
            ("d0-2-from", "09:00"),
            ("d0-2-to", "14:30"),
            ("d6-1-from", "10:00:00"),
            ("d6-1-to", "12:00"),
        ]);
        let week = read(&given).expect("a week");
        assert_eq!(week.monday, [Hours { from: 540, to: 870 }, Hours { from: 960, to: 1440 }]);
        assert_eq!(week.sunday, [Hours { from: 600, to: 720 }]);
        assert!(week.tuesday.is_empty());
    }

    #[test]
    fn what_ends_before_it_begins_overlaps_or_is_half_there_is_told_by_its_day() {
        for fields in [
            [("d2-0-from", "10:00"), ("d2-0-to", "09:00"), ("d2-1-from", ""), ("d2-1-to", "")],
            [("d2-0-from", "10:00"), ("d2-0-to", ""), ("d2-1-from", ""), ("d2-1-to", "")],
            [("d2-0-from", "09:00"), ("d2-0-to", "12:00"), ("d2-1-from", "11:59"), ("d2-1-to", "13:00")],
            [("d2-0-from", "25:00"), ("d2-0-to", "26:00"), ("d2-1-from", ""), ("d2-1-to", "")],
        ] {
            assert_eq!(read(&form(&fields)), Err(vec![2]), "{fields:?}");
        }
    }
}
