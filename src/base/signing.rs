//! Signed, purpose-bound, expiring tokens for links and conversations.
//!
//! A token is `base64url(claims as JSON) "." base64url(HMAC-SHA256(key, purpose "." claims))`. The purpose is part of
//! what is signed and never part of what the bearer may choose: a download link cannot cancel a booking.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ids::VisitorId;
use super::language::Language;
use super::secret::Secret;
use super::time::Timestamp;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Fetch one gated file. Subject: the asset's id.
    Asset,
    /// Play one recording. Subject: the recording's id.
    Recording,
    /// See the page of a webinar's recordings. Subject: the webinar's id.
    Watch,
    /// Go on with a link that has run out since. Subject: the link's nonce.
    Playback,
    /// Come from a mail, or from the page that it led to, to a page of the site. Subject: that of the link, or the mail.
    Passage,
    /// Register for one webinar. Subject: the webinar's id.
    Webinar,
    /// Cancel one's place in one webinar. Subject: the webinar's id.
    Place,
    /// View, move or cancel one booking. Subject: the booking's id and its sequence, with a blank between.
    Booking,
    /// View one booking. Subject: as of [`Purpose::Booking`].
    BookingView,
    /// View and move one booking. Subject: as of [`Purpose::Booking`].
    BookingMove,
    /// View and cancel one booking. Subject: as of [`Purpose::Booking`].
    BookingCancel,
    /// Take, or decline, an earlier time for one booking. Subject: the offer's id.
    Earlier,
    /// Take part in one conversation. Subject: the conversation's id.
    Conversation,
    /// Go on with one conversation on another device. Subject: the conversation's id.
    Resume,
    /// Ask for no more invitations. Subject: the purpose that is objected to.
    Objection,
    /// Confirm that somebody wants letters. Subject: the topics, with commas between.
    Subscription,
    /// Get no more letters of a topic. Subject: the topic.
    Unsubscribe,
    /// Get no more letters, or ask for the page on which one chooses them. Subject: empty.
    Preferences,
    /// See and change which letters one gets. Subject: empty.
    Choices,
    /// Follow one link of one letter. Subject: the mail, the number of the link and the address, with blanks between.
    Link,
    /// Submit one form that was really shown. Subject: the form's id.
    FormNonce,
    /// Read the feed of one rep's calls. Subject: the rep's id.
    CalendarFeed,
    /// See the traffic of one site. Subject: the id of the shared link.
    SharedTraffic,
    /// Set the password of one account. Subject: the account and a digest of the password that it replaces, with a blank
    /// between: it is good for one change.
    Password,
    /// Go on to the second step of a login. Subject: as of a password.
    SecondStep,
    /// Make the first account of a server that has none. Subject: empty.
    FirstAccount,
    /// Come back from the provider of a single sign-on. Subject: a random text, from which all that is sent there follows.
    SignOn,
}

impl Purpose {
    fn label(self) -> &'static str {
        match self {
            Self::Asset => "asset",
            Self::Recording => "recording",
            Self::Watch => "watch",
            Self::Playback => "playback",
            Self::Passage => "passage",
            Self::Webinar => "webinar",
            Self::Place => "place",
            Self::Booking => "booking",
            Self::BookingView => "booking view",
            Self::BookingMove => "booking move",
            Self::BookingCancel => "booking cancel",
            Self::Earlier => "earlier",
            Self::Conversation => "conversation",
            Self::Resume => "resume",
            Self::Objection => "objection",
            Self::Subscription => "subscription",
            Self::Unsubscribe => "unsubscribe",
            Self::Preferences => "preferences",
            Self::Choices => "choices",
            Self::Link => "link",
            Self::FormNonce => "form",
            Self::CalendarFeed => "calendar",
            Self::SharedTraffic => "traffic",
            Self::Password => "password",
            Self::SecondStep => "second step",
            Self::FirstAccount => "first account",
            Self::SignOn => "sign-on",
        }
    }
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// What it is about, by the purpose.
    #[serde(rename = "s")]
    pub subject: String,
    /// The contact it was made for, if any.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// The device it was made for, if any, as [`Keys::device`] tells it: opening it there confirms the address. The
    /// device's id itself stands in no link, for links are forwarded, and whoever has the id passes for the device.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub visitor: Option<String>,
    /// The language in which its bearer is spoken to, if that is known.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// From this moment on it is worthless.
    #[serde(rename = "e")]
    pub expires: Timestamp,
    /// When it was made.
    #[serde(rename = "i")]
    pub issued: Timestamp,
    /// Unique, so that one token can be revoked.
    #[serde(rename = "n")]
    pub nonce: String,
}

/// Why a token was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not made by us, altered, or made for another purpose.
    #[error("the link is not valid")]
    Forged,
    /// Was valid once. The claims are kept so that a new one can be offered.
    #[error("the link has expired")]
    Expired(Box<Claims>),
}

impl super::coded::Coded for TokenError {
    fn code(&self) -> &'static str {
        match self {
            Self::Forged => "token.forged",
            Self::Expired(_) => "token.expired",
        }
    }
}

/// The server's signing key.
#[derive(Debug, Clone)]
pub struct Keys {
    key: Secret,
}

impl Keys {
    /// Keys derived from the configured secret (at least 32 characters).
    pub fn new(secret: &Secret) -> Self {
        Self { key: secret.clone() }
    }

    /// Claims about `subject` that expire at `expires`, with a fresh nonce.
    pub fn claims(subject: impl Into<String>, issued: Timestamp, expires: Timestamp) -> Claims {
        Claims {
            subject: subject.into(),
            contact: None,
            visitor: None,
            language: None,
            expires,
            issued,
            nonce: random_text(12),
        }
    }

    /// What the token with this nonce says of a device. Whoever has the device's id can compare; nobody learns it.
    pub fn device(&self, nonce: &str, visitor: VisitorId) -> String {
        URL_SAFE_NO_PAD.encode(self.digest("device of a link", &[nonce, &visitor.to_string()]))
    }

    /// Signs `claims` for `purpose`.
    pub fn sign(&self, purpose: Purpose, claims: &Claims) -> String {
        let body = serde_json::to_vec(claims).expect("claims hold only texts and numbers");
        let body = URL_SAFE_NO_PAD.encode(body);
        let tag = self.tag(purpose, body.as_bytes()).finalize().into_bytes();
        format!("{body}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// Reads a token that must have been made for `purpose`.
    ///
    /// # Errors
    /// [`TokenError::Forged`] or [`TokenError::Expired`].
    pub fn verify(&self, purpose: Purpose, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        let (body, tag) = token.split_once('.').ok_or(TokenError::Forged)?;
        let tag = URL_SAFE_NO_PAD.decode(tag).map_err(|_| TokenError::Forged)?;
        self.tag(purpose, body.as_bytes()).verify_slice(&tag).map_err(|_| TokenError::Forged)?;
        let body = URL_SAFE_NO_PAD.decode(body).map_err(|_| TokenError::Forged)?;
        let claims: Claims = serde_json::from_slice(&body).map_err(|_| TokenError::Forged)?;
        if claims.expires <= now { Err(TokenError::Expired(Box::new(claims))) } else { Ok(claims) }
    }

    /// What makes many digests of one kind: its key is made of the server's and these parts once.
    pub fn digester(&self, label: &str, parts: &[&str]) -> Digester {
        let key = self.digest(label, parts);
        Digester(Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length"))
    }

    /// A keyed digest of anything, for identifiers that must not be guessable.
    pub fn digest(&self, label: &str, parts: &[&str]) -> [u8; 32] {
        let mut mac = self.mac();
        for part in std::iter::once(&label).chain(parts) {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }

    fn tag(&self, purpose: Purpose, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.mac();
        mac.update(purpose.label().as_bytes());
        mac.update(b".");
        mac.update(body);
        mac
    }

    fn mac(&self) -> Hmac<Sha256> {
        Hmac::<Sha256>::new_from_slice(self.key.expose().as_bytes()).expect("HMAC takes keys of any length")
    }
}

/// Makes keyed digests.
#[derive(Clone)]
pub struct Digester(Hmac<Sha256>);

impl Digester {
    /// The digest of these parts.
    pub fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// `bytes` random bytes from the system as URL-safe text.
pub fn random_text(bytes: usize) -> String {
    let mut buffer = vec![0_u8; bytes];
    getrandom::fill(&mut buffer).expect("the system has a random source");
    URL_SAFE_NO_PAD.encode(buffer)
}

/// The SHA-256 of a text in hexadecimal.
pub fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes.as_ref()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys::new(&Secret::new("a secret of at least thirty-two characters"))
    }

    #[test]
    fn a_token_opens_only_what_it_was_made_for() {
        let claims = Keys::claims("white-paper", Timestamp(0), Timestamp(1_000));
        let token = keys().sign(Purpose::Asset, &claims);
        assert_eq!(keys().verify(Purpose::Asset, &token, Timestamp(999)), Ok(claims));
        assert_eq!(keys().verify(Purpose::Booking, &token, Timestamp(999)), Err(TokenError::Forged));
    }

    #[test]
    fn an_expired_token_still_says_what_it_was_about() {
        let token = keys().sign(Purpose::Asset, &Keys::claims("white-paper", Timestamp(0), Timestamp(1_000)));
        let refused = keys().verify(Purpose::Asset, &token, Timestamp(1_000));
        assert!(matches!(refused, Err(TokenError::Expired(claims)) if claims.subject == "white-paper"));
    }

    #[test]
    fn a_token_with_one_letter_changed_is_forged() {
        let token = keys().sign(Purpose::Asset, &Keys::claims("white-paper", Timestamp(0), Timestamp(1_000)));
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(bytes).expect("ASCII");
            if altered != token && !differs_only_in_padding_bits(&altered, &token) {
                assert_eq!(
                    keys().verify(Purpose::Asset, &altered, Timestamp(0)),
                    Err(TokenError::Forged),
                    "{at}"
                );
            }
        }
    }

    fn differs_only_in_padding_bits(a: &str, b: &str) -> bool {
        let tag = |token: &str| URL_SAFE_NO_PAD.decode(token.split_once('.').map_or("", |(_, tag)| tag)).ok();
        a.split_once('.').map(|p| p.0) == b.split_once('.').map(|p| p.0)
            && tag(a).is_some()
            && tag(a) == tag(b)
    }

    #[test]
    fn another_servers_token_is_forged() {
        let other = Keys::new(&Secret::new("another secret of thirty-two characters"));
        let token = other.sign(Purpose::Asset, &Keys::claims("white-paper", Timestamp(0), Timestamp(1_000)));
        assert_eq!(keys().verify(Purpose::Asset, &token, Timestamp(0)), Err(TokenError::Forged));
    }
}
