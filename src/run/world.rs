//! The simulated system with what is measured of it.

use super::arrived::Arrived;
use super::result::CallStats;
use super::sample::LastSample;
use super::series::Sample;
use super::spans::Tracer;
use super::{Phases, Point, SteadyStorage};
use crate::cloud::fleet::{Fleet, FleetCounters, Isolate, Memory};
use crate::cloud::kv::{Consistency, DailyQuota, KvConfig, KvMeter, KvStore};
use crate::cloud::object::{DurableObject, R2Bucket};
use crate::pricing::{MeterItem, Usage};
use crate::sim::executor::SimHandle;
use crate::sim::random::Streams;
use crate::telemetry::aggregate::ProviderNames;
use crate::telemetry::collector::Collector;
use crate::telemetry::counters::Counters;
use crate::telemetry::policy::WriteMode;
use crate::telemetry::ports::OpKind;
use crate::telemetry::record::ProviderId;
use crate::telemetry::tiers::Tiers;
use rand::Rng;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// The simulated system with what is measured of it.
pub(super) struct World {
    pub(super) timeline: Phases,
    pub(super) sim: SimHandle,
    pub(super) store: Rc<KvStore>,
    pub(super) steady_storage: SteadyStorage,
    pub(super) tiers: Rc<Tiers<DurableObject, R2Bucket>>,
    pub(super) tiers_before: Usage,
    pub(super) fleet: Fleet<Collector<SimHandle>>,
    /// What the isolates that have ended leave behind.
    pub(super) retired: Rc<RefCell<Retired>>,
    /// The last request that came to be recorded: calls that come with it share its invocation.
    pub(super) last_record: Option<LastRecord>,
    /// How long `waitUntil` carries work on; none is without end.
    pub(super) wait_until: Option<Duration>,
    pub(super) memory: Memory,
    pub(super) memory_peak: u64,
    /// Worker requests allowed in a UTC day; the day, and those used of it.
    pub(super) worker_quota: Option<u64>,
    /// Whether a request and whether a query takes more CPU time than the plan allows.
    pub(super) too_much_cpu: [bool; 2],
    pub(super) worker_day: (u64, u64),
    /// The collector's numbers of the workload's providers.
    pub(super) providers: Vec<ProviderId>,
    pub(super) write: WriteMode,
    pub(super) metrics_window: Duration,
    pub(super) analytics_window: Duration,
    pub(super) arrived: Arrived,
    /// Time that requests spend at their providers, summed.
    pub(super) busy_ms: f64,
    pub(super) calls: Rc<RefCell<Calls>>,
    /// State of the counters when the measurement started.
    pub(super) counters_before: Counters,
    pub(super) in_memory_before: u64,
    /// What was missing in the KV then, see [`World::missing`].
    pub(super) missing_before: i64,
    pub(super) kv_before: KvMeter,
    pub(super) fleet_before: FleetCounters,
    /// Calls measured before the last sample, and the state of the counters then; none before the
    /// first interval.
    pub(super) calls_before: Calls,
    pub(super) last_sample: Option<LastSample>,
    pub(super) samples: Vec<Sample>,
    pub(super) tracer: Tracer,
}

/// The last request that came to be recorded.
pub(super) struct LastRecord {
    /// Which isolate serves it; none if it was refused.
    pub(super) isolate: Option<Rc<Server>>,
}

pub(super) type Server = Isolate<Collector<SimHandle>>;

/// The counts of isolates that have ended, and the first invariant that one of them broke.
#[derive(Default)]
pub(super) struct Retired {
    pub(super) counters: Counters,
    pub(super) broken: Option<String>,
}

/// Latencies by kind of call.
#[derive(Default)]
pub(super) struct Calls {
    pub(super) record: CallStats,
    pub(super) metrics: CallStats,
    pub(super) analytics: CallStats,
    pub(super) health: CallStats,
    pub(super) cold_start: CallStats,
    pub(super) answer_age: CallStats,
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

    pub(super) fn merge(&mut self, mut other: Calls) {
        for (mine, theirs) in self.all().into_iter().zip(other.all()) {
            mine.merge(theirs);
        }
    }
}

impl World {
    pub(super) fn new(point: &Point, timeline: Phases, sim: SimHandle, streams: &Streams) -> Self {
        let scenario = point.scenario;
        let limit = |kind| scenario.plan().daily_limit(MeterItem::of_operation(kind));
        let config = KvConfig {
            limits: scenario.limits.of_plan(&scenario.plan),
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
            steady_storage: SteadyStorage::new(&policy.layout, timeline),
            providers,
            fleet,
            retired,
            last_record: None,
            wait_until: scenario.fleet.life.as_ref().map(|l| l.wait_until),
            memory: scenario.fleet.memory.clone(),
            memory_peak: 0,
            too_much_cpu: scenario.too_much_cpu(),
            worker_quota: scenario.plan().daily_limit(MeterItem::WorkersRequests),
            worker_day: (0, 0),
            write: policy.batch.write,
            metrics_window: policy.queries.metrics_window,
            analytics_window: policy.queries.analytics_window,
            arrived: Arrived::default(),
            calls: Rc::default(),
            counters_before: Counters::default(),
            in_memory_before: 0,
            missing_before: 0,
            kv_before: KvMeter::default(),
            fleet_before: FleetCounters::default(),
            calls_before: Calls::default(),
            last_sample: None,
            timeline,
            samples: Vec::new(),
            tracer: Tracer::default(),
            busy_ms: 0.0,
            sim,
        }
    }

    /// Forgets what was measured during the warm-up.
    pub(super) fn start_measuring(&mut self, traces: usize) {
        self.tracer = Tracer::new(traces);
        // Where samples are taken, one has just been.
        if let Some(last) = &mut self.last_sample {
            last.records = 0;
        }
        self.steady_storage
            .start_measuring(self.store.bespoken_byte_ns());
        self.store.forget_peaks();
        self.in_memory_before = self.records_in_memory();
        self.arrived = Arrived::default();
        *self.calls.borrow_mut() = Calls::default();
        self.calls_before = Calls::default();
        self.counters_before = self.counters();
        self.kv_before = self.store.meter();
        self.fleet.reset_peak();
        self.fleet_before = self.fleet.counters();
        self.tiers_before = self.tiers_usage();
        self.memory_peak = 0;
    }

    /// A time bucket has ended.
    pub(super) fn note_storage(&mut self) {
        self.steady_storage.note(self.store.bespoken_byte_ns());
    }

    pub(super) fn counters(&self) -> Counters {
        let mut all = self.retired.borrow().counters.clone();
        for isolate in self.fleet.isolates() {
            all.merge(&isolate.memory.counters());
        }
        all
    }

    /// Durable Object and R2 operations so far.
    pub(super) fn tiers_usage(&self) -> Usage {
        let mut usage = self.tiers.shared.usage();
        usage.merge(&self.tiers.archive.usage());
        usage
    }

    pub(super) fn records_in_memory(&self) -> u64 {
        let isolates = self.fleet.isolates();
        isolates.map(|i| i.memory.records_in_memory()).sum()
    }

    /// The estimated memory of the largest isolate.
    pub(super) fn memory_peak(&self) -> u64 {
        let now = self
            .fleet
            .isolates()
            .map(|i| self.memory.base.0 + i.memory.memory_bytes() as u64);
        now.max().unwrap_or(0).max(self.memory_peak)
    }
}
