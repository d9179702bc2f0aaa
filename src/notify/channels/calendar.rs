//! The reps' own calendars: reads when they are busy, and writes their calls.
//!
//! Reading is a job that is never done: it reads, keeps what was said or why nothing was, and waits for the next time.
//! Writing makes a calendar say of a call what the call is at that moment, so that it does not matter in which order or how
//! often it is done.

use reqwest::Url;

use crate::base::ids::{BookingId, CalendarId};
use crate::base::secret::Secret;
use crate::base::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use crate::bookings::calendars::busy::Reading;
use crate::bookings::calendars::feed::Feed;
use crate::bookings::calendars::{self, Calendar, Kind, Said, Written, dav};
use crate::bookings::slots::Span;
use crate::bookings::team::Rep;
use crate::bookings::{self, Booking, State};
use crate::notify::outbound::{Call, Trouble};
use crate::notify::{Desk, Error, Sent, Why};

/// Bytes of a calendar.
const MOST_BYTES: usize = 10 * 1024 * 1024;
/// Bytes of what a server answers to something that was written.
const MOST_ANSWER: usize = 64 * 1024;
/// How often something is tried again at once that changes while we look.
const TRIES: usize = 3;

/// Why a calendar said nothing that can be used: a word for texts, and what it is about.
type Fault = (&'static str, String);

// ---- reading --------------------------------------------------------------------------------------

/// Reads a calendar and says when it is to be read again.
pub(in crate::notify) async fn read(desk: &Desk, id: CalendarId, now: Timestamp) -> Result<Sent, Error> {
    let db = &desk.stores.db;
    let Some(calendar) = calendars::find(&mut db.read(), id).await? else {
        return Ok(Sent::Superseded(Why::CALENDAR_GONE));
    };
    let every_ms = i64::from(desk.calendars.every_minutes.max(1)) * MINUTE_MS;
    let Some(rep) = desk.team.rep(&calendar.rep) else {
        let mut tx = db.begin().await?;
        calendars::rest(&mut tx, id, now).await?;
        tx.commit().await?;
        return Ok(Sent::Waits { until: now.plus_ms(every_ms), why: Why::READ_AGAIN });
    };
    let said = said(desk, &calendar, rep, now).await;
    let mut tx = db.begin().await?;
    match &said {
        Ok(said) => {
            let stale_ms = i64::from(desk.calendars.stale_hours) * HOUR_MS;
            calendars::read_well(&mut tx, id, said, stale_ms, now).await?;
        }
        Err((fault, detail)) => {
            // The detail may be a part of the file: it stays out of the log.
            tracing::warn!(calendar.id = %id, rep.id = %calendar.rep, fault, "a calendar cannot be read");
            calendars::read_badly(&mut tx, id, fault, detail, now).await?;
        }
    }
    let read = calendars::find(&mut tx, id).await?;
    tx.commit().await?;
    let until = read.map_or(now, |read| read.next_at(every_ms, now));
    Ok(Sent::Waits { until, why: Why::READ_AGAIN })
}

async fn said(desk: &Desk, calendar: &Calendar, rep: &Rep, now: Timestamp) -> Result<Said, Fault> {
    let door = Door::of(desk, calendar)?;
    match calendar.kind {
        Kind::Ics => feed(desk, &door, calendar, rep, now).await,
        Kind::CalDav => {
            let busy = collection(desk, &door, rep, now).await?;
            Ok(Said { busy: Some(busy), etag: None, last_modified: None })
        }
    }
}

async fn feed(
    desk: &Desk,
    door: &Door,
    calendar: &Calendar,
    rep: &Rep,
    now: Timestamp,
) -> Result<Said, Fault> {
    let mut headers = vec![("accept", "text/calendar, */*;q=0.1".to_owned())];
    // Once a day it is read as a whole, because the time that is looked at moves on.
    if calendar.expanded_at.is_some_and(|at| now.since_ms(at) < DAY_MS) {
        headers.extend(calendar.etag.clone().map(|etag| ("if-none-match", etag)));
        headers.extend(calendar.last_modified.clone().map(|since| ("if-modified-since", since)));
    }
    let call = Call { headers, ..door.call("GET", &door.url, MOST_BYTES) };
    let answer = desk.outbound.call(&call).await.map_err(of_trouble)?;
    match answer.status {
        304 => Ok(Said { busy: None, etag: answer.etag, last_modified: answer.last_modified }),
        200 => {
            let busy = busy(desk, rep, vec![answer.body], now).await?;
            Ok(Said { busy: Some(busy), etag: answer.etag, last_modified: answer.last_modified })
        }
        status => Err(of_status(status)),
    }
}

/// Asks a CalDAV server for the events; one that shows none, only when somebody is busy.
async fn collection(desk: &Desk, door: &Door, rep: &Rep, now: Timestamp) -> Result<Vec<Span>, Fault> {
    let window = calendars::window(now);
    let headers =
        || vec![("content-type", "application/xml; charset=utf-8".to_owned()), ("depth", "1".to_owned())];
    let report = |body: String| Call {
        headers: headers(),
        body: Some(body),
        ..door.call("REPORT", &door.url, MOST_BYTES)
    };
    let answer = desk.outbound.call(&report(dav::query(window))).await.map_err(of_trouble)?;
    match answer.status {
        207 => {
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            let files = dav::files(&text).ok_or(("not_a_calendar", String::new()))?;
            busy(desk, rep, files.into_iter().map(String::into_bytes).collect(), now).await
        }
        // Somebody may be let see when she is busy and no more (RFC 4791, 6.1.1).
        403 | 405 | 501 => {
            let answer =
                desk.outbound.call(&report(dav::free_busy_query(window))).await.map_err(of_trouble)?;
            match answer.status {
                200 => busy(desk, rep, vec![answer.body], now).await,
                status => Err(of_status(status)),
            }
        }
        status => Err(of_status(status)),
    }
}

/// Reads files beside the others' work: ten megabytes take a while.
async fn busy(desk: &Desk, rep: &Rep, files: Vec<Vec<u8>>, now: Timestamp) -> Result<Vec<Span>, Fault> {
    let (zone, owner, domain) = (rep.zone.clone(), rep.email.clone(), desk.from.domain().to_owned());
    let counts_tentative = desk.calendars.tentative;
    let read = tokio::task::spawn_blocking(move || {
        let reading = Reading {
            window: calendars::window(now),
            zone: &zone,
            owner: &owner,
            own_domain: &domain,
            counts_tentative,
        };
        reading.busy(&files)
    });
    match read.await {
        Ok(read) => read.map_err(|fault| (fault.word(), fault.detail().to_owned())),
        Err(_) => Err(("too_many", String::new())),
    }
}

fn of_trouble(trouble: Trouble) -> Fault {
    match trouble {
        Trouble::Forbidden => ("private", String::new()),
        // A name that leads to a private address is refused while it is looked up.
        Trouble::Unreachable(why) if why.contains("private address") => ("private", String::new()),
        Trouble::Unreachable(_) => ("unreachable", String::new()),
        Trouble::TooLarge => ("too_large", String::new()),
    }
}

fn of_status(status: u16) -> Fault {
    match status {
        401 | 403 => ("login", status.to_string()),
        404 | 410 => ("missing", status.to_string()),
        300..=399 => ("moved", status.to_string()),
        _ => ("refused", status.to_string()),
    }
}

/// How a calendar is reached.
struct Door {
    url: Url,
    login: Option<(String, Secret)>,
}

impl Door {
    fn of(desk: &Desk, calendar: &Calendar) -> Result<Self, Fault> {
        let sealed = || ("sealed", String::new());
        let url = calendar.url(&desk.keys).ok_or_else(sealed)?;
        let url = Url::parse(url.expose()).map_err(|_| sealed())?;
        let login = calendar.login.clone();
        let login = login.map(|login| (login, calendar.password(&desk.keys).unwrap_or_default()));
        Ok(Self { url, login })
    }

    fn call<'a>(&'a self, method: &'static str, url: &'a Url, most_bytes: usize) -> Call<'a> {
        let login = self.login.as_ref().map(|(login, password)| (login.as_str(), password));
        Call { method, url, login, headers: Vec::new(), body: None, most_bytes }
    }
}

// ---- writing --------------------------------------------------------------------------------------

/// Makes every calendar of those who hold the call say what the call is now; goes on until it did not change meanwhile.
pub(in crate::notify) async fn write(desk: &Desk, id: BookingId, now: Timestamp) -> Result<Sent, Error> {
    for _ in 0..TRIES {
        let Some(booking) = call(desk, id).await? else {
            return Ok(Sent::Superseded(Why::CALL_GONE));
        };
        settle(desk, &booking, now).await?;
        let is_same = |after: Booking| {
            (after.state, after.sequence, after.contact) == (booking.state, booking.sequence, booking.contact)
        };
        if call(desk, id).await?.is_some_and(is_same) {
            return Ok(Sent::Out);
        }
    }
    Err(Error::Deferred("the call changes while it is written".to_owned()))
}

async fn call(desk: &Desk, id: BookingId) -> Result<Option<Booking>, Error> {
    match bookings::find(&mut desk.stores.db.read(), id).await {
        Ok(booking) => Ok(Some(booking)),
        Err(bookings::Error::Unknown) => Ok(None),
        Err(bookings::Error::Store(error)) => Err(Error::Storage(error)),
        Err(error) => Err(Error::Unwritable(error.to_string())),
    }
}

async fn settle(desk: &Desk, booking: &Booking, now: Timestamp) -> Result<(), Error> {
    let mut q = desk.stores.db.read();
    let stands = calendars::written(&mut q, booking.id).await?;
    let mut of_rep = calendars::writable(&mut q, &booking.rep).await?;
    if let Some(companion) = &booking.companion {
        of_rep.extend(calendars::writable(&mut q, companion).await?);
    }
    // Of somebody who was erased nothing stays in the calendars of others.
    let is_wanted = booking.state == State::Confirmed && booking.contact.is_some();
    let wanted: &[CalendarId] = if is_wanted { &of_rep } else { &[] };
    let mut gone: Vec<CalendarId> = stands.iter().map(|written| written.calendar).collect();
    // What was sent and never answered may stand there without our knowing.
    gone.extend(&of_rep);
    gone.sort_unstable();
    gone.dedup();
    for calendar in gone.into_iter().filter(|calendar| !wanted.contains(calendar)) {
        take_out(desk, booking, calendar).await?;
    }
    for calendar in wanted {
        let known = stands.iter().find(|written| written.calendar == *calendar);
        if known.is_none_or(|written| written.sequence != booking.sequence) {
            let etag = known.and_then(|written| written.etag.clone());
            put(desk, booking, *calendar, etag, now).await?;
        }
    }
    Ok(())
}

async fn take_out(desk: &Desk, booking: &Booking, id: CalendarId) -> Result<(), Error> {
    let Some((door, resource)) = resource(desk, booking, id).await? else { return Ok(()) };
    let answer = desk.outbound.call(&door.call("DELETE", &resource, MOST_ANSWER)).await.map_err(error_of)?;
    if !matches!(answer.status, 200..=299 | 404 | 410) {
        return Err(refusal(answer.status));
    }
    let mut tx = desk.stores.db.begin().await?;
    calendars::note_taken_out(&mut tx, booking.id, id).await?;
    tx.commit().await?;
    Ok(())
}

/// Writes the call, over nothing or over the version that we know (RFC 9110, 13.1). If there is another one, the rep has
/// changed it in her calendar, or an answer was lost; the call's own time holds, so it is written over that.
async fn put(
    desk: &Desk,
    booking: &Booking,
    id: CalendarId,
    mut etag: Option<String>,
    now: Timestamp,
) -> Result<(), Error> {
    let Some((door, resource)) = resource(desk, booking, id).await? else { return Ok(()) };
    let calendar = calendars::find(&mut desk.stores.db.read(), id).await?;
    let Some(rep) = calendar.and_then(|calendar| desk.team.rep(&calendar.rep)) else { return Ok(()) };
    let entry = calendars::entry(&mut desk.stores.db.read(), booking.clone(), |path| desk.link(path)).await;
    let entry = entry.map_err(|error| Error::Unwritable(error.to_string()))?;
    let language = rep.languages.first().copied().unwrap_or_default();
    let text = Feed { team: &desk.team, rep, organizer: &desk.from, language }.resource(&entry);
    for _ in 0..TRIES {
        let condition = match &etag {
            Some(etag) => ("if-match", etag.clone()),
            None => ("if-none-match", "*".to_owned()),
        };
        let call = Call {
            headers: vec![("content-type", "text/calendar; charset=utf-8".to_owned()), condition],
            body: Some(text.clone()),
            ..door.call("PUT", &resource, MOST_ANSWER)
        };
        let answer = desk.outbound.call(&call).await.map_err(error_of)?;
        match answer.status {
            200..=299 => {
                let written = Written { calendar: id, etag: answer.etag, sequence: booking.sequence };
                let mut tx = desk.stores.db.begin().await?;
                calendars::note_written(&mut tx, booking.id, &written, now).await?;
                tx.commit().await?;
                return Ok(());
            }
            412 => {
                let known =
                    desk.outbound.call(&door.call("GET", &resource, MOST_ANSWER)).await.map_err(error_of)?;
                etag = match known.status {
                    200 => known.etag,
                    404 | 410 => None,
                    status => return Err(refusal(status)),
                };
            }
            status => return Err(refusal(status)),
        }
    }
    Err(Error::Deferred("the calendar changes while it is written".to_owned()))
}

/// The address of a call in a calendar; none if the calendar was let go.
async fn resource(desk: &Desk, booking: &Booking, id: CalendarId) -> Result<Option<(Door, Url)>, Error> {
    let Some(calendar) = calendars::find(&mut desk.stores.db.read(), id).await? else { return Ok(None) };
    let door = Door::of(desk, &calendar).map_err(|_| {
        Error::Refused("the calendar was sealed with another key; connect it again".to_owned())
    })?;
    let resource = door.url.join(&format!("{}.ics", booking.id));
    let resource =
        resource.map_err(|_| Error::Refused("the calendar's address cannot be used".to_owned()))?;
    Ok(Some((door, resource)))
}

fn error_of(trouble: Trouble) -> Error {
    match trouble {
        Trouble::Forbidden => {
            Error::Refused("the address is private; outbound.allow can permit it".to_owned())
        }
        Trouble::Unreachable(why) => Error::Unreachable(why),
        Trouble::TooLarge => Error::Deferred("the answer was too large".to_owned()),
    }
}

fn refusal(status: u16) -> Error {
    match status {
        // A password can be put right within the two days in which it is tried.
        401 | 403 | 408 | 423 | 429 | 500..=599 => Error::Deferred(format!("the calendar answered {status}")),
        _ => Error::Refused(format!("the calendar answered {status}")),
    }
}
