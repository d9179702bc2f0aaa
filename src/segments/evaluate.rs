//! Asks segments about people, and keeps the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde::Serialize;

use super::definition::{Changed, Definition, Segment};
use super::{Costs, due, store};
use crate::base::expr::Context;
use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::contacts::{self, marks};
use crate::events::{self, Event};
use crate::stages::{self, Person};
use crate::storage::db::{Db, Queries, Tx};

/// People that one transaction looks at.
const AT_ONCE: usize = 25;
/// People that are looked at before other work gets its turn.
const IN_A_TURN: i64 = 200;

/// Somebody came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The segment.
    pub segment: String,
    /// Came, or went.
    pub entered: bool,
}

/// Asks about one person: the segments that the change concerns, and those whose moment has come.
///
/// # Errors
/// [`stages::Error::NoContact`], or as the store says.
pub async fn evaluate(
    tx: &mut Tx,
    lifecycle: &stages::Definition,
    segments: &Definition,
    costs: &Costs,
    contact: ContactId,
    changed: &Changed,
    now: Timestamp,
) -> Result<Vec<Change>, stages::Error> {
    evaluate_known(tx, lifecycle, segments, costs, (contact, None), changed, now).await
}

/// As [`evaluate`], of somebody of whom it may be known what rules can ask for.
async fn evaluate_known(
    tx: &mut Tx,
    lifecycle: &stages::Definition,
    segments: &Definition,
    costs: &Costs,
    (contact, person): (ContactId, Option<Person>),
    changed: &Changed,
    now: Timestamp,
) -> Result<Vec<Change>, stages::Error> {
    let states = store::states(tx, contact).await?;
    let is_due = |segment: &Segment| {
        states.get(&segment.id).and_then(|state| state.due_at).is_some_and(|due_at| due_at <= now)
    };
    let mut asked: Vec<&Segment> = segments.concerned(changed).collect();
    asked.extend(segments.segments.iter().filter(|segment| is_due(segment)));
    ask(tx, lifecycle, &asked, costs, (contact, person), &states, Told::Everybody, now).await
}

/// What one segment says of somebody now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The segment.
    pub segment: String,
    /// Its condition as it was written.
    pub condition: String,
    /// Whether she belongs.
    pub is_member: bool,
    /// When time alone may change that.
    pub due_at: Option<Timestamp>,
}

/// Asks every segment about one person, and writes nothing.
///
/// # Errors
/// [`stages::Error::NoContact`], or as the store says.
pub async fn ask_about(
    q: &mut impl Queries,
    lifecycle: &stages::Definition,
    segments: &Definition,
    contact: ContactId,
    now: Timestamp,
) -> Result<Vec<Answer>, stages::Error> {
    let person = stages::person(q, lifecycle, contact, now).await?;
    let values = values(q, lifecycle, &person, contact, now).await?;
    let asked: Vec<&Segment> = segments.segments.iter().collect();
    let answers = answers(lifecycle, &asked, &Costs::default(), &person, &values);
    Ok(answers
        .into_iter()
        .map(|(segment, is_member, due_at)| Answer {
            segment: segment.id.clone(),
            condition: segment.condition.text().to_owned(),
            is_member,
            due_at,
        })
        .collect())
}

/// Asks every segment about up to `most` people, writes nothing, and tells what that has cost.
///
/// # Errors
/// As the store says.
pub async fn measure(
    q: &mut impl Queries,
    lifecycle: &stages::Definition,
    segments: &Definition,
    most: i64,
    now: Timestamp,
) -> Result<Costs, stages::Error> {
    let costs = Costs::default();
    let asked: Vec<&Segment> = segments.segments.iter().collect();
    for contact in store::contacts_after(q, "", most).await? {
        let person = stages::person(q, lifecycle, contact, now).await?;
        let values = values(q, lifecycle, &person, contact, now).await?;
        answers(lifecycle, &asked, &costs, &person, &values);
    }
    Ok(costs)
}

/// Whether the others hear of who comes and goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Everybody,
    /// A condition is new: whoever belongs has belonged already, and nothing follows from it.
    Nobody,
}

#[allow(clippy::too_many_arguments, reason = "one person, all there is to know")]
async fn ask(
    tx: &mut Tx,
    lifecycle: &stages::Definition,
    asked: &[&Segment],
    costs: &Costs,
    (contact, person): (ContactId, Option<Person>),
    states: &BTreeMap<String, store::State>,
    told: Told,
    now: Timestamp,
) -> Result<Vec<Change>, stages::Error> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let person = match person {
        Some(person) => person,
        None => stages::person(tx, lifecycle, contact, now).await?,
    };
    let values = values(tx, lifecycle, &person, contact, now).await?;
    let mut changes = Vec::new();
    for (segment, is_member, due_at) in answers(lifecycle, asked, costs, &person, &values) {
        let known = states.get(&segment.id);
        let was_member = known.is_some_and(|state| state.is_member);
        if known.is_some_and(|state| state.is_member == is_member && state.due_at == due_at) {
            continue;
        }
        if known.is_some() || is_member || due_at.is_some() {
            let since = known.filter(|_| was_member == is_member).map_or(now, |state| state.since);
            store::put(tx, &segment.id, contact, is_member, since, due_at).await?;
        }
        if was_member != is_member {
            changes.push(Change { segment: segment.id.clone(), entered: is_member });
            if told == Told::Everybody {
                let segment = segment.id.clone();
                let event = match is_member {
                    true => Event::SegmentEntered { contact, segment },
                    false => Event::SegmentLeft { contact, segment },
                };
                events::append(tx, &event, now).await?;
            }
        }
    }
    Ok(changes)
}

/// What conditions of segments name: the facts, the stage, and the state after the sale.
async fn values(
    q: &mut impl Queries,
    lifecycle: &stages::Definition,
    person: &Person,
    contact: ContactId,
    now: Timestamp,
) -> Result<Context, stages::Error> {
    let stage = stages::position(q, lifecycle, contact, now).await?.stage;
    let state = stages::track::state_of(q, contact).await?.unwrap_or_default();
    let mut values = person.values_in(&stage);
    values.set("customer_state", state);
    Ok(values)
}

/// The answers of segments about a person: whether she belongs, and when to ask again.
fn answers<'a>(
    lifecycle: &stages::Definition,
    asked: &[&'a Segment],
    costs: &Costs,
    person: &Person,
    values: &Context,
) -> Vec<(&'a Segment, bool, Option<Timestamp>)> {
    let moment = person.moment(values);
    let mut seen = BTreeSet::new();
    let mut answers = Vec::new();
    for segment in asked.iter().filter(|segment| seen.insert(segment.id.as_str())) {
        let began = Instant::now();
        let is_member = segment.condition.holds_at(&moment);
        let due_at = due::next(segment, lifecycle, person, values);
        costs.add(&segment.id, began.elapsed());
        answers.push((*segment, is_member, due_at));
    }
    answers
}

/// Looks at everybody who has a mark or whose moment has come, and goes on with segments that are new. For those whose
/// hits were projected the lifecycle is asked first: nobody did when they came.
///
/// Returns whether there was anything to do.
///
/// # Errors
/// As the store says.
pub async fn look_again(
    db: &Db,
    lifecycle: &stages::Definition,
    segments: &Definition,
    costs: &Costs,
    now: Timestamp,
) -> Result<bool, stages::Error> {
    let marked = marks::marked(&mut db.read(), now, IN_A_TURN).await?;
    let due = store::due(&mut db.read(), now, IN_A_TURN).await?;
    let people: Vec<ContactId> = marked.into_iter().chain(due).collect::<BTreeSet<_>>().into_iter().collect();
    for some in people.chunks(AT_ONCE) {
        let mut tx = db.begin().await?;
        for contact in some {
            look_at(&mut tx, lifecycle, segments, costs, *contact, now).await?;
        }
        tx.commit().await?;
    }
    Ok(fill(db, lifecycle, segments, costs, now).await? || !people.is_empty())
}

async fn look_at(
    tx: &mut Tx,
    lifecycle: &stages::Definition,
    segments: &Definition,
    costs: &Costs,
    contact: ContactId,
    now: Timestamp,
) -> Result<(), stages::Error> {
    tx.lock(&format!("contact:{contact}")).await?;
    let mut what = marks::take_mark(tx, contact).await?.unwrap_or_default();
    let survivor = contacts::survivor(tx, contact).await?;
    if survivor != contact {
        // Whoever was merged is spoken for by another, and belongs nowhere of her own.
        store::forget_contact(tx, contact).await?;
        marks::mark(tx, survivor, marks::EVERYTHING, now).await?;
        return Ok(());
    }
    let mut person = None;
    if Changed::of_marks(&what).is_of_hits() {
        person = stages::look_at(tx, lifecycle, contact, now).await?;
        // A change of the stage that this made is a mark of its own.
        let more = marks::take_mark(tx, contact).await?.unwrap_or_default();
        what = format!("{what} {more}");
    }
    let changed = Changed::of_marks(&what);
    evaluate_known(tx, lifecycle, segments, costs, (contact, person), &changed, now).await?;
    Ok(())
}

/// Asks about everybody whom a new condition has not been asked about yet, some people at a time.
async fn fill(
    db: &Db,
    lifecycle: &stages::Definition,
    segments: &Definition,
    costs: &Costs,
    now: Timestamp,
) -> Result<bool, stages::Error> {
    let fills = store::fills(&mut db.read()).await?;
    let is_filled = |segment: &Segment| {
        fills.iter().any(|fill| fill.segment == segment.id && fill.hash == segment.hash && fill.is_done)
    };
    let is_gone = |fill: &store::Fill| segments.find(&fill.segment).is_none();
    if segments.segments.iter().all(is_filled) && !fills.iter().any(is_gone) {
        return Ok(false);
    }
    let mut tx = db.begin().await?;
    tx.lock("segments:fill").await?;
    for fill in store::fills(&mut tx).await?.iter().filter(|fill| is_gone(fill)) {
        store::forget(&mut tx, &fill.segment).await?;
    }
    for segment in &segments.segments {
        store::begin_fill(&mut tx, &segment.id, &segment.hash).await?;
    }
    let open: Vec<store::Fill> = store::fills(&mut tx).await?.into_iter().filter(|f| !f.is_done).collect();
    let Some(after) = open.iter().map(|fill| fill.after.clone()).min() else {
        tx.commit().await?;
        return Ok(true);
    };
    let step: Vec<&store::Fill> = open.iter().filter(|fill| fill.after == after).collect();
    let asked: Vec<&Segment> = step.iter().filter_map(|fill| segments.find(&fill.segment)).collect();
    let people = store::contacts_after(&mut tx, &after, IN_A_TURN).await?;
    for contact in &people {
        let states = store::states(&mut tx, *contact).await?;
        ask(&mut tx, lifecycle, &asked, costs, (*contact, None), &states, Told::Nobody, now).await?;
    }
    let reached = people.last().map(ToString::to_string);
    for fill in &step {
        store::filled_to(&mut tx, &fill.segment, reached.as_deref()).await?;
    }
    tx.commit().await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Report;
    use crate::base::email::Email;
    use crate::base::ids::{AccountId, VisitorId};
    use crate::base::language::Language;
    use crate::base::time::{DAY_MS, HOUR_MS};
    use crate::contacts::{self, Consent, Identification, Trust};
    use crate::storage::db::{HITS, JOURNEY, Queries};

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    const SEGMENTS: &str = "\
    segments:
      - {id: missed, label: x, if: 'event(\"webinar.no_show\", \"60d\") && !event(\"recording.watched\", \"60d\")'}
      - {id: readers, label: x, if: 'count(\"asset.downloaded\", \"7d\") >= 2'}
      - {id: warm, label: x, if: engagement <= 3}
      - {id: vips, label: x, if: contact.seniority == \"vp\"}
      - {id: leads, label: x, if: stage == \"lead\"}
    ";

    struct Bench {
        _folder: tempfile::TempDir,
        db: Db,
        lifecycle: stages::Definition,
        segments: Definition,
        costs: Costs,
        nikki: ContactId,
    }

    impl Bench {
        async fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let hits = folder.path().join("hits.db");
            drop(Db::open_sqlite(&hits, HITS).await.expect("opens"));
            let db = Db::open_sqlite_beside(&folder.path().join("embudo.db"), &hits, JOURNEY)
                .await
                .expect("opens");
            let report = Report::new();
            let text = include_str!("../../config/lifecycle.yaml");
            let lifecycle = stages::Definition::parse("lifecycle.yaml", text, &report).expect("valid");
            let segments = segments(&lifecycle, SEGMENTS);
            let nikki = person(&db, "nikki@acme.example").await;
            let bench = Self { _folder: folder, db, lifecycle, segments, costs: Costs::default(), nikki };
            bench.look(NOW).await;
            bench
        }

        async fn did(&self, kind: &str, subject: &str, at: Timestamp) {
            let mut tx = self.db.begin().await.expect("begins");
            let props = serde_json::json!({});
            contacts::record(&mut tx, Some(self.nikki), None, kind, Some(subject), props, at)
                .await
                .expect("recorded");
            tx.commit().await.expect("commits");
        }

        async fn look(&self, now: Timestamp) {
            while look_again(&self.db, &self.lifecycle, &self.segments, &self.costs, now)
                .await
                .expect("looks")
            {}
        }

        /// The segments after a look at `now`.
        async fn at(&self, now: Timestamp) -> Vec<String> {
            self.look(now).await;
            store::of_contact(&mut self.db.read(), self.nikki).await.expect("read")
        }

        async fn facts(&self) -> Vec<String> {
            let rows = self.db.read().query(crate::sql!("select kind from events"), &[]).await.expect("read");
            let kinds = rows.iter().map(|row| row.get::<String>("kind").expect("a kind"));
            kinds.filter(|kind| kind.starts_with("segment")).collect()
        }
    }

    fn segments(lifecycle: &stages::Definition, text: &str) -> Definition {
        let report = Report::new();
        let read = Definition::parse("segments.yaml", text, &lifecycle.names(), &report);
        let mut read = read.unwrap_or_else(|| panic!("{}", report.text()));
        read.know(lifecycle);
        read
    }

    async fn person(db: &Db, email: &str) -> ContactId {
        let mut tx = db.begin().await.expect("begins");
        let who = Identification {
            email: &Email::parse(email).expect("valid"),
            visitor: Some(VisitorId::new()),
            site: "faro",
            trust: Trust::Claimed,
            consent: Consent::Analytics,
            language: Language::Es,
            time_zone: None,
        };
        let id = contacts::identify(&mut tx, &who, NOW).await.expect("identified").contact.id;
        tx.commit().await.expect("commits");
        id
    }

    #[tokio::test]
    async fn whoever_something_happens_to_comes_and_goes_at_once() {
        let bench = Bench::new().await;
        bench.did("webinar.no_show", "w", NOW.plus_ms(1)).await;
        assert!(bench.at(NOW.plus_ms(2)).await.contains(&"missed".to_owned()));
        bench.did("recording.watched", "r", NOW.plus_ms(3)).await;
        assert!(!bench.at(NOW.plus_ms(4)).await.contains(&"missed".to_owned()));
        let facts = bench.facts().await;
        assert_eq!(facts.iter().filter(|kind| *kind == "segment_left").count(), 1);
    }

    #[tokio::test]
    async fn what_asking_costs_is_told_by_asking_and_changes_nothing() {
        let bench = Bench::new().await;
        person(&bench.db, "eva@acme.example").await;
        let before = store::of_contact(&mut bench.db.read(), bench.nikki).await.expect("read");
        let q = &mut bench.db.read();
        let costs = measure(q, &bench.lifecycle, &bench.segments, 100, NOW.plus_ms(1)).await.expect("asked");
        for segment in &bench.segments.segments {
            let cost = costs.of(&segment.id);
            assert!(cost.evaluations == 2 && cost.nanoseconds > 0, "{} {cost:?}", segment.id);
        }
        let few = measure(q, &bench.lifecycle, &bench.segments, 1, NOW.plus_ms(1)).await.expect("asked");
        assert_eq!(few.of("leads").evaluations, 1);
        assert_eq!(store::of_contact(q, bench.nikki).await.expect("read"), before);
    }

    #[tokio::test]
    async fn a_window_that_ends_is_looked_at_to_the_millisecond_though_nothing_happens() {
        let bench = Bench::new().await;
        bench.did("asset.downloaded", "a", NOW).await;
        bench.did("asset.downloaded", "b", NOW.plus_ms(HOUR_MS)).await;
        let has = |all: Vec<String>| all.contains(&"readers".to_owned());
        assert!(has(bench.at(NOW.plus_ms(HOUR_MS)).await));
        assert!(has(bench.at(NOW.plus_ms(7 * DAY_MS - 1)).await));
        assert!(!has(bench.at(NOW.plus_ms(7 * DAY_MS)).await));
    }

    #[tokio::test]
    async fn a_score_that_fades_ends_a_membership_when_it_falls_below_its_band() {
        let bench = Bench::new().await;
        bench.did("webinar.registered", "w", NOW).await;
        let mut at = NOW;
        while bench.at(at).await.contains(&"warm".to_owned()) {
            at = at.plus_ms(HOUR_MS);
            assert!(at < NOW.plus_ms(30 * DAY_MS), "it never fades");
        }
        // 20 points fall below 15 after log2(20/15) half-lives of 14 days: 5.81 days.
        let days = at.since_ms(NOW) / HOUR_MS;
        assert_eq!(days, 140, "5.81 days are between 139 and 140 hours");
    }

    #[tokio::test]
    async fn a_new_fact_and_a_new_stage_are_asked_about() {
        let bench = Bench::new().await;
        let mut tx = bench.db.begin().await.expect("begins");
        contacts::set_field(&mut tx, bench.nikki, "job_title", "VP Sales", "form", Trust::Claimed, NOW)
            .await
            .expect("set");
        stages::evaluate(&mut tx, &bench.lifecycle, bench.nikki, NOW).await.expect("a lead");
        tx.commit().await.expect("commits");
        assert_eq!(bench.at(NOW.plus_ms(1)).await, ["leads", "vips"]);
        let mut tx = bench.db.begin().await.expect("begins");
        let decision = stages::Decision {
            role: "sdr".to_owned(),
            what: "accept".to_owned(),
            reason: None,
            actor: stages::Actor::Account(AccountId::new()),
        };
        stages::decide(&mut tx, &bench.lifecycle, bench.nikki, &decision, NOW.plus_ms(2))
            .await
            .expect("accepted");
        tx.commit().await.expect("commits");
        assert_eq!(bench.at(NOW.plus_ms(3)).await, ["vips"]);
    }

    #[tokio::test]
    async fn a_new_condition_is_asked_about_everybody_once_and_nobody_is_told() {
        let mut bench = Bench::new().await;
        for n in 0..7 {
            person(&bench.db, &format!("reader{n}@acme.example")).await;
        }
        bench.look(NOW).await;
        let told = bench.facts().await.len();
        bench.segments = segments(
            &bench.lifecycle,
            "segments:\n  - {id: everybody, label: x, if: identified}\n  - {id: vips, label: x, if: contact.seniority == \"vp\"}\n",
        );
        bench.look(NOW.plus_ms(1)).await;
        let counts = store::members_count(&mut bench.db.read()).await.expect("read");
        assert_eq!(counts.get("everybody"), Some(&8));
        assert_eq!(counts.get("leads"), None, "a segment that is no more has no members");
        assert_eq!(bench.facts().await.len(), told, "nobody is told of what has always been so");
        let fill = store::fill_of(&mut bench.db.read(), "everybody").await.expect("read").expect("begun");
        assert!(fill.is_done);
        let asked = bench.costs.of("everybody").evaluations;
        bench.look(NOW.plus_ms(2)).await;
        assert_eq!(bench.costs.of("everybody").evaluations, asked, "and nobody is asked about again");
    }

    #[tokio::test]
    async fn only_those_whom_something_happened_to_are_asked_about() {
        let bench = Bench::new().await;
        for n in 0..5 {
            person(&bench.db, &format!("reader{n}@acme.example")).await;
        }
        bench.look(NOW).await;
        let before = bench.costs.of("readers").evaluations;
        bench.did("asset.downloaded", "a", NOW.plus_ms(1)).await;
        bench.look(NOW.plus_ms(2)).await;
        assert_eq!(bench.costs.of("readers").evaluations, before + 1);
    }
}
