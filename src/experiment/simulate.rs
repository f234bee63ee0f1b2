//! One replication: the real metrics system in the virtual world.

use super::result::{Arrived, CallStats, RunResult};
use super::scenario::{MONTH, Scenario};
use super::series::Sample;
use super::trace::{Span, Tracer};
use crate::cloud::fleet::{Fleet, FleetCounters, Isolate, Memory};
use crate::cloud::kv::{Consistency, DailyQuota, KvConfig, KvMeter, KvStore, OpOutcome};
use crate::cloud::object::{DurableObject, R2Bucket};
use crate::config::quantity::{Count, Rate};
use crate::pricing::meter::scale;
use crate::pricing::{MeterItem, Usage};
use crate::sim::executor::{Executor, SimHandle};
use crate::sim::random::Streams;
use crate::telemetry::aggregate::{Aggregate, ProviderNames};
use crate::telemetry::collector::{Collector, Recorded};
use crate::telemetry::counters::Counters;
use crate::telemetry::load::race;
use crate::telemetry::policy::{KeyLayout, Policy, WriteMode};
use crate::telemetry::ports::{Clock, OpKind};
use crate::telemetry::record::ProviderId;
use crate::telemetry::resilience::BreakerState;
use crate::telemetry::tiers::Tiers;
use crate::units::{DAY, Timestamp};
use crate::workload::{Arrival, ArrivalKind, WorkloadSpec, WorkloadStream};
use rand::Rng;
use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

/// Measurements start on a Monday, 2026-11-02 00:00 UTC, whatever the warm-up.
pub const ORIGIN: Timestamp = Timestamp::from_secs(1_793_577_600);

/// One point of an experiment: a policy at a traffic level, in one replication.
#[derive(Debug, Clone, Copy)]
pub struct Point<'a> {
    pub scenario: &'a Scenario,
    pub policy: &'a Policy,
    /// Recorded requests in a month of 30 days.
    pub traffic: Count,
    pub replication: u64,
}

/// Simulates a point.
///
/// # Errors
/// If an invariant does not hold at the end: a record gone astray, an operation not metered
/// once, an invoice that does not add up. That is a defect of kvplan, not of the input.
pub fn simulate(point: &Point) -> Result<RunResult, String> {
    observe(point, &Observation::default()).map(|(result, _)| result)
}

/// What to write down of a run beside its result.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// A sample at the end of each interval, from the start of the warm-up on.
    pub interval: Option<Duration>,
    /// Invocations to trace, from the start of the measurement on.
    pub traces: usize,
}

/// What was written down.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    pub samples: Vec<Sample>,
    pub traces: Vec<Span>,
}

/// Simulates a point and observes it; the result is the same as without.
///
/// # Errors
/// As [`simulate`].
pub fn observe(point: &Point, observation: &Observation) -> Result<(RunResult, Observed), String> {
    let scenario = point.scenario;
    let timeline = Timeline {
        start: ORIGIN - scenario.period.before(),
        queries_from: ORIGIN - scenario.period.warm_up,
        origin: ORIGIN,
    };
    let end = ORIGIN + scenario.horizon(point.traffic);
    let mut arrivals = arrivals(point, timeline.start);
    let mut run = Run::new(point, timeline, observation);
    while let Some(arrival) = arrivals.next_arrival().filter(|a| a.at < end) {
        run.arrive(&arrival);
    }
    run.finish(end, Billed::Month)
}

/// The arrivals of a point, from `start` on.
pub fn arrivals(point: &Point, start: Timestamp) -> WorkloadStream {
    let traffic = Rate::per_month(point.traffic.0 as f64);
    let streams = Streams::new(point.scenario.seed, point.replication);
    WorkloadStream::new(&everywhere(point.scenario), traffic, start, &streams)
}

/// When a run begins, and when it begins to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeline {
    pub start: Timestamp,
    /// Until here only recordings are let through: the keys that queries will find.
    pub queries_from: Timestamp,
    /// The end of the warm-up and the start of the measurement.
    pub origin: Timestamp,
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
pub struct Run<'a> {
    point: Point<'a>,
    executor: Executor,
    world: World,
    triggers: Triggers,
    measuring: bool,
    traces: usize,
}

impl<'a> Run<'a> {
    /// A run that nothing has come to.
    pub fn new(point: &Point<'a>, timeline: Timeline, observation: &Observation) -> Self {
        let streams = Streams::new(point.scenario.seed, point.replication);
        let executor = Executor::new(timeline.start);
        let mut triggers = Triggers::new(point.policy, timeline.start);
        triggers.sample = observation
            .interval
            .map(|every| (every, timeline.queries_from + every));
        Run {
            point: *point,
            world: World::new(point, timeline, executor.handle(), &streams),
            executor,
            triggers,
            measuring: false,
            traces: observation.traces,
        }
    }

    /// Lets everything happen that is due before `arrival`, then the arrival. They must come in
    /// the order of their times.
    #[inline]
    pub fn arrive(&mut self, arrival: &Arrival) {
        let timeline = self.world.timeline;
        if !self.measuring && arrival.at >= timeline.origin {
            self.start_measuring();
        }
        let (executor, world) = (&self.executor, &mut self.world);
        self.triggers.run_until(arrival.at, executor, world);
        if arrival.at >= timeline.queries_from || matches!(arrival.kind, ArrivalKind::Record { .. })
        {
            self.world.handle(arrival);
        }
    }

    fn start_measuring(&mut self) {
        let origin = self.world.timeline.origin;
        self.triggers
            .run_until(origin, &self.executor, &mut self.world);
        self.world.start_measuring(self.traces);
        self.measuring = true;
    }

    /// Ends the run at `end`, after the last arrival.
    ///
    /// # Errors
    /// As [`simulate`].
    pub fn finish(
        mut self,
        end: Timestamp,
        billed: Billed,
    ) -> Result<(RunResult, Observed), String> {
        if !self.measuring {
            self.start_measuring();
        }
        self.triggers
            .run_until(end, &self.executor, &mut self.world);
        let observed = Observed {
            samples: std::mem::take(&mut self.world.samples),
            traces: self.world.tracer.take_spans(),
        };
        let period = end.since(self.world.timeline.origin);
        Ok((self.world.finish(&self.point, period, billed)?, observed))
    }
}

/// The cron triggers of a policy and the samples, and when they are due next.
struct Triggers {
    warm_up: Option<(Duration, Timestamp)>,
    archive: Option<Timestamp>,
    sample: Option<(Duration, Timestamp)>,
}

impl Triggers {
    fn new(policy: &Policy, start: Timestamp) -> Self {
        let archives = policy
            .tiers
            .as_ref()
            .is_some_and(|t| t.archive_after.is_some());
        Triggers {
            warm_up: policy.cron.as_ref().map(|c| (c.every, start + c.every)),
            // Shortly after midnight, when the last batches of the day are written.
            archive: archives.then(|| start.floor_to(DAY) + DAY + Duration::from_secs(300)),
            sample: None,
        }
    }

    #[inline]
    fn next_due(&self) -> Option<Timestamp> {
        let warm_up = self.warm_up.map(|w| w.1);
        let sample = self.sample.map(|s| s.1);
        [warm_up, self.archive, sample].into_iter().flatten().min()
    }

    /// Runs everything up to `end`, the triggers among it.
    #[inline]
    fn run_until(&mut self, end: Timestamp, executor: &Executor, world: &mut World) {
        while let Some(due) = self.next_due().filter(|due| *due <= end) {
            executor.run_until(due);
            if let Some((every, at)) = &mut self.warm_up
                && *at == due
            {
                *at = *at + *every;
                world.scheduled();
            }
            if let Some(at) = &mut self.archive
                && *at == due
            {
                *at = *at + DAY;
                world.archive();
            }
            if let Some((every, at)) = &mut self.sample
                && *at == due
            {
                *at = *at + *every;
                world.sample();
            }
        }
        executor.run_until(end);
    }
}

/// The simulated system with what is measured of it.
struct World {
    timeline: Timeline,
    sim: SimHandle,
    store: Rc<KvStore>,
    tiers: Rc<Tiers<DurableObject, R2Bucket>>,
    tiers_before: Usage,
    fleet: Fleet<Collector<SimHandle>>,
    /// What the isolates that have ended leave behind.
    retired: Rc<RefCell<Retired>>,
    /// When the last request came, and which isolate serves it; none if it was refused.
    last_record: (Timestamp, Option<Rc<Server>>),
    /// How long `waitUntil` carries work on; none is without end.
    wait_until: Option<Duration>,
    memory: Memory,
    memory_peak: u64,
    /// Worker requests allowed in a UTC day; the day, and those used of it.
    worker_quota: Option<u64>,
    worker_day: (u64, u64),
    /// The collector's numbers of the workload's providers.
    providers: Vec<ProviderId>,
    write: WriteMode,
    metrics_window: Duration,
    analytics_window: Duration,
    arrived: Arrived,
    /// Time that requests spend at their providers, summed.
    busy_ms: f64,
    calls: Rc<RefCell<Calls>>,
    /// State of the counters when the measurement started.
    counters_before: Counters,
    kv_before: KvMeter,
    fleet_before: FleetCounters,
    /// Calls measured before the last sample, and the state of the counters then.
    calls_before: Calls,
    last_sample: LastSample,
    samples: Vec<Sample>,
    tracer: Tracer,
}

/// The counters at the last sample.
#[derive(Default)]
struct LastSample {
    at: Timestamp,
    counters: Counters,
    kv: KvMeter,
    fleet: FleetCounters,
    records: u64,
    busy_ms: f64,
}

type Server = Isolate<Collector<SimHandle>>;

/// The counts of isolates that have ended, and the first invariant that one of them broke.
#[derive(Default)]
struct Retired {
    counters: Counters,
    broken: Option<String>,
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

/// Latencies by kind of call.
#[derive(Default)]
struct Calls {
    record: CallStats,
    metrics: CallStats,
    analytics: CallStats,
    health: CallStats,
    cold_start: CallStats,
    answer_age: CallStats,
}

impl Calls {
    fn all(&mut self) -> [&mut CallStats; 6] {
        [
            &mut self.record,
            &mut self.metrics,
            &mut self.analytics,
            &mut self.health,
            &mut self.cold_start,
            &mut self.answer_age,
        ]
    }

    fn merge(&mut self, mut other: Calls) {
        for (mine, theirs) in self.all().into_iter().zip(other.all()) {
            mine.merge(theirs);
        }
    }
}

impl World {
    fn new(point: &Point, timeline: Timeline, sim: SimHandle, streams: &Streams) -> Self {
        let scenario = point.scenario;
        let limit = |kind| scenario.plan().daily_limit(MeterItem::of_operation(kind));
        let config = KvConfig {
            limits: scenario.limits.clone(),
            latency: scenario.latency.samplers(),
            failures: scenario.failures.clone(),
            origin: timeline.origin,
            quota: DailyQuota(OpKind::ALL.map(limit)),
            consistency: scenario.consistency.clone().map(|spec| Consistency {
                spec,
                places: scenario.fleet.place_count(),
                hot: scenario.latency.hot_read.sampler(),
                cold: scenario.latency.cold_read.sampler(),
            }),
        };
        let policy = Rc::new(point.policy.clone());
        let names: Vec<String> = scenario
            .workload
            .providers
            .iter()
            .map(|p| p.name.clone())
            .collect();
        let retired = Rc::<RefCell<Retired>>::default();
        let (clock, jitter) = (sim.clone(), *streams);
        let make = {
            let (policy, names) = (Rc::clone(&policy), names.clone());
            move |_place: usize, number: u64| {
                let seed = jitter.stream(&format!("retry.jitter.{number}")).next_u64();
                let writer = format!("w{number}");
                let collector = Collector::new(Rc::clone(&policy), clock.clone(), writer, seed);
                // Every isolate numbers the providers in the same order.
                for name in &names {
                    collector.provider(name);
                }
                collector
            }
        };
        let bury = {
            let retired = Rc::clone(&retired);
            move |isolate: &Server| {
                isolate.memory.evict();
                let r = &mut *retired.borrow_mut();
                r.counters.merge(&isolate.memory.counters());
                if let Err(e) = isolate.memory.check_conservation() {
                    r.broken.get_or_insert(e);
                }
            }
        };
        let shape = scenario.workload.shape.as_ref();
        let fleet = Fleet::new(&scenario.fleet, shape, sim.clone(), streams, make, bury);
        let mut interned = ProviderNames::default();
        let providers = names.iter().map(|n| interned.intern(n)).collect();
        World {
            tiers: Rc::new(Tiers {
                shared: DurableObject::new(
                    sim.clone(),
                    scenario.latency.object.sampler(),
                    streams.stream("object.latency"),
                ),
                archive: R2Bucket::new(
                    sim.clone(),
                    scenario.latency.archive.sampler(),
                    streams.stream("archive.latency"),
                ),
            }),
            tiers_before: Usage::default(),
            store: KvStore::new(config, sim.clone(), streams),
            providers,
            fleet,
            retired,
            last_record: (Timestamp::EPOCH, None),
            wait_until: scenario.fleet.life.as_ref().map(|l| l.wait_until),
            memory: scenario.fleet.memory.clone(),
            memory_peak: 0,
            worker_quota: scenario.plan().daily_limit(MeterItem::WorkersRequests),
            worker_day: (0, 0),
            write: policy.batch.write,
            metrics_window: policy.queries.metrics_window,
            analytics_window: policy.queries.analytics_window,
            arrived: Arrived::default(),
            calls: Rc::default(),
            counters_before: Counters::default(),
            kv_before: KvMeter::default(),
            fleet_before: FleetCounters::default(),
            calls_before: Calls::default(),
            last_sample: LastSample {
                at: timeline.queries_from,
                ..LastSample::default()
            },
            timeline,
            samples: Vec::new(),
            tracer: Tracer::default(),
            busy_ms: 0.0,
            sim,
        }
    }

    /// Forgets what was measured during the warm-up.
    fn start_measuring(&mut self, traces: usize) {
        self.tracer = Tracer::new(traces);
        self.last_sample.records -= self.arrived.records.min(self.last_sample.records);
        self.arrived = Arrived::default();
        *self.calls.borrow_mut() = Calls::default();
        self.calls_before = Calls::default();
        self.counters_before = self.counters();
        self.kv_before = self.store.meter();
        self.fleet_before = self.fleet.counters();
        self.tiers_before = self.tiers_usage();
        self.memory_peak = 0;
    }

    fn counters(&self) -> Counters {
        let mut all = self.retired.borrow().counters.clone();
        for isolate in self.fleet.isolates() {
            all.merge(&isolate.memory.counters());
        }
        all
    }

    /// The isolate that serves an arrival and how long it takes to start; `None` if the plan's
    /// requests of the day are used up. A metrics read that comes with a request is part of the
    /// same invocation.
    #[inline]
    fn serve(&mut self, arrival: &Arrival) -> Option<(Rc<Server>, Duration)> {
        if arrival.kind == ArrivalKind::MetricsRead && arrival.at == self.last_record.0 {
            return Some((self.last_record.1.clone()?, Duration::ZERO));
        }
        let admitted = self.worker_quota.is_none_or(|limit| {
            let today = arrival.at.utc_day();
            if self.worker_day.0 != today {
                self.worker_day = (today, 0);
            }
            self.worker_day.1 += 1;
            self.worker_day.1 <= limit
        });
        let busy = match arrival.kind {
            ArrivalKind::Record { latency, .. } => latency,
            _ => Duration::ZERO,
        };
        let served = admitted.then(|| self.fleet.serve(arrival.place, busy));
        if matches!(arrival.kind, ArrivalKind::Record { .. }) {
            let isolate = served.as_ref().map(|(isolate, _)| Rc::clone(isolate));
            self.last_record = (arrival.at, isolate);
        }
        match &served {
            None => self.arrived.refused += 1,
            Some((_, wait)) if !wait.is_zero() => {
                self.calls.borrow_mut().cold_start.add(*wait, true);
            }
            Some(_) => {}
        }
        served
    }

    #[inline]
    fn handle(&mut self, arrival: &Arrival) {
        let Some((isolate, wait)) = self.serve(arrival) else {
            return;
        };
        match arrival.kind {
            ArrivalKind::Record {
                provider,
                latency,
                success,
                tokens,
            } => {
                self.arrived.records += 1;
                self.busy_ms += latency.as_secs_f64() * 1e3;
                let provider = self.providers[provider as usize];
                let recorded = isolate.memory.record(provider, latency, success, tokens);
                self.after_recording(&isolate, recorded);
            }
            ArrivalKind::MetricsRead => {
                self.arrived.metrics_reads += 1;
                self.query(&isolate, wait, self.metrics_window, "metrics read", |c| {
                    &mut c.metrics
                });
            }
            ArrivalKind::AnalyticsQuery => {
                self.arrived.analytics_queries += 1;
                self.query(
                    &isolate,
                    wait,
                    self.analytics_window,
                    "analytics query",
                    |c| &mut c.analytics,
                );
            }
            ArrivalKind::HealthCheck => {
                self.arrived.health_checks += 1;
                self.query(&isolate, wait, self.metrics_window, "health report", |c| {
                    &mut c.health
                });
            }
        }
    }

    /// The cron trigger for the caches: it runs in one isolate, somewhere.
    fn scheduled(&mut self) {
        self.arrived.cron += 1;
        let (isolate, _) = self.fleet.serve(None, Duration::ZERO);
        let (server, kv) = (Rc::clone(&isolate), self.store.invocation_at(isolate.place));
        self.run_in(&isolate, false, async move {
            server.memory.scheduled(&kv).await
        });
    }

    /// The cron trigger for the archive.
    fn archive(&mut self) {
        self.arrived.cron += 1;
        let (isolate, _) = self.fleet.serve(None, Duration::ZERO);
        let (server, kv) = (Rc::clone(&isolate), self.store.invocation_at(isolate.place));
        let tiers = Rc::clone(&self.tiers);
        self.run_in(&isolate, false, async move {
            // A day that could not be archived is missing from later answers; its keys expire.
            let _ = server.memory.archive_day(&kv, &tiers.archive).await;
        });
    }

    /// Durable Object and R2 operations so far.
    fn tiers_usage(&self) -> Usage {
        let mut usage = self.tiers.shared.usage();
        usage.merge(&self.tiers.archive.usage());
        usage
    }

    /// Starts work in an isolate: dropped when that ends, and, if it goes on after the response,
    /// when the time of `waitUntil` is over.
    fn run_in(
        &mut self,
        isolate: &Rc<Server>,
        after_response: bool,
        work: impl Future<Output = ()> + 'static,
    ) {
        let Some(limit) = self.wait_until else {
            self.sim.spawn(work);
            return;
        };
        let task = if after_response {
            let deadline = self.sim.sleep_until(self.sim.now() + limit);
            self.sim.spawn(async move {
                race(work, deadline).await;
            })
        } else {
            let busy = isolate.enter(&self.sim);
            self.sim.spawn(async move {
                work.await;
                drop(busy);
            })
        };
        isolate.adopt(task, &self.sim);
        let held = isolate.memory.memory_bytes() as u64;
        let under_way = u64::from(isolate.concurrency(self.sim.now()));
        let memory = self.memory.base.0 + held + under_way * self.memory.per_request.0;
        self.memory_peak = self.memory_peak.max(memory);
        if memory > self.memory.limit.0 {
            self.fleet.end_for_memory(isolate);
        }
    }

    /// Does what the collector asks for after a record.
    #[inline]
    fn after_recording(&mut self, isolate: &Rc<Server>, recorded: Recorded) {
        let waits = recorded == Recorded::Full && self.write == WriteMode::Await;
        if !waits && !matches!(recorded, Recorded::MustWait(_)) {
            let ok = !matches!(recorded, Recorded::Lost(_));
            self.calls.borrow_mut().record.add(Duration::ZERO, ok);
        }
        match recorded {
            Recorded::Buffered | Recorded::Lost(_) => {}
            Recorded::StartedBatch(batch) => {
                let server = Rc::clone(isolate);
                let kv = self
                    .tracer
                    .trace("flush when due", &self.store, isolate.place);
                self.run_in(isolate, true, async move {
                    // A failed write is counted by the collector, which keeps the records.
                    let _ = server.memory.flush_when_due(&kv, batch).await;
                });
            }
            Recorded::MustWait(record) => {
                let server = Rc::clone(isolate);
                let kv = self
                    .tracer
                    .trace("record when room", &self.store, isolate.place);
                let (sim, calls, write) = (self.sim.clone(), Rc::clone(&self.calls), self.write);
                self.run_in(isolate, false, async move {
                    let start = sim.now();
                    let taken = server.memory.record_when_room(record).await;
                    let mut ok = !matches!(taken, Recorded::Lost(_));
                    if taken == Recorded::Full && write == WriteMode::Await {
                        ok = server.memory.flush_batch(&kv).await.is_ok();
                    }
                    let latency = sim.now().since(start);
                    calls.borrow_mut().record.add(latency, ok);
                    let _ = match taken {
                        Recorded::StartedBatch(b) => server.memory.flush_when_due(&kv, b).await,
                        Recorded::Full if write != WriteMode::Await => {
                            server.memory.flush_batch(&kv).await
                        }
                        _ => Ok(()),
                    };
                });
            }
            Recorded::Full => {
                let server = Rc::clone(isolate);
                let kv = self
                    .tracer
                    .trace("flush full batch", &self.store, isolate.place);
                let (sim, calls) = (self.sim.clone(), Rc::clone(&self.calls));
                self.run_in(isolate, !waits, async move {
                    let start = sim.now();
                    let written = server.memory.flush_batch(&kv).await;
                    if waits {
                        let latency = sim.now().since(start);
                        calls.borrow_mut().record.add(latency, written.is_ok());
                    }
                });
            }
        }
    }

    /// A query over a window: from the cache at once, or from the KV in a task; in an isolate
    /// that starts for it, after that start.
    #[inline]
    fn query(
        &mut self,
        isolate: &Rc<Server>,
        wait: Duration,
        window: Duration,
        name: &'static str,
        stats: fn(&mut Calls) -> &mut CallStats,
    ) {
        if let Some(cached) = isolate.memory.cached_metrics(window) {
            self.tracer.note_cached(name, self.sim.now());
            let calls = &mut *self.calls.borrow_mut();
            stats(calls).add(wait, true);
            calls
                .answer_age
                .add(self.sim.now().since(cached.as_of), true);
            return;
        }
        let tiers = Rc::clone(&self.tiers);
        let server = Rc::clone(isolate);
        let kv = self.tracer.trace(name, &self.store, isolate.place);
        let (sim, calls) = (self.sim.clone(), Rc::clone(&self.calls));
        self.run_in(isolate, false, async move {
            let start = sim.now();
            if !wait.is_zero() {
                sim.sleep(wait).await;
            }
            let answer = server.memory.fetch_tiered(&kv, &tiers, window).await;
            let now = sim.now();
            {
                let calls = &mut *calls.borrow_mut();
                stats(calls).add(now.since(start), answer.is_ok());
                if let Ok(metrics) = answer {
                    calls.answer_age.add(now.since(metrics.as_of), true);
                }
            }
            server.memory.keep_fresh(&kv, window).await;
        });
    }

    /// Writes down what the interval since the last sample showed.
    fn sample(&mut self) {
        let now = self.sim.now();
        let counters = self.counters();
        let kv = self.store.meter();
        let fleet = self.fleet.counters();
        let last = std::mem::take(&mut self.last_sample);
        let span_s = now.since(last.at).as_secs_f64();
        let c = counters.since(&last.counters);
        let ops = kv.since(&last.kv);
        let rate = |n: u64| n as f64 / span_s;
        let ended = |o: OpOutcome| OpKind::ALL.iter().map(|k| ops.count(*k, o)).sum::<u64>();
        let mut calls = std::mem::take(&mut *self.calls.borrow_mut());
        let kinds = || {
            [
                &calls.record,
                &calls.metrics,
                &calls.analytics,
                &calls.health,
            ]
        };
        let count: u64 = kinds().iter().map(|k| k.count()).sum();
        let errors: u64 = kinds().iter().map(|k| k.errors).sum();
        let waited_ms: f64 = kinds().iter().map(|k| k.sum_ms()).sum();
        let open = self.fleet.isolates();
        let open = open.filter(|i| i.memory.breaker_state() != BreakerState::Closed);
        let lookups = (c.cache.hits + c.cache.misses) as f64;
        let values = [
            rate(self.arrived.records - last.records),
            rate(count - errors),
            rate(c.stored),
            // Little's law: what was spent in the interval, over its length.
            (self.busy_ms - last.busy_ms + waited_ms) / 1e3 / span_s,
            self.records_in_memory() as f64,
            c.cache.hits as f64 / lookups,
            calls.record.quantile_ms(0.95),
            calls.metrics.quantile_ms(0.5),
            calls.metrics.quantile_ms(0.95),
            calls.metrics.quantile_ms(0.99),
            calls.analytics.quantile_ms(0.5),
            calls.analytics.quantile_ms(0.95),
            calls.analytics.quantile_ms(0.99),
            calls.health.quantile_ms(0.95),
            rate(ops.issued(OpKind::Read)),
            rate(ops.issued(OpKind::Write)),
            rate(ops.issued(OpKind::Delete)),
            rate(ops.issued(OpKind::List)),
            errors as f64 / count as f64,
            rate(ended(OpOutcome::Unavailable)),
            rate(ended(OpOutcome::Timeout) + ended(OpOutcome::AnswerLost)),
            rate(ended(OpOutcome::RateLimited)),
            rate(ended(OpOutcome::QuotaExceeded)),
            rate(c.retries),
            rate(c.lost_total()),
            open.count() as f64,
            rate(c.breaker_changes),
            rate(fleet.since(&last.fleet).started),
            self.fleet.isolates().count() as f64,
            self.memory_peak() as f64 / 1e6,
        ];
        let end_s = now.as_secs_f64() - self.timeline.origin.as_secs_f64();
        self.samples.push(Sample { end_s, values });
        self.calls_before.merge(std::mem::take(&mut calls));
        self.last_sample = LastSample {
            at: now,
            counters,
            kv,
            fleet,
            records: self.arrived.records,
            busy_ms: self.busy_ms,
        };
    }

    fn finish(
        mut self,
        point: &Point,
        period: Duration,
        billed: Billed,
    ) -> Result<RunResult, String> {
        if let Some(broken) = self.retired.borrow_mut().broken.take() {
            return Err(broken);
        }
        for isolate in self.fleet.isolates() {
            isolate.memory.check_conservation()?;
        }
        let missing_share = self.audit(point, period)?;
        let meter = self.store.meter();
        meter.check()?;
        let kv = meter.since(&self.kv_before);
        let usage = self.usage(point, &kv, period, billed);
        let scenario = point.scenario;
        let invoice = scenario.plan().invoice(&usage);
        invoice.check()?;
        let busiest_day = self.store.busiest_day();
        let quota_use = OpKind::ALL.map(|kind| {
            let item = MeterItem::of_operation(kind);
            let plan = scenario.plan();
            let (used, allowed) = match plan.daily_limit(item) {
                Some(daily) => (busiest_day[kind as usize] as f64, daily),
                None => (
                    usage.get(item) as f64,
                    plan.monthly_allowance(item).unwrap_or(0),
                ),
            };
            if allowed == 0 {
                f64::NAN
            } else {
                used / allowed as f64
            }
        });
        let mut calls = std::mem::take(&mut *self.calls.borrow_mut());
        calls.merge(std::mem::take(&mut self.calls_before));
        Ok(RunResult {
            period,
            arrived: self.arrived,
            record: calls.record,
            metrics: calls.metrics,
            analytics: calls.analytics,
            health: calls.health,
            counters: self.counters().since(&self.counters_before),
            cold_start: calls.cold_start,
            answer_age: calls.answer_age,
            fleet: self.fleet.counters().since(&self.fleet_before),
            missing_share,
            isolates: self.fleet.isolates().count() as u64,
            memory_peak_bytes: self.memory_peak(),
            read_ages: self.store.read_ages(),
            records_in_memory: self.records_in_memory(),
            kv,
            busiest_day,
            quota_use,
            usage,
            invoice,
        })
    }

    fn records_in_memory(&self) -> u64 {
        let isolates = self.fleet.isolates();
        isolates.map(|i| i.memory.records_in_memory()).sum()
    }

    /// The estimated memory of the largest isolate.
    fn memory_peak(&self) -> u64 {
        let now = self
            .fleet
            .isolates()
            .map(|i| self.memory.base.0 + i.memory.memory_bytes() as u64);
        now.max().unwrap_or(0).max(self.memory_peak)
    }

    /// An independent count: the records found in the KV are those the collectors know to be
    /// stored, and perhaps some whose writes succeeded without an answer.
    ///
    /// Where writers share keys, updates get lost: then the difference is measured, as the share
    /// of the records thought to be stored that are not there; none if keys have expired.
    fn audit(&self, point: &Point, period: Duration) -> Result<Option<f64>, String> {
        let prefix = match point.policy.layout.keys {
            KeyLayout::Rollup => "r/",
            KeyLayout::BatchKeys => "b/",
            KeyLayout::Shared => "s/",
        };
        if self.simulated(period) >= point.policy.layout.retention {
            return Ok(None); // the first keys have expired
        }
        let mut names = ProviderNames::default();
        let mut found = 0;
        for value in self.store.inspect(prefix) {
            let aggregate = Aggregate::decode(&value, &mut names)
                .map_err(|_| "a stored value cannot be read".to_owned())?;
            found += aggregate.count();
        }
        let counters = self.counters();
        let missing = 1.0 - found as f64 / counters.stored as f64;
        if point.policy.layout.keys == KeyLayout::Shared {
            return Ok(Some(missing));
        }
        let unsure = self.records_in_memory() + counters.lost_total();
        if found < counters.stored || found > counters.stored + unsure {
            return Err(format!(
                "{} records known to be stored and {unsure} unsure, but {found} found in the KV",
                counters.stored
            ));
        }
        Ok(Some(missing))
    }

    /// What was simulated, with a measured period of this length.
    fn simulated(&self, period: Duration) -> Duration {
        self.timeline.origin.since(self.timeline.start) + period
    }

    /// The use of everything that may be billed.
    fn usage(&self, point: &Point, kv: &KvMeter, period: Duration, billed: Billed) -> Usage {
        let scenario = point.scenario;
        let cpu_us = self.arrived.records * scenario.cpu.request_us
            + (self.arrived.analytics_queries + self.arrived.health_checks) * scenario.cpu.query_us;
        let mut used = Usage::default();
        for kind in OpKind::ALL {
            let billed = kv.billed(kind, scenario.catalog.bill_rate_limited);
            used.add(MeterItem::of_operation(kind), u128::from(billed));
        }
        used.add(MeterItem::KvReadBytes, u128::from(kv.read_bytes));
        used.add(MeterItem::KvWriteBytes, u128::from(kv.write_bytes));
        used.merge(&self.tiers_usage().since(&self.tiers_before));
        let requests = self.arrived.calls() - self.arrived.metrics_reads + self.arrived.cron;
        used.add(MeterItem::WorkersRequests, u128::from(requests));
        let billed_ns = match billed {
            Billed::Month => MONTH.as_nanos(),
            Billed::Period => period.as_nanos(),
        };
        let mut usage = used.scaled(billed_ns, period.as_nanos());
        let cpu_ms = scale(u128::from(cpu_us), billed_ns, 1_000 * period.as_nanos());
        usage.add(MeterItem::WorkersCpuMs, cpu_ms);
        // Storage is billed for the part of a month that it is held.
        let held = |bytes| scale(bytes, billed_ns, MONTH.as_nanos());
        usage.add(MeterItem::DoStorage, held(self.tiers.shared.bytes()));
        usage.add(MeterItem::R2Storage, held(self.tiers.archive.bytes()));
        let stored = match billed {
            Billed::Month => self.steady_storage(point, kv, period),
            Billed::Period => kv.storage_byte_ns / period.as_nanos(),
        };
        usage.add(MeterItem::KvStorage, held(stored));
        usage
    }

    /// Bytes stored on average once keys begin to expire. A period shorter than the retention
    /// sees only the start of that: keys then gather at an even rate, and by Little's law
    /// the level they reach is that rate times the retention.
    fn steady_storage(&self, point: &Point, kv: &KvMeter, period: Duration) -> u128 {
        let layout = &point.policy.layout;
        let simulated = self.simulated(period);
        if simulated >= layout.retention {
            return kv.storage_byte_ns / period.as_nanos();
        }
        let gathering = simulated.max(layout.bucket).as_nanos();
        scale(
            u128::from(self.store.stored_bytes()),
            layout.retention.as_nanos(),
            gathering,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::scenario::Scenario;

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
