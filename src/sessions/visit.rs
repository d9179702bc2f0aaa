//! What one visit adds up to, hit by hit. Texts are their numbers in the log's words.

use serde::{Deserialize, Serialize};

use crate::base::ids::{SessionId, VisitorId};
use crate::base::time::Timestamp;
use crate::hits::{self, Line};

/// Steps that a visit's trail keeps; what comes after them is counted and not listed.
pub const TRAIL_MOST: usize = 100;
/// Touches that a visit keeps.
const TOUCHES_MOST: usize = 20;

/// One visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    pub id: SessionId,
    pub site: i64,
    pub visitor: VisitorId,
    pub consent: i64,
    /// Why it is taken for a machine's, if it is.
    pub bot: Option<i64>,
    pub started_at: Timestamp,
    pub last_at: Timestamp,
    pub hits: i64,
    pub pages: i64,
    /// Events that somebody caused; not what the tracker tells about itself.
    pub events: i64,
    pub engaged_ms: i64,
    /// The deepest that any page was scrolled, in percent.
    pub scroll: i64,
    pub host: i64,
    /// The first page.
    pub entry: Option<i64>,
    /// The last page.
    pub exit: Option<i64>,
    /// What brought the visitor here at first.
    pub origin: Origin,
    pub place: Place,
    pub device: i64,
    pub browser: i64,
    pub os: i64,
    pub language: Option<i64>,
    pub trail: Trail,
}

/// Where a visit came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Origin {
    pub channel: i64,
    pub source: Option<i64>,
    pub medium: Option<i64>,
    pub campaign: Option<i64>,
    pub term: Option<i64>,
    pub content: Option<i64>,
    pub referrer: Option<i64>,
}

/// Where on the map, and in whose network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    pub country: Option<i64>,
    pub region: Option<i64>,
    pub city: Option<i64>,
    pub network: Option<i64>,
}

/// What happened on the way, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Trail {
    /// Pages and events.
    pub steps: Vec<Step>,
    /// Campaigns, searches and links that brought the visitor back while the visit was still open.
    pub touches: Vec<Touch>,
}

/// One page or event of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The row among the hits.
    pub seq: i64,
    pub at: Timestamp,
    pub name: i64,
    pub path: i64,
    pub title: Option<i64>,
    /// How long this page was looked at, in milliseconds.
    pub engaged_ms: i64,
    /// How far it was scrolled, in percent.
    pub scroll: i64,
}

/// A way back to the site during a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touch {
    pub at: Timestamp,
    pub origin: Origin,
}

/// The numbers of the words that mean something to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub page: i64,
    pub engagement: i64,
    /// What the tracker says about itself and its visitor: `consent`, `identify`, `alias`.
    pub remarks: [i64; 3],
    /// The channels that are no campaign: `direct`, `internal`.
    pub unasked: [i64; 2],
}

impl Known {
    /// The words, in the order of [`of_numbers`](Known::of_numbers).
    pub const WORDS: [&'static str; 7] =
        [hits::PAGE, hits::ENGAGEMENT, "consent", "identify", "alias", "direct", "internal"];

    /// Takes the numbers of [`WORDS`](Known::WORDS).
    pub fn of_numbers([page, engagement, consent, identify, alias, direct, internal]: [i64; 7]) -> Self {
        Self { page, engagement, remarks: [consent, identify, alias], unasked: [direct, internal] }
    }

    /// What a hit of this name is.
    pub fn kind(&self, name: i64) -> Kind {
        match name {
            _ if name == self.page => Kind::Page,
            _ if name == self.engagement => Kind::Engagement,
            _ if self.remarks.contains(&name) => Kind::Remark,
            _ => Kind::Event,
        }
    }
}

/// What a hit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Page,
    Engagement,
    /// The tracker's own.
    Remark,
    /// Somebody did something.
    Event,
}

/// What a hit changed beyond its visit's own sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    pub kind: Kind,
    /// The first of its page or of its event in this visit.
    pub is_first: bool,
    /// By how much the page's depth grew, in percent.
    pub scroll_gain: i64,
}

impl Visit {
    /// The visit that a hit opens, still without the hit.
    pub fn open(line: &Line) -> Self {
        Self {
            id: line.session,
            site: line.site,
            visitor: line.visitor,
            consent: line.consent,
            bot: line.bot,
            started_at: line.at,
            last_at: line.at,
            hits: 0,
            pages: 0,
            events: 0,
            engaged_ms: 0,
            scroll: 0,
            host: line.host,
            entry: None,
            exit: None,
            origin: origin_of(line),
            place: Place {
                country: line.country,
                region: line.region,
                city: line.city,
                network: line.network,
            },
            device: line.device,
            browser: line.browser,
            os: line.os,
            language: line.language,
            trail: Trail::default(),
        }
    }

    /// Takes a hit in.
    pub fn take(&mut self, line: &Line, known: &Known) -> Effect {
        let kind = known.kind(line.name);
        self.hits += 1;
        self.last_at = self.last_at.max(line.at);
        self.consent = self.consent.max(line.consent);
        self.engaged_ms += line.engaged_ms;
        self.scroll = self.scroll.max(line.scroll);
        let is_first = match kind {
            Kind::Page => {
                self.pages += 1;
                self.entry = self.entry.or(Some(line.path));
                self.exit = Some(line.path);
                self.touch(line, known);
                !self.trail.steps.iter().any(|step| step.name == line.name && step.path == line.path)
            }
            Kind::Event => {
                self.events += 1;
                !self.trail.steps.iter().any(|step| step.name == line.name)
            }
            Kind::Engagement | Kind::Remark => false,
        };
        let scroll_gain = if kind == Kind::Engagement { self.look(line, known) } else { 0 };
        let has_room = self.trail.steps.len() < TRAIL_MOST;
        if matches!(kind, Kind::Page | Kind::Event) && has_room {
            self.trail.steps.push(Step {
                seq: line.seq,
                at: line.at,
                name: line.name,
                path: line.path,
                title: line.title,
                engaged_ms: 0,
                scroll: 0,
            });
        }
        // Of what the trail does not hold any more nobody knows whether it was the first.
        Effect { kind, is_first: is_first && has_room, scroll_gain }
    }

    /// Whether somebody came, saw one page, did nothing and went.
    pub fn is_bounce(&self) -> bool {
        self.pages < 2 && self.events == 0
    }

    /// Attention to the page that was opened last under this address.
    fn look(&mut self, line: &Line, known: &Known) -> i64 {
        let is_page = |step: &&mut Step| step.name == known.page && step.path == line.path;
        let Some(step) = self.trail.steps.iter_mut().rev().find(is_page) else { return 0 };
        step.engaged_ms += line.engaged_ms;
        let gain = (line.scroll - step.scroll).max(0);
        step.scroll += gain;
        gain
    }

    fn touch(&mut self, line: &Line, known: &Known) {
        let origin = origin_of(line);
        if known.unasked.contains(&origin.channel) {
            return;
        }
        let last = self.trail.touches.last().map_or(self.origin, |touch| touch.origin);
        let is_same = (last.channel, last.source, last.medium, last.campaign)
            == (origin.channel, origin.source, origin.medium, origin.campaign);
        if !is_same && self.trail.touches.len() < TOUCHES_MOST {
            self.trail.touches.push(Touch { at: line.at, origin });
        }
    }
}

fn origin_of(line: &Line) -> Origin {
    Origin {
        channel: line.channel,
        source: line.source,
        medium: line.medium,
        campaign: line.campaign,
        term: line.term,
        content: line.content,
        referrer: line.referrer,
    }
}
