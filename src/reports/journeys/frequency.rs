//! How often people come, and for how long: visits for each visitor, the time between them, and the time they last, by the
//! stage that somebody stands in now.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Span, share};
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

/// The stage of those who are not known.
pub const ANONYMOUS: &str = "(anonymous)";

/// Visitors who came so often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The stage they stand in; none for those who are not known.
    pub stage: Option<String>,
    /// Visits of each of them.
    pub visits: i64,
    /// How many they are.
    pub visitors: i64,
    /// The time that all of them looked at pages, in milliseconds.
    pub engaged_ms: i64,
    /// From the first to the last visit of each, added up.
    pub between_ms: i64,
}

/// How often, and for how long.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Numbers {
    pub visitors: i64,
    pub visits: i64,
    pub visits_per_visitor: f64,
    /// Visitors who came more than once, of all.
    pub returning: Option<f64>,
    /// The mean time between two visits of one visitor; nothing where nobody came twice.
    pub between_ms: Option<i64>,
    /// The mean time that a visit's pages were looked at.
    pub engaged_ms_per_visit: i64,
    /// The same of a visitor.
    pub engaged_ms_per_visitor: i64,
    /// Visitors by how often they came: `1`, `2`, `3-5`, `6-10`, `11+`.
    pub visitors_by_visits: BTreeMap<&'static str, i64>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Frequency {
    pub total: Numbers,
    /// By the stage that somebody stands in now.
    pub by_stage: BTreeMap<String, Numbers>,
}

/// The visitors who came in a span, grouped by stage and by how often they came. Machines are left out, and so is who
/// allows no identifier: that is another visitor every day.
///
/// # Errors
/// As the store says.
pub async fn groups(q: &mut impl Queries, span: Span) -> Result<Vec<Group>> {
    let rows = q
        .query(
            sql!(
                "select stage, n, count(*) as visitors, cast(sum(engaged) as bigint) as engaged,
                     cast(sum(last_at - first_at) as bigint) as between_ms
                 from (
                     -- somebody with two devices is one visitor
                     select c.stage as stage, count(*) as n, sum(s.engaged_ms) as engaged,
                         min(s.started_at) as first_at, max(s.started_at) as last_at
                     from visits s
                     left join visitors v on v.id = s.visitor
                     left join contact_ids i on i.own_id = v.contact_id
                     left join contacts c on c.id = i.contact_id
                     where s.consent > 0 and s.bot is null and s.started_at >= $1 and s.started_at < $2
                     group by coalesce(c.id, s.visitor), c.stage
                 ) as people
                 group by stage, n order by stage, n"
            ),
            params![span.from, span.to],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Group {
                stage: row.get("stage")?,
                visits: row.get("n")?,
                visitors: row.get("visitors")?,
                engaged_ms: row.get("engaged")?,
                between_ms: row.get("between_ms")?,
            })
        })
        .collect()
}

/// Adds groups up.
pub fn frequency(groups: &[Group]) -> Frequency {
    let mut by_stage: BTreeMap<String, Vec<&Group>> = BTreeMap::new();
    for group in groups {
        let stage = group.stage.clone().unwrap_or_else(|| ANONYMOUS.to_owned());
        by_stage.entry(stage).or_default().push(group);
    }
    Frequency {
        total: numbers(&groups.iter().collect::<Vec<_>>()),
        by_stage: by_stage.iter().map(|(stage, groups)| (stage.clone(), numbers(groups))).collect(),
    }
}

#[allow(clippy::cast_precision_loss, reason = "visits are counted")]
fn numbers(groups: &[&Group]) -> Numbers {
    let sum = |of: fn(&Group) -> i64| groups.iter().map(|group| of(group)).sum::<i64>();
    let visitors = sum(|group| group.visitors);
    let visits = sum(|group| group.visitors * group.visits);
    let engaged_ms = sum(|group| group.engaged_ms);
    let returning: i64 = groups.iter().filter(|group| group.visits > 1).map(|group| group.visitors).sum();
    let gaps = visits - visitors;
    let mut by_visits: BTreeMap<&'static str, i64> = BTreeMap::new();
    for group in groups {
        *by_visits.entry(class(group.visits)).or_default() += group.visitors;
    }
    let count = |n: i64| usize::try_from(n).unwrap_or(0);
    let per = |whole: i64, of: i64| if of > 0 { whole / of } else { 0 };
    Numbers {
        visitors,
        visits,
        visits_per_visitor: if visitors > 0 {
            (visits as f64 / visitors as f64 * 100.0).round() / 100.0
        } else {
            0.0
        },
        returning: share(count(returning), count(visitors)),
        between_ms: (gaps > 0).then(|| sum(|group| group.between_ms) / gaps),
        engaged_ms_per_visit: per(engaged_ms, visits),
        engaged_ms_per_visitor: per(engaged_ms, visitors),
        visitors_by_visits: by_visits,
    }
}

fn class(visits: i64) -> &'static str {
    match visits {
        ..=1 => "1",
        2 => "2",
        3..=5 => "3-5",
        6..=10 => "6-10",
        _ => "11+",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::DAY_MS;

    #[test]
    fn ten_who_came_once_and_two_who_came_four_times_came_one_and_a_half_times_each() {
        let group = |stage: Option<&str>, visits, visitors, engaged_ms, between_ms| Group {
            stage: stage.map(str::to_owned),
            visits,
            visitors,
            engaged_ms,
            between_ms,
        };
        let told =
            frequency(&[group(None, 1, 10, 100_000, 0), group(Some("lead"), 4, 2, 80_000, 12 * DAY_MS)]);
        let total = &told.total;
        assert_eq!((total.visitors, total.visits, total.visits_per_visitor), (12, 18, 1.5));
        assert_eq!((total.returning, total.between_ms), (Some(0.1667), Some(2 * DAY_MS)));
        assert_eq!((total.engaged_ms_per_visit, total.engaged_ms_per_visitor), (10_000, 15_000));
        assert_eq!(total.visitors_by_visits, BTreeMap::from([("1", 10), ("3-5", 2)]));
        assert_eq!(told.by_stage["lead"].visits_per_visitor, 4.0);
        assert_eq!(told.by_stage[ANONYMOUS].between_ms, None);
        assert_eq!(frequency(&[]).total.returning, None);
    }
}
