//! `show: {video: webinar.recording}`: puts a recording into the conversation and goes on.

use crate::base::yaml::{Map, Spanned, View};

use crate::chat::body::Body;
use crate::chat::engine::{After, Run};
use crate::chat::flow::{Outcome, Step};

/// The field that stands for “the recording of the webinar she registered for”.
pub const HER_RECORDING: &str = "webinar.recording";

#[derive(Clone, Debug)]
pub struct Show {
    /// A recording's id, or [`HER_RECORDING`].
    pub video: Spanned<String>,
}

impl Show {
    pub fn read(map: &mut Map<'_>) -> Option<Show> {
        let mut show = map.required("show").and_then(View::map)?;
        let video = show.required("video").and_then(View::spanned);
        show.finish();
        Some(Show { video: video? })
    }

    pub fn enter(&self, step: &Step, run: &mut Run<'_>) -> After {
        let Some(video) = run.recording(&self.video.value) else {
            return After::Outcome(Outcome::Missing);
        };
        run.state.shown.insert(step.id.clone(), video.recording.clone());
        run.bot(Body::Video(video));
        After::Outcome(Outcome::Next)
    }
}
