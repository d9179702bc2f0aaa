//! Follows the rows and tells the journey what it wants to know: which of its devices were seen, what they did, and what
//! they consented to. Nobody's page views come here: visits keep them, and scoring reads visits.
//!
//! The cursor moves in the transaction that writes what was read, so every row is projected exactly once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::store;
use crate::base::ids::{ContactId, VisitorId};
use crate::base::time::Timestamp;
use crate::contacts::{self, Consent, ConsentEntry, Trust, marks};
use crate::events::{self, Event};
use crate::hits::{self, Line, Words};
use crate::scoring::kinds::may_page_tell;
use crate::sessions::IDLE_MS;
use crate::storage::db::Tx;
use crate::storage::{Result, Stores};

/// The cursor's name.
const CURSOR: &str = "journey";

/// How far the rows have been projected.
///
/// # Errors
/// As the store says.
pub(super) async fn position(stores: &Stores) -> Result<i64> {
    store::cursor(&mut stores.db.read(), CURSOR).await
}

/// Projects rows that follow `position`; returns how many that were, and 0 if somebody else has gone on from there.
///
/// # Errors
/// As the store says; then nothing of the batch took effect.
pub(super) async fn project(stores: &Stores, words: &Words, position: i64, batch: &[Line]) -> Result<usize> {
    let Some(last) = batch.last().map(|line| line.seq) else { return Ok(0) };
    let mut tx = stores.db.begin().await?;
    tx.lock("projection:journey").await?;
    if store::cursor(&mut tx, CURSOR).await? != position {
        return Ok(0);
    }
    // Whoever allows no identifier has none by which the journey could know a device.
    let named: Vec<&Line> = batch.iter().filter(|line| line.consent > 0).collect();
    let known = contacts::known_visitors(&stores.db, named.iter().map(|line| line.visitor)).await?;
    let mut seen: HashMap<VisitorId, (Consent, Timestamp)> = HashMap::new();
    let mut did: BTreeMap<ContactId, (BTreeSet<i64>, Timestamp)> = BTreeMap::new();
    for line in &named {
        let Some(holder) = known.get(&line.visitor) else { continue };
        let (consent, at) = seen.entry(line.visitor).or_insert((Consent::None, line.at));
        (*consent, *at) = (consent_of(line.consent), line.at.max(*at));
        if let Some(contact) = holder.filter(|_| line.bot.is_none()) {
            let (names, at) = did.entry(contact).or_insert((BTreeSet::new(), line.at));
            names.insert(line.name);
            *at = line.at.max(*at);
        }
    }
    for (visitor, (consent, at)) in seen {
        contacts::saw_visitor(&mut tx, visitor, consent, at).await?;
    }
    let page = words.numbers(&stores.hits, [hits::PAGE].into_iter()).await?;
    let mut came: BTreeMap<ContactId, &Line> = BTreeMap::new();
    for line in named.iter().filter(|line| line.bot.is_none() && page.values().any(|page| *page == line.name))
    {
        if let Some(contact) = known.get(&line.visitor).copied().flatten() {
            came.insert(contact, line);
        }
    }
    for (contact, line) in came {
        arrive(&mut tx, stores, words, contact, line).await?;
    }
    let present: Vec<(ContactId, Timestamp)> = did.iter().map(|(contact, (_, at))| (*contact, *at)).collect();
    for (contact, (names, at)) in did {
        mark(&mut tx, stores, words, contact, names, at).await?;
    }
    let page = words.numbers(&stores.hits, [hits::PAGE, hits::ENGAGEMENT].into_iter()).await?;
    let is_told = |line: &&Line| page.values().all(|number| *number != line.name);
    for line in named.into_iter().filter(is_told) {
        apply(&mut tx, stores, words, line).await?;
    }
    store::move_cursor(&mut tx, CURSOR, last).await?;
    tx.commit().await?;
    if let Err(error) = saw(stores, &present).await {
        // Her devices say it, too; the next visit makes up for it.
        tracing::warn!(error = %error, "when people were last seen was not noted");
    }
    Ok(batch.len())
}

/// Notes when people were last seen: for itself, so that whoever changes a person meanwhile is not waited for with the
/// marks of a whole batch in hand.
async fn saw(stores: &Stores, present: &[(ContactId, Timestamp)]) -> Result<()> {
    if present.is_empty() {
        return Ok(());
    }
    let mut tx = stores.db.begin().await?;
    for (contact, at) in present {
        contacts::saw(&mut tx, *contact, *at).await?;
    }
    tx.commit().await
}

/// Has a contact looked at again: her visit has gone on, and perhaps more.
async fn mark(
    tx: &mut Tx,
    stores: &Stores,
    words: &Words,
    contact: ContactId,
    names: BTreeSet<i64>,
    at: Timestamp,
) -> Result<()> {
    let mut what = format!("{} visit", marks::HITS);
    for name in names {
        let name = words.text(&stores.hits, name).await?;
        // A name that is no single word would read as several; then anything may have happened.
        what.push(' ');
        what.push_str(if name.contains(char::is_whitespace) { marks::EVERYTHING } else { &name });
    }
    marks::mark(tx, contact, &what, at.plus_ms(marks::AFTER_HITS_MS)).await
}

/// Tells that a contact has come to the site, if it is certain enough that it is she: an address that was only typed may be
/// anybody's.
async fn arrive(tx: &mut Tx, stores: &Stores, words: &Words, contact: ContactId, line: &Line) -> Result<()> {
    let trust = contacts::visitor(tx, line.visitor).await?.map(|visitor| visitor.trust);
    if trust.is_none_or(|trust| trust < Trust::Clicked) {
        return Ok(());
    }
    let contact = match contacts::survivor(tx, contact).await {
        Ok(contact) => contact,
        Err(contacts::Error::Unknown) => return Ok(()),
        Err(contacts::Error::Storage(error)) => return Err(error),
    };
    if contacts::note_arrival(tx, contact, line.at, IDLE_MS).await? {
        let page = words.text(&stores.hits, line.path).await?.to_string();
        events::append(tx, &Event::ContactOnSite { contact, page }, line.at).await?;
    }
    Ok(())
}

fn consent_of(number: i64) -> Consent {
    match number {
        0 => Consent::None,
        1 => Consent::Analytics,
        _ => Consent::Full,
    }
}

async fn apply(tx: &mut Tx, stores: &Stores, words: &Words, line: &Line) -> Result<()> {
    let name = words.text(&stores.hits, line.name).await?;
    let path = words.text(&stores.hits, line.path).await?;
    if &*name == hits::CONSENT {
        // An entry of the ledger and not something that was done. Whoever says no sends no identifier to write it under.
        // The collector's door has written it with what proves it, unless the store was away just then.
        let entry = ConsentEntry { page: Some(&*path), ..ConsentEntry::of("analytics", "granted") };
        return contacts::note_answer(tx, line.id, line.visitor, &entry, line.at).await;
    }
    // Scoring reads what people did; a machine's visit is nobody's interest. And an event of a page's own must not pass for
    // one of ours, or of the company's programs: nobody books a call, or buys, by a line of script.
    if line.bot.is_none() && may_page_tell(&name) {
        store::insert_activity(tx, line, &name, &path).await?;
    }
    Ok(())
}
