//! Booked calls.
pub mod slots;
pub mod team;
pub mod wall;
