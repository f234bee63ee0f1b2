//! Errors of input files: one message that says where, what was found, and what was expected.

use std::fmt;

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
