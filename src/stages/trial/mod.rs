//! Trying a definition out before it runs: simulate, back-test, lift, diff. Nothing here writes anything.
//!
//! Contacts are read in the order of their ids, some hundred at a time, and asked one after another; what is kept of each
//! is a line in a table. The same contacts give the same answer, however often they are asked.

mod compare;
pub mod kept;
mod leaks;
mod lift;
mod replay;
pub(super) mod store;

use serde::Serialize;

pub use compare::{Backtest, Backtester, Change, Differ, Figures};
pub use leaks::{Because, Leak, without_leaks};
pub use lift::{BandLift, Lift, Lifter, RuleLift};
pub use replay::{Model, Move};

use super::store as lives;
use super::{Definition, Error, Explanation, explain_at};
use crate::base::email::Email;
use crate::base::ids::ContactId;
use crate::base::time::{DAY_MS, Timestamp};
use crate::base::yaml;
use crate::contacts;
use crate::scoring::facts::Company;
use crate::scoring::{self, Activity};
use crate::storage::db::Db;

/// Contacts that are read at a time.
const PAGE: i64 = 500;

/// One contact's life, as far as definitions look at it.
#[derive(Debug, Clone)]
pub struct Case {
    /// Who.
    pub contact: ContactId,
    /// Her address.
    pub email: Email,
    /// `en` or `es`.
    pub language: String,
    /// When her address became known.
    pub identified_at: Timestamp,
    /// Since when she objects to being profiled, if she does.
    pub profiling_off_at: Option<Timestamp>,
    /// Where she works.
    pub company: Option<Workplace>,
    /// What is stored about her, and since when.
    pub fields: Vec<Fact>,
    /// The countries that she visited from, oldest first.
    pub countries: Vec<(Timestamp, String)>,
    /// The regions likewise.
    pub regions: Vec<(Timestamp, String)>,
    /// What she did, oldest first.
    pub activities: Vec<Activity>,
    /// The stages that she reached, oldest first.
    pub reached: Vec<Reached>,
}

/// Where somebody works: what is known of the company today, and when it first bought.
#[derive(Debug, Clone, PartialEq)]
pub struct Workplace {
    /// The company; whether it has bought is told by the moment beside it.
    pub company: Company,
    /// When it first bought.
    pub bought_at: Option<Timestamp>,
}

/// A stored field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub name: String,
    pub value: String,
    pub at: Timestamp,
}

/// A stage that was reached, whoever decided so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    pub stage: String,
    pub at: Timestamp,
}

impl Case {
    /// When one of these stages was reached for the first time.
    pub fn first_in(&self, stages: &[&str]) -> Option<Timestamp> {
        self.reached.iter().find(|reached| stages.contains(&reached.stage.as_str())).map(|reached| reached.at)
    }
}

/// Something that is asked of every contact, one after another.
pub trait Question: Send + Sync + 'static {
    /// Whether it looks at activities of a kind; others are not read.
    fn reads(&self, kind: &str) -> bool;

    /// Asks it of one contact.
    fn ask(&mut self, case: Case);
}

/// Asks a question of every contact; `progress` hears of how many of how many, once for each page.
///
/// # Errors
/// As the store says.
pub async fn ask<Q: Question>(
    db: &Db,
    question: Q,
    from: Timestamp,
    mut progress: impl FnMut(i64, i64) + Send,
) -> Result<Q, Error> {
    let total = lives::contact_count(&mut db.read()).await?;
    let mut question = question;
    let (mut after, mut asked) = (ContactId::from_uuid(uuid::Uuid::nil()), 0);
    let mut words = contacts::Texts::default();
    loop {
        let page = lives::cases(&mut db.read(), after, PAGE).await?;
        let (Some(last), read) = (page.last().map(|case| case.contact), page.len()) else {
            return Ok(question);
        };
        let mut page = page;
        let wanted = |kind: &str| question.reads(kind) || kind == "visit";
        scoring::store::activities_between(
            &mut db.read(),
            (after, last),
            from,
            &wanted,
            &mut words,
            |contact, did| {
                if let Ok(index) = page.binary_search_by_key(&contact, |case: &Case| case.contact)
                    && let Some(case) = page.get_mut(index)
                {
                    case.activities.push(did);
                }
            },
        )
        .await?;
        // Reckoning takes long enough to hold up whoever else runs on this thread.
        question = tokio::task::spawn_blocking(move || {
            for mut case in page {
                case.activities.sort_by_key(|activity| (activity.at, activity.id));
                case.learn_places();
                question.ask(case);
            }
            question
        })
        .await
        .map_err(|error| crate::storage::Error::Engine(error.to_string()))?;
        asked += i64::try_from(read).unwrap_or(0);
        progress(asked.min(total), total);
        after = last;
    }
}

impl Case {
    fn learn_places(&mut self) {
        self.countries = places(&self.activities, "country");
        self.regions = places(&self.activities, "region");
    }
}

/// Where she visited from in the course of time.
fn places(activities: &[Activity], name: &str) -> Vec<(Timestamp, String)> {
    let told = |activity: &Activity| Some(activity.props.get(name)?.as_str()?.to_owned());
    let mut places: Vec<(Timestamp, String)> = Vec::new();
    for (at, place) in activities.iter().filter_map(|activity| Some((activity.at, told(activity)?))) {
        if places.last().is_none_or(|(_, last)| *last != place) {
            places.push((at, place));
        }
    }
    places
}

/// What a contact's stage and score are at a moment, in the past or to come if nothing happens any more.
#[derive(Debug, Clone, Serialize)]
pub struct Simulation {
    /// Everything as of that moment; the stage is the recorded one.
    pub explanation: Explanation,
    /// The moves that time alone will have made by then.
    pub moves: Vec<Move>,
    /// The stage after these moves.
    pub stage: String,
}

/// Works out how a contact stands at `at`.
///
/// # Errors
/// [`Error::NoContact`], or as the store says.
pub async fn simulate(
    db: &Db,
    definition: &Definition,
    contact: ContactId,
    at: Timestamp,
    now: Timestamp,
) -> Result<Simulation, Error> {
    if at <= now {
        let explanation = explain_at(&mut db.read(), definition, contact, at).await?;
        let stage = explanation.stage.id.clone();
        return Ok(Simulation { explanation, moves: Vec::new(), stage });
    }
    let explanation = explain_at(&mut db.read(), definition, contact, at).await?;
    let position = super::position(&mut db.read(), definition, contact, now).await?;
    let mut case = lives::case(&mut db.read(), contact).await?.ok_or(Error::NoContact)?;
    case.activities =
        scoring::store::activities(&mut db.read(), contact, now.plus_ms(-super::MEMORY_MS)).await?;
    case.learn_places();
    let history = definition.scoring.history(case.activities.clone());
    let begin = now.max(position.entered_at);
    let stands = position.stage.clone();
    let moves = Model::new(definition.clone()).wait(&case, &history, position, begin, at);
    let stage = moves.last().map_or(stands, |last| last.to.clone());
    Ok(Simulation { explanation, moves, stage })
}

/// The moves that a definition would have made with a contact up to `at`, had it held all the time.
///
/// # Errors
/// [`Error::NoContact`], or as the store says.
pub async fn replayed(
    db: &Db,
    definition: &Definition,
    contact: ContactId,
    at: Timestamp,
) -> Result<Vec<Move>, Error> {
    let mut case = lives::case(&mut db.read(), contact).await?.ok_or(Error::NoContact)?;
    let from = case.identified_at.min(at).plus_ms(-super::MEMORY_MS);
    let all = scoring::store::activities(&mut db.read(), contact, from).await?;
    case.activities = all.into_iter().filter(|activity| activity.at <= at).collect();
    case.learn_places();
    let history = definition.scoring.history(case.activities.clone());
    Ok(Model::new(definition.clone()).replay(&case, &history, at))
}

/// Reads a moment: `2026-11-01`, `2026-11-01T09:00:00Z`, or a length of time from `now` as `+30d` or `-30d`.
/// None for what is none, and for what lies more than a hundred years away.
pub fn moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    moment_at_all(text, now).filter(|at| (-MOST_MS..=MOST_MS).contains(&at.since_ms(now)))
}

/// The furthest that anybody asks about.
const MOST_MS: i64 = 100 * 366 * DAY_MS;

fn moment_at_all(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Some(ahead) = text.strip_prefix('+') {
        return yaml::duration_ms(ahead).map(|ms| now.plus_ms(ms));
    }
    if let Some(back) = text.strip_prefix('-') {
        return yaml::duration_ms(back).map(|ms| now.plus_ms(-ms));
    }
    let instant = text.parse::<jiff::Timestamp>().ok();
    let date = || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    instant.or_else(|| date().map(|date| date.timestamp())).map(Timestamp::from_jiff)
}

#[cfg(test)]
mod tests;
