//! Takes due jobs from the queue and sends what they say, side by side, so many for each target and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::queue::{Claimed, End, Reason, Strange};
use super::{Worker, queue};
use crate::base::ids::{BookingId, EnrolmentId, JobId, new_key};
use crate::base::time::{HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::notify::undelivered::{self, Failed, How};
use crate::notify::{self, Mail, Sent, Why, Work};
use crate::storage::db::{Db, in_the_background};
use crate::{crm, nurture, subscriptions};

/// Jobs that are worked on at once, by this process.
const AT_ONCE: i64 = 128;
/// Of these, for one target.
const PER_TARGET: i64 = 5;
/// Of these, for one CRM: two that need the same person there would wait for one another.
const PER_CRM: i64 = 1;
/// For one that failed the last time: it is only asked whether it is back.
const PER_TROUBLED: i64 = 1;
/// How often claims are looked for that end later than they can.
const SEARCH_EVERY_MS: i64 = 10 * SECOND_MS;
/// Longer than a mail server that answers at the very end of its patience; shorter than the lease, so that nobody else
/// takes the job meanwhile.
const PATIENCE: Duration = Duration::from_secs(45);
/// After two days nobody wants the message any more.
const GIVE_UP_MS: i64 = 48 * HOUR_MS;

/// What is being sent.
#[derive(Default)]
pub(super) struct Sending {
    tasks: JoinSet<Ended>,
    in_flight: BTreeMap<String, i64>,
    troubled: BTreeSet<String>,
    /// The jobs themselves, and until when they are ours.
    in_hand: Vec<(Claimed, Timestamp)>,
    /// When the queue was looked at last.
    looked_at: Option<Timestamp>,
    /// Claims that end later than they can, and since when they stand so, by elapsed time of the clock.
    strange: Vec<(Strange, Timestamp)>,
    /// When those were looked for last.
    searched_at: Option<Timestamp>,
}

/// A job that was worked on.
struct Ended {
    id: JobId,
    target: String,
    /// Whether the target took it.
    is_fine: bool,
    /// Whether it needs no other try.
    is_over: bool,
}

impl Sending {
    /// Begins with what is due, as far as there is room for it; returns how many jobs those are.
    pub async fn start_due(&mut self, worker: &Arc<Worker>) -> anyhow::Result<usize> {
        let (now, db) = (worker.clock.now(), &worker.desk.stores.db);
        let ahead = self.looked_at.map_or(0, |before| before.since_ms(now));
        if ahead > MINUTE_MS {
            let moved = queue::bring_forward(db, ahead).await?;
            tracing::warn!(
                ahead_ms = ahead,
                jobs = moved,
                "the clock was put back: what failed is tried again as soon as it would have been"
            );
        }
        self.looked_at = Some(now);
        // A clock that was set forward must not give what is being sent to somebody else, who would send it again.
        // One that was put back must not make it look like that of somebody who died.
        for (job, until) in &mut self.in_hand {
            let left_ms = until.since_ms(now);
            if !(queue::LEASE_MS / 2..=queue::LEASE_MS).contains(&left_ms) {
                *until = queue::renew(db, job, now).await?;
            }
        }
        self.free_strange(db, now).await?;
        let mut room = AT_ONCE - self.in_flight.values().sum::<i64>();
        let mut wanted = Vec::new();
        for target in queue::due_targets(&mut db.read(), now).await? {
            let most = match queue::channel_of(&target) {
                _ if self.troubled.contains(&target) => PER_TROUBLED,
                crm::JOB => PER_CRM,
                _ => PER_TARGET,
            };
            let free = (most - self.in_flight.get(&target).copied().unwrap_or(0)).min(room);
            if free > 0 {
                room -= free;
                wanted.push((target, free));
            }
        }
        if wanted.is_empty() {
            return Ok(0);
        }
        let claimed = queue::claim(db, &new_key(), &wanted, now).await?;
        let started = claimed.len();
        for job in claimed {
            *self.in_flight.entry(job.target.clone()).or_default() += 1;
            self.in_hand.push((job.clone(), now.plus_ms(queue::LEASE_MS)));
            let worker = worker.clone();
            self.tasks.spawn(in_the_background(async move { work(&worker, &job, now).await }));
        }
        Ok(started)
    }

    /// Takes up what a process held that died before the clock was put back: its claims would stand until the old time comes
    /// again. Whoever lives holds on to hers before they are half over, so a claim that has stood still for as long as one
    /// lasts is nobody's.
    async fn free_strange(&mut self, db: &Db, now: Timestamp) -> anyhow::Result<()> {
        let is_early = |at: Timestamp| (0..SEARCH_EVERY_MS).contains(&now.since_ms(at));
        if self.searched_at.is_some_and(is_early) {
            return Ok(());
        }
        self.searched_at = Some(now);
        let forgiven = queue::forgive_the_future(db, now).await?;
        if forgiven > 0 {
            tracing::warn!(jobs = forgiven, "what failed before the clock was put back is tried again");
        }
        let found = queue::strange(&mut db.read(), now).await?;
        let mut standing = Vec::new();
        for claim in found {
            let since = self.strange.iter().find(|(known, _)| *known == claim).map(|(_, since)| *since);
            // The clock may have been put back once more.
            let since = since.filter(|since| *since <= now).unwrap_or(now);
            if now.since_ms(since) < queue::LEASE_MS {
                standing.push((claim, since));
            } else if queue::set_free(db, &claim, now).await? {
                tracing::warn!(job.id = %claim.id, "whoever had this job died before the clock was put back");
            }
        }
        self.strange = standing;
        Ok(())
    }

    /// Waits until something has ended, and takes up whatever else has; returns how many jobs need no other try. For ever
    /// if nothing is being sent.
    pub async fn ended(&mut self) -> usize {
        let Some(first) = self.tasks.join_next().await else { return std::future::pending().await };
        let mut over = self.note(first);
        while let Some(next) = self.tasks.try_join_next() {
            over += self.note(next);
        }
        over
    }

    fn note(&mut self, ended: Result<Ended, tokio::task::JoinError>) -> usize {
        let Ok(ended) = ended else {
            // Whose it was is not known; when nothing runs any more, everybody has room again.
            tracing::error!("a job's task broke off; it is taken up again when its lease has run out");
            if self.tasks.is_empty() {
                self.in_flight.clear();
                self.in_hand.clear();
            }
            return 0;
        };
        self.in_hand.retain(|(job, _)| job.id != ended.id);
        if let Some(count) = self.in_flight.get_mut(&ended.target) {
            *count -= 1;
            if *count <= 0 {
                self.in_flight.remove(&ended.target);
            }
        }
        if ended.is_fine {
            self.troubled.remove(&ended.target);
        } else {
            self.troubled.insert(ended.target);
        }
        usize::from(ended.is_over)
    }

    /// Whether anything is being sent.
    pub fn is_busy(&self) -> bool {
        !self.tasks.is_empty()
    }
}

/// Works on everything that is due and waits for it; returns how many jobs need no other try.
pub(super) async fn send_due(worker: &Arc<Worker>) -> anyhow::Result<usize> {
    let (mut sending, mut over) = (Sending::default(), 0);
    while sending.start_due(worker).await? > 0 || sending.is_busy() {
        if sending.is_busy() {
            over += sending.ended().await;
        }
    }
    Ok(over)
}

async fn work(worker: &Worker, job: &Claimed, now: Timestamp) -> Ended {
    let (end, follows) = end_of(worker, job, now).await;
    // Sending may have taken its time.
    let now = worker.clock.now();
    let channel = queue::channel_of(&job.target);
    let is_fine = match &end {
        End::Done | End::Dropped(_) | End::Again { is_trouble: false, .. } => true,
        End::Again { is_trouble: true, .. } | End::Dead(_) => false,
    };
    match &end {
        End::Done => worker.counts.sent.add(channel, 1),
        End::Again { reason, is_trouble: true, .. } => {
            worker.counts.failed.add(channel, 1);
            tracing::warn!(job.id = %job.id, job.attempts = job.attempts, error = %reason.said, "a message is not out");
        }
        End::Dead(reason) => {
            worker.counts.dead.add(channel, 1);
            tracing::warn!(job.id = %job.id, job.attempts = job.attempts, error = %reason.said, "a message is not out");
        }
        End::Dropped(_) | End::Again { .. } => {}
    }
    // A job that only waits for a better time is not progress: `drain` would go round for ever.
    let is_over = !matches!(end, End::Again { .. });
    let noted = async {
        let mut tx = worker.desk.stores.db.begin().await?;
        let is_ours = queue::finish(&mut tx, job, &end, now).await?;
        if let Some(missed) = follows.missed.as_ref().filter(|_| is_ours) {
            undelivered::note(&mut tx, &missed.failed(), None, now).await?;
        }
        let leaves_at = match &end {
            End::Done => Some(now),
            End::Again { at, .. } => Some(*at),
            End::Dropped(_) | End::Dead(_) => None,
        };
        if let (true, Some((walk, step)), Some(at)) = (is_ours, follows.letter, leaves_at) {
            nurture::letter_leaves(&mut tx, &worker.desk.sequences, (walk, step), at).await?;
        }
        tx.commit().await?;
        Ok::<_, notify::Error>(is_ours)
    };
    match noted.await {
        Ok(true) => {}
        Ok(false) => {
            tracing::warn!(job.id = %job.id, "a job took longer than its lease; somebody else has it")
        }
        // Its lease runs out, and it is tried again.
        Err(error) => tracing::error!(job.id = %job.id, error = %error, "how a job ended cannot be noted"),
    }
    Ended { id: job.id, target: job.target.clone(), is_fine, is_over }
}

/// What a job says.
enum Todo {
    Message(Work),
    Record(crm::Work),
}

impl Todo {
    fn read(job: &Claimed) -> Result<Self, serde_json::Error> {
        let payload = job.payload.clone();
        Ok(match job.kind.as_str() {
            crm::JOB => Self::Record(serde_json::from_value(payload)?),
            _ => Self::Message(serde_json::from_value(payload)?),
        })
    }

    async fn send(
        &self,
        worker: &Worker,
        job: &Claimed,
        id: &str,
        now: Timestamp,
    ) -> Result<Sent, notify::Error> {
        match self {
            Self::Message(work) => notify::send(&worker.desk, id, work, job.created_at, now).await,
            Self::Record(work) => crm::send(&worker.crm, &worker.desk, id, work, now).await,
        }
    }

    fn pause_ms(&self, error: &notify::Error, attempts: i64) -> Option<i64> {
        match self {
            Self::Message(work) => work.pause_ms(error, attempts),
            Self::Record(_) => crm::pause_ms(error, attempts),
        }
    }

    fn has_patience(&self, failing_ms: i64) -> bool {
        match self {
            Self::Message(work) => work.has_patience(failing_ms, GIVE_UP_MS),
            Self::Record(_) => failing_ms < GIVE_UP_MS,
        }
    }
}

/// A mail about a call that whoever booked it, or a colleague, does not get.
struct Missed {
    booking: BookingId,
    sequence: i64,
    mail: Mail,
    how: How,
    said: Option<String>,
}

impl Missed {
    fn of(todo: &Todo, how: How, said: Option<&str>) -> Option<Self> {
        let Todo::Message(Work::Mail { mail }) = todo else { return None };
        let of_team = mail.team_call().map(|(booking, sequence, _)| (booking, sequence));
        let (booking, sequence) = mail.call().or(of_team)?;
        Some(Self { booking, sequence, mail: mail.clone(), how, said: said.map(str::to_owned) })
    }

    fn failed(&self) -> Failed<'_> {
        let (booking, sequence, how) = (self.booking, Some(self.sequence), self.how);
        let whose = self.mail.team_call().map(|(_, _, whose)| whose);
        Failed { booking, sequence, template: self.mail.name(), whose, how, said: self.said.as_deref() }
    }
}

/// What else is to be noted with the end of a job.
#[derive(Default)]
struct Follows {
    /// What somebody does not get by it.
    missed: Option<Missed>,
    /// The walk and the step whose letter it is.
    letter: Option<(EnrolmentId, i64)>,
}

/// How a job ends, and what follows from that.
async fn end_of(worker: &Worker, job: &Claimed, now: Timestamp) -> (End, Follows) {
    let todo = match Todo::read(job) {
        Ok(todo) => todo,
        Err(error) => {
            let said = format!("the job cannot be read: {error}");
            return (End::Dead(Reason { code: "unreadable", said }), Follows::default());
        }
    };
    let letter = match &todo {
        Todo::Message(Work::Mail { mail: Mail::Letter { enrolment, step, .. } }) => Some((*enrolment, *step)),
        Todo::Message(_) | Todo::Record(_) => None,
    };
    let follows = Follows { missed: None, letter };
    let (db, id) = (&worker.desk.stores.db, job.id.to_string());
    let sent = tokio::time::timeout(PATIENCE, todo.send(worker, job, &id, now)).await;
    let now = worker.clock.now();
    let sent = sent.unwrap_or_else(|_| Err(notify::Error::Unreachable("no answer for 45 s".to_owned())));
    let (end, missed) = match sent {
        Ok(Sent::Out) => return (End::Done, follows),
        Ok(Sent::Waits { until, why }) => {
            return (End::Again { at: until, reason: reason_of(why), is_trouble: false }, follows);
        }
        Ok(Sent::Superseded(why)) => {
            let how = How::of_why(why, job.trouble_since.is_some());
            (End::Dropped(reason_of(why)), how.and_then(|how| Missed::of(&todo, how, None)))
        }
        Err(error) => {
            let (how, reason) =
                (How::of_error(&error), Reason { code: error.code(), said: error.to_string() });
            match todo.pause_ms(&error, job.attempts) {
                Some(pause_ms) if todo.has_patience(now.since_ms(job.trouble_since.unwrap_or(now))) => {
                    let at = now.plus_ms(pause_ms + jitter(pause_ms));
                    return (End::Again { at, reason, is_trouble: true }, follows);
                }
                _ => {
                    let missed = Missed::of(&todo, how, Some(&reason.said));
                    (End::Dead(reason), missed)
                }
            }
        }
    };
    // What does not go out takes up no place among what the reader gets.
    if let Todo::Message(Work::Mail { .. }) = todo
        && let Err(error) = subscriptions::give_slot_back(db, &id).await
    {
        tracing::warn!(job.id = %id, error = %error, "the place of a mail that is not sent is still taken");
    }
    (end, Follows { missed, ..follows })
}

fn reason_of(why: Why) -> Reason {
    Reason { code: why.code, said: why.words.to_owned() }
}

/// Up to a fifth, so that many jobs that failed together do not come back together.
fn jitter(pause_ms: i64) -> i64 {
    let mut byte = [0_u8; 1];
    if getrandom::fill(&mut byte).is_err() {
        return 0;
    }
    pause_ms * i64::from(byte[0]) / (5 * 255)
}
