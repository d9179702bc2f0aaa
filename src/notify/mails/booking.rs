//! Calls: to the person who booked and to the rep, each with a calendar entry.

use serde_json::{Value as Json, json};

use super::{Draft, Kind, Mail, Reader, Ready, context, ready, site_context, team};
use crate::base::ids::{AccountId, BookingId, ContactId, EarlierId};
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::bookings::invite::{Invite, Method};
use crate::bookings::questions::PHONE;
use crate::bookings::team::{Meeting, Rep};
use crate::bookings::{self, Booking, Link, Outcome, State, earlier, former, openings};
use crate::chat;
use crate::chat::body::{Author, Body};
use crate::contacts::{self, Activity, Field};
use crate::notify::compose::{Dress, compose};
use crate::notify::why::why;
use crate::notify::{Desk, Error, Why, store, undelivered};
use crate::render::Zone;
use crate::storage::db::Queries;

/// Things people did that a rep wants to know before a call; the latest of each kind.
const TOLD: &[&str] = &[
    "form.submitted",
    "asset.downloaded",
    "webinar.registered",
    "webinar.attended",
    "webinar.no_show",
    "recording.watched",
    "handoff.requested",
];
const HISTORY_MOST: usize = 8;
/// Lines of the conversation.
const CONVERSATION_MOST: usize = 40;

/// What all mails about one call need; nothing if the call has changed since the mail was planned. Its rep and its kind
/// may stand in the team's file no more: then they are what the file said last.
struct Call {
    booking: Booking,
    meeting: Meeting,
    /// Who holds it; the company's own mailbox where nobody knows any more who that was.
    rep: Rep,
    /// Whether she can be written to.
    has_rep: bool,
    /// Who else of the team is there.
    companion: Option<Rep>,
    reader: Reader,
    /// Whether it is certain that her address is hers: only then is she told what was typed.
    is_hers: bool,
}

impl Call {
    async fn find(desk: &Desk, mail: &Mail, id: BookingId, sequence: i64) -> Result<Option<Self>, Error> {
        let call = Self::now(desk, id).await?;
        let is_about_cancelling = matches!(mail, Mail::BookingCancelled { .. } | Mail::RepCancelled { .. });
        let wanted = if is_about_cancelling { State::Cancelled } else { State::Confirmed };
        Ok(call.filter(|call| call.booking.state == wanted && call.booking.sequence == sequence))
    }

    /// The call as it is now, whatever became of it.
    async fn now(desk: &Desk, id: BookingId) -> Result<Option<Self>, Error> {
        let mut q = desk.stores.db.read();
        let booking = match bookings::find(&mut q, id).await {
            Ok(booking) => booking,
            Err(bookings::Error::Unknown) => return Ok(None),
            Err(error) => return Err(Error::Unwritable(error.to_string())),
        };
        let Some(contact) = booking.contact else { return Ok(None) };
        let Some(reader) = Reader::of(desk, contact).await? else { return Ok(None) };
        let meeting = former::meeting(&mut q, &desk.team, &booking).await?;
        let rep = former::rep(&mut q, &desk.team, &booking.rep).await?;
        let companion = match &booking.companion {
            Some(companion) => former::rep(&mut q, &desk.team, companion).await?,
            None => None,
        };
        let trust = contacts::trust_in(&mut q, booking.visitor, contact).await;
        let is_hers = trust.map_err(|error| Error::Unwritable(error.to_string()))?.may_see_stored();
        let has_rep = rep.is_some();
        let rep = rep.unwrap_or_else(|| former::nobody(&booking.rep, &reader.company, &desk.from));
        Ok(Some(Self { booking, meeting, rep, has_rep, companion, reader, is_hers }))
    }

    /// Where another call can be booked: a page of the same kind, of the first kind there is, else the company's own.
    fn again(&self, desk: &Desk, language: Language) -> String {
        match desk.team.meeting(&self.booking.meeting).or(desk.team.meetings.first()) {
            Some(meeting) => desk.link(&format!("/book/{}?lang={}", meeting.id, language.code())),
            None => self.reader.site["home"].as_str().unwrap_or(&desk.public_url).to_owned(),
        }
    }

    fn ics(
        &self,
        desk: &Desk,
        language: Language,
        is_for_visitor: bool,
        now: Timestamp,
    ) -> (&'static str, String) {
        let method = if self.booking.state == State::Cancelled { Method::Cancel } else { Method::Request };
        let name = self.reader.contact.display_name();
        let view = self.link(desk, Link::View);
        let invite = Invite {
            booking: &self.booking,
            meeting: &self.meeting,
            rep: &self.rep,
            companion: self.companion.as_ref(),
            visitor: Some((&name, &self.reader.contact.email)),
            organizer: &desk.from,
            // Entries are forwarded and shared: what changes the call stands in her mail alone.
            view: is_for_visitor.then_some(view.as_str()),
            repeats: !is_for_visitor || self.is_hers,
            language,
        };
        (method.word(), invite.ics(method, now))
    }

    /// A link for whoever booked.
    fn link(&self, desk: &Desk, link: Link) -> String {
        desk.link(&link.path(&desk.keys, &self.booking, self.booking.updated_at))
    }

    /// With whom the call is, in words.
    fn host(&self, desk: &Desk, language: Language) -> String {
        let Some(companion) = &self.companion else { return self.rep.name.clone() };
        let values = [("one", self.rep.name.clone()), ("other", companion.name.clone())];
        desk.templates.texts().get(language, "booking.two", &values).unwrap_or_else(|| self.rep.name.clone())
    }

    fn told(&self, desk: &Desk, language: Language) -> Json {
        json!({
            "meeting": {
                "id": self.meeting.id,
                "title": self.meeting.title.get(language),
                "duration_ms": self.booking.ends_at.since_ms(self.booking.starts_at),
            },
            "host": self.host(desk, language),
            "location": self.booking.place(Some(&self.meeting), language),
            "starts_at": self.booking.starts_at,
            "ends_at": self.booking.ends_at,
            "notes": self.booking.notes,
            "answers": self
                .booking
                .answers
                .told(&self.meeting.questions, language)
                .into_iter()
                .map(|(ask, said)| json!({ "ask": ask, "said": said }))
                .collect::<Vec<Json>>(),
        })
    }
}

pub(super) async fn to_visitor(
    desk: &Desk,
    mail: &Mail,
    id: BookingId,
    sequence: i64,
    now: Timestamp,
) -> Result<Draft, Error> {
    let Some(call) = Call::find(desk, mail, id, sequence).await? else { return Ok(Draft::CHANGED) };
    // A mail that waited too long (the mail server was away) would ask her to come to what is over. That it was called off
    // she is told all the same.
    if call.booking.state == State::Confirmed && call.booking.starts_at <= now {
        return Ok(Draft::CHANGED);
    }
    if is_said_by_a_later(mail, &call.booking, now) {
        return Ok(Draft::Unwanted(Why::LATER_REMINDER));
    }
    let language = call.booking.language;
    let mut tells = call.told(desk, language);
    tells["move"] = json!(call.link(desk, Link::Move));
    tells["cancel"] = json!(call.link(desk, Link::Cancel));
    tells["notes"] = json!(call.booking.notes.as_ref().filter(|_| call.is_hers));
    tells["phone"] =
        json!(call.booking.answers.get(PHONE).filter(|_| call.is_hers && call.meeting.by_telephone));
    (tells["was_at"], tells["was_with"]) = match mail {
        Mail::BookingRescheduled { was_at, was_rep, .. } => {
            let was_with = match was_rep {
                Some(id) => former::rep(&mut desk.stores.db.read(), &desk.team, id).await?,
                None => None,
            };
            (json!(was_at), json!(was_with.map(|rep| rep.name)))
        }
        _ => (Json::Null, Json::Null),
    };
    tells["has_new_time"] = json!(tells["was_at"] != json!(call.booking.starts_at));
    tells["by_us"] = json!(is_by_us(mail));
    tells["reason"] = json!(call.booking.cancel_reason);
    tells["again"] = json!(call.again(desk, language));
    let calendar = match mail {
        Mail::BookingReminder { .. } => None,
        _ => Some(call.ics(desk, language, true, now)),
    };
    // Times are told in the zone in which the call was booked.
    let mut reader = call.reader;
    reader.contact.time_zone = Some(call.booking.time_zone.clone());
    reader.contact.language = language;
    ready(desk, mail, &reader, Kind::Answer, now, tells, calendar)
}

/// To somebody who did not come, if that still stands and she has not booked anew.
pub(super) async fn missed(desk: &Desk, mail: &Mail, id: BookingId, now: Timestamp) -> Result<Draft, Error> {
    let Some(call) = Call::now(desk, id).await? else { return Ok(Draft::CHANGED) };
    if call.booking.state != State::Confirmed || call.booking.outcome != Some(Outcome::NoShow) {
        return Ok(Draft::CHANGED);
    }
    let others = bookings::of_contact(&mut desk.stores.db.read(), call.reader.contact.id).await;
    let others = others.map_err(|error| Error::Unwritable(error.to_string()))?;
    if others.iter().any(|other| other.state == State::Confirmed && other.starts_at > now) {
        return Ok(Draft::Unwanted(Why::BOOKED));
    }
    let language = call.booking.language;
    let mut tells = call.told(desk, language);
    tells["again"] = json!(call.again(desk, language));
    if desk.team.rep(&call.booking.rep).is_none() {
        // Another time cannot be with whoever left.
        tells["host"] = json!(call.reader.company);
    }
    let mut reader = call.reader;
    reader.contact.time_zone = Some(call.booking.time_zone.clone());
    reader.contact.language = language;
    ready(desk, mail, &reader, Kind::Answer, now, tells, None)
}

/// To whoever waits for an earlier time, if it is still kept for her.
pub(super) async fn earlier(desk: &Desk, mail: &Mail, id: EarlierId, now: Timestamp) -> Result<Draft, Error> {
    let offer = match earlier::find(&mut desk.stores.db.read(), id).await {
        Ok(offer) => offer,
        Err(bookings::Error::Unknown) => return Ok(Draft::CHANGED),
        Err(error) => return Err(Error::Unwritable(error.to_string())),
    };
    let call = Call::now(desk, offer.booking).await?;
    let call = call.filter(|call| {
        call.booking.state == State::Confirmed
            && offer.is_open(now)
            && offer.starts_at < call.booking.starts_at
    });
    let Some(call) = call else { return Ok(Draft::CHANGED) };
    let language = call.booking.language;
    let mut tells = call.told(desk, language);
    let path = earlier::path(&desk.keys, &offer, &call.booking, now);
    tells["earlier_at"] = json!(offer.starts_at);
    tells["kept_until"] = json!(offer.expires_at);
    tells["link"] = json!(desk.link(&format!("{path}?lang={}", language.code())));
    let mut reader = call.reader;
    reader.contact.time_zone = Some(call.booking.time_zone.clone());
    reader.contact.language = language;
    ready(desk, mail, &reader, Kind::Answer, now, tells, None)
}

/// To whoever found no free time: there is one. Nothing if she has a call by now.
pub(super) async fn opening(
    desk: &Desk,
    mail: &Mail,
    contact: ContactId,
    meeting: &str,
    now: Timestamp,
) -> Result<Draft, Error> {
    let mut q = desk.stores.db.read();
    let unwritable = |error: bookings::Error| Error::Unwritable(error.to_string());
    let wish = openings::find(&mut q, meeting, contact).await.map_err(unwritable)?;
    let (Some(wish), Some(meeting)) = (wish, desk.team.meeting(meeting)) else { return Ok(Draft::CHANGED) };
    let Some(mut reader) = Reader::of(desk, contact).await? else { return Ok(Draft::CHANGED) };
    let calls = bookings::of_contact(&mut q, reader.contact.id).await.map_err(unwritable)?;
    if calls.iter().any(|call| call.state == State::Confirmed && call.starts_at > now) {
        return Ok(Draft::Unwanted(Why::BOOKED));
    }
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("lang", wish.language.code())
        .append_pair("zone", &wish.time_zone)
        .finish();
    let tells = json!({
        "meeting": {
            "id": meeting.id, "title": meeting.title.get(wish.language), "duration_ms": meeting.duration_ms,
        },
        "book": desk.link(&format!("/book/{}?{query}", meeting.id)),
    });
    reader.contact.time_zone = Some(wish.time_zone);
    reader.contact.language = wish.language;
    ready(desk, mail, &reader, Kind::Answer, now, tells, None)
}

/// Whether a reminder says what a nearer one says by now: after the server, or the mail server, was away for long.
fn is_said_by_a_later(mail: &Mail, booking: &Booking, now: Timestamp) -> bool {
    match mail {
        Mail::BookingReminder { nearer_ms: Some(nearer_ms), .. }
        | Mail::RepReminder { nearer_ms: Some(nearer_ms), .. } => {
            booking.starts_at.plus_ms(-nearer_ms) <= now
        }
        _ => false,
    }
}

/// Whether the company did what the mail tells of.
fn is_by_us(mail: &Mail) -> bool {
    matches!(
        mail,
        Mail::BookingRescheduled { by_us: true, .. }
            | Mail::BookingCancelled { by_us: true, .. }
            | Mail::RepCancelled { by_us: true, .. }
    )
}

/// To the rep who had the call: who has it now. The entry in her calendar is withdrawn; everybody else's stays.
pub(super) async fn to_former(
    desk: &Desk,
    mail: &Mail,
    (id, sequence): (BookingId, i64),
    former: &str,
    now: Timestamp,
) -> Result<Draft, Error> {
    let mut q = desk.stores.db.read();
    let Some(former) = former::rep(&mut q, &desk.team, former).await? else {
        return Ok(Draft::Unwanted(Why::REP_GONE));
    };
    let call = Call::now(desk, id).await?;
    // Whatever became of it later: it is not hers, unless it was given back.
    let call = call.filter(|call| {
        let is_hers = call.booking.rep == former.id || call.booking.companion.as_ref() == Some(&former.id);
        call.booking.sequence >= sequence && !is_hers
    });
    let Some(call) = call else { return Ok(Draft::CHANGED) };
    let language = language_of(&mut q, &former).await?;
    let contact = &call.reader.contact;
    let name = contact.display_name();
    let mut tells = call.told(desk, language);
    tells["contact"] = json!({ "name": name });
    tells["reason"] = json!(call.booking.assignment.as_ref().and_then(|reason| reason.note.clone()));
    tells["link"] = json!(desk.link(&format!("/console/contacts/{}", contact.id)));
    let zone = former.zone.iana_name().unwrap_or("UTC");
    let context = context(zone, &call.reader.site, now, tells);
    let off = Booking { state: State::Cancelled, ..call.booking.clone() };
    let invite = Invite {
        booking: &off,
        meeting: &call.meeting,
        rep: &former,
        companion: None,
        visitor: Some((&name, &contact.email)),
        organizer: &desk.from,
        view: None,
        repeats: true,
        language,
    };
    Ok(Draft::Ready(Box::new(Ready {
        unsubscribe: None,
        secret: None,
        is_hidden: false,
        template: mail.name().to_owned(),
        kind: Kind::Answer,
        language,
        to: former.email.clone(),
        to_name: former.name.clone(),
        from_name: call.reader.company.clone(),
        contact: None,
        written: compose(&desk.templates, &desk.wording, mail.name(), language, &context, &Dress::default())?,
        context,
        calendar: Some((Method::Cancel.word(), invite.ics(Method::Cancel, now))),
    })))
}

/// To the rep, or to whoever else looks after the call: the visitor has not had the mail about it, and can still be rung.
pub(super) async fn unreached(
    desk: &Desk,
    mail: &Mail,
    id: BookingId,
    (rep, account): (Option<&str>, Option<AccountId>),
    now: Timestamp,
) -> Result<Draft, Error> {
    let Some(call) = Call::now(desk, id).await? else { return Ok(Draft::CHANGED) };
    if call.booking.ends_at <= now {
        return Ok(Draft::CHANGED);
    }
    let mut q = desk.stores.db.read();
    let failed = undelivered::of_call(&mut q, id).await?.into_iter().rfind(|failed| failed.rep.is_none());
    let Some(failed) = failed else { return Ok(Draft::CHANGED) };
    let colleague = match account {
        Some(account) => team::colleague(&mut q, account).await?,
        None => None,
    };
    let rep = match (&colleague, rep) {
        (Some(colleague), _) => desk.team.rep_of_account(&colleague.email).cloned(),
        (None, Some(id)) => former::rep(&mut q, &desk.team, id).await?,
        (None, None) => None,
    };
    let (to, to_name, language) = match (&colleague, &rep) {
        (Some(colleague), _) => (&colleague.email, &colleague.name, colleague.language),
        (None, Some(rep)) => (&rep.email, &rep.name, rep.languages.first().copied().unwrap_or_default()),
        (None, None) => return Ok(Draft::CHANGED),
    };
    let contact = &call.reader.contact;
    let fields = contacts::fields(&mut q, contact.id).await?;
    let known = fields.iter().find(|field| field.name == PHONE && !field.is_suggestion);
    let phone = call.booking.answers.get(PHONE).or(known.map(|field| field.value.as_str()));
    let zone = rep.as_ref().unwrap_or(&call.rep).zone.iana_name().unwrap_or("UTC");
    let at = call.booking.starts_at.as_ms();
    let (theirs, own) = (Zone::named(&call.booking.time_zone), Zone::named(zone));
    let their_time = format!("{}, {}", theirs.time(at), theirs.label(at, language));
    let is_elsewhere = theirs.datetime(at, language) != own.datetime(at, language);
    let how = format!("mails.undelivered.{}", failed.how.word());
    let mut tells = call.told(desk, language);
    tells["contact"] = json!({ "name": contact.display_name(), "email": failed.recipient, "phone": phone });
    tells["their_time"] = json!(Some(their_time).filter(|_| is_elsewhere));
    tells["what"] = json!(desk.wording.title(&failed.template, language));
    tells["how"] = json!(desk.templates.texts().get(language, &how, &[]));
    tells["is_off"] = json!(call.booking.state == State::Cancelled);
    tells["link"] = json!(desk.link(&format!("/console/bookings/{id}")));
    let context = context(zone, &call.reader.site, now, tells);
    Ok(Draft::Ready(Box::new(Ready {
        is_hidden: false,
        unsubscribe: None,
        secret: None,
        template: mail.name().to_owned(),
        kind: Kind::Answer,
        language,
        to: to.clone(),
        to_name: to_name.clone(),
        from_name: call.reader.company.clone(),
        contact: None,
        written: compose(&desk.templates, &desk.wording, mail.name(), language, &context, &Dress::default())?,
        context,
        calendar: None,
    })))
}

pub(super) async fn to_rep(
    desk: &Desk,
    mail: &Mail,
    (id, sequence): (BookingId, i64),
    is_companion: bool,
    now: Timestamp,
) -> Result<Draft, Error> {
    let Some(call) = Call::find(desk, mail, id, sequence).await? else { return Ok(Draft::CHANGED) };
    let is_reminder = matches!(mail, Mail::RepReminder { .. });
    if is_reminder && call.booking.starts_at <= now {
        return Ok(Draft::CHANGED);
    }
    if is_said_by_a_later(mail, &call.booking, now) {
        return Ok(Draft::Unwanted(Why::LATER_REMINDER));
    }
    let (rep, other) = match (is_companion, &call.companion) {
        (false, other) if call.has_rep => (&call.rep, other.as_ref()),
        (true, Some(companion)) => (companion, Some(&call.rep)),
        (false, _) => return Ok(Draft::Unwanted(Why::REP_GONE)),
        (true, None) if call.booking.companion.is_some() => return Ok(Draft::Unwanted(Why::REP_GONE)),
        (true, None) => return Ok(Draft::CHANGED),
    };
    let contact = &call.reader.contact;
    let mut q = desk.stores.db.read();
    let language = language_of(&mut q, rep).await?;
    let company = match contact.company {
        Some(company) => contacts::company(&mut q, company).await?.map(|company| company.name),
        None => None,
    };
    let fields = contacts::fields(&mut q, contact.id).await?;
    let activities = contacts::activities(&mut q, contact.id, 200).await?;
    let field = |name: &str| {
        fields.iter().find(|field| field.name == name && !field.is_suggestion).map(|field: &Field| {
            let label = desk.flows.label(name, &field.value, language);
            label.unwrap_or_else(|| field.value.clone())
        })
    };
    let stage = desk.lifecycle.stage(&contact.stage).map(|stage| stage.label.get(language).to_owned());
    let their_zone = Zone::named(&call.booking.time_zone);
    let at = call.booking.starts_at.as_ms();
    let mut tells = call.told(desk, language);
    let reason = call.booking.assignment.as_ref();
    let reason = if is_companion { reason.and_then(|reason| reason.companion.as_deref()) } else { reason };
    tells["also"] = json!(other.map(|other| other.name.clone()));
    tells["why"] = json!(reason.map(|reason| why(&desk.templates, &desk.team, reason, language).text));
    tells["moved"] = json!(call.booking.sequence > 0);
    tells["reason"] = json!(call.booking.cancel_reason);
    tells["by_us"] = json!(is_by_us(mail));
    tells["contact"] = json!({
        "name": contact.display_name(), "email": contact.email.as_str(), "company": company,
        "phone": field("phone"), "stage": stage.unwrap_or_else(|| contact.stage.clone()),
    });
    let own_zone = Zone::named(rep.zone.iana_name().unwrap_or("UTC"));
    let is_elsewhere = their_zone.datetime(at, language) != own_zone.datetime(at, language);
    let their_time = format!("{}, {}", their_zone.time(at), their_zone.label(at, language));
    tells["their_time"] = json!(Some(their_time).filter(|_| is_elsewhere));
    // The number is hers already, above.
    let phone = field("phone");
    if let (Json::Array(answers), Some(phone)) = (&mut tells["answers"], &phone) {
        answers.retain(|answer| answer["said"] != json!(phone));
    }
    tells["bant"] = json!({
        "need": field("need"), "timeline": field("timeline"), "authority": field("authority"), "budget": field("budget"),
    });
    tells["history"] = history(desk, &activities, language);
    let who = contact.display_name();
    tells["conversation"] = conversation(desk, &mut q, (&call.booking, rep), &who, language).await?;
    tells["transcript"] = json!(
        call.booking.conversation.map(|conversation| desk.link(&format!("/console/inbox/{conversation}")))
    );
    tells["link"] = json!(desk.link(&format!("/console/contacts/{}", contact.id)));
    let zone = rep.zone.iana_name().unwrap_or("UTC");
    let context = context(zone, &call.reader.site, now, tells);
    Ok(Draft::Ready(Box::new(Ready {
        is_hidden: false,
        unsubscribe: None,
        secret: None,
        template: mail.name().to_owned(),
        kind: Kind::Answer,
        language,
        to: rep.email.clone(),
        to_name: rep.name.clone(),
        from_name: call.reader.company.clone(),
        contact: None,
        written: compose(&desk.templates, &desk.wording, mail.name(), language, &context, &Dress::default())?,
        context,
        calendar: (!is_reminder).then(|| call.ics(desk, language, false, now)),
    })))
}

/// In the language in which the rep reads the console; without an account, in the first one of the team's file.
async fn language_of(q: &mut impl Queries, rep: &Rep) -> Result<Language, Error> {
    Ok(match store::account_of(q, &rep.account).await? {
        Some(account) => store::language_of(q, account).await?,
        None => rep.languages.first().copied().unwrap_or_default(),
    })
}

/// To those of the team who were to hold a call: it is off, for its visitor was erased. Nothing of hers is in it; the entry
/// goes by its name.
pub(super) async fn withdrawn(
    desk: &Desk,
    mail: &Mail,
    (id, sequence): (BookingId, i64),
    is_companion: bool,
    now: Timestamp,
) -> Result<Draft, Error> {
    let mut q = desk.stores.db.read();
    let booking = match bookings::find(&mut q, id).await {
        Ok(booking) => booking,
        Err(bookings::Error::Unknown) => return Ok(Draft::CHANGED),
        Err(error) => return Err(Error::Unwritable(error.to_string())),
    };
    let id = if is_companion { booking.companion.as_deref() } else { Some(booking.rep.as_str()) };
    let Some(id) = id.filter(|_| booking.state == State::Cancelled && booking.sequence == sequence) else {
        return Ok(Draft::CHANGED);
    };
    let Some(rep) = former::rep(&mut q, &desk.team, id).await? else {
        return Ok(Draft::Unwanted(Why::REP_GONE));
    };
    let meeting = former::meeting(&mut q, &desk.team, &booking).await?;
    let language = language_of(&mut q, &rep).await?;
    let tells = json!({
        "meeting": {
            "id": meeting.id,
            "title": meeting.title.get(language),
            "duration_ms": booking.ends_at.since_ms(booking.starts_at),
        },
        "starts_at": booking.starts_at,
        "ends_at": booking.ends_at,
        "link": desk.link("/console/bookings"),
    });
    let zone = rep.zone.iana_name().unwrap_or("UTC");
    let site = site_context(&desk.company, &desk.public_url);
    let context = context(zone, &site, now, tells);
    let invite = Invite {
        booking: &booking,
        meeting: &meeting,
        rep: &rep,
        companion: None,
        visitor: None,
        organizer: &desk.from,
        view: None,
        repeats: false,
        language,
    };
    Ok(Draft::Ready(Box::new(Ready {
        unsubscribe: None,
        secret: None,
        is_hidden: false,
        template: mail.name().to_owned(),
        kind: Kind::Answer,
        language,
        to: rep.email.clone(),
        to_name: rep.name.clone(),
        from_name: desk.company.clone(),
        contact: None,
        written: compose(&desk.templates, &desk.wording, mail.name(), language, &context, &Dress::default())?,
        context,
        calendar: Some((Method::Cancel.word(), invite.ics(Method::Cancel, now))),
    })))
}

/// To an administrator: a colleague who holds a call, or held it, has not had the mail about it.
pub(super) async fn rep_lost(
    desk: &Desk,
    mail: &Mail,
    id: BookingId,
    (rep, account): (&str, AccountId),
    now: Timestamp,
) -> Result<Draft, Error> {
    let mut q = desk.stores.db.read();
    let booking = match bookings::find(&mut q, id).await {
        Ok(booking) if booking.ends_at > now => booking,
        Ok(_) | Err(bookings::Error::Unknown) => return Ok(Draft::CHANGED),
        Err(error) => return Err(Error::Unwritable(error.to_string())),
    };
    let failed = undelivered::of_call(&mut q, id).await?;
    let failed = failed.into_iter().rfind(|failed| failed.rep.as_deref() == Some(rep));
    let (Some(failed), Some(colleague)) = (failed, team::colleague(&mut q, account).await?) else {
        return Ok(Draft::CHANGED);
    };
    let language = colleague.language;
    let meeting = former::meeting(&mut q, &desk.team, &booking).await?;
    let who = match booking.contact {
        Some(contact) => contacts::find(&mut q, contact).await?.map(|contact| contact.display_name()),
        None => None,
    };
    let how = format!("mails.undelivered.{}", failed.how.word());
    let tells = json!({
        "meeting": { "id": meeting.id, "title": meeting.title.get(language) },
        "starts_at": booking.starts_at,
        "rep": { "name": former::name(&mut q, &desk.team, rep).await?, "email": failed.recipient },
        "in_file": desk.team.rep(rep).is_some(),
        "contact": { "name": who },
        "what": desk.wording.title(&failed.template, language),
        "how": desk.templates.texts().get(language, &how, &[]),
        "is_off": booking.state == State::Cancelled,
        "is_hers": booking.rep == rep || booking.companion.as_deref() == Some(rep),
        "link": desk.link(&format!("/console/bookings/{id}")),
    });
    let own = desk.team.rep_of_account(&colleague.email);
    let zone = own.and_then(|own| own.zone.iana_name()).unwrap_or("UTC");
    let context = context(zone, &site_context(&desk.company, &desk.public_url), now, tells);
    Ok(Draft::Ready(Box::new(Ready {
        unsubscribe: None,
        secret: None,
        is_hidden: false,
        template: mail.name().to_owned(),
        kind: Kind::Answer,
        language,
        to: colleague.email.clone(),
        to_name: colleague.name.clone(),
        from_name: desk.company.clone(),
        contact: None,
        written: compose(&desk.templates, &desk.wording, mail.name(), language, &context, &Dress::default())?,
        context,
        calendar: None,
    })))
}

/// The end of the conversation that the call was booked in, as `{who, text}`; empty without one.
async fn conversation(
    desk: &Desk,
    q: &mut impl Queries,
    (booking, rep): (&Booking, &Rep),
    visitor: &str,
    language: Language,
) -> Result<Json, Error> {
    let Some(id) = booking.conversation else { return Ok(json!([])) };
    let zone = Zone::named(rep.zone.iana_name().unwrap_or("UTC"));
    let mut lines = Vec::new();
    for entry in chat::transcript(q, id, &desk.company).await? {
        let text = match &entry.body {
            Body::Slot { starts_at: Some(at), .. } => {
                Some(format!("{}, {}", zone.weekday_date(at.as_ms(), language), zone.time(at.as_ms())))
            }
            Body::Booked(_) => None,
            body => chat::log::line(body),
        };
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else { continue };
        let who = match entry.author.kind {
            Author::Visitor => visitor.to_owned(),
            Author::Bot | Author::Agent | Author::System => entry.author.name.unwrap_or_default(),
        };
        lines.push(json!({ "who": who, "text": text.replace('\n', " ") }));
    }
    let surplus = lines.len().saturating_sub(CONVERSATION_MOST);
    lines.drain(..surplus);
    Ok(Json::Array(lines))
}

/// What somebody did, in words, the earliest first.
fn history(desk: &Desk, activities: &[Activity], language: Language) -> Json {
    let mut seen = std::collections::BTreeSet::new();
    // The newest comes first: of a recording, how far it was watched in the end.
    let is_news = |activity: &&Activity| {
        let is_watched = activity.kind == "recording.watched";
        !is_watched || seen.insert(activity.subject.clone())
    };
    let mut lines: Vec<Json> = activities
        .iter()
        .filter(|activity| TOLD.contains(&activity.kind.as_str()))
        .filter(is_news)
        .filter_map(|activity| {
            let subject = title_of(desk, activity, language);
            let percent = activity.props.get("percent").map(ToString::to_string).unwrap_or_default();
            let key = format!("mails.history.{}", activity.kind);
            let text =
                desk.templates.texts().get(language, &key, &[("subject", subject), ("percent", percent)])?;
            Some(json!({ "at": activity.at, "text": text }))
        })
        .take(HISTORY_MOST)
        .collect();
    lines.reverse();
    Json::Array(lines)
}

/// What people call the thing that was done something to.
fn title_of(desk: &Desk, activity: &Activity, language: Language) -> String {
    let id = activity.subject.as_deref().unwrap_or_default();
    let title = desk
        .catalog
        .asset(id)
        .map(|asset| &asset.title)
        .or_else(|| desk.webinars.find(id).map(|webinar| &webinar.title))
        .or_else(|| desk.webinars.recording(id).map(|(_, recording)| &recording.title))
        .or_else(|| desk.catalog.form(id).ok().map(|form| &form.title));
    title.map_or_else(|| id.to_owned(), |title| title.get(language).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Templates;
    use crate::scoring::condition::KINDS;

    #[test]
    fn everything_that_is_told_happens_and_has_words() {
        let templates = Templates::embedded().expect("what is built in");
        for kind in TOLD {
            assert!(KINDS.contains(kind), "nothing in the product is called {kind}");
            for language in Language::ALL {
                let values = [("subject", String::new()), ("percent", String::new())];
                let text = templates.texts().get(language, &format!("mails.history.{kind}"), &values);
                assert!(text.is_some(), "{kind} has no words in {}", language.code());
            }
        }
    }
}
