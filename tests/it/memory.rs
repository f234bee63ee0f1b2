//! What `--max-work` estimates of memory, against what the program takes.

use crate::setup::peak_kib;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;
use tempfile::TempDir;

/// How many times as much as is taken an estimate may be at most. It is never less.
const MOST: f64 = 4.0;

/// Without queries: nothing but what is written.
const UNASKED: [&str; 3] = [
    "workload.metrics_reads={}",
    "workload.analytics_queries={}",
    "workload.health_checks={}",
];

fn kvplan(args: &[&str], settings: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvplan"));
    command.args(args).stdout(Stdio::null());
    for setting in settings {
        command.args(["--set", setting]);
    }
    command
}

/// The program's own estimate in MB: what it says where it is allowed next to nothing.
fn estimated_mb(args: &[&str], settings: &[&str]) -> f64 {
    let refused = kvplan(args, settings).args(["--max-work", "1"]).output();
    let said = String::from_utf8(refused.unwrap().stderr).unwrap();
    let told = said.split(" of memory").next().unwrap();
    let told = told.rsplit(", ").next().unwrap();
    let (number, unit) = told.split_once(' ').unwrap_or_else(|| panic!("{said}"));
    let number: f64 = number.parse().unwrap_or_else(|_| panic!("{said}"));
    match unit {
        "MB" => number,
        "GB" => 1e3 * number,
        _ => panic!("{said}"),
    }
}

/// The most that a process holds until it ends; none where the system does not tell.
fn taken_mb(mut child: Child) -> Option<f64> {
    let mut peak = None;
    let process = child.id().to_string();
    let status = loop {
        peak = peak_kib(&process).or(peak);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        sleep(Duration::from_millis(1));
    };
    assert!(status.success());
    peak.map(|kib| kib as f64 * 1_024.0 / 1e6)
}

/// Little; many replications; many places and a long history; a key for each request; a sample for each second.
#[test]
fn an_estimate_of_memory_is_never_less_than_is_taken_and_not_far_above() {
    let many_keys = [
        &UNASKED[..],
        &[
            "period={requests=100000,calls=0,at_least=\"1 min\",history=\"0 s\"}",
            "policy.batch.max_records=1",
            "policy.batch.min_interval=\"0 s\"",
        ],
    ]
    .concat();
    let full_batches = [
        &UNASKED[..],
        &["period={requests=200000,calls=0,at_least=\"1 min\",history=\"0 s\"}"],
    ]
    .concat();
    let cases: [(&str, &[&str]); 6] = [
        (
            "run -n 1 --traffic 100k",
            &["period.requests=50", "period.calls=0"],
        ),
        (
            "sweep --policy optimised --traffic 1k,1M -n 50",
            &["period.requests=500"],
        ),
        ("run --scenario world -n 2", &["period.requests=2000"]),
        ("sweep --policy batch-keys --traffic 100M -n 1", &many_keys),
        (
            "sweep --policy batch-keys --traffic 1000M -n 1",
            &full_batches,
        ),
        (
            "run --policy optimised -n 1 --interval 1s",
            &["period={requests=2000,at_least=\"2 h\"}"],
        ),
    ];
    for (args, settings) in cases {
        let dir = TempDir::new().unwrap();
        let out = dir.path().join("out");
        let mut args: Vec<&str> = args.split(' ').collect();
        args.extend(["--quiet", "-j", "2", "--out", out.to_str().unwrap()]);
        let estimated = estimated_mb(&args, settings);
        let child = kvplan(&args, settings).spawn().unwrap();
        let Some(taken) = taken_mb(child) else {
            println!("skipped: the system does not tell how much memory a process has held");
            return;
        };
        println!("{args:?}: {estimated} MB estimated, {taken:.0} MB taken");
        assert!(
            (1.0..MOST).contains(&(estimated / taken)),
            "{args:?} {settings:?}: {estimated} MB estimated, {taken} MB taken"
        );
    }
}
