//! How well somebody fits and how engaged she is: two axes, scored from facts and activities.
//!
//! Scores are never stored. They are a pure function of the definition, the facts and the activities at one moment,
//! see [`score`]; the rows of a score add up to it, and each names the rule and the activity behind it.

pub mod alias;
pub mod condition;
pub mod definition;
pub mod facts;
pub mod history;
pub mod kinds;
pub mod known;
pub mod score;
pub mod scorer;
pub mod store;
pub mod tags;
pub mod titles;
pub mod words;

pub use definition::Definition;
pub use facts::{Activity, BANT, Facts};
pub use history::History;
pub use known::{Known, Said};
pub use score::{Axis, Evidence, Grade, Level, Row, Score, score};
pub use scorer::Scorer;
