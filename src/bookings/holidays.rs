//! Closed days from a calendar file (iCalendar, RFC 5545), as governments and offices publish their holidays.
//!
//! Whole days only, some of them every year. What a closed day cannot be (an hour of a day, a rule of every second week) is
//! told and not guessed.

use std::collections::BTreeSet;

use icalendar::parser::{Component, Property, read_calendar, unfold};
use jiff::civil::Date;

/// Largest file that is read, in bytes.
pub const SIZE_MAX: usize = 1_000_000;
/// For how many years a day that comes every year is closed.
const YEARS: i64 = 30;
/// Longest closing in one entry.
const DAYS_MAX: usize = 366;

/// The closed days of a calendar file, in order.
///
/// # Errors
/// Everything that is wrong with it, one sentence each, with the name of the entry.
pub fn days(text: &str) -> Result<Vec<Date>, Vec<String>> {
    if text.len() > SIZE_MAX {
        return Err(vec![format!("it has {} bytes; at most {SIZE_MAX} are read", text.len())]);
    }
    if !text.contains("BEGIN:VCALENDAR") {
        return Err(vec!["it is no calendar file".to_owned()]);
    }
    let unfolded = unfold(text);
    let calendar = read_calendar(&unfolded).map_err(|_| vec!["it is no calendar file".to_owned()])?;
    let (mut days, mut wrong) = (BTreeSet::new(), Vec::new());
    for event in calendar.components.iter().filter(|component| component.name == "VEVENT") {
        match of_event(event) {
            Ok(found) => days.extend(found),
            Err(why) => {
                let name =
                    property(event, "SUMMARY").map_or("an entry without a name", |name| name.val.as_str());
                wrong.push(format!("{}: {why}", name.chars().take(80).collect::<String>()));
            }
        }
    }
    if wrong.is_empty() && days.is_empty() {
        wrong.push("it has no whole days".to_owned());
    }
    if wrong.is_empty() { Ok(days.into_iter().collect()) } else { Err(wrong) }
}

fn property<'a>(event: &'a Component<'_>, name: &str) -> Option<&'a Property<'a>> {
    event.properties.iter().find(|property| property.name.as_str().eq_ignore_ascii_case(name))
}

fn of_event(event: &Component<'_>) -> Result<Vec<Date>, String> {
    if property(event, "STATUS").is_some_and(|status| status.val.as_str().eq_ignore_ascii_case("CANCELLED")) {
        return Ok(Vec::new());
    }
    let first = property(event, "DTSTART").ok_or("it does not say when")?;
    let first = date(first.val.as_str()).ok_or("only whole days can be closed")?;
    // The first day that is open again; without it, one day is meant.
    let end = match property(event, "DTEND") {
        Some(end) => date(end.val.as_str()).ok_or("only whole days can be closed")?,
        None => first.tomorrow().map_err(|_| "it lies beyond the calendar")?,
    };
    let length = usize::try_from(first.until(end).map_or(0, |span| span.get_days())).unwrap_or(0);
    if !(1..=DAYS_MAX).contains(&length) {
        return Err(format!("it lasts from {first} to {end}"));
    }
    let firsts = match property(event, "RRULE") {
        None => vec![first],
        Some(rule) if rule.val.as_str().eq_ignore_ascii_case("FREQ=YEARLY") => (0..YEARS)
            .filter_map(|n| first.checked_add(jiff::Span::new().years(n)).ok())
            // The 29th of February of other years is no day.
            .filter(|date| date.day() == first.day())
            .collect(),
        Some(rule) => {
            return Err(format!("only days of every year come again, and this is {}", rule.val.as_str()));
        }
    };
    let one_by_one =
        |first: Date| first.series(jiff::Span::new().days(1)).take(length).collect::<Vec<Date>>();
    Ok(firsts.into_iter().flat_map(one_by_one).collect())
}

/// `20261225`.
fn date(text: &str) -> Option<Date> {
    let is_date = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    is_date.then(|| Date::strptime("%Y%m%d", text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(events: &str) -> String {
        let text = format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//y\n{events}END:VCALENDAR\n");
        text.replace('\n', "\r\n")
    }

    fn event(lines: &str) -> String {
        format!("BEGIN:VEVENT\nUID:1\nDTSTAMP:20260101T000000Z\nSUMMARY:Navidad\n{lines}\nEND:VEVENT\n")
    }

    fn read(events: &str) -> Result<Vec<String>, Vec<String>> {
        days(&file(events)).map(|days| days.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn whole_days_are_closed_up_to_the_one_that_is_open_again() {
        let events = event("DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227")
            + &event("DTSTART;VALUE=DATE:20270106");
        let found = read(&events).expect("whole days");
        assert_eq!(found, ["2026-12-24", "2026-12-25", "2026-12-26", "2027-01-06"]);
        let called_off = event("DTSTART;VALUE=DATE:20261224\nSTATUS:CANCELLED") + &event("DTSTART:20270106");
        assert_eq!(read(&called_off).expect("one is left"), ["2027-01-06"]);
    }

    #[test]
    fn a_day_of_every_year_comes_again_and_the_leap_day_only_in_leap_years() {
        let found = read(&event("DTSTART;VALUE=DATE:20201225\nRRULE:FREQ=YEARLY")).expect("every year");
        assert_eq!((found.len(), found[10].as_str()), (30, "2030-12-25"));
        let found = read(&event("DTSTART;VALUE=DATE:20240229\nRRULE:FREQ=YEARLY")).expect("every fourth");
        assert_eq!(found[..2], ["2024-02-29", "2028-02-29"]);
    }

    #[test]
    fn what_is_no_closed_day_is_told_by_its_name() {
        for (lines, why) in [
            ("DTSTART:20261224T120000Z", "Navidad: only whole days can be closed"),
            ("DTSTART;VALUE=DATE:20261399", "Navidad: only whole days can be closed"),
            ("DTEND;VALUE=DATE:20261225", "Navidad: it does not say when"),
            (
                "DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261220",
                "Navidad: it lasts from 2026-12-24 to 2026-12-20",
            ),
            (
                "DTSTART;VALUE=DATE:20261224\nRRULE:FREQ=WEEKLY",
                "Navidad: only days of every year come again, and this is FREQ=WEEKLY",
            ),
        ] {
            assert_eq!(read(&event(lines)), Err(vec![why.to_owned()]), "{lines}");
        }
        assert_eq!(read(""), Err(vec!["it has no whole days".to_owned()]));
        assert!(days("no calendar").is_err() && days(&"x".repeat(SIZE_MAX + 1)).is_err());
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(text in "\\PC{0,200}", lines in "[A-Z;=:0-9\n ]{0,80}") {
            let _ = days(&text);
            let _ = read(&event(&lines));
        }
    }
}
