//! The websites: the tag to paste into each, whether it works, and what a content security policy must allow. A site can be
//! added here without touching the settings' file.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::super::frame::{Reader, see_done};
use super::note;
use crate::base::language::Language;
use crate::base::time::{DAY_MS, HOUR_MS};
use crate::hits;
use crate::http::error::Problem;
use crate::privacy::audit::What;
use crate::sites::added::{self, Added, Error};

/// The page itself.
const PATH: &str = "/console/sites";

/// `GET /console/sites`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    page(&reader, StatusCode::OK, Json::Null).await
}

/// The page; `typed` is a site that was refused.
async fn page(reader: &Reader, status: StatusCode, typed: Json) -> Result<HttpResponse, Problem> {
    let own = reader.app.own_origin();
    let policy = format!("script-src {own}; connect-src {own}; img-src {own}; media-src {own}");
    let body = json!({
        "sites": told(reader).await?, "policy": policy, "typed": typed, "zone_here": reader.zone(),
    });
    reader.page_with(status, "console/sites", body).await
}

/// Whether any site has reported a hit.
///
/// # Errors
/// As the store says.
pub async fn has_seen_anybody(reader: &Reader) -> Result<bool, Problem> {
    for site in reader.app.sites.real() {
        if hits::newest(&reader.app.stores.hits, &site.key).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The sites as the page shows them.
///
/// # Errors
/// As the store says.
pub async fn told(reader: &Reader) -> Result<Vec<Json>, Problem> {
    let app = &reader.app;
    let own = app.own_origin();
    let paths = &app.config.collector.tracker_paths;
    let script = paths.first().map_or("/e.js", String::as_str);
    let mut sites = Vec::new();
    for site in app.sites.real() {
        let newest = hits::newest(&app.stores.hits, &site.key).await?;
        let state = match newest.map(|at| reader.now.since_ms(at)) {
            None => "nothing",
            Some(age) if age < HOUR_MS => "lively",
            Some(age) if age < 7 * DAY_MS => "quiet",
            Some(_) => "silent",
        };
        // A page on a developer's own machine is counted only if the tag says so.
        let is_local = site.origins.iter().all(|origin| {
            let host = url::Url::parse(origin).ok().and_then(|url| url.host_str().map(str::to_owned));
            host.is_some_and(|host| matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]"))
        });
        let local = if is_local { " data-localhost=\"on\"" } else { "" };
        sites.push(json!({
            "key": site.key, "name": site.name, "origins": site.origins, "language": site.language.code(),
            "privacy_url": site.privacy_url, "newest": newest, "state": state, "is_added": site.is_added,
            "home": site.home(),
            "tag": format!("<script defer src=\"{own}{script}\" data-site=\"{}\"{local}></script>", site.key),
            "has_secret": !site.identity_secret.is_empty(),
        }));
    }
    Ok(sites)
}

/// The site that is to be added.
#[derive(Deserialize)]
pub struct Typed {
    #[serde(default)]
    name: String,
    #[serde(default)]
    address: String,
    #[serde(default)]
    language: String,
    #[serde(default)]
    time_zone: String,
    #[serde(default)]
    back: String,
}

/// `POST /console/sites`.
pub async fn add(reader: Reader, typed: web::Form<Typed>) -> Result<HttpResponse, Problem> {
    let language = Language::of_tag(&typed.language).unwrap_or(reader.account.language);
    let app = &reader.app;
    let mut tx = app.stores.db.begin().await?;
    let added = match Added::parse(&typed.name, &typed.address, language, &typed.time_zone) {
        Ok(site) => added::add(&mut tx, &app.sites, &site, reader.now).await.map(|()| site),
        Err(error) => Err(error),
    };
    match added {
        Ok(site) => {
            note(&mut tx, &reader, What::SiteAdded, &site.key).await?;
            tx.commit().await?;
            app.running.take_up_sites().await?;
            let back = if typed.back.is_empty() { PATH } else { typed.back.as_str() };
            Ok(see_done(back, "site_added"))
        }
        Err(error @ (Error::Address | Error::Impossible | Error::Taken)) => {
            drop(tx);
            let why = match error {
                Error::Address => "address",
                Error::Taken => "taken",
                _ => "impossible",
            };
            let typed = json!({ "name": typed.name, "address": typed.address, "why": why });
            page(&reader, StatusCode::UNPROCESSABLE_ENTITY, typed).await
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /console/sites/{site}/remove`.
pub async fn remove(reader: Reader, site: web::Path<String>) -> Result<HttpResponse, Problem> {
    let mut tx = reader.app.stores.db.begin().await?;
    added::remove(&mut tx, &site).await?;
    note(&mut tx, &reader, What::SiteRemoved, &site).await?;
    tx.commit().await?;
    reader.app.running.take_up_sites().await?;
    Ok(see_done(PATH, "site_removed"))
}
