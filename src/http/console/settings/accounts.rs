//! Who may enter the console: invite, change the role, send away, take back.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::super::frame::{Reader, see_done};
use super::note;
use crate::accounts::passwords::{INVITATION_MS, RESET_MS};
use crate::accounts::people::{self, Invitation};
use crate::accounts::{self, Account, Error, Role, factor, passwords};
use crate::base::ids::AccountId;
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::bookings::former;
use crate::http::error::Problem;
use crate::jobs::queue;
use crate::notify::{Mail, Work};
use crate::privacy::audit::What;
use crate::storage::db::Tx;

/// The page itself.
const PATH: &str = "/console/accounts";

/// `GET /console/accounts`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    page(&reader, StatusCode::OK, Json::Null, Json::Null).await
}

/// The page; `typed` is an invitation that was refused, `link` one that nobody could be sent.
async fn page(reader: &Reader, status: StatusCode, typed: Json, link: Json) -> Result<HttpResponse, Problem> {
    let members = people::members(&mut reader.app.stores.db.read()).await?;
    let told = members.into_iter().map(|member| {
        let account = member.account;
        let roles = Role::ALL.map(|role| json!({ "word": role.word(), "is_hers": role == account.role }));
        let is_awaited = member.is_invited && account.disabled_at.is_none();
        json!({
            "id": account.id, "name": account.name, "email": account.email, "role": account.role,
            "is_own": account.id == reader.account.id, "is_off": account.disabled_at.is_some(),
            "is_invited": is_awaited, "seen_at": member.seen_at,
            "has_factor": account.second_factor_since.is_some(), "roles": roles,
        })
    });
    let body = json!({
        "members": told.collect::<Vec<_>>(),
        "roles": Role::ALL.map(|role| json!({ "word": role.word(), "is_hers": role == Role::Sdr })),
        "leaves": reader.app.desk.mailer.leaves(),
        "typed": typed,
        "link": link,
    });
    reader.page_with(status, "console/accounts", body).await
}

/// Who is to be invited.
#[derive(Deserialize)]
pub struct Invited {
    #[serde(default)]
    email: String,
    #[serde(default)]
    name: String,
    role: String,
    #[serde(default)]
    language: String,
}

/// `POST /console/accounts`.
pub async fn invite(reader: Reader, who: web::Form<Invited>) -> Result<HttpResponse, Problem> {
    let invitation = Invitation {
        email: &who.email,
        name: &who.name,
        role: role_of(&who.role)?,
        language: Language::of_tag(&who.language).unwrap_or(reader.account.language),
    };
    let mut tx = reader.app.stores.db.begin().await?;
    match people::invite(&mut tx, &invitation, reader.now).await {
        Ok(account) => {
            note(&mut tx, &reader, What::Invited, account.email.as_str()).await?;
            send_link(tx, &reader, &account, "invited").await
        }
        Err(error @ (Error::InvalidEmail(_) | Error::EmailTaken(_))) => {
            drop(tx);
            let why = if matches!(error, Error::EmailTaken(_)) { "taken" } else { "invalid" };
            let typed = json!({ "email": who.email, "name": who.name, "why": why });
            page(&reader, StatusCode::UNPROCESSABLE_ENTITY, typed, Json::Null).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Mails a link with which the account's password is set, or shows it if no mail leaves here.
async fn send_link(
    mut tx: Tx,
    reader: &Reader,
    account: &Account,
    done: &str,
) -> Result<HttpResponse, Problem> {
    let (app, id, asked_at) = (&reader.app, account.id, reader.now);
    let is_awaited = passwords::is_awaited(&mut tx, id).await?;
    if app.desk.mailer.leaves() {
        let mail = if is_awaited {
            Mail::AccountInvitation { account: id, asked_at }
        } else {
            Mail::PasswordReset { account: id, asked_at }
        };
        plan(&mut tx, mail, id, asked_at).await?;
        tx.commit().await?;
        return Ok(see_done(PATH, done));
    }
    let expires = asked_at.plus_ms(if is_awaited { INVITATION_MS } else { RESET_MS });
    let token = passwords::link(&mut tx, &app.keys, id, asked_at, expires).await?.ok_or(Error::LinkOver)?;
    tx.commit().await?;
    let address = app.link(&format!("/console/password?token={token}"));
    let link = json!({ "name": account.name, "address": address, "expires_at": expires });
    page(reader, StatusCode::OK, Json::Null, link).await
}

/// Puts the mail into the queue; two of the same moment are one.
///
/// # Errors
/// As the store says.
pub async fn plan(tx: &mut Tx, mail: Mail, id: AccountId, now: Timestamp) -> Result<(), Problem> {
    let key = format!("{}:{id}:{}", mail.name(), now.as_ms());
    let work = serde_json::to_value(Work::Mail { mail })
        .map_err(|error| Problem::new("internal", error.to_string()))?;
    Ok(queue::enqueue(tx, "notify", &key, &work, now, now).await?)
}

fn role_of(word: &str) -> Result<Role, Problem> {
    Role::of_word(word).ok_or_else(|| Problem::new("request.malformed", "Choose one of the roles."))
}

fn id_of(text: &str) -> Result<AccountId, Problem> {
    AccountId::parse(text).map_err(|_| Error::Unknown(text.to_owned()).into())
}

/// The role that somebody is given.
#[derive(Deserialize)]
pub struct Given {
    #[serde(default)]
    role: String,
    /// The role that stood there when the page was opened.
    was: Option<String>,
}

/// `POST /console/accounts/{account}/role`.
pub async fn change_role(
    reader: Reader,
    account: web::Path<String>,
    given: web::Form<Given>,
) -> Result<HttpResponse, Problem> {
    let (id, role) = (id_of(&account)?, role_of(&given.role)?);
    let mut tx = reader.app.stores.db.begin().await?;
    tx.lock(&format!("role:{id}")).await?;
    let known = accounts::find(&mut tx, id).await?.ok_or_else(|| Error::Unknown(id.to_string()))?;
    if known.role != role && given.was.as_deref().is_some_and(|was| was != known.role.word()) {
        let detail = format!("The role is `{}` by now.", known.role.word());
        return Err(Problem::new("account.role_changed", detail));
    }
    let account = people::change_role(&mut tx, id, role).await?;
    note(&mut tx, &reader, What::Role, &format!("{} ({})", account.email, role.word())).await?;
    tx.commit().await?;
    if !account.takes_chats() {
        no_longer_there(&reader, id).await;
    }
    Ok(see_done(PATH, "role"))
}

/// `POST /console/accounts/{account}/link`: another invitation, or a link for a forgotten password.
pub async fn link(reader: Reader, account: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = id_of(&account)?;
    let mut tx = reader.app.stores.db.begin().await?;
    let known = accounts::find(&mut tx, id).await?.filter(|account| account.disabled_at.is_none());
    let account = known.ok_or_else(|| Error::Unknown(id.to_string()))?;
    note(&mut tx, &reader, What::Link, account.email.as_str()).await?;
    send_link(tx, &reader, &account, "link").await
}

/// `POST /console/accounts/{account}/disable`.
pub async fn disable(reader: Reader, account: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = id_of(&account)?;
    let mut tx = reader.app.stores.db.begin().await?;
    let account = people::send_away(&mut tx, id, reader.now).await?;
    note(&mut tx, &reader, What::Disabled, account.email.as_str()).await?;
    tx.commit().await?;
    no_longer_there(&reader, id).await;
    let team = &reader.app.team;
    let closed = former::closed(&mut reader.app.stores.db.read(), team, reader.now).await?;
    let rep = team.rep_of_account(&account.email);
    let closed = rep.and_then(|rep| closed.iter().find(|closed| closed.rep == rep.id));
    let done = match closed {
        Some(closed) if closed.is_booked => "disabled_rep",
        Some(_) => "disabled_ahead",
        None => "disabled",
    };
    Ok(see_done(PATH, done))
}

/// Nobody waits for somebody who takes no chats any more.
async fn no_longer_there(reader: &Reader, id: AccountId) {
    // Where it cannot be told, presence ends by itself within a minute, and nobody is promised by it (`Room::crowd`).
    let _ = reader.app.room.switch_off(id, reader.now).await;
}

/// `POST /console/accounts/{account}/enable`.
pub async fn enable(reader: Reader, account: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = id_of(&account)?;
    let mut tx = reader.app.stores.db.begin().await?;
    let account = people::take_back(&mut tx, id).await?;
    note(&mut tx, &reader, What::Enabled, account.email.as_str()).await?;
    tx.commit().await?;
    Ok(see_done(PATH, "enabled"))
}

/// `POST /console/accounts/{account}/second-factor`: takes it away from whoever has lost phone and recovery codes.
pub async fn forget_factor(reader: Reader, account: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = id_of(&account)?;
    let mut tx = reader.app.stores.db.begin().await?;
    let known = accounts::find(&mut tx, id).await?;
    let account = known.ok_or_else(|| Error::Unknown(id.to_string()))?;
    factor::end(&mut tx, id).await?;
    note(&mut tx, &reader, What::FactorTaken, account.email.as_str()).await?;
    tx.commit().await?;
    Ok(see_done(PATH, "factor_taken"))
}
