//! The lifecycle: in which stage somebody is, since when, and why.
//!
//! Every change, from a rule, a person, the API or a bot, goes through [`transition`]: it closes the open interval,
//! opens the next and appends the fact. Rules move only forward; back lead only the ways that the definition names.
//! [`evaluate`] runs the rules, [`decide`] takes what a person decided, [`explain`] tells why somebody is where she is.

pub mod definition;
pub mod due;
pub mod explain;
pub mod hours;
pub mod merge;
pub mod misses;
pub mod names;
pub mod rules;
pub mod store;
pub mod text;
pub mod told;
pub mod track;
pub mod trial;
pub mod versions;

use serde_json::{Value, json};

pub use definition::Definition;
pub use explain::{Explanation, explain, explain_at};
pub use misses::{Miss, Need};
pub use names::Names;
pub use rules::{Disqualified, Grounds, Person, Position};
pub use store::PERSONAL;

use crate::base::coded::Coded;
use crate::base::ids::{AccountId, ContactId};
use crate::base::time::{DAY_MS, Timestamp};
use crate::contacts;
use crate::events::{self, Event};
use crate::scoring::condition::Call;
use crate::scoring::{self};
use crate::storage;
use crate::storage::db::{Queries, Tx};

/// Rules look this far back, and no further.
pub const MEMORY_MS: i64 = 400 * DAY_MS;

/// Why a change of stage was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such contact.
    #[error("there is no such contact")]
    NoContact,
    /// The definition has no such stage.
    #[error("there is no stage `{0}`")]
    NoStage(String),
    /// The move is neither forward nor a named way back.
    #[error("nobody moves from {from} to {to}: that is neither forward nor a named way back")]
    Illegal {
        /// Where the contact stands.
        from: String,
        /// Where she was to go.
        to: String,
    },
    /// A stage can be entered only from certain others.
    #[error("{to} can be entered only from {}, and this contact is in {from}", open_from.join(" or "))]
    NotOpen {
        /// Where the contact stands.
        from: String,
        /// Where she was to go.
        to: String,
        /// From where it can be entered.
        open_from: Vec<String>,
    },
    /// The decision leads nowhere from the stage the contact is in.
    #[error("a contact in {stage} has nothing for the {role} to {what}")]
    NothingToDecide {
        /// Where the contact stands.
        stage: String,
        /// Who decided.
        role: String,
        /// What.
        what: String,
    },
    /// A way back wants one of its reasons.
    #[error("a reason is needed: {}", reasons.join(", "))]
    ReasonNeeded {
        /// The reasons that are accepted.
        reasons: Vec<String>,
    },
    /// Whoever is out of the running moves only where somebody says why.
    #[error("this contact is disqualified ({reason}): a reason is needed to move it all the same")]
    Disqualified {
        /// The reason of the rule.
        reason: String,
        /// The rule.
        rule: String,
    },
    /// What a program told cannot be so.
    #[error("{0}")]
    EventInvalid(String),
    /// A program told something else under an id that it has used.
    #[error("the id `{0}` was used for another event")]
    EventIdReused(String),
    /// A list of events cannot be read.
    #[error("{0}")]
    ListUnreadable(String),
    /// Only customers have a state after the sale.
    #[error("this contact is no customer, and was none")]
    NoCustomer,
    /// A definition cannot be approved or activated.
    #[error(transparent)]
    Version(#[from] versions::Refused),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] storage::Error),
}

impl From<contacts::Error> for Error {
    fn from(error: contacts::Error) -> Self {
        match error {
            contacts::Error::Unknown => Self::NoContact,
            contacts::Error::Storage(error) => Self::Store(error),
        }
    }
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::NoContact => "contact.unknown",
            Self::NoStage(_) => "stage.unknown",
            Self::Illegal { .. } | Self::NotOpen { .. } => "stage.illegal_move",
            Self::NothingToDecide { .. } => "stage.nothing_to_decide",
            Self::ReasonNeeded { .. } => "stage.reason_needed",
            Self::Disqualified { .. } => "stage.disqualified",
            Self::EventInvalid(_) => "event.invalid",
            Self::EventIdReused(_) => "event.id_reused",
            Self::ListUnreadable(_) => "event.list_unreadable",
            Self::NoCustomer => "stage.no_customer",
            Self::Version(refused) => refused.code(),
            Self::Store(error) => error.code(),
        }
    }

    fn extras(&self) -> Vec<(&'static str, Value)> {
        match self {
            Self::ReasonNeeded { reasons } => vec![("reasons", json!(reasons))],
            Self::NothingToDecide { stage, .. } => vec![("stage", json!(stage))],
            Self::Illegal { from, .. } | Self::NotOpen { from, .. } => vec![("stage", json!(from))],
            Self::Disqualified { reason, rule } => {
                vec![("disqualified", json!({"reason": reason, "rule": rule}))]
            }
            Self::Version(refused) => refused.extras(),
            Self::NoContact
            | Self::NoStage(_)
            | Self::EventInvalid(_)
            | Self::EventIdReused(_)
            | Self::ListUnreadable(_)
            | Self::NoCustomer
            | Self::Store(_) => Vec::new(),
        }
    }
}

/// Who moved somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A rule of the definition.
    Rule,
    /// A person of the company.
    Account(AccountId),
    /// A program with an API key.
    Api,
    /// Somebody of sales, in the CRM.
    Crm,
}

impl Actor {
    /// The word in the history: `rule`, `account:ID`, `api` or `crm`.
    pub fn word(self) -> String {
        match self {
            Self::Rule => "rule".to_owned(),
            Self::Account(id) => format!("account:{id}"),
            Self::Api => "api".to_owned(),
            Self::Crm => "crm".to_owned(),
        }
    }
}

/// One change of stage to make.
#[derive(Debug, Clone)]
pub struct Move<'a> {
    /// The stage it leads to.
    pub to: &'a str,
    /// Who makes it.
    pub actor: Actor,
    /// The clause or way back behind it.
    pub rule: &'a str,
    /// The reason that a person gave.
    pub reason: Option<&'a str>,
    /// What the rule saw.
    pub grounds: &'a Grounds,
    /// Whether a new journey begins.
    pub new_journey: bool,
}

/// A change of stage that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The stage it left.
    pub from: String,
    /// The stage it led to.
    pub to: String,
    /// The clause or way back behind it.
    pub rule: String,
}

/// Moves a contact into another stage: the only place where that happens.
///
/// # Errors
/// [`Error::Illegal`] for a move that is neither forward nor a named way back, [`Error::NotOpen`] for a stage that
/// cannot be entered from here, [`Error::ReasonNeeded`] for a way back without one of its reasons.
pub async fn transition(
    tx: &mut Tx,
    definition: &Definition,
    contact: ContactId,
    step: &Move<'_>,
    now: Timestamp,
) -> Result<Transition, Error> {
    tx.lock(&lock_name(contact)).await?;
    let open = open_interval(tx, definition, contact, now).await?;
    let to = definition.stage(step.to).ok_or_else(|| Error::NoStage(step.to.to_owned()))?;
    let from_order = definition.order(&open.stage).unwrap_or(0);
    let to_order = definition.order(&to.id).unwrap_or(0);
    if to_order > from_order {
        if !to.is_open_from(&open.stage) {
            let open_from = to.from.clone();
            return Err(Error::NotOpen { from: open.stage, to: to.id.clone(), open_from });
        }
    } else if !is_cooling(definition, &open.stage, step) && !is_again(&open.stage, to, step) {
        let way = definition.back.iter().find(|way| way.id == step.rule);
        let way = way.filter(|way| way.from == open.stage && way.to == to.id);
        let Some(way) = way else { return Err(Error::Illegal { from: open.stage, to: to.id.clone() }) };
        let is_accepted = |reason: &str| way.reasons.iter().any(|known| known == reason);
        if !way.reasons.is_empty() && !step.reason.is_some_and(is_accepted) {
            return Err(Error::ReasonNeeded { reasons: way.reasons.clone() });
        }
    }
    store::keep_version(tx, definition, now).await?;
    store::close(tx, &open, now).await?;
    let journey = if step.new_journey { open.journey + 1 } else { open.journey };
    for skipped in &step.grounds.skipped {
        store::skip(tx, definition, contact, journey, skipped, step, now).await?;
    }
    store::open(tx, definition, contact, journey, &to.id, step, now).await?;
    let done = Transition { from: open.stage, to: to.id.clone(), rule: step.rule.to_owned() };
    let event = Event::StageChanged {
        contact,
        from: done.from.clone(),
        to: done.to.clone(),
        rule: done.rule.clone(),
    };
    events::append(tx, &event, now).await?;
    contacts::marks::mark(tx, contact, contacts::marks::STAGE, now).await?;
    Ok(done)
}

/// Whether a move is the one of somebody who stays where she is on another journey.
fn is_again(from: &str, to: &definition::Stage, step: &Move<'_>) -> bool {
    let is_clause = |again: &definition::Again| again.clauses.iter().any(|clause| clause.id == step.rule);
    to.id == from && step.new_journey && to.again.as_ref().is_some_and(is_clause)
}

/// Whether a move is the one of somebody who has cooled down.
fn is_cooling(definition: &Definition, from: &str, step: &Move<'_>) -> bool {
    let leave = definition.stage(from).and_then(|stage| stage.leave_below.as_ref());
    step.rule == Definition::cold_rule(from) && leave.is_some_and(|leave| leave.to == step.to)
}

/// Runs the rules for a contact and makes the moves they ask for. Whoever appended an activity calls this in the same
/// transaction.
///
/// # Errors
/// [`Error::NoContact`], or as the store says.
pub async fn evaluate(
    tx: &mut Tx,
    definition: &Definition,
    contact: ContactId,
    now: Timestamp,
) -> Result<Vec<Transition>, Error> {
    // Links that were made for a contact before it was merged still name it.
    let contact = contacts::survivor(tx, contact).await?;
    Ok(run(tx, definition, contact, Actor::Rule, None, now).await?.0)
}

/// As [`evaluate`], of somebody who speaks for herself; and what is known of her, if nothing was moved by it: whoever looks
/// at her next need not read it all again.
///
/// # Errors
/// As [`evaluate`].
pub async fn look_at(
    tx: &mut Tx,
    definition: &Definition,
    contact: ContactId,
    now: Timestamp,
) -> Result<Option<Person>, Error> {
    let (moved, person) = run(tx, definition, contact, Actor::Rule, None, now).await?;
    Ok(moved.is_empty().then_some(person))
}

/// What a person decided about a contact.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The role in which she decides: `sdr`, `ae` …
    pub role: String,
    /// `accept`, `reject` or `won`.
    pub what: String,
    /// Why; ways back want one of their reasons.
    pub reason: Option<String>,
    /// Who decides.
    pub actor: Actor,
}

/// Keeps a contact's stage as it is until the end of the transaction, for whoever looks at it before she decides.
///
/// # Errors
/// As the store says.
pub async fn hold(tx: &mut Tx, contact: ContactId) -> Result<(), Error> {
    Ok(tx.lock(&lock_name(contact)).await?)
}

/// Takes a decision: records it as an activity and makes the moves it leads to.
///
/// # Errors
/// [`Error::NothingToDecide`] if it leads nowhere from where the contact stands, [`Error::ReasonNeeded`]. The caller
/// then drops the transaction.
pub async fn decide(
    tx: &mut Tx,
    definition: &Definition,
    contact: ContactId,
    decision: &Decision,
    now: Timestamp,
) -> Result<Vec<Transition>, Error> {
    tx.lock(&lock_name(contact)).await?;
    let stage = store::contact(tx, contact).await?.ok_or(Error::NoContact)?.stage;
    let subject = format!("{}.{}", decision.role, decision.what);
    let person = person(tx, definition, contact, now).await?;
    if let Some(disqualified) =
        person.disqualified.filter(|_| decision.reason.is_none() && decision.what != "reject")
    {
        return Err(Error::Disqualified { reason: disqualified.reason, rule: disqualified.rule });
    }
    let props = json!({"by": decision.actor.word(), "reason": decision.reason});
    contacts::record(tx, Some(contact), None, "decision", Some(&subject), props, now).await?;
    let (done, _) = run(tx, definition, contact, decision.actor, decision.reason.as_deref(), now).await?;
    if done.is_empty() {
        let (role, what) = (decision.role.clone(), decision.what.clone());
        return Err(Error::NothingToDecide { stage, role, what });
    }
    Ok(done)
}

async fn run(
    tx: &mut Tx,
    definition: &Definition,
    contact: ContactId,
    actor: Actor,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<(Vec<Transition>, Person), Error> {
    tx.lock(&lock_name(contact)).await?;
    let mut person = person(tx, definition, contact, now).await?;
    if person.facts.bant_positive() == scoring::BANT.len()
        && !store::has_done(tx, contact, BANT_COMPLETE).await?
    {
        let props = json!({"by": actor.word()});
        contacts::record(tx, Some(contact), None, BANT_COMPLETE, None, props, now).await?;
        events::append(tx, &Event::BantCompleted { contact }, now).await?;
        person = self::person(tx, definition, contact, now).await?;
    }
    let position = position(tx, definition, contact, now).await?;
    let mut done = Vec::new();
    for step in rules::steps(definition, &person, &position) {
        let step = Move {
            to: &step.to,
            actor,
            rule: &step.rule,
            reason: step.reason.as_deref().or(reason),
            grounds: &step.grounds,
            new_journey: step.new_journey,
        };
        done.push(transition(tx, definition, contact, &step, now).await?);
    }
    track::follow(tx, definition, contact, &person, now).await?;
    due::plan(tx, definition, contact, &person, now).await?;
    Ok((done, person))
}

/// What it is recorded as that all four qualifying questions are answered with yes: once for each person, whatever becomes
/// of the answers.
pub const BANT_COMPLETE: &str = "bant.complete";

/// All that rules look at, about one contact.
///
/// # Errors
/// [`Error::NoContact`], or as the store says.
pub async fn person(
    q: &mut impl Queries,
    definition: &Definition,
    contact: ContactId,
    now: Timestamp,
) -> Result<Person, Error> {
    let reading = &definition.scoring.facts;
    let mut facts = scoring::store::facts_as_of(q, contact, reading, now).await?.ok_or(Error::NoContact)?;
    let mut activities = scoring::store::activities(q, contact, now.plus_ms(-MEMORY_MS)).await?;
    // Whoever asks for a moment of the past must not be answered from what came after it.
    activities.retain(|activity| activity.at <= now);
    facts.learn_from(&activities);
    Ok(Person::new(definition, facts, activities, now))
}

/// Where a contact stands; without any interval at the very beginning.
///
/// # Errors
/// [`Error::NoContact`], or as the store says.
pub async fn position(
    q: &mut impl Queries,
    definition: &Definition,
    contact: ContactId,
    now: Timestamp,
) -> Result<Position, Error> {
    let back_at = store::last_back(q, contact).await?;
    Ok(match store::open_interval(q, contact).await? {
        Some(open) => Position { stage: open.stage, entered_at: open.entered_at, back_at },
        None => Position { stage: definition.first().id.clone(), entered_at: now, back_at },
    })
}

/// A decision that a person could take now.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Offer {
    /// In which role.
    pub role: &'static str,
    /// `accept`, `reject` or `won`.
    pub what: &'static str,
    /// Where it would lead.
    pub to: String,
    /// The reasons to choose from; empty if none is needed.
    pub reasons: Vec<String>,
}

/// The decisions that would move somebody from where she stands.
pub fn offers(definition: &Definition, person: &Person, position: &Position) -> Vec<Offer> {
    let mut offers = Vec::new();
    let undecided = rules::steps(definition, person, position);
    for role in definition::ROLES {
        for what in ["accept", "reject", "won"] {
            let decided = Call {
                kind: "decision".to_owned(),
                subject: Some(format!("{role}.{what}")),
                window_ms: None,
            };
            let steps = rules::steps_if(definition, person, position, &[decided]);
            if steps == undecided {
                continue;
            }
            if let Some(step) = steps.last() {
                let way = definition.back.iter().find(|way| way.id == step.rule);
                let reasons = way.map(|way| way.reasons.clone()).unwrap_or_default();
                offers.push(Offer { role, what, to: step.to.clone(), reasons });
            }
        }
    }
    offers
}

/// The open interval; the very first one is written when it is missing, from the moment the person was first seen.
async fn open_interval(
    tx: &mut Tx,
    definition: &Definition,
    contact: ContactId,
    now: Timestamp,
) -> Result<store::Interval, Error> {
    if let Some(open) = store::open_interval(tx, contact).await? {
        return Ok(open);
    }
    let known = store::contact(tx, contact).await?.ok_or(Error::NoContact)?;
    store::keep_version(tx, definition, now).await?;
    let first = definition.first().id.as_str();
    let grounds = Grounds::default();
    let step = Move {
        to: first,
        actor: Actor::Rule,
        rule: "start",
        reason: None,
        grounds: &grounds,
        new_journey: false,
    };
    store::open(tx, definition, contact, 1, first, &step, known.first_seen_at.min(now)).await?;
    store::open_interval(tx, contact).await?.ok_or(Error::NoContact)
}

fn lock_name(contact: ContactId) -> String {
    format!("contact:{contact}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Report;
    use crate::base::email::Email;
    use crate::base::ids::VisitorId;
    use crate::base::language::Language;
    use crate::contacts::{Consent, Identification, Trust};
    use crate::storage::db::{Db, HITS, JOURNEY};

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    struct Stage {
        _folder: tempfile::TempDir,
        db: Db,
        definition: Definition,
        nikki: ContactId,
    }

    /// A store in which Nikki's device was seen an hour ago and her address was typed now.
    async fn nikki() -> Stage {
        let folder = tempfile::tempdir().expect("a folder");
        let hits = folder.path().join("hits.db");
        drop(Db::open_sqlite(&hits, HITS).await.expect("opens"));
        let db =
            Db::open_sqlite_beside(&folder.path().join("embudo.db"), &hits, JOURNEY).await.expect("opens");
        let report = Report::new();
        let text = include_str!("../../config/lifecycle.yaml");
        let definition = Definition::parse("lifecycle.yaml", text, &report).expect("valid");
        let mut tx = db.begin().await.expect("begins");
        let visitor = VisitorId::new();
        let earlier = NOW.plus_ms(-3_600_000);
        contacts::see_visitor(&mut tx, visitor, "faro", Consent::Analytics, earlier).await.expect("seen");
        let who = Identification {
            email: &Email::parse("nikki@acme.example").expect("valid"),
            visitor: Some(visitor),
            site: "faro",
            trust: Trust::Claimed,
            consent: Consent::Analytics,
            language: Language::Es,
            time_zone: None,
        };
        let nikki = contacts::identify(&mut tx, &who, NOW).await.expect("identified").contact.id;
        tx.commit().await.expect("commits");
        Stage { _folder: folder, db, definition, nikki }
    }

    impl Stage {
        async fn evaluate(&self, now: Timestamp) -> Vec<String> {
            let mut tx = self.db.begin().await.expect("begins");
            let done = evaluate(&mut tx, &self.definition, self.nikki, now).await.expect("evaluates");
            tx.commit().await.expect("commits");
            done.into_iter().map(|step| format!("{}→{} {}", step.from, step.to, step.rule)).collect()
        }

        async fn does(&self, kind: &str, now: Timestamp) -> Vec<String> {
            let mut tx = self.db.begin().await.expect("begins");
            contacts::record(&mut tx, Some(self.nikki), None, kind, Some("x"), json!({}), now)
                .await
                .expect("recorded");
            tx.commit().await.expect("commits");
            self.evaluate(now).await
        }

        async fn decides(
            &self,
            role: &str,
            what: &str,
            reason: Option<&str>,
            now: Timestamp,
        ) -> Result<Vec<String>, Error> {
            let mut tx = self.db.begin().await?;
            let decision = Decision {
                role: role.to_owned(),
                what: what.to_owned(),
                reason: reason.map(str::to_owned),
                actor: Actor::Api,
            };
            let done = decide(&mut tx, &self.definition, self.nikki, &decision, now).await?;
            tx.commit().await?;
            Ok(done.into_iter().map(|step| step.to).collect())
        }

        async fn history(&self) -> Vec<(String, String, i64, bool)> {
            let intervals = store::intervals(&mut self.db.read(), self.nikki).await.expect("read");
            intervals.into_iter().map(|i| (i.stage, i.rule, i.journey, i.left_at.is_none())).collect()
        }
    }

    fn row(stage: &str, rule: &str, journey: i64, is_open: bool) -> (String, String, i64, bool) {
        (stage.to_owned(), rule.to_owned(), journey, is_open)
    }

    #[tokio::test]
    async fn the_first_interval_begins_when_the_device_was_first_seen() {
        let stage = nikki().await;
        assert_eq!(stage.evaluate(NOW).await, ["visitor→lead lead.identified"]);
        let intervals = store::intervals(&mut stage.db.read(), stage.nikki).await.expect("read");
        assert_eq!(intervals[0].entered_at, NOW.plus_ms(-3_600_000));
        assert_eq!(intervals[0].left_at, Some(NOW));
        assert_eq!(stage.evaluate(NOW).await, Vec::<String>::new());
    }

    #[tokio::test]
    async fn the_whole_way_up_and_back_is_one_history_without_gaps() {
        let stage = nikki().await;
        stage.evaluate(NOW).await;
        stage.does("webinar.registered", NOW.plus_ms(1)).await;
        stage.does("booking.confirmed", NOW.plus_ms(2)).await;
        assert!(matches!(
            stage.decides("ae", "reject", None, NOW.plus_ms(3)).await,
            Err(Error::ReasonNeeded { reasons }) if reasons.contains(&"timing".to_owned())
        ));
        assert_eq!(
            stage.decides("ae", "reject", Some("timing"), NOW.plus_ms(3)).await.expect("sent back"),
            ["mql"]
        );
        assert_eq!(stage.evaluate(NOW.plus_ms(4)).await, Vec::<String>::new());
        stage.does("booking.confirmed", NOW.plus_ms(5)).await;
        assert_eq!(stage.decides("ae", "accept", None, NOW.plus_ms(6)).await.expect("accepted"), ["sal"]);
        assert_eq!(stage.decides("ae", "won", None, NOW.plus_ms(7)).await.expect("won"), ["customer"]);
        stage.does("interest.new_product", NOW.plus_ms(8)).await;
        assert_eq!(
            stage.history().await,
            [
                row("visitor", "start", 1, false),
                row("lead", "lead.identified", 1, false),
                row("mql", "mql.webinar", 1, false),
                row("sql", "sql.booked", 1, false),
                row("mql", "back.rejected_by_ae", 1, false),
                row("sql", "sql.booked", 1, false),
                row("sal", "sal.accepted", 1, false),
                row("customer", "customer.won", 1, false),
                row("mql", "back.new_interest", 2, true),
            ]
        );
        let intervals = store::intervals(&mut stage.db.read(), stage.nikki).await.expect("read");
        for pair in intervals.windows(2) {
            assert_eq!(pair[0].left_at, Some(pair[1].entered_at));
        }
    }

    #[tokio::test]
    async fn a_stage_that_was_passed_leaves_an_interval_without_length() {
        let stage = nikki().await;
        stage.does("booking.confirmed", NOW).await;
        assert_eq!(
            stage.history().await,
            [
                row("visitor", "start", 1, false),
                row("lead", "lead.identified", 1, false),
                row("mql", "skipped", 1, false),
                row("sql", "sql.booked", 1, true),
            ]
        );
    }

    #[tokio::test]
    async fn an_ae_cannot_accept_a_lead_and_nothing_is_kept_of_the_try() {
        let stage = nikki().await;
        stage.evaluate(NOW).await;
        let refused = stage.decides("ae", "accept", None, NOW).await.expect_err("a lead");
        assert_eq!(refused.to_string(), "a contact in lead has nothing for the ae to accept");
        stage.does("booking.confirmed", NOW.plus_ms(1)).await;
        assert_eq!(
            store::open_interval(&mut stage.db.read(), stage.nikki).await.expect("read").map(|i| i.stage),
            Some("sql".to_owned())
        );
    }

    #[tokio::test]
    async fn nobody_is_moved_back_without_a_named_way() {
        let stage = nikki().await;
        stage.does("booking.confirmed", NOW).await;
        let mut tx = stage.db.begin().await.expect("begins");
        let grounds = Grounds::default();
        let step = Move {
            to: "lead",
            actor: Actor::Api,
            rule: "x",
            reason: None,
            grounds: &grounds,
            new_journey: false,
        };
        let refused = transition(&mut tx, &stage.definition, stage.nikki, &step, NOW).await;
        assert!(matches!(refused, Err(Error::Illegal { from, to }) if from == "sql" && to == "lead"));
        let step = Move { to: "sal", ..step };
        assert!(transition(&mut tx, &stage.definition, stage.nikki, &step, NOW).await.is_ok());
    }

    #[tokio::test]
    async fn the_explanation_names_rule_event_rows_and_what_is_missing() {
        let stage = nikki().await;
        stage.evaluate(NOW).await;
        stage.does("webinar.registered", NOW.plus_ms(1)).await;
        let explained = explain(&mut stage.db.read(), &stage.definition, stage.nikki, NOW.plus_ms(2))
            .await
            .expect("explained");
        assert_eq!((explained.stage.id.as_str(), explained.stage.rule.as_str()), ("mql", "mql.webinar"));
        assert_eq!(explained.stage.version, Some(1));
        assert_eq!(explained.stage.grounds.activities[0].at, NOW.plus_ms(1));
        let sum: f64 = explained.score.engagement.rows.iter().map(|row| row.points).sum();
        assert!((sum - explained.score.engagement.points).abs() < 1e-9 && sum > 0.0);
        let next = explained.next.expect("sql comes next");
        assert_eq!(next.misses[0].needs, [Need::Event { kind: "booking.confirmed".to_owned() }]);
        assert!(
            explained
                .offers
                .iter()
                .any(|offer| offer.role == "sdr" && offer.what == "accept" && offer.to == "sql")
        );
        let versions = stage
            .db
            .read()
            .query(crate::sql!("select hash from lifecycle_versions"), &[])
            .await
            .expect("read");
        assert_eq!(versions.len(), 1);
    }
}
