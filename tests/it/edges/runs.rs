//! Edges of a run and of its statistics: which settings are the last that hold, where a period lies.

use crate::setup::overrides;
use kvplan::models::quantity::Count;
use kvplan::pricing::{Invoice, MeterItem, Usage};
use kvplan::run::measure::{Calls, Get, Measurable, Measure, Outcome};
use kvplan::run::precision::Precision;
use kvplan::run::scenario::Scenario;
use kvplan::run::{ORIGIN, Phases, Point, arrivals};
use kvplan::sim::latencies::Latencies;
use kvplan::study::stats::pool::one_sided;
use kvplan::study::stats::warm_up::mser5;
use std::borrow::Cow;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

fn load(settings: &[&str]) -> Result<Scenario, String> {
    load_with(&["naive", "optimised"], settings)
}

fn load_with(policies: &[&str], settings: &[&str]) -> Result<Scenario, String> {
    let policies: Vec<String> = policies.iter().map(|p| (*p).to_owned()).collect();
    let all = overrides(&[], settings);
    Scenario::load("default", &policies, None, &all).map_err(|e| e.to_string())
}

#[test]
fn a_sweep_begins_at_one_request_a_month() {
    assert!(load(&["sweep_per_month=[1]"]).is_ok());
    assert!(load(&["sweep_per_month=[0]"]).is_err());
    assert!(load(&["sweep_per_month=[]"]).is_err());
}

#[test]
fn a_month_of_one_request_is_a_month() {
    let settings = ["period.requests=1", "period.at_most=\"60 d\""];
    let scenario = load(&settings).unwrap();
    assert_eq!(scenario.horizon(Count(1)), HOUR * 24 * 30);
    // Nor do calls make it one.
    let settings = [settings[0], settings[1], "period.calls=0"];
    let scenario = load(&settings).unwrap();
    let horizons = [1, 2, 30].map(|n| scenario.horizon(Count(n)));
    assert_eq!(horizons, [HOUR * 24 * 30, HOUR * 24 * 15, HOUR * 24]);
}

/// A million requests a month are 50,000 in a day and a half.
#[test]
fn fifty_thousand_requests_are_simulated_if_nothing_else_is_said() {
    let scenario = load(&[]).unwrap();
    assert_eq!(scenario.horizon(Count(1_000_000)), HOUR * 36);
}

/// The longest bucket is that over which periods are spread, though others are filled.
#[test]
fn periods_are_spread_over_the_longest_bucket() {
    let settings = ["period.at_least=\"2 h\"", "period.at_most=\"2 h\""];
    let mut scenario = load(&settings).unwrap();
    scenario.policies[0].layout.bucket = HOUR;
    scenario.policies[1].layout.bucket = HOUR * 6;
    let origins = (0..20).map(|r| Phases::of(&scenario, Count(1_000_000), r).origin);
    let latest = origins.max().unwrap().since(ORIGIN);
    assert!(latest > HOUR * 3 && latest < HOUR * 6, "{latest:?}");
}

/// Two places twelve hours apart have their days in turn, and together as much by day as by night.
#[test]
fn traffic_of_several_time_zones_is_that_of_all_together() {
    let settings = [
        "fleet=\"regions\"",
        "fleet.place=[{name=\"a\",share=\"50%\",time_zone_h=0},{name=\"b\",share=\"50%\",time_zone_h=12}]",
        "workload.shape={hourly=[1,1,1,1,1,1,1,1,1,1,1,1,3,3,3,3,3,3,3,3,3,3,3,3]}",
    ];
    let scenario = load_with(&["optimised-fleet"], &settings).unwrap();
    let point = Point {
        scenario: &scenario,
        policy: &scenario.policies[0],
        traffic: Count(120_000),
        replication: 0,
    };
    let mut coming = arrivals(&point, ORIGIN);
    let day =
        std::iter::from_fn(|| coming.next_arrival()).take_while(|a| a.at < ORIGIN + HOUR * 24);
    let (all, early) = day.fold((0.0, 0.0), |(all, early), a| {
        (all + 1.0, early + f64::from(a.at < ORIGIN + HOUR * 12))
    });
    assert!((early / all - 0.5).abs() < 0.05, "{early} of {all}");
}

#[test]
fn a_warm_up_may_be_up_to_half_of_a_series() {
    let series = [[9.0; 60].as_slice(), &[1.0; 90]].concat();
    assert_eq!(mser5(&series), Some(60));
}

#[test]
fn a_precision_that_says_nothing_is_refused() {
    let mut precision = Precision::of(toml::Value::from("2%").try_into().unwrap());
    assert!(precision.validate().is_ok());
    let measures = std::mem::take(&mut precision.measures);
    let error = precision.validate().unwrap_err().to_string();
    assert!(error.contains("measures"), "{error}");
    precision.measures = measures;
    precision.relative = toml::Value::from("0%").try_into().unwrap();
    let error = precision.validate().unwrap_err().to_string();
    assert!(error.contains("relative"), "{error}");
}

#[test]
fn a_run_counts_what_is_billed_for_its_services_alone() {
    let of = |name: &str| {
        let mut all = MeterItem::ALL.iter();
        *all.find(|i| i.name() == name).unwrap()
    };
    assert!(of("kv.reads").is_simulated());
    assert!(!of("workers.logpush").is_simulated());
}

/// A run whose queries took so long.
struct Took(Latencies);

impl Measurable for Took {
    fn latencies(&self, _: Calls) -> Option<Cow<'_, Latencies>> {
        Some(Cow::Borrowed(&self.0))
    }

    fn bill(&self) -> Option<(&Usage, &Invoice)> {
        None
    }
}

/// Ten runs of 40 queries each, from 1 to 40 ms up to from 10 to 49 ms, 400 in all with the median 25. Of a run's
/// queries 25 to 16 are below that, so that their share has the standard error sqrt(10 / 9 x 82.5) / 400 = 0.024;
/// 2.262 of those are 2.2 ms to either side, where a millisecond holds a fortieth.
#[test]
fn a_median_lies_between_its_bounds() {
    let median = Measure {
        name: "median",
        meaning: "",
        get: Get::<Took>::Quantile {
            of: Calls::Query,
            q: 0.5,
            unit_ms: 1.0,
        },
    };
    let measures = [median];
    let outcomes: Vec<Outcome> = (0..10)
        .map(|run| {
            let mut took = Latencies::default();
            for ms in 1..=40 {
                took.add(Duration::from_millis(run + ms));
            }
            Outcome::of(&measures, &Took(took))
        })
        .collect();
    let all: Vec<&Outcome> = outcomes.iter().collect();
    let scenario = load(&[]).unwrap();
    let bounds = one_sided(&measures, 0, scenario.plan(), &all, 0.025).unwrap();
    assert!((bounds.low - 22.8).abs() < 1.1, "{bounds:?}");
    assert!((bounds.high - 27.2).abs() < 1.1, "{bounds:?}");
}
