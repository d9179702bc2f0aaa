//! DKIM: mails say by a signature for which domain they were sent (RFC 6376; Ed25519 by RFC 8463).
//!
//! Signed are the mail's body and those headers that a reader or a program acts upon, in the relaxed form of both, so that
//! a server on the way may fold lines anew. With two keys there are two signatures: everybody verifies RSA, and a receiver
//! that knows Ed25519 has the shorter one. The time of signing is not told: a clock that is wrong would make a good mail
//! unbelievable.

mod canonical;
mod keys;
pub mod newborn;

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use self::canonical::Parsed;
pub use self::keys::Kind;
use self::keys::Pair;
use crate::base::email::Email;
use crate::base::secret::Secret;
use crate::config;

/// What is signed, if it is there. Those that a server on the way may add or write anew (`Return-Path`, `Received`) are not.
const SIGNED: &[&str] = &[
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "reply-to",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "auto-submitted",
    "list-unsubscribe",
    "list-unsubscribe-post",
];
/// Named once more than they are there, so that another one that is put in breaks the signature (RFC 6376, 8.15).
const SEALED: &[&str] = &[
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "reply-to",
    "mime-version",
    "content-type",
    "list-unsubscribe",
    "list-unsubscribe-post",
];
/// Characters of a signature in one line.
const LINE: usize = 70;
/// Characters in one string of a TXT record (RFC 1035, 3.3.14).
const TXT_STRING: usize = 255;

/// Signs mails for one domain.
pub struct Dkim {
    domain: String,
    keys: Vec<Key>,
}

/// A key and the name it is published under.
struct Key {
    selector: String,
    pair: Pair,
}

/// What is to be published, so that others can verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The name in the DNS, without a dot at the end.
    pub name: String,
    /// The TXT record's text.
    pub value: String,
}

impl Record {
    /// The record as a line of a zone file, in strings of at most 255 characters.
    pub fn in_zone_file(&self) -> String {
        let strings: Vec<String> = split(&self.value, TXT_STRING).map(|part| format!("\"{part}\"")).collect();
        format!("{}. IN TXT ( {} )", self.name, strings.join(" "))
    }
}

impl Dkim {
    /// Reads the keys of the settings; none if there are none. `folder` is where relative paths begin.
    ///
    /// # Errors
    /// A sentence for the operator, which says no part of a key.
    pub fn open(settings: &config::Dkim, from: &Email, folder: &Path) -> Result<Option<Self>, String> {
        let domain = match settings.domain.trim() {
            "" => from.domain().to_owned(),
            domain => domain.trim_end_matches('.').to_ascii_lowercase(),
        };
        let all = [
            (Kind::Rsa, "rsa", &settings.rsa_selector, &settings.rsa_key),
            (Kind::Ed25519, "ed25519", &settings.ed25519_selector, &settings.ed25519_key),
        ];
        let mut keys: Vec<Key> = Vec::new();
        for (kind, word, selector, key) in all {
            if key.is_empty() {
                continue;
            }
            let selector = selector.trim().to_ascii_lowercase();
            if !is_name(&selector) {
                return Err(format!(
                    "mail.dkim.{word}_selector: `{selector}` cannot stand in a name of the DNS; use letters, digits and hyphens"
                ));
            }
            if keys.iter().any(|known| known.selector == selector) {
                return Err(
                    "mail.dkim: both keys have the same selector; each needs a record of its own".to_owned()
                );
            }
            let text = text_of(key, folder).map_err(|why| format!("mail.dkim.{word}_key: {why}"))?;
            let pair = Pair::read(kind, &text).map_err(|why| format!("mail.dkim.{word}_key: {why}"))?;
            keys.push(Key { selector, pair });
        }
        if keys.is_empty() {
            return Ok(None);
        }
        if !is_name(&domain) {
            return Err(format!("mail.dkim.domain: `{domain}` is not a domain"));
        }
        let is_aligned = from.domain() == domain || from.domain().ends_with(&format!(".{domain}"));
        if !is_aligned {
            return Err(format!(
                "mail.dkim.domain: `{domain}` is neither the domain of mail.from nor one above it, so receivers would not \
                 count the signature (RFC 7489, 3.1.1)"
            ));
        }
        Ok(Some(Self { domain, keys }))
    }

    /// What is to be published.
    pub fn records(&self) -> Vec<Record> {
        self.keys.iter().map(|key| record(&key.selector, &self.domain, &key.pair)).collect()
    }

    /// The mail with a signature of each key before it.
    ///
    /// # Errors
    /// What is no mail, or a key that cannot sign.
    pub fn sign(&self, mail: &[u8]) -> Result<Vec<u8>, &'static str> {
        let parsed = Parsed::of(mail).ok_or("the mail has no end of its headers")?;
        let body = STANDARD.encode(Sha256::digest(canonical::body(parsed.body)));
        let (names, signed) = chosen(&parsed);
        let mut out = Vec::with_capacity(mail.len() + 1024);
        for key in &self.keys {
            let head = format!(
                "DKIM-Signature: v=1; a={}-sha256; c=relaxed/relaxed; d={};\r\n\ts={}; h={};\r\n\tbh={body};\r\n\tb=",
                key.pair.kind().word(),
                self.domain,
                key.selector,
                folded(&names, ':'),
            );
            let mut text = signed.clone();
            // The signature's own header comes last, without its value and without an end of the line.
            text.extend(canonical::header(&head));
            text.truncate(text.len() - b"\r\n".len());
            let signature = STANDARD.encode(key.pair.sign(&text).ok_or("the key cannot sign")?);
            let lines: Vec<&str> = split(&signature, LINE).collect();
            out.extend_from_slice(head.as_bytes());
            out.extend_from_slice(lines.join("\r\n\t").as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(mail);
        Ok(out)
    }
}

/// The record of a key under a selector.
fn record(selector: &str, domain: &str, pair: &Pair) -> Record {
    let kind = pair.kind().word();
    Record {
        name: format!("{selector}._domainkey.{domain}"),
        value: format!("v=DKIM1; k={kind}; p={}", STANDARD.encode(pair.public())),
    }
}

/// The names that are signed, and their headers in the same order: of those with one name the last one first (RFC 6376,
/// 5.4.2).
fn chosen(parsed: &Parsed<'_>) -> (Vec<&'static str>, Vec<u8>) {
    let (mut names, mut text) = (Vec::new(), Vec::new());
    for name in SIGNED {
        for header in parsed.headers.iter().rev().filter(|header| canonical::name(header) == *name) {
            names.push(*name);
            text.extend(canonical::header(header));
        }
        if SEALED.contains(name) {
            names.push(*name);
        }
    }
    (names, text)
}

/// A list in lines of moderate length.
fn folded(names: &[&str], mark: char) -> String {
    let (mut text, mut length) = (String::new(), 0);
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            text.push(mark);
            length += 1;
        }
        if length + name.len() > LINE {
            text.push_str("\r\n\t ");
            length = 0;
        }
        text.push_str(name);
        length += name.len();
    }
    text
}

/// The parts of an ASCII text of at most so many characters.
fn split(text: &str, most: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (part, after) = rest.split_at_checked(most.min(rest.len())).unwrap_or((rest, ""));
        rest = after;
        (!part.is_empty()).then_some(part)
    })
}

/// Labels of letters, digits and hyphens, with dots between (RFC 5321, 4.1.2).
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// A key's text: as it stands, in a variable (`env:NAME`), or in a file.
fn text_of(key: &Secret, folder: &Path) -> Result<Secret, String> {
    let given = key.expose().trim();
    if given.starts_with("-----BEGIN") {
        return Ok(key.clone());
    }
    if let Some(name) = given.strip_prefix("env:") {
        let text = std::env::var(name).map_err(|_| format!("the variable {name} is not set"))?;
        return Ok(Secret::new(text.as_str()));
    }
    let file = folder.join(given);
    let text = std::fs::read_to_string(&file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    Ok(Secret::new(text.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(newborn: &str) -> Dkim {
        let pair = Pair::read(Kind::Ed25519, &Secret::new(newborn)).expect("a key");
        Dkim { domain: "faro.example".to_owned(), keys: vec![Key { selector: "a".to_owned(), pair }] }
    }

    fn settings(rsa_key: &str, ed25519_key: &str) -> config::Dkim {
        config::Dkim {
            domain: String::new(),
            rsa_selector: "embudo".to_owned(),
            rsa_key: Secret::new(rsa_key),
            ed25519_selector: "embudo-ed".to_owned(),
            ed25519_key: Secret::new(ed25519_key),
        }
    }

    fn from() -> Email {
        Email::parse("calls@mail.faro.example").expect("an address")
    }

    fn why(settings: &config::Dkim) -> String {
        match Dkim::open(settings, &from(), Path::new("/nowhere")) {
            Ok(_) => "right".to_owned(),
            Err(why) => why,
        }
    }

    #[test]
    fn a_header_that_is_put_in_afterwards_is_among_the_names() {
        let key = newborn::make(Kind::Ed25519).expect("a key");
        let mail = b"From: a@faro.example\r\nTo: b@x.example\r\nSubject: Hola\r\n\r\nHi\r\n";
        let signed = String::from_utf8(signer(key.expose()).sign(mail).expect("signed")).expect("ASCII");
        let unfolded = signed.replace("\r\n\t ", "").replace("\r\n\t", " ");
        let names = unfolded.split("h=").nth(1).and_then(|rest| rest.split(';').next()).expect("names");
        assert!(names.starts_with("from:from:to:to:cc:subject:subject:"), "{names}");
        assert!(names.ends_with("list-unsubscribe:list-unsubscribe-post"), "{names}");
        assert!(signed.ends_with("Subject: Hola\r\n\r\nHi\r\n"), "the mail itself stays");
        assert!(signed.lines().all(|line| line.len() <= 100), "{signed}");
    }

    #[test]
    fn without_a_key_nothing_is_signed_and_a_wrong_one_is_told_without_being_shown() {
        assert_eq!(why(&settings("", "")), "right");
        let ed25519 = newborn::make(Kind::Ed25519).expect("a key");
        assert_eq!(why(&settings("", ed25519.expose())), "right");
        let mistaken = why(&settings(ed25519.expose(), ""));
        assert!(mistaken.starts_with("mail.dkim.rsa_key: "), "{mistaken}");
        let secret = ed25519.expose().lines().nth(1).expect("a line").to_owned();
        assert!(!mistaken.contains(&secret), "{mistaken}");
        assert!(why(&settings("keys/no.pem", "")).contains("/nowhere/keys/no.pem cannot be read"));
        assert!(why(&settings("env:EMBUDO_NO_SUCH", "")).contains("EMBUDO_NO_SUCH is not set"));
        let elsewhere = config::Dkim { domain: "acme.example".to_owned(), ..settings("", ed25519.expose()) };
        assert!(why(&elsewhere).starts_with("mail.dkim.domain: "));
        let above = config::Dkim { domain: "Faro.example".to_owned(), ..settings("", ed25519.expose()) };
        assert_eq!(why(&above), "right");
        let odd = config::Dkim { ed25519_selector: "a b".to_owned(), ..settings("", ed25519.expose()) };
        assert!(why(&odd).starts_with("mail.dkim.ed25519_selector: "));
    }

    #[test]
    fn a_long_record_is_written_in_strings() {
        let record = Record { name: "a._domainkey.faro.example".to_owned(), value: "x".repeat(300) };
        let line = record.in_zone_file();
        assert_eq!(
            line,
            format!("a._domainkey.faro.example. IN TXT ( \"{}\" \"{}\" )", "x".repeat(255), "x".repeat(45))
        );
    }
}
