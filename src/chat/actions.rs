//! What a `do` step can have done: a closed list, one line each.

/// An action that flows may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    pub name: &'static str,
    /// Texts that it takes.
    pub inputs: &'static [&'static str],
    pub what: &'static str,
}

/// All actions.
pub const ACTIONS: [Action; 1] =
    [Action { name: "call.request", inputs: &["note"], what: "asks the team to call the person back" }];

/// The action of a name.
pub fn find(name: &str) -> Option<&'static Action> {
    ACTIONS.iter().find(|action| action.name == name)
}
