//! Places and isolates that come and go, against closed forms.

use kvplan::config::parse_overrides;
use kvplan::config::quantity::Count;
use kvplan::experiment::result::RunResult;
use kvplan::experiment::scenario::Scenario;
use kvplan::experiment::simulate::{Point, simulate};
use kvplan::telemetry::counters::LossCause;

const MONTH_S: f64 = 30.0 * 86_400.0;

/// Runs `optimised-fleet` on the one-place fleet with overrides, without queries and latencies.
fn run(per_second: f64, settings: &[&str]) -> RunResult {
    let quiet = [
        "fleet=\"slow-start\"",
        "latency=\"in-memory\"",
        "workload.metrics_reads={}",
        "workload.analytics_queries={}",
        "workload.health_checks={}",
        "workload.providers=[{name=\"p\",share=\"100%\",success=\"100%\",latency={kind=\"constant\",value=\"0 s\"},tokens={kind=\"constant\",value=1}}]",
        "period.warm_up=\"1 h\"",
    ];
    let all: Vec<String> = quiet
        .iter()
        .chain(settings)
        .map(|s| (*s).to_owned())
        .collect();
    let overrides = parse_overrides(&all).unwrap();
    let scenario =
        Scenario::load("default", &["optimised-fleet".into()], None, &overrides).unwrap();
    let point = Point {
        scenario: &scenario,
        policy: &scenario.policies[0],
        traffic: Count((per_second * MONTH_S) as u64),
        replication: 0,
    };
    simulate(&point).unwrap()
}

/// A request finds no isolate if none came to its machine for the idle time: `exp(-l T)` for
/// Poisson arrivals at rate `l` on each machine.
#[test]
fn cold_starts_follow_the_gaps_between_requests() {
    for (idle_s, machines) in [(60, 10.0), (150, 10.0), (300, 20.0)] {
        let per_second = 0.1;
        let r = run(
            per_second,
            &[
                &format!("fleet.isolates={machines}"),
                &format!("fleet.life.idle=\"{idle_s} s\""),
                "fleet.life.mean_life=\"36500 d\"",
                "fleet.life.deploy_every=\"36500 d\"",
                // No work in the background, which would keep an isolate alive.
                "fleet.life.wait_until=\"0 s\"",
                "fleet.life.cold_start={kind=\"constant\",value=\"1 ms\"}",
                "period.requests=50000",
            ],
        );
        let expected = (-per_second / machines * f64::from(idle_s)).exp();
        let n = r.arrived.records as f64;
        let share = r.cold_start.count() as f64 / n;
        let bound = 4.0 * (expected * (1.0 - expected) / n).sqrt();
        assert!(
            (share - expected).abs() < bound,
            "{idle_s} s: {share} vs {expected}"
        );
        assert_eq!(r.fleet.started, r.cold_start.count());
    }
}

/// With life `1/m` and no grace, an isolate that ends takes along what its buffer holds. A batch
/// of age `A` begins with a record, so that the buffer holds `(A + l A^2 / 2) / (1/l + A)` on
/// average, and a share of `m / l` times that is lost.
#[test]
fn an_isolate_that_ends_loses_its_buffer() {
    let (l, life_s, age_s) = (0.5, 600.0, 10.0);
    let r = run(
        l,
        &[
            "fleet.isolates=1",
            &format!("fleet.life.mean_life=\"{life_s} s\""),
            "fleet.life.deploy_every=\"36500 d\"",
            "fleet.life.grace=\"0 s\"",
            "fleet.life.cold_start={kind=\"constant\",value=\"0 s\"}",
            "policy.batch.max_records=10000",
            &format!("policy.batch.max_age=\"{age_s} s\""),
            "period.requests=300000",
            "period.at_most=\"30 d\"",
            "policy.layout.retention=\"60 d\"",
        ],
    );
    let held = (age_s + l * age_s * age_s / 2.0) / (1.0 / l + age_s);
    let expected = held / life_s / l;
    let n = r.arrived.records as f64;
    let share = r.counters.lost[LossCause::Evicted as usize] as f64 / n;
    // Evictions are Poisson, each losing up to a few times `held`: second moment below 3 held^2.
    let evictions = n / l / life_s;
    let bound = 4.0 * expected * (3.0 / evictions).sqrt();
    assert!(
        (share - expected).abs() < bound,
        "{share} vs {expected} ± {bound}"
    );
    // With the grace that the platform gives, the batch is written before the end.
    let r = run(
        l,
        &[
            "fleet.isolates=1",
            "fleet.life.mean_life=\"600 s\"",
            "period.requests=20000",
        ],
    );
    assert!(r.fleet.ended[1] > 30);
    assert_eq!(r.counters.lost_total(), 0);
}

/// A batch that would be older than `waitUntil` allows is never written by its age.
#[test]
fn wait_until_cuts_a_slow_batch_short() {
    let stored = |max_age: &str| {
        let r = run(0.01, &["fleet.isolates=1", max_age, "period.requests=500"]);
        r.counters.stored as f64 / r.counters.accepted as f64
    };
    assert!(stored("policy.batch.max_age=\"20 s\"") > 0.95);
    assert_eq!(stored("policy.batch.max_age=\"40 s\""), 0.0);
}

#[test]
fn one_request_more_than_it_can_serve_starts_another_isolate() {
    let isolates = |most: u32| {
        run(
            10.0,
            &[
                "fleet.isolates=1",
                // Ten under way on average.
                "workload.providers=[{name=\"p\",share=\"100%\",success=\"100%\",latency={kind=\"constant\",value=\"1 s\"},tokens={kind=\"constant\",value=1}}]",
                &format!("fleet.life.max_concurrency={most}"),
                "period.requests=20000",
            ],
        )
        .isolates
    };
    assert_eq!(isolates(100), 1);
    assert!(isolates(4) >= 4);
}

#[test]
fn memory_ends_an_isolate_and_what_it_held_is_counted() {
    let settings = |limit: &str| {
        run(
            5.0,
            &[
                "fleet.isolates=1",
                "fleet.memory.base=\"100 KB\"",
                limit,
                "period.requests=20000",
            ],
        )
    };
    let roomy = settings("fleet.memory.limit=\"128 MB\"");
    assert_eq!(roomy.fleet.ended[3], 0);
    assert!(roomy.memory_peak_bytes > 100_000);
    let tight = settings("fleet.memory.limit=\"101 KB\"");
    assert!(tight.fleet.ended[3] > 0);
    assert!(tight.counters.lost[LossCause::Evicted as usize] > 0);
}

#[test]
fn a_daily_limit_on_requests_turns_the_rest_away() {
    let scenario = Scenario::load("free-plan", &["optimised".into()], None, &[]).unwrap();
    let point = Point {
        scenario: &scenario,
        policy: &scenario.policies[0],
        traffic: Count(6_000_000),
        replication: 0,
    };
    let r = simulate(&point).unwrap();
    let days = r.period.as_secs_f64() / 86_400.0;
    // 200,000 a day come, 100,000 are served; a health check a minute and the queries come on top.
    let served = r.arrived.calls() - r.arrived.metrics_reads;
    assert_eq!(served as f64, 100_000.0 * days);
    assert!(r.arrived.refused as f64 > 95_000.0 * days);
}
