//! Two people write down something about a contact at the same time. Each form says what stood in its fields when it was
//! opened (`was_NAME`): a field that somebody left as it was writes nothing, and where another has written something else
//! meanwhile, the second is shown both and decides.

use actix_web::HttpResponse;

use super::conflict::{Conflict, Row};
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

/// Shows what stands there now beside what was typed, which is kept; nothing has been changed. `action` takes the form
/// again, with the fields `carried` that are not in dispute.
///
/// # Errors
/// As the store says.
pub async fn page(
    reader: &Reader,
    contact: &Contact,
    action: &str,
    typed: &[Typed],
    mut carried: Vec<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let mut rows = Vec::new();
    for field in typed {
        let name = field.name.clone();
        carried.push((format!("was_{name}"), field.now.clone()));
        if !field.is_stale() {
            carried.push((name, field.value.clone()));
            continue;
        }
        let label = reader.word("console.field", &name);
        rows.push(Row { label, now: field.now.clone(), yours: field.value.clone(), field: Some(name) });
    }
    let conversation = carried.iter().find(|(name, id)| name == "conversation" && !id.is_empty());
    let back = match conversation {
        Some((_, id)) => format!("/console/inbox/{id}"),
        None => format!("/console/contacts/{}", contact.id),
    };
    let name = contact.display_name();
    Conflict { area: "contacts", name: &name, back: &back, action, rows, carried }.page(reader).await
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
