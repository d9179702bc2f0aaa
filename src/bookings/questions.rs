//! What a meeting asks of whoever books it, and what may be answered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::language::Language;
use crate::base::localized::Localized;
use crate::base::typed::plain;

/// Longest answer in one line, in characters.
pub const LINE_LENGTH: usize = 200;
/// Longest answer in several lines, in characters.
pub const TEXT_LENGTH: usize = 2_000;
/// Under which the number stands when the rep is to call.
pub const PHONE: &str = "phone";

/// What can be answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// One line.
    Text,
    /// Several lines.
    Long,
    /// A whole number from 0.
    Number,
    /// `yes` or `no`.
    YesNo,
    /// A telephone number.
    Phone,
    /// One of these, by its id.
    Choice(Vec<Choice>),
}

/// One of several answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The word that is stored.
    pub id: String,
    /// What people read.
    pub label: Localized,
}

/// One question of a meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The name under which the answer is stored.
    pub id: String,
    /// What is asked.
    pub ask: Localized,
    /// A sentence that helps to answer.
    pub hint: Option<Localized>,
    /// What can be answered.
    pub kind: Kind,
    /// Whether the call cannot be booked without an answer.
    pub is_required: bool,
}

impl Question {
    /// For a call by telephone: the number to be called.
    pub fn phone() -> Self {
        Self {
            id: PHONE.to_owned(),
            ask: Localized::new("Your telephone number", "Tu número de teléfono"),
            hint: Some(Localized::new(
                "We call you at the time you pick. With the country code, please.",
                "Te llamamos a la hora que elijas. Con el prefijo del país, por favor.",
            )),
            kind: Kind::Phone,
            is_required: true,
        }
    }
}

/// What was answered, by the questions' ids. Only what [`read`] has checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Answers(BTreeMap<String, String>);

impl Answers {
    /// The answer to one question.
    pub fn get(&self, question: &str) -> Option<&str> {
        self.0.get(question).map(String::as_str)
    }

    /// Questions and answers as people read them, in the order of the meeting; answers to questions that are not asked
    /// any more come last, under their ids.
    pub fn told(&self, questions: &[Question], language: Language) -> Vec<(String, String)> {
        let asked = questions.iter().filter_map(|question| {
            let answer = self.get(&question.id)?;
            Some((question.ask.get(language).to_owned(), word(&question.kind, answer, language)))
        });
        let is_gone = |id: &str| !questions.iter().any(|question| question.id == id);
        let gone =
            self.0.iter().filter(|(id, _)| is_gone(id)).map(|(id, answer)| (id.clone(), answer.clone()));
        asked.chain(gone).collect()
    }
}

fn word(kind: &Kind, answer: &str, language: Language) -> String {
    let label = match (kind, answer, language) {
        (Kind::Choice(choices), ..) => {
            choices.iter().find(|choice| choice.id == answer).map(|choice| choice.label.get(language))
        }
        (Kind::YesNo, "yes", Language::En) => Some("Yes"),
        (Kind::YesNo, "yes", Language::Es) => Some("Sí"),
        (Kind::YesNo, "no", _) => Some("No"),
        (Kind::YesNo | Kind::Text | Kind::Long | Kind::Number | Kind::Phone, ..) => None,
    };
    label.unwrap_or(answer).to_owned()
}

/// Why an answer is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It must be answered.
    Missing,
    /// It is longer than the question allows.
    TooLong,
    /// It is no whole number from 0.
    NotANumber,
    /// It is no telephone number.
    NotAPhone,
    /// It is none of the answers on offer.
    NotOffered,
}

impl Wrong {
    /// For programs and for the texts of the page.
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::TooLong => "too_long",
            Self::NotANumber => "not_a_number",
            Self::NotAPhone => "not_a_phone",
            Self::NotOffered => "not_offered",
        }
    }
}

/// Reads the answers to a meeting's questions. What was not asked is not taken.
///
/// # Errors
/// Every question whose answer is not taken, with the reason.
pub fn read(
    questions: &[Question],
    given: &BTreeMap<String, String>,
) -> Result<Answers, Vec<(String, Wrong)>> {
    let mut answers = BTreeMap::new();
    let mut wrong = Vec::new();
    for question in questions {
        match answer(question, given.get(&question.id).map_or("", String::as_str)) {
            Ok(Some(answer)) => {
                answers.insert(question.id.clone(), answer);
            }
            Ok(None) => {}
            Err(why) => wrong.push((question.id.clone(), why)),
        }
    }
    if wrong.is_empty() { Ok(Answers(answers)) } else { Err(wrong) }
}

fn answer(question: &Question, given: &str) -> Result<Option<String>, Wrong> {
    let given = plain(given);
    let text = given.trim();
    if text.is_empty() {
        return if question.is_required { Err(Wrong::Missing) } else { Ok(None) };
    }
    let most = if question.kind == Kind::Long { TEXT_LENGTH } else { LINE_LENGTH };
    if text.chars().count() > most {
        return Err(Wrong::TooLong);
    }
    let is_line = !text.chars().any(|c| c.is_control());
    match &question.kind {
        Kind::Long => {}
        Kind::Text if is_line => {}
        Kind::Text => return Ok(Some(text.split(char::is_control).collect::<Vec<_>>().join(" "))),
        Kind::Number if text.bytes().all(|b| b.is_ascii_digit()) && text.len() <= 15 => {}
        Kind::Number => return Err(Wrong::NotANumber),
        Kind::YesNo if matches!(text, "yes" | "no") => {}
        Kind::YesNo => return Err(Wrong::NotOffered),
        Kind::Phone => return phone(text).map(Some).ok_or(Wrong::NotAPhone),
        Kind::Choice(choices) if choices.iter().any(|choice| choice.id == text) => {}
        Kind::Choice(_) => return Err(Wrong::NotOffered),
    }
    Ok(Some(text.to_owned()))
}

/// Digits with an optional plus before them, six to fifteen (ITU-T E.164); what people write between is left out.
fn phone(text: &str) -> Option<String> {
    let is_between = |c: char| matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}');
    let plain: String = text.chars().filter(|c| !is_between(*c)).collect();
    let digits = plain.strip_prefix('+').unwrap_or(&plain);
    let is_fine = (6..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    is_fine.then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(id: &str, kind: Kind, is_required: bool) -> Question {
        Question { id: id.to_owned(), ask: Localized::new(id, id), hint: None, kind, is_required }
    }

    fn questions() -> Vec<Question> {
        let choice =
            |id: &str, en: &str, es: &str| Choice { id: id.to_owned(), label: Localized::new(en, es) };
        vec![
            question("people", Kind::Number, true),
            question("format", Kind::Choice(vec![choice("paper", "Paper", "Papel")]), false),
            question("club", Kind::YesNo, false),
            question("goal", Kind::Text, false),
            question("more", Kind::Long, false),
            Question::phone(),
        ]
    }

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(id, text)| ((*id).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn answers_are_kept_by_their_question_and_told_in_the_readers_words() {
        let said = given(&[
            ("people", " 120 "),
            ("format", "paper"),
            ("club", "yes"),
            ("goal", "read\n\u{202e}more"),
            ("phone", "+34 (600) 12-34-56"),
            ("unasked", "x"),
        ]);
        let answers = read(&questions(), &said).expect("all fine");
        assert_eq!(answers.get("phone"), Some("+34600123456"));
        assert_eq!(answers.get("unasked"), None);
        let told: Vec<String> = answers
            .told(&questions(), Language::Es)
            .into_iter()
            .map(|(ask, said)| format!("{ask}: {said}"))
            .collect();
        assert_eq!(
            told,
            [
                "people: 120",
                "format: Papel",
                "club: Sí",
                "goal: read more",
                "Tu número de teléfono: +34600123456"
            ]
        );
        let later = answers.told(&questions()[1..2], Language::En);
        assert_eq!(later.len(), 5, "what is not asked any more is still told: {later:?}");
        assert_eq!(later[0].1, "Paper");
    }

    #[test]
    fn every_wrong_answer_is_told_in_one_go() {
        let long = "x".repeat(LINE_LENGTH + 1);
        let said = given(&[
            ("people", "many"),
            ("format", "film"),
            ("club", "maybe"),
            ("goal", &long),
            ("phone", "call me"),
        ]);
        let wrong = read(&questions(), &said).expect_err("all wrong");
        let words: Vec<&str> = wrong.iter().map(|(_, why)| why.word()).collect();
        assert_eq!(words, ["not_a_number", "not_offered", "not_offered", "too_long", "not_a_phone"]);
        let missing = read(&questions(), &given(&[("people", "  ")])).expect_err("two are required");
        assert_eq!(missing, [("people".to_owned(), Wrong::Missing), ("phone".to_owned(), Wrong::Missing)]);
    }

    #[test]
    fn a_telephone_number_has_six_to_fifteen_digits() {
        for fine in ["600123456", "+1 212 555 0100", "0049/30-123456"] {
            assert!(phone(fine).is_some(), "{fine}");
        }
        for wrong in
            ["12345", "+1234567890123456", "++34600123456", "600 12 34 56 ext 7", "６００１２３４５６"]
        {
            assert!(phone(wrong).is_none(), "{wrong}");
        }
    }
}
