//! `POST /v1/hit`.

use actix_web::http::header::{ContentType, HeaderName, HeaderValue, USER_AGENT, X_CONTENT_TYPE_OPTIONS};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};

use crate::hits;
use crate::http::error::Problem;
use crate::http::request::{Proxies, header, origin};
use crate::http::{Shared, cors};
use crate::ingest::Sender;
use crate::storage::limits::Quota;

/// Takes one hit or a list; answers 202 when they are on disk.
pub async fn take(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    body: web::Payload,
) -> HttpResponse {
    let mut response = match taken(&app, &proxies, &request, body).await {
        Ok(response) => response,
        Err(problem) => problem.error_response(),
    };
    cors::anybody(response.headers_mut());
    response
}

async fn taken(
    app: &Shared,
    proxies: &Proxies,
    request: &HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Problem> {
    let now = app.clock.now();
    let settings = &app.config.collector;
    let address = proxies.client(request);
    let quota = Quota { per_minute: settings.hits_per_minute, burst: settings.hits_burst };
    app.stores.limits.check_address("hits", address, quota, now).await?;
    let body = body
        .to_bytes_limited(settings.body_bytes)
        .await
        .map_err(|_| Problem::new("request.too_large", format!("At most {} bytes.", settings.body_bytes)))?
        .map_err(|error| Problem::new("request.malformed", error.to_string()))?;
    let hits = hits::parse(&body, settings.batch, now)?;
    for hit in &hits {
        let site = app.sites.find_for(&hit.site, origin(request), app.own_origin())?;
        if !site.allows_origin(hit.url.origin()) && hit.url.origin() != app.own_origin() {
            return Err(crate::sites::Error::ForeignOrigin.into());
        }
    }
    let sender = Sender { address, user_agent: header(request, USER_AGENT) };
    let taken = app.collector.take(hits, sender, now).await?;
    let asks = taken.has_page && taken.bot_reason.is_none();
    let chat = if asks { r#","chat":"ask""# } else { "" };
    let mut response = HttpResponse::Accepted()
        .insert_header(ContentType::json())
        .insert_header((X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .body(format!(r#"{{"accepted":{}{chat}}}"#, taken.accepted));
    if let Some(reason) = taken.bot_reason {
        let name = HeaderName::from_static("x-embudo-dropped");
        response.headers_mut().insert(name, HeaderValue::from_static(reason));
    }
    Ok(response)
}
