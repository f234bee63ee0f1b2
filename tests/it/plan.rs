//! The planner against exhaustive search, and as a user drives it.

use crate::setup::files;
use assert_cmd::Command;
use kvplan::models::quantity::Count;
use kvplan::models::{load, parse_overrides};
use kvplan::run::measure::Outcome;
use kvplan::run::metric;
use kvplan::run::scenario::Scenario;
use kvplan::run::{Point, simulate};
use kvplan::study::grid::pooled;
use kvplan::study::plan::objective::parse;
use kvplan::study::plan::space::Search;
use kvplan::study::plan::with_implied;
use kvplan::study::plan::{Candidate, Objective, Settings, Status, plan};
use kvplan::study::replicate::Work;
use kvplan::study::stats::pool::Pooled;
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const SEARCH: &str = r#"
title = "a small grid"
base = "optimised"
base_many_writers = "optimised-fleet"
plans = ["free", "paid"]

[[dimension]]
name = "cache TTL"
option = [
    { label = "1 s", set = { "cache.ttl" = "1 s" } },
    { label = "5 s", set = { "cache.ttl" = "5 s" } },
    { label = "60 s", set = { "cache.ttl" = "60 s" } },
]

[[dimension]]
name = "batch"
option = [
    { label = "1", set = { "batch.max_records" = 1 } },
    { label = "10", set = { "batch.max_records" = 10 } },
    { label = "100", set = { "batch.max_records" = 100 } },
]
"#;

const TRAFFIC: Count = Count(10_000_000);

fn quick() -> Scenario {
    let settings = ["period.requests=\"2k\"", "period.at_least=\"5 min\""].map(str::to_owned);
    Scenario::load("default", &[], None, &parse_overrides(&settings).unwrap()).unwrap()
}

fn search_file(dir: &Path) -> String {
    let path = dir.join("search.toml");
    fs::write(&path, SEARCH).unwrap();
    path.to_str().unwrap().to_owned()
}

fn candidates(scenario: &Scenario) -> Vec<Candidate> {
    let dir = TempDir::new().unwrap();
    let search: Search = load(&search_file(dir.path()), None, &[]).unwrap();
    search
        .space("search", scenario, None, &[])
        .unwrap()
        .candidates
}

/// Every candidate under the paid plan with as many replications.
fn enumerate(scenario: &Scenario, n: u64) -> Vec<(Candidate, Pooled)> {
    let paid = candidates(scenario)
        .into_iter()
        .filter(|c| c.plan == "paid");
    let all = paid.map(|c| {
        let world = Scenario {
            plan: c.plan.clone(),
            ..scenario.clone()
        };
        let all: Vec<Outcome> = (0..n).map(|r| replicate(&world, &c, r)).collect();
        let pooled = pooled(&world, &all.iter().collect::<Vec<_>>());
        (c, pooled)
    });
    all.collect()
}

fn replicate(world: &Scenario, c: &Candidate, replication: u64) -> Outcome {
    let point = Point {
        scenario: world,
        policy: &c.policy,
        traffic: TRAFFIC,
        replication,
    };
    metric::outcome_of(&simulate(&point).unwrap())
}

/// The answer by brute force: every candidate judged by its two-sided interval; the cheapest, and
/// the freshest of those that cost within 1% of it.
fn exhaustive(all: &[(Candidate, Pooled)], objectives: &[Objective]) -> Option<Candidate> {
    let measure = |pooled: &Pooled, name: &str| pooled.estimates[metric::index_of(name).unwrap()];
    let mut good = Vec::new();
    for (c, values) in all {
        let met = with_implied(objectives.to_vec()).iter().all(|o| {
            let e = measure(values, o.name());
            if o.below {
                e.high() < o.bound
            } else {
                e.low() > o.bound
            }
        });
        if met {
            let (cost, age) = (
                measure(values, "cost_usd"),
                measure(values, "answer_age_p99_s"),
            );
            good.push((cost.mean, age.mean, c.clone()));
        }
    }
    let cheapest = good.iter().map(|g| g.0).fold(f64::INFINITY, f64::min);
    good.retain(|g| g.0 <= 1.01 * cheapest);
    good.into_iter()
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map(|g| g.2)
}

/// The race has short replications, the last word those of the scenario's own period: both are what their points give.
#[test]
fn the_choice_is_tried_again_on_the_scenarios_own_period() {
    let scenario = quick();
    let settings = Settings {
        traffic: TRAFFIC,
        requests: Count(1_200),
        first: 4,
        most: 4,
        tie: 0.01,
    };
    let objectives = parse("cost<100USD").unwrap();
    let all = candidates(&scenario);
    let planned = plan(
        &scenario,
        all,
        objectives,
        &settings,
        &|_| (),
        &Work::unwatched(),
    )
    .unwrap();
    let choice = &planned.trials[planned.choice.unwrap()];
    let writes = metric::index_of("kv_writes_per_month").unwrap();
    let mean = |requests: u64, replications: std::ops::Range<u64>| {
        let mut world = scenario.clone();
        world.plan = choice.candidate.plan.clone();
        world.period.requests = Count(requests);
        let all: Vec<Outcome> = replications
            .map(|r| replicate(&world, &choice.candidate, r))
            .collect();
        pooled(&world, &all.iter().collect::<Vec<_>>()).estimates[writes].mean
    };
    assert_eq!(choice.estimate(writes).mean, mean(1_200, 0..4));
    let confirmed = planned.confirmation.as_ref().unwrap();
    assert_eq!(confirmed.estimate(writes).mean, mean(2_000, 4..8));
    assert_ne!(mean(1_200, 4..8), mean(2_000, 4..8));
}

#[test]
fn the_planner_agrees_with_exhaustive_search() {
    let scenario = quick();
    let settings = Settings {
        traffic: TRAFFIC,
        requests: Count(50_000),
        first: 4,
        most: 8,
        tie: 0.01,
    };
    let enumerated = enumerate(&scenario, 8);
    // The free plan needs no enumeration: a single replication shows that it refuses most.
    let free = candidates(&scenario)
        .into_iter()
        .find(|c| c.plan == "free")
        .unwrap();
    let refused = metric::index_of("requests_refused_share").unwrap();
    let on_free = Scenario {
        plan: free.plan.clone(),
        ..scenario.clone()
    };
    assert!(replicate(&on_free, &free, 0).values()[refused] > 0.6);
    for slo in [
        "cost<100USD",
        "staleness_p99<3s",
        "store_delay<0.7s",
        "hit>98%,p95_query<500ms",
        "cost<1USD",
    ] {
        let objectives = parse(slo).unwrap();
        let all = candidates(&scenario);
        let count = all.len();
        let found = plan(
            &scenario,
            all,
            objectives.clone(),
            &settings,
            &|_| {},
            &Work::unwatched(),
        );
        let found = found.unwrap();
        let choice = found.choice.map(|i| found.trials[i].candidate.clone());
        assert_eq!(choice, exhaustive(&enumerated, &objectives), "{slo}");
        // 10M requests a month are 333,333 a day: the free plan is out without a simulation.
        let refused = found.trials.iter().filter(|t| t.status == Status::Refused);
        assert_eq!(refused.clone().count(), count / 2);
        assert!(
            refused
                .clone()
                .all(|t| t.candidate.plan == "free" && t.replications() == 0)
        );
        if let Some(confirmation) = &found.confirmation {
            assert!(confirmation.meets && confirmation.replications() == 8);
        }
    }
}

#[test]
fn what_binds_is_the_objective_whose_absence_is_cheaper() {
    let scenario = quick();
    let settings = Settings {
        traffic: TRAFFIC,
        requests: Count(50_000),
        first: 4,
        most: 4,
        tie: 0.01,
    };
    // Small batches store soon and cost writes.
    let objectives = parse("loss<1%,store_delay<0.7s").unwrap();
    let all = candidates(&scenario);
    let found = plan(
        &scenario,
        all,
        objectives,
        &settings,
        &|_| {},
        &Work::unwatched(),
    )
    .unwrap();
    let (objective, cheaper) = found.binding.unwrap();
    assert_eq!(found.objectives[objective].text, "store_delay<0.7s");
    let cost = metric::index_of("cost_usd").unwrap();
    let mean = |i: usize| found.trials[i].estimate(cost).mean;
    assert!(mean(cheaper) < mean(found.choice.unwrap()));
}

fn kvplan(args: &[&str]) -> std::process::Output {
    let mut command = Command::cargo_bin("kvplan").unwrap();
    command.args(args).output().unwrap()
}

const QUICK: [&str; 8] = [
    "--traffic",
    "3M",
    "-n",
    "12",
    "--set",
    "period.requests=\"1k\"",
    "--set",
    "period.at_least=\"2 h\"",
];

#[test]
fn plan_from_the_command_line_on_any_number_of_threads() {
    let dir = TempDir::new().unwrap();
    let search = search_file(dir.path());
    let run = |threads: &str, slo: &str| {
        let out = dir.path().join(threads);
        let mut args = vec!["plan", "--search", &search, "--slo", slo, "-j", threads];
        args.extend(QUICK);
        let out_text = out.to_str().unwrap().to_owned();
        args.extend(["--out", &out_text]);
        let output = kvplan(&args);
        (output, files(&out))
    };
    let (output, one) = run(
        "1",
        "p95_query<500ms,loss<0.1%,staleness_p99<10s,cost<20USD",
    );
    let (_, two) = run(
        "2",
        "p95_query<500ms,loss<0.1%,staleness_p99<10s,cost<20USD",
    );
    assert!(output.status.success(), "{output:?}");
    assert!(one == two, "the files depend on the number of threads");
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "choice",
        "runner-up 1",
        "p95_query<500ms",
        "met, ",
        "replications in",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
    let names: Vec<_> = one.iter().map(|f| f.0.clone()).collect();
    assert_eq!(
        names,
        [
            "pareto.csv",
            "pareto.png",
            "pareto.svg",
            "plan-policy.toml",
            "plan.csv",
            "run.json"
        ]
    );
    let rows = csv::Reader::from_reader(&one[4].1[..])
        .into_records()
        .count();
    assert_eq!(rows, 18);
    // What was found can be used.
    let policy = dir.path().join("1/plan-policy.toml");
    let mut args = vec!["run", "--policy", policy.to_str().unwrap()];
    args.extend(QUICK);
    let output = kvplan(&args);
    assert!(output.status.success(), "{output:?}");
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("planned")
    );
    // What cannot be met is said, with exit code 1.
    let (output, _) = run("1", "cost<1USD,loss<0.1%");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("cost<1USD cannot be met by any: the best is 5, off by $4.00."),
        "{text}"
    );
}

/// Large batches are cheaper and store later. The bound on the delay is put beside theirs, on either
/// side: by the mean they meet or miss it, but neither is certain.
#[test]
fn what_is_cheaper_but_not_certain_is_told_beside_the_choice() {
    let dir = TempDir::new().unwrap();
    let search = dir.path().join("search.toml");
    let one_dimension = SEARCH.split("[[dimension]]").nth(2).unwrap();
    let (large, small) = ("\"100\"", "\"10\"");
    let batches: String = one_dimension
        .lines()
        .filter(|l| !l.contains("label") || l.contains(large) || l.contains(small))
        .map(|l| format!("{l}\n"))
        .collect();
    let text = format!(
        "title = \"batches\"\nbase = \"optimised\"\nbase_many_writers = \"optimised-fleet\"\nplans = [\"paid\"]\n[[dimension]]{batches}"
    );
    fs::write(&search, text).unwrap();
    let run = |name: &str, delay: f64| {
        let out = dir.path().join(name);
        let slo = format!("cost<500USD,loss<50%,store_delay<{delay}s");
        let mut args = vec!["plan", "--search", search.to_str().unwrap(), "--slo", &slo];
        args.extend([
            "--traffic",
            "20M",
            "-n",
            "4",
            "--out",
            out.to_str().unwrap(),
        ]);
        args.extend(["--set", "period.requests=\"2k\""]);
        args.extend(["--set", "period.at_least=\"5 min\""]);
        let output = kvplan(&args);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let plan = csv::Reader::from_path(out.join("plan.csv"));
        let rows: Vec<HashMap<String, String>> =
            plan.unwrap().deserialize().map(Result::unwrap).collect();
        let large = rows.iter().find(|r| r["batch"] == "100").unwrap().clone();
        (String::from_utf8(output.stdout).unwrap(), large, out)
    };
    let (text, large, _) = run("wide", 100.0);
    assert_eq!(large["status"], "chosen", "{text}");
    let number = |name: &str| -> f64 { large[name].parse().unwrap() };
    let (delay, half) = (
        number("store_delay_mean_s"),
        number("store_delay_mean_s_ci95"),
    );
    for (name, bound) in [("above", delay + 0.3 * half), ("below", delay - 0.3 * half)] {
        let (text, large, out) = run(name, bound);
        println!("{text}");
        assert_eq!(large["status"], "cheaper but not certain", "{text}");
        assert_eq!(large["not_certain"], "store_delay_mean_s");
        let cost = kvplan::report::format::usd(large["cost_usd"].parse().unwrap());
        let note = format!(
            "The choice is the cheapest of those that are certain; 1 cheaper one is not certain (-n): {cost} (plan paid: 100), not certain of store_delay_mean_s."
        );
        assert!(text.contains(&note), "{note} is missing in:\n{text}");
        assert!(text.contains("No objective certainly binds"), "{text}");
        let policy = fs::read_to_string(out.join("plan-policy.toml")).unwrap();
        assert!(
            policy.starts_with("# The cheapest of those that are certain found for 20M"),
            "{policy}"
        );
        assert!(policy.contains(&format!("# {note}")), "{policy}");
        kvplan(&["report", out.to_str().unwrap()]);
        let page = fs::read_to_string(out.join("report.html")).unwrap();
        assert!(page.contains("the cheapest of those that are certain to meet"));
    }
}

#[test]
fn nonsense_is_refused_with_what_was_expected() {
    let refused = |args: &[&str]| {
        let output = kvplan(args);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    for args in [
        vec!["plan"],
        vec!["plan", "--slo", "speed<1"],
        vec!["plan", "--slo", "cost<20USD", "-n", "1"],
        vec!["plan", "--slo", "cost<20USD", "--search", "nowhere"],
        vec!["plan", "--slo", "cost<20USD", "--policy", "naive,optimised"],
    ] {
        refused(&args);
    }
    assert!(refused(&["plan", "--slo", "speed<1"]).contains("staleness_p99"));
    let level = refused(&["plan", "--slo", "cost<20USD,memory_peak_mb<1000"]);
    assert!(level.contains("memory_peak_mb is a level"), "{level}");
}
