//! After the sale: `active → at_risk → churned → recovered | do_not_pursue`, a track beside the stages.
//!
//! Every change goes through one function, [`enter`], and leaves an interval that is never changed again. Rules move a
//! customer where a state's condition holds; people move her with [`set`]; whoever cannot be won back after so many
//! attempts is let be.

use std::sync::Arc;

use serde::Serialize;
use serde_json::json;

use super::definition::{Clause, ROLES, Stage, entrance};
use super::rules::{seen, winner};
use super::{Actor, Definition, Error, Grounds, Person, lock_name, store};
use crate::base::diagnostic::Mark;
use crate::base::ids::ContactId;
use crate::base::localized::Localized;
use crate::base::time::Timestamp;
use crate::base::yaml::{View, is_name};
use crate::contacts;
use crate::events::{self, Event};
use crate::scoring::Scorer;
use crate::scoring::condition::{Call, Lists, Moment};
use crate::storage::db::{Queries, Tx};

/// What an attempt to win somebody back is recorded as, unless the file says otherwise.
pub const ATTEMPT: &str = "winback.attempt";

/// The rule of the first state, and of giving up.
const START: &str = "start";
const GIVE_UP: &str = "give_up";

/// The track, as `tracks: {post_sale: …}` says it.
#[derive(Debug, Clone)]
pub struct Track {
    /// The stage in which it begins.
    pub begins: String,
    /// Its states; everybody begins in the first.
    pub states: Vec<State>,
    /// When nobody tries any more.
    pub give_up: Option<GiveUp>,
}

/// One state.
#[derive(Debug, Clone)]
pub struct State {
    /// Its name in the database.
    pub id: String,
    /// Its name for people.
    pub label: Localized,
    /// The role that looks after the people in it.
    pub owner: String,
    /// The states it can be entered from; empty means any other.
    pub from: Vec<String>,
    /// The reasons one of which must be given by whoever moves somebody here; empty means that none is needed.
    pub reasons: Vec<String>,
    /// The conditions under which rules move somebody here; none if only people do.
    pub clauses: Vec<Clause>,
    /// Whether all clauses must hold, or any.
    pub all: bool,
}

/// How often somebody is tried to be won back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GiveUp {
    /// What an attempt is recorded as.
    pub on: String,
    /// The state in which attempts count.
    pub from: String,
    /// After how many.
    pub after: usize,
    /// The state it leads to.
    pub to: String,
}

impl Track {
    /// The state of a name.
    pub fn state(&self, name: &str) -> Option<&State> {
        self.states.iter().find(|state| state.id == name)
    }

    /// The state in which everybody begins.
    pub fn first(&self) -> &State {
        self.states.first().expect("a track without states does not parse")
    }
}

/// Reads the track; what is wrong goes to the report.
pub(super) fn read(view: View<'_>, stages: &[Stage], lists: &Arc<Lists>) -> Option<Track> {
    let mut map = view.map()?;
    let begins = map.required("begins").and_then(|view| super::definition::known_stage(view, stages));
    let views = map.required("states").and_then(View::list).unwrap_or_default();
    if views.is_empty() {
        map.report.error(map.at, "L301", "a track needs at least one state").done();
    }
    // Any state may name any other, so their names are gathered first.
    let name = |view: &View<'_>| view.map()?.optional("id")?.text().map(|text| text.text.clone());
    let names: Vec<String> = views.iter().filter_map(name).collect();
    let mut seen = Vec::new();
    let mut declared = Vec::new();
    let states: Vec<Option<State>> =
        views.into_iter().map(|view| state(view, &names, lists, &mut declared, &mut seen)).collect();
    let give_up = map.optional("give_up").and_then(|view| give_up(view, &names));
    map.finish();
    let states: Vec<State> = states.into_iter().collect::<Option<_>>()?;
    Some(Track { begins: begins?, states, give_up }).filter(|track| !track.states.is_empty())
}

fn state<'a>(
    view: View<'a>,
    names: &[String],
    lists: &Arc<Lists>,
    declared: &mut Vec<String>,
    seen: &mut Vec<(String, &'a Mark)>,
) -> Option<State> {
    let mut map = view.map()?;
    let id = map.required("id").and_then(|view| {
        let id = view.str()?;
        if !is_name(&id) {
            return view.wrong("a name of small letters, digits, `_` and `-`");
        }
        if declared.contains(&id) {
            view.error("L302", format!("the state \"{id}\" stands twice")).done();
        }
        declared.push(id.clone());
        Some(id)
    });
    let label = map.required("label").and_then(Localized::read);
    let owner = map.required("owner").and_then(|view| view.one_of(ROLES));
    let from = map.optional("from").map(View::one_or_more).unwrap_or_default();
    let from = from.into_iter().filter_map(|view| known(view, names)).collect();
    let reasons = map.optional("reasons").map(View::strings).unwrap_or_default();
    let enter = map.optional("enter").and_then(View::map).map(|enter| entrance(enter, lists, seen));
    let (clauses, all) = enter.unwrap_or_default();
    map.finish();
    Some(State { id: id?, label: label?, owner: owner?.to_owned(), from, reasons, clauses, all })
}

fn give_up(view: View<'_>, names: &[String]) -> Option<GiveUp> {
    let mut map = view.map()?;
    let on = map.optional("on").and_then(View::str);
    let from = map.required("from").and_then(|view| known(view, names));
    let to = map.required("to").and_then(|view| known(view, names));
    let after = map.required("after").and_then(|view| {
        view.parsed("a whole number from 1 on", |text| text.parse().ok().filter(|most: &usize| *most > 0))
    });
    map.finish();
    Some(GiveUp { on: on.unwrap_or_else(|| ATTEMPT.to_owned()), from: from?, after: after?, to: to? })
}

fn known(view: View<'_>, names: &[String]) -> Option<String> {
    let text = view.str()?;
    if !names.contains(&text) {
        view.error("L303", format!("there is no state \"{text}\""))
            .did_you_mean(&text, names.iter().map(String::as_str));
        return None;
    }
    Some(text)
}

/// Where a customer stands, for explanations.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    /// The state.
    pub id: String,
    /// Its name for people.
    pub label: Localized,
    /// The role that looks after the people in it.
    pub owner: String,
    /// Since when.
    pub since: Timestamp,
    /// The rule behind it; `start` for the first, `by_hand` where a person chose it.
    pub rule: String,
    /// The rule in words.
    pub rule_label: Localized,
    /// `rule`, `account:ID` or `api`.
    pub actor: String,
    /// The reason that was given.
    pub reason: Option<String>,
    /// What the rule saw.
    pub grounds: Grounds,
    /// How often somebody has tried to win her back, where attempts count.
    pub attempts: Option<usize>,
    /// The states that a person can choose now, each with the reasons to choose from.
    pub choices: Vec<Choice>,
}

/// A state that a person can choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// The state.
    pub to: String,
    /// Its name for people.
    pub label: Localized,
    /// The reasons to choose from; empty if none is needed.
    pub reasons: Vec<String>,
}

/// One move on the track.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub to: String,
    pub rule: String,
    pub reason: Option<String>,
    pub grounds: Grounds,
}

/// The move that the rules ask for from a state that was entered at `entered_at`.
pub(super) fn step(track: &Track, person: &Person, state: &str, entered_at: Timestamp) -> Option<Step> {
    if let Some(give_up) = track.give_up.as_ref().filter(|give_up| give_up.from == state)
        && attempts(give_up, person, entered_at) >= give_up.after
    {
        return Some(Step {
            to: give_up.to.clone(),
            rule: GIVE_UP.to_owned(),
            reason: Some("attempts".to_owned()),
            grounds: Grounds {
                condition: format!("{} × {}", give_up.on, give_up.after),
                ..Grounds::default()
            },
        });
    }
    let open = track.states.iter().filter(|other| other.id != state && other.is_open_from(state));
    open.flat_map(|other| other.clause_groups().map(move |clauses| (other, clauses))).find_map(
        |(other, clauses)| {
            // What waits for something not to happen is asked once its window lies wholly in this state; anything else is
            // asked of what happened in this state.
            let waits = clauses.iter().any(|clause| clause.condition.may_come_to_hold());
            if waits && person.now.since_ms(entered_at) < patience(clauses) {
                return None;
            }
            let since = (!waits).then_some(entered_at);
            let moment = Moment {
                values: person.values(),
                history: &person.activities,
                bands: Some(&person.score),
                since,
                counts_since: true,
                pretended: &[],
                now: person.now,
            };
            let clause = winner(clauses, other.all, &|condition| condition.holds_at(&moment))?;
            Some(Step {
                to: other.id.clone(),
                rule: clause.id.clone(),
                reason: None,
                grounds: seen(&clause.condition, &person.activities, since, person.now),
            })
        },
    )
}

/// The longest window that clauses ask for.
fn patience(clauses: &[Clause]) -> i64 {
    let calls = clauses.iter().flat_map(|clause| clause.condition.calls());
    calls.filter_map(|call| call.window_ms).max().unwrap_or(0)
}

/// When time alone may move somebody on from a state, if nothing happens any more.
pub(super) fn changes_at(
    track: &Track,
    scorer: &Scorer<'_>,
    state: &str,
    entered_at: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    let open = track.states.iter().filter(|other| other.id != state && other.is_open_from(state));
    let changes = open.flat_map(|other| other.clause_groups()).filter_map(|clauses| {
        let waiting =
            clauses.iter().map(|clause| &clause.condition).filter(|condition| condition.may_come_to_hold());
        let until = now.plus_ms(super::MEMORY_MS);
        let leaves = waiting.clone().filter_map(|condition| scorer.changes_at(condition, now, until)).min();
        let patient = entered_at.plus_ms(patience(clauses));
        let is_waited_for = waiting.count() > 0;
        if is_waited_for && patient > now {
            Some(leaves.map_or(patient, |at| at.max(patient)))
        } else {
            leaves
        }
    });
    changes.min()
}

fn attempts(give_up: &GiveUp, person: &Person, entered_at: Timestamp) -> usize {
    let all = Call { kind: give_up.on.clone(), subject: None, window_ms: None };
    person.activities.within(&all, person.now).filter(|activity| activity.at >= entered_at).count()
}

impl State {
    /// The clauses that are asked together: all of them where all must hold, else each alone.
    fn clause_groups(&self) -> impl Iterator<Item = &[Clause]> {
        self.clauses.chunks(if self.all { self.clauses.len().max(1) } else { 1 })
    }

    fn is_open_from(&self, state: &str) -> bool {
        self.from.is_empty() || self.from.iter().any(|from| from == state)
    }
}

/// Begins the track for whoever came into its stage, and makes the moves that the rules ask for.
pub(super) async fn follow(
    tx: &mut Tx,
    definition: &Definition,
    contact: ContactId,
    person: &Person,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(track) = &definition.post_sale else { return Ok(()) };
    let Some(mut at) = store::open_state(tx, contact).await? else {
        let stage = store::open_interval(tx, contact).await?;
        if let Some(stage) = stage.filter(|stage| stage.stage == track.begins) {
            let step = Step {
                to: track.first().id.clone(),
                rule: START.to_owned(),
                reason: None,
                grounds: Grounds::default(),
            };
            enter(tx, definition, contact, None, &step, Actor::Rule, stage.entered_at).await?;
        }
        return Ok(());
    };
    // No more than a round through all states in one moment.
    for _ in &track.states {
        let Some(step) = step(track, person, &at.state, at.entered_at) else { break };
        at = enter(tx, definition, contact, Some(&at), &step, Actor::Rule, now).await?;
    }
    Ok(())
}

/// The state after the sale in which somebody stands; nothing for whoever is no customer and was none.
///
/// # Errors
/// As the store says.
pub async fn state_of(q: &mut impl Queries, contact: ContactId) -> crate::storage::Result<Option<String>> {
    Ok(store::open_state(q, contact).await?.map(|open| open.state))
}

/// Moves a customer into a state that a person chose.
///
/// # Errors
/// [`Error::NoCustomer`], [`Error::NoStage`] for an unknown state, [`Error::NotOpen`] for one that cannot be entered from
/// here, [`Error::ReasonNeeded`].
pub async fn set(
    tx: &mut Tx,
    definition: &Definition,
    contact: ContactId,
    to: &str,
    reason: Option<&str>,
    actor: Actor,
    now: Timestamp,
) -> Result<(), Error> {
    tx.lock(&lock_name(contact)).await?;
    store::contact(tx, contact).await?.ok_or(Error::NoContact)?;
    let track = definition.post_sale.as_ref().ok_or(Error::NoCustomer)?;
    let state = track.state(to).ok_or_else(|| Error::NoStage(to.to_owned()))?;
    let open = store::open_state(tx, contact).await?.ok_or(Error::NoCustomer)?;
    if open.state == state.id || !state.is_open_from(&open.state) {
        let open_from = state.from.clone();
        return Err(Error::NotOpen { from: open.state, to: state.id.clone(), open_from });
    }
    if !state.reasons.is_empty()
        && !reason.is_some_and(|reason| state.reasons.iter().any(|known| known == reason))
    {
        return Err(Error::ReasonNeeded { reasons: state.reasons.clone() });
    }
    let step = Step {
        to: state.id.clone(),
        rule: "by_hand".to_owned(),
        reason: reason.map(str::to_owned),
        grounds: Grounds::default(),
    };
    enter(tx, definition, contact, Some(&open), &step, actor, now).await?;
    super::evaluate(tx, definition, contact, now).await?;
    Ok(())
}

/// Records an attempt to win somebody back; too many of them, and she is let be.
///
/// # Errors
/// [`Error::NoCustomer`] for whoever is not on the track.
pub async fn attempt(
    tx: &mut Tx,
    definition: &Definition,
    contact: ContactId,
    actor: Actor,
    now: Timestamp,
) -> Result<(), Error> {
    tx.lock(&lock_name(contact)).await?;
    let open = store::open_state(tx, contact).await?.ok_or(Error::NoCustomer)?;
    let give_up = definition.post_sale.as_ref().and_then(|track| track.give_up.as_ref());
    let kind = give_up.map_or(ATTEMPT, |give_up| give_up.on.as_str());
    let props = json!({"by": actor.word()});
    contacts::record(tx, Some(contact), None, kind, Some(&open.state), props, now).await?;
    super::evaluate(tx, definition, contact, now).await?;
    Ok(())
}

/// The only place where a customer's state changes: closes the open interval, opens the next, appends the fact.
async fn enter(
    tx: &mut Tx,
    definition: &Definition,
    contact: ContactId,
    from: Option<&store::StateInterval>,
    step: &Step,
    actor: Actor,
    at: Timestamp,
) -> Result<store::StateInterval, Error> {
    store::keep_version(tx, definition, at).await?;
    // A clock that was set back must not make an interval end before it began.
    let at = from.map_or(at, |from| at.max(from.entered_at));
    if let Some(from) = from {
        store::close_state(tx, from, at).await?;
    }
    let interval = store::open_new_state(tx, definition, contact, step, actor, at).await?;
    let event = Event::CustomerStateChanged {
        contact,
        from: from.map(|from| from.state.clone()),
        to: step.to.clone(),
        rule: step.rule.clone(),
        reason: step.reason.clone(),
    };
    events::append(tx, &event, at).await?;
    contacts::marks::mark(tx, contact, contacts::marks::STAGE, at).await?;
    Ok(interval)
}

/// Where a customer stood as of `until`; nothing for whoever was never one.
pub(super) async fn standing(
    q: &mut impl Queries,
    definition: &Definition,
    contact: ContactId,
    person: &Person,
    until: Timestamp,
) -> Result<Option<Standing>, Error> {
    let Some(track) = &definition.post_sale else { return Ok(None) };
    let intervals = store::states(q, contact).await?;
    let at = intervals.into_iter().rev().find(|interval| interval.entered_at <= until);
    let Some(at) = at else { return Ok(None) };
    let state = track.state(&at.state);
    let clauses = track.states.iter().flat_map(|state| &state.clauses);
    let label = clauses.filter(|clause| clause.id == at.rule).map(|clause| clause.label.clone()).next();
    let rule_label = label.unwrap_or_else(|| match at.rule.as_str() {
        START => Localized::new("Became a customer", "Se hizo cliente"),
        GIVE_UP => Localized::new("Tried often enough", "Se intentó bastantes veces"),
        _ => Localized::new("Chosen by a person", "Elegido por una persona"),
    });
    let choices = track.states.iter().filter(|other| other.id != at.state && other.is_open_from(&at.state));
    let choices = choices.map(|other| Choice {
        to: other.id.clone(),
        label: other.label.clone(),
        reasons: other.reasons.clone(),
    });
    let counts = track.give_up.as_ref().filter(|give_up| give_up.from == at.state);
    Ok(Some(Standing {
        label: state.map_or_else(|| Localized::new(&at.state, &at.state), |state| state.label.clone()),
        owner: state.map(|state| state.owner.clone()).unwrap_or_default(),
        since: at.entered_at,
        rule_label,
        attempts: counts.map(|give_up| attempts(give_up, person, at.entered_at)),
        choices: choices.collect(),
        id: at.state,
        rule: at.rule,
        actor: at.actor,
        reason: at.reason,
        grounds: at.grounds,
    }))
}
