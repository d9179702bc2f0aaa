//! What the engine may know of a visitor at this moment, read from the domains to our left.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::body::{Caption, Video};
use super::engine::{CONFIRMED, Crowd, Props, World};
use super::text::Reader;
use super::{Error, Page, Room, symbols};
use crate::base::expr::Context;
use crate::base::ids::{ContactId, VisitorId};
use crate::base::language::Language;
use crate::base::time::{Timestamp, zone};
use crate::bookings;
use crate::contacts::{self, Contact, Trust};
use crate::segments;
use crate::stages;
use crate::storage::db::Queries;
use crate::webinars::{self, Recording};

/// Whom the world is seen by.
pub(super) struct Sight<'a> {
    pub visitor: VisitorId,
    pub language: Language,
    pub zone: &'a str,
    pub page: &'a Page,
    /// The path of the page that she is on now, if it is another.
    pub path: Option<&'a str>,
    /// How sure it can be at most who she is.
    pub most_trust: Trust,
    /// Who of the company is there.
    pub online: &'a Crowd,
}

/// The world as a visitor's flow may see it.
pub(super) async fn see(
    q: &mut impl Queries,
    room: &Room,
    sight: &Sight<'_>,
    now: Timestamp,
) -> Result<World, Error> {
    let holder = contacts::holder(q, sight.visitor).await?;
    let trust = holder.as_ref().map(|(_, trust)| (*trust).min(sight.most_trust));
    let trust = trust.map_or(0, |trust| u8::try_from(trust.level()).unwrap_or(0));
    let mut facts = Context::new();
    facts
        .set("trust", trust)
        .set("team.online", sight.online.all)
        .set("visit.language", sight.language.code())
        .set("visit.returning", sight.page.returning)
        .set("visit.path", sight.path.map_or_else(|| sight.page.path(), str::to_owned))
        .set("contact.has_email", holder.is_some());
    for (name, value) in sight.page.campaign() {
        facts.set(&format!("visit.{name}"), value);
    }
    let opens_at = room.team.opens_at(None, now);
    facts.set("hours.open", opens_at == Some(now)).set("hours.opens_at", opens_at.map(|at| at.0)).function(
        symbols::IS_OPEN,
        {
            let team = room.team.clone();
            move |arguments| {
                let name = arguments.first().and_then(Json::as_str).unwrap_or_default();
                Ok(Json::Bool(team.opens_at(Some(name), now) == Some(now)))
            }
        },
    );
    facts.function(symbols::IS_ONLINE, {
        let online = sight.online.clone();
        move |arguments| {
            let team = arguments.first().and_then(Json::as_str).unwrap_or_default();
            Ok(Json::Bool(online.of(team) > 0))
        }
    });
    let mut world = World {
        now,
        reader: Reader {
            language: sight.language,
            zone: zone(sight.zone).unwrap_or(jiff::tz::TimeZone::UTC),
        },
        zone: sight.zone.to_owned(),
        trust,
        facts,
        known: BTreeMap::new(),
        has_email: holder.is_some(),
        online: sight.online.clone(),
        recordings: BTreeMap::new(),
        props: Props { seed: sight.visitor.to_string(), arms: BTreeMap::new() },
    };
    let mut watchable: Vec<&Recording> =
        room.webinars.webinars.iter().flat_map(|webinar| &webinar.recordings).collect();
    let confirmed = holder.as_ref().filter(|_| trust >= CONFIRMED).map(|(contact, _)| contact);
    if let Some(contact) = confirmed {
        person(q, room, contact, sight.visitor, &mut world, now).await?;
    }
    // Who is not known stands at the beginning.
    let stage = confirmed.map_or(room.lifecycle.first().id.as_str(), |contact| contact.stage.as_str());
    watchable.retain(|recording| recording.suits(stage));
    for recording in watchable.drain(..) {
        let holder = holder.as_ref().filter(|_| trust >= CONFIRMED).map(|(contact, _)| contact.id);
        let video = video(q, room, recording, sight, holder, now).await?;
        world.recordings.insert(recording.id.clone(), video);
    }
    Ok(world)
}

/// What is stored about a confirmed person.
async fn person(
    q: &mut impl Queries,
    room: &Room,
    contact: &Contact,
    visitor: VisitorId,
    world: &mut World,
    now: Timestamp,
) -> Result<(), Error> {
    let company = match contact.company {
        Some(company) => contacts::company(q, company).await?.map(|company| company.name),
        None => None,
    };
    world
        .facts
        .set("contact.known", true)
        .set("contact.first_name", contact.first_name.clone())
        .set("contact.last_name", contact.last_name.clone())
        .set("contact.email", contact.email.as_str())
        .set("contact.company", company)
        .set("contact.stage", contact.stage.clone())
        .set("contact.segments", segments::of_contact(q, contact.id).await?);
    for field in contacts::fields(q, contact.id).await?.into_iter().filter(|field| !field.is_suggestion) {
        world.known.insert(field.name, Json::from(field.value));
    }
    if let Some(state) = stages::track::state_of(q, contact.id).await? {
        world.facts.set("customer.state", state);
    }
    if let Some(latest) = webinars::latest(q, contact.id).await?
        && let Some(webinar) = room.webinars.find(&latest.webinar)
    {
        let language = world.reader.language;
        let recording = webinar.recording_for(&contact.stage).map(|recording| recording.id.clone());
        if let Some(recording) = &recording {
            let watched = webinars::watched_of(q, recording, visitor).await?;
            world.facts.set("webinar.watched_percent", watched.map_or(0, |watched| watched.percent));
        }
        world
            .facts
            .set("webinar.id", webinar.id.clone())
            .set("webinar.title", webinar.title.get(language))
            .set("webinar.state", latest.state.word())
            .set("webinar.recording", recording);
    }
    let booked = bookings::of_contact(q, contact.id).await?;
    let ahead =
        |booking: &&bookings::Booking| booking.state == bookings::State::Confirmed && booking.starts_at > now;
    if let Some(booking) = booked.iter().filter(ahead).min_by_key(|booking| booking.starts_at) {
        let rep = room.team.rep_name(&booking.rep).to_owned();
        world
            .facts
            .set("booking.upcoming", true)
            .set("booking.starts_at", booking.starts_at.0)
            .set("booking.with", rep);
    }
    Ok(())
}

async fn video(
    q: &mut impl Queries,
    room: &Room,
    recording: &Recording,
    sight: &Sight<'_>,
    contact: Option<ContactId>,
    now: Timestamp,
) -> Result<Video, Error> {
    let watched = webinars::watched_of(q, &recording.id, sight.visitor).await?;
    let token = webinars::recording_link(&room.keys, recording, contact, now);
    let captions = recording.captions.iter().map(|(language, _)| Caption {
        src: format!("/r/{token}/{}.vtt", language.code()),
        language: language.code().to_owned(),
        label: match language {
            Language::En => "English",
            Language::Es => "Español",
        }
        .to_owned(),
    });
    Ok(Video {
        recording: recording.id.clone(),
        title: recording.title.get(sight.language).to_owned(),
        src: format!("/r/{token}?lang={}", sight.language.code()),
        poster: recording.poster.as_ref().map(|_| format!("/r/{token}/poster")),
        captions: captions.collect(),
        // Whole seconds are enough for a player's label.
        duration_s: format!("{:.0}", recording.duration_s).parse().unwrap_or(0),
        watched_percent: watched.map_or(0, |watched| watched.percent),
    })
}
