//! What is done to files that hold results: the one way there, so that tests can make any step of it fail.
//!
//! In the manner of SQLite: a test lets the first call fail, then the second, and so on until the command succeeds
//! (`failing::at`); after each failure earlier results must be whole. Outside of tests this is the file system.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

/// Makes a folder and those above it.
///
/// # Errors
/// What the system says; so for all others here.
pub(crate) fn create_dir_all(path: &Path) -> io::Result<()> {
    failing::step()?;
    fs::create_dir_all(path)
}

/// Makes a file, or empties the one that is there.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    failing::step()?;
    File::create(path)
}

/// Writes all bytes; where that fails, some of them may be written.
pub(crate) fn write_all(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    if let Err(e) = failing::step() {
        let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
        file.write_all(half)?;
        return Err(e);
    }
    file.write_all(bytes)
}

/// Makes a file with these bytes.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_all(&create(path)?, bytes)
}

/// The bytes of a file that kvplan itself has written.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    failing::step()?;
    fs::read(path)
}

/// The rest of an open file.
pub(crate) fn read_to_end(mut file: &File) -> io::Result<Vec<u8>> {
    failing::step()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes through to the disk what a file or a folder holds.
pub(crate) fn sync(file: &File) -> io::Result<()> {
    failing::step()?;
    file.sync_all()
}

/// Cuts a file to a length.
pub(crate) fn set_len(file: &File, length: u64) -> io::Result<()> {
    failing::step()?;
    file.set_len(length)
}

/// Gives a file another name, in the place of whatever has that.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    failing::step()?;
    fs::rename(from, to)
}

/// Removes a file.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    failing::step()?;
    fs::remove_file(path)
}

/// Failures on demand, on this thread.
#[cfg(test)]
pub(crate) mod failing {
    use std::cell::Cell;
    use std::io;

    thread_local! {
        static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
    }

    /// What `work` gives when its call number `n`, from 0, and all after it fail as on a full disk; and whether it
    /// came so far.
    pub(crate) fn at<T>(n: u64, work: impl FnOnce() -> T) -> (T, bool) {
        LEFT.set(Some(n));
        let result = work();
        let failed = LEFT.replace(None) == Some(0);
        (result, failed)
    }

    pub(super) fn step() -> io::Result<()> {
        match LEFT.get() {
            None => Ok(()),
            Some(0) => Err(io::Error::from(io::ErrorKind::StorageFull)),
            Some(n) => {
                LEFT.set(Some(n - 1));
                Ok(())
            }
        }
    }
}

#[cfg(not(test))]
mod failing {
    pub(super) fn step() -> std::io::Result<()> {
        Ok(())
    }
}
