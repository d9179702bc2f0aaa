//! The list of contacts: search, filters, saved views, columns of choice, and the way out of it as a file.

pub mod acts;
mod asked;
mod file;
pub mod imports;
mod views;

use actix_web::HttpResponse;
use serde_json::{Value as Json, json};

use super::frame::Reader;
use crate::accounts::{self, Account, May, Role};
use crate::contacts::views as kept;
use crate::http::error::Problem;
use crate::reports::people::{self, NO_OWNER, Order, PAGE};
use asked::{Asked, SEEN};

pub use file::export;
pub use imports::longest_form;
pub use views::{columns, remove, save};

const PATH: &str = "/console/contacts";
/// The columns that somebody may choose beside the name, in their order.
const COLUMNS: [&str; 9] =
    ["company", "job_title", "phone", "country", "language", "stage", "owner", "created", "seen"];
/// The columns of whoever chose none.
const USUAL: &str = "company stage owner seen";

/// `GET /console/contacts?q=…&stage=…&owner=…&sort=…&after=…`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let asked = Asked::read(&reader, reader.query());
    let reads = &mut reader.app.stores.db.read();
    let found = people::find(reads, &asked.search, asked.order, asked.after.as_ref(), PAGE).await?;
    let count = people::count(reads, &asked.search, &found).await?;
    let contacts = people::rows(reads, &found.ids).await?;
    reader.saw_list("contacts", contacts.is_empty()).await?;
    let accounts = accounts::list(reads).await?;
    let company = match asked.search.company {
        Some(id) => crate::companies::find(reads, id).await?.map(|company| company.name),
        None => None,
    };
    let stages = stages(&reader, &asked).await?;
    let chosen = kept::columns(reads, reader.account.id).await?;
    let chosen: Vec<&str> = chosen.as_deref().unwrap_or(USUAL).split(' ').collect();
    let shown = COLUMNS.map(|column| (column, chosen.contains(&column)));
    let show: serde_json::Map<String, Json> =
        shown.iter().map(|(column, is_shown)| ((*column).to_owned(), json!(is_shown))).collect();
    let columns = shown.map(|(column, is_shown)| json!({ "word": column, "is_shown": is_shown }));
    let query = asked.query();
    let saved: Vec<Json> = kept::list(reads, reader.account.id)
        .await?
        .into_iter()
        .map(|view| {
            let is_own = view.account == reader.account.id;
            json!({
                "id": view.id,
                "name": view.name,
                "href": if view.query.is_empty() { PATH.to_owned() } else { format!("{PATH}?{}", view.query) },
                "current": view.query == query,
                "is_shared": view.is_shared,
                "may_remove": is_own || reader.account.role == Role::Admin,
            })
        })
        .collect();
    let sorts = Order::ALL.map(|order| {
        let is_current = order == asked.order;
        (
            order.word().to_owned(),
            json!({
                "current": is_current,
                "href": asked.address(&[("sort", Some(order.word().to_owned()))]),
            }),
        )
    });
    let sequences = reader.app.desk.sequences.all().iter();
    let sequences: Vec<Json> = sequences
        .map(|sequence| json!({ "id": sequence.id, "name": sequence.name.get(reader.account.language) }))
        .collect();
    let body = json!({
        "query": asked.text.clone().unwrap_or_default(),
        "asks": query,
        "stage": asked.search.stage,
        "stages": stages,
        "all_href": asked.address(&[("stage", None)]),
        "count": count,
        "ceiling": count.ceiling(),
        "filtered": asked.text.is_some() || asked.is_filtered(),
        "chips": asked.chips(&reader, &accounts, company.as_deref()),
        "clear": asked.address(&asked_clear(&asked)),
        "fields": fields(&reader, &asked, &accounts),
        "hidden": asked.hidden(&["stage", "owner", "segment", "country", "letters", "source", "campaign", "seen"]),
        "sequences": sequences,
        "views": saved,
        "columns": columns,
        "show": show,
        "sorts": serde_json::Map::from_iter(sorts),
        "contacts": contacts,
        "start": asked.after.is_some().then(|| asked.address(&[])),
        "next": found.next.map(|place| asked.address(&[("after", Some(place.text()))])),
        "may_share": reader.may(May::Tend),
        "may_give": reader.may(May::Tend),
        "may_export": reader.may(May::Privacy),
        "may_import": reader.may(May::Curate),
    });
    reader.page("console/contacts", body).await
}

/// What takes every filter away; the text and the order stay.
fn asked_clear(asked: &Asked) -> Vec<(&'static str, Option<String>)> {
    ["stage", "owner", "segment", "company", "country", "letters", "source", "campaign", "seen"]
        .into_iter()
        .filter(|name| asked.filter(name).is_some())
        .map(|name| (name, None))
        .collect()
}

/// The stages as chips; how many stand in each is told where everybody is shown.
async fn stages(reader: &Reader, asked: &Asked) -> Result<Vec<Json>, Problem> {
    let lifecycle = &reader.app.lifecycle;
    let mut others = asked.search.clone();
    others.stage = None;
    // Counting them takes longer than finding somebody.
    let is_counted = others.is_everybody();
    let by_stage = match is_counted {
        true => people::by_stage(&mut reader.app.stores.db.read()).await?,
        false => Vec::new(),
    };
    let count_of = |stage: &str| by_stage.iter().find(|(known, _)| known == stage).map_or(0, |(_, n)| *n);
    let in_order = lifecycle.stages.iter().map(|stage| stage.id.as_str());
    let beyond = by_stage.iter().map(|(stage, _)| stage.as_str());
    Ok(in_order
        .chain(beyond.filter(|stage| lifecycle.stage(stage).is_none()))
        .filter(|stage| !is_counted || count_of(stage) > 0 || asked.search.stage.as_deref() == Some(*stage))
        .map(|stage| {
            json!({
                "stage": stage,
                "count": is_counted.then(|| count_of(stage)),
                "current": asked.search.stage.as_deref() == Some(stage),
                "href": asked.address(&[("stage", Some(stage.to_owned()))]),
            })
        })
        .collect())
}

/// What the form of filters offers.
fn fields(reader: &Reader, asked: &Asked, accounts: &[Account]) -> Json {
    let option = |filter: &str, value: String, label: String| {
        let is_asked = asked.filter(filter) == Some(value.as_str());
        json!({ "value": value, "label": label, "is_asked": is_asked })
    };
    let text = |key: &str| reader.text(key).unwrap_or_default();
    let language = reader.account.language;
    let mut owners = vec![
        option("owner", "me".to_owned(), text("console.contacts.owner_me")),
        option("owner", NO_OWNER.to_owned(), text("console.contacts.owner_none")),
    ];
    let working = accounts.iter().filter(|account| account.disabled_at.is_none());
    owners.extend(working.map(|account| option("owner", account.id.to_string(), account.name.clone())));
    let stages = reader.app.lifecycle.stages.iter();
    let stages = stages.map(|stage| {
        let label = reader.text(&format!("console.stage.{}", stage.id));
        option("stage", stage.id.clone(), label.unwrap_or_else(|| stage.id.clone()))
    });
    let segments = reader.app.desk.segments.segments.iter();
    let segments =
        segments.map(|segment| option("segment", segment.id.clone(), segment.label.get(language).to_owned()));
    let letters = reader.app.desk.topics.topics.iter().flat_map(|topic| {
        ["confirmed", "unsubscribed"].map(|state| {
            let said = text(&format!("console.contacts.letters_{state}"));
            let label = format!("{}: {said}", reader.names().topic(&topic.id));
            option("letters", format!("{}:{state}", topic.id), label)
        })
    });
    let seen = SEEN.map(|days| {
        let key = format!("console.contacts.seen_{}", days.to_string().replace('-', "not_"));
        option("seen", days.to_string(), text(&key))
    });
    json!({
        "owners": owners,
        "stages": stages.collect::<Vec<_>>(),
        "segments": segments.collect::<Vec<_>>(),
        "letters": letters.collect::<Vec<_>>(),
        "seen": seen,
        "country": asked.filter("country").unwrap_or_default(),
        "source": asked.filter("source").unwrap_or_default(),
        "campaign": asked.filter("campaign").unwrap_or_default(),
    })
}
