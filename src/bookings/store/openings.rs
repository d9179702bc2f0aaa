//! Who waits for a time to be free at all.

use std::collections::BTreeSet;

use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::bookings::openings::Wish;
use crate::storage::Result;
use crate::storage::db::{Queries, Row, Tx};
use crate::{params, sql};

/// Notes a wish; one that stands, and is not older than `stands_since`, keeps its place.
pub async fn ask(tx: &mut Tx, wish: &Wish, stands_since: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "insert into opening_wishes (meeting, contact_id, time_zone, language, created_at, unfit)
             values ($1, $2, $3, $4, $5, $7)
             on conflict (meeting, contact_id) do update
             set time_zone = excluded.time_zone, language = excluded.language, unfit = excluded.unfit,
                 created_at = case
                     when opening_wishes.told_at is null and opening_wishes.created_at > $6
                         then opening_wishes.created_at
                     else excluded.created_at end,
                 told_at = null"
        ),
        params![
            &wish.meeting,
            wish.contact,
            &wish.time_zone,
            wish.language.code(),
            wish.since,
            stands_since,
            (!wish.unfit.is_empty()).then(|| serde_json::json!(wish.unfit).to_string()),
        ],
    )
    .await?;
    Ok(())
}

pub async fn find(q: &mut impl Queries, meeting: &str, contact: ContactId) -> Result<Option<Wish>> {
    let row = q
        .query_opt(
            sql!(
                "select meeting, contact_id, time_zone, language, created_at, unfit
                 from opening_wishes
                 where meeting = $1 and contact_id = $2"
            ),
            params![meeting, contact],
        )
        .await?;
    row.as_ref().map(wish).transpose()
}

/// Those who were not told, whoever asked first first.
pub async fn waiting(q: &mut impl Queries, meeting: &str, since: Timestamp) -> Result<Vec<Wish>> {
    let rows = q
        .query(
            sql!(
                "select meeting, contact_id, time_zone, language, created_at, unfit
                 from opening_wishes
                 where meeting = $1 and told_at is null and created_at > $2
                 order by created_at, contact_id"
            ),
            params![meeting, since],
        )
        .await?;
    rows.iter().map(wish).collect()
}

/// How many were told since then.
pub async fn told_since(q: &mut impl Queries, meeting: &str, since: Timestamp) -> Result<i64> {
    let row = q
        .query_opt(
            sql!("select count(*) as told from opening_wishes where meeting = $1 and told_at > $2"),
            params![meeting, since],
        )
        .await?;
    row.map_or(Ok(0), |row| row.get("told"))
}

pub async fn tell(tx: &mut Tx, wish: &Wish, now: Timestamp) -> Result<bool> {
    let told = tx
        .execute(
            sql!(
                "update opening_wishes set told_at = $4
                 where meeting = $1 and contact_id = $2 and created_at = $3 and told_at is null"
            ),
            params![&wish.meeting, wish.contact, wish.since, now],
        )
        .await?;
    Ok(told > 0)
}

pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    tx.execute(sql!("delete from opening_wishes where created_at <= $1"), params![before]).await
}

fn wish(row: &Row) -> Result<Wish> {
    Ok(Wish {
        meeting: row.get("meeting")?,
        contact: row.get("contact_id")?,
        time_zone: row.get("time_zone")?,
        language: row.get("language")?,
        since: row.get("created_at")?,
        unfit: match row.get::<Option<String>>("unfit")? {
            Some(_) => row.json("unfit")?,
            None => BTreeSet::new(),
        },
    })
}
