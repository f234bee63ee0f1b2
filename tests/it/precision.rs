//! Replications added until the estimates are precise enough, and what the intervals are worth.

use crate::setup::{INSTANT, overrides};
use assert_cmd::Command;
use kvplan::models::quantity::{Count, Rate};
use kvplan::run::scenario::Scenario;
use kvplan::study::replicate::Work;
use kvplan::study::sweep::{Cell, sweep};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// One isolate on an instant KV, a metrics read per request and no other query: the hit ratio of
/// its cache is known.
fn poisson_lookups(settings: &[&str]) -> Scenario {
    let short = [
        "policy.cache.ttl=\"0.5 s\"",
        "period.at_least=\"1 s\"",
        "period.requests=200",
    ];
    let overrides = overrides(&[&INSTANT[..], &short].concat(), settings);
    Scenario::load("default", &["optimised".into()], None, &overrides).unwrap()
}

fn one_cell(scenario: &Scenario) -> Cell {
    let level = Count(Rate::per_second(1.0).as_per_month() as u64);
    let cells = sweep(scenario, &[level], &Work::unwatched());
    cells.unwrap().remove(0)
}

/// How many of `seeds` intervals hold the hit ratio of one lookup a second with a TTL of half a
/// second, 0.5 / 1.5; and the mean number of replications. The mean of ratios is off by
/// 0.0004 for 200 lookups (half the curvature of the closed form times the rate's variance): a
/// thirtieth of the half-widths.
fn coverage(scenario: &mut Scenario, seeds: u64) -> (f64, f64) {
    let (mut covered, mut replications) = (0, 0);
    for seed in 0..seeds {
        scenario.seed = seed;
        let cell = one_cell(scenario);
        let e = cell.estimate("hit_ratio");
        covered += u32::from(e.low() <= 1.0 / 3.0 && 1.0 / 3.0 <= e.high());
        replications += cell.replications.len();
    }
    (
        f64::from(covered) / seeds as f64,
        replications as f64 / seeds as f64,
    )
}

/// Four binomial standard deviations of a share `p` of `n`: a false alarm in 16,000 test suites.
fn bound(p: f64, n: u64) -> f64 {
    4.0 * (p * (1.0 - p) / n as f64).sqrt()
}

#[test]
fn a_fixed_number_of_replications_covers_the_closed_form() {
    let seeds = 600;
    let (covered, replications) = coverage(&mut poisson_lookups(&[]), seeds);
    assert_eq!(replications, 10.0);
    assert!((covered - 0.95).abs() < bound(0.95, seeds), "{covered}");
}

/// Stopping on the data costs at most two points of coverage.
#[test]
fn a_sequential_number_of_replications_covers_nearly_as_often() {
    let seeds = 300;
    let precision = "precision={relative=\"4%\",measures=[\"hit_ratio\"]}";
    let (covered, replications) = coverage(&mut poisson_lookups(&[precision]), seeds);
    assert!((12.0..60.0).contains(&replications), "{replications}");
    assert!(covered > 0.93 - bound(0.93, seeds), "{covered}");
    assert!(covered < 0.95 + bound(0.95, seeds), "{covered}");
}

#[test]
fn the_bound_is_met_and_not_by_much_more_than_it_takes() {
    let scenario = poisson_lookups(&["precision={relative=\"2%\",measures=[\"hit_ratio\"]}"]);
    let cell = one_cell(&scenario);
    let e = cell.estimate("hit_ratio");
    assert!(e.half_width <= 0.02 * e.mean);
    let attained = cell.attained.unwrap();
    let needed = attained.needed.unwrap();
    assert!((10..=cell.replications.len()).contains(&needed));
    // The replications that come first are those of a run with a fixed number.
    let ten = one_cell(&poisson_lookups(&[]));
    let bits = |replications: &[Vec<f64>]| -> Vec<u64> {
        replications.iter().flatten().map(|v| v.to_bits()).collect()
    };
    assert_eq!(bits(&ten.replications), bits(&cell.replications[..10]));
    assert!(ten.attained.is_none());
}

const QUICK: [&str; 9] = [
    "sweep",
    "--traffic",
    "100k,3M",
    "--seed",
    "7",
    "--set",
    "period.requests=\"1k\"",
    "--precision-of",
    "hit_ratio,operations_per_request",
];

fn kvplan(args: &[&str], extra: &[&str], out: &Path) -> (Option<i32>, String, String) {
    let output = Command::cargo_bin("kvplan")
        .unwrap()
        .args(args)
        .args(extra)
        .arg("--out")
        .arg(out)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn levels_stop_by_themselves_and_their_policies_together() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let precision = ["--precision", "3%", "-n", "3"];
    let (code, text, _) = kvplan(&QUICK, &[&precision[..], &["-j", "1"]].concat(), one.path());
    assert_eq!(code, Some(0));
    assert!(
        text.contains("95% half-widths of at most 3% of the mean for hit_ratio, operations_per_request are reached"),
        "{text}"
    );
    let (code, ..) = kvplan(&QUICK, &[&precision[..], &["-j", "2"]].concat(), two.path());
    assert_eq!(code, Some(0));
    for file in ["sweep.csv", "replications.csv", "run.json", "cost.svg"] {
        let read = |d: &TempDir| fs::read(d.path().join(file)).unwrap();
        assert!(read(&one) == read(&two), "{file} depends on threads");
    }
    let mut reader = csv::Reader::from_path(one.path().join("sweep.csv")).unwrap();
    let headers = reader.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|h| h == name).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let n = |row: usize| -> u32 { rows[row][column("replications")].parse().unwrap() };
    assert_eq!((n(0), n(2)), (n(1), n(3)), "policies of a level");
    assert!(
        n(0) != n(2) && n(0).min(n(2)) >= 10,
        "{} and {}",
        n(0),
        n(2)
    );
    for row in &rows {
        assert_eq!(&row[column("precision_met")], "yes");
    }
}

#[test]
fn a_bound_that_is_not_met_is_stated() {
    let dir = TempDir::new().unwrap();
    let args = ["--precision", "0.1%", "--max-replications", "12"];
    let (code, text, _) = kvplan(&QUICK, &args, dir.path());
    assert_eq!(code, Some(0));
    assert!(
        text.contains("are NOT reached by 4 of 4 points within 12 replications"),
        "{text}"
    );
    assert!(text.contains("more than 12"), "{text}");
    let csv = fs::read_to_string(dir.path().join("sweep.csv")).unwrap();
    assert!(csv.lines().nth(1).unwrap().contains(",12,no,"), "{csv}");
}

#[test]
fn wrong_precision_is_refused() {
    let refused = |args: &[&str]| {
        let dir = TempDir::new().unwrap();
        let (code, out, message) = kvplan(&["sweep"], args, dir.path());
        assert_eq!((code, out.as_str()), (Some(2), ""));
        message
    };
    insta::assert_snapshot!(refused(&["--precision", "0%"]), @r#"error: --precision: found 0, expected a share of the mean of more than 0, such as "2%""#);
    insta::assert_snapshot!(refused(&["--precision", "2%", "--precision-of", "speed"]), @r#"error: --precision-of: found "speed", expected a measure's name: a column of sweep.csv, such as cost_usd, hit_ratio, operations_per_request, metrics_p95_ms"#);
    insta::assert_snapshot!(refused(&["--max-replications", "50"]), @r#"error: --max-replications: expected --precision with it, such as --precision 2%"#);
    insta::assert_snapshot!(refused(&["--precision-of", "cost_usd"]), @r#"error: --precision-of: expected --precision with it, such as --precision 2%"#);
    insta::assert_snapshot!(refused(&["--precision", "2%", "--max-replications", "5"]), @r#"error: --max-replications: found 5, expected at least the 10 replications to start with"#);
    insta::assert_snapshot!(refused(&["--set", "precision.relative=\"0%\""]), @r#"error: --set precision.relative="0%": field `precision.relative`: found 0, expected a share of the mean of more than 0, such as "2%""#);
    insta::assert_snapshot!(refused(&["--set", "precision={relative=0.1,measures=[]}"]), @r#"error: --set precision={relative=0.1,measures=[]}: field `precision.measures`: found none, expected at least one measure"#);
}
