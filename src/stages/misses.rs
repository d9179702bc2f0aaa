//! What is missing for a stage, the nearest first.

use serde::Serialize;

use super::definition::{Clause, Definition, Stage};
use super::rules::{Person, Position, since};
use crate::base::localized::Localized;
use crate::base::time::Timestamp;
use crate::scoring::condition::{Bands, Call, Condition, Moment};
use crate::scoring::{Grade, Known, Level};

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
    /// The facts that it asks for, and who said them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Known>,
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
            Self::Event { kind } => match happening(kind) {
                Some((en, es)) => Localized::new(en, es),
                None => Localized::new(format!("{kind} happens"), format!("ocurre {kind}")),
            },
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

/// What people call the activities that rules mostly wait for.
fn happening(kind: &str) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        "form.submitted" => ("a form is filled in", "rellenar un formulario"),
        "asset.downloaded" => ("a file is downloaded", "descargar un archivo"),
        "webinar.registered" => ("a seat in a webinar", "una plaza en un webinar"),
        "webinar.attended" => ("a webinar is attended", "asistir a un webinar"),
        "recording.watched" => ("a recording is watched", "ver una grabación"),
        "booking.confirmed" => ("a call is booked", "reservar una llamada"),
        "deal.won" => ("a deal is won", "ganar un trato"),
        "purchase" => ("a purchase", "una compra"),
        "email.clicked" => ("a link of a letter is followed", "seguir un enlace de una carta"),
        "email.replied" => ("a mail is answered", "responder a un correo"),
        _ => return None,
    })
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
                facts: Vec::new(),
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

/// Both axes as they would be after a change.
#[derive(Clone, Copy)]
struct Changed {
    fit: (Grade, f64),
    engagement: (Level, f64),
}

impl Bands for Changed {
    fn fit(&self) -> (Grade, f64) {
        self.fit
    }

    fn engagement(&self) -> (Level, f64) {
        self.engagement
    }
}

/// The smallest change that would make a clause hold: none, one band, one event, or two of these.
fn missing(
    definition: &Definition,
    person: &Person,
    since: Option<Timestamp>,
    clause: &Clause,
) -> Option<Vec<Need>> {
    let condition = &clause.condition;
    let holds = |needs: &[&Need]| {
        let mut bands =
            Changed { fit: Bands::fit(&person.score), engagement: Bands::engagement(&person.score) };
        let mut pretended = Vec::new();
        for need in needs {
            match need {
                Need::Fit { grade, points } => bands.fit = (*grade, bands.fit.1 + points),
                Need::Engagement { level, points } => {
                    bands.engagement = (*level, bands.engagement.1 + points)
                }
                Need::Event { kind } => {
                    pretended.extend(condition.happenings().filter(|call| call.kind == *kind).cloned());
                }
                Need::Decision { decision } => {
                    let same = |call: &&Call| call.subject.as_deref() == Some(decision);
                    pretended.extend(condition.happenings().filter(same).cloned());
                }
                Need::Bant { .. } | Need::From { .. } => {}
            }
        }
        condition.holds_at(&Moment {
            values: person.values(),
            history: &person.activities,
            bands: Some(&bands),
            since,
            counts_since: false,
            pretended: &pretended,
            now: person.now,
        })
    };
    if holds(&[]) {
        return Some(Vec::new());
    }
    let mut changes = better_bands(definition, person, condition);
    let unanswered =
        condition.happenings().filter(|call| person.activities.answer(call, since, person.now).is_none());
    changes.extend(unanswered.map(|call| match &call.subject {
        Some(decision) => Need::Decision { decision: decision.clone() },
        None => Need::Event { kind: call.kind.clone() },
    }));
    let one = changes.iter().find(|change| holds(&[change]));
    if let Some(one) = one {
        return Some(vec![one.clone()]);
    }
    changes.iter().enumerate().find_map(|(index, first)| {
        let second = changes.iter().skip(index + 1).find(|second| holds(&[first, second]))?;
        Some(vec![first.clone(), second.clone()])
    })
}

/// Better levels and grades than now, the nearest first, engagement before fit: it is easier to move. Where a condition
/// names points, these too.
fn better_bands(definition: &Definition, person: &Person, condition: &Condition) -> Vec<Need> {
    let engagement = &person.score.engagement;
    let scoring = &definition.scoring;
    let missing = |least: f64, points: f64| ((least - points) * 100.0).ceil() / 100.0;
    let named = |field: &str, points: f64| {
        let numbers = if condition.reads(field) { condition.numbers() } else { Vec::new() };
        // A hundredth more than the mark is enough for `>` too.
        numbers.into_iter().filter(move |n| *n >= points).flat_map(|n| [n, n + 0.01])
    };
    let mut levels: Vec<f64> = Level::ALL
        .iter()
        .filter(|level| **level < engagement.band && condition.reads("engagement"))
        .map(|level| scoring.engagement.least(*level))
        .chain(named("engagement_points", engagement.points))
        .collect();
    levels.sort_by(f64::total_cmp);
    let levels = levels.into_iter().map(|least| Need::Engagement {
        level: scoring.engagement.level(least),
        points: missing(least, engagement.points),
    });
    let fit = &person.score.fit;
    let mut grades: Vec<f64> = Grade::ALL
        .iter()
        .filter(|grade| **grade < fit.band && condition.reads("fit"))
        .map(|grade| scoring.fit.least(*grade))
        .chain(named("fit_points", fit.points))
        .collect();
    grades.sort_by(f64::total_cmp);
    let grades = grades
        .into_iter()
        .map(|least| Need::Fit { grade: scoring.fit.grade(least), points: missing(least, fit.points) });
    levels.chain(grades).collect()
}
