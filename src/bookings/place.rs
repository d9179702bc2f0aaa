//! Takes a slot: asks the pure parts under the locks of the reps, and writes.

use super::assign::{self, Preference};
use super::slots::{self, Busy, Slot, Span};
use super::team::{Meeting, Rep, Team};
use super::{Booking, Error, Holder, Pick, Result, State, Time, calendars, store};
use crate::base::ids::{BookingId, ContactId};
use crate::base::language::Language;
use crate::base::time::{DAY_MS, Timestamp};
use crate::storage;
use crate::storage::db::{Queries, Tx};

/// What the constraint against overlaps is called on both engines.
const GUARD: &str = "bookings_overlap";
/// How many other times whoever came too late is offered.
const ALTERNATIVES: usize = 3;

/// What somebody wants.
pub struct Wish {
    pub starts_at: Timestamp,
    pub holder: Holder,
    pub contact: Option<ContactId>,
    pub language: Language,
    /// The rep who has it now, when it is moved.
    pub keep: Option<String>,
}

impl Wish {
    /// Somebody who picked a slot.
    pub fn of(pick: &Pick<'_>) -> Self {
        Self {
            starts_at: pick.starts_at,
            holder: pick.holder,
            contact: pick.contact,
            language: pick.language,
            keep: None,
        }
    }

    /// Somebody who only looks.
    pub fn looking(holder: &Holder) -> Self {
        Self {
            starts_at: Timestamp::default(),
            holder: *holder,
            contact: None,
            language: Language::default(),
            keep: None,
        }
    }
}

/// The row that takes the slot.
pub enum Target {
    /// A new hold, still without its rep.
    New(Booking),
    /// A booking that moves.
    Move(Booking),
}

impl Target {
    fn moving(&self) -> Option<&Booking> {
        match self {
            Self::New(_) => None,
            Self::Move(old) => Some(old),
        }
    }
}

/// Waits until nobody else writes to this rep's calendar.
pub async fn lock(tx: &mut Tx, rep: &str) -> Result<()> {
    Ok(tx.lock(&format!("rep:{rep}")).await?)
}

/// Waits until nobody else changes this contact. The same lock as that of a change of stage, and always taken before
/// the reps': a booking ends with such a change.
pub async fn lock_contact(tx: &mut Tx, contact: ContactId) -> Result<()> {
    Ok(tx.lock(&format!("contact:{contact}")).await?)
}

/// The free slots within `window`, as whoever wishes sees them.
pub async fn free<'t>(
    q: &mut impl Queries,
    team: &'t Team,
    meeting: &'t Meeting,
    window: Span,
    wish: &Wish,
    now: Timestamp,
) -> Result<Vec<Slot<'t>>> {
    let busy = busy(q, window, &wish.holder, None, now).await?;
    Ok(slots::slots(meeting, &team.reps_of(meeting), &busy, window, now))
}

/// The times to which a booking could move: those of its own rep, itself not counted.
pub async fn free_for<'t>(
    q: &mut impl Queries,
    team: &'t Team,
    meeting: &'t Meeting,
    booking: &Booking,
    window: Span,
    now: Timestamp,
) -> Result<Vec<Slot<'t>>> {
    let holder = Holder { visitor: booking.visitor, conversation: booking.conversation };
    let busy = busy(q, window, &holder, Some(booking.id), now).await?;
    Ok(slots::slots(meeting, &eligible(team, meeting, Some(&booking.rep)), &busy, window, now))
}

/// Who may hold the meeting. A booking that moves stays with its rep, so that nobody else's calendar must change; only
/// if that rep does not hold such meetings any more, the others may.
fn eligible<'t>(team: &'t Team, meeting: &Meeting, keep: Option<&str>) -> Vec<&'t Rep> {
    let mut reps = team.reps_of(meeting);
    if let Some(keep) = keep.filter(|keep| reps.iter().any(|rep| rep.id == *keep)) {
        reps.retain(|rep| rep.id == keep);
    }
    reps
}

/// Whether the wished slot could be taken now; what [`place`] would say, without a lock and without writing.
pub async fn look(
    q: &mut impl Queries,
    team: &Team,
    meeting: &Meeting,
    wish: &Wish,
    now: Timestamp,
) -> Result<()> {
    let reps = team.reps_of(meeting);
    working(meeting, &reps, wish.starts_at, now)?;
    if !free(q, team, meeting, at(wish.starts_at), wish, now).await?.is_empty() {
        return Ok(());
    }
    let alternatives = alternatives(q, meeting, &reps, wish, None, now).await?;
    Err(Error::SlotTaken { alternatives })
}

/// Takes the wished slot for the best rep who is free.
pub async fn place(
    tx: &mut Tx,
    team: &Team,
    meeting: &Meeting,
    wish: &Wish,
    target: Target,
    now: Timestamp,
) -> Result<Booking> {
    let reps = eligible(team, meeting, wish.keep.as_deref());
    let candidates = working(meeting, &reps, wish.starts_at, now)?;
    if let Some(contact) = wish.contact {
        lock_contact(tx, contact).await?;
    }
    // Always in the order of the ids: two writers that want several locks never wait for each other.
    let mut locks: Vec<&str> = candidates.iter().map(|rep| rep.id.as_str()).collect();
    locks.sort_unstable();
    for rep in locks {
        lock(tx, rep).await?;
        store::expire_holds_of(tx, rep, now).await?;
    }
    store::release_holds(tx, &wish.holder, now).await?;
    let moving = target.moving().map(|booking| booking.id);
    let window = at(wish.starts_at);
    let busy = busy(tx, window, &wish.holder, moving, now).await?;
    let free = slots::slots(meeting, &candidates, &busy, window, now)
        .pop()
        .map(|slot| slot.reps)
        .unwrap_or_default();
    if !free.is_empty() {
        let standings = store::standings(tx, assign::cycle_start(meeting, now)).await?;
        let owner = match wish.contact {
            Some(contact) => store::owner(tx, contact).await?,
            None => None,
        };
        let owner = owner.and_then(|account| team.rep_of_account(&account));
        let preference = Preference {
            keep: wish.keep.as_deref(),
            owner: owner.map(|rep| rep.id.as_str()),
            language: wish.language,
        };
        let ranking = assign::ranked(&free, &standings, &preference);
        for rep in &ranking {
            let reason = assign::reason(rep, &ranking, &standings, &preference);
            let booking = taken(&target, rep, meeting, wish.starts_at, reason, now);
            if write(tx, &target, &booking).await? {
                return Ok(booking);
            }
        }
    }
    let alternatives = alternatives(tx, meeting, &reps, wish, moving, now).await?;
    Err(Error::SlotTaken { alternatives })
}

/// The row as it will stand.
fn taken(
    target: &Target,
    rep: &Rep,
    meeting: &Meeting,
    starts_at: Timestamp,
    reason: assign::Reason,
    now: Timestamp,
) -> Booking {
    match target {
        Target::New(blank) => Booking { rep: rep.id.clone(), assignment: Some(reason), ..blank.clone() },
        Target::Move(old) => Booking {
            rep: rep.id.clone(),
            starts_at,
            ends_at: starts_at.plus_ms(meeting.duration_ms),
            block: slots::block(meeting, starts_at),
            sequence: old.sequence + 1,
            assignment: Some(reason),
            updated_at: now,
            ..old.clone()
        },
    }
}

/// Writes the row; `false` if the guard refuses, with the transaction still good.
async fn write(tx: &mut Tx, target: &Target, booking: &Booking) -> Result<bool> {
    tx.savepoint().await?;
    let written = match target {
        Target::New(_) => store::insert(tx, booking).await.map_err(Error::from),
        Target::Move(old) => store::replace(tx, old, booking).await,
    };
    match written {
        Ok(()) => Ok(true),
        Err(Error::Store(storage::Error::Conflict(text))) if text.contains(GUARD) => {
            tracing::warn!(booking.rep = %booking.rep, "the guard against double booking had to speak");
            tx.rollback_to_savepoint().await?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// The reps who could hold the meeting at this time if nothing else were in their calendars.
fn working<'a>(
    meeting: &Meeting,
    reps: &[&'a Rep],
    starts_at: Timestamp,
    now: Timestamp,
) -> Result<Vec<&'a Rep>> {
    if starts_at <= now {
        return Err(Error::SlotPast);
    }
    let offered = |meeting: &Meeting| slots::slots(meeting, reps, &Busy::new(), at(starts_at), now).pop();
    if let Some(slot) = offered(meeting) {
        return Ok(slot.reps);
    }
    let without_notice = Meeting { notice_ms: 0, ..meeting.clone() };
    Err(if offered(&without_notice).is_some() { Error::SlotTooSoon } else { Error::SlotUnknown })
}

/// The free times nearest to the wished one, earliest first.
async fn alternatives(
    q: &mut impl Queries,
    meeting: &Meeting,
    reps: &[&Rep],
    wish: &Wish,
    moving: Option<BookingId>,
    now: Timestamp,
) -> Result<Vec<Time>> {
    let window = Span::new(now, now.plus_ms((i64::from(meeting.window_days) + 2) * DAY_MS));
    let busy = busy(q, window, &wish.holder, moving, now).await?;
    let mut times: Vec<Time> =
        slots::slots(meeting, reps, &busy, window, now).iter().map(Time::from).collect();
    times.sort_by_key(|time| (time.starts_at.since_ms(wish.starts_at).abs(), time.starts_at));
    times.truncate(ALTERNATIVES);
    times.sort_unstable();
    Ok(times)
}

/// What blocks the reps around `window`, here and in their own calendars, but for what this holder holds and the booking
/// that is being moved.
async fn busy(
    q: &mut impl Queries,
    window: Span,
    holder: &Holder,
    moving: Option<BookingId>,
    now: Timestamp,
) -> Result<Busy> {
    // No block is longer than a day (`team_file.rs` bounds its parts), so a day more on each side sees all of them.
    let around = Span::new(window.from.plus_ms(-DAY_MS), window.to.plus_ms(DAY_MS));
    let mut busy = Busy::new();
    for (rep, elsewhere) in calendars::busy_elsewhere(q, around, now).await? {
        busy.entry(rep).or_default().push(elsewhere);
    }
    for blocking in store::blocking(q, around, now).await? {
        let is_own_hold = blocking.state == State::Hold && holder.holds(&blocking);
        if !is_own_hold && moving != Some(blocking.id) {
            busy.entry(blocking.rep).or_default().push(blocking.block);
        }
    }
    Ok(busy)
}

/// The window that holds one start.
fn at(starts_at: Timestamp) -> Span {
    Span::new(starts_at, starts_at.plus_ms(1))
}
