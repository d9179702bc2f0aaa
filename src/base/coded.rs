//! Errors that carry a stable code which other programs may rely on.

/// An error with a stable, documented code such as `booking.slot_taken`.
///
/// `http/error.rs` holds the one table from code to status and title.
pub trait Coded: std::error::Error {
    /// The stable code: `area.what`, lower case.
    fn code(&self) -> &'static str;

    /// Further members for the problem document, such as the alternatives to a taken slot.
    fn extras(&self) -> Vec<(&'static str, serde_json::Value)> {
        Vec::new()
    }
}
