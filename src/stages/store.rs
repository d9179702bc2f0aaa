//! The history of stages: append only, but for the end of an interval.

use std::collections::BTreeMap;

use super::due::{Due, What};
use super::track::Step;
use super::trial::{Case, Fact, Reached, Workplace};
use super::versions::{Activation, Approval, Proposal, Reevaluate};
use super::{Actor, Definition, Grounds, Move};
use crate::base::email::Email;
use crate::base::ids::{AccountId, CompanyId, ContactId, new_key};
use crate::base::time::Timestamp;
use crate::scoring::facts::Company;
use crate::storage::db::{Queries, Row, Tx};
use crate::storage::personal::Personal;
use crate::storage::{Error, Result};
use crate::{params, sql};

/// What these tables hold about people.
pub const PERSONAL: &[Personal] = &[
    Personal {
        table: "stage_intervals",
        export: Some(sql!(
            "select journey, stage, entered_at, left_at, actor, rule, reason, evidence from stage_intervals
             where contact_id in (select own_id from contact_ids where contact_id = $1)
             order by entered_at"
        )),
        erase: Some(sql!(
            "delete from stage_intervals where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "",
    },
    Personal {
        table: "post_sale_intervals",
        export: Some(sql!(
            "select state, entered_at, left_at, actor, rule, reason, evidence from post_sale_intervals
             where contact_id in (select own_id from contact_ids where contact_id = $1)
             order by entered_at"
        )),
        erase: Some(sql!(
            "delete from post_sale_intervals
             where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "",
    },
    Personal {
        table: "lifecycle_due",
        export: None,
        erase: Some(sql!(
            "delete from lifecycle_due where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "only when she is to be looked at again",
    },
    Personal {
        table: "lifecycle_trial_people",
        export: None,
        erase: Some(sql!(
            "delete from lifecycle_trial_people
             where contact_id in (select own_id from contact_ids where contact_id = $1)"
        )),
        because: "what a definition that was only tried would have made of her",
    },
];

/// One interval of a contact's history.
#[derive(Debug, Clone, PartialEq)]
pub struct Interval {
    /// Its id.
    pub id: String,
    /// The journey it belongs to, from 1.
    pub journey: i64,
    /// The stage.
    pub stage: String,
    /// From.
    pub entered_at: Timestamp,
    /// To, if it is over.
    pub left_at: Option<Timestamp>,
    /// `rule`, `account:ID` or `api`.
    pub actor: String,
    /// The clause or way back; `start` for the first, `skipped` for stages that were passed.
    pub rule: String,
    /// The reason that a person gave.
    pub reason: Option<String>,
    /// The version of the lifecycle that moved the contact.
    pub lifecycle_hash: String,
    /// What the rule saw.
    pub grounds: Grounds,
}

/// What stages know of a contact.
#[derive(Debug, Clone)]
pub struct Known {
    /// Her address.
    pub email: String,
    /// The stage, as the contact's row repeats it.
    pub stage: String,
    /// When she or one of her devices was first seen.
    pub first_seen_at: Timestamp,
}

pub(super) async fn contact(q: &mut impl Queries, contact: ContactId) -> Result<Option<Known>> {
    let row = q
        .query_opt(
            sql!(
                "select c.email, c.stage, c.created_at,
                     (select min(v.first_seen_at) from visitors v
                          where v.contact_id in (select own_id from contact_ids where contact_id = c.id)) as first_seen_at,
                     (select min(s.started_at) from visits s join visitors v on v.id = s.visitor
                          where v.contact_id in (select own_id from contact_ids where contact_id = c.id)
                              and s.consent > 0) as first_visit_at
                 from contacts c where c.id = $1"
            ),
            params![contact],
        )
        .await?;
    row.map(|row| {
        let created: Timestamp = row.get("created_at")?;
        let seen: [Option<Timestamp>; 2] = [row.get("first_seen_at")?, row.get("first_visit_at")?];
        Ok(Known {
            email: row.get("email")?,
            stage: row.get("stage")?,
            first_seen_at: seen.into_iter().flatten().fold(created, Timestamp::min),
        })
    })
    .transpose()
}

/// Whether something was ever recorded of a contact.
pub(super) async fn has_done(q: &mut impl Queries, contact: ContactId, kind: &str) -> Result<bool> {
    let row = q
        .query_opt(
            sql!(
                "select id from activities
                 where contact_id in (select own_id from contact_ids where contact_id = $1) and kind = $2 limit 1"
            ),
            params![contact, kind],
        )
        .await?;
    Ok(row.is_some())
}

pub(super) async fn open_interval(q: &mut impl Queries, contact: ContactId) -> Result<Option<Interval>> {
    q.query_opt(
        sql!(
            "select id, journey, stage, entered_at, left_at, actor, rule, reason, lifecycle_hash, evidence
             from stage_intervals where contact_id = $1 and left_at is null"
        ),
        params![contact],
    )
    .await?
    .map(|row| interval(&row))
    .transpose()
}

/// A contact's whole history, oldest first.
///
/// # Errors
/// As the store says.
pub async fn intervals(q: &mut impl Queries, contact: ContactId) -> Result<Vec<Interval>> {
    q.query(
        sql!(
            "select id, journey, stage, entered_at, left_at, actor, rule, reason, lifecycle_hash, evidence
             from stage_intervals where contact_id = $1
             order by entered_at, id"
        ),
        params![contact],
    )
    .await?
    .iter()
    .map(interval)
    .collect()
}

/// When a way back was last taken.
pub(super) async fn last_back(q: &mut impl Queries, contact: ContactId) -> Result<Option<Timestamp>> {
    let row = q
        .query_opt(
            sql!(
                "select max(entered_at) as back_at from stage_intervals
                 where contact_id = $1 and rule like 'back.%'"
            ),
            params![contact],
        )
        .await?;
    row.map_or(Ok(None), |row| row.get("back_at"))
}

/// Keeps the text of a definition when it is first used.
pub(super) async fn keep_version(tx: &mut Tx, definition: &Definition, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "insert into lifecycle_versions (hash, version, body, activated_at)
             values ($1, $2, $3, $4)
             on conflict (hash) do nothing"
        ),
        params![&definition.hash, definition.version, &definition.body, now],
    )
    .await?;
    Ok(())
}

/// The numbers of the versions that moved a contact, by hash.
pub(super) async fn versions(q: &mut impl Queries, contact: ContactId) -> Result<BTreeMap<String, i64>> {
    q.query(
        sql!(
            "select hash, version from lifecycle_versions
             where hash in (select lifecycle_hash from stage_intervals where contact_id = $1)"
        ),
        params![contact],
    )
    .await?
    .iter()
    .map(|row| Ok((row.get("hash")?, row.get("version")?)))
    .collect()
}

pub(super) async fn close(tx: &mut Tx, open: &Interval, now: Timestamp) -> Result<()> {
    // A clock that was set back must not make an interval end before it began.
    tx.execute(
        sql!("update stage_intervals set left_at = $2 where id = $1 and left_at is null"),
        params![&open.id, now.max(open.entered_at)],
    )
    .await?;
    Ok(())
}

/// Opens an interval and repeats the stage in the contact's row, where lists look for it.
pub(super) async fn open(
    tx: &mut Tx,
    definition: &Definition,
    contact: ContactId,
    journey: i64,
    stage: &str,
    step: &Move<'_>,
    now: Timestamp,
) -> Result<()> {
    insert(tx, definition, contact, journey, stage, step, (now, None)).await?;
    tx.execute(
        sql!("update contacts set stage = $2, stage_since = $3, updated_at = $3 where id = $1"),
        params![contact, stage, now],
    )
    .await?;
    Ok(())
}

/// Notes a stage that was passed: an interval without length, so that the funnel counts it as reached.
pub(super) async fn skip(
    tx: &mut Tx,
    definition: &Definition,
    contact: ContactId,
    journey: i64,
    stage: &str,
    step: &Move<'_>,
    now: Timestamp,
) -> Result<()> {
    let skipped = Move { rule: "skipped", ..step.clone() };
    insert(tx, definition, contact, journey, stage, &skipped, (now, Some(now))).await
}

async fn insert(
    tx: &mut Tx,
    definition: &Definition,
    contact: ContactId,
    journey: i64,
    stage: &str,
    step: &Move<'_>,
    (entered_at, left_at): (Timestamp, Option<Timestamp>),
) -> Result<()> {
    let grounds = serde_json::to_value(step.grounds).map_err(|error| Error::Engine(error.to_string()))?;
    tx.execute(
        sql!(
            "insert into stage_intervals (id, contact_id, journey, stage, entered_at, left_at, actor, rule, reason,
                                          lifecycle_hash, evidence)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        ),
        params![
            new_key(),
            contact,
            journey,
            stage,
            entered_at,
            left_at,
            step.actor.word(),
            step.rule,
            step.reason,
            &definition.hash,
            grounds
        ],
    )
    .await?;
    Ok(())
}

fn interval(row: &Row) -> Result<Interval> {
    Ok(Interval {
        id: row.get("id")?,
        journey: row.get("journey")?,
        stage: row.get("stage")?,
        entered_at: row.get("entered_at")?,
        left_at: row.get("left_at")?,
        actor: row.get("actor")?,
        rule: row.get("rule")?,
        reason: row.get("reason")?,
        lifecycle_hash: row.get("lifecycle_hash")?,
        grounds: row.json("evidence")?,
    })
}

/// One interval of the track after the sale.
#[derive(Debug, Clone, PartialEq)]
pub struct StateInterval {
    /// Its id.
    pub id: String,
    /// The state.
    pub state: String,
    /// From.
    pub entered_at: Timestamp,
    /// To, if it is over.
    pub left_at: Option<Timestamp>,
    /// `rule`, `account:ID` or `api`.
    pub actor: String,
    /// The rule behind it.
    pub rule: String,
    /// The reason that was given.
    pub reason: Option<String>,
    /// What the rule saw.
    pub grounds: Grounds,
}

/// A customer's states, oldest first.
///
/// # Errors
/// As the store says.
pub async fn states(q: &mut impl Queries, contact: ContactId) -> Result<Vec<StateInterval>> {
    q.query(
        sql!(
            "select id, state, entered_at, left_at, actor, rule, reason, evidence
             from post_sale_intervals where contact_id = $1
             order by entered_at, id"
        ),
        params![contact],
    )
    .await?
    .iter()
    .map(state)
    .collect()
}

pub(super) async fn open_state(q: &mut impl Queries, contact: ContactId) -> Result<Option<StateInterval>> {
    q.query_opt(
        sql!(
            "select id, state, entered_at, left_at, actor, rule, reason, evidence
             from post_sale_intervals where contact_id = $1 and left_at is null"
        ),
        params![contact],
    )
    .await?
    .map(|row| state(&row))
    .transpose()
}

pub(super) async fn close_state(tx: &mut Tx, open: &StateInterval, at: Timestamp) -> Result<()> {
    tx.execute(
        sql!("update post_sale_intervals set left_at = $2 where id = $1 and left_at is null"),
        params![&open.id, at],
    )
    .await?;
    Ok(())
}

pub(super) async fn open_new_state(
    tx: &mut Tx,
    definition: &Definition,
    contact: ContactId,
    step: &Step,
    actor: Actor,
    at: Timestamp,
) -> Result<StateInterval> {
    let interval = StateInterval {
        id: new_key(),
        state: step.to.clone(),
        entered_at: at,
        left_at: None,
        actor: actor.word(),
        rule: step.rule.clone(),
        reason: step.reason.clone(),
        grounds: step.grounds.clone(),
    };
    let grounds = serde_json::to_value(&step.grounds).map_err(|error| Error::Engine(error.to_string()))?;
    tx.execute(
        sql!(
            "insert into post_sale_intervals (id, contact_id, state, entered_at, left_at, actor, rule, reason,
                 lifecycle_hash, evidence)
             values ($1, $2, $3, $4, null, $5, $6, $7, $8, $9)"
        ),
        params![
            &interval.id,
            contact,
            &interval.state,
            at,
            &interval.actor,
            &interval.rule,
            interval.reason.as_deref(),
            &definition.hash,
            grounds
        ],
    )
    .await?;
    Ok(interval)
}

fn state(row: &Row) -> Result<StateInterval> {
    Ok(StateInterval {
        id: row.get("id")?,
        state: row.get("state")?,
        entered_at: row.get("entered_at")?,
        left_at: row.get("left_at")?,
        actor: row.get("actor")?,
        rule: row.get("rule")?,
        reason: row.get("reason")?,
        grounds: row.json("evidence")?,
    })
}

/// What is due by `now`, the oldest first; of another version's questions none.
pub(super) async fn due(q: &mut impl Queries, hash: &str, now: Timestamp, most: i64) -> Result<Vec<Due>> {
    q.query(
        sql!(
            "select contact_id, what, due_at, basis from lifecycle_due
             where due_at <= $1 and (what <> 'version' or basis = $2)
             order by due_at, contact_id limit $3"
        ),
        params![now, hash, most],
    )
    .await?
    .iter()
    .map(due_row)
    .collect()
}

/// What is due for a contact, now or later.
///
/// # Errors
/// As the store says.
pub async fn due_of(q: &mut impl Queries, contact: ContactId) -> Result<Vec<Due>> {
    q.query(
        sql!("select contact_id, what, due_at, basis from lifecycle_due where contact_id = $1 order by what"),
        params![contact],
    )
    .await?
    .iter()
    .map(due_row)
    .collect()
}

fn due_row(row: &Row) -> Result<Due> {
    let what: String = row.get("what")?;
    Ok(Due {
        contact: row.get("contact_id")?,
        what: What::of_word(&what).ok_or_else(|| Error::Engine(format!("`{what}` is never due")))?,
        at: row.get("due_at")?,
        basis: row.get("basis")?,
    })
}

pub(super) async fn put_due(
    tx: &mut Tx,
    contact: ContactId,
    what: What,
    at: Timestamp,
    basis: &str,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into lifecycle_due (contact_id, what, due_at, basis) values ($1, $2, $3, $4)
             on conflict (contact_id, what) do update set due_at = excluded.due_at, basis = excluded.basis"
        ),
        params![contact, what.word(), at, basis],
    )
    .await?;
    Ok(())
}

pub(super) async fn put_due_for_all(tx: &mut Tx, what: What, at: Timestamp, basis: &str) -> Result<()> {
    tx.execute(
        sql!(
            "insert into lifecycle_due (contact_id, what, due_at, basis)
             select id, $1, $2, $3 from contacts where merged_into is null
             on conflict (contact_id, what) do update set due_at = excluded.due_at, basis = excluded.basis"
        ),
        params![what.word(), at, basis],
    )
    .await?;
    Ok(())
}

pub(super) async fn drop_due(tx: &mut Tx, contact: ContactId, what: What) -> Result<()> {
    tx.execute(
        sql!("delete from lifecycle_due where contact_id = $1 and what = $2"),
        params![contact, what.word()],
    )
    .await?;
    Ok(())
}

pub(super) async fn text(q: &mut impl Queries, hash: &str) -> Result<Option<String>> {
    let row = q.query_opt(sql!("select body from lifecycle_texts where hash = $1"), params![hash]).await?;
    row.map(|row| row.get("body")).transpose()
}

pub(super) async fn keep_text(tx: &mut Tx, definition: &Definition, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "insert into lifecycle_texts (hash, version, body, seen_at) values ($1, $2, $3, $4)
             on conflict (hash) do nothing"
        ),
        params![&definition.hash, definition.version, &definition.body, now],
    )
    .await?;
    Ok(())
}

pub(super) async fn approve(
    tx: &mut Tx,
    hash: &str,
    side: &str,
    account: AccountId,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into lifecycle_approvals (hash, side, account_id, at) values ($1, $2, $3, $4)
             on conflict (hash, side) do nothing"
        ),
        params![hash, side, account, now],
    )
    .await?;
    Ok(())
}

pub(super) async fn approvals(q: &mut impl Queries, hash: &str) -> Result<Vec<Approval>> {
    q.query(
        sql!(
            "select p.side, a.email, p.at from lifecycle_approvals p join accounts a on a.id = p.account_id
             where p.hash = $1 order by p.side"
        ),
        params![hash],
    )
    .await?
    .iter()
    .map(|row| Ok(Approval { side: row.get("side")?, email: row.get("email")?, at: row.get("at")? }))
    .collect()
}

pub(super) async fn activate(
    tx: &mut Tx,
    hash: &str,
    reevaluate: Reevaluate,
    actor: &str,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into lifecycle_activations (id, hash, reevaluate, actor, at) values ($1, $2, $3, $4, $5)"
        ),
        params![new_key(), hash, reevaluate.word(), actor, now],
    )
    .await?;
    Ok(())
}

/// The versions that ran with their texts, the newest first.
pub(super) async fn activations(q: &mut impl Queries, most: i64) -> Result<Vec<(Activation, String)>> {
    q.query(
        sql!(
            "select t.version, v.hash, v.reevaluate, v.actor, v.at, t.body
             from lifecycle_activations v join lifecycle_texts t on t.hash = v.hash
             order by v.at desc, v.id desc limit $1"
        ),
        params![most],
    )
    .await?
    .iter()
    .map(|row| {
        let activation = Activation {
            version: row.get("version")?,
            hash: row.get("hash")?,
            reevaluate: row.get("reevaluate")?,
            actor: row.get("actor")?,
            at: row.get("at")?,
        };
        Ok((activation, row.get("body")?))
    })
    .collect()
}

/// Whether another text than this one was activated under a number.
pub(super) async fn runs_under(q: &mut impl Queries, version: i64, hash: &str) -> Result<bool> {
    let row = q
        .query_opt(
            sql!(
                "select v.id from lifecycle_activations v join lifecycle_texts t on t.hash = v.hash
                 where t.version = $1 and v.hash <> $2 limit 1"
            ),
            params![version, hash],
        )
        .await?;
    Ok(row.is_some())
}

/// The highest number that ran; 0 if none did.
pub(super) async fn highest_number(q: &mut impl Queries) -> Result<i64> {
    let row = q
        .query_opt(
            sql!(
                "select max(t.version) as n from lifecycle_activations v join lifecycle_texts t on t.hash = v.hash"
            ),
            params![],
        )
        .await?;
    Ok(row.map_or(Ok(None), |row| row.get::<Option<i64>>("n"))?.unwrap_or(0))
}

pub(super) async fn put_proposal(
    tx: &mut Tx,
    hash: &str,
    actor: &str,
    note: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into lifecycle_proposals (hash, actor, note, at) values ($1, $2, $3, $4)
             on conflict (hash) do update set
                 actor = excluded.actor, note = excluded.note, at = excluded.at, withdrawn_at = null"
        ),
        params![hash, actor, note, now],
    )
    .await?;
    Ok(())
}

pub(super) async fn withdraw_proposal(tx: &mut Tx, hash: &str, now: Timestamp) -> Result<bool> {
    let withdrawn = tx
        .execute(
            sql!("update lifecycle_proposals set withdrawn_at = $2 where hash = $1 and withdrawn_at is null"),
            params![hash, now],
        )
        .await?;
    Ok(withdrawn > 0)
}

/// The proposals that wait, each with its text.
pub(super) async fn proposals(q: &mut impl Queries) -> Result<Vec<(Proposal, String)>> {
    let rows = q
        .query(
            sql!(
                "select p.hash, p.actor, p.note, p.at, t.version, t.body
                 from lifecycle_proposals p join lifecycle_texts t on t.hash = p.hash
                 where p.withdrawn_at is null
                     and not exists (select 1 from lifecycle_activations a where a.hash = p.hash and a.at >= p.at)
                 order by p.at desc, p.hash limit 50"
            ),
            &[],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let proposal = Proposal {
                hash: row.get("hash")?,
                version: row.get("version")?,
                actor: row.get("actor")?,
                note: row.get("note")?,
                at: row.get("at")?,
            };
            Ok((proposal, row.get("body")?))
        })
        .collect()
}

pub(super) async fn contact_count(q: &mut impl Queries) -> Result<i64> {
    let row = q.query_opt(sql!("select count(*) as n from contacts"), &[]).await?;
    row.map_or(Ok(0), |row| row.get("n"))
}

/// Some contacts after one, in the order of their ids, with what is stored about them and the stages they reached; what
/// they did is read apart.
pub(super) async fn cases(q: &mut impl Queries, after: ContactId, most: i64) -> Result<Vec<Case>> {
    let rows = q
        .query(
            sql!(
                "select c.id, c.email, c.language, c.created_at, c.profiling_off_at, c.company_id,
                     o.domain, o.employees, o.industry, o.country, o.revenue,
                     (select min(d.closed_at) from deals d where d.company_id = c.company_id and d.status = 'won'),
                     o.kind
                 from contacts c left join companies o on o.id = c.company_id
                 where c.id > $1 and c.merged_into is null order by c.id limit $2"
            ),
            params![after, most],
        )
        .await?;
    let mut cases = rows.iter().map(bare_case).collect::<Result<Vec<_>>>()?;
    if let Some(last) = cases.last().map(|case| case.contact) {
        complete(q, &mut cases, after, last).await?;
    }
    Ok(cases)
}

/// One contact, as [`cases`] has them.
pub(super) async fn case(q: &mut impl Queries, contact: ContactId) -> Result<Option<Case>> {
    let row = q
        .query_opt(
            sql!(
                "select c.id, c.email, c.language, c.created_at, c.profiling_off_at, c.company_id,
                     o.domain, o.employees, o.industry, o.country, o.revenue,
                     (select min(d.closed_at) from deals d where d.company_id = c.company_id and d.status = 'won'),
                     o.kind
                 from contacts c left join companies o on o.id = c.company_id
                 where c.id = $1"
            ),
            params![contact],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let mut cases = vec![bare_case(&row)?];
    let before = ContactId::from_uuid(uuid::Uuid::from_u128(contact.uuid().as_u128().saturating_sub(1)));
    complete(q, &mut cases, before, contact).await?;
    Ok(cases.pop())
}

fn bare_case(row: &Row) -> Result<Case> {
    let email: String = row.at(1)?;
    Ok(Case {
        contact: row.at(0)?,
        email: Email::parse(&email).map_err(|_| Error::Engine("a contact has no address".to_owned()))?,
        language: row.at(2)?,
        identified_at: row.at(3)?,
        profiling_off_at: row.at(4)?,
        company: workplace(row)?,
        fields: Vec::new(),
        countries: Vec::new(),
        regions: Vec::new(),
        activities: Vec::new(),
        reached: Vec::new(),
    })
}

/// The company that somebody works for, as far as rules can ask for it, and when it first bought.
fn workplace(row: &Row) -> Result<Option<Workplace>> {
    if row.at::<Option<CompanyId>>(5)?.is_none() {
        return Ok(None);
    }
    let text = |place: usize| Ok::<_, Error>(row.at::<Option<String>>(place)?.unwrap_or_default());
    Ok(Some(Workplace {
        company: Company {
            domain: text(6)?,
            employees: row.at::<Option<i64>>(7)?.unwrap_or_default(),
            industry: text(8)?,
            country: text(9)?,
            kind: text(12)?,
            revenue: text(10)?,
            is_customer: false,
        },
        bought_at: row.at(11)?,
    }))
}

async fn complete(q: &mut impl Queries, cases: &mut [Case], after: ContactId, last: ContactId) -> Result<()> {
    let fields = q
        .query(
            sql!(
                "select contact_id, name, value, at from contact_fields
                 where contact_id > $1 and contact_id <= $2 and status = 'current' order by contact_id, name"
            ),
            params![after, last],
        )
        .await?;
    let stages = q
        .query(
            sql!(
                "select contact_id, stage, entered_at from stage_intervals
                 where contact_id > $1 and contact_id <= $2 order by contact_id, entered_at, id"
            ),
            params![after, last],
        )
        .await?;
    let of = |contact: ContactId| cases.binary_search_by_key(&contact, |case| case.contact).ok();
    let placed: Vec<(Option<usize>, Fact)> = fields
        .iter()
        .map(|row| Ok((of(row.at(0)?), Fact { name: row.at(1)?, value: row.at(2)?, at: row.at(3)? })))
        .collect::<Result<_>>()?;
    let reached: Vec<(Option<usize>, Reached)> = stages
        .iter()
        .map(|row| Ok((of(row.at(0)?), Reached { stage: row.at(1)?, at: row.at(2)? })))
        .collect::<Result<_>>()?;
    for (place, fact) in placed {
        if let Some(case) = place.and_then(|place| cases.get_mut(place)) {
            case.fields.push(fact);
        }
    }
    for (place, stage) in reached {
        if let Some(case) = place.and_then(|place| cases.get_mut(place)) {
            case.reached.push(stage);
        }
    }
    Ok(())
}
