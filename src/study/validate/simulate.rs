//! The simulations of what was seen: its arrivals, with its latencies, on the virtual KV.

use super::{Operation, Seen};
use crate::Defect;
use crate::cloud::latency::LatencyProfile;
use crate::models::dist::{Dist, Empirical};
use crate::models::{self, ConfigError};
use crate::run::result::RunResult;
use crate::run::scenario::Scenario;
use crate::run::{Billed, Observation, Phases, Point, Run};
use crate::sim::random::Streams;
use crate::study::fit::latency::Operation as Kind;
use crate::telemetry::ports::OpKind;
use crate::units::Timestamp;
use crate::workload::{Arrival, ArrivalKind};
use rand::RngExt;
use std::time::Duration;

/// One isolate, a KV that all see at once, and the latencies of the run.
pub(super) fn as_seen(scenario: &Scenario, seen: &Seen) -> Result<Scenario, ConfigError> {
    let mut scenario = scenario.clone();
    scenario.fleet = models::load("single", None, &[])?;
    scenario.consistency = None;
    scenario.policies.truncate(1);
    scenario.latency = profile(scenario.latency, &seen.operations);
    Ok(scenario)
}

/// The observed latencies of every kind with their times, those of `base` where none was observed.
fn profile(mut base: LatencyProfile, operations: &[Operation]) -> LatencyProfile {
    for (kind, of) in [
        (OpKind::Read, Kind::Read),
        (OpKind::Write, Kind::Write),
        (OpKind::Delete, Kind::Delete),
        (OpKind::List, Kind::List),
    ] {
        let these = operations
            .iter()
            .filter(|o| o.kind == kind && o.outcome == "ok");
        let (observed_at, values_ms): (Vec<Timestamp>, Vec<f64>) =
            these.map(|o| (o.start, o.took.as_secs_f64() * 1e3)).unzip();
        if !values_ms.is_empty() {
            *of.of(&mut base) = Dist::Empirical(Empirical {
                values_ms,
                csv: None,
                observed_at,
            });
        }
    }
    base.title = "as observed in this run".into();
    base
}

/// The same arrivals on the virtual KV.
pub(super) fn simulated(
    scenario: &Scenario,
    seen: &Seen,
    replication: u64,
) -> Result<RunResult, Defect> {
    let point = Point {
        scenario,
        policy: &scenario.policies[0],
        traffic: scenario.traffic_per_month,
        replication,
    };
    let arrivals = shifted(seen, scenario.seed, replication);
    let first = arrivals.first().map_or(seen.end, |a| a.at);
    let start = first - Duration::from_secs(1);
    let timeline = Phases {
        start,
        queries_from: start,
        origin: start,
    };
    let mut run = Run::new(&point, timeline, &Observation::default());
    for arrival in &arrivals {
        run.arrive(arrival);
    }
    Ok(run.finish(seen.end, Billed::Period)?.0)
}

/// The arrivals, each sooner by as much as a timer was late somewhere in the run. To timers that are exact,
/// as those of a simulation, that is the same as timers that are late.
fn shifted(seen: &Seen, seed: u64, replication: u64) -> Vec<Arrival> {
    let late = &seen.played.late;
    let mut draw = Streams::new(seed, replication).stream("validate.late");
    let (mut shift, mut last) = (Duration::ZERO, Timestamp::EPOCH);
    let arrivals = seen.played.arrivals.iter().map(|arrival| {
        if arrival.kind != ArrivalKind::MetricsWithRecord && !late.is_empty() {
            shift = late[draw.random_range(0..late.len())];
        }
        last = last.max(arrival.at - shift);
        Arrival {
            at: last,
            ..*arrival
        }
    });
    arrivals.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Calls;
    use crate::study::validate::Played;
    use crate::telemetry::counters::Counters;

    #[test]
    fn arrivals_come_sooner_by_the_lateness_and_keep_their_order() {
        let at = |ms| Timestamp::from_secs(1_793_577_600) + Duration::from_millis(ms);
        let arrival = |ms, kind| Arrival {
            at: at(ms),
            place: None,
            kind,
        };
        let arrivals = vec![
            arrival(10, ArrivalKind::MetricsRead),
            arrival(11, ArrivalKind::HealthCheck),
            arrival(11, ArrivalKind::MetricsWithRecord),
        ];
        let seen = Seen {
            played: Played {
                arrivals: arrivals.clone(),
                late: vec![Duration::ZERO, Duration::from_millis(5)],
            },
            end: at(100),
            counters: Counters::default(),
            in_memory: 0,
            found: 0,
            calls: Calls::default(),
            operations: Vec::new(),
        };
        for replication in 0..20 {
            let moved = shifted(&seen, 1, replication);
            assert!(moved.is_sorted_by_key(|a| a.at));
            for (moved, was) in moved.iter().zip(&arrivals) {
                assert!(was.at.since(moved.at) <= Duration::from_millis(5));
                assert!(moved.at <= was.at);
            }
        }
    }
}
