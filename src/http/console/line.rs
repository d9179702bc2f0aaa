//! `GET /console/line`: the WebSocket of an open page. Over it come the page's news (`events.rs`) and, for the chat that
//! it shows, the log itself after the last entry that it has; and it is the shortest way to say something.
//!
//! The page says first who it is, by the token of its forms. What it asks for by a name is answered under that name;
//! the same message under the same name is said once, here as everywhere. If the page does not read, nothing piles up:
//! its log is read no further than it takes it, and after a while it is let go.
//!
//! Server to page: `{"type": "hello" | "beat" | "event" | "head" | "typing" | "wake" | "notification", "data": …}`,
//! `{"type": "done", "data": {"id", "event"}}`, `{"type": "refused", "data": {"id", "problem"}}`.
//! Page to server: `{"type": "hello", "csrf"}`, `{"type": "say", "id", "text"}`, `{"type": "typing"}`,
//! `{"type": "read", "seq"}`.

use std::pin::pin;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::{AggregatedMessage, CloseCode, CloseReason, ProtocolError, Session};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq;
use tokio::time::{Instant, interval, timeout};

use super::events::Page;
use super::frame::Reader;
use super::guard::{self, session_token};
use crate::accounts::{self, May};
use crate::base::ids::ConversationId;
use crate::chat::body::Author;
use crate::chat::{self, Agent, Entry};
use crate::http::Shared;
use crate::http::chat::{BEAT, Following, Frame, Hub, Piece};
use crate::http::error::Problem;
use crate::storage::limits::Quota;

pub const PATH: &str = "/console/line";
/// Largest message that is read.
const MESSAGE_BYTES: usize = 16 * 1024;
/// A page that has been silent for so long is not there any more: browsers answer each ping.
const SILENCE: Duration = Duration::from_secs(35);
/// How long a page may leave what it is sent unread.
const UNREAD: Duration = Duration::from_secs(20);
/// How often somebody may say something.
const SAYS: Quota = Quota { per_minute: 120, burst: 60 };
/// How often somebody may type or read on.
const SIGNS: Quota = Quota { per_minute: 240, burst: 60 };

/// Where the page's log goes on.
#[derive(Deserialize)]
pub struct After {
    conversation: Option<String>,
    #[serde(default)]
    after: i64,
}

/// What a page asks for.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Asked {
    Hello {
        csrf: String,
    },
    /// `id`: the client's id of the message, a UUID.
    Say {
        id: String,
        text: String,
    },
    Typing,
    Read {
        seq: i64,
    },
}

/// Why a line ends.
enum Over {
    /// The page has gone, or reads no more.
    Gone,
    /// The session has ended.
    LoggedOut,
    /// What the page sends is no message of this door.
    Unreadable,
}

impl Over {
    fn reason(&self) -> Option<CloseReason> {
        let (code, text) = match self {
            Over::Gone => return None,
            // 4000 and up are ours (RFC 6455, 7.4.2).
            Over::LoggedOut => (CloseCode::Other(4401), "logged out"),
            Over::Unreadable => (CloseCode::Policy, "unreadable"),
        };
        Some(CloseReason { code, description: Some(text.to_owned()) })
    }
}

/// One open line.
struct Line {
    app: Shared,
    session: Session,
    token: String,
    /// The chat that the page shows.
    talk: Option<ConversationId>,
    /// Whether the page has shown that it is ours.
    is_ours: bool,
    heard_at: Instant,
}

/// Opens the line.
pub async fn open(
    reader: Reader,
    hub: web::Data<Hub>,
    asked: web::Query<After>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Problem> {
    guard::check_line_origin(&request, &reader.app)?;
    let app = reader.app.clone();
    let talk = match &asked.conversation {
        Some(id) => Some(ConversationId::parse(id).map_err(|_| chat::Error::Unknown)?),
        None => None,
    };
    if let Some(talk) = talk {
        chat::resume(&mut app.stores.db.read(), talk, asked.after, None).await?;
    }
    let following =
        talk.map(|id| Following::new(app.clone().into_inner(), &hub, id, Author::Agent, asked.after));
    let token = session_token(&request).ok_or(accounts::Error::NotLoggedIn)?;
    let page = Page::of(reader, &request).await?;
    let (response, session, incoming) = actix_ws::handle(&request, body)
        .map_err(|_| Problem::new("request.malformed", "Only a WebSocket opens this door."))?;
    let incoming =
        incoming.max_frame_size(MESSAGE_BYTES).aggregate_continuations().max_continuation_size(MESSAGE_BYTES);
    hub.counts.reads.add("line", 1);
    let line = Line { app, session, token, talk, is_ours: false, heard_at: Instant::now() };
    actix_web::rt::spawn(line.run(incoming, page, following));
    Ok(response)
}

impl Line {
    async fn run(
        mut self,
        incoming: actix_ws::AggregatedMessageStream,
        page: Page,
        following: Option<Following>,
    ) {
        let over = self.serve(incoming, page, following).await;
        // Fails only if it is closed already.
        let _ = timeout(UNREAD, self.session.close(over.reason())).await;
    }

    async fn serve(
        &mut self,
        mut incoming: actix_ws::AggregatedMessageStream,
        page: Page,
        following: Option<Following>,
    ) -> Over {
        let shows_talk = following.is_some();
        // As streams, so that what one of them is in the middle of is kept while another has the word.
        let mut news = pin!(stream::unfold(page, |mut page| async move {
            let told = page.next().await?;
            Some((told, page))
        }));
        let mut log = pin!(match following {
            Some(following) => stream::unfold(following, |mut following| async move {
                let piece = following.next().await.ok()?;
                Some((piece, following))
            })
            .left_stream(),
            None => stream::pending().right_stream(),
        });
        let mut beat = interval(BEAT);
        loop {
            let goes_on = tokio::select! {
                message = incoming.recv() => self.hear(message).await,
                told = news.next() => match told {
                    // The entries themselves come anyway; that there are some is no further news.
                    Some(frames) => self.tell_all(frames.iter().filter(|frame| !(shows_talk && is_of_talk(frame)))).await,
                    None => Err(Over::LoggedOut),
                },
                piece = log.next() => match piece {
                    // The page's news say it in words.
                    Some(Piece::Typing { .. }) => Ok(()),
                    Some(piece) => self.tell_all(piece.frames().iter()).await,
                    None => Err(Over::Gone),
                },
                _ = beat.tick() => self.ping().await,
            };
            if let Err(over) = goes_on {
                return over;
            }
        }
    }

    /// Looks whether the page is there, and says that we are.
    async fn ping(&mut self) -> Result<(), Over> {
        if self.heard_at.elapsed() > SILENCE {
            return Err(Over::Gone);
        }
        sent(timeout(UNREAD, self.session.ping(b"")).await)?;
        // Scripts do not see pings.
        self.tell(&Frame::new("beat", &json!({}))).await
    }

    async fn tell(&mut self, frame: &Frame) -> Result<(), Over> {
        sent(timeout(UNREAD, self.session.text(frame.message())).await)
    }

    async fn tell_all(&mut self, frames: impl Iterator<Item = &Frame>) -> Result<(), Over> {
        for frame in frames {
            self.tell(frame).await?;
        }
        Ok(())
    }

    async fn hear(&mut self, message: Option<Result<AggregatedMessage, ProtocolError>>) -> Result<(), Over> {
        self.heard_at = Instant::now();
        match message {
            Some(Ok(AggregatedMessage::Text(text))) => match serde_json::from_str::<Asked>(&text) {
                Ok(asked) => self.answer(asked).await,
                Err(_) => Err(Over::Unreadable),
            },
            Some(Ok(AggregatedMessage::Ping(bytes))) => {
                sent(timeout(UNREAD, self.session.pong(&bytes)).await)
            }
            Some(Ok(AggregatedMessage::Pong(_))) => Ok(()),
            Some(Ok(AggregatedMessage::Binary(_)) | Err(_)) => Err(Over::Unreadable),
            Some(Ok(AggregatedMessage::Close(_))) | None => Err(Over::Gone),
        }
    }

    async fn answer(&mut self, asked: Asked) -> Result<(), Over> {
        match asked {
            Asked::Hello { csrf } => {
                let session = self.current().await?;
                self.is_ours = csrf.as_bytes().ct_eq(session.csrf.as_bytes()).into();
                let problem = Problem::from(accounts::Error::Csrf);
                let frame = match self.is_ours {
                    true => Frame::new("hello", &json!({ "beat_ms": BEAT.as_millis() })),
                    false => refused("hello", &problem),
                };
                self.tell(&frame).await
            }
            Asked::Say { id, text } => {
                let frame = match self.say(&id, &text).await? {
                    Ok(entry) => Frame::new("done", &json!({ "id": id, "event": entry })),
                    Err(problem) => refused(&id, &problem),
                };
                self.tell(&frame).await
            }
            // Signs that nobody waits for: one that may not be given is not answered.
            Asked::Typing => {
                if let Ok((talk, agent)) = self.talker("console.signs", SIGNS).await? {
                    self.app.room.typing(talk, Author::Agent, &agent.name).await;
                }
                Ok(())
            }
            Asked::Read { seq } => {
                if let Ok((talk, _)) = self.talker("console.signs", SIGNS).await? {
                    // It is told again with the next one.
                    let _ = chat::read(&self.app.room, talk, Author::Agent, seq).await;
                }
                Ok(())
            }
        }
    }

    async fn say(&mut self, id: &str, text: &str) -> Result<Result<Entry, Problem>, Over> {
        let (talk, agent) = match self.talker("console.says", SAYS).await? {
            Ok(talker) => talker,
            Err(problem) => return Ok(Err(problem)),
        };
        let now = self.app.clock.now();
        let said = chat::agent_say(&self.app.room, talk, &agent, id, text, now).await;
        if let Ok(entry) = &said {
            // Whoever answers has read.
            let _ = chat::read(&self.app.room, talk, Author::Agent, entry.seq).await;
        }
        Ok(said.map_err(Problem::from))
    }

    /// Who speaks in which chat, if the session still stands and allows it.
    async fn talker(
        &mut self,
        bucket: &'static str,
        quota: Quota,
    ) -> Result<Result<(ConversationId, Agent), Problem>, Over> {
        let session = self.current().await?;
        let account = session.account;
        let checked = async {
            if !self.is_ours {
                return Err(accounts::Error::Csrf.into());
            }
            if !account.role.may(May::Chat) {
                return Err(accounts::Error::Forbidden.into());
            }
            let now = self.app.clock.now();
            self.app.stores.limits.check(bucket, &account.id.to_string(), quota, now).await?;
            let talk = self.talk.ok_or(chat::Error::Unknown)?;
            Ok((talk, Agent { id: account.id, name: account.name.clone() }))
        };
        Ok(checked.await)
    }

    /// The session as it is now: somebody may have logged out in another tab, or may have been dismissed.
    async fn current(&self) -> Result<accounts::Session, Over> {
        let session = accounts::session(&self.app.stores.db, &self.token, self.app.clock.now()).await;
        session.map_err(|error| match error {
            accounts::Error::NotLoggedIn => Over::LoggedOut,
            _ => Over::Gone,
        })
    }
}

fn refused(id: &str, problem: &Problem) -> Frame {
    Frame::new("refused", &json!({ "id": id, "problem": problem.document() }))
}

/// Whether the news is only that a conversation's log has grown.
fn is_of_talk(frame: &Frame) -> bool {
    // What colleagues do beside the log (`desk`) comes with no entry of it.
    let data = frame.data.get();
    frame.name == "wake" && data.contains("\"conversation:") && !data.contains("\"desk\":true")
}

fn sent<E>(sent: Result<Result<(), actix_ws::Closed>, E>) -> Result<(), Over> {
    match sent {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Over::Gone),
    }
}
