//! A call for the calendar of whoever looks at its page: a file, and the addresses at which web calendars take one over.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use serde_json::{Value as Json, json};
use url::form_urlencoded::Serializer;

use super::manage::opened;
use super::with_whom;
use crate::base::language::Language;
use crate::bookings::invite::Entry;
use crate::bookings::{self, Booking, Link, State, former};
use crate::http::Shared;
use crate::http::error::Problem;

const GOOGLE: &str = "https://calendar.google.com/calendar/render";
const OUTLOOK: &str = "https://outlook.live.com/calendar/0/deeplink/compose";

/// What an entry says, owned.
struct Words {
    title: String,
    with: String,
    view: String,
}

impl Words {
    async fn of(app: &Shared, booking: &Booking, language: Language) -> bookings::Result<Self> {
        let meeting = former::meeting(&mut app.stores.db.read(), &app.team, booking).await?;
        Ok(Self {
            title: meeting.title.get(language).to_owned(),
            with: with_whom(app, booking, language).await?.unwrap_or_default(),
            view: app.link(&Link::View.path(&app.keys, booking, booking.updated_at)),
        })
    }

    fn entry<'a>(&'a self, app: &'a Shared, booking: &'a Booking) -> Entry<'a> {
        Entry { booking, title: &self.title, with: &self.with, view: &self.view, organizer: &app.desk.from }
    }
}

/// `GET /b/{token}/call.ics`.
pub async fn file(app: Shared, token: web::Path<String>) -> Result<HttpResponse, Problem> {
    let booking = opened(&app, &token).await?.booking;
    if booking.state != State::Confirmed {
        return Err(bookings::Error::AlreadyCancelled.into());
    }
    let words = Words::of(&app, &booking, booking.language).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "private, no-store"))
        .insert_header(("x-robots-tag", "noindex, nofollow"))
        .insert_header(("content-disposition", "attachment; filename=\"call.ics\""))
        .content_type("text/calendar; charset=utf-8")
        .body(words.entry(&app, &booking).ics(app.clock.now())))
}

/// The calendars that a call can be added to; the one without a name is the file.
///
/// # Errors
/// [`bookings::Error::Store`].
pub async fn calendars(
    app: &Shared,
    booking: &Booking,
    path: &str,
    language: Language,
) -> bookings::Result<Vec<Json>> {
    let words = Words::of(app, booking, language).await?;
    let entry = words.entry(app, booking);
    let (summary, (from, to)) = (entry.summary(), entry.span());
    let location = booking.location.as_deref().unwrap_or_default();
    let google = Serializer::new(String::new())
        .append_pair("action", "TEMPLATE")
        .append_pair("text", &summary)
        .append_pair("dates", &format!("{from}/{to}"))
        .append_pair("details", &words.view)
        .append_pair("location", location)
        .finish();
    let outlook = Serializer::new(String::new())
        .append_pair("rru", "addevent")
        .append_pair("subject", &summary)
        .append_pair("startdt", &booking.starts_at.to_string())
        .append_pair("enddt", &booking.ends_at.to_string())
        .append_pair("body", &words.view)
        .append_pair("location", location)
        .finish();
    Ok(vec![
        json!({ "name": "Google", "href": format!("{GOOGLE}?{google}") }),
        json!({ "name": "Outlook", "href": format!("{OUTLOOK}?{outlook}") }),
        json!({ "name": null, "href": format!("{path}/call.ics") }),
    ])
}
