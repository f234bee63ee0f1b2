//! Sensitivity analysis as a user drives it, and against what the arithmetic of prices says.

use crate::setup::files;
use assert_cmd::Command;
use kvplan::models::{Override, parse_overrides};
use kvplan::run::metric::index_of;
use kvplan::run::scenario::Scenario;
use kvplan::study::replicate::Work;
use kvplan::study::sensitivity::{Inputs, Settings, sensitivity};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn kvplan(args: &[&str], out: &Path) -> std::process::Output {
    let mut command = Command::cargo_bin("kvplan").unwrap();
    command.args(args).arg("--out").arg(out);
    command.output().unwrap()
}

/// Beyond 10M requests a month the bill of a policy that writes little is $5 for the plan and $0.30
/// for each further million, and $0.02 for each million CPU-ms beyond 30M.
const INPUTS: &str = r#"
title = "three inputs"

[[input]]
name = "traffic"
field = "traffic_per_month"
low = 20e6
base = 30e6
high = 60e6
scale = "log"
integer = true
assumed = "a test"

[[input]]
name = "CPU time"
field = "cpu.request_us"
low = 1000.0
base = 2000.0
high = 4000.0
scale = "log"
integer = true
assumed = "a test"

[[input]]
name = "retention"
field = "policy.layout.retention"
unit = "d"
low = 2.0
base = 8.0
high = 16.0
scale = "log"
assumed = "a test"
"#;

const QUICK: [&str; 8] = [
    "-n",
    "3",
    "--set",
    "period.requests=\"2k\"",
    "--set",
    "period.at_least=\"2 min\"",
    "--set",
    "workload.analytics_queries.rate=\"0/s\"",
];

#[test]
fn the_bill_moves_as_its_prices_say_on_any_number_of_threads() {
    let dir = TempDir::new().unwrap();
    let inputs = dir.path().join("inputs.toml");
    fs::write(&inputs, INPUTS).unwrap();
    let run = |threads: &str| {
        let out = dir.path().join(threads);
        let inputs = inputs.to_str().unwrap();
        let mut args = vec![
            "sensitivity",
            "--inputs",
            inputs,
            "--morris",
            "6",
            "--sobol",
            "8",
        ];
        args.extend(["-j", threads]);
        args.extend(QUICK);
        let output = kvplan(&args, &out);
        assert!(output.status.success(), "{output:?}");
        (String::from_utf8(output.stdout).unwrap(), files(&out))
    };
    let (text, one) = run("1");
    let (_, two) = run("2");
    assert!(one == two, "the files depend on the number of threads");
    assert_eq!(one.len(), 8);
    // The most influential input comes first.
    let lines: Vec<&str> = text.lines().filter(|l| !l.is_empty()).collect();
    assert!(lines[2].trim_start().starts_with("traffic"), "{text}");
    let csv = one.iter().find(|f| f.0 == "sensitivity.csv").unwrap();
    let mut rows = csv::Reader::from_reader(&csv.1[..]);
    let header = rows.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    let number = |row: usize, name: &str| -> f64 {
        let column = header.iter().position(|h| h == name);
        rows[row][column.unwrap_or_else(|| panic!("{name}"))]
            .parse()
            .unwrap()
    };
    let close = |row: usize, name: &str, expected: f64| {
        let (found, half) = (number(row, name), number(row, &format!("{name}_ci95")));
        // Three replications: the half-width is 2.5 standard errors at least; health checks and
        // the few writes are not in the closed form, but within a cent.
        assert!(
            (found - expected).abs() <= 2.0 * half + 0.01,
            "{name}: {found} ± {half}, {expected}"
        );
    };
    // 30M: 5 + 20 * 0.30 + (60 - 30) * 0.02.
    close(0, "value_at_base", 11.6);
    // 60M instead of 20M requests: 40 * 0.30, and from 40M to 120M CPU-ms: 80 * 0.02.
    close(0, "swing", 12.0 + 1.6);
    // 30M requests of 1 to 4 ms: from 30M to 120M CPU-ms.
    close(1, "swing", 1.8);
    // A few hundred KB are within the GB that is included.
    close(2, "swing", 0.0);
    assert_eq!(number(2, "morris_mu_star"), 0.0);
    assert!(number(0, "morris_mu_star") > number(1, "morris_mu_star"));
    assert!(number(0, "sobol_total") > number(1, "sobol_total"));
}

#[test]
fn nonsense_is_refused_with_what_was_expected() {
    let dir = TempDir::new().unwrap();
    let wrong = dir.path().join("wrong.toml");
    fs::write(
        &wrong,
        INPUTS.replace("policy.layout.retention", "policy.layout.nonsense"),
    )
    .unwrap();
    let order = dir.path().join("order.toml");
    fs::write(&order, INPUTS.replace("base = 30e6", "base = 90e6")).unwrap();
    let out = dir.path().join("out");
    let refused = |args: &[&str]| {
        let mut all = vec!["sensitivity"];
        all.extend(args);
        let output = kvplan(&all, &out);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let message = refused(&["--inputs", wrong.to_str().unwrap()]);
    assert!(
        message.contains("input \"retention\" = 8 d") && message.contains("nonsense"),
        "{message}"
    );
    let message = refused(&["--inputs", order.to_str().unwrap()]);
    assert!(
        message.contains("order.toml:4: field `input[0].base`")
            || message.contains("field `input[0].base`: found low"),
        "{message}"
    );
    assert!(refused(&["--measure", "speed"]).contains("staleness_p99"));
    assert!(refused(&["--inputs", "nowhere"]).contains("default"));
    refused(&["--morris", "1"]);
    refused(&["--traffic", "0"]);
}

/// How long keys are kept has no effect on how long reads take, which differ by chance. With the
/// same chance at all points of a row that input would be found to decide everything.
#[test]
fn an_input_without_effect_has_no_share_of_the_variance() {
    let inputs = INPUTS.split("[[input]]").nth(3).unwrap();
    let inputs: Inputs =
        toml::from_str(&format!("title = \"one input\"\n[[input]]{inputs}")).unwrap();
    let quick = [
        "traffic_per_month=\"5M\"",
        "period.requests=50",
        "period.at_least=\"30 s\"",
        "workload.analytics_queries={}",
    ];
    let quick = parse_overrides(&quick.map(str::to_owned)).unwrap();
    let load = |settings: &[Override]| {
        let all: Vec<Override> = quick.iter().chain(settings).cloned().collect();
        Scenario::load("default", &["naive".into()], None, &all)
    };
    let settings = Settings {
        metric: index_of("metrics_p50_ms").unwrap(),
        replications: 2,
        seed: 1,
        trajectories: 0,
        rows: 100,
    };
    let found = sensitivity(&inputs, &load, &settings, &Work::unwatched()).unwrap();
    let sobol = found.sobol.unwrap();
    let i = sobol.indices[0];
    println!("S {:?}, ST {:?}, noise {:?}", i.first, i.total, sobol.noise);
    for s in [i.first, i.total] {
        assert!(s.low <= 0.0 && 0.0 <= s.high, "{s:?}");
    }
    // All of it is noise.
    assert!(sobol.noise.low <= 1.0 && 1.0 <= sobol.noise.high);
}
