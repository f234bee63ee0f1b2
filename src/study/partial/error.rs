//! Why partial results cannot be kept or used.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why partial results cannot be kept or used: what was found, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartialError {
    /// A journal cannot be written, or is not that of this sweep.
    Journal {
        /// The file.
        path: PathBuf,
        /// What went wrong with it.
        why: String,
    },
    /// A shard, or all of them together, are not what they should be.
    Shard(String),
    /// The variables of the batch system do not say which part is wanted.
    Environment(String),
}

impl PartialError {
    pub(super) fn journal(path: &Path, why: impl Into<String>) -> Self {
        PartialError::Journal {
            path: path.to_path_buf(),
            why: why.into(),
        }
    }

    /// Turns what the file system says of a journal that cannot be `done` (written, say) into an error.
    pub(super) fn of_journal(path: &Path, done: &str) -> impl Fn(io::Error) -> Self {
        move |e| PartialError::journal(path, format!("cannot be {done} ({e})"))
    }

    pub(super) fn shard(why: impl Into<String>) -> Self {
        PartialError::Shard(why.into())
    }

    pub(super) fn environment(why: impl Into<String>) -> Self {
        PartialError::Environment(why.into())
    }
}

impl fmt::Display for PartialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PartialError::Journal { path, why } => write!(f, "{}: {why}", path.display()),
            PartialError::Shard(why) | PartialError::Environment(why) => f.write_str(why),
        }
    }
}

impl Error for PartialError {}
