//! The scene of a test: what holds in the world before its first line, and what a line changes in the middle.

use serde_json::Value as Json;

use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::base::yaml::{Kind, View};

use crate::chat::body::Video;
use crate::chat::rehearsal::Scene;

/// Lays a scene over what is set up already.
pub(super) fn set_up(scene: &mut Scene, view: View<'_>) {
    let Some(mut map) = view.map() else { return };
    if let Some(now) = map.optional("at").and_then(instant) {
        scene.now = now;
    }
    if let Some(language) = map.optional("language").and_then(|v| v.one_of(&["en", "es"])) {
        scene.language = Language::parse(language);
    }
    if let Some(zone) = map.optional("zone").and_then(View::str) {
        scene.zone = zone;
    }
    if let Some(trust) = map
        .optional("trust")
        .and_then(|v| v.parsed("a trust from 0 to 4", |t| t.parse().ok().filter(|n| *n <= 4)))
    {
        scene.trust = trust;
    }
    if let Some(online) = map.optional("online").and_then(View::int) {
        scene.online = u32::try_from(online).unwrap_or(0);
    }
    for (team, view) in map.optional("teams").and_then(View::map).map(|m| m.entries()).unwrap_or_default() {
        let online = view.int().map(|online| u32::try_from(online).unwrap_or(0));
        scene.teams.extend(online.map(|online| (team.value.clone(), online)));
    }
    if let Some(code) = map.optional("code").and_then(View::str) {
        scene.code = code;
    }
    if let Some(seed) = map.optional("seed").and_then(View::str) {
        scene.props.seed = seed;
    }
    for (step, view) in map.optional("arms").and_then(View::map).map(|m| m.entries()).unwrap_or_default() {
        scene.props.arms.extend(view.str().map(|arm| (step.value.clone(), arm)));
    }
    if let Some(works) = map.optional("actions_work").and_then(View::bool) {
        scene.actions_work = works;
    }
    if let Some(has_email) = map.optional("has_email").and_then(View::bool) {
        scene.has_email = has_email;
    }
    for (group, view) in map.optional("facts").and_then(View::map).map(|m| m.entries()).unwrap_or_default() {
        for (field, view) in view.map().map(|m| m.entries()).unwrap_or_default() {
            scene.facts.set(&format!("{}.{}", group.value, field.value), value(view));
        }
    }
    for (name, view) in map.optional("known").and_then(View::map).map(|m| m.entries()).unwrap_or_default() {
        scene.known.insert(name.value.clone(), value(view));
    }
    if let Some(recordings) = map.optional("recordings").and_then(View::map).map(|m| m.entries()) {
        scene.recordings =
            recordings.into_iter().map(|(id, view)| (id.value.clone(), video(&id.value, view))).collect();
    }
    if let Some(view) = map.optional("slots") {
        scene.slots = view.one_or_more().into_iter().filter_map(instant).collect();
    }
    if let Some(view) = map.optional("taken") {
        scene.taken = view.one_or_more().into_iter().filter_map(instant).collect();
    }
    map.finish();
}

fn video(id: &str, view: View<'_>) -> Video {
    Video {
        recording: id.to_owned(),
        title: view.str().unwrap_or_default(),
        src: format!("/r/{id}"),
        poster: None,
        captions: Vec::new(),
        duration_s: 600,
        watched_percent: 0,
    }
}

pub(super) fn instant(view: View<'_>) -> Option<Timestamp> {
    view.parsed("a time like 2026-03-02T20:00:00Z", |text| text.parse().ok().map(Timestamp::from_jiff))
}

/// A scalar as the value it looks like.
fn value(view: View<'_>) -> Json {
    match &view.node.kind {
        Kind::Scalar(text) if !text.quoted && text.text == "true" => Json::Bool(true),
        Kind::Scalar(text) if !text.quoted && text.text == "false" => Json::Bool(false),
        Kind::Scalar(text) if !text.quoted => match text.text.parse::<i64>() {
            Ok(number) => Json::from(number),
            Err(_) => Json::from(text.text.as_str()),
        },
        Kind::Scalar(text) => Json::from(text.text.as_str()),
        Kind::List(items) => items.iter().map(|node| value(View { node, ..view })).collect(),
        Kind::Map(_) => Json::Null,
    }
}
