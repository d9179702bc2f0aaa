//! Takes a slot: asks the pure parts under the locks of the reps, and writes.

use std::collections::BTreeMap;

use super::absence::{self, Absence, Cover};
use super::assign::{self, PassedOver, Preference, WhyNot};
use super::limits::{self, Counted, Full};
use super::location::About;
use super::slots::{self, Busy, Slot, Span};
use super::store::Blocking;
use super::team::{Meeting, Rep, Team};
use super::{Booking, Error, Holder, Pick, Result, State, Time, calendars, rotation, store};
use crate::base::ids::{BookingId, ContactId};
use crate::base::language::Language;
use crate::base::time::{DAY_MS, Timestamp};
use crate::contacts;
use crate::storage;
use crate::storage::db::{Queries, Tx};

/// What the constraint against overlaps is called on both engines.
const GUARD: &str = "bookings_overlap";
/// How many other times whoever came too late is offered.
const ALTERNATIVES: usize = 3;
/// How many days around a time others are looked for at first, if there are enough in them.
const AROUND_DAYS: [i64; 2] = [1, 5];
/// How far around a time calls are counted against the limits: its week, in every zone.
const COUNTED_MS: i64 = 8 * DAY_MS;
/// How far back an absence can lie that still matters: the longest cycle.
const ABSENT_MS: i64 = 93 * DAY_MS;

/// What somebody wants.
pub struct Wish {
    pub starts_at: Timestamp,
    pub holder: Holder,
    pub contact: Option<ContactId>,
    pub language: Language,
    /// Those who have it now, when it is moved.
    pub keep: Option<Kept>,
    /// Set where a colleague chose the rep; the words are her reason, perhaps empty.
    pub chosen: Option<String>,
    /// The call in whose place it would come: it still blocks its time, and is not counted against the limits.
    pub instead_of: Option<BookingId>,
}

/// Those who have a call.
#[derive(Debug, Clone)]
pub struct Kept {
    pub rep: String,
    pub companion: Option<String>,
}

impl Kept {
    pub fn of(booking: &Booking) -> Self {
        Self { rep: booking.rep.clone(), companion: booking.companion.clone() }
    }
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
            chosen: None,
            instead_of: None,
        }
    }

    /// Somebody who only looks.
    pub fn looking(holder: &Holder, contact: Option<ContactId>) -> Self {
        Self {
            starts_at: Timestamp::default(),
            holder: *holder,
            contact,
            language: Language::default(),
            keep: None,
            chosen: None,
            instead_of: None,
        }
    }

    /// Somebody who looks where a booking could move.
    pub fn moving(booking: &Booking) -> Self {
        let holder = Holder { visitor: booking.visitor, conversation: booking.conversation };
        Self {
            language: booking.language,
            keep: Some(Kept::of(booking)),
            ..Self::looking(&holder, booking.contact)
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
/// the reps': a booking ends with such a change. Of somebody who was merged into another contact it is that one's, too.
pub async fn lock_contact(tx: &mut Tx, contact: ContactId) -> Result<()> {
    tx.lock(&format!("contact:{contact}")).await?;
    let survivor = contacts::survivor(tx, contact).await?;
    if survivor != contact {
        tx.lock(&format!("contact:{survivor}")).await?;
    }
    Ok(())
}

/// Those who may be on one side of a meeting.
struct Side<'t> {
    cover: Cover<'t>,
    /// Those of the cover who are asked.
    reps: Vec<&'t Rep>,
}

impl<'t> Side<'t> {
    /// A booking that moves stays with its rep, so that nobody else's calendar must change; only if that rep does not hold
    /// such meetings any more, the others may.
    fn of(team: &'t Team, meeting: &Meeting, absences: &[Absence], keep: Option<&str>) -> Self {
        let cover = Cover::of(team, meeting, absences);
        let mut reps = cover.reps().to_vec();
        // Whoever only stood in does not have to go on.
        if let Some(keep) = keep.filter(|keep| meeting.reps.iter().any(|rep| rep == keep)) {
            reps.retain(|rep| rep.id == keep);
        }
        Self { cover, reps }
    }
}

/// Who may hold a meeting, and who is away.
struct Roster<'t> {
    absences: Vec<Absence>,
    first: Side<'t>,
    /// Of whom one must be there, too.
    second: Option<Side<'t>>,
}

impl<'t> Roster<'t> {
    async fn of(
        q: &mut impl Queries,
        team: &'t Team,
        meeting: &Meeting,
        keep: Option<&Kept>,
        now: Timestamp,
    ) -> Result<Self> {
        let since = now.plus_ms(-ABSENT_MS);
        let mut absences = absence::written(team, since);
        absences.extend(store::diary::absences(q, since).await?);
        let first = Side::of(team, meeting, &absences, keep.map(|keep| keep.rep.as_str()));
        let second = meeting.of_companion().map(|theirs| {
            Side::of(team, &theirs, &absences, keep.and_then(|keep| keep.companion.as_deref()))
        });
        Ok(Self { absences, first, second })
    }

    /// Everybody who may be asked.
    fn asked(&self) -> Vec<&'t Rep> {
        let mut reps = self.first.reps.clone();
        for rep in self.second.iter().flat_map(|side| &side.reps) {
            if reps.iter().all(|other| other.id != rep.id) {
                reps.push(rep);
            }
        }
        reps
    }

    /// What stands around `window` here and in the reps' own calendars, for whoever wishes.
    async fn look(
        &self,
        q: &mut impl Queries,
        meeting: &Meeting,
        window: Span,
        wish: &Wish,
        moving: Option<&Booking>,
        now: Timestamp,
    ) -> Result<Calendars> {
        let reps = self.asked();
        let is_limited = limits::are_set(meeting, &reps);
        // No block is longer than a day (`meeting_file.rs` bounds its parts), so a day more on each side sees all of them.
        let more = if is_limited { COUNTED_MS } else { DAY_MS };
        let around = Span::new(window.from.plus_ms(-more), window.to.plus_ms(more));
        let (mut busy, mut counted) = (Busy::new(), Vec::new());
        for blocking in store::blocking(q, around, now).await? {
            let is_own_hold = blocking.state == State::Hold && wish.holder.is(&blocking.holder);
            if !is_own_hold && moving.is_none_or(|moving| moving.id != blocking.booking) {
                if is_limited && wish.instead_of != Some(blocking.booking) {
                    counted.push(count(&blocking));
                }
                busy.entry(blocking.rep).or_default().push(blocking.block);
            }
        }
        for (rep, elsewhere) in calendars::busy_elsewhere(q, around, now).await? {
            busy.entry(rep).or_default().push(elsewhere);
        }
        absence::block(&mut busy, &self.absences);
        let mut of_contact = Vec::new();
        if let Some(contact) = wish.contact.filter(|_| meeting.limits.contact.is_set()) {
            let calls = store::of_contact(q, contact).await?;
            let is_other = |call: &&Booking| {
                wish.instead_of != Some(call.id) && moving.is_none_or(|moving| moving.id != call.id)
            };
            let stands = calls.iter().filter(|call| call.state == State::Confirmed).filter(is_other);
            of_contact.extend(stands.map(|call| Counted {
                rep: call.rep.clone(),
                meeting: call.meeting.clone(),
                starts_at: call.starts_at,
                is_second: false,
            }));
        }
        Ok(Calendars { busy, full: limits::full(meeting, &reps, &counted, &of_contact) })
    }

    /// The slots of some of the reps that can be had within `window`, with whoever else must be there.
    fn free(
        &self,
        meeting: &Meeting,
        reps: &[&'t Rep],
        calendars: &Calendars,
        window: Span,
        now: Timestamp,
    ) -> Vec<Slot<'t>> {
        let of = |cover: &Cover<'t>, reps: &[&'t Rep]| {
            let slots = slots::slots(meeting, reps, &calendars.busy, window, now);
            calendars.full.within(cover.within(slots))
        };
        let found = of(&self.first.cover, reps);
        match &self.second {
            None => found,
            Some(second) => slots::paired(found, &of(&second.cover, &second.reps)),
        }
    }

    /// The reps who could hold the meeting at this time if nothing else were in their calendars.
    fn working(&self, meeting: &Meeting, starts_at: Timestamp, now: Timestamp) -> Result<Slot<'t>> {
        if starts_at <= now {
            return Err(Error::SlotPast);
        }
        let nothing = Calendars::default();
        let offered =
            |meeting: &Meeting| self.free(meeting, &self.first.reps, &nothing, at(starts_at), now).pop();
        if let Some(slot) = offered(meeting) {
            return Ok(slot);
        }
        let without_notice = Meeting { notice_ms: 0, ..meeting.clone() };
        Err(if offered(&without_notice).is_some() { Error::SlotTooSoon } else { Error::SlotUnknown })
    }

    /// Why the wished time cannot be had. Which others can, [`nearest`] tells.
    fn refusal(&self, meeting: &Meeting, wish: &Wish, calendars: Calendars, now: Timestamp) -> Error {
        let unlimited = Calendars { full: Full::default(), ..calendars };
        let is_full = !self.free(meeting, &self.first.reps, &unlimited, at(wish.starts_at), now).is_empty();
        let alternatives = Vec::new();
        if is_full { Error::DayFull { alternatives } } else { Error::SlotTaken { alternatives } }
    }

    /// Whether this rep has a free time within the days that the team's file leaves to a contact's owner.
    async fn has_time(
        &self,
        q: &mut impl Queries,
        meeting: &Meeting,
        rep: &'t Rep,
        days: u16,
        now: Timestamp,
    ) -> Result<bool> {
        let window = Span::new(now, now.plus_ms(i64::from(days) * DAY_MS));
        let calendars =
            self.look(q, meeting, window, &Wish::looking(&Holder::default(), None), None, now).await?;
        Ok(!self.free(meeting, &[rep], &calendars, window, now).is_empty())
    }
}

/// What is taken, and what is full.
#[derive(Debug, Default)]
struct Calendars {
    busy: Busy,
    full: Full,
}

fn count(blocking: &Blocking) -> Counted {
    Counted {
        rep: blocking.rep.clone(),
        meeting: blocking.meeting.clone(),
        starts_at: blocking.starts_at,
        is_second: blocking.is_companion,
    }
}

/// The free slots within `window`, as whoever wishes sees them.
pub async fn free<'t>(
    q: &mut impl Queries,
    team: &'t Team,
    meeting: &Meeting,
    window: Span,
    wish: &Wish,
    now: Timestamp,
) -> Result<Vec<Slot<'t>>> {
    let mut roster = Roster::of(q, team, meeting, None, now).await?;
    if let (Some(days), Some(contact)) = (team.policy.owner_within_days, wish.contact) {
        let owner = store::owner(q, contact).await?.and_then(|account| team.rep_of_account(&account));
        if let Some(owner) = owner.filter(|owner| roster.first.reps.iter().any(|rep| rep.id == owner.id))
            && roster.has_time(q, meeting, owner, days, now).await?
        {
            roster.first.reps = vec![owner];
        }
    }
    let calendars = roster.look(q, meeting, window, wish, None, now).await?;
    Ok(roster.free(meeting, &roster.first.reps, &calendars, window, now))
}

/// The times to which a booking could move: those of its own rep, itself not counted.
pub async fn free_for<'t>(
    q: &mut impl Queries,
    team: &'t Team,
    meeting: &Meeting,
    booking: &Booking,
    window: Span,
    now: Timestamp,
) -> Result<Vec<Slot<'t>>> {
    free_kept(q, team, meeting, (&Wish::moving(booking), Some(booking)), window, now).await
}

/// The times that those have whom the wish keeps to, the booking that moves not counted.
pub async fn free_kept<'t>(
    q: &mut impl Queries,
    team: &'t Team,
    meeting: &Meeting,
    (wish, moving): (&Wish, Option<&Booking>),
    window: Span,
    now: Timestamp,
) -> Result<Vec<Slot<'t>>> {
    let roster = Roster::of(q, team, meeting, wish.keep.as_ref(), now).await?;
    let calendars = roster.look(q, meeting, window, wish, moving, now).await?;
    Ok(roster.free(meeting, &roster.first.reps, &calendars, window, now))
}

/// The free times nearest to the wished one, earliest first. They are looked for around it, and farther away only as long
/// as there are too few; that takes many times as long as looking at one time, so nobody does it who keeps others from
/// writing.
pub async fn nearest(
    q: &mut impl Queries,
    team: &Team,
    meeting: &Meeting,
    wish: &Wish,
    moving: Option<&Booking>,
    now: Timestamp,
) -> Result<Vec<Time>> {
    let today = super::wall::date(&meeting.zone, now);
    let reach = meeting.window.reach_days(today) + 2;
    let all = Span::new(now, now.plus_ms(reach * DAY_MS));
    let roster = Roster::of(q, team, meeting, wish.keep.as_ref(), now).await?;
    let mut times: Vec<Time> = Vec::new();
    for days in AROUND_DAYS.into_iter().chain([reach.max(all.to.since_ms(wish.starts_at) / DAY_MS + 1)]) {
        // Whatever lies outside is farther away than all that is found.
        let around = wish.starts_at;
        let from = around.plus_ms(-days * DAY_MS).max(all.from);
        let window = Span::new(from, around.plus_ms(days * DAY_MS + 1).min(all.to));
        let calendars = roster.look(q, meeting, window, wish, moving, now).await?;
        let slots = roster.free(meeting, &roster.first.reps, &calendars, window, now);
        times = slots.iter().map(Time::from).collect();
        if times.len() >= ALTERNATIVES {
            break;
        }
    }
    times.sort_by_key(|time| (time.starts_at.since_ms(wish.starts_at).abs(), time.starts_at));
    times.truncate(ALTERNATIVES);
    times.sort_unstable();
    Ok(times)
}

/// Whether the wished slot could be taken now; what [`place`] would say, without a lock and without writing.
pub async fn look(
    q: &mut impl Queries,
    team: &Team,
    meeting: &Meeting,
    wish: &Wish,
    now: Timestamp,
) -> Result<()> {
    let roster = Roster::of(q, team, meeting, None, now).await?;
    roster.working(meeting, wish.starts_at, now)?;
    let window = at(wish.starts_at);
    let calendars = roster.look(q, meeting, window, wish, None, now).await?;
    if roster.free(meeting, &roster.first.reps, &calendars, window, now).is_empty() {
        return Err(roster.refusal(meeting, wish, calendars, now));
    }
    Ok(())
}

/// Takes the wished slot for the best rep who is free, and for the best of those of whom one must be there, too.
pub async fn place(
    tx: &mut Tx,
    team: &Team,
    meeting: &Meeting,
    wish: &Wish,
    target: Target,
    now: Timestamp,
) -> Result<Booking> {
    let roster = Roster::of(tx, team, meeting, wish.keep.as_ref(), now).await?;
    let candidates = roster.working(meeting, wish.starts_at, now)?;
    if let Some(contact) = wish.contact {
        lock_contact(tx, contact).await?;
    }
    if meeting.limits.all.is_set() {
        // Calls of this meeting are counted over all reps, also over those whose locks are not taken.
        tx.lock(&format!("meeting:{}", meeting.id)).await?;
    }
    // Always in the order of the ids: two writers that want several locks never wait for each other.
    let mut locks: Vec<&str> =
        candidates.reps.iter().chain(&candidates.with).map(|rep| rep.id.as_str()).collect();
    locks.sort_unstable();
    locks.dedup();
    for rep in locks {
        lock(tx, rep).await?;
        store::expire_holds_of(tx, rep, now).await?;
    }
    store::release_holds(tx, &wish.holder, now).await?;
    let window = at(wish.starts_at);
    let calendars = roster.look(tx, meeting, window, wish, target.moving(), now).await?;
    let Some(free) = roster.free(meeting, &candidates.reps, &calendars, window, now).pop() else {
        return Err(roster.refusal(meeting, wish, calendars, now));
    };
    let sides: Vec<&[&Rep]> =
        std::iter::once(&roster.first).chain(&roster.second).map(|side| side.cover.reps()).collect();
    let standings = rotation::enter(tx, team, meeting, &sides, &roster.absences, now).await?;
    let (owner, account_owner) = match wish.contact {
        Some(contact) => (store::owner(tx, contact).await?, store::account_owner(tx, contact).await?),
        None => (None, None),
    };
    let account_owner = account_owner.and_then(|account| team.rep_of_account(&account));
    let owner = owner.and_then(|account| team.rep_of_account(&account));
    let everybody: Vec<&Rep> = free.reps.iter().chain(&free.with).copied().collect();
    let traits = traits(tx, &everybody, wish.contact).await?;
    let preference = Preference {
        keep: wish.keep.as_ref().map(|keep| keep.rep.as_str()),
        owner: owner.map(|rep| rep.id.as_str()),
        stand_in: owner.and_then(|rep| absence::stand_in(&roster.absences, &rep.id, wish.starts_at)),
        account_owner: account_owner.map(|rep| rep.id.as_str()),
        language: wish.language,
        traits: &traits,
        policy: &team.policy,
    };
    // Whoever is there, too, need not know the contact.
    let beside = Preference {
        keep: wish.keep.as_ref().and_then(|keep| keep.companion.as_deref()),
        owner: None,
        stand_in: None,
        account_owner: None,
        ..preference
    };
    let ranking = assign::ranked(&free.reps, &standings, &preference);
    for rep in &ranking {
        let mut reason = assign::reason(rep, &ranking, &standings, &preference);
        if let Some(words) = &wish.chosen {
            reason.rule = assign::Rule::Chosen;
            reason.note = Some(words.clone()).filter(|words| !words.is_empty());
        }
        if let Some(owner) = owner.filter(|owner| owner.id != rep.id && wish.keep.is_none()) {
            let why = passed_over(tx, &roster, team, meeting, owner, wish, now).await?;
            reason.owner = Some(PassedOver { rep: owner.id.clone(), why });
        }
        let others: Vec<&Rep> = free.with.iter().copied().filter(|other| other.id != rep.id).collect();
        let others = assign::ranked(&others, &standings, &beside);
        if roster.second.is_none() {
            let booking = taken(&target, rep, None, meeting, wish.starts_at, reason, now);
            if write(tx, &target, &booking, rep).await? {
                return Ok(booking);
            }
            continue;
        }
        for other in &others {
            let mut reason = reason.clone();
            reason.companion = Some(Box::new(assign::reason(other, &others, &standings, &beside)));
            let booking = taken(&target, rep, Some(other), meeting, wish.starts_at, reason, now);
            if write(tx, &target, &booking, rep).await? {
                return Ok(booking);
            }
        }
    }
    Err(roster.refusal(meeting, wish, calendars, now))
}

/// Whether the contact of a hold may have one more such call on that day; asked when it becomes known who it is.
pub async fn admit(
    tx: &mut Tx,
    team: &Team,
    meeting: &Meeting,
    held: &Booking,
    contact: ContactId,
    now: Timestamp,
) -> Result<()> {
    if !meeting.limits.contact.is_set() {
        return Ok(());
    }
    let roster = Roster::of(tx, team, meeting, None, now).await?;
    let wish = Wish { starts_at: held.starts_at, keep: None, contact: Some(contact), ..Wish::moving(held) };
    let calendars = roster.look(tx, meeting, at(held.starts_at), &wish, Some(held), now).await?;
    if calendars.full.shuts(&held.rep, held.starts_at) {
        return Err(roster.refusal(meeting, &wish, calendars, now));
    }
    Ok(())
}

/// Why the owner did not get the call.
async fn passed_over(
    tx: &mut Tx,
    roster: &Roster<'_>,
    team: &Team,
    meeting: &Meeting,
    owner: &Rep,
    wish: &Wish,
    now: Timestamp,
) -> Result<WhyNot> {
    let Some(owner) = roster.first.cover.reps().iter().find(|rep| rep.id == owner.id) else {
        return Ok(WhyNot::OtherMeetings);
    };
    if roster.absences.iter().any(|absence| absence.rep == owner.id && absence.covers(wish.starts_at)) {
        return Ok(WhyNot::Away);
    }
    Ok(match team.policy.owner_within_days {
        Some(days) if !roster.has_time(tx, meeting, owner, days, now).await? => WhyNot::NoneWithin,
        _ => WhyNot::Busy,
    })
}

/// What is known of the contact, if anybody's attributes ask for it.
async fn traits(
    q: &mut impl Queries,
    reps: &[&Rep],
    contact: Option<ContactId>,
) -> Result<BTreeMap<String, String>> {
    let Some(contact) = contact.filter(|_| reps.iter().any(|rep| !rep.attributes.is_empty())) else {
        return Ok(BTreeMap::new());
    };
    let fields = contacts::fields(q, contact).await?;
    Ok(fields
        .into_iter()
        .filter(|field| !field.is_suggestion)
        .map(|field| (field.name, field.value))
        .collect())
}

/// The row as it will stand.
fn taken(
    target: &Target,
    rep: &Rep,
    companion: Option<&Rep>,
    meeting: &Meeting,
    starts_at: Timestamp,
    reason: assign::Reason,
    now: Timestamp,
) -> Booking {
    match target {
        Target::New(blank) => Booking {
            rep: rep.id.clone(),
            companion: companion.map(|rep| rep.id.clone()),
            location: place_of(blank, rep, meeting),
            assignment: Some(reason),
            ..blank.clone()
        },
        Target::Move(old) => Booking {
            rep: rep.id.clone(),
            companion: companion.map(|rep| rep.id.clone()),
            starts_at,
            ends_at: starts_at.plus_ms(meeting.duration_ms),
            block: slots::block(meeting, starts_at),
            sequence: old.sequence + 1,
            location: if old.rep == rep.id { old.location.clone() } else { place_of(old, rep, meeting) },
            assignment: Some(reason),
            updated_at: now,
            ..old.clone()
        },
    }
}

fn place_of(booking: &Booking, rep: &Rep, meeting: &Meeting) -> Option<String> {
    let id = booking.id.to_string();
    meeting.place(booking.language, About { booking: &id, meeting: &meeting.id, rep: &rep.id })
}

/// Writes the row; `false` if the guard refuses, with the transaction still good.
async fn write(tx: &mut Tx, target: &Target, booking: &Booking, rep: &Rep) -> Result<bool> {
    tx.savepoint().await?;
    let zone = rep.zone.iana_name().unwrap_or("UTC");
    let written = match target {
        Target::New(_) => store::insert(tx, booking, zone).await.map_err(Error::from),
        Target::Move(old) => store::replace_told(tx, old, booking, Some(zone)).await,
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

/// The window that holds one start.
pub fn at(starts_at: Timestamp) -> Span {
    Span::new(starts_at, starts_at.plus_ms(1))
}
