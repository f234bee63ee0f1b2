//! A scenario's arrivals as a log.

use crate::run::{Phases, Point, arrivals};
use crate::workload::ArrivalKind;
use crate::workload::trace::TraceWriter;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How much of a scenario's arrivals is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// The arrivals before the measurement starts too: a replay that starts and ends as the run
    /// does then gives its results to the last digit.
    pub with_warm_up: bool,
    /// Until so long after the start of the measurement; if not given, the scenario's period.
    pub length: Option<Duration>,
    /// Until so many recorded requests are written.
    pub requests: Option<u64>,
}

/// Writes the arrivals of a point as a log; returns the number of rows, or `None` if it was told
/// to stop.
///
/// # Errors
/// If `out` cannot be written to.
pub fn write_trace(
    point: &Point,
    extent: &Extent,
    out: impl Write,
    stop: &AtomicBool,
) -> io::Result<Option<u64>> {
    let Phases {
        start,
        queries_from,
        origin,
    } = Phases::of(point.scenario, point.traffic, point.replication);
    let from = if extent.with_warm_up { start } else { origin };
    let end = match (extent.length, extent.requests) {
        (Some(length), _) => Some(origin + length),
        (None, None) => Some(origin + point.scenario.horizon(point.traffic)),
        (None, Some(_)) => None,
    };
    let providers = point.scenario.workload.providers.iter();
    let mut trace = TraceWriter::new(out, providers.map(|p| p.name.clone()).collect())?;
    let mut arrivals = arrivals(point, start);
    let (mut rows, mut records) = (0_u64, 0_u64);
    while let Some(arrival) = arrivals.next_arrival() {
        let is_record = matches!(arrival.kind, ArrivalKind::Record { .. });
        let enough = is_record && extent.requests.is_some_and(|n| records >= n);
        if enough || end.is_some_and(|end| arrival.at >= end) {
            break;
        }
        if arrival.at < from || (arrival.at < queries_from && !is_record) {
            continue;
        }
        trace.write(&arrival)?;
        rows += 1;
        records += u64::from(is_record);
        if rows.is_multiple_of(4_096) && stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
    }
    trace.finish()?;
    Ok(Some(rows))
}
