//! The doors of what is counted: webinars, content, the bot, responses, calls, mails, and how much of the data is there.
//! All of them take `filter=source:google` and the like, any number of times.

use std::collections::{BTreeMap, HashMap};

use actix_web::{HttpRequest, HttpResponse};

use super::{Asked, FILTER, perhaps};
use crate::app::App;
use crate::base::time::Timestamp;
use crate::http::Shared;
use crate::http::error::Problem;
use crate::reports::journeys::people::{Only, only, origins};
use crate::reports::journeys::{
    Span, bookings, chats, content, health, letters, reached, responses, webinars,
};
use crate::storage::db::Queries;

/// What the address asks, and who is meant.
async fn asked(app: &Shared, request: &HttpRequest) -> Result<(Asked, Only), Problem> {
    let asked = Asked::read(app, request, &[FILTER])?;
    let only = only(&mut app.stores.db.read(), &asked.filters).await?;
    Ok((asked, only))
}

/// `webinars`: who registered and came, how far the recording was watched, who booked afterwards.
pub async fn of_webinars(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (asked, only) = asked(&app, &request).await?;
    let told = webinars_told(&app, &asked, &only).await?;
    Ok(asked.answer("webinars", &told, || {
        let cells = |webinar: &str, numbers: &webinars::Numbers| {
            let counts =
                [numbers.registered, numbers.attended, numbers.no_show, numbers.untold, numbers.viewers];
            let counts = counts.into_iter().chain(numbers.viewers_by_fifth).chain([numbers.booked]);
            let mut cells = vec![webinar.to_owned()];
            cells.extend(counts.map(|n| n.to_string()));
            cells.extend([perhaps(numbers.attendance), perhaps(numbers.booked_rate)]);
            cells
        };
        let rows = told.by_webinar.iter().map(|(webinar, numbers)| cells(webinar, numbers));
        let head = [
            "webinar",
            "registered",
            "attended",
            "no_show",
            "untold",
            "viewers",
            "to_20",
            "to_40",
            "to_60",
            "to_80",
            "to_100",
            "booked",
            "attendance",
            "booked_rate",
        ];
        (head.to_vec(), rows.chain([cells("total", &told.total)]).collect())
    }))
}

async fn webinars_told(app: &Shared, asked: &Asked, only: &Only) -> Result<webinars::Report, Problem> {
    let q = &mut app.stores.db.read();
    let mut registrations = webinars::registrations(q, asked.span).await?;
    registrations.retain(|one| only.has(one.contact));
    let mut watches = webinars::watches(q, asked.span).await?;
    watches.retain(|watch| only.has_perhaps(watch.contact));
    let booked = webinars::booked(q, asked.span.from).await?;
    let of = |recording: &str| app.webinars.recording(recording).map(|(webinar, _)| webinar.id.clone());
    Ok(webinars::webinars(&registrations, &watches, &booked, of))
}

/// `content`: who took files and watched recordings, and who went on to another stage.
pub async fn of_content(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (asked, only) = asked(&app, &request).await?;
    let q = &mut app.stores.db.read();
    let mut uses = content::uses(q, asked.span).await?;
    uses.retain(|one| only.has(one.contact));
    let mut watches = webinars::watches(q, asked.span).await?;
    watches.retain(|watch| only.has_perhaps(watch.contact));
    let told = content::content(&uses, &watches, &reached(q, asked.span.from).await?);
    Ok(asked.answer("content", &told, || {
        let cells = |subject: &str, numbers: &content::Numbers| {
            let counts = [numbers.uses, numbers.unsure, numbers.people, numbers.viewers, numbers.watched];
            let mut cells = vec![subject.to_owned()];
            cells.extend(counts.into_iter().chain([numbers.went_on]).map(|n| n.to_string()));
            cells.push(perhaps(numbers.went_on_rate));
            cells.extend([numbers.seen_ms.to_string(), perhaps(numbers.completion)]);
            cells
        };
        let rows = told.by_subject.iter().map(|(subject, numbers)| cells(subject, numbers));
        let head = [
            "subject",
            "uses",
            "unsure",
            "people",
            "viewers",
            "watched",
            "went_on",
            "went_on_rate",
            "seen_ms",
            "completion",
        ];
        (head.to_vec(), rows.chain([cells("total", &told.total)]).collect())
    }))
}

/// `bot`: conversations by flow, and each step with those who came to it and who ended there.
pub async fn of_bot(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (asked, only) = asked(&app, &request).await?;
    let mut talks = chats::talks(&mut app.stores.db.read(), asked.span).await?;
    talks.retain(|talk| only.has_perhaps(talk.contact));
    let told = chats::chats(&talks, works(&app));
    Ok(asked.answer("bot", &told, || {
        let mut rows = Vec::new();
        for (flow, of_flow) in &told.by_flow {
            let numbers = &of_flow.numbers;
            let counts = [numbers.started, numbers.answered, numbers.handed_over, numbers.booked];
            let mut cells = vec![flow.clone(), String::new()];
            cells.extend(counts.map(|n| n.to_string()));
            cells.extend([String::new(), String::new(), String::new()]);
            cells.extend([numbers.off_hours.to_string(), perhaps(numbers.off_hours_rate)]);
            rows.push(cells);
            for (step, of_step) in &of_flow.steps {
                let mut cells = vec![flow.clone(), step.clone()];
                cells.extend(std::iter::repeat_n(String::new(), 4));
                cells.extend([of_step.reached, of_step.ended, of_step.open].map(|n| n.to_string()));
                cells.extend([String::new(), String::new()]);
                rows.push(cells);
            }
        }
        let head = [
            "flow",
            "step",
            "started",
            "answered",
            "handed_over",
            "booked",
            "reached",
            "ended",
            "open",
            "off_hours",
            "off_hours_rate",
        ];
        (head.to_vec(), rows)
    }))
}

/// Whether anybody of the team works at a moment; nothing where nobody's hours are known.
pub fn works(app: &App) -> impl Fn(Timestamp) -> Option<bool> {
    let hours = app.team.working_hours();
    move |at| (!hours.people.is_empty()).then(|| hours.next(at) == Some(at))
}

/// `response`: how soon colleagues answer chats and take those who are handed over.
pub async fn of_response(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (asked, only) = asked(&app, &request).await?;
    let promised_ms = app.lifecycle.promised_ms();
    let mut waits = responses::waits(&mut app.stores.db.read(), asked.span, promised_ms).await?;
    waits.retain(|wait| only.has_perhaps(wait.contact));
    let told = responses::responses(&waits, &app.team.working_hours(), app.clock.now());
    Ok(asked.answer("response", &told, || {
        let cells = |kind: &str, person: &str, numbers: &responses::Numbers| {
            let mut cells = vec![kind.to_owned(), person.to_owned()];
            cells.extend([numbers.asked, numbers.answered, numbers.in_time].map(|n| n.to_string()));
            cells.push(perhaps(numbers.in_time_rate));
            cells.extend([perhaps(numbers.after.map(|l| l.p50)), perhaps(numbers.after.map(|l| l.p90))]);
            cells.extend([numbers.missed, numbers.fell_back].map(|n| n.to_string()));
            cells.push(perhaps(numbers.fell_back_rate));
            let in_hours = numbers.after_in_hours;
            cells.extend([perhaps(in_hours.map(|l| l.p50)), perhaps(in_hours.map(|l| l.p90))]);
            cells
        };
        let mut rows: Vec<Vec<String>> =
            told.by_kind.iter().map(|(kind, numbers)| cells(kind, "", numbers)).collect();
        for (kind, people) in &told.by_person {
            rows.extend(people.iter().map(|(person, numbers)| cells(kind, person, numbers)));
        }
        let head = [
            "kind",
            "person",
            "asked",
            "answered",
            "in_time",
            "in_time_rate",
            "p50_ms",
            "p90_ms",
            "missed",
            "fell_back",
            "fell_back_rate",
            "p50_in_hours_ms",
            "p90_in_hours_ms",
        ];
        (head.to_vec(), rows)
    }))
}

/// `bookings`: calls that begin in the days asked for, and what became of them.
pub async fn of_bookings(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (asked, only) = asked(&app, &request).await?;
    let q = &mut app.stores.db.read();
    let mut calls = bookings::calls(q, asked.span).await?;
    calls.retain(|call| only.has_perhaps(call.contact));
    let mut talks = chats::talks(q, asked.span).await?;
    talks.retain(|talk| only.has_perhaps(talk.contact));
    let told = bookings::Report {
        in_chat: chats::offered(&talks, is_offer(&app)),
        on_page: if only.is_everybody() { bookings::on_page(q, asked.span).await? } else { BTreeMap::new() },
        ..bookings::bookings(&calls, &origins(q).await?)
    };
    Ok(asked.answer("bookings", &told, || {
        let cells = |by: &str, key: &str, numbers: &bookings::Numbers| {
            let counts = [numbers.booked, numbers.held, numbers.no_show, numbers.cancelled, numbers.untold];
            let mut cells = vec![by.to_owned(), key.to_owned()];
            cells.extend(counts.map(|n| n.to_string()));
            cells.push(perhaps(numbers.no_show_rate));
            cells.extend([numbers.moved.to_string(), perhaps(numbers.moved_rate)]);
            cells.extend([String::new(), String::new()]);
            cells
        };
        let mut rows = vec![cells("total", "", &told.total)];
        rows.extend(told.by_meeting.iter().map(|(key, numbers)| cells("meeting", key, numbers)));
        rows.extend(told.by_rep.iter().map(|(key, numbers)| cells("rep", key, numbers)));
        rows.extend(told.by_way.iter().map(|(key, numbers)| cells("way", key, numbers)));
        rows.extend(told.by_channel.iter().map(|(key, numbers)| cells("channel", key, numbers)));
        rows.extend(told.by_lead_time.iter().map(|(key, numbers)| cells("lead_time", key, numbers)));
        let steps = |by: &str, key: &str, steps: &chats::Offered| {
            let mut cells = vec![by.to_owned(), key.to_owned(), steps.booked.to_string()];
            cells.extend(std::iter::repeat_n(String::new(), 7));
            cells.extend([steps.offered, steps.shown].map(|n| n.to_string()));
            cells
        };
        rows.push(steps("offered", "chat", &told.in_chat));
        rows.extend(told.on_page.iter().map(|(meeting, on_page)| steps("offered_on_page", meeting, on_page)));
        let head = [
            "by",
            "key",
            "booked",
            "held",
            "no_show",
            "cancelled",
            "untold",
            "no_show_rate",
            "moved",
            "moved_rate",
            "offered",
            "shown",
        ];
        (head.to_vec(), rows)
    }))
}

/// `mail`: mails by letter and sequence: sent, delivered, clicked by people, bounced, unsubscribed.
pub async fn of_mail(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (asked, only) = asked(&app, &request).await?;
    let q = &mut app.stores.db.read();
    let (sent, left) =
        (letters::sent(q, asked.span, &only).await?, letters::left(q, asked.span, &only).await?);
    let sequences: HashMap<&str, &str> = app.desk.sequences.letters().collect();
    let told =
        letters::letters(&sent, &left, |letter| sequences.get(letter).map(|sequence| (*sequence).to_owned()));
    let told = confirmed(&app, q, asked.span, &only, told).await?;
    Ok(asked.answer("mail", &told, || {
        let cells = |by: &str, key: &str, numbers: &letters::Numbers| {
            let counts = [
                numbers.sent,
                numbers.delivered,
                numbers.clicked,
                numbers.bounced,
                numbers.unsubscribed,
                numbers.complained,
            ];
            let mut cells = vec![by.to_owned(), key.to_owned()];
            cells.extend(counts.map(|n| n.to_string()));
            cells.push(perhaps(numbers.click_rate));
            cells.extend(std::iter::repeat_n(String::new(), 4));
            cells
        };
        let mut rows = vec![cells("total", "", &told.total)];
        rows.extend(told.by_letter.iter().map(|(key, numbers)| cells("letter", key, numbers)));
        rows.extend(told.by_sequence.iter().map(|(key, numbers)| cells("sequence", key, numbers)));
        let asked_for = |by: &str, key: &str, numbers: &letters::Confirmations| {
            let mut cells = vec![by.to_owned(), key.to_owned()];
            cells.extend(std::iter::repeat_n(String::new(), 7));
            cells.extend([numbers.asked, numbers.confirmed].map(|n| n.to_string()));
            cells.extend([perhaps(numbers.confirmed_rate), perhaps(numbers.after.map(|after| after.p50))]);
            cells
        };
        rows.push(asked_for("confirmation", "", &told.confirmations));
        let topics = told.confirmations_by_topic.iter();
        rows.extend(topics.map(|(topic, numbers)| asked_for("confirmation", topic, numbers)));
        let head = [
            "by",
            "key",
            "sent",
            "delivered",
            "clicked",
            "bounced",
            "unsubscribed",
            "complained",
            "click_rate",
            "asked",
            "confirmed",
            "confirmed_rate",
            "confirmed_p50_ms",
        ];
        (head.to_vec(), rows)
    }))
}

/// The report with those who asked for letters and confirmed it.
pub async fn confirmed(
    app: &App,
    q: &mut impl Queries,
    span: Span,
    only: &Only,
    told: letters::Report,
) -> Result<letters::Report, Problem> {
    let mut questions = letters::questions(q, span).await?;
    questions.retain(|one| only.has(one.contact));
    let is_asked = |topic: &str| app.desk.topics.find(topic).is_none_or(|topic| topic.double_opt_in);
    let (confirmations, confirmations_by_topic) = letters::confirmations(&questions, is_asked);
    Ok(letters::Report { confirmations, confirmations_by_topic, ..told })
}

/// Whether a call is offered at a flow's step.
pub fn is_offer(app: &App) -> impl Fn(&str, &str) -> bool {
    let steps = chats::offers(&app.room.flows.now());
    move |flow, step| steps.get(flow).is_some_and(|steps| steps.contains(step))
}

/// `health`: what is missing of what reports are made of.
pub async fn of_health(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (asked, only) = asked(&app, &request).await?;
    let told =
        health::health(&mut app.stores.db.read(), &app.keys, asked.span, &only, app.clock.now()).await?;
    Ok(asked.answer("health", told, || {
        let rows = told.all().map(|(what, lack)| {
            vec![what.to_owned(), lack.lacking.to_string(), lack.of.to_string(), perhaps(lack.rate)]
        });
        let lag = vec!["crm_lag_ms".to_owned(), perhaps(told.crm_lag_ms), String::new(), String::new()];
        (vec!["what", "lacking", "of", "rate"], rows.into_iter().chain([lag]).collect())
    }))
}
