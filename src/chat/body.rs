//! What stands in the log of a conversation: the bodies of its events, as the wire carries them.

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;
use crate::base::typed::plain;

/// Who has the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The flow speaks.
    Bot,
    /// A person has been asked for.
    Waiting,
    /// A person speaks; the flow is silent.
    Human,
    /// It is over.
    Closed,
}

impl Mode {
    /// The word that the store and the wire know it by.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Bot => "bot",
            Mode::Waiting => "waiting",
            Mode::Human => "human",
            Mode::Closed => "closed",
        }
    }

    /// The mode of a stored word.
    pub fn of_word(word: &str) -> Option<Self> {
        [Mode::Bot, Mode::Waiting, Mode::Human, Mode::Closed].into_iter().find(|mode| mode.word() == word)
    }
}

/// Who wrote an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    Visitor,
    Bot,
    Agent,
    System,
}

impl Author {
    /// The word that the store and the wire know it by.
    pub fn word(self) -> &'static str {
        match self {
            Author::Visitor => "visitor",
            Author::Bot => "bot",
            Author::Agent => "agent",
            Author::System => "system",
        }
    }

    /// The author of a stored word.
    pub fn of_word(word: &str) -> Option<Self> {
        [Author::Visitor, Author::Bot, Author::Agent, Author::System].into_iter().find(|a| a.word() == word)
    }
}

/// A person as the other side sees her.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Face {
    pub name: String,
    pub initials: String,
}

impl Face {
    /// The face of a name: “Mike Ross” has the initials MR.
    pub fn of(name: &str) -> Self {
        let initials = name.split_whitespace().take(2).filter_map(|word| word.chars().next());
        Face { name: name.to_owned(), initials: initials.flat_map(char::to_uppercase).collect() }
    }
}

/// One answer to choose from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub id: String,
    pub label: String,
    /// The address of its picture, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// What the picture shows, for those who do not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt: Option<String>,
}

/// A free time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
}

/// What kind of answer a question takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Input {
    Choice {
        choices: Vec<Choice>,
    },
    Text {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        placeholder: Option<String>,
        multiline: bool,
    },
    Email {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        placeholder: Option<String>,
    },
    Phone {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        placeholder: Option<String>,
    },
    Number {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        placeholder: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<i64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<i64>,
    },
    /// A web address; answered as it was typed.
    Url {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        placeholder: Option<String>,
    },
    /// A day; bounds and answer as `2026-12-24`. With `range` a first and a last one, `2026-12-24/2026-12-28`.
    Date {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<String>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        range: bool,
    },
    /// A time of day; bounds and answer as `14:30`.
    Time {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<String>,
    },
    /// From 1 to `max`, with words for both ends; answered with the number.
    Rating {
        max: i64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        low: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        high: Option<String>,
    },
    /// The digits of a code that was sent to her address.
    Code {
        digits: u8,
        /// What she can pick instead of typing: another code.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        choices: Vec<Choice>,
    },
    Slot {
        meeting: String,
        slots: Vec<Slot>,
        zone: String,
        more: bool,
    },
}

/// How far a form has come: question 2 of 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub step: usize,
    pub of: usize,
}

/// A track of subtitles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caption {
    pub src: String,
    pub language: String,
    pub label: String,
}

/// A recording as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Video {
    pub recording: String,
    pub title: String,
    pub src: String,
    pub poster: Option<String>,
    pub captions: Vec<Caption>,
    pub duration_s: u32,
    pub watched_percent: u8,
}

/// A picture and what it shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    pub src: String,
    pub alt: String,
}

/// Where a card leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub href: String,
    pub label: String,
}

/// A booked call as the visitor sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booked {
    pub booking: String,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    pub zone: String,
    pub with: String,
    pub manage: String,
    pub location: Option<String>,
}

/// The body of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Body {
    Text {
        text: String,
        /// How long the bot seems to type before it; without it the widget goes by the text's length.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        typing_ms: Option<u32>,
    },
    Video(Video),
    Image {
        #[serde(flatten)]
        image: Image,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caption: Option<String>,
    },
    /// A file to take away; `kind` is its ending, such as `pdf`.
    File {
        title: String,
        href: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
    },
    Card {
        title: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        image: Option<Image>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        link: Option<Link>,
    },
    Ask {
        question: String,
        text: String,
        input: Input,
        progress: Option<Progress>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        typing_ms: Option<u32>,
    },
    Invalid {
        question: String,
        text: String,
    },
    Choice {
        question: String,
        choice: String,
        label: String,
    },
    Answer {
        question: String,
        text: String,
    },
    /// A time that was picked, or that none of those offered fits.
    Slot {
        question: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        starts_at: Option<Timestamp>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        none_fit: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        zone: Option<String>,
    },
    HumanRequested,
    /// She wants to be left alone.
    StopRequested,
    Status {
        mode: Mode,
        agent: Option<Face>,
        text: Option<String>,
    },
    Booked(Booked),
    End {
        outcome: String,
    },
    /// After a conversation with a person: asks how it was, from 1 to 5.
    Satisfaction {
        text: String,
    },
    /// The answer to that.
    Rated {
        score: i64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
}

impl Body {
    /// The same, with a time for which the bot seems to type before it; where there is something to type.
    #[must_use]
    pub fn typed(mut self, ms: u32) -> Self {
        if let Body::Text { typing_ms, .. } | Body::Ask { typing_ms, .. } = &mut self {
            *typing_ms = Some(ms);
        }
        self
    }

    pub fn text(text: impl Into<String>) -> Self {
        Body::Text { text: text.into(), typing_ms: None }
    }
}

/// What a visitor sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Said {
    Text {
        text: String,
    },
    Choice {
        question: String,
        choice: String,
    },
    Answer {
        question: String,
        value: String,
    },
    Slot {
        question: String,
        #[serde(default)]
        starts_at: Option<Timestamp>,
        #[serde(default)]
        none_fit: bool,
    },
    HumanRequested,
    StopRequested,
}

impl Said {
    /// The same with nothing in its words but what can be read: see [`plain`].
    #[must_use]
    pub fn plain(&self) -> Self {
        match self {
            Said::Text { text } => Said::Text { text: plain(text) },
            Said::Answer { question, value } => {
                Said::Answer { question: question.clone(), value: plain(value) }
            }
            Said::Choice { .. } | Said::Slot { .. } | Said::HumanRequested | Said::StopRequested => {
                self.clone()
            }
        }
    }
}

/// Whether nothing in it can be seen.
pub fn is_blank(text: &str) -> bool {
    let is_unseen = |letter: char| {
        letter.is_whitespace()
            || letter.is_control()
            || matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars().all(is_unseen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_nobody_can_see_is_blank() {
        assert!(is_blank(&plain("\u{202e} \u{0}\u{200b}")));
        assert!(is_blank(" \u{200b}\u{2060}") && !is_blank(" \u{200b}a"));
    }

    #[test]
    fn bodies_are_written_as_the_contract_says() {
        let ask = Body::Ask {
            question: "offer".into(),
            text: "Now?".into(),
            input: Input::Choice {
                choices: vec![Choice { id: "now".into(), label: "Now".into(), image: None, alt: None }],
            },
            progress: None,
            typing_ms: None,
        };
        assert_eq!(
            serde_json::to_value(&ask).unwrap(),
            json!({"type":"ask","question":"offer","text":"Now?","input":{"kind":"choice","choices":[{"id":"now","label":"Now"}]},"progress":null})
        );
        let status = Body::Status { mode: Mode::Human, agent: Some(Face::of("Mike Ross")), text: None };
        assert_eq!(
            serde_json::to_value(&status).unwrap(),
            json!({"type":"status","mode":"human","agent":{"name":"Mike Ross","initials":"MR"},"text":null})
        );
    }

    #[test]
    fn what_visitors_send_is_read() {
        let none: Said =
            serde_json::from_value(json!({"type":"slot","question":"pick","none_fit":true})).unwrap();
        assert_eq!(none, Said::Slot { question: "pick".into(), starts_at: None, none_fit: true });
        let human: Said = serde_json::from_value(json!({"type":"human_requested"})).unwrap();
        assert_eq!(human, Said::HumanRequested);
        assert!(serde_json::from_value::<Said>(json!({"type":"eval"})).is_err());
    }
}
