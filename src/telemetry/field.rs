//! Settings and values that cannot be used.

use std::error::Error;
use std::fmt;

/// A field whose value cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Path of the field from the top of its file: `providers[0].latency.shape`.
    pub field: String,
    /// What was found and what was expected.
    pub message: String,
}

impl FieldError {
    /// An error of the field `field`.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        FieldError {
            field: field.into(),
            message: message.into(),
        }
    }

    /// The same error as seen from the table that holds this one as `parent`.
    pub fn within(mut self, parent: &str) -> Self {
        self.field = format!("{parent}.{}", self.field);
        self
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "field `{}`: {}", self.field, self.message)
    }
}

impl Error for FieldError {}

/// A value that cannot be used: what was found and what was expected. Whoever read it knows where it
/// stood, and says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueError {
    message: String,
}

impl ValueError {
    /// `message` says what was found and what was expected.
    pub fn new(message: impl Into<String>) -> Self {
        ValueError {
            message: message.into(),
        }
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ValueError {}

impl From<String> for ValueError {
    fn from(message: String) -> Self {
        ValueError { message }
    }
}

impl From<ValueError> for String {
    fn from(e: ValueError) -> Self {
        e.message
    }
}
