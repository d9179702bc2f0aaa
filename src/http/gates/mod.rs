//! The doors of gated content: forms, the links that they hand out, and what opening a link confirms.

mod apart;
mod fields;
mod files;
mod forms;
mod hosted;
mod opened;
mod recordings;
mod serve;
mod watch;

use std::path::{Path, PathBuf};

use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, REFERRER_POLICY};
use actix_web::{HttpResponse, web};

pub(super) use fields::described_fields;
pub(super) use files::size_words;
pub(super) use forms::{Refused, Taken, limit, take_in};
pub(super) use hosted::{Posted, again, later, preview};

use super::pages::reading;
use super::{Shared, cors};

/// Mounts the doors.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors
        .service(
            web::resource("/v1/forms/{form}")
                .route(web::get().to(forms::show))
                .route(web::post().to(forms::take))
                .route(web::method(actix_web::http::Method::OPTIONS).to(cors::preflight)),
        )
        .service(
            web::resource("/v1/forms/{form}/begun")
                .route(web::post().to(forms::begun))
                .route(web::method(actix_web::http::Method::OPTIONS).to(cors::preflight)),
        )
        .service(
            web::resource("/f/{form}")
                .route(reading().to(hosted::show_page))
                .route(web::post().to(hosted::take_page)),
        )
        .service(web::resource("/d/renew").route(web::post().to(files::renew)))
        .service(
            web::resource("/d/{token}/file")
                .route(reading().to(files::file))
                .route(web::post().to(files::download)),
        )
        .service(web::resource("/d/{token}").route(reading().to(files::landing)))
        .service(
            web::resource("/v1/confirm")
                .route(web::post().to(opened::confirm))
                .route(web::method(actix_web::http::Method::OPTIONS).to(cors::preflight)),
        )
        .route("/v1/confirm/answer", web::post().to(opened::answer))
        .service(web::resource("/r/{token}").route(reading().to(recordings::play)))
        .service(web::resource("/r/{token}/poster").route(reading().to(recordings::poster)))
        .service(web::resource("/r/{token}/{language}.vtt").route(reading().to(recordings::captions)))
        .service(
            web::resource("/watch/{token}")
                .route(reading().to(watch::show))
                .route(web::post().to(watch::seen)),
        )
        .route("/api/v1/forms/quarantine", web::get().to(apart::list))
        .route("/api/v1/forms/quarantine/{id}/release", web::post().to(apart::release))
        .route("/api/v1/forms/quarantine/{id}", web::delete().to(apart::delete))
        .route("/api/v1/links/revoke", web::post().to(apart::revoke));
}

pub(super) fn content_file(app: &Shared, name: &str) -> PathBuf {
    app.config.path_of(&app.config.definitions.assets).join(Path::new(name))
}

/// What is gated is neither kept by proxies nor found by search engines, and its address is not passed on.
fn private(mut response: HttpResponse) -> HttpResponse {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=0"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow"));
    response
}
