//! What it costs to bring somebody to a stage: what campaigns cost, beside the conversions they are credited with.

use std::collections::BTreeMap;

use serde::Serialize;

use super::attribution::Credit;
use crate::campaigns::{Cost, Purpose};

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
    /// Winning customers beside keeping them, by currency.
    pub winning_and_keeping: Vec<Sides>,
}

/// What it cost to win customers beside what it cost to keep them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sides {
    pub currency: String,
    /// Paid to win customers, in the smallest unit of the currency.
    pub winning: i64,
    /// Those who became customers.
    pub new_customers: usize,
    /// What each of them cost.
    pub per_new_customer: Option<f64>,
    /// Paid to keep customers.
    pub keeping: i64,
    /// Those who were customers at any time.
    pub customers: usize,
    /// What each of them cost.
    pub per_customer: Option<f64>,
}

/// Sets both sides beside each other.
#[allow(clippy::cast_precision_loss, reason = "money and people are counted")]
pub fn sides(costs: &[Cost], new_customers: usize, customers: usize) -> Vec<Sides> {
    let mut paid: BTreeMap<&str, [i64; 2]> = BTreeMap::new();
    for cost in costs {
        let [winning, keeping] = paid.entry(&cost.currency).or_default();
        match cost.purpose {
            Purpose::Winning => *winning += cost.amount,
            Purpose::Keeping => *keeping += cost.amount,
        }
    }
    let per = |amount: i64, people: usize| (people > 0).then(|| (amount as f64 / people as f64).round());
    let sides = paid.into_iter().map(|(currency, [winning, keeping])| Sides {
        currency: currency.to_owned(),
        winning,
        new_customers,
        per_new_customer: per(winning, new_customers),
        keeping,
        customers,
        per_customer: per(keeping, customers),
    });
    sides.collect()
}

/// Joins the costs of winning and the credits by campaign; `reached` is how many reached each stage, by whatever way.
/// `customers` are those who are new, and all that there were. What is paid to keep customers brings nobody anywhere.
#[allow(clippy::cast_precision_loss, reason = "money and people are counted")]
pub fn costs(
    costs: &[Cost],
    credits: &BTreeMap<String, Vec<Credit>>,
    reached: &BTreeMap<String, usize>,
    customers: (usize, usize),
) -> Costs {
    let mut by_campaign: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    let mut by_currency: BTreeMap<&str, i64> = BTreeMap::new();
    for cost in costs.iter().filter(|cost| cost.purpose == Purpose::Winning) {
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
        // The sum of nothing is -0.0, and would be told as `-0`.
        of_stage.filter(|credit| credit.key == campaign).map(|credit| credit.credit).sum::<f64>() + 0.0
    };
    let campaigns = by_campaign.into_iter().map(|((campaign, currency), amount)| {
        let own = credits.keys().map(|stage| (stage.clone(), credit_of(stage, campaign))).collect();
        row(campaign, currency, amount, own)
    });
    let everybody: BTreeMap<String, f64> =
        reached.iter().map(|(stage, n)| (stage.clone(), *n as f64)).collect();
    let total =
        by_currency.into_iter().map(|(currency, amount)| row("", currency, amount, everybody.clone()));
    let winning_and_keeping = sides(costs, customers.0, customers.1);
    Costs { campaigns: campaigns.collect(), total: total.collect(), winning_and_keeping }
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
            purpose: Purpose::Winning,
        };
        let credits = BTreeMap::from([
            ("lead".to_owned(), vec![Credit { key: "autumn".to_owned(), credit: 2.5, touched: 3 }]),
            ("mql".to_owned(), Vec::new()),
        ]);
        let reached = BTreeMap::from([("lead".to_owned(), 10)]);
        let told = costs(&[cost("autumn", 10_000), cost("spring", 5_000)], &credits, &reached, (0, 0));
        let of = |row: &Row, stage: &str| row.cost_per.get(stage).copied().flatten();
        assert_eq!(of(&told.campaigns[0], "lead"), Some(4_000.0));
        assert_eq!(of(&told.campaigns[0], "mql"), None);
        assert_eq!(of(&told.campaigns[1], "lead"), None);
        assert_eq!(of(&told.total[0], "lead"), Some(1_500.0));
    }

    #[test]
    fn keeping_twenty_customers_for_four_hundred_costs_twenty_each_beside_five_hundred_for_a_new_one() {
        let cost = |purpose, amount| Cost {
            source: "letters".to_owned(),
            campaign: "x".to_owned(),
            currency: "EUR".to_owned(),
            amount,
            purpose,
        };
        let paid = [cost(Purpose::Winning, 100_000), cost(Purpose::Keeping, 40_000)];
        let told = costs(&paid, &BTreeMap::new(), &BTreeMap::new(), (2, 20));
        let sides = &told.winning_and_keeping[0];
        assert_eq!((sides.winning, sides.per_new_customer), (100_000, Some(50_000.0)));
        assert_eq!((sides.keeping, sides.per_customer), (40_000, Some(2_000.0)));
        assert_eq!(told.total[0].amount, 100_000, "what keeps customers brought nobody");
        assert_eq!(
            costs(&paid, &BTreeMap::new(), &BTreeMap::new(), (0, 0)).winning_and_keeping[0].per_customer,
            None
        );
    }

    #[test]
    fn a_campaign_that_brought_nobody_is_credited_nought_and_not_less() {
        let cost = Cost {
            source: "google".to_owned(),
            campaign: "spring".to_owned(),
            currency: "EUR".to_owned(),
            amount: 100,
            purpose: Purpose::Winning,
        };
        let credits = BTreeMap::from([("lead".to_owned(), Vec::new())]);
        let told = costs(&[cost], &credits, &BTreeMap::new(), (0, 0));
        assert_eq!(told.campaigns[0].credits["lead"].to_string(), "0");
    }
}
