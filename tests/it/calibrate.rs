//! `kvplan calibrate`: known truths are recovered, and what does not fit is said.

use crate::setup::short_run;
use assert_cmd::Command;
use kvplan::cloud::latency::LatencyProfile;
use kvplan::models::dist::Dist;
use kvplan::models::load;
use kvplan::sim::random::Streams;
use kvplan::study::calibrate::{Measured, calibrate};
use kvplan::study::fit::Fitted;
use kvplan::study::fit::latency::Operation;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

fn kvplan(dir: &Path, args: &[&str]) -> (bool, String) {
    let output = Command::cargo_bin("kvplan")
        .unwrap()
        .current_dir(dir)
        .args(args)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].map(|b| String::from_utf8(b).unwrap());
    (output.status.success(), text.concat())
}

fn profile(dir: &Path) -> LatencyProfile {
    load(dir.join("o/calibrated.toml").to_str().unwrap(), None, &[]).unwrap()
}

const WRITES: Fitted = Fitted::Lognormal {
    mu: 5.0,
    sigma: 0.6,
};
const HOT: Fitted = Fitted::Lognormal {
    mu: 1.5,
    sigma: 0.3,
};
const COLD: Fitted = Fitted::Lognormal {
    mu: 5.0,
    sigma: 0.3,
};

/// Writes of a known lognormal distribution; reads of two modes far apart, four fifths of them hot.
fn latencies(n: usize) -> String {
    let draw = |f: &Fitted, n, name: &str| f.draw(n, &mut Streams::new(9, 0).stream(name));
    let mut text = String::from("operation,latency_ms\n");
    for v in draw(&WRITES, n, "writes") {
        text.push_str(&format!("write,{v}\n"));
    }
    for v in draw(&HOT, n * 4 / 5, "hot")
        .iter()
        .chain(&draw(&COLD, n / 5, "cold"))
    {
        text.push_str(&format!("read,{v}\n"));
    }
    text
}

#[test]
fn a_known_lognormal_is_recovered_and_two_modes_are_kept_as_observed() {
    let dir = TempDir::new().unwrap();
    let n = 3_000;
    fs::write(dir.path().join("x.csv"), latencies(n)).unwrap();
    let (good, text) = kvplan(dir.path(), &["calibrate", "x.csv", "--out", "o"]);
    assert!(good, "{text}");
    assert!(
        text.contains("no family fits: the observed values"),
        "{text}"
    );
    assert!(
        text.contains(
            "Not measured, as in kv-2025: hot_read, cold_read, object, archive, delete, list."
        ),
        "{text}"
    );
    let p = profile(dir.path());
    let Dist::Lognormal { median, p99 } = p.write else {
        panic!("{:?}", p.write);
    };
    // The standard error of the mean logarithm is sigma / sqrt(n), that of sigma is sigma / sqrt(2 n);
    // five of them, in the logarithm of the 99th percentile both together.
    let error = 0.6 / (n as f64).sqrt();
    let off = |d: std::time::Duration, log: f64| (d.as_secs_f64() * 1e3).ln() - log;
    assert!(off(median, 5.0).abs() < 5.0 * error);
    let both = error * (1.0 + 2.326_f64.powi(2) / 2.0).sqrt();
    assert!(off(p99, 5.0 + 2.326 * 0.6).abs() < 5.0 * both);
    let Dist::Empirical(e) = &p.read else {
        panic!("{:?}", p.read);
    };
    // The 99th percentile of all is the 95th of the cold fifth. In ranks: that of n values is off by
    // sqrt(0.99 0.01 / n), five of which are 0.9% to both sides.
    let mut values = e.values_ms.clone();
    values.sort_by(f64::total_cmp);
    let p99 = values[(0.99 * n as f64).ceil() as usize - 1];
    let spread = 5.0 * (0.0099 / n as f64).sqrt();
    let at = |p: f64| COLD.quantile(1.0 - (1.0 - p) / 0.2);
    assert!(
        at(0.99 - spread) < p99 && p99 < at((0.99 + spread).min(0.9999)),
        "{p99}"
    );
    // It can be run.
    let (good, text) = kvplan(dir.path(), &short_run("latency=o/calibrated.toml"));
    assert!(good, "{text}");
    let csv = fs::read_to_string(dir.path().join("o/calibrate.csv")).unwrap();
    assert!(csv.contains("\nwrite,3000,lognormal,"), "{csv}");
    assert!(csv.contains("not measured: as in kv-2025"), "{csv}");
    assert!(dir.path().join("o/calibrate_write.svg").exists());
}

#[test]
fn spans_tell_hot_from_cold_and_failed_ones_are_left_out() {
    let mut m = Measured::default();
    let text = fs::read_to_string(format!("{DATA}/kv_spans.json")).unwrap();
    m.add("spans", &text).unwrap();
    // One document a line, as a collector writes them.
    m.add("spans", &format!("{0}\n{0}\n", text.replace('\n', "")))
        .unwrap();
    assert_eq!(m.samples_ms(Operation::HotRead), [4.5; 3]);
    assert_eq!(m.samples_ms(Operation::ColdRead), [120.25; 3]);
    assert_eq!(m.samples_ms(Operation::Read).len(), 6);
    assert_eq!(m.samples_ms(Operation::Write), [180.0; 3]);
    assert_eq!(m.samples_ms(Operation::Delete), [60.0; 3]);
    assert_eq!(m.samples_ms(Operation::List), [95.5; 3]);
    let left: Vec<_> = m.left_out().collect();
    assert_eq!(left, [("kv_get spans that failed are left out", 3)]);
}

#[test]
fn quantiles_of_analytics_are_fitted_or_gone_through() {
    let dir = TempDir::new().unwrap();
    let file = format!("{DATA}/kv_latencies.json");
    let (good, text) = kvplan(dir.path(), &["calibrate", &file, "--out", "o"]);
    assert!(good, "{text}");
    let p = profile(dir.path());
    let Dist::Lognormal { median, p99 } = p.write else {
        panic!("{:?}", p.write);
    };
    // The file has four decimals of exact quantiles: median 150 ms, sigma 0.5.
    let ms = |d: std::time::Duration| d.as_secs_f64() * 1e3;
    assert!((ms(median) / 150.0 - 1.0).abs() < 1e-3);
    assert!((ms(p99) / (150.0 * (0.5_f64 * 2.326_348).exp()) - 1.0).abs() < 1e-3);
    // Two modes: no family is near, and the distribution has the quantiles.
    assert!(text.contains("piecewise through the quantiles"), "{text}");
    assert!((p.read.cdf(150.0) - 0.9).abs() < 1e-6);
    assert!((p.read.cdf(300.0) - 0.99).abs() < 1e-6);
    // A handful of values beside them is not more than they are.
    let csv = "operation,latency_ms\nwrite,100\nwrite,101\nwrite,102\n";
    fs::write(dir.path().join("few.csv"), csv).unwrap();
    let (good, text) = kvplan(dir.path(), &["calibrate", &file, "few.csv", "--out", "o"]);
    assert!(good, "{text}");
    assert_eq!(profile(dir.path()).write, p.write);
    // 12 lists are too few.
    let base: LatencyProfile = load("kv-2025", None, &[]).unwrap();
    assert_eq!(p.list, base.list);
    assert!(text.contains("too few: as in kv-2025"), "{text}");
}

#[test]
fn nothing_measured_is_an_error_and_writes_nothing() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("x.csv"), "operation,latency_ms\n").unwrap();
    let (good, text) = kvplan(dir.path(), &["calibrate", "x.csv", "--out", "o"]);
    assert!(!good);
    assert!(
        text.contains("found no latency of a read, write, delete or list"),
        "{text}"
    );
    assert_eq!(fs::read_dir(dir.path().join("o")).unwrap().count(), 0);
    assert!(calibrate(&Measured::default(), 1).is_err());
}
