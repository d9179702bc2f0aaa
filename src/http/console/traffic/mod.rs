//! Traffic: how many come, from where, to what, and what they do. One address holds all that a page shows (`asked.rs`).

pub(super) mod asked;
pub(super) mod board;
mod by;
mod chart;
mod filtered;
mod funnels;
mod kept;
pub mod shared;

pub use by::show as by;
pub use filtered::show as filtered;
pub use funnels::{build, list as funnels, remove as remove_funnel, save as save_funnel};
pub use kept::{add_goal, end_share, letters, remove_goal, settings, share};

use actix_web::HttpResponse;
use serde_json::{Value as Json, json};

use self::asked::Asked;
use self::board::View;
use super::frame::Reader;
use crate::accounts::May;
use crate::http::error::Problem;
use crate::sites::{self, Site};
use crate::traffic as kept_of;

/// The page itself.
const PATH: &str = "/console/traffic";

/// `GET /console/traffic`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let Some(site) = site_of(&reader)? else {
        return reader.page("console/traffic", json!({ "site": null })).await;
    };
    let asked = Asked::read(reader.query(), site, true, reader.now)?;
    let view = view(&reader, site, &asked, PATH);
    let board = board::board(&view).await?;
    let funnels = kept_of::funnels(&mut reader.app.stores.db.read(), &site.key).await?;
    let funnels: Vec<Json> =
        funnels.into_iter().map(|funnel| json!({ "id": funnel.id, "name": funnel.name })).collect();
    let mut body = head(&reader, site, &asked, PATH);
    body["board"] = board;
    body["funnels"] = json!(funnels);
    reader.page("console/traffic", body).await
}

/// The site that the address names, else the first; none if there is no site at all.
fn site_of(reader: &Reader) -> Result<Option<&Site>, Problem> {
    match reader.asked("site") {
        Some(key) => Ok(Some(reader.app.sites.find(&key)?)),
        None => Ok(reader.app.sites.all().next()),
    }
}

/// The same for pages that are nothing without a site.
fn the_site_of(reader: &Reader) -> Result<&Site, Problem> {
    site_of(reader)?.ok_or_else(|| sites::Error::Unknown.into())
}

fn view<'a>(reader: &'a Reader, site: &'a Site, asked: &'a Asked, path: &'a str) -> View<'a> {
    View {
        app: &reader.app,
        site,
        asked,
        language: reader.account.language,
        now: reader.now,
        path,
        is_shared: false,
    }
}

/// What every page of the area has: the site and the others, and the ways to the other pages.
fn head(reader: &Reader, site: &Site, asked: &Asked, path: &str) -> Json {
    let sites = reader.app.sites.all().map(|other| {
        // Filters are about one site's pages and campaigns.
        let there = asked.but(|asked| {
            asked.site = Some(other.key.clone());
            asked.filters.clear();
        });
        json!({
            "key": other.key, "name": other.name, "current": other.key == site.key,
            "href": there.address(path, &[]),
        })
    });
    let here = [("site", site.key.as_str())];
    let link =
        |path: &str| super::frame::address(path, &here.map(|(name, value)| (name, Some(value.to_owned()))));
    json!({
        "site": { "key": site.key, "name": site.name },
        // One site is no choice.
        "sites": if reader.app.sites.all().nth(1).is_some() { sites.collect() } else { Vec::new() },
        "may_keep": reader.may(May::Curate),
        "links": {
            "board": asked.address(PATH, &[]),
            "funnels": asked.but(|asked| asked.tabs.clear()).address("/console/traffic/funnels", &[]),
            "filtered": asked.but(|asked| asked.filters.clear()).address("/console/traffic/filtered", &[]),
            "settings": link("/console/traffic/settings"),
        },
    })
}
