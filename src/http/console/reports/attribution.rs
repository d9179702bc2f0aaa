//! What brought those who reached a stage, by five models side by side, and what campaigns cost.

use std::collections::BTreeMap;

use super::sheet::{Bars, Card, Cell, Group, More, Picture, Row, Sheet, Table};
use super::{GOAL, View};
use crate::base::time::{DAY_MS, Timestamp};
use crate::campaigns;
use crate::http::error::Problem;
use crate::reports::journeys::attribution::{Conversion, Key, Model, attribute, conversions};
use crate::reports::journeys::churn::{customers, standings};
use crate::reports::journeys::costs::{Costs, costs};
use crate::reports::journeys::{Reached, reached};

/// The models that stand side by side, with the words of their columns.
const MODELS: [(Model, &str); 5] = [
    (Model::First, "first"),
    (Model::Last, "last"),
    (Model::Linear, "linear"),
    (Model::UShape, "u_shape"),
    (Model::WShape, "w_shape"),
];
/// How long before a stage was reached visits count.
const LOOK_BACK_MS: i64 = 90 * DAY_MS;
/// What is drawn of a long list.
const DRAWN: usize = 6;
/// The stages whose price is told.
const PRICED: [&str; 3] = ["lead", "mql", "customer"];

pub async fn sheet(view: &View<'_>) -> Result<Sheet, Problem> {
    let (span, before) = view.spans();
    let stage = view.chosen_stage(GOAL);
    let by = view.asked.chose("by").filter(|by| Key::of_word(by).is_some()).unwrap_or("source");
    let key = Key::of_word(by).unwrap_or(Key::Source);
    let mut q = view.reader.app.stores.db.read();
    let mut rows = reached(&mut q, Timestamp(0)).await?;
    rows.retain(|row| view.only.has(row.contact));
    let found = conversions(&mut q, &rows, &stage, span, LOOK_BACK_MS).await?;
    let mut shares: BTreeMap<String, [f64; 5]> = BTreeMap::new();
    for (at, (model, _)) in MODELS.into_iter().enumerate() {
        for credit in attribute(model, key, &found) {
            if let Some(share) = shares.entry(credit.key).or_default().get_mut(at) {
                *share = credit.credit;
            }
        }
    }
    let mut shares: Vec<(String, [f64; 5])> = shares.into_iter().collect();
    let sum = |shares: &[f64; 5]| shares.iter().sum::<f64>();
    shares.sort_by(|a, b| sum(&b.1).total_cmp(&sum(&a.1)).then_with(|| a.0.cmp(&b.0)));
    let groups = shares.iter().take(DRAWN).map(|(key, shares)| Group {
        name: view.brought(by, key),
        cells: shares.iter().map(|share| Cell::Parts(*share)).collect(),
        before: None,
    });
    let credits = shares.iter().map(|(key, shares)| {
        let cells = std::iter::once(Cell::text(view.brought(by, key)));
        Row {
            cells: cells.chain(shares.iter().map(|share| Cell::Parts(*share))).collect(),
            href: view.narrowed(by, key),
        }
    });
    let mut heads = vec!["brought_by"];
    heads.extend(MODELS.map(|(_, word)| word));
    let told = priced(view, &rows, &mut q).await?;
    let perhaps = |told: &Costs| !told.campaigns.is_empty();
    let prices = told.campaigns.iter().chain(&told.total).map(|row| {
        let name = if row.campaign.is_empty() { view.text("reports.total") } else { row.campaign.clone() };
        let mut cells = vec![Cell::text(name), Cell::Money(Some(whole(row.amount)), row.currency.clone())];
        for stage in PRICED {
            let word = view.reader.app.lifecycle.word(stage);
            cells.push(Cell::Money(row.cost_per.get(word).copied().flatten(), row.currency.clone()));
        }
        let href = (!row.campaign.is_empty()).then(|| view.narrowed("campaign", &row.campaign)).flatten();
        Row { cells, href }
    });
    let mut tables = vec![Table { word: "credits", heads, rows: credits.collect() }];
    if perhaps(&told) {
        let heads = vec!["campaign", "spent", "per_lead", "per_mql", "per_customer"];
        tables.push(Table { word: "prices", heads, rows: prices.collect() });
    }
    let earlier =
        before.map(|before| rows.iter().filter(|row| row.stage == stage && before.has(row.at)).count());
    let bys = ["channel", "source", "campaign"].into_iter();
    Ok(Sheet {
        is_empty: found.is_empty() && !perhaps(&told),
        cards: vec![
            Card {
                word: "conversions",
                value: Cell::count(found.len()),
                before: earlier.map(Cell::count),
                more: More::Better,
            },
            Card {
                word: "visits_each",
                value: Cell::Parts(visits_each(&found)),
                before: None,
                more: More::Other,
            },
        ],
        choices: vec![
            view.stages(&stage),
            view.choice("by", bys.map(|by| (by, view.text(&format!("traffic.one.{by}")))), by),
        ],
        picture: Picture::Bars(Bars {
            series: MODELS.map(|(_, word)| word).to_vec(),
            groups: groups.collect(),
        }),
        tables,
    })
}

#[allow(clippy::cast_precision_loss, reason = "visits are counted")]
fn visits_each(found: &[Conversion]) -> f64 {
    let visits: usize = found.iter().map(|conversion| conversion.touches.len()).sum();
    if found.is_empty() { 0.0 } else { visits as f64 / found.len() as f64 }
}

#[allow(clippy::cast_precision_loss, reason = "money stays far below 2^53")]
fn whole(amount: i64) -> f64 {
    amount as f64
}

/// What campaigns cost, over what they are credited with (each visit alike).
async fn priced(
    view: &View<'_>,
    rows: &[Reached],
    q: &mut impl crate::storage::db::Queries,
) -> Result<Costs, Problem> {
    let (span, period) = (view.asked.span(), view.asked.period());
    let until = period.to.tomorrow().unwrap_or(period.to);
    let paid = campaigns::costs(q, &period.from.to_string(), &until.to_string()).await?;
    if paid.is_empty() {
        return Ok(costs(&[], &BTreeMap::new(), &BTreeMap::new(), (0, 0)));
    }
    let (mut credits, mut counts) = (BTreeMap::new(), BTreeMap::new());
    for stage in PRICED {
        let word = view.reader.app.lifecycle.word(stage).to_owned();
        let found = conversions(q, rows, stage, span, LOOK_BACK_MS).await?;
        counts.insert(word.clone(), found.len());
        credits.insert(word, attribute(Model::Linear, Key::Campaign, &found));
    }
    let known = standings(q, span.to).await?;
    Ok(costs(&paid, &credits, &counts, customers(&super::churn::GONE, span, &known)))
}
