//! What all doors for programs have in common: the key that is sent, and what it may do.
//!
//! [`DOORS`] is the one table of what each door needs: a door that does not stand in it opens for no key. [`guard`] asks it
//! before any handler runs.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, ResponseError};
use subtle::ConstantTimeEq;

use super::Shared;
use super::error::Problem;
use super::request::bearer;
use crate::accounts::{Area, Scope, Scopes, api_keys};
use crate::base::ids::{AccountId, ContactId};
use crate::base::secret::Secret;
use crate::privacy::audit::{self, By, FileKey};

/// One line of the table: a way in, and what a key must be allowed to do to take it.
pub struct Door {
    pub method: Method,
    pub path: &'static str,
    pub needs: Scope,
}

const fn read(path: &'static str, area: Area) -> Door {
    Door { method: Method::GET, path, needs: Scope::read(area) }
}

/// A question that is too long for an address; it changes nothing.
const fn ask(path: &'static str, area: Area) -> Door {
    Door { method: Method::POST, path, needs: Scope::read(area) }
}

const fn write(path: &'static str, area: Area) -> Door {
    Door { method: Method::POST, path, needs: Scope::write(area) }
}

const fn change(method: Method, path: &'static str, area: Area) -> Door {
    Door { method, path, needs: Scope::write(area) }
}

/// What each door needs.
pub const DOORS: &[Door] = &[
    write("/api/v1/answers", Area::Sales),
    read("/api/v1/audit", Area::People),
    write("/api/v1/bookings/{booking}/findings", Area::Sales),
    write("/api/v1/calls", Area::Sales),
    read("/api/v1/companies", Area::Sales),
    read("/api/v1/companies/{company}", Area::Sales),
    change(Method::PATCH, "/api/v1/companies/{company}", Area::Sales),
    write("/api/v1/companies/{company}/suggestions/{name}", Area::Sales),
    read("/api/v1/contacts", Area::People),
    read("/api/v1/contacts/{contact}", Area::People),
    write("/api/v1/contacts/{contact}/addresses", Area::People),
    write("/api/v1/contacts/{contact}/erase", Area::People),
    read("/api/v1/contacts/{contact}/export", Area::People),
    write("/api/v1/contacts/{contact}/host-ids", Area::People),
    read("/api/v1/contacts/{contact}/merge", Area::People),
    write("/api/v1/contacts/{contact}/merge", Area::People),
    read("/api/v1/contacts/{contact}/offers", Area::Sales),
    write("/api/v1/contacts/{contact}/offers/{offer}", Area::Sales),
    write("/api/v1/contacts/{contact}/profiling", Area::People),
    read("/api/v1/contacts/{contact}/segments", Area::Sales),
    write("/api/v1/contacts/{contact}/suggestions/{name}", Area::People),
    write("/api/v1/contacts/{contact}/unmerge", Area::People),
    write("/api/v1/costs", Area::Sales),
    write("/api/v1/deals", Area::Sales),
    read("/api/v1/deals/{deal}", Area::Sales),
    change(Method::PATCH, "/api/v1/deals/{deal}", Area::Sales),
    write("/api/v1/deals/{deal}/lost", Area::Sales),
    write("/api/v1/deals/{deal}/milestones", Area::Sales),
    change(Method::PUT, "/api/v1/deals/{deal}/people/{contact}", Area::Sales),
    change(Method::DELETE, "/api/v1/deals/{deal}/people/{contact}", Area::Sales),
    write("/api/v1/deals/{deal}/won", Area::Sales),
    write("/api/v1/events", Area::Events),
    write("/api/v1/events/list", Area::Events),
    read("/api/v1/flows", Area::Flows),
    write("/api/v1/flows/reload", Area::Flows),
    read("/api/v1/flows/{flow}/graph", Area::Flows),
    read("/api/v1/forms/quarantine", Area::Content),
    change(Method::DELETE, "/api/v1/forms/quarantine/{id}", Area::Content),
    write("/api/v1/forms/quarantine/{id}/release", Area::Content),
    read("/api/v1/handovers", Area::Sales),
    write("/api/v1/handovers", Area::Sales),
    write("/api/v1/handovers/{handover}/take", Area::Sales),
    write("/api/v1/hooks/{hook}/enable", Area::Outbox),
    write("/api/v1/hooks/{hook}/test", Area::Outbox),
    read("/api/v1/lifecycle/activities/{activity}", Area::Lifecycle),
    write("/api/v1/lifecycle/activation", Area::Lifecycle),
    write("/api/v1/lifecycle/approvals", Area::Lifecycle),
    ask("/api/v1/lifecycle/backtest", Area::Lifecycle),
    write("/api/v1/lifecycle/customers/attempts", Area::Lifecycle),
    write("/api/v1/lifecycle/customers/state", Area::Lifecycle),
    ask("/api/v1/lifecycle/diff", Area::Lifecycle),
    read("/api/v1/lifecycle/explain", Area::Lifecycle),
    read("/api/v1/lifecycle/lift", Area::Lifecycle),
    write("/api/v1/lifecycle/proposals", Area::Lifecycle),
    change(Method::DELETE, "/api/v1/lifecycle/proposals/{hash}", Area::Lifecycle),
    read("/api/v1/lifecycle/simulate", Area::Lifecycle),
    read("/api/v1/lifecycle/versions", Area::Lifecycle),
    write("/api/v1/links/revoke", Area::Content),
    write("/api/v1/mail/bounces", Area::Letters),
    read("/api/v1/nurture", Area::Letters),
    write("/api/v1/offers/redeem", Area::Sales),
    read("/api/v1/outbox", Area::Outbox),
    write("/api/v1/outbox/replay", Area::Outbox),
    write("/api/v1/outbox/{job}/replay", Area::Outbox),
    read("/api/v1/reports/acceptance", Area::Reports),
    read("/api/v1/reports/attribution", Area::Reports),
    read("/api/v1/reports/bookings", Area::Reports),
    read("/api/v1/reports/bot", Area::Reports),
    read("/api/v1/reports/churn", Area::Reports),
    read("/api/v1/reports/content", Area::Reports),
    read("/api/v1/reports/costs", Area::Reports),
    read("/api/v1/reports/frequency", Area::Reports),
    read("/api/v1/reports/funnel", Area::Reports),
    read("/api/v1/reports/health", Area::Reports),
    read("/api/v1/reports/losses", Area::Reports),
    read("/api/v1/reports/mail", Area::Reports),
    read("/api/v1/reports/no-shows", Area::Reports),
    read("/api/v1/reports/response", Area::Reports),
    read("/api/v1/reports/splits", Area::Reports),
    read("/api/v1/reports/talks", Area::Reports),
    read("/api/v1/reports/velocity", Area::Reports),
    read("/api/v1/reports/webinars", Area::Reports),
    read("/api/v1/segments", Area::Sales),
    read("/api/v1/segments/{segment}/members", Area::Sales),
    read("/api/v1/subscriptions", Area::Letters),
    write("/api/v1/subscriptions", Area::Letters),
    write("/api/v1/subscriptions/end", Area::Letters),
    read("/api/v1/suppressions", Area::Letters),
    write("/api/v1/suppressions", Area::Letters),
    write("/api/v1/suppressions/release", Area::Letters),
    read("/api/v1/tasks", Area::Sales),
    write("/api/v1/tasks", Area::Sales),
    write("/api/v1/tasks/{task}/done", Area::Sales),
    read("/api/v1/traffic/{site}/by/{dimension}", Area::Traffic),
    read("/api/v1/traffic/{site}/ctas", Area::Traffic),
    read("/api/v1/traffic/{site}/funnel", Area::Traffic),
    read("/api/v1/traffic/{site}/goals", Area::Traffic),
    read("/api/v1/traffic/{site}/live", Area::Traffic),
    read("/api/v1/traffic/{site}/summary", Area::Traffic),
    write("/api/v1/webinars/{webinar}/attendance", Area::Content),
    write("/api/v1/webinars/{webinar}/cancel", Area::Content),
];

/// What the key that a request brought may do, and whose it is.
#[derive(Debug, Clone)]
pub struct Granted {
    pub scopes: Scopes,
    /// None of a key of the settings, and of one that was made at the server for nobody.
    pub account: Option<AccountId>,
    /// Which key it is, as the audit names it.
    pub by: By,
}

/// A change that the audit hears of once it has been made: doors to people write down themselves what they do to whom.
struct Deed {
    by: By,
    door: String,
    /// What programs tell all the time is written down once an hour.
    is_flow: bool,
}

/// Lets a request to a door of the table through if its key may do what the door needs; what is no door for programs goes
/// on as it came.
///
/// # Errors
/// Those of the handlers.
pub async fn guard<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let is_for_programs = request.path().starts_with("/api/v1/") || request.path() == "/metrics";
    let checked = if is_for_programs { check(&request).await } else { Ok(None) };
    let deed = match checked {
        Ok(deed) => deed,
        Err(problem) => {
            return Ok(request.into_response(problem.error_response()).map_into_right_body());
        }
    };
    let app = request.app_data::<Shared>().cloned();
    let answer = next.call(request).await?;
    if let (Some(deed), Some(app), true) = (deed, app, answer.status().is_success()) {
        let named = answer.request().extensions().get::<About>().map(|about| about.0);
        let contact = answer.request().match_info().get("contact");
        let contact = named.or_else(|| contact.and_then(|id| ContactId::parse(id).ok()));
        write_down(&app, deed, contact).await;
    }
    Ok(answer.map_into_left_body())
}

/// It has been done: whoever cannot write it down says so in the log, and the program is answered all the same.
async fn write_down(app: &Shared, deed: Deed, contact: Option<ContactId>) {
    let Deed { by, door, is_flow } = deed;
    let told = audit::did(&app.stores.db, by, &door, contact, is_flow, app.clock.now()).await;
    if let Err(error) = told {
        tracing::error!(error = %error, door, "what a program did could not be written into the audit");
    }
}

async fn check(request: &ServiceRequest) -> Result<Option<Deed>, Problem> {
    let app: Shared = request.app_data::<Shared>().cloned().ok_or_else(super::not_found)?;
    let granted = granted(&app, request.request()).await?;
    if request.path() == "/metrics" {
        // It has a door of its own for those who are near.
        if let Some(granted) = granted {
            request.extensions_mut().insert(granted);
        }
        return Ok(None);
    }
    // What is no door at all is told as such by what answers for it.
    let Some(pattern) = request.match_pattern() else { return Ok(None) };
    let granted = granted.ok_or_else(unknown)?;
    let mut doors = DOORS.iter().filter(|door| door.path == pattern).peekable();
    let is_known = doors.peek().is_some();
    let deed = match doors.find(|door| door.method == *request.method()) {
        Some(door) if !granted.scopes.allow(door.needs) => return Err(missing(door.needs)),
        // Another method of a known door: the router says that it is not there.
        None if !is_known => return Err(super::not_found()),
        Some(door) if door.needs.writes && door.needs.area != Area::People => Some(Deed {
            by: granted.by,
            door: format!("{} {}", request.method(), request.path()),
            is_flow: door.needs.area == Area::Events,
        }),
        Some(_) | None => None,
    };
    request.extensions_mut().insert(granted);
    Ok(deed)
}

fn unknown() -> Problem {
    Problem::new(
        "api.key_unknown",
        "Send `Authorization: Bearer KEY` with a key of the console (Settings, Keys) or one of `api.keys`.",
    )
}

fn missing(needs: Scope) -> Problem {
    let word = needs.word();
    let detail = format!("The key may not do this: it needs the scope `{word}`.");
    Problem::new("api.scope_missing", detail).with("scope", word)
}

/// What the key of a request may do; none if it brought none that works. Keys of the settings may do everything,
/// `api.keys` but see people.
async fn granted(app: &Shared, request: &HttpRequest) -> Result<Option<Granted>, Problem> {
    let Some(given) = bearer(request) else { return Ok(None) };
    let is_given = |known: &Secret| -> bool { known.expose().as_bytes().ct_eq(given.as_bytes()).into() };
    let of_file = |scopes, sees_people, place: usize| Granted {
        scopes,
        account: None,
        by: By::FileKey(FileKey { sees_people, place: place + 1 }),
    };
    if let Some(place) = app.config.api.people_keys.iter().position(is_given) {
        return Ok(Some(of_file(Scopes::of(Scope::all()), true, place)));
    }
    if let Some(place) = app.config.api.keys.iter().position(is_given) {
        let scopes = Scopes::of(Scope::all().filter(|scope| scope.area != Area::People));
        return Ok(Some(of_file(scopes, false, place)));
    }
    let key = api_keys::find(&app.stores.db, given, app.clock.now()).await?;
    Ok(key.map(|key| Granted { scopes: key.scopes, account: key.account, by: By::Key(key.id) }))
}

/// Whom a change was about, where the address of the door does not say it.
#[derive(Debug, Clone, Copy)]
struct About(ContactId);

/// Says whom a change is about: the audit names her.
pub fn is_about(request: &HttpRequest, contact: ContactId) {
    request.extensions_mut().insert(About(contact));
}

/// Makes sure that the guard has let the request in.
///
/// # Errors
/// `api.key_unknown`.
pub fn authorised(_: &Shared, request: &HttpRequest) -> Result<(), Problem> {
    if request.extensions().get::<Granted>().is_some() { Ok(()) } else { Err(unknown()) }
}

/// Whose key a request brought; none if it is nobody's.
pub fn account_of(request: &HttpRequest) -> Option<AccountId> {
    request.extensions().get::<Granted>().and_then(|granted| granted.account)
}

/// Which key a request brought, as the audit names it.
///
/// # Errors
/// `api.key_unknown`.
pub fn by(request: &HttpRequest) -> Result<By, Problem> {
    request.extensions().get::<Granted>().map(|granted| granted.by).ok_or_else(unknown)
}

/// Makes sure that the key may see people: those who may merge, export and erase them have the table's word.
///
/// # Errors
/// `api.scope_missing` for a key that may do other things, else `api.key_unknown`.
pub fn authorised_for_people(app: &Shared, request: &HttpRequest) -> Result<(), Problem> {
    authorised(app, request)?;
    let needs = Scope::read(Area::People);
    let may = request.extensions().get::<Granted>().is_some_and(|granted| granted.scopes.allow(needs));
    if may { Ok(()) } else { Err(missing(needs)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_door_stands_in_the_table_once_and_needs_what_there_is() {
        let mut seen: Vec<(&str, &str)> =
            DOORS.iter().map(|door| (door.path, door.method.as_str())).collect();
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), count);
        for door in DOORS {
            assert!(Scope::all().any(|scope| scope == door.needs), "{}: {}", door.path, door.needs.word());
        }
    }
}
