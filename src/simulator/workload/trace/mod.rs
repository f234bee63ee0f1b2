//! Recorded request logs: CSV files with a row for each call, plain or gzipped.

mod bad;
mod input;
mod reader;
mod row;
mod writer;

pub use bad::{BadReason, BadRow};
pub use input::open;
pub use reader::{TraceOptions, TraceReader, TraceStats};
pub use row::{FIELDS, Row, RowKind, Unit, parse_time};
pub use writer::{TraceWriter, rfc3339};
