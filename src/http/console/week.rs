//! The calls of a week or a day as a calendar: who works when, who is away or busy elsewhere, what is booked.
//!
//! The page is drawn here and needs no script: each thing has its first quarter of an hour and how many it takes, and the
//! stylesheet has a class for each. Of what is private in a rep's own calendar nothing is shown but that she is busy.

use actix_web::HttpResponse;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::bookings::views;
use super::frame::{Reader, address};
use crate::accounts::May;
use crate::base::time::{DAY_MS, MINUTE_MS, Timestamp, zone};
use crate::bookings::absence::Absence;
use crate::bookings::slots::Span;
use crate::bookings::team::{Rep, Team};
use crate::bookings::wall::{self, Edge};
use crate::bookings::{self, calendars};
use crate::http::error::Problem;
use crate::reports::calls::{self, Call};

const PATH: &str = "/console/bookings/calendar";
/// The team, in the address.
const TEAM: &str = "team";
/// Minutes of one row.
const ROW: u16 = 15;
/// The hours that are shown of a day on which nothing reaches beyond them.
const SHOWN: (u16, u16) = (9 * 60, 18 * 60);
/// A week of more colleagues than this would have columns too narrow to read: it is a board, with a line for each of them.
const MOST_IN_COLUMNS: usize = 2;
/// How many stand beside each other at most; the stylesheet knows as many.
const MOST_LANES: usize = 12;

/// What is looked at.
struct Looking<'a> {
    zone: TimeZone,
    /// The first day, and how many.
    first: Date,
    days: usize,
    reps: Vec<&'a Rep>,
}

impl Looking<'_> {
    fn dates(&self) -> Vec<Date> {
        self.first.series(jiff::Span::new().days(1)).take(self.days).collect()
    }

    fn span(&self, date: Date) -> Span {
        let at = |edge, minute| wall::instant(&self.zone, date, minute, edge).unwrap_or_default();
        Span::new(at(Edge::Start, 0), at(Edge::End, 24 * 60))
    }
}

/// Everything that may stand in it.
struct Found {
    calls: Vec<Call>,
    absences: Vec<Absence>,
    elsewhere: Vec<(String, Span)>,
}

/// A stretch of a day in minutes of the reader's clock.
type Minutes = (u16, u16);

/// `GET /console/bookings/calendar?span=week|day&on=2026-11-23&rep=mike|team`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let team = &reader.app.team;
    let own = team.rep_of_account(&reader.account.email);
    let who = reader.asked("rep").filter(|id| id == TEAM || team.rep(id).is_some());
    let who = who.unwrap_or_else(|| own.map_or(TEAM, |rep| rep.id.as_str()).to_owned());
    let reps: Vec<&Rep> = match team.rep(&who) {
        Some(rep) => vec![rep],
        None => team.reps.iter().chain(team.gone_reps()).collect(),
    };
    let zone = zone(&reader.zone()).unwrap_or(TimeZone::UTC);
    let today = wall::date(&zone, reader.now);
    let on = reader.asked("on").and_then(|day| day.parse().ok()).unwrap_or(today);
    let is_week = reader.asked("span").as_deref() != Some("day");
    let first = if is_week { monday(on) } else { on };
    let mut looking = Looking { zone, first, days: if is_week { 7 } else { 1 }, reps };
    let found = found(&reader, &looking).await?;
    looking.reps = with_a_place(team, looking.reps, &found.calls);
    let is_board = is_week && looking.reps.len() > MOST_IN_COLUMNS;

    let step = jiff::Span::new().days(if is_week { 7 } else { 1 });
    let span = |is_week: bool| if is_week { "week" } else { "day" };
    let link = |span: &str, on: Date, who: &str| {
        let (span, who) = (Some(span.to_owned()), Some(who.to_owned()));
        address(PATH, &[("span", span), ("on", Some(on.to_string())), ("rep", who)])
    };
    let chip = |name: &str, id: &str| json!({ "name": name, "href": link(span(is_week), on, id), "current": id == who });
    let mut chips: Vec<Json> = own.map(|rep| chip(&rep.name, &rep.id)).into_iter().collect();
    chips.extend(
        team.reps
            .iter()
            .filter(|rep| own.is_none_or(|own| own.id != rep.id))
            .map(|rep| chip(&rep.name, &rep.id)),
    );
    let everybody = chip(&reader.text("console.calendar.team").unwrap_or_default(), TEAM);
    chips.insert(0, everybody);

    let (from, to) = shown(&looking, &found);
    let hours: Vec<Json> = (from / 60..to / 60)
        .map(|hour| json!({ "row": (hour * 60 - from) / ROW, "text": format!("{hour:02}:00") }))
        .collect();
    let dates: Vec<Date> =
        looking.dates().into_iter().filter(|date| is_shown(&looking, &found, *date, today)).collect();
    let board = is_board.then(|| board(&reader, &looking, &found, &dates, today));
    let columns = dates.into_iter().filter(|_| !is_board);
    let days: Vec<Json> =
        columns.map(|date| day(&reader, &looking, &found, (date, today), (from, to))).collect();
    let spans = [true, false].map(
        |week| json!({ "name": span(week), "href": link(span(week), on, &who), "current": week == is_week }),
    );
    let body = json!({
        "spans": spans,
        "views": views(&reader, None).await?,
        "reps": chips,
        "is_week": is_week,
        "first": looking.span(first).from,
        "last": looking.span(looking.dates().last().copied().unwrap_or(first)).from,
        "previous": link(span(is_week), first.saturating_sub(step), &who),
        "today": link(span(is_week), today, &who),
        "next": link(span(is_week), first.saturating_add(step), &who),
        "hours": hours,
        "rows": (to - from) / ROW,
        "days": days,
        "board": board,
    });
    reader.page("console/calendar", body).await
}

/// Everybody of the file, and those who left as far as a call of theirs stands in what is looked at; as many as find room,
/// the latter first: nobody else shows their calls.
fn with_a_place<'t>(team: &Team, reps: Vec<&'t Rep>, calls: &[Call]) -> Vec<&'t Rep> {
    let (here, gone): (Vec<&Rep>, Vec<&Rep>) = reps.into_iter().partition(|rep| team.rep(&rep.id).is_some());
    let is_needed = |rep: &&Rep| calls.iter().any(|call| call.held_by.contains(&rep.id));
    let gone: Vec<&Rep> = gone.into_iter().filter(is_needed).take(MOST_LANES - 1).collect();
    here.into_iter().take(MOST_LANES - gone.len()).chain(gone).collect()
}

/// What stands above a colleague's calls.
fn head(reader: &Reader, rep: &Rep) -> String {
    let name = || rep.name.clone();
    if reader.app.team.rep(&rep.id).is_some() {
        return name();
    }
    let who = [("who", name())];
    reader.text_with(reader.account.language, "console.calendar.left", &who)
}

/// Whether a call can be booked with somebody.
fn takes_calls(reader: &Reader, rep: &Rep) -> bool {
    reader.may(May::SetOutcome) && reader.app.team.rep(&rep.id).is_some()
}

fn monday(date: Date) -> Date {
    date.saturating_sub(jiff::Span::new().days(date.weekday().to_monday_zero_offset()))
}

async fn found(reader: &Reader, looking: &Looking<'_>) -> Result<Found, Problem> {
    let reads = &mut reader.app.stores.db.read();
    let (team, now) = (&reader.app.team, reader.now);
    let dates = looking.dates();
    let last = dates.last().copied().unwrap_or(looking.first);
    let span = Span::new(looking.span(looking.first).from, looking.span(last).to);
    let is_asked = |id: &str| looking.reps.iter().any(|rep| rep.id == id);
    let mut calls = calls::of_calendar(reads, &reader.names(), (span.from, span.to), now).await?;
    calls.retain(|call| call.held_by.iter().any(|id| is_asked(id)));
    let mut absences = bookings::absences(reads, team, span.from).await?;
    absences.retain(|absence| is_asked(&absence.rep) && absence.span.overlaps(span));
    let mut elsewhere = calendars::busy_elsewhere(reads, span, now).await?;
    elsewhere.retain(|(rep, busy)| is_asked(rep) && busy.overlaps(span));
    Ok(Found { calls, absences, elsewhere })
}

/// The part of a stretch that lies on a date, by the reader's clock; none if nothing does.
fn minutes(looking: &Looking<'_>, date: Date, span: Span) -> Option<Minutes> {
    let day = looking.span(date);
    if !span.overlaps(day) {
        return None;
    }
    let minute = |at: Timestamp| {
        let clock = looking.zone.to_datetime(at.to_jiff());
        u16::from(clock.hour().unsigned_abs()) * 60 + u16::from(clock.minute().unsigned_abs())
    };
    let from = if span.from <= day.from { 0 } else { minute(span.from) };
    let to = if span.to >= day.to { 24 * 60 } else { minute(span.to) };
    // In the hour that comes twice an end can read earlier than its beginning.
    Some((from, to.max(from + 1)))
}

/// When a rep works on a date of the reader's.
fn work(looking: &Looking<'_>, rep: &Rep, date: Date) -> Vec<Minutes> {
    let days = [date.yesterday().ok(), Some(date), date.tomorrow().ok()];
    let of_day = |own: Date| {
        rep.hours_on(own).iter().filter_map(move |hours| {
            let from = wall::instant(&rep.zone, own, hours.from, Edge::Start)?;
            let to = wall::instant(&rep.zone, own, hours.to, Edge::End)?;
            minutes(looking, date, Span::new(from, to))
        })
    };
    days.into_iter().flatten().flat_map(of_day).collect()
}

/// The first and the last minute that are shown of every day: whole hours around work and calls.
fn shown(looking: &Looking<'_>, found: &Found) -> Minutes {
    let (mut from, mut to) = SHOWN;
    for date in looking.dates() {
        let of_work = looking.reps.iter().flat_map(|rep| work(looking, rep, date));
        let of_calls = found
            .calls
            .iter()
            .filter_map(|call| minutes(looking, date, Span::new(call.starts_at, call.ends_at)));
        for (begins, ends) in of_work.chain(of_calls) {
            (from, to) = (from.min(begins), to.max(ends));
        }
    }
    (from / 60 * 60, to.div_ceil(60) * 60)
}

/// Days of the weekend on which nothing happens are left out of a week.
fn is_shown(looking: &Looking<'_>, found: &Found, date: Date, today: Date) -> bool {
    let is_weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
    let day = looking.span(date);
    !is_weekend
        || looking.days == 1
        || date == today
        || looking.reps.iter().any(|rep| !work(looking, rep, date).is_empty())
        || found.calls.iter().any(|call| Span::new(call.starts_at, call.ends_at).overlaps(day))
}

/// The rows of a stretch, if any of it is shown: the first, counted from 0, and how many.
fn rows((begins, ends): Minutes, (from, to): Minutes) -> Option<(u16, u16)> {
    let (begins, ends) = (begins.max(from), ends.min(to));
    if begins >= ends {
        return None;
    }
    let first = (begins - from) / ROW;
    Some((first, (ends - from).div_ceil(ROW) - first))
}

fn day(
    reader: &Reader,
    looking: &Looking<'_>,
    found: &Found,
    (date, today): (Date, Date),
    hours: Minutes,
) -> Json {
    let lanes = looking.reps.len();
    let (mut shades, mut items, mut heads) = (Vec::new(), Vec::new(), Vec::new());
    for (lane, rep) in looking.reps.iter().enumerate() {
        let column = Column { looking, found, rep, date, hours, lane: lane + 1 };
        shades.extend(column.shades(reader));
        items.extend(column.items(reader));
        heads.push(json!({
            "name": head(reader, rep),
            "at": looking.span(date).from,
            "is_named": lanes > 1,
            "new": takes_calls(reader, rep).then(|| new_call(rep, date)),
        }));
    }
    if date == today {
        let span = Span::new(reader.now, reader.now.plus_ms(MINUTE_MS));
        let place = minutes(looking, date, span).and_then(|span| rows(span, hours));
        if let Some((row, _)) = place {
            items.push((reader.now, json!({ "kind": "now", "at": reader.now, "row": row })));
        }
    }
    items.sort_by_key(|(at, _)| *at);
    json!({
        "at": looking.span(date).from,
        "is_today": date == today,
        "lanes": lanes,
        "heads": heads,
        "shades": shades,
        "items": items.into_iter().map(|(_, item)| item).collect::<Vec<Json>>(),
    })
}

/// The week of many: a line for each colleague, a cell for each day, in it what stands there in the order of time.
fn board(reader: &Reader, looking: &Looking<'_>, found: &Found, dates: &[Date], today: Date) -> Json {
    let cell = |rep: &Rep, date: Date| {
        let column = Column { looking, found, rep, date, hours: (0, 24 * 60), lane: 1 };
        let mut items = column.items(reader);
        items.sort_by_key(|(at, _)| *at);
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let hours: Vec<String> = work(looking, rep, date)
            .into_iter()
            .map(|(from, to)| format!("{}–{}", clock(from), clock(to)))
            .collect();
        json!({
            "at": looking.span(date).from,
            "is_today": date == today,
            "hours": hours.join(", "),
            "new": takes_calls(reader, rep).then(|| new_call(rep, date)),
            "items": items.into_iter().map(|(_, item)| item).collect::<Vec<Json>>(),
        })
    };
    let line = |rep: &&Rep| {
        json!({
            "name": head(reader, rep),
            "cells": dates.iter().map(|date| cell(rep, *date)).collect::<Vec<Json>>(),
        })
    };
    json!({
        "days": dates
            .iter()
            .map(|date| json!({ "at": looking.span(*date).from, "is_today": *date == today }))
            .collect::<Vec<Json>>(),
        "lines": looking.reps.iter().map(line).collect::<Vec<Json>>(),
    })
}

fn new_call(rep: &Rep, on: Date) -> String {
    address("/console/bookings/new", &[("rep", Some(rep.id.clone())), ("on", Some(on.to_string()))])
}

/// One colleague on one day.
struct Column<'a> {
    looking: &'a Looking<'a>,
    found: &'a Found,
    rep: &'a Rep,
    date: Date,
    hours: Minutes,
    /// From 1.
    lane: usize,
}

impl Column<'_> {
    fn place(&self, span: Span) -> Option<(u16, u16)> {
        rows(minutes(self.looking, self.date, span)?, self.hours)
    }

    fn calls(&self) -> impl Iterator<Item = (&Call, Span)> {
        let calls = self.found.calls.iter().filter(|call| call.held_by.contains(&self.rep.id));
        calls.map(|call| (call, Span::new(call.starts_at, call.ends_at)))
    }

    /// Working hours, each with the free hours in it that are still to come.
    fn shades(&self, reader: &Reader) -> Vec<Json> {
        let mut shades = Vec::new();
        for span in work(self.looking, self.rep, self.date) {
            if let Some((row, length)) = rows(span, self.hours) {
                shades.push(json!({ "row": row, "length": length, "lane": self.lane, "href": null }));
            }
            if !reader.may(May::SetOutcome) {
                continue;
            }
            for hour in span.0.div_ceil(60)..span.1 / 60 {
                let edge = |minute| wall::instant(&self.looking.zone, self.date, minute, Edge::Start);
                let (Some(from), Some(to)) = (edge(hour * 60), edge((hour + 1) * 60)) else { continue };
                let free = Span::new(from, to);
                if from > reader.now
                    && !self.is_taken(free)
                    && let Some((row, length)) = self.place(free)
                {
                    let href = format!("{}&at={}", new_call(self.rep, self.date), from.as_ms());
                    shades.push(
                        json!({ "row": row, "length": length, "lane": self.lane, "href": href, "at": from }),
                    );
                }
            }
        }
        shades
    }

    fn is_taken(&self, span: Span) -> bool {
        let is_of = |rep: &str| rep == self.rep.id;
        self.calls().any(|(_, call)| call.overlaps(span))
            || self.found.absences.iter().any(|away| is_of(&away.rep) && away.span.overlaps(span))
            || self.found.elsewhere.iter().any(|(rep, busy)| is_of(rep) && busy.overlaps(span))
    }

    /// What stands there, each with when it begins.
    fn items(&self, reader: &Reader) -> Vec<(Timestamp, Json)> {
        let mut items = Vec::new();
        let mut add = |span: Span, mut item: Json| {
            if let Some((row, length)) = self.place(span) {
                item["row"] = json!(row);
                item["length"] = json!(length);
                item["lane"] = json!(self.lane);
                item["from"] = json!(span.from);
                item["to"] = json!(span.to);
                item["is_all_day"] = json!(span.to.since_ms(span.from) >= DAY_MS);
                item["rep"] = json!(self.rep.name);
                item["is_named"] = json!(self.looking.reps.len() > 1);
                items.push((span.from, item));
            }
        };
        for absence in self.found.absences.iter().filter(|absence| absence.rep == self.rep.id) {
            add(absence.span, json!({ "kind": "away" }));
        }
        for (_, span) in self.found.elsewhere.iter().filter(|(rep, _)| *rep == self.rep.id) {
            add(*span, json!({ "kind": "busy" }));
        }
        for (call, span) in self.calls() {
            let title = reader.app.team.title_of(&call.meeting, reader.account.language);
            add(
                span,
                json!({
                    "kind": if call.state == "hold" { "hold" } else { "call" },
                    "id": call.id, "name": call.name, "company": call.company,
                    "meeting": title,
                    "outcome": call.outcome, "is_past": call.past,
                }),
            );
        }
        items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_partly_outside_of_the_shown_hours_is_cut_and_what_lies_outside_left_out() {
        let hours = (9 * 60, 18 * 60);
        assert_eq!(rows((9 * 60, 9 * 60 + 20), hours), Some((0, 2)));
        assert_eq!(rows((10 * 60 + 10, 10 * 60 + 30), hours), Some((4, 2)));
        assert_eq!(rows((0, 24 * 60), hours), Some((0, 36)));
        assert_eq!(rows((18 * 60, 19 * 60), hours), None);
        assert_eq!(rows((8 * 60, 9 * 60), hours), None);
    }

    #[test]
    fn a_stretch_over_midnight_is_on_both_days() {
        let zone = TimeZone::get("America/Mexico_City").expect("is known");
        let first: Date = "2026-11-23".parse().expect("a date");
        let looking = Looking { zone, first, days: 7, reps: Vec::new() };
        let at = |text: &str| Timestamp::from_jiff(text.parse().expect("an instant"));
        let span = Span::new(at("2026-11-24T04:00:00Z"), at("2026-11-24T07:30:00Z"));
        assert_eq!(minutes(&looking, first, span), Some((22 * 60, 24 * 60)));
        assert_eq!(minutes(&looking, first.tomorrow().expect("in range"), span), Some((0, 90)));
        assert_eq!(minutes(&looking, first.yesterday().expect("in range"), span), None);
        assert_eq!(monday("2026-11-29".parse().expect("a date")), first);
    }
}
