//! How the bot's conversations go: who answers, at which step they end, what becomes of them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

use super::{Span, share};
use crate::base::ids::ContactId;
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
    pub is_booked: bool,
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
    pub outcomes: BTreeMap<String, usize>,
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
                is_booked: row.get::<i64>("calls")? > 0,
            })
        })
        .collect()
}

/// Counts them. A step that a conversation comes to twice is counted once, and so is a way between two steps.
pub fn chats(talks: &[Talk]) -> Report {
    let mut report = Report::default();
    for talk in talks {
        let flow = report.by_flow.entry(talk.flow.clone()).or_default();
        for numbers in [&mut report.total, &mut flow.numbers] {
            numbers.started += 1;
            numbers.answered += usize::from(talk.has_answered);
            numbers.handed_over += usize::from(talk.is_handed_over);
            numbers.booked += usize::from(talk.is_booked);
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
            is_booked: outcome == Some("booked"),
        }
    }

    #[test]
    fn each_step_tells_who_came_to_it_who_ended_there_and_where_the_others_went() {
        let told = chats(&[
            talk(&["hello", "menu", "book"], Some("booked")),
            talk(&["hello", "menu", "menu", "bye"], Some("answered")),
            talk(&["hello", "menu"], Some("abandoned")),
            talk(&["hello"], None),
        ]);
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
    fn going_round_is_counted_once() {
        let told = chats(&[talk(&["a", "b", "a", "b", "a"], Some("answered"))]);
        let steps = &told.by_flow["welcome"].steps;
        assert_eq!((steps["a"].reached, steps["b"].reached, steps["a"].ended), (1, 1, 1));
        assert_eq!((steps["a"].next["b"], steps["b"].next["a"]), (1, 1));
    }
}
