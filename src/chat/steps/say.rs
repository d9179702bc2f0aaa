//! `say`: the bot says something and goes on.

use crate::base::yaml::Map;

use super::words;
use crate::chat::engine::{After, Run};
use crate::chat::flow::{Load, Outcome, Words};

#[derive(Clone, Debug)]
pub struct Say {
    pub words: Words,
}

impl Say {
    pub fn read<'a>(id: &str, map: &mut Map<'a>, load: &mut Load<'a>) -> Say {
        Say { words: words(id, "say", map, load) }
    }

    pub fn enter(&self, run: &mut Run<'_>) -> After {
        run.say(&self.words);
        After::Outcome(Outcome::Next)
    }
}
