//! The chat's doors: what is offered, opening, saying, and the log as a stream or by long poll.

mod after;
mod doors;
mod follow;
mod hosted;
mod hub;
mod refusal;
mod stream;

pub use follow::{BEAT, Following, Frame, Piece};
pub use hub::{Counts, Hub};

use actix_web::web;

use super::cors;
use super::pages::reading;

/// Largest body that these doors read: 2,000 characters of four bytes each, and what stands around them.
const BODY_BYTES: usize = 16 * 1024;

/// Mounts the doors. `hub` wakes the streams of this process.
pub fn routes(doors: &mut web::ServiceConfig) {
    let preflight = || web::method(actix_web::http::Method::OPTIONS).to(cors::preflight);
    let post = |path: &str| {
        web::resource(path.to_owned()).app_data(web::PayloadConfig::new(BODY_BYTES)).route(preflight())
    };
    doors
        .service(web::resource("/chat").route(reading().to(hosted::page)))
        .service(web::resource("/chat/{flow}").route(reading().to(hosted::of_flow)))
        .service(
            web::resource("/chat/go/{token}")
                .route(reading().to(hosted::ask))
                .route(web::post().to(hosted::go_on)),
        )
        .service(post("/v1/chat/trigger").route(web::post().to(doors::trigger)))
        .service(post("/v1/chat/called").route(web::post().to(doors::called)))
        .service(post("/v1/chat").route(web::post().to(doors::open)))
        .service(post("/v1/chat/{conversation}/messages").route(web::post().to(doors::say)))
        .service(post("/v1/chat/{conversation}/watch").route(web::post().to(doors::watch)))
        .service(post("/v1/chat/{conversation}/event").route(web::post().to(doors::event)))
        .service(post("/v1/chat/{conversation}/typing").route(web::post().to(doors::typing)))
        .service(post("/v1/chat/{conversation}/read").route(web::post().to(doors::read)))
        .service(post("/v1/chat/{conversation}/whose").route(web::post().to(doors::answer)))
        .service(post("/v1/chat/{conversation}/rating").route(web::post().to(after::rate)))
        .service(post("/v1/chat/{conversation}/transcript").route(web::post().to(after::transcript)))
        .service(post("/v1/chat/{conversation}/link").route(web::post().to(after::link)))
        .service(post("/v1/chat/{conversation}/events").route(web::get().to(stream::poll)))
        .service(post("/v1/chat/{conversation}/stream").route(web::get().to(stream::open)));
}
