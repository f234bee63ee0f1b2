//! Places and isolates that come and go, against closed forms.

use crate::setup::overrides;
use kvplan::cloud::fleet::{EndCause, Fleet, FleetSpec, Life};
use kvplan::models::load;
use kvplan::models::quantity::Count;
use kvplan::run::metric;
use kvplan::run::result::RunResult;
use kvplan::run::scenario::Scenario;
use kvplan::run::{Point, simulate};
use kvplan::sim::executor::{Executor, SimHandle};
use kvplan::sim::random::Streams;
use kvplan::telemetry::counters::LossCause;
use kvplan::telemetry::ports::Clock;
use kvplan::units::Timestamp;
use std::time::Duration;

const MONTH_S: f64 = 30.0 * 86_400.0;

/// Runs `optimised-fleet` on the one-place fleet with overrides, without queries and latencies.
fn run(per_second: f64, settings: &[&str]) -> RunResult {
    runs(per_second, settings, 1).remove(0)
}

/// The same in replications.
fn runs(per_second: f64, settings: &[&str], replications: u64) -> Vec<RunResult> {
    runs_of(&quiet(settings), per_second, replications)
}

fn quiet(settings: &[&str]) -> Scenario {
    let quiet = [
        "fleet=\"slow-start\"",
        "latency=\"in-memory\"",
        "workload.metrics_reads={}",
        "workload.analytics_queries={}",
        "workload.health_checks={}",
        "workload.providers=[{name=\"p\",share=\"100%\",success=\"100%\",latency={kind=\"constant\",value=\"0 s\"},tokens={kind=\"constant\",value=1}}]",
        "period.warm_up=\"1 h\"",
    ];
    let overrides = overrides(&quiet, settings);
    Scenario::load("default", &["optimised-fleet".into()], None, &overrides).unwrap()
}

fn runs_of(scenario: &Scenario, per_second: f64, replications: u64) -> Vec<RunResult> {
    let replicate = |replication| {
        let point = Point {
            scenario,
            policy: &scenario.policies[0],
            traffic: Count((per_second * MONTH_S) as u64),
            replication,
        };
        simulate(&point).unwrap()
    };
    (0..replications).map(replicate).collect()
}

fn measure(r: &RunResult, name: &str) -> f64 {
    metric::METRICS[metric::index_of(name).unwrap()].value(r)
}

/// Isolates that end for want of requests only, and start at once.
const IDLE_ENDS_ONLY: [&str; 4] = [
    "fleet.life.mean_life=\"36500 d\"",
    "fleet.life.deploy_every=\"36500 d\"",
    // No work in the background, which would keep an isolate alive.
    "fleet.life.wait_until=\"0 s\"",
    "fleet.life.cold_start={kind=\"constant\",value=\"0 s\"}",
];

/// A request finds no isolate if none came to its machine for the idle time: `exp(-l T)` for
/// Poisson arrivals at rate `l` on each machine that requests go to, which is one with sharding.
#[test]
fn cold_starts_follow_the_gaps_between_requests() {
    for (routing, per_second, idle_s, machines) in [
        ("independent", 0.1, 60, 10.0),
        ("independent", 0.1, 150, 10.0),
        ("independent", 0.1, 300, 20.0),
        ("shard", 0.02, 60, 10.0),
        ("shard", 0.01, 60, 100.0),
    ] {
        let settings = [
            &format!("fleet.routing=\"{routing}\"") as &str,
            &format!("fleet.isolates={machines}"),
            &format!("fleet.life.idle=\"{idle_s} s\""),
            "period.requests=50000",
            "period.at_most=\"70 d\"",
        ];
        let slow_start = "fleet.life.cold_start={kind=\"constant\",value=\"1 ms\"}";
        let r = run(
            per_second,
            &[&settings[..], &IDLE_ENDS_ONLY, &[slow_start]].concat(),
        );
        let used = if routing == "shard" { 1.0 } else { machines };
        let expected = (-per_second / used * f64::from(idle_s)).exp();
        let n = r.arrived.records as f64;
        let share = r.calls.cold_start.count() as f64 / n;
        let bound = 4.0 * (expected * (1.0 - expected) / n).sqrt();
        println!("{routing}, {idle_s} s: {share:.4} vs {expected:.4} ± {bound:.4}");
        assert!(
            (share - expected).abs() < bound,
            "{routing}, {idle_s} s: {share} vs {expected}"
        );
        assert_eq!(r.fleet.started, r.calls.cold_start.count());
    }
}

/// A machine that requests come to at rate `l` has an isolate if one came within the idle time
/// `T`: a share `p = 1 - exp(-l T)` of the time. That indicator is independent of itself more than
/// `T` later, so that its average over `t` has a variance of at most `2 T / t p (1 - p)`.
#[test]
fn isolates_alive_follow_the_traffic_of_places_and_not_the_number_of_machines() {
    let (per_second, idle_s) = (0.02, 60.0);
    let spec = "fleet.zipf={places=4,exponent=1.0}";
    for (routing, machines) in [("shard", 4), ("shard", 200), ("independent", 20)] {
        let settings = [
            spec,
            &format!("fleet.routing=\"{routing}\"") as &str,
            &format!("fleet.isolates={machines}"),
            "fleet.life.idle=\"60 s\"",
            "period.requests=20000",
            "period.at_most=\"70 d\"",
        ];
        let r = run(per_second, &[&settings[..], &IDLE_ENDS_ONLY].concat());
        let mut fleet = FleetSpec::fixed(machines);
        fleet.zipf = Some(kvplan::cloud::fleet::Zipf {
            places: 4,
            exponent: 1.0,
        });
        let (mut expected, mut variance, mut most) = (0.0, 0.0, 0);
        for ((share, _), of_place) in fleet.shares().into_iter().zip(fleet.machines()) {
            let used = if routing == "shard" { 1 } else { of_place };
            let p = 1.0 - (-per_second * share / f64::from(used) * idle_s).exp();
            expected += f64::from(used) * p;
            variance += f64::from(used) * 2.0 * idle_s / r.period.as_secs_f64() * p * (1.0 - p);
            most += u64::from(used);
        }
        let (mean, bound) = (measure(&r, "isolates_mean"), 4.0 * variance.sqrt());
        println!("{routing}, {machines} machines: {mean:.4} vs {expected:.4} ± {bound:.4}");
        assert!(
            (mean - expected).abs() < bound,
            "{routing}, {machines} machines: {mean} vs {expected} ± {bound}"
        );
        let peak = measure(&r, "isolates_peak");
        assert!(peak as u64 <= most && peak > mean, "{peak} of {most}");
        assert_eq!(measure(&r, "spilled_share"), 0.0);
    }
}

/// Mean and variance of the time between requests that spill over from a machine which is
/// overloaded with `c` under way, at a rate `l` of requests that take `1/m` on average
/// (exponential): the time in which a birth-and-death process passes from `c` to `c + 1`, were
/// there such a state, after each of which it is in `c` again.
fn between_spills(l: f64, m: f64, c: u32) -> (f64, f64) {
    let (mut mean, mut square) = (1.0 / l, 2.0 / (l * l));
    for j in 1..=c {
        let down = f64::from(j) * m;
        let (out, q) = (l + down, down / (l + down));
        let longer = (1.0 + down * mean) / l;
        // T_j = D, and with probability q then T_(j-1) + T_j, all independent.
        let squares = 2.0 / (out * out)
            + 2.0 / out * q * (mean + longer)
            + q * (square + 2.0 * mean * longer);
        (mean, square) = (longer, squares / (1.0 - q));
    }
    (mean, square - mean * mean)
}

/// The share of the requests that find `c` under way at their shard server is Erlang's loss
/// formula, whatever the distribution of their lengths.
#[test]
fn requests_that_spill_over_follow_erlangs_formula() {
    for (per_second, c) in [(2.0, 3), (5.0, 4), (0.5, 1)] {
        let erlang_b = (1..=c).fold(1.0, |b, k| per_second * b / (f64::from(k) + per_second * b));
        let (mean, variance) = between_spills(per_second, 1.0, c);
        assert!((per_second * mean * erlang_b - 1.0).abs() < 1e-12);
        let settings = [
            "fleet.isolates=50",
            "workload.providers=[{name=\"p\",share=\"100%\",success=\"100%\",latency={kind=\"exponential\",mean=\"1 s\"},tokens={kind=\"constant\",value=1}}]",
            &format!("fleet.life.spill_at={c}") as &str,
            "period.requests=100000",
        ];
        let r = run(per_second, &[&settings[..], &IDLE_ENDS_ONLY].concat());
        let t = r.period.as_secs_f64();
        // A renewal process: in t it counts t / mean, with a variance of t variance / mean^3.
        let (expected, bound) = (t / mean, 4.0 * (t * variance / mean.powi(3)).sqrt());
        let spilled = r.fleet.spilled as f64;
        let share = measure(&r, "spilled_share");
        println!(
            "{per_second}/s, {c}: {share:.4} vs {erlang_b:.4}; {spilled} vs {expected:.0} ± {bound:.0}"
        );
        assert!(
            (spilled - expected).abs() < bound,
            "{per_second}/s, {c}: {spilled} vs {expected} ± {bound}"
        );
    }
}

/// A fleet with nothing in its isolates, on a clock of its own.
struct Bare {
    executor: Executor,
    sim: SimHandle,
    fleet: Fleet<()>,
}

impl Bare {
    fn new(change: impl Fn(&mut FleetSpec, &mut Life)) -> Self {
        let mut spec: FleetSpec = load("slow-start", None, &[]).unwrap();
        let mut life = spec.life.clone().unwrap();
        life.mean_life = None;
        life.deploy_every = None;
        life.cold_start = kvplan::models::dist::Dist::Constant {
            value: Duration::ZERO,
        };
        change(&mut spec, &mut life);
        spec.life = Some(life);
        let executor = Executor::new(Timestamp::from_secs(1_000_000));
        let sim = executor.handle();
        let streams = Streams::new(1, 0);
        let fleet = Fleet::new(&spec, None, sim.clone(), &streams, |_, _| (), |_| ());
        Bare {
            executor,
            sim,
            fleet,
        }
    }

    /// The number of the isolate that serves a request now.
    fn serve(&mut self, busy_s: u64) -> u64 {
        let busy = Duration::from_secs(busy_s);
        self.fleet.serve(None, busy).0.number
    }

    fn wait(&self, seconds: u64) {
        self.executor
            .run_until(self.sim.now() + Duration::from_secs(seconds));
    }
}

#[test]
fn requests_spill_over_in_a_fixed_order_and_come_back() {
    let served = |spill_at, most| {
        let mut f = Bare::new(|spec, life| {
            spec.isolates = 3;
            life.spill_at = Some(spill_at);
            life.max_concurrency = most;
        });
        let at_once: Vec<u64> = (0..8).map(|_| f.serve(10)).collect();
        f.wait(11);
        (at_once, f.serve(10), f.fleet.counters())
    };
    // Two at each machine; when all are overloaded, the shard server takes the rest ...
    let (at_once, later, counters) = served(2, 100);
    assert_eq!(at_once, [0, 0, 1, 1, 2, 2, 0, 0]);
    assert_eq!(later, 0);
    assert_eq!(
        (counters.spilled, counters.started, counters.peak),
        (4, 3, 3)
    );
    // ... in more isolates if one is not enough.
    let (at_once, later, counters) = served(2, 2);
    assert_eq!(at_once, [0, 0, 1, 1, 2, 2, 3, 3]);
    assert_eq!(later, 0);
    assert_eq!(counters.spilled, 4);
    // An isolate that serves fewer at once than its machine takes gets another beside it.
    let (at_once, _, counters) = served(4, 2);
    assert_eq!(at_once, [0, 0, 1, 1, 2, 2, 3, 3]);
    assert_eq!(counters.spilled, 4);
}

#[test]
fn a_deployment_takes_effect_on_time_though_no_request_comes() {
    let mut f = Bare::new(|_, life| {
        life.idle = Duration::from_secs(3_600);
        life.deploy_every = Some(Duration::from_secs(600));
        life.grace = Duration::from_secs(30);
    });
    let deployed = |f: &Bare| f.fleet.counters().ended[EndCause::Deploy as usize];
    // One that is idle when it comes ends at once, and the next request finds none.
    assert_eq!(f.serve(0), 0);
    f.wait(600);
    assert_eq!((deployed(&f), f.fleet.isolates().count()), (1, 0));
    // It lived for the part of the 600 s before the deployment.
    let alive_ns = f.fleet.counters().alive_ns;
    assert!(alive_ns < 600_000_000_000 && alive_ns > 0, "{alive_ns}");
    f.wait(6_000);
    assert_eq!((deployed(&f), f.fleet.counters().started), (1, 1));
    // One at work goes on for the grace, beside the new version.
    assert_eq!(f.serve(3_600), 1);
    while deployed(&f) == 1 {
        f.wait(1);
    }
    assert_eq!(f.serve(0), 2);
    assert_eq!(f.fleet.isolates().count(), 2);
    f.wait(31);
    assert_eq!(f.fleet.isolates().count(), 1);
}

/// Deployments come at a time of their own in each replication: a period that is half as long as
/// the time between them holds one in half of the replications, which ends all isolates alive.
#[test]
fn a_period_holds_its_share_of_the_deployments() {
    let (machines, n) = (5.0, 200);
    let settings = [
        "fleet.isolates=5",
        "fleet.routing=\"independent\"",
        "period.requests=900",
        "period.at_least=\"30 min\"",
        "period.at_most=\"30 min\"",
    ];
    let every = ["fleet.life.deploy_every=\"1 h\""];
    let results = runs(0.5, &[&settings[..], &IDLE_ENDS_ONLY, &every].concat(), n);
    let deploys = |r: &RunResult| r.fleet.ended[EndCause::Deploy as usize];
    // Six a minute on each machine: all have an isolate at any time, but right after a deployment.
    assert!(results.iter().all(|r| [0, 5].contains(&deploys(r))));
    let ended: u64 = results.iter().map(deploys).sum();
    let share = 0.5;
    let expected = machines * share * n as f64;
    let bound = 4.0 * machines * (n as f64 * share * (1.0 - share)).sqrt();
    println!("{ended} vs {expected} ± {bound}");
    assert!(
        (ended as f64 - expected).abs() < bound,
        "{ended} vs {expected} ± {bound}"
    );
    let alive: f64 = results.iter().map(|r| measure(r, "isolates_mean")).sum();
    assert!((alive / n as f64 / machines - 1.0).abs() < 0.01, "{alive}");
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

/// A batch that would be older than `waitUntil` allows is never written by its age, in isolates that end as in those
/// that do not, where it waits until it is full. A policy cannot be loaded with such an age.
#[test]
fn wait_until_cuts_a_slow_batch_short() {
    let settings = |fleet| [fleet, "fleet.isolates=1", "period.requests=500"];
    let counters = |fleet, age_s| {
        let mut scenario = quiet(&settings(fleet));
        scenario.policies[0].batch.max_age = Duration::from_secs(age_s);
        runs_of(&scenario, 0.01, 1).remove(0).counters
    };
    let (ends, lives) = ("fleet=\"slow-start\"", "fleet=\"single\"");
    let stored = |age_s| {
        let c = counters(ends, age_s);
        c.stored as f64 / c.accepted as f64
    };
    assert!(stored(20) > 0.95);
    assert_eq!(stored(40), 0.0);
    let batch = |age_s| {
        let c = counters(lives, age_s);
        c.flushed_records as f64 / c.flushes as f64
    };
    assert!(batch(20) < 2.0);
    assert_eq!(batch(40), 100.0);
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
    assert_eq!(r.arrived.requests() as f64, 100_000.0 * days);
    assert!(r.arrived.refused as f64 > 95_000.0 * days);
}
