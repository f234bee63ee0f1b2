//! The seed document's 13 load tests against the virtual clock, each with its stated bound
//! and a sharper one. Latency is that of Workers KV 2025, so the bounds mean something.

use kvplan::cloud::failure::FailureSpec;
use kvplan::cloud::kv::{DailyQuota, KvConfig, KvHandle, KvLimits, KvStore};
use kvplan::cloud::latency::LatencyProfile;
use kvplan::models::load;
use kvplan::sim::executor::{Executor, SimHandle};
use kvplan::sim::random::Streams;
use kvplan::telemetry::collector::Collector;
use kvplan::telemetry::health::Status;
use kvplan::telemetry::host::{Host, Invocation, NotRecorded, Query};
use kvplan::telemetry::load::{LoadResult, run_concurrent_requests};
use kvplan::telemetry::metrics::Metrics;
use kvplan::telemetry::policy::Policy;
use kvplan::telemetry::ports::{KvError, OpKind, WaitUntil};
use kvplan::units::Timestamp;
use std::rc::Rc;
use std::time::Duration;

const PROVIDERS: [&str; 3] = ["gemini", "openai", "anthropic"];
const HOUR: Duration = Duration::from_secs(3_600);

struct Bench {
    executor: Executor,
    sim: SimHandle,
    store: Rc<KvStore>,
    host: Host<SimHandle>,
}

/// An invocation of the Worker under test: what it hands to `waitUntil` goes on to its end.
#[derive(Clone)]
struct Request {
    kv: Rc<KvHandle>,
    sim: SimHandle,
}

impl WaitUntil for Request {
    fn wait_until(&self, work: impl Future<Output = ()> + 'static) {
        self.sim.spawn(work);
    }
}

impl Invocation for Request {
    type Kv = KvHandle;
    type Shared = ();
    type Archive = ();

    fn kv(&self) -> &KvHandle {
        &self.kv
    }

    fn shared(&self) -> &() {
        &()
    }

    fn archive(&self) -> &() {
        &()
    }
}

fn bench(policy: &str, failures: FailureSpec) -> Bench {
    // An hour's beginning, so that no test straddles two buckets.
    let executor = Executor::new(Timestamp::from_secs(1_793_577_600));
    let sim = executor.handle();
    let latency: LatencyProfile = load("kv-2025", None, &[]).unwrap();
    let limits: KvLimits = load("cloudflare", None, &[]).unwrap();
    let config = KvConfig {
        limits,
        latency: latency.samplers(),
        failures,
        origin: Timestamp::EPOCH,
        quota: DailyQuota::default(),
        consistency: None,
    };
    let store = KvStore::new(config, sim.clone(), &Streams::new(1, 0));
    let policy: Policy = load(policy, None, &[]).unwrap();
    let collector = Collector::new(Rc::new(policy), sim.clone(), "w0", 1);
    Bench {
        executor,
        sim,
        store,
        host: Host::new(collector),
    }
}

fn optimised() -> Bench {
    bench("optimised", FailureSpec::default())
}

fn failing_writes(error: &str, answer_lost: &str) -> FailureSpec {
    toml::from_str(&format!(
        "timeout = \"1 s\"\nwrite = {{ error = \"{error}\", answer_lost = \"{answer_lost}\" }}\nread = {{ error = \"{error}\" }}"
    ))
    .unwrap()
}

/// The seed's `recordRequest`.
async fn record(
    host: &Host<SimHandle>,
    request: &Request,
    provider: &str,
    latency: Duration,
    success: bool,
) -> Result<(), KvError> {
    let provider = host.collector().provider(provider);
    let recorded = host.record(provider, latency, success, 500, request);
    match recorded.wait().await {
        Ok(()) => Ok(()),
        Err(NotRecorded::Unwritten(e)) => Err(e),
        Err(lost) => panic!("{lost}"),
    }
}

impl Bench {
    /// Runs requests side by side, each in an invocation of its own.
    fn burst<F, Fut>(&self, count: usize, request: F) -> LoadResult
    where
        F: Fn(usize, Host<SimHandle>, Request) -> Fut + 'static,
        Fut: Future<Output = Result<(), KvError>> + 'static,
    {
        let (sim, store, host) = (self.sim.clone(), Rc::clone(&self.store), self.host.clone());
        self.executor.block_on(async move {
            let invocation = || Request {
                kv: Rc::new(store.invocation()),
                sim: sim.clone(),
            };
            run_concurrent_requests(&sim, count, |i| request(i, host.clone(), invocation())).await
        })
    }

    fn collector(&self) -> &Collector<SimHandle> {
        self.host.collector()
    }

    /// Records `count` requests at once over `providers`; every `fail_every`-th has failed.
    fn record(&self, count: usize, providers: usize, fail_every: usize) -> LoadResult {
        self.burst(count, move |i, host, request| async move {
            let provider = PROVIDERS[i % providers];
            let success = fail_every == 0 || i % fail_every != 0;
            let latency = Duration::from_millis(100 + i as u64 % 100);
            record(&host, &request, provider, latency, success).await
        })
    }

    fn flush(&self) -> Result<(), KvError> {
        let (host, kv) = (self.host.clone(), self.store.invocation());
        self.executor
            .block_on(async move { host.collector().flush(&kv).await })
    }

    fn metrics(&self) -> Rc<Metrics> {
        let (host, kv) = (self.host.clone(), self.store.invocation());
        self.executor
            .block_on(async move { host.collector().fetch_metrics(&kv, HOUR).await })
            .unwrap()
    }

    fn queries(&self, count: usize, query: Query) -> LoadResult {
        self.burst(count, move |_, host, request| async move {
            host.query(query, &request).wait().await.map(|_| ())
        })
    }

    fn health(&self, count: usize) -> LoadResult {
        self.burst(count, |_, host, request| async move {
            let metrics = host.query(Query::Health, &request).wait().await?;
            assert_ne!(host.judge(&metrics).overall, Status::Down);
            Ok(())
        })
    }

    /// Everything accepted is stored, nothing is counted twice, every operation is metered.
    fn settle(&self, accepted: u64) {
        self.collector().check_conservation().unwrap();
        self.store.meter().check().unwrap();
        let c = self.collector().counters();
        assert_eq!(
            (c.accepted, c.stored, c.lost_total()),
            (accepted, accepted, 0)
        );
        assert_eq!(self.metrics().overall.count, accepted);
    }
}

#[test]
fn t01_a_thousand_concurrent_recordings() {
    let b = optimised();
    let load = b.record(1_000, 1, 0);
    assert!(load.duration < Duration::from_secs(5), "{load:?}");
    assert_eq!(load.errors, 0);
    b.flush().unwrap();
    // All records come within one instant: one write takes all of them along.
    assert_eq!(b.store.meter().issued(OpKind::Write), 1);
    b.settle(1_000);
}

#[test]
fn t02_mixed_providers() {
    let b = optimised();
    assert_eq!(b.record(300, 3, 0).errors, 0);
    b.flush().unwrap();
    b.settle(300);
    let m = b.metrics();
    for name in PROVIDERS {
        assert_eq!(m.provider(name).unwrap().count, 100);
    }
    assert_eq!(m.overall.tokens, 300 * 500);
}

#[test]
fn t03_half_of_the_requests_fail() {
    let b = optimised();
    assert_eq!(b.record(500, 1, 2).errors, 0);
    b.flush().unwrap();
    b.settle(500);
    let m = b.metrics();
    assert_eq!((m.overall.errors, m.overall.error_rate), (250, 0.5));
}

#[test]
fn t04_concurrent_reads_and_writes() {
    let b = optimised();
    let load = b.burst(200, |i, host, request| async move {
        if i % 2 == 0 {
            let latency = Duration::from_millis(150);
            record(&host, &request, "gemini", latency, true).await
        } else {
            let metrics = host.query(Query::Metrics, &request).wait();
            metrics.await.map(|_| ())
        }
    });
    assert!(load.duration < Duration::from_secs(10), "{load:?}");
    assert_eq!(load.errors, 0);
    b.flush().unwrap();
    b.settle(100);
}

#[test]
fn t05_the_cache_keeps_reads_off_the_kv() {
    let b = optimised();
    let _ = b.record(100, 1, 0);
    b.flush().unwrap();
    b.store.reset_counters();
    for _ in 0..100 {
        assert_eq!(b.queries(1, Query::Metrics).errors, 0);
    }
    assert!(b.store.operation_count() < 50);
    // One read fills the cache; the other 99 come within its 5 s and hit.
    assert_eq!(b.store.operation_count(), 1);
    assert_eq!(b.collector().counters().cache.hits, 99);
}

#[test]
fn t06_an_analytics_query_over_24_hours() {
    let b = optimised();
    let _ = b.record(1_000, 3, 0);
    b.flush().unwrap();
    b.store.reset_counters();
    let load = b.queries(1, Query::Analytics);
    assert!(load.duration < Duration::from_secs(2), "{load:?}");
    // One bulk read of 24 hourly rollups, each a billed read.
    assert_eq!(b.store.meter().issued(OpKind::Read), 24);
}

#[test]
fn t07_twenty_concurrent_analytics_queries() {
    let b = optimised();
    let _ = b.record(1_000, 3, 0);
    b.flush().unwrap();
    b.store.reset_counters();
    let load = b.queries(20, Query::Analytics);
    assert!(load.duration < Duration::from_secs(5), "{load:?}");
    assert_eq!(load.errors, 0);
    // A cache alone does not share what is under way: all twenty miss and read.
    assert_eq!(b.store.meter().issued(OpKind::Read), 20 * 24);
}

#[test]
fn t08_a_system_health_report() {
    let b = optimised();
    let _ = b.record(300, 3, 0);
    b.flush().unwrap();
    let load = b.health(1);
    assert!(load.duration < Duration::from_secs(1), "{load:?}");
    let report = b.host.judge(&b.metrics());
    assert_eq!(report.overall, Status::Healthy);
    assert_eq!(report.providers.len(), 3);
}

#[test]
fn t09_fifty_concurrent_health_checks() {
    let b = optimised();
    let _ = b.record(300, 3, 30);
    b.flush().unwrap();
    b.store.reset_counters();
    let load = b.health(50);
    assert!(load.duration < Duration::from_secs(3), "{load:?}");
    assert_eq!(load.errors, 0);
    assert_eq!(b.store.meter().issued(OpKind::Read), 50);
}

#[test]
fn t10_no_excessive_operations() {
    let b = optimised();
    let _ = b.record(1_000, 1, 0);
    b.flush().unwrap();
    assert!(b.store.operation_count() < 500);
    assert_eq!(b.store.operation_count(), 1);
}

#[test]
fn t11_sustained_load() {
    let b = optimised();
    for _ in 0..3 {
        assert_eq!(b.record(500, 3, 0).errors, 0);
    }
    b.flush().unwrap();
    b.settle(1_500);
    assert!(b.collector().counters().buffer_high_water <= 1_500);
}

#[test]
fn t12_failing_writes_lose_nothing_and_count_nothing_twice() {
    for (seed_rate, lost) in [("10%", "0%"), ("20%", "0%"), ("10%", "10%"), ("0%", "50%")] {
        for policy in ["optimised", "batch-keys"] {
            let b = bench(policy, failing_writes(seed_rate, lost));
            let _ = b.record(1_000, 3, 0);
            // After a failed flush the records stay; a later one takes them along.
            while !b.collector().is_clean() {
                let _ = b.flush();
            }
            b.collector().check_conservation().unwrap();
            let c = b.collector().counters();
            assert_eq!((c.stored, c.lost_total()), (1_000, 0));
            // Reads fail too: ask until one is answered.
            let (host, store) = (b.host.clone(), Rc::clone(&b.store));
            let count = b.executor.block_on(async move {
                loop {
                    if let Ok(m) = host
                        .collector()
                        .fetch_metrics(&store.invocation(), HOUR)
                        .await
                    {
                        return m.overall.count;
                    }
                }
            });
            assert_eq!(
                count, 1_000,
                "{policy} with {seed_rate} errors and {lost} lost answers"
            );
        }
    }
}

#[test]
fn t13_two_hundred_concurrent_updates_stay_consistent() {
    for policy in ["optimised", "batch-keys", "naive"] {
        let b = bench(policy, FailureSpec::default());
        let _ = b.record(200, 1, 0);
        // Naive writes refused with 429 ride on the next one, a second later.
        while !b.collector().is_clean() {
            let wait = b.sim.clone();
            b.executor.block_on(async move {
                kvplan::telemetry::ports::Clock::sleep(&wait, Duration::from_secs(1)).await;
            });
            let _ = b.flush();
        }
        b.settle(200);
    }
}
