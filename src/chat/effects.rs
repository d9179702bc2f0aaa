//! What a turn wants done in the world, as data. The engine asks, the shell carries it out in the same transaction.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::base::time::Timestamp;

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// The visitor has said who she is. Trust grows to *claimed*, no further.
    Identify { email: String },
    /// A fact about the person, to be kept with her contact.
    SaveField { name: String, value: Json },
    /// Somebody of the team is wanted.
    Handoff { team: String },
    /// Nobody came, or nobody is wanted any more.
    WithdrawHandoff,
    /// Free times are wanted, those after a time if one is named; answered by `Input::Slots` or `Input::NoSlots` in the same turn.
    OfferSlots { meeting: String, after: Option<Timestamp>, within_ms: i64, offer: usize },
    /// A time is to be booked; answered by `Input::Booked`, `SlotTaken` or `NotBooked` in the same turn.
    Book { meeting: String, starts_at: Timestamp, key: String },
    /// She wants to be told when a time is free (`looked`: another than those that are); answered by `Input::Done` or `Input::Failed` in the same turn.
    WaitForTime { meeting: String, looked: bool },
    /// A code is to be sent to her address; answered by `Input::Done`, `Input::CodeTooSoon` or
    /// `Input::Failed` in the same turn.
    SendCode,
    /// Digits that she typed; answered by `Input::Done`, `Input::CodeWrong` or `Input::Failed` in the same turn.
    CheckCode { digits: String },
    /// She went through this arm of an A/B test.
    Split { step: String, arm: String },
    /// An action of the registry; answered by `Input::Done` or `Input::Failed` in the same turn.
    Do { action: String, with: BTreeMap<String, String>, key: String },
}

impl Effect {
    /// Whether the flow goes on only after an answer.
    pub fn wants_answer(&self) -> bool {
        match self {
            Effect::OfferSlots { .. }
            | Effect::Book { .. }
            | Effect::WaitForTime { .. }
            | Effect::SendCode
            | Effect::CheckCode { .. }
            | Effect::Do { .. } => true,
            Effect::Identify { .. }
            | Effect::SaveField { .. }
            | Effect::Handoff { .. }
            | Effect::WithdrawHandoff
            | Effect::Split { .. } => false,
        }
    }
}
