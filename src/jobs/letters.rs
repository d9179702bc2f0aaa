//! Hands the letters of sequences over to the queue, each in the transaction that takes its step.

use super::{Worker, queue};
use crate::base::time::Timestamp;
use crate::notify::{Mail, Work};
use crate::nurture;
use crate::stages::{self, Actor};

/// Walks in one turn.
const AT_ONCE: i64 = 100;

/// Takes every step that is due; returns how many those were.
pub(super) async fn hand_over(worker: &Worker, now: Timestamp) -> anyhow::Result<usize> {
    let desk = &worker.desk;
    let due = nurture::due(&mut desk.stores.db.read(), now, AT_ONCE).await?;
    for walk in &due {
        let mut tx = desk.stores.db.begin().await?;
        if let Some(due) = nurture::advance(&mut tx, &desk.sequences, walk.id, now).await? {
            if due.is_attempt {
                // Whoever is no customer any more, or was let be meanwhile, is not counted.
                match stages::track::attempt(&mut tx, &desk.lifecycle, due.contact, Actor::Rule, now).await {
                    Ok(()) | Err(stages::Error::NoCustomer) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            // The key keeps a step that was taken twice from sending twice.
            let key = format!("letter:{}:{}", due.enrolment, due.step);
            let mail = Mail::Letter {
                enrolment: due.enrolment,
                contact: due.contact,
                sequence: due.sequence,
                step: due.step,
                template: due.mail,
                topic: due.topic,
            };
            let work = serde_json::to_value(Work::Mail { mail })?;
            queue::enqueue(&mut tx, "notify", &key, &work, now, now).await?;
        }
        tx.commit().await?;
    }
    Ok(due.len())
}
