//! The words by which somebody is found: of the name, the addresses, the telephone, and of what was said about the need.
//!
//! A word is a row (`contact_words`), so that a search is a range in an index, with the same text on both engines
//! (docs/decisions/0026). Everything that changes one of them calls [`index`] in its transaction.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Contact, Field, store};
use crate::base::fold;
use crate::base::ids::ContactId;
use crate::storage::Result;
use crate::storage::db::{Db, Tx};

/// Most words of one search.
pub const WORDS_MOST: usize = 4;
/// Fewer digits are no part of a telephone number.
const DIGITS_LEAST: usize = 5;
/// Most words that are written down of one person.
const KEPT_MOST: usize = 200;
/// People whose words are written down in one turn, for those who came before there were words.
const IN_A_TURN: i64 = 500;

/// The facts that hold telephone numbers.
const PHONES: [&str; 3] = ["phone", "telephone", "mobile"];
/// The facts whose words are searched.
const SAID: [&str; 5] = ["need", "pain", "competitors", "want", "value"];

/// Whether a fact of this name is searched.
pub(super) fn is_searched(name: &str) -> bool {
    matches!(name, "first_name" | "last_name") || PHONES.contains(&name) || SAID.contains(&name)
}

/// The words of an address: all of it, what stands before the `@` and its parts, the domain and its parts.
fn of_address(email: &str, into: &mut BTreeSet<String>) {
    let email = fold::folded(email);
    let (local, domain) = email.rsplit_once('@').unwrap_or((email.as_str(), ""));
    into.extend(fold::words(local));
    into.extend(of_domain(domain));
    into.insert(local.chars().take(fold::WORD_MOST).collect());
    into.insert(email.chars().take(fold::WORD_MOST).collect());
}

/// The words of a domain: all of it, and its parts without the last.
fn of_domain(domain: &str) -> impl Iterator<Item = String> {
    let parts = domain.rsplit_once('.').map_or("", |(parts, _)| parts);
    fold::words(parts)
        .into_iter()
        .chain(std::iter::once(domain.chars().take(fold::WORD_MOST).collect()))
        .filter(|word: &String| !word.is_empty())
}

/// A telephone number from each of its digits on, so that it is found without the country's code.
fn of_phone(number: &str, into: &mut BTreeSet<String>) {
    let digits: String = number.chars().filter(char::is_ascii_digit).take(20).collect();
    for from in 0..=digits.len().saturating_sub(DIGITS_LEAST) {
        into.extend(digits.get(from..).filter(|rest| rest.len() >= DIGITS_LEAST).map(str::to_owned));
    }
}

/// Every word by which a contact is found.
fn words_of(contact: &Contact, addresses: &[String], fields: &[Field]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for name in [&contact.first_name, &contact.last_name].into_iter().flatten() {
        found.extend(fold::words(name));
    }
    of_address(contact.email.as_str(), &mut found);
    for address in addresses {
        of_address(address, &mut found);
    }
    for field in fields.iter().filter(|field| !field.is_suggestion) {
        if PHONES.contains(&field.name.as_str()) {
            of_phone(&field.value, &mut found);
        } else if SAID.contains(&field.name.as_str()) {
            found.extend(fold::words(&field.value));
        }
    }
    found.into_iter().take(KEPT_MOST).collect()
}

/// Writes down anew by which words a contact is found.
///
/// # Errors
/// As the store says.
pub async fn index(tx: &mut Tx, id: ContactId) -> Result<()> {
    let Some(contact) = store::merges::own_row(tx, id).await? else { return Ok(()) };
    let addresses = store::identity::addresses(tx, id).await?;
    let addresses: Vec<String> = addresses.into_iter().map(|alias| alias.email).collect();
    let fields = store::fields(tx, id).await?;
    let words = words_of(&contact, &addresses, &fields);
    store::words::write(tx, id, &fold::folded(&contact.display_name()), &words).await
}

/// Writes down the words of people who came before there were words; returns whether there were any.
///
/// # Errors
/// As the store says.
pub async fn index_rest(db: &Db) -> Result<bool> {
    let waiting = store::words::unindexed(&mut db.read(), IN_A_TURN).await?;
    if waiting.is_empty() {
        return Ok(false);
    }
    let mut tx = db.begin().await?;
    for contact in waiting {
        index(&mut tx, contact).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// What somebody searches for: words that have to begin so, all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sought(Vec<String>);

impl Sought {
    /// Reads what was typed; nothing if there is neither a letter nor a digit in it. What stands beyond the fourth word makes
    /// no difference.
    pub fn read(text: &str) -> Self {
        let folded = fold::folded(text.trim());
        let is_of_number = |c: char| c.is_ascii_digit() || " +-().\u{a0}/".contains(c);
        let digits: String = folded.chars().filter(char::is_ascii_digit).collect();
        if digits.len() >= DIGITS_LEAST && folded.chars().all(is_of_number) {
            // As one dials it from abroad, too.
            return Self(vec![digits.strip_prefix("00").unwrap_or(&digits).to_owned()]);
        }
        let mut words = Vec::new();
        for part in folded.split_whitespace() {
            let is_address = part.contains('@') && part.len() > 1
                || part.contains('.') && part.split('.').all(|label| !label.is_empty());
            match is_address {
                true => words.push(part.trim_start_matches('@').chars().take(fold::WORD_MOST).collect()),
                false => words.extend(fold::words(part)),
            }
        }
        words.truncate(WORDS_MOST);
        Self(words)
    }

    /// Whether nothing is searched for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For each word the first that begins so, and the first that stands after all of those.
    pub fn ranges(&self) -> Vec<(String, String)> {
        self.0.iter().map(|word| (word.clone(), format!("{word}{}", char::MAX))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(write: impl Fn(&mut BTreeSet<String>)) -> Vec<String> {
        let mut words = BTreeSet::new();
        write(&mut words);
        words.into_iter().collect()
    }

    #[test]
    fn an_address_is_found_by_all_of_it_and_by_its_parts() {
        assert_eq!(
            found(|into| of_address("Jordi.Puig@taller-puig.example", into)),
            [
                "jordi",
                "jordi.puig",
                "jordi.puig@taller-puig.example",
                "puig",
                "taller",
                "taller-puig.example"
            ]
        );
    }

    #[test]
    fn a_telephone_is_found_without_its_country() {
        assert_eq!(
            found(|into| of_phone("+34 600 11-22", into)),
            ["001122", "01122", "346001122", "46001122", "6001122"]
        );
        assert_eq!(found(|into| of_phone("112", into)), Vec::<String>::new());
    }

    #[test]
    fn what_is_typed_is_read_word_by_word() {
        for (typed, sought) in [
            ("Ána GARCÍA", vec!["ana", "garcia"]),
            ("ana@acme.ex", vec!["ana@acme.ex"]),
            ("@acme.example", vec!["acme.example"]),
            ("acme.example", vec!["acme.example"]),
            ("+34 600 11 22 33", vec!["34600112233"]),
            ("0034 600 112 233", vec!["34600112233"]),
            ("O'Brien", vec!["o", "brien"]),
            ("S.A.", vec!["s", "a"]),
            ("2024", vec!["2024"]),
            ("%", vec![]),
            ("a b c d e f", vec!["a", "b", "c", "d"]),
        ] {
            assert_eq!(Sought::read(typed).0, sought, "{typed}");
        }
    }
}
