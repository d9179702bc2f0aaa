//! The score of one contact at one moment: a pure function of the definition, the facts and the activities.
//!
//! Nothing is stored and nothing decays over night. A row's points fade by half each half-life, `p * 0.5^(age / h)`,
//! computed when somebody asks, so that the score at any past or future time is exact and a replay gives the same.

use serde::Serialize;

use super::definition::Definition;
use super::facts::{Activity, Facts};
use super::known::Known;
use super::scorer::Scorer;
use crate::base::ids::ActivityId;
use crate::base::localized::Localized;
use crate::base::time::Timestamp;

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
    /// What happened: the activity that set the rule off, or the last of those that its condition counted.
    pub evidence: Option<Evidence>,
    /// The first of what a condition counted, if those were several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Evidence>,
    /// What is known, for rules about facts, and who said it; only where somebody is explained.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Known>,
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
    let (values, history) = (facts.values(), definition.history(activities.to_vec()));
    Scorer::new(definition, &values, &history).score(now)
}

/// The rule of the one row that somebody who objects to being profiled has.
pub const PROFILING_OFF: &str = "profiling.off";

/// The engagement of somebody who objects to being profiled (GDPR, article 21): none, and a row that says why.
pub(super) fn objected(definition: &Definition) -> Axis<Level> {
    let label = Localized::new("Objects to being profiled", "Se opone a que se haga un perfil suyo");
    let row = adjustment(PROFILING_OFF, &label, 0.0);
    Axis { points: 0.0, band: definition.engagement.level(0.0), rows: vec![row] }
}

pub(super) fn most_words() -> Localized {
    Localized::new("Most points of this axis", "Máximo de puntos de este eje")
}

pub(super) fn least_words() -> Localized {
    Localized::new("Never below zero", "Nunca menos de cero")
}

/// How much is left after `age_ms`: one half per half-life.
pub(super) fn decay(age_ms: i64, half_life_ms: i64) -> f64 {
    // Seconds fit into an i32 for 68 years, and an i32 is exact in an f64.
    let seconds = |ms: i64| f64::from(i32::try_from(ms / 1000).unwrap_or(i32::MAX));
    0.5_f64.powf(seconds(age_ms) / seconds(half_life_ms).max(1.0))
}

/// Brings the sum of `rows` between 0 and `most`, by rows that say so, and returns it.
pub(super) fn bound(rows: &mut Vec<Row>, most: f64) -> f64 {
    cap(rows, "cap.total", &most_words(), most);
    let sum = sum(rows);
    if sum < 0.0 {
        rows.push(adjustment("floor", &least_words(), -sum));
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
    Row {
        rule: rule.to_owned(),
        label: label.clone(),
        full_points: points,
        points,
        evidence: None,
        first: None,
        facts: Vec::new(),
    }
}

fn sum(rows: &[Row]) -> f64 {
    hundredths(rows.iter().map(|row| row.points).sum())
}

/// Rounds to the hundredth, and never to minus zero.
pub(super) fn hundredths(points: f64) -> f64 {
    (points * 100.0).round() / 100.0 + 0.0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::base::diagnostic::Report;
    use crate::base::email::Email;
    use crate::base::time::DAY_MS;
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
        let definition = definition::read(&mut map, &Default::default(), None);
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
            tag: None,
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
        let often =
            three.engagement.rows.iter().find(|row| row.rule == "eng.often").expect("three in a week");
        let at = |seen: &Option<Evidence>| seen.as_ref().map(|seen| seen.at);
        assert_eq!((often.points, at(&often.first)), (10.0, Some(NOW.plus_ms(-2 * DAY_MS))));
        assert_eq!(
            at(&often.evidence),
            Some(NOW),
            "a condition names the first and the last of what it counted"
        );
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

    #[test]
    fn the_moment_at_which_points_fall_below_a_mark_is_exact_to_the_millisecond() {
        let (definition, facts) = (rules(), facts("a@acme.example", &[]));
        let (values, history) = (facts.values(), definition.history(vec![did("page", "/pricing", 0)]));
        let scorer = Scorer::new(&definition, &values, &history);
        // 16 points with a half-life of seven days: eight are left after a week, and points are told to the hundredth.
        let falls = scorer.falls_below(8.0, NOW, NOW.plus_ms(90 * DAY_MS)).expect("it falls");
        assert!(falls > NOW.plus_ms(7 * DAY_MS) && falls < NOW.plus_ms(7 * DAY_MS + DAY_MS / 10));
        assert!(scorer.engagement_points(falls) < 8.0);
        assert!(scorer.engagement_points(falls.plus_ms(-1)) >= 8.0);
        let later = falls.plus_ms(5 * DAY_MS);
        assert_eq!(scorer.below_since(8.0, NOW, later), Some(falls), "the way back finds the same moment");
        assert_eq!(scorer.below_since(8.0, NOW, falls.plus_ms(-1)), None);
        assert_eq!(scorer.falls_below(0.0, NOW, NOW.plus_ms(90 * DAY_MS)), None);
    }

    #[test]
    fn what_happens_in_between_lifts_the_points_and_the_time_below_begins_anew() {
        let (definition, facts) = (rules(), facts("a@acme.example", &[]));
        let pages = [20, 3].map(|days| did("page", "/pricing", days * DAY_MS));
        let (values, history) = (facts.values(), definition.history(pages.to_vec()));
        let scorer = Scorer::new(&definition, &values, &history);
        let since = scorer.below_since(15.0, NOW.plus_ms(-30 * DAY_MS), NOW).expect("12 points");
        assert!(since > NOW.plus_ms(-3 * DAY_MS), "{since}");
        assert_eq!(scorer.engagement_points(since), 14.99);
    }

    proptest! {
        #[test]
        fn points_without_rows_are_those_of_the_score(ages in prop::collection::vec((0_usize..5, 0_i64..100 * DAY_MS), 0..60)) {
            let kinds = ["visit", "asset.downloaded", "page", "recording.watched", "unsubscribed"];
            let did = ages.iter().map(|(kind, age)| did(kinds[*kind], "/pricing", *age)).collect();
            let (definition, facts) = (rules(), facts("a@gmail.com", &[("job_title", "VP")]));
            let (values, history) = (facts.values(), definition.history(did));
            let scorer = Scorer::new(&definition, &values, &history);
            let score = scorer.score(NOW);
            prop_assert_eq!(score.engagement.points, scorer.engagement_points(NOW));
            prop_assert_eq!((score.fit.band, score.fit.points), scorer.fit(NOW));
        }

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
