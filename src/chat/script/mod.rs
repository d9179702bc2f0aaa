//! Flow tests written in YAML: a scene, a script of turns, and what has to come of it.
//!
//! The clock is moved by the script, calendar and colleagues are of cardboard, nothing touches the network.
//! A bot event that the script does not expect fails the test, so that a flow cannot grow a stray message unseen.
//! A test with `explore` has no script: the machine walks every way through the flow. `docs/flows.md` tells the
//! format.

mod coverage;
mod explore;
mod lines;
mod play;
mod reads;
mod scene;
mod transcript;
mod update;

use std::collections::BTreeMap;

use crate::base::diagnostic::{Mark, Report};
use crate::base::time::Timestamp;
use crate::base::yaml::{Doc, Map, Node, Spanned, View};

use super::actions;
use super::flow::Flow;
use super::rehearsal::Scene;

pub use self::coverage::{Coverage, Covered, Exit, exits, inherited};
pub use self::explore::{Explore, Explored, Finding, explore};
pub use self::lines::told;
pub use self::play::{Outcome, Row};
pub use self::transcript::columns;
pub use self::update::{Rewrite, rewrite};

/// The tests of one flow.
#[derive(Clone)]
pub struct Suite {
    pub flow: Spanned<String>,
    /// The scenes that its tests share, by name.
    pub scenes: BTreeMap<String, Scene>,
    pub tests: Vec<Test>,
}

/// One test.
#[derive(Clone)]
pub struct Test {
    pub name: Spanned<String>,
    scene: Scene,
    start_at: Option<Spanned<String>>,
    script: Vec<(Mark, Line)>,
    expect: Expect,
    explore: Option<Explore>,
}

/// One line of a script.
#[derive(Clone, Debug)]
enum Line {
    Bot(Expected),
    Visitor(Move),
    Visit {
        path: String,
        returning: bool,
        offers: Option<Spanned<String>>,
    },
    Watched {
        recording: Option<String>,
        percent: u8,
    },
    /// The page tells of an event of its own.
    Event(String),
    Advance {
        ms: i64,
    },
    Until(Timestamp),
    Agent(&'static str),
    /// The world changes in the middle.
    Scene(Node),
}

/// What the bot is expected to do next.
#[derive(Clone, Debug)]
enum Expected {
    Says(Spanned<String>),
    Contains(String),
    Matches(regex::Regex),
    Asks { question: String, choices: Vec<String>, slots: Option<usize> },
    Invalid(String),
    Shows(String),
    Pictures(String),
    Files(String),
    Cards(String),
    Books,
    Ends(String),
    Mode(String),
}

/// What the visitor does.
#[derive(Clone, Debug)]
enum Move {
    Types(String),
    Chooses(String),
    TakesSlot(usize),
    NoneFits,
    WantsAPerson,
    WantsToBeLeft,
    /// She opens the chat in which something waits for her.
    Opens,
}

#[derive(Clone, Default)]
struct Expect {
    end: Option<Spanned<String>>,
    at: Option<Spanned<String>>,
    path: Option<(Mark, Vec<String>)>,
    saved: Vec<(Spanned<String>, String)>,
    vars: Vec<(Spanned<String>, String)>,
    effects: Vec<Wanted>,
    never: Vec<Spanned<String>>,
}

/// An effect that has to happen, and the texts that go with it.
#[derive(Clone)]
struct Wanted {
    word: Spanned<String>,
    with: Vec<(String, String)>,
}

impl Suite {
    /// Reads a file of tests.
    pub fn read(doc: &Doc, report: &Report) -> Option<Suite> {
        let mut map = doc.view(report).map()?;
        let flow = map.required("flow").and_then(View::spanned);
        let mut views: BTreeMap<String, View<'_>> = BTreeMap::new();
        let mut scenes = BTreeMap::new();
        for (name, view) in
            map.optional("scenes").and_then(View::map).map(|m| m.entries()).unwrap_or_default()
        {
            let mut scene = Scene::default();
            scene::set_up(&mut scene, view);
            scenes.insert(name.value.clone(), scene);
            views.insert(name.value.clone(), view);
        }
        let items = map.required("tests").and_then(View::list).unwrap_or_default();
        let tests = items.into_iter().filter_map(|view| Test::read(view, &views)).collect();
        map.finish();
        Some(Suite { flow: flow?, scenes, tests })
    }

    /// Notes what its tests name and the flow does not have: steps (G201), and what can never happen (S510).
    pub fn check(&self, flow: &Flow, report: &Report) {
        let known = |step: &Spanned<String>| {
            if flow.step(&step.value).is_none() {
                let message = format!("{} has no step \"{}\"", flow.id, step.value);
                let ids = flow.steps.iter().map(|step| step.id.as_str());
                report.error(&step.at, "G201", message).did_you_mean(&step.value, ids);
            }
        };
        for test in &self.tests {
            test.start_at.iter().chain(&test.expect.at).for_each(known);
            if let Some((at, path)) = &test.expect.path {
                path.iter().for_each(|step| known(&Spanned { value: step.clone(), at: at.clone() }));
            }
            test.expect.never.iter().for_each(|never| possible(never, flow, report));
        }
    }
}

/// What must never happen has to be something that could: a step of the flow, an effect, or an effect with its name
/// (`do/call.request`). Else the test would hold whatever the flow did.
fn possible(never: &Spanned<String>, flow: &Flow, report: &Report) {
    let word = never.value.as_str();
    let (kind, name) = word.split_once('/').map_or((word, None), |(kind, name)| (kind, Some(name)));
    let ids = flow.steps.iter().map(|step| step.id.as_str());
    if flow.step(word).is_some() {
        return;
    }
    let (what, known): (&str, Vec<&str>) = match (kind, name) {
        ("do", Some(_)) => ("action", actions::ACTIONS.iter().map(|action| action.name).collect()),
        ("save", Some(_)) => ("variable", flow.vars.keys().map(String::as_str).collect()),
        (kind, _) if play::EFFECTS.contains(&kind) => return,
        _ => {
            let message = format!("{} has no step \"{word}\", and there is no such effect", flow.id);
            let actions: Vec<String> =
                actions::ACTIONS.iter().map(|action| format!("do/{}", action.name)).collect();
            let all = ids.chain(play::EFFECTS).chain(actions.iter().map(String::as_str));
            report.error(&never.at, "G201", message).did_you_mean(word, all);
            return;
        }
    };
    if let Some(name) = name.filter(|name| !known.contains(name)) {
        report.error(&never.at, "S510", format!("there is no {what} \"{name}\"")).did_you_mean(name, known);
    }
}

impl Test {
    /// Whether it walks every way through the flow, which takes longer than a script.
    pub fn explores(&self) -> bool {
        self.explore.is_some()
    }

    fn read(view: View<'_>, scenes: &BTreeMap<String, View<'_>>) -> Option<Test> {
        let mut map = view.map()?;
        let name = map.required("test").and_then(View::spanned);
        let mut scene = Scene::default();
        for used in map.optional("use").map(View::one_or_more).unwrap_or_default() {
            let Some(word) = used.str() else { continue };
            match scenes.get(&word) {
                Some(view) => scene::set_up(&mut scene, *view),
                None => used
                    .error("S510", format!("there is no scene \"{word}\""))
                    .did_you_mean(&word, scenes.keys().map(String::as_str)),
            }
        }
        if let Some(view) = map.optional("scene") {
            scene::set_up(&mut scene, view);
        }
        let start_at = map.optional("start_at").and_then(View::spanned);
        let explore = map.optional("explore").and_then(View::map).map(Explore::read);
        // Whoever explores needs no script.
        let lines = match &explore {
            Some(_) => map.optional("script"),
            None => map.required("script"),
        };
        let lines = lines.and_then(View::list).unwrap_or_default();
        let script =
            lines.into_iter().filter_map(|view| Some((view.at().clone(), lines::line(view)?))).collect();
        let expect = map.optional("expect").and_then(View::map).map(Expect::read).unwrap_or_default();
        map.finish();
        Some(Test { name: name?, scene, start_at, script, expect, explore })
    }
}

impl Expect {
    fn read(mut map: Map<'_>) -> Expect {
        let pairs = |view: Option<View<'_>>| {
            let map = view.and_then(View::map);
            let entries = map.map(|map| map.entries()).unwrap_or_default();
            entries.into_iter().filter_map(|(key, view)| Some((key.clone(), view.str()?))).collect()
        };
        let wanted = map.optional("effects").map(View::one_or_more).unwrap_or_default();
        let never = map.optional("never").map(View::one_or_more).unwrap_or_default();
        let expect = Expect {
            end: map.optional("end").and_then(View::spanned),
            at: map.optional("at").and_then(View::spanned),
            path: map.optional("path").map(|view| (view.at().clone(), view.strings())),
            saved: pairs(map.optional("saved")),
            vars: pairs(map.optional("vars")),
            effects: wanted.into_iter().filter_map(Wanted::read).collect(),
            never: never.into_iter().filter_map(View::spanned).collect(),
        };
        map.finish();
        expect
    }
}

impl Wanted {
    /// `do/call.request`, or `{effect: do/call.request, with: {note: …}}`.
    fn read(view: View<'_>) -> Option<Wanted> {
        if !view.is_map() {
            return view.spanned().map(|word| Wanted { word, with: Vec::new() });
        }
        let mut map = view.map()?;
        let word = map.required("effect").and_then(View::spanned);
        let with = map.optional("with").and_then(View::map).map(|map| map.entries()).unwrap_or_default();
        map.finish();
        let with =
            with.into_iter().filter_map(|(key, view)| Some((key.value.clone(), view.str()?))).collect();
        Some(Wanted { word: word?, with })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::yaml;
    use crate::chat::Flows;
    use crate::chat::check::{Known, Lock, lock_of};

    const FLOW: &str = "flow: small\ntitle: Small\nlanguages: [en]\nevents: {human_requested: bye}\ndefaults: {exhausted: bye, timeout: {after: 5m, goto: bye}}\nsteps:\n  more:\n    ask: More?\n    choices: {a: A, b: B}\n  bye:\n    say: Bye.\n    end: done\n";

    #[test]
    fn what_must_never_happen_has_to_be_something_that_could() {
        let told = |never: &str| {
            let report = Report::new();
            let flow = Flow::read(&yaml::parse("small.yaml", FLOW, &report).unwrap(), &report).unwrap();
            let tests = format!(
                "flow: small\ntests:\n  - test: t\n    script: []\n    expect: {{never: [{never}]}}\n"
            );
            let suite = Suite::read(&yaml::parse("t.yaml", &tests, &report).unwrap(), &report).unwrap();
            suite.check(&flow, &report);
            report.text()
        };
        for possible in
            ["bye", "handoff", "handoff/sdr", "do", "do/call.request", "wait/discovery", "identify"]
        {
            assert_eq!(told(possible), "", "{possible}");
        }
        for (word, code, near) in [
            ("handofff", "G201", "handoff"),
            ("byee", "G201", "bye"),
            ("do/call.reqest", "S510", "call.request"),
            ("od/call.request", "G201", "do/call.request"),
        ] {
            let told = told(word);
            assert!(told.contains(code) && told.contains(&format!("did you mean \"{near}\"?")), "{told}");
        }
        assert!(told("save/size").contains("there is no variable \"size\""), "{}", told("save/size"));
    }

    fn play(tests: &str) -> Vec<String> {
        let report = Report::new();
        let flow = Arc::new(Flow::read(&yaml::parse("small.yaml", FLOW, &report).unwrap(), &report).unwrap());
        let suite = Suite::read(&yaml::parse("t.yaml", tests, &report).unwrap(), &report).unwrap();
        assert!(report.is_clean(), "{}", report.text());
        let failures =
            suite.tests.iter().flat_map(|test| test.play(&flow, std::slice::from_ref(&flow)).failures);
        failures.map(|(at, message)| format!("{}: {message}", at.line)).collect()
    }

    #[test]
    fn a_script_that_fits_passes() {
        let script = "flow: small\ntests:\n  - test: takes a\n    script:\n      - bot: {ask: more, choices: [a, b]}\n      - visitor: {choose: a}\n      - bot: Bye.\n      - bot: {end: done}\n    expect: {end: done, path: [more, bye]}\n";
        assert_eq!(play(script), Vec::<String>::new());
    }

    #[test]
    fn a_wrong_missing_or_unexpected_message_fails_at_its_line() {
        let script = "flow: small\ntests:\n  - test: wrong\n    script:\n      - bot: {ask: more}\n      - visitor: {choose: a}\n      - bot: Hello.\n      - advance: 1s\n      - bot: {end: done}\n    expect: {end: other}\n";
        assert_eq!(
            play(script),
            [
                "7: expected \"Hello.\", came \"Bye.\"",
                "8: nobody expected the end (done)",
                "9: expected the end (done), nothing came",
                "10: expected the end \"other\", it ended as \"done\" at bye",
            ]
        );
    }

    #[test]
    fn what_cannot_be_done_and_what_is_not_there_is_told_in_words() {
        let script = "flow: small\ntests:\n  - test: odd\n    script:\n      - bot: {ask: more}\n      - visitor: {opens: true}\n      - visitor: {slot: 2}\n    expect:\n      saved: {size: large}\n      vars: {size: large}\n      effects: [code]\n";
        assert_eq!(
            play(script),
            [
                "6: the chat is open already: a script without a `visit` begins with it open",
                "7: no slot is offered",
                "9: size should be kept as \"large\", nothing is",
                "10: size should hold \"large\", it has no value",
                "11: code did not happen; there was nothing",
            ]
        );
    }

    #[test]
    fn the_clock_of_a_script_wakes_the_flow() {
        let script = "flow: small\ntests:\n  - test: waits\n    script:\n      - bot: {ask: more}\n      - advance: 299s\n      - advance: 1s\n      - bot: Bye.\n      - bot: {end: done}\n";
        assert_eq!(play(script), Vec::<String>::new());
    }

    /// The shipped flows with their tests.
    fn shipped() -> Vec<(&'static str, &'static str, &'static str)> {
        macro_rules! shipped {
            ($($name:literal),*) => {
                vec![$((
                    $name,
                    include_str!(concat!("../../../bot-flows/", $name, ".yaml")),
                    include_str!(concat!("../../../bot-flows/tests/", $name, ".yaml")),
                )),*]
            };
        }
        shipped![
            "customer-at-risk",
            "customer-care",
            "customer-check-in",
            "guide-follow-up",
            "leave-message",
            "needs",
            "nurture-offer",
            "out-of-hours",
            "pricing-qualification",
            "talk-or-book",
            "webinar-recording",
            "welcome",
            "win-back"
        ]
    }

    #[test]
    fn the_shipped_flows_pass_their_own_tests_which_take_every_way_out() {
        let report = Report::new();
        let own = |(name, flow, _): &(&str, &str, &str)| (format!("{name}.yaml"), (*flow).to_owned());
        let files: Vec<(String, String)> = shipped().iter().map(own).collect();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/bot-flows");
        assert_eq!(
            Flows::files(folder.as_ref(), &report).len(),
            files.len(),
            "every file is in the list above"
        );
        let flows = Flows::read(&files, &Known::default(), &report);
        assert!(report.is_clean(), "{}", report.text());
        let flows = flows.expect("sound flows");
        let lock: Lock = serde_json::from_str(include_str!("../../../bot-flows/translations.lock")).unwrap();
        let is_fresh = lock == lock_of(flows.all().iter().map(AsRef::as_ref));
        assert!(is_fresh, "look at the translations and run `embudo check --lock`");
        for (name, _, tests) in shipped() {
            let report = Report::new();
            let suite = Suite::read(&yaml::parse(name, tests, &report).unwrap(), &report).unwrap();
            let flow = flows.find(&suite.flow.value).expect("the flow of its tests");
            suite.check(flow, &report);
            assert!(report.is_clean(), "{}", report.text());
            let mut coverage = Coverage::default();
            for test in &suite.tests {
                let outcome = test.play(flow, flows.all());
                let columns = columns(&outcome.rows, 46);
                assert!(outcome.failures.is_empty(), "{}: {:#?}\n{columns}", outcome.name, outcome.failures);
                coverage.add(&outcome);
            }
            let covered = coverage.of(flow);
            let steps: Vec<&str> = covered.missed_steps.iter().map(|step| step.id.as_str()).collect();
            assert!(steps.is_empty(), "{name}: no test reaches {steps:?}");
            assert!(covered.missed_exits.is_empty(), "{name}: no test takes {:#?}", covered.missed_exits);
            assert_eq!(covered.percent(), 100);
        }
    }
}
