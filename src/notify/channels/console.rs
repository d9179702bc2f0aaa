//! A line in the console, pushed to whoever has it open.

use serde::{Deserialize, Serialize};

use super::chats::Line;
use super::plain::one_line;
use crate::base::ids::AccountId;
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::notify::{Desk, Error, store};
use crate::render::Zone;

/// What lines tell of.
pub const KINDS: &[&str] = &[
    "bant_completed",
    "booking_cancelled",
    "booking_cancelled_by_us",
    "booking_confirmed",
    "booking_given_away",
    "booking_mail_failed",
    "booking_moved_by_us",
    "booking_passed_on",
    "booking_rescheduled",
    "booking_withdrawn",
    "calendar_stale",
    ON_SITE,
    "customer_state_changed",
    "endpoint_disabled",
    "flow_notice",
    "handoff_passed_on",
    "handoff_requested",
    "handover_given",
    "handover_late",
    "question_left",
    "rep_mail_failed",
    "sla_breached",
    "task_given",
];

/// A contact is on the site: news as long as she is there.
pub const ON_SITE: &str = "contact_on_site";

/// What a line tells; the words are chosen when it is shown or sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// One of [`KINDS`].
    pub kind: String,
    /// Whom it is for; none for everybody.
    pub account: Option<AccountId>,
    /// The visitor's name or address; empty for a stranger.
    pub who: String,
    pub company: Option<String>,
    pub rep: Option<String>,
    pub starts_at: Option<Timestamp>,
    /// The zone times are told in.
    pub zone: String,
    /// Where it leads.
    pub link: String,
    /// The stage or state that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// What somebody wrote about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Notice {
    /// The line's title and body in a language.
    pub fn words(&self, desk: &Desk, language: Language) -> (String, String) {
        let texts = desk.templates.texts();
        let who = match self.who.as_str() {
            "" => texts.get(language, "notices.stranger", &[]).unwrap_or_default(),
            who => one_line(who),
        };
        let values = [
            ("who", who),
            ("company", self.company.as_deref().map(one_line).unwrap_or_default()),
            ("rep", self.rep.as_deref().map(one_line).unwrap_or_default()),
            ("when", self.when(language)),
            ("note", self.note.as_deref().map(one_line).unwrap_or_default()),
            (
                "state",
                self.state.as_deref().map_or_else(String::new, |state| desk.state_in_words(state, language)),
            ),
        ];
        let key = |part: &str| format!("notices.{}.{part}", self.kind);
        let title = texts.get(language, &key("title"), &values).unwrap_or_else(|| self.kind.clone());
        let body = texts.get(language, &key("body"), &values).unwrap_or_default();
        (title, body)
    }
}

impl Notice {
    /// The day and the time that it is about; empty if it is about none.
    pub(in crate::notify) fn when(&self, language: Language) -> String {
        self.starts_at.map_or_else(String::new, |at| {
            let zone = Zone::named(&self.zone);
            let label = zone.label(at.as_ms(), language);
            format!("{}, {}, {label}", zone.weekday_date(at.as_ms(), language), zone.time(at.as_ms()))
        })
    }

    /// The line as a chat is told it.
    pub(in crate::notify) fn line(&self, desk: &Desk) -> Line {
        let language = Language::default();
        let (title, body) = self.words(desk, language);
        let open = desk.templates.texts().get(language, "notices.open", &[]).unwrap_or_default();
        Line { title, body, open, link: desk.link(&self.link) }
    }
}

/// Writes the line and wakes the consoles.
///
/// # Errors
/// [`Error::Storage`].
pub(in crate::notify) async fn send(desk: &Desk, notice: &Notice, now: Timestamp) -> Result<(), Error> {
    let language = match notice.account {
        Some(account) => store::language_of(&mut desk.stores.db.read(), account).await?,
        None => Language::default(),
    };
    let (title, body) = notice.words(desk, language);
    store::notify(&desk.stores.db, notice, &title, &body, now).await?;
    desk.stores.bus.publish("notifications", &title).await;
    Ok(())
}
