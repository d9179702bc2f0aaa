//! One's own account: password, second factor, sessions.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use qrcodegen::{QrCode, QrCodeEcc};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::super::frame::{Reader, see, see_done};
use super::super::guard::session_token;
use super::note;
use crate::accounts::factor::SetUp;
use crate::accounts::{self, Error, factor, passwords};
use crate::base::signing::sha256_hex;
use crate::http::error::Problem;
use crate::notify::push;
use crate::privacy::audit::What;

/// The page itself.
const PATH: &str = "/console/account";
/// The page of the second factor.
pub const FACTOR: &str = "/console/account/second-factor";
/// Modules of white around a QR code (ISO/IEC 18004, 9.1).
const QUIET: i32 = 4;

/// `GET /console/account`.
pub async fn show(reader: Reader, request: HttpRequest) -> Result<HttpResponse, Problem> {
    page(&reader, &request, StatusCode::OK, None).await
}

async fn page(
    reader: &Reader,
    request: &HttpRequest,
    status: StatusCode,
    problem: Option<&str>,
) -> Result<HttpResponse, Problem> {
    let own = sha256_hex(session_token(request).unwrap_or_default());
    let db = &reader.app.stores.db;
    let devices = accounts::devices(db, reader.account.id, reader.now).await?;
    let devices: Vec<Json> = devices
        .into_iter()
        .map(|device| {
            json!({
                "is_this": device.id == own, "id": device.id, "since": device.since,
                "last_seen_at": device.last_seen_at, "network": device.network, "browser": device.browser,
                "system": device.system,
            })
        })
        .collect();
    let body = json!({
        "sessions": devices,
        "has_others": devices.len() > 1,
        "factor_since": reader.account.second_factor_since,
        "codes_left": factor::codes_left(&mut db.read(), reader.account.id).await?,
        "is_demanded": reader.app.config.accounts.demands_factor(reader.account.role.word()),
        "shortest": accounts::SHORTEST_PASSWORD,
        "problem": problem,
    });
    reader.page_with(status, "console/account", body).await
}

/// The password before and the one to come.
#[derive(Deserialize)]
pub struct Change {
    #[serde(default)]
    current: String,
    #[serde(default)]
    password: String,
}

/// `POST /console/account/password`.
pub async fn password(
    reader: Reader,
    request: HttpRequest,
    change: web::Form<Change>,
) -> Result<HttpResponse, Problem> {
    let token = session_token(&request).unwrap_or_default();
    let stores = &reader.app.stores;
    let both = (change.current.as_str(), change.password.as_str());
    let changed =
        passwords::change(&stores.db, &*stores.limits, &reader.account, both, &token, reader.now).await;
    if let Err(error) = changed {
        let (status, word) = refusal(error)?;
        return page(&reader, &request, status, Some(word)).await;
    }
    let mut tx = stores.db.begin().await?;
    note(&mut tx, &reader, What::PasswordChanged, reader.account.email.as_str()).await?;
    tx.commit().await?;
    Ok(see_done(PATH, "password"))
}

/// What is said beside the form; other errors are pages of their own.
fn refusal(error: Error) -> Result<(StatusCode, &'static str), Problem> {
    match error {
        Error::PasswordWrong => Ok((StatusCode::UNPROCESSABLE_ENTITY, "password_wrong")),
        Error::PasswordShort => Ok((StatusCode::UNPROCESSABLE_ENTITY, "password_short")),
        Error::CodeWrong => Ok((StatusCode::UNPROCESSABLE_ENTITY, "code_wrong")),
        Error::TooMany(_) => Ok((StatusCode::TOO_MANY_REQUESTS, "too_many")),
        error => Err(error.into()),
    }
}

/// `POST /console/account/sessions/{session}/end`.
pub async fn end(reader: Reader, session: web::Path<String>) -> Result<HttpResponse, Problem> {
    let mut tx = reader.app.stores.db.begin().await?;
    accounts::end_device(&mut tx, reader.account.id, &session).await?;
    push::forget_session(&mut tx, &session).await?;
    tx.commit().await?;
    Ok(see_done(PATH, "session_ended"))
}

/// `POST /console/account/sessions/end`: all but the one that asks.
pub async fn end_others(reader: Reader, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let token = session_token(&request).unwrap_or_default();
    let mut tx = reader.app.stores.db.begin().await?;
    accounts::end_other_devices(&mut tx, reader.account.id, &token).await?;
    tx.commit().await?;
    Ok(see_done(PATH, "sessions_ended"))
}

/// `GET /console/account/second-factor`.
pub async fn second_factor(reader: Reader) -> Result<HttpResponse, Problem> {
    factor_page(&reader, StatusCode::OK, None, &[]).await
}

async fn factor_page(
    reader: &Reader,
    status: StatusCode,
    problem: Option<&str>,
    codes: &[String],
) -> Result<HttpResponse, Problem> {
    let (app, account) = (&reader.app, &reader.account);
    let reads = &mut app.stores.db.read();
    // What was just put to use is not in the session's copy of the account.
    let since = accounts::find(reads, account.id).await?.and_then(|account| account.second_factor_since);
    let company = &app.config.company.name;
    let waiting = factor::waiting(reads, &app.keys, account.id, &account.email, company).await?;
    let body = json!({
        "since": since,
        "waiting": waiting.as_ref().map(|set_up| json!({
            "secret": set_up.secret, "address": set_up.address, "qr": qr(set_up),
        })),
        "codes": codes,
        "codes_left": factor::codes_left(reads, account.id).await?,
        "is_demanded": app.config.accounts.demands_factor(account.role.word()),
        "problem": problem,
    });
    reader.page_with(status, "console/second_factor", body).await
}

/// The picture of an address: the edge of its square, and the path of its dark modules; none if it is too long for one.
fn qr(set_up: &SetUp) -> Option<Json> {
    let code = QrCode::encode_text(&set_up.address, QrCodeEcc::Medium).ok()?;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            path.push_str(&format!("M{},{}h1v1h-1z", x + QUIET, y + QUIET));
        }
    }
    Some(json!({ "edge": code.size() + 2 * QUIET, "path": path }))
}

/// `POST /console/account/second-factor`: begin.
pub async fn begin_factor(reader: Reader) -> Result<HttpResponse, Problem> {
    let mut tx = reader.app.stores.db.begin().await?;
    factor::begin(&mut tx, &reader.app.keys, reader.account.id).await?;
    tx.commit().await?;
    Ok(see(FACTOR))
}

/// The code that the phone shows.
#[derive(Deserialize)]
pub struct Code {
    #[serde(default)]
    code: String,
}

/// `POST /console/account/second-factor/confirm`: the first right code puts it to use. The recovery codes are shown now and
/// never again.
pub async fn confirm_factor(reader: Reader, code: web::Form<Code>) -> Result<HttpResponse, Problem> {
    let (app, id) = (&reader.app, reader.account.id);
    let mut tx = app.stores.db.begin().await?;
    let confirmed =
        factor::confirm(&mut tx, &*app.stores.limits, &app.keys, id, &code.code, reader.now).await;
    let codes = match confirmed {
        Ok(codes) => codes,
        Err(error) => {
            drop(tx);
            let (status, word) = refusal(error)?;
            return factor_page(&reader, status, Some(word), &[]).await;
        }
    };
    note(&mut tx, &reader, What::FactorOn, reader.account.email.as_str()).await?;
    tx.commit().await?;
    factor_page(&reader, StatusCode::OK, None, &codes).await
}

/// The password once more, for what whoever finds an open session must not do.
#[derive(Deserialize)]
pub struct Certain {
    #[serde(default)]
    password: String,
}

/// `POST /console/account/second-factor/codes`: new recovery codes.
pub async fn renew_codes(reader: Reader, certain: web::Form<Certain>) -> Result<HttpResponse, Problem> {
    if let Some(refused) = refused(&reader, &certain).await? {
        return Ok(refused);
    }
    if reader.account.second_factor_since.is_none() {
        return Err(Error::FactorState.into());
    }
    let (app, id) = (&reader.app, reader.account.id);
    let mut tx = app.stores.db.begin().await?;
    let codes = factor::renew(&mut tx, &app.keys, id, reader.now).await?;
    note(&mut tx, &reader, What::CodesRenewed, reader.account.email.as_str()).await?;
    tx.commit().await?;
    factor_page(&reader, StatusCode::OK, None, &codes).await
}

/// `POST /console/account/second-factor/off`.
pub async fn end_factor(reader: Reader, certain: web::Form<Certain>) -> Result<HttpResponse, Problem> {
    if let Some(refused) = refused(&reader, &certain).await? {
        return Ok(refused);
    }
    let mut tx = reader.app.stores.db.begin().await?;
    factor::end(&mut tx, reader.account.id).await?;
    note(&mut tx, &reader, What::FactorOff, reader.account.email.as_str()).await?;
    tx.commit().await?;
    Ok(see_done(FACTOR, "factor_off"))
}

/// The page with a word about why, if the password is not the account's.
async fn refused(reader: &Reader, certain: &Certain) -> Result<Option<HttpResponse>, Problem> {
    let stores = &reader.app.stores;
    let confirmed =
        passwords::confirm(&stores.db, &*stores.limits, &reader.account, &certain.password, reader.now).await;
    match confirmed {
        Ok(()) => Ok(None),
        Err(error) => {
            let (status, word) = refusal(error)?;
            factor_page(reader, status, Some(word), &[]).await.map(Some)
        }
    }
}
