//! The first account: for whoever has the link that the server prints when it starts and nobody may enter yet. Without the
//! link the page says where to find it.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde::Deserialize;
use serde_json::json;

use super::frame::see;
use super::login::{self, Browser, page};
use super::settings::noted;
use crate::accounts::{self, Entered, Error, Login, NewAccount, Role, SHORTEST_PASSWORD, first};
use crate::app::App;
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::http::Shared;
use crate::http::error::Problem;
use crate::http::request::{self, Proxies};
use crate::privacy::audit::{By, What};

/// Where the printed link leads.
pub const PATH: &str = "/console/setup";
/// Where the first steps stand.
const STEPS: &str = "/console/start";

/// The address to print when the server starts; none if there is an account.
///
/// # Errors
/// As the store says.
pub async fn link(app: &App) -> accounts::Result<Option<String>> {
    if !first::is_awaited(&mut app.stores.db.read()).await? {
        return Ok(None);
    }
    Ok(Some(app.link(&format!("{PATH}?token={}", first::token(&app.keys, app.clock.now())))))
}

fn asked(request: &HttpRequest, name: &str) -> String {
    url::form_urlencoded::parse(request.query_string().as_bytes())
        .find(|(known, _)| known == name)
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

/// `GET /console/setup?token=…`: looking at it makes nothing.
pub async fn show(app: Shared, request: HttpRequest) -> HttpResponse {
    let wanted = Wanted { token: asked(&request, "token"), ..Wanted::default() };
    form(&app, &request, &wanted, None).await
}

/// Who wants to be the first.
#[derive(Default, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    token: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    language: String,
}

async fn form(app: &Shared, request: &HttpRequest, wanted: &Wanted, problem: Option<&str>) -> HttpResponse {
    let reads = &mut app.stores.db.read();
    let is_awaited = match first::is_awaited(reads).await {
        Ok(is_awaited) => is_awaited,
        Err(error) => return Problem::from(error).error_response(),
    };
    if !is_awaited {
        return see(login::PATH);
    }
    let is_good = first::open_link(reads, &app.keys, &wanted.token, app.clock.now()).await.is_ok();
    let status = match (is_good, problem) {
        (true, None) => StatusCode::OK,
        (true, Some(_)) => StatusCode::UNPROCESSABLE_ENTITY,
        (false, _) => StatusCode::FORBIDDEN,
    };
    let context = json!({
        "is_good": is_good,
        "is_asked": !wanted.token.is_empty(),
        "token": if is_good { wanted.token.as_str() } else { "" },
        "email": wanted.email,
        "name": wanted.name,
        "shortest": SHORTEST_PASSWORD,
        "problem": problem,
    });
    page(app, language(request), status, "console/setup", &context)
}

fn language(request: &HttpRequest) -> Language {
    request::language(request).unwrap_or_default()
}

/// `POST /console/setup`: makes the account and lets its owner in.
pub async fn make(
    app: Shared,
    request: HttpRequest,
    proxies: web::Data<Proxies>,
    wanted: web::Form<Wanted>,
) -> HttpResponse {
    let now = app.clock.now();
    let new = NewAccount {
        email: &wanted.email,
        name: &wanted.name,
        role: Role::Admin,
        language: Language::of_tag(&wanted.language).unwrap_or_else(|| language(&request)),
        password: &wanted.password,
    };
    let made = first::make(&app.stores.db, &app.keys, &wanted.token, &new, now).await;
    let account = match made {
        Ok(account) => account,
        Err(Error::InvalidEmail(_)) => return form(&app, &request, &wanted, Some("email")).await,
        Err(Error::PasswordShort) => return form(&app, &request, &wanted, Some("password")).await,
        Err(Error::FirstOver) => return form(&app, &request, &wanted, None).await,
        Err(error) => return Problem::from(error).error_response(),
    };
    if let Err(error) = note(&app, &account, now).await {
        tracing::error!(error = %error, "that the first account was made cannot be written down");
    }
    let browser = Browser::of(&request, &proxies);
    let login = Login { email: account.email.as_str(), password: &wanted.password, from: browser.origin() };
    let stores = &app.stores;
    match accounts::log_in(&stores.db, &*stores.limits, &app.keys, &login, now).await {
        Ok(Entered::In(token)) => login::enter_with(&app, &token, STEPS),
        Ok(Entered::Asked(_)) => see(login::PATH),
        Err(error) => Problem::from(error).error_response(),
    }
}

async fn note(app: &Shared, account: &accounts::Account, now: Timestamp) -> crate::storage::Result<()> {
    let mut tx = app.stores.db.begin().await?;
    noted(&mut tx, By::Account(account.id), What::FirstAccount, account.email.as_str(), now).await?;
    tx.commit().await
}
