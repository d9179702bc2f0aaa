//! What can be bound to a statement.

use crate::base::ids::Id;
use crate::base::language::Language;
use crate::base::time::Timestamp;

/// A value on its way into or out of a database.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// An integer, a time in milliseconds, or a flag.
    Int(i64),
    /// A floating-point number.
    Real(f64),
    /// A text, an id, or a JSON document.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// The sixteen bytes of an id; only on its way into a database.
    Id([u8; 16]),
}

impl Value {
    /// A text without U+0000: PostgreSQL refuses it, so whatever held one would be lost there.
    fn text(mut value: String) -> Self {
        if value.contains('\0') {
            value.retain(|c| c != '\0');
        }
        Self::Text(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::text(value)
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::text(value.clone())
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::Int(value.as_ms())
    }
}

impl From<Language> for Value {
    fn from(value: Language) -> Self {
        Self::Text(value.code().to_owned())
    }
}

impl From<&serde_json::Value> for Value {
    fn from(value: &serde_json::Value) -> Self {
        Self::Text(value.to_string())
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        Self::Text(value.to_string())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Id> From<T> for Value {
    fn from(id: T) -> Self {
        Self::Text(id.to_string())
    }
}

/// An id as its 16 bytes, for tables that hold many of them; elsewhere ids are texts.
pub struct Packed<T>(pub T);

impl<T: Id> From<Packed<T>> for Value {
    fn from(id: Packed<T>) -> Self {
        Self::Id(*id.0.as_bytes())
    }
}
