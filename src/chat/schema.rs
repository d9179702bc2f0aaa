//! The JSON Schema of a flow file, for editors: completion and the first mistakes while one types.
//!
//! `embudo flow schema` prints it; `bot-flows/flow.schema.json` is kept fresh by a test. What it cannot say (that a
//! step exists, that every outcome leads somewhere) `embudo check` says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use super::actions::ACTIONS;
use super::flow::Outcome;
use super::question::Kind;

/// The schema.
pub fn schema() -> Json {
    let name = json!({ "type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,63}$" });
    let text = json!({ "type": "string", "description": "May hold {{field}}, {{#if field}}…{{else}}…{{/if}}, {{when field}}." });
    let step_name = json!({ "type": "string", "description": STEP });
    let duration = json!({ "type": "string", "pattern": "^([0-9]+(ms|s|m|h|d|w) ?)+$", "examples": ["90s", "30m", "7d"] });
    let condition =
        json!({ "type": "string", "description": "A CEL expression: contact.known && team.online > 0" });
    let timeout = closed(json!({ "after": duration, "goto": step_name }), &["after"]);
    let address = json!({ "type": "string", "pattern": "^(https://|/)", "examples": ["/images/shelf.jpg"] });
    let choice =
        closed(json!({ "label": text, "goto": step_name, "image": address, "alt": text }), &["label"]);
    let label = json!({ "oneOf": [text, choice] });
    let kinds = json!({ "enum": Kind::words() });
    let whole = json!({ "type": "integer" });
    let bound = json!({
        "type": ["integer", "string"],
        "description": "Of a number its bounds, of a text its length, of a date 2026-12-24 or today+30d, of a time 09:00, of a rating (max only) its steps.",
    });
    let question = json!({
        "ask": text, "type": kinds, "choices": { "type": "object", "additionalProperties": label },
        "placeholder": text, "invalid": text, "multiline": { "type": "boolean" }, "min": bound, "max": bound,
        "range": { "type": "boolean", "description": "Of a date: a first and a last day." },
        "low": text, "high": text,
    });
    let mut of_form = question.clone();
    of_form["timeout"] = timeout.clone();
    let typing = json!({
        "type": "string",
        "pattern": "^(auto|none|([0-9]+(ms|s) ?)+)$",
        "description": "How long the bot seems to type before it says something; at most 5s.",
    });
    let events = closed(json!({ "human_requested": step_name, "stop_requested": step_name }), &[]);
    let card = closed(
        json!({ "title": text, "text": text, "image": address, "alt": text, "link": address, "button": text }),
        &["title"],
    );
    let show = json!({ "oneOf": [
        closed(json!({ "video": { "type": "string", "description": "A recording's id, or webinar.recording." } }), &["video"]),
        closed(json!({ "image": address, "alt": text, "caption": text }), &["image", "alt"]),
        closed(json!({ "file": address, "title": text }), &["file", "title"]),
        closed(json!({ "card": card }), &["card"]),
    ] });
    let arm = json!({ "oneOf": [
        step_name,
        closed(json!({ "weight": { "type": "integer", "minimum": 1, "maximum": 1000 }, "goto": step_name }), &["weight", "goto"]),
    ] });
    let field = closed(
        json!({ "from": { "type": "string", "description": "A field, such as contact.company." } }),
        &["from"],
    );
    let value = json!({ "oneOf": [{ "type": ["string", "number"] }, field] });
    let outcomes: Map<String, Json> =
        Outcome::ALL.iter().map(|outcome| (outcome.word().to_owned(), step_name.clone())).collect();
    let actions: Vec<&str> = ACTIONS.iter().map(|action| action.name).collect();
    let branch = json!({ "oneOf": [
        closed(json!({ "if": condition, "goto": step_name }), &["if", "goto"]),
        closed(json!({ "else": step_name }), &["else"]),
    ] });
    let wait = json!({ "oneOf": [
        closed(json!({ "video": step_name, "at_least": { "type": "string", "pattern": "^[0-9]+%$" } }), &["video", "at_least"]),
        closed(json!({ "event": { "type": "string", "minLength": 1, "maxLength": 120 } }), &["event"]),
        closed(json!({ "message": { "type": "boolean", "const": true } }), &["message"]),
        closed(json!({ "time": duration }), &["time"]),
    ] });
    let mut step = json!({
        "say": text,
        "show": show,
        "form": { "type": "object", "additionalProperties": closed(of_form, &["ask"]) },
        "skip_known": { "type": "boolean", "description": "Leave out what is known: said before in this conversation, or stored of a confirmed person." },
        "set": { "type": "object", "additionalProperties": value },
        "split": { "type": "object", "minProperties": 2, "additionalProperties": arm },
        "call": { "type": "string", "description": "The name of a flow; it comes back here when it ends." },
        "ends": { "type": "object", "additionalProperties": step_name },
        "switch": { "type": "array", "items": branch, "minItems": 1 },
        "do": { "enum": actions },
        "with": { "type": "object", "additionalProperties": text },
        "wait_for": wait,
        "handoff": closed(json!({ "team": name, "wait": duration }), &["team", "wait"]),
        "book": closed(
            json!({ "meeting": name, "within": duration, "offer": { "type": "integer", "minimum": 1, "maximum": 12 }, "waiting_list": { "type": "boolean", "description": "Offer to tell her by mail when a time is free, where none is or none fits." } }),
            &["meeting"],
        ),
        "var": name,
        "goto": step_name,
        "end": { "type": "string", "description": "The conversation is over, with this outcome." },
        "outcomes": closed(Json::Object(outcomes), &[]),
        "timeout": timeout,
        "retries": { "type": "integer", "minimum": 0, "maximum": 9 },
        "typing": typing,
        "events": events,
    });
    if let (Json::Object(step), Json::Object(question)) = (&mut step, question) {
        step.extend(question);
    }
    let trigger = closed(
        json!({
            "when": { "enum": ["page_view", "opened", "event", "api"] },
            "event": { "type": "string", "description": "The name of the event that the page tells of." },
            "if": condition,
            "paths": {
                "type": ["array", "string"],
                "items": { "type": "string" },
                "description": "/pricing*, !/pricing/old, https://shop.example/*, /*?utm_source=newsletter",
            },
            "delay": duration,
            "scroll": { "type": "string", "pattern": "^[0-9]+%$" },
            "idle": duration,
            "exit_intent": { "type": "boolean" },
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
            "type": { "enum": ["text", "number", "email", "phone", "url", "date", "time", "enum"] },
            "values": { "type": "array", "items": { "type": "string" } },
            "save": { "type": "boolean", "description": "Keep it with the contact, under this name." },
            "pii": { "type": "boolean", "description": "It tells something about a person and goes only to actions that may have it." },
        }),
        &["type"],
    );
    let defaults =
        json!({ "retries": step["retries"], "exhausted": step_name, "timeout": timeout, "typing": typing });
    let language = json!({ "enum": ["en", "es"] });
    let some_languages = json!({ "type": "array", "items": language });
    let mut schema = closed(
        json!({
            "flow": name,
            "title": { "type": "string" },
            "languages": { "oneOf": [
                some_languages,
                closed(json!({ "source": language, "required": some_languages, "optional": some_languages }), &["source"]),
            ] },
            "trigger": trigger,
            "vars": { "type": "object", "additionalProperties": var },
            "defaults": closed(defaults, &[]),
            "events": events,
            "migrate": {
                "type": "object",
                "additionalProperties": step_name,
                "description": "Where conversations go on whose step is gone: its old id, and the step now.",
            },
            "change": {
                "oneOf": [{ "enum": ["follow", "pin"] }, closed(json!({ "pin": duration }), &["pin"])],
                "description": "Whether open conversations follow a change of the file, or keep the version they are in until they end or are so old (30d).",
            },
            "steps": { "type": "object", "propertyNames": name, "additionalProperties": closed(step, &[]) },
            "translations": { "type": "object", "additionalProperties": { "type": "object" } },
        }),
        &["flow", "title", "languages", "steps"],
    );
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("A flow of Embudo's chatbot");
    schema
}

/// What can be written where, for completion: `keys` and `values` by the way that leads there, its parts joined by a dot
/// and a `*` for names that the author chooses. `@step` among the values stands for the ids of the flow's own steps.
pub fn vocabulary() -> Json {
    let mut vocabulary = Vocabulary::default();
    vocabulary.add("", &schema());
    json!({ "keys": vocabulary.keys, "values": vocabulary.values })
}

#[derive(Default)]
struct Vocabulary {
    keys: BTreeMap<String, BTreeSet<String>>,
    values: BTreeMap<String, BTreeSet<String>>,
}

impl Vocabulary {
    fn add(&mut self, way: &str, schema: &Json) {
        for branch in schema.get("oneOf").and_then(Json::as_array).into_iter().flatten() {
            self.add(way, branch);
        }
        if let Some(items) = schema.get("items") {
            self.add(way, items);
        }
        let below = |name: &str| if way.is_empty() { name.to_owned() } else { format!("{way}.{name}") };
        if let Some(other) = schema.get("additionalProperties").filter(|other| other.is_object()) {
            self.add(&below("*"), other);
        }
        for (name, member) in schema.get("properties").and_then(Json::as_object).into_iter().flatten() {
            self.keys.entry(way.to_owned()).or_default().insert(name.clone());
            self.add(&below(name), member);
        }
        let words = schema.get("enum").and_then(Json::as_array).into_iter().flatten();
        let mut words: Vec<String> = words.filter_map(Json::as_str).map(str::to_owned).collect();
        if schema.get("type").and_then(Json::as_str) == Some("boolean") {
            words.extend(["true".to_owned(), "false".to_owned()]);
        }
        if schema.get("description").and_then(Json::as_str) == Some(STEP) {
            words.push("@step".to_owned());
        }
        if !words.is_empty() {
            self.values.entry(way.to_owned()).or_default().extend(words);
        }
    }
}

/// What the schema says of a value that names a step.
const STEP: &str = "The id of a step.";

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

    #[test]
    fn completion_knows_what_stands_where() {
        let words = vocabulary();
        let has = |part: &str, way: &str, word: &str| {
            let known = words[part][way].as_array().cloned().unwrap_or_default();
            assert!(known.contains(&json!(word)), "{word} at {part} {way}: {known:?}");
        };
        has("keys", "", "steps");
        has("keys", "steps.*", "handoff");
        has("keys", "steps.*.handoff", "team");
        has("keys", "steps.*.choices.*", "goto");
        has("keys", "steps.*.switch", "else");
        has("values", "steps.*.goto", "@step");
        has("values", "steps.*.outcomes.timeout", "@step");
        has("values", "trigger.when", "page_view");
        has("values", "trigger.open", "true");
        has("values", "vars.*.type", "email");
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
