//! The waiting list for earlier times: whoever has a call and would like it sooner says on which days and between which
//! hours, and is asked when a time is given back.
//!
//! One is asked at a time, in the order in which they came: a hold keeps the time for her a while, by whose end it goes to
//! the next. Taking it moves her booking. Nobody is asked for one time twice, more often a day than the settings say, at
//! night, or after her call has begun.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use super::place::{self, Target, Wish as Place};
use super::slots::Span;
use super::store::earlier as store;
use super::{Booking, Desk, Error, Holder, Pick, Result, State, blank, mine, move_to};
use crate::base::ids::{BookingId, EarlierId, VisitorId};
use crate::base::signing::{Keys, Purpose};
use crate::base::time::{DAY_MS, Timestamp, zone};
use crate::storage::db::{Queries, Tx};

/// The hours of her own clock in which somebody is asked, in minutes after midnight: an offer that runs out while she
/// sleeps helps nobody.
const AWAKE: std::ops::Range<u16> = 8 * 60..21 * 60;

/// The days and hours that somebody could come earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// Bits from Monday, the lowest, to Sunday; at least one.
    days: u8,
    from_minute: u16,
    to_minute: u16,
}

impl Hours {
    /// Every day, at any time.
    pub const ANY: Self = Self { days: 0b111_1111, from_minute: 0, to_minute: 24 * 60 };

    /// On these days, by their number from Monday (0) to Sunday (6), for calls that begin in `[from_minute, to_minute)`
    /// of the visitor's clock. None if that is no time at all.
    pub fn new(days: &[u8], from_minute: u16, to_minute: u16) -> Option<Self> {
        let days = days.iter().filter(|day| **day < 7).fold(0, |bits, day| bits | 1 << day);
        let is_some_time = days != 0 && from_minute < to_minute && to_minute <= 24 * 60;
        is_some_time.then_some(Self { days, from_minute, to_minute })
    }

    /// As they stand in the table.
    pub(super) fn stored(self) -> (i64, i64, i64) {
        (i64::from(self.days), i64::from(self.from_minute), i64::from(self.to_minute))
    }

    pub(super) fn of_stored(days: i64, from_minute: i64, to_minute: i64) -> Option<Self> {
        let days = u8::try_from(days).ok().filter(|days| (1..=Self::ANY.days).contains(days))?;
        let (from_minute, to_minute) = (u16::try_from(from_minute).ok()?, u16::try_from(to_minute).ok()?);
        Some(Self { days, from_minute, to_minute })
    }

    /// Whether a day is among them, from Monday (0) to Sunday (6).
    pub fn has_day(self, day: u8) -> bool {
        day < 7 && self.days >> day & 1 == 1
    }

    /// The first and the last minute of a day.
    pub fn minutes(self) -> (u16, u16) {
        (self.from_minute, self.to_minute)
    }

    /// Whether a call that begins then suits.
    fn suits(self, zone: &TimeZone, starts_at: Timestamp) -> bool {
        let (weekday, minute) = local(zone, starts_at);
        let day = u8::try_from(weekday.to_monday_zero_offset()).unwrap_or(7);
        self.has_day(day) && (self.from_minute..self.to_minute).contains(&minute)
    }
}

fn local(zone: &TimeZone, at: Timestamp) -> (Weekday, u16) {
    let local = at.to_jiff().to_zoned(zone.clone());
    let minute = i32::from(local.hour()) * 60 + i32::from(local.minute());
    (local.weekday(), u16::try_from(minute).unwrap_or(0))
}

/// Whether it is an hour of her own clock in which somebody may be asked.
pub(super) fn is_awake(zone: &TimeZone, now: Timestamp) -> bool {
    AWAKE.contains(&local(zone, now).1)
}

/// Somebody waits for an earlier time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Her call as it is.
    pub booking: BookingId,
    /// When she could.
    pub hours: Hours,
    /// Since when.
    pub since: Timestamp,
}

/// What became of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// She took it, and her call was moved.
    Taken,
    /// She keeps the time that she has.
    Declined,
}

impl Answer {
    /// As it stands in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Declined => "declined",
        }
    }

    pub(super) fn of_word(word: &str) -> Option<Self> {
        [Self::Taken, Self::Declined].into_iter().find(|answer| answer.word() == word)
    }
}

/// An earlier time that is kept for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its id; the link names it.
    pub id: EarlierId,
    /// The call that it would move.
    pub booking: BookingId,
    /// The hold that keeps it.
    pub hold: BookingId,
    /// When the call would begin.
    pub starts_at: Timestamp,
    /// Until when it is kept.
    pub expires_at: Timestamp,
    /// None while she has not answered.
    pub answer: Option<Answer>,
}

impl Offer {
    /// Whether it can be taken.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.answer.is_none() && now < self.expires_at
    }
}

/// How people are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long a time is kept for one of them.
    pub hold_ms: i64,
    /// How often one of them is asked within 24 hours.
    pub most_a_day: i64,
}

// ---- who waits ------------------------------------------------------------------------------------

/// Puts a call on the list, or changes when it could be earlier. Whoever asks again keeps her place.
///
/// # Errors
/// [`Error::Unknown`], [`Error::AlreadyCancelled`], [`Error::Over`].
pub async fn wait(tx: &mut Tx, booking: BookingId, hours: Hours, now: Timestamp) -> Result<()> {
    let booking = mine(tx, booking, now).await?;
    Ok(store::wait(tx, booking.id, hours, now).await?)
}

/// Takes a call off the list and lets go what is kept for it. Nothing happens if it is not on it.
///
/// # Errors
/// [`Error::Store`].
pub async fn end(tx: &mut Tx, booking: BookingId, now: Timestamp) -> Result<()> {
    for offer in store::offers_of(tx, booking).await?.into_iter().filter(|offer| offer.is_open(now)) {
        let_go(tx, &offer, now).await?;
    }
    Ok(store::end(tx, booking, now).await?)
}

/// How a call waits, if it does.
///
/// # Errors
/// [`Error::Store`].
pub async fn waiting(q: &mut impl Queries, booking: BookingId) -> Result<Option<Waiting>> {
    Ok(store::waiting(q, booking).await?)
}

/// Everybody whose call lies ahead and who waits, whoever came first first.
///
/// # Errors
/// [`Error::Store`].
pub async fn queue(q: &mut impl Queries, now: Timestamp) -> Result<Vec<Waiting>> {
    Ok(store::queue(q, now).await?)
}

/// What a call was offered so far, the earliest offer first.
///
/// # Errors
/// [`Error::Store`].
pub async fn offers_of(q: &mut impl Queries, booking: BookingId) -> Result<Vec<Offer>> {
    Ok(store::offers_of(q, booking).await?)
}

// ---- who is asked ---------------------------------------------------------------------------------

/// The time that `waiting` can be asked for now: the earliest that was given back since she waits, suits her, is free
/// and was not offered to her before.
///
/// # Errors
/// [`Error::Store`].
pub async fn next(
    q: &mut impl Queries,
    desk: Desk<'_>,
    waiting: &Waiting,
    terms: Terms,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let Ok(booking) = super::find(q, waiting.booking).await else { return Ok(None) };
    let Some(meeting) = desk.team.meeting(&booking.meeting) else { return Ok(None) };
    let zone = zone(&booking.time_zone).unwrap_or(TimeZone::UTC);
    if booking.state != State::Confirmed || !is_awake(&zone, now) {
        return Ok(None);
    }
    let reps: Vec<&String> = std::iter::once(&booking.rep).chain(&booking.companion).collect();
    let ahead = Span::new(now, booking.starts_at);
    let freed = store::freed(q, ahead, waiting.since).await?;
    let freed: Vec<Span> =
        freed.into_iter().filter(|(rep, _)| reps.contains(&rep)).map(|(_, span)| span).collect();
    if freed.is_empty() {
        return Ok(None);
    }
    let offers = store::offers_of(q, booking.id).await?;
    if !may_be_asked(&offers, terms, now) {
        return Ok(None);
    }
    let meeting = meeting.as_long_as(booking.ends_at.since_ms(booking.starts_at));
    let slots = place::free_for(q, desk.team, &meeting, &booking, ahead, now).await?;
    let fits = |at: &Timestamp| {
        let block = super::slots::block(&meeting, *at);
        waiting.hours.suits(&zone, *at)
            && freed.iter().any(|span| span.overlaps(block))
            // Her own call keeps its time until she answers.
            && !block.overlaps(booking.block)
            && offers.iter().all(|offer| offer.starts_at != *at)
    };
    Ok(slots.into_iter().map(|slot| slot.starts_at).find(fits))
}

fn may_be_asked(offers: &[Offer], terms: Terms, now: Timestamp) -> bool {
    let since = now.plus_ms(-DAY_MS);
    let lately = offers.iter().filter(|offer| offer.expires_at.plus_ms(-terms.hold_ms) > since).count();
    offers.iter().all(|offer| !offer.is_open(now))
        && i64::try_from(lately).unwrap_or(i64::MAX) < terms.most_a_day
}

/// Keeps a time for whoever waits; none if it is gone meanwhile, or somebody else asked her.
///
/// # Errors
/// [`Error::Store`].
pub async fn offer(
    tx: &mut Tx,
    desk: Desk<'_>,
    waiting: &Waiting,
    starts_at: Timestamp,
    terms: Terms,
    now: Timestamp,
) -> Result<Option<EarlierId>> {
    let Ok(booking) = mine(tx, waiting.booking, now).await else { return Ok(None) };
    let still = store::waiting(tx, booking.id).await?;
    let offers = store::offers_of(tx, booking.id).await?;
    let Some(meeting) = desk.team.meeting(&booking.meeting) else { return Ok(None) };
    if still.is_none() || !may_be_asked(&offers, terms, now) || starts_at >= booking.starts_at {
        return Ok(None);
    }
    let length = booking.ends_at.since_ms(booking.starts_at);
    let meeting = meeting.as_long_as(length);
    // Nobody's device: what is kept is let go by the offer alone.
    let holder = Holder { visitor: Some(VisitorId::new()), conversation: None };
    let pick = Pick {
        meeting: &booking.meeting,
        starts_at,
        duration_ms: Some(length),
        time_zone: &booking.time_zone,
        language: booking.language,
        holder,
        contact: None,
    };
    let wish = Place { starts_at, holder, instead_of: Some(booking.id), ..Place::moving(&booking) };
    let target = Target::New(blank(&meeting, &pick, terms.hold_ms, now)?);
    match place::place(tx, desk.team, &meeting, &wish, target, now).await {
        Ok(held) => {
            let expires_at = held.hold_expires_at.unwrap_or(now);
            let offer = Offer {
                id: EarlierId::new(),
                booking: booking.id,
                hold: held.id,
                starts_at,
                expires_at,
                answer: None,
            };
            store::insert_offer(tx, &offer, now).await?;
            Ok(Some(offer.id))
        }
        Err(error @ Error::Store(_)) => Err(error),
        Err(_) => Ok(None),
    }
}

// ---- what she answers -----------------------------------------------------------------------------

/// The offer of this id.
///
/// # Errors
/// [`Error::Unknown`].
pub async fn find(q: &mut impl Queries, id: EarlierId) -> Result<Offer> {
    store::find_offer(q, id).await?.ok_or(Error::Unknown)
}

/// Moves the call to the time that is kept for it, and takes it off the list. Taking it twice moves it once.
///
/// # Errors
/// [`Error::HoldExpired`] if it is not kept any more, [`Error::Changed`] if the call is earlier already, and those of
/// [`reschedule`](super::reschedule).
pub async fn take(tx: &mut Tx, desk: Desk<'_>, id: EarlierId, now: Timestamp) -> Result<Booking> {
    let booking = find(tx, id).await?.booking;
    let booking = mine(tx, booking, now).await?;
    let offer = find(tx, id).await?;
    if offer.answer == Some(Answer::Taken) && booking.starts_at == offer.starts_at {
        return Ok(booking);
    }
    if booking.starts_at <= offer.starts_at {
        return Err(Error::Changed);
    }
    let held = super::store::find(tx, offer.hold).await?.filter(|held| held.state == State::Hold);
    let Some(held) = held.filter(|_| offer.is_open(now)) else { return Err(Error::HoldExpired) };
    let wish = Place {
        starts_at: offer.starts_at,
        holder: Holder { visitor: held.visitor, conversation: held.conversation },
        ..Place::moving(&booking)
    };
    let moved = move_to(tx, desk, booking, &wish, now).await?;
    store::answer(tx, id, Answer::Taken).await?;
    store::end(tx, moved.id, now).await?;
    Ok(moved)
}

/// Lets the time go to the next; the call stays on the list.
///
/// # Errors
/// [`Error::Unknown`], and [`Error::Changed`] if she took it. Nothing happens if it was declined already, or ran out.
pub async fn decline(tx: &mut Tx, id: EarlierId, now: Timestamp) -> Result<()> {
    let booking = find(tx, id).await?.booking;
    match mine(tx, booking, now).await {
        Ok(_) | Err(Error::Over | Error::AlreadyCancelled) => {}
        Err(error) => return Err(error),
    }
    let offer = find(tx, id).await?;
    if offer.answer == Some(Answer::Taken) {
        return Err(Error::Changed);
    }
    if offer.is_open(now) {
        let_go(tx, &offer, now).await?;
    }
    Ok(())
}

async fn let_go(tx: &mut Tx, offer: &Offer, now: Timestamp) -> Result<()> {
    if let Some(held) = super::store::find(tx, offer.hold).await?.filter(|held| held.state == State::Hold) {
        super::let_go(tx, &held, now).await?;
    }
    Ok(store::answer(tx, offer.id, Answer::Declined).await?)
}

/// Signs the address at which an offer is seen, taken and declined, and the list is left: `/earlier/TOKEN`. It works until
/// the call as it was.
pub fn path(keys: &Keys, offer: &Offer, booking: &Booking, now: Timestamp) -> String {
    let claims = Keys::claims(offer.id.to_string(), now, booking.starts_at);
    format!("/earlier/{}", keys.sign(Purpose::Earlier, &claims))
}

/// Forgets what was given back and is past.
///
/// # Errors
/// [`Error::Store`].
pub async fn forget_past(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    Ok(store::forget_past(tx, now).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::MINUTE_MS;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_jiff(text.parse().expect("an instant"))
    }

    #[test]
    fn days_and_hours_are_those_of_her_own_clock() {
        let madrid = zone("Europe/Madrid").expect("bundled");
        let mexico = zone("America/Mexico_City").expect("bundled");
        let hours = Hours::new(&[0, 1], 9 * 60, 12 * 60).expect("some time");
        let monday_nine = at("2026-11-23T08:00:00Z");
        assert!(hours.suits(&madrid, monday_nine));
        assert!(!hours.suits(&mexico, monday_nine), "two at night");
        assert!(hours.suits(&mexico, at("2026-11-23T15:00:00Z")));
        assert!(!hours.suits(&madrid, at("2026-11-23T11:00:00Z")), "noon is the end");
        assert!(!hours.suits(&madrid, at("2026-11-25T08:00:00Z")), "a Wednesday");
        assert!(Hours::ANY.suits(&madrid, at("2026-11-29T22:59:00Z")), "Sunday, a minute before midnight");
    }

    #[test]
    fn no_time_at_all_is_none() {
        assert_eq!(Hours::new(&[], 0, 1440), None);
        assert_eq!(Hours::new(&[7, 200], 0, 1440), None);
        assert_eq!(Hours::new(&[0], 600, 600), None);
        assert_eq!(Hours::new(&[0], 600, 1441), None);
        let some = Hours::new(&[0, 6], 540, 600).expect("some time");
        let (days, from, to) = some.stored();
        assert_eq!(Hours::of_stored(days, from, to), Some(some));
        assert_eq!(Hours::of_stored(0, 0, 1440), None);
        assert_eq!(Hours::of_stored(128, 0, 1440), None);
    }

    #[test]
    fn one_is_asked_one_at_a_time_and_not_too_often_a_day() {
        let terms = Terms { hold_ms: 30 * MINUTE_MS, most_a_day: 2 };
        let now = at("2026-11-23T12:00:00Z");
        let offered = |ago_ms: i64, answer| Offer {
            id: EarlierId::new(),
            booking: BookingId::new(),
            hold: BookingId::new(),
            starts_at: now.plus_ms(DAY_MS),
            expires_at: now.plus_ms(terms.hold_ms - ago_ms),
            answer,
        };
        assert!(may_be_asked(&[], terms, now));
        assert!(!may_be_asked(&[offered(MINUTE_MS, None)], terms, now), "she has not answered");
        let declined = offered(MINUTE_MS, Some(Answer::Declined));
        assert!(may_be_asked(std::slice::from_ref(&declined), terms, now));
        assert!(!may_be_asked(&[declined.clone(), offered(DAY_MS - 1, None)], terms, now));
        assert!(may_be_asked(&[declined, offered(DAY_MS, None)], terms, now));
    }
}
