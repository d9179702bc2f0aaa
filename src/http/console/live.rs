//! Who is on the site now: the list, one visitor with her whole way, and the first word to her.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::frame::{Reader, address, pages, see_done};
use super::talk::agent;
use crate::accounts::May;
use crate::base::ids::{ContactId, VisitorId, new_key};
use crate::base::language::Language;
use crate::chat::live::approach;
use crate::chat::{self, Page, Visit};
use crate::contacts::{self, Consent};
use crate::http::error::Problem;
use crate::privacy::audit;
use crate::reports::Extent;
use crate::reports::live::{self, NOW_MS, Present, Who};

/// Where the list stands.
const PATH: &str = "/console/live";
/// Visitors on a page.
const SIZE: i64 = 30;
/// Pages of the way that a row shows, the last ones.
const STEPS: usize = 4;
/// Longest path or title in a row, in characters.
const LONGEST: usize = 60;

/// `GET /console/live?who=all|known|talking&contact=ID`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let who = reader.asked("who").and_then(|word| Who::of_word(&word)).unwrap_or(Who::All);
    let contact = reader.asked("contact").and_then(|id| ContactId::parse(&id).ok());
    let page = reader.asked_page();
    let reads = &mut reader.app.stores.db.read();
    let counts = live::counts(reads, reader.now).await?;
    let skip = (page - 1) * SIZE;
    let present =
        live::present(reads, &reader.app.stores.hits, (who, contact), counts.known, (skip, SIZE), reader.now)
            .await?;
    reader.saw_list("live", present.iter().all(|here| here.person.is_none())).await?;
    let total = if contact.is_some() { Extent::of(1, SIZE, present.len(), 0).to } else { counts.of(who) };
    let extent = Extent::of(page, SIZE, present.len(), total);
    let chips: Vec<Json> = Who::ALL
        .into_iter()
        .map(|each| {
            let word = (each != Who::All).then(|| each.word().to_owned());
            let is_current = each == who && contact.is_none();
            json!({ "name": each.word(), "count": counts.of(each), "current": is_current,
                "href": address(PATH, &[("who", word)]) })
        })
        .collect();
    let of_page = |page: i64| {
        let who = (who != Who::All).then(|| who.word().to_owned());
        address(PATH, &[("who", who), ("page", (page > 1).then(|| page.to_string()))])
    };
    let several = reader.app.sites.all().count() > 1;
    let rows: Vec<Json> = present.iter().map(|here| row(&reader, here, several)).collect();
    let body = json!({
        "chips": chips,
        "rows": rows,
        "who": who.word(),
        "one": contact.is_some(),
        "several": several,
        "pages": pages(extent, of_page),
    });
    reader.page("console/live", body).await
}

/// `GET /console/live/{visitor}`.
pub async fn visitor(reader: Reader, path: web::Path<String>) -> Result<HttpResponse, Problem> {
    let here = found(&reader, &path).await?;
    if let Some(person) = &here.person {
        audit::saw(&reader.app.stores.db, audit::By::Account(reader.account.id), person.id, reader.now)
            .await?;
    }
    let body = page_of(&reader, &here, None).await?;
    reader.page("console/live_visitor", body).await
}

/// The first word.
#[derive(Deserialize)]
pub struct Spoken {
    #[serde(default)]
    text: String,
    #[serde(default)]
    client_id: String,
}

/// `POST /console/live/{visitor}/chat`: the chat opens on her page with what was said, and here in the inbox.
pub async fn speak(
    reader: Reader,
    path: web::Path<String>,
    spoken: web::Form<Spoken>,
) -> Result<HttpResponse, Problem> {
    let here = found(&reader, &path).await?;
    let Some(visitor) = here.visitor.filter(|_| is_there(&reader, &here)) else {
        return Err(chat::Error::NotAllowed("she has left the site").into());
    };
    let language = language_of(&reader, &here);
    let url = |step: &live::Step| format!("https://{}{}", here.host, step.path);
    let page = here.trail.last().map(|step| Page {
        url: url(step),
        title: step.title.clone(),
        returning: here.trail.len() > 1,
    });
    let zone = match &here.person {
        Some(person) => contacts::find(&mut reader.app.stores.db.read(), person.id).await?,
        None => None,
    };
    let visit = Visit {
        site: here.site.clone(),
        visitor: Some(visitor),
        consent: if here.consent > 1 { Consent::Full } else { Consent::Analytics },
        page: page.unwrap_or_default(),
        language,
        zone: zone.and_then(|contact| contact.time_zone).unwrap_or_default(),
        is_hosted: true,
    };
    let drawn = new_key();
    let client_id = if spoken.client_id.is_empty() { drawn.as_str() } else { &spoken.client_id };
    let (room, agent) = (&reader.app.room, agent(&reader));
    match approach::speak(room, &visit, &agent, client_id, &spoken.text, reader.now).await {
        Ok(conversation) => Ok(see_done(&format!("/console/inbox/{conversation}"), "spoken")),
        // What was written is kept.
        Err(error @ (chat::Error::MessageEmpty | chat::Error::MessageLong(_))) => {
            let wrong = json!({ "text": spoken.text, "why": Problem::from(error).document()["detail"] });
            let body = page_of(&reader, &here, Some(wrong)).await?;
            reader
                .page_with(actix_web::http::StatusCode::UNPROCESSABLE_ENTITY, "console/live_visitor", body)
                .await
        }
        Err(error) => Err(error.into()),
    }
}

async fn found(reader: &Reader, path: &str) -> Result<Present, Problem> {
    let unknown = || Problem::from(contacts::Error::Unknown);
    let visitor = VisitorId::parse(path).map_err(|_| unknown())?;
    let (reads, hits) = (&mut reader.app.stores.db.read(), &reader.app.stores.hits);
    live::of_device(reads, hits, visitor, reader.now).await?.ok_or_else(unknown)
}

fn is_there(reader: &Reader, here: &Present) -> bool {
    reader.now.since_ms(here.last_at) <= NOW_MS
}

/// The language in which she is spoken to: the browser's, else the site's.
fn language_of(reader: &Reader, here: &Present) -> Language {
    let of_site =
        || reader.app.sites.find(&here.site).map_or_else(|_| Language::default(), |site| site.language);
    here.language.as_deref().and_then(Language::of_tag).unwrap_or_else(of_site)
}

async fn page_of(reader: &Reader, here: &Present, wrong: Option<Json>) -> Result<Json, Problem> {
    let reads = &mut reader.app.stores.db.read();
    let mut told = row(reader, here, reader.app.sites.all().count() > 1);
    let steps: Vec<Json> = here
        .trail
        .iter()
        .rev()
        .map(|step| {
            let title = if step.title.is_empty() { &step.path } else { &step.title };
            json!({ "title": title, "path": step.path, "at": step.at, "engaged_ms": step.engaged_ms })
        })
        .collect();
    told["trail"] = json!(steps);
    told["more"] = json!(here.pages - i64::try_from(here.trail.len()).unwrap_or(0));
    let visits = match here.visitor {
        Some(visitor) => contacts::visits_of_device(reads, visitor, 6).await?,
        None => Vec::new(),
    };
    let before: Vec<Json> = visits
        .iter()
        .filter(|visit| visit.started_at < here.started_at)
        .map(|visit| json!({ "at": visit.started_at, "pages": visit.pages, "entry": visit.entry_path }))
        .collect();
    let language = language_of(reader, here);
    let mut chat = json!({ "may": reader.may(May::Chat), "there": is_there(reader, here) });
    if let Some(visitor) = here.visitor {
        let standing = approach::standing(reads, visitor, &here.site, reader.account.id, reader.now).await?;
        let mine = standing.open.as_ref().and_then(|open| open.agent.as_ref());
        chat["mine"] = json!(mine.is_some_and(|agent| agent.id == reader.account.id));
        chat["obstacle"] = json!(standing.obstacle.map(|obstacle| obstacle.word()));
    }
    let greeting =
        reader.text_with(language, "console.live.greeting", &[("name", reader.account.name.clone())]);
    chat["language"] = json!(language.code());
    chat["text"] = wrong.as_ref().map_or_else(|| json!(greeting), |wrong| wrong["text"].clone());
    chat["why"] = wrong.map_or(Json::Null, |wrong| wrong["why"].clone());
    chat["client_id"] = json!(new_key());
    Ok(json!({ "here": told, "before": before, "chat": chat }))
}

/// A visitor as a row tells her.
fn row(reader: &Reader, here: &Present, several: bool) -> Json {
    let last = here.trail.len().saturating_sub(STEPS);
    let steps: Vec<Json> = here
        .trail
        .iter()
        .skip(last)
        .map(|step| json!({ "path": clip(&step.path), "title": clip(&step.title) }))
        .collect();
    let site = reader.app.sites.find(&here.site).map_or(here.site.as_str(), |site| site.name.as_str());
    let mine = here.person.as_ref().and_then(|person| person.owner) == Some(reader.account.id);
    json!({
        "visitor": here.visitor,
        "person": here.person,
        "mine": mine,
        "talk": here.talk,
        "page": here.trail.last().map(|step| clip(&step.path)),
        "page_title": here.trail.last().map(|step| clip(&step.title)),
        "steps": steps,
        "earlier": last,
        "pages": here.pages,
        "since_ms": reader.now.since_ms(here.started_at).max(0),
        "started_at": here.started_at,
        "last_at": here.last_at,
        "engaged_ms": here.engaged_ms,
        "channel": here.channel,
        "source": here.source.as_deref().map(clip),
        "campaign": here.campaign.as_deref().map(clip),
        "country": here.country,
        "device": here.device,
        "language": here.language,
        "site": several.then_some(site),
        "there": is_there(reader, here),
    })
}

fn clip(text: &str) -> String {
    let mut clipped: String = text.chars().take(LONGEST).collect();
    if clipped.len() < text.len() {
        clipped.push('…');
    }
    clipped
}
