//! Embudo.
