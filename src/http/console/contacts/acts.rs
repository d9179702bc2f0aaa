//! Giving everybody in the list to somebody.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::super::frame::{Reader, see};
use super::asked::Asked;
use crate::accounts;
use crate::base::ids::{AccountId, ActId};
use crate::contacts::acts::{self, State};
use crate::http::error::Problem;
use crate::privacy::audit::{self, By};
use crate::reports::people::NO_OWNER;

const PATH: &str = "/console/contacts/acts";

/// Whom to give to whom.
#[derive(Deserialize)]
pub struct Given {
    #[serde(default)]
    query: String,
    owner: String,
}

fn unknown() -> Problem {
    Problem::new("account.unknown", "There is no such account, or it is closed.")
}

/// `POST /console/contacts/acts`.
pub async fn give(reader: Reader, form: web::Form<Given>) -> Result<HttpResponse, Problem> {
    let asked = Asked::read(&reader, &form.query);
    let known = accounts::list(&mut reader.app.stores.db.read()).await?;
    let owner = match form.owner.as_str() {
        NO_OWNER => None,
        id => {
            let id = AccountId::parse(id).map_err(|_| unknown())?;
            let account = known.iter().find(|account| account.id == id && account.disabled_at.is_none());
            Some(account.ok_or_else(unknown)?.id)
        }
    };
    let search = serde_json::to_string(&asked.search)
        .map_err(|_| Problem::new("internal", "The search cannot be written down."))?;
    let mut tx = reader.app.stores.db.begin().await?;
    let id = acts::begin(&mut tx, reader.account.id, owner, &search, reader.now).await?;
    let what = json!({ "list": "contacts, owner", "act": id, "owner": owner });
    audit::changed(&mut tx, By::Account(reader.account.id), what, reader.now).await?;
    tx.commit().await?;
    Ok(see(&format!("{PATH}/{id}")))
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
    let body = json!({ "act": {
        "id": act.id, "state": act.state.word(), "is_open": act.state.is_open(), "looked_at": act.looked_at,
        "changed": act.changed, "owner": owner.map(|owner| owner.name), "may_undo": may_undo,
        "is_over": act.state == State::Done && !may_undo,
    }});
    reader.page("console/contact_act", body).await
}

/// `POST /console/contacts/acts/{act}/undo`.
pub async fn undo(reader: Reader, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = ActId::parse(&id).map_err(|_| acts::Error::Unknown)?;
    let mut tx = reader.app.stores.db.begin().await?;
    acts::undo(&mut tx, id, reader.now).await?;
    let what = json!({ "list": "contacts, owner", "act": id, "undone": true });
    audit::changed(&mut tx, By::Account(reader.account.id), what, reader.now).await?;
    tx.commit().await?;
    Ok(see(&format!("{PATH}/{id}")))
}
