//! The helpers that templates may use. All but `icon` and `when` return values, so they are escaped like any
//! field and can stand in a subexpression: `title=(t "console.today.title")`.
//!
//! | helper | gives |
//! |---|---|
//! | `t "key" name=value … [default=id]` | the text of a key with its holes filled; `n=` chooses the plural; an id without a text is read with blanks |
//! | `date at`, `short_date at`, `weekday_date at` | "21 November 2026", "21 Nov", "Saturday 21 November" |
//! | `short_weekday_date at` | "Sat 21 Nov" |
//! | `time at`, `datetime at`, `short_datetime at` | "20:45", "21 November 2026, 20:45", "21 Nov, 20:45" |
//! | `zone_label at`, `machine at` | "Madrid (UTC+1)", "2026-11-21T20:45:00+01:00" |
//! | `ago at` | "5 min ago", needs `now` in the context |
//! | `when at` | `<time>` with `ago` inside and the full time as its title |
//! | `duration ms`, `number n`, `percent n` | "2 h 5 min", "12,345", "60%" |
//! | `initials name`, `capital text`, `concat a b …`, `first a b …` | "MG", "Sábado…", joined, first that is not empty |
//! | `place address` | "faro.example/en/pricing.html": an address as people tell it |
//! | `asset "console.css"` | its address with `?v=hash` |
//! | `icon "inbox"` | the inlined SVG, hidden from screen readers: a word stands beside it |
//!
//! The date helpers take `zone=` to override the context's zone.

use std::collections::BTreeMap;
use std::sync::Arc;

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, JsonRender, Output, RenderContext, RenderError,
    RenderErrorReason, ScopedJson,
};
use serde_json::Value;

use super::dates::{Zone, duration};
use super::{Texts, files};
use crate::base::language::Language;

/// Adds every helper to a registry.
pub fn register(registry: &mut Handlebars<'static>, texts: &Arc<Texts>) {
    let words = Arc::clone(texts);
    add(registry, "t", move |h, ctx| translate(h, ctx, &words));
    add(registry, "date", |h, ctx| Ok(zone(h, ctx).date(ms(h, 0)?, language(ctx)).into()));
    add(registry, "short_date", |h, ctx| Ok(zone(h, ctx).short_date(ms(h, 0)?, language(ctx)).into()));
    add(registry, "weekday_date", |h, ctx| Ok(zone(h, ctx).weekday_date(ms(h, 0)?, language(ctx)).into()));
    add(registry, "short_weekday_date", |h, ctx| {
        Ok(zone(h, ctx).short_weekday_date(ms(h, 0)?, language(ctx)).into())
    });
    add(registry, "time", |h, ctx| Ok(zone(h, ctx).time(ms(h, 0)?).into()));
    add(registry, "datetime", |h, ctx| Ok(zone(h, ctx).datetime(ms(h, 0)?, language(ctx)).into()));
    add(registry, "short_datetime", |h, ctx| {
        Ok(zone(h, ctx).short_datetime(ms(h, 0)?, language(ctx)).into())
    });
    add(registry, "zone_label", |h, ctx| Ok(zone(h, ctx).label(ms(h, 0)?, language(ctx)).into()));
    add(registry, "machine", |h, ctx| Ok(zone(h, ctx).machine(ms(h, 0)?).into()));
    let words = Arc::clone(texts);
    add(registry, "ago", move |h, ctx| {
        Ok(zone(h, ctx).ago(ms(h, 0)?, now(ctx)?, language(ctx), &words).into())
    });
    add(registry, "duration", |h, _| Ok(duration(ms(h, 0)?).into()));
    add(registry, "number", |h, ctx| Ok(number(ms(h, 0)?, language(ctx)).into()));
    add(registry, "percent", |h, ctx| Ok(percent(ms(h, 0)?, language(ctx)).into()));
    add(registry, "initials", |h, _| Ok(initials(&text(h, 0)?).into()));
    add(registry, "capital", |h, _| Ok(capital(&text(h, 0)?).into()));
    add(registry, "place", |h, _| Ok(place(&text(h, 0)?).into()));
    add(registry, "concat", |h, _| {
        let mut joined = String::new();
        for index in 0..h.params().len() {
            joined.push_str(&text(h, index)?);
        }
        Ok(joined.into())
    });
    add(registry, "first", |h, _| {
        let filled =
            h.params().iter().map(|p| p.value()).find(|v| !matches!(v.render().as_str(), "" | "false"));
        Ok(filled.cloned().unwrap_or(Value::String(String::new())))
    });
    add(registry, "asset", |h, _| {
        let name = text(h, 0)?;
        files::asset_address(&name)
            .map(Value::from)
            .ok_or_else(|| wrong(format!("there is no asset `{name}`")))
    });
    registry.register_helper("icon", Box::new(Icon(files::icons())));
    registry.register_helper("when", Box::new(When(Arc::clone(texts))));
}

/// A helper that computes one value.
struct Computed<F>(F);

impl<F> HelperDef for Computed<F>
where
    F: for<'rc> Fn(&Helper<'rc>, &Context) -> Result<Value, RenderError> + Send + Sync,
{
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        ctx: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        (self.0)(h, ctx).map(ScopedJson::Derived)
    }
}

fn add<F>(registry: &mut Handlebars<'static>, name: &str, compute: F)
where
    F: for<'rc> Fn(&Helper<'rc>, &Context) -> Result<Value, RenderError> + Send + Sync + 'static,
{
    registry.register_helper(name, Box::new(Computed(compute)));
}

/// `{{icon "name"}}`: the shape inlined, so that no second request and no font is needed.
struct Icon(BTreeMap<String, String>);

impl HelperDef for Icon {
    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let name = text(h, 0)?;
        let shape = self.0.get(&name).ok_or_else(|| wrong(format!("there is no icon `{name}`")))?;
        out.write("<svg class=\"icon\" viewBox=\"0 0 24 24\" aria-hidden=\"true\" focusable=\"false\">")?;
        out.write(shape)?;
        out.write("</svg>")?;
        Ok(())
    }
}

/// `{{when at}}`: a time that people read at a glance and can look up exactly.
struct When(Arc<Texts>);

impl HelperDef for When {
    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        ctx: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let (at, zone, language) = (ms(h, 0)?, zone(h, ctx), language(ctx));
        // Nothing here comes from a visitor: only digits and our own words.
        out.write(&format!(
            "<time datetime=\"{}\" title=\"{}\">{}</time>",
            zone.machine(at),
            zone.datetime(at, language),
            zone.ago(at, now(ctx)?, language, &self.0),
        ))?;
        Ok(())
    }
}

fn translate(h: &Helper<'_>, ctx: &Context, texts: &Texts) -> Result<Value, RenderError> {
    let key = text(h, 0)?;
    let language = language(ctx);
    let mut values = Vec::with_capacity(h.hash().len());
    for (name, value) in h.hash() {
        if value.is_value_missing() {
            return Err(wrong(format!("`{key}` is given `{name}`, which the context does not have")));
        }
        // Whole numbers inside sentences get the language's thousands; the plural needs the bare digits.
        let written = match value.value() {
            Value::Number(n) if *name != "n" => {
                n.as_i64().map_or_else(|| n.to_string(), |whole| number(whole, language))
            }
            other => other.render(),
        };
        values.push((*name, written));
    }
    if let Some(found) = texts.get(language, &key, &values) {
        return Ok(found.into());
    }
    match h.hash_get("default").map(|default| default.value()) {
        Some(Value::String(id)) => Ok(in_words(id).into()),
        Some(default) => Ok(default.clone()),
        None => Err(wrong(format!("there is no text `{key}`"))),
    }
}

/// An id as it is read where nobody has given it words: `no_budget` is "no budget". Other texts stay as they are.
pub fn in_words(id: &str) -> String {
    let is_id =
        id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '/' | '-'));
    if is_id { id.replace('_', " ").replace('/', " · ") } else { id.to_owned() }
}

fn language(ctx: &Context) -> Language {
    match ctx.data().get("lang").and_then(Value::as_str) {
        Some("es") => Language::Es,
        _ => Language::En,
    }
}

fn zone(h: &Helper<'_>, ctx: &Context) -> Zone {
    let given = h.hash_get("zone").map(|p| p.value()).or_else(|| ctx.data().get("zone"));
    Zone::named(given.and_then(Value::as_str).unwrap_or("UTC"))
}

fn now(ctx: &Context) -> Result<i64, RenderError> {
    ctx.data().get("now").and_then(Value::as_i64).ok_or_else(|| wrong("the context has no `now`".to_owned()))
}

fn ms(h: &Helper<'_>, index: usize) -> Result<i64, RenderError> {
    h.param(index).and_then(|p| p.value().as_i64()).ok_or_else(|| {
        let given = h.param(index).map_or_else(|| "nothing".to_owned(), |p| p.value().to_string());
        wrong(format!("`{}` needs a whole number and was given {given}", h.name()))
    })
}

fn text(h: &Helper<'_>, index: usize) -> Result<String, RenderError> {
    match h.param(index) {
        Some(param) if !param.is_value_missing() => Ok(param.value().render()),
        _ => Err(wrong(format!("`{}` needs a value at place {index}", h.name()))),
    }
}

fn wrong(message: String) -> RenderError {
    RenderErrorReason::Other(message).into()
}

/// "12,345" in English, "12.345" in Spanish, where four digits stand together ("1234").
pub fn number(value: i64, language: Language) -> String {
    let digits = value.unsigned_abs().to_string();
    let (separator, least) = match language {
        Language::En => (',', 4),
        Language::Es => ('.', 5),
    };
    let mut written = String::with_capacity(digits.len() + 4);
    if value < 0 {
        written.push('−');
    }
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len() - index;
        if digits.len() >= least && index > 0 && left.is_multiple_of(3) {
            written.push(separator);
        }
        written.push(digit);
    }
    written
}

fn percent(value: i64, language: Language) -> String {
    match language {
        Language::En => format!("{value}%"),
        Language::Es => format!("{value}\u{a0}%"),
    }
}

/// "MG" for "Mike García", "N" for "Nikki", the first letter for an e-mail.
fn initials(name: &str) -> String {
    let words = name.split('@').next().unwrap_or(name);
    let mut letters = words.split_whitespace().filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
    let first = letters.next();
    first.into_iter().chain(letters.next_back()).flat_map(char::to_uppercase).collect()
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Where a page is, as people tell it: host and path, without the scheme and whatever stands behind a question mark.
fn place(address: &str) -> &str {
    let address = address.split_once("://").map_or(address, |(_, rest)| rest);
    address.split(['?', '#']).next().unwrap_or(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_by_host_and_path() {
        assert_eq!(place("https://faro.example/en/?utm_source=letter#top"), "faro.example/en/");
        assert_eq!(place("/en/pricing.html"), "/en/pricing.html");
        assert_eq!(place(""), "");
    }

    #[test]
    fn thousands_are_parted_as_each_language_does() {
        assert_eq!(number(1234, Language::En), "1,234");
        assert_eq!(number(1234, Language::Es), "1234");
        assert_eq!(number(12_345, Language::Es), "12.345");
        assert_eq!(number(-1_234_567, Language::En), "−1,234,567");
        assert_eq!(number(999, Language::En), "999");
    }

    #[test]
    fn initials_are_those_of_the_first_and_last_word() {
        assert_eq!(initials("Mike García"), "MG");
        assert_eq!(initials("Nikki"), "N");
        assert_eq!(initials("ana maria del río"), "AR");
        assert_eq!(initials("nikki@faro.example"), "N");
        assert_eq!(initials(""), "");
    }
}
