//! How mails leave: what is set, a mail to oneself, what the DNS should say, with the records to copy, and the colleagues to
//! whom no mail goes because one came back.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::super::frame::{Reader, see_released};
use super::note;
use crate::accounts;
use crate::base::email::Email;
use crate::http::error::Problem;
use crate::jobs::held::Held;
use crate::notify::dkim::Dkim;
use crate::notify::doctor::{self, Finding, State};
use crate::privacy::audit::What;
use crate::storage::limits::Quota;
use crate::subscriptions::suppression::{self, Kind};

const PATH: &str = "/console/mail";
/// Each look and each mail speaks with other servers.
const PER_ACCOUNT: Quota = Quota { per_minute: 3, burst: 6 };

/// `GET /console/mail`: what is set. Nobody is asked anything.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    page(&reader, Json::Null, Json::Null).await
}

/// `POST /console/mail/test`: a mail to whoever asks, past the queue, so that the server's answer is seen at once.
pub async fn test(reader: Reader) -> Result<HttpResponse, Problem> {
    limited(&reader).await?;
    let finding = doctor::try_out(&reader.app.config, &reader.account.email, reader.now).await;
    let mut tx = reader.app.stores.db.begin().await?;
    note(&mut tx, &reader, What::MailTried, reader.account.email.as_str()).await?;
    tx.commit().await?;
    let tried =
        json!({ "is_sent": finding.state == State::Good, "said": finding.line.get(reader.account.language) });
    page(&reader, tried, Json::Null).await
}

/// `POST /console/mail/look`: asks the mail server and the DNS. A form, because it speaks with others.
pub async fn look(reader: Reader) -> Result<HttpResponse, Problem> {
    limited(&reader).await?;
    let found = match doctor::examine(&reader.app.config).await {
        Ok(found) => {
            json!({ "problem": null, "lines": found.iter().map(|finding| told(&reader, finding)).collect::<Vec<_>>() })
        }
        Err(problem) => json!({ "problem": problem, "lines": [] }),
    };
    page(&reader, Json::Null, found).await
}

/// An address that is written to again.
#[derive(Deserialize)]
pub struct Released {
    email: String,
    /// `yes`: somebody has looked whether it is right.
    #[serde(default)]
    sure: String,
}

/// `POST /console/mail/release`: mails go to a colleague's address again, whatever came back or was blocked by hand, and
/// those about calls ahead that were held back go now.
pub async fn release(reader: Reader, form: web::Form<Released>) -> Result<HttpResponse, Problem> {
    let colleagues = colleagues(&reader).await?;
    let email = Email::parse(form.email.trim()).ok().filter(|email| colleagues.contains_key(email.as_str()));
    let email = email.ok_or_else(|| {
        Problem::new("request.malformed", "This is no colleague's address. Choose one of the list.")
    })?;
    if form.sure != "yes" {
        return Err(Problem::new(
            "request.malformed",
            "Say that the address is right: a mail that comes back once more holds it back again.",
        ));
    }
    let held = Held::find(&reader.app.desk, &email, reader.now).await?;
    let mut tx = reader.app.stores.db.begin().await?;
    let released = held.release(&mut tx, &reader.app.desk, reader.now).await?;
    if released.reasons > 0 {
        note(&mut tx, &reader, What::MailReleased, email.as_str()).await?;
    }
    tx.commit().await?;
    Ok(see_released(PATH, "mail_released", released.mails))
}

/// Everybody of the company whom mails are written to, by address: accounts that are open, and the reps of `team.yaml`.
async fn colleagues(reader: &Reader) -> Result<BTreeMap<String, (Email, String)>, Problem> {
    let accounts = accounts::list(&mut reader.app.stores.db.read()).await?;
    let open = accounts.into_iter().filter(|account| account.disabled_at.is_none());
    let accounts = open.map(|account| (account.email, account.name));
    let reps = reader.app.team.reps.iter().map(|rep| (rep.email.clone(), rep.name.clone()));
    Ok(accounts.chain(reps).map(|(email, name)| (email.to_string(), (email, name))).collect())
}

/// Those of them whose address is held back, and why.
async fn held_back(reader: &Reader) -> Result<Vec<Json>, Problem> {
    let app = &reader.app;
    let mut held = Vec::new();
    for (email, name) in colleagues(reader).await?.into_values() {
        let reads = &mut app.stores.db.read();
        if let Some(why) =
            suppression::blocks(reads, &app.keys, &email, Kind::Transactional, reader.now).await?
        {
            held.push(json!({ "email": email, "name": name, "why": why.word() }));
        }
    }
    Ok(held)
}

async fn limited(reader: &Reader) -> Result<(), Problem> {
    let (limits, id) = (&reader.app.stores.limits, reader.account.id.to_string());
    limits.check("mail_look", &id, PER_ACCOUNT, reader.now).await.map_err(accounts::Error::from)?;
    Ok(())
}

fn told(reader: &Reader, finding: &Finding) -> Json {
    let language = reader.account.language;
    json!({
        "what": finding.what.to_lowercase(),
        "name": finding.what,
        "state": finding.state.word(),
        "line": finding.line.get(language),
        "advice": finding.advice.as_ref().map(|advice| advice.get(language)),
        "record": finding.record.as_ref().map(|record| json!({ "name": record.name, "value": record.value })),
    })
}

async fn page(reader: &Reader, tried: Json, found: Json) -> Result<HttpResponse, Problem> {
    let config = &reader.app.config;
    let mail = &config.mail;
    let way = doctor::way(config).map(
        |way| json!({ "host": way.host, "port": way.port, "line": way.line, "has_login": way.has_login }),
    );
    let keys: Vec<Json> = Email::parse(&mail.from)
        .ok()
        .and_then(|from| Dkim::open(&mail.dkim, &from, &config.folder).ok().flatten())
        .map(|dkim| dkim.records())
        .unwrap_or_default()
        .into_iter()
        .map(|record| json!({ "name": record.name, "value": record.value }))
        .collect();
    let body = json!({
        "way": way,
        "from": mail.from,
        "is_from_example": mail.from.ends_with("@example.com"),
        "bounces": mail.bounces,
        "has_hooks": !mail.hooks.is_empty(),
        "keys": keys,
        "tried": tried,
        "found": found,
        "held": held_back(reader).await?,
    });
    reader.page("console/mail_setup", body).await
}
