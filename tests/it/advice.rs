//! What kvplan advises: nothing that loses or refuses the work, and nothing that it does not know.

use crate::setup::rows;
use assert_cmd::Command;
use kvplan::models::parse_overrides;
use kvplan::models::quantity::Count;
use kvplan::pricing::{MeterItem, Money};
use kvplan::run::scenario::Scenario;
use kvplan::run::{Point, simulate};
use kvplan::study::breakeven::{Question, Settings, breakeven};
use kvplan::study::cheapest::{Reason, Standing, standings};
use kvplan::study::replicate::Work;
use kvplan::study::sweep::{Cell, crossing, sweep};
use std::collections::BTreeMap;
use std::fs;
use tempfile::TempDir;

fn kvplan(args: &[&str]) -> (String, Option<i32>) {
    let output = Command::cargo_bin("kvplan")
        .unwrap()
        .args(args)
        .output()
        .unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    (text, output.status.code())
}

fn number(row: &BTreeMap<String, String>, name: &str) -> f64 {
    row[name].parse().unwrap_or(f64::NAN)
}

fn scenario(name: &str, plan: Option<&str>, sets: &[&str], replications: u32) -> Scenario {
    let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
    let mut scenario = Scenario::load(name, &[], plan, &parse_overrides(&sets).unwrap()).unwrap();
    scenario.replications = replications;
    scenario
}

fn swept(scenario: &Scenario, levels: &[u64]) -> Vec<Cell> {
    let levels: Vec<Count> = levels.iter().map(|l| Count(*l)).collect();
    sweep(scenario, &levels, &Work::unwatched()).unwrap()
}

/// A quarter of an hour of the fleet on which writers of one key lose each other's updates.
const SHORT: [&str; 14] = [
    "--set",
    "policy.queries.analytics_window=\"20 min\"",
    "--set",
    "policy.queries.metrics_window=\"20 min\"",
    "--set",
    "period.history=\"10 min\"",
    "--set",
    "period.warm_up=\"1 min\"",
    "--set",
    "period.at_least=\"10 min\"",
    "--set",
    "period.at_most=\"15 min\"",
    "-n",
    "4",
];

const LAYOUTS: &str = r#"
title = "key layouts"
base = "optimised"
base_many_writers = "optimised-fleet"
plans = ["paid"]

[[dimension]]
name = "keys"
option = [
    { label = "shared", set = { "layout.keys" = "shared" } },
    { label = "own", set = { "layout.keys" = "rollup" } },
]
"#;

#[test]
fn what_loses_updates_is_neither_the_cheapest_nor_chosen() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().to_str().unwrap();
    let mut args = vec!["sweep", "--scenario", "lost-updates", "--traffic", "3M"];
    args.extend(SHORT);
    args.extend(["--policy", "shared-key,optimised-fleet", "--out", out]);
    let (text, _) = kvplan(&args);
    let all = rows(&dir.path().join("sweep.csv"));
    let [shared, own] = &all[..] else {
        panic!("{all:?}")
    };
    let loss = number(shared, "loss_rate");
    assert!((0.3..1.0).contains(&loss), "{loss}");
    // The causes add up.
    let causes = [
        "lost_overflow_newest_rate",
        "lost_overflow_oldest_rate",
        "lost_evicted_rate",
        "lost_waited_rate",
        "lost_update_rate",
    ];
    for row in &all {
        let sum: f64 = causes.iter().map(|c| number(row, c)).sum();
        assert!((sum - number(row, "loss_rate")).abs() < 1e-5, "{row:?}");
    }
    assert!(number(shared, "cost_usd") < number(own, "cost_usd"));
    assert!(
        shared["cheapest"].starts_with("excluded: loses "),
        "{}",
        shared["cheapest"]
    );
    assert_eq!(
        (number(own, "lost_update_rate"), &*own["cheapest"]),
        (0.0, "yes")
    );
    assert!(text.contains("3M shared-key: loses "), "{text}");
    kvplan(&["report", out]);
    let page = fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(page.contains("left out shared-key, which loses "));

    let search = dir.path().join("search.toml");
    fs::write(&search, LAYOUTS).unwrap();
    let plans = dir.path().join("plan");
    let mut args = vec!["plan", "--scenario", "lost-updates", "--traffic", "3M"];
    args.extend(SHORT);
    // Four short replications tell of an isolate that may end with its buffer no more than this.
    let slo = "cost<500USD,loss<10%";
    args.extend(["--slo", slo, "--search", search.to_str().unwrap()]);
    args.extend(["--out", plans.to_str().unwrap()]);
    let (text, code) = kvplan(&args);
    assert_eq!(code, Some(0), "{text}");
    let all = rows(&plans.join("plan.csv"));
    let status = |keys: &str| &all.iter().find(|r| r["keys"] == keys).unwrap()["status"];
    assert_eq!(status("own"), "chosen");
    let shared = all.iter().find(|r| r["keys"] == "shared").unwrap();
    assert_eq!(shared["meets_objectives"], "false");
    assert!(number(shared, "loss_rate") > 0.3, "{shared:?}");
    println!("shared key: loss {loss}\n{text}");
}

#[test]
fn what_loses_records_neither_pays_off_nor_crosses() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().to_str().unwrap();
    let mut args = vec!["breakeven", "--scenario", "lost-updates"];
    args.extend(SHORT);
    args.extend(["--traffic", "300k,3M", "--out", out]);
    args.extend(["--policy", "shared-key,optimised-fleet"]);
    let (text, _) = kvplan(&args);
    let all = rows(&dir.path().join("breakeven.csv"));
    let told = |policy: &str, question: &str| {
        let mut found = all.iter();
        found
            .find(|r| r["policy"] == policy && r["question"] == question)
            .unwrap()
    };
    let why = "excluded at 300k, 3M (shared-key: loses ";
    for question in ["pays_off", "crosses"] {
        let row = told("shared-key", question);
        assert!(row["excluded"].starts_with(why), "{row:?}");
        assert!(row["answer"].starts_with(why), "{row:?}");
        assert_eq!(row["traffic_per_month"], "", "{row:?}");
    }
    // What does the work may pay off against what does not, which is said.
    let other = told("optimised-fleet", "pays_off");
    assert_eq!(other["excluded"], "");
    assert!(other["other_excluded"].starts_with(why), "{other:?}");
    let costs = rows(&dir.path().join("breakeven_cost.csv"));
    assert_eq!(costs.len(), 4);
    for row in costs.iter().filter(|r| r["policy"] == "shared-key") {
        let (loss, half) = (number(row, "loss_rate"), number(row, "loss_rate_ci95"));
        assert!((0.05..1.0).contains(&loss), "{row:?}");
        assert!(half > 0.0 && half < loss, "{row:?}");
        assert!(row["excluded"].starts_with("loses "), "{row:?}");
        let beside = format!("{} ± ", kvplan::report::format::percent(loss));
        assert!(text.contains(&beside), "{beside} is missing in:\n{text}");
    }
    for file in ["breakeven.svg", "breakeven_cost.svg"] {
        let svg = fs::read_to_string(dir.path().join(file)).unwrap();
        assert!(!svg.contains("shared-key pays off"), "{file}");
        assert!(svg.contains("loses"), "{file}");
    }
    kvplan(&["report", out]);
    let page = fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(page.contains("shared-key: loses "));
    println!("{text}");
}

#[test]
fn a_forecast_tells_what_is_lost_beside_what_it_costs() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().to_str().unwrap();
    let mut args = vec!["forecast", "--scenario", "lost-updates"];
    args.extend(SHORT);
    args.extend(["--traffic", "1M", "--months", "2", "--out", out]);
    args.extend(["--policy", "shared-key,optimised-fleet"]);
    let (text, _) = kvplan(&args);
    let all = rows(&dir.path().join("forecast.csv"));
    assert_eq!(all.len(), 6);
    for row in &all {
        let lost = number(row, "lost_share_mean");
        let (low, high) = (number(row, "lost_share_p05"), number(row, "lost_share_p95"));
        assert!(low <= lost && lost <= high, "{row:?}");
        let is_shared = row["policy"] == "shared-key";
        assert_eq!(lost > 0.1, is_shared, "{row:?}");
        assert_eq!(row["excluded"].starts_with("loses "), is_shared, "{row:?}");
    }
    assert!(text.contains("shared-key, lost"), "{text}");
    let note = "The cost of shared-key is not for the whole work in months 0 to 2: loses ";
    assert!(text.contains(note), "{text}");
    let svg = fs::read_to_string(dir.path().join("forecast.svg")).unwrap();
    assert!(svg.contains("shared-key (refuses or loses)"));
    assert!(svg.contains("Work is refused or lost"));
    println!("{text}");
}

#[test]
fn of_a_level_no_interval_is_told() {
    for n in ["1", "3"] {
        let args = ["--set", "period.requests=\"500\"", "-n", n];
        let (text, _) = kvplan(&[&["compare", "naive", "optimised"], &args[..]].concat());
        assert!(!text.contains("NaN"), "{text}");
        let row = text.lines().find(|l| l.starts_with(" isolates_peak"));
        let row = row.unwrap_or_else(|| panic!("{text}"));
        assert!(
            row.trim_end().ends_with("a level, no interval is stated"),
            "{row}"
        );
    }
}

#[test]
fn a_loss_that_cannot_be_known_is_not_taken_for_none() {
    let sets = [
        "period.history=\"1 h\"",
        "period.at_least=\"2 h\"",
        "period.at_most=\"2 h\"",
        "policy.layout.retention=\"2 h\"",
        "policy.queries.analytics_window=\"1 h\"",
    ];
    let mut scenario = scenario("lost-updates", None, &sets, 2);
    scenario.policies.truncate(2);
    let cells = swept(&scenario, &[300_000]);
    assert!(cells[0].estimate("loss_rate").mean.is_nan());
    assert!(cells[0].estimate("lost_update_rate").mean.is_nan());
    assert_eq!(
        standings(&cells)[0],
        Standing::Excluded(Reason::LossUnknown)
    );
    // Where no two writers share a key, none is lost, whatever has expired.
    assert_eq!(cells[1].estimate("lost_update_rate").mean, 0.0);
    let summary = kvplan::report::write::summary::summary(&cells).to_string();
    assert!(summary.contains(" unknown "), "{summary}");
}

/// With fewer keys than in the long run the reads of a query are not what a bill is made of.
#[test]
fn what_is_read_of_a_history_that_is_too_short_is_not_told_as_known() {
    let of = |policy: &str, fleet: &str, history: &str| {
        let sets = [
            format!("fleet=\"{fleet}\""),
            format!("period.history=\"{history}\""),
            "period.at_least=\"20 min\"".into(),
            "period.at_most=\"20 min\"".into(),
            "policy.queries.analytics_window=\"1 h\"".into(),
        ];
        let overrides = parse_overrides(&sets).unwrap();
        let mut scenario = Scenario::load("default", &[policy.into()], None, &overrides).unwrap();
        scenario.replications = 3;
        swept(&scenario, &[1_000_000])
    };
    let half_width = |cells: &[Cell], name: &str| cells[0].estimate(name).half_width;
    let names = ["cost_usd", "kv_reads_per_month", "operations_per_request"];
    let short = of("optimised-fleet", "regions", "30 min");
    for name in names {
        assert!(short[0].estimate(name).mean > 0.0);
        assert!(half_width(&short, name).is_nan(), "{name}");
    }
    assert!(half_width(&short, "kv_writes_per_month") > 0.0);
    let excluded = [Standing::Excluded(Reason::ShortHistory)];
    assert_eq!(standings(&short), excluded);
    let summary = kvplan::report::write::summary::summary(&short).to_string();
    assert!(summary.contains("unknown reads"), "{summary}");
    // A longer history, or a policy that asks for its own keys by their names, whether they are there or not.
    for known in [
        of("optimised-fleet", "regions", "1 h"),
        of("optimised", "single", "0 s"),
    ] {
        for name in names {
            assert!(half_width(&known, name).is_finite(), "{name}");
        }
        assert_eq!(standings(&known), [Standing::Least]);
    }
}

#[test]
fn what_a_free_plan_refuses_stands_beside_its_nothing() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().to_str().unwrap();
    let args = ["sweep", "--traffic", "20M", "--plan", "free", "-n", "2"];
    let (text, _) = kvplan(&[&args[..], &["--out", out]].concat());
    let all = rows(&dir.path().join("sweep.csv"));
    for row in &all {
        assert_eq!(number(row, "cost_usd"), 0.0);
        // 20M a month and other calls beside them, of which the plan takes 100,000 a day.
        let refused = number(row, "requests_refused_share");
        assert!((0.845..0.865).contains(&refused), "{refused}");
        assert!(
            row["cheapest"].starts_with("excluded: refuses 85"),
            "{row:?}"
        );
    }
    assert!(text.contains("refused requests / operations"), "{text}");
    assert!(text.contains("20M optimised: refuses 85"), "{text}");
    // Demand: 20M writes a month where 30,000 are allowed.
    let wanted = number(&all[0], "quota_use_writes");
    assert!((wanted / 666.7 - 1.0).abs() < 0.02, "{wanted}");
    kvplan(&["report", out]);
    let page = fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(page.contains("none does the whole work"));
    assert!(page.contains("of the requests are refused, at 20M"));
    assert!(!page.contains("Nothing is refused"));
    println!("{text}");
}

#[test]
fn what_a_plan_refuses_is_told_by_every_command_that_tells_its_cost() {
    let dir = TempDir::new().unwrap();
    let free = ["--plan", "free", "--traffic", "1M", "-n", "1"];
    let with = |command: &[&str], more: &[&str]| {
        let out = dir.path().join(command[0]);
        let mut args = [command, &free[..], more].concat();
        let out = out.to_str().unwrap();
        if !["run", "compare"].contains(&command[0]) {
            args.extend(["--out", out]);
        }
        kvplan(&args).0
    };
    let run = with(&["run"], &["--policy", "naive"]);
    assert!(run.contains("of the KV operations are refused"), "{run}");
    let compare = with(&["compare", "naive", "optimised"], &[]);
    assert!(
        compare.contains("Not for the whole work, policy naive under plan \"free\": "),
        "{compare}"
    );
    let forecast = with(&["forecast"], &["--months", "1", "--policy", "naive"]);
    assert!(forecast.contains("naive, refused"), "{forecast}");
    let months = rows(&dir.path().join("forecast/forecast.csv"));
    assert!(number(&months[0], "refused_share_mean") > 0.5, "{months:?}");
    let stores = with(&["compare-stores"], &["--policy", "naive", "--store", "kv"]);
    assert!(stores.contains("refused"), "{stores}");
    let store = &rows(&dir.path().join("compare-stores/stores.csv"))[0];
    let refused = number(store, "refused_by_plan_share");
    assert!((0.3..1.0).contains(&refused), "{refused}");
    assert_eq!((&*store["able"], &*store["cheapest"]), ("false", "false"));
    for (name, text) in [
        ("run", run),
        ("compare", compare),
        ("forecast", forecast),
        ("stores", stores),
    ] {
        let first = text.lines().next().unwrap();
        assert!(
            first.contains("plan \"free\"") && !first.contains("Paid"),
            "{name}: {first}"
        );
        assert!(
            first.contains("1 replication, seed 20260113"),
            "{name}: {first}"
        );
    }
}

/// The mark of the cost chart is where the mean demand of an average day reaches the quota, and so
/// is break-even's answer; each has the sampling error of its own days.
#[test]
fn the_mark_of_a_used_up_quota_is_that_of_breakeven() {
    let mut scenario = scenario("default", Some("free"), &[], 5);
    scenario.policies.truncate(1);
    let cells = swept(&scenario, &[10_000, 30_000, 100_000]);
    let all: Vec<&Cell> = cells.iter().collect();
    let mark = crossing(&all, "quota_use_writes", 1.0).unwrap();
    let at_100k = cells[2].estimate("quota_use_writes").mean;
    assert!((at_100k / 3.333 - 1.0).abs() < 0.05, "{at_100k}");
    let settings = Settings {
        levels: [10_000, 30_000, 100_000].map(Count).to_vec(),
        fixed_cost: Money::ZERO,
        refused: 0.01,
    };
    let found = breakeven(&scenario, &settings, &Work::unwatched()).unwrap();
    let writes = Question::Quota(MeterItem::KvWrites);
    let answer = found.answers.iter().find(|a| a.question == writes).unwrap();
    let c = &answer.crossing;
    let spread = |cell: &Cell| {
        let e = cell.estimate("quota_use_writes");
        e.half_width / e.mean
    };
    let own = mark * spread(&cells[1]).max(spread(&cells[2]));
    assert!(
        mark > c.low - own && mark < c.high + own,
        "mark {mark} ± {own}, break-even {} ({} to {})",
        c.at,
        c.low,
        c.high
    );
    println!(
        "mark {mark:.0} ± {own:.0}, break-even {:.0} ({:.0} to {:.0})",
        c.at, c.low, c.high
    );
}

/// On a free plan that had a million writes a day, Worker requests are the first that are used up.
#[test]
fn used_up_worker_requests_are_marked_and_told() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().to_str().unwrap();
    let catalog = concat!(env!("CARGO_MANIFEST_DIR"), "/models/prices/cloudflare.toml");
    let generous = fs::read_to_string(catalog).unwrap();
    let generous = generous.replacen("daily_limit = \"1k\"", "daily_limit = \"1M\"", 1);
    let prices = dir.path().join("generous.toml");
    fs::write(&prices, generous).unwrap();
    let prices = format!("billing.catalog=\"{}\"", prices.display());
    let batches = ["--set", &prices];
    let args = [
        "sweep",
        "--plan",
        "free",
        "--policy",
        "optimised",
        "-n",
        "2",
    ];
    let levels = ["--traffic", "3M,20M", "--out", out];
    let (text, _) = kvplan(&[&args[..], &batches, &levels].concat());
    assert!(text.contains("requests wanted"), "{text}");
    let all = rows(&dir.path().join("sweep.csv"));
    // Of 3M a month; the metrics page and others send some, too.
    let wanted = number(&all[1], "quota_use_requests");
    assert!((20.0 / 3.0..7.1).contains(&wanted), "{wanted}");
    let chart = fs::read_to_string(dir.path().join("cost.svg")).unwrap();
    let mark = "optimised: Worker requests used up at every level from 3M";
    assert!(chart.contains(mark), "{chart}");
    let chart = fs::read_to_string(dir.path().join("quota_use.svg")).unwrap();
    assert!(chart.contains("optimised: Worker requests"));
    kvplan(&["report", out]);
    let page = fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(page.contains("optimised: Worker requests at every level from 3M"));
    assert!(!page.contains("optimised: nowhere"));
    assert!(page.contains("requests wanted"));
    println!("{text}");
}

/// Break-even counts Worker requests as the chart does.
#[test]
fn the_mark_of_used_up_requests_is_that_of_breakeven() {
    let sets = ["period.requests=\"5k\"", "period.calls=0"];
    let mut scenario = scenario("default", Some("free"), &sets, 3);
    scenario.policies.remove(0);
    let levels = [1_000_000, 10_000_000];
    let cells = swept(&scenario, &levels);
    let all: Vec<&Cell> = cells.iter().collect();
    let mark = crossing(&all, "quota_use_requests", 1.0).unwrap();
    let settings = Settings {
        levels: levels.map(Count).to_vec(),
        fixed_cost: Money::ZERO,
        refused: 0.01,
    };
    let found = breakeven(&scenario, &settings, &Work::unwatched()).unwrap();
    let requests = Question::Quota(MeterItem::WorkersRequests);
    let answer = found.answers.iter().find(|a| a.question == requests);
    let at = answer.unwrap().crossing.at;
    println!("mark {mark:.0}, break-even {at:.0}");
    // Three replications of 5,000 requests know a rate to 2%.
    assert!((mark / at - 1.0).abs() < 0.04, "{mark} against {at}");
}

#[test]
fn what_a_rehearsal_refuses_stands_beside_its_cost() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().to_str().unwrap();
    let args = ["rehearse", "--plan", "free", "--traffic", "1M", "-n", "1"];
    let (text, _) = kvplan(&[&args[..], &["--length", "6 h", "--out", out]].concat());
    assert!(text.contains("of the KV operations are refused"), "{text}");
    let all = rows(&dir.path().join("rehearsal.csv"));
    let cost = all.iter().find(|r| r["measure"] == "cost_usd").unwrap();
    assert_eq!((&*cost["found"], &*cost["verdict"]), ("0", "not met"));
    assert!(
        cost["reason"].contains("kv_quota_exceeded_share ")
            && cost["reason"].contains("which is not for the whole work"),
        "{cost:?}"
    );
    for row in &all {
        assert!(number(row, "kv_quota_exceeded_share") > 0.001, "{row:?}");
        assert!(number(row, "loss_rate") >= 0.0, "{row:?}");
    }
    println!("{text}");
}

/// Options of a command that change what its figures mean, and where they have to be told.
#[test]
fn every_command_tells_its_own_options() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let search = path("search.toml");
    fs::write(&search, LAYOUTS.replace("shared", "batch_keys")).unwrap();
    let log = path("log.csv");
    let times: Vec<String> = (0..200).map(|i| (1_700_000_000 + i).to_string()).collect();
    fs::write(&log, format!("timestamp\n{}\n", times.join("\n"))).unwrap();
    let in_log = format!("the recorded log {log}, ");
    let in_search = format!("--search {search}");
    let commands: [(&[&str], &[&str]); 7] = [
        (
            &["replay", &log, "--amplify", "3", "--speed", "2"],
            &[&in_log, "--speed 2 --amplify 3 --jitter \"1 s\""],
        ),
        (
            &["forecast", "--months", "2", "--month-sd", "7%"],
            &["--month-sd 7%"],
        ),
        (
            &["breakeven", "--traffic", "1M,10M", "--fixed-cost", "3"],
            &["--fixed-cost $3.00 --refused 1%"],
        ),
        (
            &[
                "plan",
                "--slo",
                "cost<900USD",
                "--tie",
                "30%",
                "--search",
                &search,
            ],
            &["--slo \"cost<900USD\"", &in_search, "--tie 30%"],
        ),
        (
            &["rehearse", "--length", "1 h"],
            &["--length \"1 h\" --checklist load-testing"],
        ),
        (
            &["sensitivity", "--morris", "0", "--policy", "naive"],
            &["--policy naive", "--measure cost_usd --inputs default"],
        ),
        (
            &[
                "compare-stores",
                "--store",
                "d1",
                "--set",
                "store.d1.service.limits.bulk_read_keys=50",
            ],
            &["--set store.d1.service.limits.bulk_read_keys=50"],
        ),
    ];
    for (command, told) in commands {
        let out = path(command[0]);
        let mut args = [command, &["--out", &out, "-n", "2"]].concat();
        if command[0] != "rehearse" && command[0] != "replay" {
            args.extend([
                "--set",
                "period.requests=\"200\"",
                "--set",
                "period.calls=0",
            ]);
        }
        let (text, _) = kvplan(&args);
        let line = text.lines().next().unwrap();
        for option in told {
            assert!(line.contains(option), "{option} is not told: {line}");
        }
        assert!(
            command[0] != "replay" || !text.contains("Poisson"),
            "{text}"
        );
        println!("{line}");
        // The same line on every chart (its <desc>) and in run.json.
        let escaped = kvplan::report::draw::hover::escape(line);
        let files = fs::read_dir(&out).unwrap().map(|e| e.unwrap().path());
        let mut charts = 0;
        for file in files {
            let name = file.file_name().unwrap().to_str().unwrap();
            if name.ends_with(".svg") {
                charts += 1;
                let svg = fs::read_to_string(&file).unwrap();
                assert!(
                    svg.contains(&escaped),
                    "{name} of {}: {escaped}",
                    command[0]
                );
            }
            if name == "run.json" || name == "stores.json" {
                let run: serde_json::Value =
                    serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
                assert_eq!(run["settings"], line, "{name} of {}", command[0]);
            }
        }
        assert!(charts > 0, "{}", command[0]);
    }
    let marks = fs::read_to_string(dir.path().join("breakeven/breakeven_cost.svg")).unwrap();
    assert!(
        marks.contains("optimised saves more than $3.00 a month against naive at "),
        "{marks}"
    );
}

#[test]
fn the_replications_told_are_those_that_a_precision_took() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().to_str().unwrap();
    let args = ["run", "--precision", "1%", "-n", "3", "--out", out];
    let short = [
        "--policy",
        "naive",
        "--traffic",
        "1M",
        "--set",
        "period.requests=\"200\"",
        "--set",
        "period.calls=0",
        "--precision-of",
        "operations_per_request",
    ];
    let (text, _) = kvplan(&[&args[..], &short].concat());
    let measures = rows(&dir.path().join("measures.csv"));
    let rest_on = &measures[0]["replications"];
    let told = format!("; {rest_on} replications, seed ");
    assert!(rest_on.parse::<u32>().unwrap() > 3, "{rest_on}");
    assert!(text.lines().next().unwrap().contains(&told), "{text}");
    let run: serde_json::Value =
        serde_json::from_slice(&fs::read(dir.path().join("run.json")).unwrap()).unwrap();
    assert!(run["settings"].as_str().unwrap().contains(&told), "{run}");
}

/// Much more was lost before the period than is stored in it.
#[test]
fn lost_updates_are_counted_over_the_period_and_lie_within_it() {
    let settings = [
        "period.history=\"2 h\"",
        "period.at_least=\"10 min\"",
        "period.at_most=\"10 min\"",
    ];
    let scenario = scenario("lost-updates", None, &settings, 1);
    for replication in 0..2 {
        let point = Point {
            scenario: &scenario,
            policy: &scenario.policies[0],
            traffic: Count(300_000),
            replication,
        };
        let r = simulate(&point).unwrap();
        let (lost, stored) = (r.lost_updates.unwrap(), r.counters.stored);
        // Two hours are twelve periods.
        assert!(12.0 * r.missing_share.unwrap() > 2.0);
        println!("{lost} of {stored} lost");
        assert!(lost > 0 && lost < stored, "{lost} of {stored}");
    }
}

#[test]
fn titles_leave_the_settings_to_the_line_that_tells_them() {
    let embedded = kvplan::models::embedded_names("scenarios");
    assert!(embedded.len() > 5);
    for name in embedded {
        let scenario = Scenario::load(&name, &[], None, &[]).unwrap();
        for setting in [
            "Workers",
            "one isolate",
            "machines",
            "requests/month",
            "free-as-claimed",
        ] {
            assert!(
                !scenario.title.contains(setting),
                "{name}: {}",
                scenario.title
            );
        }
    }
    let dir = TempDir::new().unwrap();
    let out = dir.path().to_str().unwrap();
    let quick = [
        "--set",
        "period.requests=\"500\"",
        "-n",
        "2",
        "--plan",
        "free",
    ];
    let args = [
        "sweep",
        "--traffic",
        "10k",
        "--policy",
        "naive",
        "--out",
        out,
    ];
    let (text, _) = kvplan(&[&args[..], &quick].concat());
    let line = text.lines().next().unwrap();
    assert_eq!(
        line,
        "LLM gateway, Poisson arrivals; plan \"free\"; 10k requests/month; one isolate; KV latency: Workers KV 2025; prices: Cloudflare, as published (2026-11-25); with --policy naive --set period.requests=\"500\"; 2 replications, seed 20260113"
    );
    // The same line on every chart (its <desc>), in run.json, and on the page.
    let told = line.replace('"', "&#34;");
    let charts = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path());
    let charts: Vec<_> = charts
        .filter(|p| p.extension().is_some_and(|e| e == "svg"))
        .collect();
    assert_eq!(charts.len(), 7);
    for path in charts {
        let svg = fs::read_to_string(&path).unwrap();
        assert!(svg.contains(&told), "{}", path.display());
    }
    let run: serde_json::Value =
        serde_json::from_slice(&fs::read(dir.path().join("run.json")).unwrap()).unwrap();
    assert_eq!(run["settings"], line);
    kvplan(&["report", out]);
    let page = fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(
        page.contains(&line.replace('"', "&#34;")),
        "the page lacks {line}"
    );
}

#[test]
fn percentiles_of_too_few_calls_are_neither_told_nor_certified() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().to_str().unwrap();
    let few = [
        "--traffic",
        "1M",
        "-n",
        "2",
        "--set",
        "period.requests=\"1k\"",
        "--set",
        "period.calls=0",
        "--set",
        "period.at_least=\"1 h\"",
    ];
    let (text, _) = kvplan(&[&["sweep", "--out", out], &few[..]].concat());
    assert!(text.contains("too few"), "{text}");
    let row = &rows(&dir.path().join("sweep.csv"))[0];
    assert_eq!(row["query_p95_ms"], "");
    assert!(
        row["too_few"].split(' ').any(|m| m == "query_p95_ms"),
        "{row:?}"
    );
    kvplan(&["report", out]);
    let page = fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(page.contains("too few"));
    let (text, _) = kvplan(&[&["compare", "naive", "optimised"], &few[..]].concat());
    assert!(text.contains("cannot tell: too few calls"), "{text}");

    let search = dir.path().join("search.toml");
    fs::write(&search, LAYOUTS.replace("shared", "batch_keys")).unwrap();
    let plan = [
        "plan",
        "--slo",
        "p99_query<500ms",
        "--search",
        search.to_str().unwrap(),
    ];
    let (text, code) = kvplan(&[&plan[..], &few, &["--out", out]].concat());
    assert_eq!(code, Some(1));
    assert!(text.contains("calls came, 1000 are needed"), "{text}");
    assert!(
        text.contains("p99_query<500ms: too few calls came"),
        "{text}"
    );
    println!("{text}");
}

/// Of 0 events in so few records a loss of 0.1% cannot be excluded: 3.69 / 0.001 are needed.
#[test]
fn a_plan_that_is_only_not_certain_is_not_said_to_miss() {
    let dir = TempDir::new().unwrap();
    let search = dir.path().join("search.toml");
    fs::write(&search, LAYOUTS.replace("shared", "rollup")).unwrap();
    let plan = |n: &str| {
        let out = dir.path().join(n);
        let args = [
            "plan",
            "--slo",
            "cost<50USD",
            "--traffic",
            "1M",
            "--search",
            search.to_str().unwrap(),
            "--set",
            "period.requests=1000",
            "--set",
            "period.calls=0",
            "--set",
            "period.at_least=\"10 min\"",
            "--out",
            out.to_str().unwrap(),
            "-n",
            n,
        ];
        kvplan(&args)
    };
    let (text, code) = plan("2");
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("No candidate certainly meets all objectives"),
        "{text}"
    );
    assert!(text.contains("more replications (-n) would tell"), "{text}");
    assert!(text.contains("NOT CERTAIN: too few replications"), "{text}");
    println!("{text}");
    let (text, code) = plan("20");
    assert_eq!(code, Some(0), "{text}");
}
