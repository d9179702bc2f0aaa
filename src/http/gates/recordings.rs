//! `/r/{token}`: recordings, their stills and their captions.

use actix_files::NamedFile;
use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};

use super::{content_file, private, serve};
use crate::base::language::Language;
use crate::base::signing::Claims;
use crate::http::error::Problem;
use crate::http::{Shared, cors, request};
use crate::webinars::{self, Recording};

/// `GET /r/{token}`: a recording, in ranges of bytes.
pub(super) async fn play(
    app: Shared,
    request: HttpRequest,
    token: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (recording, claims) = unlocked(&app, &request, &token).await?;
    let language = request::language(&request).unwrap_or_default();
    let mut response = stream(&app, &request, recording.file.get(language))?;
    serve::give_pass(&app, &mut response, format!("/r/{token}"), &claims);
    Ok(response)
}

/// `GET /r/{token}/poster`: its still image.
pub(super) async fn poster(
    app: Shared,
    request: HttpRequest,
    token: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (recording, _) = unlocked(&app, &request, &token).await?;
    let poster = recording.poster.as_deref().ok_or(webinars::Error::NoRecording)?;
    stream(&app, &request, poster)
}

/// `GET /r/{token}/{language}.vtt`: its captions.
pub(super) async fn captions(
    app: Shared,
    request: HttpRequest,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (token, language) = path.into_inner();
    let (recording, _) = unlocked(&app, &request, &token).await?;
    let language = Language::of_tag(&language);
    let found = recording.captions.iter().find(|(known, _)| Some(*known) == language);
    let (_, name) = found.ok_or(webinars::Error::NoRecording)?;
    stream(&app, &request, name)
}

async fn unlocked<'a>(
    app: &'a Shared,
    request: &HttpRequest,
    token: &str,
) -> Result<(&'a Recording, Claims), Problem> {
    let (pass, now) = (serve::pass_of(request), app.clock.now());
    let q = &mut app.stores.db.read();
    Ok(webinars::play(q, &app.webinars, &app.keys, token, pass.as_deref(), now).await?)
}

/// Players sit in pages of our sites: the answer may be read there, and holds nothing about a person.
fn stream(app: &Shared, request: &HttpRequest, name: &str) -> Result<HttpResponse, Problem> {
    let file = NamedFile::open(content_file(app, name)).map_err(|error| {
        tracing::error!(error = %error, "a recording cannot be read");
        Problem::new("recording.unknown", "The recording is not here just now.")
    })?;
    let mut response = private(serve::answer(file.disable_content_disposition(), request));
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600"));
    let name = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(name, HeaderValue::from_static("cross-origin"));
    cors::anybody(headers);
    Ok(response)
}
