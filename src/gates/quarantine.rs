//! Submissions that look odd: they are set apart, make no contact and send no mail, until a person lets them in or
//! throws them away.

use serde::{Deserialize, Serialize};

use super::attribution::Attribution;
use super::form::{Answers, Form};
use super::screen::Reason;
use super::store::quarantine as store;
use super::{Catalog, Error, Submission, shown};
use crate::base::email::Email;
use crate::base::ids::{SubmissionId, VisitorId};
use crate::base::language::Language;
use crate::base::time::{DAY_MS, Timestamp};
use crate::contacts::{Consent, Seen};
use crate::storage;
use crate::storage::db::{Queries, Tx};

/// How long what nobody looked at is kept.
const KEPT_MS: i64 = 30 * DAY_MS;

/// A submission as it is set apart: everything that is needed to take it after all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Kept {
    email: Email,
    fields: std::collections::BTreeMap<String, String>,
    agreed: Vec<String>,
    visitor: Option<VisitorId>,
    consent: Consent,
    page: Option<String>,
    language: Language,
    time_zone: Option<String>,
    nonce: String,
    attribution: Attribution,
    registers: Option<String>,
    #[serde(default)]
    shows_boxes: bool,
    #[serde(default)]
    seen: Option<Seen>,
}

/// One submission that is set apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SetApart {
    /// Its id.
    pub id: SubmissionId,
    /// The site that showed the form.
    pub site: String,
    /// The form.
    pub form: String,
    /// Why: `honeypot`, `flood`, `links`.
    pub reason: String,
    /// What was typed as address.
    pub email: String,
    /// The other answers.
    pub fields: std::collections::BTreeMap<String, String>,
    /// When it came.
    pub at: Timestamp,
    #[serde(skip)]
    kept: Kept,
    #[serde(skip)]
    answers: Answers,
}

impl SetApart {
    /// The submission as it would have been taken.
    pub fn as_submission<'a>(&'a self, form: &'a Form) -> Submission<'a> {
        Submission {
            form,
            answers: &self.answers,
            site: &self.site,
            visitor: self.kept.visitor,
            consent: self.kept.consent,
            page: self.kept.page.as_deref(),
            language: self.kept.language,
            time_zone: self.kept.time_zone.as_deref(),
            nonce: &self.kept.nonce,
            attribution: &self.kept.attribution,
            registers: self.kept.registers.as_deref(),
            shows_boxes: self.kept.shows_boxes,
            seen: self.kept.seen.as_ref(),
        }
    }
}

/// Sets a submission apart. The same once more changes nothing.
///
/// # Errors
/// [`Error::NonceUsed`] if another person's answers came with this nonce before.
pub async fn keep(tx: &mut Tx, what: &Submission<'_>, reason: Reason, now: Timestamp) -> Result<(), Error> {
    let kept = Kept {
        email: what.answers.email.clone(),
        fields: what.answers.fields.clone(),
        agreed: what.answers.agreed.clone(),
        visitor: what.visitor,
        consent: what.consent,
        page: what.page.map(str::to_owned),
        language: what.language,
        time_zone: what.time_zone.map(str::to_owned),
        nonce: what.nonce.to_owned(),
        attribution: what.attribution.clone(),
        registers: what.registers.map(str::to_owned),
        shows_boxes: what.shows_boxes,
        seen: what.seen.cloned(),
    };
    let sent = serde_json::to_value(&kept).unwrap_or_default();
    if store::insert(tx, what, reason.word(), &sent, now).await? {
        shown::set_apart(tx, &what.form.id, what.site, now).await?;
        return Ok(());
    }
    let earlier = store::by_nonce(tx, what.nonce).await?.and_then(read);
    match earlier.is_some_and(|earlier| earlier.kept.email == kept.email) {
        true => Ok(()),
        false => Err(Error::NonceUsed),
    }
}

/// The latest that are set apart, and how many there are in all.
///
/// # Errors
/// As the store says.
pub async fn list(q: &mut impl Queries, most: i64, skip: i64) -> storage::Result<(Vec<SetApart>, i64)> {
    let rows = store::list(q, most, skip).await?;
    let total = store::count(q).await?;
    Ok((rows.into_iter().filter_map(read).collect(), total))
}

/// One that is set apart, taken out: whoever asks has it, and nobody else will.
///
/// # Errors
/// [`Error::NotSetApart`].
pub async fn take_out(tx: &mut Tx, id: SubmissionId) -> Result<SetApart, Error> {
    let row = store::find(tx, id).await?.and_then(read).ok_or(Error::NotSetApart)?;
    if store::delete(tx, id).await? == 0 {
        return Err(Error::NotSetApart);
    }
    Ok(row)
}

/// Throws one away.
///
/// # Errors
/// [`Error::NotSetApart`].
pub async fn delete(tx: &mut Tx, id: SubmissionId) -> Result<(), Error> {
    match store::delete(tx, id).await? {
        0 => Err(Error::NotSetApart),
        _ => Ok(()),
    }
}

/// Throws away what nobody looked at for a month. Returns how many.
///
/// # Errors
/// As the store says.
pub async fn forget_old(tx: &mut Tx, now: Timestamp) -> storage::Result<u64> {
    store::delete_before(tx, now.plus_ms(-KEPT_MS)).await
}

/// The form that a submission was for, if it is still there.
///
/// # Errors
/// [`Error::NoForm`].
pub fn form_of<'a>(catalog: &'a Catalog, what: &SetApart) -> Result<&'a Form, Error> {
    catalog.form(&what.form)
}

fn read(row: store::Row) -> Option<SetApart> {
    let kept: Kept = serde_json::from_value(row.sent).ok()?;
    let answers =
        Answers { email: kept.email.clone(), fields: kept.fields.clone(), agreed: kept.agreed.clone() };
    Some(SetApart {
        id: row.id,
        site: row.site,
        form: row.form,
        reason: row.reason,
        email: kept.email.to_string(),
        fields: kept.fields.clone(),
        at: row.at,
        kept,
        answers,
    })
}
