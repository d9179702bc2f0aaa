//! A definition in the words of both teams: who becomes what by which rule, what gives points, who answers by when.

use serde_json::{Value as Json, json};

use crate::base::language::Language;
use crate::base::localized::Localized;
use crate::scoring::definition::{EngagementRule, Trigger};
use crate::scoring::words::Words;
use crate::stages::Definition;
use crate::stages::definition::{Clause, Stage};

/// The whole definition.
pub fn said(definition: &Definition, language: Language) -> Json {
    let words = Words::of(language);
    let stages: Vec<Json> = definition.stages.iter().map(|stage| told(definition, stage, language)).collect();
    let of = |is_marketing: bool| -> Vec<&Json> {
        let is_of =
            |stage: &&Json| (stage.get("owner").and_then(Json::as_str) == Some("marketing")) == is_marketing;
        stages.iter().filter(is_of).collect()
    };
    let owner = |side: &str| definition.owners.get(side).map(ToString::to_string);
    let label = |id: &str| name(definition, id, language);
    let back: Vec<Json> = definition
        .back
        .iter()
        .map(|back| {
            json!({
                "label": back.label.get(language), "from": label(&back.from), "to": label(&back.to),
                "words": words.condition(&back.condition), "reasons": back.reasons, "new_journey": back.new_journey,
            })
        })
        .collect();
    let stops: Vec<Json> = definition
        .disqualify
        .iter()
        .map(|stop| {
            json!({
                "label": stop.label.get(language), "words": words.condition(&stop.condition), "reason": stop.reason,
            })
        })
        .collect();
    let after: Vec<Json> = definition
        .post_sale
        .iter()
        .flat_map(|track| &track.states)
        .map(|state| {
            json!({
                "label": state.label.get(language), "owner": state.owner,
                "enter": clauses(&state.clauses, language), "reasons": state.reasons,
            })
        })
        .collect();
    let lists: Vec<Json> = definition
        .lists
        .iter()
        .map(|(name, texts)| json!({ "name": name, "texts": texts.join(", ") }))
        .collect();
    json!({
        "sides": [
            { "side": "marketing", "owner": owner("marketing"), "stages": of(true) },
            { "side": "sales", "owner": owner("sales"), "stages": of(false) },
        ],
        "back": back,
        "stops": stops,
        "after": after,
        "lists": lists,
        "fit": fit(definition, language),
        "engagement": engagement(definition, language),
    })
}

fn name(definition: &Definition, id: &str, language: Language) -> String {
    definition.stage(id).map_or_else(|| id.to_owned(), |stage| stage.label.get(language).to_owned())
}

fn told(definition: &Definition, stage: &Stage, language: Language) -> Json {
    let words = Words::of(language);
    let label = |id: &str| name(definition, id, language);
    let leaves = stage.leave_below.as_ref().map(|leave| {
        json!({ "points": plain(leave.engagement_points), "after": words.length(leave.after_ms), "to": label(&leave.to) })
    });
    let answer = stage.sla.as_ref().map(
        |sla| json!({ "within": words.length(sla.first_response_ms), "in_hours": sla.in_business_hours }),
    );
    let from: Vec<String> = stage.from.iter().map(|id| label(id)).collect();
    json!({
        "id": stage.id,
        "label": stage.label.get(language),
        "aliases": stage.aliases.join(", "),
        "owner": stage.owner,
        "enter": clauses(&stage.clauses, language),
        "all": stage.all && stage.clauses.len() > 1,
        "from": from.join(", "),
        "bant": (stage.require_bant > 0).then_some(stage.require_bant),
        "leaves": leaves,
        "answer": answer,
        "take": stage.take_within_ms.map(|ms| words.length(ms)),
        "again": stage.again.as_ref().map(|again| clauses(&again.clauses, language)),
    })
}

fn clauses(clauses: &[Clause], language: Language) -> Vec<Json> {
    let words = Words::of(language);
    let told = |clause: &Clause| {
        json!({
            "rule": clause.id, "label": clause.label.get(language), "words": words.condition(&clause.condition),
        })
    };
    clauses.iter().map(told).collect()
}

fn band(band: String, least: f64) -> Json {
    json!({ "band": band, "least": plain(least) })
}

fn fit(definition: &Definition, language: Language) -> Json {
    let (fit, words) = (&definition.scoring.fit, Words::of(language));
    let rules = fit.rules.iter().map(|rule| {
        json!({
            "rule": rule.id, "label": rule.label.get(language), "words": words.condition(&rule.condition),
            "points": signed(rule.points),
        })
    });
    let bands =
        ["A", "B", "C"].into_iter().zip(fit.grades).map(|(letter, least)| band(letter.to_owned(), least));
    json!({ "cap": plain(fit.cap), "rules": rules.collect::<Vec<_>>(), "bands": bands.collect::<Vec<_>>() })
}

fn engagement(definition: &Definition, language: Language) -> Json {
    let (engagement, words) = (&definition.scoring.engagement, Words::of(language));
    let groups: Vec<Json> = engagement
        .groups
        .iter()
        .map(|group| {
            let own = engagement.rules.iter().filter(|rule| rule.group == group.id);
            let rules: Vec<Json> = own.map(|rule| acted(rule, language)).collect();
            json!({ "label": group.label.get(language), "cap": plain(group.cap), "rules": rules })
        })
        .collect();
    let bands =
        (1..=3).zip(engagement.levels).map(|(level, least): (i32, f64)| band(level.to_string(), least));
    json!({
        "cap": plain(engagement.cap),
        "half_life": words.length(engagement.half_life_ms),
        "window": words.length(engagement.window_ms),
        "human_only": engagement.human_only,
        "bands": bands.collect::<Vec<_>>(),
        "groups": groups,
    })
}

fn acted(rule: &EngagementRule, language: Language) -> Json {
    let words = Words::of(language);
    let (deed, is_each, only_if) = match &rule.trigger {
        Trigger::On { kind, condition } => {
            (words.deed(kind), true, condition.as_ref().map(|condition| words.condition(condition)))
        }
        Trigger::When(condition) => (words.condition(condition), false, None),
    };
    json!({
        "rule": rule.id,
        "label": rule.label.get(language),
        "words": deed,
        "is_each": is_each,
        "only_if": only_if,
        "points": signed(rule.points),
        "max_per_day": rule.max_per_day,
        "max_total": rule.max_total.map(plain),
        "once": rule.once_per_subject,
        "half_life": rule.half_life_ms.map(|ms| words.length(ms)),
    })
}

/// "100", "2.5": without the point of whole numbers.
fn plain(points: f64) -> String {
    format!("{points}")
}

fn signed(points: f64) -> String {
    let sign = if points < 0.0 { "−" } else { "+" };
    format!("{sign}{}", plain(points.abs()))
}

/// A rule of a definition in words, wherever it stands; its name if there is none of it.
pub fn rule(definition: &Definition, rule: &str, language: Language) -> String {
    let clauses = definition.stages.iter().flat_map(|stage| &stage.clauses);
    let of_clause = clauses.map(|clause| (&clause.id, &clause.label));
    let of_back = definition.back.iter().map(|back| (&back.id, &back.label));
    let found: Option<(&String, &Localized)> = of_clause.chain(of_back).find(|(id, _)| *id == rule);
    found.map_or_else(|| rule.to_owned(), |(_, label)| label.get(language).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Report;

    #[test]
    fn the_shipped_definition_is_told_without_a_single_name_of_the_file() {
        let report = Report::new();
        let text = include_str!("../../../../config/lifecycle.yaml");
        let definition = Definition::parse("lifecycle.yaml", text, &report).expect("right");
        for language in [Language::En, Language::Es] {
            let told = said(&definition, language);
            let mut sentences = Vec::new();
            collect(&told, &mut sentences);
            assert!(sentences.len() > 35, "{}", sentences.len());
            for sentence in sentences {
                for name in ["contact.", "event(", "count(", "==", "&&", "_level", "webinar."] {
                    assert!(!sentence.contains(name), "{sentence}");
                }
            }
        }
        let told = said(&definition, Language::En);
        assert_eq!(
            told["sides"][0]["stages"][2]["enter"][1]["words"],
            "registered for a webinar in the last 90 days"
        );
        assert_eq!(told["sides"][1]["stages"][0]["answer"]["within"], "15 minutes");
        assert_eq!(told["sides"][0]["stages"][2]["leaves"]["to"], "Lead");
        assert_eq!(told["back"][3]["from"], "Customer");
        assert_eq!(rule(&definition, "mql.matrix", Language::Es), "Encaja bien y muestra interés");
    }

    fn collect(json: &Json, sentences: &mut Vec<String>) {
        match json {
            Json::Object(map) => {
                for (name, value) in map {
                    match value.as_str() {
                        Some(text) if name == "words" => sentences.push(text.to_owned()),
                        _ => collect(value, sentences),
                    }
                }
            }
            Json::Array(list) => list.iter().for_each(|one| collect(one, sentences)),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }
}
