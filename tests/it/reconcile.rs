//! `kvplan reconcile`: usage that kvplan's own simulation made is explained by what made it, and what the data do not
//! say is said.

use assert_cmd::Command;
use kvplan::models::parse_overrides;
use kvplan::models::quantity::Count;
use kvplan::pricing::{MeterItem, Money};
use kvplan::run::scenario::Scenario;
use kvplan::run::{Point, simulate};
use kvplan::study::reconcile::{Assumption, Reconciled, reconcile};
use kvplan::study::replicate::Work;
use kvplan::study::usage::{Actual, Wanted};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

fn scenario(settings: &[&str]) -> Scenario {
    let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
    let mut s = Scenario::load(
        "default",
        &["optimised".to_owned()],
        None,
        &parse_overrides(&settings).unwrap(),
    )
    .unwrap();
    s.replications = 6;
    s
}

/// Days of the simulation with these settings, with numbers of its own, as a CSV file.
fn usage_of(settings: &[&str], traffic: u64, days: u64) -> Actual {
    let mut s = scenario(settings);
    s.seed = 77;
    s.period.at_least = std::time::Duration::from_secs(86_400);
    s.period.at_most = s.period.at_least;
    let mut csv = String::from("date,meter,quantity\n");
    for day in 0..days {
        let point = Point {
            scenario: &s,
            policy: &s.policies[0],
            traffic: Count(traffic),
            replication: day,
        };
        let usage = simulate(&point).unwrap().usage;
        for meter in [
            MeterItem::KvReads,
            MeterItem::KvWrites,
            MeterItem::WorkersRequests,
        ] {
            let n = usage.get(meter) / 30;
            csv.push_str(&format!("2026-11-{:02},{meter},{n}\n", day + 2));
        }
    }
    let mut actual = Actual::default();
    let wanted = Wanted {
        namespace: None,
        since: Some("2026-11-02".parse().unwrap()),
        until: Some(format!("2026-11-{:02}", days + 2).parse().unwrap()),
    };
    actual.add("made", &csv, &wanted).unwrap();
    actual
}

const TRAFFIC: u64 = 1_000_000;

fn reconciled(made_with: &[&str], traffic: u64) -> Reconciled {
    let actual = usage_of(made_with, traffic, 4);
    let mut s = scenario(&["policy.batch.max_age=\"25 s\"", "period.requests=6000"]);
    s.traffic_per_month = Count(TRAFFIC);
    reconcile(&s, Count(TRAFFIC), &actual, &Work::unwatched()).unwrap()
}

/// The records of a batch at 0.39 requests a second: 11 by age as the scenario has it, 3 as the usage was made.
#[test]
fn usage_of_another_batch_size_is_explained_by_it() {
    let found = reconciled(
        &[
            "policy.batch.max_age=\"25 s\"",
            "policy.batch.max_records=3",
        ],
        TRAFFIC,
    );
    let e = found.explained.as_ref().unwrap();
    let best = &e.ranking[0];
    assert_eq!(best.assumption, Assumption::BatchSize, "{e:?}");
    // A batch of three takes 5 s: about 0.2 of 25 s, less than half of it apart.
    assert!((0.12..0.4).contains(&best.factor), "{best:?}");
    assert!(best.remaining < 0.1 && e.before > 0.5, "{e:?}");
    assert!(best.remaining < e.ranking[1].remaining / 2.0, "{e:?}");
    let verdict = |m: MeterItem| found.meters.iter().find(|x| x.meter == m).unwrap();
    assert_eq!(verdict(MeterItem::KvWrites).verdict.words(), "above");
    assert_eq!(
        verdict(MeterItem::WorkersRequests).verdict.words(),
        "within"
    );
    assert!(found.is_outside());
    assert_eq!(e.untried[0].0, Assumption::Isolates);
}

#[test]
fn usage_of_more_traffic_is_explained_by_it() {
    let made = ["policy.batch.max_age=\"25 s\""];
    let found = reconciled(&made, 3 * TRAFFIC);
    let best = &found.explained.as_ref().unwrap().ranking[0];
    assert_eq!(
        best.assumption,
        Assumption::Traffic,
        "{:?}",
        found.explained
    );
    // The period of the search holds 6,000 requests or more: four standard deviations are 5%.
    assert!((best.factor / 3.0 - 1.0).abs() < 0.1, "{best:?}");
    // Days and replications of so many requests differ by a few percent; t of four days is 3.2.
    let (low, high) = best.interval.unwrap();
    assert!(low < best.factor && best.factor < high, "{best:?}");
    assert!(
        low < 3.0 * 1.02 && high > 3.0 / 1.02 && high / low < 1.5,
        "{best:?}"
    );
}

/// The file that explains best gives what the ranking says of it, and goes on with the settings that were given.
#[test]
fn the_calibrated_scenario_can_be_run() {
    let dir = TempDir::new().unwrap();
    let file = |name: &str| format!("{DATA}/{name}.json");
    let usage = [file("kv_operations"), file("workers_invocations")];
    let [operations, workers] = &usage;
    let args = [
        "reconcile",
        operations,
        workers,
        "--set",
        "workload.analytics_queries.rate=\"7/h\"",
        "--set",
        "policy.cache.ttl=\"7 s\"",
        "--out",
        "o",
    ];
    let (code, text) = kvplan(dir.path(), &args);
    assert_eq!(code, Some(0), "{text}");
    let go_on = "To go on with the best: kvplan run --scenario o/calibrated.toml";
    assert!(text.contains(go_on), "{text}");
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(dir.path().join("o/reconcile.json")).unwrap()).unwrap();
    let best = &json["explained"]["ranking"][0];
    assert!(best["factor_interval"].is_array() || best["factor_interval"].is_null());
    let path = dir.path().join("o/calibrated.toml");
    let calibrated = Scenario::load(path.to_str().unwrap(), &[], None, &[]).unwrap();
    assert_eq!(calibrated.traffic_per_month.0, best["traffic_per_month"]);
    assert_eq!(calibrated.policies.len(), 1);
    assert_eq!(calibrated.period.requests, Count(2_000));
    let mut given = vec![
        "period.requests=2000".to_owned(),
        "workload.analytics_queries.rate=\"7/h\"".into(),
        "policy.cache.ttl=\"7 s\"".into(),
    ];
    let of_best = best["settings"].as_array().unwrap();
    given.extend(of_best.iter().map(|s| s.as_str().unwrap().to_owned()));
    let overrides = parse_overrides(&given).unwrap();
    let said = Scenario::load("default", &["optimised".to_owned()], None, &overrides).unwrap();
    assert_eq!(calibrated.policies, said.policies);
    assert_eq!(calibrated.workload, said.workload);
    assert_eq!(
        (&calibrated.fleet, &calibrated.catalog),
        (&said.fleet, &said.catalog)
    );
    let run = Command::cargo_bin("kvplan")
        .unwrap()
        .args(["run", "--scenario", path.to_str().unwrap(), "-n", "1"])
        .output()
        .unwrap();
    assert!(run.status.success(), "{run:?}");
}

/// Days of another seed lie in the bands of days: at 95% each of 12 days, fewer than five outside (by the
/// binomial distribution more come in 1 of 6,000).
#[test]
fn usage_as_projected_is_within() {
    let found = reconciled(&["policy.batch.max_age=\"25 s\""], TRAFFIC);
    let words = |d: &kvplan::study::reconcile::Day| d.verdict.words();
    let days: Vec<String> = found
        .meters
        .iter()
        .flat_map(|m| m.days.iter().map(words))
        .collect();
    assert_eq!(days.len(), 12);
    assert!(
        days.iter().filter(|w| *w != "within").count() < 5,
        "{days:?}"
    );
}

fn kvplan(dir: &Path, args: &[&str]) -> (Option<i32>, String) {
    with_api(dir, args, None)
}

fn with_api(dir: &Path, args: &[&str], api: Option<&str>) -> (Option<i32>, String) {
    let mut command = Command::cargo_bin("kvplan").unwrap();
    command.current_dir(dir).args(args);
    command.args([
        "--policy",
        "optimised",
        "-n",
        "3",
        "--set",
        "period.requests=2000",
    ]);
    for name in ["CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID"] {
        command.env_remove(name);
    }
    if let Some(api) = api {
        command
            .env("CLOUDFLARE_API_TOKEN", TOKEN)
            .env("CLOUDFLARE_ACCOUNT_ID", "023e105f4ecef8ad9ca31a8372d0c353")
            .env("KVPLAN_CLOUDFLARE_API", api);
    }
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].map(|b| String::from_utf8(b).unwrap());
    (output.status.code(), text.concat())
}

/// The rows of reconcile.csv of a meter.
fn rows(dir: &Path, meter: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(dir.join("o/reconcile.csv")).unwrap();
    let rows = reader.records().map(Result::unwrap);
    let of_meter = rows.filter(|r| &r[0] == meter);
    of_meter
        .map(|r| r.iter().map(str::to_owned).collect())
        .collect()
}

#[test]
fn partial_days_sampled_values_and_unknown_datasets_are_said() {
    let dir = TempDir::new().unwrap();
    let file = |name: &str| format!("{DATA}/{name}.json");
    let (operations, workers) = (file("kv_operations"), file("workers_invocations"));
    let (code, text) = kvplan(
        dir.path(),
        &["reconcile", &operations, &workers, "--out", "o"],
    );
    assert_eq!(code, Some(0), "{text}");
    let reads = rows(dir.path(), "kv.reads");
    // By date: the first and the last may not be whole, and no difference is told of them.
    for at in [0, 6] {
        assert_eq!((&*reads[at][8], &*reads[at][9]), ("false", ""), "{reads:?}");
        assert!(reads[at][10].contains("not a whole day"));
    }
    assert!(reads[1][8] == "true" && !reads[1][9].is_empty());
    // Sampled one in ten: with the interval that the answer has, or not judged.
    assert_eq!((&*reads[2][6], &*reads[2][7]), ("37000", "39200"));
    assert!(
        reads[3][10].contains("sampled, without interval"),
        "{reads:?}"
    );
    // By hour: only the day that begins and ends within the data.
    let whole: Vec<bool> = rows(dir.path(), "workers.requests")
        .iter()
        .map(|r| r[8] == "true")
        .collect();
    assert_eq!(whole, [false, true, false]);
    // No row of an action on a whole day means none.
    assert!(rows(dir.path(), "kv.deletes").iter().all(|r| r[5] == "0"));
    for said in [
        "Dataset durableObjectsInvocationsAdaptiveGroups is not known",
        "workers.cpu_ms: the data have no sum of CPU time",
        "The data say nothing of workers.cpu_ms",
    ] {
        assert!(text.contains(said), "{said} in {text}");
    }
    assert!(dir.path().join("o/reconcile_kv_reads.svg").exists());
    // With the days that were asked for all are whole, and the mean of writes is far off.
    let args = [
        "reconcile",
        &operations,
        "--out",
        "o",
        "--strict",
        "--since",
        "2026-11-02",
        "--until",
        "2026-11-09",
    ];
    let (code, text) = kvplan(dir.path(), &args);
    assert_eq!(code, Some(1), "{text}");
    assert_eq!(rows(dir.path(), "kv.reads")[0][8], "true");
}

#[test]
fn billable_usage_is_read_by_its_focus_fields_and_has_precedence() {
    let dir = TempDir::new().unwrap();
    let file = |name: &str| format!("{DATA}/{name}.json");
    let args = [
        "reconcile",
        &file("kv_operations"),
        &file("billable_usage"),
        "--out",
        "o",
    ];
    let (code, text) = kvplan(dir.path(), &args);
    assert_eq!(code, Some(0), "{text}");
    let writes = rows(dir.path(), "kv.writes");
    assert_eq!(writes[1][5], "33003", "{writes:?}");
    for said in [
        "Images Transformations / Images\": no meter of kvplan's",
        "kv.storage in \"GB-Months\" cannot be compared by day",
        "kv.writes is taken from",
    ] {
        assert!(text.contains(said), "{said} in {text}");
    }
    let twice = [
        "reconcile",
        &file("billable_usage"),
        &file("billable_usage"),
        "--out",
        "o",
    ];
    let (code, text) = kvplan(dir.path(), &twice);
    assert_eq!(code, Some(2));
    assert!(
        text.contains("found kv.reads of 2026-11-03 a second time"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_used_names_file_and_field() {
    let dir = TempDir::new().unwrap();
    let refused = |text: &str| {
        fs::write(dir.path().join("x"), text).unwrap();
        let (code, text) = kvplan(dir.path(), &["reconcile", "x", "--out", "o"]);
        assert_eq!(code, Some(2), "{text}");
        text.trim().to_owned()
    };
    assert_eq!(
        refused("date,meter,quantity\n2026-11-02,kv.reads,many\n"),
        "error: x:2: field `quantity`: found \"many\", expected a number of 0 or more, such as 250, 10k, 2.5M or 1B"
    );
    assert!(refused("{\"data\":{\"viewer\":{\"accounts\":[{\"kvOperationsAdaptiveGroups\":[{\"sum\":{\"requests\":-1},\"dimensions\":{\"date\":\"2026-11-02\",\"actionType\":\"read\"}}]}]}}}")
        .contains("field `data.viewer.accounts[0].kvOperationsAdaptiveGroups[0].sum.requests`: found -1"));
    assert!(
        refused("{\"data\":null,\"errors\":[{\"message\":\"unknown field\"}]}")
            .contains("found \"unknown field\"")
    );
    assert!(refused("[{}]").contains("field `result[0].ChargePeriodStart`"));
    assert!(
        refused("date,meter,quantity\n2026-11-02,kv.raeds,5\n")
            .contains("found no day of any meter")
    );
}

#[test]
fn focus_rows_add_up_to_the_invoice() {
    let usage = [
        "kv.reads=43210987",
        "kv.storage=7.654321GB",
        "r2.class_a=2000001",
        "workers.cpu_ms=76.2M",
        "do.duration_mb_ms=500123 GB-s",
    ];
    let invoice = |format: &str| {
        let mut command = Command::cargo_bin("kvplan").unwrap();
        command
            .arg("invoice")
            .args(usage)
            .args(["--format", format, "--on", "2026-12-15"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let json: serde_json::Value = serde_json::from_str(&invoice("json")).unwrap();
    let total: Money = json["total"].as_str().unwrap().parse().unwrap();
    let focus = invoice("focus");
    let mut reader = csv::Reader::from_reader(focus.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let at = |name: &str| headers.iter().position(|h| h == name).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 6);
    for cost in ["BilledCost", "EffectiveCost", "ListCost", "ContractedCost"] {
        let sum: Money = rows
            .iter()
            .map(|r| format!("${}", &r[at(cost)]).parse::<Money>().unwrap())
            .sum();
        assert_eq!(sum, total, "{cost}");
    }
    let of = |sku: &str| rows.iter().find(|r| &r[at("SkuId")] == sku).unwrap();
    let reads = of("kv.reads");
    let cells = |r: &csv::StringRecord, names: &[&str]| {
        names
            .iter()
            .map(|n| r[at(n)].to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        cells(
            reads,
            &[
                "ConsumedQuantity",
                "ConsumedUnit",
                "PricingQuantity",
                "PricingUnit",
                "ListUnitPrice",
                "ServiceName",
                "ChargeCategory",
                "BillingAccountId"
            ]
        ),
        [
            "43210987",
            "Requests",
            "33.210987",
            "1000000 Requests",
            "0.50",
            "Workers KV",
            "Usage",
            ""
        ]
    );
    assert_eq!(
        cells(
            reads,
            &["BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodEnd"]
        ),
        [
            "2026-12-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
            "2027-01-01T00:00:00Z"
        ]
    );
    assert_eq!(
        cells(of("kv.storage"), &["ConsumedQuantity", "ConsumedUnit"]),
        ["7.654321", "GB-Months"]
    );
    assert_eq!(cells(of("r2.class_a"), &["PricingQuantity"]), ["2"]);
    assert_eq!(
        cells(
            of("plan.fee"),
            &["ChargeCategory", "BilledCost", "ConsumedQuantity"]
        ),
        ["Purchase", "5.00", ""]
    );
}

const TOKEN: &str = "a-token-that-nobody-may-see";

/// A request as it came: path and body.
type Asked = (String, String);

/// An API on this machine that answers with what `answer` makes of path, body and the number of requests so far:
/// status, further headers and body.
fn api(
    answer: impl Fn(&str, &str, usize) -> (u16, String, String) + Send + 'static,
) -> (String, Arc<Mutex<Vec<Asked>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (path, token, body) = request(&stream);
            let before = log.lock().unwrap().len();
            log.lock().unwrap().push((path.clone(), body.clone()));
            let (status, headers, text) = match token.contains(TOKEN) {
                true => answer(&path, &body, before),
                false => (401, String::new(), "{}".into()),
            };
            let mut stream = stream;
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
                text.len()
            );
            stream
                .write_all(format!("{head}{text}").as_bytes())
                .unwrap();
        }
    });
    (address, asked)
}

fn request(stream: &TcpStream) -> (String, String, String) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let path = line.split(' ').nth(1).unwrap().to_owned();
    let (mut length, mut token) = (0, String::new());
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let lower = line.to_lowercase();
        if let Some(n) = lower.strip_prefix("content-length:") {
            length = n.trim().parse().unwrap();
        }
        if lower.starts_with("authorization:") {
            token.clone_from(&line);
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (path, token, String::from_utf8(body).unwrap())
}

fn answer_of(dataset: &str, rows: &[String]) -> String {
    format!(
        "{{\"data\":{{\"viewer\":{{\"accounts\":[{{\"{dataset}\":[{}]}}]}}}},\"errors\":null}}",
        rows.join(",")
    )
}

/// What Cloudflare would answer: 240 reads an hour and 31 writes for each day asked for; all others nothing.
fn fine(path: &str, body: &str) -> (u16, String, String) {
    if path.contains("billable-usage") {
        return (
            403,
            String::new(),
            "{\"success\":false,\"errors\":[{\"message\":\"not entitled\"}]}".into(),
        );
    }
    for dataset in ["kvStorageAdaptiveGroups", "workersInvocationsAdaptive"] {
        if body.contains(dataset) {
            return (200, String::new(), answer_of(dataset, &[]));
        }
    }
    let asked: serde_json::Value = serde_json::from_str(body).unwrap();
    let day = |name: &str| -> u32 {
        let date = asked["variables"]["filter"][name].as_str().unwrap();
        date[8..].parse().unwrap()
    };
    let rows = (day("date_geq")..=day("date_leq")).flat_map(|d| {
        let row = |action: &str, n: u32| format!("{{\"sum\":{{\"requests\":{n}}},\"avg\":{{\"sampleInterval\":1}},\"dimensions\":{{\"date\":\"2026-11-{d:02}\",\"actionType\":\"{action}\"}}}}");
        // Each read is a row of its own, so that two days are more than one answer may hold.
        let reads = vec![row("read", 240); if d == 3 { 1 } else { 600 }];
        reads.into_iter().chain([row("write", 31)])
    });
    (
        200,
        String::new(),
        answer_of(
            "kvOperationsAdaptiveGroups",
            &rows.take(1_000).collect::<Vec<_>>(),
        ),
    )
}

const FETCH: [&str; 8] = [
    "reconcile",
    "--fetch",
    "--since",
    "2026-11-02",
    "--until",
    "2026-11-05",
    "--out",
    "o",
];

#[test]
fn usage_is_fetched_in_parts_that_an_answer_can_hold() {
    let dir = TempDir::new().unwrap();
    let (address, asked) = api(|path, body, _| fine(path, body));
    let (code, text) = with_api(dir.path(), &FETCH, Some(&address));
    assert_eq!(code, Some(0), "{text}");
    let reads: Vec<String> = rows(dir.path(), "kv.reads")
        .iter()
        .map(|r| r[5].clone())
        .collect();
    assert_eq!(reads, ["144000", "240", "144000"]);
    assert!(
        rows(dir.path(), "kv.writes")
            .iter()
            .all(|r| r[5] == "31" && r[8] == "true")
    );
    assert!(text.contains("not open to this token (HTTP 403)"), "{text}");
    // All three days, then the first, then the other two.
    let asked = asked.lock().unwrap();
    let operations = asked.iter().filter(|a| a.1.contains("kvOperations"));
    assert_eq!(operations.count(), 3);
    // The token is in no file.
    for file in fs::read_dir(dir.path().join("o")).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(TOKEN));
    }
}

#[test]
fn all_pages_of_billable_usage_are_taken() {
    let dir = TempDir::new().unwrap();
    let (address, _) = api(|path, body, _| {
        if !path.contains("billable-usage") {
            return fine(path, body);
        }
        let page = if path.contains("page=2") { 2 } else { 1 };
        let record = format!(
            "{{\"ServiceName\":\"Workers\",\"ChargeDescription\":\"Workers Standard Requests\",\"ConsumedUnit\":\"Requests\",\"ConsumedQuantity\":{page}00,\"ChargePeriodStart\":\"2026-11-0{0}T00:00:00Z\",\"ChargePeriodEnd\":\"2026-11-0{1}T00:00:00Z\"}}",
            page + 1,
            page + 2
        );
        (
            200,
            String::new(),
            format!(
                "{{\"success\":true,\"errors\":[],\"result\":[{record}],\"result_info\":{{\"page\":{page},\"total_pages\":2}}}}"
            ),
        )
    });
    let (code, text) = with_api(dir.path(), &FETCH, Some(&address));
    assert_eq!(code, Some(0), "{text}");
    let requests: Vec<String> = rows(dir.path(), "workers.requests")
        .iter()
        .map(|r| r[5].clone())
        .collect();
    assert_eq!(requests[..2], ["100", "200"]);
}

#[test]
fn what_goes_over_is_asked_again() {
    let dir = TempDir::new().unwrap();
    let (address, asked) = api(|path, body, before| match before {
        0 => (429, "Retry-After: 1\r\n".into(), "{}".into()),
        1 => (503, String::new(), "busy".into()),
        _ => fine(path, body),
    });
    let (code, text) = with_api(dir.path(), &FETCH, Some(&address));
    assert_eq!(code, Some(0), "{text}");
    assert!(asked.lock().unwrap().len() >= 8);
}

#[test]
fn what_does_not_go_over_is_one_message_and_leaves_earlier_output() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("o")).unwrap();
    fs::write(dir.path().join("o/reconcile.csv"), "earlier\n").unwrap();
    let refused = |answer: fn() -> (u16, String, String)| {
        let (address, _) = api(move |_, _, _| answer());
        let (code, text) = with_api(dir.path(), &FETCH, Some(&address));
        assert_eq!(code, Some(2), "{text}");
        assert!(!text.contains(TOKEN), "{text}");
        assert_eq!(text.trim().lines().count(), 1, "{text}");
        let left = fs::read_to_string(dir.path().join("o/reconcile.csv")).unwrap();
        assert_eq!(left, "earlier\n");
        text
    };
    let text = refused(|| {
        (401, String::new(), "{\"success\":false,\"errors\":[{\"code\":10000,\"message\":\"Authentication error\"}]}".into())
    });
    assert!(
        text.contains("the token was refused (HTTP 401): Authentication error"),
        "{text}"
    );
    let text = refused(|| {
        (
            200,
            String::new(),
            "{\"data\":null,\"errors\":[{\"message\":\"not authorized for that account\"}]}".into(),
        )
    });
    assert!(
        text.contains("found an error in the answer: not authorized for that account"),
        "{text}"
    );
    let text = refused(|| (429, "Retry-After: 3600\r\n".into(), "{}".into()));
    assert!(
        text.contains("Retry-After 3600 s, longer than the 60 s"),
        "{text}"
    );
    let text = refused(|| (502, String::new(), "<html>".into()));
    assert!(
        text.contains("Cloudflare has a fault (HTTP 502), 4 times"),
        "{text}"
    );
    let text = refused(|| (200, String::new(), "<html>".into()));
    assert!(text.contains("found no JSON"), "{text}");
    // Nothing in the environment.
    let (code, text) = kvplan(dir.path(), &FETCH);
    assert_eq!(code, Some(2));
    assert!(
        text.contains("CLOUDFLARE_API_TOKEN: found nothing in the environment"),
        "{text}"
    );
}

/// What is moved stays what a policy and a fleet may be: more places than isolates, a cache that ends before it is
/// kept fresh, and batches below their least size once were panics.
#[test]
fn no_assumption_is_moved_to_where_nothing_can_run() {
    let dir = TempDir::new().unwrap();
    let day = |d: u32| format!("2026-11-{d:02},kv.reads,40\n2026-11-{d:02},kv.writes,900000\n");
    let csv: String = (2..7).map(day).collect();
    fs::write(
        dir.path().join("u.csv"),
        format!("date,meter,quantity\n{csv}"),
    )
    .unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::cargo_bin("kvplan").unwrap();
        let output = command.current_dir(dir.path()).args(args).output().unwrap();
        let text = [output.stdout, output.stderr].map(|b| String::from_utf8(b).unwrap());
        (output.status.code(), text.concat())
    };
    for (policy, setting) in [
        ("optimised-fleet", "fleet=\"regions\""),
        ("predictive", "seed=1"),
        ("adaptive", "policy.batch.adaptive.min_records=10"),
    ] {
        let args = [
            "reconcile",
            "u.csv",
            "--policy",
            policy,
            "--set",
            setting,
            "-n",
            "2",
            "--traffic",
            "20k",
            "--set",
            "period.requests=20",
            "--set",
            "period.calls=0",
            "--out",
            "o",
        ];
        let (code, text) = run(&args);
        assert_eq!(code, Some(0), "{policy}: {text}");
        if policy == "optimised-fleet" {
            assert!(
                text.contains("how many there are follows from the traffic"),
                "{text}"
            );
        }
    }
}

fn wanted(namespace: Option<&str>, days: Option<(&str, &str)>) -> Wanted {
    Wanted {
        namespace: namespace.map(str::to_owned),
        since: days.map(|d| d.0.parse().unwrap()),
        until: days.map(|d| d.1.parse().unwrap()),
    }
}

/// An answer with the reads of some days.
fn answer(namespace: &str, days: std::ops::RangeInclusive<u32>) -> String {
    let rows: Vec<String> = days
        .map(|d| {
            format!(
                r#"{{"dimensions":{{"actionType":"read","namespaceId":"{namespace}","date":"2026-11-{d:02}"}},"sum":{{"requests":{d}}}}}"#
            )
        })
        .collect();
    format!(
        r#"{{"data":{{"viewer":{{"accounts":[{{"kvOperationsAdaptiveGroups":[{}]}}]}}}}}}"#,
        rows.join(",")
    )
}

#[test]
fn a_namespace_of_which_there_is_no_row_did_not_use_nothing() {
    let mut actual = Actual::default();
    let e = actual.add("a", &answer("aaa", 2..=8), &wanted(Some("bbb"), None));
    let e = e.unwrap_err().to_string();
    assert!(
        e.contains("found no row of kvOperationsAdaptiveGroups of namespace bbb"),
        "{e}"
    );
    assert!(e.contains("its rows are of aaa"), "{e}");
}

#[test]
fn days_may_stand_in_several_files() {
    let mut actual = Actual::default();
    let wanted = wanted(None, Some(("2026-11-02", "2026-11-10")));
    actual.add("a", &answer("aaa", 2..=5), &wanted).unwrap();
    actual.add("b", &answer("aaa", 6..=8), &wanted).unwrap();
    let reads: Vec<f64> = actual
        .days(MeterItem::KvReads)
        .map(|d| d.1.quantity)
        .collect();
    assert_eq!(reads, [2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 0.0]);
    let twice = actual.add("c", &answer("aaa", 8..=9), &wanted);
    assert!(
        twice
            .unwrap_err()
            .to_string()
            .contains("2026-11-08 a second time")
    );
}

#[test]
fn an_hour_without_a_row_is_not_an_hour_without_use() {
    let mut csv = String::from("date,meter,quantity\n");
    for day in 2..=4 {
        for hour in 0..24 {
            if day != 3 || hour == 5 {
                csv.push_str(&format!("2026-11-{day:02}T{hour:02}:00:00Z,kv.reads,50\n"));
            }
        }
    }
    let mut actual = Actual::default();
    actual.add("hours", &csv, &wanted(None, None)).unwrap();
    let whole: Vec<bool> = actual.days(MeterItem::KvReads).map(|d| d.1.whole).collect();
    assert_eq!(whole, [true, false, true]);
}
