//! Writing results so that nobody ever finds half of them.

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
    /// A message that names the folder.
    pub fn prepare(target: &Path) -> Result<Self, String> {
        let fail = |e: std::io::Error| format!("{}: cannot be written ({e})", target.display());
        fs::create_dir_all(target).map_err(fail)?;
        let staging = tempfile::Builder::new()
            .prefix(".kvplan-")
            .tempdir_in(target)
            .map_err(fail)?;
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
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let path = self.staged(name);
        fs::File::create(&path)
            .and_then(|mut f| f.write_all(bytes))
            .map_err(|e| format!("{name}: cannot be written ({e})"))
    }

    /// Puts all files in place; returns their paths in order of name.
    pub fn commit(self) -> Result<Vec<PathBuf>, String> {
        let fail =
            |e: std::io::Error| format!("{}: cannot be written ({e})", self.target.display());
        let mut names: Vec<_> = fs::read_dir(self.staging.path())
            .map_err(fail)?
            .map(|entry| entry.map(|e| e.file_name()))
            .collect::<Result<_, _>>()
            .map_err(fail)?;
        names.sort();
        let mut paths = Vec::new();
        for name in names {
            let to = self.target.join(&name);
            fs::rename(self.staging.path().join(&name), &to).map_err(fail)?;
            paths.push(to);
        }
        Ok(paths)
    }
}
