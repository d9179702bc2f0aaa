//! The websites: the tag to paste into each, whether it works, and what a content security policy must allow.

use actix_web::HttpResponse;
use serde_json::json;

use super::super::frame::Reader;
use crate::base::time::{DAY_MS, HOUR_MS};
use crate::hits;
use crate::http::error::Problem;

/// `GET /console/sites`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let app = &reader.app;
    let own = app.own_origin();
    let paths = &app.config.collector.tracker_paths;
    let script = paths.first().map_or("/e.js", String::as_str);
    let mut sites = Vec::new();
    for site in app.sites.all() {
        let newest = hits::newest(&app.stores.hits, &site.key).await?;
        let state = match newest.map(|at| reader.now.since_ms(at)) {
            None => "nothing",
            Some(age) if age < HOUR_MS => "lively",
            Some(age) if age < 7 * DAY_MS => "quiet",
            Some(_) => "silent",
        };
        sites.push(json!({
            "key": site.key, "name": site.name, "origins": site.origins, "language": site.language.code(),
            "privacy_url": site.privacy_url, "newest": newest, "state": state,
            "tag": format!("<script defer src=\"{own}{script}\" data-site=\"{}\"></script>", site.key),
            "has_secret": !site.identity_secret.is_empty(),
        }));
    }
    let policy = format!("script-src {own}; connect-src {own}; img-src {own}; media-src {own}");
    reader.page("console/sites", json!({ "sites": sites, "policy": policy })).await
}
