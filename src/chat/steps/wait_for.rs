//! `wait_for`: until a video has been watched, or for a while.

use crate::base::yaml::{Map, View};

use crate::chat::engine::{After, Input, Phase, Refused, Run};
use crate::chat::flow::{Outcome, Step, Target};
use crate::chat::phrases::Phrase;

#[derive(Clone, Debug)]
pub enum WaitFor {
    /// Until so much of what a `show` step showed has been seen.
    Video {
        step: Target,
        at_least: u8,
    },
    Time {
        ms: i64,
    },
}

impl WaitFor {
    pub fn read(map: &mut Map<'_>) -> Option<WaitFor> {
        let view = map.required("wait_for")?;
        let mut wait = view.map()?;
        let read = if let Some(time) = wait.optional("time") {
            time.duration_ms().map(|ms| WaitFor::Time { ms })
        } else {
            let step = wait.required("video").and_then(Target::read);
            let share = wait.required("at_least").and_then(View::percent);
            let at_least = share.and_then(|percent| format!("{percent:.0}").parse().ok());
            step.zip(at_least).map(|(step, at_least)| WaitFor::Video { step, at_least })
        };
        wait.finish();
        read
    }

    pub fn enter(&self, step: &Step, run: &mut Run<'_>) -> After {
        run.state.phase = Phase::Watching;
        match self {
            WaitFor::Time { ms } => run.state.deadline = Some(run.world.now.plus_ms(*ms)),
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
            (WaitFor::Video { .. }, Input::Tick) => Ok(After::Outcome(Outcome::Timeout)),
            (WaitFor::Video { step, at_least }, Input::Watched { recording, percent }) => {
                let ours = run.state.shown.get(&step.step) == Some(recording);
                Ok(if ours && percent >= at_least { After::Outcome(Outcome::Reached) } else { After::Stay })
            }
            (_, Input::Watched { .. }) => Ok(After::Stay),
            (_, Input::Said(said)) => {
                run.echo(said)?;
                run.phrase(Phrase::StillHere);
                Ok(After::Stay)
            }
            _ => Err(Refused::NotNow),
        }
    }
}
