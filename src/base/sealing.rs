//! Secrets of other systems that the store keeps: passwords and addresses that are secrets themselves.
//!
//! Sealed with AES-256-GCM under a key derived from the server's secret and bound to what it is for, so that a sealed text
//! cannot be moved to another place. `sealed = "1." base64url(nonce ‖ ciphertext ‖ tag)`. Whoever has only the database
//! has nothing; whoever changes the server's secret must connect again what was sealed with the old one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::secret::Secret;
use super::signing::Keys;

/// What stands before every text sealed in this way.
const VERSION: &str = "1.";

impl Keys {
    /// Seals a secret for `purpose`: what it is, and whose.
    pub fn seal(&self, purpose: &[&str], secret: &Secret) -> String {
        let mut nonce = [0_u8; NONCE_LEN];
        getrandom::fill(&mut nonce).expect("the system has a random source");
        let mut text = secret.expose().as_bytes().to_vec();
        self.sealing_key(purpose)
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut text)
            .expect("a secret is shorter than the 64 GiB that the cipher takes");
        format!("{VERSION}{}", URL_SAFE_NO_PAD.encode([nonce.as_slice(), &text].concat()))
    }

    /// Opens what was sealed for the same purpose; none if it was not, or with another key.
    pub fn unseal(&self, purpose: &[&str], sealed: &str) -> Option<Secret> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed.strip_prefix(VERSION)?).ok()?;
        let (nonce, text) = bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let open = self.sealing_key(purpose).open_in_place(nonce, Aad::empty(), &mut text).ok()?;
        Some(Secret::new(std::str::from_utf8(open).ok()?))
    }

    fn sealing_key(&self, purpose: &[&str]) -> LessSafeKey {
        let key = self.digest("sealing", purpose);
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).expect("a digest has the cipher's 32 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(secret: &str) -> Keys {
        Keys::new(&Secret::new(secret))
    }

    #[test]
    fn what_is_sealed_opens_for_its_purpose_and_its_key_only() {
        let ours = keys("a secret of at least thirty-two characters");
        let sealed = ours.seal(&["calendar", "17"], &Secret::new("pa55wörd"));
        assert!(!sealed.contains("pa55"));
        assert_eq!(ours.unseal(&["calendar", "17"], &sealed).as_ref().map(Secret::expose), Some("pa55wörd"));
        assert_eq!(ours.unseal(&["calendar", "18"], &sealed), None);
        assert_eq!(
            keys("another secret of thirty-two characters").unseal(&["calendar", "17"], &sealed),
            None
        );
        assert_ne!(ours.seal(&["calendar", "17"], &Secret::new("pa55wörd")), sealed, "a nonce is used once");
    }

    #[test]
    fn a_sealed_text_that_was_changed_opens_no_more() {
        let ours = keys("a secret of at least thirty-two characters");
        let sealed = ours.seal(&["x"], &Secret::new("secret"));
        for at in 0..sealed.len() {
            let mut bytes = sealed.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).expect("ASCII");
            // The last letter holds bits that mean nothing; the decoder refuses them.
            assert_eq!(ours.unseal(&["x"], &changed), None, "{at}");
        }
        assert_eq!(ours.unseal(&["x"], ""), None);
        assert_eq!(ours.unseal(&["x"], "1."), None);
    }
}
