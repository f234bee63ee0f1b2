//! What a person at a terminal sees: tables in its width, other forms, messages in plain words.

use crate::setup::rows;
use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;
use tempfile::TempDir;

/// Runs with these arguments in a folder.
fn kvplan(dir: &Path, args: &[&str]) -> Output {
    Command::cargo_bin("kvplan")
        .unwrap()
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap()
}

/// What is printed by a command that succeeds, or finds that the answer is no.
fn printed(dir: &Path, args: &[&str]) -> String {
    let output = kvplan(dir, args);
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{args:?}: {output:?}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The message of a command that is refused.
fn refused(args: &[&str]) -> String {
    let dir = TempDir::new().unwrap();
    let output = kvplan(dir.path(), args);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

const SHORT: [&str; 6] = [
    "-n",
    "2",
    "--set",
    "period.requests=300",
    "--set",
    "period.at_least=\"10 s\"",
];

/// Every command that prints a table, at work as little as it takes.
fn commands(dir: &Path) -> Vec<Vec<&'static str>> {
    let lines: String = (1..200)
        .map(|i| format!("{}.{}\n", i % 37 + 1, i % 9))
        .collect();
    fs::write(dir.join("latencies.csv"), format!("latency_ms\n{lines}")).unwrap();
    let usage = "date,meter,quantity\n2026-11-02,kv.reads,40000\n2026-11-03,kv.reads,42000\n";
    fs::write(dir.join("usage.csv"), usage).unwrap();
    let log = printed(dir, &["trace", "--requests", "200"]);
    fs::write(dir.join("requests.csv"), log).unwrap();
    let simulated: [&[&str]; 11] = [
        &["sweep", "--traffic", "100k,20M", "--plan", "free"],
        &["sweep", "--traffic", "1M", "--precision", "50%"],
        &[
            "run",
            "--scenario",
            "bad-day",
            "--traffic",
            "100k",
            "--out",
            "run",
        ],
        &["compare", "naive", "optimised"],
        &["compare-stores", "--traffic", "100k,10M"],
        &["rehearse", "--length", "1 h", "--traffic", "100k"],
        &["breakeven", "--traffic", "100k..1M"],
        &[
            "forecast",
            "--traffic",
            "300k",
            "--plan",
            "free",
            "--months",
            "12",
            "--futures",
            "100",
        ],
        &["plan", "--traffic", "100k", "--slo", "cost<20USD"],
        &["replay", "requests.csv"],
        &[
            "explore",
            "--vary",
            "traffic=100k,1M",
            "--vary",
            "ttl=5 s,60 s",
        ],
    ];
    let other: [&[&str]; 8] = [
        &[
            "invoice",
            "kv.reads=40M",
            "workers.requests=15M",
            "workers.cpu_ms=105M",
        ],
        &["verify", "--effort", "none"],
        &["verify", "--list"],
        &["fit", "latency", "latencies.csv"],
        &["fit", "workload", "requests.csv"],
        &["scenario", "list"],
        &["calibrate", "latencies.csv"],
        &["invoice", "--plan", "free", "kv.storage=1.5GB"],
    ];
    // How long these simulate is given otherwise.
    let has_own_length = |c: &[&str]| ["rehearse", "replay"].contains(&c[0]);
    let effort = |c: &[&str]| &SHORT[..if has_own_length(c) { 2 } else { 6 }];
    let simulated = simulated.iter().map(|c| [*c, effort(c)].concat());
    simulated.chain(other.iter().map(|c| c.to_vec())).collect()
}

/// Sentences may be of any length, as a terminal wraps them between words and nothing stands below anything else.
fn is_of_table(line: &str) -> bool {
    line.starts_with(' ') && line.trim_start().contains("  ")
}

#[test]
fn every_table_of_every_command_fits_eighty_columns() {
    let dir = TempDir::new().unwrap();
    for command in commands(dir.path()) {
        if command[0] == "calibrate" {
            continue;
        }
        let with_width = [&command[..], &["--width", "80"]].concat();
        let text = printed(dir.path(), &with_width);
        for line in text.lines().filter(|l| is_of_table(l)) {
            let width = line.chars().count();
            assert!(width <= 80, "{command:?}: {width} columns: {line}");
        }
        assert!(
            text.lines().any(is_of_table),
            "{command:?}: no table: {text}"
        );
    }
}

const SWEEP: [&str; 9] = [
    "sweep",
    "--traffic",
    "1M,3M",
    "-n",
    "3",
    "--set",
    "period.requests=2k",
    "--out",
    "out",
];

#[test]
fn a_sweep_is_told_in_every_form_with_the_same_numbers() {
    let dir = TempDir::new().unwrap();
    let told = |more: &[&str]| printed(dir.path(), &[&SWEEP, more].concat());
    let json: Value = serde_json::from_str(&told(&["--format", "json"])).unwrap();
    let level = &json["levels"][2];
    assert_eq!(level["requests_per_month"], 3_000_000);
    let cost = level["cost_per_month_usd"].as_f64().unwrap();
    let csv = told(&["--format", "csv"]);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 4);
    let at = headers
        .iter()
        .position(|h| h == "cost_per_month_usd")
        .unwrap();
    assert_eq!(rows[2][at].parse::<f64>().unwrap(), cost);
    // More digits than the file for spreadsheets has.
    let at = headers.iter().position(|h| h == "ops_per_request").unwrap();
    assert!(rows[2][at].len() > 8, "{}", &rows[2][at]);
    let file = fs::read_to_string(dir.path().join("out/sweep.csv")).unwrap();
    assert!(file.contains(&format!("{cost:.4}")), "{cost} in {file}");
    let markdown = told(&["--format", "markdown", "--columns", "policy,cost/month"]);
    assert!(
        markdown.contains("\n| policy | cost/month |\n| --- | ---: |\n| naive | $"),
        "{markdown}"
    );
    // Quiet is about what is said beside the answer.
    assert_eq!(told(&["--quiet", "--format", "csv"]), csv);
    assert_eq!(told(&["--quiet"]), "");
}

#[test]
fn a_sweep_says_what_is_saved_and_what_is_refused_beside_what_is_lost() {
    let dir = TempDir::new().unwrap();
    let text = printed(dir.path(), &SWEEP);
    let saved: Vec<&str> = text
        .lines()
        .skip_while(|l| !l.starts_with("Saved against"))
        .collect();
    assert!(saved[0].contains("naive"), "{text}");
    let titles: Vec<&str> = saved[1].split_whitespace().collect();
    assert_eq!(
        titles,
        [
            "requests/month",
            "policy",
            "saved/month",
            "of",
            "its",
            "bill"
        ]
    );
    let row: Vec<&str> = saved[3].split_whitespace().collect();
    assert_eq!(row[..2], ["3M", "optimised"]);
    assert!(
        row[2].starts_with('$') && row[3] == "±" && row[5].ends_with('%'),
        "{row:?}"
    );
    let json: Value = serde_json::from_str(&printed(
        dir.path(),
        &[&SWEEP[..], &["--format", "json"]].concat(),
    ))
    .unwrap();
    let cost = |i: usize| json["levels"][i]["cost_per_month_usd"].as_f64().unwrap();
    let told = json["savings"][1]["saved_per_month_usd"].as_f64().unwrap();
    assert!((told - (cost(2) - cost(3))).abs() < 1e-9);
    let header = text.lines().find(|l| l.contains("cost/month")).unwrap();
    let refused = header.find("refused").unwrap();
    assert!(
        header[refused..].starts_with("refused requests / operations  lost"),
        "{header}"
    );
}

#[test]
fn colour_is_for_terminals_and_whoever_asks() {
    let dir = TempDir::new().unwrap();
    let told = |set: &[(&str, &str)], more: &[&str]| {
        let mut command = Command::cargo_bin("kvplan").unwrap();
        command.args(SWEEP).args(more).current_dir(dir.path());
        for name in ["NO_COLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        let output = command.envs(set.iter().copied()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let plain = told(&[], &[]);
    assert!(!plain.contains('\u{1b}'));
    assert_eq!(
        told(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], &[]),
        plain
    );
    for coloured in [
        told(&[("CLICOLOR_FORCE", "1")], &[]),
        told(&[], &["--color", "always"]),
    ] {
        assert!(coloured.contains("\u{1b}[3"), "{coloured}");
        let bare = coloured.replace("\u{1b}[32m", "").replace("\u{1b}[33m", "");
        assert_eq!(bare.replace("\u{1b}[0m", ""), plain);
    }
}

#[test]
fn a_name_that_is_nearly_right_is_asked_for() {
    for (args, meant) in [
        (&["run", "--scenario", "defualt"][..], "default"),
        (&["run", "--policy", "optimized"], "optimised"),
        (&["run", "--plan", "piad"], "paid"),
        (&["run", "--set", "fleet=twnty"], "twenty"),
        (&["run", "--set", "workload=gatewya"], "gateway"),
        (&["run", "--set", "billing.catalog=cloudfare"], "cloudflare"),
        (&["run", "--set", "polcy.cache.ttl=5"], "policies"),
        (&["run", "--set", "period.request=5"], "requests"),
        (&["compare-stores", "--store", "d11"], "d1"),
        (
            &["compare-stores", "--set", "store.quues.title=a"],
            "queues",
        ),
        (&["verify", "--claim", "savng-10m"], "saving-10m"),
        (&["plan", "--slo", "p95_qury<1s"], "p95_query"),
        (&["sensitivity", "--measure", "hit_rtio"], "hit_ratio"),
        (&["invoice", "kv.raeds=1"], "kv.reads"),
        (
            &["run", "--precision", "2%", "--precision-of", "hit_rtio"],
            "hit_ratio",
        ),
        (&[&SWEEP[..], &["--columns", "polcy"]].concat(), "policy"),
    ] {
        let said = refused(args);
        assert!(
            said.contains(&format!("(did you mean \"{meant}\"?)")),
            "{args:?}: {said}"
        );
    }
    assert!(refused(&["run", "--format", "tabel"]).contains("'table'"));
}

/// Wrong input of many kinds: whatever is said, no word of it is of Rust.
#[test]
fn messages_are_in_plain_words() {
    let wrong = [
        "abc",
        "-1",
        "1.5",
        "99999999999999999999",
        "",
        "[]",
        "{}",
        "true",
    ];
    let fields = [
        "replications",
        "seed",
        "policies",
        "period",
        "traffic_per_month",
        "failures",
        "workload",
        "title",
        "fleet",
    ];
    let options = [
        "--replications",
        "--seed",
        "--threads",
        "--max-replications",
        "--traffic",
        "--max-work",
        "--trace",
    ];
    let mut all: Vec<Vec<String>> = Vec::new();
    let run = |more: &[&str]| -> Vec<String> {
        let mut args = vec!["run".to_owned(), "--max-work=1".to_owned()];
        args.extend(more.iter().map(|s| (*s).to_owned()));
        args
    };
    for value in wrong {
        all.extend(fields.map(|f| run(&["--set", &format!("{f}={value}")])));
        for option in options.iter().filter(|o| **o != "--max-work") {
            all.push(run(&[&format!("{option}={value}"), "--out=x"]));
        }
    }
    all.extend([run(&["--scenario", "."]), run(&["--out", "/dev/null/x"])]);
    all.push(["forecast", "--months", "x"].map(str::to_owned).to_vec());
    all.push(["scenario", "check", "/"].map(str::to_owned).to_vec());
    for args in &all {
        let said = refused(&args.iter().map(String::as_str).collect::<Vec<_>>());
        for jargon in [
            "u16",
            "u32",
            "u64",
            "usize",
            "f64",
            "os error",
            "invalid digit",
            "expected a sequence",
            "invalid type",
            "expected struct",
            "overflow",
            "StrErr",
        ] {
            assert!(!said.contains(jargon), "{args:?}: {said}");
        }
    }
}

#[test]
fn flags_that_do_nothing_are_refused() {
    let said = |args: &[&str]| refused(args);
    assert!(
        said(&["compare", "naive", "optimised", "--policy", "lazy"])
            .contains("--policy: has no effect here")
    );
    for command in [
        &["rehearse"][..],
        &["plan", "--slo", "cost<20USD"],
        &["breakeven"],
        &["forecast"],
        &["sensitivity"],
        &["coverage"],
        &["explore"],
        &[
            "chaos",
            "--worst",
            "cost",
            "--range",
            "policy.cache.ttl=\"1 s..60 s\"",
        ],
    ] {
        let args = [command, &["--precision", "2%"]].concat();
        assert!(
            said(&args).contains("--precision: has no effect here"),
            "{command:?}"
        );
    }
    assert!(said(&["trace", "--length", "0s"]).contains("expected more than 0 s"));
    assert!(said(&["plan", "--slo", "p95_query<500"]).contains("with its unit"));
    assert!(said(&["plan", "--slo", "cost<20"]).contains("with its unit"));
    assert!(
        said(&["run", "-n", "1000000000"]).contains("expected a whole number from 1 to 1000000")
    );
}

/// Ten minutes are simulated, whether they hold 5k requests or not.
const IDLE: [&str; 6] = [
    "--set",
    "period.at_least=\"1 min\"",
    "--set",
    "period.at_most=\"10 min\"",
    "--set",
    "period.requests=5k",
];

#[test]
fn a_number_of_requests_that_decides_nothing_is_refused() {
    let dir = TempDir::new().unwrap();
    let log = dir.path().join("log.csv");
    std::fs::write(&log, "").unwrap();
    let log = log.to_str().unwrap();
    let at = ["--traffic", "3M"];
    let ttl = "policy.cache.ttl=1 s..60 s";
    let of_period = "--set period.requests=5k: has no effect, as 10 min ";
    for command in [
        &["run"][..],
        &["sweep"],
        &["sweep", "--shard", "1/2"],
        &["compare", "naive", "optimised"],
        &["breakeven"],
        &["forecast", "--growth", "10%/month", "--months", "2"],
        &["plan", "--slo", "cost<20USD"],
        &["coverage"],
        &["compare-stores"],
        &["diff", "naive", "optimised"],
        &["trace"],
        &["sensitivity", "--policy", "optimised"],
        &["explore", "--vary", "ttl=1 s,5 s", "--policy", "optimised"],
        &["chaos", "--worst", "cost", "--range", ttl],
    ] {
        let said = refused(&[command, &at, &IDLE].concat());
        assert!(said.contains(of_period), "{command:?}: {said}");
    }
    for (command, instead) in [
        (
            &["replay", log][..],
            "the log decides how long is simulated",
        ),
        (
            &["validate", "--against", "127.0.0.1:1"],
            "--duration decides",
        ),
        (&["trace", "--length", "1 min"], "--length decides"),
        (&["rehearse"], "--length decides how long is simulated"),
        (&["trace", "--requests", "10"], "--requests decides"),
    ] {
        let said = refused(&[command, &IDLE].concat());
        let expected = format!("--set period.requests=5k: has no effect here, {instead}");
        assert!(said.contains(&expected), "{command:?}: {said}");
    }
    // It decides at one of the levels: 173 s of 300M requests a month.
    let folder = dir.path().join("out");
    let levels = [
        "sweep",
        "--traffic",
        "3M,300M",
        "-n",
        "1",
        "--policy",
        "optimised",
    ];
    printed(
        dir.path(),
        &[&levels[..], &IDLE, &["--out", "out"]].concat(),
    );
    let periods = rows(&folder.join("sweep.csv"));
    let hours: Vec<f64> = periods
        .iter()
        .map(|r| r["simulated_hours"].parse().unwrap())
        .collect();
    assert!(
        (hours[0] - 1.0 / 6.0).abs() < 1e-4 && hours[1] < 0.05,
        "{hours:?}"
    );
}

/// Not at the points that are named alone, but at those that are tried, under the plans and from the files that they have.
#[test]
fn a_number_of_requests_is_refused_by_what_a_command_tries() {
    let dir = TempDir::new().unwrap();
    let file = r#"title = "Short"
workload = "gateway"
policies = ["optimised"]
latency = "kv-2025"
billing = { catalog = "cloudflare", plan = "paid" }
traffic_per_month = "3M"
[period]
requests = "1k"
calls = "0"
"#;
    let names = ["a.toml", "b.toml"].map(|name| dir.path().join(name));
    for name in &names {
        fs::write(name, file).unwrap();
    }
    let [a, b] = names.each_ref().map(|name| name.to_str().unwrap());
    let two_hours = ["--traffic", "60M", "--set", "period.at_least=\"2 h\""];
    let no_work = ["--max-work", "1"];
    let daily = "workload=gateway-daily";
    for (command, requests, expected) in [
        // At 10k both numbers take all the time there is, at 100M both the least; between them one decides.
        (
            &["breakeven", "--traffic", "10k,100M"][..],
            "5k",
            "--max-work: ",
        ),
        // With few queries the hours of the number decide.
        (
            &[&["sensitivity"], &two_hours[..]].concat(),
            "40k",
            "--max-work: ",
        ),
        (&["diff", a, b], "4k", "as 1 h is simulated"),
        (
            &[
                "plan",
                "--plan",
                "free",
                "--traffic",
                "3M",
                "--slo",
                "cost<20USD",
            ],
            "20k",
            "as 1 d is simulated",
        ),
        (
            &["run", "--set", daily, "--traffic", "1M"],
            "40k",
            "as 7 d is simulated",
        ),
    ] {
        let requests = format!("period.requests={requests}");
        let said = refused(&[command, &["--set", &requests], &no_work].concat());
        assert!(said.contains(expected), "{command:?}: {said}");
    }
    // A range may move the period; the command that is told leaves out what decides nothing at the worst point.
    let worst = [
        "chaos",
        "--worst",
        "cost",
        "--policy",
        "optimised",
        "--traffic",
        "3M",
    ];
    let range = ["--range", "workload.analytics_queries.rate=10/h..40/h"];
    let little = ["--seeds", "2", "-n", "1"];
    let said = printed(dir.path(), &[&worst[..], &range, &little, &IDLE].concat());
    let again = said
        .lines()
        .find(|l| l.starts_with("  kvplan run "))
        .unwrap();
    assert!(
        !again.contains("period.requests") && again.contains("period.at_most"),
        "{again}"
    );
}

#[test]
fn large_numbers_may_be_written_as_people_do() {
    let dir = TempDir::new().unwrap();
    let run = |traffic: &str| {
        let args = [
            "run",
            "--traffic",
            traffic,
            "-n",
            "1",
            "--set",
            "period.requests=2e3",
        ];
        printed(dir.path(), &args)
    };
    let plain = run("1M");
    for traffic in ["1e6", "1,000,000", "1_000_000"] {
        assert_eq!(run(traffic), plain, "{traffic}");
    }
    let invoice = |usage: &str| printed(dir.path(), &["invoice", usage]);
    assert_eq!(invoice("kv.reads=4e7"), invoice("kv.reads=40M"));
    assert_eq!(invoice("kv.reads=40,000,000"), invoice("kv.reads=40M"));
}

#[test]
fn a_page_leaves_out_what_others_have_put_there_and_tells_what_is_cut_off() {
    let dir = TempDir::new().unwrap();
    printed(dir.path(), &SWEEP);
    let out = dir.path().join("out");
    fs::write(out.join("foreign.csv"), b"a,\x1b[2J\xff\n").unwrap();
    fs::write(out.join("foreign.svg"), "<x").unwrap();
    let output = kvplan(dir.path(), &["report", "out"]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("left out: out/foreign.csv:1: found bytes that are not UTF-8 text"),
        "{said}"
    );
    assert!(said.contains("left out: out/foreign.svg"), "{said}");
    let sweep = fs::read(out.join("sweep.csv")).unwrap();
    let last_row = sweep[..sweep.len() - 1]
        .iter()
        .rposition(|b| *b == b'\n')
        .unwrap();
    for cut in [sweep.len() - 1, last_row + 1] {
        fs::write(out.join("sweep.csv"), &sweep[..cut]).unwrap();
        let output = kvplan(dir.path(), &["report", "out"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(2) && said.contains("cut off"),
            "{cut}: {said}"
        );
    }
}

#[test]
fn a_document_in_a_broken_encoding_is_recognised() {
    let dir = TempDir::new().unwrap();
    let verify = |bytes: &[u8]| {
        fs::write(dir.path().join("doc.md"), bytes).unwrap();
        let output = kvplan(dir.path(), &["verify", "--document", "doc.md", "--list"]);
        String::from_utf8(output.stderr).unwrap()
    };
    let broken = verify("Load testing â€” results".as_bytes());
    assert!(
        broken.contains("looks like UTF-8 read as Windows-1252 (\"Load testing — results\""),
        "{broken}"
    );
    assert!(!verify("Load testing — results".as_bytes()).contains("Windows"));
    assert!(verify(b"caf\xe9").contains("found bytes that are not UTF-8 text"));
}
