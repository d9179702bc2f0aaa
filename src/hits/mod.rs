//! What the snippet reports: page views and events, read from hostile JSON into [`Hit`]s that can only be valid.

mod address;
mod agent;
mod body;
mod bots;
mod counts;
mod geo;
mod log;
mod parse;
mod source;
mod spam;
mod store;
mod words;

pub use address::{ADDRESS_MOST, Address};
pub use agent::{Agent, Agents, Known};
pub use body::unpacked;
pub use bots::{BotReason, Expected, Manner};
pub use counts::{Clamped, Counts, Dropped};
pub use geo::{Geo, InUse, Place};
pub use log::{pack, unpack};
pub use parse::{BATCH_MOST, parse};
pub use source::{Channel, Source, source_of};
pub use spam::Spam;
pub use store::forget_site;
pub use store::retention;
pub use store::unlink::{Traces, unlink};
pub use store::{
    Line, OpenVisit, append, cursor, cursor_in, forget_cursor, last, last_in, lines_after, lines_of,
    move_cursor, newest, store, texts_of, visits_since,
};
pub use words::Words;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::base::coded::Coded;
use crate::base::consent::Consent;
use crate::base::ids::{HitId, SessionId, VisitorId};
use crate::base::time::Timestamp;

/// The name of a page view; every other name is an event.
pub const PAGE: &str = "page";
/// The name of the hit that tells how long a page was really looked at.
pub const ENGAGEMENT: &str = "engagement";
/// The name of the hit by which the tracker tells that a visitor has answered the question for consent.
pub const CONSENT: &str = "consent";

/// One reported page view or event.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Drawn by the client, so that a repeated hit is known.
    pub id: HitId,
    pub site: String,
    pub name: String,
    /// When it happened by our clock: received, less the time it waited in the client's queue.
    pub at: Timestamp,
    /// Why that is not what the client said, if it is not.
    pub clamped: Option<Clamped>,
    pub host: String,
    /// Path with query, without what marks a campaign.
    pub path: String,
    pub title: Option<String>,
    pub referrer: Option<Address>,
    /// The whole address, for the source.
    pub url: Address,
    /// The device epoch; none without consent.
    pub visitor: Option<VisitorId>,
    pub consent: Consent,
    pub language: Option<String>,
    pub engaged_ms: i64,
    /// How far the page was scrolled, 0 to 100.
    pub scroll: i64,
    /// Whether the browser says that a program drives it.
    pub is_automated: bool,
    pub props: Json,
}

/// A hit with everything that is worked out about it: a row of the log. Its texts are its own, or stand in what it was read
/// from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded<T = String> {
    /// Its place among the rows; 0 before it has one.
    #[serde(skip)]
    pub seq: i64,
    pub id: HitId,
    pub site: T,
    pub at: Timestamp,
    pub received_at: Timestamp,
    pub visitor: VisitorId,
    /// Nil until the log has taken it: the log knows which visit goes on.
    pub session: SessionId,
    pub name: T,
    pub host: T,
    pub path: T,
    pub title: Option<T>,
    pub referrer: Option<T>,
    pub source: Source<T>,
    /// ISO 3166-1, two letters.
    pub country: Option<T>,
    /// ISO 3166-2, without the country.
    pub region: Option<T>,
    pub city: Option<T>,
    /// Who runs the network (the autonomous system), if a database tells.
    pub network: Option<T>,
    pub agent: Agent<T>,
    pub language: Option<T>,
    pub consent: Consent,
    /// Why it is taken for a machine's, if it is. It is kept all the same.
    pub bot_reason: Option<T>,
    pub engaged_ms: i64,
    pub scroll: i64,
    /// Its properties as a JSON object; none is the empty one.
    pub props: Option<T>,
}

/// Why a hit is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not JSON, or not an object or array of objects.
    #[error("the body is not a hit or a list of hits: {0}")]
    Malformed(String),
    /// A member is missing or impossible.
    #[error("`{field}` {problem}")]
    Field {
        /// Its name.
        field: &'static str,
        /// What is wrong with it, and what is accepted.
        problem: &'static str,
    },
    /// More hits than one body may hold.
    #[error("a body may hold at most {most} hits")]
    TooMany {
        /// The limit.
        most: usize,
    },
    /// A larger body than is taken, as it came or unpacked.
    #[error("at most {most} bytes are taken")]
    TooLarge {
        /// The limit.
        most: usize,
    },
    /// Not gzip, although it says so, or broken off.
    #[error("the body cannot be unpacked: {0}")]
    Packed(String),
    /// Another `Content-Encoding` than those that are spoken here.
    #[error("send the body as it is, or packed with gzip")]
    Encoding,
    /// The log cannot take it now.
    #[error("hits cannot be stored at the moment")]
    Unavailable,
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "hit.malformed",
            Self::Field { .. } => "hit.field",
            Self::TooMany { .. } => "hit.too_many",
            Self::TooLarge { .. } => "request.too_large",
            Self::Packed(_) => "request.malformed",
            Self::Encoding => "request.encoding_unknown",
            Self::Unavailable => "hit.unavailable",
        }
    }
}

impl Error {
    /// As what it is counted.
    pub fn dropped(&self) -> Dropped {
        match self {
            Self::Malformed(_) | Self::Packed(_) => Dropped::Malformed,
            Self::Field { .. } => Dropped::Field,
            Self::TooMany { .. } => Dropped::TooMany,
            Self::TooLarge { .. } => Dropped::TooLarge,
            Self::Encoding => Dropped::Encoding,
            Self::Unavailable => Dropped::Unavailable,
        }
    }
}
