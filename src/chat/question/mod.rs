//! A question: what it asks, and the shape of its input. What counts as an answer stands in `hear.rs`.

mod hear;
mod range;

use std::collections::BTreeMap;

use crate::base::diagnostic::Mark;
use crate::base::yaml::{Map, Spanned, View};

use super::body::{Choice, Input};
use super::engine::Run;
use super::flow::{Load, Timeout, VarType, Words};
use super::steps::show::Picture;
use super::steps::words;

pub use hear::{AGAIN, CODES_AGAIN, HIDDEN, Heard, date_of, is_code, time_of, url_of};
pub use range::Range;

/// The kinds of questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One of a few answers, perhaps with pictures.
    Choice,
    Text,
    Email,
    Phone,
    Number,
    /// A web address.
    Url,
    /// A day.
    Date,
    /// A time of day.
    Time,
    /// From 1 to so many.
    Rating,
    /// The digits that were sent to her address; whoever types them is confirmed.
    Code,
}

impl Kind {
    pub const ALL: [Kind; 10] = [
        Kind::Choice,
        Kind::Text,
        Kind::Email,
        Kind::Phone,
        Kind::Number,
        Kind::Url,
        Kind::Date,
        Kind::Time,
        Kind::Rating,
        Kind::Code,
    ];

    /// The word that flows know it by.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Choice => "choice",
            Kind::Text => "text",
            Kind::Email => "email",
            Kind::Phone => "phone",
            Kind::Number => "number",
            Kind::Url => "url",
            Kind::Date => "date",
            Kind::Time => "time",
            Kind::Rating => "rating",
            Kind::Code => "code",
        }
    }

    /// All words.
    pub fn words() -> [&'static str; 10] {
        Self::ALL.map(Kind::word)
    }

    /// The kind of a question that fills such a variable and says nothing else.
    fn of_var(of: &VarType) -> Kind {
        match of {
            VarType::Text => Kind::Text,
            VarType::Number => Kind::Number,
            VarType::Email => Kind::Email,
            VarType::Phone => Kind::Phone,
            VarType::Url => Kind::Url,
            VarType::Date => Kind::Date,
            VarType::Time => Kind::Time,
            VarType::Enum(_) => Kind::Choice,
            VarType::Unread => Kind::Text,
        }
    }

    /// Whether its answers can be kept in such a variable.
    fn fits(self, of: &VarType) -> bool {
        match (self, of) {
            (_, VarType::Unread) => true,
            (Kind::Choice, VarType::Enum(_)) | (Kind::Number | Kind::Rating, VarType::Number) => true,
            (Kind::Code | Kind::Number | Kind::Rating, _) => false,
            // Every other answer is a text, and one that asks for words may take any of them.
            (_, VarType::Text) => true,
            (kind, of) => kind.word() == of.word(),
        }
    }
}

/// A question of a flow.
#[derive(Clone, Debug)]
pub struct Question {
    /// The variable that takes the answer.
    pub var: Option<String>,
    pub of: Kind,
    pub ask: Words,
    /// For a choice: ids and labels.
    pub choices: Vec<(String, Words)>,
    /// For a choice: the pictures of its answers.
    pub pictures: BTreeMap<String, Picture>,
    pub placeholder: Option<Words>,
    pub multiline: bool,
    pub range: Range,
    /// For a date: a first and a last day are asked for.
    pub is_range: bool,
    /// For a rating: what the lowest and the highest mean.
    pub low: Option<Words>,
    pub high: Option<Words>,
    /// The flow's own words for an answer that will not do.
    pub invalid: Option<Words>,
    /// Its own patience, where a form's questions differ.
    pub timeout: Option<Timeout>,
}

/// The number of a rating's steps when nothing else is said.
const RATING: i64 = 5;

impl Question {
    /// Reads the keys of a question out of a step or a form. `key` is where its translations stand.
    pub fn read<'a>(
        key: &str,
        map: &mut Map<'a>,
        var: Option<(String, VarType)>,
        load: &mut Load<'a>,
    ) -> Question {
        let ask = words(key, "ask", map, load);
        let kind = map.optional("type");
        let word = kind.and_then(|v| v.one_of(&Kind::words()));
        let entries: Vec<(&'a Spanned<String>, View<'a>)> = match map.optional("choices") {
            Some(view) => {
                let entries = view.map().map(|m| m.entries()).unwrap_or_default();
                if entries.is_empty() && view.is_map() {
                    view.error("Y005", "there is nothing to choose from")
                        .hint("choices: {go: Go on, stop: Stop}");
                }
                entries
            }
            None => Vec::new(),
        };
        let labels: Vec<_> = entries.iter().map(|(id, view)| (*id, label(*view))).collect();
        let choices = match labels.is_empty() {
            true => Vec::new(),
            false => load.labels(&format!("{key}.choices"), &labels),
        };
        let pictures = pictures(key, &entries, load);
        let mut told = |field: &'static str, map: &mut Map<'a>| {
            map.optional(field).map(|view| load.words(&format!("{key}.{field}"), view))
        };
        let placeholder = told("placeholder", map);
        let invalid = told("invalid", map);
        let (low, high) = (told("low", map), told("high", map));
        let multiline = map.optional("multiline").and_then(View::bool).unwrap_or(false);
        let given = word.and_then(|word| Kind::ALL.into_iter().find(|kind| kind.word() == word));
        let of = given.unwrap_or_else(|| match &var {
            Some((_, of)) if labels.is_empty() => Kind::of_var(of),
            _ if labels.is_empty() => Kind::Text,
            _ => Kind::Choice,
        });
        let mut range = Range::read(of, map);
        if of == Kind::Rating {
            range.max.get_or_insert(RATING);
        }
        let is_range = of == Kind::Date && map.optional("range").and_then(View::bool).unwrap_or(false);
        if of == Kind::Choice && labels.is_empty() {
            load.report
                .error(map.at, "Y005", "a choice needs \"choices\"")
                .hint("choices: {go: Go on, stop: Stop}");
        }
        if let (false, Some((id, _))) = (of == Kind::Choice, labels.first()) {
            load.report
                .error(&id.at, "D302", format!("a question of type {} takes no choices", of.word()))
                .hint("take the choices out, or write `type: choice`");
        }
        if let Some((name, of_var)) = &var {
            let at = kind.map_or(map.at, |view| view.at());
            if let (Kind::Choice, VarType::Enum(values)) = (of, of_var) {
                for (id, _) in labels.iter().filter(|(id, _)| !values.contains(&id.value)) {
                    let message = format!("\"{}\" is no value of the variable \"{name}\"", id.value);
                    load.report
                        .error(&id.at, "D304", message)
                        .did_you_mean(&id.value, values.iter().map(String::as_str));
                }
            } else if !of.fits(of_var) || (is_range && *of_var == VarType::Date) {
                let gives = if is_range { "a range of dates, a text" } else { of.word() };
                let message =
                    format!("the variable \"{name}\" holds {}, the question gives {gives}", of_var.word());
                load.report
                    .error(at, "D302", message)
                    .hint("let the question and the variable be of the same type");
            }
        }
        Question {
            var: var.map(|(name, _)| name),
            of,
            ask,
            choices,
            pictures,
            placeholder,
            multiline,
            range,
            is_range,
            low,
            high,
            invalid,
            timeout: None,
        }
    }

    /// What stands for a question of a form that could not be read.
    pub fn unread(key: &str, at: &Mark, var: Option<String>, load: &mut Load<'_>) -> Question {
        Question {
            var,
            of: Kind::Text,
            ask: load.unread(&format!("{key}.ask"), at),
            choices: Vec::new(),
            pictures: BTreeMap::new(),
            placeholder: None,
            multiline: false,
            range: Range::default(),
            is_range: false,
            low: None,
            high: None,
            invalid: None,
            timeout: None,
        }
    }

    /// Every text of it that visitors read, the question first; the labels of choices stand in `choices`.
    pub fn words(&self) -> Vec<&Words> {
        let alts = self.pictures.values().filter_map(|picture| picture.alt.as_ref());
        [
            Some(&self.ask),
            self.placeholder.as_ref(),
            self.invalid.as_ref(),
            self.low.as_ref(),
            self.high.as_ref(),
        ]
        .into_iter()
        .flatten()
        .chain(alts)
        .collect()
    }

    /// What kind of answer it takes, for those that rely on its staying the same.
    pub fn word(&self) -> &'static str {
        if self.is_range { "date range" } else { self.of.word() }
    }

    /// The shape of its input, for the widget.
    pub fn input(&self, run: &Run<'_>) -> Input {
        let told = |words: &Option<Words>| words.as_ref().map(|words| run.render(words));
        let placeholder = told(&self.placeholder);
        let (low, high) = (told(&self.low), told(&self.high));
        match self.of {
            Kind::Choice => Input::Choice {
                choices: self
                    .choices
                    .iter()
                    .map(|(id, label)| {
                        let picture = self.pictures.get(id);
                        Choice {
                            id: id.clone(),
                            label: run.render(label),
                            image: picture.map(|picture| picture.src.value.clone()),
                            alt: picture.and_then(|picture| told(&picture.alt)),
                        }
                    })
                    .collect(),
            },
            Kind::Text => Input::Text { placeholder, multiline: self.multiline },
            Kind::Email => Input::Email { placeholder },
            Kind::Phone => Input::Phone { placeholder },
            Kind::Number => Input::Number { placeholder, min: self.range.min, max: self.range.max },
            Kind::Url => Input::Url { placeholder },
            Kind::Date => {
                let (min, max) = self.range.days(run.world.now, &run.world.reader.zone);
                let (min, max) = (min.map(|day| day.to_string()), max.map(|day| day.to_string()));
                Input::Date { min, max, range: self.is_range }
            }
            Kind::Time => Input::Time { min: self.range.opens.clone(), max: self.range.closes.clone() },
            Kind::Rating => Input::Rating { max: self.range.max.unwrap_or(RATING), low, high },
            Kind::Code => Input::Code {
                digits: hear::CODE_DIGITS,
                choices: (run.state.codes_again < hear::CODES_AGAIN)
                    .then(|| hear::another(run))
                    .into_iter()
                    .collect(),
            },
        }
    }
}

/// The pictures of choices; their alternative texts stand under `key.alts` in the translations.
fn pictures<'a>(
    key: &str,
    entries: &[(&'a Spanned<String>, View<'a>)],
    load: &mut Load<'a>,
) -> BTreeMap<String, Picture> {
    let mut pictures = BTreeMap::new();
    let mut alts = Vec::new();
    for (id, view) in entries.iter().filter(|(_, view)| view.is_map()) {
        let Some(mut map) = view.map() else { continue };
        let Some(src) = map.optional("image").map(|view| load.address(view)) else { continue };
        alts.extend(map.optional("alt").map(|view| (*id, view)));
        pictures.insert(id.value.clone(), Picture { src, alt: None });
    }
    if !alts.is_empty() {
        for (id, words) in load.labels(&format!("{key}.alts"), &alts) {
            if let Some(picture) = pictures.get_mut(&id) {
                picture.alt = Some(words);
            }
        }
    }
    pictures
}

/// A choice is written as its label, or as a map with `label`, `goto`, `image` and `alt`.
pub fn label(view: View<'_>) -> View<'_> {
    match view.is_map() {
        true => view.map().and_then(|mut map| map.optional("label")).unwrap_or(view),
        false => view,
    }
}

/// Tells a mistake in a choice that is written as a map, and gives where it leads.
pub fn choice_goto<'a>(view: View<'a>) -> Option<View<'a>> {
    let mut map = view.map()?;
    map.required("label");
    map.optional("image");
    map.optional("alt");
    let goto = map.optional("goto");
    map.finish();
    goto
}
