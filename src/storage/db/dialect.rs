//! The few words in which the engines differ.

/// The text as SQLite takes it: numbered binds `?1`, no row locks (there is one writer).
pub(super) fn sqlite(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.replace("{skip_locked}", "").chars().collect::<Vec<_>>().into_iter().peekable();
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
    text.replace("{skip_locked}", "for update skip locked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binds_are_numbered_and_quoted_dollars_stay() {
        assert_eq!(sqlite("select $2, '$1', $1 {skip_locked}"), "select ?2, '$1', ?1 ");
        assert_eq!(postgres("select $1 {skip_locked}"), "select $1 for update skip locked");
    }
}
