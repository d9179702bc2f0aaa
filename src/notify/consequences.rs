//! Which messages follow from a fact.

use std::collections::BTreeSet;

use super::alerts::{Alert, By, Whom};
use super::channels::console::{Notice, ON_SITE};
use super::channels::webhook::Told;
use super::rules::ByMail;
use super::{Desk, Error, Fact, Mail, Planned, Work, push, store, zone_of};
use crate::base::ids::{
    AccountId, BookingId, CalendarId, ContactId, ConversationId, HandoverId, SubmissionId, TaskId, VisitorId,
};
use crate::base::time::{DAY_MS, MINUTE_MS, Timestamp};
use crate::bookings::{Outcome, absence, calendars, former};
use crate::contacts::{self, Contact};
use crate::events::{Event, Recorded};
use crate::handovers::{self, Handover};
use crate::storage::db::Tx;
use crate::{accounts, bookings, gates, storage, tasks, webinars};

/// In which somebody can take back that nobody came.
const TAKE_BACK_MS: i64 = 15 * MINUTE_MS;
/// In which the same file is mailed to the same person once.
const SAME_LINK_MS: i64 = 10 * MINUTE_MS;
/// Mails with files that one person gets in a day by way of forms.
const LINKS_A_DAY: usize = 5;
/// What stands in the place of a file where the way to the preferences was mailed; no file can be called so.
const PREFERENCES: &str = "*preferences";

/// The messages that follow from a fact, each with a key made of the fact's id.
///
/// # Errors
/// As the store says.
pub async fn plan(desk: &Desk, tx: &mut Tx, recorded: &Recorded) -> Result<Vec<Planned>, Error> {
    let mut plan = Plan { desk, recorded, planned: Vec::new() };
    match &recorded.event {
        Event::CodeAsked { contact, code } => {
            plan.mail(Mail::ConfirmCode { contact: *contact, code: code.clone() });
        }
        Event::PreferencesAsked { contact, language } => {
            if may_mail_preferences(tx, *contact, recorded.at).await? {
                plan.mail(Mail::PreferencesLink { contact: *contact, language: *language });
            }
        }
        Event::FormSubmitted { contact, submission, form } => {
            plan.form(tx, *contact, *submission, form).await?
        }
        Event::SubscriptionAsked { contact, visitor, confirm_at: Some(at), topic: _ } => {
            let mail = Mail::ConfirmSubscription { contact: *contact, visitor: *visitor };
            plan.add("confirm_subscription", *at, Work::Mail { mail });
        }
        Event::WebinarRegistered { contact, webinar } => {
            plan.mail(Mail::WebinarRegistered { contact: *contact, webinar: webinar.clone() });
            plan.remind_of_webinar(tx, *contact, webinar).await?;
        }
        Event::WebinarMoved { contact, webinar, sequence } => {
            let (contact, sequence) = (*contact, *sequence);
            plan.mail(Mail::WebinarMoved { contact, webinar: webinar.clone(), sequence });
            plan.remind_of_webinar(tx, contact, webinar).await?;
        }
        Event::WebinarCancelled { contact, webinar, by_us } => {
            let (contact, webinar, by_us) = (*contact, webinar.clone(), *by_us);
            plan.mail(Mail::WebinarCancelled { contact, webinar, by_us });
        }
        Event::WebinarMissed { contact, webinar } => {
            if desk.webinars.find(webinar).is_some_and(|webinar| webinar.recording().is_some()) {
                plan.mail(Mail::WebinarMissed { contact: *contact, webinar: webinar.clone() });
            }
        }
        Event::BookingConfirmed { booking, contact } => plan.booked(tx, *booking, *contact, 0, None).await?,
        Event::BookingRescheduled { booking, contact, sequence, was_at, was_rep, was_companion, by_us } => {
            let change = Change {
                was_at: *was_at,
                was_rep: was_rep.as_deref(),
                was_companion: was_companion.as_deref(),
                by_us: *by_us,
            };
            plan.booked(tx, *booking, *contact, *sequence, Some(change)).await?;
        }
        Event::BookingCancelled { booking, contact, sequence, by_us } => {
            let (sequence, by_us) = (*sequence, *by_us);
            plan.mail(Mail::BookingCancelled { booking: *booking, sequence, by_us });
            plan.tell_team(tx, *booking, |is_companion| Mail::RepCancelled {
                booking: *booking,
                sequence,
                is_companion,
                by_us,
            })
            .await?;
            plan.write_call(tx, *booking).await?;
            let kind = if by_us { "booking_cancelled_by_us" } else { "booking_cancelled" };
            plan.tell_of_booking(tx, *booking, *contact, kind).await?;
        }
        Event::HandoffRequested { conversation, contact } => {
            // Who is asked in the console is told by facts of their own.
            let notice = plan.of_chat(tx, "handoff_requested", *conversation, *contact, None).await?;
            plan.hooks(Fact::Handoffs, &notice);
        }
        Event::HandoffOffered { conversation, contact, account, by } => {
            let kind = if by.is_some() { "handoff_passed_on" } else { "handoff_requested" };
            let mut notice = plan.of_chat(tx, kind, *conversation, *contact, *account).await?;
            notice.rep = match by {
                Some(by) => accounts::find(tx, *by).await.map_err(unwritable)?.map(|by| by.name),
                None => None,
            };
            plan.add("console", recorded.at, Work::Console { notice });
        }
        Event::QuestionLeft { conversation, contact } => {
            let owner = match contact {
                Some(contact) => contacts::find(tx, *contact).await?.and_then(|contact| contact.owner),
                None => None,
            };
            let notice = plan.of_chat(tx, "question_left", *conversation, *contact, owner).await?;
            plan.tell(Fact::Handoffs, notice);
        }
        Event::FlowLetter { contact, letter, topic, conversation: _ } => {
            let (contact, template, topic) = (*contact, letter.clone(), topic.clone());
            plan.mail(Mail::FlowLetter { contact, template, topic });
        }
        Event::FlowNotice { conversation, contact, rule } => {
            let owner = match contact {
                Some(contact) => contacts::find(tx, *contact).await?.and_then(|contact| contact.owner),
                None => None,
            };
            let mut notice = plan.of_chat(tx, "flow_notice", *conversation, *contact, owner).await?;
            notice.note = Some(rule.clone());
            // A rule that was taken out since is told to nobody.
            for rule in desk.rules.alerts.iter().filter(|known| known.name.as_ref() == Some(rule)) {
                plan.follow(tx, rule, &notice).await?;
            }
        }
        Event::FlowEvent { hook, .. } => {
            let told = Told { event: recorded.event.clone(), at: recorded.at };
            plan.add(&format!("webhook:{hook}"), recorded.at, Work::Webhook { hook: hook.clone(), told });
        }
        Event::TranscriptAsked { conversation, contact, up_to, by: _ } => {
            plan.mail(Mail::Transcript { contact: *contact, conversation: *conversation, up_to: *up_to });
        }
        Event::SlaBreached { contact, stage, owner, due_at, .. } => {
            plan.tell_role(tx, *contact, owner, "sla_breached", stage).await?;
            plan.late(tx, *contact, owner, None, stage, *due_at).await?;
        }
        Event::HandoverGiven { handover, .. } => plan.handover(tx, *handover).await?,
        Event::HandoverLate { handover, .. } => plan.handover_late(tx, *handover).await?,
        Event::TaskGiven { task, .. } => plan.task(tx, *task).await?,
        Event::BantCompleted { contact } => plan.bant(tx, *contact).await?,
        Event::ContactOnSite { contact, page } => plan.on_site(tx, *contact, page).await?,
        Event::CustomerStateChanged { contact, to, .. } => {
            let track = desk.lifecycle.post_sale.as_ref();
            let state = track.filter(|track| track.first().id != *to).and_then(|track| track.state(to));
            if let Some(state) = state {
                plan.tell_role(tx, *contact, &state.owner, "customer_state_changed", to).await?;
            }
            if let Some(survey) = desk.rules.surveys.iter().find(|survey| survey.state == *to) {
                plan.mail(Mail::Survey { contact: *contact, state: to.clone(), form: survey.form.clone() });
            }
        }
        Event::ContactsMerged { .. }
        | Event::ContactsUnmerged { .. }
        | Event::SubscriptionAsked { confirm_at: None, .. }
        | Event::SubscriptionConfirmed { .. }
        | Event::SubscriptionEnded { .. }
        | Event::StageChanged { .. }
        | Event::SegmentEntered { .. }
        | Event::SegmentLeft { .. }
        | Event::DealWon { .. }
        | Event::DealLost { .. }
        | Event::MilestoneReached { .. }
        | Event::HandoverTaken { .. }
        | Event::WebinarAttended { .. }
        | Event::RecordingWatched { .. }
        | Event::ConversationOpened { .. }
        | Event::HandoffAccepted { .. }
        | Event::HandoffExpired { .. }
        | Event::ConversationClosed { .. } => {}
        Event::BookingOutcomeSet { booking, outcome, .. } => {
            if outcome == Outcome::NoShow.word() {
                // Once for a call, however often it is said; a little later, so that a slip can be taken back.
                let at = recorded.at.plus_ms(TAKE_BACK_MS);
                let work = Work::Mail { mail: Mail::BookingMissed { booking: *booking } };
                plan.planned.push(Planned { key: format!("booking-missed:{booking}"), at, work });
            }
        }
        Event::BookingWithdrawn { booking, sequence } => plan.withdrawn(tx, *booking, *sequence).await?,
        Event::RepMailFailed { booking, contact, rep, how: _ } => {
            plan.rep_mail_failed(tx, *booking, *contact, rep).await?
        }
        Event::BookingMailFailed { booking, contact, how: _ } => {
            plan.mail_failed(tx, *booking, *contact).await?
        }
        Event::CalendarStale { calendar, rep } => plan.calendar_stale(tx, *calendar, rep).await?,
        Event::EndpointDisabled { endpoint } => plan.disabled(tx, endpoint).await?,
    }
    plan.follow_rules(tx).await?;
    plan.webhooks();
    Ok(plan.planned)
}

/// How a file was asked for by mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// By a form, in which anybody can type an address.
    ByForm,
    /// By whoever holds a link of hers that works no longer.
    ForADeadLink,
}

/// The mail with a file that a person asked for, or whoever typed her address: by forms the same file once in ten
/// minutes, and so many in a day. Nothing if she has had it, or enough of them: the earlier link works. A dead
/// link of nobody (a form that was set apart, somebody erased) is counted and a mail is planned for it like for any other,
/// so that whoever asks waits for the same work; when its turn comes there is nobody to write to, and it is dropped.
///
/// # Errors
/// As the store says.
pub async fn mail_link(
    tx: &mut Tx,
    contact: ContactId,
    asset: &gates::Asset,
    visitor: Option<VisitorId>,
    (asked, key): (Asked, String),
    at: Timestamp,
) -> storage::Result<Option<Planned>> {
    let contact = match contacts::survivor(tx, contact).await {
        Ok(contact) => contact,
        Err(contacts::Error::Unknown) if asked == Asked::ForADeadLink => contact,
        Err(contacts::Error::Unknown) => return Ok(None),
        Err(contacts::Error::Storage(error)) => return Err(error),
    };
    tx.lock(&format!("links_mailed:{contact}")).await?;
    let a_day_ago = at.plus_ms(-DAY_MS);
    let mailed = store::links_mailed(tx, contact, a_day_ago).await?;
    let has_it = asked == Asked::ByForm
        && mailed.iter().any(|(file, then)| *file == asset.id && at.since_ms(*then).abs() < SAME_LINK_MS);
    if has_it || mailed.iter().filter(|(file, _)| file != PREFERENCES).count() >= LINKS_A_DAY {
        return Ok(None);
    }
    store::note_link_mailed(tx, contact, &asset.id, at, a_day_ago).await?;
    let mail = Mail::AssetLink { contact, asset: asset.id.clone(), visitor };
    Ok(Some(Planned { key, at, work: Work::Mail { mail } }))
}

/// Whether she is mailed the way to her preferences: anybody can type her address, so once in ten minutes and so many in
/// a day, from however many networks it is asked.
async fn may_mail_preferences(tx: &mut Tx, contact: ContactId, at: Timestamp) -> storage::Result<bool> {
    tx.lock(&format!("links_mailed:{contact}")).await?;
    let a_day_ago = at.plus_ms(-DAY_MS);
    let mailed = store::links_mailed(tx, contact, a_day_ago).await?;
    let times: Vec<Timestamp> =
        mailed.iter().filter(|(what, _)| what == PREFERENCES).map(|(_, then)| *then).collect();
    if times.len() >= LINKS_A_DAY || times.iter().any(|then| at.since_ms(*then).abs() < SAME_LINK_MS) {
        return Ok(false);
    }
    store::note_link_mailed(tx, contact, PREFERENCES, at, a_day_ago).await?;
    Ok(true)
}

/// What became of a call.
#[derive(Clone, Copy)]
struct Change<'a> {
    was_at: Timestamp,
    /// Who had it, if somebody else has it now.
    was_rep: Option<&'a str>,
    /// Who was there, too, and is not any more.
    was_companion: Option<&'a str>,
    by_us: bool,
}

struct Plan<'a> {
    desk: &'a Desk,
    recorded: &'a Recorded,
    planned: Vec<Planned>,
}

impl Plan<'_> {
    fn add(&mut self, what: &str, at: Timestamp, work: Work) {
        self.planned.push(Planned { key: format!("{}:{what}", self.recorded.id), at, work });
    }

    fn mail(&mut self, mail: Mail) {
        let name = mail.name().to_owned();
        self.add(&name, self.recorded.at, Work::Mail { mail });
    }

    fn tell(&mut self, fact: Fact, notice: Notice) {
        self.hooks(fact, &notice);
        self.add("console", self.recorded.at, Work::Console { notice });
    }

    fn hooks(&mut self, fact: Fact, notice: &Notice) {
        for hook in self.desk.rules.hooks.iter().filter(|hook| hook.on.contains(&fact)) {
            let work = Work::Hook { hook: hook.name.clone(), notice: notice.clone() };
            self.planned.push(Planned {
                key: format!("{}:hook:{}", self.recorded.id, hook.name),
                at: self.recorded.at,
                work,
            });
        }
    }

    /// Facts go to the programs that want them.
    fn webhooks(&mut self) {
        let Recorded { event, at, .. } = self.recorded;
        for hook in self.desk.rules.hooks.iter().filter(|hook| hook.is_told(event.kind())) {
            let told = Told { event: event.clone(), at: *at };
            self.add(&format!("webhook:{}", hook.name), *at, Work::Webhook { hook: hook.name.clone(), told });
        }
    }

    /// Who else hears of the lines that the console gets, each once by each way.
    async fn follow_rules(&mut self, tx: &mut Tx) -> Result<(), Error> {
        let desk = self.desk;
        let lines = self.planned.iter().filter_map(|planned| match &planned.work {
            Work::Console { notice } => Some(notice.clone()),
            Work::Mail { .. }
            | Work::Hook { .. }
            | Work::Webhook { .. }
            | Work::Push { .. }
            | Work::ReadCalendar { .. }
            | Work::WriteCall { .. } => None,
        });
        let lines: Vec<Notice> = lines.collect();
        for notice in lines.iter().filter(|notice| desk.rules.pushed.contains(&notice.kind.as_str())) {
            if self.is_too_late(tx, notice, notice.account).await? {
                continue;
            }
            self.push(tx, notice.account, notice).await?;
        }
        for rule in &desk.rules.alerts {
            for notice in lines.iter().filter(|notice| rule.on.contains(&notice.kind.as_str())) {
                self.follow(tx, rule, notice).await?;
            }
        }
        Ok(())
    }

    /// Tells a line to whom a rule names.
    async fn follow(&mut self, tx: &mut Tx, rule: &Alert, notice: &Notice) -> Result<(), Error> {
        let (desk, at) = (self.desk, self.recorded.at);
        for by in &rule.by {
            if let By::Hook(hook) = by {
                if self.is_too_late(tx, notice, None).await? {
                    continue;
                }
                // One line for the room, however many people it is for.
                let work = Work::Hook { hook: hook.clone(), notice: notice.clone() };
                self.add_once(&format!("hook:{hook}"), at, work);
            }
        }
        for account in heard_by(tx, rule, notice).await? {
            if rule.by.contains(&By::Console) {
                let own = Notice { account: Some(account), ..notice.clone() };
                self.add_once(&format!("console:{account}"), at, Work::Console { notice: own });
            }
            if self.is_too_late(tx, notice, Some(account)).await? {
                continue;
            }
            if rule.by.contains(&By::Push) {
                let own = Notice { account: Some(account), ..notice.clone() };
                self.push(tx, Some(account), &own).await?;
            }
            if !rule.by.contains(&By::Mail) {
                continue;
            }
            let Some(digest) = rule.digest else {
                let mail = Mail::Alert { account, notice: notice.clone() };
                self.add_once(&format!("alert:{account}"), at, Work::Mail { mail });
                continue;
            };
            let zone = desk.rules.quiet.zone_of(zone_of(desk, tx, account).await?.as_ref());
            let due_at = digest.next(&zone, at);
            store::gather(tx, account, due_at, notice, at).await?;
            // The first of the hour tells all; the others find nothing left. None is lost, however late it was
            // gathered.
            self.add_once(
                &format!("digest:{account}"),
                due_at,
                Work::Mail { mail: Mail::Digest { account, due_at } },
            );
        }
        Ok(())
    }

    /// Tells the browsers of somebody, or of everybody, each once.
    async fn push(&mut self, tx: &mut Tx, account: Option<AccountId>, notice: &Notice) -> Result<(), Error> {
        for device in push::devices_of(tx, account).await? {
            let work = Work::Push { device, notice: notice.clone() };
            self.add_once(&format!("push:{device}"), self.recorded.at, work);
        }
        Ok(())
    }

    /// As [`add`](Self::add), unless the same is planned already: somebody may be meant by two rules.
    fn add_once(&mut self, what: &str, at: Timestamp, work: Work) {
        let key = format!("{}:{what}", self.recorded.id);
        if self.planned.iter().all(|planned| planned.key != key) {
            self.planned.push(Planned { key, at, work });
        }
    }

    /// Tells the administrators that a webhook is not tried any more.
    async fn disabled(&mut self, tx: &mut Tx, endpoint: &str) -> Result<(), Error> {
        for account in store::accounts_of_role(tx, "admin").await? {
            let notice = Notice {
                kind: "endpoint_disabled".to_owned(),
                account: Some(account),
                who: endpoint.to_owned(),
                company: None,
                rep: None,
                starts_at: None,
                zone: "UTC".to_owned(),
                link: "/console/outbox".to_owned(),
                state: None,
                note: None,
            };
            self.add(
                &format!("console:{account}"),
                self.recorded.at,
                Work::Console { notice: notice.clone() },
            );
            self.add_once(
                &format!("alert:{account}"),
                self.recorded.at,
                Work::Mail { mail: Mail::Alert { account, notice } },
            );
        }
        Ok(())
    }

    async fn form(
        &mut self,
        tx: &mut Tx,
        contact: ContactId,
        submission: SubmissionId,
        form: &str,
    ) -> Result<(), Error> {
        let desk = self.desk;
        let Ok(form) = desk.catalog.form(form) else { return Ok(()) };
        if let Some(asset) = desk.catalog.delivered_by(form).filter(|asset| asset.deliver.is_by_email()) {
            // The device that asked: opening the mailed link there confirms the address.
            let submission = gates::submission(tx, submission).await.map_err(unwritable)?;
            let visitor = submission.and_then(|submission| submission.visitor);
            let key = format!("{}:asset_link", self.recorded.id);
            let asked = (Asked::ByForm, key);
            self.planned.extend(mail_link(tx, contact, asset, visitor, asked, self.recorded.at).await?);
        }
        for invitation in desk.rules.invitations.iter().filter(|invitation| invitation.form == form.id) {
            let lies_ahead = desk
                .webinars
                .find(&invitation.webinar)
                .is_some_and(|webinar| webinar.starts_at > self.recorded.at);
            let is_registered =
                webinars::registration(tx, &invitation.webinar, contact).await.map_err(unwritable)?.is_some();
            if lies_ahead && !is_registered {
                // Once for each person and webinar, however many forms are sent.
                self.planned.push(Planned {
                    key: format!("invitation:{}:{contact}", invitation.webinar),
                    at: self.recorded.at,
                    work: Work::Mail {
                        mail: Mail::WebinarInvitation { contact, webinar: invitation.webinar.clone() },
                    },
                });
            }
        }
        Ok(())
    }

    /// Reminders of a webinar at the times of its definition. One for each time however often somebody registers.
    async fn remind_of_webinar(&mut self, tx: &mut Tx, contact: ContactId, id: &str) -> Result<(), Error> {
        let Some(webinar) = self.desk.webinars.find(id) else { return Ok(()) };
        let sequence = webinars::dates(tx, webinar).await?.sequence;
        for before_ms in &webinar.remind_ms {
            let at = webinar.starts_at.plus_ms(-before_ms);
            // One that would be due at once says nothing that the confirmation does not.
            if at > self.recorded.at {
                let nearer_ms = nearer(&webinar.remind_ms, *before_ms);
                let mail = Mail::WebinarReminder { contact, webinar: id.to_owned(), sequence, nearer_ms };
                let key = format!("webinar-reminder:{id}:{contact}:{sequence}:{before_ms}");
                self.planned.push(Planned { key, at, work: Work::Mail { mail } });
            }
        }
        Ok(())
    }

    async fn booked(
        &mut self,
        tx: &mut Tx,
        booking: BookingId,
        contact: ContactId,
        sequence: i64,
        change: Option<Change<'_>>,
    ) -> Result<(), Error> {
        let known = bookings::find(tx, booking).await.map_err(unwritable)?;
        self.mail(match change {
            Some(Change { was_at, was_rep, was_companion: _, by_us }) => {
                let was_rep = was_rep.map(str::to_owned);
                Mail::BookingRescheduled { booking, sequence, was_at, was_rep, by_us }
            }
            None => Mail::BookingConfirmed { booking, sequence },
        });
        self.tell_team(tx, booking, |is_companion| Mail::RepBooked { booking, sequence, is_companion })
            .await?;
        for before_ms in &self.desk.rules.remind_ms {
            let at = known.starts_at.plus_ms(-before_ms);
            if at > self.recorded.at {
                let nearer_ms = nearer(&self.desk.rules.remind_ms, *before_ms);
                let mail = Mail::BookingReminder { booking, sequence, nearer_ms };
                self.add(&format!("remind:{before_ms}"), at, Work::Mail { mail });
                for is_companion in [false, true].into_iter().take(1 + usize::from(known.companion.is_some()))
                {
                    let mail = Mail::RepReminder { booking, sequence, is_companion, nearer_ms };
                    let whom = if is_companion { "companion" } else { "rep" };
                    self.add(&format!("remind:{before_ms}:{whom}"), at, Work::Mail { mail });
                }
            }
        }
        self.write_call(tx, booking).await?;
        let was_rep = change.and_then(|change| change.was_rep);
        let was_companion = change.and_then(|change| change.was_companion);
        for former in [was_rep, was_companion] {
            let Some(former) = former else { continue };
            // Whoever was the other one of the two still has it.
            let is_there = known.rep == former || known.companion.as_deref() == Some(former);
            if !is_there {
                self.tell_former(tx, booking, contact, sequence, former).await?;
            }
        }
        let kind = match change {
            None => "booking_confirmed",
            Some(Change { was_rep: Some(_), .. }) => "booking_passed_on",
            Some(Change { by_us: true, .. }) => "booking_moved_by_us",
            Some(_) => "booking_rescheduled",
        };
        self.tell_of_booking(tx, booking, contact, kind).await
    }

    /// Tells whoever had a call that somebody else has it now, and takes it out of her calendar.
    async fn tell_former(
        &mut self,
        tx: &mut Tx,
        booking: BookingId,
        contact: ContactId,
        sequence: i64,
        former: &str,
    ) -> Result<(), Error> {
        let Some(rep) = former::rep(tx, &self.desk.team, former).await? else { return Ok(()) };
        let mail = Mail::RepReplaced { booking, sequence, former: former.to_owned() };
        self.add(&format!("rep_replaced:{former}"), self.recorded.at, Work::Mail { mail });
        let Some(account) = store::account_of(tx, &rep.account).await? else { return Ok(()) };
        let Some(mut notice) = self.of_booking(tx, booking, contact, "booking_given_away").await? else {
            return Ok(());
        };
        notice.account = Some(account);
        notice.zone = rep.zone.iana_name().unwrap_or("UTC").to_owned();
        self.add(&format!("console:former:{former}"), self.recorded.at, Work::Console { notice });
        Ok(())
    }

    /// The line about a call, for the rep who holds it.
    async fn of_booking(
        &self,
        tx: &mut Tx,
        booking: BookingId,
        contact: ContactId,
        kind: &str,
    ) -> Result<Option<Notice>, Error> {
        let booking = bookings::find(tx, booking).await.map_err(unwritable)?;
        let Some(contact) = contacts::find(tx, contact).await? else { return Ok(None) };
        let rep = former::rep(tx, &self.desk.team, &booking.rep).await?;
        let account = match &rep {
            Some(rep) => store::account_of(tx, &rep.account).await?,
            None => None,
        };
        let zone = rep.as_ref().and_then(|rep| rep.zone.iana_name()).unwrap_or("UTC").to_owned();
        Ok(Some(Notice {
            kind: kind.to_owned(),
            account,
            who: contact.display_name(),
            company: company_name(tx, &contact).await?,
            rep: Some(rep.map_or_else(|| booking.rep.clone(), |rep| rep.name)),
            starts_at: Some(booking.starts_at),
            zone,
            link: format!("/console/contacts/{}", contact.id),
            state: None,
            note: None,
        }))
    }

    /// A mail to everybody of the team who is there.
    async fn tell_team(
        &mut self,
        tx: &mut Tx,
        booking: BookingId,
        mail: impl Fn(bool) -> Mail,
    ) -> Result<(), Error> {
        let known = bookings::find(tx, booking).await.map_err(unwritable)?;
        self.mail(mail(false));
        if known.companion.is_some() {
            let mail = mail(true);
            let what = format!("{}:companion", mail.name());
            self.add(&what, self.recorded.at, Work::Mail { mail });
        }
        Ok(())
    }

    /// Brings a call into the calendars of those who hold it, or out of them, if there are any.
    async fn write_call(&mut self, tx: &mut Tx, booking: BookingId) -> Result<(), Error> {
        let known = bookings::find(tx, booking).await.map_err(unwritable)?;
        let mut is_anywhere = !calendars::written(tx, booking).await?.is_empty();
        for rep in std::iter::once(&known.rep).chain(&known.companion) {
            is_anywhere |= !calendars::writable(tx, rep).await?.is_empty();
        }
        if is_anywhere {
            self.add("calendar", self.recorded.at, Work::WriteCall { booking });
        }
        Ok(())
    }

    /// Tells a rep, and the administrators, that her calendar is not believed any more and nobody can book her.
    async fn calendar_stale(&mut self, tx: &mut Tx, id: CalendarId, rep: &str) -> Result<(), Error> {
        let Some(calendar) = calendars::find(tx, id).await? else { return Ok(()) };
        let Some(rep) = self.desk.team.rep(rep) else { return Ok(()) };
        let mut accounts = store::accounts_of_role(tx, "admin").await?;
        accounts.extend(store::account_of(tx, &rep.account).await?);
        accounts.sort_unstable();
        accounts.dedup();
        for account in accounts {
            let notice = Notice {
                kind: "calendar_stale".to_owned(),
                account: Some(account),
                who: rep.name.clone(),
                company: None,
                rep: Some(rep.name.clone()),
                starts_at: None,
                zone: rep.zone.iana_name().unwrap_or("UTC").to_owned(),
                link: "/console/calendars".to_owned(),
                state: None,
                note: Some(calendar.host.clone()),
            };
            self.add(&format!("console:{account}"), self.recorded.at, Work::Console { notice });
        }
        self.mail(Mail::CalendarStale { calendar: id });
        Ok(())
    }

    async fn tell_of_booking(
        &mut self,
        tx: &mut Tx,
        booking: BookingId,
        contact: ContactId,
        kind: &str,
    ) -> Result<(), Error> {
        let Some(notice) = self.of_booking(tx, booking, contact, kind).await? else { return Ok(()) };
        let booking = bookings::find(tx, booking).await.map_err(unwritable)?;
        let companion = match &booking.companion {
            Some(companion) => former::rep(tx, &self.desk.team, companion).await?,
            None => None,
        };
        let companions = match &companion {
            Some(rep) => store::account_of(tx, &rep.account).await?,
            None => None,
        };
        if let (Some(rep), Some(account)) = (companion, companions) {
            let zone = rep.zone.iana_name().unwrap_or("UTC").to_owned();
            let own = Notice { account: Some(account), zone, ..notice.clone() };
            self.add("console:companion", self.recorded.at, Work::Console { notice: own });
        }
        self.tell(Fact::Bookings, notice);
        Ok(())
    }

    /// Tells those who hold a call, and whoever stands in for a rep who is away, that its visitor has not had the mail about
    /// it. If none of them has an account, the sales people are told: somebody has to ring.
    async fn mail_failed(
        &mut self,
        tx: &mut Tx,
        booking: BookingId,
        contact: ContactId,
    ) -> Result<(), Error> {
        let Some(mut notice) = self.of_booking(tx, booking, contact, "booking_mail_failed").await? else {
            return Ok(());
        };
        // The page says what happened and gives the number; the contact is named so that her erasure finds the line.
        notice.link = format!("/console/bookings/{booking}?contact={contact}");
        let desk = self.desk;
        let by_mail = desk.rules.by_mail.contains(&ByMail::Undelivered);
        let known = bookings::find(tx, booking).await.map_err(unwritable)?;
        let at = self.recorded.at;
        let absences = bookings::absences(tx, &desk.team, at).await.map_err(unwritable)?;
        let holders: Vec<&str> =
            std::iter::once(known.rep.as_str()).chain(known.companion.as_deref()).collect();
        let stand_ins = holders.iter().filter_map(|rep| absence::stand_in(&absences, rep, at));
        let mut reps: Vec<&str> = holders.iter().copied().chain(stand_ins).collect();
        reps.sort_unstable();
        reps.dedup();
        let mut accounts = BTreeSet::new();
        for id in reps {
            let Some(rep) = former::rep(tx, &desk.team, id).await? else { continue };
            if let Some(account) = store::account_of(tx, &rep.account).await? {
                accounts.insert(account);
            } else if by_mail {
                // The team's file has an address of hers all the same.
                let mail = Mail::RepUnreached { booking, rep: Some(rep.id.clone()), account: None };
                self.add(&format!("rep_unreached:{}", rep.id), at, Work::Mail { mail });
            }
        }
        if accounts.is_empty() {
            accounts.extend(accounts_of(tx, "sdr").await?);
        }
        for account in accounts {
            self.add_console(account, &notice);
            if by_mail {
                self.mail_to(account, Mail::RepUnreached { booking, rep: None, account: Some(account) });
            }
        }
        self.hooks(Fact::Bookings, &notice);
        Ok(())
    }

    /// Tells those who were to hold a call that it is off, for its visitor was erased: without a word about her.
    async fn withdrawn(&mut self, tx: &mut Tx, booking: BookingId, sequence: i64) -> Result<(), Error> {
        self.tell_team(tx, booking, |is_companion| Mail::RepWithdrawn { booking, sequence, is_companion })
            .await?;
        self.write_call(tx, booking).await?;
        let known = bookings::find(tx, booking).await.map_err(unwritable)?;
        let mut notice = Notice {
            kind: "booking_withdrawn".to_owned(),
            account: None,
            who: String::new(),
            company: None,
            rep: None,
            starts_at: Some(known.starts_at),
            zone: "UTC".to_owned(),
            link: format!("/console/bookings/{booking}"),
            state: None,
            note: None,
        };
        let mut is_told = false;
        for id in std::iter::once(&known.rep).chain(&known.companion) {
            let Some(rep) = former::rep(tx, &self.desk.team, id).await? else { continue };
            notice.rep.get_or_insert_with(|| rep.name.clone());
            if let Some(account) = store::account_of(tx, &rep.account).await? {
                notice.zone = rep.zone.iana_name().unwrap_or("UTC").to_owned();
                self.add_console(account, &notice);
                is_told = true;
            }
        }
        if !is_told {
            // Nobody in particular can be told: everybody is.
            self.add("console", self.recorded.at, Work::Console { notice: notice.clone() });
        }
        self.hooks(Fact::Bookings, &notice);
        Ok(())
    }

    /// Tells the administrators that a colleague who holds a call, or held it, has not had the mail about it. The console has
    /// told her herself, if she looks.
    async fn rep_mail_failed(
        &mut self,
        tx: &mut Tx,
        booking: BookingId,
        contact: Option<ContactId>,
        rep: &str,
    ) -> Result<(), Error> {
        let known = bookings::find(tx, booking).await.map_err(unwritable)?;
        let contact = match contact {
            Some(contact) => contacts::find(tx, contact).await?,
            None => None,
        };
        let link = match &contact {
            // So that the contact's erasure finds the line.
            Some(contact) => format!("/console/bookings/{booking}?contact={}", contact.id),
            None => format!("/console/bookings/{booking}"),
        };
        let of_rep = former::rep(tx, &self.desk.team, rep).await?;
        let zone = of_rep.as_ref().and_then(|rep| rep.zone.iana_name()).unwrap_or("UTC").to_owned();
        let notice = Notice {
            kind: "rep_mail_failed".to_owned(),
            account: None,
            who: contact.as_ref().map_or_else(String::new, Contact::display_name),
            company: None,
            rep: Some(of_rep.map_or_else(|| rep.to_owned(), |rep| rep.name)),
            starts_at: Some(known.starts_at),
            zone,
            link,
            state: None,
            note: None,
        };
        for account in store::accounts_of_role(tx, "admin").await? {
            self.add_console(account, &notice);
            if self.desk.rules.by_mail.contains(&ByMail::Undelivered) {
                self.mail_to(account, Mail::RepLost { booking, rep: rep.to_owned(), account });
            }
        }
        self.hooks(Fact::Bookings, &notice);
        Ok(())
    }

    /// Tells everybody of a role of a contact and of what became of her.
    async fn tell_role(
        &mut self,
        tx: &mut Tx,
        contact: ContactId,
        role: &str,
        kind: &str,
        state: &str,
    ) -> Result<(), Error> {
        let Some(contact) = contacts::find(tx, contact).await? else { return Ok(()) };
        let company = company_name(tx, &contact).await?;
        for account in accounts_of(tx, role).await? {
            let notice = Notice {
                kind: kind.to_owned(),
                account: Some(account),
                who: contact.display_name(),
                company: company.clone(),
                rep: None,
                starts_at: None,
                zone: "UTC".to_owned(),
                link: format!("/console/contacts/{}", contact.id),
                state: Some(state.to_owned()),
                note: None,
            };
            self.add(&format!("console:{account}"), self.recorded.at, Work::Console { notice });
        }
        Ok(())
    }

    /// Tells whoever a contact is handed over to; everybody of the role, if it is nobody in particular.
    async fn handover(&mut self, tx: &mut Tx, id: HandoverId) -> Result<(), Error> {
        let Some(handover) = handovers::find(tx, id).await?.filter(Handover::is_open) else { return Ok(()) };
        let Some(notice) = self.about(tx, &handover, "handover_given").await? else { return Ok(()) };
        for account in self.meant(tx, &handover).await? {
            self.add_console(account, &notice);
            if self.desk.rules.by_mail.contains(&ByMail::Handovers) {
                self.mail_to(account, Mail::HandoverGiven { handover: id, account });
            }
        }
        self.hooks(Fact::Handovers, &notice);
        Ok(())
    }

    /// Tells whoever has not taken a contact over in time.
    async fn handover_late(&mut self, tx: &mut Tx, id: HandoverId) -> Result<(), Error> {
        let Some(handover) = handovers::find(tx, id).await?.filter(Handover::is_open) else { return Ok(()) };
        let Some(notice) = self.about(tx, &handover, "handover_late").await? else { return Ok(()) };
        for account in self.meant(tx, &handover).await? {
            self.add_console(account, &notice);
        }
        let due_at = handover.due_at.unwrap_or(self.recorded.at);
        self.late(tx, handover.contact, &handover.role, handover.account, &handover.stage, due_at).await?;
        Ok(())
    }

    async fn about(&self, tx: &mut Tx, handover: &Handover, kind: &str) -> Result<Option<Notice>, Error> {
        let Some(contact) = contacts::find(tx, handover.contact).await? else { return Ok(None) };
        let from = match handover.from {
            Some(from) => accounts::find(tx, from).await?,
            None => None,
        };
        let mut notice = bare_notice(kind, &contact, company_name(tx, &contact).await?);
        notice.rep = from.map(|from| from.name);
        notice.state = Some(handover.stage.clone());
        notice.note.clone_from(&handover.note);
        Ok(Some(notice))
    }

    /// Who is told of a hand-over: whom it goes to, else everybody of its role, else the administrators.
    async fn meant(&self, tx: &mut Tx, handover: &Handover) -> Result<Vec<AccountId>, Error> {
        match handover.account {
            Some(account) => Ok(vec![account]),
            None => accounts_of(tx, &handover.role).await,
        }
    }

    /// Mails that somebody is late to whoever answers for it: to her owner, if she has the role, else to the whole role.
    async fn late(
        &mut self,
        tx: &mut Tx,
        contact: ContactId,
        role: &str,
        account: Option<AccountId>,
        stage: &str,
        due_at: Timestamp,
    ) -> Result<(), Error> {
        let Some(known) = contacts::find(tx, contact).await? else { return Ok(()) };
        let mut notice = bare_notice("sla_breached", &known, company_name(tx, &known).await?);
        notice.state = Some(stage.to_owned());
        self.hooks(Fact::Late, &notice);
        if !self.desk.rules.by_mail.contains(&ByMail::Late) {
            return Ok(());
        }
        let all = accounts_of(tx, role).await?;
        let one = account.or(known.owner).filter(|account| all.contains(account));
        for account in one.map_or(all, |one| vec![one]) {
            let mail = Mail::ResponseLate { contact: known.id, account, stage: stage.to_owned(), due_at };
            self.mail_to(account, mail);
        }
        Ok(())
    }

    /// Tells whoever has something to do, unless she gave it to herself.
    async fn task(&mut self, tx: &mut Tx, id: TaskId) -> Result<(), Error> {
        let Some(task) = tasks::find(tx, id).await?.filter(|task| task.done_at.is_none()) else {
            return Ok(());
        };
        if task.given_by == Some(task.account) {
            return Ok(());
        }
        let Some(contact) = contacts::find(tx, task.contact).await? else { return Ok(()) };
        let mut notice = bare_notice("task_given", &contact, company_name(tx, &contact).await?);
        notice.note = Some(task.title.clone());
        self.add_console(task.account, &notice);
        if self.desk.rules.by_mail.contains(&ByMail::Tasks) {
            self.mail_to(task.account, Mail::TaskGiven { task: id });
        }
        Ok(())
    }

    /// Tells whoever looks after a contact that all four answers are known.
    async fn bant(&mut self, tx: &mut Tx, contact: ContactId) -> Result<(), Error> {
        let Some(contact) = contacts::find(tx, contact).await? else { return Ok(()) };
        if let Some(owner) = contact.owner {
            let notice = bare_notice("bant_completed", &contact, company_name(tx, &contact).await?);
            self.add_console(owner, &notice);
        }
        Ok(())
    }

    /// Tells whoever looks after a contact, or after a named company, that she is on the site.
    async fn on_site(&mut self, tx: &mut Tx, contact: ContactId, page: &str) -> Result<(), Error> {
        let desk = self.desk;
        let rule = &desk.rules.on_site;
        let Some(contact) = contacts::find(tx, contact).await? else { return Ok(()) };
        let company = match contact.company {
            Some(company) => contacts::company(tx, company).await?,
            None => None,
        };
        let mut meant: BTreeSet<AccountId> = contact.owner.filter(|_| rule.owners).into_iter().collect();
        if company.as_ref().is_some_and(|company| rule.names(&company.domain)) {
            for whom in &rule.to {
                match whom {
                    Whom::Theirs => meant.extend(contact.owner),
                    Whom::Role(role) => meant.extend(store::accounts_of_role(tx, role.word()).await?),
                    Whom::Person(email) => meant.extend(store::account_of(tx, email).await?),
                }
            }
        }
        if meant.is_empty() || !contacts::may_tell_of(tx, contact.id, rule.every_ms, self.recorded.at).await?
        {
            return Ok(());
        }
        let mut notice = bare_notice(ON_SITE, &contact, company.map(|company| company.name));
        notice.link = format!("/console/live?contact={}", contact.id);
        notice.note = Some(page.to_owned());
        notice.state = Some(contact.stage);
        for account in meant {
            self.add_console(account, &notice);
        }
        Ok(())
    }

    /// Whether something is news only now and the reader is to be let be now: it is not told later, when it is none.
    async fn is_too_late(
        &self,
        tx: &mut Tx,
        notice: &Notice,
        account: Option<AccountId>,
    ) -> Result<bool, Error> {
        if notice.kind != ON_SITE {
            return Ok(false);
        }
        let zone = match account {
            Some(account) => zone_of(self.desk, tx, account).await?,
            None => None,
        };
        Ok(self.desk.rules.quiet.until(&notice.kind, zone.as_ref(), self.recorded.at).is_some())
    }

    fn add_console(&mut self, account: AccountId, notice: &Notice) {
        let notice = Notice { account: Some(account), ..notice.clone() };
        self.add(&format!("console:{account}"), self.recorded.at, Work::Console { notice });
    }

    fn mail_to(&mut self, account: AccountId, mail: Mail) {
        let what = format!("{}:{account}", mail.name());
        self.add(&what, self.recorded.at, Work::Mail { mail });
    }

    /// A line about a conversation; for everybody, if it is for nobody in particular.
    async fn of_chat(
        &self,
        tx: &mut Tx,
        kind: &str,
        conversation: ConversationId,
        contact: Option<ContactId>,
        account: Option<AccountId>,
    ) -> Result<Notice, Error> {
        let contact = match contact {
            Some(contact) => contacts::find(tx, contact).await?,
            None => None,
        };
        let company = match &contact {
            Some(contact) => company_name(tx, contact).await?,
            None => None,
        };
        Ok(Notice {
            kind: kind.to_owned(),
            account,
            who: contact.map_or_else(String::new, |contact| contact.display_name()),
            company,
            rep: None,
            starts_at: None,
            zone: "UTC".to_owned(),
            link: format!("/console/inbox/{conversation}"),
            state: None,
            note: None,
        })
    }
}

/// Who hears of a line by a rule.
async fn heard_by(tx: &mut Tx, rule: &Alert, notice: &Notice) -> Result<BTreeSet<AccountId>, Error> {
    let mut heard = BTreeSet::new();
    for whom in &rule.to {
        match whom {
            Whom::Theirs => heard.extend(notice.account),
            Whom::Role(role) => heard.extend(store::accounts_of_role(tx, role.word()).await?),
            Whom::Person(email) => heard.extend(store::account_of(tx, email).await?),
        }
    }
    Ok(heard)
}

/// How long before a thing the reminder is planned that follows on this one, if one does.
fn nearer(remind_ms: &[i64], before_ms: i64) -> Option<i64> {
    remind_ms.iter().copied().filter(|other| *other < before_ms).max()
}

/// Everybody of a role; without anybody the administrators, because somebody has to hear of it.
async fn accounts_of(tx: &mut Tx, role: &str) -> Result<Vec<AccountId>, Error> {
    let accounts = store::accounts_of_role(tx, role).await?;
    if accounts.is_empty() { Ok(store::accounts_of_role(tx, "admin").await?) } else { Ok(accounts) }
}

/// A line about a contact, for nobody in particular yet.
fn bare_notice(kind: &str, contact: &Contact, company: Option<String>) -> Notice {
    Notice {
        kind: kind.to_owned(),
        account: None,
        who: contact.display_name(),
        company,
        rep: None,
        starts_at: None,
        zone: "UTC".to_owned(),
        link: format!("/console/contacts/{}", contact.id),
        state: None,
        note: None,
    }
}

async fn company_name(tx: &mut Tx, contact: &Contact) -> Result<Option<String>, Error> {
    Ok(match contact.company {
        Some(company) => contacts::company(tx, company).await?.map(|company| company.name),
        None => None,
    })
}

fn unwritable(error: impl std::fmt::Display) -> Error {
    Error::Unwritable(error.to_string())
}
