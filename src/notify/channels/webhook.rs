//! Signed webhooks: facts for other programs, by Standard Webhooks 1.0 (standardwebhooks.com).
//!
//! What is signed is `id.timestamp.body`; the id stays the same over all tries, the time is that of the try. `whsec_` keys
//! sign by HMAC-SHA256 (`v1`), `whsk_` keys by ed25519 (`v1a`). All keys of a hook sign, so that one can be changed for another
//! without a moment in which nobody's signature holds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use sha2::Sha256;

use crate::base::secret::Secret;
use crate::base::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::events::Event;
use crate::notify::hooks::{Hook, Way};
use crate::notify::{Desk, Error, Outbound, Sent, Why, store};
use crate::{bookings, contacts, events};

/// After a try that was not taken: how long until the next one. Three days in all.
const PAUSES_MS: [i64; 9] = [
    5 * SECOND_MS,
    5 * MINUTE_MS,
    30 * MINUTE_MS,
    2 * HOUR_MS,
    5 * HOUR_MS,
    10 * HOUR_MS,
    14 * HOUR_MS,
    20 * HOUR_MS,
    24 * HOUR_MS,
];
/// One that has taken nothing for so long is not tried any more.
const DISABLED_AFTER_MS: i64 = 5 * DAY_MS;

/// A key that signs.
#[derive(Clone)]
pub struct Signer(Secret);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Signer {
    /// A key as Standard Webhooks write it: `whsec_` and 24 to 64 bytes, or `whsk_` and an ed25519 key, in base64.
    pub fn parse(text: &str) -> Option<Self> {
        let signer = Self(Secret::new(text));
        let is_right = match signer.bytes()? {
            (true, key) => (24..=64).contains(&key.len()),
            (false, key) => matches!(key.len(), 32 | 64) && pair(&key).is_some(),
        };
        is_right.then_some(signer)
    }

    /// Whether it is one that both sides share, and the key itself.
    fn bytes(&self) -> Option<(bool, Vec<u8>)> {
        let text = self.0.expose();
        let shared = text.strip_prefix("whsec_").map(|key| (true, key));
        let (is_shared, key) = shared.or_else(|| text.strip_prefix("whsk_").map(|key| (false, key)))?;
        Some((is_shared, STANDARD.decode(key).ok()?))
    }

    fn sign(&self, content: &[u8]) -> Option<String> {
        Some(match self.bytes()? {
            (true, key) => {
                let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
                mac.update(content);
                format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
            }
            (false, key) => format!("v1a,{}", STANDARD.encode(pair(&key)?.sign(content))),
        })
    }

    /// What the receiver verifies an ed25519 signature with (`whpk_`).
    pub fn public(&self) -> Option<String> {
        match self.bytes()? {
            (true, _) => None,
            (false, key) => Some(format!("whpk_{}", STANDARD.encode(pair(&key)?.public_key()))),
        }
    }
}

/// The seed is the first half of the long form.
fn pair(key: &[u8]) -> Option<Ed25519KeyPair> {
    Ed25519KeyPair::from_seed_unchecked(key.get(..32)?).ok()
}

/// What a webhook tells: a fact, by its ids. What else it says is worked out when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub event: Event,
    pub at: Timestamp,
}

/// The facts that webhooks can be told. Codes and requests for mails are nobody else's business.
pub const KINDS: &[&str] = &[
    "bant_completed",
    "booking_cancelled",
    "booking_confirmed",
    "booking_mail_failed",
    "booking_outcome_set",
    "booking_rescheduled",
    "booking_withdrawn",
    "contact_on_site",
    "contacts_merged",
    "contacts_unmerged",
    "conversation_closed",
    "conversation_opened",
    "customer_state_changed",
    "deal_lost",
    "deal_won",
    "form_submitted",
    "handoff_accepted",
    "handoff_expired",
    "handoff_requested",
    "handover_given",
    "handover_late",
    "handover_taken",
    "milestone_reached",
    "question_left",
    "recording_watched",
    "rep_mail_failed",
    "segment_entered",
    "segment_left",
    "sla_breached",
    "stage_changed",
    "subscription_confirmed",
    "subscription_ended",
    "task_given",
    "webinar_attended",
    "webinar_cancelled",
    "webinar_missed",
    "webinar_moved",
    "webinar_registered",
];

/// How long to wait after a try; none if there is no point in another.
pub(in crate::notify) fn pause_ms(error: &Error, attempts: i64) -> Option<i64> {
    let base = usize::try_from(attempts - 1).ok().and_then(|tried| PAUSES_MS.get(tried)).copied();
    match error {
        Error::Throttled { wait_ms, .. } => base.map(|base| (*wait_ms).clamp(base, 2 * base)),
        Error::Unreachable(_) | Error::Unencrypted(_) | Error::Deferred(_) | Error::Refused(_) => base,
        Error::Storage(_) => Some(MINUTE_MS),
        Error::Gone(_) | Error::Unwritable(_) => None,
    }
}

/// Sends a fact.
///
/// # Errors
/// [`Error`] by what the receiver answered; all but [`Error::Gone`] are tried again.
pub(in crate::notify) async fn send(
    desk: &Desk,
    id: &str,
    name: &str,
    told: &Told,
    now: Timestamp,
) -> Result<Sent, Error> {
    let Some(hook) = desk.rules.hook(name) else {
        return Ok(Sent::Superseded(Why::HOOK_GONE));
    };
    let known = store::endpoint(&mut desk.stores.db.read(), name).await?;
    if known.is_some_and(|endpoint| endpoint.disabled_at.is_some()) {
        return Err(Error::Gone("the webhook is disabled; enable it and replay".to_owned()));
    }
    let body = body_of(desk, hook, told).await?;
    let sent = post(&desk.outbound, hook, id, &body, now).await;
    let noted = match &sent {
        Ok(()) => store::endpoint_took(&desk.stores.db, name).await,
        Err(Error::Storage(_) | Error::Unwritable(_)) => Ok(()),
        Err(error) => failed(desk, name, error, now).await,
    };
    // What is known of an endpoint is a help; it decides nothing about this message.
    if let Err(error) = noted {
        tracing::warn!(hook.name = name, error = %error, "how a webhook does cannot be noted");
    }
    sent.map(|()| Sent::Out)
}

/// Notes that it failed, and gives it up when it has for too long, or says that it is gone.
async fn failed(desk: &Desk, name: &str, error: &Error, now: Timestamp) -> crate::storage::Result<()> {
    let mut tx = desk.stores.db.begin().await?;
    let since = store::endpoint_failed(&mut tx, name, now).await?;
    let is_over = matches!(error, Error::Gone(_)) || now.since_ms(since) >= DISABLED_AFTER_MS;
    if is_over && store::disable_endpoint(&mut tx, name, &error.to_string(), now).await? {
        tracing::warn!(hook.name = name, error = %error, "a webhook is disabled");
        events::append(&mut tx, &Event::EndpointDisabled { endpoint: name.to_owned() }, now).await?;
    }
    tx.commit().await
}

/// Signs a body and posts it.
pub(in crate::notify) async fn post(
    outbound: &Outbound,
    hook: &Hook,
    id: &str,
    body: &Json,
    now: Timestamp,
) -> Result<(), Error> {
    let Way::Webhook(settings) = &hook.way else {
        return Err(Error::Unwritable(format!("`{}` is no webhook", hook.name)));
    };
    let body = body.to_string();
    let headers = headers(&settings.secrets, id, &body, now)?;
    let answer = outbound.post(hook.url.expose(), &headers, body.into_bytes()).await?;
    match answer.status {
        410 => Err(Error::Gone("410 Gone: the receiver wants no more".to_owned())),
        _ => answer.accepted(),
    }
}

fn headers(
    secrets: &[Signer],
    id: &str,
    body: &str,
    now: Timestamp,
) -> Result<Vec<(&'static str, String)>, Error> {
    let id = format!("msg_{id}");
    let at = (now.as_ms() / SECOND_MS).to_string();
    let content = format!("{id}.{at}.{body}");
    let signatures: Option<Vec<String>> =
        secrets.iter().map(|signer| signer.sign(content.as_bytes())).collect();
    let signatures = signatures.ok_or_else(|| Error::Unwritable("a key cannot sign".to_owned()))?;
    Ok(vec![
        ("content-type", "application/json".to_owned()),
        ("webhook-id", id),
        ("webhook-timestamp", at),
        ("webhook-signature", signatures.join(" ")),
    ])
}

/// The fact with its ids; for calls what they are, and for whom the operator says so, who the contact is.
async fn body_of(desk: &Desk, hook: &Hook, told: &Told) -> Result<Json, Error> {
    let unwritable = |error: &dyn std::fmt::Display| Error::Unwritable(error.to_string());
    let mut data = serde_json::to_value(&told.event).map_err(|error| unwritable(&error))?;
    let kind = told.event.kind();
    let mut q = desk.stores.db.read();
    if let Json::Object(data) = &mut data {
        data.remove("kind");
        let booking = match &told.event {
            Event::BookingConfirmed { booking, .. }
            | Event::BookingRescheduled { booking, .. }
            | Event::BookingCancelled { booking, .. }
            | Event::BookingOutcomeSet { booking, .. }
            | Event::BookingMailFailed { booking, .. }
            | Event::BookingWithdrawn { booking, .. }
            | Event::RepMailFailed { booking, .. } => Some(*booking),
            _ => None,
        };
        if let Some(booking) = booking {
            let call = bookings::find(&mut q, booking).await.map_err(|error| unwritable(&error))?;
            data.insert("meeting".to_owned(), json!(call.meeting));
            // Of a mail that did not arrive, whose it was.
            data.entry("rep").or_insert_with(|| json!(call.rep));
            data.insert("starts_at".to_owned(), json!(call.starts_at.to_string()));
            data.insert("ends_at".to_owned(), json!(call.ends_at.to_string()));
            data.entry("sequence").or_insert_with(|| json!(call.sequence));
        }
        let tells_people = matches!(&hook.way, Way::Webhook(settings) if settings.tells_people);
        if let Some(contact) = told.event.contact().filter(|_| tells_people)
            && let Some(contact) = contacts::find(&mut q, contact).await?
        {
            let who = json!({ "email": contact.email.as_str(), "name": contact.display_name() });
            data.insert("person".to_owned(), who);
        }
    }
    Ok(json!({ "type": kind, "timestamp": told.at.to_string(), "data": data }))
}

/// What a trial sends.
pub(in crate::notify) fn sample(now: Timestamp) -> Json {
    json!({ "type": "test", "timestamp": now.to_string(), "data": { "text": "Embudo says hello." } })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARED: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_signature_is_that_of_the_specifications_example() {
        // Standard Webhooks' reference implementations are tested with it.
        let signer = Signer::parse(SHARED).expect("a key");
        let content = b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}";
        assert_eq!(signer.sign(content).as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn every_key_signs_and_the_ed25519_one_is_verified_with_its_public_half() {
        let own = format!("whsk_{}", STANDARD.encode([7_u8; 32]));
        let signers = [Signer::parse(SHARED).expect("a key"), Signer::parse(&own).expect("a key")];
        let made = headers(&signers, "1", "{}", Timestamp(1_614_265_330_000)).expect("signed");
        let header =
            |name: &str| made.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        assert_eq!(header("webhook-id").as_deref(), Some("msg_1"));
        assert_eq!(header("webhook-timestamp").as_deref(), Some("1614265330"));
        let both = header("webhook-signature").expect("signed");
        let (first, second) = both.split_once(' ').expect("two signatures");
        assert!(first.starts_with("v1,"));
        let signature = STANDARD.decode(second.strip_prefix("v1a,").expect("ed25519")).expect("base64");
        let public = signers[1].public().expect("a public half");
        let public = STANDARD.decode(public.strip_prefix("whpk_").expect("marked")).expect("base64");
        let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, public);
        assert!(key.verify(b"msg_1.1614265330.{}", &signature).is_ok());
        assert!(key.verify(b"msg_1.1614265330.{ }", &signature).is_err());
        assert!(!format!("{signers:?}").contains("MfKQ"), "a key is not printed");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let short = format!("whsec_{}", STANDARD.encode([1_u8; 23]));
        let odd = format!("whsk_{}", STANDARD.encode([1_u8; 33]));
        for text in ["", "whsec_", "secret", "whsec_%%%", &short, &odd, "whpk_AAAA"] {
            assert!(Signer::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn ten_tries_take_three_days_and_a_wish_for_time_is_granted_within_bounds() {
        let refused = Error::Refused("500".to_owned());
        let pauses: Vec<i64> = (1..).map_while(|attempts| pause_ms(&refused, attempts)).collect();
        assert_eq!(pauses.len() + 1, 10);
        assert_eq!(pauses.iter().sum::<i64>() / HOUR_MS, 75);
        let wish = |wait_ms| Error::Throttled { why: "429".to_owned(), wait_ms };
        assert_eq!(pause_ms(&wish(DAY_MS), 1), Some(10 * SECOND_MS));
        assert_eq!(pause_ms(&wish(0), 2), Some(5 * MINUTE_MS));
        assert_eq!(pause_ms(&Error::Gone("410".to_owned()), 1), None);
    }

    #[test]
    fn every_kind_is_one_of_the_facts() {
        let source = include_str!("../../events/mod.rs");
        for kind in KINDS {
            assert!(source.contains(&format!("=> \"{kind}\"")), "{kind}");
        }
        assert!(KINDS.is_sorted() && !KINDS.contains(&"code_asked"));
    }
}
