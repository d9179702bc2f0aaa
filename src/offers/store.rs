//! The table of codes that were given.

use serde::Serialize;

use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::{Queries, Row, Tx};
use crate::storage::personal::Personal;
use crate::{params, sql};

/// What these tables hold about people.
pub const PERSONAL: &[Personal] = &[Personal {
    table: "offer_claims",
    export: Some(sql!(
        "select offer, code, claimed_at, expires_at, redeemed_at from offer_claims
         where contact_id in (select own_id from contact_ids where contact_id = $1)"
    )),
    erase: Some(sql!(
        "delete from offer_claims where contact_id in (select own_id from contact_ids where contact_id = $1)"
    )),
    because: "",
}];

/// Somebody took an offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// What it can be used by.
    pub code: String,
    /// The offer.
    pub offer: String,
    /// Who took it.
    pub contact: ContactId,
    /// When.
    pub claimed_at: Timestamp,
    /// Until when the code is good.
    pub expires_at: Option<Timestamp>,
    /// When it was used.
    pub redeemed_at: Option<Timestamp>,
}

fn claim(row: &Row) -> Result<Claim> {
    Ok(Claim {
        code: row.get("code")?,
        offer: row.get("offer")?,
        contact: row.get("contact_id")?,
        claimed_at: row.get("claimed_at")?,
        expires_at: row.get("expires_at")?,
        redeemed_at: row.get("redeemed_at")?,
    })
}

/// How many have taken an offer.
///
/// # Errors
/// As the store says.
pub async fn taken(q: &mut impl Queries, offer: &str) -> Result<i64> {
    let row =
        q.query_opt(sql!("select count(*) as n from offer_claims where offer = $1"), params![offer]).await?;
    row.map_or(Ok(0), |row| row.get("n"))
}

/// What somebody has taken, the latest first.
///
/// # Errors
/// As the store says.
pub async fn claims_of(q: &mut impl Queries, contact: ContactId) -> Result<Vec<Claim>> {
    let rows = q
        .query(
            sql!(
                "select code, offer, contact_id, claimed_at, expires_at, redeemed_at from offer_claims
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                 order by claimed_at desc, code"
            ),
            params![contact],
        )
        .await?;
    rows.iter().map(claim).collect()
}

pub(super) async fn claim_of(q: &mut impl Queries, offer: &str, contact: ContactId) -> Result<Option<Claim>> {
    let row = q
        .query_opt(
            sql!(
                "select code, offer, contact_id, claimed_at, expires_at, redeemed_at from offer_claims
                 where offer = $1 and contact_id in (select own_id from contact_ids where contact_id = $2)
                 order by claimed_at limit 1"
            ),
            params![offer, contact],
        )
        .await?;
    row.as_ref().map(claim).transpose()
}

pub(super) async fn claim_of_code(q: &mut impl Queries, code: &str) -> Result<Option<Claim>> {
    let row = q
        .query_opt(
            sql!(
                "select code, offer, contact_id, claimed_at, expires_at, redeemed_at from offer_claims
                 where code = $1"
            ),
            params![code],
        )
        .await?;
    row.as_ref().map(claim).transpose()
}

/// Whether a person has used a code of an offer, under any of her ids.
pub(super) async fn has_used(q: &mut impl Queries, offer: &str, contact: ContactId) -> Result<bool> {
    let row = q
        .query_opt(
            sql!(
                "select 1 as one from offer_claims
                 where offer = $1 and redeemed_at is not null and contact_id in (
                     select own_id from contact_ids
                     where contact_id = (select coalesce(merged_into, id) from contacts where id = $2))
                 limit 1"
            ),
            params![offer, contact],
        )
        .await?;
    Ok(row.is_some())
}

pub(super) async fn insert(tx: &mut Tx, claim: &Claim) -> Result<()> {
    tx.execute(
        sql!(
            "insert into offer_claims (code, offer, contact_id, claimed_at, expires_at)
             values ($1, $2, $3, $4, $5)"
        ),
        params![&claim.code, &claim.offer, claim.contact, claim.claimed_at, claim.expires_at],
    )
    .await?;
    Ok(())
}

pub(super) async fn redeem(tx: &mut Tx, code: &str, now: Timestamp) -> Result<()> {
    tx.execute(sql!("update offer_claims set redeemed_at = $2 where code = $1"), params![code, now]).await?;
    Ok(())
}

/// Contacts in a stage and in a segment, the newest first; an empty name stands for any.
pub(super) async fn in_both(
    q: &mut impl Queries,
    stage: &str,
    segment: &str,
    most: i64,
) -> Result<Vec<ContactId>> {
    let rows = q
        .query(
            sql!(
                "select c.id from contacts c
                 where c.merged_into is null and ($1 = '' or c.stage = $1)
                     and ($2 = '' or exists (
                         select 1 from segment_states s
                         where s.contact_id = c.id and s.segment = $2 and s.is_member = 1))
                 order by c.id desc limit $3"
            ),
            params![stage, segment, most],
        )
        .await?;
    rows.iter().map(|row| row.get("id")).collect()
}

/// What became of an offer's codes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Standing {
    pub taken: i64,
    pub used: i64,
    /// Not used, and good no more.
    pub expired: i64,
}

/// What became of an offer's codes.
///
/// # Errors
/// As the store says.
pub async fn standing(q: &mut impl Queries, offer: &str, now: Timestamp) -> Result<Standing> {
    let row = q
        .query_opt(
            sql!(
                "select count(*) as taken, count(redeemed_at) as used,
                     count(case when redeemed_at is null and expires_at <= $2 then 1 end) as expired
                 from offer_claims where offer = $1"
            ),
            params![offer, now],
        )
        .await?;
    row.map_or(Ok(Standing::default()), |row| {
        Ok(Standing { taken: row.get("taken")?, used: row.get("used")?, expired: row.get("expired")? })
    })
}

/// Who took an offer last.
///
/// # Errors
/// As the store says.
pub async fn latest(q: &mut impl Queries, offer: &str, most: i64) -> Result<Vec<Claim>> {
    let rows = q
        .query(
            sql!(
                "select code, offer, contact_id, claimed_at, expires_at, redeemed_at from offer_claims
                 where offer = $1 order by claimed_at desc, code limit $2"
            ),
            params![offer, most],
        )
        .await?;
    rows.iter().map(claim).collect()
}
