//! The tables that the projection keeps: its cursor, visits, activities.

use crate::base::ids::SessionId;
use crate::contacts::Step;
use crate::hits::{self, Recorded};
use crate::storage::db::{Queries, Tx};
use crate::storage::{Error, Result};
use crate::{params, sql};

pub(super) async fn cursor(tx: &mut Tx, name: &str) -> Result<i64> {
    let row =
        tx.query_opt(sql!("select position from projection_cursors where name = $1"), params![name]).await?;
    row.map_or(Ok(0), |row| row.get("position"))
}

pub(super) async fn move_cursor(tx: &mut Tx, name: &str, position: i64) -> Result<()> {
    tx.execute(
        sql!(
            "insert into projection_cursors (name, position) values ($1, $2)
             on conflict (name) do update set position = excluded.position"
        ),
        params![name, position],
    )
    .await?;
    Ok(())
}

/// The trail of a visit that is known.
pub(super) async fn visit(tx: &mut Tx, id: SessionId) -> Result<Option<Vec<Step>>> {
    let row = tx.query_opt(sql!("select trail from visits where id = $1"), params![id]).await?;
    row.map(|row| row.json("trail")).transpose()
}

fn text_of(trail: &[Step]) -> Result<String> {
    serde_json::to_string(trail).map_err(|error| Error::Engine(error.to_string()))
}

pub(super) async fn open_visit(tx: &mut Tx, hit: &Recorded, trail: &[Step]) -> Result<()> {
    let referrer_host = hit
        .referrer
        .as_deref()
        .and_then(|referrer| url::Url::parse(referrer).ok())
        .and_then(|referrer| referrer.host_str().map(str::to_owned));
    tx.execute(
        sql!(
            "insert into visits (id, site, visitor_id, consent, started_at, last_at, hits, pages, engaged_ms,
                 entry_path, exit_path, trail, channel, source, medium, campaign, referrer_host, country, device,
                 browser, os, bot_reason)
             values ($1, $2, $3, $4, $5, $5, 1, $6, $7, $8, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)"
        ),
        params![
            hit.session,
            hit.site.as_str(),
            hit.visitor,
            hit.consent.word(),
            hit.at,
            hit.name == hits::PAGE,
            hit.engaged_ms,
            hit.path.as_str(),
            text_of(trail)?,
            hit.source.channel.word(),
            hit.source.source.as_deref(),
            hit.source.medium.as_deref(),
            hit.source.campaign.as_deref(),
            referrer_host,
            hit.country.as_deref(),
            hit.agent.device.as_str(),
            hit.agent.browser.as_str(),
            hit.agent.os.as_str(),
            hit.bot_reason.as_deref(),
        ],
    )
    .await?;
    Ok(())
}

pub(super) async fn extend_visit(tx: &mut Tx, hit: &Recorded, trail: &[Step]) -> Result<()> {
    let is_page = hit.name == hits::PAGE;
    tx.execute(
        sql!(
            "update visits set
                 last_at = case when $2 > last_at then $2 else last_at end,
                 hits = hits + 1,
                 pages = pages + $3,
                 engaged_ms = engaged_ms + $4,
                 entry_path = case when $3 = 1 and pages = 0 then $5 else entry_path end,
                 exit_path = case when $3 = 1 then $5 else exit_path end,
                 trail = $6
             where id = $1"
        ),
        params![hit.session, hit.at, is_page, hit.engaged_ms, hit.path.as_str(), text_of(trail)?],
    )
    .await?;
    Ok(())
}

/// The hit's own id is the activity's, so that a second projection of it would be refused.
pub(super) async fn insert_activity(tx: &mut Tx, hit: &Recorded) -> Result<()> {
    tx.execute(
        sql!(
            "insert into activities (id, contact_id, visitor_id, kind, subject, props, at)
             values ($1, null, $2, $3, $4, $5, $6) on conflict (id) do nothing"
        ),
        params![
            hit.id,
            hit.visitor,
            hit.name.as_str(),
            hit.path.as_str(),
            hit.props.as_deref().unwrap_or("{}"),
            hit.at
        ],
    )
    .await?;
    Ok(())
}
