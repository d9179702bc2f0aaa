//! Reads the meetings of `config/team.yaml`; `team_file.rs` reads the rest and lists the codes.

use jiff::civil::Date;

use super::limits::{Limit, Limits};
use super::location;
use super::questions::{Choice, Kind, PHONE, Question};
use super::team::{Meeting, Rep, Window};
use super::team_file::{date, id, length, number, optional_length, time_zone};
use crate::base::localized::Localized;
use crate::base::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use crate::base::yaml::View;
use crate::deals::Milestone;

/// Distances between two starts, in minutes; each divides a day, so that every day has the same grid.
const INTERVALS_MIN: [i64; 8] = [5, 10, 15, 20, 30, 45, 60, 90];
/// How many lengths a meeting may offer: more is no choice any more.
const DURATIONS_MOST: usize = 6;
/// How many questions a meeting may ask.
const QUESTIONS_MOST: usize = 10;

pub(super) fn meeting(
    view: View<'_>,
    team: &[Rep],
    declared: &[String],
    closed: &[Date],
    earlier: &[Meeting],
) -> Option<Meeting> {
    let mut map = view.map()?;
    let id = map.required("id").and_then(|view| id(view, earlier.iter().map(|meeting| meeting.id.as_str())));
    let title = map.required("title").and_then(Localized::read);
    let description = map.required("description").and_then(Localized::read);
    let place = map.required("location").and_then(place);
    let durations_ms = map.required("duration").map(durations);
    let buffer_before_ms = optional_length(&mut map, "buffer_before", 0, 0, 4 * HOUR_MS);
    let buffer_after_ms = optional_length(&mut map, "buffer_after", 0, 0, 4 * HOUR_MS);
    let notice_ms = optional_length(&mut map, "notice", 2 * HOUR_MS, 0, 60 * DAY_MS);
    let window = map.optional("window").map_or(Some(Window::Days(14)), |view| window(view, closed));
    let limits = map.optional("limits").map_or(Some(Limits::default()), limits);
    let mut questions = map.optional("questions").map(questions).unwrap_or_default();
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
    let with = map.optional("with").map_or(Some(Vec::new()), |view| with(view, team, declared));
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
    let (location, by_telephone) = place?;
    if by_telephone && !questions.iter().any(|question| question.id == PHONE) {
        questions.insert(0, Question::phone());
    }
    let durations_ms = durations_ms?;
    let (reps, with) = (reps?, with?);
    if let ([rep], [other]) = (&reps[..], &with[..])
        && rep == other
    {
        view.error("B106", format!("\"{rep}\" cannot be there twice")).hint("`with` names a colleague");
        return None;
    }
    Some(Meeting {
        id: id?,
        title: title?,
        description: description?,
        duration_ms: *durations_ms.first()?,
        durations_ms,
        buffer_before_ms: buffer_before_ms?,
        buffer_after_ms: buffer_after_ms?,
        notice_ms: notice_ms?,
        window: window?,
        limits: limits?,
        questions,
        interval_ms: interval_ms?,
        zone: grid?,
        location,
        by_telephone,
        reps,
        with,
        milestone,
    })
}

/// Who has to be there, too: a rep, one of several, or one of those who are good for something (`{skill: contracts}`).
fn with(view: View<'_>, team: &[Rep], declared: &[String]) -> Option<Vec<String>> {
    if !view.is_map() {
        let mut ids = Vec::new();
        for view in view.one_or_more() {
            let id = view.str()?;
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
            view.error("B106", "nobody else is there").hint("name a rep, or leave `with` out");
        }
        return Some(ids);
    }
    let wanted: Vec<(String, Vec<String>)> =
        view.map()?.entries().iter().map(|(key, view)| (key.value.clone(), view.strings())).collect();
    let is_good = |rep: &&Rep| {
        wanted.iter().all(|(name, values)| {
            let has = |value| rep.attributes.get(name).is_some_and(|good| good.contains(value));
            values.iter().any(has)
        })
    };
    let ids: Vec<String> = team.iter().filter(is_good).map(|rep| rep.id.clone()).collect();
    if wanted.is_empty() || ids.is_empty() {
        view.error("B106", "nobody of the team is good for this")
            .hint("say it in the `attributes` of those who are: attributes: {skill: [contracts]}");
    }
    Some(ids)
}

/// One length or several, of which the visitor chooses.
fn durations(view: View<'_>) -> Vec<i64> {
    let mut found: Vec<i64> = Vec::new();
    let views = view.one_or_more();
    if views.is_empty() || views.len() > DURATIONS_MOST {
        view.error("B105", format!("expected one length or up to {DURATIONS_MOST}")).done();
    }
    for view in views {
        let Some(ms) = length(view, 5 * MINUTE_MS, 8 * HOUR_MS) else { continue };
        if found.contains(&ms) {
            view.error("B105", "this length stands twice").done();
        }
        found.push(ms);
    }
    found
}

/// `14d`, `{business_days: 10}` or `{from: 2026-12-01, to: 2026-12-18}`.
fn window(view: View<'_>, closed: &[Date]) -> Option<Window> {
    if !view.is_map() {
        let ms = length(view, DAY_MS, 366 * DAY_MS)?;
        return Some(Window::Days(u16::try_from(ms / DAY_MS).ok()?));
    }
    let mut map = view.map()?;
    if let Some(days) = map.optional("business_days") {
        let days = number(days, 1, 260);
        map.finish();
        return Some(Window::BusinessDays { days: u16::try_from(days?).ok()?, closed: closed.to_vec() });
    }
    let first = map.required("from").and_then(date);
    let last = map.required("to").and_then(date);
    map.finish();
    let (first, last) = (first?, last?);
    if last < first {
        view.error("B104", format!("{last} lies before {first}")).hint("`to` is the last day");
        return None;
    }
    Some(Window::Between { first, last })
}

/// `{day: 4, week: 15}`.
pub(super) fn limit(view: View<'_>) -> Option<Limit> {
    let mut map = view.map()?;
    let mut most = |key, most| map.optional(key).map(|view| number(view, 1, most));
    let (day, week) = (most("day", 100), most("week", 500));
    map.finish();
    let read = |most: Option<Option<u32>>| most.map_or(Some(None), |most| most.map(Some));
    Some(Limit { day: read(day)?, week: read(week)? })
}

fn limits(view: View<'_>) -> Option<Limits> {
    let mut map = view.map()?;
    let mut of = |key| map.optional(key).map_or(Some(Limit::default()), limit);
    let (each_rep, all, contact) = (of("each_rep"), of("all"), of("contact"));
    map.finish();
    Some(Limits { each_rep: each_rep?, all: all?, contact: contact? })
}

/// The word for a call by telephone, or a text or link that can be filled in.
fn place(view: View<'_>) -> Option<(Localized, bool)> {
    if view.text().is_some_and(|text| text.text == "telephone") {
        return Some((Localized::new("by telephone", "por teléfono"), true));
    }
    let place = Localized::read(view)?;
    for language in crate::base::language::Language::ALL {
        if let Err(error) = location::of(place.get(language), location::EXAMPLE) {
            view.error("B108", format!("this location cannot be filled in: {error}"))
                .hint("it may name {{booking.id}}, {{meeting.id}} and {{rep.id}}");
            return None;
        }
    }
    Some((place, false))
}

fn questions(view: View<'_>) -> Vec<Question> {
    let mut found: Vec<Question> = Vec::new();
    let views = view.list().unwrap_or_default();
    if views.len() > QUESTIONS_MOST {
        view.error("B105", format!("{} questions are too many to book a call", views.len()))
            .hint(format!("ask at most {QUESTIONS_MOST}; the rest can be asked in the call"));
    }
    for view in views {
        if let Some(question) = question(view, &found) {
            found.push(question);
        }
    }
    found
}

fn question(view: View<'_>, earlier: &[Question]) -> Option<Question> {
    let mut map = view.map()?;
    let id = map.required("id").and_then(|view| id(view, earlier.iter().map(|one| one.id.as_str())));
    let ask = map.required("ask").and_then(Localized::read);
    let hint = map.optional("hint").and_then(Localized::read);
    let kind = map
        .required("kind")
        .and_then(|view| view.one_of(&["text", "long", "number", "yes_no", "phone", "choice"]));
    let is_required = map.optional("required").map_or(Some(false), View::bool);
    let options = map.optional("options").map(options);
    let kind = match (kind?, options) {
        ("choice", Some(options)) if options.len() >= 2 => Kind::Choice(options),
        ("choice", _) => {
            view.error("B109", "a choice needs at least two options")
                .hint("options: [{id: paper, label: {en: Paper, es: Papel}}, …]");
            return None;
        }
        (_, Some(_)) => {
            view.error("B109", "only a choice has options").hint("kind: choice");
            return None;
        }
        ("long", None) => Kind::Long,
        ("number", None) => Kind::Number,
        ("yes_no", None) => Kind::YesNo,
        ("phone", None) => Kind::Phone,
        (_, None) => Kind::Text,
    };
    map.finish();
    Some(Question { id: id?, ask: ask?, hint, kind, is_required: is_required? })
}

fn options(view: View<'_>) -> Vec<Choice> {
    let mut found: Vec<Choice> = Vec::new();
    for view in view.list().unwrap_or_default() {
        let Some(mut map) = view.map() else { continue };
        let id = map.required("id").and_then(|view| id(view, found.iter().map(|one| one.id.as_str())));
        let label = map.required("label").and_then(Localized::read);
        map.finish();
        if let (Some(id), Some(label)) = (id, label) {
            found.push(Choice { id, label });
        }
    }
    found
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Report;
    use crate::base::language::Language;
    use crate::bookings::assign::Cycle;
    use crate::bookings::team::Team;

    const GOOD: &str = "
closed: [2026-12-25]
assignment: {cycle: quarter, no_shows: counted, owner_within: 3d}
reps:
  - id: ana
    name: Ana
    account: ana@faro.example
    zone: Europe/Madrid
    languages: [en]
    role: sdr
    weight: 2
    attributes: {region: [iberia, andes]}
    limits: {day: 6, week: 20}
    away:
      - {from: 2026-12-07, to: 2026-12-11, delegate: ben}
      - {from: 2026-12-24}
    hours: {weekdays: 09:00-17:00}
  - {id: ben, name: Ben, account: ben@faro.example, zone: Europe/Madrid, languages: [en], role: sdr, hours: {weekdays: 09:00-17:00}}
meetings:
  - id: call
    title: Call
    description: A call
    location: https://meet.example/{{booking.id}}
    duration: [20m, 40m]
    window: {business_days: 10}
    limits: {each_rep: {day: 4}, all: {week: 30}, contact: {day: 1}}
    questions:
      - {id: people, ask: {en: How many?, es: ¿Cuántos?}, kind: number, required: true}
      - id: form
        ask: Paper or not?
        kind: choice
        options: [{id: paper, label: Paper}, {id: screen, label: Screen}]
    reps: [ana]
  - {id: ring, title: Ring, description: A ring, location: telephone, duration: 15m, window: {from: 2026-12-01, to: 2026-12-04}, reps: [ben]}
";

    fn notes(text: &str) -> Vec<String> {
        let report = Report::new();
        Team::parse("team.yaml", text, &report);
        report
            .diagnostics()
            .into_iter()
            .map(|one| format!("{} {} {}", one.line, one.code, one.message))
            .collect()
    }

    #[test]
    fn everything_that_can_be_said_of_a_meeting_is_read() {
        let report = Report::new();
        let team = Team::parse("team.yaml", GOOD, &report).unwrap_or_else(|| panic!("{}", report.text()));
        let day = |text: &str| -> Date { text.parse().expect("a date") };
        assert_eq!((team.policy.cycle, team.policy.no_shows_back), (Cycle::Quarter, false));
        assert_eq!((team.policy.cancellations_back, team.policy.owner_within_days), (true, Some(3)));
        let ana = team.rep("ana").expect("is there");
        assert_eq!((ana.weight, ana.limit), (2, Limit { day: Some(6), week: Some(20) }));
        assert_eq!(ana.attributes["region"], ["iberia", "andes"]);
        let days: Vec<_> =
            ana.away.iter().map(|away| (away.from, away.to, away.delegate.as_deref())).collect();
        assert_eq!(
            days,
            [
                (day("2026-12-07"), day("2026-12-11"), Some("ben")),
                (day("2026-12-24"), day("2026-12-24"), None)
            ]
        );
        let call = team.meeting("call").expect("is there");
        assert_eq!(
            (call.duration_ms, &call.durations_ms[..]),
            (20 * MINUTE_MS, &[20 * MINUTE_MS, 40 * MINUTE_MS][..])
        );
        assert_eq!(call.window, Window::BusinessDays { days: 10, closed: vec![day("2026-12-25")] });
        assert_eq!(
            (call.limits.each_rep.day, call.limits.all.week, call.limits.contact.day),
            (Some(4), Some(30), Some(1))
        );
        assert_eq!(call.questions.len(), 2);
        assert_eq!(call.questions[0].ask.get(Language::Es), "¿Cuántos?");
        assert!(call.questions[0].is_required && !call.questions[1].is_required);
        let ring = team.meeting("ring").expect("is there");
        assert!(ring.by_telephone);
        assert_eq!(ring.questions, [Question::phone()], "the number has to be asked");
        assert_eq!(ring.window, Window::Between { first: day("2026-12-01"), last: day("2026-12-04") });
    }

    #[test]
    fn every_mistake_of_a_meeting_is_told_at_its_place() {
        let text = GOOD
            .replace("cycle: quarter, no_shows: counted", "cycle: year, no_shows: forgiven")
            .replace("weight: 2", "weight: 0")
            .replace("{day: 6, week: 20}", "{day: 0}")
            .replace("delegate: ben", "delegate: bem")
            .replace("{from: 2026-12-24}", "{from: 2026-12-24, to: 2026-12-23}")
            .replace("{{booking.id}}", "{{contact.email}}")
            .replace("[20m, 40m]", "[20m, 20m]")
            .replace("business_days: 10", "business_days: 0")
            .replace("kind: number", "kind: numeral")
            .replace(
                "[{id: paper, label: Paper}, {id: screen, label: Screen}]",
                "[{id: paper, label: Paper}]",
            )
            .replace("to: 2026-12-04", "to: 2026-11-04");
        let codes: Vec<String> = notes(&text)
            .iter()
            .map(|note| note.splitn(3, ' ').take(2).collect::<Vec<_>>().join(" "))
            .collect();
        for wanted in [
            "3 Y004", "11 B105", "13 B105", "15 B106", "16 B104", "23 B108", "24 B105", "25 B105", "28 Y004",
            "29 B109", "34 B104",
        ] {
            assert!(codes.iter().any(|code| code == wanted), "{wanted}: {:?}", notes(&text));
        }
        let own = notes(&GOOD.replace("delegate: ben", "delegate: ana"));
        assert_eq!(own, ["15 B106 nobody stands in for herself"]);
    }
}
