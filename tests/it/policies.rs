//! Each policy: where it pays, and where it does not.

use kvplan::models::parse_overrides;
use kvplan::models::quantity::Count;
use kvplan::run::result::RunResult;
use kvplan::run::scenario::Scenario;
use kvplan::run::{Point, simulate};
use kvplan::telemetry::ports::OpKind;

const MONTH_S: f64 = 30.0 * 86_400.0;

/// One isolate and a KV that takes 10 ms, unless the settings say otherwise.
fn run(policy: &str, per_second: f64, settings: &[&str]) -> RunResult {
    let all: Vec<String> = ["latency=\"constant-10ms\"", "period.requests=20000"]
        .iter()
        .chain(settings)
        .map(|s| (*s).to_owned())
        .collect();
    let overrides = parse_overrides(&all).unwrap();
    let scenario = Scenario::load("default", &[policy.into()], None, &overrides).unwrap();
    let point = Point {
        scenario: &scenario,
        policy: &scenario.policies[0],
        traffic: Count((per_second * MONTH_S) as u64),
        replication: 0,
    };
    simulate(&point).unwrap()
}

fn share(a: u64, b: u64) -> f64 {
    a as f64 / b as f64
}

const NO_DASHBOARD: [&str; 2] = ["workload.analytics_queries={}", "workload.health_checks={}"];

/// Without a cache, of queries at rate `l` on reads that take `L`, those that come within `L` of
/// one that reads share its answer: `l L / (1 + l L)`.
#[test]
fn coalescing_saves_what_comes_at_the_same_time() {
    let settings = [
        "policy.cache.coalesce=true",
        "latency.read={kind=\"constant\",value=\"500 ms\"}",
        "workload.metrics_reads={rate=\"4/s\"}",
        "period.requests=2000",
    ];
    let r = run("naive", 0.2, &[&NO_DASHBOARD[..], &settings].concat());
    let c = &r.counters;
    let n = c.coalesced + c.fetches;
    let expected = 2.0 / 3.0;
    // Reads are a renewal process, one per 0.75 s of exponential and constant time.
    let bound = 4.0 * (1.0 / c.fetches as f64).sqrt() * expected;
    assert!(
        (share(c.coalesced, n) - expected).abs() < bound,
        "{}",
        share(c.coalesced, n)
    );
}

#[test]
fn coalescing_does_not_pay_where_queries_are_rare() {
    let r = run(
        "naive",
        0.05,
        &["policy.cache.coalesce=true", "period.requests=2000"],
    );
    assert!(share(r.counters.coalesced, r.counters.fetches) < 0.01);
}

const STORM: [&str; 6] = [
    // The service can do 180 operations a second, and refusing costs it work too.
    "failures.capacity={per_second=180.0,collapse=3.0}",
    "failures.windows=[{start=\"60 s\",length=\"60 s\",error=\"100%\"}]",
    "policy.queries.retry={backoff=\"fixed\",max_attempts=8,base=\"100 ms\",cap=\"1 s\"}",
    "workload.metrics_reads={rate=\"100/s\"}",
    "period.requests=600",
    "period.at_least=\"10 min\"",
];

/// Operations in the period and the share of queries that failed.
fn storm(extra: &[&str]) -> (u64, f64) {
    let r = run("naive", 1.0, &[&STORM[..], extra].concat());
    (
        r.kv_operations(),
        share(r.calls.metrics.errors, r.calls.metrics.count()),
    )
}

/// A hundred queries a second need little more than half of what the service can do. An outage of a minute with eager
/// retries leaves a load that keeps the service down for good; a budget, or a breaker, lets it recover.
#[test]
fn a_retry_storm_outlasts_its_outage_unless_a_budget_or_a_breaker_ends_it() {
    let (storm_ops, storm_errors) = storm(&[]);
    assert!(
        storm_errors > 0.7,
        "{storm_errors}: the outage itself is a tenth of the time"
    );
    let (ops, errors) = storm(&["policy.queries.retry.budget={per_attempt=\"10%\",capacity=20}"]);
    assert!(errors < 0.15, "{errors}");
    assert!(ops * 3 < storm_ops, "{ops} of {storm_ops}");
    let breaker = "policy.breaker={failure_threshold=10,open_for=\"10 s\",half_open_probes=3}";
    let (ops, errors) = storm(&[breaker]);
    assert!(errors < 0.2, "{errors}");
    assert!(ops * 3 < storm_ops, "{ops} of {storm_ops}");
}

/// A budget gives up queries that another attempt would have saved when failures are rare and
/// independent and retries many.
#[test]
fn a_tight_budget_does_not_pay_where_failures_are_independent() {
    let errors = |budget: &[&str]| {
        let settings = [
            "failures.read={error=0.3}",
            "policy.queries.retry={backoff=\"fixed\",max_attempts=5,base=\"100 ms\",cap=\"1 s\"}",
        ];
        let r = run("naive", 1.0, &[&settings[..], budget].concat());
        share(r.calls.metrics.errors, r.calls.metrics.count())
    };
    let free = errors(&[]);
    let tight = errors(&["policy.queries.retry.budget={per_attempt=\"5%\",capacity=5}"]);
    // Five attempts fail with 0.3^5; four standard deviations of 20,000.
    assert!(
        (free - 0.3_f64.powi(5)).abs() < 4.0 * (0.00243 / 20_000_f64).sqrt(),
        "{free}"
    );
    // A first attempt fails with 0.3, and one in twenty of all may be repeated.
    assert!(tight > 0.2, "{tight}");
}

/// A breaker that opens after few failures keeps back operations that would have succeeded.
#[test]
fn a_nervous_breaker_does_not_pay_where_failures_are_independent() {
    let r = run(
        "naive",
        1.0,
        &[
            "failures.read={error=0.3}",
            "policy.breaker={failure_threshold=2,open_for=\"30 s\",half_open_probes=1}",
        ],
    );
    assert!(r.counters.breaker_changes > 100);
    assert!(share(r.counters.breaker_rejected, r.kv_operations()) > 1.0);
}

#[test]
fn adaptive_batches_are_stored_sooner_at_low_load_and_cost_no_more_at_high() {
    let adaptive = "policy.batch.adaptive={min_records=1,target_age=\"2 s\"}";
    let delay = |r: &RunResult| r.counters.store_delay_us as f64 / 1e6 / r.counters.stored as f64;
    let writes = |r: &RunResult| r.kv.issued(OpKind::Write);
    let (low, low_fixed) = (
        run("optimised", 0.2, &[adaptive]),
        run("optimised", 0.2, &[]),
    );
    assert!(
        delay(&low) < 0.35 * delay(&low_fixed),
        "{} {}",
        delay(&low),
        delay(&low_fixed)
    );
    // What it costs: more writes.
    assert!(writes(&low) as f64 > 1.3 * writes(&low_fixed) as f64);
    let (high, high_fixed) = (
        run("optimised", 50.0, &[adaptive]),
        run("optimised", 50.0, &[]),
    );
    let ratio = share(writes(&high), writes(&high_fixed));
    assert!((0.95..1.05).contains(&ratio), "{ratio}");
}

/// A record waits for the age of its batch: the first for all of it, others for less. With batches
/// of age `A` at rate `l`, `(A + l A^2 / 2) / (1 + l A)` on average, and the write.
#[test]
fn the_delay_to_the_store_is_the_mean_age_in_the_batch() {
    let (l, age) = (0.4, 10.0);
    let settings = [
        "policy.batch.max_records=10000",
        "policy.batch.min_interval=\"0 s\"",
        "latency=\"in-memory\"",
    ];
    let r = run("optimised", l, &settings);
    let expected = (age + l * age * age / 2.0) / (1.0 + l * age);
    let found = r.counters.store_delay_us as f64 / 1e6 / r.counters.stored as f64;
    // The mean delay of a batch varies by less than half the age.
    let bound = 4.0 * (age / 2.0) / (r.counters.flushes as f64).sqrt();
    assert!(
        (found - expected).abs() < bound,
        "{found} vs {expected} ± {bound}"
    );
}

/// Computed for each write, or for each query that misses a cache of a minute.
#[test]
fn lazy_aggregation_pays_where_writes_outnumber_queries_and_not_otherwise() {
    let aggregations = |per_second: f64, reads: &str, lazy: bool| {
        let policy = if lazy {
            [
                "policy.queries.aggregate=\"on_query\"",
                "policy.cache.ttl=\"1 min\"",
            ]
        } else {
            [
                "policy.queries.aggregate=\"on_write\"",
                "policy.cache.ttl=\"1 h\"",
            ]
        };
        let reads = format!("workload.metrics_reads={reads}");
        run("optimised", per_second, &[&policy[..], &[&reads]].concat())
            .counters
            .aggregations as f64
    };
    let busy = (
        aggregations(2.0, "{rate=\"1/s\"}", true),
        aggregations(2.0, "{rate=\"1/s\"}", false),
    );
    assert!(busy.0 < 0.3 * busy.1, "{busy:?}");
    // Few writes and a dashboard that always looks: each minute is one computation anyway.
    let idle = (
        aggregations(0.002, "{rate=\"1/s\"}", true),
        aggregations(0.002, "{rate=\"1/s\"}", false),
    );
    assert!(idle.0 > 2.0 * idle.1, "{idle:?}");
}

#[test]
fn a_predictive_cache_beats_the_ttl_for_a_price_in_reads() {
    let predictive = "policy.cache.prewarm={lead=\"1 s\",min_expected=1.0,max_chain=\"25 s\"}";
    let at = |per_second: f64, extra: &[&str]| {
        let settings = [
            &["workload.metrics_reads={per_request=1.0}"][..],
            &NO_DASHBOARD,
            extra,
        ]
        .concat();
        let r = run("optimised", per_second, &settings);
        (
            r.hit_ratio(),
            share(r.kv.issued(OpKind::Read), r.arrived.metrics_reads),
        )
    };
    let (plain, reads) = at(2.0, &[]);
    let ten = 10.0 / 11.0;
    assert!((plain - ten).abs() < 0.01, "{plain}");
    let (ahead, more_reads) = at(2.0, &[predictive]);
    assert!(ahead > 0.97, "{ahead}");
    assert!(more_reads > reads);
    // At a lookup in 20 s nothing is expected within the TTL: nothing is read ahead.
    let (rare, _) = at(0.05, &[predictive]);
    assert!((rare - at(0.05, &[]).0).abs() < 0.03);
}

/// A buffer of 100 records that can be written every 6 s.
fn full_buffer(per_second: f64, overflow: &str) -> (f64, f64) {
    let r = run(
        "batch-keys",
        per_second,
        &[
            "policy.batch.buffer_capacity=100",
            "policy.batch.max_records=100",
            "policy.batch.write=\"background\"",
            "policy.batch.min_interval=\"6 s\"",
            &format!("policy.batch.overflow=\"{overflow}\""),
            "policy.batch.max_wait=\"4 s\"",
            "workload.metrics_reads={}",
            "period.requests=20000",
        ],
    );
    let lost = share(r.counters.lost_total(), r.counters.accepted);
    (lost, r.calls.record.quantile_ms(0.999))
}

#[test]
fn backpressure_carries_over_a_burst_what_a_full_buffer_drops() {
    // 90 records come in 6 s on average, sometimes more than 100.
    let (dropped, at_once_ms) = full_buffer(15.0, "drop_newest");
    let (waited, wait_ms) = full_buffer(15.0, "wait");
    assert!(dropped > 0.002, "{dropped}");
    assert!(waited < 0.1 * dropped, "{waited} of {dropped}");
    // What it costs: requests wait.
    assert!(
        at_once_ms < 50.0 && wait_ms > 100.0,
        "{at_once_ms} {wait_ms}"
    );
}

/// Of 120 records that come in the time of 100, a sixth is lost, however long some wait.
#[test]
fn backpressure_does_not_pay_under_lasting_overload() {
    let (dropped, _) = full_buffer(20.0, "drop_newest");
    let (waited, wait_ms) = full_buffer(20.0, "wait");
    assert!((dropped - 1.0 / 6.0).abs() < 0.02, "{dropped}");
    assert!((waited - 1.0 / 6.0).abs() < 0.02, "{waited}");
    assert!(wait_ms > 2_000.0, "{wait_ms}");
}

#[test]
fn a_shared_key_is_cheap_to_query_and_loses_updates() {
    let fleet = |policy: &str, isolates: u32| {
        let isolates = format!("fleet.isolates={isolates}");
        let settings = [
            &isolates,
            "latency=\"kv-2025\"",
            "consistency=\"eventual\"",
            "period.requests=10000",
            "fleet.zipf={places=5,exponent=0.0}",
        ];
        run(policy, 2.0, &settings)
    };
    let (own, shared) = (fleet("optimised-fleet", 10), fleet("shared-key", 10));
    // None is missing; writes under way at the end are there before their writers know.
    let missing = own.missing_share.unwrap();
    assert!((-0.01..=0.0).contains(&missing), "{missing}");
    let lost = shared.missing_share.unwrap();
    assert!(lost > 0.3, "{lost}");
    assert_eq!(shared.kv.issued(OpKind::List), 0);
    assert!(own.kv.issued(OpKind::List) > 0);
    // A single writer loses nothing.
    let fleet_of_one = run(
        "shared-key",
        2.0,
        &["consistency=\"eventual\"", "period.requests=10000"],
    );
    assert_eq!(fleet_of_one.missing_share, Some(0.0));
}

#[test]
fn keys_of_each_provider_cost_writes_and_spare_no_reads_of_the_whole() {
    let (one, each) = (
        run("optimised", 2.0, &[]),
        run("optimised", 2.0, &["policy.layout.per_provider=true"]),
    );
    let writes = share(each.kv.issued(OpKind::Write), one.kv.issued(OpKind::Write));
    assert!((2.0..=3.0).contains(&writes), "three providers: {writes}");
    assert!(each.kv.issued(OpKind::Read) > 2 * one.kv.issued(OpKind::Read));
    assert_eq!(each.missing_share, Some(0.0));
}

const FLEET: [&str; 5] = [
    "fleet.isolates=10",
    "latency=\"kv-2025\"",
    "period.requests=5000",
    "period.history=\"2 h\"",
    "workload.metrics_reads={per_request=1.0}",
];

/// Ten isolates share the answers of a Durable Object: the KV is read once an hour and window, and
/// the answers are as old as that.
#[test]
fn a_shared_cache_spares_a_fleet_its_reads_and_ages_its_answers() {
    let (alone, tiered) = (
        run("optimised-fleet", 2.0, &FLEET),
        run("tiered", 2.0, &FLEET),
    );
    assert!(tiered.kv.issued(OpKind::Read) * 20 < alone.kv.issued(OpKind::Read));
    assert!(tiered.calls.answer_age.quantile_ms(0.5) > 60_000.0);
    assert!(alone.calls.answer_age.quantile_ms(0.99) < 6_000.0);
    // Its requests are metered: one for each miss, two for each that reads the KV.
    let misses = tiered.counters.shared_hits + tiered.counters.fetches;
    let requests = tiered.usage.get(kvplan::pricing::MeterItem::DoRequests) as f64;
    let expected = tiered.per_month(misses + tiered.counters.fetches);
    assert!(
        (requests / expected - 1.0).abs() < 0.001,
        "{requests} {expected}"
    );
    // Ten seconds instead of an hour: still a fraction of the reads, and answers of at most 15 s.
    let fresh = run("tiered-fresh", 2.0, &FLEET);
    assert!(fresh.kv.issued(OpKind::Read) * 4 < alone.kv.issued(OpKind::Read));
    assert!(fresh.calls.answer_age.quantile_ms(0.99) < 15_500.0);
}

/// One isolate reads one key for the metrics endpoint: asking a Durable Object first takes longer.
#[test]
fn a_shared_cache_does_not_pay_for_a_single_isolate() {
    let settings = [
        "latency=\"kv-2025\"",
        "workload.metrics_reads={per_request=1.0}",
        "workload.analytics_queries={}",
    ];
    let (alone, fresh) = (
        run("optimised", 0.5, &settings),
        run(
            "tiered-fresh",
            0.5,
            &[&settings[..], &["policy.layout.discover=\"own\""]].concat(),
        ),
    );
    assert!(fresh.calls.metrics.quantile_ms(0.95) > alone.calls.metrics.quantile_ms(0.95));
}

/// A cron trigger keeps one isolate warm. With sharding that is the one which requests meet; among
/// independent machines it lands on one, and does nothing for the others.
#[test]
fn a_cron_trigger_warms_one_machine_only() {
    let cold = |policy: &str, routing: &str, machines: u32| {
        let machines = format!("fleet.isolates={machines}");
        let routing = format!("fleet.routing=\"{routing}\"");
        let settings = [
            "fleet=\"slow-start\"",
            &machines,
            &routing,
            "period.requests=3000",
            "period.at_most=\"20 d\"",
            "workload.metrics_reads={}",
            "workload.health_checks={}",
            "workload.analytics_queries={}",
            "fleet.life.mean_life=\"36500 d\"",
            "fleet.life.deploy_every=\"36500 d\"",
        ];
        let r = run(policy, 0.003, &settings);
        (
            share(r.calls.cold_start.count(), r.arrived.records),
            r.arrived.cron,
        )
    };
    for (routing, machines) in [("independent", 1), ("shard", 50)] {
        let (without, _) = cold("optimised-fleet", routing, machines);
        let (with, fired) = cold("cron-warm", routing, machines);
        assert!(without > 0.3 && with < 0.002, "{without} {with}");
        assert!(fired > 10_000);
    }
    let (without, _) = cold("optimised-fleet", "independent", 50);
    let (with, _) = cold("cron-warm", "independent", 50);
    assert!(without > 0.9, "{without}");
    // Fired 60 times an hour at 50 machines: each is warm for the 5 minutes after, 1 - e^(-5/50).
    assert!(with > 0.8, "{with}");
}

mod archive {
    use kvplan::cloud::kv::KvStore;
    use kvplan::cloud::r2::R2Bucket;
    use kvplan::models::dist::Sampler;
    use kvplan::models::load;
    use kvplan::pricing::MeterItem;
    use kvplan::sim::executor::Executor;
    use kvplan::sim::random::Streams;
    use kvplan::telemetry::collector::Collector;
    use kvplan::telemetry::policy::{Discover, Policy, TierPolicy};
    use kvplan::units::Timestamp;
    use std::rc::Rc;
    use std::time::Duration;

    const DAY: Duration = Duration::from_secs(86_400);

    /// A record an hour for ten days, archived after two: the last six days, asked at the end, are
    /// complete, though the KV keeps four; each archived day is one write and one read of R2.
    #[test]
    fn old_days_come_from_the_archive() {
        let start = Timestamp::from_secs(1_793_577_600);
        let executor = Executor::new(start);
        let sim = executor.handle();
        let store = KvStore::counting(load("cloudflare", None, &[]).unwrap(), sim.clone());
        let mut policy: Policy = load("optimised", None, &[]).unwrap();
        policy.layout.discover = Discover::Own;
        policy.layout.retention = 4 * DAY;
        policy.tiers = Some(TierPolicy {
            shared_ttl: None,
            archive_after: Some(2 * DAY),
        });
        let collector = Rc::new(Collector::new(Rc::new(policy), sim.clone(), "w", 1));
        let rng = |name: &str| Streams::new(1, 0).stream(name);
        let archive = R2Bucket::new(sim.clone(), Sampler::constant(Duration::ZERO), rng("a"));
        let p = collector.provider("p");
        for hour in 0..240_u64 {
            executor.run_until(start + Duration::from_secs(3_600 * hour + 1_800));
            let _ = collector.record(p, Duration::from_millis(5), true, 1);
            let (c, kv, t) = (Rc::clone(&collector), store.invocation(), archive.clone());
            executor.block_on(async move {
                c.flush(&kv).await.unwrap();
                if hour % 24 == 0 {
                    c.archive_day(&kv, &t).await.unwrap();
                }
            });
        }
        let (c, kv, t) = (Rc::clone(&collector), store.invocation(), archive.clone());
        let metrics =
            executor.block_on(async move { c.fetch_tiered(&kv, (&(), &t), 6 * DAY).await });
        // From day 3, 23:30 on; the archive gives that day whole: days 3 to 9 are 168 hours.
        assert_eq!(metrics.unwrap().overall.count, 168);
        let usage = archive.usage();
        assert_eq!(usage.get(MeterItem::R2ClassA), 10);
        // Days 3 to 6 are past two days at the end of day 9.
        assert_eq!(usage.get(MeterItem::R2ClassB), 4);
        assert!(archive.bytes() > 0);
        // Without the archive the KV knows the last four days only.
        let (c, kv) = (Rc::clone(&collector), store.invocation());
        let metrics = executor.block_on(async move { c.fetch_metrics(&kv, 6 * DAY).await });
        assert!(metrics.unwrap().overall.count <= 97);
    }
}
