//! The ground that everything stands on: words that know nothing of the business.

pub mod diagnostic;
pub mod expr;
pub mod yaml;
