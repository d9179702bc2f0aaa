//! The reps' own calendars: when they are busy elsewhere, what is written into them, and the feed of their calls.
//!
//! A calendar is read in the background and never in a request: what it said is kept, with the moment until which it is
//! believed. Whoever has a calendar that is not believed any more, or was never read, counts as busy all the time: a call
//! too few is better than two at once. Addresses and passwords are sealed, because the address of a feed is its secret.
//!
//! `busy.rs` reads files, `dav.rs` speaks with CalDAV servers in texts, `feed.rs` writes what others read; all are pure.
//! Who asks whom over the network stands in `notify`.

pub mod busy;
pub mod dav;
pub mod feed;
mod lines;
mod moments;
mod recur;
mod store;
mod zones;

use url::Url;

use super::slots::Span;
use super::team::Team;
use crate::base::coded::Coded;
use crate::base::ids::{BookingId, CalendarId};
use crate::base::secret::Secret;
use crate::base::signing::{Claims, Keys, Purpose, random_text};
use crate::base::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use crate::contacts;
use crate::events::{self, Event};
use crate::storage;
use crate::storage::db::{Queries, Tx};

pub use self::store::{Written, to_write_again, writable};

/// Calendars of one rep.
const MOST: usize = 10;
/// Longest address of a calendar.
const ADDRESS_MOST: usize = 2_000;
/// Longest login and password.
const LOGIN_MOST: usize = 300;
/// How far calendars are read ahead: more than any booking window.
const AHEAD_MS: i64 = 400 * DAY_MS;
/// What of the past still stands in the feed.
const FEED_BEHIND_MS: i64 = 30 * DAY_MS;
/// Pause after the first failure; it doubles, up to an hour.
const PAUSE_MS: i64 = MINUTE_MS;
/// A calendar that was just connected is not spoken of so long.
const PATIENCE_MS: i64 = HOUR_MS;

/// How a calendar is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file that is fetched.
    Ics,
    /// A collection on a CalDAV server.
    CalDav,
}

impl Kind {
    /// As it stands in the table and in forms.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ics => "ics",
            Self::CalDav => "caldav",
        }
    }

    /// The kind of this name.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Ics, Self::CalDav].into_iter().find(|kind| kind.word() == word)
    }
}

/// Who connected a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It stands in `team.yaml`.
    File,
    /// The rep herself, or an administrator.
    Console,
}

impl Origin {
    /// As it stands in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Console => "console",
        }
    }
}

/// A connected calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    pub id: CalendarId,
    pub rep: String,
    pub kind: Kind,
    pub origin: Origin,
    sealed_url: String,
    /// The address's host, which is all of it that is shown.
    pub host: String,
    pub login: Option<String>,
    sealed_password: Option<String>,
    /// Whether calls are written into it.
    pub is_written: bool,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    pub tried_at: Option<Timestamp>,
    pub fetched_at: Option<Timestamp>,
    /// When it was last read as a whole, and not only found to be unchanged.
    pub expanded_at: Option<Timestamp>,
    /// From then on its rep counts as busy all the time.
    pub good_until: Timestamp,
    /// Why the last try failed: a word of [`busy::Fault`], or of the way there.
    pub fault: Option<String>,
    pub fault_detail: Option<String>,
    /// Tries that failed since the last that did not.
    pub failures: i64,
    pub told_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

impl Calendar {
    /// Whether what it said is believed.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.good_until > now
    }

    /// The address; none if it was sealed with another key.
    pub fn url(&self, keys: &Keys) -> Option<Secret> {
        keys.unseal(&["calendar address", &self.id.to_string()], &self.sealed_url)
    }

    /// The password; none if there is none or it was sealed with another key.
    pub fn password(&self, keys: &Keys) -> Option<Secret> {
        keys.unseal(&["calendar password", &self.id.to_string()], self.sealed_password.as_deref()?)
    }

    /// When it is read next.
    pub fn next_at(&self, every_ms: i64, now: Timestamp) -> Timestamp {
        match self.failures {
            0 => now.plus_ms(every_ms),
            failures => {
                now.plus_ms((PAUSE_MS << (failures - 1).clamp(0, 6)).min(HOUR_MS).min(every_ms.max(PAUSE_MS)))
            }
        }
    }
}

/// Why a calendar was not connected, or is not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no address, or one that cannot be fetched.
    #[error("write the address as https://… or webcal://…")]
    AddressInvalid,
    /// The rep has it already.
    #[error("this calendar is connected already")]
    Known,
    /// More than anybody has.
    #[error("a person can connect {MOST} calendars")]
    TooMany,
    /// There is none of this id.
    #[error("there is no such calendar")]
    Unknown,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] storage::Error),
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::AddressInvalid => "calendar.address_invalid",
            Self::Known => "calendar.known",
            Self::TooMany => "calendar.too_many",
            Self::Unknown => "calendar.unknown",
            Self::Store(error) => error.code(),
        }
    }
}

/// A calendar to be connected.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    pub rep: &'a str,
    pub kind: Kind,
    pub origin: Origin,
    /// `https://`, `http://` or `webcal://`.
    pub address: &'a str,
    pub login: Option<&'a str>,
    pub password: Option<&'a Secret>,
    /// Whether calls are to be written into it; only a CalDAV server takes them.
    pub is_written: bool,
}

/// An address that can be fetched. `webcal:` is how calendar programs write the address of a feed.
pub fn address(text: &str) -> Option<Url> {
    let text = text.trim();
    if text.len() > ADDRESS_MOST {
        return None;
    }
    let text = match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("webcal") => format!("https://{rest}"),
        _ => text.to_owned(),
    };
    let url = Url::parse(&text).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    (matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain).then_some(url)
}

/// Connects a calendar. Until it is read for the first time its rep counts as busy.
///
/// # Errors
/// [`Error::AddressInvalid`], [`Error::Known`], [`Error::TooMany`].
pub async fn connect(
    tx: &mut Tx,
    keys: &Keys,
    wanted: &Wanted<'_>,
    now: Timestamp,
) -> Result<CalendarId, Error> {
    let mut url = address(wanted.address).ok_or(Error::AddressInvalid)?;
    url.set_fragment(None);
    if wanted.kind == Kind::CalDav && !url.path().ends_with('/') {
        // A collection's address ends in a slash (RFC 4918, 5.2); what is in it is named after it.
        url.set_path(&format!("{}/", url.path()));
    }
    let known = store::of_rep(tx, wanted.rep).await?;
    let digest = digest(keys, &url);
    if store::knows(tx, wanted.rep, &digest).await? {
        return Err(Error::Known);
    }
    if known.len() >= MOST {
        return Err(Error::TooMany);
    }
    let id = CalendarId::new();
    let short = |text: &&str| !text.is_empty() && text.len() <= LOGIN_MOST;
    let calendar = Calendar {
        id,
        rep: wanted.rep.to_owned(),
        kind: wanted.kind,
        origin: wanted.origin,
        sealed_url: keys.seal(&["calendar address", &id.to_string()], &Secret::new(url.as_str())),
        host: url.host_str().unwrap_or_default().to_owned(),
        login: wanted.login.map(str::trim).filter(short).map(str::to_owned),
        sealed_password: wanted
            .password
            .filter(|password| short(&password.expose()))
            .map(|password| keys.seal(&["calendar password", &id.to_string()], password)),
        is_written: wanted.is_written && wanted.kind == Kind::CalDav,
        etag: None,
        last_modified: None,
        tried_at: None,
        fetched_at: None,
        expanded_at: None,
        good_until: Timestamp(0),
        fault: None,
        fault_detail: None,
        failures: 0,
        told_at: None,
        created_at: now,
    };
    store::insert(tx, &calendar, &digest).await?;
    Ok(id)
}

fn digest(keys: &Keys, url: &Url) -> String {
    keys.digest("calendar address", &[url.as_str()]).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lets a calendar go that the rep connected, with everything it said.
///
/// # Errors
/// [`Error::Unknown`] also for those of `team.yaml`, which go with their line.
pub async fn remove(tx: &mut Tx, rep: &str, id: CalendarId) -> Result<(), Error> {
    let calendar = store::find(tx, id).await?;
    let is_theirs = |calendar: &Calendar| calendar.rep == rep && calendar.origin == Origin::Console;
    calendar.filter(is_theirs).ok_or(Error::Unknown)?;
    Ok(store::delete(tx, id).await?)
}

/// Connects what `team.yaml` names and lets go of what it names no more; returns whether anything changed.
///
/// # Errors
/// As the store says.
pub async fn follow(tx: &mut Tx, keys: &Keys, team: &Team, now: Timestamp) -> storage::Result<bool> {
    let mut has_changed = false;
    let mut wanted = Vec::new();
    for rep in &team.reps {
        for address_text in &rep.calendars {
            let Some(mut url) = address(address_text) else { continue };
            url.set_fragment(None);
            let digest = digest(keys, &url);
            if !store::knows(tx, &rep.id, &digest).await? {
                let one = Wanted {
                    rep: &rep.id,
                    kind: Kind::Ics,
                    origin: Origin::File,
                    address: address_text,
                    login: None,
                    password: None,
                    is_written: false,
                };
                match connect(tx, keys, &one, now).await {
                    Ok(_) => has_changed = true,
                    Err(Error::Store(error)) => return Err(error),
                    Err(error) => {
                        tracing::warn!(error = %error, rep.id = %rep.id, "a calendar is not connected")
                    }
                }
            }
            wanted.push((rep.id.clone(), digest));
        }
    }
    for (id, rep, digest) in store::of_file(tx).await? {
        if !wanted.contains(&(rep, digest)) {
            store::delete(tx, id).await?;
            has_changed = true;
        }
    }
    Ok(has_changed)
}

/// The calendar of this id.
///
/// # Errors
/// As the store says.
pub async fn find(q: &mut impl Queries, id: CalendarId) -> storage::Result<Option<Calendar>> {
    store::find(q, id).await
}

/// A rep's calendars, the oldest first.
///
/// # Errors
/// As the store says.
pub async fn of_rep(q: &mut impl Queries, rep: &str) -> storage::Result<Vec<Calendar>> {
    store::of_rep(q, rep).await
}

/// The ids of all calendars.
///
/// # Errors
/// As the store says.
pub async fn all(q: &mut impl Queries) -> storage::Result<Vec<CalendarId>> {
    store::ids(q).await
}

/// The time that is read of a calendar.
pub fn window(now: Timestamp) -> Span {
    Span::new(now.plus_ms(-DAY_MS), now.plus_ms(AHEAD_MS))
}

/// What a calendar said, and the marks by which it says next time that nothing changed.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// None: nothing has changed since the last time.
    pub busy: Option<Vec<Span>>,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

/// Keeps what a calendar said; it is believed for `stale_ms`. Nothing happens if it was let go meanwhile.
///
/// # Errors
/// As the store says.
pub async fn read_well(
    tx: &mut Tx,
    id: CalendarId,
    said: &Said,
    stale_ms: i64,
    now: Timestamp,
) -> storage::Result<()> {
    let Some(calendar) = store::find(tx, id).await? else { return Ok(()) };
    if let Some(busy) = &said.busy {
        store::keep_busy(tx, &calendar, busy).await?;
    }
    store::note_success(tx, id, said, now.plus_ms(stale_ms), now).await
}

/// Notes that a calendar could not be read. What it said before is believed until its time is over; then people are told,
/// once.
///
/// # Errors
/// As the store says.
pub async fn read_badly(
    tx: &mut Tx,
    id: CalendarId,
    fault: &str,
    detail: &str,
    now: Timestamp,
) -> storage::Result<()> {
    let Some(calendar) = store::find(tx, id).await? else { return Ok(()) };
    let was_given_time = calendar.fetched_at.is_some() || now.since_ms(calendar.created_at) >= PATIENCE_MS;
    let is_news = !calendar.is_good(now) && calendar.told_at.is_none() && was_given_time;
    if is_news {
        let event = Event::CalendarStale { calendar: id, rep: calendar.rep.clone() };
        events::append(tx, &event, now).await?;
    }
    let told_at = calendar.told_at.or(is_news.then_some(now));
    store::note_failure(tx, id, fault, detail, told_at, now).await
}

/// Forgets what a calendar said: nobody reads it while its rep is not in the team's file. If she comes back it stands as if
/// it had just been connected, so that she is busy until it was read.
///
/// # Errors
/// As the store says.
pub async fn rest(tx: &mut Tx, id: CalendarId, now: Timestamp) -> storage::Result<()> {
    let Some(calendar) = store::find(tx, id).await? else { return Ok(()) };
    store::keep_busy(tx, &calendar, &[]).await?;
    store::begin_again(tx, id, now).await
}

/// When reps are busy elsewhere, as far as it touches `around`: what their calendars say, and all of it for whoever has one
/// that is not believed.
///
/// # Errors
/// As the store says.
pub async fn busy_elsewhere(
    q: &mut impl Queries,
    around: Span,
    now: Timestamp,
) -> storage::Result<Vec<(String, Span)>> {
    let mut busy = store::busy(q, around).await?;
    busy.extend(store::in_doubt(q, now).await?.into_iter().map(|rep| (rep, around)));
    Ok(busy)
}

// ---- the feed -------------------------------------------------------------------------------------

/// The address of a rep's feed, if there is one: `/cal/TOKEN.ics`.
///
/// # Errors
/// As the store says.
pub async fn feed_path(q: &mut impl Queries, keys: &Keys, rep: &str) -> storage::Result<Option<String>> {
    let known = store::feed(q, rep).await?;
    Ok(known.map(|(nonce, created_at)| {
        // It ends only when it is revoked; the number is the last second that RFC 3339 can write.
        let expires = Timestamp(253_402_300_799_000);
        let claims = Claims {
            subject: rep.to_owned(),
            contact: None,
            visitor: None,
            language: None,
            expires,
            issued: created_at,
            nonce,
        };
        format!("/cal/{}.ics", keys.sign(Purpose::CalendarFeed, &claims))
    }))
}

/// Makes a new address for a rep's feed; the one before opens nothing any more.
///
/// # Errors
/// As the store says.
pub async fn renew_feed(tx: &mut Tx, rep: &str, now: Timestamp) -> storage::Result<()> {
    store::set_feed(tx, rep, &random_text(16), now).await
}

/// Takes a rep's feed away.
///
/// # Errors
/// As the store says.
pub async fn revoke_feed(tx: &mut Tx, rep: &str) -> storage::Result<()> {
    store::delete_feed(tx, rep).await
}

/// The rep whose feed a token opens.
///
/// # Errors
/// [`Error::Unknown`] for one that is forged or was revoked.
pub async fn rep_of_feed(
    q: &mut impl Queries,
    keys: &Keys,
    token: &str,
    now: Timestamp,
) -> Result<String, Error> {
    let claims = keys.verify(Purpose::CalendarFeed, token, now).map_err(|_| Error::Unknown)?;
    match store::feed(q, &claims.subject).await? {
        Some((nonce, _)) if nonce == claims.nonce => Ok(claims.subject),
        _ => Err(Error::Unknown),
    }
}

/// What a rep's feed holds: her confirmed calls, the earliest first.
///
/// # Errors
/// As the store says.
pub async fn entries(
    q: &mut impl Queries,
    rep: &str,
    link: impl Fn(&str) -> String,
    now: Timestamp,
) -> super::Result<Vec<feed::Entry>> {
    let span = Span::new(now.plus_ms(-FEED_BEHIND_MS), now.plus_ms(AHEAD_MS));
    let mut entries = Vec::new();
    for booking in super::between(q, span).await? {
        let is_theirs = booking.rep == rep || booking.companion.as_deref() == Some(rep);
        if is_theirs && booking.state == super::State::Confirmed {
            entries.push(entry(q, booking, &link).await?);
        }
    }
    Ok(entries)
}

/// A call with what is told of it.
///
/// # Errors
/// As the store says.
pub async fn entry(
    q: &mut impl Queries,
    booking: super::Booking,
    link: impl Fn(&str) -> String,
) -> super::Result<feed::Entry> {
    let contact = match booking.contact {
        Some(contact) => contacts::find(q, contact).await?,
        None => None,
    };
    // The address is no name: it does not leave the console.
    let names =
        contact.iter().flat_map(|contact| [contact.first_name.as_deref(), contact.last_name.as_deref()]);
    let who = names.flatten().collect::<Vec<_>>().join(" ");
    let link = contact.map(|contact| link(&format!("/console/contacts/{}", contact.id)));
    Ok(feed::Entry { booking, who, link })
}

// ---- what is written into calendars ---------------------------------------------------------------

/// Where a call stands, as far as we wrote it.
///
/// # Errors
/// As the store says.
pub async fn written(q: &mut impl Queries, booking: BookingId) -> storage::Result<Vec<Written>> {
    store::written(q, booking).await
}

/// Notes that a call stands in a calendar in this version.
///
/// # Errors
/// As the store says.
pub async fn note_written(
    tx: &mut Tx,
    booking: BookingId,
    written: &Written,
    now: Timestamp,
) -> storage::Result<()> {
    store::note_written(tx, booking, written, now).await
}

/// Notes that a call stands in a calendar no more.
///
/// # Errors
/// As the store says.
pub async fn note_taken_out(tx: &mut Tx, booking: BookingId, calendar: CalendarId) -> storage::Result<()> {
    store::forget_written(tx, booking, calendar).await
}
