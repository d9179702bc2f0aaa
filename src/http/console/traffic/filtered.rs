//! What was filtered: visits that count nowhere, by reason, with examples of each.

use actix_web::HttpResponse;
use serde_json::{Value as Json, json};

use super::asked::Asked;
use super::board;
use super::{head, the_site_of, view};
use crate::hits::BotReason;
use crate::http::console::frame::Reader;
use crate::http::error::Problem;
use crate::reports::traffic::{self, Example};
use crate::sessions::Dimension;

/// Examples that are looked at, and those of one reason that are shown.
const LOOKED_AT: i64 = 200;
const SHOWN: usize = 5;

/// `GET /console/traffic/filtered`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let site = the_site_of(&reader)?;
    let mut asked = Asked::read(reader.query(), site, true, reader.now)?;
    // Visits that were set aside cannot be told by what people do.
    asked.filters.clear();
    let path = "/console/traffic/filtered";
    let view = view(&reader, site, &asked, path);
    let (hits, question) = (&reader.app.stores.hits, view.question(asked.period()));
    let values = traffic::by(hits, &question, Dimension::Bot, 100).await?;
    let counted = traffic::summary(hits, &question, traffic::Interval::Day).await?.total.visits;
    let examples = match values.is_empty() {
        true => Vec::new(),
        false => traffic::filtered(hits, &question, LOOKED_AT).await?,
    };
    let known: Vec<&str> = BotReason::ALL.iter().map(|reason| reason.word()).collect();
    let all: i64 = values.iter().map(|value| value.numbers.visits).sum();
    let reasons: Vec<Json> = values
        .iter()
        .map(|value| {
            let key = value.value.split(':').next().unwrap_or_default();
            let of_reason: Vec<&Example> =
                examples.iter().filter(|example| example.reason == value.value).take(SHOWN).collect();
            let key = if known.contains(&value.value.as_str()) { key } else { "other" };
            json!({
                "name": view.shown("bot", &value.value),
                "key": key,
                "visits": value.numbers.visits,
                "views": value.numbers.views,
                "share": format!("{:.2}", board::share_of(value.numbers.visits, all)),
                "of_all": board::rate((board::share_of(value.numbers.visits, all) * 10.0).round() / 10.0, view.language),
                "examples": of_reason,
            })
        })
        .collect();
    let mut body = head(&reader, site, &asked, path);
    body["board"] = json!({ "range": board::ranges(&view), "chips": board::chips(&view), "fields": null });
    body["reasons"] = json!(reasons);
    body["all"] = json!(all);
    body["of"] = json!(all + counted);
    body["has_own"] = json!(!reader.app.config.collector.own_addresses.is_empty());
    body["csv"] = json!(asked.address("/console/traffic/by/bot", &[("format", "csv")]));
    body["site_zone"] = json!(site.time_zone);
    reader.page("console/traffic_filtered", body).await
}
