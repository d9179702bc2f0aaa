//! Keys for programs: what each may do, until when, and who made it.
//!
//! A key is shown once, when it is made; what is kept is its digest. What a door of the API needs stands in one table
//! beside the doors.

use std::collections::BTreeSet;

use super::{Error, Result, store};
use crate::base::ids::{AccountId, ApiKeyId};
use crate::base::signing::{random_text, sha256_hex};
use crate::base::time::{MINUTE_MS, Timestamp};
use crate::storage::db::{Db, Queries, Tx};

/// What every key begins with, so that programs that look for leaked secrets know it.
const PREFIX: &str = "embudo_";
/// Random bytes of a key.
const KEY_BYTES: usize = 24;
/// Letters by which people know a key again: the prefix and six of its own.
const SHOWN: usize = PREFIX.len() + 6;
/// Longest name, in characters.
const NAME_LENGTH: usize = 80;
/// How often it is written down that a key is used.
const TOUCH_MS: i64 = MINUTE_MS;

/// A part of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// Visits, pages, sources.
    Traffic,
    /// Funnel, velocity, attribution, costs.
    Reports,
    /// Companies, deals, hand-overs, tasks, calls, offers, segments.
    Sales,
    /// Single people: see, merge, export, erase.
    People,
    /// What other programs tell of people.
    Events,
    /// Forms, links, webinars.
    Content,
    /// Subscriptions, bounces, sequences.
    Letters,
    /// The definition that both sides share.
    Lifecycle,
    /// The chatbot's flows.
    Flows,
    /// What waits to be sent.
    Outbox,
    /// What the server counts of itself.
    Metrics,
}

impl Area {
    /// Every part, as people read them.
    pub const ALL: [Self; 11] = [
        Self::Traffic,
        Self::Reports,
        Self::Sales,
        Self::People,
        Self::Events,
        Self::Content,
        Self::Letters,
        Self::Lifecycle,
        Self::Flows,
        Self::Outbox,
        Self::Metrics,
    ];

    /// The word in the database, in forms and in texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Traffic => "traffic",
            Self::Reports => "reports",
            Self::Sales => "sales",
            Self::People => "people",
            Self::Events => "events",
            Self::Content => "content",
            Self::Letters => "letters",
            Self::Lifecycle => "lifecycle",
            Self::Flows => "flows",
            Self::Outbox => "outbox",
            Self::Metrics => "metrics",
        }
    }

    /// Whether anything can be read there.
    pub fn reads(self) -> bool {
        self != Self::Events
    }

    /// Whether anything can be changed there.
    pub fn writes(self) -> bool {
        !matches!(self, Self::Traffic | Self::Reports | Self::Metrics)
    }
}

/// One thing that a key may do: read in a part of the API, or change what is there, which holds reading as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    pub area: Area,
    pub writes: bool,
}

impl Scope {
    /// Reading in a part.
    pub const fn read(area: Area) -> Self {
        Self { area, writes: false }
    }

    /// Changing what is in a part.
    pub const fn write(area: Area) -> Self {
        Self { area, writes: true }
    }

    /// Every scope that there is.
    pub fn all() -> impl Iterator<Item = Self> {
        let both = |area: Area| {
            let read = area.reads().then_some(Self::read(area));
            read.into_iter().chain(area.writes().then_some(Self::write(area)))
        };
        Area::ALL.into_iter().flat_map(both)
    }

    /// As it is written: `sales:read`.
    pub fn word(self) -> String {
        format!("{}:{}", self.area.word(), if self.writes { "write" } else { "read" })
    }

    /// The scope of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::all().find(|scope| scope.word() == word)
    }
}

/// What a key may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// These.
    pub fn of(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self(scopes.into_iter().collect())
    }

    /// Those that the words name; words of no scope count for nothing.
    pub fn of_words(words: &str) -> Self {
        Self(words.split_whitespace().filter_map(Scope::of_word).collect())
    }

    /// As they are kept: words with blanks between.
    pub fn words(&self) -> String {
        self.0.iter().map(|scope| scope.word()).collect::<Vec<_>>().join(" ")
    }

    /// Whether this is allowed.
    pub fn allow(&self, scope: Scope) -> bool {
        self.0.contains(&scope) || self.0.contains(&Scope::write(scope.area))
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A key as its administrators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub name: String,
    /// Its first letters.
    pub starts_with: String,
    pub scopes: Scopes,
    /// Whose it is: of who made it, or whom it was made for at the server. What a person must do herself counts by this
    /// key for her and nobody else.
    pub account: Option<AccountId>,
    /// Her name.
    pub created_by: Option<String>,
    /// Her account is closed: her keys open nothing as long as she may not come in herself.
    pub is_closed: bool,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// How it stands with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    Works,
    /// Its time is over.
    Over,
    Revoked,
    /// The account that it belongs to is closed.
    Closed,
}

impl KeyState {
    /// The word in the list and in texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Over => "over",
            Self::Revoked => "revoked",
            Self::Closed => "closed",
        }
    }
}

impl ApiKey {
    /// Whether it opens anything, and if not, why.
    pub fn state(&self, now: Timestamp) -> KeyState {
        match self.expires_at {
            _ if self.revoked_at.is_some() => KeyState::Revoked,
            Some(expires) if expires <= now => KeyState::Over,
            _ if self.is_closed => KeyState::Closed,
            _ => KeyState::Works,
        }
    }
}

/// Makes a key; returns its text, which cannot be had again.
///
/// # Errors
/// [`Error::KeyInvalid`] without a name, without a scope, or with an end that is over.
pub async fn make(
    tx: &mut Tx,
    name: &str,
    scopes: Scopes,
    expires_at: Option<Timestamp>,
    by: Option<AccountId>,
    now: Timestamp,
) -> Result<(ApiKey, String)> {
    let name: String = name.trim().chars().filter(|c| !c.is_control()).take(NAME_LENGTH).collect();
    if name.is_empty() || scopes.is_empty() || expires_at.is_some_and(|expires| expires <= now) {
        return Err(Error::KeyInvalid);
    }
    let text = format!("{PREFIX}{}", random_text(KEY_BYTES));
    let key = ApiKey {
        id: ApiKeyId::new(),
        name,
        starts_with: text.chars().take(SHOWN).collect(),
        scopes,
        account: by,
        created_by: None,
        is_closed: false,
        created_at: now,
        expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    store::insert_key(tx, &key, &sha256_hex(&text)).await?;
    Ok((key, text))
}

/// All keys, the latest first; revoked ones last.
///
/// # Errors
/// As the store says.
pub async fn list(q: &mut impl Queries) -> Result<Vec<ApiKey>> {
    Ok(store::keys(q).await?)
}

/// The key with this text; none if there is none, or it works no longer. Writes down, now and then, that it is used.
///
/// # Errors
/// [`Error::KeyClosed`] if its person's account is closed, else as the store says.
pub async fn find(db: &Db, text: &str, now: Timestamp) -> Result<Option<ApiKey>> {
    if !text.starts_with(PREFIX) {
        return Ok(None);
    }
    let found = store::key_by_digest(&mut db.read(), &sha256_hex(text)).await?;
    let Some(key) = found else { return Ok(None) };
    match key.state(now) {
        KeyState::Works => {}
        KeyState::Closed => return Err(Error::KeyClosed),
        KeyState::Over | KeyState::Revoked => return Ok(None),
    }
    if key.last_used_at.is_none_or(|at| now.since_ms(at) > TOUCH_MS) {
        let mut tx = db.begin().await?;
        store::touch_key(&mut tx, key.id, now).await?;
        tx.commit().await?;
    }
    Ok(Some(key))
}

/// Ends a key; returns its name.
///
/// # Errors
/// [`Error::KeyUnknown`].
pub async fn revoke(tx: &mut Tx, id: ApiKeyId, now: Timestamp) -> Result<String> {
    store::revoke_key(tx, id, now).await?.ok_or(Error::KeyUnknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_leads_back_from_its_word_and_writing_holds_reading() {
        let all: Vec<Scope> = Scope::all().collect();
        assert_eq!(all.len(), 18);
        for scope in all {
            assert_eq!(Scope::of_word(&scope.word()), Some(scope));
        }
        assert_eq!([Scope::of_word("traffic:write"), Scope::of_word("sales")], [None, None]);
        let sales = Scopes::of_words("sales:write nonsense");
        assert!(sales.allow(Scope::read(Area::Sales)) && sales.allow(Scope::write(Area::Sales)));
        assert!(!sales.allow(Scope::read(Area::People)));
        let reader = Scopes::of([Scope::read(Area::Sales)]);
        assert!(!reader.allow(Scope::write(Area::Sales)));
        assert_eq!(Scopes::of_words(&reader.words()), reader);
    }
}
