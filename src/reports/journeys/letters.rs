//! Mails: how many were sent, which came back, which were clicked by people, and after which people left.
//!
//! Whether a mail was opened is not counted: programs load its pictures, and nobody asked for it.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::people::{NONE, Only};
use super::velocity::Lengths;
use super::{Span, share};
use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

/// Mails of one template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub template: String,
    /// To whom; told only where it is asked.
    pub contact: Option<ContactId>,
    pub sent: i64,
    pub bounced: i64,
    pub complained: i64,
    pub clicked: i64,
}

/// Somebody left a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The last mail of the topic that she got before.
    pub template: Option<String>,
    pub contact: Option<ContactId>,
}

/// Somebody asked for a topic whose letters nobody gets without having confirmed that she wants them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub topic: String,
    pub contact: ContactId,
    pub asked_at: Timestamp,
    /// When she confirmed it first afterwards.
    pub confirmed_at: Option<Timestamp>,
}

/// How many of those who asked for letters confirmed it, and how soon.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Confirmations {
    pub asked: usize,
    pub confirmed: usize,
    pub confirmed_rate: Option<f64>,
    /// From asking to confirming, in milliseconds, of those who confirmed; nearest rank.
    pub after: Option<Lengths>,
}

/// One template, or all of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Numbers {
    pub sent: i64,
    /// Came back, for good or for now.
    pub bounced: i64,
    /// Sent, and nothing came back.
    pub delivered: i64,
    /// Mails in which a person followed a link. Clicks of machines, and those that may be, are left out.
    pub clicked: i64,
    /// Clicked of those that were delivered.
    pub click_rate: Option<f64>,
    pub unsubscribed: i64,
    pub complained: i64,
}

/// The answer, by template and by sequence.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    pub total: Numbers,
    pub by_letter: BTreeMap<String, Numbers>,
    pub by_sequence: BTreeMap<String, Numbers>,
    /// Those who asked for letters in the span.
    pub confirmations: Confirmations,
    pub confirmations_by_topic: BTreeMap<String, Confirmations>,
}

/// The mails of one template since a moment: how many were sent, came back, and were clicked by people.
///
/// # Errors
/// As the store says.
pub async fn of_template(q: &mut impl Queries, template: &str, since: Timestamp) -> Result<Sent> {
    let row = q
        .query_opt(
            sql!(
                "select count(*) as sent, count(bounced) as bounced, count(complained) as complained,
                     count(clicked) as clicked
                 from (
                     select
                         (select max(1) from mail_feedback f
                             where f.mail_id = m.id and f.kind in ('hard_bounce', 'soft_bounce')) as bounced,
                         (select max(1) from mail_feedback f
                             where f.mail_id = m.id and f.kind = 'complaint') as complained,
                         (select max(1) from mail_clicks k
                             where k.mail_id = m.id and k.verdict = 'human') as clicked
                     from mails m where m.template = $1 and m.sent_at >= $2
                 ) as told"
            ),
            params![template, since],
        )
        .await?;
    let count = |name: &str| row.as_ref().map_or(Ok(0), |row| row.get(name));
    Ok(Sent {
        template: template.to_owned(),
        contact: None,
        sent: count("sent")?,
        bounced: count("bounced")?,
        complained: count("complained")?,
        clicked: count("clicked")?,
    })
}

/// The mails that were sent in a span, counted; by person where not everybody is meant.
///
/// # Errors
/// As the store says.
pub async fn sent(q: &mut impl Queries, span: Span, only: &Only) -> Result<Vec<Sent>> {
    let by_person = i64::from(!only.is_everybody());
    let rows = q
        .query(
            sql!(
                "select template, contact_id, count(*) as sent, count(bounced) as bounced,
                     count(complained) as complained, count(clicked) as clicked
                 from (
                     select m.template,
                         case when cast($3 as bigint) = 1 then coalesce(c.merged_into, c.id) end as contact_id,
                         (select max(1) from mail_feedback f
                             where f.mail_id = m.id and f.kind in ('hard_bounce', 'soft_bounce')) as bounced,
                         (select max(1) from mail_feedback f
                             where f.mail_id = m.id and f.kind = 'complaint') as complained,
                         (select max(1) from mail_clicks k
                             where k.mail_id = m.id and k.verdict = 'human') as clicked
                     from mails m left join contacts c on c.id = m.contact_id
                     where m.sent_at >= $1 and m.sent_at < $2
                 ) as told
                 group by template, contact_id order by template"
            ),
            params![span.from, span.to, by_person],
        )
        .await?;
    let sent = rows.iter().map(|row| {
        Ok(Sent {
            template: row.get("template")?,
            contact: row.get("contact_id")?,
            sent: row.get("sent")?,
            bounced: row.get("bounced")?,
            complained: row.get("complained")?,
            clicked: row.get("clicked")?,
        })
    });
    let sent: Vec<Sent> = sent.collect::<Result<_>>()?;
    Ok(sent.into_iter().filter(|sent| only.has_perhaps(sent.contact)).collect())
}

/// Those who left a topic in a span, with the mail that they got last.
///
/// # Errors
/// As the store says.
pub async fn left(q: &mut impl Queries, span: Span, only: &Only) -> Result<Vec<Left>> {
    let rows = q
        .query(
            sql!(
                "select coalesce(c.merged_into, c.id) as contact_id,
                     (select m.template from mails m
                         where m.contact_id = a.contact_id and m.topic = a.subject and m.sent_at <= a.at
                         order by m.sent_at desc, m.id desc limit 1) as template
                 from activities a join contacts c on c.id = a.contact_id
                 where a.kind = 'subscription.ended' and a.at >= $1 and a.at < $2
                 order by a.at, a.id"
            ),
            params![span.from, span.to],
        )
        .await?;
    let left = rows
        .iter()
        .map(|row| Ok(Left { template: row.get("template")?, contact: row.get("contact_id")? }))
        .collect::<Result<Vec<_>>>()?;
    Ok(left.into_iter().filter(|left| only.has_perhaps(left.contact)).collect())
}

/// Those who asked for a topic in a span, by everything that can be asked for; the earliest first.
///
/// # Errors
/// As the store says.
pub async fn questions(q: &mut impl Queries, span: Span) -> Result<Vec<Question>> {
    let rows = q
        .query(
            sql!(
                "select coalesce(c.merged_into, c.id) as contact_id, a.subject as topic, a.at,
                     (select min(b.at) from activities b
                         where b.contact_id = a.contact_id and b.kind = 'subscription.confirmed'
                             and b.subject = a.subject and b.at >= a.at) as confirmed_at
                 from activities a join contacts c on c.id = a.contact_id
                 where a.kind = 'subscription.asked' and a.subject is not null and a.at >= $1 and a.at < $2
                 order by a.at, a.id"
            ),
            params![span.from, span.to],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Question {
                topic: row.get("topic")?,
                contact: row.get("contact_id")?,
                asked_at: row.get("at")?,
                confirmed_at: row.get("confirmed_at")?,
            })
        })
        .collect()
}

/// Counts them; `is_asked` says which topics want a confirmation. Whoever asks again before she has confirmed has asked once.
pub fn confirmations(
    questions: &[Question],
    is_asked: impl Fn(&str) -> bool,
) -> (Confirmations, BTreeMap<String, Confirmations>) {
    let mut latest: HashMap<(ContactId, &str), Option<Timestamp>> = HashMap::new();
    let mut waits: BTreeMap<&str, Vec<Option<i64>>> = BTreeMap::new();
    for one in questions.iter().filter(|one| is_asked(&one.topic)) {
        let who = (one.contact, one.topic.as_str());
        if latest.get(&who).is_some_and(|confirmed| confirmed.is_none_or(|at| one.asked_at < at)) {
            continue;
        }
        latest.insert(who, one.confirmed_at);
        let waited = one.confirmed_at.map(|at| at.since_ms(one.asked_at));
        waits.entry(&one.topic).or_default().push(waited);
    }
    let count = |waits: &[Option<i64>]| {
        let lengths: Vec<i64> = waits.iter().flatten().copied().collect();
        Confirmations {
            asked: waits.len(),
            confirmed: lengths.len(),
            confirmed_rate: share(lengths.len(), waits.len()),
            after: Lengths::of(lengths),
        }
    };
    let all: Vec<Option<i64>> = waits.values().flatten().copied().collect();
    let by_topic = waits.iter().map(|(topic, waits)| ((*topic).to_owned(), count(waits)));
    (count(&all), by_topic.collect())
}

/// Counts them; `sequence_of` tells of which sequence a template is a letter.
pub fn letters(sent: &[Sent], left: &[Left], sequence_of: impl Fn(&str) -> Option<String>) -> Report {
    let mut report = Report::default();
    let mut add = |template: &str, add: &dyn Fn(&mut Numbers)| {
        add(&mut report.total);
        add(report.by_letter.entry(template.to_owned()).or_default());
        if let Some(sequence) = sequence_of(template) {
            add(report.by_sequence.entry(sequence).or_default());
        }
    };
    for mails in sent {
        add(&mails.template, &|numbers| {
            numbers.sent += mails.sent;
            numbers.bounced += mails.bounced;
            numbers.clicked += mails.clicked;
            numbers.complained += mails.complained;
        });
    }
    for one in left {
        add(one.template.as_deref().unwrap_or(NONE), &|numbers| numbers.unsubscribed += 1);
    }
    let all = report.by_letter.values_mut().chain(report.by_sequence.values_mut());
    for numbers in all.chain([&mut report.total]) {
        numbers.delivered = numbers.sent - numbers.bounced;
        let count = |n: i64| usize::try_from(n).unwrap_or(0);
        numbers.click_rate = share(count(numbers.clicked), count(numbers.delivered));
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clicks_are_told_of_what_was_delivered_and_by_the_sequence_too() {
        let sent = |template: &str, n, bounced, clicked| Sent {
            template: template.to_owned(),
            contact: None,
            sent: n,
            bounced,
            complained: 0,
            clicked,
        };
        let left = [
            Left { template: Some("tip".to_owned()), contact: None },
            Left { template: None, contact: None },
        ];
        let told = letters(
            &[sent("tip", 10, 2, 4), sent("offer", 6, 0, 3), sent("code", 3, 0, 0)],
            &left,
            |template| matches!(template, "tip" | "offer").then(|| "reading".to_owned()),
        );
        let tip = &told.by_letter["tip"];
        assert_eq!((tip.delivered, tip.click_rate, tip.unsubscribed), (8, Some(0.5), 1));
        let reading = &told.by_sequence["reading"];
        assert_eq!((reading.sent, reading.clicked, reading.unsubscribed), (16, 7, 1));
        assert_eq!((told.total.sent, told.total.unsubscribed, told.by_letter[NONE].unsubscribed), (19, 2, 1));
    }

    #[test]
    fn three_of_four_confirmed_and_whoever_asks_twice_before_has_asked_once() {
        let people = [ContactId::new(), ContactId::new(), ContactId::new(), ContactId::new()];
        let one = |who: usize, topic: &str, asked_at: i64, confirmed_at: Option<i64>| Question {
            topic: topic.to_owned(),
            contact: people[who],
            asked_at: Timestamp(asked_at),
            confirmed_at: confirmed_at.map(Timestamp),
        };
        let questions = [
            one(0, "news", 0, Some(60)),
            one(0, "news", 30, Some(60)),
            one(1, "news", 0, Some(10)),
            one(2, "news", 0, None),
            one(2, "news", 99, None),
            one(3, "tips", 0, Some(1_000)),
            // She left, and asked anew.
            one(1, "news", 500, Some(520)),
            one(3, "plain", 0, Some(0)),
        ];
        let (all, by_topic) = confirmations(&questions, |topic| topic != "plain");
        assert_eq!((all.asked, all.confirmed, all.confirmed_rate), (5, 4, Some(0.8)));
        assert_eq!(all.after.map(|after| (after.p50, after.p90)), Some((20, 1_000)));
        let news = &by_topic["news"];
        assert_eq!((news.asked, news.confirmed, news.after.map(|after| after.p50)), (4, 3, Some(20)));
        assert!(!by_topic.contains_key("plain"), "nobody is asked to confirm it");
    }
}
