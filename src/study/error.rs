//! Why a study gives no result.

use super::partial::error::PartialError;
use crate::Defect;
use crate::models::ConfigError;
use std::error::Error;
use std::fmt;

/// Why a study gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StudyError {
    /// It was told to stop.
    Interrupted,
    /// An invariant does not hold: a defect of kvplan.
    Broken(Defect),
    /// What it was given cannot be used.
    Input(ConfigError),
    /// What was finished could not be put down.
    NotKept(PartialError),
}

impl fmt::Display for StudyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StudyError::Interrupted => f.write_str("interrupted"),
            StudyError::Broken(what) => write!(
                f,
                "an invariant does not hold, the results would be wrong: {what}"
            ),
            StudyError::Input(e) => e.fmt(f),
            StudyError::NotKept(why) => why.fmt(f),
        }
    }
}

impl Error for StudyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            StudyError::Broken(defect) => Some(defect),
            StudyError::Input(e) => Some(e),
            StudyError::NotKept(why) => Some(why),
            StudyError::Interrupted => None,
        }
    }
}

impl From<Defect> for StudyError {
    fn from(defect: Defect) -> Self {
        StudyError::Broken(defect)
    }
}

impl From<PartialError> for StudyError {
    fn from(e: PartialError) -> Self {
        StudyError::NotKept(e)
    }
}

impl From<ConfigError> for StudyError {
    fn from(e: ConfigError) -> Self {
        StudyError::Input(e)
    }
}
