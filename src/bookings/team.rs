//! The team: who holds which meetings, and when they work. `team_file.rs` reads it from `config/team.yaml`.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::base::email::Email;
use crate::base::language::Language;
use crate::base::localized::Localized;
use crate::base::time::Timestamp;
use crate::deals::Milestone;
use crate::stages::hours::{WEEK, Working, WorkingHours};

use super::absence::Away;
use super::assign::Policy;
use super::limits::{Limit, Limits};
use super::location::{self, About};
use super::own_week::OwnWeek;
use super::questions::Question;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hours {
    /// First minute, 0 to 1439.
    pub from: u16,
    /// First minute after it, 1 to 1440.
    pub to: u16,
}

/// The working hours of an ordinary week.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// How many calls they are to have for one of a rep with weight 1; at least 1.
    pub weight: u32,
    /// What they are good for, by name: `region: [iberia, andes]`.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// How many calls of any kind they hold at most.
    pub limit: Limit,
    /// When they are away, and who stands in.
    pub away: Vec<Away>,
    /// Their ordinary week, as the file says it.
    pub hours: Week,
    /// The one that they wrote in the console, which goes before it.
    pub own: OwnWeek,
    /// Days that differ from it; an empty list is a day off. The team's closed days are in here too.
    pub overrides: BTreeMap<Date, Vec<Hours>>,
    /// The addresses of calendar feeds in which they are busy elsewhere.
    pub calendars: Vec<String>,
}

impl Rep {
    /// The stretches that this rep works on a date of their own calendar.
    pub fn hours_on(&self, date: Date) -> &[Hours] {
        self.overrides.get(&date).map_or_else(|| self.week().on(date.weekday()), Vec::as_slice)
    }

    /// The ordinary week that holds.
    pub fn week(&self) -> &Week {
        self.own.now().unwrap_or(&self.hours)
    }

    /// Whether they speak the language.
    pub fn speaks(&self, language: Language) -> bool {
        self.languages.contains(&language)
    }

    /// The attributes that speak against this rep for somebody of whom `traits` are known. What is not known, or not
    /// said of the rep, speaks against nobody.
    pub fn mismatches(&self, traits: &BTreeMap<String, String>) -> Vec<String> {
        let is_against = |(name, good): &(&String, &Vec<String>)| {
            let same =
                |value: &String, trait_: &String| value.trim().to_lowercase() == trait_.trim().to_lowercase();
            traits.get(*name).is_some_and(|known| !good.iter().any(|value| same(value, known)))
        };
        self.attributes.iter().filter(is_against).map(|(name, _)| name.clone()).collect()
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
    /// How long it takes: the first of `durations_ms`, unless another was chosen ([`Meeting::lasting`]).
    pub duration_ms: i64,
    /// How long it may take; whoever books chooses.
    pub durations_ms: Vec<i64>,
    /// Time kept free before it.
    pub buffer_before_ms: i64,
    /// Time kept free after it.
    pub buffer_after_ms: i64,
    /// How far ahead it must be booked.
    pub notice_ms: i64,
    /// How far ahead it can be booked, by the calendar of `zone`.
    pub window: Window,
    /// The distance between two starts; divides a day.
    pub interval_ms: i64,
    /// The zone on whose wall clock the starts are aligned.
    pub zone: TimeZone,
    /// Where it takes place: a link, which may name the call ([`location`]), or a text.
    pub location: Localized,
    /// Whether the rep calls the visitor, whose number is asked.
    pub by_telephone: bool,
    /// What is asked of whoever books.
    pub questions: Vec<Question>,
    /// How many of them are held at most.
    pub limits: Limits,
    /// The ids of the reps who hold it, in order.
    pub reps: Vec<String>,
    /// The ids of those of whom one has to be there, too, in order; empty where the rep alone holds it.
    pub with: Vec<String>,
    /// How far it brings the deals of whoever came to it.
    pub milestone: Option<Milestone>,
}

impl Meeting {
    /// The meeting with a length that was chosen; none if it is not one of its own. Nothing chosen is the first.
    pub fn lasting(&self, duration_ms: Option<i64>) -> Option<Self> {
        let Some(chosen) = duration_ms else { return Some(self.clone()) };
        self.durations_ms.contains(&chosen).then(|| self.as_long_as(chosen))
    }

    /// The meeting with this length, also if it is not offered any more.
    pub fn as_long_as(&self, duration_ms: i64) -> Self {
        Self { duration_ms, ..self.clone() }
    }

    /// The meeting as it is of those of whom one has to be there, too; none where the rep alone holds it.
    pub fn of_companion(&self) -> Option<Self> {
        let is_of_two = !self.with.is_empty();
        is_of_two.then(|| Self { reps: self.with.clone(), with: Vec::new(), ..self.clone() })
    }

    /// Where a call takes place, its names filled in; none if the meeting does not say.
    pub fn place(&self, language: Language, about: About<'_>) -> Option<String> {
        // Checked with the same names when the file was read.
        location::of(self.location.get(language), about).ok().filter(|place| !place.is_empty())
    }
}

/// How far ahead a meeting can be booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// So many days after today.
    Days(u16),
    /// So many days from Monday to Friday after today; the days on which nobody works do not count.
    BusinessDays {
        /// How many.
        days: u16,
        /// The team's closed days.
        closed: Vec<Date>,
    },
    /// From the first to the last of these days.
    Between {
        /// The first.
        first: Date,
        /// The last.
        last: Date,
    },
}

impl Window {
    /// The first and the last day on which the meeting can begin, if today is `today`.
    pub fn days(&self, today: Date) -> (Date, Date) {
        match self {
            Self::Days(days) => (today, today.saturating_add(jiff::Span::new().days(i64::from(*days)))),
            Self::BusinessDays { days, closed } => {
                let (mut last, mut left) = (today, *days);
                while left > 0 {
                    let Ok(next) = last.tomorrow() else { break };
                    last = next;
                    let is_weekend = matches!(last.weekday(), Weekday::Saturday | Weekday::Sunday);
                    left -= u16::from(!is_weekend && !closed.contains(&last));
                }
                (today, last)
            }
            Self::Between { first, last } => (today.max(*first), *last),
        }
    }

    /// At most how many days it reaches from `today`.
    pub fn reach_days(&self, today: Date) -> i64 {
        let (_, last) = self.days(today);
        i64::from(today.until(last).map_or(0, |span| span.get_days()).max(0))
    }
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
    /// How calls are given to the reps.
    pub policy: Policy,
    /// The teams that take chats, in the file's order.
    pub groups: Vec<Group>,
    /// Whom and what the file does not name any more, as `former.rs` finds it at the start.
    pub gone: OnceLock<Gone>,
}

/// Reps and kinds of calls that the file named once, for the names of calls that outlive it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gone {
    /// They work at no hours.
    pub reps: Vec<Rep>,
    /// Kinds of calls.
    pub meetings: Vec<GoneMeeting>,
}

/// What calls of a kind that is given up are still told by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoneMeeting {
    /// The name in the calls.
    pub id: String,
    /// What people call it.
    pub title: Localized,
    /// What was asked of whoever booked.
    pub questions: Vec<Question>,
}

/// A team that takes chats: people by their accounts or by what these may do. Without either it is everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The name that flows hand over to.
    pub id: String,
    /// What people call it.
    pub name: Localized,
    /// The accounts of its people.
    pub members: Vec<Email>,
    /// Everybody whose account has one of these roles.
    pub roles: Vec<crate::accounts::Role>,
    /// The team that is asked where nobody of this one is there, or all have let it pass.
    pub fallback: Option<String>,
}

impl Group {
    /// Whether everybody belongs to it who takes chats.
    pub fn is_everybody(&self) -> bool {
        self.members.is_empty() && self.roles.is_empty()
    }

    /// Whether somebody belongs to it.
    pub fn has(&self, account: &Email, role: crate::accounts::Role) -> bool {
        self.is_everybody() || self.members.contains(account) || self.roles.contains(&role)
    }
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
    /// A team that takes chats and those that stand in for it, in the order in which they are asked; none if it is
    /// declared nowhere.
    pub fn group_and_fallbacks(&self, id: &str) -> impl Iterator<Item = &Group> {
        let find = |id: &str| self.groups.iter().find(|group| group.id == id);
        let next = move |group: &&Group| group.fallback.as_deref().and_then(find);
        // No circle: the file is refused with one.
        std::iter::successors(find(id), next)
    }

    /// The meeting with this id.
    pub fn meeting(&self, id: &str) -> Option<&Meeting> {
        self.meetings.iter().find(|meeting| meeting.id == id)
    }

    /// The rep with this id.
    pub fn rep(&self, id: &str) -> Option<&Rep> {
        self.reps.iter().find(|rep| rep.id == id)
    }

    /// Whether some kind of call is held by a rep, or has her there, too.
    pub fn is_booked_with(&self, rep: &str) -> bool {
        let names = |ids: &[String]| ids.iter().any(|id| id == rep);
        self.meetings.iter().any(|meeting| names(&meeting.reps) || names(&meeting.with))
    }

    /// The reps that the file names no more.
    pub fn gone_reps(&self) -> &[Rep] {
        self.gone.get().map_or(&[], |gone| &gone.reps)
    }

    fn gone_meeting(&self, id: &str) -> Option<&GoneMeeting> {
        self.gone.get()?.meetings.iter().find(|meeting| meeting.id == id)
    }

    /// What people call a rep, one who left, too; her id if nobody ever heard of her.
    pub fn rep_name<'t>(&'t self, id: &'t str) -> &'t str {
        let known = self.rep(id).or_else(|| self.gone_reps().iter().find(|rep| rep.id == id));
        known.map_or(id, |rep| &rep.name)
    }

    /// What people call a kind of call, one that was given up, too; its id if nobody ever heard of it.
    pub fn title_of<'t>(&'t self, meeting: &'t str, language: Language) -> &'t str {
        let known = self.meeting(meeting).map(|meeting| &meeting.title);
        let title = known.or_else(|| self.gone_meeting(meeting).map(|meeting| &meeting.title));
        title.map_or(meeting, |title| title.get(language))
    }

    /// What a kind of call asks of whoever books it, or asked.
    pub fn questions_of(&self, meeting: &str) -> &[Question] {
        let known = self.meeting(meeting).map(|meeting| &meeting.questions);
        known.or_else(|| self.gone_meeting(meeting).map(|gone| &gone.questions)).map_or(&[], Vec::as_slice)
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
            weight: 1,
            attributes: BTreeMap::new(),
            limit: Limit::default(),
            away: Vec::new(),
            hours: Week {
                monday: day.clone(),
                tuesday: day.clone(),
                wednesday: day.clone(),
                thursday: day.clone(),
                friday: day,
                saturday: vec![],
                sunday: vec![],
            },
            own: OwnWeek::default(),
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
            durations_ms: vec![30 * MINUTE_MS],
            buffer_before_ms: 0,
            buffer_after_ms: 0,
            notice_ms: 0,
            window: Window::Days(14),
            interval_ms: 30 * MINUTE_MS,
            zone: zone(zone_name).expect("bundled"),
            location: text("https://meet.faro.example/discovery"),
            by_telephone: false,
            questions: Vec::new(),
            limits: Limits::default(),
            reps: vec![],
            with: vec![],
            milestone: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().expect("a date")
    }

    #[test]
    fn a_window_rolls_by_the_calendar_by_working_days_or_stands_still() {
        let friday = date("2026-12-18");
        assert_eq!(Window::Days(3).days(friday), (friday, date("2026-12-21")));
        let working = Window::BusinessDays { days: 5, closed: vec![date("2026-12-25")] };
        // Monday to Thursday, not Christmas, not the weekend, then Monday.
        assert_eq!(working.days(friday), (friday, date("2026-12-28")));
        assert_eq!(working.reach_days(friday), 10);
        let fair = Window::Between { first: date("2026-12-21"), last: date("2026-12-23") };
        assert_eq!(fair.days(friday), (date("2026-12-21"), date("2026-12-23")));
        assert_eq!(fair.days(date("2026-12-22")).0, date("2026-12-22"));
        assert_eq!(fair.reach_days(date("2027-01-04")), 0);
    }

    #[test]
    fn only_lengths_on_offer_can_be_chosen() {
        let meeting = Meeting { durations_ms: vec![20, 40], ..examples::meeting("UTC") };
        assert_eq!(meeting.lasting(Some(40)).map(|meeting| meeting.duration_ms), Some(40));
        assert_eq!(meeting.lasting(None).map(|same| same.duration_ms), Some(meeting.duration_ms));
        assert_eq!(meeting.lasting(Some(30)), None);
    }
}
