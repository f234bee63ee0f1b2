//! The metrics system on Cloudflare's own runtime: it writes as often, and in as many batches, as on the
//! virtual KV for the same arrivals, and loses nothing.
//!
//! Five seconds of traffic for each policy; `KVPLAN_COUNTS_SECONDS` says how many else.

use super::workerd::{Workerd, in_real_time};
use kvplan::cloud::kv::{KvLimits, KvStore, SameKeyExcess};
use kvplan::models::load;
use kvplan::sim::executor::{Executor, SimHandle};
use kvplan::study::validate::Ports;
use kvplan::telemetry::collector::Collector;
use kvplan::telemetry::host::{Answer, Host, Invocation};
use kvplan::telemetry::policy::Policy;
use kvplan::telemetry::ports::{Clock, Kv, OpKind, WaitUntil};
use kvplan::units::Timestamp;
use kvplan_remote::Values;
use kvplan_remote::clock::SystemClock;
use kvplan_remote::decorators::Metered;
use kvplan_remote::wait::Background;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

const POLICIES: [&str; 4] = ["naive", "optimised", "batch-keys", "optimised-fleet"];
const RATE: u32 = 20;
const HOUR: Duration = Duration::from_secs(3_600);

/// `waitUntil` on the virtual clock.
#[derive(Clone)]
struct Spawned(SimHandle);

impl WaitUntil for Spawned {
    fn wait_until(&self, work: impl Future<Output = ()> + 'static) {
        self.0.spawn(work);
    }
}

/// What came of some traffic.
#[derive(Debug, PartialEq)]
struct Counts {
    accepted: u64,
    lost: u64,
    writes: u64,
    failed_writes: u64,
    batches: u64,
    batched_records: u64,
    /// Requests that a query then finds in the KV.
    found: u64,
}

/// Records a request at each of the times, waits for the responses, and flushes.
async fn traffic<K, W, C>(
    policy: &str,
    arrivals: impl Iterator<Item = Timestamp>,
    (kv, wait): (Metered<K, C>, W),
    clock: C,
) -> (Counts, Vec<Timestamp>)
where
    K: Kv + 'static,
    W: WaitUntil + Clone + 'static,
    C: Clock + Clone + 'static,
{
    let policy: Policy = load(policy, None, &[]).unwrap();
    let host = Host::new(Collector::new(Rc::new(policy), clock.clone(), "w", 1));
    let ports = Ports::new(kv, wait);
    let provider = host.collector().provider("p");
    let mut at = Vec::new();
    for due in arrivals {
        clock.sleep(due.since(clock.now())).await;
        at.push(clock.now());
        let latency = Duration::from_millis(100);
        if let Answer::Later(answer) = host.record(provider, latency, true, 10, &ports) {
            ports.wait_until(async move { answer.await.unwrap() });
        }
    }
    // Long enough for writes that are under way; then what waits for its age is written now.
    clock.sleep(Duration::from_secs(2)).await;
    host.collector().flush(ports.kv()).await.unwrap();
    host.collector().check_conservation().unwrap();
    let (meter, counters) = (ports.kv().meter(), host.collector().counters());
    let metrics = host.collector().fetch_metrics(ports.kv(), HOUR).await;
    let writes = meter.of(OpKind::Write);
    let ok = writes.outcomes.get("ok").copied().unwrap_or_default();
    let counts = Counts {
        accepted: counters.accepted,
        lost: counters.lost_total(),
        writes: writes.operations,
        failed_writes: writes.operations - ok,
        batches: counters.flushes,
        batched_records: counters.flushed_records,
        found: metrics.unwrap().provider("p").map_or(0, |p| p.count),
    };
    (counts, at)
}

fn on_the_virtual_kv(policy: &'static str, arrivals: Vec<Timestamp>) -> Counts {
    let executor = Executor::new(arrivals[0]);
    let clock = executor.handle();
    // As on the local runtime, which does not hold the pace of a key.
    let limits = KvLimits {
        same_key_excess: SameKeyExcess::Overwrite,
        ..load("cloudflare", None, &[]).unwrap()
    };
    let store = KvStore::counting(limits, clock.clone());
    let kv = Metered::new(store.invocation(), clock.clone());
    let ports = (kv, Spawned(clock.clone()));
    let run = traffic(policy, arrivals.into_iter(), ports, clock);
    executor.block_on(async move { run.await.0 })
}

#[test]
fn workerd_sees_the_writes_and_batches_that_the_simulator_says() {
    let seconds = std::env::var("KVPLAN_COUNTS_SECONDS");
    let seconds: u32 = seconds.map_or(5, |s| s.parse().unwrap());
    let n = u64::from(RATE * seconds);
    for policy in POLICIES {
        // One each: a query of one policy is not to find another's keys.
        let Some(workerd) = Workerd::start(None) else {
            return;
        };
        let bridge = workerd.bridge(Values::Text, None);
        let kv = Metered::new(bridge.clone(), SystemClock);
        let (real, arrivals) = in_real_time(async {
            let start = SystemClock.now();
            let due = (0..RATE * seconds).map(|i| start + Duration::from_secs(1) / RATE * i);
            traffic(policy, due, (kv, Background::default()), SystemClock).await
        });
        println!("{policy}: {real:?}");
        assert_eq!(
            (real.accepted, real.lost, real.found),
            (n, 0, n),
            "{policy}"
        );
        let why = bridge.last_failure();
        assert_eq!(real.failed_writes, 0, "{policy}: {why:?}");
        assert_eq!(real, on_the_virtual_kv(policy, arrivals), "{policy}");
    }
}
