//! A value that everybody reads all the time and that is replaced once in a while, without anybody stopping.

use std::ops::Deref;
use std::sync::{PoisonError, RwLock};

/// The value that holds now. Whoever reads while it is replaced goes on with the one she has.
///
/// A value that was replaced is never given back to the system: somebody may still read it, and what is replaced here are
/// definitions, a few times a year, each some hundred kilobytes at most.
pub struct Live<T: 'static>(RwLock<&'static T>);

impl<T> Live<T> {
    /// Begins with a value.
    pub fn new(value: T) -> Self {
        Self(RwLock::new(Box::leak(Box::new(value))))
    }

    /// The value that holds now.
    pub fn now(&self) -> &'static T {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts another in its place.
    pub fn replace(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Box::leak(Box::new(value));
    }
}

impl<T> Deref for Live<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.now()
    }
}

impl<T: Default> Default for Live<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_reads_while_it_is_replaced_goes_on_with_what_she_has() {
        let live = Live::new(String::from("old"));
        let read = live.now();
        live.replace(String::from("new"));
        assert_eq!((read.as_str(), live.as_str()), ("old", "new"));
    }
}
