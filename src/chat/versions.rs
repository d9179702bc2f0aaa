//! What becomes of a conversation when its flow has changed under it.
//!
//! Texts follow at once. A step whose contract is the same (verb, kind of answer, choices) goes on; one whose
//! contract has changed is asked anew; one that is gone goes on where `migrate` says, else with an excuse where a
//! person would be asked for. A flow that is gone altogether is kept for the conversations that are in it, and so is
//! the old version of one that says `change: pin`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::check::Known;
use super::engine::{Phase, State};
use super::flow::{Change, Flow, Step, VarType};
use super::flows::Flows;
use super::{Conversation, Error, store};
use crate::base::diagnostic::{Mark, Report};
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

/// Whether a conversation of this age keeps the version that it is in, although this one runs.
fn is_pinned(running: &Flow, age_ms: i64) -> bool {
    match running.change {
        Change::Follow => false,
        Change::Pin { max_age_ms } => age_ms < max_age_ms,
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

/// Conversations that would meet the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Meeting {
    pub flow: String,
    /// Where they stand.
    pub step: String,
    /// What they meet, in words.
    pub word: &'static str,
    /// Where they go on.
    pub to: Option<String>,
    pub count: usize,
    /// Where the flow is written; none if it is gone.
    pub at: Option<Mark>,
}

/// What open conversations would meet in a set of flows, the most first.
pub fn meetings(flows: &Flows, standing: &[State]) -> Vec<Meeting> {
    let mut meetings: Vec<Meeting> = Vec::new();
    for state in standing {
        let flow = flows.find(&state.flow);
        let fate = flow.map(|flow| fate(flow, state));
        let (word, to) = match fate {
            _ if flow.is_some_and(|flow| flow.change != Change::Follow && flow.version != state.version) => {
                ("stays in its own version", Some(state.step.clone()))
            }
            Some(Fate::Same(step) | Fate::GoesOn(step) | Fate::AsksAgain(step)) => {
                (fate.map_or("", Fate::word), Some(step.id.clone()))
            }
            Some(Fate::Gone) => {
                let to = flow.and_then(|flow| flow.human.as_ref().or(flow.stop.as_ref()));
                ("its step is gone: excused", to.map(|to| to.step.clone()))
            }
            None => ("its flow is gone: ends in the old one", None),
        };
        let same = |known: &&mut Meeting| {
            known.flow == state.flow && known.step == state.step && known.word == word && known.to == to
        };
        match meetings.iter_mut().find(same) {
            Some(known) => known.count = known.count.saturating_add(1),
            None => meetings.push(Meeting {
                flow: state.flow.clone(),
                step: state.step.clone(),
                word,
                to,
                count: 1,
                at: flow.map(|flow| flow.at.clone()),
            }),
        }
    }
    meetings.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.cmp(b)));
    meetings
}

/// Notes where conversations would be pulled out of their step (G213).
pub fn tell(meetings: &[Meeting], report: &Report) {
    for meeting in meetings.iter().filter(|meeting| meeting.word.starts_with("its step is gone")) {
        let Some(at) = &meeting.at else { continue };
        let (count, step) = (meeting.count, &meeting.step);
        let message = format!("{count} open conversations stand at \"{step}\", which is gone");
        report.warning(at, "G213", message).hint(format!("add `migrate: {{{step}: its_new_name}}`"));
    }
}

/// Flows by name and version; nothing for one that is not in the store any more.
type Kept = HashMap<(String, String), Option<Arc<Flow>>>;

/// The flows that run now. A new set replaces the old one whole; a turn ends with the set it has begun with.
#[derive(Debug, Default)]
pub struct Running {
    flows: RwLock<Arc<Flows>>,
    /// Why the files as they are now do not run.
    problem: RwLock<Option<String>>,
    /// Flows of other versions that conversations are in, by name and version.
    kept: Mutex<Kept>,
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

    /// The answers that the flows offer for a field, as [`Flows::choices`].
    pub fn choices(&self, field: &str, language: Language) -> Vec<(String, String)> {
        self.now().choices(field, language)
    }

    /// Keeps the set that runs, and why the files do not.
    pub fn refuse(&self, problem: String) {
        *self.problem.write().unwrap_or_else(PoisonError::into_inner) = Some(problem);
    }

    /// Why the files do not run, if they do not.
    pub fn problem(&self) -> Option<String> {
        self.problem.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The flow that a conversation goes on with: the one of its name that runs, unless that leaves open conversations
    /// where they are, another node has brought a newer one, or there is none any more; then the one of its own version, from the store.
    ///
    /// # Errors
    /// [`Error::FlowUnknown`] if that is lost, too.
    pub(super) async fn of(
        &self,
        q: &mut impl Queries,
        conversation: &Conversation,
        now: Timestamp,
    ) -> Result<Arc<Flow>, Error> {
        let name = conversation.flow.as_deref().ok_or(Error::FlowUnknown)?;
        let running = self.now().find(name).cloned();
        let Some(version) = conversation.state.as_ref().map(|state| state.version.as_str()) else {
            return running.ok_or(Error::FlowUnknown);
        };
        match running {
            Some(running) if running.version == version => Ok(running),
            Some(running) if is_pinned(&running, now.since_ms(conversation.opened_at)) => {
                Ok(self.kept(q, name, version).await?.unwrap_or(running))
            }
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

/// The flows of a set as they run now, of those that have run in another version.
///
/// # Errors
/// As the store says.
pub async fn published(q: &mut impl Queries, flows: &Flows) -> Result<Vec<Arc<Flow>>, Error> {
    let mut found = Vec::new();
    for flow in flows.all() {
        let seen = store::versions_seen(q, &flow.id).await?;
        let Some((latest, _)) = seen.into_iter().max_by_key(|(_, at)| *at) else { continue };
        if latest == flow.version {
            continue;
        }
        let files = store::flow_files(q, &flow.id, &latest).await?;
        let set = files.and_then(|files| Flows::read(&files, &Known::default(), &Report::new()));
        found.extend(set.and_then(|set| set.find(&flow.id).cloned()));
    }
    Ok(found)
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

/// Has those conversations woken again that wait for a time and would be woken at none: they could not go on when it
/// came, because their flow was lost or did not fit them.
///
/// # Errors
/// As the store says.
pub async fn rewake(tx: &mut Tx) -> Result<(), Error> {
    for (id, at) in store::unwoken(tx).await? {
        store::wake_at(tx, id, at).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::yaml;
    use crate::chat::body::{Author, Body, Mode, Said};
    use crate::chat::effects::Effect;
    use crate::chat::engine::{Input, Out};
    use crate::chat::question::AGAIN;
    use crate::chat::rehearsal::{Rehearsal, Scene, says};

    const OLD: &str = "flow: small\ntitle: Small\nlanguages: [en]\nvars:\n  size: {type: enum, values: [a, b]}\n  name: {type: text}\nevents: {human_requested: live}\ndefaults: {exhausted: bye, timeout: {after: 5m, goto: bye}}\nsteps:\n  more:\n    ask: More?\n    var: size\n    choices: {a: A, b: B}\n  name:\n    ask: Name?\n    var: name\n  bye:\n    say: Bye.\n    end: done\n  live:\n    handoff: {team: sdr, wait: 90s}\n    say: One moment.\n    outcomes: {booked: bye, returned: bye, closed: bye, unavailable: bye, expired: bye}\n";

    fn flow(text: &str) -> Flow {
        let report = Report::new();
        let doc = yaml::parse("small.yaml", text, &report).unwrap();
        let flow = Flow::read(&doc, &report).unwrap();
        assert!(!report.has_errors(), "{}", report.text());
        flow
    }

    fn after(from: &str, to: &str) -> Flow {
        assert!(OLD.contains(from), "{from}");
        flow(&OLD.replace(from, to))
    }

    fn pick(question: &str, choice: &str) -> Input {
        Input::Said(Said::Choice { question: question.into(), choice: choice.into() })
    }

    fn texts(events: &[Out]) -> Vec<String> {
        let text = |out: &Out| match &out.body {
            Body::Text { text, .. } | Body::Ask { text, .. } => Some(text.clone()),
            _ => None,
        };
        events.iter().filter_map(text).collect()
    }

    #[test]
    fn texts_follow_at_once_and_the_step_goes_on() {
        let (old, new) = (flow(OLD), after("Name?", "Who are you?"));
        let (mut play, _) = Rehearsal::open(&old, Scene::default(), None);
        assert!(matches!(fate(&new, &play.state), Fate::GoesOn(step) if step.id == "more"));
        play.flow = &new;
        let events = play.play(&pick("more", "a")).unwrap();
        assert_eq!(texts(&events), ["Who are you?"], "no excuse, and the new words");
        assert_eq!(play.state.vars["size"], "a");
    }

    #[test]
    fn a_changed_step_asks_again_and_an_unchanged_one_does_not() {
        let new = OLD.replace("[a, b]", "[a, b, c]").replace("{a: A, b: B}", "{a: A, b: B, c: C}");
        let (old, new) = (flow(OLD), flow(&new));
        let (mut play, _) = Rehearsal::open(&old, Scene::default(), None);
        assert!(matches!(fate(&new, &play.state), Fate::AsksAgain(_)));
        play.flow = &new;
        let events = play.advance(0);
        assert!(events.is_empty(), "nobody is disturbed before something happens");
        let events = play.play(&says("b")).unwrap();
        assert!(texts(&events).contains(&"More?".to_owned()), "{events:?}");
        let (mut later, _) = Rehearsal::open(&old, Scene::default(), Some("name"));
        assert!(matches!(fate(&new, &later.state), Fate::GoesOn(_)));
        later.flow = &new;
        assert_eq!(texts(&later.play(&says("Ana")).unwrap()), ["Bye."]);
    }

    #[test]
    fn a_renamed_step_goes_on_and_takes_the_answer_to_its_old_name() {
        let new = OLD.replace("  more:", "  which:").replace("steps:", "migrate: {more: which}\nsteps:");
        let (old, new) = (flow(OLD), flow(&new));
        let (mut play, _) = Rehearsal::open(&old, Scene::default(), None);
        assert!(matches!(fate(&new, &play.state), Fate::GoesOn(step) if step.id == "which"));
        play.flow = &new;
        assert_eq!(texts(&play.play(&pick("more", "b")).unwrap()), ["Name?"]);
        assert_eq!(play.state.vars["size"], "b");
    }

    #[test]
    fn a_step_that_is_gone_leads_to_a_person_unless_one_speaks_already() {
        let (old, new) = (flow(OLD), after("  more:", "  which:"));
        let stage = || Scene { online: 1, ..Scene::default() };
        let (mut play, _) = Rehearsal::open(&old, stage(), None);
        assert!(matches!(fate(&new, &play.state), Fate::Gone));
        let mut talking = play.clone();
        play.flow = &new;
        let events = play.play(&says("b")).unwrap();
        assert!(
            events.iter().any(|o| matches!(&o.body, Body::Status { mode: Mode::Waiting, .. })),
            "{events:?}"
        );
        talking.play(&Input::AgentAccepted { agent: Rehearsal::agent() }).unwrap();
        talking.flow = &new;
        assert!(
            texts(&talking.play(&says("b")).unwrap()).iter().all(|text| text == "b"),
            "the bot is silent"
        );
        let events = talking.play(&Input::AgentReturned).unwrap();
        assert!(texts(&events).iter().any(|text| text.contains("just changed")), "{events:?}");
    }

    /// The step `here` as every verb, before the same rest; `{next}` leads on to it.
    const HERE: [(&str, &str); 24] = [
        ("choice", "ask: Which?, choices: {a: A, b: B}"),
        ("other choices", "ask: Which one?, choices: {x: X, y: Y}"),
        ("number", "ask: How many?, type: number"),
        ("text", "ask: What for?, type: text"),
        ("code", "ask: Which digits?, type: code, outcomes: {unavailable: next}"),
        ("form", "form: {size: {ask: Size?, choices: {a: A, b: B}}, name: {ask: Name?}}"),
        ("other form", "form: {name: {ask: Name?}}"),
        (
            "book",
            "book: {meeting: discovery, waiting_list: true}, ask: When?, outcomes: {none_fit: next, unavailable: next}",
        ),
        ("other book", "book: {meeting: intro}, ask: When?, outcomes: {none_fit: next, unavailable: next}"),
        ("do", "do: contact.mark, with: {as: seen}, outcomes: {error: next}"),
        ("say", "say: Hello."),
        ("say and do", "say: Hello., goto: done"),
        ("say and book", "say: Hello., goto: booked"),
        ("say and code", "say: Hello., goto: proved"),
        ("show", "show: {image: /a.png, alt: A}"),
        ("set", "set: {name: Ana}"),
        ("switch", "switch: [{if: 'trust > 3', goto: bye}, {else: next}]"),
        ("split", "split: {a: {weight: 50, goto: next}, b: {weight: 50, goto: done}}"),
        ("time", "wait_for: {time: 1h}"),
        ("event", "wait_for: {event: seen}, timeout: {after: 5m, goto: next}"),
        ("message", "wait_for: {message: true}, timeout: {after: 5m, goto: next}"),
        ("pass", "goto: next"),
        (
            "handoff",
            "handoff: {team: cs, wait: 90s}, say: Wait., outcomes: {booked: next, returned: next, closed: bye, unavailable: next, expired: next}",
        ),
        ("end", "say: That is all., end: done"),
    ];

    fn here(step: &str) -> Flow {
        let head = "flow: all\ntitle: All\nlanguages: [en]\nvars:\n  size: {type: enum, values: [a, b]}\n  name: {type: text}\n\
            events: {human_requested: live, stop_requested: bye}\ndefaults: {retries: 0, exhausted: next, timeout: {after: 5m, goto: next}}\nsteps:\n";
        let rest = "  next: {ask: And now?, type: text, goto: bye}\n  bye: {say: Bye., end: done}\n\
            \x20 done: {do: contact.mark, with: {as: seen}, outcomes: {error: next}, goto: next}\n\
            \x20 booked: {book: {meeting: intro}, ask: When?, outcomes: {none_fit: next, unavailable: next}, goto: next}\n\
            \x20 proved: {ask: Which digits?, type: code, outcomes: {unavailable: next}, goto: next}\n\
            \x20 live:\n    handoff: {team: sdr, wait: 90s}\n    say: One moment.\n    \
            outcomes: {booked: bye, returned: bye, closed: bye, unavailable: bye, expired: bye}\n";
        flow(&format!("{head}  here: {{{step}}}\n{rest}"))
    }

    /// Scenes in which she has an address or none, and times are free or not.
    fn scenes() -> Vec<Scene> {
        let usual = Scene { online: 1, ..Scene::default() };
        let day = |n: i64| usual.now.plus_ms(n * DAY_MS);
        let slots = vec![day(1), day(2)];
        vec![
            usual.clone(),
            Scene { has_email: true, ..usual.clone() },
            Scene { has_email: true, slots: slots.clone(), ..usual.clone() },
            Scene { has_email: true, actions_work: false, trust: 3, slots, ..usual },
        ]
    }

    /// Every conversation that can stand at one `here` when the flow changes to another in which that asks again.
    fn each_change(mut meets: impl FnMut(Rehearsal<'_>, &str)) {
        let flows: Vec<(&str, Flow)> = HERE.iter().map(|(name, step)| (*name, here(step))).collect();
        let mut changes = 0;
        for (old_name, old) in &flows {
            for (new_name, new) in &flows {
                for scene in scenes() {
                    let (mut play, _) = Rehearsal::open(old, scene, None);
                    let stands = play.state.step == "here" && play.state.phase != Phase::Ended;
                    if !stands || !matches!(fate(new, &play.state), Fate::AsksAgain(_)) {
                        continue;
                    }
                    changes += 1;
                    play.flow = new;
                    meets(play, &format!("{old_name} becomes {new_name}"));
                }
            }
        }
        assert!(changes > 500, "{changes}");
    }

    fn stands(play: &Rehearsal<'_>, what: &str) {
        assert_ne!(play.state.phase, Phase::Answer, "{what}: it waits for an answer that nobody gives");
        let clock = play.state.deadline.is_some();
        let is_open = matches!(play.state.phase, Phase::Human | Phase::Ended);
        assert!(clock || is_open, "{what}: time leads on from {:?}", play.state.phase);
    }

    #[test]
    fn whatever_she_says_to_a_step_that_has_become_another_is_written_down_and_the_flow_goes_on() {
        let words = [
            Said::Text { text: "b".into() },
            Said::Text { text: "hola".into() },
            Said::Text { text: "7".into() },
            Said::Choice { question: "here".into(), choice: "b".into() },
            Said::Choice { question: "here".into(), choice: AGAIN.into() },
            Said::Choice { question: "here.wait".into(), choice: "yes".into() },
            Said::Answer { question: "here".into(), value: "7".into() },
            Said::Answer { question: "here.email".into(), value: "ana@example.com".into() },
            Said::Slot { question: "here".into(), starts_at: Some(Timestamp(5)), none_fit: false },
            Said::Slot { question: "here".into(), starts_at: None, none_fit: true },
        ];
        each_change(|before, what| {
            for said in &words {
                let what = format!("{what}, {said:?}");
                let mut play = before.clone();
                let events =
                    play.play(&Input::Said(said.clone())).unwrap_or_else(|no| panic!("{what}: {no}"));
                let hers: Vec<&Out> = events.iter().filter(|out| out.author == Author::Visitor).collect();
                assert_eq!(hers.len(), 1, "{what}: {events:?}");
                // What names a choice of now comes after the question that it answers.
                let picked = matches!(&hers[0].body, Body::Choice { question, .. } if question == "here");
                assert!(picked || events[0].author == Author::Visitor, "{what}: {events:?}");
                let excuses = texts(&events).iter().filter(|text| text.contains("just changed")).count();
                assert_eq!(excuses, 1, "{what}: {events:?}");
                stands(&play, &what);
                // What she says next is taken as ever.
                if play.state.phase != Phase::Ended {
                    play.play(&says("and then?")).unwrap_or_else(|no| panic!("{what}, and then: {no}"));
                }
            }
        });
    }

    #[test]
    fn an_effect_of_a_changed_step_is_worked_off_once_and_she_is_asked() {
        let scene = || scenes().remove(2);
        for (name, asks) in
            [("book", "When?"), ("code", "Which digits?"), ("do", "And now?"), ("say and do", "And now?")]
        {
            let old = here("ask: How many?, type: number");
            let new = here(HERE.iter().find(|(known, _)| *known == name).unwrap().1);
            let (mut play, _) = Rehearsal::open(&old, scene(), None);
            play.flow = &new;
            let events = play.play(&says("7")).unwrap();
            assert_eq!(texts(&events).first().map(String::as_str), Some("7"), "{name}");
            assert_eq!(texts(&events).last().map(String::as_str), Some(asks), "{name}: {events:?}");
            assert_eq!(play.effects.len(), 1, "{name}: {:?}", play.effects);
            assert_eq!(play.state.unheard, "7", "it can be passed on");
        }
    }

    #[test]
    fn time_a_colleague_and_the_page_get_on_with_a_step_that_has_become_another() {
        each_change(|before, what| {
            let mut play = before.clone();
            let at = play.wake_at.unwrap_or_else(|| panic!("{what}: it waits for ever"));
            play.scene.now = at;
            let events = play.play(&Input::Tick).unwrap_or_else(|no| panic!("{what}, time: {no}"));
            assert!(texts(&events)[0].contains("just changed"), "{what}: {events:?}");
            stands(&play, what);
            let mut play = before.clone();
            let accepted = Input::AgentAccepted { agent: Rehearsal::agent() };
            let events = play.play(&accepted).unwrap_or_else(|no| panic!("{what}, a colleague: {no}"));
            assert_eq!(play.state.phase, Phase::Human, "{what}");
            assert!(
                texts(&events).is_empty() && play.effects.len() == before.effects.len(),
                "{what}: {events:?}"
            );
            play.play(&says("hello")).unwrap();
            let mut left = play.clone();
            left.play(&Input::AgentReturned).unwrap_or_else(|no| panic!("{what}, given back: {no}"));
            stands(&left, what);
            play.play(&Input::AgentClosed).unwrap_or_else(|no| panic!("{what}, closed: {no}"));
            let mut play = before.clone();
            let event = Input::Event { name: "seen".into() };
            play.play(&event).unwrap_or_else(|no| panic!("{what}, the page: {no}"));
            stands(&play, what);
            let watched = Input::Watched { recording: "a".into(), percent: 50 };
            before.clone().play(&watched).unwrap_or_else(|no| panic!("{what}, a video: {no}"));
        });
    }

    #[test]
    fn a_wish_leads_where_it_leads_although_the_step_has_become_another() {
        each_change(|before, what| {
            for said in [Said::HumanRequested, Said::Text { text: "I want to talk to a person".into() }] {
                let mut play = before.clone();
                let events = play.play(&Input::Said(said)).unwrap_or_else(|no| panic!("{what}: {no}"));
                assert_eq!(
                    (play.state.step.as_str(), &play.state.phase),
                    ("live", &Phase::Waiting),
                    "{what}"
                );
                assert_eq!(events[0].author, Author::Visitor, "{what}");
                assert_eq!(play.effects.len(), before.effects.len() + 1, "only somebody is asked: {what}");
            }
            for said in [Said::StopRequested, Said::Text { text: "basta".into() }] {
                let mut play = before.clone();
                play.play(&Input::Said(said)).unwrap_or_else(|no| panic!("{what}: {no}"));
                assert_eq!(play.state.outcome.as_deref(), Some("done"), "{what}");
                assert_eq!(play.effects.len(), before.effects.len(), "{what}");
            }
        });
    }

    #[test]
    fn whoever_is_waiting_for_a_person_waits_on_when_the_step_has_become_another() {
        let old = here(
            "handoff: {team: sdr, wait: 90s}, say: Wait., outcomes: {booked: next, returned: next, closed: bye, unavailable: next, expired: next}",
        );
        let gone = here("say: Hello.");
        let gone =
            Flow { steps: gone.steps.iter().filter(|step| step.id != "here").cloned().collect(), ..gone };
        let new = HERE.iter().filter(|(name, _)| *name != "handoff").map(|(_, step)| here(step));
        for new in new.chain([gone]) {
            for scene in scenes() {
                let (mut play, _) = Rehearsal::open(&old, scene, None);
                assert_eq!(play.state.phase, Phase::Waiting);
                play.flow = &new;
                let what = format!("{:?}", new.step("here").map(|step| step.verb.word()));
                let events = play.play(&says("are you there?")).unwrap_or_else(|no| panic!("{what}: {no}"));
                assert_eq!(
                    (texts(&events).len(), &play.state.phase),
                    (1, &Phase::Waiting),
                    "{what}: {events:?}"
                );
                let mut taken = play.clone();
                taken.play(&Input::AgentAccepted { agent: Rehearsal::agent() }).unwrap();
                assert_eq!(taken.state.phase, Phase::Human, "{what}");
                play.scene.now = play.wake_at.unwrap();
                let events = play.play(&Input::Tick).unwrap_or_else(|no| panic!("{what}, time: {no}"));
                assert!(play.effects.contains(&Effect::WithdrawHandoff), "nobody is rung for her: {what}");
                let mode = |out: &Out| matches!(out.body, Body::Status { mode: Mode::Bot, .. });
                assert!(events.iter().any(mode), "{what}: {events:?}");
                stands(&play, &what);
            }
        }
    }

    #[test]
    fn a_colleague_gets_into_a_talk_whose_step_is_gone_and_a_wish_for_peace_is_heard_in_it() {
        let (old, new) = (
            flow(OLD),
            flow(&OLD.replace("  more:", "  which:").replace("live}", "live, stop_requested: bye}")),
        );
        let scene = || Scene { online: 1, ..Scene::default() };
        let (mut play, _) = Rehearsal::open(&old, scene(), None);
        play.flow = &new;
        let mut left = play.clone();
        let events = play.play(&Input::AgentAccepted { agent: Rehearsal::agent() }).unwrap();
        assert_eq!((&play.state.phase, texts(&events).len()), (&Phase::Human, 0), "{events:?}");
        left.play(&says("leave me alone")).unwrap();
        assert_eq!(left.state.outcome.as_deref(), Some("done"));
    }

    #[test]
    fn digits_that_prove_an_address_stand_in_no_log_where_their_step_has_changed() {
        let old = here("ask: Which digits?, type: code, outcomes: {unavailable: next}");
        let gone = flow(OLD);
        let gone = Flow { id: "all".into(), ..gone };
        for new in [here("ask: What for?, type: text"), gone] {
            for said in [
                Said::Text { text: "837 261".into() },
                Said::Answer { question: "here".into(), value: "837261".into() },
            ] {
                let (mut play, _) = Rehearsal::open(&old, scenes().remove(1), None);
                play.flow = &new;
                let events = play.play(&Input::Said(said)).unwrap();
                assert!(!format!("{events:?} {:?}", play.state).contains("261"), "{events:?}");
                assert_eq!(events[0].author, Author::Visitor);
            }
        }
    }

    #[test]
    fn answers_survive_unless_their_variable_is_gone_or_of_another_kind() {
        let (old, new) = (flow(OLD), flow(&OLD.replace("[a, b]", "[a, x]").replace("b: B", "x: X")));
        let (mut play, _) = Rehearsal::open(&old, Scene::default(), None);
        play.play(&pick("more", "b")).unwrap();
        let mut state = play.state.clone();
        state.vars.insert("name".into(), "Ana".into());
        carry_over(&new, &mut state);
        assert_eq!(state.vars.keys().collect::<Vec<_>>(), ["name"], "b is no size any more");
    }

    #[test]
    fn what_open_conversations_would_meet_is_counted() {
        let set = |text: &str| {
            let files = [("small.yaml".to_owned(), text.to_owned())];
            Flows::read(&files, &Known::default(), &Report::new()).unwrap()
        };
        let old = flow(OLD);
        let (play, _) = Rehearsal::open(&old, Scene::default(), None);
        let (name, _) = Rehearsal::open(&old, Scene::default(), Some("name"));
        let standing = [play.state.clone(), play.state, name.state];
        let told = |text: &str| -> Vec<String> {
            let meetings = meetings(&set(text), &standing);
            meetings.iter().map(|m| format!("{} {} {} {:?}", m.count, m.step, m.word, m.to)).collect()
        };
        assert_eq!(told(OLD), ["2 more unchanged Some(\"more\")", "1 name unchanged Some(\"name\")"]);
        let gone = OLD.replace("  more:", "  which:");
        assert_eq!(told(&gone)[0], "2 more its step is gone: excused Some(\"live\")");
        let report = Report::new();
        tell(&meetings(&set(&gone), &standing), &report);
        assert_eq!(report.diagnostics().iter().map(|d| d.code).collect::<Vec<_>>(), ["G213"]);
        let other = OLD.replace("flow: small", "flow: other");
        assert_eq!(told(&other)[0], "2 more its flow is gone: ends in the old one None");
    }
}
