//! A link that we mailed was opened: on which device, and is it really she?
//!
//! Opening binds nobody: mails are forwarded, and programs open every link. On the device that asked for it the link
//! confirms; on one that is nobody's, or somebody else's, the page asks "Are you n•••@a•••?", and only her own yes ties the
//! device to her, as *clicked*: nothing stored of hers shows there. Whoever says no goes on as somebody else.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use crate::base::ids::VisitorId;
use crate::base::network::network_of;
use crate::base::time::zone;
use crate::contacts::Consent;
use crate::gates::{self, Device, Opened};
use crate::http::Shared;
use crate::http::error::Problem;
use crate::http::request::{Proxies, origin};
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

fn read(app: &Shared, request: &HttpRequest, body: &[u8]) -> Result<(Sent, VisitorId), Problem> {
    if origin(request).is_some_and(|origin| origin != app.own_origin()) {
        return Err(crate::sites::Error::ForeignOrigin.into());
    }
    let malformed = |why: String| Problem::new("request.malformed", why);
    let sent: Sent = serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))?;
    let visitor = VisitorId::parse(&sent.visitor).map_err(|error| malformed(error.to_string()))?;
    Ok((sent, visitor))
}

/// `POST /v1/confirm`: a page that was opened from a mail says on which device. Answers with the trust from now on, or with
/// what to ask.
pub(super) async fn confirm(
    app: Shared,
    request: HttpRequest,
    body: web::Bytes,
) -> Result<HttpResponse, Problem> {
    let (sent, visitor) = read(&app, &request, &body)?;
    let mut tx = app.stores.db.begin().await?;
    let opened = gates::confirm(&mut tx, &app.keys, &sent.token, visitor, app.clock.now()).await?;
    tx.commit().await?;
    Ok(HttpResponse::Ok().json(match opened {
        Opened::Hers(trust) => json!({ "trust": trust, "ask": null }),
        Opened::Asks { who, mark } => json!({ "trust": null, "ask": { "who": who, "mark": mark } }),
        Opened::Nothing => json!({ "trust": null, "ask": null }),
    }))
}

/// `POST /v1/confirm/answer`: somebody answered whether she is the one that the link was mailed to.
pub(super) async fn answer(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    body: web::Bytes,
) -> Result<HttpResponse, Problem> {
    let settings = &app.config.forms;
    let (quota, now) = (Quota { per_minute: settings.per_minute, burst: settings.burst }, app.clock.now());
    app.stores.limits.check("answers", &network_of(proxies.client(&request)), quota, now).await?;
    let (sent, visitor) = read(&app, &request, &body)?;
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
    let (visitor, trust) = answered;
    Ok(HttpResponse::Ok().json(json!({ "visitor": visitor, "trust": trust })))
}
