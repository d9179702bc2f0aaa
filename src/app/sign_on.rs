//! Speaking with the provider of the single sign-on: what it says of itself and its keys are kept for a while, and asked for
//! again when a token names a key that is not known, for providers change theirs.

use std::sync::{Arc, Mutex, PoisonError};

use super::App;
use crate::accounts::sign_on::keys::KeySet;
use crate::accounts::sign_on::token::{self, Expected};
use crate::accounts::sign_on::{Back, Error, Identity, Provider, provider};
use crate::base::time::{HOUR_MS, SECOND_MS, Timestamp};

/// How long what a provider said is believed.
const BELIEVED_MS: i64 = HOUR_MS;
/// How often its keys are asked for at most: tokens with made-up names of keys must not become requests.
const KEYS_APART_MS: i64 = 10 * SECOND_MS;
/// Bytes of an answer that are read.
const MOST_BYTES: usize = 512 * 1024;

/// What a provider said last.
#[derive(Default)]
pub struct SignOnState {
    provider: Mutex<Option<(Timestamp, Arc<Provider>)>>,
    keys: Mutex<Option<(Timestamp, Arc<KeySet>)>>,
}

impl App {
    /// What the provider says of itself.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Unbelieved`].
    pub async fn sign_on_provider(&self) -> Result<Arc<Provider>, Error> {
        let now = self.clock.now();
        if let Some(provider) = fresh(&self.sign_on.provider, now, BELIEVED_MS) {
            return Ok(provider);
        }
        let issuer = &self.config.sign_on.issuer;
        let text = self.sign_on_get(&provider::document_of(issuer)).await?;
        let read = Arc::new(Provider::parse(issuer, &text)?);
        *self.sign_on.provider.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, read.clone()));
        Ok(read)
    }

    /// What is known of the provider without asking it.
    pub fn sign_on_known(&self) -> Option<Arc<Provider>> {
        let provider = self.sign_on.provider.lock().unwrap_or_else(PoisonError::into_inner);
        provider.as_ref().map(|(_, provider)| provider.clone())
    }

    /// Exchanges a code for what the provider says of its bearer. `address` is the one that she came back to.
    ///
    /// # Errors
    /// Whatever of it cannot be had, or cannot be believed.
    pub async fn sign_on_identity(&self, back: &Back, address: &str) -> Result<Identity, Error> {
        let settings = &self.config.sign_on;
        let provider = self.sign_on_provider().await?;
        let (headers, body) = provider.exchange(settings, back, address);
        let outbound = &self.desk.outbound;
        let answer = outbound
            .ask("POST", &provider.token_endpoint, &headers, body.into_bytes(), MOST_BYTES)
            .await
            .map_err(|error| Error::Unreachable(error.to_string()))?;
        let token = provider::token_of(answer.status, &answer.body)?;
        let kid = token::key_of(&token)?;
        let keys = self.sign_on_keys(&provider, kid.as_deref()).await?;
        let expected =
            Expected { issuer: &provider.issuer, client_id: &settings.client_id, nonce: &back.nonce };
        token::read(&token, &keys, &expected, self.clock.now())
    }

    async fn sign_on_keys(&self, provider: &Provider, kid: Option<&str>) -> Result<Arc<KeySet>, Error> {
        let now = self.clock.now();
        let kept = fresh(&self.sign_on.keys, now, BELIEVED_MS);
        let was_just_asked = fresh(&self.sign_on.keys, now, KEYS_APART_MS).is_some();
        if let Some(keys) = kept.filter(|keys| was_just_asked || keys.knows(kid)) {
            return Ok(keys);
        }
        let read = Arc::new(KeySet::parse(&self.sign_on_get(&provider.jwks_uri).await?)?);
        *self.sign_on.keys.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, read.clone()));
        Ok(read)
    }

    async fn sign_on_get(&self, address: &str) -> Result<String, Error> {
        let headers = [("accept", "application/json".to_owned())];
        let answer = self
            .desk
            .outbound
            .ask("GET", address, &headers, Vec::new(), MOST_BYTES)
            .await
            .map_err(|error| Error::Unreachable(error.to_string()))?;
        if !answer.is_success() {
            return Err(Error::Unreachable(format!("status {}", answer.status)));
        }
        Ok(answer.body)
    }
}

/// What is kept, if it is not too old.
fn fresh<T>(kept: &Mutex<Option<(Timestamp, Arc<T>)>>, now: Timestamp, for_ms: i64) -> Option<Arc<T>> {
    let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.as_ref().filter(|(at, _)| (0..for_ms).contains(&now.since_ms(*at))).map(|(_, value)| value.clone())
}
