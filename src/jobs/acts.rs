//! Goes on with what is done to many contacts: some people at a time, each turn in one transaction.

use super::Worker;
use crate::base::ids::{ContactId, EnrolmentId};
use crate::base::time::Timestamp;
use crate::contacts::acts::{self, Act, InCrm, Kind, Outcome, State};
use crate::nurture;
use crate::privacy::{self, Erased, audit::By};
use crate::reports::people::{self, Order, Place, Search};
use crate::storage::db::{Queries, Tx};

/// People of one turn.
const IN_A_TURN: usize = 500;
/// People of one turn who are erased: each takes a transaction of her own.
const ERASED_IN_A_TURN: usize = 20;
/// What an act on chosen people has instead of a place.
const MORE: &str = "more";

/// One turn; returns whether there was anything to do.
pub(super) async fn go_on(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    let db = &worker.desk.stores.db;
    let Some(id) = acts::open(&mut db.read()).await? else { return Ok(false) };
    let Some(act) = acts::find(&mut db.read(), id).await? else { return Ok(true) };
    if act.kind == Kind::Erase {
        return erase(worker, &act, now).await;
    }
    let mut tx = db.begin().await?;
    tx.lock(&format!("contact act:{id}")).await?;
    // Another worker may have gone on with it meanwhile.
    let Some(act) = acts::find(&mut tx, id).await?.filter(|act| act.state.is_open()) else { return Ok(true) };
    if act.state == State::Undoing {
        take_back(&mut tx, &act, now).await?;
    } else {
        let (people, after) = next(&mut tx, &act, IN_A_TURN).await?;
        let changed = match act.kind {
            Kind::Owner => acts::give(&mut tx, &act, &people, now).await?,
            Kind::Enter | Kind::Leave => write(worker, &mut tx, &act, &people, now).await?,
            Kind::Erase => 0,
        };
        acts::advance(&mut tx, &act, (people.len(), changed), after.as_deref(), now).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// The next people, and where to go on after them; no place if they are the last.
async fn next(
    q: &mut impl Queries,
    act: &Act,
    most: usize,
) -> anyhow::Result<(Vec<ContactId>, Option<String>)> {
    if let Some(chosen) = &act.chosen {
        let done = usize::try_from(act.looked_at).unwrap_or(usize::MAX);
        let people: Vec<ContactId> = chosen.iter().skip(done).take(most).copied().collect();
        let is_last = done + people.len() >= chosen.len();
        return Ok((people, (!is_last).then(|| MORE.to_owned())));
    }
    let search: Search = serde_json::from_str(&act.search)?;
    let after = act.after.as_deref().and_then(|place| Place::read(Order::Created, place));
    let found = people::find(q, &search, Order::Created, after.as_ref(), most).await?;
    Ok((found.ids, found.next.as_ref().map(Place::text)))
}

/// Puts people into the act's sequence, or takes them out of it; returns with how many something changed.
async fn write(
    worker: &Worker,
    tx: &mut Tx,
    act: &Act,
    people: &[ContactId],
    now: Timestamp,
) -> anyhow::Result<i64> {
    // A sequence that stands in no file any more has nobody left to put in or to take out.
    let subject = act.subject.as_deref().unwrap_or_default();
    let Some(sequence) = worker.desk.sequences.find(subject) else { return Ok(0) };
    let mut changed = 0;
    for contact in people {
        let walk = match act.kind {
            Kind::Enter => nurture::put_in(tx, sequence, *contact, &act.id.to_string(), now).await?,
            Kind::Owner | Kind::Leave | Kind::Erase => nurture::take_out(tx, sequence, *contact, now).await?,
        };
        if let Some(walk) = walk {
            acts::note(tx, act, *contact, &walk.to_string()).await?;
            changed += 1;
        }
    }
    Ok(changed)
}

async fn take_back(tx: &mut Tx, act: &Act, now: Timestamp) -> anyhow::Result<()> {
    let people = acts::to_take_back(tx, act).await?;
    for (contact, before) in &people {
        let walk = before.as_deref().and_then(|id| EnrolmentId::parse(id).ok());
        match (act.kind, walk) {
            (Kind::Owner, _) => acts::give_back(tx, act, *contact, before.as_deref(), now).await?,
            (Kind::Enter, Some(walk)) => nurture::put_in_by_mistake(tx, walk, now).await?,
            (Kind::Leave, Some(walk)) => nurture::taken_out_by_mistake(tx, walk, now).await?,
            (Kind::Enter | Kind::Leave, None) | (Kind::Erase, _) => {}
        }
    }
    Ok(acts::taken_back(tx, act, &people).await?)
}

/// Erases the next people, each in a transaction of her own. Broken off, it begins again where it was; whoever is gone by
/// then is not counted.
async fn erase(worker: &Worker, act: &Act, now: Timestamp) -> anyhow::Result<bool> {
    let (stores, keys) = (&worker.desk.stores, &worker.desk.keys);
    let (people, after) = next(&mut stores.db.read(), act, ERASED_IN_A_TURN).await?;
    let (mut changed, mut outcome) = (0, act.outcome.clone());
    for contact in &people {
        let by = By::Account(act.account);
        match privacy::erase(stores, keys, &super::later_tables(), *contact, by, false, now).await {
            Ok(erased) => {
                changed += 1;
                add(&mut outcome, erased);
            }
            Err(privacy::Error::Unknown | privacy::Error::Merged(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut tx = stores.db.begin().await?;
    tx.lock(&format!("contact act:{}", act.id)).await?;
    let is_where_it_was = |now: &Act| now.state.is_open() && now.looked_at == act.looked_at;
    if acts::find(&mut tx, act.id).await?.is_some_and(|found| is_where_it_was(&found)) {
        acts::sum_up(&mut tx, act, &outcome).await?;
        acts::advance(&mut tx, act, (people.len(), changed), after.as_deref(), now).await?;
        tx.commit().await?;
        if after.is_none() {
            // By what somebody searched for them may be an address.
            stores.db.leave_nothing_behind().await?;
        }
    }
    Ok(true)
}

/// Adds what the erasure of one came to.
fn add(outcome: &mut Outcome, erased: Erased) {
    outcome.calls_cancelled += erased.calls_cancelled;
    outcome.hits += erased.hits;
    outcome.visits += erased.visits;
    outcome.refusals += u64::from(!erased.refusals_kept.is_empty());
    outcome.crm.extend(erased.crm.into_iter().map(|it| InCrm { crm: it.crm, kind: it.kind, id: it.id }));
    outcome.remains.extend(erased.remains.into_iter().map(str::to_owned));
}
