//! Where everybody stands: the counts of the cycle, with calibration and credit.

use std::collections::{BTreeMap, HashMap};

use super::absence::Absence;
use super::assign::{self, Standing};
use super::store;
use super::store::diary::{self, Entered};
use super::team::{Meeting, Rep, Team};
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::{Queries, Tx};

/// What each of `reps` has in this cycle, as it is noted.
pub async fn standings(
    q: &mut impl Queries,
    team: &Team,
    meeting: &Meeting,
    reps: &[&Rep],
    now: Timestamp,
) -> Result<HashMap<String, Standing>> {
    Ok(noted(q, team, meeting, reps, now).await?.0)
}

/// As [`standings`]; whoever is new, or came back from an absence since she was last looked at, enters the rotation with
/// it: with as many calls as those of her own side have. Called under the locks of those who may get the call.
pub async fn enter(
    tx: &mut Tx,
    team: &Team,
    meeting: &Meeting,
    sides: &[&[&Rep]],
    absences: &[Absence],
    now: Timestamp,
) -> Result<HashMap<String, Standing>> {
    let start = assign::cycle_start(meeting, team.policy.cycle, now);
    let (mut standings, entered) = noted(tx, team, meeting, &sides.concat(), now).await?;
    let is_back = |rep: &Rep, since: Timestamp| {
        let ends = absences.iter().filter(|absence| absence.rep == rep.id).map(|absence| absence.span.to);
        ends.into_iter().any(|end| end <= now && end > since && end >= start)
    };
    let enters = |rep: &&&Rep| entered.get(&rep.id).is_none_or(|entry| is_back(rep, entry.at));
    let standing = |rep: &Rep| standings.get(&rep.id).copied().unwrap_or_default();
    // In the order of the ids: two bookings that enter the same people do so in the same order.
    let mut calibrations: BTreeMap<&str, i64> = BTreeMap::new();
    for reps in sides {
        let (new, others): (Vec<&&Rep>, Vec<&&Rep>) = reps.iter().partition(enters);
        let others: Vec<(&Rep, Standing)> = others.into_iter().map(|rep| (*rep, standing(rep))).collect();
        for rep in new {
            let calibration = assign::calibration(rep, &standing(rep), &others, &team.policy);
            // Whoever is on both sides enters with the first.
            calibrations.entry(&rep.id).or_insert(calibration);
        }
    }
    for (rep, calibration) in calibrations {
        diary::enter(tx, rep, calibration, now).await?;
        standings.entry(rep.to_owned()).or_default().calibration = calibration;
    }
    Ok(standings)
}

async fn noted(
    q: &mut impl Queries,
    team: &Team,
    meeting: &Meeting,
    reps: &[&Rep],
    now: Timestamp,
) -> Result<(HashMap<String, Standing>, HashMap<String, Entered>)> {
    let start = assign::cycle_start(meeting, team.policy.cycle, now);
    let counted = store::standings(q, start).await?;
    let entered = diary::entered(q).await?;
    let credits = diary::credits(q, start).await?;
    let standing = |rep: &Rep| {
        let entry = entered.get(&rep.id).filter(|entry| entry.at >= start);
        Standing {
            calibration: entry.map_or(0, |entry| entry.calibration),
            credit: credits.get(&rep.id).copied().unwrap_or(0),
            ..counted.get(&rep.id).copied().unwrap_or_default()
        }
    };
    let standings = reps.iter().map(|rep| (rep.id.clone(), standing(rep))).collect();
    Ok((standings, entered))
}
