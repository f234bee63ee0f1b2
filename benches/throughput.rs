//! Simulated requests per second on one core: the real components in the simulator, beside a
//! hand-written loop of the same model, in the same process. Also the memory of long runs.
//!
//! `cargo bench` measures rates; `cargo bench -- memory` also runs 1M, 10M and 100M requests. `real N`, `hand N` and
//! `loop N` run the real components, the loop by hand or the loop without values alone, `naive N` the components under a
//! policy that reads and writes for each request, on N requests at 100M a month; `single N`, `world N` and `fleet N`
//! recordings at 1B: for `benches/peers`, and to count instructions. `run SCENARIO POLICY TRAFFIC [SETTING...]` is the
//! first replication of what `kvplan run` simulates, for `tests/instructions.sh`.

use kvplan_simulator::models::quantity::{Count, Rate};
use kvplan_simulator::models::{load, parse_overrides};
use kvplan_simulator::run::scenario::Scenario;
use kvplan_simulator::run::{ORIGIN, Point, simulate};
use kvplan_simulator::sim::random::Streams;
use kvplan_simulator::telemetry::aggregate::{Aggregate, ProviderNames};
use kvplan_simulator::telemetry::record::{ProviderId, Record};
use kvplan_simulator::telemetry::sketch::Sketch;
use kvplan_simulator::units::Timestamp;
use kvplan_simulator::workload::{ArrivalKind, WorkloadSpec, WorkloadStream};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// 10M requests a month: where the default scenario's two policies differ.
const TRAFFIC: Count = Count(10_000_000);

/// Runs begin with the measurement, from nothing, as the loop by hand does: what is counted is all that is simulated.
const NOTHING_BEFORE: &str = "period.warm_up=\"0 s\"";

fn scenario(policy: &str, requests: u64) -> Scenario {
    let settings = [
        NOTHING_BEFORE.into(),
        format!("period.requests={requests}"),
        "period.at_most=\"3650 d\"".into(),
        "workload.analytics_queries.rate=\"40/h\"".into(),
    ];
    Scenario::load(
        "default",
        &[policy.into()],
        None,
        &parse_overrides(&settings).unwrap(),
    )
    .unwrap()
}

/// Requests and seconds of a run through the real components.
fn real(requests: u64, traffic: Count) -> (u64, f64) {
    with("optimised", requests, traffic)
}

/// The same under a policy.
fn with(policy: &str, requests: u64, traffic: Count) -> (u64, f64) {
    let mut scenario = scenario(policy, requests);
    scenario.period.at_least = Duration::from_secs_f64(
        requests as f64 / Rate::per_month(traffic.0 as f64).as_per_second(),
    );
    first_replication(&scenario, traffic)
}

/// Requests and seconds of the first replication of a scenario's first policy.
fn first_replication(scenario: &Scenario, traffic: Count) -> (u64, f64) {
    let point = Point {
        scenario,
        policy: &scenario.policies[0],
        traffic,
        replication: 0,
    };
    let start = Instant::now();
    let result = simulate(&point).expect("invariants hold");
    (
        black_box(result).arrived.records,
        start.elapsed().as_secs_f64(),
    )
}

/// Requests and seconds of recordings, with a health check a minute, on a fleet: what the fleet
/// itself costs, without the keys of a hundred writers that each query has to read there.
fn recordings(fleet: &str, requests: u64) -> (u64, f64) {
    let settings = [
        NOTHING_BEFORE.into(),
        format!("fleet=\"{fleet}\""),
        "workload.metrics_reads={}".into(),
        "workload.analytics_queries={}".into(),
        format!("period.requests={requests}"),
        "period.at_most=\"3650 d\"".into(),
    ];
    let overrides = parse_overrides(&settings).unwrap();
    let policies = ["optimised-fleet".into()];
    let scenario = Scenario::load("default", &policies, None, &overrides).unwrap();
    first_replication(&scenario, Count(1_000_000_000))
}

/// The same model by hand: one heap of events, the same arrivals and latencies, the same totals
/// encoded at each write and decoded and merged at each read (their bytes are metered); no
/// futures, no keys, no store, no limits, no failures, no retries.
fn by_hand(requests: u64, traffic: Count) -> (u64, f64) {
    tight_loop(requests, traffic, true)
}

/// The same without values: a read or write is a counter and a latency.
fn counters_only(requests: u64, traffic: Count) -> (u64, f64) {
    tight_loop(requests, traffic, false)
}

fn tight_loop(requests: u64, traffic: Count, values: bool) -> (u64, f64) {
    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    enum Event {
        FlushDue(u64),
        Written,
        Filled(usize),
    }
    let spec: WorkloadSpec = load("gateway", None, &[]).unwrap();
    let latency: kvplan_simulator::cloud::latency::LatencyProfile =
        load("kv-2025", None, &[]).unwrap();
    let latency = latency.samplers();
    let streams = Streams::new(scenario("optimised", 1).seed, 0);
    let rate = Rate::per_month(traffic.0 as f64);
    let end = ORIGIN + Duration::from_secs_f64(requests as f64 / rate.as_per_second());
    let start = Instant::now();
    let mut arrivals = WorkloadStream::new(&spec, rate, ORIGIN, &streams);
    let mut rng = streams.stream("kv.latency");
    let mut heap: BinaryHeap<Reverse<(Timestamp, u64, Event)>> = BinaryHeap::new();
    let (mut order, mut batch, mut number) = (0_u64, Vec::with_capacity(100), 0_u64);
    let (mut records, mut writes, mut reads) = (0_u64, 0_u64, 0_u64);
    let mut names = ProviderNames::default();
    for p in &spec.providers {
        names.intern(&p.name);
    }
    let (mut total, mut hour, mut bytes) = (Aggregate::default(), ORIGIN, 0);
    let mut stored = Vec::new();
    let mut past: VecDeque<Aggregate> = VecDeque::new();
    let mut calls = vec![Sketch::default(); 4];
    let mut cached = [None, None];
    let mut fresh_until = [Timestamp::EPOCH; 2];
    let (ttl, age) = (Duration::from_secs(5), Duration::from_secs(10));
    let mut push = |heap: &mut BinaryHeap<_>, at, event| {
        order += 1;
        heap.push(Reverse((at, order, event)));
    };
    while let Some(a) = arrivals.next_arrival().filter(|a| a.at < end) {
        while heap.peek().is_some_and(|Reverse((at, ..))| *at <= a.at) {
            let Some(Reverse((at, _, event))) = heap.pop() else {
                break;
            };
            match event {
                Event::FlushDue(n) if n == number => {
                    number += 1;
                    if at.since(hour) >= Duration::from_secs(3_600) {
                        hour = hour + Duration::from_secs(3_600);
                        past.push_back(std::mem::take(&mut total));
                        if past.len() > 23 {
                            past.pop_front();
                        }
                    }
                    for record in batch.drain(..) {
                        total.add(&record);
                    }
                    if values {
                        stored = total.encode(&names);
                        bytes += stored.len();
                    }
                    writes += 1;
                    push(
                        &mut heap,
                        at + latency.write.sample(&mut rng),
                        Event::Written,
                    );
                }
                Event::FlushDue(_) | Event::Written => {}
                Event::Filled(window) => fresh_until[window] = at + ttl,
            }
        }
        let (window, call) = match a.kind {
            ArrivalKind::Record {
                provider,
                latency: taken,
                success,
                tokens,
            } => {
                records += 1;
                batch.push(Record {
                    at: a.at,
                    provider: ProviderId(provider),
                    latency: taken,
                    success,
                    tokens,
                });
                calls[0].add(0.0);
                if batch.len() == 1 {
                    push(&mut heap, a.at + age, Event::FlushDue(number));
                } else if batch.len() == 100 {
                    push(&mut heap, a.at, Event::FlushDue(number));
                }
                continue;
            }
            ArrivalKind::MetricsRead | ArrivalKind::MetricsWithRecord => (0, 1),
            ArrivalKind::AnalyticsQuery => (1, 2),
            ArrivalKind::HealthCheck => (0, 3),
        };
        if a.at < fresh_until[window] {
            calls[call].add(0.0);
        } else {
            reads += 1;
            if values && !stored.is_empty() {
                let mut sum = Aggregate::decode(&stored, &mut names).expect("just encoded");
                bytes += stored.len();
                if window == 1 {
                    for aggregate in &past {
                        sum.merge(aggregate);
                    }
                }
                cached[window] = Some(sum);
            }
            let taken = latency.read.sample(&mut rng);
            calls[call].add(taken.as_nanos() as f64 / 1e6);
            push(&mut heap, a.at + taken, Event::Filled(window));
        }
    }
    black_box((writes, reads, bytes, &total, &cached, &calls));
    (records, start.elapsed().as_secs_f64())
}

/// Peak memory of this process in MiB, where the system tells.
fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1_024.0)
}

/// What runs alone under a name, and gives requests and seconds.
type Mode = fn(u64, Count) -> (u64, f64);

fn mode(name: &str) -> Option<Mode> {
    Some(match name {
        "real" => real,
        "naive" => |n, traffic| with("naive", n, traffic),
        "hand" => by_hand,
        "loop" => counters_only,
        "single" => |n, _| recordings("single", n),
        "fleet" => |n, _| recordings("world-independent", n),
        "world" => |n, _| recordings("world", n),
        _ => return None,
    })
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, requests, ..] = arguments.as_slice()
        && let Some(run) = mode(first)
    {
        let requests = requests.parse().expect("a number of requests");
        let (requests, _) = run(requests, Count(100_000_000));
        println!("{{\"requests\": {requests}}}");
        return;
    }
    if let [first, scenario, policy, traffic, settings @ ..] = arguments.as_slice()
        && first == "run"
    {
        let settings = parse_overrides(settings).expect("settings");
        let scenario = Scenario::load(scenario, &[policy.into()], None, &settings);
        let traffic = traffic.parse().expect("requests a month");
        let (requests, _) = first_replication(&scenario.expect("a scenario"), traffic);
        println!("{{\"requests\": {requests}}}");
        return;
    }
    for (label, traffic) in [
        ("10M requests/month", TRAFFIC),
        ("100M requests/month", Count(100_000_000)),
    ] {
        // Best of five, in turns, so that noise hits both alike.
        let mut best = [f64::INFINITY; 3];
        for _ in 0..5 {
            for (i, run) in [real, by_hand, counters_only].into_iter().enumerate() {
                let (requests, seconds) = run(1_000_000, traffic);
                best[i] = best[i].min(seconds / requests as f64);
            }
        }
        println!(
            "{label}: real components {:.2} M requests/s; loop by hand {:.2} M/s, ratio {:.2}; loop without values {:.2} M/s, ratio {:.2}",
            1e-6 / best[0],
            1e-6 / best[1],
            best[1] / best[0],
            1e-6 / best[2],
            best[2] / best[0]
        );
    }
    let fleets = [
        ("single", "one isolate"),
        ("world", "10 places with a shard server each"),
        (
            "world-independent",
            "100 machines in 10 places, each on its own",
        ),
    ];
    let mut best = [f64::INFINITY; 3];
    for _ in 0..5 {
        for (i, (fleet, _)) in fleets.into_iter().enumerate() {
            let (requests, seconds) = recordings(fleet, 2_000_000);
            best[i] = best[i].min(seconds / requests as f64);
        }
    }
    for ((_, label), seconds) in fleets.into_iter().zip(best) {
        println!(
            "recordings at 1B requests/month: {label}: {:.2} M requests/s, ratio {:.2}",
            1e-6 / seconds,
            best[0] / seconds
        );
    }
    if arguments.iter().any(|a| a == "memory") {
        for requests in [1_000_000, 10_000_000, 100_000_000] {
            let (n, seconds) = real(requests, Count(100_000_000));
            let peak = peak_mib().map_or("unknown".into(), |m| format!("{m:.1} MiB"));
            println!("{n} requests in {seconds:.1} s, peak memory {peak}");
        }
    }
}
