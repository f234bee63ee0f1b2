//! What a plan allows, beyond its prices, and the day whose prices are taken.

use assert_cmd::Command;
use kvplan::cloud::kv::KvLimits;
use kvplan::cloud::queue::Queue;
use kvplan::cloud::service::{Service, StoreSpec};
use kvplan::models::quantity::Count;
use kvplan::models::{load, parse_overrides};
use kvplan::pricing::MeterItem;
use kvplan::run::metric;
use kvplan::run::result::RunResult;
use kvplan::run::scenario::Scenario;
use kvplan::run::{Point, simulate};
use kvplan::sim::executor::Executor;
use kvplan::sim::random::Streams;
use kvplan::study::replicate::Work;
use kvplan::study::stores::compare_stores;
use kvplan::telemetry::ports::{Clock, Kv, PutOptions};
use kvplan::units::Timestamp;
use serde_json::Value;
use std::fs;
use std::rc::Rc;
use std::time::Duration;
use tempfile::TempDir;

const SMALL: [&str; 3] = [
    "period.requests=300",
    "period.at_least=\"1 min\"",
    "period.whole_days=false",
];

fn scenario(name: &str, plan: &str, settings: &[&str]) -> Result<Scenario, String> {
    let all: Vec<String> = SMALL.iter().chain(settings).map(|s| (*s).into()).collect();
    Scenario::load(name, &[], Some(plan), &parse_overrides(&all).unwrap())
        .map_err(|e| e.to_string())
}

fn run(scenario: &Scenario) -> RunResult {
    let point = Point {
        scenario,
        policy: scenario.policies.last().unwrap(),
        traffic: Count(10_000_000),
        replication: 0,
    };
    simulate(&point).unwrap()
}

fn measure(result: &RunResult, name: &str) -> f64 {
    metric::METRICS[metric::index_of(name).unwrap()].value(result)
}

fn store(name: &str) -> StoreSpec {
    load(name, None, &[]).unwrap()
}

#[test]
fn the_lower_of_two_limits_counts() {
    let limits = |settings: &[&str]| -> KvLimits {
        let settings: Vec<String> = settings.iter().map(|s| (*s).into()).collect();
        load("cloudflare", None, &parse_overrides(&settings).unwrap()).unwrap()
    };
    let operations =
        |l: &KvLimits| ["free", "paid", "mine"].map(|p| l.of_plan(p).operations_per_invocation);
    assert_eq!(operations(&limits(&[])), [1_000, 10_000, 10_000]);
    assert_eq!(
        operations(&limits(&["operations_per_invocation=50"])),
        [50; 3]
    );
    assert_eq!(
        operations(&limits(&["plan.paid.operations_per_invocation=7"])),
        [1_000, 7, 10_000]
    );
    let cpu = |plan: &str| limits(&[]).of_plan(plan).cpu_per_invocation.unwrap();
    assert_eq!(
        [cpu("free"), cpu("paid")],
        [Duration::from_millis(10), Duration::from_secs(30)]
    );
    let settings = parse_overrides(&["plan.free.operations_per_invocation=0".to_owned()]).unwrap();
    let none = load::<KvLimits>("cloudflare", None, &settings)
        .unwrap_err()
        .to_string();
    assert!(
        none.contains("`plan.free.operations_per_invocation`: found 0"),
        "{none}"
    );
}

#[test]
fn the_simulator_uses_the_limits_of_the_plan_in_force() {
    // A query lists the isolates' keys and then reads them: two operations.
    let failing = |settings: &[&str]| {
        let r = run(&scenario("fleet-20", "paid", settings).unwrap());
        assert!(r.calls.analytics.count() + r.calls.metrics.count() > 0);
        measure(&r, "query_error_rate")
    };
    assert_eq!(failing(&[]), 0.0);
    assert!(failing(&["limits.plan.paid.operations_per_invocation=1"]) > 0.0);
    assert_eq!(
        failing(&["limits.plan.free.operations_per_invocation=1"]),
        0.0
    );
}

#[test]
fn cpu_time_that_the_free_plan_does_not_allow_is_not_passed_over() {
    let takes = |plan, settings: &[&str]| scenario("default", plan, settings);
    assert!(takes("paid", &["cpu.request_us=12000"]).is_ok());
    assert!(takes("free", &["cpu.request_us=10000"]).is_ok());
    let said = takes("free", &["cpu.request_us=12000"]).unwrap_err();
    assert!(said.ends_with("field `cpu.request_us`: found 12000, expected at most 10000: plan \"free\" allows an invocation 10 ms of CPU time and ends what takes longer"), "{said}");
    let said = takes("free", &["cpu.query_us=10001"]).unwrap_err();
    assert!(said.contains("field `cpu.query_us`: found 10001"), "{said}");
    // Commands that look at the free plan beside another one count what it ends.
    let mut beside = takes("paid", &["cpu.request_us=12000"]).unwrap();
    let paid = run(&beside);
    assert_eq!(measure(&paid, "requests_refused_share"), 0.0);
    beside.plan = "free".into();
    let free = run(&beside);
    assert_eq!(free.arrived.records, 0);
    assert!(free.arrived.refused >= paid.arrived.records);
    assert!(measure(&free, "requests_refused_share") > 0.9);
}

/// A metrics read of its own is a query like others, and ended like them; the one that comes with a
/// request is part of it.
#[test]
fn metrics_reads_on_their_own_take_the_time_of_a_query() {
    let settings = |workload: &str| {
        [
            format!("cpu.query_us={}", 12_000),
            format!("workload=\"{workload}\""),
        ]
    };
    let on = |workload: &str| {
        let settings = settings(workload);
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let mut scenario = scenario("default", "paid", &settings).unwrap();
        scenario.plan = "free".into();
        run(&scenario)
    };
    let own = on("status-page");
    assert_eq!(
        (own.arrived.own_metrics_reads, own.arrived.records_refused),
        (0, 0)
    );
    assert!(
        own.arrived.refused > own.arrived.records && own.arrived.records > 0,
        "{:?}",
        own.arrived
    );
    let with_requests = on("gateway");
    assert!(with_requests.arrived.metrics_reads > 0);
    assert_eq!(with_requests.arrived.own_metrics_reads, 0);
}

#[test]
fn d1_has_fewer_queries_and_less_room_on_the_free_plan() {
    let d1 = store("d1");
    let Service::D1(spec) = &d1.service else {
        panic!("{:?}", d1.service)
    };
    let queries = |plan: &str| spec.limits.of_plan(plan).operations_per_invocation;
    assert_eq!([queries("free"), queries("paid")], [50, 1_000]);
    // The bound of the free plan, made so small that any use exceeds it.
    let mut d1 = d1.clone();
    let bound = d1.bounds.iter_mut().find(|b| b.plan.is_some()).unwrap();
    assert_eq!((bound.plan.as_deref(), bound.most), (Some("free"), 500e6));
    bound.most = 1.0;
    let reasons = |plan: &str| {
        let mut scenario = scenario("stores", plan, &["replications=1"]).unwrap();
        scenario.policies.truncate(1);
        let cells = compare_stores(
            &scenario,
            &[d1.clone()],
            &[Count(1_000_000)],
            &Work::unwatched(),
        );
        cells.unwrap()[0].verdict.reasons.join("; ")
    };
    assert!(
        reasons("free").contains("500 MB in a database on Workers Free"),
        "{}",
        reasons("free")
    );
    assert!(!reasons("paid").contains("500 MB"), "{}", reasons("paid"));
}

#[test]
fn a_queue_deletes_what_waits_for_longer_than_its_retention() {
    let Service::Queues(spec) = store("queues").service else {
        panic!("not a queue")
    };
    let hours = |plan: &str| spec.of_plan(plan).retention.as_secs() / 3_600;
    assert_eq!([hours("free"), hours("paid")], [24, 96]);
    let mut spec = spec.of_plan("free");
    spec.max_batch_size = 1;
    spec.max_concurrency = 1;
    let retention = spec.retention;
    let executor = Executor::new(Timestamp::from_secs(1_000_000));
    let sim = executor.handle();
    let rng = Streams::new(1, 0).stream("queue.send");
    // A consumer that is never done with its first message.
    let queue = Queue::new(spec, sim.clone(), rng, Box::new(|_: &Rc<Queue>, _| {}));
    let (producer, clock, waited) = (queue.producer(), sim.clone(), Rc::clone(&queue));
    executor.block_on(async move {
        for body in [b"a", b"b", b"c"] {
            producer
                .put("k", body.to_vec(), PutOptions::default())
                .await
                .unwrap();
        }
        clock.sleep(retention - Duration::from_secs(5)).await;
        assert!(waited.expired().is_empty());
        clock.sleep(Duration::from_secs(10)).await;
        producer
            .put("k", b"d".to_vec(), PutOptions::default())
            .await
            .unwrap();
    });
    queue.check().unwrap();
    let bodies = |messages: Vec<kvplan::cloud::queue::Message>| -> Vec<u8> {
        messages.into_iter().flat_map(|m| m.body).collect()
    };
    assert_eq!(bodies(queue.expired()), b"bc");
    assert_eq!(bodies(queue.waiting()), b"d");
    assert_eq!(queue.counts()[..2], [4, 1]);
    // Written and read, or written only: nobody pays for reading what is deleted.
    assert_eq!(queue.usage().get(MeterItem::QueuesOperations), 5);
}

#[test]
fn the_day_of_the_prices_is_chosen_and_recorded() {
    let now = scenario("default", "paid", &[]).unwrap();
    assert_eq!(now.prices_on, now.catalog.checked_on());
    let then = scenario("default", "paid", &["billing.on=\"2026-12-15\""]).unwrap();
    let has = |s: &Scenario, meter| s.plan().item(meter).is_some();
    use MeterItem::{ObservabilityIngest, WorkersLogEvents};
    assert!(has(&now, WorkersLogEvents) && !has(&now, ObservabilityIngest));
    assert!(!has(&then, WorkersLogEvents) && has(&then, ObservabilityIngest));

    let recorded = |args: &[&str]| -> Value {
        let dir = TempDir::new().unwrap();
        let mut kvplan = Command::cargo_bin("kvplan").unwrap();
        kvplan.args([
            "run",
            "-q",
            "-n",
            "1",
            "--traffic",
            "10M",
            "--policy",
            "optimised",
            "--trace",
            "0",
        ]);
        for setting in SMALL {
            kvplan.args(["--set", setting]);
        }
        kvplan
            .args(args)
            .arg("--out")
            .arg(dir.path())
            .assert()
            .success();
        let text = fs::read_to_string(dir.path().join("run.json")).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["scenario"].take()
    };
    assert_eq!(recorded(&[])["prices_on"], "2026-11-25");
    let before = scenario("default", "paid", &["billing.on=\"2026-11-24\""]);
    assert!(
        before
            .unwrap_err()
            .to_string()
            .contains("`billing.on`: found 2026-11-24, expected 2026-11-25 or later")
    );
    let run = recorded(&["--on", "2026-12-15"]);
    assert_eq!(run["prices_on"], "2026-12-15");
    let arguments = run["arguments"].to_string();
    assert!(arguments.contains("\"--on\",\"2026-12-15\""), "{arguments}");
    let help = |command: &str| {
        let mut kvplan = Command::cargo_bin("kvplan").unwrap();
        let output = kvplan.args([command, "--help"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    for command in [
        "sweep",
        "run",
        "invoice",
        "plan",
        "breakeven",
        "forecast",
        "compare-stores",
        "replay",
    ] {
        assert!(help(command).contains("--on <DATE>"), "{command}");
    }
}
