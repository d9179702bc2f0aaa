//! `do`: has something done that visitors do not see; the registry of actions is `chat/actions.rs`.

use std::collections::BTreeMap;

use crate::base::diagnostic::nearest;
use crate::base::yaml::{Map, Spanned, View};

use super::{is_read, name};
use crate::chat::actions::{self, Takes};
use crate::chat::effects::Effect;
use crate::chat::engine::{After, Input, Phase, Refused, Run};
use crate::chat::flow::{Load, Outcome, Step, Words};

#[derive(Clone, Debug)]
pub struct Act {
    pub action: Spanned<String>,
    pub with: BTreeMap<String, Words>,
}

impl Act {
    /// Reports S510 for an action that is not in the registry, Y003 and Y005 for inputs that it does not take or lacks,
    /// D302 for a name with holes in it.
    pub fn read<'a>(id: &str, map: &mut Map<'a>, load: &mut Load<'a>) -> Act {
        let action = name("do", map);
        let mut with = BTreeMap::new();
        // What is missing because its name was mistyped is told once.
        let mut meant = Vec::new();
        let known = actions::find(&action.value);
        for (name, view) in map.optional("with").and_then(View::map).map(|m| m.entries()).unwrap_or_default()
        {
            let input = known.and_then(|known| known.inputs.iter().find(|input| input.name == name.value));
            if let (Some(known), None) = (known, input) {
                meant.extend(nearest(&name.value, known.inputs.iter().map(|input| input.name)));
                load.report
                    .error(&name.at, "Y003", format!("{} takes no \"{}\"", known.name, name.value))
                    .did_you_mean(&name.value, known.inputs.iter().map(|input| input.name));
            }
            let words = load.given(&format!("{id}.{}", name.value), view);
            if let Some(input) = input.filter(|input| input.takes != Takes::Text)
                && words.versions().any(|text| !text.holes().is_empty())
            {
                let what = input.takes.word();
                view.error(
                    "D302",
                    format!("{} takes the name of a {what}, not a text with holes", name.value),
                )
                .hint(format!("name the {what}; with a `switch` before it each way can name its own"));
            }
            with.insert(name.value.clone(), words);
        }
        if known.is_none() && is_read(&action) {
            let all = actions::ACTIONS.iter().map(|action| action.name);
            load.report
                .error(&action.at, "S510", format!("there is no action \"{}\"", action.value))
                .did_you_mean(&action.value, all);
        }
        if let Some(known) = known {
            let is_missing = |name: &str| !with.contains_key(name) && !meant.contains(&name);
            for input in known.inputs.iter().filter(|input| input.required && is_missing(input.name)) {
                load.report
                    .error(&action.at, "Y005", format!("{} needs \"{}\"", known.name, input.name))
                    .hint(format!("with: {{{}: …}}", input.name));
            }
        }
        Act { action, with }
    }

    pub fn enter(&self, step: &Step, run: &mut Run<'_>) -> After {
        let with = self.with.iter().map(|(name, words)| (name.clone(), run.render(words))).collect();
        let key = run.key(step);
        run.effects.push(Effect::Do { action: self.action.value.clone(), with, key });
        run.state.phase = Phase::Answer;
        After::Stay
    }

    pub fn hear(&self, input: &Input) -> Result<After, Refused> {
        match input {
            Input::Done => Ok(After::Outcome(Outcome::Ok)),
            Input::Failed => Ok(After::Outcome(Outcome::Error)),
            _ => Err(Refused::NotNow),
        }
    }
}
