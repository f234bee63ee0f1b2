//! Reads at several places: when they see a write, and how old their answers are.

use kvplan::cloud::consistency::ConsistencySpec;
use kvplan::cloud::failure::FailureSpec;
use kvplan::cloud::kv::{
    BillingRules, Consistency, DailyQuota, KvConfig, KvLatency, KvStore, OpOutcome,
};
use kvplan::models::dist::{Dist, Sampler};
use kvplan::models::{Model, load, parse_overrides};
use kvplan::pricing::{Catalog, MeterItem};
use kvplan::run::result::RunResult;
use kvplan::run::scenario::Scenario;
use kvplan::run::{Point, simulate};
use kvplan::sim::executor::Executor;
use kvplan::sim::random::Streams;
use kvplan::telemetry::ports::{Clock, Kv, KvError, OpKind, PutOptions, ReadOptions};
use kvplan::units::Timestamp;
use rand_distr::{Distribution, Exp1};
use std::rc::Rc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// Two places, a propagation delay of two seconds, hot reads in 1 ms and cold ones in 50 ms.
fn world(propagation: &str, negative: bool) -> (Executor, Rc<KvStore>) {
    refreshing_world(propagation, negative, "0 s", 50 * MS)
}

fn refreshing_world(
    propagation: &str,
    negative: bool,
    window: &str,
    cold: Duration,
) -> (Executor, Rc<KvStore>) {
    let executor = Executor::new(Timestamp::from_secs(1_000_000));
    let spec: ConsistencySpec = toml::from_str(&format!(
        "title = \"t\"\npropagation = {{ kind = \"constant\", value = \"{propagation}\" }}\ndefault_cache_ttl = \"60 s\"\nnegative_caching = {negative}\nrefresh_window = \"{window}\""
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
            cold: Sampler::constant(cold),
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

/// A key that is read every second stays in the cache of its place, and what is read is no older than
/// the time until a refresh: 60 s less the window, a second until somebody reads, and the way.
#[test]
fn what_is_read_often_is_refreshed_before_it_expires() {
    let hour = |window: &str| {
        let (executor, store) = refreshing_world("0 s", true, window, 50 * MS);
        let at = Reader(&executor, &store);
        at.put(0, "0");
        let (mut cold, mut written) = (0, 0.0);
        let mut oldest = 0.0_f64;
        let now = || executor.handle().now().as_secs_f64();
        for second in 0..3_600_u64 {
            if second.is_multiple_of(7) {
                let text = format!("{second}");
                let kv = store.invocation_at(0);
                let put = async move { kv.put("k", text.into(), PutOptions::default()).await };
                let _ = executor.block_on(put);
                written = now() - second as f64;
            }
            let (seen, took) = at.get(1, 60);
            cold += u64::from(took >= 50);
            let seen: f64 = seen.unwrap().parse().unwrap();
            // The value that followed the one seen was written seven seconds after it.
            oldest = oldest.max(now() - written - (seen + 7.0));
            at.wait(1);
        }
        let ages = store.read_ages().unwrap();
        assert_eq!((ages.reads, ages.reads - ages.hot), (3_600, cold));
        let meter = store.meter();
        meter.check().unwrap();
        // Nobody pays for a refresh.
        assert_eq!(meter.issued(OpKind::Read), 3_600);
        println!(
            "window {window}: {cold} cold reads, {} refreshes, oldest {oldest:.1} s",
            ages.refreshes
        );
        (cold, ages.refreshes, oldest)
    };
    let (cold, refreshes, _) = hour("0 s");
    assert!(
        (59..=61).contains(&cold) && refreshes == 0,
        "{cold}, {refreshes}"
    );
    let (cold, refreshes, oldest) = hour("10 s");
    assert_eq!(cold, 1);
    assert!((70..=73).contains(&refreshes), "{refreshes}");
    assert!(oldest < 60.0 - 10.0 + 2.0 + 0.1, "{oldest}");
}

/// A refresh shows once it has arrived; a write at the place itself is not undone by one under way.
#[test]
fn a_refresh_takes_as_long_as_a_cold_read() {
    let (executor, store) = refreshing_world("0 s", true, "10 s", Duration::from_secs(3));
    let at = Reader(&executor, &store);
    at.put(0, "a");
    assert_eq!(at.get(1, 60), (Some("a".into()), 3_000));
    at.wait(10);
    at.put(0, "b");
    at.wait(40);
    // The entry, filled 53 s ago, is asked for anew, and answers for the next three seconds.
    assert_eq!(at.get(1, 60), (Some("a".into()), 1));
    at.wait(2);
    assert_eq!(at.get(1, 60), (Some("a".into()), 1));
    at.wait(2);
    assert_eq!(at.get(1, 60), (Some("b".into()), 1));
    at.wait(50);
    assert_eq!(at.get(1, 60), (Some("b".into()), 1));
    at.put(1, "c");
    at.wait(4);
    assert_eq!(at.get(1, 60), (Some("c".into()), 1));
    assert_eq!(store.read_ages().unwrap().refreshes, 2);
}

/// With Poisson reads at rate `r`, TTL `T` and window `W`, an entry is renewed by the first read after
/// `T - W`; that read is cold if none came in the window, with probability `e^(-r W)`. So the share of
/// cold reads is `e^(-r W) / (1 + r (T - W))`. The number of cold reads varies less than a Poisson
/// number: four standard deviations of that.
#[test]
fn cold_reads_with_refreshes_follow_the_closed_form() {
    let (executor, store) = refreshing_world("0 s", true, "10 s", Duration::ZERO);
    let (r, ttl, window, n) = (0.1, 60.0, 10.0_f64, 200_000);
    let mut rng = Streams::new(3, 0).stream("reads");
    let at = Reader(&executor, &store);
    at.put(0, "a");
    let sim = executor.handle();
    let reader = Rc::clone(&store);
    executor.block_on(async move {
        for _ in 0..n {
            let gap: f64 = Exp1.sample(&mut rng);
            sim.sleep(Duration::from_secs_f64(gap / r)).await;
            let _ = reader.invocation_at(1).get("k").await;
        }
    });
    let ages = store.read_ages().unwrap();
    let expected = f64::from(n) * (-r * window).exp() / (1.0 + r * (ttl - window));
    let cold = (ages.reads - ages.hot) as f64;
    println!("{cold} cold reads, expected {expected:.0}");
    // A read takes a millisecond of a gap of ten seconds on average.
    let bound = 4.0 * expected.sqrt() + 1e-4 * expected;
    assert!(
        (cold - expected).abs() < bound,
        "{cold} vs {expected} ± {bound}"
    );
}

#[test]
fn no_cache_outlives_the_expiration_of_a_key() {
    let (executor, store) = world("0 s", true);
    let at = Reader(&executor, &store);
    let kv = store.invocation_at(0);
    let options = PutOptions {
        expiration_ttl: Some(Duration::from_secs(60)),
        metadata: None,
    };
    let put = executor.block_on(async move { kv.put("k", b"a".to_vec(), options).await });
    put.unwrap();
    at.wait(50);
    assert_eq!(at.get(1, 3_600), (Some("a".into()), 50));
    at.wait(9);
    assert_eq!(at.get(1, 3_600), (Some("a".into()), 1));
    at.wait(2);
    assert_eq!(at.get(1, 3_600), (None, 50));
}

#[test]
fn a_window_as_long_as_the_ttl_is_refused() {
    let overrides = parse_overrides(&["refresh_window=\"60 s\"".to_owned()]).unwrap();
    let refused = load::<ConsistencySpec>("eventual", None, &overrides).unwrap_err();
    let text = refused.to_string();
    assert!(
        text.contains(
            "field `refresh_window`: found 1 min, expected less than default_cache_ttl = 1 min"
        ),
        "{text}"
    );
}

#[test]
fn writes_reach_the_other_back_end_as_published() {
    let spec: ConsistencySpec = load("eventual", None, &[]).unwrap();
    spec.validate().unwrap();
    let Dist::Lognormal { p99, .. } = spec.propagation else {
        panic!("{:?}", spec.propagation);
    };
    assert_eq!(p99, Duration::from_millis(4_380));
    assert!(!spec.refresh_window.is_zero());
}

fn shared_key(traffic: u64, change: impl Fn(&mut Catalog), settings: &[&str]) -> RunResult {
    let settings: Vec<String> = [
        "fleet=\"regions\"",
        "consistency=\"eventual\"",
        "period.requests=4000",
    ]
    .iter()
    .chain(settings)
    .map(|s| (*s).to_owned())
    .collect();
    let overrides = parse_overrides(&settings).unwrap();
    let mut scenario = Scenario::load("default", &["shared-key".into()], None, &overrides).unwrap();
    change(&mut scenario.catalog);
    let point = Point {
        scenario: &scenario,
        policy: &scenario.policies[0],
        traffic: kvplan::models::quantity::Count(traffic),
        replication: 0,
    };
    simulate(&point).unwrap()
}

/// What nobody publishes can be switched: the bill changes by exactly those operations.
#[test]
fn hot_reads_and_refusals_are_billed_as_the_catalog_says() {
    let with = |rate_limited: bool, hot_reads: bool| {
        let change = |c: &mut Catalog| {
            c.bill_rate_limited = rate_limited;
            c.bill_hot_reads = hot_reads;
        };
        // More reads than the plan includes.
        let queries = "workload.analytics_queries={rate=\"2/s\"}";
        shared_key(30_000_000, change, &[queries])
    };
    let all = with(true, true);
    let (hot, refused) = (
        all.kv.hot_reads,
        all.kv.count(OpKind::Write, OpOutcome::RateLimited),
    );
    println!("{hot} hot reads, {refused} writes refused with 429");
    assert!(hot > 0 && refused > 0, "{hot}, {refused}");
    // The ages count the warm-up too.
    assert!(hot <= all.read_ages.as_ref().unwrap().hot);
    let difference =
        |other: &RunResult, item| all.usage.get(item) as f64 - other.usage.get(item) as f64;
    let (no_hot, no_refused) = (with(true, false), with(false, true));
    // Both are rounded to whole operations of a month.
    let close = |found: f64, count: u64| (found - all.per_month(count)).abs() <= 1.0;
    assert!(close(difference(&no_hot, MeterItem::KvReads), hot));
    assert_eq!(difference(&no_hot, MeterItem::KvWrites), 0.0);
    assert!(close(difference(&no_refused, MeterItem::KvWrites), refused));
    assert_eq!(
        all.kv.billed(OpKind::Read, BillingRules::DONE) - hot,
        all.kv.billed(
            OpKind::Read,
            BillingRules {
                rate_limited: false,
                hot_reads: false
            }
        )
    );
    assert!(no_hot.invoice.total < all.invoice.total);
    assert!(no_refused.invoice.total < all.invoice.total);
    println!(
        "all {}, hot reads free {}, refusals free {}",
        all.invoice.total, no_hot.invoice.total, no_refused.invoice.total
    );
}

/// Where a key written too often is overwritten, nobody is refused, and the audit finds that those who
/// read, add and write back at the same time lose what the others added.
#[test]
fn overwriting_refuses_nobody_and_loses_updates() {
    let run = |excess: &str| {
        let excess = format!("limits.same_key_excess=\"{excess}\"");
        shared_key(
            3_000_000,
            |_| (),
            &[
                &excess,
                "consistency.propagation={kind=\"constant\",value=\"0 s\"}",
            ],
        )
    };
    let (refuse, overwrite) = (run("refuse"), run("overwrite"));
    let refused = |r: &RunResult| r.kv.count(OpKind::Write, OpOutcome::RateLimited);
    println!(
        "refuse: {} refused, {:.3} lost; overwrite: {} refused, {:.3} lost",
        refused(&refuse),
        refuse.missing_share.unwrap(),
        refused(&overwrite),
        overwrite.missing_share.unwrap()
    );
    assert!(refused(&refuse) > 0);
    assert_eq!(refused(&overwrite), 0);
    assert!(overwrite.missing_share.unwrap() > 0.1);
}
