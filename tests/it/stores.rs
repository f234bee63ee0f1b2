//! The stores under comparison: what each bills, against counts made independently.

use assert_cmd::Command;
use kvplan::cloud::kv::OpOutcome;
use kvplan::cloud::queue::Queue;
use kvplan::cloud::service::{Service, StoreSpec};
use kvplan::models::quantity::Count;
use kvplan::models::{load, parse_overrides};
use kvplan::pricing::MONTH;
use kvplan::pricing::MeterItem;
use kvplan::pricing::meter::scale;
use kvplan::run::result::RunResult;
use kvplan::run::scenario::Scenario;
use kvplan::run::{Observation, Point, observe_on, simulate};
use kvplan::sim::executor::Executor;
use kvplan::sim::random::Streams;
use kvplan::study::replicate::Work;
use kvplan::study::stores::{MEASURES, StoreCell, compare_stores, index_of, take_overs};
use kvplan::telemetry::ports::{Kv, KvError, OpKind, PutOptions};
use kvplan::units::Timestamp;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;
use tempfile::TempDir;

fn scenario(settings: &[&str]) -> Scenario {
    let small = ["period.requests=3000", "replications=3"];
    let all: Vec<String> = small.iter().chain(settings).map(|s| (*s).into()).collect();
    Scenario::load("stores", &[], None, &parse_overrides(&all).unwrap()).unwrap()
}

fn store(name: &str, settings: &[&str]) -> StoreSpec {
    let settings: Vec<String> = settings.iter().map(|s| (*s).into()).collect();
    load(name, None, &parse_overrides(&settings).unwrap()).unwrap()
}

/// A store whose operations take no time, so that none is under way at an end of the period.
fn instant(name: &str) -> StoreSpec {
    let zero = "{ kind = \"constant\", value = \"0 s\" }";
    let settings = ["read", "write", "list"].map(|op| format!("service.latency.{op}={zero}"));
    store(name, &settings.each_ref().map(String::as_str))
}

fn run(scenario: &Scenario, store: &StoreSpec, policy: usize, traffic: u64) -> RunResult {
    let point = Point {
        scenario,
        policy: &scenario.policies[policy],
        traffic: Count(traffic),
        replication: 0,
    };
    observe_on(&point, &store.service, &Observation::default())
        .unwrap()
        .0
}

const NAIVE: usize = 0;
const OPTIMISED: usize = 1;

/// What a count in the period is in a month.
fn monthly(run: &RunResult, count: u64) -> u128 {
    scale(u128::from(count), MONTH.as_nanos(), run.period.as_nanos())
}

/// Hours of the period that have begun: each has a key of its own.
fn hours(run: &RunResult) -> u64 {
    run.period.as_secs().div_ceil(3_600)
}

#[test]
fn workers_kv_uses_what_the_main_simulation_says() {
    let scenario = scenario(&[]);
    for (policy, traffic) in [
        (NAIVE, 1_000_000),
        (OPTIMISED, 1_000_000),
        (OPTIMISED, 50_000_000),
    ] {
        let main = simulate(&Point {
            scenario: &scenario,
            policy: &scenario.policies[policy],
            traffic: Count(traffic),
            replication: 0,
        })
        .unwrap();
        let mine = run(&scenario, &store("kv", &[]), policy, traffic);
        assert_eq!(mine.usage, main.usage);
        assert_eq!(mine.invoice, main.invoice);
        assert_eq!(mine.arrived, main.arrived);
        assert_eq!(
            mine.calls.record.quantile_ms(0.95).to_bits(),
            main.calls.record.quantile_ms(0.95).to_bits()
        );
        assert_eq!(mine.counters.cache.hits, main.counters.cache.hits);
    }
}

/// Every request is billed whatever the store: records, and each call that comes with none.
#[test]
fn every_store_bills_every_request() {
    let settings = [
        "workload.metrics_reads={ per_request = 1.0, rate = \"1/s\" }",
        "period.at_most=\"1 h\"",
    ];
    let scenario = scenario(&settings);
    for name in STORES {
        let r = run(&scenario, &store(name, &[]), OPTIMISED, 1_000_000);
        let a = &r.arrived;
        let others = a.own_metrics_reads + a.analytics_queries + a.health_checks;
        // Poisson(3600), four standard deviations.
        let own = a.own_metrics_reads as f64;
        assert!((own - 3_600.0).abs() < 4.0 * 60.0, "{name}: {own}");
        assert_eq!(a.metrics_reads, a.records + a.own_metrics_reads);
        if name == "queues" {
            continue; // its consumer's invocations come on top, and have a test of their own
        }
        let requests = monthly(&r, a.records + others);
        assert_eq!(r.usage.get(MeterItem::WorkersRequests), requests, "{name}");
        let cpu = &scenario.cpu;
        let cpu_us = a.records * cpu.request_us + others * cpu.query_us;
        let cpu_ms = monthly(&r, cpu_us) / 1_000;
        assert_eq!(r.usage.get(MeterItem::WorkersCpuMs), cpu_ms, "{name}");
    }
}

#[test]
fn analytics_engine_bills_a_point_per_record_and_a_query_per_miss() {
    let scenario = scenario(&[]);
    let dataset = store("analytics-engine", &[]);
    let r = run(&scenario, &dataset, NAIVE, 2_000_000);
    let a = &r.arrived;
    let queries = a.metrics_reads + a.analytics_queries + a.health_checks;
    assert!(a.records > 2_000 && queries > a.records);
    assert_eq!(r.usage.get(MeterItem::AeDataPoints), monthly(&r, a.records));
    assert_eq!(r.usage.get(MeterItem::AeReadQueries), monthly(&r, queries));
    assert_eq!(r.usage.get(MeterItem::KvWrites), 0);
    // A cache spares queries, and no data points.
    let r = run(&scenario, &dataset, OPTIMISED, 2_000_000);
    assert_eq!(
        r.usage.get(MeterItem::AeDataPoints),
        monthly(&r, r.arrived.records)
    );
    assert_eq!(
        r.usage.get(MeterItem::AeReadQueries),
        monthly(&r, r.counters.cache.misses)
    );
    assert_eq!(r.counters.cache.hits + r.counters.cache.misses, queries);
    assert!(r.counters.cache.hits > 0);
}

/// Poisson lookups at a rate `l` hit a TTL cache in a share of `l T / (1 + l T)`, whatever answers
/// the misses. Five standard errors of as many independent lookups, plus 1.5 points for the time
/// that a query takes, during which others miss as well.
#[test]
fn the_cache_in_front_of_sql_queries_hits_as_the_closed_form_says() {
    let settings = [
        "period.requests=20000",
        "workload.metrics_reads={ rate = \"0.4/s\" }",
        "workload.analytics_queries={}",
        "workload.health_checks={}",
    ];
    let mut dataset = store("analytics-engine", &[]);
    if let Service::AnalyticsEngine(spec) = &mut dataset.service {
        spec.query = kvplan::models::dist::Dist::Constant {
            value: Duration::ZERO,
        };
    }
    let r = run(&scenario(&settings), &dataset, OPTIMISED, 5_000_000);
    let (hits, all) = (
        r.counters.cache.hits as f64,
        (r.counters.cache.hits + r.counters.cache.misses) as f64,
    );
    let expected = 0.4 * 5.0 / (1.0 + 0.4 * 5.0);
    let error = (expected * (1.0 - expected) / all).sqrt();
    assert!(all > 3_000.0);
    assert!(
        (hits / all - expected).abs() < 5.0 * error,
        "{} vs {expected}",
        hits / all
    );
}

#[test]
fn r2_bills_writes_as_class_a_and_each_key_read_as_class_b() {
    let scenario = scenario(&[]);
    let r = run(&scenario, &instant("r2"), NAIVE, 500_000);
    let a = &r.arrived;
    // A window of an hour is one key, one of a day 24, there or not.
    let reads = a.metrics_reads + a.health_checks + 24 * a.analytics_queries;
    assert_eq!(r.usage.get(MeterItem::R2ClassB), monthly(&r, reads));
    // A refused write is tried again with the next record, or in the next hour.
    assert_eq!(
        r.usage.get(MeterItem::R2ClassA),
        monthly(&r, r.kv.issued(OpKind::Write))
    );
    assert!(
        r.kv.issued(OpKind::Write) >= a.records
            && r.kv.issued(OpKind::Write) <= a.records + hours(&r) + 1
    );
    assert!(refused_writes(&r) > 0);
    // No list, no delete, nothing of another service.
    for item in [
        MeterItem::KvReads,
        MeterItem::KvWrites,
        MeterItem::D1RowsRead,
    ] {
        assert_eq!(r.usage.get(item), 0);
    }
}

#[test]
fn d1_bills_rows() {
    let scenario = scenario(&[]);
    let r = run(&scenario, &instant("d1"), NAIVE, 500_000);
    let a = &r.arrived;
    assert_eq!(r.kv.issued(OpKind::Write), a.records);
    assert_eq!(refused_writes(&r), 0);
    // Each hour's key: a row and its index entry when it comes and when it goes, less the update
    // that its first write is not.
    let inserted = hours(&r);
    let written = a.records + inserted * (2 + 2 - 1);
    assert_eq!(r.usage.get(MeterItem::D1RowsWritten), monthly(&r, written));
    let read = a.metrics_reads + a.health_checks + 24 * a.analytics_queries + inserted;
    assert_eq!(r.usage.get(MeterItem::D1RowsRead), monthly(&r, read));
}

#[test]
fn a_durable_object_bills_requests_rows_and_the_time_it_is_active() {
    let scenario = scenario(&[]);
    let r = run(&scenario, &instant("durable-object"), NAIVE, 500_000);
    let a = &r.arrived;
    let queries = a.metrics_reads + a.health_checks + a.analytics_queries;
    let requests = a.records + queries;
    assert_eq!(r.usage.get(MeterItem::DoRequests), monthly(&r, requests));
    assert_eq!(
        r.usage.get(MeterItem::DoRowsWritten),
        monthly(&r, a.records + 3 * hours(&r))
    );
    // A millisecond each, and ten more to commit a write, at 128 MB; the read that comes with each
    // record falls into its commit.
    let active_ms = |commits: u64, others: u64| monthly(&r, 128 * (11 * commits + others));
    let found = r.usage.get(MeterItem::DoDurationMbMs);
    let most = active_ms(a.records, queries);
    let least = active_ms(a.records, queries - a.metrics_reads) * 99 / 100;
    assert!((least..=most).contains(&found), "{least} {found} {most}");
}

fn queue_spec() -> kvplan::cloud::service::QueueSpec {
    match store("queues", &[]).service {
        Service::Queues(spec) => spec,
        other => panic!("{other:?}"),
    }
}

/// A measure of the comparison, in a run by itself.
fn measured(run: &RunResult, name: &str) -> f64 {
    MEASURES[index_of(name).unwrap()].value(run)
}

fn refused_writes(run: &RunResult) -> u64 {
    run.kv.count(OpKind::Write, OpOutcome::RateLimited)
}

/// Sends bodies of these sizes at once and acknowledges each batch after a second.
fn through_a_queue(sizes: &[usize]) -> (Rc<Queue>, Vec<Result<(), KvError>>) {
    let executor = Executor::new(Timestamp::from_secs(1_000_000));
    let sim = executor.handle();
    let consumer = executor.handle();
    let rng = Streams::new(1, 0).stream("queue.send");
    let queue = Queue::new(
        queue_spec(),
        sim.clone(),
        rng,
        Box::new(move |queue: &Rc<Queue>, batch| {
            let (queue, clock) = (Rc::clone(queue), consumer.clone());
            consumer.spawn(async move {
                use kvplan::telemetry::ports::Clock;
                clock.sleep(Duration::from_secs(1)).await;
                queue.acknowledge(&batch);
            });
        }),
    );
    let producer = queue.producer();
    let sizes = sizes.to_vec();
    let results = executor.block_on(async move {
        let mut results = Vec::new();
        for size in sizes {
            results.push(
                producer
                    .put("k", vec![0; size], PutOptions::default())
                    .await,
            );
        }
        results
    });
    executor.run_to_idle();
    queue.check().unwrap();
    (queue, results)
}

#[test]
fn a_message_is_three_operations_for_each_64_kb() {
    // With the 100 bytes that the queue adds: 1, 1, 2 and 2 units of 64,000 bytes.
    let (queue, results) = through_a_queue(&[1, 63_900, 63_901, 127_900, 127_901]);
    assert!(results[..4].iter().all(Result::is_ok));
    assert_eq!(results[4], Err(KvError::Invalid("message too large")));
    assert_eq!(
        queue.usage().get(MeterItem::QueuesOperations),
        3 * (1 + 1 + 2 + 2)
    );
    let [sent, delivered, acknowledged, batches] = queue.counts();
    assert_eq!((sent, delivered, acknowledged, batches), (4, 4, 4, 1));
    // 250 messages at about 25 ms each, a batch of at most 100 and at least every 5 s.
    let (queue, _) = through_a_queue(&[10; 250]);
    assert_eq!(queue.usage().get(MeterItem::QueuesOperations), 750);
    assert!((3..=4).contains(&queue.counts()[3]), "{:?}", queue.counts());
}

#[test]
fn queues_bill_messages_and_the_consumer_writes_within_the_limits_of_the_kv() {
    let scenario = scenario(&["period.at_least=\"20 min\""]);
    let queues = store("queues", &[]);
    let r = run(&scenario, &queues, NAIVE, 20_000_000);
    // A record is a message; at either end of the period those of 10 s may be under way.
    let per_s = r.arrived.records as f64 / r.period.as_secs_f64();
    let slack = 3.0 * 10.0 * per_s;
    let operations = r.usage.get(MeterItem::QueuesOperations) as f64 * r.period.as_secs_f64()
        / MONTH.as_secs_f64();
    assert!(
        (operations - 3.0 * r.arrived.records as f64).abs() < slack,
        "{operations}"
    );
    // One key, at most a write a second.
    let writes = r.usage.get(MeterItem::KvWrites) as f64 / MONTH.as_secs_f64();
    assert!(writes <= 1.0 && writes > 0.1, "{writes}");
    // Invocations of the consumer come on top: a batch takes 5 s, or 100 messages.
    let extra = r.usage.get(MeterItem::WorkersRequests) - monthly(&r, r.arrived.requests());
    let batches = extra as f64 * r.period.as_secs_f64() / MONTH.as_secs_f64();
    let expected = r.period.as_secs_f64() / 5.0;
    assert!(
        (0.8..1.05).contains(&(batches / expected)),
        "{batches} vs {expected}"
    );
    // The wait for a batch, for its turn to write and for the write: no backlog.
    assert!(
        measured(&r, "stored_after_mean_s") > 1.0 && measured(&r, "stored_after_mean_s") < 10.0,
        "{}",
        measured(&r, "stored_after_mean_s")
    );
    let busy = scenario_at_a_billion();
    let flooded = run(&busy, &queues, NAIVE, 1_000_000_000);
    let after_s = measured(&flooded, "stored_after_mean_s");
    assert!(after_s < 3.0, "{after_s}");
    // Batches of the collector are messages too, and far fewer.
    let batched = run(&scenario, &queues, OPTIMISED, 20_000_000);
    let fewer = batched.usage.get(MeterItem::QueuesOperations) as f64
        / r.usage.get(MeterItem::QueuesOperations) as f64;
    assert!(fewer < 0.1, "{fewer}");
    assert_eq!(batched.arrived, r.arrived);
}

/// 386 messages a second: four batches of a hundred, and one write.
fn scenario_at_a_billion() -> Scenario {
    scenario(&["period.at_least=\"1 min\"", "period.warm_up=\"10 s\""])
}

#[test]
fn every_store_gets_the_same_work_and_leads_to_the_same_answers() {
    let scenario = scenario(&[]);
    for policy in [NAIVE, OPTIMISED] {
        let runs: Vec<RunResult> = STORES
            .iter()
            .map(|name| run(&scenario, &store(name, &[]), policy, 3_000_000))
            .collect();
        for r in &runs {
            assert_eq!(r.arrived, runs[0].arrived);
            assert_eq!(r.counters.lost_total() + r.beyond.lost, 0);
            r.invoice.check().unwrap();
        }
    }
}

const STORES: [&str; 6] = [
    "kv",
    "r2",
    "d1",
    "durable-object",
    "queues",
    "analytics-engine",
];

/// Isolates that come and go lose records with their cause, and every invariant holds.
#[test]
fn a_fleet_that_comes_and_goes_breaks_no_invariant() {
    let settings = [
        "fleet=\"world-independent\"",
        "fleet.life.mean_life=\"30 s\"",
        "period.at_least=\"2 min\"",
        "period.requests=500",
        "period.history=\"0 s\"",
        "failures.write.error=5%",
        "failures.write.answer_lost=5%",
        "workload.metrics_reads={ rate = \"0.1/s\" }",
    ];
    let overrides: Vec<String> = settings.iter().map(|s| (*s).into()).collect();
    let policies = ["naive-fleet".into(), "optimised-fleet".into()];
    let overrides = parse_overrides(&overrides).unwrap();
    let scenario = Scenario::load("stores", &policies, None, &overrides).unwrap();
    for policy in [NAIVE, OPTIMISED] {
        for name in STORES {
            let r = run(&scenario, &store(name, &[]), policy, 30_000_000);
            assert!(r.arrived.records > 500);
            if name == "analytics-engine" {
                assert_eq!(r.counters.lost_total() + r.beyond.lost, 0);
            }
        }
    }
}

fn compare(scenario: &Scenario, stores: &[StoreSpec], levels: &[u64]) -> Vec<StoreCell> {
    let levels: Vec<Count> = levels.iter().copied().map(Count).collect();
    compare_stores(scenario, stores, &levels, &Work::unwatched()).unwrap()
}

fn cheapest(cells: &[StoreCell]) -> Vec<&str> {
    let cheapest = cells.iter().filter(|c| c.cheapest);
    cheapest.map(|c| c.store.as_str()).collect()
}

/// Tiers, cron triggers, the plan's requests of a day and isolates that end are there whatever the store.
#[test]
fn a_comparison_has_what_a_run_has() {
    let load = |policy: &str, settings: &[&str]| {
        let all: Vec<String> = settings.iter().map(|s| (*s).into()).collect();
        let overrides = parse_overrides(&all).unwrap();
        Scenario::load("stores", &[policy.into()], None, &overrides).unwrap()
    };
    let short = ["period.requests=3000", "fleet=\"world\""];
    let tiered = load("tiered", &short);
    let warmed = load("cron-warm", &short);
    let free = load(
        "optimised",
        &["billing.plan=\"free\"", "period.requests=3000"],
    );
    for name in ["kv", "r2", "d1", "durable-object", "queues"] {
        let store = store(name, &[]);
        let r = run(&tiered, &store, 0, 10_000_000);
        assert!(r.counters.shared_hits > 0, "{name}");
        assert!(r.usage.get(MeterItem::DoRequests) > 0, "{name}");
        assert!(r.isolates > 1 && r.memory_peak_bytes > 10_000_000, "{name}");
        let r = run(&warmed, &store, 0, 10_000_000);
        assert!(r.arrived.cron > 0, "{name}: {:?}", r.period);
        // 100,000 requests a day, of some 667,000.
        let r = run(&free, &store, 0, 20_000_000);
        let refused = measured(&r, "requests_refused_share");
        assert!((refused - 0.85).abs() < 0.01, "{name}: {refused}");
        // Nobody keeps asking while a quota is used up: 400 events a record, where a queue's consumers did.
        let records = r.arrived.records + r.arrived.records_refused;
        assert!(r.events < 10 * records, "{name}: {}", r.events);
    }
}

/// Without batching and cache, at r million requests and 0.072 million other queries: the object
/// costs 0.15 for each million begun of 2 r + 0.072 - 1, so 0.30 here, and the data set r + 0.072 - 1
/// for its queries; equal at 1.228 million.
#[test]
fn the_take_over_is_where_arithmetic_says_it_is() {
    // Enough replications that no bill may be a unit of a million requests higher.
    let mut scenario = scenario(&["period.requests=10000", "replications=12"]);
    scenario.policies.truncate(1);
    let stores = [store("durable-object", &[]), store("analytics-engine", &[])];
    let cells = compare(&scenario, &stores, &[1_000_000, 1_300_000]);
    assert_eq!(cheapest(&cells), ["analytics-engine", "durable-object"]);
    let found = take_overs(&cells);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&*found[0].from, &*found[0].to),
        ("analytics-engine", "durable-object")
    );
    let at = found[0].at;
    assert!(
        (at.mean - 1_228_000.0).abs() < at.half_width + 20_000.0,
        "{at:?}"
    );
}

#[test]
fn another_price_makes_another_store_the_cheapest() {
    let with = |price: &str| {
        let plain = scenario(&[]);
        let items = &plain.plan().items;
        let at = items
            .iter()
            .position(|i| i.meter == MeterItem::D1RowsWritten);
        let item = format!("prices.plan.1.item.{}", at.unwrap());
        let free = format!("{item}.included=0");
        let price = format!("{item}.price=\"{price}\"");
        let mut scenario = scenario(&[&free, &price]);
        scenario.policies.truncate(1);
        let stores = [store("d1", &[]), store("durable-object", &[])];
        compare(&scenario, &stores, &[10_000_000])
    };
    // 10M rows at $0.10 a million against 20M requests, 19M of them at $0.15: $1.00 and $2.85.
    let cells = with("$0.10");
    assert_eq!(cheapest(&cells), ["d1"]);
    let cost = |c: &StoreCell| c.estimate("store_usd").mean;
    assert!((cost(&cells[0]) - 1.0).abs() < 0.1, "{}", cost(&cells[0]));
    assert!((cost(&cells[1]) - 2.86).abs() < 0.3, "{}", cost(&cells[1]));
    // At $1.00 a million they cost $10.
    let cells = with("$1.00");
    assert_eq!(cheapest(&cells), ["durable-object"]);
    assert!((cost(&cells[0]) - 10.0).abs() < 1.0, "{}", cost(&cells[0]));
}

#[test]
fn what_a_store_cannot_do_is_said() {
    let mut scenario = scenario(&[
        "period.at_least=\"20 s\"",
        "period.warm_up=\"0 s\"",
        "period.requests=1000",
    ]);
    scenario.policies.truncate(1);
    let stores = [
        store("durable-object", &[]),
        store("kv", &[]),
        store("analytics-engine", &[]),
    ];
    // 1,160 records and as many reads a second.
    let cells = compare(&scenario, &stores, &[3_000_000_000]);
    let reasons = |i: usize| cells[i].verdict.reasons.join("; ");
    assert!(!cells[0].verdict.able);
    assert!(
        reasons(0).starts_with("about 1,000 requests a second to one object: 2"),
        "{}",
        reasons(0)
    );
    assert!(!cells[1].verdict.able);
    assert!(reasons(1).contains("calls fail"), "{}", reasons(1));
    assert!(
        reasons(1).contains("one write a second to a key: 99"),
        "{}",
        reasons(1)
    );
    assert_eq!(cheapest(&cells), ["analytics-engine"]);
    // The free plan has limits by the day, and no limit is no reason.
    let free = parse_overrides(&["period.at_least=\"1 h\"".to_owned()]).unwrap();
    let mut scenario = Scenario::load("stores", &["naive".into()], Some("free"), &free).unwrap();
    scenario.replications = 1;
    let stores = [store("d1", &[]), store("queues", &[])];
    let cells = compare(&scenario, &stores, &[1_000_000]);
    assert!(cells[0].verdict.able, "{:?}", cells[0].verdict);
    let reasons = cells[1].verdict.reasons.join("; ");
    assert!(
        reasons.contains("queues.operations a day, plan \"free\" allows 10000"),
        "{reasons}"
    );
}

fn kvplan(args: &[&str], out: &Path) -> std::process::Output {
    Command::cargo_bin("kvplan")
        .unwrap()
        .arg("compare-stores")
        .args(args)
        .arg("--out")
        .arg(out)
        .output()
        .unwrap()
}

const QUICK: [&str; 8] = [
    "--traffic",
    "1M,30M",
    "-n",
    "2",
    "--set",
    "period.requests=2000",
    "--set",
    "period.at_least=\"1 min\"",
];

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let read = |threads: &str| {
        let dir = TempDir::new().unwrap();
        let output = kvplan(&[&QUICK[..], &["--threads", threads]].concat(), dir.path());
        assert!(output.status.success(), "{output:?}");
        let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(dir.path())
            .unwrap()
            .map(|e| e.unwrap().path())
            .map(|p| {
                (
                    p.file_name().unwrap().to_str().unwrap().to_owned(),
                    fs::read(&p).unwrap(),
                )
            })
            .collect();
        files.sort();
        (files, String::from_utf8(output.stdout).unwrap())
    };
    let ((one, text), (two, _)) = (read("1"), read("2"));
    let names: Vec<&str> = one.iter().map(|f| f.0.as_str()).collect();
    assert_eq!(
        names,
        [
            "run.json",
            "stores.csv",
            "stores.json",
            "stores_cost_naive.png",
            "stores_cost_naive.svg",
            "stores_cost_optimised.png",
            "stores_cost_optimised.svg",
            "stores_invoices.csv"
        ]
    );
    for (a, b) in one.iter().zip(&two) {
        assert!(a == b, "{} differs", a.0);
    }
    for part in [
        "consistency",
        "strong:",
        "Limits met",
        "cheapest",
        "query p50 / p95",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
    // Lines of the first replication's invoice add up to a total within that store's interval.
    let mut csv = csv::Reader::from_reader(one[1].1.as_slice());
    let headers = csv.headers().unwrap().clone();
    assert_eq!(csv.records().count(), 2 * 2 * 6);
    assert!(headers.iter().any(|h| h == "cost_usd_ci95"));
    let svg = String::from_utf8(one[4].1.clone()).unwrap();
    for part in [
        "Monthly cost by store",
        "durable-object",
        "kv: not able",
        "cheapest from",
    ] {
        assert!(svg.contains(part), "{part}");
    }
}

#[test]
fn errors_name_what_is_wrong() {
    let dir = TempDir::new().unwrap();
    let refused = |args: &[&str]| {
        let output = kvplan(args, &dir.path().join("out"));
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let message = String::from_utf8(output.stderr).unwrap();
        message
            .replace(dir.path().to_str().unwrap(), "DIR")
            .trim()
            .to_owned()
    };
    insta::assert_snapshot!(refused(&["--store", "tape"]), @"error: tape: cannot be read (no such file); expected a file, or one of: analytics-engine, d1, durable-object, kv, queues, r2");
    insta::assert_snapshot!(refused(&["--store", "kv,kv"]), @r#"error: --store kv: found two stores called "kv", expected different names"#);
    insta::assert_snapshot!(refused(&["--set", "store.tape.title=1"]), @"error: --set store.tape.title=1: expected store.NAME.FIELD=VALUE with one of: kv, r2, d1, durable-object, queues, analytics-engine");
    insta::assert_snapshot!(refused(&["--set", "store.d1.service.server.service_time=\"0 s\""]), @r#"error: --set store.d1.service.server.service_time="0 s": field `service.server.service_time`: found 0 s, expected more"#);
    insta::assert_snapshot!(refused(&["--precision", "2%"]), @"error: precision: found a wanted precision, expected a number of replications (-n)");
    insta::assert_snapshot!(refused(&["--set", "period.history_as=\"totals\""]), @r#"error: period.history_as: found "totals", expected "batches": other stores than Workers KV are written to in no other way"#);
    let file = dir.path().join("mine.toml");
    let text = fs::read_to_string("models/stores/r2.toml").unwrap();
    fs::write(&file, text.replace("most = 1", "most = 0")).unwrap();
    insta::assert_snapshot!(refused(&["--store", file.to_str().unwrap()]), @"error: DIR/mine.toml:39: field `bound[0].most`: found 0, expected a number above 0");
    fs::write(&file, "name = \"x\"\n").unwrap();
    insta::assert_snapshot!(refused(&["--store", file.to_str().unwrap()]), @"error: DIR/mine.toml:1: missing field `title`");
}
