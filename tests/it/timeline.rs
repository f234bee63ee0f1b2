//! What `kvplan run --out` leaves behind: series, alerts, recoveries, warm-up and traces.

use crate::setup::rows;
use assert_cmd::Command;
use kvplan::models::parse_overrides;
use kvplan::models::quantity::Count;
use kvplan::run::scenario::Scenario;
use kvplan::run::series::{Sample, column};
use kvplan::run::{Observation, Phases, Point, arrivals, observe};
use kvplan::study::replicate::Work;
use kvplan::study::timeline::{Step, observe_all};
use kvplan::workload::ArrivalKind;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// Ten minutes of a hundred reads a second with an outage of one minute after two.
fn run_into(dir: &Path, extra: &[&str]) -> String {
    let output = Command::cargo_bin("kvplan")
        .unwrap()
        .args(["run", "--scenario", "retry-storm", "--policy"])
        .args(["eager-retries,eager-budget", "-n", "3"])
        .args(["--set", "period.at_least=\"5 min\""])
        .args(["--set", "period.at_most=\"5 min\""])
        .args(["--interval", "10 s", "--trace", "20", "--out"])
        .arg(dir)
        .args(extra)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_run_leaves_its_series_alerts_recoveries_and_warm_up() {
    let dir = TempDir::new().unwrap();
    let printed = run_into(dir.path(), &[]);
    let series = rows(&dir.path().join("series.csv"));
    // Six intervals of warm-up and thirty of measurement, for each of two policies.
    assert_eq!(series.len(), 2 * 36);
    let number = |row: &BTreeMap<String, String>, name: &str| row[name].parse::<f64>().unwrap();
    let at = |policy: &str, end_s: &str| {
        let found = series
            .iter()
            .find(|r| r["policy"] == policy && r["end_s"] == end_s);
        found.unwrap()
    };
    // Before the outage nearly all reads end well; long after it the storm keeps them down, and
    // the budget has let the service recover.
    assert!(number(at("eager-retries", "50"), "error_rate") < 0.01);
    assert!(number(at("eager-retries", "300"), "error_rate") > 0.5);
    assert!(number(at("eager-budget", "300"), "error_rate") < 0.01);
    assert!(number(at("eager-budget", "300"), "goodput_per_s_ci95") > 0.0);

    let recovery = rows(&dir.path().join("recovery.csv"));
    let back = |policy: &str| -> Vec<&str> {
        let of = recovery.iter().filter(|r| r["policy"] == policy);
        of.map(|r| r["recovered_after_s"].as_str()).collect()
    };
    assert_eq!(back("eager-retries"), ["", "", ""]);
    assert!(
        back("eager-budget")
            .iter()
            .all(|s| s.parse::<f64>().unwrap() <= 30.0)
    );
    assert!(printed.contains("not by the end"), "{printed}");

    let alerts = rows(&dir.path().join("alerts.csv"));
    let storm = alerts.iter().find(|a| {
        a["policy"] == "eager-retries" && a["metric"] == "error_rate" && a["replication"] == "0"
    });
    let storm = storm.unwrap();
    assert_eq!(
        (
            storm["level"].as_str(),
            storm["start_s"].as_str(),
            storm["lasting"].as_str()
        ),
        ("critical", "60", "true")
    );
    let budget = alerts
        .iter()
        .find(|a| a["policy"] == "eager-budget" && a["metric"] == "error_rate");
    assert_eq!(budget.unwrap()["lasting"], "false");

    // What comes after the outage begins says nothing of the warm-up.
    let warm_up = rows(&dir.path().join("warm_up.csv"));
    assert!(warm_up.iter().all(|r| r["warm_up_s"] == "60"));
    assert!(dir.path().join("time_goodput.svg").exists());
    // Latencies of milliseconds and of seconds in one picture, and thresholds with their unit.
    let svg = fs::read_to_string(dir.path().join("time_latency_metrics.svg")).unwrap();
    for part in [
        "data-scale=\"log\"",
        "eager-retries p50 to p95",
        "critical: 1 s",
    ] {
        assert!(svg.contains(part), "{part}");
    }
}

#[test]
fn the_series_does_not_depend_on_the_number_of_threads() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    run_into(one.path(), &["-j", "1"]);
    run_into(two.path(), &["-j", "2"]);
    for name in [
        "series.csv",
        "alerts.csv",
        "trace-eager-budget.json",
        "time_goodput.png",
    ] {
        let read = |d: &TempDir| fs::read(d.path().join(name)).unwrap();
        assert!(read(&one) == read(&two), "{name} differs");
    }
}

/// Every span has the ids that OTLP asks for, and lies within its parent.
#[test]
fn a_trace_is_otlp_json_that_a_viewer_can_open() {
    let dir = TempDir::new().unwrap();
    run_into(dir.path(), &[]);
    let text = fs::read_to_string(dir.path().join("trace-eager-retries.json")).unwrap();
    let trace: Value = serde_json::from_str(&text).unwrap();
    let spans = trace["resourceSpans"][0]["scopeSpans"][0]["spans"]
        .as_array()
        .unwrap();
    let hex = |v: &Value, digits: usize| {
        let s = v.as_str().unwrap();
        assert!(
            s.len() == digits && s.bytes().all(|b| b.is_ascii_hexdigit()),
            "{s}"
        );
        s.to_owned()
    };
    let time = |s: &Value, name: &str| s[name].as_str().unwrap().parse::<u64>().unwrap();
    let mut by_id = BTreeMap::new();
    for s in spans {
        hex(&s["traceId"], 32);
        assert!(by_id.insert(hex(&s["spanId"], 16), s).is_none());
        assert!(time(s, "startTimeUnixNano") <= time(s, "endTimeUnixNano"));
    }
    let roots = spans.iter().filter(|s| s["parentSpanId"].is_null()).count();
    assert_eq!(roots, 20);
    let children: Vec<&Value> = spans
        .iter()
        .filter(|s| !s["parentSpanId"].is_null())
        .collect();
    assert!(children.len() >= 20, "{}", children.len());
    for child in children {
        let parent = by_id[child["parentSpanId"].as_str().unwrap()];
        assert_eq!(child["traceId"], parent["traceId"]);
        assert!(time(child, "startTimeUnixNano") >= time(parent, "startTimeUnixNano"));
        assert!(time(child, "endTimeUnixNano") <= time(parent, "endTimeUnixNano"));
    }
    let answered = spans.iter().filter(|s| s["status"]["code"].is_null());
    let mut found = 0;
    for read in answered.filter(|s| s["name"] == "kv read") {
        let attributes = read["attributes"].as_array().unwrap();
        let told = |key: &str| {
            let attribute = attributes.iter().find(|a| a["key"] == key);
            let value = &attribute.unwrap_or_else(|| panic!("{key}: {read}"))["value"];
            value["intValue"].as_str().unwrap().parse::<u64>().unwrap()
        };
        assert!(told("kv.keys_found") <= told("kv.keys"), "{read}");
        let elsewhere = told("kv.keys_cached") + told("kv.keys_outdated");
        assert_eq!(elsewhere, 0, "one place sees every write at once: {read}");
        found += told("kv.keys_found");
    }
    assert!(found > 0);
}

#[test]
fn an_interval_must_be_a_duration_above_zero() {
    for bad in ["0 s", "5", "soon"] {
        let output = Command::cargo_bin("kvplan")
            .unwrap()
            .args(["run", "--out", "x", "--interval", bad])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains("--interval"), "{message}");
    }
}

/// With a history, a warm-up and a period none of which are whole intervals: each interval shows the
/// requests that came in it, and the intervals of the measurement add up to its totals.
#[test]
fn intervals_add_up_to_the_totals_and_history_is_in_none() {
    let settings = [
        "period.history=\"3 h\"",
        "period.warm_up=\"100 s\"",
        "period.at_least=\"3700 s\"",
        "period.at_most=\"3700 s\"",
        "failures.read={error=0.1}",
    ];
    let settings = settings.map(str::to_owned);
    let overrides = parse_overrides(&settings).unwrap();
    let scenario = Scenario::load("default", &["optimised".into()], None, &overrides).unwrap();
    let point = Point {
        scenario: &scenario,
        policy: &scenario.policies[0],
        traffic: Count(3_000_000),
        replication: 0,
    };
    let observation = Observation {
        interval: Some(Duration::from_secs(60)),
        traces: 0,
    };
    let (r, observed) = observe(&point, &observation).unwrap();
    let samples = &observed.samples;
    // 40 s and 60 s of warm-up, 61 whole minutes and 40 s.
    let bounds: Vec<(f64, f64)> = samples.iter().map(|s| (s.start_s, s.end_s)).collect();
    assert_eq!(bounds[..3], [(-100.0, -60.0), (-60.0, 0.0), (0.0, 60.0)]);
    assert_eq!(
        bounds[bounds.len() - 2..],
        [(3_600.0, 3_660.0), (3_660.0, 3_700.0)]
    );
    assert_eq!(bounds.len(), 2 + 62);
    assert!(bounds.windows(2).all(|w| w[0].1 == w[1].0));

    let count = |s: &Sample, column: &str| {
        let n = s.get(column) * (s.end_s - s.start_s);
        assert!((n - n.round()).abs() < 1e-6, "{column} {n}");
        n.round() as u64
    };
    // The requests of each interval, counted from the arrivals alone.
    let phases = Phases::of(&scenario, point.traffic, 0);
    let mut coming = arrivals(&point, phases.start);
    let mut came = vec![0_u64; samples.len()];
    let end = phases.origin + r.period;
    while let Some(a) = coming.next_arrival().filter(|a| a.at < end) {
        let at_s = a.at.as_secs_f64() - phases.origin.as_secs_f64();
        let i = bounds.iter().position(|b| (b.0..b.1).contains(&at_s));
        if let (ArrivalKind::Record { .. }, Some(i)) = (a.kind, i) {
            came[i] += 1;
        }
    }
    let shown: Vec<u64> = samples.iter().map(|s| count(s, "requests_per_s")).collect();
    println!("first intervals: {:?} requests", &shown[..3]);
    assert_eq!(shown, came);

    let measured = || samples.iter().filter(|s| s.end_s > 0.0);
    let sum = |column: &str| measured().map(|s| count(s, column)).sum::<u64>();
    use kvplan::telemetry::ports::OpKind;
    let kinds = r.calls.requests();
    let ended_well: u64 = kinds.iter().map(|k| k.count() - k.errors).sum();
    assert!(kinds.iter().any(|k| k.errors > 0));
    assert_eq!(sum("requests_per_s"), r.arrived.records);
    assert_eq!(sum("goodput_per_s"), ended_well);
    assert_eq!(sum("stored_per_s"), r.counters.stored);
    assert_eq!(sum("kv_reads_per_s"), r.kv.issued(OpKind::Read));
    assert_eq!(sum("kv_writes_per_s"), r.kv.issued(OpKind::Write));
    assert_eq!(sum("retries_per_s"), r.counters.retries);
}

/// An interval's percentiles are those of all replications' calls together, and none where fewer than ten
/// lie beyond: five metrics reads a second in ten replications and in ten seconds are some 500, enough for a
/// 95th percentile and not for a 99th; analytics queries are too few for either.
#[test]
fn an_intervals_percentiles_rest_on_enough_calls_of_all_replications() {
    let settings = ["period.at_least=\"5 min\"", "period.at_most=\"5 min\""].map(str::to_owned);
    let overrides = parse_overrides(&settings).unwrap();
    let mut scenario = Scenario::load("default", &["optimised".into()], None, &overrides).unwrap();
    scenario.replications = 10;
    let interval = Duration::from_secs(10);
    let traffic = Count(13_000_000);
    let timelines = observe_all(&scenario, traffic, interval, 0, &Work::unwatched()).unwrap();
    let steps = &timelines[0].steps;
    let of = |s: &Step, name: &str| s.estimates[column(name)];
    assert_eq!(steps.iter().filter(|s| s.end_s > 0.0).count(), 30);
    for s in steps.iter().filter(|s| s.end_s > 0.0) {
        assert!(of(s, "metrics_p95_ms").half_width.is_finite());
        assert!(of(s, "metrics_p99_ms").mean.is_nan());
        assert!(of(s, "analytics_p50_ms").mean.is_nan());
        assert!(of(s, "analytics_p95_ms").mean.is_nan());
        // A hit ratio is that of all lookups, not a mean of ratios.
        assert!((0.0..=1.0).contains(&of(s, "hit_ratio").mean));
    }
    // By itself a replication has not enough for the 95th percentile either.
    let alone = &timelines[0].observed[0].samples;
    assert!(alone.iter().all(|s| s.get("metrics_p95_ms").is_nan()));
}
