//! `config/replies.yaml`: answers that are written once and used often, called by `/shortcut`. Those that people write in
//! the console (`written.rs`) stand beside them.
//!
//! Their holes are those of flows (`chat/text.rs`): checked when the file is read, filled once, from what this visitor
//! may be shown. A name that is stored about somebody who has not proved who she is stays out of the text.

use std::collections::BTreeSet;

use super::super::engine::Crowd;
use super::super::symbols::{self, ALWAYS};
use super::super::text::{Reader, Text};
use super::super::world::{self, Sight};
use super::super::{Conversation, Error, Room};
use super::written::{self, Draft};
use crate::base::diagnostic::{Mark, Report};
use crate::base::language::Language;
use crate::base::localized::Localized;
use crate::base::time::{Timestamp, zone};
use crate::base::yaml::{self, View, is_name};
use crate::storage::db::Queries;

/// Longest reply, in characters: what can be said in one message.
const LONGEST: usize = 1_500;

/// One prepared answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// What it is called by, without the slash.
    pub shortcut: String,
    pub title: Localized,
    en: Text,
    es: Text,
}

/// All of them, in the file's order.
#[derive(Clone, Debug, Default)]
pub struct Replies(Vec<Reply>);

/// A reply as somebody may send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filled {
    pub shortcut: String,
    pub title: Localized,
    pub text: String,
}

impl Replies {
    /// Reads the file. Reports P101 (a shortcut that is no name), P102 (one that stands there twice), P103 (a text that
    /// is too long), P104 (holes that differ between the languages), and what is wrong with holes.
    pub fn parse(path: &str, text: &str, report: &Report) -> Option<Self> {
        let doc = yaml::parse(path, text, report)?;
        let mut map = doc.view(report).map()?;
        let list = map.required("replies").and_then(View::list).unwrap_or_default();
        map.finish();
        let mut replies: Vec<Reply> = Vec::new();
        for view in list {
            let Some(reply) = reply(view, report) else { continue };
            if replies.iter().any(|other| other.shortcut == reply.shortcut) {
                view.error("P102", format!("there is a reply /{} already", reply.shortcut)).done();
                continue;
            }
            replies.push(reply);
        }
        (!report.has_errors()).then_some(Self(replies))
    }

    /// Those of the file, in its order.
    pub fn all(&self) -> &[Reply] {
        &self.0
    }

    /// The reply of a shortcut.
    pub fn find(&self, shortcut: &str) -> Option<&Reply> {
        self.0.iter().find(|reply| reply.shortcut == shortcut)
    }

    /// Every reply for a conversation, in the visitor's language: the file's, then the console's.
    ///
    /// # Errors
    /// As the store says.
    pub async fn filled(
        &self,
        q: &mut impl Queries,
        room: &Room,
        conversation: &Conversation,
        agent: &str,
        now: Timestamp,
    ) -> Result<Vec<Filled>, Error> {
        let mut all = self.0.clone();
        for written in written::written(q).await? {
            let is_free = self.find(&written.draft.shortcut).is_none();
            // A hole may have gone out of use since it was written: then it is not offered, and its page says why.
            all.extend(Reply::of(&written.draft, &Report::new()).filter(|_| is_free));
        }
        if all.is_empty() {
            return Ok(Vec::new());
        }
        let sight = Sight {
            visitor: conversation.visitor,
            language: conversation.language,
            zone: &conversation.time_zone,
            page: &conversation.page,
            path: None,
            most_trust: conversation.most_trust(),
            online: &Crowd::default(),
        };
        let mut facts = world::see(q, room, &sight, now).await?.facts;
        facts.set("agent.name", agent);
        let reader = Reader {
            language: conversation.language,
            zone: zone(&conversation.time_zone).unwrap_or(jiff::tz::TimeZone::UTC),
        };
        let fill = |reply: &'_ Reply| match conversation.language {
            Language::En => reply.en.render(&facts, &reader),
            Language::Es => reply.es.render(&facts, &reader),
        };
        Ok(all
            .iter()
            .map(|reply| Filled {
                shortcut: reply.shortcut.clone(),
                title: reply.title.clone(),
                text: fill(reply),
            })
            .collect())
    }
}

/// The shortcut that a message calls for: `/prices` and nothing else.
pub fn called(message: &str) -> Option<&str> {
    message.trim().strip_prefix('/').filter(|shortcut| is_name(shortcut))
}

impl Reply {
    /// The texts as they were written, with their holes.
    pub fn source(&self) -> Localized {
        Localized::new(self.en.source.clone(), self.es.source.clone())
    }

    /// A reply that was written in the console. Reports what is wrong with it, as of one in the file; Y005 for a text
    /// that is missing.
    pub fn of(draft: &Draft, report: &Report) -> Option<Reply> {
        let own = Report::new();
        let at = Mark::file("reply");
        if !is_name(&draft.shortcut) {
            let message = format!("`{}` cannot be a shortcut", draft.shortcut);
            own.error(&at, "P101", message).hint(SHORTCUT);
        }
        let texts = [&draft.title.en, &draft.title.es, &draft.text.en, &draft.text.es];
        if texts.iter().any(|text| text.trim().is_empty()) {
            own.error(&at, "Y005", "title and text are needed in both languages").done();
        }
        let (en, es) = (text(&draft.text.en, &at, &own), text(&draft.text.es, &at, &own));
        if en.holes() != es.holes() {
            own.error(&at, "P104", "the translation has other holes than the English text").done();
        }
        let is_sound = !own.has_errors();
        report.absorb(own);
        let (shortcut, title) = (draft.shortcut.clone(), draft.title.clone());
        is_sound.then_some(Reply { shortcut, title, en, es })
    }
}

/// What a shortcut may be.
const SHORTCUT: &str = "lower-case letters, digits and _ or -, beginning with a letter";

fn reply(view: View<'_>, report: &Report) -> Option<Reply> {
    let mut map = view.map()?;
    let shortcut = map.required("shortcut");
    let title = map.required("title").and_then(Localized::read);
    let text = map.required("text").and_then(View::map);
    map.finish();
    let shortcut = shortcut.and_then(|view| {
        let shortcut = view.str()?;
        if !is_name(&shortcut) {
            view.error("P101", format!("`{shortcut}` cannot be a shortcut")).hint(SHORTCUT);
            return None;
        }
        Some(shortcut)
    });
    let mut text = text?;
    let en = text.required("en").and_then(|view| words(view, report));
    let es = text.required("es").and_then(|view| words(view, report));
    text.finish();
    let (en, es) = (en?, es?);
    if en.holes() != es.holes() {
        report.error(&es.at, "P104", "the translation has other holes than the English text").done();
    }
    Some(Reply { shortcut: shortcut?, title: title?, en, es })
}

fn words(view: View<'_>, report: &Report) -> Option<Text> {
    let source = view.words()?;
    Some(text(&source, view.text().map_or(view.at(), |text| &text.content), report))
}

fn text(source: &str, at: &Mark, report: &Report) -> Text {
    let always: BTreeSet<&str> = ALWAYS.into_iter().chain(["agent.name"]).collect();
    let text = Text::parse(source, at, &symbols::common(), &always, report);
    if text.length() > LONGEST {
        let message = format!("the text has {} characters; at most {LONGEST} fit", text.length());
        report.error(at, "P103", message).done();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<Replies>, String) {
        let report = Report::new();
        let replies = Replies::parse("replies.yaml", text, &report);
        (replies, report.text())
    }

    #[test]
    fn the_sample_file_is_valid() {
        let (replies, told) = read(include_str!("../../../config/replies.yaml"));
        assert!(replies.expect("valid").find("prices").is_some(), "{told}");
    }

    #[test]
    fn only_a_whole_message_calls_a_reply() {
        assert_eq!(called(" /hi\n"), Some("hi"));
        for other in ["hi", "/hi there", "see /hi", "/", "/Hi"] {
            assert_eq!(called(other), None, "{other}");
        }
    }

    #[test]
    fn a_reply_of_the_console_is_held_to_the_rules_of_the_file() {
        let draft = |shortcut: &str, en: &str, es: &str| Draft {
            shortcut: shortcut.to_owned(),
            title: Localized::new("A title", "Un título"),
            text: Localized::new(en, es),
        };
        let told = |draft: &Draft| {
            let report = Report::new();
            let is_sound = Reply::of(draft, &report).is_some();
            let codes: Vec<&str> = report.diagnostics().iter().map(|found| found.code).collect();
            assert_eq!(is_sound, codes.is_empty());
            codes
        };
        assert!(told(&draft("hi", "Hello, {{agent.name}} here", "Hola, soy {{agent.name}}")).is_empty());
        assert_eq!(told(&draft("Big Words", "Hello", "Hola")), ["P101"]);
        assert_eq!(told(&draft("hi", "Hello", " ")), ["Y005"]);
        assert_eq!(told(&draft("hi", "{{agent.name}}", "Hola")), ["P104"]);
        assert!(told(&draft("hi", "{{contact.first_name}}", "{{contact.first_name}}")).contains(&"D303"));
        assert_eq!(told(&draft("hi", &"x".repeat(1_501), "Hola")), ["P103"]);
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let (replies, told) = read(
            "replies:\n  - shortcut: Big Words\n    title: {en: a, es: b}\n    text: {en: x, es: y}\n  - shortcut: a\n    title: A\n    text: {en: \"{{contact.phone_number}}\", es: y}\n  - shortcut: b\n    title: B\n    text: {en: \"{{contact.first_name}}\", es: \"{{contact.first_name}}\"}\n  - shortcut: c\n    title: C\n    text: {en: x, es: y}\n  - shortcut: c\n    title: C\n    text: {en: x, es: y}\n",
        );
        assert!(replies.is_none());
        for expected in ["replies.yaml:2:15 error P101", "D301", "P104", "D303", "P102"] {
            assert!(told.contains(expected), "{expected} in\n{told}");
        }
    }
}
