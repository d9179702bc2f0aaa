//! The doors for programs that look after people: `/api/v1/contacts/…` and `/api/v1/audit`, with a key that
//! may see people. `docs/people.md` tells what they take and say.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::Shared;
use super::api::{authorised_for_people, by};
use super::error::Problem;
use crate::app::App;
use crate::base::email::Email;
use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::contacts::{self, Contact, duplicates, host, merge};
use crate::privacy::audit::{self, Act, By};
use crate::privacy::{self, Export};
use crate::stages::{self, Actor};
use crate::storage::db::Tx;

/// Entries of the audit in one answer.
const AUDIT_MOST: i64 = 500;

/// Mounts the doors.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors
        .route("/api/v1/audit", web::get().to(audited))
        .route("/api/v1/contacts", web::get().to(find))
        .service(
            web::scope("/api/v1/contacts/{contact}")
                .route("", web::get().to(show))
                .route("/merge", web::get().to(preview))
                .route("/merge", web::post().to(merge_into))
                .route("/unmerge", web::post().to(unmerge))
                .route("/suggestions/{name}", web::post().to(suggestion))
                .route("/addresses", web::post().to(add_address))
                .route("/host-ids", web::post().to(accept_host_id))
                .route("/profiling", web::post().to(profiling))
                .route("/export", web::get().to(export))
                .route("/erase", web::post().to(erase)),
        );
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| Problem::unread("request.malformed", &error))
}

fn id_of(text: &str) -> Result<ContactId, Problem> {
    ContactId::parse(text).map_err(|_| contacts::Error::Unknown.into())
}

/// The contact that speaks for an id.
async fn known(app: &App, text: &str) -> Result<Contact, Problem> {
    let found = contacts::find(&mut app.stores.db.read(), id_of(text)?).await?;
    Ok(found.ok_or(contacts::Error::Unknown)?)
}

#[derive(Deserialize)]
struct Sought {
    email: String,
}

/// `GET /api/v1/contacts?email=…`.
async fn find(
    app: Shared,
    request: HttpRequest,
    sought: web::Query<Sought>,
) -> Result<HttpResponse, Problem> {
    authorised_for_people(&app, &request)?;
    let email = Email::parse(&sought.email).map_err(|_| contacts::Error::Unknown)?;
    let found = contacts::find_by_email(&mut app.stores.db.read(), &email).await?;
    told(&app, &found.ok_or(contacts::Error::Unknown)?, by(&request)?).await
}

/// `GET /api/v1/contacts/{contact}`.
async fn show(
    app: Shared,
    request: HttpRequest,
    contact: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    authorised_for_people(&app, &request)?;
    told(&app, &known(&app, &contact).await?, by(&request)?).await
}

async fn told(app: &App, contact: &Contact, by: By) -> Result<HttpResponse, Problem> {
    audit::saw(&app.stores.db, by, contact.id, app.clock.now()).await?;
    let q = &mut app.stores.db.read();
    let document = json!({
        "contact": contact,
        "fields": contacts::fields(q, contact.id).await?,
        "addresses": contacts::addresses(q, contact.id).await?,
        "host_ids": contacts::host_ids(q, contact.id).await?,
        "merged": merge::behind(q, contact.id).await?,
        "duplicates": duplicates::hints(q, contact).await?,
        "consents": contacts::consents(q, contact.id).await?,
        "profiling": if contacts::objects_to_profiling(q, contact.id).await? { "off" } else { "on" },
    });
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(document))
}

#[derive(Deserialize)]
struct With {
    with: String,
}

/// `GET /api/v1/contacts/{contact}/merge?with=…`: what a merge would do.
async fn preview(
    app: Shared,
    request: HttpRequest,
    contact: web::Path<String>,
    other: web::Query<With>,
) -> Result<HttpResponse, Problem> {
    authorised_for_people(&app, &request)?;
    let (survivor, merged) = (id_of(&contact)?, id_of(&other.with)?);
    let preview = merge::preview(&mut app.stores.db.read(), survivor, merged).await?;
    for side in [&preview.survivor, &preview.merged] {
        audit::saw(&app.stores.db, by(&request)?, side.id, app.clock.now()).await?;
    }
    Ok(HttpResponse::Ok().json(preview))
}

/// `POST /api/v1/contacts/{contact}/merge`: the contact speaks for `with` from now on.
async fn merge_into(
    app: Shared,
    request: HttpRequest,
    contact: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, Problem> {
    authorised_for_people(&app, &request)?;
    let (survivor, other) = (id_of(&contact)?, read::<With>(&body)?);
    let done = merged(&app, survivor, id_of(&other.with)?, Actor::Api, by(&request)?).await?;
    Ok(HttpResponse::Ok().json(done))
}

/// Merges, and writes down who did.
pub(super) async fn merged(
    app: &App,
    survivor: ContactId,
    merged: ContactId,
    actor: Actor,
    by: By,
) -> Result<merge::Preview, Problem> {
    let now = app.clock.now();
    let mut tx = app.stores.db.begin().await?;
    let done = stages::merge::merge(&mut tx, &app.lifecycle, survivor, merged, actor, now).await?;
    audit::note(&mut tx, by, Act::Merged, survivor, json!({ "merged": merged }), now).await?;
    tx.commit().await?;
    Ok(done)
}

/// `POST /api/v1/contacts/{contact}/unmerge`: the contact stands on its own again.
async fn unmerge(
    app: Shared,
    request: HttpRequest,
    contact: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    authorised_for_people(&app, &request)?;
    let undone = unmerged(&app, id_of(&contact)?, Actor::Api, by(&request)?).await?;
    Ok(HttpResponse::Ok().json(undone))
}

/// Undoes a merge, and writes down who did.
pub(super) async fn unmerged(
    app: &App,
    merged: ContactId,
    actor: Actor,
    by: By,
) -> Result<merge::Merge, Problem> {
    let now = app.clock.now();
    let mut tx = app.stores.db.begin().await?;
    let undone = stages::merge::unmerge(&mut tx, &app.lifecycle, merged, actor, now).await?;
    audit::note(&mut tx, by, Act::Unmerged, undone.survivor, json!({ "merged": merged }), now).await?;
    tx.commit().await?;
    Ok(undone)
}

#[derive(Deserialize)]
struct Judged {
    accept: bool,
}

/// `POST /api/v1/contacts/{contact}/suggestions/{name}`.
async fn suggestion(
    app: Shared,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    body: web::Bytes,
) -> Result<HttpResponse, Problem> {
    authorised_for_people(&app, &request)?;
    let (contact, name) = path.into_inner();
    let judged: Judged = read(&body)?;
    judge(&app, known(&app, &contact).await?.id, &name, judged.accept, None, by(&request)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Another value waits than the one that was looked at.
pub(super) fn another_waits() -> Problem {
    Problem::new("contact.suggestion_changed", "Another value waits by now.")
}

/// Takes or throws away a value that waits, and writes down who did; if `seen` says which value was looked at, only that
/// one.
pub(super) async fn judge(
    app: &App,
    contact: ContactId,
    name: &str,
    accept: bool,
    seen: Option<&str>,
    by: By,
) -> Result<(), Problem> {
    let now = app.clock.now();
    let mut tx = app.stores.db.begin().await?;
    if let Some(seen) = seen {
        let waiting = contacts::suggestion(&mut tx, contact, name).await?;
        if waiting.is_some_and(|waiting| waiting.value != seen) {
            return Err(another_waits());
        }
    }
    let was_waiting = if accept {
        contacts::accept_suggestion(&mut tx, contact, name, now).await?
    } else {
        contacts::dismiss_suggestion(&mut tx, contact, name).await?
    };
    if !was_waiting {
        return Err(Problem::new("contact.nothing_suggested", "No value waits for this field."));
    }
    if accept {
        stages::evaluate(&mut tx, &app.lifecycle, contact, now).await?;
    }
    let details = json!({ "field": name, "accepted": accept });
    audit::note(&mut tx, by, Act::Changed, contact, details, now).await?;
    tx.commit().await?;
    Ok(())
}

/// `POST /api/v1/contacts/{contact}/addresses`: a further address of hers.
async fn add_address(
    app: Shared,
    request: HttpRequest,
    contact: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, Problem> {
    authorised_for_people(&app, &request)?;
    let sent: Sought = read(&body)?;
    further_address(&app, known(&app, &contact).await?.id, &sent.email, by(&request)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Gives a contact a further address, and writes down who did.
pub(super) async fn further_address(
    app: &App,
    contact: ContactId,
    email: &str,
    by: By,
) -> Result<(), Problem> {
    let email = Email::parse(email)
        .map_err(|_| Problem::new("identity.email_invalid", "This is no address that can be written to."))?;
    let now = app.clock.now();
    let mut tx = app.stores.db.begin().await?;
    if !host::add_address(&mut tx, contact, &email, now).await? {
        return Err(Problem::new(
            "contact.address_taken",
            "Another contact has this address. If they are one person, merge them.",
        ));
    }
    audit::note(&mut tx, by, Act::Changed, contact, json!({ "field": "address" }), now).await?;
    tx.commit().await?;
    Ok(())
}

#[derive(Deserialize)]
struct HostId {
    site: String,
    host_id: String,
}

/// `POST /api/v1/contacts/{contact}/host-ids`: a contested user id is hers.
async fn accept_host_id(
    app: Shared,
    request: HttpRequest,
    contact: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, Problem> {
    authorised_for_people(&app, &request)?;
    let sent: HostId = read(&body)?;
    let contact = known(&app, &contact).await?.id;
    settled(&app, contact, &sent.site, &sent.host_id, by(&request)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Says that a contested user id is a contact's, and writes down who did.
pub(super) async fn settled(
    app: &App,
    contact: ContactId,
    site: &str,
    host_id: &str,
    by: By,
) -> Result<(), Problem> {
    let now = app.clock.now();
    let mut tx = app.stores.db.begin().await?;
    if !host::accept(&mut tx, contact, site, host_id, now).await? {
        return Err(Problem::new("contact.nothing_suggested", "This user id is not contested."));
    }
    let details = json!({ "field": "host_id", "site": site });
    audit::note(&mut tx, by, Act::Changed, contact, details, now).await?;
    tx.commit().await?;
    Ok(())
}

#[derive(Deserialize)]
struct Profiling {
    off: bool,
}

/// `POST /api/v1/contacts/{contact}/profiling`.
async fn profiling(
    app: Shared,
    request: HttpRequest,
    contact: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, Problem> {
    authorised_for_people(&app, &request)?;
    let sent: Profiling = read(&body)?;
    let contact = known(&app, &contact).await?.id;
    let mut tx = app.stores.db.begin().await?;
    set_profiling(&app, &mut tx, contact, sent.off, None, by(&request)?).await?;
    tx.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Notes an objection to profiling or its end, and writes down who did.
pub(super) async fn set_profiling(
    app: &App,
    tx: &mut Tx,
    contact: ContactId,
    is_off: bool,
    seen: Option<&contacts::Seen>,
    by: By,
) -> Result<(), Problem> {
    let now = app.clock.now();
    privacy::set_profiling(tx, contact, is_off, (None, seen), now).await?;
    let details = json!({ "profiling": if is_off { "off" } else { "on" } });
    audit::note(tx, by, Act::Changed, contact, details, now).await?;
    Ok(())
}

/// `GET /api/v1/contacts/{contact}/export`: a ZIP archive.
async fn export(
    app: Shared,
    request: HttpRequest,
    contact: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    authorised_for_people(&app, &request)?;
    let export = exported(&app, id_of(&contact)?, by(&request)?).await?;
    download(&export)
}

/// Gathers what is known about a contact, and writes down who asked.
pub(super) async fn exported(app: &App, contact: ContactId, by: By) -> Result<Export, Problem> {
    let now = app.clock.now();
    let mut tx = app.stores.db.begin().await?;
    let (bot, later) = (&app.room.bot, App::later_tables());
    let notice = |language| app.privacy_told(language);
    let export = privacy::export(&mut tx, &app.lifecycle, bot, &later, &notice, contact, now).await?;
    audit::note(&mut tx, by, Act::Exported, contact, Json::Null, now).await?;
    tx.commit().await?;
    Ok(export)
}

/// An export as a file to keep.
pub(super) fn download(export: &Export) -> Result<HttpResponse, Problem> {
    let name = format!("attachment; filename=\"{}.zip\"", export.contact);
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/zip"))
        .insert_header((CONTENT_DISPOSITION, name))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(export.zip()?))
}

#[derive(Deserialize)]
struct Erasing {
    #[serde(default)]
    dry_run: bool,
}

/// `POST /api/v1/contacts/{contact}/erase`.
async fn erase(
    app: Shared,
    request: HttpRequest,
    contact: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, Problem> {
    authorised_for_people(&app, &request)?;
    let sent: Erasing = read(&body)?;
    let erased = erased(&app, id_of(&contact)?, by(&request)?, sent.dry_run).await?;
    Ok(HttpResponse::Ok().json(erased))
}

/// Forgets a contact.
pub(super) async fn erased(
    app: &App,
    contact: ContactId,
    by: By,
    is_dry: bool,
) -> Result<privacy::Erased, Problem> {
    let (now, later) = (app.clock.now(), App::later_tables());
    Ok(privacy::erase(&app.stores, &app.keys, &later, contact, by, is_dry, now).await?)
}

#[derive(Deserialize)]
struct Audited {
    #[serde(default)]
    contact: Option<String>,
    #[serde(default)]
    before: Option<i64>,
}

/// `GET /api/v1/audit?contact=…&before=…`: who did what, the latest first.
async fn audited(
    app: Shared,
    request: HttpRequest,
    asked: web::Query<Audited>,
) -> Result<HttpResponse, Problem> {
    authorised_for_people(&app, &request)?;
    let contact = asked.contact.as_deref().map(id_of).transpose()?;
    let before = Timestamp(asked.before.unwrap_or(i64::MAX));
    let filter = audit::Filter { contact, before, ..audit::Filter::default() };
    let entries = audit::list(&mut app.stores.db.read(), &filter, AUDIT_MOST).await?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(json!({ "entries": entries })))
}
