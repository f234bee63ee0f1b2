//! What can be put around any KV, put around the virtual one.

use crate::setup::overrides;
use kvplan::cloud::failure::Fault;
use kvplan::cloud::kv::{KvHandle, KvLimits, KvStore};
use kvplan::models::load;
use kvplan::run::scenario::Scenario;
use kvplan::sim::executor::{Executor, SimHandle};
use kvplan::study::validate::ScenarioFaults;
use kvplan::telemetry::load::join_all;
use kvplan::telemetry::ports::{Clock, Kv, KvError, OpKind, PutOptions, ReadOptions};
use kvplan::units::Timestamp;
use kvplan_remote::decorators::{
    Fault as Shares, Faults, Faulty, KeyPace, Limited, Limits, Metered, Prefixed,
};
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A KV without limits, and its executor.
fn bench() -> (Executor, Rc<KvStore>) {
    let executor = Executor::new(Timestamp::from_secs(1_793_577_600));
    let limits = KvLimits {
        same_key_write_interval: Duration::ZERO,
        operations_per_invocation: u32::MAX,
        connections_per_invocation: u32::MAX,
        ..load("cloudflare", None, &[]).unwrap()
    };
    let store = KvStore::counting(limits, executor.handle());
    (executor, store)
}

/// A KV that takes a second for each operation.
fn slow(executor: &Executor, store: &Rc<KvStore>) -> Faulty<KvHandle, SimHandle> {
    let faults = Faults::new(1, |_| Shares::default(), |_, _| SECOND);
    Faulty::new(store.invocation(), executor.handle(), faults)
}

async fn put<K: Kv>(kv: &K, key: &str) -> Result<(), KvError> {
    kv.put(key, b"12345".to_vec(), PutOptions::default()).await
}

#[test]
fn operations_are_counted_with_keys_bytes_outcomes_and_latencies() {
    let (executor, store) = bench();
    let kv = Metered::new(slow(&executor, &store), executor.handle());
    let kv = Rc::new(kv);
    let (inner, clock) = (Rc::clone(&kv), executor.handle());
    executor.block_on(async move {
        put(&*inner, "a").await.unwrap();
        put(&*inner, "").await.unwrap_err();
        inner
            .read(&["a", "b", "a"], ReadOptions::default())
            .await
            .unwrap();
        inner.list("", None, 10).await.unwrap();
        let dropped = Rc::clone(&inner);
        let task = clock.spawn(async move {
            let _ = dropped.delete("a").await;
        });
        clock.sleep(SECOND / 2).await;
        clock.cancel(task);
    });
    let meter = kv.meter();
    let (writes, reads) = (meter.of(OpKind::Write), meter.of(OpKind::Read));
    assert_eq!((writes.operations, writes.keys, writes.bytes), (2, 2, 10));
    assert_eq!(writes.outcomes, [("invalid", 1), ("ok", 1)].into());
    let ends = writes.ended.iter().map(|e| (e.took, e.keys, e.outcome));
    let ends: Vec<_> = ends.collect();
    assert_eq!(ends, [(SECOND, 1, "ok"), (SECOND, 1, "invalid")]);
    assert_eq!(writes.ended[1].start.since(writes.ended[0].start), SECOND);
    assert_eq!((reads.operations, reads.keys, reads.bytes), (1, 3, 10));
    assert_eq!(meter.of(OpKind::List).operations, 1);
    let deletes = meter.of(OpKind::Delete);
    assert_eq!(deletes.outcomes, [("dropped", 1)].into());
    assert!(deletes.ended.is_empty());
}

#[test]
fn one_key_takes_one_write_a_second_whoever_writes() {
    let (executor, store) = bench();
    let (pace, clock) = (Rc::new(KeyPace::default()), executor.handle());
    let enter = move || {
        let kv = store.invocation();
        Limited::new(kv, clock.clone(), Limits::default(), Rc::clone(&pace))
    };
    let clock = executor.handle();
    let ends = executor.block_on(async move {
        let mut ends = vec![put(&enter(), "a").await, put(&enter(), "a").await];
        ends.push(enter().delete("a").await);
        ends.push(put(&enter(), "b").await);
        clock.sleep(SECOND - Duration::from_nanos(1)).await;
        ends.push(put(&enter(), "a").await);
        clock.sleep(Duration::from_nanos(1)).await;
        ends.push(enter().delete("a").await);
        ends
    });
    let refused = || Err(KvError::RateLimited);
    let expected = [Ok(()), refused(), refused(), Ok(()), refused(), Ok(())];
    assert_eq!(ends, expected);
}

#[test]
fn an_invocation_has_1000_operations_6_at_once() {
    let (executor, store) = bench();
    let kv = slow(&executor, &store);
    let limits = Limits::default();
    let kv = Limited::new(kv, executor.handle(), limits, Rc::default());
    let clock = executor.handle();
    let (ends, took) = executor.block_on(async move {
        let start = clock.now();
        let ends = join_all((0..1_002).map(|_| kv.get("a"))).await;
        (ends, clock.now().since(start))
    });
    let over = Err(KvError::InvocationLimit);
    assert_eq!(ends.iter().filter(|e| **e == over).count(), 2);
    assert_eq!(ends[1_000..], [over.clone(), over]);
    // 167 turns of 6.
    assert_eq!(took, 167 * SECOND);
}

/// Ends of `n` writes of different keys, how many were stored, and how long all took.
fn writes(seed: u64, n: u64) -> (Vec<Result<(), KvError>>, u64, Duration) {
    let (executor, store) = bench();
    let fault = |kind| match kind {
        OpKind::Write => Shares {
            unavailable: 0.3,
            answer_lost: 0.1,
        },
        _ => Shares::default(),
    };
    let faults = Faults::new(seed, fault, |_, random| {
        use rand::RngExt;
        Duration::from_millis(random.random_range(1..=9))
    });
    let kv = Faulty::new(store.invocation(), executor.handle(), faults);
    let clock = executor.handle();
    let (ends, took) = executor.block_on(async move {
        let start = clock.now();
        let mut ends = Vec::new();
        for i in 0..n {
            assert!(kv.get("other kinds do not fail").await.is_ok());
            ends.push(put(&kv, &i.to_string()).await);
        }
        (ends, clock.now().since(start))
    });
    (ends, store.key_count() as u64, took)
}

#[test]
fn failures_come_at_their_rates_and_an_answer_lost_is_a_write_done() {
    let n = 4_000;
    let (ends, stored, took) = writes(7, n);
    let count = |e| ends.iter().filter(|x| **x == e).count() as f64;
    let unavailable = count(Err(KvError::Unavailable));
    let lost = count(Err(KvError::Timeout));
    // Five standard deviations of a binomial count: of 0.3 they are 145, of 0.1 they are 95.
    assert!((unavailable - 1_200.0).abs() < 145.0, "{unavailable}");
    assert!((lost - 400.0).abs() < 95.0, "{lost}");
    assert_eq!(stored, n - unavailable as u64);
    // The mean of 8,000 uniform latencies of 1 to 9 ms, with five standard errors (2.58 ms / sqrt n).
    let mean = took.as_secs_f64() * 1e3 / (2 * n) as f64;
    assert!((mean - 5.0).abs() < 0.15, "{mean}");
    assert_eq!(writes(7, 100), writes(7, 100));
    assert_ne!(writes(7, 100).0, writes(8, 100).0);
}

#[test]
fn a_part_of_a_kv_sees_and_touches_nothing_else() {
    let (executor, store) = bench();
    let (other, kept) = (store.invocation(), store.invocation());
    let own = Prefixed::new(store.invocation(), "own/");
    let own = Rc::new(own);
    let clone = Rc::clone(&own);
    executor.block_on(async move {
        put(&other, "a").await.unwrap();
        put(&other, "own").await.unwrap();
        put(&*own, "a").await.unwrap();
        put(&*own, "b/1").await.unwrap();
        let listed = own.list("", None, 10).await.unwrap();
        let names: Vec<&str> = listed.keys.iter().map(|k| &*k.name).collect();
        assert_eq!(names, ["a", "b/1"]);
        assert_eq!(own.get("own").await, Ok(None));
        assert_eq!(own.written(), ["a", "b/1"]);
        own.delete("a").await.unwrap();
    });
    assert_eq!(clone.written(), ["b/1"]);
    let left = executor.block_on(async move { kept.list("", None, 10).await.unwrap().keys });
    let left: Vec<&str> = left.iter().map(|k| &*k.name).collect();
    assert_eq!(left, ["a", "own", "own/b/1"]);
}

/// The failures of a scenario in front of any KV: at its rates, and as slow as its profile says.
#[test]
fn a_kv_fails_as_a_scenario_says() {
    let settings = [
        "failures.write={error=\"20%\",timeout=\"10%\",answer_lost=\"5%\"}",
        "failures.timeout=\"3 s\"",
        "latency.write={kind=\"constant\",value=\"7 ms\"}",
        "failures.windows=[{start=\"0 s\",length=\"1 s\",error=\"100%\"}]",
    ];
    let scenario = Scenario::load("default", &[], None, &overrides(&settings, &[])).unwrap();
    let start = Timestamp::from_secs(1_793_577_600);
    let mut faults = ScenarioFaults::new(&scenario, start).unwrap();
    // The window, then the rates.
    let early = faults.next(OpKind::Write, start + SECOND / 2);
    assert_eq!(early, (Fault::Error, Duration::from_millis(7)));
    let n = 10_000;
    let mut counts = [0.0; 4];
    for _ in 0..n {
        let (at, took) = match faults.next(OpKind::Write, start + SECOND) {
            (Fault::None, took) => (0, took),
            (Fault::Error, took) => (1, took - Duration::from_millis(7)),
            (Fault::Timeout, took) => (2, took - 3 * SECOND),
            (Fault::AnswerLost, took) => (3, took - 3 * SECOND),
            (other, _) => panic!("{other:?}"),
        };
        assert_eq!(took, Duration::ZERO);
        counts[at] += 1.0;
    }
    // Five standard deviations of binomial counts.
    for (count, share) in counts.into_iter().zip([0.65, 0.2, 0.1, 0.05]) {
        let n = f64::from(n);
        assert!((count - n * share).abs() < 5.0 * (n * share * (1.0 - share)).sqrt());
    }
    let calm = Scenario::load("default", &[], None, &[]).unwrap();
    assert!(ScenarioFaults::new(&calm, start).is_none());
}
