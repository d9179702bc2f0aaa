//! Hits as the bytes that logs carry.

use serde::Deserialize;

use super::Recorded;

/// Stands before the packed hits of a record, so that a later form of them can be told from this one.
const FORM: u8 = 1;

/// The hits of one request as a record.
///
/// # Errors
/// A sentence, if they cannot be packed.
pub fn pack(hits: &[Recorded]) -> Result<Vec<u8>, String> {
    postcard::to_extend(hits, vec![FORM]).map_err(|error| error.to_string())
}

/// The hits of a record, in order; with `&str` their texts stay where they are.
///
/// # Errors
/// A sentence, if it is not one of [`pack`]'s.
pub fn unpack<'r, T: Deserialize<'r>>(record: &'r [u8]) -> Result<Vec<Recorded<T>>, String> {
    match record.split_first() {
        Some((&FORM, hits)) => postcard::from_bytes(hits).map_err(|error| error.to_string()),
        Some((form, _)) => Err(format!("its form {form} is not known")),
        None => Err("it is empty".to_owned()),
    }
}
