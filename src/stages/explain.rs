//! Why somebody is where she is, and what is missing for the next stage.

use serde::Serialize;

use super::definition::{Definition, Stage};
use super::due::{self, Deadline};
use super::misses::{Miss, misses};
use super::rules::Position;
use super::{Disqualified, Error, Grounds, Offer, Person, store, track};
use crate::base::ids::ContactId;
use crate::base::localized::Localized;
use crate::base::time::Timestamp;
use crate::scoring::condition::Condition;
use crate::scoring::known::known;
use crate::scoring::tags::Favourites;
use crate::scoring::{Known, Row, Said, Score, Scorer};
use crate::storage::db::Queries;
use crate::{companies, contacts};

/// The whole answer: stage, reason, scores row by row, history, what is missing.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// Whom it is about.
    pub contact: ContactId,
    /// Her address.
    pub email: String,
    /// The moment it is true for.
    pub at: Timestamp,
    /// Where she is, and why.
    pub stage: Passage,
    /// Where she was before, oldest first; the last one is `stage`.
    pub history: Vec<Passage>,
    /// Both axes with every row.
    pub score: Score,
    /// The rules of fit that would give points and do not, with what is known of what they ask for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fit_missing: Vec<Row>,
    /// What is missing for the next stage, the nearest first; nothing in the last stage.
    pub next: Option<NextStage>,
    /// What she reads most; nothing of somebody who objects to being profiled.
    pub reads: Favourites,
    /// The decisions that people can take now.
    pub offers: Vec<Offer>,
    /// What takes her out of the running: no rule moves her forward.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disqualified: Option<Disqualified>,
    /// When she leaves the stage by cooling down, if nothing happens any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cools_down_at: Option<Timestamp>,
    /// By when somebody must respond to her.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Deadline>,
    /// Where she stands after the sale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_sale: Option<track::Standing>,
    /// Fields that were written after `at`: what stood there before is not kept, and they count as unknown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub later_fields: Vec<String>,
}

/// One interval, in words.
#[derive(Debug, Clone, Serialize)]
pub struct Passage {
    /// The stage.
    pub id: String,
    /// Its name for people.
    pub label: Localized,
    /// The role that looks after the people in it.
    pub owner: String,
    /// From.
    pub since: Timestamp,
    /// To, if it is over.
    pub until: Option<Timestamp>,
    /// The journey, from 1.
    pub journey: i64,
    /// The clause or way back that led here.
    pub rule: String,
    /// The rule in words.
    pub rule_label: Localized,
    /// `rule`, `account:ID` or `api`.
    pub actor: String,
    /// The reason that a person gave.
    pub reason: Option<String>,
    /// What the rule saw.
    pub grounds: Grounds,
    /// The level and points of engagement when she left, or now; nothing of a stage that was only passed.
    pub engagement: Option<(u8, f64)>,
    /// The version of the lifecycle that moved her, and the beginning of its hash.
    pub version: Option<i64>,
    /// The version's hash.
    pub hash: String,
}

/// What is missing for the next stage.
#[derive(Debug, Clone, Serialize)]
pub struct NextStage {
    /// The stage.
    pub id: String,
    /// Its name for people.
    pub label: Localized,
    /// Its clauses, the nearest first.
    pub misses: Vec<Miss>,
}

/// Explains a contact as of now.
///
/// # Errors
/// [`Error::NoContact`], or as the store says.
pub async fn explain(
    q: &mut impl Queries,
    definition: &Definition,
    contact: ContactId,
    now: Timestamp,
) -> Result<Explanation, Error> {
    told(q, definition, contact, now, Timestamp(i64::MAX)).await
}

/// Explains a contact as of a moment: of the past only what was so by then, of the future what will be left.
///
/// # Errors
/// [`Error::NoContact`], or as the store says.
pub async fn explain_at(
    q: &mut impl Queries,
    definition: &Definition,
    contact: ContactId,
    at: Timestamp,
) -> Result<Explanation, Error> {
    told(q, definition, contact, at, at).await
}

/// `until` is the moment after which nothing of the history is told: the clocks of two nodes differ a little, and where
/// somebody stands now must not depend on it.
async fn told(
    q: &mut impl Queries,
    definition: &Definition,
    contact: ContactId,
    now: Timestamp,
    until: Timestamp,
) -> Result<Explanation, Error> {
    let known = store::contact(q, contact).await?.ok_or(Error::NoContact)?;
    let person = super::person(q, definition, contact, now).await?;
    let intervals = store::intervals(q, contact).await?;
    let position = position_in(definition, &intervals, until);
    let versions = store::versions(q, contact).await?;
    let mut history = Vec::new();
    for mut interval in intervals.into_iter().filter(|interval| interval.entered_at <= until) {
        interval.left_at = interval.left_at.filter(|left| *left <= until);
        let version = versions.get(&interval.lifecycle_hash).copied();
        history.push(passage(definition, interval, version));
    }
    let scorer = Scorer::new(&definition.scoring, person.values(), &person.activities);
    for passage in history.iter_mut().filter(|passage| passage.until != Some(passage.since)) {
        // In the very moment of leaving what led on counts already: her interest in a stage is that just before.
        let at = passage.until.map_or(now, |until| until.plus_ms(-1));
        let (level, points) = scorer.engagement(at);
        passage.engagement = Some((level.0, points));
    }
    let stage = history.iter().rev().find(|passage| passage.until.is_none()).cloned();
    let stage = stage.unwrap_or_else(|| beginning(definition, known.first_seen_at));
    let fields = contacts::fields(q, contact).await?;
    let said = said(q, contact, &fields, until).await?;
    let next = definition.next(&position.stage).map(|next| NextStage {
        id: next.id.clone(),
        label: next.label.clone(),
        misses: with_facts(misses(definition, &person, &position, next), next, &person, &said),
    });
    let offers = super::offers(definition, &person, &position);
    let here = definition.stage(&position.stage);
    let cools_down_at =
        here.and_then(|here| due::cools_down_at(here, &scorer, position.entered_at, now, due::NEVER));
    let sla = here.and_then(|here| here.sla.as_ref());
    let deadline = sla.map(|sla| due::deadline(definition, sla, &person, position.entered_at));
    let later = fields.into_iter().filter(|field| !field.is_suggestion && field.at > until);
    let mut fit_missing = scorer.not_fitting(now);
    let mut score = person.score.clone();
    for row in score.fit.rows.iter_mut().chain(&mut fit_missing) {
        let rule = definition.scoring.fit.rules.iter().find(|rule| rule.id == row.rule);
        row.facts = rule.map(|rule| facts_of(&rule.condition, &person, &said)).unwrap_or_default();
    }
    let reads = match person.facts.profiling_off {
        true => Favourites::default(),
        false => definition.scoring.tags.favourites(&person.activities, now),
    };
    Ok(Explanation {
        contact,
        reads,
        email: known.email,
        at: now,
        stage,
        history,
        post_sale: track::standing(q, definition, contact, &person, until).await?,
        score,
        fit_missing,
        next,
        offers,
        disqualified: person.disqualified,
        cools_down_at,
        deadline,
        later_fields: later.map(|field| field.name).collect(),
    })
}

/// What was said by then of somebody and of the company she works for.
async fn said(
    q: &mut impl Queries,
    contact: ContactId,
    fields: &[contacts::Field],
    until: Timestamp,
) -> Result<Said, Error> {
    let company = contacts::find(q, contact).await?.and_then(|known| known.company);
    let of_company = match company {
        Some(company) => companies::fields(q, company).await?,
        None => Vec::new(),
    };
    let by_then = fields.iter().filter(|field| !field.is_suggestion && field.at <= until);
    Ok(Said { of_person: by_then.cloned().collect(), of_company })
}

/// The facts that a condition reads, each with who said it.
fn facts_of(condition: &Condition, person: &Person, said: &Said) -> Vec<Known> {
    condition.fields().filter_map(|path| known(path, person.values(), said)).collect()
}

fn with_facts(mut misses: Vec<Miss>, stage: &Stage, person: &Person, said: &Said) -> Vec<Miss> {
    for miss in &mut misses {
        let clause = stage.clauses.iter().find(|clause| clause.id == miss.rule);
        miss.facts = clause.map(|clause| facts_of(&clause.condition, person, said)).unwrap_or_default();
    }
    misses
}

/// Where somebody stood as of `now`.
pub(super) fn position_in(
    definition: &Definition,
    intervals: &[store::Interval],
    now: Timestamp,
) -> Position {
    let by_then = intervals.iter().filter(|interval| interval.entered_at <= now);
    let back_at = by_then
        .clone()
        .filter(|interval| interval.rule.starts_with("back."))
        .map(|interval| interval.entered_at);
    let back_at = back_at.max();
    // Stages that were passed have no length: whoever stands in one stands in the last that was entered.
    match by_then.rev().find(|interval| interval.left_at.is_none_or(|left| left > now)) {
        Some(open) => Position { stage: open.stage.clone(), entered_at: open.entered_at, back_at },
        None => Position { stage: definition.first().id.clone(), entered_at: now, back_at },
    }
}

fn passage(definition: &Definition, interval: store::Interval, version: Option<i64>) -> Passage {
    let stage = definition.stage(&interval.stage);
    Passage {
        label: stage.map_or_else(|| plain(&interval.stage), |stage| stage.label.clone()),
        owner: stage.map(|stage| stage.owner.clone()).unwrap_or_default(),
        id: interval.stage,
        since: interval.entered_at,
        until: interval.left_at,
        journey: interval.journey,
        rule_label: rule_label(definition, &interval.rule),
        rule: interval.rule,
        actor: interval.actor,
        reason: interval.reason,
        grounds: interval.grounds,
        engagement: None,
        version,
        hash: interval.lifecycle_hash,
    }
}

/// Somebody who was never moved stands in the first stage since she was first seen.
fn beginning(definition: &Definition, since: Timestamp) -> Passage {
    let first: &Stage = definition.first();
    Passage {
        id: first.id.clone(),
        label: first.label.clone(),
        owner: first.owner.clone(),
        since,
        until: None,
        journey: 1,
        rule: "start".to_owned(),
        rule_label: rule_label(definition, "start"),
        actor: super::Actor::Rule.word(),
        reason: None,
        grounds: Grounds::default(),
        engagement: None,
        version: Some(definition.version),
        hash: definition.hash.clone(),
    }
}

/// A rule in words: a clause, a way back, or the beginning.
pub fn rule_label(definition: &Definition, rule: &str) -> Localized {
    let clauses = definition
        .stages
        .iter()
        .flat_map(|stage| stage.clauses.iter().chain(stage.again.iter().flat_map(|again| &again.clauses)));
    let clause = clauses.filter(|clause| clause.id == rule).map(|clause| clause.label.clone()).next();
    let way = definition.back.iter().find(|way| way.id == rule).map(|way| way.label.clone());
    let disqualifier =
        definition.disqualify.iter().find(|known| known.id == rule).map(|known| known.label.clone());
    clause.or(way).or(disqualifier).unwrap_or_else(|| match rule {
        cold if cold.starts_with("back.cold.") => Localized::new("Cooled down", "Se enfrió"),
        "start" => Localized::new("First seen", "Primera visita"),
        "merge" => Localized::new("Merged with another contact", "Fusionado con otro contacto"),
        "unmerge" => Localized::new("A merge was undone", "Se deshizo una fusión"),
        "skipped" => Localized::new("Passed on the way", "Etapa pasada de largo"),
        other => plain(other),
    })
}

fn plain(text: &str) -> Localized {
    Localized::new(text, text)
}
