//! One replication: the real metrics system in the virtual world.

use super::result::{Arrived, CallStats, RunResult};
use super::scenario::{MONTH, Scenario};
use crate::cloud::kv::{DailyQuota, KvConfig, KvMeter, KvStore};
use crate::config::quantity::{Count, Rate};
use crate::pricing::meter::scale;
use crate::pricing::{MeterItem, Usage};
use crate::sim::executor::{Executor, SimHandle};
use crate::sim::random::{StreamRng, Streams};
use crate::telemetry::collector::{Collector, Recorded};
use crate::telemetry::counters::Counters;
use crate::telemetry::policy::{Policy, WriteMode};
use crate::telemetry::ports::{Clock, OpKind};
use crate::telemetry::record::ProviderId;
use crate::units::Timestamp;
use crate::workload::{Arrival, ArrivalKind, WorkloadStream};
use rand::{Rng, RngExt};
use std::cell::RefCell;
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
    let scenario = point.scenario;
    let period = scenario.horizon(point.traffic);
    let start = ORIGIN - scenario.period.warm_up;
    let end = ORIGIN + period;
    let streams = Streams::new(scenario.seed, point.replication);
    let executor = Executor::new(start);
    let mut world = World::new(point, executor.handle(), &streams);
    let traffic = Rate::per_month(point.traffic.0 as f64);
    let mut arrivals = WorkloadStream::new(&scenario.workload, traffic, start, &streams);

    let mut next = arrivals.next_arrival();
    while let Some(arrival) = next.filter(|a| a.at < ORIGIN) {
        executor.run_until(arrival.at);
        world.handle(&arrival);
        next = arrivals.next_arrival();
    }
    executor.run_until(ORIGIN);
    world.start_measuring();
    while let Some(arrival) = next.filter(|a| a.at < end) {
        executor.run_until(arrival.at);
        world.handle(&arrival);
        next = arrivals.next_arrival();
    }
    executor.run_until(end);
    world.finish(point, period)
}

/// The simulated system with what is measured of it.
struct World {
    sim: SimHandle,
    store: Rc<KvStore>,
    /// One collector for each isolate.
    isolates: Vec<Rc<Collector<SimHandle>>>,
    routing: StreamRng,
    /// When the last request was recorded, and by which isolate.
    last_record: (Timestamp, usize),
    /// The collector's numbers of the workload's providers.
    providers: Vec<ProviderId>,
    write: WriteMode,
    metrics_window: Duration,
    analytics_window: Duration,
    arrived: Arrived,
    calls: Rc<RefCell<Calls>>,
    /// State of the counters when the measurement started.
    counters_before: Counters,
    kv_before: KvMeter,
}

/// Latencies by kind of call.
#[derive(Default)]
struct Calls {
    record: CallStats,
    metrics: CallStats,
    analytics: CallStats,
    health: CallStats,
}

impl World {
    fn new(point: &Point, sim: SimHandle, streams: &Streams) -> Self {
        let scenario = point.scenario;
        let limit = |kind| scenario.plan().daily_limit(MeterItem::of_operation(kind));
        let config = KvConfig {
            limits: scenario.limits.clone(),
            latency: scenario.latency.samplers(),
            failures: scenario.failures.clone(),
            origin: ORIGIN,
            quota: DailyQuota(OpKind::ALL.map(limit)),
        };
        let policy = Rc::new(point.policy.clone());
        let isolates: Vec<_> = (0..scenario.fleet.isolates)
            .map(|i| {
                let seed = streams.stream(&format!("retry.jitter.{i}")).next_u64();
                let writer = format!("w{i}");
                Rc::new(Collector::new(
                    Rc::clone(&policy),
                    sim.clone(),
                    writer,
                    seed,
                ))
            })
            .collect();
        // Every isolate numbers the providers in the same order.
        let mut providers = Vec::new();
        for isolate in &isolates {
            let names = scenario.workload.providers.iter();
            providers = names.map(|p| isolate.provider(&p.name)).collect();
        }
        World {
            store: KvStore::new(config, sim.clone(), streams),
            providers,
            isolates,
            routing: streams.stream("fleet.isolate"),
            last_record: (Timestamp::EPOCH, 0),
            write: policy.batch.write,
            metrics_window: policy.queries.metrics_window,
            analytics_window: policy.queries.analytics_window,
            arrived: Arrived::default(),
            calls: Rc::default(),
            counters_before: Counters::default(),
            kv_before: KvMeter::default(),
            sim,
        }
    }

    /// Forgets what was measured during the warm-up.
    fn start_measuring(&mut self) {
        self.arrived = Arrived::default();
        *self.calls.borrow_mut() = Calls::default();
        self.counters_before = self.counters();
        self.kv_before = self.store.meter();
    }

    fn counters(&self) -> Counters {
        let mut all = Counters::default();
        for isolate in &self.isolates {
            all.merge(&isolate.counters());
        }
        all
    }

    /// The isolate that serves an arrival: any, but a metrics read that comes with a request
    /// is part of the same invocation.
    #[inline]
    fn route(&mut self, arrival: &Arrival) -> usize {
        if self.isolates.len() == 1 {
            return 0;
        }
        let (at, isolate) = self.last_record;
        if arrival.kind == ArrivalKind::MetricsRead && arrival.at == at {
            return isolate;
        }
        let isolate = self.routing.random_range(0..self.isolates.len());
        if matches!(arrival.kind, ArrivalKind::Record { .. }) {
            self.last_record = (arrival.at, isolate);
        }
        isolate
    }

    #[inline]
    fn handle(&mut self, arrival: &Arrival) {
        let isolate = self.route(arrival);
        match arrival.kind {
            ArrivalKind::Record {
                provider,
                latency,
                success,
                tokens,
            } => {
                self.arrived.records += 1;
                let provider = self.providers[provider as usize];
                let recorded = self.isolates[isolate].record(provider, latency, success, tokens);
                self.after_recording(isolate, recorded);
            }
            ArrivalKind::MetricsRead => {
                self.arrived.metrics_reads += 1;
                self.query(isolate, self.metrics_window, |c| &mut c.metrics);
            }
            ArrivalKind::AnalyticsQuery => {
                self.arrived.analytics_queries += 1;
                self.query(isolate, self.analytics_window, |c| &mut c.analytics);
            }
            ArrivalKind::HealthCheck => {
                self.arrived.health_checks += 1;
                self.query(isolate, self.metrics_window, |c| &mut c.health);
            }
        }
    }

    /// Does what the collector asks for after a record.
    #[inline]
    fn after_recording(&mut self, isolate: usize, recorded: Recorded) {
        let waits = recorded == Recorded::Full && self.write == WriteMode::Await;
        if !waits {
            let ok = !matches!(recorded, Recorded::Lost(_));
            self.calls.borrow_mut().record.add(Duration::ZERO, ok);
        }
        match recorded {
            Recorded::Buffered | Recorded::Lost(_) => {}
            Recorded::StartedBatch(batch) => {
                let (collector, kv) = (Rc::clone(&self.isolates[isolate]), self.store.invocation());
                self.sim.spawn(async move {
                    // A failed write is counted by the collector, which keeps the records.
                    let _ = collector.flush_when_due(&kv, batch).await;
                });
            }
            Recorded::Full => {
                let (collector, kv) = (Rc::clone(&self.isolates[isolate]), self.store.invocation());
                let (sim, calls) = (self.sim.clone(), Rc::clone(&self.calls));
                self.sim.spawn(async move {
                    let start = sim.now();
                    let written = collector.flush_batch(&kv).await;
                    if waits {
                        let latency = sim.now().since(start);
                        calls.borrow_mut().record.add(latency, written.is_ok());
                    }
                });
            }
        }
    }

    /// A query over a window: from the cache at once, or from the KV in a task.
    #[inline]
    fn query(&mut self, isolate: usize, window: Duration, stats: fn(&mut Calls) -> &mut CallStats) {
        if self.isolates[isolate].cached_metrics(window).is_some() {
            stats(&mut self.calls.borrow_mut()).add(Duration::ZERO, true);
            return;
        }
        let (collector, kv) = (Rc::clone(&self.isolates[isolate]), self.store.invocation());
        let (sim, calls) = (self.sim.clone(), Rc::clone(&self.calls));
        self.sim.spawn(async move {
            let start = sim.now();
            let answer = collector.fetch_metrics(&kv, window).await;
            let latency = sim.now().since(start);
            stats(&mut calls.borrow_mut()).add(latency, answer.is_ok());
        });
    }

    fn finish(self, point: &Point, period: Duration) -> Result<RunResult, String> {
        for isolate in &self.isolates {
            isolate.check_conservation()?;
        }
        let meter = self.store.meter();
        meter.check()?;
        let kv = meter.since(&self.kv_before);
        let usage = self.monthly_usage(point, &kv, period);
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
        let calls = std::mem::take(&mut *self.calls.borrow_mut());
        Ok(RunResult {
            period,
            arrived: self.arrived,
            record: calls.record,
            metrics: calls.metrics,
            analytics: calls.analytics,
            health: calls.health,
            counters: self.counters().since(&self.counters_before),
            records_in_memory: self.isolates.iter().map(|c| c.records_in_memory()).sum(),
            kv,
            busiest_day,
            quota_use,
            usage,
            invoice,
        })
    }

    /// The period's use of everything that may be billed, for a month of 30 days.
    fn monthly_usage(&self, point: &Point, kv: &KvMeter, period: Duration) -> Usage {
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
        let requests = self.arrived.calls() - self.arrived.metrics_reads;
        used.add(MeterItem::WorkersRequests, u128::from(requests));
        let mut month = used.scaled(MONTH.as_nanos(), period.as_nanos());
        let cpu_ms = scale(
            u128::from(cpu_us),
            MONTH.as_nanos(),
            1_000 * period.as_nanos(),
        );
        month.add(MeterItem::WorkersCpuMs, cpu_ms);
        month.add(MeterItem::KvStorage, self.steady_storage(point, kv, period));
        month
    }

    /// Bytes stored on average once keys begin to expire. A period shorter than the retention
    /// sees only the start of that: keys then gather at an even rate, and by Little's law
    /// the level they reach is that rate times the retention.
    fn steady_storage(&self, point: &Point, kv: &KvMeter, period: Duration) -> u128 {
        let layout = &point.policy.layout;
        let simulated = point.scenario.period.warm_up + period;
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
