//! When a flow offers itself: to whom, on which pages, at which moment, and how often.

use crate::base::diagnostic::Mark;
use crate::base::expr::{Expr, Symbols};
use crate::base::yaml::{Spanned, View};

use super::flow::condition;
use super::pages::Pages;

/// When a flow offers itself.
#[derive(Clone, Debug)]
pub struct Trigger {
    pub at: Mark,
    pub when: When,
    pub condition: Option<Expr>,
    /// The pages it is meant for; without any it is meant for all.
    pub pages: Pages,
    pub moment: Moment,
    pub frequency: Option<Frequency>,
    pub priority: i64,
    /// Whether the panel opens by itself, or only the launcher says that there is something.
    pub open: bool,
}

/// What a trigger listens to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// A page is viewed.
    PageView,
    /// The visitor opens the chat herself.
    Opened,
    /// The page tells of something by `embudo('event', name)`.
    Event(String),
    /// The page asks for this very flow by `embudo('chat', 'open', flow)`, or a program does.
    Api,
}

/// What has to happen on the page before the flow speaks; the first that happens counts. Nothing of it means at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// She has been on the page for so long.
    pub delay_ms: Option<i64>,
    /// She has read down to this share of the page, in percent.
    pub scroll: Option<u8>,
    /// The pointer leaves through the top of the window, or on a phone she scrolls up fast: she is about to go.
    pub exit_intent: bool,
}

/// How often one visitor may be offered a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frequency {
    pub once_per_ms: i64,
    pub max: i64,
    pub quiet_after_dismiss_ms: i64,
}

impl Trigger {
    pub fn read(view: View<'_>, symbols: &Symbols) -> Option<Trigger> {
        let mut map = view.map()?;
        let when = map.required("when").and_then(|v| v.one_of(&["page_view", "opened", "event", "api"]));
        let event = map.optional("event").and_then(View::spanned);
        let condition = map.optional("if").and_then(|v| condition(v, symbols));
        let pages = map.optional("paths").map(Pages::read).unwrap_or_default();
        let moment = Moment {
            delay_ms: map.optional("delay").and_then(View::duration_ms),
            scroll: map.optional("scroll").and_then(percent),
            exit_intent: map.optional("exit_intent").and_then(View::bool).unwrap_or(false),
        };
        let frequency = map.optional("frequency").and_then(View::map).and_then(|mut f| {
            let once_per_ms = f.required("once_per").and_then(View::duration_ms);
            let max = f.optional("max").and_then(View::int).unwrap_or(i64::MAX);
            let quiet = f.optional("quiet_after_dismiss").and_then(View::duration_ms).unwrap_or(0);
            f.finish();
            Some(Frequency { once_per_ms: once_per_ms?, max, quiet_after_dismiss_ms: quiet })
        });
        let priority = map.optional("priority").and_then(View::int).unwrap_or(0);
        let open = map.optional("open").and_then(View::bool).unwrap_or(false);
        let on_page = moment.scroll.is_some() || moment.exit_intent;
        if on_page && matches!(when, Some("opened" | "api")) {
            view.error("Y004", "nobody scrolls or leaves before a flow that she opens herself")
                .hint("`scroll` and `exit_intent` go with `when: page_view` or `when: event`");
        }
        let when = when_of(view, when, event);
        map.finish();
        Some(Trigger {
            at: view.at().clone(),
            when: when?,
            condition,
            pages,
            moment,
            frequency,
            priority,
            open,
        })
    }
}

fn when_of(view: View<'_>, word: Option<&str>, event: Option<Spanned<String>>) -> Option<When> {
    match (word?, event) {
        ("event", Some(event)) => Some(When::Event(event.value)),
        ("event", None) => {
            view.error("Y005", "`when: event` needs the name of the event")
                .hint("event: demo_clicked, as in embudo('event', 'demo_clicked')");
            None
        }
        (_, Some(event)) => {
            view.report
                .error(&event.at, "Y003", "an event is only listened to with `when: event`")
                .hint("write `when: event`, or take `event` out");
            None
        }
        ("opened", None) => Some(When::Opened),
        ("api", None) => Some(When::Api),
        _ => Some(When::PageView),
    }
}

/// A share in whole percent.
pub fn percent(view: View<'_>) -> Option<u8> {
    view.percent().and_then(|percent| format!("{percent:.0}").parse().ok())
}
