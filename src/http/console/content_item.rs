//! One thing of the content on a page of its own: a form, a file, a webinar, with what came of it, how visitors see it,
//! and what to paste where.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value as Json, json};

use super::content_days;
use super::frame::Reader;
use crate::accounts::May;
use crate::base::language::Language;
use crate::base::localized::Localized;
use crate::gates::form::{Field, FieldKind};
use crate::gates::{Asset, Form};
use crate::http;
use crate::http::error::Problem;
use crate::http::gates::{content_file, preview as drawn, size_words};
use crate::reports::content;
use crate::webinars::{self, Webinar};

/// People that a page lists.
const LATEST: i64 = 10;
/// A preview only shows: nothing runs, nothing is sent, and only this console frames it.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'none'; base-uri 'none'; \
                      frame-ancestors 'self'";
/// Mails that a file or a webinar sends.
const FILE_MAILS: [&str; 1] = ["asset_link"];
const WEBINAR_MAILS: [&str; 6] = [
    "webinar_invitation",
    "webinar_registered",
    "webinar_reminder",
    "webinar_moved",
    "webinar_cancelled",
    "webinar_missed",
];

/// `GET /console/content/forms/{form}?lang=en|es`.
pub async fn form(reader: Reader, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let app = &reader.app;
    let form = app.catalog.form(&id)?;
    let reads = &mut app.stores.db.read();
    let names = reader.names();
    let numbers = content::forms(reads, &names, reader.now).await?;
    let numbers = numbers.into_iter().find(|known| known.form == form.id);
    let language = shown_in(&reader);
    let sites: Vec<Json> =
        app.sites.real().map(|site| embeds(&reader, form, &site.key, &site.name)).collect();
    let delivers =
        form.delivers.as_ref().and_then(|id| app.catalog.assets.iter().find(|file| file.id == *id));
    let registers = form.registers.as_ref().and_then(|id| app.webinars.find(id));
    let latest = content::senders(reads, &form.id, LATEST).await?;
    reader.saw_list(&format!("form:{}", form.id), latest.is_empty()).await?;
    let body = json!({
        "form": form.id,
        "title": form.title.get(reader.account.language),
        "numbers": numbers,
        "shown": content_days::told(&reader, &form.id).await?,
        "fields": form.fields.iter().chain(&form.queue).filter(|field| field.kind != FieldKind::Hidden)
            .map(|field| told_field(field, reader.account.language)).collect::<Vec<_>>(),
        "queue": form.queue.len(),
        "ask": form.ask,
        "delivers": delivers.map(|file| json!({ "id": file.id, "title": file.title.get(reader.account.language) })),
        "registers": registers
            .map(|webinar| json!({ "id": webinar.id, "title": webinar.title.get(reader.account.language) })),
        "latest": latest,
        "sites": sites,
        "shown_in": language.code(),
        "languages": languages(language),
    });
    reader.page("console/content_form", body).await
}

/// `GET /console/content/forms/{form}/preview?lang=en|es`: the form as visitors see it, for the frame.
pub async fn preview(
    reader: Reader,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let form = reader.app.catalog.form(&id)?;
    let mut page = drawn(&reader.app, &request, form).await?;
    page.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(page)
}

/// `GET /console/content/files/{file}`.
pub async fn file(reader: Reader, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let app = reader.app.clone();
    let asset = app.catalog.assets.iter().find(|asset| asset.id == *id).ok_or_else(http::not_found)?;
    file_page(&reader, asset, StatusCode::OK, None).await
}

/// The page of a file; `wrong` says why a copy was not taken.
///
/// # Errors
/// As the store says.
pub async fn file_page(
    reader: &Reader,
    asset: &Asset,
    status: StatusCode,
    wrong: Option<&str>,
) -> Result<HttpResponse, Problem> {
    let app = &reader.app;
    let reads = &mut app.stores.db.read();
    let numbers = content::files(reads, &reader.names(), None).await?;
    let numbers = numbers.into_iter().find(|known| known.file == asset.id);
    let latest = content::readers(reads, &asset.id, LATEST).await?;
    reader.saw_list(&format!("file:{}", asset.id), latest.is_empty()).await?;
    let body = json!({
        "file": asset.id,
        "title": asset.title.get(reader.account.language),
        "description": asset.description.as_ref().map(|text| text.get(reader.account.language)),
        "numbers": numbers,
        "deliver": asset.deliver.word(),
        "days": asset.valid_ms / crate::base::time::DAY_MS,
        "copies": copies(reader, asset),
        "uploads_mb": uploads_mb(reader),
        "wrong": wrong,
        "forms": forms_that(reader, |form| form.delivers.as_ref() == Some(&asset.id)),
        "latest": latest,
        "mails": mails(reader, &FILE_MAILS),
    });
    reader.page_with(status, "console/content_file", body).await
}

/// `GET /console/content/webinars/{webinar}`.
pub async fn webinar(reader: Reader, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let app = reader.app.clone();
    let webinar = app.webinars.find(&id).ok_or(webinars::Error::Unknown)?;
    webinar_page(&reader, webinar, StatusCode::OK, None).await
}

/// The page of a webinar; `wrong` says of which recording a copy was not taken, and why.
///
/// # Errors
/// As the store says.
pub async fn webinar_page(
    reader: &Reader,
    webinar: &Webinar,
    status: StatusCode,
    wrong: Option<(&str, &str)>,
) -> Result<HttpResponse, Problem> {
    let app = &reader.app;
    let reads = &mut app.stores.db.read();
    let names = reader.names();
    let numbers = content::webinars(reads, &names).await?;
    let numbers = numbers.into_iter().find(|known| known.webinar == webinar.id);
    let watched = content::recordings(reads, &names).await?;
    let called_off = webinars::dates(reads, webinar).await?.cancelled_at.is_some();
    let recordings: Vec<Json> = webinar
        .recordings
        .iter()
        .map(|recording| {
            let numbers = watched.iter().find(|known| known.recording == recording.id);
            let missing = in_languages(&recording.file).any(|(_, name)| !content_file(app, name).is_file());
            json!({
                "id": recording.id,
                "title": recording.title.get(reader.account.language),
                "condensed": recording.is_condensed,
                "duration_ms": i64::from(minutes(recording.duration_s)) * 60_000,
                "numbers": numbers,
                "missing": missing,
                "wrong": wrong.filter(|(id, _)| *id == recording.id).map(|(_, why)| why),
            })
        })
        .collect();
    let latest = content::registrants(reads, &webinar.id, LATEST).await?;
    reader.saw_list(&format!("webinar:{}", webinar.id), latest.is_empty()).await?;
    let body = json!({
        "webinar": webinar.id,
        "title": webinar.title.get(reader.account.language),
        "description": webinar.description.get(reader.account.language),
        "host": webinar.host.get(reader.account.language),
        "starts_at": webinar.starts_at,
        "duration_ms": webinar.duration_ms,
        "over": reader.now > webinar.starts_at.plus_ms(webinar.duration_ms),
        "called_off": called_off,
        "numbers": numbers,
        "recordings": recordings,
        "uploads_mb": uploads_mb(reader),
        "forms": forms_that(reader, |form| {
            form.registers.as_ref() == Some(&webinar.id) || form.id == webinar.form
        }),
        "latest": latest,
        "mails": mails(reader, &WEBINAR_MAILS),
    });
    reader.page_with(status, "console/content_webinar", body).await
}

/// The largest file that the reader may bring, in megabytes; 0: none.
fn uploads_mb(reader: &Reader) -> u64 {
    if reader.may(May::Curate) { reader.app.config.definitions.uploads_mb } else { 0 }
}

fn minutes(duration_s: f64) -> u16 {
    // A recording of more than six weeks is none.
    format!("{:.0}", (duration_s / 60.0).max(0.0)).parse().unwrap_or(u16::MAX)
}

fn shown_in(reader: &Reader) -> Language {
    reader.asked("lang").and_then(|tag| Language::of_tag(&tag)).unwrap_or(reader.account.language)
}

fn languages(current: Language) -> Vec<Json> {
    Language::ALL
        .into_iter()
        .map(|language| json!({ "name": language.code(), "current": language == current }))
        .collect()
}

fn in_languages(text: &Localized) -> impl Iterator<Item = (Language, &str)> {
    Language::ALL.into_iter().map(|language| (language, text.get(language)))
}

fn told_field(field: &Field, language: Language) -> Json {
    json!({
        "name": field.name,
        "label": field.label.get(language),
        "kind": field.kind.name(),
        "required": field.required,
        "condition": field.show_if.as_ref().map(|condition| condition.text()),
        "choices": field.choices.len(),
    })
}

/// The mails that somebody may look at, with their titles.
fn mails(reader: &Reader, names: &[&str]) -> Vec<Json> {
    if !reader.may(May::ReadMails) {
        return Vec::new();
    }
    let title = |name: &str| reader.app.desk.wording.title(name, reader.account.language);
    names.iter().map(|name| json!({ "name": name, "title": title(name) })).collect()
}

/// Forms of which something is so, with the address of each on a page of its own.
fn forms_that(reader: &Reader, is_so: impl Fn(&Form) -> bool) -> Vec<Json> {
    let site = reader.app.sites.real().next().map_or("", |site| site.key.as_str());
    let told = |form: &Form| {
        let title = form.title.get(reader.account.language);
        json!({ "id": form.id, "title": title, "href": reader.app.link(&format!("/f/{}?site={site}", form.id)) })
    };
    reader.app.catalog.forms.iter().filter(|form| is_so(form)).map(told).collect()
}

/// The copies of a file, whether they are there, and how large they are.
fn copies(reader: &Reader, asset: &Asset) -> Vec<Json> {
    let mut copies: Vec<Json> = Vec::new();
    for (language, name) in in_languages(&asset.file) {
        let size = std::fs::metadata(content_file(&reader.app, name)).ok().filter(std::fs::Metadata::is_file);
        let size = size.map(|file| size_words(file.len()));
        copies.push(json!({ "language": language.code(), "name": name, "size": size }));
    }
    copies
}

/// What to paste for a form on a site: the address of its own page, the snippet's place, and a form of the page's own.
fn embeds(reader: &Reader, form: &Form, site: &str, name: &str) -> Json {
    let app = &reader.app;
    let own = app.own_origin();
    let script = app.config.collector.tracker_paths.first().map_or("/e.js", String::as_str);
    let language = reader.account.language;
    let page = format!("{own}/f/{}?site={site}", form.id);
    let title = escaped(form.title.get(language));
    let tag = format!("<script defer src=\"{own}{script}\" data-site=\"{site}\"></script>");
    let place = format!("<div data-embudo-form=\"{}\"><a href=\"{page}\">{title}</a></div>", form.id);
    let mut lines =
        vec![format!("<form data-embudo-form=\"{}\" action=\"{page}\" method=\"post\">", form.id)];
    lines.extend(form.fields.iter().filter_map(|field| control(field, language)));
    lines.extend(form.consents.iter().map(|ask| {
        let required = if ask.required { " required" } else { "" };
        let (id, text) = (escaped(&ask.id), escaped(ask.text.get(language)));
        format!("  <label><input type=\"checkbox\" name=\"agreed\" value=\"{id}\"{required}> {text}</label>")
    }));
    lines.push(format!("  <button>{}</button>\n</form>", escaped(form.button.get(language))));
    json!({ "name": name, "page": page, "tag": tag, "place": place, "own": lines.join("\n") })
}

/// A field as a page would write it; none for what the server fills in.
fn control(field: &Field, language: Language) -> Option<String> {
    let (name, label) = (escaped(&field.name), escaped(field.label.get(language)));
    let required = if field.required { " required" } else { "" };
    let choices = |make: fn(&str, &str, &str) -> String| {
        let each = field.choices.iter();
        let told =
            each.map(|choice| make(&name, &escaped(&choice.value), &escaped(choice.label.get(language))));
        told.collect::<Vec<_>>().join("\n")
    };
    Some(match field.kind {
        FieldKind::Hidden => return None,
        FieldKind::Textarea => {
            format!("  <label>{label} <textarea name=\"{name}\"{required}></textarea></label>")
        }
        FieldKind::Select => {
            let options =
                choices(|_, value, label| format!("    <option value=\"{value}\">{label}</option>"));
            format!("  <label>{label} <select name=\"{name}\"{required}>\n{options}\n  </select></label>")
        }
        FieldKind::Radio => {
            let options = choices(|name, value, label| {
                format!("    <label><input type=\"radio\" name=\"{name}\" value=\"{value}\"> {label}</label>")
            });
            format!("  <fieldset><legend>{label}</legend>\n{options}\n  </fieldset>")
        }
        FieldKind::Checkboxes => {
            let options = choices(|name, value, label| {
                format!(
                    "    <label><input type=\"checkbox\" name=\"{name}\" value=\"{value}\"> {label}</label>"
                )
            });
            format!("  <fieldset><legend>{label}</legend>\n{options}\n  </fieldset>")
        }
        FieldKind::Checkbox => {
            format!(
                "  <label><input type=\"checkbox\" name=\"{name}\" value=\"true\"{required}> {label}</label>"
            )
        }
        FieldKind::Email => input(&name, &label, "email", required),
        FieldKind::Phone => input(&name, &label, "tel", required),
        FieldKind::Number => input(&name, &label, "number", required),
        FieldKind::Url => input(&name, &label, "url", required),
        FieldKind::Date => input(&name, &label, "date", required),
        FieldKind::Text | FieldKind::Country => input(&name, &label, "text", required),
    })
}

fn input(name: &str, label: &str, kind: &str, required: &str) -> String {
    format!("  <label>{label} <input name=\"{name}\" type=\"{kind}\"{required}></label>")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_pasted_cannot_break_out_of_its_place() {
        assert_eq!(escaped("a \"b\" <c> & d"), "a &quot;b&quot; &lt;c> &amp; d");
    }

    #[test]
    fn half_a_minute_and_more_is_a_minute() {
        assert_eq!([0.0, 29.0, 31.0, 660.0, -5.0].map(minutes), [0, 0, 1, 11, 0]);
    }
}
