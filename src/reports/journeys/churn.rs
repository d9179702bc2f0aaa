//! Customers lost and won back: who left in a while, of those who were customers when it began.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Span, share};
use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

/// One customer in one state of the track after the sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub contact: ContactId,
    pub state: String,
    pub entered_at: Timestamp,
    pub left_at: Option<Timestamp>,
    pub reason: Option<String>,
}

/// How often a reason was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    pub reason: String,
    pub n: usize,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Churn {
    /// Customers when the span began.
    pub at_start: usize,
    /// Of these, those who left in the span, whether or not they came back.
    pub lost: usize,
    /// Lost of those at the start; customers who are new count neither above nor below.
    pub churn_rate: Option<f64>,
    /// Customers who are new in the span, and those of them who left in it.
    pub new: usize,
    pub lost_of_new: usize,
    /// Those who were won back in the span.
    pub recovered: usize,
    /// Won back of all who had left when the span began or left in it.
    pub recovery_rate: Option<f64>,
    /// Why people left, the most frequent first.
    pub reasons: Vec<Reason>,
}

/// Every state that began before a moment, person by person, oldest first.
///
/// # Errors
/// As the store says.
pub async fn standings(q: &mut impl Queries, before: Timestamp) -> Result<Vec<Standing>> {
    let rows = q
        .query(
            sql!(
                "select contact_id, state, entered_at, left_at, reason from post_sale_intervals
                 where entered_at < $1 order by contact_id, entered_at, id"
            ),
            params![before],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Standing {
                contact: row.get("contact_id")?,
                state: row.get("state")?,
                entered_at: row.get("entered_at")?,
                left_at: row.get("left_at")?,
                reason: row.get("reason")?,
            })
        })
        .collect()
}

/// How many became customers in a span, and how many were customers at any time in it; `lost` are the states of those who
/// are customers no more.
pub fn customers(lost: &[&str], span: Span, rows: &[Standing]) -> (usize, usize) {
    let mut first: BTreeMap<ContactId, Timestamp> = BTreeMap::new();
    let mut there: BTreeSet<ContactId> = BTreeSet::new();
    for row in rows {
        let at = first.entry(row.contact).or_insert(row.entered_at);
        *at = row.entered_at.min(*at);
        let is_in = row.entered_at < span.to && row.left_at.is_none_or(|left| left > span.from);
        if is_in && !lost.contains(&row.state.as_str()) {
            there.insert(row.contact);
        }
    }
    (first.values().filter(|at| span.has(**at)).count(), there.len())
}

/// Counts them; `lost` are the states of those who are customers no more. Rows are ordered as [`standings`] has them.
pub fn churn(lost: &[&str], span: Span, rows: &[Standing]) -> Churn {
    let is_lost = |row: &Standing| lost.contains(&row.state.as_str());
    let mut people: BTreeMap<ContactId, Vec<&Standing>> = BTreeMap::new();
    for row in rows {
        people.entry(row.contact).or_default().push(row);
    }
    let mut told = Churn {
        at_start: 0,
        lost: 0,
        churn_rate: None,
        new: 0,
        lost_of_new: 0,
        recovered: 0,
        recovery_rate: None,
        reasons: Vec::new(),
    };
    let (mut gone_before, mut reasons) = (0, BTreeMap::<&str, usize>::new());
    for rows in people.values() {
        let at_start = rows.iter().rfind(|row| row.entered_at < span.from);
        let leaves = rows.iter().find(|row| is_lost(row) && span.has(row.entered_at));
        // Whoever was lost before and is only let be now has not left again.
        let leaves = leaves.filter(|_| at_start.is_none_or(|row| !is_lost(row)));
        match at_start {
            Some(row) if is_lost(row) => gone_before += 1,
            Some(_) => {
                told.at_start += 1;
                told.lost += usize::from(leaves.is_some());
            }
            None if rows.first().is_some_and(|row| span.has(row.entered_at)) => {
                told.new += 1;
                told.lost_of_new += usize::from(leaves.is_some());
            }
            None => {}
        }
        if let Some(row) = leaves {
            *reasons.entry(row.reason.as_deref().unwrap_or("(none)")).or_default() += 1;
        }
        let returns = rows
            .windows(2)
            .any(|pair| matches!(pair, [a, b] if is_lost(a) && !is_lost(b) && span.has(b.entered_at)));
        told.recovered += usize::from(returns);
    }
    told.churn_rate = share(told.lost, told.at_start);
    told.recovery_rate = share(told.recovered, gone_before + told.lost + told.lost_of_new);
    told.reasons = reasons.into_iter().map(|(reason, n)| Reason { reason: reason.to_owned(), n }).collect();
    told.reasons.sort_by(|a, b| b.n.cmp(&a.n).then_with(|| a.reason.cmp(&b.reason)));
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span { from: Timestamp(1_000), to: Timestamp(2_000) };
    const LOST: [&str; 2] = ["churned", "do_not_pursue"];

    /// One customer's states, each from a moment on.
    fn life(states: &[(&str, i64)]) -> Vec<Standing> {
        let contact = ContactId::new();
        let ends = states.iter().skip(1).map(|(_, at)| Some(Timestamp(*at))).chain([None]);
        let rows = states.iter().zip(ends).map(|((state, at), left_at)| Standing {
            contact,
            state: (*state).to_owned(),
            entered_at: Timestamp(*at),
            left_at,
            reason: LOST.contains(state).then(|| "price".to_owned()),
        });
        rows.collect()
    }

    #[test]
    fn seven_lost_of_a_hundred_are_seven_percent_however_many_are_new() {
        let mut rows = Vec::new();
        for n in 0..100 {
            rows.extend(match n {
                0..7 => life(&[("active", 10), ("at_risk", 900), ("churned", 1_000 + n)]),
                _ => life(&[("active", 10)]),
            });
        }
        for n in 0..20 {
            rows.extend(match n {
                0..3 => life(&[("active", 1_100), ("churned", 1_900)]),
                _ => life(&[("active", 1_100)]),
            });
        }
        let told = churn(&LOST, SPAN, &rows);
        assert_eq!((told.at_start, told.lost, told.churn_rate), (100, 7, Some(0.07)));
        assert_eq!((told.new, told.lost_of_new), (20, 3));
        assert_eq!(told.reasons, [Reason { reason: "price".to_owned(), n: 10 }]);
    }

    #[test]
    fn whoever_is_won_back_counts_of_all_who_had_left() {
        let rows = [
            life(&[("active", 1), ("churned", 500), ("recovered", 1_500)]),
            life(&[("active", 1), ("churned", 500), ("do_not_pursue", 1_500)]),
            life(&[("active", 1), ("churned", 1_200), ("recovered", 1_700)]),
            life(&[("active", 1), ("churned", 1_200)]),
        ];
        let told = churn(&LOST, SPAN, &rows.concat());
        assert_eq!((told.at_start, told.lost, told.churn_rate), (2, 2, Some(1.0)));
        assert_eq!((told.recovered, told.recovery_rate), (2, Some(0.5)));
    }

    #[test]
    fn of_nobody_there_is_no_rate() {
        let told = churn(&LOST, SPAN, &[]);
        assert_eq!((told.churn_rate, told.recovery_rate), (None, None));
        let later = churn(&LOST, SPAN, &life(&[("active", 2_000)]));
        assert_eq!((later.at_start, later.new), (0, 0));
    }
}
