//! The virtual KV against Cloudflare's documented behaviour.

use kvplan::cloud::failure::FailureSpec;
use kvplan::cloud::kv::{
    BillingRules, DailyQuota, KvConfig, KvLatency, KvLimits, KvStore, OpOutcome,
};
use kvplan::cloud::latency::LatencyProfile;
use kvplan::models::dist::{Dist, Sampler};
use kvplan::models::load;
use kvplan::sim::executor::{Executor, SimHandle};
use kvplan::sim::random::Streams;
use kvplan::telemetry::load::join_all;
use kvplan::telemetry::ports::{Clock, Kv, KvError, OpKind, PutOptions};
use kvplan::units::Timestamp;
use proptest::prelude::*;
use rand::RngExt;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
/// A Monday, 00:00 UTC.
const START: Timestamp = Timestamp::from_secs(1_793_577_600);

struct World {
    executor: Executor,
    sim: SimHandle,
    store: Rc<KvStore>,
}

fn world(latency: Duration, failures: &str, quota: DailyQuota) -> World {
    let limits: KvLimits = load("cloudflare", None, &[]).unwrap();
    limited_world(limits.of_plan("free"), latency, failures, quota)
}

fn limited_world(limits: KvLimits, latency: Duration, failures: &str, quota: DailyQuota) -> World {
    let executor = Executor::new(START);
    let sim = executor.handle();
    let config = KvConfig {
        limits,
        latency: KvLatency::uniform(Sampler::constant(latency)),
        failures: toml::from_str::<FailureSpec>(failures).unwrap(),
        origin: START,
        quota,
        consistency: None,
    };
    let store = KvStore::new(config, sim.clone(), &Streams::new(3, 0));
    World {
        executor,
        sim,
        store,
    }
}

fn plain() -> World {
    world(Duration::ZERO, "", DailyQuota::default())
}

impl World {
    fn run<T: 'static, F: Future<Output = T> + 'static>(
        &self,
        f: impl FnOnce(kvplan::cloud::kv::KvHandle, SimHandle) -> F,
    ) -> T {
        self.executor
            .block_on(f(self.store.invocation(), self.sim.clone()))
    }

    fn put(&self, key: &str, value: &[u8], options: PutOptions) -> Result<(), KvError> {
        let (key, value) = (key.to_owned(), value.to_vec());
        self.run(|kv, _| async move { kv.put(&key, value, options).await })
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        let key = key.to_owned();
        self.run(|kv, _| async move { kv.get(&key).await.map(|v| v.map(|v| v.to_vec())) })
    }

    fn wait(&self, d: Duration) {
        self.executor.run_until(self.sim.now() + d);
    }
}

fn ttl(d: Duration) -> PutOptions {
    PutOptions {
        expiration_ttl: Some(d),
        metadata: None,
    }
}

#[test]
fn documented_limits_are_enforced() {
    let w = plain();
    let big = "k".repeat(513);
    for key in ["", ".", "..", big.as_str()] {
        assert!(
            matches!(
                w.put(key, b"v", PutOptions::default()),
                Err(KvError::Invalid(_))
            ),
            "{key}"
        );
    }
    assert!(w.put(&"k".repeat(512), b"v", PutOptions::default()).is_ok());
    let metadata = |n: usize| PutOptions {
        metadata: Some(vec![0; n].into()),
        expiration_ttl: None,
    };
    assert!(w.put("a", b"v", metadata(1_024)).is_ok());
    assert!(w.put("b", b"v", metadata(1_025)).is_err());
    assert!(w.put("c", b"v", ttl(SECOND * 59)).is_err());
    assert!(w.put("c", b"v", ttl(SECOND * 60)).is_ok());
    assert!(
        w.put("d", &vec![0; 25 * 1_048_576], PutOptions::default())
            .is_ok()
    );
    assert!(
        w.put("e", &vec![0; 25 * 1_048_576 + 1], PutOptions::default())
            .is_err()
    );
    let many: Vec<String> = (0..101).map(|i| format!("k{i}")).collect();
    assert!(
        w.run(|kv, _| async move {
            kv.read(
                &many.iter().map(String::as_str).collect::<Vec<_>>(),
                Default::default(),
            )
            .await
        })
        .is_err()
    );
    assert!(
        w.run(|kv, _| async move { kv.list("", None, 1_001).await })
            .is_err()
    );
    w.store.meter().check().unwrap();
}

#[test]
fn a_key_takes_one_write_a_second() {
    let w = plain();
    assert_eq!(w.put("k", b"1", PutOptions::default()), Ok(()));
    assert_eq!(
        w.put("k", b"2", PutOptions::default()),
        Err(KvError::RateLimited)
    );
    assert_eq!(w.put("other", b"2", PutOptions::default()), Ok(()));
    assert_eq!(w.get("k"), Ok(Some(b"1".to_vec())));
    w.wait(SECOND);
    assert_eq!(w.put("k", b"3", PutOptions::default()), Ok(()));
    assert_eq!(w.get("k"), Ok(Some(b"3".to_vec())));
    let m = w.store.meter();
    assert_eq!(m.count(OpKind::Write, OpOutcome::RateLimited), 1);
    let refused = BillingRules {
        rate_limited: true,
        ..BillingRules::DONE
    };
    assert_eq!(
        (
            m.billed(OpKind::Write, refused),
            m.billed(OpKind::Write, BillingRules::DONE)
        ),
        (4, 3)
    );
}

/// Against a list of when each key was last let in, with deletes, keys that expire before another write is let in, and
/// more keys than are remembered without a look whether they matter.
#[test]
fn the_limit_on_writes_to_a_key_outlives_the_key() {
    let excess = ["same_key_write_interval=\"90 s\"".to_owned()];
    let overrides = kvplan::models::parse_overrides(&excess).unwrap();
    let limits: KvLimits = load("cloudflare", None, &overrides).unwrap();
    let w = limited_world(limits, Duration::ZERO, "", DailyQuota::default());
    let mut rng = Streams::new(11, 0).stream("writes");
    let mut let_in: HashMap<String, u64> = HashMap::new();
    let mut seen = [0; 4];
    for step in 0..30_000 {
        let now = w.sim.now().since(START).as_secs();
        // At first so many others that those of long ago are forgotten.
        let key = match step {
            0..5_000 => format!("other/{step}"),
            _ => rng.random_range(0..60).to_string(),
        };
        let last = let_in.get(&key);
        let expected = match last {
            Some(last) if now - last < 90 => Err(KvError::RateLimited),
            _ => Ok(()),
        };
        let deletes = step < 5_000 || rng.random_ratio(1, 3);
        let done = if deletes {
            let key = key.clone();
            w.run(|kv, _| async move { kv.delete(&key).await })
        } else {
            let expiration_ttl = rng.random_bool(0.5).then_some(SECOND * 60);
            let options = PutOptions {
                expiration_ttl,
                metadata: None,
            };
            w.put(&key, b"1", options)
        };
        assert_eq!(done, expected, "step {step}, key {key}");
        seen[usize::from(deletes) * 2 + usize::from(done.is_ok())] += 1;
        if done.is_ok() {
            let_in.insert(key, now);
        }
        if step >= 5_000 {
            w.wait(SECOND * rng.random_range(0..5));
        }
    }
    assert!(seen.iter().all(|n| *n > 1_000), "{seen:?}");
    w.store.meter().check().unwrap();
}

/// Ten at once read a number, add one and write it back: documented is that one of them succeeds and
/// the others are refused, reported that all succeed and nine additions are lost.
#[test]
fn a_key_written_too_often_refuses_or_is_overwritten() {
    let ten_at_once = |excess: &str| {
        let excess = format!("same_key_excess=\"{excess}\"");
        let overrides = kvplan::models::parse_overrides(std::slice::from_ref(&excess)).unwrap();
        let limits = load("cloudflare", None, &overrides).unwrap();
        let w = limited_world(limits, SECOND / 10, "", DailyQuota::default());
        w.put("k", &[0], PutOptions::default()).unwrap();
        w.wait(SECOND * 2);
        let answers = w.run(|kv, _| async move {
            let add = async || {
                let number = kv.get("k").await?.unwrap()[0];
                kv.put("k", vec![number + 1], PutOptions::default()).await
            };
            join_all((0..10).map(|_| add())).await
        });
        let done = answers.iter().filter(|a| a.is_ok()).count();
        let meter = w.store.meter();
        meter.check().unwrap();
        let refused = meter.count(OpKind::Write, OpOutcome::RateLimited);
        let billed = meter.billed(OpKind::Write, BillingRules::DONE);
        let number = w.get("k").unwrap().unwrap()[0];
        println!(
            "{excess}: {done} told that it is done, {refused} refused, the number is {number}"
        );
        (done, refused, billed, number)
    };
    assert_eq!(ten_at_once("refuse"), (1, 9, 2, 1));
    assert_eq!(ten_at_once("overwrite"), (10, 0, 11, 1));
}

/// The time that a share `q` of the durations does not exceed.
fn quantile_ms(dist: &Dist, q: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1e6);
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if dist.cdf(middle) < q {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The profiles give back what is published (rounded there to "about"): within 2%. Of `n` draws, the
/// number at or below a quantile is binomial; four standard deviations of it bound the rank of the
/// quantile of the draws.
#[test]
fn reads_take_as_long_as_published() {
    let reads = |p: &LatencyProfile| p.read.clone();
    let hot = |p: &LatencyProfile| p.hot_read.clone();
    type Of = fn(&LatencyProfile) -> Dist;
    let published: [(&str, &str, Of, f64, f64); 8] = [
        ("kv-2024", "reads", reads, 0.95, 150.0),
        ("kv-2024", "reads", reads, 0.99, 350.0),
        ("kv-2025", "reads", reads, 0.95, 50.0),
        ("kv-2025", "reads", reads, 0.99, 250.0),
        ("kv-2025", "hot reads", hot, 0.99, 160.0),
        ("kv-2026", "reads", reads, 0.95, 50.0),
        ("kv-2026", "reads", reads, 0.99, 287.0),
        ("kv-2026", "hot reads", hot, 0.99, 160.0),
    ];
    let n = 200_000;
    for (i, (name, what, of, q, expected)) in published.into_iter().enumerate() {
        let dist = of(&load(name, None, &[]).unwrap());
        let exact = quantile_ms(&dist, q);
        let sampler = dist.sampler();
        let mut rng = Streams::new(11, i as u64).stream("latency");
        let mut drawn: Vec<f64> = (0..n)
            .map(|_| sampler.sample(&mut rng).as_secs_f64() * 1e3)
            .collect();
        drawn.sort_by(f64::total_cmp);
        let found = drawn[(q * n as f64) as usize];
        println!(
            "{name}, {what}: p{:.0} {found:.1} ms of {n} draws, {exact:.1} ms exactly, published {expected}",
            100.0 * q
        );
        assert!(
            (exact / expected - 1.0).abs() < 0.02,
            "{name} {what} {q}: {exact}"
        );
        let rank = 4.0 * (q * (1.0 - q) / n as f64).sqrt();
        assert!(
            (dist.cdf(found) - q).abs() < rank,
            "{name} {what} {q}: {found}"
        );
    }
    for name in ["kv-2024", "kv-2025", "kv-2026"] {
        let p: LatencyProfile = load(name, None, &[]).unwrap();
        // "Nearly half of all reads" are answered from memory in under a millisecond.
        let under = p.read.cdf(1.0);
        println!(
            "{name}: {:.1}% of reads within 1 ms, p50 {:.2} ms",
            100.0 * under,
            quantile_ms(&p.read, 0.5)
        );
        assert!((0.45..0.5).contains(&under), "{name}: {under}");
        // Told apart, the same reads: 95% hot, as the files assume.
        for t in [0.5, 1.0, 3.0, 10.0, 50.0, 160.0, 250.0, 1_000.0] {
            let parts = 0.95 * p.hot_read.cdf(t) + 0.05 * p.cold_read.cdf(t);
            assert!((p.read.cdf(t) - parts).abs() < 1e-9, "{name} at {t} ms");
        }
    }
}

/// A figure that is called published has an address beside it: in its own block of comments.
#[test]
fn what_is_called_published_names_its_page() {
    let mut seen = 0;
    let models = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    for folder in std::fs::read_dir(models).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let mut block = String::new();
            for line in text.lines().chain([""]) {
                if line.starts_with('#') {
                    block += line;
                    continue;
                }
                if block.contains("Published") {
                    seen += 1;
                    assert!(block.contains("https://"), "{}: {block}", path.display());
                }
                block.clear();
            }
        }
    }
    assert!(seen >= 35, "{seen}");
}

#[test]
fn a_used_up_quota_refuses_until_midnight_utc() {
    let mut quota = DailyQuota::default();
    quota.0[OpKind::Read as usize] = Some(5);
    let w = world(Duration::ZERO, "", quota);
    w.wait(Duration::from_secs(20 * 3_600));
    for _ in 0..5 {
        assert_eq!(w.get("k"), Ok(None));
    }
    assert_eq!(w.get("k"), Err(KvError::QuotaExceeded));
    assert_eq!(w.put("k", b"v", PutOptions::default()), Ok(()));
    w.wait(Duration::from_secs(4 * 3_600 - 1));
    assert_eq!(w.get("k"), Err(KvError::QuotaExceeded));
    w.wait(SECOND);
    assert_eq!(w.get("k"), Ok(Some(b"v".to_vec())));
    // A bulk read counts each key.
    let keys: Vec<String> = (0..5).map(|i| i.to_string()).collect();
    assert_eq!(
        w.run(|kv, _| async move {
            kv.read(
                &keys.iter().map(String::as_str).collect::<Vec<_>>(),
                Default::default(),
            )
            .await
        }),
        Err(KvError::QuotaExceeded)
    );
    assert_eq!(w.store.busiest_day()[OpKind::Read as usize], 5);
}

#[test]
fn keys_expire_and_storage_is_counted_to_the_second() {
    let w = plain();
    w.put("key", b"12345", ttl(SECOND * 60)).unwrap(); // 8 bytes for 60 s
    w.put("for-ever", b"12", PutOptions::default()).unwrap(); // 10 bytes
    w.wait(SECOND * 100);
    assert_eq!(w.get("key"), Ok(None));
    assert_eq!((w.store.key_count(), w.store.stored_bytes()), (1, 10));
    assert_eq!(
        w.store.meter().storage_byte_ns,
        (8 * 60 + 10 * 100) * 1_000_000_000
    );
    // Written again before it expires, a key lives from then on.
    w.put("key", b"1", ttl(SECOND * 60)).unwrap();
    w.wait(SECOND * 50);
    w.put("key", b"2", ttl(SECOND * 60)).unwrap();
    w.wait(SECOND * 50);
    assert_eq!(w.get("key"), Ok(Some(b"2".to_vec())));
}

#[test]
fn an_invocation_has_a_thousand_operations_and_six_connections() {
    let w = world(SECOND, "", DailyQuota::default());
    let start = w.sim.now();
    let results = w.run(|kv, _| async move {
        let keys: Vec<String> = (0..1_002).map(|i| format!("k{i}")).collect();
        join_all(keys.iter().map(|k| kv.get(k))).await
    });
    let refused = results
        .iter()
        .filter(|r| **r == Err(KvError::InvocationLimit))
        .count();
    assert_eq!(refused, 2);
    // A thousand operations of a second, six at a time.
    assert_eq!(w.sim.now().since(start), SECOND * 167);
    assert_eq!(w.store.operation_count(), 1_000);
}

#[test]
fn failures_leave_the_store_as_it_was_unless_only_the_answer_is_lost() {
    for (failures, outcome, stored) in [
        ("write = { error = 1.0 }", OpOutcome::Unavailable, false),
        ("write = { timeout = 1.0 }", OpOutcome::Timeout, false),
        ("write = { answer_lost = 1.0 }", OpOutcome::AnswerLost, true),
    ] {
        let w = world(Duration::from_millis(10), failures, DailyQuota::default());
        assert!(w.put("k", b"v", PutOptions::default()).is_err());
        assert_eq!(
            w.store.meter().count(OpKind::Write, outcome),
            1,
            "{failures}"
        );
        assert_eq!(w.get("k").unwrap().is_some(), stored, "{failures}");
        assert_eq!(w.store.stored_bytes() > 0, stored);
    }
}

/// Failures of reads at 20%: binomial, within four standard deviations.
#[test]
fn failures_come_at_their_rate_and_by_kind() {
    let w = world(
        Duration::ZERO,
        "read = { error = 0.2 }",
        DailyQuota::default(),
    );
    let n = 20_000_u64;
    for _ in 0..n {
        let _ = w.get("k");
    }
    let failed = w.store.meter().count(OpKind::Read, OpOutcome::Unavailable) as f64;
    assert!(
        (failed - 0.2 * n as f64).abs() < 4.0 * (n as f64 * 0.16).sqrt(),
        "{failed}"
    );
    assert_eq!(w.put("k", b"v", PutOptions::default()), Ok(()));
}

#[test]
fn outages_and_brown_outs_begin_and_end() {
    let windows = "[[windows]]\nstart = \"10 s\"\nlength = \"5 s\"\nerror = 1.0\n[[windows]]\nstart = \"20 s\"\nlength = \"5 s\"\nlatency_factor = 10.0\n";
    let w = world(Duration::from_millis(100), windows, DailyQuota::default());
    let mut answers = Vec::new();
    for _ in 0..26 {
        let start = w.sim.now();
        let ok = w.get("k").is_ok();
        answers.push((ok, w.sim.now().since(start).as_millis()));
        let next = START + SECOND * (answers.len() as u32);
        w.executor.run_until(next);
    }
    for (s, (ok, ms)) in answers.into_iter().enumerate() {
        assert_eq!(ok, !(10..15).contains(&s), "second {s}");
        assert_eq!(
            ms,
            if (20..25).contains(&s) { 1_000 } else { 100 },
            "second {s}"
        );
    }
    // Alternating at random: down for a quarter of the time.
    let w = world(
        Duration::ZERO,
        "outages = { mean_up = \"30 s\", mean_down = \"10 s\" }",
        DailyQuota::default(),
    );
    let n = 40_000;
    let mut down = 0.0;
    for _ in 0..n {
        down += f64::from(w.get("k").is_err());
        w.wait(SECOND);
    }
    // 1,000 cycles; the share of each has a standard deviation below 0.25.
    assert!(
        (down / f64::from(n) - 0.25).abs() < 4.0 * 0.25 / 1_000_f64.sqrt(),
        "{down}"
    );
}

#[test]
fn an_operation_whose_caller_is_gone_has_still_been_done() {
    let w = world(SECOND, "", DailyQuota::default());
    let kv = w.store.invocation();
    let task = w.sim.spawn(async move {
        let _ = kv.put("k", b"v".to_vec(), PutOptions::default()).await;
    });
    w.wait(Duration::from_millis(500));
    w.sim.cancel(task);
    assert_eq!(w.get("k"), Ok(Some(b"v".to_vec())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The pages of a list, put together, are the keys with the prefix, in order and once each.
    #[test]
    fn pages_of_a_list_make_up_the_whole(keys in prop::collection::btree_set("[ab][a-d]{0,4}", 0..60), limit in 1_usize..10) {
        let w = plain();
        for k in &keys {
            w.put(k, b"v", PutOptions::default()).unwrap();
        }
        let listed: Vec<String> = w.run(|kv, _| async move {
            let (mut names, mut cursor) = (Vec::new(), None);
            loop {
                let page = kv.list("a", cursor.as_deref(), limit).await.unwrap();
                assert!(page.keys.len() <= limit);
                names.extend(page.keys.into_iter().map(|k| k.name.to_string()));
                cursor = page.cursor;
                if cursor.is_none() { return names; }
            }
        });
        let expected: Vec<String> = keys.into_iter().filter(|k| k.starts_with('a')).collect();
        prop_assert_eq!(listed, expected);
    }
}
