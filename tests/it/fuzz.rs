//! Inputs of every kind with something changed in them, for a minute or for hours.
//!
//! ```sh
//! cargo test --test it fuzz::                                # a minute or less, the same cases each time
//! KVPLAN_FUZZ_CASES=20000 cargo test --test it fuzz::        # for hours, and told if a kind takes more than 512 MiB
//! KVPLAN_FUZZ_FIRST=137 KVPLAN_FUZZ_CASES=1 cargo test --test it fuzz::models    # the case that a failure names
//! ```
//!
//! Nothing may panic, break an invariant (exit code 70), take more memory than is stated, or put anything on a page
//! that is loaded from outside. What was found becomes a test of its own where such things are: `barrier`, `forged`,
//! `figures`.

use crate::forged;
use crate::mutation::{TEXTS, mutate, one_of, random};
use crate::setup::peak_kib;
use flate2::Compression;
use flate2::write::GzEncoder;
use kvplan::cloud::service::StoreSpec;
use kvplan::models::quantity::Count;
use kvplan::models::{Model, Override, embedded_names, load, source_text};
use kvplan::report::html::{folder::Folder, report};
use kvplan::report::write::summary::summary;
use kvplan::report::write::sweep::sweep_csv;
use kvplan::run::effort::Effort;
use kvplan::run::scenario::Scenario;
use kvplan::sim::random::StreamRng;
use kvplan::study::calibrate::{Measured, calibrate};
use kvplan::study::claims::{Cells, Ledger, Verdict, judge};
use kvplan::study::error::StudyError;
use kvplan::study::fit::workload::fit_workload;
use kvplan::study::plan::space::Search;
use kvplan::study::rehearsal::Checklist;
use kvplan::study::replicate::Work;
use kvplan::study::sensitivity::Inputs;
use kvplan::study::sweep::sweep;
use kvplan::study::usage::{Actual, Wanted};
use kvplan::workload::WorkloadSpec;
use kvplan::workload::trace::{TraceOptions, TraceReader};
use rand::RngExt;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tempfile::TempDir;

/// The numbers of the cases: so many, or a part of that where one takes long.
fn cases(of_200: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse().ok());
    let first: u64 = number("KVPLAN_FUZZ_FIRST").unwrap_or(0);
    let all: u64 = number("KVPLAN_FUZZ_CASES").unwrap_or(200);
    first..first + (all * of_200).div_ceil(200)
}

/// The most that the process of a kind may ever have held, where so many cases are asked for.
const MOST_MIB: u64 = 512;

/// Where many cases are asked for, each kind runs in a process of its own, so that the memory that is measured is its own:
/// runs it there, and says so.
fn runs_elsewhere(kind: &str) -> bool {
    const ALONE: &str = "KVPLAN_FUZZ_ALONE";
    if std::env::var_os("KVPLAN_FUZZ_CASES").is_none() || std::env::var_os(ALONE).is_some() {
        return false;
    }
    let mut alone = Command::new(std::env::current_exe().unwrap());
    let name = format!("fuzz::{kind}");
    let done = alone.args(["--exact", &name]).env(ALONE, "1").output();
    let done = done.unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{kind}: {said}");
    assert!(said.contains("1 passed"), "{kind}: {said}");
    true
}

/// Runs a case, and says which it was if it panics or takes too much memory.
fn case<T>(what: &str, case: u64, run: impl FnOnce() -> T) -> T {
    let done =
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| panic!("{what}, case {case}"));
    if std::env::var_os("KVPLAN_FUZZ_CASES").is_some() {
        let peak = peak_kib("self").map(|kib| kib / 1_024);
        assert!(
            peak.is_none_or(|mib| mib <= MOST_MIB),
            "{what}, case {case}: {peak:?} MiB"
        );
    }
    done
}

fn is_broken<T>(result: &Result<T, StudyError>) -> bool {
    matches!(result, Err(StudyError::Broken(_)))
}

/// A minute of the scenario, if it can be simulated in no time; whether it was.
fn simulate_a_little(mut scenario: Scenario) -> bool {
    let minute = Duration::from_secs(60);
    scenario.replications = 2;
    scenario.precision = None;
    scenario.period.requests = Count(50);
    scenario.period.calls = Count(0);
    scenario.period.at_least = minute;
    scenario.period.at_most = minute;
    scenario.period.whole_days = false;
    scenario.period.history = scenario.period.history.min(minute);
    scenario.period.warm_up = scenario.period.warm_up.min(minute);
    let levels = [Count(100_000)];
    let effort = Effort::of(&scenario, &levels, 2, 1);
    if effort.events > 50_000.0 || effort.memory > 300e6 {
        return false;
    }
    let cells = sweep(&scenario, &levels, &Work::unwatched());
    assert!(!is_broken(&cells), "{cells:?}");
    if let Ok(cells) = cells {
        let csv = String::from_utf8(sweep_csv(&scenario, &cells)).unwrap();
        // A name may look like a number.
        let is_name = |cell: &str| scenario.policies.iter().any(|p| p.name == cell);
        let mut numbers = csv.split([',', '\n']).filter(|c| !is_name(c));
        let none = numbers.find(|c| c.parse::<f64>().is_ok_and(|x| !x.is_finite()));
        assert_eq!(none, None);
        summary(&cells);
    }
    true
}

/// Case 6752 of the models.
#[test]
fn a_policy_may_be_called_as_a_number_is_written() {
    let mut scenario = Scenario::load("default", &["naive".to_owned()], None, &[]).unwrap();
    scenario.policies[0].name = "NaN".to_owned();
    assert!(simulate_a_little(scenario));
}

/// A model file that comes with kvplan, with something changed in it.
fn changed(folder: &str, rng: &mut StreamRng) -> Option<String> {
    let names = embedded_names(folder);
    let name = &names[rng.random_range(0..names.len())];
    let (_, text, _) = source_text(folder, name, None).unwrap();
    let mut tree: Value = toml::from_str(&text).ok()?;
    mutate(&mut tree, rng);
    toml::to_string(&tree).ok()
}

/// What loading says must be one readable message.
fn loads<T: Model>(path: &str) -> bool {
    if let Err(e) = load::<T>(path, None, &[]) {
        assert!(e.to_string().len() < 100_000);
    }
    false
}

#[test]
fn models() {
    if runs_elsewhere("models") {
        return;
    }
    let folders = [
        "scenarios",
        "policies",
        "workloads",
        "fleets",
        "prices",
        "latency",
        "limits",
        "alerts",
        "consistency",
        "stores",
        "searches",
        "checklists",
        "sensitivities",
    ];
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("changed.toml");
    let path = path.to_str().unwrap();
    let mut simulated = 0;
    for number in cases(200) {
        let mut rng = random("models", number);
        let folder = one_of(&mut rng, &folders);
        let Some(text) = changed(folder, &mut rng) else {
            continue;
        };
        fs::write(path, text).unwrap();
        let set = |field: &str| {
            let setting = Override {
                text: format!("--set {field}"),
                path: field.split('.').map(str::to_owned).collect(),
                value: toml::Value::String(path.to_owned()),
            };
            Scenario::load("world", &[], None, &[setting])
        };
        let was = case("models", number, || {
            let scenario = match folder {
                "scenarios" => Scenario::load(path, &[], None, &[]),
                "policies" => Scenario::load("default", &[path.to_owned()], None, &[]),
                "workloads" => set("workload"),
                "fleets" => set("fleet"),
                "prices" => set("billing.catalog"),
                "latency" | "limits" | "alerts" | "consistency" => set(folder),
                "stores" => return loads::<StoreSpec>(path),
                "searches" => return loads::<Search>(path),
                "checklists" => return loads::<Checklist>(path),
                _ => return loads::<Inputs>(path),
            };
            scenario.is_ok_and(|scenario| {
                scenario.validate().unwrap();
                simulate_a_little(scenario)
            })
        });
        simulated += u64::from(was);
    }
    let all = cases(200);
    assert!(all.end - all.start < 100 || simulated > 10, "{simulated}");
}

/// Claims files: what loads is judged by arithmetic, prices and facts, and no claim is without a verdict.
#[test]
fn claims() {
    if runs_elsewhere("claims") {
        return;
    }
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("changed.toml");
    let path = path.to_str().unwrap();
    let mut judged = 0;
    for number in cases(100) {
        let mut rng = random("claims", number);
        let Some(text) = changed("claims", &mut rng) else {
            continue;
        };
        fs::write(path, text).unwrap();
        judged += case("claims", number, || match Ledger::load(path) {
            Ok(ledger) => {
                let nothing = (BTreeMap::new(), Cells::default());
                let of = |claim| judge(&ledger, claim, &nothing.0, &nothing.1).verdict;
                let verdicts: Vec<Verdict> = ledger.file.claims.iter().map(of).collect();
                verdicts.len()
            }
            Err(e) => {
                assert!(e.to_string().len() < 100_000);
                0
            }
        });
    }
    let all = cases(100);
    assert!(all.end - all.start < 50 || judged > 100, "{judged}");
}

/// A log with columns, times and values of any kind, perhaps damaged.
fn log(rng: &mut StreamRng) -> Vec<u8> {
    let all = [
        "timestamp",
        "kind",
        "provider",
        "latency_ms",
        "success",
        "tokens",
        "location",
    ];
    let columns: Vec<&str> = all
        .into_iter()
        .filter(|c| *c == "timestamp" || rng.random_bool(0.6))
        .collect();
    let mut text = columns.join(",") + "\n";
    let mut at = 1_793_577_600.0;
    let style = rng.random_range(0..4);
    for _ in 0..rng.random_range(0..400) {
        at += rng.random_range(0.0..20.0);
        let cells = columns.iter().map(|column| match *column {
            _ if rng.random_bool(0.002) => one_of(rng, &TEXTS).to_owned(),
            "timestamp" => match style {
                0 => format!("{at:.3}"),
                1 => format!("{:.0}", at * 1e3),
                2 => format!("{:.0}", at * 1e9),
                _ => "1793577600".to_owned(),
            },
            "kind" => (*one_of(
                rng,
                &[
                    "record",
                    "metrics_read",
                    "analytics_query",
                    "metrics_with_record",
                ],
            ))
            .to_owned(),
            "provider" => (*one_of(rng, &["openai", "anthropic", "=1+1", "ü"])).to_owned(),
            "latency_ms" => format!("{:e}", 10_f64.powf(rng.random_range(-7.0..7.0))),
            "success" => (*one_of(rng, &["true", "false", "1", "0"])).to_owned(),
            "tokens" => rng.random_range(0..100_000).to_string(),
            _ => (*one_of(rng, &["FRA", "IAD", "nowhere"])).to_owned(),
        });
        let cells: Vec<String> = cells.collect();
        text += &(cells.join(",") + "\n");
    }
    let mut bytes = text.into_bytes();
    if rng.random_bool(0.3) {
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        out.write_all(&bytes).unwrap();
        bytes = out.finish().unwrap();
    }
    if rng.random_bool(0.3) {
        let at = rng.random_range(0..bytes.len());
        bytes[at] = rng.random_range(0..=255_u8);
    }
    if rng.random_bool(0.1) {
        bytes.truncate(rng.random_range(0..bytes.len()));
    }
    bytes
}

#[test]
fn logs() {
    if runs_elsewhere("logs") {
        return;
    }
    let base: WorkloadSpec = load("gateway", None, &[]).unwrap();
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("log.csv.gz");
    for number in cases(150) {
        let mut rng = random("logs", number);
        let bytes = log(&mut rng);
        let max_bad_rows = one_of(&mut rng, &[&0, &5, &1_000_000]);
        fs::write(&path, &bytes).unwrap();
        case("logs", number, || {
            let Ok((source, _)) = kvplan::workload::trace::open(path.to_str().unwrap(), |_| ())
            else {
                return;
            };
            let options = TraceOptions {
                max_bad_rows: *max_bad_rows,
                reorder_window: Duration::from_secs(1),
                ..TraceOptions::default()
            };
            let Ok(reader) = TraceReader::new("log", source, options) else {
                return;
            };
            let fit = fit_workload(reader, &base, number, &AtomicBool::new(false));
            assert!(!is_broken(&fit));
        });
        let latencies = case("logs", number, || {
            kvplan::models::read_durations_ms("log", Cursor::new(bytes), "latency_ms", 1.0, "ms")
        });
        if let Ok(values) = latencies {
            case("logs", number, || {
                kvplan::study::fit::latency::LatencyFit::new(values, number).map(drop)
            })
            .ok();
        }
    }
}

#[test]
fn measurements_and_usage() {
    if runs_elsewhere("measurements_and_usage") {
        return;
    }
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let names = [
        "billable_usage.json",
        "kv_latencies.json",
        "kv_operations.json",
        "kv_spans.json",
        "workers_invocations.json",
    ];
    let trees = names.map(|name| {
        let text = fs::read_to_string(data.join(name)).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()
    });
    for number in cases(200) {
        let mut rng = random("measurements", number);
        let mut tree = trees[rng.random_range(0..trees.len())].clone();
        mutate(&mut tree, &mut rng);
        let text = tree.to_string();
        case("measurements_and_usage", number, || {
            let mut measured = Measured::default();
            if measured.add("a", &text).is_ok() {
                calibrate(&measured, number).map(drop).ok();
            }
            let mut actual = Actual::default();
            if actual.add("a", &text, &Wanted::default()).is_ok() {
                for meter in actual.meters() {
                    assert!(actual.daily_mean(meter).is_none_or(f64::is_finite));
                }
            }
        });
    }
}

#[test]
fn shards() {
    if runs_elsewhere("shards") {
        return;
    }
    for number in cases(200) {
        forged::check(number);
    }
}

/// What a browser would load or run that is not in the page itself.
fn from_outside(page: &str) -> Option<String> {
    let loading = [
        "<link",
        "<iframe",
        "<object",
        "<embed",
        "<img",
        "<image",
        "<use",
        "<base",
        "<audio",
        "<video",
        "<source",
        "<foreignobject",
        "<script ",
        "<style ",
        "<meta http-equiv=\"refresh",
    ];
    // Text and values are escaped, so that each of these is the beginning of an element.
    page.split('<').skip(1).find_map(|rest| {
        let tag = format!(
            "<{}",
            rest.split('>').next().unwrap_or_default().to_lowercase()
        );
        let shape = [
            "<rect", "<path", "<g", "<text", "<circle", "<line", "<poly", "<svg",
        ];
        let in_drawing = shape.iter().any(|s| tag.starts_with(s));
        let refers = in_drawing
            && ["url(", "http:", "https:", "style="]
                .iter()
                .any(|w| tag.contains(w));
        let loads = loading.iter().any(|l| tag.starts_with(l)) || tag.contains(" src=");
        let own_icon = tag == "<link rel=\"icon\" href=\"data:,\"";
        ((refers || loads) && !own_icon).then_some(tag)
    })
}

fn kvplan(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvplan"));
    command.args(args);
    command
}

#[test]
fn folders() {
    if runs_elsewhere("folders") {
        return;
    }
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("out");
    let args = [
        "sweep",
        "--traffic",
        "1k,1M",
        "-n",
        "2",
        "--set",
        "period.requests=50",
        "--quiet",
        "--out",
        out.to_str().unwrap(),
    ];
    assert!(kvplan(&args).status().unwrap().success());
    let page = report(&Folder::read(&out).unwrap()).html;
    assert_eq!(from_outside(&page), None);
    let names = [
        "run.json",
        "answers.json",
        "sweep.csv",
        "replications.csv",
        "cost.svg",
    ];
    for number in cases(100) {
        let mut rng = random("folders", number);
        let name = one_of(&mut rng, &names);
        let path = out.join(name);
        let original = fs::read_to_string(&path).unwrap();
        let changed = if name.ends_with(".json") {
            let mut tree: Value = serde_json::from_str(&original).unwrap();
            mutate(&mut tree, &mut rng);
            tree.to_string()
        } else if name.ends_with(".csv") {
            let mut lines: Vec<String> = original.lines().map(str::to_owned).collect();
            let at = rng.random_range(0..lines.len());
            let mut cells: Vec<&str> = lines[at].split(',').collect();
            let cell = rng.random_range(0..cells.len());
            cells[cell] = one_of(&mut rng, &TEXTS);
            lines[at] = cells.join(",");
            lines.join("\n")
        } else {
            let hostile = [
                " stroke=\"URL(http://example.com/x)\" ",
                " onload=\"boom()\" ",
                " style=\"fill:url(http://example.com/x)\" ",
                " href=\"http://example.com/x\" ",
                " transform=\"url(#x)\" ",
                "/><image href=\"http://example.com/x\"/><rect ",
                "/><style>@import 'http://example.com/x';</style><rect ",
                "/><foreignObject/><rect ",
            ];
            let places: Vec<usize> = original.match_indices("<rect ").map(|m| m.0 + 5).collect();
            let at = places[rng.random_range(0..places.len())];
            format!(
                "{}{}{}",
                &original[..at],
                one_of(&mut rng, &hostile),
                &original[at..]
            )
        };
        fs::write(&path, changed).unwrap();
        case("folders", number, || {
            if let Ok(folder) = Folder::read(&out) {
                let page = report(&folder).html;
                assert_eq!(from_outside(&page), None, "{name}");
            }
        });
        fs::write(&path, original).unwrap();
    }
}

/// Most memory of a command in kilobytes, address space that is never touched among it.
const MEMORY_KB: u32 = 2_000_000;

#[test]
fn command_lines() {
    if runs_elsewhere("command_lines") {
        return;
    }
    let values = [
        "1",
        "0",
        "-1",
        "1k",
        "10k..1M",
        "1M..10k",
        "1,2,3",
        "5%",
        "150%",
        "1 h",
        "1 ns",
        "99999999 d",
        "2026-12-15",
        "1/2",
        "9/2",
        "auto",
        "naive",
        "optimised,naive",
        "world",
        "cost<20USD",
        "p95_query<500ms",
        "x<1",
        "kv.reads=1M",
        "8%/month",
        "-99%/month",
        "1e308",
        "4294967296",
        "18446744073709551616",
        "policy.cache.ttl=\"1 s\"",
        "period.requests=1B",
    ];
    let flags = [
        "--traffic",
        "-n",
        "--precision",
        "--precision-of",
        "--max-replications",
        "--seed",
        "-j",
        "--policy",
        "--plan",
        "--on",
        "--set",
        "--scenario",
        "--shard",
        "--interval",
        "--trace",
        "--slo",
        "--growth",
        "--growth-sd",
        "--months",
        "--futures",
        "--length",
        "--experiments",
        "--fixed-cost",
        "--refused",
        "--morris",
        "--sobol",
        "--measure",
        "--tie",
        "--max-work",
    ];
    let commands = [
        "run",
        "sweep",
        "compare naive optimised",
        "breakeven",
        "forecast",
        "rehearse",
        "plan --slo cost<20USD",
        "sensitivity --morris 0",
        "coverage",
        "explore --vary traffic=1k,2k",
        "compare-stores",
        "invoice",
        "trace",
    ];
    let dir = TempDir::new().unwrap();
    for number in cases(30) {
        let mut rng = random("command lines", number);
        let mut args: Vec<&str> = one_of(&mut rng, &commands).split(' ').collect();
        // What is let in takes no time.
        let brief = ["--max-work", "1M", "--quiet", "-n", "2"];
        if !["invoice", "trace"].contains(&args[0]) {
            args.extend(brief);
            args.extend(["--set", "period.requests=50", "--set", "period.calls=0"]);
        } else if args[0] == "trace" {
            args.extend(["--requests", "100"]);
        }
        for _ in 0..rng.random_range(1..=3) {
            let flag = one_of(&mut rng, &flags);
            if flag == "--max-work" {
                continue;
            }
            args.push(flag);
            args.push(match rng.random_bool(0.2) {
                true => one_of(&mut rng, &TEXTS),
                false => one_of(&mut rng, &values),
            });
        }
        if args.iter().any(|a| a.contains('\0')) {
            continue;
        }
        let binary = env!("CARGO_BIN_EXE_kvplan");
        let mut command = match cfg!(target_os = "linux") {
            true => {
                let mut shell = Command::new("sh");
                let limited = format!("ulimit -v {MEMORY_KB}; exec \"$0\" \"$@\"");
                shell.args(["-c", &limited, binary]).args(&args);
                shell
            }
            false => kvplan(&args),
        };
        command
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = String::new();
        let mut stderr = child.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        let code = child.wait().unwrap().code();
        let fine = matches!(code, Some(0..=2));
        assert!(
            fine && !said.contains("panicked"),
            "case {number}: {args:?}: {code:?} {said}"
        );
    }
}
