//! Which flows offer themselves to a visitor on a page.

use std::sync::Arc;

use super::engine::Crowd;
use super::flow::{Flow, Moment, Trigger, When};
use super::flows::Flows;
use super::live::approach;
use super::store;
use super::world::{self, Sight};
use super::{Error, Room, Visit, talk_of};
use crate::base::ids::VisitorId;
use crate::base::time::Timestamp;
use crate::contacts::Trust;
use crate::storage::db::Queries;

/// A flow that wants to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    pub flow: String,
    /// What has to happen on the page before.
    pub moment: Moment,
    /// The event of the page's own that it waits for.
    pub event: Option<String>,
    /// Whether the panel opens by itself.
    pub open: bool,
}

/// Flows that one page is offered at most.
const AT_MOST: usize = 8;

/// Who comes to a page, and who of the company is there then.
#[derive(Clone, Copy)]
pub(super) struct Coming<'v> {
    pub visit: &'v Visit,
    pub visitor: VisitorId,
    pub online: &'v Crowd,
}

/// The flows that fit this page, the highest priority first; the page opens the one whose moment comes first. Nothing
/// is offered to a device that may not be recognised, nor where a conversation is open already, on this device or another.
///
/// # Errors
/// As the store says.
pub async fn offer(room: &Room, visit: &Visit, now: Timestamp) -> Result<Vec<Offered>, Error> {
    let Some(visitor) = visit.visitor else { return Ok(Vec::new()) };
    let online = room.crowd(now).await;
    let coming = Coming { visit, visitor, online: &online };
    let mut q = room.stores.db.read();
    if let Some(open) = talk_of(&mut q, visitor, &visit.site).await? {
        // Somebody of the company has spoken to her: that is shown, and nothing else.
        let waits = approach::is_waiting(&mut q, open.id).await?;
        return Ok(open.flow.filter(|_| waits).map(approach::offered).into_iter().collect());
    }
    let of_pages = |when: &When| matches!(when, When::PageView | When::Event(_));
    let mut offered: Vec<Offered> = Vec::new();
    let mut at_once = None;
    let flows = room.flows.now();
    for (flow, trigger) in fitting(&mut q, room, &flows, coming, of_pages, now).await? {
        let event = match &trigger.when {
            When::Event(name) => Some(name.clone()),
            When::PageView | When::Opened | When::Api => None,
        };
        // Of flows that wait for nothing but the same or a longer time only the first can ever come to speak.
        let waits = event.is_some() || trigger.moment.is_hers();
        let delay_ms = trigger.moment.delay_ms.unwrap_or(0);
        if !waits {
            if at_once.is_some_and(|earlier| earlier <= delay_ms) {
                continue;
            }
            at_once = Some(delay_ms);
        }
        offered.push(Offered { flow: flow.id.clone(), moment: trigger.moment, event, open: trigger.open });
        if offered.len() == AT_MOST {
            break;
        }
    }
    Ok(offered)
}

/// The first flow whose trigger fits.
pub(super) async fn choose<'f>(
    q: &mut impl Queries,
    room: &Room,
    flows: &'f Flows,
    coming: Coming<'_>,
    when: &When,
    now: Timestamp,
) -> Result<Option<&'f Arc<Flow>>, Error> {
    let found = fitting(q, room, flows, coming, |own| own == when, now).await?;
    Ok(found.first().map(|(flow, _)| *flow))
}

/// The flow of a name, if its trigger lets this visitor have it: its condition holds and the page is one of its pages.
/// How often it was shown does not matter to somebody who is looking at its offer. A flow without a trigger is only
/// ever called by others.
pub(super) async fn named<'f>(
    q: &mut impl Queries,
    room: &Room,
    flows: &'f Flows,
    coming: Coming<'_>,
    name: &str,
    now: Timestamp,
) -> Result<Option<&'f Arc<Flow>>, Error> {
    let Some((flow, trigger)) = flows.find(name).and_then(|flow| Some((flow, flow.trigger.as_ref()?))) else {
        return Ok(None);
    };
    if !coming.visit.is_hosted && !trigger.pages.fits(&coming.visit.page.url) {
        return Ok(None);
    }
    let Some(condition) = &trigger.condition else { return Ok(Some(flow)) };
    let world = world::see(q, room, &sight(coming), now).await?;
    Ok(condition.holds(&world.facts).then_some(flow))
}

fn sight(Coming { visit, visitor, online }: Coming<'_>) -> Sight<'_> {
    let (language, zone, page) = (visit.language, visit.zone.as_str(), &visit.page);
    Sight { visitor, language, zone, page, path: None, most_trust: Trust::Authenticated, online }
}

/// The flows that listen to something and whose triggers fit, the highest priority first.
async fn fitting<'f>(
    q: &mut impl Queries,
    room: &Room,
    flows: &'f Flows,
    coming: Coming<'_>,
    listens: impl Fn(&When) -> bool,
    now: Timestamp,
) -> Result<Vec<(&'f Arc<Flow>, &'f Trigger)>, Error> {
    let triggers = flows.all().iter().filter_map(|flow| Some((flow, flow.trigger.as_ref()?)));
    let candidates: Vec<_> = triggers
        .filter(|(_, trigger)| listens(&trigger.when) && trigger.pages.fits(&coming.visit.page.url))
        .collect();
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let world = world::see(q, room, &sight(coming), now).await?;
    let mut found = Vec::new();
    for (flow, trigger) in candidates {
        let holds = trigger.condition.as_ref().is_none_or(|condition| condition.holds(&world.facts));
        if holds && may_show(trigger, &store::showings(q, coming.visitor, &flow.id).await?, now) {
            found.push((flow, trigger));
        }
    }
    Ok(found)
}

fn may_show(trigger: &Trigger, shown: &store::Showings, now: Timestamp) -> bool {
    let Some(frequency) = &trigger.frequency else { return true };
    let rested = |since: Option<Timestamp>, ms: i64| since.is_none_or(|at| now.since_ms(at) >= ms);
    shown.count < frequency.max
        && rested(shown.last_at, frequency.once_per_ms)
        && rested(shown.dismissed_at, frequency.quiet_after_dismiss_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::flow::Frequency;

    #[test]
    fn a_flow_is_not_shown_too_often_nor_soon_after_it_was_sent_away() {
        let frequency = Frequency { once_per_ms: 100, max: 3, quiet_after_dismiss_ms: 1_000 };
        let trigger = Trigger {
            at: crate::base::diagnostic::Mark::file("f"),
            when: When::PageView,
            condition: None,
            pages: Default::default(),
            moment: Moment::default(),
            frequency: Some(frequency),
            priority: 0,
            open: false,
        };
        let shown = |count, last: i64, dismissed: Option<i64>| store::Showings {
            count,
            last_at: Some(Timestamp(last)),
            dismissed_at: dismissed.map(Timestamp),
        };
        let now = Timestamp(2_000);
        assert!(may_show(&trigger, &store::Showings::default(), now));
        assert!(may_show(&trigger, &shown(1, 1_900, None), now));
        assert!(!may_show(&trigger, &shown(1, 1_901, None), now));
        assert!(!may_show(&trigger, &shown(3, 0, None), now));
        assert!(!may_show(&trigger, &shown(1, 1_001, Some(1_001)), now));
        assert!(may_show(&trigger, &shown(1, 1_000, Some(1_000)), now));
    }
}
