//! Reads a conversation's log as it grows: what every transport sends is read here.
//!
//! The log is the truth and a number is all that is remembered of a reader. The bus only says when to look; who is
//! never woken still looks at every beat. Nothing waits in memory for a slow reader but one page of the log.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Counts, Hub};
use crate::app::App;
use crate::base::ids::ConversationId;
use crate::chat::body::Author;
use crate::chat::{self, Entry, Head};

/// How often a silent line says that it lives. Whoever hears nothing for two beats takes it for dead.
pub const BEAT: Duration = Duration::from_secs(15);

/// What a reader is told next.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// The next entries, in order and without a gap after what was told before.
    Entries(Vec<Entry>),
    /// How far the log goes; everything up to there has been told.
    Head(Head),
    /// Somebody on the other side types. Never stored, may be lost.
    Typing { who: String, name: String },
}

/// One reader of one log.
pub struct Following {
    app: Arc<App>,
    id: ConversationId,
    reader: Author,
    line: broadcast::Receiver<Arc<str>>,
    last: i64,
    beat: Duration,
    beats_at: Instant,
    /// The log may go further than what was told.
    is_behind: bool,
    /// The head is told next.
    must_beat: bool,
    /// All that there was has been told: what comes now is news.
    is_abreast: bool,
    counts: Arc<Counts>,
}

impl Following {
    /// Goes on after entry `after`. `reader` says on which side: nobody is told what she types herself.
    pub fn new(app: Arc<App>, hub: &Hub, id: ConversationId, reader: Author, after: i64) -> Self {
        Self {
            // Listen before looking: what comes in between is not missed.
            line: hub.listen(id),
            app,
            id,
            reader,
            last: after,
            beat: BEAT,
            beats_at: Instant::now() + BEAT,
            is_behind: true,
            // The head at once: a reader learns that the line works before anything has happened.
            must_beat: true,
            is_abreast: false,
            counts: hub.counts.clone(),
        }
    }

    /// Another time between two beats, for tests that do not wait that long.
    #[must_use]
    pub fn with_beat(mut self, beat: Duration) -> Self {
        self.beat = beat;
        self.beats_at = Instant::now() + beat;
        self
    }

    /// Which log it is.
    pub fn conversation(&self) -> ConversationId {
        self.id
    }

    /// The number of the last entry that was told.
    pub fn last(&self) -> i64 {
        self.last
    }

    /// The next piece, as soon as there is one. May be dropped while it waits: nothing is skipped by that.
    ///
    /// # Errors
    /// [`chat::Error::Unknown`] once the conversation is gone, and as the store says.
    pub async fn next(&mut self) -> Result<Piece, chat::Error> {
        loop {
            if self.is_behind {
                let reads = &mut self.app.stores.db.read();
                let entries = chat::entries(reads, &self.app.room, self.id, self.last).await?;
                let is_whole_page = i64::try_from(entries.len()).is_ok_and(|count| count >= chat::PAGE);
                self.is_behind = is_whole_page;
                if let Some(latest) = entries.last() {
                    self.last = latest.seq;
                    if self.is_abreast {
                        let lag_ms = self.app.clock.now().since_ms(latest.at).max(0);
                        self.counts.lag.note(Duration::from_millis(u64::try_from(lag_ms).unwrap_or(0)));
                    }
                    return Ok(Piece::Entries(entries));
                }
            }
            if self.must_beat {
                let head = chat::head(&mut self.app.stores.db.read(), self.id, self.reader).await?;
                if head.head > self.last {
                    self.is_behind = true;
                    continue;
                }
                (self.must_beat, self.is_abreast) = (false, true);
                self.beats_at = Instant::now() + self.beat;
                return Ok(Piece::Head(head));
            }
            match timeout_at(self.beats_at, self.line.recv()).await {
                Err(_) => self.must_beat = true,
                Ok(Ok(text)) => {
                    if let Some(piece) = self.woken(&text) {
                        return Ok(piece);
                    }
                }
                Ok(Err(RecvError::Lagged(_))) => (self.is_behind, self.must_beat) = (true, true),
                // Nobody wakes this process any more: the beats are left.
                Ok(Err(RecvError::Closed)) => {
                    sleep_until(self.beats_at).await;
                    self.must_beat = true;
                }
            }
        }
    }

    fn woken(&mut self, text: &str) -> Option<Piece> {
        if let Some(typing) = text.strip_prefix("typing:") {
            let (who, name) = typing.split_once(':').unwrap_or((typing, ""));
            let is_other = who != self.reader.word();
            return is_other.then(|| Piece::Typing { who: who.to_owned(), name: name.to_owned() });
        }
        if text == chat::READ {
            self.must_beat = true;
            return None;
        }
        let head = text.strip_prefix("head:").and_then(|head| head.parse().ok());
        self.is_behind = head.is_none_or(|head: i64| head > self.last);
        None
    }
}

/// One thing that travels to a reader: a name and its data. The same on every transport.
#[derive(Serialize)]
pub struct Frame {
    /// `event`, `head`, `typing`, …
    #[serde(rename = "type")]
    pub name: &'static str,
    /// JSON, written once.
    pub data: Box<RawValue>,
    /// The number of the entry, if it is one.
    #[serde(skip)]
    pub seq: Option<i64>,
}

impl Frame {
    pub fn new(name: &'static str, data: &impl Serialize) -> Self {
        // Fails only for maps whose keys are no texts; nothing here has such.
        let data = serde_json::value::to_raw_value(data).unwrap_or_else(|_| RawValue::NULL.to_owned());
        Self { name, data, seq: None }
    }

    /// As a block of an event stream (HTML, 9.2). JSON has no line breaks of its own, so nobody can add a field.
    pub fn block(&self) -> String {
        let id = self.seq.map(|seq| format!("id: {seq}\n")).unwrap_or_default();
        format!("{id}event: {}\ndata: {}\n\n", self.name, self.data.get())
    }

    /// As the text of a WebSocket message.
    pub fn message(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Piece {
    /// The frames that carry it.
    pub fn frames(&self) -> Vec<Frame> {
        match self {
            Piece::Entries(entries) => {
                let frame = |entry: &Entry| Frame { seq: Some(entry.seq), ..Frame::new("event", entry) };
                entries.iter().map(frame).collect()
            }
            Piece::Head(head) => vec![Frame::new("head", head)],
            Piece::Typing { who, name } => {
                vec![Frame::new("typing", &serde_json::json!({ "who": who, "name": name }))]
            }
        }
    }
}
