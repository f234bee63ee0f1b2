//! Replaying a log: against the direct simulation, and as a user drives it.

use crate::setup::peak_kib;
use assert_cmd::Command;
use kvplan::models::parse_overrides;
use kvplan::pricing::MeterItem;
use kvplan::run::result::RunResult;
use kvplan::run::scenario::Scenario;
use kvplan::run::{Billed, ORIGIN, Phases, Point, simulate};
use kvplan::study::error::StudyError;
use kvplan::study::replay::{Extent, Replay, ReplaySpec, replay, write_trace};
use kvplan::telemetry::ports::OpKind;
use kvplan::workload::trace::{TraceOptions, TraceReader};
use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tempfile::TempDir;

static GO_ON: AtomicBool = AtomicBool::new(false);

fn load(name: &str, policies: &[&str], settings: &[&str]) -> Scenario {
    let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
    let policies: Vec<String> = policies.iter().map(|s| (*s).to_owned()).collect();
    let overrides = parse_overrides(&settings).unwrap();
    let mut scenario = Scenario::load(name, &policies, None, &overrides).unwrap();
    scenario.replications = 1;
    scenario
}

fn point(scenario: &Scenario, policy: usize) -> Point<'_> {
    Point {
        scenario,
        policy: &scenario.policies[policy],
        traffic: scenario.traffic_per_month,
        replication: 0,
    }
}

fn log_of(scenario: &Scenario, extent: Extent) -> Vec<u8> {
    let mut log = Vec::new();
    let rows = write_trace(&point(scenario, 0), &extent, &mut log, &GO_ON).unwrap();
    assert!(rows.unwrap() > 0);
    log
}

fn try_replay(scenario: &Scenario, log: &[u8], spec: &ReplaySpec) -> Result<Replay, StudyError> {
    let source = Cursor::new(log.to_vec());
    let reader = TraceReader::new("log", Box::new(source), TraceOptions::default())?;
    replay(scenario, reader, spec, 2, &|| None, &GO_ON)
}

fn replayed(scenario: &Scenario, log: &[u8], spec: &ReplaySpec) -> Replay {
    let replay = try_replay(scenario, log, spec).unwrap();
    // Each row is accounted for.
    let (stats, c) = (&replay.stats, replay.counts);
    assert_eq!(
        stats.rows,
        stats.bad_rows() + c.early + c.unused + c.thinned + c.calls + c.late - c.copies
    );
    replay
}

/// Rows at these times, with nothing but the time.
fn bare(times_ms: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let start_ms = ORIGIN.as_nanos() / 1_000_000;
    let rows = times_ms.into_iter().map(|t| format!("{}\n", start_ms + t));
    let mut log = String::from("timestamp\n");
    log.extend(rows);
    log.into_bytes()
}

fn assert_same(a: &RunResult, b: &RunResult) {
    assert_eq!(a.arrived, b.arrived);
    assert_eq!(a.kv, b.kv);
    assert_eq!(a.counters, b.counters);
    assert_eq!(a.usage, b.usage);
    assert_eq!(a.invoice.lines, b.invoice.lines);
    assert_eq!(a.invoice.total, b.invoice.total);
    assert_eq!(a.period, b.period);
    for q in [0.5, 0.99] {
        assert_eq!(
            a.calls.analytics.quantile_ms(q).to_bits(),
            b.calls.analytics.quantile_ms(q).to_bits()
        );
    }
}

/// A scenario's arrivals, written to a log and replayed, give the results of the scenario: the same
/// counts, the same invoice to the last pico-dollar.
#[test]
fn a_replay_of_a_scenarios_log_is_the_scenario() {
    let single = load("default", &[], &["period.requests=2000"]);
    // Places, isolates that come and go, and a history without queries.
    let world = load(
        "world",
        &[],
        &[
            "traffic_per_month=\"300k\"",
            "period.requests=500",
            "period.history=\"2 h\"",
        ],
    );
    for scenario in [single, world] {
        let extent = Extent {
            with_warm_up: true,
            ..Extent::default()
        };
        let log = log_of(&scenario, extent);
        let phases = Phases::of(&scenario, scenario.traffic_per_month, 0);
        let spec = ReplaySpec {
            from: Some(phases.origin),
            to: Some(phases.origin + scenario.horizon(scenario.traffic_per_month)),
            warm_up: phases.origin.since(phases.start),
            ..ReplaySpec::default()
        };
        let replay = replayed(&scenario, &log, &spec);
        for policy in 0..scenario.policies.len() {
            let direct = simulate(&point(&scenario, policy)).unwrap();
            assert!(direct.arrived.records > 300);
            assert_same(&replay.first[policy], &direct);
        }
    }
}

#[test]
fn a_log_without_other_calls_gets_them_from_the_workload() {
    let scenario = load(
        "default",
        &["optimised"],
        &["workload.health_checks.rate=\"2/s\""],
    );
    let log = bare((0..3_000).map(|i| 100 * i));
    let replay = replayed(&scenario, &log, &ReplaySpec::default());
    let r = &replay.first[0];
    assert_eq!(replay.columns, ["timestamp"]);
    // Every row is in the measurement, which ends one mean gap after the last.
    assert_eq!(r.arrived.records, 3_000);
    assert_eq!(r.period, Duration::from_secs(300));
    assert_eq!(r.arrived.metrics_reads, 3_000);
    // Poisson(600), four standard deviations.
    let checks = r.arrived.health_checks as f64;
    assert!((checks - 600.0).abs() < 4.0 * 600.0_f64.sqrt(), "{checks}");
}

#[test]
fn a_log_with_kinds_gets_no_other_calls() {
    let scenario = load("default", &["optimised"], &[]);
    let mut log = String::from("timestamp,kind\n");
    for second in 0..600 {
        log.push_str(&format!("{},record\n", 1_800_000_000 + second));
        if second % 10 == 0 {
            log.push_str(&format!("{},metrics_read\n", 1_800_000_000 + second));
        }
    }
    let r = replayed(&scenario, log.as_bytes(), &ReplaySpec::default());
    let a = r.first[0].arrived;
    assert_eq!((a.records, a.metrics_reads), (600, 60));
    assert_eq!((a.analytics_queries, a.health_checks), (0, 0));
}

/// A row that says so is part of the request of the last record; any other metrics read is a request
/// of its own, in the same second and place too: a log of whole seconds tells no more.
#[test]
fn metrics_reads_of_a_log_are_billed_unless_they_come_with_a_record() {
    let places = "fleet.place=[{name=\"FRA\",share=0.5},{name=\"IAD\",share=0.5}]";
    let settings = ["fleet.isolates=2", places];
    let scenario = load("default", &["optimised-fleet"], &settings);
    let billed = |row: fn(u64) -> String| {
        let mut log = String::from("timestamp,kind,location\n");
        for i in 0..600 {
            log.push_str(&row(1_800_000_000_000 + 1_000 * i));
        }
        let spec = ReplaySpec {
            billed: Billed::Period,
            ..ReplaySpec::default()
        };
        let replay = replayed(&scenario, log.as_bytes(), &spec);
        let r = &replay.first[0];
        let requests = r.usage.get(MeterItem::WorkersRequests);
        assert_eq!(requests, u128::from(r.arrived.requests()));
        let cpu = &scenario.cpu;
        let cpu_us = r.arrived.records * cpu.request_us
            + (r.arrived.requests() - r.arrived.records) * cpu.query_us;
        let cpu_ms = r.usage.get(MeterItem::WorkersCpuMs);
        assert_eq!(cpu_ms, u128::from(cpu_us) / 1_000);
        (
            r.arrived.metrics_reads,
            r.arrived.own_metrics_reads,
            requests,
        )
    };
    let alone = |t| format!("{t},metrics_read,FRA\n");
    assert_eq!(billed(alone), (600, 600, 600));
    let with_a_record = |t| format!("{t},record,FRA\n{t},metrics_with_record,FRA\n");
    assert_eq!(billed(with_a_record), (600, 0, 600));
    let beside = |t| format!("{t},record,FRA\n{t},metrics_read,FRA\n{t},metrics_read,IAD\n");
    assert_eq!(billed(beside), (1_200, 1_200, 1_800));
    let without = |t| format!("{t},metrics_with_record,FRA\n");
    assert_eq!(billed(without), (600, 600, 600));
}

/// Replications share the arrivals and differ in what the log does not say.
#[test]
fn replications_differ_in_latencies_only() {
    let mut scenario = load("default", &["optimised"], &[]);
    scenario.replications = 4;
    let log = bare((0..2_000).map(|i| 500 * i));
    let r = replayed(&scenario, &log, &ReplaySpec::default());
    let cell = &r.cells[0];
    assert_eq!(cell.estimate("requests_per_month").half_width, 0.0);
    assert!(cell.estimate("metrics_p99_ms").half_width > 0.0);
    // One row per sample interval, with an interval over the four replications.
    assert!(r.series[0].len() >= 60);
    assert!(r.series[0].iter().all(|p| p.estimates[0].n == 4));
}

/// The number of calls kept is binomial; four standard deviations.
#[test]
fn thinning_keeps_its_share() {
    let scenario = load("default", &["optimised"], &[]);
    let n = 20_000;
    let log = bare((0..n).map(|i| 100 * i));
    for p in [0.1, 0.75] {
        let spec = ReplaySpec {
            amplify: p,
            ..ReplaySpec::default()
        };
        let r = replayed(&scenario, &log, &spec);
        let (kept, expected) = (r.counts.records as f64, n as f64 * p);
        let sd = (n as f64 * p * (1.0 - p)).sqrt();
        assert!((kept - expected).abs() < 4.0 * sd, "{kept} of {n} at {p}");
        assert!(
            (kept - expected).abs() > 0.0,
            "kept at random, not by number"
        );
        assert_eq!(r.counts.thinned, n - r.counts.records);
        assert_eq!(r.first[0].arrived.records, r.counts.records);
    }
}

#[test]
fn copies_multiply_the_rate_and_keep_calls_of_one_request_together() {
    let scenario = load("default", &["optimised"], &[]);
    let n = 5_000_u64;
    let mut log = String::from("timestamp,kind\n");
    for i in 0..n {
        let ms = 1_800_000_000_000 + 200 * i;
        log.push_str(&format!("{ms},record\n{ms},metrics_with_record\n"));
    }
    let with = |amplify| ReplaySpec {
        amplify,
        jitter: Duration::from_secs(5),
        ..ReplaySpec::default()
    };
    let r = replayed(&scenario, log.as_bytes(), &with(3.0));
    assert_eq!((r.counts.records, r.counts.copies), (3 * n, 4 * n));
    // A metrics read that comes with a request is part of its invocation: were their copies torn
    // apart, each read would be a Worker request of its own.
    let a = r.first[0].arrived;
    assert_eq!((a.records, a.metrics_reads), (3 * n, 3 * n));
    let workers = r.first[0].usage.get(MeterItem::WorkersRequests);
    let per_record = workers as f64 / r.first[0].per_month(a.records);
    assert!((per_record - 1.0).abs() < 1e-6, "{per_record}");
    let r = replayed(&scenario, log.as_bytes(), &with(2.5));
    let (records, sd) = (r.counts.records as f64, (n as f64 * 0.25).sqrt());
    assert!((records - 2.5 * n as f64).abs() < 4.0 * sd, "{records}");
}

#[test]
fn speed_compresses_time() {
    let scenario = load("default", &["optimised"], &[]);
    let log = bare((0..4_000).map(|i| 1_000 * i));
    let at = |speed| {
        let spec = ReplaySpec {
            speed,
            ..ReplaySpec::default()
        };
        replayed(&scenario, &log, &spec)
    };
    let (slow, fast) = (at(1.0), at(10.0));
    assert_eq!(slow.first[0].period, Duration::from_secs(4_000));
    assert_eq!(fast.first[0].period, Duration::from_secs(400));
    let per_month = |r: &Replay| r.cells[0].estimate("requests_per_month").mean;
    assert!((per_month(&fast) / per_month(&slow) - 10.0).abs() < 1e-9);
    // The cache sees ten times the lookups in its time to live.
    assert!(fast.first[0].hit_ratio() > slow.first[0].hit_ratio() + 0.1);
}

#[test]
fn a_window_of_the_log_can_be_replayed() {
    let scenario = load("default", &["optimised"], &[]);
    let log = bare((0..1_000).map(|i| 1_000 * i));
    let spec = ReplaySpec {
        from: Some(ORIGIN + Duration::from_secs(300)),
        to: Some(ORIGIN + Duration::from_secs(500)),
        warm_up: Duration::from_secs(100),
        ..ReplaySpec::default()
    };
    let r = replayed(&scenario, &log, &spec);
    assert_eq!(
        (r.counts.early, r.counts.calls, r.counts.unused),
        (200, 300, 1)
    );
    assert_eq!(r.first[0].arrived.records, 200);
    assert_eq!(r.first[0].period, Duration::from_secs(200));
}

/// Billing the period counts each operation once; billing a month multiplies.
#[test]
fn the_invoice_is_for_a_month_or_for_the_period() {
    let scenario = load("default", &["naive"], &[]);
    let log = bare((0..3_600).map(|i| 1_000 * i));
    let bill = |billed| {
        let spec = ReplaySpec {
            billed,
            ..ReplaySpec::default()
        };
        let mut replay = replayed(&scenario, &log, &spec);
        replay.first.remove(0)
    };
    let (period, month) = (bill(Billed::Period), bill(Billed::Month));
    let reads = u128::from(period.kv.issued(OpKind::Read));
    assert_eq!(period.usage.get(MeterItem::KvReads), reads);
    // An hour is 1/720 of a month.
    assert_eq!(month.usage.get(MeterItem::KvReads), 720 * reads);
    let fee = |r: &RunResult| r.invoice.lines[0].amount;
    assert_eq!(fee(&period), fee(&month));
    assert_eq!(period.invoice.total, fee(&period));
    assert!(month.invoice.total > fee(&month));
}

/// If all calls come in at one of two places, that place's isolate sees what a single one would.
#[test]
fn calls_come_in_where_the_log_says() {
    let places = "fleet.place=[{name=\"FRA\",share=0.5},{name=\"IAD\",share=0.5}]";
    let two = load(
        "default",
        &["optimised-fleet"],
        &["fleet.isolates=2", places],
    );
    let one = load("default", &["optimised-fleet"], &[]);
    let log = |location: &str| {
        let mut log = String::from("timestamp,location\n");
        for i in 0..3_000 {
            log.push_str(&format!("{},{location}\n", 1_800_000_000 + i));
        }
        log.into_bytes()
    };
    let run = |scenario: &Scenario, location: &str| {
        let spec = ReplaySpec::default();
        let r = replayed(scenario, &log(location), &spec);
        (r.first[0].counters.cache, r.counts.elsewhere)
    };
    let single = run(&one, "FRA");
    // Queries and health checks have no place in the log, so a few go to the other isolate.
    let (cache, elsewhere) = run(&two, "FRA");
    assert_eq!(elsewhere, 0);
    let lookups = (cache.hits + cache.misses) as f64;
    let difference = single.0.hits.abs_diff(cache.hits) as f64;
    assert!(difference / lookups < 0.05, "{cache:?} vs {single:?}");
    // Spread over both, the hit ratio falls: l T / (n + l T).
    let (spread, elsewhere) = run(&two, "XXX");
    assert_eq!(elsewhere, 3_000);
    assert!(
        (spread.hits as f64) < 0.95 * cache.hits as f64,
        "{spread:?}"
    );
}

fn kvplan() -> Command {
    Command::cargo_bin("kvplan").unwrap()
}

fn small_log(dir: &Path) {
    kvplan()
        .args(["trace", "--traffic", "3M", "--requests", "1500"])
        .args(["--seed", "5", "--out", "log.csv"])
        .current_dir(dir)
        .assert()
        .success();
}

fn replay_csv(dir: &Path, log: &str, extra: &[&str], stdin: Option<Vec<u8>>) -> Vec<u8> {
    let out = TempDir::new().unwrap();
    let mut command = kvplan();
    command
        .args(["replay", log, "-n", "2", "--quiet"])
        .args(extra)
        .arg("--out")
        .arg(out.path())
        .current_dir(dir);
    if let Some(bytes) = stdin {
        command.write_stdin(bytes);
    }
    command.assert().success();
    let mut names: Vec<_> = fs::read_dir(out.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 11, "{names:?}");
    fs::read(out.path().join("replay.csv")).unwrap()
}

/// As of `run`: an assertion that does not hold gives the exit code 1, and all stand in run.json.
#[test]
fn what_is_asserted_of_a_replay_is_judged() {
    let dir = TempDir::new().unwrap();
    small_log(dir.path());
    let replay = |more: &[&str]| {
        let args = [
            "replay",
            "log.csv",
            "-n",
            "2",
            "--policy",
            "optimised",
            "--out",
            "o",
        ];
        let mut command = kvplan();
        let output = command.args(args).args(more).current_dir(dir.path());
        output.output().unwrap()
    };
    let met = replay(&["--assert", "cost<100USD"]);
    assert_eq!(met.status.code(), Some(0), "{met:?}");
    let unmet = replay(&["--assert", "cost<100USD,cost<1USD"]);
    assert_eq!(unmet.status.code(), Some(1), "{unmet:?}");
    let told = String::from_utf8(unmet.stdout).unwrap();
    assert!(told.contains("Assertions: 1 of 2 hold"), "{told}");
    let run = fs::read_to_string(dir.path().join("o/run.json")).unwrap();
    let run: serde_json::Value = serde_json::from_str(&run).unwrap();
    let verdicts = [0, 1].map(|i| run["assertions"][i]["verdict"].clone());
    assert_eq!(verdicts, ["holds", "does not hold"]);
    let quiet = replay(&["--assert", "cost<1USD", "--quiet"]);
    assert_eq!(quiet.status.code(), Some(1), "{quiet:?}");
    assert!(
        String::from_utf8(quiet.stderr)
            .unwrap()
            .contains("cost<1USD")
    );
}

#[test]
fn gzip_standard_input_and_threads_make_no_difference() {
    let dir = TempDir::new().unwrap();
    small_log(dir.path());
    kvplan()
        .args(["trace", "--traffic", "3M", "--requests", "1500"])
        .args(["--seed", "5", "--out", "log.csv.gz"])
        .current_dir(dir.path())
        .assert()
        .success();
    let bytes = fs::read(dir.path().join("log.csv.gz")).unwrap();
    assert!(bytes.starts_with(&[0x1f, 0x8b]));
    let plain = replay_csv(dir.path(), "log.csv", &["-j", "1"], None);
    let header = String::from_utf8_lossy(plain.split(|b| *b == b'\n').next().unwrap()).into_owned();
    let mut columns: Vec<&str> = header.split(',').collect();
    columns.sort_unstable();
    let twice = columns.windows(2).find(|w| w[0] == w[1]);
    assert_eq!(twice, None, "each column has a name of its own");
    assert!(plain == replay_csv(dir.path(), "log.csv.gz", &["-j", "2"], None));
    assert!(plain == replay_csv(dir.path(), "-", &[], Some(bytes.clone())));
    // Two members one after the other, as rotated logs are joined: the second has a header of its
    // own, which is a bad row.
    let twice = [bytes.clone(), bytes].concat();
    let output = kvplan()
        .args(["replay", "-"])
        .write_stdin(twice)
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.contains("field `timestamp`: found \"timestamp\""),
        "{message}"
    );
}

/// `kvplan run` and a replay of its arrivals agree in every measure.
#[test]
fn the_commands_agree() {
    let dir = TempDir::new().unwrap();
    // An hour, whatever its rarest calls.
    let settings = ["--set", "period.at_most=\"1 h\""];
    kvplan()
        .args([
            "trace",
            "--traffic",
            "1M",
            "--with-warm-up",
            "--out",
            "log.csv",
        ])
        .args(settings)
        .current_dir(dir.path())
        .assert()
        .success();
    let window = [
        "--from",
        "2026-11-02T00:00:00Z",
        "--to",
        "2026-11-02T01:00:00Z",
        "--warm-up",
        "60 s",
    ];
    kvplan()
        .args(["replay", "log.csv", "-n", "1", "--out", "replay", "--quiet"])
        .args(window)
        .args(settings)
        .current_dir(dir.path())
        .assert()
        .success();
    kvplan()
        .args([
            "sweep",
            "--traffic",
            "1M",
            "-n",
            "1",
            "--out",
            "sweep",
            "--quiet",
        ])
        .args(settings)
        .current_dir(dir.path())
        .assert()
        .success();
    let measures = |file: &str| -> Vec<Vec<String>> {
        let mut reader = csv::Reader::from_path(dir.path().join(file)).unwrap();
        let headers = reader.headers().unwrap().clone();
        let first = headers
            .iter()
            .position(|h| h == "requests_per_month")
            .unwrap();
        let rows = reader.records().map(Result::unwrap);
        rows.map(|r| r.iter().skip(first).map(str::to_owned).collect())
            .collect()
    };
    assert_eq!(measures("replay/replay.csv"), measures("sweep/sweep.csv"));
}

fn refused(log: &[u8], extra: &[&str]) -> String {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("log.csv"), log).unwrap();
    fs::create_dir(dir.path().join("out")).unwrap();
    fs::write(dir.path().join("out/replay.csv"), "earlier\n").unwrap();
    let output = kvplan()
        .args(["replay", "log.csv", "--out", "out"])
        .args(extra)
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let left: Vec<_> = fs::read_dir(dir.path().join("out")).unwrap().collect();
    assert_eq!(left.len(), 1);
    let earlier = fs::read_to_string(dir.path().join("out/replay.csv")).unwrap();
    assert_eq!(earlier, "earlier\n");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn logs_that_cannot_be_used_are_refused_with_file_line_and_field() {
    insta::assert_snapshot!(refused(b"", &[]), @"error: log.csv:1: field `timestamp`: found no columns, expected one called timestamp");
    insta::assert_snapshot!(refused(b"timestamp\n", &[]), @"error: log.csv: found no rows, expected at least two");
    insta::assert_snapshot!(refused(b"timestamp\n100\n", &[]), @"error: log.csv: found no time between the start of the measurement and the end of the rows, expected more rows, or a shorter warm-up");
    insta::assert_snapshot!(refused(b"when\n100\n", &[]), @"error: log.csv:1: field `timestamp`: found columns when, expected one called timestamp");
    insta::assert_snapshot!(refused(b"timestamp,provider\n100,gemini\n101,acme\n", &[]), @r#"error: log.csv:3: field `provider`: found "acme", expected one of the workload's: gemini, openai, anthropic (kvplan fit workload writes a workload with the log's own)"#);
    insta::assert_snapshot!(refused(b"timestamp\n100\n90\n", &[]), @"error: log.csv:3: field `timestamp`: found a time 10 s before that of an earlier row, expected rows in the order of time, or within the reorder window of 1 s");
    insta::assert_snapshot!(refused(b"timestamp\n100\n200\n", &["--from", "1000"]), @"error: log.csv: found no usable row in the time that is replayed, expected at least two");
    insta::assert_snapshot!(refused(b"timestamp\n1\nx\ny\n", &["--max-bad-rows", "1"]), @r#"error: log.csv:4: field `timestamp`: found "y", expected a time as RFC 3339 with an offset, such as 2026-11-02T09:30:00.250Z, or a number of seconds, ms, us or ns since 1970 (more than the 1 rows that may be left out)"#);
    let broken_gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2];
    let message = refused(&broken_gzip, &[]);
    assert!(
        message.starts_with("error: log.csv: cannot be read ("),
        "{message}"
    );
    for (extra, expected) in [
        (["--speed", "0"], "found \"0\", expected a number above 0"),
        (
            ["--from", "noon"],
            "found \"noon\", expected a time such as",
        ),
        (
            ["--column", "when=x"],
            "expected FIELD=HEADER with a field of: timestamp",
        ),
        (["--unit", "min"], "found \"min\", expected ns, us, ms or s"),
    ] {
        let message = refused(b"timestamp\n1\n2\n", &extra);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn rows_left_out_are_reported_with_their_lines() {
    let dir = TempDir::new().unwrap();
    let mut log = String::from("ts,kind,took\n");
    for i in 0..100 {
        log.push_str(&match i {
            10 => "soon,record,5\n".to_owned(),
            20 => format!("{},write,5\n", 1_800_000_000 + i),
            30 => format!("{},record,-5\n", 1_800_000_000 + i),
            40 => format!("{},record,5\n", 1_800_000_000),
            // Within the window of a second.
            50 => format!("{},record,5\n", 1_800_000_048),
            _ => format!("{},record,5\n", 1_800_000_000 + i),
        });
    }
    fs::write(dir.path().join("log.csv"), log).unwrap();
    let output = kvplan()
        .args(["replay", "log.csv", "--max-bad-rows", "5", "-n", "1"])
        .args([
            "--column",
            "timestamp=ts",
            "--column",
            "latency_ms=took",
            "--unit",
            "us",
        ])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let summary: Vec<&str> = text.lines().skip(2).take_while(|l| !l.is_empty()).collect();
    insta::assert_snapshot!(summary.join("\n"), @r#"
    log.csv: 100 rows, 96 calls replayed (96 recorded requests); measured for 1.67 min from 2027-01-15T08:00:00Z to 2027-01-15T08:01:40.042105263Z
      1 rows out of order put in their place
      4 rows left out because they cannot be used: 1 for time, 1 for kind, 1 for latency, 1 for out of order
        log.csv:12: field `timestamp`: found "soon", expected a time as RFC 3339 with an offset, such as 2026-11-02T09:30:00.250Z, or a number of seconds, ms, us or ns since 1970
        log.csv:22: field `kind`: found "write", expected record, metrics_read, analytics_query, health_check or metrics_with_record
        log.csv:32: field `latency_ms`: found "-5", expected a number of 0 or more us
        log.csv:42: field `timestamp`: found a time 39 s before that of an earlier row, expected rows in the order of time, or within the reorder window of 1 s
      from the scenario's workload: provider, success, tokens
    "#);
}

/// The peak of memory does not grow with the log: eight times the rows through a pipe take no more
/// than a tenth more.
#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_log() {
    use std::io::{BufWriter, Write};
    use std::process::Stdio;
    let peak_kb = |rows: u64| -> u64 {
        let out = TempDir::new().unwrap();
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_kvplan"))
            .args(["replay", "-", "--policy", "optimised", "-n", "2", "--quiet"])
            .args(["--set", "workload.metrics_reads={}", "--out"])
            .arg(out.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = BufWriter::new(child.stdin.take().unwrap());
        writeln!(pipe, "timestamp,provider,latency_ms,success,tokens").unwrap();
        for i in 0..rows {
            // Twenty a second: what differs is the length, not the rate.
            let ms = 1_800_000_000_000 + 50 * i;
            writeln!(pipe, "{ms},gemini,{}.5,true,500", i % 400).unwrap();
        }
        pipe.flush().unwrap();
        // All rows are written but for what the pipe holds: what comes after are the charts, of the
        // same size whatever the log.
        let peak = peak_kib(&child.id().to_string()).unwrap();
        drop(pipe);
        assert!(child.wait().unwrap().success());
        peak
    };
    let (short, long) = (peak_kb(150_000), peak_kb(1_200_000));
    assert!(
        long < short + short / 10 + 2_048,
        "{short} KB, then {long} KB"
    );
}
