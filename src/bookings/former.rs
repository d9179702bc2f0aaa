//! Reps and kinds of meetings that stand in the team's file no more, and of whom calls lie ahead all the same: a colleague
//! left, a kind of call was given up. Nobody is to hear less of such a call by that, so what the file said last is kept
//! beside it: names, addresses, zones and titles, from one start to the next, for as long as a call needs it.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::Booking;
use super::absence;
use super::limits::{Limit, Limits};
use super::own_week::OwnWeek;
use super::questions::Question;
use super::store::{diary, former as store};
use super::team::{Gone, GoneMeeting, Meeting, Rep, Role, Team, Week, Window};
use crate::accounts;
use crate::base::email::Email;
use crate::base::ids::BookingId;
use crate::base::language::Language;
use crate::base::localized::Localized;
use crate::base::time::{DAY_MS, MINUTE_MS, Timestamp, zone};
use crate::deals::Milestone;
use crate::storage::Result;
use crate::storage::db::{Queries, Tx};

/// So long after a call what is told of it may still be needed: how it went, and the mail to whoever did not come.
const KEPT_MS: i64 = 31 * DAY_MS;
/// How far ahead the team may move a call, in days.
const WINDOW_DAYS: u16 = 365;

/// What is remembered of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// Somebody who holds calls.
    Rep,
    /// A kind of call.
    Meeting,
}

impl Thing {
    /// As it stands in the table.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Rep => "rep",
            Self::Meeting => "meeting",
        }
    }
}

/// A call that lies ahead, and who holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ahead {
    pub booking: BookingId,
    /// The meeting's id.
    pub meeting: String,
    /// The rep's id.
    pub rep: String,
    /// The id of whoever else of the team is there.
    pub companion: Option<String>,
    pub starts_at: Timestamp,
}

/// A call that lies ahead and names something that the file does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    #[serde(flatten)]
    pub call: Ahead,
    /// Whether its kind is gone.
    pub lacks_meeting: bool,
    /// The ids of those of its reps who are gone.
    pub lacks_reps: Vec<String>,
}

/// What is kept of a rep.
#[derive(Debug, Serialize, Deserialize)]
struct KnownRep {
    account: String,
    email: String,
    name: String,
    zone: String,
    languages: Vec<Language>,
}

/// What is kept of a kind of meeting.
#[derive(Debug, Serialize, Deserialize)]
struct KnownMeeting {
    title: Localized,
    description: Localized,
    location: Localized,
    by_telephone: bool,
    milestone: Option<String>,
    /// What it asked; answers are told under it.
    #[serde(default)]
    questions: Vec<Question>,
}

/// Somebody of the file who can be booked or has calls ahead, and whose account is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Closed {
    /// The rep's id.
    pub rep: String,
    pub name: String,
    /// Whether visitors are booked with her from now on, too.
    pub is_booked: bool,
    /// How many calls that she holds, or takes part in, lie ahead.
    pub calls: usize,
}

/// Writes down what the file says now, lets go of what is needed no more, and lets the team know of what the file said once.
/// Asked at each start, before anything is sent.
///
/// # Errors
/// As the store says.
pub async fn remember(tx: &mut Tx, team: &Team, now: Timestamp) -> Result<()> {
    tx.lock("team_known").await?;
    for rep in &team.reps {
        let known = KnownRep {
            account: rep.account.to_string(),
            email: rep.email.to_string(),
            name: rep.name.clone(),
            zone: rep.zone.iana_name().unwrap_or("UTC").to_owned(),
            languages: rep.languages.clone(),
        };
        store::remember(tx, (Thing::Rep, &rep.id), Some(&rep.email), &text_of(&known), now).await?;
    }
    for meeting in &team.meetings {
        let known = KnownMeeting {
            title: meeting.title.clone(),
            description: meeting.description.clone(),
            location: meeting.location.clone(),
            by_telephone: meeting.by_telephone,
            milestone: meeting.milestone.map(|milestone| milestone.word().to_owned()),
            questions: meeting.questions.clone(),
        };
        store::remember(tx, (Thing::Meeting, &meeting.id), None, &text_of(&known), now).await?;
    }
    let since = now.plus_ms(-KEPT_MS);
    for id in store::known(tx, Thing::Rep).await? {
        if team.rep(&id).is_none() {
            store::forget(tx, (Thing::Rep, &id), since).await?;
        }
    }
    for id in store::known(tx, Thing::Meeting).await? {
        if team.meeting(&id).is_none() {
            store::forget(tx, (Thing::Meeting, &id), since).await?;
        }
    }
    let gone = gone(tx, team).await?;
    let _ = team.gone.set(gone);
    Ok(())
}

/// What is kept of those whom the file names no more.
async fn gone(q: &mut impl Queries, team: &Team) -> Result<Gone> {
    let mut gone = Gone::default();
    for id in store::known(q, Thing::Rep).await?.into_iter().filter(|id| team.rep(id).is_none()) {
        gone.reps.extend(rep(q, team, &id).await?);
    }
    for id in store::known(q, Thing::Meeting).await?.into_iter().filter(|id| team.meeting(id).is_none()) {
        let known = store::find(q, (Thing::Meeting, &id)).await?;
        let known: Option<KnownMeeting> = known.and_then(|known| serde_json::from_str(&known).ok());
        let kept = known.map(|KnownMeeting { title, questions, .. }| GoneMeeting { id, title, questions });
        gone.meetings.extend(kept);
    }
    Ok(gone)
}

fn text_of(known: &impl Serialize) -> String {
    serde_json::to_string(known).unwrap_or_else(|_| "{}".to_owned())
}

/// The rep of this id as the file says, or as it said last; none if nobody ever heard of her. One who left works at no
/// hours.
///
/// # Errors
/// As the store says.
pub async fn rep(q: &mut impl Queries, team: &Team, id: &str) -> Result<Option<Rep>> {
    if let Some(rep) = team.rep(id) {
        return Ok(Some(rep.clone()));
    }
    let known = store::find(q, (Thing::Rep, id)).await?;
    Ok(known.and_then(|known| {
        let known: KnownRep = serde_json::from_str(&known).ok()?;
        let email = Email::parse(&known.email).ok()?;
        Some(Rep {
            account: Email::parse(&known.account).ok()?,
            zone: zone(&known.zone).unwrap_or(TimeZone::UTC),
            languages: known.languages,
            ..nobody(id, &known.name, &email)
        })
    }))
}

/// Whoever held a call of whom nobody knows anything any more: the company stands for her.
pub fn nobody(id: &str, company: &str, mailbox: &Email) -> Rep {
    Rep {
        id: id.to_owned(),
        account: mailbox.clone(),
        name: company.to_owned(),
        email: mailbox.clone(),
        zone: TimeZone::UTC,
        languages: Vec::new(),
        role: Role::Sdr,
        priority: 0,
        weight: 1,
        attributes: BTreeMap::new(),
        limit: Limit::default(),
        away: Vec::new(),
        hours: Week::default(),
        own: OwnWeek::default(),
        overrides: BTreeMap::new(),
        calendars: Vec::new(),
    }
}

/// What people call a rep; her id if nobody ever heard of her.
///
/// # Errors
/// As the store says.
pub async fn name(q: &mut impl Queries, team: &Team, id: &str) -> Result<String> {
    if let Some(rep) = team.rep(id) {
        return Ok(rep.name.clone());
    }
    Ok(rep(q, team, id).await?.map_or_else(|| id.to_owned(), |rep| rep.name))
}

/// Where a rep is written to, as the file says or said last.
///
/// # Errors
/// As the store says.
pub async fn address(q: &mut impl Queries, id: &str) -> Result<Option<Email>> {
    let known = store::find(q, (Thing::Rep, id)).await?;
    let known: Option<KnownRep> = known.and_then(|known| serde_json::from_str(&known).ok());
    Ok(known.and_then(|known| Email::parse(&known.email).ok()))
}

/// The id of the rep who is written to at this address, or was.
///
/// # Errors
/// As the store says.
pub async fn rep_at(q: &mut impl Queries, email: &Email) -> Result<Option<String>> {
    store::rep_at(q, email).await
}

/// What kind of call this is: as the file says, or as it said last. One that is not offered any more takes as long as the
/// call does, keeps as much free around it, and can be held by those who hold it.
///
/// # Errors
/// As the store says.
pub async fn meeting(q: &mut impl Queries, team: &Team, booking: &Booking) -> Result<Meeting> {
    if let Some(meeting) = team.meeting(&booking.meeting) {
        return Ok(meeting.clone());
    }
    let known = store::find(q, (Thing::Meeting, &booking.meeting)).await?;
    let known: Option<KnownMeeting> = known.and_then(|known| serde_json::from_str(&known).ok());
    let place = booking.location.clone().unwrap_or_default();
    let known = known.unwrap_or_else(|| KnownMeeting {
        title: Localized::new("Call", "Llamada"),
        description: Localized::default(),
        location: Localized::new(place.clone(), place),
        by_telephone: false,
        milestone: None,
        questions: Vec::new(),
    });
    let duration_ms = booking.ends_at.since_ms(booking.starts_at);
    let companion = booking.companion.iter().filter(|id| team.rep(id).is_some());
    Ok(Meeting {
        id: booking.meeting.clone(),
        title: known.title,
        description: known.description,
        duration_ms,
        durations_ms: vec![duration_ms],
        buffer_before_ms: booking.starts_at.since_ms(booking.block.from),
        buffer_after_ms: booking.block.to.since_ms(booking.ends_at),
        notice_ms: 0,
        window: Window::Days(WINDOW_DAYS),
        // Its time is not to be chosen anew; that it stands on no grid any more is nobody's fault.
        interval_ms: MINUTE_MS,
        zone: TimeZone::UTC,
        location: known.location,
        by_telephone: known.by_telephone,
        questions: known.questions,
        limits: Limits::default(),
        reps: vec![booking.rep.clone()],
        with: companion.cloned().collect(),
        milestone: known.milestone.as_deref().and_then(Milestone::of_word),
    })
}

/// The calls that lie ahead and name a rep or a kind of call that the file does not, the earliest first.
///
/// # Errors
/// As the store says.
pub async fn left(q: &mut impl Queries, team: &Team, now: Timestamp) -> Result<Vec<Left>> {
    let calls = store::ahead(q, now).await?;
    Ok(calls.into_iter().filter_map(|call| lacking(team, call)).collect())
}

/// Those of the file whose account is closed although calls can be booked with them, for they hold some kind of call or
/// stand in for whoever does; or although calls with them lie ahead.
///
/// # Errors
/// As the store says.
pub async fn closed(q: &mut impl Queries, team: &Team, now: Timestamp) -> Result<Vec<Closed>> {
    let mut absences = absence::written(team, now);
    absences.extend(diary::absences(q, now).await?);
    let holds = |rep: &String| team.meetings.iter().any(|meeting| meeting.reps.contains(rep));
    let stands_in = |rep: &str| {
        absences.iter().any(|absence| absence.delegate.as_deref() == Some(rep) && holds(&absence.rep))
    };
    let accounts = accounts::list(q).await?;
    let is_closed =
        |account: &Email| accounts.iter().any(|known| known.email == *account && known.disabled_at.is_some());
    let reps: Vec<&Rep> = team.reps.iter().filter(|rep| is_closed(&rep.account)).collect();
    if reps.is_empty() {
        return Ok(Vec::new());
    }
    let ahead = store::ahead(q, now).await?;
    let closed = reps.into_iter().map(|rep| {
        let is_hers = |call: &&Ahead| call.rep == rep.id || call.companion.as_deref() == Some(&rep.id);
        Closed {
            rep: rep.id.clone(),
            name: rep.name.clone(),
            is_booked: team.is_booked_with(&rep.id) || stands_in(&rep.id),
            calls: ahead.iter().filter(is_hers).count(),
        }
    });
    Ok(closed.filter(|rep| rep.is_booked || rep.calls > 0).collect())
}

impl Closed {
    /// What is wrong, for whoever runs the server.
    pub fn line(&self) -> String {
        let ahead = match self.calls {
            0 => String::new(),
            1 => "1 call lies ahead".to_owned(),
            calls => format!("{calls} calls lie ahead"),
        };
        match (self.is_booked, self.calls) {
            (true, 0) => {
                format!("visitors are booked with the rep \"{}\", whose account is closed", self.rep)
            }
            (true, _) => format!(
                "visitors are booked with the rep \"{}\", whose account is closed, and {ahead}",
                self.rep
            ),
            (false, _) => format!("{ahead} with the rep \"{}\", whose account is closed", self.rep),
        }
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match (self.is_booked, self.calls) {
            (true, 0) => "take the rep out of team.yaml and restart; or open the account again",
            (true, _) => {
                "take the rep out of team.yaml, restart, and pass the calls on; or open the account again"
            }
            (false, _) => "pass the calls on, in the console under Bookings; or open the account again",
        }
    }
}

fn lacking(team: &Team, call: Ahead) -> Option<Left> {
    let lacks_meeting = team.meeting(&call.meeting).is_none();
    let reps = std::iter::once(&call.rep).chain(&call.companion);
    let lacks_reps: Vec<String> = reps.filter(|id| team.rep(id).is_none()).cloned().collect();
    (lacks_meeting || !lacks_reps.is_empty()).then_some(Left { call, lacks_meeting, lacks_reps })
}

impl Left {
    /// What is missing and what to do, for whoever runs the server.
    pub fn line(&self) -> String {
        let Ahead { booking, meeting, starts_at, .. } = &self.call;
        let mut lacks = Vec::new();
        if self.lacks_meeting {
            lacks.push(format!("the meeting \"{meeting}\""));
        }
        lacks.extend(self.lacks_reps.iter().map(|rep| format!("the rep \"{rep}\"")));
        let at = starts_at.to_jiff().strftime("%Y-%m-%d %H:%M");
        format!("the call {booking} on {at} (UTC) names {}, not in team.yaml", lacks.join(" and "))
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match (self.lacks_meeting, self.lacks_reps.is_empty()) {
            (true, true) => {
                "hold it, pass it on or cancel it in the console, or put the meeting back until it is over"
            }
            (true, false) => "pass it on or cancel it in the console: nobody of the file holds it",
            (false, _) => "move it, pass it on or cancel it in the console: nobody of the file holds it",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bookings::examples::booking;
    use crate::bookings::team::examples;

    fn ahead(meeting: &str, rep: &str, companion: Option<&str>) -> Ahead {
        let call = booking();
        Ahead {
            booking: call.id,
            meeting: meeting.to_owned(),
            rep: rep.to_owned(),
            companion: companion.map(str::to_owned),
            starts_at: call.starts_at,
        }
    }

    #[test]
    fn a_call_lacks_what_the_file_does_not_name() {
        let meeting = examples::meeting("Europe/Madrid");
        let team = Team {
            reps: vec![examples::rep("mike", "Europe/Madrid")],
            meetings: vec![Meeting { id: "discovery".to_owned(), ..meeting }],
            ..Team::default()
        };
        assert_eq!(lacking(&team, ahead("discovery", "mike", None)), None);
        let of_two = lacking(&team, ahead("discovery", "mike", Some("eva"))).expect("eva is gone");
        assert_eq!((of_two.lacks_meeting, of_two.lacks_reps.as_slice()), (false, &["eva".to_owned()][..]));
        let both = lacking(&team, ahead("lunch", "eva", None)).expect("both are gone");
        let line = both.line();
        for part in ["2026-11-23 08:00 (UTC)", "the meeting \"lunch\" and the rep \"eva\"", "team.yaml"] {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert!(both.advice().starts_with("pass it on or cancel it"), "there is no time to move it to");
    }
}
