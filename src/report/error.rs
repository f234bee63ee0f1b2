//! Why results could not be written.

use crate::models::files::words;
use std::error::Error;
use std::fmt;
use std::io;

/// Why results could not be written. Each names the file or folder.
#[derive(Debug)]
#[non_exhaustive]
pub enum WriteError {
    /// The file or folder cannot be written.
    NotWritten {
        /// The file or folder.
        what: String,
        /// What the system said.
        why: io::Error,
    },
    /// The picture cannot be drawn.
    NotDrawn {
        /// The file.
        what: String,
        /// What went wrong in drawing it.
        why: NotDrawn,
    },
    /// It was told to stop before all was written.
    Stopped,
    /// The value has no such form as JSON or TOML.
    NotEncoded {
        /// The file that the value was for.
        what: String,
        /// What its encoder said.
        why: Box<dyn Error + Send + Sync>,
    },
}

impl WriteError {
    /// Turns what became of a file or folder into an error that names it.
    pub(super) fn of_writing(what: impl fmt::Display) -> impl Fn(io::Error) -> Self {
        move |why| WriteError::NotWritten {
            what: what.to_string(),
            why,
        }
    }

    /// The same for a value that could not be encoded.
    pub(super) fn of_encoding<E>(what: &str) -> impl Fn(E) -> Self
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        move |why| WriteError::NotEncoded {
            what: what.to_owned(),
            why: why.into(),
        }
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::NotWritten { what, why } => {
                write!(f, "{what}: cannot be written ({})", words(why))
            }
            WriteError::NotDrawn { what, why } => write!(f, "{what}: cannot be drawn ({why})"),
            WriteError::NotEncoded { what, why } => write!(f, "{what}: {why}"),
            WriteError::Stopped => f.write_str("told to stop before all was written"),
        }
    }
}

impl Error for WriteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            WriteError::NotWritten { why, .. } => Some(why),
            WriteError::NotDrawn { why, .. } => Some(why),
            WriteError::NotEncoded { why, .. } => Some(&**why),
            WriteError::Stopped => None,
        }
    }
}

/// Why a picture could not be drawn, whatever it was drawn with.
#[derive(Debug)]
pub struct NotDrawn {
    why: String,
}

impl NotDrawn {
    pub(super) fn new(why: impl fmt::Display) -> Self {
        NotDrawn {
            why: why.to_string(),
        }
    }
}

impl fmt::Display for NotDrawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl Error for NotDrawn {}

impl<E: Error + Send + Sync> From<plotters::drawing::DrawingAreaErrorKind<E>> for NotDrawn {
    fn from(e: plotters::drawing::DrawingAreaErrorKind<E>) -> Self {
        NotDrawn::new(e)
    }
}
