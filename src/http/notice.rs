//! `GET /privacy`: why data of people are used, on which ground, and who handles them. Anybody may read it.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::Shared;
use super::pages::{Frame, reading};

/// Mounts the door.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors.service(web::resource("/privacy").route(reading().to(show)));
}

async fn show(app: Shared, request: HttpRequest) -> HttpResponse {
    let frame = Frame::of(&app, &request, None);
    let told = app.privacy_told(frame.language);
    let site = frame.site.map_or("", |site| site.key.as_str());
    let fields = json!({
        "controller": told.controller,
        "purposes": told.purposes,
        "processors": told.processors,
        "preferences": format!("/preferences?site={site}&lang={}", frame.language.code()),
    });
    frame.page(StatusCode::OK, "pages/privacy", fields)
}
