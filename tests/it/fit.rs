//! `kvplan fit`: latencies and workloads, as a user drives it and against known truths.

use crate::setup::short_run;
use assert_cmd::Command;
use kvplan::cloud::latency::LatencyProfile;
use kvplan::models::dist::Dist;
use kvplan::models::{load, parse_overrides};
use kvplan::run::Point;
use kvplan::run::scenario::Scenario;
use kvplan::sim::random::Streams;
use kvplan::study::fit::workload::{WorkloadFit, fit_workload};
use kvplan::study::fit::{Fitted, expected_dispersion};
use kvplan::study::replay::{Extent, write_trace};
use kvplan::workload::WorkloadSpec;
use kvplan::workload::arrivals::Spacing;
use kvplan::workload::trace::{TraceOptions, TraceReader};
use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tempfile::TempDir;

static GO_ON: AtomicBool = AtomicBool::new(false);

fn kvplan(dir: &Path) -> Command {
    let mut command = Command::cargo_bin("kvplan").unwrap();
    command.current_dir(dir);
    command
}

const TRUTH: Fitted = Fitted::Weibull {
    scale: 20.0,
    shape: 0.7,
};

fn latencies(n: usize) -> String {
    let values = TRUTH.draw(n, &mut Streams::new(4, 0).stream("values"));
    let rows: Vec<String> = values.iter().map(|v| format!("GET,{v}\n")).collect();
    format!("method,latency_ms\n{}", rows.concat())
}

/// The file that is written can be used in a scenario, and has the quantiles of the fit: those of the
/// truth within the error of the estimates.
#[test]
fn a_fitted_profile_can_be_used_and_has_the_quantiles() {
    let dir = TempDir::new().unwrap();
    let n = 4_000;
    fs::write(dir.path().join("gets.csv"), latencies(n)).unwrap();
    let output = kvplan(dir.path())
        .args([
            "fit",
            "latency",
            "gets.csv",
            "--operation",
            "cold_read",
            "--out",
            "o",
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("The likeliest family is weibull"), "{text}");
    let file = dir.path().join("o/fitted.toml");
    let profile: LatencyProfile = load(file.to_str().unwrap(), None, &[]).unwrap();
    let base: LatencyProfile = load("kv-2025", None, &[]).unwrap();
    assert_eq!((&profile.read, &profile.write), (&base.read, &base.write));
    let Dist::Weibull { scale, shape } = profile.cold_read else {
        panic!("{:?}", profile.cold_read);
    };
    for (value, expected) in [scale.as_secs_f64() * 1e3, shape]
        .iter()
        .zip(TRUTH.estimates(n))
    {
        // Two and a half half-widths of 95% are five standard errors.
        assert!((value - expected.value).abs() < 2.5 * expected.half_width);
    }
    let toml = fs::read_to_string(&file).unwrap();
    assert!(toml.contains("# Fitted from gets.csv, n=4000, date not included: maximum likelihood"));
    assert_eq!(toml.matches("# As in kv-2025.").count(), 7);
    // The charts of four families, the profile, fit.csv and the record.
    assert_eq!(fs::read_dir(dir.path().join("o")).unwrap().count(), 11);
    kvplan(dir.path())
        .args(short_run("latency=o/fitted.toml"))
        .assert()
        .success();
    // The profile can be the base of the next.
    kvplan(dir.path())
        .args([
            "fit",
            "latency",
            "gets.csv",
            "--operation",
            "write",
            "--distribution",
            "gamma",
        ])
        .args([
            "--base",
            "o/fitted.toml",
            "--name",
            "both",
            "--out",
            "o",
            "--quiet",
        ])
        .assert()
        .success();
    let both = dir.path().join("o/both.toml");
    let both: LatencyProfile = load(both.to_str().unwrap(), None, &[]).unwrap();
    assert_eq!(both.cold_read, profile.cold_read);
    assert!(matches!(both.write, Dist::Gamma { .. }));
}

#[test]
fn the_observed_values_themselves_can_be_the_model() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("x.csv"), "took\n300\n100\n200\n200\n").unwrap();
    kvplan(dir.path())
        .args([
            "fit", "latency", "x.csv", "--column", "took", "--unit", "us", "--out", "o",
        ])
        .args(["--distribution", "empirical"])
        .assert()
        .success();
    let file = dir.path().join("o/fitted.toml");
    let profile: LatencyProfile = load(file.to_str().unwrap(), None, &[]).unwrap();
    let Dist::Empirical(e) = &profile.read else {
        panic!("{:?}", profile.read);
    };
    assert_eq!(e.values_ms, [0.1, 0.2, 0.2, 0.3]);
    // As a base it brings its values along.
    kvplan(dir.path())
        .args([
            "fit",
            "latency",
            "x.csv",
            "--column",
            "took",
            "--operation",
            "list",
        ])
        .args([
            "--base",
            "o/fitted.toml",
            "--name",
            "next",
            "--out",
            "elsewhere",
        ])
        .assert()
        .success();
    let file = dir.path().join("elsewhere/next.toml");
    let next: LatencyProfile = load(file.to_str().unwrap(), None, &[]).unwrap();
    let Dist::Empirical(e) = &next.read else {
        panic!("{:?}", next.read);
    };
    assert_eq!(e.values_ms, [0.1, 0.2, 0.2, 0.3]);
}

#[test]
fn the_same_values_and_seed_give_the_same_bytes() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("x.csv"), latencies(300)).unwrap();
    let csv = |out: &str, threads: &str| {
        kvplan(dir.path())
            .args(["fit", "latency", "x.csv", "--quiet", "--out", out])
            .env("RAYON_NUM_THREADS", threads)
            .assert()
            .success();
        fs::read(dir.path().join(out).join("fit.csv")).unwrap()
    };
    assert_eq!(csv("a", "1"), csv("b", "2"));
}

#[test]
fn what_cannot_be_fitted_is_refused_with_file_line_and_field() {
    let dir = TempDir::new().unwrap();
    let refused = |file: &str, extra: &[&str]| {
        fs::write(dir.path().join("x.csv"), file).unwrap();
        let output = kvplan(dir.path())
            .args(["fit", "latency", "x.csv", "--out", "o"])
            .args(extra)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(!dir.path().join("o").exists());
        String::from_utf8(output.stderr).unwrap()
    };
    insta::assert_snapshot!(refused("latency_ms\n1\nfast\n", &[]), @r#"error: x.csv:3: field `latency_ms`: found "fast", expected ms of 0 or more"#);
    insta::assert_snapshot!(refused("latency_ms\n", &[]), @"error: x.csv: field `latency_ms`: found no rows, expected at least one");
    insta::assert_snapshot!(refused("took\n1\n2\n", &[]), @"error: x.csv:1: field `latency_ms`: found columns took, expected one called latency_ms");
    insta::assert_snapshot!(refused("latency_ms\n5\n5\n", &[]), @r#"error: x.csv: found 2 values that are all 5 ms, expected values that differ: a model file can say { kind = "constant", value = "5 ms" }"#);
    insta::assert_snapshot!(refused("latency_ms\n0\n5\n", &["--distribution", "gamma"]), @"error: x.csv: found a value of 0, which that distribution cannot have; expected --distribution exponential or empirical");
    insta::assert_snapshot!(refused("latency_ms\n1\n5\n", &["--base", "nothing"]), @"error: nothing: cannot be read (no such file); expected a file, or one of: constant-10ms, in-memory, kv-2024, kv-2025, kv-2026");
    let message = refused("latency_ms\n1\n5\n", &["--name", "../x"]);
    assert!(
        message.contains("found \"../x\", expected a file name"),
        "{message}"
    );
    let message = refused("latency_ms\n1\n5\n", &["--operation", "get"]);
    assert!(
        message.contains("expected one of: read, hot_read, cold_read"),
        "{message}"
    );
    fs::write(dir.path().join("log.csv"), "timestamp\n5\n5\n").unwrap();
    let output = kvplan(dir.path())
        .args(["fit", "workload", "log.csv"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap(), @"error: log.csv: found 2 recorded requests within 0 s, expected at least two at different times");
}

/// Each command takes what it heeds, and nothing else.
#[test]
fn options_of_the_other_model_are_refused() {
    let dir = TempDir::new().unwrap();
    let refused = |args: &[&str]| {
        let output = kvplan(dir.path()).arg("fit").args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    for (model, options) in [
        ("latency", ["--max-bad-rows", "--reorder-window"]),
        ("workload", ["--operation", "--distribution"]),
    ] {
        for option in options {
            let message = refused(&[model, "x.csv", option, "1"]);
            assert!(message.contains(option), "{message}");
        }
    }
    assert!(refused(&[]).contains("Usage: kvplan fit <COMMAND>"));
    let message = refused(&["latencies.csv"]);
    assert!(
        message.contains("unrecognized subcommand 'latencies.csv'"),
        "{message}"
    );
}

fn fit_to(scenario: &Scenario, days: u64) -> WorkloadFit {
    let point = Point {
        scenario,
        policy: &scenario.policies[0],
        traffic: scenario.traffic_per_month,
        replication: 0,
    };
    let extent = Extent {
        length: Some(Duration::from_secs(86_400 * days)),
        ..Extent::default()
    };
    let mut log = Vec::new();
    write_trace(&point, &extent, &mut log, &GO_ON).unwrap();
    let source = Box::new(Cursor::new(log));
    let reader = TraceReader::new("log", source, TraceOptions::default()).unwrap();
    let base: WorkloadSpec = load("gateway", None, &[]).unwrap();
    fit_workload(reader, &base, 1, &GO_ON).unwrap()
}

fn scenario(settings: &[&str]) -> Scenario {
    let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
    let overrides = parse_overrides(&settings).unwrap();
    Scenario::load("default", &[], None, &overrides).unwrap()
}

/// Hours, days, providers and other calls of a log made by a known workload, within errors that follow
/// from the counts.
#[test]
fn a_workload_is_recovered_from_its_log() {
    let scenario = scenario(&["workload=\"gateway-daily\"", "traffic_per_month=\"300k\""]);
    let truth = &scenario.workload;
    let fit = fit_to(&scenario, 14);
    assert!(fit.hours_differ && fit.days_differ && fit.bursts.is_none());
    assert_eq!(fit.spec.spacing, Spacing::Poisson);
    // Each hour of the week that the fit gives, against the truth: its error is that of the count of its
    // hour of the day and of its day (independent, so the squares add up); five standard errors.
    let hours = fit.spec.shape.as_ref().unwrap().hours_of_week();
    let expected = truth.shape.as_ref().unwrap().hours_of_week();
    let local = truth.shape.as_ref().unwrap();
    assert_eq!(local.utc_offset_h, 1);
    for hour in 0..168 {
        // The truth's days change at 23:00 UTC: there a product of UTC hours and days is no more than
        // an approximation.
        if hour % 24 == 23 {
            continue;
        }
        let (h, d) = (fit.hours[hour % 24].requests, fit.days[hour / 24].requests);
        let error = (1.0 / h as f64 + 1.0 / d as f64).sqrt();
        let off = (hours[hour] / expected[hour] - 1.0).abs();
        assert!(off < 5.0 * error + 0.01, "{hour}: {off} with {error}");
    }
    assert_eq!(fit.spec.providers.len(), truth.providers.len());
    for p in &truth.providers {
        let found = fit
            .spec
            .providers
            .iter()
            .find(|f| f.name == p.name)
            .unwrap();
        let n = fit.records as f64;
        let sd = |p: f64, n: f64| (p * (1.0 - p) / n).sqrt();
        let (share, success) = (p.share.get(), p.success.get());
        assert!((found.share.get() - share).abs() < 4.0 * sd(share, n));
        assert!((found.success.get() - success).abs() < 4.0 * sd(success, n * share));
        let (Dist::Lognormal { median, .. }, Dist::Lognormal { median: m, p99 }) =
            (&found.latency, &p.latency)
        else {
            panic!("{:?}", found.latency);
        };
        // The standard error of the logarithm of the median is sigma over the root of what was kept.
        let sigma = (p99.as_secs_f64() / m.as_secs_f64()).ln() / 2.326;
        let kept = (n * share).min(20_000.0);
        let off = (median.as_secs_f64() / m.as_secs_f64()).ln().abs();
        assert!(off < 4.0 * sigma / kept.sqrt(), "{off}");
    }
    assert!((fit.spec.metrics_reads.per_request - 1.0).abs() < 1e-12);
    let queries = fit.spec.analytics_queries.rate.as_per_second() * 3_600.0;
    // 40 an hour for 336 hours is Poisson(13440).
    assert!(
        (queries / 40.0 - 1.0).abs() < 4.0 / 13_440.0_f64.sqrt(),
        "{queries}"
    );
}

/// Bursts are found, and the fitted ones have the dispersion of the true ones.
#[test]
fn bursts_are_recovered_from_their_log() {
    let scenario = scenario(&["workload=\"gateway-bursty\"", "traffic_per_month=\"5M\""]);
    let fit = fit_to(&scenario, 4);
    assert!(!fit.hours_differ, "the bursts explain how the hours differ");
    let truth = scenario.workload.bursts.as_ref().unwrap();
    let found = &fit.bursts.as_ref().unwrap().bursts;
    let rate = fit.rate.as_per_second();
    for t in [2.0, 10.0, 60.0, 600.0] {
        let (a, b) = (
            expected_dispersion(found, rate, t),
            expected_dispersion(truth, rate, t),
        );
        // There are 1,150 bursts in four days: the variance of their lengths is known to some 6%,
        // and that of the rate as well; three standard errors.
        assert!((a / b - 1.0).abs() < 0.25, "{t} s: {a} vs {b}");
    }
    // The share of time in bursts and the level between them.
    let share = |b: &kvplan::workload::arrivals::Bursts| {
        let (on, off) = (b.mean_on.as_secs_f64(), b.mean_off.as_secs_f64());
        on / (on + off)
    };
    assert!((share(found) / share(truth) - 1.0).abs() < 0.3, "{found:?}");
    assert!(
        (found.off_level.get() - truth.off_level.get()).abs() < 0.05,
        "{found:?}"
    );
}

#[test]
fn even_spacing_is_recognised() {
    let scenario = scenario(&[
        "workload.spacing=\"deterministic\"",
        "traffic_per_month=\"3M\"",
    ]);
    let fit = fit_to(&scenario, 1);
    assert_eq!(fit.spec.spacing, Spacing::Deterministic);
    assert!(fit.spec.shape.is_none() && fit.bursts.is_none());
}

/// From log to model to simulation, by the commands.
#[test]
fn a_fitted_workload_can_be_used() {
    let dir = TempDir::new().unwrap();
    kvplan(dir.path())
        .args(["trace", "--scenario", "production-1m", "--traffic", "100k"])
        .args(["--length", "8 d", "--out", "log.csv.gz"])
        .assert()
        .success();
    let output = kvplan(dir.path())
        .args([
            "fit",
            "workload",
            "log.csv.gz",
            "--name",
            "mine",
            "--out",
            "o",
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("hours of the day differ by more than chance"),
        "{text}"
    );
    assert_eq!(fs::read_dir(dir.path().join("o")).unwrap().count(), 10);
    let toml = fs::read_to_string(dir.path().join("o/mine.toml")).unwrap();
    for part in [
        "[shape]",
        "name = \"anthropic\"",
        "[health_checks]",
        "date not included",
    ] {
        assert!(toml.contains(part), "{part} is missing in\n{toml}");
    }
    kvplan(dir.path())
        .args(&short_run("workload=o/mine.toml")[..7])
        .assert()
        .success();
    // A log with other providers can be replayed with the workload that was fitted to it.
    let mut log = String::from("timestamp,provider,success\n");
    for i in 0..200 {
        log.push_str(&format!("{},acme,{}\n", 1_800_000_000 + 7 * i, i % 4 != 0));
    }
    fs::write(dir.path().join("acme.csv"), log).unwrap();
    kvplan(dir.path())
        .args([
            "fit", "workload", "acme.csv", "--name", "acme", "--out", "o",
        ])
        .assert()
        .success();
    let file = dir.path().join("o/acme.toml");
    let spec: WorkloadSpec = load(file.to_str().unwrap(), None, &[]).unwrap();
    assert_eq!(spec.providers.len(), 1);
    assert_eq!(spec.providers[0].success.get(), 0.75);
    kvplan(dir.path())
        .args([
            "replay",
            "acme.csv",
            "-n",
            "1",
            "--set",
            "workload=o/acme.toml",
        ])
        .assert()
        .success();
}
