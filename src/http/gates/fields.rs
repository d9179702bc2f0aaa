//! A form's words and fields, as the snippet and the pages draw them.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::base::language::Language;
use crate::gates::form::{Field, FieldKind, Typed};
use crate::gates::{Asked, Form};

/// One showing of a form: which fields, what was typed before, and what is wrong with it.
pub struct Drawn<'a> {
    pub form: &'a Form,
    pub asked: &'a Asked,
    pub language: Language,
    pub typed: &'a Typed,
    pub errors: &'a BTreeMap<String, String>,
    pub agreed: &'a [String],
}

impl Drawn<'_> {
    /// The form's words, fields and consents.
    pub fn described(&self) -> Json {
        let (form, language) = (self.form, self.language);
        let consents: Vec<Json> = form
            .consents
            .iter()
            .map(|consent| {
                let key = form.consent_key(&consent.id);
                json!({
                    "id": consent.id,
                    "key": key,
                    "text": consent.text.get(language),
                    "required": consent.required,
                    "checked": self.agreed.contains(&consent.id),
                    "error": self.errors.get(&key),
                })
            })
            .collect();
        json!({
            "id": form.id,
            "title": form.title.get(language),
            "intro": form.intro.as_ref().map(|intro| intro.get(language)),
            "fields": self.fields(),
            "button": form.button.get(language),
            "consents": consents,
            "privacy": form.privacy.as_ref().map(|privacy| privacy.get(language)),
            "kiosk": form.is_kiosk,
            "progressive": !form.queue.is_empty() && !form.is_kiosk,
        })
    }

    /// The fields alone.
    pub fn fields(&self) -> Vec<Json> {
        self.form.shown(self.asked).map(|field| self.field(field)).collect()
    }

    fn field(&self, field: &Field) -> Json {
        let language = self.language;
        let typed = self.typed.get(&field.name).map(Vec::as_slice).unwrap_or_default();
        let is_chosen = |value: &str| typed.iter().any(|typed| typed == value);
        let options: Vec<Json> = field
            .options(language)
            .into_iter()
            .map(|(value, label)| json!({"value": value, "label": label, "chosen": is_chosen(value)}))
            .collect();
        let bounds = &field.bounds;
        let is_day = field.kind == FieldKind::Date;
        let least = if is_day {
            bounds.from.map(|day| day.to_string())
        } else {
            bounds.min.map(|min| min.to_string())
        };
        let most = if is_day {
            bounds.until.map(|day| day.to_string())
        } else {
            bounds.max.map(|max| max.to_string())
        };
        let condition = field.show_if.as_ref().and_then(|condition| condition.portable());
        json!({
            "name": field.name,
            "kind": field.kind.name(),
            "type": field.kind.html(),
            "multiline": field.kind == FieldKind::Textarea,
            "label": field.label.get(language),
            "placeholder": field.placeholder.as_ref().map_or("", |text| text.get(language)),
            "hint": field.hint.as_ref().map(|text| text.get(language)),
            // What one person typed must not be offered to the next one.
            "autocomplete": if self.form.is_kiosk { "off" } else { field.autocomplete() },
            "required": field.required,
            "value": typed.first().map_or("", String::as_str),
            "checked": typed.first().is_some_and(|typed| matches!(typed.as_str(), "true" | "on" | "1" | "yes")),
            "error": self.errors.get(&field.name),
            "options": options,
            "min": least,
            "max": most,
            "max_length": bounds.max_chars,
            "show_if": condition.as_ref().map(Json::to_string),
        })
    }
}

/// The fields that a form of its own page shows to everybody.
pub fn described_fields(
    form: &Form,
    language: Language,
    typed: &Typed,
    errors: &BTreeMap<String, String>,
) -> Vec<Json> {
    Drawn { form, asked: &Asked::Nothing, language, typed, errors, agreed: &[] }.fields()
}
