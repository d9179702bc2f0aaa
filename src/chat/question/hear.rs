//! What counts as an answer.

use jiff::civil::{Date, Time};
use serde_json::Value as Json;
use url::Url;

use super::{Kind, Question};
use crate::base::email::Email;
use crate::chat::body::{Body, Choice, Said};
use crate::chat::engine::Run;
use crate::chat::phrases::Phrase;

/// The digits of a one-time code (`contacts::codes`).
pub const CODE_DIGITS: u8 = 6;
/// How many more codes one question sends on request.
pub const CODES_AGAIN: u32 = 2;
/// The choice that asks for another code.
pub const AGAIN: &str = "again";

/// The choice that asks for another code, as she reads it.
pub(super) fn another(run: &Run<'_>) -> Choice {
    let label = Phrase::SendAgain.text(run.world.reader.language).to_owned();
    Choice { id: AGAIN.to_owned(), label, image: None, alt: None }
}
/// What stands in the log for digits that prove an address.
pub const HIDDEN: &str = "••••••";
/// Longest web address that is taken.
const URL_LENGTH: usize = 500;

/// What became of an answer.
pub enum Heard {
    /// It will do: the value, and how it stands in the log.
    Value(Json, Body),
    /// It will not do.
    Invalid(Phrase),
}

impl Question {
    /// Takes an answer, typed or clicked.
    pub fn hear(&self, id: &str, said: &Said, run: &Run<'_>) -> Heard {
        let typed = match said {
            Said::Text { text } => text.trim(),
            Said::Answer { value, .. } => value.trim(),
            Said::Choice { choice, .. } => choice.as_str(),
            Said::Slot { .. } | Said::HumanRequested | Said::StopRequested => "",
        };
        let answer = |text: &str| Body::Answer { question: id.to_owned(), text: text.to_owned() };
        let taken = |value: Option<Json>, otherwise: Phrase| match value {
            Some(value) => Heard::Value(value, answer(typed)),
            None => Heard::Invalid(otherwise),
        };
        match self.of {
            Kind::Choice => self.choice(id, typed, run),
            Kind::Email => {
                let email = Email::parse(typed).ok();
                taken(email.map(|email| Json::from(email.as_str())), Phrase::NotAnEmail)
            }
            Kind::Phone => {
                let digits = typed.chars().filter(char::is_ascii_digit).count();
                let fits = typed.chars().all(|c| c.is_ascii_digit() || " +-().".contains(c));
                taken((fits && (6..=15).contains(&digits)).then(|| Json::from(typed)), Phrase::NotAPhone)
            }
            Kind::Number => {
                let number = typed.replace(',', ".").parse::<f64>().ok().filter(|n| n.is_finite());
                match number {
                    None => Heard::Invalid(Phrase::NotANumber),
                    Some(number) => {
                        taken(self.admits(number).then(|| Json::from(number)), Phrase::OutOfRange)
                    }
                }
            }
            Kind::Url => taken(url_of(typed).map(Json::from), Phrase::NotAnAddress),
            Kind::Date if self.is_range => {
                let (first, last) = self.range.days(run.world.now, &run.world.reader.zone);
                match days_of(typed) {
                    None => Heard::Invalid(Phrase::NotDays),
                    Some((from, to))
                        if from > to
                            || first.is_some_and(|first| from < first)
                            || last.is_some_and(|last| to > last) =>
                    {
                        Heard::Invalid(Phrase::OutOfRange)
                    }
                    Some((from, to)) => Heard::Value(Json::from(format!("{from}/{to}")), answer(typed)),
                }
            }
            Kind::Date => {
                let (first, last) = self.range.days(run.world.now, &run.world.reader.zone);
                match date_of(typed) {
                    None => Heard::Invalid(Phrase::NotADate),
                    Some(date)
                        if first.is_some_and(|first| date < first)
                            || last.is_some_and(|last| date > last) =>
                    {
                        Heard::Invalid(Phrase::OutOfRange)
                    }
                    Some(date) => Heard::Value(Json::from(date.to_string()), answer(typed)),
                }
            }
            Kind::Time => {
                let (opens, closes) = (&self.range.opens, &self.range.closes);
                match time_of(typed) {
                    None => Heard::Invalid(Phrase::NotATime),
                    // Written with two digits each, times sort as texts.
                    Some(time)
                        if opens.as_ref().is_some_and(|opens| time < *opens)
                            || closes.as_ref().is_some_and(|closes| time > *closes) =>
                    {
                        Heard::Invalid(Phrase::OutOfRange)
                    }
                    Some(time) => Heard::Value(Json::from(time), answer(typed)),
                }
            }
            Kind::Rating => {
                let most = self.range.max.unwrap_or(super::RATING);
                let number = typed.parse::<i64>().ok().filter(|n| (1..=most).contains(n));
                taken(number.map(Json::from), Phrase::OutOfRange)
            }
            Kind::Code => {
                let digits: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
                // The digits prove an address: they stand in no log.
                match is_code(&digits) {
                    true => Heard::Value(Json::from(digits), answer(HIDDEN)),
                    false => Heard::Invalid(Phrase::NotTheCode),
                }
            }
            Kind::Text => {
                let length = i64::try_from(typed.chars().count()).unwrap_or(i64::MAX);
                if length < self.range.min.unwrap_or(1) {
                    Heard::Invalid(Phrase::TooShort)
                } else if length > self.range.max.unwrap_or(2_000) {
                    Heard::Invalid(Phrase::TooLong)
                } else {
                    Heard::Value(Json::from(typed), answer(typed))
                }
            }
        }
    }

    /// By its id, its label, or its number in the list.
    fn choice(&self, id: &str, typed: &str, run: &Run<'_>) -> Heard {
        let labels: Vec<(&str, String)> =
            self.choices.iter().map(|(id, label)| (id.as_str(), run.render(label))).collect();
        let number = typed.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
        let by_number = number.and_then(|n| labels.get(n));
        let by_word =
            labels.iter().find(|(id, label)| *id == typed || label.to_lowercase() == typed.to_lowercase());
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

    fn admits(&self, number: f64) -> bool {
        let bound = |n: i64| n.to_string().parse::<f64>().unwrap_or(0.0);
        self.range.min.is_none_or(|min| number >= bound(min))
            && self.range.max.is_none_or(|max| number <= bound(max))
    }
}

/// Whether it reads like the digits of a code.
pub fn is_code(typed: &str) -> bool {
    let digits: Vec<char> = typed.chars().filter(|c| !c.is_whitespace()).collect();
    digits.len() == usize::from(CODE_DIGITS) && digits.iter().all(char::is_ascii_digit)
}

/// A web address; `faro.example` is taken for `https://faro.example/`.
pub fn url_of(typed: &str) -> Option<String> {
    let full = match typed.contains("://") {
        true => typed.to_owned(),
        false => format!("https://{typed}"),
    };
    let url = Url::parse(&full).ok()?;
    let is_web = matches!(url.scheme(), "https" | "http");
    let named = url.domain().is_some_and(|domain| domain.contains('.') && !domain.ends_with('.'));
    let plain = url.username().is_empty() && url.password().is_none();
    (is_web && named && plain && url.as_str().len() <= URL_LENGTH).then(|| url.into())
}

/// A day as `2026-12-24`, or as people here write it, day first: `24.12.2026`, `24/12/2026`.
pub fn date_of(typed: &str) -> Option<Date> {
    if let Ok(date) = typed.parse::<Date>() {
        return Some(date);
    }
    let parts: Vec<&str> = typed.split(['.', '/', '-']).map(str::trim).collect();
    let [day, month, year] = parts.as_slice() else { return None };
    if year.len() != 4 {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

/// A first and a last day as `2026-12-24/2026-12-28` (ISO 8601), or two days as people write them with a word or a dash
/// between; one day alone is both.
pub fn days_of(typed: &str) -> Option<(Date, Date)> {
    const BEFORE: [&str; 5] = ["from ", "del ", "desde el ", "desde ", "de "];
    const BETWEEN: [&str; 10] =
        [" to ", " until ", " till ", " al ", " a ", " hasta el ", " hasta ", " - ", "–", "/"];
    if let Some(day) = date_of(typed) {
        return Some((day, day));
    }
    let small = typed.to_lowercase();
    let plain = BEFORE.iter().find_map(|word| small.strip_prefix(word)).unwrap_or(&small);
    BETWEEN.iter().find_map(|word| {
        let (from, to) = plain.split_once(word)?;
        Some((date_of(from.trim())?, date_of(to.trim())?))
    })
}

/// A time of day as `14:30`; also taken as `14.30`, `9:30 pm`, `9 pm` and `14 h`.
pub fn time_of(typed: &str) -> Option<String> {
    let small = typed.to_lowercase();
    let plain = small.trim().trim_end_matches(['h', ' ']);
    let (plain, later) = match (plain.strip_suffix("pm"), plain.strip_suffix("am")) {
        (Some(rest), _) => (rest.trim(), Some(12)),
        (_, Some(rest)) => (rest.trim(), Some(0)),
        (None, None) => (plain, None),
    };
    let (hour, minute) = match plain.split_once([':', '.']) {
        Some((hour, minute)) if minute.len() == 2 => (hour, minute),
        Some(_) => return None,
        None if later.is_some() || small.ends_with('h') => (plain, "0"),
        None => return None,
    };
    let hour: i8 = hour.parse().ok()?;
    let hour = match later {
        None => hour,
        Some(later) => (1..=12).contains(&hour).then_some(hour % 12 + later)?,
    };
    let time = Time::new(hour, minute.parse().ok()?, 0, 0).ok()?;
    Some(time.strftime("%H:%M").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_taken_as_people_write_them() {
        for (typed, taken) in [
            ("14:30", Some("14:30")),
            ("9:05", Some("09:05")),
            ("14.30", Some("14:30")),
            ("9:30 pm", Some("21:30")),
            ("12 am", Some("00:00")),
            ("12 pm", Some("12:00")),
            ("14 h", Some("14:00")),
            ("14", None),
            ("25:00", None),
            ("13 pm", None),
            ("9:3", None),
            ("soon", None),
        ] {
            assert_eq!(time_of(typed).as_deref(), taken, "{typed}");
        }
    }

    #[test]
    fn dates_are_taken_day_first_and_only_if_they_exist() {
        let day = |typed| date_of(typed).map(|date| date.to_string());
        assert_eq!(day("2026-12-24").as_deref(), Some("2026-12-24"));
        assert_eq!(day("24.12.2026").as_deref(), Some("2026-12-24"));
        assert_eq!(day("1/2/2027").as_deref(), Some("2027-02-01"));
        assert_eq!(day("29.2.2027"), None);
        assert_eq!(day("24.12.26"), None);
        assert_eq!(day("tomorrow"), None);
    }

    #[test]
    fn ranges_of_days_are_taken_as_people_write_them() {
        let days = |typed| days_of(typed).map(|(from, to)| format!("{from}/{to}"));
        for typed in [
            "2026-12-24/2026-12-28",
            "24/12/2026 – 28/12/2026",
            "24.12.2026 to 28.12.2026",
            "From 24/12/2026 until 28/12/2026",
            "del 24/12/2026 al 28/12/2026",
            "24-12-2026 - 28-12-2026",
        ] {
            assert_eq!(days(typed).as_deref(), Some("2026-12-24/2026-12-28"), "{typed}");
        }
        assert_eq!(days("24/12/2026").as_deref(), Some("2026-12-24/2026-12-24"));
        for typed in ["at Christmas", "24/12/2026 to", "30/2/2027 to 1/3/2027", "24/12 – 28/12"] {
            assert_eq!(days(typed), None, "{typed}");
        }
    }

    #[test]
    fn only_addresses_of_the_web_are_taken() {
        assert_eq!(url_of("faro.example").as_deref(), Some("https://faro.example/"));
        assert_eq!(url_of("http://faro.example/a?b=1").as_deref(), Some("http://faro.example/a?b=1"));
        for wrong in [
            "faro",
            "javascript:alert(1)",
            "ftp://faro.example",
            "https://user:pw@faro.example",
            "https://127.0.0.1/",
            "two words",
        ] {
            assert_eq!(url_of(wrong), None, "{wrong}");
        }
    }
}
