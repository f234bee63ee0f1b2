//! One replication: the real metrics system in the virtual world.
//!
//! `effort` is what it is going to take, `phases` is when it begins and when it counts, `world` what is simulated, `arrive` what it does
//! with an arrival, `sample` what is written down at intervals, `storage` the level that storage
//! comes to, `account` the checks and the bill at the end.
//!
//! ```
//! use kvplan_simulator::models::{parse_overrides, quantity::Count};
//! use kvplan_simulator::run::{Point, scenario::Scenario, simulate};
//!
//! let small = parse_overrides(&["period.requests=500".to_owned()]).unwrap();
//! let scenario = Scenario::load("default", &["optimised".to_owned()], None, &small).unwrap();
//! let point = Point {
//!     scenario: &scenario,
//!     policy: &scenario.policies[0],
//!     traffic: Count(1_000_000),
//!     replication: 0,
//! };
//! let result = simulate(&point).unwrap();
//! assert!(result.arrived.records > 0);
//! assert!(result.invoice.total.to_usd() >= 5.0, "the plan's fee at least");
//! ```

mod account;
mod arrive;
pub mod arrived;
mod cpu;
mod demand;
pub mod dimension;
pub mod effort;
mod extent;
mod history;
pub mod measure;
pub mod metric;
mod phases;
pub mod precision;
pub mod result;
mod sample;
pub mod scenario;
pub mod series;
pub mod spans;
mod storage;
mod triggers;
mod world;

use self::result::RunResult;
use self::scenario::Scenario;
use self::series::Sample;
use crate::Defect;

use crate::app::telemetry::Telemetry;
use crate::app::{Answered, Application};
use crate::cloud::service::Service;
use crate::cloud::spans::Span;
use crate::models::quantity::{Count, Rate};
use crate::sim::executor::{Executor, NEVER, SimHandle};
use crate::sim::random::Streams;
use crate::telemetry::policy::Policy;
use crate::units::Timestamp;
use crate::workload::{Arrival, ArrivalKind, WorkloadSpec, WorkloadStream};
pub use phases::Phases;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
pub(crate) use storage::SteadyStorage;
use triggers::Triggers;
use world::{Ground, World};

/// Measurements of whole time buckets start on a Monday, 2026-11-02 00:00 UTC, whatever the
/// warm-up; others somewhere in the first bucket from then on (see [`Phases::of`]).
pub const ORIGIN: Timestamp = Timestamp::from_secs(1_793_577_600);

/// One point of an experiment: a policy at a traffic level, in one replication.
#[derive(Debug, Clone, Copy)]
pub struct Point<'a> {
    /// What is simulated.
    pub scenario: &'a Scenario,
    /// Its policy.
    pub policy: &'a Policy,
    /// Recorded requests in a month of 30 days.
    pub traffic: Count,
    /// Number of the replication, from 0; it chooses the random streams.
    pub replication: u64,
}

/// Simulates a point.
///
/// # Errors
/// If an invariant does not hold at the end: a record gone astray, an operation not metered
/// once, an invoice that does not add up. That is a defect of kvplan, not of the input.
pub fn simulate(point: &Point) -> Result<RunResult, Defect> {
    observe(point, &Observation::default()).map(|(result, _)| result)
}

/// What to write down of a run beside its result.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// A sample at the end of each interval. Intervals are counted from the start of the
    /// measurement, backwards through the warm-up too; the first and the last are cut short where
    /// they do not fit.
    pub interval: Option<Duration>,
    /// Invocations to trace, from the start of the measurement on.
    pub traces: usize,
}

/// An invocation in its isolate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// When it came.
    pub at: Timestamp,
    /// The number of its isolate.
    pub isolate: u64,
    /// When its isolate could serve.
    pub ready: Timestamp,
    /// Until when its request keeps the isolate busy, its own work apart.
    pub until: Timestamp,
    /// Whether it is a request; else it is a cron trigger.
    pub is_request: bool,
}

/// What was written down.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// What each interval showed, in the order of time.
    pub samples: Vec<Sample>,
    /// Invocations that were traced.
    pub traces: Vec<Span>,
    /// The calls that were answered, as many at most.
    pub calls: Vec<Answered>,
    /// The invocations that requests and cron triggers were given, as many at most.
    pub served: Vec<Served>,
}

/// Simulates a point and observes it; the result is the same as without.
///
/// # Errors
/// As [`simulate`].
pub fn observe(point: &Point, observation: &Observation) -> Result<(RunResult, Observed), Defect> {
    observe_on(point, &Service::Kv, observation)
}

/// Why a run gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cut {
    /// It was told to stop.
    Stopped,
    /// See [`simulate`].
    Broken(Defect),
}

impl From<Defect> for Cut {
    fn from(defect: Defect) -> Self {
        Cut::Broken(defect)
    }
}

/// The same on another store than Workers KV.
///
/// # Errors
/// As [`simulate`].
pub fn observe_on(
    point: &Point,
    service: &Service,
    observation: &Observation,
) -> Result<(RunResult, Observed), Defect> {
    observe_until(point, service, observation, &AtomicBool::new(false)).map_err(|cut| match cut {
        Cut::Broken(defect) => defect,
        Cut::Stopped => unreachable!("nobody can have told it"),
    })
}

/// The same until it is told to stop.
///
/// # Errors
/// As [`simulate`], or if it was told to.
pub fn observe_until(
    point: &Point,
    service: &Service,
    observation: &Observation,
    stop: &AtomicBool,
) -> Result<(RunResult, Observed), Cut> {
    let timeline = Phases::of(point.scenario, point.traffic, point.replication);
    match service {
        Service::AnalyticsEngine(spec) => {
            let run = begin(point, timeline, observation, |ground| {
                ground.points(service, spec.visible_after)
            });
            drive(run, stop)
        }
        _ => {
            let run = begin(point, timeline, observation, |ground| {
                ground.telemetry(service)
            });
            drive(run, stop)
        }
    }
}

/// Does all that a point asks for.
fn drive<A: Application>(mut run: Run<A>, stop: &AtomicBool) -> Result<(RunResult, Observed), Cut> {
    let end = run.arrive_all(stop, |_| ())?;
    Ok(run.finish(end, Billed::Month)?)
}

/// The arrivals of a point, from `start` on.
pub fn arrivals(point: &Point, start: Timestamp) -> WorkloadStream {
    let traffic = Rate::per_month(point.traffic.0 as f64);
    let streams = Streams::new(point.scenario.seed, point.replication);
    WorkloadStream::new(&everywhere(point.scenario), traffic, start, &streams)
}

/// The workload with the shape that it has over all places together.
fn everywhere(scenario: &Scenario) -> WorkloadSpec {
    let shares = scenario.fleet.shares();
    let mut workload = scenario.workload.clone();
    if shares.iter().any(|s| s.1 != 0) {
        workload.shape = workload.shape.map(|s| s.over_zones(&shares));
    }
    workload
}

/// The time whose use goes on the invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Billed {
    /// A month of 30 days at the rate of the measured period.
    Month,
    /// The measured period itself; the plan's fee and allowances remain those of a month.
    Period,
}

/// A run that takes its arrivals one by one, wherever they come from.
pub struct Run<'a, A: Application = Telemetry> {
    point: Point<'a>,
    executor: Executor,
    world: World<A>,
    triggers: Triggers,
    /// When [`Run::begin_phases`] is to be called next: at the epoch, when totals are stored or end, and at the origin;
    /// never again once it measures.
    next_phase: Timestamp,
    traces: usize,
    arrivals: u64,
}

/// A run that nothing has come to, in the world that is made on its ground.
fn begin<'a, A: Application>(
    point: &Point<'a>,
    timeline: Phases,
    observation: &Observation,
    world: impl FnOnce(Ground<'a>) -> World<A>,
) -> Run<'a, A> {
    let executor = Executor::new(timeline.start);
    let world = world(Ground {
        point: *point,
        timeline,
        sim: executor.handle(),
        streams: Streams::new(point.scenario.seed, point.replication),
    });
    Run {
        point: *point,
        triggers: Triggers::new(world.app.crons(), timeline, observation.interval),
        executor,
        next_phase: Timestamp::EPOCH,
        world,
        traces: observation.traces,
        arrivals: 0,
    }
}

impl<'a> Run<'a> {
    /// A run of the metrics system on Workers KV that nothing has come to.
    pub fn new(point: &Point<'a>, timeline: Phases, observation: &Observation) -> Self {
        begin(point, timeline, observation, |ground| {
            ground.telemetry(&Service::Kv)
        })
    }
}

impl<'a, A: Application> Run<'a, A> {
    /// A run of any application on Workers KV that nothing has come to.
    pub fn of(
        point: &Point<'a>,
        timeline: Phases,
        observation: &Observation,
        make: impl FnOnce(&SimHandle, &Streams) -> A,
    ) -> Self {
        begin(point, timeline, observation, |ground| ground.any(make))
    }
}

impl<A: Application> Run<'_, A> {
    /// Lets everything arrive that the point asks for, each told to `seen`; gives the end of its period.
    ///
    /// # Errors
    /// If it was told to stop.
    pub fn arrive_all(
        &mut self,
        stop: &AtomicBool,
        mut seen: impl FnMut(&Arrival),
    ) -> Result<Timestamp, Cut> {
        let (point, timeline) = (self.point, self.world.timeline);
        let end = timeline.origin + point.scenario.horizon(point.traffic);
        let mut arrivals = arrivals(&point, timeline.start);
        while let Some(arrival) = arrivals.next_apart() {
            if arrival.at >= end {
                break;
            }
            if stop.load(Ordering::Relaxed) {
                return Err(Cut::Stopped);
            }
            seen(&arrival);
            self.arrive(&arrival);
            while let Some(part) = arrivals.next_attached() {
                seen(&part);
                self.arrive_with_the_last(&part);
            }
        }
        Ok(end)
    }

    /// Lets time pass until `end`.
    pub fn pass(&mut self, end: Timestamp) {
        self.triggers
            .run_until(end, &self.executor, &mut self.world);
    }

    /// From now on the KV is well, whatever the scenario has.
    pub fn end_faults(&self) {
        if let Some(kv) = self.world.store().values() {
            kv.end_faults();
        }
    }

    /// Records in the memory of the isolates alive.
    pub fn records_in_memory(&self) -> u64 {
        self.world.records_in_memory()
    }

    /// Lets everything happen that is due before `arrival`, then the arrival. They must come in
    /// the order of their times.
    #[inline]
    pub fn arrive(&mut self, arrival: &Arrival) {
        if arrival.at >= self.next_phase {
            self.begin_phases(arrival.at);
        }
        let (executor, world) = (&self.executor, &mut self.world);
        self.triggers.run_until(arrival.at, executor, world);
        self.let_in(arrival);
    }

    /// The same for what comes at the time of the last arrival: all is done that was due before that, and what is due
    /// now is what that has begun.
    #[inline]
    fn arrive_with_the_last(&mut self, arrival: &Arrival) {
        self.executor.run_until(arrival.at);
        self.let_in(arrival);
    }

    #[inline]
    fn let_in(&mut self, arrival: &Arrival) {
        self.arrivals += 1;
        let is_record = matches!(arrival.kind, ArrivalKind::Record { .. });
        if is_record || arrival.at >= self.world.timeline.queries_from {
            self.world.handle(arrival);
        }
    }

    /// Ends what is over by now, and begins what is to have begun: batches instead of totals, the measurement.
    #[cold]
    fn begin_phases(&mut self, now: Timestamp) {
        if let Some(totals) = self.world.totals {
            let (from, until) = (totals.from, totals.until);
            if now < from {
                self.next_phase = from;
                return;
            }
            if self.next_phase <= from {
                self.triggers
                    .run_until(from, &self.executor, &mut self.world);
                self.world.store_totals(from);
            }
            if now < until {
                self.next_phase = until;
                return;
            }
            self.world.totals = None;
        }
        self.next_phase = self.world.timeline.origin;
        if now >= self.next_phase {
            self.start_measuring();
        }
    }

    fn start_measuring(&mut self) {
        let origin = self.world.timeline.origin;
        self.triggers
            .run_until(origin, &self.executor, &mut self.world);
        self.world.start_measuring(self.traces);
        self.next_phase = NEVER;
    }

    /// Ends the run at `end`, after the last arrival.
    ///
    /// # Errors
    /// As [`simulate`].
    pub fn finish(
        mut self,
        end: Timestamp,
        billed: Billed,
    ) -> Result<(RunResult, Observed), Defect> {
        if self.next_phase != NEVER {
            self.begin_phases(self.world.timeline.origin);
        }
        self.triggers
            .run_until(end, &self.executor, &mut self.world);
        if self.triggers.samples() {
            self.world.sample_rest();
        }
        let observed = Observed {
            samples: std::mem::take(&mut self.world.samples),
            traces: self.world.services.tracer.borrow_mut().take_spans(),
            calls: self.world.services.noted.borrow_mut().log.take(),
            served: std::mem::take(&mut self.world.served),
        };
        let period = end.since(self.world.timeline.origin);
        let events = self.arrivals + self.executor.timers_set();
        let mut result = self.world.finish(&self.point, period, billed)?;
        result.events = events;
        Ok((result, observed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::idle::Idle;
    use crate::run::scenario::Scenario;
    use crate::telemetry::ports::OpKind;

    /// A run of an application that does nothing.
    pub(super) fn idle(scenario: &Scenario) -> Run<'_, Idle> {
        let point = point(scenario, 0, 1_000_000);
        let timeline = Phases::of(scenario, point.traffic, point.replication);
        let observation = Observation::default();
        Run::of(&point, timeline, &observation, |_, _| Idle::default())
    }

    fn point<'a>(scenario: &'a Scenario, policy: usize, traffic: u64) -> Point<'a> {
        Point {
            scenario,
            policy: &scenario.policies[policy],
            traffic: Count(traffic),
            replication: 0,
        }
    }

    #[test]
    fn naive_costs_one_write_and_one_read_for_each_request() {
        let mut scenario = Scenario::load("default", &[], None, &[]).unwrap();
        scenario.workload.analytics_queries = Default::default();
        scenario.workload.health_checks = Default::default();
        let r = simulate(&point(&scenario, 0, 1_000_000)).unwrap();
        assert!(r.arrived.records > 45_000);
        assert_eq!(r.kv.issued(OpKind::Read), r.arrived.metrics_reads);
        // A write refused with 429 near the end of an hour is made up for in the next one.
        let writes = r.kv.issued(OpKind::Write) as f64 / r.arrived.records as f64;
        assert!((1.0..1.001).contains(&writes), "{writes}");
    }

    #[test]
    fn the_same_point_gives_the_same_result() {
        let scenario = Scenario::load("default", &[], None, &[]).unwrap();
        let run = || {
            let r = simulate(&point(&scenario, 1, 3_000_000)).unwrap();
            (r.kv, r.counters, r.usage, r.invoice.total)
        };
        assert_eq!(run(), run());
    }
}
