//! `/d/{token}`: files behind a signed link.

use actix_files::NamedFile;
use actix_web::http::header::{ContentDisposition, DispositionParam, DispositionType};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde_json::json;

use super::{Posted, Refused, content_file, later, private, serve};
use crate::base::ids::{ContactId, new_key};
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::gates::{self, Fetched, Unlocked};
use crate::http::Shared;
use crate::http::error::Problem;
use crate::http::pages::Frame;
use crate::jobs::queue;
use crate::notify;
use crate::storage::limits::Quota;

/// Links that one person may ask for again.
const RENEW: Quota = Quota { per_minute: 1, burst: 3 };

async fn unlocked<'a>(
    app: &'a Shared,
    request: &HttpRequest,
    token: &str,
) -> Result<Unlocked<'a>, gates::Error> {
    let (pass, now) = (serve::pass_of(request), app.clock.now());
    let q = &mut app.stores.db.read();
    gates::unlock(q, &app.keys, &app.catalog, token, pass.as_deref(), now).await
}

/// `GET /d/{token}`: the page of a file. Changes nothing: mail scanners open links too.
pub(super) async fn landing(app: Shared, request: HttpRequest, token: web::Path<String>) -> HttpResponse {
    let frame = Frame::of(&app, &request, None).mailed(&token);
    match unlocked(&app, &request, &token).await {
        Ok(unlocked) => {
            let asset = unlocked.asset;
            let name = asset.file.get(frame.language);
            let kind = name.rsplit_once('.').map_or(String::new(), |(_, ending)| ending.to_uppercase());
            let size = std::fs::metadata(content_file(&app, name)).map_or(0, |file| file.len());
            let fields = json!({
                "file": {
                    "title": asset.title.get(frame.language),
                    "description": asset.description.as_ref().map(|text| text.get(frame.language)),
                    "kind": kind,
                    "size": size_words(size),
                },
                "token": token.as_str(),
                "expires_at": unlocked.claims.expires,
            });
            frame.page(StatusCode::OK, "pages/download", fields)
        }
        Err(error) => link_problem(&frame, error, &token),
    }
}

fn link_problem(frame: &Frame<'_>, error: gates::Error, token: &str) -> HttpResponse {
    match error {
        gates::Error::LinkExpired(_) | gates::Error::LinkRevoked(_) => {
            let action = format!("/d/renew?lang={}", frame.language.code());
            let fields = json!({"sent": false, "token": token, "action": action, "error": null});
            frame.page(StatusCode::GONE, "pages/link_expired", fields)
        }
        error => frame.problem(&error.into()),
    }
}

/// `GET /d/{token}/file`: the bytes. Noted when they were really sent; as a download only if a person asked for them.
pub(super) async fn file(app: Shared, request: HttpRequest, token: web::Path<String>) -> HttpResponse {
    let frame = Frame::of(&app, &request, None);
    let unlocked = match unlocked(&app, &request, &token).await {
        Ok(unlocked) => unlocked,
        Err(error) => return link_problem(&frame, error, &token),
    };
    let response = hand_out(&app, &frame, &request, &unlocked, &token);
    // A HEAD sends no bytes, although they are read for it.
    if request.method() != Method::GET || !response.status().is_success() {
        return response;
    }
    let (fetched, contact, asset) =
        (serve::fetched_by(&request), unlocked.contact, unlocked.asset.id.clone());
    // When it was asked for: how long the sending and the noting take is nobody's business.
    let (app, at) = (app.clone(), app.clock.now());
    serve::counted(response, move || {
        // Without a runtime the server is on its way out, and a download less is noted.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { note(&app, contact, &asset, fetched, at).await });
        }
    })
}

/// `POST /d/{token}/file`: the button of the page. Records the download and hands the file out.
pub(super) async fn download(
    app: Shared,
    request: HttpRequest,
    token: web::Path<String>,
    body: web::Form<Vec<(String, String)>>,
) -> HttpResponse {
    let posted = Posted::of(body.into_inner());
    let mut frame = Frame::of(&app, &request, posted.get("zone"));
    if let Some(language) = posted.get("lang").and_then(Language::of_tag) {
        frame.language = language;
    }
    let unlocked = match unlocked(&app, &request, &token).await {
        Ok(unlocked) => unlocked,
        Err(error) => return link_problem(&frame, error, &token),
    };
    if posted.get("website").is_none() {
        note(&app, unlocked.contact, &unlocked.asset.id, Fetched::ByPerson, app.clock.now()).await;
    }
    hand_out(&app, &frame, &request, &unlocked, &token)
}

/// The person gets her file even if it cannot be noted down just now.
async fn note(app: &Shared, contact: ContactId, asset: &str, fetched: Fetched, at: Timestamp) {
    let Some(asset) = app.catalog.asset(asset) else { return };
    let noted = async {
        let mut tx = app.stores.db.begin().await?;
        gates::unlock::downloaded(&mut tx, &app.lifecycle, contact, asset, fetched, at).await?;
        Ok::<(), gates::Error>(tx.commit().await?)
    };
    if let Err(error) = noted.await {
        tracing::error!(error = %error, "a download was not recorded");
    }
}

fn hand_out(
    app: &Shared,
    frame: &Frame<'_>,
    request: &HttpRequest,
    unlocked: &Unlocked<'_>,
    token: &str,
) -> HttpResponse {
    let asset = unlocked.asset;
    let name = asset.file.get(frame.language);
    let disposition = ContentDisposition {
        disposition: DispositionType::Attachment,
        parameters: vec![DispositionParam::Filename(name.to_owned())],
    };
    match NamedFile::open(content_file(app, name)) {
        Ok(file) => {
            let mut response = private(serve::answer(file.set_content_disposition(disposition), request));
            serve::give_pass(app, &mut response, format!("/d/{token}"), &unlocked.claims);
            response
        }
        Err(error) => {
            tracing::error!(error = %error, asset.id = %asset.id, "a gated file cannot be read");
            frame.problem(&Problem::new(
                "asset.unknown",
                "The file is not here just now. Please try again later.",
            ))
        }
    }
}

/// A size in words, to one decimal above a megabyte.
pub(in crate::http) fn size_words(bytes: u64) -> String {
    const KB: u64 = 1024;
    const MB: u64 = 1024 * 1024;
    match bytes {
        0..MB => format!("{} KB", bytes.div_ceil(KB)),
        _ => format!("{}.{} MB", bytes / MB, bytes % MB * 10 / MB),
    }
}

/// `POST /d/renew`: the link had run out or was taken back; a new one goes to the address that it was made for, and to no
/// other.
pub(super) async fn renew(
    app: Shared,
    request: HttpRequest,
    body: web::Form<Vec<(String, String)>>,
) -> HttpResponse {
    let typed = Posted::of(body.into_inner());
    let frame = Frame::of(&app, &request, typed.get("zone"));
    match renewed(&app, typed.get("token").unwrap_or_default()).await {
        Ok(()) => {
            let fields = json!({"sent": true, "token": null, "action": null, "error": null});
            frame.page(StatusCode::OK, "pages/link_expired", fields)
        }
        // The button stays: it is worth pressing again later.
        Err(problem) if problem.code() == "limit.too_many" => {
            let action = format!("/d/renew?lang={}", frame.language.code());
            let (token, error) = (typed.get("token"), frame.told(&problem));
            let fields = json!({"sent": false, "token": token, "action": action, "error": error});
            let page = frame.page(problem.status_code(), "pages/link_expired", fields);
            later(page, &Refused::Problem(problem))
        }
        Err(problem) => frame.problem(&problem),
    }
}

async fn renewed(app: &Shared, token: &str) -> Result<(), Problem> {
    let now = app.clock.now();
    let unlocked = gates::unlock(&mut app.stores.db.read(), &app.keys, &app.catalog, token, None, now).await;
    let claims = match unlocked {
        Err(gates::Error::LinkExpired(claims) | gates::Error::LinkRevoked(claims)) => claims,
        // It still works: there is nothing to send.
        Ok(_) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let contact = gates::unlock::contact_of(&claims).ok_or(gates::Error::LinkUnknown)?;
    app.stores.limits.check("link_renew", &contact.to_string(), RENEW, now).await?;
    let asset = app.catalog.asset(&claims.subject).ok_or(gates::Error::LinkUnknown)?;
    let mut tx = app.stores.db.begin().await?;
    let mut visitor = None;
    for form in app.catalog.forms.iter().filter(|form| form.delivers.as_deref() == Some(asset.id.as_str())) {
        let earlier = gates::latest_submission(&mut tx, contact, &form.id).await?;
        visitor = visitor.or(earlier.and_then(|earlier| earlier.visitor));
    }
    // However the file was handed out the first time: whoever holds a dead link is answered in her inbox. Nothing was
    // filled in anew, so nobody else hears of it. Whoever it was made for, or for nobody, the answer is this one.
    let asked = (notify::Asked::ForADeadLink, format!("renewed:{}", new_key()));
    if let Some(planned) = notify::mail_link(&mut tx, contact, asset, visitor, asked, now).await? {
        let work = serde_json::to_value(&planned.work).expect("a mail is plain data");
        queue::enqueue(&mut tx, "notify", &planned.key, &work, planned.at, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_people_say_them() {
        assert_eq!(size_words(1), "1 KB");
        assert_eq!(size_words(290_816), "284 KB");
        assert_eq!(size_words(1_572_864), "1.5 MB");
    }
}
