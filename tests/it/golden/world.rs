//! Runs whose arrivals are known one by one, with all that was done on the KV.

use crate::setup::overrides;
use kvplan::app::Application;
use kvplan::cloud::kv::Operation;
use kvplan::cloud::spans::Span;
use kvplan::models::quantity::Count;
use kvplan::run::metric::{METRICS, position};
use kvplan::run::result::RunResult;
use kvplan::run::scenario::Scenario;
use kvplan::run::{Billed, ORIGIN, Observation, Phases, Point, Run, arrivals};
use kvplan::sim::executor::SimHandle;
use kvplan::sim::random::Streams;
use kvplan::telemetry::ports::{KvError, OpKind};
use kvplan::units::Timestamp;
use kvplan::workload::{Arrival, ArrivalKind};
use std::collections::BTreeSet;
use std::time::Duration;

/// A month of 30 days.
const MONTH_S: f64 = 30.0 * 86_400.0;

/// Operations take 10 ms, nothing fails, nothing is asked for but recordings, and a time bucket is longer than a run.
const PLAIN: [&str; 5] = [
    "latency=\"constant-10ms\"",
    "workload.metrics_reads={}",
    "workload.analytics_queries={}",
    "workload.health_checks={}",
    "policy.layout.bucket=\"6 h\"",
];

/// The default scenario with one policy, made plain.
pub(super) fn scenario(policy: &str, plan: &str, settings: &[&str]) -> Scenario {
    let all = overrides(&PLAIN, settings);
    Scenario::load("default", &[policy.into()], Some(plan), &all).unwrap()
}

/// So many milliseconds after the start of the measurement.
pub(super) fn at(ms: u64) -> Timestamp {
    ORIGIN + Duration::from_millis(ms)
}

/// Something that arrives so many milliseconds after the start.
pub(super) fn call(ms: u64, kind: ArrivalKind) -> Arrival {
    Arrival {
        at: at(ms),
        place: None,
        kind,
    }
}

/// A request to be recorded whose provider takes so long.
pub(super) fn request(ms: u64, latency_ms: u64) -> Arrival {
    let kind = ArrivalKind::Record {
        provider: 0,
        latency: Duration::from_millis(latency_ms),
        success: true,
        tokens: 7,
    };
    call(ms, kind)
}

/// Calls of a kind, one each so many milliseconds.
pub(super) fn every(ms: u64, n: u64, kind: ArrivalKind) -> Vec<Arrival> {
    (0..n).map(|i| call(i * ms, kind)).collect()
}

/// Several sequences of arrivals in the order of time.
pub(super) fn together(parts: &[Vec<Arrival>]) -> Vec<Arrival> {
    let mut all = parts.concat();
    all.sort_by_key(|a| a.at);
    all
}

fn point(scenario: &Scenario, per_second: f64) -> Point<'_> {
    Point {
        scenario,
        policy: &scenario.policies[0],
        traffic: Count((per_second * MONTH_S) as u64),
        replication: 0,
    }
}

/// What the workload brings in so many seconds, with recordings at a rate.
pub(super) fn drawn(scenario: &Scenario, per_second: f64, seconds: u64) -> Vec<Arrival> {
    let mut coming = arrivals(&point(scenario, per_second), ORIGIN);
    std::iter::from_fn(|| coming.next_arrival())
        .take_while(|a| a.at < at(1_000 * seconds))
        .collect()
}

/// A run from nothing, without a warm-up: everything that is counted is seen.
fn from_nothing() -> (Phases, Observation) {
    let phases = Phases {
        start: ORIGIN,
        queries_from: ORIGIN,
        origin: ORIGIN,
    };
    let all = Observation {
        interval: None,
        traces: usize::MAX,
    };
    (phases, all)
}

/// What came, what was done, and what the simulator says of it.
pub(super) struct Seen {
    pub(super) result: RunResult,
    pub(super) spans: Vec<Span>,
    pub(super) arrivals: Vec<Arrival>,
    /// Seconds measured.
    pub(super) period_s: f64,
}

/// The metrics system under these arrivals. The period should end some time after the last of them, so that
/// whatever began has ended.
pub(super) fn play(scenario: &Scenario, arrivals: Vec<Arrival>, seconds: u64) -> Seen {
    let (phases, all) = from_nothing();
    let run = Run::new(&point(scenario, 1.0), phases, &all);
    drive(run, arrivals, seconds)
}

/// Another application under these arrivals.
pub(super) fn play_on<A: Application>(
    scenario: &Scenario,
    arrivals: Vec<Arrival>,
    seconds: u64,
    make: impl FnOnce(&SimHandle, &Streams) -> A,
) -> Seen {
    let (phases, all) = from_nothing();
    let run = Run::of(&point(scenario, 1.0), phases, &all, make);
    drive(run, arrivals, seconds)
}

fn drive<A: Application>(mut run: Run<'_, A>, arrivals: Vec<Arrival>, seconds: u64) -> Seen {
    for arrival in &arrivals {
        run.arrive(arrival);
    }
    let (result, observed) = run.finish(at(1_000 * seconds), Billed::Month).unwrap();
    Seen {
        result,
        spans: observed.traces,
        arrivals,
        period_s: seconds as f64,
    }
}

impl Seen {
    /// A count of the period for a month at the same rate.
    pub(super) fn monthly(&self, n: f64) -> f64 {
        n * MONTH_S / self.period_s
    }

    /// Operations of a kind.
    pub(super) fn operations(&self, kind: OpKind) -> impl Iterator<Item = &Operation> {
        let all = self.spans.iter().flat_map(|s| &s.operations);
        all.filter(move |o| o.kind == kind)
    }

    /// Keys that operations of a kind were for.
    pub(super) fn keys(&self, kind: OpKind) -> f64 {
        self.operations(kind).map(|o| o.keys).sum::<usize>() as f64
    }

    /// Keys that operations of all kinds were for.
    pub(super) fn all_keys(&self) -> f64 {
        OpKind::ALL.iter().map(|k| self.keys(*k)).sum()
    }

    /// Keys of operations that failed so.
    pub(super) fn failed_keys(&self, how: impl Fn(&KvError) -> bool) -> f64 {
        let all = self.spans.iter().flat_map(|s| &s.operations);
        let failed = all.filter(|o| o.error.as_ref().is_some_and(&how));
        failed.map(|o| o.keys).sum::<usize>() as f64
    }

    /// Invocations of a name.
    pub(super) fn named(&self, name: &str) -> Vec<&Span> {
        self.spans.iter().filter(|s| s.name == name).collect()
    }

    /// Arrivals of a kind.
    pub(super) fn came(&self, is: impl Fn(&ArrivalKind) -> bool) -> f64 {
        self.arrivals.iter().filter(|a| is(&a.kind)).count() as f64
    }

    /// Requests that came to be recorded.
    pub(super) fn records(&self) -> f64 {
        self.came(is_record)
    }
}

/// Whether it is a request to be recorded.
pub(super) fn is_record(kind: &ArrivalKind) -> bool {
    matches!(kind, ArrivalKind::Record { .. })
}

/// Whether the last operation of an invocation failed.
pub(super) fn failed(span: &Span) -> bool {
    let last = span.operations.last();
    last.is_some_and(|o| o.error.is_some())
}

/// The value of rank `q n`, rounded up, of those given. That of no other percentile in use is about the same: a measure
/// that gave one for the other would be seen.
pub(super) fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let of = |q: f64| sorted[(q * sorted.len() as f64).ceil() as usize - 1];
    for other in [0.50, 0.90, 0.95, 0.99] {
        let apart = (of(other) / of(q) - 1.0).abs() > 0.02;
        assert!(other == q || apart, "{q} and {other}: {}", of(q));
    }
    of(q)
}

/// The measures that a case has compared.
#[derive(Default)]
pub(super) struct Compared(BTreeSet<&'static str>);

impl Compared {
    /// The measure is this count, but for the rounding of a division.
    pub(super) fn is(&mut self, seen: &Seen, name: &'static str, expected: f64) {
        self.is_about(seen, name, expected, 1e-12);
    }

    /// The measure is this but for a share, and neither nothing nor unknown.
    pub(super) fn is_about(&mut self, seen: &Seen, name: &'static str, expected: f64, by: f64) {
        let found = METRICS[position(name)].value(&seen.result);
        println!("{name}: {found}, counted {expected}");
        let all_right = expected != 0.0 && (found - expected).abs() <= by * expected.abs();
        assert!(all_right, "{name}: {found}, counted {expected} ± {by}");
        self.0.insert(name);
    }

    /// The measure is the percentile of these values, to half the width of a bin.
    pub(super) fn is_quantile(&mut self, seen: &Seen, name: &'static str, of: &[f64], q: f64) {
        self.is_about(seen, name, quantile(of, q), 5e-4);
    }

    pub(super) fn names(&self) -> BTreeSet<&'static str> {
        self.0.clone()
    }
}
