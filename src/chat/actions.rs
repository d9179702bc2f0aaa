//! What a `do` step can have done: a closed list, one line each. `turn/acts.rs` carries them out.

/// An action that flows may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    pub name: &'static str,
    pub inputs: &'static [Input],
    /// Whether what is personal (a variable with `pii: true`) may be given to it.
    pub takes_pii: bool,
    pub what: &'static str,
}

/// Something that an action takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    pub name: &'static str,
    pub takes: Takes,
    pub required: bool,
}

/// What an input holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Words, with holes.
    Text,
    /// The id of a stage of the lifecycle.
    Stage,
    /// The id of a webinar.
    Webinar,
}

impl Takes {
    /// What people call it.
    pub fn word(self) -> &'static str {
        match self {
            Takes::Text => "text",
            Takes::Stage => "stage",
            Takes::Webinar => "webinar",
        }
    }
}

const fn required(name: &'static str, takes: Takes) -> Input {
    Input { name, takes, required: true }
}

const fn optional(name: &'static str) -> Input {
    Input { name, takes: Takes::Text, required: false }
}

/// The action that moves a contact forward in the lifecycle.
pub const PROMOTE: &str = "contact.set_stage";

/// All actions. Each ends with `ok` or `error` and is done once for each `conversation:step:visit`.
pub const ACTIONS: [Action; 4] = [
    Action {
        name: "call.request",
        inputs: &[optional("note")],
        takes_pii: true,
        what: "asks the team to call the person back",
    },
    Action {
        name: PROMOTE,
        inputs: &[required("stage", Takes::Stage), optional("reason")],
        takes_pii: false,
        what: "moves the contact forward to a stage; who is there already stays",
    },
    Action {
        name: "contact.mark",
        inputs: &[required("as", Takes::Text)],
        takes_pii: false,
        what: "notes something about the contact (`chat.marked`), for rules and segments",
    },
    Action {
        name: "webinar.register",
        inputs: &[required("webinar", Takes::Webinar)],
        takes_pii: false,
        what: "registers the contact for a webinar",
    },
];

/// The action of a name.
pub fn find(name: &str) -> Option<&'static Action> {
    ACTIONS.iter().find(|action| action.name == name)
}
