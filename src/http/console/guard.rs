//! What stands before every door of the console: the session, the role, and where a form came from.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError, web};
use subtle::ConstantTimeEq;

use super::frame::{Reader, SESSION_COOKIES, see};
use super::{DOORS, contacts, first, login, password, settings, sign_on, upload};
use crate::accounts::{self, Session};
use crate::base::language::Language;
use crate::http::Shared;
use crate::http::error::Problem;
use crate::http::request;

/// Only our own files run or load; nobody frames the console.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; frame-ancestors 'none'; \
                      base-uri 'none'; form-action 'self'";

/// Headers of every answer of the console, unless it brought its own.
const HEADERS: &[(&str, &str)] = &[
    ("content-security-policy", POLICY),
    ("cache-control", "no-store"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("x-robots-tag", "noindex, nofollow"),
];

/// What is open to whoever is not logged in. Their forms must come from a page of ours all the same.
pub const OPEN: [&str; 7] =
    [login::PATH, login::CODE, password::FORGOT, password::PATH, first::PATH, sign_on::PATH, sign_on::BACK];

/// What is open to whoever has to set up a second factor first: all that belongs to her own account.
const OWN: &str = "/console/account";

/// Lets a request through to its handler, or answers in its stead.
pub async fn guard(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let checked = check(&mut request).await;
    let mut answer = match checked {
        Ok(()) => {
            let answer = next.call(request).await?.map_into_boxed_body();
            let problem = answer.response().error().and_then(|error| error.as_error::<Problem>());
            match problem.map(Problem::again) {
                Some(problem) => {
                    let (request, _) = answer.into_parts();
                    let page = page_of(&request, &problem).await;
                    ServiceResponse::new(request, page)
                }
                None => answer,
            }
        }
        Err(problem) => {
            let (http, _) = request.into_parts();
            let page = page_of(&http, &problem).await;
            ServiceResponse::new(http, page)
        }
    };
    for (name, value) in HEADERS {
        let name = HeaderName::from_static(name);
        if !answer.headers().contains_key(&name) {
            answer.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }
    Ok(answer)
}

async fn check(request: &mut ServiceRequest) -> Result<(), Problem> {
    let app: Shared = request.app_data::<Shared>().cloned().ok_or_else(super::super::not_found)?;
    let pattern = request.match_pattern().unwrap_or_default();
    if OPEN.contains(&pattern.as_str()) {
        return if request.method() == Method::POST { check_origin(request.request(), &app) } else { Ok(()) };
    }
    let token = session_token(request.request()).ok_or(accounts::Error::NotLoggedIn)?;
    let session = accounts::session(&app.stores.db, &token, app.clock.now()).await?;
    // The session is known from here on, so that a refusal is told in its language.
    request.extensions_mut().insert(session.clone());
    let door = DOORS.iter().find(|door| door.path == pattern && door.method == *request.method());
    let door = door.ok_or_else(super::super::not_found)?;
    if !session.account.role.may(door.needs) {
        return Err(accounts::Error::Forbidden.into());
    }
    let account = &session.account;
    let lacks_factor =
        account.second_factor_since.is_none() && app.config.accounts.demands_factor(account.role.word());
    let is_hers = door.path.starts_with(OWN) && !door.path.starts_with("/console/accounts")
        || matches!(door.path, "/console/logout" | "/console/language");
    if lacks_factor && !is_hers {
        return Err(accounts::Error::FactorNeeded.into());
    }
    if door.method == Method::POST {
        check_origin(request.request(), &app)?;
        // A body that is read as it comes is not read here; its door asks for the token first.
        if !upload::STREAMED.contains(&door.path) {
            check_token(request, &session, door.path).await?;
        }
    }
    Ok(())
}

/// The session's token in the request's cookie.
pub fn session_token(request: &HttpRequest) -> Option<String> {
    SESSION_COOKIES.iter().find_map(|name| request.cookie(name)).map(|cookie| cookie.value().to_owned())
}

/// A form must have been sent by a page of ours: browsers say so in `Sec-Fetch-Site`, older ones in `Origin`.
fn check_origin(request: &HttpRequest, app: &Shared) -> Result<(), Problem> {
    let site = request::header(request, HeaderName::from_static("sec-fetch-site"));
    let is_ours = match site {
        "" => request::origin(request).is_none_or(|origin| {
            origin == app.own_origin() || is_host_of(origin, request::header(request, header::HOST))
        }),
        site => site == "same-origin",
    };
    if is_ours { Ok(()) } else { Err(accounts::Error::Csrf.into()) }
}

/// A line to the server must have been opened by a page of ours: a browser lets any page try and sends our cookie with
/// it, but always says whose page it was (RFC 6455, 10.2). Whoever does not say so is no browser, and is not let in.
///
/// # Errors
/// [`accounts::Error::Csrf`].
pub fn check_line_origin(request: &HttpRequest, app: &Shared) -> Result<(), Problem> {
    request::origin(request).ok_or(accounts::Error::Csrf)?;
    check_origin(request, app)
}

fn is_host_of(origin: &str, host: &str) -> bool {
    !host.is_empty() && origin.split_once("://").is_some_and(|(_, of_origin)| of_origin == host)
}

/// The form's or the header's token must be the session's.
async fn check_token(request: &mut ServiceRequest, session: &Session, door: &str) -> Result<(), Problem> {
    let mut given = request::header(request.request(), HeaderName::from_static("x-csrf-token")).to_owned();
    if given.is_empty() {
        let broken = || Problem::new("request.malformed", "The form is too large or broken off.");
        let body = match contacts::longest_form(door) {
            Some(most) => {
                let payload = request.extract::<web::Payload>().await.map_err(|_| broken())?;
                payload.to_bytes_limited(most).await.map_err(|_| broken())?.map_err(|_| broken())?
            }
            None => request.extract::<web::Bytes>().await.map_err(|_| broken())?,
        };
        if url::form_urlencoded::parse(&body).any(|(_, value)| value.contains('\0')) {
            return Err(Problem::new(
                "request.malformed",
                "There is a character in it that no text has (U+0000).",
            ));
        }
        let field = url::form_urlencoded::parse(&body).find(|(name, _)| name == "csrf");
        given = field.map(|(_, value)| value.into_owned()).unwrap_or_default();
        request.set_payload(Payload::from(body));
    }
    let is_right: bool = given.as_bytes().ct_eq(session.csrf.as_bytes()).into();
    if is_right { Ok(()) } else { Err(accounts::Error::Csrf.into()) }
}

/// A problem as a page: what happened, what was kept, what to do. Whoever is not logged in is led to the login.
async fn page_of(request: &HttpRequest, problem: &Problem) -> HttpResponse {
    // A script can do nothing with a redirection to the login; it is told plainly.
    let is_script = matches!(request.path(), "/console/events" | super::line::PATH)
        || request.headers().contains_key("x-csrf-token");
    if problem.code() == "account.not_logged_in" && !is_script {
        return login::ask(request);
    }
    if problem.code() == "account.second_factor_needed" && !is_script {
        return see(settings::account::FACTOR);
    }
    let session = request.extensions().get::<Session>().cloned();
    let (Some(app), Some(session)) = (request.app_data::<Shared>().cloned(), session) else {
        return match problem.code() {
            "csrf.failed" => login::refuse(request, "origin").await,
            _ => problem.error_response(),
        };
    };
    let what = match (problem.code(), problem.status_code()) {
        ("csrf.failed", _) => "stale",
        ("lifecycle.author_alone", _) => "author_alone",
        (_, StatusCode::FORBIDDEN) => "forbidden",
        (_, StatusCode::NOT_FOUND) => "not_found",
        (_, StatusCode::CONFLICT) => "conflict",
        (_, StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST) => "invalid",
        (_, StatusCode::BAD_GATEWAY) => "other_side",
        _ => "failed",
    };
    let reader = Reader::new(app, session, request.clone());
    let detail = match what {
        "conflict" | "invalid" => words(&reader, problem),
        // What the other side has answered is in its own words.
        "other_side" => Some(problem.detail().to_owned()),
        _ => None,
    };
    // Where the words speak of several mistakes, this one is told as programs are told it.
    let exactly =
        detail.as_deref().filter(|said| *said != problem.detail() && VARIED.contains(&problem.code()));
    let body = serde_json::json!({
        "what": what,
        "exactly": exactly.map(|_| problem.detail()),
        "detail": detail,
        "back": reader.came_from(),
    });
    match reader.page_with(problem.status_code(), "console/error", body).await {
        Ok(page) => page,
        Err(_) => problem.error_response(),
    }
}

/// Codes under which more than one mistake is told.
const VARIED: [&str; 12] = [
    "chat.flows_wrong",
    "chat.message_invalid",
    "company.invalid",
    "deal.invalid",
    "event.invalid",
    "import.unreadable",
    "lifecycle.model_invalid",
    "lifecycle.question_invalid",
    "report.question_invalid",
    "traffic.kept_invalid",
    "traffic.question_invalid",
    "view.invalid",
];

/// What a refusal says to the reader (`render/texts/LANGUAGE/refusals.yaml`, by its code). What has no words there says in
/// English what programs are told, and in another language nothing beside the page's own words.
fn words(reader: &Reader, problem: &Problem) -> Option<String> {
    let language = reader.account.language;
    let key = format!("refusals.{}", problem.code());
    let text = |key: &str| reader.app.templates.texts().get(language, key, &[]);
    let said =
        (problem.code() == "chat.not_allowed").then(|| format!("refusals.said.{}", slug(problem.detail())));
    let own = said.and_then(|key| text(&key)).or_else(|| text(&key));
    own.or_else(|| (language == Language::En).then(|| problem.detail().to_owned()))
}

/// The key of a sentence of ours: its letters and digits, and `_` for whatever stands between them.
fn slug(sentence: &str) -> String {
    let words = sentence.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::slug;
    use crate::base::language::Language;
    use crate::http::error::CODES;
    use crate::render::Templates;

    /// Areas whose refusals no page of the console shows: those of visitors, of programs, and of files that are read there.
    const ELSEWHERE: [&str; 8] =
        ["costs.", "event.id_", "event.list_", "form.", "hit.", "identity.", "mail.message_", "offer."];
    const ELSEWHERE_TOO: [&str; 13] = [
        "booking.duration_unknown",
        "booking.hold_expired",
        "booking.idempotency_key_invalid",
        "booking.idempotency_key_reused",
        "booking.link_old",
        "chat.client_id_reused",
        "chat.question_over",
        "chat.sequence_unknown",
        "lifecycle.changed",
        "subscription.other_device",
        "webinar.list_unreadable",
        "webinar.not_begun",
        "webinar.not_over",
    ];

    #[test]
    fn a_sentence_has_a_key_of_its_own_words() {
        assert_eq!(slug("ask for the e-mail first: it goes there"), "ask_for_the_e_mail_first_it_goes_there");
    }

    #[test]
    fn whatever_the_console_refuses_is_told_in_both_languages() {
        let templates = Templates::embedded().expect("what is built in");
        for (code, status, _) in CODES {
            let is_elsewhere =
                ELSEWHERE.iter().any(|area| code.starts_with(area)) || ELSEWHERE_TOO.contains(code);
            let words = Language::ALL
                .map(|language| templates.texts().get(language, &format!("refusals.{code}"), &[]));
            if is_elsewhere || !matches!(status, 400 | 409 | 422) {
                assert_eq!(words, [None, None], "{code}: no page shows these words");
            } else {
                assert!(words.iter().all(Option::is_some) && words[0] != words[1], "{code}: {words:?}");
            }
        }
    }
}
