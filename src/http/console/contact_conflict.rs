//! Two people write down something about a contact at the same time. Each form says what stood in its fields when it was
//! opened (`was_NAME`): a field that somebody left as it was writes nothing, and where another has written something else
//! meanwhile, the second is shown both and decides.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::{Value as Json, json};

use super::frame::Reader;
use crate::contacts::Contact;
use crate::http::error::Problem;

/// A field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    pub name: String,
    /// What stood there when the form was opened; none if the form does not say.
    pub was: Option<String>,
    pub value: String,
    /// What stands there now.
    pub now: String,
}

impl Typed {
    /// Whether somebody has changed it in the form.
    pub fn is_touched(&self) -> bool {
        self.was.as_deref().map(str::trim) != Some(self.value.trim())
    }

    /// Whether another person has written something else since the form was opened.
    pub fn is_stale(&self) -> bool {
        let is_other = |was: &str| was.trim() != self.now.trim();
        self.is_touched() && self.was.as_deref().is_some_and(is_other) && self.now.trim() != self.value.trim()
    }
}

/// Shows what stands there now beside what was typed, which is kept; nothing has been changed. `action` takes the form again.
///
/// # Errors
/// As the store says.
pub async fn page(
    reader: &Reader,
    contact: &Contact,
    action: &str,
    conversation: Option<&str>,
    typed: &[Typed],
) -> Result<HttpResponse, Problem> {
    let told = |field: &Typed| json!({ "name": field.name, "now": field.now, "yours": field.value });
    let stale: Vec<Json> = typed.iter().filter(|field| field.is_stale()).map(told).collect();
    let others: Vec<Json> = typed.iter().filter(|field| !field.is_stale()).map(told).collect();
    let body = json!({
        "contact": { "id": contact.id, "name": contact.display_name() },
        "action": action,
        "conversation": conversation,
        "stale": stale,
        "others": others,
    });
    reader.page_with(StatusCode::CONFLICT, "console/contact_conflict", body).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(was: Option<&str>, value: &str, now: &str) -> Typed {
        let text = str::to_owned;
        Typed { name: text("budget"), was: was.map(text), value: text(value), now: text(now) }
    }

    #[test]
    fn only_what_both_have_changed_is_in_dispute() {
        let both = |field: Typed| (field.is_touched(), field.is_stale());
        // Nobody else was there.
        assert_eq!(both(field(Some("a"), "b", "a")), (true, false));
        // She left it as it was, somebody else did not.
        assert_eq!(both(field(Some("a"), " a ", "c")), (false, false));
        // Both did.
        assert_eq!(both(field(Some("a"), "b", "c")), (true, true));
        assert_eq!(both(field(Some(""), "b", "c")), (true, true));
        // Both to the same.
        assert_eq!(both(field(Some("a"), "b", "b ")), (true, false));
        // A form of before, which does not say.
        assert_eq!(both(field(None, "b", "c")), (true, false));
    }
}
