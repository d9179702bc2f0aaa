//! The ordinary week of a rep: a table of times to type in, without a script. A rep writes her own, an administrator
//! everybody's; of two who write at once the second sees what the first wrote.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::frame::{Reader, address, see_done};
use super::team::{subject, subjects};
use crate::bookings::own_week::{self, MOST_STRETCHES};
use crate::bookings::team::{Hours, Rep, Week};
use crate::http::error::Problem;
use crate::privacy::audit::{self, By, What};
use crate::stages::hours::WEEK;

const PATH: &str = "/console/team/hours";

/// `GET /console/team/hours?rep=mike`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let own = reader.app.team.rep_of_account(&reader.account.email);
    let asked = reader.asked("rep");
    let rep = match asked.as_deref() {
        Some(id) => Some(subject(&reader, id)?),
        None => own.or_else(|| subjects(&reader).into_iter().next()),
    };
    page(&reader, rep, Refusal::default()).await
}

/// Why nothing was written, and what was typed.
#[derive(Default)]
struct Refusal<'a> {
    word: Option<&'static str>,
    typed: Option<&'a BTreeMap<String, String>>,
    wrong: Vec<usize>,
}

async fn page(reader: &Reader, rep: Option<&Rep>, refusal: Refusal<'_>) -> Result<HttpResponse, Problem> {
    let reps: Vec<Json> = subjects(reader)
        .into_iter()
        .map(|one| {
            json!({
                "name": one.name, "href": address(PATH, &[("rep", Some(one.id.clone()))]),
                "current": rep.is_some_and(|rep| rep.id == one.id),
            })
        })
        .collect();
    let told = match rep {
        Some(rep) => Some(told(reader, rep, &refusal).await?),
        None => None,
    };
    let status = match refusal.word {
        None => StatusCode::OK,
        Some("changed") => StatusCode::CONFLICT,
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let body = json!({ "reps": reps, "rep": told, "refused": refusal.word });
    reader.page_with(status, "console/team_hours", body).await
}

async fn told(reader: &Reader, rep: &Rep, refusal: &Refusal<'_>) -> Result<Json, Problem> {
    let written = own_week::written(&mut reader.app.stores.db.read(), &rep.id).await?;
    let week = written.week.as_ref().unwrap_or(&rep.hours);
    let days: Vec<Json> = (0..7).map(|day| line(week, day, refusal)).collect();
    Ok(json!({
        "id": rep.id, "name": rep.name, "at": reader.now, "zone": rep.zone.iana_name().unwrap_or("UTC"),
        "version": written.version, "changed_at": written.at.filter(|_| written.week.is_some()),
        "is_own": written.week.is_some(), "days": days,
    }))
}

/// A day of the table, with what was typed if it was refused.
fn line(week: &Week, day: usize, refusal: &Refusal<'_>) -> Json {
    let hours = WEEK.get(day).map_or(&[][..], |weekday| week.on(*weekday));
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60 % 24, minute % 60);
    let stretch = |n: usize| {
        let names = ["from", "to"].map(|edge| format!("d{day}-{n}-{edge}"));
        let is = |edge: fn(&Hours) -> u16| hours.get(n).map_or_else(String::new, |hours| clock(edge(hours)));
        let values = [is(|hours| hours.from), is(|hours| hours.to)];
        let [from, to] = names;
        let [is_from, is_to] = match refusal.typed {
            Some(typed) => [&from, &to].map(|name| typed.get(name).cloned().unwrap_or_default()),
            None => values,
        };
        json!({ "number": n + 1, "from_name": from, "to_name": to, "from": is_from, "to": is_to })
    };
    let stretches: Vec<Json> = (0..MOST_STRETCHES).map(stretch).collect();
    // Beside what was typed: what a colleague has made of the day meanwhile.
    let typed = |name: &str| refusal.typed.and_then(|typed| typed.get(name)).map_or("", |text| text.trim());
    let is_hers = |n: usize| {
        let [from, to] = ["from", "to"].map(|edge| typed(&format!("d{day}-{n}-{edge}")));
        match hours.get(n) {
            Some(hours) => from == clock(hours.from) && to == clock(hours.to),
            None => from.is_empty() && to.is_empty(),
        }
    };
    let is_other =
        refusal.word == Some("changed") && refusal.typed.is_some() && !(0..MOST_STRETCHES).all(is_hers);
    let told = |hours: &Hours| format!("{}–{}", clock(hours.from), clock(hours.to));
    let now: Vec<String> = hours.iter().map(told).collect();
    json!({
        "is_other": is_other,
        "now": now.join(", "),
        "label_key": format!("booking.wait.day_{day}"),
        "is_wrong": refusal.wrong.contains(&day),
        "stretches": stretches,
    })
}

/// A week, as it was typed.
#[derive(Deserialize)]
pub struct Typed {
    rep: String,
    version: i64,
    /// `file` takes up the week of `team.yaml` again.
    #[serde(default)]
    what: String,
    #[serde(flatten)]
    rest: BTreeMap<String, String>,
}

/// `POST /console/team/hours`.
pub async fn write(reader: Reader, form: web::Form<Typed>) -> Result<HttpResponse, Problem> {
    let rep = subject(&reader, &form.rep)?;
    let week = match (form.what.as_str(), own_week::read(&form.rest)) {
        ("file", _) => None,
        (_, Ok(week)) => Some(week),
        (_, Err(wrong)) => {
            let refusal = Refusal { word: Some("wrong"), typed: Some(&form.rest), wrong };
            return page(&reader, Some(rep), refusal).await;
        }
    };
    let (db, now) = (&reader.app.stores.db, reader.now);
    let mut tx = db.begin().await?;
    let seen = (rep.id.as_str(), form.version);
    if !own_week::write(&mut tx, seen, week.as_ref(), reader.account.id, now).await? {
        drop(tx);
        // Whoever wanted the week of the file back has typed nothing.
        let typed = week.is_some().then_some(&form.rest);
        let refusal = Refusal { word: Some("changed"), typed, ..Refusal::default() };
        return page(&reader, Some(rep), refusal).await;
    }
    let mut details = What::WorkingHours.of(&rep.name);
    details["rep"] = json!(rep.id);
    details["week"] = json!(week);
    audit::changed(&mut tx, By::Account(reader.account.id), details, now).await?;
    tx.commit().await?;
    own_week::refresh(&mut db.read(), &reader.app.team).await?;
    Ok(see_done(&address(PATH, &[("rep", Some(rep.id.clone()))]), "hours"))
}
