//! Who else hears of what stands in the console, by which way, and when people are let be: `rules` and `quiet` in
//! `config/notify.yaml`.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};

use super::channels::console::KINDS;
use crate::accounts::Role;
use crate::base::email::Email;
use crate::base::time::{Timestamp, zone};
use crate::base::yaml;

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What flows know it by (`do: team.notify`).
    pub name: Option<String>,
    /// Kinds of console lines.
    pub on: Vec<&'static str>,
    pub to: Vec<Whom>,
    pub by: Vec<By>,
    /// Mails are gathered to one.
    pub digest: Option<Digest>,
}

/// Who hears of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Whom the line is for anyway.
    Theirs,
    /// Everybody of a role.
    Role(Role),
    /// Somebody with an account.
    Person(Email),
}

/// By which way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    Mail,
    Console,
    /// The browsers that somebody has switched it on in.
    Push,
    /// A chat, by its name among the hooks.
    Hook(String),
}

/// How often gathered mails go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// At the full hour.
    Hourly,
    /// At eight in the morning of the reader's zone.
    Daily,
}

/// The hour of a daily summary.
const MORNING: i8 = 8;

impl Digest {
    /// When the next one goes out.
    pub fn next(self, zone: &TimeZone, now: Timestamp) -> Timestamp {
        let local = now.to_jiff().to_zoned(zone.clone());
        let next = match self {
            Self::Hourly => {
                let hour = 3_600_000;
                return Timestamp((now.as_ms().div_euclid(hour) + 1) * hour);
            }
            Self::Daily => next_at(&local, Time::constant(MORNING, 0, 0, 0)),
        };
        next.unwrap_or(now)
    }
}

/// The next moment at which clocks show this time.
fn next_at(local: &Zoned, time: Time) -> Option<Timestamp> {
    let mut date = local.date();
    for _ in 0..3 {
        let at = date.to_datetime(time).to_zoned(local.time_zone().clone()).ok()?;
        if at.timestamp() > local.timestamp() {
            return Some(Timestamp::from_jiff(at.timestamp()));
        }
        date = date.checked_add(1.day()).ok()?;
    }
    None
}

/// When people are let be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Quiet {
    /// From and to, by the clock on the wall; over midnight if `from` is later. None: never.
    pub hours: Option<(Time, Time)>,
    /// The zone of whoever has none of her own.
    pub zone: Option<TimeZone>,
    /// What is told all the same.
    pub through: Vec<&'static str>,
}

impl Quiet {
    /// Until when something of this kind has to wait for somebody in this zone, if it has to.
    pub fn until(&self, kind: &str, own: Option<&TimeZone>, now: Timestamp) -> Option<Timestamp> {
        let (from, to) = self.hours?;
        if self.through.contains(&kind) {
            return None;
        }
        let local = now.to_jiff().to_zoned(self.zone_of(own));
        let time = local.time();
        let is_quiet = if from <= to { from <= time && time < to } else { time >= from || time < to };
        if is_quiet { next_at(&local, to) } else { None }
    }

    /// Somebody's own zone, else the one of the file.
    pub fn zone_of(&self, own: Option<&TimeZone>) -> TimeZone {
        own.or(self.zone.as_ref()).cloned().unwrap_or(TimeZone::UTC)
    }
}

/// Reads one rule; `hooks` are the names of the chats.
pub(super) fn alert(view: yaml::View<'_>, hooks: &[&str]) -> Option<Alert> {
    let mut map = view.map()?;
    let name = map
        .optional("name")
        .and_then(|view| view.parsed("a name", |text| yaml::is_name(text).then(|| text.to_owned())));
    // What a flow tells by the rule's name needs no other occasion.
    let on = if name.is_some() { map.optional("on") } else { map.required("on") };
    let on = on.map(yaml::View::one_or_more).unwrap_or_default();
    let to = map.optional("to").map(yaml::View::one_or_more).unwrap_or_default();
    let by = map.required("by").map(yaml::View::one_or_more).unwrap_or_default();
    let digest = map.optional("digest").and_then(|view| view.one_of(&["hourly", "daily"]));
    map.finish();
    let way = |view: yaml::View<'_>| {
        let word = view.str()?;
        Some(match word.as_str() {
            "mail" => By::Mail,
            "console" => By::Console,
            "push" => By::Push,
            name if hooks.contains(&name) => By::Hook(word),
            _ => {
                let known = ["mail", "console", "push"].into_iter().chain(hooks.iter().copied());
                let message = format!(
                    "there is no way \"{word}\"; ways are mail, console, push and the chats among the hooks"
                );
                view.error("N105", message).did_you_mean(&word, known);
                return None;
            }
        })
    };
    Some(Alert {
        name,
        on: on.into_iter().filter_map(|view| view.one_of(KINDS)).collect(),
        to: to.into_iter().filter_map(whom).collect(),
        by: by.into_iter().filter_map(way).collect(),
        digest: digest.map(|word| if word == "daily" { Digest::Daily } else { Digest::Hourly }),
    })
}

/// Reads who is meant.
pub(super) fn whom(view: yaml::View<'_>) -> Option<Whom> {
    view.parsed("theirs, role:NAME or an address", |text| match text.strip_prefix("role:") {
        Some(role) => Role::of_word(role).map(Whom::Role),
        None if text == "theirs" => Some(Whom::Theirs),
        None => Email::parse(text).ok().map(Whom::Person),
    })
}

/// Reads the quiet hours.
pub(super) fn quiet(view: yaml::View<'_>) -> Option<Quiet> {
    let mut map = view.map()?;
    let hours = map.required("hours").and_then(|view| {
        view.parsed("two times such as 20:00-08:00", |text| {
            let (from, to) = text.split_once('-')?;
            let time = |text: &str| {
                let (hour, minute) = text.trim().split_once(':')?;
                Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
            };
            time(from).zip(time(to))
        })
    });
    let named = map.optional("zone").and_then(|view| view.parsed("a time zone such as Europe/Madrid", zone));
    let through = map.optional("through").map(yaml::View::one_or_more).unwrap_or_default();
    map.finish();
    let through = through.into_iter().filter_map(|view| view.one_of(KINDS)).collect();
    Some(Quiet { hours, zone: named, through })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_jiff(text.parse().expect("a moment"))
    }

    fn quiet() -> Quiet {
        let time = |hour| Time::constant(hour, 0, 0, 0);
        Quiet {
            hours: Some((time(20), time(8))),
            zone: zone("Europe/Madrid"),
            through: vec!["handoff_requested"],
        }
    }

    #[test]
    fn at_night_everything_waits_for_the_morning_but_what_breaks_through() {
        let quiet = quiet();
        let evening = at("2026-11-23T21:30:00Z");
        assert_eq!(quiet.until("task_given", None, evening), Some(at("2026-11-24T07:00:00Z")));
        assert_eq!(quiet.until("handoff_requested", None, evening), None);
        let mexico = zone("America/Mexico_City").expect("a zone");
        assert_eq!(quiet.until("task_given", Some(&mexico), evening), None, "15:30 there");
        assert_eq!(quiet.until("task_given", None, at("2026-11-24T07:00:00Z")), None, "the end is outside");
        assert_eq!(
            quiet.until("task_given", None, at("2026-11-23T19:00:00Z")),
            Some(at("2026-11-24T07:00:00Z"))
        );
        assert_eq!(Quiet::default().until("task_given", None, evening), None);
    }

    #[test]
    fn a_night_in_which_clocks_change_ends_at_eight_all_the_same() {
        let quiet = quiet();
        assert_eq!(
            quiet.until("task_given", None, at("2026-03-28T22:00:00Z")),
            Some(at("2026-03-29T06:00:00Z"))
        );
        assert_eq!(
            quiet.until("task_given", None, at("2026-10-24T22:00:00Z")),
            Some(at("2026-10-25T07:00:00Z"))
        );
    }

    #[test]
    fn summaries_go_out_at_the_full_hour_or_in_the_morning() {
        let madrid = zone("Europe/Madrid").expect("a zone");
        let now = at("2026-11-23T09:20:00Z");
        assert_eq!(Digest::Hourly.next(&madrid, now), at("2026-11-23T10:00:00Z"));
        assert_eq!(Digest::Daily.next(&madrid, now), at("2026-11-24T07:00:00Z"));
        assert_eq!(Digest::Daily.next(&madrid, at("2026-11-24T06:59:00Z")), at("2026-11-24T07:00:00Z"));
    }
}
