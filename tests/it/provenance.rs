//! Every command that leaves files says in `run.json` what it did, so that it can be done again.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

fn kvplan(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvplan"));
    let output = command.args(args).current_dir(dir).output().unwrap();
    // 1 is an answer that is no.
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{args:?}: {output:?}"
    );
    output
}

/// The files of a folder with what is in them.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|e| e.unwrap());
    let name = |e: &fs::DirEntry| e.file_name().into_string().unwrap();
    entries
        .map(|e| (name(&e), fs::read(e.path()).unwrap()))
        .collect()
}

fn record(dir: &Path, file: &str) -> Value {
    let text = fs::read_to_string(dir.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    serde_json::from_str(&text).unwrap()
}

fn words(value: &Value) -> Vec<String> {
    let words = value.as_array().unwrap().iter();
    words.map(|w| w.as_str().unwrap().to_owned()).collect()
}

/// Little work.
const SHORT: &str = "-n 2 --set period.requests=300 --set period.at_least=10s";

/// Two candidates.
const SEARCH: &str = r#"
title = "Small"
base = "optimised"
base_many_writers = "optimised-fleet"
plans = ["paid"]
[[dimension]]
name = "cache TTL"
option = [{ label = "5 s" }, { label = "15 s", set = { "cache.ttl" = "15 s" } }]
"#;

/// Inputs that some commands read.
fn inputs(dir: &Path) {
    let lines: String = (1..200)
        .map(|i| format!("{}.{}\n", i % 37 + 1, i % 9))
        .collect();
    fs::write(dir.join("latencies.csv"), format!("latency_ms\n{lines}")).unwrap();
    let measured: String = (1..200)
        .map(|i| format!("read,{}.{}\n", i % 37 + 1, i % 9))
        .collect();
    fs::write(
        dir.join("measured.csv"),
        format!("operation,latency_ms\n{measured}"),
    )
    .unwrap();
    let usage = "date,meter,quantity\n2026-11-02,kv.reads,40000\n2026-11-03,kv.reads,42000\n";
    fs::write(dir.join("usage.csv"), usage).unwrap();
    fs::write(dir.join("small.toml"), SEARCH).unwrap();
    let log = kvplan(dir, &["trace", "--requests", "200"]).stdout;
    fs::write(dir.join("requests.csv"), log).unwrap();
}

/// All commands with `--out DIR`, but `merge`, which writes what `sweep` does, `validate`, which wants a KV, and those
/// that leave no results: `report`, `schema`, `man`. Whether they simulate.
const COMMANDS: [(&str, bool); 18] = [
    ("sweep --traffic 1M,3M", true),
    ("run --traffic 1M --policy naive", true),
    (
        "explore --vary traffic=1M,2M --vary batch=10,100 --policy optimised",
        true,
    ),
    ("diff naive optimised --traffic 1M", true),
    ("compare-stores --traffic 1M --store kv,d1", true),
    ("rehearse --length 1h --traffic 100k", true),
    ("replay requests.csv --amplify 2", true),
    ("breakeven --traffic 100k..1M --fixed-cost 1", true),
    (
        "forecast --traffic 300k --months 3 --futures 100 --growth=-5%/month",
        true,
    ),
    (
        "plan --traffic 100k --slo cost<20USD,loss<1% --search small.toml",
        true,
    ),
    (
        "sensitivity --traffic 1M --morris 0 --policy optimised",
        true,
    ),
    ("reconcile usage.csv --policy optimised", true),
    (
        "chaos --worst cost --range traffic_per_month=1M..2M --seeds 2",
        true,
    ),
    ("chaos --seeds 2 --seed 5", false),
    ("verify --effort none", false),
    ("fit latency latencies.csv --name mine", false),
    ("fit workload requests.csv", false),
    ("calibrate measured.csv --seed 7", false),
];

#[test]
fn every_command_leaves_what_gives_its_results_again() {
    let dir = TempDir::new().unwrap();
    inputs(dir.path());
    for (i, (line, simulates)) in COMMANDS.into_iter().enumerate() {
        let out = format!("out-{i}");
        // How long these simulate is given otherwise, and a number of requests refused.
        let has_own_length = line.starts_with("rehearse") || line.starts_with("replay");
        let (more, told) = match (simulates, has_own_length) {
            (false, _) => ("", ""),
            (_, true) => (
                "-n 2 --set failures.read.error=1%",
                "failures.read.error=1%",
            ),
            _ => (SHORT, "period.requests=300"),
        };
        let given: Vec<&str> = line.split(' ').chain(more.split_whitespace()).collect();
        kvplan(
            dir.path(),
            &[
                &given[..],
                &["--out", &out, "--quiet", "-j", "2"][..if takes_threads(line) { 5 } else { 3 }],
            ]
            .concat(),
        );
        let run = record(&dir.path().join(&out), "run.json");
        assert_eq!(run["kvplan"], env!("CARGO_PKG_VERSION"), "{line}");
        assert_eq!(run["command"], given[0], "{line}");
        if simulates {
            let scenario = run.get("scenario").or(run.pointer("/scenarios/0/scenario"));
            let replications = &scenario.unwrap()["replications"];
            assert!(replications.is_u64(), "{line}: {replications}");
            let settings = run["settings"].as_str().unwrap();
            assert!(settings.contains(told), "{line}: {settings}");
        }
        // A page has all of it: assumptions and the command.
        kvplan(dir.path(), &["report", &out]);
        let page = fs::read_to_string(dir.path().join(&out).join("report.html")).unwrap();
        let command = format!("kvplan {}", given[0]);
        assert!(page.contains(&command), "{line}: no command");
        fs::remove_file(dir.path().join(&out).join("report.html")).unwrap();
        let Some(arguments) = run.get("arguments").map(words) else {
            continue;
        };
        assert!(
            !arguments
                .iter()
                .any(|a| ["--out", "--quiet", "--threads"].contains(&a.as_str()))
        );
        let again = format!("again-{i}");
        let mut args = vec![given[0]];
        args.extend(arguments.iter().map(String::as_str));
        args.extend(["--out", &again, "--quiet"]);
        kvplan(dir.path(), &args);
        let (first, second) = (
            files(&dir.path().join(&out)),
            files(&dir.path().join(&again)),
        );
        let names = |f: &BTreeMap<String, Vec<u8>>| f.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&first), names(&second), "{line}");
        for (name, bytes) in &first {
            assert!(
                *bytes == second[name],
                "{line}: {name} differs when done again"
            );
        }
    }
}

fn takes_threads(line: &str) -> bool {
    !["fit", "calibrate"].iter().any(|c| line.starts_with(c))
}

/// A log is a file that its user names, and its record beside it.
#[test]
fn a_log_has_its_record_beside_it() {
    let dir = TempDir::new().unwrap();
    let args = ["trace", "--requests", "50", "--seed", "9", "--out"];
    kvplan(dir.path(), &[&args[..], &["a.csv.gz"]].concat());
    let run = record(dir.path(), "a.csv.gz.run.json");
    assert_eq!(
        (&run["command"], &run["seed"]),
        (&"trace".into(), &9.into())
    );
    let arguments = words(&run["arguments"]);
    let mut again: Vec<&str> = vec!["trace"];
    again.extend(arguments.iter().map(String::as_str));
    again.extend(["--out", "b.csv.gz"]);
    kvplan(dir.path(), &again);
    let [a, b] = ["a.csv.gz", "b.csv.gz"].map(|f| fs::read(dir.path().join(f)).unwrap());
    assert!(a == b);
    assert_eq!(files(dir.path()).len(), 4);
}

/// Results of two commands in one folder: the page tells of both, and a comparison of folders reads the settings of the
/// sweep, whatever came after it.
#[test]
fn a_folder_of_two_commands_has_the_records_of_both() {
    let dir = TempDir::new().unwrap();
    let short: Vec<&str> = SHORT.split(' ').collect();
    let run = |args: &[&str]| {
        let end = ["--out", "o", "--quiet"];
        kvplan(dir.path(), &[args, &short, &end].concat())
    };
    run(&["sweep", "--traffic", "1M"]);
    run(&["forecast", "--months", "2", "--futures", "100"]);
    let out = dir.path().join("o");
    assert_eq!(record(&out, "run.json")["command"], "forecast");
    assert_eq!(record(&out, "run-sweep.json")["command"], "sweep");
    kvplan(dir.path(), &["report", "o"]);
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    for command in ["kvplan forecast ", "kvplan sweep "] {
        assert!(page.contains(command), "{command}");
    }
    let said = kvplan(dir.path(), &["diff", "o", "o", "--format", "markdown"]);
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("1M requests/month"), "{said}");
}
