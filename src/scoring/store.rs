//! What scoring reads: the facts about a contact, and what she and her devices did.

use std::collections::BTreeMap;

use super::facts::{Activity, Facts};
use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::contacts;
use crate::storage::Result;
use crate::storage::db::{Queries, Row};
use crate::{params, sql};

/// The facts about a contact; nothing if there is no such contact. Suggestions are no facts.
///
/// # Errors
/// As the store says.
pub async fn facts(q: &mut impl Queries, contact: ContactId) -> Result<Option<Facts>> {
    let Some(known) = contacts::find(q, contact).await? else { return Ok(None) };
    let fields = contacts::fields(q, contact).await?;
    let current = fields.into_iter().filter(|field| !field.is_suggestion);
    let current = current.map(|field| (field.name, field.value)).collect();
    Ok(Some(Facts::of(&known.email, known.language.code(), &current)))
}

/// What a contact did since `from`, oldest first: her own activities, those of her devices from before she was known,
/// and her devices' visits as activities of the kind `visit`.
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
                 where contact_id = $1 and at > $2
                 union
                 select a.id, a.kind, a.subject, a.props, a.at from activities a
                 join visitors v on v.id = a.visitor_id
                 where v.contact_id = $1 and a.contact_id is null and a.at > $2"
            ),
            params![contact, from],
        )
        .await?;
    let mut activities = rows.iter().map(activity).collect::<Result<Vec<_>>>()?;
    let visits = q
        .query(
            sql!(
                "select s.id, s.entry_path, s.engaged_ms, s.pages, s.channel, s.country, s.started_at
                 from visits s
                 join visitors v on v.id = s.visitor_id
                 where v.contact_id = $1 and s.started_at > $2 and s.bot_reason is null"
            ),
            params![contact, from],
        )
        .await?;
    for row in &visits {
        activities.push(visit(row)?);
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

fn visit(row: &Row) -> Result<Activity> {
    let (engaged_ms, pages): (i64, i64) = (row.get("engaged_ms")?, row.get("pages")?);
    let (channel, country): (String, Option<String>) = (row.get("channel")?, row.get("country")?);
    Ok(Activity {
        id: row.get("id")?,
        kind: "visit".to_owned(),
        subject: row.get("entry_path")?,
        props: BTreeMap::from([
            ("engaged_ms".to_owned(), engaged_ms.into()),
            ("pages".to_owned(), pages.into()),
            ("channel".to_owned(), channel.into()),
            ("country".to_owned(), country.into()),
        ]),
        at: row.get("started_at")?,
    })
}
