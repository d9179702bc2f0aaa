//! The JSON Schema of a flow file, for editors: completion and the first mistakes while one types.
//!
//! `embudo flow schema` prints it; `bot-flows/flow.schema.json` is kept fresh by a test. What it cannot say (that a
//! step exists, that every outcome leads somewhere) `embudo check` says.

use serde_json::{Map, Value as Json, json};

use super::actions::ACTIONS;
use super::flow::Outcome;

/// The schema.
pub fn schema() -> Json {
    let name = json!({ "type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,63}$" });
    let text = json!({ "type": "string", "description": "May hold {{field}}, {{#if field}}…{{else}}…{{/if}}, {{when field}}." });
    let step_name = json!({ "type": "string", "description": "The id of a step." });
    let duration = json!({ "type": "string", "pattern": "^([0-9]+(ms|s|m|h|d|w) ?)+$", "examples": ["90s", "30m", "7d"] });
    let condition =
        json!({ "type": "string", "description": "A CEL expression: contact.known && team.online > 0" });
    let timeout = closed(json!({ "after": duration, "goto": step_name }), &["after"]);
    let label = json!({ "oneOf": [text, closed(json!({ "label": text, "goto": step_name }), &["label"])] });
    let kinds = json!({ "enum": ["choice", "text", "email", "phone", "number"] });
    let whole = json!({ "type": "integer" });
    let question = json!({
        "ask": text, "type": kinds, "choices": { "type": "object", "additionalProperties": label },
        "placeholder": text, "invalid": text, "multiline": { "type": "boolean" }, "min": whole, "max": whole,
    });
    let outcomes: Map<String, Json> =
        Outcome::ALL.iter().map(|outcome| (outcome.word().to_owned(), step_name.clone())).collect();
    let actions: Vec<&str> = ACTIONS.iter().map(|action| action.name).collect();
    let branch = json!({ "oneOf": [
        closed(json!({ "if": condition, "goto": step_name }), &["if", "goto"]),
        closed(json!({ "else": step_name }), &["else"]),
    ] });
    let wait = json!({ "oneOf": [
        closed(json!({ "video": step_name, "at_least": { "type": "string", "pattern": "^[0-9]+%$" } }), &["video", "at_least"]),
        closed(json!({ "time": duration }), &["time"]),
    ] });
    let mut step = json!({
        "say": text,
        "show": closed(json!({ "video": { "type": "string" } }), &["video"]),
        "form": { "type": "object", "additionalProperties": closed(question.clone(), &["ask"]) },
        "skip_known": { "type": "boolean" },
        "set": { "type": "object" },
        "switch": { "type": "array", "items": branch, "minItems": 1 },
        "do": { "enum": actions },
        "with": { "type": "object", "additionalProperties": text },
        "wait_for": wait,
        "handoff": closed(json!({ "team": name, "wait": duration }), &["team", "wait"]),
        "book": closed(
            json!({ "meeting": name, "within": duration, "offer": { "type": "integer", "minimum": 1, "maximum": 12 } }),
            &["meeting"],
        ),
        "var": name,
        "goto": step_name,
        "end": { "type": "string", "description": "The conversation is over, with this outcome." },
        "outcomes": closed(Json::Object(outcomes), &[]),
        "timeout": timeout,
        "retries": { "type": "integer", "minimum": 0, "maximum": 9 },
    });
    if let (Json::Object(step), Json::Object(question)) = (&mut step, question) {
        step.extend(question);
    }
    let trigger = closed(
        json!({
            "when": { "enum": ["page_view", "opened"] },
            "if": condition,
            "paths": { "type": "array", "items": { "type": "string" } },
            "delay": duration,
            "frequency": closed(
                json!({ "once_per": duration, "max": whole, "quiet_after_dismiss": duration }),
                &["once_per"],
            ),
            "priority": whole,
            "open": { "type": "boolean" },
        }),
        &["when"],
    );
    let var = closed(
        json!({
            "type": { "enum": ["text", "number", "email", "phone", "enum"] },
            "values": { "type": "array", "items": { "type": "string" } },
            "save": { "type": "boolean", "description": "Keep it with the contact, under this name." },
        }),
        &["type"],
    );
    let defaults = json!({ "retries": step["retries"], "exhausted": step_name, "timeout": timeout });
    let mut schema = closed(
        json!({
            "flow": name,
            "title": { "type": "string" },
            "languages": { "type": "array", "items": { "enum": ["en", "es"] }, "minItems": 1 },
            "trigger": trigger,
            "vars": { "type": "object", "additionalProperties": var },
            "defaults": closed(defaults, &[]),
            "events": closed(json!({ "human_requested": step_name }), &[]),
            "steps": { "type": "object", "propertyNames": name, "additionalProperties": closed(step, &[]) },
            "translations": { "type": "object", "additionalProperties": { "type": "object" } },
        }),
        &["flow", "title", "languages", "steps"],
    );
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("A flow of Embudo's chatbot");
    schema
}

/// An object with these members and no others.
fn closed(members: Json, required: &[&str]) -> Json {
    json!({ "type": "object", "properties": members, "required": required, "additionalProperties": false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Report;
    use crate::base::yaml::{self, Kind, Node};

    #[test]
    fn the_file_beside_the_flows_is_fresh() {
        let kept: Json = serde_json::from_str(include_str!("../../bot-flows/flow.schema.json")).unwrap();
        assert!(kept == schema(), "run `embudo flow schema > bot-flows/flow.schema.json`");
    }

    /// The keys of a node that the schema does not know. A validator in ten lines, enough for what we write.
    fn unknown(node: &Node, schema: &Json, path: &str, found: &mut Vec<String>) {
        let Kind::Map(entries) = &node.kind else { return };
        let branches = schema["oneOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
        for (key, value) in entries {
            let known = branches.iter().find_map(|branch| {
                branch["properties"].get(&key.value).cloned().or_else(|| {
                    let other = &branch["additionalProperties"];
                    other.is_object().then(|| other.clone())
                })
            });
            let free =
                branches.iter().any(|b| b["properties"].is_null() && b["additionalProperties"].is_null());
            match known {
                Some(known) => unknown(value, &known, &format!("{path}.{}", key.value), found),
                None if free => {}
                None => found.push(format!("{path}.{}", key.value)),
            }
        }
    }

    #[test]
    fn it_knows_every_key_of_the_shipped_flows() {
        for text in [
            include_str!("../../bot-flows/welcome.yaml"),
            include_str!("../../bot-flows/webinar-recording.yaml"),
        ] {
            let doc = yaml::parse("f.yaml", text, &Report::new()).unwrap();
            let mut found = Vec::new();
            unknown(&doc.root, &schema(), "", &mut found);
            assert_eq!(found, Vec::<String>::new());
        }
    }
}
