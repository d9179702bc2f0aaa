//! How much of what reports are made of is there: people of whom something is missing, and what waits for somebody.

use std::collections::HashSet;

use serde::Serialize;

use super::people::Only;
use super::{Span, share};
use crate::base::email::Email;
use crate::base::ids::ContactId;
use crate::base::signing::Keys;
use crate::base::time::{HOUR_MS, MINUTE_MS, Timestamp};
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::subscriptions::suppression::digest;
use crate::{params, sql};

/// How many are wanting, of how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Lack {
    pub lacking: i64,
    pub of: i64,
    pub rate: Option<f64>,
}

impl Lack {
    fn of(lacking: i64, of: i64) -> Self {
        let count = |n: i64| usize::try_from(n).unwrap_or(0);
        Self { lacking, of, rate: share(count(lacking), count(of)) }
    }
}

/// The answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Health {
    /// Contacts without any visit that was kept: what brought them is not known.
    pub without_source: Lack,
    pub without_company: Lack,
    /// Contacts who have not said anything about any purpose.
    pub without_consent: Lack,
    /// Contacts whose address differs from another's only in dots or in a plus tag.
    pub duplicates: Lack,
    /// Companies with people, of which nothing but the domain is known.
    pub unknown_companies: Lack,
    /// Forms, downloads and recordings of the span that belong to no visit.
    pub events_without_visit: Lack,
    /// Calendars that are not believed any more.
    pub stale_calendars: Lack,
    /// Forms of the span that look odd and wait for a person, of all that were sent in it.
    pub quarantine: Lack,
    /// Contacts whose address is not written to, for some letters or at all: what came back, was called spam, was blocked
    /// or left.
    pub suppressed: Lack,
    /// Messages and tasks that were given up, of those that ended in the span, or from `dead_letters_since` on.
    pub dead_letters: Lack,
    /// Where the span begins before that: the moment from which on those that were done are counted.
    pub dead_letters_since: Option<Timestamp>,
    /// Messages to CRMs that wait although their time has come, of all that wait or were given up.
    pub crm_waiting: Lack,
    /// Messages to CRMs that were given up, of the same.
    pub crm_given_up: Lack,
    /// How long the longest of those waits, in milliseconds; none if none does.
    pub crm_lag_ms: Option<i64>,
}

impl Health {
    /// Every lack with its word.
    pub fn all(&self) -> [(&'static str, Lack); 12] {
        [
            ("without_source", self.without_source),
            ("without_company", self.without_company),
            ("without_consent", self.without_consent),
            ("duplicates", self.duplicates),
            ("unknown_companies", self.unknown_companies),
            ("events_without_visit", self.events_without_visit),
            ("stale_calendars", self.stale_calendars),
            ("quarantine", self.quarantine),
            ("suppressed", self.suppressed),
            ("dead_letters", self.dead_letters),
            ("crm_waiting", self.crm_waiting),
            ("crm_given_up", self.crm_given_up),
        ]
    }
}

/// Looks at everything as it stands now; the span is that of events, forms and messages. Companies, calendars, what is set
/// apart and what was given up are looked at as a whole.
///
/// # Errors
/// As the store says.
pub async fn health(
    q: &mut impl Queries,
    keys: &Keys,
    span: Span,
    only: &Only,
    now: Timestamp,
) -> Result<Health> {
    let by_person = i64::from(!only.is_everybody());
    let rows = q
        .query(
            sql!(
                "select contact_id, count(*) as n, count(no_visit) as no_visit, count(no_company) as no_company,
                     count(no_consent) as no_consent, count(is_double) as is_double
                 from (
                     select case when cast($1 as bigint) = 1 then c.id end as contact_id,
                         case when not exists (select 1 from contact_ids i
                             join visitors v on v.contact_id = i.own_id
                             join visits s on s.visitor = v.id and s.consent > 0 and s.bot is null
                             where i.contact_id = c.id) then 1 end as no_visit,
                         case when c.company_id is null then 1 end as no_company,
                         case when not exists (select 1 from contact_ids i
                             join consents s on s.contact_id = i.own_id where i.contact_id = c.id) then 1 end as no_consent,
                         case when exists (select 1 from contacts d where d.likeness = c.likeness and d.id <> c.id
                             and d.merged_into is null) then 1 end as is_double
                     from contacts c where c.merged_into is null
                 ) as told
                 group by contact_id"
            ),
            params![by_person],
        )
        .await?;
    let mut sums = [0_i64; 5];
    for row in &rows {
        if only.has_perhaps(row.get::<Option<ContactId>>("contact_id")?) {
            for (sum, name) in sums.iter_mut().zip(["n", "no_visit", "no_company", "no_consent", "is_double"])
            {
                *sum += row.get::<i64>(name)?;
            }
        }
    }
    let [people, no_visit, no_company, no_consent, is_double] = sums;
    let events = q
        .query(
            sql!(
                "select coalesce(c.merged_into, c.id) as contact_id,
                     case when exists (select 1 from visits s where s.visitor = a.visitor_id
                         and s.started_at <= a.at + $3 and s.last_at >= a.at - $4) then 0 else 1 end as is_lost
                 from activities a
                 left join visitors v on v.id = a.visitor_id
                 left join contacts c on c.id = coalesce(a.contact_id, v.contact_id)
                 where a.kind in ('asset.downloaded', 'form.submitted', 'recording.watched')
                     and a.visitor_id is not null and a.at >= $1 and a.at < $2"
            ),
            params![span.from, span.to, MINUTE_MS, 30 * MINUTE_MS],
        )
        .await?;
    let (mut lost, mut all) = (0, 0);
    for row in &events {
        if only.has_perhaps(row.get::<Option<ContactId>>("contact_id")?) {
            all += 1;
            lost += row.get::<i64>("is_lost")?;
        }
    }
    let rest = q
        .query_opt(
            sql!(
                "select
                     (select count(*) from companies co
                      where exists (select 1 from contacts c where c.company_id = co.id and c.merged_into is null)) as companies,
                     (select count(*) from companies co
                      where co.kind is null and co.employees is null and co.industry is null
                          and exists (select 1 from contacts c where c.company_id = co.id and c.merged_into is null)) as unknown_companies,
                     (select count(*) from calendars) as calendars,
                     (select count(*) from form_quarantine where at >= $3 and at < $4) as quarantine,
                     (select count(*) from form_submissions where at >= $3 and at < $4) as submissions,
                     (select count(*) from calendars
                      where good_until <= $1 and (fetched_at is not null or created_at <= $2)) as stale_calendars"
            ),
            params![now, now.plus_ms(-HOUR_MS), span.from, span.to],
        )
        .await?;
    let (ended, crm) = (ended(q, span).await?, crm(q, now).await?);
    let (suppressed, known) = suppressed(q, keys, only, now).await?;
    let of = |name: &str| rest.as_ref().map_or(Ok(0), |row| row.get::<i64>(name));
    Ok(Health {
        without_source: Lack::of(no_visit, people),
        without_company: Lack::of(no_company, people),
        without_consent: Lack::of(no_consent, people),
        duplicates: Lack::of(is_double, people),
        unknown_companies: Lack::of(of("unknown_companies")?, of("companies")?),
        events_without_visit: Lack::of(lost, all),
        stale_calendars: Lack::of(of("stale_calendars")?, of("calendars")?),
        quarantine: Lack::of(of("quarantine")?, of("quarantine")? + of("submissions")?),
        suppressed: Lack::of(suppressed, known),
        dead_letters: Lack::of(ended.dead, ended.done + ended.dead),
        dead_letters_since: ended.since,
        crm_waiting: Lack::of(crm.due, crm.all),
        crm_given_up: Lack::of(crm.dead, crm.all),
        crm_lag_ms: crm.lag_ms,
    })
}

/// Jobs that ended in a span.
struct Ended {
    done: i64,
    dead: i64,
    since: Option<Timestamp>,
}

/// What ended in a span. Jobs that were done are kept for a month and counted by the quarter of an hour after that; those
/// that were given up are kept. What a release that did not count them deleted is unknown, and neither side of the share is
/// told of that time.
async fn ended(q: &mut impl Queries, span: Span) -> Result<Ended> {
    let row = q.query_opt(sql!("select max(at) as at from ended_jobs_since"), &[]).await?;
    let counted = row.map_or(Ok(None), |row| row.get::<Option<Timestamp>>("at"))?.unwrap_or_default();
    let from = span.from.max(counted);
    let row = q
        .query_opt(
            sql!(
                "select
                     (select count(*) from jobs where state = 'done' and done_at >= $1 and done_at < $2)
                     + (select cast(coalesce(sum(done), 0) as bigint) from ended_jobs where at >= $1 and at < $2) as done,
                     (select count(*) from jobs where state = 'dead' and done_at >= $1 and done_at < $2) as dead"
            ),
            params![from, span.to],
        )
        .await?;
    let of = |name: &str| row.as_ref().map_or(Ok(0), |row| row.get::<i64>(name));
    Ok(Ended { done: of("done")?, dead: of("dead")?, since: (span.from < counted).then_some(counted) })
}

/// How it stands with what CRMs are to be told.
#[derive(Default)]
struct Crm {
    all: i64,
    due: i64,
    dead: i64,
    lag_ms: Option<i64>,
}

/// What waits for CRMs as it stands now. What failed and is tried again later waits since it was to go out for the first
/// time.
async fn crm(q: &mut impl Queries, now: Timestamp) -> Result<Crm> {
    let row = q
        .query_opt(
            sql!(
                "select count(*) as n,
                     cast(coalesce(sum(case when state = 'dead' then 1 else 0 end), 0) as bigint) as dead,
                     cast(coalesce(sum(case when state <> 'dead' and coalesce(trouble_since, next_at) <= $1
                         then 1 else 0 end), 0) as bigint) as due,
                     min(case when state <> 'dead' then coalesce(trouble_since, next_at) end) as oldest
                 from jobs where target like 'crm:%' and state in ('ready', 'running', 'dead')"
            ),
            params![now],
        )
        .await?;
    let Some(row) = row else { return Ok(Crm::default()) };
    let oldest = row.get::<Option<Timestamp>>("oldest")?.filter(|at| *at <= now);
    Ok(Crm {
        all: row.get("n")?,
        dead: row.get("dead")?,
        due: row.get("due")?,
        lag_ms: oldest.map(|at| now.since_ms(at)),
    })
}

/// How many contacts are not written to, and how many there are. Their addresses stand in the one table as they are, in the
/// other as digests that only the keys can make.
async fn suppressed(q: &mut impl Queries, keys: &Keys, only: &Only, now: Timestamp) -> Result<(i64, i64)> {
    let rows = q
        .query(
            sql!("select distinct address from suppressions where until_at is null or until_at > $1"),
            params![now],
        )
        .await?;
    let blocked: HashSet<String> = rows.iter().map(|row| row.get("address")).collect::<Result<_>>()?;
    let rows = q.query(sql!("select id, email from contacts where merged_into is null"), &[]).await?;
    let (mut lacking, mut of) = (0, 0);
    for row in &rows {
        if only.has(row.get("id")?) {
            of += 1;
            let email = Email::parse(&row.get::<String>("email")?).ok();
            lacking += i64::from(email.is_some_and(|email| blocked.contains(&digest(keys, &email))));
        }
    }
    Ok((lacking, of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_nothing_is_no_rate() {
        assert_eq!(Lack::of(0, 0).rate, None);
        assert_eq!(Lack::of(1, 4).rate, Some(0.25));
    }
}
