//! What visits and hits add to the counts of days and hours: a pure function of the rows and of the visits before them.
//!
//! Pages, events and properties count on the day of the hit; everything that is said of a visit (where from, with what,
//! where in, where out) counts on the day on which the visit began. Days are the site's own; hours are UTC's.

use std::ops::{AddAssign, SubAssign};

use jiff::tz::TimeZone;

use super::visit::{Kind, Known, Visit};
use crate::base::ids::{HitId, SessionId};
use crate::base::sketch::hash_of_id;
use crate::base::time::{HOUR_MS, Timestamp};
use crate::hits::Line;

/// What traffic is broken down by. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dimension {
    /// Everything, under the value 0.
    Total = 0,
    Page = 1,
    Entry = 2,
    Exit = 3,
    Channel = 4,
    Source = 5,
    Medium = 6,
    Campaign = 7,
    Term = 8,
    Content = 9,
    Referrer = 10,
    Country = 11,
    Region = 12,
    City = 13,
    Device = 14,
    Browser = 15,
    Os = 16,
    Language = 17,
    Host = 18,
    Event = 19,
    /// `event`, `property` and `value` with tabs between them.
    Property = 20,
    /// Why visits were set aside.
    Bot = 21,
}

impl Dimension {
    /// Every one, in the order of the numbers.
    pub const ALL: [Self; 22] = [
        Self::Total,
        Self::Page,
        Self::Entry,
        Self::Exit,
        Self::Channel,
        Self::Source,
        Self::Medium,
        Self::Campaign,
        Self::Term,
        Self::Content,
        Self::Referrer,
        Self::Country,
        Self::Region,
        Self::City,
        Self::Device,
        Self::Browser,
        Self::Os,
        Self::Language,
        Self::Host,
        Self::Event,
        Self::Property,
        Self::Bot,
    ];

    /// The stored number.
    pub fn number(self) -> i64 {
        self as i64
    }

    /// The dimension of a stored number.
    pub fn of_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|dimension| dimension.number() == number)
    }

    /// The word that programs use for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Page => "page",
            Self::Entry => "entry",
            Self::Exit => "exit",
            Self::Channel => "channel",
            Self::Source => "source",
            Self::Medium => "medium",
            Self::Campaign => "campaign",
            Self::Term => "term",
            Self::Content => "content",
            Self::Referrer => "referrer",
            Self::Country => "country",
            Self::Region => "region",
            Self::City => "city",
            Self::Device => "device",
            Self::Browser => "browser",
            Self::Os => "os",
            Self::Language => "language",
            Self::Host => "host",
            Self::Event => "event",
            Self::Property => "property",
            Self::Bot => "bot",
        }
    }

    /// The dimension of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dimension| dimension.word() == word)
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measures {
    pub views: i64,
    pub visits: i64,
    pub bounces: i64,
    pub engaged_ms: i64,
    pub events: i64,
    /// The sum of the depths of the pages' visits, in percent.
    pub scroll: i64,
}

impl Measures {
    /// Whether nothing was counted.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl AddAssign for Measures {
    fn add_assign(&mut self, other: Self) {
        self.views += other.views;
        self.visits += other.visits;
        self.bounces += other.bounces;
        self.engaged_ms += other.engaged_ms;
        self.events += other.events;
        self.scroll += other.scroll;
    }
}

impl SubAssign for Measures {
    fn sub_assign(&mut self, other: Self) {
        self.views -= other.views;
        self.visits -= other.visits;
        self.bounces -= other.bounces;
        self.engaged_ms -= other.engaged_ms;
        self.events -= other.events;
        self.scroll -= other.scroll;
    }
}

/// A count's place: the site, its day, and a value of a dimension (a word's number; 0 is none).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub site: i64,
    pub dimension: Dimension,
    /// Days since 1970-01-01 in the site's zone.
    pub day: i64,
    pub value: i64,
}

/// What is added to a count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delta {
    pub measures: Measures,
    /// Hashes of the visitors that were seen there.
    pub visitors: Vec<u64>,
}

/// A map of millions of small look-ups; its keys are ours, not a visitor's.
pub type Map<K, V> = foldhash::HashMap<K, V>;

/// What a batch of hits adds.
#[derive(Debug, Default)]
pub struct Tally {
    pub days: Map<Key, Delta>,
    /// By site and hour (since the epoch, UTC).
    pub hours: Map<(i64, i64), Delta>,
}

/// The zones of the sites, by the sites' words.
pub type Zones = Map<i64, TimeZone>;

/// The site's day in which a moment lies, in days since 1970-01-01.
pub fn day_in(zone: Option<&TimeZone>, at: Timestamp) -> i64 {
    let offset = zone.map_or(0, |zone| zone.to_offset(at.to_jiff()).seconds());
    (at.as_ms().div_euclid(1_000) + i64::from(offset)).div_euclid(86_400)
}

/// The hour in which a moment lies, since the epoch.
pub fn hour_of(at: Timestamp) -> i64 {
    at.as_ms().div_euclid(HOUR_MS)
}

/// Adds `lines` (rows in order) to `visits` (those that the rows belong to and that are known) and returns what that adds to
/// the counts. `properties` holds the values of [`Dimension::Property`] of hits that have some, by the hits' ids.
pub fn tally(
    lines: &[Line],
    visits: &mut Map<SessionId, Visit>,
    properties: &Map<HitId, Vec<i64>>,
    known: &Known,
    zones: &Zones,
) -> Tally {
    let mut tally = Tally::default();
    let mut before: Map<SessionId, Option<Visit>> = Map::default();
    for line in lines {
        let visit = match visits.entry(line.session) {
            std::collections::hash_map::Entry::Occupied(visit) => {
                let visit = visit.into_mut();
                before.entry(line.session).or_insert_with(|| Some(summary(visit)));
                visit
            }
            std::collections::hash_map::Entry::Vacant(place) => {
                before.insert(line.session, None);
                place.insert(Visit::open(line))
            }
        };
        let effect = visit.take(line, known);
        if visit.bot.is_none() {
            let own = properties.get(&line.id).map(Vec::as_slice).unwrap_or_default();
            tally.take(line, effect, own, zones);
        }
    }
    for (id, before) in &before {
        let Some(after) = visits.get(id) else { continue };
        tally.settle(before.as_ref(), after, zones);
    }
    tally.days.retain(|_, delta| !delta.measures.is_nothing() || !delta.visitors.is_empty());
    tally.hours.retain(|_, delta| !delta.measures.is_nothing() || !delta.visitors.is_empty());
    tally
}

/// A visit without what is only listed.
fn summary(visit: &Visit) -> Visit {
    Visit { trail: super::visit::Trail::default(), ..visit.clone() }
}

impl Tally {
    /// What a hit counts by itself.
    fn take(&mut self, line: &Line, effect: super::visit::Effect, properties: &[i64], zones: &Zones) {
        let (site, hour) = (line.site, hour_of(line.at));
        let day = day_in(zones.get(&site), line.at);
        let hash = hash_of_id(line.visitor.as_u128());
        let first = i64::from(effect.is_first);
        let (dimension, value, measures) = match effect.kind {
            Kind::Page => {
                (Dimension::Page, line.path, Measures { views: 1, visits: first, ..Measures::default() })
            }
            Kind::Event => {
                (Dimension::Event, line.name, Measures { events: 1, visits: first, ..Measures::default() })
            }
            Kind::Engagement => {
                let measures = Measures {
                    engaged_ms: line.engaged_ms,
                    scroll: effect.scroll_gain,
                    ..Measures::default()
                };
                self.add(Key { site, dimension: Dimension::Page, day, value: line.path }, measures, None);
                return;
            }
            Kind::Remark => return,
        };
        let seen = Some(hash).filter(|_| effect.is_first);
        self.add(Key { site, dimension, day, value }, measures, seen);
        for value in properties {
            let measures = Measures { events: 1, ..Measures::default() };
            self.add(Key { site, dimension: Dimension::Property, day, value: *value }, measures, Some(hash));
        }
        let sums = Measures { views: measures.views, events: measures.events, ..Measures::default() };
        self.add(Key { site, dimension: Dimension::Total, day, value: 0 }, sums, Some(hash));
        let here = self.hours.entry((site, hour)).or_default();
        here.measures += sums;
        here.visitors.push(hash);
    }

    /// What a visit counts now, less what it counted before.
    fn settle(&mut self, before: Option<&Visit>, after: &Visit, zones: &Zones) {
        let day = day_in(zones.get(&after.site), after.started_at);
        let key = |dimension, value| Key { site: after.site, dimension, day, value };
        let old: Vec<(Dimension, i64, Measures)> = before.map(counts).into_iter().flatten().collect();
        for (dimension, value, measures) in &old {
            self.days.entry(key(*dimension, *value)).or_default().measures -= *measures;
        }
        let hash = hash_of_id(after.visitor.as_u128());
        for (dimension, value, measures) in counts(after) {
            // A visit may have said only something about itself so far, and counted nowhere.
            let is_new = !old.iter().any(|(of, was, _)| (*of, *was) == (dimension, value));
            let seen = Some(hash).filter(|_| is_new && has_visitors(dimension));
            self.add(key(dimension, value), measures, seen);
        }
        if after.bot.is_none() {
            let mut here = of_total(after);
            if let Some(before) = before {
                here -= of_total(before);
            }
            self.add(key(Dimension::Total, 0), here, None);
            self.hours.entry((after.site, hour_of(after.started_at))).or_default().measures += here;
        }
    }

    fn add(&mut self, key: Key, measures: Measures, visitor: Option<u64>) {
        let delta = self.days.entry(key).or_default();
        delta.measures += measures;
        delta.visitors.extend(visitor);
    }
}

/// Where a visit goes out changes with every page: nobody can be taken out of a sketch again. And visits that began count
/// their visitors where their hits do.
fn has_visitors(dimension: Dimension) -> bool {
    !matches!(dimension, Dimension::Exit | Dimension::Total)
}

/// What the whole visit adds to its day beside its hits.
fn of_total(visit: &Visit) -> Measures {
    Measures {
        visits: i64::from(has_begun(visit)),
        bounces: i64::from(has_begun(visit) && visit.is_bounce()),
        engaged_ms: visit.engaged_ms,
        ..Measures::default()
    }
}

/// A visit counts from its first page or event.
fn has_begun(visit: &Visit) -> bool {
    visit.pages + visit.events > 0
}

/// What a visit counts, by dimension and value. A machine's counts only as that.
pub fn counts(visit: &Visit) -> impl Iterator<Item = (Dimension, i64, Measures)> {
    let all = Measures {
        views: visit.pages,
        visits: i64::from(has_begun(visit)),
        bounces: i64::from(has_begun(visit) && visit.is_bounce()),
        engaged_ms: visit.engaged_ms,
        events: visit.events,
        scroll: 0,
    };
    let bot = visit.bot.map(|reason| (Dimension::Bot, Some(reason)));
    let origin = &visit.origin;
    let person = [
        (Dimension::Entry, visit.entry),
        (Dimension::Exit, visit.exit),
        (Dimension::Channel, Some(origin.channel)),
        (Dimension::Source, Some(origin.source.unwrap_or(0))),
        (Dimension::Medium, origin.medium),
        (Dimension::Campaign, origin.campaign),
        (Dimension::Term, origin.term),
        (Dimension::Content, origin.content),
        (Dimension::Referrer, origin.referrer),
        (Dimension::Country, Some(visit.place.country.unwrap_or(0))),
        (Dimension::Region, visit.place.region),
        (Dimension::City, visit.place.city),
        (Dimension::Device, Some(visit.device)),
        (Dimension::Browser, Some(visit.browser)),
        (Dimension::Os, Some(visit.os)),
        (Dimension::Language, visit.language),
        (Dimension::Host, Some(visit.host)),
    ];
    let person = person.into_iter().filter(move |_| bot.is_none());
    bot.into_iter()
        .chain(person)
        .filter_map(move |(dimension, value)| Some((dimension, value?, all)).filter(|_| !all.is_nothing()))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::base::ids::{HitId, VisitorId};
    use crate::base::time::{DAY_MS, zone};

    const KNOWN: Known = Known { page: 1, engagement: 2, remarks: [3, 4, 5], unasked: [6, 7] };
    const EVENT: i64 = 50;

    /// A row: who, what, where, and how long after the first one.
    fn line(seq: i64, (who, name, path, at): (u8, i64, i64, i64)) -> Line {
        let id = Uuid::from_u128(u128::from(who));
        Line {
            seq,
            id: HitId::from_uuid(Uuid::from_u128(u128::try_from(seq).expect("positive"))),
            site: 9,
            at: Timestamp(20_000 * DAY_MS + at),
            received_at: Timestamp(20_000 * DAY_MS + at),
            visitor: VisitorId::from_uuid(id),
            session: SessionId::from_uuid(id),
            name,
            host: 8,
            path,
            title: None,
            referrer: None,
            channel: 6,
            source: None,
            medium: None,
            campaign: None,
            term: None,
            content: None,
            country: Some(i64::from(who % 3) + 70),
            region: None,
            city: None,
            network: None,
            device: 80,
            browser: 81,
            os: 82,
            language: None,
            consent: 1,
            bot: (who == 7).then_some(90),
            engaged_ms: if name == KNOWN.engagement { 5_000 } else { 0 },
            scroll: if name == KNOWN.engagement { path } else { 0 },
            props: None,
        }
    }

    fn madrid() -> Zones {
        std::iter::once((9, zone("Europe/Madrid").expect("a zone"))).collect()
    }

    /// What was counted and who was there.
    type Sums = BTreeMap<Key, (Measures, BTreeSet<u64>)>;

    /// Counts in batches of `size` and adds up.
    fn counted(lines: &[Line], size: usize) -> (Sums, Map<SessionId, Visit>) {
        let (mut sums, mut visits) = (Sums::new(), Map::default());
        for batch in lines.chunks(size) {
            for (key, delta) in tally(batch, &mut visits, &Map::default(), &KNOWN, &madrid()).days {
                let (measures, visitors) = sums.entry(key).or_default();
                *measures += delta.measures;
                visitors.extend(delta.visitors);
            }
        }
        sums.retain(|_, (measures, visitors)| !measures.is_nothing() || !visitors.is_empty());
        (sums, visits)
    }

    #[test]
    fn a_visit_over_midnight_begins_on_its_first_day_and_its_pages_count_where_they_were_seen() {
        // 21:30 UTC is 23:30 of a summer's day in Madrid.
        let late = 21 * HOUR_MS + HOUR_MS / 2;
        let lines = [line(1, (1, 1, 60, late)), line(2, (1, 1, 61, late + HOUR_MS))];
        let (sums, _) = counted(&lines, 10);
        let day = |day, dimension, value| {
            let key = Key { site: 9, dimension, day, value };
            sums.get(&key).map(|(sums, who)| (sums.views, sums.visits, sums.bounces, who.len()))
        };
        assert_eq!(day(20_000, Dimension::Total, 0), Some((1, 1, 0, 1)));
        assert_eq!(day(20_001, Dimension::Total, 0), Some((1, 0, 0, 1)));
        assert_eq!(day(20_000, Dimension::Channel, 6), Some((2, 1, 0, 1)));
        assert_eq!(day(20_001, Dimension::Channel, 6), None);
        assert_eq!(day(20_001, Dimension::Page, 61), Some((1, 1, 0, 1)));
        assert_eq!(day(20_000, Dimension::Exit, 61), Some((2, 1, 0, 0)));
        assert_eq!(day(20_000, Dimension::Exit, 60), None, "she went on from there");
    }

    #[test]
    fn depth_counts_once_for_each_page_and_attention_adds_up() {
        let lines = [(1, 1, 60, 0), (1, 2, 60, 9), (1, 2, 60, 20)].map(|row| line(row.3 + 1, row));
        let (sums, visits) = counted(&lines, 1);
        let page = sums[&Key { site: 9, dimension: Dimension::Page, day: 20_000, value: 60 }].0;
        assert_eq!((page.views, page.engaged_ms, page.scroll), (1, 10_000, 60));
        let visit = visits.values().next().expect("a visit");
        assert!(visit.is_bounce(), "attention alone is no second page");
        assert_eq!((visit.hits, visit.engaged_ms, visit.trail.steps[0].engaged_ms), (3, 10_000, 10_000));
    }

    proptest! {
        #[test]
        fn however_rows_are_cut_into_batches_the_counts_are_the_same(
            rows in proptest::collection::vec((0..8_u8, prop_oneof![Just(1), Just(2), Just(3), Just(EVENT)], 60..64_i64, 0..3 * DAY_MS), 1..60),
            size in 1..20_usize,
        ) {
            let lines: Vec<Line> = (1..).zip(rows).map(|(seq, row)| line(seq, row)).collect();
            prop_assert_eq!(counted(&lines, size), counted(&lines, lines.len()));
        }
    }
}
