//! The collector on the counting KV: batches, overflow, per-provider entries, damage.

use kvplan::cloud::failure::FailureSpec;
use kvplan::cloud::kv::{DailyQuota, KvConfig, KvLatency, KvStore};
use kvplan::models::dist::Sampler;
use kvplan::models::load;
use kvplan::sim::executor::Executor;
use kvplan::sim::random::Streams;
use kvplan::telemetry::aggregate::{Aggregate, ProviderNames};
use kvplan::telemetry::collector::{Collector, Recorded};
use kvplan::telemetry::counters::LossCause;
use kvplan::telemetry::load::join_all;
use kvplan::telemetry::policy::{Overflow, Policy};
use kvplan::telemetry::ports::{Clock, Kv, OpKind, PutOptions};
use kvplan::telemetry::record::Record;
use kvplan::units::Timestamp;
use std::rc::Rc;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);
const MS: Duration = Duration::from_millis(1);

fn policy(name: &str) -> Policy {
    load(name, None, &[]).unwrap()
}

struct Bench {
    executor: Executor,
    store: Rc<KvStore>,
    collector: Rc<Collector<kvplan::sim::executor::SimHandle>>,
}

fn bench(policy: Policy) -> Bench {
    bench_with(policy, Timestamp::from_secs(1_793_577_600), Duration::ZERO)
}

/// The same from `start` on, on a KV whose operations take `latency`.
fn bench_with(policy: Policy, start: Timestamp, latency: Duration) -> Bench {
    let executor = Executor::new(start);
    let config = KvConfig {
        limits: load("cloudflare", None, &[]).unwrap(),
        latency: KvLatency::uniform(Sampler::constant(latency)),
        failures: FailureSpec::default(),
        origin: Timestamp::EPOCH,
        quota: DailyQuota::default(),
        consistency: None,
    };
    let store = KvStore::new(config, executor.handle(), &Streams::new(1, 0));
    let collector = Rc::new(Collector::new(Rc::new(policy), executor.handle(), "w", 1));
    Bench {
        executor,
        store,
        collector,
    }
}

impl Bench {
    fn record(&self, n: usize) -> Vec<Recorded> {
        let p = self.collector.provider("p");
        (0..n)
            .map(|i| self.collector.record(p, MS * (i as u32 + 1), true, 1))
            .collect()
    }

    fn flush(&self) {
        let (c, kv) = (Rc::clone(&self.collector), self.store.invocation());
        self.executor
            .block_on(async move { c.flush(&kv).await })
            .unwrap();
    }

    fn wait(&self, d: Duration) {
        let until = self.executor.handle().now() + d;
        self.executor.run_until(until);
    }

    /// Requests of provider "p" that are stored, and the least median latency in ms.
    fn stored(&self) -> u64 {
        let (c, kv) = (Rc::clone(&self.collector), self.store.invocation());
        let m = self
            .executor
            .block_on(async move { c.fetch_metrics(&kv, HOUR).await })
            .unwrap();
        m.provider("p").map_or(0, |p| p.count)
    }
}

fn small_buffer(overflow: Overflow) -> Policy {
    let mut p = policy("batch-keys");
    p.batch.max_records = 5;
    p.batch.buffer_capacity = 5;
    p.batch.overflow = overflow;
    p
}

#[test]
fn a_batch_says_when_it_begins_and_when_it_is_full() {
    let mut p = policy("optimised");
    p.batch.max_records = 3;
    let b = bench(p);
    let said = b.record(3);
    assert!(matches!(said[0], Recorded::StartedBatch(_)));
    assert_eq!(said[1], Recorded::Buffered);
    assert!(matches!(said[2], Recorded::Full(_)));
}

#[test]
fn a_full_buffer_gives_up_the_newest_or_the_oldest_and_counts_it() {
    let b = bench(small_buffer(Overflow::DropNewest));
    assert_eq!(
        b.record(8)[5..],
        [Recorded::Lost(LossCause::OverflowNewest); 3]
    );
    b.flush();
    assert_eq!(b.stored(), 5);
    assert_eq!(b.collector.counters().lost, [3, 0, 0, 0]);
    b.collector.check_conservation().unwrap();

    let b = bench(small_buffer(Overflow::DropOldest));
    assert!(b.record(8).iter().all(|r| !matches!(r, Recorded::Lost(_))));
    b.flush();
    assert_eq!(b.stored(), 5);
    assert_eq!(b.collector.counters().lost, [0, 3, 0, 0]);
    b.collector.check_conservation().unwrap();
}

#[test]
fn totals_make_room_so_that_a_rollup_loses_nothing() {
    let mut p = policy("optimised");
    p.batch.max_records = 5;
    p.batch.buffer_capacity = 5;
    let b = bench(p);
    let _ = b.record(500);
    b.flush();
    assert_eq!((b.stored(), b.collector.counters().lost_total()), (500, 0));
}

/// The write that waits for its turn also does what others left to it: the batch that the record at 1 s
/// asks it for is taken along by the write before, and one that is full at 1.6 s is left to it.
#[test]
fn a_full_batch_is_written_by_whoever_waits_for_the_turn() {
    let mut p = policy("batch-keys");
    p.batch.max_records = 2;
    let b = bench_with(p, Timestamp::from_secs(1_793_577_600), 500 * MS);
    let start = b.executor.handle().now();
    for (at, records) in [(0, 2), (100, 2), (1_000, 1), (1_600, 2)] {
        b.executor.run_until(start + at * MS);
        for said in b.record(records) {
            if let Recorded::Full(batch) = said {
                let (c, kv) = (Rc::clone(&b.collector), b.store.invocation());
                let write = async move { c.flush_batch(&kv, batch).await.unwrap() };
                b.executor.handle().spawn(write);
            }
        }
    }
    b.executor.run_until(start + 4_000 * MS);
    assert_eq!(b.collector.records_in_memory(), 0);
    assert_eq!(b.store.meter().issued(OpKind::Write), 3);
}

#[test]
fn a_batch_is_written_at_its_age_unless_that_has_been_done() {
    let b = bench(policy("optimised"));
    let Recorded::StartedBatch(batch) = b.record(1)[0] else {
        panic!("the first starts a batch")
    };
    let (c, kv) = (Rc::clone(&b.collector), b.store.invocation());
    b.executor.handle().spawn(async move {
        c.flush_when_due(&kv, batch).await.unwrap();
    });
    b.wait(Duration::from_millis(9_999));
    assert_eq!(b.store.operation_count(), 0);
    b.wait(MS);
    assert_eq!(b.store.meter().issued(OpKind::Write), 1);
    // The next batch is written on demand; its timer then finds nothing to do.
    let Recorded::StartedBatch(batch) = b.record(1)[0] else {
        panic!("a new batch")
    };
    let (c, kv) = (Rc::clone(&b.collector), b.store.invocation());
    b.executor.handle().spawn(async move {
        c.flush_when_due(&kv, batch).await.unwrap();
    });
    b.wait(Duration::from_secs(2));
    b.flush();
    b.wait(Duration::from_secs(20));
    assert_eq!(b.store.meter().issued(OpKind::Write), 2);
    assert_eq!(b.stored(), 2);
}

#[test]
fn an_hour_change_splits_a_batch() {
    for name in ["optimised", "batch-keys"] {
        let b = bench(policy(name));
        b.wait(HOUR - MS);
        let _ = b.record(3);
        b.wait(MS * 2);
        let _ = b.record(4);
        b.flush();
        assert_eq!(b.store.meter().issued(OpKind::Write), 2, "{name}");
        assert_eq!(b.stored(), 4, "{name}: the current hour");
        b.collector.check_conservation().unwrap();
    }
}

#[test]
fn per_provider_entries_age_apart() {
    let mut p = policy("optimised");
    p.cache.per_provider = true;
    let b = bench(p);
    let _ = b.record(5);
    let q = b.collector.provider("q");
    let _ = b.collector.record(q, MS, false, 1);
    b.flush();
    b.store.reset_counters();
    let ask = |name: &'static str| {
        let (c, kv) = (Rc::clone(&b.collector), b.store.invocation());
        b.executor
            .block_on(async move { c.get_provider_metrics(&kv, name, HOUR).await })
            .unwrap()
    };
    assert_eq!((ask("p").overall.count, ask("p").overall.errors), (5, 0));
    assert_eq!((ask("q").overall.count, ask("q").overall.errors), (1, 1));
    // One read for each provider, and one hit.
    assert_eq!(
        (b.store.operation_count(), b.collector.counters().cache.hits),
        (2, 2)
    );
    b.wait(Duration::from_secs(5));
    let _ = ask("p");
    assert_eq!(b.store.operation_count(), 3);
}

#[test]
fn a_damaged_value_is_counted_and_the_rest_still_read() {
    let b = bench(policy("batch-keys"));
    let _ = b.record(7);
    b.flush();
    let kv = b.store.invocation();
    b.executor
        .block_on(async move {
            kv.put(
                "b/001793577600/x-1",
                b"garbage".to_vec(),
                PutOptions::default(),
            )
            .await
        })
        .unwrap();
    assert_eq!(b.stored(), 7);
    assert_eq!(b.collector.counters().corrupt_values, 1);
}

#[test]
fn eviction_counts_what_was_in_memory() {
    let b = bench(policy("optimised"));
    let _ = b.record(12);
    assert!(b.collector.memory_bytes() > 0);
    assert_eq!(b.collector.evict(), 12);
    assert_eq!(b.collector.counters().lost, [0, 0, 0, 12]);
    b.collector.check_conservation().unwrap();
}

/// A record that comes while the last total of its hour is being written, the hour ending
/// meanwhile, must not start that hour's total anew.
#[test]
fn a_record_at_the_end_of_an_hour_does_not_replace_its_total() {
    let end_of_hour = Timestamp::from_secs(1_793_577_600) + HOUR;
    let mut policy = policy("optimised");
    policy.batch.min_interval = Duration::ZERO;
    let b = bench_with(policy, end_of_hour - 100 * MS, 200 * MS);
    b.record(3);
    let (c, kv) = (Rc::clone(&b.collector), b.store.invocation());
    b.executor
        .handle()
        .spawn(async move { c.flush(&kv).await.unwrap() });
    b.wait(50 * MS);
    b.record(2);
    b.wait(Duration::from_secs(2));
    b.flush();
    let mut names = ProviderNames::default();
    let values = b.store.inspect("r/");
    let counts = values
        .iter()
        .map(|v| Aggregate::decode(v, &mut names).unwrap().count());
    assert_eq!(counts.collect::<Vec<_>>(), [5]);
}

/// A consumer that takes in the totals of other writers.
#[test]
fn totals_of_others_are_stored_with_ones_own() {
    let mut policy = policy("optimised");
    policy.batch.min_interval = Duration::ZERO;
    let bench = bench(policy);
    let encoded = |n| {
        let mut all = Aggregate::default();
        let mut names = ProviderNames::default();
        for i in 0..n {
            all.add(&Record {
                at: Timestamp::from_secs(1_793_577_599),
                provider: names.intern("gemini"),
                latency: Duration::from_millis(i),
                success: true,
                tokens: 1,
            });
        }
        all.encode(&names)
    };
    let consumer = &bench.collector;
    assert_eq!(consumer.absorb(&encoded(3)), Ok(3));
    assert_eq!(consumer.absorb(&encoded(4)), Ok(4));
    assert!(consumer.absorb(b"nonsense").is_err());
    assert_eq!(consumer.records_in_memory(), 7);
    let (c, store) = (Rc::clone(consumer), Rc::clone(&bench.store));
    let count = bench.executor.block_on(async move {
        let kv = store.invocation();
        for done in join_all([c.store_absorbed(&kv), c.store_absorbed(&kv)]).await {
            done.unwrap();
        }
        // The second found its records stored by the first.
        assert_eq!(store.meter().issued(OpKind::Write), 1);
        let metrics = c.fetch_metrics(&store.invocation(), HOUR).await.unwrap();
        metrics.overall.count
    });
    assert_eq!(count, 7);
    assert!(consumer.is_clean());
    consumer.check_conservation().unwrap();
    assert_eq!(consumer.counters().stored, 7);
}

/// Whoever reads for others may be cancelled without a word: who comes later does not wait for it.
#[test]
fn a_read_whose_reader_was_cancelled_long_ago_is_not_waited_for() {
    let mut p = policy("coalescing");
    p.cache.ttl = Duration::from_secs(5);
    let b = bench_with(p, Timestamp::from_secs(1_793_577_600), 100 * MS);
    let ask = || {
        let (c, kv) = (Rc::clone(&b.collector), b.store.invocation());
        async move { _ = c.fetch_metrics(&kv, HOUR).await.unwrap() }
    };
    let sim = b.executor.handle();
    let reader = sim.spawn(ask());
    b.wait(50 * MS);
    sim.cancel(reader);
    b.wait(HOUR);
    let begun = sim.now();
    b.executor.block_on(ask());
    let took = sim.now().since(begun);
    assert!(took < 500 * MS, "{took:?}");
}

/// A clock that tells what it is told to.
#[derive(Clone)]
struct Told(Rc<std::cell::Cell<Timestamp>>);

impl Clock for Told {
    fn now(&self) -> Timestamp {
        self.0.get()
    }

    async fn sleep(&self, _: Duration) {}
}

/// The clock of a machine may be set back: delays are then too short, and no stored hour is begun anew.
#[test]
fn a_clock_that_is_set_back_breaks_nothing() {
    let hour = Timestamp::from_secs(1_793_577_600) + HOUR;
    let clock = Told(Rc::new(std::cell::Cell::new(hour - MS)));
    let executor = Executor::new(hour);
    let store = KvStore::counting(load("cloudflare", None, &[]).unwrap(), executor.handle());
    let collector = Rc::new(Collector::new(
        Rc::new(policy("optimised")),
        clock.clone(),
        "w",
        1,
    ));
    let record_and_flush = |at| {
        clock.0.set(at);
        let p = collector.provider("p");
        let _ = collector.record(p, MS, true, 1);
        // Written a moment "before" it came.
        clock.0.set(at - 40 * MS);
        let (c, kv) = (Rc::clone(&collector), store.invocation());
        executor.block_on(async move { c.flush(&kv).await.unwrap() });
        executor.run_until(executor.handle().now() + 2 * Duration::from_secs(1));
    };
    record_and_flush(hour - MS);
    record_and_flush(hour + 100 * MS);
    record_and_flush(hour - MS);
    collector.check_conservation().unwrap();
    let mut names = ProviderNames::default();
    let values = store.inspect("r/");
    let counts = values
        .iter()
        .map(|v| Aggregate::decode(v, &mut names).unwrap().count());
    assert_eq!(counts.collect::<Vec<_>>(), [1, 2]);
}
