//! Writing results so that nobody ever finds half of them.
//!
//! Files are written into a hidden folder beside their places, through to the disk; then a list of them
//! with their checksums (`.kvplan-pending`), and only then each is put in its place. Whoever comes upon such a list finds
//! an answer that was complete but not all in place, and finishes that ([`finish_pending`]): a folder holds the
//! files of one command or of the other, never some of both. Hidden folders that nobody holds any more are removed.

use super::draw::drawing::Picture;
use super::draw::look::Look;
use super::error::WriteError;
use crate::disk;
use crate::models::files::{self, FILE_BYTES};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// The list of what is being put in place.
const PENDING: &str = ".kvplan-pending";
/// What hidden folders begin with.
const STAGING: &str = ".kvplan-staging-";
/// The file in one that is locked as long as its command lives.
const HELD: &str = ".held";

/// Nobody tells it to stop.
static NEVER: AtomicBool = AtomicBool::new(false);

/// A folder for results. Files are written into a hidden folder in it first, and put in
/// place by [`OutputDir::commit`]; if that is never reached, earlier results stay as they are.
pub struct OutputDir {
    target: PathBuf,
    staging: TempDir,
    stop: &'static AtomicBool,
    look: Look,
    /// What an earlier run has left and this one does not make anew.
    stale: Vec<String>,
    /// Locked until this is dropped.
    _held: File,
}

/// What is being put in place.
#[derive(Serialize, Deserialize)]
struct Pending {
    /// The hidden folder that it comes from.
    staging: String,
    files: Vec<PendingFile>,
}

#[derive(Serialize, Deserialize)]
struct PendingFile {
    name: String,
    sha256: String,
}

impl OutputDir {
    /// Prepares `target`, which is made if it does not exist; finishes what an interrupted command had to put
    /// in place there, and removes what it left.
    ///
    /// # Errors
    /// If it cannot be made or written.
    pub fn prepare(target: &Path) -> Result<Self, WriteError> {
        let fail = WriteError::of_writing(target.display());
        disk::create_dir_all(target).map_err(&fail)?;
        finish_pending(target)?;
        sweep(target);
        let staging = tempfile::Builder::new()
            .prefix(STAGING)
            .tempdir_in(target)
            .map_err(&fail)?;
        let held = disk::create(&staging.path().join(HELD)).map_err(&fail)?;
        // There are file systems without locks; nobody sweeps there either.
        let _ = held.try_lock();
        Ok(OutputDir {
            target: target.to_path_buf(),
            staging,
            stop: &NEVER,
            look: Look::default(),
            stale: Vec::new(),
            _held: held,
        })
    }

    /// The same, but nothing more is written or put in place once it is told to stop.
    pub fn until(self, stop: &'static AtomicBool) -> Self {
        OutputDir { stop, ..self }
    }

    /// The same, with pictures that look so.
    pub fn looking(self, look: Look) -> Self {
        OutputDir { look, ..self }
    }

    /// Draws a picture into `NAME.svg` and `NAME.png`.
    ///
    /// # Errors
    /// If it cannot be drawn or written, or it was told to stop.
    pub(in crate::report) fn draw(
        &self,
        name: &str,
        picture: &impl Picture,
    ) -> Result<(), WriteError> {
        for extension in ["svg", "png"] {
            picture.draw(self.look, &self.staged(&format!("{name}.{extension}"))?)?;
        }
        Ok(())
    }

    /// Where to write a file for the time being.
    ///
    /// # Errors
    /// If it was told to stop.
    pub fn staged(&self, name: &str) -> Result<PathBuf, WriteError> {
        self.go_on()?;
        Ok(self.staging.path().join(name))
    }

    /// Writes a file.
    ///
    /// # Errors
    /// If the file system refuses it, or it was told to stop.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), WriteError> {
        let path = self.staged(name)?;
        disk::write(&path, bytes).map_err(WriteError::of_writing(name))
    }

    /// What an earlier command has left in the folder under that name; none if that cannot be read.
    pub fn earlier(&self, name: &str) -> Option<Vec<u8>> {
        let text = files::read_text(&self.target.join(name), FILE_BYTES);
        text.ok().map(String::into_bytes)
    }

    /// What was written so far under that name; none if that cannot be read.
    pub(super) fn written(&self, name: &str) -> Option<Vec<u8>> {
        disk::read(&self.staging.path().join(name)).ok()
    }

    /// How pictures look.
    pub(super) fn look(&self) -> Look {
        self.look
    }

    /// Removes these files once all others are in place.
    pub(super) fn drop_stale(&mut self, names: Vec<String>) {
        self.stale = names;
    }

    fn go_on(&self) -> Result<(), WriteError> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(WriteError::Stopped),
            false => Ok(()),
        }
    }

    /// Puts all files in place; returns their paths in order of name.
    ///
    /// # Errors
    /// If the file system refuses it, or it was told to stop. What was not listed yet is then not in place, and
    /// earlier results are as they were.
    pub fn commit(self) -> Result<Vec<PathBuf>, WriteError> {
        self.go_on()?;
        let fail = WriteError::of_writing(self.target.display());
        let names = self.names().map_err(&fail)?;
        let paths = names.iter().map(|name| self.target.join(name)).collect();
        let stale: Vec<PathBuf> = self.stale.iter().map(|n| self.target.join(n)).collect();
        if let [only] = names.as_slice() {
            // One file is put in place at once, or not.
            let staged = self.staging.path().join(only);
            let placed = File::open(&staged)
                .and_then(|file| disk::sync(&file))
                .and_then(|()| disk::rename(&staged, &self.target.join(only)))
                .and_then(|()| sync(&self.target));
            return placed.map(|()| paths).map_err(fail);
        }
        let file = |name: &OsString| {
            let path = self.staging.path().join(name);
            let bytes = disk::read(&path)?;
            disk::sync(&File::open(&path)?)?;
            Ok(PendingFile {
                name: name.to_string_lossy().into_owned(),
                sha256: checksum(&bytes),
            })
        };
        let files = names.iter().map(file).collect::<io::Result<_>>();
        let staging = self.staging.path().file_name().unwrap_or_default();
        let pending = Pending {
            staging: staging.to_string_lossy().into_owned(),
            files: files.map_err(&fail)?,
        };
        // If another command has just listed its own, that comes first.
        finish_pending(&self.target)?;
        // Once it is listed, what is in the hidden folder is part of the results, whatever happens here.
        let staging = self.staging.keep();
        if let Err(e) = list(&self.target, &staging, &pending) {
            if !self.target.join(PENDING).exists() {
                let _ = fs::remove_dir_all(&staging);
            }
            return Err(fail(e));
        }
        finish_pending(&self.target)?;
        // What cannot be removed stays as it was before.
        stale.iter().for_each(|path| drop(fs::remove_file(path)));
        Ok(paths)
    }

    /// Names of the files that were written, in order.
    pub(super) fn names(&self) -> io::Result<Vec<OsString>> {
        let entries = fs::read_dir(self.staging.path())?;
        let names: io::Result<Vec<OsString>> = entries.map(|e| Ok(e?.file_name())).collect();
        let mut names = names?;
        names.retain(|name| name != HELD);
        names.sort();
        Ok(names)
    }
}

fn checksum(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes the names in a folder through to the disk; not every system has that.
fn sync(folder: &Path) -> io::Result<()> {
    match cfg!(unix) {
        true => disk::sync(&File::open(folder)?),
        false => Ok(()),
    }
}

/// Puts the list in its place: from then on, all of it is to be there.
fn list(target: &Path, staging: &Path, pending: &Pending) -> io::Result<()> {
    let beside = staging.with_extension("list");
    let bytes = serde_json::to_vec(pending).map_err(io::Error::other)?;
    let file = disk::create(&beside)?;
    disk::write_all(&file, &bytes)?;
    disk::sync(&file)?;
    sync(staging)?;
    disk::rename(&beside, &target.join(PENDING))?;
    sync(target)
}

/// Finishes what an interrupted command had to put in place; does nothing where there is no such thing.
///
/// # Errors
/// If the file system refuses it, or files of it are missing or damaged: then the folder holds
/// some files of each of two commands.
pub fn finish_pending(target: &Path) -> Result<(), WriteError> {
    let fail = WriteError::of_writing(target.display());
    let list = target.join(PENDING);
    let bytes = match disk::read(&list) {
        Ok(bytes) => bytes,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(());
        }
        Err(e) => return Err(fail(e)),
    };
    let mixed = |what: &str| {
        io::Error::other(format!(
            "its files are of two commands, as one was interrupted, and {what}; remove {PENDING} and run the last command again"
        ))
    };
    let pending: Pending =
        serde_json::from_slice(&bytes).map_err(|_| fail(mixed("its list is damaged")))?;
    let plain = |name: &str| Path::new(name).file_name().is_some_and(|n| n == name);
    if !plain(&pending.staging) || !pending.files.iter().all(|f| plain(&f.name)) {
        return Err(fail(mixed("its list is damaged")));
    }
    let staging = target.join(&pending.staging);
    for file in &pending.files {
        let from = staging.join(&file.name);
        let to = target.join(&file.name);
        match disk::rename(&from, &to) {
            Ok(()) => {}
            // Put in place before the interruption, or by another that finishes it too.
            Err(e) if e.kind() == ErrorKind::NotFound => {
                let there = fs::read(&to).is_ok_and(|bytes| checksum(&bytes) == file.sha256);
                // Another may have put in place what came later.
                if !there && list.exists() {
                    return Err(fail(mixed(&format!("{} is missing", file.name))));
                }
            }
            Err(e) => return Err(fail(e)),
        }
    }
    sync(target).map_err(&fail)?;
    match disk::remove_file(&list) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(fail(e)),
        _ => {
            let _ = fs::remove_dir_all(&staging);
            Ok(())
        }
    }
}

/// A hidden folder may be made and not held yet.
const JUST_MADE: Duration = Duration::from_secs(60);

/// Removes the hidden folders of commands that were killed. What cannot be removed stays.
fn sweep(target: &Path) {
    let Ok(entries) = fs::read_dir(target) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(STAGING) && is_dead(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether nobody holds a hidden folder any more. Where there are no locks, nobody knows.
fn is_dead(staging: &Path) -> bool {
    let made = fs::metadata(staging).and_then(|m| m.modified());
    let age = made.map(|at| at.elapsed().unwrap_or_default());
    age.is_ok_and(|age| age > JUST_MADE)
        && match File::open(staging.join(HELD)) {
            Ok(held) => held.try_lock().is_ok(),
            Err(e) => e.kind() == ErrorKind::NotFound,
        }
}

/// A value as the file `name` holds it: JSON to be read by people too.
pub(super) fn json(name: &str, value: &impl Serialize) -> Result<Vec<u8>, WriteError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(WriteError::of_encoding(name))?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn write(target: &Path, files: &[(&str, &str)]) -> OutputDir {
        let out = OutputDir::prepare(target).unwrap();
        for (name, text) in files {
            out.write(name, text.as_bytes()).unwrap();
        }
        out
    }

    fn content(target: &Path) -> Vec<(String, String)> {
        let mut found: Vec<_> = fs::read_dir(target)
            .unwrap()
            .map(|e| e.unwrap().path())
            .map(|p| {
                let name = p.file_name().unwrap().to_string_lossy().into_owned();
                (name, fs::read_to_string(p).unwrap_or_default())
            })
            .collect();
        found.sort();
        found
    }

    fn owned(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
        files.iter().map(own).collect()
    }

    const OLD: [(&str, &str); 3] = [("a", "old"), ("b", "old"), ("c", "old")];
    const NEW: [(&str, &str); 3] = [("a", "new"), ("b", "new"), ("c", "new")];

    /// Killed after any number of files were put in place: whoever comes next finds all of them.
    #[test]
    fn a_commit_that_was_cut_short_is_finished_by_whoever_comes_next() {
        for in_place in 0..=3 {
            let dir = tempfile::tempdir().unwrap();
            write(dir.path(), &OLD).commit().unwrap();
            let out = write(dir.path(), &NEW);
            // As if killed: nothing is dropped.
            let staging = out.staging.path().to_path_buf();
            let files = NEW.map(|(name, text)| PendingFile {
                name: name.into(),
                sha256: checksum(text.as_bytes()),
            });
            let pending = Pending {
                staging: staging.file_name().unwrap().to_string_lossy().into_owned(),
                files: files.into(),
            };
            list(dir.path(), &staging, &pending).unwrap();
            for (name, _) in &NEW[..in_place] {
                fs::rename(staging.join(name), dir.path().join(name)).unwrap();
            }
            std::mem::forget(out);
            finish_pending(dir.path()).unwrap();
            assert_eq!(content(dir.path()), owned(&NEW), "{in_place}");
        }
    }

    /// Whichever call fails, and with it all that come after: the folder then holds the files of the earlier command
    /// or of the later one for whoever comes next, and what is said names what could not be written.
    #[test]
    fn a_disk_that_fails_at_any_call_leaves_the_files_of_one_command() {
        for files in [&NEW[..], &NEW[..1]] {
            let mut calls = 0;
            loop {
                let dir = tempfile::tempdir().unwrap();
                write(dir.path(), &OLD).commit().unwrap();
                let (written, failed) = disk::failing::at(calls, || {
                    let out = OutputDir::prepare(dir.path())?;
                    for (name, text) in files {
                        out.write(name, text.as_bytes())?;
                    }
                    out.commit()
                });
                let pending = dir.path().join(PENDING).exists();
                match &written {
                    Ok(paths) => assert_eq!(paths.len(), files.len()),
                    Err(e) => {
                        let said = e.to_string();
                        assert!(said.contains(": cannot be written ("), "{said}");
                    }
                }
                finish_pending(dir.path()).unwrap();
                sweep(dir.path());
                let mut found = content(dir.path());
                found.retain(|(name, _)| !name.starts_with('.'));
                let mut new = OLD;
                new[..files.len()].copy_from_slice(files);
                let is_old = found == owned(&OLD);
                let is_new = found == owned(&new);
                assert!(is_old || is_new, "call {calls}: {found:?}");
                assert!(
                    is_new || !pending,
                    "call {calls}: what was listed is not there"
                );
                if !failed {
                    assert!(written.is_ok() && is_new);
                    break;
                }
                calls += 1;
            }
            assert!(calls > 5, "{calls}");
        }
    }

    #[test]
    fn nothing_is_put_in_place_after_a_stop() {
        static STOP: AtomicBool = AtomicBool::new(false);
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &OLD).commit().unwrap();
        let out = OutputDir::prepare(dir.path()).unwrap().until(&STOP);
        out.write("a", b"new").unwrap();
        STOP.store(true, Ordering::Relaxed);
        assert!(matches!(out.staged("b"), Err(WriteError::Stopped)));
        assert!(matches!(out.write("b", b""), Err(WriteError::Stopped)));
        assert!(matches!(out.commit(), Err(WriteError::Stopped)));
        assert_eq!(content(dir.path()), owned(&OLD));
    }

    #[test]
    fn before_the_list_is_there_nothing_has_changed() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &OLD).commit().unwrap();
        let out = write(dir.path(), &NEW);
        finish_pending(dir.path()).unwrap();
        drop(out);
        assert_eq!(content(dir.path()), owned(&OLD));
    }

    #[test]
    fn files_that_are_missing_are_told() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &OLD).commit().unwrap();
        let pending = |name: &str| {
            let text = format!(
                r#"{{"staging":".kvplan-staging-x","files":[{{"name":"{name}","sha256":"00"}}]}}"#
            );
            fs::write(dir.path().join(PENDING), text).unwrap();
            finish_pending(dir.path()).unwrap_err().to_string()
        };
        assert!(pending("a").contains("a is missing"), "{}", pending("a"));
        // Nothing outside of the folder is touched.
        assert!(pending("../a").contains("its list is damaged"));
    }

    #[test]
    fn hidden_folders_of_the_dead_are_removed_and_those_of_the_living_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let living = write(dir.path(), &NEW);
        let dead = dir.path().join(".kvplan-staging-dead");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(HELD), "").unwrap();
        let long_ago = SystemTime::now() - 2 * JUST_MADE;
        for folder in [&dead, living.staging.path()] {
            let folder = File::open(folder).unwrap();
            folder.set_modified(long_ago).unwrap();
        }
        let other = write(dir.path(), &OLD);
        assert!(!dead.exists());
        living.commit().unwrap();
        other.commit().unwrap();
        assert_eq!(content(dir.path()), owned(&OLD));
    }
}
