//! `/f/{form}`: a form on a page of its own, for whoever has no script and no site to put it on.

use std::collections::BTreeMap;

use actix_web::http::header::{HeaderName, RETRY_AFTER};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde_json::json;

use super::fields::Drawn;
use super::forms::{Refused, Sent, Taken, asked_of, limit, link, take_in};
use crate::base::ids::{ContactId, VisitorId};
use crate::base::language::Language;
use crate::gates::form::Typed;
use crate::gates::{self, Asked, Form};
use crate::http::Shared;
use crate::http::pages::Frame;
use crate::http::request::{self, Proxies, header};

/// The device, as the page's own script tells it: whoever is confirmed there is not asked twice.
const VISITOR: HeaderName = HeaderName::from_static("x-embudo-visitor");

/// `GET /f/{form}`: the hosted form.
pub(super) async fn show_page(app: Shared, request: HttpRequest, form: web::Path<String>) -> HttpResponse {
    let frame = Frame::of(&app, &request, None);
    let Ok(form) = app.catalog.form(&form) else { return frame.problem(&crate::http::not_found()) };
    let visitor = VisitorId::parse(header(&request, VISITOR)).ok();
    match asked_of(&app, form, visitor).await {
        Ok(asked) => {
            // The page's own script asks once more for the same person, and says who she is; link checkers ask for the head.
            let is_first = request.headers().get(VISITOR).is_none() && request.method() == Method::GET;
            if let Some(site) = frame.site
                && is_first
                && request::is_by_a_person(&app, &request)
            {
                app.shown.viewed(&form.id, &site.key, app.clock.now());
            }
            Page::blank(form, asked, way(&request)).answer(&app, &frame, StatusCode::OK)
        }
        Err(error) => frame.problem(&error.into()),
    }
}

/// A form as somebody sees it who comes for the first time.
///
/// # Errors
/// As the store says.
pub(in crate::http) async fn preview(
    app: &Shared,
    request: &HttpRequest,
    form: &Form,
) -> Result<HttpResponse, gates::Error> {
    let frame = Frame::of(app, request, None);
    let asked = asked_of(app, form, None).await?;
    Ok(Page::blank(form, asked, String::new()).answer(app, &frame, StatusCode::OK))
}

/// The page of a form, blank or with what was typed.
struct Page<'a> {
    form: &'a Form,
    asked: Asked,
    typed: Typed,
    errors: BTreeMap<String, String>,
    agreed: Vec<String>,
    error: Option<String>,
    is_warned: bool,
    /// What of the page's address tells of the way that led here; it goes along when the form is sent.
    way: String,
}

/// The parameters of an address that tell of the way, as they are added to another.
fn way(request: &HttpRequest) -> String {
    let asked = url::form_urlencoded::parse(request.query_string().as_bytes());
    let mut way = url::form_urlencoded::Serializer::new(String::new());
    way.extend_pairs(asked.filter(|(name, _)| gates::attribution::is_of_the_way(name)));
    let way = way.finish();
    if way.is_empty() { way } else { format!("&{way}") }
}

impl<'a> Page<'a> {
    fn blank(form: &'a Form, asked: Asked, way: String) -> Self {
        let (typed, errors) = (Typed::new(), BTreeMap::new());
        Self { form, asked, typed, errors, agreed: Vec::new(), error: None, is_warned: false, way }
    }

    fn answer(&self, app: &Shared, frame: &Frame<'_>, status: StatusCode) -> HttpResponse {
        let drawn = Drawn {
            form: self.form,
            asked: &self.asked,
            language: frame.language,
            typed: &self.typed,
            errors: &self.errors,
            agreed: &self.agreed,
        };
        let mut fields = drawn.described();
        let site = frame.site.map_or("", |site| site.key.as_str());
        let (form, language) = (&self.form.id, frame.language.code());
        fields["action"] = json!(format!("/f/{form}?site={site}&lang={language}{}", self.way));
        fields["nonce"] = json!(gates::nonce(&app.keys, self.form, &self.asked, app.clock.now()));
        fields["warned"] = json!(self.is_warned);
        fields["begun"] = json!({ "path": format!("/v1/forms/{form}/begun"), "site": site });
        frame.page(status, "pages/form", json!({"form": fields, "error": self.error}))
    }
}

/// What a browser sends without JavaScript.
pub(in crate::http) struct Posted {
    /// Every field, those of ours too.
    pub typed: Typed,
    /// The consents that were ticked.
    pub agreed: Vec<String>,
}

impl Posted {
    /// The fields of a posted form; any may come several times.
    pub fn of(fields: Vec<(String, String)>) -> Self {
        let mut posted = Self { typed: Typed::new(), agreed: Vec::new() };
        for (name, value) in fields {
            match name.as_str() {
                "agreed" => posted.agreed.push(value),
                _ => posted.typed.entry(name).or_default().push(value),
            }
        }
        posted
    }

    /// A field, if it was filled in.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.typed
            .get(name)
            .and_then(|texts| texts.first())
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    }

    /// The same as the snippet would have sent it from a page.
    pub fn sent(&self, site: &str, page: Option<String>) -> Sent {
        let sent = Sent {
            site: site.to_owned(),
            visitor: self.get("visitor").map(str::to_owned),
            consent: self.get("consent").unwrap_or_default().to_owned(),
            page,
            zone: self.get("zone").map(str::to_owned),
            nonce: self.get("nonce").unwrap_or_default().to_owned(),
            agreed: self.agreed.clone(),
            warned: self.get("warned").is_some(),
            website: self.get("website").unwrap_or_default().to_owned(),
            ..Sent::default()
        };
        sent.with(&self.typed)
    }
}

/// `POST /f/{form}`: the hosted form, sent.
pub(super) async fn take_page(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    form: web::Path<String>,
    body: web::Form<Vec<(String, String)>>,
) -> HttpResponse {
    let posted = Posted::of(body.into_inner());
    let frame = Frame::of(&app, &request, posted.get("zone"));
    let Ok(form) = app.catalog.form(&form) else { return frame.problem(&crate::http::not_found()) };
    let Some(site) = frame.site else { return frame.problem(&crate::http::not_found()) };
    let done = |message: &str, link: Option<String>, visitor: Option<VisitorId>| {
        let again = format!("/f/{}?site={}&lang={}", form.id, site.key, frame.language.code());
        let fields = json!({
            "title": form.done.title.get(frame.language), "message": message,
            "link": link, "visitor": visitor, "again": form.is_kiosk.then_some(again),
        });
        frame.page(StatusCode::OK, "pages/form_done", fields)
    };
    let sent = posted.sent(&site.key, Some(app.link(&request.uri().to_string())));
    let taken = match limit(&app, &proxies, &request).await {
        Ok(()) => {
            let seen = request::seen(&proxies, &request);
            let registers = form.registers.as_deref();
            take_in(&app, form, registers, &sent, &site.key, (frame.language, &seen)).await
        }
        Err(problem) => Err(Refused::Problem(problem)),
    };
    let refused = match taken {
        Ok(Taken::In(submitted)) => {
            let message = form.done.message.get(frame.language);
            return done(message, link(&app, form, submitted.contact, frame.language), submitted.visitor);
        }
        Ok(Taken::Apart(visitor)) => {
            let message = form.done.message.get(frame.language);
            return done(message, link(&app, form, ContactId::new(), frame.language), visitor);
        }
        Err(refused) => refused,
    };
    let (status, errors, words) = again(&refused, &frame);
    let is_warned = matches!(&refused, Refused::Invalid(invalid) if invalid.is_warning());
    match (status, refused) {
        (Some(status), refused) => {
            let asked = gates::submit::asked_before(&app.keys, form, &sent.nonce, app.clock.now());
            let (agreed, typed) = (posted.agreed, posted.typed);
            let page =
                Page { form, asked, typed, errors, agreed, error: words, is_warned, way: way(&request) };
            later(page.answer(&app, &frame, status), &refused)
        }
        (None, Refused::Problem(problem)) => frame.problem(&problem),
        (None, Refused::Invalid(_)) => frame.problem(&crate::http::not_found()),
    }
}

/// Programs learn from the header how long to wait.
pub(in crate::http) fn later(mut page: HttpResponse, refused: &Refused) -> HttpResponse {
    if let Refused::Problem(problem) = refused
        && let Some(wait) = problem.error_response().headers().get(RETRY_AFTER)
    {
        page.headers_mut().insert(RETRY_AFTER, wait.clone());
    }
    page
}

/// How a refused form is shown again: status, words beside the fields, words for the whole form. Nothing where showing
/// it again would not help.
pub(in crate::http) fn again(
    refused: &Refused,
    frame: &Frame<'_>,
) -> (Option<StatusCode>, BTreeMap<String, String>, Option<String>) {
    let language = frame.language;
    match refused {
        Refused::Invalid(invalid) => (Some(StatusCode::UNPROCESSABLE_ENTITY), invalid.words(language), None),
        Refused::Problem(problem) => match problem.code() {
            "form.nonce_invalid" | "form.nonce_used" => {
                let words = match language {
                    Language::En => {
                        "Please send it once more: the page had been open for too long or too short."
                    }
                    Language::Es => {
                        "Envíalo otra vez, por favor: la página llevaba abierta demasiado o muy poco tiempo."
                    }
                };
                (Some(problem.status_code()), BTreeMap::new(), Some(words.to_owned()))
            }
            "limit.too_many" => (Some(problem.status_code()), BTreeMap::new(), Some(frame.told(problem))),
            _ => (None, BTreeMap::new(), None),
        },
    }
}
