//! The one table of error codes, and how an error becomes an answer (problem details, RFC 9457).

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ContentType, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Map, Value as Json, json};

use crate::base::coded::Coded;

/// One line a code: its status, and a title that is the same for every occurrence.
pub const CODES: &[(&str, u16, &str)] = &[
    ("absence.days_invalid", 422, "Nobody can be away like this"),
    ("absence.delegate_invalid", 422, "Somebody else of the team stands in"),
    ("account.code_wrong", 422, "The code is wrong or was used"),
    ("account.email_invalid", 422, "The address is not an e-mail address"),
    ("account.email_taken", 409, "There is an account with this address already"),
    ("account.first_over", 410, "There is a first account already"),
    ("account.forbidden", 403, "Your role may not do this"),
    ("account.last_admin", 409, "Somebody must be able to let people in"),
    ("account.link_over", 410, "The link was used or has run out"),
    ("account.login_failed", 401, "The address or the password is wrong"),
    ("account.not_logged_in", 401, "Log in first"),
    ("account.password_short", 422, "The password is too short"),
    ("account.password_wrong", 422, "The password is wrong"),
    ("account.role_changed", 409, "Somebody else changed the role"),
    ("account.second_factor_needed", 403, "The role needs a second factor"),
    ("account.second_factor_state", 409, "The second factor is not in this state"),
    ("account.session_unknown", 404, "There is no such session"),
    ("account.unknown", 404, "There is no such account"),
    ("act.nobody_chosen", 422, "Nobody was chosen"),
    ("act.nothing_chosen", 422, "Nothing was chosen that could be done"),
    ("act.too_late", 409, "It can be undone no more"),
    ("act.unknown", 404, "There is no such change"),
    ("activity.unknown", 404, "There is no such activity"),
    ("api.key_closed", 401, "The key's account is closed"),
    ("api.key_invalid", 422, "A key cannot be like this"),
    ("api.key_not_found", 404, "There is no such key"),
    ("api.key_unknown", 401, "The API key is missing or unknown"),
    ("api.scope_missing", 403, "The API key may not do this"),
    ("asset.unknown", 404, "There is no such file"),
    ("booking.already_cancelled", 409, "The call is already cancelled"),
    ("booking.changed", 409, "Somebody else was faster"),
    ("booking.day_full", 409, "No more calls on that day"),
    ("booking.duration_unknown", 422, "The call is not offered in this length"),
    ("booking.hold_expired", 409, "The time was not kept any longer"),
    ("booking.idempotency_key_invalid", 400, "The Idempotency-Key cannot be used"),
    ("booking.idempotency_key_reused", 422, "The Idempotency-Key was used for another request"),
    ("booking.link_old", 409, "The link is older than the last change"),
    ("booking.link_other", 403, "The link is meant for something else"),
    ("booking.meeting_gone", 409, "The kind of call is not offered any more"),
    ("booking.meeting_unknown", 404, "There is no such kind of meeting"),
    ("booking.outcome_changed", 409, "Somebody else said how the call went"),
    ("booking.outcome_kept", 409, "It was said more than a minute ago"),
    ("booking.outcome_too_early", 409, "The call has not begun"),
    ("booking.over", 409, "The call has already begun"),
    ("booking.slot_past", 422, "The time lies in the past"),
    ("booking.slot_taken", 409, "The time is taken"),
    ("booking.slot_too_soon", 422, "The time is too near"),
    ("booking.slot_unknown", 422, "The time is not offered"),
    ("booking.too_many", 409, "Too many calls ahead"),
    ("booking.too_often", 429, "Too many changes for one person in a day"),
    ("booking.unknown", 404, "There is no such call"),
    ("booking.zone_unknown", 422, "The time zone is not known"),
    ("calendar.address_invalid", 422, "The address is not one of a calendar"),
    ("calendar.known", 409, "The calendar is connected already"),
    ("calendar.too_many", 422, "There are too many calendars"),
    ("calendar.unknown", 404, "There is no such calendar"),
    ("call.minutes_invalid", 422, "A call does not last so long"),
    ("call.not_asked", 422, "A call does not find this out"),
    ("call.time_invalid", 422, "The call lies ahead or too far back"),
    ("chat.address_held_back", 409, "Nothing goes to this address"),
    ("chat.client_id_reused", 409, "This message id was used for another message"),
    ("chat.closed", 409, "The conversation is over"),
    ("chat.conversation_unknown", 404, "There is no such conversation"),
    ("chat.flow_not_writable", 503, "The file of the flow cannot be written"),
    ("chat.flow_text_unknown", 404, "There is no such text of the flow"),
    ("chat.flow_unknown", 404, "There is no such flow"),
    ("chat.flows_wrong", 422, "The flows are wrong; those that ran before still run"),
    ("chat.message_invalid", 422, "The message cannot be understood"),
    ("chat.not_allowed", 409, "This is not possible now"),
    ("chat.not_confirmed", 403, "It is not certain who asks"),
    ("chat.question_over", 409, "This question is not open"),
    ("chat.sequence_unknown", 409, "The log has no such entry"),
    ("company.invalid", 422, "A company cannot be like this"),
    ("company.unknown", 404, "There is no such company"),
    ("contact.address_taken", 409, "The address is another contact's"),
    ("contact.merged", 409, "The contact was merged into another"),
    ("contact.nothing_suggested", 404, "Nothing waits to be accepted"),
    ("contact.suggestion_changed", 409, "Another value waits by now"),
    ("contact.unknown", 404, "There is no such contact"),
    ("costs.unreadable", 422, "The file cannot be read"),
    ("crm.refused", 502, "The CRM did not take it"),
    ("crm.signature_wrong", 403, "It does not prove that it comes from the CRM"),
    ("crm.unknown", 404, "There is no such connection"),
    ("csrf.failed", 403, "The form is not ours or too old"),
    ("deal.closed", 409, "The deal has ended otherwise"),
    ("deal.invalid", 422, "The deal cannot be like this"),
    ("deal.other_company", 422, "The contact works for another company"),
    ("deal.reason_needed", 422, "A reason is needed"),
    ("deal.unknown", 404, "There is no such deal"),
    ("erase.not_confirmed", 422, "The erasure was not confirmed"),
    ("event.id_reused", 409, "This event id was used for another event"),
    ("event.invalid", 422, "The event cannot be like this"),
    ("event.list_unreadable", 422, "The list cannot be read"),
    ("form.invalid", 422, "Some answers are missing or wrong"),
    ("form.nonce_invalid", 422, "The form was not loaded from here or is too old"),
    ("form.nonce_used", 409, "The form was sent already"),
    ("form.not_set_apart", 404, "Nothing is set apart under this id"),
    ("form.unknown", 404, "There is no such form"),
    ("handover.no_role", 422, "Nobody is handed over to this role"),
    ("handover.other_role", 403, "The account has another role"),
    ("handover.over", 409, "Another hand-over took its place"),
    ("handover.taken", 409, "Somebody else was faster"),
    ("handover.unknown", 404, "There is no such hand-over"),
    ("hit.field", 400, "A member of the hit is missing or wrong"),
    ("hit.malformed", 400, "The body is not a hit"),
    ("hit.too_many", 400, "Too many hits in one body"),
    ("hit.unavailable", 503, "Hits cannot be stored at the moment"),
    ("hook.refused", 502, "The other side did not take it"),
    ("hook.unknown", 404, "There is no such hook"),
    ("identity.code_over", 410, "The code is no longer open"),
    ("identity.code_spent", 429, "The code was mistyped too often"),
    ("identity.code_wrong", 422, "The code is wrong"),
    ("identity.consent_needed", 422, "The device did not agree to be known"),
    ("identity.contested", 409, "The address belongs to another user"),
    ("identity.email_invalid", 422, "The address is not an e-mail address"),
    ("identity.token_expired", 401, "The token has expired"),
    ("identity.token_foreign", 401, "The token is for another site"),
    ("identity.token_forged", 401, "The token is not the site's"),
    ("identity.token_invalid", 422, "The token cannot be used"),
    ("identity.token_not_set_up", 422, "The site checks no tokens"),
    ("import.begun", 409, "The import has begun already"),
    ("import.unknown", 404, "There is no such import"),
    ("import.unreadable", 422, "The list cannot be read"),
    ("internal", 500, "Something went wrong here"),
    ("lifecycle.author_alone", 403, "Somebody else approves for the other side"),
    ("lifecycle.changed", 409, "The file is another text by now"),
    ("lifecycle.key_not_hers", 403, "The key does not approve for this person"),
    ("lifecycle.model_invalid", 422, "The definition has mistakes"),
    ("lifecycle.no_side", 403, "This account approves for no side"),
    ("lifecycle.not_approved", 409, "The definition is not approved yet"),
    ("lifecycle.number_taken", 409, "The version's number is taken"),
    ("lifecycle.question_invalid", 422, "The question cannot be understood"),
    ("lifecycle.running", 409, "The definition runs already"),
    ("lifecycle.running_changed", 409, "Another definition runs by now"),
    ("lifecycle.trial_unknown", 404, "There is no such trial"),
    ("limit.too_many", 429, "Too many requests"),
    ("mail.message_unreadable", 422, "The message cannot be read"),
    ("mail.signature_wrong", 403, "The signature is wrong"),
    ("mail.unknown", 404, "There is no such mail"),
    ("merge.behind", 409, "One of them was merged already"),
    ("merge.none", 409, "The contact is not merged"),
    ("merge.same", 409, "They are the same contact"),
    ("offer.code_expired", 410, "The code has expired"),
    ("offer.code_unknown", 404, "Nobody was given this code"),
    ("offer.code_used", 409, "The code was used already"),
    ("offer.not_eligible", 409, "The offer cannot be taken"),
    ("offer.unknown", 404, "There is no such offer"),
    ("outbox.held_back", 409, "Nothing goes to this address"),
    ("outbox.job_unknown", 404, "Nothing of this id was given up"),
    ("push.invalid", 422, "This is no subscription of a browser"),
    ("push.refused", 502, "The push service did not take it"),
    ("push.too_many", 422, "There are too many browsers"),
    ("push.unknown", 404, "There is no such browser"),
    ("push.unreachable", 422, "The push service may not be reached"),
    ("recording.unknown", 404, "There is no such recording"),
    ("report.question_invalid", 400, "The question cannot be understood"),
    ("report.unknown", 404, "There is no such report"),
    ("request.day_unreadable", 422, "The day or the time cannot be read"),
    ("request.encoding_unknown", 415, "The body is packed in an unknown way"),
    ("request.malformed", 400, "The request cannot be read"),
    ("request.not_found", 404, "There is nothing here"),
    ("request.too_large", 413, "The body is too large"),
    ("request.too_slow", 408, "The body did not come in time"),
    ("segment.unknown", 404, "There is no such segment"),
    ("site.address_invalid", 422, "The address is not one of a website"),
    ("site.foreign_origin", 403, "This origin is not one of the site's"),
    ("site.impossible", 422, "The site cannot be added here"),
    ("site.taken", 409, "There is such a site already"),
    ("site.unknown", 404, "No site has this key"),
    ("stage.changed", 409, "The contact stands in another stage by now"),
    ("stage.disqualified", 422, "A disqualified contact moves only with a reason"),
    ("stage.illegal_move", 409, "The stage does not allow this"),
    ("stage.no_customer", 409, "This contact is no customer"),
    ("stage.nothing_to_decide", 409, "There is nothing to decide here"),
    ("stage.reason_needed", 422, "A reason is needed"),
    ("stage.unknown", 404, "There is no such stage"),
    ("store.conflict", 409, "Somebody else was faster"),
    ("store.failed", 500, "Something went wrong here"),
    ("store.unavailable", 503, "The store cannot be reached at the moment"),
    ("subscription.other_device", 409, "Another device asked for it"),
    ("subscription.topic_unknown", 404, "There is no such topic"),
    ("task.invalid", 422, "The task cannot be like this"),
    ("task.too_early", 409, "Nobody is called in this stage"),
    ("task.unknown", 404, "There is no such task"),
    ("task.unwanted", 409, "She does not want to be called"),
    ("team.credit_invalid", 422, "Calls are not given back like this"),
    ("token.expired", 410, "The link has expired"),
    ("token.forged", 404, "The link is not valid"),
    ("token.revoked", 410, "The link was withdrawn"),
    ("traffic.dimension_unknown", 404, "Traffic is not told by this"),
    ("traffic.funnel_changed", 409, "Somebody else changed the funnel"),
    ("traffic.kept_invalid", 422, "It cannot be kept like this"),
    ("traffic.kept_unknown", 404, "Nothing of this id is kept"),
    ("traffic.question_invalid", 422, "The question cannot be understood"),
    ("view.invalid", 422, "The view cannot be kept like this"),
    ("view.unknown", 404, "There is no such view"),
    ("webinar.called_off", 409, "The webinar was called off"),
    ("webinar.list_unreadable", 422, "The list cannot be read"),
    ("webinar.not_begun", 409, "The webinar has not begun"),
    ("webinar.not_over", 409, "The webinar is not over"),
    ("webinar.not_registered", 404, "This contact is not registered"),
    ("webinar.over", 409, "The webinar is over"),
    ("webinar.unknown", 404, "There is no such webinar"),
];

/// An error on its way to a client.
#[derive(Debug)]
pub struct Problem {
    code: &'static str,
    detail: String,
    extras: Vec<(&'static str, Json)>,
}

impl Problem {
    /// A problem of this code. The detail is for people; what failed inside stays inside.
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), extras: Vec::new() }
    }

    /// A body or a part of an address that could not be read. What the program that reads it says of itself is
    /// nobody's business, and may repeat what was sent: whoever sends is told the place, and what is missing there.
    pub fn unread(code: &'static str, error: &impl fmt::Display) -> Self {
        Self::new(code, in_words(&error.to_string()))
    }

    /// Adds a member to the document.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Json>) -> Self {
        self.extras.push((name, value.into()));
        self
    }

    /// The same problem once more, for whoever shows it in another form.
    pub fn again(&self) -> Self {
        Self { code: self.code, detail: self.detail.clone(), extras: self.extras.clone() }
    }

    /// The same problem in other words: those of whoever reads it.
    #[must_use]
    pub fn saying(mut self, detail: String) -> Self {
        self.detail = detail;
        self
    }

    /// A member of the document as a text has it in a hole.
    pub fn extra(&self, name: &str) -> Option<String> {
        let (_, value) = self.extras.iter().find(|(known, _)| *known == name)?;
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What happened, for people.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    fn row(&self) -> (StatusCode, &'static str) {
        let found = CODES.iter().find(|(code, ..)| *code == self.code);
        let (status, title) =
            found.map_or((500, "Something went wrong here"), |(_, status, title)| (*status, *title));
        (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), title)
    }

    /// What the code means, the same every time.
    pub fn title(&self) -> &'static str {
        self.row().1
    }

    /// How many seconds to wait before it is worth trying again, if that is known.
    pub fn wait_s(&self) -> Option<i64> {
        let wait =
            self.extras.iter().find(|(name, _)| *name == "retry_after_ms").and_then(|(_, ms)| ms.as_i64());
        wait.map(|ms| ms.div_euclid(1_000) + 1)
    }

    /// The document's members.
    pub fn document(&self) -> Json {
        let (status, title) = self.row();
        let mut document = Map::new();
        document.insert("type".to_owned(), json!("about:blank"));
        document.insert("title".to_owned(), json!(title));
        document.insert("status".to_owned(), json!(status.as_u16()));
        document.insert("code".to_owned(), json!(self.code));
        document.insert("detail".to_owned(), json!(self.detail));
        for (name, value) in &self.extras {
            document.insert((*name).to_owned(), value.clone());
        }
        Json::Object(document)
    }
}

impl<E: Coded> From<E> for Problem {
    fn from(error: E) -> Self {
        let code = error.code();
        let extras = error.extras();
        if code.starts_with("store.") && code != "store.conflict" {
            tracing::error!(error = %error, error.code = code, "a request failed");
            return Self::new(code, "Please try again in a moment.");
        }
        Self { code, detail: error.to_string(), extras }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.row().0
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.content_type("application/problem+json");
        let wait_s = self.wait_s().or((self.status_code().as_u16() == 503).then_some(2));
        if let Some(wait_s) = wait_s {
            response.insert_header((RETRY_AFTER, wait_s.to_string()));
        }
        response.body(self.document().to_string())
    }
}

/// What a reader of JSON, of forms or of addresses complains of, in words that speak of what was sent.
fn in_words(said: &str) -> String {
    let named = |lead: &str| said.split_once(lead)?.1.split_once('`').map(|(name, _)| name.to_owned());
    let place = said.rsplit_once(" at line ").and_then(|(_, place)| {
        let (line, column) = place.split_once(" column ")?;
        let is_number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
        (is_number(line) && is_number(column)).then(|| format!(" (line {line}, column {column})"))
    });
    let place = place.unwrap_or_default();
    if let Some(name) = named("missing field `") {
        return format!("`{name}` is missing{place}.");
    }
    if let Some(name) = named("unknown field `") {
        return format!("There is no `{name}` here{place}.");
    }
    if let Some(name) = named("unknown variant `") {
        return format!("`{name}` is none of the words that can stand there{place}.");
    }
    if said.contains("invalid type") || said.contains("invalid value") || said.contains("invalid digit") {
        return format!("A value is not of the kind that is wanted there{place}.");
    }
    format!("It cannot be read{place}. Look at the shape that is documented for this address.")
}

/// An answer in HTML.
pub fn html(status: StatusCode, body: String) -> HttpResponse {
    HttpResponse::build(status).insert_header(ContentType::html()).body(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_every_code_once() {
        assert!(CODES.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn what_cannot_be_read_is_told_without_the_insides_of_who_reads() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Wanted {
            #[expect(dead_code, reason = "only read")]
            site: u8,
        }
        let told = |body: &str| {
            let error = serde_json::from_str::<Wanted>(body).expect_err("it is wrong");
            Problem::unread("request.malformed", &error).detail().to_owned()
        };
        assert!(told("{}").starts_with("`site` is missing (line 1, column"));
        assert!(told("{\"site\":1,\"x\":2}").starts_with("There is no `x` here (line 1, column"));
        let wrong = told("{\"site\":\"secret\"}");
        assert!(wrong.starts_with("A value is not of the kind that is wanted there (line 1"), "{wrong}");
        assert!(!wrong.contains("secret"), "nothing of what was sent");
        assert!(told("nonsense").starts_with("It cannot be read (line 1, column"));
        let digit = "Query deserialize error: invalid digit found in string";
        assert_eq!(in_words(digit), "A value is not of the kind that is wanted there.");
        assert!(!in_words("UUID parsing failed: invalid length").contains("UUID"));
    }

    #[test]
    fn a_store_that_failed_tells_the_client_nothing_of_its_insides() {
        let error = crate::storage::Error::Engine("secret table".to_owned());
        assert!(!Problem::from(error).document().to_string().contains("secret"));
    }
}
