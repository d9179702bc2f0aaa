//! Facts become jobs, in one transaction: a fact is dispatched exactly once.

use serde_json::json;

use super::{Worker, queue};
use crate::events::outbox;
use crate::events::{Event, Recorded};
use crate::storage::db::Tx;
use crate::{contacts, crm, handovers, notify, nurture, privacy, storage, subscriptions};

/// Facts in one transaction.
pub(super) const BATCH: usize = 50;

/// Plans the consequences of waiting facts; returns how many facts that were.
pub(super) async fn dispatch(worker: &Worker) -> anyhow::Result<usize> {
    let now = worker.clock.now();
    if !outbox::any_waiting(&mut worker.desk.stores.db.read()).await? {
        return Ok(0);
    }
    let mut tx = worker.desk.stores.db.begin().await?;
    let waiting = outbox::waiting(&mut tx, i64::try_from(BATCH)?).await?;
    for recorded in &waiting {
        tx.savepoint().await?;
        match plan(worker, &mut tx, recorded).await {
            Ok((messages, records)) => {
                for planned in messages {
                    let payload = serde_json::to_value(&planned.work)?;
                    queue::enqueue(&mut tx, "notify", &planned.key, &payload, planned.at, now).await?;
                }
                for planned in records {
                    let payload = serde_json::to_value(&planned.work)?;
                    queue::enqueue(&mut tx, crm::JOB, &planned.key, &payload, planned.at, now).await?;
                }
            }
            Err(notify::Error::Storage(error @ storage::Error::Unavailable(_))) => return Err(error.into()),
            Err(error) => {
                // One fact that cannot be told must not keep all later ones waiting: it is set aside for a person.
                tracing::error!(event.id = %recorded.id, error = %error, "a fact's messages cannot be planned");
                tx.rollback_to_savepoint().await?;
                let payload = json!({ "event": recorded.id.to_string() });
                queue::bury(&mut tx, &format!("{}:plan", recorded.id), &payload, &error.to_string(), now)
                    .await?;
            }
        }
        outbox::mark_dispatched(&mut tx, recorded.id, now).await?;
    }
    tx.commit().await?;
    Ok(waiting.len())
}

/// What follows from a fact: what people and programs are told, and what CRMs are.
async fn plan(
    worker: &Worker,
    tx: &mut Tx,
    recorded: &Recorded,
) -> Result<(Vec<notify::Planned>, Vec<crm::Planned>), notify::Error> {
    // Of people who do not exist nobody is to hear, whatever time makes of them: neither colleagues nor programs.
    if let Some(contact) = recorded.event.contact()
        && contacts::is_made_up(tx, contact).await?
    {
        return Ok((Vec::new(), Vec::new()));
    }
    hear(worker, tx, recorded).await?;
    let messages = notify::plan(&worker.desk, tx, recorded).await?;
    Ok((messages, crm::plan(&worker.crm, tx, recorded).await?))
}

/// Lets those hear of a fact who do something about it themselves, before its messages are planned.
async fn hear(worker: &Worker, tx: &mut Tx, recorded: &Recorded) -> Result<(), notify::Error> {
    let desk = &worker.desk;
    nurture::hear(tx, &desk.sequences, &recorded.event, recorded.at).await.map_err(|error| match error {
        subscriptions::Error::Store(error) => notify::Error::Storage(error),
        error => notify::Error::Unwritable(error.to_string()),
    })?;
    if let Event::StageChanged { contact, .. } = &recorded.event {
        // Whoever was erased and comes back has not changed her mind.
        privacy::remember_objection(tx, &desk.keys, *contact, recorded.at).await.map_err(
            |error| match error {
                privacy::Error::Storage(error) => notify::Error::Storage(error),
                error => notify::Error::Unwritable(error.to_string()),
            },
        )?;
    }
    let work = handovers::Desk { team: &desk.team, lifecycle: &desk.lifecycle };
    handovers::hear(tx, work, &recorded.event, recorded.at).await.map_err(|error| match error {
        handovers::Error::Store(error) => notify::Error::Storage(error),
        error => notify::Error::Unwritable(error.to_string()),
    })
}
