//! Whether the intervals that are printed hold the truth as often as they say, on real runs.

use kvplan::models::parse_overrides;
use kvplan::models::quantity::Count;
use kvplan::run::scenario::Scenario;
use kvplan::study::coverage::{Coverage, coverage};
use kvplan::study::replicate::Work;

const EXPERIMENTS: u32 = 400;

/// Coverage at a million requests a month, where one write a request is just what is included, from
/// experiments of ten replications of an hour.
fn measure(policy: &str) -> Vec<Coverage> {
    let settings = [
        "replications=10",
        "period.requests=\"1k\"",
        "period.calls=\"0\"",
        "period.at_least=\"1 h\"",
        // No hour of its own at the start, when nothing has been stored.
        "policy.queries.analytics_window=\"1 h\"",
    ];
    let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
    let overrides = parse_overrides(&settings).unwrap();
    let scenario = Scenario::load("default", &[policy.into()], None, &overrides).unwrap();
    measured(&scenario, Count(1_000_000), EXPERIMENTS)
}

fn measured(scenario: &Scenario, traffic: Count, experiments: u32) -> Vec<Coverage> {
    coverage(scenario, traffic, experiments, &Work::unwatched()).unwrap()
}

/// On a fleet that comes and goes, where a deployment ends all isolates and most periods meet none, and
/// reads grow with the keys of those that came in its place: whatever is stated covers as often as it says, and what
/// happens seldom is not taken for never.
#[test]
fn intervals_hold_on_a_fleet_that_comes_and_goes() {
    let settings = [
        "replications=10",
        "fleet=\"regions\"",
        "period.requests=\"1k\"",
        "period.calls=\"0\"",
        "period.at_least=\"10 min\"",
        "period.history=\"2 h\"",
        "policy.queries.analytics_window=\"1 h\"",
    ];
    let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
    let overrides = parse_overrides(&settings).unwrap();
    let policy = ["optimised-fleet".into()];
    let scenario = Scenario::load("default", &policy, None, &overrides).unwrap();
    let experiments = 100;
    let all = measured(&scenario, Count(3_000_000), experiments);
    let least = 0.93 - 3.0 * (0.93_f64 * 0.07 / f64::from(experiments)).sqrt();
    let (mut seldom, mut stated) = (0, 0);
    for c in all.iter().filter(|c| c.stated > 0 && c.varies()) {
        assert!(c.share() > least, "{c:?}");
        if c.is_figure() {
            let most = 0.97 + 3.0 * (0.97_f64 * 0.03 / f64::from(experiments)).sqrt();
            assert!(c.share() < most, "{c:?}");
        }
        stated += 1;
        let of_ends = c.measure.starts_with("isolates_ended");
        seldom += u32::from(of_ends || c.measure.starts_with("cold_start"));
    }
    assert!(seldom > 2 && stated > 25, "{seldom} of {stated}");
}

/// Every interval that is printed covers in 93% to 97% of cases, within three binomial standard deviations of as many
/// experiments as are independent; bounds of what happens seldom, and bills that only one side can miss, in 93% or
/// more.
#[test]
fn every_interval_that_is_printed_covers_as_often_as_it_says() {
    let slack = |p: f64| 3.0 * (p * (1.0 - p) / f64::from(EXPERIMENTS)).sqrt();
    for policy in ["optimised", "naive"] {
        let all = measure(policy);
        let of = |name: &str| all.iter().find(|c| c.measure == name).unwrap();
        let mut figures = 0;
        for c in all.iter().filter(|c| c.stated > 0 && c.varies()) {
            let what = format!("{policy}: {c:?}");
            assert!(c.share() > 0.93 - slack(0.93), "{what}");
            let is_bill = c.measure == "cost_usd" || c.measure.starts_with("invoice");
            if c.is_figure() && !is_bill {
                assert!(c.share() < 0.97 + slack(0.97), "{what}");
                figures += 1;
            }
        }
        assert!(figures > 10, "{policy}: {figures}");
        // What there are enough values for is stated.
        for name in ["metrics_p95_ms", "metrics_p99_ms", "query_p95_ms"] {
            let c = of(name);
            assert!(c.stated == c.experiments && c.varies(), "{policy}: {c:?}");
        }
        // Some 400 queries: four beyond their 99th percentile, which is not stated.
        let p99 = of("query_p99_ms");
        assert!(p99.too_few as f64 > 0.99 * p99.experiments as f64);
        let cost = of("cost_usd");
        if policy == "optimised" {
            continue;
        }
        // The bill at its allowance: an estimate below is exact, only one side can miss. The mean of
        // four thousand hours is off by 424 writes, $0.0021: four standard deviations.
        assert!((cost.truth - 5.0).abs() < 0.0085, "{cost:?}");
        assert!(
            cost.share() > 0.93 - slack(0.93) && cost.varies(),
            "{cost:?}"
        );
    }
}
