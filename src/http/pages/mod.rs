//! What the hosted pages have in common: the site whose page it is, and the policy under which a page may run.
//! `templates/README.md` says what each page shows.

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ContentType, REFERRER_POLICY, RETRY_AFTER,
};
use actix_web::{HttpRequest, HttpResponse, ResponseError, guard, web};
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::Shared;
use super::error::Problem;
use super::request;
use crate::base::language::Language;
use crate::base::time::zone;
use crate::render;
use crate::sites::Site;

/// Mounts the files that hosted pages and the console link to.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors.service(web::resource("/assets/{name}").route(reading().to(asset)));
}

/// A route for reading: GET, and HEAD as link checkers ask.
pub fn reading() -> actix_web::Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// `GET /assets/{name}`: never changes under one address, so it is kept for a year.
async fn asset(name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let file = render::asset(&name).ok_or_else(super::not_found)?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((CONTENT_TYPE, file.content_type))
        .body(file.body))
}

/// The site in the head and foot of a page (`templates/README.md`, "Every page").
#[derive(Debug, Clone, Serialize)]
pub struct SiteView {
    name: String,
    home: String,
    logo: Option<String>,
    stylesheet: Option<String>,
    privacy: Option<String>,
}

/// The key of the site that was named, else of the first one; empty if there is none.
pub fn site_key(app: &Shared, key: Option<&str>) -> String {
    found(app, key).map_or_else(String::new, |site| site.key.clone())
}

fn found<'a>(app: &'a Shared, key: Option<&str>) -> Option<&'a Site> {
    key.and_then(|key| app.sites.find(key).ok()).or_else(|| app.sites.all().next())
}

/// The site of this key, else the first one, else the company itself.
pub fn site(app: &Shared, key: Option<&str>) -> SiteView {
    view(app, found(app, key))
}

fn view(app: &Shared, found: Option<&Site>) -> SiteView {
    let or_none = |text: fn(&Site) -> &String| found.map(text).filter(|text| !text.is_empty()).cloned();
    SiteView {
        name: found.map_or_else(|| app.config.company.name.clone(), |site| site.name.clone()),
        home: found.map_or(app.own_origin(), |site| site.home()).to_owned(),
        logo: or_none(|site| &site.logo_url),
        stylesheet: or_none(|site| &site.stylesheet_url),
        privacy: or_none(|site| &site.privacy_url),
    }
}

/// A rendered page, never cached: it shows one person's things.
pub fn page(
    app: &Shared,
    status: StatusCode,
    template: &str,
    language: Language,
    context: &impl Serialize,
) -> HttpResponse {
    match app.templates.render(template, language, context) {
        Ok(body) => HttpResponse::build(status)
            .insert_header(ContentType::html())
            .insert_header((CONTENT_SECURITY_POLICY, policy(app)))
            .insert_header((CACHE_CONTROL, "private, no-store"))
            .insert_header((REFERRER_POLICY, "no-referrer"))
            .insert_header(("x-robots-tag", "noindex, nofollow"))
            .body(body),
        Err(error) => {
            tracing::error!(error = %error, template, "a page could not be rendered");
            HttpResponse::InternalServerError()
                .insert_header(ContentType::plaintext())
                .body("Something went wrong.")
        }
    }
}

/// Nothing runs or loads but our own files and the sites' sheets and logos, and nobody may frame the page.
fn policy(app: &Shared) -> String {
    let origins = |address: fn(&Site) -> &String| {
        let urls = app.sites.all().filter_map(|site| url::Url::parse(address(site)).ok());
        urls.map(|url| format!(" {}", url.origin().ascii_serialization())).collect::<String>()
    };
    format!(
        "default-src 'none'; style-src 'self'{}; img-src 'self' data:{}; script-src 'self'; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        origins(|site| &site.stylesheet_url),
        origins(|site| &site.logo_url),
    )
}

/// The page for a link that does not work: unknown, or out of date.
pub fn broken_link(app: &Shared, problem: &Problem, language: Language) -> HttpResponse {
    let context = json!({
        "zone": "UTC", "site": site(app, None), "sent": false, "token": null, "action": null,
    });
    match problem.code() {
        "token.expired" | "token.revoked" => {
            page(app, StatusCode::GONE, "pages/link_expired", language, &context)
        }
        _ => page(app, StatusCode::NOT_FOUND, "pages/link_unknown", language, &context),
    }
}

/// What surrounds every hosted page: the site, the language, the zone.
pub struct Frame<'a> {
    app: &'a Shared,
    /// The site whose name stands at the top, if there is any.
    pub site: Option<&'a Site>,
    /// The language of the page.
    pub language: Language,
    /// The zone in which it shows times.
    pub zone: String,
}

impl<'a> Frame<'a> {
    /// The frame for a request: the site from `?site=` (else the first), the language from `?lang=`, the browser or the
    /// site, the zone that was asked for if there is such a zone.
    pub fn of(app: &'a Shared, request: &HttpRequest, asked_zone: Option<&str>) -> Self {
        let key = url::form_urlencoded::parse(request.query_string().as_bytes())
            .find(|(name, _)| name == "site")
            .map(|(_, key)| key.into_owned());
        let site = found(app, key.as_deref());
        let language = request::language(request).or_else(|| site.map(|site| site.language));
        let of_site = || site.map_or("UTC", |site| site.time_zone.as_str());
        let asked = asked_zone.filter(|name| zone(name).is_some());
        Self {
            app,
            site,
            language: language.unwrap_or_default(),
            zone: asked.unwrap_or_else(of_site).to_owned(),
        }
    }

    /// The page of a template; `fields` are those that only this page has.
    pub fn page(&self, status: StatusCode, template: &str, fields: Json) -> HttpResponse {
        let mut context = json!({"zone": self.zone, "site": view(self.app, self.site)});
        if let (Json::Object(context), Json::Object(fields)) = (&mut context, fields) {
            context.extend(fields);
        }
        page(self.app, status, template, self.language, &context)
    }

    /// The page for a problem: what happened and what to do, never a bare code.
    pub fn problem(&self, problem: &Problem) -> HttpResponse {
        let status = problem.status_code();
        let mut page = match problem.code() {
            "token.forged" => self.page(status, "pages/link_unknown", json!({})),
            "token.expired" | "token.revoked" => {
                let fields = json!({"sent": false, "token": null, "action": null});
                self.page(status, "pages/link_expired", fields)
            }
            "request.not_found" => self.page(status, "pages/not_found", json!({})),
            code => {
                let fields = json!({
                    "status": status.as_u16(), "code": code, "title": problem.title(), "what": problem.detail(),
                    "kept": null, "next": null, "action": null, "reference": null,
                });
                self.page(status, "pages/error", fields)
            }
        };
        if let Some(wait) = problem.error_response().headers().get(RETRY_AFTER) {
            page.headers_mut().insert(RETRY_AFTER, wait.clone());
        }
        page
    }
}
