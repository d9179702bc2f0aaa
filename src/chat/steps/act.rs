//! `do`: has something done that visitors do not see; the registry of actions is `chat/actions.rs`.

use std::collections::BTreeMap;

use crate::base::yaml::{Map, Spanned, View};

use crate::chat::actions;
use crate::chat::effects::Effect;
use crate::chat::engine::{After, Input, Phase, Refused, Run};
use crate::chat::flow::{Load, Outcome, Step, Words};

#[derive(Clone, Debug)]
pub struct Act {
    pub action: Spanned<String>,
    pub with: BTreeMap<String, Words>,
}

impl Act {
    /// Reports S510 for an action that is not in the registry.
    pub fn read<'a>(id: &str, map: &mut Map<'a>, load: &mut Load<'a>) -> Option<Act> {
        let action = map.required("do").and_then(View::spanned);
        let mut with = BTreeMap::new();
        let known = action.as_ref().and_then(|name| actions::find(&name.value));
        for (name, view) in map.optional("with").and_then(View::map).map(|m| m.entries()).unwrap_or_default()
        {
            if let Some(known) = known
                && !known.inputs.contains(&name.value.as_str())
            {
                load.report
                    .error(&name.at, "Y003", format!("{} takes no \"{}\"", known.name, name.value))
                    .did_you_mean(&name.value, known.inputs.iter().copied());
            }
            with.extend(
                load.words(&format!("{id}.{}", name.value), view).map(|words| (name.value.clone(), words)),
            );
        }
        if let (Some(name), None) = (&action, known) {
            let all = actions::ACTIONS.iter().map(|action| action.name);
            load.report
                .error(&name.at, "S510", format!("there is no action \"{}\"", name.value))
                .did_you_mean(&name.value, all);
        }
        Some(Act { action: action?, with })
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
