//! Reads `config/team.yaml` and tells every mistake at its place.
//!
//! | code | what is wrong |
//! |---|---|
//! | B101 | an id that cannot stand in links, or that stands twice |
//! | B102 | a time zone that is not in the database |
//! | B103 | hours that are no hours, or that overlap |
//! | B104 | a date that is not in the calendar |
//! | B105 | a number out of its range |
//! | B106 | a meeting that names somebody who is not in the team, or nobody |
//! | B107 | an e-mail address that cannot be written to, or that two reps share |
//! | B108 | the address of a calendar feed that cannot be fetched |
//! | S509 | business hours without hours or without a time zone |

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::calendars;
use super::team::{Hours, Meeting, Opening, Rep, Role, Team, Week};
use crate::base::diagnostic::Report;
use crate::base::email::Email;
use crate::base::language::Language;
use crate::base::localized::Localized;
use crate::base::time::{DAY_MS, HOUR_MS, MINUTE_MS, near_zone, zone};
use crate::base::yaml::{self, Map, View, is_name};
use crate::deals::Milestone;

/// Distances between two starts, in minutes; each divides a day, so that every day has the same grid.
const INTERVALS_MIN: [i64; 8] = [5, 10, 15, 20, 30, 45, 60, 90];
/// What a rep's order is when the file does not say.
const PRIORITY: u32 = 100;

impl Team {
    /// Reads the file's text; what is wrong with it goes to the report.
    ///
    /// `None` if there is an error: a team with a hole in it would offer wrong times.
    pub fn parse(path: &str, text: &str, report: &Report) -> Option<Self> {
        let doc = yaml::parse(path, text, report)?;
        let mut map = doc.view(report).map()?;
        let closed: Vec<Date> = map
            .optional("closed")
            .map(|view| view.one_or_more().into_iter().filter_map(date).collect())
            .unwrap_or_default();
        let mut reps: Vec<Rep> = Vec::new();
        // Whoever has a mistake in her own entry is in the team all the same.
        let mut declared: Vec<String> = Vec::new();
        for view in map.required("reps").and_then(View::list).unwrap_or_default() {
            declared
                .extend(view.map().and_then(|mut map| map.optional("id")?.text().map(|id| id.text.clone())));
            if let Some(rep) = rep(view, &closed, &reps) {
                reps.push(rep);
            }
        }
        let mut meetings: Vec<Meeting> = Vec::new();
        for view in map.required("meetings").and_then(View::list).unwrap_or_default() {
            if let Some(meeting) = meeting(view, &reps, &declared, &meetings) {
                meetings.push(meeting);
            }
        }
        let mut opening: Vec<Opening> = Vec::new();
        for view in map.optional("opening_hours").and_then(View::list).unwrap_or_default() {
            if let Some(one) = opens(view, &closed, &opening) {
                opening.push(one);
            }
        }
        map.finish();
        (!report.has_errors()).then_some(Self { reps, meetings, opening })
    }
}

fn rep(view: View<'_>, closed: &[Date], earlier: &[Rep]) -> Option<Rep> {
    let mut map = view.map()?;
    let id = map.required("id").and_then(|view| id(view, earlier.iter().map(|rep| rep.id.as_str())));
    let name = map.required("name").and_then(View::words);
    let account = map.required("account").and_then(email);
    if let (Some(account), Some(at)) = (&account, map.optional("account"))
        && let Some(other) = earlier.iter().find(|rep| rep.account == *account)
    {
        at.error("B107", format!("{} logs in with this account already", other.name)).done();
    }
    let email = map.optional("email").map_or_else(|| account.clone(), email);
    let zone = map.required("zone").and_then(time_zone);
    let languages = map.required("languages").map(languages);
    let role = map.required("role").and_then(|view| view.one_of(&["sdr", "ae"])).map(|word| match word {
        "ae" => Role::Ae,
        _ => Role::Sdr,
    });
    let priority = map.optional("priority").map_or(Some(PRIORITY), |view| number(view, 0, 1_000));
    let hours = map.required("hours").and_then(week);
    let mut overrides: BTreeMap<Date, Vec<Hours>> = closed.iter().map(|date| (*date, Vec::new())).collect();
    if let Some(days) = map.optional("overrides").and_then(View::map) {
        overrides.extend(different(&days));
    }
    let calendars = map.optional("calendars").map(View::one_or_more).unwrap_or_default();
    let calendars = calendars.into_iter().filter_map(feed).collect();
    map.finish();
    Some(Rep {
        id: id?,
        account: account?,
        name: name?,
        email: email?,
        zone: zone?,
        languages: languages?,
        role: role?,
        priority: priority?,
        hours: hours?,
        overrides,
        calendars,
    })
}

/// The address of a calendar feed.
fn feed(view: View<'_>) -> Option<String> {
    let text = view.str()?;
    if calendars::address(&text).is_none() {
        view.error("B108", "this is not the address of a calendar feed").hint(
            "write it as https://… or webcal://…; a calendar with a password is connected in the console",
        );
        return None;
    }
    Some(text)
}

/// Business hours by name.
fn opens(view: View<'_>, closed: &[Date], earlier: &[Opening]) -> Option<Opening> {
    let mut map = view.map()?;
    let id = map.required("id").and_then(|view| id(view, earlier.iter().map(|one| one.id.as_str())));
    let zone = match map.optional("zone") {
        Some(view) => time_zone(view),
        None => {
            view.error("S509", "these business hours have no time zone")
                .hint("zone: Europe/Madrid; else nobody knows when nine o'clock is");
            None
        }
    };
    let hours = map.optional("hours").and_then(week);
    let never = Week::default();
    if hours.as_ref().is_none_or(|hours| *hours == never) {
        view.error("S509", "these business hours have no hours: it would never be open")
            .hint("hours: {weekdays: [09:00-14:00, 15:30-18:30]}");
    }
    let holidays = map.optional("holidays").map(|view| view.one_or_more().into_iter().filter_map(date));
    let mut overrides: BTreeMap<Date, Vec<Hours>> = closed.iter().map(|date| (*date, Vec::new())).collect();
    overrides.extend(holidays.into_iter().flatten().map(|date| (date, Vec::new())));
    if let Some(days) = map.optional("overrides").and_then(View::map) {
        overrides.extend(different(&days));
    }
    map.finish();
    Some(Opening { id: id?, zone: zone?, hours: hours?, overrides })
}

/// Days that differ from the ordinary week.
fn different(days: &Map<'_>) -> Vec<(Date, Vec<Hours>)> {
    let mut found = Vec::new();
    for (key, view) in days.entries() {
        match key.value.parse::<Date>() {
            Ok(date) => found.push((date, day(view))),
            Err(_) => {
                let message = format!("\"{}\" is not a date", key.value);
                view.report.error(&key.at, "B104", message).hint("write it as 2026-12-24");
            }
        }
    }
    found
}

fn meeting(view: View<'_>, team: &[Rep], declared: &[String], earlier: &[Meeting]) -> Option<Meeting> {
    let mut map = view.map()?;
    let id = map.required("id").and_then(|view| id(view, earlier.iter().map(|meeting| meeting.id.as_str())));
    let title = map.required("title").and_then(Localized::read);
    let description = map.required("description").and_then(Localized::read);
    let location = map.required("location").and_then(Localized::read);
    let duration_ms = map.required("duration").and_then(|view| length(view, 5 * MINUTE_MS, 8 * HOUR_MS));
    let buffer_before_ms = optional_length(&mut map, "buffer_before", 0, 0, 4 * HOUR_MS);
    let buffer_after_ms = optional_length(&mut map, "buffer_after", 0, 0, 4 * HOUR_MS);
    let notice_ms = optional_length(&mut map, "notice", 2 * HOUR_MS, 0, 60 * DAY_MS);
    let window_ms = optional_length(&mut map, "window", 14 * DAY_MS, DAY_MS, 366 * DAY_MS);
    let interval_ms = match map.optional("interval") {
        Some(view) => interval(view),
        None => Some(30 * MINUTE_MS),
    };
    let reps = map.required("reps").map(|view| {
        let mut ids = Vec::new();
        for view in view.one_or_more() {
            let Some(id) = view.str() else { continue };
            if !declared.contains(&id) {
                let message = format!("\"{id}\" is not in the team");
                view.error("B106", message).did_you_mean(&id, declared.iter().map(String::as_str));
            } else if ids.contains(&id) {
                view.error("B106", format!("\"{id}\" stands here twice")).done();
            } else {
                ids.push(id);
            }
        }
        if ids.is_empty() && view.one_or_more().is_empty() {
            view.error("B106", "nobody holds this meeting").hint("name at least one rep");
        }
        ids
    });
    let milestone = map
        .optional("milestone")
        .and_then(|view| Milestone::of_word(view.one_of(&Milestone::ALL.map(Milestone::word))?));
    let grid = match map.optional("zone") {
        Some(view) => time_zone(view),
        None => reps
            .as_ref()
            .and_then(|ids| ids.first())
            .and_then(|first| team.iter().find(|rep| rep.id == *first))
            .map(|rep| rep.zone.clone()),
    };
    map.finish();
    Some(Meeting {
        id: id?,
        title: title?,
        description: description?,
        duration_ms: duration_ms?,
        buffer_before_ms: buffer_before_ms?,
        buffer_after_ms: buffer_after_ms?,
        notice_ms: notice_ms?,
        window_days: u16::try_from(window_ms? / DAY_MS).ok()?,
        interval_ms: interval_ms?,
        zone: grid?,
        location: location?,
        reps: reps?,
        milestone,
    })
}

fn id<'a>(view: View<'_>, mut taken: impl Iterator<Item = &'a str>) -> Option<String> {
    let id = view.str()?;
    if !is_name(&id) {
        view.error("B101", format!("\"{id}\" cannot stand in a link"))
            .hint("use small letters, digits, - and _, at most 64");
        return None;
    }
    if taken.any(|other| other == id) {
        view.error("B101", format!("\"{id}\" stands twice")).hint("every id is used once");
        return None;
    }
    Some(id)
}

fn email(view: View<'_>) -> Option<Email> {
    let text = view.str()?;
    let email = Email::parse(&text).ok();
    if email.is_none() {
        view.error("B107", format!("\"{text}\" is not an e-mail address")).done();
    }
    email
}

fn time_zone(view: View<'_>) -> Option<TimeZone> {
    let name = view.str()?;
    let found = zone(&name);
    if found.is_none() {
        let noted = view.error("B102", format!("there is no time zone \"{name}\""));
        match near_zone(&name) {
            Some(known) => noted.hint(format!("did you mean \"{known}\"?")),
            None => noted.hint("write it as in the IANA database: Europe/Madrid, America/Mexico_City"),
        }
    }
    found
}

fn languages(view: View<'_>) -> Vec<Language> {
    let mut languages = Vec::new();
    for view in view.one_or_more() {
        match view.one_of(&["en", "es"]) {
            Some("es") => languages.push(Language::Es),
            Some(_) => languages.push(Language::En),
            None => {}
        }
    }
    languages
}

fn date(view: View<'_>) -> Option<Date> {
    let text = view.str()?;
    let date = text.parse::<Date>().ok();
    if date.is_none() {
        view.error("B104", format!("\"{text}\" is not a date")).hint("write it as 2026-12-24");
    }
    date
}

/// `monday: …` to `sunday: …`; `weekdays: …` stands for Monday to Friday where a day is not written itself.
fn week(view: View<'_>) -> Option<Week> {
    let mut map = view.map()?;
    let weekdays = map.optional("weekdays").map(day).unwrap_or_default();
    let mut on = |name, otherwise: &[Hours]| map.optional(name).map_or_else(|| otherwise.to_vec(), day);
    let week = Week {
        monday: on("monday", &weekdays),
        tuesday: on("tuesday", &weekdays),
        wednesday: on("wednesday", &weekdays),
        thursday: on("thursday", &weekdays),
        friday: on("friday", &weekdays),
        saturday: on("saturday", &[]),
        sunday: on("sunday", &[]),
    };
    map.finish();
    Some(week)
}

/// `closed`, one stretch such as `09:00-14:00`, or a list of them.
fn day(view: View<'_>) -> Vec<Hours> {
    if view.text().is_some_and(|text| text.text == "closed") {
        return Vec::new();
    }
    let mut stretches: Vec<Hours> = Vec::new();
    for view in view.one_or_more() {
        let Some(text) = view.str() else { continue };
        match hours(&text) {
            None => view
                .error("B103", format!("\"{text}\" are no working hours"))
                .hint("write them as 09:00-14:00; the end of the day is 24:00, a day off is `closed`"),
            Some(new) if stretches.iter().any(|old| old.from < new.to && new.from < old.to) => {
                view.error("B103", format!("{text} overlaps other hours of the same day")).done();
            }
            Some(new) => stretches.push(new),
        }
    }
    stretches.sort_unstable();
    stretches
}

fn hours(text: &str) -> Option<Hours> {
    let (from, to) = text.split_once(['-', '–'])?;
    let (from, to) = (minute_of_day(from.trim())?, minute_of_day(to.trim())?);
    (from < to).then_some(Hours { from, to })
}

fn minute_of_day(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    if hour.is_empty() || hour.len() > 2 || minute.len() != 2 {
        return None;
    }
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u16>().ok())?;
    let (hour, minute) = (digits(hour)?, digits(minute)?);
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= 24 * 60).then_some(minutes)
}

fn number(view: View<'_>, least: i64, most: i64) -> Option<u32> {
    let number = view.int()?;
    if !(least..=most).contains(&number) {
        view.error("B105", format!("{number} is not between {least} and {most}")).done();
        return None;
    }
    u32::try_from(number).ok()
}

fn optional_length(map: &mut Map<'_>, key: &'static str, default: i64, least: i64, most: i64) -> Option<i64> {
    map.optional(key).map_or(Some(default), |view| length(view, least, most))
}

fn length(view: View<'_>, least: i64, most: i64) -> Option<i64> {
    let ms = view.duration_ms()?;
    if !(least..=most).contains(&ms) || ms % MINUTE_MS != 0 {
        let message = format!("expected whole minutes from {} to {}", written(least), written(most));
        view.error("B105", message).done();
        return None;
    }
    Some(ms)
}

fn interval(view: View<'_>) -> Option<i64> {
    let ms = view.duration_ms()?;
    if !INTERVALS_MIN.iter().any(|minutes| minutes * MINUTE_MS == ms) {
        let known: Vec<String> = INTERVALS_MIN.iter().map(|minutes| format!("{minutes}m")).collect();
        view.error(
            "B105",
            format!("the starts would not repeat every day: expected one of {}", known.join(", ")),
        )
        .done();
        return None;
    }
    Some(ms)
}

fn written(ms: i64) -> String {
    match ms {
        0 => "0m".to_owned(),
        ms if ms % DAY_MS == 0 => format!("{}d", ms / DAY_MS),
        ms if ms % HOUR_MS == 0 => format!("{}h", ms / HOUR_MS),
        ms => format!("{}m", ms / MINUTE_MS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "
closed: [2026-12-25]
reps:
  - id: mike
    name: Mike Torres
    account: Mike@faro.example
    zone: Europe/Madrid
    languages: [en, es]
    role: sdr
    hours:
      weekdays: [15:30-18:30, 09:00-14:00]
      friday: 09:00-15:00
    overrides:
      2026-12-24: [09:00-12:00]
      2026-12-31: closed
meetings:
  - id: discovery
    title: {en: Discovery call, es: Primera llamada}
    description: {en: A first talk., es: Una primera charla.}
    location: https://meet.faro.example/discovery
    duration: 20m
    buffer_after: 5m
    reps: [mike]
";

    fn notes(text: &str) -> Vec<String> {
        let report = Report::new();
        let team = Team::parse("team.yaml", text, &report);
        assert_eq!(team.is_none(), report.has_errors());
        report
            .diagnostics()
            .into_iter()
            .map(|found| format!("{}:{} {} {}", found.line, found.col, found.code, found.message))
            .collect()
    }

    #[test]
    fn a_good_file_is_read_whole() {
        let report = Report::new();
        let team = Team::parse("team.yaml", GOOD, &report).unwrap_or_else(|| panic!("{}", report.text()));
        assert!(report.is_clean(), "{}", report.text());
        let mike = team.rep("mike").expect("is there");
        assert_eq!(mike.email.as_str(), "mike@faro.example");
        assert_eq!(mike.hours.monday, [Hours { from: 540, to: 840 }, Hours { from: 930, to: 1110 }]);
        assert_eq!(mike.hours.friday, [Hours { from: 540, to: 900 }]);
        assert!(mike.hours.sunday.is_empty());
        let on = |date: &str| mike.hours_on(date.parse().expect("a date"));
        assert_eq!(on("2026-12-24"), [Hours { from: 540, to: 720 }]);
        assert!(on("2026-12-25").is_empty(), "the company is closed");
        assert!(on("2026-12-31").is_empty());
        let discovery = team.meeting("discovery").expect("is there");
        assert_eq!((discovery.duration_ms, discovery.buffer_before_ms), (20 * MINUTE_MS, 0));
        assert_eq!((discovery.window_days, discovery.notice_ms), (14, 2 * HOUR_MS));
        assert_eq!(discovery.zone, mike.zone);
        assert_eq!(team.reps_of(discovery).len(), 1);
    }

    #[test]
    fn the_sample_companys_team_has_no_mistake() {
        let report = Report::new();
        let team = Team::parse("config/team.yaml", include_str!("../../config/team.yaml"), &report);
        assert!(report.is_clean(), "{}", report.text());
        let team = team.expect("no mistake");
        let discovery = team.meeting("discovery").expect("the story needs it");
        assert_eq!(team.reps_of(discovery).len(), 2);
    }

    #[test]
    fn every_mistake_is_told_at_its_place() {
        let text = GOOD
            .replace("[2026-12-25]", "[2026-02-30]")
            .replace("id: mike", "id: Mike T")
            .replace("Mike@faro.example", "mike at faro")
            .replace("Europe/Madrid", "Spain/Madrid")
            .replace("[en, es]\n    role", "[en, fr]\n    role")
            .replace("09:00-15:00", "15:00-09:00")
            .replace("2026-12-31: closed", "new year: closed")
            .replace("duration: 20m", "duration: 2m")
            .replace("buffer_after: 5m", "interval: 25m\n    bufer_after: 5m")
            .replace("reps: [mike]", "reps: [mik, mik]");
        assert_eq!(
            notes(&text),
            [
                "2:10 B104 \"2026-02-30\" is not a date",
                "4:9 B101 \"Mike T\" cannot stand in a link",
                "6:14 B107 \"mike at faro\" is not an e-mail address",
                "7:11 B102 there is no time zone \"Spain/Madrid\"",
                "8:21 Y004 \"fr\" is not en or es",
                "12:15 B103 \"15:00-09:00\" are no working hours",
                "15:7 B104 \"new year\" is not a date",
                "21:15 B105 expected whole minutes from 5m to 8h",
                "22:15 B105 the starts would not repeat every day: expected one of 5m, 10m, 15m, 20m, 30m, 45m, 60m, 90m",
                "23:5 Y003 unknown key \"bufer_after\"",
                "24:12 B106 \"mik\" is not in the team",
                "24:17 B106 \"mik\" is not in the team",
            ]
        );
    }

    #[test]
    fn a_zone_by_its_city_is_suggested() {
        let report = Report::new();
        Team::parse("team.yaml", &GOOD.replace("Europe/Madrid", "Spain/Madrid"), &report);
        let hints: Vec<_> = report.diagnostics().into_iter().filter_map(|found| found.hint).collect();
        assert_eq!(hints, ["did you mean \"Europe/Madrid\"?"]);
    }

    #[test]
    fn nobody_and_the_same_person_twice_are_refused() {
        assert_eq!(notes(&GOOD.replace("[mike]", "[]")), ["23:11 B106 nobody holds this meeting"]);
        assert_eq!(notes(&GOOD.replace("[mike]", "[mike, mike]")), ["23:18 B106 \"mike\" stands here twice"]);
        let overlap = GOOD.replace("15:30-18:30", "13:30-18:30");
        assert_eq!(notes(&overlap), ["11:31 B103 09:00-14:00 overlaps other hours of the same day"]);
    }

    #[test]
    fn hours_end_at_midnight_at_the_latest() {
        assert_eq!(hours("22:00-24:00"), Some(Hours { from: 1320, to: 1440 }));
        for wrong in
            ["22:00-24:01", "22:00-02:00", "9-14", "09:00", "09:60-10:00", "a:00-b:00", "-1:00-02:00"]
        {
            assert_eq!(hours(wrong), None, "{wrong}");
        }
    }
}
