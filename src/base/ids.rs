//! Identifiers: UUIDv7 (RFC 9562, section 5.7) in newtypes, so that a contact's id is never taken for a visitor's.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The text was not a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id (expected a UUID)")]
pub struct InvalidId;

/// Makes a new UUIDv7 as text, for keys that need no type of their own.
pub fn new_key() -> String {
    Uuid::now_v7().to_string()
}

/// What all ids have in common, so that `storage` can bind and read every one of them.
pub trait Id: fmt::Display + Sized {
    /// Reads the id from its text.
    fn of_text(text: &str) -> Option<Self>;

    /// The 16 bytes of the id.
    fn as_bytes(&self) -> &[u8; 16];

    /// Reads the id from its 16 bytes.
    fn of_bytes(bytes: &[u8]) -> Option<Self>;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
            #[serde(transparent)]
            pub struct $name(Uuid);

            impl $name {
                /// A fresh id; later ids of one process sort after earlier ones.
                #[allow(clippy::new_without_default, reason = "a fresh id is not a default")]
                pub fn new() -> Self {
                    Self(Uuid::now_v7())
                }

                /// Reads the id from its text.
                ///
                /// # Errors
                /// [`InvalidId`] if the text is not a UUID.
                pub fn parse(text: &str) -> Result<Self, InvalidId> {
                    Uuid::try_parse(text).map(Self).map_err(|_| InvalidId)
                }

                /// The UUID itself.
                pub fn uuid(self) -> Uuid {
                    self.0
                }

                /// Its 128 bits as a number.
                pub fn as_u128(self) -> u128 {
                    self.0.as_u128()
                }

                /// When it was drawn, in milliseconds since the epoch; only version 7 tells.
                pub fn drawn_at_ms(&self) -> Option<i64> {
                    if self.0.get_version_num() != 7 {
                        return None;
                    }
                    let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
                    i64::try_from(seconds.checked_mul(1_000)? + u64::from(nanos / 1_000_000)).ok()
                }

                /// The id made from any UUID, for ids that are computed and not drawn.
                pub fn from_uuid(uuid: Uuid) -> Self {
                    Self(uuid)
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.0.hyphenated().fmt(f)
                }
            }

            impl Id for $name {
                fn of_text(text: &str) -> Option<Self> {
                    Self::parse(text).ok()
                }

                fn as_bytes(&self) -> &[u8; 16] {
                    self.0.as_bytes()
                }

                fn of_bytes(bytes: &[u8]) -> Option<Self> {
                    Uuid::from_slice(bytes).ok().map(Self)
                }
            }

            impl std::str::FromStr for $name {
                type Err = InvalidId;
                fn from_str(text: &str) -> Result<Self, InvalidId> {
                    Self::parse(text)
                }
            }
        )*
    };
}

ids! {
    /// A stretch of time in which a rep is away.
    AbsenceId,
    /// A person of the company who uses the console.
    AccountId,
    /// One activity of a visitor or contact.
    ActivityId,
    /// Something that is done to everybody whom a search finds.
    ActId,
    /// A key that a program sends.
    ApiKeyId,
    /// A hold or booking; the same for life.
    BookingId,
    /// A calendar in which a rep is busy elsewhere.
    CalendarId,
    /// A company, found by its e-mail domain.
    CompanyId,
    /// A deal.
    DealId,
    /// An earlier time that is kept for one who waits.
    EarlierId,
    /// A person whose e-mail address we know.
    ContactId,
    /// A chat between a visitor and the bot or an SDR.
    ConversationId,
    /// A fact that was appended to the outbox.
    EventId,
    /// One walk of a contact through a sequence of letters.
    EnrolmentId,
    /// A way of several steps that somebody saved.
    FunnelId,
    /// A page or an event that counts as reached.
    GoalId,
    /// One click on a link of a letter.
    ClickId,
    /// Somebody goes from one role to another.
    HandoverId,
    /// One reported page view or event; drawn by the client.
    HitId,
    /// A list of contacts that somebody brings.
    ImportId,
    /// A piece of work in the durable queue.
    JobId,
    /// A mail that was or is to be sent.
    MailId,
    /// A line in somebody's console.
    NotificationId,
    /// A browser of somebody of the company that gets notices.
    PushDeviceId,
    /// One visit: hits of a visitor less than 30 minutes apart.
    SessionId,
    /// A link to a site's traffic for people without an account.
    ShareId,
    /// One filled-in form.
    SubmissionId,
    /// Something that somebody of the company is to do.
    TaskId,
    /// A way to look at the list of contacts that somebody saved.
    ViewId,
    /// One device epoch: a browser as long as one person uses it.
    VisitorId,
}
