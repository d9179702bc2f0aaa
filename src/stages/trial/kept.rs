//! Trials that take long: asked for by somebody, worked out by whichever server has time, kept with their answer.
//!
//! A trial is claimed under a lease: whoever works at it says so again and again, and if that ends another takes it up from
//! the beginning. It only reads, so that nothing is done twice. The answer is figures; who would stand elsewhere is kept
//! beside it, person by person, so that an erasure reaches it.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value as Json, json};
use tokio::sync::watch;

use super::{Backtester, Differ, Lifter, store};
use crate::base::diagnostic::Report;
use crate::base::ids::{AccountId, ContactId, new_key};
use crate::base::time::{Clock, DAY_MS, SECOND_MS, Timestamp};
use crate::stages::store::{keep_text, text};
use crate::stages::{Definition, Error, MEMORY_MS};
use crate::storage::db::{Db, Queries, Tx};

/// The bus topic that tells of a trial's progress is this and its id.
pub const TOPIC: &str = "trial:";

/// How often is told how far it is.
const TELL_EVERY: Duration = Duration::from_millis(500);
/// Whoever was silent for so long is taken for dead.
const LEASE_MS: i64 = 20 * SECOND_MS;
/// Trials are kept for so long.
const KEPT_MS: i64 = 180 * DAY_MS;
/// People that are kept of each list; the rest is counted.
const PEOPLE_MOST: usize = 500;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Whom the text would have qualified, and what became of them.
    Backtest,
    /// Who would stand in another stage.
    Diff,
    /// Which rules and bands tell the won from the others.
    Lift,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Backtest, Self::Diff, Self::Lift];

    /// The word in the database and in forms.
    pub fn word(self) -> &'static str {
        match self {
            Self::Backtest => "backtest",
            Self::Diff => "diff",
            Self::Lift => "lift",
        }
    }

    /// The meaning of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.word() == word)
    }
}

/// How far a trial is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody works at it yet.
    Waiting,
    /// Somebody does.
    Running,
    /// It has its answer.
    Done,
    /// It has none, and says why.
    Failed,
    /// Somebody has stopped it.
    Stopped,
}

impl State {
    /// The word in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }

    /// The meaning of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        let all = [Self::Waiting, Self::Running, Self::Done, Self::Failed, Self::Stopped];
        all.into_iter().find(|known| known.word() == word)
    }

    /// Whether it goes on.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Running)
    }
}

/// What somebody wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What is asked.
    pub kind: Kind,
    /// From when on.
    pub since: Timestamp,
    /// The stage that foretells.
    pub stage: String,
    /// The stage that is foretold.
    pub outcome: String,
}

/// A trial.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// Its id.
    pub id: String,
    /// What is asked.
    pub kind: Kind,
    /// The text's hash and number.
    pub hash: String,
    /// The number.
    pub version: i64,
    /// The hash and number of what it is compared with.
    pub against: String,
    /// The number.
    pub against_version: i64,
    /// From when on.
    pub since: Timestamp,
    /// Up to when.
    pub until: Timestamp,
    /// The stage that foretells.
    pub stage: String,
    /// The stage that is foretold.
    pub outcome: String,
    /// Who asked.
    pub account: Option<AccountId>,
    /// When.
    pub created_at: Timestamp,
    /// How far it is.
    pub state: State,
    /// Contacts that were asked about.
    pub asked: i64,
    /// Of so many.
    pub total: i64,
    /// When it ended.
    pub done_at: Option<Timestamp>,
    /// The figures.
    pub answer: Option<Json>,
    /// Why there are none.
    pub error: Option<String>,
}

/// Somebody who would stand elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// Who.
    pub contact: ContactId,
    /// Her address.
    pub email: String,
    /// `enters`, `leaves` or `moves`.
    pub what: String,
    /// From which stage, by which rule.
    pub from: Option<(String, String)>,
    /// To which, by which.
    pub to: Option<(String, String)>,
}

/// Asks for a trial of `model` beside `against`. Returns its id; a worker takes it up once that is committed.
///
/// # Errors
/// [`Error::NoStage`] if the model has no such stage, or as the store says.
pub async fn begin(
    tx: &mut Tx,
    model: &Definition,
    against: &Definition,
    wanted: &Wanted,
    account: Option<AccountId>,
    now: Timestamp,
) -> Result<String, Error> {
    for stage in [&wanted.stage, &wanted.outcome] {
        model.stage(stage).ok_or_else(|| Error::NoStage(stage.clone()))?;
    }
    keep_text(tx, model, now).await?;
    keep_text(tx, against, now).await?;
    store::forget_before(tx, now.plus_ms(-KEPT_MS)).await?;
    let id = new_key();
    store::begin(tx, &id, &model.hash, &against.hash, wanted, account, now).await?;
    tx.ring();
    Ok(id)
}

/// One trial.
///
/// # Errors
/// As the store says.
pub async fn find(q: &mut impl Queries, id: &str) -> Result<Option<Trial>, Error> {
    Ok(store::find(q, id).await?)
}

/// The trials of a text, the latest first; of any text without one.
///
/// # Errors
/// As the store says.
pub async fn of_text(q: &mut impl Queries, hash: Option<&str>, most: i64) -> Result<Vec<Trial>, Error> {
    Ok(store::list(q, hash, most).await?)
}

/// Who would stand elsewhere, as far as they are kept.
///
/// # Errors
/// As the store says.
pub async fn people(q: &mut impl Queries, id: &str) -> Result<Vec<Moved>, Error> {
    Ok(store::people(q, id).await?)
}

/// Stops a trial that goes on. Returns whether it did.
///
/// # Errors
/// As the store says.
pub async fn stop(tx: &mut Tx, id: &str, now: Timestamp) -> Result<bool, Error> {
    Ok(store::stop(tx, id, now).await?)
}

/// Works out one trial that waits, or whose worker is gone; `told` hears of its id whenever there is news. Returns whether
/// there was one. What is left in the middle is taken up again later.
///
/// # Errors
/// As the store says.
pub async fn work(
    db: &Db,
    running: &Definition,
    clock: &Clock,
    told: &(dyn Fn(String) + Send + Sync),
) -> Result<bool, Error> {
    let runner = new_key();
    let now = clock.now();
    // Looked at without a writer's lock: mostly there is nothing.
    if !store::is_open(&mut db.read(), now.plus_ms(-LEASE_MS)).await? {
        return Ok(false);
    }
    let mut tx = db.begin().await?;
    let claimed = store::claim(&mut tx, &runner, now.plus_ms(-LEASE_MS), now).await?;
    tx.commit().await?;
    let Some(trial) = claimed else { return Ok(false) };
    let id = trial.id.clone();
    told(id.clone());
    let (tell, heard) = watch::channel((0, 0));
    let asking = answer(db, running, &trial, move |asked, total| {
        tell.send_replace((asked, total));
    });
    tokio::pin!(asking);
    let ended = loop {
        tokio::select! {
            ended = &mut asking => break ended,
            () = tokio::time::sleep(TELL_EVERY) => {
                let (asked, total) = *heard.borrow();
                let mut tx = db.begin().await?;
                let is_ours = store::tell(&mut tx, &trial.id, &runner, asked, total, clock.now()).await?;
                tx.commit().await?;
                if !is_ours {
                    // Stopped, or somebody took us for dead.
                    told(trial.id.clone());
                    return Ok(true);
                }
                told(trial.id.clone());
            }
        }
    };
    let mut tx = db.begin().await?;
    let (answer, error, people) = match ended {
        Ok(Answer { figures, people }) => (Some(figures), None, people),
        Err(Failed::Text(why)) => (None, Some(why), Vec::new()),
        Err(Failed::Asking(error)) => return Err(error),
    };
    if store::end(&mut tx, &trial.id, &runner, answer.as_ref(), error.as_deref(), clock.now()).await? {
        for (position, moved) in (0..).zip(&people) {
            store::put_person(&mut tx, &trial.id, position, moved).await?;
        }
    }
    tx.commit().await?;
    told(id);
    Ok(true)
}

struct Answer {
    figures: Json,
    people: Vec<Moved>,
}

enum Failed {
    /// The text is none that this release can read.
    Text(String),
    Asking(Error),
}

impl<E: Into<Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Asking(error.into())
    }
}

async fn answer(
    db: &Db,
    running: &Definition,
    trial: &Trial,
    progress: impl FnMut(i64, i64) + Send,
) -> Result<Answer, Failed> {
    let model = read(db, running, &trial.hash).await?;
    let period = (trial.since, trial.until);
    let from = trial.since.plus_ms(-MEMORY_MS);
    let no_stage =
        || Failed::Text(format!("the text has no stage `{}` or no stage `{}`", trial.stage, trial.outcome));
    match trial.kind {
        Kind::Backtest => {
            let against = read(db, running, &trial.against).await?;
            let tester = Backtester::new(&model, &against, &trial.stage, &trial.outcome, period);
            let told = super::ask(db, tester.ok_or_else(no_stage)?, from, progress).await?.finish();
            let listed = |what: &'static str, contacts: &[ContactId]| -> Vec<Moved> {
                let moved = |contact: &ContactId| Moved {
                    contact: *contact,
                    email: String::new(),
                    what: what.to_owned(),
                    from: None,
                    to: None,
                };
                contacts.iter().take(PEOPLE_MOST).map(moved).collect()
            };
            let [entering, leaving] = &told.contacts_moved;
            let mut people = listed("enters", entering);
            people.extend(listed("leaves", leaving));
            let mut figures = json!(told);
            if let Json::Object(figures) = &mut figures {
                figures.insert("entering".to_owned(), json!(entering.len()));
                figures.insert("leaving".to_owned(), json!(leaving.len()));
            }
            Ok(Answer { figures, people })
        }
        Kind::Diff => {
            let against = read(db, running, &trial.against).await?;
            let differ = Differ::new(against, model, trial.until);
            let told = super::ask(db, differ, trial.until.plus_ms(-MEMORY_MS), progress).await?;
            let people = told.changes.iter().take(PEOPLE_MOST).map(|change| Moved {
                contact: change.contact,
                email: String::new(),
                what: "moves".to_owned(),
                from: Some((change.from.clone(), change.from_rule.clone())),
                to: Some((change.to.clone(), change.to_rule.clone())),
            });
            let people = people.collect();
            let mut ways: std::collections::BTreeMap<(&str, &str), usize> = std::collections::BTreeMap::new();
            for change in &told.changes {
                *ways.entry((&change.from, &change.to)).or_default() += 1;
            }
            let ways: Vec<Json> =
                ways.into_iter().map(|((from, to), n)| json!({ "from": from, "to": to, "n": n })).collect();
            let figures = json!({ "contacts": told.contacts, "changes": told.changes.len(), "ways": ways });
            Ok(Answer { figures, people })
        }
        Kind::Lift => {
            let lifter = Lifter::new(model, &trial.outcome, period).ok_or_else(no_stage)?;
            let told = super::ask(db, lifter, from, progress).await?.finish();
            Ok(Answer { figures: json!(told), people: Vec::new() })
        }
    }
}

/// A text that was kept, with what pages, files and recordings are about today.
async fn read(db: &Db, running: &Definition, hash: &str) -> Result<Definition, Failed> {
    let gone = || Failed::Text(format!("there is no text {hash}"));
    let text = text(&mut db.read(), hash).await?.ok_or_else(gone)?;
    let report = Report::new();
    let definition = Definition::parse("lifecycle.yaml", &text, &report);
    let definition = definition.ok_or_else(|| Failed::Text(report.text()))?;
    Ok(definition.with_tags(running.scoring.tags.clone()))
}
