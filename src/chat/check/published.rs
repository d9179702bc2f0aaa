//! What a new version of a flow would do to conversations that are open in the one that runs.

use crate::base::diagnostic::Report;

use crate::chat::flow::{Flow, VarType};

/// G213: a step that conversations may stand at is gone, and nothing says where they go on. G214: a value that is kept
/// with contacts can no longer be chosen.
pub fn against(published: &Flow, new: &Flow, report: &Report) {
    let own = |flow: &'_ Flow| -> Vec<String> { flow.own_steps().map(|step| step.id.clone()).collect() };
    let steps = own(new);
    for gone in published.own_steps().filter(|step| !steps.contains(&step.id)) {
        if !new.migrate.contains_key(&gone.id) {
            let near = steps.iter().find(|id| {
                new.step(id).is_some_and(|step| {
                    published.step(id).is_none() && step.verb.contract() == gone.verb.contract()
                })
            });
            let to = near.map_or("some_step", String::as_str);
            report
                .warning(
                    &new.at,
                    "G213",
                    format!("the running version has a step \"{}\", this one has not", gone.id),
                )
                .hint(format!(
                    "add `migrate: {{{}: {to}}}`: conversations that stand there go on at it",
                    gone.id
                ));
        }
    }
    for (name, var) in published.vars.iter().filter(|(_, var)| var.save) {
        let (VarType::Enum(before), Some(now)) = (&var.of, new.vars.get(name)) else { continue };
        let VarType::Enum(values) = &now.of else { continue };
        for gone in before.iter().filter(|value| !values.contains(value)) {
            report
                .warning(
                    &now.at,
                    "G214",
                    format!("\"{gone}\" is kept with contacts as their \"{name}\" and is no value any more"),
                )
                .hint("keep it among the values, even if no question offers it");
        }
    }
}
