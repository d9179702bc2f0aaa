//! A row that came back, and how its columns become values of ours.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::Value;
use crate::base::ids::Id;
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::storage::{Error, Result};

/// One row of an answer.
#[derive(Debug, Clone)]
pub struct Row {
    names: Arc<[String]>,
    values: Vec<Value>,
}

impl Row {
    pub(super) fn new(names: Arc<[String]>, values: Vec<Value>) -> Self {
        Self { names, values }
    }

    /// The column of this name as a `T`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such column or it holds something else.
    pub fn get<T: FromValue>(&self, column: &str) -> Result<T> {
        self.names
            .iter()
            .position(|name| name == column)
            .and_then(|at| self.values.get(at))
            .and_then(T::from_value)
            .ok_or_else(|| Error::Shape { column: column.to_owned(), wanted: std::any::type_name::<T>() })
    }

    /// The column at this place as a `T`, for wide rows that are read by the million.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such column or it holds something else.
    pub fn at<T: FromValue>(&self, place: usize) -> Result<T> {
        self.values.get(place).and_then(T::from_value).ok_or_else(|| self.misshapen::<T>(place))
    }

    /// The bytes of the column at this place, where they are; nothing if it is null.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such column or it holds something else.
    pub fn bytes(&self, place: usize) -> Result<Option<&[u8]>> {
        match self.values.get(place) {
            Some(Value::Bytes(bytes)) => Ok(Some(bytes)),
            Some(Value::Null) => Ok(None),
            _ => Err(self.misshapen::<&[u8]>(place)),
        }
    }

    /// Every column with what it holds, in order.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.names.iter().map(String::as_str).zip(&self.values)
    }

    /// The text of the column at this place, where it is.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such column or it holds something else.
    pub fn text(&self, place: usize) -> Result<&str> {
        match self.values.get(place) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(self.misshapen::<&str>(place)),
        }
    }

    fn misshapen<T>(&self, place: usize) -> Error {
        Error::Shape {
            column: self.names.get(place).cloned().unwrap_or_else(|| place.to_string()),
            wanted: std::any::type_name::<T>(),
        }
    }

    /// The JSON document in the column of this name.
    ///
    /// # Errors
    /// [`Error::Shape`] if the column is missing or does not hold such a document.
    pub fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        let text: String = self.get(column)?;
        serde_json::from_str(&text)
            .map_err(|_| Error::Shape { column: column.to_owned(), wanted: std::any::type_name::<T>() })
    }
}

/// What a column can be read as.
pub trait FromValue: Sized {
    /// The value, or nothing if it is of another kind.
    fn from_value(value: &Value) -> Option<Self>;
}

impl FromValue for i64 {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Int(number) = value { Some(*number) } else { None }
    }
}

impl FromValue for f64 {
    #[allow(clippy::cast_precision_loss, reason = "counts and seconds stay far below 2^53")]
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Real(number) => Some(*number),
            Value::Int(number) => Some(*number as f64),
            _ => None,
        }
    }
}

impl FromValue for bool {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Int(number) = value { Some(*number != 0) } else { None }
    }
}

impl FromValue for String {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.clone()) } else { None }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Bytes(bytes) = value { Some(bytes.clone()) } else { None }
    }
}

impl FromValue for Timestamp {
    fn from_value(value: &Value) -> Option<Self> {
        i64::from_value(value).map(Timestamp)
    }
}

impl FromValue for Language {
    fn from_value(value: &Value) -> Option<Self> {
        String::from_value(value).map(|tag| Language::parse(&tag))
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Option<Self> {
        if matches!(value, Value::Null) { Some(None) } else { T::from_value(value).map(Some) }
    }
}

impl<T: Id> FromValue for T {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => T::of_text(text),
            Value::Bytes(bytes) => T::of_bytes(bytes),
            Value::Null | Value::Int(_) | Value::Real(_) | Value::Id(_) => None,
        }
    }
}
