//! `kvplan chaos` as a command.

use std::fs;
use std::process::{Command, Stdio};
use tempfile::TempDir;

fn kvplan(args: &[&str]) -> (String, String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvplan"));
    let output = command.args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        text(output.stdout),
        text(output.stderr),
        output.status.code(),
    )
}

#[test]
fn seeds_are_tried_and_the_same_bytes_come_from_any_number_of_threads() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().to_str().unwrap();
    let on = |threads: &str| {
        let args = ["chaos", "--seeds", "12", "--seed", "5", "--out", out];
        let (said, errors, code) = kvplan(&[&args[..], &["-j", threads]].concat());
        assert_eq!(code, Some(0), "{said}{errors}");
        (said, fs::read(dir.path().join("chaos.csv")).unwrap())
    };
    let one = on("1");
    let expected = "12 cases, seeds 5 to 16: none broke one of 17 invariants.\n";
    assert!(one.0.starts_with(expected), "{}", one.0);
    assert_eq!(one, on("3"));
}

#[test]
fn any_scenario_may_be_asked_and_nothing_is_said_when_quiet() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("mine.toml");
    let text = "title = \"t\"\nworkload = \"gateway\"\npolicies = [\"naive\"]\nlatency = \"kv-2025\"\ntraffic_per_month = \"1M\"\nbilling = { catalog = \"cloudflare\", plan = \"paid\" }\n[period]\nrequests = 50\ncalls = 0\nat_least = \"1 min\"\n";
    fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let (said, errors, code) = kvplan(&["chaos", "--replay", file]);
    assert_eq!(code, Some(0), "{said}{errors}");
    assert_eq!(said, format!("{file} breaks none of 17 invariants.\n"));
    let (said, _, code) = kvplan(&["chaos", "--replay", file, "-q"]);
    assert_eq!((said.as_str(), code), ("", Some(0)));
    let (_, errors, code) = kvplan(&["chaos", "--replay", "none.toml"]);
    assert_eq!(code, Some(2));
    assert!(errors.contains("none.toml: cannot be read"), "{errors}");
}

#[test]
fn what_has_no_effect_is_refused() {
    for (args, why) in [
        (
            &["--policy", "naive"][..],
            "--policy: found without --worst",
        ),
        (&["--set", "seed=1"], "--set: found without --worst"),
        (&["--worst", "cost"], "--range"),
        (&["--range", "seed=1..2"], "--worst"),
        (
            &["--worst", "cost", "--range", "seed=2..1"],
            "the lower value first",
        ),
        (
            &[
                "--worst",
                "cost",
                "--range",
                "policy.batch.max_records=0..5",
            ],
            "--range policy.batch.max_records=0..5: field `batch.max_records`: found 0",
        ),
        (
            &["--worst", "recovery", "--range", "seed=1..2"],
            "expected a window to recover from",
        ),
        (&["--seeds", "0"], "expected a whole number from 1"),
        (
            &[
                "--worst",
                "cost",
                "--traffic",
                "1M",
                "--range",
                "traffic_per_month=1..2",
            ],
            "found beside --range traffic_per_month",
        ),
    ] {
        let (_, errors, code) = kvplan(&[&["chaos"], args].concat());
        assert_eq!(code, Some(2), "{args:?}: {errors}");
        assert!(errors.contains(why), "{args:?}: {errors}");
    }
}

const SHORT: [&str; 8] = [
    "--set",
    "period.requests=300",
    "--set",
    "period.calls=0",
    "--set",
    "period.at_least=\"2 min\"",
    "-n",
    "4",
];

/// A write for each record costs most; and the command that is told gives the figures that are told.
#[cfg(unix)]
#[test]
fn the_worst_that_is_found_can_be_run_again() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().to_str().unwrap();
    let args = [
        "chaos",
        "--worst",
        "cost",
        "--policy",
        "optimised",
        "--set",
        "traffic_per_month=30000000",
        "--range",
        "policy.batch.max_records=1..100",
        "--range",
        "policy.batch.min_interval=0 s..5 s",
        "--seeds",
        "48",
        "--out",
        out,
    ];
    let (said, errors, code) = kvplan(&[&args[..], &SHORT].concat());
    assert_eq!(code, Some(0), "{said}{errors}");
    println!("{said}");
    assert!(
        said.contains("found in 48 points, which is not to say the worst there is"),
        "{said}"
    );
    let row = |text: &str, name: &str| -> String {
        let row = text.lines().find(|l| l.trim_start().starts_with(name));
        row.unwrap_or_else(|| panic!("{name} in {text}")).to_owned()
    };
    let dollars = |row: &str| -> Vec<f64> {
        let words = row.split_whitespace().filter_map(|w| w.strip_prefix('$'));
        words.map(|w| w.replace(',', "").parse().unwrap()).collect()
    };
    let costs = dollars(&row(&said, "cost_usd"));
    assert!(costs[1] > 1.5 * costs[0], "{costs:?}");
    let points = fs::read_to_string(dir.path().join("chaos_worst.csv")).unwrap();
    assert_eq!(points.lines().count(), 49);
    let again = said.lines().find(|l| l.starts_with("  kvplan run "));
    let program = concat!("  ", env!("CARGO_BIN_EXE_kvplan"), " ");
    let again = again.unwrap().replacen("  kvplan ", program, 1);
    let output = Command::new("sh").args(["-c", &again]).output().unwrap();
    let run = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{again}");
    assert_eq!(dollars(&row(&run, "total"))[0], costs[1], "{run}");
}

#[test]
fn the_worst_is_the_same_on_any_number_of_threads() {
    let on = |threads: &str| {
        let dir = TempDir::new().unwrap();
        let args = [
            "chaos",
            "--worst",
            "loss",
            "--scenario",
            "world",
            "--range",
            "failures.write.error=0%..60%",
            "--range",
            "policy.layout.keys=rollup|batch_keys",
            "--seeds",
            "8",
            "--set",
            "period.history=\"0 s\"",
            "-j",
            threads,
            "--out",
            dir.path().to_str().unwrap(),
        ];
        let (said, errors, code) = kvplan(&[&args[..], &SHORT].concat());
        assert_eq!(code, Some(0), "{said}{errors}");
        let told = said.lines().filter(|l| !l.contains("files written"));
        let told: Vec<String> = told.map(str::to_owned).collect();
        (told, fs::read(dir.path().join("chaos_worst.csv")).unwrap())
    };
    assert_eq!(on("1"), on("3"));
}

#[test]
fn recovery_is_searched_too() {
    let dir = TempDir::new().unwrap();
    let args = [
        "chaos",
        "--worst",
        "recovery",
        "--scenario",
        "retry-storm",
        "--range",
        "policy.queries.retry.max_attempts=1..8",
        "--seeds",
        "8",
        "-n",
        "2",
        "--out",
        dir.path().to_str().unwrap(),
    ];
    let (said, errors, code) = kvplan(&args);
    assert_eq!(code, Some(0), "{said}{errors}");
    assert!(said.contains("recovered_after_s"), "{said}");
    println!("{said}");
}

#[cfg(unix)]
#[test]
fn a_signal_stops_the_search() {
    let dir = TempDir::new().unwrap();
    for wait in [500, 2_000, 8_000] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kvplan"));
        command.args(["chaos", "--seeds", "1000000", "--out"]);
        command.arg(dir.path());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(wait));
        let id = child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(sent.success());
        // Before the handler is there, the system ends it in its own way.
        if let Some(code) = child.wait().unwrap().code() {
            assert_eq!(code, 130);
            assert!(!dir.path().join("chaos.csv").exists());
            return;
        }
    }
    panic!("it never caught the signal");
}
