//! Links to a call. Each is signed for what it is good for and for the call as it was then, so that none can be made of
//! another: what a calendar's entry holds is shared and forwarded, and only shows the call.

use super::Booking;
use crate::base::ids::BookingId;
use crate::base::signing::{Keys, Purpose, TokenError};
use crate::base::time::{DAY_MS, Timestamp};

/// What a link of a call is good for; each shows it, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// All that its visitor may do. It is the answer to whoever booked, and goes into no mail and no calendar.
    Manage,
    /// To look at it.
    View,
    /// To move it, and to wait for an earlier time.
    Move,
    /// To cancel it.
    Cancel,
}

impl Link {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Manage, Self::View, Self::Move, Self::Cancel];

    fn purpose(self) -> Purpose {
        match self {
            Self::Manage => Purpose::Booking,
            Self::View => Purpose::BookingView,
            Self::Move => Purpose::BookingMove,
            Self::Cancel => Purpose::BookingCancel,
        }
    }

    /// Whether it can move the call.
    pub fn moves(self) -> bool {
        matches!(self, Self::Manage | Self::Move)
    }

    /// Whether it can cancel the call.
    pub fn cancels(self) -> bool {
        matches!(self, Self::Manage | Self::Cancel)
    }

    /// Signs the address under which this booking can be seen, and changed as the link is meant for as long as nobody has
    /// changed it since: `/b/TOKEN`. It works until a day after the call.
    pub fn path(self, keys: &Keys, booking: &Booking, now: Timestamp) -> String {
        let subject = format!("{} {}", booking.id, booking.sequence);
        let mut claims = Keys::claims(subject, now, booking.ends_at.plus_ms(DAY_MS));
        claims.contact = booking.contact.map(|contact| contact.to_string());
        format!("/b/{}", keys.sign(self.purpose(), &claims))
    }
}

/// What a token says that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linked {
    /// What it is good for.
    pub link: Link,
    /// The call.
    pub booking: BookingId,
    /// The sequence of the call when it was made; links of before this was said name none, and any is theirs.
    pub sequence: Option<i64>,
}

/// Reads the token of a link.
///
/// # Errors
/// [`TokenError::Forged`] for what is no link to a call, and [`TokenError::Expired`].
pub fn read(keys: &Keys, token: &str, now: Timestamp) -> Result<Linked, TokenError> {
    let opened = Link::ALL.into_iter().find_map(|link| match keys.verify(link.purpose(), token, now) {
        Ok(claims) => Some(Ok((link, claims))),
        Err(TokenError::Forged) => None,
        Err(expired) => Some(Err(expired)),
    });
    let (link, claims) = opened.unwrap_or(Err(TokenError::Forged))?;
    let (id, sequence) = match claims.subject.split_once(' ') {
        Some((id, sequence)) => (id, Some(sequence.parse().map_err(|_| TokenError::Forged)?)),
        None => (claims.subject.as_str(), None),
    };
    let booking = BookingId::parse(id).map_err(|_| TokenError::Forged)?;
    Ok(Linked { link, booking, sequence })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;
    use crate::bookings::examples::booking;

    fn keys() -> Keys {
        Keys::new(&Secret::new("a secret of at least thirty-two characters"))
    }

    fn token(path: &str) -> &str {
        path.strip_prefix("/b/").expect("a path")
    }

    #[test]
    fn a_link_says_what_it_is_good_for_and_works_until_a_day_after_the_call() {
        let booking = booking();
        let end = booking.ends_at.plus_ms(DAY_MS);
        for link in Link::ALL {
            let path = link.path(&keys(), &booking, Timestamp(0));
            let read = |now| read(&keys(), token(&path), now);
            let linked = Linked { link, booking: booking.id, sequence: Some(booking.sequence) };
            assert_eq!(read(end.plus_ms(-1)), Ok(linked));
            assert!(matches!(read(end), Err(TokenError::Expired(_))), "{link:?}");
        }
        assert!(matches!(read(&keys(), "nonsense", Timestamp(0)), Err(TokenError::Forged)));
    }

    #[test]
    fn only_the_link_that_is_meant_for_it_changes_a_call() {
        let may = |link: Link| (link.moves(), link.cancels());
        assert_eq!(Link::ALL.map(may), [(true, true), (false, false), (true, false), (false, true)]);
    }

    #[test]
    fn a_link_of_before_sequences_were_named_holds_for_any() {
        let booking = booking();
        let claims = Keys::claims(booking.id.to_string(), Timestamp(0), booking.ends_at);
        let old = keys().sign(Purpose::Booking, &claims);
        assert_eq!(read(&keys(), &old, Timestamp(0)).map(|linked| linked.sequence), Ok(None));
    }
}
