//! `set: {budget: unsure, company: {from: contact.company}}`: gives variables constant values, or those of fields.

use serde_json::Value as Json;

use crate::base::email::Email;
use crate::base::expr::Type;
use crate::base::yaml::{Map, View};

use crate::chat::engine::{After, Run};
use crate::chat::flow::{Load, Outcome, VarType};
use crate::chat::question::{date_of, time_of, url_of};

#[derive(Clone, Debug)]
pub struct Set {
    pub values: Vec<(String, Source)>,
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub enum Source {
    Constant(Json),
    /// A field of `symbols.rs` or another variable; where it has no value, nothing is set.
    Field(String),
}

impl Source {
    /// Whether it certainly has a value.
    pub fn is_constant(&self) -> bool {
        matches!(self, Source::Constant(_))
    }

    /// The field that it reads.
    pub fn field(&self) -> Option<&str> {
        match self {
            Source::Field(path) => Some(path),
            Source::Constant(_) => None,
        }
    }
}

impl Set {
    pub fn read<'a>(map: &mut Map<'a>, load: &mut Load<'a>) -> Set {
        let mut values = Vec::new();
        for (name, view) in map.required("set").and_then(View::map).map(|m| m.entries()).unwrap_or_default() {
            let is_field = load.symbols.get(&name.value).is_some()
                || name.value.split_once('.').is_some_and(|(group, _)| {
                    load.symbols.fields().any(|(path, _)| path.split('.').next() == Some(group))
                });
            if is_field && !load.vars.contains_key(&name.value) {
                load.report
                    .error(&name.at, "D306", format!("\"{}\" can only be read", name.value))
                    .hint("set a variable; one with `save: true` is kept with the contact");
                continue;
            }
            let Some((var, of)) = load.var(&name.value, &name.at) else { continue };
            // What was told of the value is told: the variable has one.
            let source = match view.is_map() {
                true => field(view, &of, load),
                false => Source::Constant(constant(view, &name.value, &of).unwrap_or_default()),
            };
            values.push((var, source));
        }
        Set { values }
    }

    pub fn enter(&self, run: &mut Run<'_>) -> After {
        for (name, source) in &self.values {
            let value = match source {
                Source::Constant(value) => Some(value.clone()),
                Source::Field(path) => run.values().get(path).cloned(),
            };
            if let Some(value) = value {
                run.keep_var(name, value);
            }
        }
        After::Outcome(Outcome::Next)
    }
}

/// `{from: contact.company}`.
fn field(view: View<'_>, of_var: &VarType, load: &Load<'_>) -> Source {
    let from = view.map().and_then(|mut map| {
        let from = map.required("from");
        map.finish();
        from
    });
    let Some((from, path)) = from.and_then(|from| Some((from, from.str()?))) else {
        return Source::Field(String::new());
    };
    let Some(of) = load.symbols.get(&path) else {
        from.error("D301", format!("there is no field \"{path}\""))
            .did_you_mean(&path, load.symbols.fields().map(|(path, _)| path));
        return Source::Field(path);
    };
    let fits = match (of_var, of) {
        (VarType::Unread, _) | (_, Type::Any) => true,
        (VarType::Number, Type::Int | Type::Float) | (VarType::Text, Type::String | Type::Enum(_)) => true,
        (VarType::Enum(words), Type::Enum(given)) => given.iter().all(|word| words.contains(word)),
        (VarType::Email, Type::String) => path == "contact.email",
        _ => false,
    };
    if !fits {
        from.error("D302", format!("the variable holds {}, \"{path}\" is {of}", of_var.word()))
            .hint("let both be of the same type");
    }
    Source::Field(path)
}

fn constant(view: View<'_>, name: &str, of: &VarType) -> Option<Json> {
    let text = view.str()?;
    let value = match of {
        VarType::Number => text.parse::<f64>().ok().filter(|n| n.is_finite()).map(Json::from),
        VarType::Enum(words) => {
            if !words.contains(&text) {
                view.error("D304", format!("\"{text}\" is no value of the variable \"{name}\""))
                    .did_you_mean(&text, words.iter().map(String::as_str));
                return None;
            }
            Some(Json::from(text.as_str()))
        }
        VarType::Email => Email::parse(&text).ok().map(|email| Json::from(email.as_str())),
        VarType::Url => url_of(&text).map(Json::from),
        VarType::Date => date_of(&text).map(|date| Json::from(date.to_string())),
        VarType::Time => time_of(&text).map(Json::from),
        VarType::Text | VarType::Phone | VarType::Unread => Some(Json::from(text.as_str())),
    };
    if value.is_none() {
        view.error("D302", format!("\"{text}\" is no {}", of.word()))
            .hint(format!("the variable \"{name}\" holds {}", of.word()));
    }
    value
}
