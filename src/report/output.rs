//! Writing results so that nobody ever finds half of them.

use super::error::WriteError;
use serde::Serialize;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder for results. Files are written into a hidden folder beside them first, and put in
/// place by [`OutputDir::commit`]; if that is never reached, earlier results stay as they are.
pub struct OutputDir {
    target: PathBuf,
    staging: TempDir,
}

impl OutputDir {
    /// Prepares `target`, which is made if it does not exist.
    ///
    /// # Errors
    /// If it cannot be made or written.
    pub fn prepare(target: &Path) -> Result<Self, WriteError> {
        let fail = WriteError::of_writing(target.display());
        fs::create_dir_all(target).map_err(&fail)?;
        let staging = tempfile::Builder::new()
            .prefix(".kvplan-")
            .tempdir_in(target)
            .map_err(&fail)?;
        Ok(OutputDir {
            target: target.to_path_buf(),
            staging,
        })
    }

    /// Where to write a file for the time being.
    pub fn staged(&self, name: &str) -> PathBuf {
        self.staging.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), WriteError> {
        let path = self.staged(name);
        fs::File::create(&path)
            .and_then(|mut f| f.write_all(bytes))
            .map_err(WriteError::of_writing(name))
    }

    /// Puts all files in place; returns their paths in order of name.
    pub fn commit(self) -> Result<Vec<PathBuf>, WriteError> {
        let fail = WriteError::of_writing(self.target.display());
        let mut names: Vec<_> = fs::read_dir(self.staging.path())
            .map_err(&fail)?
            .map(|entry| entry.map(|e| e.file_name()))
            .collect::<Result<_, _>>()
            .map_err(&fail)?;
        names.sort();
        let mut paths = Vec::new();
        for name in names {
            let to = self.target.join(&name);
            fs::rename(self.staging.path().join(&name), &to).map_err(&fail)?;
            paths.push(to);
        }
        Ok(paths)
    }
}

/// A value as the file `name` holds it: JSON to be read by people too.
pub(super) fn json(name: &str, value: &impl Serialize) -> Result<Vec<u8>, WriteError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(WriteError::of_encoding(name))?;
    bytes.push(b'\n');
    Ok(bytes)
}
