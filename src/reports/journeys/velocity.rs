//! How long people stay in a stage, how long those who are in it have been there, and how long the whole way takes.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Span;
use super::lives::{Piece, lives};
use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

/// One stay of one person in one stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stay {
    pub contact: ContactId,
    pub stage: String,
    pub entered_at: Timestamp,
    pub left_at: Option<Timestamp>,
    /// It was passed without a stay.
    pub is_passed: bool,
}

/// Lengths of time in milliseconds: the middle, and what three of four and nine of ten stay below (nearest rank).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Lengths {
    pub n: usize,
    pub p50: i64,
    pub p75: i64,
    pub p90: i64,
}

impl Lengths {
    /// Of any number of lengths; nothing of none.
    pub fn of(mut lengths: Vec<i64>) -> Option<Self> {
        lengths.sort_unstable();
        let n = lengths.len();
        let rank = |percent: usize| lengths.get((percent * n).div_ceil(100).max(1) - 1).copied();
        Some(Self { n, p50: rank(50)?, p75: rank(75)?, p90: rank(90)? })
    }
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pace {
    pub stage: String,
    /// Each person's latest stay that ended in the span.
    pub latest: Option<Lengths>,
    /// All of a person's stays, added up, of those who left in the span.
    pub cumulative: Option<Lengths>,
    /// How long those have been there who are there now.
    pub open: Option<Lengths>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Velocity {
    pub stages: Vec<Pace>,
    /// From the first moment that somebody was seen to the first time in the target stage, of those who came there in the
    /// span.
    pub total: Option<Lengths>,
}

/// Every stay that ended since a moment, or has not ended, and all earlier ones of the same people; two contacts that are one
/// person have one life ([`lives`]). `stages` are the stages in their order.
///
/// # Errors
/// As the store says.
pub async fn stays(q: &mut impl Queries, stages: &[&str], since: Timestamp) -> Result<Vec<Stay>> {
    let rows = q
        .query(
            sql!(
                "select coalesce(c.merged_into, c.id) as person, i.contact_id, i.stage, i.entered_at, i.left_at, i.rule,
                     m.at as merged_at
                 from stage_intervals i join contacts c on c.id = i.contact_id
                 left join contact_merges m on m.merged_id = i.contact_id and m.undone_at is null
                 where coalesce(c.merged_into, c.id) in (
                     select coalesce(k.merged_into, k.id)
                     from stage_intervals s join contacts k on k.id = s.contact_id
                     where s.left_at is null or s.left_at >= $1)
                 order by person, i.contact_id, i.entered_at, i.id"
            ),
            params![since],
        )
        .await?;
    let pieces: Vec<Piece> = rows
        .iter()
        .map(|row| {
            Ok(Piece {
                person: row.get("person")?,
                own: row.get("contact_id")?,
                place: row.get("stage")?,
                entered_at: row.get("entered_at")?,
                left_at: row.get("left_at")?,
                merged_at: row.get("merged_at")?,
                rule: row.get("rule")?,
                reason: None,
            })
        })
        .collect::<Result<_>>()?;
    let order = |piece: &Piece| stages.iter().position(|stage| *stage == piece.place).unwrap_or(0);
    let stays = lives(pieces, order).into_iter().map(|piece| Stay {
        contact: piece.person,
        stage: piece.place,
        entered_at: piece.entered_at,
        left_at: piece.left_at,
        is_passed: piece.rule == "skipped",
    });
    Ok(stays.collect())
}

/// Measures stays; `target` is the stage that the whole way leads to.
pub fn velocity(stages: &[&str], target: &str, span: Span, now: Timestamp, stays: &[Stay]) -> Velocity {
    let mut people: BTreeMap<(ContactId, &str), Vec<&Stay>> = BTreeMap::new();
    for stay in stays.iter().filter(|stay| !stay.is_passed) {
        people.entry((stay.contact, stay.stage.as_str())).or_default().push(stay);
    }
    let pace = |stage: &&str| {
        let (mut latest, mut cumulative, mut open) = (Vec::new(), Vec::new(), Vec::new());
        for ((_, _), stays) in people.iter().filter(|((_, of), _)| of == stage) {
            let ended = stays.iter().filter(|stay| stay.left_at.is_some_and(|left| span.has(left)));
            if let Some(last) = ended.max_by_key(|stay| stay.left_at) {
                latest.push(last.left_at.unwrap_or(now).since_ms(last.entered_at));
                let until = last.left_at.unwrap_or(now);
                let all = stays.iter().filter(|stay| stay.left_at.is_some_and(|left| left <= until));
                cumulative.push(all.map(|stay| stay.left_at.unwrap_or(now).since_ms(stay.entered_at)).sum());
            }
            open.extend(
                stays.iter().filter(|stay| stay.left_at.is_none()).map(|stay| now.since_ms(stay.entered_at)),
            );
        }
        Pace {
            stage: (*stage).to_owned(),
            latest: Lengths::of(latest),
            cumulative: Lengths::of(cumulative),
            open: Lengths::of(open),
        }
    };
    let mut ways: BTreeMap<ContactId, (Timestamp, Option<Timestamp>)> = BTreeMap::new();
    for stay in stays {
        let (first, there) = ways.entry(stay.contact).or_insert((stay.entered_at, None));
        *first = stay.entered_at.min(*first);
        if stay.stage == target {
            *there = Some(there.map_or(stay.entered_at, |there| there.min(stay.entered_at)));
        }
    }
    let total = ways.into_values().filter_map(|(first, there)| {
        there.filter(|there| span.has(*there)).map(|there| there.since_ms(first))
    });
    Velocity { stages: stages.iter().map(pace).collect(), total: Lengths::of(total.collect()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stay(contact: ContactId, stage: &str, from: i64, to: Option<i64>) -> Stay {
        Stay {
            contact,
            stage: stage.to_owned(),
            entered_at: Timestamp(from),
            left_at: to.map(Timestamp),
            is_passed: false,
        }
    }

    const SPAN: Span = Span { from: Timestamp(0), to: Timestamp(1_000) };

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let lengths = Lengths::of((1..=10).rev().collect()).expect("ten");
        assert_eq!((lengths.n, lengths.p50, lengths.p75, lengths.p90), (10, 5, 8, 9));
        assert_eq!(Lengths::of(vec![7]).map(|one| (one.p50, one.p90)), Some((7, 7)));
        assert_eq!(Lengths::of(Vec::new()), None);
    }

    #[test]
    fn the_latest_stay_and_all_stays_together_are_told_apart() {
        let nikki = ContactId::new();
        let stays = [
            stay(nikki, "lead", 0, Some(100)),
            stay(nikki, "mql", 100, Some(150)),
            stay(nikki, "sql", 150, Some(300)),
            stay(nikki, "mql", 300, Some(500)),
            stay(nikki, "sql", 500, None),
        ];
        let told = velocity(&["lead", "mql", "sql"], "sql", SPAN, Timestamp(900), &stays);
        assert_eq!(told.stages[1].latest.map(|l| l.p50), Some(200));
        assert_eq!(told.stages[1].cumulative.map(|l| l.p50), Some(250));
        assert_eq!(told.stages[2].latest.map(|l| l.p50), Some(150));
        assert_eq!(told.stages[2].open.map(|l| l.p50), Some(400));
        assert_eq!(told.total.map(|l| l.p50), Some(150));
    }

    #[test]
    fn whoever_left_before_the_span_or_only_passed_is_not_counted() {
        let (ana, eva) = (ContactId::new(), ContactId::new());
        let mut passed = stay(eva, "mql", 50, Some(50));
        passed.is_passed = true;
        let span = Span { from: Timestamp(200), to: Timestamp(400) };
        let stays = [stay(ana, "mql", 0, Some(100)), passed];
        let told = velocity(&["mql"], "sql", span, Timestamp(900), &stays);
        assert_eq!((told.stages[0].latest, told.total), (None, None));
    }
}
