//! The keys that a provider signs by (RFC 7517), and how a signature is held against them: RS256 and ES256 (RFC 7518), by
//! the library that opens and closes every TLS connection here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;

use super::Error;

/// Keys that are looked at; a provider has a few.
const MOST: usize = 50;

/// An algorithm that is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Rs256,
    Es256,
}

impl Algorithm {
    /// The algorithm of its name; `none`, those with a shared secret and all others are none.
    pub fn of_name(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Public {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// A point of P-256, uncompressed.
    P256(Vec<u8>),
}

/// The keys of a provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet(Vec<(Option<String>, Public)>);

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Written {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default, rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
}

impl KeySet {
    /// Reads a key set. Keys of kinds that are not known here are passed over, as the standard wants it (section 5).
    ///
    /// # Errors
    /// [`Error::Unbelieved`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let document: Document =
            serde_json::from_str(text).map_err(|_| Error::Unbelieved("its keys are no key set"))?;
        Ok(Self(document.keys.into_iter().take(MOST).filter_map(|key| read(key).ok().flatten()).collect()))
    }

    /// Whether a key of this name is there; a token that names none can be of any.
    pub fn knows(&self, kid: Option<&str>) -> bool {
        kid.is_none_or(|kid| self.0.iter().any(|(known, _)| known.as_deref() == Some(kid)))
    }

    /// Whether one of the keys has signed it. A token that names its key is held against that one alone.
    pub fn have_signed(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
        signed: &[u8],
        signature: &[u8],
    ) -> bool {
        self.0
            .iter()
            .filter(|(known, _)| kid.is_none() || known.as_deref() == kid)
            .any(|(_, key)| is_signed(algorithm, key, signed, signature))
    }
}

/// A key, if it is of a kind that is known here and meant for signatures.
fn read(value: serde_json::Value) -> Result<Option<(Option<String>, Public)>, serde_json::Error> {
    let written: Written = serde_json::from_value(value)?;
    if written.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
        return Ok(None);
    }
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).unwrap_or_default();
    let is_for = |name: &str| written.alg.as_deref().is_none_or(|alg| alg == name);
    let key = match (written.kty.as_str(), written.crv.as_deref()) {
        ("RSA", _) if is_for("RS256") => Public::Rsa { n: bytes(&written.n), e: bytes(&written.e) },
        ("EC", Some("P-256")) if is_for("ES256") => {
            let (x, y) = (bytes(&written.x), bytes(&written.y));
            if x.len() != 32 || y.len() != 32 {
                return Ok(None);
            }
            Public::P256([vec![4], x, y].concat())
        }
        _ => return Ok(None),
    };
    Ok(Some((written.kid, key)))
}

fn is_signed(algorithm: Algorithm, key: &Public, signed: &[u8], signature: &[u8]) -> bool {
    match (algorithm, key) {
        (Algorithm::Rs256, Public::Rsa { n, e }) => {
            RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok()
        }
        (Algorithm::Es256, Public::P256(point)) => {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature).is_ok()
        }
        // A key signs by one algorithm; which one, the key says and not the token.
        (Algorithm::Rs256, Public::P256(_)) | (Algorithm::Es256, Public::Rsa { .. }) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_other_kinds_are_passed_over() {
        let text = r#"{"keys":[
            {"kty":"oct","k":"AAAA","kid":"shared"},
            {"kty":"EC","crv":"P-521","x":"AA","y":"AA","kid":"large"},
            {"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"short"},
            {"kty":"RSA","n":"AQAB","e":"AQAB","use":"enc","kid":"enc"},
            {"kty":"RSA","n":"AQAB","e":"AQAB","alg":"PS256","kid":"pss"},
            {"kty":5}, "nonsense",
            {"kty":"RSA","n":"AQAB","e":"AQAB","use":"sig","kid":"good"}]}"#;
        let keys = KeySet::parse(text).expect("a set");
        assert!(keys.knows(Some("good")) && keys.knows(None));
        for passed_over in ["shared", "large", "short", "enc", "pss"] {
            assert!(!keys.knows(Some(passed_over)), "{passed_over}");
        }
        assert!(KeySet::parse("{}").is_err() && KeySet::parse("[]").is_err());
    }

    #[test]
    fn only_two_algorithms_are_believed() {
        for name in ["none", "None", "HS256", "RS384", "PS256", "ES384", "EdDSA", "rs256", ""] {
            assert_eq!(Algorithm::of_name(name), None, "{name}");
        }
    }
}
