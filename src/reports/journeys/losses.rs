//! What was lost: deals with their reasons, people whom sales sent back, and customers who left.

use std::collections::BTreeMap;

use serde::Serialize;

use super::churn::Reason;
use super::{Span, share};
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

/// Deals that ended in the span.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Deals {
    pub won: usize,
    pub lost: usize,
    /// Lost of all that ended.
    pub loss_rate: Option<f64>,
    /// What was lost, by currency, in its smallest unit.
    pub lost_amount: BTreeMap<String, i64>,
    /// Why, the most frequent first.
    pub reasons: Vec<Reason>,
}

/// People who were taken back to an earlier stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Back {
    /// The way back, as the lifecycle names it.
    pub rule: String,
    /// The reason that was given.
    pub reason: String,
    pub n: usize,
}

/// A deal that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub is_won: bool,
    pub amount: i64,
    pub currency: String,
    pub reason: Option<String>,
}

/// The deals that ended in a span.
///
/// # Errors
/// As the store says.
pub async fn ended(q: &mut impl Queries, span: Span) -> Result<Vec<Ended>> {
    let rows = q
        .query(
            sql!(
                "select status, amount, currency, reason from deals
                 where closed_at >= $1 and closed_at < $2 and status in ('won', 'lost')"
            ),
            params![span.from, span.to],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Ended {
                is_won: row.get::<String>("status")? == "won",
                amount: row.get::<Option<i64>>("amount")?.unwrap_or(0),
                currency: row.get("currency")?,
                reason: row.get("reason")?,
            })
        })
        .collect()
}

/// Counts deals that ended.
pub fn deals(ended: &[Ended]) -> Deals {
    let (won, lost): (Vec<&Ended>, Vec<&Ended>) = ended.iter().partition(|deal| deal.is_won);
    let (mut amounts, mut reasons) = (BTreeMap::new(), BTreeMap::<&str, usize>::new());
    for deal in &lost {
        *amounts.entry(deal.currency.clone()).or_insert(0) += deal.amount;
        *reasons.entry(deal.reason.as_deref().unwrap_or("(none)")).or_default() += 1;
    }
    Deals {
        won: won.len(),
        lost: lost.len(),
        loss_rate: share(lost.len(), ended.len()),
        lost_amount: amounts,
        reasons: most_frequent(reasons),
    }
}

fn most_frequent(reasons: BTreeMap<&str, usize>) -> Vec<Reason> {
    let mut all: Vec<Reason> =
        reasons.into_iter().map(|(reason, n)| Reason { reason: reason.to_owned(), n }).collect();
    all.sort_by(|a, b| b.n.cmp(&a.n).then_with(|| a.reason.cmp(&b.reason)));
    all
}

/// Who was taken back in a span, by the way and the reason; those who only cooled down among them.
///
/// # Errors
/// As the store says.
pub async fn taken_back(q: &mut impl Queries, span: Span) -> Result<Vec<Back>> {
    let rows = q
        .query(
            sql!(
                "select rule, coalesce(reason, '(none)') as reason, count(*) as n from stage_intervals
                 where rule like 'back.%' and entered_at >= $1 and entered_at < $2
                 group by rule, coalesce(reason, '(none)') order by 3 desc, 1, 2"
            ),
            params![span.from, span.to],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let n: i64 = row.get("n")?;
            Ok(Back {
                rule: row.get("rule")?,
                reason: row.get("reason")?,
                n: usize::try_from(n).unwrap_or(0),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_lost_of_four_are_told_with_their_reasons_and_what_they_were_worth() {
        let ended = |is_won, amount, reason: Option<&str>| Ended {
            is_won,
            amount,
            currency: "EUR".to_owned(),
            reason: reason.map(str::to_owned),
        };
        let told = deals(&[
            ended(true, 900, None),
            ended(false, 100, Some("price")),
            ended(false, 250, Some("timing")),
            ended(false, 50, Some("price")),
        ]);
        assert_eq!((told.won, told.lost, told.loss_rate), (1, 3, Some(0.75)));
        assert_eq!(told.lost_amount, BTreeMap::from([("EUR".to_owned(), 400)]));
        let reason = |reason: &str, n| Reason { reason: reason.to_owned(), n };
        assert_eq!(told.reasons, [reason("price", 2), reason("timing", 1)]);
        assert_eq!(deals(&[]).loss_rate, None);
    }
}
