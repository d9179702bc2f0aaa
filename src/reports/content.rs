//! Forms, webinars and recordings with their numbers. Those of the definitions come first, in their order; what was
//! used and is defined no more follows.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Names;
use crate::base::time::{DAY_MS, Timestamp};
use crate::scoring::tags::{Level, Words};
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

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
                 from webinar_registrations group by webinar"
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

fn in_order<T>(
    defined: impl Iterator<Item = String>,
    mut used: BTreeMap<String, T>,
    blank: impl Fn(String) -> T,
) -> Vec<T> {
    let mut list: Vec<T> = defined.map(|id| used.remove(&id).unwrap_or_else(|| blank(id))).collect();
    list.extend(used.into_values());
    list
}
