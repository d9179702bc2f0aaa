//! Where somebody should stand: a pure function of the definition, the facts, the activities and where she stands.

use serde::{Deserialize, Serialize};

use super::definition::{Back, Clause, Definition, Stage};
use crate::base::localized::Localized;
use crate::base::time::Timestamp;
use crate::scoring::condition::{Call, Condition, Scope};
use crate::scoring::{Activity, Evidence, Facts, Grade, Level, Score};

/// All that rules look at, about one contact at one moment.
#[derive(Debug, Clone)]
pub struct Person {
    /// Who she is.
    pub facts: Facts,
    /// What she did, hers and her devices', from before she was known too.
    pub activities: Vec<Activity>,
    /// Both axes as of `now`.
    pub score: Score,
    /// The moment that everything is asked for.
    pub now: Timestamp,
}

/// Where somebody stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The stage.
    pub stage: String,
    /// Since when.
    pub entered_at: Timestamp,
    /// When a way back was last taken. What happened before leads nowhere again.
    pub back_at: Option<Timestamp>,
}

/// One move that the rules ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The stage it leads to.
    pub to: String,
    /// The clause or way back that asks for it.
    pub rule: String,
    /// The stages that were passed without entering them.
    pub skipped: Vec<String>,
    /// Whether it leads back.
    pub back: bool,
    /// Whether a new journey begins.
    pub new_journey: bool,
    /// What the rule saw.
    pub grounds: Grounds,
}

/// What a rule saw when it moved somebody; kept with the interval.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Grounds {
    /// The condition as it was written.
    #[serde(default)]
    pub condition: String,
    /// The activities that its `event()` and `decision()` found.
    #[serde(default)]
    pub activities: Vec<Evidence>,
    /// The grade and points of fit, if the condition asks for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<(String, f64)>,
    /// The level and points of engagement, if the condition asks for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engagement: Option<(u8, f64)>,
    /// The stages that were passed without entering them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
}

/// The moves from `position`, first any way back, then forward as far as the rules carry.
pub fn steps(definition: &Definition, person: &Person, position: &Position) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut at = position.clone();
    if let Some(step) = way_back(definition, person, &at) {
        at = Position { stage: step.to.clone(), entered_at: person.now, back_at: Some(person.now) };
        steps.push(step);
    }
    let Some(order) = definition.order(&at.stage) else { return steps };
    let mut skipped = Vec::new();
    for stage in definition.stages.iter().skip(order + 1) {
        let entered = stage.is_open_from(&at.stage).then(|| entry(stage, person, since(&at))).flatten();
        match entered {
            Some((clause, mut grounds)) => {
                let skipped = std::mem::take(&mut skipped);
                grounds.skipped.clone_from(&skipped);
                steps.push(Step {
                    to: stage.id.clone(),
                    rule: clause.id.clone(),
                    skipped,
                    back: false,
                    new_journey: false,
                    grounds,
                });
                at.stage.clone_from(&stage.id);
            }
            None => skipped.push(stage.id.clone()),
        }
    }
    steps
}

/// Events and decisions count for moving forward only if they came after the last way back.
fn since(position: &Position) -> Option<Timestamp> {
    position.back_at
}

/// A decision in the very millisecond in which the stage was entered is about that stage.
fn just_before(at: Timestamp) -> Timestamp {
    at.plus_ms(-1)
}

fn way_back(definition: &Definition, person: &Person, position: &Position) -> Option<Step> {
    definition.back.iter().filter(|back| back.from == position.stage).find_map(|back| {
        let scope = scope(person, Some(just_before(position.entered_at)), &[]);
        let holds = may_move(person, &back.condition) && back.condition.holds(&scope);
        holds.then(|| step_back(back, person, position, &scope))
    })
}

fn step_back(back: &Back, person: &Person, position: &Position, scope: &Scope) -> Step {
    Step {
        to: back.to.clone(),
        rule: back.id.clone(),
        skipped: Vec::new(),
        back: true,
        new_journey: back.new_journey,
        grounds: grounds(back.condition.text(), scope, person, Some(just_before(position.entered_at))),
    }
}

/// The clause that lets somebody into a stage, with what it saw; of `all` the first clause stands for them.
fn entry<'a>(stage: &'a Stage, person: &Person, since: Option<Timestamp>) -> Option<(&'a Clause, Grounds)> {
    if person.facts.bant_positive() < stage.require_bant {
        return None;
    }
    let scope = scope(person, since, &[]);
    let holding = |clause: &&Clause| may_move(person, &clause.condition) && clause.condition.holds(&scope);
    let winner = if stage.all && !stage.clauses.iter().all(|clause| holding(&clause)) {
        None
    } else {
        stage.clauses.iter().find(holding)
    }?;
    // A scope of its own: the grounds name what this clause asked for, and not what the others did.
    let own = self::scope(person, since, &[]);
    winner.condition.holds(&own);
    let mut grounds = grounds(winner.condition.text(), &own, person, since);
    if winner.condition.reads("fit") || winner.condition.reads("fit_points") {
        grounds.fit = Some((person.score.fit.band.letter().to_owned(), person.score.fit.points));
    }
    if winner.condition.reads("engagement") || winner.condition.reads("engagement_points") {
        grounds.engagement = Some((person.score.engagement.band.0, person.score.engagement.points));
    }
    Some((winner, grounds))
}

/// Whether a condition may move this person by itself: nobody who objects to being profiled is moved by a score.
fn may_move(person: &Person, condition: &Condition) -> bool {
    let reads_a_score = ["fit", "fit_points", "engagement", "engagement_points"];
    !(person.facts.profiling_off && reads_a_score.into_iter().any(|name| condition.reads(name)))
}

fn scope(person: &Person, since: Option<Timestamp>, pretended: &[Call]) -> Scope {
    Scope::of_stage(&person.facts, &person.activities, &person.score, since, pretended, person.now)
}

fn grounds(condition: &str, scope: &Scope, person: &Person, since: Option<Timestamp>) -> Grounds {
    let answered = |call: Call| call.answered_by(&person.activities, since, person.now).map(Evidence::of);
    Grounds {
        condition: condition.to_owned(),
        activities: scope.calls().into_iter().filter_map(answered).collect(),
        ..Grounds::default()
    }
}

/// How far somebody is from the next stage, clause by clause, the nearest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Miss {
    /// The clause.
    pub rule: String,
    /// The clause in words.
    pub label: Localized,
    /// The condition as it was written.
    pub condition: String,
    /// What would be enough; empty if no small change would be.
    pub needs: Vec<Need>,
}

/// Something that would have to be so.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "need")]
pub enum Need {
    /// A better grade of fit.
    Fit {
        /// The grade.
        grade: Grade,
        /// Points that are missing.
        points: f64,
    },
    /// A better level of engagement.
    Engagement {
        /// The level.
        level: Level,
        /// Points that are missing.
        points: f64,
    },
    /// Something that has to happen.
    Event {
        /// The kind of activity.
        kind: String,
    },
    /// Something that a person has to decide.
    Decision {
        /// `role.what`, such as `ae.accept`.
        decision: String,
    },
    /// Positive answers to the qualifying questions.
    Bant {
        /// How many more.
        more: usize,
    },
    /// The contact must stand in another stage first.
    From {
        /// One of these.
        stages: Vec<String>,
    },
}

impl Need {
    /// The need in words.
    pub fn words(&self) -> Localized {
        match self {
            Self::Fit { grade, points } => Localized::new(
                format!("fit {} (+{points} points)", grade.letter()),
                format!("encaje {} (+{points} puntos)", grade.letter()),
            ),
            Self::Engagement { level, points } => Localized::new(
                format!("engagement {} (+{points} points)", level.0),
                format!("interés {} (+{points} puntos)", level.0),
            ),
            Self::Event { kind } => Localized::new(format!("{kind} happens"), format!("ocurre {kind}")),
            Self::Decision { decision } => {
                let (role, what) = decision.split_once('.').unwrap_or((decision, ""));
                let role = role.to_uppercase();
                Localized::new(format!("{role} decides: {what}"), format!("{role} decide: {what}"))
            }
            Self::Bant { more } => Localized::new(
                format!("{more} more BANT answers with yes"),
                format!("{more} respuestas BANT positivas más"),
            ),
            Self::From { stages } => {
                let stages = stages.join(", ");
                Localized::new(format!("first be {stages}"), format!("estar antes en {stages}"))
            }
        }
    }
}

/// What is missing for a stage.
pub fn misses(definition: &Definition, person: &Person, position: &Position, stage: &Stage) -> Vec<Miss> {
    let mut always = Vec::new();
    if !stage.is_open_from(&position.stage) {
        always.push(Need::From { stages: stage.from.clone() });
    }
    let positive = person.facts.bant_positive();
    if positive < stage.require_bant {
        always.push(Need::Bant { more: stage.require_bant - positive });
    }
    let mut misses: Vec<Miss> = stage
        .clauses
        .iter()
        .map(|clause| {
            let missing = missing(definition, person, since(position), clause).unwrap_or_default();
            Miss {
                rule: clause.id.clone(),
                label: clause.label.clone(),
                condition: clause.condition.text().to_owned(),
                needs: always.iter().cloned().chain(missing).collect(),
            }
        })
        .collect();
    misses.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
    misses
}

/// Something a person could be told today is nearer than something that has to happen, points nearer still.
fn distance(miss: &Miss) -> f64 {
    if miss.needs.is_empty() {
        return f64::INFINITY;
    }
    let of = |need: &Need| match need {
        Need::Engagement { points, .. } => *points,
        Need::Fit { points, .. } => points * 1.5,
        Need::Event { .. } => 15.0,
        Need::Decision { .. } => 60.0,
        Need::Bant { .. } | Need::From { .. } => 100.0,
    };
    miss.needs.iter().map(of).sum()
}

/// The smallest change that would make a clause hold: none, one band, one event, or two of these.
fn missing(
    definition: &Definition,
    person: &Person,
    since: Option<Timestamp>,
    clause: &Clause,
) -> Option<Vec<Need>> {
    let holds = |needs: &[&Need], calls: &[Call]| {
        let mut changed = person.clone();
        let mut pretended = Vec::new();
        for need in needs {
            match need {
                Need::Fit { grade, points } => {
                    changed.score.fit.band = *grade;
                    changed.score.fit.points += points;
                }
                Need::Engagement { level, points } => {
                    changed.score.engagement.band = *level;
                    changed.score.engagement.points += points;
                }
                Need::Event { kind } => {
                    pretended.extend(calls.iter().filter(|call| call.kind == *kind).cloned());
                }
                Need::Decision { decision } => {
                    let same = |call: &&Call| call.subject.as_deref() == Some(decision);
                    pretended.extend(calls.iter().filter(same).cloned());
                }
                Need::Bant { .. } | Need::From { .. } => {}
            }
        }
        let scope = scope(&changed, since, &pretended);
        (clause.condition.holds(&scope), scope.calls())
    };
    let (already, mut calls) = holds(&[], &[]);
    if already {
        return Some(Vec::new());
    }
    let mut changes = better_bands(definition, person);
    // `a && event(…)` asks for the event only once `a` holds: look again with every change made.
    for change in changes.iter() {
        for call in holds(&[change], &calls).1 {
            if !calls.contains(&call) {
                calls.push(call);
            }
        }
    }
    let unanswered =
        calls.iter().filter(|call| call.answered_by(&person.activities, since, person.now).is_none());
    changes.extend(unanswered.map(|call| match &call.subject {
        Some(decision) => Need::Decision { decision: decision.clone() },
        None => Need::Event { kind: call.kind.clone() },
    }));
    let one = changes.iter().find(|change| holds(&[change], &calls).0);
    if let Some(one) = one {
        return Some(vec![one.clone()]);
    }
    changes.iter().enumerate().find_map(|(index, first)| {
        let second = changes.iter().skip(index + 1).find(|second| holds(&[first, second], &calls).0)?;
        Some(vec![first.clone(), second.clone()])
    })
}

/// Better levels and grades than now, the nearest first, engagement before fit: it is easier to move.
fn better_bands(definition: &Definition, person: &Person) -> Vec<Need> {
    let engagement = &person.score.engagement;
    let scoring = &definition.scoring;
    let missing = |least: f64, points: f64| ((least - points) * 100.0).ceil() / 100.0;
    let levels =
        Level::ALL.iter().rev().filter(|level| **level < engagement.band).map(|level| Need::Engagement {
            level: *level,
            points: missing(scoring.engagement.least(*level), engagement.points),
        });
    let fit = &person.score.fit;
    let grades = Grade::ALL
        .iter()
        .rev()
        .filter(|grade| **grade < fit.band)
        .map(|grade| Need::Fit { grade: *grade, points: missing(scoring.fit.least(*grade), fit.points) });
    levels.chain(grades).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::base::diagnostic::Report;
    use crate::base::email::Email;
    use crate::base::ids::ActivityId;
    use crate::base::time::DAY_MS;
    use crate::scoring::score;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn lifecycle() -> Definition {
        lifecycle_with(|text| text)
    }

    fn lifecycle_with(change: impl FnOnce(String) -> String) -> Definition {
        let report = Report::new();
        let text = change(include_str!("../../config/lifecycle.yaml").to_owned());
        let definition = Definition::parse("config/lifecycle.yaml", &text, &report);
        assert!(report.is_clean(), "{}", report.text());
        definition.expect("the lifecycle that we ship is right")
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

    fn person(fields: &[(&str, &str)], activities: Vec<Activity>) -> Person {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let facts = Facts::of(&Email::parse("nikki@acme.example").expect("valid"), "en", &fields);
        let score = score(&lifecycle().scoring, &facts, &activities, NOW);
        Person { facts, activities, score, now: NOW }
    }

    fn at(stage: &str) -> Position {
        Position { stage: stage.to_owned(), entered_at: NOW.plus_ms(-1_000), back_at: None }
    }

    fn moves(person: &Person, position: &Position) -> Vec<(String, String)> {
        steps(&lifecycle(), person, position).into_iter().map(|step| (step.to, step.rule)).collect()
    }

    fn one(to: &str, rule: &str) -> (String, String) {
        (to.to_owned(), rule.to_owned())
    }

    #[test]
    fn whoever_gave_an_address_is_a_lead() {
        assert_eq!(moves(&person(&[], vec![]), &at("visitor")), [one("lead", "lead.identified")]);
    }

    #[test]
    fn a_webinar_registration_makes_an_mql_and_the_grounds_name_it() {
        let registered = did("webinar.registered", "reading-culture", DAY_MS);
        let steps = steps(&lifecycle(), &person(&[], vec![registered.clone()]), &at("lead"));
        assert_eq!(steps.len(), 1);
        assert_eq!((steps[0].to.as_str(), steps[0].rule.as_str()), ("mql", "mql.webinar"));
        assert_eq!(steps[0].grounds.activities, [Evidence::of(&registered)]);
        assert!(steps[0].grounds.condition.contains("webinar.registered"));
    }

    #[test]
    fn a_registration_of_ninety_days_ago_makes_nothing_any_more() {
        assert_eq!(moves(&person(&[], vec![did("webinar.registered", "w", 90 * DAY_MS)]), &at("lead")), []);
    }

    #[test]
    fn high_engagement_without_fit_is_no_mql() {
        let busy: Vec<Activity> = (0..6)
            .flat_map(|day| [did("visit", "/", day * DAY_MS), did("page", "/pricing", day * DAY_MS)])
            .chain([did("booking.held", "b", 0)])
            .collect();
        let busy = person(&[], busy);
        assert!(busy.score.engagement.band.0 <= 2, "{:?}", busy.score.engagement);
        assert_eq!(moves(&busy, &at("lead")), []);
        let fits = person(&[("job_title", "VP People"), ("country", "ES")], busy.activities);
        assert_eq!(moves(&fits, &at("lead")), [one("mql", "mql.matrix")]);
    }

    #[test]
    fn a_booking_makes_an_sql_of_a_visitor_and_the_skipped_stage_is_recorded() {
        let steps = steps(&lifecycle(), &person(&[], vec![did("booking.confirmed", "b", 0)]), &at("visitor"));
        let moves: Vec<&str> = steps.iter().map(|step| step.to.as_str()).collect();
        assert_eq!(moves, ["lead", "sql"]);
        assert_eq!(steps[1].skipped, ["mql"]);
    }

    #[test]
    fn qualifying_answers_can_be_required_for_an_sql() {
        let strict = lifecycle_with(|text| text.replace("require_bant: 0", "require_bant: 2"));
        let booked = vec![did("booking.confirmed", "b", 0)];
        assert_eq!(steps(&strict, &person(&[("bant.need", "clubs")], booked.clone()), &at("mql")), []);
        let positive =
            person(&[("bant.need", "clubs"), ("bant.budget", "yes"), ("bant.authority", "no")], booked);
        assert_eq!(steps(&strict, &positive, &at("mql")).len(), 1);
    }

    #[test]
    fn only_an_sql_can_be_accepted_as_sal() {
        let accepted = || vec![did("decision", "ae.accept", 0)];
        assert_eq!(moves(&person(&[], accepted()), &at("mql")), []);
        assert_eq!(moves(&person(&[], accepted()), &at("sql")), [one("sal", "sal.accepted")]);
    }

    #[test]
    fn a_rejection_leads_back_and_the_old_booking_does_not_lead_there_again() {
        let booked = did("booking.confirmed", "b", 2_000);
        let rejected = did("decision", "ae.reject", 0);
        let nikki = person(&[], vec![booked.clone(), rejected]);
        assert_eq!(moves(&nikki, &at("sql")), [one("mql", "back.rejected_by_ae")]);
        let back = Position { stage: "mql".to_owned(), entered_at: NOW, back_at: Some(NOW) };
        let later = Person { now: NOW.plus_ms(DAY_MS), ..nikki.clone() };
        assert_eq!(moves(&later, &back), []);
        let again = did("booking.confirmed", "c", -2_000);
        let later = Person { activities: vec![booked, again], ..later };
        assert_eq!(moves(&later, &back), [one("sql", "sql.booked")]);
    }

    #[test]
    fn a_rejection_from_before_the_stage_was_entered_again_is_over() {
        let nikki = person(&[], vec![did("decision", "ae.reject", 5_000)]);
        assert_eq!(moves(&nikki, &at("sql")), []);
    }

    #[test]
    fn a_customer_with_a_new_interest_begins_a_new_journey() {
        let steps =
            steps(&lifecycle(), &person(&[], vec![did("interest.new_product", "x", 0)]), &at("customer"));
        assert_eq!(steps.len(), 1);
        assert!(steps[0].back && steps[0].new_journey);
    }

    #[test]
    fn the_nearest_miss_says_what_would_be_enough() {
        let definition = lifecycle();
        let mql = definition.stage("mql").expect("there is one");
        let nikki = person(&[("job_title", "VP People")], vec![did("page", "/pricing", 0)]);
        let misses = misses(&definition, &nikki, &at("lead"), mql);
        assert_eq!(misses[0].rule, "mql.webinar");
        assert_eq!(misses[0].needs, [Need::Event { kind: "webinar.registered".to_owned() }]);
        assert_eq!(misses[1].needs, [Need::Engagement { level: Level(2), points: 20.0 }]);
    }

    #[test]
    fn mistakes_are_found_all_at_once_with_their_places() {
        let report = Report::new();
        let text = include_str!("../../config/lifecycle.yaml")
            .replace(
                "if: event(\"webinar.registered\", \"90d\")",
                "if: event(\"webinar.registerd\", \"90 days\")",
            )
            .replace("fit in [\"A\", \"B\"]", "fit in [\"A\", \"E\"]")
            .replace("to: mql\n    if: event(\"interest", "to: customer\n    if: event(\"interest")
            .replace("from: [sql]\n", "from: [sqll]\n")
            .replace("group: intent\n      points: 30", "group: intend\n      points: 30");
        assert!(Definition::parse("l.yaml", &text, &report).is_none());
        let codes: Vec<&str> = report.diagnostics().iter().map(|found| found.code).collect();
        for code in ["L102", "L105", "L106", "L205", "L206", "E105"] {
            assert!(codes.contains(&code), "{code} is missing:\n{}", report.text());
        }
        assert!(report.text().contains("did you mean \"webinar.registered\"?"), "{}", report.text());
    }
}
