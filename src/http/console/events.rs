//! What an open page is told: only wake-ups and short notes; the page then fetches itself. `GET /console/events` tells
//! it as a stream of events, `line.rs` over a WebSocket.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE};
use actix_web::web::Bytes;
use futures_util::stream;
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};

use super::frame::{Reader, inside, is_quiet};
use super::guard::session_token;
use crate::accounts;
use crate::base::ids::{AccountId, ConversationId, NotificationId};
use crate::base::time::{DAY_MS, Timestamp};
use crate::chat::live::desk_topic;
use crate::chat::{Conversation, INBOX};
use crate::http::Shared;
use crate::http::chat::{BEAT, Frame};
use crate::http::error::Problem;
use crate::ingest::PULSE;
use crate::notify;
use crate::reports::traffic;
use crate::stages::trial::kept;
use crate::storage::bus::Wake;

/// Lines that somebody has to hear of at once.
const RINGS: [&str; 2] = ["handoff_requested", "handoff_passed_on"];
/// Lines that are looked at for news.
const NEWS: i64 = 20;

/// One open page.
pub struct Page {
    app: Shared,
    account: AccountId,
    token: String,
    wakes: Receiver<Wake>,
    /// The topic of the chat that the page shows, and that of what only the company's people see of it.
    talk: Option<String>,
    desk: Option<String>,
    /// Who reads, and where she is.
    who: accounts::Account,
    zone: String,
    /// Whether the page shows who is on the sites now.
    watches: bool,
    /// The site whose traffic the page shows, and how many it says are there.
    site: Option<String>,
    here: Option<i64>,
    /// The lines that the page knows of.
    known: Vec<NotificationId>,
    since: Timestamp,
    language: crate::base::language::Language,
    /// When the page is told that the line lives, and looked whether its session still stands.
    beats_at: Instant,
}

/// Opens the stream.
pub async fn stream(reader: Reader, request: actix_web::HttpRequest) -> Result<HttpResponse, Problem> {
    let page = Page::of(reader, &request).await?;
    let hello =
        stream::once(async { Ok::<_, std::convert::Infallible>(Bytes::from_static(b"retry: 3000\n\n")) });
    let rest = stream::unfold(page, |mut page| async move {
        let told = page.next().await?;
        // A page that is told nothing is told that the line lives.
        let text: String = match told.as_slice() {
            [] => ": \n\n".to_owned(),
            frames => frames.iter().map(Frame::block).collect(),
        };
        Some((Ok(Bytes::from(text)), page))
    });
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        // Compression would hold small events back.
        .insert_header((CONTENT_ENCODING, "identity"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(futures_util::StreamExt::chain(hello, rest)))
}

impl Page {
    /// The page that a reader has open; `?conversation=` names the chat that it shows.
    ///
    /// # Errors
    /// As the store says.
    pub async fn of(reader: Reader, request: &actix_web::HttpRequest) -> Result<Self, Problem> {
        let talk = reader.asked("conversation").and_then(|id| ConversationId::parse(&id).ok());
        let wakes = reader.app.stores.bus.subscribe();
        let lines = notify::notifications(&mut reader.app.stores.db.read(), reader.account.id, NEWS).await?;
        Ok(Self {
            account: reader.account.id,
            language: reader.account.language,
            token: session_token(request).ok_or(accounts::Error::NotLoggedIn)?,
            wakes,
            talk: talk.map(Conversation::topic),
            desk: talk.map(desk_topic),
            watches: reader.asked("live").is_some(),
            site: reader.asked("traffic"),
            here: None,
            who: reader.account.clone(),
            zone: reader.zone(),
            known: lines.into_iter().map(|line| line.id).collect(),
            since: reader.now,
            app: reader.app,
            beats_at: Instant::now() + BEAT,
        })
    }

    /// What the page is told next; an empty list is only a sign of life. Nothing once the session is over.
    pub async fn next(&mut self) -> Option<Vec<Frame>> {
        loop {
            match timeout_at(self.beats_at, self.wakes.recv()).await {
                Ok(Ok(wake)) => {
                    let told = self.told(&wake).await;
                    if !told.is_empty() {
                        return Some(told);
                    }
                }
                // Too much at once: everything may be new.
                Ok(Err(RecvError::Lagged(_))) => {
                    let talk = self.talk.as_deref().map(wake_of);
                    let pulse = self.watches.then(|| wake_of(PULSE));
                    return Some([wake_of(INBOX)].into_iter().chain(talk).chain(pulse).collect());
                }
                Ok(Err(RecvError::Closed)) => return None,
                Err(_) => {
                    // The bus may have lost a word: look at the truth, and whether the session still stands.
                    let now = self.app.clock.now();
                    accounts::session(&self.app.stores.db, &self.token, now).await.ok()?;
                    self.beats_at = Instant::now() + BEAT;
                    let mut told = self.news().await;
                    told.extend(self.live().await);
                    // Whoever has left tells nobody.
                    told.extend(self.watches.then(|| wake_of(PULSE)));
                    return Some(told);
                }
            }
        }
    }

    async fn told(&mut self, wake: &Wake) -> Vec<Frame> {
        if wake.topic == "notifications" {
            return self.news().await;
        }
        if wake.topic == PULSE {
            return self.watches.then(|| wake_of(PULSE)).into_iter().collect();
        }
        if wake.topic == INBOX || wake.topic.starts_with(kept::TOPIC) {
            return vec![wake_of(&wake.topic)];
        }
        if let (Some(desk), Some(talk)) = (&self.desk, &self.talk)
            && *desk == wake.topic
        {
            return vec![Frame::new("wake", &json!({ "topic": talk, "desk": true }))];
        }
        if self.talk.as_deref() != Some(wake.topic.as_str()) {
            return Vec::new();
        }
        let mut typing = wake.text.splitn(3, ':');
        match (typing.next(), typing.next(), typing.next()) {
            (Some("typing"), Some("visitor"), Some(name)) => {
                let texts = self.app.templates.texts();
                let visitor = || texts.get(self.language, "console.author.visitor", &[]).unwrap_or_default();
                let name = if name.is_empty() { visitor() } else { name.to_owned() };
                let text = texts.get(self.language, "console.inbox.typing", &[("name", name)]);
                vec![Frame::new("typing", &json!({ "text": text }))]
            }
            // A colleague writes here, too: better known before two answer.
            (Some("typing"), Some("agent"), Some(name)) if name != self.who.name => {
                let values = [("name", name.to_owned())];
                let text = self.app.templates.texts().get(self.language, "console.inbox.typing", &values);
                vec![Frame::new("typing", &json!({ "text": text }))]
            }
            (Some("typing"), ..) => Vec::new(),
            _ => vec![wake_of(&wake.topic)],
        }
    }

    /// How many are on the site now, if that has changed since it was told.
    async fn live(&mut self) -> Option<Frame> {
        let site = self.app.sites.find(self.site.as_deref()?).ok()?;
        let here = traffic::here(&self.app.stores.hits, site, self.app.clock.now()).await.ok()?;
        if self.here.replace(here) == Some(here) {
            return None;
        }
        let values = [("n", here.to_string())];
        let text = self.app.templates.texts().get(self.language, "traffic.here", &values);
        Some(Frame::new("live", &json!({ "count": here, "text": text })))
    }

    /// The lines that came since the page was opened.
    async fn news(&mut self) -> Vec<Frame> {
        let reads = &mut self.app.stores.db.read();
        let lines = notify::notifications(reads, self.account, NEWS).await.unwrap_or_default();
        let mut told = Vec::new();
        for line in lines.into_iter().rev() {
            let is_old = line.at < self.since.plus_ms(-DAY_MS) || line.read_at.is_some();
            if is_old || self.known.contains(&line.id) {
                continue;
            }
            self.known.push(line.id);
            let note = json!({
                "title": line.title,
                "body": line.body,
                "link": inside(&line.link),
                "rings": RINGS.contains(&line.kind.as_str()),
                "quiet": is_quiet(&self.app, &self.who, &self.zone, self.app.clock.now()),
            });
            told.push(Frame::new("notification", &note));
        }
        told
    }
}

fn wake_of(topic: &str) -> Frame {
    Frame::new("wake", &json!({ "topic": topic }))
}
