//! What proves an answer to a page's own question for consent: where it came from, and the very words that were asked.
//!
//! Hits keep no address, so the entry of the ledger is written here, before the hit is taken. If the store is away just then,
//! the projection writes it later, without the proof: a hit is never refused for it.

use serde_json::Value as Json;

use crate::base::ids::{HitId, VisitorId};
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::contacts::{self, ConsentEntry, Seen};
use crate::hits::{self, Hit};
use crate::http::Shared;
use crate::storage;

/// What the words are called where the page gives them no name.
const BANNER: &str = "banner";

/// A yes; whoever says no sends no identifier to write it under.
pub struct Answer {
    id: HitId,
    visitor: VisitorId,
    at: Timestamp,
    page: String,
    /// Id, language and words.
    text: Option<(String, Language, String)>,
}

/// The answers among hits. The words are taken out of them: they are nothing to count by.
pub fn taken_out(app: &Shared, hits: &mut [Hit]) -> Vec<Answer> {
    hits.iter_mut().filter(|hit| hit.name == hits::CONSENT).filter_map(|hit| taken(app, hit)).collect()
}

fn taken(app: &Shared, hit: &mut Hit) -> Option<Answer> {
    let props = hit.props.as_object_mut()?;
    let mut told = |name: &str| match props.remove(name) {
        Some(Json::String(text)) if !text.is_empty() => Some(text),
        Some(_) | None => None,
    };
    let (text, id, language) = (told("text"), told("text_id"), told("language"));
    let of_site = || app.sites.find(&hit.site).map_or_else(|_| Language::default(), |site| site.language);
    let language = language.as_deref().and_then(Language::of_tag);
    let text =
        text.map(|text| (id.unwrap_or_else(|| BANNER.to_owned()), language.unwrap_or_else(of_site), text));
    Some(Answer { id: hit.id, visitor: hit.visitor?, at: hit.at, page: hit.path.clone(), text })
}

/// Writes the answers down.
pub async fn note(app: &Shared, answers: &[Answer], seen: &Seen) {
    if let Err(error) = written(app, answers, seen).await {
        tracing::warn!(error = %error, "what proves a consent was not noted; the consent itself will be");
    }
}

async fn written(app: &Shared, answers: &[Answer], seen: &Seen) -> storage::Result<()> {
    let mut tx = app.stores.db.begin().await?;
    for Answer { id, visitor, at, page, text } in answers {
        let entry = ConsentEntry {
            text: text.as_ref().map(|(id, language, text)| (id.as_str(), *language, text.as_str())),
            page: Some(page),
            seen: Some(seen),
            ..ConsentEntry::of("analytics", "granted")
        };
        contacts::note_answer(&mut tx, *id, *visitor, &entry, *at).await?;
    }
    tx.commit().await
}
