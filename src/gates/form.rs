//! Forms as `forms.yaml` says them, and what a visitor typed into one, checked.

use std::collections::BTreeMap;

use crate::base::email::Email;
use crate::base::language::Language;
use crate::base::localized::Localized;
use crate::base::time::SECOND_MS;
use crate::base::yaml::{self, Map, View};
use crate::subscriptions::Topic;

/// Longest answer to a one-line field, in characters.
const MOST_CHARS: usize = 200;
/// Longest answer to a field of several lines, in characters.
const MOST_CHARS_LONG: usize = 4_000;

/// One form.
#[derive(Debug, Clone)]
pub struct Form {
    /// Its name in addresses.
    pub id: String,
    /// Its headline.
    pub title: Localized,
    /// What one gets.
    pub intro: Option<Localized>,
    /// Its fields; one of them is `email`.
    pub fields: Vec<Field>,
    /// The word on the button.
    pub button: Localized,
    /// What happens with the data, shown below the button.
    pub privacy: Option<Localized>,
    /// A wish of its own that can be ticked.
    pub consent: Option<ConsentAsk>,
    /// The asset that it unlocks.
    pub delivers: Option<String>,
    /// The webinar that it registers for.
    pub registers: Option<String>,
    /// Whoever needs less time than this is a machine.
    pub min_fill_ms: i64,
    /// What is said afterwards.
    pub done: Done,
}

/// What is said when a form was sent.
#[derive(Debug, Clone)]
pub struct Done {
    /// The headline.
    pub title: Localized,
    /// The sentence.
    pub message: Localized,
}

/// A consent that a form asks for.
#[derive(Debug, Clone)]
pub struct ConsentAsk {
    /// The purpose, such as `newsletter`.
    pub id: String,
    /// The text that is agreed to; kept word for word with each consent.
    pub text: Localized,
    /// Whether the form makes no sense without it (a newsletter's own form).
    pub required: bool,
    /// The letters that it asks for, if the purpose is a topic.
    pub topic: Option<Topic>,
}

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
    /// Whether it must be filled in.
    pub required: bool,
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
}

impl FieldKind {
    const NAMES: [&'static str; 5] = ["email", "text", "textarea", "phone", "number"];

    /// The word for it in YAML and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Text => "text",
            Self::Textarea => "textarea",
            Self::Phone => "phone",
            Self::Number => "number",
        }
    }

    fn of(name: &str) -> Self {
        match name {
            "email" => Self::Email,
            "textarea" => Self::Textarea,
            "phone" => Self::Phone,
            "number" => Self::Number,
            _ => Self::Text,
        }
    }

    /// The HTML input type.
    pub fn html(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Text | Self::Textarea => "text",
            Self::Phone => "tel",
            Self::Number => "number",
        }
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
            _ => "off",
        }
    }

    fn check(&self, text: &str) -> Result<(), FieldError> {
        if text.is_empty() {
            return if self.required { Err(FieldError::Missing) } else { Ok(()) };
        }
        let most = if self.kind == FieldKind::Textarea { MOST_CHARS_LONG } else { MOST_CHARS };
        if text.chars().count() > most {
            return Err(FieldError::TooLong(most));
        }
        let control = |c: char| c.is_control() && !(self.kind == FieldKind::Textarea && c == '\n');
        if text.contains(control) {
            return Err(FieldError::NotPlain);
        }
        match self.kind {
            FieldKind::Email => Email::parse(text).map(|_| ()).map_err(|_| FieldError::of_address(text)),
            FieldKind::Number => text.parse::<i64>().map(|_| ()).map_err(|_| FieldError::NotANumber),
            FieldKind::Phone => {
                let digits = text.chars().filter(char::is_ascii_digit).count();
                let plain = text.chars().all(|c| c.is_ascii_digit() || "+-(). /".contains(c));
                if plain && (6..=15).contains(&digits) { Ok(()) } else { Err(FieldError::NotAPhone) }
            }
            FieldKind::Text | FieldKind::Textarea => Ok(()),
        }
    }
}

/// What is wrong with one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldError {
    /// Nothing was typed.
    Missing,
    /// The address has no `@`.
    NoAt,
    /// The address ends without a top-level domain.
    NoEnding,
    /// The address is wrong in another way.
    NotAnAddress,
    /// Longer than so many characters.
    TooLong(usize),
    /// Not a whole number.
    NotANumber,
    /// Not a telephone number.
    NotAPhone,
    /// Characters that nobody types.
    NotPlain,
    /// The consent without which the form makes no sense.
    NotAgreed,
}

impl FieldError {
    fn of_address(text: &str) -> Self {
        match text.rsplit_once('@') {
            None => Self::NoAt,
            Some((_, domain)) if !domain.contains('.') => Self::NoEnding,
            Some(_) => Self::NotAnAddress,
        }
    }

    /// The sentence beside the field.
    pub fn words(self) -> Localized {
        match self {
            Self::Missing => Localized::new("Please fill this in.", "Rellena este campo, por favor."),
            Self::NoAt => Localized::new(
                "This address has no @, as in you@company.com.",
                "A esta dirección le falta la @, como en tu@empresa.com.",
            ),
            Self::NoEnding => Localized::new(
                "This address is missing its ending, such as .com or .es.",
                "A esta dirección le falta el final, como .com o .es.",
            ),
            Self::NotAnAddress => Localized::new(
                "No mail would arrive at this address. Please look at it again.",
                "A esta dirección no llegaría ningún correo. Revísala, por favor.",
            ),
            Self::TooLong(most) => Localized::new(
                format!("At most {most} characters, please."),
                format!("Como máximo {most} caracteres, por favor."),
            ),
            Self::NotANumber => {
                Localized::new("Please write a whole number.", "Escribe un número entero, por favor.")
            }
            Self::NotAPhone => Localized::new(
                "Please write the number with its country code, such as +34 600 000 000.",
                "Escribe el número con su prefijo, como +34 600 000 000.",
            ),
            Self::NotPlain => {
                Localized::new("Please use plain letters.", "Usa solo letras normales, por favor.")
            }
            Self::NotAgreed => Localized::new(
                "Please tick the box: without it we may not write to you.",
                "Marca la casilla, por favor: sin ella no podemos escribirte.",
            ),
        }
    }
}

/// What a visitor typed, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    /// Her address.
    pub email: Email,
    /// Every other field that was filled in, by name.
    pub fields: BTreeMap<String, String>,
    /// Whether the form's consent was given; nothing if the form asks for none.
    pub agreed: Option<bool>,
}

/// Everything that is wrong with what was typed, by field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid(pub BTreeMap<String, FieldError>);

impl Invalid {
    /// The sentences by field, in a language.
    pub fn words(&self, language: Language) -> BTreeMap<String, String> {
        self.0.iter().map(|(field, error)| (field.clone(), error.words().get(language).to_owned())).collect()
    }
}

impl Form {
    /// Checks what was typed. Fields that the form does not have are ignored.
    ///
    /// # Errors
    /// [`Invalid`] with everything that is wrong at once.
    pub fn validate(&self, values: &BTreeMap<String, String>, agreed: &[String]) -> Result<Answers, Invalid> {
        let mut wrong = BTreeMap::new();
        let mut fields = BTreeMap::new();
        let mut email = None;
        for field in &self.fields {
            let text = values.get(&field.name).map(|text| text.trim()).unwrap_or_default();
            if let Err(error) = field.check(text) {
                wrong.insert(field.name.clone(), error);
            } else if field.kind == FieldKind::Email && field.name == "email" {
                email = Email::parse(text).ok();
            } else if !text.is_empty() {
                fields.insert(field.name.clone(), text.to_owned());
            }
        }
        let ticked = self.consent.as_ref().map(|consent| agreed.contains(&consent.id));
        if self.consent.as_ref().is_some_and(|consent| consent.required) && ticked != Some(true) {
            wrong.insert("agreed".to_owned(), FieldError::NotAgreed);
        }
        match email {
            Some(email) if wrong.is_empty() => Ok(Answers { email, fields, agreed: ticked }),
            Some(_) | None => Err(Invalid(wrong)),
        }
    }
}

/// Reads `forms.yaml`.
pub(super) fn read(map: &mut Map<'_>) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    for view in map.required("forms").and_then(View::list).unwrap_or_default() {
        let Some(form) = read_form(view) else { continue };
        if forms.iter().any(|known| known.id == form.id) {
            view.error("C101", format!("the form \"{}\" stands twice", form.id)).done();
        }
        forms.push(form);
    }
    forms
}

fn read_form(view: View<'_>) -> Option<Form> {
    let mut map = view.map()?;
    let id = map.required("id").and_then(name);
    let title = map.required("title").and_then(Localized::read);
    let intro = map.optional("intro").and_then(Localized::read);
    let fields: Vec<Field> = map
        .required("fields")
        .and_then(View::list)
        .unwrap_or_default()
        .into_iter()
        .filter_map(read_field)
        .collect();
    if !fields.iter().any(|field| field.name == "email" && field.kind == FieldKind::Email && field.required) {
        view.error("C102", "a form needs the field `email`").hint("- {name: email, type: email, label: …}");
    }
    let button = map.required("button").and_then(Localized::read);
    let privacy = map.optional("privacy").and_then(Localized::read);
    let consent = map.optional("consent").map(read_consent);
    let delivers = map.optional("delivers").and_then(name);
    let registers = map.optional("registers").and_then(name);
    let min_fill_s = map.optional("min_fill_s").and_then(|view| {
        view.parsed("0, 1 or 2 seconds", |text| text.parse().ok().filter(|seconds| (0..=2).contains(seconds)))
    });
    let done = map.required("done").and_then(|view| {
        let mut map = view.map()?;
        let title = map.required("title").and_then(Localized::read);
        let message = map.required("message").and_then(Localized::read);
        map.finish();
        Some(Done { title: title?, message: message? })
    });
    map.finish();
    let consent = match consent {
        Some(None) => return None,
        Some(consent) => consent,
        None => None,
    };
    Some(Form {
        id: id?,
        title: title?,
        intro,
        fields,
        button: button?,
        privacy,
        consent,
        delivers,
        registers,
        min_fill_ms: min_fill_s.unwrap_or(1_i64) * SECOND_MS,
        done: done?,
    })
}

fn read_consent(view: View<'_>) -> Option<ConsentAsk> {
    let mut map = view.map()?;
    let id = map.required("id").and_then(name);
    let text = map.required("text").and_then(Localized::read);
    let required = map.optional("required").and_then(View::bool).unwrap_or(false);
    map.finish();
    Some(ConsentAsk { id: id?, text: text?, required, topic: None })
}

fn read_field(view: View<'_>) -> Option<Field> {
    let mut map = view.map()?;
    let name = map.required("name").and_then(name);
    let kind = map.optional("type").map_or(Some("text"), |view| view.one_of(&FieldKind::NAMES));
    let label = map.required("label").and_then(Localized::read);
    let placeholder = map.optional("placeholder").and_then(Localized::read);
    let required = map.optional("required").and_then(View::bool);
    map.finish();
    let name = name?;
    let required = required.unwrap_or(name == "email");
    Some(Field { kind: FieldKind::of(kind?), label: label?, placeholder, required, name })
}

/// A name that may stand in addresses.
pub(super) fn name(view: View<'_>) -> Option<String> {
    let text = view.str()?;
    if yaml::is_name(&text) { Some(text) } else { view.wrong("a name of small letters, digits, `-` and `_`") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Report;

    fn forms(text: &str) -> (Vec<Form>, Report) {
        let report = Report::new();
        let doc = yaml::parse("forms.yaml", text, &report).expect("a tree");
        let mut map = doc.view(&report).map().expect("a map");
        let forms = read(&mut map);
        map.finish();
        (forms, report)
    }

    fn shipped() -> Vec<Form> {
        let (forms, report) = forms(include_str!("../../config/forms.yaml"));
        assert!(report.is_clean(), "{}", report.text());
        forms
    }

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_white_paper_asks_for_the_address_only_and_the_letter_is_a_wish_of_its_own() {
        let forms = shipped();
        let form = &forms[0];
        assert_eq!(form.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>(), ["email"]);
        let answers =
            form.validate(&values(&[("email", " Nikki@ACME.example ")]), &[]).expect("one field is enough");
        assert_eq!((answers.email.as_str(), answers.agreed), ("nikki@acme.example", Some(false)));
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said_in_words() {
        let forms = shipped();
        for (typed, error) in [
            ("", FieldError::Missing),
            ("nikki", FieldError::NoAt),
            ("nikki@acme", FieldError::NoEnding),
            ("nikki@-acme.example", FieldError::NotAnAddress),
            ("a\r\nb@acme.example", FieldError::NotPlain),
        ] {
            let wrong = forms[0].validate(&values(&[("email", typed)]), &[]).expect_err(typed);
            assert_eq!(wrong.0.get("email"), Some(&error), "{typed}");
            assert!(wrong.words(Language::Es)["email"].len() > 10);
        }
    }

    #[test]
    fn a_form_whose_consent_is_required_needs_the_tick() {
        let (forms, report) = forms(
            "\
forms:
  - id: newsletter
    title: Ideas
    button: Send
    done: {title: Thanks, message: Soon}
    fields:
      - {name: email, type: email, label: E-mail}
    consent: {id: newsletter, required: true, text: Send me the letter.}
",
        );
        assert!(report.is_clean(), "{}", report.text());
        let letter = &forms[0];
        let typed = values(&[("email", "nikki@acme.example")]);
        assert_eq!(letter.validate(&typed, &[]).expect_err("no tick").0["agreed"], FieldError::NotAgreed);
        assert!(letter.validate(&typed, &["newsletter".to_owned()]).is_ok());
    }

    #[test]
    fn numbers_telephones_and_long_texts_are_checked() {
        let (forms, report) = forms(
            "\
forms:
  - id: demo
    title: Demo
    button: Send
    done: {title: Thanks, message: Soon}
    fields:
      - {name: email, type: email, label: E-mail}
      - {name: phone, type: phone, label: Phone}
      - {name: employees, type: number, label: People}
      - {name: wish, type: textarea, label: Wish}
",
        );
        assert!(report.is_clean(), "{}", report.text());
        let long = "x".repeat(4_001);
        let typed =
            values(&[("email", "a@b.example"), ("phone", "call me"), ("employees", "many"), ("wish", &long)]);
        let wrong = forms[0].validate(&typed, &[]).expect_err("three mistakes");
        assert_eq!(
            wrong.0,
            BTreeMap::from([
                ("employees".to_owned(), FieldError::NotANumber),
                ("phone".to_owned(), FieldError::NotAPhone),
                ("wish".to_owned(), FieldError::TooLong(4_000)),
            ])
        );
    }

    #[test]
    fn mistakes_in_the_file_are_found_all_at_once() {
        let (_, report) = forms(
            "\
forms:
  - id: a
    title: {en: Hi}
    button: Send
    min_fill_s: 30
    done: {title: Thanks, message: Soon}
    fields:
      - {name: first_name, label: Name, typ: text}
",
        );
        let codes: Vec<&str> = report.diagnostics().iter().map(|found| found.code).collect();
        assert_eq!(codes, ["C102", "Y005", "Y004", "Y003"], "{}", report.text());
    }
}
