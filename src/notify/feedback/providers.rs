//! What mail providers tell by webhook. Each has its own words; here they become the same few.
//!
//! The address of each door holds a secret. Where the provider signs (Amazon SES by SNS, SendGrid, Mailgun) the signature is
//! checked as well.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde_json::Value as Json;
use sha2::Sha256;

use crate::base::email::Email;
use crate::base::time::{MINUTE_MS, Timestamp};
use crate::subscriptions::suppression::Told;

/// A signature is good for so long: who listens on the way cannot use it later.
const FRESH_MS: i64 = 15 * MINUTE_MS;

/// The providers whose webhooks are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    Ses,
    SendGrid,
    Mailgun,
    Postmark,
    Brevo,
}

impl Provider {
    /// Every provider.
    pub const ALL: [Self; 5] = [Self::Ses, Self::SendGrid, Self::Mailgun, Self::Postmark, Self::Brevo];

    /// The word in addresses and in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ses => "ses",
            Self::SendGrid => "sendgrid",
            Self::Mailgun => "mailgun",
            Self::Postmark => "postmark",
            Self::Brevo => "brevo",
        }
    }

    /// The provider of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.word() == word)
    }

    /// The reports of a body that is JSON. What is of no matter (an opening, a delivery) gives none.
    pub fn reports(self, body: &Json) -> Vec<Report> {
        match self {
            // The notification itself is a text within the signed envelope.
            Self::Ses => {
                let id = text(body, "MessageId").unwrap_or_default();
                let message = text(body, "Message").and_then(|text| serde_json::from_str(text).ok());
                message.map(|message: Json| ses(id, &message)).unwrap_or_default()
            }
            Self::SendGrid => body.as_array().into_iter().flatten().filter_map(sendgrid).collect(),
            Self::Mailgun => body.get("event-data").and_then(mailgun).into_iter().collect(),
            Self::Postmark => postmark(body).into_iter().collect(),
            Self::Brevo => match body {
                Json::Array(list) => list.iter().filter_map(brevo).collect(),
                one => brevo(one).into_iter().collect(),
            },
        }
    }
}

/// What was told of one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The same for the same news, however often it is told.
    pub told_id: String,
    pub address: Email,
    pub told: Told,
    pub detail: Option<String>,
}

fn text<'j>(json: &'j Json, name: &str) -> Option<&'j str> {
    json.get(name).and_then(Json::as_str)
}

/// A text, or a number as text.
fn id(json: &Json, name: &str) -> Option<String> {
    let value = json.get(name)?;
    value.as_str().map(str::to_owned).or_else(|| value.as_i64().map(|number| number.to_string()))
}

fn report(told_id: String, address: &str, told: Told, detail: Option<&str>) -> Option<Report> {
    let told_id: String = told_id.chars().take(300).collect();
    let address = Email::parse(address).ok()?;
    (!told_id.is_empty()).then(|| Report { told_id, address, told, detail: detail.map(str::to_owned) })
}

fn ses(id: &str, message: &Json) -> Vec<Report> {
    let kind = text(message, "notificationType").or_else(|| text(message, "eventType")).unwrap_or_default();
    let (list, told) = match kind {
        "Bounce" => {
            let bounce = message.get("bounce").cloned().unwrap_or_default();
            let told = match text(&bounce, "bounceType") {
                Some("Permanent") => Told::HardBounce,
                _ => Told::SoftBounce,
            };
            (bounce.get("bouncedRecipients").cloned(), told)
        }
        "Complaint" => (message.pointer("/complaint/complainedRecipients").cloned(), Told::Complaint),
        _ => return Vec::new(),
    };
    let recipients = list.as_ref().and_then(Json::as_array).cloned().unwrap_or_default();
    recipients
        .iter()
        .filter_map(|one| {
            let address = text(one, "emailAddress")?;
            report(format!("{id}:{address}"), address, told, text(one, "diagnosticCode"))
        })
        .collect()
}

fn sendgrid(event: &Json) -> Option<Report> {
    let told = match (text(event, "event")?, text(event, "type")) {
        ("bounce", Some("blocked")) => Told::SoftBounce,
        ("bounce", _) => Told::HardBounce,
        ("spamreport", _) => Told::Complaint,
        _ => return None,
    };
    report(id(event, "sg_event_id")?, text(event, "email")?, told, text(event, "reason"))
}

fn mailgun(event: &Json) -> Option<Report> {
    let address = text(event, "recipient")?;
    let (told, told_id) = match (text(event, "event")?, text(event, "severity")) {
        ("failed", Some("permanent")) => (Told::HardBounce, id(event, "id")?),
        // Each try is told; all tries of one mail count once.
        ("failed", _) => {
            let mail = event.pointer("/message/headers/message-id").and_then(Json::as_str)?;
            (Told::SoftBounce, format!("soft:{mail}:{address}"))
        }
        ("complained", _) => (Told::Complaint, id(event, "id")?),
        _ => return None,
    };
    let detail = event.pointer("/delivery-status/message").and_then(Json::as_str);
    report(told_id, address, told, detail)
}

fn postmark(body: &Json) -> Option<Report> {
    let told = match (text(body, "RecordType")?, text(body, "Type")) {
        ("SpamComplaint", _) | ("Bounce", Some("SpamComplaint" | "SpamNotification")) => Told::Complaint,
        ("Bounce", Some("HardBounce" | "BadEmailAddress")) => Told::HardBounce,
        ("Bounce", Some("SoftBounce" | "Transient" | "DnsError" | "Blocked")) => Told::SoftBounce,
        _ => return None,
    };
    report(id(body, "ID")?, text(body, "Email")?, told, text(body, "Description"))
}

fn brevo(event: &Json) -> Option<Report> {
    let kind = text(event, "event")?;
    let told = match kind {
        "hard_bounce" | "invalid_email" => Told::HardBounce,
        "soft_bounce" | "blocked" => Told::SoftBounce,
        "spam" | "complaint" => Told::Complaint,
        _ => return None,
    };
    let address = text(event, "email")?;
    let mail = id(event, "message-id").or_else(|| id(event, "id"))?;
    report(format!("{kind}:{mail}:{address}"), address, told, text(event, "reason"))
}

// --- signatures ----------------------------------------------------------------------------------

/// Whether SendGrid's signature holds: ECDSA over P-256 of the time and the body, by the account's public key (base64 of
/// a SubjectPublicKeyInfo).
pub fn sendgrid_signed(key: &str, signature: &str, at: &str, body: &[u8], now: Timestamp) -> bool {
    let (Ok(key), Ok(signature)) = (STANDARD.decode(key.trim()), STANDARD.decode(signature)) else {
        return false;
    };
    // The point stands at the end of the structure: 65 bytes, uncompressed (RFC 5480).
    let Some(point) = key.len().checked_sub(65).and_then(|from| key.get(from..)) else { return false };
    let signed = [at.as_bytes(), body].concat();
    is_fresh(at, now)
        && ring::signature::UnparsedPublicKey::new(&ring::signature::ECDSA_P256_SHA256_ASN1, point)
            .verify(&signed, &signature)
            .is_ok()
}

/// Whether Mailgun's signature in the body holds: HMAC-SHA256 of time and token.
pub fn mailgun_signed(key: &str, body: &Json, now: Timestamp) -> bool {
    let Some(signature) = body.get("signature") else { return false };
    let part = |name: &str| text(signature, name).unwrap_or_default();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return false };
    mac.update(part("timestamp").as_bytes());
    mac.update(part("token").as_bytes());
    let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let is_right: bool =
        subtle::ConstantTimeEq::ct_eq(expected.as_bytes(), part("signature").as_bytes()).into();
    is_right && is_fresh(part("timestamp"), now)
}

/// A time in seconds that lies near enough.
fn is_fresh(at: &str, now: Timestamp) -> bool {
    let at = at.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1_000));
    at.is_some_and(|at| now.since_ms(Timestamp(at)).abs() <= FRESH_MS)
}

/// Whether a host is one from which Amazon hands out the certificates of its notifications.
pub fn is_sns_host(host: &str) -> bool {
    let region = host.strip_prefix("sns.").and_then(|rest| {
        rest.strip_suffix(".amazonaws.com").or_else(|| rest.strip_suffix(".amazonaws.com.cn"))
    });
    region.is_some_and(|region| {
        !region.is_empty() && region.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    })
}

/// Whether a notification of Amazon SNS carries the signature of this certificate (PEM). Signature version 2 (SHA-256) is
/// taken; version 1 is SHA-1.
pub fn sns_signed(body: &Json, certificate: &str) -> bool {
    if text(body, "SignatureVersion") != Some("2") {
        return false;
    }
    let names: &[&str] = match text(body, "Type") {
        Some("Notification") => &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
        Some("SubscriptionConfirmation" | "UnsubscribeConfirmation") => {
            &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        }
        _ => return false,
    };
    let mut signed = String::new();
    for name in names {
        if let Some(value) = text(body, name) {
            signed.push_str(&format!("{name}\n{value}\n"));
        }
    }
    let Some(signature) = text(body, "Signature").and_then(|text| STANDARD.decode(text).ok()) else {
        return false;
    };
    let inside: String =
        certificate.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
    let Ok(der) = STANDARD.decode(inside) else { return false };
    let der = rustls::pki_types::CertificateDer::from(der);
    let Ok(certificate) = webpki::EndEntityCert::try_from(&der) else { return false };
    certificate
        .verify_signature(webpki::ring::RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
        .is_ok()
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
    use serde_json::json;

    use super::*;

    fn told(provider: Provider, body: &Json) -> Vec<(String, Told)> {
        provider.reports(body).into_iter().map(|report| (report.address.to_string(), report.told)).collect()
    }

    #[test]
    fn each_provider_tells_the_same_in_its_own_words() {
        let nikki = || "nikki@acme.example".to_owned();
        let ses = |message: Json| json!({ "Type": "Notification", "MessageId": "1", "Message": message.to_string() });
        let gone = ses(json!({
            "notificationType": "Bounce",
            "bounce": { "bounceType": "Permanent", "bouncedRecipients": [{ "emailAddress": nikki() }] },
        }));
        assert_eq!(told(Provider::Ses, &gone), [(nikki(), Told::HardBounce)]);
        let spam = ses(json!({
            "eventType": "Complaint", "complaint": { "complainedRecipients": [{ "emailAddress": nikki() }] },
        }));
        assert_eq!(told(Provider::Ses, &spam), [(nikki(), Told::Complaint)]);
        let events = json!([
            { "email": nikki(), "event": "bounce", "type": "bounce", "sg_event_id": "a" },
            { "email": nikki(), "event": "bounce", "type": "blocked", "sg_event_id": "b" },
            { "email": nikki(), "event": "open", "sg_event_id": "c" },
        ]);
        assert_eq!(
            told(Provider::SendGrid, &events),
            [(nikki(), Told::HardBounce), (nikki(), Told::SoftBounce)]
        );
        let failed = |severity: &str| {
            json!({ "event-data": {
                "id": "x", "event": "failed", "severity": severity, "recipient": nikki(),
                "message": { "headers": { "message-id": "m@x" } },
            }})
        };
        assert_eq!(told(Provider::Mailgun, &failed("permanent")), [(nikki(), Told::HardBounce)]);
        assert_eq!(told(Provider::Mailgun, &failed("temporary")), [(nikki(), Told::SoftBounce)]);
        let hard = json!({ "RecordType": "Bounce", "Type": "HardBounce", "ID": 42, "Email": nikki() });
        assert_eq!(told(Provider::Postmark, &hard), [(nikki(), Told::HardBounce)]);
        let soft = json!({ "event": "soft_bounce", "email": nikki(), "message-id": "<m@x>" });
        assert_eq!(told(Provider::Brevo, &soft), [(nikki(), Told::SoftBounce)]);
        for provider in Provider::ALL {
            for nonsense in [json!(null), json!([]), json!({}), json!([1]), json!({ "event": "failed" })] {
                assert!(provider.reports(&nonsense).is_empty(), "{provider:?} {nonsense}");
            }
        }
    }

    #[test]
    fn a_signature_of_sendgrid_holds_for_its_body_and_its_time_only() {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("made");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).expect("read");
        // Nothing of the structure but the point at its end is looked at.
        let key = STANDARD.encode([&[0_u8; 26], pair.public_key().as_ref()].concat());
        let (now, body) = (Timestamp(1_795_620_000_000), b"[{}]".as_slice());
        let at = (now.as_ms() / 1_000).to_string();
        let signature = pair.sign(&random, &[at.as_bytes(), body].concat()).expect("signed");
        let signature = STANDARD.encode(signature.as_ref());
        assert!(sendgrid_signed(&key, &signature, &at, body, now));
        assert!(!sendgrid_signed(&key, &signature, &at, b"[{ }]", now));
        assert!(!sendgrid_signed(&key, &signature, &at, body, now.plus_ms(FRESH_MS + 1_000)));
        assert!(!sendgrid_signed("", &signature, &at, body, now));
    }

    #[test]
    fn a_signature_of_mailgun_holds_for_its_token_and_its_time_only() {
        let now = Timestamp(1_795_620_000_000);
        let at = (now.as_ms() / 1_000).to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(b"key").expect("any length");
        mac.update(format!("{at}token").as_bytes());
        let right: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let body = |signature: &str| json!({ "signature": { "timestamp": at, "token": "token", "signature": signature } });
        assert!(mailgun_signed("key", &body(&right), now));
        assert!(!mailgun_signed("another", &body(&right), now));
        assert!(!mailgun_signed("key", &body("00"), now));
        assert!(!mailgun_signed("key", &body(&right), now.plus_ms(2 * FRESH_MS)));
    }

    /// Made once: `openssl req -x509 -newkey rsa:2048 -nodes -days 36500 -subj /CN=sns.test`, and
    /// `openssl dgst -sha256 -sign` over the text to be signed.
    #[test]
    fn a_notification_of_amazon_is_believed_with_the_signature_of_its_certificate_only() {
        let certificate = include_str!("testdata/sns.pem");
        let body = |message: &str, version: &str| {
            json!({
                "Type": "Notification", "MessageId": "m-1", "TopicArn": "arn:aws:sns:eu-west-1:1:faro",
                "Message": message, "Timestamp": "2026-11-22T10:00:00.000Z", "SignatureVersion": version,
                "Signature": include_str!("testdata/sns.signature").trim(),
            })
        };
        assert!(sns_signed(&body("{}", "2"), certificate));
        assert!(!sns_signed(&body("{ }", "2"), certificate));
        assert!(!sns_signed(&body("{}", "1"), certificate), "SHA-1 is not believed");
        assert!(!sns_signed(
            &body("{}", "2"),
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
        ));
    }

    #[test]
    fn certificates_come_from_amazons_own_hosts_only() {
        assert!(is_sns_host("sns.eu-west-1.amazonaws.com"));
        for foreign in [
            "sns.evil.example",
            "sns.eu.amazonaws.com.evil.example",
            "evil.sns.eu-west-1.amazonaws.com",
            "sns..amazonaws.com",
        ] {
            assert!(!is_sns_host(foreign), "{foreign}");
        }
    }
}
