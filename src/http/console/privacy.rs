//! What a person demands: a copy of all that is known, or to be forgotten; and who has looked.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::frame::{Reader, address};
use crate::accounts::{self, api_keys};
use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::contacts::{self, Contact};
use crate::http::error::Problem;
use crate::http::people as doors;
use crate::privacy::audit::{self, Act, By, Filter};
use crate::privacy::{self, Erased};
use crate::reports::traffic::csv;

/// Entries on one page of the audit.
const PAGE: i64 = 100;
/// Entries in one file of it.
const CSV_MOST: i64 = 10_000;

async fn known(reader: &Reader, contact: &str) -> Result<Contact, Problem> {
    let id = ContactId::parse(contact).map_err(|_| contacts::Error::Unknown)?;
    let found = contacts::find(&mut reader.app.stores.db.read(), id).await?;
    Ok(found.ok_or(contacts::Error::Unknown)?)
}

/// `POST /console/contacts/{contact}/export`: a ZIP archive. A POST, because it is written down.
pub async fn export(reader: Reader, contact: web::Path<String>) -> Result<HttpResponse, Problem> {
    let contact = known(&reader, &contact).await?;
    let export = doors::exported(&reader.app, contact.id, By::Account(reader.account.id)).await?;
    doors::download(&export)
}

/// `GET /console/contacts/{contact}/erase`: what would be forgotten.
pub async fn ask(reader: Reader, contact: web::Path<String>) -> Result<HttpResponse, Problem> {
    let contact = known(&reader, &contact).await?;
    let would = doors::erased(&reader.app, contact.id, By::Account(reader.account.id), true).await?;
    page(&reader, &contact, &would).await
}

/// What has to be typed, so that nobody is erased by a slip of the hand.
#[derive(Deserialize)]
pub struct Certain {
    email: String,
}

/// `POST /console/contacts/{contact}/erase`.
pub async fn erase(
    reader: Reader,
    contact: web::Path<String>,
    certain: web::Form<Certain>,
) -> Result<HttpResponse, Problem> {
    let contact = known(&reader, &contact).await?;
    if !certain.email.trim().eq_ignore_ascii_case(contact.email.as_str()) {
        return Err(Problem::new(
            "erase.not_confirmed",
            "Type the address of the contact to confirm that it is the right one.",
        ));
    }
    let done = doors::erased(&reader.app, contact.id, By::Account(reader.account.id), false).await?;
    page(&reader, &contact, &done).await
}

async fn page(reader: &Reader, contact: &Contact, report: &Erased) -> Result<HttpResponse, Problem> {
    let rows = report.rows.iter().map(|(table, rows)| json!({ "table": table, "rows": rows }));
    let body = json!({
        "is_done": !report.is_dry,
        "contact": { "id": contact.id, "name": contact.display_name(), "email": contact.email },
        "rows": rows.collect::<Vec<_>>(),
        "calls_cancelled": report.calls_cancelled,
        "hits": report.hits,
        "visits": report.visits,
        "refusals": report.refusals_kept,
        "remains": report.remains,
        "crm": report.crm,
    });
    reader.page("console/erase", body).await
}

/// What the address asks of the audit: `who`, `did`, `from` and `to` (days), `before` (ms).
struct Sought {
    filter: Filter,
    who: Option<String>,
    did: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

impl Sought {
    fn read(reader: &Reader) -> Self {
        let (who, did) = (reader.asked("who"), reader.asked("did"));
        let did = did.filter(|word| Act::ALL.iter().any(|act| act.word() == word));
        let (from, to) = (reader.asked("from"), reader.asked("to"));
        // A day that is none counts as none given; the form shows what was understood.
        let first = from.as_deref().and_then(|text| reader.day_named(text));
        let last = to.as_deref().and_then(|text| reader.day_named(text));
        let older = reader.asked("before").and_then(|ms| ms.parse().ok()).map(Timestamp);
        let end = last.map(|(_, end)| end);
        let before = older.into_iter().chain(end).min().unwrap_or(Timestamp(i64::MAX));
        let filter = Filter {
            contact: None,
            actor: who.clone(),
            action: did.clone(),
            from: first.map_or(Timestamp(0), |(start, _)| start),
            before,
        };
        Self { filter, who, did, from: from.filter(|_| first.is_some()), to: to.filter(|_| last.is_some()) }
    }

    fn address(&self, path: &str, before: Option<Timestamp>) -> String {
        let before = before.map(|at| at.as_ms().to_string());
        let parameters = [
            ("who", self.who.clone()),
            ("did", self.did.clone()),
            ("from", self.from.clone()),
            ("to", self.to.clone()),
            ("before", before),
        ];
        address(path, &parameters)
    }
}

/// `GET /console/audit`: who saw, exported, erased, merged or changed what.
pub async fn audit(reader: Reader) -> Result<HttpResponse, Problem> {
    let sought = Sought::read(&reader);
    let reads = &mut reader.app.stores.db.read();
    let entries = privacy::audit::list(reads, &sought.filter, PAGE).await?;
    let is_full = i64::try_from(entries.len()) == Ok(PAGE);
    let older =
        entries.last().filter(|_| is_full).map(|last| sought.address("/console/audit", Some(last.at)));
    let lines: Vec<Json> = entries
        .into_iter()
        .map(|entry| {
            let about = entry.about().map(|(what, of)| (what_told(&reader, what), of.to_owned()));
            let (what, of) = about.unzip();
            let kind = entry.actor.split(':').next().unwrap_or_default().to_owned();
            json!({
                "at": entry.at, "who": entry.name, "owner": entry.owner, "is_key": kind == "key", "actor": kind,
                "action": entry.action,
                "contact": entry.contact, "email": entry.email, "list": list_told(&reader, &entry.details),
                "reply": entry.details.get("reply"), "crm": entry.details.get("crm"),
                "what": what, "of": of,
            })
        })
        .collect();
    let mut people: Vec<Json> = accounts::list(reads)
        .await?
        .into_iter()
        .map(|account| {
            let word = By::Account(account.id).word();
            json!({ "is_asked": sought.who.as_deref() == Some(word.as_str()), "word": word, "name": account.name })
        })
        .collect();
    let others = [By::Cli, By::Rule, By::Contact].map(By::word);
    for word in [audit::PROGRAMS.to_owned()].into_iter().chain(others) {
        let name = reader.text(&format!("console.audit.actor_{word}"));
        people.push(
            json!({ "is_asked": sought.who.as_deref() == Some(word.as_str()), "word": word, "name": name }),
        );
    }
    let keys = api_keys::list(reads).await?.into_iter().map(|key| {
        let word = By::Key(key.id).word();
        let is_asked = sought.who.as_deref() == Some(word.as_str());
        json!({ "is_asked": is_asked, "word": word, "name": key.name, "owner": key.created_by })
    });
    let keys: Vec<Json> = keys.collect();
    let acts = Act::ALL
        .map(|act| json!({ "word": act.word(), "is_asked": sought.did.as_deref() == Some(act.word()) }));
    let body = json!({
        "entries": lines, "older": older, "people": people, "keys": keys, "acts": acts, "from": sought.from,
        "to": sought.to,
        "csv": sought.address("/console/audit.csv", None),
        "is_filtered": sought.filter != Filter::default(),
    });
    reader.page("console/audit", body).await
}

/// The list that an entry is about, in the reader's words: the parts of the console have names, others tell their own.
fn list_told(reader: &Reader, details: &Json) -> Option<String> {
    let list = details.get("list").and_then(Json::as_str)?;
    Some(reader.text(&format!("console.audit.lists.{list}")).unwrap_or_else(|| list.to_owned()))
}

/// What an entry is about, in the reader's words. A word of another version of the program is better than no page.
fn what_told(reader: &Reader, what: &str) -> String {
    reader.text(&format!("settings.audit.what_{what}")).unwrap_or_else(|| what.to_owned())
}

/// `GET /console/audit.csv`: the same, as a table for other programs.
pub async fn audit_csv(reader: Reader) -> Result<HttpResponse, Problem> {
    let sought = Sought::read(&reader);
    let entries = privacy::audit::list(&mut reader.app.stores.db.read(), &sought.filter, CSV_MOST).await?;
    let text =
        |details: &Json, name: &str| details.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let rows = entries.into_iter().map(|entry| {
        let about = entry.about().map(|(what, of)| (what.to_owned(), of.to_owned()));
        let (what, of) = about.unwrap_or_default();
        vec![
            entry.at.to_string(),
            entry.actor,
            entry.name.unwrap_or_default(),
            entry.owner.unwrap_or_default(),
            entry.action,
            what,
            of,
            text(&entry.details, "list"),
            text(&entry.details, "reply"),
            entry.contact.map(|contact| contact.to_string()).unwrap_or_default(),
            entry.email.unwrap_or_default(),
        ]
    });
    let head = ["at", "actor", "name", "owner", "action", "what", "of", "list", "reply", "contact", "email"];
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header(("content-disposition", "attachment; filename=\"audit.csv\""))
        .body(csv(&head, rows)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Templates;

    #[test]
    fn whatever_can_be_noted_has_its_words() {
        let templates = Templates::embedded().unwrap();
        for what in audit::What::ALL {
            let key = format!("settings.audit.what_{}", what.word());
            assert!(templates.texts().has(&key), "{key}");
        }
        for act in Act::ALL {
            let key = format!("console.audit.action_{}", act.word());
            assert!(templates.texts().has(&key), "{key}");
        }
    }
}
