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

/// What was changed, where that is no person and no list. Each has its words in the texts: `settings.audit.what_WORD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Invited,
    Role,
    Link,
    Disabled,
    Enabled,
    FactorTaken,
    FactorOn,
    FactorOff,
    CodesRenewed,
    PasswordChanged,
    PasswordSet,
    KeyMade,
    KeyRevoked,
    Door,
    FirstAccount,
    Joined,
    SignedOn,
    SiteAdded,
    SiteRemoved,
    FirstFlow,
    Flow,
    FlowRestored,
    Content,
    Identity,
    Goal,
    GoalRemoved,
    Funnel,
    FunnelRemoved,
    Share,
    ShareEnded,
    WorkingHours,
    MailTried,
    MailReleased,
    SampleLoaded,
    SampleRemoved,
}

impl What {
    /// Everything that can be noted.
    pub const ALL: [Self; 35] = [
        Self::Invited,
        Self::Role,
        Self::Link,
        Self::Disabled,
        Self::Enabled,
        Self::FactorTaken,
        Self::FactorOn,
        Self::FactorOff,
        Self::CodesRenewed,
        Self::PasswordChanged,
        Self::PasswordSet,
        Self::KeyMade,
        Self::KeyRevoked,
        Self::Door,
        Self::FirstAccount,
        Self::Joined,
        Self::SignedOn,
        Self::SiteAdded,
        Self::SiteRemoved,
        Self::FirstFlow,
        Self::Flow,
        Self::FlowRestored,
        Self::Content,
        Self::Identity,
        Self::Goal,
        Self::GoalRemoved,
        Self::Funnel,
        Self::FunnelRemoved,
        Self::Share,
        Self::ShareEnded,
        Self::WorkingHours,
        Self::MailTried,
        Self::MailReleased,
        Self::SampleLoaded,
        Self::SampleRemoved,
    ];

    /// The word in the details and in texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Role => "role",
            Self::Link => "link",
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::FactorTaken => "factor_taken",
            Self::FactorOn => "factor_on",
            Self::FactorOff => "factor_off",
            Self::CodesRenewed => "codes_renewed",
            Self::PasswordChanged => "password_changed",
            Self::PasswordSet => "password_set",
            Self::KeyMade => "key_made",
            Self::KeyRevoked => "key_revoked",
            Self::Door => "door",
            Self::FirstAccount => "first_account",
            Self::Joined => "joined",
            Self::SignedOn => "signed_on",
            Self::SiteAdded => "site_added",
            Self::SiteRemoved => "site_removed",
            Self::FirstFlow => "first_flow",
            Self::Flow => "flow",
            Self::FlowRestored => "flow_restored",
            Self::Content => "content",
            Self::Identity => "identity",
            Self::Goal => "goal",
            Self::GoalRemoved => "goal_removed",
            Self::Funnel => "funnel",
            Self::FunnelRemoved => "funnel_removed",
            Self::Share => "share",
            Self::ShareEnded => "share_ended",
            Self::WorkingHours => "working_hours",
            Self::MailTried => "mail_tried",
            Self::MailReleased => "mail_released",
            Self::SampleLoaded => "sample_loaded",
            Self::SampleRemoved => "sample_removed",
        }
    }

    /// The details of an entry: what was changed, and the name of it.
    pub fn of(self, name: &str) -> Json {
        json!({ "what": self.word(), "of": name })
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

impl Entry {
    /// What was changed, as [`What::word`], and the name of it; none where it was a person or a list. Earlier versions of
    /// the program said it under keys of their own, and what a later one notes is a word that this one does not know.
    pub fn about(&self) -> Option<(&str, &str)> {
        let text = |key: &str| self.details.get(key).and_then(Json::as_str);
        let is = |key: &str| self.details.get(key).and_then(Json::as_bool).unwrap_or_default();
        if let Some(what) = text("what").filter(|_| text("list").is_none()) {
            return Some((what, text("of").or_else(|| text("file")).unwrap_or_default()));
        }
        let is_restored = text("restored").is_some();
        let earlier = [
            ("flow", if is_restored { What::FlowRestored } else { What::Flow }),
            ("goal", if is("removed") { What::GoalRemoved } else { What::Goal }),
            ("funnel", if is("removed") { What::FunnelRemoved } else { What::Funnel }),
            ("traffic_share", if is("revoked") { What::ShareEnded } else { What::Share }),
        ];
        let hours = text("rep").filter(|_| text("did") == Some("working_hours"));
        let found = earlier.into_iter().find_map(|(key, what)| Some((what.word(), text(key)?)));
        found.or_else(|| Some((What::WorkingHours.word(), hours?)))
    }
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
    let details = What::Door.of(door);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(details: Json) -> Entry {
        Entry {
            id: String::new(),
            at: Timestamp(0),
            actor: By::Cli.word(),
            name: None,
            owner: None,
            owner_id: None,
            action: Act::Changed.word().to_owned(),
            contact: None,
            email: None,
            details,
        }
    }

    #[test]
    fn an_entry_says_what_was_changed_and_its_name_however_old_it_is() {
        for (details, about) in [
            (What::Flow.of("welcome"), Some(("flow", "welcome"))),
            (json!({ "flow": "welcome", "hash": "4f", "restored": null }), Some(("flow", "welcome"))),
            (
                json!({ "flow": "welcome", "hash": "4f", "restored": "3e" }),
                Some(("flow_restored", "welcome")),
            ),
            (json!({ "goal": "Thanks" }), Some(("goal", "Thanks"))),
            (json!({ "goal": "0197", "removed": true }), Some(("goal_removed", "0197"))),
            (json!({ "funnel": "Buying", "id": "0197" }), Some(("funnel", "Buying"))),
            (json!({ "traffic_share": "0197", "revoked": true }), Some(("share_ended", "0197"))),
            (json!({ "did": "working_hours", "rep": "ana" }), Some(("working_hours", "ana"))),
            (json!({ "what": "content", "file": "paper.pdf" }), Some(("content", "paper.pdf"))),
            (json!({ "what": "of_tomorrow" }), Some(("of_tomorrow", ""))),
            (json!({ "list": "contacts, enter", "what": "welcome" }), None),
            (json!({ "did": "moved", "rep": "ana" }), None),
            (Json::Null, None),
        ] {
            assert_eq!(entry(details.clone()).about(), about, "{details}");
        }
    }
}
