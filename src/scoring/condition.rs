//! Conditions of the lifecycle: what they may name, and what that means for one contact.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};

use super::alias::{self, Aliases};
use super::facts::{Activity, BANT, Facts};
use super::history::History;
use super::kinds;
use super::score::{Grade, Level, Score};
use super::tags;
use crate::base::diagnostic::{Mark, Report};
use crate::base::expr::{self, Context, Expr, Shape, Type};
use crate::base::native::{CallSite, Val, World};
use crate::base::time::Timestamp;
use crate::base::yaml::{View, duration_ms};

/// The kinds of activities that the product itself writes. Sites add their own by `embudo('event', name)`.
pub const KINDS: &[&str] = &[
    "visit",
    "page",
    "form.submitted",
    "asset.downloaded",
    "email.clicked",
    "email.replied",
    "email.bounced",
    "subscription.asked",
    "subscription.confirmed",
    "subscription.ended",
    "nurture.entered",
    "nurture.completed",
    "nurture.left",
    "webinar.registered",
    "webinar.attended",
    "webinar.no_show",
    "webinar.cancelled",
    "recording.watched",
    "conversation.opened",
    "handoff.requested",
    "booking.confirmed",
    "booking.rescheduled",
    "booking.cancelled",
    "booking.held",
    "booking.no_show",
    "decision",
    "deal.won",
    "deal.lost",
    "offer.claimed",
    "offer.redeemed",
    "conversation.answered",
    "winback.attempt",
    "chat.marked",
    "bant.complete",
    "handover.given",
    "handover.taken",
    "call.requested",
    "call.held",
    "call.unanswered",
    "call.findings",
    "deal.milestone",
    "email.hard_bounced",
];

/// The level of what she has seen that is nearest to a decision. It is worked out of what she did, so that it is right at
/// any moment.
pub const LEVEL: &str = "content.level";

/// What a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symbols {
    /// One activity: `subject` and `props`.
    Activity,
    /// The person: `contact`, `bant`, `event()`, `count()`, `seconds()`.
    Facts,
    /// The person with her scores: also `identified`, `fit`, `engagement`, `decision()`.
    Stage,
}

static ACTIVITY: LazyLock<expr::Symbols> = LazyLock::new(|| {
    expr::Symbols::new().field("subject", Type::String).field("props", Type::Map(Box::new(Type::Any)))
});
static FACTS: LazyLock<expr::Symbols> = LazyLock::new(facts_symbols);
/// What conditions about a person with her scores may name.
pub static STAGE: LazyLock<expr::Symbols> = LazyLock::new(|| {
    facts_symbols()
        .field("identified", Type::Bool)
        .field("fit", Type::one_of(["A", "B", "C", "D"]))
        .field("fit_points", Type::Float)
        .field("engagement", Type::Int)
        .field("engagement_points", Type::Float)
        .function(
            "decision",
            vec![Type::one_of(["marketing", "sdr", "ae", "cs"]), Type::one_of(["accept", "reject", "won"])],
            Type::Bool,
        )
});

fn facts_symbols() -> expr::Symbols {
    let mut symbols = expr::Symbols::new()
        .field("contact.email_domain", Type::String)
        .field("contact.corporate_email", Type::Bool)
        .field("contact.job_title", Type::String)
        .field("contact.seniority", Type::one_of(["c_level", "vp", "director", "manager", "staff", ""]))
        .field("contact.department", Type::String)
        .field("contact.employees", Type::Int)
        .field("contact.industry", Type::String)
        .field("contact.country", Type::String)
        .field("contact.region", Type::String)
        .field("contact.language", Type::one_of(["en", "es"]))
        .field("company.domain", Type::String)
        .field("company.employees", Type::Int)
        .field("company.industry", Type::String)
        .field("company.country", Type::String)
        .field("company.kind", Type::String)
        .field("company.revenue", Type::String)
        .field("company.is_customer", Type::Bool)
        .field(LEVEL, Type::one_of(["early", "middle", "late", ""]))
        .field("bant_known", Type::Int)
        .field("bant_positive", Type::Int)
        .function_with_optional("event", vec![Type::String, Type::String], 1, Type::Bool)
        .function_with_optional("count", vec![Type::String, Type::String], 1, Type::Int)
        .function_with_optional("seconds", vec![Type::String, Type::String], 1, Type::Float);
    for slot in BANT {
        symbols = symbols.field(&format!("bant.{slot}"), Type::String);
    }
    symbols
}

/// The named lists that conditions may look into as `@name`.
pub type Lists = BTreeMap<String, Vec<String>>;

/// A checked condition.
#[derive(Debug, Clone)]
pub struct Condition {
    expr: Expr,
    written: String,
    calls: Vec<Asked>,
    lists: Arc<Lists>,
}

/// A call as it is written: of which function, about what.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    function: Function,
    call: Call,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    /// `event()` and `decision()`: whether it happened.
    Happened,
    Count,
    Seconds,
}

impl Condition {
    /// Reads a condition; what is wrong with it goes to the report, with its place inside the line.
    pub fn read(view: View<'_>, symbols: Symbols) -> Option<Self> {
        Self::read_with(view, symbols, &Arc::default())
    }

    /// As [`read`](Self::read), where lists can be named: `contact.industry in @our_industries`.
    pub fn read_with(view: View<'_>, symbols: Symbols, lists: &Arc<Lists>) -> Option<Self> {
        let table = match symbols {
            Symbols::Activity => &*ACTIVITY,
            Symbols::Facts => &*FACTS,
            Symbols::Stage => &*STAGE,
        };
        Self::read_about(view, table, lists, &Aliases::new())
    }

    /// Reads a condition about activities of a kind: where it is known what stands beside them, nothing else may be named.
    pub fn read_of_kind(view: View<'_>, kind: &str, lists: &Arc<Lists>) -> Option<Self> {
        let Some(props) = kinds::props(kind) else { return Self::read_with(view, Symbols::Activity, lists) };
        let table = expr::Symbols::new().field("subject", Type::String);
        let table = props.iter().fold(table, |table, name| table.field(&format!("props.{name}"), Type::Any));
        Self::read_about(view, &table, lists, &Aliases::new())
    }

    /// As [`read_with`](Self::read_with), with a table of names of one's own. Where it asks for the `stage`, an alias
    /// stands for its stage.
    pub fn read_about(
        view: View<'_>,
        table: &expr::Symbols,
        lists: &Arc<Lists>,
        aliases: &Aliases,
    ) -> Option<Self> {
        let Some(text) = view.text() else { return view.wrong("a condition") };
        let (plain, named) = without_at_signs(&text.text);
        let mut table = table.clone();
        let mut is_wrong = false;
        for (at, name) in named {
            // A list that is not there is one all the same for what else is written about it.
            table = table.field(&format!("_{name}"), Type::list(Type::String));
            if !lists.contains_key(&name) {
                is_wrong = true;
                view.report
                    .error(&text.content.right(at), "L108", format!("there is no list \"@{name}\""))
                    .did_you_mean(&name, lists.keys().map(String::as_str));
            }
        }
        let mut calls = Vec::new();
        let expr = Expr::condition_with(&plain, &text.content, &table, view.report, &mut |site, at| {
            calls.extend(asked(site, at, view.report));
        });
        let expr = expr.filter(|_| !is_wrong)?;
        // What is wrong was told at its place; what is evaluated asks for stages by their names.
        let meant = alias::named(&plain, aliases);
        let expr = match meant == plain {
            true => expr,
            false => Expr::condition(&meant, &text.content, &table, &Report::new())?,
        };
        Some(Self { expr, written: text.text.clone(), calls, lists: lists.clone() })
    }

    /// Whether it holds; what cannot be evaluated does not hold.
    pub fn holds(&self, scope: &Scope) -> bool {
        self.in_context(&scope.context)
    }

    /// Whether it holds for one contact at one moment.
    pub fn holds_at(&self, moment: &Moment<'_>) -> bool {
        match self.expr.native() {
            Some(native) if self.calls.len() == self.expr.call_sites().len() => {
                native.holds(&Bound { condition: self, moment })
            }
            _ => self.holds(&moment.scope(&self.calls)),
        }
    }

    /// Whether it holds for one activity.
    pub fn holds_for(&self, activity: &Activity) -> bool {
        match self.expr.native() {
            Some(native) => native.holds(&BoundActivity { condition: self, activity }),
            None => self.holds(&Scope::of_activity(activity)),
        }
    }

    fn in_context(&self, context: &Context) -> bool {
        if self.lists.is_empty() {
            return self.expr.holds(context);
        }
        let mut context = context.clone();
        for (name, texts) in self.lists.iter() {
            context.set(&format!("_{name}"), json!(texts));
        }
        self.expr.holds(&context)
    }

    /// The condition as it was written.
    pub fn text(&self) -> &str {
        &self.written
    }

    /// What it says, as a tree; nothing if it uses more of the language than can be put into words.
    pub fn shape(&self) -> Option<Shape> {
        self.expr.shape()
    }

    /// Whether it reads a field.
    pub fn reads(&self, field: &str) -> bool {
        self.expr.uses().iter().any(|used| used.path == field)
    }

    /// Whether it reads what stands beside an activity: then another one of the same subject may be told otherwise.
    pub fn reads_details(&self) -> bool {
        self.fields().any(|path| path == "props" || path.starts_with("props."))
    }

    /// The fields that it reads, in the order in which they are written.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.expr.uses().iter().map(|used| used.path.as_str())
    }

    /// What its `event()` and `decision()` ask for.
    pub fn happenings(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|asked| asked.function == Function::Happened).map(|asked| &asked.call)
    }

    /// What all of its calls ask for.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().map(|asked| &asked.call)
    }

    /// The numbers that are written in it.
    pub fn numbers(&self) -> Vec<f64> {
        self.expr.numbers()
    }

    /// Whether it could hold for somebody with these points of engagement, whatever else is so.
    pub fn could_hold_at(&self, level: Level, points: f64) -> bool {
        let known = |path: &str| match path {
            "engagement" => Some(Val::Int(level.0.into())),
            "engagement_points" => Some(Val::Float(points)),
            _ => None,
        };
        self.expr.native().is_none_or(|native| native.could_hold(&known))
    }

    /// Whether it could hold for somebody of whom no qualifying question is answered, whatever else is so.
    pub fn could_hold_unqualified(&self) -> bool {
        let known = |path: &str| match path {
            "bant_known" | "bant_positive" => Some(Val::Int(0)),
            _ => path.starts_with("bant.").then_some(Val::Text("")),
        };
        self.expr.native().is_none_or(|native| native.could_hold(&known))
    }

    /// Whether it may come to hold by waiting alone.
    pub fn may_come_to_hold(&self) -> bool {
        self.expr.native().is_none_or(|native| native.may_come_to_hold())
    }

    /// Whether it can hold at all for somebody who never did anything of these kinds.
    pub fn can_hold_without(&self, is_never: &dyn Fn(&Call) -> bool) -> bool {
        let never = |index: usize| self.calls.get(index).is_some_and(|asked| is_never(&asked.call));
        self.expr.native().is_none_or(|native| native.can_hold_without(&never))
    }
}

/// The condition as CEL has it: `@name` becomes `_name`, as long as before; and the names with their places.
fn without_at_signs(text: &str) -> (String, Vec<(u32, String)>) {
    let mut plain = String::with_capacity(text.len());
    let mut named = Vec::new();
    let mut quote = None;
    let mut chars = text.chars().zip(0..).peekable();
    while let Some((char, at)) = chars.next() {
        match (char, quote) {
            ('\\', Some(_)) => {
                plain.push(char);
                if let Some((next, _)) = chars.next() {
                    plain.push(next);
                }
                continue;
            }
            ('"' | '\'', None) => quote = Some(char),
            (end, Some(begin)) if end == begin => quote = None,
            ('@', None) => {
                plain.push('_');
                let mut name = String::new();
                while let Some((next, _)) =
                    chars.next_if(|(next, _)| next.is_ascii_alphanumeric() || *next == '_')
                {
                    name.push(next);
                }
                plain.push_str(&name);
                named.push((at, name));
                continue;
            }
            _ => {}
        }
        plain.push(char);
    }
    (plain, named)
}

/// Tells of a kind that nobody writes (L106).
pub(super) fn tell_doubt(kind: &str, at: &Mark, report: &Report) {
    if let Some(doubt) = kinds::doubt(kind) {
        let message = format!("nothing in the product is called \"{kind}\"");
        report.warning(at, "L106", message).hint(doubt.hint());
    }
}

/// Reads a call, and tells what is wrong with its texts at their places: each for itself, whatever the others are.
fn asked(site: &CallSite, at: &dyn Fn(usize) -> Mark, report: &Report) -> Option<Asked> {
    let function = match site.name.as_str() {
        "event" | "decision" => Function::Happened,
        "count" => Function::Count,
        "seconds" => Function::Seconds,
        _ => return None,
    };
    if site.name != "decision" {
        let text = |index: usize| site.arguments.get(index).and_then(Option::as_deref);
        if let Some(kind) = text(0) {
            tell_doubt(kind, &at(0), report);
        }
        if text(1).is_some_and(|window| duration_ms(window).is_none()) {
            report.error(&at(1), "L105", "the window is no length of time").hint("write 90d, 24h or 30m");
        }
    }
    let arguments: Vec<Value> =
        site.arguments.iter().map(|text| text.clone().map(Value::from)).collect::<Option<_>>()?;
    call(&site.name, &arguments).ok().map(|call| Asked { function, call })
}

/// Both axes, for whoever asks for one of them.
pub trait Bands {
    /// The grade of fit and its points.
    fn fit(&self) -> (Grade, f64);
    /// The level of engagement and its points.
    fn engagement(&self) -> (Level, f64);
}

impl Bands for Score {
    fn fit(&self) -> (Grade, f64) {
        (self.fit.band, self.fit.points)
    }

    fn engagement(&self) -> (Level, f64) {
        (self.engagement.band, self.engagement.points)
    }
}

/// One contact at one moment, as conditions see her.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// The facts, see [`Facts::values`].
    pub values: &'a Context,
    /// What she did.
    pub history: &'a History,
    /// Her scores; none where conditions must not ask for them.
    pub bands: Option<&'a dyn Bands>,
    /// Of `event()` and `decision()` only what happened after this counts: what had led to a stage that was taken back
    /// must not lead there again.
    pub since: Option<Timestamp>,
    /// Whether `count()` and `seconds()` too count only what happened after `since`.
    pub counts_since: bool,
    /// Calls of `event()` and `decision()` to which the answer is yes.
    pub pretended: &'a [Call],
    /// The moment.
    pub now: Timestamp,
}

impl Moment<'_> {
    /// The same for the interpreter, with the activities that these calls may ask for.
    fn scope(&self, calls: &[Asked]) -> Scope {
        let is_asked =
            |activity: &&Activity| calls.is_empty() || calls.iter().any(|a| activity.is(&a.call.kind));
        let from = self.since.filter(|_| self.counts_since);
        let is_new = |activity: &&Activity| from.is_none_or(|from| activity.at > from);
        let activities: Vec<Activity> =
            self.history.iter().filter(is_asked).filter(is_new).cloned().collect();
        let mut scope =
            Scope::build(self.values.clone(), activities.into(), self.pretended, self.since, self.now);
        scope.context.set(LEVEL, self.history.level(self.now));
        if let Some(bands) = self.bands {
            scope.set_bands(bands);
            scope.context.set("identified", true);
        }
        scope
    }
}

/// A condition that is asked of a contact.
struct Bound<'a> {
    condition: &'a Condition,
    moment: &'a Moment<'a>,
}

impl World for Bound<'_> {
    fn field(&self, path: &str) -> Val<'_> {
        let bands = self.moment.bands;
        let of_bands = |value: &dyn Fn(&dyn Bands) -> Val<'static>| bands.map_or(Val::Absent, value);
        match path {
            "identified" => of_bands(&|_| Val::Bool(true)),
            "fit" => of_bands(&|bands| Val::Text(bands.fit().0.letter())),
            "fit_points" => of_bands(&|bands| Val::Float(bands.fit().1)),
            "engagement" => of_bands(&|bands| Val::Int(bands.engagement().0.0.into())),
            "engagement_points" => of_bands(&|bands| Val::Float(bands.engagement().1)),
            LEVEL => Val::Text(self.moment.history.level(self.moment.now)),
            _ => val(self.moment.values.get(path)),
        }
    }

    fn list(&self, path: &str) -> &[String] {
        self.condition.list(path)
    }

    fn call(&self, index: usize) -> Option<Val<'_>> {
        let Moment { history, now, since, pretended, .. } = *self.moment;
        let asked = self.condition.calls.get(index)?;
        let counted = || {
            let from = since.filter(|_| self.moment.counts_since);
            history
                .within(&asked.call, now)
                .filter(move |activity| from.is_none_or(|from| activity.at > from))
        };
        Some(match asked.function {
            Function::Happened => Val::Bool(
                pretended.contains(&asked.call) || history.answer(&asked.call, since, now).is_some(),
            ),
            Function::Count if self.moment.counts_since => Val::Int(i64::try_from(counted().count()).ok()?),
            Function::Count => Val::Int(i64::try_from(history.count(&asked.call, now)).ok()?),
            Function::Seconds => {
                Val::Float(counted().map(|activity| activity.number("engaged_ms") / 1000.0).sum())
            }
        })
    }
}

/// A condition that is asked of one activity.
struct BoundActivity<'a> {
    condition: &'a Condition,
    activity: &'a Activity,
}

impl World for BoundActivity<'_> {
    fn field(&self, path: &str) -> Val<'_> {
        match path.strip_prefix("props.") {
            Some(name) => val(self.activity.props.get(name)),
            None if path == "subject" => Val::Text(self.activity.subject.as_deref().unwrap_or_default()),
            None => Val::Absent,
        }
    }

    fn list(&self, path: &str) -> &[String] {
        self.condition.list(path)
    }

    fn call(&self, _: usize) -> Option<Val<'_>> {
        None
    }
}

impl Condition {
    fn list(&self, path: &str) -> &[String] {
        let name = path.strip_prefix('_').unwrap_or(path);
        self.lists.get(name).map(Vec::as_slice).unwrap_or_default()
    }
}

fn val(value: Option<&Value>) -> Val<'_> {
    match value {
        None => Val::Absent,
        Some(Value::Bool(yes)) => Val::Bool(*yes),
        Some(Value::String(text)) => Val::Text(text),
        Some(Value::Number(n)) => n.as_i64().map_or(Val::Float(n.as_f64().unwrap_or(0.0)), Val::Int),
        Some(Value::Null | Value::Array(_) | Value::Object(_)) => Val::Other,
    }
}

/// What a condition depends on: when it has to be asked again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Concerns {
    /// Kinds of activities that it asks for.
    pub kinds: BTreeSet<String>,
    /// It asks for a kind that stands in no text.
    pub any_kind: bool,
    /// It reads facts about the person or the company.
    pub facts: bool,
    /// It reads a score, which fades.
    pub scores: bool,
    /// It reads the stage.
    pub stage: bool,
}

impl Condition {
    /// What it depends on.
    pub fn concerns(&self) -> Concerns {
        let mut concerns =
            Concerns { any_kind: self.calls.len() < self.expr.call_sites().len(), ..Concerns::default() };
        for used in self.expr.uses() {
            match used.path.as_str() {
                "stage" | "customer_state" => concerns.stage = true,
                "fit" | "fit_points" | "engagement" | "engagement_points" => concerns.scores = true,
                "identified" => {}
                // Whatever happens may carry a tag.
                LEVEL => concerns.any_kind = true,
                _ => concerns.facts = true,
            }
            // Where nobody said a country, the latest visit's is taken.
            if ["contact.country", "contact.region"].contains(&used.path.as_str()) {
                concerns.kinds.insert("visit".to_owned());
            }
        }
        concerns.kinds.extend(self.calls().map(|call| call.kind.clone()));
        concerns.any_kind |= self.calls().any(|call| tags::is_made(&call.kind));
        concerns
    }
}

/// A call of `event()` or `decision()` that a condition made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// The kind that was asked for; `decision` for decisions.
    pub kind: String,
    /// What it was about: `ae.accept` for decisions.
    pub subject: Option<String>,
    /// How far back, if it matters.
    pub window_ms: Option<i64>,
}

impl Call {
    /// The newest activity that answers the call with yes.
    pub fn answered_by<'a>(
        &self,
        activities: &'a [Activity],
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<&'a Activity> {
        activities
            .iter()
            .filter(|activity| activity.is(&self.kind) && activity.at <= now)
            .filter(|activity| self.subject.is_none() || activity.subject == self.subject)
            .filter(|activity| self.window_ms.is_none_or(|window| activity.at > now.plus_ms(-window)))
            .filter(|activity| since.is_none_or(|since| activity.at > since))
            .max_by_key(|activity| (activity.at, activity.id))
    }
}

/// What the interpreter sees of one contact, or of one activity.
pub struct Scope {
    context: Context,
}

impl Scope {
    /// One activity, for `where`.
    pub fn of_activity(activity: &Activity) -> Self {
        let mut context = Context::new();
        context.set("subject", activity.subject.clone().unwrap_or_default());
        // As one map and one by one: of some kinds each name is declared.
        for (name, value) in &activity.props {
            context.set(&format!("props.{name}"), value.clone());
        }
        context.set("props", activity.props.clone().into_iter().collect::<serde_json::Map<_, _>>());
        Self { context }
    }

    /// The person as of `now`.
    pub fn of_facts(facts: &Facts, activities: &[Activity], now: Timestamp) -> Self {
        let mut scope = Self::build(facts.values(), activities.into(), &[], None, now);
        let is_seen = |level: &tags::Level| activities.iter().any(|a| a.at <= now && a.is(level.kind()));
        let level = tags::Level::ALL.into_iter().find(is_seen).map_or("", tags::Level::word);
        scope.context.set(LEVEL, level);
        scope
    }

    fn set_bands(&mut self, bands: &dyn Bands) {
        let (fit, fit_points) = bands.fit();
        let (engagement, engagement_points) = bands.engagement();
        self.context
            .set("fit", fit.letter())
            .set("fit_points", fit_points)
            .set("engagement", engagement.0)
            .set("engagement_points", engagement_points);
    }

    fn build(
        context: Context,
        activities: Arc<[Activity]>,
        pretended: &[Call],
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        let mut context = context;
        let pretended: Arc<[Call]> = pretended.into();
        for name in ["event", "decision"] {
            let (activities, pretended) = (activities.clone(), pretended.clone());
            context.function(name, move |arguments| {
                let call = call(name, arguments)?;
                let yes = pretended.contains(&call) || call.answered_by(&activities, since, now).is_some();
                Ok(yes.into())
            });
        }
        let of_count = activities.clone();
        context.function("count", move |arguments| {
            let call = call("count", arguments)?;
            Ok(json!(within(&of_count, &call, now).count()))
        });
        context.function("seconds", move |arguments| {
            let call = call("seconds", arguments)?;
            let seconds: f64 = within(&activities, &call, now).map(|a| a.number("engaged_ms") / 1000.0).sum();
            Ok(json!(seconds))
        });
        Self { context }
    }
}

fn within<'a>(
    activities: &'a [Activity],
    call: &'a Call,
    now: Timestamp,
) -> impl Iterator<Item = &'a Activity> {
    activities
        .iter()
        .filter(move |activity| activity.is(&call.kind) && activity.at <= now)
        .filter(move |activity| call.window_ms.is_none_or(|window| activity.at > now.plus_ms(-window)))
}

/// Reads the arguments of a call.
fn call(function: &str, arguments: &[Value]) -> Result<Call, String> {
    let text = |index: usize| arguments.get(index).and_then(Value::as_str);
    let first = text(0).ok_or("the first value must be a text")?.to_owned();
    if function == "decision" {
        let what = text(1).ok_or("decision() wants a role and what it decided")?;
        return Ok(Call {
            kind: "decision".to_owned(),
            subject: Some(format!("{first}.{what}")),
            window_ms: None,
        });
    }
    let window_ms = match text(1) {
        Some(window) => {
            Some(duration_ms(window).ok_or_else(|| format!("\"{window}\" is no length of time"))?)
        }
        None => None,
    };
    Ok(Call { kind: first, subject: None, window_ms })
}
