//! `wait_for`: until a video has been watched, until the page tells of an event, until she writes, or for a while.

use crate::base::yaml::{Map, Spanned, View};

use super::{unread, way};
use crate::chat::engine::{After, Input, Phase, Refused, Run};
use crate::chat::flow::{LEAST_WAIT, Outcome, SOME_TIME_MS, Step, Target};
use crate::chat::phrases::Phrase;

/// Longest name of an event, as of those that are counted.
pub const EVENT_LENGTH: usize = 120;

#[derive(Clone, Debug)]
pub enum WaitFor {
    /// Until so much of what a `show` step showed has been seen.
    Video {
        step: Target,
        at_least: u8,
    },
    /// Until the page tells of it by `embudo('event', name)`. What it told before is over.
    Event {
        name: Spanned<String>,
    },
    /// Until she writes something: at the beginning of a flow, her first message.
    Message,
    Time {
        ms: i64,
    },
}

impl WaitFor {
    pub fn read(map: &mut Map<'_>) -> WaitFor {
        let Some(mut wait) = map.required("wait_for").and_then(View::map) else {
            return WaitFor::Event { name: unread(map.at) };
        };
        // A key without a value says what is meant, too.
        let read = if wait.has("time") {
            let time = wait.required("time").and_then(|time| time.duration_from(LEAST_WAIT));
            WaitFor::Time { ms: time.unwrap_or(SOME_TIME_MS) }
        } else if wait.has("event") {
            let name = wait.required("event").and_then(event_name);
            WaitFor::Event { name: name.unwrap_or_else(|| unread(wait.at)) }
        } else if wait.has("message") {
            let message = wait.required("message");
            message.and_then(|message| message.parsed("true", |text| (text == "true").then_some(())));
            WaitFor::Message
        } else {
            let step = way("video", &mut wait);
            let share = wait.required("at_least").and_then(View::percent);
            let at_least = share.and_then(|percent| format!("{percent:.0}").parse().ok());
            WaitFor::Video { step, at_least: at_least.unwrap_or(1) }
        };
        wait.finish();
        read
    }

    pub fn enter(&self, step: &Step, run: &mut Run<'_>) -> After {
        run.state.phase = Phase::Watching;
        match self {
            WaitFor::Time { ms } => run.state.deadline = Some(run.world.now.plus_ms(*ms)),
            WaitFor::Event { .. } | WaitFor::Message => run.patience(step),
            WaitFor::Video { step: shown, at_least } => {
                let Some(recording) = run.state.shown.get(&shown.step) else {
                    return After::Outcome(Outcome::Timeout);
                };
                let seen = run.recording(recording).map_or(0, |video| video.watched_percent);
                if seen >= *at_least {
                    return After::Outcome(Outcome::Reached);
                }
                run.patience(step);
            }
        }
        After::Stay
    }

    pub fn hear(&self, input: &Input, run: &mut Run<'_>) -> Result<After, Refused> {
        match (self, input) {
            (WaitFor::Time { .. }, Input::Tick) => Ok(After::Outcome(Outcome::Reached)),
            (WaitFor::Video { .. } | WaitFor::Event { .. } | WaitFor::Message, Input::Tick) => {
                Ok(After::Outcome(Outcome::Timeout))
            }
            (WaitFor::Message, Input::Said(said)) => {
                run.echo(said)?;
                run.overheard(said);
                Ok(After::Outcome(Outcome::Reached))
            }
            (WaitFor::Event { name }, Input::Event { name: told }) if name.value == *told => {
                Ok(After::Outcome(Outcome::Reached))
            }
            (WaitFor::Video { step, at_least }, Input::Watched { recording, percent }) => {
                let ours = run.state.shown.get(&step.step) == Some(recording);
                Ok(if ours && percent >= at_least { After::Outcome(Outcome::Reached) } else { After::Stay })
            }
            (_, Input::Watched { .. } | Input::Event { .. }) => Ok(After::Stay),
            (_, Input::Said(said)) => {
                run.echo(said)?;
                run.overheard(said);
                run.phrase(Phrase::StillHere);
                Ok(After::Stay)
            }
            _ => Err(Refused::NotNow),
        }
    }
}

/// The name of an event, as the page tells it. Reports Y004.
fn event_name(view: View<'_>) -> Option<Spanned<String>> {
    let name = view.spanned()?;
    if (1..=EVENT_LENGTH).contains(&name.value.trim().chars().count()) {
        return Some(name);
    }
    view.wrong("the name of an event, as in embudo('event', 'demo_clicked')")
}

#[cfg(test)]
mod tests {
    use crate::base::diagnostic::Report;
    use crate::base::yaml;
    use crate::chat::engine::Input;
    use crate::chat::flow::Flow;
    use crate::chat::rehearsal::{Rehearsal, Scene, says};

    const FLOW: &str = r"flow: tour
title: A tour of the page
languages: [en]
steps:
  invite: {say: Try the price calculator.}
  tried:
    wait_for: {event: calculated}
    timeout: {after: 10m, goto: later}
  thanks: {say: 'Well done.', end: done}
  later: {say: Another time., end: later}
";

    fn read(text: &str) -> (Option<Flow>, String) {
        let report = Report::new();
        let flow = Flow::read(&yaml::parse("f", text, &report).unwrap(), &report);
        (flow, report.text())
    }

    fn event(name: &str) -> Input {
        Input::Event { name: name.to_owned() }
    }

    #[test]
    fn a_flow_waits_for_the_pages_event_and_for_no_other() {
        let flow = read(FLOW).0.unwrap();
        let (mut play, _) = Rehearsal::open(&flow, Scene::default(), None);
        assert_eq!(play.state.step, "tried");
        assert!(play.play(&event("scrolled")).unwrap().is_empty());
        assert_eq!(play.state.step, "tried", "another event is none of its business");
        play.play(&says("how?")).unwrap();
        assert_eq!(play.state.step, "tried", "talking does not lose what is waited for");
        play.play(&event("calculated")).unwrap();
        assert_eq!(play.state.outcome.as_deref(), Some("done"));
    }

    #[test]
    fn an_event_that_does_not_come_leads_on_by_time() {
        let flow = read(FLOW).0.unwrap();
        let (mut play, _) = Rehearsal::open(&flow, Scene::default(), None);
        play.advance(600_000);
        assert_eq!(play.state.outcome.as_deref(), Some("later"));
    }

    #[test]
    fn an_event_at_any_other_step_changes_nothing() {
        let text = FLOW.replace("wait_for: {event: calculated}", "ask: Did it work?");
        let flow = read(&text).0.unwrap();
        let (mut play, _) = Rehearsal::open(&flow, Scene::default(), None);
        let before = play.state.clone();
        assert!(play.play(&event("calculated")).unwrap().is_empty());
        assert_eq!(play.state, before);
    }

    const QUIET: &str = r"flow: quiet
title: Says nothing before she does
languages: [en]
trigger: {when: opened}
events: {human_requested: bye}
steps:
  first:
    wait_for: {message: true}
    timeout: {after: 30m, goto: bye}
  heard: {say: 'You wrote: {{#if chat.unheard}}{{chat.unheard}}{{/if}}', end: heard}
  bye: {say: Goodbye., end: gone}
";

    #[test]
    fn a_flow_can_wait_in_silence_for_her_first_message() {
        let flow = read(QUIET).0.unwrap();
        let (mut play, said) = Rehearsal::open(&flow, Scene::default(), None);
        assert!(said.is_empty(), "{said:?}");
        let out = play.play(&says("Do you ship to Chile?")).unwrap();
        let told = |out: &crate::chat::engine::Out| match &out.body {
            crate::chat::body::Body::Text { text, .. } => text.contains("You wrote: Do you ship to Chile?"),
            _ => false,
        };
        assert!(out.iter().any(told), "{out:?}");
        assert_eq!(play.state.outcome.as_deref(), Some("heard"));
        let (mut play, _) = Rehearsal::open(&flow, Scene::default(), None);
        play.advance(30 * 60_000);
        assert_eq!(play.state.outcome.as_deref(), Some("gone"));
        assert!(read(&QUIET.replace("message: true", "message: hello")).1.contains("Y004"));
    }

    #[test]
    fn an_event_needs_a_name_and_a_way_on_without_it() {
        let told = |from: &str, to: &str| read(&FLOW.replace(from, to)).1;
        assert!(told("event: calculated", "event: ''").contains("Y00"), "no name");
        for (from, missing) in [("event: ", "event"), ("time: ", "time"), ("message: ", "message")] {
            let told = told("event: calculated", from);
            assert!(told.contains(&format!("\"{missing}\" is missing")), "{told}");
            assert!(!told.contains("video") && !told.contains("at_least"), "{told}");
        }
        assert!(
            told("event: calculated", &format!("event: {}", "x".repeat(121))).contains("Y00"),
            "too long"
        );
    }
}
