//! Calls: booked, held, missed and cancelled, by type, person, channel, way and how long ahead.

use std::collections::BTreeMap;

use super::View;
use super::sheet::{Bars, Card, Cell, Group, More, Picture, Row, Sheet, Table};
use crate::http::error::Problem;
use crate::http::reports::counted::is_offer;
use crate::reports::journeys::bookings::{self, Numbers, Report};
use crate::reports::journeys::people::origins;
use crate::reports::journeys::{Span, chats};

/// The times ahead in their own order.
const AHEAD: [&str; 4] = ["under_1_day", "1_to_3_days", "3_to_7_days", "over_7_days"];

pub async fn sheet(view: &View<'_>) -> Result<Sheet, Problem> {
    let (span, before) = view.spans();
    let now = told(view, span).await?;
    let then = match before {
        Some(before) => Some(told(view, before).await?),
        None => None,
    };
    let names = view.reader.names();
    let cells = |name: String, numbers: &Numbers| {
        let counts = [numbers.booked, numbers.held, numbers.no_show, numbers.cancelled, numbers.moved];
        let mut cells = vec![Cell::text(name)];
        cells.extend(counts.map(Cell::count));
        cells.push(Cell::count(numbers.untold));
        cells.push(Cell::Share(numbers.no_show_rate));
        cells
    };
    let table = |word, head, rows: Vec<(String, &Numbers)>| Table {
        word,
        heads: vec![head, "booked", "held", "no_show", "cancelled", "moved", "untold", "no_show_rate"],
        rows: rows.into_iter().map(|(name, numbers)| Row::of(cells(name, numbers))).collect(),
    };
    let ahead =
        AHEAD.into_iter().filter_map(|word| now.by_lead_time.get(word).map(|numbers| (word, numbers)));
    let ahead: Vec<(String, &Numbers)> =
        ahead.map(|(word, numbers)| (view.text(&format!("reports.ahead.{word}")), numbers)).collect();
    let of_reps: Vec<(String, &Numbers)> =
        now.by_rep.iter().map(|(rep, numbers)| (names.rep(rep), numbers)).collect();
    let title = |meeting: &str| {
        let known = view.reader.app.team.meeting(meeting);
        known.map_or(meeting, |known| known.title.get(view.language())).to_owned()
    };
    let meetings = now.by_meeting.iter().map(|(meeting, numbers)| (title(meeting), numbers));
    let channels =
        now.by_channel.iter().map(|(channel, numbers)| (view.brought("channel", channel), numbers));
    let ways = now.by_way.iter().map(|(way, numbers)| (view.text(&format!("reports.way.{way}")), numbers));
    let groups = ahead.iter().map(|(name, numbers)| Group {
        name: name.clone(),
        cells: [numbers.booked, numbers.held, numbers.no_show].map(Cell::count).to_vec(),
        before: None,
    });
    let card = |word, pick: fn(&Numbers) -> Cell, more| Card {
        word,
        value: pick(&now.total),
        before: then.as_ref().map(|then| pick(&then.total)),
        more,
    };
    let offered = &now.in_chat;
    let stages = [
        ("offered", offered.offered, None),
        ("shown", offered.shown, offered.shown_rate),
        ("booked", offered.booked, offered.booked_rate),
    ];
    let stages = stages.map(|(word, n, of_before)| {
        let name = view.text(&format!("reports.offered.{word}"));
        Row::of(vec![Cell::text(name), Cell::count(n), Cell::Share(of_before)])
    });
    let stages = if offered.offered == 0 { Vec::new() } else { stages.into() };
    let on_page = now.on_page.iter().map(|(meeting, steps)| {
        let counts = [steps.offered, steps.shown, steps.booked].map(Cell::count);
        let mut cells = vec![Cell::text(title(meeting))];
        cells.extend(counts);
        cells.push(Cell::Share(steps.booked_rate));
        Row::of(cells)
    });
    Ok(Sheet {
        is_empty: now.total.booked == 0 && offered.offered == 0 && now.on_page.is_empty(),
        cards: vec![
            card("calls", |numbers| Cell::count(numbers.booked), More::Better),
            card("held", |numbers| Cell::count(numbers.held), More::Better),
            card("no_show", |numbers| Cell::count(numbers.no_show), More::Worse),
            card("no_show_rate", |numbers| Cell::Share(numbers.no_show_rate), More::Worse),
        ],
        choices: Vec::new(),
        picture: Picture::Bars(Bars { series: vec!["booked", "held", "no_show"], groups: groups.collect() }),
        tables: vec![
            table("by_ahead", "ahead", ahead.clone()),
            table("by_meeting", "meeting", meetings.collect()),
            table("by_rep", "person", of_reps),
            table("by_channel", "brought_by", channels.collect()),
            table("by_way", "way", ways.collect()),
            Table {
                word: "offered",
                heads: vec!["offered_step", "conversations", "of_before"],
                rows: stages,
            },
            Table {
                word: "on_page",
                heads: vec!["meeting", "page_opened", "page_shown", "booked", "page_booked_rate"],
                rows: on_page.collect(),
            },
        ],
    })
}

async fn told(view: &View<'_>, span: Span) -> Result<Report, Problem> {
    let q = &mut view.reader.app.stores.db.read();
    let mut calls = bookings::calls(q, span).await?;
    calls.retain(|call| view.only.has_perhaps(call.contact));
    let mut talks = chats::talks(q, span).await?;
    talks.retain(|talk| view.only.has_perhaps(talk.contact));
    let in_chat = chats::offered(&talks, is_offer(&view.reader.app));
    let on_page = if view.only.is_everybody() { bookings::on_page(q, span).await? } else { BTreeMap::new() };
    Ok(Report { in_chat, on_page, ..bookings::bookings(&calls, &origins(q).await?) })
}
