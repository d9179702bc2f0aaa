//! E-mail addresses that can be written to.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A plausible address in its matching form: trimmed, lower case, domain in ASCII (IDNA).
///
/// Plus tags and dots are kept: `ana+news@x.example` is not `ana@x.example`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

/// The text is no e-mail address that a mail server would take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address")]
pub struct InvalidEmail;

/// Domains that give anybody an address, so that they say nothing about a company.
const FREE_MAIL: &[&str] = &[
    "aol.com",
    "gmail.com",
    "gmx.com",
    "gmx.de",
    "gmx.es",
    "gmx.net",
    "googlemail.com",
    "hotmail.com",
    "hotmail.es",
    "icloud.com",
    "live.com",
    "mail.com",
    "me.com",
    "msn.com",
    "outlook.com",
    "outlook.es",
    "proton.me",
    "protonmail.com",
    "terra.es",
    "web.de",
    "yahoo.com",
    "yahoo.es",
    "yandex.com",
    "zoho.com",
];

impl Email {
    /// The address so that only its owner recognises it: `n•••@a•••`. How long the parts are is not told.
    pub fn masked(&self) -> String {
        let first = |text: &str| text.chars().next().map(String::from).unwrap_or_default();
        let (local, domain) = self.0.split_once('@').unwrap_or((&self.0, ""));
        format!("{}•••@{}•••", first(local), first(domain))
    }

    /// Reads an address (RFC 5321 mailbox without quoting and address literals, at most 254 octets).
    ///
    /// # Errors
    /// [`InvalidEmail`] if it could not be delivered to.
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidEmail)?;
        let local_is_fine = !local.is_empty()
            && local.len() <= 64
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..")
            && local.chars().all(|c| {
                (c.is_alphanumeric() && (c.is_ascii() || c > '\u{7f}')) || "!#$%&'*+-/=?^_`{|}~.".contains(c)
            });
        let domain = url::Host::parse(domain).map_err(|_| InvalidEmail)?;
        let url::Host::Domain(domain) = domain else { return Err(InvalidEmail) };
        let domain_is_fine = domain.contains('.')
            && domain.split('.').all(|label| {
                !label.is_empty()
                    && label.len() <= 63
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            })
            && domain
                .rsplit('.')
                .next()
                .is_some_and(|top| top.len() >= 2 && !top.chars().all(|c| c.is_ascii_digit()));
        let whole = format!("{}@{}", local.to_lowercase(), domain);
        if local_is_fine && domain_is_fine && whole.len() <= 254 {
            Ok(Self(whole))
        } else {
            Err(InvalidEmail)
        }
    }

    /// The matching form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part after the `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// Whether the domain hands out addresses to anybody.
    pub fn is_free_mail(&self) -> bool {
        FREE_MAIL.binary_search(&self.domain()).is_ok()
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Email {
    type Error = InvalidEmail;
    fn try_from(text: String) -> Result<Self, InvalidEmail> {
        Self::parse(&text)
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_blanks_do_not_make_another_person() {
        assert_eq!(
            Email::parse(" Nikki@ACME.example ").map(String::from),
            Ok("nikki@acme.example".to_owned())
        );
    }

    #[test]
    fn what_cannot_be_delivered_is_refused() {
        for text in [
            "",
            "nikki",
            "@acme.example",
            "nikki@",
            "nikki@acme",
            "a b@acme.example",
            "nikki@acme..example",
            "nikki@-acme.example",
            ".nikki@acme.example",
            "nikki@[127.0.0.1]",
            "nikki@127.0.0.1",
            "nikki@acme.example\r\nBcc: eve@x.example",
            "nikki@acme.example>",
            "<nikki@acme.example",
            "a@b@c d.example",
        ] {
            assert_eq!(Email::parse(text), Err(InvalidEmail), "{text}");
        }
    }

    #[test]
    fn the_free_mail_list_is_sorted_because_it_is_searched_by_halves() {
        assert!(FREE_MAIL.is_sorted());
        assert!(Email::parse("someone@gmail.com").is_ok_and(|email| email.is_free_mail()));
        assert!(Email::parse("nikki@acme.example").is_ok_and(|email| !email.is_free_mail()));
    }
}
