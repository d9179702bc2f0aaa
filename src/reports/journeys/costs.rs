//! What it costs to bring somebody to a stage: what campaigns cost, beside the conversions they are credited with.

use std::collections::BTreeMap;

use serde::Serialize;

use super::attribution::Credit;
use crate::campaigns::Cost;

/// One campaign.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    pub campaign: String,
    pub currency: String,
    /// In the smallest unit of the currency.
    pub amount: i64,
    /// Conversions that it is credited with, by stage.
    pub credits: BTreeMap<String, f64>,
    /// What one of them cost; nothing where it brought nobody.
    pub cost_per: BTreeMap<String, Option<f64>>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Costs {
    pub campaigns: Vec<Row>,
    /// All campaigns of a currency over everybody who reached a stage, however they came.
    pub total: Vec<Row>,
}

/// Joins costs and credits by campaign; `reached` is how many reached each stage, by whatever way.
#[allow(clippy::cast_precision_loss, reason = "money and people are counted")]
pub fn costs(
    costs: &[Cost],
    credits: &BTreeMap<String, Vec<Credit>>,
    reached: &BTreeMap<String, usize>,
) -> Costs {
    let mut by_campaign: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    let mut by_currency: BTreeMap<&str, i64> = BTreeMap::new();
    for cost in costs {
        *by_campaign.entry((&cost.campaign, &cost.currency)).or_default() += cost.amount;
        *by_currency.entry(&cost.currency).or_default() += cost.amount;
    }
    let row = |campaign: &str, currency: &str, amount: i64, credits: BTreeMap<String, f64>| {
        let per = |credit: &f64| (*credit > 0.0).then(|| (amount as f64 / credit).round());
        let cost_per = credits.iter().map(|(stage, credit)| (stage.clone(), per(credit))).collect();
        Row { campaign: campaign.to_owned(), currency: currency.to_owned(), amount, credits, cost_per }
    };
    let credit_of = |stage: &str, campaign: &str| {
        let of_stage = credits.get(stage).into_iter().flatten();
        of_stage.filter(|credit| credit.key == campaign).map(|credit| credit.credit).sum::<f64>()
    };
    let campaigns = by_campaign.into_iter().map(|((campaign, currency), amount)| {
        let own = credits.keys().map(|stage| (stage.clone(), credit_of(stage, campaign))).collect();
        row(campaign, currency, amount, own)
    });
    let everybody: BTreeMap<String, f64> =
        reached.iter().map(|(stage, n)| (stage.clone(), *n as f64)).collect();
    let total =
        by_currency.into_iter().map(|(currency, amount)| row("", currency, amount, everybody.clone()));
    Costs { campaigns: campaigns.collect(), total: total.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_campaign_of_a_hundred_that_brought_two_and_a_half_leads_paid_forty_for_each() {
        let cost = |campaign: &str, amount| Cost {
            source: "google".to_owned(),
            campaign: campaign.to_owned(),
            currency: "EUR".to_owned(),
            amount,
        };
        let credits = BTreeMap::from([
            ("lead".to_owned(), vec![Credit { key: "autumn".to_owned(), credit: 2.5, touched: 3 }]),
            ("mql".to_owned(), Vec::new()),
        ]);
        let reached = BTreeMap::from([("lead".to_owned(), 10)]);
        let told = costs(&[cost("autumn", 10_000), cost("spring", 5_000)], &credits, &reached);
        let of = |row: &Row, stage: &str| row.cost_per.get(stage).copied().flatten();
        assert_eq!(of(&told.campaigns[0], "lead"), Some(4_000.0));
        assert_eq!(of(&told.campaigns[0], "mql"), None);
        assert_eq!(of(&told.campaigns[1], "lead"), None);
        assert_eq!(of(&told.total[0], "lead"), Some(1_500.0));
    }
}
