//! The tables of deals.

use super::{Deal, Milestone, NewDeal, Person, Reached, Role, Status};
use crate::base::ids::{CompanyId, ContactId, DealId};
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::{Queries, Row, Tx};
use crate::storage::personal::Personal;
use crate::{params, sql};

/// What these tables hold about people.
pub const PERSONAL: &[Personal] = &[Personal {
    table: "deal_people",
    export: Some(sql!(
        "select d.name, d.status, p.role, p.at from deal_people p join deals d on d.id = p.deal_id
         where p.contact_id in (select own_id from contact_ids where contact_id = $1)"
    )),
    erase: Some(sql!(
        "delete from deal_people where contact_id in (select own_id from contact_ids where contact_id = $1)"
    )),
    because: "the deal is the company's and stays",
}];

fn deal_of(row: &Row) -> Result<Deal> {
    Ok(Deal {
        id: row.get("id")?,
        company: row.get("company_id")?,
        name: row.get("name")?,
        amount: row.get("amount")?,
        currency: row.get("currency")?,
        status: Status::of_word(&row.get::<String>("status")?),
        reason: row.get("reason")?,
        owner: row.get("owner_id")?,
        opened_at: row.get("opened_at")?,
        closed_at: row.get("closed_at")?,
        kickoff_at: row.get("kickoff_at")?,
        live_at: row.get("live_at")?,
    })
}

/// The deal of this id.
///
/// # Errors
/// As the store says.
pub async fn find(q: &mut impl Queries, id: DealId) -> Result<Option<Deal>> {
    let row = q
        .query_opt(
            sql!(
                "select id, company_id, name, amount, currency, status, reason, owner_id, opened_at, closed_at,
                     kickoff_at, live_at
                 from deals where id = $1"
            ),
            params![id],
        )
        .await?;
    row.as_ref().map(deal_of).transpose()
}

/// A company's deals, the latest first.
///
/// # Errors
/// As the store says.
pub async fn of_company(q: &mut impl Queries, company: CompanyId) -> Result<Vec<Deal>> {
    let rows = q
        .query(
            sql!(
                "select id, company_id, name, amount, currency, status, reason, owner_id, opened_at, closed_at,
                     kickoff_at, live_at
                 from deals where company_id = $1 order by opened_at desc, id desc limit 200"
            ),
            params![company],
        )
        .await?;
    rows.iter().map(deal_of).collect()
}

/// The deals that somebody has a part in, the latest first.
///
/// # Errors
/// As the store says.
pub async fn of_contact(q: &mut impl Queries, contact: ContactId) -> Result<Vec<Deal>> {
    let rows = q
        .query(
            sql!(
                "select d.id, d.company_id, d.name, d.amount, d.currency, d.status, d.reason, d.owner_id,
                     d.opened_at, d.closed_at, d.kickoff_at, d.live_at
                 from deals d join deal_people p on p.deal_id = d.id
                 where p.contact_id in (select own_id from contact_ids where contact_id = $1)
                 order by d.opened_at desc, d.id desc limit 200"
            ),
            params![contact],
        )
        .await?;
    rows.iter().map(deal_of).collect()
}

/// How many deals a company has won.
///
/// # Errors
/// As the store says.
pub async fn count_won(q: &mut impl Queries, company: CompanyId) -> Result<i64> {
    let row = q
        .query_opt(
            sql!("select count(*) as n from deals where company_id = $1 and status = 'won'"),
            params![company],
        )
        .await?;
    row.map_or(Ok(0), |row| row.get("n"))
}

/// Who has a part in a deal, in the order in which they came to it.
///
/// # Errors
/// As the store says.
pub async fn people(q: &mut impl Queries, id: DealId) -> Result<Vec<Person>> {
    let rows = q
        .query(
            sql!(
                "select p.contact_id, c.email, p.role from deal_people p
                 join contacts c on c.id = p.contact_id
                 where p.deal_id = $1 order by p.at, p.contact_id"
            ),
            params![id],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let role = Role::of_word(&row.get::<String>("role")?);
            Ok(Person { contact: row.get("contact_id")?, email: row.get("email")?, role })
        })
        .collect()
}

/// The milestones that a deal has come by, in their order.
///
/// # Errors
/// As the store says.
pub async fn milestones(q: &mut impl Queries, id: DealId) -> Result<Vec<Reached>> {
    let rows = q
        .query(sql!("select milestone, at, actor from deal_milestones where deal_id = $1"), params![id])
        .await?;
    let mut reached = Vec::new();
    for row in &rows {
        if let Some(milestone) = Milestone::of_word(&row.get::<String>("milestone")?) {
            reached.push(Reached { milestone, at: row.get("at")?, actor: row.get("actor")? });
        }
    }
    reached.sort_by_key(|reached| reached.milestone);
    Ok(reached)
}

pub(super) async fn put_milestone(
    tx: &mut Tx,
    id: DealId,
    milestone: Milestone,
    actor: &str,
    at: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!("insert into deal_milestones (deal_id, milestone, at, actor) values ($1, $2, $3, $4)"),
        params![id, milestone.word(), at, actor],
    )
    .await?;
    Ok(())
}

pub(super) async fn insert(tx: &mut Tx, new: &NewDeal<'_>, now: Timestamp) -> Result<DealId> {
    let id = DealId::new();
    tx.execute(
        sql!(
            "insert into deals (id, company_id, name, amount, currency, status, owner_id, opened_at)
             values ($1, $2, $3, $4, $5, 'open', $6, $7)"
        ),
        params![id, new.company, new.name.trim(), new.amount, new.currency, new.owner, now],
    )
    .await?;
    Ok(id)
}

pub(super) async fn update(tx: &mut Tx, deal: &Deal) -> Result<()> {
    tx.execute(
        sql!(
            "update deals set name = $2, amount = $3, currency = $4, owner_id = $5, kickoff_at = $6, live_at = $7
             where id = $1"
        ),
        params![
            deal.id,
            deal.name.trim(),
            deal.amount,
            &deal.currency,
            deal.owner,
            deal.kickoff_at,
            deal.live_at
        ],
    )
    .await?;
    Ok(())
}

pub(super) async fn close(
    tx: &mut Tx,
    id: DealId,
    status: Status,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!("update deals set status = $2, reason = $3, closed_at = $4 where id = $1"),
        params![id, status.word(), reason, now],
    )
    .await?;
    Ok(())
}

pub(super) async fn put_person(
    tx: &mut Tx,
    id: DealId,
    contact: ContactId,
    role: Role,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into deal_people (deal_id, contact_id, role, at) values ($1, $2, $3, $4)
             on conflict (deal_id, contact_id) do update set role = excluded.role"
        ),
        params![id, contact, role.word(), now],
    )
    .await?;
    Ok(())
}

pub(super) async fn remove_person(tx: &mut Tx, id: DealId, contact: ContactId) -> Result<()> {
    tx.execute(sql!("delete from deal_people where deal_id = $1 and contact_id = $2"), params![id, contact])
        .await?;
    Ok(())
}
