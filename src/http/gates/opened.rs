//! A link that we mailed was opened: on which device, and is it really she?
//!
//! Opening binds nobody: mails are forwarded, and programs open every link. On the device that asked for it the link
//! confirms; on one that is nobody's, or somebody else's, the page asks "Are you n•••@a•••?", and only her own yes ties the
//! device to her, as *clicked*: nothing stored of hers shows there. Whoever says no goes on as somebody else.
//!
//! A browser keeps one visitor for each origin: that of our pages is not that of a site elsewhere. So links from mails to the
//! site's pages carry a token of their own (`gates::passage`), which the snippet tells from there, with the visitor of there.
//! It has no place to ask; that the chat does.

use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde::Deserialize;
use serde_json::json;

use crate::base::ids::VisitorId;
use crate::base::network::network_of;
use crate::base::time::zone;
use crate::contacts::Consent;
use crate::gates::{self, Device, Opened, asked};
use crate::http::error::Problem;
use crate::http::request::{Proxies, origin};
use crate::http::{Shared, cors};
use crate::sites;
use crate::storage::limits::Quota;

/// What the page of a link sends.
#[derive(Deserialize)]
struct Sent {
    token: String,
    visitor: String,
    #[serde(default)]
    consent: String,
    #[serde(default)]
    zone: String,
    /// `yes` or `no`, as an answer.
    #[serde(default)]
    answer: String,
}

fn read(body: &[u8]) -> Result<(Sent, VisitorId), Problem> {
    let malformed = |why: String| Problem::new("request.malformed", why);
    let sent: Sent = serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))?;
    let visitor = VisitorId::parse(&sent.visitor).map_err(|error| malformed(error.to_string()))?;
    Ok((sent, visitor))
}

/// `POST /v1/confirm`: a page that was opened from a mail, ours or a site's, says on which device. Answers with the trust
/// from now on, or with what to ask.
pub(super) async fn confirm(app: Shared, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let mut response =
        confirmed(&app, &request, &body).await.unwrap_or_else(|problem| problem.error_response());
    cors::sites(&app, &request, response.headers_mut());
    response
}

async fn confirmed(app: &Shared, request: &HttpRequest, body: &[u8]) -> Result<HttpResponse, Problem> {
    let is_ours = |origin: &str| origin == app.own_origin() || app.sites.any_allows_origin(origin);
    if origin(request).is_some_and(|origin| !is_ours(origin)) {
        return Err(sites::Error::ForeignOrigin.into());
    }
    let (sent, visitor) = read(body)?;
    let now = app.clock.now();
    let mut tx = app.stores.db.begin().await?;
    let opened = gates::confirm(&mut tx, &app.keys, &sent.token, visitor, now).await?;
    tx.commit().await?;
    Ok(HttpResponse::Ok().json(match opened {
        Opened::Hers(trust) => json!({ "trust": trust, "ask": null }),
        Opened::Asks(question) => {
            // The page may ask by itself; where it cannot, the chat does.
            if let Err(error) = asked::remember(&*app.stores.hot, visitor, &sent.token, now).await {
                tracing::warn!(error = %error, "that somebody is to be asked who she is was not noted");
            }
            json!({ "trust": null, "ask": question })
        }
        Opened::Nothing => json!({ "trust": null, "ask": null }),
    }))
}

/// `POST /v1/confirm/answer`: on a page of ours somebody answered whether she is the one that the link was mailed to.
pub(super) async fn answer(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    body: web::Bytes,
) -> Result<HttpResponse, Problem> {
    let settings = &app.config.forms;
    let (quota, now) = (Quota { per_minute: settings.per_minute, burst: settings.burst }, app.clock.now());
    app.stores.limits.check("answers", &network_of(proxies.client(&request)), quota, now).await?;
    if origin(&request).is_some_and(|origin| origin != app.own_origin()) {
        return Err(sites::Error::ForeignOrigin.into());
    }
    let (sent, visitor) = read(&body)?;
    let consent = Consent::of_word(&sent.consent);
    if consent == Consent::None {
        return Err(Problem::new(
            "identity.consent_needed",
            "Only a device that agreed to be known again can be somebody's: send `consent` and `visitor`.",
        ));
    }
    let is_she = match sent.answer.as_str() {
        "yes" => true,
        "no" => false,
        _ => return Err(Problem::new("request.malformed", "`answer` is `yes` or `no`.")),
    };
    let site = app.sites.all().next().map_or("", |site| site.key.as_str());
    let device = Device {
        visitor,
        consent,
        site,
        time_zone: Some(sent.zone.as_str()).filter(|name| zone(name).is_some()),
    };
    let mut tx = app.stores.db.begin().await?;
    let (lifecycle, keys) = (&app.lifecycle, &app.keys);
    let answered = gates::answered(&mut tx, lifecycle, keys, &sent.token, &device, is_she, now).await?;
    tx.commit().await?;
    if let Err(error) = asked::forget(&*app.stores.hot, visitor).await {
        tracing::warn!(error = %error, "that somebody has said who she is was not noted");
    }
    let (visitor, trust) = answered;
    Ok(HttpResponse::Ok().json(json!({ "visitor": visitor, "trust": trust })))
}
