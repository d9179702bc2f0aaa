//! A copy of a file or a recording is put in its place. What the browser calls it does not matter: it gets the name that the
//! definitions have for it, after it has come whole, and only if it is of the kind that this name says.

use std::path::Path;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, web};
use tokio::io::AsyncWriteExt;

use super::content_item;
use super::frame::{Reader, see_done};
use crate::accounts;
use crate::base::ids::new_key;
use crate::base::language::Language;
use crate::http::error::Problem;
use crate::http::gates::content_file;
use crate::http::multipart::{Broken, Parts};
use crate::http::request::header;
use crate::privacy::audit;
use crate::{http, webinars};

/// The doors whose bodies are read as they come: they look at the token of their form themselves, before anything else.
pub const STREAMED: [&str; 2] =
    ["/console/content/files/{file}/copy", "/console/content/webinars/{webinar}/{recording}/copy"];
/// Longest field beside the file.
const FIELD_BYTES: usize = 200;
/// So much more than is taken is read and thrown away.
const HEARD_OUT_BYTES: usize = 8 << 20;
/// Bytes by which a kind is known.
const HEAD_BYTES: usize = 12;

/// Why a copy was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    /// Nobody may bring files here.
    Off,
    /// It is not what its place is for.
    Kind,
    Large,
    Empty,
    /// It did not come whole.
    Broken,
    /// It could not be written.
    Disk,
}

impl Wrong {
    fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Kind => "kind",
            Self::Large => "large",
            Self::Empty => "empty",
            Self::Broken => "broken",
            Self::Disk => "disk",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Off => StatusCode::CONFLICT,
            Self::Kind | Self::Empty => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Large => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Broken => StatusCode::BAD_REQUEST,
            Self::Disk => StatusCode::INSUFFICIENT_STORAGE,
        }
    }
}

/// `POST /console/content/files/{file}/copy`: `csrf`, `language`, `file`, in this order.
pub async fn file(
    reader: Reader,
    request: HttpRequest,
    id: web::Path<String>,
    body: web::Payload,
) -> Result<HttpResponse, Problem> {
    let mut parts = begun(&reader, &request, body).await?;
    let app = reader.app.clone();
    let asset = app.catalog.assets.iter().find(|asset| asset.id == *id).ok_or_else(http::not_found)?;
    let name = |language| asset.file.get(language).to_owned();
    match take(&reader, &mut parts, name).await? {
        Ok(()) => Ok(see_done(&format!("/console/content/files/{}", asset.id), "uploaded")),
        Err(wrong) => content_item::file_page(&reader, asset, wrong.status(), Some(wrong.word())).await,
    }
}

/// `POST /console/content/webinars/{webinar}/{recording}/copy`: the same.
pub async fn recording(
    reader: Reader,
    request: HttpRequest,
    ids: web::Path<(String, String)>,
    body: web::Payload,
) -> Result<HttpResponse, Problem> {
    let mut parts = begun(&reader, &request, body).await?;
    let app = reader.app.clone();
    let (webinar, recording) = ids.into_inner();
    let webinar = app.webinars.find(&webinar).ok_or(webinars::Error::Unknown)?;
    let recording =
        webinar.recordings.iter().find(|known| known.id == recording).ok_or_else(http::not_found)?;
    let name = |language| recording.file.get(language).to_owned();
    match take(&reader, &mut parts, name).await? {
        Ok(()) => Ok(see_done(&format!("/console/content/webinars/{}", webinar.id), "uploaded")),
        Err(wrong) => {
            let said = Some((recording.id.as_str(), wrong.word()));
            content_item::webinar_page(&reader, webinar, wrong.status(), said).await
        }
    }
}

/// The form, its token looked at: what has none, or is no form, was sent by no page of ours.
async fn begun(reader: &Reader, request: &HttpRequest, body: web::Payload) -> Result<Parts, Problem> {
    let mut parts = Parts::of(header(request, CONTENT_TYPE), body).map_err(|_| accounts::Error::Csrf)?;
    let token = field(&mut parts, "csrf").await.map_err(|_| accounts::Error::Csrf)?;
    if reader.has_token(&token) { Ok(parts) } else { Err(accounts::Error::Csrf.into()) }
}

/// The next part, if it is this field.
async fn field(parts: &mut Parts, wanted: &str) -> Result<String, Broken> {
    match parts.next().await? {
        Some(name) if name == wanted => parts.text(FIELD_BYTES).await,
        _ => Err(Broken::Malformed),
    }
}

/// Reads the form and puts the file under the name that it has in the chosen language.
async fn take(
    reader: &Reader,
    parts: &mut Parts,
    name: impl Fn(Language) -> String,
) -> Result<Result<(), Wrong>, Problem> {
    let malformed = |_| Problem::new("request.malformed", "The form is too large or broken off.");
    let most = reader.app.config.definitions.uploads_mb.saturating_mul(1_000_000);
    if most == 0 {
        return Ok(Err(Wrong::Off));
    }
    let language = field(parts, "language").await.map_err(malformed)?;
    let language = Language::of_tag(&language).ok_or_else(|| malformed(Broken::Malformed))?;
    if parts.next().await.map_err(malformed)?.as_deref() != Some("file") {
        return Err(malformed(Broken::Malformed));
    }
    let place = content_file(&reader.app, &name(language));
    let beside = place.with_file_name(format!(".{}.part", new_key()));
    let came = receive(parts, &beside, &place, most).await;
    if came.is_err() {
        // What came in part helps nobody; should it stay, it has a name that nothing asks for.
        let _ = tokio::fs::remove_file(&beside).await;
        hear_out(parts).await;
        return Ok(came);
    }
    let mut tx = reader.app.stores.db.begin().await?;
    let details = audit::What::Content.of(&name(language));
    audit::changed(&mut tx, audit::By::Account(reader.account.id), details, reader.now).await?;
    tx.commit().await?;
    Ok(Ok(()))
}

/// Somebody who is still sending would not hear why it was not taken.
async fn hear_out(parts: &mut Parts) {
    let mut heard = 0_usize;
    while let Ok(Some(chunk)) = parts.chunk().await {
        heard = heard.saturating_add(chunk.len());
        if heard > HEARD_OUT_BYTES {
            return;
        }
    }
}

/// Writes what comes beside its place, and lets it take the place when it is whole and on disk.
async fn receive(parts: &mut Parts, beside: &Path, place: &Path, most: u64) -> Result<(), Wrong> {
    let disk = |error: std::io::Error| {
        tracing::error!(error = %error, "a file that was brought cannot be written");
        Wrong::Disk
    };
    let mut file = tokio::fs::File::create(beside).await.map_err(disk)?;
    let (mut size, mut head) = (0_u64, Vec::new());
    while let Some(chunk) = parts.chunk().await.map_err(|_| Wrong::Broken)? {
        size = size.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if size > most {
            return Err(Wrong::Large);
        }
        if head.len() < HEAD_BYTES {
            head.extend(chunk.iter().take(HEAD_BYTES - head.len()));
            if head.len() == HEAD_BYTES && !is_of_kind(place, &head) {
                return Err(Wrong::Kind);
            }
        }
        file.write_all(&chunk).await.map_err(disk)?;
    }
    if size == 0 {
        return Err(Wrong::Empty);
    }
    if !is_of_kind(place, &head) {
        return Err(Wrong::Kind);
    }
    file.sync_all().await.map_err(disk)?;
    drop(file);
    tokio::fs::rename(beside, place).await.map_err(disk)
}

/// Whether a file that begins so may have this name. Of other endings nothing is taken: a page or a program in the place of
/// a document would be opened by whoever trusts us.
fn is_of_kind(place: &Path, head: &[u8]) -> bool {
    let ending = place.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "pdf" => head.starts_with(b"%PDF-"),
        "epub" | "docx" | "xlsx" | "pptx" | "zip" | "odt" | "ods" | "odp" => head.starts_with(b"PK\x03\x04"),
        "mp4" | "m4v" | "m4a" | "mov" => head.get(4..8) == Some(b"ftyp"),
        "webm" | "mkv" => head.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]),
        "mp3" => head.starts_with(b"ID3") || matches!(head, [0xff, second, ..] if second & 0xe0 == 0xe0),
        "png" => head.starts_with(&[0x89, b'P', b'N', b'G']),
        "jpg" | "jpeg" => head.starts_with(&[0xff, 0xd8, 0xff]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_first_bytes_say() {
        let is = |name: &str, head: &[u8]| is_of_kind(Path::new(name), head);
        assert!(is("a.pdf", b"%PDF-1.7\n") && !is("a.pdf", b"<html>") && !is("a.pdf", b""));
        assert!(is("a.MP4", b"\0\0\0\x20ftypisom") && !is("a.mp4", b"ftyp"));
        assert!(is("a.webm", &[0x1a, 0x45, 0xdf, 0xa3, 1]) && is("a.docx", b"PK\x03\x04"));
        assert!(!is("a.html", b"<html>") && !is("a", b"%PDF-") && !is("a.svg", b"<svg"));
    }
}
