//! Where a trace comes from: a file or standard input, plain or gzipped.

use crate::models::ConfigError;
use crate::models::files::reason;
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

const BUFFER: usize = 1 << 18;

/// Opens a trace: a path, or `-` for standard input; what begins like gzip is decompressed.
/// `taken` is told of the bytes as they are read, before decompression. Gives the length of a
/// file, if it has one.
///
/// # Errors
/// If it cannot be opened or its beginning cannot be read.
pub fn open(
    path: &str,
    taken: impl FnMut(u64) + Send + 'static,
) -> Result<(Box<dyn Read + Send>, Option<u64>), ConfigError> {
    let fail = |e: io::Error| ConfigError::new(path, format!("cannot be read ({})", reason(&e)));
    let (source, length): (Box<dyn Read + Send>, _) = if path == "-" {
        (Box::new(io::stdin()), None)
    } else {
        let file = File::open(path).map_err(fail)?;
        let meta = file.metadata().map_err(fail)?;
        if meta.is_dir() {
            return Err(ConfigError::new(path, "is a folder, expected a CSV file"));
        }
        (Box::new(file), meta.is_file().then_some(meta.len()))
    };
    let mut bytes = BufReader::with_capacity(BUFFER, Counted { source, taken });
    let gzipped = bytes.fill_buf().map_err(fail)?.starts_with(&[0x1f, 0x8b]);
    let reader: Box<dyn Read + Send> = if gzipped {
        Box::new(MultiGzDecoder::new(bytes))
    } else {
        Box::new(bytes)
    };
    Ok((reader, length))
}

struct Counted<F> {
    source: Box<dyn Read + Send>,
    taken: F,
}

impl<F: FnMut(u64)> Read for Counted<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(buffer)?;
        (self.taken)(n as u64);
        Ok(n)
    }
}
