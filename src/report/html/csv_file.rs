//! CSV files of a folder of results.

use super::known::find_known;
use crate::models::ConfigError;
use crate::models::files::{self, reason};
use crate::report::format;
use crate::study::stats::Estimate;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Most rows of a table that a page shows; the rest stays in its file.
pub const SHOWN_ROWS: usize = 200;

/// A CSV file.
#[derive(Debug, Clone, Default)]
pub struct Csv {
    /// Its name in the folder.
    pub file: String,
    /// Names of the columns.
    pub header: Vec<String>,
    /// All rows of a known table, the first [`SHOWN_ROWS`] of raw data and of others.
    pub rows: Vec<Vec<String>>,
    /// Rows of the file, whether or not they are in `rows`.
    pub total_rows: usize,
}

/// A row by the names of its columns.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    header: &'a [String],
    cells: &'a [String],
}

impl<'a> Row<'a> {
    /// The cell; empty if there is no such column.
    pub fn get(&self, name: &str) -> &'a str {
        let at = self.header.iter().position(|h| h == name);
        at.map_or("", |i| self.cells[i].as_str())
    }

    /// The cell as a number; NaN if it is none.
    pub fn number(&self, name: &str) -> f64 {
        self.get(name).parse().unwrap_or(f64::NAN)
    }

    /// `$5.02 ± 0.01`.
    pub fn usd(&self, name: &str) -> String {
        format::usd_estimate(Estimate {
            mean: self.number(name),
            half_width: self.number(&format!("{name}_ci95")),
            n: 0,
        })
    }
}

impl Csv {
    /// Cells of a row by the names of their columns.
    pub fn row<'a>(&'a self, cells: &'a [String]) -> Row<'a> {
        Row {
            header: &self.header,
            cells,
        }
    }

    /// The rows, by the names of their columns.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|cells| self.row(cells))
    }
}

/// Reads a file, of raw data and of unknown tables the first [`SHOWN_ROWS`].
///
/// # Errors
/// The file and line: what was found and what was expected.
pub fn read(path: &Path, name: &str) -> Result<Csv, ConfigError> {
    let is_shown = find_known(name).is_some_and(|k| !k.raw);
    read_rows(path, name, if is_shown { usize::MAX } else { SHOWN_ROWS })
}

/// The same with so many rows, whatever file it is.
///
/// # Errors
/// As [`read`].
pub fn read_rows(path: &Path, name: &str, keep: usize) -> Result<Csv, ConfigError> {
    let at = |line: u64, what: String| at_line(path, line, what);
    let file = files::open(path).map_err(|e| not_read(path, &reason(&e)))?;
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let wrong = |e: csv::Error| {
        let line = e.position().map_or(1, csv::Position::line);
        let what = match e.kind() {
            csv::ErrorKind::Utf8 { .. } => "found bytes that are not UTF-8 text".into(),
            _ => e.to_string(),
        };
        at(line, what)
    };
    let header: Vec<String> = reader
        .headers()
        .map_err(wrong)?
        .iter()
        .map(str::to_owned)
        .collect();
    if header.is_empty() {
        return Err(at(1, "found nothing, expected a header".into()));
    }
    let mut table = Csv {
        file: name.to_owned(),
        ..Csv::default()
    };
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(wrong)? {
        if record.len() != header.len() {
            let line = record.position().map_or(1, csv::Position::line);
            let what = format!("found {} columns, expected {}", record.len(), header.len());
            return Err(at(line, what));
        }
        table.total_rows += 1;
        if table.rows.len() < keep {
            table.rows.push(record.iter().map(str::to_owned).collect());
        }
    }
    table.header = header;
    let is_ours = find_known(name).is_some();
    if is_ours && !ends_a_line(path).map_err(|e| not_read(path, &reason(&e)))? {
        return Err(cut_off(path, "found a last line without its end"));
    }
    Ok(table)
}

/// Whether the last byte of a file ends a line, as kvplan leaves it.
fn ends_a_line(path: &Path) -> io::Result<bool> {
    let mut file = files::open(path)?;
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last[0] == b'\n')
}

/// A file of which the end is missing.
pub(super) fn cut_off(path: &Path, what: &str) -> ConfigError {
    let message = format!("{what}: the file is cut off, and a page of it would mislead");
    ConfigError::new(path.display().to_string(), message)
}

/// A file that cannot be read.
pub(in crate::report) fn not_read(path: &Path, why: &dyn std::fmt::Display) -> ConfigError {
    ConfigError::new(
        path.display().to_string(),
        format!("cannot be read ({why})"),
    )
}

/// What is wrong in a line of a file.
pub(in crate::report) fn at_line(path: &Path, line: u64, message: String) -> ConfigError {
    ConfigError {
        line: Some(line as usize),
        ..ConfigError::new(path.display().to_string(), message)
    }
}
