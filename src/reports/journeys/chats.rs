//! How the bot's conversations go: who answers, at which step they end, what becomes of them.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;
use serde_json::Value as Json;

use super::{Span, share};
use crate::base::ids::ContactId;
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::chat::Flows;
use crate::chat::flow::Flow as ChatFlow;
use crate::chat::graph::Graph;
use crate::chat::steps::Verb;
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

/// The latest conversations that are looked at.
const MOST: i64 = 50_000;

/// One conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Talk {
    pub flow: String,
    /// The version that it goes by, or ended by.
    pub version: String,
    pub contact: Option<ContactId>,
    /// The steps that it came through, in order.
    pub path: Vec<String>,
    pub outcome: Option<String>,
    /// It is over.
    pub is_closed: bool,
    pub has_answered: bool,
    pub is_handed_over: bool,
    /// Times for a call were shown in it.
    pub is_shown_times: bool,
    pub is_booked: bool,
    pub opened_at: Timestamp,
}

/// One step of a flow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Conversations that came to it.
    pub reached: usize,
    /// Those that are over and whose last step it was.
    pub ended: usize,
    /// Those that wait here.
    pub open: usize,
    /// Where they went on to, and how many.
    pub next: BTreeMap<String, usize>,
}

/// One flow, or all of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Numbers {
    pub started: usize,
    pub answered: usize,
    pub answered_rate: Option<f64>,
    pub handed_over: usize,
    pub booked: usize,
    pub booked_rate: Option<f64>,
    /// Begun while nobody of the team worked.
    pub off_hours: usize,
    /// Nothing where no hours are known.
    pub off_hours_rate: Option<f64>,
    pub outcomes: BTreeMap<String, usize>,
}

/// From offering a call to booking it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Offered {
    /// Conversations that came to where a call is one answer away, or further; times that the booking page was opened.
    pub offered: usize,
    /// Of these, those in which times were shown.
    pub shown: usize,
    pub shown_rate: Option<f64>,
    /// Of these, those in which a call was booked.
    pub booked: usize,
    pub booked_rate: Option<f64>,
}

impl Offered {
    /// The steps with the share of each that went on.
    pub fn of(offered: usize, shown: usize, booked: usize) -> Self {
        Self { offered, shown, shown_rate: share(shown, offered), booked, booked_rate: share(booked, shown) }
    }
}

/// Counts how far conversations went from an offer to a call; `is_offer` says of a flow's step whether a call is one answer
/// away there, or booked. Who was shown times by a colleague was offered a call as well.
pub fn offered(talks: &[Talk], is_offer: impl Fn(&str, &str) -> bool) -> Offered {
    let (mut offered, mut shown, mut booked) = (0, 0, 0);
    for talk in talks {
        let is_offered = talk.path.iter().any(|step| is_offer(&talk.flow, step));
        let is_shown = talk.is_shown_times || talk.is_booked;
        offered += usize::from(is_offered || is_shown);
        shown += usize::from(is_shown);
        booked += usize::from(talk.is_booked);
    }
    Offered::of(offered, shown, booked)
}

/// The steps of each flow at which a call is booked, and those from which such a step is one answer away.
pub fn offers(flows: &Flows) -> HashMap<String, HashSet<String>> {
    let of_flow = |flow: &ChatFlow| {
        let graph = Graph::of(flow, Language::En);
        let books = |id: &str| {
            // What a called flow books stands under the name of the step that calls it.
            let within = format!("{id}/");
            let is_here = |step: &&crate::chat::flow::Step| step.id == id || step.id.starts_with(&within);
            flow.steps.iter().filter(is_here).any(|step| matches!(step.verb, Verb::Book(_)))
        };
        let booking: Vec<bool> = graph.nodes.iter().map(|node| books(&node.id)).collect();
        let is_booking = |at: usize| booking.get(at).copied().unwrap_or_default();
        let near = graph.edges.iter().filter(|edge| is_booking(edge.to) && !edge.is_fallback);
        let near = near.filter_map(|edge| graph.nodes.get(edge.from));
        let own = graph.nodes.iter().enumerate().filter(|(at, _)| is_booking(*at)).map(|(_, node)| node);
        let ids = near.filter(|node| node.verb == "ask").chain(own.filter(|node| node.verb == "book"));
        let inside = flow.steps.iter().filter(|step| matches!(step.verb, Verb::Book(_)));
        ids.map(|node| node.id.clone()).chain(inside.map(|step| step.id.clone())).collect()
    };
    flows.all().iter().map(|flow| (flow.id.clone(), of_flow(flow))).collect()
}

/// One flow with its steps.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Flow {
    #[serde(flatten)]
    pub numbers: Numbers,
    pub steps: BTreeMap<String, Step>,
}

/// The answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    pub total: Numbers,
    pub by_flow: BTreeMap<String, Flow>,
}

/// The conversations with a flow that began in a span, the latest 50,000.
///
/// # Errors
/// As the store says.
pub async fn talks(q: &mut impl Queries, span: Span) -> Result<Vec<Talk>> {
    let rows = q
        .query(
            sql!(
                "select t.flow, t.flow_version, coalesce(c.merged_into, c.id) as contact_id, t.state, t.outcome, t.closed_at, t.mode,
                     (select count(*) from messages m where m.conversation_id = t.id and m.author = 'visitor') as answers,
                     t.opened_at,
                     (select count(*) from messages m where m.conversation_id = t.id
                         and m.author in ('bot', 'agent') and m.body like '%_slots_:%') as slots,
                     (select count(*) from chat_offers o where o.conversation_id = t.id) as offers,
                     (select count(*) from bookings b where b.conversation_id = t.id
                         and b.companion_of is null and b.state in ('confirmed', 'cancelled')) as calls
                 from conversations t left join contacts c on c.id = t.contact_id
                 where t.opened_at >= $1 and t.opened_at < $2 and t.flow is not null
                 order by t.opened_at desc, t.id limit $3"
            ),
            params![span.from, span.to, MOST],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let state: Json = row.json("state")?;
            let steps = state.get("path").and_then(Json::as_array);
            let path = steps.into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect();
            Ok(Talk {
                flow: row.get("flow")?,
                version: row.get::<Option<String>>("flow_version")?.unwrap_or_default(),
                contact: row.get("contact_id")?,
                path,
                outcome: row.get("outcome")?,
                is_closed: row.get::<Option<i64>>("closed_at")?.is_some()
                    || row.get::<String>("mode")? == "closed",
                has_answered: row.get::<i64>("answers")? > 0,
                is_handed_over: row.get::<i64>("offers")? > 0,
                is_shown_times: row.get::<i64>("slots")? > 0,
                is_booked: row.get::<i64>("calls")? > 0,
                opened_at: row.get("opened_at")?,
            })
        })
        .collect()
}

/// Counts them. A step that a conversation comes to twice is counted once, and so is a way between two steps. `works` says
/// whether anybody of the team works at a moment; nothing where that is not known.
pub fn chats(talks: &[Talk], works: impl Fn(Timestamp) -> Option<bool>) -> Report {
    let mut report = Report::default();
    for talk in talks {
        let is_off_hours = works(talk.opened_at).map(|works| !works);
        let flow = report.by_flow.entry(talk.flow.clone()).or_default();
        for numbers in [&mut report.total, &mut flow.numbers] {
            numbers.started += 1;
            numbers.answered += usize::from(talk.has_answered);
            numbers.handed_over += usize::from(talk.is_handed_over);
            numbers.booked += usize::from(talk.is_booked);
            numbers.off_hours += usize::from(is_off_hours == Some(true));
            numbers.off_hours_rate = is_off_hours.and_then(|_| share(numbers.off_hours, numbers.started));
            if let Some(outcome) = &talk.outcome {
                *numbers.outcomes.entry(outcome.clone()).or_default() += 1;
            }
        }
        for (at, step) in talk.path.iter().enumerate() {
            let earlier = talk.path.get(..at).unwrap_or_default();
            let of_step = flow.steps.entry(step.clone()).or_default();
            of_step.reached += usize::from(!earlier.contains(step));
            match talk.path.get(at + 1) {
                Some(next) => {
                    let is_known =
                        talk.path.windows(2).take(at).any(|pair| pair == [step.clone(), next.clone()]);
                    if !is_known {
                        *of_step.next.entry(next.clone()).or_default() += 1;
                    }
                }
                None if talk.is_closed => of_step.ended += 1,
                None => of_step.open += 1,
            }
        }
    }
    for numbers in report.by_flow.values_mut().map(|flow| &mut flow.numbers).chain([&mut report.total]) {
        numbers.answered_rate = share(numbers.answered, numbers.started);
        numbers.booked_rate = share(numbers.booked, numbers.started);
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Report as Findings;
    use crate::base::time::HOUR_MS;
    use crate::chat::check::Known;

    fn talk(path: &[&str], outcome: Option<&str>) -> Talk {
        Talk {
            flow: "welcome".to_owned(),
            version: "v1".to_owned(),
            contact: None,
            path: path.iter().map(|step| (*step).to_owned()).collect(),
            outcome: outcome.map(str::to_owned),
            is_closed: outcome.is_some(),
            has_answered: path.len() > 1,
            is_handed_over: false,
            is_shown_times: path.contains(&"book"),
            is_booked: outcome == Some("booked"),
            opened_at: Timestamp(0),
        }
    }

    #[test]
    fn each_step_tells_who_came_to_it_who_ended_there_and_where_the_others_went() {
        let talks = [
            talk(&["hello", "menu", "book"], Some("booked")),
            talk(&["hello", "menu", "menu", "bye"], Some("answered")),
            talk(&["hello", "menu"], Some("abandoned")),
            talk(&["hello"], None),
        ];
        let told = chats(&talks, |_| None);
        assert_eq!((told.total.off_hours, told.total.off_hours_rate), (0, None), "no hours are known");
        let steps = &told.by_flow["welcome"].steps;
        assert_eq!((steps["hello"].reached, steps["hello"].ended, steps["hello"].open), (4, 0, 1));
        assert_eq!((steps["menu"].reached, steps["menu"].ended), (3, 1));
        assert_eq!(
            steps["menu"].next,
            BTreeMap::from([("book".into(), 1), ("bye".into(), 1), ("menu".into(), 1)])
        );
        let total = &told.total;
        assert_eq!((total.started, total.answered, total.booked), (4, 3, 1));
        assert_eq!((total.booked_rate, total.outcomes["abandoned"]), (Some(0.25), 1));
    }

    #[test]
    fn one_of_four_began_while_nobody_worked() {
        let at = |hour: i64| Talk { opened_at: Timestamp(hour * HOUR_MS), ..talk(&["hello"], None) };
        let told = chats(&[at(9), at(12), at(17), at(22)], |at| Some(at.as_ms() < 18 * HOUR_MS));
        assert_eq!((told.total.off_hours, told.by_flow["welcome"].numbers.off_hours_rate), (1, Some(0.25)));
    }

    #[test]
    fn of_four_three_were_offered_a_call_two_saw_times_and_one_booked() {
        let talks = [
            talk(&["hello", "menu", "book"], Some("booked")),
            talk(&["hello", "menu", "book"], Some("abandoned")),
            talk(&["hello", "menu"], Some("abandoned")),
            talk(&["hello"], None),
        ];
        let told = offered(&talks, |flow, step| flow == "welcome" && ["menu", "book"].contains(&step));
        assert_eq!((told.offered, told.shown, told.booked), (3, 2, 1));
        assert_eq!((told.shown_rate, told.booked_rate), (Some(0.6667), Some(0.5)));
    }

    #[test]
    fn a_call_is_offered_where_it_is_one_answer_away() {
        let text = "flow: errand\ntitle: An errand\nlanguages: [en]\ntrigger: {when: api}\n\
                    defaults: {timeout: {after: 5m, goto: bye}, exhausted: bye}\n\
                    events: {human_requested: bye, stop_requested: bye}\nsteps:\n  \
                    hello: {say: Hi.}\n  \
                    menu: {ask: What now?, choices: {call: {label: A call, goto: slot}, nothing: {label: Nothing, goto: bye}}}\n  \
                    slot: {book: {meeting: discovery}, ask: When?, outcomes: {none_fit: bye, unavailable: bye}}\n  \
                    sure: {say: See you., end: booked}\n  \
                    bye: {say: Bye., end: done}\n";
        let report = Findings::new();
        let flows = [("errand.yaml".to_owned(), text.to_owned())];
        let flows =
            Flows::read(&flows, &Known::default(), &report).unwrap_or_else(|| panic!("{}", report.text()));
        let steps = &offers(&flows)["errand"];
        let mut steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        steps.sort_unstable();
        assert_eq!(steps, ["menu", "slot"]);
    }

    #[test]
    fn going_round_is_counted_once() {
        let told = chats(&[talk(&["a", "b", "a", "b", "a"], Some("answered"))], |_| None);
        let steps = &told.by_flow["welcome"].steps;
        assert_eq!((steps["a"].reached, steps["b"].reached, steps["a"].ended), (1, 1, 1));
        assert_eq!((steps["a"].next["b"], steps["b"].next["a"]), (1, 1));
    }
}
