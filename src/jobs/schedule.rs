//! The whole night shift: one line each.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{Worker, acts, calendars, earlier, letters, openings, queue, traffic};
use crate::base::time::{DAY_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::storage::idempotency;
use crate::{
    bookings, chat, companies, contacts, gates, handovers, ingest, privacy, segments, sessions, stages,
    subscriptions, webinars,
};

/// What is less than this is no step: nodes differ by as much.
const LEAST_STEP_MS: i64 = MINUTE_MS;

/// Something that is done again and again; answers whether there was anything to do.
struct Chore {
    name: &'static str,
    every_ms: i64,
    run: fn(&Worker, Timestamp) -> BoxFuture<'_, anyhow::Result<bool>>,
}

const CHORES: &[Chore] = &[
    // Before anything that looks at what has run out.
    Chore {
        name: "follow_the_clock",
        every_ms: SECOND_MS / 4,
        run: |worker, now| Box::pin(follow_the_clock(worker, now)),
    },
    Chore {
        name: "wake_conversations",
        every_ms: SECOND_MS,
        run: |worker, now| Box::pin(wake_conversations(worker, now)),
    },
    Chore {
        name: "look_after_conversations",
        every_ms: SECOND_MS,
        run: |worker, now| Box::pin(look_after_conversations(worker, now)),
    },
    Chore {
        name: "close_webinars",
        every_ms: SECOND_MS,
        run: |worker, now| Box::pin(close_webinars(worker, now)),
    },
    // Once after each start: what the file says only changes then.
    Chore {
        name: "follow_webinars",
        every_ms: i64::MAX,
        run: |worker, now| Box::pin(follow_webinars(worker, now)),
    },
    Chore {
        name: "look_again_at_people",
        every_ms: SECOND_MS / 2,
        run: |worker, now| Box::pin(look_again_at_people(worker, now)),
    },
    Chore {
        name: "write_down_words",
        every_ms: SECOND_MS / 2,
        run: |worker, now| Box::pin(write_down_words(worker, now)),
    },
    Chore {
        name: "go_on_with_acts",
        every_ms: SECOND_MS / 4,
        run: |worker, now| Box::pin(acts::go_on(worker, now)),
    },
    Chore {
        name: "forget_acts",
        every_ms: 60 * MINUTE_MS,
        run: |worker, now| Box::pin(forget_acts(worker, now)),
    },
    Chore {
        name: "take_lists_over",
        every_ms: SECOND_MS / 4,
        run: |worker, now| Box::pin(take_lists_over(worker, now)),
    },
    Chore {
        name: "hand_letters_over",
        every_ms: 5 * SECOND_MS,
        run: |worker, now| Box::pin(hand_letters_over(worker, now)),
    },
    Chore {
        name: "look_at_due_contacts",
        every_ms: SECOND_MS,
        run: |worker, now| Box::pin(look_at_due_contacts(worker, now)),
    },
    Chore {
        name: "tell_of_late_handovers",
        every_ms: 5 * SECOND_MS,
        run: |worker, now| Box::pin(tell_of_late_handovers(worker, now)),
    },
    Chore {
        name: "expire_holds",
        every_ms: 10 * SECOND_MS,
        run: |worker, now| Box::pin(expire_holds(worker, now)),
    },
    Chore {
        name: "ask_for_earlier_times",
        every_ms: 10 * SECOND_MS,
        run: |worker, now| Box::pin(ask_for_earlier_times(worker, now)),
    },
    Chore {
        name: "tell_of_openings",
        every_ms: 30 * SECOND_MS,
        run: |worker, now| Box::pin(tell_of_openings(worker, now)),
    },
    Chore {
        name: "forget_openings",
        every_ms: 60 * MINUTE_MS,
        run: |worker, now| Box::pin(forget_openings(worker, now)),
    },
    Chore {
        name: "forget_freed_times",
        every_ms: 60 * MINUTE_MS,
        run: |worker, now| Box::pin(forget_freed_times(worker, now)),
    },
    Chore {
        name: "tend_calendars",
        every_ms: MINUTE_MS,
        run: |worker, now| Box::pin(tend_calendars(worker, now)),
    },
    Chore {
        name: "tell_of_traffic",
        every_ms: MINUTE_MS,
        run: |worker, now| Box::pin(tell_of_traffic(worker, now)),
    },
    Chore {
        name: "forget_done_jobs",
        every_ms: 60 * MINUTE_MS,
        run: |worker, now| Box::pin(forget_done_jobs(worker, now)),
    },
    Chore {
        name: "forget_letter_places",
        every_ms: 60 * MINUTE_MS,
        run: |worker, now| Box::pin(forget_letter_places(worker, now)),
    },
    Chore {
        name: "retain_hits",
        every_ms: 6 * 60 * MINUTE_MS,
        run: |worker, now| Box::pin(retain_hits(worker, now)),
    },
    Chore {
        name: "retain_people",
        every_ms: 6 * 60 * MINUTE_MS,
        run: |worker, now| Box::pin(retain_people(worker, now)),
    },
    Chore {
        name: "forget_codes",
        every_ms: 60 * MINUTE_MS,
        run: |worker, now| Box::pin(forget_codes(worker, now)),
    },
    Chore {
        name: "forget_salts",
        every_ms: 10 * MINUTE_MS,
        run: |worker, now| Box::pin(forget_salts(worker, now)),
    },
    Chore {
        name: "forget_set_apart",
        every_ms: 60 * MINUTE_MS,
        run: |worker, now| Box::pin(forget_set_apart(worker, now)),
    },
    Chore {
        name: "forget_old_answers",
        every_ms: 60 * MINUTE_MS,
        run: |worker, now| Box::pin(forget_old_answers(worker, now)),
    },
];

/// When each chore was done last.
#[derive(Default)]
pub(super) struct Schedule {
    done_at: [Option<std::time::Instant>; CHORES.len()],
}

impl Schedule {
    /// Does what has not been done for its period (by elapsed time, so that a stepped clock changes nothing).
    pub async fn run_due(&mut self, worker: &Arc<Worker>) -> bool {
        let mut did_something = false;
        for (chore, done_at) in CHORES.iter().zip(self.done_at.iter_mut()) {
            let is_due = done_at.is_none_or(|at| {
                i64::try_from(at.elapsed().as_millis()).unwrap_or(i64::MAX) >= chore.every_ms
            });
            if is_due {
                *done_at = Some(std::time::Instant::now());
                match (chore.run)(worker, worker.clock.now()).await {
                    Ok(did) => did_something |= did,
                    Err(error) => tracing::error!(chore.name, error = %error, "a chore failed"),
                }
            }
        }
        did_something
    }

    /// Does everything once.
    pub async fn run_all(&mut self, worker: &Arc<Worker>) -> anyhow::Result<bool> {
        let mut did_something = false;
        for chore in CHORES {
            did_something |= (chore.run)(worker, worker.clock.now()).await?;
        }
        Ok(did_something)
    }
}

async fn retain_hits(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    let desk = &worker.desk;
    let outdated = ingest::retain(&desk.stores, &worker.words, &desk.sites, now, false).await?;
    let gone: i64 = outdated.iter().map(|site| site.surplus.hits + site.surplus.visits).sum();
    if gone > 0 {
        tracing::info!(rows = gone, "let go of hits and visits that are older than their sites keep them");
    }
    Ok(gone > 0)
}

async fn retain_people(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    let (desk, later) = (&worker.desk, super::later_tables());
    let outdated = privacy::retention::retain(
        &desk.stores,
        &desk.keys,
        &desk.lifecycle,
        &later,
        &worker.retention,
        now,
        false,
    );
    let outdated = outdated.await?;
    for kind in outdated.iter().filter(|kind| kind.count > 0) {
        tracing::info!(retention.kind = kind.kind, count = kind.count, "forgot what is kept no longer");
    }
    Ok(outdated.iter().any(|kind| kind.count > 0))
}

async fn forget_codes(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    let mut tx = worker.desk.stores.db.begin().await?;
    // A day: so long they count against how often codes are sent to one address.
    let forgotten = contacts::codes::forget_old(&mut tx, now.plus_ms(-2 * DAY_MS)).await?;
    tx.commit().await?;
    Ok(forgotten > 0)
}

async fn wake_conversations(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    Ok(chat::wake_due(&worker.room, now).await? > 0)
}

async fn look_after_conversations(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    Ok(chat::live::routing::look_after(&worker.room, now).await? > 0)
}

async fn close_webinars(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    let desk = &worker.desk;
    Ok(webinars::close_due(&desk.stores.db, &desk.lifecycle, &desk.webinars, now).await? > 0)
}

async fn look_again_at_people(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    let desk = &worker.desk;
    let costs = &desk.segment_costs;
    Ok(segments::look_again(&desk.stores.db, &desk.lifecycle, &desk.segments, costs, now).await?)
}

/// For those who came before there was a search by words.
async fn write_down_words(worker: &Worker, _now: Timestamp) -> anyhow::Result<bool> {
    let db = &worker.desk.stores.db;
    Ok(companies::words::index_rest(db).await? || contacts::words::index_rest(db).await?)
}

async fn forget_acts(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    let mut tx = worker.desk.stores.db.begin().await?;
    let forgotten = contacts::acts::forget(&mut tx, now).await?;
    tx.commit().await?;
    Ok(forgotten)
}

async fn take_lists_over(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    let desk = &worker.desk;
    Ok(contacts::import::work(&desk.stores.db, gates::is_country, now).await?.is_some())
}

async fn hand_letters_over(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    Ok(letters::hand_over(worker, now).await? > 0)
}

async fn follow_webinars(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    let desk = &worker.desk;
    Ok(webinars::follow(&desk.stores.db, &desk.webinars, now).await? > 0)
}

async fn forget_set_apart(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    let mut tx = worker.desk.stores.db.begin().await?;
    let forgotten = gates::quarantine::forget_old(&mut tx, now).await?;
    tx.commit().await?;
    Ok(forgotten > 0)
}

async fn look_at_due_contacts(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    let desk = &worker.desk;
    Ok(stages::due::run(&desk.stores.db, &desk.lifecycle, now).await? > 0)
}

async fn tell_of_late_handovers(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    Ok(handovers::tell_of_late(&worker.desk.stores.db, now).await? > 0)
}

/// What was promised for a while is kept for so long, though somebody sets the clock.
async fn follow_the_clock(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    let Some(step) = worker.clock.was_set(LEAST_STEP_MS) else { return Ok(false) };
    let mut tx = worker.desk.stores.db.begin().await?;
    let held = bookings::follow_clock(&mut tx, step, now).await?;
    tx.commit().await?;
    tracing::warn!(
        by_ms = step.by_ms,
        holds = held,
        "the clock was set: times that are held last as long as they would have"
    );
    Ok(held > 0)
}

async fn expire_holds(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    let mut tx = worker.desk.stores.db.begin().await?;
    let expired = bookings::expire_holds(&mut tx, now).await?;
    tx.commit().await?;
    Ok(expired > 0)
}

async fn ask_for_earlier_times(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    Ok(earlier::ask(worker, now).await? > 0)
}

async fn tell_of_openings(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    Ok(openings::tell(worker, now).await? > 0)
}

async fn forget_openings(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    Ok(openings::forget(worker, now).await?)
}

async fn forget_freed_times(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    Ok(earlier::forget_past(worker, now).await?)
}

async fn tend_calendars(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    Ok(calendars::tend(worker, now).await?)
}

async fn tell_of_traffic(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    Ok(traffic::tell(worker, now).await? > 0)
}

async fn forget_done_jobs(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    Ok(queue::forget_done(&worker.desk.stores.db, now.plus_ms(-30 * DAY_MS)).await? > 0)
}

async fn forget_letter_places(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    // Longer than any time in which letters are counted, and than the day in which questions are.
    let kept_ms = worker.desk.topics.sending.within_ms.max(subscriptions::frequency::LONGEST_MS) + DAY_MS;
    Ok(subscriptions::forget_old(&worker.desk.stores.db, now.plus_ms(-kept_ms)).await? > 0)
}

async fn forget_salts(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    Ok(sessions::forget_salts(&worker.desk.stores.db, now).await? > 0)
}

async fn forget_old_answers(worker: &Worker, now: Timestamp) -> anyhow::Result<bool> {
    let mut tx = worker.desk.stores.db.begin().await?;
    let forgotten = idempotency::forget_old(&mut tx, now).await?;
    tx.commit().await?;
    Ok(forgotten > 0)
}
