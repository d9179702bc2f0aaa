//! Which letters one person gets, and changing it on her behalf.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::frame::{Reader, see_done};
use crate::base::ids::ContactId;
use crate::contacts;
use crate::http::error::Problem;
use crate::storage::db::Queries;
use crate::subscriptions::suppression;
use crate::subscriptions::{self, Frequency, State};

/// The topics with what the contact gets of each, and why her address is not written to.
pub async fn of(reader: &Reader, q: &mut impl Queries, contact: &contacts::Contact) -> Result<Json, Problem> {
    let (app, language) = (&reader.app, reader.account.language);
    let known = subscriptions::of_contact(q, contact.id).await?;
    let topics: Vec<Json> = app
        .desk
        .topics
        .topics
        .iter()
        .map(|topic| {
            let found = known.iter().find(|subscription| subscription.topic == topic.id);
            json!({
                "id": topic.id,
                "name": topic.name.get(language),
                "state": found.map(|subscription| subscription.state),
                "at": found.map(|subscription| subscription.state_at),
                "wanted": found.is_some_and(|subscription| subscription.state != State::Unsubscribed),
            })
        })
        .collect();
    let blocked: Vec<Json> = suppression::of_address(q, &app.keys, &contact.email, reader.now)
        .await?
        .into_iter()
        .map(|line| json!({ "scope": line.scope, "reason": line.reason, "since": line.since }))
        .collect();
    let paused = subscriptions::paused_until(q, contact.id, reader.now).await?;
    let frequency = subscriptions::frequency(q, contact.id).await?;
    Ok(json!({
        "topics": topics, "blocked": blocked, "paused_until": paused,
        "frequency": (frequency != Frequency::All).then_some(frequency),
    }))
}

/// What somebody of the team changes.
#[derive(Deserialize)]
pub struct Changed {
    topic: String,
    /// `ask` or `leave`.
    what: String,
}

/// `POST /console/contacts/{contact}/subscription`: asks for a topic on her behalf (she is asked by mail), or ends it.
pub async fn change(
    reader: Reader,
    contact: web::Path<String>,
    changed: web::Form<Changed>,
) -> Result<HttpResponse, Problem> {
    let id = ContactId::parse(&contact).map_err(|_| contacts::Error::Unknown)?;
    let app = &reader.app;
    let topic = app.desk.topics.find(&changed.topic).ok_or(subscriptions::Error::NoTopic)?;
    let mut tx = app.stores.db.begin().await?;
    let known = contacts::find(&mut tx, id).await?.ok_or(contacts::Error::Unknown)?;
    if changed.what == "leave" {
        subscriptions::leave(&mut tx, &app.keys, &known, &topic.id, "console", reader.now).await?;
    } else {
        subscriptions::ask(&mut tx, topic, id, None, "console", reader.now).await?;
    }
    tx.commit().await?;
    Ok(see_done(&format!("/console/contacts/{id}"), "letters"))
}
