//! `forms.yaml`, read.

use jiff::civil::Date;
use regex::Regex;

use super::field::{Bounds, Choice, Field, FieldKind, Source};
use super::{ConsentAsk, Done, Form, FreeMail};
use crate::base::diagnostic::Report;
use crate::base::expr::{Expr, Symbols, Type};
use crate::base::localized::Localized;
use crate::base::time::SECOND_MS;
use crate::base::yaml::{self, Map, View};
use crate::gates::attribution;

/// Consents without which nobody's data may be used at all: no wish that is traded for a file.
const NO_WISHES: [&str; 2] = ["privacy", "terms"];

/// What our forms send beside their fields.
const TAKEN: [&str; 9] = ["agreed", "consent", "lang", "nonce", "t", "visitor", "warned", "website", "zone"];

/// Reads `forms.yaml`.
pub(in crate::gates) fn read(map: &mut Map<'_>) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    for view in map.required("forms").and_then(View::list).unwrap_or_default() {
        let Some(form) = read_form(view) else { continue };
        if !form.id.is_empty() && forms.iter().any(|known| known.id == form.id) {
            view.error("C101", format!("the form \"{}\" stands twice", form.id)).done();
        }
        forms.push(form);
    }
    one_text_each(&forms, map.report);
    forms
}

/// The ledger keeps which text somebody agreed to under the name of the consent: two texts under one name would make
/// each look like a new version of the other.
fn one_text_each(forms: &[Form], report: &Report) {
    let mut first: Vec<&ConsentAsk> = Vec::new();
    for consent in forms.iter().flat_map(|form| &form.consents) {
        match first.iter().find(|known| known.id == consent.id) {
            None => first.push(consent),
            Some(known) if known.text == consent.text => {}
            Some(known) => report
                .error(
                    &consent.at,
                    "C126",
                    format!("the consent \"{}\" has another text elsewhere", consent.id),
                )
                .hint(format!(
                    "the first one is at {}: give both the same text, or this one another id",
                    known.at
                )),
        }
    }
}

fn read_form(view: View<'_>) -> Option<Form> {
    let mut map = view.map()?;
    let id = map.required("id").and_then(name);
    let title = map.required("title").and_then(Localized::read);
    let intro = map.optional("intro").and_then(Localized::read);
    let list = map.required("fields");
    let mut pending = Pending::default();
    let fields = read_fields(list, &mut Vec::new(), &mut pending);
    let asks = |field: &Field| field.name == "email" && field.kind == FieldKind::Email && field.required;
    // Without a list, or with a field without a name, that is what is wrong.
    if list.is_some() && !fields.iter().any(|field| asks(field) || field.name.is_empty()) {
        view.error("C102", "a form needs the field `email`").hint("- {name: email, type: email, label: …}");
    }
    let mut taken: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
    let queue = read_fields(map.optional("queue"), &mut taken, &mut pending);
    let ask = map.optional("ask").and_then(|view| {
        view.parsed("1 to 10 fields", |text| text.parse().ok().filter(|n: &usize| (1..=10).contains(n)))
    });
    let button = map.required("button").and_then(Localized::read);
    let privacy = map.optional("privacy").and_then(Localized::read);
    let delivers = map.optional("delivers").and_then(name);
    let registers = map.optional("registers").and_then(name);
    let gives = delivers.is_some() || registers.is_some();
    let one = map.optional("consent").into_iter();
    let several = map.optional("consents").and_then(View::list).unwrap_or_default();
    let mut consents: Vec<ConsentAsk> = Vec::new();
    for view in one.chain(several) {
        let Some(consent) = read_consent(view, gives) else { continue };
        if consents.iter().any(|known| known.id == consent.id) {
            view.error("C118", format!("the consent \"{}\" is asked for twice", consent.id)).done();
        }
        consents.push(consent);
    }
    let min_fill_s = map.optional("min_fill_s").and_then(|view| {
        view.parsed("0 to 20 seconds", |text| text.parse().ok().filter(|seconds| (0..=20).contains(seconds)))
    });
    let free_mail = map.optional("free_mail").and_then(|view| view.one_of(&["allow", "warn", "block"]));
    let is_kiosk = map.optional("kiosk").and_then(View::bool).unwrap_or(false);
    let done = map.required("done").and_then(|view| {
        let mut map = view.map()?;
        let title = map.required("title").and_then(Localized::read);
        let message = map.required("message").and_then(Localized::read);
        map.finish();
        Some(Done { title: title?, message: message? })
    });
    map.finish();
    // A form with a mistake stays in the list by its name; nothing comes of a file with mistakes.
    let mut form = Form {
        id: id.unwrap_or_default(),
        title: title.unwrap_or_default(),
        intro,
        fields,
        queue,
        ask: ask.unwrap_or(2),
        button: button.unwrap_or_default(),
        privacy,
        consents,
        delivers,
        registers,
        min_fill_ms: min_fill_s.unwrap_or(2_i64) * SECOND_MS,
        free_mail: match free_mail {
            Some("warn") => FreeMail::Warn,
            Some("block") => FreeMail::Block,
            Some(_) | None => FreeMail::Allow,
        },
        is_kiosk,
        done: done.unwrap_or_default(),
    };
    read_conditions(&mut form, &pending);
    Some(form)
}

/// A field as it was read.
struct Read<'a> {
    field: Field,
    /// Its condition, which can only be read when all fields are known.
    show_if: Option<View<'a>>,
    /// Whether its type and its choices are right, so that conditions can be held against them.
    is_sure: bool,
}

/// What is still to be looked at when all fields are known.
#[derive(Default)]
struct Pending<'a> {
    conditions: Vec<(String, View<'a>)>,
    /// Fields of which nobody knows what answers they will have.
    unsure: Vec<String>,
}

/// The fields of a list.
fn read_fields<'a>(view: Option<View<'a>>, taken: &mut Vec<String>, pending: &mut Pending<'a>) -> Vec<Field> {
    let mut fields = Vec::new();
    for view in view.and_then(View::list).unwrap_or_default() {
        let Some(Read { field, show_if, is_sure }) = read_field(view) else { continue };
        if field.name.is_empty() {
            fields.push(field);
            continue;
        }
        if TAKEN.contains(&field.name.as_str()) {
            view.error(
                "C120",
                format!("no field can be called \"{}\": every form sends that already", field.name),
            )
            .done();
            continue;
        }
        if taken.contains(&field.name) {
            view.error("C111", format!("the field \"{}\" stands twice", field.name)).done();
            continue;
        }
        taken.push(field.name.clone());
        pending.conditions.extend(show_if.map(|view| (field.name.clone(), view)));
        pending.unsure.extend((!is_sure).then(|| field.name.clone()));
        fields.push(field);
    }
    fields
}

/// Conditions speak of the form's other answers, and only of those before them: so one pass answers them all.
fn read_conditions(form: &mut Form, pending: &Pending<'_>) {
    let everything = || form.fields.iter().chain(&form.queue);
    let is_sure = everything().all(|field| !field.name.is_empty());
    let symbols = everything().fold(Symbols::new(), |symbols, field| {
        let of = if pending.unsure.contains(&field.name) { Type::Any } else { field.answer_type() };
        symbols.field(&format!("answers.{}", field.name), of)
    });
    // The field whose name is wrong may be the one that is meant.
    let symbols = if is_sure { symbols } else { Symbols::new().field("answers", Type::Any) };
    let order: Vec<String> = everything().map(|field| format!("answers.{}", field.name)).collect();
    for (name, view) in &pending.conditions {
        let Some(text) = view.text() else {
            view.wrong::<()>("a condition such as answers.country == 'ES'");
            continue;
        };
        let Some(condition) = Expr::condition(&text.text, &text.content, &symbols, view.report) else {
            continue;
        };
        let own = order.iter().position(|path| path.strip_prefix("answers.") == Some(name));
        let late =
            condition.uses().iter().find(|used| order.iter().position(|path| *path == used.path) >= own);
        if let Some(late) = late.filter(|_| is_sure) {
            let message = format!("\"{}\" is asked for later than \"{name}\"", late.path);
            view.report
                .error(&late.at, "C112", message)
                .hint("a condition looks at the fields before its own");
            continue;
        }
        if condition.portable().is_none() {
            let message = "browsers cannot work this condition out";
            view.report
                .error(&text.content, "C113", message)
                .hint("use == != < <= > >= in && || ! has() startsWith() endsWith() contains()");
            continue;
        }
        let field = form.fields.iter_mut().chain(&mut form.queue).find(|field| field.name == *name);
        if let Some(field) = field {
            field.show_if = Some(condition);
        }
    }
}

fn read_consent(view: View<'_>, gives: bool) -> Option<ConsentAsk> {
    let mut map = view.map()?;
    let id = map.required("id").and_then(name);
    let words = map.required("text");
    let text = words.and_then(Localized::read);
    let required = map.optional("required").and_then(View::bool).unwrap_or(false);
    let bundled = map.optional("bundled").and_then(View::bool).unwrap_or(false);
    map.finish();
    let id = id?;
    if required && gives && !NO_WISHES.contains(&id.as_str()) {
        if bundled {
            view.report
                .warning(view.at(), "C109", format!("nobody gets anything here without agreeing to \"{id}\""))
                .hint("consent that is the price of a file is not freely given (GDPR, article 7(4))");
        } else {
            view.error("C108", format!("what this form gives may not depend on agreeing to \"{id}\""))
                .hint("take `required` out; or write `bundled: true` beside it and answer for it");
        }
    }
    Some(ConsentAsk { id, text: text?, required, topic: None, at: words?.at().clone() })
}

fn read_field<'a>(view: View<'a>) -> Option<Read<'a>> {
    let mut map = view.map()?;
    let own_name = map.required("name").and_then(name);
    let kind = map.optional("type").map_or(Some("text"), |view| view.one_of(&FieldKind::NAMES));
    let kind = kind.map(FieldKind::of);
    let label = match kind {
        Some(FieldKind::Hidden) => Some(map.optional("label").and_then(Localized::read).unwrap_or_default()),
        Some(_) | None => map.required("label").and_then(Localized::read),
    };
    let placeholder = map.optional("placeholder").and_then(Localized::read);
    let hint = map.optional("hint").and_then(Localized::read);
    let required = map.optional("required").and_then(View::bool);
    let message = map.optional("message").and_then(Localized::read);
    let choices = map.optional("choices");
    let narrow: Vec<(&'static str, View<'a>)> = ["min", "max", "min_length", "max_length", "pattern"]
        .into_iter()
        .filter_map(|key| Some((key, map.optional(key)?)))
        .collect();
    let show_if = map.optional("show_if");
    let from = map.optional("from");
    let value = map.optional("value");
    map.finish();
    // A field with a mistake stays in the list, so that conditions may ask for it; nothing comes of a file with mistakes.
    let own_name = own_name.unwrap_or_default();
    let is_email = own_name == "email";
    let (kind, choices, bounds, source) = match kind {
        Some(kind) => (
            kind,
            read_choices(view, kind, choices),
            read_bounds(view, kind, &narrow),
            read_source(view, kind, from, value),
        ),
        // Of which type it was meant to be, nobody knows: an address, if that is its name.
        None if is_email => (FieldKind::Email, None, Bounds::default(), None),
        None => (FieldKind::Text, None, Bounds::default(), None),
    };
    let is_sure = choices.is_some();
    let field = Field {
        name: own_name,
        kind,
        label: label.unwrap_or_default(),
        placeholder,
        hint,
        required: required.unwrap_or(is_email),
        choices: choices.unwrap_or_default(),
        bounds,
        message,
        show_if: None,
        source: source.flatten(),
    };
    Some(Read { field, show_if, is_sure })
}

/// A key that says nothing about a field of this kind.
fn idle(view: View<'_>, kind: FieldKind, key: &str) {
    let message = format!("`{key}` means nothing for a field of the type {}", kind.name());
    view.error("C115", message).done();
}

fn read_choices(field: View<'_>, kind: FieldKind, view: Option<View<'_>>) -> Option<Vec<Choice>> {
    match (kind.has_choices(), view) {
        (false, None) => return Some(Vec::new()),
        (false, Some(view)) => {
            idle(view, kind, "choices");
            return None;
        }
        (true, None) => {
            field
                .error("C114", format!("a field of the type {} needs choices", kind.name()))
                .hint("choices: [{value: small, label: {en: Small, es: Pequeña}}, …]");
            return None;
        }
        (true, Some(_)) => {}
    }
    let list = view?;
    let views = list.list()?;
    if views.is_empty() {
        list.error("C114", format!("a field of the type {} needs choices", kind.name()))
            .hint("nobody could answer: name at least two");
        return None;
    }
    let mut choices: Vec<Option<Choice>> = Vec::new();
    for view in views {
        let choice = read_choice(view);
        let is_same = |known: &Choice| choice.as_ref().is_some_and(|choice| known.value == choice.value);
        let is_twin = choices.iter().flatten().any(is_same);
        if let Some(twin) = choice.as_ref().filter(|_| is_twin) {
            view.error("C114", format!("the choice \"{}\" stands twice", twin.value)).done();
        }
        choices.push(choice.filter(|_| !is_twin));
    }
    choices.into_iter().collect()
}

fn read_choice(view: View<'_>) -> Option<Choice> {
    if !view.is_map() {
        let value = choice_value(view)?;
        return Some(Choice { label: Localized::new(value.clone(), value.clone()), value });
    }
    let mut map = view.map()?;
    let value = map.required("value").and_then(choice_value);
    let label = map.required("label").and_then(Localized::read);
    map.finish();
    Some(Choice { value: value?, label: label? })
}

/// Several chosen values are stored with commas between them.
fn choice_value(view: View<'_>) -> Option<String> {
    view.parsed("a short text without a comma", |text| {
        (!text.is_empty() && text.chars().count() <= 100 && !text.contains([',', '\n']))
            .then(|| text.to_owned())
    })
}

/// What is narrower than the kind; each mistake is told, and what is right is kept.
fn read_bounds(field: View<'_>, kind: FieldKind, narrow: &[(&'static str, View<'_>)]) -> Bounds {
    use FieldKind::{Checkboxes, Date as Day, Number, Phone, Text, Textarea, Url};
    let mut bounds = Bounds::default();
    let day = |view: View<'_>| view.parsed("a day such as 2026-12-31", |text| text.parse::<Date>().ok());
    let chars = |view: View<'_>| view.parsed("a number of characters", |text| text.parse::<usize>().ok());
    for (key, view) in narrow {
        match (*key, kind) {
            ("min", Number | Checkboxes) => bounds.min = view.int(),
            ("max", Number | Checkboxes) => bounds.max = view.int(),
            ("min", Day) => bounds.from = day(*view),
            ("max", Day) => bounds.until = day(*view),
            ("min_length", Text | Textarea) => bounds.min_chars = chars(*view),
            ("max_length", Text | Textarea) => bounds.max_chars = chars(*view),
            ("pattern", Text | Textarea | Phone | Url) => bounds.pattern = pattern(*view),
            (key, kind) => idle(*view, kind, key),
        }
    }
    let crossed = matches!((bounds.min, bounds.max), (Some(min), Some(max)) if min > max)
        || matches!((bounds.from, bounds.until), (Some(from), Some(until)) if from > until)
        || matches!((bounds.min_chars, bounds.max_chars), (Some(min), Some(max)) if min > max);
    if crossed {
        field.error("C116", "nothing lies between the least and the most of this field").done();
    }
    bounds
}

/// A pattern for the whole answer, as the attribute of HTML is.
fn pattern(view: View<'_>) -> Option<Regex> {
    let text = view.str()?;
    match Regex::new(&format!("^(?:{text})$")) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            view.error("C110", format!("this is no pattern: {why}")).done();
            None
        }
    }
}

#[allow(clippy::option_option, reason = "a mistake is something else than no source")]
fn read_source(
    field: View<'_>,
    kind: FieldKind,
    from: Option<View<'_>>,
    value: Option<View<'_>>,
) -> Option<Option<Source>> {
    match (kind, from, value) {
        (FieldKind::Hidden, Some(from), None) => {
            Some(Some(Source::Attribution(from.one_of(&attribution::NAMES)?)))
        }
        (FieldKind::Hidden, None, Some(value)) => Some(Some(Source::Fixed(value.str()?))),
        (FieldKind::Hidden, _, _) => {
            field.error("C117", "a hidden field needs either `from` or `value`").hint("from: utm_source");
            None
        }
        (_, Some(view), _) => {
            idle(view, kind, "from");
            None
        }
        (_, None, Some(view)) => {
            idle(view, kind, "value");
            None
        }
        (_, None, None) => Some(None),
    }
}

/// A name that may stand in addresses.
pub(in crate::gates) fn name(view: View<'_>) -> Option<String> {
    let text = view.str()?;
    if yaml::is_name(&text) { Some(text) } else { view.wrong("a name of small letters, digits, `-` and `_`") }
}
