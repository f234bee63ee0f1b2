//! Recorded request logs: CSV files with a row for each call, plain or gzipped.

mod input;
mod reader;
mod row;
mod writer;

pub use input::open;
pub use reader::{BadReason, BadRow, TraceOptions, TraceReader, TraceStats};
pub use row::{FIELDS, Row, RowKind, Unit, parse_time};
pub use writer::{TraceWriter, rfc3339};
