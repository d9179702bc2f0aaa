//! The inbox: which chats there are, and one chat with its log.

use serde::Serialize;

use super::name_of;
use crate::base::ids::{AccountId, ContactId, ConversationId};
use crate::base::time::{DAY_MS, Timestamp};
use crate::chat::body::{Body, Input};
use crate::storage::Result;
use crate::storage::db::{Queries, Row};
use crate::{params, sql};

/// Chats in one list.
const MOST: i64 = 100;

/// Which chats to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// All that are not closed.
    Open,
    /// Those that wait for a person.
    Waiting,
    /// Those that the reader has taken.
    Mine,
    /// Those in which a question was left that nobody has answered.
    Left,
    /// Those of the last 30 days that are closed.
    Closed,
}

impl View {
    /// Every view, in the order in which they are offered.
    pub const ALL: [Self; 5] = [Self::Open, Self::Waiting, Self::Mine, Self::Left, Self::Closed];

    /// Its name in addresses and texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Waiting => "waiting",
            Self::Mine => "mine",
            Self::Left => "left",
            Self::Closed => "closed",
        }
    }

    /// The view of a name.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.word() == word)
    }
}

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Thread {
    pub id: ConversationId,
    pub contact_id: Option<ContactId>,
    /// Empty while nobody knows the visitor.
    pub name: String,
    pub mode: String,
    /// The team that somebody was asked of.
    pub team: Option<String>,
    pub agent: Option<String>,
    /// The last words.
    pub last: Option<String>,
    pub updated_at: Timestamp,
    /// Messages of the visitor that no agent has read.
    pub unread: i64,
}

/// The chats of a view, of one team if one is named: those that wait first, then the latest first.
///
/// # Errors
/// As the store says.
pub async fn threads(
    q: &mut impl Queries,
    view: View,
    team: Option<&str>,
    reader: AccountId,
    now: Timestamp,
) -> Result<Vec<Thread>> {
    let modes = match view {
        View::Open => ["bot", "waiting", "human", "human"],
        View::Waiting => ["waiting"; 4],
        View::Mine => ["human"; 4],
        View::Left => ["bot", "waiting", "human", "closed"],
        View::Closed => ["closed"; 4],
    };
    let [first, second, third, fourth] = modes;
    let mine = (view == View::Mine).then_some(reader);
    let since = if view == View::Closed { now.plus_ms(-30 * DAY_MS) } else { Timestamp(0) };
    let rows = q
        .query(
            sql!(
                "select v.id, v.mode, v.team, v.updated_at, c.id as contact_id, c.email, c.first_name, c.last_name,
                     a.name as agent,
                     (select m.body from messages m where m.conversation_id = v.id and m.author <> 'system'
                      order by m.seq desc limit 1) as last,
                     (select count(*) from messages m where m.conversation_id = v.id and m.author = 'visitor'
                      and m.seq > v.agent_read) as unread
                 from conversations v
                 left join contacts c on c.id = v.contact_id
                 left join accounts a on a.id = v.assigned_to
                 where v.mode in ($1, $2, $3, $7) and (cast($4 as text) is null or v.assigned_to = $4)
                     and v.updated_at >= $5 and (cast($9 as text) is null or v.team = $9)
                     and (cast($8 as bigint) = 0 or exists (select 1 from chat_left l
                         where l.conversation_id = v.id and l.answered_at is null))
                 order by case v.mode when 'waiting' then 0 when 'human' then 1 else 2 end, v.updated_at desc
                 limit $6"
            ),
            params![first, second, third, mine, since, MOST, fourth, i64::from(view == View::Left), team.map(str::to_owned)],
        )
        .await?;
    rows.iter().map(thread_of).collect()
}

fn thread_of(row: &Row) -> Result<Thread> {
    let mode: String = row.get("mode")?;
    let last: Option<String> = row.get("last")?;
    let is_with_people = matches!(mode.as_str(), "waiting" | "human");
    Ok(Thread {
        id: row.get("id")?,
        contact_id: row.get("contact_id")?,
        name: name_of(row)?,
        team: row.get("team")?,
        agent: row.get("agent")?,
        last: last.and_then(|body| serde_json::from_str(&body).ok()).and_then(|body| Line::of(body).text),
        updated_at: row.get("updated_at")?,
        unread: if is_with_people { row.get("unread")? } else { 0 },
        mode,
    })
}

/// How many chats each view holds; closed ones are not counted.
///
/// # Errors
/// As the store says.
pub async fn counts(q: &mut impl Queries, reader: AccountId) -> Result<Counts> {
    let row = q
        .query_opt(
            sql!(
                "select count(*) as open,
                     count(case when mode = 'waiting' then 1 end) as waiting,
                     count(case when mode = 'human' and assigned_to = $1 then 1 end) as mine,
                     (select count(*) from chat_left where answered_at is null) as left_open
                 from conversations where mode <> 'closed'"
            ),
            params![reader],
        )
        .await?;
    row.map_or(Ok(Counts::default()), |row| {
        Ok(Counts {
            open: row.get("open")?,
            waiting: row.get("waiting")?,
            mine: row.get("mine")?,
            left: row.get("left_open")?,
        })
    })
}

/// How many chats each view holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub open: i64,
    pub waiting: i64,
    pub mine: i64,
    pub left: i64,
}

impl Counts {
    /// The number beside a view's name.
    pub fn of(self, view: View) -> i64 {
        match view {
            View::Open => self.open,
            View::Waiting => self.waiting,
            View::Mine => self.mine,
            View::Left => self.left,
            View::Closed => 0,
        }
    }
}

/// One chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Talk {
    pub id: ConversationId,
    pub contact_id: Option<ContactId>,
    pub name: String,
    pub mode: String,
    pub head: i64,
    pub assigned_to: Option<AccountId>,
    pub agent: Option<String>,
    /// Up to which entry the visitor has seen the log.
    pub visitor_read: i64,
    /// The question that was left and waits for an answer.
    pub left: Option<String>,
    pub page: Option<String>,
    pub language: String,
    pub time_zone: String,
    pub messages: Vec<Message>,
}

/// One line of the log, ready to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    pub seq: i64,
    pub at: Timestamp,
    /// `visitor`, `bot`, `agent` or `system`.
    pub author: String,
    pub name: Option<String>,
    #[serde(flatten)]
    pub line: Line,
}

/// What a message says, in a form that any reader can show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What kind of message it is, where the words alone do not say it: a key under `console.inbox.said`.
    pub note: Option<&'static str>,
    pub text: Option<String>,
    pub choices: Vec<String>,
    /// Times that were offered, chosen or booked.
    pub times: Vec<Timestamp>,
    /// The mode that a status message tells of.
    pub status: Option<&'static str>,
}

impl Line {
    /// The line of a message's body.
    pub fn of(body: Body) -> Self {
        let blank = Self::default();
        match body {
            Body::Text { text, .. } => Self { text: Some(text), ..blank },
            Body::Video(video) => Self { note: Some("video"), text: Some(video.title), ..blank },
            Body::Ask { text, input, .. } => {
                let (choices, times) = match input {
                    Input::Choice { choices } => {
                        (choices.into_iter().map(|choice| choice.label).collect(), Vec::new())
                    }
                    Input::Slot { slots, .. } => {
                        (Vec::new(), slots.into_iter().map(|slot| slot.starts_at).collect())
                    }
                    Input::Text { .. }
                    | Input::Email { .. }
                    | Input::Phone { .. }
                    | Input::Number { .. }
                    | Input::Url { .. }
                    | Input::Date { .. }
                    | Input::Time { .. }
                    | Input::Rating { .. }
                    | Input::Code { .. } => (Vec::new(), Vec::new()),
                };
                let note = if times.is_empty() { "asked" } else { "times" };
                Self { note: Some(note), text: Some(text), choices, times, ..blank }
            }
            Body::Invalid { text, .. } => Self { note: Some("invalid"), text: Some(text), ..blank },
            Body::Choice { label, .. } => Self { note: Some("choice"), text: Some(label), ..blank },
            Body::Answer { text, .. } => Self { note: Some("answer"), text: Some(text), ..blank },
            Body::Slot { starts_at: Some(at), .. } => Self { note: Some("slot"), times: vec![at], ..blank },
            Body::Slot { starts_at: None, .. } => Self { note: Some("none_fit"), ..blank },
            Body::Status { mode, agent, text } => {
                Self { status: Some(mode.word()), text: text.or(agent.map(|face| face.name)), ..blank }
            }
            Body::HumanRequested => Self { note: Some("human"), ..blank },
            Body::StopRequested => Self { note: Some("stop"), ..blank },
            Body::Image { image, caption } => {
                Self { note: Some("image"), text: Some(caption.unwrap_or(image.alt)), ..blank }
            }
            Body::File { title, .. } => Self { note: Some("file"), text: Some(title), ..blank },
            Body::Card { title, .. } => Self { note: Some("card"), text: Some(title), ..blank },
            Body::Booked(booked) => {
                Self { note: Some("booked"), text: Some(booked.with), times: vec![booked.starts_at], ..blank }
            }
            Body::End { outcome } => Self { note: Some("end"), text: Some(outcome), ..blank },
            Body::Satisfaction { text } => Self { note: Some("satisfaction"), text: Some(text), ..blank },
            Body::Rated { score, comment } => {
                let comment = comment.map_or_else(String::new, |comment| format!(": {comment}"));
                Self { note: Some("rated"), text: Some(format!("{score}/5{comment}")), ..blank }
            }
        }
    }
}

/// One chat with its whole log.
///
/// # Errors
/// As the store says.
pub async fn talk(q: &mut impl Queries, id: ConversationId) -> Result<Option<Talk>> {
    let row = q
        .query_opt(
            sql!(
                "select v.id, v.mode, v.head, v.assigned_to, a.name as agent, v.visitor_read, v.page, v.language,
                     v.time_zone, c.id as contact_id, c.email, c.first_name, c.last_name, l.question as left_question
                 from conversations v
                 left join contacts c on c.id = v.contact_id
                 left join accounts a on a.id = v.assigned_to
                 left join chat_left l on l.conversation_id = v.id and l.answered_at is null
                 where v.id = $1"
            ),
            params![id],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let messages = q
        .query(
            sql!(
                "select m.seq, m.at, m.author, m.body, a.name
                 from messages m left join accounts a on a.id = m.author_id
                 where m.conversation_id = $1 order by m.seq"
            ),
            params![id],
        )
        .await?;
    let messages = messages.iter().map(|row| {
        Ok(Message {
            seq: row.get("seq")?,
            at: row.get("at")?,
            author: row.get("author")?,
            name: row.get("name")?,
            // A body of a later version is shown as an empty line rather than hiding the whole chat.
            line: row.json("body").map_or_else(|_| Line::default(), Line::of),
        })
    });
    Ok(Some(Talk {
        id,
        contact_id: row.get("contact_id")?,
        name: name_of(&row)?,
        mode: row.get("mode")?,
        head: row.get("head")?,
        assigned_to: row.get("assigned_to")?,
        agent: row.get("agent")?,
        visitor_read: row.get("visitor_read")?,
        left: row.get("left_question")?,
        page: row.get("page")?,
        language: row.get("language")?,
        time_zone: row.get("time_zone")?,
        messages: messages.collect::<Result<_>>()?,
    }))
}
