//! `kvplan explore` as a user drives it: its points are those of `kvplan run`, and what cannot be is told.

use crate::setup::{files, rows};
#[cfg(unix)]
use crate::shards::interrupted;
use assert_cmd::Command;
use kvplan::report::explored::SHOWN;
use kvplan::run::metric::METRICS;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tempfile::TempDir;

/// Two levels, one isolate or two, and three policies: `optimised` cannot be with two isolates, whose keys
/// `shared-key` overwrites, and `optimised-fleet` looks back longer than is simulated.
pub(crate) const GRID: [&str; 10] = [
    "--vary",
    "traffic=100k,3M",
    "--vary",
    "isolates=1,2",
    "--vary",
    "policy=optimised,optimised-fleet,shared-key",
    "--set",
    "period.requests=500",
    // Few records are lost by so few requests: with this seed more than a thousandth by what overwrites, else none.
    "--seed",
    "3",
];

pub(crate) fn explore(args: &[&str], out: &Path) -> std::process::Output {
    let mut command = Command::cargo_bin("kvplan").unwrap();
    command.arg("explore").args(args).arg("--out").arg(out);
    command.output().unwrap()
}

/// The grid with three replications, explored once for all tests: its folder, and what was printed.
pub(crate) static EXPLORED: LazyLock<(TempDir, PathBuf, String)> = LazyLock::new(|| {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("out");
    let output = explore(&[&GRID[..], &["-n", "3"]].concat(), &out);
    assert!(output.status.success(), "{output:?}");
    (dir, out, String::from_utf8(output.stdout).unwrap())
});

type Row = BTreeMap<String, String>;

fn points() -> Vec<Row> {
    rows(&EXPLORED.1.join("explore.csv"))
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

/// All measures of a point, by the command that its row gives, as a shell runs it.
#[cfg(unix)]
fn run_again(command: &str) -> Vec<Row> {
    let dir = TempDir::new().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_kvplan")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let output = std::process::Command::new("sh")
        .args(["-c", &format!("{command} --out again --quiet")])
        .env("PATH", path)
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{command}: {output:?}");
    rows(&dir.path().join("again/measures.csv"))
}

#[cfg(unix)]
#[test]
fn a_point_is_what_its_command_gives_measure_by_measure() {
    let points = points();
    assert_eq!(points.len(), 12);
    // One of each policy, at either level.
    for point in [&points[0], &points[4], &points[11]] {
        let again = run_again(&point["command"]);
        assert_eq!(
            again.len(),
            METRICS.len(),
            "one policy: {}",
            point["command"]
        );
        for measure in &again {
            let name = &measure["measure"];
            assert_eq!(measure["policy"], point["policy"]);
            assert_eq!(
                measure["mean"],
                point[name.as_str()],
                "{name}: {}",
                point["command"]
            );
            let (mean, half) = (number(&measure["mean"]), number(&measure["ci95"]));
            for (end, expected) in [("low", (mean - half).max(0.0)), ("high", mean + half)] {
                let found = number(&point[&format!("{name}_{end}")]);
                let same = half.is_nan() && found.is_nan();
                let near = (found - expected).abs() <= 1e-5 * (mean.abs() + half);
                assert!(same || near, "{name}_{end}: {found}, {expected}");
            }
        }
    }
}

/// Settings in quotes, and those that stand in one place of a list of policies.
#[cfg(unix)]
#[test]
fn a_command_holds_settings_that_a_shell_would_read_otherwise() {
    let dir = TempDir::new().unwrap();
    let ttl = "ttl=\"5 s\",60 s";
    let failures = "failures.write.error=0%,5%";
    let args = ["--vary", ttl, "--vary", failures, "--policy", "optimised"];
    let rest = ["-n", "2", "--set", "period.requests=300", "--traffic", "1M"];
    let output = explore(&[&args[..], &rest].concat(), dir.path());
    assert!(output.status.success(), "{output:?}");
    let points = rows(&dir.path().join("explore.csv"));
    let of = |name: &str| -> Vec<&str> { points.iter().map(|p| p[name].as_str()).collect() };
    assert_eq!(of("policy.cache.ttl"), ["5 s", "5 s", "60 s", "60 s"]);
    assert_eq!(of("failures.write.error"), ["0%", "5%", "0%", "5%"]);
    assert_eq!(of("traffic_per_month"), ["1000000"; 4]);
    let again = run_again(&points[3]["command"]);
    let mean = |name: &str| {
        let row = again.iter().find(|r| r["measure"] == name);
        row.unwrap_or_else(|| panic!("{name}"))["mean"].clone()
    };
    for name in ["hit_ratio", "kv_unavailable_share", "cost_usd"] {
        assert_eq!(mean(name), points[3][name], "{name}");
    }
    // The settings have an effect.
    assert!(number(&points[2]["hit_ratio"]) > number(&points[0]["hit_ratio"]));
    assert!(number(&points[3]["kv_unavailable_share"]) > 0.0);
}

/// At 3M ten minutes are simulated whatever the number of requests, which `run` would refuse; at 300M it decides.
pub(crate) const IDLE_AT_3M: [&str; 10] = [
    "--vary",
    "traffic=3M,300M",
    "--policy",
    "optimised",
    "-n",
    "1",
    "--set",
    "period.at_least=\"1 min\"",
    "--set",
    "period.at_most=\"10 min\"",
];

#[cfg(unix)]
#[test]
fn a_command_leaves_out_what_decides_nothing_at_its_point() {
    let dir = TempDir::new().unwrap();
    for requests in [
        &["--set", "period.requests=5k"][..],
        &["--vary", "period.requests=5k,6k"],
    ] {
        let output = explore(&[&IDLE_AT_3M[..], requests].concat(), dir.path());
        assert!(output.status.success(), "{output:?}");
        let points = rows(&dir.path().join("explore.csv"));
        let at = |traffic: &'static str| {
            points
                .iter()
                .filter(move |p| p["traffic_per_month"] == traffic)
        };
        assert!(at("3000000").all(|p| !p["command"].contains("period.requests")));
        assert!(
            at("300000000").all(|p| p["command"].contains("period.requests=5k")
                || p["command"].contains("period.requests=6k"))
        );
        let each = points.len() / 2;
        assert!(each > 0 && at("3000000").count() == each && at("300000000").count() == each);
        for point in &points {
            let again = run_again(&point["command"]);
            let cost = again.iter().find(|m| m["measure"] == "cost_usd").unwrap();
            assert_eq!(cost["mean"], point["cost_usd"], "{}", point["command"]);
        }
    }
}

#[test]
fn the_files_are_the_same_on_any_number_of_threads() {
    let dir = TempDir::new().unwrap();
    let args = [&GRID[..], &["-n", "3", "-j", "1"]].concat();
    assert!(explore(&args, dir.path()).status.success());
    let (one, all) = (files(dir.path()), files(&EXPLORED.1));
    let names: Vec<&str> = all.iter().map(|f| f.0.as_str()).collect();
    assert_eq!(names, ["explore.csv", "explore.html", "run.json"]);
    assert!(one == all, "the files depend on the number of threads");
}

#[cfg(unix)]
#[test]
fn an_interrupted_grid_leaves_nothing_half_written_and_goes_on_to_the_same_bytes() {
    let dir = TempDir::new().unwrap();
    let args = [&["explore"], &GRID[..], &["-n", "3"]].concat();
    let code = interrupted(&args, dir.path(), "explore.kvjournal", 5, "-INT");
    assert_eq!(code, Some(130));
    let names: Vec<String> = files(dir.path()).into_iter().map(|f| f.0).collect();
    assert_eq!(names, ["explore.kvjournal"]);
    let output = explore(&[&args[1..], &["--resume"]].concat(), dir.path());
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    let known = said
        .split("resuming: ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    assert!(known.parse::<u32>().unwrap() >= 5, "{said}");
    assert!(
        files(dir.path()) == files(&EXPLORED.1),
        "other bytes than without an interruption"
    );
}

#[test]
fn what_cannot_be_stays_with_its_reason_and_what_loses_is_not_the_cheapest() {
    let points = points();
    let cannot: Vec<usize> = (0..12)
        .filter(|i| !points[*i]["cannot_be"].is_empty())
        .collect();
    assert_eq!(cannot, [3, 9]);
    for i in cannot {
        let point = &points[i];
        assert!(point["cannot_be"].contains("whose queries see their own isolate's keys only"));
        assert_eq!(
            (point["policy"].as_str(), point["fleet.isolates"].as_str()),
            ("optimised", "2")
        );
        for empty in ["cost_usd", "cost_usd_low", "cheapest", "command"] {
            assert_eq!(point[empty], "", "{empty}");
        }
    }
    let loses = &points[11];
    assert!(
        number(&loses["loss_rate"]) > 0.001,
        "{}",
        loses["loss_rate"]
    );
    assert!(
        loses["cheapest"].starts_with("excluded: loses "),
        "{}",
        loses["cheapest"]
    );
    let text = &EXPLORED.2;
    for said in [
        "traffic 3M, isolates 2, policy shared-key: loses ",
        "traffic 3M, isolates 1, policy optimised-fleet: unknown reads",
        "Cannot be:\n  traffic 100k, isolates 2, policy optimised: ",
        "2 of 5\n",
        "explore.html is one file of ",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    // The command of the cheapest is that of a point that does the whole work.
    let command = text
        .lines()
        .find_map(|l| l.trim().strip_prefix("kvplan run "))
        .unwrap();
    let cheapest = points
        .iter()
        .find(|p| p["command"].ends_with(command))
        .unwrap();
    assert!(["yes", "tied"].contains(&cheapest["cheapest"].as_str()));
    assert_eq!(cheapest["traffic_per_month"], "3000000");
}

#[test]
fn without_settings_the_scenarios_levels_and_policies_are_explored() {
    let dir = TempDir::new().unwrap();
    let levels = "sweep_per_month=[\"10k\",\"1M\"]";
    let args = ["-n", "1", "--set", levels, "--set", "period.requests=200"];
    let output = explore(&args, dir.path());
    assert!(output.status.success(), "{output:?}");
    let points = rows(&dir.path().join("explore.csv"));
    let of = |p: &Row| (p["traffic_per_month"].clone(), p["policy"].clone());
    let found: Vec<_> = points.iter().map(of).collect();
    let expected = [
        ("10000", "naive"),
        ("10000", "optimised"),
        ("1000000", "naive"),
        ("1000000", "optimised"),
    ];
    assert_eq!(found, expected.map(|(t, p)| (t.to_owned(), p.to_owned())));
    // One replication has no interval, and the page says so.
    assert!(
        points
            .iter()
            .all(|p| p["cost_usd_low"].is_empty() && !p["cost_usd"].is_empty())
    );
    let page = fs::read_to_string(dir.path().join("explore.html")).unwrap();
    assert!(page.contains("One replication: no interval is known"));
}

#[test]
fn a_page_of_the_folder_and_the_command_on_the_page_give_it_again() {
    let mut command = Command::cargo_bin("kvplan").unwrap();
    let dir = TempDir::new().unwrap();
    for (name, bytes) in files(&EXPLORED.1) {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    command.arg("report").arg(dir.path()).assert().success();
    let report = fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(report.contains("Explored points"));
    let page = fs::read_to_string(dir.path().join("explore.html")).unwrap();
    let marked = "aria-label=\"Command of the whole grid\">";
    let command = page
        .split(marked)
        .nth(1)
        .unwrap()
        .split("</pre>")
        .next()
        .unwrap();
    assert_eq!(
        command,
        "kvplan explore --scenario default --set period.requests=500 --replications 3 --seed 3 --vary traffic=100k,3M --vary isolates=1,2 --vary policy=optimised,optimised-fleet,shared-key"
    );
    // And on that of the report.
    assert!(report.contains(command), "the report has another command");
}

#[test]
fn the_page_is_complete_and_says_how_large_it_is() {
    let page = fs::read_to_string(EXPLORED.1.join("explore.html")).unwrap();
    let size = format!("{} kB", page.len().div_ceil(1_000));
    assert!(
        page.contains(&format!("<dd>{size}, complete in itself</dd>")),
        "{size}"
    );
    assert!(
        EXPLORED
            .2
            .contains(&format!("explore.html is one file of {size}"))
    );
    assert!(page.len() < 120_000, "{}", page.len());
    for outside in ["src=", "@import", "url(", "http://"] {
        assert!(
            !page
                .replace("http://www.w3.org/2000/svg", "")
                .contains(outside),
            "{outside}"
        );
    }
    // Every point and every measure, for whoever has no scripts.
    let body = page
        .split("<table id=\"points\"")
        .nth(1)
        .unwrap()
        .split("</table>")
        .next()
        .unwrap();
    assert_eq!(body.matches("<tr>").count(), 1 + 12);
    for shown in SHOWN {
        assert!(body.contains(shown.label), "{}", shown.label);
    }
}

/// What a policy is called is text, whatever it looks like.
#[test]
fn no_name_becomes_a_part_of_the_page() {
    let dir = TempDir::new().unwrap();
    let policy = dir.path().join("<!--<script>&.toml");
    fs::copy("models/policies/optimised.toml", &policy).unwrap();
    let vary = format!("policy=naive,{}", policy.display());
    let args = [
        "--vary",
        &vary,
        "-n",
        "1",
        "--traffic",
        "10k",
        "--set",
        "period.requests=50",
    ];
    let output = explore(&args, dir.path());
    assert!(output.status.success(), "{output:?}");
    let page = fs::read_to_string(dir.path().join("explore.html")).unwrap();
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(!page.contains("<!--") && page.contains("\\u003c!--"));
}

#[test]
fn mistakes_are_told_with_what_was_meant_before_anything_is_written() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("out");
    let refused = |args: &[&str]| {
        let output = explore(args, &out);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    for (args, said) in [
        (
            &["--vary", "trafic=1M,2M"][..],
            "(did you mean \"traffic\"?)",
        ),
        (
            &["--vary", "policy=naive,optimized"],
            "--vary policy=optimized: optimized: cannot be read (no such file) (did you mean \"optimised\"?)",
        ),
        (
            &["--vary", "plan=fre,paid"],
            "found \"fre\" (did you mean \"free\"?)",
        ),
        (
            &["--vary", "policy.cache.tll=5 s,6 s"],
            "--vary policy.cache.tll=5 s: field `cache.tll`: unknown field `tll` (did you mean \"ttl\"?)",
        ),
        (
            &["--vary", "ttl=5 s,soon"],
            "--vary ttl=soon: field `cache.ttl`: found \"soon\", expected a duration",
        ),
        (
            &["--vary", "traffic=1M"],
            "found one value of traffic, expected at least two; one alone is given by --traffic 1M",
        ),
        (
            &["--vary", "traffic=1M,2M", "--traffic", "3M"],
            "--traffic: has no effect here, as traffic is varied",
        ),
        (
            &["--vary", "ttl=5 s,6 s", "--set", "policy.cache.ttl=7 s"],
            "--set: has no effect here, as ttl is varied",
        ),
        (
            &["--vary", "policy=naive,lazy", "--policy", "naive"],
            "--policy: has no effect here",
        ),
        (
            &[
                "--vary",
                "ttl=1s,2s",
                "--vary",
                "batch=1,2",
                "--vary",
                "plan=free,paid",
                "--vary",
                "isolates=1,2",
                "--vary",
                "traffic=1,2",
            ],
            "found 6 settings (ttl, batch, plan, isolates, traffic, policy), expected one to 5",
        ),
        (
            &[
                "--vary",
                "traffic=1..1000B",
                "--vary",
                "batch=1,2,3,4,5,6,7,8,9",
                "--vary",
                "ttl=1s,2s,3s,4s,5s,6s",
            ],
            "points, expected no more than 2000",
        ),
        (&["--vary", "seed=1,2"], "found seed, expected --seed"),
        (
            &["--vary", "isolates=2,3", "--policy", "optimised"],
            "--vary isolates=2: ",
        ),
    ] {
        let told = refused(args);
        assert!(told.contains(said), "{args:?}: {told}");
    }
    assert!(!out.exists());
}
