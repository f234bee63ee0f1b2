//! Input that is meant to break things: each of these once hung, ran out of memory or panicked, or reached
//! a terminal or a spreadsheet.

use assert_cmd::Command;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write;
use std::path::Path;
use tempfile::TempDir;

/// What the command says, which must refuse its input: with 2, in one readable message.
fn refused(args: &[&str], dir: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvplan"));
    let output = command.args(args).current_dir(dir).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
    assert!(said.starts_with("error: "), "{args:?}: {said}");
    assert!(!said.contains("panicked"), "{args:?}: {said}");
    assert!(said.chars().count() < 5_000, "{args:?}: {}", said.len());
    let plain = |c: char| !c.is_control() || c == '\n';
    assert!(said.chars().all(plain), "{args:?}: {said:?}");
    said
}

#[test]
fn every_number_has_an_upper_bound() {
    let dir = TempDir::new().unwrap();
    let set = |setting| ["run", "-n", "1", "--set", setting];
    for (setting, expected) in [
        (
            "workload.analytics_queries.rate=\"1B/ns\"",
            "a million a second",
        ),
        (
            "failures.outages={mean_up=\"1 ns\",mean_down=\"1 s\"}",
            "each change is an event",
        ),
        ("period.at_most=\"36500 d\"", "expected 0 to 3650: days"),
        ("replications=4294967295", "expected 1 to 1000000"),
        (
            "failures.windows=[{start=\"0 s\",length=\"1 s\",latency_factor=1e21}]",
            "expected 1 to 10000",
        ),
        (
            "policy.batch.max_records=4294967295",
            "an isolate has 128 MB",
        ),
        ("policy.layout.bucket=\"1 s\"", ""),
        (
            "policy.batch.max_age=\"29 s\"",
            "expected less than 30s in all",
        ),
        (
            "workload.shape={hourly=[1e308,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}",
            "only ratios",
        ),
        (
            "workload.shape={hourly=[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],utc_offset_h=2147483647}",
            "expected -14 to 14",
        ),
        (
            "latency.write={kind=\"gamma\",mean=\"1 s\",shape=1e-300}",
            "expected 0.05 to 10000",
        ),
        (
            "policy.retry.max_attempts=4294967295",
            "expected 1 to 10000",
        ),
        ("traffic_per_month=\"1000000B\"", "expected 0 to"),
    ] {
        if expected.is_empty() {
            continue;
        }
        let said = refused(&set(setting), dir.path());
        assert!(said.contains(expected), "{setting}: {said}");
    }
    for args in [
        vec!["sweep", "--traffic", "1000000B"],
        vec!["run", "--traffic", "1000000B"],
        vec!["run", "-n", "4294967295"],
        vec!["run", "-j", "10000"],
        // Writers of one key take turns, and a request would wait for others.
        vec![
            "run",
            "--policy",
            "shared-key",
            "--set",
            "policy.batch.write=\"await\"",
        ],
        vec![
            "run",
            "--scenario",
            "world",
            "--set",
            "fleet.life.deploy_every=\"1 ns\"",
        ],
    ] {
        refused(&args, dir.path());
    }
}

/// Work for weeks is refused before it begins, with what it would take and what allows it.
#[test]
fn work_is_estimated_before_it_begins() {
    let dir = TempDir::new().unwrap();
    let long = [
        "--set",
        "period.requests=\"100B\"",
        "--set",
        "period.at_most=\"3650 d\"",
    ];
    for command in [
        "run --traffic 1000B",
        "sweep --traffic 1k..1000B",
        "compare naive optimised --traffic 1000B",
        "compare-stores --traffic 1000B",
        "plan --traffic 1000B --slo cost<20USD",
        "breakeven --traffic 1k..1000B",
        "forecast --traffic 2B --growth 0%/month --growth-sd 0% --months 1",
        "sensitivity --traffic 1000B",
        "rehearse --traffic 1000B",
        "coverage --traffic 10B --experiments 100000",
        "explore --vary traffic=1k,1000B",
    ] {
        let mut args: Vec<&str> = command.split(' ').collect();
        if !command.starts_with("rehearse") {
            args.extend(long);
        }
        let said = refused(&args, dir.path());
        assert!(
            said.starts_with("error: --max-work: found work of about "),
            "{command}: {said}"
        );
        assert!(said.contains("of memory and "), "{command}: {said}");
        assert!(said.contains("; --max-work "), "{command}: {said}");
    }
    // Nothing was begun.
    assert!(fs::read_dir(dir.path()).unwrap().next().is_none());
    let args = ["run", "--max-work", "10k", "-n", "3"];
    let said = refused(&args, dir.path());
    let allowed = said
        .split("--max-work ")
        .last()
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvplan"));
    command
        .args(["run", "-n", "3", "--max-work", allowed])
        .assert()
        .success();
    let said = refused(&["run", "--out", "out", "--interval", "1 us"], dir.path());
    assert!(said.contains("--max-work"), "{said}");
}

#[test]
fn what_is_said_of_a_long_value_is_short() {
    let dir = TempDir::new().unwrap();
    let long = "x".repeat(100_000);
    let setting = format!("policy.cache.ttl=\"{long}\"");
    let said = refused(&["run", "--set", &setting], dir.path());
    assert!(said.contains("characters left out"), "{said}");
}

#[test]
fn names_reach_no_terminal_spreadsheet_or_path() {
    let dir = TempDir::new().unwrap();
    for name in [
        "\\u001b[31mred",
        "=cmd|' /C calc'!A0",
        "../../up",
        "a/b",
        "",
    ] {
        let setting = format!("policy.name=\"{name}\"");
        let said = refused(&["run", "--set", &setting], dir.path());
        assert!(said.contains("expected a name"), "{name}: {said}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn models_are_read_from_files_only() {
    let dir = TempDir::new().unwrap();
    let fifo = dir.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    for path in ["/dev/zero", fifo.to_str().unwrap()] {
        for args in [["run", "--scenario", path], ["run", "--policy", path]] {
            let said = refused(&args, dir.path());
            assert!(said.contains("found a pipe or device"), "{said}");
        }
    }
    let huge = dir.path().join("huge.toml");
    fs::write(&huge, vec![b'#'; 9 << 20]).unwrap();
    let said = refused(&["run", "--scenario", huge.to_str().unwrap()], dir.path());
    assert!(said.contains("found more than 8 MiB"), "{said}");
}

/// A gzip of little that holds much, without an end of a row.
fn gzipped(path: &Path, start: &str, filler: &str) {
    let mut out = GzEncoder::new(fs::File::create(path).unwrap(), Compression::fast());
    out.write_all(start.as_bytes()).unwrap();
    let chunk = filler.repeat((1 << 20) / filler.len());
    for _ in 0..64 {
        out.write_all(chunk.as_bytes()).unwrap();
    }
    out.finish().unwrap();
}

#[test]
fn rows_without_an_end_are_not_taken_into_memory() {
    let dir = TempDir::new().unwrap();
    for (name, start, filler) in [
        ("line.csv.gz", "timestamp\n", "1"),
        ("quote.csv.gz", "timestamp\n\"", "1793577600\n"),
        ("header.csv.gz", "timestamp,", "a,"),
    ] {
        gzipped(&dir.path().join(name), start, filler);
        for args in [["fit", "workload", name], ["replay", name, "--quiet"]] {
            let said = refused(&args, dir.path());
            assert!(said.contains("a row of more than 1 MiB"), "{name}: {said}");
        }
    }
}

/// All at the same time, and a window in which any of them may still have to go back.
#[test]
fn rows_that_wait_for_earlier_ones_are_bounded() {
    let dir = TempDir::new().unwrap();
    let mut log = String::from("timestamp\n");
    for _ in 0..1_000_002 {
        log.push_str("1793577600\n");
    }
    fs::write(dir.path().join("equal.csv"), log).unwrap();
    let args = ["replay", "equal.csv", "--reorder-window", "1 s", "--quiet"];
    let said = refused(&args, dir.path());
    assert!(
        said.contains("found more than 1000000 rows within the reorder window"),
        "{said}"
    );
}

/// One time stamp of another unit puts centuries between two requests, whose seconds would all be counted.
#[test]
fn a_log_of_centuries_is_not_fitted() {
    let dir = TempDir::new().unwrap();
    let log = "timestamp\n1793577600\n1793577601\n16725225600\n";
    fs::write(dir.path().join("long.csv"), log).unwrap();
    let said = refused(&["fit", "workload", "long.csv"], dir.path());
    assert!(
        said.contains("found requests 172820 days apart, expected 3653 at most"),
        "{said}"
    );
}

/// Each day of what was asked for is noted.
#[test]
fn usage_of_centuries_is_refused() {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/kv_operations.json");
    let dir = TempDir::new().unwrap();
    let args = [
        "reconcile",
        data,
        "--since",
        "1970-01-02",
        "--until",
        "2500-01-02",
    ];
    let said = refused(&args, dir.path());
    assert!(
        said.contains("found a span of 193579 days, expected 3660 at most"),
        "{said}"
    );
}

/// Charts whose axes are next to nothing, or whose fitted quantiles lie far away, are drawn all the same.
#[test]
fn nearly_constant_latencies_are_fitted_and_drawn() {
    let dir = TempDir::new().unwrap();
    let nearly: String = (0..99)
        .map(|_| "5\n".to_owned())
        .chain(["5.01\n".into()])
        .collect();
    let rising: String = (0..100)
        .map(|i| format!("{}\n", 1000.0 + f64::from(i) * 0.1))
        .collect();
    for (name, values) in [("nearly.csv", nearly), ("rising.csv", rising)] {
        fs::write(dir.path().join(name), format!("latency_ms\n{values}")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_kvplan"));
        let args = ["fit", "latency", name, "--quiet", "--out", "out"];
        command
            .args(args)
            .current_dir(dir.path())
            .assert()
            .success();
    }
}

#[test]
fn latencies_below_a_nanosecond_are_refused() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("tiny.csv"), "latency_ms\n5\n5e-324\n7\n").unwrap();
    let said = refused(&["fit", "latency", "tiny.csv"], dir.path());
    assert!(
        said.contains("tiny.csv:3: field `latency_ms`: found \"5e-324\""),
        "{said}"
    );
}

/// An honest run would often lie outside of so few simulations.
#[test]
fn a_real_run_is_not_judged_by_a_handful_of_simulations() {
    let dir = TempDir::new().unwrap();
    let args = ["validate", "--against", "http://127.0.0.1:1", "-n", "5"];
    let said = refused(&args, dir.path());
    assert!(said.contains("found 5, expected at least 100"), "{said}");
}

/// A name in an answer of a service that would write on the terminal.
#[test]
fn names_of_a_service_reach_no_terminal_raw() {
    let dir = TempDir::new().unwrap();
    let groups = r#"{"date":"2026-11-02"},"sum":{"requests":5}"#;
    let answer = format!(
        r#"{{"data":{{"viewer":{{"accounts":[{{"kv\u001b]0;PWNED\u0007Groups":[{{"dimensions":{groups}}}],"kvOperationsAdaptiveGroups":[{{"dimensions":{{"actionType":"read","date":"2026-11-02"}},"sum":{{"requests":5}}}}]}}]}}}}}}"#
    );
    fs::write(dir.path().join("a.json"), answer).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvplan"));
    let args = [
        "reconcile",
        "a.json",
        "-n",
        "2",
        "--set",
        "period.requests=50",
    ];
    let output = command.args(args).current_dir(dir.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("\\u{1b}]0;PWNED\\u{7}"), "{said}");
    assert!(
        !said.contains('\u{1b}') && !said.contains('\u{7}'),
        "{said:?}"
    );
}
