//! Two contacts that are one person, because a person says so. Never by itself.
//!
//! The one that goes keeps its row, its facts and everything that happened under its id; it only points to who speaks
//! for it now, and whoever reads a contact reads those behind it too. What the survivor takes over is written down with
//! what stood there before, so that undoing brings both back.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Contact, Error as ContactError, Field, Trust, marks, store, words};
use crate::base::coded::Coded;
use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::events::{self, Event};
use crate::storage;
use crate::storage::db::{Queries, Tx};

/// Why two contacts were not merged, or a merge not undone.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// They are one already.
    #[error("these two are the same contact")]
    Same,
    /// One of them stands behind another contact.
    #[error("one of them was merged into another contact; merge that one, or undo it first")]
    Behind,
    /// No merge took this contact away.
    #[error("this contact is not merged into another")]
    NotMerged,
    /// There is no such contact.
    #[error(transparent)]
    Contact(#[from] ContactError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Same => "merge.same",
            Self::Behind => "merge.behind",
            Self::NotMerged => "merge.none",
            Self::Contact(error) => error.code(),
            Self::Storage(error) => error.code(),
        }
    }
}

/// What becomes of one fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The survivor's stays, and there is nothing against it.
    Keep,
    /// The survivor had none, or a less trusted one.
    Take,
    /// The survivor's stays; the other waits as a suggestion.
    Suggest,
}

/// One fact of two contacts, side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    pub name: String,
    pub survivor: Option<Field>,
    pub merged: Option<Field>,
    pub outcome: Outcome,
}

impl Side {
    /// Whether both have a value, and another one.
    pub fn is_conflict(&self) -> bool {
        matches!((&self.survivor, &self.merged), (Some(a), Some(b)) if a.value != b.value)
    }
}

/// What a merge would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preview {
    pub survivor: Contact,
    pub merged: Contact,
    pub fields: Vec<Side>,
    /// What goes along: activities, devices, consents, chats.
    pub weight: Vec<(&'static str, i64)>,
}

/// A merge that stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Merge {
    pub id: String,
    pub survivor: ContactId,
    pub merged: ContactId,
    pub merged_email: String,
    pub actor: String,
    #[serde(skip)]
    pub changes: Vec<Change>,
    pub at: Timestamp,
}

/// A fact of the survivor that a merge changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    name: String,
    status: String,
    before: Option<Value>,
    after: Value,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Value {
    value: String,
    source: String,
    trust: i64,
    at: Timestamp,
}

/// The names under which the survivor's company and owner are written down among the changes.
const COLUMN: &str = "column";

impl Value {
    fn of(field: &Field) -> Self {
        Self {
            value: field.value.clone(),
            source: field.source.clone(),
            trust: field.trust.level(),
            at: field.at,
        }
    }

    fn bare(value: String, at: Timestamp) -> Self {
        Self { value, source: COLUMN.to_owned(), trust: 0, at }
    }
}

/// What becomes of each fact: nothing better trusted is replaced, and nothing is lost.
fn sides(survivor: &[Field], merged: &[Field]) -> Vec<Side> {
    let current = |fields: &[Field]| -> BTreeMap<String, Field> {
        let current = fields.iter().filter(|field| !field.is_suggestion);
        current.map(|field| (field.name.clone(), field.clone())).collect()
    };
    let (ours, theirs) = (current(survivor), current(merged));
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    names
        .into_iter()
        .map(|name| {
            let (ours, theirs) = (ours.get(name).cloned(), theirs.get(name).cloned());
            let outcome = match (&ours, &theirs) {
                (None, Some(_)) => Outcome::Take,
                (Some(ours), Some(theirs)) if ours.value == theirs.value => Outcome::Keep,
                (Some(ours), Some(theirs)) if theirs.trust > ours.trust => Outcome::Take,
                (Some(_), Some(_)) => Outcome::Suggest,
                (_, None) => Outcome::Keep,
            };
            Side { name: name.clone(), survivor: ours, merged: theirs, outcome }
        })
        .collect()
}

/// What merging `merged` into `survivor` would do. Changes nothing.
///
/// # Errors
/// [`Error::Same`], [`Error::Behind`], or that one of them is unknown.
pub async fn preview(q: &mut impl Queries, survivor: ContactId, merged: ContactId) -> Result<Preview, Error> {
    if survivor == merged {
        return Err(Error::Same);
    }
    for id in [survivor, merged] {
        if store::merges::root(q, id).await?.is_some() {
            return Err(Error::Behind);
        }
    }
    let fields = sides(&store::fields(q, survivor).await?, &store::fields(q, merged).await?);
    Ok(Preview {
        survivor: store::find(q, survivor).await?.ok_or(ContactError::Unknown)?,
        merged: store::find(q, merged).await?.ok_or(ContactError::Unknown)?,
        fields,
        weight: store::merges::weight(q, merged).await?.to_vec(),
    })
}

/// Lets `survivor` speak for `merged`. Called by [`crate::stages`], which settles the stage in the same transaction.
///
/// # Errors
/// As [`preview`].
pub async fn merge(
    tx: &mut Tx,
    survivor: ContactId,
    merged: ContactId,
    actor: &str,
    now: Timestamp,
) -> Result<Preview, Error> {
    // Always in the same order, so that two merges of the same two do not wait for one another.
    let (first, second) = if survivor < merged { (survivor, merged) } else { (merged, survivor) };
    tx.lock(&format!("contact:{first}")).await?;
    tx.lock(&format!("contact:{second}")).await?;
    let preview = preview(tx, survivor, merged).await?;
    let waiting: BTreeMap<String, Field> = store::fields(tx, survivor)
        .await?
        .into_iter()
        .filter(|field| field.is_suggestion)
        .map(|field| (field.name.clone(), field))
        .collect();
    let mut changes = Vec::new();
    for side in &preview.fields {
        let Some(theirs) = &side.merged else { continue };
        let (status, before) = match side.outcome {
            Outcome::Keep => continue,
            Outcome::Take => ("current", side.survivor.as_ref()),
            Outcome::Suggest => ("suggested", waiting.get(&side.name)),
        };
        put(tx, survivor, &side.name, status, &Value::of(theirs), now).await?;
        changes.push(Change {
            name: side.name.clone(),
            status: status.to_owned(),
            before: before.map(Value::of),
            after: Value::of(theirs),
        });
    }
    let (ours, theirs) = (&preview.survivor, &preview.merged);
    if let (None, Some(company)) = (ours.company, theirs.company) {
        store::merges::set_company(tx, survivor, Some(company)).await?;
        changes.push(column("company", Value::bare(company.to_string(), now)));
    }
    if let (None, Some(owner)) = (ours.owner, theirs.owner) {
        store::merges::set_owner(tx, survivor, Some(owner)).await?;
        changes.push(column("owner", Value::bare(owner.to_string(), now)));
    }
    store::merges::insert(tx, survivor, merged, actor, &changes, now).await?;
    reroot(tx, merged, survivor, now).await?;
    words::index(tx, survivor).await?;
    events::append(tx, &Event::ContactsMerged { contact: survivor, merged }, now).await?;
    marks::mark(tx, merged, marks::EVERYTHING, now).await?;
    marks::mark(tx, survivor, marks::EVERYTHING, now).await?;
    Ok(preview)
}

fn column(name: &str, after: Value) -> Change {
    Change { name: name.to_owned(), status: COLUMN.to_owned(), before: None, after }
}

/// Adds to the merge behind which `own` stands what the survivor's fields of a name were before something was said under
/// her own id, and what they are now.
///
/// # Errors
/// As the store says.
pub(super) async fn remember(
    tx: &mut Tx,
    own: ContactId,
    name: &str,
    before: &[Field],
    after: &[Field],
) -> Result<(), ContactError> {
    let Some(mut found) = store::merges::open(tx, own).await? else { return Ok(()) };
    // Whoever was merged into one who was merged: what counts is the merge into the one who speaks now.
    while let Some(next) = store::merges::open(tx, found.survivor).await? {
        found = next;
    }
    for is_suggestion in [false, true] {
        let of = |fields: &[Field]| {
            let field = fields.iter().find(|it| it.name == name && it.is_suggestion == is_suggestion);
            field.map(Value::of)
        };
        let (before, after) = (of(before), of(after));
        let Some(after) = after.filter(|after| before.as_ref() != Some(after)) else { continue };
        let status = if is_suggestion { "suggested" } else { "current" };
        found.changes.push(Change { name: name.to_owned(), status: status.to_owned(), before, after });
    }
    store::merges::set_changes(tx, &found.id, &found.changes).await?;
    Ok(())
}

/// Undoes the merge that took `merged` away: it stands on its own again with all that is under its id, and the survivor
/// gets back what stood there before, unless somebody has changed it since. What was said meanwhile with the address or on
/// a device of the other is the other's.
///
/// # Errors
/// [`Error::NotMerged`].
pub async fn unmerge(tx: &mut Tx, merged: ContactId, actor: &str, now: Timestamp) -> Result<Merge, Error> {
    let found = store::merges::open(tx, merged).await?.ok_or(Error::NotMerged)?;
    let survivor = found.survivor;
    // The last change first: what stood before it is what the one before it made.
    for change in found.changes.iter().rev() {
        if change.status == COLUMN {
            restore_column(tx, survivor, change).await?;
            continue;
        }
        let is_suggestion = change.status == "suggested";
        let known = store::fields(tx, survivor).await?;
        let standing =
            known.iter().find(|field| field.name == change.name && field.is_suggestion == is_suggestion);
        if standing.map(Value::of).as_ref() != Some(&change.after) {
            continue;
        }
        match &change.before {
            Some(before) => put(tx, survivor, &change.name, &change.status, before, now).await?,
            None => {
                store::merges::drop_field(tx, survivor, &change.name, &change.status).await?;
                if !is_suggestion {
                    store::mirror_field(tx, survivor, &change.name, None, now).await?;
                }
            }
        }
    }
    store::merges::undo(tx, &found.id, actor, now).await?;
    reroot(tx, merged, merged, now).await?;
    words::index(tx, survivor).await?;
    words::index(tx, merged).await?;
    events::append(tx, &Event::ContactsUnmerged { contact: survivor, merged }, now).await?;
    marks::mark(tx, merged, marks::EVERYTHING, now).await?;
    marks::mark(tx, survivor, marks::EVERYTHING, now).await?;
    Ok(found)
}

async fn restore_column(tx: &mut Tx, survivor: ContactId, change: &Change) -> Result<(), Error> {
    let Some(row) = store::merges::own_row(tx, survivor).await? else { return Ok(()) };
    match change.name.as_str() {
        "company" if row.company.is_some_and(|company| company.to_string() == change.after.value) => {
            store::merges::set_company(tx, survivor, None).await?;
        }
        "owner" if row.owner.is_some_and(|owner| owner.to_string() == change.after.value) => {
            store::merges::set_owner(tx, survivor, None).await?;
        }
        _ => {}
    }
    Ok(())
}

async fn put(
    tx: &mut Tx,
    contact: ContactId,
    name: &str,
    status: &str,
    value: &Value,
    now: Timestamp,
) -> Result<(), Error> {
    let is_current = status == "current";
    let trust = Trust::of_level(value.trust);
    store::put_field(tx, contact, name, &value.value, &value.source, trust, is_current, value.at).await?;
    if is_current {
        store::mirror_field(tx, contact, name, Some(&value.value), now).await?;
    }
    Ok(())
}

/// Says who speaks for `top` and for everybody that was merged into it.
async fn reroot(tx: &mut Tx, top: ContactId, root: ContactId, now: Timestamp) -> Result<(), Error> {
    let mut waiting = vec![top];
    let mut seen = BTreeSet::new();
    while let Some(contact) = waiting.pop() {
        if !seen.insert(contact) {
            continue;
        }
        store::merges::set_root(tx, contact, Some(root).filter(|root| *root != contact), now).await?;
        waiting.extend(store::merges::children(tx, contact).await?);
    }
    Ok(())
}

/// The merges that stand behind a contact, the latest first.
///
/// # Errors
/// As the store says.
pub async fn behind(q: &mut impl Queries, contact: ContactId) -> Result<Vec<Merge>, Error> {
    Ok(store::merges::standing(q, contact).await?)
}

/// The contact that has this very address as its own, although it stands behind another.
///
/// # Errors
/// As the store says.
pub async fn merged_with_address(
    q: &mut impl Queries,
    email: &crate::base::email::Email,
) -> Result<Option<ContactId>, Error> {
    Ok(store::merges::behind_with_address(q, email).await?)
}

/// The merge that took a contact away, if one did.
///
/// # Errors
/// As the store says.
pub async fn taken_by(q: &mut impl Queries, contact: ContactId) -> Result<Option<Merge>, Error> {
    Ok(store::merges::open(q, contact).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, value: &str, trust: Trust) -> Field {
        Field {
            name: name.to_owned(),
            value: value.to_owned(),
            source: "form".to_owned(),
            trust,
            at: Timestamp(0),
            is_suggestion: false,
        }
    }

    #[test]
    fn what_is_better_trusted_stays_and_what_is_missing_is_taken() {
        let ours = [
            field("first_name", "Nikki", Trust::Confirmed),
            field("phone", "1", Trust::Claimed),
            field("role", "VP", Trust::Claimed),
            field("city", "Faro", Trust::Claimed),
        ];
        let theirs = [
            field("first_name", "Nicole", Trust::Claimed),
            field("phone", "2", Trust::Confirmed),
            field("role", "VP", Trust::Confirmed),
            field("size", "50", Trust::Claimed),
        ];
        let told: Vec<(String, Outcome, bool)> = sides(&ours, &theirs)
            .into_iter()
            .map(|side| (side.name.clone(), side.outcome, side.is_conflict()))
            .collect();
        let expected = [
            ("city", Outcome::Keep, false),
            ("first_name", Outcome::Suggest, true),
            ("phone", Outcome::Take, true),
            ("role", Outcome::Keep, false),
            ("size", Outcome::Take, false),
        ];
        assert_eq!(told, expected.map(|(name, outcome, conflict)| (name.to_owned(), outcome, conflict)));
    }
}
