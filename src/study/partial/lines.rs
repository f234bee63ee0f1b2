//! A file of lines that grows while it is locked: what journals are kept in.

use super::error::PartialError;
use crate::disk;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A power cut loses no more than what was finished in this time.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// The file, locked as long as this lives.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    /// The file, and when it was last written through to the disk.
    file: Mutex<(File, Instant)>,
}

impl Lines {
    /// Opens a file, or begins one; with what is in it.
    ///
    /// # Errors
    /// If it cannot be written, is a link, or another kvplan is writing it.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<u8>), PartialError> {
        let fail = PartialError::of_journal(path, "written");
        if path.is_symlink() {
            return Err(PartialError::journal(
                path,
                "found a link, expected a file of its own; what it points to is left as it is",
            ));
        }
        let options = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        let file = options.map_err(&fail)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                return Err(PartialError::journal(
                    path,
                    "another kvplan is at work on this sweep in this folder",
                ));
            }
            // There are file systems without locks.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let bytes = disk::read_to_end(&file).map_err(&fail)?;
        let lines = Lines {
            path: path.to_path_buf(),
            file: Mutex::new((file, Instant::now())),
        };
        Ok((lines, bytes))
    }

    /// Leaves so many bytes of it; what is added goes behind them.
    pub(super) fn cut(&self, length: u64) -> Result<(), PartialError> {
        let mut guard = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let file = &mut guard.0;
        let done = disk::set_len(file, length).and_then(|()| file.seek(SeekFrom::End(0)));
        done.map(|_| ()).map_err(self.fail())
    }

    /// Adds a line, written through to the disk at once if `sync`.
    pub(super) fn add(&self, line: &str, sync: bool) -> Result<(), PartialError> {
        let mut guard = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, synced) = &mut *guard;
        disk::write_all(file, line.as_bytes()).map_err(self.fail())?;
        if sync || synced.elapsed() >= SYNC_EVERY {
            disk::sync(file).map_err(self.fail())?;
            *synced = Instant::now();
        }
        Ok(())
    }

    /// Removes the file.
    pub(super) fn remove(self) -> Result<(), PartialError> {
        disk::remove_file(&self.path).map_err(PartialError::of_journal(&self.path, "removed"))
    }

    fn fail(&self) -> impl Fn(std::io::Error) -> PartialError {
        PartialError::of_journal(&self.path, "written")
    }
}
