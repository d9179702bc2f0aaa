//! The words by which a company is found: of its name and of its domain.

use std::collections::BTreeSet;

use super::{Company, store};
use crate::base::fold;
use crate::base::ids::CompanyId;
use crate::storage::Result;
use crate::storage::db::{Db, Tx};

/// Companies whose words are written down in one turn, for those that came before there were words.
const IN_A_TURN: i64 = 500;

fn words_of(company: &Company) -> BTreeSet<String> {
    let labels = company.domain.rsplit_once('.').map_or("", |(labels, _)| labels);
    let whole = fold::folded(&company.domain).chars().take(fold::WORD_MOST).collect();
    fold::words(&company.name).into_iter().chain(fold::words(labels)).chain(std::iter::once(whole)).collect()
}

/// Writes down anew by which words a company is found.
///
/// # Errors
/// As the store says.
pub async fn index(tx: &mut Tx, id: CompanyId) -> Result<()> {
    let Some(company) = store::find(tx, id).await? else { return Ok(()) };
    store::write_words(tx, id, &fold::folded(&company.name), &words_of(&company)).await
}

/// Writes down the words of companies that came before there were words; returns whether there were any.
///
/// # Errors
/// As the store says.
pub async fn index_rest(db: &Db) -> Result<bool> {
    let waiting = store::unindexed(&mut db.read(), IN_A_TURN).await?;
    if waiting.is_empty() {
        return Ok(false);
    }
    let mut tx = db.begin().await?;
    for company in waiting {
        index(&mut tx, company).await?;
    }
    tx.commit().await?;
    Ok(true)
}
