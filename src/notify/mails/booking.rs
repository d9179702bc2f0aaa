//! Calls: to the person who booked and to the rep, each with a calendar entry.

use serde_json::{Value as Json, json};

use super::{Draft, Kind, Mail, Reader, Ready, context, ready, team};
use crate::base::ids::{AccountId, BookingId, ContactId, EarlierId};
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::bookings::invite::{Invite, Method};
use crate::bookings::questions::PHONE;
use crate::bookings::team::{Meeting, Rep};
use crate::bookings::{self, Booking, Link, Outcome, State, earlier, openings};
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

/// What all mails about one call need; nothing if the call has changed since the mail was planned.
struct Call<'a> {
    booking: Booking,
    meeting: &'a Meeting,
    rep: &'a Rep,
    /// Who else of the team is there.
    companion: Option<&'a Rep>,
    reader: Reader,
    /// Whether it is certain that her address is hers: only then is she told what was typed.
    is_hers: bool,
}

impl<'a> Call<'a> {
    async fn find(desk: &'a Desk, mail: &Mail, id: BookingId, sequence: i64) -> Result<Option<Self>, Error> {
        let call = Self::now(desk, id).await?;
        let is_about_cancelling = matches!(mail, Mail::BookingCancelled { .. } | Mail::RepCancelled { .. });
        let wanted = if is_about_cancelling { State::Cancelled } else { State::Confirmed };
        Ok(call.filter(|call| call.booking.state == wanted && call.booking.sequence == sequence))
    }

    /// The call as it is now, whatever became of it.
    async fn now(desk: &'a Desk, id: BookingId) -> Result<Option<Self>, Error> {
        let booking = match bookings::find(&mut desk.stores.db.read(), id).await {
            Ok(booking) => booking,
            Err(bookings::Error::Unknown) => return Ok(None),
            Err(error) => return Err(Error::Unwritable(error.to_string())),
        };
        let (Some(meeting), Some(rep), Some(contact)) =
            (desk.team.meeting(&booking.meeting), desk.team.rep(&booking.rep), booking.contact)
        else {
            return Ok(None);
        };
        let Some(reader) = Reader::of(desk, contact).await? else { return Ok(None) };
        let companion = booking.companion.as_deref().and_then(|id| desk.team.rep(id));
        let trust = contacts::trust_in(&mut desk.stores.db.read(), booking.visitor, contact).await;
        let is_hers = trust.map_err(|error| Error::Unwritable(error.to_string()))?.may_see_stored();
        Ok(Some(Self { booking, meeting, rep, companion, reader, is_hers }))
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
            meeting: self.meeting,
            rep: self.rep,
            companion: self.companion,
            visitor: (&name, &self.reader.contact.email),
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
        let Some(companion) = self.companion else { return self.rep.name.clone() };
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
            "location": self.booking.place(Some(self.meeting), language),
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
    let language = call.booking.language;
    let mut tells = call.told(desk, language);
    tells["move"] = json!(call.link(desk, Link::Move));
    tells["cancel"] = json!(call.link(desk, Link::Cancel));
    tells["notes"] = json!(call.booking.notes.as_ref().filter(|_| call.is_hers));
    tells["phone"] =
        json!(call.booking.answers.get(PHONE).filter(|_| call.is_hers && call.meeting.by_telephone));
    (tells["was_at"], tells["was_with"]) = match mail {
        Mail::BookingRescheduled { was_at, was_rep, .. } => {
            let was_with = was_rep.as_deref().and_then(|id| desk.team.rep(id));
            (json!(was_at), json!(was_with.map(|rep| rep.name.clone())))
        }
        _ => (Json::Null, Json::Null),
    };
    tells["has_new_time"] = json!(tells["was_at"] != json!(call.booking.starts_at));
    tells["by_us"] = json!(is_by_us(mail));
    tells["reason"] = json!(call.booking.cancel_reason);
    tells["again"] = json!(desk.link(&format!("/book/{}?lang={}", call.meeting.id, language.code())));
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
    tells["again"] = json!(desk.link(&format!("/book/{}?lang={}", call.meeting.id, language.code())));
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
    let Some(former) = desk.team.rep(former) else { return Ok(Draft::CHANGED) };
    let call = Call::now(desk, id).await?;
    // Whatever became of it later: it is not hers, unless it was given back.
    let call = call.filter(|call| call.booking.sequence >= sequence && call.rep.id != former.id);
    let Some(call) = call else { return Ok(Draft::CHANGED) };
    let mut q = desk.stores.db.read();
    let language = match store::account_of(&mut q, &former.account).await? {
        Some(account) => store::language_of(&mut q, account).await?,
        None => former.languages.first().copied().unwrap_or_default(),
    };
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
        meeting: call.meeting,
        rep: former,
        companion: None,
        visitor: (&name, &contact.email),
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
    let Some(failed) = undelivered::of_call(&mut q, id).await?.pop() else { return Ok(Draft::CHANGED) };
    let colleague = match account {
        Some(account) => team::colleague(&mut q, account).await?,
        None => None,
    };
    let rep = match (&colleague, rep) {
        (Some(colleague), _) => desk.team.rep_of_account(&colleague.email),
        (None, rep) => rep.and_then(|id| desk.team.rep(id)),
    };
    let (to, to_name, language) = match (&colleague, rep) {
        (Some(colleague), _) => (&colleague.email, &colleague.name, colleague.language),
        (None, Some(rep)) => (&rep.email, &rep.name, rep.languages.first().copied().unwrap_or_default()),
        (None, None) => return Ok(Draft::CHANGED),
    };
    let contact = &call.reader.contact;
    let fields = contacts::fields(&mut q, contact.id).await?;
    let known = fields.iter().find(|field| field.name == PHONE && !field.is_suggestion);
    let phone = call.booking.answers.get(PHONE).or(known.map(|field| field.value.as_str()));
    let zone = rep.unwrap_or(call.rep).zone.iana_name().unwrap_or("UTC");
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
    let (rep, other) = match (is_companion, call.companion) {
        (false, other) => (call.rep, other),
        (true, Some(companion)) => (companion, Some(call.rep)),
        (true, None) => return Ok(Draft::CHANGED),
    };
    let contact = &call.reader.contact;
    let mut q = desk.stores.db.read();
    // In the language in which the rep reads the console; without an account, in the first one of the team's file.
    let account = store::account_of(&mut q, &rep.account).await?;
    let language = match account {
        Some(account) => store::language_of(&mut q, account).await?,
        None => rep.languages.first().copied().unwrap_or_default(),
    };
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
