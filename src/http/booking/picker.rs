//! The slots as the pages show them: by day in the reader's zone, a few days at a time, with the zones to choose from.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::base::language::Language;
use crate::base::time::{DAY_MS, Timestamp, zone};
use crate::bookings::slots::{Slot, Span};
use crate::bookings::team::Meeting;
use crate::bookings::{self, Booking, Holder};
use crate::http::Shared;
use crate::render;

/// How many days with free times one page shows.
const DAYS: usize = 5;

/// The zones on offer without JavaScript, beside the one in use.
const ZONES: &[&str] = &[
    "Pacific/Honolulu",
    "America/Anchorage",
    "America/Los_Angeles",
    "America/Vancouver",
    "America/Tijuana",
    "America/Phoenix",
    "America/Denver",
    "America/Mexico_City",
    "America/Guatemala",
    "America/Costa_Rica",
    "America/Chicago",
    "America/Bogota",
    "America/Lima",
    "America/Panama",
    "America/New_York",
    "America/Toronto",
    "America/Havana",
    "America/Caracas",
    "America/La_Paz",
    "America/Santo_Domingo",
    "America/Puerto_Rico",
    "America/Halifax",
    "America/Santiago",
    "America/Asuncion",
    "America/Montevideo",
    "America/Argentina/Buenos_Aires",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Atlantic/Azores",
    "Atlantic/Canary",
    "Europe/Lisbon",
    "Europe/London",
    "Europe/Dublin",
    "UTC",
    "Africa/Casablanca",
    "Europe/Madrid",
    "Europe/Paris",
    "Europe/Berlin",
    "Europe/Rome",
    "Africa/Lagos",
    "Europe/Athens",
    "Europe/Bucharest",
    "Europe/Helsinki",
    "Africa/Cairo",
    "Africa/Johannesburg",
    "Asia/Jerusalem",
    "Europe/Istanbul",
    "Africa/Nairobi",
    "Asia/Dubai",
    "Asia/Karachi",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Dhaka",
    "Asia/Bangkok",
    "Asia/Shanghai",
    "Asia/Singapore",
    "Asia/Manila",
    "Australia/Perth",
    "Asia/Tokyo",
    "Asia/Seoul",
    "Australia/Adelaide",
    "Australia/Sydney",
    "Pacific/Auckland",
];

/// Which part of the offer somebody looks at.
#[derive(Debug, Clone)]
pub struct Looking<'a> {
    /// The address of the page, without a query.
    pub path: &'a str,
    pub zone: &'a TimeZone,
    pub language: Language,
    /// Counted from 0.
    pub page: usize,
    /// What else the address carries, so that it is not lost on the way: the length that was chosen, the site.
    pub carried: &'a [(&'static str, String)],
    /// The slot that was picked; its page is shown.
    pub picked: Option<Timestamp>,
}

/// What the templates show.
#[derive(Debug, Serialize)]
pub struct Picker {
    zones: Vec<Choice>,
    days: Vec<Day>,
    earlier: Option<String>,
    later: Option<String>,
    /// A moment at which the zone's offset is told: the first shown day.
    at: i64,
    /// Whether nothing is free at all.
    is_empty: bool,
}

#[derive(Debug, Serialize)]
struct Choice {
    name: String,
    label: String,
    is_chosen: bool,
}

#[derive(Debug, Default, Serialize)]
struct Day {
    at: i64,
    count: usize,
    /// Whether the text is for one time or for several: `one` or `many`.
    plural: &'static str,
    /// Whether it is unfolded: the day of the time that was picked, or the first of the page.
    is_open: bool,
    slots: Vec<Start>,
}

#[derive(Debug, Serialize)]
struct Start {
    starts_at: i64,
    is_picked: bool,
}

impl Picker {
    /// Whether nothing is free at all.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }
}

/// The free slots of a meeting from now to the end of its window, as somebody looks at them; for a booking, those to
/// which it can move.
pub async fn picker(
    app: &Shared,
    meeting: &Meeting,
    moving: Option<&Booking>,
    looking: &Looking<'_>,
    now: Timestamp,
) -> bookings::Result<Picker> {
    // The meeting's own window is narrower.
    let window = Span::new(now, now.plus_ms(400 * DAY_MS));
    let (mut read, team) = (app.stores.db.read(), &app.team);
    let slots = match moving {
        Some(booking) => {
            let mut slots = bookings::slots_to_move(&mut read, team, meeting, booking, window, now).await?;
            // Moving to where it is would be no move.
            slots.retain(|slot| slot.starts_at != booking.starts_at);
            slots
        }
        None => bookings::slots(&mut read, team, meeting, window, &Holder::default(), None, now).await?,
    };
    Ok(pages(&slots, looking, now))
}

fn pages(slots: &[Slot<'_>], looking: &Looking<'_>, now: Timestamp) -> Picker {
    let days = by_day(slots, looking);
    let picked_on = days.iter().position(|day| day.slots.iter().any(|start| start.is_picked));
    let last_page = days.len().saturating_sub(1) / DAYS;
    let page = picked_on.map_or(looking.page, |day| day / DAYS).min(last_page);
    let address = |page: usize| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("lang", looking.language.code())
            .append_pair("zone", looking.zone.iana_name().unwrap_or("UTC"))
            .extend_pairs(looking.carried)
            .append_pair("page", &page.to_string());
        let query = query.finish();
        format!("{}?{query}", looking.path)
    };
    let is_empty = days.is_empty();
    let mut days: Vec<Day> = days.into_iter().skip(page * DAYS).take(DAYS).collect();
    let open = picked_on.map_or(0, |day| day % DAYS);
    for (place, day) in days.iter_mut().enumerate() {
        day.count = day.slots.len();
        day.plural = if day.count == 1 { "one" } else { "many" };
        day.is_open = place == open;
    }
    let at = days.first().map_or(now.as_ms(), |day| day.at);
    Picker {
        zones: zones(looking.zone, at, looking.language),
        days,
        earlier: page.checked_sub(1).map(address),
        later: (page < last_page).then(|| address(page + 1)),
        at,
        is_empty,
    }
}

fn by_day(slots: &[Slot<'_>], looking: &Looking<'_>) -> Vec<Day> {
    let mut days: Vec<(Date, Day)> = Vec::new();
    for slot in slots {
        let date = bookings::wall::date(looking.zone, slot.starts_at);
        let start =
            Start { starts_at: slot.starts_at.as_ms(), is_picked: looking.picked == Some(slot.starts_at) };
        match days.last_mut() {
            Some((last, day)) if *last == date => day.slots.push(start),
            _ => days.push((date, Day { at: slot.starts_at.as_ms(), slots: vec![start], ..Day::default() })),
        }
    }
    days.into_iter().map(|(_, day)| day).collect()
}

fn zones(chosen: &TimeZone, at: i64, language: Language) -> Vec<Choice> {
    let chosen = chosen.iana_name().unwrap_or("UTC");
    let unlisted = (!ZONES.contains(&chosen)).then_some(chosen);
    let mut names: Vec<&str> = unlisted.into_iter().chain(ZONES.iter().copied()).collect();
    // From west to east, by the offset of that day.
    names.sort_by_key(|name| zone(name).map(|zone| zone.to_offset(Timestamp(at).to_jiff()).seconds()));
    let choice = |name: &str| Choice {
        name: name.to_owned(),
        label: render::Zone::named(name).label(at, language),
        is_chosen: name == chosen,
    };
    names.into_iter().map(choice).collect()
}

/// The zone that somebody asked for, if there is such a zone.
pub fn asked_zone(name: Option<&str>) -> Option<TimeZone> {
    name.filter(|name| !name.is_empty()).and_then(zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_on_offer_is_in_the_database_and_the_one_in_use_is_chosen() {
        for name in ZONES {
            assert!(zone(name).is_some(), "{name}");
        }
        let chatham = zones(&zone("Pacific/Chatham").expect("bundled"), 1_795_290_300_000, Language::En);
        assert_eq!(chatham.len(), ZONES.len() + 1);
        assert_eq!(
            chatham.last().map(|choice| (choice.label.as_str(), choice.is_chosen)),
            Some(("Chatham (UTC+13:45)", true))
        );
        assert_eq!(chatham.iter().filter(|choice| choice.is_chosen).count(), 1);
    }

    #[test]
    fn a_day_is_the_readers_day_and_pages_hold_five() {
        let madrid = zone("Europe/Madrid").expect("bundled");
        let tokyo = zone("Asia/Tokyo").expect("bundled");
        let start: jiff::Timestamp = "2026-11-23T16:00:00Z".parse().expect("an instant");
        let slots: Vec<Slot<'_>> = (0..12)
            .map(|n| {
                let starts_at = Timestamp::from_jiff(start).plus_ms(n * DAY_MS / 2);
                Slot { starts_at, ends_at: starts_at.plus_ms(1), reps: Vec::new(), with: Vec::new() }
            })
            .collect();
        let looking = Looking {
            path: "/book/discovery",
            zone: &madrid,
            language: Language::Es,
            page: 0,
            carried: &[("duration", "20".to_owned())],
            picked: None,
        };
        let first = pages(&slots, &looking, Timestamp(0));
        assert_eq!(first.days.iter().map(|day| day.slots.len()).collect::<Vec<_>>(), [1, 2, 2, 2, 2]);
        let open = |picker: &Picker| picker.days.iter().position(|day| day.is_open);
        assert_eq!(open(&first), Some(0));
        assert_eq!(
            first.days.iter().map(|day| day.plural).collect::<Vec<_>>(),
            ["one", "many", "many", "many", "many"]
        );
        assert_eq!(first.earlier, None);
        assert_eq!(
            first.later.as_deref(),
            Some("/book/discovery?lang=es&zone=Europe%2FMadrid&duration=20&page=1")
        );
        let second = pages(&slots, &Looking { page: 9, ..looking.clone() }, Timestamp(0));
        assert_eq!((second.days.len(), second.later), (2, None));
        let picked =
            pages(&slots, &Looking { picked: Some(slots[11].starts_at), ..looking.clone() }, Timestamp(0));
        assert_eq!((picked.days.len(), open(&picked)), (2, Some(1)));
        let there = pages(&slots, &Looking { zone: &tokyo, ..looking }, Timestamp(0));
        assert_eq!(there.days.first().map(|day| day.slots.len()), Some(2));
    }
}
