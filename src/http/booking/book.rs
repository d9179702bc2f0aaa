//! Books a call for somebody who typed a name and an address: one transaction from the person to the stored answer.

use serde_json::json;

use super::{desk, with_whom};
use crate::base::email::Email;
use crate::base::ids::{BookingId, VisitorId};
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::bookings::earlier::{self, Hours};
use crate::bookings::page_counts;
use crate::bookings::questions::{Answers, PHONE};
use crate::bookings::{self, Booking, Holder, Link, Pick, Said};
use crate::contacts::{self, Consent, Identification, Trust};
use crate::http::Shared;
use crate::http::error::Problem;
use crate::storage::idempotency::{self, Recalled, Request};

/// What was asked for, parsed.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub site: String,
    pub meeting: String,
    pub starts_at: Timestamp,
    /// The time that is kept for this visitor already.
    pub hold: Option<BookingId>,
    pub duration_ms: Option<i64>,
    pub answers: Answers,
    pub time_zone: String,
    pub language: Language,
    pub name: String,
    pub email: Email,
    pub notes: String,
    pub visitor: Option<VisitorId>,
    pub consent: Consent,
    /// Whether she wants to be told when an earlier time is free.
    pub earlier: bool,
    /// Whether she books on the meeting's own page.
    pub is_of_page: bool,
}

/// Why it was not booked.
#[derive(Debug)]
pub enum Refused {
    /// The booking's own reasons.
    Booking(bookings::Error),
    /// Any other.
    Problem(Problem),
}

impl From<bookings::Error> for Refused {
    fn from(error: bookings::Error) -> Self {
        Self::Booking(error)
    }
}

impl From<crate::storage::Error> for Refused {
    fn from(error: crate::storage::Error) -> Self {
        Self::Booking(error.into())
    }
}

impl From<contacts::Error> for Refused {
    fn from(error: contacts::Error) -> Self {
        Self::Booking(error.into())
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Booking(error) => error.into(),
            Refused::Problem(problem) => problem,
        }
    }
}

/// An answer of the door, new or given before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// Books it, or answers as it was answered before. Whoever came too late hears of other times, which are looked for when no
/// transaction is open that keeps others waiting.
pub async fn book(
    app: &Shared,
    wanted: &Wanted,
    request: Option<&Request>,
    now: Timestamp,
) -> Result<Answer, Refused> {
    match booked(app, wanted, request, now).await {
        Err(Refused::Booking(refused)) if refused.has_alternatives() => {
            let reads = &mut app.stores.db.read();
            let mut pick = picked(wanted);
            // Days on which she has enough calls are no help to her.
            pick.contact = contacts::find_by_email(reads, &wanted.email).await?.map(|contact| contact.id);
            if let Some(hold) = wanted.hold {
                pick.starts_at = bookings::find(reads, hold).await?.starts_at;
            }
            Err(bookings::nearest(reads, desk(app), &pick, refused, now).await.into())
        }
        answer => answer,
    }
}

fn picked(wanted: &Wanted) -> Pick<'_> {
    Pick {
        meeting: &wanted.meeting,
        starts_at: wanted.starts_at,
        duration_ms: wanted.duration_ms,
        time_zone: &wanted.time_zone,
        language: wanted.language,
        holder: Holder { visitor: wanted.visitor, conversation: None },
        contact: None,
    }
}

async fn booked(
    app: &Shared,
    wanted: &Wanted,
    request: Option<&Request>,
    now: Timestamp,
) -> Result<Answer, Refused> {
    let db = &app.stores.db;
    if let Some(answer) = before(app, request, now).await? {
        return Ok(answer);
    }
    let pick = picked(wanted);
    // Whoever comes too late is told so without waiting for those who write; unless it was this very request that
    // took the slot, sent twice, a moment ago.
    if wanted.hold.is_none()
        && let Err(refused) = bookings::look(&mut db.read(), desk(app), &pick, now).await
    {
        return before(app, request, now).await?.ok_or(refused.into());
    }
    let mut tx = db.begin().await?;
    if let Some(request) = request {
        idempotency::lock(&mut tx, request).await?;
        if let Some(answer) = answered(idempotency::recall(&mut tx, request, now).await?)? {
            return Ok(answer);
        }
    }
    let who = Identification {
        email: &wanted.email,
        visitor: wanted.visitor.filter(|_| wanted.consent != Consent::None),
        site: &wanted.site,
        trust: Trust::Claimed,
        consent: wanted.consent,
        language: wanted.language,
        time_zone: Some(&wanted.time_zone),
    };
    let identified = contacts::identify(&mut tx, &who, now).await?;
    let contact = identified.contact.id;
    let name = contacts::name_of(&wanted.name);
    let (first, last) = name.split_once(' ').unwrap_or((&name, ""));
    let trust = contacts::trust_in(&mut tx, Some(identified.visitor), contact).await?;
    for (field, value) in [("first_name", first), ("last_name", last.trim())] {
        contacts::set_field(&mut tx, contact, field, value, "booking", trust, now).await?;
    }
    if let Some(phone) = wanted.answers.get(PHONE) {
        contacts::set_field(&mut tx, contact, PHONE, phone, "booking", trust, now).await?;
    }
    let said = Said { notes: Some(wanted.notes.as_str()), answers: Some(&wanted.answers) };
    let booking = match wanted.hold {
        Some(hold) => bookings::confirm(&mut tx, desk(app), hold, &pick.holder, contact, &said, now).await?,
        None => bookings::book(&mut tx, desk(app), &pick, contact, &said, now).await?,
    };
    if wanted.is_of_page {
        page_counts::booked(&mut tx, &booking.meeting, now).await?;
    }
    if wanted.earlier {
        earlier::wait(&mut tx, booking.id, Hours::ANY, now).await?;
    }
    let answer = Answer { status: 201, body: body(app, &booking, identified.visitor, now).await? };
    if let Some(request) = request {
        idempotency::remember(&mut tx, request, answer.status, &answer.body, now).await?;
    }
    tx.commit().await?;
    Ok(answer)
}

/// The answer that the same request got before.
async fn before(app: &Shared, request: Option<&Request>, now: Timestamp) -> Result<Option<Answer>, Refused> {
    let Some(request) = request else { return Ok(None) };
    answered(idempotency::recall(&mut app.stores.db.read(), request, now).await?)
}

pub fn answered(recalled: Recalled) -> Result<Option<Answer>, Refused> {
    match recalled {
        Recalled::Nothing => Ok(None),
        Recalled::Answer { status, body } => Ok(Some(Answer { status, body })),
        Recalled::OtherRequest => Err(Refused::Problem(Problem::new(
            "booking.idempotency_key_reused",
            "Draw a new Idempotency-Key for every new request.",
        ))),
    }
}

async fn body(
    app: &Shared,
    booking: &Booking,
    visitor: VisitorId,
    now: Timestamp,
) -> bookings::Result<String> {
    let rep = with_whom(app, booking, booking.language).await?;
    let body = json!({
        "booking": booking.id, "sequence": booking.sequence, "starts_at": booking.starts_at, "ends_at": booking.ends_at,
        "zone": booking.time_zone, "with": rep, "location": booking.location, "visitor": visitor,
        "manage": Link::Manage.path(&app.keys, booking, now),
        "links": {
            "view": Link::View.path(&app.keys, booking, now),
            "move": Link::Move.path(&app.keys, booking, now),
            "cancel": Link::Cancel.path(&app.keys, booking, now),
        },
    });
    Ok(body.to_string())
}
