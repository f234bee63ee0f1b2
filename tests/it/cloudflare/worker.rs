//! The metrics system as a Worker (`src/worker`) in Cloudflare's own runtime, at a rate at which invocations of one isolate
//! overlap: no request hangs, everything is stored, and it writes as often as the simulation of the same arrivals says.
//!
//! Five seconds of traffic for each policy, and the age of a batch; `KVPLAN_COUNTS_SECONDS` says how many else.

use super::workerd::{Workerd, in_real_time};
use kvplan::cloud::fleet::FleetSpec;
use kvplan::cloud::kv::{KvLimits, KvStore, OpOutcome, SameKeyExcess};
use kvplan::cloud::runtime::{Admission, Context, Memory, Runtime};
use kvplan::models::{embedded_names, load, parse_overrides};
use kvplan::sim::executor::{Executor, SimHandle};
use kvplan::sim::random::Streams;
use kvplan::study::validate::Ports;
use kvplan::telemetry::collector::Collector;
use kvplan::telemetry::host::{Answer, Host, Query};
use kvplan::telemetry::policy::{Discover, KeyLayout, Overflow, Policy, WriteMode};
use kvplan::telemetry::ports::{Clock, OpKind};
use kvplan::units::Timestamp;
use kvplan_remote::Values;
use kvplan_remote::clock::SystemClock;
use kvplan_remote::decorators::{Fault, Faults, Faulty};
use rand::RngExt;
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};
use ureq::Agent;

/// Records a second: some at a time wherever something is waited for.
const RATE: u32 = 120;
/// At this rate the first edition's collector stopped for good under `optimised`: its third write was woken by the
/// second, in the request context of that one.
const RATE_THAT_HUNG: u32 = 193;
/// A look at the metrics after so many records.
const RECORDS_PER_LOOK: u32 = 60;
/// Whose records are told apart.
const PROVIDERS: u32 = 3;
/// Runtimes at a time.
const AT_A_TIME: usize = 3;
/// Simulations with latencies drawn anew, whose span is what may be seen.
const DRAWS: u64 = 40;
/// What a query for all records covers: an hour that ends meanwhile is not the current one any more.
const WINDOW: Duration = Duration::from_secs(2 * 3_600);

/// A policy and how it is driven.
struct Case {
    policy: Policy,
    rate: u32,
}

impl Case {
    fn new(policy: &str, settings: &[&str], rate: u32) -> Self {
        let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
        let settings = parse_overrides(&settings).unwrap();
        let policy = load(policy, None, &settings).unwrap();
        Case { policy, rate }
    }

    /// Every shipped policy under which an invocation waits for more than an answer of the KV; and a buffer so small that
    /// requests wait for room, which that of the shipped policy hardly lets happen.
    fn all() -> Vec<Case> {
        let rate = |name: &str| match name {
            "optimised" => RATE_THAT_HUNG,
            _ => RATE,
        };
        let names = embedded_names("policies");
        let shipped = names.iter().map(|name| Case::new(name, &[], rate(name)));
        let mut all: Vec<Case> = shipped.filter(|c| waits(&c.policy)).collect();
        let small = ["batch.buffer_capacity=100", "batch.max_wait=\"20 s\""];
        all.push(Case::new("backpressure", &small, 105));
        all
    }

    fn name(&self) -> String {
        let capacity = self.policy.batch.buffer_capacity;
        format!(
            "{} (buffer {capacity}) at {}/s",
            self.policy.name, self.rate
        )
    }
}

/// Whether an invocation waits: for its turn or the interval of writes, for the write of others' records, for room, between
/// attempts, for the answer to another's query or for an entry to grow old.
fn waits(policy: &Policy) -> bool {
    let batch = &policy.batch;
    !batch.min_interval.is_zero()
        || batch.write == WriteMode::Await
        || batch.overflow == Overflow::Wait
        || policy.layout.keys == KeyLayout::Shared
        || [&policy.retry, &policy.queries.retry]
            .iter()
            .any(|r| r.max_attempts > 1)
        || policy.cache.coalesce
        || policy.cache.prewarm.is_some()
}

/// What is asked of the Worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Call {
    Record { provider: u32 },
    Look,
}

/// An answer, and when the Worker saw the request.
#[derive(Debug, Clone, Copy)]
struct Seen {
    call: Call,
    at: Timestamp,
    took: Duration,
}

/// What came of some traffic.
#[derive(Debug, Clone, PartialEq)]
struct Counts {
    accepted: u64,
    lost: u64,
    stored: u64,
    /// Records that a query then finds in the KV.
    found: u64,
    failed_writes: u64,
    writes: u64,
    batches: u64,
}

/// How many operations of a kind took so many milliseconds.
type Took = BTreeMap<OpKind, Vec<(u64, u64)>>;

/// Traffic that the Worker has seen.
struct Traffic {
    counts: Counts,
    seen: Vec<Seen>,
    took: Took,
}

/// A request on a connection that was kept, if there is one.
fn ask(agents: &Mutex<Vec<Agent>>, method: &str, url: &str, body: &str) -> Result<Value, String> {
    let kept = agents.lock().unwrap().pop();
    let agent = kept.unwrap_or_else(|| {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            // The runtime closes a connection that was idle for 5 s, and may itself stand still for a while.
            .max_idle_age(Duration::from_millis(300))
            .proxy(None);
        config.build().into()
    });
    let answer = match method {
        "POST" => agent.post(url).send(body),
        _ => agent.get(url).call(),
    };
    let mut answer = answer.map_err(|e| e.to_string())?;
    let text = answer
        .body_mut()
        .read_to_string()
        .map_err(|e| e.to_string())?;
    agents.lock().unwrap().push(agent);
    let status = answer.status().as_u16();
    if status != 200 {
        return Err(format!("{status}: {text}"));
    }
    serde_json::from_str(&text).map_err(|e| format!("{e}: {text}"))
}

/// One request at its time, whatever became of those before; their answers.
fn drive(root: &str, rate: u32, seconds: u32) -> Vec<Result<Seen, String>> {
    let agents = Mutex::default();
    let call = |i: u32| -> Result<Seen, String> {
        let sent = Instant::now();
        let provider = i % PROVIDERS;
        let body = json!({
            "provider": format!("p{provider}"), "latency_ms": 100 + i % 50, "success": true, "tokens": 10,
        });
        let answer = ask(
            &agents,
            "POST",
            &format!("{root}/record"),
            &body.to_string(),
        )?;
        let at_ms = answer["at_ms"].as_u64().unwrap();
        Ok(Seen {
            call: Call::Record { provider },
            at: Timestamp::EPOCH + Duration::from_millis(at_ms),
            took: sent.elapsed(),
        })
    };
    let look = || -> Result<Seen, String> {
        let (at, sent) = (SystemClock.now(), Instant::now());
        ask(&agents, "GET", &format!("{root}/metrics"), "")?;
        Ok(Seen {
            call: Call::Look,
            at,
            took: sent.elapsed(),
        })
    };
    let (call, look) = (&call, &look);
    thread::scope(|scope| {
        let start = Instant::now();
        let mut calls = Vec::new();
        for i in 0..rate * seconds {
            let due = start + Duration::from_secs(1) / rate * i;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            calls.push(scope.spawn(move || call(i)));
            if i % RECORDS_PER_LOOK == RECORDS_PER_LOOK / 2 {
                calls.push(scope.spawn(look));
            }
        }
        calls.into_iter().map(|c| c.join().unwrap()).collect()
    })
}

/// The Worker's counters, when nothing is in its memory any more or `limit` is over.
fn settled(root: &str, limit: Duration) -> Result<Value, String> {
    let (agents, start) = (Mutex::default(), Instant::now());
    loop {
        let counters = ask(&agents, "GET", &format!("{root}/counters"), "")?;
        if counters["in_memory"] == 0 {
            return Ok(counters);
        }
        if start.elapsed() > limit {
            let (memory, done) = (&counters["in_memory"], &counters["counters"]);
            return Err(format!("{memory} records are not stored: {done}"));
        }
        thread::sleep(Duration::from_millis(250));
    }
}

/// How often each value of a histogram was seen.
fn histogram(counts: &Value) -> Vec<(u64, u64)> {
    let counts = counts.as_object().into_iter().flatten();
    counts
        .map(|(ms, n)| (ms.parse().unwrap(), n.as_u64().unwrap()))
        .collect()
}

/// Drives a Worker in the runtime. None if that is not installed.
fn real(case: &Case, seconds: u32) -> Option<Result<Traffic, String>> {
    let policy = serde_json::to_value(&case.policy).unwrap();
    let workerd = Workerd::start_worker([("POLICY", policy)].into_iter())?;
    let work = || {
        let answers = drive(&workerd.root, case.rate, seconds);
        let settled = settled(
            &workerd.root,
            case.policy.batch.age() + Duration::from_secs(20),
        );
        let failed: Vec<&String> = answers.iter().filter_map(|a| a.as_ref().err()).collect();
        if let Some(first) = failed.first() {
            let (n, of) = (failed.len(), answers.len());
            let then = settled.map(|told| told["counters"].to_string());
            return Err(format!(
                "{n} of {of} requests failed: {first}; then {then:?}"
            ));
        }
        let told = settled?;
        if !told["conservation"].is_null() {
            return Err(told.to_string());
        }
        let mut seen: Vec<Seen> = answers.into_iter().flatten().collect();
        seen.sort_by_key(|s| (s.at, s.call));
        let of = |value: &Value| value.as_u64().unwrap_or_default();
        let (counters, kv) = (&told["counters"], &told["kv"]);
        let writes = of(&kv["write"]["begun"]);
        let lost = counters["lost"].as_object().unwrap().values().map(of).sum();
        let counts = Counts {
            accepted: of(&counters["accepted"]),
            lost,
            stored: of(&counters["stored"]),
            found: found(&workerd, &case.policy),
            failed_writes: writes - of(&kv["write"]["outcomes"]["ok"]),
            writes,
            batches: of(&counters["flushes"]),
        };
        let took = OpKind::ALL.map(|k| {
            let name = serde_json::to_value(k).unwrap();
            (k, histogram(&kv[name.as_str().unwrap()]["took_ms"]))
        });
        Ok(Traffic {
            counts,
            seen,
            took: took.into(),
        })
    };
    Some(work())
}

/// Records that a new reader finds in the namespace.
fn found(workerd: &Workerd, policy: &Policy) -> u64 {
    let mut policy = policy.clone();
    policy.layout.discover = Discover::List;
    let collector = Collector::new(Rc::new(policy), SystemClock, "reader", 1);
    let kv = workerd.rest(Values::Text);
    let metrics = in_real_time(collector.fetch_metrics(&kv, WINDOW));
    metrics.unwrap().overall.count
}

/// The memory of a virtual isolate.
struct Isolate(Host<SimHandle>);

impl Memory for Isolate {
    fn bytes(&self) -> u64 {
        0
    }
}

/// The same arrivals at the virtual runtime and KV, with latencies drawn from those that were seen.
fn simulated(policy: &Policy, seen: &[Seen], took: &Took, seed: u64) -> Counts {
    let executor = Executor::new(seen[0].at);
    let sim = executor.handle();
    let collector = Collector::new(Rc::new(policy.clone()), sim.clone(), "w", seed);
    let host = Host::new(collector);
    let memory = host.clone();
    let mut runtime = Runtime::new(
        &FleetSpec::fixed(1),
        None,
        Admission::new(None),
        sim.clone(),
        &Streams::new(seed, 0),
        move |_, _| Isolate(memory.clone()),
        |_| (),
    );
    // As on the local runtime, which does not hold the pace of a key.
    let limits = KvLimits {
        same_key_excess: SameKeyExcess::Overwrite,
        ..load("cloudflare", None, &[]).unwrap()
    };
    let store = KvStore::counting(limits, sim.clone());
    let took = took.clone();
    let faults = Faults::new(
        seed,
        |_| Fault::default(),
        move |kind, random| {
            let all: u64 = took[&kind].iter().map(|(_, n)| n).sum();
            let mut at = if all == 0 {
                0
            } else {
                random.random_range(0..all)
            };
            let mut times = took[&kind].iter();
            let found = times.find(|(_, n)| {
                let here = at < *n;
                at -= at.min(*n);
                here
            });
            Duration::from_millis(found.map_or(0, |(ms, _)| *ms))
        },
    );
    let hung = Rc::new(Cell::new(0_u64));
    let end = seen.last().unwrap().at + policy.batch.age() + Duration::from_secs(20);
    for s in seen {
        executor.run_until(s.at);
        let (context, _): (Context<Isolate>, _) = runtime.invoke(None, Duration::ZERO);
        let kv = Faulty::new(store.invocation(), sim.clone(), Rc::clone(&faults));
        let context = context.share();
        let ports = Ports::new(kv, context.clone());
        let host = context.memory().0.clone();
        let hangs = Rc::clone(&hung);
        let hangs = move || hangs.set(hangs.get() + 1);
        match s.call {
            Call::Record { provider } => {
                let provider = host.collector().provider(&format!("p{provider}"));
                let latency = Duration::from_millis(100);
                let answer = host.record(provider, latency, true, 10, &ports);
                if let Answer::Later(answer) = answer {
                    context.run(async move { answer.await.unwrap() }, hangs);
                }
            }
            Call::Look => {
                if let Answer::Later(answer) = host.query(Query::Metrics, &ports) {
                    context.run(async move { drop(answer.await.unwrap()) }, hangs);
                }
            }
        }
    }
    executor.run_until(end);
    assert_eq!(hung.get(), 0);
    host.collector().check_conservation().unwrap();
    let (meter, counters) = (store.meter(), host.collector().counters());
    let kv = store.invocation();
    let writes = meter.issued(OpKind::Write);
    let reader = host.clone();
    let metrics =
        executor.block_on(async move { reader.collector().fetch_metrics(&kv, WINDOW).await });
    Counts {
        accepted: counters.accepted,
        lost: counters.lost_total(),
        stored: counters.stored,
        found: metrics.unwrap().overall.count,
        failed_writes: writes - meter.count(OpKind::Write, OpOutcome::Ok),
        writes,
        batches: counters.flushes,
    }
}

/// The part of durations that lies below, in milliseconds.
fn quantile_ms(sorted: &[Duration], q: f64) -> f64 {
    let at = (sorted.len() as f64 * q) as usize;
    sorted[at.min(sorted.len() - 1)].as_secs_f64() * 1e3
}

/// Drives and simulates; what is wrong, if anything. None if there is no runtime.
fn compare(case: &Case, seconds: u32) -> Option<Result<(), String>> {
    let name = case.name();
    Some(real(case, seconds)?.and_then(|traffic| {
        let Traffic { counts, seen, took } = traffic;
        let n = u64::from(case.rate * seconds);
        let all = Counts {
            accepted: n,
            stored: n,
            found: n,
            lost: 0,
            failed_writes: 0,
            ..counts
        };
        if counts != all {
            return Err(format!("expected all of {n} records: {counts:?}"));
        }
        // How many writes there are depends on how long they take, as one waits for another or for its time. So
        // what may be seen is all that comes about with the latencies seen, in any order; and, where writes keep an
        // interval, a batch more or less: how late a timer is cannot be seen, as `Date.now` hides it.
        let draws: Vec<Counts> = (1..=DRAWS)
            .map(|seed| simulated(&case.policy, &seen, &took, seed))
            .collect();
        let span = |of: fn(&Counts) -> u64, slack: u64| -> RangeInclusive<u64> {
            let values = || draws.iter().map(of);
            values().min().unwrap() - slack..=values().max().unwrap() + slack
        };
        let slack = u64::from(!case.policy.batch.min_interval.is_zero());
        let keys = if case.policy.layout.per_provider {
            u64::from(PROVIDERS)
        } else {
            1
        };
        let (writes, batches) = (
            span(|c| c.writes, slack * keys),
            span(|c| c.batches, slack),
        );
        let records = seen.iter().filter(|s| s.call != Call::Look);
        let mut times: Vec<Duration> = records.map(|s| s.took).collect();
        times.sort();
        println!(
            "{name}: {n} records stored; {} writes, simulated {writes:?}; {} batches, simulated {batches:?}; \
             a record's request p50 {:.1} ms, p95 {:.1} ms; {} looks",
            counts.writes,
            counts.batches,
            quantile_ms(&times, 0.5),
            quantile_ms(&times, 0.95),
            seen.len() - times.len(),
        );
        for draw in &draws {
            let same = Counts {
                writes: draw.writes,
                batches: draw.batches,
                // Where writes overlap, an older total may come last, if the latencies have it so.
                found: match case.policy.batch.write {
                    WriteMode::Await => draw.found,
                    WriteMode::Background => counts.found,
                },
                ..counts.clone()
            };
            if *draw != same {
                return Err(format!("seen {counts:?}, simulated {draw:?}"));
            }
        }
        if !writes.contains(&counts.writes) || !batches.contains(&counts.batches) {
            return Err(format!(
                "seen {} writes of {} batches, simulated {writes:?} of {batches:?}; writes took {:?}",
                counts.writes, counts.batches, took[&OpKind::Write]
            ));
        }
        Ok(())
    }))
}

#[test]
fn the_worker_hangs_under_no_policy_and_writes_as_simulated() {
    let seconds = std::env::var("KVPLAN_COUNTS_SECONDS");
    let seconds: u32 = seconds.map_or(5, |s| s.parse().unwrap());
    let only = std::env::var("KVPLAN_WORKER_POLICY").ok();
    let cases = Case::all();
    assert!(cases.iter().any(|c| c.policy.name == "optimised"));
    let wanted = |c: &&Case| only.as_ref().is_none_or(|o| c.policy.name == *o);
    let left = Mutex::new(cases.iter().filter(wanted));
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let Some(case) = left.lock().unwrap().next() else {
                        return;
                    };
                    match compare(case, seconds) {
                        Some(Ok(())) => {}
                        Some(Err(e)) => wrong.lock().unwrap().push(format!("{}: {e}", case.name())),
                        None => return,
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What it cannot take is refused in words; nothing of it is counted.
#[test]
fn the_worker_says_what_is_wrong() {
    let policy = |settings: Value| [("POLICY", settings)].into_iter();
    let Some(workerd) = Workerd::start_worker(policy(json!({ "name": "defaults" }))) else {
        return;
    };
    let agents = Mutex::default();
    let said = |w: &Workerd, method: &str, path: &str, body: &str| {
        ask(&agents, method, &format!("{}{path}", w.root), body).unwrap_err()
    };
    let record = |name: &str, ms: f64| {
        json!({ "provider": name, "latency_ms": ms, "success": true, "tokens": 1 }).to_string()
    };
    for (method, path, body, what) in [
        (
            "POST",
            "/record",
            "no JSON".into(),
            "400: {\"error\":\"the body",
        ),
        (
            "POST",
            "/record",
            "{}".into(),
            "400: {\"error\":\"the body: missing field",
        ),
        (
            "POST",
            "/record",
            record("a/b", 1.0),
            "400: {\"error\":\"provider",
        ),
        (
            "POST",
            "/record",
            record("", 1.0),
            "400: {\"error\":\"provider",
        ),
        (
            "POST",
            "/record",
            record("a", -1.0),
            "400: {\"error\":\"latency_ms",
        ),
        (
            "GET",
            "/record",
            String::new(),
            "404: {\"error\":\"nothing here answers GET /record",
        ),
        (
            "GET",
            "/else",
            String::new(),
            "404: {\"error\":\"nothing here answers GET /else",
        ),
    ] {
        let said = said(&workerd, method, path, &body);
        assert!(said.starts_with(what), "{method} {path}: {said}");
    }
    ask(
        &agents,
        "POST",
        &format!("{}/record", workerd.root),
        &record("a", 1.5),
    )
    .unwrap();
    let flushed = ask(&agents, "POST", &format!("{}/flush", workerd.root), "").unwrap();
    assert_eq!(flushed["counters"]["accepted"], 1);
    assert_eq!(flushed["counters"]["stored"], 1);
    let health = ask(&agents, "GET", &format!("{}/health", workerd.root), "").unwrap();
    assert_eq!(health["providers"][0][0], "a", "{health}");
    let metrics = ask(&agents, "GET", &format!("{}/analytics", workerd.root), "").unwrap();
    assert_eq!(metrics["overall"]["count"], 1, "{metrics}");

    let both = json!({ "name": "both", "batch": { "max_records": 0 } });
    for (settings, what) in [
        (
            json!({ "name": "n", "bach": {} }),
            "500: {\"error\":\"POLICY: unknown field `bach`",
        ),
        (
            both,
            "500: {\"error\":\"POLICY `both`: field `batch.max_records`: found 0",
        ),
        (
            json!(7),
            "500: {\"error\":\"the variable POLICY is not set to a table",
        ),
    ] {
        let workerd = Workerd::start_worker(policy(settings)).unwrap();
        let said = said(&workerd, "GET", "/metrics", "");
        assert!(said.starts_with(what), "{said}");
    }
}

#[test]
fn the_worker_with_a_secret_records_with_it_only() {
    let variables = [
        ("POLICY", json!("{\"name\": \"as text\"}")),
        ("OPERATOR_SECRET", json!("open sesame")),
    ];
    let Some(workerd) = Workerd::start_worker(variables.into_iter()) else {
        return;
    };
    let status = |path: &str, secret: Option<&str>| {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None);
        let agent: Agent = config.build().into();
        let mut request = agent.get(format!("{}{path}", workerd.root));
        if let Some(secret) = secret {
            request = request.header("x-operator-secret", secret);
        }
        request.call().unwrap().status().as_u16()
    };
    assert_eq!(status("/metrics", None), 200);
    assert_eq!(status("/counters", None), 401);
    assert_eq!(status("/record", Some("open")), 401);
    assert_eq!(status("/counters", Some("open sesame")), 200);
}
