//! Every mail: to whom, in which language and zone, about what. The words stand beside in `NAME.yaml`.

mod booking;
mod gate;
mod webinar;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::compose::{Written, compose};
use super::{Desk, Error};
use crate::base::email::Email;
use crate::base::ids::{BookingId, ContactId, VisitorId};
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::contacts::{self, Contact};

/// Used where a reader's zone is not known.
const ZONE: &str = "UTC";

/// A mail and what it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mail", rename_all = "snake_case")]
pub enum Mail {
    /// The file somebody asked for.
    AssetLink { contact: ContactId, asset: String, visitor: Option<VisitorId> },
    /// Come to a webinar.
    WebinarInvitation { contact: ContactId, webinar: String },
    /// You are registered.
    WebinarRegistered { contact: ContactId, webinar: String },
    /// It is near.
    WebinarReminder { contact: ContactId, webinar: String, sequence: i64 },
    /// It takes place at another time.
    WebinarMoved { contact: ContactId, webinar: String, sequence: i64 },
    /// You will not come, or it was called off.
    WebinarCancelled { contact: ContactId, webinar: String, by_us: bool },
    /// You were not there; here is the recording.
    WebinarMissed { contact: ContactId, webinar: String },
    /// The call is booked.
    BookingConfirmed { booking: BookingId, sequence: i64 },
    /// The call was moved.
    BookingRescheduled { booking: BookingId, sequence: i64, was_at: Timestamp },
    /// The call is off.
    BookingCancelled { booking: BookingId, sequence: i64 },
    /// The call is near.
    BookingReminder { booking: BookingId, sequence: i64 },
    /// To the rep: a call is booked or moved.
    RepBooked { booking: BookingId, sequence: i64 },
    /// To the rep: the call is off.
    RepCancelled { booking: BookingId, sequence: i64 },
}

impl Mail {
    /// The name of its words, and of its line in the outbox.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AssetLink { .. } => "asset_link",
            Self::WebinarInvitation { .. } => "webinar_invitation",
            Self::WebinarRegistered { .. } => "webinar_registered",
            Self::WebinarReminder { .. } => "webinar_reminder",
            Self::WebinarMoved { .. } => "webinar_moved",
            Self::WebinarCancelled { .. } => "webinar_cancelled",
            Self::WebinarMissed { .. } => "webinar_missed",
            Self::BookingConfirmed { .. } => "booking_confirmed",
            Self::BookingRescheduled { .. } => "booking_rescheduled",
            Self::BookingCancelled { .. } => "booking_cancelled",
            Self::BookingReminder { .. } => "booking_reminder",
            Self::RepBooked { .. } => "rep_booked",
            Self::RepCancelled { .. } => "rep_cancelled",
        }
    }
}

/// A mail that only has to be put on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ready {
    pub template: &'static str,
    pub to: Email,
    pub to_name: String,
    pub from_name: String,
    pub contact: Option<ContactId>,
    pub written: Written,
    /// The iTIP method and the calendar text.
    pub calendar: Option<(&'static str, String)>,
    /// Where one click stops mails of this kind (RFC 8058), if nobody asked for them.
    pub unsubscribe: Option<String>,
}

/// Works out what the mail says now; nothing if it is not wanted any more.
pub(super) async fn write(desk: &Desk, mail: &Mail, now: Timestamp) -> Result<Option<Ready>, Error> {
    match mail {
        Mail::AssetLink { contact, asset, visitor } => {
            gate::asset_link(desk, mail, *contact, asset, *visitor, now).await
        }
        Mail::WebinarInvitation { contact, webinar } => {
            webinar::invitation(desk, mail, *contact, webinar, now).await
        }
        Mail::WebinarRegistered { contact, webinar } => {
            webinar::registered(desk, mail, *contact, webinar, now).await
        }
        Mail::WebinarReminder { contact, webinar, sequence } => {
            webinar::reminder(desk, mail, *contact, webinar, *sequence, now).await
        }
        Mail::WebinarMoved { contact, webinar, sequence } => {
            webinar::moved(desk, mail, *contact, webinar, *sequence, now).await
        }
        Mail::WebinarCancelled { contact, webinar, by_us } => {
            webinar::cancelled(desk, mail, *contact, webinar, *by_us, now).await
        }
        Mail::WebinarMissed { contact, webinar } => webinar::missed(desk, mail, *contact, webinar, now).await,
        Mail::BookingConfirmed { booking, sequence }
        | Mail::BookingRescheduled { booking, sequence, was_at: _ }
        | Mail::BookingCancelled { booking, sequence }
        | Mail::BookingReminder { booking, sequence } => {
            booking::to_visitor(desk, mail, *booking, *sequence, now).await
        }
        Mail::RepBooked { booking, sequence } | Mail::RepCancelled { booking, sequence } => {
            booking::to_rep(desk, mail, *booking, *sequence, now).await
        }
    }
}

/// The reader of a mail to a contact.
struct Reader {
    contact: Contact,
    site: Json,
    company: String,
}

impl Reader {
    async fn of(desk: &Desk, contact: ContactId) -> Result<Option<Self>, Error> {
        let mut q = desk.stores.db.read();
        let Some(contact) = contacts::find(&mut q, contact).await? else { return Ok(None) };
        let visitor = contacts::latest_visitor(&mut q, contact.id).await?;
        let site = visitor.and_then(|visitor| desk.sites.find(&visitor.site).ok().cloned());
        let company = site.as_ref().map_or_else(|| desk.company.clone(), |site| site.name.clone());
        let home = site.as_ref().map_or_else(|| desk.public_url.clone(), |site| site.home().to_owned());
        Ok(Some(Self { contact, site: site_context(&company, &home), company }))
    }

    fn zone(&self) -> &str {
        self.contact.time_zone.as_deref().unwrap_or(ZONE)
    }

    fn language(&self) -> Language {
        self.contact.language
    }
}

fn site_context(name: &str, home: &str) -> Json {
    json!({ "name": name, "home": home, "accent": "#0f6b5c", "on_accent": "#ffffff" })
}

/// Joins what every mail has with what this one tells, and writes it.
fn ready(
    desk: &Desk,
    mail: &Mail,
    reader: &Reader,
    now: Timestamp,
    tells: Json,
    calendar: Option<(&'static str, String)>,
) -> Result<Option<Ready>, Error> {
    let unsubscribe = tells.get("unsubscribe").and_then(Json::as_str).map(str::to_owned);
    let context = context(reader.zone(), &reader.site, now, tells);
    Ok(Some(Ready {
        unsubscribe,
        template: mail.name(),
        to: reader.contact.email.clone(),
        to_name: String::new(),
        from_name: reader.company.clone(),
        contact: Some(reader.contact.id),
        written: compose(&desk.templates, mail.name(), reader.language(), &context)?,
        calendar,
    }))
}

fn context(zone: &str, site: &Json, now: Timestamp, tells: Json) -> Json {
    let mut context = json!({ "zone": zone, "now": now, "site": site, "unsubscribe": null });
    if let (Json::Object(all), Json::Object(tells)) = (&mut context, tells) {
        all.extend(tells);
    }
    context
}
