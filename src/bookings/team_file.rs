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
//! | B108 | a location that names what it cannot know |
//! | B109 | a question that offers no answers, or answers where nothing is chosen |
//! | B110 | a calendar of closed days that cannot be read, or that holds what is no closed day |
//! | B111 | the address of a calendar feed that cannot be fetched |
//! | B112 | a team that names somebody who is not there, or a team that stands in for itself |
//! | S509 | business hours without hours or without a time zone |

use std::collections::BTreeMap;
use std::path::{Component, Path};
use std::sync::OnceLock;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::absence::Away;
use super::assign::{Cycle, Policy};
use super::calendars;
use super::holidays;
use super::limits::Limit;
use super::meeting_file::{limit, meeting};
use super::own_week::OwnWeek;
use super::team::{Group, Hours, Meeting, Opening, Rep, Role, Team, Week};
use crate::accounts;
use crate::base::diagnostic::Report;
use crate::base::email::Email;
use crate::base::language::Language;
use crate::base::localized::Localized;
use crate::base::time::{DAY_MS, HOUR_MS, MINUTE_MS, near_zone, zone};
use crate::base::yaml::{self, Map, View, is_name};

/// What a rep's order is when the file does not say.
const PRIORITY: u32 = 100;
/// How many calls for one of a rep with weight 1, at most.
const WEIGHT_MOST: i64 = 100;

impl Team {
    /// Reads the file's text; what is wrong with it goes to the report.
    ///
    /// `None` if there is an error: a team with a hole in it would offer wrong times.
    pub fn parse(path: &str, text: &str, report: &Report) -> Option<Self> {
        let doc = yaml::parse(path, text, report)?;
        let mut map = doc.view(report).map()?;
        let mut closed: Vec<Date> = map
            .optional("closed")
            .map(|view| view.one_or_more().into_iter().filter_map(date).collect())
            .unwrap_or_default();
        let calendars = map.optional("closed_calendars").map(View::one_or_more).unwrap_or_default();
        closed.extend(calendars.into_iter().flat_map(|view| calendar(view, path)));
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
            if let Some(meeting) = meeting(view, &reps, &declared, &closed, &meetings) {
                meetings.push(meeting);
            }
        }
        // Whoever stands in may come later in the file.
        for away in map.optional("reps").and_then(View::list).unwrap_or_default().into_iter().flat_map(aways)
        {
            stands_in(away, &declared);
        }
        let policy = map.optional("assignment").map_or(Some(Policy::default()), policy);
        let mut opening: Vec<Opening> = Vec::new();
        for view in map.optional("opening_hours").and_then(View::list).unwrap_or_default() {
            if let Some(one) = opens(view, &closed, &opening) {
                opening.push(one);
            }
        }
        let groups = map.optional("teams").map(|view| groups(view, &reps, &declared)).unwrap_or_default();
        map.finish();
        if report.has_errors() {
            return None;
        }
        Some(Self { reps, meetings, opening, policy: policy?, groups, gone: OnceLock::new() })
    }
}

/// The teams that take chats.
fn groups(view: View<'_>, reps: &[Rep], declared: &[String]) -> Vec<Group> {
    let views = view.list().unwrap_or_default();
    let mut groups: Vec<Group> = Vec::new();
    let mut fallbacks: Vec<(String, View<'_>)> = Vec::new();
    for view in &views {
        let Some(mut map) = view.map() else { continue };
        let id = map.required("id").and_then(|view| id(view, groups.iter().map(|group| group.id.as_str())));
        let name = map.required("name").and_then(Localized::read);
        let members = map.optional("members").map(View::one_or_more).unwrap_or_default();
        let members = members.into_iter().filter_map(|view| member(view, reps, declared)).collect();
        let roles = map.optional("roles").map(View::one_or_more).unwrap_or_default();
        let role = |view: View<'_>| {
            let words = ["admin", "sdr", "ae", "cs"];
            view.one_of(&words).and_then(accounts::Role::of_word)
        };
        let roles = roles.into_iter().filter_map(role).collect();
        let fallback = map.optional("fallback").and_then(|view| Some((view.str()?, view)));
        map.finish();
        let (Some(id), Some(name)) = (id, name) else { continue };
        fallbacks.extend(fallback.clone().map(|(_, view)| (id.clone(), view)));
        groups.push(Group { id, name, members, roles, fallback: fallback.map(|(name, _)| name) });
    }
    for (id, view) in fallbacks {
        let next = |name: &str| groups.iter().find(|group| group.id == name)?.fallback.clone();
        let Some(named) = view.str() else { continue };
        if groups.iter().all(|group| group.id != named) {
            view.error("B112", format!("there is no team \"{named}\""))
                .did_you_mean(&named, groups.iter().map(|group| group.id.as_str()));
        } else if std::iter::successors(Some(named), |name| next(name))
            .take(groups.len() + 1)
            .any(|name| name == id)
        {
            view.error("B112", format!("\"{id}\" would stand in for itself"))
                .hint("leave the fallback of one of the teams out");
        }
    }
    groups
}

/// Somebody of a team: a rep by her id, or the address of an account.
fn member(view: View<'_>, reps: &[Rep], declared: &[String]) -> Option<Email> {
    let named = view.str()?;
    if named.contains('@') {
        return email(view);
    }
    let found = reps.iter().find(|rep| rep.id == named).map(|rep| rep.account.clone());
    // Whoever has a mistake in her own entry is told of there.
    if found.is_none() && !declared.contains(&named) {
        view.error("B112", format!("there is no rep \"{named}\""))
            .did_you_mean(&named, declared.iter().map(String::as_str));
    }
    found
}

/// The closed days of a calendar file that lies beside the team's.
fn calendar(view: View<'_>, team: &str) -> Vec<Date> {
    let Some(name) = view.str() else { return Vec::new() };
    let is_plain = Path::new(&name).components().all(|part| matches!(part, Component::Normal(_)));
    if !is_plain {
        view.error("B110", format!("\"{name}\" does not lie beside this file"))
            .hint("closed_calendars: [holidays.ics]");
        return Vec::new();
    }
    let file = Path::new(team).parent().unwrap_or(Path::new("")).join(&name);
    let found = match std::fs::read_to_string(&file) {
        Ok(text) => holidays::days(&text),
        Err(error) => Err(vec![format!("it cannot be read: {error}")]),
    };
    found.unwrap_or_else(|wrong| {
        for why in wrong {
            view.error("B110", format!("{name}: {why}")).done();
        }
        Vec::new()
    })
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
    let weight = map.optional("weight").map_or(Some(1), |view| number(view, 1, WEIGHT_MOST));
    let attributes = map.optional("attributes").map_or_else(BTreeMap::new, attributes);
    let limit = map.optional("limits").map_or(Some(Limit::default()), limit);
    let away = map.optional("away").map(away).unwrap_or_default();
    let hours = map.required("hours").and_then(week);
    let mut overrides: BTreeMap<Date, Vec<Hours>> = closed.iter().map(|date| (*date, Vec::new())).collect();
    if let Some(days) = map.optional("overrides").and_then(View::map) {
        overrides.extend(different(&days));
    }
    let calendars = map.optional("calendars").map(View::one_or_more).unwrap_or_default();
    let calendars = calendars.into_iter().filter_map(feed).collect();
    map.finish();
    Some(Rep {
        weight: weight?,
        attributes,
        limit: limit?,
        away,
        id: id?,
        account: account?,
        name: name?,
        email: email?,
        zone: zone?,
        languages: languages?,
        role: role?,
        priority: priority?,
        hours: hours?,
        own: OwnWeek::default(),
        overrides,
        calendars,
    })
}

/// What a rep is good for, by name; one value or several.
fn attributes(view: View<'_>) -> BTreeMap<String, Vec<String>> {
    let Some(map) = view.map() else { return BTreeMap::new() };
    let mut found = BTreeMap::new();
    for (key, view) in map.entries() {
        if !is_name(&key.value) {
            view.report
                .error(&key.at, "B101", format!("\"{}\" is no name of an attribute", key.value))
                .done();
        }
        found.insert(key.value.clone(), view.strings());
    }
    found
}

/// The days a rep is away.
fn away(view: View<'_>) -> Vec<Away> {
    let mut found = Vec::new();
    for view in view.one_or_more() {
        let Some(mut map) = view.map() else { continue };
        let from = map.required("from").and_then(date);
        let to = map.optional("to").map_or(from, date);
        let delegate = map.optional("delegate").and_then(View::str);
        if let (Some(from), Some(to)) = (from, to)
            && to < from
        {
            view.error("B104", format!("{to} lies before {from}")).hint("`to` is the last day away");
        }
        map.finish();
        if let (Some(from), Some(to)) = (from, to) {
            found.push(Away { from, to, delegate });
        }
    }
    found
}

/// The entries of a rep's `away`, with the rep's id.
fn aways(rep: View<'_>) -> Vec<(Option<String>, View<'_>)> {
    let Some(mut map) = rep.map() else { return Vec::new() };
    let id = map.optional("id").and_then(|id| id.text().map(|id| id.text.clone()));
    let entries = map.optional("away").map(View::one_or_more).unwrap_or_default();
    entries.into_iter().map(|entry| (id.clone(), entry)).collect()
}

/// Whoever stands in is somebody else of the team.
fn stands_in((rep, view): (Option<String>, View<'_>), declared: &[String]) {
    let delegate = view.is_map().then(|| view.map()?.optional("delegate")).flatten();
    let Some((delegate, name)) = delegate.and_then(|view| Some((view, view.text()?.text.clone()))) else {
        return;
    };
    if rep.as_deref() == Some(name.as_str()) {
        delegate.error("B106", "nobody stands in for herself").hint("name a colleague, or leave it out");
    } else if !declared.contains(&name) {
        let message = format!("\"{name}\" is not in the team");
        delegate.error("B106", message).did_you_mean(&name, declared.iter().map(String::as_str));
    }
}

/// How calls are given to the reps.
fn policy(view: View<'_>) -> Option<Policy> {
    let mut map = view.map()?;
    let given_back =
        |view: View<'_>| view.one_of(&["given_back", "counted"]).map(|word| word == "given_back");
    let usual = Policy::default();
    let cycle = map.optional("cycle").map_or(Some(usual.cycle), |view| {
        Some(match view.one_of(&["week", "month", "quarter"])? {
            "week" => Cycle::Week,
            "quarter" => Cycle::Quarter,
            _ => Cycle::Month,
        })
    });
    let no_shows_back = map.optional("no_shows").map_or(Some(usual.no_shows_back), given_back);
    let cancellations_back = map.optional("cancellations").map_or(Some(usual.cancellations_back), given_back);
    let owner_within_days = map
        .optional("owner_within")
        .map(|view| length(view, DAY_MS, 60 * DAY_MS).and_then(|ms| u16::try_from(ms / DAY_MS).ok()));
    map.finish();
    Some(Policy {
        cycle: cycle?,
        no_shows_back: no_shows_back?,
        cancellations_back: cancellations_back?,
        owner_within_days: match owner_within_days {
            Some(days) => Some(days?),
            None => None,
        },
    })
}

/// The address of a calendar feed.
fn feed(view: View<'_>) -> Option<String> {
    let text = view.str()?;
    if calendars::address(&text).is_none() {
        view.error("B111", "this is not the address of a calendar feed").hint(
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

pub(super) fn id<'a>(view: View<'_>, mut taken: impl Iterator<Item = &'a str>) -> Option<String> {
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

pub(super) fn time_zone(view: View<'_>) -> Option<TimeZone> {
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

pub(super) fn date(view: View<'_>) -> Option<Date> {
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

pub(super) fn number(view: View<'_>, least: i64, most: i64) -> Option<u32> {
    let number = view.int()?;
    if !(least..=most).contains(&number) {
        view.error("B105", format!("{number} is not between {least} and {most}")).done();
        return None;
    }
    u32::try_from(number).ok()
}

pub(super) fn optional_length(
    map: &mut Map<'_>,
    key: &'static str,
    default: i64,
    least: i64,
    most: i64,
) -> Option<i64> {
    map.optional(key).map_or(Some(default), |view| length(view, least, most))
}

pub(super) fn length(view: View<'_>, least: i64, most: i64) -> Option<i64> {
    let ms = view.duration_ms()?;
    if !(least..=most).contains(&ms) || ms % MINUTE_MS != 0 {
        let message = format!("expected whole minutes from {} to {}", written(least), written(most));
        view.error("B105", message).done();
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
    use crate::bookings::team::Window;

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

    #[test]
    fn teams_that_take_chats_are_read_and_what_cannot_be_is_told() {
        let with = |teams: &str| {
            GOOD.replace("reps:\n  - id: mike\n", &format!("teams:\n{teams}reps:\n  - id: mike\n"))
        };
        let sound = with(
            "  - {id: sdr, name: {en: Sales, es: Ventas}}\n  - {id: cs, name: {en: Care, es: Cuidado}, roles: [cs], \
             members: [mike, ana@faro.example], fallback: sdr}\n",
        );
        let team = Team::parse("team.yaml", &sound, &Report::new()).expect("it is sound");
        let asked: Vec<&str> = team.group_and_fallbacks("cs").map(|group| group.id.as_str()).collect();
        assert_eq!(asked, ["cs", "sdr"]);
        let mike = Email::parse("mike@faro.example").expect("an address");
        let other = Email::parse("x@faro.example").expect("an address");
        let has = |at: usize, who: &Email, role| team.groups[at].has(who, role);
        assert!(has(0, &other, accounts::Role::Ae), "everybody");
        assert!(has(1, &mike, accounts::Role::Sdr) && has(1, &other, accounts::Role::Cs));
        assert!(!has(1, &other, accounts::Role::Sdr));

        let name = "name: {en: A, es: A}";
        for (teams, code) in [
            (format!("  - {{id: cs, {name}, members: [mke]}}\n"), "B112"),
            (format!("  - {{id: cs, {name}, fallback: sdr}}\n"), "B112"),
            (format!("  - {{id: cs, {name}, fallback: cs}}\n"), "B112"),
            (
                format!("  - {{id: a, {name}, fallback: b}}\n  - {{id: b, {name}}}\n  - {{id: b, {name}}}\n"),
                "B101",
            ),
            (format!("  - {{id: cs, {name}, roles: [viewer]}}\n"), "Y004"),
        ] {
            let told = notes(&with(&teams));
            assert_eq!(told.len(), 1, "{teams}: {told:?}");
            assert!(told[0].contains(code), "{teams}: {told:?}");
        }
        let circle =
            with(&format!("  - {{id: a, {name}, fallback: b}}\n  - {{id: b, {name}, fallback: a}}\n"));
        assert_eq!(notes(&circle).len(), 2, "each of them is told");
    }

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
        assert_eq!((&discovery.window, discovery.notice_ms), (&Window::Days(14), 2 * HOUR_MS));
        assert_eq!(discovery.zone, mike.zone);
        assert_eq!(team.reps_of(discovery).len(), 1);
    }

    #[test]
    fn closed_days_come_from_calendar_files_beside_it_and_broken_ones_are_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let team = folder.path().join("team.yaml").display().to_string();
        let day = "BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Puente\r\nDTSTART;VALUE=DATE:20261207\r\nEND:VEVENT\r\n";
        let calendar = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{day}END:VCALENDAR\r\n");
        std::fs::write(folder.path().join("days.ics"), calendar).expect("written");
        std::fs::write(folder.path().join("broken.ics"), "<html>").expect("written");
        let read = |files: &str| {
            let report = Report::new();
            let text = GOOD.replace("reps:\n  - id", &format!("closed_calendars: {files}\nreps:\n  - id"));
            let team = Team::parse(&team, &text, &report);
            (
                team,
                report
                    .diagnostics()
                    .into_iter()
                    .map(|one| format!("{} {}", one.line, one.message))
                    .collect::<Vec<_>>(),
            )
        };
        let (found, notes) = read("[days.ics]");
        let mike = found.unwrap_or_else(|| panic!("{notes:?}")).reps.remove(0);
        assert!(mike.hours_on("2026-12-07".parse().expect("a date")).is_empty());
        assert!(!mike.hours_on("2026-12-08".parse().expect("a date")).is_empty());
        let (found, notes) = read("[broken.ics, missing.ics, ../team.yaml]");
        assert!(found.is_none());
        assert_eq!(notes.len(), 3, "{notes:?}");
        assert!(notes[0].contains("broken.ics: it is no calendar file"), "{notes:?}");
        assert!(notes[1].contains("missing.ics: it cannot be read"), "{notes:?}");
        assert!(notes[2].contains("does not lie beside this file"), "{notes:?}");
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
