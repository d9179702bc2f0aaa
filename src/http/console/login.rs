//! Logging in and out, and the language of the console.

use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::http::StatusCode;
use actix_web::http::header::{LOCATION, USER_AGENT};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde::Deserialize;
use serde_json::json;

use super::first;
use super::frame::{Reader, SESSION_COOKIES, address, inside, see};
use super::guard::session_token;
use super::push::AGENTS;
use super::sign_on;
use crate::accounts::{self, Entered, LIFETIME_MS, Login, Origin};
use crate::base::coded::Coded;
use crate::base::language::Language;
use crate::base::network::network_of;
use crate::base::signing::sha256_hex;
use crate::http::Shared;
use crate::http::error::{Problem, html};
use crate::http::request::{self, Proxies};
use crate::notify::push;

/// Why somebody may be sent back to the login, as its address says it.
const SAYABLE: [&str; 5] =
    ["expired", "sign_on", "sign_on_unknown", "sign_on_unverified", "sign_on_unreachable"];

/// The door that is open to everybody.
pub const PATH: &str = "/console/login";
/// Where the second step of a login leads.
pub const CODE: &str = "/console/login/code";

/// Sends whoever is not logged in to the login, and from there back to what they wanted to see.
pub fn ask(request: &HttpRequest) -> HttpResponse {
    let is_get = request.method() == actix_web::http::Method::GET;
    let wanted = request.uri().path_and_query().map(|path| path.as_str()).filter(|_| is_get);
    let next = wanted.filter(|wanted| *wanted != "/console").map(str::to_owned);
    let problem = session_token(request).map(|_| "expired".to_owned());
    let place = address(PATH, &[("next", next), ("problem", problem)]);
    HttpResponse::SeeOther().insert_header((LOCATION, place)).finish()
}

/// The login page with a word about why it is shown again.
pub async fn refuse(request: &HttpRequest, problem: &str) -> HttpResponse {
    let Some(app) = request.app_data::<Shared>() else {
        return Problem::new("csrf.failed", "Log in on this site's own page.").error_response();
    };
    form(app, request, StatusCode::FORBIDDEN, Some(problem), "", "/console")
}

/// `GET /console/login`.
pub async fn show(app: Shared, request: HttpRequest) -> HttpResponse {
    let asked = |name: &str| {
        url::form_urlencoded::parse(request.query_string().as_bytes())
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
    };
    if let Some(token) = session_token(&request)
        && accounts::session(&app.stores.db, &token, app.clock.now()).await.is_ok()
    {
        return see("/console");
    }
    if accounts::first::is_awaited(&mut app.stores.db.read()).await.unwrap_or(false) {
        return see(first::PATH);
    }
    let problem = asked("problem").filter(|problem| SAYABLE.contains(&problem.as_str()));
    form(&app, &request, StatusCode::OK, problem.as_deref(), "", &asked("next").unwrap_or_default())
}

/// What the login's form sends.
#[derive(Deserialize)]
pub struct Typed {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

/// `POST /console/login`.
pub async fn enter(
    app: Shared,
    request: HttpRequest,
    proxies: web::Data<Proxies>,
    typed: web::Form<Typed>,
) -> HttpResponse {
    if app.config.sign_on.refuses_password(&typed.email) {
        let status = StatusCode::FORBIDDEN;
        return form(&app, &request, status, Some("sign_on_only"), &typed.email, &typed.next);
    }
    let browser = Browser::of(&request, &proxies);
    let login = Login { email: &typed.email, password: &typed.password, from: browser.origin() };
    let stores = &app.stores;
    match accounts::log_in(&stores.db, &*stores.limits, &app.keys, &login, app.clock.now()).await {
        Ok(Entered::In(token)) => enter_with(&app, &token, &typed.next),
        Ok(Entered::Asked(ticket)) => second_step(&app, &request, StatusCode::OK, &ticket, &typed.next, None),
        Err(error) => {
            let (status, problem) = match error.code() {
                "limit.too_many" => (StatusCode::TOO_MANY_REQUESTS, "limited"),
                "account.login_failed" => (StatusCode::UNAUTHORIZED, "wrong"),
                _ => return Problem::from(error).error_response(),
            };
            form(&app, &request, status, Some(problem), &typed.email, &typed.next)
        }
    }
}

/// Sends somebody on with the cookie of her new session.
pub fn enter_with(app: &Shared, token: &str, next: &str) -> HttpResponse {
    let mut answer = see(next);
    // A cookie is refused only if its name or value could not be written into a header.
    let _ = answer.add_cookie(&cookie(app, token, Duration::milliseconds(LIFETIME_MS)));
    answer
}

/// The browser that somebody logs in with.
pub struct Browser {
    network: String,
    browser: String,
    system: String,
    former: Option<String>,
}

impl Browser {
    /// What is known of the browser that asks.
    pub fn of(request: &HttpRequest, proxies: &Proxies) -> Self {
        let known = AGENTS.read(request::header(request, USER_AGENT));
        Self {
            network: network_of(proxies.client(request)),
            browser: known.agent.browser.to_string(),
            system: known.agent.os.to_string(),
            former: session_token(request),
        }
    }

    /// The same, as accounts want to know it.
    pub fn origin(&self) -> Origin<'_> {
        Origin {
            network: &self.network,
            browser: &self.browser,
            system: &self.system,
            former: self.former.as_deref(),
        }
    }
}

/// What the second step's form sends.
#[derive(Deserialize)]
pub struct Shown {
    #[serde(default)]
    ticket: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
}

/// `POST /console/login/code`: the second step.
pub async fn enter_by_code(
    app: Shared,
    request: HttpRequest,
    proxies: web::Data<Proxies>,
    shown: web::Form<Shown>,
) -> HttpResponse {
    let browser = Browser::of(&request, &proxies);
    let (stores, both) = (&app.stores, (shown.ticket.as_str(), shown.code.as_str()));
    let (limits, now) = (&*stores.limits, app.clock.now());
    let entered = accounts::log_in_by_code(&stores.db, limits, &app.keys, both, &browser.origin(), now).await;
    match entered {
        Ok(token) => enter_with(&app, &token, &shown.next),
        Err(error) => match error.code() {
            "account.code_wrong" => {
                let status = StatusCode::UNAUTHORIZED;
                second_step(&app, &request, status, &shown.ticket, &shown.next, Some("code"))
            }
            "limit.too_many" => {
                let status = StatusCode::TOO_MANY_REQUESTS;
                second_step(&app, &request, status, &shown.ticket, &shown.next, Some("limited"))
            }
            "account.login_failed" => {
                form(&app, &request, StatusCode::UNAUTHORIZED, Some("expired"), "", &shown.next)
            }
            _ => Problem::from(error).error_response(),
        },
    }
}

/// The page that asks for the code of the second factor.
pub fn second_step(
    app: &Shared,
    request: &HttpRequest,
    status: StatusCode,
    ticket: &str,
    next: &str,
    problem: Option<&str>,
) -> HttpResponse {
    let language = request::language(request).unwrap_or_default();
    let context = json!({ "problem": problem, "ticket": ticket, "next": inside(next) });
    page(app, language, status, "console/login_code", &context)
}

/// `POST /console/logout`.
pub async fn leave(reader: Reader, request: HttpRequest) -> Result<HttpResponse, Problem> {
    if let Some(token) = session_token(&request) {
        let mut tx = reader.app.stores.db.begin().await?;
        accounts::log_out(&mut tx, &token).await?;
        push::forget_session(&mut tx, &sha256_hex(&token)).await?;
        tx.commit().await?;
    }
    super::presence::forget(&reader).await;
    let left = reader.app.config.sign_on.is_set().then(|| "1".to_owned());
    let place = address(PATH, &[("left", left)]);
    let mut answer = HttpResponse::SeeOther().insert_header((LOCATION, place)).finish();
    let _ = answer.add_cookie(&cookie(&reader.app, "", Duration::ZERO));
    Ok(answer)
}

/// The language that was chosen.
#[derive(Deserialize)]
pub struct Chosen {
    language: String,
    #[serde(default)]
    back: String,
}

/// `POST /console/language`.
pub async fn language(reader: Reader, chosen: web::Form<Chosen>) -> Result<HttpResponse, Problem> {
    if let Some(language) = Language::of_tag(&chosen.language) {
        let mut tx = reader.app.stores.db.begin().await?;
        accounts::set_language(&mut tx, reader.account.id, language).await?;
        tx.commit().await?;
    }
    Ok(see(&chosen.back))
}

/// The session's cookie: read by no script, sent by no other site's form. `Lax`, so that a link in a mail to the
/// console does not end at the login.
fn cookie(app: &Shared, token: &str, age: Duration) -> Cookie<'static> {
    let is_secure = app.own_origin().starts_with("https://");
    let [secure, plain] = SESSION_COOKIES;
    Cookie::build(if is_secure { secure } else { plain }, token.to_owned())
        .path("/")
        .http_only(true)
        .secure(is_secure)
        .same_site(SameSite::Lax)
        .max_age(age)
        .finish()
}

fn form(
    app: &Shared,
    request: &HttpRequest,
    status: StatusCode,
    problem: Option<&str>,
    email: &str,
    next: &str,
) -> HttpResponse {
    let language = request::language(request).unwrap_or_default();
    let context = json!({
        "problem": problem, "done": null, "email": email, "next": inside(next), "left": has_left(request),
        "sign_on": sign_on::told(app, next),
    });
    page(app, language, status, "console/login", &context)
}

/// Whether somebody has just logged out: she may want to do so at the provider, too.
fn has_left(request: &HttpRequest) -> bool {
    request.path() == PATH && request.query_string() == "left=1"
}

/// A page for whoever is not logged in.
pub fn page(
    app: &Shared,
    language: Language,
    status: StatusCode,
    template: &str,
    context: &serde_json::Value,
) -> HttpResponse {
    match app.templates.render(template, language, context) {
        Ok(body) => html(status, body),
        Err(error) => {
            tracing::error!(error = %error, page.template = template, "a page cannot be rendered");
            Problem::new("internal", "The page cannot be shown.").error_response()
        }
    }
}
