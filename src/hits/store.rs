//! The table of the hit log.

use serde_json::Value as Json;

use super::{Agent, Recorded, Source};
use crate::base::consent::Consent;
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::{Db, Queries, Row, Value};
use crate::{params, sql};

pub(super) async fn append(db: &Db, hits: Vec<Recorded>) -> Result<()> {
    let rows: Vec<Vec<Value>> = hits.into_iter().map(binds).collect();
    // The lock makes the order of the numbers the order of the commits, so that no reader passes over a late one.
    db.execute_many(
        "hits",
        sql!(
            "insert into hits (id, site, at, received_at, visitor_id, session_id, name, host, path, title, referrer,
                 channel, source, medium, campaign, country, device, browser, os, language, consent, bot_reason,
                 engaged_ms, scroll, props)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
                 $22, $23, $24, $25)
             on conflict (id) do nothing"
        ),
        rows,
    )
    .await
}

fn binds(hit: Recorded) -> Vec<Value> {
    vec![
        hit.id.into(),
        hit.site.into(),
        hit.at.into(),
        hit.received_at.into(),
        hit.visitor.into(),
        hit.session.into(),
        hit.name.into(),
        hit.host.into(),
        hit.path.into(),
        hit.title.into(),
        hit.referrer.into(),
        hit.source.channel.into(),
        hit.source.source.into(),
        hit.source.medium.into(),
        hit.source.campaign.into(),
        hit.country.into(),
        hit.agent.device.into(),
        hit.agent.browser.into(),
        hit.agent.os.into(),
        hit.language.into(),
        hit.consent.word().into(),
        hit.bot_reason.into(),
        hit.engaged_ms.into(),
        hit.scroll.into(),
        hit.props.into(),
    ]
}

/// The hits after `seq`, in order, at most `most`.
///
/// # Errors
/// As the store says.
pub async fn after(db: &Db, seq: i64, most: i64) -> Result<Vec<Recorded>> {
    let rows = db
        .read()
        .query(
            sql!(
                "select seq, id, site, at, received_at, visitor_id, session_id, name, host, path, title, referrer,
                     channel, source, medium, campaign, country, device, browser, os, language, consent, bot_reason,
                     engaged_ms, scroll, props
                 from hits where seq > $1 order by seq limit $2"
            ),
            params![seq, most],
        )
        .await?;
    rows.iter().map(recorded_of).collect()
}

/// When the newest hit of a site was received, if there is one.
///
/// # Errors
/// As the store says.
pub async fn newest(db: &Db, site: &str) -> Result<Option<Timestamp>> {
    let row = db
        .read()
        .query_opt(
            sql!("select received_at from hits where site = $1 order by seq desc limit 1"),
            params![site],
        )
        .await?;
    row.map(|row| row.get("received_at")).transpose()
}

fn recorded_of(row: &Row) -> Result<Recorded> {
    Ok(Recorded {
        seq: row.get("seq")?,
        id: row.get("id")?,
        site: row.get("site")?,
        at: row.get("at")?,
        received_at: row.get("received_at")?,
        visitor: row.get("visitor_id")?,
        session: row.get("session_id")?,
        name: row.get("name")?,
        host: row.get("host")?,
        path: row.get("path")?,
        title: row.get("title")?,
        referrer: row.get("referrer")?,
        source: Source {
            channel: channel_of(&row.get::<String>("channel")?),
            source: row.get("source")?,
            medium: row.get("medium")?,
            campaign: row.get("campaign")?,
        },
        country: row.get("country")?,
        agent: Agent { device: row.get("device")?, browser: row.get("browser")?, os: row.get("os")? },
        language: row.get("language")?,
        consent: Consent::of_word(&row.get::<String>("consent")?),
        bot_reason: row.get("bot_reason")?,
        engaged_ms: row.get("engaged_ms")?,
        scroll: row.get("scroll")?,
        props: row.json::<Json>("props")?,
    })
}

fn channel_of(word: &str) -> &'static str {
    const KNOWN: [&str; 9] =
        ["paid", "email", "social", "search", "assistant", "referral", "campaign", "direct", "internal"];
    KNOWN.into_iter().find(|known| *known == word).unwrap_or("direct")
}
