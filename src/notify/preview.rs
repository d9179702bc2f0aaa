//! A look at a mail without sending it, filled with its example.

use serde::Serialize;

use super::compose::{Dress, compose};
use super::{Error, Wording};
use crate::base::language::Language;
use crate::render::Templates;

/// A mail as its reader would see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preview {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Writes a mail with its example; nothing if there is no mail of this name.
///
/// # Errors
/// [`Error::Unwritable`].
pub fn preview(
    templates: &Templates,
    wording: &Wording,
    postal: &str,
    name: &str,
    language: Language,
) -> Result<Option<Preview>, Error> {
    let Some(context) = wording.example(name, language) else { return Ok(None) };
    let is_letter = wording.letters().contains(name);
    let is_marketing = is_letter || context.get("unsubscribe").is_some_and(|link| !link.is_null());
    let dress = Dress {
        is_of_topic: is_letter,
        preferences: is_marketing.then(|| "https://faro.example/preferences/eyJzIjoiIn0.h2Vd81kQ".to_owned()),
        postal: Some(postal).filter(|postal| is_marketing && !postal.is_empty()),
        ..Dress::default()
    };
    let written = compose(templates, wording, name, language, &context, &dress)?;
    Ok(Some(Preview { subject: written.subject, text: written.text, html: written.html }))
}
