//! The team: who holds which meetings, and when they work. `team_file.rs` reads it from `config/team.yaml`.

use std::collections::BTreeMap;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::base::email::Email;
use crate::base::language::Language;
use crate::base::localized::Localized;
use crate::base::time::Timestamp;
use crate::deals::Milestone;
use crate::stages::hours::{WEEK, Working, WorkingHours};

/// What a rep does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sales development: first calls.
    Sdr,
    /// Account executive: accepts what the first call found.
    Ae,
}

/// A stretch of a working day in minutes after midnight on the rep's wall clock: `[from, to)`, `to` at most 1440.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hours {
    /// First minute, 0 to 1439.
    pub from: u16,
    /// First minute after it, 1 to 1440.
    pub to: u16,
}

/// The working hours of an ordinary week.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Week {
    /// Each weekday's stretches, earliest first.
    pub monday: Vec<Hours>,
    /// See `monday`.
    pub tuesday: Vec<Hours>,
    /// See `monday`.
    pub wednesday: Vec<Hours>,
    /// See `monday`.
    pub thursday: Vec<Hours>,
    /// See `monday`.
    pub friday: Vec<Hours>,
    /// See `monday`.
    pub saturday: Vec<Hours>,
    /// See `monday`.
    pub sunday: Vec<Hours>,
}

impl Week {
    /// The stretches of one weekday.
    pub fn on(&self, weekday: Weekday) -> &[Hours] {
        match weekday {
            Weekday::Monday => &self.monday,
            Weekday::Tuesday => &self.tuesday,
            Weekday::Wednesday => &self.wednesday,
            Weekday::Thursday => &self.thursday,
            Weekday::Friday => &self.friday,
            Weekday::Saturday => &self.saturday,
            Weekday::Sunday => &self.sunday,
        }
    }
}

/// Somebody who holds meetings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rep {
    /// The name that bookings store; never changes.
    pub id: String,
    /// The address of the console account this rep logs in with.
    pub account: Email,
    /// What people call them.
    pub name: String,
    /// Where their invitations go.
    pub email: Email,
    /// The zone of their working hours.
    pub zone: TimeZone,
    /// What they speak.
    pub languages: Vec<Language>,
    /// What they do.
    pub role: Role,
    /// Between reps who have equally many calls, the lower number goes first.
    pub priority: u32,
    /// Their ordinary week.
    pub hours: Week,
    /// Days that differ from it; an empty list is a day off. The team's closed days are in here too.
    pub overrides: BTreeMap<Date, Vec<Hours>>,
    /// The addresses of calendar feeds in which they are busy elsewhere.
    pub calendars: Vec<String>,
}

impl Rep {
    /// The stretches that this rep works on a date of their own calendar.
    pub fn hours_on(&self, date: Date) -> &[Hours] {
        self.overrides.get(&date).map_or_else(|| self.hours.on(date.weekday()), Vec::as_slice)
    }

    /// Whether they speak the language.
    pub fn speaks(&self, language: Language) -> bool {
        self.languages.contains(&language)
    }
}

/// A kind of meeting that can be booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    /// The name in links and in the database.
    pub id: String,
    /// What it is called.
    pub title: Localized,
    /// What it is about, in a sentence or two.
    pub description: Localized,
    /// How long it takes.
    pub duration_ms: i64,
    /// Time kept free before it.
    pub buffer_before_ms: i64,
    /// Time kept free after it.
    pub buffer_after_ms: i64,
    /// How far ahead it must be booked.
    pub notice_ms: i64,
    /// How many days after today it can be booked, by the calendar of `zone`.
    pub window_days: u16,
    /// The distance between two starts; divides a day.
    pub interval_ms: i64,
    /// The zone on whose wall clock the starts are aligned.
    pub zone: TimeZone,
    /// Where it takes place: a link, or a text.
    pub location: Localized,
    /// The ids of the reps who hold it, in order.
    pub reps: Vec<String>,
    /// How far it brings the deals of whoever came to it.
    pub milestone: Option<Milestone>,
}

/// Everyone and everything that can be booked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Team {
    /// The people, in the file's order.
    pub reps: Vec<Rep>,
    /// The meetings, in the file's order.
    pub meetings: Vec<Meeting>,
    /// When the house is open, by name; the first one is meant where nothing else is said.
    pub opening: Vec<Opening>,
}

/// Business hours: several spans a day, holidays, and days that differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The name that conditions know them by.
    pub id: String,
    /// The zone of the hours.
    pub zone: TimeZone,
    /// The ordinary week.
    pub hours: Week,
    /// Days that differ from it; an empty list is a holiday.
    pub overrides: BTreeMap<Date, Vec<Hours>>,
}

impl Opening {
    fn working(&self) -> Working {
        working(&self.zone, &self.hours, &self.overrides)
    }
}

fn working(zone: &TimeZone, week: &Week, overrides: &BTreeMap<Date, Vec<Hours>>) -> Working {
    let minutes = |hours: &[Hours]| hours.iter().map(|hours| (hours.from, hours.to)).collect();
    Working {
        zone: zone.clone(),
        week: WEEK.map(|weekday| minutes(week.on(weekday))),
        overrides: overrides.iter().map(|(date, hours)| (*date, minutes(hours))).collect(),
    }
}

impl Team {
    /// The meeting with this id.
    pub fn meeting(&self, id: &str) -> Option<&Meeting> {
        self.meetings.iter().find(|meeting| meeting.id == id)
    }

    /// The rep with this id.
    pub fn rep(&self, id: &str) -> Option<&Rep> {
        self.reps.iter().find(|rep| rep.id == id)
    }

    /// The hours of everybody, as the clock of the lifecycle counts them.
    pub fn working_hours(&self) -> WorkingHours {
        let people = self.reps.iter().map(|rep| working(&rep.zone, &rep.hours, &rep.overrides));
        WorkingHours { people: people.collect() }
    }

    /// When the house is open next: `now` if it is, none if it will not be within a year. Without a name the first
    /// business hours are meant, and where the file has none, the hours of everybody.
    pub fn opens_at(&self, name: Option<&str>, now: Timestamp) -> Option<Timestamp> {
        let named = match name {
            Some(name) => Some(self.opening.iter().find(|opening| opening.id == name)?),
            None => self.opening.first(),
        };
        match named {
            Some(opening) => WorkingHours { people: vec![opening.working()] }.next(now),
            None => self.working_hours().next(now),
        }
    }

    /// The rep who logs in with this account's address.
    pub fn rep_of_account(&self, account: &Email) -> Option<&Rep> {
        self.reps.iter().find(|rep| rep.account == *account)
    }

    /// Those who hold a meeting, in its order.
    pub fn reps_of(&self, meeting: &Meeting) -> Vec<&Rep> {
        meeting.reps.iter().filter_map(|id| self.rep(id)).collect()
    }
}

/// People and meetings for the tests of this domain.
#[cfg(test)]
pub mod examples {
    use super::*;
    use crate::base::time::{MINUTE_MS, zone};

    fn text(text: &str) -> Localized {
        Localized::new(text, text)
    }

    /// Somebody who works from 9 to 17 on weekdays and speaks English.
    pub fn rep(id: &str, zone_name: &str) -> Rep {
        let day = vec![Hours { from: 540, to: 1020 }];
        Rep {
            id: id.to_owned(),
            account: Email::parse(&format!("{id}@faro.example")).expect("an address"),
            name: id.to_owned(),
            email: Email::parse(&format!("{id}@faro.example")).expect("an address"),
            zone: zone(zone_name).expect("bundled"),
            languages: vec![Language::En],
            role: Role::Sdr,
            priority: 1,
            hours: Week {
                monday: day.clone(),
                tuesday: day.clone(),
                wednesday: day.clone(),
                thursday: day.clone(),
                friday: day,
                saturday: vec![],
                sunday: vec![],
            },
            overrides: BTreeMap::new(),
            calendars: Vec::new(),
        }
    }

    /// Half an hour on the half hour, no buffers, no notice, two weeks ahead.
    pub fn meeting(zone_name: &str) -> Meeting {
        Meeting {
            id: "discovery".to_owned(),
            title: text("Discovery call"),
            description: text("A first talk."),
            duration_ms: 30 * MINUTE_MS,
            buffer_before_ms: 0,
            buffer_after_ms: 0,
            notice_ms: 0,
            window_days: 14,
            interval_ms: 30 * MINUTE_MS,
            zone: zone(zone_name).expect("bundled"),
            location: text("https://meet.faro.example/discovery"),
            reps: vec![],
            milestone: None,
        }
    }
}
