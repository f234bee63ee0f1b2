//! Errors of input files: one message that says where, what was found, and what was expected.

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

/// An input file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, or the command-line option, at fault.
    pub source: String,
    /// Line in the file, from 1.
    pub line: Option<usize>,
    /// Path of the field.
    pub field: Option<String>,
    /// What was found and what was expected.
    pub message: String,
}

impl ConfigError {
    /// An error of a whole file or option.
    pub fn new(source: impl Into<String>, message: impl Into<String>) -> Self {
        ConfigError {
            source: source.into(),
            line: None,
            field: None,
            message: message.into(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(": ")?;
        if let Some(field) = &self.field {
            write!(f, "field `{field}`: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigError {}
