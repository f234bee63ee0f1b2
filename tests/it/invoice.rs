//! Published bills come out to the cent: through the library, `kvplan invoice` and `kvplan verify`.

use assert_cmd::Command;
use kvplan::cloud::kv::{KvLimits, KvStore};
use kvplan::models::{load, parse_overrides};
use kvplan::pricing::MONTH;
use kvplan::pricing::MeterItem::{self, *};
use kvplan::pricing::{Catalog, Date, Money, Usage};
use kvplan::sim::executor::Executor;
use kvplan::telemetry::ports::{Clock, Kv, PutOptions};
use kvplan::units::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;
use tempfile::TempDir;

/// `tests/data/billing_examples.json`: what Cloudflare's pages, and one invoice, say.
#[derive(Deserialize)]
struct Examples {
    examples: Vec<Example>,
}

#[derive(Deserialize)]
struct Example {
    id: String,
    inputs: Value,
    expected_lines_usd: BTreeMap<String, f64>,
    expected_total_usd: f64,
    tolerance_usd: f64,
    source: String,
}

fn examples() -> Vec<Example> {
    let all: Examples =
        serde_json::from_str(include_str!("../data/billing_examples.json")).unwrap();
    all.examples
}

/// An example's usage as its page derives it, the day of its prices, and the items that its rounding
/// differs in from the pages' rule.
struct Derived {
    usage: Vec<(MeterItem, u128)>,
    /// Its names of lines.
    lines: Vec<(&'static str, MeterItem)>,
    /// Its catalog.
    prices: &'static str,
    on: Option<&'static str>,
    round_up: Vec<MeterItem>,
}

/// Memory that is billed for an active object, in MB, and what a GB-s and a GB are.
const OBJECT_MB: u128 = 128;
const GB: u128 = 1_000_000_000;
const MB: u128 = 1_000_000;

fn derive(e: &Example) -> Derived {
    let n = |name: &str| -> u128 {
        let found = e.inputs[name].as_u64();
        found
            .unwrap_or_else(|| panic!("{}: no whole number {name}", e.id))
            .into()
    };
    let mut on = None;
    let mut prices = "cloudflare";
    let mut round_up = Vec::new();
    let usage = match e.id.as_str() {
        "workers-1" => vec![
            ("requests", WorkersRequests, n("requests")),
            ("cpu", WorkersCpuMs, n("requests") * n("cpu_ms_per_request")),
        ],
        "workers-3-cron" => vec![
            ("requests", WorkersRequests, n("cron_invocations")),
            (
                "cpu",
                WorkersCpuMs,
                n("cron_invocations") * n("cpu_ms_per_invocation"),
            ),
        ],
        "real-cpu-april" => {
            // The invoice names what is beyond the 30M included.
            round_up.push(WorkersCpuMs);
            vec![("cpu", WorkersCpuMs, 30_000_000 + n("billable_cpu_ms"))]
        }
        "do-1" => vec![
            ("requests", DoRequests, n("requests")),
            (
                "duration",
                DoDurationMbMs,
                n("active_s") * OBJECT_MB * 1_000,
            ),
        ],
        "do-2-broadcast" => {
            let sockets = n("objects") * n("connections_each");
            let messages = sockets * 60 * n("hours_a_day") * n("days");
            let active_s = n("objects") * 3_600 * n("hours_a_day") * n("days");
            vec![
                (
                    "requests",
                    DoRequests,
                    sockets * n("days") + messages / n("ws_ratio"),
                ),
                ("duration", DoDurationMbMs, active_s * OBJECT_MB * 1_000),
            ]
        }
        "do-3-one-socket-each" => {
            let sockets = n("objects") * n("connections_each");
            let seconds = n("objects") * n("days") * 86_400;
            let messages = seconds * n("messages_per_second_per_object");
            vec![
                ("requests", DoRequests, sockets + messages / n("ws_ratio")),
                ("duration", DoDurationMbMs, seconds * OBJECT_MB * 1_000),
            ]
        }
        "do-4-hibernation" => {
            let sockets = n("objects") * n("connections_each");
            let minutes = 60 * n("hours_a_day") * n("days");
            let active_s = n("objects") * minutes * n("active_s_per_minute_per_object");
            vec![
                (
                    "requests",
                    DoRequests,
                    sockets + sockets * minutes / n("ws_ratio"),
                ),
                ("duration", DoDurationMbMs, active_s * OBJECT_MB * 1_000),
            ]
        }
        "r2-standard" => vec![
            ("storage", R2Storage, n("objects") * n("gb_each") * GB),
            ("class_a", R2ClassA, n("objects")),
            ("class_b", R2ClassB, n("objects") * n("reads_each")),
        ],
        "r2-rounding-a" => vec![("class_a", R2ClassA, n("class_a"))],
        "r2-asset-hosting" => vec![
            ("storage", R2Storage, n("files") * n("kb_each") * 1_000),
            ("class_a", R2ClassA, n("files")),
            ("class_b", R2ClassB, n("reads_per_day") * n("days")),
        ],
        "r2-infrequent-access" => {
            let days = n("stored_days").max(n("minimum_days"));
            let stored = n("objects") * n("gb_each") * GB;
            vec![
                ("storage", R2IaStorage, stored * days / 30),
                ("class_a", R2IaClassA, n("objects")),
                ("class_b", R2IaClassB, n("objects") * n("reads_each")),
                ("retrieval", R2IaRetrieval, stored),
            ]
        }
        "queues-1" => {
            // Written, read and deleted.
            let messages = n("messages_per_day") * n("days");
            vec![("operations", QueuesOperations, 3 * messages)]
        }
        "logs-1" => vec![(
            "logs",
            WorkersLogEvents,
            n("requests") * n("logs_per_request"),
        )],
        "observability" => {
            on = Some("2026-12-01");
            vec![
                ("ingest", ObservabilityIngest, n("ingest_gb") * GB),
                ("storage", ObservabilityStorage, n("storage_gb_month") * GB),
            ]
        }
        "cache-reserve-1" => vec![
            ("class_b", CacheReserveClassB, n("assets") * n("reads_each")),
            ("class_a", CacheReserveClassA, n("assets")),
            (
                "storage",
                CacheReserveStorage,
                n("assets") * n("gb_each") * GB,
            ),
        ],
        "cache-reserve-2" => vec![
            (
                "class_b",
                CacheReserveClassB,
                n("assets") * n("reads_per_day") * n("days"),
            ),
            (
                "class_a",
                CacheReserveClassA,
                n("assets") * n("writes_per_day") * n("days"),
            ),
            (
                "storage",
                CacheReserveStorage,
                n("assets") * n("mb_each") * 1_000_000,
            ),
        ],
        "kv-instant-read" => {
            prices = "kv-instant";
            vec![
                ("class_b", KvInstantClassB, n("keys_read")),
                ("class_a", KvInstantClassA, n("class_a")),
                ("storage", KvInstantStorage, n("storage_mb") * 1_000_000),
            ]
        }
        "kv-missing-key" => vec![("reads", KvReads, n("gets_of_absent_keys"))],
        other => panic!("{other}: its page's derivation is missing"),
    };
    Derived {
        lines: usage.iter().map(|(name, item, _)| (*name, *item)).collect(),
        usage: usage.into_iter().map(|(_, item, q)| (item, q)).collect(),
        prices,
        on,
        round_up,
    }
}

/// Those that are a bill; one is a quantity.
fn bills() -> Vec<Example> {
    let mut all = examples();
    all.retain(|e| e.id != "r2-gb-month");
    assert_eq!(all.len(), 18);
    all
}

fn catalog(derived: &Derived) -> Catalog {
    let names: Vec<String> = derived
        .round_up
        .iter()
        .map(|m| format!("\"{m}\""))
        .collect();
    let set = format!("round_up=[{}]", names.join(","));
    let catalog: Catalog = load(derived.prices, None, &parse_overrides(&[set]).unwrap()).unwrap();
    let checked = catalog.checked_on();
    let on: Date = derived.on.map_or(checked, |d| d.parse().unwrap());
    catalog.on(on)
}

#[test]
fn every_published_bill_comes_out_to_the_cent() {
    for e in bills() {
        let derived = derive(&e);
        let mut usage = Usage::default();
        for (item, quantity) in &derived.usage {
            usage.add(*item, *quantity);
        }
        let catalog = catalog(&derived);
        let invoice = catalog.plan("paid").unwrap().invoice(&usage);
        invoice.check().unwrap();
        for (name, expected) in &e.expected_lines_usd {
            let amount = match derived.lines.iter().find(|l| l.0 == name.as_str()) {
                Some((_, item)) => invoice.amount(*item),
                None if name == "fee" => invoice.total - invoice.without_fee(),
                // A line of nothing that the page lists.
                None => Money::ZERO,
            };
            let off = amount.to_usd() - expected;
            assert!(
                off.abs() <= e.tolerance_usd,
                "{} {name}: {amount}, {expected} at {}",
                e.id,
                e.source
            );
        }
        let total = match e.expected_lines_usd.contains_key("fee") {
            true => invoice.total,
            false => invoice.without_fee(),
        };
        println!(
            "{:22} {:>9} {:>9.2}",
            e.id,
            total.to_string(),
            e.expected_total_usd
        );
        let off = total.to_usd() - e.expected_total_usd;
        assert!(
            off.abs() <= e.tolerance_usd,
            "{}: {total}, {} at {}",
            e.id,
            e.expected_total_usd,
            e.source
        );
    }
}

/// What is stored changes with the day here: then the mean over time, which the meter of the KV
/// takes, is that of the peaks. A megabyte stands for a gigabyte, which a value cannot have.
#[test]
fn a_gb_month_is_the_mean_of_the_peaks_of_the_days() {
    let e = examples()
        .into_iter()
        .find(|e| e.id == "r2-gb-month")
        .unwrap();
    let spans: Vec<[u128; 2]> = serde_json::from_value(e.inputs["gb"].clone()).unwrap();
    let executor = Executor::new(Timestamp::from_secs(86_400));
    let sim = executor.handle();
    let limits: KvLimits = load("cloudflare", None, &[]).unwrap();
    let store = KvStore::counting(limits, sim.clone());
    let mut days_in_all = 0;
    for [gb, days] in spans {
        let (kv, value) = (store.invocation(), vec![0; (gb * MB) as usize - 1]);
        let put = async move { kv.put("k", value, PutOptions::default()).await };
        executor.block_on(put).unwrap();
        let span = Duration::from_secs(86_400 * days as u64);
        executor.run_until(sim.now() + span);
        days_in_all += days;
    }
    assert_eq!(days_in_all, 30);
    let byte_months = store.meter().storage_byte_ns / MONTH.as_nanos();
    let gb_month = byte_months as f64 / MB as f64;
    assert!(
        (gb_month - e.expected_total_usd).abs() <= e.tolerance_usd,
        "{gb_month}"
    );
}

#[test]
fn cpu_time_is_billed_as_the_page_says_unless_the_invoices_way_is_asked_for() {
    let april = examples()
        .into_iter()
        .find(|e| e.id == "real-cpu-april")
        .unwrap();
    let mut derived = derive(&april);
    let total = |derived: &Derived| {
        let mut usage = Usage::default();
        usage.add(WorkersCpuMs, derived.usage[0].1);
        let catalog = catalog(derived);
        catalog.plan("paid").unwrap().invoice(&usage).total.exact()
    };
    assert_eq!(total(&derived), "$5.94");
    derived.round_up.clear();
    assert_eq!(total(&derived), "$5.924");
}

fn invoice(args: &[&str]) -> std::process::Output {
    let mut kvplan = Command::cargo_bin("kvplan").unwrap();
    kvplan.arg("invoice").args(args).output().unwrap()
}

fn said(args: &[&str]) -> String {
    let output = invoice(args);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn refused(args: &[&str]) -> String {
    let output = invoice(args);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_command_gives_every_bill_as_json() {
    for e in bills() {
        let derived = derive(&e);
        let mut args: Vec<String> = ["--format", "json", "--prices", derived.prices]
            .map(str::to_owned)
            .to_vec();
        for meter in &derived.round_up {
            args.extend(["--set".to_owned(), format!("prices.round_up=[\"{meter}\"]")]);
        }
        args.extend(
            derived
                .on
                .iter()
                .flat_map(|d| ["--on".to_owned(), (*d).to_owned()]),
        );
        args.extend(derived.usage.iter().map(|(item, q)| format!("{item}={q}")));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let json: Value = serde_json::from_str(&said(&args)).unwrap();
        let lines = json["lines"].as_array().unwrap();
        let sum: f64 = lines
            .iter()
            .map(|l| l["amount_usd"].as_f64().unwrap())
            .sum();
        let total = json["total_usd"].as_f64().unwrap();
        assert!((sum - total).abs() < 1e-9, "{}: {sum} {total}", e.id);
        let no_fee = derived.prices != "cloudflare";
        let fee = if no_fee || e.expected_lines_usd.contains_key("fee") {
            0.0
        } else {
            5.0
        };
        assert!(
            (total - fee - e.expected_total_usd).abs() <= e.tolerance_usd,
            "{}: {total}",
            e.id
        );
    }
}

#[test]
fn the_table_shows_the_sum_behind_each_line() {
    let text = said(&["workers.requests=15M", "workers.cpu_ms=105M", "kv.reads=1M"]);
    for line in [
        "(15M - 10M) x $0.30 per 1M = $1.50",
        "(105M ms - 30M ms) x $0.02 per 1M ms = $1.50",
        "1M of 10M included = $0.00",
        "$5.00 a month",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(
        text.lines()
            .any(|l| l.trim_start().starts_with("total") && l.ends_with("$8.00")),
        "{text}"
    );
    assert!(text.contains("prices of 2026-11-25"), "{text}");
    // Cached reads: an assumption that the reader is told.
    assert!(
        text.contains("taken to be billed like all others"),
        "{text}"
    );
    let text = said(&[
        "r2.class_a=2000001",
        "r2.storage=11.1GB",
        "r2_ia.retrieval=1.1GB",
        "do.duration_mb_ms=33177600 GB-s",
    ]);
    for line in [
        "(2,000,001 - 1M) = 1,000,001, rounded up to 2M, x $4.50 per 1M = $9.00",
        "(11.1 GB - 10 GB) = 1.1 GB, rounded up to 2 GB, x $0.015 per 1 GB = $0.03",
        "1.1 GB, rounded up to 2 GB, x $0.01 per 1 GB = $0.02",
        "= 32,777,600 GB-s, rounded up to 33M GB-s, x $12.50 per 1M GB-s = $412.50",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let text = said(&[
        "workers.cpu_ms=76.2M",
        "--set",
        "prices.round_up=[\"workers.cpu_ms\"]",
    ]);
    assert!(
        text.contains("= 46.2M ms, rounded up to 47M ms, x $0.02 per 1M ms = $0.94"),
        "{text}"
    );
    assert!(
        text.contains("workers.cpu_ms is rounded up to 1M ms is assumed"),
        "{text}"
    );
}

#[test]
fn a_free_plan_says_what_it_would_refuse() {
    let args = [
        "--plan",
        "free",
        "kv.reads=6M",
        "kv.writes=30k",
        "kv.storage=1.5GB",
    ];
    let text = said(&args);
    assert!(text.contains("free, up to 100k a day"), "{text}");
    assert!(text.contains("Plan \"free\" allows 100k kv.reads a day; this is 200k a day on average, and what is beyond is refused until 00:00 UTC."), "{text}");
    assert!(
        text.contains("Plan \"free\" has 1 GB of kv.storage and sells no more; this is 1.5 GB."),
        "{text}"
    );
    assert!(!text.contains("kv.writes a day;"), "{text}");
    let json: Value =
        serde_json::from_str(&said(&[&args[..], &["--format", "json"]].concat())).unwrap();
    let exceeded: Vec<&str> = json["exceeded"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["item"].as_str().unwrap())
        .collect();
    assert_eq!(exceeded, ["kv.reads", "kv.storage"]);
    assert_eq!(json["total_usd"], 0.0);
}

#[test]
fn a_day_chooses_the_prices() {
    assert!(said(&["workers.log_events=30M"]).contains("(30M - 20M) x $0.60 per 1M = $6.00"));
    let then = [
        "--on",
        "2026-12-15",
        "observability.ingest=75GB",
        "observability.storage=20GB",
    ];
    let text = said(&then);
    assert!(
        text.contains("(75 GB - 50 GB) x $0.25 per 1 GB = $6.25"),
        "{text}"
    );
    assert!(
        text.lines()
            .any(|l| l.trim_start().starts_with("total") && l.ends_with("$12.05")),
        "{text}"
    );
    assert!(
        refused(&["observability.ingest=75GB"])
            .contains("has no price on 2026-11-25 (it has one from 2026-12-01)")
    );
    assert!(
        refused(&["--on", "2026-12-15", "workers.log_events=30M"])
            .contains("(it has one until 2026-11-30)")
    );
    assert!(
        refused(&["--on", "2026-02-30", "kv.reads=1"])
            .contains("found \"2026-02-30\", expected a date")
    );
    // Nobody has noted what was paid before.
    assert!(
        refused(&["--on", "2020-01-01", "kv.reads=1"]).contains(
            "--on: found 2020-01-01, expected 2026-11-25 or later: \"Cloudflare, as published\" has no prices of days before"
        )
    );
}

#[test]
fn usage_comes_from_a_file_too() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("usage.csv");
    let file = path.to_str().unwrap();
    fs::write(
        &path,
        "# October\nusage,meter\n15M,workers.requests\n\"1.1GB\",r2.storage\n",
    )
    .unwrap();
    let text = said(&["--usage", file, "--format", "csv", "workers.cpu_ms=105M"]);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    let amount =
        |item: &str| rows.iter().find(|r| r["item"] == item).unwrap()["amount_usd"].clone();
    assert_eq!(
        [
            "plan fee",
            "workers.requests",
            "workers.cpu_ms",
            "r2.storage"
        ]
        .map(amount),
        ["5.00", "1.50", "1.50", "0.00"]
    );
    let bad = |text: &str| {
        fs::write(&path, text).unwrap();
        refused(&["--usage", file])
    };
    assert!(bad("meter,usage\nkv.reads,1\nkv.raeds,2\n").contains("usage.csv:3: found unknown meter \"kv.raeds\" (did you mean \"kv.reads\"?), expected one of: kv.reads, kv.writes"));
    assert!(
        bad("meter,usage\nkv.reads,many\n")
            .contains("usage.csv:2: kv.reads: found \"many\", expected a number of 0 or more")
    );
    assert!(bad("meter,usage\nkv.reads\n").contains("usage.csv:2: found 1 columns, expected 2"));
    assert!(bad("item,usage\nkv.reads,1\n").contains(
        "usage.csv:1: field `meter`: found columns item, usage, expected meter and usage"
    ));
    assert!(bad("meter,usage\nkv.reads,1\nkv.reads,2\n").contains("found kv.reads a second time"));
    assert!(refused(&["--usage", "no-such.csv"]).contains("no-such.csv: cannot be read"));
}

/// KV Instant is no part of the published plans, and its catalog says that it is a beta.
#[test]
fn what_is_a_beta_has_a_catalog_of_its_own_that_says_so() {
    let priced = said(&["--prices", "kv-instant", "kv_instant.class_a=3"]);
    assert!(priced.contains("$0.30"), "{priced}");
    assert!(
        priced.contains("Workers KV Instant is a beta: its prices may change."),
        "{priced}"
    );
    assert!(!said(&["kv.reads=11M"]).contains("beta"));
    assert!(refused(&["kv_instant.class_a=3"]).contains("has no price"));
}

#[test]
fn what_cannot_be_priced_is_refused_by_name() {
    let all = refused(&["workers.request=1"]);
    assert!(all.contains("did you mean \"workers.requests\"?"), "{all}");
    for item in MeterItem::ALL {
        assert!(all.contains(item.name()), "{item} is not listed:\n{all}");
    }
    assert!(refused(&[]).contains("found no usage"));
    assert!(refused(&["kv.reads"]).contains("kv.reads: expected METER=USAGE"));
    assert!(refused(&["kv.reads=-1"]).contains("found \"-1\""));
    assert!(refused(&["kv.storage=5B"]).contains("such as 1.5GB"));
    assert!(refused(&["kv.reads=1", "kv.reads=2"]).contains("a second time"));
    assert!(
        refused(&["kv.read_bytes=1GB"]).contains("found kv.read_bytes, for which plan \"paid\"")
    );
    assert!(
        refused(&["--plan", "gold", "kv.reads=1"])
            .contains("--plan: found \"gold\", expected one of: free, paid")
    );
    assert!(
        refused(&["--set", "cpu.request_us=1", "kv.reads=1"])
            .contains("expected a setting of the catalog")
    );
    // As much as may be stated is priced without overflow.
    let most: Value = serde_json::from_str(&said(&[
        "--format",
        "json",
        "--prices",
        "kv-instant",
        "kv_instant.class_a=1000000000B",
    ]))
    .unwrap();
    assert_eq!(most["total"], "$100000000000000000.000000000000");
}

#[test]
fn verify_prices_every_meter_that_a_claim_states() {
    let dir = TempDir::new().unwrap();
    let mut claims = String::from("title = \"Bills\"\ndocument = \"bills.md\"\n");
    for (name, prices, on, up) in [
        ("now", "cloudflare", "2026-11-25", ""),
        ("2026-12-01", "cloudflare", "2026-12-01", ""),
        ("invoice", "cloudflare", "2026-11-25", "\"workers.cpu_ms\""),
        ("kv-instant", "kv-instant", "2026-11-25", ""),
    ] {
        claims.push_str(&format!("[[tariff]]\nname = \"{name}\"\ntitle = \"{name}\"\ncatalog = \"{prices}\"\nplan = \"paid\"\non = \"{on}\"\nround_up = [{up}]\n"));
    }
    for e in bills() {
        let derived = derive(&e);
        let tariff = match (derived.prices, derived.round_up.is_empty()) {
            ("cloudflare", true) => derived.on.unwrap_or("now"),
            ("cloudflare", false) => "invoice",
            (other, _) => other,
        };
        let usage: Vec<String> = derived
            .usage
            .iter()
            .map(|(m, q)| format!("\"{m}\" = {q}"))
            .collect();
        claims.push_str(&format!(
            "[[claim]]\nid = \"{}\"\nsection = \"s\"\nquote = \"q\"\nstated = {:?}\ntolerance = 0.005\n[[claim.check]]\nkind = \"price\"\ntariff = \"{tariff}\"\nfee = {}\nusage = {{ {} }}\n",
            e.id, e.expected_total_usd, e.expected_lines_usd.contains_key("fee"), usage.join(", ")
        ));
    }
    let verify = |claims: &str| {
        fs::write(dir.path().join("claims.toml"), claims).unwrap();
        let mut kvplan = Command::cargo_bin("kvplan").unwrap();
        kvplan.args(["verify", "claims.toml", "--effort", "none", "--strict"]);
        kvplan.current_dir(dir.path()).output().unwrap()
    };
    let output = verify(&claims);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    let mut reader = csv::Reader::from_path(dir.path().join("output/claims.csv")).unwrap();
    let rows: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 18, "{text}");
    assert!(rows.iter().all(|r| r["verdict"] == "confirmed"), "{text}");
    // What has no price is not free.
    let wrong = |from: &str, to: &str| {
        let output = verify(&claims.replacen(from, to, 1));
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let said = wrong("\"workers.log_events\" =", "\"observability.ingest\" =");
    assert!(said.contains("claim \"logs-1\": tariff \"now\": found observability.ingest, for which plan \"paid\" of \"Cloudflare, as published\" has no price on 2026-11-25 (it has one from 2026-12-01), expected one of: kv.reads"), "{said}");
    let said = wrong("\"queues.operations\" =", "\"queue.operations\" =");
    assert!(
        said.contains("queue.operations") && said.contains("`queues.operations`"),
        "{said}"
    );
}
