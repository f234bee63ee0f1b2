//! One replication: the metrics system against one store.

use super::StorePoint;
use super::backend::{Backend, Timed};
use crate::cloud::fleet::{Fleet, Isolate};
use crate::cloud::kv::{BillingRules, OpOutcome};
use crate::models::quantity::Count;
use crate::pricing::MONTH;
use crate::pricing::meter::scale;
use crate::pricing::{Invoice, MeterItem, Usage};
use crate::run::arrived::Arrived;
use crate::run::result::CallStats;
use crate::run::{Phases, Point, SteadyStorage, arrivals};
use crate::sim::executor::{Executor, SimHandle};
use crate::sim::random::Streams;
use crate::telemetry::aggregate::{Aggregate, Metrics, ProviderNames};
use crate::telemetry::cache::TtlCache;
use crate::telemetry::collector::{Collector, Recorded};
use crate::telemetry::counters::Counters;
use crate::telemetry::load::race;
use crate::telemetry::policy::{KeyLayout, LayoutPolicy, Policy, WriteMode};
use crate::telemetry::ports::{Clock, OpKind};
use crate::telemetry::record::{ProviderId, Record};
use crate::units::Timestamp;
use crate::workload::{Arrival, ArrivalKind};
use rand::Rng;
use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

/// What one replication measured.
#[derive(Clone)]
pub struct StoreRun {
    /// The time simulated after the warm-up.
    pub period: Duration,
    pub arrived: Arrived,
    /// Recordings as the request sees them.
    pub record: CallStats,
    /// Metrics reads, analytics queries and health reports, those from the cache among them.
    pub query: CallStats,
    /// Those that asked the store.
    pub fetch: CallStats,
    /// Single writes to the store, or messages sent.
    pub write: CallStats,
    pub cache_hits: u64,
    pub cache_misses: u64,
    /// From record to store, where a query can find it, mean in seconds.
    pub stored_after_s: f64,
    /// Records given up; none where writers share a key, whose lost updates are not counted here.
    pub lost: Option<u64>,
    /// KV operations refused for a used-up quota, and all, the warm-up among them.
    pub quota_refused: (u64, u64),
    /// Writes refused with 429, and all writes.
    pub writes_refused: u64,
    pub writes: u64,
    /// Most requests or messages in a second; none where the store knows no such bound.
    pub peak_per_second: Option<u64>,
    /// Bytes stored once old keys expire.
    pub stored_bytes: u128,
    /// A month of 30 days at this rate.
    pub usage: Usage,
    pub invoice: Invoice,
}

/// Simulates a point.
///
/// # Errors
/// If an invariant does not hold at the end: a record gone astray, an operation not metered once,
/// an invoice that does not add up. That is a defect of kvplan, not of the input.
pub fn simulate_store(point: &StorePoint) -> Result<StoreRun, String> {
    let scenario = point.scenario;
    let phases = Phases::of(scenario, point.traffic, point.replication);
    let period = scenario.horizon(point.traffic);
    let end = phases.origin + period;
    let executor = Executor::new(phases.start);
    let streams = Streams::new(scenario.seed, point.replication);
    let mut world = World::new(point, phases, executor.handle(), &streams);
    let mut coming = arrivals(&as_kv_point(point), phases.start);
    let mut measuring = false;
    while let Some(arrival) = coming.next_arrival().filter(|a| a.at < end) {
        if !measuring && arrival.at >= phases.origin {
            world.run_until(phases.origin, &executor);
            world.start_measuring();
            measuring = true;
        }
        world.run_until(arrival.at, &executor);
        if arrival.at >= phases.queries_from || matches!(arrival.kind, ArrivalKind::Record { .. }) {
            world.handle(&arrival);
        }
    }
    if !measuring {
        world.run_until(phases.origin, &executor);
        world.start_measuring();
    }
    world.run_until(end, &executor);
    world.finish(point, period)
}

/// The same point for [`crate::run`].
fn as_kv_point<'a>(point: &StorePoint<'a>) -> Point<'a> {
    Point {
        scenario: point.scenario,
        policy: point.policy,
        traffic: point.traffic,
        replication: point.replication,
    }
}

/// What an isolate has in its memory.
struct Server {
    writer: Rc<Collector<SimHandle>>,
    /// The same, unless another Worker writes what this one reads.
    reader: Rc<Collector<SimHandle>>,
    /// Answers to SQL queries.
    answers: RefCell<TtlCache<Duration, Rc<Metrics>>>,
}

/// The counts of isolates that have ended, and the first invariant that one of them broke.
#[derive(Default)]
struct Retired {
    counters: Counters,
    hits: u64,
    misses: u64,
    broken: Option<String>,
}

impl Retired {
    fn add(&mut self, server: &Server) {
        self.counters.merge(&server.writer.counters());
        let (hits, misses) = server.cache_counts();
        self.hits += hits;
        self.misses += misses;
        if let Err(e) = server.writer.check_conservation() {
            self.broken.get_or_insert(e);
        }
    }
}

impl Server {
    fn cache_counts(&self) -> (u64, u64) {
        let (a, b) = (
            self.reader.counters().cache,
            self.answers.borrow().counters(),
        );
        (a.hits + b.hits, a.misses + b.misses)
    }
}

/// Calls by kind.
#[derive(Default)]
struct Calls {
    record: CallStats,
    query: CallStats,
    fetch: CallStats,
}

struct World {
    sim: SimHandle,
    backend: Rc<Backend>,
    fleet: Fleet<Server>,
    retired: Rc<RefCell<Retired>>,
    phases: Phases,
    steady_storage: SteadyStorage,
    /// When and where the last request came, and which isolate serves it.
    last_record: Option<Rc<Isolate<Server>>>,
    wait_until: Option<Duration>,
    providers: Vec<ProviderId>,
    names: ProviderNames,
    policy: Rc<Policy>,
    rules: BillingRules,
    calls: Rc<RefCell<Calls>>,
    writes: Rc<RefCell<CallStats>>,
    arrived: Arrived,
    /// Records since the beginning, the warm-up included.
    all_records: u64,
    before: Before,
}

/// State of the counters when the measurement started.
#[derive(Default)]
struct Before {
    usage: Usage,
    cpu_us: u64,
    counters: Counters,
    cache: (u64, u64),
    /// Writes refused with 429, and all writes.
    writes: (u64, u64),
}

impl World {
    fn new(point: &StorePoint, phases: Phases, sim: SimHandle, streams: &Streams) -> Self {
        let scenario = point.scenario;
        let backend = Rc::new(Backend::new(point, phases.origin, &sim, streams));
        let providers = scenario.workload.providers.iter();
        let provider_names: Vec<String> = providers.map(|p| p.name.clone()).collect();
        let mut names = ProviderNames::default();
        let providers = provider_names.iter().map(|n| names.intern(n)).collect();
        let retired = Rc::<RefCell<Retired>>::default();
        let make = {
            let writer = Rc::new(backend.writer_policy(point.policy));
            let reader = backend.reader_policy(point.policy);
            let reader = reader.map(|(policy, name)| (Rc::new(policy), name));
            let (clock, jitter) = (sim.clone(), *streams);
            move |_place: usize, number: u64| {
                let seed = jitter.stream(&format!("retry.jitter.{number}")).next_u64();
                let collector = |policy: &Rc<Policy>, name: String| {
                    let c = Rc::new(Collector::new(Rc::clone(policy), clock.clone(), name, seed));
                    // Every isolate numbers the providers in the same order.
                    for name in &provider_names {
                        c.provider(name);
                    }
                    c
                };
                let mine = collector(&writer, format!("w{number}"));
                Server {
                    reader: match &reader {
                        Some((policy, name)) => collector(policy, (*name).to_owned()),
                        None => Rc::clone(&mine),
                    },
                    writer: mine,
                    answers: RefCell::new(TtlCache::new(
                        writer.cache.ttl,
                        writer.cache.max_entries as usize,
                    )),
                }
            }
        };
        let bury = {
            let retired = Rc::clone(&retired);
            move |isolate: &Isolate<Server>| {
                isolate.memory.writer.evict();
                retired.borrow_mut().add(&isolate.memory);
            }
        };
        let shape = scenario.workload.shape.as_ref();
        let stored = LayoutPolicy {
            keys: backend.stored_keys(point.policy),
            ..point.policy.layout.clone()
        };
        World {
            fleet: Fleet::new(&scenario.fleet, shape, sim.clone(), streams, make, bury),
            backend,
            retired,
            phases,
            steady_storage: SteadyStorage::new(&stored, phases),
            last_record: None,
            wait_until: scenario.fleet.life.as_ref().map(|l| l.wait_until),
            providers,
            names,
            policy: Rc::new(point.policy.clone()),
            rules: (&scenario.catalog).into(),
            calls: Rc::default(),
            writes: Rc::default(),
            arrived: Arrived::default(),
            all_records: 0,
            before: Before::default(),
            sim,
        }
    }

    /// Runs everything up to `end`, and notes what is stored at each end of a time bucket.
    #[inline]
    fn run_until(&mut self, end: Timestamp, executor: &Executor) {
        while self.steady_storage.next_due() <= end {
            executor.run_until(self.steady_storage.next_due());
            self.steady_storage.note(self.bespoken_byte_ns());
        }
        executor.run_until(end);
    }

    /// Byte-time that writes to the store have bespoken so far.
    fn bespoken_byte_ns(&self) -> u128 {
        let values = self.backend.values();
        values.map_or(0, |kv| kv.bespoken_byte_ns())
    }

    /// Forgets what was measured during the warm-up.
    fn start_measuring(&mut self) {
        self.steady_storage.start_measuring(self.bespoken_byte_ns());
        self.arrived = Arrived::default();
        *self.calls.borrow_mut() = Calls::default();
        *self.writes.borrow_mut() = CallStats::default();
        self.backend.reset_peak();
        let counters = self.counters();
        self.before = Before {
            usage: self.backend.usage(self.rules),
            cpu_us: self.backend.cpu_us(),
            cache: (counters.hits, counters.misses),
            counters: counters.counters,
            writes: self.refused_and_all_writes(),
        };
    }

    /// The counts of all isolates, living and dead.
    fn counters(&self) -> Retired {
        let retired = self.retired.borrow();
        let mut all = Retired {
            counters: retired.counters.clone(),
            hits: retired.hits,
            misses: retired.misses,
            broken: retired.broken.clone(),
        };
        for isolate in self.fleet.isolates() {
            all.add(&isolate.memory);
        }
        all
    }

    fn refused_and_all_writes(&self) -> (u64, u64) {
        self.backend.values().map_or((0, 0), |kv| {
            let meter = kv.meter();
            let refused = meter.count(OpKind::Write, OpOutcome::RateLimited);
            (refused, meter.issued(OpKind::Write))
        })
    }

    /// The isolate that serves an arrival, and how long it takes to start; a metrics read that
    /// comes with a request is part of the same invocation.
    #[inline]
    fn serve(&mut self, arrival: &Arrival) -> (Rc<Isolate<Server>>, Duration) {
        let own_read = match (arrival.kind, &self.last_record) {
            (ArrivalKind::MetricsWithRecord, Some(isolate)) => {
                return (Rc::clone(isolate), Duration::ZERO);
            }
            (ArrivalKind::MetricsRead | ArrivalKind::MetricsWithRecord, _) => true,
            _ => false,
        };
        self.arrived.own_metrics_reads += u64::from(own_read);
        let busy = match arrival.kind {
            ArrivalKind::Record { latency, .. } => latency,
            _ => Duration::ZERO,
        };
        let served = self.fleet.serve(arrival.place, busy);
        if matches!(arrival.kind, ArrivalKind::Record { .. }) {
            self.last_record = Some(Rc::clone(&served.0));
        }
        served
    }

    #[inline]
    fn handle(&mut self, arrival: &Arrival) {
        let (isolate, wait) = self.serve(arrival);
        let queries = &self.policy.queries;
        let window = match arrival.kind {
            ArrivalKind::Record {
                provider,
                latency,
                success,
                tokens,
            } => {
                self.arrived.records += 1;
                self.all_records += 1;
                let provider = self.providers[provider as usize];
                if let Backend::Points(dataset) = &*self.backend {
                    dataset.write(Record {
                        at: self.sim.now(),
                        provider,
                        latency,
                        success,
                        tokens,
                    });
                    // `writeDataPoint` returns at once.
                    self.calls.borrow_mut().record.add(Duration::ZERO, true);
                    self.writes.borrow_mut().add(Duration::ZERO, true);
                    return;
                }
                let writer = &isolate.memory.writer;
                let recorded = writer.record(provider, latency, success, tokens);
                self.after_recording(&isolate, recorded);
                return;
            }
            ArrivalKind::MetricsRead | ArrivalKind::MetricsWithRecord => {
                self.arrived.metrics_reads += 1;
                queries.metrics_window
            }
            ArrivalKind::AnalyticsQuery => {
                self.arrived.analytics_queries += 1;
                queries.analytics_window
            }
            ArrivalKind::HealthCheck => {
                self.arrived.health_checks += 1;
                queries.metrics_window
            }
        };
        self.query(&isolate, wait, window);
    }

    /// Starts work in an isolate: dropped when that ends, and, if it goes on after the response,
    /// when the time of `waitUntil` is over.
    fn run_in(
        &self,
        isolate: &Rc<Isolate<Server>>,
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
    }

    fn timed(&self, handle: super::backend::Handle) -> Timed {
        Timed {
            handle,
            sim: self.sim.clone(),
            writes: Rc::clone(&self.writes),
        }
    }

    /// Does what the collector asks for after a record.
    #[inline]
    fn after_recording(&mut self, isolate: &Rc<Isolate<Server>>, recorded: Recorded) {
        let awaits = self.policy.batch.write == WriteMode::Await;
        let waits = recorded == Recorded::Full && awaits;
        if !waits && !matches!(recorded, Recorded::MustWait(_)) {
            let ok = !matches!(recorded, Recorded::Lost(_));
            self.calls.borrow_mut().record.add(Duration::ZERO, ok);
        }
        if matches!(recorded, Recorded::Buffered | Recorded::Lost(_)) {
            return;
        }
        let Some(handle) = self.backend.writer(isolate.place) else {
            return;
        };
        let kv = self.timed(handle);
        let writer = Rc::clone(&isolate.memory.writer);
        let (sim, calls) = (self.sim.clone(), Rc::clone(&self.calls));
        let after_response = !waits && !matches!(recorded, Recorded::MustWait(_));
        self.run_in(isolate, after_response, async move {
            let start = sim.now();
            let note = |ok| {
                let latency = sim.now().since(start);
                calls.borrow_mut().record.add(latency, ok);
            };
            // A failed write is counted by the collector, which keeps the records.
            match recorded {
                Recorded::Buffered | Recorded::Lost(_) => {}
                Recorded::StartedBatch(batch) => {
                    let _ = writer.flush_when_due(&kv, batch).await;
                }
                Recorded::Full => {
                    let written = writer.flush_batch(&kv).await;
                    if waits {
                        note(written.is_ok());
                    }
                }
                Recorded::MustWait(record) => match writer.record_when_room(record).await {
                    Recorded::Full if awaits => note(writer.flush_batch(&kv).await.is_ok()),
                    Recorded::Full => {
                        note(true);
                        let _ = writer.flush_batch(&kv).await;
                    }
                    Recorded::StartedBatch(batch) => {
                        note(true);
                        let _ = writer.flush_when_due(&kv, batch).await;
                    }
                    taken => note(!matches!(taken, Recorded::Lost(_))),
                },
            }
        });
    }

    /// A query over a window: from the cache at once, or from the store in a task; in an isolate
    /// that starts for it, after that start.
    #[inline]
    fn query(&mut self, isolate: &Rc<Isolate<Server>>, wait: Duration, window: Duration) {
        let server = &isolate.memory;
        let cached = match &*self.backend {
            Backend::Points(_) if !self.policy.cache.enabled => false,
            Backend::Points(_) => {
                let now = self.sim.now();
                server.answers.borrow_mut().get(&window, now).is_some()
            }
            _ => server.reader.cached_metrics(window).is_some(),
        };
        if cached {
            self.calls.borrow_mut().query.add(wait, true);
            return;
        }
        let (sim, calls) = (self.sim.clone(), Rc::clone(&self.calls));
        let note = move |start: Timestamp, waited: Duration, ok: bool| {
            let took = sim.now().since(start);
            let calls = &mut *calls.borrow_mut();
            calls.query.add(took, ok);
            calls.fetch.add(took.saturating_sub(waited), ok);
        };
        let (sim, owner) = (self.sim.clone(), Rc::clone(isolate));
        if let Backend::Points(dataset) = &*self.backend {
            let (dataset, names) = (Rc::clone(dataset), self.names.clone());
            let caches = self.policy.cache.enabled;
            self.run_in(isolate, false, async move {
                let start = sim.now();
                sim.sleep(wait).await;
                let metrics = Rc::new(dataset.query(window, &names).await);
                note(start, wait, true);
                if caches {
                    let mut answers = owner.memory.answers.borrow_mut();
                    answers.insert(window, metrics, sim.now());
                }
            });
        } else if let Some(handle) = self.backend.reader(isolate.place) {
            let kv = self.timed(handle);
            self.run_in(isolate, false, async move {
                let start = sim.now();
                if !wait.is_zero() {
                    sim.sleep(wait).await;
                }
                let answer = owner.memory.reader.fetch_metrics(&kv, window).await;
                note(start, wait, answer.is_ok());
                owner.memory.reader.keep_fresh(&kv, window).await;
            });
        }
    }

    fn finish(self, point: &StorePoint, period: Duration) -> Result<StoreRun, String> {
        let all = self.counters();
        if let Some(broken) = all.broken {
            return Err(broken);
        }
        self.backend.check()?;
        self.account_for_records(point, &all.counters, period)?;
        let counters = all.counters.since(&self.before.counters);
        let (refused, writes) = self.refused_and_all_writes();
        let end = self.phases.origin + period;
        let stored_bytes = self.steady_storage.level(end, self.bespoken_byte_ns());
        let usage = self.monthly_usage(point, period, stored_bytes);
        let invoice = point.scenario.plan().invoice(&usage);
        invoice.check()?;
        let calls = self.calls.take();
        let writer_keys = self.backend.writer_policy(point.policy).layout.keys;
        Ok(StoreRun {
            period,
            arrived: self.arrived,
            record: calls.record,
            query: calls.query,
            fetch: calls.fetch,
            write: self.writes.take(),
            cache_hits: all.hits - self.before.cache.0,
            cache_misses: all.misses - self.before.cache.1,
            stored_after_s: self.stored_after_s(point, &counters),
            lost: (writer_keys != KeyLayout::Shared)
                .then_some(counters.lost_total() + self.expired_records()?),
            quota_refused: self.backend.values().map_or((0, 0), |kv| {
                let meter = kv.meter();
                let of = |kind| meter.count(kind, crate::cloud::kv::OpOutcome::QuotaExceeded);
                let kinds = crate::telemetry::ports::OpKind::ALL;
                (kinds.into_iter().map(of).sum(), meter.operation_count())
            }),
            writes_refused: refused - self.before.writes.0,
            writes: writes - self.before.writes.1,
            peak_per_second: self.backend.peak_per_second(),
            stored_bytes,
            usage,
            invoice,
        })
    }

    /// Mean time from a record to where a query can find it.
    fn stored_after_s(&self, point: &StorePoint, writers: &Counters) -> f64 {
        let mean = |c: &Counters| c.store_delay_us as f64 / 1e6 / c.stored as f64;
        match (&*self.backend, &point.store.service) {
            (_, crate::cloud::stores::Service::AnalyticsEngine(spec)) => {
                spec.visible_after.as_secs_f64()
            }
            // From record to queue, in the queue, and from there to the KV.
            (
                Backend::Queue {
                    queue, consumer, ..
                },
                _,
            ) => mean(writers) + queue.mean_wait_s() + mean(&consumer.counters()),
            _ => mean(writers),
        }
    }

    /// Every record is with the collectors, in the queue, in the store, or lost with its cause;
    /// and an independent count of what is stored agrees.
    fn account_for_records(
        &self,
        point: &StorePoint,
        writers: &Counters,
        period: Duration,
    ) -> Result<(), String> {
        let records = self.all_records;
        if let Backend::Points(dataset) = &*self.backend {
            let points = dataset.usage().get(MeterItem::AeDataPoints);
            return if points == u128::from(records) {
                Ok(())
            } else {
                Err(format!("{records} records, but {points} data points"))
            };
        }
        if writers.accepted != records {
            return Err(format!(
                "{records} records came, but collectors took {}",
                writers.accepted
            ));
        }
        let in_memory: u64 = self
            .fleet
            .isolates()
            .map(|i| i.memory.writer.records_in_memory())
            .sum();
        let unsure = in_memory + writers.lost_total();
        let between = |what: &str, found: u64, known: u64, unsure: u64| {
            if (known..=known + unsure).contains(&found) {
                Ok(())
            } else {
                Err(format!(
                    "{known} records known to be {what} and {unsure} unsure, but {found} found"
                ))
            }
        };
        let policy = self.backend.writer_policy(point.policy);
        let prefix = match policy.layout.keys {
            KeyLayout::Rollup => "r/",
            KeyLayout::BatchKeys => "b/",
            KeyLayout::Shared => return Ok(()), // updates get lost
        };
        let simulated = self.phases.origin.since(self.phases.start) + period;
        let expired = simulated >= point.policy.layout.retention;
        if let Backend::Queue {
            queue,
            kv,
            consumer,
        } = &*self.backend
        {
            // What has passed its time is deleted first, or it would be waiting and expired.
            let expired_records = self.expired_records()?;
            let waiting = queue.waiting();
            let waiting = waiting.iter().map(|m| m.body.as_slice());
            let taken = consumer.counters().accepted;
            let sent = taken + count_records(waiting)? + expired_records;
            between("sent", sent, writers.stored, unsure)?;
            if expired {
                return Ok(());
            }
            let values = kv.inspect("r/");
            let found = count_records(values.iter().map(|v| &**v))?;
            let (stored, unsure) = (consumer.counters().stored, consumer.records_in_memory());
            return between("stored", found, stored, unsure);
        }
        match self.backend.values() {
            Some(kv) if !expired => {
                let values = kv.inspect(prefix);
                let found = count_records(values.iter().map(|v| &**v))?;
                between("stored", found, writers.stored, unsure)
            }
            _ => Ok(()),
        }
    }

    /// Records in messages that a queue has deleted.
    fn expired_records(&self) -> Result<u64, String> {
        match &*self.backend {
            Backend::Queue { queue, .. } => {
                let expired = queue.expired();
                count_records(expired.iter().map(|m| m.body.as_slice()))
            }
            _ => Ok(0),
        }
    }

    /// The period's use of everything that may be billed, for a month of 30 days.
    fn monthly_usage(&self, point: &StorePoint, period: Duration, stored_bytes: u128) -> Usage {
        let cpu = &point.scenario.cpu;
        let cpu_us = cpu.of(&self.arrived) + (self.backend.cpu_us() - self.before.cpu_us);
        let used = self.backend.usage(self.rules);
        let mut used = used.since(&self.before.usage);
        let requests = self.arrived.requests();
        used.add(MeterItem::WorkersRequests, u128::from(requests));
        let (month, period_ns) = (MONTH.as_nanos(), period.as_nanos());
        let mut usage = used.scaled(month, period_ns);
        let cpu_ms = scale(u128::from(cpu_us), month, 1_000 * period_ns);
        usage.add(MeterItem::WorkersCpuMs, cpu_ms);
        usage.add(self.backend.storage_item(), stored_bytes);
        usage
    }
}

/// Records in stored aggregates.
fn count_records<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<u64, String> {
    let mut names = ProviderNames::default();
    values
        .map(|value| {
            let aggregate = Aggregate::decode(value, &mut names);
            aggregate.map(|a| a.count())
        })
        .sum::<Result<u64, _>>()
        .map_err(|_| "a stored value cannot be read".to_owned())
}

/// Recorded requests in a month that a run stands for.
pub fn records_per_month(run: &StoreRun) -> Count {
    let records = u128::from(run.arrived.records);
    Count(scale(records, MONTH.as_nanos(), run.period.as_nanos()) as u64)
}
