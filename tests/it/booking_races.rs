//! Races for one rep's time at full numbers, and the proof that these races can be lost: the same bodies are run where the
//! guard is taken out, and have to find overlaps there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use embudo::base::ids::VisitorId;
use embudo::base::language::Language;
use embudo::base::time::Timestamp;
use embudo::bookings::{self, Desk, HOLD_MS, Holder, Pick};
use embudo::storage::db::{Db, JOURNEY, Queries, Sql};
use serde_json::json;

use crate::support::answer::{Answer, Client};
use crate::support::app::{SITE, TestApp, set};
use crate::support::stores::{Mix, mix, postgres_does};

/// How many come at once.
const CROWD: usize = 1_000;
/// How often a thousand come for one time, unless EMBUDO_RACE_ROUNDS says otherwise; `quality` is a hundred.
const ROUNDS: usize = 3;
/// How many times for overlapping calls a day has, and of how many days they are.
const HOURS_A_DAY: usize = 9;
const DAYS: usize = 40;
/// How many clients go on and on, and for how many seconds, unless EMBUDO_CHURN_SECONDS says otherwise; `quality` is a
/// minute.
const CLIENTS: usize = 50;
const CHURN_SECONDS: u64 = 8;
/// Half an hour and the ten minutes after it.
const BLOCK_MS: i64 = 40 * 60_000;
/// How many other times somebody who came too late is told of at most.
const ALTERNATIVES: usize = 3;

fn churn_seconds() -> Duration {
    let asked = std::env::var("EMBUDO_CHURN_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(asked.unwrap_or(CHURN_SECONDS).clamp(1, 3_600))
}

fn on(date: &str, clock: &str) -> i64 {
    format!("{date}T{clock}:00+01:00").parse::<jiff::Timestamp>().expect("an instant").as_millisecond()
}

fn tuesday(clock: &str) -> i64 {
    on("2026-11-24", clock)
}

/// So many reps who work from 8 to 18 in Madrid: half an hour with ten minutes after it, beginning every five minutes;
/// nobody's requests are counted.
async fn app(reps: usize) -> TestApp {
    app_with(reps, "buffer_after: 10m, interval: 5m, window: 10d").await
}

async fn app_with(reps: usize, rules: &str) -> TestApp {
    let ids: Vec<String> = (0..reps).map(|n| format!("rep-{n}")).collect();
    let meeting = format!(
        "  - {{id: call, title: Call, description: A call, location: here, duration: 30m, {rules}, notice: 0m, \
         reps: [{}]}}\n",
        ids.join(", ")
    );
    app_of(reps, &meeting).await
}

/// So many reps, and these meetings.
async fn app_of(reps: usize, meetings: &str) -> TestApp {
    let ids: Vec<String> = (0..reps).map(|n| format!("rep-{n}")).collect();
    let mut text = "reps:\n".to_owned();
    for id in &ids {
        text.push_str(&format!(
            "  - {{id: {id}, name: {id}, account: {id}@faro.example, zone: Europe/Madrid, languages: [en, es], \
             role: sdr, hours: {{weekdays: 08:00-18:00}}}}\n"
        ));
    }
    text.push_str("meetings:\n");
    text.push_str(meetings);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("team.yaml");
    std::fs::write(&file, text).expect("written");
    std::fs::create_dir(folder.path().join("flows")).expect("a folder");
    TestApp::start_with(|settings| {
        for key in ["per_minute", "burst", "slots_per_minute", "slots_burst"] {
            set(settings, "bookings", key, 10_000_000);
        }
        set(settings, "server", "workers", 4);
        // A head's time begins by a clock that each worker sets when it gets round to it. A thousand requests to a server
        // that was built for tests, on a machine that does other things, can keep one from it for seconds.
        set(settings, "server", "head_timeout_ms", 60_000);
        set(settings, "definitions", "team", file.display().to_string());
        set(settings, "definitions", "flows", folder.path().join("flows").display().to_string());
        set(settings, "storage", "postgres_pool", 24);
    })
    .await
}

async fn book(client: &Client, starts_at: i64, email: &str) -> Answer {
    book_a(client, "call", starts_at, email).await
}

async fn book_a(client: &Client, meeting: &str, starts_at: i64, email: &str) -> Answer {
    let wish = json!({
        "site": "faro", "meeting": meeting, "starts_at": starts_at, "zone": "Europe/Madrid", "name": "Nikki Grant",
        "email": email,
    });
    // A connection of its own: one that was kept from the last round may be closed by the server this very moment.
    client.with("origin", SITE).with("connection", "close").post("/v1/bookings", &wish).await
}

/// Runs all at once and returns the answers.
async fn together<T: Send + 'static>(
    work: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = work.map(tokio::spawn).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.expect("no panic"));
    }
    answers
}

/// How many pairs of holds and bookings of one rep overlap, buffers included.
async fn overlaps(app: &TestApp) -> i64 {
    let rows = app
        .rows(
            "select count(*) as n from bookings a join bookings b on a.rep = b.rep and a.id < b.id
             where a.state in ('hold', 'confirmed') and b.state in ('hold', 'confirmed')
               and a.block_from < b.block_to and b.block_from < a.block_to",
        )
        .await;
    rows[0].get("n").expect("a number")
}

async fn confirmed(app: &TestApp) -> BTreeMap<String, i64> {
    let rows =
        app.rows("select rep, count(*) as n from bookings where state = 'confirmed' group by rep").await;
    rows.iter().map(|row| (row.get("rep").expect("a text"), row.get("n").expect("a number"))).collect()
}

fn counted(statuses: &[u16]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for status in statuses {
        *counts.entry(*status).or_insert(0) += 1;
    }
    counts
}

// ---- one slot -------------------------------------------------------------------------------------

/// How many rounds, and the rules of a meeting whose window has room for them.
fn rounds() -> (usize, &'static str) {
    let asked = std::env::var("EMBUDO_RACE_ROUNDS").ok().and_then(|text| text.parse().ok());
    let rounds = asked.unwrap_or(ROUNDS).clamp(1, HOURS_A_DAY * DAYS);
    // A refusal looks for other times in all of the window.
    let is_short = rounds <= HOURS_A_DAY * 5;
    (
        rounds,
        if is_short {
            "buffer_after: 10m, interval: 5m, window: 10d"
        } else {
            "buffer_after: 10m, interval: 5m, window: 60d"
        },
    )
}

/// A crowd wants overlapping times of one rep; the statuses of the answers, and how long the slowest took.
async fn one_slot(app: &TestApp, round: usize) -> (Vec<u16>, Duration) {
    let hour = 8 + round % HOURS_A_DAY;
    // From Tuesday on, without weekends.
    let day = i64::try_from(round / HOURS_A_DAY).expect("small");
    let day = day + 2 * ((day + 1) / 5);
    let work = (0..CROWD).map(|n| {
        // Half an hour each and five minutes apart: all of these overlap one another.
        let at = tuesday(&format!("{hour:02}:{:02}", (n % 4) * 5)) + day * 86_400_000;
        let client = app.client.clone();
        async move {
            let begun = Instant::now();
            let status = book(&client, at, &format!("p{round}-{n}@acme.example")).await.status;
            (status, begun.elapsed())
        }
    });
    let answers = together(work).await;
    let slowest = answers.iter().map(|(_, took)| *took).max().unwrap_or_default();
    (answers.into_iter().map(|(status, _)| status).collect(), slowest)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_at_once_who_want_one_time_exactly_one_gets_it() {
    let (rounds, rules) = rounds();
    let app = app_with(1, rules).await;
    for round in 0..rounds {
        let (statuses, slowest) = one_slot(&app, round).await;
        assert_eq!(counted(&statuses), BTreeMap::from([(201, 1), (409, CROWD - 1)]), "round {round}");
        assert_eq!(overlaps(&app).await, 0);
        // Nobody waits for a crowd: a generous bound for a machine that does other things besides.
        assert!(slowest < Duration::from_secs(30), "{slowest:?}");
    }
}

// ---- on and on ------------------------------------------------------------------------------------

/// What was seen while clients booked, moved and cancelled.
struct Seen {
    statuses: BTreeMap<u16, usize>,
    /// The most overlaps that any of the looks found.
    overlaps: i64,
    /// The times that people were told of when theirs was taken.
    offered: Vec<Offered>,
    /// When calls certainly stood: from the answer that gave them to the request that gave them back.
    stood: Vec<Stood>,
    /// Of those who asked at once for the first time they were told of, how many got it.
    taken_up: usize,
}

/// A time that somebody was told is free, between her request and its answer.
struct Offered {
    at: i64,
    asked: Instant,
    told: Instant,
}

/// A call that certainly stood for a while.
struct Stood {
    rep: String,
    at: i64,
    from: Instant,
    to: Instant,
}

impl Seen {
    /// The times that were offered although every rep certainly had another call then, all the while that somebody looked
    /// for them: such an offer no race explains.
    fn false_offers(&self, reps: usize) -> Vec<i64> {
        let mut stood: Vec<&Stood> = self.stood.iter().collect();
        stood.sort_by_key(|call| call.from);
        let mut offered: Vec<&Offered> = self.offered.iter().collect();
        offered.sort_by_key(|offer| offer.asked);
        let (mut next, mut standing): (usize, Vec<&Stood>) = (0, Vec::new());
        let mut wrong = Vec::new();
        for offer in offered {
            while let Some(call) = stood.get(next).filter(|call| call.from <= offer.asked) {
                standing.push(call);
                next += 1;
            }
            standing.retain(|call| call.to >= offer.asked);
            let in_the_way = standing.iter().filter(|call| {
                call.to >= offer.told && call.at < offer.at + BLOCK_MS && offer.at < call.at + BLOCK_MS
            });
            let busy: std::collections::BTreeSet<&str> = in_the_way.map(|call| call.rep.as_str()).collect();
            if busy.len() >= reps {
                wrong.push(offer.at);
            }
        }
        wrong
    }
}

/// Clients book, move and cancel calls of these kinds for a while, on a slow machine until enough has happened, and one looks on all the time.
async fn churn(app: &Arc<TestApp>, meetings: &'static [&'static str], how_long: Duration) -> Seen {
    let (end, latest) = (Instant::now() + how_long, Instant::now() + 8 * how_long);
    let booked = Arc::new(AtomicUsize::new(0));
    let is_over = Arc::new(AtomicBool::new(false));
    let onlooker = {
        let (app, is_over) = (app.clone(), is_over.clone());
        tokio::spawn(async move {
            let mut most = 0;
            while !is_over.load(Ordering::Relaxed) {
                most = most.max(overlaps(&app).await);
            }
            most.max(overlaps(&app).await)
        })
    };
    let clients = (0..CLIENTS).map(|n| {
        let (client, booked) = (app.client.clone(), booked.clone());
        async move {
            let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
            let goes_on = || {
                let now = Instant::now();
                now < end || (now < latest && booked.load(Ordering::Relaxed) <= CLIENTS)
            };
            let (mut link, mut step): (Option<String>, usize) = (None, n);
            let (mut offered, mut stood, mut taken_up) = (Vec::new(), Vec::new(), 0);
            // The call that this client has: whose, when, and since when it is certain.
            let mut own: Option<(String, i64, Instant)> = None;
            // What the last refusal told of.
            let mut told_of: Option<i64> = None;
            while goes_on() {
                step += 1;
                // A walk of its own through few times, so that all meet all the time.
                let at =
                    tuesday("09:00") + i64::try_from((step * 7 + n * 5) % 40).expect("small") * 5 * 60_000;
                let asked = Instant::now();
                // Whoever asks for something lets go of what was certain until then.
                if let Some((rep, at, from)) = own.clone().filter(|_| link.is_some()) {
                    stood.push(Stood { rep, at, from, to: asked });
                }
                let first_told = told_of.take().filter(|_| link.is_none());
                let at = first_told.unwrap_or(at);
                let answer = match (&link, step % 3) {
                    (Some(link), 1) => {
                        let at = at.to_string();
                        client.submit(&format!("{link}/reschedule"), &[("starts_at", &at)]).await
                    }
                    // Whoever has a call gives it back, so that there is always something to be had.
                    (Some(link), _) => client.submit(&format!("{link}/cancel"), &[]).await,
                    (None, _) => {
                        let meeting = meetings[(n + step) % meetings.len()];
                        // Somebody else each time: one person may book a few calls a day.
                        book_a(&client, meeting, at, &format!("c{n}-{step}@acme.example")).await
                    }
                };
                *statuses.entry(answer.status).or_insert(0) += 1;
                let told = Instant::now();
                match answer.status {
                    201 => {
                        booked.fetch_add(1, Ordering::Relaxed);
                        let booked = answer.json();
                        link = booked["manage"].as_str().map(str::to_owned);
                        own = booked["with"].as_str().map(|rep| (rep.to_owned(), at, told));
                        taken_up += usize::from(first_told.is_some());
                    }
                    303 if step % 3 != 1 => (link, own) = (None, None),
                    // The link of before the move shows the call and changes nothing.
                    303 => {
                        link = answer.header("location").split('?').next().map(str::to_owned);
                        own = own.map(|(rep, _, _)| (rep, at, told));
                    }
                    // The loser of a move keeps what she had.
                    409 if link.is_some() => own = own.map(|(rep, at, _)| (rep, at, told)),
                    409 => {
                        let refused = answer.json();
                        let times = refused["alternatives"].as_array().cloned().unwrap_or_default();
                        let times: Vec<i64> =
                            times.iter().filter_map(|time| time["starts_at"].as_i64()).collect();
                        assert!(times.len() <= ALTERNATIVES && times.is_sorted(), "{refused}");
                        told_of = times.first().copied();
                        offered.extend(times.into_iter().map(|at| Offered { at, asked, told }));
                    }
                    _ => {}
                }
            }
            (statuses, offered, stood, taken_up)
        }
    });
    let mut seen =
        Seen { statuses: BTreeMap::new(), overlaps: 0, offered: Vec::new(), stood: Vec::new(), taken_up: 0 };
    for (statuses, offered, stood, taken_up) in together(clients).await {
        for (status, count) in statuses {
            *seen.statuses.entry(status).or_insert(0) += count;
        }
        seen.offered.extend(offered);
        seen.stood.extend(stood);
        seen.taken_up += taken_up;
    }
    is_over.store(true, Ordering::Relaxed);
    seen.overlaps = onlooker.await.expect("no panic");
    println!(
        "{:?}: {:?}, {} times offered, {} of them taken up at once, {} calls stood, {} overlaps",
        how_long,
        seen.statuses,
        seen.offered.len(),
        seen.taken_up,
        seen.stood.len(),
        seen.overlaps
    );
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_clients_book_move_and_cancel_and_meet_neither_a_deadlock_nor_an_overlap() {
    // Two days ahead and no more: a refusal looks for other times in all of the window.
    let app = Arc::new(app_with(4, "buffer_after: 10m, interval: 5m, window: 2d").await);
    let seen = churn(&app, &["call"], churn_seconds()).await;
    assert!(seen.statuses.keys().all(|status| matches!(status, 201 | 303 | 409)), "{:?}", seen.statuses);
    assert!(seen.statuses.get(&201).is_some_and(|booked| *booked > CLIENTS), "{:?}", seen.statuses);
    assert_eq!(seen.overlaps, 0);
    assert!(!seen.offered.is_empty() && seen.taken_up > 0, "whoever came too late was helped");
    assert_eq!(seen.false_offers(4), Vec::<i64>::new(), "of {} offers", seen.offered.len());
}

#[test]
fn an_offer_is_false_if_everybody_was_busy_all_the_while_and_not_if_somebody_may_have_been_free() {
    let zero = Instant::now();
    let after = |seconds: u64| zero + Duration::from_secs(seconds);
    let call = |rep: &str, at: i64, from: u64, to: u64| Stood {
        rep: rep.to_owned(),
        at,
        from: after(from),
        to: after(to),
    };
    let offer = |asked: u64, told: u64| Offered { at: BLOCK_MS, asked: after(asked), told: after(told) };
    let judge = |stood: Vec<Stood>, offer: Offered| {
        let offered = vec![offer];
        let seen = Seen { statuses: BTreeMap::new(), overlaps: 0, offered, stood, taken_up: 0 };
        seen.false_offers(2).len()
    };
    assert_eq!(judge(vec![call("a", 1, 0, 9), call("b", 2 * BLOCK_MS - 1, 0, 9)], offer(3, 4)), 1);
    // One begins when the other ends, one was given back meanwhile, and two of one rep leave the other free.
    assert_eq!(judge(vec![call("a", 1, 0, 9), call("b", 2 * BLOCK_MS, 0, 9)], offer(3, 4)), 0);
    assert_eq!(judge(vec![call("a", 1, 0, 9), call("b", BLOCK_MS, 0, 3)], offer(3, 4)), 0);
    assert_eq!(judge(vec![call("a", 1, 0, 9), call("a", 2 * BLOCK_MS - 1, 0, 9)], offer(3, 4)), 0);
}

/// Calls that two hold, by turns in either part, and calls of each alone: whoever took locks or rows in another order than
/// the others would wait in a circle here.
const OF_TWO: &str = "
  - {id: call, title: A, description: A, location: here, duration: 30m, buffer_after: 10m, interval: 5m, window: 2d, notice: 0m, reps: [rep-0, rep-1], with: [rep-2, rep-3]}
  - {id: back, title: B, description: B, location: here, duration: 30m, buffer_after: 10m, interval: 5m, window: 2d, notice: 0m, reps: [rep-3, rep-2], with: [rep-1, rep-0]}
  - {id: alone, title: C, description: C, location: here, duration: 30m, buffer_after: 10m, interval: 5m, window: 2d, notice: 0m, reps: [rep-2, rep-0]}
  - {id: any, title: D, description: D, location: here, duration: 30m, buffer_after: 10m, interval: 5m, window: 2d, notice: 0m, reps: [rep-0, rep-2], with: [rep-2, rep-0]}
";

/// Calls of two of which one row stands where the other does not, or says otherwise.
async fn torn(app: &TestApp) -> i64 {
    let rows = app
        .rows(
            "select count(*) as n from bookings a
             where a.companion is not null and not exists (select 1 from bookings b
                 where b.companion_of = a.id and b.rep = a.companion and b.rep <> a.rep and b.state = a.state
                   and b.block_from = a.block_from and b.block_to = a.block_to)",
        )
        .await;
    rows[0].get("n").expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_clients_with_calls_of_two_meet_neither_a_deadlock_nor_half_a_call() {
    let app = Arc::new(app_of(4, OF_TWO).await);
    let seen = churn(&app, &["call", "back", "alone", "any"], churn_seconds()).await;
    assert!(seen.statuses.keys().all(|status| matches!(status, 201 | 303 | 409)), "{:?}", seen.statuses);
    assert!(seen.statuses.get(&201).is_some_and(|booked| *booked > CLIENTS), "{:?}", seen.statuses);
    assert_eq!((seen.overlaps, torn(&app).await), (0, 0));
    let rows = app.rows("select count(*) as n from bookings where companion_of is not null").await;
    assert!(rows[0].get::<i64>("n").expect("a number") > 10, "calls of two were among them");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_who_want_one_of_two_alone_or_both_together_one_gets_each_time() {
    let app = app_of(2, "
  - {id: both, title: A, description: A, location: here, duration: 30m, interval: 5m, window: 2d, notice: 0m, reps: [rep-0], with: rep-1}
  - {id: back, title: B, description: B, location: here, duration: 30m, interval: 5m, window: 2d, notice: 0m, reps: [rep-1], with: rep-0}
").await;
    for round in 0..2 {
        let work = (0..CROWD).map(|n| {
            let at = tuesday(&format!("{:02}:{:02}", 9 + round, (n % 4) * 5));
            let (client, meeting) = (app.client.clone(), ["both", "back"][n % 2]);
            async move { book_a(&client, meeting, at, &format!("p{round}-{n}@acme.example")).await.status }
        });
        let statuses = together(work).await;
        assert_eq!(counted(&statuses), BTreeMap::from([(201, 1), (409, CROWD - 1)]), "round {round}");
        assert_eq!((overlaps(&app).await, torn(&app).await), (0, 0));
    }
}

// ---- round robin ----------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_at_once_fill_five_reps_days_to_the_last_slot() {
    let app = app_with(5, "interval: 30m, window: 10d").await;
    let slots: Vec<i64> = (0..20).map(|n| tuesday("08:00") + n * 30 * 60_000).collect();
    let work = (0..CROWD).map(|n| {
        let (client, at) = (app.client.clone(), slots[n % slots.len()]);
        async move { book(&client, at, &format!("p{n}@acme.example")).await.status }
    });
    let statuses = together(work).await;
    assert_eq!(counted(&statuses), BTreeMap::from([(201, 100), (409, CROWD - 100)]));
    let each: Vec<i64> = confirmed(&app).await.into_values().collect();
    assert_eq!(each, [20; 5], "every rep has every slot");
    assert_eq!(overlaps(&app).await, 0);
}

// ---- holds ----------------------------------------------------------------------------------------

async fn hold(app: &TestApp, db: &Db, holder: Holder, starts_at: i64) -> bookings::Result<bookings::Booking> {
    let desk = Desk { team: &app.app.team, lifecycle: &app.app.lifecycle };
    let pick = Pick {
        meeting: "call",
        starts_at: Timestamp(starts_at),
        duration_ms: None,
        time_zone: "Europe/Madrid",
        language: Language::En,
        holder,
        contact: None,
    };
    let mut tx = db.begin().await?;
    let held = bookings::hold(&mut tx, desk, &pick, app.now()).await?;
    tx.commit().await?;
    Ok(held)
}

fn somebody() -> Holder {
    Holder { visitor: Some(VisitorId::new()), conversation: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_who_hold_one_time_one_has_it_and_nobody_after_it_ran_out() {
    let app = Arc::new(app(1).await);
    let crowd = |app: &Arc<TestApp>| {
        let app = app.clone();
        together((0..200).map(move |_| {
            let app = app.clone();
            async move { hold(&app, &app.app.stores.db, somebody(), tuesday("10:00")).await.is_ok() }
        }))
    };
    assert_eq!(crowd(&app).await.iter().filter(|is_held| **is_held).count(), 1);
    app.clock.advance(HOLD_MS - 1_000);
    book(&app.client, tuesday("10:00"), "late@acme.example").await.expect_problem(409, "booking.slot_taken");
    app.clock.advance(2_000);
    assert_eq!(crowd(&app).await.iter().filter(|is_held| **is_held).count(), 1, "the old hold is gone");
    assert_eq!(overlaps(&app).await, 0);
}

#[tokio::test]
async fn one_visitor_keeps_one_time_however_many_she_picks() {
    let app = app(1).await;
    let me = somebody();
    for n in 0..10 {
        hold(&app, &app.app.stores.db, me, tuesday("09:00") + n * 40 * 60_000).await.expect("free");
    }
    let rows = app.rows("select count(*) as n from bookings where state = 'hold'").await;
    assert_eq!(rows[0].get::<i64>("n").expect("a number"), 1);
}

// ---- moves ----------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn of_five_hundred_moves_onto_one_time_one_arrives_and_nobody_loses_her_call() {
    let app = app_with(1, "interval: 30m, window: 60d").await;
    let mut links = Vec::new();
    let days: Vec<i64> = (0..40).map(|n| tuesday("08:00") + n * 86_400_000).collect();
    let slots = days.iter().flat_map(|day| (0..20).map(move |n| day + n * 30 * 60_000));
    let working = slots.filter(|at| {
        let day =
            Timestamp(*at).to_jiff().to_zoned(jiff::tz::TimeZone::UTC).weekday().to_monday_zero_offset();
        day < 5 && *at != tuesday("15:00")
    });
    for (n, at) in working.take(500).enumerate() {
        let booked = book(&app.client, at, &format!("p{n}@acme.example")).await.expect_json(201);
        links.push(booked["manage"].as_str().expect("a path").to_owned());
    }
    assert_eq!(links.len(), 500);
    let statuses = together(links.into_iter().map(|link| {
        let client = app.client.clone();
        async move {
            let at = tuesday("15:00").to_string();
            client.submit(&format!("{link}/reschedule"), &[("starts_at", &at)]).await.status
        }
    }))
    .await;
    assert_eq!(counted(&statuses), BTreeMap::from([(303, 1), (409, 499)]));
    assert_eq!(confirmed(&app).await.into_values().sum::<i64>(), 500, "the losers keep their old time");
    assert_eq!(overlaps(&app).await, 0);
}

// ---- who waits for whom ---------------------------------------------------------------------------

/// How many wait for a lock that is held by name.
async fn waiting(app: &TestApp) -> i64 {
    let rows = app
        .rows(
            "select count(*) as n from pg_locks
             where locktype = 'advisory' and not granted
               and database = (select oid from pg_database where datname = current_database())",
        )
        .await;
    rows[0].get("n").expect("a number")
}

/// Whoever says how a call went takes the contact first, and then the row of the call, as everybody does. The other way
/// round, she would hold the row, wait for the contact, and meet somebody who holds the contact and waits for the row.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_says_how_a_call_went_goes_after_whoever_has_its_contact() {
    let app = Arc::new(app(1).await);
    book(&app.client, tuesday("10:00"), "nikki@acme.example").await.expect(201);
    app.clock.advance(2 * 86_400_000);
    let row = &app.rows("select id, contact_id from bookings").await[0];
    let id: embudo::base::ids::BookingId = row.get("id").expect("an id");
    let contact: String = row.get("contact_id").expect("an id");
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    tx.lock(&format!("contact:{contact}")).await.expect("the lock");
    let other = {
        let app = app.clone();
        tokio::spawn(async move {
            let desk = Desk { team: &app.app.team, lifecycle: &app.app.lifecycle };
            let mut tx = app.app.stores.db.begin().await?;
            bookings::set_outcome(&mut tx, desk, id, bookings::Outcome::Held, app.now()).await?;
            tx.commit().await?;
            Ok::<(), bookings::Error>(())
        })
    };
    // On SQLite there is one writer: the other one waits at its beginning.
    while mix() == Mix::Spread && waiting(&app).await == 0 {
        tokio::task::yield_now().await;
    }
    let touch = embudo::sql!("update bookings set notes = 'seen' where id = $1");
    tx.execute(touch, embudo::params![id]).await.expect("nobody holds the row");
    tx.commit().await.expect("commits");
    other.await.expect("no panic").expect("said");
    let row = &app.rows("select outcome, notes from bookings").await[0];
    assert_eq!(row.get::<String>("outcome").expect("a text"), "held");
    assert_eq!(row.get::<String>("notes").expect("a text"), "seen", "what was written meanwhile is not lost");
}

// ---- two nodes ------------------------------------------------------------------------------------

/// A second connection to the app's store, as another node has one.
async fn second(app: &TestApp) -> Db {
    let storage = &app.app.config.storage;
    match mix() {
        Mix::Embedded => {
            let (own, hits) = (storage.data.join("embudo.db"), storage.data.join("hits.db"));
            Db::open_sqlite_beside(&own, &hits, JOURNEY).await.expect("the same file")
        }
        Mix::Spread => {
            Db::open_postgres(storage.postgres.expose(), 16, JOURNEY).await.expect("the same database")
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_on_one_store_never_give_one_time_to_two() {
    let app = Arc::new(app(2).await);
    let other = second(&app).await;
    for round in 0..3 {
        let at = tuesday("09:00") + round * 60 * 60_000;
        let work = (0..200).map(|n| {
            let (app, other) = (app.clone(), other.clone());
            async move {
                let db = if n % 2 == 0 { &app.app.stores.db } else { &other };
                // Overlapping, not equal.
                match hold(&app, db, somebody(), at + i64::from(n % 3) * 5 * 60_000).await {
                    Ok(_) => true,
                    Err(bookings::Error::SlotTaken { .. }) => false,
                    Err(error) => panic!("{error}"),
                }
            }
        });
        let held = together(work).await;
        assert_eq!(held.iter().filter(|is_held| **is_held).count(), 2, "one for each rep");
        assert_eq!(overlaps(&app).await, 0);
    }
}

// ---- the proof ------------------------------------------------------------------------------------

async fn run(app: &TestApp, text: &'static str) {
    app.app.stores.db.execute(Sql(text), &[]).await.unwrap_or_else(|error| panic!("{text}: {error}"));
}

/// Takes the last line of defence out.
async fn without_guard(app: &TestApp) {
    match mix() {
        Mix::Embedded => {
            run(app, "drop trigger bookings_overlap_insert").await;
            run(app, "drop trigger bookings_overlap_update").await;
        }
        Mix::Spread => run(app, "alter table bookings drop constraint bookings_overlap").await,
    }
}

/// Who is in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crew {
    /// One rep.
    One,
    /// Two, of whom the second is the one that all want.
    Two,
}

/// The contention test: many look first and write afterwards, as most schedulers do, without a lock.
///
/// # Errors
/// What was left behind, if it was not exactly one call.
async fn exactly_one_gets_it(app: &Arc<TestApp>, crew: Crew) -> Result<(), String> {
    let at = tuesday("10:00");
    let line = Arc::new(tokio::sync::Barrier::new(32));
    let work = (0..32).map(|n| {
        let (app, line) = (app.clone(), line.clone());
        async move {
            let db = &app.app.stores.db;
            let taken = embudo::sql!(
                "select 1 as taken from bookings
                 where rep = 'rep-0' and state in ('hold', 'confirmed') and block_from < $2 and block_to > $1"
            );
            let (from, to) = (at + i64::from(n % 4) * 300_000, at + i64::from(n % 4) * 300_000 + 2_400_000);
            let is_free =
                db.read().query_opt(taken, embudo::params![from, to]).await.expect("read").is_none();
            line.wait().await;
            let insert = embudo::sql!(
                "insert into bookings (id, meeting, rep, starts_at, ends_at, block_from, block_to, state, time_zone,
                     language, created_at, updated_at, companion, companion_of)
                 values ($1, 'call', $4, $2, $3, $2, $3, 'confirmed', 'UTC', 'en', 0, 0, $5, $6)"
            );
            let (first, second) = (embudo::base::ids::new_key(), embudo::base::ids::new_key());
            // A rep of her own for each first one, so that only the second row can stand in another's way.
            let (rep, companion) = match crew {
                Crew::One => ("rep-0".to_owned(), None),
                Crew::Two => (format!("other-{n}"), Some("rep-0")),
            };
            let write = async {
                let mut tx = db.begin().await?;
                let none: Option<&str> = None;
                tx.execute(insert, embudo::params![&first, from, to, &rep, companion, none]).await?;
                if let Some(companion) = companion {
                    let row = embudo::params![&second, from, to, companion, none, Some(first.as_str())];
                    tx.execute(insert, row).await?;
                }
                tx.commit().await
            };
            is_free && write.await.is_ok()
        }
    });
    let written = together(work).await.into_iter().filter(|is_written| *is_written).count();
    let overlaps = overlaps(app).await;
    if (written, overlaps) == (1, 0) {
        Ok(())
    } else {
        Err(format!("{written} written, {overlaps} overlaps"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stores_guard_alone_makes_the_contention_test_pass_and_without_it_the_test_fails() {
    for crew in [Crew::One, Crew::Two] {
        let guarded = Arc::new(app(1).await);
        assert_eq!(exactly_one_gets_it(&guarded, crew).await, Ok(()), "{crew:?}");
        let bare = Arc::new(app(1).await);
        without_guard(&bare).await;
        let verdict = exactly_one_gets_it(&bare, crew).await;
        assert!(verdict.is_err(), "{crew:?}: nobody met without the guard: the contention test cannot fail");
    }
}

/// On PostgreSQL the lock is a function of the server, which a schema of our own can hide. On SQLite it is the one
/// writer of the file and cannot be taken out; there the test above is the proof.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_lock_and_the_constraint_the_thousand_and_the_fifty_overlap() {
    if mix() == Mix::Embedded {
        return;
    }
    let app = Arc::new(app(1).await);
    let url = app.app.config.storage.postgres.expose().to_owned();
    without_guard(&app).await;
    let (_, name) = url.rsplit_once('/').expect("the address ends with a database");
    postgres_does(
        &url,
        &format!(
            "create schema unlocked;
             create function unlocked.pg_advisory_xact_lock(bigint) returns void language sql as 'select 1';
             alter database {name} set search_path = unlocked, pg_catalog, public;
             select pg_terminate_backend(pid) from pg_stat_activity
             where datname = '{name}' and pid <> pg_backend_pid();"
        ),
    )
    .await;
    // Connections that were cut are thrown away one by one; those that come after them have no lock.
    for _ in 0..64 {
        let _ = app.app.stores.db.ping().await;
    }
    let mut found = 0;
    for round in 0..3 {
        one_slot(&app, round).await;
        found += overlaps(&app).await;
    }
    assert!(found > 0, "a thousand at once without a lock and nobody met: the race cannot be lost");
    let before = overlaps(&app).await;
    let seen = churn(&app, &["call"], Duration::from_secs(3)).await;
    assert!(seen.overlaps > before || before > 0, "{before}");
}
