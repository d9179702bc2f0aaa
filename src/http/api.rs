//! What all doors for programs have in common.

use actix_web::HttpRequest;
use subtle::ConstantTimeEq;

use super::Shared;
use super::error::Problem;
use super::request::bearer;
use crate::base::secret::Secret;

/// Lets in whoever sends one of `api.keys`.
///
/// # Errors
/// `api.key_unknown`.
pub fn authorised(app: &Shared, request: &HttpRequest) -> Result<(), Problem> {
    let key = bearer(request).unwrap_or_default();
    let is_known = |known: &Secret| known.expose().as_bytes().ct_eq(key.as_bytes()).into();
    if app.config.api.keys.iter().any(is_known) {
        return Ok(());
    }
    if is_for_people(app, request) {
        return Ok(());
    }
    Err(Problem::new("api.key_unknown", "Send `Authorization: Bearer KEY` with one of `api.keys`."))
}

/// Lets in whoever sends one of `api.people_keys`: those who may see, merge, export and erase people.
///
/// # Errors
/// `api.scope_missing` for a key that may do other things, else `api.key_unknown`.
pub fn authorised_for_people(app: &Shared, request: &HttpRequest) -> Result<(), Problem> {
    if is_for_people(app, request) {
        return Ok(());
    }
    authorised(app, request)?;
    Err(Problem::new("api.scope_missing", "This needs one of `api.people_keys`."))
}

fn is_for_people(app: &Shared, request: &HttpRequest) -> bool {
    let key = bearer(request).unwrap_or_default();
    let is_known = |known: &Secret| known.expose().as_bytes().ct_eq(key.as_bytes()).into();
    app.config.api.people_keys.iter().any(is_known)
}
