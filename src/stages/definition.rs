//! The lifecycle that marketing and sales share, as `lifecycle.yaml` says it.

use crate::base::diagnostic::{Mark, Report};
use crate::base::localized::Localized;
use crate::base::signing::sha256_hex;
use crate::base::yaml::{self, Map, View};
use crate::scoring::condition::{Condition, Symbols};
use crate::scoring::{self, definition::rule_id};

/// Who owns the people in a stage.
pub const ROLES: &[&str] = &["marketing", "sdr", "ae", "cs"];

/// One version of the lifecycle, checked.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The SHA-256 of the file's text: what a contact's intervals point to.
    pub hash: String,
    /// The number that people gave it.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// The text itself, kept with the first interval that uses it.
    pub body: String,
    /// Both axes.
    pub scoring: scoring::Definition,
    /// The stages from the first to the last.
    pub stages: Vec<Stage>,
    /// The named ways back.
    pub back: Vec<Back>,
}

/// One stage.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Its name in the database and in conditions.
    pub id: String,
    /// Other words that people have for it.
    pub aliases: Vec<String>,
    /// Its name for people.
    pub label: Localized,
    /// The role that looks after the people in it.
    pub owner: String,
    /// The stages it can be entered from; empty means every earlier one.
    pub from: Vec<String>,
    /// How many of the four qualifying answers must be positive.
    pub require_bant: usize,
    /// Its clauses; none for the first stage.
    pub clauses: Vec<Clause>,
    /// Whether all clauses must hold, or any.
    pub all: bool,
}

/// One reason to enter a stage.
#[derive(Debug, Clone)]
pub struct Clause {
    /// Its name in explanations.
    pub id: String,
    /// Its words in explanations.
    pub label: Localized,
    /// When it holds.
    pub condition: Condition,
}

/// A named way back to an earlier stage.
#[derive(Debug, Clone)]
pub struct Back {
    /// Its name in explanations.
    pub id: String,
    /// Its words in explanations.
    pub label: Localized,
    /// The stage it leaves.
    pub from: String,
    /// The stage it leads to.
    pub to: String,
    /// When it is taken.
    pub condition: Condition,
    /// The reasons that may be given; empty means any.
    pub reasons: Vec<String>,
    /// Whether a new journey begins, so that the funnel counts the person again.
    pub new_journey: bool,
}

impl Definition {
    /// Reads and checks a lifecycle; everything that is wrong goes to the report.
    pub fn parse(path: &str, text: &str, report: &Report) -> Option<Self> {
        let doc = yaml::parse(path, text, report)?;
        let mut map = doc.view(report).map()?;
        let version = map.required("version").and_then(View::int);
        let name = map.required("name").and_then(View::str);
        let scoring = scoring::definition::read(&mut map);
        let stages = map.required("stages").and_then(View::list).map(stages);
        let stages = stages.unwrap_or_default();
        let back = map.optional("back").and_then(View::list).unwrap_or_default();
        let mut seen = Vec::new();
        let back: Vec<Option<Back>> =
            back.into_iter().map(|view| read_back(view, &stages, &mut seen)).collect();
        map.finish();
        if report.has_errors() {
            return None;
        }
        Some(Self {
            hash: sha256_hex(text),
            version: version?,
            name: name?,
            body: text.to_owned(),
            scoring: scoring?,
            stages,
            back: back.into_iter().flatten().collect(),
        })
    }

    /// The stage of a name or one of its aliases.
    pub fn stage(&self, name: &str) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.id == name || stage.aliases.iter().any(|alias| alias == name))
    }

    /// Where a stage stands in the order, from 0.
    pub fn order(&self, stage: &str) -> Option<usize> {
        self.stages.iter().position(|known| known.id == stage)
    }

    /// The first stage: everybody is in it before anything is known.
    pub fn first(&self) -> &Stage {
        self.stages.first().expect("a lifecycle without stages does not parse")
    }

    /// The stage after another, if there is one.
    pub fn next(&self, stage: &str) -> Option<&Stage> {
        self.order(stage).and_then(|order| self.stages.get(order + 1))
    }
}

impl Stage {
    /// Whether it can be entered from a stage (the order is checked elsewhere).
    pub fn is_open_from(&self, stage: &str) -> bool {
        self.from.is_empty() || self.from.iter().any(|from| from == stage)
    }
}

fn stages(views: Vec<View<'_>>) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    let mut seen = Vec::new();
    for (order, view) in views.into_iter().enumerate() {
        let Some(mut map) = view.map() else { continue };
        let stage = read_stage(&mut map, order, &stages, &mut seen);
        map.finish();
        if let Some(stage) = stage {
            stages.push(stage);
        }
    }
    stages
}

fn read_stage<'a>(
    map: &mut Map<'a>,
    order: usize,
    earlier: &[Stage],
    seen: &mut Vec<(String, &'a Mark)>,
) -> Option<Stage> {
    let id = map.required("id").and_then(|view| {
        let id = view.str()?;
        if !yaml::is_name(&id) {
            return view.wrong("a name of small letters, digits, `_` and `-`");
        }
        if earlier.iter().any(|stage| stage.id == id || stage.aliases.contains(&id)) {
            view.error("L201", format!("the stage \"{id}\" stands twice")).done();
        }
        Some(id)
    });
    let owner = map.required("owner").and_then(|view| view.one_of(ROLES));
    let label = map.required("label").and_then(Localized::read);
    let aliases = map.optional("aliases").map(View::strings).unwrap_or_default();
    let from = map.optional("from").map(|view| known_stages(view, earlier)).unwrap_or_default();
    let require_bant = map.optional("require_bant").and_then(|view| {
        view.parsed("a whole number from 0 to 4", |text| text.parse().ok().filter(|most: &usize| *most <= 4))
    });
    let at = map.at;
    let enter = map.optional("enter").and_then(View::map);
    let (mut clauses, mut all) = (Vec::new(), false);
    match (enter, order) {
        (None, 0) => {}
        (Some(enter), 0) => {
            enter
                .report
                .error(enter.at, "L202", "the first stage has no `enter`: everybody begins there")
                .done();
        }
        (None, _) => map.report.error(at, "Y005", "\"enter\" is missing").hint("`enter: {any: […]}`"),
        (Some(mut enter), _) => {
            let any_of = enter.optional("any");
            let all_of = enter.optional("all");
            all = all_of.is_some();
            match (any_of, all_of) {
                (Some(list), None) | (None, Some(list)) => {
                    let list = list.list().unwrap_or_default();
                    if list.is_empty() {
                        enter
                            .report
                            .error(enter.at, "L203", "nobody could ever enter: there is no clause")
                            .done();
                    }
                    clauses = list.into_iter().filter_map(|view| clause(view, seen)).collect();
                }
                (Some(_), Some(_)) | (None, None) => {
                    enter.report.error(enter.at, "L204", "`enter` needs either `any` or `all`").done();
                }
            }
            enter.finish();
        }
    }
    Some(Stage {
        id: id?,
        aliases,
        label: label?,
        owner: owner?.to_owned(),
        from,
        require_bant: require_bant.unwrap_or(0),
        clauses,
        all,
    })
}

fn clause<'a>(view: View<'a>, seen: &mut Vec<(String, &'a Mark)>) -> Option<Clause> {
    let mut map = view.map()?;
    let id = map.required("id").and_then(|view| rule_id(view, seen));
    let label = map.required("label").and_then(Localized::read);
    let condition = map.required("if").and_then(|view| Condition::read(view, Symbols::Stage));
    map.finish();
    Some(Clause { id: id?, label: label?, condition: condition? })
}

fn known_stages(view: View<'_>, earlier: &[Stage]) -> Vec<String> {
    view.one_or_more().into_iter().filter_map(|view| known_stage(view, earlier)).collect()
}

fn known_stage(view: View<'_>, known: &[Stage]) -> Option<String> {
    let text = view.str()?;
    if !known.iter().any(|stage| stage.id == text) {
        let names: Vec<&str> = known.iter().map(|stage| stage.id.as_str()).collect();
        view.error("L205", format!("there is no stage \"{text}\" before this place"))
            .did_you_mean(&text, names);
        return None;
    }
    Some(text)
}

fn read_back<'a>(view: View<'a>, stages: &[Stage], seen: &mut Vec<(String, &'a Mark)>) -> Option<Back> {
    let mut map = view.map()?;
    let id = map.required("id").and_then(|view| rule_id(view, seen));
    let label = map.required("label").and_then(Localized::read);
    let from = map.required("from").and_then(|view| known_stage(view, stages));
    let to = map.required("to").and_then(|view| known_stage(view, stages));
    let condition = map.required("if").and_then(|view| Condition::read(view, Symbols::Stage));
    let reasons = map.optional("reasons").map(View::strings).unwrap_or_default();
    let new_journey = map.optional("new_journey").and_then(View::bool).unwrap_or(false);
    map.finish();
    if let Some(id) = id.as_ref().filter(|id| !id.starts_with("back.")) {
        view.error("L207", format!("the way back \"{id}\" must be called back.…"))
            .hint("its name is how a way back is told from a clause in the history");
    }
    let (from, to) = (from?, to?);
    let order = |name: &str| stages.iter().position(|stage| stage.id == name);
    if order(&to) >= order(&from) {
        view.error("L206", format!("the way from \"{from}\" to \"{to}\" does not lead back"))
            .hint("forward moves belong to the stage's `enter`");
        return None;
    }
    Some(Back { id: id?, label: label?, from, to, condition: condition?, reasons, new_journey })
}
