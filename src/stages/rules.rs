//! Where somebody should stand: a pure function of the definition, the facts, the activities and where she stands.

use serde::{Deserialize, Serialize};

use super::definition::{Back, Clause, Definition, Disqualifier, Stage};
use crate::base::expr::Context;
use crate::base::localized::Localized;
use crate::base::time::Timestamp;
use crate::scoring::condition::{Bands, Call, Condition, Moment};
use crate::scoring::{Activity, Evidence, Facts, History, Score, Scorer};

/// All that rules look at, about one contact at one moment.
#[derive(Debug, Clone)]
pub struct Person {
    /// Who she is.
    pub facts: Facts,
    /// What she did, hers and her devices', from before she was known too.
    pub activities: History,
    /// Both axes as of `now`.
    pub score: Score,
    /// What takes her out of the running, if anything does.
    pub disqualified: Option<Disqualified>,
    /// The moment that everything is asked for.
    pub now: Timestamp,
    values: Values,
    /// The stages that somebody as cool as she has been would leave.
    cold: Vec<String>,
}

/// The facts as conditions name them.
#[derive(Clone)]
struct Values(Context);

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Values")
    }
}

/// Why no rule moves somebody forward.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disqualified {
    /// The rule.
    pub rule: String,
    /// The rule in words.
    pub label: Localized,
    /// The reason in one word.
    pub reason: String,
}

impl Person {
    /// What rules see of somebody as of `now`.
    pub fn new(definition: &Definition, facts: Facts, activities: Vec<Activity>, now: Timestamp) -> Self {
        let (values, history) = (facts.values(), definition.scoring.history(activities));
        let scorer = Scorer::new(&definition.scoring, &values, &history);
        let score = scorer.score(now);
        let cold = definition.stages.iter().filter(|stage| {
            stage.leave_below.as_ref().is_some_and(|leave| {
                let from = now.plus_ms(-leave.after_ms);
                scorer.below_since(leave.engagement_points, from, now).is_some_and(|since| since <= from)
            })
        });
        let cold = cold.map(|stage| stage.id.clone()).collect();
        let disqualified = disqualifier(definition, &values, &history, now).map(|rule| Disqualified {
            rule: rule.id.clone(),
            label: rule.label.clone(),
            reason: rule.reason.clone(),
        });
        Self { facts, activities: history, score, disqualified, now, values: Values(values), cold }
    }

    /// The facts as conditions name them.
    pub fn values(&self) -> &Context {
        &self.values.0
    }

    /// The facts and a stage, as conditions of segments and offers name them.
    pub fn values_in(&self, stage: &str) -> Context {
        let mut values = self.values.0.clone();
        values.set("stage", stage);
        values
    }

    /// What conditions of segments and offers see now; `values` are those of [`values_in`](Self::values_in).
    pub fn moment<'a>(&'a self, values: &'a Context) -> Moment<'a> {
        Moment {
            values,
            history: &self.activities,
            bands: Some(&self.score),
            since: None,
            counts_since: false,
            pretended: &[],
            now: self.now,
        }
    }

    fn sight<'a>(&'a self, pretended: &'a [Call], is_cold: &'a dyn Fn(&Stage) -> bool) -> Sight<'a> {
        Sight {
            values: &self.values.0,
            history: &self.activities,
            bands: &self.score,
            bant_positive: self.facts.bant_positive(),
            is_disqualified: self.disqualified.is_some(),
            profiling_off: self.facts.profiling_off,
            is_cold,
            pretended,
            now: self.now,
        }
    }
}

/// The first rule that takes somebody out of the running.
pub(super) fn disqualifier<'a>(
    definition: &'a Definition,
    values: &Context,
    history: &History,
    now: Timestamp,
) -> Option<&'a Disqualifier> {
    let moment =
        Moment { values, history, bands: None, since: None, counts_since: false, pretended: &[], now };
    definition.disqualify.iter().find(|rule| rule.condition.holds_at(&moment))
}

/// What rules see, however it was worked out.
pub(super) struct Sight<'a> {
    pub values: &'a Context,
    pub history: &'a History,
    pub bands: &'a dyn Bands,
    pub bant_positive: usize,
    pub is_disqualified: bool,
    /// Whether she objects to being profiled: no score moves her by itself.
    pub profiling_off: bool,
    /// Whether somebody has been cool for long enough to leave a stage.
    pub is_cold: &'a dyn Fn(&Stage) -> bool,
    /// Calls of `event()` and `decision()` to which the answer is yes.
    pub pretended: &'a [Call],
    pub now: Timestamp,
}

impl Sight<'_> {
    /// Whether a condition may move this person by itself.
    fn may_move(&self, condition: &Condition) -> bool {
        let reads_a_score = ["fit", "fit_points", "engagement", "engagement_points"];
        !(self.profiling_off && reads_a_score.into_iter().any(|name| condition.reads(name)))
    }

    fn moment(&self, since: Option<Timestamp>) -> Moment<'_> {
        Moment {
            values: self.values,
            history: self.history,
            bands: Some(self.bands),
            since,
            counts_since: false,
            pretended: self.pretended,
            now: self.now,
        }
    }
}

/// Where somebody stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The stage.
    pub stage: String,
    /// Since when.
    pub entered_at: Timestamp,
    /// When a way back was last taken. What happened before leads nowhere again.
    pub back_at: Option<Timestamp>,
}

/// One move that the rules ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The stage it leads to.
    pub to: String,
    /// The clause or way back that asks for it.
    pub rule: String,
    /// The stages that were passed without entering them.
    pub skipped: Vec<String>,
    /// The reason, where the definition gives one.
    pub reason: Option<String>,
    /// Whether it leads back.
    pub back: bool,
    /// Whether a new journey begins.
    pub new_journey: bool,
    /// What the rule saw.
    pub grounds: Grounds,
}

/// What a rule saw when it moved somebody; kept with the interval.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Grounds {
    /// The condition as it was written.
    #[serde(default)]
    pub condition: String,
    /// The activities that its `event()` and `decision()` found.
    #[serde(default)]
    pub activities: Vec<Evidence>,
    /// The grade and points of fit, if the condition asks for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<(String, f64)>,
    /// The level and points of engagement, if the condition asks for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engagement: Option<(u8, f64)>,
    /// The stages that were passed without entering them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
}

/// The moves from `position`, first any way back, then forward as far as the rules carry.
pub fn steps(definition: &Definition, person: &Person, position: &Position) -> Vec<Step> {
    steps_if(definition, person, position, &[])
}

/// As [`steps`], if the answer to some calls were yes.
pub(super) fn steps_if(
    definition: &Definition,
    person: &Person,
    position: &Position,
    pretended: &[Call],
) -> Vec<Step> {
    let is_cold = |stage: &Stage| person.cold.contains(&stage.id);
    steps_seen(definition, &person.sight(pretended, &is_cold), position)
}

pub(super) fn steps_seen(definition: &Definition, sight: &Sight<'_>, position: &Position) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut at = position.clone();
    if let Some(step) = way_back(definition, sight, &at) {
        at = Position { stage: step.to.clone(), entered_at: sight.now, back_at: Some(sight.now) };
        steps.push(step);
    } else if let Some(step) = once_more(definition, sight, &at) {
        at.entered_at = sight.now;
        steps.push(step);
    }
    let Some(order) = definition.order(&at.stage) else { return steps };
    let mut skipped = Vec::new();
    for (order, stage) in definition.stages.iter().enumerate().skip(order + 1) {
        // To be known is no qualification: the first step is open to everybody.
        let is_stopped = sight.is_disqualified && order > 1;
        let entered =
            stage.is_open_from(&at.stage).then(|| entry(stage, sight, since(&at), is_stopped)).flatten();
        match entered {
            Some((clause, mut grounds)) => {
                let skipped = std::mem::take(&mut skipped);
                grounds.skipped.clone_from(&skipped);
                steps.push(Step {
                    to: stage.id.clone(),
                    rule: clause.id.clone(),
                    skipped,
                    reason: None,
                    back: false,
                    new_journey: false,
                    grounds,
                });
                at.stage.clone_from(&stage.id);
            }
            None => skipped.push(stage.id.clone()),
        }
    }
    steps
}

/// Events and decisions count for moving forward only if they came after the last way back.
pub(super) fn since(position: &Position) -> Option<Timestamp> {
    position.back_at
}

/// A decision in the very millisecond in which the stage was entered is about that stage.
fn just_before(at: Timestamp) -> Timestamp {
    at.plus_ms(-1)
}

fn way_back(definition: &Definition, sight: &Sight<'_>, position: &Position) -> Option<Step> {
    let since = Some(just_before(position.entered_at));
    let moment = sight.moment(since);
    let named = definition.back.iter().filter(|back| back.from == position.stage);
    named
        .filter(|back| sight.may_move(&back.condition) && back.condition.holds_at(&moment))
        .map(|back| step_back(back, sight, since))
        .next()
        .or_else(|| cool_down(definition, sight, position))
}

/// Whoever does again what leads into her stage stays there, and another journey begins.
fn once_more(definition: &Definition, sight: &Sight<'_>, position: &Position) -> Option<Step> {
    let again = definition.stage(&position.stage)?.again.as_ref()?;
    let since = Some(position.entered_at.plus_ms(again.after_ms));
    let moment = Moment { counts_since: true, ..sight.moment(since) };
    let clause = winner(&again.clauses, again.all, &|condition| {
        sight.may_move(condition) && condition.holds_at(&moment)
    })?;
    Some(Step {
        to: position.stage.clone(),
        rule: clause.id.clone(),
        skipped: Vec::new(),
        reason: None,
        back: false,
        new_journey: true,
        grounds: grounds(&clause.condition, sight, since),
    })
}

fn step_back(back: &Back, sight: &Sight<'_>, since: Option<Timestamp>) -> Step {
    Step {
        to: back.to.clone(),
        rule: back.id.clone(),
        skipped: Vec::new(),
        reason: None,
        back: true,
        new_journey: back.new_journey,
        grounds: grounds(&back.condition, sight, since),
    }
}

/// The way out of a stage for somebody who has been cool for long enough, all of it in this stage.
fn cool_down(definition: &Definition, sight: &Sight<'_>, position: &Position) -> Option<Step> {
    let stage = definition.stage(&position.stage)?;
    let leave = stage.leave_below.as_ref()?;
    let is_long_here = sight.now.since_ms(position.entered_at) >= leave.after_ms;
    if sight.profiling_off || !is_long_here || !(sight.is_cold)(stage) {
        return None;
    }
    let (level, points) = sight.bands.engagement();
    Some(Step {
        to: leave.to.clone(),
        rule: Definition::cold_rule(&stage.id),
        skipped: Vec::new(),
        reason: Some(leave.reason.clone()),
        back: true,
        new_journey: false,
        grounds: Grounds {
            condition: format!("engagement_points < {}", leave.engagement_points),
            engagement: Some((level.0, points)),
            ..Grounds::default()
        },
    })
}

/// The clause that lets somebody into a stage, with what it saw; of `all` the first clause stands for them.
fn entry<'a>(
    stage: &'a Stage,
    sight: &Sight<'_>,
    since: Option<Timestamp>,
    is_stopped: bool,
) -> Option<(&'a Clause, Grounds)> {
    if sight.bant_positive < stage.require_bant {
        return None;
    }
    let moment = sight.moment(since);
    let winner = winner(&stage.clauses, stage.all, &|condition| {
        sight.may_move(condition) && condition.holds_at(&moment)
    })?;
    // Somebody who is out of the running moves only where a person decides so.
    let is_decision = |call: &Call| call.kind == "decision";
    if is_stopped && !winner.condition.happenings().any(is_decision) {
        return None;
    }
    Some((winner, grounds(&winner.condition, sight, since)))
}

/// The clause that lets somebody in: the first that holds, if as many hold as must.
pub(super) fn winner<'a>(
    clauses: &'a [Clause],
    all: bool,
    holds: &dyn Fn(&Condition) -> bool,
) -> Option<&'a Clause> {
    if all && !clauses.iter().all(|clause| holds(&clause.condition)) {
        return None;
    }
    clauses.iter().find(|clause| all || holds(&clause.condition))
}

fn grounds(condition: &Condition, sight: &Sight<'_>, since: Option<Timestamp>) -> Grounds {
    let mut grounds = seen(condition, sight.history, since, sight.now);
    if condition.reads("fit") || condition.reads("fit_points") {
        let (grade, points) = sight.bands.fit();
        grounds.fit = Some((grade.letter().to_owned(), points));
    }
    if condition.reads("engagement") || condition.reads("engagement_points") {
        let (level, points) = sight.bands.engagement();
        grounds.engagement = Some((level.0, points));
    }
    grounds
}

/// A condition and the activities that its `event()` and `decision()` found.
pub(super) fn seen(
    condition: &Condition,
    history: &History,
    since: Option<Timestamp>,
    now: Timestamp,
) -> Grounds {
    let mut activities: Vec<Evidence> = condition
        .happenings()
        .filter_map(|call| history.answer(call, since, now))
        .map(Evidence::of)
        .collect();
    activities.dedup();
    Grounds { condition: condition.text().to_owned(), activities, ..Grounds::default() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::base::diagnostic::Report;
    use crate::base::email::Email;
    use crate::base::ids::ActivityId;
    use crate::base::time::DAY_MS;
    use crate::scoring::Level;
    use crate::stages::{Need, misses::misses};

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn lifecycle() -> Definition {
        lifecycle_with(|text| text)
    }

    fn lifecycle_with(change: impl FnOnce(String) -> String) -> Definition {
        let report = Report::new();
        let text = change(include_str!("../../config/lifecycle.yaml").to_owned());
        let definition = Definition::parse("config/lifecycle.yaml", &text, &report);
        assert!(report.is_clean(), "{}", report.text());
        definition.expect("the lifecycle that we ship is right")
    }

    fn did(kind: &str, subject: &str, ago_ms: i64) -> Activity {
        Activity {
            id: ActivityId::new(),
            kind: kind.to_owned(),
            subject: Some(subject.to_owned()),
            props: BTreeMap::new(),
            at: NOW.plus_ms(-ago_ms),
            tag: None,
        }
    }

    fn person(fields: &[(&str, &str)], activities: Vec<Activity>) -> Person {
        person_at(fields, activities, NOW)
    }

    fn person_at(fields: &[(&str, &str)], activities: Vec<Activity>, now: Timestamp) -> Person {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let facts = Facts::of(&Email::parse("nikki@acme.example").expect("valid"), "en", &fields);
        Person::new(&lifecycle(), facts, activities, now)
    }

    fn at(stage: &str) -> Position {
        Position { stage: stage.to_owned(), entered_at: NOW.plus_ms(-1_000), back_at: None }
    }

    fn moves(person: &Person, position: &Position) -> Vec<(String, String)> {
        steps(&lifecycle(), person, position).into_iter().map(|step| (step.to, step.rule)).collect()
    }

    fn one(to: &str, rule: &str) -> (String, String) {
        (to.to_owned(), rule.to_owned())
    }

    #[test]
    fn size_revenue_kind_industry_country_of_a_company_give_points_each() {
        use crate::scoring::facts::Company;
        let points = |change: &dyn Fn(&mut Facts, &mut Company)| {
            let mut facts =
                Facts::of(&Email::parse("nikki@acme.example").expect("valid"), "en", &BTreeMap::new());
            let mut company = Company::default();
            change(&mut facts, &mut company);
            let person = Person::new(&lifecycle(), facts.works_for(company), Vec::new(), NOW);
            let rows = person.score.fit.rows.into_iter().filter(|row| row.rule != "fit.company_mail");
            rows.map(|row| (row.rule, row.points)).collect::<Vec<_>>()
        };
        let row = |rule: &str, points: f64| vec![(rule.to_owned(), points)];
        assert_eq!(points(&|_, _| {}), []);
        assert_eq!(points(&|_, company| company.employees = 300), row("fit.size", 25.0));
        assert_eq!(points(&|_, company| company.employees = 49), []);
        assert_eq!(points(&|_, company| company.revenue = "50m+".to_owned()), row("fit.revenue", 10.0));
        assert_eq!(points(&|_, company| company.revenue = "1m-10m".to_owned()), []);
        assert_eq!(points(&|_, company| company.kind = "school".to_owned()), row("fit.kind", 10.0));
        assert_eq!(
            points(&|_, company| company.industry = "education".to_owned()),
            row("fit.industry", 15.0)
        );
        assert_eq!(points(&|facts, _| facts.country = "ES".to_owned()), row("fit.country", 20.0));
        // The country and the region of the latest visit, where nobody said.
        let visit =
            Activity::new("visit", None, serde_json::json!({"country": "mx", "region": "MX-JAL"}), NOW);
        assert_eq!(
            points(&|facts, _| facts.learn_from(std::slice::from_ref(&visit))),
            row("fit.country", 20.0)
        );
        let mut facts =
            Facts::of(&Email::parse("nikki@acme.example").expect("valid"), "en", &BTreeMap::new());
        facts.learn_from(&[visit]);
        assert_eq!((facts.region.as_str(), facts.values().get("contact.region").is_some()), ("MX-JAL", true));
    }

    #[test]
    fn whoever_buys_again_stays_and_what_comes_at_once_is_the_same_purchase() {
        let was = Position { entered_at: NOW.plus_ms(-10 * DAY_MS), ..at("customer") };
        let bought = |ago_ms: i64| person(&[], vec![did("purchase", "x", ago_ms)]);
        let steps = steps(&lifecycle(), &bought(DAY_MS), &was);
        assert_eq!(steps.len(), 1);
        assert_eq!(
            (steps[0].to.as_str(), steps[0].rule.as_str(), steps[0].new_journey, steps[0].back),
            ("customer", "customer.bought_again", true, false)
        );
        assert_eq!(moves(&bought(9 * DAY_MS), &was), [], "within a day of the first");
        assert_eq!(moves(&bought(11 * DAY_MS), &was), [], "before she was one");
        assert_eq!(moves(&person(&[], vec![]), &was), []);
    }

    #[test]
    fn a_journey_that_anything_would_begin_is_refused_and_so_is_a_name_that_stands_for_two_stages() {
        let found = |from: &str, to: &str| {
            let report = Report::new();
            let text = include_str!("../../config/lifecycle.yaml").replacen(from, to, 1);
            assert!(Definition::parse("l.yaml", &text, &report).is_none(), "{to}");
            report.diagnostics().into_iter().map(|d| d.code.to_owned()).collect::<Vec<_>>()
        };
        let again = "if: event(\"purchase\") || event(\"deal.won\")";
        assert_eq!(found(again, "if: identified || event(\"purchase\")"), ["L209"]);
        assert_eq!(found("aliases: [prospect]", "aliases: [suspect]"), ["L201"]);
        assert_eq!(found("aliases: [prospect]", "aliases: [prospect]\n    shown_as: prospekt"), ["L208"]);
    }

    #[test]
    fn whoever_gave_an_address_is_a_lead() {
        assert_eq!(moves(&person(&[], vec![]), &at("visitor")), [one("lead", "lead.identified")]);
    }

    #[test]
    fn a_webinar_registration_makes_an_mql_and_the_grounds_name_it() {
        let registered = did("webinar.registered", "reading-culture", DAY_MS);
        let steps = steps(&lifecycle(), &person(&[], vec![registered.clone()]), &at("lead"));
        assert_eq!(steps.len(), 1);
        assert_eq!((steps[0].to.as_str(), steps[0].rule.as_str()), ("mql", "mql.webinar"));
        assert_eq!(steps[0].grounds.activities, [Evidence::of(&registered)]);
        assert!(steps[0].grounds.condition.contains("webinar.registered"));
    }

    #[test]
    fn a_registration_of_ninety_days_ago_makes_nothing_any_more() {
        assert_eq!(moves(&person(&[], vec![did("webinar.registered", "w", 90 * DAY_MS)]), &at("lead")), []);
    }

    #[test]
    fn high_engagement_without_fit_is_no_mql() {
        let busy: Vec<Activity> = (0..6)
            .flat_map(|day| [did("visit", "/", day * DAY_MS), did("page", "/pricing", day * DAY_MS)])
            .chain([did("booking.held", "b", 0)])
            .collect();
        let busy = person(&[], busy);
        assert!(busy.score.engagement.band.0 <= 2, "{:?}", busy.score.engagement);
        assert_eq!(moves(&busy, &at("lead")), []);
        let fits = person(&[("job_title", "VP People"), ("country", "ES")], busy.activities.to_vec());
        assert_eq!(moves(&fits, &at("lead")), [one("mql", "mql.matrix")]);
    }

    #[test]
    fn a_booking_makes_an_sql_of_a_visitor_and_the_skipped_stage_is_recorded() {
        let steps = steps(&lifecycle(), &person(&[], vec![did("booking.confirmed", "b", 0)]), &at("visitor"));
        let moves: Vec<&str> = steps.iter().map(|step| step.to.as_str()).collect();
        assert_eq!(moves, ["lead", "sql"]);
        assert_eq!(steps[1].skipped, ["mql"]);
    }

    #[test]
    fn qualifying_answers_can_be_required_for_an_sql() {
        let strict = lifecycle_with(|text| text.replace("require_bant: 0", "require_bant: 2"));
        let booked = vec![did("booking.confirmed", "b", 0)];
        assert_eq!(steps(&strict, &person(&[("bant.need", "clubs")], booked.clone()), &at("mql")), []);
        let positive =
            person(&[("bant.need", "clubs"), ("bant.budget", "yes"), ("bant.authority", "no")], booked);
        assert_eq!(steps(&strict, &positive, &at("mql")).len(), 1);
    }

    #[test]
    fn only_an_sql_can_be_accepted_as_sal() {
        let accepted = || vec![did("decision", "ae.accept", 0)];
        assert_eq!(moves(&person(&[], accepted()), &at("mql")), []);
        assert_eq!(moves(&person(&[], accepted()), &at("sql")), [one("sal", "sal.accepted")]);
    }

    #[test]
    fn a_rejection_leads_back_and_the_old_booking_does_not_lead_there_again() {
        let booked = did("booking.confirmed", "b", 2_000);
        let rejected = did("decision", "ae.reject", 0);
        let nikki = person(&[], vec![booked.clone(), rejected.clone()]);
        assert_eq!(moves(&nikki, &at("sql")), [one("mql", "back.rejected_by_ae")]);
        let back = Position { stage: "mql".to_owned(), entered_at: NOW, back_at: Some(NOW) };
        let tomorrow = NOW.plus_ms(DAY_MS);
        let later = person_at(&[], vec![booked.clone(), rejected], tomorrow);
        assert_eq!(moves(&later, &back), []);
        let again = did("booking.confirmed", "c", -2_000);
        let later = person_at(&[], vec![booked, again], tomorrow);
        assert_eq!(moves(&later, &back), [one("sql", "sql.booked")]);
    }

    #[test]
    fn a_rejection_from_before_the_stage_was_entered_again_is_over() {
        let nikki = person(&[], vec![did("decision", "ae.reject", 5_000)]);
        assert_eq!(moves(&nikki, &at("sql")), []);
    }

    #[test]
    fn a_customer_with_a_new_interest_begins_a_new_journey() {
        let steps =
            steps(&lifecycle(), &person(&[], vec![did("interest.new_product", "x", 0)]), &at("customer"));
        assert_eq!(steps.len(), 1);
        assert!(steps[0].back && steps[0].new_journey);
    }

    #[test]
    fn whoever_is_disqualified_moves_only_by_a_persons_decision() {
        let rival = |activities: Vec<Activity>| {
            let facts =
                Facts::of(&Email::parse("nikki@lecturama.example").expect("valid"), "en", &BTreeMap::new());
            Person::new(&lifecycle(), facts, activities, NOW)
        };
        let registered = rival(vec![did("webinar.registered", "w", 0)]);
        assert_eq!(registered.disqualified.as_ref().map(|why| why.reason.as_str()), Some("competitor"));
        assert_eq!(moves(&registered, &at("visitor")), [one("lead", "lead.identified")]);
        assert_eq!(moves(&registered, &at("lead")), []);
        let accepted = rival(vec![did("decision", "sdr.accept", 0)]);
        assert_eq!(moves(&accepted, &at("lead")), [one("sql", "sql.accepted")]);
    }

    #[test]
    fn whoever_has_been_cool_for_long_enough_leaves_and_nobody_flaps() {
        let long_ago = Position { entered_at: NOW.plus_ms(-80 * DAY_MS), ..at("mql") };
        // 20 points fall below 15 after six days; then 45 days pass.
        let cold = person(&[], vec![did("webinar.registered", "w", 60 * DAY_MS)]);
        let steps = steps(&lifecycle(), &cold, &long_ago);
        assert_eq!(steps.len(), 1);
        assert_eq!((steps[0].to.as_str(), steps[0].rule.as_str()), ("lead", "back.cold.mql"));
        assert_eq!(steps[0].reason.as_deref(), Some("cold"));
        let not_yet = person(&[], vec![did("webinar.registered", "w", 50 * DAY_MS)]);
        assert_eq!(moves(&not_yet, &long_ago), []);
        let just_entered = Position { entered_at: NOW.plus_ms(-44 * DAY_MS), ..at("mql") };
        assert_eq!(moves(&cold, &just_entered), [], "the time in the stage counts");
        let warmed = person(
            &[],
            vec![did("webinar.registered", "w", 60 * DAY_MS), did("webinar.attended", "w", DAY_MS)],
        );
        assert_eq!(moves(&warmed, &long_ago), []);
        // Back in lead, what had made her an MQL does not make her one again; and 15 points are not enough to return.
        let back = Position { stage: "lead".to_owned(), entered_at: NOW, back_at: Some(NOW) };
        assert_eq!(moves(&cold, &back), []);
    }

    #[test]
    fn lists_are_looked_into_and_an_unknown_one_is_told_at_its_place() {
        let report = Report::new();
        let text = include_str!("../../config/lifecycle.yaml")
            .replace("contact.email_domain in @competitors", "contact.email_domain in @competitor");
        assert!(Definition::parse("l.yaml", &text, &report).is_none());
        let found = report.diagnostics();
        let line = 1 + text
            .lines()
            .position(|line| line.starts_with("    if: contact.email_domain in @"))
            .expect("there");
        let col = text.lines().nth(line - 1).and_then(|line| line.find('@')).expect("there") + 1;
        assert_eq!((found[0].code, found[0].line as usize, found[0].col as usize), ("L108", line, col));
        assert_eq!(found[0].hint.as_deref(), Some("did you mean \"competitors\"?"));
    }

    #[test]
    fn a_fact_that_points_are_named_for_says_how_many_are_missing() {
        let named = lifecycle_with(|text| {
            text.replace("if: fit in [\"A\", \"B\"] && engagement <= 2", "if: engagement_points >= 40.0")
        });
        let mql = named.stage("mql").expect("there is one");
        let nikki = person(&[], vec![did("page", "/pricing", 0)]);
        let misses = misses(&named, &nikki, &at("lead"), mql);
        let matrix = misses.iter().find(|miss| miss.rule == "mql.matrix").expect("told");
        assert_eq!(matrix.needs, [Need::Engagement { level: Level(2), points: 25.0 }]);
    }

    #[test]
    fn every_mistake_of_the_new_keys_is_told_in_one_run() {
        let report = Report::new();
        let text = include_str!("../../config/lifecycle.yaml")
            .replace(
                "review_by: 2027-12-31",
                "review_by: next year\napprovals: {required: [marketng]}\nowners: {sales: mike}",
            )
            .replace("job_title: {stale_after: 730d}", "job_title: {stale_after: two years}")
            .replace("after: 45d, to: lead", "after: 45, to: sql")
            .replace("business_hours: team", "business_hours: tem")
            .replace("from: [churned, do_not_pursue]", "from: [churnd]")
            .replace("give_up: {from: churned, after: 5,", "give_up: {from: churned, after: 0,")
            .replace("begins: customer", "begins: custmer")
            .replace("reason: competitor\n", "reson: competitor\n");
        assert!(Definition::parse("l.yaml", &text, &report).is_none());
        let told = report.text();
        for part in [
            "next year",
            "marketng",
            "an e-mail address",
            "two years",
            "\"45\"",
            "there is no stage \"sql\"",
            "\"tem\"",
            "there is no state \"churnd\"",
            "found \"0\"",
            "there is no stage \"custmer\"",
            "unknown key \"reson\"",
        ] {
            assert!(told.contains(part), "{part} is missing:\n{told}");
        }
        assert!(report.diagnostics().iter().all(|found| found.line > 1), "each has its place:\n{told}");
    }

    #[test]
    fn the_nearest_miss_says_what_would_be_enough() {
        let definition = lifecycle();
        let mql = definition.stage("mql").expect("there is one");
        let nikki = person(&[("job_title", "VP People")], vec![did("page", "/pricing", 0)]);
        let misses = misses(&definition, &nikki, &at("lead"), mql);
        assert_eq!(misses[0].rule, "mql.webinar");
        assert_eq!(misses[0].needs, [Need::Event { kind: "webinar.registered".to_owned() }]);
        assert_eq!(misses[1].needs, [Need::Engagement { level: Level(2), points: 20.0 }]);
    }

    #[test]
    fn mistakes_are_found_all_at_once_with_their_places() {
        let report = Report::new();
        let text = include_str!("../../config/lifecycle.yaml")
            .replace(
                "if: event(\"webinar.registered\", \"90d\")",
                "if: event(\"webinar.registerd\", \"90 days\")",
            )
            .replace("fit in [\"A\", \"B\"]", "fit in [\"A\", \"E\"]")
            .replace("to: mql\n    if: event(\"interest", "to: customer\n    if: event(\"interest")
            .replace("from: [sql]\n", "from: [sqll]\n")
            .replace("group: intent\n      points: 30", "group: intend\n      points: 30");
        assert!(Definition::parse("l.yaml", &text, &report).is_none());
        let codes: Vec<&str> = report.diagnostics().iter().map(|found| found.code).collect();
        for code in ["L102", "L105", "L106", "L205", "L206", "E105"] {
            assert!(codes.contains(&code), "{code} is missing:\n{}", report.text());
        }
        assert!(report.text().contains("did you mean \"webinar.registered\"?"), "{}", report.text());
    }

    #[test]
    fn mistakes_of_different_kinds_in_one_condition_are_told_together_at_their_places() {
        let report = Report::new();
        let condition =
            "event(\"webinar.registerd\", \"90x\") && contact.foo == 1 && contact.industry in @nowhere";
        let text = include_str!("../../config/lifecycle.yaml")
            .replace("if: event(\"webinar.registered\", \"90d\")", &format!("if: {condition}"));
        assert!(Definition::parse("l.yaml", &text, &report).is_none());
        let (row, line) =
            text.lines().enumerate().find(|(_, line)| line.contains(condition)).expect("it stands there");
        let of = |part: &str| line.find(part).expect("a part of it") + 1;
        let mut found: Vec<(&str, usize, usize)> = report
            .diagnostics()
            .iter()
            .map(|found| (found.code, found.line as usize - 1, found.col as usize))
            .collect();
        found.sort_unstable();
        let expected = [
            ("E102", row, of("contact.foo")),
            ("L105", row, of("\"90x\"")),
            ("L106", row, of("\"webinar.registerd\"")),
            ("L108", row, of("@nowhere")),
        ];
        assert_eq!(found, expected, "{}", report.text());
    }
}
