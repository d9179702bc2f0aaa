//! One person: who they are, everything that happened, and what to do next.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::contact_conflict::{self, Typed};
use super::frame::{Reader, address, see, see_done};
use super::people;
use crate::accounts::{self, May};
use crate::base::ids::{ContactId, ConversationId, new_key};
use crate::base::time::Timestamp;
use crate::contacts::{self, Contact, Trust};
use crate::http::error::Problem;
use crate::privacy::{Notice, audit};
use crate::reports::{person, timeline};
use crate::scoring::known::Whose;
use crate::scoring::tags::{Favourite, Favourites, Level};
use crate::scoring::{Evidence, Known, Row};
use crate::stages::told::Told;
use crate::stages::{self, Actor, Decision, Explanation};
use crate::storage::db::Queries;
use crate::subscriptions;

/// Longest subject of a note, in characters; the rest is cut.
const SUBJECT_LENGTH: usize = 80;
/// Fields that the page's head shows already.
const IN_THE_HEAD: [&str; 5] = ["email", "first_name", "last_name", "language", "time_zone"];

/// `GET /console/contacts/{contact}?before=…`.
pub async fn show(reader: Reader, contact: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = ContactId::parse(&contact).map_err(|_| contacts::Error::Unknown)?;
    let (names, now) = (reader.names(), reader.now);
    let reads = &mut reader.app.stores.db.read();
    let known = contacts::find(reads, id).await?.ok_or(contacts::Error::Unknown)?;
    if known.id != id {
        // Somebody else speaks for her now.
        return Ok(see(&format!("/console/contacts/{}", known.id)));
    }
    audit::saw(&reader.app.stores.db, audit::By::Account(reader.account.id), id, now).await?;
    let company = match known.company {
        Some(company) => contacts::company(reads, company).await?,
        None => None,
    };
    let owner = match known.owner {
        Some(owner) => accounts::find(reads, owner).await?,
        None => None,
    };
    let colleagues: Vec<Json> = match known.company {
        Some(company) => contacts::company_colleagues(reads, company, id).await?,
        None => Vec::new(),
    }
    .iter()
    .map(|other| json!({ "id": other.id, "name": other.display_name(), "stage": other.stage }))
    .collect();
    let fields: Vec<Json> = contacts::fields(reads, id)
        .await?
        .into_iter()
        .filter(|field| !field.is_suggestion && !IN_THE_HEAD.contains(&field.name.as_str()))
        .map(|field| {
            let label = reader.app.room.flows.label(&field.name, &field.value, reader.account.language);
            json!({ "name": field.name, "value": label.unwrap_or_else(|| field.value.clone()) })
        })
        .collect();
    let explained = stages::explain(reads, &reader.app.lifecycle, id, now).await?;
    let before = reader.asked("before").and_then(|ms| ms.parse().ok()).map(Timestamp);
    let (entries, cut) =
        timeline::timeline(reads, &names, id, before.unwrap_or_else(|| now.plus_ms(1))).await?;
    let older = cut
        .map(|cut| address(&format!("/console/contacts/{id}"), &[("before", Some(cut.as_ms().to_string()))]));
    let next_call = person::next_call(reads, &names, id, now).await?;
    let meeting = reader.app.team.meetings.first().filter(|_| next_call.is_none());
    let booking_page = meeting.map(|meeting| format!("/book/{}?lang={}", meeting.id, known.language.code()));
    let body = json!({
        "booking_page": booking_page,
        "contact": head(&known, company.map(|company| company.name), owner.map(|owner| owner.name), fields),
        "score": score(&reader.app.lifecycle, &explained),
        "consents": consents(reads, id, &reader.app.notice).await?,
        "privacy": reader.app.privacy_told(reader.account.language),
        "letters": super::contact_letters::of(&reader, reads, &known).await?,
        "team": super::contact_team::of(&reader, reads, &known).await?,
        "colleagues": colleagues,
        "next_call": next_call,
        "conversation": person::open_chat(reads, id).await?,
        "moves": moves(&reader, &explained),
        "interest": interest(&explained),
        "reads": favourites(&reader, &explained.reads),
        "can_note": reader.may(May::Decide).then(new_key),
        "explanation": explanation(&reader, &explained),
        "identity": people::identity(&reader, reads, &known).await?,
        "days": by_day(&reader, entries),
        "older": older,
    });
    reader.page("console/contact", body).await
}

fn head(known: &Contact, company: Option<String>, owner: Option<String>, fields: Vec<Json>) -> Json {
    json!({
        "id": known.id,
        "name": known.display_name(),
        "first_name": known.first_name,
        "last_name": known.last_name,
        "email": known.email,
        "company": company,
        "company_id": known.company,
        "stage": known.stage,
        "stage_since": known.stage_since,
        "language": known.language,
        "time_zone": known.time_zone,
        "owner": owner,
        "created_at": known.created_at,
        "last_seen_at": known.last_seen_at,
        "fields": fields,
    })
}

/// Both axes as bars.
pub fn score(definition: &stages::Definition, explained: &Explanation) -> Json {
    let definition = &definition.scoring;
    let share = |points: f64, cap: f64| whole(if cap > 0.0 { points * 100.0 / cap } else { 0.0 });
    let (fit, engagement) = (&explained.score.fit, &explained.score.engagement);
    json!({
        "fit": whole(fit.points),
        "fit_percent": share(fit.points, definition.fit.cap),
        "engagement": whole(engagement.points),
        "engagement_percent": share(engagement.points, definition.engagement.cap),
    })
}

#[allow(clippy::cast_possible_truncation, reason = "points and percents are small")]
fn whole(points: f64) -> i64 {
    points.round().clamp(0.0, 1_000_000.0) as i64
}

/// How interested she was in each stage when she left it, and is in the one that she stands in.
fn interest(explained: &Explanation) -> Vec<Json> {
    let told = explained.history.iter().filter_map(|passage| {
        let (level, points) = passage.engagement?;
        Some(json!({
            "stage": passage.id, "level": level, "points": whole(points), "at": passage.until, "journey": passage.journey,
        }))
    });
    told.collect()
}

/// What she reads most, in the reader's language.
fn favourites(reader: &Reader, favourites: &Favourites) -> Json {
    let told = |list: &[Favourite]| -> Vec<Json> {
        let language = reader.account.language;
        list.iter().map(|one| json!({ "name": one.label.get(language), "times": one.times })).collect()
    };
    json!({
        "level": favourites.level.map(Level::word),
        "kinds": told(&favourites.kinds),
        "topics": told(&favourites.topics),
    })
}

/// What holds now for each purpose. A wish for letters that waits for its confirmation is none yet.
async fn consents(q: &mut impl Queries, contact: ContactId, notice: &Notice) -> Result<Vec<Json>, Problem> {
    let letters = subscriptions::of_contact(q, contact).await?;
    let waits = |purpose: &str| {
        letters.iter().any(|one| one.topic == purpose && one.state == subscriptions::State::Unconfirmed)
    };
    let ledger = contacts::consents(q, contact).await?;
    // The ledger's older entries stand in the timeline.
    let told = contacts::ledger::holding(&ledger).into_iter().map(|record| {
        let has_proof = record.text.is_some() || record.page.is_some() || record.network.is_some();
        json!({
            "purpose": record.purpose, "action": record.action, "at": record.at,
            "basis": notice.basis_of(&record.purpose),
            "waits": record.is_yes() && waits(&record.purpose),
            "proof": has_proof.then(|| json!({
                "text": record.text, "version": record.version, "language": record.language,
                "form": record.form, "page": record.page, "network": record.network, "user_agent": record.user_agent,
            })),
        })
    });
    Ok(told.collect())
}

/// The decisions that this reader's role may take now; each move once, its own role first.
fn moves(reader: &Reader, explained: &Explanation) -> Vec<Json> {
    let mut seen = Vec::new();
    let mut moves = Vec::new();
    for offer in explained.offers.iter().filter(|offer| reader.account.role.decides_as(offer.role)) {
        let what = (offer.what, offer.to.as_str());
        if seen.contains(&what) {
            continue;
        }
        seen.push(what);
        moves.push(json!({
            "role": offer.role,
            "what": offer.what,
            "to": offer.to,
            "reasons": offer.reasons,
            "primary": offer.what == "accept",
        }));
    }
    moves.sort_by_key(|offer| offer.get("what").and_then(Json::as_str) == Some("reject"));
    moves
}

/// Why she stands there, row by row, and what is missing for the next stage.
pub fn explanation(reader: &Reader, explained: &Explanation) -> Json {
    let language = reader.account.language;
    let stage = &explained.stage;
    let evidence: Vec<Json> = stage
        .grounds
        .activities
        .iter()
        .map(|seen| json!({ "text": told(reader, seen), "at": seen.at }))
        .collect();
    let facts = |facts: &[Known]| facts.iter().map(fact).collect::<Vec<Json>>();
    let axis = |name: &str, band: String, points: f64, rows: &[Row]| {
        let rows: Vec<Json> = rows
            .iter()
            .map(|row| {
                json!({
                    "text": row.label.get(language),
                    "points": signed(row.points),
                    "at": row.evidence.as_ref().map(|seen| seen.at),
                    "what": row.evidence.as_ref().map(|seen| told(reader, seen)),
                    "facts": facts(&row.facts),
                })
            })
            .collect();
        json!({ "name": name, "band": band, "points": signed(points), "rows": rows })
    };
    let (fit, engagement) = (&explained.score.fit, &explained.score.engagement);
    let next = explained.next.as_ref().map(|next| {
        let misses: Vec<Json> = next
            .misses
            .iter()
            .map(|miss| {
                let needs: Vec<String> =
                    miss.needs.iter().map(|need| need.words().get(language).to_owned()).collect();
                json!({
                    "text": miss.label.get(language), "needs": needs.join(", "), "facts": facts(&miss.facts),
                })
            })
            .collect();
        let open: Vec<Json> = explained
            .fit_missing
            .iter()
            .map(|row| {
                json!({
                    "text": row.label.get(language), "points": signed(row.full_points), "facts": facts(&row.facts),
                })
            })
            .collect();
        json!({ "stage": next.id, "misses": misses, "open": open })
    });
    json!({
        "rule": stage.rule_label.get(language),
        "reason": stage.reason,
        "evidence": evidence,
        "axes": [
            axis("fit", fit.band.letter().to_owned(), fit.points, &fit.rows),
            axis("engagement", engagement.band.0.to_string(), engagement.points, &engagement.rows),
        ],
        "next": next,
        "version": stage.version,
    })
}

/// A field that a rule has read.
fn fact(known: &Known) -> Json {
    let name = known.field.rsplit('.').next().unwrap_or_default();
    json!({
        "name": name,
        "value": known.value,
        "is_yes": known.value == "true",
        "is_no": known.value == "false",
        "of": (!matches!(known.of, Whose::Nobody | Whose::Person)).then(|| known.of.word()),
        "source": known.source,
        "trust": known.trust,
        "at": known.at,
    })
}

/// An activity that a rule saw, in words.
fn told(reader: &Reader, seen: &Evidence) -> String {
    let names = reader.names();
    let subject = seen.subject.as_deref().unwrap_or_default();
    let (key, name, value) = match seen.kind.split_once('.') {
        Some(("webinar", state)) => {
            (format!("console.entry.webinar_{state}"), "webinar", names.webinar(subject))
        }
        Some(("form", "submitted")) => ("console.entry.form".to_owned(), "form", names.form(subject)),
        Some(("recording", "watched")) => {
            ("console.entry.watch".to_owned(), "recording", names.recording(subject))
        }
        Some(("asset", done)) => (format!("console.activity.asset_{done}"), "subject", names.asset(subject)),
        _ => {
            let key = format!("console.evidence.{}", seen.kind.replace('.', "_"));
            (key, "subject", subject.to_owned())
        }
    };
    let text = reader.text_with(reader.account.language, &key, &[(name, value)]);
    if text.is_empty() { seen.kind.clone() } else { text }
}

/// "+12", "−10", "+7.5": points as people write them.
fn signed(points: f64) -> String {
    let rounded = (points * 10.0).round() / 10.0;
    let sign = if rounded < 0.0 { "−" } else { "+" };
    let text = format!("{:.1}", rounded.abs());
    format!("{sign}{}", text.trim_end_matches(".0"))
}

fn by_day(reader: &Reader, entries: Vec<timeline::Entry>) -> Vec<Json> {
    let mut days: Vec<(Timestamp, Vec<timeline::Entry>)> = Vec::new();
    for entry in entries {
        let (midnight, _) = reader.day_of(entry.at);
        match days.last_mut() {
            Some((day, list)) if *day == midnight => list.push(entry),
            _ => days.push((midnight, vec![entry])),
        }
    }
    days.into_iter().map(|(at, entries)| json!({ "at": at, "entries": entries })).collect()
}

/// What somebody decided.
#[derive(Deserialize)]
pub struct Decided {
    role: String,
    what: String,
    #[serde(default)]
    reason: String,
    /// The stage that the contact stood in when the page was opened.
    stage: Option<String>,
}

/// `POST /console/contacts/{contact}/stage`.
pub async fn decide(
    reader: Reader,
    contact: web::Path<String>,
    decided: web::Form<Decided>,
) -> Result<HttpResponse, Problem> {
    let id = ContactId::parse(&contact).map_err(|_| contacts::Error::Unknown)?;
    if !reader.account.role.decides_as(&decided.role) {
        return Err(accounts::Error::Forbidden.into());
    }
    let decision = Decision {
        role: decided.role.clone(),
        what: decided.what.clone(),
        reason: Some(decided.reason.trim().to_owned()).filter(|reason| !reason.is_empty()),
        actor: Actor::Account(reader.account.id),
    };
    let mut tx = reader.app.stores.db.begin().await?;
    stages::hold(&mut tx, id).await?;
    let known = contacts::find(&mut tx, id).await?.ok_or(contacts::Error::Unknown)?;
    if decided.stage.as_deref().is_some_and(|stage| stage != known.stage) {
        let detail = format!("The contact stands in `{}` by now.", known.stage);
        return Err(Problem::new("stage.changed", detail));
    }
    stages::decide(&mut tx, &reader.app.lifecycle, id, &decision, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(&format!("/console/contacts/{id}"), "moved"))
}

/// What somebody of the team has heard of.
#[derive(Deserialize)]
pub struct Noted {
    kind: String,
    #[serde(default)]
    subject: String,
    /// Of the form that was shown: sent twice, it is noted once.
    note: String,
}

/// What can be noted by hand.
const NOTABLE: [&str; 4] = ["social.followed", "interest.new_product", "purchase", "complaint"];

/// `POST /console/contacts/{contact}/events`: she follows us on a network, bought, complained, or wants something new.
pub async fn note(
    reader: Reader,
    contact: web::Path<String>,
    noted: web::Form<Noted>,
) -> Result<HttpResponse, Problem> {
    let id = ContactId::parse(&contact).map_err(|_| contacts::Error::Unknown)?;
    if !NOTABLE.contains(&noted.kind.as_str()) {
        return Err(Problem::new("event.invalid", format!("`{}` cannot be noted.", noted.kind)));
    }
    let subject: String = noted.subject.trim().chars().take(SUBJECT_LENGTH).collect();
    let told = Told {
        kind: noted.kind.clone(),
        id: Some(format!("noted:{id}:{}", noted.note)),
        subject: Some(subject).filter(|subject| !subject.is_empty()),
        ..Told::default()
    };
    let by = Actor::Account(reader.account.id).word();
    let mut tx = reader.app.stores.db.begin().await?;
    stages::told::tell(&mut tx, &reader.app.lifecycle, id, &by, &told, reader.now).await?;
    tx.commit().await?;
    Ok(see_done(&format!("/console/contacts/{id}"), "noted"))
}

/// What a person is called, and the chat in which it was said.
#[derive(Deserialize)]
pub struct Named {
    first_name: String,
    #[serde(default)]
    last_name: String,
    /// What stood there when the form was opened.
    was_first_name: Option<String>,
    was_last_name: Option<String>,
    #[serde(default)]
    conversation: String,
}

/// `POST /console/contacts/{contact}/name`: somebody of the team has learnt the name.
pub async fn name(
    reader: Reader,
    contact: web::Path<String>,
    named: web::Form<Named>,
) -> Result<HttpResponse, Problem> {
    let id = ContactId::parse(&contact).map_err(|_| contacts::Error::Unknown)?;
    let mut tx = reader.app.stores.db.begin().await?;
    let known = contacts::find(&mut tx, id).await?.ok_or(contacts::Error::Unknown)?;
    let typed = [
        ("first_name", &named.first_name, &named.was_first_name, &known.first_name),
        ("last_name", &named.last_name, &named.was_last_name, &known.last_name),
    ]
    .map(|(name, value, was, now)| Typed {
        name: name.to_owned(),
        was: was.clone(),
        value: contacts::name_of(value),
        now: now.clone().unwrap_or_default(),
    });
    if typed.iter().any(Typed::is_stale) {
        drop(tx);
        let action = format!("/console/contacts/{id}/name");
        let carried = vec![("conversation".to_owned(), named.conversation.clone())];
        return contact_conflict::page(&reader, &known, &action, &typed, carried).await;
    }
    for Typed { name, value, .. } in typed.iter().filter(|field| field.is_touched()) {
        contacts::set_field(&mut tx, id, name, value, "console", Trust::Confirmed, reader.now).await?;
    }
    tx.commit().await?;
    Ok(match ConversationId::parse(&named.conversation) {
        Ok(conversation) => see_done(&format!("/console/inbox/{conversation}"), "named"),
        Err(_) => see_done(&format!("/console/contacts/{id}"), "named"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_written_with_their_sign() {
        assert_eq!(signed(12.0), "+12");
        assert_eq!(signed(-10.04), "−10");
        assert_eq!(signed(7.46), "+7.5");
        assert_eq!(signed(0.0), "+0");
    }
}
