//! The site's door: the scripts that pages load, and the hits that they report.

mod hit;
mod scripts;

use actix_web::{HttpResponse, web};

use super::cors;
use super::error::Problem;
use super::pages::reading;

/// Mounts the door for hits.
pub fn hits(doors: &mut web::ServiceConfig) {
    doors.service(
        web::resource("/v1/hit")
            .route(web::post().to(hit::take))
            .route(web::method(actix_web::http::Method::OPTIONS).to(cors::preflight_anybody))
            .default_service(web::to(|| async { Err::<HttpResponse, Problem>(super::not_found()) })),
    );
}

/// Mounts the scripts.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors
        .route("/e.js", reading().to(scripts::tracker))
        .route("/launcher.js", reading().to(scripts::launcher))
        .route("/chat.js", reading().to(scripts::chat))
        .route("/forms.js", reading().to(scripts::forms));
}
