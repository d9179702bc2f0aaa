//! The layers of the settings (default file, file, variables) and where each value was written.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use crate::base::diagnostic::{Mark, Report};

const VARIABLE_PREFIX: &str = "EMBUDO__";
/// Every number is a count, a number of days or of milliseconds.
const NUMBER_MOST: i64 = 4_294_967_295;
/// The tables of websites, which [`super::sites`] reads.
pub(super) const SITES: &str = "site";

/// The values of all layers so far, by section and key.
pub(super) struct Layers {
    pub values: Table,
    shape: Table,
    places: BTreeMap<String, Mark>,
}

impl Layers {
    /// Begins with the default file, which also says what keys there are and of what type.
    pub fn new(default: &str) -> Self {
        let values: Table = default.parse().expect("the built-in default file is valid");
        Self { shape: values.clone(), values, places: BTreeMap::new() }
    }

    /// Where a value was written: `server.listen`, `site[0].origins[1]`. The default file for what nobody set.
    pub fn at(&self, name: &str) -> Mark {
        self.places.get(name).cloned().unwrap_or_else(|| Mark::file("config/default.toml"))
    }

    /// Whether somebody wrote a value of this name.
    pub fn knows(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// Lays a file over what is there. Findings show no line of it, for it may hold secrets.
    pub fn file(&mut self, path: &str, text: &str, report: &Report) {
        let lines = Lines::new(path, text);
        let (tree, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let at = lines.mark(error.span().map_or(0, |span| span.start));
            report.error(&at, "K001", error.message().to_owned()).done();
        }
        let Ok(table) = text.parse::<Table>() else { return };
        let mut places = BTreeMap::new();
        for (key, value) in tree.get_ref() {
            lines.note(key.get_ref(), key, value, &mut places);
        }
        self.places.extend(places);
        for (section, value) in table {
            self.section(section, value, report);
        }
    }

    fn section(&mut self, section: String, value: Value, report: &Report) {
        if section == SITES {
            self.values.insert(section, value);
            return;
        }
        let (Some(known), Value::Table(values)) = (table(&self.shape, &section).cloned(), value) else {
            let known = self.shape.keys().map(String::as_str).chain([SITES]);
            report
                .error(&self.at(&section), "K003", format!("unknown section `{section}`"))
                .did_you_mean(&section, known);
            return;
        };
        for (key, value) in values {
            let name = format!("{section}.{key}");
            match known.get(&key) {
                // A table in a table: `[mail.dkim]`.
                Some(Value::Table(_)) if value.is_table() => self.section(name, value, report),
                None => report
                    .error(&self.at(&format!("{name}:key")), "K003", format!("unknown key `{name}`"))
                    .did_you_mean(&key, known.keys().map(String::as_str)),
                Some(default) => match misfit(default, &value) {
                    Some(problem) => {
                        report.error(&self.at(&name), "K004", format!("`{name}` {problem}")).done();
                    }
                    None => {
                        if let Some(target) = table_mut(&mut self.values, &section) {
                            target.insert(key, value);
                        }
                    }
                },
            }
        }
    }

    /// Lays variables (name, value) over what is there; those of other programs are left alone.
    pub fn variables(&mut self, variables: impl Iterator<Item = (String, String)>, report: &Report) {
        for (name, text) in variables.filter(|(name, _)| name.starts_with(VARIABLE_PREFIX)) {
            self.variable(&name, &text, report);
        }
    }

    fn variable(&mut self, name: &str, text: &str, report: &Report) {
        let at = Mark::file(name);
        let path = name.trim_start_matches(VARIABLE_PREFIX).to_lowercase().replace("__", ".");
        let Some((section, key)) = path.rsplit_once('.') else {
            report
                .error(&at, "K003", "this names no setting")
                .hint(format!("write it as {VARIABLE_PREFIX}SECTION__KEY"));
            return;
        };
        let Some(known) = table(&self.shape, section) else {
            report
                .error(&at, "K003", format!("unknown section `{section}`"))
                .did_you_mean(section, self.shape.keys().map(String::as_str));
            return;
        };
        let Some(default) = known.get(key) else {
            report
                .error(&at, "K003", format!("unknown key `{section}.{key}`"))
                .did_you_mean(key, known.keys().map(String::as_str));
            return;
        };
        let value = match default {
            Value::Integer(_) => text.parse().ok().map(Value::Integer),
            Value::Boolean(_) => text.parse().ok().map(Value::Boolean),
            Value::Array(_) => Some(Value::Array(
                text.split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty())
                    .map(|part| part.into())
                    .collect(),
            )),
            _ => Some(Value::String(text.to_owned())),
        };
        let problem = match &value {
            None => Some(format!("must be {}", default.type_str())),
            Some(value) => misfit(default, value),
        };
        match (problem, value, table_mut(&mut self.values, section)) {
            (None, Some(value), Some(target)) => {
                target.insert(key.to_owned(), value);
                self.places.insert(format!("{section}.{key}"), at);
            }
            (problem, ..) => {
                let problem = problem.unwrap_or_default();
                report.error(&at, "K004", format!("`{section}.{key}` {problem}")).done();
            }
        }
    }
}

/// The table of a name such as `mail` or `mail.dkim`.
fn table<'v>(values: &'v Table, name: &str) -> Option<&'v Table> {
    let mut parts = name.split('.');
    let first = values.get(parts.next()?)?.as_table();
    parts.try_fold(first?, |table, part| table.get(part)?.as_table())
}

fn table_mut<'v>(values: &'v mut Table, name: &str) -> Option<&'v mut Table> {
    let mut parts = name.split('.');
    let first = values.get_mut(parts.next()?)?.as_table_mut();
    parts.try_fold(first?, |table, part| table.get_mut(part)?.as_table_mut())
}

/// What is wrong with a value that stands where `default` is expected.
fn misfit(default: &Value, value: &Value) -> Option<String> {
    match (default, value) {
        (Value::Integer(_), Value::Integer(n)) if !(0..=NUMBER_MOST).contains(n) => {
            Some(format!("must be between 0 and {NUMBER_MOST}"))
        }
        (Value::Array(_), Value::Array(items)) if items.iter().any(|item| !item.is_str()) => {
            Some("must be a list of texts".to_owned())
        }
        (default, value) if !default.same_type(value) => {
            Some(format!("is {}, expected {}", value.type_str(), default.type_str()))
        }
        _ => None,
    }
}

/// Turns byte offsets of a text into places.
struct Lines<'t> {
    path: std::sync::Arc<str>,
    text: &'t str,
}

impl<'t> Lines<'t> {
    fn new(path: &str, text: &'t str) -> Self {
        Self { path: path.into(), text }
    }

    fn mark(&self, offset: usize) -> Mark {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let col = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let fits = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Mark::new(self.path.clone(), fits(line), fits(col))
    }

    /// Notes where a value, all below it, and (as `name:key`) its key stand.
    fn note(
        &self,
        name: &str,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
        places: &mut BTreeMap<String, Mark>,
    ) {
        places.insert(format!("{name}:key"), self.mark(key.span().start));
        self.note_value(name, value, places);
        if matches!(value.get_ref(), DeValue::Table(_)) {
            // A table's own span covers what follows its header; a person looks for its name.
            places.insert(name.to_owned(), self.mark(key.span().start));
        }
    }

    fn note_value(&self, name: &str, value: &Spanned<DeValue<'_>>, places: &mut BTreeMap<String, Mark>) {
        places.insert(name.to_owned(), self.mark(value.span().start));
        match value.get_ref() {
            DeValue::Table(table) => {
                for (key, value) in table {
                    self.note(&format!("{name}.{}", key.get_ref()), key, value, places);
                }
            }
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.note_value(&format!("{name}[{index}]"), item, places);
                }
            }
            _ => {}
        }
    }
}
