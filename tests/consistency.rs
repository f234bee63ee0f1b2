//! Reads at several places: when they see a write, and how old their answers are.

use kvplan::cloud::consistency::ConsistencySpec;
use kvplan::cloud::failure::FailureSpec;
use kvplan::cloud::kv::{Consistency, DailyQuota, KvConfig, KvLatency, KvStore};
use kvplan::config::load;
use kvplan::sim::dist::Sampler;
use kvplan::sim::executor::Executor;
use kvplan::sim::random::Streams;
use kvplan::telemetry::ports::{Clock, Kv, KvError, PutOptions, ReadOptions};
use kvplan::units::Timestamp;
use rand_distr::{Distribution, Exp1};
use std::rc::Rc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// Two places, a propagation delay of two seconds, hot reads in 1 ms and cold ones in 50 ms.
fn world(propagation: &str, negative: bool) -> (Executor, Rc<KvStore>) {
    let executor = Executor::new(Timestamp::from_secs(1_000_000));
    let spec: ConsistencySpec = toml::from_str(&format!(
        "title = \"t\"\npropagation = {{ kind = \"constant\", value = \"{propagation}\" }}\ndefault_cache_ttl = \"60 s\"\nnegative_caching = {negative}"
    ))
    .unwrap();
    let config = KvConfig {
        limits: load("cloudflare", None, &[]).unwrap(),
        latency: KvLatency::uniform(Sampler::constant(Duration::ZERO)),
        failures: FailureSpec::default(),
        origin: Timestamp::EPOCH,
        quota: DailyQuota::default(),
        consistency: Some(Consistency {
            spec,
            places: 2,
            hot: Sampler::constant(MS),
            cold: Sampler::constant(50 * MS),
        }),
    };
    let store = KvStore::new(config, executor.handle(), &Streams::new(1, 0));
    (executor, store)
}

struct Reader<'a>(&'a Executor, &'a Rc<KvStore>);

impl Reader<'_> {
    fn put(&self, place: usize, value: &'static str) {
        let kv = self.1.invocation_at(place);
        let done = self
            .0
            .block_on(async move { kv.put("k", value.into(), PutOptions::default()).await });
        done.unwrap();
    }

    /// The value seen at a place, and the milliseconds that took.
    fn get(&self, place: usize, ttl_s: u64) -> (Option<String>, u128) {
        let (kv, sim) = (self.1.invocation_at(place), self.0.handle());
        self.0.block_on(async move {
            let start = sim.now();
            let cache_ttl = Some(Duration::from_secs(ttl_s));
            let values = kv.read(&["k"], ReadOptions { cache_ttl }).await.unwrap();
            let text = values[0]
                .as_ref()
                .map(|v| String::from_utf8(v.to_vec()).unwrap());
            (text, sim.now().since(start).as_millis())
        })
    }

    fn wait(&self, seconds: u64) {
        let sim = self.0.handle();
        self.0
            .block_on(async move { sim.sleep(Duration::from_secs(seconds)).await });
    }
}

#[test]
fn a_write_is_seen_at_once_where_it_was_made_and_later_elsewhere() {
    let (executor, store) = world("2 s", true);
    let at = Reader(&executor, &store);
    at.put(0, "a");
    assert_eq!(at.get(0, 60), (Some("a".into()), 1));
    // Elsewhere the key is not there yet, and its absence is remembered for the TTL.
    assert_eq!(at.get(1, 30), (None, 50));
    at.wait(10);
    assert_eq!(at.get(1, 30), (None, 1));
    at.wait(25);
    assert_eq!(at.get(1, 30), (Some("a".into()), 50));
    // A newer value stays unseen while the cache answers.
    at.put(0, "b");
    at.wait(20);
    assert_eq!(at.get(1, 30), (Some("a".into()), 1));
    at.wait(11);
    assert_eq!(at.get(1, 30), (Some("b".into()), 50));
    let ages = store.read_ages().unwrap();
    assert_eq!((ages.reads, ages.hot), (6, 3));
    assert_eq!(ages.stale, 3, "absent twice, outdated once");
}

#[test]
fn without_negative_caching_absence_is_not_remembered() {
    let (executor, store) = world("0 s", false);
    let at = Reader(&executor, &store);
    assert_eq!(at.get(1, 60), (None, 50));
    at.put(0, "a");
    assert_eq!(at.get(1, 60), (Some("a".into()), 50));
}

#[test]
fn a_list_shows_what_has_become_visible() {
    let (executor, store) = world("2 s", true);
    let at = Reader(&executor, &store);
    at.put(0, "a");
    let keys = || {
        let kv = store.invocation_at(1);
        executor.block_on(async move { kv.list("k", None, 10).await.unwrap().keys.len() })
    };
    assert_eq!(keys(), 0);
    at.wait(3);
    assert_eq!(keys(), 1);
}

#[test]
fn a_cache_ttl_below_the_minimum_is_refused() {
    let (executor, store) = world("0 s", true);
    let kv = store.invocation_at(0);
    let cache_ttl = Some(Duration::from_secs(29));
    let answer = executor.block_on(async move { kv.read(&["k"], ReadOptions { cache_ttl }).await });
    assert_eq!(answer, Err(KvError::Invalid("cacheTtl below the minimum")));
}

/// Reads at rate `r` of one key at a place, with TTL `T`: `r T / (1 + r T)` are hot. The key is
/// written at rate `w` elsewhere; at cache age `a` the answer has been outdated for
/// `a - (1 - e^(-w a)) / w` on average, and hot reads see `a` evenly between 0 and `T`.
#[test]
fn ages_follow_the_closed_form() {
    let (executor, store) = world("0 s", true);
    let (r, w, ttl_s, reads) = (0.1, 0.05, 60.0, 40_000);
    let streams = Streams::new(7, 0);
    let (sim, place) = (executor.handle(), Rc::clone(&store));
    let mut rng = streams.stream("writes");
    let end = sim.now() + Duration::from_secs_f64(f64::from(reads) / r);
    executor.handle().spawn(async move {
        while sim.now() < end {
            let gap: f64 = Exp1.sample(&mut rng);
            sim.sleep(Duration::from_secs_f64(gap / w)).await;
            let writer = place.invocation_at(0);
            let _ = writer.put("k", b"v".to_vec(), PutOptions::default()).await;
        }
    });
    let (sim, place) = (executor.handle(), Rc::clone(&store));
    let mut rng = streams.stream("reads");
    executor.handle().spawn(async move {
        while sim.now() < end {
            let gap: f64 = Exp1.sample(&mut rng);
            sim.sleep(Duration::from_secs_f64(gap / r)).await;
            let reader = place.invocation_at(1);
            sim.spawn(async move {
                let _ = reader.get("k").await;
            });
        }
    });
    executor.run_to_idle();
    let ages = store.read_ages().unwrap();
    let n = ages.reads as f64;
    // Fills are a renewal process with about n / (1 + r T) cycles; four standard errors of a
    // count whose variance per cycle is that of a Poisson number.
    let hot = r * ttl_s / (1.0 + r * ttl_s);
    let cycles = n / (1.0 + r * ttl_s);
    let bound = 4.0 * hot / cycles.sqrt();
    assert!((ages.hot as f64 / n - hot).abs() < bound);
    // A writer that is refused with 429 (a second write within a second) does not outdate anything:
    // the rate of writes that count is w / (1 + w * 1 s).
    let w = w / (1.0 + w);
    let mean_hot = ttl_s / 2.0 - (1.0 - (1.0 - (-w * ttl_s).exp()) / (w * ttl_s)) / w;
    let expected = hot * mean_hot;
    let found = ages.age_sum_s / n;
    let bound = 4.0 * ttl_s / 2.0 / cycles.sqrt();
    assert!(
        (found - expected).abs() < bound,
        "{found} vs {expected} ± {bound}"
    );
}
