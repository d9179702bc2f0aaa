//! Why a rep got a call, in words: for the rep's mail and for the console.

use crate::base::language::Language;
use crate::bookings::assign::{Candidate, Reason};
use crate::bookings::team::Team;
use crate::render::Templates;

/// The reason and what it was drawn from.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Why {
    /// One sentence or two.
    pub text: String,
    /// One line for each rep who was free, the chosen one first.
    pub inputs: Vec<String>,
    /// The same for whoever is there, too.
    pub companion: Option<Box<Why>>,
}

/// Writes a reason out.
pub fn why(templates: &Templates, team: &Team, reason: &Reason, language: Language) -> Why {
    let text = |key: &str, values: &[(&str, String)]| {
        templates.texts().get(language, &format!("booking.why.{key}"), values).unwrap_or_default()
    };
    let name = |id: &str| team.rep_name(id).to_owned();
    let chosen = reason.candidates.first().map_or_else(String::new, |first| name(&first.rep));
    let owner = reason.owner.as_ref().map_or_else(String::new, |owner| name(&owner.rep));
    let mut sentences = vec![text(reason.rule.word(), &[("rep", chosen), ("owner", owner.clone())])];
    if let Some(passed) = &reason.owner {
        sentences.push(text(&format!("owner_{}", passed.why.word()), &[("owner", owner)]));
    }
    // What a colleague wrote is no text of ours: it is put beside it as it is.
    sentences.extend(reason.note.clone());
    let input = |candidate: &Candidate| {
        let standing = &candidate.standing;
        text(
            "candidate",
            &[
                ("rep", name(&candidate.rep)),
                ("level", candidate.level.to_string()),
                ("weight", candidate.weight.to_string()),
                ("calibration", standing.calibration.to_string()),
                ("meetings", standing.meetings.to_string()),
                ("no_shows", standing.no_shows.to_string()),
                ("cancellations", standing.cancellations.to_string()),
                ("credit", standing.credit.to_string()),
                ("priority", candidate.priority.to_string()),
            ],
        )
    };
    let companion = reason.companion.as_ref().map(|theirs| Box::new(why(templates, team, theirs, language)));
    Why { text: sentences.join(" "), inputs: reason.candidates.iter().map(input).collect(), companion }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bookings::assign::{PassedOver, Rule, Standing, WhyNot};

    #[test]
    fn every_rule_and_every_reason_against_an_owner_has_words() {
        let templates = Templates::embedded().expect("what is built in");
        let standing = Standing { meetings: 7, no_shows: 1, calibration: 2, ..Standing::default() };
        let candidate = Candidate {
            rep: "ana".to_owned(),
            level: 8,
            weight: 2,
            standing,
            priority: 100,
            speaks_language: true,
            mismatches: Vec::new(),
        };
        let mut seen = std::collections::BTreeSet::new();
        for language in Language::ALL {
            for rule in Rule::ALL {
                for not in [WhyNot::Away, WhyNot::Busy, WhyNot::NoneWithin, WhyNot::OtherMeetings] {
                    let owner = Some(PassedOver { rep: "ben".to_owned(), why: not });
                    let reason = Reason {
                        rule,
                        candidates: vec![candidate.clone()],
                        owner,
                        note: None,
                        companion: None,
                    };
                    let told = why(&templates, &Team::default(), &reason, language);
                    assert!(told.text.contains("ben"), "{rule:?} {not:?}: {}", told.text);
                    assert!(
                        told.inputs[0].contains("ana") && told.inputs[0].contains('8'),
                        "{:?}",
                        told.inputs
                    );
                    seen.insert(told.text);
                }
            }
        }
        assert_eq!(seen.len(), 2 * 12 * 4, "no two read alike");
    }
}
