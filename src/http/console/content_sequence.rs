//! A sequence of letters on a page of its own: who is in it and where, by which door people left, what came of each letter,
//! and which letters go out next.

use actix_web::{HttpResponse, web};
use serde_json::{Value as Json, json};

use super::frame::Reader;
use super::traffic::board::{rate, share_of};
use crate::accounts::May;
use crate::base::language::Language;
use crate::base::time::DAY_MS;
use crate::http::error::Problem;
use crate::nurture::{self, Group, Once, Place, Sequence, State, forecast};
use crate::reports::journeys::letters;
use crate::reports::person;
use crate::scoring::words::Words;

/// Letters that are told with their times.
const NEXT: i64 = 12;
/// Letters of so many days are counted.
const DAYS: i64 = 90;

/// `GET /console/content/sequences/{sequence}`.
pub async fn show(reader: Reader, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let app = &reader.app;
    let sequence = app.desk.sequences.find(&id);
    let sequence =
        sequence.ok_or_else(|| Problem::new("request.not_found", "Choose one of the sequences."))?;
    let language = reader.account.language;
    let groups = nurture::groups(&mut app.stores.db.read(), &sequence.id).await?;
    let people = |state: State| -> i64 {
        groups.iter().filter(|group| group.state == state).map(|group| group.people).sum()
    };
    let next = next(&reader, sequence).await?;
    reader.saw_list(&format!("sequence:{}", sequence.id), next.is_empty()).await?;
    let body = json!({
        "sequence": sequence.id,
        "name": sequence.name.get(language),
        "topic": reader.names().topic(&sequence.topic),
        "enter": place(&reader, &sequence.enter),
        "leave": sequence.leave.iter().map(|one| place(&reader, one)).collect::<Vec<_>>(),
        "once": match sequence.once {
            Once::PerContact => "contact",
            Once::PerJourney => "journey",
        },
        "goal": sequence.goal.as_ref().map(|goal| Words::of(language).condition(goal)),
        "ends_when_booked": sequence.ends_when_booked,
        "ends_when_replied": sequence.ends_when_replied,
        "active": people(State::Active),
        "done": people(State::Done),
        "left": people(State::Left),
        "doors": doors(&groups),
        "days": DAYS,
        "steps": steps(&reader, sequence, &groups).await?,
        "next": next,
        "may_read": reader.may(May::ReadMails),
    });
    reader.page("console/content_sequence", body).await
}

fn place(reader: &Reader, place: &Place) -> Json {
    let language = reader.account.language;
    let (kind, id) = match place {
        Place::Stage(stage) => ("stage", stage),
        Place::Segment(segment) => ("segment", segment),
        Place::Customer(state) => ("customer", state),
    };
    let name = match place {
        Place::Segment(id) => reader
            .app
            .desk
            .segments
            .find(id)
            .map_or_else(|| id.clone(), |it| it.label.get(language).to_owned()),
        Place::Stage(id) => reader.word("console.stage", id),
        Place::Customer(id) => reader.word("console.stage", id),
    };
    json!({ "kind": kind, "id": id, "name": name })
}

/// By which door people came out, those through which most did first.
fn doors(groups: &[Group]) -> Vec<Json> {
    let mut out: Vec<&Group> = groups.iter().filter(|group| group.state != State::Active).collect();
    out.sort_by_key(|group| std::cmp::Reverse(group.people));
    let most = out.first().map_or(0, |group| group.people);
    let told = out.into_iter().map(|group| {
        json!({
            "why": group.reason.as_deref().unwrap_or("through"),
            "people": group.people,
            "share": format!("{:.2}", share_of(group.people, most)),
        })
    });
    told.collect()
}

async fn steps(reader: &Reader, sequence: &Sequence, groups: &[Group]) -> Result<Vec<Json>, Problem> {
    let (app, language) = (&reader.app, reader.account.language);
    let since = reader.now.plus_ms(-DAYS * DAY_MS);
    let mut steps = Vec::new();
    for (step, at) in sequence.steps.iter().zip(0_i64..) {
        let waiting = groups.iter().find(|group| group.state == State::Active && group.step == at);
        let mails = letters::of_template(&mut app.stores.db.read(), &step.mail, since).await?;
        let clicked = (mails.sent > 0).then(|| rate(share_of(mails.clicked, mails.sent), language));
        steps.push(json!({
            "n": at + 1,
            "mail": step.mail,
            "title": app.desk.wording.title(&step.mail, language),
            "wait_ms": step.wait_ms,
            "condition": step.condition.as_ref().map(|condition| Words::of(language).condition(condition)),
            "waiting": waiting.map_or(0, |group| group.people),
            "next_at": waiting.map(|group| group.next_at),
            "sent": mails.sent,
            "came_back": mails.bounced,
            "clicked": mails.clicked,
            "click_rate": clicked,
            "previews": Language::ALL.map(Language::code),
        }));
    }
    Ok(steps)
}

/// The letters that go out next, or would.
async fn next(reader: &Reader, sequence: &Sequence) -> Result<Vec<Json>, Problem> {
    let app = &reader.app;
    let reads = &mut app.stores.db.read();
    let mut coming = Vec::new();
    for walk in nurture::under_way(reads, &sequence.id, NEXT).await? {
        let letter = forecast::next(reads, sequence, &app.desk.topics.sending, &walk, reader.now).await?;
        let Some(letter) = letter else { continue };
        coming.push(json!({
            "contact": walk.contact,
            "name": person::called(reads, walk.contact).await?,
            "at": letter.at,
            "step": letter.step,
            "title": app.desk.wording.title(&letter.mail, reader.account.language),
            "language": letter.language.code(),
            "why": letter.why,
            "goes_out": letter.goes_out,
        }));
    }
    Ok(coming)
}
