//! Segments: groups of people that a condition describes, kept up to date person by person as things happen.

mod store;

pub use store::{PERSONAL, is_member, of_contact};
