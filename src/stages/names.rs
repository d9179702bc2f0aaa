//! What a lifecycle's file declares, whether or not all of it is right: other files are held against these names even
//! while the lifecycle itself is broken.

use std::sync::Arc;

use jiff::civil::Date;

use crate::base::diagnostic::{Mark, Report};
use crate::base::yaml::{self, Doc, View};
use crate::scoring::alias::Aliases;
use crate::scoring::condition::Lists;
use crate::scoring::definition;

/// The names.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// The stages in their order; nothing if one of them has a name that cannot be read.
    pub stages: Option<Vec<String>>,
    /// Other words for them.
    pub aliases: Aliases,
    /// The states after the sale; nothing if one of them has a name that cannot be read.
    pub states: Option<Vec<String>>,
    /// The lists that conditions may look into.
    pub lists: Arc<Lists>,
    /// When the lifecycle is to be looked at again, and where that is written.
    pub review_by: Option<(Date, Mark)>,
    /// Its number, and where that is written.
    pub version: Option<(i64, Mark)>,
}

impl Names {
    /// Reads them from a file without telling what is wrong with it.
    pub fn read(doc: &Doc) -> Self {
        let quiet = Report::new();
        let Some(mut map) = doc.view(&quiet).map() else { return Self::default() };
        let lists = Arc::new(map.optional("lists").map(definition::lists).unwrap_or_default());
        let stages = map.optional("stages").and_then(View::list).unwrap_or_default();
        let mut aliases = Aliases::new();
        for view in &stages {
            let Some(mut stage) = view.map() else { continue };
            let (id, more) = (stage.optional("id").and_then(View::str), stage.optional("aliases"));
            if let (Some(id), Some(more)) = (id, more) {
                aliases.extend(more.strings().into_iter().map(|alias| (alias, id.clone())));
            }
        }
        let track = map.optional("tracks").and_then(View::map).and_then(|mut map| map.optional("post_sale"));
        let states = track.and_then(View::map).and_then(|mut map| map.optional("states"));
        let states = states.and_then(View::list).unwrap_or_default();
        let review_by = map.optional("review_by");
        let review_by = review_by.and_then(|view| Some((view.text()?.text.parse().ok()?, view.at().clone())));
        let version = map.optional("version");
        let version = version.and_then(|view| Some((view.text()?.text.parse().ok()?, view.at().clone())));
        Self {
            review_by,
            version,
            stages: ids(&stages).filter(|stages| !stages.is_empty()),
            aliases,
            states: ids(&states),
            lists,
        }
    }

    /// Tells of a definition that was to be looked at again by now (L110).
    pub fn tell_if_stale(&self, today: Date, report: &Report) {
        if let Some((date, at)) = self.review_by.as_ref().filter(|(date, _)| *date < today) {
            report
                .warning(at, "L110", format!("this lifecycle was to be reviewed by {date}"))
                .hint("look at `embudo lifecycle lift` with both teams, then set a new date");
        }
    }

    /// Tells that another text ran under the definition's number (L117); `next` is one that is free.
    pub fn tell_if_taken(&self, next: i64, report: &Report) {
        if let Some((version, at)) = &self.version {
            report
                .warning(at, "L117", format!("version {version} ran already with another text, here or in its titles"))
                .hint(format!(
                    "write `version: {next}`: contacts keep the number of the text that moved them, so a changed one \
                     can be neither approved nor activated under a number that is taken"
                ));
        }
    }

    /// Every word for a stage: names, then aliases; nothing if not all are known.
    pub fn words(&self) -> Option<Vec<&str>> {
        let stages = self.stages.as_ref()?;
        Some(stages.iter().chain(self.aliases.keys()).map(String::as_str).collect())
    }
}

fn ids(views: &[View<'_>]) -> Option<Vec<String>> {
    let id = |view: &View<'_>| view.map()?.optional("id")?.str().filter(|id| yaml::is_name(id));
    views.iter().map(id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_lifecycle_still_declares_its_names() {
        let text = include_str!("../../config/lifecycle.yaml").replacen("owner: sdr", "owner: nobody", 1);
        let doc = yaml::parse("l.yaml", &text, &Report::new()).expect("a tree");
        let names = Names::read(&doc);
        let stages = ["visitor", "lead", "mql", "sql", "sal", "customer"].map(str::to_owned).to_vec();
        assert_eq!(names.stages, Some(stages));
        assert_eq!(names.aliases.get("prospect").map(String::as_str), Some("lead"));
        assert!(names.states.is_some_and(|states| states.contains(&"churned".to_owned())));
        assert!(names.lists.contains_key("competitors"));
        // A name that cannot be read may be any: nothing is held against the others.
        let doc = yaml::parse("l.yaml", &text.replacen("id: mql", "id: M Q L", 1), &Report::new());
        assert_eq!(Names::read(&doc.expect("a tree")).stages, None);
    }
}
