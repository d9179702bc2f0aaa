//! Forms, some of which register for a webinar.

use super::{Definition, Error, register};
use crate::base::ids::SubmissionId;
use crate::base::time::Timestamp;
use crate::gates::{self, Catalog, Submission, Submitted, quarantine};
use crate::stages;
use crate::storage::db::Tx;

/// Takes a form and, if it registers for a webinar, registers.
///
/// # Errors
/// As [`gates::submit`] and [`register`].
pub async fn take(
    tx: &mut Tx,
    lifecycle: &stages::Definition,
    webinars: &Definition,
    submission: &Submission<'_>,
    now: Timestamp,
) -> Result<Submitted, Error> {
    let submitted = gates::submit(tx, lifecycle, submission, now).await?;
    if let Some(webinar) = submission.registers {
        let webinar = webinars.find(webinar).ok_or(Error::Unknown)?;
        register(tx, lifecycle, webinar, submitted.contact, submitted.visitor, now).await?;
    }
    Ok(submitted)
}

/// Takes a submission after all that was set apart.
///
/// # Errors
/// [`gates::Error::NotSetApart`]; as [`take`].
pub async fn release(
    tx: &mut Tx,
    lifecycle: &stages::Definition,
    catalog: &Catalog,
    webinars: &Definition,
    id: SubmissionId,
    now: Timestamp,
) -> Result<Submitted, Error> {
    let kept = quarantine::take_out(tx, id).await?;
    let form = quarantine::form_of(catalog, &kept)?;
    take(tx, lifecycle, webinars, &kept.as_submission(form), now).await
}
