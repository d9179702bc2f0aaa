//! Offers: what somebody may be offered now, and the codes of those who took one.
//!
//! Each person takes an offer once and keeps the code; a quota is never given out twice. Whether an offer is for somebody
//! is asked when it is shown and again when it is taken.

pub mod definition;
mod store;

use serde::Serialize;

pub use definition::{Definition, Offer};
pub use store::{Claim, PERSONAL, claims_of, latest, standing, taken};

use crate::base::coded::Coded;
use crate::base::expr::Context;
use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::contacts;
use crate::scoring::condition::Condition;
use crate::segments;
use crate::stages::{self, Person};
use crate::storage;
use crate::storage::db::{Queries, Tx};

/// Letters of codes: none that are read for one another (after Crockford's base 32).
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Why an offer is not for somebody now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It has not begun.
    TooEarly,
    /// It is over.
    Over,
    /// It is for other stages.
    Stage,
    /// It is for other segments.
    Segment,
    /// Its condition does not hold.
    Condition,
    /// Everybody has one already.
    Quota,
}

impl Why {
    fn words(self) -> &'static str {
        match self {
            Self::TooEarly => "it has not begun",
            Self::Over => "it is over",
            Self::Stage => "it is for people in other stages",
            Self::Segment => "it is for other people",
            Self::Condition => "its condition does not hold",
            Self::Quota => "all of it has been taken",
        }
    }
}

/// Why something about an offer was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No offer has this name.
    #[error("there is no such offer")]
    Unknown,
    /// It is not for this person now.
    #[error("this offer cannot be taken: {}", .0.words())]
    NotForYou(Why),
    /// Nobody was given this code.
    #[error("nobody was given this code")]
    NoCode,
    /// The code was good once.
    #[error("the code has expired")]
    CodeExpired,
    /// The code was used.
    #[error("the code was used already")]
    CodeUsed,
    /// The lifecycle refused.
    #[error(transparent)]
    Stage(#[from] stages::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] storage::Error),
}

impl From<contacts::Error> for Error {
    fn from(error: contacts::Error) -> Self {
        Self::Stage(error.into())
    }
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "offer.unknown",
            Self::NotForYou(_) => "offer.not_eligible",
            Self::NoCode => "offer.code_unknown",
            Self::CodeExpired => "offer.code_expired",
            Self::CodeUsed => "offer.code_used",
            Self::Stage(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }

    fn extras(&self) -> Vec<(&'static str, serde_json::Value)> {
        match self {
            Self::NotForYou(why) => vec![("why", serde_json::json!(why))],
            Self::Stage(error) => error.extras(),
            _ => Vec::new(),
        }
    }
}

/// The offers that somebody may be shown: those that she can take, and those that she has taken.
///
/// # Errors
/// [`Error::Stage`] if there is no such contact.
pub async fn for_contact<'a>(
    q: &mut impl Queries,
    lifecycle: &stages::Definition,
    offers: &'a Definition,
    contact: ContactId,
    now: Timestamp,
) -> Result<Vec<&'a Offer>, Error> {
    let asked = Asked::read(q, lifecycle, contact, now).await?;
    let mut shown = Vec::new();
    for offer in &offers.offers {
        if asked.refusal(q, offer).await?.is_none() {
            shown.push(offer);
        }
    }
    Ok(shown)
}

/// Whether somebody could take an offer now.
///
/// # Errors
/// [`Error::Stage`] if there is no such contact.
pub async fn may_take(
    q: &mut impl Queries,
    lifecycle: &stages::Definition,
    offer: &Offer,
    contact: ContactId,
    now: Timestamp,
) -> Result<bool, Error> {
    let asked = Asked::read(q, lifecycle, contact, now).await?;
    Ok(asked.refusal(q, offer).await?.is_none())
}

/// Contacts that are in an offer's stages and segments, the newest first; `most` of each at most. Its condition is not asked.
///
/// # Errors
/// As the store says.
pub async fn candidates(q: &mut impl Queries, offer: &Offer, most: i64) -> storage::Result<Vec<ContactId>> {
    let any = [String::new()];
    let or_any = |names: &[String]| if names.is_empty() { any.to_vec() } else { names.to_vec() };
    let mut found = Vec::new();
    for stage in or_any(&offer.stages) {
        for segment in or_any(&offer.segments) {
            found.extend(store::in_both(q, &stage, &segment, most).await?);
        }
    }
    // Ids are drawn by time.
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.dedup();
    Ok(found)
}

/// Gives somebody the code of an offer; the same one if she asks again.
///
/// # Errors
/// [`Error::Unknown`], [`Error::NotForYou`].
pub async fn claim(
    tx: &mut Tx,
    lifecycle: &stages::Definition,
    offers: &Definition,
    id: &str,
    contact: ContactId,
    now: Timestamp,
) -> Result<Claim, Error> {
    let offer = offers.find(id).ok_or(Error::Unknown)?;
    // Whoever counts and gives must do it alone, or the last one is given twice.
    tx.lock(&format!("offer:{id}")).await?;
    if let Some(claim) = store::claim_of(tx, id, contact).await? {
        return Ok(claim);
    }
    let asked = Asked::read(tx, lifecycle, contact, now).await?;
    if let Some(why) = asked.refusal(tx, offer).await? {
        return Err(Error::NotForYou(why));
    }
    let expires_at = match (offer.valid_ms.map(|valid_ms| now.plus_ms(valid_ms)), offer.until) {
        (Some(own), Some(until)) => Some(own.min(until)),
        (own, until) => own.or(until),
    };
    let claim = Claim {
        code: code(&offer.prefix),
        offer: offer.id.clone(),
        contact,
        claimed_at: now,
        expires_at,
        redeemed_at: None,
    };
    store::insert(tx, &claim).await?;
    let props = serde_json::json!({});
    contacts::record(tx, Some(contact), None, "offer.claimed", Some(&offer.id), props, now).await?;
    Ok(claim)
}

/// Uses a code up.
///
/// # Errors
/// [`Error::NoCode`], [`Error::CodeExpired`], [`Error::CodeUsed`].
pub async fn redeem(tx: &mut Tx, code: &str, now: Timestamp) -> Result<Claim, Error> {
    let code = code.trim().to_ascii_uppercase();
    tx.lock(&format!("offer-code:{code}")).await?;
    let mut claim = store::claim_of_code(tx, &code).await?.ok_or(Error::NoCode)?;
    // Whoever is two contacts in one may have taken it as both: it is hers once.
    tx.lock(&format!("offer:{}", claim.offer)).await?;
    if claim.redeemed_at.is_some() || store::has_used(tx, &claim.offer, claim.contact).await? {
        return Err(Error::CodeUsed);
    }
    if claim.expires_at.is_some_and(|expires_at| expires_at <= now) {
        return Err(Error::CodeExpired);
    }
    store::redeem(tx, &code, now).await?;
    claim.redeemed_at = Some(now);
    let (contact, props) = (Some(claim.contact), serde_json::json!({}));
    contacts::record(tx, contact, None, "offer.redeemed", Some(&claim.offer), props, now).await?;
    Ok(claim)
}

/// What an offer is asked about.
struct Asked {
    person: Person,
    /// The facts and the stage, as conditions name them.
    values: Context,
    stage: String,
    segments: Vec<String>,
}

impl Asked {
    async fn read(
        q: &mut impl Queries,
        lifecycle: &stages::Definition,
        contact: ContactId,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let person = stages::person(q, lifecycle, contact, now).await?;
        let stage = stages::position(q, lifecycle, contact, now).await?.stage;
        let segments = segments::of_contact(q, contact).await?;
        Ok(Self { values: person.values_in(&stage), person, stage, segments })
    }

    async fn refusal(&self, q: &mut impl Queries, offer: &Offer) -> Result<Option<Why>, Error> {
        let now = self.person.now;
        let refusal = if offer.from.is_some_and(|from| now < from) {
            Some(Why::TooEarly)
        } else if offer.until.is_some_and(|until| now >= until) {
            Some(Why::Over)
        } else if !offer.stages.is_empty() && !offer.stages.contains(&self.stage) {
            Some(Why::Stage)
        } else if !offer.segments.is_empty() && !offer.segments.iter().any(|s| self.segments.contains(s)) {
            Some(Why::Segment)
        } else if !self.holds(offer) {
            Some(Why::Condition)
        } else {
            match offer.quota {
                Some(quota) if taken(q, &offer.id).await? >= quota => Some(Why::Quota),
                _ => None,
            }
        };
        Ok(refusal)
    }

    fn holds(&self, offer: &Offer) -> bool {
        let is_met = |condition: &Condition| condition.holds_at(&self.person.moment(&self.values));
        offer.condition.as_ref().is_none_or(is_met)
    }
}

/// Fifty random bits that can be read aloud, after what the offer's codes begin with.
fn code(prefix: &str) -> String {
    let random = uuid::Uuid::new_v4().as_u128();
    let letter = |place: u32| {
        let five = usize::try_from((random >> (5 * place)) & 31).unwrap_or_default();
        LETTERS.get(five).map_or('0', |letter| char::from(*letter))
    };
    // The lowest bits of such an id are random, and so are the fifty that stand there.
    let letters: String = (0..10).map(letter).collect();
    if prefix.is_empty() { letters } else { format!("{prefix}-{letters}") }
}
