//! The doors of booking: free slots and bookings for programs and the snippet, and two pages for people.
//!
//! | door | what |
//! |---|---|
//! | `GET /v1/slots` | the free times of a meeting |
//! | `POST /v1/bookings` | book one; `Idempotency-Key` makes repeating safe |
//! | `POST /v1/holds` | keep a time for five minutes; `POST …/{hold}/release` lets it go |
//! | `POST /v1/bookings/{token}/move`, `…/cancel` | change one, by the token of its link |
//! | `GET /book/{meeting}` | the page on which anybody books; its form posts to itself, and to `…/wait` when nothing is free |
//! | `GET /cal/{token}.ics` | the feed of a rep's calls |
//! | `GET /b/{token}` | the page of one booking, `…/call.ics` its calendar entry; `POST …/reschedule` and `POST …/cancel` change it, `POST …/wait` and `…/leave` the waiting list |
//! | `GET /earlier/{token}` | an earlier time that is kept; `POST …/take`, `…/decline` and `…/leave` answer |

mod api;
mod book;
mod change;
mod earlier;
mod entry;
mod feed;
mod manage;
mod opening;
mod page;
mod picker;

use actix_web::http::Method;
use actix_web::web;

use super::pages::reading;
use super::{Shared, cors};
use crate::base::language::Language;
use crate::bookings::{self, Booking, Desk, former};

/// Mounts the doors.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors
        .service(
            web::resource("/v1/slots")
                .route(web::get().to(api::slots))
                .route(web::method(Method::OPTIONS).to(cors::preflight)),
        )
        .service(
            web::resource("/v1/bookings")
                .route(web::post().to(api::book))
                .route(web::method(Method::OPTIONS).to(cors::preflight)),
        )
        .service(
            web::resource("/v1/bookings/{token}/move")
                .route(web::post().to(change::reschedule))
                .route(web::method(Method::OPTIONS).to(cors::preflight)),
        )
        .service(
            web::resource("/v1/bookings/{token}/cancel")
                .route(web::post().to(change::cancel))
                .route(web::method(Method::OPTIONS).to(cors::preflight)),
        )
        .service(
            web::resource("/v1/holds")
                .route(web::post().to(change::hold))
                .route(web::method(Method::OPTIONS).to(cors::preflight)),
        )
        .service(
            web::resource("/v1/holds/{hold}/release")
                .route(web::post().to(change::release))
                .route(web::method(Method::OPTIONS).to(cors::preflight)),
        )
        .service(
            web::resource("/book/{meeting}")
                .route(reading().to(page::show))
                .route(web::post().to(page::submit)),
        )
        .service(web::resource("/book/{meeting}/wait").route(web::post().to(opening::ask)))
        .service(web::resource("/cal/{file}").route(reading().to(feed::show)))
        .service(web::resource("/b/{token}").route(reading().to(manage::show)))
        .service(web::resource("/b/{token}/call.ics").route(reading().to(entry::file)))
        .service(web::resource("/b/{token}/reschedule").route(web::post().to(manage::reschedule)))
        .service(web::resource("/b/{token}/cancel").route(web::post().to(manage::cancel)))
        .service(web::resource("/b/{token}/wait").route(web::post().to(manage::wait)))
        .service(web::resource("/b/{token}/leave").route(web::post().to(manage::leave)))
        .service(web::resource("/earlier/{token}").route(reading().to(earlier::show)))
        .service(web::resource("/earlier/{token}/{deed}").route(web::post().to(earlier::answer)));
}

/// With whom a call is: one name or two, also of whoever left the team; none if nobody knows any more.
async fn with_whom(app: &Shared, booking: &Booking, language: Language) -> bookings::Result<Option<String>> {
    let reads = &mut app.stores.db.read();
    let Some(first) = former::rep(reads, &app.team, &booking.rep).await? else { return Ok(None) };
    let other = match &booking.companion {
        Some(companion) => former::rep(reads, &app.team, companion).await?,
        None => None,
    };
    let Some(other) = other else { return Ok(Some(first.name)) };
    let values = [("one", first.name.clone()), ("other", other.name)];
    Ok(app.templates.texts().get(language, "booking.two", &values).or(Some(first.name)))
}

fn desk(app: &Shared) -> Desk<'_> {
    Desk { team: &app.team, lifecycle: &app.lifecycle }
}
