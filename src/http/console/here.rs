//! Who is on the sites now, as Today tells it: the part of that page that changes all the time, at an address of its own.
//! An open console fetches it alone when it is told that visits have gone on, and the stores are asked once for all who
//! ask in the same moment.

use std::sync::OnceLock;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde_json::{Value as Json, json};

use super::frame::{Reader, failed};
use crate::base::language::Language;
use crate::http::error::{Problem, html};
use crate::http::together::Together;
use crate::reports::live;
use crate::storage;

/// Visitors that are shown.
pub const MOST: i64 = 8;

/// Where it is asked together.
pub type Asked = Together<Here>;

/// Who is there. It is the same for all who may look at Today.
pub struct Here {
    context: Json,
    /// Whether somebody is shown whose address is known.
    has_people: bool,
    /// As it is said in each language, once somebody has asked in it.
    said: [OnceLock<String>; Language::ALL.len()],
}

/// `GET /console/live/now`.
pub async fn show(reader: Reader, asked: web::Data<Asked>) -> Result<HttpResponse, Problem> {
    let here = asked.ask(async || look(&reader).await).await?;
    reader.saw_list("today", !here.has_people).await?;
    let language = reader.account.language;
    let place = Language::ALL.iter().position(|each| *each == language);
    let said = place.and_then(|place| here.said.get(place));
    if let Some(said) = said.and_then(OnceLock::get) {
        return Ok(html(StatusCode::OK, said.clone()));
    }
    let name = "console/here";
    let words = reader.app.templates.render(name, language, &here.context);
    let words = words.map_err(|error| failed(name, &error))?;
    if let Some(said) = said {
        said.get_or_init(|| words.clone());
    }
    Ok(html(StatusCode::OK, words))
}

async fn look(reader: &Reader) -> storage::Result<Here> {
    // Others who came later wait for it, too.
    let now = reader.app.clock.now();
    let (here, count) = live::live(&mut reader.app.stores.db.read(), now, MOST).await?;
    Ok(Here {
        has_people: here.iter().any(|present| present.contact_id.is_some()),
        // No time of day is told, so that no zone is needed.
        context: json!({ "zone": "UTC", "now": now, "live": here, "live_count": count }),
        said: Default::default(),
    })
}
