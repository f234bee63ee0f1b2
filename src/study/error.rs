//! Why a study gives no result.

use std::error::Error;
use std::fmt;

/// Why a study gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StudyError {
    /// It was told to stop.
    Interrupted,
    /// An invariant does not hold: a defect of kvplan.
    Broken(String),
    /// What was finished could not be put down.
    NotKept(String),
}

impl fmt::Display for StudyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StudyError::Interrupted => f.write_str("interrupted"),
            StudyError::Broken(what) => write!(
                f,
                "an invariant does not hold, the results would be wrong: {what}"
            ),
            StudyError::NotKept(why) => f.write_str(why),
        }
    }
}

impl Error for StudyError {}
