//! Reading files that somebody else has written: no more than they may hold, and no pipe or device that never ends.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Most bytes of a model file: the largest that comes with kvplan has 200 kB.
pub const MODEL_BYTES: u64 = 8 << 20;
/// Most bytes of any other file that is held in memory as a whole.
pub const FILE_BYTES: u64 = 256 << 20;

/// Opens a file; not a folder, pipe or device.
///
/// # Errors
/// If there is no such file, or it cannot be opened.
pub fn open(path: &Path) -> io::Result<File> {
    let kind = fs::metadata(path)?.file_type();
    if !kind.is_file() {
        let found = match kind.is_dir() {
            true => "a folder",
            false => "a pipe or device",
        };
        let message = format!("found {found}, expected a file");
        return Err(io::Error::new(ErrorKind::InvalidInput, message));
    }
    File::open(path)
}

/// The bytes of a file, if they are no more than `most`.
///
/// # Errors
/// As [`open`], or if there are more.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_all(open(path)?, most)
}

/// The bytes of any source, if they are no more than `most`.
///
/// # Errors
/// If it cannot be read, or there are more.
pub fn read_all(source: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(most + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => Err(io::Error::new(ErrorKind::InvalidInput, TooLong(most))),
        false => Ok(bytes),
    }
}

/// The text of a file, if it has no more than `most` bytes.
///
/// # Errors
/// As [`read`], or if it is not UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    text(read(path, most)?)
}

/// Bytes as text.
///
/// # Errors
/// If they are not UTF-8.
pub fn text(bytes: Vec<u8>) -> io::Result<String> {
    let is_utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    String::from_utf8(bytes).map_err(|_| {
        let found = match is_utf16 {
            true => "found UTF-16 text, expected UTF-8",
            false => "found bytes that are not UTF-8 text",
        };
        io::Error::new(ErrorKind::InvalidData, found)
    })
}

/// What an error of these functions says: in words of its own, not in those of the system.
pub fn reason(e: &io::Error) -> String {
    match e.kind() {
        ErrorKind::NotFound => "no such file".into(),
        _ => words(e),
    }
}

/// What the system said, without its number.
pub fn words(e: &io::Error) -> String {
    let said = e.to_string();
    let Some((what, _)) = e.raw_os_error().and_then(|_| said.split_once(" (os error")) else {
        return said;
    };
    let mut letters = what.chars();
    let first = letters.next().map(|c| c.to_lowercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// More bytes than may be.
#[derive(Debug)]
struct TooLong(u64);

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = self.0 >> 20;
        write!(f, "found more than {mib} MiB, expected no more")
    }
}

impl std::error::Error for TooLong {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_or_is_too_long_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let said = |path: &Path, most| read(path, most).unwrap_err().to_string();
        assert_eq!(said(dir.path(), 9), "found a folder, expected a file");
        let file = dir.path().join("a");
        fs::write(&file, vec![b'a'; 1 << 20]).unwrap();
        assert_eq!(read(&file, 1 << 20).unwrap().len(), 1 << 20);
        fs::write(&file, vec![b'a'; (1 << 20) + 1]).unwrap();
        let expected = "found more than 1 MiB, expected no more";
        assert_eq!(said(&file, 1 << 20), expected);
        assert!(read_all(io::repeat(0), 1 << 20).is_err());
        let none = read(&dir.path().join("none"), 9).unwrap_err();
        assert_eq!(reason(&none), "no such file");
        let folder = io::Error::from_raw_os_error(21);
        assert!(!words(&folder).contains("os error"), "{}", words(&folder));
        #[cfg(unix)]
        {
            let device = said(Path::new("/dev/zero"), 9);
            assert_eq!(device, "found a pipe or device, expected a file");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_told() {
        assert!(text(vec![0xff]).unwrap_err().to_string().contains("UTF-8"));
        let utf16 = text(vec![0xff, 0xfe, b'a', 0]).unwrap_err();
        assert!(utf16.to_string().contains("UTF-16"), "{utf16}");
        assert_eq!(text(b"a".to_vec()).unwrap(), "a");
    }
}
