//! The companies people work for, found by the domain of their addresses.
//!
//! What is known of a company comes from its people, from imports and from the console; as with people, a weakly trusted
//! value never replaces a stronger one.

mod store;
pub mod words;

use serde::Serialize;

pub use store::{fields, find, list, of_domain, suggestion, suggestions};

use crate::base::ids::{CompanyId, ContactId};
use crate::base::time::Timestamp;
use crate::base::trust::Trust;
use crate::base::typed;
use crate::storage::Result;
use crate::storage::db::Tx;

/// A company.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Company {
    /// Its id.
    pub id: CompanyId,
    /// The domain of its people's addresses.
    pub domain: String,
    /// Its name; made of the domain until somebody says better.
    pub name: String,
    /// How many people work there.
    pub employees: Option<i64>,
    /// What sort of company it is, in small letters: `school`, `foundation` ….
    pub kind: Option<String>,
    /// What it does, in small letters.
    pub industry: Option<String>,
    /// Where it is (ISO 3166-1 alpha-2).
    pub country: Option<String>,
    /// The band of its yearly revenue, as the forms' choices name it.
    pub revenue: Option<String>,
    /// Since when it is known.
    pub created_at: Timestamp,
}

/// What can be known of a company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Name {
    Name,
    Kind,
    Employees,
    Industry,
    Country,
    Revenue,
}

impl Name {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Name, Self::Kind, Self::Employees, Self::Industry, Self::Country, Self::Revenue];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Kind => "kind",
            Self::Employees => "employees",
            Self::Industry => "industry",
            Self::Country => "country",
            Self::Revenue => "revenue",
        }
    }

    /// What a word means.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.word() == word)
    }
}

impl Name {
    /// A value as a program or a person of the company gives it, in the form in which it is kept. `is_country` knows the
    /// codes of ISO 3166-1.
    ///
    /// # Errors
    /// What would be accepted.
    pub fn parse(
        self,
        text: &str,
        is_country: impl Fn(&str) -> bool,
    ) -> std::result::Result<String, &'static str> {
        let has_controls = text.trim().contains(char::is_control);
        let text = typed::plain(text);
        let text = text.trim();
        let is_plain = !text.is_empty() && text.chars().count() <= 200 && !has_controls;
        let (is_right, wanted) = match self {
            Self::Name => {
                (text.chars().any(char::is_alphanumeric), "a name of at most 200 characters on one line")
            }
            Self::Industry => (text.chars().any(char::is_alphabetic), "a word or two, such as `education`"),
            Self::Kind => (is_word(text), "one word of small letters, such as `school`"),
            Self::Employees => {
                (is_head_count(text), "a number from 1 to 10000000, or a band: 250, 51-200, 500+")
            }
            Self::Country => (is_country(text), "two letters of ISO 3166-1, such as `ES`"),
            Self::Revenue => (is_band(text), "a band or a sum: 10m-50m, 50m+, <1m, 750k, 2000000"),
        };
        if is_plain && is_right { Ok(text.to_owned()) } else { Err(wanted) }
    }
}

fn is_word(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    text.len() <= 40 && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(is_letter)
}

/// Most people that a company is believed to have.
const EMPLOYEES_MOST: i64 = 10_000_000;

fn is_head_count(text: &str) -> bool {
    let count = |part: &str| {
        let is_number = part.starts_with(|c: char| c.is_ascii_digit())
            && part.ends_with(|c: char| c.is_ascii_digit())
            && part.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | '.' | ' '));
        Some(head_count(part)).filter(|count| is_number && (1..=EMPLOYEES_MOST).contains(count))
    };
    match text.split_once('-') {
        Some((least, most)) => {
            matches!((count(least), count(most)), (Some(least), Some(most)) if least <= most)
        }
        None => count(text.strip_suffix('+').unwrap_or(text)).is_some(),
    }
}

/// `10m-50m`, `50m+`, `<1m`, `750k`, `2000000`.
fn is_band(text: &str) -> bool {
    let is_sum = |part: &str| {
        let digits = part.strip_suffix(['k', 'm', 'b']).unwrap_or(part);
        (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    match text.split_once('-') {
        Some((least, most)) => is_sum(least) && is_sum(most),
        None => is_sum(text.strip_prefix('<').or_else(|| text.strip_suffix('+')).unwrap_or(text)),
    }
}

/// One fact about a company and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    /// What is known.
    pub name: String,
    /// As it was said.
    pub value: String,
    /// `form`, `chat`, `console`, `import`, ….
    pub source: String,
    /// How much it is believed.
    pub trust: Trust,
    /// Who of its people said it, if one of them did.
    pub contact: Option<ContactId>,
    /// Since when.
    pub at: Timestamp,
}

/// A fact as it was said.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    pub name: Name,
    pub value: &'a str,
    /// `form`, `chat`, `console`, `import`, ….
    pub source: &'a str,
    pub trust: Trust,
    /// Who of its people says it, if one of them does.
    pub contact: Option<ContactId>,
}

/// What a fact about a person says about the company she works for, if it does.
pub fn told_by(field_of_contact: &str) -> Option<Name> {
    match field_of_contact {
        "company" => Some(Name::Name),
        "company_kind" => Some(Name::Kind),
        "employees" => Some(Name::Employees),
        "industry" => Some(Name::Industry),
        "company_country" => Some(Name::Country),
        "revenue" => Some(Name::Revenue),
        _ => None,
    }
}

/// A head count from `250`, `1,200`, `51-200` (the lower end) or `500+`; 0 if there is none in it.
pub fn head_count(text: &str) -> i64 {
    let text = text.replace([',', '.', ' '], "");
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

/// Sets a fact, unless what is known is better trusted, or as little: what one stranger claims does not make another's
/// claim untrue, and everybody who works there is judged by it. Then it waits as a suggestion. Returns whether the value is
/// the one that counts now.
///
/// # Errors
/// As the store says.
pub async fn set_field(tx: &mut Tx, company: CompanyId, told: &Told<'_>, now: Timestamp) -> Result<bool> {
    let told = Told { value: told.value.trim(), ..*told };
    let Told { name, value, trust, .. } = told;
    if value.is_empty() {
        return Ok(false);
    }
    let known = store::field(tx, company, name).await?;
    let stays =
        |known: &Field| trust < known.trust || (trust, known.trust) == (Trust::Claimed, Trust::Claimed);
    match &known {
        Some(known) if known.value != value && stays(known) => {
            store::suggest(tx, company, &told, now).await?;
            return Ok(false);
        }
        // Said again by somebody who is believed no more: it is known from whom it was known before.
        Some(known) if known.value == value && known.trust >= trust => return Ok(true),
        Some(_) | None => {}
    }
    store::put_field(tx, company, &told, now).await?;
    store::mirror(tx, company, name, value).await?;
    if name == Name::Name {
        words::index(tx, company).await?;
    }
    if suggestion(tx, company, name).await?.is_some_and(|waiting| waiting.value == value) {
        store::drop_suggestion(tx, company, name).await?;
    }
    Ok(true)
}

/// Takes the value that waits: somebody of ours stands for it now. Returns whether one waited.
///
/// # Errors
/// As the store says.
pub async fn accept(tx: &mut Tx, company: CompanyId, name: Name, now: Timestamp) -> Result<bool> {
    let Some(waiting) = suggestion(tx, company, name).await? else { return Ok(false) };
    let known = store::field(tx, company, name).await?;
    let trust = known.map_or(Trust::Confirmed, |known| known.trust.max(Trust::Confirmed));
    let (value, source) = (waiting.value.as_str(), "console");
    let told = Told { name, value, source, trust, contact: waiting.contact };
    store::put_field(tx, company, &told, now).await?;
    store::mirror(tx, company, name, value).await?;
    if name == Name::Name {
        words::index(tx, company).await?;
    }
    store::drop_suggestion(tx, company, name).await?;
    Ok(true)
}

/// Throws the value away that waits. Returns whether one waited.
///
/// # Errors
/// As the store says.
pub async fn dismiss(tx: &mut Tx, company: CompanyId, name: Name) -> Result<bool> {
    store::drop_suggestion(tx, company, name).await
}

/// A first guess at a company's name, until somebody says better: `acme.example` is `Acme`, and a domain that DNS spells
/// in ASCII is read as people write it.
fn name_guessed(domain: &str) -> String {
    let label = domain.split('.').next().unwrap_or(domain);
    let (written, is_readable) = idna::domain_to_unicode(label);
    let mut letters = if is_readable.is_ok() { written.chars() } else { label.chars() };
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Takes a company away in which nobody works any more and that has no deal. Returns whether there was one.
///
/// # Errors
/// As the store says.
pub async fn forget_empty(tx: &mut Tx, domain: &str) -> Result<bool> {
    store::forget_empty(tx, domain).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::db::{Db, JOURNEY};

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    #[test]
    fn a_name_is_guessed_from_the_domain_as_people_write_it() {
        assert_eq!(name_guessed("acme.example"), "Acme");
        assert_eq!(name_guessed("xn--mnchen-3ya.example"), "München");
        assert_eq!(name_guessed("xn--broken-\u{e9}.example").chars().next(), Some('X'));
        assert_eq!(name_guessed(""), "");
    }

    #[test]
    fn nonsense_about_a_company_is_told_from_what_can_be() {
        let is_country = |code: &str| code.eq_ignore_ascii_case("ES");
        let cases: [(Name, &[&str], &[&str]); 6] = [
            (Name::Name, &["Acme Iberia", "3M"], &["", " ", "—", "a\nb"]),
            (Name::Kind, &["school"], &["School", "a school", "5", ""]),
            (
                Name::Employees,
                &["250", "1,200", "51-200", "500+"],
                &["many", "-5", "12abc", "0", "200-51", "1.5+x", ""],
            ),
            (Name::Industry, &["education", "Health care"], &["5", "", "\u{7}"]),
            (Name::Country, &["ES", "es"], &["Atlantis", "ZZ", ""]),
            (Name::Revenue, &["10m-50m", "50m+", "<1m", "750k", "2000000"], &["lots", "-5", "m", "+", ""]),
        ];
        for (name, right, wrong) in cases {
            for text in right {
                assert!(name.parse(text, is_country).is_ok(), "{} `{text}`", name.word());
            }
            for text in wrong {
                assert!(name.parse(text, is_country).is_err(), "{} `{text}`", name.word());
            }
        }
    }

    #[test]
    fn head_counts_are_read_as_people_write_them() {
        for (text, count) in
            [("250", 250), ("1,200", 1200), ("51-200", 51), ("500+", 500), ("many", 0), ("", 0)]
        {
            assert_eq!(head_count(text), count, "{text}");
        }
    }

    #[tokio::test]
    async fn what_a_trusted_person_said_is_not_replaced_by_what_anybody_typed() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = Db::open_sqlite(&folder.path().join("embudo.db"), JOURNEY).await.expect("opens");
        let mut tx = db.begin().await.expect("begins");
        let acme = of_domain(&mut tx, "acme.example", NOW).await.expect("made");
        assert_eq!(of_domain(&mut tx, "acme.example", NOW).await.expect("found"), acme);
        let nikki = ContactId::new();
        let mut set = async |name, value: &str, trust| {
            let told = Told { name, value, source: "form", trust, contact: Some(nikki) };
            set_field(&mut tx, acme, &told, NOW).await.expect("set")
        };
        assert!(set(Name::Employees, "51-200", Trust::Claimed).await);
        assert!(!set(Name::Employees, "9", Trust::Claimed).await);
        assert!(set(Name::Employees, "250", Trust::Confirmed).await);
        assert!(!set(Name::Employees, "3", Trust::Claimed).await);
        assert!(set(Name::Name, "Acme Iberia", Trust::Claimed).await);
        assert!(set(Name::Country, " es ", Trust::Claimed).await);
        let known = find(&mut tx, acme).await.expect("read").expect("known");
        assert_eq!(
            (known.name.as_str(), known.employees, known.country.as_deref()),
            ("Acme Iberia", Some(250), Some("ES"))
        );
        // What did not count waits, the latest of those that are believed alike.
        let waiting = suggestions(&mut tx, acme).await.expect("read");
        let told: Vec<_> =
            waiting.iter().map(|it| (it.name.as_str(), it.value.as_str(), it.contact)).collect();
        assert_eq!(told, [("employees", "3", Some(nikki))]);
        assert!(accept(&mut tx, acme, Name::Employees, NOW).await.expect("taken"));
        assert!(!accept(&mut tx, acme, Name::Employees, NOW).await.expect("nothing waits"));
        let counts = store::field(&mut tx, acme, Name::Employees).await.expect("read").expect("known");
        let (value, source) = (counts.value.as_str(), counts.source.as_str());
        assert_eq!(
            (value, source, counts.trust, counts.contact),
            ("3", "console", Trust::Confirmed, Some(nikki))
        );
        // A stranger who says the same makes it no less certain, and nobody else's.
        let same =
            Told { name: Name::Employees, value: "3", source: "chat", trust: Trust::Claimed, contact: None };
        assert!(set_field(&mut tx, acme, &same, NOW).await.expect("set"));
        let counts = store::field(&mut tx, acme, Name::Employees).await.expect("read").expect("known");
        assert_eq!((counts.source.as_str(), counts.contact), ("console", Some(nikki)));
    }
}
