//! `show: {video: webinar.recording}`: puts a recording, a picture, a file or a card into the conversation and goes on.

use crate::base::yaml::{Map, Spanned, View};

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
    pub fn read<'a>(id: &str, map: &mut Map<'a>, load: &mut Load<'a>) -> Option<Show> {
        let view = map.required("show")?;
        let mut show = view.map()?;
        let kinds: Vec<&str> =
            ["video", "image", "file", "card"].into_iter().filter(|key| show.key_at(key).is_some()).collect();
        let read = match kinds.as_slice() {
            ["image"] => {
                let picture = picture(id, &mut show, load);
                let caption = words(id, "caption", &mut show, load);
                picture.map(|picture| Show::Image { picture, caption })
            }
            ["file"] => {
                let href = show.required("file").and_then(|view| load.address(view));
                let title = show.required("title").and_then(|view| load.words(&format!("{id}.title"), view));
                href.zip(title).map(|(href, title)| Show::File { href, title })
            }
            ["card"] => {
                let card = show.required("card").and_then(View::map);
                card.and_then(|card| Card::read(id, card, load)).map(|card| Show::Card(Box::new(card)))
            }
            ["video"] | [] => {
                show.required("video").and_then(View::spanned).map(|video| Show::Video { video })
            }
            several => {
                view.error("G208", format!("this shows {} at once", several.join(" and ")))
                    .hint("one step, one thing to see: make two steps of it");
                return None;
            }
        };
        show.finish();
        read
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
    fn read<'a>(id: &str, mut card: Map<'a>, load: &mut Load<'a>) -> Option<Card> {
        let title = card.required("title").and_then(|view| load.words(&format!("{id}.title"), view));
        let text = words(id, "text", &mut card, load);
        let picture = card.has("image").then(|| picture(id, &mut card, load)).flatten();
        let link = card.optional("link").and_then(|view| load.address(view));
        let link = match link {
            Some(link) => {
                let label =
                    card.required("button").and_then(|view| load.words(&format!("{id}.button"), view));
                label.map(|label| (link, label))
            }
            None => None,
        };
        card.finish();
        Some(Card { title: title?, text, picture, link })
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

fn picture<'a>(id: &str, map: &mut Map<'a>, load: &mut Load<'a>) -> Option<Picture> {
    let src = map.required("image").and_then(|view| load.address(view));
    let alt = words(id, "alt", map, load);
    Some(Picture { src: src?, alt })
}

fn words<'a>(id: &str, field: &'static str, map: &mut Map<'a>, load: &mut Load<'a>) -> Option<Words> {
    map.optional(field).and_then(|view| load.words(&format!("{id}.{field}"), view))
}
