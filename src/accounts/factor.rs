//! The second factor: a code of a program on a phone ([`totp`]), or one of ten recovery codes.
//!
//! It is set up in two moves: a secret is made, and only the first right code puts it to use, so that nobody locks herself
//! out by a picture that she did not take. A code is good once, a recovery code as well.

use super::{Error, PER_CODE, Result, store, totp};
use crate::base::email::Email;
use crate::base::ids::AccountId;
use crate::base::secret::Secret;
use crate::base::signing::{Keys, sha256_hex};
use crate::base::time::Timestamp;
use crate::storage::db::{Queries, Tx};
use crate::storage::limits::Limits;

/// Recovery codes that somebody is given at once.
pub const RECOVERY_CODES: usize = 10;
/// Letters of one: fifty random bits, and beside them a key of the server's own.
const CODE_LETTERS: usize = 10;

/// What a program for phones has to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetUp {
    /// To be typed, in groups of four letters.
    pub secret: String,
    /// To be shown as a QR code (`otpauth://`).
    pub address: String,
}

fn purpose(id: &str) -> [&str; 2] {
    ["second factor", id]
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes).expect("the system has a random source");
    bytes
}

/// Makes a secret that waits for its first code; one that waits already is replaced.
///
/// # Errors
/// [`Error::FactorState`] if a second factor is in use.
pub async fn begin(tx: &mut Tx, keys: &Keys, id: AccountId) -> Result<()> {
    if store::totp(tx, id).await?.is_some_and(|(_, since)| since.is_some()) {
        return Err(Error::FactorState);
    }
    let secret = Secret::new(totp::base32(&random::<{ totp::SECRET_BYTES }>()));
    store::begin_totp(tx, id, &keys.seal(&purpose(&id.to_string()), &secret)).await?;
    Ok(())
}

/// What waits for its first code, for a program on the phone of whoever logs in with `email` at `company`.
///
/// # Errors
/// As the store says.
pub async fn waiting(
    q: &mut impl Queries,
    keys: &Keys,
    id: AccountId,
    email: &Email,
    company: &str,
) -> Result<Option<SetUp>> {
    let Some((sealed, None)) = store::totp(q, id).await? else { return Ok(None) };
    let Some(secret) = keys.unseal(&purpose(&id.to_string()), &sealed) else { return Ok(None) };
    let secret = secret.expose();
    let written = |text: &str| {
        let text: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        text.replace('+', "%20")
    };
    // A colon parts the issuer from the account, so neither may hold one.
    let (company, account) = (written(&company.replace(':', " ")), written(email.as_str()));
    let groups: Vec<&str> =
        secret.as_bytes().chunks(4).filter_map(|four| std::str::from_utf8(four).ok()).collect();
    Ok(Some(SetUp {
        secret: groups.join(" "),
        address: format!("otpauth://totp/{company}:{account}?secret={secret}&issuer={company}"),
    }))
}

/// Puts the second factor to use if the code is right; returns the recovery codes, which cannot be had again.
///
/// # Errors
/// [`Error::CodeWrong`], [`Error::FactorState`], [`Error::TooMany`].
pub async fn confirm(
    tx: &mut Tx,
    limits: &dyn Limits,
    keys: &Keys,
    id: AccountId,
    code: &str,
    now: Timestamp,
) -> Result<Vec<String>> {
    limits.check("login_code", &id.to_string(), PER_CODE, now).await?;
    take(tx, keys, id, &digits(code), now).await?;
    if !store::start_totp(tx, id, now).await? {
        return Err(Error::FactorState);
    }
    renew(tx, keys, id, now).await
}

/// New recovery codes; those before are worthless.
///
/// # Errors
/// As the store says.
pub async fn renew(tx: &mut Tx, keys: &Keys, id: AccountId, now: Timestamp) -> Result<Vec<String>> {
    store::forget_codes(tx, id).await?;
    let mut codes = Vec::new();
    for _ in 0..RECOVERY_CODES {
        let letters: String = totp::base32(&random::<8>()).chars().take(CODE_LETTERS).collect();
        store::keep_code(tx, id, &digest(keys, id, &letters), now).await?;
        let (first, last) = letters.split_at(CODE_LETTERS / 2);
        codes.push(format!("{first}-{last}").to_lowercase());
    }
    Ok(codes)
}

/// Asks for no second factor any more.
///
/// # Errors
/// As the store says.
pub async fn end(tx: &mut Tx, id: AccountId) -> Result<()> {
    store::end_totp(tx, id).await?;
    Ok(())
}

/// How many recovery codes are left.
///
/// # Errors
/// As the store says.
pub async fn codes_left(q: &mut impl Queries, id: AccountId) -> Result<i64> {
    Ok(store::codes_left(q, id).await?)
}

/// Spends a code of the phone or a recovery code.
///
/// # Errors
/// [`Error::CodeWrong`].
pub(super) async fn spend(
    tx: &mut Tx,
    keys: &Keys,
    id: AccountId,
    typed: &str,
    now: Timestamp,
) -> Result<()> {
    let digits = digits(typed);
    if digits.len() == 6 && typed.chars().all(|c| c.is_ascii_digit() || c == ' ') {
        return take(tx, keys, id, &digits, now).await;
    }
    let letters: String = typed.chars().filter(char::is_ascii_alphanumeric).collect();
    let digest = digest(keys, id, &letters.to_ascii_uppercase());
    if store::spend_code(tx, id, &digest, now).await? { Ok(()) } else { Err(Error::CodeWrong) }
}

async fn take(tx: &mut Tx, keys: &Keys, id: AccountId, code: &str, now: Timestamp) -> Result<()> {
    let (sealed, _) = store::totp(tx, id).await?.ok_or(Error::FactorState)?;
    let secret = keys.unseal(&purpose(&id.to_string()), &sealed);
    let secret = secret.and_then(|secret| totp::bytes_of(secret.expose())).ok_or(Error::FactorState)?;
    let step = totp::step_of(&secret, code, now).ok_or(Error::CodeWrong)?;
    if store::take_step(tx, id, step).await? { Ok(()) } else { Err(Error::CodeWrong) }
}

fn digits(typed: &str) -> String {
    typed.chars().filter(char::is_ascii_digit).collect()
}

fn digest(keys: &Keys, id: AccountId, letters: &str) -> String {
    sha256_hex(keys.digest("recovery code", &[&id.to_string(), letters]))
}
