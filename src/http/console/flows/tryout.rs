//! A flow tried out in place: the file as it is, or a draft of it, played on a stage. Everything that was done travels in the
//! form; the server keeps nothing of it.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::super::frame::Reader;
use super::told::{self, Numbers, marks};
use super::{failed, head, shown};
use crate::accounts::May;
use crate::base::language::Language;
use crate::base::signing::sha256_hex;
use crate::base::time::{HOUR_MS, Timestamp};
use crate::chat;
use crate::chat::graph::{Graph, drawing};
use crate::chat::rehearsal::Scene;
use crate::chat::tryout::{MOVES_MOST, Move, play};
use crate::http::error::Problem;

/// No trial begins after the year 2100.
const LATEST_MS: i64 = 4_102_444_800_000;

/// Who plays, and what was done.
#[derive(Deserialize, Default)]
pub struct Trial {
    /// The text that is tried; without it the file's.
    #[serde(default)]
    text: String,
    #[serde(default)]
    opened: String,
    #[serde(default)]
    language: String,
    /// Somebody of the team is there.
    #[serde(default)]
    online: String,
    /// It is certain who she is.
    #[serde(default)]
    known: String,
    #[serde(default)]
    start: String,
    /// When it began, in milliseconds.
    #[serde(default)]
    began: String,
    /// One move a line.
    #[serde(default)]
    moves: String,
    /// The move that comes now; `back` takes the last one back, `again` all of them.
    #[serde(default)]
    next: String,
    /// What was typed, for the move `say`.
    #[serde(default)]
    said: String,
}

/// `GET /console/flows/{flow}/try`.
pub async fn begin(reader: Reader, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let trial = Trial { online: "1".to_owned(), ..Trial::default() };
    page(&reader, &name, &trial).await
}

/// `POST /console/flows/{flow}/try`: the next move.
pub async fn go_on(
    reader: Reader,
    name: web::Path<String>,
    form: web::Form<Trial>,
) -> Result<HttpResponse, Problem> {
    page(&reader, &name, &form).await
}

async fn page(reader: &Reader, name: &str, trial: &Trial) -> Result<HttpResponse, Problem> {
    let app = &reader.app;
    let saved = app.bench().await.map_err(|error| failed(&error))?;
    // Only whoever may save a text has a draft.
    let draft =
        Some(trial.text.replace("\r\n", "\n")).filter(|text| !text.is_empty() && reader.may(May::Curate));
    let draft = draft.filter(|text| saved.paper(name).is_some_and(|paper| paper.hash != sha256_hex(text)));
    let bench = match &draft {
        Some(text) => app.bench_with(name, text).await.map_err(|error| failed(&error))?,
        None => saved,
    };
    let head = head(reader, &bench, name, "try")?;
    let running = app.room.flows.now();
    // A draft with mistakes cannot be played, and what runs is not what was asked for.
    let flow = match &draft {
        Some(_) => bench.flows.as_ref().and_then(|flows| flows.find(name)),
        None => shown(&bench, &running, name),
    };
    let Some(flow) = flow else {
        let body = json!({
            "flow": head, "draft": draft, "opened": trial.opened, "checked": told::checked(&bench, name), "played": null,
        });
        return reader.page_with(StatusCode::UNPROCESSABLE_ENTITY, "console/flow_try", body).await;
    };
    let mut written: Vec<String> = trial.moves.lines().map(str::trim).map(str::to_owned).collect();
    written.retain(|line| Move::parse(line).is_some());
    match trial.next.as_str() {
        "back" => drop(written.pop()),
        "again" => written.clear(),
        "say" => {
            let said: String = trial.said.split_whitespace().collect::<Vec<_>>().join(" ");
            let said: String = said.chars().take(chat::MESSAGE_LENGTH).collect();
            written.extend(Some(format!("say {said}")).filter(|_| !said.is_empty()));
        }
        next => written.extend(Some(next.trim().to_owned()).filter(|next| Move::parse(next).is_some())),
    }
    written.truncate(MOVES_MOST);
    let asked = Language::of_tag(&trial.language).unwrap_or(reader.account.language);
    let language = Some(asked).filter(|language| flow.languages.contains(language));
    let language = language.or_else(|| flow.languages.first().copied()).unwrap_or_default();
    let began = trial.began.parse().ok().filter(|ms| (0..LATEST_MS).contains(ms));
    let began = began.map_or(reader.now, Timestamp);
    let is_known = trial.known == "1";
    let is_online = trial.online == "1";
    let mut scene = Scene::usual(running.all(), Timestamp(began.0 - began.0.rem_euclid(HOUR_MS)));
    scene.zone = reader.zone();
    scene.language = language;
    scene.online = u32::from(is_online);
    let scene = if is_known { scene } else { scene.of_nobody() };
    let moves: Vec<Move> = written.iter().filter_map(|line| Move::parse(line)).collect();
    let start = Some(trial.start.as_str()).filter(|step| !step.is_empty());
    let played = play(flow, scene, start, &moves);
    if played.was_refused {
        written.pop();
    }
    let graph = Graph::of(flow, language);
    let path = own_steps(&played.path);
    let at = path.last().cloned().filter(|_| !played.has_ended);
    let numbers = Numbers { ways: None, chosen: at.as_deref(), lit: &path };
    let (nodes, edges) = marks(reader, &graph, &numbers, |_| None);
    let steps: Vec<Json> =
        flow.own_steps().map(|step| json!({ "id": step.id, "is_chosen": step.id == trial.start })).collect();
    let languages: Vec<Json> =
        flow.languages.iter().map(|of| json!({ "code": of.code(), "is_chosen": *of == language })).collect();
    let offered = played.open.slots.iter().enumerate();
    let slots: Vec<Json> =
        offered.map(|(index, slot)| json!({ "number": index + 1, "starts_at": slot.starts_at })).collect();
    let body = json!({
        "flow": head,
        "draft": draft,
        "opened": trial.opened,
        "checked": told::checked(&bench, name),
        "slots": slots,
        "played": played,
        "path": path,
        "language": language.code(),
        "languages": languages,
        "is_online": is_online,
        "is_known": is_known,
        "steps": steps,
        "start": trial.start,
        "began": began,
        "moves": written.join("\n"),
        "has_moves": !written.is_empty(),
        "is_full": written.len() >= MOVES_MOST,
        "drawing": drawing(&graph, &nodes, &edges),
    });
    reader.page("console/flow_try", body).await
}

/// The flow's own steps on a path: what happens in a flow that is called happens at the step that calls it.
fn own_steps(path: &[String]) -> Vec<String> {
    let mut own: Vec<String> =
        path.iter().filter_map(|step| step.split('/').next()).map(str::to_owned).collect();
    own.dedup();
    own
}
