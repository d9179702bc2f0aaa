//! What a flow may speak of: the fields of its conditions and texts.

use crate::base::expr::{Symbols, Type};

/// Fields that always have a value, whoever the visitor is.
pub const ALWAYS: [&str; 3] = ["trust", "team.online", "visit.language"];

/// The function that tells whether named business hours run now.
pub const IS_OPEN: &str = "is_open";

/// The function that tells whether a conversation for a team can be offered to somebody now.
pub const IS_ONLINE: &str = "is_online";

/// The words that no question took.
pub const UNHEARD: &str = "chat.unheard";

/// Whether a field tells something that is stored about a person, and so may be used only when it is certain
/// that she is the one who sits there.
pub fn is_personal(path: &str) -> bool {
    let group = path.split('.').next().unwrap_or_default();
    matches!(group, "contact" | "customer" | "webinar" | "booking") && path != "contact.has_email"
}

/// Every field that is the same for all flows. What belongs to a person (see
/// [`is_personal`]) has a value only for a visitor whose identity is confirmed (trust 3).
pub fn common() -> Symbols {
    Symbols::new()
        .field("trust", Type::Int)
        .field("contact.known", Type::Bool)
        .field("contact.has_email", Type::Bool)
        .field("contact.first_name", Type::String)
        .field("contact.last_name", Type::String)
        .field("contact.email", Type::String)
        .field("contact.company", Type::String)
        .field("contact.stage", Type::String)
        .field("contact.segments", Type::list(Type::String))
        .field("customer.state", Type::String)
        .field("webinar.id", Type::String)
        .field("webinar.title", Type::String)
        .field("webinar.state", Type::one_of(["registered", "attended", "no_show", "cancelled"]))
        .field("webinar.recording", Type::String)
        .field("webinar.watched_percent", Type::Int)
        .field("visit.returning", Type::Bool)
        .field("visit.path", Type::String)
        .field("visit.language", Type::one_of(["en", "es"]))
        .field("visit.utm_source", Type::String)
        .field("visit.utm_medium", Type::String)
        .field("visit.utm_campaign", Type::String)
        .field("visit.utm_term", Type::String)
        .field("visit.utm_content", Type::String)
        .field("team.online", Type::Int)
        .field("hours.open", Type::Bool)
        .field("hours.opens_at", Type::Int)
        .function(IS_OPEN, vec![Type::String], Type::Bool)
        .function(IS_ONLINE, vec![Type::String], Type::Bool)
        .field("booking.upcoming", Type::Bool)
        .field("booking.starts_at", Type::Int)
        .field("booking.with", Type::String)
        .field("agent.name", Type::String)
        .field(UNHEARD, Type::String)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_that_conditions_may_read_is_given_a_value_somewhere() {
        let given = [include_str!("world.rs"), include_str!("engine.rs")].concat();
        for (field, _) in common().fields() {
            let is_given = given.contains(&format!("\"{field}\"")) || field.starts_with("visit.utm_");
            assert!(is_given, "{field}");
        }
    }
}
