//! The few words in which the engines differ.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

/// `{each $1}`: the entries of a list that is bound as JSON, as rows with the column `value`.
const EACH: &str = "{each ";

fn each(text: &str, before: &str, after: &str) -> String {
    let mut parts = text.split(EACH);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (bind, rest) = part.split_once('}').unwrap_or((part, ""));
        out.extend([before, bind, after, rest]);
    }
    out
}

/// By where a text begins, and how long it is.
type Known = RwLock<HashMap<(usize, usize), Arc<str>>>;

/// Texts of statements as an engine takes them, worked out once each. What lives for ever is known by where it stands.
pub(super) struct Texts {
    known: LazyLock<Known>,
    translate: fn(&str) -> String,
}

/// As SQLite takes them.
pub(super) static SQLITE: Texts = Texts { known: LazyLock::new(RwLock::default), translate: sqlite };
/// As PostgreSQL takes them.
pub(super) static POSTGRES: Texts = Texts { known: LazyLock::new(RwLock::default), translate: postgres };

impl Texts {
    pub(super) fn of(&self, sql: super::Sql) -> Arc<str> {
        let place = (sql.0.as_ptr().addr(), sql.0.len());
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&place).cloned();
        known.unwrap_or_else(|| {
            let text: Arc<str> = (self.translate)(sql.0).into();
            self.known.write().unwrap_or_else(PoisonError::into_inner).insert(place, text.clone());
            text
        })
    }
}

/// The text as SQLite takes it: numbered binds `?1`, no row locks (there is one writer).
pub(super) fn sqlite(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let text = each(&text.replace("{skip_locked}", ""), "json_each(", ")");
    let mut letters = text.chars().collect::<Vec<_>>().into_iter().peekable();
    let mut in_quotes = false;
    while let Some(letter) = letters.next() {
        in_quotes ^= letter == '\'';
        let starts_bind = letter == '$' && !in_quotes && letters.peek().is_some_and(char::is_ascii_digit);
        out.push(if starts_bind { '?' } else { letter });
    }
    out
}

/// The text as PostgreSQL takes it.
pub(super) fn postgres(text: &str) -> String {
    let text = text.replace("{skip_locked}", "for update skip locked");
    each(&text, "json_array_elements_text(cast(cast(", " as text) as json))")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binds_are_numbered_and_quoted_dollars_stay() {
        assert_eq!(sqlite("select $2, '$1', $1 {skip_locked}"), "select ?2, '$1', ?1 ");
        assert_eq!(
            sqlite("where id in (select value from {each $2}) x"),
            "where id in (select value from json_each(?2)) x"
        );
        assert_eq!(
            postgres("in (select value from {each $2})"),
            "in (select value from json_array_elements_text(cast(cast($2 as text) as json)))"
        );
        assert_eq!(postgres("select $1 {skip_locked}"), "select $1 for update skip locked");
    }
}
