//! What pages, files, recordings and events are about: how near to a decision they are (their level), of which kind, and
//! on which topics.
//!
//! A tag makes further kinds of what somebody did: who reads a page that is tagged `level: late`, `kind: comparison` and
//! `topics: [delivery]` did a `page`, and also a `content.late`, a `kind.comparison` and a `topic.delivery`. Rules count
//! those like any other kind, with windows and all, and their evidence is the page itself.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;

use super::facts::Activity;
use crate::base::localized::Localized;
use crate::base::time::Timestamp;
use crate::base::yaml::{self, Map, View};
use crate::hits;

/// The kinds that levels make, the nearest to a decision first.
pub const LEVELS: &[&str] = &["content.late", "content.middle", "content.early"];

/// What is tagged by its own name: files, recordings and webinars.
const BY_SUBJECT: [&str; 4] =
    ["asset.downloaded", "recording.watched", "webinar.registered", "webinar.attended"];

/// The kinds of content and the topics that are told of a person.
const MOST: usize = 3;

/// How near to a decision somebody is who wants this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// What anybody reads who is curious.
    Early,
    /// What somebody reads who has the question.
    Middle,
    /// What somebody reads who is about to decide: prices, delivery, a quote.
    Late,
}

impl Level {
    /// All of them, the nearest to a decision first.
    pub const ALL: [Self; 3] = [Self::Late, Self::Middle, Self::Early];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Early => "early",
            Self::Middle => "middle",
            Self::Late => "late",
        }
    }

    /// The kind that it makes.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Early => "content.early",
            Self::Middle => "content.middle",
            Self::Late => "content.late",
        }
    }

    /// What a word means.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.word() == word)
    }
}

/// What something is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tag {
    /// How near to a decision.
    pub level: Option<Level>,
    /// `study`, `trend`, `membership` …
    pub kind: Option<String>,
    /// On what.
    pub topics: Vec<String>,
    #[serde(skip)]
    kinds: Vec<String>,
}

impl Tag {
    /// A tag of these.
    pub fn new(level: Option<Level>, kind: Option<String>, topics: Vec<String>) -> Self {
        let of_level = level.map(|level| level.kind().to_owned());
        let of_kind = kind.as_ref().map(|kind| format!("kind.{kind}"));
        let of_topics = topics.iter().map(|topic| format!("topic.{topic}"));
        let kinds = of_level.into_iter().chain(of_kind).chain(of_topics).collect();
        Self { level, kind, topics, kinds }
    }

    /// The kinds that it makes of what carries it.
    pub fn kinds(&self) -> &[String] {
        &self.kinds
    }
}

/// Whether a kind is one that tags make.
pub fn is_made(kind: &str) -> bool {
    kind.split_once('.').is_some_and(|(family, _)| ["content", "kind", "topic"].contains(&family))
}

/// A pattern of paths: `*` stands for any characters, slashes too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<String>);

impl Pattern {
    /// Reads `/pricing*`; nothing of what could match no path.
    pub fn of(text: &str) -> Option<Self> {
        let is_path =
            text.starts_with(['/', '*']) && text.len() <= 300 && !text.contains(char::is_whitespace);
        is_path.then(|| Self(text.split('*').map(str::to_owned).collect()))
    }

    /// Whether a path is one of these.
    pub fn matches(&self, path: &str) -> bool {
        let Some(((first, last), middle)) = self.0.split_first().and_then(|(first, rest)| {
            let (last, middle) = rest.split_last()?;
            Some(((first, last), middle))
        }) else {
            return self.0.first().is_some_and(|whole| whole == path);
        };
        let Some(mut rest) = path.strip_prefix(first.as_str()) else { return false };
        for part in middle {
            let Some(at) = rest.find(part.as_str()) else { return false };
            rest = rest.get(at + part.len()..).unwrap_or_default();
        }
        rest.ends_with(last.as_str())
    }
}

/// Names that people have for kinds or topics; empty where any word will do.
pub type Words = BTreeMap<String, Localized>;

/// Every tag of one deployment.
#[derive(Debug, Clone, Default)]
pub struct Tags {
    pages: Vec<(Pattern, Arc<Tag>)>,
    events: BTreeMap<String, Arc<Tag>>,
    subjects: BTreeMap<(String, String), Arc<Tag>>,
    /// What kinds are called.
    pub kinds: Words,
    /// What topics are called.
    pub topics: Words,
}

impl Tags {
    /// Tags pages whose path matches; the first that does counts.
    pub fn tag_pages(&mut self, pattern: Pattern, tag: Arc<Tag>) {
        self.pages.push((pattern, tag));
    }

    /// Tags events of a name.
    pub fn tag_events(&mut self, name: String, tag: Arc<Tag>) {
        self.events.insert(name, tag);
    }

    /// Tags what was done with a file (`asset`), a `recording` or a `webinar`.
    pub fn tag_subject(&mut self, family: &str, id: &str, tag: Arc<Tag>) {
        self.subjects.insert((family.to_owned(), id.to_owned()), tag);
    }

    /// Whether nothing is tagged.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty() && self.events.is_empty() && self.subjects.is_empty()
    }

    /// Whether activities of a kind may carry a tag.
    pub fn may_tag(&self, kind: &str) -> bool {
        match kind {
            hits::PAGE => !self.pages.is_empty(),
            kind if BY_SUBJECT.contains(&kind) => !self.subjects.is_empty(),
            kind => self.events.contains_key(kind),
        }
    }

    /// The kinds of activities that may carry a tag.
    pub fn taggable(&self) -> impl Iterator<Item = &str> {
        let pages = (!self.pages.is_empty()).then_some(hits::PAGE);
        let subjects = BY_SUBJECT.into_iter().filter(|_| !self.subjects.is_empty());
        pages.into_iter().chain(subjects).chain(self.events.keys().map(String::as_str))
    }

    /// The tag of a page's path.
    pub fn of_path(&self, path: &str) -> Option<&Arc<Tag>> {
        self.pages.iter().find(|(pattern, _)| pattern.matches(path)).map(|(_, tag)| tag)
    }

    /// Puts its tag on each activity.
    pub fn put_on(&self, activities: &mut [Activity]) {
        if self.is_empty() {
            return;
        }
        // The same few pages come again and again.
        let mut paths: HashMap<String, Option<Arc<Tag>>> = HashMap::new();
        for activity in activities.iter_mut() {
            let subject = activity.subject.as_deref().unwrap_or_default();
            activity.tag = match activity.kind.as_str() {
                hits::PAGE => match paths.get(subject) {
                    Some(known) => known.clone(),
                    None => {
                        let tag = self.of_path(subject).cloned();
                        paths.insert(subject.to_owned(), tag.clone());
                        tag
                    }
                },
                kind if BY_SUBJECT.contains(&kind) => {
                    let family = kind.split('.').next().unwrap_or_default();
                    self.subjects.get(&(family.to_owned(), subject.to_owned())).cloned()
                }
                kind => self.events.get(kind).cloned(),
            };
        }
    }

    /// What somebody reads most: the three kinds and the three topics that came most often, and how near to a decision the
    /// nearest was.
    pub fn favourites(&self, activities: &[Activity], now: Timestamp) -> Favourites {
        let (mut kinds, mut topics) = (BTreeMap::new(), BTreeMap::new());
        let mut level = None;
        for tag in activities.iter().filter(|activity| activity.at <= now).filter_map(|a| a.tag.as_deref()) {
            level = level.max(tag.level);
            if let Some(kind) = &tag.kind {
                *kinds.entry(kind.as_str()).or_default() += 1;
            }
            for topic in &tag.topics {
                *topics.entry(topic.as_str()).or_default() += 1;
            }
        }
        Favourites { level, kinds: most(&kinds, &self.kinds), topics: most(&topics, &self.topics) }
    }
}

fn most(counts: &BTreeMap<&str, usize>, words: &Words) -> Vec<Favourite> {
    let mut all: Vec<(&str, usize)> = counts.iter().map(|(id, n)| (*id, *n)).collect();
    all.sort_by_key(|(id, n)| (std::cmp::Reverse(*n), *id));
    let told = all.into_iter().take(MOST).map(|(id, times)| Favourite {
        id: id.to_owned(),
        label: words.get(id).cloned().unwrap_or_else(|| Localized::new(id, id)),
        times,
    });
    told.collect()
}

/// What somebody reads most.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Favourites {
    /// The level nearest to a decision that she has seen.
    pub level: Option<Level>,
    /// Kinds of content, the most frequent first; at most three.
    pub kinds: Vec<Favourite>,
    /// Topics, the most frequent first; at most three.
    pub topics: Vec<Favourite>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Favourite {
    /// Its name in the definitions.
    pub id: String,
    /// Its name for people.
    pub label: Localized,
    /// How often it was seen.
    pub times: usize,
}

/// Reads `topics` or `kinds` of `content.yaml`: names with what they are called.
pub fn words(view: View<'_>) -> Words {
    let Some(map) = view.map() else { return Words::new() };
    let entries = map.entries().into_iter();
    entries.filter_map(|(name, view)| Some((name.value.clone(), Localized::read(view)?))).collect()
}

/// Reads the keys `level` and `topics` of whatever is tagged.
pub fn read(map: &mut Map<'_>, kind: Option<String>, topics: &Words) -> Tag {
    let level = map.optional("level").and_then(|view| view.one_of(&["early", "middle", "late"]));
    let level = level.and_then(Level::of_word);
    let named = map.optional("topics").map(View::one_or_more).unwrap_or_default();
    let named = named.into_iter().filter_map(|view| known(view, topics, "topic")).collect();
    Tag::new(level, kind, named)
}

/// A word that stands in the vocabulary, or any where there is none.
pub fn known(view: View<'_>, words: &Words, what: &str) -> Option<String> {
    let name = view.str()?;
    if !yaml::is_name(&name) {
        return view.wrong("a name of small letters, digits, `_` and `-`");
    }
    if !words.is_empty() && !words.contains_key(&name) {
        view.error("C120", format!("there is no {what} \"{name}\""))
            .did_you_mean(&name, words.keys().map(String::as_str));
        return None;
    }
    Some(name)
}

/// Reads one entry of `pages`: `path` or `event`, one or several of them, and what they are about.
pub fn read_entry(view: View<'_>, tags: &mut Tags) {
    let Some(mut map) = view.map() else { return };
    let paths = map.optional("path").map(View::one_or_more).unwrap_or_default();
    let events = map.optional("event").map(View::one_or_more).unwrap_or_default();
    if paths.is_empty() && events.is_empty() {
        view.error("C121", "nothing says which pages this is about")
            .hint("`path: /pricing*`, or `event: quote.asked`");
    }
    let kind = map.optional("kind").and_then(|view| known(view, &tags.kinds, "kind"));
    let tag = Arc::new(read(&mut map, kind, &tags.topics));
    map.finish();
    for view in paths {
        let pattern = view.str().and_then(|text| Pattern::of(&text));
        match pattern {
            Some(pattern) => tags.tag_pages(pattern, tag.clone()),
            None => view.error("C122", "this is no pattern of paths").hint(
                "it begins with `/` or `*`, and `*` stands for anything: `/pricing*`, `*/precios.html`",
            ),
        }
    }
    for name in events.into_iter().filter_map(View::str) {
        tags.tag_events(name, tag.clone());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        let cases = [
            ("/pricing", "/pricing", true),
            ("/pricing", "/pricing/plans", false),
            ("/pricing*", "/pricing/plans", true),
            ("*/precios*", "/es/precios.html", true),
            ("*/precios*", "/precio", false),
            ("/a*b*c", "/a-b-b-c", true),
            ("/a*b*c", "/a-c-b", false),
            ("/*/blog/*", "/en/blog/one", true),
            ("*", "/anything", true),
        ];
        for (pattern, path, matches) in cases {
            assert_eq!(Pattern::of(pattern).expect(pattern).matches(path), matches, "{pattern} {path}");
        }
        for wrong in ["pricing", "", "https://faro.example/pricing", "/a b"] {
            assert!(Pattern::of(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_three_topics_and_kinds_that_came_most_often_are_told_in_order() {
        let mut tags = Tags::default();
        for (path, level, kind, topics) in [
            ("/a", Level::Early, "article", ["clubs", "habits"]),
            ("/b", Level::Middle, "study", ["clubs", "money"]),
            ("/c", Level::Early, "trend", ["clubs", "people"]),
            ("/d", Level::Early, "tool", ["habits", "people"]),
        ] {
            let topics = topics.map(str::to_owned).to_vec();
            let tag = Tag::new(Some(level), Some(kind.to_owned()), topics);
            tags.tag_pages(Pattern::of(path).expect("a path"), Arc::new(tag));
        }
        tags.topics.insert("clubs".to_owned(), Localized::new("Reading clubs", "Clubes de lectura"));
        let now = Timestamp(1_800_000_000_000);
        let mut did: Vec<Activity> = ["/a", "/a", "/b", "/c", "/c", "/c", "/d", "/nothing"]
            .map(|path| Activity::new("page", path.to_owned(), json!({}), now))
            .to_vec();
        tags.put_on(&mut did);
        let told = tags.favourites(&did, now);
        let names = |list: &[Favourite]| list.iter().map(|f| (f.id.clone(), f.times)).collect::<Vec<_>>();
        let pairs =
            |list: &[(&str, usize)]| list.iter().map(|(id, n)| ((*id).to_owned(), *n)).collect::<Vec<_>>();
        assert_eq!(names(&told.topics), pairs(&[("clubs", 6), ("people", 4), ("habits", 3)]));
        assert_eq!(names(&told.kinds), pairs(&[("trend", 3), ("article", 2), ("study", 1)]));
        assert_eq!(
            (told.level, told.topics[0].label.es.as_str()),
            (Some(Level::Middle), "Clubes de lectura")
        );
        assert_eq!(tags.favourites(&did, now.plus_ms(-1)), Favourites::default(), "the future is not known");
    }
}
