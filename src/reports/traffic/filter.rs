//! What a question is narrowed to: `country:ES`, `page:/blog/*`, `!source:google.com`, `event:signup`.

use std::collections::BTreeSet;

use super::super::pattern_of;
use super::{NONE, number_of};
use crate::sessions::{Dimension, Known, Visit, counts};
use crate::storage::Result;
use crate::storage::db::{Db, Queries};
use crate::{params, sql};

/// One condition on a visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    pub dimension: Dimension,
    /// The values that are meant; `*` stands for anything.
    pub values: Vec<String>,
    /// Whether it must not be so.
    pub is_not: bool,
}

/// The text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no filter: write `dimension:value`, such as `country:ES`, `page:/blog/*` or `!source:google.com`"
)]
pub struct Unreadable {
    text: String,
}

impl Unreadable {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.chars().take(200).collect() }
    }
}

impl Filter {
    /// Reads `dimension:value`, several values with `|` between them; `!` before it turns it round.
    ///
    /// # Errors
    /// [`Unreadable`], also for dimensions that cannot be filtered by.
    pub fn read(text: &str) -> std::result::Result<Self, Unreadable> {
        let unreadable = || Unreadable::new(text);
        let (is_not, rest) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
        let (word, values) = rest.split_once(':').ok_or_else(unreadable)?;
        let dimension = Dimension::of_word(word).ok_or_else(unreadable)?;
        let cannot = [Dimension::Total, Dimension::Property, Dimension::Bot];
        let values: Vec<String> = values.split('|').map(str::to_owned).collect();
        if cannot.contains(&dimension) || values.iter().any(String::is_empty) || values.len() > 50 {
            return Err(unreadable());
        }
        Ok(Self { dimension, values, is_not })
    }

    /// The filter as it was written.
    pub fn text(&self) -> String {
        let not = if self.is_not { "!" } else { "" };
        format!("{not}{}:{}", self.dimension.word(), self.values.join("|"))
    }

    /// The one value that is meant, if it is one and has no `*`.
    pub(super) fn exact(&self) -> Option<&str> {
        match self.values.as_slice() {
            [value] if !self.is_not && !value.contains('*') => Some(value),
            _ => None,
        }
    }
}

/// A filter with the numbers of the words that it means.
#[derive(Debug)]
pub(super) struct Meant {
    pub(super) dimension: Dimension,
    numbers: BTreeSet<i64>,
    is_not: bool,
}

impl Meant {
    pub(super) async fn of(db: &Db, filter: &Filter) -> Result<Self> {
        let mut numbers = BTreeSet::new();
        for value in &filter.values {
            if value == NONE {
                numbers.insert(0);
            } else if value.contains('*') {
                let rows = db
                    .read()
                    .query(
                        sql!("select id from words where text like $1 escape '!'"),
                        params![pattern_of(value)],
                    )
                    .await?;
                for row in &rows {
                    numbers.insert(row.at(0)?);
                }
            } else {
                numbers.extend(number_of(db, value).await?);
            }
        }
        Ok(Self { dimension: filter.dimension, numbers, is_not: filter.is_not })
    }

    /// Whether the visit is meant.
    pub(super) fn holds(&self, visit: &Visit, known: &Known) -> bool {
        let is_so = match self.dimension {
            Dimension::Page | Dimension::Event => {
                visit.trail.steps.iter().any(|step| self.is_step(step.name, step.path, known))
            }
            dimension => {
                let mut own = counts(visit).filter(|(of, ..)| *of == dimension).peekable();
                match own.peek() {
                    None => self.numbers.contains(&0),
                    Some(_) => own.any(|(_, value, _)| self.numbers.contains(&value)),
                }
            }
        };
        is_so != self.is_not
    }

    /// Whether a step of a trail is the page or the event that is meant.
    pub(super) fn is_step(&self, name: i64, path: i64, known: &Known) -> bool {
        match self.dimension {
            Dimension::Page => name == known.page && self.numbers.contains(&path),
            Dimension::Event => name != known.page && self.numbers.contains(&name),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_and_written_the_same() {
        for text in ["country:ES", "!source:google.com|bing.com", "page:/blog/*", "event:book:opened"] {
            assert_eq!(Filter::read(text).expect(text).text(), text);
        }
        for text in ["", "country", "planet:Mars", "country:", "total:1", "bot:headless"] {
            assert!(Filter::read(text).is_err(), "{text}");
        }
    }
}
