//! The funnel by cohorts: of those who reached a stage in one week, how many reached the next within so many days.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use serde::Serialize;

use super::{Reached, Span, share};
use crate::base::ids::ContactId;
use crate::base::time::{MINUTE_MS, Timestamp};
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// The stages from the first to the last.
    pub stages: &'a [&'a str],
    /// When the cohorts began.
    pub span: Span,
    /// How long they had to reach the next stage.
    pub within_ms: i64,
    /// One journey only, from 1.
    pub journey: Option<i64>,
    /// Weeks begin on Monday here.
    pub zone: &'a TimeZone,
}

/// One stage of one cohort.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    pub stage: String,
    /// Journeys that reached it in the cohort's week.
    pub reached: usize,
    /// Of these, those that reached the next stage in time; nothing for the last stage.
    pub went_on: Option<usize>,
    /// The share of these; nothing if nobody reached the stage.
    pub share: Option<f64>,
}

/// One week.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cohort {
    /// Its Monday.
    pub week: Date,
    pub steps: Vec<Step>,
}

/// Devices that were seen for the first time in a quarter of an hour and are nobody's up to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strangers {
    /// Its beginning.
    pub at: Timestamp,
    pub devices: usize,
}

/// A quarter of an hour: weeks begin with one in every zone.
const QUARTER_MS: i64 = 15 * MINUTE_MS;

/// The devices that allow an identifier, are no machine's, came for the first time in the span, and belong to nobody who is
/// known.
///
/// # Errors
/// As the store says.
pub async fn strangers(q: &mut impl Queries, span: Span) -> Result<Vec<Strangers>> {
    let rows = q
        .query(
            sql!(
                "select quarter, count(*) as devices
                 from (
                     select min(s.started_at) / $3 as quarter
                     from visits s
                     left join visitors v on v.id = s.visitor
                     where s.consent > 0 and s.bot is null and s.started_at >= $1 and s.started_at < $2
                         and v.contact_id is null
                         and not exists (select 1 from visits e where e.visitor = s.visitor and e.started_at < $1)
                     group by s.visitor
                 ) as firsts
                 group by quarter order by quarter"
            ),
            params![span.from, span.to, QUARTER_MS],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let devices: i64 = row.get("devices")?;
            let quarter: i64 = row.get("quarter")?;
            Ok(Strangers {
                at: Timestamp(quarter * QUARTER_MS).max(span.from),
                devices: usize::try_from(devices).unwrap_or_default(),
            })
        })
        .collect()
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Funnel {
    /// Those in the first stage of whom nothing is known but that they came: devices, and not journeys.
    pub strangers: usize,
    /// The whole span as one cohort.
    pub total: Vec<Step>,
    pub cohorts: Vec<Cohort>,
}

/// Makes the funnel of what was reached; rows may come in any order and beyond the span.
///
/// Strangers stand in the first stage of the first journey and have not gone on: who is known was a visitor once, and would
/// by herself always have gone on.
pub fn funnel(question: &Question<'_>, rows: &[Reached], strangers: &[Strangers]) -> Funnel {
    let mut journeys: HashMap<(ContactId, i64), HashMap<&str, Timestamp>> = HashMap::new();
    for row in rows.iter().filter(|row| question.journey.is_none_or(|journey| journey == row.journey)) {
        let first = journeys.entry((row.contact, row.journey)).or_default();
        let at = first.entry(row.stage.as_str()).or_insert(row.at);
        *at = row.at.min(*at);
    }
    let mut total = vec![(0, 0); question.stages.len()];
    let mut weeks: BTreeMap<Date, Vec<(usize, usize)>> = BTreeMap::new();
    for first in journeys.values() {
        for (place, stage) in question.stages.iter().enumerate() {
            let Some(at) = first.get(stage).copied().filter(|at| question.span.has(*at)) else { continue };
            let week =
                weeks.entry(monday(at, question.zone)).or_insert_with(|| vec![(0, 0); question.stages.len()]);
            let next = question.stages.get(place + 1).and_then(|next| first.get(next));
            let went_on = next.is_some_and(|next| next.since_ms(at) <= question.within_ms);
            for (reached, on) in [total.get_mut(place), week.get_mut(place)].into_iter().flatten() {
                *reached += 1;
                *on += usize::from(went_on);
            }
        }
    }
    let is_theirs = question.journey.is_none_or(|journey| journey == 1);
    let strangers = strangers.iter().filter(|some| is_theirs && question.span.has(some.at));
    let mut unknown = 0;
    for some in strangers {
        let week = monday(some.at, question.zone);
        let week = weeks.entry(week).or_insert_with(|| vec![(0, 0); question.stages.len()]);
        for (reached, _) in [total.first_mut(), week.first_mut()].into_iter().flatten() {
            *reached += some.devices;
        }
        unknown += some.devices;
    }
    let steps = |counts: &[(usize, usize)]| {
        let last = question.stages.len().saturating_sub(1);
        let each = question.stages.iter().zip(counts).enumerate();
        each.map(|(place, (stage, (reached, on)))| Step {
            stage: (*stage).to_owned(),
            reached: *reached,
            went_on: (place < last).then_some(*on),
            share: (place < last).then(|| share(*on, *reached)).flatten(),
        })
        .collect()
    };
    Funnel {
        strangers: unknown,
        total: steps(&total),
        cohorts: weeks.iter().map(|(week, counts)| Cohort { week: *week, steps: steps(counts) }).collect(),
    }
}

fn monday(at: Timestamp, zone: &TimeZone) -> Date {
    let date = at.to_jiff().to_zoned(zone.clone()).date();
    let back = i64::from(date.weekday().since(Weekday::Monday));
    date.checked_sub(jiff::Span::new().days(back)).unwrap_or(date)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::DAY_MS;

    /// Monday, 2 November 2026, 00:00 UTC.
    const MONDAY: Timestamp = Timestamp(1_793_577_600_000);
    const STAGES: [&str; 3] = ["lead", "mql", "sql"];

    fn reached(rows: &[(ContactId, i64, &str, i64)]) -> Vec<Reached> {
        rows.iter()
            .map(|(contact, journey, stage, day)| Reached {
                contact: *contact,
                journey: *journey,
                stage: (*stage).to_owned(),
                at: MONDAY.plus_ms(day * DAY_MS),
            })
            .collect()
    }

    fn question(journey: Option<i64>) -> Question<'static> {
        let span = Span { from: MONDAY, to: MONDAY.plus_ms(14 * DAY_MS) };
        Question { stages: &STAGES, span, within_ms: 10 * DAY_MS, journey, zone: &UTC }
    }

    static UTC: TimeZone = TimeZone::UTC;

    #[test]
    fn ten_leads_of_a_week_of_whom_four_were_in_time_are_forty_percent() {
        let mut rows = Vec::new();
        for n in 0..10 {
            let contact = ContactId::new();
            rows.extend(reached(&[(contact, 1, "lead", n % 7)]));
            match n {
                0..=3 => rows.extend(reached(&[(contact, 1, "mql", n % 7 + 10)])),
                4 => rows.extend(reached(&[(contact, 1, "mql", n % 7 + 11)])),
                _ => {}
            }
        }
        let funnel = funnel(&question(None), &rows, &[]);
        assert_eq!(funnel.cohorts[0].week.to_string(), "2026-11-02");
        let lead = &funnel.cohorts[0].steps[0];
        assert_eq!((lead.reached, lead.went_on, lead.share), (10, Some(4), Some(0.4)));
        assert_eq!(funnel.total[2].went_on, None);
    }

    #[test]
    fn who_only_came_stands_above_those_who_became_leads() {
        let stages = ["visitor", "lead"];
        let (nikki, eva) = (ContactId::new(), ContactId::new());
        let rows = reached(&[(nikki, 1, "visitor", 0), (nikki, 1, "lead", 1), (eva, 1, "visitor", 2)]);
        let strangers = [(0, 4), (8, 1), (20, 9)]
            .map(|(day, devices)| Strangers { at: MONDAY.plus_ms(day * DAY_MS), devices });
        let of = |journey| {
            let told = funnel(&Question { stages: &stages, ..question(journey) }, &rows, &strangers);
            let weeks: Vec<usize> = told.cohorts.iter().map(|cohort| cohort.steps[0].reached).collect();
            (told.strangers, told.total[0].reached, told.total[0].went_on, told.total[0].share, weeks)
        };
        assert_eq!(of(None), (5, 7, Some(1), Some(0.1429), vec![6, 1]));
        assert_eq!(of(Some(2)), (0, 0, Some(0), None, vec![]), "nobody begins with her second journey");
    }

    #[test]
    fn a_second_journey_is_counted_by_itself() {
        let nikki = ContactId::new();
        let rows = reached(&[(nikki, 1, "mql", 0), (nikki, 1, "sql", 1), (nikki, 2, "mql", 8)]);
        let of = |journey| {
            let total = funnel(&question(journey), &rows, &[]).total;
            (total[1].reached, total[1].went_on)
        };
        assert_eq!(of(None), (2, Some(1)));
        assert_eq!(of(Some(1)), (1, Some(1)));
        assert_eq!(of(Some(2)), (1, Some(0)));
    }

    #[test]
    fn a_week_begins_on_monday_where_the_reader_is() {
        let nikki = ContactId::new();
        let rows = vec![Reached {
            contact: nikki,
            journey: 1,
            stage: "lead".to_owned(),
            at: MONDAY.plus_ms(3_600_000),
        }];
        let mexico = TimeZone::get("America/Mexico_City").expect("bundled");
        let span = Span { from: MONDAY.plus_ms(-7 * DAY_MS), to: MONDAY.plus_ms(DAY_MS) };
        let question = Question { zone: &mexico, span, ..question(None) };
        assert_eq!(funnel(&question, &rows, &[]).cohorts[0].week.to_string(), "2026-10-26");
    }
}
