//! Passwords as Argon2id hashes: 19 MiB, 2 passes, 1 lane (OWASP's choice of parameters for Argon2id).

use std::sync::LazyLock;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::base::signing::random_text;

/// The shortest password that is taken, in characters.
pub const SHORTEST: usize = 12;

/// The hash that unknown addresses are checked against. Nobody knows its password.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now(&random_text(24)));

/// Hashes a password, off the threads that serve requests.
pub async fn hash(password: String) -> String {
    tokio::task::spawn_blocking(move || hash_now(&password)).await.expect("hashing does not panic")
}

/// Whether the password is the one behind the hash; takes as long when there is none, or an empty one: that of whoever was
/// invited and has not come yet.
pub async fn verify(password: String, hash: Option<&String>) -> bool {
    let hash = hash.filter(|hash| !hash.is_empty()).cloned();
    let work = move || {
        let is_known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.clone());
        let is_right = PasswordHash::new(&hash)
            .is_ok_and(|hash| hasher().verify_password(password.as_bytes(), &hash).is_ok());
        is_right && is_known
    };
    tokio::task::spawn_blocking(work).await.unwrap_or(false)
}

fn hash_now(password: &str) -> String {
    // 16 random bytes are 22 letters of base64; the salt's alphabet has other last two letters.
    let salt = random_text(16).replace('-', "+").replace('_', "/");
    let salt = SaltString::from_b64(&salt).expect("16 bytes in base64 are a salt");
    hasher()
        .hash_password(password.as_bytes(), &salt)
        .expect("the parameters are fixed and valid")
        .to_string()
}

fn hasher() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).expect("the parameters are within Argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_opens_its_hash() {
        let hash = hash("a lighthouse at night".to_owned()).await;
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify("a lighthouse at night".to_owned(), Some(&hash)).await);
        assert!(!verify("a lighthouse at noon".to_owned(), Some(&hash)).await);
        assert!(!verify(String::new(), None).await);
    }
}
