//! Who is there for visitors: a switch that somebody puts by hand, a page of the console that beats, and her hours.
//!
//! The switch falls back to "away" after [`WANTED_MS`]. Outside of somebody's hours she rests, even if the switch stands
//! on "online"; but whoever puts it there after hours means it, and is there until her next hours are over.

use jiff::civil::Date;

use super::super::{Error, Room};
use crate::accounts::Account;
use crate::base::ids::AccountId;
use crate::base::time::{DAY_MS, HOUR_MS, Timestamp};
use crate::bookings::team::Rep;
use crate::bookings::wall::{self, Edge};
use crate::chat::flows::TEAM;
use crate::chat::presence;

/// The switch falls back to "away" after this long without a beat.
pub const WANTED_MS: i64 = 12 * HOUR_MS;

/// The switch of somebody who has put it on "away"; else the moment stands there in which it was put on "online".
const AWAY: &str = "away";

/// Whether somebody takes chats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// The switch stands on "online".
    Online,
    /// She has switched off.
    Away,
    /// The switch stands on "online", and her hours are over.
    Resting,
}

impl Availability {
    /// Its name in texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Away => "away",
            Self::Resting => "resting",
        }
    }
}

/// What a switch put at `since` is worth now. Whoever has no hours works whenever she likes.
pub fn availability(rep: Option<&Rep>, since: Option<Timestamp>, now: Timestamp) -> Availability {
    let Some(since) = since else { return Availability::Away };
    let Some(rep) = rep else { return Availability::Online };
    if works(rep, now) || !has_worked(rep, since, now) { Availability::Online } else { Availability::Resting }
}

/// Whether a moment lies in somebody's hours.
pub fn works(rep: &Rep, at: Timestamp) -> bool {
    has_worked(rep, at, at.plus_ms(1))
}

/// Whether somebody's hours touch the time from `from` up to `to`.
fn has_worked(rep: &Rep, from: Timestamp, to: Timestamp) -> bool {
    let last = wall::date(&rep.zone, to);
    let mut date: Date = wall::date(&rep.zone, from.max(to.plus_ms(-2 * DAY_MS)));
    while date <= last {
        let touches = rep.hours_on(date).iter().any(|hours| {
            let begins = wall::instant(&rep.zone, date, hours.from, Edge::Start);
            let ends = wall::instant(&rep.zone, date, hours.to, Edge::End);
            begins.is_some_and(|begins| begins < to) && ends.is_some_and(|ends| ends > from)
        });
        let Ok(next) = date.tomorrow() else { return touches };
        if touches {
            return true;
        }
        date = next;
    }
    false
}

fn switch(account: AccountId) -> String {
    format!("presence:wanted:{account}")
}

impl Room {
    /// Puts somebody's switch on "online".
    ///
    /// # Errors
    /// As the store says.
    pub async fn switch_on(&self, account: AccountId, now: Timestamp) -> Result<(), Error> {
        self.stores.hot.put(&switch(account), &now.as_ms().to_string(), now, WANTED_MS).await?;
        self.present(account, now).await
    }

    /// Puts somebody's switch on "away".
    ///
    /// # Errors
    /// As the store says.
    pub async fn switch_off(&self, account: AccountId, now: Timestamp) -> Result<(), Error> {
        // Kept, so that a page that was left open elsewhere does not switch it on again.
        self.stores.hot.put(&switch(account), AWAY, now, WANTED_MS).await?;
        self.away(account).await
    }

    /// Whether somebody is there; if so, she counts as present for the next [`PRESENT_MS`](crate::chat::PRESENT_MS).
    /// Without the hot store nobody can be promised: better shown as away than wrongly as online.
    pub async fn availability(&self, account: &Account, now: Timestamp) -> Availability {
        let switched = self.stores.hot.get(&switch(account.id), now).await.ok().flatten();
        let since = switched.and_then(|ms| ms.parse().ok()).map(Timestamp);
        let is_there = availability(self.team.rep_of_account(&account.email), since, now);
        let told = match is_there {
            Availability::Online => self.present(account.id, now).await,
            Availability::Away => Ok(()),
            Availability::Resting => self.away(account.id).await,
        };
        if told.is_err() { Availability::Away } else { is_there }
    }

    /// A page of somebody who is online is still open. A restart of the hot store must not send her away behind her
    /// back: then her switch stands where the page says.
    ///
    /// # Errors
    /// As the store says.
    pub async fn beat(&self, account: &Account, now: Timestamp) -> Result<Availability, Error> {
        let key = switch(account.id);
        let since = self.stores.hot.get(&key, now).await?.unwrap_or_else(|| now.as_ms().to_string());
        if since != AWAY {
            self.stores.hot.put(&key, &since, now, WANTED_MS).await?;
        }
        Ok(self.availability(account, now).await)
    }

    /// Who is there now.
    pub async fn there(&self, now: Timestamp) -> Vec<AccountId> {
        let marked = self.stores.hot.marked(&presence(TEAM), now).await.unwrap_or_default();
        marked.iter().filter_map(|account| AccountId::parse(account).ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bookings::team::{Hours, examples};

    /// Works from 9 to 14 and from 15 to 18 o'clock, Madrid.
    fn rep() -> Rep {
        let mut rep = examples::rep("ana", "Europe/Madrid");
        rep.hours.monday = vec![Hours { from: 540, to: 840 }, Hours { from: 900, to: 1080 }];
        rep
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::from_jiff(format!("2026-11-23T{text}+01:00").parse().expect("an instant"))
    }

    fn is(since: &str, now: &str) -> Availability {
        availability(Some(&rep()), Some(at(since)), at(now))
    }

    #[test]
    fn who_is_online_rests_when_the_hours_are_over_and_is_back_when_they_begin() {
        assert_eq!(is("09:30:00", "13:59:59"), Availability::Online);
        assert_eq!(is("09:30:00", "14:00:00"), Availability::Resting, "lunch");
        assert_eq!(is("09:30:00", "15:00:00"), Availability::Online);
        assert_eq!(is("09:30:00", "18:00:00"), Availability::Resting);
    }

    #[test]
    fn whoever_switches_on_after_hours_is_there_until_the_next_are_over() {
        assert_eq!(is("20:00:00", "21:00:00"), Availability::Online);
        assert_eq!(is("07:00:00", "08:59:59"), Availability::Online);
        assert_eq!(is("07:00:00", "09:30:00"), Availability::Online, "at work by now");
        assert_eq!(is("07:00:00", "14:30:00"), Availability::Resting);
    }

    #[test]
    fn a_closed_day_and_a_night_shift_without_hours() {
        let mut closed = rep();
        closed.overrides.insert(jiff::civil::date(2026, 11, 23), vec![]);
        assert!(!works(&closed, at("10:00:00")));
        assert_eq!(availability(None, Some(at("01:00:00")), at("04:00:00")), Availability::Online);
        assert_eq!(availability(None, None, at("04:00:00")), Availability::Away);
    }
}
