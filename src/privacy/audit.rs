//! Who saw, exported, erased or merged whom. Append only; an entry outlives the person it is about, by her id alone.

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::store;
use crate::base::ids::{AccountId, ApiKeyId, ContactId};
use crate::base::time::{HOUR_MS, Timestamp};
use crate::storage::Result;
use crate::storage::db::{Db, Queries, Tx};

/// Looking again within this time is the same look.
const SAME_LOOK_MS: i64 = HOUR_MS;

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Somebody of the company.
    Account(AccountId),
    /// A program with a key that was made here. Whose it is stands with the key.
    Key(ApiKeyId),
    /// A program with a key of the settings, which is nobody's.
    FileKey(FileKey),
    /// Whoever sits at the server.
    Cli,
    /// The settings: a retention that ran out.
    Rule,
    /// The person herself.
    Contact,
}

/// A key of the settings: the list that it stands in, and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileKey {
    /// `api.people_keys`, else `api.keys`.
    pub sees_people: bool,
    /// From 1 on.
    pub place: usize,
}

/// What an actor of a key begins with.
pub const KEY: &str = "key:";
/// Every program, whichever its key; until keys had names of their own this is what was written down.
pub const PROGRAMS: &str = "api";

impl By {
    /// `account:ID`, `key:ID`, `key:api.keys.1`, `key:api.people_keys.1`, `cli`, `rule` or `contact`.
    pub fn word(self) -> String {
        match self {
            Self::Account(id) => format!("account:{id}"),
            Self::Key(id) => format!("{KEY}{id}"),
            Self::FileKey(FileKey { sees_people, place }) => {
                format!("{KEY}api.{}.{place}", if sees_people { "people_keys" } else { "keys" })
            }
            Self::Cli => "cli".to_owned(),
            Self::Rule => "rule".to_owned(),
            Self::Contact => "contact".to_owned(),
        }
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Saw,
    Exported,
    Erased,
    Merged,
    Unmerged,
    Changed,
}

impl Act {
    /// Everything that is written down.
    pub const ALL: [Self; 6] =
        [Self::Saw, Self::Exported, Self::Erased, Self::Merged, Self::Unmerged, Self::Changed];

    /// The word in the table and in texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Saw => "saw",
            Self::Exported => "exported",
            Self::Erased => "erased",
            Self::Merged => "merged",
            Self::Unmerged => "unmerged",
            Self::Changed => "changed",
        }
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    pub id: String,
    pub at: Timestamp,
    /// As [`By::word`]; `api` of a program in entries of before keys were told apart.
    pub actor: String,
    /// The name of the account or of the key, if it was one; of a key of the settings, where it stands there.
    pub name: Option<String>,
    /// The name of the person whose key it was; none if it was nobody's.
    pub owner: Option<String>,
    pub owner_id: Option<AccountId>,
    /// `saw`, `exported`, `erased`, `merged`, `unmerged`, `changed`.
    pub action: String,
    /// None where it was a list, which the details name.
    pub contact: Option<ContactId>,
    /// Her address, as long as she is known.
    pub email: Option<String>,
    pub details: Json,
}

/// Writes down what was done, in the transaction that does it.
///
/// # Errors
/// As the store says.
pub async fn note(
    tx: &mut Tx,
    by: By,
    act: Act,
    contact: ContactId,
    details: Json,
    now: Timestamp,
) -> Result<()> {
    store::insert_audit(tx, &by.word(), act.word(), Some(contact), &details, now).await
}

/// Writes down that something was changed that is about no single person, such as the words of a prepared answer.
///
/// # Errors
/// As the store says.
pub async fn changed(tx: &mut Tx, by: By, details: Json, now: Timestamp) -> Result<()> {
    store::insert_audit(tx, &by.word(), Act::Changed.word(), None, &details, now).await
}

/// Writes down that a whole list was given out: the details say which, and how many stood in it.
///
/// # Errors
/// As the store says.
pub async fn exported_list(tx: &mut Tx, by: By, details: Json, now: Timestamp) -> Result<()> {
    store::insert_audit(tx, &by.word(), Act::Exported.word(), None, &details, now).await
}

/// Writes down that somebody looked at a contact, wherever that was; once an hour, however often the page is loaded.
///
/// # Errors
/// As the store says.
pub async fn saw(db: &Db, by: By, contact: ContactId, now: Timestamp) -> Result<()> {
    look(db, by, Some(contact), &Json::Null, now).await
}

/// Writes down that somebody looked at a list of people: the members of a segment, what forms have set apart. Once an hour,
/// as [`saw`].
///
/// # Errors
/// As the store says.
pub async fn saw_list(db: &Db, by: By, list: &str, now: Timestamp) -> Result<()> {
    look(db, by, None, &json!({ "list": list }), now).await
}

async fn look(db: &Db, by: By, contact: Option<ContactId>, details: &Json, now: Timestamp) -> Result<()> {
    once(db, by, Act::Saw, contact, details, now).await
}

/// Writes down that a program changed something by a door of the API that writes nothing down itself: `POST /api/v1/costs`.
/// `is_flow` are doors that a program goes through all the time; they are written down once an hour.
///
/// # Errors
/// As the store says.
pub async fn did(
    db: &Db,
    by: By,
    door: &str,
    contact: Option<ContactId>,
    is_flow: bool,
    now: Timestamp,
) -> Result<()> {
    let details = json!({ "what": "door", "of": door });
    if is_flow {
        return once(db, by, Act::Changed, contact, &details, now).await;
    }
    let mut tx = db.begin().await?;
    store::insert_audit(&mut tx, &by.word(), Act::Changed.word(), contact, &details, now).await?;
    tx.commit().await
}

/// Writes down what was done, unless the same actor did just that within the hour.
async fn once(
    db: &Db,
    by: By,
    act: Act,
    contact: Option<ContactId>,
    details: &Json,
    now: Timestamp,
) -> Result<()> {
    let (actor, since) = (by.word(), now.plus_ms(-SAME_LOOK_MS));
    if store::has_since(&mut db.read(), &actor, act.word(), contact, details, since).await? {
        return Ok(());
    }
    let mut tx = db.begin().await?;
    // Of two who come at once, as two parts of one page do, the second sees what the first wrote.
    tx.lock("audit").await?;
    if !store::has_since(&mut tx, &actor, act.word(), contact, details, since).await? {
        store::insert_audit(&mut tx, &actor, act.word(), contact, details, now).await?;
    }
    tx.commit().await
}

/// Which entries are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    pub contact: Option<ContactId>,
    /// As [`By::word`]; an account's entries hold those of its keys, and [`PROGRAMS`] all of any key.
    pub actor: Option<String>,
    pub action: Option<String>,
    /// From this moment on.
    pub from: Timestamp,
    /// Before this moment.
    pub before: Timestamp,
}

impl Default for Filter {
    fn default() -> Self {
        Self { contact: None, actor: None, action: None, from: Timestamp(0), before: Timestamp(i64::MAX) }
    }
}

/// The entries that are wanted, the latest first.
///
/// # Errors
/// As the store says.
pub async fn list(q: &mut impl Queries, filter: &Filter, most: i64) -> Result<Vec<Entry>> {
    store::audit(q, filter, most).await
}
