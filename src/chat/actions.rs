//! What a `do` step can have done: a closed list, one line each. `acts.rs` carries them out.

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
    /// A letter of `config/mails`, by the name of its file.
    Letter,
    /// A topic of letters.
    Topic,
    /// A team that takes chats.
    Team,
    /// A rule of `config/notify.yaml` that has a name.
    Rule,
    /// A webhook of `config/notify.yaml`.
    Hook,
}

impl Takes {
    /// What people call it.
    pub fn word(self) -> &'static str {
        match self {
            Takes::Text => "text",
            Takes::Stage => "stage",
            Takes::Webinar => "webinar",
            Takes::Letter => "letter",
            Takes::Topic => "topic",
            Takes::Team => "team",
            Takes::Rule => "rule",
            Takes::Hook => "webhook",
        }
    }
}

const fn required(name: &'static str, takes: Takes) -> Input {
    Input { name, takes, required: true }
}

const fn optional(name: &'static str, takes: Takes) -> Input {
    Input { name, takes, required: false }
}

/// The action that moves a contact forward in the lifecycle.
pub const PROMOTE: &str = "contact.set_stage";

/// All actions. Each ends with `ok` or `error` (nobody to do it for, or not allowed) and is done once for each `conversation:step:visit`.
pub const ACTIONS: [Action; 8] = [
    Action {
        name: "call.request",
        inputs: &[optional("note", Takes::Text)],
        takes_pii: true,
        what: "asks the team to call the person back",
    },
    Action {
        name: PROMOTE,
        inputs: &[required("stage", Takes::Stage), optional("reason", Takes::Text)],
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
        name: "mail.send",
        inputs: &[required("letter", Takes::Letter), required("topic", Takes::Topic)],
        takes_pii: false,
        what: "sends the contact a letter of `config/mails`, if she gets the letters of the topic",
    },
    Action {
        name: "task.give",
        inputs: &[required("title", Takes::Text), optional("team", Takes::Team)],
        takes_pii: true,
        what: "gives the contact's owner something to do; without one, somebody of the team in turn",
    },
    Action {
        name: "team.notify",
        inputs: &[required("rule", Takes::Rule)],
        takes_pii: false,
        what: "tells whom a rule of `config/notify.yaml` names, by its ways",
    },
    Action {
        name: "webhook.send",
        inputs: &[required("hook", Takes::Hook), required("name", Takes::Text)],
        takes_pii: false,
        what: "tells a webhook of `config/notify.yaml`, signed, what has happened",
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
