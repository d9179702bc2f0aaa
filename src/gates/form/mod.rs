//! Forms as `forms.yaml` says them, and what a visitor typed into one, checked.

mod answers;
mod countries;
mod field;
mod read;
mod words;

pub use answers::{Answers, Asked, Invalid, Typed};
pub use field::{Bounds, Choice, Field, FieldKind, Source};
pub use words::FieldError;

pub(super) use read::{name, read};

use crate::base::diagnostic::Mark;
use crate::base::localized::Localized;
use crate::subscriptions::Topic;

/// Whether a text is the code of a country (ISO 3166-1 alpha-2), in any case of its letters.
pub fn is_country(text: &str) -> bool {
    countries::code_of(text).is_some()
}

/// One form.
#[derive(Debug, Clone)]
pub struct Form {
    /// Its name in addresses.
    pub id: String,
    /// Its headline.
    pub title: Localized,
    /// What one gets.
    pub intro: Option<Localized>,
    /// The fields that everybody is asked for; one of them is `email`.
    pub fields: Vec<Field>,
    /// Fields that are asked for little by little: at each showing the first [`ask`](Self::ask) that are not known.
    pub queue: Vec<Field>,
    /// How many of the queue are asked for at once.
    pub ask: usize,
    /// The word on the button.
    pub button: Localized,
    /// What happens with the data, shown below the button.
    pub privacy: Option<Localized>,
    /// Wishes of their own that can be ticked.
    pub consents: Vec<ConsentAsk>,
    /// The asset that it unlocks.
    pub delivers: Option<String>,
    /// The webinar that it registers for.
    pub registers: Option<String>,
    /// Whoever needs less time than this is a machine.
    pub min_fill_ms: i64,
    /// What is done about private addresses.
    pub free_mail: FreeMail,
    /// Filled in on a device of the house, by one person after the other: nothing of it is remembered there.
    pub is_kiosk: bool,
    /// What is said afterwards.
    pub done: Done,
}

/// What is done about addresses of providers that give one to anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FreeMail {
    /// Taken like every other.
    #[default]
    Allow,
    /// Taken when it is sent a second time.
    Warn,
    /// Refused.
    Block,
}

/// What is said when a form was sent.
#[derive(Debug, Clone, Default)]
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
    /// Where its text stands.
    pub at: Mark,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    use crate::base::diagnostic::Report;
    use crate::base::language::Language;
    use crate::base::yaml;

    fn forms(text: &str) -> (Vec<Form>, Report) {
        let report = Report::new();
        let doc = yaml::parse("forms.yaml", text, &report).expect("a tree");
        let mut map = doc.view(&report).map().expect("a map");
        let forms = read(&mut map);
        map.finish();
        (forms, report)
    }

    fn shipped() -> Vec<Form> {
        let (forms, report) = forms(include_str!("../../../config/forms.yaml"));
        assert!(report.is_clean(), "{}", report.text());
        forms
    }

    fn values(pairs: &[(&str, &str)]) -> Typed {
        let mut typed = Typed::new();
        for (name, value) in pairs {
            typed.entry((*name).to_owned()).or_default().push((*value).to_owned());
        }
        typed
    }

    impl Form {
        /// Checks with everything of the queue asked.
        fn take(&self, pairs: &[(&str, &str)]) -> Result<Answers, Invalid> {
            self.validate(&values(pairs), &[], &self.ask(&BTreeSet::new()))
        }
    }

    /// The mistakes of a file as `line:column CODE`.
    fn mistakes(text: &str) -> Vec<String> {
        let (_, report) = forms(text);
        report.diagnostics().iter().map(|d| format!("{}:{} {}", d.line, d.col, d.code)).collect()
    }

    /// A form with these lines of fields beside the address.
    fn with_fields(lines: &str) -> String {
        format!(
            "\
forms:
  - id: demo
    title: Demo
    button: Send
    done: {{title: Thanks, message: Soon}}
    fields:
      - {{name: email, type: email, label: E-mail}}
{lines}"
        )
    }

    fn one(lines: &str) -> Form {
        let (mut forms, report) = forms(&with_fields(lines));
        assert!(report.is_clean(), "{}", report.text());
        forms.remove(0)
    }

    #[test]
    fn the_white_paper_asks_for_the_address_only_and_the_letter_is_a_wish_of_its_own() {
        let forms = shipped();
        let form = &forms[0];
        assert_eq!(form.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>(), ["email"]);
        let answers = form.take(&[("email", " Nikki@ACME.example ")]).expect("one field is enough");
        assert_eq!((answers.email.as_str(), answers.agreed), ("nikki@acme.example", Vec::new()));
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
            let wrong = forms[0].take(&[("email", typed)]).expect_err(typed);
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
        let validate = |agreed: &[String]| letter.validate(&typed, agreed, &Asked::Nothing);
        assert_eq!(validate(&[]).expect_err("no tick").0["agreed"], FieldError::NotAgreed);
        assert!(validate(&["newsletter".to_owned()]).is_ok());
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
        let typed = [("email", "a@b.example"), ("phone", "call me"), ("employees", "many"), ("wish", &long)];
        let wrong = forms[0].take(&typed).expect_err("three mistakes");
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

    #[test]
    fn every_kind_of_field_takes_what_people_type_and_refuses_the_rest() {
        let form = one(r#"      - {name: site, type: url, label: Web}
      - {name: start, type: date, label: Start, min: 2026-01-01, max: 2027-12-31}
      - {name: size, type: select, label: Size, choices: [s, m, {value: l, label: {en: Large, es: Grande}}]}
      - {name: role, type: radio, label: Role, choices: [buyer, user]}
      - {name: terms, type: checkbox, label: Terms, required: true}
      - {name: topics, type: checkboxes, label: Topics, choices: [a, b, c], min: 2, max: 2}
      - {name: country, type: country, label: Country}
      - {name: people, type: number, label: People, min: 1, max: 500}
      - {name: code, label: Code, pattern: '[A-Z]{2}-[0-9]+', message: {en: Like AB-12, es: Como AB-12}}
      - {name: wish, type: textarea, label: Wish, min_length: 5, max_length: 10}
"#);
        let right = [
            ("email", "nikki@acme.example"),
            ("site", "acme.example"),
            ("start", "2026-11-23"),
            ("size", "l"),
            ("role", "buyer"),
            ("terms", "on"),
            ("topics", "c"),
            ("topics", "a"),
            ("country", "es"),
            ("people", "40"),
            ("code", "AB-12"),
            ("wish", "a\nb\ncde"),
            ("stage", "customer"),
        ];
        let answers = form.take(&right).expect("everything is right");
        let stored: Vec<(&str, &str)> =
            answers.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            stored,
            [
                ("code", "AB-12"),
                ("country", "ES"),
                ("people", "40"),
                ("role", "buyer"),
                ("site", "https://acme.example/"),
                ("size", "l"),
                ("start", "2026-11-23"),
                ("terms", "true"),
                ("topics", "a,c"),
                ("wish", "a\nb\ncde"),
            ],
            "and what the form does not ask for is not stored"
        );
        for (name, typed, error) in [
            ("site", "javascript:alert(1)", FieldError::NotAWebsite),
            ("site", "https://nikki:secret@acme.example/", FieldError::NotAWebsite),
            ("start", "2025-12-31", FieldError::Before("2026-01-01".to_owned())),
            ("start", "2026-02-30", FieldError::NotADay),
            ("size", "xl", FieldError::NotAChoice),
            ("role", "Buyer", FieldError::NotAChoice),
            ("terms", "", FieldError::Missing),
            ("topics", "", FieldError::TooFew(2)),
            ("country", "Spain", FieldError::NotAChoice),
            ("people", "0", FieldError::Below(1)),
            ("people", "501", FieldError::Above(500)),
            ("people", "4.5", FieldError::NotANumber),
            ("code", "AB-12x", FieldError::Own(Localized::new("Like AB-12", "Como AB-12"))),
            ("wish", "abcd", FieldError::TooShort(5)),
            ("wish", "abcdefghijk", FieldError::TooLong(10)),
        ] {
            let mut wrong = right.to_vec();
            let at = wrong.iter().position(|(known, _)| *known == name).expect(name);
            wrong[at].1 = typed;
            let wrong = form.take(&wrong).expect_err(name);
            assert_eq!(wrong.0, BTreeMap::from([(name.to_owned(), error)]), "{name}: {typed}");
            assert!(wrong.words(Language::Es)[name].len() > 8);
        }
    }

    #[test]
    fn a_line_break_in_a_name_is_refused_because_it_would_begin_another_header() {
        let form = one("      - {name: first_name, label: Name}\n");
        for evil in ["Nikki\r\nBcc: eve@x.example", "Nikki\nX", "Ni\u{0}kki", "Nikki\u{85}X"] {
            let wrong = form.take(&[("email", "a@b.example"), ("first_name", evil)]).expect_err(evil);
            assert_eq!(wrong.0["first_name"], FieldError::NotPlain, "{evil:?}");
        }
        let long = "x".repeat(100_000);
        let wrong = form.take(&[("email", "a@b.example"), ("first_name", &long)]).expect_err("long");
        assert_eq!(wrong.0["first_name"], FieldError::TooLong(200));
    }

    #[test]
    fn a_conditional_field_is_required_only_while_its_condition_holds() {
        let form = one(r#"      - {name: people, type: number, label: People}
      - {name: country, type: country, label: Country, show_if: answers.people >= 50}
      - {name: state, label: State, required: true, show_if: "answers.country in ['US', 'MX']"}
"#);
        let email = ("email", "a@b.example");
        assert!(form.take(&[email]).is_ok());
        let small =
            form.take(&[email, ("people", "3"), ("country", "US"), ("state", "Ohio")]).expect("right");
        assert_eq!(small.fields.keys().collect::<Vec<_>>(), ["people"], "what is not shown is not taken");
        let large = form.take(&[email, ("people", "60"), ("country", "US")]).expect_err("the state");
        assert_eq!(large.0, BTreeMap::from([("state".to_owned(), FieldError::Missing)]));
        assert!(form.take(&[email, ("people", "60"), ("country", "ES")]).is_ok());
    }

    #[test]
    fn mistakes_in_conditions_are_told_with_their_places() {
        let field = |condition: &str| {
            with_fields(&format!(
                "      - {{name: size, type: select, label: Size, choices: [s, l]}}\n      - {{name: x, label: X, show_if: \"{condition}\"}}\n      - {{name: late, label: L}}\n"
            ))
        };
        for (condition, found) in [
            ("answers.size == 's'", vec![]),
            ("answers.sise == 's'", vec!["9:39 E102"]),
            ("answers.size == 'xl'", vec!["9:55 E105"]),
            ("answers.size", vec!["9:39 E104"]),
            ("answers.size == ", vec!["9:55 E101"]),
            ("answers.late == 'x'", vec!["9:39 C112"]),
            ("answers.x == 'x'", vec!["9:39 C112"]),
            ("answers.size.matches('s')", vec!["9:39 C113"]),
        ] {
            let found: Vec<String> = found.into_iter().map(str::to_owned).collect();
            assert_eq!(mistakes(&field(condition)), found, "{condition}");
        }
    }

    #[test]
    fn the_queue_is_asked_little_by_little_and_only_for_what_is_not_known() {
        let form = one(r#"    ask: 2
    queue:
      - {name: first_name, label: Name, required: true}
      - {name: job_title, label: Job}
      - {name: phone, type: phone, label: Phone}
"#);
        let known = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let asked = |names: &[&str]| {
            let asked = form.ask(&known(names));
            form.shown(&asked).map(|field| field.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(asked(&[]), ["email", "first_name", "job_title"]);
        assert_eq!(asked(&["first_name"]), ["email", "job_title", "phone"]);
        assert_eq!(asked(&["first_name", "job_title", "phone"]), ["email"]);

        let typed = values(&[("email", "a@b.example"), ("phone", "+34 600 000 000")]);
        let wrong = form.validate(&typed, &[], &form.ask(&known(&[]))).expect_err("the name was asked for");
        assert_eq!(wrong.0, BTreeMap::from([("first_name".to_owned(), FieldError::Missing)]));
        let answers = form.validate(&typed, &[], &form.ask(&known(&["phone", "first_name"]))).expect("right");
        assert!(answers.fields.is_empty(), "what was not asked for is not taken");
        let own = form.validate(&typed, &[], &Asked::Own).expect("the site's own form has what it has");
        assert_eq!(own.fields.keys().collect::<Vec<_>>(), ["phone"]);
        for asked in [Asked::Nothing, Asked::Own, form.ask(&known(&[]))] {
            assert_eq!(Asked::of_word(&asked.word()), asked);
        }
    }

    #[test]
    fn a_download_that_demands_the_letter_has_to_say_so() {
        let form = |consent: &str| {
            with_fields(&format!(
                "    delivers: guide\n    consents:\n      - {{id: newsletter, text: Write to me., {consent}}}\n"
            ))
        };
        let found = |consent: &str| {
            let (_, report) = forms(&form(consent));
            report.diagnostics().iter().map(|d| format!("{:?} {}", d.severity, d.code)).collect::<Vec<_>>()
        };
        assert_eq!(found("required: false"), [""; 0]);
        assert_eq!(found("required: true"), ["Error C108"]);
        assert_eq!(found("required: true, bundled: true"), ["Warning C109"]);
        let privacy = form("required: true").replace("newsletter", "privacy");
        assert_eq!(mistakes(&privacy), [""; 0], "to have read how data is used is no wish of its own");
    }

    #[test]
    fn what_makes_no_sense_in_a_field_is_told() {
        for (field, code) in [
            ("{name: a, type: select, label: A}", "C114"),
            ("{name: a, type: select, label: A, choices: [x, x]}", "C114"),
            ("{name: a, type: text, label: A, choices: [x]}", "C115"),
            ("{name: a, type: text, label: A, min: 3}", "C115"),
            ("{name: a, type: number, label: A, min: 9, max: 3}", "C116"),
            ("{name: a, type: date, label: A, min: soon}", "Y004"),
            ("{name: a, label: A, pattern: '[a-'}", "C110"),
            ("{name: email, label: A}", "C111"),
            ("{name: a, type: hidden, from: utm_sauce}", "Y004"),
            ("{name: a, type: hidden}", "C117"),
            ("{name: a, type: hidden, from: utm_source, value: x}", "C117"),
            ("{name: a, label: A, required: true, show_if: answers.email == 'a', from: referrer}", "C115"),
        ] {
            let (_, report) = forms(&with_fields(&format!("      - {field}\n")));
            let codes: Vec<&str> = report.diagnostics().iter().map(|d| d.code).collect();
            assert_eq!(codes, [code], "{field}\n{}", report.text());
        }
    }
}
