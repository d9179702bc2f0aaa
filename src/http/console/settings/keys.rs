//! Keys for programs: make one, see when it was used, end it.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde_json::{Value as Json, json};

use super::super::frame::{Reader, see_done};
use super::note;
use crate::accounts::{Area, Error, Scope, Scopes, api_keys};
use crate::base::ids::ApiKeyId;
use crate::base::time::DAY_MS;
use crate::http::error::Problem;
use crate::privacy::audit::What;

/// The page itself.
const PATH: &str = "/console/keys";
/// After how many days a key can be made to end.
const DAYS: [i64; 3] = [30, 90, 365];

/// `GET /console/keys`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    page(&reader, StatusCode::OK, None, false).await
}

async fn page(
    reader: &Reader,
    status: StatusCode,
    made: Option<(&str, &str)>,
    is_refused: bool,
) -> Result<HttpResponse, Problem> {
    let keys = api_keys::list(&mut reader.app.stores.db.read()).await?;
    let told = keys.iter().map(|key| {
        let state = key.state(reader.now).word();
        let scopes = Scope::all().filter(|scope| key.scopes.allow(*scope));
        let scopes: Vec<String> = scopes.map(Scope::word).collect();
        json!({
            "id": key.id, "name": key.name, "starts_with": key.starts_with, "state": state,
            "scopes": scopes.join(" "), "created_by": key.created_by, "created_at": key.created_at,
            "expires_at": key.expires_at, "last_used_at": key.last_used_at,
        })
    });
    let areas =
        Area::ALL.map(|area| json!({ "word": area.word(), "reads": area.reads(), "writes": area.writes() }));
    let api = &reader.app.config.api;
    let body = json!({
        "list": told.collect::<Vec<Json>>(),
        "areas": areas,
        "days": DAYS,
        "of_file": api.keys.len() + api.people_keys.len(),
        "made": made.map(|(name, text)| json!({ "name": name, "text": text })),
        "is_refused": is_refused,
    });
    reader.page_with(status, "console/keys", body).await
}

/// `POST /console/keys`: `name`, `days` (0 for ever), and for each area `none`, `read` or `write`.
pub async fn make(reader: Reader, form: web::Form<Vec<(String, String)>>) -> Result<HttpResponse, Problem> {
    let given = |name: &str| {
        form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    let scopes = Area::ALL.into_iter().filter_map(|area| match given(area.word()) {
        "read" if area.reads() => Some(Scope::read(area)),
        "write" if area.writes() => Some(Scope::write(area)),
        _ => None,
    });
    let days = given("days").parse::<i64>().ok().filter(|days| DAYS.contains(days));
    let expires = days.map(|days| reader.now.plus_ms(days * DAY_MS));
    let mut tx = reader.app.stores.db.begin().await?;
    let scopes = Scopes::of(scopes);
    let by = Some(reader.account.id);
    let made = api_keys::make(&mut tx, given("name"), scopes, expires, by, reader.now).await;
    let (key, text) = match made {
        Ok(made) => made,
        Err(Error::KeyInvalid) => {
            drop(tx);
            return page(&reader, StatusCode::UNPROCESSABLE_ENTITY, None, true).await;
        }
        Err(error) => return Err(error.into()),
    };
    note(&mut tx, &reader, What::KeyMade, &key.name).await?;
    tx.commit().await?;
    page(&reader, StatusCode::OK, Some((&key.name, &text)), false).await
}

/// `POST /console/keys/{key}/revoke`.
pub async fn revoke(reader: Reader, key: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = ApiKeyId::parse(&key).map_err(|_| Error::KeyUnknown)?;
    let mut tx = reader.app.stores.db.begin().await?;
    let name = api_keys::revoke(&mut tx, id, reader.now).await?;
    note(&mut tx, &reader, What::KeyRevoked, &name).await?;
    tx.commit().await?;
    Ok(see_done(PATH, "revoked"))
}
