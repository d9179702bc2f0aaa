//! D: what is known where, and where it may go.

use std::collections::BTreeSet;

use crate::base::diagnostic::Report;

use super::paths;
use crate::chat::actions;
use crate::chat::flow::{Flow, VarType};
use crate::chat::steps::Verb;
use crate::chat::symbols::UNHEARD;
use crate::chat::text::Text;
use crate::chat::words::Words;

/// D303: a text names a variable that has no value on some way to it.
pub fn unset(flow: &Flow, report: &Report) {
    let mut edges = paths::edges(flow);
    paths::perhaps(flow, &mut edges);
    let known = paths::always(flow, &edges);
    let none = BTreeSet::new();
    for step in flow.own_steps() {
        let here = known.get(step.id.as_str()).unwrap_or(&none);
        let told = |text: &Text, also: &BTreeSet<&str>| {
            for (name, at) in text.bare_vars() {
                if !here.contains(name) && !also.contains(name) {
                    report
                        .error(at, "D303", format!("\"vars.{name}\" may have no value here"))
                        .hint(format!("write {{{{#if vars.{name}}}}}…{{{{else}}}}…{{{{/if}}}}, or ask for it on every way here"));
                }
            }
        };
        let each = |words: &Words, also: &BTreeSet<&str>| words.versions().for_each(|text| told(text, also));
        match &step.verb {
            // A form's later questions come after the answers to its earlier ones.
            Verb::Form(form) => {
                let mut answered = BTreeSet::new();
                for (name, question) in &form.questions {
                    question.words().into_iter().for_each(|words| each(words, &answered));
                    question.choices.iter().for_each(|(_, words)| each(words, &answered));
                    answered.insert(name.as_str());
                }
            }
            verb => {
                verb.words().into_iter().for_each(|words| each(words, &none));
                verb.labels().into_iter().for_each(|(_, words)| each(words, &none));
                verb.given().into_iter().for_each(|(_, words)| each(words, &none));
            }
        }
    }
}

/// What a flow's own steps do with variables: which ones they give a value, and which they look at.
pub struct Touched<'f> {
    filled: BTreeSet<&'f str>,
    read: BTreeSet<String>,
}

/// What a flow's own steps do with variables.
pub fn touched(flow: &Flow) -> Touched<'_> {
    let mut touched = Touched { filled: BTreeSet::new(), read: BTreeSet::new() };
    let mut note = |path: &str| {
        touched.read.extend(path.strip_prefix("vars.").map(str::to_owned));
    };
    for step in flow.own_steps() {
        touched
            .filled
            .extend(step.verb.questions().into_iter().filter_map(|question| question.var.as_deref()));
        let given = step.verb.given().into_iter().map(|(_, words)| words);
        let labels = step.verb.labels().into_iter().map(|(_, words)| words);
        for words in step.verb.words().into_iter().chain(labels).chain(given) {
            words.versions().flat_map(|text| text.holes()).for_each(&mut note);
        }
        for verb in step.verb.parts() {
            match verb {
                Verb::Set(set) => {
                    touched.filled.extend(set.values.iter().map(|(name, _)| name.as_str()));
                    set.values.iter().filter_map(|(_, source)| source.field()).for_each(&mut note);
                }
                Verb::Switch(switch) => {
                    let used = switch.branches.iter().flat_map(|(expr, _)| expr.uses());
                    used.for_each(|used| note(&used.path));
                }
                _ => {}
            }
        }
    }
    touched
}

/// D305: a variable that nothing fills or reads, neither here nor in the flows that this one calls or is called with
/// (`kin`, itself among them). Whatever is kept with the contact is read elsewhere.
pub fn unused(flow: &Flow, kin: &[&Touched<'_>], report: &Report) {
    for (name, var) in &flow.vars {
        let is_filled = kin.iter().any(|one| one.filled.contains(name.as_str()));
        // An address that was typed says who she is, whether anything asks for it again or not.
        let is_read =
            var.save || var.of == VarType::Email || kin.iter().any(|one| one.read.contains(name.as_str()));
        let (message, hint) = match (is_filled, is_read) {
            (true, true) => continue,
            (false, _) => ("no step gives it a value", "ask for it or set it, or take it out"),
            (true, false) => {
                ("nothing ever looks at it", "add `save: true` to keep it with the contact, or take it out")
            }
        };
        report
            .warning(&var.at, "D305", format!("the variable \"{name}\" is of no use: {message}"))
            .hint(hint);
    }
}

/// D307: what tells something about a person goes only to actions that may have it.
pub fn private(flow: &Flow, report: &Report) {
    for verb in flow.own_steps().flat_map(|step| step.verb.parts()) {
        let Verb::Do(act) = verb else { continue };
        let Some(action) = actions::find(&act.action.value).filter(|action| !action.takes_pii) else {
            continue;
        };
        for text in act.with.values().flat_map(Words::versions) {
            for path in text.holes() {
                let name = path.strip_prefix("vars.").unwrap_or(path);
                // Nobody knows what she typed where nothing asked for it.
                if path == UNHEARD || (name != path && flow.vars.get(name).is_some_and(|var| var.pii)) {
                    report
                        .error(
                            &text.at,
                            "D307",
                            format!("\"{name}\" is personal and may not go to {}", action.name),
                        )
                        .hint("leave it out; only actions that are marked for it take what is personal");
                }
            }
        }
    }
}
