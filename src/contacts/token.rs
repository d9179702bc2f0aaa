//! The identity token: a JSON Web Token (RFC 7519) in which the host site vouches for who is logged in there.
//!
//! Only what is needed is understood, and all of it is checked: compact form, `HS256` (RFC 7515, RFC 7518 section 3.2)
//! with the site's own secret, `sub` (the host's user id), `email`, `aud` (the site's key), `iat`, and `exp` at most an
//! hour after `iat`. Reading one algorithm with the tools that sign our own links needs no further library: those that
//! are kept well bring every curve and RSA with them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::Deserialize;
use serde_json::Value as Json;
use sha2::Sha256;

use super::name_of;
use crate::base::coded::Coded;
use crate::base::email::Email;
use crate::base::secret::Secret;
use crate::base::time::{HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};

/// Longer ones are not even looked at.
const MOST_BYTES: usize = 4096;
/// Longest user id, in characters.
const HOST_ID_MOST: usize = 200;
/// The longest life of a token.
const LIFE_MOST_MS: i64 = HOUR_MS;
/// The host's clock may be fast by this much.
const SKEW_MS: i64 = MINUTE_MS;

/// A user of the host site, vouched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostUser {
    /// How the host calls her (`sub`).
    pub host_id: String,
    /// Her address there.
    pub email: Email,
    /// `given_name`, if it was told.
    pub first_name: Option<String>,
    /// `family_name`, if it was told.
    pub last_name: Option<String>,
}

/// Why a token was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The site has no `identity_secret`.
    #[error("the site has no `identity_secret`, so no token can be checked")]
    NotSetUp,
    /// It is no token, its algorithm is not HS256, or its signature is not the site's.
    #[error("the token was not signed with the site's `identity_secret` by HS256")]
    Forged,
    /// It was good once.
    #[error("the token has expired; ask the host for a new one")]
    Expired,
    /// It is for another site.
    #[error("the token is for another site: `aud` must be this site's key")]
    Foreign,
    /// It is signed, and says too little or too much.
    #[error("the token cannot be used: {0}")]
    Invalid(&'static str),
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::NotSetUp => "identity.token_not_set_up",
            Self::Forged => "identity.token_forged",
            Self::Expired => "identity.token_expired",
            Self::Foreign => "identity.token_foreign",
            Self::Invalid(_) => "identity.token_invalid",
        }
    }
}

#[derive(Deserialize)]
struct Head {
    alg: String,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default)]
    crit: Option<Json>,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    sub: Json,
    #[serde(default)]
    email: Json,
    #[serde(default)]
    aud: Json,
    #[serde(default)]
    iat: Option<f64>,
    #[serde(default)]
    exp: Option<f64>,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    given_name: Option<String>,
    #[serde(default)]
    family_name: Option<String>,
}

/// Reads a token for `site`, whose secret this is.
///
/// # Errors
/// [`Error`]; nothing of a token that is not signed is believed, not even for the message.
pub fn read(token: &str, secret: &Secret, site: &str, now: Timestamp) -> Result<HostUser, Error> {
    if secret.is_empty() {
        return Err(Error::NotSetUp);
    }
    if token.len() > MOST_BYTES {
        return Err(Error::Forged);
    }
    let (signed, tag) = token.rsplit_once('.').ok_or(Error::Forged)?;
    let (head, claims) = signed.split_once('.').ok_or(Error::Forged)?;
    let head: Head = part(head)?;
    let is_jwt = head.typ.as_deref().is_none_or(|typ| typ.eq_ignore_ascii_case("jwt"));
    // The algorithm is ours to choose, never the bearer's; an extension that we do not know must not be passed over.
    if head.alg != "HS256" || !is_jwt || head.crit.is_some() {
        return Err(Error::Forged);
    }
    let tag = URL_SAFE_NO_PAD.decode(tag).map_err(|_| Error::Forged)?;
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(signed.as_bytes());
    mac.verify_slice(&tag).map_err(|_| Error::Forged)?;
    checked(part(claims).map_err(|_| Error::Invalid("its claims are no JSON object"))?, site, now)
}

fn part<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::Forged)?;
    serde_json::from_slice(&bytes).map_err(|_| Error::Forged)
}

fn checked(claims: Claims, site: &str, now: Timestamp) -> Result<HostUser, Error> {
    let is_for_us = match &claims.aud {
        Json::String(one) => one == site,
        Json::Array(several) => several.iter().any(|one| one == site),
        _ => return Err(Error::Invalid("`aud` is missing")),
    };
    if !is_for_us {
        return Err(Error::Foreign);
    }
    let issued = moment(claims.iat).ok_or(Error::Invalid("`iat` is missing"))?;
    let expires = moment(claims.exp).ok_or(Error::Invalid("`exp` is missing"))?;
    if issued > now.plus_ms(SKEW_MS) || moment(claims.nbf).is_some_and(|from| from > now.plus_ms(SKEW_MS)) {
        return Err(Error::Invalid("it is from the future"));
    }
    if expires.since_ms(issued) > LIFE_MOST_MS {
        return Err(Error::Invalid("`exp` is more than an hour after `iat`"));
    }
    if expires <= now {
        return Err(Error::Expired);
    }
    let host_id = match claims.sub {
        Json::String(text) => text,
        Json::Number(number) => number.to_string(),
        _ => return Err(Error::Invalid("`sub` is missing")),
    };
    if host_id.trim().is_empty() || host_id.chars().count() > HOST_ID_MOST {
        return Err(Error::Invalid("`sub` is empty or too long"));
    }
    let email = claims.email.as_str().ok_or(Error::Invalid("`email` is missing"))?;
    let email = Email::parse(email).map_err(|_| Error::Invalid("`email` is no address"))?;
    let name = |text: Option<String>| text.map(|text| name_of(&text)).filter(|name| !name.is_empty());
    let (first_name, last_name) = (name(claims.given_name), name(claims.family_name));
    Ok(HostUser { host_id, email, first_name, last_name })
}

/// A NumericDate: seconds since 1970.
#[allow(clippy::cast_possible_truncation, reason = "bounded before")]
fn moment(seconds: Option<f64>) -> Option<Timestamp> {
    seconds
        .filter(|seconds| (0.0..1e11).contains(seconds))
        .map(|seconds| Timestamp(seconds as i64 * SECOND_MS))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SECRET: &str = "the bookshop's secret of forty characters";
    const NOW: Timestamp = Timestamp(1_795_600_000_000);

    fn signed(head: &Json, claims: &Json, secret: &str) -> String {
        let part = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
        let text = format!("{}.{}", part(head), part(claims));
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
        mac.update(text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    fn head() -> Json {
        json!({"alg": "HS256", "typ": "JWT"})
    }

    fn claims() -> Json {
        let now = NOW.as_ms() / 1000;
        json!({"sub": "7", "email": "Nikki@ACME.example", "aud": "faro", "iat": now, "exp": now + 600})
    }

    fn read_it(token: &str) -> Result<HostUser, Error> {
        read(token, &Secret::new(SECRET), "faro", NOW)
    }

    fn with(name: &str, value: Json) -> String {
        let mut changed = claims();
        changed[name] = value;
        signed(&head(), &changed, SECRET)
    }

    #[test]
    fn a_name_is_one_line_whatever_the_token_says() {
        let user = read_it(&with("given_name", json!("No\r\nBcc: x@evil.example"))).expect("good");
        assert_eq!(user.first_name.as_deref(), Some("No Bcc: x@evil. example"));
        assert_eq!(read_it(&with("family_name", json!(" \u{0}\t"))).expect("good").last_name, None);
        let long = read_it(&with("given_name", json!("n".repeat(1_000)))).expect("good");
        assert_eq!(long.first_name.map(|name| name.len()), Some(120));
    }

    #[test]
    fn a_token_of_the_site_tells_who_is_logged_in() {
        let user = read_it(&signed(&head(), &claims(), SECRET)).expect("good");
        assert_eq!((user.host_id.as_str(), user.email.as_str()), ("7", "nikki@acme.example"));
        assert!(read_it(&with("aud", json!(["other", "faro"]))).is_ok());
        assert!(read_it(&with("sub", json!(7))).is_ok());
    }

    #[test]
    fn whoever_chooses_the_algorithm_is_a_forger() {
        for head in [
            json!({"alg": "none"}),
            json!({"alg": "HS512"}),
            json!({"alg": "RS256"}),
            json!({"alg": "hs256"}),
            json!({"alg": "HS256", "typ": "JWE"}),
            json!({"alg": "HS256", "crit": ["b64"], "b64": false}),
            json!({}),
        ] {
            assert_eq!(read_it(&signed(&head, &claims(), SECRET)), Err(Error::Forged), "{head}");
        }
        let good = signed(&head(), &claims(), SECRET);
        let unsigned = format!("{}.", good.rsplit_once('.').expect("three parts").0);
        for token in ["", ".", "..", "a.b.c", unsigned.as_str(), &"x".repeat(5000)] {
            assert_eq!(read_it(token), Err(Error::Forged), "{token}");
        }
        assert_eq!(
            read_it(&signed(&head(), &claims(), "another site's secret of forty characters.")),
            Err(Error::Forged)
        );
        let (text, tag) = good.rsplit_once('.').expect("three parts");
        let altered = format!("{}A.{tag}", text.strip_suffix(|_: char| true).expect("a letter"));
        assert_eq!(read_it(&altered), Err(Error::Forged));
    }

    #[test]
    fn each_claim_is_checked() {
        let now = NOW.as_ms() / 1000;
        assert_eq!(read_it(&with("aud", json!("other"))), Err(Error::Foreign));
        assert_eq!(read_it(&with("exp", json!(now))), Err(Error::Expired));
        for (name, value) in [
            ("aud", Json::Null),
            ("iat", Json::Null),
            ("exp", Json::Null),
            ("exp", json!(now + 3601)),
            ("exp", json!(1e300)),
            ("iat", json!(now + 120)),
            ("nbf", json!(now + 120)),
            ("sub", Json::Null),
            ("sub", json!(" ")),
            ("sub", json!("x".repeat(201))),
            ("email", Json::Null),
            ("email", json!("nikki")),
        ] {
            assert!(matches!(read_it(&with(name, value.clone())), Err(Error::Invalid(_))), "{name}: {value}");
        }
        assert_eq!(read("a.b.c", &Secret::default(), "faro", NOW), Err(Error::NotSetUp));
    }
}
