//! Logging in by the provider of the single sign-on: away and back. Coming back is a `GET`, as the standard has it; it opens
//! a session only in the browser that left, by its cookie, and only once, for the provider takes a code once.

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};

use super::frame::{address, inside};
use super::login::{self, Browser};
use super::settings::noted;
use crate::accounts::sign_on::{self, AWAY_MS, Answered, Error};
use crate::accounts::{Account, Entered};
use crate::http::Shared;
use crate::http::error::Problem;
use crate::http::request::{self, Proxies};
use crate::privacy::audit::{By, What};
use crate::storage;

/// Where somebody leaves from.
pub const PATH: &str = "/console/login/sso";
/// Where she comes back to; the provider has to know it.
pub const BACK: &str = "/console/login/sso/back";
/// Her cookie meanwhile: the first on a server that is reached by https.
const COOKIES: [&str; 2] = ["__Host-embudo_sso", "embudo_sso"];

fn asked(request: &HttpRequest, name: &str) -> Option<String> {
    url::form_urlencoded::parse(request.query_string().as_bytes())
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
}

/// `GET /console/login/sso?next=…`: sends somebody to the provider. Nothing changes here.
pub async fn leave(app: Shared, request: HttpRequest) -> HttpResponse {
    let settings = &app.config.sign_on;
    if !settings.is_set() {
        return super::super::not_found().error_response();
    }
    let next = asked(&request, "next").unwrap_or_default();
    let provider = match app.sign_on_provider().await {
        Ok(provider) => provider,
        Err(error) => return back_to_login(&app, &error),
    };
    let leaving =
        sign_on::leave(&app.keys, &provider, settings, &app.link(BACK), inside(&next), app.clock.now());
    match leaving {
        Ok(leaving) => {
            let mut answer = HttpResponse::SeeOther().insert_header((LOCATION, leaving.address)).finish();
            let _ = answer.add_cookie(&cookie(&app, leaving.cookie, Duration::milliseconds(AWAY_MS)));
            answer
        }
        Err(error) => back_to_login(&app, &error),
    }
}

/// `GET /console/login/sso/back?code=…&state=…`.
pub async fn back(app: Shared, request: HttpRequest, proxies: web::Data<Proxies>) -> HttpResponse {
    if !app.config.sign_on.is_set() {
        return super::super::not_found().error_response();
    }
    let mut answer = match enter(&app, &request, &proxies).await {
        Ok(answer) => answer,
        Err(error) => back_to_login(&app, &error),
    };
    let _ = answer.add_cookie(&cookie(&app, String::new(), Duration::ZERO));
    answer
}

async fn enter(app: &Shared, request: &HttpRequest, proxies: &Proxies) -> Result<HttpResponse, Error> {
    let now = app.clock.now();
    let kept = COOKIES.iter().find_map(|name| request.cookie(name));
    let kept = kept.ok_or(Error::Stray)?;
    let of = |name: &str| asked(request, name).unwrap_or_default();
    let (state, code, error, issuer) = (of("state"), of("code"), of("error"), asked(request, "iss"));
    let answered = Answered { state: &state, code: &code, error: &error, issuer: issuer.as_deref() };
    let provider = app.sign_on_provider().await?;
    let back = sign_on::come_back(&app.keys, &provider, kept.value(), &answered, now)?;
    let who = app.sign_on_identity(&back, &app.link(BACK)).await?;
    let browser = Browser::of(request, proxies);
    let language = request::language(request).unwrap_or_default();
    let settings = &app.config.sign_on;
    let (account, entered, is_new) =
        sign_on::enter(&app.stores.db, &app.keys, settings, &who, (language, &browser.origin()), now).await?;
    note(app, &account, is_new).await?;
    Ok(match entered {
        Entered::In(token) => login::enter_with(app, &token, &back.next),
        Entered::Asked(ticket) => login::second_step(app, request, StatusCode::OK, &ticket, &back.next, None),
    })
}

async fn note(app: &Shared, account: &Account, is_new: bool) -> storage::Result<()> {
    let now = app.clock.now();
    let mut tx = app.stores.db.begin().await?;
    if is_new {
        noted(&mut tx, By::Account(account.id), What::Joined, account.email.as_str(), now).await?;
    }
    noted(&mut tx, By::Account(account.id), What::SignedOn, account.email.as_str(), now).await?;
    tx.commit().await
}

/// What went wrong stands in the log, without names; the login says what to do.
fn back_to_login(app: &Shared, error: &Error) -> HttpResponse {
    if let Error::Storage(error) = error {
        tracing::error!(error = %error, "a sign-on failed");
        return Problem::new("store.unavailable", "Please try again in a moment.").error_response();
    }
    tracing::warn!(error = %error, sign_on.issuer = %app.config.sign_on.issuer, "somebody did not come in by signing on");
    let place = address(login::PATH, &[("problem", Some(error.word().to_owned()))]);
    HttpResponse::SeeOther().insert_header((LOCATION, place)).finish()
}

/// `Lax`, so that it comes along when the provider sends her back.
fn cookie(app: &Shared, value: String, age: Duration) -> Cookie<'static> {
    let is_secure = app.own_origin().starts_with("https://");
    let [secure, plain] = COOKIES;
    Cookie::build(if is_secure { secure } else { plain }, value)
        .path("/")
        .http_only(true)
        .secure(is_secure)
        .same_site(SameSite::Lax)
        .max_age(age)
        .finish()
}

/// What the login's page has to know of it; nothing if there is no provider.
pub fn told(app: &Shared, next: &str) -> serde_json::Value {
    let settings = &app.config.sign_on;
    if !settings.is_set() {
        return serde_json::Value::Null;
    }
    let farewell =
        app.sign_on_known().and_then(|provider| provider.farewell(settings, &app.link(login::PATH)));
    serde_json::json!({
        "name": settings.called(), "only": settings.only, "farewell": farewell,
        "href": address(PATH, &[("next", Some(inside(next).to_owned()))]),
    })
}
