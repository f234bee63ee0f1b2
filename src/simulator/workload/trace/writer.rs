//! Writing arrivals as a trace.

use super::row::RowKind;
use crate::units::Timestamp;
use crate::workload::{Arrival, ArrivalKind};
use std::io::Write;

/// Writes arrivals as rows: times as RFC 3339 with nanoseconds, latencies in milliseconds to the
/// nanosecond, so that reading them gives the same arrivals.
pub struct TraceWriter<W: Write> {
    csv: csv::Writer<W>,
    providers: Vec<String>,
}

impl<W: Write> TraceWriter<W> {
    /// Writes the header; `providers` are the names of the workload's.
    pub fn new(out: W, providers: Vec<String>) -> Result<Self, csv::Error> {
        let mut csv = csv::Writer::from_writer(out);
        csv.write_record([
            "timestamp",
            "kind",
            "provider",
            "latency_ms",
            "success",
            "tokens",
        ])?;
        Ok(TraceWriter { csv, providers })
    }

    /// Writes a row.
    pub fn write(&mut self, arrival: &Arrival) -> Result<(), csv::Error> {
        let at = rfc3339(arrival.at);
        let kind = RowKind::of(&arrival.kind).name();
        match arrival.kind {
            ArrivalKind::Record {
                provider,
                latency,
                success,
                tokens,
            } => {
                let nanos = latency.as_nanos();
                let latency = format!("{}.{:06}", nanos / 1_000_000, nanos % 1_000_000);
                let success = if success { "true" } else { "false" };
                let provider = &self.providers[usize::from(provider)];
                let tokens = tokens.to_string();
                self.csv
                    .write_record([&at, kind, provider, &latency, success, &tokens])
            }
            _ => self.csv.write_record([&at, kind, "", "", "", ""]),
        }
    }

    /// Writes what is still in memory.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.csv.flush()
    }
}

/// A time as RFC 3339, UTC, with as many decimals as it needs.
pub fn rfc3339(t: Timestamp) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(t.as_nanos())) {
        Ok(time) => time.to_string(),
        Err(_) => t.as_nanos().to_string(),
    }
}
