//! What the team's file said of reps and of kinds of meetings, for as long as calls need it; and the calls that lie ahead.

use crate::base::email::Email;
use crate::base::time::Timestamp;
use crate::bookings::former::{Ahead, Thing};
use crate::storage::Result;
use crate::storage::db::{Queries, Row, Tx};
use crate::{params, sql};

/// Writes down what the file says of one of them; nothing is written if that is known.
pub async fn remember(
    tx: &mut Tx,
    (thing, id): (Thing, &str),
    email: Option<&Email>,
    known: &str,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into team_known (kind, id, email, known, seen_at)
             values ($1, $2, $3, $4, $5)
             on conflict (kind, id) do update
             set email = excluded.email, known = excluded.known, seen_at = excluded.seen_at
             where team_known.known <> excluded.known or team_known.email <> excluded.email"
        ),
        params![thing.word(), id, email.map(Email::as_str), known, now],
    )
    .await?;
    Ok(())
}

/// The ids of those that are known.
pub async fn known(q: &mut impl Queries, thing: Thing) -> Result<Vec<String>> {
    let rows =
        q.query(sql!("select id from team_known where kind = $1 order by id"), params![thing.word()]).await?;
    rows.iter().map(|row| row.get("id")).collect()
}

/// Lets go of what is known of one, if no call that began after `since` needs it.
pub async fn forget(tx: &mut Tx, (thing, id): (Thing, &str), since: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "delete from team_known
             where kind = $1 and id = $2 and not exists (
                 select 1 from bookings b
                 where b.ends_at > $3 and b.state in ('confirmed', 'cancelled')
                     and (($1 = 'rep' and b.rep = $2) or ($1 = 'meeting' and b.meeting = $2)))"
        ),
        params![thing.word(), id, since],
    )
    .await?;
    Ok(())
}

/// What is known of one, as it was written.
pub async fn find(q: &mut impl Queries, (thing, id): (Thing, &str)) -> Result<Option<String>> {
    let row = q
        .query_opt(
            sql!("select known from team_known where kind = $1 and id = $2"),
            params![thing.word(), id],
        )
        .await?;
    row.map(|row| row.get("known")).transpose()
}

/// The rep who is written to at this address, or was.
pub async fn rep_at(q: &mut impl Queries, email: &Email) -> Result<Option<String>> {
    let row = q
        .query_opt(
            sql!("select id from team_known where kind = 'rep' and email = $1 order by seen_at desc, id limit 1"),
            params![email.as_str()],
        )
        .await?;
    row.map(|row| row.get("id")).transpose()
}

/// The calls that lie ahead, the earliest first, and who holds which.
pub async fn ahead(q: &mut impl Queries, now: Timestamp) -> Result<Vec<Ahead>> {
    let rows = q
        .query(
            sql!(
                "select id, meeting, rep, companion, starts_at
                 from bookings
                 where state = 'confirmed' and starts_at > $1 and companion_of is null
                 order by starts_at, id"
            ),
            params![now],
        )
        .await?;
    let ahead = |row: &Row| -> Result<Ahead> {
        Ok(Ahead {
            booking: row.get("id")?,
            meeting: row.get("meeting")?,
            rep: row.get("rep")?,
            companion: row.get("companion")?,
            starts_at: row.get("starts_at")?,
        })
    };
    rows.iter().map(ahead).collect()
}
