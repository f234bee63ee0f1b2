//! Runs a case as it is stated, and gathers the evidence.

use super::evidence::{Came, Evidence, Probe, Rest};
use crate::Defect;
use crate::app::Application;
use crate::app::telemetry::Telemetry;
use crate::cloud::fleet::Routing;
use crate::run::metric::METRICS;
use crate::run::result::RunResult;
use crate::run::{Billed, Cut, Observation, Phases, Point, Run};
use crate::sim::executor::SimHandle;
use crate::sim::random::Streams;
use crate::units::Timestamp;
use crate::workload::{Arrival, ArrivalKind};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What is looked at: the metrics system, or another in its place.
pub trait Subject: Sync {
    /// The evidence of a case.
    ///
    /// # Errors
    /// If it was told to stop.
    fn look(&self, point: &Point, stop: &AtomicBool) -> Result<Evidence, Cut>;
}

/// The metrics system itself.
#[derive(Debug, Clone, Copy)]
pub struct MetricsSystem;

impl Subject for MetricsSystem {
    fn look(&self, point: &Point, stop: &AtomicBool) -> Result<Evidence, Cut> {
        evidence(point, stop, |point, sim, streams| {
            let providers = point.scenario.workload.providers.iter();
            let names = providers.map(|p| p.name.clone()).collect();
            Telemetry::new(point.policy, names, false, sim, streams)
        })
    }
}

/// The evidence of a case with the application that `make` gives.
///
/// # Errors
/// If it was told to stop.
pub fn evidence<A: Application>(
    point: &Point,
    stop: &AtomicBool,
    make: impl Fn(&Point, &SimHandle, &Streams) -> A,
) -> Result<Evidence, Cut> {
    let timeline = Phases::of(point.scenario, point.traffic, point.replication);
    let ordinary = |observation: &Observation| {
        let make = |sim: &SimHandle, streams: &Streams| make(point, sim, streams);
        let mut run = Run::of(point, timeline, observation, make);
        let end = run.arrive_all(stop, |_| ())?;
        Ok::<_, Cut>(run.finish(end, Billed::Month))
    };
    let again = ordinary(&Observation::default())?;
    Ok(Evidence {
        ordinary: ordinary(&all())?,
        again: again.map(|(result, _)| result),
        rest: brought_to_rest(point, timeline.origin, stop, &make)?,
    })
}

/// Everything that can be written down without a clock of its own.
fn all() -> Observation {
    Observation {
        interval: None,
        traces: usize::MAX,
    }
}

/// Rounds of probes at most.
const ROUNDS: usize = 30;
/// Rounds without a record less in memory, after which it is given up.
const STUCK_ROUNDS: usize = 5;
/// Single probes.
const PROBES: u64 = 4;
/// Between the probes of a round: more than the KV asks for between two writes of a key.
const APART: Duration = Duration::from_secs(2);
/// No invocation, lease or operation lasts longer than that without a sign of life.
const SILENCE: Duration = Duration::from_secs(60);
/// What the operations of a write may take in a KV that is well, with the start of an isolate.
const SLOW: Duration = Duration::from_secs(12);

fn brought_to_rest<A: Application>(
    point: &Point,
    start: Timestamp,
    stop: &AtomicBool,
    make: impl Fn(&Point, &SimHandle, &Streams) -> A,
) -> Result<Rest, Cut> {
    let timeline = Phases {
        start,
        queries_from: start,
        origin: start,
    };
    let mut run = Run::of(point, timeline, &all(), |sim, streams| {
        make(point, sim, streams)
    });
    let mut came = Came::default();
    let faults_end = run.arrive_all(stop, |arrival| match arrival.kind {
        ArrivalKind::Record { .. } => came.records += 1,
        // Part of the request that was recorded last; without one, a request of its own.
        ArrivalKind::MetricsWithRecord if came.records > 0 => {}
        _ => came.queries += 1,
    })?;
    run.pass(faults_end);
    run.end_faults();
    let mut probing = Probing {
        run,
        now: faults_end + SILENCE,
        came,
    };
    let longest = longest_wait(point);
    let backlog = probing.rounds(point, longest);
    let probes = match backlog.last() {
        Some(0) => probing.singles(point, longest),
        _ => Vec::new(),
    };
    let Probing { run, now, came } = probing;
    let books = run.finish(now, Billed::Period);
    let tell = |(result, _): &(RunResult, _)| METRICS.iter().map(|m| m.value(result)).collect();
    Ok(Rest {
        came,
        start,
        faults_end,
        backlog,
        probes,
        end: now,
        told: books.as_ref().map(tell).unwrap_or_default(),
        books,
    })
}

/// How long a record that comes alone may be in memory where the KV is well.
fn longest_wait(point: &Point) -> Duration {
    point.policy.batch.age() + point.policy.batch.min_interval + SLOW
}

/// A run whose traffic and faults are over.
struct Probing<'a, A: Application> {
    run: Run<'a, A>,
    now: Timestamp,
    came: Came,
}

impl<A: Application> Probing<'_, A> {
    /// A record comes to a place.
    fn probe(&mut self, place: u16) {
        self.came.records += 1;
        self.run.arrive(&Arrival {
            at: self.now,
            place: Some(place),
            kind: ArrivalKind::Record {
                provider: 0,
                latency: Duration::from_millis(100),
                success: true,
                tokens: 100,
            },
        });
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.run.pass(self.now);
    }

    /// Records to every machine, until nothing is left in memory or there is no progress.
    fn rounds(&mut self, point: &Point, longest: Duration) -> Vec<u64> {
        let fleet = &point.scenario.fleet;
        let machines = fleet.machines();
        let mut backlog: Vec<u64> = Vec::new();
        let stuck = |b: &[u64]| {
            let before = b.len().checked_sub(STUCK_ROUNDS + 1);
            before.is_some_and(|i| b[i..].iter().all(|n| *n >= b[i]))
        };
        while backlog.len() < ROUNDS && backlog.last() != Some(&0) && !stuck(&backlog) {
            for (place, n) in machines.iter().enumerate() {
                // So many that hardly a machine is left out where one is drawn for each.
                let n = match fleet.routing() {
                    Routing::Shard => 3,
                    Routing::Independent => 6 * n,
                };
                for _ in 0..n {
                    self.probe(place as u16);
                    self.pass(APART);
                }
            }
            self.pass(SILENCE + longest);
            backlog.push(self.run.records_in_memory());
        }
        backlog
    }

    /// Records that come alone.
    fn singles(&mut self, point: &Point, longest: Duration) -> Vec<Probe> {
        let places = point.scenario.fleet.place_count() as u64;
        let single = |i: u64| {
            self.probe((i % places) as u16);
            self.pass(longest);
            let left = self.run.records_in_memory();
            self.pass(SILENCE);
            Probe {
                waited: longest,
                left,
            }
        };
        (0..PROBES).map(single).collect()
    }
}

/// What a run is found to be that did not even end: its own words.
pub(super) fn defect_of_panic(payload: &(dyn std::any::Any + Send)) -> Defect {
    let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    Defect::new(text.unwrap_or_else(|| "of unknown kind".into()))
}
