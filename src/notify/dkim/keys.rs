//! The keys that sign, as PEM, and what of them is published.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use sha2::{Digest, Sha256};

use crate::base::secret::Secret;

/// How it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `rsa-sha256` with 2048 bits or more: everybody verifies it.
    Rsa,
    /// `ed25519-sha256` (RFC 8463).
    Ed25519,
}

impl Kind {
    /// The word in signatures, records and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
        }
    }

    /// The kind of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Rsa, Self::Ed25519].into_iter().find(|kind| kind.word() == word)
    }
}

/// A key that signs.
pub enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

impl Pair {
    /// Reads a key in PEM: PKCS #8, and PKCS #1 of RSA.
    ///
    /// # Errors
    /// A sentence for the operator, which says no part of the key.
    pub fn read(kind: Kind, text: &Secret) -> Result<Self, &'static str> {
        let (label, der) = pem(text.expose()).ok_or("this is no key in PEM (-----BEGIN PRIVATE KEY-----)")?;
        match (kind, label) {
            (Kind::Rsa, "PRIVATE KEY") => {
                let pair = RsaKeyPair::from_pkcs8(&der).map_err(|_| NO_RSA)?;
                Ok(Self::Rsa(Box::new(pair)))
            }
            (Kind::Rsa, "RSA PRIVATE KEY") => {
                let pair = RsaKeyPair::from_der(&der).map_err(|_| NO_RSA)?;
                Ok(Self::Rsa(Box::new(pair)))
            }
            (Kind::Ed25519, "PRIVATE KEY") => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| NO_ED25519)?;
                Ok(Self::Ed25519(pair))
            }
            (_, "ENCRYPTED PRIVATE KEY") => Err("this key is locked by a password; take it off first"),
            (_, "PUBLIC KEY") => Err("this is the public half; the private one signs"),
            (Kind::Rsa, _) => Err(NO_RSA),
            (Kind::Ed25519, _) => Err(NO_ED25519),
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Rsa(_) => Kind::Rsa,
            Self::Ed25519(_) => Kind::Ed25519,
        }
    }

    /// Signs a text; none if the key cannot.
    pub fn sign(&self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature).ok()?;
                Some(signature)
            }
            // It is the digest that is signed (RFC 8463, 3).
            Self::Ed25519(pair) => Some(pair.sign(&Sha256::digest(text)).as_ref().to_vec()),
        }
    }

    /// The public half as records hold it: of RSA as SubjectPublicKeyInfo, as everybody writes it; of Ed25519 the 32 bytes.
    pub fn public(&self) -> Vec<u8> {
        match self {
            Self::Rsa(pair) => {
                let bits = [&[0], pair.public_key().as_ref()].concat();
                der(0x30, &[der(0x30, &[RSA_ENCRYPTION, &[0x05, 0x00]].concat()), der(0x03, &bits)].concat())
            }
            Self::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
        }
    }
}

const NO_RSA: &str = "this is no RSA key of 2048 to 8192 bits; `embudo mail dkim --new FILE` makes one";
const NO_ED25519: &str = "this is no Ed25519 key; `embudo mail dkim --new FILE --kind ed25519` makes one";

/// The object identifier 1.2.840.113549.1.1.1.
pub(super) const RSA_ENCRYPTION: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// An element of DER: its tag, its length, what is in it (X.690, 8.1).
pub(super) fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut out = vec![tag];
    match length.as_slice() {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        // A length has at most eight bytes.
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(0x7f));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

/// The first element of a PEM text: its label and its bytes (RFC 7468).
fn pem(text: &str) -> Option<(&str, Vec<u8>)> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let body: String = body.chars().filter(|letter| !letter.is_whitespace()).collect();
    Some((label, STANDARD.decode(body).ok()?))
}

/// A PKCS #8 key as PEM.
pub(super) fn in_pem(bytes: &[u8]) -> Secret {
    let body = STANDARD.encode(bytes);
    let lines: Vec<&str> = super::split(&body, 64).collect();
    Secret::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n")))
}
