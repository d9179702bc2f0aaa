//! The score of one contact at one moment: a pure function of the definition, the facts and the activities.
//!
//! Nothing is stored and nothing decays over night. A row's points fade by half each half-life, `p * 0.5^(age / h)`,
//! computed when somebody asks, so that the score at any past or future time is exact and a replay gives the same.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::condition::Scope;
use super::definition::{Definition, EngagementRule, Trigger};
use super::facts::{Activity, Facts};
use crate::base::ids::ActivityId;
use crate::base::localized::Localized;
use crate::base::time::{DAY_MS, Timestamp};

/// Both axes. They are never added up.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// Who they are.
    pub fit: Axis<Grade>,
    /// What they did.
    pub engagement: Axis<Level>,
}

/// One axis: its points are the sum of its rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Axis<B> {
    /// Points from 0 to the axis' cap, to the hundredth.
    pub points: f64,
    /// The band that the points fall into.
    pub band: B,
    /// What made the points, caps included.
    pub rows: Vec<Row>,
}

/// The band of fit: A is best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Grade {
    /// Fits best.
    A,
    /// Fits well.
    B,
    /// Fits in part.
    C,
    /// Does not fit, or we do not know.
    D,
}

impl Grade {
    /// Every grade, best first.
    pub const ALL: [Self; 4] = [Self::A, Self::B, Self::C, Self::D];

    /// The letter.
    pub fn letter(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
        }
    }
}

/// The band of engagement: 1 is most engaged, 4 least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Level(pub u8);

impl Level {
    /// Every level, the most engaged first.
    pub const ALL: [Self; 4] = [Self(1), Self(2), Self(3), Self(4)];
}

/// One reason for points.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The rule, such as `eng.pricing`; caps are `cap.GROUP`, `cap.total` and `floor`.
    pub rule: String,
    /// The rule in words.
    pub label: Localized,
    /// Points of the rule before decay.
    pub full_points: f64,
    /// Points that count now, to the hundredth.
    pub points: f64,
    /// What happened, for rules that are set off by an activity.
    pub evidence: Option<Evidence>,
}

/// The activity behind a row or behind a stage.
#[derive(Debug, Clone, PartialEq, Serialize, serde::Deserialize)]
pub struct Evidence {
    /// The activity.
    pub activity: ActivityId,
    /// Its kind, such as `webinar.registered`.
    pub kind: String,
    /// What it was about, such as the webinar's id.
    pub subject: Option<String>,
    /// When it happened.
    pub at: Timestamp,
}

impl Evidence {
    /// The evidence that an activity gives.
    pub fn of(activity: &Activity) -> Self {
        Self {
            activity: activity.id,
            kind: activity.kind.clone(),
            subject: activity.subject.clone(),
            at: activity.at,
        }
    }
}

/// Scores a contact as of `now`; activities after `now` are not known yet.
pub fn score(definition: &Definition, facts: &Facts, activities: &[Activity], now: Timestamp) -> Score {
    Score {
        fit: fit(definition, facts, activities, now),
        engagement: match facts.profiling_off {
            true => objected(definition),
            false => engagement(definition, facts, activities, now),
        },
    }
}

/// The rule of the one row that somebody who objects to being profiled has.
pub const PROFILING_OFF: &str = "profiling.off";

/// The engagement of somebody who objects to being profiled (GDPR, article 21): none, and a row that says why.
fn objected(definition: &Definition) -> Axis<Level> {
    let row = Row {
        rule: PROFILING_OFF.to_owned(),
        label: Localized::new(
            "Objects to being profiled".to_owned(),
            "Se opone a que se haga un perfil suyo".to_owned(),
        ),
        full_points: 0.0,
        points: 0.0,
        evidence: None,
    };
    Axis { points: 0.0, band: definition.engagement.level(0.0), rows: vec![row] }
}

fn fit(definition: &Definition, facts: &Facts, activities: &[Activity], now: Timestamp) -> Axis<Grade> {
    let scope = Scope::of_facts(facts, activities, now);
    let mut rows: Vec<Row> = definition
        .fit
        .rules
        .iter()
        .filter(|rule| rule.condition.holds(&scope))
        .map(|rule| Row {
            rule: rule.id.clone(),
            label: rule.label.clone(),
            full_points: rule.points,
            points: hundredths(rule.points),
            evidence: None,
        })
        .collect();
    let points = bound(&mut rows, definition.fit.cap);
    Axis { points, band: definition.fit.grade(points), rows }
}

fn engagement(
    definition: &Definition,
    facts: &Facts,
    activities: &[Activity],
    now: Timestamp,
) -> Axis<Level> {
    let scope = Scope::of_facts(facts, activities, now);
    let mut by_group: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
    for rule in &definition.engagement.rules {
        let rows = match &rule.trigger {
            Trigger::When(condition) if condition.holds(&scope) => vec![row_of_state(rule)],
            Trigger::When(_) => Vec::new(),
            Trigger::On { .. } => rows_of_activities(definition, rule, activities, now),
        };
        by_group.entry(&rule.group).or_default().extend(rows);
    }
    let mut rows = Vec::new();
    for (group, mut of_group) in by_group {
        if let Some(group) = definition.engagement.groups.iter().find(|known| known.id == group) {
            cap(&mut of_group, &format!("cap.{}", group.id), &group.label, group.cap);
        }
        rows.extend(of_group);
    }
    let points = bound(&mut rows, definition.engagement.cap);
    Axis { points, band: definition.engagement.level(points), rows }
}

fn row_of_state(rule: &EngagementRule) -> Row {
    Row {
        rule: rule.id.clone(),
        label: rule.label.clone(),
        full_points: rule.points,
        points: hundredths(rule.points),
        evidence: None,
    }
}

/// The rows of a rule that activities set off, newest first: where a limit bites, the newest count.
fn rows_of_activities(
    definition: &Definition,
    rule: &EngagementRule,
    activities: &[Activity],
    now: Timestamp,
) -> Vec<Row> {
    let Trigger::On { kind, condition } = &rule.trigger else { return Vec::new() };
    let window_from = now.plus_ms(-definition.engagement.window_ms);
    let half_life_ms = rule.half_life_ms.unwrap_or(definition.engagement.half_life_ms);
    let mut matching: Vec<&Activity> = activities
        .iter()
        .filter(|activity| activity.kind == *kind && activity.at <= now && activity.at > window_from)
        .filter(|activity| {
            condition.as_ref().is_none_or(|condition| condition.holds(&Scope::of_activity(activity)))
        })
        .collect();
    matching.sort_by_key(|activity| std::cmp::Reverse((activity.at, activity.id)));

    let mut per_day: BTreeMap<i64, u32> = BTreeMap::new();
    let mut subjects = BTreeSet::new();
    let mut total = 0.0;
    let mut rows = Vec::new();
    for activity in matching {
        if rule.once_per_subject && !subjects.insert(activity.subject.as_deref()) {
            continue;
        }
        if let Some(most) = rule.max_per_day {
            let today = per_day.entry(activity.at.0.div_euclid(DAY_MS)).or_default();
            if *today >= most {
                continue;
            }
            *today += 1;
        }
        if rule.max_total.is_some_and(|most| total + rule.points.abs() > most + 1e-9) {
            break;
        }
        total += rule.points.abs();
        rows.push(Row {
            rule: rule.id.clone(),
            label: rule.label.clone(),
            full_points: rule.points,
            points: hundredths(rule.points * decay(now.since_ms(activity.at), half_life_ms)),
            evidence: Some(Evidence::of(activity)),
        });
    }
    rows
}

/// How much is left after `age_ms`: one half per half-life.
pub(super) fn decay(age_ms: i64, half_life_ms: i64) -> f64 {
    // Seconds fit into an i32 for 68 years, and an i32 is exact in an f64.
    let seconds = |ms: i64| f64::from(i32::try_from(ms / 1000).unwrap_or(i32::MAX));
    0.5_f64.powf(seconds(age_ms) / seconds(half_life_ms).max(1.0))
}

/// Brings the sum of `rows` between 0 and `most`, by rows that say so, and returns it.
fn bound(rows: &mut Vec<Row>, most: f64) -> f64 {
    cap(rows, "cap.total", &Localized::new("Most points of this axis", "Máximo de puntos de este eje"), most);
    let sum = sum(rows);
    if sum < 0.0 {
        rows.push(adjustment("floor", &Localized::new("Never below zero", "Nunca menos de cero"), -sum));
    }
    self::sum(rows)
}

fn cap(rows: &mut Vec<Row>, rule: &str, label: &Localized, most: f64) {
    let over = sum(rows) - most;
    if over > 0.0 {
        rows.push(adjustment(rule, label, -over));
    }
}

fn adjustment(rule: &str, label: &Localized, points: f64) -> Row {
    let points = hundredths(points);
    Row { rule: rule.to_owned(), label: label.clone(), full_points: points, points, evidence: None }
}

fn sum(rows: &[Row]) -> f64 {
    hundredths(rows.iter().map(|row| row.points).sum())
}

/// Rounds to the hundredth, and never to minus zero.
fn hundredths(points: f64) -> f64 {
    (points * 100.0).round() / 100.0 + 0.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::diagnostic::Report;
    use crate::base::email::Email;
    use crate::base::yaml;
    use crate::scoring::definition;

    const RULES: &str = "\
fit:
  cap: 100
  grades: {A: 75, B: 50, C: 25, D: 0}
  rules:
    - {id: fit.role, label: x, if: 'contact.seniority in [\"vp\", \"director\"]', points: 60}
    - {id: fit.free, label: x, if: '!contact.corporate_email', points: -20}
engagement:
  cap: 100
  half_life: 14d
  window: 90d
  levels: {1: 60, 2: 35, 3: 15, 4: 0}
  groups:
    content: {cap: 40, label: Content}
    intent: {cap: 60, label: Intent}
  rules:
    - {id: eng.visit, label: x, on: visit, group: content, points: 3, max_per_day: 1}
    - {id: eng.often, label: x, when: 'count(\"visit\", \"7d\") >= 3', group: content, points: 10}
    - {id: eng.file, label: x, on: asset.downloaded, group: content, points: 10, max_total: 30, once_per: subject}
    - {id: eng.price, label: x, on: page, where: 'subject.startsWith(\"/pricing\")', group: intent, points: 16, half_life: 7d}
    - {id: eng.half, label: x, on: recording.watched, where: 'props.percent >= 50', group: intent, points: 20, once_per: subject}
    - {id: eng.left, label: x, on: unsubscribed, group: intent, points: -30}
";
    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn rules() -> Definition {
        let report = Report::new();
        let doc = yaml::parse("lifecycle.yaml", RULES, &report).expect("a tree");
        let mut map = doc.view(&report).map().expect("a map");
        let definition = definition::read(&mut map);
        assert!(report.is_clean(), "{}", report.text());
        definition.expect("the rules are right")
    }

    fn facts(email: &str, fields: &[(&str, &str)]) -> Facts {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Facts::of(&Email::parse(email).expect("valid"), "en", &fields)
    }

    fn did(kind: &str, subject: &str, ago_ms: i64) -> Activity {
        Activity {
            id: ActivityId::new(),
            kind: kind.to_owned(),
            subject: Some(subject.to_owned()),
            props: BTreeMap::new(),
            at: NOW.plus_ms(-ago_ms),
        }
    }

    fn points(activities: &[Activity]) -> f64 {
        score(&rules(), &facts("nikki@acme.example", &[]), activities, NOW).engagement.points
    }

    #[test]
    fn after_one_half_life_half_of_the_points_are_left() {
        assert_eq!(points(&[did("page", "/pricing", 0)]), 16.0);
        assert_eq!(points(&[did("page", "/pricing", 7 * DAY_MS)]), 8.0);
        assert_eq!(points(&[did("page", "/pricing", 14 * DAY_MS)]), 4.0);
    }

    #[test]
    fn what_lies_outside_the_window_or_in_the_future_counts_nothing() {
        assert_eq!(points(&[did("page", "/pricing", 90 * DAY_MS), did("page", "/pricing", -1)]), 0.0);
    }

    #[test]
    fn a_visit_counts_once_a_day_and_the_third_in_a_week_counts_extra() {
        let day = |n: i64| did("visit", "/", n * DAY_MS);
        assert_eq!(points(&[day(0), did("visit", "/", 1_000)]), 3.0);
        let three = score(&rules(), &facts("a@acme.example", &[]), &[day(0), day(1), day(2)], NOW);
        assert!(three.engagement.rows.iter().any(|row| row.rule == "eng.often" && row.points == 10.0));
    }

    #[test]
    fn the_same_file_counts_once_and_three_files_are_the_most() {
        let files = ["a", "a", "b", "c", "d"].map(|id| did("asset.downloaded", id, 0));
        assert_eq!(points(&files), 30.0);
    }

    #[test]
    fn the_details_of_an_activity_decide_whether_it_counts() {
        let watched = |percent: i64| {
            let mut activity = did("recording.watched", "r", 0);
            activity.props.insert("percent".to_owned(), percent.into());
            activity
        };
        assert_eq!(points(&[watched(49)]), 0.0);
        assert_eq!(points(&[watched(25), watched(50), watched(75)]), 20.0);
        assert_eq!(points(&[did("recording.watched", "r", 0)]), 0.0);
    }

    #[test]
    fn caps_and_the_floor_are_rows_of_their_own() {
        let many: Vec<Activity> = (0..9).map(|n| did("page", "/pricing", n)).collect();
        let capped = score(&rules(), &facts("a@acme.example", &[]), &many, NOW);
        assert_eq!(capped.engagement.points, 60.0);
        assert!(capped.engagement.rows.iter().any(|row| row.rule == "cap.intent" && row.points == -84.0));
        let left = score(&rules(), &facts("a@acme.example", &[]), &[did("unsubscribed", "", 0)], NOW);
        assert_eq!(left.engagement.points, 0.0);
        assert!(left.engagement.rows.iter().any(|row| row.rule == "floor" && row.points == 30.0));
    }

    #[test]
    fn bands_follow_the_points() {
        let vp = score(&rules(), &facts("a@acme.example", &[("job_title", "VP Sales")]), &[], NOW);
        assert_eq!((vp.fit.points, vp.fit.band, vp.engagement.band), (60.0, Grade::B, Level(4)));
        let free = score(&rules(), &facts("a@gmail.com", &[("job_title", "VP Sales")]), &[], NOW);
        assert_eq!((free.fit.points, free.fit.band), (40.0, Grade::C));
    }

    proptest! {
        #[test]
        fn the_rows_of_a_score_add_up_to_it(ages in prop::collection::vec((0_usize..5, 0_i64..100 * DAY_MS), 0..60)) {
            let kinds = ["visit", "asset.downloaded", "page", "recording.watched", "unsubscribed"];
            let activities: Vec<Activity> = ages
                .iter()
                .map(|(kind, age)| {
                    let mut activity = did(kinds[*kind], if age % 2 == 0 { "/pricing" } else { "b" }, *age);
                    activity.props.insert("percent".to_owned(), (age % 100).into());
                    activity
                })
                .collect();
            let score = score(&rules(), &facts("a@acme.example", &[]), &activities, NOW);
            let sum: f64 = score.engagement.rows.iter().map(|row| row.points).sum();
            prop_assert!((sum - score.engagement.points).abs() < 1e-6);
            prop_assert!((0.0..=100.0).contains(&score.engagement.points));
        }

        #[test]
        fn the_order_in_which_activities_are_read_does_not_matter(ages in prop::collection::vec(0_i64..100 * DAY_MS, 0..30)) {
            let mut activities: Vec<Activity> = ages.iter().map(|age| did("page", "/pricing", *age)).collect();
            let forward = points(&activities);
            activities.reverse();
            prop_assert_eq!(forward, points(&activities));
        }
    }
}
