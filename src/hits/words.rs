//! Texts that many hits share, kept once: the log's rows hold their numbers.

use std::sync::Arc;

use quick_cache::sync::Cache;

use super::store;
use crate::storage::Result;
use crate::storage::db::Db;

/// Numbers by text. Texts are visitors', so the hash is keyed at random, as `foldhash` does.
pub(super) type Map<K, V> = foldhash::HashMap<K, V>;

/// Texts that are remembered in each direction.
const CACHED: usize = 100_000;

/// Looks numbers and texts up.
pub struct Words {
    numbers: Cache<Arc<str>, i64>,
    texts: Cache<i64, Arc<str>>,
}

impl Default for Words {
    fn default() -> Self {
        Self { numbers: Cache::new(CACHED), texts: Cache::new(CACHED) }
    }
}

impl Words {
    /// The numbers of these texts; new ones are written down, in a transaction of their own.
    ///
    /// # Errors
    /// As the store says.
    pub async fn numbers<'t>(
        &self,
        db: &Db,
        texts: impl Iterator<Item = &'t str>,
    ) -> Result<Map<&'t str, i64>> {
        let (mut found, mut missing) = (Map::default(), Vec::new());
        for text in texts {
            if found.contains_key(text) {
                continue;
            }
            match self.numbers.get(text) {
                Some(number) => {
                    found.insert(text, number);
                }
                None => {
                    found.insert(text, 0);
                    missing.push(text);
                }
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        // One order for all nodes, so that two that bring the same new texts do not wait for one another in a circle.
        missing.sort_unstable();
        let mut tx = db.begin().await?;
        for text in missing {
            let number = store::word_number(&mut tx, text).await?;
            found.insert(text, number);
        }
        tx.commit().await?;
        for (text, number) in &found {
            self.remember(text, *number);
        }
        Ok(found)
    }

    /// The number of a text, if it is remembered.
    pub(super) fn known(&self, text: &str) -> Option<i64> {
        self.numbers.get(text)
    }

    /// The text of a number.
    ///
    /// # Errors
    /// As the store says; a number that is nobody's is a broken store.
    pub async fn text(&self, db: &Db, number: i64) -> Result<Arc<str>> {
        if let Some(text) = self.texts.get(&number) {
            return Ok(text);
        }
        let text = store::word_text(db, number).await?;
        self.remember(&text, number);
        Ok(text.into())
    }

    fn remember(&self, text: &str, number: i64) {
        if self.texts.get(&number).is_none() {
            let text: Arc<str> = text.into();
            self.numbers.insert(text.clone(), number);
            self.texts.insert(number, text);
        }
    }
}
