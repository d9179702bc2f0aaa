//! What is done to many in the list at once: to everybody whom it shows, or to those who were ticked.

use actix_web::{HttpResponse, web};
use serde_json::{Value as Json, json};

use super::super::frame::{Reader, see};
use super::asked::Asked;
use crate::accounts::{self, May};
use crate::base::ids::{AccountId, ActId, ContactId};
use crate::contacts::acts::{self, Kind, State};
use crate::http::error::Problem;
use crate::privacy::audit::{self, By};
use crate::reports::people::{self, Count, NO_OWNER};

const PATH: &str = "/console/contacts/acts";
/// Contacts that can be ticked: those of one page.
const CHOSEN_MOST: usize = 500;
/// Contacts that are erased at once at most.
const ERASED_MOST: i64 = 500;

fn unknown() -> Problem {
    Problem::new("account.unknown", "There is no such account, or it is closed.")
}

/// What is asked for: `query` is the list, `what` is `owner:ID`, `enter:SEQUENCE`, `leave:SEQUENCE` or `erase`, `scope` is
/// `chosen` or `all`, `chosen` each of the ticked, `found` how many the list said that there are, `typed` how many are to be
/// erased.
#[derive(Default)]
struct Given {
    query: String,
    what: String,
    is_chosen: bool,
    chosen: Vec<ContactId>,
    found: Option<i64>,
    typed: Option<String>,
}

impl Given {
    fn of(fields: Vec<(String, String)>) -> Self {
        let mut given = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                "query" => given.query = value,
                "what" => given.what = value,
                "scope" => given.is_chosen = value == "chosen",
                "found" => given.found = value.parse().ok(),
                "typed" => given.typed = Some(value.trim().to_owned()),
                "chosen" if given.chosen.len() < CHOSEN_MOST => given.chosen.extend(ContactId::parse(&value)),
                _ => {}
            }
        }
        given
    }
}

/// `POST /console/contacts/acts`.
pub async fn give(reader: Reader, form: web::Form<Vec<(String, String)>>) -> Result<HttpResponse, Problem> {
    let app = &reader.app;
    let given = Given::of(form.into_inner());
    let asked = Asked::read(&reader, &given.query);
    let (kind, subject) = given.what.split_once(':').unwrap_or((&given.what, ""));
    let kind = Kind::of_word(kind)
        .ok_or_else(|| Problem::new("act.nothing_chosen", "Choose what is to be done."))?;
    if given.is_chosen && given.chosen.is_empty() {
        return Err(Problem::new("act.nobody_chosen", "Tick those whom it is to be done to."));
    }
    if !given.is_chosen && !asked.is_understood {
        // A filter that is not understood counts as none, and that would be everybody.
        return Err(Problem::new(
            "request.malformed",
            "Something that the list is narrowed by is not understood. Open the list, choose the filters anew and try \
             again.",
        ));
    }
    let chosen = given.is_chosen.then_some(given.chosen.as_slice());
    let mut owner = None;
    match kind {
        Kind::Owner if subject == NO_OWNER => {}
        Kind::Owner => {
            let known = accounts::list(&mut app.stores.db.read()).await?;
            let id = AccountId::parse(subject).map_err(|_| unknown())?;
            let account = known.iter().find(|account| account.id == id && account.disabled_at.is_none());
            owner = Some(account.ok_or_else(unknown)?.id);
        }
        Kind::Enter | Kind::Leave => {
            let known = app.desk.sequences.find(subject);
            known.ok_or_else(|| Problem::new("act.nothing_chosen", "Choose one of the sequences."))?;
        }
        Kind::Erase => {
            if !reader.may(May::Privacy) {
                return Err(accounts::Error::Forbidden.into());
            }
            let n = how_many(&reader, &asked, chosen).await?;
            if given.typed.as_deref() != Some(n.to_string().as_str()) {
                return confirm(&reader, &given, n).await;
            }
        }
    }
    if kind != Kind::Erase && !given.is_chosen {
        let n = count(&reader, &asked).await?.ceiling();
        if given.found.is_none_or(|found| found < n) {
            return ask_again(&reader, &given, kind, n).await;
        }
    }
    let search = serde_json::to_string(&asked.search)
        .map_err(|_| Problem::new("internal", "The search cannot be written down."))?;
    let sequence = matches!(kind, Kind::Enter | Kind::Leave).then_some(subject);
    let begun = acts::Asked { kind, owner, subject: sequence, search: &search, chosen };
    let mut tx = app.stores.db.begin().await?;
    let id = acts::begin(&mut tx, reader.account.id, &begun, reader.now).await?;
    let list = format!("contacts, {}", kind.word());
    let what = json!({ "list": list, "act": id, "owner": owner, "sequence": sequence });
    audit::changed(&mut tx, By::Account(reader.account.id), what, reader.now).await?;
    tx.commit().await?;
    Ok(see(&format!("{PATH}/{id}")))
}

/// Whom an erasure concerns, counted; more than are erased at once count as one more.
async fn how_many(reader: &Reader, asked: &Asked, chosen: Option<&[ContactId]>) -> Result<i64, Problem> {
    if let Some(chosen) = chosen {
        return Ok(i64::try_from(chosen.len()).unwrap_or(i64::MAX));
    }
    let count = count(reader, asked).await?;
    Ok(if count.is_more { ERASED_MOST + 1 } else { count.n })
}

async fn count(reader: &Reader, asked: &Asked) -> Result<Count, Problem> {
    let reads = &mut reader.app.stores.db.read();
    let found = people::find(reads, &asked.search, asked.order, None, people::PAGE).await?;
    Ok(people::count(reads, &asked.search, &found).await?)
}

/// There are more than the list said, or it said nothing: asks whether they are all meant.
async fn ask_again(reader: &Reader, given: &Given, kind: Kind, n: i64) -> Result<HttpResponse, Problem> {
    let body = json!({
        "query": given.query,
        "what": given.what,
        "kind": kind.word(),
        "n": n,
        "found": given.found,
    });
    reader.page("console/contact_act_ask", body).await
}

/// Asks whether they are really to be erased: how many has to be typed.
async fn confirm(reader: &Reader, given: &Given, n: i64) -> Result<HttpResponse, Problem> {
    let body = json!({
        "query": given.query,
        "scope": if given.is_chosen { "chosen" } else { "all" },
        "chosen": given.chosen,
        "n": n,
        "most": ERASED_MOST,
        "is_too_many": n > ERASED_MOST,
        "is_nobody": n == 0,
        "is_wrong": given.typed.is_some(),
    });
    reader.page("console/contact_act_erase", body).await
}

/// `GET /console/contacts/acts/{act}`: how far it is.
pub async fn show(reader: Reader, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = ActId::parse(&id).map_err(|_| acts::Error::Unknown)?;
    let reads = &mut reader.app.stores.db.read();
    let act = acts::find(reads, id).await?.ok_or(acts::Error::Unknown)?;
    let owner = match act.owner {
        Some(owner) => accounts::list(reads).await?.into_iter().find(|account| account.id == owner),
        None => None,
    };
    let may_undo = act.undo_until().is_some_and(|until| until >= reader.now);
    let sequence: Json = act.subject.as_deref().map_or(Json::Null, |id| json!(reader.names().sequence(id)));
    let body = json!({ "act": {
        "id": act.id, "kind": act.kind.word(), "state": act.state.word(), "is_open": act.state.is_open(),
        "looked_at": act.looked_at, "changed": act.changed, "owner": owner.map(|owner| owner.name),
        "sequence": sequence, "same": act.looked_at - act.changed, "may_undo": may_undo,
        "is_over": act.state == State::Done && !may_undo && act.kind != Kind::Erase,
        "is_back": matches!(act.state, State::Undoing | State::Undone),
        "outcome": (act.kind == Kind::Erase && act.changed > 0).then_some(&act.outcome),
    }});
    reader.page("console/contact_act", body).await
}

/// `POST /console/contacts/acts/{act}/undo`.
pub async fn undo(reader: Reader, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = ActId::parse(&id).map_err(|_| acts::Error::Unknown)?;
    let mut tx = reader.app.stores.db.begin().await?;
    acts::undo(&mut tx, id, reader.now).await?;
    let what = json!({ "list": "contacts", "act": id, "undone": true });
    audit::changed(&mut tx, By::Account(reader.account.id), what, reader.now).await?;
    tx.commit().await?;
    Ok(see(&format!("{PATH}/{id}")))
}
