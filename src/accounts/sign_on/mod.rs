//! Single sign-on by OpenID Connect (OpenID Connect Core 1.0): another server vouches for who somebody is.
//!
//! The authorization code flow with PKCE (RFC 7636). All that one sign-on sends and expects back (`state`, `nonce`, the
//! verifier) follows from one random text in a signed cookie of the browser that began it: nothing is kept here, and an
//! answer that was meant for another browser is none. [`provider`] reads what the server says of itself, [`keys`] whom it
//! signs by, [`token`] what it says of somebody. Nothing here speaks with anybody: `app` does.
//!
//! Accounts are found by the address, which the server must have verified. Nobody gets one by signing on, unless the
//! settings name the domain of her address; then she may look and no more.

pub mod keys;
pub mod provider;
pub mod token;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::Url;

pub use provider::Provider;
pub use token::Identity;

use super::people::{self, Invitation};
use super::{Account, Entered, Origin, Role, open, passwords, store};
use crate::base::language::Language;
use crate::base::signing::{Keys, Purpose, random_text};
use crate::base::time::{MINUTE_MS, Timestamp};
use crate::config::SignOn;
use crate::storage;
use crate::storage::db::Db;

/// How long somebody may take at the other server.
pub const AWAY_MS: i64 = 10 * MINUTE_MS;
/// What we want to know of her.
const SCOPE: &str = "openid email profile";

/// Why somebody does not come in this way.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The answer belongs to no sign-on that this browser began, or it came too late.
    #[error("no sign-on of this browser waits for this answer")]
    Stray,
    /// The other server says no, or says nothing that can be used.
    #[error("the provider did not let her in: {0}")]
    Declined(String),
    /// The other server, or somebody between, says what cannot be believed.
    #[error("the provider's answer is not believed: {0}")]
    Unbelieved(&'static str),
    /// The address was not verified by the other server.
    #[error("the provider has not verified the address")]
    Unverified,
    /// Nobody here has this address, or her account is closed.
    #[error("no open account has this address")]
    Unknown,
    /// The other server could not be reached.
    #[error("the provider cannot be reached: {0}")]
    Unreachable(String),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl Error {
    /// The word that the login's page has for it (`console.login.problem`).
    pub fn word(&self) -> &'static str {
        match self {
            Self::Stray | Self::Declined(_) | Self::Unbelieved(_) | Self::Storage(_) => "sign_on",
            Self::Unverified => "sign_on_unverified",
            Self::Unknown => "sign_on_unknown",
            Self::Unreachable(_) => "sign_on_unreachable",
        }
    }
}

/// Somebody who is sent to the other server.
#[derive(Debug, Clone)]
pub struct Leaving {
    /// For her browser, until she comes back.
    pub cookie: String,
    /// Where she is sent.
    pub address: String,
}

/// Somebody who came back, before anything she brings is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Back {
    /// To be exchanged for her token, once.
    pub code: String,
    /// Proves that it was we who asked (RFC 7636).
    pub verifier: String,
    /// What her token must hold.
    pub nonce: String,
    /// Where she wanted to go.
    pub next: String,
}

/// What the other server's answer says in its address.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answered<'a> {
    pub state: &'a str,
    pub code: &'a str,
    pub error: &'a str,
    /// Who answers (RFC 9207).
    pub issuer: Option<&'a str>,
}

/// A text that follows from the journey's random one, and from which that cannot be guessed.
fn derived(keys: &Keys, what: &str, id: &str) -> String {
    URL_SAFE_NO_PAD.encode(keys.digest("sign-on", &[what, id]))
}

/// Sends somebody away. `back` is the address that she comes back to, as the other server knows it.
///
/// # Errors
/// [`Error::Unbelieved`] if the provider's own address is none.
pub fn leave(
    keys: &Keys,
    provider: &Provider,
    settings: &SignOn,
    back: &str,
    next: &str,
    now: Timestamp,
) -> Result<Leaving, Error> {
    let id = random_text(24);
    let mut address = Url::parse(&provider.authorization_endpoint)
        .map_err(|_| Error::Unbelieved("its authorization endpoint is no address"))?;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(derived(keys, "verifier", &id)));
    address
        .query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &settings.client_id)
        .append_pair("redirect_uri", back)
        .append_pair("scope", SCOPE)
        .append_pair("state", &derived(keys, "state", &id))
        .append_pair("nonce", &derived(keys, "nonce", &id))
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    let claims = Keys::claims(format!("{id} {next}"), now, now.plus_ms(AWAY_MS));
    Ok(Leaving { cookie: keys.sign(Purpose::SignOn, &claims), address: address.into() })
}

/// Receives somebody who comes back to the browser that she left from.
///
/// # Errors
/// [`Error::Stray`], [`Error::Declined`], [`Error::Unbelieved`].
pub fn come_back(
    keys: &Keys,
    provider: &Provider,
    cookie: &str,
    answered: &Answered<'_>,
    now: Timestamp,
) -> Result<Back, Error> {
    let claims = keys.verify(Purpose::SignOn, cookie, now).map_err(|_| Error::Stray)?;
    let (id, next) = claims.subject.split_once(' ').ok_or(Error::Stray)?;
    let is_ours: bool = derived(keys, "state", id).as_bytes().ct_eq(answered.state.as_bytes()).into();
    if !is_ours {
        return Err(Error::Stray);
    }
    // An answer of another server than the one that was asked is not taken to this one's door (RFC 9207, section 2.4).
    match answered.issuer {
        Some(issuer) if issuer != provider.issuer => return Err(Error::Unbelieved("another issuer answers")),
        None if provider.names_itself => return Err(Error::Unbelieved("it does not say who answers")),
        _ => {}
    }
    if !answered.error.is_empty() {
        let word = answered.error.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(60);
        return Err(Error::Declined(word.collect()));
    }
    if answered.code.is_empty() {
        return Err(Error::Unbelieved("it brings no code"));
    }
    Ok(Back {
        code: answered.code.to_owned(),
        verifier: derived(keys, "verifier", id),
        nonce: derived(keys, "nonce", id),
        next: next.to_owned(),
    })
}

/// Lets somebody in whom the other server vouches for. Whoever has a second factor here is asked for it. Returns whether her
/// account was made just now, too.
///
/// # Errors
/// [`Error::Unknown`].
pub async fn enter(
    db: &Db,
    keys: &Keys,
    settings: &SignOn,
    who: &Identity,
    (language, from): (Language, &Origin<'_>),
    now: Timestamp,
) -> Result<(Account, Entered, bool), Error> {
    let mut tx = db.begin().await?;
    let known = store::with_hash(&mut tx, &who.email).await?;
    let (account, hash, is_new) = match known {
        Some((account, _)) if account.disabled_at.is_some() => return Err(Error::Unknown),
        Some((account, hash)) => (account, hash, false),
        None if settings.domains.iter().any(|domain| domain.eq_ignore_ascii_case(who.email.domain())) => {
            let invitation =
                Invitation { email: who.email.as_str(), name: &who.name, role: Role::Viewer, language };
            let made = people::invite(&mut tx, &invitation, now).await.map_err(|error| match error {
                super::Error::Storage(error) => Error::Storage(error),
                // Somebody else has made it in this very moment; the next try finds it.
                _ => Error::Unknown,
            })?;
            (made, String::new(), true)
        }
        None => return Err(Error::Unknown),
    };
    if account.second_factor_since.is_some() {
        let ticket = passwords::ticket(keys, account.id, &hash, now);
        return Ok((account, Entered::Asked(ticket), is_new));
    }
    let token = open(tx, account.id, from, now).await.map_err(|error| match error {
        super::Error::Storage(error) => Error::Storage(error),
        _ => Error::Unknown,
    })?;
    Ok((account, Entered::In(token), is_new))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;

    const NOW: Timestamp = Timestamp(1_795_600_000_000);

    fn keys() -> Keys {
        Keys::new(&Secret::new("a secret of at least thirty-two characters"))
    }

    fn provider() -> Provider {
        Provider {
            issuer: "https://id.example".to_owned(),
            authorization_endpoint: "https://id.example/authorize?tenant=7".to_owned(),
            token_endpoint: "https://id.example/token".to_owned(),
            jwks_uri: "https://id.example/keys".to_owned(),
            end_session_endpoint: None,
            wants_secret_in_body: false,
            names_itself: false,
        }
    }

    fn settings() -> SignOn {
        SignOn {
            issuer: "https://id.example".to_owned(),
            client_id: "embudo".to_owned(),
            ..SignOn::default()
        }
    }

    /// Somebody leaves; her cookie, and the state that she is to bring back.
    fn left() -> (String, String) {
        let leaving =
            leave(&keys(), &provider(), &settings(), "https://e.example/back", "/console/inbox", NOW)
                .expect("she is sent");
        let url = Url::parse(&leaving.address).expect("an address");
        let of = |name: &str| {
            url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
        };
        assert_eq!(of("tenant").as_deref(), Some("7"), "what the endpoint has already stays");
        assert_eq!(of("code_challenge_method").as_deref(), Some("S256"));
        assert_eq!(of("redirect_uri").as_deref(), Some("https://e.example/back"));
        let state = of("state").expect("a state");
        assert_ne!(Some(&state), of("nonce").as_ref());
        (leaving.cookie, state)
    }

    #[test]
    fn only_the_browser_that_left_comes_back_and_only_in_time() {
        let (cookie, state) = left();
        let answered = Answered { state: &state, code: "c1", ..Answered::default() };
        let back = come_back(&keys(), &provider(), &cookie, &answered, NOW.plus_ms(AWAY_MS - 1));
        let back = back.expect("in time");
        assert_eq!((back.code.as_str(), back.next.as_str()), ("c1", "/console/inbox"));
        let (other, _) = left();
        for (cookie, at) in
            [(other.as_str(), NOW), ("", NOW), ("x.y", NOW), (cookie.as_str(), NOW.plus_ms(AWAY_MS))]
        {
            assert!(matches!(come_back(&keys(), &provider(), cookie, &answered, at), Err(Error::Stray)));
        }
        let strange = Keys::new(&Secret::new("another secret of thirty-two characters"));
        assert!(matches!(come_back(&strange, &provider(), &cookie, &answered, NOW), Err(Error::Stray)));
        let guessed = Answered { state: "", ..answered };
        assert!(matches!(come_back(&keys(), &provider(), &cookie, &guessed, NOW), Err(Error::Stray)));
    }

    #[test]
    fn another_servers_answer_is_not_taken_to_this_one() {
        let (cookie, state) = left();
        let answered = Answered { state: &state, code: "c1", ..Answered::default() };
        let from = |issuer: Option<&'static str>, provider: &Provider| {
            come_back(&keys(), provider, &cookie, &Answered { issuer, ..answered }, NOW)
        };
        assert!(from(Some("https://id.example"), &provider()).is_ok());
        assert!(matches!(from(Some("https://evil.example"), &provider()), Err(Error::Unbelieved(_))));
        let strict = Provider { names_itself: true, ..provider() };
        assert!(matches!(from(None, &strict), Err(Error::Unbelieved(_))));
        assert!(from(Some("https://id.example"), &strict).is_ok());
    }

    #[test]
    fn a_no_is_a_no_and_an_empty_answer_is_none() {
        let (cookie, state) = left();
        let no = Answered { state: &state, error: "access_denied<script>", ..Answered::default() };
        let told = come_back(&keys(), &provider(), &cookie, &no, NOW);
        assert!(matches!(told, Err(Error::Declined(word)) if word == "access_deniedscript"));
        let empty = Answered { state: &state, ..Answered::default() };
        assert!(matches!(come_back(&keys(), &provider(), &cookie, &empty, NOW), Err(Error::Unbelieved(_))));
    }
}
