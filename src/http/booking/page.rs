//! `/book/{meeting}`: the page on which anybody books, without JavaScript.

use std::collections::BTreeMap;

use actix_web::http::header::LOCATION;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::api::limit;
use super::book::{self, Refused, Wanted};
use super::picker::{Looking, asked_zone, picker};
use crate::base::coded::Coded;
use crate::base::email::Email;
use crate::base::ids::{VisitorId, new_key};
use crate::base::language::Language;
use crate::base::time::{MINUTE_MS, Timestamp};
use crate::bookings;
use crate::bookings::questions::{self, Kind, Question, Wrong};
use crate::bookings::team::Meeting;
use crate::contacts::Consent;
use crate::http::Shared;
use crate::http::error::Problem;
use crate::http::pages::Frame;
use crate::http::request::{Proxies, comes_from_here, is_by_a_person, is_cross_site, language};
use crate::storage::idempotency::Request;

/// What the address may ask for.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    site: Option<String>,
    zone: Option<String>,
    page: Option<usize>,
    /// The length, in minutes.
    duration: Option<i64>,
    /// She has just been put on the list of those who are told of a free time.
    waits: Option<String>,
}

/// What the form sends.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub struct Form {
    starts_at: String,
    name: String,
    pub email: String,
    notes: String,
    /// The zone that the page was written in.
    shown_zone: String,
    pub lang: String,
    pub site: String,
    pub visitor: String,
    pub consent: String,
    /// In minutes; empty for the meeting's first.
    duration: String,
    /// Drawn when the page was shown: sending it twice books once.
    key: String,
    /// Ticked by whoever would rather come earlier.
    earlier: String,
    /// Nobody sees this field; whoever fills it is no person.
    pub website: String,
    /// The answers to the meeting's questions, as `q-` and their ids.
    #[serde(flatten)]
    rest: BTreeMap<String, String>,
}

impl Form {
    fn duration_ms(&self) -> Option<i64> {
        minutes(self.duration.parse().ok())
    }

    fn given(&self) -> BTreeMap<String, String> {
        let answers = self.rest.iter();
        answers.filter_map(|(name, text)| Some((name.strip_prefix("q-")?.to_owned(), text.clone()))).collect()
    }
}

fn minutes(count: Option<i64>) -> Option<i64> {
    count.and_then(|count| count.checked_mul(MINUTE_MS))
}

/// What the form is shown with.
#[derive(Debug, Default)]
pub struct Shown {
    pub form: Form,
    /// A text for the whole form, or for one of its fields.
    pub error: Option<String>,
    pub name_error: Option<String>,
    pub email_error: Option<String>,
    /// Of the meeting's questions.
    pub wrong: Vec<(String, Wrong)>,
    /// The free times nearest to one that could not be had.
    pub alternatives: Vec<Timestamp>,
    /// Whether she is on the list of those who are told of a free time.
    pub is_waiting: bool,
    /// Whether she comes to the page now; not for other days, another zone or another length of it.
    pub is_arrival: bool,
}

/// Shows the free times and the form.
pub async fn show(
    app: Shared,
    request: HttpRequest,
    meeting: web::Path<String>,
    asked: web::Query<Asked>,
) -> HttpResponse {
    let language = page_language(&app, &request);
    let Some(meeting) = app.team.meeting(&meeting) else { return unknown(&app, language) };
    let form = Form { site: asked.site.clone().unwrap_or_default(), ..Form::default() };
    // An old link may ask for a length that is not offered any more.
    let meeting = &meeting.lasting(minutes(asked.duration)).unwrap_or_else(|| meeting.clone());
    let zone = asked_zone(asked.zone.as_deref());
    let is_asked = zone.is_some();
    let zone = zone.unwrap_or_else(|| meeting.zone.clone());
    let is_arrival = is_arrival(&request, &asked) && is_by_a_person(&app, &request);
    let shown = Shown { form, is_waiting: asked.waits.is_some(), is_arrival, ..Shown::default() };
    let look = Look { language, zone, is_asked, page: asked.page.unwrap_or(0) };
    rendered(&app, meeting, &look, StatusCode::OK, shown).await
}

/// Whether somebody comes from elsewhere. The page's own links and its script name the zone or what else was chosen; so do
/// links of mails, and those come from another place.
fn is_arrival(request: &HttpRequest, asked: &Asked) -> bool {
    let is_chosen =
        [asked.zone.is_some(), asked.page.is_some(), asked.duration.is_some(), asked.waits.is_some()];
    request.method() == Method::GET && (!is_chosen.contains(&true) || !comes_from_here(request))
}

/// Books what the form says.
pub async fn submit(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    meeting: web::Path<String>,
    form: web::Form<Form>,
) -> HttpResponse {
    let form = form.into_inner();
    let language = Language::of_tag(&form.lang).unwrap_or_else(|| page_language(&app, &request));
    let Some(meeting) = app.team.meeting(&meeting) else { return unknown(&app, language) };
    let meeting = &meeting.lasting(form.duration_ms()).unwrap_or_else(|| meeting.clone());
    let look = Look::of(&form, meeting, language);
    let now = app.clock.now();
    let words =
        |key: &str| app.templates.texts().get(language, &format!("booking.{key}"), &[]).unwrap_or_default();
    if is_cross_site(&request) || !form.website.is_empty() {
        let shown = Shown { form, error: Some(words("errors.foreign")), ..Shown::default() };
        return rendered(&app, meeting, &look, StatusCode::FORBIDDEN, shown).await;
    }
    if let Err(problem) = limit(&app, &proxies, &request, now).await {
        let shown = Shown { form, error: Some(words("errors.too_often")), ..Shown::default() };
        return rendered(&app, meeting, &look, status_of(&problem), shown).await;
    }
    let email = Email::parse(&form.email).ok();
    let starts_at = form.starts_at.parse().ok().map(Timestamp);
    let answered = questions::read(&meeting.questions, &form.given());
    let (Some(email), Some(starts_at), false, Ok(answers)) =
        (email.clone(), starts_at, form.name.trim().is_empty(), answered.clone())
    else {
        let shown = Shown {
            error: starts_at.is_none().then(|| words("errors.no_slot")),
            name_error: form.name.trim().is_empty().then(|| words("errors.name")),
            email_error: email.is_none().then(|| words("errors.email")),
            wrong: answered.err().unwrap_or_default(),
            alternatives: Vec::new(),
            is_waiting: false,
            is_arrival: false,
            form,
        };
        return rendered(&app, meeting, &look, StatusCode::UNPROCESSABLE_ENTITY, shown).await;
    };
    let wanted = Wanted {
        site: Frame::named(&app, Some(&form.site), language, "UTC")
            .site
            .map_or_else(String::new, |site| site.key.clone()),
        meeting: meeting.id.clone(),
        starts_at,
        hold: None,
        duration_ms: form.duration_ms(),
        answers,
        time_zone: look.zone.iana_name().unwrap_or("UTC").to_owned(),
        language,
        name: form.name.clone(),
        email,
        notes: form.notes.clone(),
        visitor: VisitorId::parse(&form.visitor).ok(),
        consent: Consent::of_word(&form.consent),
        earlier: !form.earlier.is_empty(),
        is_of_page: true,
    };
    let body = format!(
        "{} {:?} {} {} {} {:?} {}",
        wanted.starts_at,
        wanted.duration_ms,
        wanted.email,
        wanted.name,
        wanted.notes,
        wanted.answers,
        wanted.earlier
    );
    let repeatable = Request::new(format!("book:{}", meeting.id), &form.key, &body);
    match book::book(&app, &wanted, repeatable.as_ref(), now).await {
        Ok(answer) => {
            let answer: Json = serde_json::from_str(&answer.body).unwrap_or_default();
            let manage = answer.get("manage").and_then(Json::as_str).unwrap_or("/");
            HttpResponse::SeeOther().insert_header((LOCATION, format!("{manage}?new=1"))).finish()
        }
        Err(refused) => {
            let key = refusal(&refused);
            let alternatives = nearest(&refused);
            let status = status_of(&Problem::from(refused));
            let shown = Shown { form, error: Some(words(key)), alternatives, ..Shown::default() };
            rendered(&app, meeting, &look, status, shown).await
        }
    }
}

/// How the page is looked at.
pub struct Look {
    pub language: Language,
    pub zone: TimeZone,
    /// Whether the reader chose the zone; if not, the script may ask the browser.
    is_asked: bool,
    page: usize,
}

impl Look {
    /// As the form was when it was sent.
    pub fn of(form: &Form, meeting: &Meeting, language: Language) -> Self {
        let zone = asked_zone(Some(&form.shown_zone)).unwrap_or_else(|| meeting.zone.clone());
        Self { language, zone, is_asked: true, page: 0 }
    }
}

/// The page.
pub async fn rendered(
    app: &Shared,
    meeting: &Meeting,
    look: &Look,
    status: StatusCode,
    shown: Shown,
) -> HttpResponse {
    let path = format!("/book/{}", meeting.id);
    let now = app.clock.now();
    let looking = Looking {
        path: &path,
        zone: &look.zone,
        language: look.language,
        page: look.page,
        carried: &carried(meeting, &shown.form),
        picked: shown.form.starts_at.parse().ok().map(Timestamp),
    };
    let picker = match picker(app, meeting, None, &looking, now).await {
        Ok(picker) => picker,
        Err(error) => return failed(app, &error.into(), look.language),
    };
    if shown.is_arrival {
        app.page_counts.opened(&meeting.id, !picker.is_empty(), now);
    }
    let text = |key: &str| {
        app.templates.texts().get(look.language, &format!("booking.{key}"), &[]).unwrap_or_default()
    };
    let field = |name: &str, kind: &str, autocomplete: &str, value: &str, error: Option<String>| {
        json!({
            "name": name, "type": kind, "label": text(&format!("form.{name}")), "placeholder": "",
            "autocomplete": autocomplete, "required": true, "value": value, "error": error,
        })
    };
    let Shown { form, error, name_error, email_error, wrong, alternatives, is_waiting, is_arrival: _ } =
        shown;
    let frame = Frame::named(app, Some(&form.site), look.language, look.zone.iana_name().unwrap_or("UTC"));
    let fields = json!({
        "site_key": form.site,
        "meeting": {
            "id": meeting.id,
            "title": meeting.title.get(look.language),
            "description": meeting.description.get(look.language),
            "duration_ms": meeting.duration_ms,
        },
        "durations": durations(meeting, look, &form),
        "minutes": meeting.duration_ms / MINUTE_MS,
        "questions": asked(app, &meeting.questions, look.language, &form.given(), &wrong),
        "path": path,
        "is_zone_asked": look.is_asked,
        "picker": picker,
        "alternatives": alternatives,
        "fields": [
            field("name", "text", "name", &form.name, name_error),
            field("email", "email", "email", &form.email, email_error.clone()),
        ],
        "email": field("email", "email", "email", &form.email, email_error),
        "is_waiting": is_waiting,
        "notes": form.notes,
        "wants_earlier": !form.earlier.is_empty(),
        "error": error,
        "key": new_key(),
    });
    frame.page(status, "pages/book", fields)
}

/// What the addresses of the page carry along.
fn carried(meeting: &Meeting, form: &Form) -> Vec<(&'static str, String)> {
    let mut carried = Vec::new();
    if !form.site.is_empty() {
        carried.push(("site", form.site.clone()));
    }
    if meeting.durations_ms.len() > 1 {
        carried.push(("duration", (meeting.duration_ms / MINUTE_MS).to_string()));
    }
    carried
}

/// The lengths to choose from, each with its address; none where there is no choice.
fn durations(meeting: &Meeting, look: &Look, form: &Form) -> Vec<Json> {
    if meeting.durations_ms.len() < 2 {
        return Vec::new();
    }
    let address = |duration_ms: i64| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("lang", look.language.code());
        if look.is_asked {
            query.append_pair("zone", look.zone.iana_name().unwrap_or("UTC"));
        }
        query.extend_pairs(carried(&meeting.as_long_as(duration_ms), form));
        format!("/book/{}?{}", meeting.id, query.finish())
    };
    let choice = |duration_ms: &i64| {
        json!({
            "duration_ms": duration_ms, "href": address(*duration_ms),
            "is_chosen": *duration_ms == meeting.duration_ms,
        })
    };
    meeting.durations_ms.iter().map(choice).collect()
}

/// The meeting's questions as fields, with what was typed and what is wrong with it.
fn asked(
    app: &Shared,
    questions: &[Question],
    language: Language,
    given: &BTreeMap<String, String>,
    wrong: &[(String, Wrong)],
) -> Vec<Json> {
    let text = |key: &str| app.templates.texts().get(language, &format!("booking.{key}"), &[]);
    let field = |question: &Question| {
        let value = given.get(&question.id).map_or("", String::as_str);
        let options: Vec<(String, String)> = match &question.kind {
            Kind::Choice(choices) => choices
                .iter()
                .map(|choice| (choice.id.clone(), choice.label.get(language).to_owned()))
                .collect(),
            Kind::YesNo => ["yes", "no"]
                .iter()
                .map(|word| ((*word).to_owned(), text(&format!("answers.{word}")).unwrap_or_default()))
                .collect(),
            Kind::Text | Kind::Long | Kind::Number | Kind::Phone => Vec::new(),
        };
        let (kind, input_mode, autocomplete) = match question.kind {
            Kind::Number => ("text", "numeric", "off"),
            Kind::Phone => ("tel", "tel", "tel"),
            _ => ("text", "text", "off"),
        };
        let why = wrong.iter().find(|(id, _)| *id == question.id).map(|(_, why)| why.word());
        json!({
            "name": format!("q-{}", question.id),
            "label": question.ask.get(language),
            "hint": question.hint.as_ref().map(|hint| hint.get(language)),
            "is_required": question.is_required,
            "is_long": question.kind == Kind::Long,
            "type": kind, "input_mode": input_mode, "autocomplete": autocomplete,
            "options": options
                .iter()
                .map(|(id, label)| json!({ "value": id, "label": label, "is_chosen": id == value }))
                .collect::<Vec<Json>>(),
            "value": value,
            "error": why.and_then(|why| text(&format!("answers.{why}"))),
        })
    };
    questions.iter().map(field).collect()
}

/// The key of the text for people.
pub fn refusal(refused: &Refused) -> &'static str {
    let code = match refused {
        Refused::Booking(error) => error.code(),
        Refused::Problem(problem) => problem.code(),
    };
    match code {
        "booking.slot_taken" => "errors.slot_taken",
        "booking.slot_past" | "booking.slot_too_soon" => "errors.slot_past",
        "booking.day_full" => "errors.day_full",
        "booking.slot_unknown" | "booking.duration_unknown" => "errors.slot_unknown",
        "booking.too_many" => "errors.too_many",
        "booking.too_often" => "errors.too_often_today",
        "booking.link_old" => "errors.link_old",
        "booking.link_other" => "errors.link_other",
        "booking.already_cancelled" => "errors.already_cancelled",
        "booking.over" => "errors.over",
        "booking.changed" => "errors.changed",
        "booking.meeting_gone" => "manage.no_move",
        _ => "errors.unavailable",
    }
}

/// The free times nearest to the one that could not be had.
pub fn nearest(refused: &Refused) -> Vec<Timestamp> {
    match refused {
        Refused::Booking(
            bookings::Error::SlotTaken { alternatives } | bookings::Error::DayFull { alternatives },
        ) => alternatives.iter().map(|time| time.starts_at).collect(),
        Refused::Booking(_) | Refused::Problem(_) => Vec::new(),
    }
}

/// The status of a problem's answer.
pub fn status_of(problem: &Problem) -> StatusCode {
    actix_web::ResponseError::status_code(problem)
}

/// The page for a store that does not answer.
pub fn failed(app: &Shared, problem: &Problem, language: Language) -> HttpResponse {
    let text =
        |key: &str| app.templates.texts().get(language, &format!("booking.{key}"), &[]).unwrap_or_default();
    let status = status_of(problem);
    let fields = json!({
        "status": status.as_u16(), "code": problem.code(),
        "title": text("errors.title"), "what": text("errors.unavailable"), "kept": null, "next": null,
        "action": null, "reference": null,
    });
    Frame::named(app, None, language, "UTC").page(status, "pages/error", fields)
}

/// The page for a meeting that there is not.
pub fn unknown(app: &Shared, language: Language) -> HttpResponse {
    let problem = Problem::from(bookings::Error::MeetingUnknown);
    Frame::named(app, None, language, "UTC").page(status_of(&problem), "pages/not_found", json!({}))
}

/// The language of the page, for whoever did not choose one.
pub fn page_language(app: &Shared, request: &HttpRequest) -> Language {
    language(request).or_else(|| app.sites.all().next().map(|site| site.language)).unwrap_or_default()
}
