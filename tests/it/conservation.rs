//! No record goes astray, whatever the policy and whatever fails; every request is billed, and what
//! is stored in the long run is told from a short one.

use kvplan::models::parse_overrides;
use kvplan::models::quantity::Count;
use kvplan::pricing::MONTH;
use kvplan::pricing::meter::scale;
use kvplan::pricing::{MeterItem, Money};
use kvplan::run::result::RunResult;
use kvplan::run::scenario::Scenario;
use kvplan::run::{Phases, Point, arrivals, simulate};
use kvplan::workload::ArrivalKind;
use proptest::prelude::*;

/// Settings that any policy may have, alone or together.
const EXTRAS: [&str; 20] = [
    "fleet=\"slow-start\"",
    "fleet.life.mean_life=\"10 min\"",
    "fleet.life.grace=\"0 s\"",
    "consistency=\"eventual\"",
    "policy.cache.coalesce=true",
    "policy.cache.prewarm={lead=\"1 s\",min_expected=1.0,max_chain=\"25 s\"}",
    "policy.breaker={failure_threshold=5,open_for=\"20 s\",half_open_probes=2}",
    "policy.retry.budget={per_attempt=\"10%\",capacity=10}",
    "policy.queries.retry={backoff=\"exponential\",max_attempts=3,base=\"200 ms\",cap=\"1 s\"}",
    "policy.queries.aggregate=\"on_write\"",
    "policy.batch.adaptive={min_records=1,target_age=\"2 s\"}",
    "failures.capacity={per_second=30.0,collapse=2.0}",
    "failures.windows=[{start=\"1 min\",length=\"5 min\",error=\"20%\",rate_limited=\"60%\"},{start=\"8 min\",length=\"5 min\",latency_factor=30.0,place=0}]",
    "policy.tiers={shared_ttl=\"10 s\"}",
    "policy.cron={every=\"1 min\"}",
    "policy.cache.per_provider=true",
    "fleet.zipf={places=4,exponent=1.0}",
    "policy.cache.max_entries=1",
    "fleet.routing=\"independent\"",
    "fleet.life.spill_at=2",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// `simulate` itself checks records, operations and invoice at the end of each run.
    #[test]
    fn every_run_accounts_for_every_record_and_operation(
        policy in prop::sample::select(vec!["naive-fleet", "optimised-fleet", "batch-keys", "shared-key"]),
        plan in prop::sample::select(vec!["free", "paid"]),
        traffic in 50_000_u64..40_000_000,
        max_records in 1_u32..200,
        spare in 0_u32..50,
        max_age_ms in 1_u32..20_000,
        overflow in prop::sample::select(vec!["drop_newest", "drop_oldest"]),
        error in 0.0..0.6_f64,
        timeout in 0.0..0.2_f64,
        answer_lost in 0.0..0.2_f64,
        down_s in 1_u32..600,
        warm_up_s in 0_u32..60,
        extras in prop::sample::subsequence(EXTRAS.to_vec(), 0..=EXTRAS.len()),
        seed in any::<u64>(),
    ) {
        let mut settings: Vec<String> = vec![
            format!("policy.batch.buffer_capacity={}", 200 + spare),
            format!("policy.batch.max_records={max_records}"),
            format!("policy.batch.max_age=\"{max_age_ms} ms\""),
            format!("policy.batch.overflow=\"{overflow}\""),
            format!("failures.write={{error={error},timeout={timeout},answer_lost={answer_lost}}}"),
            format!("failures.read={{error={error}}}"),
            "failures.timeout=\"2 s\"".into(),
            format!("failures.outages={{mean_up=\"300 s\",mean_down=\"{down_s} s\"}}"),
            format!("period.warm_up=\"{warm_up_s} s\""),
            "period.requests=2000".into(),
            "period.at_least=\"60 s\"".into(),
            "period.at_most=\"12 h\"".into(),
        ];
        let mortal = extras.contains(&EXTRAS[0]);
        let extras = extras.iter().filter(|e| mortal || !e.starts_with("fleet."));
        settings.extend(extras.map(|e| (*e).to_owned()));
        if policy.ends_with("-fleet") && max_age_ms % 3 == 0 {
            settings.push("policy.layout.per_provider=true".into());
        }
        if policy == "batch-keys" && max_age_ms % 2 == 0 {
            settings.push("policy.batch.overflow=\"wait\"".into());
            settings.push("policy.batch.max_wait=\"3 s\"".into());
        }
        let mut scenario = Scenario::load("default", &[policy.into()], Some(plan), &parse_overrides(&settings).unwrap()).unwrap();
        scenario.seed = seed;
        // Quotas work by the day; let this be as short as a paid run.
        if plan == "free" {
            scenario.workload.analytics_queries.rate = Default::default();
        }
        let traffic = if plan == "free" { traffic.min(100_000) } else { traffic };
        let point = Point { scenario: &scenario, policy: &scenario.policies[0], traffic: Count(traffic), replication: 0 };
        let r = simulate(&point);
        prop_assert!(r.is_ok(), "{:?}", r.err());
        let r = r.unwrap();
        prop_assert_eq!(
            r.in_memory_before + r.counters.accepted,
            r.counters.stored + r.counters.lost_total() + r.records_in_memory
        );
        prop_assert_eq!(r.counters.accepted, r.arrived.records);
    }
}

fn scenario(policy: &str, plan: &str, settings: &[&str]) -> Scenario {
    let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
    let overrides = parse_overrides(&settings).unwrap();
    Scenario::load("default", &[policy.into()], Some(plan), &overrides).unwrap()
}

fn point(scenario: &Scenario, traffic: u64, replication: u64) -> Point<'_> {
    Point {
        scenario,
        policy: &scenario.policies[0],
        traffic: Count(traffic),
        replication,
    }
}

/// Requests that arrive in the measured period, by kind: records, metrics reads that come with
/// none, analytics queries, health checks. Counted from the arrivals alone.
fn requests(point: &Point) -> [u64; 4] {
    let phases = Phases::of(point.scenario, point.traffic, point.replication);
    let end = phases.origin + point.scenario.horizon(point.traffic);
    let mut coming = arrivals(point, phases.start);
    let mut n = [0; 4];
    while let Some(a) = coming.next_arrival().filter(|a| a.at < end) {
        let kind = match a.kind {
            ArrivalKind::Record { .. } => 0,
            ArrivalKind::MetricsWithRecord => continue,
            ArrivalKind::MetricsRead => 1,
            ArrivalKind::AnalyticsQuery => 2,
            ArrivalKind::HealthCheck => 3,
        };
        n[kind] += u64::from(a.at >= phases.origin);
    }
    n
}

const NO_OTHERS: [&str; 5] = [
    "workload.metrics_reads={}",
    "workload.analytics_queries={}",
    "workload.health_checks={}",
    "period.at_least=\"1 h\"",
    "period.at_most=\"1 h\"",
];

/// An hour with nothing but what the settings ask for; the requests of each kind, and the result,
/// whose bill is for them and as many cron triggers as are given.
fn billed(policy: &str, traffic: u64, settings: &[&str], cron: u64) -> ([u64; 4], RunResult) {
    let scenario = scenario(policy, "paid", &[&NO_OTHERS[..], settings].concat());
    let point = point(&scenario, traffic, 0);
    let n = requests(&point);
    let r = simulate(&point).unwrap();
    let a = r.arrived;
    assert_eq!(
        n,
        [
            a.records,
            a.own_metrics_reads,
            a.analytics_queries,
            a.health_checks
        ]
    );
    assert_eq!((a.refused, a.cron), (0, cron));
    let all = n.iter().sum::<u64>() + cron;
    assert_eq!(a.requests() + a.cron, all);
    // An hour is 1/720 of a month.
    let monthly = 720 * u128::from(all);
    assert_eq!(r.usage.get(MeterItem::WorkersRequests), monthly);
    let cpu = &scenario.cpu;
    let cpu_us = n[0] * cpu.request_us + (all - n[0]) * cpu.query_us;
    assert_eq!(
        r.usage.get(MeterItem::WorkersCpuMs),
        720 * u128::from(cpu_us) / 1_000
    );
    (n, r)
}

#[test]
fn records_are_requests() {
    let (n, _) = billed("optimised", 3_000_000, &[], 0);
    assert!(n[0] > 3_500 && n[1..] == [0; 3], "{n:?}");
}

/// 100/s are 259M a month, of which 10M are included: 249M at $0.30 per million are about $75, and
/// with the plan's fee $80.
#[test]
fn metrics_reads_on_their_own_are_requests() {
    let (n, r) = billed(
        "optimised",
        0,
        &["workload.metrics_reads.rate=\"100/s\""],
        0,
    );
    // Poisson(360,000), four standard deviations.
    assert!((n[1] as f64 - 360_000.0).abs() < 4.0 * 600.0, "{n:?}");
    assert_eq!((n[0], n[2], n[3]), (0, 0, 0));
    let cents = |m: Money| (m.to_usd() * 100.0).round();
    let expected = (720.0 * n[1] as f64 / 1e6 - 10.0) * 0.30;
    let found = r.invoice.amount(MeterItem::WorkersRequests);
    println!("{} reads a month: {found:?} of {}", 720 * n[1], expected);
    assert_eq!(cents(found), (expected * 100.0).round());
}

#[test]
fn metrics_reads_that_come_with_a_record_are_part_of_its_request() {
    let (n, r) = billed(
        "optimised",
        3_000_000,
        &["workload.metrics_reads.per_request=1.0"],
        0,
    );
    assert_eq!(r.arrived.metrics_reads, n[0]);
    assert_eq!(n[1], 0);
}

#[test]
fn both_kinds_of_metrics_reads_are_told_apart() {
    let settings = ["workload.metrics_reads={per_request=1.0,rate=\"1/s\"}"];
    let (n, r) = billed("optimised", 3_000_000, &settings, 0);
    assert_eq!(r.arrived.metrics_reads, n[0] + n[1]);
    assert!(n[1] > 3_300, "{n:?}");
}

#[test]
fn analytics_queries_are_requests() {
    let (n, _) = billed(
        "optimised",
        0,
        &["workload.analytics_queries.rate=\"1/s\""],
        0,
    );
    assert!(n[2] > 3_300, "{n:?}");
}

#[test]
fn health_checks_are_requests() {
    let (n, _) = billed("optimised", 0, &["workload.health_checks.rate=\"1/s\""], 0);
    assert!(n[3] > 3_300, "{n:?}");
}

#[test]
fn cron_triggers_are_billed_as_requests() {
    let (n, _) = billed(
        "optimised",
        1_000_000,
        &["policy.cron={every=\"1 min\"}"],
        60,
    );
    assert!(n[0] > 1_200, "{n:?}");
}

/// The Free plan turns away what comes after 100,000 requests in a day. Nothing runs then, and
/// nothing is billed: the usage is what was served, and the bill is nothing.
#[test]
fn refused_requests_come_and_are_not_billed() {
    let settings = [
        "workload.metrics_reads={per_request=1.0}",
        "workload.analytics_queries={}",
        "workload.health_checks={}",
        "period.at_most=\"1 d\"",
    ];
    let scenario = scenario("optimised", "free", &settings);
    let point = point(&scenario, 6_000_000, 0);
    let came = requests(&point)[0];
    let r = simulate(&point).unwrap();
    let a = r.arrived;
    assert!(came > 190_000);
    assert_eq!((a.records, a.requests()), (100_000, 100_000));
    assert_eq!(
        (a.refused, a.records_refused),
        (came - 100_000, came - 100_000)
    );
    assert_eq!(
        r.usage.get(MeterItem::WorkersRequests),
        scale(100_000, MONTH.as_nanos(), r.period.as_nanos())
    );
    assert_eq!(
        r.invoice.amount(MeterItem::WorkersRequests),
        Money::default()
    );
    let measure = |name: &str| {
        use kvplan::run::metric::{METRICS, index_of};
        METRICS[index_of(name).unwrap()].value(&r)
    };
    assert_eq!(measure("requests_per_month"), 30.0 * came as f64);
    assert_eq!(measure("requests_served_per_month"), 3_000_000.0);
    let share = (came - 100_000) as f64 / came as f64;
    assert_eq!(measure("requests_refused_share"), share);
}

/// Mean and standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0) / n).sqrt())
}

/// With a retention of three hours, the level of storage is seen in a run that has reached it; runs
/// that have not must tell it from what they write. Four standard errors of the difference, and
/// 1% for the batch that is in memory at each end of an hour.
#[test]
fn a_short_run_tells_what_is_stored_in_the_long_run() {
    let retention = [
        "policy.layout.retention=\"3 h\"",
        "policy.queries.analytics_window=\"3 h\"",
    ];
    let runs = |policy: &str, settings: &[&str], n: u64| -> Vec<RunResult> {
        let scenario = scenario(
            policy,
            "paid",
            &[&retention[..], &NO_OTHERS[..3], settings].concat(),
        );
        let run = |r| simulate(&point(&scenario, 5_000_000, r)).unwrap();
        (0..n).map(run).collect()
    };
    for policy in ["optimised", "naive", "batch-keys"] {
        let settings = [
            "period.history=\"4 h\"",
            "period.at_least=\"3 h\"",
            "period.at_most=\"3 h\"",
        ];
        let long = runs(policy, &settings, 4);
        let seen = |r: &RunResult| (r.kv.storage_byte_ns / r.period.as_nanos()) as f64;
        let (expected, error) = mean(&long.iter().map(seen).collect::<Vec<_>>());
        let told = |r: &RunResult| r.usage.get(MeterItem::KvStorage) as f64;
        let check = |what: &str, runs: &[RunResult]| {
            let (found, its) = mean(&runs.iter().map(told).collect::<Vec<_>>());
            let bound = 4.0 * (error * error + its * its).sqrt() + 0.01 * expected;
            println!("{policy}, {what}: {found:.0} of {expected:.0} bytes, bound {bound:.0}");
            assert!(
                (found - expected).abs() < bound,
                "{policy}, {what}: {found} of {expected} ± {bound}"
            );
        };
        check("itself", &long);
        for (minutes, what) in [(60, "a whole hour"), (72, "an hour and a part")] {
            let period = format!("\"{minutes} min\"");
            let settings = [
                format!("period.at_least={period}"),
                format!("period.at_most={period}"),
            ];
            let settings = settings.each_ref().map(String::as_str);
            check(what, &runs(policy, &settings, 8));
        }
        let settings = [
            "period.history=\"2 h\"",
            "period.at_least=\"20 min\"",
            "period.at_most=\"20 min\"",
        ];
        check("a third of an hour after two", &runs(policy, &settings, 6));
    }
}

/// The keys of an hour are one for each writer so far: where writers come and go, a query of the
/// current hour reads few at its beginning and many at its end. Twenty minutes read on average
/// as many as an hour, if they are any twenty minutes. The error of one hour's mean tells that of a
/// third of it (its square is three times that), four of which are allowed.
#[test]
fn a_part_of_an_hour_reads_on_average_what_an_hour_does() {
    let reads_per_query = |minutes: u32, n: u64| -> Vec<f64> {
        let period = format!("\"{minutes} min\"");
        let least = format!("period.at_least={period}");
        let most = format!("period.at_most={period}");
        let settings = [
            "fleet=\"slow-start\"",
            "fleet.routing=\"independent\"",
            "fleet.isolates=2",
            "fleet.life.mean_life=\"5 min\"",
            "workload.analytics_queries={}",
            "workload.health_checks={}",
            "workload.metrics_reads={rate=\"6/min\"}",
            "policy.cache.enabled=false",
            "period.history=\"1 h\"",
            &least,
            &most,
        ];
        let scenario = scenario("optimised-fleet", "paid", &settings);
        let run = |r| {
            let r = simulate(&point(&scenario, 1_000_000, r)).unwrap();
            use kvplan::telemetry::ports::OpKind;
            r.kv.issued(OpKind::Read) as f64 / r.counters.fetches as f64
        };
        (0..n).map(run).collect()
    };
    let n = 32;
    let (hour, error) = mean(&reads_per_query(60, n));
    let (part, _) = mean(&reads_per_query(20, n));
    // What the phases leave uneven: their discrepancy is below 2/n of the range, about two means.
    let bound = 4.0 * error * (1.0_f64 + 3.0).sqrt() + 2.0 / n as f64 * 2.0 * hour;
    println!("{hour:.2} keys a query in an hour, {part:.2} in a part, bound {bound:.2}");
    assert!((part - hour).abs() < bound, "{part} vs {hour} ± {bound}");
    assert!(bound < 0.5 * hour);
}

/// What a store was asked for before the measurement is not its busiest day.
#[test]
fn the_busiest_day_is_one_of_the_measurement() {
    let settings = [
        "period.history=\"1 d\"",
        "period.at_least=\"1 h\"",
        "period.at_most=\"1 h\"",
    ];
    let scenario = scenario("naive", "paid", &settings);
    let r = simulate(&point(&scenario, 1_000_000, 0)).unwrap();
    use kvplan::telemetry::ports::OpKind;
    let writes = r.kv.issued(OpKind::Write);
    assert!(writes > 1_200);
    assert!(r.busiest_day[OpKind::Write as usize] <= writes);
}

/// Shares are shares, though records of the warm-up are lost in the measurement and retries after a
/// lost answer leave more in the store than was thought to be there.
#[test]
fn shares_stay_between_nothing_and_all() {
    use kvplan::run::metric::METRICS;
    let settings = [
        "period.at_least=\"10 s\"",
        "period.at_most=\"10 s\"",
        "period.warm_up=\"10 min\"",
        "fleet=\"slow-start\"",
        "fleet.life.mean_life=\"20 s\"",
        "fleet.life.grace=\"0 s\"",
        "failures.write={answer_lost=0.3,error=0.5}",
        "period.requests=1",
    ];
    let mut surplus = 0;
    for policy in ["optimised-fleet", "shared-key"] {
        for replication in 0..10 {
            let scenario = scenario(policy, "paid", &settings);
            let r = simulate(&point(&scenario, 1_000_000, replication)).unwrap();
            for m in METRICS {
                let share = m.name.ends_with("_share") || m.name == "loss_rate";
                let value = m.value(&r);
                if share && !value.is_nan() {
                    assert!((0.0..=1.0).contains(&value), "{} {value}", m.name);
                }
            }
            surplus += u32::from(r.missing_share.is_some_and(|m| m < 0.0));
        }
    }
    assert!(surplus > 0);
}
