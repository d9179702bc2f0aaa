//! The part of a contact's page about what the team knows and does: answers, tasks, the hand-over, deals; and the form for a
//! call.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use jiff::civil::{Date, DateTime};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::bookings::disputed;
use super::conflict::{Conflict, Row};
use super::contact_conflict::{self, Typed};
use super::frame::{Reader, see_done};
use crate::accounts::{self, May, Role};
use crate::base::ids::{AccountId, BookingId, ContactId, DealId};
use crate::base::time::{HOUR_MS, Timestamp, zone};
use crate::bookings;
use crate::calls::{self, Findings, Next, Outcome, Telephone};
use crate::contacts::{self, Contact, Field};
use crate::deals::{self, Milestone, Status};
use crate::handovers::{self, Given, Handover};
use crate::http::error::Problem;
use crate::privacy::audit;
use crate::scoring::{BANT, Facts};
use crate::stages::{Actor, definition::ROLES};
use crate::storage::db::Queries;
use crate::tasks::{self, Kind, NewTask};

/// The hour of the reader's day at which a task is due whose day only is said.
const DUE_AT_HOUR: i64 = 17;

/// An answer that is known, and no yes.
const NO: &str = "no";

/// What the page shows.
pub async fn of(reader: &Reader, q: &mut impl Queries, known: &Contact) -> Result<Json, Problem> {
    let fields = current(contacts::fields(q, known.id).await?);
    let names = names(q).await?;
    let name_of = |id: Option<AccountId>| id.and_then(|id| names.get(&id).map(|(name, _)| name.clone()));
    let tasks: Vec<Json> = tasks::of_contact(q, known.id)
        .await?
        .into_iter()
        .map(|task| {
            json!({
                "id": task.id,
                "kind": task.kind,
                "title": task.title,
                "due_at": task.due_at,
                "is_late": task.done_at.is_none() && task.due_at.is_some_and(|due_at| due_at <= reader.now),
                "to": name_of(Some(task.account)),
                "done_at": task.done_at,
            })
        })
        .collect();
    let role = reader.account.role;
    let handover = handovers::open_of(q, known.id).await?.map(|open| {
        json!({
            "id": open.id,
            "role": open.role,
            "to": name_of(open.account),
            "from": name_of(open.from),
            "note": open.note,
            "due_at": open.due_at,
            "is_late": open.due_at.is_some_and(|due_at| due_at <= reader.now),
            "may_take": role == Role::Admin || role.word() == open.role,
        })
    });
    let mut told = Vec::new();
    for deal in deals::of_contact(q, known.id).await? {
        let reached = deals::milestones(q, deal.id).await?;
        let missing = Milestone::ALL.into_iter().filter(|milestone| {
            deal.status == Status::Open && !reached.iter().any(|reached| reached.milestone == *milestone)
        });
        let missing: Vec<&str> = missing.map(Milestone::word).collect();
        told.push(json!({
            "id": deal.id,
            "name": deal.name,
            "status": deal.status,
            "milestones": reached,
            "missing": missing,
        }));
    }
    Ok(json!({
        "may_write": reader.may(May::Decide),
        "may_call": reader.app.lifecycle.may_be_called(&known.stage),
        "answers": answers(reader, known, &fields),
        "questions": questions(reader, &fields),
        "tasks": tasks,
        "kinds": kinds(reader, known),
        "people": people(&names),
        "handover": handover,
        "roles": ROLES,
        "deals": told,
    }))
}

/// The facts that hold, by name.
fn current(fields: Vec<Field>) -> BTreeMap<String, Field> {
    fields.into_iter().filter(|field| !field.is_suggestion).map(|field| (field.name.clone(), field)).collect()
}

/// Everybody who works here, by id, with the role.
async fn names(q: &mut impl Queries) -> Result<BTreeMap<AccountId, (String, Role)>, Problem> {
    let all = accounts::list(q).await?;
    let all = all.into_iter().filter(|account| account.disabled_at.is_none());
    Ok(all.map(|account| (account.id, (account.name, account.role))).collect())
}

fn people(names: &BTreeMap<AccountId, (String, Role)>) -> Vec<Json> {
    let working = names.iter().filter(|(_, (_, role))| *role != Role::Viewer);
    working.map(|(id, (name, role))| json!({ "id": id, "name": name, "role": role })).collect()
}

/// The kinds of tasks that can be given: no call before sales looks after her.
fn kinds(reader: &Reader, known: &Contact) -> Vec<&'static str> {
    let may_call = reader.app.lifecycle.may_be_called(&known.stage);
    Kind::ALL.into_iter().filter(|kind| may_call || *kind != Kind::Call).map(Kind::word).collect()
}

/// The four answers with where they come from, and how many of them there are.
fn answers(reader: &Reader, known: &Contact, fields: &BTreeMap<String, Field>) -> Json {
    let values = fields.iter().map(|(name, field)| (name.clone(), field.value.clone())).collect();
    let facts = Facts::of(&known.email, known.language.code(), &values);
    let rows: Vec<Json> = BANT
        .iter()
        .map(|name| {
            let field = fields.get(*name).or_else(|| fields.get(&format!("bant.{name}")));
            let value = field.map(|field| match field.value.as_str() {
                NO => reader.text("console.answers.no").unwrap_or_default(),
                value => {
                    let label = reader.app.room.flows.label(name, value, reader.account.language);
                    label.unwrap_or_else(|| value.to_owned())
                }
            });
            json!({
                "name": name,
                "value": value,
                "source": field.map(|field| field.source.clone()),
                "at": field.map(|field| field.at),
            })
        })
        .collect();
    json!({
        "known": facts.bant_known(),
        "yes": facts.bant_positive(),
        "of": BANT.len(),
        "is_complete": facts.bant_positive() == BANT.len(),
        "rows": rows,
    })
}

/// What can be asked for, each with the answers that the bot offers, and the one that is known.
fn questions(reader: &Reader, fields: &BTreeMap<String, Field>) -> Vec<Json> {
    let language = reader.account.language;
    let ask = |name: &&str| {
        let value = fields.get(*name).map(|field| field.value.clone()).unwrap_or_default();
        let offered = reader.app.room.flows.now().choices(name, language);
        let is_offered = offered.iter().any(|(id, _)| *id == value);
        let mut choices: Vec<Json> = offered
            .iter()
            .map(|(id, label)| json!({ "id": id, "label": label, "selected": *id == value }))
            .collect();
        let is_no = value == NO;
        if !choices.is_empty() && BANT.contains(name) && !offered.iter().any(|(id, _)| *id == NO) {
            choices.push(json!({ "id": NO, "label": reader.text("console.answers.no"), "selected": is_no }));
        }
        if !choices.is_empty() && !value.is_empty() && !is_offered && !is_no {
            choices.push(json!({ "id": value, "label": value, "selected": true }));
        }
        json!({ "name": name, "value": value, "choices": choices })
    };
    calls::ASKED.iter().map(ask).collect()
}

async fn known(reader: &Reader, contact: &str) -> Result<Contact, Problem> {
    let id = ContactId::parse(contact).map_err(|_| contacts::Error::Unknown)?;
    Ok(contacts::find(&mut reader.app.stores.db.read(), id).await?.ok_or(contacts::Error::Unknown)?)
}

/// What was typed, without what is empty.
async fn typed(
    reader: &Reader,
    contact: &Contact,
    form: &BTreeMap<String, String>,
) -> Result<Vec<Typed>, Problem> {
    let fields = current(contacts::fields(&mut reader.app.stores.db.read(), contact.id).await?);
    let one = |name: &&str| {
        let value = form.get(*name)?.trim().to_owned();
        let now = fields.get(*name).map(|field| field.value.clone()).unwrap_or_default();
        let was = form.get(&format!("was_{name}")).cloned();
        Some(Typed { name: (*name).to_owned(), was, value, now })
    };
    Ok(calls::ASKED.iter().filter_map(one).filter(|field| !field.value.is_empty()).collect())
}

/// What is to be written of that: an answer that nobody changed keeps its source.
fn changed(typed: Vec<Typed>) -> BTreeMap<String, String> {
    let is_new = |field: &Typed| field.is_touched() && field.now.trim() != field.value;
    typed.into_iter().filter(is_new).map(|field| (field.name, field.value)).collect()
}

/// The fields of a form beside its answers and its token, for the same form once more.
fn besides(form: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let is_answer = |name: &str| calls::ASKED.contains(&name.strip_prefix("was_").unwrap_or(name));
    let others = form.iter().filter(|(name, _)| *name != "csrf" && !is_answer(name));
    others.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// `POST /console/contacts/{contact}/answers`.
pub async fn learn(
    reader: Reader,
    contact: web::Path<String>,
    form: web::Form<BTreeMap<String, String>>,
) -> Result<HttpResponse, Problem> {
    let contact = known(&reader, &contact).await?;
    let typed = typed(&reader, &contact, &form).await?;
    if typed.iter().any(Typed::is_stale) {
        let action = format!("/console/contacts/{}/answers", contact.id);
        return contact_conflict::page(&reader, &contact, &action, &typed, Vec::new()).await;
    }
    let answers = changed(typed);
    let mut tx = reader.app.stores.db.begin().await?;
    calls::learn(&mut tx, &reader.app.lifecycle, contact.id, &answers, "console", reader.now).await?;
    tx.commit().await?;
    Ok(see_done(&format!("/console/contacts/{}", contact.id), "answers"))
}

/// Whom a contact goes to.
#[derive(Deserialize)]
pub struct HandedOver {
    role: String,
    #[serde(default)]
    account: String,
    #[serde(default)]
    note: String,
    /// The hand-over that waited when the page was opened; empty if none did.
    was: Option<String>,
}

/// `POST /console/contacts/{contact}/handover`.
pub async fn hand_over(
    reader: Reader,
    contact: web::Path<String>,
    form: web::Form<HandedOver>,
) -> Result<HttpResponse, Problem> {
    let contact = known(&reader, &contact).await?;
    let account = AccountId::parse(&form.account).ok();
    let given = Given { role: &form.role, account, from: Some(reader.account.id), note: &form.note };
    let app = &reader.app;
    let desk = handovers::Desk { team: &app.team, lifecycle: &app.lifecycle };
    let mut tx = app.stores.db.begin().await?;
    let standing = handovers::standing(&mut tx, contact.id).await?;
    let is_seen = |was: &str| was == standing.as_ref().map(|open| open.id.to_string()).unwrap_or_default();
    if form.was.as_deref().is_some_and(|was| !is_seen(was)) {
        drop(tx);
        return overtaken(&reader, &contact, &form, standing.as_ref()).await;
    }
    handovers::give(&mut tx, desk, contact.id, &given, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(&format!("/console/contacts/{}", contact.id), "handed_over"))
}

/// A colleague has handed the contact over meanwhile, or taken her: both are shown.
async fn overtaken(
    reader: &Reader,
    contact: &Contact,
    form: &HandedOver,
    standing: Option<&Handover>,
) -> Result<HttpResponse, Problem> {
    let names = names(&mut reader.app.stores.db.read()).await?;
    let told = |role: &str, account: Option<AccountId>, note: &str| {
        let name = account.and_then(|id| names.get(&id)).map(|(name, _)| name.clone());
        let quoted = (!note.trim().is_empty()).then(|| format!("“{}”", note.trim()));
        let parts = [Some(reader.word("console.role", role)), name, quoted];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
    };
    let now = standing.map(|open| told(&open.role, open.account, open.note.as_deref().unwrap_or_default()));
    let row = Row {
        label: reader.text("console.work.hand_over").unwrap_or_default(),
        now: now.unwrap_or_default(),
        yours: told(&form.role, AccountId::parse(&form.account).ok(), &form.note),
        field: None,
    };
    let seen = standing.map(|open| open.id.to_string()).unwrap_or_default();
    let carried = [("role", &form.role), ("account", &form.account), ("note", &form.note), ("was", &seen)];
    let back = format!("/console/contacts/{}", contact.id);
    let conflict = Conflict {
        area: "contacts",
        name: &contact.display_name(),
        back: &back,
        action: &format!("{back}/handover"),
        rows: vec![row],
        carried: carried.map(|(name, value)| (name.to_owned(), value.clone())).to_vec(),
    };
    conflict.page(reader).await
}

/// What is to be done, and by whom.
#[derive(Deserialize)]
pub struct GivenTask {
    kind: String,
    title: String,
    account: String,
    #[serde(default)]
    due: String,
}

/// `POST /console/contacts/{contact}/tasks`.
pub async fn give_task(
    reader: Reader,
    contact: web::Path<String>,
    form: web::Form<GivenTask>,
) -> Result<HttpResponse, Problem> {
    let contact = known(&reader, &contact).await?;
    let new = NewTask {
        contact: contact.id,
        account: AccountId::parse(&form.account).map_err(|_| tasks::Error::NoAccount)?,
        kind: kind(&form.kind)?,
        title: &form.title,
        due_at: due(&reader, &form.due)?,
        by: Some(reader.account.id),
    };
    let mut tx = reader.app.stores.db.begin().await?;
    tasks::give(&mut tx, &reader.app.lifecycle, &new, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(&format!("/console/contacts/{}", contact.id), "task_given"))
}

fn kind(word: &str) -> Result<Kind, Problem> {
    Kind::of_word(word)
        .ok_or_else(|| Problem::new("request.malformed", "A task is a call, a mail, a meeting or other."))
}

/// The end of a day that was said, as the reader's calendar has it.
fn due(reader: &Reader, text: &str) -> Result<Option<Timestamp>, Problem> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let wrong = || Problem::new("request.day_unreadable", "Write the day as 2026-11-30.");
    let date: Date = text.trim().parse().map_err(|_| wrong())?;
    let midnight = moment(reader, date.at(0, 0, 0, 0)).ok_or_else(wrong)?;
    Ok(Some(midnight.plus_ms(DUE_AT_HOUR * HOUR_MS)))
}

/// A moment on the reader's wall clock.
fn moment(reader: &Reader, wall: DateTime) -> Option<Timestamp> {
    let zone = zone(&reader.zone()).unwrap_or(jiff::tz::TimeZone::UTC);
    Some(Timestamp::from_jiff(wall.to_zoned(zone).ok()?.timestamp()))
}

/// How far a deal has come.
#[derive(Deserialize)]
pub struct Come {
    milestone: String,
    #[serde(default)]
    back: String,
}

/// `POST /console/deals/{deal}/milestone`.
pub async fn reach(
    reader: Reader,
    deal: web::Path<String>,
    form: web::Form<Come>,
) -> Result<HttpResponse, Problem> {
    let id = DealId::parse(&deal).map_err(|_| deals::Error::Unknown)?;
    let milestone = Milestone::of_word(&form.milestone)
        .ok_or_else(|| Problem::new("request.malformed", "There is no such milestone."))?;
    let mut tx = reader.app.stores.db.begin().await?;
    let actor = Actor::Account(reader.account.id).word();
    deals::reach(&mut tx, id, milestone, &actor, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(&form.back, "milestone"))
}

/// The booked call that the form is about.
async fn booked(reader: &Reader, id: &str) -> Result<Option<bookings::Booking>, Problem> {
    if id.is_empty() {
        return Ok(None);
    }
    let id = BookingId::parse(id).map_err(|_| bookings::Error::Unknown)?;
    Ok(Some(bookings::find(&mut reader.app.stores.db.read(), id).await?))
}

/// `GET /console/contacts/{contact}/call?booking=…`: the form after a call, a booked one or one by telephone.
pub async fn ask(reader: Reader, contact: web::Path<String>) -> Result<HttpResponse, Problem> {
    let contact = known(&reader, &contact).await?;
    let booking = booked(&reader, &reader.asked("booking").unwrap_or_default()).await?;
    let by = audit::By::Account(reader.account.id);
    audit::saw(&reader.app.stores.db, by, contact.id, reader.now).await?;
    let reads = &mut reader.app.stores.db.read();
    let fields = current(contacts::fields(reads, contact.id).await?);
    let names = names(reads).await?;
    let language = reader.account.language;
    let of_meeting =
        |booking: &bookings::Booking| reader.app.team.title_of(&booking.meeting, language).to_owned();
    let outcomes: Vec<&str> = match booking {
        Some(_) => vec!["held", "no_show"],
        None => Outcome::ALL.map(Outcome::word).to_vec(),
    };
    let body = json!({
        "contact": { "id": contact.id, "name": contact.display_name(), "stage": contact.stage },
        "booking": booking.as_ref().map(|booking| json!({
            "id": booking.id, "meeting": of_meeting(booking), "starts_at": booking.starts_at,
            "outcome": booking.outcome,
        })),
        "outcomes": outcomes,
        "questions": questions(&reader, &fields),
        "kinds": kinds(&reader, &contact),
        "people": people(&names),
        "me": reader.account.id,
        "roles": ROLES,
    });
    reader.page("console/call", body).await
}

/// A colleague has said otherwise how the call went: both are shown, and the rest of the form comes along.
async fn other_outcome(
    reader: &Reader,
    contact: &Contact,
    form: &BTreeMap<String, String>,
    now: &str,
    outcome: bookings::Outcome,
) -> Result<HttpResponse, Problem> {
    let told = |word: &str| reader.text(&format!("console.call.outcome_{word}")).unwrap_or_default();
    let row = Row {
        label: reader.text("console.call.outcome").unwrap_or_default(),
        now: told(now),
        yours: told(outcome.word()),
        field: None,
    };
    let others = form.iter().filter(|(name, _)| !matches!(name.as_str(), "csrf" | "was_outcome"));
    let mut carried: Vec<(String, String)> =
        others.map(|(name, value)| (name.clone(), value.clone())).collect();
    carried.push(("was_outcome".to_owned(), now.to_owned()));
    let back = format!("/console/contacts/{}", contact.id);
    let conflict = Conflict {
        area: "contacts",
        name: &contact.display_name(),
        back: &back,
        action: &format!("{back}/call"),
        rows: vec![row],
        carried,
    };
    conflict.page(reader).await
}

/// `POST /console/contacts/{contact}/call`.
pub async fn say(
    reader: Reader,
    contact: web::Path<String>,
    form: web::Form<BTreeMap<String, String>>,
) -> Result<HttpResponse, Problem> {
    let contact = known(&reader, &contact).await?;
    let text = |name: &str| form.get(name).map(|text| text.trim()).unwrap_or_default();
    let typed = typed(&reader, &contact, &form).await?;
    if typed.iter().any(Typed::is_stale) {
        let action = format!("/console/contacts/{}/call", contact.id);
        return contact_conflict::page(&reader, &contact, &action, &typed, besides(&form)).await;
    }
    let findings = Findings { summary: text("summary").to_owned(), answers: changed(typed) };
    let account = |name: &str| AccountId::parse(text(name)).ok();
    let next = match text("next") {
        "task" => Next::Task {
            kind: kind(text("task_kind"))?,
            title: text("task_title").to_owned(),
            due_at: due(&reader, text("task_due"))?,
            account: account("task_account").unwrap_or(reader.account.id),
        },
        "handover" => Next::HandOver {
            role: text("role").to_owned(),
            account: account("account"),
            note: text("note").to_owned(),
        },
        _ => Next::Nothing,
    };
    let desk = calls::Desk { team: &reader.app.team, lifecycle: &reader.app.lifecycle };
    let by = Some(reader.account.id);
    let wrong = |what: &str| Problem::new("request.malformed", what);
    let mut tx = reader.app.stores.db.begin().await?;
    match booked(&reader, text("booking")).await? {
        Some(booking) => {
            if !reader.may(May::SetOutcome) {
                return Err(accounts::Error::Forbidden.into());
            }
            let outcome = bookings::Outcome::of_word(text("outcome"))
                .ok_or_else(|| wrong("The outcome is held or no_show."))?;
            let was = form.get("was_outcome").map(String::as_str);
            if let Some(now) = disputed(&mut tx, booking.id, was, outcome).await? {
                drop(tx);
                return other_outcome(&reader, &contact, &form, now, outcome).await;
            }
            calls::after(&mut tx, desk, booking.id, outcome, &findings, &next, by, reader.now).await?;
        }
        None => {
            let at = match text("at") {
                "" => reader.now,
                at => at.parse().ok().and_then(|wall| moment(&reader, wall)).ok_or_else(|| {
                    Problem::new("request.day_unreadable", "Write the moment as 2026-11-30T10:30.")
                })?,
            };
            let minutes = match text("minutes") {
                "" => None,
                minutes => Some(minutes.parse().map_err(|_| calls::Error::MinutesInvalid)?),
            };
            let outcome = Outcome::of_word(text("outcome"))
                .ok_or_else(|| wrong("The outcome is reached, no_answer or voicemail."))?;
            let call = Telephone { outcome, is_incoming: text("incoming") == "1", at, minutes };
            calls::note(&mut tx, desk, contact.id, &call, &findings, &next, by, reader.now).await?;
        }
    }
    tx.commit().await?;
    Ok(see_done(&format!("/console/contacts/{}", contact.id), "call"))
}
