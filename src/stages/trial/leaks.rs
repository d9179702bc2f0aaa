//! The guard against looking ahead: what can only be so after sales has begun to talk is no evidence for an MQL.
//!
//! A rule that asks whether a call was booked finds every SQL, because a booking makes an SQL. A back-test with it would
//! praise itself. Such clauses and rules are taken out before, and told.

use serde::Serialize;

use crate::base::localized::Localized;
use crate::scoring::condition::Call;
use crate::scoring::definition::Trigger;
use crate::stages::definition::Definition;

/// The families of activities that come with or after an SQL.
const FAMILIES: [&str; 7] = ["booking", "decision", "deal", "crm", "winback", "handover", "call"];
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
}

fn comes_after(kind: &str) -> bool {
    kind != OWN_DOING && FAMILIES.contains(&kind.split('.').next().unwrap_or(kind))
}

/// The definition up to the stage `upto`, without what can only hold after it, and what was taken out.
pub fn without_leaks(definition: &Definition, upto: &str) -> (Definition, Vec<Leak>) {
    let mut definition = definition.clone();
    let mut leaks = Vec::new();
    let never = |call: &Call| comes_after(&call.kind);
    definition.scoring.fit.rules.retain(|rule| {
        let stays = rule.condition.can_hold_without(&never);
        if !stays {
            leaks.push(Leak {
                rule: rule.id.clone(),
                label: rule.label.clone(),
                asks: rule.condition.text().to_owned(),
            });
        }
        stays
    });
    let engagement = &mut definition.scoring.engagement;
    for rule in &mut engagement.rules {
        let (leaks_it, asks) = match &rule.trigger {
            Trigger::On { kind, .. } => (comes_after(kind), kind.clone()),
            Trigger::When(condition) => (!condition.can_hold_without(&never), condition.text().to_owned()),
        };
        if leaks_it {
            leaks.push(Leak { rule: rule.id.clone(), label: rule.label.clone(), asks });
            // It stays in its place, as indices point to it, and counts nothing.
            rule.trigger = Trigger::On { kind: String::new(), condition: None };
        }
    }
    let last = definition.order(upto).unwrap_or(definition.stages.len());
    definition.stages.truncate(last + 1);
    for stage in &mut definition.stages {
        let before = stage.clauses.len();
        stage.clauses.retain(|clause| {
            let stays = clause.condition.can_hold_without(&never);
            if !stays {
                let asks = clause.condition.text().to_owned();
                leaks.push(Leak { rule: clause.id.clone(), label: clause.label.clone(), asks });
            }
            stays
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
