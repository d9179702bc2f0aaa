//! Who might be the same person twice. Only a hint: nothing is ever done about it but by a person.

use serde::Serialize;

use super::{Contact, Error, store};
use crate::base::email::Email;
use crate::storage::db::Queries;

/// Why two contacts might be one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Their addresses differ only in a plus tag or in dots.
    Address,
    /// They have the same name at the same company.
    Name,
}

/// One contact that might be the same person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hint {
    /// Who.
    pub contact: Contact,
    /// Why.
    pub why: Why,
}

/// An address without its plus tag and without dots before the `@`: what a duplicate would share.
pub fn likeness(email: &Email) -> String {
    let (local, domain) = email.as_str().rsplit_once('@').unwrap_or((email.as_str(), ""));
    let bare = local.rsplit_once('+').map_or(local, |(bare, _)| bare);
    format!("{}@{domain}", bare.replace('.', ""))
}

/// Contacts that might be the same person as this one, each once, at most ten.
///
/// # Errors
/// As the store says.
pub async fn hints(q: &mut impl Queries, contact: &Contact) -> Result<Vec<Hint>, Error> {
    let mut hints: Vec<Hint> = Vec::new();
    for alike in store::identity::alike(q, contact.id, &likeness(&contact.email)).await? {
        hints.push(Hint { contact: alike, why: Why::Address });
    }
    if let (Some(first), Some(last), Some(company)) =
        (&contact.first_name, &contact.last_name, contact.company)
    {
        for same in store::identity::namesakes(q, contact.id, company, first, last).await? {
            if !hints.iter().any(|hint| hint.contact.id == same.id) {
                hints.push(Hint { contact: same, why: Why::Name });
            }
        }
    }
    hints.truncate(10);
    Ok(hints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plus_tags_and_dots_do_not_count_and_the_domain_does() {
        let of = |text: &str| likeness(&Email::parse(text).expect("an address"));
        assert_eq!(of("nikki.lee+news@acme.example"), of("nikkilee@acme.example"));
        assert_ne!(of("nikki@acme.example"), of("nikki@acme.test"));
        assert_ne!(of("nikki@acme.example"), of("nikkil@acme.example"));
    }
}
