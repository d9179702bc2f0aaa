//! The pipeline: who stands in which stage, how long people stay, and how many go on.

use std::collections::BTreeMap;

use serde::Serialize;

use super::name_of;
use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::stages::Definition;
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

/// Cards shown in one column.
const CARDS: i64 = 8;

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    pub stage: String,
    /// The people in it now.
    pub count: i64,
    /// How long people stayed in it, the middle of the last 500 who left; none before anybody left.
    pub median_ms: Option<i64>,
    /// Of a hundred journeys that reached it, how many reached the next stage; none for the last.
    pub conversion: Option<i64>,
    /// Those who came last.
    pub cards: Vec<Card>,
    /// How many are not shown.
    pub more: i64,
}

/// One person in a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Card {
    pub id: ContactId,
    pub name: String,
    pub company: Option<String>,
    pub since: Timestamp,
}

/// The columns of the lifecycle after its first stage, in which nobody is known yet; and the stages beyond it that
/// people stand in, with their number.
///
/// # Errors
/// As the store says.
pub async fn pipeline(
    q: &mut impl Queries,
    definition: &Definition,
) -> Result<(Vec<Column>, Vec<(String, i64)>)> {
    let counts = numbers(
        q.query(
            sql!("select stage, count(*) as n from contacts where merged_into is null group by stage"),
            &[],
        )
        .await?,
    )?;
    let reached = numbers(
        q.query(
            sql!(
                "select stage, count(*) as n
                 from (
                     select distinct i.stage, coalesce(c.merged_into, c.id) as person, i.journey
                     from stage_intervals i join contacts c on c.id = i.contact_id
                     where i.rule not in ('merge', 'unmerge')
                 ) as reached
                 group by stage"
            ),
            &[],
        )
        .await?,
    )?;
    let count_of = |of: &BTreeMap<String, i64>, stage: &str| of.get(stage).copied().unwrap_or(0);
    let mut columns = Vec::new();
    for stage in definition.stages.iter().skip(1) {
        let count = count_of(&counts, &stage.id);
        let here = count_of(&reached, &stage.id);
        let conversion = definition
            .next(&stage.id)
            .filter(|_| here > 0)
            .map(|next| (count_of(&reached, &next.id).min(here) * 200 + here) / (here * 2));
        let cards = cards(q, &stage.id).await?;
        let more = count - i64::try_from(cards.len()).unwrap_or(0);
        let median_ms = median(stays(q, &stage.id).await?);
        columns.push(Column { stage: stage.id.clone(), count, median_ms, conversion, cards, more });
    }
    let beyond = counts.into_iter().filter(|(stage, _)| definition.stage(stage).is_none()).collect();
    Ok((columns, beyond))
}

fn numbers(rows: Vec<crate::storage::db::Row>) -> Result<BTreeMap<String, i64>> {
    rows.iter().map(|row| Ok((row.get("stage")?, row.get("n")?))).collect()
}

async fn cards(q: &mut impl Queries, stage: &str) -> Result<Vec<Card>> {
    let rows = q
        .query(
            sql!(
                "select c.id, c.email, c.first_name, c.last_name, c.stage_since, co.name as company
                 from contacts c left join companies co on co.id = c.company_id
                 where c.stage = $1 and c.merged_into is null
                 order by c.stage_since desc, c.id desc limit $2"
            ),
            params![stage, CARDS],
        )
        .await?;
    let cards = rows.iter().map(|row| {
        Ok(Card {
            id: row.get("id")?,
            name: name_of(row)?,
            company: row.get("company")?,
            since: row.get("stage_since")?,
        })
    });
    cards.collect()
}

async fn stays(q: &mut impl Queries, stage: &str) -> Result<Vec<i64>> {
    let rows = q
        .query(
            sql!(
                "select left_at - entered_at as stay from stage_intervals
                 where stage = $1 and left_at is not null and rule <> 'skipped'
                 order by left_at desc limit 500"
            ),
            params![stage],
        )
        .await?;
    rows.iter().map(|row| row.get("stay")).collect()
}

fn median(mut values: Vec<i64>) -> Option<i64> {
    values.sort_unstable();
    let middle = values.len() / 2;
    let upper = values.get(middle).copied()?;
    let is_odd = values.len() % 2 == 1;
    let lower = if is_odd { upper } else { values.get(middle.saturating_sub(1)).copied()? };
    Some(lower + (upper - lower) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_even_number_lies_between_two() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![5]), Some(5));
        assert_eq!(median(vec![9, 1, 5]), Some(5));
        assert_eq!(median(vec![1, 3]), Some(2));
    }
}
