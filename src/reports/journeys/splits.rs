//! A/B tests in flows: how many went through each arm, and what became of them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Span, share};
use crate::base::ids::ContactId;
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

/// One conversation that went through an arm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Through {
    pub flow: String,
    pub step: String,
    pub arm: String,
    /// Who it was, if she is known.
    pub contact: Option<ContactId>,
    /// She said something after it.
    pub has_answered: bool,
    /// A call came of the conversation.
    pub is_booked: bool,
    /// How the conversation ended, if it has.
    pub outcome: Option<String>,
}

/// What came of an arm.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Arm {
    pub conversations: usize,
    pub answered: usize,
    pub booked: usize,
    pub answered_rate: Option<f64>,
    pub booked_rate: Option<f64>,
    /// Between which rates the true one lies, nineteen times of twenty (Wilson's interval). Arms whose intervals overlap
    /// have not shown which of them is better.
    pub booked_between: Option<(f64, f64)>,
    /// How many ended how.
    pub outcomes: BTreeMap<String, usize>,
}

/// One test.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Split {
    pub flow: String,
    pub step: String,
    pub arms: BTreeMap<String, Arm>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub splits: Vec<Split>,
}

/// The conversations that went through an arm in a span; of one flow, if one is named.
///
/// # Errors
/// As the store says.
pub async fn through(q: &mut impl Queries, span: Span, flow: Option<&str>) -> Result<Vec<Through>> {
    let rows = q
        .query(
            sql!(
                "select a.flow, a.step, a.arm, c.outcome, coalesce(k.merged_into, k.id) as contact_id,
                     (select count(*) from messages m where m.conversation_id = a.conversation_id
                         and m.author = 'visitor' and m.at >= a.at) as answers,
                     (select count(*) from bookings b where b.conversation_id = a.conversation_id
                         and b.companion_of is null and b.state in ('confirmed', 'cancelled')) as calls
                 from chat_arms a join conversations c on c.id = a.conversation_id
                 left join contacts k on k.id = c.contact_id
                 where a.at >= $1 and a.at < $2 and ($3 = '' or a.flow = $3)
                 order by a.flow, a.step, a.arm"
            ),
            params![span.from, span.to, flow.unwrap_or_default()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Through {
                flow: row.get("flow")?,
                step: row.get("step")?,
                arm: row.get("arm")?,
                contact: row.get("contact_id")?,
                has_answered: row.get::<i64>("answers")? > 0,
                is_booked: row.get::<i64>("calls")? > 0,
                outcome: row.get("outcome")?,
            })
        })
        .collect()
}

/// Counts them.
pub fn splits(through: &[Through]) -> Report {
    let mut found: BTreeMap<(&str, &str), Split> = BTreeMap::new();
    for one in through {
        let split = found.entry((&one.flow, &one.step)).or_insert_with(|| Split {
            flow: one.flow.clone(),
            step: one.step.clone(),
            arms: BTreeMap::new(),
        });
        let arm = split.arms.entry(one.arm.clone()).or_default();
        arm.conversations += 1;
        arm.answered += usize::from(one.has_answered);
        arm.booked += usize::from(one.is_booked);
        if let Some(outcome) = &one.outcome {
            *arm.outcomes.entry(outcome.clone()).or_default() += 1;
        }
    }
    let mut splits: Vec<Split> = found.into_values().collect();
    for arm in splits.iter_mut().flat_map(|split| split.arms.values_mut()) {
        arm.answered_rate = share(arm.answered, arm.conversations);
        arm.booked_rate = share(arm.booked, arm.conversations);
        arm.booked_between = wilson(arm.booked, arm.conversations);
    }
    Report { splits }
}

/// Wilson's score interval at 95 % (Wilson, Probable inference, the law of succession, and statistical inference, 1927).
#[allow(clippy::cast_precision_loss, reason = "people are counted")]
fn wilson(part: usize, whole: usize) -> Option<(f64, f64)> {
    const Z: f64 = 1.96;
    if whole == 0 {
        return None;
    }
    let (n, p) = (whole as f64, part as f64 / whole as f64);
    let middle = p + Z * Z / (2.0 * n);
    let reach = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let below = 1.0 + Z * Z / n;
    let rounded = |x: f64| (x.clamp(0.0, 1.0) * 10_000.0).round() / 10_000.0;
    Some((rounded((middle - reach) / below), rounded((middle + reach) / below)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(arm: &str, is_booked: bool, outcome: Option<&str>) -> Through {
        Through {
            flow: "welcome".to_owned(),
            step: "greeting".to_owned(),
            arm: arm.to_owned(),
            contact: None,
            has_answered: is_booked,
            is_booked,
            outcome: outcome.map(str::to_owned),
        }
    }

    #[test]
    fn arms_are_counted_each_with_what_became_of_them() {
        let through = [
            one("short", true, Some("booked")),
            one("short", false, Some("declined")),
            one("short", false, None),
            one("short", true, Some("booked")),
            one("long", false, Some("declined")),
        ];
        let report = splits(&through);
        let short = &report.splits[0].arms["short"];
        assert_eq!((short.conversations, short.answered, short.booked), (4, 2, 2));
        assert_eq!((short.booked_rate, short.answered_rate), (Some(0.5), Some(0.5)));
        assert_eq!(short.outcomes, BTreeMap::from([("booked".to_owned(), 2), ("declined".to_owned(), 1)]));
        let long = &report.splits[0].arms["long"];
        assert_eq!((long.conversations, long.booked_rate), (1, Some(0.0)));
    }

    #[test]
    fn a_rate_of_few_is_uncertain() {
        // Worked out by hand: 2 of 4, and 50 of 100.
        assert_eq!(wilson(2, 4), Some((0.15, 0.85)));
        assert_eq!(wilson(50, 100), Some((0.4038, 0.5962)));
        assert_eq!(wilson(0, 0), None);
        assert_eq!(wilson(0, 10).unwrap().0, 0.0);
    }
}
