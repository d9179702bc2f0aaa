//! One life of whoever is two contacts in one.
//!
//! Who was merged keeps the intervals that were hers. From the merge on the survivor's alone are true; before it she stood,
//! as after it ([`crate::stages::merge`]), where the further of the two stood. What a merge itself wrote, and what undoing it
//! wrote, is no move of hers: without it each of the two has her own way again once they are two.

use std::collections::BTreeMap;

use crate::base::ids::ContactId;
use crate::base::time::Timestamp;

/// The rules under which a merge and its undoing stand in the history.
const MERGE: &str = "merge";
const UNMERGE: &str = "unmerge";

/// An interval as it stands under one contact's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Who speaks for her now.
    pub person: ContactId,
    /// Whose it is.
    pub own: ContactId,
    /// The stage, or the state.
    pub place: String,
    pub entered_at: Timestamp,
    pub left_at: Option<Timestamp>,
    /// When she was merged, if she stands behind another.
    pub merged_at: Option<Timestamp>,
    pub rule: String,
    pub reason: Option<String>,
}

/// Makes one life of each person's pieces, oldest first; `rank` says which of two places is the further one. The pieces of
/// one contact stand in order of time.
pub fn lives(pieces: Vec<Piece>, rank: impl Fn(&Piece) -> usize) -> Vec<Piece> {
    let mut people: BTreeMap<ContactId, BTreeMap<ContactId, Vec<Piece>>> = BTreeMap::new();
    for piece in pieces {
        people.entry(piece.person).or_default().entry(piece.own).or_default().push(piece);
    }
    let mut told = Vec::new();
    for (_, of_person) in people {
        let mut ways: Vec<Vec<Piece>> = of_person.into_values().map(by_herself).collect();
        match ways.pop() {
            Some(only) if ways.is_empty() => told.extend(only),
            Some(last) => {
                ways.push(last);
                told.extend(as_one(&ways.concat(), &rank));
            }
            None => {}
        }
    }
    told
}

/// One contact's way without what a merge that was undone wrote into it, up to the merge that took her away.
fn by_herself(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut way: Vec<Piece> = Vec::with_capacity(pieces.len());
    let mut pieces = pieces.into_iter().peekable();
    while let Some(mut piece) = pieces.next() {
        let is_undone = piece.rule == MERGE && pieces.peek().is_some_and(|next| next.rule == UNMERGE);
        if let Some(before) = way.last_mut()
            && (is_undone || (piece.rule == UNMERGE && piece.place == before.place))
        {
            before.left_at = piece.left_at;
            continue;
        }
        if let Some(merged_at) = piece.merged_at {
            if piece.entered_at > merged_at {
                continue;
            }
            piece.left_at = Some(piece.left_at.map_or(merged_at, |left| left.min(merged_at)));
        }
        way.push(piece);
    }
    way
}

/// Several ways as one: at each moment the place that is the furthest, and of two alike the one that was reached first.
fn as_one(pieces: &[Piece], rank: impl Fn(&Piece) -> usize) -> Vec<Piece> {
    let is_passed = |piece: &Piece| piece.left_at == Some(piece.entered_at);
    let mut moments: Vec<Timestamp> =
        pieces.iter().flat_map(|piece| [Some(piece.entered_at), piece.left_at]).flatten().collect();
    moments.sort_unstable();
    moments.dedup();
    let mut life: Vec<Piece> = Vec::new();
    for (place, from) in moments.iter().enumerate() {
        let until = moments.get(place + 1).copied();
        let stands = |piece: &&Piece| {
            !is_passed(piece) && piece.entered_at <= *from && piece.left_at.is_none_or(|left| left > *from)
        };
        let furthest = pieces
            .iter()
            .filter(stands)
            .min_by_key(|piece| (std::cmp::Reverse(rank(piece)), piece.entered_at));
        let Some(piece) = furthest else { continue };
        match life.last_mut().filter(|last| last.left_at == Some(*from) && last.place == piece.place) {
            Some(last) => last.left_at = until,
            None => life.push(Piece { entered_at: *from, left_at: until, ..piece.clone() }),
        }
    }
    // What took no time stays, unless she stood as far already.
    let is_news = |passed: &&Piece| {
        let is_as_far = |other: &Piece| {
            other.own != passed.own
                && other.entered_at < passed.entered_at
                && other.left_at.is_none_or(|left| left > passed.entered_at)
                && rank(other) >= rank(passed)
        };
        is_passed(passed) && !pieces.iter().any(is_as_far)
    };
    life.extend(pieces.iter().filter(is_news).cloned());
    life.sort_by_key(|piece| (piece.entered_at, !is_passed(piece)));
    life
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGES: [&str; 4] = ["lead", "mql", "sql", "sal"];

    fn rank(piece: &Piece) -> usize {
        STAGES.iter().position(|stage| *stage == piece.place).unwrap_or(0)
    }

    fn piece(
        (person, own, merged_at): (ContactId, ContactId, Option<i64>),
        place: &str,
        from: i64,
        to: Option<i64>,
        rule: &str,
    ) -> Piece {
        Piece {
            person,
            own,
            place: place.to_owned(),
            entered_at: Timestamp(from),
            left_at: to.map(Timestamp),
            merged_at: merged_at.map(Timestamp),
            rule: rule.to_owned(),
            reason: None,
        }
    }

    fn told(pieces: Vec<Piece>) -> Vec<(String, i64, Option<i64>)> {
        let life = lives(pieces, rank);
        life.into_iter()
            .map(|it| (it.place, it.entered_at.as_ms(), it.left_at.map(Timestamp::as_ms)))
            .collect()
    }

    fn is(life: &[(&str, i64, Option<i64>)]) -> Vec<(String, i64, Option<i64>)> {
        life.iter().map(|(place, from, to)| ((*place).to_owned(), *from, *to)).collect()
    }

    #[test]
    fn two_who_are_one_stand_where_the_further_stood_and_the_merge_ends_what_the_other_was() {
        let (one, other) = (ContactId::new(), ContactId::new());
        let (hers, behind) = ((one, one, None), (one, other, Some(50)));
        let pieces = vec![
            piece(hers, "lead", 10, Some(50), "start"),
            piece(hers, "sql", 50, Some(80), "merge"),
            piece(hers, "mql", 80, None, "back.rejected"),
            piece(behind, "lead", 5, Some(20), "start"),
            piece(behind, "mql", 20, Some(30), "mql.webinar"),
            // It was never closed: she may be two again.
            piece(behind, "sql", 30, None, "booked"),
        ];
        let life = [("lead", 5, Some(20)), ("mql", 20, Some(30)), ("sql", 30, Some(80)), ("mql", 80, None)];
        assert_eq!(told(pieces), is(&life));
    }

    #[test]
    fn what_a_merge_wrote_is_no_move_once_it_is_undone() {
        let one = ContactId::new();
        let hers = (one, one, None);
        let back = vec![
            piece(hers, "lead", 10, Some(50), "start"),
            piece(hers, "sql", 50, Some(80), "merge"),
            piece(hers, "lead", 80, None, "unmerge"),
        ];
        assert_eq!(told(back), is(&[("lead", 10, None)]));
        let moved = vec![
            piece(hers, "lead", 10, Some(50), "start"),
            piece(hers, "sql", 50, Some(80), "merge"),
            piece(hers, "mql", 80, None, "unmerge"),
        ];
        assert_eq!(told(moved), is(&[("lead", 10, Some(80)), ("mql", 80, None)]));
    }

    #[test]
    fn what_was_passed_stays_and_whoever_is_one_is_told_as_it_stands() {
        let (one, other) = (ContactId::new(), ContactId::new());
        let pieces = vec![
            piece((one, one, None), "lead", 10, Some(40), "start"),
            piece((one, one, None), "mql", 40, Some(40), "skipped"),
            piece((one, one, None), "sql", 40, None, "booked"),
            piece((one, other, Some(60)), "lead", 20, None, "start"),
            // Of no news: she was an SQL already.
            piece((one, other, Some(60)), "mql", 50, Some(50), "skipped"),
        ];
        let life = [("lead", 10, Some(40)), ("mql", 40, Some(40)), ("sql", 40, None)];
        assert_eq!(told(pieces.clone()), is(&life));
        assert_eq!(told(pieces[..3].to_vec()), is(&life));
    }
}
