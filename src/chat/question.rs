//! A question: what it asks, what counts as an answer.

use serde_json::Value as Json;

use crate::base::email::Email;
use crate::base::yaml::{Map, View};

use super::body::{Body, Choice, Input, Said};
use super::engine::Run;
use super::flow::{Load, VarType, Words};
use super::phrases::Phrase;

/// A question of a flow.
#[derive(Clone, Debug)]
pub struct Question {
    /// The variable that takes the answer.
    pub var: Option<String>,
    pub of: VarType,
    pub ask: Words,
    /// For a choice: ids and labels.
    pub choices: Vec<(String, Words)>,
    pub placeholder: Option<Words>,
    pub multiline: bool,
    pub min: Option<i64>,
    pub max: Option<i64>,
    /// The flow's own words for an answer that will not do.
    pub invalid: Option<Words>,
}

/// What became of an answer.
pub enum Heard {
    /// It will do: the value, and how it stands in the log.
    Value(Json, Body),
    /// It will not do.
    Invalid(Phrase),
}

impl Question {
    /// Reads the keys of a question out of a step or a form. `key` is where its translations stand.
    pub fn read<'a>(
        key: &str,
        map: &mut Map<'a>,
        var: Option<(String, VarType)>,
        load: &mut Load<'a>,
    ) -> Option<Question> {
        let ask = map.required("ask").and_then(|view| load.words(&format!("{key}.ask"), view));
        let kind = map.optional("type");
        let word = kind.and_then(|v| v.one_of(&["choice", "text", "email", "phone", "number"]));
        let labels: Vec<_> = match map.optional("choices") {
            Some(view) => view.map().map(|m| m.entries()).unwrap_or_default(),
            None => Vec::new(),
        };
        let labels: Vec<_> = labels.into_iter().map(|(id, view)| (id, label(view))).collect();
        let choices = match labels.is_empty() {
            true => Vec::new(),
            false => load.labels(&format!("{key}.choices"), &labels),
        };
        let placeholder =
            map.optional("placeholder").and_then(|v| load.words(&format!("{key}.placeholder"), v));
        let invalid = map.optional("invalid").and_then(|v| load.words(&format!("{key}.invalid"), v));
        let multiline = map.optional("multiline").and_then(View::bool).unwrap_or(false);
        let min = map.optional("min").and_then(View::int);
        let max = map.optional("max").and_then(View::int);
        let of = match (word, &var) {
            (Some("text"), _) => VarType::Text,
            (Some("email"), _) => VarType::Email,
            (Some("phone"), _) => VarType::Phone,
            (Some("number"), _) => VarType::Number,
            (Some("choice"), _) => VarType::Enum(Vec::new()),
            (_, Some((_, of))) if labels.is_empty() => of.clone(),
            _ if labels.is_empty() => VarType::Text,
            _ => VarType::Enum(Vec::new()),
        };
        let is_choice = matches!(of, VarType::Enum(_));
        if is_choice && labels.is_empty() {
            load.report
                .error(map.at, "Y005", "a choice needs \"choices\"")
                .hint("choices: {yes: Yes, no: No}");
        }
        if let (false, Some((id, _))) = (is_choice, labels.first()) {
            load.report
                .error(&id.at, "D302", format!("a question of type {} takes no choices", of.word()))
                .done();
        }
        if labels.len() > 6
            && let Some((id, _)) = labels.get(6)
        {
            load.report
                .warning(&id.at, "T406", format!("{} choices are many to choose from", labels.len()))
                .hint("six at most read well");
        }
        if let Some((name, of_var)) = &var {
            let at = kind.map_or(map.at, |view| view.at());
            match (&of, of_var) {
                (VarType::Enum(_), VarType::Enum(values)) => {
                    for (id, _) in labels.iter().filter(|(id, _)| !values.contains(&id.value)) {
                        let message = format!("\"{}\" is no value of the variable \"{name}\"", id.value);
                        load.report
                            .error(&id.at, "D304", message)
                            .did_you_mean(&id.value, values.iter().map(String::as_str));
                    }
                }
                (VarType::Enum(_) | VarType::Email | VarType::Phone, VarType::Text) => {}
                (asked, of_var) if asked.word() == of_var.word() => {}
                (asked, of_var) => {
                    let message = format!(
                        "the variable \"{name}\" holds {}, the question gives {}",
                        of_var.word(),
                        asked.word()
                    );
                    load.report.error(at, "D302", message).done();
                }
            }
        }
        Some(Question {
            var: var.map(|(name, _)| name),
            of,
            ask: ask?,
            choices,
            placeholder,
            multiline,
            min,
            max,
            invalid,
        })
    }

    /// The shape of its input, for the widget.
    pub fn input(&self, run: &Run<'_>) -> Input {
        let placeholder = self.placeholder.as_ref().map(|words| run.render(words));
        match self.of {
            VarType::Enum(_) => Input::Choice {
                choices: self
                    .choices
                    .iter()
                    .map(|(id, label)| Choice { id: id.clone(), label: run.render(label) })
                    .collect(),
            },
            VarType::Text => Input::Text { placeholder, multiline: self.multiline },
            VarType::Email => Input::Email { placeholder },
            VarType::Phone => Input::Phone { placeholder },
            VarType::Number => Input::Number { placeholder },
        }
    }

    /// Takes an answer, typed or clicked.
    pub fn hear(&self, id: &str, said: &Said, run: &Run<'_>) -> Heard {
        let typed = match said {
            Said::Text { text } => text.trim(),
            Said::Answer { value, .. } => value.trim(),
            Said::Choice { choice, .. } => choice.as_str(),
            Said::Slot { .. } | Said::HumanRequested => "",
        };
        let answer = |text: &str| Body::Answer { question: id.to_owned(), text: text.to_owned() };
        match self.of {
            VarType::Enum(_) => {
                let labels: Vec<(&str, String)> =
                    self.choices.iter().map(|(id, label)| (id.as_str(), run.render(label))).collect();
                let number = typed.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
                let by_number = number.and_then(|n| labels.get(n));
                let by_word = labels
                    .iter()
                    .find(|(id, label)| *id == typed || label.to_lowercase() == typed.to_lowercase());
                match by_word.or(by_number) {
                    Some((choice, label)) => {
                        let body = Body::Choice {
                            question: id.to_owned(),
                            choice: (*choice).to_owned(),
                            label: label.clone(),
                        };
                        Heard::Value(Json::from(*choice), body)
                    }
                    None => Heard::Invalid(Phrase::PickOne),
                }
            }
            VarType::Email => match Email::parse(typed) {
                Ok(email) => Heard::Value(Json::from(email.as_str()), answer(typed)),
                Err(_) => Heard::Invalid(Phrase::NotAnEmail),
            },
            VarType::Phone => {
                let digits = typed.chars().filter(char::is_ascii_digit).count();
                let fits = typed.chars().all(|c| c.is_ascii_digit() || " +-().".contains(c));
                match fits && (6..=15).contains(&digits) {
                    true => Heard::Value(Json::from(typed), answer(typed)),
                    false => Heard::Invalid(Phrase::NotAPhone),
                }
            }
            VarType::Number => {
                let number = typed.replace(',', ".").parse::<f64>().ok().filter(|n| n.is_finite());
                match number.filter(|n| self.admits(*n)) {
                    Some(number) => Heard::Value(Json::from(number), answer(typed)),
                    None => Heard::Invalid(Phrase::NotANumber),
                }
            }
            VarType::Text => {
                let length = i64::try_from(typed.chars().count()).unwrap_or(i64::MAX);
                if length < self.min.unwrap_or(1) {
                    Heard::Invalid(Phrase::TooShort)
                } else if length > self.max.unwrap_or(2_000) {
                    Heard::Invalid(Phrase::TooLong)
                } else {
                    Heard::Value(Json::from(typed), answer(typed))
                }
            }
        }
    }

    fn admits(&self, number: f64) -> bool {
        let bound = |n: i64| n.to_string().parse::<f64>().unwrap_or(0.0);
        self.min.is_none_or(|min| number >= bound(min)) && self.max.is_none_or(|max| number <= bound(max))
    }
}

/// A choice is written as its label, or as a map with `label` and `goto`.
pub fn label(view: View<'_>) -> View<'_> {
    match view.is_map() {
        true => view.map().and_then(|mut map| map.optional("label")).unwrap_or(view),
        false => view,
    }
}
