//! Break-even traffic against closed forms, and forecasts against direct simulation.

use crate::setup::files;
use assert_cmd::Command;
use kvplan::models::parse_overrides;
use kvplan::models::quantity::Count;
use kvplan::pricing::{MeterItem, Money};
use kvplan::run::scenario::Scenario;
use kvplan::study::breakeven::{Answer, Breakeven, Question, Settings, breakeven};
use kvplan::study::curve::{curves, levels};
use kvplan::study::forecast::{Growth, Limit, forecast};
use kvplan::study::replicate::Work;
use kvplan::study::stats::Estimate;
use kvplan::study::stats::root::Onset;
use std::path::Path;
use tempfile::TempDir;

fn scenario(name: &str, policies: &[&str], replications: u32, settings: &[&str]) -> Scenario {
    let text: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
    let policies: Vec<String> = policies.iter().map(|s| (*s).to_owned()).collect();
    let overrides = parse_overrides(&text).unwrap();
    let mut s = Scenario::load(name, &policies, None, &overrides).unwrap();
    s.replications = replications;
    s
}

fn search(s: &Scenario, levels: &[u64], fixed: i128) -> Breakeven {
    let settings = Settings {
        levels: levels.iter().copied().map(Count).collect(),
        fixed_cost: Money::from_pico(fixed * 1_000_000_000_000),
        refused: 0.01,
    };
    breakeven(s, &settings, &Work::unwatched()).unwrap()
}

fn answer(b: &Breakeven, policy: usize, question: Question) -> &Answer {
    let found = b
        .answers
        .iter()
        .find(|a| (a.policy, a.question) == (policy, question));
    found.unwrap()
}

/// Twice the half-width, as for the other closed forms, and the 0.5% of the search.
fn assert_near(a: &Answer, expected: f64) {
    let c = &a.crossing;
    let (off, half) = ((c.at / expected).ln().abs(), (c.high / c.at).ln());
    assert!(
        off <= 2.0 * half + 0.005,
        "{:?}: {c:?}, closed form {expected}",
        a.question
    );
}

/// No queries but one metrics read per request, and no limit on writes to one key.
const PLAIN: [&str; 6] = [
    "workload.analytics_queries.rate=\"0/s\"",
    "workload.health_checks.rate=\"0/s\"",
    "limits.same_key_write_interval=\"0 s\"",
    "period.requests=\"4k\"",
    "period.at_least=\"10 min\"",
    "period.at_most=\"3 d\"",
];

/// `naive` writes and reads once per request: 1,000 writes a day are used up at 30,000 requests
/// a month, 100,000 reads or requests a day at 3M; the million writes that the paid plan includes
/// at 1M.
#[test]
fn quotas_and_allowances_of_naive_are_exceeded_where_the_arithmetic_says() {
    let s = scenario("default", &["naive"], 4, &PLAIN);
    let b = search(&s, &[10_000, 100_000, 1_500_000, 6_000_000], 0);
    let quota = |item| answer(&b, 0, Question::Quota(item));
    assert_near(quota(MeterItem::KvWrites), 30_000.0);
    assert_near(quota(MeterItem::KvReads), 3_000_000.0);
    assert_near(quota(MeterItem::WorkersRequests), 3_000_000.0);
    assert_eq!(quota(MeterItem::KvLists).crossing.never, 4);
    let first = answer(&b, 0, Question::FirstQuota);
    assert_eq!(first.first, Some((MeterItem::KvWrites, 4)));
    assert_eq!(first.crossing, quota(MeterItem::KvWrites).crossing);
    assert_near(answer(&b, 0, Question::Allowance(MeterItem::KvWrites)), 1e6);
    assert_near(answer(&b, 0, Question::BillExceedsFee), 1e6);
    // The busiest of several days comes before the average one.
    let refuses = answer(&b, 0, Question::Refuses).crossing.at;
    assert!(refuses < 30_000.0 && refuses > 25_000.0, "{refuses}");
    // Beyond the quota a share 1 - 30,000 / x of the writes is refused: of all operations half
    // are writes, so 1% is reached at 30,000 / (1 - 2%) on days that are all alike.
    let more = answer(&b, 0, Question::RefusesMore).crossing.at;
    assert!(more > refuses && more < 32_000.0, "{more}");
}

/// Analytics queries at a rate of their own read 24 keys each without a cache: writes cost $5 and
/// reads $0.50 per million beyond 1M and 10M a month.
#[test]
fn a_policy_pays_for_itself_where_its_saving_covers_its_fixed_cost() {
    let s = scenario("default", &["naive", "optimised"], 4, &PLAIN);
    let levels = [300_000, 1_000_000, 10_000_000];
    // Until 10M reads a month only the writes of naive cost: $5 for each million beyond the
    // first, while optimised stays within everything that is included.
    let pays = |b: &Breakeven| answer(b, 1, Question::PaysOff(0)).clone();
    let b = search(&s, &levels, 0);
    assert_near(&pays(&b), 1e6);
    let at_ten = pays(&search(&s, &levels, 10));
    assert_near(&at_ten, 3e6);
    // The lower end of the mean's interval passes later than the mean.
    let Some(Onset::At(significant)) = at_ten.significant else {
        panic!("{at_ten:?}")
    };
    assert!(significant >= at_ten.crossing.low, "{significant}");
    assert!((significant / 3e6 - 1.0).abs() < 0.08, "{significant}");
    let never = &answer(&b, 0, Question::PaysOff(1)).crossing;
    assert_eq!((never.never, never.at), (4, f64::INFINITY));
    assert_eq!(answer(&b, 0, Question::Crosses(1)).crossing.never, 4);
}

/// A policy that keeps answers in a Durable Object is dearer where there is little traffic, and
/// cheaper where there is much: they cross.
#[test]
fn two_policies_cross_in_cost() {
    // 1,000 analytics queries an hour list and read 24 hours; an hour's cache spares them that,
    // but each write of a small batch costs.
    let dear_writes = "policy.batch.max_records=1";
    let mut s = scenario("default", &["naive"], 4, &PLAIN);
    s.workload.metrics_reads.per_request = 0.0;
    s.workload.analytics_queries.rate = "1000/h".parse().unwrap();
    s.policies[0].name = "few-writes".into();
    s.policies[0].batch.max_records = 100;
    s.policies[0].batch.max_age = std::time::Duration::from_secs(100);
    let mut cached = scenario("default", &["naive"], 4, &[dear_writes])
        .policies
        .remove(0);
    cached.name = "few-reads".into();
    cached.cache.enabled = true;
    cached.cache.ttl = std::time::Duration::from_secs(3_600);
    s.policies.push(cached);
    let b = search(&s, &[300_000, 1_000_000, 3_000_000, 10_000_000], 0);
    // 720,000 queries a month read 24 keys each, 17.28M: $3.64. As much as 1.728M writes cost
    // beyond 10M reads included: x - 1M = 728,000 (and a few reads and writes more).
    let crossing = answer(&b, 0, Question::Crosses(1)).crossing.clone();
    assert_eq!(crossing.never + crossing.already, 0, "{crossing:?}");
    // Some 6,500 queries come in the four replications: one standard deviation is 1.24% of the reads,
    // and of the crossing; five are 6.2%.
    assert!((crossing.at / 1.728e6 - 1.0).abs() < 0.062, "{crossing:?}");
    // On the low side few-reads is the cheaper, on the high side few-writes.
    assert_eq!(answer(&b, 1, Question::PaysOff(0)).crossing.already, 4);
    assert_near(answer(&b, 0, Question::PaysOff(1)), crossing.at);
}

/// Between two levels the interpolated bill is off by 2% at most, beyond the sampling error.
#[test]
fn interpolated_costs_agree_with_direct_simulation_at_midpoints() {
    let mut s = scenario(
        "default",
        &["naive", "optimised"],
        4,
        &["period.requests=\"5k\"", "period.at_least=\"10 min\""],
    );
    let all = levels(1e6, 1e8);
    // Two of the twelve gaps: the first costs of either policy, and the largest.
    for i in [1, 6] {
        let (low, high) = (all[i], all[i + 1]);
        let middle = Count((low.0 as f64 * high.0 as f64).sqrt() as u64);
        let gap = curves(&s, &[low, high], &Work::unwatched()).unwrap();
        s.seed += 1;
        let direct = kvplan::study::sweep::sweep(&s, &[middle], &Work::unwatched()).unwrap();
        for (curve, cell) in gap.iter().zip(&direct) {
            let invoice = curve.mean().invoice(s.plan(), middle.0 as f64);
            let e: Estimate = cell.estimate("cost_usd");
            let off = (invoice.total.to_usd() - e.mean).abs();
            // Both sides have a sampling error, the curve's like that of the direct one.
            let bound = 0.02 * e.mean + 3.0 * e.half_width;
            assert!(off <= bound, "{middle} {}: {off} > {bound}", cell.policy);
        }
    }
}

/// `naive` writes once per request, the free plan allows 30,000 writes a month: from 20,000 requests
/// that grow by 10% a month that is passed in the fifth (20,000 x 1.1^5 = 32,210), whether the
/// forecast is for the free plan, which refuses the rest, or for the paid one.
#[test]
fn a_quota_is_met_when_more_is_wanted_though_no_more_is_billed() {
    let growth = Growth {
        start: 2e4,
        rate: 0.1,
        rate_sd: 0.0,
        month_sd: 0.0,
        months: 12,
        futures: 100,
    };
    for plan in ["paid", "free"] {
        let mut s = scenario("default", &["naive"], 3, &PLAIN);
        s.plan = plan.into();
        let f = forecast(&s, &growth, &Work::unwatched()).unwrap();
        let of_writes = Limit::Quota(MeterItem::KvWrites);
        let hit = f.hits.iter().find(|h| h.limit == of_writes).unwrap();
        assert_eq!((hit.share, hit.months[1]), (1.0, Some(5)), "{plan}");
        let last = f.months.last().unwrap();
        assert_eq!(last.mean_refused[0] > 0.1, plan == "free", "{plan}");
    }
}

fn kvplan(args: &[&str], out: &Path) -> std::process::Output {
    let mut command = Command::cargo_bin("kvplan").unwrap();
    command.args(args).arg("--out").arg(out);
    command.output().unwrap()
}

/// Runs a command on one and on two threads; the files must be the same. Returns the output.
fn same_on_any_threads(args: &[&str], expected: &[&str]) -> (String, Vec<(String, Vec<u8>)>) {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let with = |threads: &'static str, dir: &Path| {
        let mut all = args.to_vec();
        all.extend(["-j", threads]);
        let output = kvplan(&all, dir);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let text = with("1", one.path());
    with("2", two.path());
    let (a, b) = (files(one.path()), files(two.path()));
    assert!(a == b, "the files depend on the number of threads");
    let names: Vec<&str> = a.iter().map(|f| f.0.as_str()).collect();
    assert_eq!(names, expected);
    (text, a)
}

#[test]
fn breakeven_from_the_command_line() {
    let (text, files) = same_on_any_threads(
        &[
            "breakeven",
            "--traffic",
            "10k,100k,1M,3M",
            "-n",
            "3",
            "--seed",
            "7",
            "--set",
            "period.requests=\"2k\"",
            "--set",
            "period.at_most=\"1 d\"",
        ],
        &[
            "breakeven.csv",
            "breakeven.png",
            "breakeven.svg",
            "breakeven_cost.csv",
            "breakeven_cost.png",
            "breakeven_cost.svg",
            "run.json",
        ],
    );
    for part in [
        "naive      free: first quota exceeded",
        "kv.writes in 3 of 3",
        "saves money against naive",
        "never within range (up to 3M)",
        "3 replications",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
    let mut rows = csv::Reader::from_reader(&files[0].1[..]);
    assert_eq!(rows.headers().unwrap().len(), 15);
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    let never = rows
        .iter()
        .find(|r| &r[1] == "pays_off" && &r[0] == "naive")
        .unwrap();
    assert_eq!((&never[5], &never[10]), ("", "3"));
    let svg = String::from_utf8(files[2].1.clone()).unwrap();
    assert!(svg.contains("recorded requests per month") && svg.contains("bill exceeds the fee"));
}

#[test]
fn forecast_from_the_command_line() {
    let (text, files) = same_on_any_threads(
        &[
            "forecast",
            "--traffic",
            "1M",
            "--growth",
            "8%/month",
            "--months",
            "12",
            "-n",
            "3",
            "--set",
            "period.requests=\"2k\"",
        ],
        &[
            "forecast.csv",
            "forecast.png",
            "forecast.svg",
            "forecast_limits.csv",
            "forecast_traffic.png",
            "forecast_traffic.svg",
            "run.json",
        ],
    );
    assert!(text.contains("plan \"paid\": kv.writes included"), "{text}");
    let mut rows = csv::Reader::from_reader(&files[0].1[..]);
    let header = rows.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|h| h == name).unwrap();
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2 * 13);
    let number = |r: usize, c: &str| -> f64 { rows[r][column(c)].parse().unwrap() };
    // 1M * 1.08^12 = 2.518M.
    let median = number(24, "traffic_per_month_p50");
    assert!((median / 2.518e6 - 1.0).abs() < 0.01, "{median}");
    for row in 0..26 {
        let fan =
            ["p05", "p25", "p50", "p75", "p95"].map(|p| number(row, &format!("cost_usd_{p}")));
        assert!(fan.windows(2).all(|w| w[0] <= w[1]), "{fan:?}");
    }
    // naive pays $5 for each million writes beyond the first.
    let cost = number(24, "cost_usd_p50");
    assert!((cost - (5.0 + 5.0 * 1.518)).abs() < 0.6, "{cost}");
}

#[test]
fn nonsense_is_refused_with_what_was_expected() {
    let dir = TempDir::new().unwrap();
    let refused = |args: &[&str]| {
        let output = kvplan(args, dir.path());
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(files(dir.path()).is_empty());
        String::from_utf8(output.stderr).unwrap()
    };
    for args in [
        vec!["forecast", "--growth", "8"],
        vec!["forecast", "--growth", "100%/month"],
        vec!["forecast", "--traffic", "0"],
        vec!["breakeven", "--fixed-cost", "lots"],
        vec!["breakeven", "--refused", "2"],
        vec!["breakeven", "--traffic", "5..1"],
    ] {
        let message = refused(&args);
        assert!(message.contains("expected"), "{args:?}: {message}");
    }
}
