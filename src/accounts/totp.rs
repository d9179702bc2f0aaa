//! One-time passwords by time (RFC 6238 over RFC 4226): SHA-1, six digits, steps of thirty seconds, which is what every
//! program for phones understands.

use ring::hmac;
use subtle::ConstantTimeEq;

use crate::base::time::Timestamp;

/// Bytes of a secret: as long as the digest (RFC 4226, section 4, R6).
pub(super) const SECRET_BYTES: usize = 20;
/// A step, in milliseconds.
const STEP_MS: i64 = 30_000;
/// Steps before and after the present one whose codes are taken: phones are late, and so are people.
const WINDOW: i64 = 1;
/// The alphabet of RFC 4648, section 6.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The code of a step, without leading zeros.
fn number(secret: &[u8], step: i64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    let offset = usize::from(bytes.last().copied().unwrap_or_default() & 0x0f);
    let part = bytes.iter().skip(offset).take(4).fold(0_u32, |all, byte| (all << 8) | u32::from(*byte));
    (part & 0x7fff_ffff) % 1_000_000
}

/// The step that a code is of, if it is of one of those that are taken now.
pub(super) fn step_of(secret: &[u8], code: &str, now: Timestamp) -> Option<i64> {
    let present = now.as_ms().div_euclid(STEP_MS);
    let mut found = None;
    // Every step is looked at, whatever the others were, so that the time taken tells nothing.
    for step in present - WINDOW..=present + WINDOW {
        let right = format!("{:06}", number(secret, step));
        if bool::from(right.as_bytes().ct_eq(code.as_bytes())) {
            found = Some(step);
        }
    }
    found
}

/// Bytes in base32 (RFC 4648) without padding, as programs for phones want secrets.
pub(super) fn base32(bytes: &[u8]) -> String {
    let mut text = String::new();
    let (mut held, mut bits) = (0_u32, 0_u32);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(letter(held >> bits));
            held &= (1 << bits) - 1;
        }
    }
    if bits > 0 {
        text.push(letter(held << (5 - bits)));
    }
    text
}

fn letter(five_bits: u32) -> char {
    let place = usize::try_from(five_bits & 31).unwrap_or_default();
    ALPHABET.get(place).copied().map_or('A', char::from)
}

/// The bytes of a base32 text; none if it is no such text.
pub(super) fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut held, mut bits) = (0_u32, 0_u32);
    for c in text.bytes() {
        let place = ALPHABET.iter().position(|known| *known == c)?;
        held = (held << 5) | u32::try_from(place).ok()?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits).ok()?);
            held &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the phone shows.
    fn code(secret: &[u8], now: Timestamp) -> String {
        format!("{:06}", number(secret, now.as_ms().div_euclid(STEP_MS)))
    }

    /// The secret of RFC 6238, appendix B.
    const SECRET: &[u8] = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_the_standard() {
        // The last six of the eight digits that appendix B lists for SHA-1.
        for (second, wanted) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code(SECRET, Timestamp(second * 1_000)), wanted);
        }
    }

    #[test]
    fn a_code_is_taken_one_step_early_and_one_late_and_no_further() {
        let now = Timestamp(1_800_000_000_000);
        let at = |steps: i64| step_of(SECRET, &code(SECRET, now.plus_ms(steps * STEP_MS)), now);
        let present = now.as_ms() / STEP_MS;
        assert_eq!([at(-1), at(0), at(1)], [Some(present - 1), Some(present), Some(present + 1)]);
        assert_eq!([at(-2), at(2)], [None, None]);
        assert_eq!([step_of(SECRET, "", now), step_of(SECRET, "12345", now)], [None, None]);
    }

    #[test]
    fn base32_is_that_of_the_standard_and_leads_back() {
        // RFC 4648, section 10, without padding.
        for (plain, wanted) in [("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foobar", "MZXW6YTBOI")] {
            assert_eq!(base32(plain.as_bytes()), wanted);
            assert_eq!(bytes_of(wanted).as_deref(), Some(plain.as_bytes()));
        }
        assert_eq!(bytes_of("MZ1W6"), None);
    }
}
