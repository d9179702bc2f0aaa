//! The scoring half of `lifecycle.yaml`: rules, caps, half-lives and bands.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::condition::{Condition, Lists, Symbols, tell_doubt};
use super::facts::Activity;
use super::history::History;
use super::score::{Grade, Level};
use super::tags::Tags;
use super::titles::Titles;
use crate::base::diagnostic::{Mark, Report};
use crate::base::localized::Localized;
use crate::base::time::DAY_MS;
use crate::base::yaml::{Kind, Map, View, is_file_name};

/// Both axes.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Who they are.
    pub fit: Fit,
    /// What they did.
    pub engagement: Engagement,
    /// How facts are read.
    pub facts: Reading,
    /// What pages, files and recordings are about.
    pub tags: Arc<Tags>,
}

impl Definition {
    /// The activities that count, in their order and with their tags: without those of machines where only people's do.
    pub fn history(&self, mut activities: Vec<Activity>) -> History {
        self.tags.put_on(&mut activities);
        if self.engagement.human_only { History::of_people(activities) } else { History::new(activities) }
    }
}

/// How facts are read.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// After how long a fact counts as unknown again, by the field's name.
    pub stale_after_ms: BTreeMap<String, i64>,
    /// What job titles mean here.
    pub titles: Arc<Titles>,
}

/// A file that lies beside the definition's.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    pub name: &'a str,
    /// Its path, for what is wrong there.
    pub path: &'a str,
    pub text: &'a str,
}

/// The axis of fit. Facts do not fade.
#[derive(Debug, Clone)]
pub struct Fit {
    /// Most points.
    pub cap: f64,
    /// Least points for A, B and C; D is the rest.
    pub grades: [f64; 3],
    /// The rules, in the order of the file.
    pub rules: Vec<FitRule>,
}

/// Points for a fact.
#[derive(Debug, Clone)]
pub struct FitRule {
    /// Its name in explanations.
    pub id: String,
    /// Its words in explanations.
    pub label: Localized,
    /// When it counts.
    pub condition: Condition,
    /// Points, negative to take some away.
    pub points: f64,
}

/// The axis of engagement.
#[derive(Debug, Clone)]
pub struct Engagement {
    /// Most points.
    pub cap: f64,
    /// After how long half of the points are left, unless the rule says otherwise.
    pub half_life_ms: i64,
    /// Activities older than this count nothing.
    pub window_ms: i64,
    /// Least points for levels 1, 2 and 3; 4 is the rest.
    pub levels: [f64; 3],
    /// Whether activities count nothing that a machine did, or perhaps did.
    pub human_only: bool,
    /// Groups of rules that share a cap.
    pub groups: Vec<Group>,
    /// The rules, in the order of the file.
    pub rules: Vec<EngagementRule>,
    /// The groups by name, each with its rules: the order of a score's rows. Indices of `groups` and `rules`.
    pub order: Vec<(usize, Vec<usize>)>,
}

/// Rules that together give at most `cap` points.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name.
    pub id: String,
    /// Its words in explanations.
    pub label: Localized,
    /// Most points.
    pub cap: f64,
}

/// Points for what somebody did.
#[derive(Debug, Clone)]
pub struct EngagementRule {
    /// Its name in explanations.
    pub id: String,
    /// Its words in explanations.
    pub label: Localized,
    /// The group whose cap it shares.
    pub group: String,
    /// What sets it off.
    pub trigger: Trigger,
    /// Points, negative to take some away.
    pub points: f64,
    /// After how long half of the points are left, if not as usual.
    pub half_life_ms: Option<i64>,
    /// How often it counts in one day (UTC).
    pub max_per_day: Option<u32>,
    /// Most points of this rule, before decay.
    pub max_total: Option<f64>,
    /// Whether it counts once for each subject (webinar, file, recording), the newest time.
    pub once_per_subject: bool,
}

/// What sets an engagement rule off.
#[derive(Debug, Clone)]
pub enum Trigger {
    /// Each activity of a kind, if the condition holds for it.
    On {
        /// The kind, such as `asset.downloaded`.
        kind: String,
        /// What its subject and props must be like.
        condition: Option<Condition>,
    },
    /// A state of affairs, counted once as long as it holds.
    When(Condition),
}

impl Fit {
    /// The grade that so many points give.
    pub fn grade(&self, points: f64) -> Grade {
        let reached = self.grades.iter().position(|least| points >= *least).unwrap_or(3);
        Grade::ALL.get(reached).copied().unwrap_or(Grade::D)
    }

    /// The least points for a grade.
    pub fn least(&self, grade: Grade) -> f64 {
        let index = Grade::ALL.iter().position(|known| *known == grade);
        index.and_then(|index| self.grades.get(index)).copied().unwrap_or(0.0)
    }
}

impl Engagement {
    /// The level that so many points give.
    pub fn level(&self, points: f64) -> Level {
        let reached = self.levels.iter().position(|least| points >= *least).unwrap_or(3);
        Level::ALL.get(reached).copied().unwrap_or(Level(4))
    }

    /// The least points for a level.
    pub fn least(&self, level: Level) -> f64 {
        let index = Level::ALL.iter().position(|known| *known == level);
        index.and_then(|index| self.levels.get(index)).copied().unwrap_or(0.0)
    }
}

/// Reads `facts`, `fit` and `engagement`; what is wrong goes to the report. `beside` is the file of titles that it names.
pub fn read(map: &mut Map<'_>, lists: &Arc<Lists>, beside: Option<Beside<'_>>) -> Option<Definition> {
    let facts = map.optional("facts").map(|view| facts(view, beside)).unwrap_or_default();
    let fit = map.required("fit").and_then(|view| fit(view, lists));
    let engagement = map.required("engagement").and_then(|view| engagement(view, lists));
    Some(Definition { fit: fit?, engagement: engagement?, facts, tags: Arc::default() })
}

/// The facts that job titles tell.
const OF_TITLES: [&str; 2] = ["seniority", "department"];

/// What is said of facts: `job_title: {stale_after: 365d}`, `seniority: {from: job_title, map: titles.yaml}`.
fn facts(view: View<'_>, beside: Option<Beside<'_>>) -> Reading {
    let Some(map) = view.map() else { return Reading::default() };
    let mut reading = Reading::default();
    let mut mapped: Vec<(&str, View<'_>, String)> = Vec::new();
    for (name, view) in map.entries() {
        let Some(mut map) = view.map() else { continue };
        let file = map.optional("map");
        // Whoever says nothing else of a fact says how long it holds.
        let after = if file.is_some() { map.optional("stale_after") } else { map.required("stale_after") };
        if let Some(after) = after.and_then(length) {
            reading.stale_after_ms.insert(name.value.clone(), after);
        }
        if let Some(file) = file {
            map.required("from").and_then(|from| from.one_of(&["job_title"]));
            if OF_TITLES.contains(&name.value.as_str()) {
                let wanted = "the name of a file beside this one, such as titles.yaml";
                let named = file.parsed(wanted, |text| is_file_name(text).then(|| text.to_owned()));
                mapped.extend(named.map(|named| (name.value.as_str(), file, named)));
            } else {
                let told = OF_TITLES.join(" and the ");
                view.report
                    .error(&name.at, "L112", format!("job titles do not tell the \"{}\"", name.value))
                    .hint(format!("they tell the {told}"));
            }
        }
        map.finish();
    }
    reading.titles = Arc::new(titles(&mapped, beside, view.report));
    reading
}

/// The titles of the one file that all facts name.
fn titles(mapped: &[(&str, View<'_>, String)], beside: Option<Beside<'_>>, report: &Report) -> Titles {
    let Some((_, _, first)) = mapped.first() else { return Titles::default() };
    for (_, view, named) in mapped.iter().filter(|(_, _, named)| named != first) {
        view.error("L115", format!("titles stand in one file: here in \"{named}\", above in \"{first}\""))
            .done();
    }
    let Some(beside) = beside.filter(|beside| beside.name == first.as_str()) else {
        for (_, view, named) in mapped {
            view.error("L115", format!("there is no file \"{named}\" beside this one"))
                .hint("write it, or take `from` and `map` out: common titles are known without");
        }
        return Titles::default();
    };
    let own = Report::new();
    let titles = Titles::parse(beside.path, beside.text, &own).unwrap_or_default();
    // What is wrong there may be what is missed here.
    let is_missed = |fact: &str| !own.has_errors() && !titles.tells(fact);
    for (fact, view, named) in mapped.iter().filter(|(fact, ..)| is_missed(fact)) {
        view.report
            .warning(view.at(), "L116", format!("\"{named}\" says nothing of the {fact}"))
            .hint(format!("write `{fact}:` there, or take `map` out here"));
    }
    report.absorb(own);
    let asked: Vec<&str> = mapped.iter().map(|(fact, ..)| *fact).collect();
    titles.only(&asked)
}

/// Reads `lists`: names, each with its texts.
pub(crate) fn lists(view: View<'_>) -> Lists {
    let Some(map) = view.map() else { return Lists::new() };
    let mut lists = Lists::new();
    for (name, view) in map.entries() {
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.value.is_empty() || !name.value.chars().all(is_word) {
            view.report
                .error(&name.at, "L109", format!("\"{}\" is no name of a list", name.value))
                .hint("small letters, digits and `_`: conditions name it as `@name`");
            continue;
        }
        let texts = view.list().unwrap_or_default().into_iter().filter_map(View::str).collect();
        lists.insert(name.value.clone(), texts);
    }
    lists
}

fn fit(view: View<'_>, lists: &Arc<Lists>) -> Option<Fit> {
    let mut map = view.map()?;
    let cap = map.required("cap").and_then(positive);
    let grades = map.required("grades").and_then(|view| bands(view, ["A", "B", "C", "D"]));
    let mut seen = Vec::new();
    let rules = map.required("rules").and_then(View::list).unwrap_or_default();
    let rules = rules.into_iter().filter_map(|view| fit_rule(view, lists, &mut seen)).collect();
    map.finish();
    Some(Fit { cap: cap?, grades: grades?, rules })
}

fn fit_rule<'a>(view: View<'a>, lists: &Arc<Lists>, seen: &mut Vec<(String, &'a Mark)>) -> Option<FitRule> {
    let mut map = view.map()?;
    let id = map.required("id").and_then(|view| rule_id(view, seen));
    let label = map.required("label").and_then(Localized::read);
    let condition = map.required("if").and_then(|view| Condition::read_with(view, Symbols::Facts, lists));
    let points = map.required("points").and_then(View::float);
    map.finish();
    Some(FitRule { id: id?, label: label?, condition: condition?, points: points? })
}

fn engagement(view: View<'_>, lists: &Arc<Lists>) -> Option<Engagement> {
    let mut map = view.map()?;
    let cap = map.required("cap").and_then(positive);
    let half_life_ms = map.optional("half_life").map_or(Some(14 * DAY_MS), length);
    let window_ms = map.optional("window").map_or(Some(90 * DAY_MS), length);
    let levels = map.required("levels").and_then(|view| bands(view, ["1", "2", "3", "4"]));
    let declared = map.required("groups").and_then(View::map).map(|map| map.entries()).unwrap_or_default();
    let groups: Vec<Group> = declared.iter().filter_map(|(id, view)| group(&id.value, *view)).collect();
    let human_only = map.optional("human_only").and_then(View::bool).unwrap_or(false);
    let mut seen = Vec::new();
    let rules = map.required("rules").and_then(View::list).unwrap_or_default();
    // A group with a mistake is one all the same, and a rule with a mistake uses its group.
    let names: Vec<&str> = declared.iter().map(|(id, _)| id.value.as_str()).collect();
    let used = |id: &str| rules.iter().any(|rule| text_of(*rule, "group") == Some(id));
    for (id, view) in declared.iter().filter(|(id, _)| !used(&id.value)) {
        let message = format!("no rule is of the group \"{}\"", id.value);
        view.report
            .warning(&id.at, "L111", message)
            .hint("take it out, or let a rule have it as its `group`");
    }
    let read = |view| engagement_rule(view, &names, lists, &mut seen);
    let rules: Vec<EngagementRule> = rules.iter().copied().filter_map(read).collect();
    map.finish();
    let mut order: Vec<(usize, Vec<usize>)> = (0..groups.len())
        .map(|group| {
            let id = groups.get(group).map(|group| group.id.as_str());
            let own = |(_, rule): &(usize, &EngagementRule)| Some(rule.group.as_str()) == id;
            (group, rules.iter().enumerate().filter(own).map(|(index, _)| index).collect())
        })
        .collect();
    order.sort_by_key(|(group, _)| groups.get(*group).map(|group| group.id.clone()));
    Some(Engagement {
        cap: cap?,
        half_life_ms: half_life_ms?,
        window_ms: window_ms?,
        levels: levels?,
        human_only,
        groups,
        rules,
        order,
    })
}

/// The text that stands under a key, whatever else is wrong there.
fn text_of<'a>(view: View<'a>, key: &str) -> Option<&'a str> {
    let Kind::Map(entries) = &view.node.kind else { return None };
    let (_, node) = entries.iter().find(|(name, _)| name.value == key)?;
    View { node, report: view.report }.text().map(|text| text.text.as_str())
}

fn group(id: &str, view: View<'_>) -> Option<Group> {
    let mut map = view.map()?;
    let cap = map.required("cap").and_then(positive);
    let label = map.required("label").and_then(Localized::read);
    map.finish();
    Some(Group { id: id.to_owned(), label: label?, cap: cap? })
}

fn engagement_rule<'a>(
    view: View<'a>,
    groups: &[&str],
    lists: &Arc<Lists>,
    seen: &mut Vec<(String, &'a Mark)>,
) -> Option<EngagementRule> {
    let mut map = view.map()?;
    let id = map.required("id").and_then(|view| rule_id(view, seen));
    let label = map.required("label").and_then(Localized::read);
    let group = map.required("group").and_then(|view| {
        let text = view.str()?;
        if !groups.contains(&text.as_str()) {
            let known = groups.iter().copied();
            view.error("L102", format!("there is no group \"{text}\"")).did_you_mean(&text, known);
        }
        Some(text)
    });
    let on = map.optional("on");
    let when = map.optional("when");
    let of_kind = on.and_then(View::text).map(|kind| kind.text.as_str()).unwrap_or_default();
    if let Some(on) = on {
        tell_doubt(of_kind, on.at(), view.report);
    }
    let condition = map.optional("where").map(|view| Condition::read_of_kind(view, of_kind, lists));
    let trigger = match (on, when) {
        (Some(on), None) => match (on.str(), condition) {
            (Some(kind), None) => Some(Trigger::On { kind, condition: None }),
            (Some(kind), Some(Some(condition))) => Some(Trigger::On { kind, condition: Some(condition) }),
            (None, _) | (_, Some(None)) => None,
        },
        (None, Some(when)) => Condition::read_with(when, Symbols::Facts, lists).map(Trigger::When),
        (Some(_), Some(_)) | (None, None) => {
            view.error("L103", "a rule needs either `on` or `when`").hint(
                "`on: webinar.registered` counts each time it happens, `when: …` counts once while it holds",
            );
            None
        }
    };
    let points = map.required("points").and_then(View::float);
    let half_life_ms = map.optional("half_life").and_then(length);
    let max_per_day = map.optional("max_per_day").and_then(|view| {
        view.parsed("a whole number from 1 on", |text| text.parse().ok().filter(|most: &u32| *most > 0))
    });
    let max_total = map.optional("max_total").and_then(positive);
    let once_per_subject = map.optional("once_per").and_then(|view| view.one_of(&["subject"])).is_some();
    map.finish();
    Some(EngagementRule {
        id: id?,
        label: label?,
        group: group?,
        trigger: trigger?,
        points: points?,
        half_life_ms,
        max_per_day,
        max_total,
        once_per_subject,
    })
}

/// A rule's name, which stands once in its list.
pub(crate) fn rule_id<'a>(view: View<'a>, seen: &mut Vec<(String, &'a Mark)>) -> Option<String> {
    let id = view.str()?;
    if !id.split('.').all(crate::base::yaml::is_name) {
        return view.wrong("a name of small letters, digits, `_`, `-` and `.`");
    }
    if let Some((_, first)) = seen.iter().find(|(known, _)| *known == id) {
        view.error("L101", format!("the rule \"{id}\" stands twice"))
            .hint(format!("the first one is at {first}"));
    }
    seen.push((id.clone(), view.at()));
    Some(id)
}

/// Four bands whose least points fall from one to the next and end at 0.
fn bands(view: View<'_>, names: [&'static str; 4]) -> Option<[f64; 3]> {
    let mut map = view.map()?;
    let [first, second, third, last] = names;
    let least = [first, second, third, last].map(|name| map.required(name).and_then(View::float));
    map.finish();
    let [Some(a), Some(b), Some(c), Some(d)] = least else { return None };
    if !(a > b && b > c && c > d && d == 0.0) {
        view.error("L104", format!("the bands {} must fall and end at 0", names.join(", ")))
            .hint(format!("such as {{{first}: 75, {second}: 50, {third}: 25, {last}: 0}}"));
        return None;
    }
    Some([a, b, c])
}

fn positive(view: View<'_>) -> Option<f64> {
    view.parsed("a number above 0", |text| text.parse().ok().filter(|n: &f64| n.is_finite() && *n > 0.0))
}

fn length(view: View<'_>) -> Option<i64> {
    let length = view.duration_ms()?;
    if length <= 0 {
        return view.wrong("a length of time above 0");
    }
    Some(length)
}
