//! Pages' worth of reading: one file a page, each a few queries over the journey's tables and plain rows to show.
//!
//! Nothing is changed here. Rows serialise as the templates of the console expect them: times in milliseconds, absent
//! values as null.

pub mod attention;
pub mod calls;
pub mod companies;
pub mod content;
pub mod forms;
pub mod fresh;
pub mod inbox;
pub mod journeys;
pub mod live;
pub mod outbox;
pub mod people;
pub mod person;
pub mod pipeline;
pub mod team;
pub mod timeline;
pub mod traffic;

use serde::Serialize;

use crate::base::language::Language;
use crate::bookings::team::Team;
use crate::chat::Running;
use crate::gates::Catalog;
use crate::nurture::Sequences;
use crate::stages;
use crate::storage::Result;
use crate::storage::db::Row;
use crate::subscriptions::Topics;
use crate::webinars;

/// The names that the company gave its things, in the reader's language. What has no name any more keeps its id.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    pub language: Language,
    pub catalog: &'a Catalog,
    pub webinars: &'a webinars::Definition,
    pub team: &'a Team,
    pub lifecycle: &'a stages::Definition,
    pub topics: &'a Topics,
    pub sequences: &'a Sequences,
    pub flows: &'a Running,
}

impl Names<'_> {
    /// A form's headline.
    pub fn form(&self, id: &str) -> String {
        self.catalog.form(id).map_or(id, |form| form.title.get(self.language)).to_owned()
    }

    /// A gated file's title.
    pub fn asset(&self, id: &str) -> String {
        self.catalog.asset(id).map_or(id, |asset| asset.title.get(self.language)).to_owned()
    }

    /// A webinar's title.
    pub fn webinar(&self, id: &str) -> String {
        self.webinars.find(id).map_or(id, |webinar| webinar.title.get(self.language)).to_owned()
    }

    /// A recording's title.
    pub fn recording(&self, id: &str) -> String {
        self.webinars.recording(id).map_or(id, |(_, recording)| recording.title.get(self.language)).to_owned()
    }

    /// What letters are called.
    pub fn topic(&self, id: &str) -> String {
        self.topics.name(id, self.language).to_owned()
    }

    /// A flow's title.
    pub fn flow(&self, id: &str) -> String {
        self.flows.now().find(id).map_or_else(|| id.to_owned(), |flow| flow.title.clone())
    }

    /// A sequence's name.
    pub fn sequence(&self, id: &str) -> String {
        self.sequences.find(id).map_or(id, |sequence| sequence.name.get(self.language)).to_owned()
    }

    /// What people call a rep.
    pub fn rep(&self, id: &str) -> String {
        self.team.rep_name(id).to_owned()
    }

    /// A lifecycle rule in words.
    pub fn rule(&self, id: &str) -> String {
        stages::explain::rule_label(self.lifecycle, id).get(self.language).to_owned()
    }
}

/// One page of a long list: which rows, and whether others stand before and after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Extent {
    /// The first row's place, from 1; 0 if there is none.
    pub from: i64,
    /// The last row's place.
    pub to: i64,
    /// How many there are in all.
    pub total: i64,
    /// The page, from 1.
    pub page: i64,
}

impl Extent {
    /// The place of `shown` rows on a page of a list.
    pub fn of(page: i64, size: i64, shown: usize, total: i64) -> Self {
        let shown = i64::try_from(shown).unwrap_or(0);
        let before = (page - 1) * size;
        Self { from: if shown == 0 { 0 } else { before + 1 }, to: before + shown, total, page }
    }

    /// Whether rows follow.
    pub fn has_next(&self) -> bool {
        self.to < self.total
    }
}

/// The name in the columns `first_name` and `last_name`, else the address; empty if the row has no contact.
fn name_of(row: &Row) -> Result<String> {
    let parts: [Option<String>; 2] = [row.get("first_name")?, row.get("last_name")?];
    let name = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    if !name.trim().is_empty() {
        return Ok(name);
    }
    Ok(row.get::<Option<String>>("email")?.unwrap_or_default())
}

/// A text with `*` for anything as a `like` pattern; everything else is taken literally (`escape '!'`).
fn pattern_of(text: &str) -> String {
    text.replace('!', "!!").replace('%', "!%").replace('_', "!_").replace('*', "%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_knows_its_place() {
        let second = Extent::of(2, 50, 20, 70);
        assert_eq!((second.from, second.to, second.has_next()), (51, 70, false));
        assert_eq!(Extent::of(1, 50, 0, 0).from, 0);
        assert!(Extent::of(1, 50, 50, 70).has_next());
    }
}
