//! The guard against looking ahead: what can only be so after sales has begun to talk is no evidence for an MQL.
//!
//! A rule that asks whether a call was booked finds every SQL, because a booking makes an SQL. A back-test with it would
//! praise itself. Such clauses and rules are taken out before, and told.

use serde::Serialize;

use crate::base::localized::Localized;
use crate::scoring::condition::{Call, Condition};
use crate::scoring::definition::Trigger;
use crate::stages::definition::Definition;

/// The families of activities that come with or after an SQL.
const OF_SALES: &[&str] =
    &["bant", "booking", "call", "crm", "deal", "decision", "handover", "offer", "winback"];
/// Those that come after the sale.
const OF_CUSTOMERS: &[&str] = &["complaint", "purchase", "refund"];
/// What a visitor does by herself, though it is called like one of them.
const OWN_DOING: &str = "call.requested";

/// A clause or rule that was refused as evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leak {
    /// Its name.
    pub rule: String,
    /// Its words.
    pub label: Localized,
    /// What it asks for.
    pub asks: String,
    /// Why that is no evidence.
    pub because: Because,
}

/// Why something is no evidence for an MQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// It comes with or after the talk with sales.
    SalesTalk,
    /// It comes after the sale.
    AfterTheSale,
    /// Budget, authority, need and time are what the talk with sales finds out. The bot may have asked before; but who
    /// answers it is asked further, so that an answer still says how far somebody has come, and not who is worth a call.
    Qualifying,
}

impl Because {
    /// The reason in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::SalesTalk => "comes once sales talks with them",
            Self::AfterTheSale => "comes after the sale",
            Self::Qualifying => "budget, authority, need and time are found out by the talk itself",
        }
    }

    /// Why an activity of a kind is no evidence, if it is none.
    fn of_kind(kind: &str) -> Option<Self> {
        let family = kind.split('.').next().unwrap_or(kind);
        if kind == OWN_DOING {
            None
        } else if OF_CUSTOMERS.contains(&family) {
            Some(Self::AfterTheSale)
        } else {
            OF_SALES.contains(&family).then_some(Self::SalesTalk)
        }
    }

    /// Why a condition is no evidence: it cannot hold without what is none.
    fn of_condition(condition: &Condition) -> Option<Self> {
        if !condition.could_hold_unqualified() {
            return Some(Self::Qualifying);
        }
        if condition.can_hold_without(&|call: &Call| Self::of_kind(&call.kind).is_some()) {
            return None;
        }
        let reasons = condition.calls().filter_map(|call| Self::of_kind(&call.kind));
        reasons.min_by_key(|reason| *reason == Self::AfterTheSale)
    }
}

/// The definition up to the stage `upto`, without what can only hold after it, and what was taken out.
pub fn without_leaks(definition: &Definition, upto: &str) -> (Definition, Vec<Leak>) {
    let mut definition = definition.clone();
    let mut leaks = Vec::new();
    definition.scoring.fit.rules.retain(|rule| {
        let because = Because::of_condition(&rule.condition);
        leaks.extend(because.map(|because| Leak {
            rule: rule.id.clone(),
            label: rule.label.clone(),
            asks: rule.condition.text().to_owned(),
            because,
        }));
        because.is_none()
    });
    let engagement = &mut definition.scoring.engagement;
    for rule in &mut engagement.rules {
        let (because, asks) = match &rule.trigger {
            Trigger::On { kind, .. } => (Because::of_kind(kind), kind.clone()),
            Trigger::When(condition) => (Because::of_condition(condition), condition.text().to_owned()),
        };
        if let Some(because) = because {
            leaks.push(Leak { rule: rule.id.clone(), label: rule.label.clone(), asks, because });
            // It stays in its place, as indices point to it, and counts nothing.
            rule.trigger = Trigger::On { kind: String::new(), condition: None };
        }
    }
    let last = definition.order(upto).unwrap_or(definition.stages.len());
    definition.stages.truncate(last + 1);
    for stage in &mut definition.stages {
        let before = stage.clauses.len();
        stage.clauses.retain(|clause| {
            let because = Because::of_condition(&clause.condition);
            leaks.extend(because.map(|because| Leak {
                rule: clause.id.clone(),
                label: clause.label.clone(),
                asks: clause.condition.text().to_owned(),
                because,
            }));
            because.is_none()
        });
        // Where all must hold, nobody gets in any more.
        if stage.all && stage.clauses.len() < before {
            stage.clauses.clear();
        }
    }
    let stages = std::mem::take(&mut definition.stages);
    definition.back.retain(|back| {
        let is_known = |name: &String| stages.iter().any(|stage| stage.id == *name);
        is_known(&back.from) && is_known(&back.to)
    });
    definition.stages = stages;
    (definition, leaks)
}

/// Whether a rule's name stands among the leaks.
pub(super) fn is_leak(leaks: &[Leak], rule: &str) -> bool {
    leaks.iter().any(|leak| leak.rule == rule)
}
