//! The site's door: the scripts that pages load, and the hits that they report.

mod consent;
mod hit;
mod scripts;

use std::collections::BTreeSet;

use actix_web::{HttpResponse, web};

use super::cors;
use super::error::Problem;
use super::pages::reading;

/// Mounts the door for hits at each of `paths`.
pub fn hits(doors: &mut web::ServiceConfig, paths: &[String]) {
    for path in paths {
        doors.service(
            web::resource(path.as_str())
                .route(web::post().to(hit::take))
                .route(web::method(actix_web::http::Method::OPTIONS).to(cors::preflight_anybody))
                .default_service(web::to(|| async { Err::<HttpResponse, Problem>(super::not_found()) })),
        );
    }
}

/// Mounts the scripts: the tracker at each of `trackers`, and beside each what it fetches.
pub fn routes(doors: &mut web::ServiceConfig, trackers: &[String]) {
    let mut folders = BTreeSet::from(["/"]);
    for path in trackers {
        doors.route(path, reading().to(scripts::tracker));
        folders.extend(path.rfind('/').and_then(|slash| path.get(..=slash)));
    }
    for folder in folders {
        doors
            .route(&format!("{folder}launcher.js"), reading().to(scripts::launcher))
            .route(&format!("{folder}moments.js"), reading().to(scripts::moments))
            .route(&format!("{folder}chat.js"), reading().to(scripts::chat))
            .route(&format!("{folder}forms.js"), reading().to(scripts::forms));
    }
}
