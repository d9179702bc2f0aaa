//! `POST /book/{meeting}/wait`: somebody found no free time, and wants to be told when one opens. She is written to once, and
//! then only about that; nothing that was typed is repeated, for the address may be anybody's.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::api::limit;
use super::page::{self, Form, Look, Shown, failed, status_of};
use crate::base::email::Email;
use crate::base::ids::VisitorId;
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::bookings;
use crate::bookings::openings::{self, Wish};
use crate::bookings::team::Meeting;
use crate::contacts::{self, Consent, Identification, Trust};
use crate::http::Shared;
use crate::http::pages::Frame;
use crate::http::request::{Proxies, is_cross_site};

/// Puts the address on the list.
pub async fn ask(
    app: Shared,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    meeting: web::Path<String>,
    form: web::Form<Form>,
) -> HttpResponse {
    let form = form.into_inner();
    let language = Language::of_tag(&form.lang).unwrap_or_else(|| page::page_language(&app, &request));
    let Some(meeting) = app.team.meeting(&meeting) else { return page::unknown(&app, language) };
    let look = Look::of(&form, meeting, language);
    let now = app.clock.now();
    let words =
        |key: &str| app.templates.texts().get(language, &format!("booking.{key}"), &[]).unwrap_or_default();
    if is_cross_site(&request) || !form.website.is_empty() {
        let shown = Shown { form, error: Some(words("errors.foreign")), ..Shown::default() };
        return page::rendered(&app, meeting, &look, StatusCode::FORBIDDEN, shown).await;
    }
    if let Err(problem) = limit(&app, &proxies, &request, now).await {
        let shown = Shown { form, error: Some(words("errors.too_often")), ..Shown::default() };
        return page::rendered(&app, meeting, &look, status_of(&problem), shown).await;
    }
    let Ok(email) = Email::parse(&form.email) else {
        let shown = Shown { email_error: Some(words("errors.email")), form, ..Shown::default() };
        return page::rendered(&app, meeting, &look, StatusCode::UNPROCESSABLE_ENTITY, shown).await;
    };
    match noted(&app, meeting, (&form, &look), &email, now).await {
        Ok(()) => {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("lang", language.code())
                .append_pair("zone", look.zone.iana_name().unwrap_or("UTC"))
                .append_pair("site", &form.site)
                .append_pair("waits", "1")
                .finish();
            let address = format!("/book/{}?{query}", meeting.id);
            HttpResponse::SeeOther().insert_header((LOCATION, address)).finish()
        }
        Err(error) => failed(&app, &error.into(), language),
    }
}

async fn noted(
    app: &Shared,
    meeting: &Meeting,
    (form, look): (&Form, &Look),
    email: &Email,
    now: Timestamp,
) -> bookings::Result<()> {
    let zone = look.zone.iana_name().unwrap_or("UTC");
    let consent = Consent::of_word(&form.consent);
    let site = Frame::named(app, Some(&form.site), look.language, "UTC").site;
    let who = Identification {
        email,
        visitor: VisitorId::parse(&form.visitor).ok().filter(|_| consent != Consent::None),
        site: site.map_or("", |site| site.key.as_str()),
        trust: Trust::Claimed,
        consent,
        language: look.language,
        time_zone: Some(zone),
    };
    let mut tx = app.stores.db.begin().await?;
    let identified = contacts::identify(&mut tx, &who, now).await?;
    let contact = identified.contact.id;
    let wish = Wish {
        meeting: meeting.id.clone(),
        contact,
        time_zone: zone.to_owned(),
        language: look.language,
        since: now,
        unfit: BTreeSet::new(),
    };
    openings::ask(&mut tx, &wish).await?;
    let props = json!({ "meeting": meeting.id });
    contacts::record(&mut tx, Some(contact), None, "call.requested", Some(&meeting.id), props, now).await?;
    tx.commit().await?;
    Ok(())
}
