//! `/earlier/{token}`: an earlier time that is kept for whoever waits for one. She sees it, and by POST takes it, keeps the
//! time that she has, or leaves the list; looking changes nothing, for mail programs look, too.

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::api::limit;
use super::book::Refused;
use super::page::{failed, refusal, status_of};
use super::{desk, with_whom};
use crate::base::ids::EarlierId;
use crate::base::language::Language;
use crate::base::signing::{Purpose, TokenError};
use crate::base::time::Timestamp;
use crate::bookings::earlier::{self, Answer, Offer};
use crate::bookings::{self, Booking, Link, State, former};
use crate::http::Shared;
use crate::http::error::Problem;
use crate::http::pages::Frame;
use crate::http::request::{Proxies, is_cross_site, language};
use crate::storage::db::Tx;

/// What has just happened.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    left: Option<String>,
}

/// What the forms send.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Form {
    lang: String,
}

/// What she can do, one button each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Take,
    Decline,
    Leave,
}

impl Deed {
    fn of_word(word: &str) -> Option<Self> {
        match word {
            "take" => Some(Self::Take),
            "decline" => Some(Self::Decline),
            "leave" => Some(Self::Leave),
            _ => None,
        }
    }

    /// Does it; says where that can be seen.
    async fn act(
        self,
        app: &Shared,
        tx: &mut Tx,
        (offer, token): (&Offer, &str),
        now: Timestamp,
    ) -> bookings::Result<String> {
        match self {
            Self::Take => {
                let moved = earlier::take(tx, desk(app), offer.id, now).await?;
                Ok(format!("{}?moved=1", Link::View.path(&app.keys, &moved, now)))
            }
            Self::Decline => {
                earlier::decline(tx, offer.id, now).await?;
                Ok(format!("/earlier/{token}"))
            }
            Self::Leave => {
                earlier::end(tx, offer.booking, now).await?;
                Ok(format!("/earlier/{token}?left=1"))
            }
        }
    }
}

/// An offer and the call that it is for.
struct Seen {
    offer: Offer,
    booking: Booking,
}

/// Shows the offer. Changes nothing, however often it is asked for.
pub async fn show(
    app: Shared,
    request: HttpRequest,
    token: web::Path<String>,
    asked: web::Query<Asked>,
) -> HttpResponse {
    match opened(&app, &token).await {
        Ok(seen) => {
            let language = language(&request).unwrap_or(seen.booking.language);
            let news = asked.left.as_ref().map(|_| "sooner.left");
            rendered(&app, &seen, &token, language, StatusCode::OK, (news, None)).await
        }
        Err(problem) => broken(&app, &problem, language(&request).unwrap_or_default()),
    }
}

/// `POST /earlier/{token}/{deed}`.
pub async fn answer(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    form: web::Form<Form>,
) -> HttpResponse {
    let (token, deed) = path.into_inner();
    let asked = Language::of_tag(&form.lang).or_else(|| language(&request));
    let Some(deed) = Deed::of_word(&deed) else {
        return broken(&app, &crate::http::not_found(), asked.unwrap_or_default());
    };
    let seen = match opened(&app, &token).await {
        Ok(seen) => seen,
        Err(problem) => return broken(&app, &problem, asked.unwrap_or_default()),
    };
    let (language, now) = (asked.unwrap_or(seen.booking.language), app.clock.now());
    if is_cross_site(&request) {
        let why = (None, Some("errors.foreign"));
        return rendered(&app, &seen, &token, language, StatusCode::FORBIDDEN, why).await;
    }
    if let Err(problem) = limit(&app, &proxies, &request, now).await {
        let why = (None, Some("errors.too_often"));
        return rendered(&app, &seen, &token, language, status_of(&problem), why).await;
    }
    match done(&app, deed, (&seen.offer, &token), now).await {
        Ok(address) => HttpResponse::SeeOther().insert_header((LOCATION, address)).finish(),
        Err(error) => {
            let refused = Refused::Booking(error);
            let why = match &refused {
                Refused::Booking(bookings::Error::Changed) if deed == Deed::Decline => "sooner.taken",
                Refused::Booking(bookings::Error::HoldExpired | bookings::Error::SlotTaken { .. }) => {
                    "sooner.gone"
                }
                other => refusal(other),
            };
            let status = status_of(&Problem::from(refused));
            let seen = opened(&app, &token).await.unwrap_or(seen);
            rendered(&app, &seen, &token, language, status, (None, Some(why))).await
        }
    }
}

async fn done(app: &Shared, deed: Deed, offer: (&Offer, &str), now: Timestamp) -> bookings::Result<String> {
    let mut tx = app.stores.db.begin().await?;
    let address = deed.act(app, &mut tx, offer, now).await?;
    tx.commit().await?;
    Ok(address)
}

async fn opened(app: &Shared, token: &str) -> Result<Seen, Problem> {
    let claims = app.keys.verify(Purpose::Earlier, token, app.clock.now())?;
    let id = EarlierId::parse(&claims.subject).map_err(|_| TokenError::Forged)?;
    let reads = &mut app.stores.db.read();
    let offer = earlier::find(reads, id).await?;
    let booking = bookings::find(reads, offer.booking).await?;
    Ok(Seen { offer, booking })
}

fn broken(app: &Shared, problem: &Problem, language: Language) -> HttpResponse {
    match status_of(problem) {
        status if status.is_server_error() => failed(app, problem, language),
        _ => Frame::named(app, None, language, "UTC").problem(problem),
    }
}

async fn rendered(
    app: &Shared,
    seen: &Seen,
    token: &str,
    language: Language,
    status: StatusCode,
    (news, error): (Option<&str>, Option<&str>),
) -> HttpResponse {
    let (Seen { offer, booking }, now) = (seen, app.clock.now());
    let waits = earlier::waiting(&mut app.stores.db.read(), booking.id).await;
    let is_waiting = match waits {
        Ok(waiting) => waiting.is_some(),
        Err(error) => return failed(app, &error.into(), language),
    };
    let is_ahead = booking.state == State::Confirmed && booking.starts_at > now;
    let is_open = is_ahead && offer.is_open(now) && offer.starts_at < booking.starts_at;
    let standing = match offer.answer {
        _ if !is_ahead => Some("sooner.past"),
        Some(Answer::Taken) => Some("sooner.taken"),
        _ if is_open => None,
        Some(Answer::Declined) => Some("sooner.declined"),
        None => Some("sooner.gone"),
    };
    let news = news.or(standing);
    let text = |key: &str| app.templates.texts().get(language, &format!("booking.{key}"), &[]);
    let told = async {
        let meeting = former::meeting(&mut app.stores.db.read(), &app.team, booking).await?;
        Ok::<_, bookings::Error>((meeting, with_whom(app, booking, language).await?))
    };
    let (meeting, with) = match told.await {
        Ok(told) => told,
        Err(error) => return failed(app, &error.into(), language),
    };
    let fields = json!({
        "path": format!("/earlier/{token}"),
        "view": Link::View.path(&app.keys, booking, now),
        "is_open": is_open,
        "is_ahead": is_ahead,
        "is_waiting": is_waiting && is_ahead,
        "meeting": {
            "title": meeting.title.get(language),
        },
        "offer": { "starts_at": offer.starts_at, "expires_at": offer.expires_at },
        "booking": {
            "starts_at": booking.starts_at,
            "duration_ms": booking.ends_at.since_ms(booking.starts_at),
            "with": with,
        },
        // What it is comes first, what went wrong with it second.
        "news": news.filter(|_| error.is_none()).and_then(text),
        "error": error.and_then(text),
    });
    Frame::named(app, None, language, &booking.time_zone).page(status, "pages/earlier", fields)
}
