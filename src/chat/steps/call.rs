//! `call: bant_questions`: another flow's steps, and back here when it ends.

use std::collections::BTreeMap;

use crate::base::yaml::{Map, Spanned, View};

use super::name;
use crate::chat::engine::{After, Run};
use crate::chat::flow::{Outcome, Target};

#[derive(Clone, Debug)]
pub struct Call {
    pub flow: Spanned<String>,
    /// Where it goes on after one of the other flow's ends; after those that are not named, with `done`.
    pub ends: BTreeMap<String, Target>,
    /// The first step of the other flow, once `chat/link.rs` has brought its steps here.
    pub entry: Option<String>,
}

impl Call {
    pub fn read(map: &mut Map<'_>) -> Call {
        let flow = name("call", map);
        let ends = map.optional("ends").and_then(View::map).map(|ends| ends.entries()).unwrap_or_default();
        let ends = ends.into_iter().map(|(end, view)| (end.value.clone(), Target::read(view))).collect();
        Call { flow, ends, entry: None }
    }

    pub fn enter(&self, _run: &mut Run<'_>) -> After {
        match &self.entry {
            Some(entry) => After::Jump(entry.clone()),
            None => After::Outcome(Outcome::Done),
        }
    }
}
