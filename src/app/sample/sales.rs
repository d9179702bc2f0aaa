//! Conversations and calls of the sample: all of them are over, so that none takes anybody's time away.

use crate::app::App;
use crate::base::ids::{BookingId, ContactId, ConversationId, VisitorId};
use crate::base::language::Language;
use crate::base::time::{DAY_MS, HOUR_MS, Timestamp};
use crate::bookings::slots::Span;
use crate::bookings::{self, Holder, Outcome, Pick, Said};
use crate::chat::body::Author;
use crate::chat::{Told, keep_told};
use crate::storage::db::Tx;

/// A conversation, as its lines.
pub struct Talk {
    pub outcome: &'static str,
    pub lines: &'static [(Author, &'static str)],
}

/// Of people nobody knows.
pub const OF_STRANGERS: [(i64, Talk); 4] = [
    (
        20,
        Talk {
            outcome: "answered",
            lines: &[
                (Author::Bot, "Hello. What may I help you with?"),
                (Author::Visitor, "Do you have titles in Portuguese?"),
                (Author::Bot, "Not yet: English and Spanish. More languages come next year."),
                (Author::Visitor, "Thanks, I will come back then."),
            ],
        },
    ),
    (
        13,
        Talk {
            outcome: "gave_up",
            lines: &[
                (Author::Bot, "Shall I show you how a reading circle works?"),
                (Author::Visitor, "Maybe later"),
            ],
        },
    ),
    (
        5,
        Talk {
            outcome: "question_left",
            lines: &[
                (Author::Visitor, "Hola, ¿hacéis talleres los sábados?"),
                (Author::Bot, "Ahora no hay nadie. Déjame tu pregunta y te contestamos por correo."),
                (Author::Visitor, "Sí: somos 40 en Sevilla y querríamos empezar en enero."),
            ],
        },
    ),
    (
        1,
        Talk {
            outcome: "no_need",
            lines: &[
                (Author::Bot, "Hello. Are you looking for something for your team?"),
                (Author::Visitor, "Only for myself, thanks."),
            ],
        },
    ),
];

/// Who talks, and when.
pub struct Who<'a> {
    pub site: &'a str,
    pub visitor: VisitorId,
    pub contact: Option<ContactId>,
    pub language: Language,
    pub zone: &'a str,
}

/// Keeps a conversation that began then.
pub async fn talk(tx: &mut Tx, who: &Who<'_>, talk: &Talk, at: Timestamp) -> anyhow::Result<ConversationId> {
    let told = Told {
        site: who.site,
        visitor: who.visitor,
        contact: who.contact,
        language: who.language,
        time_zone: who.zone,
        outcome: talk.outcome,
        lines: talk.lines,
    };
    Ok(keep_told(tx, &told, at).await?)
}

/// Books a call of so many days ago, and says how it went; none where the team has no time, or nobody has calls.
pub async fn call(
    app: &App,
    tx: &mut Tx,
    who: &Who<'_>,
    (days_ago, outcome): (i64, Outcome),
    now: Timestamp,
) -> anyhow::Result<Option<BookingId>> {
    let (Some(contact), Some(meeting)) = (who.contact, app.team.meetings.first()) else { return Ok(None) };
    let desk = bookings::Desk { team: &app.team, lifecycle: &app.lifecycle };
    let day = now.plus_ms(-days_ago * DAY_MS);
    let asked_at = day.plus_ms(-3 * DAY_MS);
    // A weekend lies between two working days at most.
    let window = Span { from: day, to: day.plus_ms(4 * DAY_MS).min(now.plus_ms(-3 * HOUR_MS)) };
    let free = bookings::slots(tx, desk.team, meeting, window, &Holder::default(), None, asked_at).await?;
    let Some(time) = free.first() else { return Ok(None) };
    let pick = Pick {
        meeting: &meeting.id,
        starts_at: time.starts_at,
        duration_ms: None,
        time_zone: who.zone,
        language: who.language,
        holder: Holder { visitor: Some(who.visitor), conversation: None },
        contact: Some(contact),
    };
    let booked = bookings::book(tx, desk, &pick, contact, &Said::default(), asked_at).await?;
    bookings::set_outcome(tx, desk, booked.id, outcome, booked.ends_at).await?;
    Ok(Some(booked.id))
}
