//! The mails that were sent, or that wait because no mail server is configured; what else waits, fails or was given up,
//! and the chats and programs that are written to.

use std::collections::BTreeMap;

use actix_web::http::header::{CONTENT_SECURITY_POLICY, ContentType};
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::frame::{Reader, address, pages, see_done, see_released};
use crate::base::ids::JobId;
use crate::base::time::Timestamp;
use crate::http::error::Problem;
use crate::jobs::held::Held;
use crate::jobs::queue::{self, Which};
use crate::notify;
use crate::privacy::audit;
use crate::reports::Extent;
use crate::reports::outbox::{self, Letter, PAGE, Queued, Target};
use crate::subscriptions::suppression::{self, Reason};

/// A mail brings its own styles and must do nothing else: no script, no form, no request but for its pictures.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; sandbox allow-popups allow-popups-to-escape-sandbox; \
                      form-action 'none'; base-uri 'none'; frame-ancestors 'self'";

/// `GET /console/outbox?page=…`.
pub async fn list(reader: Reader) -> Result<HttpResponse, Problem> {
    let page = reader.asked_page();
    let (mails, total) = outbox::list(&mut reader.app.stores.db.read(), page).await?;
    reader.saw_list("outbox", mails.is_empty()).await?;
    let extent = Extent::of(page, PAGE, mails.len(), total);
    let queue = outbox::queue(&mut reader.app.stores.db.read(), reader.now).await?;
    let queue = to_reps(&reader, queue);
    let held = held_back(&reader, &queue).await?;
    let asked = reader.asked("queue");
    let of = |name: &str, states: &[&str]| {
        let mut jobs: Vec<_> = queue.iter().filter(|job| states.contains(&job.state)).collect();
        let count = jobs.len();
        let is_whole = count <= FIRST || asked.as_deref() == Some(name);
        jobs.truncate(if is_whole { count } else { FIRST });
        let jobs: Vec<Json> =
            jobs.into_iter().map(|job| told(&reader, job, held.get(&job.id).copied())).collect();
        let all = (!is_whole).then(|| address(PATH, &[("queue", Some(name.to_owned()))]));
        json!({ "name": name, "count": count, "jobs": jobs, "all": all })
    };
    let body = json!({
        "captured": reader.app.config.mail.smtp.is_empty(),
        "mails": mails,
        "targets": targets(&reader).await?,
        // What a person has to look at, and what only takes its time.
        "queues": [
            of("dead", &["dead"]),
            of("failing", &["failing"]),
            of("waiting", &["waiting", "running"]),
            of("dropped", &["dropped"]),
        ],
        "pages": pages(extent, |page| address("/console/outbox", &[("page", Some(page.to_string()))])),
    });
    reader.page("console/outbox", body).await
}

/// A job as people read it: what it is, where it goes, and why it is not out.
fn told(reader: &Reader, job: &Queued, held: Option<Reason>) -> Json {
    let desk = &reader.app.desk;
    let language = reader.account.language;
    let text = |key: &str, values: &[(&str, String)]| {
        desk.templates.texts().get(language, &format!("console.{key}"), values)
    };
    let (channel, name) = job.target.split_once(':').unwrap_or((&job.target, ""));
    let what = match channel {
        "mail" => Some(desk.wording.title(&job.what, language)),
        "webhook" => text("outbox.fact", &[("kind", job.what.clone())]),
        "crm" => text(&format!("crm.what_{}", job.what), &[]),
        "calendar" => text("outbox.call_in_calendar", &[]),
        "" => text("outbox.target_facts", &[]),
        _ => text(&format!("outbox.line.{}", job.what), &[]),
    };
    let place = match (channel, desk.rules.hook(name)) {
        ("hook" | "webhook", Some(hook)) => text(&format!("outbox.hook_{}", hook.way.word()), &[]),
        ("hook" | "webhook", None) => text("outbox.target_gone", &[]),
        ("", _) => None,
        _ => text(&format!("outbox.target_{channel}"), &[]),
    };
    let code = job.code.as_deref();
    let mut told = json!(job);
    told["what"] = json!(what.unwrap_or_else(|| job.what.clone()));
    told["goes_to"] = json!(place);
    told["held"] = json!(held.and_then(|held| text(&format!("outbox.reason.{}", held.word()), &[])));
    // What holds it back goes first: trying again what was refused would do nothing.
    let code = code.filter(|code| held.is_none() || *code != "refused");
    told["reason"] = json!(code.and_then(|code| text(&format!("outbox.reason.{code}"), &[])));
    // Whatever failed, somebody answered for it, in words that an engineer may need.
    told["has_answer"] = json!(matches!(job.state, "failing" | "dead"));
    told
}

/// The page itself.
const PATH: &str = "/console/outbox";
/// How many lines of a queue are shown at first.
const FIRST: usize = 10;

/// Where messages go, how each does, and what lies before it: the mails, the chats and programs of notify.yaml, and whatever
/// else there is something for.
async fn targets(reader: &Reader) -> Result<Vec<Json>, Problem> {
    let mut found = outbox::targets(&mut reader.app.stores.db.read()).await?;
    let mut take = |name: &str| {
        let at = found.iter().position(|known| known.target == name);
        at.map(|at| found.remove(at))
            .unwrap_or_else(|| Target { target: name.to_owned(), ..Target::default() })
    };
    let is_captured = reader.app.config.mail.smtp.is_empty();
    let mail = take("mail");
    let state = match state_of(&mail) {
        "fine" if is_captured => "captured",
        state => state,
    };
    let mut rows = vec![json!({
        "name": "mail", "kind": "mail", "hook": null, "state": state, "since": mail.failing_since, "why": null, "counts": mail,
    })];
    for hook in hooks(reader).await? {
        let channel = if hook.kind == "webhook" { "webhook" } else { "hook" };
        let counts = take(&format!("{channel}:{}", hook.name));
        let state = match hook.state {
            "fine" => state_of(&counts),
            state => state,
        };
        rows.push(json!({
            "name": hook.name, "kind": hook.kind, "hook": hook.name, "state": state,
            "since": hook.since.or(counts.failing_since), "why": hook.why, "counts": counts,
        }));
    }
    for counts in found {
        let (channel, name) = counts.target.split_once(':').unwrap_or((&counts.target, ""));
        let kind = match channel {
            "" => "facts",
            // It was taken out of notify.yaml.
            "hook" | "webhook" => "gone",
            known => known,
        };
        let state = state_of(&counts);
        rows.push(json!({
            "name": name, "kind": kind, "hook": null, "state": state, "since": counts.failing_since, "why": null,
            "counts": counts,
        }));
    }
    Ok(rows)
}

/// How a target does, by what lies before it.
fn state_of(counts: &Target) -> &'static str {
    match (counts.failing, counts.dead) {
        (0, 0) => "fine",
        (0, _) => "dead",
        (_, _) => "failing",
    }
}

/// A chat or a program that is written to.
struct Doing {
    name: String,
    kind: &'static str,
    state: &'static str,
    since: Option<Timestamp>,
    why: Option<String>,
}

/// How the chats and programs do that are written to.
async fn hooks(reader: &Reader) -> Result<Vec<Doing>, Problem> {
    let mut hooks = Vec::new();
    for hook in &reader.app.desk.rules.hooks {
        let known = notify::endpoint(&mut reader.app.stores.db.read(), &hook.name).await?;
        let state = match &known {
            Some(known) if known.disabled_at.is_some() => "disabled",
            Some(known) if known.failing_since.is_some() => "failing",
            _ => "fine",
        };
        hooks.push(Doing {
            name: hook.name.clone(),
            kind: hook.way.word(),
            state,
            since: known.as_ref().and_then(|known| known.disabled_at.or(known.failing_since)),
            why: known.and_then(|known| known.why),
        });
    }
    Ok(hooks)
}

/// The same, with the addresses of the reps to whom mails about calls go.
fn to_reps(reader: &Reader, mut queue: Vec<Queued>) -> Vec<Queued> {
    for job in &mut queue {
        let team = &reader.app.team;
        let known = |id: &String| team.rep(id).or_else(|| team.gone_reps().iter().find(|rep| rep.id == *id));
        if let Some(rep) = job.rep.as_ref().and_then(known) {
            job.to = outbox::masked(rep.email.as_str());
            job.recipient = Some(rep.email.clone());
        }
    }
    queue
}

/// The mails that were given up and whose address is not written to at all, each with the reason: tried again they would
/// only be let be.
async fn held_back(reader: &Reader, queue: &[Queued]) -> Result<BTreeMap<String, Reason>, Problem> {
    let reads = &mut reader.app.stores.db.read();
    let mut held = BTreeMap::new();
    for job in queue.iter().filter(|job| job.state == "dead") {
        let Some(email) = &job.recipient else { continue };
        let kind = suppression::Kind::Transactional;
        if let Some(reason) = suppression::blocks(reads, &reader.app.keys, email, kind, reader.now).await? {
            held.insert(job.id.clone(), reason);
        }
    }
    Ok(held)
}

/// The message that was given up under this id.
async fn dead_job(reader: &Reader, job: &str) -> Result<(JobId, Queued), Problem> {
    let id = JobId::parse(job).map_err(|_| unknown_job())?;
    let found = outbox::dead(&mut reader.app.stores.db.read(), Some(&id.to_string()), None).await?;
    Ok((id, to_reps(reader, found).into_iter().next().ok_or_else(unknown_job)?))
}

/// `POST /console/outbox/jobs/{job}/release`: the address of a mail that was given up is written to again, whatever bounced
/// or was blocked by hand; the mail is tried again, and so is whatever else about calls ahead was held back from it. What a
/// reader said stays hers.
pub async fn release(reader: Reader, job: web::Path<String>) -> Result<HttpResponse, Problem> {
    let (id, dead) = dead_job(&reader, &job).await?;
    let email = dead.recipient.ok_or_else(unknown_job)?;
    let held = Held::find(&reader.app.desk, &email, reader.now).await?;
    let mut tx = reader.app.stores.db.begin().await?;
    let released = held.release(&mut tx, &reader.app.desk, reader.now).await?;
    let by = audit::By::Account(reader.account.id);
    match dead.contact_id {
        Some(contact) => {
            let what = json!({ "did": "address_released", "job": id });
            audit::note(&mut tx, by, audit::Act::Changed, contact, what, reader.now).await?;
        }
        // A colleague's.
        None => {
            let what = audit::What::MailReleased.of(email.as_str());
            audit::changed(&mut tx, by, what, reader.now).await?;
        }
    }
    let itself = queue::replay(&mut tx, &Which::One(id), reader.now).await?;
    tx.commit().await?;
    let mails = released.mails + usize::try_from(itself).unwrap_or_default();
    Ok(see_released(PATH, "address_released", mails))
}

/// `POST /console/outbox/jobs/{job}/replay`: tries what was given up again, unless nothing goes to its address.
pub async fn replay(reader: Reader, job: web::Path<String>) -> Result<HttpResponse, Problem> {
    let (id, dead) = dead_job(&reader, &job).await?;
    if !held_back(&reader, &[dead]).await?.is_empty() {
        return Err(Problem::new("outbox.held_back", "Nothing goes to this address; it was left as it is."));
    }
    if replayed(&reader, &Which::One(id)).await? == 0 {
        return Err(unknown_job());
    }
    Ok(see_done(PATH, "replayed"))
}

/// What is to be tried again; without a target everything.
#[derive(Deserialize)]
pub struct Again {
    #[serde(default)]
    target: String,
}

/// `POST /console/outbox/replay`: tries everything that was given up again, of one target or of all.
pub async fn replay_all(reader: Reader, again: web::Form<Again>) -> Result<HttpResponse, Problem> {
    let target = Some(again.into_inner().target).filter(|target| !target.is_empty());
    let dead = outbox::dead(&mut reader.app.stores.db.read(), None, target.as_deref()).await?;
    let dead = to_reps(&reader, dead);
    let held = held_back(&reader, &dead).await?;
    if held.is_empty() {
        replayed(&reader, &Which::Since { from: Timestamp::default(), target }).await?;
        return Ok(see_done(PATH, "replayed"));
    }
    let mut tx = reader.app.stores.db.begin().await?;
    for job in dead.iter().filter(|job| !held.contains_key(&job.id)) {
        let id = JobId::parse(&job.id).map_err(|_| unknown_job())?;
        queue::replay(&mut tx, &Which::One(id), reader.now).await?;
    }
    tx.commit().await?;
    Ok(see_done(PATH, "replayed_but_held"))
}

async fn replayed(reader: &Reader, which: &Which) -> Result<u64, Problem> {
    let mut tx = reader.app.stores.db.begin().await?;
    let replayed = queue::replay(&mut tx, which, reader.now).await?;
    tx.commit().await?;
    Ok(replayed)
}

fn unknown_job() -> Problem {
    Problem::new("outbox.job_unknown", "Nothing that was given up has this id.")
}

/// `POST /console/outbox/hooks/{hook}/test`: sends it something harmless at once.
pub async fn test(reader: Reader, hook: web::Path<String>) -> Result<HttpResponse, Problem> {
    let app = &reader.app;
    let link = app.link(PATH);
    let sent = notify::trial::send(&app.desk.outbound, &app.desk.rules, &hook, &link, reader.now).await;
    match sent {
        None => Err(Problem::new("hook.unknown", "notify.yaml has no hook of this name.")),
        Some(Ok(())) => Ok(see_done(PATH, "tested")),
        Some(Err(error)) => Err(Problem::new("hook.refused", error.to_string())),
    }
}

/// `POST /console/outbox/hooks/{hook}/enable`: tries a disabled webhook again from now on.
pub async fn enable(reader: Reader, hook: web::Path<String>) -> Result<HttpResponse, Problem> {
    let mut tx = reader.app.stores.db.begin().await?;
    let was_disabled = notify::enable_endpoint(&mut tx, &hook).await?;
    tx.commit().await?;
    if was_disabled {
        Ok(see_done(PATH, "hook_enabled"))
    } else {
        Err(Problem::new("hook.unknown", "No disabled webhook has this name."))
    }
}

/// `GET /console/outbox/{mail}?part=html|text|calendar`.
pub async fn show(reader: Reader, mail: web::Path<String>) -> Result<HttpResponse, Problem> {
    let letter = find(&reader, &mail).await?;
    let offered = ["html", "text"].into_iter().chain(letter.calendar.as_ref().map(|_| "calendar"));
    let offered: Vec<&str> = offered.collect();
    let asked = reader.asked("part");
    let part = offered.iter().find(|part| asked.as_deref() == Some(**part)).copied().unwrap_or("html");
    let parts: Vec<Json> =
        offered.iter().map(|name| json!({ "name": name, "current": *name == part })).collect();
    let links = links(&letter.text_body);
    let body = json!({ "mail": letter, "part": part, "parts": parts, "links": links });
    reader.page("console/mail", body).await
}

/// `GET /console/outbox/{mail}/html`: the mail alone, for the frame.
pub async fn html(reader: Reader, mail: web::Path<String>) -> Result<HttpResponse, Problem> {
    let letter = find(&reader, &mail).await?;
    Ok(HttpResponse::Ok()
        .insert_header(ContentType::html())
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .body(letter.html_body.replacen("<head>", "<head><base target=\"_blank\">", 1)))
}

async fn find(reader: &Reader, id: &str) -> Result<Letter, Problem> {
    let letter = outbox::letter(&mut reader.app.stores.db.read(), id).await?;
    let letter = letter.ok_or_else(crate::http::not_found)?;
    if let Some(contact) = letter.contact_id {
        let by = audit::By::Account(reader.account.id);
        audit::saw(&reader.app.stores.db, by, contact, reader.now).await?;
    }
    Ok(letter)
}

/// The addresses in a mail's text, each once.
fn links(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for word in text.split_whitespace() {
        let word = word.trim_matches(['<', '>', '(', ')', ',', '.']);
        let is_link = word.starts_with("https://") || word.starts_with("http://");
        if is_link && url::Url::parse(word).is_ok() && !found.contains(&word) {
            found.push(word);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_in_a_mail_is_found_once() {
        let text = "Change it: https://e.example/b/T.\nOr <https://e.example/b/T> or javascript:x (http://a.example)";
        assert_eq!(links(text), ["https://e.example/b/T", "http://a.example"]);
    }
}
