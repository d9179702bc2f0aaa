//! `show: {video: webinar.recording}`: puts a recording, a picture, a file or a card into the conversation and goes on.

use crate::base::yaml::{Map, Spanned, View};

use super::{name, unread, words};
use crate::chat::body::{Body, Image, Link};
use crate::chat::engine::{After, Run};
use crate::chat::flow::{Load, Outcome, Step, Words};

/// The field that stands for “the recording of the webinar she registered for”.
pub const HER_RECORDING: &str = "webinar.recording";

#[derive(Clone, Debug)]
pub enum Show {
    /// A recording's id, or [`HER_RECORDING`].
    Video {
        video: Spanned<String>,
    },
    Image {
        picture: Picture,
        caption: Option<Words>,
    },
    File {
        href: Spanned<String>,
        title: Words,
    },
    Card(Box<Card>),
}

/// A picture, and what it shows in words.
#[derive(Clone, Debug)]
pub struct Picture {
    pub src: Spanned<String>,
    /// None only in a flow with a mistake (T408).
    pub alt: Option<Words>,
}

#[derive(Clone, Debug)]
pub struct Card {
    pub title: Words,
    pub text: Option<Words>,
    pub picture: Option<Picture>,
    pub link: Option<(Spanned<String>, Words)>,
}

impl Show {
    pub fn read<'a>(id: &str, map: &mut Map<'a>, load: &mut Load<'a>) -> Show {
        let Some(mut show) = map.required("show").and_then(View::map) else {
            return Show::File { href: unread(map.at), title: load.unread(&format!("{id}.title"), map.at) };
        };
        let kinds: Vec<&str> =
            ["video", "image", "file", "card"].into_iter().filter(|key| show.key_at(key).is_some()).collect();
        if kinds.len() > 1 {
            load.report
                .error(show.at, "G208", format!("this shows {} at once", kinds.join(" and ")))
                .hint("one step, one thing to see: make two steps of it");
        }
        let mut read: Vec<Show> = kinds.iter().map(|kind| Show::read_as(kind, id, &mut show, load)).collect();
        if read.is_empty() {
            read.push(Show::read_as("video", id, &mut show, load));
        }
        show.finish();
        // Of several at once each was looked at; one of them stands for all.
        read.swap_remove(0)
    }

    fn read_as<'a>(kind: &str, id: &str, show: &mut Map<'a>, load: &mut Load<'a>) -> Show {
        match kind {
            "image" => {
                let picture = picture(id, show, load);
                Show::Image { picture, caption: optional(id, "caption", show, load) }
            }
            "file" => {
                let href = show.required("file").map(|view| load.address(view));
                let href = href.unwrap_or_else(|| unread(show.at));
                Show::File { href, title: words(id, "title", show, load) }
            }
            "card" => Show::Card(Box::new(Card::read(id, show, load))),
            _ => Show::Video { video: name("video", show) },
        }
    }

    /// Its texts.
    pub fn words(&self) -> Vec<&Words> {
        match self {
            Show::Video { .. } => Vec::new(),
            Show::Image { picture, caption } => picture.alt.iter().chain(caption).collect(),
            Show::File { title, .. } => vec![title],
            Show::Card(card) => {
                let alt = card.picture.iter().filter_map(|picture| picture.alt.as_ref());
                let label = card.link.iter().map(|(_, label)| label);
                [&card.title].into_iter().chain(&card.text).chain(alt).chain(label).collect()
            }
        }
    }

    /// Its picture, if there is one.
    pub fn picture(&self) -> Option<&Picture> {
        match self {
            Show::Image { picture, .. } => Some(picture),
            Show::Card(card) => card.picture.as_ref(),
            Show::Video { .. } | Show::File { .. } => None,
        }
    }

    pub fn enter(&self, step: &Step, run: &mut Run<'_>) -> After {
        let body = match self {
            Show::Video { video } => {
                let Some(video) = run.recording(&video.value) else {
                    return After::Outcome(Outcome::Missing);
                };
                run.state.shown.insert(step.id.clone(), video.recording.clone());
                Body::Video(video)
            }
            Show::Image { picture, caption } => Body::Image {
                image: picture.told(run),
                caption: caption.as_ref().map(|caption| run.render(caption)),
            },
            Show::File { href, title } => {
                Body::File { title: run.render(title), href: href.value.clone(), kind: ending(&href.value) }
            }
            Show::Card(card) => Body::Card {
                title: run.render(&card.title),
                text: card.text.as_ref().map(|text| run.render(text)),
                image: card.picture.as_ref().map(|picture| picture.told(run)),
                link: card
                    .link
                    .as_ref()
                    .map(|(href, label)| Link { href: href.value.clone(), label: run.render(label) }),
            },
        };
        run.bot(body);
        After::Outcome(Outcome::Next)
    }
}

impl Picture {
    fn told(&self, run: &Run<'_>) -> Image {
        let alt = self.alt.as_ref().map(|alt| run.render(alt)).unwrap_or_default();
        Image { src: self.src.value.clone(), alt }
    }
}

impl Card {
    fn read<'a>(id: &str, show: &mut Map<'a>, load: &mut Load<'a>) -> Card {
        let Some(mut card) = show.required("card").and_then(View::map) else {
            let title = load.unread(&format!("{id}.title"), show.at);
            return Card { title, text: None, picture: None, link: None };
        };
        let title = words(id, "title", &mut card, load);
        let text = optional(id, "text", &mut card, load);
        let picture = card.has("image").then(|| picture(id, &mut card, load));
        let link = card.optional("link").map(|view| load.address(view));
        let link = link.map(|link| (link, words(id, "button", &mut card, load)));
        card.finish();
        Card { title, text, picture, link }
    }
}

/// The ending of an address's file.
fn ending(address: &str) -> Option<String> {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let (_, name) = path.rsplit_once('/')?;
    let (_, ending) = name.rsplit_once('.')?;
    let is_one = (1..=5).contains(&ending.len()) && ending.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_one.then(|| ending.to_ascii_lowercase())
}

fn picture<'a>(id: &str, map: &mut Map<'a>, load: &mut Load<'a>) -> Picture {
    let src = map.required("image").map(|view| load.address(view));
    let src = src.unwrap_or_else(|| unread(map.at));
    Picture { src, alt: optional(id, "alt", map, load) }
}

fn optional<'a>(id: &str, field: &'static str, map: &mut Map<'a>, load: &mut Load<'a>) -> Option<Words> {
    map.optional(field).map(|view| load.words(&format!("{id}.{field}"), view))
}
