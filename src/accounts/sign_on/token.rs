//! The ID token (OpenID Connect Core 1.0, sections 2 and 3.1.3.7): what a provider says of who has signed on there. Nothing
//! of it is believed before its signature is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use subtle::ConstantTimeEq;

use super::Error;
use super::keys::{Algorithm, KeySet};
use crate::base::email::Email;
use crate::base::time::{HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};

/// Longer ones are not even looked at.
const MOST_BYTES: usize = 16 * 1024;
/// The provider's clock and ours may differ by this much.
const SKEW_MS: i64 = MINUTE_MS;
/// A token that was issued longer ago was not issued for this sign-on.
const AGE_MOST_MS: i64 = HOUR_MS;
/// Longest name, in characters.
const NAME_MOST: usize = 80;

/// Who somebody is, as the provider vouches for her.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What the provider calls her.
    pub subject: String,
    /// Her address, which the provider has verified.
    pub email: Email,
    /// Her name; empty if it was not told.
    pub name: String,
}

/// What a token of this sign-on must say.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub nonce: &'a str,
}

#[derive(Deserialize)]
struct Head {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<Json>,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    iss: String,
    #[serde(default)]
    sub: String,
    #[serde(default)]
    aud: Json,
    #[serde(default)]
    azp: Option<String>,
    #[serde(default)]
    exp: Option<f64>,
    #[serde(default)]
    iat: Option<f64>,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    nonce: String,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    email_verified: Json,
    #[serde(default)]
    name: Option<String>,
}

/// The name of the key that a token says it was signed with, before anything is believed.
///
/// # Errors
/// [`Error::Unbelieved`] for what is no token, or is signed otherwise than is believed.
pub fn key_of(token: &str) -> Result<Option<String>, Error> {
    Ok(head(token)?.2)
}

/// The algorithm, what is signed, and the key's name.
fn head(token: &str) -> Result<(Algorithm, &str, Option<String>), Error> {
    const NONE: Error = Error::Unbelieved("the token is none");
    if token.len() > MOST_BYTES || token.split('.').count() != 3 {
        return Err(NONE);
    }
    let (signed, _) = token.rsplit_once('.').ok_or(NONE)?;
    let (head, _) = signed.split_once('.').ok_or(NONE)?;
    let head: Head = part(head)?;
    // An extension that is not understood must not be passed over (RFC 7515, section 4.1.11).
    if head.crit.is_some() {
        return Err(Error::Unbelieved("the token has an extension that is not known"));
    }
    let algorithm = Algorithm::of_name(&head.alg);
    let algorithm = algorithm.ok_or(Error::Unbelieved("the token is signed by neither RS256 nor ES256"))?;
    Ok((algorithm, signed, head.kid))
}

fn part<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::Unbelieved("the token is none"))?;
    serde_json::from_slice(&bytes).map_err(|_| Error::Unbelieved("the token is none"))
}

/// Reads a token that must have been signed by one of `keys` for this sign-on.
///
/// # Errors
/// [`Error::Unbelieved`] with the first thing that is wrong, [`Error::Unverified`].
pub fn read(token: &str, keys: &KeySet, expected: &Expected<'_>, now: Timestamp) -> Result<Identity, Error> {
    let (algorithm, signed, kid) = head(token)?;
    let signature = token.rsplit('.').next().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let signature = signature.ok_or(Error::Unbelieved("the token is none"))?;
    if !keys.have_signed(algorithm, kid.as_deref(), signed.as_bytes(), &signature) {
        return Err(Error::Unbelieved("the token is signed by none of the provider's keys"));
    }
    let claims = signed.split_once('.').map_or("", |(_, claims)| claims);
    checked(part(claims)?, expected, now)
}

fn checked(claims: Claims, expected: &Expected<'_>, now: Timestamp) -> Result<Identity, Error> {
    let wrong = |what: &'static str| Err(Error::Unbelieved(what));
    if claims.iss != expected.issuer {
        return wrong("the token is of another issuer");
    }
    let (is_for_us, are_several) = match &claims.aud {
        Json::String(one) => (one == expected.client_id, false),
        Json::Array(all) => (all.iter().any(|one| one == expected.client_id), all.len() > 1),
        _ => (false, false),
    };
    if !is_for_us {
        return wrong("the token is for another program");
    }
    let is_party = claims.azp.as_deref().map(|party| party == expected.client_id);
    if is_party == Some(false) || are_several && is_party.is_none() {
        return wrong("the token was given to another program");
    }
    let Some(expires) = moment(claims.exp) else { return wrong("the token never runs out") };
    if expires.plus_ms(SKEW_MS) <= now {
        return wrong("the token has run out");
    }
    let Some(issued) = moment(claims.iat) else { return wrong("the token does not say when it was issued") };
    if issued > now.plus_ms(SKEW_MS) || moment(claims.nbf).is_some_and(|from| from > now.plus_ms(SKEW_MS)) {
        return wrong("the token is from the future");
    }
    if now.since_ms(issued) > AGE_MOST_MS {
        return wrong("the token is too old");
    }
    let is_answer: bool = claims.nonce.as_bytes().ct_eq(expected.nonce.as_bytes()).into();
    if !is_answer {
        return wrong("the token was issued for another sign-on");
    }
    if claims.sub.is_empty() {
        return wrong("the token says of nobody");
    }
    let email = claims.email.as_deref().and_then(|text| Email::parse(text).ok());
    let Some(email) = email else { return wrong("the token holds no address") };
    // Some write it as a text. An address that anybody may type there proves nothing.
    let is_verified = matches!(&claims.email_verified, Json::Bool(true))
        || matches!(&claims.email_verified, Json::String(text) if text == "true");
    if !is_verified {
        return Err(Error::Unverified);
    }
    let name = claims.name.unwrap_or_default();
    let name: String = name.trim().chars().filter(|c| !c.is_control()).take(NAME_MOST).collect();
    Ok(Identity { subject: claims.sub, email, name })
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
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_600_000_000);
    const EXPECTED: Expected<'static> =
        Expected { issuer: "https://id.example", client_id: "embudo", nonce: "n-1" };

    fn pair() -> EcdsaKeyPair {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("made");
        EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).expect("read")
    }

    fn set_of(pair: &EcdsaKeyPair, kid: &str) -> KeySet {
        let point = pair.public_key().as_ref();
        let part = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&point[range]);
        let key = json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": part(1..33), "y": part(33..65) });
        KeySet::parse(&json!({ "keys": [key] }).to_string()).expect("a set")
    }

    fn signed(pair: &EcdsaKeyPair, head: &Json, claims: &Json) -> String {
        let part = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
        let text = format!("{}.{}", part(head), part(claims));
        let signature = pair.sign(&SystemRandom::new(), text.as_bytes()).expect("signed");
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn claims() -> Json {
        let now = NOW.as_ms() / 1000;
        json!({
            "iss": "https://id.example", "sub": "7", "aud": "embudo", "iat": now, "exp": now + 300, "nonce": "n-1",
            "email": "Mike@Faro.example", "email_verified": true, "name": "Mike\u{7} Torres",
        })
    }

    #[test]
    fn each_claim_is_checked() {
        let pair = pair();
        let keys = set_of(&pair, "k1");
        let head = json!({ "alg": "ES256", "kid": "k1" });
        let now = NOW.as_ms() / 1000;
        let with = |name: &str, value: Json| {
            let mut changed = claims();
            changed[name] = value;
            read(&signed(&pair, &head, &changed), &keys, &EXPECTED, NOW)
        };
        let who = with("sub", json!("7")).expect("good");
        assert_eq!((who.email.as_str(), who.name.as_str()), ("mike@faro.example", "Mike Torres"));
        for (name, value) in [
            ("email_verified", json!("true")),
            ("aud", json!(["embudo"])),
            ("azp", json!("embudo")),
            ("exp", json!(now - 59)),
            ("iat", json!(now + 59)),
        ] {
            assert!(with(name, value.clone()).is_ok(), "{name}: {value}");
        }
        for (name, value) in [
            ("iss", json!("https://evil.example")),
            ("iss", json!("https://id.example/")),
            ("sub", json!("")),
            ("aud", json!("other")),
            ("aud", json!(["embudo", "other"])),
            ("aud", Json::Null),
            ("azp", json!("other")),
            ("exp", json!(now - 60)),
            ("exp", Json::Null),
            ("exp", json!(1e300)),
            ("iat", json!(now + 120)),
            ("iat", json!(now - 3_700)),
            ("iat", Json::Null),
            ("nbf", json!(now + 120)),
            ("nonce", json!("n-2")),
            ("nonce", json!("")),
            ("email", json!("mike")),
            ("email", Json::Null),
        ] {
            assert!(matches!(with(name, value.clone()), Err(Error::Unbelieved(_))), "{name}: {value}");
        }
        for value in [json!(false), Json::Null, json!("yes"), json!(1)] {
            assert!(matches!(with("email_verified", value), Err(Error::Unverified)));
        }
    }

    #[test]
    fn a_signature_is_held_against_the_key_that_the_token_names() {
        let (pair, other) = (pair(), pair());
        let keys = set_of(&pair, "k1");
        let try_it =
            |by: &EcdsaKeyPair, head: Json| read(&signed(by, &head, &claims()), &keys, &EXPECTED, NOW);
        assert!(try_it(&pair, json!({ "alg": "ES256" })).is_ok(), "a token may name no key");
        for (by, head) in [
            (&other, json!({ "alg": "ES256", "kid": "k1" })),
            (&other, json!({ "alg": "ES256" })),
            (&pair, json!({ "alg": "ES256", "kid": "k2" })),
            (&pair, json!({ "alg": "none" })),
            (&pair, json!({ "alg": "HS256", "kid": "k1" })),
            (&pair, json!({ "alg": "RS256", "kid": "k1" })),
            (&pair, json!({ "alg": "ES256", "crit": ["b64"], "b64": false })),
        ] {
            assert!(matches!(try_it(by, head.clone()), Err(Error::Unbelieved(_))), "{head}");
        }
        let good = signed(&pair, &json!({ "alg": "ES256" }), &claims());
        let (text, _) = good.rsplit_once('.').expect("three parts");
        for broken in
            ["", ".", "..", "a.b.c", text, &format!("{text}."), &format!("{good}.x"), &"x".repeat(20_000)]
        {
            assert!(matches!(read(broken, &keys, &EXPECTED, NOW), Err(Error::Unbelieved(_))), "{broken}");
        }
    }
}
