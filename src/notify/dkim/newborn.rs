//! New keys. RSA of 2048 bits is what everybody verifies; primes come from `crypto-primes` (BPSW), arithmetic from
//! `crypto-bigint`, and the key is used only if *ring* finds nothing wrong with it.

use crypto_bigint::{BoxedUint, ConcatenatingMul as _, Resize as _};
use crypto_primes::{Flavor, random_prime};
use getrandom_0_4::SysRng;
use getrandom_0_4::rand_core::UnwrapErr;
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;

use super::keys::{Kind, Pair, RSA_ENCRYPTION, der, in_pem};
use super::{Record, record};
use crate::base::secret::Secret;

/// Bits of each of the two primes: 2048 in all. Longer ones do not fit into one answer of many name servers.
const PRIME_BITS: u32 = 1024;
/// The public exponent that everybody uses.
const EXPONENT: u32 = 65_537;

/// Makes a key; as PKCS #8 in PEM.
///
/// # Errors
/// If the system has no random source.
pub fn make(kind: Kind) -> Result<Secret, &'static str> {
    let key = match kind {
        Kind::Rsa => loop {
            // Two of five products have a bit too few; one pair in some ten thousand does not suit the exponent.
            if let Some(key) = rsa() {
                break key;
            }
        },
        Kind::Ed25519 => {
            let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
            made.map_err(|_| "the system has no random source")?.as_ref().to_vec()
        }
    };
    let text = in_pem(&key);
    Pair::read(kind, &text).map(|_| text)
}

/// What is to be published of a key.
///
/// # Errors
/// If it is none of this kind.
pub fn record_of(kind: Kind, key: &Secret, selector: &str, domain: &str) -> Result<Record, &'static str> {
    Ok(record(selector, domain, &Pair::read(kind, key)?))
}

/// Two primes and what follows from them (RFC 8017, 3.2 and A.1.2).
fn rsa() -> Option<Vec<u8>> {
    let mut random = UnwrapErr(SysRng);
    let mut prime = || random_prime::<BoxedUint, _>(&mut random, Flavor::Any, PRIME_BITS);
    let (p, q) = (prime(), prime());
    let (p, q) = if p > q { (p, q) } else { (q, p) };
    let n = p.concatenating_mul(&q);
    // Verifiers refuse what is shorter, if only by a bit.
    if n.bits_vartime() != 2 * PRIME_BITS {
        return None;
    }
    let one = BoxedUint::one_with_precision(PRIME_BITS);
    let (below_p, below_q) = (p.wrapping_sub(&one), q.wrapping_sub(&one));
    let phi = below_p.concatenating_mul(&below_q).into_nz().into_option()?;
    let e = BoxedUint::from(EXPONENT).resize(2 * PRIME_BITS);
    let d = e.invert_mod(&phi).into_option()?;
    let d_p = d.rem_vartime(&below_p.into_nz().into_option()?);
    let d_q = d.rem_vartime(&below_q.into_nz().into_option()?);
    let q_inverse = q.invert_mod(&p.clone().into_nz().into_option()?).into_option()?;
    let numbers = [&n, &e, &d, &p, &q, &d_p, &d_q, &q_inverse];
    let numbers = numbers.into_iter().flat_map(|number| integer(&number.to_be_bytes()));
    let key = der(0x30, &[integer(&[0])].into_iter().flatten().chain(numbers).collect::<Vec<u8>>());
    // `OneAsymmetricKey` with its algorithm (RFC 5958, 2).
    let algorithm = der(0x30, &[RSA_ENCRYPTION, &[0x05, 0x00]].concat());
    let pkcs8 = der(0x30, &[integer(&[0]), algorithm, der(0x04, &key)].concat());
    ring::signature::RsaKeyPair::from_pkcs8(&pkcs8).ok().map(|_| pkcs8)
}

/// A positive number in DER: no zeros before it but the one that keeps it positive.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let mut digits: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    if digits.first().is_none_or(|first| *first >= 0x80) {
        digits.insert(0, 0);
    }
    der(0x02, &digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_rsa_key_has_every_one_of_its_2048_bits() {
        for _ in 0..6 {
            let pair = Pair::read(Kind::Rsa, &make(Kind::Rsa).expect("a key")).expect("its own kind");
            // A number of 257 bytes, the first of which is 0: the next begins with a 1.
            let modulus = [0x02, 0x82, 0x01, 0x01, 0x00];
            assert!(pair.public().windows(5).any(|five| five == modulus));
        }
    }

    #[test]
    fn new_keys_of_both_kinds_sign_and_no_two_are_alike() {
        for kind in [Kind::Rsa, Kind::Ed25519] {
            let (one, other) = (make(kind).expect("a key"), make(kind).expect("a key"));
            assert_ne!(one.expose(), other.expose());
            let record = record_of(kind, &one, "a", "faro.example").expect("its own kind");
            assert_eq!(record.name, "a._domainkey.faro.example");
            assert!(record.value.starts_with(&format!("v=DKIM1; k={}; p=", kind.word())), "{}", record.value);
        }
        assert!(record_of(Kind::Rsa, &make(Kind::Ed25519).expect("a key"), "a", "b").is_err());
    }
}
