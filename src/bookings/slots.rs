//! The slots that can be offered: pure arithmetic on working hours, busy times and the meeting's rules.
//!
//! Only the edges of working hours are converted from wall-clock time; everything between is whole milliseconds. What
//! is offered can be booked and what can be booked is offered, because booking asks this same function again, with
//! the window shrunk to the one start.

use std::collections::HashMap;

use super::team::{Meeting, Rep};
use super::wall::{self, Edge, Steady};
use crate::base::time::{DAY_MS, Timestamp};

/// A stretch of time: `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First instant.
    pub from: Timestamp,
    /// First instant after it.
    pub to: Timestamp,
}

impl Span {
    /// The stretch from `from` up to, but not with, `to`.
    pub fn new(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to }
    }

    /// Whether the two have an instant in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.from < other.to && other.from < self.to
    }
}

/// When each rep (by id) is not free: the blocks of holds and bookings, buffers included. In any order.
pub type Busy = HashMap<String, Vec<Span>>;

/// A time at which the meeting can begin, and who could hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot<'a> {
    /// When the meeting begins.
    pub starts_at: Timestamp,
    /// When it is over (buffers not counted).
    pub ends_at: Timestamp,
    /// The reps who are free, in the team's order; never empty.
    pub reps: Vec<&'a Rep>,
    /// Of whom one is there, too, in the team's order; empty where the meeting is held by one.
    pub with: Vec<&'a Rep>,
}

/// The slots that both sides have: each of those who stay has somebody on the other side who is not herself.
pub fn paired<'a>(slots: Vec<Slot<'a>>, with: &[Slot<'a>]) -> Vec<Slot<'a>> {
    let others = |reps: &[&'a Rep], rep: &Rep| reps.iter().any(|other| other.id != rep.id);
    let mut with = with.iter().peekable();
    let mut found = Vec::new();
    for mut slot in slots {
        while with.next_if(|other| other.starts_at < slot.starts_at).is_some() {}
        let Some(other) = with.peek().filter(|other| other.starts_at == slot.starts_at) else { continue };
        let first = std::mem::take(&mut slot.reps);
        slot.with = other.reps.iter().copied().filter(|rep| others(&first, rep)).collect();
        slot.reps = first.into_iter().filter(|rep| others(&other.reps, rep)).collect();
        if !slot.reps.is_empty() {
            found.push(slot);
        }
    }
    found
}

/// The time that a meeting takes from a rep's calendar when it begins at `starts_at`: the meeting and its buffers.
pub fn block(meeting: &Meeting, starts_at: Timestamp) -> Span {
    Span {
        from: starts_at.plus_ms(-meeting.buffer_before_ms),
        to: starts_at.plus_ms(meeting.duration_ms + meeting.buffer_after_ms),
    }
}

/// All slots that begin within `window`, earliest first: the union over `reps`.
///
/// A slot begins on the meeting's grid (its interval, counted from midnight on the wall clock of its zone), not before
/// the minimum notice has passed, not after the last day of the booking window, lies within one stretch of working
/// time, and its block touches nothing busy. Work grows with reps × days, not with the busy times squared.
pub fn slots<'a>(
    meeting: &Meeting,
    reps: &[&'a Rep],
    busy: &Busy,
    window: Span,
    now: Timestamp,
) -> Vec<Slot<'a>> {
    let window = bookable(meeting, window, now);
    if window.from >= window.to {
        return Vec::new();
    }
    let grid = wall::steady_stretches(&meeting.zone, window.from, window.to);
    let mut starts: Vec<(Timestamp, usize)> = Vec::new();
    for (order, rep) in reps.iter().enumerate() {
        let mut taken = busy.get(&rep.id).cloned().unwrap_or_default();
        taken.sort_unstable();
        for work in working_time(rep, meeting, window) {
            for free in free_starts(meeting, work, &taken) {
                on_the_grid(meeting, &grid, free, |start| starts.push((start, order)));
            }
        }
    }
    starts.sort_unstable();
    let mut slots: Vec<Slot<'a>> = Vec::new();
    for (starts_at, order) in starts {
        let Some(rep) = reps.get(order) else { continue };
        match slots.last_mut() {
            Some(slot) if slot.starts_at == starts_at => slot.reps.push(rep),
            _ => slots.push(Slot {
                starts_at,
                ends_at: starts_at.plus_ms(meeting.duration_ms),
                reps: vec![rep],
                with: Vec::new(),
            }),
        }
    }
    slots
}

/// The part of `window` in which the meeting may begin: after its notice, up to the end of its last day.
fn bookable(meeting: &Meeting, window: Span, now: Timestamp) -> Span {
    let earliest = now.plus_ms(meeting.notice_ms);
    let (first_day, last_day) = meeting.window.days(wall::date(&meeting.zone, now));
    let opens = wall::instant(&meeting.zone, first_day, 0, Edge::Start).unwrap_or(window.from);
    let latest = wall::instant(&meeting.zone, last_day, 24 * 60, Edge::End).unwrap_or(window.to);
    Span { from: window.from.max(earliest).max(opens), to: window.to.min(latest) }
}

/// The rep's working time, merged and in order, as far as a meeting that begins within `window` could use it.
fn working_time(rep: &Rep, meeting: &Meeting, window: Span) -> Vec<Span> {
    let mut spans = Vec::new();
    // A day of slack on both sides: a zone's date differs from another's by at most one.
    let first = wall::date(&rep.zone, window.from.plus_ms(-DAY_MS));
    let last = wall::date(&rep.zone, window.to.plus_ms(meeting.duration_ms + DAY_MS));
    for date in first.series(jiff::Span::new().days(1)).take_while(|date| *date <= last) {
        spans.extend(rep.hours_on(date).iter().filter_map(|hours| {
            let span = Span {
                from: wall::instant(&rep.zone, date, hours.from, Edge::Start)?,
                to: wall::instant(&rep.zone, date, hours.to, Edge::End)?,
            };
            (span.from < span.to).then_some(span)
        }));
    }
    merged(spans)
}

fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut whole: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match whole.last_mut() {
            Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
            _ => whole.push(span),
        }
    }
    whole
}

/// The starts `[from, to]` (both ends included) at which the meeting fits into `work` beside what is taken.
fn free_starts(meeting: &Meeting, work: Span, taken: &[Span]) -> Vec<(Timestamp, Timestamp)> {
    let mut free = Vec::new();
    let mut from = work.from;
    let to = work.to.plus_ms(-meeting.duration_ms);
    // `taken` is sorted by where it begins; a longer one may hide a later one, hence the maximum.
    for busy in taken {
        let last_before = busy.from.plus_ms(-(meeting.duration_ms + meeting.buffer_after_ms));
        let first_after = busy.to.plus_ms(meeting.buffer_before_ms);
        if first_after <= from {
            continue;
        }
        if last_before >= to {
            break;
        }
        if from <= last_before {
            free.push((from, last_before));
        }
        from = from.max(first_after);
    }
    if from <= to {
        free.push((from, to));
    }
    free
}

/// Calls `found` for each start in `[from, to]` that stands on the meeting's grid.
fn on_the_grid(
    meeting: &Meeting,
    grid: &[Steady],
    (from, to): (Timestamp, Timestamp),
    mut found: impl FnMut(Timestamp),
) {
    for stretch in grid {
        if stretch.to <= from {
            continue;
        }
        if stretch.from > to {
            break;
        }
        let begin = from.max(stretch.from);
        let past_grid = (begin.0 + stretch.offset_ms).rem_euclid(meeting.interval_ms);
        let mut start = if past_grid == 0 { begin } else { begin.plus_ms(meeting.interval_ms - past_grid) };
        while start <= to && start < stretch.to {
            found(start);
            start = start.plus_ms(meeting.interval_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Date, DateTime};
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::*;
    use crate::base::time::{HOUR_MS, MINUTE_MS};
    use crate::bookings::team::examples::{meeting, rep};
    use crate::bookings::team::{Hours, Week, Window};

    fn at(text: &str) -> Timestamp {
        Timestamp::from_jiff(text.parse().expect("an instant"))
    }

    fn starts(meeting: &Meeting, reps: &[&Rep], busy: &Busy, day: &str, now: &str) -> Vec<String> {
        let from =
            wall::instant(&meeting.zone, day.parse().expect("a date"), 0, Edge::Start).expect("in range");
        let to =
            wall::instant(&meeting.zone, day.parse().expect("a date"), 1440, Edge::End).expect("in range");
        slots(meeting, reps, busy, Span::new(from, to), at(now))
            .iter()
            .map(|s| s.starts_at.to_string())
            .collect()
    }

    const NOW: &str = "2026-11-21T09:00:00Z";

    #[test]
    fn a_free_day_is_offered_from_its_first_to_its_last_minute() {
        let mike = rep("mike", "Europe/Madrid");
        let found = starts(&meeting("Europe/Madrid"), &[&mike], &Busy::new(), "2026-11-23", NOW);
        assert_eq!(found.len(), 16);
        assert_eq!(found.first().map(String::as_str), Some("2026-11-23T08:00:00Z"));
        assert_eq!(found.last().map(String::as_str), Some("2026-11-23T15:30:00Z"));
    }

    #[test]
    fn buffers_count_against_what_is_already_there() {
        let mike = rep("mike", "Europe/Madrid");
        let mut meeting = meeting("Europe/Madrid");
        meeting.buffer_before_ms = 5 * MINUTE_MS;
        meeting.buffer_after_ms = 5 * MINUTE_MS;
        let busy = Busy::from([(
            "mike".to_owned(),
            vec![Span::new(at("2026-11-23T10:00:00Z"), at("2026-11-23T10:30:00Z"))],
        )]);
        let found = starts(&meeting, &[&mike], &busy, "2026-11-23", NOW);
        for gone in ["09:30", "10:00", "10:30"] {
            assert!(!found.contains(&format!("2026-11-23T{gone}:00Z")), "{gone}");
        }
        assert!(found.contains(&"2026-11-23T09:00:00Z".to_owned()));
        assert!(found.contains(&"2026-11-23T11:00:00Z".to_owned()));
    }

    #[test]
    fn notice_counts_in_hours_and_the_window_in_days_of_the_calendar() {
        let mike = rep("mike", "Europe/Madrid");
        let mut meeting = meeting("Europe/Madrid");
        meeting.notice_ms = 2 * HOUR_MS;
        meeting.window = Window::Days(1);
        let now = "2026-11-23T09:10:00Z";
        let today = starts(&meeting, &[&mike], &Busy::new(), "2026-11-23", now);
        assert_eq!(today.first().map(String::as_str), Some("2026-11-23T11:30:00Z"));
        assert_eq!(starts(&meeting, &[&mike], &Busy::new(), "2026-11-24", now).len(), 16);
        assert_eq!(starts(&meeting, &[&mike], &Busy::new(), "2026-11-25", now).len(), 0);
    }

    #[test]
    fn two_reps_in_two_zones_are_one_offer() {
        let (mike, lucia) = (rep("mike", "Europe/Madrid"), rep("lucia", "America/Mexico_City"));
        let now = at(NOW);
        let window = Span::new(now, now.plus_ms(4 * DAY_MS));
        let found = slots(&meeting("Europe/Madrid"), &[&mike, &lucia], &Busy::new(), window, now);
        let who = |start: &str| {
            let slot = found.iter().find(|slot| slot.starts_at == at(start));
            slot.map(|slot| slot.reps.iter().map(|rep| rep.id.as_str()).collect::<Vec<_>>())
        };
        assert_eq!(who("2026-11-23T14:30:00Z"), Some(vec!["mike"]));
        assert_eq!(who("2026-11-23T15:30:00Z"), Some(vec!["mike", "lucia"]));
        assert_eq!(who("2026-11-23T16:00:00Z"), Some(vec!["lucia"]));
        assert!(found.is_sorted_by_key(|slot| slot.starts_at));
    }

    #[test]
    fn two_who_must_both_be_there_are_offered_where_both_are_free() {
        let (mike, yuri) = (rep("mike", "Europe/Madrid"), rep("yuri", "America/New_York"));
        let meeting = meeting("Europe/Madrid");
        let busy = Busy::from([(
            "yuri".to_owned(),
            vec![Span::new(at("2026-11-23T14:30:00Z"), at("2026-11-23T15:00:00Z"))],
        )]);
        let now = at(NOW);
        let window = Span::new(now, at("2026-11-24T00:00:00Z"));
        let of = |reps: &[&'static str]| -> Vec<&Rep> {
            [&mike, &yuri].into_iter().filter(|rep| reps.contains(&rep.id.as_str())).collect()
        };
        let told = |first: &[&'static str], second: &[&'static str]| -> Vec<String> {
            let with = slots(&meeting, &of(second), &busy, window, now);
            let found = paired(slots(&meeting, &of(first), &busy, window, now), &with);
            let ids = |reps: &[&Rep]| reps.iter().map(|rep| rep.id.as_str()).collect::<Vec<_>>().join("+");
            found
                .iter()
                .map(|slot| format!("{} {} {}", slot.starts_at, ids(&slot.reps), ids(&slot.with)))
                .collect()
        };
        assert_eq!(
            told(&["mike"], &["yuri"]),
            [
                "2026-11-23T14:00:00Z mike yuri",
                "2026-11-23T15:00:00Z mike yuri",
                "2026-11-23T15:30:00Z mike yuri"
            ]
        );
        assert_eq!(told(&["mike"], &["mike"]), [""; 0], "nobody is two");
        let either = told(&["mike", "yuri"], &["yuri"]);
        assert_eq!(either, told(&["mike"], &["yuri"]), "yuri cannot be the other one of herself");
        let both = told(&["mike", "yuri"], &["mike", "yuri"]);
        assert_eq!(both.first().map(String::as_str), Some("2026-11-23T14:00:00Z mike+yuri mike+yuri"));
        assert_eq!(both.len(), 3);
    }

    #[test]
    fn a_day_off_and_a_shorter_day_replace_the_ordinary_one() {
        let mut mike = rep("mike", "Europe/Madrid");
        mike.overrides.insert("2026-11-23".parse().expect("a date"), vec![]);
        mike.overrides.insert("2026-11-24".parse().expect("a date"), vec![Hours { from: 600, to: 660 }]);
        let meeting = meeting("Europe/Madrid");
        assert!(starts(&meeting, &[&mike], &Busy::new(), "2026-11-23", NOW).is_empty());
        let short = starts(&meeting, &[&mike], &Busy::new(), "2026-11-24", NOW);
        assert_eq!(short, ["2026-11-24T09:00:00Z", "2026-11-24T09:30:00Z"]);
    }

    #[test]
    fn a_night_with_a_change_of_clocks_has_as_many_slots_as_it_has_time() {
        for (zone, day, slots) in [
            ("Europe/Madrid", "2026-03-29", 46),
            ("Europe/Madrid", "2026-10-25", 50),
            ("America/New_York", "2026-03-08", 46),
            ("America/New_York", "2026-11-01", 50),
            ("Australia/Lord_Howe", "2026-04-05", 49),
            ("Australia/Lord_Howe", "2026-10-04", 47),
            ("America/Vancouver", "2026-11-01", 48),
        ] {
            let mut always = rep("night", zone);
            always.hours.sunday = vec![Hours { from: 0, to: 1440 }];
            let mut meeting = meeting(zone);
            meeting.window = Window::Days(365);
            let found = starts(&meeting, &[&always], &Busy::new(), day, "2026-01-01T00:00:00Z");
            assert_eq!(found.len(), slots, "{zone} {day}");
        }
    }

    #[test]
    fn the_grid_follows_the_meetings_wall_clock_and_not_the_reps() {
        let ram = rep("ram", "Asia/Kathmandu");
        let found = starts(&meeting("Europe/Madrid"), &[&ram], &Busy::new(), "2026-11-23", NOW);
        assert_eq!(found.first().map(String::as_str), Some("2026-11-23T03:30:00Z"), "09:15 in Kathmandu");
    }

    // ---- the oracle: asks every minute, knows nothing of edges, ranges or merging ----

    const ZONES: [&str; 8] = [
        "Europe/Madrid",
        "America/New_York",
        "Australia/Lord_Howe",
        "America/Mexico_City",
        "Asia/Kathmandu",
        "America/Vancouver",
        "Africa/Casablanca",
        "Pacific/Chatham",
    ];
    /// Each a day or two before some of the zones change their clocks, and one quiet week.
    const DAYS: [&str; 7] =
        ["2026-03-07", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31", "2027-01-12"];

    #[derive(Debug)]
    struct World {
        meeting: Meeting,
        reps: Vec<Rep>,
        busy: Busy,
        window: Span,
        now: Timestamp,
    }

    fn hours() -> impl Strategy<Value = Vec<Hours>> {
        prop::collection::vec((0_u16..1440, 1_u16..900), 0..3).prop_map(|spans| {
            spans.into_iter().map(|(from, length)| Hours { from, to: (from + length).min(1440) }).collect()
        })
    }

    fn some_rep(day: Date) -> impl Strategy<Value = (Rep, Vec<(i64, i64)>)> {
        let busy = prop::collection::vec((-1440_i64..5000, 1_i64..400), 0..6);
        (0..ZONES.len(), hours(), hours(), hours(), prop::option::of((0_i64..4, hours())), busy).prop_map(
            move |(zone, weekday, friday, weekend, other, busy)| {
                let mut rep = rep("x", ZONES[zone]);
                rep.hours = Week {
                    monday: weekday.clone(),
                    tuesday: weekday.clone(),
                    wednesday: weekday.clone(),
                    thursday: weekday,
                    friday,
                    saturday: weekend.clone(),
                    sunday: weekend,
                };
                if let Some((after, hours)) = other {
                    rep.overrides.insert(day.saturating_add(jiff::Span::new().days(after)), hours);
                }
                (rep, busy)
            },
        )
    }

    fn world() -> impl Strategy<Value = World> {
        let reps = |day| prop::collection::vec(some_rep(day), 1..4);
        let rules = (
            prop::sample::select(vec![10_i64, 20, 30, 45, 60, 90]),
            prop::sample::select(vec![0_i64, 5, 10, 30]),
            prop::sample::select(vec![0_i64, 5, 15]),
            prop::sample::select(vec![5_i64, 15, 20, 30, 45, 60]),
            prop::sample::select(vec![0_i64, 60, 120, 1440]),
            0_u16..4,
            0..ZONES.len(),
        );
        (0..DAYS.len()).prop_flat_map(move |day| {
            let day: Date = DAYS[day].parse().expect("a date");
            (reps(day), rules.clone(), -600_i64..2000, 0_i64..2000, 1_i64..2880).prop_map(
                move |(reps, rules, now, from, length)| {
                    let (duration, before, after, interval, notice, window_days, zone) = rules;
                    let midnight =
                        Timestamp::from_jiff(TimeZone::UTC.to_timestamp(day.into()).expect("in range"));
                    let minute = |minutes: i64| midnight.plus_ms(minutes * MINUTE_MS);
                    let mut meeting = meeting(ZONES[zone]);
                    meeting.duration_ms = duration * MINUTE_MS;
                    meeting.buffer_before_ms = before * MINUTE_MS;
                    meeting.buffer_after_ms = after * MINUTE_MS;
                    meeting.interval_ms = interval * MINUTE_MS;
                    meeting.notice_ms = notice * MINUTE_MS;
                    meeting.window = Window::Days(window_days);
                    let mut busy = Busy::new();
                    let mut people = Vec::new();
                    for (order, (mut rep, blocks)) in reps.into_iter().enumerate() {
                        rep.id = format!("rep-{order}");
                        let blocks =
                            blocks.iter().map(|(at, n)| Span::new(minute(*at), minute(at + n))).collect();
                        busy.insert(rep.id.clone(), blocks);
                        people.push(rep);
                    }
                    let window = Span::new(minute(from), minute(from + length));
                    World { meeting, reps: people, busy, window, now: minute(now) }
                },
            )
        })
    }

    /// The wall clock of a zone at every minute of the world, so that edges can be found by looking.
    struct Minutes(Vec<(Timestamp, DateTime)>);

    impl Minutes {
        fn of(zone: &TimeZone, from: Timestamp, to: Timestamp) -> Self {
            let count = to.since_ms(from) / MINUTE_MS;
            Self(
                (0..count)
                    .map(|n| from.plus_ms(n * MINUTE_MS))
                    .map(|t| (t, zone.to_datetime(t.to_jiff())))
                    .collect(),
            )
        }

        fn first_not_before(&self, wall: DateTime) -> Option<Timestamp> {
            self.0.iter().find(|(_, local)| *local >= wall).map(|(at, _)| *at)
        }

        fn after_last_before(&self, wall: DateTime) -> Option<Timestamp> {
            self.0.iter().rev().find(|(_, local)| *local < wall).map(|(at, _)| at.plus_ms(MINUTE_MS))
        }
    }

    fn works(rep: &Rep, minutes: &Minutes) -> Vec<Timestamp> {
        let (first, last) = (minutes.0.first().expect("not empty").1, minutes.0.last().expect("not empty").1);
        let mut working = std::collections::BTreeSet::new();
        let mut date = first.date().tomorrow().expect("in range");
        while date < last.date().yesterday().expect("in range") {
            for hours in rep.hours_on(date) {
                let wall = |minute: u16| {
                    date.to_datetime(jiff::civil::Time::midnight())
                        + jiff::Span::new().minutes(i64::from(minute))
                };
                let from = minutes.first_not_before(wall(hours.from)).expect("inside");
                let to = minutes.after_last_before(wall(hours.to)).expect("inside");
                let mut minute = from;
                while minute < to {
                    working.insert(minute);
                    minute = minute.plus_ms(MINUTE_MS);
                }
            }
            date = date.tomorrow().expect("in range");
        }
        working.into_iter().collect()
    }

    fn oracle(world: &World) -> Vec<(Timestamp, Vec<String>)> {
        let World { meeting, reps, busy, window, now } = world;
        let (from, to) = (window.from.plus_ms(-4 * DAY_MS), window.to.plus_ms(4 * DAY_MS));
        let working: Vec<_> = reps
            .iter()
            .map(|rep| {
                works(rep, &Minutes::of(&rep.zone, from, to))
                    .into_iter()
                    .collect::<std::collections::HashSet<_>>()
            })
            .collect();
        let local = |at: Timestamp| meeting.zone.to_datetime(at.to_jiff());
        let Window::Days(days) = meeting.window else { panic!("the worlds roll by days") };
        let last_day = local(*now).date().saturating_add(jiff::Span::new().days(i64::from(days)));
        let mut found = Vec::new();
        let mut start = window.from;
        while start < window.to {
            let clock = local(start);
            let minute_of_day = i64::from(clock.hour()) * 60 + i64::from(clock.minute());
            let may_begin = minute_of_day % (meeting.interval_ms / MINUTE_MS) == 0
                && start >= now.plus_ms(meeting.notice_ms)
                && clock.date() <= last_day;
            if may_begin {
                let inside = |begin: i64, end: i64| {
                    (begin / MINUTE_MS..end / MINUTE_MS).map(move |n| start.plus_ms(n * MINUTE_MS))
                };
                let free = reps.iter().zip(&working).filter(|(rep, working)| {
                    inside(0, meeting.duration_ms).all(|minute| working.contains(&minute))
                        && inside(-meeting.buffer_before_ms, meeting.duration_ms + meeting.buffer_after_ms)
                            .all(|minute| {
                                !busy[&rep.id].iter().any(|block| block.from <= minute && minute < block.to)
                            })
                });
                let free: Vec<String> = free.map(|(rep, _)| rep.id.clone()).collect();
                if !free.is_empty() {
                    found.push((start, free));
                }
            }
            start = start.plus_ms(MINUTE_MS);
        }
        found
    }

    fn offered(world: &World, window: Span) -> Vec<(Timestamp, Vec<String>)> {
        let reps: Vec<&Rep> = world.reps.iter().collect();
        slots(&world.meeting, &reps, &world.busy, window, world.now)
            .into_iter()
            .map(|slot| (slot.starts_at, slot.reps.iter().map(|rep| rep.id.clone()).collect()))
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_offered_is_exactly_what_a_search_minute_by_minute_finds(world in world()) {
            prop_assert_eq!(offered(&world, world.window), oracle(&world));
        }

        #[test]
        fn asking_for_one_start_agrees_with_asking_for_all(world in world()) {
            let all = offered(&world, world.window);
            let mut start = world.window.from;
            while start < world.window.to {
                let one = offered(&world, Span::new(start, start.plus_ms(1)));
                prop_assert_eq!(one.first(), all.iter().find(|(at, _)| *at == start));
                start = start.plus_ms(5 * MINUTE_MS);
            }
        }
    }
}
