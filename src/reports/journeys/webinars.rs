//! Webinars: who registered, who came, how far the recording was watched, and who booked a call afterwards.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::{Span, share};
use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

/// Somebody registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    pub webinar: String,
    pub contact: ContactId,
    /// `registered`, `attended`, `no_show` or `cancelled`.
    pub state: String,
    pub at: Timestamp,
}

/// Somebody watched a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    pub recording: String,
    pub contact: Option<ContactId>,
    /// How much of it was seen: the union of what was, in percent.
    pub percent: i64,
    /// The same in milliseconds.
    pub seen_ms: i64,
}

/// When each person booked a call.
pub type Booked = HashMap<ContactId, Vec<Timestamp>>;

/// One webinar, or all of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Numbers {
    /// Those who cancelled are not among them.
    pub registered: usize,
    pub attended: usize,
    pub no_show: usize,
    /// Nobody has told yet whether she came.
    pub untold: usize,
    /// Attended of those of whom it is known.
    pub attendance: Option<f64>,
    /// People and devices that watched any recording of it.
    pub viewers: usize,
    /// Of these, by how much they saw: up to 20, 40, 60, 80 and 100 percent.
    pub viewers_by_fifth: [usize; 5],
    /// Of those who registered, those who booked a call later on.
    pub booked: usize,
    pub booked_rate: Option<f64>,
}

/// The answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    pub total: Numbers,
    pub by_webinar: BTreeMap<String, Numbers>,
}

/// Those who registered in a span; whoever is two contacts in one once, when the first of them did, and she was there if one
/// of them was.
///
/// # Errors
/// As the store says.
pub async fn registrations(q: &mut impl Queries, span: Span) -> Result<Vec<Registration>> {
    let rows = q
        .query(
            sql!(
                "select webinar, person as contact_id, state, first_at as registered_at
                 from (
                     select r.webinar, coalesce(c.merged_into, c.id) as person, r.state,
                         min(r.registered_at) over (
                             partition by r.webinar, coalesce(c.merged_into, c.id)) as first_at,
                         row_number() over (
                             partition by r.webinar, coalesce(c.merged_into, c.id)
                             order by case r.state when 'attended' then 0 when 'cancelled' then 2 else 1 end,
                                 r.state_at desc, r.contact_id) as place
                     from webinar_registrations r join contacts c on c.id = r.contact_id
                 ) as known
                 where place = 1 and first_at >= $1 and first_at < $2
                 order by webinar, first_at, contact_id"
            ),
            params![span.from, span.to],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Registration {
                webinar: row.get("webinar")?,
                contact: row.get("contact_id")?,
                state: row.get("state")?,
                at: row.get("registered_at")?,
            })
        })
        .collect()
}

/// Those who began to watch a recording in a span.
///
/// # Errors
/// As the store says.
pub async fn watches(q: &mut impl Queries, span: Span) -> Result<Vec<Watch>> {
    let rows = q
        .query(
            sql!(
                "select w.recording, coalesce(c.merged_into, c.id) as contact_id, w.percent,
                     cast(round(w.seconds * 1000) as bigint) as seen_ms
                 from watches w left join contacts c on c.id = w.contact_id
                 where (case when w.begun_at > 0 then w.begun_at else w.updated_at end) >= $1
                     and (case when w.begun_at > 0 then w.begun_at else w.updated_at end) < $2
                 order by w.recording, w.viewer"
            ),
            params![span.from, span.to],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Watch {
                recording: row.get("recording")?,
                contact: row.get("contact_id")?,
                percent: row.get("percent")?,
                seen_ms: row.get("seen_ms")?,
            })
        })
        .collect()
}

/// The calls that were booked since a moment, those that were cancelled later as well.
///
/// # Errors
/// As the store says.
pub async fn booked(q: &mut impl Queries, since: Timestamp) -> Result<Booked> {
    let rows = q
        .query(
            sql!(
                "select coalesce(c.merged_into, c.id) as contact_id, b.created_at
                 from bookings b join contacts c on c.id = b.contact_id
                 where b.created_at >= $1 and b.companion_of is null and b.state in ('confirmed', 'cancelled')
                 order by b.created_at"
            ),
            params![since],
        )
        .await?;
    let mut booked = Booked::new();
    for row in &rows {
        booked.entry(row.get("contact_id")?).or_default().push(row.get("created_at")?);
    }
    Ok(booked)
}

/// Counts them. `webinar_of` tells which webinar a recording is of; one that is nobody's is left out.
pub fn webinars(
    registrations: &[Registration],
    watches: &[Watch],
    booked: &Booked,
    webinar_of: impl Fn(&str) -> Option<String>,
) -> Report {
    let mut report = Report::default();
    for one in registrations.iter().filter(|one| one.state != "cancelled") {
        let later = booked.get(&one.contact);
        let has_booked = later.is_some_and(|times| times.iter().any(|at| *at >= one.at));
        let of_webinar = report.by_webinar.entry(one.webinar.clone()).or_default();
        for numbers in [&mut report.total, of_webinar] {
            numbers.registered += 1;
            match one.state.as_str() {
                "attended" => numbers.attended += 1,
                "no_show" => numbers.no_show += 1,
                _ => numbers.untold += 1,
            }
            numbers.booked += usize::from(has_booked);
        }
    }
    for watch in watches {
        let Some(webinar) = webinar_of(&watch.recording) else { continue };
        let of_webinar = report.by_webinar.entry(webinar).or_default();
        let fifth = fifth_of(watch.percent);
        for numbers in [&mut report.total, of_webinar] {
            numbers.viewers += 1;
            if let Some(viewers) = numbers.viewers_by_fifth.get_mut(fifth) {
                *viewers += 1;
            }
        }
    }
    for numbers in report.by_webinar.values_mut().chain([&mut report.total]) {
        numbers.attendance = share(numbers.attended, numbers.attended + numbers.no_show);
        numbers.booked_rate = share(numbers.booked, numbers.registered);
    }
    report
}

/// 20 percent are still in the first fifth, 21 in the second.
fn fifth_of(percent: i64) -> usize {
    usize::try_from((percent.clamp(1, 100) - 1) / 20).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_four_who_registered_two_came_and_one_booked() {
        let (nikki, eva, ana, leo, zoe) =
            (ContactId::new(), ContactId::new(), ContactId::new(), ContactId::new(), ContactId::new());
        let one = |contact, state: &str| Registration {
            webinar: "reading".to_owned(),
            contact,
            state: state.to_owned(),
            at: Timestamp(1_000),
        };
        let registrations = [
            one(nikki, "attended"),
            one(eva, "attended"),
            one(ana, "no_show"),
            one(leo, "registered"),
            one(zoe, "cancelled"),
        ];
        let watch =
            |percent| Watch { recording: "short".to_owned(), contact: None, percent, seen_ms: percent };
        let strange = Watch { recording: "gone".to_owned(), contact: None, percent: 100, seen_ms: 1 };
        let watches = [watch(0), watch(20), watch(21), watch(60), watch(100), strange];
        // Eva booked before she registered.
        let booked = Booked::from([(nikki, vec![Timestamp(2_000)]), (eva, vec![Timestamp(500)])]);
        let of = |recording: &str| (recording == "short").then(|| "reading".to_owned());
        let told = webinars(&registrations, &watches, &booked, of);
        let reading = &told.by_webinar["reading"];
        assert_eq!((reading.registered, reading.attended, reading.no_show, reading.untold), (4, 2, 1, 1));
        assert_eq!((reading.attendance, reading.booked, reading.booked_rate), (Some(0.6667), 1, Some(0.25)));
        assert_eq!((reading.viewers, reading.viewers_by_fifth), (5, [2, 1, 1, 0, 1]));
        assert_eq!(&told.total, reading);
    }
}
