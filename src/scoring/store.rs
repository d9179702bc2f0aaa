//! What scoring reads: the facts about a contact, and what she and her devices did.

use std::collections::BTreeMap;

use super::facts::{Activity, Facts};
use crate::base::ids::{ActivityId, ContactId};
use crate::base::time::Timestamp;
use crate::companies;
use crate::contacts;
use crate::hits;
use crate::storage::Result;
use crate::storage::db::{Queries, Row};
use crate::{params, sql};

/// Visits that scoring remembers.
const VISITS_MOST: i64 = 500;

/// The facts about a contact; nothing if there is no such contact. Suggestions are no facts.
///
/// # Errors
/// As the store says.
pub async fn facts(q: &mut impl Queries, contact: ContactId) -> Result<Option<Facts>> {
    let Some(known) = contacts::find(q, contact).await? else { return Ok(None) };
    let fields = contacts::fields(q, contact).await?;
    let current = fields.into_iter().filter(|field| !field.is_suggestion);
    let current = current.map(|field| (field.name, field.value)).collect();
    let facts = Facts::of(&known.email, known.language.code(), &current);
    let profiling_off = contacts::objects_to_profiling(q, contact).await?;
    let facts = Facts { profiling_off, ..facts };
    let Some(company) = known.company else { return Ok(Some(facts)) };
    let has_bought = q
        .query_opt(
            sql!("select id from deals where company_id = $1 and status = 'won' limit 1"),
            params![company],
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
                 union
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

fn activity(row: &Row) -> Result<Activity> {
    Ok(Activity {
        id: row.get("id")?,
        kind: row.get("kind")?,
        subject: row.get("subject")?,
        props: row.json("props")?,
        at: row.get("at")?,
    })
}

fn visit(seen: contacts::Visit) -> Activity {
    Activity {
        id: ActivityId::from_uuid(seen.id.uuid()),
        kind: "visit".to_owned(),
        subject: Some(seen.entry_path),
        props: BTreeMap::from([
            ("engaged_ms".to_owned(), seen.engaged_ms.into()),
            ("pages".to_owned(), seen.pages.into()),
            ("channel".to_owned(), seen.channel.into()),
            ("country".to_owned(), seen.country.into()),
        ]),
        at: seen.started_at,
    }
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
    }
}
