//! The lifecycle that marketing and sales share, as `lifecycle.yaml` says it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::civil::Date;

use super::hours::WorkingHours;
use super::names::Names;
use super::text;
use super::track::{self, Track};
use crate::base::diagnostic::{Mark, Report};
use crate::base::email::Email;
use crate::base::localized::Localized;
use crate::base::signing::sha256_hex;
use crate::base::time::Timestamp;
use crate::base::yaml::{self, Map, View};
use crate::scoring::alias::Aliases;
use crate::scoring::condition::{Condition, Lists, Symbols};
use crate::scoring::definition::{Beside, Engagement};
use crate::scoring::tags::Tags;
use crate::scoring::{self, definition::rule_id};

/// The two sides that share the definition.
pub const SIDES: &[&str] = &["marketing", "sales"];

/// What counts as a first response unless the file says otherwise.
const RESPONSES: [&str; 4] = ["decision", "booking.held", "conversation.answered", "call.held"];

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
    /// The named lists that conditions may look into.
    pub lists: Arc<Lists>,
    /// What takes somebody out of the running.
    pub disqualify: Vec<Disqualifier>,
    /// The track after the sale.
    pub post_sale: Option<Track>,
    /// Who answers for the definition on each side.
    pub owners: BTreeMap<String, Email>,
    /// The sides that must approve a change of it.
    pub approvals: Vec<String>,
    /// When it is to be looked at again, and where that is written.
    pub review_by: Option<(Date, Mark)>,
    /// The team's hours, for responses that are due within them.
    pub hours: Option<Arc<WorkingHours>>,
}

/// A hard stop: no rule moves this person forward, whatever she does.
#[derive(Debug, Clone)]
pub struct Disqualifier {
    /// Its name in explanations.
    pub id: String,
    /// Its words in explanations.
    pub label: Localized,
    /// When it holds.
    pub condition: Condition,
    /// The reason in one word, such as `competitor`.
    pub reason: String,
}

/// Who has cooled down leaves the stage again: below so many points without a break for so long.
#[derive(Debug, Clone, PartialEq)]
pub struct LeaveBelow {
    /// Points of engagement. Less than what lets people in, so that nobody flaps.
    pub engagement_points: f64,
    /// For how long.
    pub after_ms: i64,
    /// The earlier stage it leads to.
    pub to: String,
    /// The reason in one word.
    pub reason: String,
}

/// How soon somebody must respond to whoever enters the stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sla {
    /// The time there is.
    pub first_response_ms: i64,
    /// Whether only the team's hours count.
    pub in_business_hours: bool,
    /// The kinds of activities that are a response.
    pub answered_by: Vec<String>,
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
    /// When somebody leaves it because she has cooled down.
    pub leave_below: Option<LeaveBelow>,
    /// How soon somebody must respond.
    pub sla: Option<Sla>,
    /// What begins another journey for somebody who stays in it.
    pub again: Option<Again>,
    /// The alias that is shown in the place of the name, if one is.
    pub shown_as: Option<String>,
    /// How soon whoever is handed over in it must be taken, in the team's hours.
    pub take_within_ms: Option<i64>,
}

/// Whoever is in a stage and enters it once more stays, and another journey begins: a customer who buys again.
#[derive(Debug, Clone)]
pub struct Again {
    /// What comes sooner after entering belongs to what led there.
    pub after_ms: i64,
    /// The clauses, any of which is enough unless `all`.
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
    /// Reads and checks a lifecycle, with the file of titles that its text holds (see [`text`]); everything that is wrong
    /// goes to the report.
    pub fn parse(path: &str, whole: &str, report: &Report) -> Option<Self> {
        let parts = text::parts(whole);
        let beside = parts.titles.map(|(name, text)| (name, Path::new(path).with_file_name(name), text));
        let beside = beside.as_ref().map(|(name, path, text)| (name, path.display().to_string(), text));
        let beside = beside.as_ref().map(|(name, path, text)| Beside { name, path, text });
        let doc = yaml::parse(path, parts.own, report)?;
        let mut map = doc.view(report).map()?;
        let version = map.required("version").and_then(View::int);
        let name = map.required("name").and_then(View::str);
        let lists = Arc::new(map.optional("lists").map(scoring::definition::lists).unwrap_or_default());
        let owners = map.optional("owners").and_then(View::map).map(owners).unwrap_or_default();
        let approvals = map.optional("approvals").and_then(View::map).map(approvals).unwrap_or_default();
        let review_by = map.optional("review_by").and_then(|view| Some((date(view)?, view.at().clone())));
        let scoring = scoring::definition::read(&mut map, &lists, beside);
        let disqualify = map.optional("disqualify").and_then(View::list).unwrap_or_default();
        let mut seen = Vec::new();
        let disqualify: Vec<Option<Disqualifier>> =
            disqualify.into_iter().map(|view| disqualifier(view, &lists, &mut seen)).collect();
        let engagement = scoring.as_ref().map(|scoring| &scoring.engagement);
        let stages =
            map.required("stages").and_then(View::list).map(|views| stages(views, &lists, engagement));
        let stages = stages.unwrap_or_default();
        let back = map.optional("back").and_then(View::list).unwrap_or_default();
        let mut seen = Vec::new();
        let back: Vec<Option<Back>> =
            back.into_iter().map(|view| read_back(view, &stages, &lists, &mut seen)).collect();
        let post_sale = map.optional("tracks").and_then(View::map).and_then(|mut tracks| {
            let track = tracks.optional("post_sale").and_then(|view| track::read(view, &stages, &lists));
            tracks.finish();
            track
        });
        map.finish();
        if report.has_errors() {
            return None;
        }
        Some(Self {
            hash: sha256_hex(whole),
            version: version?,
            name: name?,
            body: whole.to_owned(),
            scoring: scoring?,
            stages,
            back: back.into_iter().flatten().collect(),
            lists,
            disqualify: disqualify.into_iter().flatten().collect(),
            post_sale,
            owners,
            approvals,
            review_by,
            hours: None,
        })
    }

    /// A text of the same lifecycle with the titles that this one has, where it names their file and brings none.
    pub fn complete(&self, whole: &str) -> String {
        let (theirs, own) = (text::parts(whole), text::parts(&self.body));
        match (theirs.titles, own.titles, text::names_titles(theirs.own)) {
            (None, Some((name, titles)), Some(named)) if named == name => {
                text::joined(theirs.own, name, titles)
            }
            _ => whole.to_owned(),
        }
    }

    /// The same with the team's hours, for responses that are due within them.
    #[must_use]
    pub fn with_hours(mut self, hours: WorkingHours) -> Self {
        self.hours = Some(Arc::new(hours));
        self
    }

    /// The same with what pages, files and recordings are about.
    #[must_use]
    pub fn with_tags(mut self, tags: Arc<Tags>) -> Self {
        self.scoring.tags = tags;
        self
    }

    /// The name of the move by which somebody who has cooled down leaves a stage.
    pub fn cold_rule(stage: &str) -> String {
        format!("back.cold.{stage}")
    }

    /// The stage of a name or one of its aliases.
    pub fn stage(&self, name: &str) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.id == name || stage.aliases.iter().any(|alias| alias == name))
    }

    /// What other files may name of it.
    pub fn names(&self) -> Names {
        let states = self.post_sale.iter().flat_map(|track| &track.states);
        Names {
            stages: Some(self.stages.iter().map(|stage| stage.id.clone()).collect()),
            aliases: self.aliases(),
            states: Some(states.map(|state| state.id.clone()).collect()),
            lists: self.lists.clone(),
            review_by: self.review_by.clone(),
            // Where the number is written is known of a file only.
            version: None,
        }
    }

    /// Every word for a stage: names, then aliases.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        let names = self.stages.iter().map(|stage| stage.id.as_str());
        names.chain(self.stages.iter().flat_map(|stage| stage.aliases.iter().map(String::as_str)))
    }

    /// The names that aliases stand for.
    pub fn aliases(&self) -> Aliases {
        let of = |stage: &Stage| {
            let id = stage.id.clone();
            stage.aliases.clone().into_iter().map(move |alias| (alias, id.clone()))
        };
        self.stages.iter().flat_map(of).collect()
    }

    /// Puts a stage's name in the place of an alias.
    pub fn named(&self, word: &mut String) {
        if let Some(stage) = self.stage(word) {
            word.clone_from(&stage.id);
        }
    }

    /// Where a stage stands in the order, from 0.
    pub fn order(&self, stage: &str) -> Option<usize> {
        self.stages.iter().position(|known| known.id == stage)
    }

    /// The first stage: everybody is in it before anything is known.
    pub fn first(&self) -> &Stage {
        self.stages.first().expect("a lifecycle without stages does not parse")
    }

    /// A stage's name as people want to read it: the alias that is shown in its place, if one is.
    pub fn word<'a>(&'a self, stage: &'a str) -> &'a str {
        self.stage(stage).map_or(stage, Stage::word)
    }

    /// The time within which the first stage that promises one is responded to, in milliseconds.
    pub fn promised_ms(&self) -> Option<i64> {
        self.stages.iter().find_map(|stage| stage.sla.as_ref()).map(|sla| sla.first_response_ms)
    }

    /// The first stage that sales looks after: before it nobody is to be called.
    pub fn first_of_sales(&self) -> Option<&Stage> {
        self.stages.iter().find(|stage| matches!(stage.owner.as_str(), "sdr" | "ae"))
    }

    /// Whether whoever stands in a stage may be given a sales call: calling a marketing lead to close usually fails, and
    /// costs more than the lead.
    pub fn may_be_called(&self, stage: &str) -> bool {
        let first = self.first_of_sales().and_then(|first| self.order(&first.id));
        let own = self.stage(stage).and_then(|stage| self.order(&stage.id));
        first.is_none_or(|first| own.is_some_and(|own| own >= first))
    }

    /// The moment at which so many milliseconds of the team's hours have passed; by the wall clock without hours.
    pub fn after_working(&self, from: Timestamp, ms: i64) -> Timestamp {
        self.hours.as_ref().map_or_else(|| from.plus_ms(ms), |hours| hours.after(from, ms))
    }

    /// The stage after another, if there is one.
    pub fn next(&self, stage: &str) -> Option<&Stage> {
        self.order(stage).and_then(|order| self.stages.get(order + 1))
    }
}

impl Stage {
    /// Its name, or the alias that is shown in its place.
    pub fn word(&self) -> &str {
        self.shown_as.as_deref().unwrap_or(&self.id)
    }

    /// Whether it can be entered from a stage (the order is checked elsewhere).
    pub fn is_open_from(&self, stage: &str) -> bool {
        self.from.is_empty() || self.from.iter().any(|from| from == stage)
    }
}

/// A stage with a mistake stays in the list, so that what names it is right; nothing comes of a file with mistakes.
fn stages(views: Vec<View<'_>>, lists: &Arc<Lists>, engagement: Option<&Engagement>) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    let mut seen = Vec::new();
    for (order, view) in views.into_iter().enumerate() {
        let Some(mut map) = view.map() else { continue };
        let stage = read_stage(&mut map, order, &stages, lists, engagement, &mut seen);
        map.finish();
        stages.push(stage);
    }
    stages
}

fn read_stage<'a>(
    map: &mut Map<'a>,
    order: usize,
    earlier: &[Stage],
    lists: &Arc<Lists>,
    engagement: Option<&Engagement>,
    seen: &mut Vec<(String, &'a Mark)>,
) -> Stage {
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
    let aliases =
        map.optional("aliases").map(|view| read_aliases(view, id.as_deref(), earlier)).unwrap_or_default();
    let from = map.optional("from").map(|view| known_stages(view, earlier)).unwrap_or_default();
    let require_bant = map.optional("require_bant").and_then(|view| {
        view.parsed("a whole number from 0 to 4", |text| text.parse().ok().filter(|most: &usize| *most <= 4))
    });
    let leaves = map.optional("leave_below");
    let leave_below = leaves.and_then(|view| leave_below(view, earlier));
    let sla = map.optional("sla").and_then(sla);
    let again = map.optional("again").and_then(|view| again(view, lists, seen));
    let shown_as = map.optional("shown_as").and_then(|view| {
        let word = view.str()?;
        if !aliases.contains(&word) {
            view.error("L208", format!("\"{word}\" is no alias of this stage"))
                .did_you_mean(&word, aliases.iter().map(String::as_str));
            return None;
        }
        Some(word)
    });
    let take_within_ms = map.optional("take_within").and_then(|view| {
        let length = view.duration_ms()?;
        if length > 0 { Some(length) } else { view.wrong("a length of time above 0") }
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
        (Some(enter), _) => (clauses, all) = entrance(enter, lists, seen),
    }
    if let (Some(view), Some(leave), Some(engagement)) = (leaves, &leave_below, engagement) {
        // Whoever can come in below it would go and come again and again.
        let could =
            |clause: &&Clause, points: f64| clause.condition.could_hold_at(engagement.level(points), points);
        let below = leave.engagement_points - 0.01;
        if let Some(clause) = clauses.iter().find(|clause| could(clause, below) && !could(clause, 0.0)) {
            let message = format!(
                "whoever comes in by \"{}\" may leave at once: that takes less than {} points",
                clause.id, leave.engagement_points
            );
            view.error("L210", message)
                .hint("`engagement_points` must be less than what lets people in, so that nobody flaps");
        }
    }
    Stage {
        id: id.unwrap_or_default(),
        aliases,
        label: label.unwrap_or_default(),
        owner: owner.unwrap_or_default().to_owned(),
        from,
        require_bant: require_bant.unwrap_or(0),
        clauses,
        all,
        leave_below,
        sla,
        again,
        shown_as,
        take_within_ms,
    }
}

/// Reads `enter: {any: […]}` or `{all: […]}`.
pub(super) fn entrance<'a>(
    mut enter: Map<'a>,
    lists: &Arc<Lists>,
    seen: &mut Vec<(String, &'a Mark)>,
) -> (Vec<Clause>, bool) {
    let any_of = enter.optional("any");
    let all_of = enter.optional("all");
    let all = all_of.is_some();
    let mut clauses = Vec::new();
    match (any_of, all_of) {
        (Some(list), None) | (None, Some(list)) => {
            let list = list.list().unwrap_or_default();
            if list.is_empty() {
                enter.report.error(enter.at, "L203", "nobody could ever enter: there is no clause").done();
            }
            clauses = list.into_iter().filter_map(|view| clause(view, lists, seen)).collect();
        }
        (Some(_), Some(_)) | (None, None) => {
            enter.report.error(enter.at, "L204", "`enter` needs either `any` or `all`").done();
        }
    }
    enter.finish();
    (clauses, all)
}

fn again<'a>(view: View<'a>, lists: &Arc<Lists>, seen: &mut Vec<(String, &'a Mark)>) -> Option<Again> {
    let mut map = view.map()?;
    let after_ms = map.optional("after").map_or(Some(0), View::duration_ms);
    let (clauses, all) = entrance(map, lists, seen);
    if let Some(clause) = clauses.iter().find(|clause| clause.condition.can_hold_without(&|_| true)) {
        view.error("L209", format!("\"{}\" would begin one journey after the other", clause.id))
            .hint("it has to ask for something that happens, such as event(\"purchase\")");
    }
    Some(Again { after_ms: after_ms?, clauses, all })
}

fn leave_below(view: View<'_>, earlier: &[Stage]) -> Option<LeaveBelow> {
    let mut map = view.map()?;
    let points = map.required("engagement_points").and_then(View::float);
    let after = map.required("after").and_then(View::duration_ms);
    let to = map.required("to").and_then(|view| known_stage(view, earlier));
    let reason = map.required("reason").and_then(View::str);
    map.finish();
    Some(LeaveBelow { engagement_points: points?, after_ms: after?, to: to?, reason: reason? })
}

fn sla(view: View<'_>) -> Option<Sla> {
    let mut map = view.map()?;
    let first_response_ms = map.required("first_response").and_then(View::duration_ms);
    let in_business_hours = match map.optional("business_hours") {
        Some(view) => view.one_of(&["team", "always"]).is_some_and(|word| word == "team"),
        None => false,
    };
    let answered_by = map.optional("answered_by").map(View::strings);
    map.finish();
    let answered_by = answered_by.unwrap_or_else(|| RESPONSES.map(str::to_owned).to_vec());
    Some(Sla { first_response_ms: first_response_ms?, in_business_hours, answered_by })
}

fn disqualifier<'a>(
    view: View<'a>,
    lists: &Arc<Lists>,
    seen: &mut Vec<(String, &'a Mark)>,
) -> Option<Disqualifier> {
    let mut map = view.map()?;
    let id = map.required("id").and_then(|view| rule_id(view, seen));
    let label = map.required("label").and_then(Localized::read);
    let condition = map.required("if").and_then(|view| Condition::read_with(view, Symbols::Facts, lists));
    let reason = map.required("reason").and_then(View::str);
    map.finish();
    Some(Disqualifier { id: id?, label: label?, condition: condition?, reason: reason? })
}

fn owners(map: Map<'_>) -> BTreeMap<String, Email> {
    let mut owners = BTreeMap::new();
    let mut map = map;
    for side in SIDES {
        let address = |view: View<'_>| view.parsed("an e-mail address", |text| Email::parse(text).ok());
        if let Some(email) = map.optional(side).and_then(address) {
            owners.insert((*side).to_owned(), email);
        }
    }
    map.finish();
    owners
}

fn approvals(mut map: Map<'_>) -> Vec<String> {
    let required = map.required("required").map(View::one_or_more).unwrap_or_default();
    map.finish();
    let mut sides: Vec<String> =
        required.into_iter().filter_map(|view| view.one_of(SIDES).map(str::to_owned)).collect();
    sides.sort();
    sides.dedup();
    sides
}

fn date(view: View<'_>) -> Option<Date> {
    view.parsed("a date like 2027-06-30", |text| text.parse().ok())
}

pub(super) fn clause<'a>(
    view: View<'a>,
    lists: &Arc<Lists>,
    seen: &mut Vec<(String, &'a Mark)>,
) -> Option<Clause> {
    let mut map = view.map()?;
    let id = map.required("id").and_then(|view| rule_id(view, seen));
    let label = map.required("label").and_then(Localized::read);
    let condition = map.required("if").and_then(|view| Condition::read_with(view, Symbols::Stage, lists));
    map.finish();
    Some(Clause { id: id?, label: label?, condition: condition? })
}

fn known_stages(view: View<'_>, earlier: &[Stage]) -> Vec<String> {
    view.one_or_more().into_iter().filter_map(|view| known_stage(view, earlier)).collect()
}

pub(super) fn known_stage(view: View<'_>, known: &[Stage]) -> Option<String> {
    let text = view.str()?;
    let found = known.iter().find(|stage| stage.id == text || stage.aliases.contains(&text));
    // A stage whose own name is wrong may be the one that is meant.
    let is_sure = known.iter().all(|stage| !stage.id.is_empty());
    if found.is_none() && is_sure {
        let names: Vec<&str> = known.iter().map(|stage| stage.id.as_str()).collect();
        view.error("L205", format!("there is no stage \"{text}\" before this place"))
            .did_you_mean(&text, names);
    }
    found.map(|stage| stage.id.clone())
}

/// Other names of a stage: no name stands for two.
fn read_aliases(view: View<'_>, id: Option<&str>, earlier: &[Stage]) -> Vec<String> {
    let mut aliases = Vec::new();
    for view in view.one_or_more() {
        let Some(alias) = view.str() else { continue };
        let is_taken = earlier.iter().any(|stage| stage.id == alias || stage.aliases.contains(&alias));
        if !yaml::is_name(&alias) {
            view.wrong::<()>("a name of small letters, digits, `_` and `-`");
        } else if is_taken || id == Some(alias.as_str()) || aliases.contains(&alias) {
            view.error("L201", format!("the stage \"{alias}\" stands twice")).done();
        } else {
            aliases.push(alias);
        }
    }
    aliases
}

fn read_back<'a>(
    view: View<'a>,
    stages: &[Stage],
    lists: &Arc<Lists>,
    seen: &mut Vec<(String, &'a Mark)>,
) -> Option<Back> {
    let mut map = view.map()?;
    let id = map.required("id").and_then(|view| rule_id(view, seen));
    let label = map.required("label").and_then(Localized::read);
    let from = map.required("from").and_then(|view| known_stage(view, stages));
    let to = map.required("to").and_then(|view| known_stage(view, stages));
    let condition = map.required("if").and_then(|view| Condition::read_with(view, Symbols::Stage, lists));
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
