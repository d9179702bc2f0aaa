//! What surrounds every page: who reads it, in which language and zone, and the numbers in the rail.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, LOCATION};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::{Value as Json, json};
use subtle::ConstantTimeEq;

use crate::accounts::{self, Account, May, Session};
use crate::base::ids::BookingId;
use crate::base::language::Language;
use crate::base::time::{Timestamp, zone};
use crate::bookings::wall;
use crate::chat::live::presence::{Availability, works};
use crate::http::Shared;
use crate::http::error::{Problem, html};
use crate::http::request;
use crate::notify;
use crate::privacy::audit::{self, By};
use crate::render::in_words;
use crate::reports::{Extent, Names, inbox};

/// The session's cookie: the first on a server that is reached by https, the second on one that is not.
pub const SESSION_COOKIES: [&str; 2] = ["__Host-embudo", "embudo"];
/// The browser's zone; zone.js sets it.
const ZONE_COOKIE: &str = "embudo_zone";

/// Somebody who looks at a page.
pub struct Reader {
    pub app: Shared,
    pub account: Account,
    pub now: Timestamp,
    session: Session,
    request: HttpRequest,
}

impl FromRequest for Reader {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let session = request.extensions().get::<Session>().cloned();
        let app = request.app_data::<Shared>().cloned();
        ready(match (app, session) {
            (Some(app), Some(session)) => Ok(Self::new(app, session, request.clone())),
            _ => Err(accounts::Error::NotLoggedIn.into()),
        })
    }
}

impl Reader {
    /// The reader of a request whose session is known.
    pub fn new(app: Shared, session: Session, request: HttpRequest) -> Self {
        let now = app.clock.now();
        Self { account: session.account.clone(), app, now, session, request }
    }

    /// Whether the reader's role may do it.
    pub fn may(&self, what: May) -> bool {
        self.account.role.may(what)
    }

    /// Whether a form carries the token of the reader's session.
    pub fn has_token(&self, given: &str) -> bool {
        given.as_bytes().ct_eq(self.session.csrf.as_bytes()).into()
    }

    /// The names of the company's things in the reader's language.
    pub fn names(&self) -> Names<'_> {
        Names {
            language: self.account.language,
            catalog: &self.app.catalog,
            webinars: &self.app.webinars,
            team: &self.app.team,
            lifecycle: &self.app.lifecycle,
            topics: &self.app.desk.topics,
            sequences: &self.app.desk.sequences,
            flows: &self.app.room.flows,
        }
    }

    /// The zone in which the reader sees times: the browser's, else that of the rep with this account, else of the
    /// first rep.
    pub fn zone(&self) -> String {
        let of_browser = self.request.cookie(ZONE_COOKIE).map(|cookie| cookie.value().replace("%2F", "/"));
        let team = &self.app.team;
        let rep = team.rep_of_account(&self.account.email).or_else(|| team.reps.first());
        of_browser
            .filter(|name| zone(name).is_some())
            .or_else(|| rep.and_then(|rep| rep.zone.iana_name()).map(str::to_owned))
            .unwrap_or_else(|| "UTC".to_owned())
    }

    /// Whether it is outside of the reader's hours; whoever has none sleeps from 20 to 8 o'clock.
    pub fn is_quiet(&self) -> bool {
        is_quiet(&self.app, &self.account, &self.zone(), self.now)
    }

    /// The reader's midnight of a moment's day, and the next one.
    pub fn day_of(&self, at: Timestamp) -> (Timestamp, Timestamp) {
        let zone = zone(&self.zone()).unwrap_or(jiff::tz::TimeZone::UTC);
        let date = wall::date(&zone, at);
        let midnight = |date| wall::instant(&zone, date, 0, wall::Edge::Start).unwrap_or(at);
        (midnight(date), midnight(date.tomorrow().unwrap_or(date)))
    }

    /// The same of a day that is written as 2026-12-24; none if it is no day.
    pub fn day_named(&self, text: &str) -> Option<(Timestamp, Timestamp)> {
        let date = text.parse::<jiff::civil::Date>().ok()?;
        let zone = zone(&self.zone()).unwrap_or(jiff::tz::TimeZone::UTC);
        let midnight = |date| wall::instant(&zone, date, 0, wall::Edge::Start);
        Some((midnight(date)?, midnight(date.tomorrow().ok()?)?))
    }

    /// A parameter of the address; empty ones count as missing.
    pub fn asked(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.request.query_string().as_bytes())
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    /// The address's parameters as they came.
    pub fn query(&self) -> &str {
        self.request.query_string()
    }

    /// Writes down that the reader looks at a list of people, if it holds any: once an hour, however many pages she turns.
    ///
    /// # Errors
    /// As the store says.
    pub async fn saw_list(&self, list: &str, is_empty: bool) -> Result<(), Problem> {
        if !is_empty {
            audit::saw_list(&self.app.stores.db, By::Account(self.account.id), list, self.now).await?;
        }
        Ok(())
    }

    /// The page that was asked for, from 1.
    pub fn asked_page(&self) -> i64 {
        self.asked("page").and_then(|page| page.parse().ok()).unwrap_or(1).clamp(1, 100_000)
    }

    /// The page that a form was sent from, as far as the browser says it and it is one of ours.
    pub fn came_from(&self) -> String {
        let referrer = request::header(&self.request, header::REFERER);
        let path = url::Url::parse(referrer).map_or_else(|_| String::new(), |url| url.path().to_owned());
        inside(&path).to_owned()
    }

    /// A page of the console.
    ///
    /// # Errors
    /// As the store says.
    pub async fn page(&self, template: &str, body: impl Serialize) -> Result<HttpResponse, Problem> {
        self.page_with(StatusCode::OK, template, body).await
    }

    /// A page of the console with another status.
    ///
    /// # Errors
    /// As the store says.
    pub async fn page_with(
        &self,
        status: StatusCode,
        template: &str,
        body: impl Serialize,
    ) -> Result<HttpResponse, Problem> {
        let mut context = self.frame().await?;
        let body = serde_json::to_value(body).map_err(|error| failed(template, &error))?;
        if let (Json::Object(context), Json::Object(body)) = (&mut context, body) {
            context.extend(body);
        }
        let page = self
            .app
            .templates
            .render(template, self.account.language, &context)
            .map_err(|error| failed(template, &error))?;
        Ok(html(status, page))
    }

    async fn frame(&self) -> Result<Json, Problem> {
        let reads = &mut self.app.stores.db.read();
        let waiting = inbox::counts(reads, self.account.id).await?.waiting;
        let unread = notify::unread(reads, self.account.id).await?;
        let takes_chats = self.may(May::Chat);
        let availability = if takes_chats {
            self.app.room.availability(&self.account, self.now).await
        } else {
            Availability::Away
        };
        Ok(json!({
            "zone": self.zone(),
            "now": self.now,
            "csrf": self.session.csrf,
            "path": self.request.uri().path_and_query().map_or("/console", |path| path.as_str()),
            "flash": self.flash(),
            "account": {
                "id": self.account.id,
                "name": self.account.name,
                "email": self.account.email,
                "role": self.account.role,
            },
            "may": {
                "chat": takes_chats,
                "outcome": self.may(May::SetOutcome),
                "decide": self.may(May::Decide),
                "define": self.may(May::Define),
                "outbox": self.may(May::ReadMails),
                "operate": self.may(May::Operate),
            },
            "nav": { "waiting": waiting, "unread": unread },
            "presence": {
                "shown": takes_chats,
                "online": availability == Availability::Online,
                "state": availability.word(),
                // Outside of her hours nothing rings unless she says so.
                "quiet": self.is_quiet(),
            },
        }))
    }

    /// What was just done, said on the next page.
    fn flash(&self) -> Option<Json> {
        let done = self.asked("done")?;
        let mails = self.asked("mails").and_then(|mails| mails.parse::<u32>().ok()).unwrap_or_default();
        let values = [("mails", mails.to_string())];
        let (texts, language) = (self.app.templates.texts(), self.account.language);
        let text = texts
            .get(language, &format!("console.done.{done}"), &values)
            .or_else(|| texts.get(language, &format!("settings.done.{done}"), &values))?;
        // What was said of a call by a slip of the finger can be taken back.
        let call = self.asked("call").filter(|_| done == "outcome" && self.may(May::SetOutcome));
        let undo = call.and_then(|id| BookingId::parse(&id).ok());
        let undo = undo.map(|id| format!("/console/bookings/{id}/outcome/undo"));
        Some(json!({ "tone": "good", "text": text, "undo": undo }))
    }

    /// A text in the reader's language.
    pub fn text(&self, key: &str) -> Option<String> {
        self.app.templates.texts().get(self.account.language, key, &[])
    }

    /// The word for an id under a key; an id that nobody has given words is read as one.
    pub fn word(&self, key: &str, id: &str) -> String {
        self.text(&format!("{key}.{id}")).unwrap_or_else(|| in_words(id))
    }

    /// A text in some language, its holes filled.
    pub fn text_with(&self, language: Language, key: &str, values: &[(&str, String)]) -> String {
        self.app.templates.texts().get(language, key, values).unwrap_or_default()
    }
}

/// Whether it is outside of somebody's hours; whoever has none sleeps from 20 to 8 o'clock in the zone.
pub fn is_quiet(app: &Shared, account: &Account, zone_name: &str, now: Timestamp) -> bool {
    match app.team.rep_of_account(&account.email) {
        Some(rep) => !works(rep, now),
        None => {
            let zone = zone(zone_name).unwrap_or(jiff::tz::TimeZone::UTC);
            !(8..20).contains(&now.to_jiff().to_zoned(zone).hour())
        }
    }
}

/// What is told when a page cannot be rendered; why stands in the log.
pub fn failed(template: &str, error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(error = %error, page.template = template, "a page cannot be rendered");
    Problem::new("internal", "The page cannot be shown.")
}

/// An address, if it lies inside the console; else the console's first page. Nobody is sent elsewhere by a form.
pub fn inside(path: &str) -> &str {
    let is_plain = path.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    let rest = path.strip_prefix("/console").filter(|_| is_plain);
    match rest {
        Some(rest) if rest.is_empty() || rest.starts_with(['/', '?']) && !rest.starts_with("//") => path,
        _ => "/console",
    }
}

/// Sends the browser on to a page after a form.
pub fn see(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, inside(path))).finish()
}

/// Sends the browser on to a page that says what was done.
pub fn see_done(path: &str, done: &str) -> HttpResponse {
    see_done_to(path, done, None)
}

/// The same, with the call that it was done to, so that it can be taken back.
pub fn see_done_to(path: &str, done: &str, call: Option<BookingId>) -> HttpResponse {
    let path = inside(path);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let query = url::form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| !matches!(name.as_ref(), "done" | "call" | "mails"));
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query)
        .append_pair("done", done)
        .extend_pairs(call.map(|call| ("call", call.to_string())))
        .finish();
    HttpResponse::SeeOther().insert_header((LOCATION, format!("{path}?{query}"))).finish()
}

/// Sends the browser on to a page that says that an address is written to again, and how many mails go there now.
pub fn see_released(path: &str, done: &str, mails: usize) -> HttpResponse {
    let done = if mails > 0 { format!("{done}_and_sent") } else { done.to_owned() };
    let place = format!("{path}?done={done}&mails={mails}");
    HttpResponse::SeeOther().insert_header((LOCATION, place)).finish()
}

/// The links to the pages before and after, for the foot of a list. `address` gives the address of a page.
pub fn pages(extent: Extent, address: impl Fn(i64) -> String) -> Json {
    json!({
        "from": extent.from,
        "to": extent.to,
        "total": extent.total,
        "previous": (extent.page > 1).then(|| address(extent.page - 1)),
        "next": extent.has_next().then(|| address(extent.page + 1)),
    })
}

/// An address with those parameters that have a value.
pub fn address(path: &str, parameters: &[(&str, Option<String>)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    match query.finish() {
        query if query.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_nowhere_but_into_the_console() {
        for good in ["/console", "/console/inbox?view=open", "/console/contacts/0197"] {
            assert_eq!(inside(good), good);
        }
        for bad in [
            "https://eve.example",
            "//eve.example",
            "/consolebad",
            "/console//eve.example",
            "/console\\@eve",
            "/console/\r\nlocation: x",
            "",
            "javascript:alert(1)",
            "/console/ x",
        ] {
            assert_eq!(inside(bad), "/console", "{bad}");
        }
    }

    #[test]
    fn what_was_done_is_said_once() {
        let answer = see_done("/console/bookings?view=open&done=old", "outcome");
        let place = answer.headers().get(LOCATION).unwrap().to_str().unwrap();
        assert_eq!(place, "/console/bookings?view=open&done=outcome");
    }
}
