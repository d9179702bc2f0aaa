//! Trials over lives that are made up the same way every time.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::base::diagnostic::Report;
use crate::base::ids::ActivityId;
use crate::base::time::{DAY_MS, HOUR_MS};
use crate::scoring::Facts;
use crate::stages::rules::{self, Person, Position};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const DAYS: i64 = 180;

fn shipped(change: impl FnOnce(String) -> String) -> Definition {
    let text = change(include_str!("../../../config/lifecycle.yaml").to_owned());
    let report = Report::new();
    let definition = Definition::parse("lifecycle.yaml", &text, &report);
    definition.unwrap_or_else(|| panic!("{}", report.text()))
}

/// Numbers that are the same on every machine (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    fn ms(&mut self, below: i64) -> i64 {
        i64::try_from(self.roll(below.unsigned_abs())).expect("fits")
    }
}

/// A life: half of them fit, the eager ones do more, and of these some are won.
fn life(number: u64) -> Case {
    let mut dice = Dice(number.wrapping_mul(7_919));
    let begin = NOW.plus_ms(-DAYS * DAY_MS + dice.ms(150 * DAY_MS));
    let eager = dice.roll(3) == 0;
    let kinds = [
        "visit",
        "page",
        "asset.downloaded",
        "webinar.registered",
        "webinar.attended",
        "conversation.opened",
    ];
    let count = if eager { 12 } else { 3 };
    let mut activities: Vec<Activity> = (0..count)
        .map(|index| {
            let kind = kinds[usize::try_from(dice.roll(if eager { 6 } else { 3 })).expect("small")];
            let subject = if kind == "page" { "/pricing" } else { "x" };
            let at = begin.plus_ms(dice.ms(60 * DAY_MS)).min(NOW);
            let id = ActivityId::from_uuid(uuid::Uuid::from_u128(u128::from(number) << 64 | index));
            Activity { id, ..Activity::new(kind, subject.to_owned(), json!({}), at) }
        })
        .collect();
    let mut reached = vec![Reached { stage: "lead".to_owned(), at: begin }];
    if eager && dice.roll(2) == 0 {
        let won = begin.plus_ms(70 * DAY_MS);
        for stage in ["sql", "sal"] {
            reached.push(Reached { stage: stage.to_owned(), at: won });
        }
        if dice.roll(2) == 0 {
            reached.push(Reached { stage: "customer".to_owned(), at: won.plus_ms(DAY_MS) });
        }
        let id = ActivityId::from_uuid(uuid::Uuid::from_u128(u128::from(number) << 64 | 999));
        activities.push(Activity {
            id,
            ..Activity::new("booking.confirmed", None, json!({}), won.plus_ms(-HOUR_MS))
        });
    }
    activities.sort_by_key(|activity| (activity.at, activity.id));
    let fact = |name: &str, value: &str| Fact { name: name.to_owned(), value: value.to_owned(), at: begin };
    let mut fields = Vec::new();
    if dice.roll(2) == 0 {
        fields = vec![fact("job_title", "VP People"), fact("country", "ES"), fact("employees", "300")];
    }
    Case {
        contact: ContactId::from_uuid(uuid::Uuid::from_u128(u128::from(number))),
        email: Email::parse(&format!("c{number}@acme.example")).expect("valid"),
        language: "en".to_owned(),
        identified_at: begin,
        profiling_off_at: None,
        company: None,
        fields,
        countries: Vec::new(),
        regions: Vec::new(),
        activities,
        reached,
    }
}

fn asked<Q: Question>(mut question: Q, lives: impl IntoIterator<Item = u64>) -> Q {
    lives.into_iter().for_each(|number| question.ask(life(number)));
    question
}

fn backtest(model: &Definition, running: &Definition) -> Backtest {
    let period = (NOW.plus_ms(-DAYS * DAY_MS), NOW);
    let tester = Backtester::new(model, running, "mql", "sal", period).expect("both stages are there");
    asked(tester, 1..=400).finish()
}

/// The shipped lifecycle without the webinar's shortcut.
fn stricter() -> Definition {
    shipped(|text| {
        text.replace(
            "if: event(\"webinar.registered\", \"90d\")",
            "if: count(\"webinar.registered\", \"90d\") >= 2",
        )
    })
}

#[test]
fn the_same_lives_give_the_same_figures_on_every_machine() {
    let told = backtest(&stricter(), &shipped(|text| text));
    let text = serde_json::to_string_pretty(&told).expect("plain values") + "\n";
    if std::env::var_os("GOLDEN").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/stages/trial/backtest.golden.json");
        std::fs::write(path, &text).expect("written");
    }
    assert_eq!(text, include_str!("backtest.golden.json"), "GOLDEN=1 writes the file anew");
    let sum = |figures: &Figures| {
        figures.true_positives + figures.false_positives + figures.false_negatives + figures.true_negatives
    };
    assert_eq!((sum(&told.model), sum(&told.running)), (told.contacts, told.contacts));
    assert!(told.entering.is_empty() && !told.leaving.is_empty(), "the stricter model lets fewer in");
}

#[test]
fn a_model_that_asks_for_the_booking_is_refused_its_evidence_and_told_so() {
    let cheat = shipped(|text| {
        text.replace(
            "if: event(\"webinar.registered\", \"90d\")",
            "if: event(\"booking.confirmed\") || decision(\"sdr\", \"accept\")",
        )
    });
    let told = backtest(&cheat, &shipped(|text| text));
    let refused: Vec<&str> = told.refused.iter().map(|leak| leak.rule.as_str()).collect();
    assert_eq!(refused, ["eng.booked", "mql.webinar"]);
    let honest = backtest(
        &shipped(|text| {
            text.replace("if: event(\"webinar.registered\", \"90d\")", "if: event(\"nothing.at_all\")")
        }),
        &shipped(|text| text),
    );
    assert_eq!(told.model, honest.model, "what was refused counted nothing");
}

#[test]
fn what_comes_after_the_sale_and_what_the_talk_finds_out_is_no_evidence_and_says_why() {
    let because = |condition: &str| {
        let model = shipped(|text| {
            text.replace("if: event(\"webinar.registered\", \"90d\")", &format!("if: {condition}"))
        });
        let told = backtest(&model, &shipped(|text| text));
        told.refused.into_iter().find(|leak| leak.rule == "mql.webinar").map(|leak| leak.because)
    };
    for (condition, reason) in [
        ("event(\"purchase\")", Some(Because::AfterTheSale)),
        ("count(\"complaint\", \"30d\") >= 1", Some(Because::AfterTheSale)),
        ("event(\"offer.claimed\")", Some(Because::SalesTalk)),
        ("event(\"booking.confirmed\") || event(\"purchase\")", Some(Because::SalesTalk)),
        ("bant_positive >= 4", Some(Because::Qualifying)),
        ("bant.budget == \"yes\"", Some(Because::Qualifying)),
        ("event(\"call.requested\")", None),
        ("bant_positive >= 4 || event(\"webinar.registered\", \"90d\")", None),
    ] {
        assert_eq!(because(condition), reason, "{condition}");
    }
}

#[test]
fn whoever_is_qualified_only_once_it_is_decided_was_missed() {
    let definition = shipped(|text| text);
    let period = (NOW.plus_ms(-DAYS * DAY_MS), NOW);
    let mut case = life(1);
    let decided = NOW.plus_ms(-10 * DAY_MS);
    case.identified_at = NOW.plus_ms(-20 * DAY_MS);
    case.reached = vec![Reached { stage: "sal".to_owned(), at: decided }];
    case.activities =
        vec![Activity::new("webinar.registered", "w".to_owned(), json!({}), decided.plus_ms(DAY_MS))];
    let mut late = Backtester::new(&definition, &definition, "mql", "sal", period).expect("there");
    late.ask(case.clone());
    let late = late.finish().model;
    assert_eq!((late.false_negatives, late.late, late.true_positives), (1, 1, 0));
    case.activities =
        vec![Activity::new("webinar.registered", "w".to_owned(), json!({}), decided.plus_ms(-4 * DAY_MS))];
    let mut ahead = Backtester::new(&definition, &definition, "mql", "sal", period).expect("there");
    ahead.ask(case);
    let ahead = ahead.finish().model;
    assert_eq!((ahead.true_positives, ahead.median_lead_days, ahead.recall), (1, Some(4.0), Some(1.0)));
    assert_eq!(ahead.per_week.values().sum::<usize>(), 1);
}

#[test]
fn lift_says_what_the_won_have_more_often_and_few_say_nothing() {
    let period = (NOW.plus_ms(-DAYS * DAY_MS), NOW);
    let lifter = Lifter::new(shipped(|text| text), "customer", period).expect("there is one");
    let told = asked(lifter, 1..=400).finish();
    assert!(told.won > 10 && told.not_won > 200, "{} {}", told.won, told.not_won);
    let rule = |id: &str| told.rules.iter().find(|rule| rule.rule == id).expect("told");
    assert!(rule("eng.attended").lift.expect("enough") > 1.5);
    assert!(rule("eng.booked").looks_ahead && !rule("eng.attended").looks_ahead);
    assert!(rule("fit.free_mail").is_insufficient && rule("fit.free_mail").lift.is_none());
    // By hand for one rule: who downloaded anything before it was decided.
    let (mut won_with, mut won) = (0, 0);
    for case in (1..=400).map(life) {
        let Some(at) = case.first_in(&["customer"]).filter(|at| *at <= NOW) else { continue };
        won += 1;
        won_with += usize::from(case.activities.iter().any(|a| a.kind == "asset.downloaded" && a.at < at));
    }
    assert_eq!(rule("eng.download").of_won, compare::share(won_with, won));
}

#[test]
fn diff_tells_who_stands_elsewhere_and_by_which_rule() {
    let differ = asked(Differ::new(shipped(|text| text), stricter(), NOW), 1..=400);
    assert_eq!(differ.contacts, 400);
    assert!(!differ.changes.is_empty());
    for change in &differ.changes {
        // The one lets them in at the first registration, the other at the second, or cools them down from there.
        let (from, to) = (
            (change.from.as_str(), change.from_rule.as_str()),
            (change.to.as_str(), change.to_rule.as_str()),
        );
        let is_in = |side: (&str, &str)| side.0 == "mql" && side.1.starts_with("mql.");
        let is_out = |side: (&str, &str)| matches!(side, ("lead", "lead.identified" | "back.cold.mql"));
        assert!(is_in(from) && is_out(to) || is_out(from) && is_in(to), "{change:?}");
    }
    assert!(
        differ
            .changes
            .iter()
            .any(|change| change.from_rule == "mql.webinar" && change.to_rule == "lead.identified")
    );
    let same = asked(Differ::new(stricter(), stricter(), NOW), 1..=400);
    assert!(same.changes.is_empty());
}

/// What a server does: looks whenever something happens, and every hour besides.
fn hour_by_hour(definition: &Definition, case: &Case) -> Vec<(String, String)> {
    let mut position =
        Position { stage: definition.first().id.clone(), entered_at: case.identified_at, back_at: None };
    let mut moves = Vec::new();
    let mut times: Vec<Timestamp> = case.activities.iter().map(|activity| activity.at).collect();
    let hours = NOW.since_ms(case.identified_at) / HOUR_MS;
    times.extend((0..=hours).map(|hour| case.identified_at.plus_ms(hour * HOUR_MS)));
    times.retain(|at| *at >= case.identified_at && *at <= NOW);
    times.sort_unstable();
    let fields: BTreeMap<String, String> =
        case.fields.iter().map(|field| (field.name.clone(), field.value.clone())).collect();
    for now in times {
        let facts = Facts::of(&case.email, &case.language, &fields);
        let known = case.activities.iter().filter(|activity| activity.at <= now).cloned().collect();
        let person = Person::new(definition, facts, known, now);
        for step in rules::steps(definition, &person, &position) {
            let back_at = if step.back { Some(now) } else { position.back_at };
            position = Position { stage: step.to.clone(), entered_at: now, back_at };
            moves.push((step.to, step.rule));
        }
    }
    moves
}

#[test]
fn a_replay_makes_the_moves_that_a_server_makes_that_looks_every_hour() {
    // Cooling down soon, and a way back that waits for something not to happen.
    let definition = shipped(|text| {
        text.replace("after: 45d, to: lead", "after: 9d, to: lead").replace(
            "back:\n",
            "back:\n  - id: back.silent\n    from: mql\n    to: lead\n    if: \"!event(\\\"visit\\\", \\\"40d\\\") && engagement_points < 12.0\"\n    label: Silent\n",
        )
    });
    let model = Model::new(definition.clone());
    let mut seen = std::collections::BTreeSet::new();
    for case in (1..=24).map(life) {
        let history = definition.scoring.history(case.activities.clone());
        let replayed: Vec<(String, String)> =
            model.replay(&case, &history, NOW).into_iter().map(|step| (step.to, step.rule)).collect();
        assert_eq!(replayed, hour_by_hour(&definition, &case), "{}", case.email);
        seen.extend(replayed.into_iter().map(|(_, rule)| rule));
    }
    for rule in ["lead.identified", "mql.webinar", "mql.matrix", "back.cold.mql", "back.silent"] {
        assert!(seen.contains(rule), "{rule} was tried: {seen:?}");
    }
}

#[test]
fn a_moment_is_written_as_a_date_an_instant_or_a_distance() {
    assert_eq!(moment("+30d", NOW), Some(NOW.plus_ms(30 * DAY_MS)));
    assert_eq!(moment("-2h", NOW), Some(NOW.plus_ms(-2 * HOUR_MS)));
    assert_eq!(moment("1970-01-02", NOW), Some(Timestamp(DAY_MS)));
    assert_eq!(moment("1970-01-02T01:00:00Z", NOW), Some(Timestamp(DAY_MS + HOUR_MS)));
    assert_eq!(moment("tomorrow", NOW), None);
}
