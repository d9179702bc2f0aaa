//! What scoring reads: the facts about a contact, and what she and her devices did.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::definition::Reading;
use super::facts::{Activity, Facts};
use super::titles::Titles;
use crate::base::ids::{ActivityId, ContactId};
use crate::base::time::Timestamp;
use crate::companies;
use crate::contacts;
use crate::hits;
use crate::storage::db::{Queries, Row};
use crate::storage::{Error, Result};
use crate::{params, sql};

/// Visits that scoring remembers.
const VISITS_MOST: i64 = 500;

/// The facts about a contact; nothing if there is no such contact. Suggestions are no facts.
///
/// # Errors
/// As the store says.
pub async fn facts(q: &mut impl Queries, contact: ContactId, titles: &Arc<Titles>) -> Result<Option<Facts>> {
    facts_as_of(q, contact, &Reading { titles: titles.clone(), ..Reading::default() }, Timestamp(i64::MAX))
        .await
}

/// The facts as of `now`: those that were written by then and are not older than `reading` allows.
///
/// Of a field that was written again later the earlier value is not kept: it counts as unknown before.
///
/// # Errors
/// As the store says.
pub async fn facts_as_of(
    q: &mut impl Queries,
    contact: ContactId,
    reading: &Reading,
    now: Timestamp,
) -> Result<Option<Facts>> {
    let Some(known) = contacts::find(q, contact).await? else { return Ok(None) };
    let fields = contacts::fields(q, contact).await?;
    let is_fresh = |name: &str, at: Timestamp| {
        reading.stale_after_ms.get(name).is_none_or(|after| now.since_ms(at) < *after)
    };
    let current = fields.into_iter().filter(|field| !field.is_suggestion && field.at <= now);
    let current = current.filter(|field| is_fresh(&field.name, field.at));
    let current = current.map(|field| (field.name, field.value)).collect();
    let facts = Facts::read(&known.email, known.language.code(), &current, &reading.titles);
    let profiling_off = contacts::objects_to_profiling(q, contact).await?;
    let facts = Facts { profiling_off, ..facts };
    let Some(company) = known.company else { return Ok(Some(facts)) };
    let has_bought = q
        .query_opt(
            sql!("select id from deals where company_id = $1 and closed_at <= $2 and status = 'won' limit 1"),
            params![company, now],
        )
        .await?
        .is_some();
    Ok(Some(match companies::find(q, company).await? {
        Some(company) => facts.of_company(&company, has_bought),
        None => facts,
    }))
}

/// What a contact did since `from`, oldest first: her own activities, those of her devices from before she was known,
/// and her devices' visits as activities of the kinds `visit` and `page`.
///
/// Devices without consent have no visitor id that could lead here.
///
/// # Errors
/// As the store says.
pub async fn activities(q: &mut impl Queries, contact: ContactId, from: Timestamp) -> Result<Vec<Activity>> {
    let rows = q
        .query(
            sql!(
                "select id, kind, subject, props, at from activities
                 where contact_id in (select own_id from contact_ids where contact_id = $1) and at > $2
                 union all
                 select a.id, a.kind, a.subject, a.props, a.at from activities a
                 join visitors v on v.id = a.visitor_id
                 where v.contact_id in (select own_id from contact_ids where contact_id = $1)
                     and a.contact_id is null and a.at > $2"
            ),
            params![contact, from],
        )
        .await?;
    let mut activities = rows.iter().map(activity).collect::<Result<Vec<_>>>()?;
    for seen in contacts::visits(q, contact, Timestamp(i64::MAX), VISITS_MOST).await? {
        if seen.is_bot || seen.started_at <= from {
            continue;
        }
        activities.extend(seen.trail.iter().filter(|step| step.at > from).map(page));
        activities.push(visit(seen));
    }
    activities.sort_by_key(|activity| (activity.at, activity.id));
    Ok(activities)
}

/// What all contacts after the first up to the second did since `from`, as [`activities`] has it, in no order; only of the
/// kinds that `wanted` names.
///
/// # Errors
/// As the store says.
pub async fn activities_between<Q: Queries>(
    q: &mut Q,
    (after, last): (ContactId, ContactId),
    from: Timestamp,
    wanted: &(dyn Fn(&str) -> bool + Sync),
    words: &mut contacts::Texts,
    mut each: impl FnMut(ContactId, Activity) + Send,
) -> Result<()> {
    let own = q
        .query(
            sql!(
                "select id, kind, subject, props, at, contact_id from activities
                 where contact_id > $1 and contact_id <= $2 and at > $3"
            ),
            params![after, last, from],
        )
        .await?;
    let of_devices = q
        .query(
            sql!(
                "select a.id, a.kind, a.subject, a.props, a.at, v.contact_id
                 from visitors v join activities a on a.visitor_id = v.id
                 where v.contact_id > $1 and v.contact_id <= $2 and a.contact_id is null and a.at > $3"
            ),
            params![after, last, from],
        )
        .await?;
    for row in own.iter().chain(&of_devices) {
        // Most of a life is of no interest to any rule, and costs no more than a look at its kind.
        if wanted(row.text(1)?) {
            each(row.at(5)?, activity(row)?);
        }
    }
    let (wants_visits, wants_pages) = (wanted("visit"), wanted(hits::PAGE));
    contacts::visits_between(q, (after, last), from, words, |contact, seen| {
        if !seen.is_bot {
            for step in seen.trail.iter().filter(|step| wants_pages && step.at > from) {
                each(contact, page(step));
            }
            if wants_visits {
                each(contact, visit(seen));
            }
        }
    })
    .await
}

fn activity(row: &Row) -> Result<Activity> {
    Ok(Activity {
        id: row.at(0)?,
        kind: row.text(1)?.to_owned(),
        subject: row.at(2)?,
        props: props(row.text(3)?)?,
        at: row.at(4)?,
        tag: None,
    })
}

/// Most have none: no parser is asked then.
fn props(text: &str) -> Result<BTreeMap<String, serde_json::Value>> {
    if text == "{}" {
        return Ok(BTreeMap::new());
    }
    serde_json::from_str(text)
        .map_err(|_| Error::Shape { column: "props".to_owned(), wanted: "a JSON object" })
}

fn visit(seen: contacts::Visit) -> Activity {
    let region = region(&seen);
    Activity {
        id: ActivityId::from_uuid(seen.id.uuid()),
        kind: "visit".to_owned(),
        subject: Some(seen.entry_path),
        props: BTreeMap::from([
            ("engaged_ms".to_owned(), seen.engaged_ms.into()),
            ("pages".to_owned(), seen.pages.into()),
            ("channel".to_owned(), seen.channel.into()),
            ("region".to_owned(), region.into()),
            ("country".to_owned(), seen.country.into()),
        ]),
        at: seen.started_at,
        tag: None,
    }
}

/// Where in a country somebody was, by ISO 3166-2.
fn region(seen: &contacts::Visit) -> Option<String> {
    Some(format!("{}-{}", seen.country.as_ref()?, seen.region.as_ref()?))
}

/// A page view; its id is made of its moment and its row, so that it is the same whenever it is read.
fn page(step: &contacts::Step) -> Activity {
    let at = u64::try_from(step.at.as_ms()).unwrap_or_default();
    let row = u64::try_from(step.seq).unwrap_or_default();
    Activity {
        id: ActivityId::from_uuid(uuid::Uuid::from_u64_pair(at << 16, row)),
        kind: hits::PAGE.to_owned(),
        subject: Some(step.path.clone()),
        props: BTreeMap::new(),
        at: step.at,
        tag: None,
    }
}
