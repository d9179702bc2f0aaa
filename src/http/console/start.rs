//! The first steps on an empty server: a site, its first hit, mails, a flow, a colleague. Each can be left for later and taken
//! up again; what is done shows by itself. A few made-up people can be looked at meanwhile.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::frame::{Reader, see, see_done};
use super::settings::sites;
use crate::accounts;
use crate::app::Begun;
use crate::http::error::Problem;
use crate::storage::kept;

/// The page itself.
pub const PATH: &str = "/console/start";
/// The name that what was left for later is kept under.
const NAME: &str = "first steps";

/// The steps, in the order in which they make sense.
pub const STEPS: [&str; 5] = ["site", "snippet", "mail", "flow", "people"];

/// What somebody has left for later.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Left {
    later: Vec<String>,
}

/// How far somebody has come.
pub struct Standing {
    /// Each step, and `done`, `later` or `open`.
    pub steps: Vec<(&'static str, &'static str)>,
}

impl Standing {
    /// Steps that nobody has done or left for later.
    pub fn open(&self) -> usize {
        self.steps.iter().filter(|(_, state)| *state == "open").count()
    }

    fn done(&self) -> usize {
        self.steps.iter().filter(|(_, state)| *state == "done").count()
    }
}

/// How far the first steps have come.
///
/// # Errors
/// As the store says.
pub async fn standing(reader: &Reader) -> Result<Standing, Problem> {
    let app = &reader.app;
    let left = left(kept::get(&mut app.stores.db.read(), NAME).await?.as_ref());
    let mut steps = Vec::new();
    for step in STEPS {
        let is_done = match step {
            "site" => app.sites.real().next().is_some(),
            "snippet" => sites::has_seen_anybody(reader).await?,
            "mail" => app.desk.mailer.leaves(),
            "flow" => app.has_own_flow(),
            _ => accounts::list(&mut app.stores.db.read()).await?.len() > 1,
        };
        let is_later = left.later.iter().any(|word| word == step);
        steps.push((
            step,
            if is_done {
                "done"
            } else if is_later {
                "later"
            } else {
                "open"
            },
        ));
    }
    Ok(Standing { steps })
}

fn left(kept: Option<&kept::Kept>) -> Left {
    kept.and_then(|kept| serde_json::from_str(&kept.body).ok()).unwrap_or_default()
}

/// `GET /console/start`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let standing = standing(&reader).await?;
    let (open, done) = (standing.open(), standing.done());
    let first = standing.steps.iter().find(|(_, state)| *state == "open").map(|(step, _)| *step);
    let steps: Vec<Json> = standing
        .steps
        .iter()
        .map(|(step, state)| json!({ "word": step, "state": state, "is_next": Some(*step) == first }))
        .collect();
    let app = &reader.app;
    let is_waiting =
        standing.steps.contains(&("site", "done")) && !standing.steps.contains(&("snippet", "done"));
    let body = json!({
        "steps": steps,
        "done": done,
        "all": STEPS.len(),
        "is_over": open == 0,
        "is_waiting": is_waiting,
        "sites": sites::told(&reader).await?,
        "zone_here": reader.zone(),
        "mail_from": app.config.mail.from,
        "flow_file": app.config.path_of(&app.config.definitions.flows).join("welcome.yaml").display().to_string(),
        "sample": app.sample_size().await.map_err(failed)?,
    });
    reader.page("console/start", body).await
}

fn failed(error: anyhow::Error) -> Problem {
    tracing::error!(error = %format!("{error:#}"), "a first step failed");
    Problem::new("internal", "Nothing was changed. Please try again in a moment.")
}

/// Whether a step is left for later, or taken up again.
#[derive(Deserialize)]
pub struct Chosen {
    #[serde(default)]
    later: String,
}

/// `POST /console/start/steps/{step}`.
pub async fn choose(
    reader: Reader,
    step: web::Path<String>,
    chosen: web::Form<Chosen>,
) -> Result<HttpResponse, Problem> {
    let known = STEPS.into_iter().find(|known| *known == step.as_str());
    let step = known.ok_or_else(|| Problem::new("request.not_found", "Choose one of the steps."))?;
    let mut tx = reader.app.stores.db.begin().await?;
    tx.lock(NAME).await?;
    let mut left = left(kept::get(&mut tx, NAME).await?.as_ref());
    left.later.retain(|word| word != step);
    if chosen.later == "1" {
        left.later.push(step.to_owned());
    }
    let body = json!(left).to_string();
    kept::put(&mut tx, NAME, &body, reader.now).await?;
    tx.commit().await?;
    Ok(see(PATH))
}

/// `POST /console/start/flow`: writes the first flow's file.
pub async fn flow(reader: Reader) -> Result<HttpResponse, Problem> {
    match reader.app.write_first_flow(reader.account.id).await.map_err(failed)? {
        Begun::Done => Ok(see_done(PATH, "first_flow")),
        Begun::Known => Ok(see(PATH)),
        Begun::NotWritable(why) => Err(Problem::new("chat.flow_not_writable", why)),
        Begun::Refused(why) => Err(Problem::new("chat.flows_wrong", why)),
    }
}

/// `POST /console/start/sample`.
pub async fn load_sample(reader: Reader) -> Result<HttpResponse, Problem> {
    reader.app.load_sample(reader.account.id).await.map_err(failed)?;
    Ok(see_done(PATH, "sample_loaded"))
}

/// `POST /console/start/sample/remove`.
pub async fn remove_sample(reader: Reader) -> Result<HttpResponse, Problem> {
    reader.app.remove_sample(reader.account.id).await.map_err(failed)?;
    Ok(see_done(PATH, "sample_removed"))
}
