//! When a flow offers itself: to whom, on which pages, at which moment, and how often.

use crate::base::diagnostic::{Mark, nearest};
use crate::base::expr::{Expr, Symbols};
use crate::base::yaml::{Spanned, View};

use super::flow::{LEAST_WAIT, condition};
use super::pages::Pages;

/// The words of [`When`].
const WHEN: [&str; 4] = ["page_view", "opened", "event", "api"];

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
    /// She has neither moved, typed, touched nor scrolled for so long.
    pub idle_ms: Option<i64>,
    /// The pointer leaves through the top of the window, or on a phone she scrolls up fast: she is about to go.
    pub exit_intent: bool,
}

impl Moment {
    /// Whether something other than a time is waited for, or a time of rest.
    pub fn is_hers(&self) -> bool {
        self.scroll.is_some() || self.exit_intent || self.idle_ms.is_some()
    }

    /// How long it takes at most for somebody who does nothing.
    pub fn at_rest_ms(&self) -> Option<i64> {
        self.delay_ms.into_iter().chain(self.idle_ms).min()
    }
}

/// How often one visitor may be offered a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frequency {
    pub once_per_ms: i64,
    pub max: i64,
    pub quiet_after_dismiss_ms: i64,
}

impl Trigger {
    /// Reads a trigger. What cannot be read of it is told; the flow is offered to somebody all the same, so that
    /// nothing is looked for that is not wrong.
    pub fn read(view: View<'_>, symbols: &Symbols) -> Trigger {
        let Some(mut map) = view.map() else {
            return Trigger {
                at: view.at().clone(),
                when: When::Api,
                condition: None,
                pages: Pages::default(),
                moment: Moment::default(),
                frequency: None,
                priority: 0,
                open: false,
            };
        };
        let written = map.required("when");
        let when = written.and_then(|view| view.one_of(&WHEN)).or_else(|| {
            let text = &written?.text()?.text;
            WHEN.into_iter().find(|word| nearest(text, WHEN) == Some(*word))
        });
        let event = map.optional("event").and_then(View::spanned);
        let condition = map.optional("if").and_then(|v| condition(v, symbols));
        let pages = map.optional("paths").map(Pages::read).unwrap_or_default();
        let moment = Moment {
            delay_ms: map.optional("delay").and_then(View::duration_ms),
            scroll: map.optional("scroll").and_then(percent),
            idle_ms: map.optional("idle").and_then(|view| view.duration_from(LEAST_WAIT)),
            exit_intent: map.optional("exit_intent").and_then(View::bool).unwrap_or(false),
        };
        let frequency = map.optional("frequency").map(Frequency::read);
        let priority = map.optional("priority").and_then(View::int).unwrap_or(0);
        let open = map.optional("open").and_then(View::bool).unwrap_or(false);
        if moment.is_hers() && matches!(when, Some("opened" | "api")) {
            view.error("Y004", "nobody scrolls, rests or leaves before a flow that she opens herself")
                .hint("`scroll`, `idle` and `exit_intent` go with `when: page_view` or `when: event`");
        }
        let when = when_of(view, when, event);
        map.finish();
        Trigger { at: view.at().clone(), when, condition, pages, moment, frequency, priority, open }
    }
}

impl Frequency {
    fn read(view: View<'_>) -> Frequency {
        let Some(mut map) = view.map() else {
            return Frequency { once_per_ms: 0, max: i64::MAX, quiet_after_dismiss_ms: 0 };
        };
        let once_per_ms = map.required("once_per").and_then(View::duration_ms).unwrap_or(0);
        let max = map.optional("max").and_then(View::int).unwrap_or(i64::MAX);
        let quiet_after_dismiss_ms =
            map.optional("quiet_after_dismiss").and_then(View::duration_ms).unwrap_or(0);
        map.finish();
        Frequency { once_per_ms, max, quiet_after_dismiss_ms }
    }
}

/// What a trigger listens to; where no word could be read, to a program alone.
fn when_of(view: View<'_>, word: Option<&str>, event: Option<Spanned<String>>) -> When {
    if let (Some(event), false) = (&event, matches!(word, Some("event") | None)) {
        view.report
            .error(&event.at, "Y003", "an event is only listened to with `when: event`")
            .hint("write `when: event`, or take `event` out");
    }
    match (word, event) {
        (Some("event"), Some(event)) => When::Event(event.value),
        (Some("event"), None) => {
            view.error("Y005", "`when: event` needs the name of the event")
                .hint("event: demo_clicked, as in embudo('event', 'demo_clicked')");
            When::Event(String::new())
        }
        (Some("opened"), _) => When::Opened,
        (Some("api") | None, _) => When::Api,
        _ => When::PageView,
    }
}

/// A share in whole percent.
pub fn percent(view: View<'_>) -> Option<u8> {
    view.percent().and_then(|percent| format!("{percent:.0}").parse().ok())
}
