//! What people keep of a site's traffic: goals, funnels, shared links, and who is told of it by mail.
//!
//! What is counted stands in `sessions`, what is told of it in `reports::traffic`; here is only what somebody wrote down.

mod store;

use crate::base::coded::Coded;
use crate::base::ids::{AccountId, FunnelId, GoalId, ShareId};
use crate::base::language::Language;
use crate::base::signing::{Claims, Keys, Purpose, TokenError, random_text};
use crate::base::time::{DAY_MS, Timestamp};
use crate::storage;
use crate::storage::db::{Queries, Tx};

pub use store::{due_letters, funnel, funnels, goals, letters_of, shares};

/// Most goals, funnels and open links of one site.
pub const MOST: usize = 50;
/// Fewest and most steps of a funnel.
pub const STEPS: std::ops::RangeInclusive<usize> = 2..=10;
/// Longest name, in characters.
pub const NAME_MOST: usize = 80;
/// Longest step or goal, in characters.
const STEP_MOST: usize = 500;
/// The last second that RFC 3339 can write: a link that ends only when somebody ends it.
const NEVER: Timestamp = Timestamp(253_402_300_799_000);
/// Days after which a link may end.
pub const SHARE_DAYS: [i64; 3] = [7, 30, 365];
/// How many times the usual a spike may be.
pub const FACTORS: [i64; 4] = [2, 3, 5, 10];

/// Something that counts as reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    pub id: GoalId,
    pub name: String,
    /// `page:/thanks`, `event:signup`.
    pub goal: String,
}

/// A way of several steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Funnel {
    pub id: FunnelId,
    pub site: String,
    pub name: String,
    /// `page:/`, `event:signup`, `stage:mql`, in order.
    pub steps: Vec<String>,
    /// One higher after each change.
    pub version: i64,
    pub changed_at: Timestamp,
    /// The name of whoever made it what it is.
    pub changed_by: String,
}

/// A funnel as somebody wants to have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub site: String,
    pub name: String,
    pub steps: Vec<String>,
    /// The funnel that it is to replace, and the version that it began with; none for a new one.
    pub was: Option<(FunnelId, i64)>,
}

/// A link for people without an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    pub id: ShareId,
    pub site: String,
    /// For whom it is.
    pub name: String,
    nonce: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl Share {
    /// Whether it opens the page.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| at > now)
    }

    /// Its address on this server.
    pub fn path(&self, keys: &Keys) -> String {
        let claims = Claims {
            subject: self.id.to_string(),
            contact: None,
            visitor: None,
            language: None,
            expires: self.expires_at.unwrap_or(NEVER),
            issued: self.created_at,
            nonce: self.nonce.clone(),
        };
        format!("/traffic/{}", keys.sign(Purpose::SharedTraffic, &claims))
    }
}

/// What somebody wants to be told of a site by mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// On Mondays what the week before was like.
    pub weekly: bool,
    /// When far more come than usual.
    pub spikes: bool,
    /// So many times the usual of the hour is far more.
    pub factor: i64,
    /// Fewer visits in an hour are no news.
    pub at_least: i64,
}

impl Default for Wish {
    fn default() -> Self {
        Self { weekly: false, spikes: false, factor: 5, at_least: 50 }
    }
}

/// A wish, and what was told last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letters {
    pub account: AccountId,
    pub language: Language,
    pub site: String,
    pub wish: Wish,
    /// The number of the Monday whose week before was told.
    pub week_told: i64,
    /// The number of the day on which a spike was told.
    pub spike_told: i64,
}

/// Why something is not kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is wrong with it, in a sentence.
    #[error("{0}")]
    Invalid(String),
    /// Nothing of this id.
    #[error("it does not exist, or somebody took it away")]
    Unknown,
    /// Somebody else was faster.
    #[error("{by} changed it meanwhile; it is version {version} now")]
    Changed { by: String, version: i64 },
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "traffic.kept_invalid",
            Self::Unknown => "traffic.kept_unknown",
            Self::Changed { .. } => "traffic.funnel_changed",
            Self::Storage(error) => error.code(),
        }
    }
}

/// The answer of everything here.
pub type Result<T> = std::result::Result<T, Error>;

fn name_of(text: &str) -> Result<String> {
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match name.chars().count() {
        0 => Err(Error::Invalid("Give it a name.".to_owned())),
        count if count > NAME_MOST => {
            Err(Error::Invalid(format!("A name has at most {NAME_MOST} characters.")))
        }
        _ => Ok(name),
    }
}

fn too_many(kept: usize) -> Result<()> {
    if kept < MOST { Ok(()) } else { Err(Error::Invalid(format!("There are {MOST} of them already."))) }
}

/// Keeps a goal. That it can be understood is seen to before.
///
/// # Errors
/// [`Error::Invalid`].
pub async fn add_goal(
    tx: &mut Tx,
    site: &str,
    name: &str,
    goal: &str,
    by: AccountId,
    now: Timestamp,
) -> Result<GoalId> {
    let name = name_of(name)?;
    if goal.chars().count() > STEP_MOST {
        return Err(Error::Invalid(format!("A goal has at most {STEP_MOST} characters.")));
    }
    tx.lock("traffic goals").await?;
    too_many(store::goals(tx, site).await?.len())?;
    let goal = Goal { id: GoalId::new(), name, goal: goal.to_owned() };
    store::insert_goal(tx, site, &goal, by, now).await?;
    Ok(goal.id)
}

/// Takes a goal away; returns its name.
///
/// # Errors
/// [`Error::Unknown`].
pub async fn remove_goal(tx: &mut Tx, id: GoalId) -> Result<String> {
    store::delete_goal(tx, id).await?.ok_or(Error::Unknown)
}

/// Keeps a funnel: a new one, or instead of the version that the draft began with.
///
/// # Errors
/// [`Error::Changed`] if that is not the version any more; then nothing is kept. [`Error::Invalid`], [`Error::Unknown`].
pub async fn save_funnel(tx: &mut Tx, draft: &Draft, by: AccountId, now: Timestamp) -> Result<FunnelId> {
    let name = name_of(&draft.name)?;
    if !STEPS.contains(&draft.steps.len()) {
        let (least, most) = (STEPS.start(), STEPS.end());
        return Err(Error::Invalid(format!("A funnel has {least} to {most} steps.")));
    }
    if draft.steps.iter().any(|step| step.chars().count() > STEP_MOST) {
        return Err(Error::Invalid(format!("A step has at most {STEP_MOST} characters.")));
    }
    tx.lock("traffic funnels").await?;
    let Some((id, version)) = draft.was else {
        too_many(store::funnels(tx, &draft.site).await?.len())?;
        let id = FunnelId::new();
        store::insert_funnel(tx, id, &draft.site, &name, &draft.steps, by, now).await?;
        return Ok(id);
    };
    let known = store::funnel(tx, id).await?.filter(|known| known.site == draft.site);
    let known = known.ok_or(Error::Unknown)?;
    if known.version != version {
        return Err(Error::Changed { by: known.changed_by, version: known.version });
    }
    store::update_funnel(tx, id, (version, version + 1), &name, &draft.steps, by, now).await?;
    Ok(id)
}

/// Takes a funnel away, if it is still the version that was looked at.
///
/// # Errors
/// [`Error::Changed`], [`Error::Unknown`].
pub async fn remove_funnel(tx: &mut Tx, id: FunnelId, version: i64) -> Result<()> {
    tx.lock("traffic funnels").await?;
    let known = store::funnel(tx, id).await?.ok_or(Error::Unknown)?;
    if known.version != version {
        return Err(Error::Changed { by: known.changed_by, version: known.version });
    }
    Ok(store::delete_funnel(tx, id).await?)
}

/// Makes a link for people without an account; it ends after `days`, if any are given.
///
/// # Errors
/// [`Error::Invalid`].
pub async fn share(
    tx: &mut Tx,
    site: &str,
    name: &str,
    days: Option<i64>,
    by: AccountId,
    now: Timestamp,
) -> Result<Share> {
    let name = name_of(name)?;
    if days.is_some_and(|days| !SHARE_DAYS.contains(&days)) {
        return Err(Error::Invalid("A link ends after 7, 30 or 365 days, or not by itself.".to_owned()));
    }
    tx.lock("traffic shares").await?;
    too_many(store::shares(tx, site).await?.iter().filter(|share| share.is_open(now)).count())?;
    let share = Share {
        id: ShareId::new(),
        site: site.to_owned(),
        name,
        nonce: random_text(24),
        created_at: now,
        expires_at: days.map(|days| now.plus_ms(days * DAY_MS)),
        revoked_at: None,
    };
    store::insert_share(tx, &share, by).await?;
    Ok(share)
}

/// Ends a link: from now on it opens nothing. Returns its name.
///
/// # Errors
/// [`Error::Unknown`].
pub async fn end_share(tx: &mut Tx, id: ShareId, now: Timestamp) -> Result<String> {
    store::revoke_share(tx, id, now).await?.ok_or(Error::Unknown)
}

/// Why a shared link does not open.
#[derive(Debug, thiserror::Error)]
pub enum Closed {
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Somebody ended it.
    #[error("the link was withdrawn")]
    Revoked,
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl Coded for Closed {
    fn code(&self) -> &'static str {
        match self {
            Self::Token(error) => error.code(),
            Self::Revoked => "token.revoked",
            Self::Storage(error) => error.code(),
        }
    }
}

/// The link whose secret part this is.
///
/// # Errors
/// [`Closed`].
pub async fn open_share(
    q: &mut impl Queries,
    keys: &Keys,
    token: &str,
    now: Timestamp,
) -> std::result::Result<Share, Closed> {
    let claims = keys.verify(Purpose::SharedTraffic, token, now)?;
    let id = ShareId::parse(&claims.subject).map_err(|_| TokenError::Forged)?;
    let share = store::share(q, id).await?.filter(|share| share.nonce == claims.nonce);
    let share = share.ok_or(TokenError::Forged)?;
    if share.is_open(now) { Ok(share) } else { Err(Closed::Revoked) }
}

/// Notes what somebody wants to be told. Whoever is told from now on hears first of the week that runs.
///
/// # Errors
/// [`Error::Invalid`].
pub async fn wish(tx: &mut Tx, account: AccountId, site: &str, wish: Wish, monday: i64) -> Result<()> {
    if !FACTORS.contains(&wish.factor) || !(1..=1_000_000).contains(&wish.at_least) {
        return Err(Error::Invalid(
            "A spike is 2, 3, 5 or 10 times the usual, and at least one visit.".into(),
        ));
    }
    Ok(store::put_letters(tx, account, site, wish, monday).await?)
}

/// Notes that a week was told; whether nobody else had done so.
///
/// # Errors
/// As the store says.
pub async fn told_week(tx: &mut Tx, letters: &Letters, monday: i64) -> storage::Result<bool> {
    store::told_week(tx, letters.account, &letters.site, monday).await
}

/// Notes that a spike was told on a day; whether nobody else had done so.
///
/// # Errors
/// As the store says.
pub async fn told_spike(tx: &mut Tx, letters: &Letters, day: i64) -> storage::Result<bool> {
    store::told_spike(tx, letters.account, &letters.site, day).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_of_some_length() {
        assert_eq!(name_of("  to   the\n call ").expect("a name"), "to the call");
        assert!(name_of(" \n").is_err() && name_of(&"x".repeat(NAME_MOST + 1)).is_err());
    }

    #[test]
    fn a_link_ends_when_it_says_or_when_somebody_ends_it() {
        let now = Timestamp(1_795_000_000_000);
        let mut share = Share {
            id: ShareId::new(),
            site: "faro".to_owned(),
            name: "agency".to_owned(),
            nonce: "n".to_owned(),
            created_at: now,
            expires_at: Some(now.plus_ms(DAY_MS)),
            revoked_at: None,
        };
        assert!(share.is_open(now) && !share.is_open(now.plus_ms(DAY_MS)));
        share.expires_at = None;
        assert!(share.is_open(now.plus_ms(9_000 * DAY_MS)));
        share.revoked_at = Some(now);
        assert!(!share.is_open(now));
    }
}
