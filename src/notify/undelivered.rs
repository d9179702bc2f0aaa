//! Mails about a call that did not reach whoever booked it, or a colleague who holds it: refused, given up, blocked, or come
//! back. Of a visitor's whoever holds the call is told while there is still time to ring, of a colleague's the
//! administrators, once for each call and address, and the page of the call says it.

use serde::Serialize;

use super::mails::Mail;
use super::reason::Why;
use super::{Error, store};
use crate::base::email::Email;
use crate::base::ids::BookingId;
use crate::base::time::Timestamp;
use crate::base::typed::plain;
use crate::bookings::{self, Booking, State, former};
use crate::contacts;
use crate::events::{self, Event};
use crate::storage;
use crate::storage::db::{Queries, Tx};
use crate::subscriptions::suppression;

/// Longest answer of a mail server that is kept, in characters.
const SAID_LENGTH: usize = 500;
/// The mail that somebody has to have even though the call is off.
const CANCELLED: &str = "booking_cancelled";
/// The mails about a call that colleagues have to have, and those of them that say that they need not come.
const TO_TEAM: [&str; 5] = ["rep_booked", "rep_cancelled", "rep_reminder", "rep_replaced", "rep_withdrawn"];
const TO_TEAM_OFF: [&str; 2] = ["rep_cancelled", "rep_withdrawn"];

/// What became of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The mail server did not take it.
    Refused,
    /// Nobody took it for so long that it is not tried any more, or the call began first.
    GaveUp,
    /// The address is not written to: earlier mails came back, or a colleague blocked it.
    Blocked,
    /// It was taken, and came back.
    Bounced,
}

impl How {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Refused, Self::GaveUp, Self::Blocked, Self::Bounced];

    /// The word in the table and in texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::GaveUp => "gave_up",
            Self::Blocked => "blocked",
            Self::Bounced => "bounced",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|how| how.word() == word)
    }

    /// What became of a mail whose sending failed for good.
    pub fn of_error(error: &Error) -> Self {
        match error {
            Error::Refused(_) | Error::Gone(_) => Self::Refused,
            Error::Unreachable(_)
            | Error::Unencrypted(_)
            | Error::Deferred(_)
            | Error::Throttled { .. }
            | Error::Unwritable(_)
            | Error::Storage(_) => Self::GaveUp,
        }
    }

    /// What became of a mail that was let be; nothing if nobody misses it. Of one that was in trouble until it told of
    /// nothing any more, it was given up.
    pub fn of_why(why: Why, was_in_trouble: bool) -> Option<Self> {
        let is_blocked = suppression::Reason::ALL.into_iter().any(|reason| Why::from(reason) == why);
        if is_blocked {
            return Some(Self::Blocked);
        }
        (was_in_trouble && why == Why::CHANGED).then_some(Self::GaveUp)
    }
}

/// A mail that did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed<'a> {
    pub booking: BookingId,
    /// The state of the call that it told of, if it may be one that is over: later mails tell of the next.
    pub sequence: Option<i64>,
    /// The mail's name.
    pub template: &'a str,
    /// Of a mail to a colleague, which one; nothing where only the address is known.
    pub whose: Option<Whose<'a>>,
    pub how: How,
    /// What the other side said.
    pub said: Option<&'a str>,
}

/// The colleague whom a mail about a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose<'a> {
    /// Whoever holds it.
    Rep,
    /// Whoever is there, too.
    Companion,
    /// Whoever had it, by her id.
    Former(&'a str),
}

/// The same, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Undelivered {
    pub recipient: String,
    /// The id of the rep, if it was for one and not for whoever booked.
    pub rep: Option<String>,
    pub template: String,
    pub how: How,
    pub said: Option<String>,
    pub at: Timestamp,
}

impl Undelivered {
    pub(super) fn read(row: &storage::db::Row) -> storage::Result<Self> {
        let how: String = row.get("how")?;
        Ok(Self {
            recipient: row.get("recipient")?,
            rep: row.get("rep")?,
            template: row.get("template")?,
            how: How::of_word(&how).ok_or_else(|| storage::Error::Shape {
                column: "how".to_owned(),
                wanted: "what became of a mail",
            })?,
            said: row.get("said")?,
            at: row.get("at")?,
        })
    }
}

impl Mail {
    /// The call, and the state of it, that the visitor has to hear of by this mail. What she called off herself she knows.
    pub fn call(&self) -> Option<(BookingId, i64)> {
        match self {
            Self::BookingConfirmed { booking, sequence }
            | Self::BookingRescheduled { booking, sequence, .. }
            | Self::BookingReminder { booking, sequence, nearer_ms: _ }
            | Self::BookingCancelled { booking, sequence, by_us: true } => Some((*booking, *sequence)),
            _ => None,
        }
    }

    /// The call, and the state of it, that a colleague has to hear of by this mail.
    pub fn team_call(&self) -> Option<(BookingId, i64, Whose<'_>)> {
        let (booking, sequence, is_companion) = match self {
            Self::RepBooked { booking, sequence, is_companion }
            | Self::RepReminder { booking, sequence, is_companion, nearer_ms: _ }
            | Self::RepCancelled { booking, sequence, is_companion, by_us: _ }
            | Self::RepWithdrawn { booking, sequence, is_companion } => (booking, sequence, *is_companion),
            Self::RepReplaced { booking, sequence, former } => {
                return Some((*booking, *sequence, Whose::Former(former)));
            }
            _ => return None,
        };
        let whose = if is_companion { Whose::Companion } else { Whose::Rep };
        Some((*booking, *sequence, whose))
    }
}

/// Notes that a mail about a call did not arrive, and tells it as a fact. Returns whether it is news: it is not for a call
/// that is over, and not twice for the same call and address.
///
/// # Errors
/// As the store says.
pub async fn note(
    tx: &mut Tx,
    failed: &Failed<'_>,
    recipient: Option<&Email>,
    now: Timestamp,
) -> Result<bool, Error> {
    let booking = match bookings::find(tx, failed.booking).await {
        Ok(booking) => booking,
        Err(bookings::Error::Unknown) => return Ok(false),
        Err(bookings::Error::Store(error)) => return Err(error.into()),
        Err(error) => return Err(Error::Unwritable(error.to_string())),
    };
    let is_told_since = failed.sequence.is_some_and(|sequence| sequence != booking.sequence);
    if TO_TEAM.contains(&failed.template) {
        // Whoever does not have the call any more hears of nothing that came later.
        let is_former = failed.template == "rep_replaced";
        let is_wanted = (is_former || !is_told_since) && matters_to_team(&booking, failed.template, now);
        return if is_wanted { note_of_team(tx, &booking, failed, recipient, now).await } else { Ok(false) };
    }
    let Some(contact) = booking.contact.filter(|_| !is_told_since && matters(&booking, failed.template, now))
    else {
        return Ok(false);
    };
    let Some(known) = contacts::find(tx, contact).await? else { return Ok(false) };
    let recipient = recipient.unwrap_or(&known.email);
    let kept = kept(failed, recipient, None, now);
    if !store::keep_undelivered(tx, booking.id, Some(contact), &kept).await? {
        return Ok(false);
    }
    let how = failed.how.word().to_owned();
    events::append(tx, &Event::BookingMailFailed { booking: booking.id, contact, how }, now).await?;
    Ok(true)
}

/// The same of a mail to a colleague.
async fn note_of_team(
    tx: &mut Tx,
    booking: &Booking,
    failed: &Failed<'_>,
    recipient: Option<&Email>,
    now: Timestamp,
) -> Result<bool, Error> {
    let rep = match (failed.whose, recipient) {
        (Some(Whose::Rep), _) => Some(booking.rep.clone()),
        (Some(Whose::Companion), _) => booking.companion.clone(),
        (Some(Whose::Former(id)), _) => Some(id.to_owned()),
        (None, Some(recipient)) => former::rep_at(tx, recipient).await?,
        (None, None) => None,
    };
    let Some(rep) = rep else { return Ok(false) };
    let known = former::address(tx, &rep).await?;
    let Some(recipient) = recipient.or(known.as_ref()) else { return Ok(false) };
    let kept = kept(failed, recipient, Some(&rep), now);
    if !store::keep_undelivered(tx, booking.id, None, &kept).await? {
        return Ok(false);
    }
    let (booking, contact, how) = (booking.id, booking.contact, failed.how.word().to_owned());
    events::append(tx, &Event::RepMailFailed { booking, contact, rep, how }, now).await?;
    Ok(true)
}

fn kept(failed: &Failed<'_>, recipient: &Email, rep: Option<&str>, now: Timestamp) -> Undelivered {
    let said = failed.said.map(|said| plain(said).trim().chars().take(SAID_LENGTH).collect::<String>());
    Undelivered {
        recipient: recipient.as_str().to_owned(),
        rep: rep.map(str::to_owned),
        template: failed.template.to_owned(),
        how: failed.how,
        said: said.filter(|said| !said.is_empty()),
        at: now,
    }
}

/// Whether a colleague would miss a call, or wait for one that is off.
fn matters_to_team(booking: &Booking, template: &str, now: Timestamp) -> bool {
    match booking.state {
        State::Confirmed => booking.ends_at > now,
        State::Cancelled => TO_TEAM_OFF.contains(&template) && booking.starts_at > now,
        State::Hold | State::Expired => false,
    }
}

/// Whether anything can still be done about it: the call lies ahead or runs, or she would come to one that is off.
fn matters(booking: &Booking, template: &str, now: Timestamp) -> bool {
    match booking.state {
        State::Confirmed => booking.ends_at > now,
        State::Cancelled => template == CANCELLED && booking.starts_at > now,
        State::Hold | State::Expired => false,
    }
}

/// What did not arrive of the mails about a call, the latest last.
///
/// # Errors
/// As the store says.
pub async fn of_call(q: &mut impl Queries, booking: BookingId) -> storage::Result<Vec<Undelivered>> {
    store::undelivered(q, booking).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_a_mail_follows_from_what_its_sending_met() {
        assert_eq!(How::of_error(&Error::Refused("550".to_owned())), How::Refused);
        assert_eq!(How::of_error(&Error::Deferred("451".to_owned())), How::GaveUp);
        assert_eq!(How::of_why(suppression::Reason::HardBounce.into(), false), Some(How::Blocked));
        assert_eq!(How::of_why(Why::CHANGED, false), None);
        assert_eq!(How::of_why(Why::CHANGED, true), Some(How::GaveUp));
        assert_eq!(How::of_why(Why::BOOKED, true), None);
        for how in How::ALL {
            assert_eq!(How::of_word(how.word()), Some(how));
        }
    }
}
