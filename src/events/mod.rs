//! Facts. A domain appends one in the transaction that made it true; jobs, notifications, webhooks and the live console
//! read them afterwards. Nobody in the journey calls them.

pub mod outbox;

pub use outbox::PERSONAL;
use serde::{Deserialize, Serialize};

use crate::base::ids::{
    AccountId, BookingId, CalendarId, CompanyId, ContactId, ConversationId, DealId, EventId, HandoverId,
    SubmissionId, TaskId, VisitorId,
};
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::storage::Result;
use crate::storage::db::Tx;

/// Something that happened: noun and past verb, ids only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// Somebody asked for a code that proves her address.
    CodeAsked { contact: ContactId, code: String },
    /// Somebody wants to choose the letters of a contact: the link goes to the contact's mailbox.
    PreferencesAsked { contact: ContactId, language: Language },
    /// A person said that two contacts are one; `contact` speaks for both.
    ContactsMerged { contact: ContactId, merged: ContactId },
    /// That was undone.
    ContactsUnmerged { contact: ContactId, merged: ContactId },
    /// Somebody filled in a form.
    FormSubmitted { contact: ContactId, submission: SubmissionId, form: String },
    /// A contact whose address is proved has come to the site, to a page of this path.
    ContactOnSite { contact: ContactId, page: String },
    /// A contact entered a stage.
    StageChanged { contact: ContactId, from: String, to: String, rule: String },
    /// Nobody responded in time to whoever entered a stage; `owner` is the role that looks after the people in it.
    SlaBreached { contact: ContactId, stage: String, owner: String, entered_at: Timestamp, due_at: Timestamp },
    /// A customer's state after the sale changed; there is none before the first.
    CustomerStateChanged {
        contact: ContactId,
        from: Option<String>,
        to: String,
        rule: String,
        reason: Option<String>,
    },
    /// All four qualifying questions are answered with yes.
    BantCompleted { contact: ContactId },
    /// A contact goes to another role; whom it goes to stands in the hand-over.
    HandoverGiven { contact: ContactId, handover: HandoverId },
    /// Somebody took her over.
    HandoverTaken { contact: ContactId, handover: HandoverId, account: AccountId },
    /// Nobody took her over in time.
    HandoverLate { contact: ContactId, handover: HandoverId },
    /// Somebody is to do something for a contact.
    TaskGiven { contact: ContactId, task: TaskId, account: AccountId },
    /// A contact came to belong to a segment.
    SegmentEntered { contact: ContactId, segment: String },
    /// A contact belongs to a segment no more.
    SegmentLeft { contact: ContactId, segment: String },
    /// A company bought.
    DealWon { deal: DealId, company: CompanyId },
    /// A company did not buy.
    DealLost { deal: DealId, company: CompanyId },
    /// A deal has come so far.
    MilestoneReached { deal: DealId, company: CompanyId, milestone: String },
    /// A contact asked for the letters of a topic that has to be confirmed, and when the mail that asks may go out; none
    /// if too many went out today. `visitor` is the device that asked.
    SubscriptionAsked {
        contact: ContactId,
        topic: String,
        visitor: Option<VisitorId>,
        confirm_at: Option<Timestamp>,
    },
    /// A contact gets the letters of a topic from now on.
    SubscriptionConfirmed { contact: ContactId, topic: String },
    /// A contact gets the letters of a topic no more.
    SubscriptionEnded { contact: ContactId, topic: String },
    /// A contact registered for a webinar.
    WebinarRegistered { contact: ContactId, webinar: String },
    /// A contact was there.
    WebinarAttended { contact: ContactId, webinar: String },
    /// A contact was registered and not there.
    WebinarMissed { contact: ContactId, webinar: String },
    /// The time of a webinar is another than a registrant knows.
    WebinarMoved { contact: ContactId, webinar: String, sequence: i64 },
    /// A registrant will not come, or the webinar was called off.
    WebinarCancelled { contact: ContactId, webinar: String, by_us: bool },
    /// A viewer has seen at least this share of a recording.
    RecordingWatched { contact: Option<ContactId>, recording: String, percent: i64 },
    /// A conversation began.
    ConversationOpened { conversation: ConversationId, contact: Option<ContactId> },
    /// A visitor waits for a person.
    HandoffRequested { conversation: ConversationId, contact: Option<ContactId> },
    /// Somebody is asked to take a conversation that waits, or it was passed on to her; nobody: all are. `by` passed it on.
    HandoffOffered {
        conversation: ConversationId,
        contact: Option<ContactId>,
        account: Option<AccountId>,
        by: Option<AccountId>,
    },
    /// A person took the conversation over.
    HandoffAccepted { conversation: ConversationId, contact: Option<ContactId>, account: AccountId },
    /// Nobody took it in time.
    HandoffExpired { conversation: ConversationId, contact: Option<ContactId> },
    /// A visitor left a question, or asked to be called, when nobody was there.
    QuestionLeft { conversation: ConversationId, contact: Option<ContactId> },
    /// A flow has a letter of a topic sent to a contact.
    FlowLetter { contact: ContactId, conversation: ConversationId, letter: String, topic: String },
    /// A flow has people of the company told, by a rule of `notify.yaml`.
    FlowNotice { conversation: ConversationId, contact: Option<ContactId>, rule: String },
    /// A flow tells one webhook what has happened, under a name that its author has chosen.
    FlowEvent {
        conversation: ConversationId,
        contact: Option<ContactId>,
        hook: String,
        flow: String,
        name: String,
    },
    /// A conversation is wanted by mail, up to an entry of its log. `by` is who of the company asked for it.
    TranscriptAsked { conversation: ConversationId, contact: ContactId, up_to: i64, by: Option<AccountId> },
    /// A conversation is over.
    ConversationClosed { conversation: ConversationId, contact: Option<ContactId> },
    /// A call is booked.
    BookingConfirmed { booking: BookingId, contact: ContactId },
    /// A call was moved, or passed on to another rep, who had it before then; by the visitor, or by us.
    BookingRescheduled {
        booking: BookingId,
        contact: ContactId,
        sequence: i64,
        was_at: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        was_rep: Option<String>,
        /// Who was there, too, and is not any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        was_companion: Option<String>,
        #[serde(default)]
        by_us: bool,
    },
    /// A call was cancelled, by the visitor or by us.
    BookingCancelled {
        booking: BookingId,
        contact: ContactId,
        sequence: i64,
        #[serde(default)]
        by_us: bool,
    },
    /// A call is off because its visitor was erased.
    BookingWithdrawn { booking: BookingId, sequence: i64 },
    /// A call took place, or did not.
    BookingOutcomeSet { booking: BookingId, contact: ContactId, outcome: String },
    /// A mail about a call did not reach whoever booked it: `refused`, `gave_up`, `blocked` or `bounced`.
    BookingMailFailed { booking: BookingId, contact: ContactId, how: String },
    /// A mail about a call did not reach a colleague who holds it, or held it.
    RepMailFailed { booking: BookingId, contact: Option<ContactId>, rep: String, how: String },
    /// A webhook of `notify.yaml` has taken nothing for so long that it is not tried any more.
    EndpointDisabled { endpoint: String },
    /// A rep's calendar could not be read for so long that she counts as busy all the time.
    CalendarStale { calendar: CalendarId, rep: String },
}

impl Event {
    /// The fact's name, as it stands in the outbox.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::CodeAsked { .. } => "code_asked",
            Self::PreferencesAsked { .. } => "preferences_asked",
            Self::ContactsMerged { .. } => "contacts_merged",
            Self::ContactsUnmerged { .. } => "contacts_unmerged",
            Self::FormSubmitted { .. } => "form_submitted",
            Self::ContactOnSite { .. } => "contact_on_site",
            Self::StageChanged { .. } => "stage_changed",
            Self::SlaBreached { .. } => "sla_breached",
            Self::CustomerStateChanged { .. } => "customer_state_changed",
            Self::BantCompleted { .. } => "bant_completed",
            Self::HandoverGiven { .. } => "handover_given",
            Self::HandoverTaken { .. } => "handover_taken",
            Self::HandoverLate { .. } => "handover_late",
            Self::TaskGiven { .. } => "task_given",
            Self::SegmentEntered { .. } => "segment_entered",
            Self::SegmentLeft { .. } => "segment_left",
            Self::DealWon { .. } => "deal_won",
            Self::DealLost { .. } => "deal_lost",
            Self::MilestoneReached { .. } => "milestone_reached",
            Self::SubscriptionAsked { .. } => "subscription_asked",
            Self::SubscriptionConfirmed { .. } => "subscription_confirmed",
            Self::SubscriptionEnded { .. } => "subscription_ended",
            Self::WebinarRegistered { .. } => "webinar_registered",
            Self::WebinarAttended { .. } => "webinar_attended",
            Self::WebinarMissed { .. } => "webinar_missed",
            Self::WebinarMoved { .. } => "webinar_moved",
            Self::WebinarCancelled { .. } => "webinar_cancelled",
            Self::RecordingWatched { .. } => "recording_watched",
            Self::ConversationOpened { .. } => "conversation_opened",
            Self::HandoffRequested { .. } => "handoff_requested",
            Self::HandoffOffered { .. } => "handoff_offered",
            Self::HandoffAccepted { .. } => "handoff_accepted",
            Self::HandoffExpired { .. } => "handoff_expired",
            Self::QuestionLeft { .. } => "question_left",
            Self::FlowLetter { .. } => "flow_letter",
            Self::FlowNotice { .. } => "flow_notice",
            Self::FlowEvent { .. } => "flow_event",
            Self::TranscriptAsked { .. } => "transcript_asked",
            Self::ConversationClosed { .. } => "conversation_closed",
            Self::BookingConfirmed { .. } => "booking_confirmed",
            Self::BookingRescheduled { .. } => "booking_rescheduled",
            Self::BookingCancelled { .. } => "booking_cancelled",
            Self::BookingWithdrawn { .. } => "booking_withdrawn",
            Self::BookingOutcomeSet { .. } => "booking_outcome_set",
            Self::BookingMailFailed { .. } => "booking_mail_failed",
            Self::RepMailFailed { .. } => "rep_mail_failed",
            Self::EndpointDisabled { .. } => "endpoint_disabled",
            Self::CalendarStale { .. } => "calendar_stale",
        }
    }

    /// The contact it is about, if it is about one.
    pub fn contact(&self) -> Option<ContactId> {
        match self {
            Self::CodeAsked { contact, .. }
            | Self::PreferencesAsked { contact, .. }
            | Self::ContactsMerged { contact, .. }
            | Self::ContactsUnmerged { contact, .. }
            | Self::FormSubmitted { contact, .. }
            | Self::ContactOnSite { contact, .. }
            | Self::StageChanged { contact, .. }
            | Self::SlaBreached { contact, .. }
            | Self::CustomerStateChanged { contact, .. }
            | Self::BantCompleted { contact }
            | Self::HandoverGiven { contact, .. }
            | Self::HandoverTaken { contact, .. }
            | Self::HandoverLate { contact, .. }
            | Self::TaskGiven { contact, .. }
            | Self::SegmentEntered { contact, .. }
            | Self::SegmentLeft { contact, .. }
            | Self::SubscriptionAsked { contact, .. }
            | Self::SubscriptionConfirmed { contact, .. }
            | Self::SubscriptionEnded { contact, .. }
            | Self::WebinarRegistered { contact, .. }
            | Self::WebinarAttended { contact, .. }
            | Self::WebinarMissed { contact, .. }
            | Self::WebinarMoved { contact, .. }
            | Self::WebinarCancelled { contact, .. }
            | Self::FlowLetter { contact, .. }
            | Self::TranscriptAsked { contact, .. }
            | Self::BookingConfirmed { contact, .. }
            | Self::BookingRescheduled { contact, .. }
            | Self::BookingCancelled { contact, .. }
            | Self::BookingOutcomeSet { contact, .. }
            | Self::BookingMailFailed { contact, .. } => Some(*contact),
            Self::DealWon { .. }
            | Self::DealLost { .. }
            | Self::MilestoneReached { .. }
            | Self::BookingWithdrawn { .. }
            | Self::EndpointDisabled { .. }
            | Self::CalendarStale { .. } => None,
            Self::RecordingWatched { contact, .. }
            | Self::ConversationOpened { contact, .. }
            | Self::HandoffRequested { contact, .. }
            | Self::HandoffOffered { contact, .. }
            | Self::QuestionLeft { contact, .. }
            | Self::FlowNotice { contact, .. }
            | Self::FlowEvent { contact, .. }
            | Self::RepMailFailed { contact, .. }
            | Self::HandoffAccepted { contact, .. }
            | Self::HandoffExpired { contact, .. }
            | Self::ConversationClosed { contact, .. } => *contact,
        }
    }
}

/// An event as it stands in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its id; part of every consequence's dedupe key.
    pub id: EventId,
    /// What happened.
    pub event: Event,
    /// When.
    pub at: Timestamp,
}

/// Appends a fact in the caller's transaction.
///
/// # Errors
/// As the store says.
pub async fn append(tx: &mut Tx, event: &Event, now: Timestamp) -> Result<EventId> {
    outbox::append(tx, event, now).await
}
