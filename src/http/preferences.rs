//! The page on which somebody chooses: which letters, how often, a pause, the language.
//!
//! It opens by a link of its own purpose, which goes to the mailbox when it is asked for, or on a device that is confirmed to
//! be hers. Everybody else is mailed a link, and is answered alike whether the address is known or not.
//!
//! The link that stands in every letter opens less: letters are forwarded, lie in shared mailboxes and live for years.
//! Whoever has one can end a topic, invitations or everything, without a login (RFC 8058), and sees nothing of what is
//! stored; to see and to change she asks for the page.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use jiff::civil::Date;
use serde_json::{Value as Json, json};

use super::Shared;
use super::error::Problem;
use super::gates::{Posted, limit};
use super::pages::{Frame, reading};
use super::request::{Proxies, header, seen};
use crate::base::email::Email;
use crate::base::ids::{ContactId, VisitorId};
use crate::base::language::Language;
use crate::base::signing::{Purpose, TokenError};
use crate::base::time::{DAY_MS, HOUR_MS, Timestamp, zone};
use crate::contacts::{self, Contact, Seen, Trust};
use crate::storage::limits::Quota;
use crate::subscriptions::{self, Frequency};

/// The longest pause that can be asked for.
const PAUSE_MOST_MS: i64 = 366 * DAY_MS;
/// Pauses that are one click away, in days.
const PAUSES: [i64; 2] = [30, 90];
/// How long the page stays open to a device that is confirmed to be hers.
const OPEN_MS: i64 = HOUR_MS;
/// Links that one address may be mailed, whoever types it.
const PER_ADDRESS: Quota = Quota { per_minute: 1, burst: 3 };
/// The device, as the page's own script tells it.
const VISITOR: HeaderName = HeaderName::from_static("x-embudo-visitor");

/// Mounts the doors.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors
        .service(web::resource("/preferences").route(reading().to(show_door)).route(web::post().to(knock)))
        .service(
            web::resource("/preferences/{token}")
                .route(reading().to(show_preferences))
                .route(web::post().to(choose)),
        );
}

// --- the way in ----------------------------------------------------------------------------------

/// `GET /preferences`: asks for an address, or for nothing on a device that is confirmed.
async fn show_door(app: Shared, request: HttpRequest) -> HttpResponse {
    let frame = Frame::of(&app, &request, None);
    let visitor = VisitorId::parse(header(&request, VISITOR)).ok();
    match confirmed_holder(&app, visitor).await {
        Ok(holder) => door(&frame, StatusCode::OK, &Door { is_known: holder.is_some(), ..Door::default() }),
        Err(problem) => frame.problem(&problem),
    }
}

/// Who holds a device, if that is certain.
async fn confirmed_holder(app: &Shared, visitor: Option<VisitorId>) -> Result<Option<ContactId>, Problem> {
    let Some(visitor) = visitor else { return Ok(None) };
    let holder = contacts::holder(&mut app.stores.db.read(), visitor).await?;
    Ok(holder.filter(|(_, trust)| trust.may_see_stored()).map(|(contact, _)| contact.id))
}

/// What the way in shows.
#[derive(Default)]
struct Door<'a> {
    is_known: bool,
    is_sent: bool,
    email: &'a str,
    is_wrong: bool,
}

fn door(frame: &Frame<'_>, status: StatusCode, shown: &Door<'_>) -> HttpResponse {
    let site = frame.site.map_or("", |site| site.key.as_str());
    let fields = json!({
        "is_known": shown.is_known,
        "is_sent": shown.is_sent,
        "email": shown.email,
        "is_wrong": shown.is_wrong,
        "action": format!("/preferences?site={site}&lang={}", frame.language.code()),
    });
    frame.page(status, "pages/preferences_door", fields)
}

/// `POST /preferences`: opens the page to a device that is confirmed, and mails everybody else the link.
async fn knock(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    body: web::Form<Vec<(String, String)>>,
) -> HttpResponse {
    let posted = Posted::of(body.into_inner());
    let frame = Frame::of(&app, &request, posted.get("zone"));
    match knocked(&app, &proxies, &request, &frame, &posted).await {
        Ok(answer) => answer,
        Err(problem) if problem.code() == "identity.email_invalid" => {
            let email = posted.get("email").unwrap_or_default();
            let shown = Door { email, is_wrong: true, ..Door::default() };
            door(&frame, StatusCode::UNPROCESSABLE_ENTITY, &shown)
        }
        Err(problem) => frame.problem(&problem),
    }
}

async fn knocked(
    app: &Shared,
    proxies: &Proxies,
    request: &HttpRequest,
    frame: &Frame<'_>,
    posted: &Posted,
) -> Result<HttpResponse, Problem> {
    limit(app, proxies, request).await?;
    let now = app.clock.now();
    let typed = posted.get("email");
    if typed.is_none() {
        let visitor = posted.get("visitor").and_then(|text| VisitorId::parse(text).ok());
        if let Some(contact) = confirmed_holder(app, visitor).await? {
            return Ok(opened(app, contact, frame.language, now));
        }
    }
    let email = Email::parse(typed.unwrap_or_default())
        .map_err(|_| Problem::new("identity.email_invalid", "This is no address that can be written to."))?;
    // Machines fill in what people do not see; they are answered like everybody.
    if posted.get("website").is_none() {
        mail_link(app, &email, frame.language, now).await?;
    }
    Ok(door(frame, StatusCode::OK, &Door { is_sent: true, ..Door::default() }))
}

/// The page for a device that is confirmed to be hers.
fn opened(app: &Shared, contact: ContactId, language: Language, now: Timestamp) -> HttpResponse {
    let token = subscriptions::choices_token(&app.keys, contact, OPEN_MS, now);
    let page = format!("/preferences/{token}?lang={}", language.code());
    HttpResponse::SeeOther().insert_header((LOCATION, page)).finish()
}

/// Mails the link to an address, if anybody of ours has it and it was not mailed too often.
async fn mail_link(app: &Shared, email: &Email, language: Language, now: Timestamp) -> Result<(), Problem> {
    if app.stores.limits.check("preferences", email.as_str(), PER_ADDRESS, now).await.is_err() {
        return Ok(());
    }
    let mut tx = app.stores.db.begin().await?;
    if let Some(contact) = contacts::find_by_email(&mut tx, email).await? {
        subscriptions::ask_for_preferences(&mut tx, contact.id, language, now).await?;
    }
    Ok(tx.commit().await?)
}

// --- by the link of a letter ---------------------------------------------------------------------

/// What whoever holds a letter can do. It shows what there is to get, and nothing of what she gets.
fn letter_page(
    app: &Shared,
    frame: &Frame<'_>,
    token: &str,
    status: StatusCode,
    done: Option<&str>,
) -> HttpResponse {
    let topics: Vec<Json> = app
        .desk
        .topics
        .topics
        .iter()
        .map(|topic| json!({ "id": topic.id, "name": topic.name.get(frame.language) }))
        .collect();
    let fields = json!({
        "done": done,
        "topics": topics,
        "action": format!("/preferences/{token}?lang={}", frame.language.code()),
    });
    frame.page(status, "pages/preferences_letter", fields)
}

/// Who holds a letter, and what she pressed on its page.
struct Pressed<'a> {
    contact: &'a Contact,
    token: &'a str,
    posted: &'a Posted,
    seen: &'a Seen,
}

/// Ends what the holder of a letter wants to end, or opens the page where that is certain to be she.
async fn by_letter(
    app: &Shared,
    proxies: &Proxies,
    request: &HttpRequest,
    frame: &Frame<'_>,
    pressed: &Pressed<'_>,
) -> Result<HttpResponse, Problem> {
    let Pressed { contact, token, posted, seen } = *pressed;
    let (said, now) = (("page", seen), app.clock.now());
    let what = posted.get("do").unwrap_or_default();
    if what == "open" {
        limit(app, proxies, request).await?;
        let visitor = posted.get("visitor").and_then(|text| VisitorId::parse(text).ok());
        if confirmed_holder(app, visitor).await? == Some(contact.id) {
            return Ok(opened(app, contact.id, frame.language, now));
        }
        if posted.get("website").is_none() {
            mail_link(app, &contact.email, frame.language, now).await?;
        }
        return Ok(door(frame, StatusCode::OK, &Door { is_sent: true, ..Door::default() }));
    }
    let mut tx = app.stores.db.begin().await?;
    let done = match (what, posted.get("leave")) {
        ("none", _) => {
            subscriptions::leave_all(&mut tx, &app.keys, contact, said, now).await?;
            "left_all"
        }
        ("invitations", _) => {
            subscriptions::refuse_invitations(&mut tx, &app.keys, contact, said, now).await?;
            "left_invitations"
        }
        (_, Some(topic)) => {
            let topic = app.desk.topics.find(topic).ok_or(subscriptions::Error::NoTopic)?;
            subscriptions::leave(&mut tx, &app.keys, contact, &topic.id, said, now).await?;
            "left"
        }
        // A page that was open before, on which there was more to choose: it is shown what it can do now.
        (_, None) => return Ok(letter_page(app, frame, token, StatusCode::FORBIDDEN, None)),
    };
    tx.commit().await?;
    Ok(letter_page(app, frame, token, StatusCode::OK, Some(done)))
}

// --- choosing ------------------------------------------------------------------------------------

async fn show_preferences(app: Shared, request: HttpRequest, token: web::Path<String>) -> HttpResponse {
    let mut frame = Frame::of(&app, &request, None);
    let page = match holder(&app, &token).await {
        Ok((_, Held::Letter)) => Ok(letter_page(&app, &frame, &token, StatusCode::OK, None)),
        Ok((contact, Held::Choices)) => preferences(&app, &mut frame, &token, &contact, Shown::Asked).await,
        Err(problem) => Err(problem),
    };
    page.unwrap_or_else(|problem| frame.problem(&problem))
}

/// What the page of preferences is shown for.
enum Shown<'a> {
    /// Somebody opened it.
    Asked,
    /// It was done.
    Saved,
    /// The day of the pause is none that can be chosen; nothing was changed, and what was chosen still stands there.
    WrongPause(&'a Choice<'a>),
}

/// What somebody chose on the page.
struct Choice<'a> {
    topics: BTreeSet<&'a str>,
    invitations: bool,
    language: Option<Language>,
    /// Whether somebody may call her; none if the page did not ask.
    calls: Option<bool>,
    frequency: Option<Frequency>,
    /// `none`, a number of [`PAUSES`], or `until`; empty if the page did not ask.
    rest: &'a str,
    /// The day for `until`.
    pause: &'a str,
}

impl<'a> Choice<'a> {
    fn of(fields: &'a [(String, String)]) -> Self {
        let field =
            |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        Self {
            topics: fields
                .iter()
                .filter(|(name, _)| name == "topic")
                .map(|(_, value)| value.as_str())
                .collect(),
            invitations: field("invitations").is_some(),
            language: field("language").and_then(Language::of_tag),
            calls: field("asks").filter(|what| *what == "calls").map(|_| field("calls").is_some()),
            frequency: field("frequency").and_then(Frequency::of_word),
            rest: field("rest").unwrap_or_default(),
            pause: field("pause").unwrap_or_default().trim(),
        }
    }
}

/// What a link lets its holder do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    /// It stands in a letter: leave, and ask for the page.
    Letter,
    /// It was asked for: see and change.
    Choices,
}

/// Whose link it is, and what it lets its holder do.
async fn holder(app: &Shared, token: &str) -> Result<(Contact, Held), Problem> {
    let read = |purpose| subscriptions::read_token(&app.keys, purpose, token, app.clock.now());
    let (contact, held) = match read(Purpose::Choices) {
        Ok((contact, _)) => (contact, Held::Choices),
        Err(subscriptions::Error::Link(TokenError::Forged)) => (read(Purpose::Preferences)?.0, Held::Letter),
        Err(error) => return Err(error.into()),
    };
    let contact = contacts::find(&mut app.stores.db.read(), contact).await?;
    Ok((contact.ok_or(contacts::Error::Unknown)?, held))
}

/// The page. It names nobody: a mail is forwarded easily.
async fn preferences(
    app: &Shared,
    frame: &mut Frame<'_>,
    token: &str,
    contact: &Contact,
    shown: Shown<'_>,
) -> Result<HttpResponse, Problem> {
    let now = app.clock.now();
    let chosen = match &shown {
        Shown::WrongPause(choice) => Some(*choice),
        Shown::Asked | Shown::Saved => None,
    };
    let mut q = app.stores.db.read();
    let mut topics = Vec::new();
    for topic in &app.desk.topics.topics {
        let is_wanted = match chosen {
            Some(choice) => choice.topics.contains(topic.id.as_str()),
            None => subscriptions::gets(&mut q, &app.keys, contact, &topic.id, now).await?,
        };
        topics.push(json!({
            "id": topic.id,
            "name": topic.name.get(frame.language),
            "description": topic.description.get(frame.language),
            "frequency": topic.frequency.get(frame.language),
            "checked": is_wanted,
        }));
    }
    let invitations = match chosen {
        Some(choice) => choice.invitations,
        None => subscriptions::invites(&mut q, &app.keys, contact, now).await?,
    };
    let calls = match chosen.and_then(|choice| choice.calls) {
        Some(calls) => calls,
        None => !contacts::has_objected(&mut q, contact.id, contacts::CALLS).await?,
    };
    let paused = subscriptions::paused_until(&mut q, contact.id, now).await?;
    let zone = zone(contact.time_zone.as_deref().unwrap_or("UTC")).unwrap_or(jiff::tz::TimeZone::UTC);
    let day = |at: Timestamp| at.to_jiff().to_zoned(zone.clone()).date().to_string();
    if let Some(zone) = &contact.time_zone {
        frame.zone.clone_from(zone);
    }
    let reads = chosen.and_then(|choice| choice.language).unwrap_or(contact.language);
    let languages: Vec<Json> = Language::ALL
        .into_iter()
        .map(|language| json!({ "code": language.code(), "checked": language == reads }))
        .collect();
    let wanted = match chosen.and_then(|choice| choice.frequency) {
        Some(frequency) => frequency,
        None => subscriptions::frequency(&mut q, contact.id).await?,
    };
    let frequencies: Vec<Json> = Frequency::ALL
        .into_iter()
        .map(|frequency| json!({ "id": frequency.word(), "checked": frequency == wanted }))
        .collect();
    let rest = match chosen.map(|choice| choice.rest) {
        Some(rest) if !rest.is_empty() => rest.to_owned(),
        Some(_) => "until".to_owned(),
        None if paused.is_some() => "until".to_owned(),
        None => "none".to_owned(),
    };
    let fields = json!({
        "frequencies": frequencies,
        "rest": rest,
        "pauses": PAUSES,
        "done": matches!(shown, Shown::Saved).then_some("saved"),
        "topics": topics,
        "invitations": invitations,
        "calls": calls,
        "pause": chosen.map_or_else(|| paused.map(day), |choice| Some(choice.pause.to_owned())),
        "wrong_pause": chosen.is_some(),
        "paused_until": paused,
        "first_day": day(now.plus_ms(DAY_MS)),
        "last_day": day(now.plus_ms(PAUSE_MOST_MS)),
        "languages": languages,
        "action": format!("/preferences/{token}?lang={}", frame.language.code()),
    });
    let status = if chosen.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(frame.page(status, "pages/preferences", fields))
}

async fn choose(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    token: web::Path<String>,
    body: web::Form<Vec<(String, String)>>,
) -> HttpResponse {
    let mut frame = Frame::of(&app, &request, None);
    let (contact, held) = match holder(&app, &token).await {
        Ok(holder) => holder,
        Err(problem) => return frame.problem(&problem),
    };
    let seen = seen(&proxies, &request);
    if held == Held::Letter {
        let posted = Posted::of(body.into_inner());
        let pressed = Pressed { contact: &contact, token: &token, posted: &posted, seen: &seen };
        let done = by_letter(&app, &proxies, &request, &frame, &pressed).await;
        return done.unwrap_or_else(|problem| frame.problem(&problem));
    }
    let choice = Choice::of(&body);
    let is_none = body.iter().any(|(name, value)| name == "do" && value == "none");
    let shown = match chosen(&app, &contact, &choice, is_none, &seen).await {
        Ok(Some(())) => {
            frame.language = choice.language.filter(|_| !is_none).unwrap_or(frame.language);
            Shown::Saved
        }
        Ok(None) => Shown::WrongPause(&choice),
        Err(problem) => return frame.problem(&problem),
    };
    // What she chose may have changed what is kept of her.
    let page = match holder(&app, &token).await {
        Ok((contact, _)) => preferences(&app, &mut frame, &token, &contact, shown).await,
        Err(problem) => Err(problem),
    };
    page.unwrap_or_else(|problem| frame.problem(&problem))
}

/// Makes it so; nothing if the pause is to last until a day that cannot be chosen.
async fn chosen(
    app: &Shared,
    contact: &Contact,
    choice: &Choice<'_>,
    is_none: bool,
    seen: &Seen,
) -> Result<Option<()>, Problem> {
    let (said, now) = (("page", seen), app.clock.now());
    let mut tx = app.stores.db.begin().await?;
    if is_none {
        subscriptions::leave_all(&mut tx, &app.keys, contact, said, now).await?;
        tx.commit().await?;
        return Ok(Some(()));
    }
    let days = PAUSES.into_iter().find(|days| choice.rest == days.to_string());
    let pause = match (days, choice.rest, choice.pause) {
        (Some(days), ..) => pause_for(days, contact, now),
        (None, "none", _) => None,
        // Until which day, if not until one?
        (None, "until", "") => return Ok(None),
        (None, _, "") => None,
        (None, _, day) => match pause_of(day, contact, now) {
            Some(until) => Some(until),
            None => return Ok(None),
        },
    };
    // Invitations first: whoever wants a letter again has not said that she wants them.
    match (choice.invitations, subscriptions::invites(&mut tx, &app.keys, contact, now).await?) {
        (true, false) => {
            subscriptions::allow_invitations(&mut tx, &app.keys, contact, said, now).await?;
        }
        (false, true) => {
            subscriptions::refuse_invitations(&mut tx, &app.keys, contact, said, now).await?;
        }
        (true, true) | (false, false) => {}
    }
    for topic in &app.desk.topics.topics {
        let has = subscriptions::gets(&mut tx, &app.keys, contact, &topic.id, now).await?;
        match (choice.topics.contains(topic.id.as_str()), has) {
            // The link came by mail, so the mailbox is hers: nobody need ask her again.
            (true, false) => {
                subscriptions::rejoin(&mut tx, &app.keys, contact, topic, said, now).await?;
            }
            (false, true) => {
                subscriptions::leave(&mut tx, &app.keys, contact, &topic.id, said, now).await?;
            }
            (true, true) | (false, false) => {}
        }
    }
    if let Some(language) = choice.language.filter(|language| *language != contact.language) {
        let (name, trust) = ("language", Trust::Clicked);
        contacts::set_field(&mut tx, contact.id, name, language.code(), "page", trust, now).await?;
    }
    if let Some(is_welcome) = choice.calls {
        subscriptions::set_calls(&mut tx, contact.id, is_welcome, said, now).await?;
    }
    if let Some(frequency) = choice.frequency {
        subscriptions::set_frequency(&mut tx, contact.id, frequency, now).await?;
    }
    subscriptions::pause(&mut tx, contact.id, pause).await?;
    tx.commit().await?;
    Ok(Some(()))
}

/// The morning of the day after so many.
fn pause_for(days: i64, contact: &Contact, now: Timestamp) -> Option<Timestamp> {
    let zone = zone(contact.time_zone.as_deref().unwrap_or("UTC")).unwrap_or(jiff::tz::TimeZone::UTC);
    pause_of(&now.plus_ms(days * DAY_MS).to_jiff().to_zoned(zone).date().to_string(), contact, now)
}

/// The morning of the day that was typed, if it lies ahead and within a year.
fn pause_of(day: &str, contact: &Contact, now: Timestamp) -> Option<Timestamp> {
    let day: Date = day.parse().ok()?;
    let zone = zone(contact.time_zone.as_deref().unwrap_or("UTC")).unwrap_or(jiff::tz::TimeZone::UTC);
    let at = Timestamp::from_jiff(day.to_zoned(zone).ok()?.timestamp());
    (at > now && at.since_ms(now) <= PAUSE_MOST_MS + DAY_MS).then_some(at)
}
