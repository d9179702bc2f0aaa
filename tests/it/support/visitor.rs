//! A device on the test's website: it reports what its visitor does as the snippet does.

use embudo::base::ids::VisitorId;
use embudo::base::time::SECOND_MS;
use serde_json::{Value, json};

use super::answer::Answer;
use super::app::{SITE, TestApp};

/// One browser. Its fields say how it presents itself; change them freely.
pub struct Visitor<'a> {
    pub app: &'a TestApp,
    pub id: String,
    pub consent: &'static str,
    pub language: &'static str,
    pub zone: &'static str,
}

impl<'a> Visitor<'a> {
    pub fn new(app: &'a TestApp) -> Self {
        Self {
            app,
            id: VisitorId::new().to_string(),
            consent: "analytics",
            language: "es-ES",
            zone: "Europe/Madrid",
        }
    }

    /// The hit of a page view; change what a test is about before it is sent.
    pub fn hit(&self, path: &str) -> Value {
        json!({
            "id": self.app.hit_id().to_string(),
            "site": "faro",
            "name": "page",
            "url": format!("{SITE}{path}"),
            "referrer": "",
            "title": path,
            "visitor": if self.consent == "none" { Value::Null } else { json!(self.id) },
            "consent": self.consent,
            "language": self.language,
            "zone": self.zone,
            "width": 1440,
            "props": null,
        })
    }

    /// Opens a page: the view is counted when this returns.
    pub async fn visit(&self, path: &str) -> Answer {
        self.report(&self.hit(path)).await.expect(202)
    }

    /// Reports a hit, or a list of them, from this browser.
    pub async fn report(&self, hits: &Value) -> Answer {
        self.app
            .client
            .with("origin", SITE)
            .with("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
            .post("/v1/hit", hits)
            .await
    }

    /// Posts JSON as the snippet does on a page of the site.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.app.client.with("origin", SITE).post(path, body).await
    }

    /// Loads a form and fills it in as fast as a person can: what the snippet would send.
    pub async fn fill(&self, form: &str, values: Value) -> Value {
        let path = format!("/v1/forms/{form}?site=faro&language={}", self.language);
        let shown = self.app.client.with("origin", SITE).get(&path).await.expect_json(200);
        self.app.clock.advance(20 * SECOND_MS);
        json!({
            "site": "faro",
            "values": values,
            "visitor": if self.consent == "none" { Value::Null } else { json!(self.id) },
            "consent": self.consent,
            "page": format!("{SITE}/resources"),
            "language": self.language,
            "zone": self.zone,
            "nonce": shown["nonce"],
            "agreed": [],
            "website": "",
        })
    }

    /// Fills in a form with an e-mail and sends it. From then on this is the browser of the visitor that the
    /// answer names.
    pub async fn submit(&mut self, form: &str, email: &str) -> Value {
        let sent = self.fill(form, json!({ "email": email })).await;
        let answer = self.post(&format!("/v1/forms/{form}"), &sent).await.expect_json(200);
        if let Some(visitor) = answer["visitor"].as_str() {
            self.id = visitor.to_owned();
        }
        answer
    }

    /// What the page of a link from a mail does when it is opened in this browser.
    pub async fn confirm(&self, token: &str) -> Answer {
        let page = self.app.client.with("origin", &self.app.url);
        page.post("/v1/confirm", &json!({ "token": token, "visitor": self.id })).await
    }
}
