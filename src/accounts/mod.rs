//! The people of the company: who may enter the console, and what each role may do there.
//!
//! A password is kept as an Argon2id hash, a session as the hash of its random token. A session ends after 8 hours
//! without a request, after 7 days in any case, and when its account is disabled. Whoever has a second factor opens a
//! session in two steps; between them stands a ticket, which is good for nothing else.
//!
//! [`first`] makes the first account, [`people`] says who is let in, [`passwords`] how a password is set, [`factor`] what the
//! second factor is, [`sign_on`] how somebody comes in whom another server vouches for, [`api_keys`] what programs may do.

pub mod api_keys;
pub mod factor;
pub mod first;
mod password;
pub mod passwords;
pub mod people;
mod role;
pub mod sign_on;
mod store;
mod totp;

use crate::base::coded::Coded;
use crate::base::email::{Email, InvalidEmail};
use crate::base::ids::AccountId;
use crate::base::language::Language;
use crate::base::signing::{Keys, random_text, sha256_hex};
use crate::base::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use crate::storage;
use crate::storage::db::{Db, Tx};
use crate::storage::limits::{Limits, Quota, TooMany};

pub use api_keys::{ApiKey, Area, Scope, Scopes};
pub use password::SHORTEST as SHORTEST_PASSWORD;
pub use people::Member;
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
/// Codes of the second factor that one account may try. Three of a million are right at any time: whoever tries for a whole
/// day finds one in two hundred and thirty accounts.
const PER_CODE: Quota = Quota { per_minute: 1, burst: 8 };

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
    /// Since when a code is asked for beside the password; none if it is not.
    pub second_factor_since: Option<Timestamp>,
}

impl Account {
    /// Whether it may be used, and to talk with visitors.
    pub fn takes_chats(&self) -> bool {
        self.disabled_at.is_none() && self.role.may(May::Chat)
    }
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
    /// The password that was typed to confirm something is not the account's.
    #[error("that is not your password")]
    PasswordWrong,
    /// Nobody could let people in any more.
    #[error("this is the last administrator who can log in; make somebody else one first")]
    LastAdmin,
    /// The link to the first account is not one of ours, has run out, or there is an account already.
    #[error(
        "this server has its first account already, or the link has run out; a restart prints another one"
    )]
    FirstOver,
    /// A link that sets a password was used, replaced by another password, or has run out.
    #[error("this link was used already or has run out; ask for a new one")]
    LinkOver,
    /// The code is not the one of this moment, or was used already.
    #[error("that code is wrong, or it was used already")]
    CodeWrong,
    /// The second factor is on already, or is not on.
    #[error("the second factor is not in this state any more")]
    FactorState,
    /// The role demands a second factor.
    #[error("your role needs a second factor; set it up under your account")]
    FactorNeeded,
    /// No session has this name.
    #[error("this session is over already")]
    SessionUnknown,
    /// No key has this id, or it was revoked.
    #[error("there is no such key, or it was revoked already")]
    KeyUnknown,
    /// A key of somebody who may not come in any more.
    #[error(
        "this key belongs to an account that is closed; make one of another account, or open the account again"
    )]
    KeyClosed,
    /// A key cannot be like this.
    #[error("a key needs a name and something that it may do")]
    KeyInvalid,
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
            Self::PasswordWrong => "account.password_wrong",
            Self::LastAdmin => "account.last_admin",
            Self::FirstOver => "account.first_over",
            Self::LinkOver => "account.link_over",
            Self::CodeWrong => "account.code_wrong",
            Self::FactorState => "account.second_factor_state",
            Self::FactorNeeded => "account.second_factor_needed",
            Self::SessionUnknown => "account.session_unknown",
            Self::KeyUnknown => "api.key_not_found",
            Self::KeyClosed => "api.key_closed",
            Self::KeyInvalid => "api.key_invalid",
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
        second_factor_since: None,
    };
    let hash = password::hash(new.password.to_owned()).await;
    store::insert(tx, &account, &hash).await?;
    Ok(account)
}

/// Disables an account and ends its sessions. Whoever sits at the server may do it to the last administrator, too: she can
/// make another one.
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

/// The browser in which somebody logs in.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The network of its address: the address without its last part.
    pub network: &'a str,
    /// What it says it is.
    pub browser: &'a str,
    pub system: &'a str,
    /// The token of its former session, if it has one.
    pub former: Option<&'a str>,
}

/// What somebody typed to be let in, and where.
#[derive(Debug, Clone, Copy)]
pub struct Login<'a> {
    pub email: &'a str,
    pub password: &'a str,
    pub from: Origin<'a>,
}

/// What the right password leads to.
#[derive(Debug, Clone)]
pub enum Entered {
    /// A session, by its token.
    In(String),
    /// The second step: what [`log_in_by_code`] wants beside the code.
    Asked(String),
}

/// A session as its owner sees it in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// By which it is ended. Nobody gets into it by that.
    pub id: String,
    pub since: Timestamp,
    pub last_seen_at: Timestamp,
    pub network: String,
    pub browser: String,
    pub system: String,
}

/// Lets somebody in: checks the password, ends the browser's former session and opens a new one, unless a second factor has
/// to be shown before.
///
/// # Errors
/// [`Error::LoginFailed`], [`Error::TooMany`].
pub async fn log_in(
    db: &Db,
    limits: &dyn Limits,
    keys: &Keys,
    login: &Login<'_>,
    now: Timestamp,
) -> Result<Entered> {
    limits.check("login_network", login.from.network, PER_NETWORK, now).await?;
    let email = Email::parse(login.email).ok();
    if let Some(email) = &email {
        limits.check("login_account", email.as_str(), PER_ACCOUNT, now).await?;
    }
    let known = match &email {
        Some(email) => store::with_hash(&mut db.read(), email).await?,
        None => None,
    };
    // The same work for an unknown address, so that the time taken does not tell who has an account.
    let is_right = password::verify(login.password.to_owned(), known.as_ref().map(|(_, hash)| hash)).await;
    let known = known.filter(|(account, _)| is_right && account.disabled_at.is_none());
    let (account, hash) = known.ok_or(Error::LoginFailed)?;
    if account.second_factor_since.is_some() {
        return Ok(Entered::Asked(passwords::ticket(keys, account.id, &hash, now)));
    }
    open(db.begin().await?, account.id, &login.from, now).await.map(Entered::In)
}

/// Lets somebody in whose password was right: the code of the second factor, or a recovery code.
///
/// # Errors
/// [`Error::LoginFailed`] for a ticket that is not ours or has run out, [`Error::CodeWrong`], [`Error::TooMany`].
pub async fn log_in_by_code(
    db: &Db,
    limits: &dyn Limits,
    keys: &Keys,
    (ticket, code): (&str, &str),
    from: &Origin<'_>,
    now: Timestamp,
) -> Result<String> {
    limits.check("login_network", from.network, PER_NETWORK, now).await?;
    let account = passwords::holder(&mut db.read(), keys, ticket, now).await?.ok_or(Error::LoginFailed)?;
    limits.check("login_code", &account.id.to_string(), PER_CODE, now).await?;
    let mut tx = db.begin().await?;
    factor::spend(&mut tx, keys, account.id, code, now).await?;
    open(tx, account.id, from, now).await
}

async fn open(mut tx: Tx, account: AccountId, from: &Origin<'_>, now: Timestamp) -> Result<String> {
    let token = random_text(32);
    if let Some(former) = from.former {
        store::end_session(&mut tx, &sha256_hex(former)).await?;
    }
    store::end_over(&mut tx, now, now.plus_ms(-IDLE_MS)).await?;
    let (hash, csrf) = (sha256_hex(&token), random_text(24));
    store::open_session(&mut tx, (&hash, &csrf), account, from, now, now.plus_ms(LIFETIME_MS)).await?;
    tx.commit().await?;
    Ok(token)
}

/// The open sessions of an account, the latest used first.
///
/// # Errors
/// As the store says.
pub async fn devices(db: &Db, account: AccountId, now: Timestamp) -> Result<Vec<Device>> {
    Ok(store::devices(&mut db.read(), account, now, now.plus_ms(-IDLE_MS)).await?)
}

/// Ends one session of an account.
///
/// # Errors
/// [`Error::SessionUnknown`].
pub async fn end_device(tx: &mut Tx, account: AccountId, device: &str) -> Result<()> {
    let is_ended = store::end_session_of(tx, account, device).await?;
    if is_ended { Ok(()) } else { Err(Error::SessionUnknown) }
}

/// Ends all sessions of an account but that of a token; returns how many.
///
/// # Errors
/// As the store says.
pub async fn end_other_devices(tx: &mut Tx, account: AccountId, token: &str) -> Result<u64> {
    Ok(store::end_other_sessions(tx, account, &sha256_hex(token)).await?)
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
        let login = Login { email, password, from: Origin { former: None, ..HERE } };
        token_of(log_in(db, limits, &keys(), &login, NOW).await)
    }

    const HERE: Origin<'static> =
        Origin { network: "192.0.2.0/24", browser: "Firefox", system: "Linux", former: None };

    fn keys() -> Keys {
        Keys::new(&crate::base::secret::Secret::new("a secret of at least thirty-two characters"))
    }

    fn token_of(entered: Result<Entered>) -> Result<String> {
        entered.map(|entered| match entered {
            Entered::In(token) => token,
            Entered::Asked(_) => panic!("no second factor is set up"),
        })
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
            from: Origin { former: Some(&first), ..HERE },
        };
        let entered = log_in(&db, &Local::default(), &keys(), &again, NOW).await;
        let second = token_of(entered).expect("let in");
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
