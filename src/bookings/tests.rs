//! The life of a booking, on a store of its own.

use super::*;
use crate::base::diagnostic::Report;
use crate::base::email::Email;
use crate::base::ids::VisitorId;
use crate::base::time::HOUR_MS;
use crate::contacts::{Consent, Identification, Trust};
use crate::storage::db::{Db, HITS, JOURNEY};

const TEAM: &str = "
reps:
  - {id: ana, name: Ana, account: ana@faro.example, zone: Europe/Madrid, languages: [en], role: sdr, hours: {weekdays: 09:00-17:00}}
  - {id: ben, name: Ben, account: ben@faro.example, zone: Europe/Madrid, languages: [en], role: sdr, hours: {weekdays: 09:00-13:00}}
meetings:
  - {id: call, title: Call, description: A call, location: here, duration: 30m, buffer_after: 10m, interval: 15m, reps: [ana, ben]}
";

struct World {
    _folder: tempfile::TempDir,
    db: Db,
    team: Team,
    lifecycle: stages::Definition,
}

/// Saturday noon; the first slot is on Monday.
fn now() -> Timestamp {
    at("2026-11-21T11:00:00Z")
}

fn at(text: &str) -> Timestamp {
    Timestamp::from_jiff(text.parse().expect("an instant"))
}

fn monday(clock: &str) -> Timestamp {
    at(&format!("2026-11-23T{clock}:00+01:00"))
}

async fn world() -> World {
    let folder = tempfile::tempdir().expect("a folder");
    let hits = folder.path().join("hits.db");
    drop(Db::open_sqlite(&hits, HITS).await.expect("opens"));
    let db = Db::open_sqlite_beside(&folder.path().join("embudo.db"), &hits, JOURNEY).await.expect("opens");
    let report = Report::new();
    let team = Team::parse("team.yaml", TEAM, &report).unwrap_or_else(|| panic!("{}", report.text()));
    let text = include_str!("../../config/lifecycle.yaml");
    let lifecycle = stages::Definition::parse("lifecycle.yaml", text, &report).expect("valid");
    World { _folder: folder, db, team, lifecycle }
}

fn visitor() -> Holder {
    Holder { visitor: Some(VisitorId::new()), conversation: None }
}

impl World {
    fn desk(&self) -> Desk<'_> {
        Desk { team: &self.team, lifecycle: &self.lifecycle }
    }

    async fn person(&self, email: &str) -> ContactId {
        let mut tx = self.db.begin().await.expect("begins");
        let who = Identification {
            email: &Email::parse(email).expect("an address"),
            visitor: None,
            site: "faro",
            trust: Trust::Claimed,
            consent: Consent::None,
            language: Language::En,
            time_zone: None,
        };
        let contact = contacts::identify(&mut tx, &who, now()).await.expect("identified").contact.id;
        tx.commit().await.expect("commits");
        contact
    }

    async fn hold(&self, holder: Holder, starts_at: Timestamp, now: Timestamp) -> Result<Booking> {
        let mut tx = self.db.begin().await?;
        let pick = pick(holder, starts_at);
        let held = match hold(&mut tx, self.desk(), &pick, now).await {
            Ok(held) => held,
            Err(refused) => {
                drop(tx);
                return Err(nearest(&mut self.db.read(), self.desk(), &pick, refused, now).await);
            }
        };
        tx.commit().await?;
        Ok(held)
    }

    async fn confirm(&self, held: &Booking, holder: Holder, now: Timestamp) -> Result<Booking> {
        let nikki = self.person("nikki@acme.example").await;
        let mut tx = self.db.begin().await?;
        let hi = Said { notes: Some("  Hi  "), answers: None };
        let booked = confirm(&mut tx, self.desk(), held.id, &holder, nikki, &hi, now).await?;
        tx.commit().await?;
        Ok(booked)
    }

    async fn book(&self, email: &str, starts_at: Timestamp) -> Result<Booking> {
        let contact = self.person(email).await;
        let mut tx = self.db.begin().await?;
        let pick = pick(Holder::default(), starts_at);
        let booked = match book(&mut tx, self.desk(), &pick, contact, &Said::default(), now()).await {
            Ok(booked) => booked,
            Err(refused) => {
                drop(tx);
                return Err(nearest(&mut self.db.read(), self.desk(), &pick, refused, now()).await);
            }
        };
        tx.commit().await?;
        Ok(booked)
    }

    async fn move_to(&self, id: BookingId, starts_at: Timestamp, now: Timestamp) -> Result<Booking> {
        let mut tx = self.db.begin().await?;
        let moved = match reschedule(&mut tx, self.desk(), id, starts_at, now).await {
            Ok(moved) => moved,
            Err(refused) => {
                drop(tx);
                let read = &mut self.db.read();
                return Err(nearest_to_move(read, self.desk(), id, starts_at, refused, now).await);
            }
        };
        tx.commit().await?;
        Ok(moved)
    }

    async fn cancel(&self, id: BookingId, now: Timestamp) -> Result<Booking> {
        let mut tx = self.db.begin().await?;
        let cancelled = cancel(&mut tx, self.desk(), id, Some("ill"), now).await?;
        tx.commit().await?;
        Ok(cancelled)
    }

    async fn offered(&self, holder: &Holder) -> Vec<String> {
        let meeting = self.team.meeting("call").expect("is there");
        let window = Span::new(monday("00:00"), monday("23:59"));
        let mut read = self.db.read();
        let found = slots(&mut read, &self.team, meeting, window, holder, None, now()).await.expect("read");
        found
            .iter()
            .map(|slot| {
                let reps: Vec<&str> = slot.reps.iter().map(|rep| rep.id.as_str()).collect();
                format!("{} {}", slot.starts_at, reps.join("+"))
            })
            .collect()
    }

    async fn facts(&self, contact: ContactId) -> Vec<String> {
        let rows = self
            .db
            .read()
            .query(
                crate::sql!("select kind from events where contact_id = $1 order by id"),
                crate::params![contact],
            )
            .await
            .expect("read");
        rows.iter().map(|row| row.get("kind").expect("a text")).collect()
    }
}

fn pick(holder: Holder, starts_at: Timestamp) -> Pick<'static> {
    Pick {
        meeting: "call",
        starts_at,
        duration_ms: None,
        time_zone: "America/Mexico_City",
        language: Language::En,
        holder,
        contact: None,
    }
}

#[tokio::test]
async fn a_held_slot_is_confirmed_and_its_contact_becomes_an_sql_in_the_same_transaction() {
    let world = world().await;
    let me = visitor();
    let held = world.hold(me, monday("10:00"), now()).await.expect("free");
    assert_eq!((held.state, held.rep.as_str(), held.sequence), (State::Hold, "ana", 0));
    let booked = world.confirm(&held, me, now().plus_ms(HOLD_MS - 1)).await.expect("in time");
    assert_eq!((booked.id, booked.state), (held.id, State::Confirmed));
    assert_eq!(booked.notes.as_deref(), Some("Hi"));
    let contact = booked.contact.expect("has one");
    let known = contacts::find(&mut world.db.read(), contact).await.expect("read").expect("is there");
    assert_eq!(known.stage, "sql");
    assert!(world.facts(contact).await.contains(&"booking_confirmed".to_owned()));
    let read = find(&mut world.db.read(), booked.id).await.expect("is there");
    assert_eq!(read, booked, "what was returned is what is stored");
    assert_eq!(world.confirm(&held, me, now()).await.expect("again").id, booked.id);
}

#[tokio::test]
async fn two_reps_can_have_two_calls_at_one_time_and_the_third_is_offered_others() {
    let world = world().await;
    let first = world.book("a@acme.example", monday("10:00")).await.expect("free");
    let second = world.book("b@acme.example", monday("10:15")).await.expect("the other rep is free");
    assert_eq!((first.rep.as_str(), second.rep.as_str()), ("ana", "ben"));
    let third = world.book("c@acme.example", monday("10:00")).await;
    let Err(Error::SlotTaken { alternatives }) = third else { panic!("{third:?}") };
    let starts: Vec<Timestamp> = alternatives.iter().map(|time| time.starts_at).collect();
    // Ana is free again at 10:40, which is 10:45 on the grid; Ben until 9:35, which is 9:30.
    assert_eq!(starts, [monday("09:15"), monday("09:30"), monday("10:45")]);
    let reason = second.assignment.expect("is recorded");
    assert_eq!((reason.rule, reason.candidates.len()), (assign::Rule::OnlyOneFree, 1));
}

#[tokio::test]
async fn calls_take_turns_between_the_reps_who_are_free() {
    let world = world().await;
    let mut reps = Vec::new();
    for (n, clock) in ["09:00", "10:00", "11:00", "12:00"].iter().enumerate() {
        let email = format!("p{n}@acme.example");
        reps.push(world.book(&email, monday(clock)).await.expect("free").rep);
    }
    assert_eq!(reps, ["ana", "ben", "ana", "ben"]);
}

#[tokio::test]
async fn a_hold_blocks_others_shows_itself_as_free_and_runs_out() {
    let world = world().await;
    let (me, you) = (visitor(), visitor());
    // After 13:00 only Ana works.
    let slot = "2026-11-23T13:00:00Z ana".to_owned();
    world.hold(me, monday("14:00"), now()).await.expect("free");
    assert!(world.offered(&me).await.contains(&slot));
    assert!(!world.offered(&you).await.contains(&slot));
    let late = world.hold(you, monday("14:15"), now().plus_ms(HOLD_MS - 1)).await;
    assert!(matches!(late, Err(Error::SlotTaken { .. })));
    world.hold(you, monday("14:15"), now().plus_ms(HOLD_MS)).await.expect("the hold has run out");
}

#[tokio::test]
async fn a_hold_that_ran_out_cannot_be_confirmed() {
    let world = world().await;
    let me = visitor();
    let held = world.hold(me, monday("10:00"), now()).await.expect("free");
    let late = world.confirm(&held, me, now().plus_ms(HOLD_MS)).await;
    assert!(matches!(late, Err(Error::HoldExpired)), "{late:?}");
}

#[tokio::test]
async fn another_visitor_can_neither_confirm_nor_release_a_hold() {
    let world = world().await;
    let (me, you) = (visitor(), visitor());
    let held = world.hold(me, monday("10:00"), now()).await.expect("free");
    assert!(matches!(world.confirm(&held, you, now()).await, Err(Error::Unknown)));
    assert!(matches!(world.confirm(&held, Holder::default(), now()).await, Err(Error::Unknown)));
    let mut tx = world.db.begin().await.expect("begins");
    release(&mut tx, held.id, &you, now()).await.expect("does nothing");
    tx.commit().await.expect("commits");
    world.confirm(&held, me, now()).await.expect("still mine");
}

#[tokio::test]
async fn picking_another_slot_lets_the_first_one_go() {
    let world = world().await;
    let me = visitor();
    let first = world.hold(me, monday("14:00"), now()).await.expect("free");
    world.hold(me, monday("15:00"), now()).await.expect("free");
    assert!(matches!(world.confirm(&first, me, now()).await, Err(Error::HoldExpired)));
    world.book("b@acme.example", monday("14:00")).await.expect("free again");
}

#[tokio::test]
async fn what_cannot_be_booked_says_why() {
    let world = world().await;
    let me = visitor();
    let refused = |starts_at| {
        let world = &world;
        async move { world.hold(me, starts_at, now()).await.expect_err("refused").to_string() }
    };
    assert_eq!(refused(now()).await, "this time is already past");
    assert_eq!(refused(monday("10:05")).await, "this time is not offered");
    assert_eq!(refused(monday("18:00")).await, "this time is not offered");
    assert_eq!(refused(monday("10:00").plus_ms(21 * DAY_MS)).await, "this time is not offered");
    let mut tx = world.db.begin().await.expect("begins");
    let soon = hold(&mut tx, world.desk(), &pick(me, monday("10:00")), monday("08:01")).await;
    assert!(matches!(soon, Err(Error::SlotTooSoon)), "{soon:?}");
    let nowhere = Pick { time_zone: "Mars/Olympus", ..pick(me, monday("10:00")) };
    assert!(matches!(hold(&mut tx, world.desk(), &nowhere, now()).await, Err(Error::ZoneUnknown)));
    let nothing = Pick { meeting: "lunch", ..pick(me, monday("10:00")) };
    assert!(matches!(hold(&mut tx, world.desk(), &nothing, now()).await, Err(Error::MeetingUnknown)));
}

#[tokio::test]
async fn a_booking_moves_with_its_rep_and_raises_its_sequence() {
    let world = world().await;
    let booked = world.book("a@acme.example", monday("10:00")).await.expect("free");
    let moved = world.move_to(booked.id, monday("10:15"), now()).await.expect("overlaps only itself");
    assert_eq!((moved.id, moved.rep.as_str(), moved.sequence), (booked.id, "ana", 1));
    assert_eq!(moved.assignment.as_ref().map(|reason| reason.rule), Some(assign::Rule::SameRep));
    let same = world.move_to(booked.id, monday("10:15"), now()).await.expect("nothing to do");
    assert_eq!(same.sequence, 1);
    let contact = moved.contact.expect("has one");
    assert_eq!(world.facts(contact).await.iter().filter(|kind| *kind == "booking_rescheduled").count(), 1);
}

#[tokio::test]
async fn the_slots_to_move_to_are_those_of_the_rep_and_all_of_them_can_be_had() {
    let world = world().await;
    let booked = world.book("a@acme.example", monday("10:00")).await.expect("free");
    assert_eq!(booked.rep, "ana");
    let meeting = world.team.meeting("call").expect("is there");
    let window = Span::new(monday("09:45"), monday("11:00"));
    let mut read = world.db.read();
    let found = slots_to_move(&mut read, &world.team, meeting, &booked, window, now()).await.expect("read");
    assert_eq!(found.len(), 5, "its own time is free to it");
    let starts: Vec<Timestamp> = found.iter().map(|slot| slot.starts_at).collect();
    for (n, starts_at) in starts.into_iter().rev().enumerate() {
        let moved = world.move_to(booked.id, starts_at, now()).await.expect("was offered");
        assert_eq!((moved.rep.as_str(), moved.starts_at), ("ana", starts_at), "{n}");
    }
    world.book("b@acme.example", monday("16:00")).await.expect("free");
    let taken = world.move_to(booked.id, monday("16:00"), now()).await;
    assert!(matches!(taken, Err(Error::SlotTaken { .. })), "{taken:?}");
}

#[tokio::test]
async fn whoever_loses_the_new_slot_keeps_the_old_one() {
    let world = world().await;
    world.book("a@acme.example", monday("14:00")).await.expect("free");
    let mine = world.book("b@acme.example", monday("16:00")).await.expect("free");
    let lost = world.move_to(mine.id, monday("14:15"), now()).await;
    assert!(
        matches!(lost, Err(Error::SlotTaken { ref alternatives }) if alternatives.len() == 3),
        "{lost:?}"
    );
    let kept = find(&mut world.db.read(), mine.id).await.expect("is there");
    assert_eq!(kept, mine);
}

#[tokio::test]
async fn a_cancelled_call_frees_its_time_and_stays_cancelled() {
    let world = world().await;
    let booked = world.book("a@acme.example", monday("14:00")).await.expect("free");
    let cancelled = world.cancel(booked.id, now()).await.expect("can be");
    assert_eq!((cancelled.state, cancelled.sequence), (State::Cancelled, 1));
    assert_eq!(cancelled.cancel_reason.as_deref(), Some("ill"));
    assert!(matches!(world.cancel(booked.id, now()).await, Err(Error::AlreadyCancelled)));
    let moved = world.move_to(booked.id, monday("15:00"), now()).await;
    assert!(matches!(moved, Err(Error::AlreadyCancelled)));
    world.book("b@acme.example", monday("14:00")).await.expect("free again");
}

#[tokio::test]
async fn what_has_begun_is_neither_moved_nor_cancelled_and_then_has_an_outcome() {
    let world = world().await;
    let booked = world.book("a@acme.example", monday("10:00")).await.expect("free");
    let mut tx = world.db.begin().await.expect("begins");
    let early = set_outcome(&mut tx, world.desk(), booked.id, Outcome::Held, now()).await;
    assert!(matches!(early, Err(Error::OutcomeTooEarly)));
    let later = monday("10:00").plus_ms(HOUR_MS);
    let held = set_outcome(&mut tx, world.desk(), booked.id, Outcome::Held, later).await.expect("is over");
    assert_eq!((held.outcome, held.outcome_at), (Some(Outcome::Held), Some(later)));
    let corrected = set_outcome(&mut tx, world.desk(), booked.id, Outcome::NoShow, later).await;
    assert_eq!(corrected.expect("a mistake").outcome, Some(Outcome::NoShow));
    tx.commit().await.expect("commits");
    assert!(matches!(world.cancel(booked.id, later).await, Err(Error::Over)));
    assert!(matches!(world.move_to(booked.id, monday("16:00"), later).await, Err(Error::Over)));
}

#[tokio::test]
async fn one_person_cannot_fill_a_calendar() {
    let world = world().await;
    for clock in ["09:00", "10:00", "11:00", "12:00", "14:00"] {
        world.book("greedy@acme.example", monday(clock)).await.expect("free");
    }
    let sixth = world.book("greedy@acme.example", monday("15:00")).await;
    assert!(matches!(sixth, Err(Error::TooMany)), "{sixth:?}");
}

#[tokio::test]
async fn a_time_that_is_only_held_moves_nobodys_turn() {
    let world = world().await;
    let me = visitor();
    let first = world.hold(me, monday("09:00"), now()).await.expect("free");
    let second = world.hold(visitor(), monday("11:00"), now()).await.expect("free");
    assert_eq!(first.rep, second.rep, "whoever picks and leaves does not use up a turn");
    let counted = async || {
        let meeting = world.team.meeting("call").expect("it is in the file");
        let standings = standings(&mut world.db.read(), &world.team, meeting, now()).await.expect("counted");
        standings.values().map(|standing| standing.meetings).sum::<i64>()
    };
    assert_eq!(counted().await, 0);
    world.confirm(&first, me, now()).await.expect("still held");
    assert_eq!(counted().await, 1);
}

#[tokio::test]
async fn how_a_call_went_can_be_taken_back_within_a_minute() {
    let world = world().await;
    let booked = world.book("nikki@acme.example", monday("10:00")).await.expect("free");
    let after = monday("10:30");
    let say = async |now| {
        let mut tx = world.db.begin().await.expect("begins");
        set_outcome(&mut tx, world.desk(), booked.id, Outcome::NoShow, now).await.expect("begun");
        tx.commit().await.expect("commits");
    };
    let take_back = async |now| {
        let mut tx = world.db.begin().await.expect("begins");
        let taken = take_outcome_back(&mut tx, world.desk(), booked.id, now).await;
        tx.commit().await.expect("commits");
        taken.map(|booking| booking.outcome)
    };
    let noted = async || {
        let contact = booked.contact.expect("somebody booked");
        let found = contacts::activities(&mut world.db.read(), contact, 50).await.expect("read");
        found.iter().filter(|activity| activity.kind == "booking.no_show").count()
    };
    say(after).await;
    assert_eq!(noted().await, 1);
    assert!(matches!(take_back(after.plus_ms(TAKE_BACK_MS)).await, Ok(None)));
    assert_eq!(noted().await, 0, "her history is as it was");
    assert!(matches!(take_back(after.plus_ms(TAKE_BACK_MS)).await, Ok(None)), "twice is once");
    say(after.plus_ms(2 * TAKE_BACK_MS)).await;
    let late = take_back(after.plus_ms(3 * TAKE_BACK_MS + 1)).await;
    assert!(matches!(late, Err(Error::OutcomeKept)), "{late:?}");
    assert_eq!(noted().await, 1);
}

#[tokio::test]
async fn a_hold_lasts_as_long_as_promised_however_often_and_little_the_clock_is_set() {
    let world = world().await;
    let mut draw: u64 = 0x5eed;
    let mut below = move |most: i64| {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(draw >> 33).expect("31 bits") % most
    };
    for round in 0..200 {
        let mut wall = now();
        world.hold(visitor(), monday("10:00"), wall).await.expect("free");
        let (mut passed, mut steps) = (0, Vec::new());
        while passed < HOLD_MS - 1 {
            let wait = (1 + below(80 * SECOND_MS)).min(HOLD_MS - 1 - passed);
            (passed, wall) = (passed + wait, wall.plus_ms(wait));
            let mut tx = world.db.begin().await.expect("begins");
            assert_eq!(expire_holds(&mut tx, wall).await.expect("swept"), 0, "{round}: {steps:?} {passed}");
            if passed < HOLD_MS - 1 {
                let by_ms = (MINUTE_MS + below(4 * MINUTE_MS)) * if below(2) == 0 { 1 } else { -1 };
                wall = wall.plus_ms(by_ms);
                steps.push((passed, by_ms));
                assert_eq!(
                    follow_clock(&mut tx, Step { by_ms, within_ms: 0, seen_by: 1 }, wall)
                        .await
                        .expect("followed"),
                    1,
                    "{round}: {steps:?}"
                );
                // Another node notices a moment later.
                let later = wall.plus_ms(below(SECOND_MS));
                let seen = Step { by_ms: by_ms + 3, within_ms: 250, seen_by: 2 };
                assert_eq!(follow_clock(&mut tx, seen, later).await.expect("followed"), 0, "{round}");
            }
            tx.commit().await.expect("commits");
        }
        let mut tx = world.db.begin().await.expect("begins");
        assert_eq!(expire_holds(&mut tx, wall).await.expect("swept"), 0, "{round}: {steps:?}");
        assert_eq!(expire_holds(&mut tx, wall.plus_ms(1)).await.expect("swept"), 1, "{round}: {steps:?}");
        tx.commit().await.expect("commits");
    }
}

#[tokio::test]
async fn the_sweeper_lets_old_holds_go() {
    let world = world().await;
    world.hold(visitor(), monday("10:00"), now()).await.expect("free");
    world.hold(visitor(), monday("10:00"), now().plus_ms(1)).await.expect("the other rep");
    let mut tx = world.db.begin().await.expect("begins");
    assert_eq!(expire_holds(&mut tx, now().plus_ms(HOLD_MS)).await.expect("swept"), 1);
    tx.commit().await.expect("commits");
}
