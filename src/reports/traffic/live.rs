//! Who is on the site at this moment.

use std::collections::HashMap;

use serde::Serialize;

use super::{known, number_of, rank};
use crate::base::time::{MINUTE_MS, Timestamp};
use crate::hits;
use crate::reports::live::NOW_MS;
use crate::sessions::Measures;
use crate::sessions::store::visit_of;
use crate::sites::Site;
use crate::storage::Result;
use crate::storage::db::{Db, Queries};
use crate::{params, sql};

/// Minutes that the curve shows.
const MINUTES: i64 = 30;
/// Values that each list shows.
const MOST: usize = 10;

/// The last half hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Live {
    /// Seen within the last five minutes.
    pub visitors: i64,
    /// Page views of each of the last 30 minutes, the oldest first.
    pub views: Vec<i64>,
    /// Where those visitors are now.
    pub pages: Vec<Here>,
    pub sources: Vec<Here>,
    pub countries: Vec<Here>,
}

/// A value and how many are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Here {
    pub value: String,
    pub visitors: i64,
}

/// How many are on a site now: seen within the last five minutes.
///
/// # Errors
/// As the store says.
pub async fn here(db: &Db, site: &Site, now: Timestamp) -> Result<i64> {
    let Some(number) = number_of(db, &site.key).await? else { return Ok(0) };
    let row = db
        .read()
        .query_opt(
            sql!("select count(*) as n from visits where last_at >= $1 and site = $2 and bot is null"),
            params![now.plus_ms(-NOW_MS), number],
        )
        .await?;
    row.map_or(Ok(0), |row| row.get("n"))
}

/// The last half hour of a site.
///
/// # Errors
/// As the store says.
pub async fn live(db: &Db, site: &Site, now: Timestamp) -> Result<Live> {
    let mut live = Live {
        visitors: 0,
        views: vec![0; usize::try_from(MINUTES).unwrap_or_default()],
        pages: Vec::new(),
        sources: Vec::new(),
        countries: Vec::new(),
    };
    let Some(number) = number_of(db, &site.key).await? else { return Ok(live) };
    let known = known(db).await?;
    let rows = db
        .read()
        .query(
            sql!(
                "select id, site, visitor, consent, bot, started_at, last_at, hits, pages, events, engaged_ms,
                     scroll, host, entry, exit, channel, source, medium, campaign, term, content, referrer, country,
                     region, city, network, device, browser, os, language, trail
                 from visits where last_at >= $1 and site = $2 and bot is null"
            ),
            params![now.plus_ms(-MINUTES * MINUTE_MS), number],
        )
        .await?;
    let mut lists: [HashMap<i64, i64>; 3] = Default::default();
    for row in &rows {
        let visit = visit_of(row)?;
        for step in visit.trail.steps.iter().filter(|step| step.name == known.page) {
            let minutes_ago = now.since_ms(step.at).div_euclid(MINUTE_MS);
            let place = usize::try_from(MINUTES - 1 - minutes_ago).ok();
            if let Some(views) = place.and_then(|place| live.views.get_mut(place)) {
                *views += 1;
            }
        }
        if now.since_ms(visit.last_at) > NOW_MS {
            continue;
        }
        live.visitors += 1;
        let values =
            [visit.exit, Some(visit.origin.source.unwrap_or(0)), Some(visit.place.country.unwrap_or(0))];
        for (list, value) in lists.iter_mut().zip(values) {
            if let Some(value) = value {
                *list.entry(value).or_default() += 1;
            }
        }
    }
    let mut told = Vec::new();
    for list in lists {
        let as_measures = |(value, visits): (i64, i64)| (value, Measures { visits, ..Measures::default() });
        let mut ranked: Vec<_> = list.into_iter().map(as_measures).collect();
        rank(&mut ranked);
        ranked.truncate(MOST);
        let texts = hits::texts_of(&mut db.read(), ranked.iter().map(|(value, _)| *value)).await?;
        let here = ranked.into_iter().map(|(value, sums)| Here {
            value: texts.get(&value).cloned().unwrap_or_else(|| super::NONE.to_owned()),
            visitors: sums.visits,
        });
        told.push(here.collect::<Vec<_>>());
    }
    let mut told = told.into_iter();
    live.pages = told.next().unwrap_or_default();
    live.sources = told.next().unwrap_or_default();
    live.countries = told.next().unwrap_or_default();
    Ok(live)
}
