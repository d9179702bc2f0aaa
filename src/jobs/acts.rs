//! Goes on with what is done to everybody whom a search finds: some people at a time, each turn in one transaction.

use super::Worker;
use crate::base::time::Timestamp;
use crate::contacts::acts::{self, State};
use crate::reports::people::{self, Order, Place, Search};

/// People of one turn.
const IN_A_TURN: usize = 500;

/// One turn; returns whether there was anything to do.
pub(super) async fn go_on(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    let db = &worker.desk.stores.db;
    let Some(id) = acts::open(&mut db.read()).await? else { return Ok(false) };
    let mut tx = db.begin().await?;
    tx.lock(&format!("contact act:{id}")).await?;
    // Another worker may have gone on with it meanwhile.
    let Some(act) = acts::find(&mut tx, id).await?.filter(|act| act.state.is_open()) else { return Ok(true) };
    if act.state == State::Undoing {
        acts::take_back(&mut tx, &act, now).await?;
    } else {
        let search: Search = serde_json::from_str(&act.search)?;
        let after = act.after.as_deref().and_then(|place| Place::read(Order::Created, place));
        let found = people::find(&mut tx, &search, Order::Created, after.as_ref(), IN_A_TURN).await?;
        let next = found.next.as_ref().map(Place::text);
        acts::go_on(&mut tx, &act, &found.ids, next.as_deref(), now).await?;
    }
    tx.commit().await?;
    Ok(true)
}
