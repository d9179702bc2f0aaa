//! Sequences of letters that follow a stage or a segment.
//!
//! Somebody enters when she is in the sequence's place and gets the letters of its topic. Each step waits, asks its
//! condition and hands one letter over; the row that says so and the job that sends it are one transaction, so a letter is
//! sent once, whatever dies in between. What ends a sequence is asked before each step, and again just before the letter
//! leaves.
//!
//! Two contacts that are one person walk through a sequence once: of two walks the one goes on that has come further. Once
//! they are two again, so are their walks.

pub mod forecast;
pub mod sequence;
pub mod store;

use serde::Serialize;
use serde_json::json;

pub use sequence::{Known, Once, Place, Sequence, Sequences};
pub use store::{Group, PERSONAL, counts, due, find, groups, of_contact, under_way};

use crate::base::ids::{ContactId, EnrolmentId};
use crate::base::time::{DAY_MS, Timestamp};
use crate::contacts::{self, Contact};
use crate::events::Event;
use crate::scoring::condition::{Condition, Scope};
use crate::storage;
use crate::storage::db::{Queries, Tx};
use crate::{scoring, segments, stages, subscriptions};

/// Why a walk ended that somebody of the company ended.
const TAKEN_OUT: &str = "taken_out";
/// Why a walk ended of somebody who goes through the sequence under another of her addresses.
const MERGED: &str = "merged";
/// How far back conditions look.
const MEMORY_MS: i64 = 400 * DAY_MS;

/// How far a walk has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Under way.
    Active,
    /// Through, or its goal was reached.
    Done,
    /// Ended before.
    Left,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Active, Self::Done, Self::Left];

    /// The word in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Done => "done",
            Self::Left => "left",
        }
    }

    /// The state of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// One walk of a contact through a sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Enrolment {
    pub id: EnrolmentId,
    pub sequence: String,
    pub contact: ContactId,
    pub state: State,
    /// The next step, from 0.
    pub step: i64,
    /// When it is due.
    pub next_at: Timestamp,
    /// Why it ended.
    pub reason: Option<String>,
    pub entered_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

/// What ends a walk before its last letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The contact was erased.
    Erased,
    /// The sequence stands in no file any more.
    Gone,
    /// She never asked for the letters of the topic, or has not confirmed that she did.
    NotConfirmed,
    /// She does not get the letters of the topic any more, or has objected.
    Unsubscribed,
    /// She is not where she entered any more, or where the sequence ends.
    Elsewhere,
    /// She booked a call.
    Booked,
    /// She answered.
    Replied,
    /// What the letters were for has happened.
    Goal,
    /// Somebody of the company took her out.
    TakenOut,
    /// Two contacts are one person, and the other's walk goes on.
    Merged,
}

impl Exit {
    /// Every one.
    pub const ALL: [Self; 10] = [
        Self::Erased,
        Self::Gone,
        Self::NotConfirmed,
        Self::Unsubscribed,
        Self::Elsewhere,
        Self::Booked,
        Self::Replied,
        Self::Goal,
        Self::TakenOut,
        Self::Merged,
    ];

    /// The word that is kept as the reason.
    pub fn word(self) -> &'static str {
        match self {
            Self::Erased => "erased",
            Self::Gone => "sequence_gone",
            Self::NotConfirmed => "not_confirmed",
            Self::Unsubscribed => "unsubscribed",
            Self::Elsewhere => "elsewhere",
            Self::Booked => "booked",
            Self::Replied => "replied",
            Self::Goal => "goal",
            Self::TakenOut => TAKEN_OUT,
            Self::Merged => MERGED,
        }
    }

    /// For the list of what was not sent.
    pub fn words(self) -> &'static str {
        match self {
            Self::Erased => "the contact was erased",
            Self::Gone => "the sequence stands in no file any more",
            Self::NotConfirmed => "the reader has not asked for these letters, or not confirmed it",
            Self::Unsubscribed => "the reader has unsubscribed or objected",
            Self::Elsewhere => "the contact has left the stage or segment",
            Self::Booked => "a call was booked",
            Self::Replied => "the reader has answered",
            Self::Goal => "the goal was reached",
            Self::TakenOut => "somebody of the company took the contact out",
            Self::Merged => "the contact was merged with another one that gets these letters",
        }
    }
}

/// A letter that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub enrolment: EnrolmentId,
    pub contact: ContactId,
    pub sequence: String,
    pub step: i64,
    /// Which letter.
    pub mail: String,
    pub topic: String,
    /// Whether it counts as an attempt to win somebody back.
    pub is_attempt: bool,
}

/// Whether a contact is in a place.
async fn is_in(q: &mut impl Queries, contact: &Contact, place: &Place) -> storage::Result<bool> {
    match place {
        Place::Stage(stage) => Ok(contact.stage == *stage),
        Place::Segment(segment) => segments::is_member(q, contact.id, segment).await,
        Place::Customer(state) => Ok(stages::track::state_of(q, contact.id).await?.as_ref() == Some(state)),
    }
}

async fn holds(
    q: &mut impl Queries,
    sequence: &Sequence,
    condition: &Condition,
    contact: ContactId,
    now: Timestamp,
) -> storage::Result<bool> {
    let Some(mut facts) = scoring::store::facts(q, contact, &sequence.titles).await? else {
        return Ok(false);
    };
    let mut activities = scoring::store::activities(q, contact, now.plus_ms(-MEMORY_MS)).await?;
    sequence.tags.put_on(&mut activities);
    facts.learn_from(&activities);
    Ok(condition.holds(&Scope::of_facts(&facts, &activities, now)))
}

/// What ends a walk now, if anything does.
///
/// # Errors
/// As the store says.
pub async fn exit(
    q: &mut impl Queries,
    sequence: &Sequence,
    contact: ContactId,
    entered_at: Timestamp,
    now: Timestamp,
) -> Result<Option<Exit>, subscriptions::Error> {
    let Some(contact) = contacts::find(q, contact).await? else { return Ok(Some(Exit::Erased)) };
    if !subscriptions::wants(q, contact.id, &sequence.topic).await? {
        let known = subscriptions::find(q, contact.id, &sequence.topic).await?;
        let is_confirmed = known.is_some_and(|known| known.state != subscriptions::State::Unconfirmed);
        return Ok(Some(if is_confirmed { Exit::Unsubscribed } else { Exit::NotConfirmed }));
    }
    if sequence.ends_when_booked || sequence.ends_when_replied {
        let since = contacts::activities(q, contact.id, 500).await?;
        let happened =
            |kind: &str| since.iter().any(|activity| activity.kind == kind && activity.at >= entered_at);
        if sequence.ends_when_booked && happened("booking.confirmed") {
            return Ok(Some(Exit::Booked));
        }
        if sequence.ends_when_replied && happened("email.replied") {
            return Ok(Some(Exit::Replied));
        }
    }
    if let Some(goal) = &sequence.goal
        && holds(q, sequence, goal, contact.id, now).await?
    {
        return Ok(Some(Exit::Goal));
    }
    for place in &sequence.leave {
        if is_in(q, &contact, place).await? {
            return Ok(Some(Exit::Elsewhere));
        }
    }
    if sequence.leave.is_empty() && !is_in(q, &contact, &sequence.enter).await? {
        return Ok(Some(Exit::Elsewhere));
    }
    Ok(None)
}

/// Takes note of a fact: whoever is where a sequence begins enters it, whoever is where it ends leaves it.
///
/// # Errors
/// As the store says.
pub async fn hear(
    tx: &mut Tx,
    sequences: &Sequences,
    event: &Event,
    now: Timestamp,
) -> Result<(), subscriptions::Error> {
    let contact = match event {
        Event::StageChanged { contact, .. }
        | Event::CustomerStateChanged { contact, .. }
        | Event::SegmentEntered { contact, .. }
        | Event::SegmentLeft { contact, .. }
        | Event::SubscriptionConfirmed { contact, .. }
        | Event::SubscriptionEnded { contact, .. }
        | Event::BookingConfirmed { contact, .. } => *contact,
        Event::ContactsMerged { contact, .. } => {
            others_end(tx, sequences, *contact, now).await?;
            *contact
        }
        Event::ContactsUnmerged { contact, merged } => {
            go_on_apart(tx, [*contact, *merged], now).await?;
            if !sequences.all().is_empty() {
                look_at(tx, sequences, *merged, now).await?;
            }
            *contact
        }
        Event::FormSubmitted { .. }
        | Event::CodeAsked { .. }
        | Event::PreferencesAsked { .. }
        | Event::CalendarStale { .. }
        | Event::ContactOnSite { .. }
        | Event::DealWon { .. }
        | Event::DealLost { .. }
        | Event::MilestoneReached { .. }
        | Event::BantCompleted { .. }
        | Event::HandoverGiven { .. }
        | Event::HandoverTaken { .. }
        | Event::HandoverLate { .. }
        | Event::TaskGiven { .. }
        | Event::SlaBreached { .. }
        | Event::SubscriptionAsked { .. }
        | Event::WebinarRegistered { .. }
        | Event::WebinarAttended { .. }
        | Event::WebinarMissed { .. }
        | Event::WebinarMoved { .. }
        | Event::WebinarCancelled { .. }
        | Event::RecordingWatched { .. }
        | Event::ConversationOpened { .. }
        | Event::HandoffRequested { .. }
        | Event::HandoffOffered { .. }
        | Event::QuestionLeft { .. }
        | Event::FlowLetter { .. }
        | Event::FlowNotice { .. }
        | Event::FlowEvent { .. }
        | Event::TranscriptAsked { .. }
        | Event::HandoffAccepted { .. }
        | Event::HandoffExpired { .. }
        | Event::ConversationClosed { .. }
        | Event::BookingRescheduled { .. }
        | Event::BookingCancelled { .. }
        | Event::BookingOutcomeSet { .. }
        | Event::BookingMailFailed { .. }
        | Event::BookingWithdrawn { .. }
        | Event::RepMailFailed { .. }
        | Event::EndpointDisabled { .. } => return Ok(()),
    };
    if sequences.all().is_empty() {
        return Ok(());
    }
    look_at(tx, sequences, contact, now).await
}

/// Ends what is over for a contact, and lets her enter where she is to.
async fn look_at(
    tx: &mut Tx,
    sequences: &Sequences,
    contact: ContactId,
    now: Timestamp,
) -> Result<(), subscriptions::Error> {
    let Some(known) = contacts::find(tx, contact).await? else { return Ok(()) };
    let walks = store::of_contact(tx, known.id).await?;
    for walk in walks.iter().filter(|walk| walk.state == State::Active) {
        end_if_over(tx, sequences, walk, now).await?;
    }
    for sequence in sequences.all() {
        if is_in(tx, &known, &sequence.enter).await?
            && exit(tx, sequence, known.id, now, now).await?.is_none()
        {
            enter(tx, sequence, known.id, now).await?;
        }
    }
    Ok(())
}

/// Which of two walks of one person goes on: whoever is through needs no letter again; else the one that has come further,
/// else the one that began first.
fn goes_before(one: &Enrolment, other: &Enrolment) -> bool {
    let rank = |walk: &Enrolment| {
        (walk.state != State::Done, std::cmp::Reverse(walk.step), walk.entered_at, walk.id)
    };
    rank(one) < rank(other)
}

/// Whether one of a person's walks is instead of another one of hers.
fn is_instead_of(other: &Enrolment, walk: &Enrolment) -> bool {
    other.id != walk.id && other.sequence == walk.sequence && goes_before(other, walk)
}

/// Ends each walk of a person that gives way to another of hers.
async fn others_end(
    tx: &mut Tx,
    sequences: &Sequences,
    contact: ContactId,
    now: Timestamp,
) -> storage::Result<()> {
    let walks = store::of_contact(tx, contact).await?;
    for walk in walks.iter().filter(|walk| walk.state == State::Active) {
        let once = sequences.find(&walk.sequence).map(|sequence| sequence.once);
        let counts = |other: &Enrolment| match other.state {
            State::Active => true,
            // The other has had these letters. What was hers before was another time.
            State::Done => once == Some(Once::PerContact) && other.contact != walk.contact,
            State::Left => false,
        };
        if walks.iter().any(|other| counts(other) && is_instead_of(other, walk)) {
            give_way(tx, walk, now).await?;
        }
    }
    Ok(())
}

async fn give_way(tx: &mut Tx, walk: &Enrolment, now: Timestamp) -> storage::Result<()> {
    if store::end(tx, walk, State::Left, walk.step, MERGED, now).await? {
        tell(tx, walk.contact, "nurture.left", &walk.sequence, Some(MERGED), now).await?;
    }
    Ok(())
}

/// Two contacts are two again: the walks that ended because they were one go on where they were.
async fn go_on_apart(tx: &mut Tx, contacts: [ContactId; 2], now: Timestamp) -> storage::Result<()> {
    for walk in store::ended_for(tx, contacts, MERGED).await? {
        go_on_again(tx, &walk, MERGED, now).await?;
    }
    Ok(())
}

/// Goes on with a walk that ended for this reason, unless she is on another one by now.
async fn go_on_again(tx: &mut Tx, walk: &Enrolment, reason: &str, now: Timestamp) -> storage::Result<()> {
    let person = contacts::survivor(tx, walk.contact).await.map_err(stored)?;
    let walks = store::of_contact(tx, person).await?;
    let is_on_another = |other: &Enrolment| other.sequence == walk.sequence && other.state == State::Active;
    if !walks.iter().any(is_on_another) && store::reopen(tx, walk.id, reason).await? {
        tell(tx, walk.contact, "nurture.entered", &walk.sequence, None, now).await?;
    }
    Ok(())
}

async fn enter(tx: &mut Tx, sequence: &Sequence, contact: ContactId, now: Timestamp) -> storage::Result<()> {
    let once_key = match sequence.once {
        Once::PerContact => "contact".to_owned(),
        Once::PerJourney => format!("journey:{}", store::journey(tx, contact).await?),
    };
    if store::has_walk(tx, &sequence.id, contact, &once_key).await? {
        return Ok(());
    }
    let wait_ms = sequence.steps.first().map_or(0, |step| step.wait_ms);
    if store::insert(tx, &sequence.id, contact, &once_key, now.plus_ms(wait_ms), now).await?.is_some() {
        tell(tx, contact, "nurture.entered", &sequence.id, None, now).await?;
    }
    Ok(())
}

/// Puts somebody into a sequence by hand, though she went through it before; `by` tells this time from any other. Returns
/// the walk; nothing if she is in it, or something would end it at once, such as that she does not get its letters.
///
/// # Errors
/// As the store says.
pub async fn put_in(
    tx: &mut Tx,
    sequence: &Sequence,
    contact: ContactId,
    by: &str,
    now: Timestamp,
) -> Result<Option<EnrolmentId>, subscriptions::Error> {
    let is_in = |walk: &Enrolment| walk.sequence == sequence.id && walk.state == State::Active;
    if store::of_contact(tx, contact).await?.iter().any(is_in)
        || exit(tx, sequence, contact, now, now).await?.is_some()
    {
        return Ok(None);
    }
    let wait_ms = sequence.steps.first().map_or(0, |step| step.wait_ms);
    let key = format!("hand:{by}");
    let walk = store::insert(tx, &sequence.id, contact, &key, now.plus_ms(wait_ms), now).await?;
    if walk.is_some() {
        tell(tx, contact, "nurture.entered", &sequence.id, None, now).await?;
    }
    Ok(walk)
}

/// Takes somebody out of a sequence. Returns the walk that this ended, if there was one.
///
/// # Errors
/// As the store says.
pub async fn take_out(
    tx: &mut Tx,
    sequence: &Sequence,
    contact: ContactId,
    now: Timestamp,
) -> storage::Result<Option<EnrolmentId>> {
    let walks = store::of_contact(tx, contact).await?;
    let is_in = |walk: &&Enrolment| walk.sequence == sequence.id && walk.state == State::Active;
    let Some(walk) = walks.iter().find(is_in) else { return Ok(None) };
    if !store::end(tx, walk, State::Left, walk.step, TAKEN_OUT, now).await? {
        return Ok(None);
    }
    tell(tx, contact, "nurture.left", &walk.sequence, Some(TAKEN_OUT), now).await?;
    Ok(Some(walk.id))
}

/// Takes back that somebody was put in: she is out again.
///
/// # Errors
/// As the store says.
pub async fn put_in_by_mistake(tx: &mut Tx, walk: EnrolmentId, now: Timestamp) -> storage::Result<()> {
    let Some(walk) = store::find(tx, walk).await?.filter(|walk| walk.state == State::Active) else {
        return Ok(());
    };
    if store::end(tx, &walk, State::Left, walk.step, TAKEN_OUT, now).await? {
        tell(tx, walk.contact, "nurture.left", &walk.sequence, Some(TAKEN_OUT), now).await?;
    }
    Ok(())
}

/// Takes back that somebody was taken out: she goes on where she was, unless she was put in again meanwhile.
///
/// # Errors
/// As the store says.
pub async fn taken_out_by_mistake(tx: &mut Tx, walk: EnrolmentId, now: Timestamp) -> storage::Result<()> {
    let Some(walk) = store::find(tx, walk).await? else { return Ok(()) };
    go_on_again(tx, &walk, TAKEN_OUT, now).await
}

async fn tell(
    tx: &mut Tx,
    contact: ContactId,
    kind: &str,
    sequence: &str,
    reason: Option<&str>,
    now: Timestamp,
) -> storage::Result<()> {
    let props = json!({ "reason": reason });
    contacts::record(tx, Some(contact), None, kind, Some(sequence), props, now).await.map_err(stored)
}

fn stored(error: contacts::Error) -> storage::Error {
    match error {
        contacts::Error::Storage(error) => error,
        contacts::Error::Unknown => storage::Error::Engine(error.to_string()),
    }
}

/// Ends a walk if something ends it; returns whether it did.
async fn end_if_over(
    tx: &mut Tx,
    sequences: &Sequences,
    walk: &Enrolment,
    now: Timestamp,
) -> Result<bool, subscriptions::Error> {
    let exit = match sequences.find(&walk.sequence) {
        Some(sequence) => exit(tx, sequence, walk.contact, walk.entered_at, now).await?,
        None => Some(Exit::Gone),
    };
    let Some(exit) = exit else { return Ok(false) };
    let (state, kind) = match exit {
        Exit::Goal => (State::Done, "nurture.completed"),
        Exit::Erased
        | Exit::Gone
        | Exit::NotConfirmed
        | Exit::Unsubscribed
        | Exit::Elsewhere
        | Exit::Booked
        | Exit::Replied
        | Exit::TakenOut
        | Exit::Merged => (State::Left, "nurture.left"),
    };
    if store::end(tx, walk, state, walk.step, exit.word(), now).await? {
        tell(tx, walk.contact, kind, &walk.sequence, Some(exit.word()), now).await?;
    }
    Ok(true)
}

/// Takes the next step of a walk, if it is due. Returns the letter to send, if the step sends one.
///
/// # Errors
/// As the store says.
pub async fn advance(
    tx: &mut Tx,
    sequences: &Sequences,
    id: EnrolmentId,
    now: Timestamp,
) -> Result<Option<Due>, subscriptions::Error> {
    let is_due = |walk: &Enrolment| walk.state == State::Active && walk.next_at <= now;
    let Some(walk) = store::find(tx, id).await?.filter(is_due) else { return Ok(None) };
    if end_if_over(tx, sequences, &walk, now).await? {
        return Ok(None);
    }
    let Some(sequence) = sequences.find(&walk.sequence) else { return Ok(None) };
    // She may have been merged a moment ago, before anybody was told.
    let person = contacts::survivor(tx, walk.contact).await.map_err(stored)?;
    let walks = store::of_contact(tx, person).await?;
    let is_instead = |other: &Enrolment| other.state == State::Active && is_instead_of(other, &walk);
    if walks.iter().any(is_instead) {
        give_way(tx, &walk, now).await?;
        return Ok(None);
    }
    let at = |step: i64| usize::try_from(step).ok().and_then(|step| sequence.steps.get(step));
    let due = match at(walk.step) {
        Some(step) => {
            let is_for_her = match &step.condition {
                Some(condition) => holds(tx, sequence, condition, walk.contact, now).await?,
                None => true,
            };
            is_for_her.then(|| Due {
                enrolment: walk.id,
                contact: walk.contact,
                sequence: walk.sequence.clone(),
                step: walk.step,
                mail: step.mail.clone(),
                topic: sequence.topic.clone(),
                is_attempt: step.is_attempt,
            })
        }
        None => None,
    };
    let next = walk.step.saturating_add(1);
    let is_ours = match at(next) {
        Some(step) => store::go_on(tx, &walk, next, now.plus_ms(step.wait_ms)).await?,
        None => store::end(tx, &walk, State::Done, next, "through", now).await?,
    };
    if is_ours && at(next).is_none() {
        tell(tx, walk.contact, "nurture.completed", &walk.sequence, Some("through"), now).await?;
    }
    // Another worker has taken the step meanwhile: the letter is its.
    Ok(due.filter(|_| is_ours))
}

/// A letter of a walk leaves at that moment, or will not before: what comes after it waits from then on, so that letters
/// which are held back do not come together with the next.
///
/// # Errors
/// As the store says.
pub async fn letter_leaves(
    tx: &mut Tx,
    sequences: &Sequences,
    (id, step): (EnrolmentId, i64),
    at: Timestamp,
) -> storage::Result<()> {
    let Some(walk) = store::find(tx, id).await? else { return Ok(()) };
    let next = sequences
        .find(&walk.sequence)
        .and_then(|sequence| usize::try_from(walk.step).ok().and_then(|step| sequence.steps.get(step)));
    if let (State::Active, Some(next), true) = (walk.state, next, walk.step == step.saturating_add(1)) {
        store::go_on(tx, &walk, walk.step, at.plus_ms(next.wait_ms)).await?;
    }
    Ok(())
}

/// Whether a letter of a walk must not go out any more, asked just before it leaves.
///
/// # Errors
/// As the store says.
pub async fn stop(
    q: &mut impl Queries,
    sequences: &Sequences,
    id: EnrolmentId,
    now: Timestamp,
) -> Result<Option<Exit>, subscriptions::Error> {
    let Some(walk) = store::find(q, id).await? else { return Ok(Some(Exit::Erased)) };
    match walk.reason.as_deref() {
        Some(TAKEN_OUT) => return Ok(Some(Exit::TakenOut)),
        Some(MERGED) => return Ok(Some(Exit::Merged)),
        Some(_) | None => {}
    }
    match sequences.find(&walk.sequence) {
        Some(sequence) => exit(q, sequence, walk.contact, walk.entered_at, now).await,
        None => Ok(Some(Exit::Gone)),
    }
}
