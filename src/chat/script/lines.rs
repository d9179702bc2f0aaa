//! The lines of a script: how they are read, and what fits them.

use crate::base::yaml::{Map, View};

use super::scene::{instant, set_up};
use super::{Expected, Line, Move};
use crate::chat::body::{Body, Input as Shape};
use crate::chat::rehearsal::Scene;

pub(super) fn line(view: View<'_>) -> Option<Line> {
    let mut map = view.map()?;
    let line = if let Some(bot) = map.optional("bot") {
        expected(bot).map(Line::Bot)
    } else if let Some(visitor) = map.optional("visitor") {
        moved(visitor).map(Line::Visitor)
    } else if let Some(visit) = map.optional("visit") {
        visited(visit)
    } else if let Some(watched) = map.optional("watched") {
        let percent = watched.percent().and_then(|share| format!("{share:.0}").parse().ok());
        let recording = map.optional("recording").and_then(View::str);
        percent.map(|percent| Line::Watched { recording, percent })
    } else if let Some(event) = map.optional("event") {
        event.str().map(Line::Event)
    } else if let Some(advance) = map.optional("advance") {
        advance.duration_ms().map(|ms| Line::Advance { ms })
    } else if let Some(until) = map.optional("until") {
        instant(until).map(Line::Until)
    } else if let Some(agent) = map.optional("agent") {
        agent.one_of(&["accepts", "returns", "closes", "books"]).map(Line::Agent)
    } else if let Some(scene) = map.optional("scene") {
        // Read once now, so that what is wrong in it is told with the other mistakes.
        set_up(&mut Scene::default(), scene);
        Some(Line::Scene(scene.node.clone()))
    } else {
        view.wrong("one of bot, visitor, visit, watched, event, advance, until, agent or scene")
    };
    map.finish();
    line
}

/// `visit: /pricing`, or `visit: {path: /pricing, returning: true, offers: none}`.
fn visited(view: View<'_>) -> Option<Line> {
    if !view.is_map() {
        return view.str().map(|path| Line::Visit { path, returning: false, offers: None });
    }
    let mut map = view.map()?;
    let path = map.required("path").and_then(View::str);
    let returning = map.optional("returning").and_then(View::bool).unwrap_or(false);
    let offers = map.optional("offers").and_then(View::spanned);
    map.finish();
    Some(Line::Visit { path: path?, returning, offers })
}

fn expected(view: View<'_>) -> Option<Expected> {
    if !view.is_map() {
        return view.spanned().map(Expected::Says);
    }
    let mut map = view.map()?;
    let says = map.optional("says").and_then(View::spanned).map(Expected::Says);
    let matches = map.optional("matches").and_then(|view| {
        view.parsed("a regular expression", |text| regex::Regex::new(text).ok()).map(Expected::Matches)
    });
    let mut text = |key: &'static str| map.optional(key).and_then(View::str);
    let contains = text("contains").map(Expected::Contains);
    let invalid = text("invalid").map(Expected::Invalid);
    let video = text("video").map(Expected::Shows);
    let image = text("image").map(Expected::Pictures);
    let file = text("file").map(Expected::Files);
    let card = text("card").map(Expected::Cards);
    let seen = video.or(image).or(file).or(card);
    let end = text("end").map(Expected::Ends);
    let mode = text("mode").map(Expected::Mode);
    let ask = text("ask");
    let choices = map.optional("choices").map(View::strings).unwrap_or_default();
    let slots = map.optional("slots").and_then(View::int).and_then(|n| usize::try_from(n).ok());
    let booked = map.optional("booked").and_then(View::bool).map(|_| Expected::Books);
    map.finish();
    let ask = ask.map(|question| Expected::Asks { question, choices, slots });
    says.or(contains).or(matches).or(invalid).or(seen).or(end).or(mode).or(booked).or(ask)
}

fn moved(view: View<'_>) -> Option<Move> {
    if !view.is_map() {
        return view.str().map(Move::Types);
    }
    let mut map: Map<'_> = view.map()?;
    let choose = map.optional("choose").and_then(View::str).map(Move::Chooses);
    let slot =
        map.optional("slot").and_then(View::int).and_then(|n| usize::try_from(n).ok()).map(Move::TakesSlot);
    let none_fits = map.optional("none_fits").and_then(View::bool).map(|_| Move::NoneFits);
    let person = map.optional("person").and_then(View::bool).map(|_| Move::WantsAPerson);
    let opens = map.optional("opens").and_then(View::bool).map(|_| Move::Opens);
    let stop = map.optional("stop").and_then(View::bool).map(|_| Move::WantsToBeLeft);
    map.finish();
    choose.or(slot).or(none_fits).or(person).or(opens).or(stop)
}

impl Expected {
    pub(super) fn fits(&self, body: &Body) -> bool {
        match (self, body) {
            (Expected::Says(text), Body::Text { text: said, .. } | Body::Ask { text: said, .. }) => {
                text.value == *said
            }
            (Expected::Contains(part), Body::Text { text, .. } | Body::Ask { text, .. }) => {
                text.contains(part)
            }
            (Expected::Matches(pattern), Body::Text { text, .. } | Body::Ask { text, .. }) => {
                pattern.is_match(text)
            }
            (Expected::Asks { question, choices, slots }, Body::Ask { question: asked, input, .. }) => {
                let ids: Vec<&String> = match input {
                    Shape::Choice { choices } | Shape::Code { choices, .. } => {
                        choices.iter().map(|choice| &choice.id).collect()
                    }
                    _ => Vec::new(),
                };
                let offered = match input {
                    Shape::Slot { slots, .. } => Some(slots.len()),
                    _ => None,
                };
                question == asked
                    && (choices.is_empty() || choices.iter().collect::<Vec<_>>() == ids)
                    && (slots.is_none() || *slots == offered)
            }
            (Expected::Invalid(question), Body::Invalid { question: asked, .. }) => question == asked,
            (Expected::Shows(recording), Body::Video(video)) => *recording == video.recording,
            (Expected::Pictures(src), Body::Image { image, .. }) => *src == image.src,
            (Expected::Files(address), Body::File { href, .. }) => address == href,
            (Expected::Cards(wanted), Body::Card { title, .. }) => wanted == title,
            (Expected::Books, Body::Booked(_)) => true,
            (Expected::Ends(outcome), Body::End { outcome: ended }) => outcome == ended,
            (Expected::Mode(mode), Body::Status { mode: now, .. }) => mode == now.word(),
            _ => false,
        }
    }

    pub(super) fn told(&self) -> String {
        match self {
            Expected::Says(text) => format!("\"{}\"", text.value),
            Expected::Contains(part) => format!("a text with \"{part}\""),
            Expected::Matches(pattern) => format!("a text like /{pattern}/"),
            Expected::Asks { question, choices, slots } => {
                let choices = match choices.as_slice() {
                    [] => String::new(),
                    choices => format!(" [{}]", choices.join(", ")),
                };
                let slots = slots.map(|n| format!(" with {n} slots")).unwrap_or_default();
                format!("the question {question}{choices}{slots}")
            }
            Expected::Invalid(question) => format!("\"that will not do\" for {question}"),
            Expected::Shows(recording) => format!("the recording {recording}"),
            Expected::Pictures(src) => format!("the picture {src}"),
            Expected::Files(href) => format!("the file {href}"),
            Expected::Cards(title) => format!("the card \"{title}\""),
            Expected::Books => "a booking".to_owned(),
            Expected::Ends(outcome) => format!("the end ({outcome})"),
            Expected::Mode(mode) => format!("the mode {mode}"),
        }
    }
}

impl Line {
    /// The line in words.
    pub(super) fn told(&self) -> String {
        match self {
            Line::Bot(expected) => expected.told(),
            Line::Visitor(Move::Types(text)) => format!("visitor: {text}"),
            Line::Visitor(Move::Chooses(choice)) => format!("visitor chooses {choice}"),
            Line::Visitor(Move::TakesSlot(number)) => format!("visitor takes slot {number}"),
            Line::Visitor(Move::NoneFits) => "visitor: none of the slots fits".to_owned(),
            Line::Visitor(Move::WantsAPerson) => "visitor wants a person".to_owned(),
            Line::Visitor(Move::WantsToBeLeft) => "visitor wants to be left alone".to_owned(),
            Line::Visitor(Move::Opens) => "visitor opens the chat".to_owned(),
            Line::Visit { path, .. } => format!("visit of {path}"),
            Line::Watched { percent, .. } => format!("{percent} % watched"),
            Line::Event(name) => format!("the page tells of {name}"),
            Line::Advance { ms } => format!("{} s later", ms / 1_000),
            Line::Until(at) => format!("at {at}"),
            Line::Agent(does) => format!("a colleague {does}"),
            Line::Scene(_) => "the scene changes".to_owned(),
        }
    }
}

/// An event in words.
pub fn told(body: &Body) -> String {
    match body {
        Body::Text { text, .. } => format!("\"{text}\""),
        Body::Ask { question, text, input, .. } => match input {
            Shape::Choice { choices } => {
                let ids: Vec<&str> = choices.iter().map(|choice| choice.id.as_str()).collect();
                format!("the question {question} \"{text}\" [{}]", ids.join(", "))
            }
            Shape::Slot { slots, .. } => {
                format!("the question {question} \"{text}\" with {} slots", slots.len())
            }
            Shape::Text { .. }
            | Shape::Email { .. }
            | Shape::Phone { .. }
            | Shape::Number { .. }
            | Shape::Url { .. }
            | Shape::Date { .. }
            | Shape::Time { .. }
            | Shape::Rating { .. }
            | Shape::Code { .. } => format!("the question {question} \"{text}\""),
        },
        Body::Invalid { question, text } => format!("\"{text}\" for {question}"),
        Body::Video(video) => format!("the recording {}", video.recording),
        Body::Choice { label, .. } => format!("\"{label}\""),
        Body::Answer { text, .. } => format!("\"{text}\""),
        Body::Slot { starts_at: Some(at), .. } => format!("the slot {at}"),
        Body::Slot { starts_at: None, .. } => "none of the slots".to_owned(),
        Body::HumanRequested => "the wish for a person".to_owned(),
        Body::StopRequested => "the wish to be left alone".to_owned(),
        Body::Image { image, .. } => format!("the picture {}", image.src),
        Body::File { href, .. } => format!("the file {href}"),
        Body::Card { title, .. } => format!("the card \"{title}\""),
        Body::Status { mode, .. } => format!("the mode {}", mode.word()),
        Body::Booked(booked) => format!("a booking at {}", booked.starts_at),
        Body::End { outcome } => format!("the end ({outcome})"),
        Body::Satisfaction { .. } => "asks how it was".to_owned(),
        Body::Rated { score, .. } => format!("rated {score} of 5"),
    }
}
