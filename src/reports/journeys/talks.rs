//! How conversations with people go: how often a person was wanted, how soon somebody came, what was left, and how content
//! visitors were.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Span, share};
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

/// Answers from this score on count as content.
const CONTENT: i64 = 4;

/// What a report is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Talks {
    /// How often a visitor asked for a person.
    pub wanted: usize,
    /// Who was asked, and how long it took her to accept; nothing if she did not.
    pub offers: Vec<(String, Option<i64>)>,
    /// Who talked in which conversation, once for each of both.
    pub talked: Vec<String>,
    /// Who talked, if it is known, and the score.
    pub ratings: Vec<(Option<String>, i64)>,
    /// Questions that were left, and whether they have been answered.
    pub left: Vec<bool>,
}

/// One colleague's, or everybody's.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Numbers {
    pub conversations: usize,
    pub asked: usize,
    pub accepted: usize,
    /// Of those she was asked for, in milliseconds until she accepted; nearest rank.
    pub accepted_after_ms_p50: Option<i64>,
    pub ratings: usize,
    /// From 1 to 5, rounded to hundredths.
    pub satisfaction: Option<f64>,
    /// Scores of 4 and 5 of all.
    pub content_rate: Option<f64>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub wanted: usize,
    pub left: usize,
    pub left_unanswered: usize,
    pub total: Numbers,
    pub by_colleague: BTreeMap<String, Numbers>,
}

/// What happened in a span.
///
/// # Errors
/// As the store says.
pub async fn talks(q: &mut impl Queries, span: Span) -> Result<Talks> {
    let wanted = q
        .query_opt(
            sql!("select count(*) as n from activities where kind = 'handoff.requested' and at >= $1 and at < $2"),
            params![span.from, span.to],
        )
        .await?
        .map_or(Ok(0_i64), |row| row.get("n"))?;
    let offers = q
        .query(
            sql!(
                "select a.name, o.offered_at, o.ended_at, o.ending
                 from chat_offers o join accounts a on a.id = o.account_id
                 where o.offered_at >= $1 and o.offered_at < $2"
            ),
            params![span.from, span.to],
        )
        .await?
        .iter()
        .map(|row| {
            let (offered_at, ended_at): (Timestamp, Option<Timestamp>) =
                (row.get("offered_at")?, row.get("ended_at")?);
            let is_accepted = row.get::<Option<String>>("ending")?.as_deref() == Some("accepted");
            let after_ms = ended_at.filter(|_| is_accepted).map(|at| at.since_ms(offered_at));
            Ok((row.get("name")?, after_ms))
        })
        .collect::<Result<Vec<_>>>()?;
    let talked = q
        .query(
            sql!(
                "select distinct m.conversation_id, a.name
                 from messages m join accounts a on a.id = m.author_id
                 where m.author = 'agent' and m.at >= $1 and m.at < $2"
            ),
            params![span.from, span.to],
        )
        .await?
        .iter()
        .map(|row| row.get("name"))
        .collect::<Result<Vec<_>>>()?;
    let ratings = q
        .query(
            sql!(
                "select a.name, r.score from chat_ratings r left join accounts a on a.id = r.account_id
                 where r.at >= $1 and r.at < $2"
            ),
            params![span.from, span.to],
        )
        .await?
        .iter()
        .map(|row| Ok((row.get("name")?, row.get("score")?)))
        .collect::<Result<Vec<_>>>()?;
    let left = q
        .query(
            sql!("select answered_at from chat_left where left_at >= $1 and left_at < $2"),
            params![span.from, span.to],
        )
        .await?
        .iter()
        .map(|row| Ok(row.get::<Option<Timestamp>>("answered_at")?.is_some()))
        .collect::<Result<Vec<_>>>()?;
    Ok(Talks { wanted: usize::try_from(wanted).unwrap_or(0), offers, talked, ratings, left })
}

/// Counts them.
pub fn report(talks: &Talks) -> Report {
    let mut names: Vec<&str> = talks.talked.iter().map(String::as_str).collect();
    names.extend(talks.offers.iter().map(|(name, _)| name.as_str()));
    names.extend(talks.ratings.iter().filter_map(|(name, _)| name.as_deref()));
    let by_colleague = names.into_iter().map(|name| (name.to_owned(), numbers(talks, Some(name)))).collect();
    Report {
        wanted: talks.wanted,
        left: talks.left.len(),
        left_unanswered: talks.left.iter().filter(|answered| !**answered).count(),
        total: numbers(talks, None),
        by_colleague,
    }
}

fn numbers(talks: &Talks, of: Option<&str>) -> Numbers {
    let is_hers = |name: &str| of.is_none_or(|of| of == name);
    let offers: Vec<Option<i64>> =
        talks.offers.iter().filter(|(name, _)| is_hers(name)).map(|(_, after_ms)| *after_ms).collect();
    let mut waits: Vec<i64> = offers.iter().copied().flatten().collect();
    waits.sort_unstable();
    let scores: Vec<i64> = talks
        .ratings
        .iter()
        .filter(|(name, _)| of.is_none() || name.as_deref().is_some_and(is_hers))
        .map(|(_, score)| *score)
        .collect();
    Numbers {
        conversations: talks.talked.iter().filter(|name| is_hers(name)).count(),
        asked: offers.len(),
        accepted: waits.len(),
        accepted_after_ms_p50: waits.get(waits.len().saturating_sub(1) / 2).copied(),
        ratings: scores.len(),
        satisfaction: mean(&scores),
        content_rate: share(scores.iter().filter(|score| **score >= CONTENT).count(), scores.len()),
    }
}

#[allow(clippy::cast_precision_loss, reason = "scores are few and small")]
fn mean(scores: &[i64]) -> Option<f64> {
    let sum = scores.iter().sum::<i64>() as f64;
    (!scores.is_empty()).then(|| (sum * 100.0 / scores.len() as f64).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn satisfaction_is_the_mean_of_the_answers_and_each_colleague_has_her_own() {
        let talks = Talks {
            wanted: 5,
            offers: vec![
                ("Mike".into(), Some(4_000)),
                ("Mike".into(), None),
                ("Lucía".into(), Some(9_000)),
                ("Lucía".into(), Some(1_000)),
            ],
            talked: vec!["Mike".into(), "Lucía".into(), "Lucía".into()],
            ratings: vec![(Some("Mike".into()), 5), (Some("Mike".into()), 2), (None, 4)],
            left: vec![true, false],
        };
        let report = report(&talks);
        assert_eq!((report.left, report.left_unanswered), (2, 1));
        assert_eq!((report.total.satisfaction, report.total.ratings), (Some(3.67), 3));
        assert_eq!(report.total.accepted_after_ms_p50, Some(4_000));
        let mike = &report.by_colleague["Mike"];
        assert_eq!((mike.asked, mike.accepted, mike.satisfaction), (2, 1, Some(3.5)));
        assert_eq!(mike.content_rate, share(1, 2));
        let lucia = &report.by_colleague["Lucía"];
        assert_eq!((lucia.conversations, lucia.ratings, lucia.satisfaction), (2, 0, None));
    }
}
