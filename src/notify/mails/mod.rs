//! Every mail: to whom, in which language and zone, about what. The words stand beside in `NAME.yaml`.

mod account;
mod alert;
mod booking;
mod calendar;
mod code;
mod gate;
mod letters;
mod survey;
mod team;
mod traffic;
mod transcript;
mod webinar;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::channels::console::Notice;
use super::compose::{Dress, Written, compose};
use super::{Desk, Error, Why};
use crate::base::email::Email;
use crate::base::ids::{
    AccountId, BookingId, CalendarId, ContactId, ConversationId, EarlierId, EnrolmentId, HandoverId, TaskId,
    VisitorId,
};
use crate::base::language::Language;
use crate::base::signing::{Keys, Purpose};
use crate::base::time::{DAY_MS, Timestamp};
use crate::contacts::{self, Contact};
use crate::nurture::Due;
use crate::subscriptions::{self, suppression};

pub use traffic::{Counted, Row, Spike, Week};

/// Used where a reader's zone is not known.
const ZONE: &str = "UTC";
/// Links of letters work for as long as those may lie in an inbox.
const LINK_MS: i64 = 730 * DAY_MS;

/// A mail and what it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mail", rename_all = "snake_case")]
pub enum Mail {
    /// The code that proves an address.
    ConfirmCode { contact: ContactId, code: String },
    /// The page on which she chooses her letters.
    PreferencesLink { contact: ContactId, language: Language },
    /// The file somebody asked for.
    AssetLink { contact: ContactId, asset: String, visitor: Option<VisitorId> },
    /// Come to a webinar.
    WebinarInvitation { contact: ContactId, webinar: String },
    /// You are registered.
    WebinarRegistered { contact: ContactId, webinar: String },
    /// It is near.
    WebinarReminder {
        contact: ContactId,
        webinar: String,
        sequence: i64,
        /// How long before it the next one is planned, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nearer_ms: Option<i64>,
    },
    /// It takes place at another time.
    WebinarMoved { contact: ContactId, webinar: String, sequence: i64 },
    /// You will not come, or it was called off.
    WebinarCancelled { contact: ContactId, webinar: String, by_us: bool },
    /// You were not there; here is the recording.
    WebinarMissed { contact: ContactId, webinar: String },
    /// The call is booked.
    BookingConfirmed { booking: BookingId, sequence: i64 },
    /// The call was moved.
    BookingRescheduled {
        booking: BookingId,
        sequence: i64,
        was_at: Timestamp,
        #[serde(default)]
        was_rep: Option<String>,
        #[serde(default)]
        by_us: bool,
    },
    /// The call is off.
    BookingCancelled {
        booking: BookingId,
        sequence: i64,
        #[serde(default)]
        by_us: bool,
    },
    /// The call is near.
    BookingReminder {
        booking: BookingId,
        sequence: i64,
        /// How long before the call the next one is planned, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nearer_ms: Option<i64>,
    },
    /// Nobody came to the call; here is how to take it up again.
    BookingMissed { booking: BookingId },
    /// An earlier time is kept for whoever waits for one.
    BookingEarlier { offer: EarlierId },
    /// A time is free again, to whoever found none.
    BookingOpening { contact: ContactId, meeting: String },
    /// To the rep: her calendar cannot be read, and nobody can book her.
    CalendarStale { calendar: CalendarId },
    /// To the rep, or to whoever is there, too: a call is booked or moved.
    RepBooked {
        booking: BookingId,
        sequence: i64,
        #[serde(default)]
        is_companion: bool,
    },
    /// To the same: the call is near.
    RepReminder {
        booking: BookingId,
        sequence: i64,
        #[serde(default)]
        is_companion: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nearer_ms: Option<i64>,
    },
    /// To the same: the call is off.
    RepCancelled {
        booking: BookingId,
        sequence: i64,
        #[serde(default)]
        is_companion: bool,
        #[serde(default)]
        by_us: bool,
    },
    /// To the same: the call is off, for its visitor was erased.
    RepWithdrawn { booking: BookingId, sequence: i64, is_companion: bool },
    /// To an administrator: a colleague has not had the mail about a call.
    RepLost { booking: BookingId, rep: String, account: AccountId },
    /// To the rep who had a call that somebody else has now.
    RepReplaced { booking: BookingId, sequence: i64, former: String },
    /// To the rep, or to a colleague: the mail about a call did not reach whoever booked it.
    RepUnreached { booking: BookingId, rep: Option<String>, account: Option<AccountId> },
    /// The conversation that somebody asked to have by mail, up to an entry of its log.
    Transcript { contact: ContactId, conversation: ConversationId, up_to: i64 },
    /// To a colleague: somebody is handed over to her.
    HandoverGiven { handover: HandoverId, account: AccountId },
    /// To a colleague: she has something to do.
    TaskGiven { task: TaskId },
    /// To a colleague: nobody has responded, or taken somebody over, in time.
    ResponseLate { contact: ContactId, account: AccountId, stage: String, due_at: Timestamp },
    /// To a colleague: come in, and set a password.
    AccountInvitation { account: AccountId, asked_at: Timestamp },
    /// To a colleague, or to nobody: set another password.
    PasswordReset { account: AccountId, asked_at: Timestamp },
    /// To a colleague: a line of the console.
    Alert { account: AccountId, notice: Notice },
    /// To a colleague: the lines that were gathered for her until then.
    Digest { account: AccountId, due_at: Timestamp },
    /// To a colleague: what the week was like on a site.
    TrafficWeek { account: AccountId, week: Week },
    /// To a colleague: far more come than usual.
    TrafficSpike { account: AccountId, spike: Spike },
    /// What became of it? To whoever came into this state after the sale.
    Survey { contact: ContactId, state: String, form: String },
    /// Do you want these letters?
    ConfirmSubscription { contact: ContactId, visitor: Option<VisitorId> },
    /// A letter that a flow has sent.
    FlowLetter { contact: ContactId, template: String, topic: String },
    /// A letter of a sequence.
    Letter {
        enrolment: EnrolmentId,
        contact: ContactId,
        sequence: String,
        step: i64,
        template: String,
        topic: String,
    },
}

impl Mail {
    /// The name of its words, and of its line in the outbox.
    pub fn name(&self) -> &str {
        match self {
            Self::ConfirmCode { .. } => "confirm_code",
            Self::PreferencesLink { .. } => "preferences_link",
            Self::AssetLink { .. } => "asset_link",
            Self::WebinarInvitation { .. } => "webinar_invitation",
            Self::WebinarRegistered { .. } => "webinar_registered",
            Self::WebinarReminder { .. } => "webinar_reminder",
            Self::WebinarMoved { .. } => "webinar_moved",
            Self::WebinarCancelled { .. } => "webinar_cancelled",
            Self::WebinarMissed { .. } => "webinar_missed",
            Self::BookingConfirmed { .. } => "booking_confirmed",
            Self::BookingRescheduled { .. } => "booking_rescheduled",
            Self::BookingCancelled { .. } => "booking_cancelled",
            Self::BookingReminder { .. } => "booking_reminder",
            Self::BookingMissed { .. } => "booking_missed",
            Self::BookingEarlier { .. } => "booking_earlier",
            Self::BookingOpening { .. } => "booking_opening",
            Self::CalendarStale { .. } => "calendar_stale",
            Self::RepBooked { .. } => "rep_booked",
            Self::RepReminder { .. } => "rep_reminder",
            Self::RepCancelled { .. } => "rep_cancelled",
            Self::RepLost { .. } => "rep_lost",
            Self::RepReplaced { .. } => "rep_replaced",
            Self::RepUnreached { .. } => "rep_unreached",
            Self::RepWithdrawn { .. } => "rep_withdrawn",
            Self::Transcript { .. } => "transcript",
            Self::HandoverGiven { .. } => "handover_given",
            Self::TaskGiven { .. } => "task_given",
            Self::ResponseLate { .. } => "response_late",
            Self::AccountInvitation { .. } => "account_invitation",
            Self::PasswordReset { .. } => "password_reset",
            Self::Alert { .. } => "alert",
            Self::Digest { .. } => "digest",
            Self::TrafficWeek { .. } => "traffic_week",
            Self::TrafficSpike { .. } => "traffic_spike",
            Self::Survey { .. } => "survey",
            Self::ConfirmSubscription { .. } => "confirm_subscription",
            Self::FlowLetter { template, .. } | Self::Letter { template, .. } => template,
        }
    }
}

/// What a mail is to its reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// The answer to something that she did herself: it waits for nothing and holds no promotion.
    Answer,
    /// A letter or an invitation: it waits for the morning, and there is a way out of it.
    Letter {
        /// Its topic, if it is one of those that can be subscribed to.
        topic: Option<String>,
        /// Whether it may follow at once on something that the reader did.
        may_be_prompt: bool,
    },
}

/// What became of a mail when it was to be written.
pub(super) enum Draft {
    Ready(Box<Ready>),
    /// It is not wanted any more, and why.
    Unwanted(Why),
}

impl Draft {
    const CHANGED: Self = Self::Unwanted(Why::CHANGED);
}

/// A mail that only has to be put on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ready {
    pub template: String,
    pub kind: Kind,
    pub to: Email,
    pub to_name: String,
    pub from_name: String,
    pub contact: Option<ContactId>,
    pub language: Language,
    /// What it tells, for a letter that is written when its id is known.
    pub context: Json,
    pub written: Written,
    /// The iTIP method and the calendar text.
    pub calendar: Option<(&'static str, String)>,
    /// Where one click stops mails of this kind (RFC 8058), if nobody asked for them.
    pub unsubscribe: Option<String>,
    /// What must not be kept once it is sent: the code that proves an address, the link that sets a password.
    pub secret: Option<String>,
    /// Whether the secret is kept out of the outbox even if nothing leaves: it would let a colleague be another one.
    pub is_hidden: bool,
}

impl Ready {
    /// What its line in the outbox says that it is of.
    pub fn topic(&self) -> Option<&str> {
        match &self.kind {
            Kind::Answer => None,
            Kind::Letter { topic, .. } => Some(topic.as_deref().unwrap_or(suppression::INVITATIONS)),
        }
    }
}

/// Works out what the mail says now. `id` is the mail's identity for life.
pub(super) async fn write(desk: &Desk, id: &str, mail: &Mail, now: Timestamp) -> Result<Draft, Error> {
    let draft = draft(desk, id, mail, now).await?;
    let Draft::Ready(mut ready) = draft else { return Ok(draft) };
    if let (Kind::Letter { topic, .. }, Some(contact)) = (&ready.kind, ready.contact) {
        let track = |number: usize, url: &str| tracked(desk, id, contact, number, url, now);
        let preferences = subscriptions::preferences_token(&desk.keys, contact, now);
        let language = ready.language;
        let dress = Dress {
            is_of_topic: topic.is_some(),
            preferences: Some(desk.link(&format!("/preferences/{preferences}?lang={}", language.code()))),
            postal: Some(desk.topics.sending.postal.get(language)).filter(|postal| !postal.is_empty()),
            trap: Some(track(0, &desk.public_url)),
            track: Some(&track),
        };
        let context = std::mem::take(&mut ready.context);
        let name = ready.template.clone();
        ready.written = compose(&desk.templates, &desk.wording, &name, language, &context, &dress)?;
    }
    Ok(Draft::Ready(ready))
}

/// The address that notes who followed a link and goes on to it.
fn tracked(desk: &Desk, mail: &str, contact: ContactId, number: usize, url: &str, now: Timestamp) -> String {
    let mut claims = Keys::claims(format!("{mail} {number} {url}"), now, now.plus_ms(LINK_MS));
    claims.contact = Some(contact.to_string());
    desk.link(&format!("/l/{}", desk.keys.sign(Purpose::Link, &claims)))
}

async fn draft(desk: &Desk, id: &str, mail: &Mail, now: Timestamp) -> Result<Draft, Error> {
    match mail {
        Mail::ConfirmCode { contact, code } => code::confirm_code(desk, mail, *contact, code, now).await,
        Mail::PreferencesLink { contact, language } => {
            code::preferences_link(desk, mail, *contact, *language, now).await
        }
        Mail::AssetLink { contact, asset, visitor } => {
            gate::asset_link(desk, mail, *contact, asset, *visitor, now).await
        }
        Mail::WebinarInvitation { contact, webinar } => {
            webinar::invitation(desk, mail, *contact, webinar, now).await
        }
        Mail::WebinarRegistered { contact, webinar } => {
            webinar::registered(desk, mail, *contact, webinar, now).await
        }
        Mail::WebinarReminder { contact, webinar, sequence, nearer_ms } => {
            webinar::reminder(desk, mail, *contact, webinar, (*sequence, *nearer_ms), now).await
        }
        Mail::WebinarMoved { contact, webinar, sequence } => {
            webinar::moved(desk, mail, *contact, webinar, *sequence, now).await
        }
        Mail::WebinarCancelled { contact, webinar, by_us } => {
            webinar::cancelled(desk, mail, *contact, webinar, *by_us, now).await
        }
        Mail::WebinarMissed { contact, webinar } => webinar::missed(desk, mail, *contact, webinar, now).await,
        Mail::BookingConfirmed { booking, sequence }
        | Mail::BookingRescheduled { booking, sequence, was_at: _, was_rep: _, by_us: _ }
        | Mail::BookingCancelled { booking, sequence, by_us: _ }
        | Mail::BookingReminder { booking, sequence, nearer_ms: _ } => {
            booking::to_visitor(desk, mail, *booking, *sequence, now).await
        }
        Mail::BookingMissed { booking } => booking::missed(desk, mail, *booking, now).await,
        Mail::BookingEarlier { offer } => booking::earlier(desk, mail, *offer, now).await,
        Mail::BookingOpening { contact, meeting } => {
            booking::opening(desk, mail, *contact, meeting, now).await
        }
        Mail::CalendarStale { calendar } => calendar::stale(desk, mail, *calendar, now).await,
        Mail::RepBooked { booking, sequence, is_companion }
        | Mail::RepReminder { booking, sequence, is_companion, nearer_ms: _ }
        | Mail::RepCancelled { booking, sequence, is_companion, by_us: _ } => {
            booking::to_rep(desk, mail, (*booking, *sequence), *is_companion, now).await
        }
        Mail::RepReplaced { booking, sequence, former } => {
            booking::to_former(desk, mail, (*booking, *sequence), former, now).await
        }
        Mail::RepWithdrawn { booking, sequence, is_companion } => {
            booking::withdrawn(desk, mail, (*booking, *sequence), *is_companion, now).await
        }
        Mail::RepLost { booking, rep, account } => {
            booking::rep_lost(desk, mail, *booking, (rep, *account), now).await
        }
        Mail::RepUnreached { booking, rep, account } => {
            booking::unreached(desk, mail, *booking, (rep.as_deref(), *account), now).await
        }
        Mail::Transcript { contact, conversation, up_to } => {
            transcript::transcript(desk, mail, *contact, *conversation, *up_to, now).await
        }
        Mail::HandoverGiven { handover, account } => {
            team::handover(desk, mail, *handover, *account, now).await
        }
        Mail::TaskGiven { task } => team::task(desk, mail, *task, now).await,
        Mail::ResponseLate { contact, account, stage, due_at } => {
            team::late(desk, mail, *contact, *account, (stage, *due_at), now).await
        }
        Mail::AccountInvitation { account, asked_at } => {
            account::invitation(desk, mail, *account, *asked_at, now).await
        }
        Mail::PasswordReset { account, asked_at } => {
            account::reset(desk, mail, *account, *asked_at, now).await
        }
        Mail::Alert { account, notice } => alert::alert(desk, mail, *account, notice, now).await,
        Mail::Digest { account, due_at } => alert::digest(desk, id, mail, *account, *due_at, now).await,
        Mail::TrafficWeek { account, week } => traffic::week(desk, mail, *account, week, now).await,
        Mail::TrafficSpike { account, spike } => traffic::spike(desk, mail, *account, spike, now).await,
        Mail::Survey { contact, state, form } => survey::survey(desk, mail, *contact, state, form, now).await,
        Mail::ConfirmSubscription { contact, visitor } => {
            letters::confirm(desk, id, mail, *contact, *visitor, now).await
        }
        Mail::FlowLetter { contact, template, topic } => {
            letters::of_flow(desk, mail, *contact, (template, topic), now).await
        }
        Mail::Letter { enrolment, contact, sequence, step, template, topic } => {
            let due = Due {
                enrolment: *enrolment,
                contact: *contact,
                sequence: sequence.clone(),
                step: *step,
                mail: template.clone(),
                topic: topic.clone(),
                is_attempt: false,
            };
            letters::letter(desk, mail, &due, now).await
        }
    }
}

/// The reader of a mail to a contact.
struct Reader {
    contact: Contact,
    site: Json,
    company: String,
}

impl Reader {
    async fn of(desk: &Desk, contact: ContactId) -> Result<Option<Self>, Error> {
        let mut q = desk.stores.db.read();
        let Some(contact) = contacts::find(&mut q, contact).await? else { return Ok(None) };
        let visitor = contacts::latest_visitor(&mut q, contact.id).await?;
        let site = visitor.and_then(|visitor| desk.sites.find(&visitor.site).ok().cloned());
        let company = site.as_ref().map_or_else(|| desk.company.clone(), |site| site.name.clone());
        let home = site.as_ref().map_or_else(|| desk.public_url.clone(), |site| site.home().to_owned());
        Ok(Some(Self { contact, site: site_context(&company, &home), company }))
    }

    fn zone(&self) -> &str {
        self.contact.time_zone.as_deref().unwrap_or(ZONE)
    }

    fn language(&self) -> Language {
        self.contact.language
    }
}

fn site_context(name: &str, home: &str) -> Json {
    json!({ "name": name, "home": home, "accent": "#0f6b5c", "on_accent": "#ffffff" })
}

/// Joins what every mail has with what this one tells, and writes it.
#[allow(clippy::too_many_arguments, reason = "a mail consists of these")]
fn ready(
    desk: &Desk,
    mail: &Mail,
    reader: &Reader,
    kind: Kind,
    now: Timestamp,
    tells: Json,
    calendar: Option<(&'static str, String)>,
) -> Result<Draft, Error> {
    let secret = tells.get("code").and_then(Json::as_str).map(str::to_owned);
    let unsubscribe = tells.get("unsubscribe").and_then(Json::as_str).map(str::to_owned);
    let context = context(reader.zone(), &reader.site, now, tells);
    let language = reader.language();
    let written = match kind {
        Kind::Answer => {
            compose(&desk.templates, &desk.wording, mail.name(), language, &context, &Dress::default())?
        }
        // Written when its id is known: the links of a letter bear it.
        Kind::Letter { .. } => Written { subject: String::new(), text: String::new(), html: String::new() },
    };
    Ok(Draft::Ready(Box::new(Ready {
        is_hidden: false,
        unsubscribe,
        secret,
        template: mail.name().to_owned(),
        kind,
        language,
        context,
        to: reader.contact.email.clone(),
        to_name: String::new(),
        from_name: reader.company.clone(),
        contact: Some(reader.contact.id),
        written,
        calendar,
    })))
}

fn context(zone: &str, site: &Json, now: Timestamp, tells: Json) -> Json {
    let mut context = json!({ "zone": zone, "now": now, "site": site, "unsubscribe": null });
    if let (Json::Object(all), Json::Object(tells)) = (&mut context, tells) {
        all.extend(tells);
    }
    context
}
