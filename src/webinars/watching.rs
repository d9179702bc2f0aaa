//! What was seen of a recording: the union over all devices of a person.

use serde_json::json;

use super::{Definition, Error, Ranges, store};
use crate::base::ids::{ContactId, VisitorId};
use crate::base::time::Timestamp;
use crate::contacts;
use crate::events::{self, Event};
use crate::stages;
use crate::storage::db::Tx;

/// Shares of a recording that are worth an activity.
pub const THRESHOLDS: [u8; 5] = [25, 50, 60, 75, 90];

/// What a player reports.
#[derive(Debug, Clone)]
pub struct Watching<'a> {
    /// The recording.
    pub recording: &'a str,
    /// The device, if it may be recognised.
    pub visitor: Option<VisitorId>,
    /// The person, if she is known.
    pub contact: Option<ContactId>,
    /// What was played since the last report, in seconds.
    pub ranges: &'a [(f64, f64)],
}

/// How much may have been seen before the first report came …
const HEAD_START_S: f64 = 30.0;
/// … and how fast a recording is played at most.
const FASTEST: f64 = 2.0;

/// Adds what was seen of a recording and returns the whole percent seen so far. What is seen twice counts once, on however
/// many devices of the same person; each threshold in [`THRESHOLDS`] makes one activity and one fact when it is first
/// passed.
///
/// Nobody sees more of it than time has passed since the first report, at twice the speed: a report that claims more is
/// believed so far and no further.
///
/// What was seen on her other devices is told only to a device that is confirmed to be hers.
///
/// # Errors
/// [`Error::NoRecording`], also where neither a device nor a person watches.
pub async fn watch(
    tx: &mut Tx,
    lifecycle: &stages::Definition,
    webinars: &Definition,
    report: &Watching<'_>,
    now: Timestamp,
) -> Result<u8, Error> {
    let (_, recording) = webinars.recording(report.recording).ok_or(Error::NoRecording)?;
    let viewer = match (report.visitor, report.contact) {
        (Some(visitor), _) => visitor.to_string(),
        (None, Some(contact)) => contact.to_string(),
        (None, None) => return Err(Error::NoRecording),
    };
    let whose = report.contact.map_or_else(|| viewer.clone(), |contact| contact.to_string());
    tx.lock(&format!("watch:{}:{whose}", recording.id)).await?;
    let before = store::watched(tx, &recording.id, &viewer).await?;
    let mut ranges = before.as_ref().map(|watched| watched.ranges.clone()).unwrap_or_default();
    // Stored percents are kept when the recording is cut anew: nobody loses what she has seen.
    let percent_before = before.as_ref().map_or(0, |watched| watched.percent);
    let begun_at = before.as_ref().map_or(now, |watched| watched.begun_at);
    #[allow(clippy::cast_precision_loss, reason = "nobody watches for thousands of years")]
    let passed_s = now.since_ms(begun_at).max(0) as f64 / 1_000.0;
    let most_s = HEAD_START_S + FASTEST * passed_s - ranges.seconds();
    ranges.add_at_most(most_s, report.ranges.iter().copied(), recording.duration_s);
    let percent = ranges.percent(recording.duration_s).max(percent_before);
    let contact = report.contact.or(before.and_then(|watched| watched.contact));
    let (all_before, all) = match contact {
        Some(contact) => {
            let mut devices = store::watches_of(tx, &recording.id, contact).await?;
            let all_before = union(&devices, recording.duration_s);
            devices.push(store::Watched {
                contact: Some(contact),
                ranges: ranges.clone(),
                percent,
                begun_at,
            });
            (all_before, union(&devices, recording.duration_s))
        }
        None => (percent_before, percent),
    };
    store::put_watched(tx, &recording.id, &viewer, contact, &ranges, percent, now).await?;
    let passed: Vec<u8> =
        THRESHOLDS.into_iter().filter(|threshold| (all_before + 1..=all).contains(threshold)).collect();
    for threshold in &passed {
        let (kind, props) = ("recording.watched", json!({"percent": threshold}));
        contacts::record(tx, contact, report.visitor, kind, Some(&recording.id), props, now).await?;
        let percent = i64::from(*threshold);
        let event = Event::RecordingWatched { contact, recording: recording.id.clone(), percent };
        events::append(tx, &event, now).await?;
    }
    if let Some(contact) = contact.filter(|_| !passed.is_empty()) {
        stages::evaluate(tx, lifecycle, contact, now).await?;
    }
    let holder = match report.visitor {
        Some(visitor) => contacts::visitor(tx, visitor).await?,
        None => None,
    };
    let may_see = holder.is_some_and(|visitor| visitor.contact == contact && visitor.trust.may_see_stored());
    Ok(if may_see { all } else { percent })
}

/// The whole percent that several devices have seen together.
fn union(devices: &[store::Watched], duration_s: f64) -> u8 {
    let seen = devices.iter().flat_map(|device| device.ranges.as_slice().iter().copied());
    // Of a recording that was cut anew the ranges say less than what was credited then.
    let credited = devices.iter().map(|device| device.percent).max().unwrap_or(0);
    Ranges::of(seen, duration_s).percent(duration_s).max(credited)
}
