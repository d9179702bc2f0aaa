//! `set: {budget: unsure}`: gives variables constant values.

use serde_json::Value as Json;

use crate::base::yaml::{Map, View};

use crate::chat::engine::{After, Run};
use crate::chat::flow::{Load, Outcome, VarType};

#[derive(Clone, Debug)]
pub struct Set {
    pub values: Vec<(String, Json)>,
}

impl Set {
    pub fn read<'a>(map: &mut Map<'a>, load: &mut Load<'a>) -> Option<Set> {
        let mut values = Vec::new();
        for (name, view) in map.required("set").and_then(View::map)?.entries() {
            let Some(var) = load.vars.get(&name.value) else {
                load.report
                    .error(&name.at, "D301", format!("there is no variable \"{}\"", name.value))
                    .did_you_mean(&name.value, load.vars.keys().map(String::as_str));
                continue;
            };
            let Some(text) = view.str() else { continue };
            let value = match &var.of {
                VarType::Number => match text.parse::<f64>() {
                    Ok(number) => Json::from(number),
                    Err(_) => {
                        view.error("D302", format!("\"{text}\" is no number")).done();
                        continue;
                    }
                },
                VarType::Enum(words) if !words.contains(&text) => {
                    view.error("D304", format!("\"{text}\" is no value of the variable \"{}\"", name.value))
                        .did_you_mean(&text, words.iter().map(String::as_str));
                    continue;
                }
                VarType::Enum(_) | VarType::Text | VarType::Email | VarType::Phone => Json::from(text),
            };
            values.push((name.value.clone(), value));
        }
        Some(Set { values })
    }

    pub fn enter(&self, run: &mut Run<'_>) -> After {
        for (name, value) in &self.values {
            run.keep_var(name, value.clone());
        }
        After::Outcome(Outcome::Next)
    }
}
