//! Reading a trace row by row, in the order of time, in bounded memory.

use super::bad::{BadReason, BadRow};
use super::row::{FIELDS, Row, RowKind, Unit, parse_latency, parse_success, parse_time};
use crate::models::ConfigError;
use crate::models::quantity::format_duration;
use crate::units::Timestamp;
use crate::workload::Known;
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{self, AtomicUsize};
use std::time::Duration;

/// How a trace is to be read.
#[derive(Debug, Clone, Default)]
pub struct TraceOptions {
    /// Headers that stand for a field of another name: (field, header).
    pub columns: Vec<(String, String)>,
    /// Unit of the latencies.
    pub unit: Unit,
    /// The providers that there may be; if not given, any.
    pub providers: Option<Vec<String>>,
    /// How many rows may be left out because they cannot be used.
    pub max_bad_rows: u64,
    /// Rows may come later than others by as much as this and are put in their place.
    pub reorder_window: Duration,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceStats {
    /// Rows below the header.
    pub rows: u64,
    /// Rows that came out of order and were put in their place.
    pub mended: u64,
    /// Rows left out, in the order of [`BadReason::ALL`].
    pub bad: [u64; BadReason::ALL.len()],
    /// The first of them.
    pub first_bad: Vec<BadRow>,
}

impl TraceStats {
    /// Rows left out for any reason.
    pub fn bad_rows(&self) -> u64 {
        self.bad.iter().sum()
    }
}

/// How many bad rows are kept for reports.
const SHOWN: usize = 10;

/// A trace as it is read.
pub struct TraceReader {
    label: String,
    csv: csv::Reader<Bounded>,
    /// Bytes that may be read before the next row is at its end.
    room: Arc<AtomicUsize>,
    record: csv::ByteRecord,
    options: TraceOptions,
    /// The position of each of [`FIELDS`].
    positions: [Option<usize>; FIELDS.len()],
    columns: usize,
    providers: Names,
    locations: Names,
    /// Rows that an earlier one may still come before.
    waiting: BinaryHeap<Waiting>,
    numbered: u64,
    newest: Timestamp,
    ended: bool,
    stats: TraceStats,
}

/// The longest row, or header, in bytes; a quote that is never closed makes a row of all that follows.
const ROW_BYTES: usize = 1 << 20;
const BUFFER: usize = 1 << 18;
/// Most rows that wait for earlier ones.
const MOST_WAITING: usize = 1_000_000;
/// The longest name of a provider or location, in bytes.
const NAME_BYTES: usize = 256;

/// A source that ends with an error where a row has no end.
struct Bounded {
    source: Box<dyn Read + Send>,
    room: Arc<AtomicUsize>,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(buffer)?;
        let room = self.room.load(atomic::Ordering::Relaxed);
        if n > room {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "found a row of more than 1 MiB, expected a shorter one: is a quote not closed?",
            ));
        }
        self.room.store(room - n, atomic::Ordering::Relaxed);
        Ok(n)
    }
}

/// Names by number, in the order in which they came.
#[derive(Debug, Default)]
struct Names {
    list: Vec<String>,
    numbers: HashMap<String, u16>,
}

impl Names {
    fn new(names: &[String]) -> Self {
        let mut all = Names::default();
        for name in names {
            all.number(name);
        }
        all
    }

    /// The number of a name, a new one if need be; `None` if there are too many, or it is too long.
    fn number(&mut self, name: &str) -> Option<u16> {
        if let Some(n) = self.numbers.get(name) {
            return Some(*n);
        }
        if name.len() > NAME_BYTES {
            return None;
        }
        let n = u16::try_from(self.list.len()).ok()?;
        self.list.push(name.to_owned());
        self.numbers.insert(name.to_owned(), n);
        Some(n)
    }
}

/// A row that waits; the earliest is the greatest.
struct Waiting {
    row: Row,
    number: u64,
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.row.at, other.number).cmp(&(self.row.at, self.number))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}

impl TraceReader {
    /// Reads the header of `source`, which messages call `label`.
    ///
    /// # Errors
    /// If it cannot be read, or has no column of times, or not the columns that were asked for.
    pub fn new(
        label: &str,
        source: Box<dyn Read + Send>,
        options: TraceOptions,
    ) -> Result<Self, ConfigError> {
        let room = Arc::new(AtomicUsize::new(ROW_BYTES + BUFFER));
        let source = Bounded {
            source,
            room: Arc::clone(&room),
        };
        let mut csv = csv::ReaderBuilder::new()
            .flexible(true)
            .buffer_capacity(BUFFER)
            .from_reader(source);
        let headers = csv
            .byte_headers()
            .map_err(|e| unreadable(label, None, &e))?;
        let headers: Vec<String> = headers
            .iter()
            .map(|h| String::from_utf8_lossy(h))
            .map(|h| h.trim_start_matches('\u{feff}').trim().to_owned())
            .collect();
        let fail = |field: &str, message: String| ConfigError {
            line: Some(1),
            field: Some(field.to_owned()),
            ..ConfigError::new(label, message)
        };
        let found = || match headers.join(", ") {
            none if none.is_empty() => "no columns".to_owned(),
            all => format!("columns {all}"),
        };
        let mut positions = [None; FIELDS.len()];
        for (position, field) in positions.iter_mut().zip(FIELDS) {
            let renamed = options.columns.iter().find(|c| c.0 == field);
            let wanted = renamed.map_or(field, |c| c.1.as_str());
            let mut places = (0..headers.len()).filter(|i| headers[*i] == wanted);
            *position = places.next();
            if places.next().is_some() {
                return Err(fail(
                    field,
                    format!("found two columns called {wanted}, expected one"),
                ));
            }
            if position.is_none() && (renamed.is_some() || field == FIELDS[0]) {
                return Err(fail(
                    field,
                    format!("found {}, expected one called {wanted}", found()),
                ));
            }
        }
        Ok(TraceReader {
            label: label.to_owned(),
            csv,
            room,
            record: csv::ByteRecord::new(),
            providers: Names::new(options.providers.as_deref().unwrap_or_default()),
            options,
            positions,
            columns: headers.len(),
            locations: Names::default(),
            waiting: BinaryHeap::new(),
            numbered: 0,
            newest: Timestamp::EPOCH,
            ended: false,
            stats: TraceStats::default(),
        })
    }

    /// What messages call the trace.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Whether the trace has a column for one of [`FIELDS`].
    pub fn has(&self, field: &str) -> bool {
        let position = FIELDS.iter().position(|f| *f == field);
        position.is_some_and(|i| self.positions[i].is_some())
    }

    /// Those of [`FIELDS`] that the trace has a column for.
    pub fn columns_found(&self) -> Vec<&'static str> {
        FIELDS.into_iter().filter(|f| self.has(f)).collect()
    }

    /// The providers by number: those of the options, and those that have come.
    pub fn providers(&self) -> &[String] {
        &self.providers.list
    }

    /// The locations that have come, by number.
    pub fn locations(&self) -> &[String] {
        &self.locations.list
    }

    /// Rows read that were not given out yet.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// What was read so far.
    pub fn stats(&self) -> &TraceStats {
        &self.stats
    }

    /// The next row in the order of time; `None` at the end.
    ///
    /// # Errors
    /// If the source cannot be read, or if more rows cannot be used than may be left out.
    pub fn next_row(&mut self) -> Result<Option<Row>, ConfigError> {
        loop {
            if let Some(first) = self.waiting.peek() {
                let settled = first.row.at + self.options.reorder_window <= self.newest;
                if settled || self.ended {
                    return Ok(self.waiting.pop().map(|w| w.row));
                }
            } else if self.ended {
                return Ok(None);
            }
            self.read_one()?;
        }
    }

    fn read_one(&mut self) -> Result<(), ConfigError> {
        let line = self.csv.position().line();
        self.room
            .store(ROW_BYTES + BUFFER, atomic::Ordering::Relaxed);
        match self.csv.read_byte_record(&mut self.record) {
            Ok(true) => {}
            Ok(false) => {
                self.ended = true;
                return Ok(());
            }
            Err(e) => return Err(unreadable(&self.label, Some(line), &e)),
        }
        self.stats.rows += 1;
        let line = self.record.position().map_or(line, csv::Position::line);
        let row = match self.parse() {
            Ok(row) => row,
            Err((field, reason, message)) => {
                return self.reject(BadRow {
                    line,
                    field,
                    reason,
                    message,
                });
            }
        };
        let window = self.options.reorder_window;
        if row.at + window < self.newest {
            let message = format!(
                "found a time {} before that of an earlier row, expected rows in the order of time, or within the reorder window of {}",
                format_duration(self.newest.since(row.at)),
                format_duration(window)
            );
            return self.reject(BadRow {
                line,
                field: FIELDS[0],
                reason: BadReason::Order,
                message,
            });
        }
        if self.waiting.len() >= MOST_WAITING {
            return Err(ConfigError {
                line: Some(line as usize),
                ..ConfigError::new(
                    &self.label,
                    format!(
                        "found more than {MOST_WAITING} rows within the reorder window of {}, expected a shorter window",
                        format_duration(window)
                    ),
                )
            });
        }
        self.stats.mended += u64::from(row.at < self.newest);
        self.newest = self.newest.max(row.at);
        self.waiting.push(Waiting {
            row,
            number: self.numbered,
        });
        self.numbered += 1;
        Ok(())
    }

    fn reject(&mut self, bad: BadRow) -> Result<(), ConfigError> {
        self.stats.bad[bad.reason as usize] += 1;
        if self.stats.bad_rows() <= self.options.max_bad_rows {
            if self.stats.first_bad.len() < SHOWN {
                self.stats.first_bad.push(bad);
            }
            return Ok(());
        }
        let allowed = match self.options.max_bad_rows {
            0 => String::new(),
            n => format!(" (more than the {n} rows that may be left out)"),
        };
        Err(ConfigError {
            line: Some(bad.line as usize),
            field: Some(bad.field.to_owned()),
            ..ConfigError::new(&self.label, bad.message + &allowed)
        })
    }

    fn parse(&mut self) -> Result<Row, (&'static str, BadReason, String)> {
        let found = self.record.len();
        if found != self.columns {
            let message = format!("found {found} columns, expected {}", self.columns);
            return Err(("columns", BadReason::Columns, message));
        }
        let (record, positions) = (&self.record, &self.positions);
        let [at, kind, provider, latency, success, tokens, location] =
            [0, 1, 2, 3, 4, 5, 6].map(|i| cell(record, positions, i));
        let (at, kind, provider) = (at?, kind?, provider?);
        let (latency, success, tokens, location) = (latency?, success?, tokens?, location?);
        let bad = |field: usize, reason, text: &str, expected: &str| {
            let message = format!("found \"{text}\", expected {expected}");
            (FIELDS[field], reason, message)
        };
        let text = at.unwrap_or_default();
        let at = parse_time(text).ok_or_else(|| {
            let expected = "a time as RFC 3339 with an offset, such as 2026-11-02T09:30:00.250Z, or a number of seconds, ms, us or ns since 1970";
            bad(0, BadReason::Time, text, expected)
        })?;
        let kind = match kind {
            None => RowKind::Record,
            Some(text) => {
                let named = RowKind::ALL.iter().find(|k| k.1 == text);
                let expected =
                    "record, metrics_read, analytics_query, health_check or metrics_with_record";
                named
                    .map(|k| k.0)
                    .ok_or_else(|| bad(1, BadReason::Kind, text, expected))?
            }
        };
        let latency = match latency {
            None => None,
            Some(text) => Some(parse_latency(text, self.options.unit).ok_or_else(|| {
                let expected = format!("a number of 0 or more {}", self.options.unit.sign());
                bad(3, BadReason::Latency, text, &expected)
            })?),
        };
        let success = match success {
            None => None,
            Some(text) => Some(
                parse_success(text)
                    .ok_or_else(|| bad(4, BadReason::Success, text, "true, false, 1 or 0"))?,
            ),
        };
        let tokens = match tokens {
            None => None,
            Some(text) => Some(text.parse::<u32>().map_err(|_| {
                let expected = "a whole number of 0 or more";
                bad(5, BadReason::Tokens, text, expected)
            })?),
        };
        let too_many = |field: usize, text: &str| {
            let expected = format!(
                "one of the 65536 names before it in column {}, or a name of up to {NAME_BYTES} bytes",
                FIELDS[field]
            );
            bad(field, BadReason::Names, text, &expected)
        };
        let provider = match provider {
            None => None,
            Some(name) => {
                if let Some(allowed) = &self.options.providers
                    && !self.providers.numbers.contains_key(name)
                {
                    let expected = format!(
                        "one of the workload's: {} (kvplan fit workload writes a workload with the log's own)",
                        allowed.join(", ")
                    );
                    return Err(bad(2, BadReason::Provider, name, &expected));
                }
                let number = self.providers.number(name);
                Some(number.ok_or_else(|| too_many(2, name))?)
            }
        };
        let location = match location {
            None => None,
            Some(name) => {
                let number = self.locations.number(name);
                Some(number.ok_or_else(|| too_many(6, name))?)
            }
        };
        let known = Known {
            provider,
            latency,
            success,
            tokens,
        };
        Ok(Row {
            at,
            kind,
            location,
            known,
        })
    }
}

/// The text of a field; `None` if there is no such column or nothing in it.
fn cell<'a>(
    record: &'a csv::ByteRecord,
    positions: &[Option<usize>],
    field: usize,
) -> Result<Option<&'a str>, (&'static str, BadReason, String)> {
    let bytes = positions[field].and_then(|i| record.get(i));
    let text = std::str::from_utf8(bytes.unwrap_or_default()).map_err(|_| {
        let message = "found bytes that are not UTF-8, expected text".to_owned();
        (FIELDS[field], BadReason::Encoding, message)
    })?;
    Ok(Some(text.trim()).filter(|t| !t.is_empty()))
}

fn unreadable(label: &str, line: Option<u64>, e: &csv::Error) -> ConfigError {
    let reason = match e.kind() {
        csv::ErrorKind::Io(io) => io.to_string(),
        _ => e.to_string(),
    };
    ConfigError {
        line: line.map(|l| l as usize),
        ..ConfigError::new(label, format!("cannot be read ({reason})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(text: &str, options: TraceOptions) -> Result<TraceReader, ConfigError> {
        let source = std::io::Cursor::new(text.to_owned().into_bytes());
        TraceReader::new("log.csv", Box::new(source), options)
    }

    fn read(text: &str, options: TraceOptions) -> Result<(Vec<Row>, TraceReader), ConfigError> {
        let mut reader = reader(text, options)?;
        let mut rows = Vec::new();
        while let Some(row) = reader.next_row()? {
            rows.push(row);
        }
        Ok((rows, reader))
    }

    fn refused(text: &str) -> String {
        match read(text, TraceOptions::default()) {
            Ok((rows, _)) => panic!("was read: {rows:?}"),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn a_row_has_what_its_columns_say() {
        let text = "\u{feff}tokens,timestamp,provider,kind,success,latency_ms,location,other\n\
                    500,10,gemini,record,true,150.5,FRA,x\n\
                    ,11,,metrics_read,,,,\n\
                    ,12,gemini,,0,,IAD,\n";
        let (rows, reader) = read(text, TraceOptions::default()).unwrap();
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[0].at, Timestamp::from_secs(10));
        assert_eq!(
            rows[0].known,
            Known {
                provider: Some(0),
                latency: Some(Duration::from_micros(150_500)),
                success: Some(true),
                tokens: Some(500),
            }
        );
        assert_eq!(
            (rows[1].kind, rows[1].known),
            (RowKind::MetricsRead, Known::default())
        );
        assert_eq!(
            (rows[2].kind, rows[2].known.success),
            (RowKind::Record, Some(false))
        );
        assert_eq!((rows[0].location, rows[2].location), (Some(0), Some(1)));
        assert_eq!(reader.providers(), ["gemini"]);
        assert_eq!(reader.locations(), ["FRA", "IAD"]);
        assert!(reader.has("kind") && reader.has("tokens"));
    }

    #[test]
    fn columns_may_have_other_names_and_units() {
        let options = TraceOptions {
            columns: vec![
                ("timestamp".into(), "ts".into()),
                ("latency_ms".into(), "took".into()),
            ],
            unit: Unit::Seconds,
            ..TraceOptions::default()
        };
        let (rows, _) = read("took,ts\n0.25,10\n", options.clone()).unwrap();
        assert_eq!(rows[0].known.latency, Some(Duration::from_millis(250)));
        let e = reader("timestamp,took\n", options).err().unwrap();
        assert_eq!(
            e.to_string(),
            "log.csv:1: field `timestamp`: found columns timestamp, took, expected one called ts"
        );
    }

    #[test]
    fn errors_name_line_field_and_what_was_expected() {
        insta::assert_snapshot!(refused(""), @"log.csv:1: field `timestamp`: found no columns, expected one called timestamp");
        insta::assert_snapshot!(refused("time,x\n"), @"log.csv:1: field `timestamp`: found columns time, x, expected one called timestamp");
        insta::assert_snapshot!(refused("timestamp,timestamp\n"), @"log.csv:1: field `timestamp`: found two columns called timestamp, expected one");
        insta::assert_snapshot!(refused("timestamp\n1\nsoon\n"), @r#"log.csv:3: field `timestamp`: found "soon", expected a time as RFC 3339 with an offset, such as 2026-11-02T09:30:00.250Z, or a number of seconds, ms, us or ns since 1970"#);
        insta::assert_snapshot!(refused("timestamp,kind\n1,write\n"), @r#"log.csv:2: field `kind`: found "write", expected record, metrics_read, analytics_query, health_check or metrics_with_record"#);
        insta::assert_snapshot!(refused("timestamp,latency_ms\n1,-3\n"), @r#"log.csv:2: field `latency_ms`: found "-3", expected a number of 0 or more ms"#);
        insta::assert_snapshot!(refused("timestamp,success\n1,maybe\n"), @r#"log.csv:2: field `success`: found "maybe", expected true, false, 1 or 0"#);
        insta::assert_snapshot!(refused("timestamp,tokens\n1,1.5\n"), @r#"log.csv:2: field `tokens`: found "1.5", expected a whole number of 0 or more"#);
        insta::assert_snapshot!(refused("timestamp,tokens\n1,1\n2\n"), @"log.csv:3: field `columns`: found 1 columns, expected 2");
        insta::assert_snapshot!(refused("timestamp\n10\n9.5\n"), @"log.csv:3: field `timestamp`: found a time 500 ms before that of an earlier row, expected rows in the order of time, or within the reorder window of 0 s");
    }

    #[test]
    fn bad_rows_are_counted_by_reason_and_shown_with_their_lines() {
        let text = "timestamp,provider,latency_ms\n1,a,5\n2,b,5\n3,a,fast\n4,a\n5,a,5\n4,a,5\n";
        let options = TraceOptions {
            providers: Some(vec!["a".into()]),
            max_bad_rows: 4,
            ..TraceOptions::default()
        };
        let (rows, reader) = read(text, options.clone()).unwrap();
        assert_eq!(rows.len(), 2);
        let stats = reader.stats();
        assert_eq!((stats.rows, stats.bad_rows()), (6, 4));
        let reasons: Vec<_> = stats.first_bad.iter().map(|b| (b.line, b.reason)).collect();
        assert_eq!(
            reasons,
            [
                (3, BadReason::Provider),
                (4, BadReason::Latency),
                (5, BadReason::Columns),
                (7, BadReason::Order)
            ]
        );
        let options = TraceOptions {
            max_bad_rows: 3,
            ..options
        };
        let e = read(text, options).err().unwrap().to_string();
        assert!(e.starts_with("log.csv:7: "), "{e}");
        assert!(
            e.ends_with("(more than the 3 rows that may be left out)"),
            "{e}"
        );
    }

    #[test]
    fn small_disorder_is_mended_and_rows_of_one_time_keep_their_order() {
        let text = "timestamp,tokens\n10,1\n12,2\n11,3\n12,4\n10.5,5\n20,6\n18.5,7\n";
        let window = |s| TraceOptions {
            reorder_window: Duration::from_secs(s),
            ..TraceOptions::default()
        };
        let (rows, reader) = read(text, window(2)).unwrap();
        let tokens: Vec<_> = rows.iter().filter_map(|r| r.known.tokens).collect();
        assert_eq!(tokens, [1, 5, 3, 2, 4, 7, 6]);
        assert_eq!(reader.stats().mended, 3);
        // A row that another one already passed is not put in its place.
        let e = read(text, window(1)).err().unwrap().to_string();
        assert!(
            e.contains("log.csv:6: ") && e.contains("1500 ms before"),
            "{e}"
        );
    }
}
