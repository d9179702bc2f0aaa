//! What is sent to a browser, encrypted so that its push service cannot read it: `aes128gcm` (RFC 8188) with keys agreed on
//! as Web Push does (RFC 8291).

use hmac::{Hmac, Mac};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::rand::SystemRandom;
use sha2::Sha256;

use super::Subscription;

/// The largest record, and all that a push service must take (RFC 8030, 7.2).
const RECORD: u32 = 4_096;
/// Bytes of what is said, beside which 86 of the header, 16 of the tag and one mark fit into a record.
pub const MOST: usize = 3_072;
/// What is said is filled up to a multiple of this, so that its length says little.
const STEP: usize = 512;
/// Ends what is said in the last record (RFC 8188, 2).
const LAST: u8 = 2;

/// Encrypts for a browser; none if its key is no point, or if it is too much.
pub fn seal(to: &Subscription, said: &[u8]) -> Option<Vec<u8>> {
    if said.len() > MOST {
        return None;
    }
    let own = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).ok()?;
    let public = own.compute_public_key().ok()?;
    let theirs = UnparsedPublicKey::new(&ECDH_P256, to.p256dh.as_slice());
    let shared = agree_ephemeral(own, &theirs, |shared| hmac(&to.auth, &[shared])).ok()?;
    let key = hmac(&shared, &[b"WebPush: info\0", &to.p256dh, public.as_ref(), &[1]]);
    let mut salt = [0_u8; 16];
    getrandom::fill(&mut salt).ok()?;
    // One block of HKDF (RFC 5869) is enough for both.
    let pseudorandom = hmac(&salt, &[&key]);
    let content_key = hmac(&pseudorandom, &[b"Content-Encoding: aes128gcm\0", &[1]]);
    let nonce = hmac(&pseudorandom, &[b"Content-Encoding: nonce\0", &[1]]);
    let content_key = UnboundKey::new(&AES_128_GCM, content_key.get(..16)?).ok()?;
    let nonce = Nonce::try_assume_unique_for_key(nonce.get(..12)?).ok()?;

    let mut record = said.to_vec();
    record.push(LAST);
    record.resize(record.len().div_ceil(STEP) * STEP, 0);
    LessSafeKey::new(content_key).seal_in_place_append_tag(nonce, Aad::empty(), &mut record).ok()?;

    let mut out = salt.to_vec();
    out.extend(RECORD.to_be_bytes());
    out.push(u8::try_from(public.as_ref().len()).ok()?);
    out.extend_from_slice(public.as_ref());
    out.extend(record);
    Some(out)
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}
