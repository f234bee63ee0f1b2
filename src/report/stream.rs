//! A file that is too long to be held before it is written: in pieces, and gzipped if its name ends in `.gz`.

use super::artefacts::RUN_JSON;
use super::error::WriteError;
use super::output::OutputDir;
use crate::disk;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file to which every write goes through [`disk`].
struct Pieces(File);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        disk::write_all(&self.0, bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Lets `write` fill a file, which is in its place when all of it is written; if `write` gives nothing, what was there
/// stays as it was.
///
/// # Errors
/// If the name is none that can be written, the disk refuses, or `write` fails.
pub fn into_file<T>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<Option<T>>,
) -> Result<Option<T>, WriteError> {
    place(path, write, || Ok(()))
}

/// The same with a record of what made it beside it, as `FILE.run.json`. That of an earlier file goes before that file
/// does, so that none ever stands beside another.
///
/// # Errors
/// As [`into_file`].
pub fn into_file_with_record<T>(
    path: &Path,
    record: &[u8],
    write: impl FnOnce(&mut dyn Write) -> io::Result<Option<T>>,
) -> Result<Option<T>, WriteError> {
    let beside = PathBuf::from(format!("{}.{RUN_JSON}", path.display()));
    let written = place(path, write, || match disk::remove_file(&beside) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    })?;
    if written.is_some() {
        into_file(&beside, |out| out.write_all(record).map(Some))?;
    }
    Ok(written)
}

/// Writes a file, and does something before it is put in its place.
fn place<T>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<Option<T>>,
    before: impl FnOnce() -> io::Result<()>,
) -> Result<Option<T>, WriteError> {
    let fail = WriteError::of_writing(path.display());
    let no_name = || fail(io::Error::other("expected a file's name"));
    let name = path.file_name().and_then(OsStr::to_str);
    let name = name.ok_or_else(no_name)?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let out = OutputDir::prepare(folder.unwrap_or(Path::new(".")))?;
    let staged = disk::create(&out.staged(name)?).map_err(&fail)?;
    let mut file = BufWriter::new(Pieces(staged));
    let written = if path.extension().is_some_and(|e| e == "gz") {
        let mut packed = GzEncoder::new(file, Compression::default());
        let written = write(&mut packed).map_err(&fail)?;
        packed.finish().and_then(|mut o| o.flush()).map_err(&fail)?;
        written
    } else {
        let written = write(&mut file).map_err(&fail)?;
        file.flush().map_err(&fail)?;
        written
    };
    if written.is_some() {
        before().map_err(&fail)?;
        out.commit()?;
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Whichever call fails: the file is the earlier one or the later, whole.
    #[test]
    fn a_disk_that_fails_at_any_call_leaves_a_whole_file() {
        for name in ["log.csv", "log.csv.gz"] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(name);
            let fill = |letter: u8| {
                // Hardly to be packed, so that it is written in pieces.
                let noise = (0..100_000_u32)
                    .map(move |i| (i.wrapping_mul(2_654_435_761) >> 24) as u8 ^ letter);
                let bytes: Vec<u8> = noise.collect();
                move |out: &mut dyn Write| {
                    bytes
                        .chunks(1_000)
                        .try_for_each(|c| out.write_all(c))
                        .map(Some)
                }
            };
            into_file(&path, fill(0)).unwrap();
            let old = fs::read(&path).unwrap();
            into_file(&path, fill(1)).unwrap();
            let new = fs::read(&path).unwrap();
            assert_ne!(old, new);
            let mut calls = 0;
            loop {
                fs::write(&path, &old).unwrap();
                let (written, failed) = disk::failing::at(calls, || into_file(&path, fill(1)));
                crate::report::output::finish_pending(dir.path()).unwrap();
                let found = fs::read(&path).unwrap();
                if let Err(e) = &written {
                    assert!(e.to_string().contains(": cannot be written ("), "{e}");
                }
                assert!(found == old || found == new, "{name}, call {calls}");
                if !failed {
                    assert!(written.is_ok() && found == new);
                    assert!(fs::read_dir(dir.path()).unwrap().count() == 1);
                    break;
                }
                calls += 1;
            }
            assert!(calls > 8, "{name}: {calls}");
        }
    }

    #[test]
    fn what_is_given_up_leaves_the_file_that_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.csv");
        fs::write(&path, "old").unwrap();
        let given_up = into_file(&path, |out| out.write_all(b"new").map(|()| None::<()>));
        assert_eq!(given_up.unwrap(), None);
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    /// Whichever call fails: a record that is there is that of the file beside it.
    #[test]
    fn a_record_never_stands_beside_another_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.csv");
        let fill = |what: &'static str| {
            into_file_with_record(&path, what.as_bytes(), move |out| {
                out.write_all(what.as_bytes()).map(Some)
            })
        };
        let mut calls = 0;
        loop {
            fill("old").unwrap();
            let (written, failed) = disk::failing::at(calls, || fill("new"));
            let file = fs::read_to_string(&path).unwrap();
            if let Ok(record) = fs::read_to_string(dir.path().join("log.csv.run.json")) {
                assert_eq!(record, file, "call {calls}");
            }
            if !failed {
                assert!(written.is_ok() && file == "new");
                assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
                break;
            }
            calls += 1;
        }
        assert!(calls > 8, "{calls}");
        let given_up = into_file_with_record(&path, b"", |_| Ok(None::<()>));
        assert_eq!(given_up.unwrap(), None);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
