//! Which fields are asked for, and what was answered, checked.

use std::collections::{BTreeMap, BTreeSet};

use super::Form;
use super::field::{Field, FieldKind};
use super::words::FieldError;
use crate::base::email::Email;
use crate::base::expr::Context;
use crate::base::language::Language;

/// What came from a form, by field. Several values where several may be chosen.
pub type Typed = BTreeMap<String, Vec<String>>;

/// What a visitor typed, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    /// Her address.
    pub email: Email,
    /// Every other field that was shown and filled in, by name.
    pub fields: BTreeMap<String, String>,
    /// The consents that were given, by id.
    pub agreed: Vec<String>,
}

/// Everything that is wrong with what was typed, by field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid(pub BTreeMap<String, FieldError>);

impl Invalid {
    /// One thing that is wrong with the address.
    pub fn email(error: FieldError) -> Self {
        Self(BTreeMap::from([("email".to_owned(), error)]))
    }

    /// The sentences by field, in a language.
    pub fn words(&self, language: Language) -> BTreeMap<String, String> {
        self.0.iter().map(|(field, error)| (field.clone(), error.words().get(language).to_owned())).collect()
    }

    /// Whether it is only a warning: sent again, the answers are taken.
    pub fn is_warning(&self) -> bool {
        !self.0.is_empty() && self.0.values().all(|error| *error == FieldError::FreeMailWarning)
    }
}

/// Which fields of the queue one showing of a form asks for. It travels in the signed nonce, so that nobody can leave out
/// what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Asked {
    /// None of them.
    #[default]
    Nothing,
    /// These.
    These(Vec<String>),
    /// Whichever the site's own markup has; none is required.
    Own,
}

impl Asked {
    /// As it stands in the nonce.
    pub(in crate::gates) fn word(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::These(names) => names.join(","),
            Self::Own => "*".to_owned(),
        }
    }

    /// Reads what [`word`](Self::word) wrote.
    pub(in crate::gates) fn of_word(word: &str) -> Self {
        match word {
            "" => Self::Nothing,
            "*" => Self::Own,
            names => Self::These(names.split(',').map(str::to_owned).collect()),
        }
    }

    fn includes(&self, name: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::These(names) => names.iter().any(|asked| asked == name),
            Self::Own => true,
        }
    }
}

impl Form {
    /// What to ask somebody of whom these fields are known already. Nothing may count as known unless the device is
    /// confirmed to be the person's: a field that is left out would tell a stranger that it is known.
    pub fn ask(&self, known: &BTreeSet<String>) -> Asked {
        let names: Vec<String> = self
            .queue
            .iter()
            .map(|field| field.name.clone())
            .filter(|name| !known.contains(name))
            .take(self.ask)
            .collect();
        if names.is_empty() { Asked::Nothing } else { Asked::These(names) }
    }

    /// The fields of one showing, in their order; hidden ones are the server's own and never shown.
    pub fn shown<'a>(&'a self, asked: &'a Asked) -> impl Iterator<Item = &'a Field> {
        self.all(asked).filter(|field| field.kind != FieldKind::Hidden)
    }

    fn all<'a>(&'a self, asked: &'a Asked) -> impl Iterator<Item = &'a Field> {
        self.fields.iter().chain(self.queue.iter().filter(|field| asked.includes(&field.name)))
    }

    /// The hidden fields.
    pub fn hidden(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().chain(&self.queue).filter(|field| field.kind == FieldKind::Hidden)
    }

    /// Checks what was typed. Fields that the form does not have, or does not show for these answers, are ignored.
    ///
    /// # Errors
    /// [`Invalid`] with everything that is wrong at once.
    pub fn validate(&self, typed: &Typed, agreed: &[String], asked: &Asked) -> Result<Answers, Invalid> {
        let mut wrong = BTreeMap::new();
        let mut fields = BTreeMap::new();
        let mut email = None;
        let mut so_far = Context::new();
        let own_queue =
            |field: &Field| *asked == Asked::Own && self.queue.iter().any(|queued| queued.name == field.name);
        for field in self.shown(asked) {
            if field.show_if.as_ref().is_some_and(|condition| !condition.holds(&so_far)) {
                continue;
            }
            let values = typed.get(&field.name).map(Vec::as_slice).unwrap_or_default();
            match field.check(values) {
                Ok(Some(value)) if field.name == "email" => email = Email::parse(&value).ok(),
                Ok(Some(value)) => {
                    so_far.set(&format!("answers.{}", field.name), field.as_value(&value));
                    fields.insert(field.name.clone(), value);
                }
                Ok(None) => {}
                Err(FieldError::Missing) if own_queue(field) => {}
                Err(error) => {
                    wrong.insert(field.name.clone(), error);
                }
            }
            if let Some(email) = email.as_ref().filter(|_| field.name == "email") {
                so_far.set("answers.email", email.as_str());
            }
        }
        let given = |id: &String| agreed.contains(id);
        for consent in self.consents.iter().filter(|consent| consent.required && !given(&consent.id)) {
            wrong.insert(self.consent_key(&consent.id), FieldError::NotAgreed);
        }
        match email {
            Some(email) if wrong.is_empty() => {
                let agreed = self.consents.iter().map(|consent| consent.id.clone()).filter(given).collect();
                Ok(Answers { email, fields, agreed })
            }
            Some(_) | None => Err(Invalid(wrong)),
        }
    }

    /// The key under which a missing consent is told.
    pub fn consent_key(&self, id: &str) -> String {
        if self.consents.len() == 1 { "agreed".to_owned() } else { format!("agreed.{id}") }
    }
}
