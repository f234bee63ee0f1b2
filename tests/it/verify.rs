//! `kvplan verify` as a user drives it, and each verdict on a claim built to give it.

use crate::setup;
use assert_cmd::Command;
use kvplan::study::claims::{Ledger, quote};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Claims, one for each verdict. The grid is one isolate and two, at two levels of traffic.
const CLAIMS: &str = r#"
title = "Claims of a test"
document = "test.md"

[[tariff]]
name = "own"
title = "the document's prices"
catalog = "seed-document"
plan = "per-million"

[[tariff]]
name = "published"
title = "the seller's prices"
catalog = "prices.toml"
plan = "paid"
published = true

[[grid]]
name = "small"
scenario = "fleet-20"
isolates = [1, 2]
fleet = 2
traffic = ["1M", "20M"]
reference = "1M"
set_single = ['policy.layout.discover="own"']
replications = 3
[grid.period]
requests = "1k"
requests_x_isolates = "2k"
at_least = "10 s"
at_most = "1 h"
warm_up = "6 s"
history = "1 min"
history_requests = "1k"

[[claim]]
id = "sum"
section = "Sums"
quote = "two and two are four"
stated = 4
[[claim.check]]
kind = "arithmetic"
expression = "a + 2"
inputs = { a = 2 }

[[claim]]
id = "wrong-sum"
section = "Sums"
quote = "twice that is nine"
stated = 9
[[claim.check]]
kind = "contradiction"
expression = "2 * {sum}"

[[claim]]
id = "reads"
section = "Prices"
quote = "20M reads cost $6.00"
stated = 6.00
unit = "USD/month"
[[claim.check]]
kind = "price"
tariff = "own"
usage = { "kv.reads" = "20M" }

[[claim]]
id = "free-reads"
section = "Limits"
quote = "1000 reads/day"
stated = 1000
unit = "reads/day"
[[claim.check]]
kind = "fact"
file = "prices/cloudflare"
field = ["plan", "free", "item", "kv.reads", "daily_limit"]

[[claim]]
id = "hits"
section = "Cache"
quote = "90% of the lookups hit"
stated = 90
unit = "%"
comparator = ">="
[[claim.check]]
kind = "simulation"
grid = "small"
policy = "optimised-fleet"
metric = "hit_ratio"
scale = 100
surface = "Hit ratio"

[[claim]]
id = "one-write"
section = "Cache"
quote = "a write for each request"
stated = 1
tolerance = "2%"
[[claim.check]]
kind = "simulation"
grid = "small"
policy = "naive-fleet"
metric = "kv_writes_per_month"
per = "requests_per_month"

[[claim]]
id = "all-saved"
section = "Cache"
quote = "no read is left"
stated = 100
unit = "%"
[[claim.check]]
kind = "simulation"
grid = "small"
policy = "optimised-fleet"
baseline = "naive-fleet"
measure = "saving"
metric = "kv_reads_per_month"
scale = 100
traffic = "20M"

[[claim]]
id = "alert"
section = "Alerts"
quote = "warn below 80%"
stated = 80
unit = "%"
comparator = ">="
[[claim.check]]
kind = "alert"
grid = "small"
policy = "optimised-fleet"
metric = "hit_ratio"
scale = 100
traffic = "1M"

[[claim]]
id = "others"
section = "Others"
quote = "others take 200 ms"
[[claim.check]]
kind = "not_testable"
reason = "nobody knows"
"#;

/// A folder with the claims and a catalog that bills reads at `price` per million from the first on.
fn folder(claims: &str, price: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    let prices = format!(
        "title = \"t\"\nchecked = \"2026-11\"\nbill_rate_limited = true\n[[plan]]\nname = \"paid\"\ntitle = \"p\"\nmonthly_fee = \"$5\"\n[[plan.item]]\nmeter = \"kv.reads\"\nprice = \"{price}\"\nper = \"1M\"\nsource = \"s\"\n"
    );
    fs::write(dir.path().join("prices.toml"), prices).unwrap();
    fs::write(dir.path().join("claims.toml"), claims).unwrap();
    dir
}

fn verify(dir: &Path, args: &[&str]) -> std::process::Output {
    let out = dir.join("out");
    Command::cargo_bin("kvplan")
        .unwrap()
        .arg("verify")
        .args(args)
        .arg("--out")
        .arg(out)
        .current_dir(dir)
        .output()
        .unwrap()
}

fn rows(dir: &Path) -> Vec<std::collections::BTreeMap<String, String>> {
    setup::rows(&dir.join("out/claims.csv"))
}

/// `id: verdict` of each claim.
fn verdicts(dir: &Path) -> String {
    let lines = rows(dir)
        .into_iter()
        .map(|r| format!("{}: {}", r["id"], r["verdict"]));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn each_verdict_is_given_to_a_claim_built_for_it() {
    let dir = folder(CLAIMS, "$0.30");
    let output = verify(dir.path(), &["claims.toml"]);
    assert!(output.status.success(), "{output:?}");
    insta::assert_snapshot!(verdicts(dir.path()), @r#"
    sum: confirmed
    wrong-sum: inconsistent
    reads: confirmed
    free-reads: refuted
    hits: holds only if
    one-write: confirmed
    all-saved: refuted
    alert: refuted
    others: not testable
    "#);
    let rows = rows(dir.path());
    let row = |id: &str| rows.iter().find(|r| r["id"] == id).unwrap();
    // The right value, and by what factor the document misses it.
    assert_eq!(row("wrong-sum")["right_value"], "8");
    assert_eq!(row("wrong-sum")["factor_stated_over_right"], "1.125");
    assert_eq!(row("free-reads")["right_value"], "100000");
    assert_eq!(row("free-reads")["factor_stated_over_right"], "0.01");
    // λT/(1+λT) = 90% at 1.8 lookups a second: 4.7M requests a month on one isolate. On two it takes twice as many,
    // and more: what comes during the longer read (a list, and two keys; about 0.12 s) misses too.
    let conditions = &row("hits")["conditions"];
    assert!(
        conditions.starts_with("1 isolate: from about "),
        "{conditions}"
    );
    let bound = |text: &str| {
        let text = text.split("from about ").nth(1).unwrap();
        let (number, _) = text.split_once("M/month").unwrap();
        number.parse::<f64>().unwrap()
    };
    let (one, two) = conditions.split_once("; ").unwrap();
    assert!((3.7..6.0).contains(&bound(one)), "{conditions}");
    assert!((9.0..16.0).contains(&bound(two)), "{conditions}");
    let half_width: f64 = row("hits")["one_isolate_value_ci95"].parse().unwrap();
    assert!(half_width > 0.0);
    assert_eq!(row("others")["evidence"], "nobody knows");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains(
            "9 claims: 3 confirmed, 1 holds only if, 3 refuted, 1 inconsistent, 1 not testable"
        ),
        "{text}"
    );
    let mut files: Vec<_> = fs::read_dir(dir.path().join("out"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(
        files,
        [
            "claimed_savings.png",
            "claimed_savings.svg",
            "claims.csv",
            "claims.json",
            "run.json",
            "savings_surface.csv",
            "surface_hits.png",
            "surface_hits.svg"
        ]
    );
    // A row for each number of isolates and level.
    let surface = fs::read_to_string(dir.path().join("out/savings_surface.csv")).unwrap();
    assert_eq!(surface.lines().count(), 1 + 2 * 2);
}

#[test]
fn another_price_gives_another_verdict() {
    let verdict = |price: &str| {
        let dir = folder(CLAIMS, price);
        let output = verify(dir.path(), &["claims.toml", "--claim", "reads"]);
        assert!(output.status.success(), "{output:?}");
        rows(dir.path()).remove(0)
    };
    let (right, wrong) = (verdict("$0.30"), verdict("$0.50"));
    assert_eq!(
        (&right["verdict"][..], &wrong["verdict"][..]),
        ("confirmed", "refuted")
    );
    assert_eq!(
        (
            &wrong["right_value"][..],
            &wrong["factor_stated_over_right"][..]
        ),
        ("10", "0.6")
    );
    // At its own prices the document is right all the same.
    assert_eq!(wrong["document_verdict"], "confirmed");
}

#[test]
fn strict_tells_scripts_by_the_exit_code() {
    let dir = folder(CLAIMS, "$0.30");
    let code = |args: &[&str]| {
        let all = [&["claims.toml", "--quiet"][..], args].concat();
        verify(dir.path(), &all).status.code()
    };
    assert_eq!(code(&["--claim", "sum", "--strict"]), Some(0));
    assert_eq!(code(&["--claim", "wrong-sum", "--strict"]), Some(1));
    assert_eq!(code(&["--claim", "free-reads", "--strict"]), Some(1));
    assert_eq!(code(&["--claim", "others", "--strict"]), Some(0));
    assert_eq!(code(&["--claim", "wrong-sum"]), Some(0));
    assert_eq!(code(&["--claim", "unheard-of"]), Some(2));
}

#[test]
fn the_same_bytes_come_out_of_any_number_of_threads() {
    let (one, two) = (folder(CLAIMS, "$0.30"), folder(CLAIMS, "$0.30"));
    for (dir, threads) in [(&one, "1"), (&two, "2")] {
        let output = verify(dir.path(), &["claims.toml", "-n", "2", "-j", threads]);
        assert!(output.status.success());
    }
    for name in [
        "claims.csv",
        "savings_surface.csv",
        "claims.json",
        "surface_hits.svg",
        "claimed_savings.png",
    ] {
        let read = |dir: &TempDir| fs::read(dir.path().join("out").join(name)).unwrap();
        assert!(read(&one) == read(&two), "{name} differs");
    }
}

/// Where no claim is judged, four replications are enough unless a claim's interval reaches across what it claims; they
/// are the first four of all.
#[test]
fn points_that_no_claim_is_judged_by_have_the_replications_that_the_claims_need() {
    let surface = |stated: &str, n: &str| {
        let claims = CLAIMS.replace("isolates = [1, 2]", "isolates = [1, 2, 3]");
        let claims = claims.replace("stated = 90", &format!("stated = {stated}"));
        let dir = folder(&claims, "$0.30");
        let output = verify(dir.path(), &["claims.toml", "--claim", "hits", "-n", n]);
        assert!(output.status.success());
        let rows = setup::rows(&dir.path().join("out/savings_surface.csv"));
        let of = |isolates: &str, traffic: &str| {
            let mut here = rows.iter().filter(|r| r["isolates"] == isolates);
            let row = here.find(|r| r["traffic_per_month"] == traffic).unwrap();
            (row["replications"].clone(), row["value"].clone())
        };
        ["1", "2", "3"].map(|n| [of(n, "1000000"), of(n, "20000000")])
    };
    let counts = |surface: &[[(String, String); 2]; 3]| {
        let row = |[low, high]: &[(String, String); 2]| format!("{} {}", low.0, high.0);
        surface.each_ref().map(row)
    };
    let clear = surface("10000", "7");
    assert_eq!(counts(&clear), ["7 7", "7 7", "4 4"]);
    assert_eq!(clear[2], surface("10000", "4")[2]);
    let value = &clear[2][1].1;
    let near = surface(value, "7");
    assert_eq!(counts(&near), ["7 7", "7 7", "4 7"]);
    assert_eq!(counts(&surface(value, "3")), ["3 3", "3 3", "3 3"]);
}

/// A claim is open about one policy, which has more replications from then on; what another claim says of it and of a second
/// policy rests on those that both have, and is what it was.
#[test]
fn policies_with_different_numbers_are_compared_by_those_that_both_have() {
    let surface = |hits: &str, n: &str| {
        let claims = CLAIMS
            .replace("isolates = [1, 2]", "isolates = [1, 2, 3]")
            .replace("stated = 90", &format!("stated = {hits}"))
            .replace(
                "quote = \"no read is left\"\nstated = 100",
                "quote = \"some reads are saved\"\nstated = 10\ncomparator = \">=\"",
            )
            .replace(
                "measure = \"saving\"",
                "measure = \"saving\"\nsurface = \"Saved\"",
            );
        let dir = folder(&claims, "$0.30");
        let only = ["--claim", "hits", "--claim", "all-saved"];
        let output = verify(dir.path(), &[&["claims.toml", "-n", n], &only[..]].concat());
        assert!(output.status.success(), "{output:?}");
        let rows = setup::rows(&dir.path().join("out/savings_surface.csv"));
        let here = |r: &&std::collections::BTreeMap<String, String>| {
            r["isolates"] == "3" && r["traffic_per_month"] == "20000000"
        };
        let here = rows.into_iter().filter(|r| here(&r));
        let of = |mut r: std::collections::BTreeMap<String, String>| {
            ["id", "replications", "value", "value_ci95"].map(|c| r.remove(c).unwrap())
        };
        here.map(of).collect::<Vec<_>>()
    };
    let few = surface("10000", "4");
    let open = surface(&few[0][2], "7");
    let numbers = open.iter().map(|r| [&*r[0], &*r[1]]);
    assert_eq!(
        numbers.collect::<Vec<_>>(),
        [["hits", "7"], ["all-saved", "4"]]
    );
    assert_ne!(open[0], few[0]);
    assert_eq!(open[1], few[1]);
}

/// The message for a claims file with `from` replaced by `to`.
fn refused(from: &str, to: &str) -> String {
    assert!(CLAIMS.contains(from));
    let dir = folder(&CLAIMS.replacen(from, to, 1), "$0.30");
    let output = verify(dir.path(), &["claims.toml"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(!dir.path().join("out").exists());
    String::from_utf8(output.stderr).unwrap().trim().to_owned()
}

#[test]
fn mistakes_are_named_with_file_line_and_claim() {
    insta::assert_snapshot!(refused("metric = \"hit_ratio\"", "metric = \"hits\""), @r#"error: claims.toml:88: field `claim[4].check[0].metric`: claim "hits": found "hits", expected a measure of sweep.csv such as hit_ratio, or a meter item such as kv.write_bytes"#);
    insta::assert_snapshot!(refused("quote = \"twice that is nine\"\n", ""), @r#"error: claims.toml:46: field `claim[1]`: claim "wrong-sum": missing field `quote`"#);
    insta::assert_snapshot!(refused("id = \"wrong-sum\"", "id = \"sum\""), @r#"error: claims.toml:47: field `claim[1].id`: claim "sum": found "sum" twice, expected an id of its own"#);
    insta::assert_snapshot!(refused("tolerance = \"2%\"", "tolerance = \"-2%\""), @r#"error: claims.toml:97: field `claim[5].tolerance`: claim "one-write": found "-2%", expected a share from 0% to below 100%, such as "5%""#);
    insta::assert_snapshot!(refused("tolerance = \"2%\"", "tolerance = -0.1"), @r#"error: claims.toml:97: field `claim[5].tolerance`: claim "one-write": found -0.1, expected 0 or more in the claim's unit, or a share such as "5%""#);
    insta::assert_snapshot!(refused("2 * {sum}", "2 * {sums}"), @r#"error: claims.toml:53: field `claim[1].check[0].expression`: claim "wrong-sum": found "sums" in "2 * {sums}", expected one of inputs, or the id of a claim with a figure"#);
    insta::assert_snapshot!(refused("2 * {sum}", "2 * * {sum}"), @r#"error: claims.toml:53: field `claim[1].check[0].expression`: claim "wrong-sum": found "2 * * {sum}", expected an arithmetic expression (a binary operator cannot be next to the binary operator, violated by '*' left of '*')"#);
    insta::assert_snapshot!(refused("2 * {sum}", "2 * 4"), @r#"error: claims.toml:53: field `claim[1].check[0].expression`: claim "wrong-sum": found "2 * 4", expected another claim's id in braces"#);
    insta::assert_snapshot!(refused("grid = \"small\"", "grid = \"large\""), @r#"error: claims.toml:86: field `claim[4].check[0].grid`: claim "hits": found "large", expected one of: small"#);
    insta::assert_snapshot!(refused("traffic = \"20M\"", "traffic = \"5M\""), @r#"error: claims.toml:119: field `claim[6].check[0].traffic`: claim "all-saved": found 5M, expected one of the levels of grid "small""#);
    insta::assert_snapshot!(refused("baseline = \"naive-fleet\"\n", ""), @r#"error: claims.toml:111: field `claim[6].check[0].baseline`: claim "all-saved": expected a baseline for a saving or a difference, and none for a value"#);
    insta::assert_snapshot!(refused("tariff = \"own\"", "tariff = \"mine\""), @r#"error: claims.toml:63: field `claim[2].check[0].tariff`: claim "reads": found "mine", expected one of: own, published"#);
    insta::assert_snapshot!(refused("stated = 4\n", ""), @r#"error: claims.toml:36: field `claim[0].stated`: claim "sum": found no figure, expected one for a claim that can be tested"#);
    insta::assert_snapshot!(refused("\"daily_limit\"", "\"weekly_limit\""), @r#"error: claims.toml:72: field `claim[3].check[0]`: claim "free-reads": models/prices/cloudflare.toml: field `plan.free.item.kv.reads.weekly_limit`: found no "weekly_limit", expected a field of the file"#);
    let message = refused("policy = \"naive-fleet\"", "policy = \"nobody\"");
    assert!(
        message.starts_with(
            "error: nobody: cannot be read (no such file); expected a file, or one of: adaptive, "
        ) && message.ends_with(" (grid \"small\" on 1 isolate(s))"),
        "{message}"
    );
    insta::assert_snapshot!(refused("kind = \"alert\"", "kind = \"alarm\""), @r#"error: claims.toml:129: field `claim[7].check[0].kind`: claim "alert": unknown variant `alarm` (did you mean "alert"?), expected one of `arithmetic`, `contradiction`, `price`, `fact`, `simulation`, `alert`, `not_testable`"#);
}

/// What needs no simulation, of the whole ledger of the document on load testing.
#[test]
fn the_ledger_by_arithmetic_prices_and_published_facts() {
    let dir = TempDir::new().unwrap();
    let output = verify(dir.path(), &["--effort", "none"]);
    assert!(output.status.success(), "{output:?}");
    let lines = rows(dir.path()).into_iter().map(|r| {
        let or = |v: &str| {
            if v.is_empty() {
                "-".to_owned()
            } else {
                v.to_owned()
            }
        };
        format!(
            "{}: {} | document {} {} | published {} {}",
            r["id"],
            r["verdict"],
            or(&r["document_verdict"]),
            or(&r["document_value"]),
            or(&r["published_verdict"]),
            or(&r["published_value"])
        )
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r#"
    tests-passing: confirmed | document confirmed 100 | published - -
    suite-passing: confirmed | document confirmed 97.3529 | published - -
    test-count: confirmed | document confirmed 13 | published - -
    tests-passing-summary: confirmed | document confirmed 100 | published - -
    suite-duration: inconsistent | document inconsistent 1167 | published - -
    record-21ms: not testable | document - - | published - -
    mixed-6ms: not testable | document - - | published - -
    failing-8ms: not testable | document - - | published - -
    mixed-operations-32ms: not testable | document - - | published - -
    ops-500: confirmed | document confirmed 0.5 | published - -
    sustained-1500: confirmed | document confirmed 1500 | published - -
    speedup-record: confirmed | document confirmed 238.095 | published - -
    speedup-query: confirmed | document confirmed 10 | published - -
    speedup-health: confirmed | document confirmed 10 | published - -
    speedup-health-checks: confirmed | document confirmed 3.75 | published - -
    speedup-mixed: confirmed | document confirmed 312.5 | published - -
    reads-100-cost: refuted | document confirmed 0.00003 | published refuted 0
    reads-10-cost: refuted | document confirmed 0.000003 | published refuted 0
    reads-reduction-90: confirmed | document confirmed 90 | published - -
    reads-10m-without: refuted | document confirmed 3 | published refuted 0
    reads-10m-with: refuted | document confirmed 0.3 | published refuted 0
    cache-saving-month: refuted | document confirmed 2.7 | published refuted 0
    cache-saving-year: confirmed | document confirmed 32.4 | published - -
    kv-costs-90: inconsistent | document inconsistent 83.75 | published - -
    free-reads: refuted | document - - | published refuted 100000
    free-writes: confirmed | document - - | published confirmed 1000
    paid-reads: confirmed | document - - | published confirmed 10000000
    paid-writes: confirmed | document - - | published confirmed 1000000
    memory-limit: confirmed | document - - | published confirmed 128
    cold-start: refuted | document - - | published refuted 5
    writes-before-cost: refuted | document confirmed 0.0025 | published refuted 0
    writes-after-cost: refuted | document confirmed 0.0005 | published refuted 0
    writes-reduction-80: confirmed | document confirmed 80 | published - -
    cache-hit-test: confirmed | document confirmed 90 | published - -
    projection-reads-without: inconsistent | document inconsistent 15 | published refuted 0
    projection-reads-with: inconsistent | document inconsistent 1.5 | published refuted 0
    projection-saving: refuted | document confirmed 2.7 | published refuted 0
    throughput: inconsistent | document inconsistent 1000 | published - -
    workers-capacity: not testable | document - - | published - -
    hundredfold: inconsistent | document inconsistent 259.2 | published - -
    alert-operations-warning: refuted | document - - | published refuted 366667
    alert-operations-critical: refuted | document - - | published refuted 366667
    checklist-tests: confirmed | document confirmed 13 | published - -
    checklist-eslint: not testable | document - - | published - -
    checklist-typescript: not testable | document - - | published - -
    checklist-deploy: not testable | document - - | published - -
    symptom-latency: confirmed | document confirmed 1000 | published - -
    symptom-hit-ratio: confirmed | document confirmed 70 | published - -
    cause-ttl: inconsistent | document inconsistent 5 | published - -
    remedy-paid-plan: confirmed | document - - | published confirmed 10000000
    ours-throughput: inconsistent | document inconsistent 1000 | published - -
    prometheus: not testable | document - - | published - -
    datadog: not testable | document - - | published - -
    new-relic: not testable | document - - | published - -
    comparable-or-better: not testable | document - - | published - -
    load-test-requests: inconsistent | document inconsistent 4770 | published - -
    load-test-hit-ratio: inconsistent | document inconsistent 90 | published - -
    load-test-writes: confirmed | document confirmed 2600 | published - -
    load-test-writes-cost: inconsistent | document inconsistent 0.0065 | published refuted 0
    load-test-reads: confirmed | document confirmed 2600 | published - -
    load-test-reads-cost: inconsistent | document inconsistent 0.0039 | published refuted 0
    load-test-total: inconsistent | document inconsistent 0.0104 | published refuted 0
    writes-cost-before: refuted | document confirmed 2.5 | published refuted 0
    reads-before: refuted | document confirmed 1.5 | published refuted 0
    total-before: refuted | document confirmed 4 | published refuted 0
    writes-cost-after: refuted | document confirmed 0.5 | published refuted 0
    reads-after: refuted | document confirmed 0.15 | published refuted 0
    total-after: refuted | document confirmed 0.65 | published refuted 0
    saving-1m: refuted | document confirmed 3.35 | published refuted 0
    saving-1m-year: confirmed | document confirmed 40.2 | published - -
    total-before-10m: refuted | document confirmed 40 | published refuted 45
    total-after-10m: refuted | document confirmed 6.5 | published refuted 5
    saving-10m: refuted | document confirmed 33.5 | published refuted 40
    saving-10m-year: confirmed | document confirmed 402 | published - -
    production-ready: not testable | document - - | published - -
    "#);
    let text = String::from_utf8(output.stdout).unwrap();
    let counts = text
        .lines()
        .find(|l| l.contains(" claims: "))
        .unwrap()
        .to_owned();
    insta::assert_snapshot!(counts, @r#"75 claims: 27 confirmed, 0 holds only if, 22 refuted, 13 inconsistent, 13 not testable"#);
}

/// The same with simulation, for claims whose verdicts do not hang on a small margin.
#[test]
fn the_simulated_claims_keep_their_verdicts() {
    let dir = TempDir::new().unwrap();
    let ids = [
        "hit-ratio-80",
        "ops-per-request",
        "free-reads",
        "writes-before",
        "cache-below-50",
        "reads-1m-reduction",
        "alert-hit-critical",
        "record-5kb",
        "saving-10m",
    ];
    let chosen: Vec<&str> = ids.iter().flat_map(|id| ["--claim", id]).collect();
    let output = verify(
        dir.path(),
        &[&["--effort", "quick", "-n", "2"][..], &chosen].concat(),
    );
    assert!(output.status.success(), "{output:?}");
    insta::assert_snapshot!(verdicts(dir.path()), @r#"
    hit-ratio-80: holds only if
    ops-per-request: holds only if
    cache-below-50: confirmed
    free-reads: refuted
    writes-before: confirmed
    alert-hit-critical: holds only if
    record-5kb: refuted
    reads-1m-reduction: refuted
    saving-10m: refuted
    "#);
}

#[test]
fn the_ledger_is_complete_and_can_be_listed() {
    let ledger = Ledger::load("load-testing").unwrap();
    assert!(ledger.file.claims.len() >= 70);
    let dir = TempDir::new().unwrap();
    let output = verify(dir.path(), &["--list"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for claim in &ledger.file.claims {
        assert!(text.contains(&claim.id), "{}", claim.id);
    }
    assert!(!dir.path().join("out").exists());
}

#[test]
fn quotes_are_looked_up_in_the_document_itself() {
    let dir = folder(CLAIMS, "$0.30");
    let said = "Two **and**: two and\ntwo are four; | twice that is nine |; 20M reads cost $6.00; 1000 reads/day; 90% of the lookups hit; a write for each request; no read is left; warn below 80%";
    fs::write(dir.path().join("test.md"), said).unwrap();
    let args = ["claims.toml", "--list", "--document", "test.md"];
    let output = verify(dir.path(), &args);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap().trim(), @r#"error: test.md: does not hold the quotes of: others"#);
    fs::write(
        dir.path().join("test.md"),
        format!("{said}; others take `200 ms`"),
    )
    .unwrap();
    assert!(verify(dir.path(), &args).status.success());
}

/// With the path of the document on load testing in `KVPLAN_DOCUMENT`, every quote stands in it.
#[test]
fn the_document_says_what_is_quoted() {
    let Some(path) = std::env::var_os("KVPLAN_DOCUMENT") else {
        eprintln!("KVPLAN_DOCUMENT is not set: quotes are not compared with the document");
        return;
    };
    let document = fs::read_to_string(path).unwrap();
    let ledger = Ledger::load("load-testing").unwrap();
    assert_eq!(quote::missing(&ledger.file, &document), Vec::<&str>::new());
}
