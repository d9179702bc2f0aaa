//! Trying a version out: asked for by a form, worked out beside everything else, looked at whenever somebody wants.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::said::rule;
use super::{PATH, short, version_of};
use crate::accounts;
use crate::base::language::Language;
use crate::base::time::DAY_MS;
use crate::bookings::capacity::Capacity;
use crate::bookings::team::Role;
use crate::http::console::frame::{Reader, see, see_done};
use crate::http::error::Problem;
use crate::privacy::audit;
use crate::stages::Definition;
use crate::stages::trial::Figures;
use crate::stages::trial::kept::{self, Kind, Moved, Trial, Wanted};

/// The furthest that a form asks back, in days.
const DAYS_MOST: i64 = 730;
/// Below this a bar is still to be seen, in percent of the widest.
const BAR_LEAST: usize = 1;

/// What somebody wants to know.
#[derive(Deserialize)]
pub struct Asked {
    hash: String,
    #[serde(default)]
    against: String,
    kind: String,
    #[serde(default = "half_a_year")]
    days: i64,
    #[serde(default)]
    stage: String,
    #[serde(default)]
    outcome: String,
}

fn half_a_year() -> i64 {
    180
}

/// The stage that a version is mostly judged by: the last one of marketing, or the one after the first of sales.
pub fn usual_stage(definition: &Definition, is_outcome: bool) -> String {
    let first_of_sales = definition.first_of_sales().and_then(|first| definition.order(&first.id));
    let at = first_of_sales.unwrap_or(definition.stages.len());
    let wanted = if is_outcome { at + 1 } else { at.saturating_sub(1) };
    let stage = definition.stages.get(wanted).or_else(|| definition.stages.last());
    stage.map(|stage| stage.id.clone()).unwrap_or_default()
}

/// `POST /console/lifecycle/trials`.
pub async fn ask(reader: Reader, form: web::Form<Asked>) -> Result<HttpResponse, Problem> {
    let app = &reader.app;
    let invalid = |detail: &str| Problem::new("lifecycle.question_invalid", detail);
    let kind =
        Kind::of_word(&form.kind).ok_or_else(|| invalid("A trial is a back-test, a diff or a lift."))?;
    if !(1..=DAYS_MOST).contains(&form.days) {
        return Err(invalid(&format!("A trial looks back from 1 to {DAYS_MOST} days.")));
    }
    let model = version_of(&reader, &form.hash).await?;
    let against = match form.against.as_str() {
        "" => app.lifecycle.now().clone(),
        hash => version_of(&reader, hash).await?,
    };
    let or_usual = |word: &str, is_outcome| match word {
        "" => usual_stage(&model, is_outcome),
        word => word.to_owned(),
    };
    let wanted = Wanted {
        kind,
        since: reader.now.plus_ms(-form.days * DAY_MS),
        stage: or_usual(&form.stage, false),
        outcome: or_usual(&form.outcome, true),
    };
    let mut tx = app.stores.db.begin().await?;
    let id = kept::begin(&mut tx, &model, &against, &wanted, Some(reader.account.id), reader.now).await?;
    tx.commit().await?;
    Ok(see(&format!("{PATH}/trials/{id}")))
}

/// `POST /console/lifecycle/trials/{trial}/stop`.
pub async fn stop(reader: Reader, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let mut tx = reader.app.stores.db.begin().await?;
    kept::stop(&mut tx, &id, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(&format!("{PATH}/trials/{id}"), "trial_stopped"))
}

/// Trials as a list tells them.
pub async fn listed(reader: &Reader, trials: Vec<Trial>) -> Result<Vec<Json>, Problem> {
    let mut told = Vec::new();
    for trial in trials {
        told.push(head(reader, &trial).await?);
    }
    Ok(told)
}

async fn head(reader: &Reader, trial: &Trial) -> Result<Json, Problem> {
    let by = match trial.account {
        Some(id) => accounts::find(&mut reader.app.stores.db.read(), id).await?.map(|account| account.name),
        None => None,
    };
    Ok(json!({
        "id": trial.id, "kind": trial.kind, "version": trial.version, "against_version": trial.against_version,
        "hash": trial.hash, "short": short(&trial.hash), "against": trial.against,
        "against_short": short(&trial.against), "state": trial.state, "is_open": trial.state.is_open(),
        "asked": trial.asked, "total": trial.total, "since": trial.since, "until": trial.until, "by": by,
        "at": trial.created_at, "done_at": trial.done_at, "error": trial.error,
        "took_s": trial.done_at.map(|done| (done.since_ms(trial.created_at) + 999) / 1_000),
        "percent": if trial.total > 0 { trial.asked * 100 / trial.total } else { 0 },
    }))
}

/// `GET /console/lifecycle/trials/{trial}`.
pub async fn show(reader: Reader, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let unknown = || Problem::new("lifecycle.trial_unknown", "There is no such trial, or it was long ago.");
    let reads = &mut reader.app.stores.db.read();
    let trial = kept::find(reads, &id).await?.ok_or_else(unknown)?;
    let model = version_of(&reader, &trial.hash).await?;
    let against = version_of(&reader, &trial.against).await?;
    let people = kept::people(reads, &trial.id).await?;
    if !people.is_empty() {
        let list = format!("trial:{}", trial.id);
        audit::saw_list(&reader.app.stores.db, audit::By::Account(reader.account.id), &list, reader.now)
            .await?;
    }
    let language = reader.account.language;
    let label = |definition: &Definition, id: &str| {
        definition.stage(id).map_or_else(|| id.to_owned(), |stage| stage.label.get(language).to_owned())
    };
    let told = |what: &str| -> Vec<Json> {
        let way = |definition: &Definition, way: &Option<(String, String)>| {
            way.as_ref().map(|(stage, by)| {
                let start = || reader.text("console.trial.by_start").unwrap_or_default();
                let words = if by == "start" { start() } else { rule(definition, by, language) };
                json!({ "stage": stage, "label": label(definition, stage), "rule": words })
            })
        };
        let of = |moved: &&Moved| moved.what == what;
        people
            .iter()
            .filter(of)
            .map(|moved| {
                json!({
                    "contact": moved.contact, "email": moved.email, "from": way(&against, &moved.from),
                    "to": way(&model, &moved.to),
                })
            })
            .collect()
    };
    let mut head = head(&reader, &trial).await?;
    if let Json::Object(head) = &mut head {
        head.insert("stage".to_owned(), json!(label(&model, &trial.stage)));
        head.insert("outcome".to_owned(), json!(label(&model, &trial.outcome)));
    }
    let body = json!({
        "trial": head,
        "answer": trial.answer.as_ref().map(|answer| answered(&reader, &trial, &model, &against, answer)),
        "entering": told("enters"),
        "leaving": told("leaves"),
        "moving": told("moves"),
    });
    reader.page("console/lifecycle_trial", body).await
}

fn answered(reader: &Reader, trial: &Trial, model: &Definition, against: &Definition, answer: &Json) -> Json {
    let language = reader.account.language;
    let name = |definition: &Definition, id: &Json| {
        let id = id.as_str().unwrap_or_default();
        definition.stage(id).map_or_else(|| id.to_owned(), |stage| stage.label.get(language).to_owned())
    };
    match trial.kind {
        Kind::Backtest => {
            let figures = |side: &str| -> Figures {
                answer.get(side).and_then(|of| serde_json::from_value(of.clone()).ok()).unwrap_or_default()
            };
            let (ours, theirs) = (figures("model"), figures("running"));
            let capacity = Capacity::of(&reader.app.team, Role::Sdr);
            let told = |figures: &Figures| {
                let load = capacity.load(figures);
                json!({
                    "figures": figures,
                    "precision": percent(figures.precision, language), "recall": percent(figures.recall, language),
                    "load": percent(load.share, language), "weeks_above": load.weeks_above,
                    "mean_per_week": shown(figures.mean_per_week, language),
                    "lead_days": figures.median_lead_days.map(|days| shown(days, language)),
                    "most_per_week": figures.per_week.values().max().copied().unwrap_or(0),
                })
            };
            let refused: Vec<Json> = answer
                .get("refused")
                .and_then(Json::as_array)
                .into_iter()
                .flatten()
                .map(|leak| {
                    let label = leak.get("label").and_then(|label| label.get(language.code()));
                    json!({ "label": label, "asks": leak.get("asks"), "because": leak.get("because") })
                })
                .collect();
            json!({
                "contacts": answer.get("contacts"), "entering": answer.get("entering"),
                "leaving": answer.get("leaving"), "model": told(&ours), "running": told(&theirs),
                "capacity": capacity, "weeks": weeks(&ours, &theirs, &capacity), "refused": refused,
            })
        }
        Kind::Diff => {
            let ways: Vec<Json> = answer
                .get("ways")
                .and_then(Json::as_array)
                .into_iter()
                .flatten()
                .map(|way| {
                    json!({
                        "from": way.get("from").map(|id| name(against, id)),
                        "to": way.get("to").map(|id| name(model, id)), "n": way.get("n"),
                    })
                })
                .collect();
            json!({ "contacts": answer.get("contacts"), "changes": answer.get("changes"), "ways": ways })
        }
        Kind::Lift => {
            let rows = |list: &str| -> Vec<Json> {
                let all = answer.get(list).and_then(Json::as_array).into_iter().flatten();
                all.map(|row| {
                    let label = row.get("label").and_then(|label| label.get(language.code()));
                    let share = |name: &str| percent(row.get(name).and_then(Json::as_f64), language);
                    json!({
                        "label": label, "axis": row.get("axis"), "band": row.get("band"),
                        "points": row.get("points").and_then(Json::as_f64).map(|points| shown(points, language)), "n": row.get("n"), "of_won": share("of_won"),
                        "of_not_won": share("of_not_won"), "lift": row.get("lift").and_then(Json::as_f64).map(|lift| shown(lift, language)),
                        "is_insufficient": row.get("is_insufficient"), "looks_ahead": row.get("looks_ahead"),
                    })
                })
                .collect()
            };
            json!({
                "won": answer.get("won"), "not_won": answer.get("not_won"), "rules": rows("rules"),
                "bands": rows("bands"),
            })
        }
    }
}

/// "42.5": a share as people read it; the sign is the template's.
fn percent(share: Option<f64>, language: Language) -> Option<String> {
    share.map(|share| shown((share * 1_000.0).round() / 10.0, language))
}

/// "2.5", "2,5": a number as each language writes it.
fn shown(number: f64, language: Language) -> String {
    let text = format!("{number}");
    match language {
        Language::En => text,
        Language::Es => text.replace('.', ","),
    }
}

/// The weeks of both sides with bars, as wide as the most that happens or can be held.
fn weeks(ours: &Figures, theirs: &Figures, capacity: &Capacity) -> Vec<Json> {
    let mut days: Vec<&String> = ours.per_week.keys().chain(theirs.per_week.keys()).collect();
    days.sort_unstable();
    days.dedup();
    let calls = usize::try_from(capacity.calls_per_week).unwrap_or(usize::MAX);
    let counts = ours.per_week.values().chain(theirs.per_week.values()).copied();
    let widest = counts.max().unwrap_or(0).max(calls).max(1);
    let share = |count: usize| if count == 0 { 0 } else { (count * 100 / widest).max(BAR_LEAST) };
    let row = |day: &String| {
        let count = |figures: &Figures| figures.per_week.get(day).copied().unwrap_or(0);
        let (model, running) = (count(ours), count(theirs));
        json!({
            "day": day, "model": model, "running": running, "model_share": share(model),
            "running_share": share(running), "is_above": model > calls,
            "capacity_share": share(calls),
        })
    };
    days.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Report;

    #[test]
    fn weeks_are_drawn_against_what_the_team_can_hold() {
        let figures = |weeks: &[(&str, usize)]| Figures {
            per_week: weeks.iter().map(|(day, n)| ((*day).to_owned(), *n)).collect(),
            ..Figures::default()
        };
        let capacity = Capacity { calls_per_week: 50, reps: Vec::new() };
        let rows = weeks(&figures(&[("2026-01-05", 100)]), &figures(&[("2026-01-12", 1)]), &capacity);
        assert_eq!(rows.len(), 2);
        assert_eq!((&rows[0]["model_share"], &rows[0]["is_above"]), (&json!(100), &json!(true)));
        assert_eq!((&rows[0]["capacity_share"], &rows[1]["running_share"]), (&json!(50), &json!(1)));
        assert_eq!(rows[1]["model_share"], json!(0));
    }

    #[test]
    fn a_version_is_judged_by_the_last_stage_of_marketing_and_the_second_of_sales() {
        let report = Report::new();
        let text = include_str!("../../../../config/lifecycle.yaml");
        let definition = Definition::parse("lifecycle.yaml", text, &report).expect("right");
        assert_eq!(usual_stage(&definition, false), "mql");
        assert_eq!(usual_stage(&definition, true), "sal");
    }
}
