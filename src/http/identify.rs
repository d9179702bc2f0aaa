//! Who sits at a device: claimed by the page, proved by a code from the mailbox, or vouched for by the host site.
//!
//! The answer to a claim is the same whether the address is known or not.

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde::Deserialize;
use serde_json::json;

use super::error::Problem;
use super::request::{Proxies, origin};
use super::{Shared, cors};
use crate::base::email::Email;
use crate::base::ids::{ContactId, VisitorId};
use crate::base::language::Language;
use crate::base::network::network_of;
use crate::base::time::zone;
use crate::contacts::host::{self, Vouched};
use crate::contacts::{self, Consent, Identification, Identified, Trust, codes, token};
use crate::sites::Site;
use crate::stages;
use crate::storage::db::Tx;
use crate::storage::limits::Quota;

/// Largest body.
const BODY_MOST: usize = 16 * 1024;

/// Mounts the doors.
pub fn routes(doors: &mut web::ServiceConfig) {
    let preflight = || web::method(Method::OPTIONS).to(cors::preflight);
    doors
        .service(web::resource("/v1/identify").route(web::post().to(identify)).route(preflight()))
        .service(web::resource("/v1/identify/code").route(web::post().to(ask)).route(preflight()))
        .service(web::resource("/v1/identify/confirm").route(web::post().to(confirm)).route(preflight()));
}

/// Who the page says it is: a token of the host, or an address.
#[derive(Deserialize)]
#[serde(untagged)]
enum To {
    Token(String),
    Claim { email: String },
}

/// What a page sends.
#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    site: String,
    #[serde(default)]
    visitor: Option<String>,
    #[serde(default)]
    consent: String,
    #[serde(default)]
    language: String,
    #[serde(default)]
    zone: Option<String>,
    #[serde(default)]
    email: Option<String>,
    /// For `/v1/identify`.
    #[serde(default)]
    to: Option<To>,
    #[serde(default)]
    code: Option<String>,
}

/// A request whose site, device and consent are known to be in order.
struct Coming<'a> {
    site: &'a Site,
    visitor: VisitorId,
    consent: Consent,
    language: Language,
    zone: Option<&'a str>,
}

impl Coming<'_> {
    fn who<'a>(&'a self, email: &'a Email, trust: Trust) -> Identification<'a> {
        Identification {
            email,
            visitor: Some(self.visitor),
            site: &self.site.key,
            trust,
            consent: self.consent,
            language: self.language,
            time_zone: self.zone,
        }
    }
}

fn read(body: &[u8]) -> Result<Sent, Problem> {
    if body.len() > BODY_MOST {
        return Err(Problem::new("request.too_large", format!("At most {BODY_MOST} bytes.")));
    }
    serde_json::from_slice(body).map_err(|error| Problem::unread("request.malformed", &error))
}

fn coming<'a>(app: &'a Shared, request: &HttpRequest, sent: &'a Sent) -> Result<Coming<'a>, Problem> {
    let site = app.sites.find_for(&sent.site, origin(request), app.own_origin())?;
    let consent = Consent::of_word(&sent.consent);
    let visitor = sent.visitor.as_deref().and_then(|text| VisitorId::parse(text).ok());
    let Some(visitor) = visitor.filter(|_| consent != Consent::None) else {
        return Err(Problem::new(
            "identity.consent_needed",
            "Only a device that agreed to be known again can be somebody's: send `consent` and `visitor`.",
        ));
    };
    Ok(Coming {
        site,
        visitor,
        consent,
        language: Language::of_tag(&sent.language).unwrap_or(site.language),
        zone: sent.zone.as_deref().filter(|name| zone(name).is_some()),
    })
}

fn address(text: &str) -> Result<Email, Problem> {
    Email::parse(text).map_err(|_| {
        Problem::new("identity.email_invalid", "Give `email`, an address that can be written to.")
    })
}

/// Pages say who it is on every view, so this may happen as often as a hit.
async fn limit_views(app: &Shared, proxies: &Proxies, request: &HttpRequest) -> Result<(), Problem> {
    let settings = &app.config.collector;
    let quota = Quota { per_minute: settings.hits_per_minute, burst: settings.hits_burst };
    let address = proxies.client(request);
    Ok(app.stores.limits.check_address("identify", address, quota, app.clock.now()).await?)
}

/// Codes are asked for and typed by people: as often as forms are sent.
async fn limit_codes(app: &Shared, proxies: &Proxies, request: &HttpRequest) -> Result<(), Problem> {
    let settings = &app.config.forms;
    let quota = Quota { per_minute: settings.per_minute, burst: settings.burst };
    let network = network_of(proxies.client(request));
    Ok(app.stores.limits.check("identity_codes", &network, quota, app.clock.now()).await?)
}

fn finished(app: &Shared, request: &HttpRequest, answer: Result<HttpResponse, Problem>) -> HttpResponse {
    let mut response = answer.unwrap_or_else(|problem| problem.error_response());
    cors::sites(app, request, response.headers_mut());
    response
}

/// `POST /v1/identify`: `to` is a token, by which the host site vouches, or `{email}`, which the page claims.
async fn identify(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    body: web::Bytes,
) -> HttpResponse {
    let answer = async {
        limit_views(&app, &proxies, &request).await?;
        let sent = read(&body)?;
        let coming = coming(&app, &request, &sent)?;
        match &sent.to {
            Some(To::Token(token)) => vouched(&app, &coming, token).await,
            Some(To::Claim { email }) => claimed(&app, &coming, &address(email)?).await,
            None => Err(Problem::new("request.malformed", "Give `to`: a token of the host, or {email}.")),
        }
    };
    let answer = answer.await;
    finished(&app, &request, answer)
}

async fn claimed(app: &Shared, coming: &Coming<'_>, email: &Email) -> Result<HttpResponse, Problem> {
    // Pages claim on every view: what is known already costs no write.
    let held = contacts::holder(&mut app.stores.db.read(), coming.visitor).await?;
    if let Some((_, trust)) = held.filter(|(contact, _)| contact.email == *email) {
        return Ok(told(coming.visitor, trust));
    }
    let mut tx = app.stores.db.begin().await?;
    let identified = claim(app, &mut tx, coming, email).await?;
    tx.commit().await?;
    let held = contacts::holder(&mut app.stores.db.read(), identified.visitor).await?;
    Ok(told(identified.visitor, held.map_or(Trust::Claimed, |(_, trust)| trust)))
}

async fn claim(app: &Shared, tx: &mut Tx, coming: &Coming<'_>, email: &Email) -> Result<Identified, Problem> {
    let now = app.clock.now();
    let was = contacts::holder(tx, coming.visitor).await?;
    let identified = contacts::identify(tx, &coming.who(email, Trust::Claimed), now).await?;
    let contact = identified.contact.id;
    if was.is_none_or(|(known, _)| known.id != contact) {
        note(app, tx, contact, identified.visitor, "claim").await?;
    }
    Ok(identified)
}

/// Records how a device came to be somebody's, and asks the lifecycle.
async fn note(
    app: &Shared,
    tx: &mut Tx,
    contact: ContactId,
    visitor: VisitorId,
    by: &str,
) -> Result<(), Problem> {
    let now = app.clock.now();
    let kind = format!("identified.{by}");
    contacts::record(tx, Some(contact), Some(visitor), &kind, None, json!({}), now).await?;
    stages::evaluate(tx, &app.lifecycle, contact, now).await?;
    Ok(())
}

fn told(visitor: VisitorId, trust: Trust) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "visitor": visitor, "trust": trust }))
}

async fn vouched(app: &Shared, coming: &Coming<'_>, token: &str) -> Result<HttpResponse, Problem> {
    let now = app.clock.now();
    let user = token::read(token, &coming.site.identity_secret, &coming.site.key, now)?;
    let mut tx = app.stores.db.begin().await?;
    let was = contacts::holder(&mut tx, coming.visitor).await?;
    let who = coming.who(&user.email, Trust::Authenticated);
    let answer = match host::vouch(&mut tx, &user, &who, now).await? {
        Vouched::Identified(identified) => {
            let contact = identified.contact.id;
            if was.is_none_or(|(known, trust)| known.id != contact || trust < Trust::Authenticated) {
                note(app, &mut tx, contact, identified.visitor, "host").await?;
            }
            Ok(told(identified.visitor, Trust::Authenticated))
        }
        Vouched::Contested { visitor } => Err(Problem::new(
            "identity.contested",
            "The address belongs to another user of this site. Somebody of the company has to say who is who.",
        )
        .with("visitor", json!(visitor))),
    };
    tx.commit().await?;
    answer
}

/// `POST /v1/identify/code`: mails six digits to an address.
async fn ask(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    body: web::Bytes,
) -> HttpResponse {
    let answer = async {
        limit_codes(&app, &proxies, &request).await?;
        let sent = read(&body)?;
        let coming = coming(&app, &request, &sent)?;
        let email = address(sent.email.as_deref().unwrap_or_default())?;
        let now = app.clock.now();
        let mut tx = app.stores.db.begin().await?;
        let identified = claim(&app, &mut tx, &coming, &email).await?;
        let (contact, visitor) = (identified.contact.id, identified.visitor);
        codes::ask(&mut tx, contact, visitor, coming.language, now).await?;
        tx.commit().await?;
        let (digits, minutes) = (6, codes::LIFE_MS / 60_000);
        Ok(HttpResponse::Accepted().json(json!({"visitor": visitor, "digits": digits, "minutes": minutes})))
    };
    let answer = answer.await;
    finished(&app, &request, answer)
}

/// `POST /v1/identify/confirm`: takes the digits.
async fn confirm(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    body: web::Bytes,
) -> HttpResponse {
    let answer = async {
        limit_codes(&app, &proxies, &request).await?;
        let sent = read(&body)?;
        let coming = coming(&app, &request, &sent)?;
        let mut tx = app.stores.db.begin().await?;
        // Whose code it is, the device knows: an address typed again could only name somebody else.
        let held = contacts::holder(&mut tx, coming.visitor).await?;
        let Some((contact, _)) = held else { return Err(codes::Error::Over.into()) };
        let typed = sent.code.as_deref().unwrap_or_default();
        let now = app.clock.now();
        let proved = codes::prove(&mut tx, &app.keys, contact.id, coming.visitor, typed, now).await?;
        if proved.is_ok() {
            note(&app, &mut tx, contact.id, coming.visitor, "code").await?;
        }
        tx.commit().await?;
        Ok(told(coming.visitor, proved?))
    };
    let answer = answer.await;
    finished(&app, &request, answer)
}
