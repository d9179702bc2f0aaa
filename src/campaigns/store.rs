//! The table of what campaigns cost.

use serde::Serialize;

use super::{Line, Purpose};
use crate::storage::Result;
use crate::storage::db::{Queries, Tx};
use crate::{params, sql};

/// What a campaign cost in a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cost {
    pub source: String,
    pub campaign: String,
    pub currency: String,
    /// In the smallest unit of the currency.
    pub amount: i64,
    pub purpose: Purpose,
}

pub(super) enum Put {
    Added,
    Replaced,
    Unchanged,
}

/// What each campaign cost from one day up to, and without, another.
///
/// # Errors
/// As the store says.
pub async fn costs(q: &mut impl Queries, from: &str, to: &str) -> Result<Vec<Cost>> {
    let rows = q
        .query(
            sql!(
                "select source, campaign, currency, purpose, cast(sum(amount) as bigint) as amount from campaign_costs
                 where day >= $1 and day < $2
                 group by source, campaign, currency, purpose order by source, campaign, currency, purpose"
            ),
            params![from, to],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Cost {
                source: row.get("source")?,
                campaign: row.get("campaign")?,
                currency: row.get("currency")?,
                amount: row.get("amount")?,
                purpose: Purpose::of_word(&row.get::<String>("purpose")?).unwrap_or(Purpose::Winning),
            })
        })
        .collect()
}

pub(super) async fn put(tx: &mut Tx, line: &Line) -> Result<Put> {
    let known = tx
        .query_opt(
            sql!(
                "select amount, currency, purpose from campaign_costs
                 where day = $1 and source = $2 and campaign = $3"
            ),
            params![&line.day, &line.source, &line.campaign],
        )
        .await?;
    let put = match &known {
        None => Put::Added,
        Some(row) => {
            let is_same = row.get::<i64>("amount")? == line.amount
                && row.get::<String>("currency")? == line.currency
                && row.get::<String>("purpose")? == line.purpose.word();
            if is_same {
                return Ok(Put::Unchanged);
            }
            Put::Replaced
        }
    };
    tx.execute(
        sql!(
            "insert into campaign_costs (day, source, campaign, amount, currency, purpose)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (day, source, campaign) do update set
                 amount = excluded.amount, currency = excluded.currency, purpose = excluded.purpose"
        ),
        params![&line.day, &line.source, &line.campaign, line.amount, &line.currency, line.purpose.word()],
    )
    .await?;
    Ok(put)
}
