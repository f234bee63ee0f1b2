//! Why a command stopped.

use super::{EXIT_DEFECT, EXIT_INTERRUPTED, EXIT_USAGE};
use kvplan::models::ConfigError;
use kvplan::report::error::WriteError;
use kvplan::study::error::StudyError;
use kvplan::study::partial::error::PartialError;

/// Why a command stopped, and with which exit code.
pub(crate) struct Failure {
    pub message: String,
    pub code: u8,
}

impl Failure {
    /// Wrong arguments or input.
    pub(crate) fn usage(message: impl std::fmt::Display) -> Self {
        Failure {
            message: message.to_string(),
            code: EXIT_USAGE,
        }
    }

    /// Something that should not happen whatever the input.
    pub(crate) fn defect(message: impl std::fmt::Display) -> Self {
        Failure {
            message: message.to_string(),
            code: EXIT_DEFECT,
        }
    }
}

impl From<PartialError> for Failure {
    fn from(e: PartialError) -> Self {
        Failure::usage(e)
    }
}

impl From<WriteError> for Failure {
    fn from(e: WriteError) -> Self {
        match e {
            WriteError::Stopped => interrupted(),
            _ => Failure::usage(e),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(e: ConfigError) -> Self {
        Failure::usage(e)
    }
}

/// The failure of a command that was told to stop.
pub(crate) fn interrupted() -> Failure {
    Failure {
        message: "interrupted; earlier output is untouched".into(),
        code: EXIT_INTERRUPTED,
    }
}

impl From<StudyError> for Failure {
    fn from(e: StudyError) -> Self {
        match e {
            StudyError::Interrupted => interrupted(),
            StudyError::Broken(_) => Failure::defect(e),
            _ => Failure::usage(e),
        }
    }
}
