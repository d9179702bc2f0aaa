//! Which flow offers itself to a visitor on a page.

use std::sync::Arc;

use super::flow::{Flow, Trigger, When};
use super::flows::Flows;
use super::store;
use super::world::{self, Sight};
use super::{Error, Room, Visit};
use crate::base::ids::VisitorId;
use crate::base::time::Timestamp;
use crate::storage::db::Queries;

/// A flow that wants to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    pub flow: String,
    pub delay_ms: i64,
    /// Whether the panel opens by itself.
    pub open: bool,
}

/// The flow that fits this page view best, if one does. Nothing is offered to a device that may not be recognised,
/// nor where a conversation is open already.
///
/// # Errors
/// As the store says.
pub async fn offer(room: &Room, visit: &Visit, now: Timestamp) -> Result<Option<Offered>, Error> {
    let Some(visitor) = visit.visitor else { return Ok(None) };
    let mut q = room.stores.db.read();
    if store::open_of(&mut q, visitor, &visit.site).await?.is_some() {
        return Ok(None);
    }
    let flows = room.flows.now();
    let Some(flow) = choose(&mut q, room, &flows, visit, visitor, When::PageView, now).await? else {
        return Ok(None);
    };
    let trigger = flow.trigger.as_ref();
    Ok(trigger.map(|trigger| Offered {
        flow: flow.id.clone(),
        delay_ms: trigger.delay_ms,
        open: trigger.open,
    }))
}

/// The first flow whose trigger fits.
pub(super) async fn choose<'f>(
    q: &mut impl Queries,
    room: &Room,
    flows: &'f Flows,
    visit: &Visit,
    visitor: VisitorId,
    when: When,
    now: Timestamp,
) -> Result<Option<&'f Arc<Flow>>, Error> {
    let path = visit.page.path();
    let mut fitting =
        flows.on(when).filter_map(|flow| flow.trigger.as_ref().map(|t| (flow, t))).peekable();
    if fitting.peek().is_none() {
        return Ok(None);
    }
    let sight = Sight {
        visitor,
        language: visit.language,
        zone: &visit.zone,
        page: &visit.page,
        online: room.online(now).await,
    };
    let world = world::see(q, room, &sight, now).await?;
    for (flow, trigger) in fitting.filter(|(_, trigger)| fits(&trigger.paths, &path)) {
        let holds = trigger.condition.as_ref().is_none_or(|condition| condition.holds(&world.facts));
        if holds && may_show(trigger, &store::showings(q, visitor, &flow.id).await?, now) {
            return Ok(Some(flow));
        }
    }
    Ok(None)
}

fn may_show(trigger: &Trigger, shown: &store::Showings, now: Timestamp) -> bool {
    let Some(frequency) = &trigger.frequency else { return true };
    let rested = |since: Option<Timestamp>, ms: i64| since.is_none_or(|at| now.since_ms(at) >= ms);
    shown.count < frequency.max
        && rested(shown.last_at, frequency.once_per_ms)
        && rested(shown.dismissed_at, frequency.quiet_after_dismiss_ms)
}

/// Whether a path fits one of the patterns; `*` stands for any characters.
pub(super) fn fits(patterns: &[String], path: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| like(pattern, path))
}

fn like(pattern: &str, path: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == path };
    let Some(mut left) = path.strip_prefix(head) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        match left.split_once(part) {
            Some((_, after)) => left = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::flow::Frequency;

    #[test]
    fn paths_are_matched_with_stars() {
        for (pattern, path, fitting) in [
            ("/", "/", true),
            ("/", "/pricing", false),
            ("/pricing*", "/pricing/teams", true),
            ("/webinars/*", "/webinars/", true),
            ("/webinars/*", "/webinar", false),
            ("*/es/*.html", "/a/es/b/c.html", true),
            ("*/es/*.html", "/a/es/b/c.htm", false),
            ("*", "/anything", true),
        ] {
            assert_eq!(fits(&[pattern.to_owned()], path), fitting, "{pattern} {path}");
        }
        assert!(fits(&[], "/anywhere"));
    }

    #[test]
    fn a_flow_is_not_shown_too_often_nor_soon_after_it_was_sent_away() {
        let frequency = Frequency { once_per_ms: 100, max: 3, quiet_after_dismiss_ms: 1_000 };
        let trigger = Trigger {
            at: crate::base::diagnostic::Mark::file("f"),
            when: When::PageView,
            condition: None,
            paths: Vec::new(),
            delay_ms: 0,
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
