//! What files and recordings do: who took them, how much was watched, and who went on to another stage afterwards.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use super::webinars::Watch;
use super::{Reached, Span, share};
use crate::base::ids::ContactId;
use crate::base::time::{DAY_MS, Timestamp};
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

/// How soon a next stage must follow to be told beside what was taken.
pub const WITHIN_DAYS: i64 = 30;
/// From so many percent on a recording counts as watched.
pub const WATCHED_PERCENT: i64 = 60;

/// Somebody took a file or watched a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The file or the recording.
    pub subject: String,
    pub is_recording: bool,
    /// It was a person; what a machine may have fetched is told apart.
    pub is_certain: bool,
    pub contact: ContactId,
    pub at: Timestamp,
}

/// One file or recording.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Numbers {
    pub is_recording: bool,
    /// Downloads by people, or moments at which they watched on.
    pub uses: usize,
    /// Fetched, perhaps by a machine that looks into mails.
    pub unsure: usize,
    pub people: usize,
    /// People and devices that began to watch; 0 for files.
    pub viewers: usize,
    /// Of these, those who saw most of it.
    pub watched: usize,
    /// How long all of them looked at it together, in milliseconds: what was seen twice counts once. Of files nothing is
    /// known: they are read elsewhere.
    pub seen_ms: i64,
    /// How much of it they saw on average.
    pub completion: Option<f64>,
    /// People who reached another stage for the first time within [`WITHIN_DAYS`] afterwards.
    pub went_on: usize,
    pub went_on_rate: Option<f64>,
}

/// The answer, by file and recording.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    pub total: Numbers,
    pub by_subject: BTreeMap<String, Numbers>,
}

/// What was taken and watched in a span, by people who are known.
///
/// # Errors
/// As the store says.
pub async fn uses(q: &mut impl Queries, span: Span) -> Result<Vec<Use>> {
    let rows = q
        .query(
            sql!(
                "select a.kind, a.subject, coalesce(c.merged_into, c.id) as contact_id, a.at
                 from activities a
                 left join visitors v on v.id = a.visitor_id
                 join contacts c on c.id = coalesce(a.contact_id, v.contact_id)
                 where a.kind in ('asset.downloaded', 'asset.fetched', 'recording.watched')
                     and a.subject is not null and a.at >= $1 and a.at < $2
                 order by a.at, a.id"
            ),
            params![span.from, span.to],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let kind: String = row.get("kind")?;
            Ok(Use {
                subject: row.get("subject")?,
                is_recording: kind == "recording.watched",
                is_certain: kind != "asset.fetched",
                contact: row.get("contact_id")?,
                at: row.get("at")?,
            })
        })
        .collect()
}

/// Counts them; `reached` holds what was reached since the span began.
pub fn content(uses: &[Use], watches: &[Watch], reached: &[Reached]) -> Report {
    let mut stages: HashMap<ContactId, Vec<Timestamp>> = HashMap::new();
    for row in reached {
        stages.entry(row.contact).or_default().push(row.at);
    }
    let goes_on = |one: &Use| {
        let until = one.at.plus_ms(WITHIN_DAYS * DAY_MS);
        stages.get(&one.contact).is_some_and(|times| times.iter().any(|at| one.at < *at && *at <= until))
    };
    let mut people: BTreeMap<&str, (BTreeSet<ContactId>, BTreeSet<ContactId>)> = BTreeMap::new();
    let (mut everybody, mut all_on) = (BTreeSet::new(), BTreeSet::new());
    let mut report = Report::default();
    for one in uses {
        let of_subject = report.by_subject.entry(one.subject.clone()).or_default();
        of_subject.is_recording |= one.is_recording;
        for numbers in [&mut report.total, of_subject] {
            match one.is_certain {
                true => numbers.uses += 1,
                false => numbers.unsure += 1,
            }
        }
        if one.is_certain {
            let (who, on) = people.entry(&one.subject).or_default();
            who.insert(one.contact);
            everybody.insert(one.contact);
            if goes_on(one) {
                on.insert(one.contact);
                all_on.insert(one.contact);
            }
        }
    }
    let mut by_recording: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for watch in watches {
        by_recording.entry(&watch.recording).or_default().push(watch.percent);
        let of_subject = report.by_subject.entry(watch.recording.clone()).or_default();
        of_subject.is_recording = true;
        for numbers in [&mut report.total, of_subject] {
            numbers.viewers += 1;
            numbers.seen_ms += watch.seen_ms;
            numbers.watched += usize::from(watch.percent >= WATCHED_PERCENT);
        }
    }
    for (subject, watches) in by_recording {
        if let Some(numbers) = report.by_subject.get_mut(subject) {
            numbers.completion = mean_percent(&watches);
        }
    }
    report.total.completion = mean_percent(&watches.iter().map(|watch| watch.percent).collect::<Vec<_>>());
    for (subject, (who, on)) in people {
        if let Some(numbers) = report.by_subject.get_mut(subject) {
            (numbers.people, numbers.went_on) = (who.len(), on.len());
            numbers.went_on_rate = share(on.len(), who.len());
        }
    }
    (report.total.people, report.total.went_on) = (everybody.len(), all_on.len());
    report.total.went_on_rate = share(all_on.len(), everybody.len());
    report
}

/// The mean of percents as a share, to four places; nothing of nothing.
fn mean_percent(percents: &[i64]) -> Option<f64> {
    let seen = percents.iter().map(|percent| usize::try_from(*percent).unwrap_or(0)).sum();
    share(seen, percents.len() * 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_took_the_guide_and_the_one_who_became_an_mql_within_a_month_went_on() {
        let (nikki, eva) = (ContactId::new(), ContactId::new());
        let one = |contact, at_days: i64, is_certain| Use {
            subject: "guide".to_owned(),
            is_recording: false,
            is_certain,
            contact,
            at: Timestamp(at_days * DAY_MS),
        };
        let reach = |contact, at_days: i64| Reached {
            contact,
            journey: 1,
            stage: "mql".to_owned(),
            at: Timestamp(at_days * DAY_MS),
        };
        let uses = [one(nikki, 1, true), one(nikki, 2, true), one(eva, 1, true), one(eva, 0, false)];
        let watches = [59, 60, 100].map(|percent| Watch {
            recording: "short".to_owned(),
            contact: None,
            percent,
            seen_ms: percent * 10,
        });
        let told = content(&uses, &watches, &[reach(nikki, 30), reach(eva, 40)]);
        let guide = &told.by_subject["guide"];
        assert_eq!((guide.uses, guide.unsure, guide.people, guide.went_on), (3, 1, 2, 1));
        assert_eq!((guide.went_on_rate, guide.is_recording), (Some(0.5), false));
        let short = &told.by_subject["short"];
        assert_eq!((short.viewers, short.watched, short.is_recording), (3, 2, true));
        assert_eq!((short.seen_ms, short.completion), (2_190, Some(0.73)));
        assert_eq!((guide.seen_ms, guide.completion), (0, None), "nobody knows how a file is read");
        assert_eq!((told.total.people, told.total.viewers), (2, 3));
    }

    #[test]
    fn a_stage_that_was_reached_before_is_not_what_came_of_it() {
        let nikki = ContactId::new();
        let uses = [Use {
            subject: "guide".to_owned(),
            is_recording: false,
            is_certain: true,
            contact: nikki,
            at: Timestamp(5 * DAY_MS),
        }];
        let reached =
            [Reached { contact: nikki, journey: 1, stage: "lead".to_owned(), at: Timestamp(5 * DAY_MS) }];
        assert_eq!(content(&uses, &[], &reached).total.went_on, 0);
    }
}
