//! Web Push: browsers of colleagues that are told although no page of the console is open (RFC 8030, 8291, 8292).
//!
//! A browser that wants notices gives an address at its maker's push service, and keys. What is sent there is encrypted for
//! the browser (`sealed.rs`), so that the service reads nothing, and says by a signed word who sends (`vapid.rs`). The
//! address is the secret: it is kept sealed, and reached through the guarded client like everything that people can set.

pub(super) mod sealed;
mod store;
mod vapid;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

pub use self::store::{Device, devices, forget_session, remove};
pub(super) use self::store::{devices_of, find, forget, told};
pub use self::vapid::Vapid;
use super::Desk;
use crate::base::coded::Coded;
use crate::base::ids::{AccountId, PushDeviceId};
use crate::base::secret::Secret;
use crate::base::signing::Keys;
use crate::base::time::Timestamp;
use crate::storage;
use crate::storage::db::Tx;

/// Browsers of one account.
const MOST: usize = 20;
/// Longest address at a push service.
const ENDPOINT_MOST: usize = 2_000;

/// What can go wrong when a browser wants notices.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address or a key is none.
    #[error("this is no subscription of a browser")]
    Invalid,
    /// The push service cannot be reached from here.
    #[error("the browser's push service may not be reached: {0}")]
    Unreachable(String),
    /// The account has too many browsers.
    #[error("at most {MOST} browsers of one account get notices; take one out first")]
    TooMany,
    /// There is none of this id.
    #[error("no browser of yours has this id")]
    Unknown,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] storage::Error),
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid => "push.invalid",
            Self::Unreachable(_) => "push.unreachable",
            Self::TooMany => "push.too_many",
            Self::Unknown => "push.unknown",
            Self::Store(error) => error.code(),
        }
    }
}

/// What a browser gives so that it can be told (RFC 8030, 4; RFC 8291, 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The address at the push service.
    pub endpoint: Secret,
    /// The service's host.
    pub host: String,
    /// The browser's public key: a point of P-256, uncompressed.
    pub p256dh: [u8; 65],
    /// A secret that only the browser and we have.
    pub auth: [u8; 16],
}

impl Subscription {
    /// Reads what the browser says; the keys as base64url.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn parse(endpoint: &str, p256dh: &str, auth: &str) -> Result<Self, Error> {
        let url = Url::parse(endpoint).map_err(|_| Error::Invalid)?;
        let is_web = matches!(url.scheme(), "http" | "https");
        let host =
            url.host_str().filter(|_| is_web && endpoint.len() <= ENDPOINT_MOST).ok_or(Error::Invalid)?;
        let key = |text: &str| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| Error::Invalid);
        let p256dh: [u8; 65] = key(p256dh)?.try_into().map_err(|_| Error::Invalid)?;
        let auth: [u8; 16] = key(auth)?.try_into().map_err(|_| Error::Invalid)?;
        let subscription = Self { endpoint: Secret::new(endpoint), host: host.to_owned(), p256dh, auth };
        // A point that does not lie on the curve is found now, and not when something is to be sent.
        sealed::seal(&subscription, b"").ok_or(Error::Invalid)?;
        Ok(subscription)
    }
}

/// A browser that wants notices.
pub struct Wanted<'a> {
    pub account: AccountId,
    /// The digest of the session that it is logged in by.
    pub session_hash: &'a str,
    pub subscription: &'a Subscription,
    /// What it says it is: `Chrome`, `Linux`.
    pub browser: &'a str,
    pub system: &'a str,
}

/// Notes that a browser wants notices. One that is known already is the account's that says so last.
///
/// # Errors
/// [`Error::TooMany`], [`Error::Unreachable`], [`Error::Store`].
pub async fn subscribe(
    tx: &mut Tx,
    desk: &Desk,
    wanted: &Wanted<'_>,
    now: Timestamp,
) -> Result<PushDeviceId, Error> {
    let endpoint = wanted.subscription.endpoint.expose();
    desk.outbound.may_reach(endpoint).map_err(|error| Error::Unreachable(error.to_string()))?;
    let known = devices(tx, wanted.account).await?;
    let digest = digest_of(&desk.keys, endpoint);
    let is_known = store::is_known(tx, &digest).await?;
    if !is_known && known.len() >= MOST {
        return Err(Error::TooMany);
    }
    Ok(store::put(tx, &desk.keys, wanted, &digest, now).await?)
}

/// Notes that the browser with this address wants no more notices.
///
/// # Errors
/// As the store says.
pub async fn unsubscribe(tx: &mut Tx, keys: &Keys, account: AccountId, endpoint: &str) -> Result<(), Error> {
    Ok(store::forget_endpoint(tx, account, &digest_of(keys, endpoint)).await?)
}

/// By which the same browser is known again.
fn digest_of(keys: &Keys, endpoint: &str) -> String {
    URL_SAFE_NO_PAD.encode(keys.digest("push endpoint", &[endpoint]))
}

#[cfg(test)]
mod tests {
    use ring::agreement::{ECDH_P256, EphemeralPrivateKey};
    use ring::rand::SystemRandom;

    use super::*;

    fn point() -> String {
        let key = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).expect("a key");
        URL_SAFE_NO_PAD.encode(key.compute_public_key().expect("its point"))
    }

    #[test]
    fn what_is_no_subscription_is_refused_before_anything_is_kept() {
        let (point, auth) = (point(), URL_SAFE_NO_PAD.encode([7; 16]));
        let endpoint = "https://push.example/send/abc";
        let read = Subscription::parse(endpoint, &point, &auth).expect("right");
        assert_eq!(read.host, "push.example");
        assert!(!format!("{read:?}").contains("abc"), "the address is a secret");
        let off_the_curve = URL_SAFE_NO_PAD.encode([&[4][..], &[1; 64]].concat());
        for (endpoint, point, auth) in [
            ("ftp://push.example/x", point.as_str(), auth.as_str()),
            ("push.example", &point, &auth),
            (endpoint, "", &auth),
            (endpoint, &point[1..], &auth),
            (endpoint, &off_the_curve, &auth),
            (endpoint, &point, "AAAA"),
            (endpoint, &point, "not base64!"),
            (&format!("https://push.example/{}", "x".repeat(3_000)), &point, &auth),
        ] {
            let parsed = Subscription::parse(endpoint, point, auth);
            assert!(matches!(parsed, Err(Error::Invalid)), "{endpoint} {point} {auth}");
        }
    }
}
