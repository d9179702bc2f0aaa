//! What sales made of the people that marketing handed over: by the cell of the matrix they stood in, and by reason.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Span, share};
use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::stages::{self, Definition};
use crate::storage::db::Queries;
use crate::{params, sql};

/// Somebody was handed over: she entered the stage that marketing qualifies for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandOver {
    pub contact: ContactId,
    pub at: Timestamp,
    /// Grade of fit, such as `A`.
    pub grade: String,
    /// Level of engagement, from 1.
    pub level: u8,
    /// The number of the definition that moved her; nothing if its text is not known any more.
    pub version: Option<i64>,
    /// The hash of that definition's text.
    pub hash: String,
    /// Sales took her on.
    pub is_accepted: bool,
    /// Sales sent her back, and why.
    pub rejected: Option<String>,
}

/// One cell of the matrix.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cell {
    pub grade: String,
    pub level: u8,
    pub handed_over: usize,
    pub accepted: usize,
    pub rejected: usize,
    /// Accepted of those handed over.
    pub rate: Option<f64>,
}

/// How often a reason was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    pub reason: String,
    pub n: usize,
}

/// What became of those whom one text of the definition handed over.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfVersion {
    pub version: Option<i64>,
    pub hash: String,
    pub handed_over: usize,
    pub accepted: usize,
    pub rejected: usize,
    /// Accepted of those handed over.
    pub rate: Option<f64>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Acceptance {
    pub cells: Vec<Cell>,
    /// By the definition that moved them, the highest number first.
    pub by_version: Vec<OfVersion>,
    pub reasons: Vec<Reason>,
    pub handed_over: usize,
    pub accepted: usize,
    pub rejected: usize,
    pub rate: Option<f64>,
}

/// Everybody who entered `stage` in a span, with the cell she stood in at that moment and what became of it.
///
/// Scores are worked out as of the moment, from what people did by then; facts are those known today. Two contacts that are
/// one person are handed over once on each journey, when the first of them was; what a merge moved was handed over by nobody.
///
/// # Errors
/// As the store says.
pub async fn hand_overs(
    q: &mut impl Queries,
    definition: &Definition,
    stage: &str,
    span: Span,
) -> Result<Vec<HandOver>, stages::Error> {
    let next = definition.next(stage).map(|next| next.id.clone()).unwrap_or_default();
    let rows = q
        .query(
            sql!(
                "select coalesce(c.merged_into, c.id) as person, i.contact_id, i.journey, i.stage, i.entered_at, i.rule,
                     i.reason, i.lifecycle_hash, t.version
                 from stage_intervals i join contacts c on c.id = i.contact_id
                 left join lifecycle_texts t on t.hash = i.lifecycle_hash
                 where i.rule not in ('merge', 'unmerge') and coalesce(c.merged_into, c.id) in (
                     select coalesce(k.merged_into, k.id)
                     from stage_intervals s join contacts k on k.id = s.contact_id
                     where s.stage = $1 and s.entered_at >= $2 and s.entered_at < $3)
                 order by person, i.entered_at, i.id"
            ),
            params![stage, span.from, span.to],
        )
        .await?;
    let mut found: Vec<(HandOver, i64)> = Vec::new();
    // Under which of her ids somebody was first handed over on a journey.
    let mut firsts: BTreeMap<(ContactId, i64), ContactId> = BTreeMap::new();
    for row in &rows {
        let (contact, journey): (ContactId, i64) = (row.get("person")?, row.get("journey")?);
        let (of, at): (String, Timestamp) = (row.get("stage")?, row.get("entered_at")?);
        let rule: String = row.get("rule")?;
        let is_back = rule.starts_with("back.");
        let is_same = |(known, on): &&mut (HandOver, i64)| known.contact == contact && *on == journey;
        if let Some((known, _)) = found.iter_mut().rev().find(is_same) {
            known.is_accepted |= of == next;
            if is_back && known.is_accepted && known.rejected.is_none() {
                known.rejected = Some(row.get::<Option<String>>("reason")?.unwrap_or_else(|| rule.clone()));
            }
        }
        // Who is sent back has been handed over already; what follows is told of that time.
        if of != stage || is_back {
            continue;
        }
        let own: ContactId = row.get("contact_id")?;
        if *firsts.entry((contact, journey)).or_insert(own) == own && span.has(at) {
            let hand_over = HandOver {
                contact,
                at,
                grade: String::new(),
                level: 0,
                version: row.get("version")?,
                hash: row.get("lifecycle_hash")?,
                is_accepted: false,
                rejected: None,
            };
            found.push((hand_over, journey));
        }
    }
    let mut hand_overs = Vec::new();
    for (mut hand_over, _) in found {
        let person = stages::person(q, definition, hand_over.contact, hand_over.at).await?;
        hand_over.grade = person.score.fit.band.letter().to_owned();
        hand_over.level = person.score.engagement.band.0;
        hand_overs.push(hand_over);
    }
    Ok(hand_overs)
}

/// Counts them. Whoever was sent back is counted as rejected, and not as accepted.
pub fn acceptance(hand_overs: &[HandOver]) -> Acceptance {
    let mut cells: BTreeMap<(&str, u8), (usize, usize, usize)> = BTreeMap::new();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    let mut versions: BTreeMap<(Option<i64>, &str), (usize, usize, usize)> = BTreeMap::new();
    let (mut accepted, mut rejected) = (0, 0);
    for hand_over in hand_overs {
        let cell = cells.entry((&hand_over.grade, hand_over.level)).or_default();
        let version = versions.entry((hand_over.version, &hand_over.hash)).or_default();
        cell.0 += 1;
        version.0 += 1;
        match &hand_over.rejected {
            Some(reason) => {
                cell.2 += 1;
                version.2 += 1;
                rejected += 1;
                *reasons.entry(reason).or_default() += 1;
            }
            None if hand_over.is_accepted => {
                cell.1 += 1;
                version.1 += 1;
                accepted += 1;
            }
            None => {}
        }
    }
    let mut reasons: Vec<Reason> =
        reasons.into_iter().map(|(reason, n)| Reason { reason: reason.to_owned(), n }).collect();
    reasons.sort_by(|a, b| b.n.cmp(&a.n).then_with(|| a.reason.cmp(&b.reason)));
    Acceptance {
        cells: cells
            .into_iter()
            .map(|((grade, level), (handed_over, accepted, rejected))| Cell {
                grade: grade.to_owned(),
                level,
                handed_over,
                accepted,
                rejected,
                rate: share(accepted, handed_over),
            })
            .collect(),
        by_version: versions
            .into_iter()
            .rev()
            .map(|((version, hash), (handed_over, accepted, rejected))| OfVersion {
                version,
                hash: hash.to_owned(),
                handed_over,
                accepted,
                rejected,
                rate: share(accepted, handed_over),
            })
            .collect(),
        reasons,
        handed_over: hand_overs.len(),
        accepted,
        rejected,
        rate: share(accepted, hand_overs.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hand_over(grade: &str, level: u8, is_accepted: bool, rejected: Option<&str>) -> HandOver {
        HandOver {
            contact: ContactId::new(),
            at: Timestamp(0),
            grade: grade.to_owned(),
            level,
            version: Some(i64::from(level)),
            hash: format!("hash of {level}"),
            is_accepted,
            rejected: rejected.map(str::to_owned),
        }
    }

    #[test]
    fn each_cell_tells_how_many_were_taken_and_each_reason_how_often_it_was_given() {
        let told = acceptance(&[
            hand_over("A", 1, true, None),
            hand_over("A", 1, true, Some("timing")),
            hand_over("A", 1, false, None),
            hand_over("C", 3, true, Some("no_fit")),
            hand_over("C", 3, true, Some("no_fit")),
        ]);
        let cell = |cell: &Cell| {
            (cell.grade.clone(), cell.level, cell.handed_over, cell.accepted, cell.rejected, cell.rate)
        };
        assert_eq!(
            told.cells.iter().map(cell).collect::<Vec<_>>(),
            [("A".to_owned(), 1, 3, 1, 1, Some(0.3333)), ("C".to_owned(), 3, 2, 0, 2, Some(0.0)),]
        );
        let of_version =
            |one: &OfVersion| (one.version, one.handed_over, one.accepted, one.rejected, one.rate);
        assert_eq!(
            told.by_version.iter().map(of_version).collect::<Vec<_>>(),
            [(Some(3), 2, 0, 2, Some(0.0)), (Some(1), 3, 1, 1, Some(0.3333))],
        );
        assert_eq!(told.reasons[0], Reason { reason: "no_fit".to_owned(), n: 2 });
        assert_eq!((told.handed_over, told.accepted, told.rejected, told.rate), (5, 1, 3, Some(0.2)));
    }
}
