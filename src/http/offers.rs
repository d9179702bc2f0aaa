//! The doors of offers and of what campaigns cost.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::Shared;
use super::api::{authorised, is_about};
use super::error::Problem;
use crate::base::ids::ContactId;
use crate::offers::{self, Offer};
use crate::{campaigns, contacts};

/// Mounts the doors.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors
        .route("/api/v1/contacts/{contact}/offers", web::get().to(of_contact))
        .route("/api/v1/contacts/{contact}/offers/{offer}", web::post().to(claim))
        .route("/api/v1/offers/redeem", web::post().to(redeem))
        .service(
            web::resource("/api/v1/costs")
                .app_data(web::PayloadConfig::new(campaigns::MOST_BYTES))
                .route(web::post().to(import)),
        );
}

fn described(offer: &Offer) -> Json {
    json!({
        "id": offer.id, "title": offer.title, "text": offer.text, "until": offer.until, "quota": offer.quota,
    })
}

/// `GET /api/v1/contacts/{contact}/offers`: what she can take now, and what she has taken.
async fn of_contact(
    app: Shared,
    request: HttpRequest,
    contact: web::Path<ContactId>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let mut q = app.stores.db.read();
    contacts::find(&mut q, *contact).await?.ok_or(contacts::Error::Unknown)?;
    let open = offers::for_contact(&mut q, &app.lifecycle, &app.offers, *contact, app.clock.now()).await?;
    let claims = offers::claims_of(&mut q, *contact).await?;
    let is_taken = |offer: &&&Offer| claims.iter().any(|claim| claim.offer == offer.id);
    let open: Vec<Json> =
        open.iter().filter(|offer| !is_taken(offer)).map(|offer| described(offer)).collect();
    Ok(HttpResponse::Ok().json(json!({ "offers": open, "claims": claims })))
}

/// `POST /api/v1/contacts/{contact}/offers/{offer}`: gives her the code; the same one if it is asked for again.
async fn claim(
    app: Shared,
    request: HttpRequest,
    path: web::Path<(ContactId, String)>,
) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let (contact, offer) = path.into_inner();
    let mut tx = app.stores.db.begin().await?;
    contacts::find(&mut tx, contact).await?.ok_or(contacts::Error::Unknown)?;
    let now = app.clock.now();
    let claim = offers::claim(&mut tx, &app.lifecycle, &app.offers, &offer, contact, now).await?;
    tx.commit().await?;
    Ok(HttpResponse::Ok().json(claim))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    code: String,
}

/// `POST /api/v1/offers/redeem` with `{"code": "FARO-…"}`: uses a code up.
async fn redeem(app: Shared, request: HttpRequest, body: web::Json<Code>) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let mut tx = app.stores.db.begin().await?;
    let claim = offers::redeem(&mut tx, &body.code, app.clock.now()).await?;
    tx.commit().await?;
    is_about(&request, claim.contact);
    Ok(HttpResponse::Ok().json(claim))
}

/// `POST /api/v1/costs`: what campaigns cost, as CSV (`day,source,campaign,amount,currency`). Bad lines are told with their
/// number, good ones are taken; the same file twice changes nothing.
async fn import(app: Shared, request: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let (lines, unusable) = campaigns::read(&body)?;
    let mut tx = app.stores.db.begin().await?;
    let imported = campaigns::import(&mut tx, &lines, unusable).await?;
    tx.commit().await?;
    Ok(HttpResponse::Ok().json(imported))
}
