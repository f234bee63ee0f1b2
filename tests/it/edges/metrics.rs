//! Edges of the metrics system: its defaults, its words, who is woken, when a breaker closes.

use kvplan::cloud::kv::KvStore;
use kvplan::models::load;
use kvplan::sim::executor::Executor;
use kvplan::telemetry::aggregate::{Aggregate, ProviderNames};
use kvplan::telemetry::alerts::Level;
use kvplan::telemetry::collector::Collector;
use kvplan::telemetry::load::run_concurrent_requests;
use kvplan::telemetry::policy::{BreakerPolicy, Policy};
use kvplan::telemetry::ports::{Archive, Clock, KvError, OpKind};
use kvplan::telemetry::record::Record;
use kvplan::telemetry::resilience::{Breaker, BreakerState};
use kvplan::telemetry::semaphore::Room;
use kvplan::units::Timestamp;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn policy() -> Policy {
    toml::from_str("name = \"plain\"").unwrap()
}

fn breaker() -> BreakerPolicy {
    BreakerPolicy {
        failure_threshold: 2,
        open_for: SECOND,
        half_open_probes: 2,
    }
}

#[test]
fn what_a_policy_does_not_say_is_as_documented() {
    let p = policy();
    assert_eq!(p.batch.max_wait, SECOND * 5);
    assert_eq!(p.layout.bucket, SECOND * 3_600);
    assert_eq!(p.layout.retention, SECOND * 8 * 86_400);
}

#[test]
fn a_breaker_has_no_zero() {
    type Change = fn(&mut BreakerPolicy);
    let changes: [Change; 3] = [
        |b| b.failure_threshold = 0,
        |b| b.half_open_probes = 0,
        |b| b.open_for = Duration::ZERO,
    ];
    let mut p = policy();
    p.breaker = Some(breaker());
    assert!(p.validate().is_ok());
    for change in changes {
        let mut broken = breaker();
        change(&mut broken);
        p.breaker = Some(broken);
        let error = p.validate().unwrap_err().to_string();
        assert!(error.contains("breaker"), "{error}");
    }
}

#[test]
fn a_breaker_that_has_closed_counts_from_nothing() {
    let policy = breaker();
    let mut b = Breaker::default();
    let now = Timestamp::from_secs(100);
    for _ in 0..2 {
        b.admit(&policy, now).unwrap();
        b.settle(&policy, true, now);
    }
    assert_eq!(b.state(), BreakerState::Open);
    let later = now + SECOND;
    for _ in 0..2 {
        b.admit(&policy, later).unwrap();
    }
    assert!(b.admit(&policy, later).is_err(), "two probes and no more");
    b.settle(&policy, false, later);
    assert_eq!(b.state(), BreakerState::HalfOpen);
    b.settle(&policy, false, later);
    assert_eq!(b.state(), BreakerState::Closed);
    b.admit(&policy, later).unwrap();
    b.settle(&policy, true, later);
    assert_eq!(b.state(), BreakerState::Closed, "one failure of two");
}

#[test]
fn words_of_a_service_are_understood() {
    for words in [
        "Too many API requests by single Worker invocation.",
        "Too many subrequests.",
    ] {
        assert_eq!(KvError::answered(500, words), KvError::InvocationLimit);
    }
    let other = KvError::answered(500, "no");
    assert!(matches!(other, KvError::Answered { status: 500, .. }));
    assert_eq!(Level::Warning.to_string(), "warning");
    assert_eq!(Level::Critical.to_string(), "critical");
}

#[test]
fn nothing_can_be_put_into_an_archive_that_is_not_there() {
    let executor = Executor::new(Timestamp::EPOCH);
    let put = executor.block_on(async { Archive::put(&(), "key", vec![1]).await });
    assert!(put.is_err());
}

#[test]
fn who_waits_for_room_is_woken_in_turn_and_nobody_else_later() {
    let room = Room::default();
    let mut cx = Context::from_waker(Waker::noop());
    let (mut first, mut second) = (pin!(room.wait()), pin!(room.wait()));
    assert!(first.as_mut().poll(&mut cx).is_pending());
    assert!(second.as_mut().poll(&mut cx).is_pending());
    room.wake(1);
    assert!(second.as_mut().poll(&mut cx).is_pending());
    assert!(first.as_mut().poll(&mut cx).is_ready());
    room.wake(5);
    assert!(second.as_mut().poll(&mut cx).is_ready());
    // The four others were for nobody: they do not lie about for whom comes.
    assert!(pin!(room.wait()).as_mut().poll(&mut cx).is_pending());
}

#[test]
fn a_burst_counts_its_errors() {
    let executor = Executor::new(Timestamp::EPOCH);
    let clock = executor.handle();
    let burst = executor.block_on(async move {
        let request = |i| async move { if i == 0 { Err(()) } else { Ok(()) } };
        run_concurrent_requests(&clock, 3, request).await
    });
    assert_eq!((burst.errors, burst.duration), (1, Duration::ZERO));
}

/// Of two consumers the first stores what both have taken in; the second has nothing to wait for.
#[test]
fn what_another_consumer_has_stored_is_not_written_again() {
    let start = Timestamp::from_secs(1_793_577_600);
    let executor = Executor::new(start);
    let sim = executor.handle();
    let mut names = ProviderNames::default();
    let mut message = Aggregate::default();
    message.add(&Record {
        at: start,
        provider: names.intern("acme"),
        latency: SECOND,
        success: true,
        tokens: 1,
    });
    let message = message.encode(&names);
    let mut plain = policy();
    plain.batch.min_interval = SECOND * 7;
    let collector = Collector::new(Rc::new(plain), sim.clone(), "consumer", 1);
    let kv = KvStore::counting(load("cloudflare", None, &[]).unwrap(), sim.clone());
    let (stored, writes, took) = executor.block_on(async move {
        for _ in 0..2 {
            assert_eq!(collector.absorb(&message), Ok(1));
        }
        for _ in 0..2 {
            let handle = kv.invocation();
            collector.store_absorbed(&handle).await.unwrap();
        }
        let stored = collector.counters().stored;
        let took = sim.now().since(start);
        (stored, kv.meter().issued(OpKind::Write), took)
    });
    assert_eq!((stored, writes, took), (2, 1, Duration::ZERO));
}
