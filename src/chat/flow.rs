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
use crate::base::time::DAY_MS;
use crate::base::yaml::{self, Doc, Kind, Map, Node, Spanned, View};

use super::steps::{self, Verb};
use super::symbols;

pub use super::trigger::{Frequency, Moment, Trigger, When};
pub use super::words::{Load, Translations, Words};

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
    /// Those of them in which a text may be missing; then it is said in the source language.
    pub optional: Vec<Language>,
    pub trigger: Option<Trigger>,
    pub vars: BTreeMap<String, Var>,
    pub defaults: Defaults,
    /// Where a visitor goes who asks for a person.
    pub human: Option<Target>,
    /// Where a visitor goes who wants to be left alone.
    pub stop: Option<Target>,
    /// Where conversations go on that stand at a step which is no more: its old id, and the step now.
    pub migrate: BTreeMap<String, Target>,
    /// What a change of the file means for conversations that are in it.
    pub change: Change,
    /// Its own steps, in order; after them those of the flows it calls, under the calling step's name (`call/step`).
    pub steps: Vec<Step>,
}

/// What conversations that have begun in another version of a flow do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Change {
    /// They go on in the new one, as `versions::fate` says.
    #[default]
    Follow,
    /// They keep theirs until they end, or until they are so old.
    Pin { max_age_ms: i64 },
}

/// How old a conversation in an old version may get where the flow does not say.
const MAX_AGE_MS: i64 = 30 * DAY_MS;

impl Change {
    /// `follow`, `pin`, or `{pin: 7d}`.
    fn read(view: View<'_>) -> Option<Change> {
        if !view.is_map() {
            let word = view.one_of(&["follow", "pin"])?;
            return Some(if word == "pin" { Change::Pin { max_age_ms: MAX_AGE_MS } } else { Change::Follow });
        }
        let mut map = view.map()?;
        let pin = map.required("pin").and_then(View::duration_ms);
        map.finish();
        pin.map(|max_age_ms| Change::Pin { max_age_ms })
    }
}

/// A variable of a flow.
#[derive(Clone, Debug)]
pub struct Var {
    pub at: Mark,
    pub of: VarType,
    /// Kept with the contact under its own name.
    pub save: bool,
    /// Tells something about a person that may only go where that is allowed.
    pub pii: bool,
}

/// What a variable can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VarType {
    Text,
    Number,
    Email,
    Phone,
    /// A web address, `https://…`.
    Url,
    /// A day, as `2026-12-24`.
    Date,
    /// A time of day, as `14:30`.
    Time,
    Enum(Vec<String>),
    /// Its type could not be read, which is told; nothing that is done with it is wrong besides.
    Unread,
}

impl VarType {
    fn symbol(&self) -> Type {
        match self {
            VarType::Text
            | VarType::Email
            | VarType::Phone
            | VarType::Url
            | VarType::Date
            | VarType::Time => Type::String,
            VarType::Number => Type::Float,
            VarType::Enum(values) => Type::one_of(values.iter().cloned()),
            VarType::Unread => Type::Any,
        }
    }

    pub fn word(&self) -> &'static str {
        match self {
            VarType::Text => "text",
            VarType::Number => "number",
            VarType::Email => "email",
            VarType::Phone => "phone",
            VarType::Url => "url",
            VarType::Date => "date",
            VarType::Time => "time",
            VarType::Enum(_) => "enum",
            VarType::Unread => "what could not be read",
        }
    }
}

/// What holds for every step that does not say otherwise.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    pub retries: Option<u32>,
    pub exhausted: Option<Target>,
    pub timeout: Option<Timeout>,
    pub typing: Option<Typing>,
}

/// How long the bot seems to type before it says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typing {
    /// As long as the text suggests; the widget knows.
    Auto,
    /// It says it at once.
    None,
    /// So long.
    Ms(u32),
}

/// Longest time for which the bot may seem to type.
const TYPING_MS: i64 = 5_000;

/// What may happen at any time, wherever the flow stands.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// The visitor asks for a person.
    pub human: Option<Target>,
    /// The visitor wants to be left alone.
    pub stop: Option<Target>,
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
    /// Its name; empty where none could be read ([`Target::is_read`]).
    pub step: String,
    pub at: Mark,
}

/// What stands for a length of time that could not be read. Such a flow never runs.
pub const SOME_TIME_MS: i64 = 60_000;

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
    pub typing: Option<Typing>,
    /// What goes elsewhere here than in the rest of the flow.
    pub events: Events,
    /// The `call` step through which it came into this flow.
    pub within: Option<String>,
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
    Done,
}

impl Outcome {
    pub const ALL: [Outcome; 16] = [
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
        Outcome::Done,
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
            Outcome::Done => "done",
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
            | Outcome::Closed
            | Outcome::Done => None,
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
            Next::End(outcome) => self.left(step, outcome),
            Next::Below => self.below(step).map(Destination::Step),
            Next::Step(_) => None,
        }
    }

    /// Where it goes on when a step ends its flow: out of a called flow, back to the step that called it.
    fn left<'f>(&'f self, step: &Step, outcome: &'f str) -> Option<Destination<'f>> {
        let Some(within) = &step.within else { return Some(Destination::End(outcome)) };
        let caller = self.step(within)?;
        if let Verb::Call(call) = &caller.verb
            && let Some(target) = call.ends.get(outcome)
        {
            return self.step(&target.step).map(Destination::Step);
        }
        self.destination(caller, Outcome::Done)
    }

    fn below(&self, step: &Step) -> Option<&Step> {
        let index = self.steps.iter().position(|other| other.id == step.id)?;
        self.steps.get(index.checked_add(1)?).filter(|below| below.within == step.within)
    }

    /// The steps that stand in its own file.
    pub fn own_steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.within.is_none())
    }

    /// Where a visitor goes who asks for a person at a step.
    pub fn human_at<'f>(&'f self, step: Option<&'f Step>) -> Option<&'f Target> {
        step.and_then(|step| step.events.human.as_ref()).or(self.human.as_ref())
    }

    /// Where a visitor goes who wants to be left alone at a step.
    pub fn stop_at<'f>(&'f self, step: Option<&'f Step>) -> Option<&'f Target> {
        step.and_then(|step| step.events.stop.as_ref()).or(self.stop.as_ref())
    }

    /// How the bot types at a step.
    pub fn typing(&self, step: &str) -> Typing {
        let own = self.step(step).and_then(|step| step.typing);
        own.or(self.defaults.typing).unwrap_or(Typing::Auto)
    }

    /// Reads one flow file. `None` only when it is no map. The report says what is wrong; what could not be read has
    /// something in its place that nothing more is wrong with, so that one mistake hides no other. A flow with errors
    /// must not be run.
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
        let (mut languages, optional) = map.required("languages").map(languages).unwrap_or_default();
        let vars = map.optional("vars").and_then(View::map).map(vars).unwrap_or_default();
        let mut symbols = symbols::common();
        for (name, var) in &vars {
            symbols = symbols.field(&format!("vars.{name}"), var.of.symbol());
        }
        let trigger = map.optional("trigger").map(|view| Trigger::read(view, &symbols));
        let defaults = map.optional("defaults").and_then(View::map).map(Defaults::read).unwrap_or_default();
        let Events { human, stop } = map.optional("events").map(Events::read).unwrap_or_default();
        let migrate = map.optional("migrate").and_then(View::map).map(|m| m.entries()).unwrap_or_default();
        let migrate =
            migrate.into_iter().map(|(old, view)| (old.value.clone(), Target::read(view))).collect();
        let change = map.optional("change").and_then(Change::read).unwrap_or_default();
        let condition = trigger.as_ref().and_then(|t| t.condition.as_ref());
        let mut always: BTreeSet<&str> = symbols::ALWAYS.into_iter().collect();
        always.extend(condition.map(Expr::guarantees).unwrap_or_default());
        let translations = map.optional("translations").and_then(View::map);
        if languages.is_empty() {
            report
                .error(&doc.root.at, "Y005", "a flow needs at least one language")
                .hint("languages: [en, es]");
            // Whatever it is translated into is among them, and it is written in another one.
            let into = translations.iter().flat_map(Map::entries);
            let into: Vec<Language> = into.filter_map(|(code, _)| Language::of_tag(&code.value)).collect();
            languages.extend(Language::ALL.into_iter().find(|language| !into.contains(language)));
            languages.extend(into);
        }
        let mut load = Load {
            report,
            symbols: &symbols,
            always: &always,
            vars: &vars,
            languages: &languages,
            optional: &optional,
            translations: Translations::read(translations, &languages, report),
        };
        let mut steps = Vec::new();
        let written = map.required("steps").and_then(View::map).map(|m| m.entries());
        if written.as_ref().is_some_and(Vec::is_empty) {
            report
                .error(&doc.root.at, "G204", "the flow has no steps")
                .hint("steps: {hello: {say: Hello., end: greeted}}");
        }
        for (key, view) in written.unwrap_or_default() {
            if !yaml::is_name(&key.value) {
                report.error(&key.at, "Y004", format!("\"{}\" is no name for a step", key.value)).done();
            }
            steps.push(steps::read(key, view, &mut load));
        }
        load.translations.report_unused(report);
        map.finish();
        for key in &doc.traps {
            report
                .warning(
                    &key.at,
                    "Y102",
                    format!("other programs do not read the key `{}` as a text", key.value),
                )
                .hint(format!("put it in quotes: \"{}\"", key.value));
        }
        let mut canonical = Sha256::new();
        canon(&doc.root, &mut canonical);
        let version = canonical.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Some(Flow {
            id: id.unwrap_or_else(|| named_after(&doc.path)),
            at: doc.root.at.clone(),
            title: title.unwrap_or_default(),
            version,
            languages,
            optional,
            trigger,
            vars,
            defaults,
            human,
            stop,
            migrate,
            change,
            steps,
        })
    }
}

/// The name that a flow most likely has which does not say it: that of its file.
fn named_after(path: &str) -> String {
    let name = std::path::Path::new(path).file_stem().unwrap_or_default();
    name.to_string_lossy().into_owned()
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

/// `[en, es]`, or `{source: en, required: [es], optional: []}`: all languages, and those that may lack a text.
fn languages(view: View<'_>) -> (Vec<Language>, Vec<Language>) {
    let listed = |view: View<'_>| -> Vec<Language> {
        let found = view.one_or_more().into_iter().filter_map(|item| item.one_of(&["en", "es"]));
        found.filter_map(Language::of_tag).collect()
    };
    let (found, optional) = match view.is_map() {
        true => {
            let Some(mut map) = view.map() else { return (Vec::new(), Vec::new()) };
            let mut found = map.required("source").map(listed).unwrap_or_default();
            found.truncate(1);
            found.extend(map.optional("required").map(listed).unwrap_or_default());
            let optional = map.optional("optional").map(listed).unwrap_or_default();
            map.finish();
            found.extend(&optional);
            (found, optional)
        }
        false => (listed(view), Vec::new()),
    };
    let mut languages = Vec::new();
    for language in found {
        if !languages.contains(&language) {
            languages.push(language);
        }
    }
    (languages, optional)
}

fn vars(map: Map<'_>) -> BTreeMap<String, Var> {
    const TYPES: [&str; 8] = ["text", "number", "email", "phone", "url", "date", "time", "enum"];
    let mut vars = BTreeMap::new();
    for (key, view) in map.entries() {
        let Some(mut var) = view.map() else {
            vars.insert(
                key.value.clone(),
                Var { at: key.at.clone(), of: VarType::Unread, save: true, pii: false },
            );
            continue;
        };
        let of = var.required("type").and_then(|v| v.one_of(&TYPES));
        let values = var.optional("values");
        for view in values.filter(|view| view.is_list()).and_then(View::list).unwrap_or_default() {
            if let Some(text) = view.text().filter(|text| !text.quoted && yaml::is_yes_or_no(&text.text)) {
                view.report
                    .warning(
                        view.at(),
                        "Y102",
                        format!("other programs do not read the value `{}` as a text", text.text),
                    )
                    .hint(format!("put it in quotes: \"{}\"", text.text));
            }
        }
        let values = values.map(View::strings).unwrap_or_default();
        let save = var.optional("save").and_then(View::bool).unwrap_or(false);
        // An address or a number is always about a person.
        let is_contact = matches!(of, Some("email" | "phone"));
        let pii = var.optional("pii").and_then(View::bool).unwrap_or(is_contact);
        if of == Some("enum") && values.is_empty() {
            view.error("Y005", "an enum needs \"values\"").hint("values: [small, large]");
        }
        var.finish();
        let of = match of {
            Some("number") => VarType::Number,
            Some("email") => VarType::Email,
            Some("phone") => VarType::Phone,
            Some("url") => VarType::Url,
            Some("date") => VarType::Date,
            Some("time") => VarType::Time,
            Some("enum") => VarType::Enum(values),
            Some(_) => VarType::Text,
            None if !values.is_empty() => VarType::Enum(values),
            None => VarType::Unread,
        };
        vars.insert(key.value.clone(), Var { at: key.at.clone(), of, save, pii });
    }
    vars
}

impl Target {
    /// Reads the name of a step. Reports Y004 if there is none: then something leads on, but nobody knows where.
    pub fn read(view: View<'_>) -> Target {
        let Spanned { value, at } = steps::named(view, "the name of a step");
        Target { step: value, at }
    }

    /// What stands for a way on that could not be read.
    pub fn unread(at: &Mark) -> Target {
        Target { step: String::new(), at: at.clone() }
    }

    pub fn is_read(&self) -> bool {
        !self.step.is_empty()
    }
}

/// The shortest time that a step can wait: less could not be told from not waiting.
pub const LEAST_WAIT: &str = "1s";

impl Timeout {
    pub fn read(view: View<'_>) -> Timeout {
        let Some(mut map) = view.map() else {
            return Timeout { after_ms: SOME_TIME_MS, goto: Some(Target::unread(view.at())) };
        };
        let after_ms = map.required("after").and_then(|view| view.duration_from(LEAST_WAIT));
        let goto = map.optional("goto").map(Target::read);
        map.finish();
        Timeout { after_ms: after_ms.unwrap_or(SOME_TIME_MS), goto }
    }
}

impl Defaults {
    fn read(mut map: Map<'_>) -> Defaults {
        let retries = map.optional("retries").and_then(retries);
        let exhausted = map.optional("exhausted").map(Target::read);
        let timeout = map.optional("timeout").map(Timeout::read);
        let typing = map.optional("typing").and_then(typing);
        map.finish();
        Defaults { retries, exhausted, timeout, typing }
    }
}

impl Events {
    pub fn read(view: View<'_>) -> Events {
        let Some(mut map) = view.map() else {
            return Events { human: Some(Target::unread(view.at())), stop: None };
        };
        let human = map.optional("human_requested").map(Target::read);
        let stop = map.optional("stop_requested").map(Target::read);
        map.finish();
        Events { human, stop }
    }
}

/// `auto`, `none`, or a time of at most five seconds.
pub fn typing(view: View<'_>) -> Option<Typing> {
    view.parsed("auto, none or a time of at most 5s", |text| match text {
        "auto" => Some(Typing::Auto),
        "none" => Some(Typing::None),
        time => {
            let ms = yaml::duration_ms(time).filter(|ms| (0..=TYPING_MS).contains(ms))?;
            u32::try_from(ms).ok().map(Typing::Ms)
        }
    })
}

/// How often a question is asked again after an answer that will not do.
pub fn retries(view: View<'_>) -> Option<u32> {
    view.parsed("a number from 0 to 9", |text| text.parse().ok().filter(|n| *n <= 9))
}

/// A condition where it stands in the file.
pub fn condition(view: View<'_>, symbols: &Symbols) -> Option<Expr> {
    let text = view.text();
    if text.is_none() {
        return view.wrong("a condition");
    }
    text.and_then(|text| Expr::condition(&text.text, &text.content, symbols, view.report))
}
