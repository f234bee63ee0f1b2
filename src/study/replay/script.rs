//! From the calls of a log to arrivals: what it does not say is drawn, and the calls beside its requests
//! come from the scenario's workload where it has none.

use super::ReplaySpec;
use super::feed::{Call, Feed};
use crate::models::ConfigError;
use crate::run::scenario::Scenario;
use crate::sim::random::Streams;
use crate::units::Timestamp;
use crate::workload::trace::{RowKind, TraceReader};
use crate::workload::{Arrival, ArrivalKind, RequestMix, Sides, WorkloadSpec};
use std::time::Duration;

/// What a log does not say.
pub(super) struct Script {
    mix: RequestMix,
    /// Calls beside the recorded requests, where the log has only those.
    sides: Option<Sides>,
}

impl Script {
    pub(super) fn new(
        workload: &WorkloadSpec,
        start: Timestamp,
        with_sides: bool,
        streams: &Streams,
    ) -> Self {
        Script {
            mix: RequestMix::new(workload, streams),
            sides: with_sides.then(|| Sides::new(workload, start, streams)),
        }
    }

    /// A call of the log, with what comes before it and with it.
    pub(super) fn call(&mut self, call: &Call, mut arrive: impl FnMut(&Arrival)) {
        let arrival = |kind| Arrival {
            at: call.at,
            place: call.place,
            kind,
        };
        if let Some(sides) = &mut self.sides {
            while let Some(own) = sides.next_before(Some(call.at)) {
                arrive(&own);
            }
        }
        let kind = match call.kind {
            RowKind::Record => self.mix.complete(call.known),
            RowKind::MetricsRead => ArrivalKind::MetricsRead,
            RowKind::MetricsWithRecord => ArrivalKind::MetricsWithRecord,
            RowKind::AnalyticsQuery => ArrivalKind::AnalyticsQuery,
            RowKind::HealthCheck => ArrivalKind::HealthCheck,
        };
        arrive(&arrival(kind));
        if let Some(sides) = &mut self.sides {
            sides.with_a_record();
            while let Some(kind) = sides.next_attached() {
                arrive(&arrival(kind));
            }
        }
    }

    /// What comes before the end, after the last call.
    pub(super) fn end(&mut self, end: Timestamp, mut arrive: impl FnMut(&Arrival)) {
        if let Some(sides) = &mut self.sides {
            while let Some(own) = sides.next_before(Some(end)) {
                arrive(&own);
            }
        }
    }
}

/// The arrivals of a log as a replay's first replication has them, at the times of the log; the
/// beginning of it, if a length is given.
///
/// # Errors
/// If the log cannot be used.
pub fn arrivals_of(
    reader: TraceReader,
    scenario: &Scenario,
    length: Option<Duration>,
) -> Result<Vec<Arrival>, ConfigError> {
    let with_sides = !reader.has("kind");
    let spec = ReplaySpec::default();
    let mut feed = Feed::new(reader, scenario, &spec);
    feed.look_ahead()?;
    let start = feed.timeline().start;
    let streams = Streams::new(scenario.seed, 0);
    let mut script = Script::new(&scenario.workload, start, with_sides, &streams);
    let mut all = Vec::new();
    let cut = length.map(|l| start + l);
    while let Some(call) = feed.next_calls(1)?.pop() {
        if cut.is_some_and(|cut| call.at >= cut) {
            break;
        }
        script.call(&call, |a| all.push(*a));
    }
    let end = match cut {
        Some(cut) => cut,
        None => feed.end()?,
    };
    script.end(end, |a| all.push(*a));
    Ok(all)
}
