//! A flow tried out in the console: a conversation that is nothing but the list of what was done in it, played anew on the
//! stage of [`rehearsal`](super::rehearsal) each time. Nothing is kept and nobody is told.

use serde::Serialize;

use super::body::{Author, Body, Choice, Input as Shape, Said, Slot};
use super::engine::{Input, Out, Phase, Refused};
use super::flow::Flow;
use super::rehearsal::{Rehearsal, Scene, says};
use crate::base::time::{MINUTE_MS, Timestamp};

/// Longest list of moves that is played.
pub const MOVES_MOST: usize = 100;

/// Something that is done in the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// She types something.
    Says(String),
    /// She picks an answer: the question and the choice.
    Picks(String, String),
    /// She takes one of the times that are offered, counted from 1.
    Takes(usize),
    /// None of them fits.
    NoneFits,
    /// She asks for a person.
    WantsAPerson,
    /// She wants to be left alone.
    WantsToBeLeft,
    /// So many minutes go by.
    Waits(i64),
    /// She has seen so much of the recording that was shown, in percent.
    Watches(u8),
    /// A colleague comes, gives her back to the bot, closes, or books a time for her.
    Accepts,
    GivesBack,
    Closes,
    Books,
}

impl Move {
    /// Reads a move as it is written: `say hello`, `pick menu call`, `take 2`, `wait 30`, or a word alone.
    pub fn parse(text: &str) -> Option<Move> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim();
        Some(match word {
            "say" if !rest.is_empty() => Move::Says(rest.to_owned()),
            "pick" => {
                let (question, choice) = rest.split_once(' ')?;
                Move::Picks(question.to_owned(), choice.to_owned())
            }
            "take" => Move::Takes(rest.parse().ok().filter(|n| *n > 0)?),
            "none" => Move::NoneFits,
            "person" => Move::WantsAPerson,
            "stop" => Move::WantsToBeLeft,
            "wait" => Move::Waits(rest.parse().ok().filter(|minutes| (1..=43_200).contains(minutes))?),
            "watch" => Move::Watches(rest.parse().ok().filter(|percent| *percent <= 100)?),
            "accept" => Move::Accepts,
            "return" => Move::GivesBack,
            "close" => Move::Closes,
            "book" => Move::Books,
            _ => return None,
        })
    }
}

/// One line of the conversation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    pub author: Author,
    /// A time that is spoken of.
    pub at: Option<Timestamp>,
    /// What stands in it to be read, if it is words.
    pub text: Option<String>,
    /// The word of what happened, if it is none.
    pub what: Option<&'static str>,
    /// What that is about.
    pub about: String,
}

/// What can be answered now.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Open {
    pub question: String,
    pub choices: Vec<Choice>,
    pub slots: Vec<Slot>,
    /// An answer can be typed.
    pub takes_text: bool,
    /// The code that she would find in her mail.
    pub code: Option<String>,
}

/// A conversation after all its moves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Played {
    pub lines: Vec<Line>,
    /// The step it stands at, and all that it has come through.
    pub step: String,
    pub path: Vec<String>,
    pub open: Open,
    pub has_ended: bool,
    pub outcome: Option<String>,
    /// A person is asked for, or speaks.
    pub is_waiting: bool,
    pub is_with_person: bool,
    /// A recording stands there.
    pub can_watch: bool,
    /// What it knows.
    pub vars: Vec<(String, String)>,
    pub now: Timestamp,
    /// When it would go on by itself.
    pub wakes_at: Option<Timestamp>,
    /// The last move could not be made; it is not among those that were.
    pub was_refused: bool,
}

/// Plays the moves from the beginning, or from a step. One that cannot be made is left out.
pub fn play(flow: &Flow, scene: Scene, start: Option<&str>, moves: &[Move]) -> Played {
    let start = start.filter(|step| flow.step(step).is_some());
    let (mut play, events) = Rehearsal::open(flow, scene, start);
    let mut lines: Vec<Line> = events.into_iter().filter_map(line).collect();
    let mut was_refused = false;
    for one in moves.iter().take(MOVES_MOST) {
        let mut next = play.clone();
        match make(&mut next, one) {
            Ok(events) => {
                play = next;
                lines.extend(events.into_iter().filter_map(line));
                was_refused = false;
            }
            Err(_) => was_refused = true,
        }
    }
    let vars =
        play.state.vars.iter().map(|(name, value)| {
            (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        });
    Played {
        lines,
        step: play.state.step.clone(),
        path: play.state.path.clone(),
        open: open(&play),
        has_ended: play.state.phase == Phase::Ended,
        outcome: play.state.outcome.clone(),
        is_waiting: play.state.phase == Phase::Waiting,
        is_with_person: play.state.phase == Phase::Human,
        can_watch: !play.state.shown.is_empty() && play.state.phase != Phase::Ended,
        vars: vars.collect(),
        now: play.scene.now,
        wakes_at: play.wake_at.filter(|_| play.state.phase != Phase::Ended),
        was_refused,
    }
}

fn make(play: &mut Rehearsal<'_>, one: &Move) -> Result<Vec<Out>, Refused> {
    let question = play.open_question();
    let input = match one {
        Move::Says(text) => says(text),
        Move::Picks(question, choice) => {
            Input::Said(Said::Choice { question: question.clone(), choice: choice.clone() })
        }
        Move::Takes(number) => {
            let slot = number.checked_sub(1).and_then(|at| play.offered().get(at)).ok_or(Refused::NotNow)?;
            Input::Said(Said::Slot { question, starts_at: Some(slot.starts_at), none_fit: false })
        }
        Move::NoneFits => Input::Said(Said::Slot { question, starts_at: None, none_fit: true }),
        Move::WantsAPerson => Input::Said(Said::HumanRequested),
        Move::WantsToBeLeft => Input::Said(Said::StopRequested),
        Move::Waits(minutes) => return Ok(play.advance(minutes.saturating_mul(MINUTE_MS))),
        Move::Watches(percent) => {
            let recording = play.state.shown.values().next_back().cloned().ok_or(Refused::NotNow)?;
            Input::Watched { recording, percent: *percent }
        }
        Move::Accepts => Input::AgentAccepted { agent: Rehearsal::agent() },
        Move::GivesBack => Input::AgentReturned,
        Move::Closes => Input::AgentClosed,
        Move::Books => play.booked_by_agent().ok_or(Refused::NotNow)?,
    };
    play.play(&input)
}

fn open(play: &Rehearsal<'_>) -> Open {
    let question = play.open_question();
    let phase = &play.state.phase;
    if *phase == Phase::Ended {
        return Open::default();
    }
    let mut open = Open { question: question.clone(), takes_text: true, ..Open::default() };
    let is_asked = matches!(
        phase,
        Phase::Asking | Phase::Form { .. } | Phase::Email | Phase::Slots { .. } | Phase::Waitlist { .. }
    );
    let asked = play.asked.as_ref().filter(|(asked, _)| is_asked && *asked == question);
    match asked.map(|(_, shape)| shape) {
        Some(Shape::Choice { choices }) => open.choices.clone_from(choices),
        Some(Shape::Code { choices, .. }) => {
            open.choices.clone_from(choices);
            open.code = Some(play.scene.code.clone());
        }
        Some(Shape::Slot { slots, .. }) => open.slots.clone_from(slots),
        Some(
            Shape::Text { .. }
            | Shape::Email { .. }
            | Shape::Phone { .. }
            | Shape::Number { .. }
            | Shape::Url { .. }
            | Shape::Date { .. }
            | Shape::Time { .. }
            | Shape::Rating { .. },
        )
        | None => {}
    }
    open
}

fn line(out: Out) -> Option<Line> {
    let words = |text: &str| (Some(text.to_owned()), None, String::new());
    let happened = |what: &'static str, about: &str| (None, Some(what), about.to_owned());
    let (text, what, about) = match &out.body {
        Body::Text { text, .. }
        | Body::Ask { text, .. }
        | Body::Invalid { text, .. }
        | Body::Answer { text, .. }
        | Body::Satisfaction { text } => words(text),
        Body::Choice { label, .. } => words(label),
        Body::Video(video) => happened("video", &video.title),
        Body::Image { image, .. } => happened("image", &image.alt),
        Body::File { title, .. } => happened("file", title),
        Body::Card { title, .. } => happened("card", title),
        Body::Slot { starts_at: Some(_), .. } => happened("slot", ""),
        Body::Slot { starts_at: None, .. } => happened("none_fit", ""),
        Body::HumanRequested => happened("person", ""),
        Body::StopRequested => happened("stop", ""),
        Body::Status { mode, .. } => happened(mode.word(), ""),
        Body::Booked(booked) => happened("booked", &booked.with),
        Body::End { outcome } => happened("end", outcome),
        Body::Rated { .. } => return None,
    };
    let at = match &out.body {
        Body::Slot { starts_at, .. } => *starts_at,
        Body::Booked(booked) => Some(booked.starts_at),
        _ => None,
    };
    Some(Line { author: out.author, at, text, what, about })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Report;
    use crate::base::yaml;

    fn flow() -> Flow {
        let report = Report::new();
        let text = include_str!("../../bot-flows/welcome.yaml");
        let doc = yaml::parse("w.yaml", text, &report).expect("a tree");
        Flow::read(&doc, &report).expect("a flow")
    }

    fn moves(of: &[&str]) -> Vec<Move> {
        of.iter().map(|text| Move::parse(text).unwrap_or_else(|| panic!("{text}"))).collect()
    }

    #[test]
    fn moves_are_read_as_they_are_written_and_nothing_else_is() {
        assert_eq!(Move::parse("say hello there"), Some(Move::Says("hello there".into())));
        assert_eq!(Move::parse("pick menu call"), Some(Move::Picks("menu".into(), "call".into())));
        for wrong in ["", "say", "pick menu", "take 0", "take x", "wait -5", "watch 101", "shout hello"] {
            assert_eq!(Move::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_same_moves_lead_to_the_same_place_and_a_wrong_one_leads_nowhere() {
        let flow = flow();
        let scene = || Scene { online: 0, ..Scene::usual(&[], Timestamp(1_772_445_600_000)) };
        let first = play(&flow, scene(), None, &[]);
        assert!(!first.open.choices.is_empty() && first.path.contains(&"menu".to_owned()), "{first:?}");
        let choice = first.open.choices.iter().find(|choice| choice.id == "call").expect("it offers a call");
        let pick = format!("pick {} {}", first.open.question, choice.id);
        let picked = play(&flow, scene(), None, &moves(&[&pick]));
        assert_eq!(picked, play(&flow, scene(), None, &moves(&[&pick])));
        assert_ne!(picked.step, first.step);
        assert!(!picked.open.slots.is_empty(), "{picked:?}");
        let wrong = play(&flow, scene(), None, &moves(&[&pick, "take 99"]));
        assert!(wrong.was_refused && wrong.step == picked.step);
        let booked = play(&flow, scene(), None, &moves(&[&pick, "take 1"]));
        assert!(booked.lines.iter().any(|line| line.what == Some("booked")), "{booked:?}");
        let later = play(&flow, scene(), None, &moves(&["wait 43200"]));
        assert!(later.has_ended && later.now > first.now, "{later:?}");
    }
}
