//! One field: what may be typed or chosen, and whether it was.

use jiff::civil::Date;
use regex::Regex;
use serde_json::{Value as Json, json};

use super::countries;
use super::words::FieldError;
use crate::base::email::Email;
use crate::base::expr::{Expr, Type};
use crate::base::language::Language;
use crate::base::localized::Localized;
use crate::base::typed::plain;

/// Longest answer to a one-line field, in characters.
const MOST_CHARS: usize = 200;
/// Longest address of a website, in characters.
const MOST_CHARS_URL: usize = 500;
/// Longest answer to a field of several lines, in characters.
const MOST_CHARS_LONG: usize = 4_000;

/// One field.
#[derive(Debug, Clone)]
pub struct Field {
    /// The contact's field that it fills.
    pub name: String,
    /// What may be typed.
    pub kind: FieldKind,
    /// Its label.
    pub label: Localized,
    /// An example, shown while it is empty.
    pub placeholder: Option<Localized>,
    /// A word of help below the label.
    pub hint: Option<Localized>,
    /// Whether it must be filled in, whenever it is shown.
    pub required: bool,
    /// What can be chosen.
    pub choices: Vec<Choice>,
    /// Narrower than its kind.
    pub bounds: Bounds,
    /// What is said instead of the product's own sentence if the answer is not as it should be.
    pub message: Option<Localized>,
    /// Shown and required only while this holds for the answers before it.
    pub show_if: Option<Expr>,
    /// Where a hidden field's value comes from.
    pub source: Option<Source>,
}

/// One of several answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What is stored.
    pub value: String,
    /// What is shown.
    pub label: Localized,
}

/// How narrow a field is.
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    /// The least number, or the fewest choices.
    pub min: Option<i64>,
    /// The greatest number, or the most choices.
    pub max: Option<i64>,
    /// The first day.
    pub from: Option<Date>,
    /// The last day.
    pub until: Option<Date>,
    /// The fewest characters.
    pub min_chars: Option<usize>,
    /// The most characters.
    pub max_chars: Option<usize>,
    /// What the whole answer must be like.
    pub pattern: Option<Regex>,
}

/// Where the value of a hidden field comes from. Never from the browser's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Always the same.
    Fixed(String),
    /// What is known of the way that led here: `utm_source`, `gclid`, `referrer`, `entry_page` …
    Attribution(&'static str),
}

/// What may be typed into a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// An e-mail address.
    Email,
    /// One line.
    Text,
    /// Several lines.
    Textarea,
    /// A telephone number.
    Phone,
    /// A whole number.
    Number,
    /// The address of a website.
    Url,
    /// A day.
    Date,
    /// One of several, in a list that opens.
    Select,
    /// One of several, all in view.
    Radio,
    /// Yes or nothing.
    Checkbox,
    /// Any of several.
    Checkboxes,
    /// A country, by its code.
    Country,
    /// Filled in by the server.
    Hidden,
}

impl FieldKind {
    /// The words for the kinds in YAML and JSON.
    pub const NAMES: [&'static str; 13] = [
        "email",
        "text",
        "textarea",
        "phone",
        "number",
        "url",
        "date",
        "select",
        "radio",
        "checkbox",
        "checkboxes",
        "country",
        "hidden",
    ];

    const ALL: [Self; 13] = [
        Self::Email,
        Self::Text,
        Self::Textarea,
        Self::Phone,
        Self::Number,
        Self::Url,
        Self::Date,
        Self::Select,
        Self::Radio,
        Self::Checkbox,
        Self::Checkboxes,
        Self::Country,
        Self::Hidden,
    ];

    /// The word for it in YAML and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Text => "text",
            Self::Textarea => "textarea",
            Self::Phone => "phone",
            Self::Number => "number",
            Self::Url => "url",
            Self::Date => "date",
            Self::Select => "select",
            Self::Radio => "radio",
            Self::Checkbox => "checkbox",
            Self::Checkboxes => "checkboxes",
            Self::Country => "country",
            Self::Hidden => "hidden",
        }
    }

    /// The kind of a word; `text` for every other.
    pub(super) fn of(name: &str) -> Self {
        Self::ALL.into_iter().find(|kind| kind.name() == name).unwrap_or(Self::Text)
    }

    /// The HTML input type; for what is no input, the word of the kind.
    pub fn html(self) -> &'static str {
        match self {
            Self::Phone => "tel",
            // Browsers demand a scheme of `type=url`; people do not type one.
            Self::Url => "text",
            Self::Email
            | Self::Text
            | Self::Textarea
            | Self::Number
            | Self::Date
            | Self::Select
            | Self::Radio
            | Self::Checkbox
            | Self::Checkboxes
            | Self::Country
            | Self::Hidden => self.name(),
        }
    }

    /// Whether there is something to choose from.
    pub fn has_choices(self) -> bool {
        matches!(self, Self::Select | Self::Radio | Self::Checkboxes)
    }
}

impl Field {
    /// The HTML autocomplete word, so that browsers can help (HTML, section 4.10.18.7).
    pub fn autocomplete(&self) -> &'static str {
        match self.name.as_str() {
            "email" => "email",
            "first_name" => "given-name",
            "last_name" => "family-name",
            "job_title" => "organization-title",
            "company" => "organization",
            "phone" => "tel",
            "country" => "country",
            "website" | "url" => "url",
            _ => "off",
        }
    }

    /// What can be chosen, as value and label in a language.
    pub fn options(&self, language: Language) -> Vec<(&str, &str)> {
        match self.kind {
            FieldKind::Country => countries::listed(language),
            _ => self
                .choices
                .iter()
                .map(|choice| (choice.value.as_str(), choice.label.get(language)))
                .collect(),
        }
    }

    /// The type of its answer in conditions.
    pub fn answer_type(&self) -> Type {
        let words = || Type::one_of(self.choices.iter().map(|choice| choice.value.clone()));
        match self.kind {
            FieldKind::Number => Type::Int,
            FieldKind::Checkbox => Type::Bool,
            FieldKind::Select | FieldKind::Radio => words(),
            FieldKind::Checkboxes => Type::list(words()),
            FieldKind::Country => Type::one_of(countries::codes()),
            FieldKind::Email
            | FieldKind::Text
            | FieldKind::Textarea
            | FieldKind::Phone
            | FieldKind::Url
            | FieldKind::Date
            | FieldKind::Hidden => Type::String,
        }
    }

    /// A stored answer as conditions see it.
    pub(super) fn as_value(&self, stored: &str) -> Json {
        match self.kind {
            FieldKind::Number => stored.parse::<i64>().map_or(Json::Null, Json::from),
            FieldKind::Checkbox => json!(stored == "true"),
            FieldKind::Checkboxes => json!(stored.split(',').collect::<Vec<_>>()),
            _ => json!(stored),
        }
    }

    /// Checks what was typed or chosen; gives what is stored of it, nothing if it was left empty.
    ///
    /// # Errors
    /// What is wrong, in the author's words if there are any.
    pub(super) fn check(&self, typed: &[String]) -> Result<Option<String>, FieldError> {
        let own = |error: FieldError| match &self.message {
            Some(message) if error.gives_way() => FieldError::Own(message.clone()),
            Some(_) | None => error,
        };
        let answer = match self.kind {
            FieldKind::Checkboxes => self.check_several(typed),
            FieldKind::Hidden => Ok(None),
            _ => self.check_one(typed.first().map_or("", |text| text.trim())),
        };
        match answer.map_err(own)? {
            None if self.required && self.kind != FieldKind::Hidden => Err(FieldError::Missing),
            answer => Ok(answer),
        }
    }

    fn check_one(&self, text: &str) -> Result<Option<String>, FieldError> {
        if text.is_empty() {
            return Ok(None);
        }
        let chars = text.chars().count();
        let of_kind = match self.kind {
            FieldKind::Textarea => MOST_CHARS_LONG,
            FieldKind::Url => MOST_CHARS_URL,
            _ => MOST_CHARS,
        };
        let most = self.bounds.max_chars.map_or(of_kind, |most| most.min(of_kind));
        if chars > most {
            return Err(FieldError::TooLong(most));
        }
        // A line break in a name would begin another header where the name is written into one.
        let is_odd = |c: char| {
            c.is_control() && !(self.kind == FieldKind::Textarea && matches!(c, '\n' | '\r' | '\t'))
        };
        if text.contains(is_odd) {
            return Err(FieldError::NotPlain);
        }
        if let Some(least) = self.bounds.min_chars.filter(|least| chars < *least) {
            return Err(FieldError::TooShort(least));
        }
        let stored = self.read_one(text)?;
        let fits = |pattern: &Regex| stored.as_deref().is_none_or(|stored| pattern.is_match(stored));
        if self.bounds.pattern.as_ref().is_some_and(|pattern| !fits(pattern)) {
            return Err(FieldError::NotOfItsForm);
        }
        Ok(stored)
    }

    fn read_one(&self, text: &str) -> Result<Option<String>, FieldError> {
        let as_typed = || {
            let kept = plain(text);
            Ok((!kept.trim().is_empty()).then_some(kept))
        };
        match self.kind {
            FieldKind::Email => match Email::parse(text) {
                Ok(email) => Ok(Some(email.as_str().to_owned())),
                Err(_) => Err(FieldError::of_address(text)),
            },
            FieldKind::Number => {
                let number: i64 = text.parse().map_err(|_| FieldError::NotANumber)?;
                match (self.bounds.min, self.bounds.max) {
                    (Some(min), _) if number < min => Err(FieldError::Below(min)),
                    (_, Some(max)) if number > max => Err(FieldError::Above(max)),
                    _ => Ok(Some(number.to_string())),
                }
            }
            FieldKind::Phone => {
                let digits = text.chars().filter(char::is_ascii_digit).count();
                let plain = text.chars().all(|c| c.is_ascii_digit() || "+-(). /".contains(c));
                if plain && (6..=15).contains(&digits) { as_typed() } else { Err(FieldError::NotAPhone) }
            }
            FieldKind::Url => website(text).map(Some).ok_or(FieldError::NotAWebsite),
            FieldKind::Date => {
                let day: Date = text.parse().map_err(|_| FieldError::NotADay)?;
                match (self.bounds.from, self.bounds.until) {
                    (Some(from), _) if day < from => Err(FieldError::Before(from.to_string())),
                    (_, Some(until)) if day > until => Err(FieldError::After(until.to_string())),
                    _ => Ok(Some(day.to_string())),
                }
            }
            FieldKind::Select | FieldKind::Radio => {
                if self.choices.iter().any(|choice| choice.value == text) {
                    as_typed()
                } else {
                    Err(FieldError::NotAChoice)
                }
            }
            FieldKind::Country => match countries::code_of(text) {
                Some(code) => Ok(Some(code.to_owned())),
                None => Err(FieldError::NotAChoice),
            },
            FieldKind::Checkbox => match text {
                "true" | "on" | "1" | "yes" => Ok(Some("true".to_owned())),
                "false" | "off" | "0" | "no" => Ok(None),
                _ => Err(FieldError::NotAChoice),
            },
            FieldKind::Text | FieldKind::Textarea => as_typed(),
            FieldKind::Checkboxes | FieldKind::Hidden => Ok(None),
        }
    }

    /// Choices in the order of the form, each once.
    fn check_several(&self, typed: &[String]) -> Result<Option<String>, FieldError> {
        let typed: Vec<&str> = typed.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
        if typed.iter().any(|text| !self.choices.iter().any(|choice| choice.value == *text)) {
            return Err(FieldError::NotAChoice);
        }
        let chosen: Vec<&str> = self
            .choices
            .iter()
            .map(|choice| choice.value.as_str())
            .filter(|value| typed.contains(value))
            .collect();
        if chosen.is_empty() {
            return Ok(None);
        }
        let count = i64::try_from(chosen.len()).unwrap_or(i64::MAX);
        match (self.bounds.min, self.bounds.max) {
            (Some(min), _) if count < min => Err(FieldError::TooFew(min)),
            (_, Some(max)) if count > max => Err(FieldError::TooMany(max)),
            _ => Ok(Some(chosen.join(","))),
        }
    }
}

/// The address of a website; who leaves the scheme out means https.
fn website(text: &str) -> Option<String> {
    let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let url = url::Url::parse(&whole).ok()?;
    let is_public = matches!(url.scheme(), "http" | "https")
        && url.host_str().is_some_and(|host| host.contains('.'))
        && url.username().is_empty()
        && url.password().is_none();
    is_public.then(|| url.to_string())
}
