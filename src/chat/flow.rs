//! A flow: what the chatbot says and asks, read from one YAML file into types that know where they were written.
//!
//! `steps` is a map with stable ids; order is the fall-through. Each step has one verb (`steps/` holds one file
//! for each) and each verb a closed set of outcomes, every one of which must lead somewhere. What is wrong is
//! collected in a [`Report`]; only a flow without errors is ever run.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::base::diagnostic::{Mark, Report};
use crate::base::expr::{Expr, Symbols, Type};
use crate::base::language::Language;
use crate::base::yaml::{self, Doc, Kind, Map, Node, Spanned, View};

use super::steps::{self, Verb};
use super::symbols;
use super::text::{Reader, Text};

/// A flow that has been read.
#[derive(Clone, Debug)]
pub struct Flow {
    pub id: String,
    pub at: Mark,
    pub title: String,
    /// A hash of what the file says, not of how it is written: comments and quotes do not change it.
    pub version: String,
    /// The source language first.
    pub languages: Vec<Language>,
    pub trigger: Option<Trigger>,
    pub vars: BTreeMap<String, Var>,
    pub defaults: Defaults,
    /// Where a visitor goes who asks for a person.
    pub human: Option<Target>,
    /// Where conversations go on that stand at a step which is no more: its old id, and the step now.
    pub migrate: BTreeMap<String, Target>,
    pub steps: Vec<Step>,
}

/// When a flow offers itself.
#[derive(Clone, Debug)]
pub struct Trigger {
    pub at: Mark,
    pub when: When,
    pub condition: Option<Expr>,
    /// Path patterns; `*` stands for any characters. None means every page.
    pub paths: Vec<String>,
    pub delay_ms: i64,
    pub frequency: Option<Frequency>,
    pub priority: i64,
    /// Whether the panel opens by itself, or only the launcher says that there is something.
    pub open: bool,
}

/// What a trigger listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// A page is viewed.
    PageView,
    /// The visitor opens the chat herself.
    Opened,
}

/// How often one visitor may be offered a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frequency {
    pub once_per_ms: i64,
    pub max: i64,
    pub quiet_after_dismiss_ms: i64,
}

/// A variable of a flow.
#[derive(Clone, Debug)]
pub struct Var {
    pub at: Mark,
    pub of: VarType,
    /// Kept with the contact under its own name.
    pub save: bool,
}

/// What a variable can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VarType {
    Text,
    Number,
    Email,
    Phone,
    Enum(Vec<String>),
}

impl VarType {
    fn symbol(&self) -> Type {
        match self {
            VarType::Text | VarType::Email | VarType::Phone => Type::String,
            VarType::Number => Type::Float,
            VarType::Enum(values) => Type::one_of(values.iter().cloned()),
        }
    }

    pub fn word(&self) -> &'static str {
        match self {
            VarType::Text => "text",
            VarType::Number => "number",
            VarType::Email => "email",
            VarType::Phone => "phone",
            VarType::Enum(_) => "enum",
        }
    }
}

/// What holds for every step that does not say otherwise.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    pub retries: Option<u32>,
    pub exhausted: Option<Target>,
    pub timeout: Option<Timeout>,
}

/// How long to wait, and where to go then.
#[derive(Clone, Debug)]
pub struct Timeout {
    pub after_ms: i64,
    pub goto: Option<Target>,
}

/// A step that something leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub step: String,
    pub at: Mark,
}

/// Where a step goes when all went well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// The step below.
    Below,
    Step(Target),
    /// The conversation is over with this outcome.
    End(String),
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    pub id: String,
    pub at: Mark,
    pub verb: Verb,
    pub next: Next,
    pub outcomes: BTreeMap<Outcome, Target>,
    pub timeout: Option<Timeout>,
    pub retries: Option<u32>,
}

/// How a step can end. Each verb has its own closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    Next,
    Missing,
    Answered,
    Complete,
    Exhausted,
    Timeout,
    Ok,
    Error,
    Reached,
    Booked,
    NoneFit,
    Unavailable,
    Expired,
    Returned,
    Closed,
}

impl Outcome {
    pub const ALL: [Outcome; 15] = [
        Outcome::Next,
        Outcome::Missing,
        Outcome::Answered,
        Outcome::Complete,
        Outcome::Exhausted,
        Outcome::Timeout,
        Outcome::Ok,
        Outcome::Error,
        Outcome::Reached,
        Outcome::Booked,
        Outcome::NoneFit,
        Outcome::Unavailable,
        Outcome::Expired,
        Outcome::Returned,
        Outcome::Closed,
    ];

    /// The word that flows know it by.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Next => "next",
            Outcome::Missing => "missing",
            Outcome::Answered => "answered",
            Outcome::Complete => "complete",
            Outcome::Exhausted => "exhausted",
            Outcome::Timeout => "timeout",
            Outcome::Ok => "ok",
            Outcome::Error => "error",
            Outcome::Reached => "reached",
            Outcome::Booked => "booked",
            Outcome::NoneFit => "none_fit",
            Outcome::Unavailable => "unavailable",
            Outcome::Expired => "expired",
            Outcome::Returned => "returned",
            Outcome::Closed => "closed",
        }
    }
}

/// Where an outcome leads.
#[derive(Clone, Copy, Debug)]
pub enum Destination<'f> {
    Step(&'f Step),
    End(&'f str),
}

impl Flow {
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }

    pub fn first(&self) -> Option<&Step> {
        self.steps.first()
    }

    /// The step's own patience, or the flow's.
    pub fn timeout<'f>(&'f self, step: &'f Step) -> Option<&'f Timeout> {
        step.timeout.as_ref().or(self.defaults.timeout.as_ref())
    }

    pub fn retries(&self, step: &Step) -> u32 {
        step.retries.or(self.defaults.retries).unwrap_or(2)
    }

    /// The name of the step that an outcome leads to, whether or not there is such a step.
    pub fn target<'f>(&'f self, step: &'f Step, outcome: Outcome) -> Option<&'f Target> {
        let own = step.outcomes.get(&outcome);
        let by_kind = || match outcome {
            Outcome::Timeout => {
                let own = step.timeout.as_ref().and_then(|t| t.goto.as_ref());
                own.or(self.defaults.timeout.as_ref().and_then(|t| t.goto.as_ref()))
            }
            Outcome::Exhausted => self.defaults.exhausted.as_ref(),
            Outcome::Next
            | Outcome::Missing
            | Outcome::Answered
            | Outcome::Complete
            | Outcome::Ok
            | Outcome::Error
            | Outcome::Reached
            | Outcome::Booked
            | Outcome::NoneFit
            | Outcome::Unavailable
            | Outcome::Expired
            | Outcome::Returned
            | Outcome::Closed => None,
        };
        let by_next = || match &step.next {
            Next::Step(target) if step.verb.main() == Some(outcome) => Some(target),
            Next::Step(_) | Next::Below | Next::End(_) => None,
        };
        own.or_else(by_kind).or_else(by_next)
    }

    /// Where an outcome of a step leads.
    pub fn destination<'f>(&'f self, step: &'f Step, outcome: Outcome) -> Option<Destination<'f>> {
        if let Some(target) = self.target(step, outcome) {
            return self.step(&target.step).map(Destination::Step);
        }
        if step.verb.main() != Some(outcome) {
            return None;
        }
        match &step.next {
            Next::End(outcome) => Some(Destination::End(outcome)),
            Next::Below => self.below(step).map(Destination::Step),
            Next::Step(_) => None,
        }
    }

    fn below(&self, step: &Step) -> Option<&Step> {
        let index = self.steps.iter().position(|other| other.id == step.id)?;
        self.steps.get(index.checked_add(1)?)
    }

    /// Reads one flow file. `None` only when nothing usable stands in it; otherwise the report says what is
    /// wrong, and a flow with errors must not be run.
    pub fn read(doc: &Doc, report: &Report) -> Option<Flow> {
        let view = doc.view(report);
        let mut map = view.map()?;
        let id = map.required("flow").and_then(View::str);
        if let (Some(id), Some(at)) = (&id, map.optional("flow"))
            && !yaml::is_name(id)
        {
            at.error("Y004", format!("\"{id}\" is no name")).hint("small letters, digits, - and _");
        }
        let title = map.required("title").and_then(View::words);
        let languages = map.required("languages").map(languages).unwrap_or_default();
        let vars = map.optional("vars").and_then(View::map).map(vars).unwrap_or_default();
        let mut symbols = symbols::common();
        for (name, var) in &vars {
            symbols = symbols.field(&format!("vars.{name}"), var.of.symbol());
        }
        let trigger = map.optional("trigger").and_then(|view| Trigger::read(view, &symbols));
        let defaults = map.optional("defaults").and_then(View::map).map(Defaults::read).unwrap_or_default();
        let human = map.optional("events").and_then(View::map).and_then(|mut events| {
            let human = events.optional("human_requested").and_then(Target::read);
            events.finish();
            human
        });
        let migrate = map.optional("migrate").and_then(View::map).map(|m| m.entries()).unwrap_or_default();
        let migrate = migrate
            .into_iter()
            .filter_map(|(old, view)| Some((old.value.clone(), Target::read(view)?)))
            .collect();
        let condition = trigger.as_ref().and_then(|t| t.condition.as_ref());
        let mut always: BTreeSet<&str> = symbols::ALWAYS.into_iter().collect();
        always.extend(condition.map(Expr::guarantees).unwrap_or_default());
        let translations = map.optional("translations").and_then(View::map);
        if languages.is_empty() {
            report
                .error(&doc.root.at, "Y005", "a flow needs at least one language")
                .hint("languages: [en, es]");
        }
        let mut load = Load {
            report,
            symbols: &symbols,
            always: &always,
            vars: &vars,
            languages: &languages,
            translations: Translations::read(translations, &languages, report),
        };
        let mut steps = Vec::new();
        for (key, view) in map.required("steps").and_then(View::map).map(|m| m.entries()).unwrap_or_default()
        {
            if !yaml::is_name(&key.value) {
                report.error(&key.at, "Y004", format!("\"{}\" is no name for a step", key.value)).done();
            }
            steps.extend(steps::read(key, view, &mut load));
        }
        load.translations.report_unused(report);
        map.finish();
        let mut canonical = Sha256::new();
        canon(&doc.root, &mut canonical);
        let version = canonical.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Some(Flow {
            id: id?,
            at: doc.root.at.clone(),
            title: title?,
            version,
            languages,
            trigger,
            vars,
            defaults,
            human,
            migrate,
            steps,
        })
    }
}

/// Feeds a tree to a hash so that only what it says counts.
fn canon(node: &Node, into: &mut Sha256) {
    match &node.kind {
        Kind::Scalar(text) => {
            into.update(b"s");
            into.update(text.text.len().to_be_bytes());
            into.update(text.text.as_bytes());
        }
        Kind::List(items) => {
            into.update(b"l");
            into.update(items.len().to_be_bytes());
            items.iter().for_each(|item| canon(item, into));
        }
        Kind::Map(entries) => {
            into.update(b"m");
            into.update(entries.len().to_be_bytes());
            for (key, value) in entries {
                into.update(key.value.len().to_be_bytes());
                into.update(key.value.as_bytes());
                canon(value, into);
            }
        }
    }
}

fn languages(view: View<'_>) -> Vec<Language> {
    let mut languages = Vec::new();
    for item in view.one_or_more() {
        if let Some(language) = item.one_of(&["en", "es"]).and_then(Language::of_tag)
            && !languages.contains(&language)
        {
            languages.push(language);
        }
    }
    languages
}

fn vars(map: Map<'_>) -> BTreeMap<String, Var> {
    let mut vars = BTreeMap::new();
    for (key, view) in map.entries() {
        let Some(mut var) = view.map() else { continue };
        let of = var.required("type").and_then(|v| v.one_of(&["text", "number", "email", "phone", "enum"]));
        let values = var.optional("values").map(View::strings).unwrap_or_default();
        let save = var.optional("save").and_then(View::bool).unwrap_or(false);
        if of == Some("enum") && values.is_empty() {
            view.error("Y005", "an enum needs \"values\"").done();
        }
        var.finish();
        let of = match of {
            Some("number") => VarType::Number,
            Some("email") => VarType::Email,
            Some("phone") => VarType::Phone,
            Some("enum") => VarType::Enum(values),
            Some(_) => VarType::Text,
            None => continue,
        };
        vars.insert(key.value.clone(), Var { at: key.at.clone(), of, save });
    }
    vars
}

impl Target {
    pub fn read(view: View<'_>) -> Option<Target> {
        view.spanned().map(|Spanned { value, at }| Target { step: value, at })
    }
}

impl Timeout {
    pub fn read(view: View<'_>) -> Option<Timeout> {
        let mut map = view.map()?;
        let after_ms = map.required("after").and_then(View::duration_ms);
        let goto = map.optional("goto").and_then(Target::read);
        map.finish();
        Some(Timeout { after_ms: after_ms?, goto })
    }
}

impl Defaults {
    fn read(mut map: Map<'_>) -> Defaults {
        let retries = map.optional("retries").and_then(retries);
        let exhausted = map.optional("exhausted").and_then(Target::read);
        let timeout = map.optional("timeout").and_then(Timeout::read);
        map.finish();
        Defaults { retries, exhausted, timeout }
    }
}

/// How often a question is asked again after an answer that will not do.
pub fn retries(view: View<'_>) -> Option<u32> {
    view.parsed("a number from 0 to 9", |text| text.parse().ok().filter(|n| *n <= 9))
}

impl Trigger {
    fn read(view: View<'_>, symbols: &Symbols) -> Option<Trigger> {
        let mut map = view.map()?;
        let when = map.required("when").and_then(|v| v.one_of(&["page_view", "opened"]));
        let condition = map.optional("if").and_then(|v| condition(v, symbols));
        let paths = map.optional("paths").map(View::strings).unwrap_or_default();
        let delay_ms = map.optional("delay").and_then(View::duration_ms).unwrap_or(0);
        let frequency = map.optional("frequency").and_then(View::map).and_then(|mut f| {
            let once_per_ms = f.required("once_per").and_then(View::duration_ms);
            let max = f.optional("max").and_then(View::int).unwrap_or(i64::MAX);
            let quiet = f.optional("quiet_after_dismiss").and_then(View::duration_ms).unwrap_or(0);
            f.finish();
            Some(Frequency { once_per_ms: once_per_ms?, max, quiet_after_dismiss_ms: quiet })
        });
        let priority = map.optional("priority").and_then(View::int).unwrap_or(0);
        let open = map.optional("open").and_then(View::bool).unwrap_or(false);
        map.finish();
        let when = match when? {
            "opened" => When::Opened,
            _ => When::PageView,
        };
        Some(Trigger { at: view.at().clone(), when, condition, paths, delay_ms, frequency, priority, open })
    }
}

/// A condition where it stands in the file.
pub fn condition(view: View<'_>, symbols: &Symbols) -> Option<Expr> {
    let text = view.text();
    if text.is_none() {
        return view.wrong("a condition");
    }
    text.and_then(|text| Expr::condition(&text.text, &text.content, symbols, view.report))
}

/// A text in the flow's languages, with holes.
#[derive(Clone, Debug, PartialEq)]
pub struct Words {
    texts: Vec<(Language, Text)>,
}

impl Words {
    /// The text for a reader, in her language or else in the source language.
    pub fn render(&self, values: &crate::base::expr::Context, reader: &Reader) -> String {
        let own = self.texts.iter().find(|(language, _)| *language == reader.language);
        own.or(self.texts.first()).map(|(_, text)| text.render(values, reader)).unwrap_or_default()
    }

    /// The text as it is written in a language, else in the source language; for labels, which have no holes.
    pub fn plain(&self, language: Language) -> &str {
        let own = self.texts.iter().find(|(own, _)| *own == language);
        own.or(self.texts.first()).map(|(_, text)| text.source.as_str()).unwrap_or_default()
    }

    /// The text in its source language.
    pub fn source(&self) -> &str {
        self.texts.first().map(|(_, text)| text.source.as_str()).unwrap_or_default()
    }

    /// Every version of the text with the place where it was written.
    pub fn versions(&self) -> impl Iterator<Item = &Text> {
        self.texts.iter().map(|(_, text)| text)
    }
}

/// What reading the steps needs to know of the rest of the file.
pub struct Load<'a> {
    pub report: &'a Report,
    pub symbols: &'a Symbols,
    pub always: &'a BTreeSet<&'a str>,
    pub vars: &'a BTreeMap<String, Var>,
    pub languages: &'a [Language],
    pub translations: Translations<'a>,
}

impl<'a> Load<'a> {
    /// A text and its translations, which stand under `key` (`welcome.say`).
    pub fn words(&mut self, key: &str, view: View<'a>) -> Option<Words> {
        let source = view.words()?;
        let content = view.text().map_or(view.at(), |text| &text.content);
        let first = Text::parse(&source, content, self.symbols, self.always, self.report);
        let mut texts = Vec::new();
        for language in self.languages.iter().skip(1) {
            let Some(translated) = self.translations.take(*language, key) else {
                if !first.has_words() {
                    continue;
                }
                let code = language.code();
                self.report
                    .error(view.at(), "T401", format!("\"{key}\" has no {code} translation"))
                    .hint(format!("add `{key}: …` under translations → {code}"));
                continue;
            };
            let Some(words) = translated.words() else { continue };
            let content = translated.text().map_or(translated.at(), |text| &text.content);
            let text = Text::parse(&words, content, self.symbols, self.always, self.report);
            if text.holes() != first.holes() {
                let missing: Vec<&str> = first.holes().symmetric_difference(&text.holes()).copied().collect();
                self.report
                    .error(
                        translated.at(),
                        "T403",
                        format!("\"{key}\" has other holes than the {} text", self.source()),
                    )
                    .hint(format!("only one of them has {}", missing.join(", ")));
            }
            texts.push((*language, text));
        }
        texts.insert(0, (self.languages.first().copied().unwrap_or_default(), first));
        Some(Words { texts })
    }

    /// The labels of choices and their translations, which stand under `key` as a map with the same ids.
    pub fn labels(&mut self, key: &str, labels: &[(&'a Spanned<String>, View<'a>)]) -> Vec<(String, Words)> {
        let mut found = Vec::new();
        let mut maps = Vec::new();
        for language in self.languages.iter().skip(1) {
            match self.translations.take(*language, key) {
                Some(view) => maps.extend(view.map().map(|map| (*language, map.entries(), view))),
                None => {
                    if let Some((first, _)) = labels.first() {
                        let code = language.code();
                        self.report
                            .error(&first.at, "T401", format!("\"{key}\" have no {code} translation"))
                            .hint(format!("add `{key}: {{{}: …}}` under translations → {code}", first.value));
                    }
                }
            }
        }
        for (language, entries, view) in &maps {
            let here: BTreeSet<&str> = labels.iter().map(|(id, _)| id.value.as_str()).collect();
            for (id, _) in entries.iter().filter(|(id, _)| !here.contains(id.value.as_str())) {
                self.report
                    .error(&id.at, "T404", format!("there is no choice \"{}\" in {key}", id.value))
                    .did_you_mean(&id.value, here.iter().copied());
            }
            for (id, _) in
                labels.iter().filter(|(id, _)| !entries.iter().any(|(other, _)| other.value == id.value))
            {
                let message =
                    format!("the choice \"{}\" of {key} has no {} label", id.value, language.code());
                self.report.error(view.at(), "T404", message).done();
            }
        }
        for (id, view) in labels {
            let Some(source) = view.words() else { continue };
            let content = view.text().map_or(view.at(), |text| &text.content);
            let first = Text::parse(&source, content, self.symbols, self.always, self.report);
            let mut texts = vec![(self.languages.first().copied().unwrap_or_default(), first)];
            for (language, entries, _) in &maps {
                let own = entries.iter().find(|(other, _)| other.value == id.value).map(|(_, view)| *view);
                if let Some((words, view)) = own.and_then(|view| view.words().map(|words| (words, view))) {
                    let content = view.text().map_or(view.at(), |text| &text.content);
                    let text = Text::parse(&words, content, self.symbols, self.always, self.report);
                    texts.push((*language, text));
                }
            }
            found.push((id.value.clone(), Words { texts }));
        }
        found
    }

    fn source(&self) -> &'static str {
        self.languages.first().copied().unwrap_or_default().code()
    }

    /// A variable that a step wants to fill; D301 if there is none.
    pub fn var(&self, view: View<'_>) -> Option<(String, VarType)> {
        let name = view.str()?;
        match self.vars.get(&name) {
            Some(var) => Some((name, var.of.clone())),
            None => {
                view.error("D301", format!("there is no variable \"{name}\""))
                    .did_you_mean(&name, self.vars.keys().map(String::as_str));
                None
            }
        }
    }
}

/// One translated text of a language, and whether it was asked for.
struct Translated<'a> {
    language: Language,
    key: &'a Spanned<String>,
    view: View<'a>,
    used: bool,
}

/// The `translations` of a flow: language → `step.field` → text.
pub struct Translations<'a>(Vec<Translated<'a>>);

impl<'a> Translations<'a> {
    fn read(map: Option<Map<'a>>, languages: &[Language], report: &Report) -> Self {
        let mut all = Vec::new();
        for (code, view) in map.iter().flat_map(Map::entries) {
            match Language::of_tag(&code.value).filter(|l| languages.iter().skip(1).any(|other| other == l)) {
                Some(language) => {
                    let entries = view.map().map(|map| map.entries()).unwrap_or_default();
                    all.extend(entries.into_iter().map(|(key, view)| Translated {
                        language,
                        key,
                        view,
                        used: false,
                    }));
                }
                None => report
                    .error(
                        &code.at,
                        "Y003",
                        format!("\"{}\" is not among the languages to translate into", code.value),
                    )
                    .hint("`languages` lists them; the first one is the source"),
            }
        }
        Translations(all)
    }

    fn take(&mut self, language: Language, key: &str) -> Option<View<'a>> {
        let found = self.0.iter_mut().find(|t| t.language == language && t.key.value == key)?;
        found.used = true;
        Some(found.view)
    }

    fn report_unused(self, report: &Report) {
        for unused in self.0.into_iter().filter(|t| !t.used) {
            report
                .error(
                    &unused.key.at,
                    "Y003",
                    format!("there is no text \"{}\" to translate", unused.key.value),
                )
                .hint("the key is step.field, such as welcome.say or offer.choices");
        }
    }
}
