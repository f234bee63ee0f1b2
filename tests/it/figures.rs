//! Figures that look right and are not: numbers by nothing, shares beyond all, what came before the measurement.

use assert_cmd::Command;
use kvplan::models::parse_overrides;
use kvplan::models::quantity::Count;
use kvplan::run::metric::METRICS;
use kvplan::run::result::RunResult;
use kvplan::run::scenario::Scenario;
use kvplan::run::{Point, simulate};
use kvplan::telemetry::ports::OpKind;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn run(policy: &str, plan: &str, traffic: u64, settings: &[&str]) -> RunResult {
    let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
    let settings = parse_overrides(&settings).unwrap();
    let policies = [policy.to_owned()];
    let scenario = Scenario::load("default", &policies, Some(plan), &settings).unwrap();
    let point = Point {
        scenario: &scenario,
        policy: &scenario.policies[0],
        traffic: Count(traffic),
        replication: 0,
    };
    simulate(&point).unwrap()
}

/// An hour somewhere in a day of which the free plan allows a thousand writes: those of the hours
/// before it are not its own.
#[test]
fn history_uses_up_no_quota_of_the_measurement() {
    let hour = |history: &str| {
        let history = format!("period.history=\"{history}\"");
        let settings = [
            "period.at_least=\"1 h\"",
            "period.at_most=\"1 h\"",
            "period.whole_days=false",
            "policy.layout.bucket=\"1 d\"",
            &history,
        ];
        run("naive", "free", 300_000, &settings)
    };
    for history in ["0 s", "20 h"] {
        let r = hour(history);
        let share = kvplan::run::metric::position("kv_quota_exceeded_share");
        assert_eq!(METRICS[share].value(&r), 0.0, "{history}");
        let (used, issued) = (r.busiest_day, &r.kv);
        for kind in OpKind::ALL {
            assert!(
                used[kind as usize] <= issued.issued(kind),
                "{history} {kind:?}"
            );
        }
    }
}

/// Whatever was counted in a period of what was begun before it.
#[test]
fn shares_are_shares_whatever_was_counted() {
    let mut r = run("optimised", "paid", 1_000_000, &["period.requests=500"]);
    let many = 1_000_000_000;
    r.counters.prewarmed = many;
    r.counters.lost = r.counters.lost.map(|_| many / 10);
    r.beyond.lost = many;
    r.lost_updates = Some(many);
    r.fleet.spilled = many;
    r.calls.record.errors = many;
    r.calls.metrics.errors = many;
    for _ in 0..10_000 {
        let wait = std::time::Duration::from_millis(1);
        r.calls.cold_start.latencies.add(wait);
    }
    r.arrived.records = r.arrived.records.min(100);
    for m in METRICS {
        let events = ["retries_per_write", "retries_denied_per_write"].contains(&m.name);
        let is_share =
            m.name.ends_with("_share") || m.name.ends_with("_rate") || m.name == "hit_ratio";
        let value = m.value(&r);
        if is_share && !events && !value.is_nan() {
            assert!((0.0..=1.0).contains(&value), "{} {value}", m.name);
        }
    }
    r.missing_share = Some(-1.5e-6);
    let share = kvplan::run::metric::position("lost_update_share");
    assert_eq!(METRICS[share].value(&r), 0.0);
}

/// Numbers that are none, as any language writes them.
fn by_nothing(dir: &Path, said: &str) -> Vec<String> {
    let mut texts = vec![("standard output".to_owned(), said.to_owned())];
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if [".csv", ".json", ".svg", ".html", ".toml"]
            .iter()
            .any(|e| name.ends_with(e))
        {
            texts.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
    let is_none = |word: &&str| {
        let word = word.to_lowercase();
        ["inf", "nan", "infinity"].contains(&word.as_str())
    };
    texts
        .iter()
        .flat_map(|(name, text)| {
            let words = text.split(|c: char| !c.is_alphanumeric()).filter(is_none);
            words.map(move |w| format!("{name}: {w}"))
        })
        .collect()
}

#[test]
fn a_number_by_nothing_is_nowhere() {
    let commands = [
        "run",
        "sweep --resume",
        "compare-stores --store kv,queues,analytics-engine",
        "breakeven --traffic 1..10",
        "forecast --months 2",
        "rehearse --length 1h",
        "plan --slo cost<20USD",
        "compare naive optimised",
    ];
    for command in commands {
        let dir = TempDir::new().unwrap();
        let mut args: Vec<&str> = command.split(' ').collect();
        if !command.contains("--traffic") {
            args.extend(["--traffic", "1"]);
        }
        args.extend(["-n", "2", "--set", "period.at_most=\"1 h\""]);
        args.extend(["--set", "period.at_least=\"1 h\""]);
        args.extend(["--set", "workload.analytics_queries.rate=\"0/s\""]);
        args.extend(["--set", "workload.health_checks.rate=\"0/s\""]);
        args.extend(["--set", "workload.metrics_reads.rate=\"0/s\""]);
        let out = dir.path().join("out");
        fs::create_dir(&out).unwrap();
        if command != "compare naive optimised" {
            args.extend(["--out", out.to_str().unwrap()]);
        }
        let mut kvplan = Command::new(env!("CARGO_BIN_EXE_kvplan"));
        let output = kvplan.args(&args).current_dir(dir.path()).output().unwrap();
        let code = output.status.code();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(code == Some(0) || code == Some(1), "{command}: {stderr}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(by_nothing(&out, &said), [""; 0], "{command}");
        if command == "run" {
            let total = said.lines().find(|l| l.starts_with(" cost_usd")).unwrap();
            assert!(!total.contains('±'), "as if known: {total}");
        }
    }
}

/// A small sweep with these options; the folder that holds it.
fn drawn(options: &[&str]) -> TempDir {
    let dir = TempDir::new().unwrap();
    let mut args = vec!["sweep", "-n", "2", "--quiet"];
    if !options.contains(&"--traffic") {
        args.extend(["--traffic", "30k,3M"]);
    }
    args.extend([
        "--set",
        "period.requests=50",
        "--out",
        dir.path().to_str().unwrap(),
    ]);
    args.extend(options);
    let mut kvplan = Command::new(env!("CARGO_BIN_EXE_kvplan"));
    kvplan.args(&args).assert().success();
    dir
}

fn svg(dir: &TempDir, name: &str) -> String {
    fs::read_to_string(dir.path().join(name)).unwrap()
}

/// Width and height of a PNG, from its header.
fn pixels(dir: &TempDir, name: &str) -> [u32; 2] {
    let png = fs::read(dir.path().join(name)).unwrap();
    [16, 20].map(|i| u32::from_be_bytes(png[i..i + 4].try_into().unwrap()))
}

#[test]
fn charts_have_a_form_for_slides_one_for_phones_and_a_dark_one() {
    let print = drawn(&[]);
    assert!(svg(&print, "cost.svg").starts_with("<svg width=\"1200\" height=\"720\""));
    let slides = drawn(&["--form", "slides", "--theme", "dark"]);
    assert_eq!(pixels(&slides, "cost.png"), [1920, 1080]);
    let dark = svg(&slides, "cost.svg");
    let (wide, _) = dark.split_once("class=\"form\"").unwrap();
    assert!(
        wide.contains("data-theme=\"dark\"") && !wide.contains("#FFFFFF"),
        "{wide}"
    );
    let phone = drawn(&["--form", "phone"]);
    let narrow = svg(&phone, "cost.svg");
    assert!(narrow.starts_with("<svg width=\"420\""), "{narrow}");
    // All that the heading says is there, in more lines, and what marks mean stands in the key.
    let document = roxmltree::Document::parse(&narrow).unwrap();
    let is_form = |n: roxmltree::Node| n.attribute("class") == Some("form");
    let texts = document.descendants().filter(|n| n.has_tag_name("text"));
    let texts = texts.filter(|n| !n.ancestors().any(is_form));
    let texts: Vec<&str> = texts.filter_map(|n| n.text()).map(str::trim).collect();
    let all = texts.join(" ");
    for part in [
        "seed 20260113",
        "naive: writes used up at",
        "Bands: 95% confidence",
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
    // The numbers are the same.
    let csv = |dir: &TempDir| fs::read(dir.path().join("sweep.csv")).unwrap();
    assert!(csv(&print) == csv(&slides) && csv(&print) == csv(&phone));
}

#[test]
fn a_page_shows_what_was_drawn_dark_as_it_is() {
    let dir = drawn(&["--theme", "dark"]);
    let mut kvplan = Command::new(env!("CARGO_BIN_EXE_kvplan"));
    kvplan.arg("report").arg(dir.path()).assert().success();
    let page = svg(&dir, "report.html");
    assert!(page.contains("<svg class=\"wide dark\""), "no dark figure");
    assert!(page.contains("svg:not(.dark) { filter"), "no style for it");
}

#[test]
fn a_sweep_draws_what_is_saved_with_its_interval_and_says_what_costs_the_same() {
    let dir = drawn(&["--plan", "paid"]);
    let saving = svg(&dir, "saving.svg");
    for part in ["Saved against naive a month", "optimised: 3M, $9.", " ± $"] {
        assert!(saving.contains(part), "{part}");
    }
    assert!(svg(&dir, "saving_share.svg").contains("as a share of its bill"));
    let flat = drawn(&["--traffic", "20k,30k"]);
    for (name, said) in [("cost.svg", "Always $5.00"), ("saving.svg", "Always $0")] {
        let svg = svg(&flat, name);
        assert!(svg.contains(said), "{name}: {svg}");
        assert!(!svg.contains("class=\"line\""), "{name} draws a line");
    }
}
