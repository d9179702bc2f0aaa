//! What becomes of a conversation when its flow has changed under it.
//!
//! Texts follow at once. A step whose contract is the same (verb, kind of answer, choices) goes on; one whose
//! contract has changed is asked anew; one that is gone goes on where `migrate` says, else with an excuse where a
//! person would be asked for. A flow that is gone altogether is kept for the conversations that are in it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::check::Known;
use super::engine::{Phase, State};
use super::flow::{Flow, Step, VarType};
use super::flows::Flows;
use super::{Conversation, Error, store};
use crate::base::diagnostic::Report;
use crate::base::language::Language;
use crate::base::time::{DAY_MS, Timestamp};
use crate::storage::db::{Queries, Tx};

/// How long a version that no open conversation is in is kept.
const KEPT_MS: i64 = 30 * DAY_MS;

/// What an open conversation meets in a flow.
#[derive(Clone, Copy, Debug)]
pub enum Fate<'f> {
    /// The very flow it was in.
    Same(&'f Step),
    /// It goes on as if nothing had happened; texts may read otherwise.
    GoesOn(&'f Step),
    /// The step asks again.
    AsksAgain(&'f Step),
    /// Its step is gone.
    Gone,
}

impl Fate<'_> {
    /// The fate in a word.
    pub fn word(self) -> &'static str {
        match self {
            Fate::Same(_) => "unchanged",
            Fate::GoesOn(_) => "goes on",
            Fate::AsksAgain(_) => "asks again",
            Fate::Gone => "gone",
        }
    }
}

/// What a conversation that stands here meets in a flow. Whoever speaks with a person notices nothing.
pub fn fate<'f>(flow: &'f Flow, state: &State) -> Fate<'f> {
    let moved = || flow.migrate.get(&state.step).and_then(|target| flow.step(&target.step));
    let Some(step) = flow.step(&state.step).or_else(moved) else { return Fate::Gone };
    let with_person = matches!(state.phase, Phase::Waiting | Phase::Human);
    match step.verb.contract() == state.contract {
        _ if state.version == flow.version && step.id == state.step => Fate::Same(step),
        true => Fate::GoesOn(step),
        false if with_person => Fate::GoesOn(step),
        false => Fate::AsksAgain(step),
    }
}

/// Leaves out the variables that the flow does not have any more, or of another type.
pub fn carry_over(flow: &Flow, state: &mut State) {
    state.vars.retain(|name, value| {
        flow.vars.get(name).is_some_and(|var| match &var.of {
            VarType::Number => value.is_number(),
            VarType::Enum(values) => {
                value.as_str().is_some_and(|value| values.iter().any(|one| one == value))
            }
            _ => value.is_string(),
        })
    });
    let renamed = |step: String| flow.migrate.get(&step).map_or(step, |target| target.step.clone());
    state.shown =
        std::mem::take(&mut state.shown).into_iter().map(|(step, id)| (renamed(step), id)).collect();
}

/// The flows that run now. A new set replaces the old one whole; a turn ends with the set it has begun with.
#[derive(Debug, Default)]
pub struct Running {
    flows: RwLock<Arc<Flows>>,
    /// Why the files as they are now do not run.
    problem: RwLock<Option<String>>,
    /// Flows of other versions that conversations are in, by name and version.
    kept: Mutex<HashMap<(String, String), Option<Arc<Flow>>>>,
}

impl Running {
    /// Runs a set that has passed every check.
    pub fn new(flows: Flows) -> Self {
        Running { flows: RwLock::new(Arc::new(flows)), ..Running::default() }
    }

    /// The set that runs.
    pub fn now(&self) -> Arc<Flows> {
        self.flows.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets a set that has passed every check run from now on.
    pub fn replace(&self, flows: Flows) {
        *self.flows.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(flows);
        self.settle();
    }

    /// The files say what runs.
    pub fn settle(&self) {
        *self.problem.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// How an answer that was picked reads, as [`Flows::label`].
    pub fn label(&self, field: &str, value: &str, language: Language) -> Option<String> {
        self.now().label(field, value, language).map(str::to_owned)
    }

    /// Keeps the set that runs, and why the files do not.
    pub fn refuse(&self, problem: String) {
        *self.problem.write().unwrap_or_else(PoisonError::into_inner) = Some(problem);
    }

    /// Why the files do not run, if they do not.
    pub fn problem(&self) -> Option<String> {
        self.problem.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The flow that a conversation goes on with: the one of its name that runs, unless another node has brought a
    /// newer one, or there is none any more; then the one of its own version, from the store.
    ///
    /// # Errors
    /// [`Error::FlowUnknown`] if that is lost, too.
    pub(super) async fn of(
        &self,
        q: &mut impl Queries,
        conversation: &Conversation,
    ) -> Result<Arc<Flow>, Error> {
        let name = conversation.flow.as_deref().ok_or(Error::FlowUnknown)?;
        let running = self.now().find(name).cloned();
        let Some(version) = conversation.state.as_ref().map(|state| state.version.as_str()) else {
            return running.ok_or(Error::FlowUnknown);
        };
        match running {
            Some(running) if running.version == version => Ok(running),
            Some(running) => {
                let seen = store::versions_seen(q, name).await?;
                let at = |version: &str| seen.iter().find(|(known, _)| known == version).map(|(_, at)| *at);
                match at(version) > at(&running.version) {
                    true => Ok(self.kept(q, name, version).await?.unwrap_or(running)),
                    false => Ok(running),
                }
            }
            None => self.kept(q, name, version).await?.ok_or(Error::FlowUnknown),
        }
    }

    async fn kept(
        &self,
        q: &mut impl Queries,
        name: &str,
        version: &str,
    ) -> Result<Option<Arc<Flow>>, Error> {
        let key = (name.to_owned(), version.to_owned());
        if let Some(known) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let files = store::flow_files(q, name, version).await?;
        // It was checked when it was noted; what it names outside of flows may be gone by now, and is met in turns.
        let flows = files.and_then(|files| Flows::read(&files, &Known::default(), &Report::new()));
        let flow = flows.and_then(|flows| flows.find(name).cloned()).filter(|flow| flow.version == version);
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(key, flow.clone());
        Ok(flow)
    }
}

/// Notes the versions of a set that begins to run, with its files, so that conversations in it can be ended on any
/// node and after any change; forgets those that nobody needs.
///
/// # Errors
/// As the store says.
pub async fn note(
    tx: &mut Tx,
    flows: &Flows,
    files: &[(String, String)],
    now: Timestamp,
) -> Result<(), Error> {
    let versions: Vec<(&str, &str)> =
        flows.all().iter().map(|flow| (flow.id.as_str(), flow.version.as_str())).collect();
    if !versions.is_empty() {
        store::note_flows(tx, &flows.digest(), files, &versions, now).await?;
    }
    store::forget_flows(tx, now.plus_ms(-KEPT_MS)).await?;
    Ok(())
}
