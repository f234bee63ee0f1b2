//! What a change changes: `kvplan diff`, its thresholds, and `--assert` of the commands that simulate.

use crate::setup::files;
use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;
use tempfile::TempDir;

/// Small enough for a test.
const QUICK: [&str; 8] = [
    "-n",
    "3",
    "--seed",
    "7",
    "--set",
    "period.requests=1000",
    "--traffic",
    "3M",
];

const SCENARIO: &str = "title = \"t\"\nworkload = \"gateway\"\npolicies = [\"naive\"]\nlatency = \"constant-10ms\"\nbilling = { catalog = \"cloudflare\", plan = \"paid\" }\ntraffic_per_month = \"3M\"\nreplications = 3\nperiod = { requests = 1000 }\n";

fn kvplan(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::cargo_bin("kvplan").unwrap();
    command.args(args).current_dir(dir).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A quick `kvplan diff` that is to end with this code.
fn diff(dir: &Path, args: &[&str], code: i32) -> Output {
    let output = kvplan(dir, &[&["diff"], args].concat());
    assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
    output
}

fn diff_json(dir: &Path, args: &[&str]) -> Value {
    let args = [args, &["--format", "json"]].concat();
    serde_json::from_slice(&diff(dir, &args, 0).stdout).unwrap()
}

fn sweep(dir: &Path, args: &[&str]) {
    let output = kvplan(dir, &[&["sweep", "--quiet"], args].concat());
    assert!(output.status.success(), "{output:?}");
}

fn mean(json: &Value) -> f64 {
    json["mean"].as_f64().unwrap()
}

/// The total of the invoice that `kvplan run` prints.
fn invoice(dir: &Path, args: &[&str]) -> f64 {
    let output = kvplan(
        dir,
        &[&["run", "--format", "json"], &QUICK[..], args].concat(),
    );
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut tables = json.as_object().unwrap().iter();
    let (_, lines) = tables
        .find(|(name, _)| name.starts_with("invoice "))
        .unwrap();
    let total = lines.as_array().unwrap().last().unwrap();
    assert_eq!(total["item"], "total");
    total["amount_usd"].as_f64().unwrap()
}

/// Of policies, catalogs and scenarios, by another way: each side's invoice by itself.
#[test]
fn the_difference_in_dollars_is_that_of_the_two_invoices() {
    let dir = TempDir::new().unwrap();
    let dearer =
        include_str!("../../models/prices/cloudflare.toml").replace("\"$5.00\"", "\"$9.00\"");
    assert!(dearer.contains("$9.00"));
    fs::write(dir.path().join("dearer.toml"), dearer).unwrap();
    let compared = |args: &[&str]| {
        let json = diff_json(dir.path(), &[args, &QUICK[..]].concat());
        let cost = &json["points"][0]["measures"]["cost_usd"];
        assert_eq!(json["points"][0]["paired"], true);
        (
            mean(&cost["old"]),
            mean(&cost["new"]),
            mean(&cost["difference"]),
            json,
        )
    };
    let of = |args: &[&str]| invoice(dir.path(), args);
    let (naive, optimised) = (of(&["--policy", "naive"]), of(&["--policy", "optimised"]));
    let (old, new, difference, json) = compared(&["naive", "optimised"]);
    assert!(
        (old - naive).abs() < 1e-6 && (new - optimised).abs() < 1e-6,
        "{old} {naive}"
    );
    assert!(
        (difference - (optimised - naive)).abs() < 1e-6,
        "{difference}"
    );
    assert_eq!(
        json["points"][0]["measures"]["cost_usd"]["verdict"],
        "lower"
    );
    let at_prices = of(&["--policy", "naive", "--set", "billing.catalog=dearer.toml"]);
    let (_, new, difference, json) = compared(&["cloudflare", "dearer.toml", "--policy", "naive"]);
    assert!((new - at_prices).abs() < 1e-6, "{new} {at_prices}");
    assert!(difference > 3.9, "{difference}");
    assert!(
        (difference - (at_prices - naive)).abs() < 1e-6,
        "{difference}"
    );
    // Prices change nothing but the bill.
    let measures = &json["points"][0]["measures"];
    for name in [
        "kv_reads_per_month",
        "hit_ratio",
        "query_p95_ms",
        "loss_rate",
    ] {
        let difference = &measures[name]["difference"]["mean"];
        assert!(
            difference.is_null() || difference == 0.0,
            "{name}: {difference}"
        );
    }
}

/// Whatever the kind: every difference is 0, and none is significant.
#[test]
fn a_side_and_itself_differ_by_nothing() {
    let dir = TempDir::new().unwrap();
    sweep(dir.path(), &[&QUICK[..], &["--out", "results"]].concat());
    kvplan(
        dir.path(),
        &[&["run", "--quiet"], &QUICK[..], &["--out", "one"]].concat(),
    );
    for side in ["default", "optimised", "cloudflare", "results", "one"] {
        let is_folder = ["results", "one"].contains(&side);
        let more = if is_folder { &[][..] } else { &QUICK[..] };
        let args = [
            &[side, side, "--fail-if", "cost>+0%", "--fail-if", "cost<-0%"],
            more,
        ]
        .concat();
        // In both forms at once.
        let args = [&args[..], &["--out", "d", "--quiet"]].concat();
        diff(dir.path(), &args, 0);
        let read = |name: &str| fs::read_to_string(dir.path().join("d").join(name)).unwrap();
        let json: Value = serde_json::from_str(&read("diff.json")).unwrap();
        let points = json["points"].as_array().unwrap();
        assert!(!points.is_empty());
        for point in points {
            assert_eq!(point["paired"], side != "one", "{side}");
            for (name, m) in point["measures"].as_object().unwrap() {
                let difference = &m["difference"]["mean"];
                assert!(
                    difference.is_null() || difference == 0.0,
                    "{side} {name}: {difference}"
                );
                let unknown = m["verdict"] == "cannot tell";
                assert!(
                    unknown || m["verdict"] == "no significant difference",
                    "{side} {name}"
                );
            }
            let cost = &point["measures"]["cost_usd"];
            assert_eq!(cost["verdict"], "no significant difference");
        }
        let text = read("diff.md");
        assert!(
            !text.contains("| higher") && !text.contains("| lower"),
            "{text}"
        );
    }
}

#[test]
fn the_markdown_is_what_a_pull_request_shows() {
    let dir = TempDir::new().unwrap();
    let args = [
        "naive",
        "optimised",
        "--fail-if",
        "cost>+10%",
        "--fail-if",
        "hit_ratio<-2%",
    ];
    let text = out(&diff(dir.path(), &[&args, &QUICK[..]].concat(), 0));
    insta::assert_snapshot!(text);
}

#[test]
fn a_threshold_is_crossed_kept_or_undecided() {
    let dir = TempDir::new().unwrap();
    let with = |more: &[&str], code| {
        let args = [&["optimised", "naive"], &QUICK[..], more].concat();
        diff(dir.path(), &args, code)
    };
    let crossed = with(
        &[
            "--fail-if",
            "cost>+10%",
            "--fail-if",
            "kv_writes_per_month>+1B",
        ],
        1,
    );
    let said = err(&crossed);
    assert!(said.starts_with("✗ cost>+10% crossed: +$"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let text = out(&crossed);
    assert!(
        text.contains("### Thresholds: 1 crossed, 0 undecided, 1 kept"),
        "{text}"
    );
    assert!(
        text.contains("- ✓ `kv_writes_per_month>+1B` kept"),
        "{text}"
    );
    // Ten dollars are about what it is: within the interval neither way.
    let kept = with(&["--fail-if", "cost>+50USD", "--fail-if", "cost<+1%"], 0);
    assert_eq!(err(&kept), "");
    let undecided = with(&["--fail-if", "p95_query<+0ms"], 0);
    assert!(
        out(&undecided).contains("0 crossed, 1 undecided, 0 kept"),
        "{undecided:?}"
    );
    let strict = with(&["--fail-if", "p95_query<+0ms", "--fail-undecided"], 1);
    assert!(
        err(&strict).starts_with("? p95_query<+0ms undecided, "),
        "{strict:?}"
    );
    // There is no hit ratio before, or after, that could fall.
    let none = with(&["--fail-if", "hit_ratio<-2%"], 0);
    assert!(
        out(&none).contains("undecided, there is no value: -"),
        "{none:?}"
    );
    let one = diff(
        dir.path(),
        &[
            "optimised",
            "naive",
            "-n",
            "1",
            "--set",
            "period.requests=500",
            "--fail-if",
            "cost>+0%",
        ],
        0,
    );
    assert!(
        out(&one).contains("undecided, one replication has no interval"),
        "{one:?}"
    );
}

#[test]
fn a_wrong_threshold_is_one_message() {
    let dir = TempDir::new().unwrap();
    for (threshold, said) in [
        (
            "costs>+5%",
            "found the measure \"costs\", did you mean cost?",
        ),
        (
            "cost>5%",
            "found \"cost>5%\", expected a change after >: + or -, then a percentage of the old value (+10%), or an amount (+5USD)",
        ),
        (
            "cost",
            "found \"cost\", expected a measure, < or >, and a threshold, such as cost>+10% or hit_ratio<-2pp",
        ),
    ] {
        let output = diff(
            dir.path(),
            &["naive", "optimised", "--fail-if", threshold],
            2,
        );
        assert!(out(&output).is_empty());
        assert!(err(&output).contains(said), "{output:?}");
    }
    let output = diff(dir.path(), &["naive", "cloudflare"], 2);
    assert!(
        err(&output).contains("found a price catalog, expected a policy"),
        "{output:?}"
    );
    let output = diff(dir.path(), &["naive", "optimised", "--policy", "lazy"], 2);
    assert!(
        err(&output).contains("--policy: expected none"),
        "{output:?}"
    );
    let output = diff(
        dir.path(),
        &["default", "default", "--scenario", "world"],
        2,
    );
    assert!(
        err(&output).contains("--scenario: found \"world\", expected none"),
        "{output:?}"
    );
}

/// What is refused makes a bill small: that is said, and no threshold of the bill is kept by it.
#[test]
fn a_bill_that_falls_as_work_is_refused_is_not_taken_for_a_saving() {
    let dir = TempDir::new().unwrap();
    // A whole day is simulated, as the plan's limits are of days.
    let small = SCENARIO.replace("\"3M\"", "\"100k\"");
    fs::write(dir.path().join("old.toml"), &small).unwrap();
    let free = small.replace("\"paid\"", "\"free\"");
    fs::write(dir.path().join("new.toml"), free).unwrap();
    let args = ["old.toml", "new.toml", "--fail-if", "cost>+10%"];
    let text = out(&diff(dir.path(), &args, 0));
    assert!(
        text.contains("? `cost>+10%` undecided, the bill is not for the whole work: refuses"),
        "{text}"
    );
    assert!(
        text.contains("**The new bill is not for the whole work:** refuses"),
        "{text}"
    );
    assert!(text.contains(", plan `paid` → `free`"), "{text}");
    // Asked about, it has its own threshold.
    let args = [
        &args[..],
        &[
            "--fail-if",
            "refused>+0.1pp",
            "--fail-if",
            "kv_quota_exceeded_share>+0.1pp",
        ],
    ]
    .concat();
    let output = diff(dir.path(), &args, 1);
    assert!(out(&output).contains("✓ `cost>+10%` kept"), "{output:?}");
}

/// With a precision one scenario takes more replications than the other: both then get as many.
#[test]
fn both_sides_have_as_many_replications() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("old.toml"), SCENARIO).unwrap();
    let changed = SCENARIO
        .replace("\"3M\"", "\"300k\"")
        .replace("\"naive\"", "\"optimised\"");
    fs::write(dir.path().join("new.toml"), format!("seed = 99\n{changed}")).unwrap();
    let precision = [
        "--precision",
        "5%",
        "--precision-of",
        "operations_per_request",
        "--max-replications",
        "40",
    ];
    let json = diff_json(
        dir.path(),
        &[&["old.toml", "new.toml"], &precision[..]].concat(),
    );
    let point = &json["points"][0];
    let n = point["new"]["replications"].as_u64().unwrap();
    assert!(n > 3, "{n}");
    assert_eq!(point["old"]["replications"], n);
    assert_eq!(point["old"]["seed"], point["new"]["seed"]);
    assert_eq!(
        (&point["old"]["policy"], &point["new"]["policy"]),
        (&"naive".into(), &"optimised".into())
    );
    assert_eq!(point["new"]["traffic_per_month"], 300_000);
}

#[test]
fn folders_are_paired_if_seed_and_period_agree() {
    let dir = TempDir::new().unwrap();
    let into = |name: &str, more: &[&str]| {
        let args = [
            "-n",
            "3",
            "--traffic",
            "1M,3M",
            "--set",
            "period.requests=1000",
            "--out",
            name,
        ];
        sweep(dir.path(), &[&args[..], more].concat());
    };
    into("a", &["--seed", "7"]);
    into(
        "b",
        &["--seed", "7", "--set", "policy.batch.max_records=500"],
    );
    into("c", &["--seed", "8"]);
    let json = diff_json(dir.path(), &["a", "b"]);
    assert_eq!(json["kind"], "folder of results");
    assert_eq!(json["points"].as_array().unwrap().len(), 4);
    // The same as simulated anew, to the digits that files have.
    let policy = include_str!("../../models/policies/optimised.toml")
        .replace("max_records = 100", "max_records = 500");
    fs::write(dir.path().join("new.toml"), policy).unwrap();
    let anew = diff_json(
        dir.path(),
        &[
            "optimised",
            "new.toml",
            "-n",
            "3",
            "--seed",
            "7",
            "--traffic",
            "3M",
            "--set",
            "period.requests=1000",
        ],
    );
    let of_folders =
        json["points"].as_array().unwrap().iter().find(|p| {
            p["new"]["policy"] == "optimised" && p["new"]["traffic_per_month"] == 3_000_000
        });
    let of_folders = of_folders.unwrap();
    assert_eq!(of_folders["paired"], true);
    for name in [
        "kv_writes_per_month",
        "kv_operations_per_day",
        "operations_per_request",
        "cost_usd",
    ] {
        let of = |point: &Value| mean(&point["measures"][name]["difference"]);
        let (a, b) = (of(of_folders), of(&anew["points"][0]));
        let size = mean(&of_folders["measures"][name]["old"]);
        assert!((a - b).abs() <= 1e-4 * size, "{name}: {a} {b}");
    }
    let text = out(&diff(dir.path(), &["a", "c"], 0));
    assert!(
        text.contains("Not paired (3 and 3 replications): the seeds differ"),
        "{text}"
    );
    // A part of the points, and what stands alone.
    sweep(
        dir.path(),
        &[&QUICK[..], &["--policy", "optimised", "--out", "d"]].concat(),
    );
    let text = out(&diff(dir.path(), &["a", "d"], 0));
    assert!(
        text.contains("Only old, not compared: `naive` at 1M, `optimised` at 1M, `naive` at 3M."),
        "{text}"
    );
    let output = diff(dir.path(), &["a", "b", "--seed", "7"], 2);
    assert!(
        err(&output).contains("--seed: expected no such option"),
        "{output:?}"
    );
}

/// Of another tool, damaged, or made to do harm.
#[test]
fn a_folder_that_is_no_good_is_told_and_does_no_harm() {
    let dir = TempDir::new().unwrap();
    sweep(
        dir.path(),
        &[&QUICK[..], &["--policy", "optimised", "--out", "good"]].concat(),
    );
    let good: Vec<(String, String)> = ["sweep.csv", "replications.csv", "run.json"]
        .map(|n| {
            (
                n.to_owned(),
                fs::read_to_string(dir.path().join("good").join(n)).unwrap(),
            )
        })
        .into();
    let forge = |name: &str, from: &str, to: &str| {
        let folder = dir.path().join("bad");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        for (file, text) in &good {
            let changed = if file == name {
                text.replacen(from, to, 1)
            } else {
                text.clone()
            };
            assert!(file != name || &changed != text, "{name}: {from}");
            fs::write(folder.join(file), changed).unwrap();
        }
    };
    let refused = || err(&diff(dir.path(), &["good", "bad"], 2));
    forge("sweep.csv", "3000000,", "lots,");
    let said = refused();
    assert!(
        said.contains(
            "sweep.csv:2: field `traffic_per_month`: found \"lots\", expected a whole number"
        ),
        "{said}"
    );
    forge("sweep.csv", ",paid,1,", ",paid,1,1e999,");
    assert!(refused().contains("columns, expected"));
    forge("replications.csv", "paid,1,", "paid,7,");
    assert!(refused().contains("field `replication`: found \"7\", expected 1, the next one"));
    forge("run.json", "\"kvplan\"", "\"other\"");
    assert!(refused().contains("run.json:1: found no field kvplan"));
    forge("run.json", "{", "");
    assert!(refused().contains("run.json:"));
    // A number that is none, or has no end.
    for number in ["inf", "1e999", "NaN", "x"] {
        let text = &good[0].1;
        let (header, row) = text.split_once('\n').unwrap();
        let at = header.split(',').position(|h| h == "cost_usd").unwrap();
        let mut cells: Vec<&str> = row.trim().split(',').collect();
        cells[at] = number;
        forge("sweep.csv", row, &format!("{}\n", cells.join(",")));
        let said = refused();
        assert!(
            said.contains(&format!(
                "field `cost_usd`: found \"{number}\", expected a number"
            )),
            "{said}"
        );
    }
    // What a name holds does nothing to a terminal, nor to the page of a pull request.
    for (file, _) in &good[..2] {
        let text = fs::read_to_string(dir.path().join("good").join(file)).unwrap();
        let harm = "\"a\u{1b}[2J`|<img src=x>@all\"";
        fs::write(
            dir.path().join("bad").join(file),
            text.replace("optimised", harm),
        )
        .unwrap();
    }
    fs::write(dir.path().join("bad/run.json"), &good[2].1).unwrap();
    let text = out(&diff(dir.path(), &["good", "bad"], 0));
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(
        text.contains("olicy `optimised` → `a [2J'¦<img src=x>@all`"),
        "{text}"
    );
    let foreign = dir.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("results.json"), "{}").unwrap();
    let said = err(&diff(dir.path(), &["good", "foreign"], 2));
    assert!(
        said.contains("foreign: holds no results of kvplan sweep or kvplan run --out"),
        "{said}"
    );
}

#[test]
fn both_forms_are_written_with_what_it_takes_to_repeat_them() {
    let dir = TempDir::new().unwrap();
    let args = [
        "naive",
        "optimised",
        "--fail-if",
        "cost>+10%",
        "--out",
        "d",
        "--quiet",
    ];
    let output = diff(dir.path(), &[&args, &QUICK[..]].concat(), 0);
    assert!(out(&output).is_empty(), "{output:?}");
    let written = files(&dir.path().join("d"));
    let names: Vec<&str> = written.iter().map(|f| f.0.as_str()).collect();
    assert_eq!(names, ["diff.json", "diff.md", "run.json"]);
    let run: Value = serde_json::from_slice(&written[2].1).unwrap();
    assert_eq!(run["command"], "diff");
    assert_eq!(run["seed"], 7);
    let given: Vec<&str> = run["arguments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a.as_str().unwrap())
        .collect();
    // Given again, they do the same.
    let text = out(&diff(dir.path(), &given, 0));
    assert_eq!(
        text.trim_end(),
        String::from_utf8_lossy(&written[1].1).trim_end()
    );
}

#[test]
fn assertions_are_listed_and_decide_the_exit_code() {
    let dir = TempDir::new().unwrap();
    let run =
        |command: &str, more: &[&str]| kvplan(dir.path(), &[&[command], &QUICK[..], more].concat());
    let held = run(
        "run",
        &[
            "--assert",
            "cost<20USD,operations_per_request<5",
            "--out",
            "r",
        ],
    );
    assert_eq!(held.status.code(), Some(0), "{held:?}");
    assert!(
        out(&held).contains("Assertions: 4 of 4 hold\n  ✓ cost<20USD: $"),
        "{held:?}"
    );
    let json: Value =
        serde_json::from_slice(&fs::read(dir.path().join("r/run.json")).unwrap()).unwrap();
    assert_eq!(json["assertions"][0]["verdict"], "holds");
    let failed = run("compare", &["--assert", "cost<1USD", "naive", "optimised"]);
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    assert!(
        out(&failed).contains("  ✗ cost<1USD: $5.00 ± 0.00 (policy optimised, 3M requests/month)"),
        "{failed:?}"
    );
    // No value, or too few: that is not as it was asserted.
    let undecided = run(
        "run",
        &[
            "--policy",
            "naive",
            "--assert",
            "hit_ratio>80%,p99_query<9s",
        ],
    );
    assert_eq!(undecided.status.code(), Some(1), "{undecided:?}");
    let text = out(&undecided);
    assert!(
        text.contains("? hit_ratio>80%: -; undecided: there is no value"),
        "{text}"
    );
    assert!(
        text.contains("? p99_query<9s: too few; undecided: too few calls"),
        "{text}"
    );
    assert!(
        text.contains("What is undecided (?) does not hold."),
        "{text}"
    );
    let quiet = run("sweep", &["--quiet", "--out", "s", "--assert", "cost<6USD"]);
    assert_eq!(quiet.status.code(), Some(1), "{quiet:?}");
    assert!(out(&quiet).is_empty());
    assert!(
        err(&quiet).starts_with("✗ cost<6USD: $") && err(&quiet).lines().count() == 1,
        "{quiet:?}"
    );
    let bad = run("run", &["--assert", "cost<20"]);
    assert_eq!(bad.status.code(), Some(2), "{bad:?}");
    assert!(
        err(&bad).contains("expected an amount with its currency"),
        "{bad:?}"
    );
    let shard = run(
        "sweep",
        &["--shard", "1/1", "--out", "s", "--assert", "cost<6USD"],
    );
    assert_eq!(shard.status.code(), Some(2), "{shard:?}");
    sweep(
        dir.path(),
        &[&QUICK[..], &["--shard", "1/1", "--out", "m"]].concat(),
    );
    let merged = kvplan(
        dir.path(),
        &["merge", "m", "--out", "m", "--assert", "cost<6USD"],
    );
    assert_eq!(merged.status.code(), Some(1), "{merged:?}");
    // An invoice for a program stays one.
    let invoice = run(
        "run",
        &[
            "--policy",
            "naive",
            "--format",
            "json",
            "--assert",
            "cost<1USD",
        ],
    );
    assert_eq!(invoice.status.code(), Some(1));
    assert!(
        serde_json::from_slice::<Value>(&invoice.stdout).is_ok(),
        "{invoice:?}"
    );
    assert!(err(&invoice).starts_with("✗ cost<1USD"), "{invoice:?}");
}

/// A low bill of a plan that refuses the work proves nothing.
#[test]
fn a_bill_that_is_low_as_work_is_refused_does_not_hold() {
    let dir = TempDir::new().unwrap();
    let run = |assertion: &str| {
        let args = [
            "run",
            "--policy",
            "naive",
            "--plan",
            "free",
            "--quiet",
            "-n",
            "3",
            "--traffic",
            "100k",
            "--set",
            "period.requests=1000",
            "--assert",
            assertion,
        ];
        kvplan(dir.path(), &args)
    };
    let output = run("cost<20USD");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        err(&output).contains(
            "? cost<20USD: $0.00 ± 0.00; undecided: the bill is not for the whole work: refuses"
        ),
        "{output:?}"
    );
}

/// The steps of the workflow with kvplan in them, as a runner has them run.
#[cfg(unix)]
#[test]
fn the_workflows_commands_do_what_it_says() {
    use saphyr::{LoadableYamlNode, Yaml};
    let text = include_str!("../../examples/ci/kvplan-diff.yml");
    let documents = Yaml::load_from_str(text).unwrap();
    let steps = documents[0]["jobs"]["diff"]["steps"].as_vec().unwrap();
    let scripts: Vec<&str> = steps
        .iter()
        .filter_map(|s| s.as_mapping_get("run")?.as_str())
        .filter(|run| run.starts_with("kvplan "))
        .collect();
    assert_eq!(scripts.len(), 2, "{scripts:?}");
    let comment = steps
        .iter()
        .filter_map(|s| s.as_mapping_get("run")?.as_str());
    assert!(
        comment
            .clone()
            .any(|run| run.contains("body=@diff/diff.md"))
    );
    let dir = TempDir::new().unwrap();
    let put = |side: &str, scenario: &str| {
        let folder = dir.path().join(side).join("kvplan");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("production.toml"), scenario).unwrap();
    };
    let optimised = SCENARIO.replace("naive", "optimised");
    let bin = Path::new(env!("CARGO_BIN_EXE_kvplan")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let run = |script: &str| {
        let mut bash = std::process::Command::new("bash");
        bash.args(["-e", "-c", script])
            .current_dir(dir.path())
            .env("PATH", &path)
            .env("GITHUB_STEP_SUMMARY", dir.path().join("summary.md"));
        bash.output().unwrap()
    };
    put("old", SCENARIO);
    put("new", &optimised);
    for script in &scripts {
        let output = run(script);
        assert_eq!(output.status.code(), Some(0), "{script}: {output:?}");
    }
    let written = fs::read_to_string(dir.path().join("diff/diff.md")).unwrap();
    let summary = fs::read_to_string(dir.path().join("summary.md")).unwrap();
    assert!(summary.starts_with(&written), "{summary}");
    // The other way round it costs more, and the comment is there all the same.
    put("old", &optimised);
    put("new", SCENARIO);
    fs::remove_dir_all(dir.path().join("diff")).unwrap();
    let output = run(scripts[0]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(err(&output).contains("✗ cost>+10% crossed"), "{output:?}");
    assert!(dir.path().join("diff/diff.md").is_file());
}
