//! The reps' calendars: the feed of their calls, and where they are busy elsewhere.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::frame::{Reader, see, see_done};
use crate::accounts::May;
use crate::base::ids::CalendarId;
use crate::base::secret::Secret;
use crate::bookings::calendars::{self, Calendar, Kind, Origin, Wanted};
use crate::bookings::team::Rep;
use crate::http::error::Problem;
use crate::jobs;

/// The page itself.
const PATH: &str = "/console/calendars";

/// `GET /console/calendars`: one's own; of administrators, everybody's.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    page(&reader, None).await
}

/// The page, with what was typed and why it was not taken.
async fn page(reader: &Reader, refused: Option<(&Typed, &str)>) -> Result<HttpResponse, Problem> {
    let app = &reader.app;
    let reads = &mut app.stores.db.read();
    let mut reps: Vec<Json> = Vec::new();
    for rep in app.team.reps.iter().filter(|rep| is_theirs(reader, rep)) {
        let connected = calendars::of_rep(reads, &rep.id).await?;
        let is_busy = connected.iter().any(|calendar| !calendar.is_good(reader.now));
        let connected: Vec<Json> = connected.iter().map(|calendar| told(reader, calendar)).collect();
        let feed = calendars::feed_path(reads, &app.keys, &rep.id).await?;
        reps.push(json!({
            "id": rep.id,
            "name": rep.name,
            "feed": feed.map(|path| app.link(&path)),
            "calendars": connected,
            "busy": is_busy,
            "typed": refused.filter(|(typed, _)| typed.rep == rep.id).map(|(typed, why)| json!({
                "kind": typed.form.kind, "address": typed.form.address, "login": typed.form.login, "why": why,
            })),
        }));
    }
    let status = if refused.is_some() { 422 } else { 200 };
    let status = actix_web::http::StatusCode::from_u16(status).unwrap_or_default();
    let body = json!({ "reps": reps, "stale_hours": app.config.calendars.stale_hours });
    reader.page_with(status, "console/calendars", body).await
}

fn told(reader: &Reader, calendar: &Calendar) -> Json {
    json!({
        "id": calendar.id,
        "kind": calendar.kind.word(),
        "host": calendar.host,
        "login": calendar.login,
        "written": calendar.is_written,
        "of_file": calendar.origin == Origin::File,
        "good": calendar.is_good(reader.now),
        "fetched_at": calendar.fetched_at,
        "tried_at": calendar.tried_at,
        // Two of one host are told apart by it: the rest of the address is a secret.
        "since": calendar.created_at,
        "good_until": calendar.fetched_at.map(|_| calendar.good_until),
        "fault": calendar.fault,
        "detail": calendar.fault_detail.as_deref().filter(|detail| !detail.is_empty()),
    })
}

/// Whether the reader may look after a rep's calendars: her own, or all of them.
fn is_theirs(reader: &Reader, rep: &Rep) -> bool {
    reader.may(May::Operate) || rep.account == reader.account.email
}

fn rep_of<'a>(reader: &'a Reader, id: &str) -> Result<&'a Rep, Problem> {
    let rep = reader.app.team.rep(id).filter(|rep| is_theirs(reader, rep));
    rep.ok_or_else(|| calendars::Error::Unknown.into())
}

/// A calendar to be connected, as it was typed.
#[derive(Deserialize)]
pub struct Form {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    address: String,
    #[serde(default)]
    login: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    write: String,
}

struct Typed {
    rep: String,
    form: Form,
}

/// `POST /console/calendars/{rep}/connect`.
pub async fn connect(
    reader: Reader,
    rep: web::Path<String>,
    form: web::Form<Form>,
) -> Result<HttpResponse, Problem> {
    let typed = Typed { rep: rep_of(&reader, &rep)?.id.clone(), form: form.into_inner() };
    let password = Secret::new(typed.form.password.as_str());
    let kind = Kind::of_word(&typed.form.kind).unwrap_or(Kind::Ics);
    let wanted = Wanted {
        rep: &typed.rep,
        kind,
        origin: Origin::Console,
        address: &typed.form.address,
        login: Some(typed.form.login.as_str()).filter(|login| !login.trim().is_empty()),
        password: Some(&password).filter(|password| !password.is_empty()),
        is_written: typed.form.write == "1",
    };
    let app = &reader.app;
    let mut tx = app.stores.db.begin().await?;
    match calendars::connect(&mut tx, &app.keys, &wanted, reader.now).await {
        Ok(id) => {
            jobs::calendars::keep(&mut tx, id, reader.now).await?;
            tx.commit().await?;
            app.stores.bus.publish(jobs::WAKE, "").await;
            Ok(see_done(PATH, "calendar_connected"))
        }
        Err(calendars::Error::AddressInvalid) => page(&reader, Some((&typed, "address_invalid"))).await,
        Err(calendars::Error::Known) => page(&reader, Some((&typed, "known"))).await,
        Err(calendars::Error::TooMany) => page(&reader, Some((&typed, "too_many"))).await,
        Err(error) => Err(error.into()),
    }
}

/// `POST /console/calendars/{rep}/{calendar}/remove`.
pub async fn remove(reader: Reader, path: web::Path<(String, String)>) -> Result<HttpResponse, Problem> {
    let rep = rep_of(&reader, &path.0)?;
    let id = CalendarId::parse(&path.1).map_err(|_| calendars::Error::Unknown)?;
    let mut tx = reader.app.stores.db.begin().await?;
    calendars::remove(&mut tx, &rep.id, id).await?;
    tx.commit().await?;
    Ok(see_done(PATH, "calendar_removed"))
}

/// `POST /console/calendars/{rep}/{calendar}/refresh`.
pub async fn refresh(reader: Reader, path: web::Path<(String, String)>) -> Result<HttpResponse, Problem> {
    let rep = rep_of(&reader, &path.0)?;
    let id = CalendarId::parse(&path.1).map_err(|_| calendars::Error::Unknown)?;
    let app = &reader.app;
    let mut tx = app.stores.db.begin().await?;
    let calendar = calendars::find(&mut tx, id).await?.filter(|calendar| calendar.rep == rep.id);
    calendar.ok_or(calendars::Error::Unknown)?;
    jobs::calendars::read_now(&mut tx, id, reader.now).await?;
    tx.commit().await?;
    app.stores.bus.publish(jobs::WAKE, "").await;
    Ok(see_done(PATH, "calendar_read"))
}

/// `POST /console/calendars/{rep}/feed`: makes a new address for the feed, or takes it away.
pub async fn feed(
    reader: Reader,
    rep: web::Path<String>,
    form: web::Form<FeedForm>,
) -> Result<HttpResponse, Problem> {
    let rep = rep_of(&reader, &rep)?;
    let mut tx = reader.app.stores.db.begin().await?;
    let done = match form.what.as_str() {
        "revoke" => {
            calendars::revoke_feed(&mut tx, &rep.id).await?;
            "feed_revoked"
        }
        "renew" => {
            calendars::renew_feed(&mut tx, &rep.id, reader.now).await?;
            "feed_renewed"
        }
        _ => return Ok(see(PATH)),
    };
    tx.commit().await?;
    Ok(see_done(PATH, done))
}

/// What is to become of a feed: `renew` or `revoke`.
#[derive(Deserialize)]
pub struct FeedForm {
    #[serde(default)]
    what: String,
}
