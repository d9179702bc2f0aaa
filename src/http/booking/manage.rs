//! `/b/{token}`: one booking, seen by whoever has a link to it; moved and cancelled by POST only, with a link that is meant
//! for that. It tells when and with whom, and nothing of the person who booked: a link may be forwarded.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::api::limit;
use super::book::Refused;
use super::page::{failed, nearest, refusal, status_of};
use super::picker::{Looking, asked_zone, picker};
use super::{desk, entry, with_whom};
use crate::base::language::Language;
use crate::base::time::{Timestamp, zone};
use crate::bookings::earlier::{self, Hours};
use crate::bookings::{self, Booking, Link, State, former};
use crate::http::Shared;
use crate::http::error::Problem;
use crate::http::pages::Frame;
use crate::http::request::{Proxies, is_cross_site, language};

/// What the address may ask for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    zone: Option<String>,
    page: Option<usize>,
    /// What has just happened: `new`, `moved` or `cancelled`.
    new: Option<String>,
    moved: Option<String>,
    /// The waiting list: `1` joined, `0` left, `never` for no time at all.
    waits: Option<String>,
}

/// What the forms send.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Form {
    starts_at: String,
    reason: String,
    shown_zone: String,
    lang: String,
    /// The hours of the waiting list, in minutes after midnight.
    from: String,
    to: String,
    /// Its days, as `day-` and their numbers.
    #[serde(flatten)]
    rest: BTreeMap<String, String>,
}

impl Form {
    fn hours(&self) -> Option<Hours> {
        let days: Vec<u8> =
            self.rest.keys().filter_map(|name| name.strip_prefix("day-")?.parse().ok()).collect();
        Hours::new(&days, self.from.parse().ok()?, self.to.parse().ok()?)
    }
}

/// How the page is looked at.
struct Look {
    token: String,
    /// What the link is good for.
    link: Link,
    /// Whether nobody has changed the call since it was made.
    is_current: bool,
    language: Language,
    zone: Option<String>,
    page: usize,
    picked: Option<Timestamp>,
    /// Whether the times to move to are unfolded.
    is_moving: bool,
    /// Whether the waiting list is unfolded.
    is_waiting: bool,
    /// What has just happened, good or bad, as the key of its text.
    news: Option<&'static str>,
    error: Option<&'static str>,
    /// The free times nearest to one that could not be had.
    alternatives: Vec<Timestamp>,
}

/// Shows the booking. Changes nothing, however often it is asked for.
pub async fn show(
    app: Shared,
    request: HttpRequest,
    token: web::Path<String>,
    asked: web::Query<Asked>,
) -> HttpResponse {
    let Opened { booking, link, is_current } = match opened(&app, &token).await {
        Ok(opened) => opened,
        Err(problem) => return broken(&app, &problem, language(&request).unwrap_or_default()),
    };
    let is_never = asked.waits.as_deref() == Some("never");
    let news = match (&asked.new, &asked.moved, asked.waits.as_deref()) {
        (Some(_), _, _) => Some("news.booked"),
        (None, Some(_), _) => Some("news.moved"),
        (None, None, Some("1")) => Some("wait.on"),
        (None, None, Some("0")) => Some("sooner.left"),
        (None, None, _) => None,
    };
    let look = Look {
        token: token.into_inner(),
        link,
        is_current,
        language: language_of(&request, &booking),
        zone: asked.zone.clone(),
        page: asked.page.unwrap_or(0),
        picked: None,
        is_moving: link == Link::Move || asked.page.is_some() || asked.zone.is_some(),
        is_waiting: asked.waits.is_some(),
        news,
        error: is_never.then_some("wait.nothing"),
        alternatives: Vec::new(),
    };
    rendered(&app, &booking, StatusCode::OK, &look).await
}

/// Moves the booking.
pub async fn reschedule(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    token: web::Path<String>,
    form: web::Form<Form>,
) -> HttpResponse {
    let starts_at = form.starts_at.parse().ok().map(Timestamp);
    let change = Change { proxies: &proxies, request: &request, token: &token, form: &form };
    changed(&app, &change, Link::moves, async |booking: &Booking, link, now| {
        let starts_at = starts_at.ok_or(bookings::Error::SlotUnknown)?;
        let moved = moved(&app, booking, starts_at, now).await?;
        // The old link would end with the old time.
        Ok(format!("{}?moved=1", link.path(&app.keys, &moved, now)))
    })
    .await
}

/// Cancels the booking.
pub async fn cancel(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    token: web::Path<String>,
    form: web::Form<Form>,
) -> HttpResponse {
    let change = Change { proxies: &proxies, request: &request, token: &token, form: &form };
    changed(&app, &change, Link::cancels, async |booking: &Booking, _, now| {
        let mut tx = app.stores.db.begin().await?;
        let reason = Some(form.reason.as_str());
        bookings::cancel(&mut tx, desk(&app), booking.id, reason, now).await?;
        tx.commit().await?;
        Ok(format!("/b/{}", change.token))
    })
    .await
}

/// Moves it; whoever came too late hears of other times when the transaction is over.
async fn moved(
    app: &Shared,
    booking: &Booking,
    starts_at: Timestamp,
    now: Timestamp,
) -> bookings::Result<Booking> {
    let mut tx = app.stores.db.begin().await?;
    match bookings::reschedule(&mut tx, desk(app), booking.id, starts_at, now).await {
        Ok(moved) => {
            tx.commit().await?;
            Ok(moved)
        }
        Err(refused) => {
            drop(tx);
            let reads = &mut app.stores.db.read();
            Err(bookings::nearest_to_move(reads, desk(app), booking.id, starts_at, refused, now).await)
        }
    }
}

/// Puts the booking on the waiting list for earlier times.
pub async fn wait(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    token: web::Path<String>,
    form: web::Form<Form>,
) -> HttpResponse {
    let hours = form.hours();
    let change = Change { proxies: &proxies, request: &request, token: &token, form: &form };
    changed(&app, &change, Link::moves, async |booking: &Booking, _, now| {
        let Some(hours) = hours else { return Ok(format!("/b/{}?waits=never", change.token)) };
        let mut tx = app.stores.db.begin().await?;
        earlier::wait(&mut tx, booking.id, hours, now).await?;
        tx.commit().await?;
        Ok(format!("/b/{}?waits=1", change.token))
    })
    .await
}

/// Takes the booking off the list.
pub async fn leave(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    token: web::Path<String>,
    form: web::Form<Form>,
) -> HttpResponse {
    let change = Change { proxies: &proxies, request: &request, token: &token, form: &form };
    changed(&app, &change, Link::moves, async |booking: &Booking, _, now| {
        let mut tx = app.stores.db.begin().await?;
        earlier::end(&mut tx, booking.id, now).await?;
        tx.commit().await?;
        Ok(format!("/b/{}?waits=0", change.token))
    })
    .await
}

/// A wish to change something.
struct Change<'a> {
    proxies: &'a Proxies,
    request: &'a HttpRequest,
    token: &'a str,
    form: &'a Form,
}

/// Runs a change and sends the reader to where it can be seen; if it is refused, shows the page with the reason.
async fn changed(
    app: &Shared,
    change: &Change<'_>,
    may: fn(Link) -> bool,
    act: impl AsyncFnOnce(&Booking, Link, Timestamp) -> bookings::Result<String>,
) -> HttpResponse {
    let asked_language = Language::of_tag(&change.form.lang).or_else(|| language(change.request));
    let Opened { booking, link, is_current } = match opened(app, change.token).await {
        Ok(opened) => opened,
        Err(problem) => return broken(app, &problem, asked_language.unwrap_or_default()),
    };
    let now = app.clock.now();
    let mut look = Look {
        token: change.token.to_owned(),
        link,
        is_current,
        language: asked_language.unwrap_or(booking.language),
        zone: Some(change.form.shown_zone.clone()),
        page: 0,
        picked: change.form.starts_at.parse().ok().map(Timestamp),
        is_moving: change.request.path().ends_with("/reschedule"),
        is_waiting: false,
        news: None,
        error: None,
        alternatives: Vec::new(),
    };
    if is_cross_site(change.request) {
        look.error = Some("errors.foreign");
        return rendered(app, &booking, StatusCode::FORBIDDEN, &look).await;
    }
    if let Err(problem) = limit(app, change.proxies, change.request, now).await {
        look.error = Some("errors.too_often");
        return rendered(app, &booking, status_of(&problem), &look).await;
    }
    // The same time once more, or cancelling what is cancelled, asks for nothing that is not so already.
    let is_so = booking.state != State::Confirmed || look.picked == Some(booking.starts_at);
    let done = match may(link) {
        false => Err(bookings::Error::LinkOther),
        true if is_current || is_so => act(&booking, link, now).await,
        true => Err(bookings::Error::LinkOld),
    };
    match done {
        Ok(address) => HttpResponse::SeeOther().insert_header((LOCATION, address)).finish(),
        Err(error) => {
            let refused = Refused::Booking(error);
            look.error = Some(refusal(&refused));
            look.alternatives = nearest(&refused);
            let status = status_of(&Problem::from(refused));
            // What it is now: perhaps somebody else has cancelled it meanwhile.
            let booking = match opened(app, change.token).await {
                Ok(opened) => {
                    look.is_current = opened.is_current;
                    opened.booking
                }
                Err(_) => booking,
            };
            rendered(app, &booking, status, &look).await
        }
    }
}

/// What a link opens.
pub struct Opened {
    pub booking: Booking,
    /// What it is good for.
    pub link: Link,
    /// Whether it is the link of the call as it is: one of before shows it and changes nothing.
    pub is_current: bool,
}

/// Opens a link.
pub async fn opened(app: &Shared, token: &str) -> Result<Opened, Problem> {
    let linked = bookings::read_link(&app.keys, token, app.clock.now())?;
    let booking = bookings::find(&mut app.stores.db.read(), linked.booking).await?;
    let is_current = linked.sequence.is_none_or(|sequence| sequence == booking.sequence);
    match booking.state {
        State::Confirmed | State::Cancelled => Ok(Opened { booking, link: linked.link, is_current }),
        State::Hold | State::Expired => Err(bookings::Error::Unknown.into()),
    }
}

fn broken(app: &Shared, problem: &Problem, language: Language) -> HttpResponse {
    match status_of(problem) {
        status if status.is_server_error() => failed(app, problem, language),
        _ => Frame::named(app, None, language, "UTC").problem(problem),
    }
}

async fn rendered(app: &Shared, booking: &Booking, status: StatusCode, look: &Look) -> HttpResponse {
    let now = app.clock.now();
    let zone = asked_zone(look.zone.as_deref())
        .or_else(|| zone(&booking.time_zone))
        .unwrap_or(jiff::tz::TimeZone::UTC);
    let offered = app.team.meeting(&booking.meeting);
    let standing = match booking.state {
        State::Confirmed if booking.starts_at > now => "upcoming",
        State::Confirmed => "over",
        State::Cancelled | State::Hold | State::Expired => "cancelled",
    };
    let path = format!("/b/{}", look.token);
    let can_change = standing == "upcoming" && look.is_current;
    let can_move = can_change && look.link.moves();
    let can_cancel = can_change && look.link.cancels();
    let picker = match offered.filter(|_| can_move) {
        Some(meeting) => {
            let looking = Looking {
                path: &path,
                zone: &zone,
                language: look.language,
                page: look.page,
                carried: &[],
                picked: look.picked,
            };
            match picker(app, meeting, Some(booking), &looking, now).await {
                Ok(picker) => Some(picker),
                Err(error) => return failed(app, &error.into(), look.language),
            }
        }
        None => None,
    };
    let wait = match can_move && offered.is_some() {
        true => match earlier::waiting(&mut app.stores.db.read(), booking.id).await {
            Ok(waiting) => Some(waits(waiting.map(|waiting| waiting.hours), look.is_waiting)),
            Err(error) => return failed(app, &error.into(), look.language),
        },
        false => None,
    };
    let told = async {
        let meeting = former::meeting(&mut app.stores.db.read(), &app.team, booking).await?;
        let calendars = match can_change {
            true => entry::calendars(app, booking, &path, look.language).await?,
            false => Vec::new(),
        };
        Ok::<_, bookings::Error>((meeting, calendars, with_whom(app, booking, look.language).await?))
    };
    let (meeting, calendars, with) = match told.await {
        Ok(told) => told,
        Err(error) => return failed(app, &error.into(), look.language),
    };
    let is_old = standing == "upcoming" && !look.is_current;
    let by_mail = match look.link {
        // There are no times to move it to; what can be done instead is said where they would stand.
        Link::Manage | Link::Move if offered.is_none() => Some("manage.no_move"),
        Link::Manage => None,
        Link::View => Some("manage.change_by_mail"),
        Link::Move => Some("manage.cancel_by_mail"),
        Link::Cancel => Some("manage.move_by_mail"),
    };
    let news = look.news.or(is_old.then_some("errors.link_old")).filter(|_| look.error.is_none());
    let text = |key: &str| app.templates.texts().get(look.language, &format!("booking.{key}"), &[]);
    let location = booking.place(Some(&meeting), look.language).unwrap_or_default();
    let frame = Frame::named(app, None, look.language, zone.iana_name().unwrap_or("UTC"));
    let fields = json!({
        "path": path,
        "token": look.token,
        "is_upcoming": standing == "upcoming",
        "can_cancel": can_cancel,
        "is_cancelling": look.link == Link::Cancel,
        // What another link is for.
        "calendars": calendars,
        "by_mail": by_mail.filter(|_| can_change).and_then(text),
        "is_cancelled": standing == "cancelled",
        "meeting": {
            "id": booking.meeting,
            "title": meeting.title.get(look.language),
        },
        "booking": {
            "starts_at": booking.starts_at,
            "duration_ms": booking.ends_at.since_ms(booking.starts_at),
            "with": with,
            "location": location,
            "link": Some(location).filter(|location| location.starts_with("https://")),
        },
        "picker": picker,
        "alternatives": look.alternatives,
        "is_moving": look.is_moving,
        "wait": wait,
        "can_book_again": offered.is_some(),
        "news": news.and_then(text),
        "error": look.error.and_then(text),
    });
    frame.page(status, "pages/booking", fields)
}

/// The form of the waiting list, with what stands in it.
fn waits(hours: Option<Hours>, is_open: bool) -> Json {
    let chosen = hours.unwrap_or(Hours::ANY);
    let (from, to) = chosen.minutes();
    let day = |day: u8| {
        json!({
            "name": format!("day-{day}"), "label_key": format!("booking.wait.day_{day}"),
            "is_chosen": chosen.has_day(day),
        })
    };
    let hour = |hour: u16, is: u16| json!({ "value": hour * 60, "label": format!("{hour:02}:00"), "is_chosen": hour * 60 == is });
    json!({
        "is_on": hours.is_some(),
        "is_open": is_open,
        "days": (0..7).map(day).collect::<Vec<Json>>(),
        "from": (0..24).map(|n| hour(n, from)).collect::<Vec<Json>>(),
        "to": (1..=24).map(|n| hour(n, to)).collect::<Vec<Json>>(),
    })
}

fn language_of(request: &HttpRequest, booking: &Booking) -> Language {
    let is_asked = ["lang=", "language="].iter().any(|name| request.query_string().contains(name));
    language(request).filter(|_| is_asked).unwrap_or(booking.language)
}
