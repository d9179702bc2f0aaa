//! Funnels: ways of several steps, put together by clicking, saved by name, and drawn with who is lost where.
//!
//! While one is put together all of it stands in the address; only saving is a form. Whoever saves says which version
//! she began with: if somebody else was faster, she is shown that, and nothing is written over unseen.

use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::asked::{Asked, invalid};
use super::board::{self, View};
use super::{head, the_site_of, view};
use crate::accounts::May;
use crate::base::ids::FunnelId;
use crate::http::console::frame::{Reader, address, see_done};
use crate::http::error::Problem;
use crate::privacy::audit::{self, By, What};
use crate::reports::traffic::{self, Stage, Step};
use crate::sessions::Dimension;
use crate::sites::Site;
use crate::traffic::{self as kept, Draft, Funnel, STEPS};

const LIST: &str = "/console/traffic/funnels";
const BUILD: &str = "/console/traffic/funnels/build";
/// Pages and events that are offered as steps.
const OFFERED: usize = 20;

/// `GET /console/traffic/funnels`: every saved one, worked out in one walk through the visits.
pub async fn list(reader: Reader) -> Result<HttpResponse, Problem> {
    let site = the_site_of(&reader)?;
    let asked = Asked::read(reader.query(), site, true, reader.now)?;
    let view = view(&reader, site, &asked, LIST);
    let saved = kept::funnels(&mut reader.app.stores.db.read(), &site.key).await?;
    let ways: Vec<Vec<Step>> = saved.iter().map(|funnel| steps_of(&funnel.steps)).collect();
    let worked_out = work_out(&view, &ways).await?;
    let funnels: Vec<Json> = saved
        .iter()
        .zip(worked_out)
        .map(|(funnel, stages)| {
            json!({
                "id": funnel.id, "name": funnel.name, "version": funnel.version,
                "by": funnel.changed_by, "at": funnel.changed_at,
                "drawn": drawn(&view, &stages),
                "edit": asked.address(BUILD, &[("funnel", &funnel.id.to_string())]),
            })
        })
        .collect();
    let mut body = head(&reader, site, &asked, LIST);
    body["board"] = json!({ "range": board::ranges(&view), "chips": board::chips(&view), "fields": null });
    body["funnels"] = json!(funnels);
    body["build"] = json!(asked.address(BUILD, &[]));
    reader.page("console/traffic_funnels", body).await
}

/// What cannot be read any more is left out: nobody writes such a step here.
fn steps_of(texts: &[String]) -> Vec<Step> {
    texts.iter().filter_map(|text| Step::read(text).ok()).collect()
}

async fn work_out(view: &View<'_>, ways: &[Vec<Step>]) -> Result<Vec<Vec<Stage>>, Problem> {
    let lifecycle = view.app.lifecycle.now();
    let stages: Vec<&str> = lifecycle.stages.iter().map(|stage| stage.id.as_str()).collect();
    let (stores, question) = (&view.app.stores, view.question(view.asked.period()));
    Ok(traffic::funnels(&stores.db, &stores.hits, &question, ways, &stages).await?)
}

/// What a step is called: the page, the event, the stage as the company calls it.
fn named(view: &View<'_>, step: &str) -> (&'static str, String) {
    match step.split_once(':') {
        Some(("stage", id)) => {
            let lifecycle = view.app.lifecycle.now();
            let label = lifecycle.stages.iter().find(|stage| stage.id == id);
            ("stage", label.map_or(id, |stage| stage.label.get(view.language)).to_owned())
        }
        Some(("event", name)) => ("event", name.replace('|', " · ")),
        Some((_, path)) => ("page", path.replace('|', " · ")),
        None => ("page", step.to_owned()),
    }
}

/// The bars: each as long as the share of those who began, and what was lost on the way to it.
fn drawn(view: &View<'_>, stages: &[Stage]) -> Json {
    let mut before: Option<i64> = None;
    let rows: Vec<Json> = stages
        .iter()
        .map(|stage| {
            let (kind, name) = named(view, &stage.step);
            let lost = before.map(|before| before - stage.visitors);
            before = Some(stage.visitors);
            json!({
                "kind": kind, "name": name, "count": stage.visitors,
                "share": format!("{:.2}", stage.of_first),
                "of_first": board::rate(stage.of_first, view.language),
                "of_previous": board::rate(stage.of_previous, view.language),
                "lost": lost,
                "lost_rate": lost.map(|_| {
                    let rate = if stage.of_previous > 0.0 || lost > Some(0) { 100.0 - stage.of_previous } else { 0.0 };
                    board::rate((rate * 10.0).round() / 10.0, view.language)
                }),
            })
        })
        .collect();
    let through = stages.last().filter(|_| stages.len() > 1);
    json!({
        "rows": rows,
        "through": through.map(|last| board::rate(last.of_first, view.language)),
        "arrived": through.map(|last| last.visitors),
        "began": stages.first().map_or(0, |first| first.visitors),
    })
}

/// A funnel while it is put together.
struct Sketch {
    steps: Vec<String>,
    name: String,
    was: Option<Funnel>,
    /// The version that the sketch began with.
    version: i64,
}

impl Sketch {
    /// What the address says; without steps those of the saved funnel that it names.
    async fn read(reader: &Reader, site: &Site) -> Result<Self, Problem> {
        let (mut steps, mut version, mut funnel, mut is_begun) = (Vec::new(), None, None, false);
        let (mut by, mut value) = (None, None);
        for (name, text) in url::form_urlencoded::parse(reader.query().as_bytes()) {
            match &*name {
                "step" if text.is_empty() => is_begun = true,
                "step" => {
                    is_begun = true;
                    steps.push(step(&text)?);
                }
                "step_by" => by = Some(text.into_owned()),
                "step_value" if !text.trim().is_empty() => value = Some(text.trim().to_owned()),
                "funnel" => funnel = FunnelId::parse(&text).ok(),
                "version" => version = text.parse().ok(),
                _ => {}
            }
        }
        if let (Some(by), Some(value)) = (by, value) {
            is_begun = true;
            steps.push(step(&format!("{by}:{value}"))?);
        }
        let was = match funnel {
            Some(id) => {
                let known = kept::funnel(&mut reader.app.stores.db.read(), id).await?;
                Some(known.filter(|known| known.site == site.key).ok_or(kept::Error::Unknown)?)
            }
            None => None,
        };
        if let Some(was) = was.as_ref().filter(|_| !is_begun) {
            steps.clone_from(&was.steps);
        }
        steps.truncate(*STEPS.end());
        Ok(Self {
            steps,
            name: was.as_ref().map(|was| was.name.clone()).unwrap_or_default(),
            version: version.or(was.as_ref().map(|was| was.version)).unwrap_or(0),
            was,
        })
    }

    /// The address at which it has these steps.
    fn address(&self, asked: &Asked, steps: &[String]) -> String {
        let (id, version) = (self.was.as_ref().map(|was| was.id.to_string()), self.version.to_string());
        let mut more: Vec<(&str, &str)> = Vec::new();
        if let Some(id) = &id {
            more.push(("funnel", id));
            more.push(("version", &version));
        }
        if steps.is_empty() {
            more.push(("step", ""));
        }
        more.extend(steps.iter().map(|step| ("step", step.as_str())));
        asked.address(BUILD, &more)
    }
}

fn step(text: &str) -> Result<String, Problem> {
    Step::read(text.trim()).map(|step| step.text()).map_err(|_| {
        invalid("A step is a page such as `/prices`, an event such as `signup`, or a stage of the lifecycle.")
    })
}

/// `GET /console/traffic/funnels/build`: the steps so far, what may come next, and how it would do.
pub async fn build(reader: Reader) -> Result<HttpResponse, Problem> {
    let site = the_site_of(&reader)?;
    let asked = Asked::read(reader.query(), site, true, reader.now)?;
    let sketch = Sketch::read(&reader, site).await?;
    page(&reader, site, &asked, &sketch, StatusCode::OK, None).await
}

/// What kept a funnel from being saved.
enum Refused {
    Invalid(String),
    Changed,
}

async fn page(
    reader: &Reader,
    site: &Site,
    asked: &Asked,
    sketch: &Sketch,
    status: StatusCode,
    refused: Option<Refused>,
) -> Result<HttpResponse, Problem> {
    let view = view(reader, site, asked, BUILD);
    let worked_out = work_out(&view, &[steps_of(&sketch.steps)]).await?;
    let stages = worked_out.into_iter().next().unwrap_or_default();
    let hits = &reader.app.stores.hits;
    let question = view.question(asked.period());
    let (seen, events) = tokio::try_join!(
        traffic::by(hits, &question, Dimension::Page, OFFERED),
        traffic::by(hits, &question, Dimension::Event, OFFERED),
    )?;
    let is_full = sketch.steps.len() >= *STEPS.end();
    let offer = |text: String| {
        let mut steps = sketch.steps.clone();
        steps.push(text.clone());
        let (_, name) = named(&view, &text);
        json!({ "name": name, "href": (!is_full).then(|| sketch.address(asked, &steps)) })
    };
    let offers_of = |word: &str, values: Vec<traffic::Value>| -> Vec<Json> {
        let plain = values.into_iter().map(|value| format!("{word}:{}", value.value));
        plain.filter(|text| !text.contains(['|', '*', '(']) && Step::read(text).is_ok()).map(offer).collect()
    };
    let lifecycle = reader.app.lifecycle.now();
    // Everybody is in the first stage from the first page on.
    let stage_offers: Vec<Json> =
        lifecycle.stages.iter().skip(1).map(|stage| offer(format!("stage:{}", stage.id))).collect();
    let drawn = drawn(&view, &stages);
    let moved = |from: usize, to: Option<usize>| {
        let to = to.filter(|to| *to < sketch.steps.len())?;
        let mut steps = sketch.steps.clone();
        steps.swap(from, to);
        Some(sketch.address(asked, &steps))
    };
    let tools: Vec<Json> = (0..sketch.steps.len())
        .map(|at| {
            let mut without = sketch.steps.clone();
            without.remove(at);
            json!({
                "remove": sketch.address(asked, &without),
                "up": moved(at, at.checked_sub(1)),
                "down": moved(at, Some(at + 1)),
            })
        })
        .collect();
    let mut rows = drawn["rows"].as_array().cloned().unwrap_or_default();
    for (row, tools) in rows.iter_mut().zip(tools) {
        row["tools"] = tools;
    }
    let theirs = sketch.was.as_ref().map(|was| {
        let steps = was.steps.iter().map(|step| named(&view, step).1);
        json!({
            "name": was.name, "by": was.changed_by, "version": was.version, "at": was.changed_at,
            "steps": steps.collect::<Vec<_>>(),
            "href": asked.address(BUILD, &[("funnel", &was.id.to_string())]),
        })
    });
    // Whoever keeps a page open is told of a change as soon as the page is loaded again, not only when she saves.
    let is_behind = sketch.was.as_ref().is_some_and(|was| was.version != sketch.version);
    let is_refused = matches!(refused, Some(Refused::Changed));
    let (next_version, others) = match &sketch.was {
        Some(was) if is_refused => (was.version, sketch.version),
        _ => (sketch.version, sketch.version),
    };
    let others = others.to_string();
    let id = sketch.was.as_ref().map(|was| was.id.to_string());
    let mut kept_along: Vec<(&str, &str)> = Vec::new();
    if let Some(id) = &id {
        kept_along.extend([("funnel", id.as_str()), ("version", others.as_str())]);
    }
    kept_along.extend(sketch.steps.iter().map(|step| ("step", step.as_str())));
    let mut hidden = board::hidden(asked.parameters());
    hidden.extend(kept_along.iter().map(|(name, value)| json!({ "name": name, "value": value })));
    let mut body = head(reader, site, asked, BUILD);
    body["board"] = json!({ "range": board::ranges(&view), "chips": board::chips(&view), "fields": null });
    body["rows"] = json!(rows);
    body["drawn"] = drawn;
    body["offers"] = json!({ "pages": offers_of("page", seen), "events": offers_of("event", events), "stages": stage_offers });
    body["name"] = json!(sketch.name);
    body["steps"] = json!(sketch.steps);
    body["funnel"] = json!(id);
    body["version"] = json!(next_version);
    body["theirs"] = if is_behind { json!(theirs) } else { Json::Null };
    body["problem"] = match refused {
        Some(Refused::Invalid(problem)) => json!(problem),
        _ => Json::Null,
    };
    body["can_save"] = json!(reader.may(May::Curate) && sketch.steps.len() >= *STEPS.start());
    body["is_full"] = json!(is_full);
    body["others"] = json!(hidden);
    body["path"] = json!(BUILD);
    body["list"] = json!(asked.address(LIST, &[]));
    body["restart"] = json!(sketch.address(asked, &[]));
    reader.page_with(status, "console/traffic_funnel", body).await
}

/// `POST /console/traffic/funnels`: saves one. The fields are `site`, `name`, `step` (as often as there are steps) and, for
/// one that exists, `funnel` and `version`.
pub async fn save(reader: Reader, body: Bytes) -> Result<HttpResponse, Problem> {
    let (mut site, mut name, mut steps) = (String::new(), String::new(), Vec::new());
    let (mut funnel, mut version) = (None, 0);
    for (field, text) in url::form_urlencoded::parse(&body) {
        match &*field {
            "site" => site = text.into_owned(),
            "name" => name = text.into_owned(),
            "step" if steps.len() <= *STEPS.end() => steps.push(step(&text)?),
            "funnel" if !text.is_empty() => {
                funnel = Some(FunnelId::parse(&text).map_err(|_| kept::Error::Unknown)?);
            }
            "version" => version = text.parse().unwrap_or(0),
            _ => {}
        }
    }
    let site = reader.app.sites.find(&site)?;
    let draft = Draft { site: site.key.clone(), name, steps, was: funnel.map(|funnel| (funnel, version)) };
    let mut tx = reader.app.stores.db.begin().await?;
    let refused = match kept::save_funnel(&mut tx, &draft, reader.account.id, reader.now).await {
        Ok(id) => {
            let mut what = What::Funnel.of(&draft.name);
            what["id"] = json!(id);
            audit::changed(&mut tx, By::Account(reader.account.id), what, reader.now).await?;
            tx.commit().await?;
            return Ok(see_done(&address(LIST, &[("site", Some(site.key.clone()))]), "funnel"));
        }
        Err(kept::Error::Invalid(problem)) => (StatusCode::UNPROCESSABLE_ENTITY, Refused::Invalid(problem)),
        Err(kept::Error::Changed { .. }) => (StatusCode::CONFLICT, Refused::Changed),
        Err(error) => return Err(error.into()),
    };
    drop(tx);
    let was = match funnel {
        Some(id) => kept::funnel(&mut reader.app.stores.db.read(), id).await?,
        None => None,
    };
    let asked = Asked::read("", site, true, reader.now)?;
    let sketch = Sketch { steps: draft.steps, name: draft.name, was, version };
    page(&reader, site, &asked, &sketch, refused.0, Some(refused.1)).await
}

/// Which version was looked at.
#[derive(Deserialize)]
pub struct Looked {
    #[serde(default)]
    version: i64,
}

/// `POST /console/traffic/funnels/{funnel}/delete`.
pub async fn remove(
    reader: Reader,
    funnel: web::Path<String>,
    looked: web::Form<Looked>,
) -> Result<HttpResponse, Problem> {
    let id = FunnelId::parse(&funnel).map_err(|_| kept::Error::Unknown)?;
    let known = kept::funnel(&mut reader.app.stores.db.read(), id).await?.ok_or(kept::Error::Unknown)?;
    let mut tx = reader.app.stores.db.begin().await?;
    kept::remove_funnel(&mut tx, id, looked.version).await?;
    let mut what = What::FunnelRemoved.of(&known.name);
    what["id"] = json!(id);
    audit::changed(&mut tx, By::Account(reader.account.id), what, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(&address(LIST, &[("site", Some(known.site))]), "deleted"))
}
