//! The people of the company: who may enter the console, and what each role may do there.
//!
//! A password is kept as an Argon2id hash, a session as the hash of its random token. A session ends after 8 hours
//! without a request, after 7 days in any case, and when its account is disabled.

mod password;
mod role;
mod store;

use crate::base::coded::Coded;
use crate::base::email::{Email, InvalidEmail};
use crate::base::ids::AccountId;
use crate::base::language::Language;
use crate::base::signing::{random_text, sha256_hex};
use crate::base::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use crate::storage;
use crate::storage::db::{Db, Tx};
use crate::storage::limits::{Limits, Quota, TooMany};

pub use password::SHORTEST as SHORTEST_PASSWORD;
pub use role::{May, Role};
pub use store::{find, find_by_email, list};

/// A session without a request for this long is over.
pub const IDLE_MS: i64 = 8 * HOUR_MS;
/// A session is over after this long in any case.
pub const LIFETIME_MS: i64 = 7 * DAY_MS;
/// How often the time of the last request is written down.
const TOUCH_MS: i64 = MINUTE_MS;

/// Tries to log in to one account, and from one network: the second is wider because offices share an address.
const PER_ACCOUNT: Quota = Quota { per_minute: 5, burst: 8 };
const PER_NETWORK: Quota = Quota { per_minute: 20, burst: 30 };

/// Somebody who may enter the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub email: Email,
    pub name: String,
    pub role: Role,
    pub language: Language,
    pub created_at: Timestamp,
    pub disabled_at: Option<Timestamp>,
}

/// A session that is open.
#[derive(Debug, Clone)]
pub struct Session {
    pub account: Account,
    /// What every form of this session carries.
    pub csrf: String,
}

/// Why an account cannot be used, made or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such account, a wrong password, or a disabled account: which of them is nobody's business.
    #[error("that e-mail and password do not go together")]
    LoginFailed,
    /// Too many tries.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// There is no open session.
    #[error("log in first")]
    NotLoggedIn,
    /// The role may not do this.
    #[error("your role may not do this")]
    Forbidden,
    /// The form did not come from a page of this session.
    #[error("this form did not come from here, or its page was open for too long")]
    Csrf,
    /// No account has this address.
    #[error("no account has the address {0}")]
    Unknown(String),
    /// The address is taken.
    #[error("there is an account with the address {0} already")]
    EmailTaken(String),
    /// The address cannot be delivered to.
    #[error(transparent)]
    InvalidEmail(#[from] InvalidEmail),
    /// The password is too short to be safe.
    #[error("a password needs at least {SHORTEST_PASSWORD} characters")]
    PasswordShort,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::LoginFailed => "account.login_failed",
            Self::TooMany(error) => error.code(),
            Self::NotLoggedIn => "account.not_logged_in",
            Self::Forbidden => "account.forbidden",
            Self::Csrf => "csrf.failed",
            Self::Unknown(_) => "account.unknown",
            Self::EmailTaken(_) => "account.email_taken",
            Self::InvalidEmail(_) => "account.email_invalid",
            Self::PasswordShort => "account.password_short",
            Self::Storage(error) => error.code(),
        }
    }

    fn extras(&self) -> Vec<(&'static str, serde_json::Value)> {
        if let Self::TooMany(error) = self { error.extras() } else { Vec::new() }
    }
}

/// The answer of everything here.
pub type Result<T> = std::result::Result<T, Error>;

/// Who is to be let in.
#[derive(Debug, Clone)]
pub struct NewAccount<'a> {
    pub email: &'a str,
    pub name: &'a str,
    pub role: Role,
    pub language: Language,
    pub password: &'a str,
}

/// Makes an account.
///
/// # Errors
/// [`Error::InvalidEmail`], [`Error::PasswordShort`], [`Error::EmailTaken`].
pub async fn add(tx: &mut Tx, new: &NewAccount<'_>, now: Timestamp) -> Result<Account> {
    let email = Email::parse(new.email)?;
    if new.password.chars().count() < SHORTEST_PASSWORD {
        return Err(Error::PasswordShort);
    }
    if store::find_by_email(tx, &email).await?.is_some() {
        return Err(Error::EmailTaken(email.to_string()));
    }
    let name = Some(new.name.trim()).filter(|name| !name.is_empty());
    let account = Account {
        id: AccountId::new(),
        name: name.unwrap_or(email.as_str()).to_owned(),
        email,
        role: new.role,
        language: new.language,
        created_at: now,
        disabled_at: None,
    };
    let hash = password::hash(new.password.to_owned()).await;
    store::insert(tx, &account, &hash).await?;
    Ok(account)
}

/// Disables an account and ends its sessions.
///
/// # Errors
/// [`Error::Unknown`].
pub async fn disable(tx: &mut Tx, email: &str, now: Timestamp) -> Result<Account> {
    let known = match Email::parse(email) {
        Ok(email) => store::find_by_email(tx, &email).await?,
        Err(_) => None,
    };
    let account = known.ok_or_else(|| Error::Unknown(email.to_owned()))?;
    store::disable(tx, account.id, now).await?;
    store::end_sessions(tx, account.id).await?;
    Ok(account)
}

/// What somebody typed to be let in, and from where.
#[derive(Debug, Clone, Copy)]
pub struct Login<'a> {
    pub email: &'a str,
    pub password: &'a str,
    /// The network of the browser's address.
    pub network: &'a str,
    /// The token of the browser's former session, if it has one.
    pub former: Option<&'a str>,
}

/// Lets somebody in: checks the password, ends the browser's former session and opens a new one. Returns its token.
///
/// # Errors
/// [`Error::LoginFailed`], [`Error::TooMany`].
pub async fn log_in(
    db: &Db,
    limits: &dyn Limits,
    login: &Login<'_>,
    now: Timestamp,
) -> Result<(Account, String)> {
    limits.check("login_network", login.network, PER_NETWORK, now).await?;
    let email = Email::parse(login.email).ok();
    if let Some(email) = &email {
        limits.check("login_account", email.as_str(), PER_ACCOUNT, now).await?;
    }
    let known = match &email {
        Some(email) => store::with_hash(&mut db.read(), email).await?,
        None => None,
    };
    let (account, hash) = known.map_or((None, None), |(account, hash)| (Some(account), Some(hash)));
    // The same work for an unknown address, so that the time taken does not tell who has an account.
    let is_right = password::verify(login.password.to_owned(), hash).await;
    let account = account.filter(|account| is_right && account.disabled_at.is_none());
    let account = account.ok_or(Error::LoginFailed)?;
    let token = random_text(32);
    let mut tx = db.begin().await?;
    if let Some(former) = login.former {
        store::end_session(&mut tx, &sha256_hex(former)).await?;
    }
    store::end_over(&mut tx, now, now.plus_ms(-IDLE_MS)).await?;
    let expires = now.plus_ms(LIFETIME_MS);
    store::open_session(&mut tx, &sha256_hex(&token), account.id, &random_text(24), now, expires).await?;
    tx.commit().await?;
    Ok((account, token))
}

/// The open session of a token.
///
/// # Errors
/// [`Error::NotLoggedIn`] if there is none, or it is over.
pub async fn session(db: &Db, token: &str, now: Timestamp) -> Result<Session> {
    let hash = sha256_hex(token);
    let found = store::session(&mut db.read(), &hash).await?.ok_or(Error::NotLoggedIn)?;
    let is_idle = now.since_ms(found.last_seen_at) > IDLE_MS;
    if is_idle || found.expires_at <= now || found.session.account.disabled_at.is_some() {
        return Err(Error::NotLoggedIn);
    }
    if now.since_ms(found.last_seen_at) > TOUCH_MS {
        let mut tx = db.begin().await?;
        store::touch_session(&mut tx, &hash, now).await?;
        tx.commit().await?;
    }
    Ok(found.session)
}

/// Ends the session of a token.
///
/// # Errors
/// As the store says.
pub async fn log_out(tx: &mut Tx, token: &str) -> Result<()> {
    store::end_session(tx, &sha256_hex(token)).await?;
    Ok(())
}

/// Sets the language in which somebody sees the console.
///
/// # Errors
/// As the store says.
pub async fn set_language(tx: &mut Tx, account: AccountId, language: Language) -> Result<()> {
    store::set_language(tx, account, language).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::db::JOURNEY;
    use crate::storage::limits::Local;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);
    const PASSWORD: &str = "a lighthouse at night";

    async fn with_mike() -> (tempfile::TempDir, Db) {
        let folder = tempfile::tempdir().expect("a folder");
        let db = Db::open_sqlite(&folder.path().join("embudo.db"), JOURNEY).await.expect("opens");
        let mut tx = db.begin().await.expect("begins");
        let mike = NewAccount {
            email: "Mike@Faro.example",
            name: "Mike",
            role: Role::Sdr,
            language: Language::Es,
            password: PASSWORD,
        };
        add(&mut tx, &mike, NOW).await.expect("added");
        assert!(matches!(add(&mut tx, &mike, NOW).await, Err(Error::EmailTaken(_))));
        let short = NewAccount { email: "ana@faro.example", password: "short", ..mike };
        assert!(matches!(add(&mut tx, &short, NOW).await, Err(Error::PasswordShort)));
        tx.commit().await.expect("commits");
        (folder, db)
    }

    async fn enter_with(db: &Db, limits: &Local, email: &str, password: &str) -> Result<String> {
        let login = Login { email, password, network: "192.0.2.0/24", former: None };
        log_in(db, limits, &login, NOW).await.map(|(_, token)| token)
    }

    async fn enter(db: &Db) -> String {
        enter_with(db, &Local::default(), "mike@faro.example", PASSWORD).await.expect("let in")
    }

    #[tokio::test]
    async fn a_wrong_password_an_unknown_address_and_a_disabled_account_look_alike() {
        let (_folder, db) = with_mike().await;
        let limits = Local::default();
        let wrong = enter_with(&db, &limits, "mike@faro.example", "another lighthouse").await;
        assert!(matches!(wrong, Err(Error::LoginFailed)));
        let unknown = enter_with(&db, &limits, "eve@faro.example", PASSWORD).await;
        assert!(matches!(unknown, Err(Error::LoginFailed)));
        let token = enter(&db).await;
        let mut tx = db.begin().await.expect("begins");
        disable(&mut tx, "mike@faro.example", NOW).await.expect("disabled");
        tx.commit().await.expect("commits");
        let disabled = enter_with(&db, &limits, "mike@faro.example", PASSWORD).await;
        assert!(matches!(disabled, Err(Error::LoginFailed)));
        assert!(matches!(session(&db, &token, NOW).await, Err(Error::NotLoggedIn)));
    }

    #[tokio::test]
    async fn a_session_ends_after_eight_idle_hours_and_after_seven_days() {
        let (_folder, db) = with_mike().await;
        let token = enter(&db).await;
        assert!(matches!(session(&db, &token, NOW.plus_ms(IDLE_MS + 1)).await, Err(Error::NotLoggedIn)));
        let mut at = NOW;
        while at < NOW.plus_ms(LIFETIME_MS - IDLE_MS) {
            at = at.plus_ms(IDLE_MS);
            assert!(session(&db, &token, at).await.is_ok(), "a request every eight hours keeps it open");
        }
        assert!(session(&db, &token, NOW.plus_ms(LIFETIME_MS - 1)).await.is_ok());
        assert!(session(&db, &token, NOW.plus_ms(LIFETIME_MS)).await.is_err());
    }

    #[tokio::test]
    async fn logging_in_again_ends_the_browsers_former_session() {
        let (_folder, db) = with_mike().await;
        let first = enter(&db).await;
        let again = Login {
            email: "mike@faro.example",
            password: PASSWORD,
            network: "192.0.2.0/24",
            former: Some(&first),
        };
        let (_, second) = log_in(&db, &Local::default(), &again, NOW).await.expect("let in");
        assert_ne!(first, second);
        assert!(session(&db, &first, NOW).await.is_err());
        let open = session(&db, &second, NOW).await.expect("open");
        assert_eq!((open.account.name.as_str(), open.account.role), ("Mike", Role::Sdr));
        let mut tx = db.begin().await.expect("begins");
        log_out(&mut tx, &second).await.expect("out");
        tx.commit().await.expect("commits");
        assert!(session(&db, &second, NOW).await.is_err());
    }

    #[tokio::test]
    async fn the_ninth_try_in_a_row_has_to_wait() {
        let (_folder, db) = with_mike().await;
        let limits = Local::default();
        for _ in 0..8 {
            let tried = enter_with(&db, &limits, "mike@faro.example", "wrong wrong wrong").await;
            assert!(matches!(tried, Err(Error::LoginFailed)));
        }
        let tried = enter_with(&db, &limits, "mike@faro.example", PASSWORD).await;
        assert!(matches!(tried, Err(Error::TooMany(_))));
    }
}
