//! By which push services know who sends: a pair of keys of this server's own, and words signed with it (RFC 8292).
//!
//! The pair is made at the first start and kept in the store, sealed with the server's secret, so that all nodes have the
//! same. Browsers subscribe for one pair; if the secret is changed, another pair is made and they subscribe anew.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::json;
use url::Url;

use super::store;
use crate::base::email::Email;
use crate::base::secret::Secret;
use crate::base::signing::Keys;
use crate::base::time::{HOUR_MS, SECOND_MS, Timestamp};
use crate::storage::Error;
use crate::storage::db::Db;
use crate::storage::kept;

/// The name that it is kept under.
const NAME: &str = "vapid";
/// For so long a signed word is good; services take at most 24 hours.
const GOOD_MS: i64 = 12 * HOUR_MS;

/// The pair of keys.
pub struct Vapid {
    pair: EcdsaKeyPair,
}

impl Vapid {
    /// The pair that is kept, else a new one.
    ///
    /// # Errors
    /// As the store says, or if the system has no random source.
    pub async fn kept(db: &Db, keys: &Keys, now: Timestamp) -> Result<Self, Error> {
        if let Some(known) = kept::get(&mut db.read(), NAME).await?
            && let Some(vapid) = Self::open(keys, &known.body)
        {
            return Ok(vapid);
        }
        let mut tx = db.begin().await?;
        // Nodes that start side by side make one pair.
        tx.lock(NAME).await?;
        let known = kept::get(&mut tx, NAME).await?;
        if let Some(vapid) = known.as_ref().and_then(|known| Self::open(keys, &known.body)) {
            return Ok(vapid);
        }
        if known.is_some() {
            let gone = store::forget_all(&mut tx).await?;
            tracing::warn!(
                push.devices = gone,
                "the keys of push notices were sealed with another server.secret: new ones are made, and browsers subscribe anew"
            );
        }
        let broken = |_| Error::Engine("a pair of keys cannot be made".to_owned());
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let text = Secret::new(URL_SAFE_NO_PAD.encode(made.map_err(broken)?.as_ref()));
        kept::put(&mut tx, NAME, &keys.seal(&[NAME], &text), now).await?;
        tx.commit().await?;
        Self::read(&text).ok_or_else(|| Error::Engine("the pair of keys cannot be read".to_owned()))
    }

    fn open(keys: &Keys, sealed: &str) -> Option<Self> {
        Self::read(&keys.unseal(&[NAME], sealed)?)
    }

    fn read(text: &Secret) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.expose()).ok()?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &bytes, &SystemRandom::new());
        Some(Self { pair: pair.ok()? })
    }

    /// The public key as browsers want it: an uncompressed point in base64url.
    pub fn public(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref())
    }

    /// The `Authorization` for a push service: who sends, to whom, for how long. None if the address is none.
    pub fn authorization(&self, endpoint: &str, contact: &Email, now: Timestamp) -> Option<String> {
        let audience = Url::parse(endpoint).ok()?.origin().ascii_serialization();
        let expires = now.plus_ms(GOOD_MS).as_ms() / SECOND_MS;
        let head = json!({ "typ": "JWT", "alg": "ES256" });
        let claims = json!({ "aud": audience, "exp": expires, "sub": format!("mailto:{contact}") });
        let [head, claims] = [head, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let said = format!("{head}.{claims}");
        let signature = self.pair.sign(&SystemRandom::new(), said.as_bytes()).ok()?;
        Some(format!("vapid t={said}.{}, k={}", URL_SAFE_NO_PAD.encode(signature.as_ref()), self.public()))
    }
}
