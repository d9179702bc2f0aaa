//! Content: forms, files, webinars, recordings, offers and sequences of letters with their numbers.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::content_days;
use super::frame::{Reader, address, see_done};
use crate::accounts::May;
use crate::app::{Kind, look_over};
use crate::base::diagnostic::Severity;
use crate::gates::quarantine;
use crate::http::error::Problem;
use crate::reports::content;
use crate::{nurture, webinars};

/// Longest reason that registrants are told, in characters.
const REASON_MOST: usize = 500;

/// The files that content is written in.
const KINDS: [Kind; 4] = [Kind::Forms, Kind::Content, Kind::Webinars, Kind::Offers];

/// `GET /console/content`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let names = reader.names();
    let reads = &mut reader.app.stores.db.read();
    let mut numbers = Vec::new();
    for one in content::webinars(reads, &names).await? {
        let known = reader.app.webinars.find(&one.webinar);
        let is_called_off = match known {
            Some(webinar) => webinars::dates(reads, webinar).await?.cancelled_at.is_some(),
            None => false,
        };
        let lies_ahead = known.is_some_and(|webinar| reader.now < webinar.starts_at);
        let mut one = serde_json::to_value(one).unwrap_or(Json::Null);
        one["called_off"] = json!(is_called_off);
        one["can_call_off"] = json!(lies_ahead && !is_called_off && reader.may(May::Curate));
        numbers.push(one);
    }
    let kind = reader.asked("kind");
    let files = content::files(reads, &names, kind.as_deref()).await?;
    let mut sequences: Vec<Json> = Vec::new();
    let walks = nurture::counts(reads).await?;
    for sequence in reader.app.desk.sequences.all() {
        let of = |state: nurture::State| {
            let same = |walk: &&(String, nurture::State, i64, _)| walk.0 == sequence.id && walk.1 == state;
            walks.iter().find(same).map_or(0, |walk| walk.2)
        };
        let states: Vec<Json> = nurture::State::ALL
            .into_iter()
            .filter(|state| of(*state) > 0)
            .map(|state| json!({ "state": state.word(), "count": of(state) }))
            .collect();
        let letters: Vec<Json> = sequence
            .steps
            .iter()
            .map(|step| {
                let title = reader.app.desk.wording.title(&step.mail, reader.account.language);
                json!({ "name": step.mail, "title": title })
            })
            .collect();
        sequences.push(json!({
            "id": sequence.id, "name": sequence.name.get(reader.account.language), "states": states,
            "letters": letters, "may_read": reader.may(May::ReadMails),
        }));
    }
    let (_, set_apart) = quarantine::list(reads, 0, 0).await?;
    let mut forms: Vec<Json> = Vec::new();
    for form in content::forms(reads, &names, reader.now).await? {
        let shown = content_days::in_short(&reader, &form.form).await?;
        let mut form = json!(form);
        form["shown"] = shown;
        forms.push(form);
    }
    let body = json!({
        "forms": forms,
        "kinds": kinds(&reader, kind.as_deref()),
        "files": files,
        "set_apart": if reader.may(May::Curate) { set_apart } else { 0 },
        "webinars": numbers,
        "recordings": content::recordings(reads, &names).await?,
        "findings": findings(&reader).await?,
        "offers": content::offers(reads, &names, &reader.app.offers).await?,
        "sequences": sequences,
    });
    reader.page("console/content", body).await
}

/// What is wrong in the files that content is written in. Whoever may not change it is not troubled with it.
async fn findings(reader: &Reader) -> Result<Vec<Json>, Problem> {
    if !reader.may(May::Curate) {
        return Ok(Vec::new());
    }
    let config = reader.app.config.clone();
    let found = web::block(move || look_over(&config, &KINDS)).await;
    let found = found.map_err(|_| Problem::new("internal", "The files could not be looked at."))?;
    let told = found.into_iter().map(|one| {
        json!({
            "path": one.path, "is_here": false, "line": one.line, "code": one.code, "message": one.message,
            "hint": one.hint, "is_error": one.severity == Severity::Error, "lines": null,
        })
    });
    Ok(told.collect())
}

/// The kinds that files are of, each with the way to the list of its files; nothing where there is only one.
fn kinds(reader: &Reader, asked: Option<&str>) -> Vec<Json> {
    let (catalog, language) = (&reader.app.catalog, reader.account.language);
    let used: BTreeSet<&str> = catalog.assets.iter().map(|asset| asset.kind.as_str()).collect();
    if used.len() < 2 && asked.is_none() {
        return Vec::new();
    }
    let all = json!({
        "name": reader.text_with(language, "console.content.all_kinds", &[]),
        "href": "/console/content", "current": asked.is_none(),
    });
    let each = used.into_iter().map(|kind| {
        let name = catalog.tags.kinds.get(kind).map_or(kind, |word| word.get(language));
        let href = address("/console/content", &[("kind", Some(kind.to_owned()))]);
        json!({ "name": name, "href": href, "current": asked == Some(kind) })
    });
    std::iter::once(all).chain(each).collect()
}

/// Why a webinar does not take place.
#[derive(Deserialize)]
pub struct Said {
    #[serde(default)]
    reason: String,
}

/// `POST /console/webinars/{webinar}/cancel`.
pub async fn call_off(
    reader: Reader,
    webinar: web::Path<String>,
    said: web::Form<Said>,
) -> Result<HttpResponse, Problem> {
    let app = &reader.app;
    let webinar = app.webinars.find(&webinar).ok_or(webinars::Error::Unknown)?;
    let reason: String = said.reason.chars().take(REASON_MOST).collect();
    let mut tx = app.stores.db.begin().await?;
    webinars::call_off(&mut tx, &app.lifecycle, webinar, Some(&reason), reader.now).await?;
    tx.commit().await?;
    Ok(see_done("/console/content", "called_off"))
}
