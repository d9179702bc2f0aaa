//! Setting a password by a link that was mailed: for whoever was invited, and for whoever has forgotten hers. These pages are
//! open to everybody, and tell nobody who has an account.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde::Deserialize;
use serde_json::json;

use super::login::page;
use super::settings::{accounts as team, noted};
use super::sign_on;
use crate::accounts::{Error, SHORTEST_PASSWORD, passwords};
use crate::base::language::Language;
use crate::base::network::network_of;
use crate::http::Shared;
use crate::http::error::Problem;
use crate::http::request::{self, Proxies};
use crate::notify::Mail;
use crate::privacy::audit::{By, What};

/// Where a link for a forgotten password is asked for.
pub const FORGOT: &str = "/console/forgot";
/// Where such a link, and an invitation, leads.
pub const PATH: &str = "/console/password";

fn asked(request: &HttpRequest, name: &str) -> String {
    url::form_urlencoded::parse(request.query_string().as_bytes())
        .find(|(known, _)| known == name)
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

fn language(request: &HttpRequest) -> Language {
    request::language(request).unwrap_or_default()
}

/// `GET /console/forgot`.
pub async fn ask(app: Shared, request: HttpRequest) -> HttpResponse {
    forgot_page(&app, &request, StatusCode::OK, false, None)
}

fn forgot_page(
    app: &Shared,
    request: &HttpRequest,
    status: StatusCode,
    is_sent: bool,
    problem: Option<&str>,
) -> HttpResponse {
    let leaves = app.desk.mailer.leaves();
    let context = json!({ "is_sent": is_sent, "leaves": leaves, "problem": problem });
    page(app, language(request), status, "console/forgot", &context)
}

/// Whose password is forgotten.
#[derive(Deserialize)]
pub struct Forgotten {
    #[serde(default)]
    email: String,
}

/// `POST /console/forgot`: the answer is the same for every address.
pub async fn send(
    app: Shared,
    request: HttpRequest,
    proxies: web::Data<Proxies>,
    forgotten: web::Form<Forgotten>,
) -> HttpResponse {
    match plan(&app, &network_of(proxies.client(&request)), &forgotten.email).await {
        Ok(()) => forgot_page(&app, &request, StatusCode::OK, true, None),
        Err(problem) if problem.code() == "limit.too_many" => {
            forgot_page(&app, &request, StatusCode::TOO_MANY_REQUESTS, false, Some("limited"))
        }
        Err(problem) => problem.error_response(),
    }
}

async fn plan(app: &Shared, network: &str, email: &str) -> Result<(), Problem> {
    let (stores, now) = (&app.stores, app.clock.now());
    let asked = passwords::forgotten(&stores.db, &*stores.limits, email, network, now).await?;
    if let Some(account) = asked {
        let mut tx = stores.db.begin().await?;
        team::plan(&mut tx, Mail::PasswordReset { account, asked_at: now }, account, now).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// `GET /console/password?token=…`: looking at it uses nothing up.
pub async fn show(app: Shared, request: HttpRequest) -> HttpResponse {
    form(&app, &request, &asked(&request, "token"), None).await
}

async fn form(app: &Shared, request: &HttpRequest, token: &str, problem: Option<&str>) -> HttpResponse {
    match passwords::open_link(&app.stores.db, &app.keys, token, app.clock.now()).await {
        Ok(account) => {
            let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
            let context = json!({
                "is_over": false, "token": token, "email": account.email, "shortest": SHORTEST_PASSWORD,
                "problem": problem,
            });
            page(app, account.language, status, "console/password", &context)
        }
        Err(Error::LinkOver) => {
            let context = json!({
                "is_over": true, "token": "", "email": "", "shortest": SHORTEST_PASSWORD, "problem": null,
            });
            page(app, language(request), StatusCode::GONE, "console/password", &context)
        }
        Err(error) => Problem::from(error).error_response(),
    }
}

/// The password to come.
#[derive(Deserialize)]
pub struct Chosen {
    #[serde(default)]
    token: String,
    #[serde(default)]
    password: String,
}

/// `POST /console/password`.
pub async fn set(app: Shared, request: HttpRequest, chosen: web::Form<Chosen>) -> HttpResponse {
    let now = app.clock.now();
    match passwords::set_by_link(&app.stores.db, &app.keys, &chosen.token, &chosen.password, now).await {
        Ok(account) => {
            let written = async {
                let mut tx = app.stores.db.begin().await?;
                let by = By::Account(account.id);
                noted(&mut tx, by, What::PasswordSet, account.email.as_str(), now).await?;
                tx.commit().await
            };
            if let Err(error) = written.await {
                tracing::error!(error = %error, "that a password was set cannot be written down");
            }
            let context = json!({
                "problem": null, "done": "password_set", "email": account.email, "next": "/console", "left": false,
                "sign_on": sign_on::told(&app, "/console"),
            });
            page(&app, account.language, StatusCode::OK, "console/login", &context)
        }
        Err(Error::PasswordShort) => form(&app, &request, &chosen.token, Some("short")).await,
        Err(Error::LinkOver) => form(&app, &request, "", None).await,
        Err(error) => Problem::from(error).error_response(),
    }
}
