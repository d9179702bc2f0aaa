//! Customers lost and won back: who left in a while, of those who were customers when it began.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::lives::{Piece, lives};
use super::{Span, share};
use crate::base::ids::{ContactId, DealId};
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
    /// The same by what customers are worth, currency by currency, as far as that is known; see [`money`].
    pub money: Vec<Money>,
}

/// What customers are worth in one currency, in its smallest unit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Money {
    pub currency: String,
    /// Customers when the span began whose worth is known.
    pub customers: usize,
    /// What they were worth together.
    pub at_start: i64,
    /// What those of them were worth who left in the span.
    pub lost: i64,
    /// Lost of what there was at the start.
    pub churn_rate: Option<f64>,
}

/// Somebody has a part in a deal that was won.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    pub deal: DealId,
    pub contact: ContactId,
    /// Of the whole deal, in the smallest unit of the currency.
    pub amount: i64,
    pub currency: String,
}

/// Every state that began before a moment, person by person, oldest first. Two contacts that are one person have one life
/// ([`lives`]): what the survivor was counts before what the other one was.
///
/// # Errors
/// As the store says.
pub async fn standings(q: &mut impl Queries, before: Timestamp) -> Result<Vec<Standing>> {
    let rows = q
        .query(
            sql!(
                "select coalesce(c.merged_into, c.id) as person, i.contact_id, i.state, i.entered_at, i.left_at, i.rule,
                     i.reason, m.at as merged_at
                 from post_sale_intervals i join contacts c on c.id = i.contact_id
                 left join contact_merges m on m.merged_id = i.contact_id and m.undone_at is null
                 where i.entered_at < $1 order by person, i.contact_id, i.entered_at, i.id"
            ),
            params![before],
        )
        .await?;
    let pieces: Vec<Piece> = rows
        .iter()
        .map(|row| {
            Ok(Piece {
                person: row.get("person")?,
                own: row.get("contact_id")?,
                place: row.get("state")?,
                entered_at: row.get("entered_at")?,
                left_at: row.get("left_at")?,
                merged_at: row.get("merged_at")?,
                rule: row.get("rule")?,
                reason: row.get("reason")?,
            })
        })
        .collect::<Result<_>>()?;
    let standings =
        lives(pieces, |piece| usize::from(piece.own == piece.person)).into_iter().map(|piece| Standing {
            contact: piece.person,
            state: piece.place,
            entered_at: piece.entered_at,
            left_at: piece.left_at,
            reason: piece.reason,
        });
    Ok(standings.collect())
}

/// Who has a part in the deals that were won before a moment and whose amount is known, deal by deal.
///
/// # Errors
/// As the store says.
pub async fn values(q: &mut impl Queries, before: Timestamp) -> Result<Vec<Value>> {
    let rows = q
        .query(
            sql!(
                "select distinct d.id, d.amount, d.currency, coalesce(c.merged_into, c.id) as contact_id
                 from deals d join deal_people p on p.deal_id = d.id join contacts c on c.id = p.contact_id
                 where d.status = 'won' and d.amount is not null and d.closed_at < $1
                 order by d.id, contact_id"
            ),
            params![before],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Value {
                deal: row.get("id")?,
                contact: row.get("contact_id")?,
                amount: row.get("amount")?,
                currency: row.get("currency")?,
            })
        })
        .collect()
}

/// What was lost of what those were worth who were customers when the span began. A deal is shared evenly among those of
/// its people who were customers then, so that no sum counts twice; what does not divide goes to the first of them.
pub fn money(lost: &[&str], span: Span, rows: &[Standing], values: &[Value]) -> Vec<Money> {
    let people = by_person(rows);
    // Who was a customer then, and whether she left.
    let mut there: BTreeMap<ContactId, bool> = BTreeMap::new();
    for (contact, rows) in &people {
        if let Fate { at_start: Some(before), leaves } = fate(lost, span, rows)
            && !lost.contains(&before.state.as_str())
        {
            there.insert(*contact, leaves.is_some());
        }
    }
    let mut deals: BTreeMap<DealId, Vec<&Value>> = BTreeMap::new();
    for value in values.iter().filter(|value| there.contains_key(&value.contact)) {
        deals.entry(value.deal).or_default().push(value);
    }
    let mut sums: BTreeMap<&str, (BTreeSet<ContactId>, i64, i64)> = BTreeMap::new();
    for parts in deals.values() {
        let n = i64::try_from(parts.len()).unwrap_or(i64::MAX);
        for (place, part) in parts.iter().enumerate() {
            let rest = if place == 0 { part.amount % n } else { 0 };
            let worth = part.amount / n + rest;
            let (customers, at_start, gone) = sums.entry(&part.currency).or_default();
            customers.insert(part.contact);
            *at_start += worth;
            *gone += if there.get(&part.contact).copied().unwrap_or_default() { worth } else { 0 };
        }
    }
    let told = |(currency, (customers, at_start, lost)): (&str, (BTreeSet<ContactId>, i64, i64))| Money {
        currency: currency.to_owned(),
        customers: customers.len(),
        at_start,
        lost,
        churn_rate: share(usize::try_from(lost).unwrap_or(0), usize::try_from(at_start).unwrap_or(0)),
    };
    sums.into_iter().map(told).collect()
}

/// How a span found somebody, and whether she left in it.
struct Fate<'a> {
    /// Her state when it began.
    at_start: Option<&'a Standing>,
    /// How she left, if she did. Whoever was lost before and is only let be now has not left again.
    leaves: Option<&'a Standing>,
}

fn fate<'a>(lost: &[&str], span: Span, rows: &[&'a Standing]) -> Fate<'a> {
    let is_lost = |row: &Standing| lost.contains(&row.state.as_str());
    let at_start = rows.iter().rfind(|row| row.entered_at < span.from).copied();
    let leaves = rows.iter().find(|row| is_lost(row) && span.has(row.entered_at)).copied();
    Fate { at_start, leaves: leaves.filter(|_| at_start.is_none_or(|row| !is_lost(row))) }
}

fn by_person(rows: &[Standing]) -> BTreeMap<ContactId, Vec<&Standing>> {
    let mut people: BTreeMap<ContactId, Vec<&Standing>> = BTreeMap::new();
    for row in rows {
        people.entry(row.contact).or_default().push(row);
    }
    people
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
    let people = by_person(rows);
    let mut told = Churn {
        at_start: 0,
        lost: 0,
        churn_rate: None,
        new: 0,
        lost_of_new: 0,
        recovered: 0,
        recovery_rate: None,
        reasons: Vec::new(),
        money: Vec::new(),
    };
    let (mut gone_before, mut reasons) = (0, BTreeMap::<&str, usize>::new());
    for rows in people.values() {
        let Fate { at_start, leaves } = fate(lost, span, rows);
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
    #[test]
    fn what_is_lost_is_told_in_money_and_no_deal_counts_twice() {
        let lives = [
            life(&[("active", 10), ("churned", 1_500)]),
            life(&[("active", 10)]),
            // Gone before, new, and of unknown worth: none of them counts.
            life(&[("active", 10), ("churned", 500)]),
            life(&[("active", 1_100), ("churned", 1_900)]),
            life(&[("active", 10), ("churned", 1_200)]),
        ];
        let who = |n: usize| lives[n][0].contact;
        let (first, second, third) = (DealId::new(), DealId::new(), DealId::new());
        let part = |deal, n, amount, currency: &str| Value {
            deal,
            contact: who(n),
            amount,
            currency: currency.to_owned(),
        };
        let values = [
            part(first, 0, 1_000, "EUR"),
            part(first, 1, 1_000, "EUR"),
            part(first, 2, 1_000, "EUR"),
            part(second, 1, 3_000, "EUR"),
            part(third, 0, 701, "USD"),
            part(third, 1, 701, "USD"),
            part(third, 3, 701, "USD"),
        ];
        let told = money(&LOST, SPAN, &lives.concat(), &values);
        let sums: Vec<_> = told.iter().map(|m| (m.currency.as_str(), m.customers, m.at_start)).collect();
        assert_eq!(sums, [("EUR", 2, 4_000), ("USD", 2, 701)]);
        assert_eq!((told[0].lost, told[0].churn_rate), (500, Some(0.125)));
        // The cent that does not divide goes to the first part.
        assert_eq!(told[1].lost, 351);
        assert_eq!(money(&LOST, SPAN, &lives.concat(), &[]), []);
    }
}
