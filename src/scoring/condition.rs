//! Conditions of the lifecycle: what they may name, and what that means for one contact.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock, Mutex};

use serde_json::{Value, json};

use super::facts::{Activity, BANT, Facts};
use super::score::Score;
use crate::base::diagnostic::nearest;
use crate::base::expr::{self, Context, Expr, Type};
use crate::base::time::Timestamp;
use crate::base::yaml::{Text, View, duration_ms};

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
];

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
        .field("contact.language", Type::one_of(["en", "es"]))
        .field("company.domain", Type::String)
        .field("company.employees", Type::Int)
        .field("company.industry", Type::String)
        .field("company.country", Type::String)
        .field("company.revenue", Type::String)
        .field("company.is_customer", Type::Bool)
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

/// A checked condition.
#[derive(Debug, Clone)]
pub struct Condition(Expr);

impl Condition {
    /// Reads a condition; what is wrong with it goes to the report, with its place inside the line.
    pub fn read(view: View<'_>, symbols: Symbols) -> Option<Self> {
        let Some(text) = view.text() else { return view.wrong("a condition") };
        let table = match symbols {
            Symbols::Activity => &*ACTIVITY,
            Symbols::Facts => &*FACTS,
            Symbols::Stage => &*STAGE,
        };
        Self::checked(view, text, table)
    }

    /// As [`Condition::read`], with a table of names of one's own.
    pub fn read_with(view: View<'_>, symbols: &expr::Symbols) -> Option<Self> {
        let Some(text) = view.text() else { return view.wrong("a condition") };
        Self::checked(view, text, symbols)
    }

    fn checked(view: View<'_>, text: &Text, symbols: &expr::Symbols) -> Option<Self> {
        let expr = Expr::condition(&text.text, &text.content, symbols, view.report)?;
        let condition = Self(expr);
        condition.check_calls(view);
        Some(condition)
    }

    /// Tries the condition once with everything true and once with everything false, to see what it asks for.
    fn check_calls(&self, view: View<'_>) {
        let mut complaints = BTreeSet::new();
        let mut kinds = BTreeSet::new();
        for pretend in [Pretend::Everything, Pretend::Nothing] {
            let probe = Scope::probe(pretend);
            let (_, trouble) = self.0.holds_because(&probe.context);
            for call in probe.calls() {
                kinds.insert(call.kind);
            }
            if let Some(trouble) = trouble.filter(|trouble| trouble.contains(NO_WINDOW)) {
                complaints.insert(trouble);
            }
        }
        for _ in complaints {
            view.error("L105", "the window is no length of time").hint("write 90d, 24h or 30m");
        }
        for kind in kinds.into_iter().filter(|kind| !KINDS.contains(&kind.as_str())) {
            // A site's own event is as good as ours; only what looks like a slip of the finger is told.
            if let Some(near) = nearest(&kind, KINDS.iter().copied()) {
                view.report
                    .warning(view.at(), "L106", format!("nothing in the product is called \"{kind}\""))
                    .hint(format!("did you mean \"{near}\"?"));
            }
        }
    }

    /// Whether it holds; what cannot be evaluated does not hold.
    pub fn holds(&self, scope: &Scope) -> bool {
        self.0.holds(&scope.context)
    }

    /// The condition as it was written.
    pub fn text(&self) -> &str {
        self.0.text()
    }

    /// The fields that it reads.
    pub fn reads(&self, field: &str) -> bool {
        self.0.uses().iter().any(|used| used.path == field)
    }
}

/// What a condition depends on: when it has to be asked again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Concerns {
    /// Kinds of activities that it asks for.
    pub kinds: BTreeSet<String>,
    /// It asks for a kind that stands in no text.
    pub any_kind: bool,
    /// Its calls that look back for a while only: their answers change with time alone.
    pub windows: Vec<Window>,
    /// It reads facts about the person or the company.
    pub facts: bool,
    /// It reads a score, which fades.
    pub scores: bool,
    /// It reads the stage.
    pub stage: bool,
}

/// A call that looks back for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The kind of activities.
    pub kind: String,
    /// How far back.
    pub length_ms: i64,
    /// It asks only whether there was any: then the newest alone decides.
    pub newest_only: bool,
}

impl Condition {
    /// What it depends on.
    pub fn concerns(&self) -> Concerns {
        let mut concerns = Concerns::default();
        for used in self.0.uses() {
            match used.path.as_str() {
                "stage" => concerns.stage = true,
                "fit" | "fit_points" | "engagement" | "engagement_points" => concerns.scores = true,
                "identified" => {}
                _ => concerns.facts = true,
            }
            // Where nobody said a country, the latest visit's is taken.
            if used.path == "contact.country" {
                concerns.kinds.insert("visit".to_owned());
            }
        }
        for call in self.0.called() {
            let text = |index: usize| call.texts.get(index).cloned().flatten();
            if call.name == "decision" {
                concerns.kinds.insert(call.name);
                continue;
            }
            let Some(kind) = text(0) else {
                concerns.any_kind = true;
                continue;
            };
            if let Some(length_ms) = text(1).as_deref().and_then(duration_ms) {
                let newest_only = call.name == "event";
                concerns.windows.push(Window { kind: kind.clone(), length_ms, newest_only });
            }
            concerns.kinds.insert(kind);
        }
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
            .filter(|activity| activity.kind == self.kind && activity.at <= now)
            .filter(|activity| self.subject.is_none() || activity.subject == self.subject)
            .filter(|activity| self.window_ms.is_none_or(|window| activity.at > now.plus_ms(-window)))
            .filter(|activity| since.is_none_or(|since| activity.at > since))
            .max_by_key(|activity| (activity.at, activity.id))
    }
}

/// What conditions see of one contact (or of one activity), and what they asked for.
pub struct Scope {
    context: Context,
    calls: Arc<Mutex<BTreeSet<Call>>>,
}

/// What a probe answers to `event()` and `decision()`.
#[derive(Clone)]
enum Pretend {
    Everything,
    Nothing,
}

const NO_WINDOW: &str = "is no length of time";

impl Scope {
    /// One activity, for `where`.
    pub fn of_activity(activity: &Activity) -> Self {
        let mut context = Context::new();
        context.set("subject", activity.subject.clone().unwrap_or_default());
        context.set("props", activity.props.clone().into_iter().collect::<serde_json::Map<_, _>>());
        Self { context, calls: Arc::default() }
    }

    /// The person as of `now`.
    pub fn of_facts(facts: &Facts, activities: &[Activity], now: Timestamp) -> Self {
        Self::build(facts, activities, &[], None, now)
    }

    /// The person with her scores. Of `event()` and `decision()` only what happened after `since` counts: what had
    /// led to a stage that was taken back must not lead there again. Of `pretended` calls the answer is yes.
    pub fn of_stage(
        facts: &Facts,
        activities: &[Activity],
        score: &Score,
        since: Option<Timestamp>,
        pretended: &[Call],
        now: Timestamp,
    ) -> Self {
        let mut scope = Self::build(facts, activities, pretended, since, now);
        scope.set_bands(score);
        scope.context.set("identified", true);
        scope
    }

    /// Lets conditions see the stage.
    #[must_use]
    pub fn with_stage(mut self, stage: &str) -> Self {
        self.context.set("stage", stage);
        self
    }

    fn set_bands(&mut self, score: &Score) {
        self.context.set("fit", score.fit.band.letter());
        self.context.set("fit_points", score.fit.points);
        self.context.set("engagement", score.engagement.band.0);
        self.context.set("engagement_points", score.engagement.points);
    }

    /// The calls of `event()` and `decision()` since the scope was made.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().map(|calls| calls.iter().cloned().collect()).unwrap_or_default()
    }

    fn build(
        facts: &Facts,
        activities: &[Activity],
        pretended: &[Call],
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        let mut context = Context::new();
        context
            .set("contact.email_domain", facts.email_domain.as_str())
            .set("contact.corporate_email", facts.corporate_email)
            .set("contact.job_title", facts.job_title.as_str())
            .set("contact.seniority", facts.seniority.as_str())
            .set("contact.department", facts.department.as_str())
            .set("contact.employees", facts.employees)
            .set("contact.industry", facts.industry.as_str())
            .set("contact.country", facts.country.as_str())
            .set("contact.language", facts.language.as_str())
            .set("company.domain", facts.company.domain.as_str())
            .set("company.employees", facts.company.employees)
            .set("company.industry", facts.company.industry.as_str())
            .set("company.country", facts.company.country.as_str())
            .set("company.revenue", facts.company.revenue.as_str())
            .set("company.is_customer", facts.company.is_customer)
            .set("bant_known", facts.bant_known())
            .set("bant_positive", facts.bant_positive());
        for slot in BANT {
            let answer = facts.bant.get(slot).cloned().unwrap_or_default();
            context.set(&format!("bant.{slot}"), answer);
        }
        let activities: Arc<[Activity]> = activities.into();
        let calls: Arc<Mutex<BTreeSet<Call>>> = Arc::default();
        let pretended: Arc<[Call]> = pretended.into();

        for name in ["event", "decision"] {
            let (activities, calls, pretended) = (activities.clone(), calls.clone(), pretended.clone());
            context.function(name, move |arguments| {
                let call = call(name, arguments)?;
                let yes = pretended.contains(&call) || call.answered_by(&activities, since, now).is_some();
                if let Ok(mut calls) = calls.lock() {
                    calls.insert(call);
                }
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
        Self { context, calls }
    }

    fn probe(pretend: Pretend) -> Self {
        let mut scope = Self::build(&Facts::default(), &[], &[], None, Timestamp(0));
        let yes = match pretend {
            Pretend::Everything => true,
            Pretend::Nothing => false,
        };
        for name in ["event", "decision"] {
            let calls = scope.calls.clone();
            scope.context.function(name, move |arguments| {
                let call = call(name, arguments);
                let named = arguments.first().and_then(Value::as_str).unwrap_or_default();
                let noted =
                    call.clone().unwrap_or(Call { kind: named.to_owned(), subject: None, window_ms: None });
                if let Ok(mut calls) = calls.lock() {
                    calls.insert(noted);
                }
                call.map(|_| yes.into())
            });
        }
        for field in ["identified", "contact.corporate_email"] {
            scope.context.set(field, yes);
        }
        scope.context.set("fit", if yes { "A" } else { "D" });
        scope.context.set("engagement", if yes { 1 } else { 4 });
        scope.context.set("fit_points", if yes { 100.0 } else { 0.0 });
        scope.context.set("engagement_points", if yes { 100.0 } else { 0.0 });
        scope
    }
}

fn within<'a>(
    activities: &'a [Activity],
    call: &'a Call,
    now: Timestamp,
) -> impl Iterator<Item = &'a Activity> {
    activities
        .iter()
        .filter(move |activity| activity.kind == call.kind && activity.at <= now)
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
        Some(window) => Some(duration_ms(window).ok_or_else(|| format!("\"{window}\" {NO_WINDOW}"))?),
        None => None,
    };
    Ok(Call { kind: first, subject: None, window_ms })
}
