//! To the people of the company: whom they look after from now on, what they have to do, what is late.

use serde_json::{Value as Json, json};

use super::{Draft, Kind, Mail, Ready, context, site_context};
use crate::accounts::{self, Account};
use crate::base::ids::{AccountId, ContactId, HandoverId, TaskId};
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::calls;
use crate::contacts::{self, Contact};
use crate::handovers;
use crate::notify::compose::{Dress, compose};
use crate::notify::{Desk, Error};
use crate::storage::db::Queries;
use crate::tasks;

/// Texts that people wrote about calls, the latest of which go along.
const SAID_MOST: usize = 3;

pub(super) async fn handover(
    desk: &Desk,
    mail: &Mail,
    id: HandoverId,
    account: AccountId,
    now: Timestamp,
) -> Result<Draft, Error> {
    let mut q = desk.stores.db.read();
    let handover = handovers::find(&mut q, id).await?.filter(handovers::Handover::is_open);
    let Some(handover) = handover else { return Ok(Draft::CHANGED) };
    let Some(colleague) = colleague(&mut q, account).await? else { return Ok(Draft::CHANGED) };
    let Some(contact) = contacts::find(&mut q, handover.contact).await? else { return Ok(Draft::CHANGED) };
    let from = match handover.from {
        Some(from) => accounts::find(&mut q, from).await?.map(|from| from.name),
        None => None,
    };
    let language = colleague.language;
    let mut tells = known(desk, &mut q, &contact, language).await?;
    tells["from"] = json!(from);
    tells["note"] = json!(handover.note);
    tells["due_at"] = json!(handover.due_at);
    tells["is_personal"] = json!(handover.account == Some(account));
    to(desk, mail, &colleague, tells, now)
}

pub(super) async fn task(desk: &Desk, mail: &Mail, id: TaskId, now: Timestamp) -> Result<Draft, Error> {
    let mut q = desk.stores.db.read();
    let task = tasks::find(&mut q, id).await?.filter(|task| task.done_at.is_none());
    let Some(task) = task else { return Ok(Draft::CHANGED) };
    let Some(colleague) = colleague(&mut q, task.account).await? else { return Ok(Draft::CHANGED) };
    let Some(contact) = contacts::find(&mut q, task.contact).await? else { return Ok(Draft::CHANGED) };
    let from = match task.given_by {
        Some(from) => accounts::find(&mut q, from).await?.map(|from| from.name),
        None => None,
    };
    let mut tells = known(desk, &mut q, &contact, colleague.language).await?;
    tells["from"] = json!(from);
    tells["title"] = json!(task.title);
    tells["due_at"] = json!(task.due_at);
    to(desk, mail, &colleague, tells, now)
}

pub(super) async fn late(
    desk: &Desk,
    mail: &Mail,
    contact: ContactId,
    account: AccountId,
    (stage, due_at): (&str, Timestamp),
    now: Timestamp,
) -> Result<Draft, Error> {
    let mut q = desk.stores.db.read();
    let Some(colleague) = colleague(&mut q, account).await? else { return Ok(Draft::CHANGED) };
    let Some(contact) = contacts::find(&mut q, contact).await? else { return Ok(Draft::CHANGED) };
    let mut tells = known(desk, &mut q, &contact, colleague.language).await?;
    tells["waits_in"] = json!(desk.state_in_words(stage, colleague.language));
    tells["due_at"] = json!(due_at);
    to(desk, mail, &colleague, tells, now)
}

pub(super) async fn colleague(q: &mut impl Queries, account: AccountId) -> Result<Option<Account>, Error> {
    Ok(accounts::find(q, account).await?.filter(|account| account.disabled_at.is_none()))
}

/// What is known of a contact, in a few lines: who she is, her answers, and what calls found out.
async fn known(
    desk: &Desk,
    q: &mut impl Queries,
    contact: &Contact,
    language: Language,
) -> Result<Json, Error> {
    let company = match contact.company {
        Some(company) => contacts::company(q, company).await?.map(|company| company.name),
        None => None,
    };
    let fields = contacts::fields(q, contact.id).await?;
    let field = |name: &str| {
        let found = fields.iter().find(|field| field.name == name && !field.is_suggestion)?;
        let label = desk.flows.label(name, &found.value, language);
        Some(label.unwrap_or_else(|| found.value.clone()))
    };
    let answers: serde_json::Map<String, Json> =
        calls::ASKED.iter().map(|name| ((*name).to_owned(), json!(field(name)))).collect();
    let activities = contacts::activities(q, contact.id, 200).await?;
    let said =
        activities.iter().filter(|activity| activity.kind.starts_with("call.")).filter_map(|activity| {
            let summary = activity.props.get("summary").and_then(Json::as_str)?;
            (!summary.is_empty()).then(|| json!({ "at": activity.at, "text": summary.replace('\n', " ") }))
        });
    let said: Vec<Json> = said.take(SAID_MOST).collect();
    Ok(json!({
        "contact": {
            "name": contact.display_name(),
            "email": contact.email.as_str(),
            "company": company,
            "phone": field("phone"),
            "stage": desk.state_in_words(&contact.stage, language),
        },
        "answers": answers,
        "said": said,
        "link": desk.link(&format!("/console/contacts/{}", contact.id)),
    }))
}

/// In the language in which the colleague reads the console, and in her zone if she stands in the team's file.
pub(super) fn to(
    desk: &Desk,
    mail: &Mail,
    colleague: &Account,
    tells: Json,
    now: Timestamp,
) -> Result<Draft, Error> {
    let rep = desk.team.rep_of_account(&colleague.email).or_else(|| desk.team.reps.first());
    let zone = rep.and_then(|rep| rep.zone.iana_name()).unwrap_or("UTC");
    let context = context(zone, &site_context(&desk.company, &desk.public_url), now, tells);
    let language = colleague.language;
    Ok(Draft::Ready(Box::new(Ready {
        is_hidden: false,
        unsubscribe: None,
        secret: None,
        template: mail.name().to_owned(),
        kind: Kind::Answer,
        language,
        to: colleague.email.clone(),
        to_name: colleague.name.clone(),
        from_name: desk.company.clone(),
        contact: None,
        written: compose(&desk.templates, &desk.wording, mail.name(), language, &context, &Dress::default())?,
        context,
        calendar: None,
    })))
}
