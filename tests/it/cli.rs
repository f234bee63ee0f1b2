//! The binary as a user drives it.

use crate::setup::files;
use assert_cmd::Command;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn kvplan() -> Command {
    Command::cargo_bin("kvplan").unwrap()
}

/// A sweep small enough for a test.
const QUICK: [&str; 10] = [
    "sweep",
    "--traffic",
    "100k,3M",
    "--replications",
    "3",
    "--seed",
    "7",
    "--set",
    "period.requests=\"2k\"",
    "--quiet",
];

fn sweep_into(dir: &Path, extra: &[&str]) {
    kvplan()
        .args(QUICK)
        .args(extra)
        .arg("--out")
        .arg(dir)
        .assert()
        .success();
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    sweep_into(one.path(), &["--threads", "1"]);
    sweep_into(two.path(), &["--threads", "2"]);
    let (one, two) = (files(one.path()), files(two.path()));
    assert_eq!(one.len(), 22);
    for (a, b) in one.iter().zip(&two) {
        assert_eq!(a.0, b.0);
        assert!(a.1 == b.1, "{} differs", a.0);
    }
}

#[test]
fn another_seed_gives_other_results() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    sweep_into(one.path(), &[]);
    kvplan()
        .args(QUICK)
        .args(["--seed", "8", "--out"])
        .arg(two.path())
        .assert()
        .failure();
    let mut args = QUICK.to_vec();
    args[6] = "8";
    kvplan()
        .args(args)
        .arg("--out")
        .arg(two.path())
        .assert()
        .success();
    let csv = |d: &TempDir| fs::read(d.path().join("sweep.csv")).unwrap();
    assert_ne!(csv(&one), csv(&two));
}

#[test]
fn the_csv_has_a_row_per_level_and_policy_and_an_interval_per_measure() {
    let dir = TempDir::new().unwrap();
    sweep_into(dir.path(), &[]);
    let mut reader = csv::Reader::from_path(dir.path().join("sweep.csv")).unwrap();
    let headers = reader.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|h| h == name).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let points: Vec<(&str, &str)> = rows.iter().map(|r| (&r[0], &r[1])).collect();
    assert_eq!(
        points,
        [
            ("100000", "naive"),
            ("100000", "optimised"),
            ("3000000", "naive"),
            ("3000000", "optimised")
        ]
    );
    let number = |row: usize, name: &str| -> f64 { rows[row][column(name)].parse().unwrap() };
    // Without a cache there is no hit ratio: the cell is empty, not zero.
    assert_eq!(&rows[0][column("hit_ratio")], "");
    assert!(number(2, "operations_per_request") > number(3, "operations_per_request"));
    assert!(number(3, "cost_usd_ci95") >= 0.0);
    // Invoice items add up to the total, to the digits shown.
    let items: f64 = headers
        .iter()
        .filter(|h| h.starts_with("invoice_") && h.ends_with("_usd"))
        .map(|h| number(2, h))
        .sum();
    assert!((items - number(2, "cost_usd")).abs() < 1e-3, "{items}");
    let run: serde_json::Value =
        serde_json::from_slice(&fs::read(dir.path().join("run.json")).unwrap()).unwrap();
    assert_eq!(run["seed"], 7);
    assert!(run["scaling"].as_str().unwrap().contains("month_scale"));
}

#[test]
fn charts_carry_their_text_and_are_pictures() {
    let dir = TempDir::new().unwrap();
    sweep_into(dir.path(), &[]);
    let svg = fs::read_to_string(dir.path().join("cost.svg")).unwrap();
    for text in [
        "Monthly cost against traffic",
        "recorded requests per month",
        "naive",
        "optimised",
        "95% confidence",
        "role=\"img\"",
        "<title>naive: 100k, $5.00 ± $0",
    ] {
        assert!(svg.contains(text), "{text}");
    }
    let png = fs::read(dir.path().join("cost.png")).unwrap();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    assert!(png.len() > 20_000);
}

/// Runs with bad input; checks exit code 2 and that earlier output is untouched; returns the message.
fn refused(args: &[&str], dir: &Path) -> String {
    let out = dir.join("out");
    fs::create_dir_all(&out).unwrap();
    fs::write(out.join("sweep.csv"), "earlier\n").unwrap();
    let output = kvplan()
        .arg("sweep")
        .args(args)
        .arg("--out")
        .arg(&out)
        .current_dir(dir)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(
        files(&out),
        [("sweep.csv".to_owned(), b"earlier\n".to_vec())]
    );
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

const SCENARIO: &str = "title = \"t\"\nworkload = \"gateway\"\npolicies = [\"naive\"]\nlatency = \"constant-10ms\"\nbilling = { catalog = \"cloudflare\", plan = \"paid\" }\ntraffic_per_month = \"1M\"\n";

fn refused_scenario(scenario: &str) -> String {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("my.toml"), scenario).unwrap();
    refused(&["--scenario", "my.toml"], dir.path())
}

#[test]
fn errors_name_file_line_and_field() {
    insta::assert_snapshot!(refused_scenario(&format!("{SCENARIO}speed = 3\n")), @r#"error: my.toml:7: field `speed`: unknown field `speed` (did you mean "seed"?), expected one of `title`, `workload`, `policies`, `latency`, `limits`, `alerts`, `billing`, `traffic_per_month`, `sweep_per_month`, `replications`, `seed`, `period`, `failures`, `fleet`, `consistency`, `cpu`, `precision`"#);
    insta::assert_snapshot!(refused_scenario(&format!("{SCENARIO}[period]\nwarm_up = \"5 parsecs\"\n")), @r#"error: my.toml:8: field `period.warm_up`: found "5 parsecs", expected a duration with a unit (ns, us, ms, s, min, h, d), such as "5 s""#);
    insta::assert_snapshot!(refused_scenario(&format!("{SCENARIO}[failures]\nread = {{ error = -0.1 }}\n")), @r#"error: my.toml:8: field `failures.read.error`: found "-0.1", expected a probability from 0 to 1 (or 0% to 100%)"#);
    insta::assert_snapshot!(refused_scenario(&SCENARIO.replace("\"1M\"", "\"lots\"")), @r#"error: my.toml:6: field `traffic_per_month`: found "lots", expected a whole number of 0 or more, such as 250, 10k, 2.5M or 1B"#);
    insta::assert_snapshot!(refused_scenario(&SCENARIO.replace("plan = \"paid\"", "plan = \"gold\"")), @r#"error: my.toml: field `billing.plan`: found "gold", expected one of: free, paid"#);
    insta::assert_snapshot!(refused_scenario(&format!("{SCENARIO}[period]\nat_least = \"40 d\"\n")), @"error: my.toml:8: field `period.at_least`: found 40 d, expected more than 0 s and no more than period.at_most = 7 d");
    insta::assert_snapshot!(refused_scenario("title = \n").lines().next().unwrap(), @r#"error: my.toml:1: string values must be quoted, expected literal string"#);
}

#[test]
fn errors_in_named_files_name_those_files() {
    let dir = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write(
        "my.toml",
        &SCENARIO
            .replace("\"gateway\"", "\"w.toml\"")
            .replace("constant-10ms", "l.toml"),
    );
    let workload = include_str!("../../models/workloads/gateway.toml");
    write("w.toml", &workload.replace("\"40/h\"", "\"-40/h\""));
    let args = ["--scenario", "my.toml"];
    insta::assert_snapshot!(refused(&args, dir.path()), @r#"error: w.toml:37: field `analytics_queries.rate`: found "-40/h", expected a rate of 0 or more"#);
    write("w.toml", workload);
    insta::assert_snapshot!(refused(&args, dir.path()), @r#"error: l.toml: cannot be read (no such file); expected a file, or one of: constant-10ms, in-memory, kv-2024, kv-2025, kv-2026"#);
    let constant = include_str!("../../models/latency/constant-10ms.toml");
    write(
        "l.toml",
        &constant.replace(
            "read = { kind = \"constant\", value = \"10 ms\" }",
            "read = { kind = \"empirical\", csv = \"x.csv\" }",
        ),
    );
    write("x.csv", "latency_ms\n1.5\nfast\n");
    insta::assert_snapshot!(refused(&args, dir.path()), @r#"error: x.csv:3: field `latency_ms`: found "fast", expected milliseconds of 0 or more"#);
    write("x.csv", "latency_ms,b\n1.5,1\n2.5\n");
    insta::assert_snapshot!(refused(&args, dir.path()), @r#"error: x.csv:3: field `latency_ms`: found 1 columns, expected 2"#);
    write("x.csv", "ms\n1.5\n");
    insta::assert_snapshot!(refused(&args, dir.path()), @r#"error: x.csv:1: field `latency_ms`: found columns ms, expected one called latency_ms"#);
    insta::assert_snapshot!(refused(&["--scenario", "none.toml"], dir.path()), @r#"error: none.toml: cannot be read (no such file); expected a file, or one of: bad-day, default, first-48-hours, fleet-20, free-plan, key-layouts, lost-updates, policies, production-10m, production-1m, retry-storm, seed-load-test, stores, world, world-independent"#);
    insta::assert_snapshot!(refused(&["--set", "policy.cache.ttl=5"], dir.path()), @r#"error: --set policy.cache.ttl=5: field `cache.ttl`: found "5", expected a duration with a unit (ns, us, ms, s, min, h, d), such as "5 s""#);
    insta::assert_snapshot!(refused(&["--set", "nonsense"], dir.path()), @r#"error: --set nonsense: expected FIELD=VALUE, such as policy.cache.ttl="10 s""#);
}

#[test]
fn wrong_arguments_are_refused() {
    let dir = TempDir::new().unwrap();
    for args in [
        vec!["--traffic", "5..1"],
        vec!["--replications", "0"],
        vec!["--traffic", "0"],
        vec!["--nonsense"],
    ] {
        let message = refused(&args, dir.path());
        assert!(message.starts_with("error:"), "{message}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_earlier_output_untouched() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("sweep.csv"), "earlier\n").unwrap();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_kvplan"))
        .args(["sweep", "--replications", "200", "--quiet", "--out"])
        .arg(dir.path())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // Wait until it has begun: its journal is there.
    while files_and_folders(dir.path()) < 2 {
        std::thread::sleep(std::time::Duration::from_millis(10));
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before the interrupt"
        );
    }
    std::thread::sleep(std::time::Duration::from_millis(200));
    let killed = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let files = files(dir.path());
    let names: Vec<&str> = files.iter().map(|f| f.0.as_str()).collect();
    assert_eq!(names, ["sweep.csv", "sweep.kvjournal"]);
    assert_eq!(files[0].1, b"earlier\n");
}

#[cfg(unix)]
fn files_and_folders(dir: &Path) -> usize {
    fs::read_dir(dir).unwrap().count()
}

#[test]
fn run_prints_metrics_invoice_and_alerts() {
    let output = kvplan()
        .args([
            "run",
            "--traffic",
            "10M",
            "-n",
            "2",
            "--set",
            "period.requests=\"5k\"",
        ])
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "operations_per_request",
        "plan fee",
        "kv.writes",
        "Alerts, policy naive",
        "critical: error_rate",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
}

#[test]
fn every_scenario_that_comes_along_is_good() {
    let list = kvplan().args(["scenario", "list"]).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let names: Vec<&str> = list
        .lines()
        .skip(1)
        .filter_map(|l| l.split_whitespace().next())
        .collect();
    for wanted in ["seed-load-test", "production-1m", "production-10m"] {
        assert!(names.contains(&wanted), "{wanted}");
    }
    for name in names {
        kvplan()
            .args(["scenario", "check", name])
            .assert()
            .success();
        kvplan().args(["scenario", "show", name]).assert().success();
    }
}

/// The guide's table of columns says what the program says.
#[test]
fn the_guide_explains_every_column() {
    let guide = include_str!("../../src/guide/columns.md");
    for m in kvplan::run::metric::METRICS {
        let row = format!("| `{}` | {} |", m.name, m.meaning);
        assert!(guide.contains(&row), "missing: {row}");
    }
}

/// A reader by name, such as a data frame, needs every column of a table to have a name of its own.
#[test]
fn no_column_is_there_twice() {
    let dir = TempDir::new().unwrap();
    sweep_into(dir.path(), &[]);
    for file in ["sweep.csv", "replications.csv"] {
        let text = fs::read_to_string(dir.path().join(file)).unwrap();
        let mut columns: Vec<&str> = text.lines().next().unwrap().split(',').collect();
        assert!(columns.contains(&"isolates_mean"));
        columns.sort_unstable();
        let twice = columns.windows(2).find(|w| w[0] == w[1]);
        assert_eq!(twice, None, "{file}");
    }
}

#[test]
fn compare_says_what_differs_and_what_does_not() {
    let dir = TempDir::new().unwrap();
    let patient = include_str!("../../models/policies/optimised.toml")
        .replace("\"optimised\"", "\"patient\"")
        .replace("max_attempts = 4", "max_attempts = 9");
    fs::write(dir.path().join("patient.toml"), patient).unwrap();
    let compare = |a: &str, b: &str| {
        let output = kvplan()
            .args([
                "compare",
                a,
                b,
                "--traffic",
                "3M",
                "-n",
                "4",
                "--set",
                "period.requests=2000",
            ])
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let text = compare("naive", "optimised");
    let line = |name: &str| {
        text.lines()
            .find(|l| l.trim_start().starts_with(name))
            .unwrap()
    };
    assert!(
        line("kv_writes_per_month").ends_with("naive is higher"),
        "{text}"
    );
    // Both meet the same requests.
    assert!(line("requests_per_month").ends_with("identical"), "{text}");
    // More attempts make no difference where no write fails.
    let text = compare("optimised", "patient.toml");
    assert!(!text.contains("higher"), "{text}");
}

#[test]
fn a_fleet_refuses_a_policy_that_sees_one_isolate_only() {
    let with = |fleet: &str| {
        let scenario = format!("fleet = \"{fleet}\"\n{SCENARIO}");
        refused_scenario(&scenario)
    };
    let message = with("twenty");
    assert!(
        message.contains("field `fleet`: found \"twenty\" (20 independent isolates that never end) with policy \"naive\""),
        "{message}"
    );
    let message = with("nowhere");
    assert!(
        message.contains("expected a file, or one of: regions, single, slow-start, twenty, world"),
        "{message}"
    );
    insta::assert_snapshot!(refused(&["--set", "fleet.isolates=0"], TempDir::new().unwrap().path()), @r"error: --set fleet.isolates=0: field `isolates`: found 0, expected 1 to 100000 (one for each place at least)");
}

#[test]
fn a_run_prints_its_projected_invoice_for_finops_tools() {
    let run = |more: &[&str]| {
        let args = [
            "run",
            "--traffic",
            "1M",
            "-n",
            "2",
            "--set",
            "period.requests=500",
        ];
        kvplan().args(args).args(more).output().unwrap()
    };
    let output = run(&["--policy", "naive", "--format", "focus"]);
    assert!(output.status.success(), "{output:?}");
    let mut reader = csv::Reader::from_reader(&output.stdout[..]);
    let headers = reader.headers().unwrap().clone();
    let cost = headers.iter().position(|h| h == "BilledCost").unwrap();
    let costs = reader
        .records()
        .map(|r| r.unwrap()[cost].parse::<f64>().unwrap());
    assert!(costs.sum::<f64>() >= 5.0);
    let output = run(&[
        "--policy",
        "naive",
        "--policy",
        "optimised",
        "--format",
        "focus",
    ]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    // All that people see, of every policy, at full precision.
    let output = run(&["--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let measures = json["measures"].as_array().unwrap();
    let writes = measures
        .iter()
        .find(|m| m["measure"] == "kv_writes_per_month");
    let [naive, optimised] = ["naive", "optimised"].map(|p| writes.unwrap()[p].as_f64().unwrap());
    assert!(
        naive > 3.0 * optimised && naive.to_string().len() > 4,
        "{naive} {optimised}"
    );
    for policy in ["naive", "optimised"] {
        let invoice = json[format!("invoice {policy}")].as_array().unwrap();
        assert!(invoice.last().unwrap()["amount_usd"].as_f64().unwrap() >= 5.0);
    }
    let output = run(&["--format", "csv", "--quiet"]);
    let mut reader = csv::Reader::from_reader(&output.stdout[..]);
    let csv_writes = reader
        .records()
        .map(Result::unwrap)
        .find(|r| &r[0] == "kv_writes_per_month");
    assert_eq!(csv_writes.unwrap()[1].parse::<f64>().unwrap(), naive);
}
