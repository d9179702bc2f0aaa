//! Hosted pages: one column, one purpose, the site's name at the top. `templates/README.md` says what each shows.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use actix_web::{HttpRequest, HttpResponse, ResponseError, guard, web};
use serde_json::{Value as Json, json};

use super::Shared;
use super::error::{Problem, html};
use super::request;
use crate::base::language::Language;
use crate::base::time::zone;
use crate::gates;
use crate::render::{self, Texts};
use crate::sites::Site;

/// Mounts the files that hosted pages and the console link to.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors.service(web::resource("/assets/{name}").route(reading().to(asset)));
}

/// A route for reading: GET, and HEAD as link checkers ask.
pub(in crate::http) fn reading() -> actix_web::Route {
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

/// What surrounds every hosted page: the site, the language, the zone.
pub struct Frame<'a> {
    app: &'a Shared,
    /// The site whose name stands at the top, if the address says which, or if there is only one.
    pub site: Option<&'a Site>,
    /// The language of the page.
    pub language: Language,
    /// The zone in which it shows times.
    pub zone: String,
    /// What the way from here to the site's own pages carries, if a mail led here.
    passage: Option<String>,
}

impl<'a> Frame<'a> {
    /// The frame for a request: the site from `?site=` (else the first), the language from `?lang=`, the browser or the
    /// site, the zone from `zone` if there is one.
    pub fn of(app: &'a Shared, request: &HttpRequest, asked_zone: Option<&str>) -> Self {
        let key = url::form_urlencoded::parse(request.query_string().as_bytes())
            .find(|(name, _)| name == "site")
            .map(|(_, key)| key.into_owned());
        let site = match key {
            Some(key) => app.sites.find(&key).ok(),
            None => None,
        };
        let site = site.or_else(|| app.sites.all().next());
        let language = request::language(request).or_else(|| site.map(|site| site.language));
        let asked = asked_zone.filter(|name| zone(name).is_some());
        let of_site = || site.map_or("UTC", |site| site.time_zone.as_str());
        Self {
            app,
            site,
            language: language.unwrap_or_default(),
            zone: asked.unwrap_or_else(of_site).to_owned(),
            passage: None,
        }
    }

    /// The frame for the site of this key (else the first one) in a language, with times in a zone.
    pub fn named(app: &'a Shared, key: Option<&str>, language: Language, zone: &str) -> Self {
        let site = key.and_then(|key| app.sites.find(key).ok()).or_else(|| app.sites.all().next());
        Self { app, site, language, zone: zone.to_owned(), passage: None }
    }

    /// The frame of a page that a mailed link led to.
    #[must_use]
    pub fn mailed(mut self, token: &str) -> Self {
        self.passage = gates::passage(&self.app.keys, token, self.app.clock.now());
        self
    }

    /// The site's own pages. Elsewhere the browser keeps another visitor than here, who may be the one that asked for the
    /// mail: then the way there says so.
    fn home(&self) -> String {
        let home = self.site.map_or("/", Site::home);
        let elsewhere = url::Url::parse(home).ok().filter(|_| home != self.app.own_origin());
        match (&self.passage, elsewhere) {
            (Some(passage), Some(mut address)) => {
                address.query_pairs_mut().append_pair(gates::unlock::PASSAGE, passage);
                address.to_string()
            }
            (Some(_) | None, _) => home.to_owned(),
        }
    }

    /// Where the site says what it does with data: its own notice, else ours of it.
    fn privacy(&self) -> Option<String> {
        let site = self.site?;
        let own = Some(site.privacy_url.clone()).filter(|url| !url.is_empty());
        own.or_else(|| Some(format!("/privacy?site={}&lang={}", site.key, self.language.code())))
    }

    /// The page of a template; `fields` are those that only this page has.
    pub fn page(&self, status: StatusCode, template: &str, fields: Json) -> HttpResponse {
        let mut context = json!({
            "zone": self.zone,
            "site": {
                "name": self.site.map_or(self.app.config.company.name.as_str(), |site| site.name.as_str()),
                "home": self.home(),
                "logo": self.site.and_then(|site| or_null(&site.logo_url)),
                "stylesheet": self.site.and_then(|site| or_null(&site.stylesheet_url)),
                "privacy": self.privacy(),
            },
        });
        if let (Json::Object(context), Json::Object(fields)) = (&mut context, fields) {
            context.extend(fields);
        }
        match self.app.templates.render(template, self.language, &context) {
            Ok(body) => {
                let mut page = html(status, body);
                self.add_headers(&mut page);
                page
            }
            Err(error) => {
                tracing::error!(error = %error, page.template = template, "a page cannot be rendered");
                Problem::new("internal", "The page cannot be shown.").error_response()
            }
        }
    }

    /// The page for a problem: what happened and what to do, never a bare code.
    pub fn problem(&self, problem: &Problem) -> HttpResponse {
        let status = problem.status_code();
        let mut page = match problem.code() {
            "token.forged" => self.page(status, "pages/link_unknown", json!({})),
            "token.expired" | "token.revoked" => self.page(
                status,
                "pages/link_expired",
                json!({ "sent": false, "token": null, "action": null, "error": null }),
            ),
            "request.not_found" => self.page(status, "pages/not_found", json!({})),
            code => {
                let (title, what) = self.words(problem);
                let fields = json!({
                    "status": status.as_u16(), "code": code, "title": title, "what": what,
                    "kept": null, "next": null, "action": null, "reference": null,
                });
                self.page(status, "pages/error", fields)
            }
        };
        if let Some(wait) = problem.error_response().headers().get(actix_web::http::header::RETRY_AFTER) {
            page.headers_mut().insert(actix_web::http::header::RETRY_AFTER, wait.clone());
        }
        page
    }

    /// What a problem is called and what to do, in the page's language. Programs get the detail, people do not.
    fn words(&self, problem: &Problem) -> (String, String) {
        let status = problem.status_code();
        let of_status = match status.as_u16() {
            404 | 410 => "gone",
            403 => "forbidden",
            409 => "conflict",
            400..=499 => "wrong",
            _ => "failed",
        };
        let wait = self.wait_of(problem).unwrap_or_default();
        let text = |key: &str| {
            let key = format!("problems.{key}");
            self.app.templates.texts().get(self.language, &key, &[("wait", wait.clone())])
        };
        let of = |part: &str| {
            let own = text(&format!("{}.{part}", problem.code()));
            own.or_else(|| text(&format!("status.{of_status}.{part}"))).unwrap_or_default()
        };
        (of("title"), of("text"))
    }

    /// How long to wait, in words.
    pub fn wait_of(&self, problem: &Problem) -> Option<String> {
        wait_of(self.app.templates.texts(), self.language, problem)
    }

    /// What a problem says to people, for a page that shows it beside what was typed.
    pub fn told(&self, problem: &Problem) -> String {
        self.words(problem).1
    }

    fn add_headers(&self, page: &mut HttpResponse) {
        let origin = |address: &str| {
            url::Url::parse(address).ok().map(|url| url.origin().ascii_serialization()).unwrap_or_default()
        };
        let (style, image) = self
            .site
            .map_or_else(Default::default, |site| (origin(&site.stylesheet_url), origin(&site.logo_url)));
        let policy = format!(
            "default-src 'none'; style-src 'self' {style}; img-src 'self' {image} data:; script-src 'self'; \
             media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        );
        let headers = page.headers_mut();
        for (name, value) in [
            (CONTENT_SECURITY_POLICY, policy.as_str()),
            (REFERRER_POLICY, "no-referrer"),
            (CACHE_CONTROL, "private, no-store"),
        ] {
            if let Ok(value) = value.parse() {
                headers.insert(name, value);
            }
        }
        let robots = actix_web::http::header::HeaderName::from_static("x-robots-tag");
        headers.insert(robots, actix_web::http::header::HeaderValue::from_static("noindex, nofollow"));
    }
}

/// How long to wait before it is worth trying again, in words: seconds, or minutes where they are many.
pub fn wait_of(texts: &Texts, language: Language, problem: &Problem) -> Option<String> {
    let wait_s = problem.wait_s()?;
    let (key, n) = if wait_s < 90 { ("seconds", wait_s) } else { ("minutes", (wait_s + 59) / 60) };
    texts.get(language, &format!("problems.{key}"), &[("n", n.to_string())])
}

fn or_null(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use crate::base::language::Language;
    use crate::render::Templates;

    #[test]
    fn a_page_has_words_for_every_kind_of_problem_in_both_languages() {
        let templates = Templates::embedded().expect("they are valid");
        for language in Language::ALL {
            for kind in ["gone", "forbidden", "conflict", "wrong", "failed"] {
                for part in ["title", "text"] {
                    let key = format!("problems.status.{kind}.{part}");
                    assert!(templates.texts().get(language, &key, &[]).is_some(), "{key}");
                }
            }
        }
        let told = |language, n: &str| {
            templates.texts().get(language, "problems.minutes", &[("n", n.to_owned())]).expect("a text")
        };
        assert_eq!(
            (told(Language::En, "1"), told(Language::Es, "2")),
            ("one minute".into(), "2 minutos".into())
        );
    }
}
