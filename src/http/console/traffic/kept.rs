//! Goals, shared links, and the mails that somebody wants: what is set up once.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::asked::{Asked, invalid};
use super::{head, the_site_of};
use crate::accounts::May;
use crate::base::ids::{GoalId, ShareId};
use crate::http::console::frame::{Reader, address, see_done};
use crate::http::error::Problem;
use crate::privacy::audit::{self, By, What};
use crate::reports::traffic::{Filter, day_number, monday_of};
use crate::sessions::Dimension;
use crate::traffic::{self as kept, Wish};

const PATH: &str = "/console/traffic/settings";

fn back(site: &str) -> String {
    address(PATH, &[("site", Some(site.to_owned()))])
}

/// `GET /console/traffic/settings`.
pub async fn settings(reader: Reader) -> Result<HttpResponse, Problem> {
    let site = the_site_of(&reader)?;
    let asked = Asked::read(reader.query(), site, true, reader.now)?;
    let reads = &mut reader.app.stores.db.read();
    let wish = kept::letters_of(reads, reader.account.id, &site.key).await?;
    let wish = wish.map_or_else(Wish::default, |letters| letters.wish);
    let goals: Vec<Json> = kept::goals(reads, &site.key)
        .await?
        .into_iter()
        .map(|goal| {
            let (by, value) = goal.goal.split_once(':').unwrap_or(("", &goal.goal));
            json!({ "id": goal.id, "name": goal.name, "by": by, "value": value })
        })
        .collect();
    let may_keep = reader.may(May::Curate);
    // A link is a secret of those who may make one.
    let shares = if may_keep { kept::shares(reads, &site.key).await? } else { Vec::new() };
    let shares: Vec<Json> = shares
        .into_iter()
        .map(|share| {
            let is_open = share.is_open(reader.now);
            json!({
                "id": share.id, "name": share.name, "created_at": share.created_at,
                "expires_at": share.expires_at, "revoked_at": share.revoked_at, "is_open": is_open,
                "link": is_open.then(|| reader.app.desk.link(&share.path(&reader.app.keys))),
            })
        })
        .collect();
    let factors =
        kept::FACTORS.iter().map(|factor| json!({ "n": factor, "current": *factor == wish.factor }));
    let mut body = head(&reader, site, &asked, PATH);
    body["letters"] = json!({
        "weekly": wish.weekly, "spikes": wish.spikes, "at_least": wish.at_least,
        "factors": factors.collect::<Vec<_>>(),
        "address": reader.account.email,
    });
    body["goals"] = json!(goals);
    body["shares"] = json!(shares);
    body["days"] = json!(kept::SHARE_DAYS);
    reader.page("console/traffic_settings", body).await
}

/// A goal as the form tells it.
#[derive(Deserialize)]
pub struct NewGoal {
    site: String,
    name: String,
    by: String,
    value: String,
}

/// `POST /console/traffic/goals`.
pub async fn add_goal(reader: Reader, form: web::Form<NewGoal>) -> Result<HttpResponse, Problem> {
    let site = reader.app.sites.find(&form.site)?;
    let text = format!("{}:{}", form.by, form.value.trim());
    let goal = Filter::read(&text)
        .ok()
        .filter(|goal| matches!(goal.dimension, Dimension::Page | Dimension::Event) && !goal.is_not);
    let goal = goal.ok_or_else(|| {
        invalid("A goal is a page such as `/thanks` (`*` stands for anything) or an event such as `signup`.")
    })?;
    let mut tx = reader.app.stores.db.begin().await?;
    let by = reader.account.id;
    kept::add_goal(&mut tx, &site.key, &form.name, &goal.text(), by, reader.now).await?;
    audit::changed(&mut tx, By::Account(by), What::Goal.of(form.name.trim()), reader.now).await?;
    tx.commit().await?;
    Ok(see_done(&back(&site.key), "goal"))
}

/// What every small form of the page says: the site to go back to.
#[derive(Deserialize)]
pub struct OfSite {
    #[serde(default)]
    site: String,
}

/// `POST /console/traffic/goals/{goal}/delete`.
pub async fn remove_goal(
    reader: Reader,
    goal: web::Path<String>,
    form: web::Form<OfSite>,
) -> Result<HttpResponse, Problem> {
    let id = GoalId::parse(&goal).map_err(|_| kept::Error::Unknown)?;
    let mut tx = reader.app.stores.db.begin().await?;
    let name = kept::remove_goal(&mut tx, id).await?;
    let what = What::GoalRemoved.of(&name);
    audit::changed(&mut tx, By::Account(reader.account.id), what, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(&back(&form.site), "deleted"))
}

/// A shared link as the form tells it.
#[derive(Deserialize)]
pub struct NewShare {
    site: String,
    name: String,
    /// Days after which it ends; empty: never by itself.
    #[serde(default)]
    days: String,
}

/// `POST /console/traffic/shares`.
pub async fn share(reader: Reader, form: web::Form<NewShare>) -> Result<HttpResponse, Problem> {
    let site = reader.app.sites.find(&form.site)?;
    let days = match form.days.trim() {
        "" => None,
        days => Some(days.parse().map_err(|_| invalid("The days are a number."))?),
    };
    let mut tx = reader.app.stores.db.begin().await?;
    let by = reader.account.id;
    let share = kept::share(&mut tx, &site.key, &form.name, days, by, reader.now).await?;
    let mut what = What::Share.of(&share.name);
    what["id"] = json!(share.id);
    audit::changed(&mut tx, By::Account(by), what, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(&back(&site.key), "share"))
}

/// `POST /console/traffic/shares/{share}/revoke`.
pub async fn end_share(
    reader: Reader,
    share: web::Path<String>,
    form: web::Form<OfSite>,
) -> Result<HttpResponse, Problem> {
    let id = ShareId::parse(&share).map_err(|_| kept::Error::Unknown)?;
    let mut tx = reader.app.stores.db.begin().await?;
    let name = kept::end_share(&mut tx, id, reader.now).await?;
    let mut what = What::ShareEnded.of(&name);
    what["id"] = json!(id);
    audit::changed(&mut tx, By::Account(reader.account.id), what, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(&back(&form.site), "share_ended"))
}

/// The mails that somebody wants. A box that is not ticked is not sent.
#[derive(Deserialize)]
pub struct Wanted {
    site: String,
    #[serde(default)]
    weekly: Option<String>,
    #[serde(default)]
    spikes: Option<String>,
    factor: i64,
    at_least: i64,
}

/// `POST /console/traffic/letters`.
pub async fn letters(reader: Reader, form: web::Form<Wanted>) -> Result<HttpResponse, Problem> {
    let site = reader.app.sites.find(&form.site)?;
    let wish = Wish {
        weekly: form.weekly.is_some(),
        spikes: form.spikes.is_some(),
        factor: form.factor,
        at_least: form.at_least,
    };
    let today = reader.now.to_jiff().to_zoned(site.zone()).date();
    let mut tx = reader.app.stores.db.begin().await?;
    kept::wish(&mut tx, reader.account.id, &site.key, wish, monday_of(day_number(today))).await?;
    tx.commit().await?;
    Ok(see_done(&back(&site.key), "traffic_letters"))
}
