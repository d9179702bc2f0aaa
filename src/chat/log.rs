//! The one numbered log of a conversation.
//!
//! `seq` is contiguous from 1. Everything that a client shows is an entry; typing is the only thing that is not.
//! Whoever has read up to N asks for what comes after N and lacks nothing.

use serde::{Deserialize, Serialize};

use super::body::{Author, Body, Said};
use crate::base::signing::sha256_hex;
use crate::base::time::Timestamp;

/// One entry, as the wire carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub seq: i64,
    pub at: Timestamp,
    pub author: Byline,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    pub body: Body,
}

/// Who wrote it, as readers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Byline {
    pub kind: Author,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// How far a log goes. It is told when a reader begins, when somebody has read on, and with every beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Head {
    /// The number of the latest entry.
    pub head: i64,
    /// Up to where the other side has read.
    pub read: i64,
}

/// A body as it is stored: with a digest of what the client sent, by which a repeated message is known from
/// another one under the same id.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    #[serde(flatten)]
    pub body: Body,
    #[serde(default, rename = "_said", skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// The digest of a message.
pub(super) fn digest(said: &Said) -> String {
    let text = serde_json::to_string(said).unwrap_or_default();
    sha256_hex(&text).chars().take(24).collect()
}

/// An entry in one line of text, for transcripts.
pub fn line(body: &Body) -> Option<String> {
    match body {
        Body::Text { text, .. } | Body::Ask { text, .. } | Body::Invalid { text, .. } => Some(text.clone()),
        Body::Choice { label, .. } => Some(label.clone()),
        Body::Answer { text, .. } => Some(text.clone()),
        Body::Slot { starts_at: Some(at), .. } => Some(at.to_string()),
        Body::Slot { starts_at: None, .. } => Some("–".to_owned()),
        Body::Video(video) => Some(video.title.clone()),
        Body::Booked(booked) => Some(format!("{} ({})", booked.starts_at, booked.with)),
        Body::Image { image, caption } => Some(caption.clone().unwrap_or_else(|| image.alt.clone())),
        Body::File { title, .. } | Body::Card { title, .. } => Some(title.clone()),
        Body::HumanRequested
        | Body::StopRequested
        | Body::Status { .. }
        | Body::End { .. }
        | Body::Satisfaction { .. }
        | Body::Rated { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_kept_beside_the_body_and_never_shown() {
        let kept = Kept { body: Body::text("Hi"), said: Some(digest(&Said::HumanRequested)) };
        let stored = serde_json::to_string(&kept).unwrap();
        let read: Kept = serde_json::from_str(&stored).unwrap();
        assert_eq!((read.body.clone(), read.said.is_some()), (Body::text("Hi"), true));
        assert_eq!(serde_json::to_string(&read.body).unwrap(), r#"{"type":"text","text":"Hi"}"#);
    }

    #[test]
    fn another_message_has_another_digest() {
        let text = |text: &str| digest(&Said::Text { text: text.to_owned() });
        assert_eq!(text("a"), text("a"));
        assert_ne!(text("a"), text("b"));
    }
}
