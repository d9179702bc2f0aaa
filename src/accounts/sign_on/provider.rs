//! What a provider says of itself (OpenID Connect Discovery 1.0, section 3), and what is asked of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use url::Url;
use url::form_urlencoded::byte_serialize;

use super::{Back, Error};
use crate::config::SignOn;

/// The doors of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its name for itself: the very text of the settings.
    pub issuer: String,
    pub authorization_endpoint: String,
    pub token_endpoint: String,
    pub jwks_uri: String,
    /// Where somebody logs out there, if it says so.
    pub end_session_endpoint: Option<String>,
    /// It takes our secret in the body alone, and not as HTTP Basic.
    pub wants_secret_in_body: bool,
    /// Its answers say who answers (RFC 9207).
    pub names_itself: bool,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    end_session_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// Where a provider tells of itself.
pub fn document_of(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}

impl Provider {
    /// Reads what the provider of `issuer` says of itself.
    ///
    /// # Errors
    /// [`Error::Unbelieved`] if it is another one, or one of its doors is not encrypted although it is.
    pub fn parse(issuer: &str, text: &str) -> Result<Self, Error> {
        let document: Document =
            serde_json::from_str(text).map_err(|_| Error::Unbelieved("its discovery document is none"))?;
        // A document that names another issuer would let that one's tokens in (section 4.3).
        if document.issuer != issuer {
            return Err(Error::Unbelieved("its discovery document is of another issuer"));
        }
        let scheme = |address: &str| Url::parse(address).ok().map(|url| url.scheme().to_owned());
        let own = scheme(issuer);
        let is_door =
            |address: &str| scheme(address).is_some_and(|other| other == "https" || Some(other) == own);
        let doors = [&document.authorization_endpoint, &document.token_endpoint, &document.jwks_uri];
        if !doors.into_iter().all(|door| is_door(door)) {
            return Err(Error::Unbelieved("one of its endpoints is no https address"));
        }
        let methods = document.token_endpoint_auth_methods_supported.unwrap_or_default();
        let knows = |method: &str| methods.iter().any(|known| known == method);
        Ok(Self {
            issuer: document.issuer,
            authorization_endpoint: document.authorization_endpoint,
            token_endpoint: document.token_endpoint,
            jwks_uri: document.jwks_uri,
            end_session_endpoint: document.end_session_endpoint.filter(|door| is_door(door)),
            wants_secret_in_body: knows("client_secret_post") && !knows("client_secret_basic"),
            names_itself: document.authorization_response_iss_parameter_supported,
        })
    }

    /// The headers and the body by which a code is exchanged (RFC 6749, sections 2.3.1 and 4.1.3).
    pub fn exchange(
        &self,
        settings: &SignOn,
        back: &Back,
        address: &str,
    ) -> (Vec<(&'static str, String)>, String) {
        let mut headers = vec![
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
            ("accept", "application/json".to_owned()),
        ];
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.append_pair("grant_type", "authorization_code")
            .append_pair("code", &back.code)
            .append_pair("redirect_uri", address)
            .append_pair("code_verifier", &back.verifier);
        let secret = settings.client_secret.expose();
        if secret.is_empty() || self.wants_secret_in_body {
            body.append_pair("client_id", &settings.client_id);
        }
        if self.wants_secret_in_body && !secret.is_empty() {
            body.append_pair("client_secret", secret);
        } else if !secret.is_empty() {
            let written = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
            let both = format!("{}:{}", written(&settings.client_id), written(secret));
            headers.push(("authorization", format!("Basic {}", STANDARD.encode(both))));
        }
        (headers, body.finish())
    }

    /// Where somebody logs out at the provider, to come back to `back`.
    pub fn farewell(&self, settings: &SignOn, back: &str) -> Option<String> {
        let mut address = Url::parse(self.end_session_endpoint.as_deref()?).ok()?;
        address
            .query_pairs_mut()
            .append_pair("client_id", &settings.client_id)
            .append_pair("post_logout_redirect_uri", back);
        Some(address.into())
    }
}

/// The token in the answer to an exchange.
///
/// # Errors
/// [`Error::Declined`] with the provider's own word, [`Error::Unbelieved`].
pub fn token_of(status: u16, body: &str) -> Result<String, Error> {
    #[derive(Deserialize)]
    struct Exchanged {
        #[serde(default)]
        id_token: Option<String>,
        #[serde(default)]
        error: Option<String>,
    }
    let exchanged: Exchanged =
        serde_json::from_str(body).map_err(|_| Error::Unbelieved("its token endpoint answers no JSON"))?;
    if let Some(error) = exchanged.error {
        let word = error.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(60);
        return Err(Error::Declined(word.collect()));
    }
    if !(200..300).contains(&status) {
        return Err(Error::Declined(format!("status {status}")));
    }
    exchanged.id_token.ok_or(Error::Unbelieved("its token endpoint brings no id_token"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::base::secret::Secret;

    fn document() -> Json {
        json!({
            "issuer": "https://id.example/tenant",
            "authorization_endpoint": "https://id.example/authorize",
            "token_endpoint": "https://id.example/token",
            "jwks_uri": "https://keys.example/all",
        })
    }

    #[test]
    fn a_provider_is_whom_the_settings_name_and_its_doors_are_encrypted() {
        let issuer = "https://id.example/tenant";
        assert_eq!(document_of(issuer), "https://id.example/tenant/.well-known/openid-configuration");
        assert!(Provider::parse(issuer, &document().to_string()).is_ok());
        for (member, value) in [
            ("issuer", json!("https://id.example/tenant/")),
            ("issuer", json!("https://evil.example")),
            ("token_endpoint", json!("http://id.example/token")),
            ("jwks_uri", json!("file:///etc/passwd")),
            ("authorization_endpoint", json!("javascript:alert(1)")),
            ("authorization_endpoint", Json::Null),
        ] {
            let mut wrong = document();
            wrong[member] = value.clone();
            let read = Provider::parse(issuer, &wrong.to_string());
            assert!(matches!(read, Err(Error::Unbelieved(_))), "{member}: {value}");
        }
    }

    #[test]
    fn the_secret_goes_the_way_that_the_provider_takes() {
        let settings = SignOn {
            client_id: "em budo".to_owned(),
            client_secret: Secret::new("a:b c"),
            ..SignOn::default()
        };
        let back = Back {
            code: "c".to_owned(),
            verifier: "v".to_owned(),
            nonce: "n".to_owned(),
            next: String::new(),
        };
        let provider = Provider::parse("https://id.example/tenant", &document().to_string()).expect("read");
        let (headers, body) = provider.exchange(&settings, &back, "https://e.example/back");
        let basic =
            headers.iter().find(|(name, _)| *name == "authorization").map(|(_, value)| value.as_str());
        assert_eq!(basic, Some(format!("Basic {}", STANDARD.encode("em+budo:a%3Ab+c")).as_str()));
        assert!(body.contains("code_verifier=v") && !body.contains("client_secret"), "{body}");
        let in_body = Provider { wants_secret_in_body: true, ..provider.clone() };
        let (headers, body) = in_body.exchange(&settings, &back, "https://e.example/back");
        assert!(headers.iter().all(|(name, _)| *name != "authorization"));
        assert!(body.contains("client_secret=a%3Ab+c") && body.contains("client_id=em+budo"), "{body}");
        let public = SignOn { client_id: "embudo".to_owned(), ..SignOn::default() };
        let (headers, body) = provider.exchange(&public, &back, "https://e.example/back");
        assert!(
            headers.iter().all(|(name, _)| *name != "authorization") && body.contains("client_id=embudo")
        );
    }

    #[test]
    fn a_refused_exchange_tells_the_providers_word() {
        assert_eq!(token_of(200, r#"{"id_token":"a.b.c"}"#).expect("a token"), "a.b.c");
        for (status, body) in [(400, r#"{"error":"invalid_grant"}"#), (200, r#"{"error":"invalid_grant"}"#)] {
            assert!(matches!(token_of(status, body), Err(Error::Declined(word)) if word == "invalid_grant"));
        }
        assert!(matches!(token_of(500, "{}"), Err(Error::Declined(_))));
        assert!(matches!(token_of(200, "{}"), Err(Error::Unbelieved(_))));
        assert!(matches!(token_of(200, "<html>"), Err(Error::Unbelieved(_))));
    }
}
