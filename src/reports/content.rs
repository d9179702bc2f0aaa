//! Forms, files, webinars, recordings and offers with their numbers, and who came last. Those of the definitions come first, in their order; what was
//! used and is defined no more follows.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Names, name_of};
use crate::base::ids::ContactId;
use crate::base::time::{DAY_MS, Timestamp};
use crate::scoring::tags::{Level, Words};
use crate::storage::Result;
use crate::storage::db::{Queries, Row};
use crate::{offers, params, sql};

/// A form and how often it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FormNumbers {
    pub form: String,
    pub title: String,
    pub submissions: i64,
    /// In the last 30 days.
    pub recent: i64,
    pub people: i64,
    pub last_at: Option<Timestamp>,
}

/// A webinar and who came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WebinarNumbers {
    pub webinar: String,
    pub title: String,
    pub starts_at: Option<Timestamp>,
    /// All who registered and did not cancel.
    pub registered: i64,
    pub attended: i64,
    pub no_show: i64,
}

/// A recording and how much of it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordingNumbers {
    pub recording: String,
    pub title: String,
    pub viewers: i64,
    /// Percent.
    pub average: i64,
    pub past_60: i64,
}

/// A file, what it is about, and how often it was downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileNumbers {
    pub file: String,
    pub title: String,
    pub kind: String,
    /// The kind in words.
    pub kind_name: String,
    pub level: Option<&'static str>,
    /// The topics in words.
    pub topics: Vec<String>,
    /// The stages that it is meant for; empty means all.
    pub stages: Vec<String>,
    pub downloads: i64,
    pub people: i64,
}

/// Every file that is defined, or those of one kind.
///
/// # Errors
/// As the store says.
pub async fn files(q: &mut impl Queries, names: &Names<'_>, kind: Option<&str>) -> Result<Vec<FileNumbers>> {
    let rows = q
        .query(
            sql!(
                "select subject, count(*) as downloads, count(distinct contact_id) as people from activities
                 where kind = 'asset.downloaded' group by subject"
            ),
            &[],
        )
        .await?;
    let mut used: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for row in &rows {
        let subject = row.get::<Option<String>>("subject")?.unwrap_or_default();
        used.insert(subject, (row.get("downloads")?, row.get("people")?));
    }
    let tags = &names.catalog.tags;
    let word = |words: &Words, id: &str| words.get(id).map_or(id, |word| word.get(names.language)).to_owned();
    let assets = names.catalog.assets.iter().filter(|asset| kind.is_none_or(|kind| asset.kind == kind));
    let told = assets.map(|asset| {
        let (downloads, people) = used.get(&asset.id).copied().unwrap_or_default();
        FileNumbers {
            file: asset.id.clone(),
            title: asset.title.get(names.language).to_owned(),
            kind_name: word(&tags.kinds, &asset.kind),
            kind: asset.kind.clone(),
            level: asset.tag.level.map(Level::word),
            topics: asset.tag.topics.iter().map(|topic| word(&tags.topics, topic)).collect(),
            stages: asset.stages.clone(),
            downloads,
            people,
        }
    });
    Ok(told.collect())
}

/// Every form.
///
/// # Errors
/// As the store says.
pub async fn forms(q: &mut impl Queries, names: &Names<'_>, now: Timestamp) -> Result<Vec<FormNumbers>> {
    let rows = q
        .query(
            sql!(
                "select form, count(*) as submissions, count(distinct contact_id) as people, max(at) as last_at,
                     count(case when at >= $1 then 1 end) as recent
                 from form_submissions group by form"
            ),
            params![now.plus_ms(-30 * DAY_MS)],
        )
        .await?;
    let mut used = BTreeMap::new();
    for row in &rows {
        let form: String = row.get("form")?;
        let numbers = FormNumbers {
            title: names.form(&form),
            submissions: row.get("submissions")?,
            recent: row.get("recent")?,
            people: row.get("people")?,
            last_at: row.get("last_at")?,
            form: form.clone(),
        };
        used.insert(form, numbers);
    }
    let defined = names.catalog.forms.iter().map(|form| form.id.clone());
    Ok(in_order(defined, used, |form| FormNumbers {
        title: names.form(&form),
        form,
        submissions: 0,
        recent: 0,
        people: 0,
        last_at: None,
    }))
}

/// Every webinar.
///
/// # Errors
/// As the store says.
pub async fn webinars(q: &mut impl Queries, names: &Names<'_>) -> Result<Vec<WebinarNumbers>> {
    let rows = q
        .query(
            sql!(
                "select webinar,
                     count(case when state <> 'cancelled' then 1 end) as registered,
                     count(case when state = 'attended' then 1 end) as attended,
                     count(case when state = 'no_show' then 1 end) as no_show
                 from (
                     -- somebody who is two contacts in one is one registrant
                     select r.webinar, r.state, row_number() over (
                         partition by r.webinar, coalesce(c.merged_into, c.id)
                         order by case r.state when 'attended' then 0 when 'cancelled' then 2 else 1 end,
                             r.state_at desc, r.contact_id) as place
                     from webinar_registrations r join contacts c on c.id = r.contact_id
                 ) as known
                 where place = 1
                 group by webinar"
            ),
            &[],
        )
        .await?;
    let blank = |webinar: String| WebinarNumbers {
        title: names.webinar(&webinar),
        starts_at: names.webinars.find(&webinar).map(|known| known.starts_at),
        webinar,
        registered: 0,
        attended: 0,
        no_show: 0,
    };
    let mut used = BTreeMap::new();
    for row in &rows {
        let webinar: String = row.get("webinar")?;
        let numbers = WebinarNumbers {
            registered: row.get("registered")?,
            attended: row.get("attended")?,
            no_show: row.get("no_show")?,
            ..blank(webinar.clone())
        };
        used.insert(webinar, numbers);
    }
    let defined = names.webinars.webinars.iter().map(|webinar| webinar.id.clone());
    Ok(in_order(defined, used, blank))
}

/// Every recording that somebody began to watch.
///
/// # Errors
/// As the store says.
pub async fn recordings(q: &mut impl Queries, names: &Names<'_>) -> Result<Vec<RecordingNumbers>> {
    let rows = q
        .query(
            sql!(
                "select recording, count(*) as viewers, cast(sum(percent) as bigint) as percents,
                     count(case when percent >= 60 then 1 end) as past_60
                 from (
                     -- somebody with two devices is one viewer
                     select recording, max(percent) as percent
                     from watches group by recording, coalesce(contact_id, viewer)
                 ) as viewers
                 group by recording order by recording"
            ),
            &[],
        )
        .await?;
    let recordings = rows.iter().map(|row| {
        let recording: String = row.get("recording")?;
        let (viewers, percents): (i64, i64) = (row.get("viewers")?, row.get("percents")?);
        Ok(RecordingNumbers {
            title: names.recording(&recording),
            recording,
            viewers,
            average: (percents * 2 + viewers) / (viewers * 2).max(1),
            past_60: row.get("past_60")?,
        })
    });
    recordings.collect()
}

/// Somebody who did something with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Somebody {
    pub contact_id: ContactId,
    pub name: String,
    pub company: Option<String>,
    pub stage: String,
    /// Of a registration: what became of it.
    pub state: Option<String>,
    pub at: Timestamp,
}

fn somebody(rows: &[Row]) -> Result<Vec<Somebody>> {
    rows.iter()
        .map(|row| {
            Ok(Somebody {
                contact_id: row.get("contact_id")?,
                name: name_of(row)?,
                company: row.get("company")?,
                stage: row.get("stage")?,
                state: row.get("state")?,
                at: row.get("at")?,
            })
        })
        .collect()
}

/// Who sent a form last, each time.
///
/// # Errors
/// As the store says.
pub async fn senders(q: &mut impl Queries, form: &str, most: i64) -> Result<Vec<Somebody>> {
    let rows = q
        .query(
            sql!(
                "select c.id as contact_id, c.email, c.first_name, c.last_name, c.stage, o.name as company,
                     cast(null as text) as state, s.at
                 from form_submissions s
                 join contacts m on m.id = s.contact_id
                 join contacts c on c.id = coalesce(m.merged_into, m.id)
                 left join companies o on o.id = c.company_id
                 where s.form = $1 order by s.at desc, s.id limit $2"
            ),
            params![form, most],
        )
        .await?;
    somebody(&rows)
}

/// Who downloaded a file last, each time.
///
/// # Errors
/// As the store says.
pub async fn readers(q: &mut impl Queries, file: &str, most: i64) -> Result<Vec<Somebody>> {
    let rows = q
        .query(
            sql!(
                "select c.id as contact_id, c.email, c.first_name, c.last_name, c.stage, o.name as company,
                     cast(null as text) as state, a.at
                 from activities a
                 join contacts m on m.id = a.contact_id
                 join contacts c on c.id = coalesce(m.merged_into, m.id)
                 left join companies o on o.id = c.company_id
                 where a.kind = 'asset.downloaded' and a.subject = $1 order by a.at desc, a.id limit $2"
            ),
            params![file, most],
        )
        .await?;
    somebody(&rows)
}

/// Who registered for a webinar last, and what became of it; whoever is two contacts in one once.
///
/// # Errors
/// As the store says.
pub async fn registrants(q: &mut impl Queries, webinar: &str, most: i64) -> Result<Vec<Somebody>> {
    let rows = q
        .query(
            sql!(
                "select c.id as contact_id, c.email, c.first_name, c.last_name, c.stage, o.name as company,
                     r.state, r.registered_at as at
                 from (
                     select k.state, k.registered_at, coalesce(m.merged_into, m.id) as person, row_number() over (
                         partition by coalesce(m.merged_into, m.id)
                         order by case k.state when 'attended' then 0 when 'cancelled' then 2 else 1 end,
                             k.state_at desc, k.contact_id) as place
                     from webinar_registrations k join contacts m on m.id = k.contact_id
                     where k.webinar = $1
                 ) as r
                 join contacts c on c.id = r.person
                 left join companies o on o.id = c.company_id
                 where r.place = 1 order by r.registered_at desc, c.id limit $2"
            ),
            params![webinar, most],
        )
        .await?;
    somebody(&rows)
}

/// An offer and what became of its codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfferNumbers {
    pub offer: String,
    pub title: String,
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub quota: Option<i64>,
    pub taken: i64,
    pub used: i64,
}

/// Every offer.
///
/// # Errors
/// As the store says.
pub async fn offers(
    q: &mut impl Queries,
    names: &Names<'_>,
    offers: &offers::Definition,
) -> Result<Vec<OfferNumbers>> {
    let rows = q
        .query(
            sql!(
                "select offer, count(*) as taken, count(redeemed_at) as used from offer_claims group by offer"
            ),
            &[],
        )
        .await?;
    let mut counts: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for row in &rows {
        counts.insert(row.get("offer")?, (row.get("taken")?, row.get("used")?));
    }
    let told = offers.offers.iter().map(|offer| {
        let (taken, used) = counts.get(&offer.id).copied().unwrap_or_default();
        OfferNumbers {
            offer: offer.id.clone(),
            title: offer.title.get(names.language).to_owned(),
            from: offer.from,
            until: offer.until,
            quota: offer.quota,
            taken,
            used,
        }
    });
    Ok(told.collect())
}

fn in_order<T>(
    defined: impl Iterator<Item = String>,
    mut used: BTreeMap<String, T>,
    blank: impl Fn(String) -> T,
) -> Vec<T> {
    let mut list: Vec<T> = defined.map(|id| used.remove(&id).unwrap_or_else(|| blank(id))).collect();
    list.extend(used.into_values());
    list
}
