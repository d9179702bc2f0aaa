//! What the hosted pages have in common: the site whose page it is, and the policy under which a page may run.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ContentType};
use serde::Serialize;
use serde_json::json;

use super::Shared;
use super::error::Problem;
use crate::base::language::Language;
use crate::sites::Site;

/// Nothing runs or loads but our own files, and nobody may frame the page.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

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
    let found = found(app, key);
    SiteView {
        name: found.map_or_else(|| app.config.company.name.clone(), |site| site.name.clone()),
        home: found.map_or(app.own_origin(), |site| site.home()).to_owned(),
        logo: None,
        stylesheet: None,
        privacy: found.map(|site| site.privacy_url.clone()).filter(|url| !url.is_empty()),
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
            .insert_header((CONTENT_SECURITY_POLICY, POLICY))
            .insert_header((CACHE_CONTROL, "no-store"))
            .body(body),
        Err(error) => {
            tracing::error!(error = %error, template, "a page could not be rendered");
            HttpResponse::InternalServerError()
                .insert_header(ContentType::plaintext())
                .body("Something went wrong.")
        }
    }
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
